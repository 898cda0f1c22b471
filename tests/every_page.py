"""Visit every page of the flow, in most of its states."""

from django_piggy_verify.exceptions import ProviderUnavailable, RecipientRefused
from django_piggy_verify.sandbox import Fault
from tests import consenting
from tests.every_connect_page import every_connect_page
from tests.steps import ADDRESS, ask_for_code, log_in, type_code


def every_page(browser, sandbox, settings):
    """Yield one response after the other. ADDRESS must be a contact of the sandbox."""
    yield from _pages_for_numbers(browser)
    for why in ("1", "lost", "none"):
        yield browser.get(f"/login/?expired={why}")
    yield ask_for_code(browser, "nobody")
    sandbox.switches.fault = Fault.MAINTENANCE
    ask_for_code(browser)
    yield browser.get("/login/code/")
    sandbox.switches.fault = None
    ask_for_code(browser)
    yield browser.get("/login/code/")
    yield type_code(browser, "wrong")
    yield browser.get("/login/code/resend/")
    sandbox.switches.fault = Fault.OUTAGE
    yield type_code(browser, "123456")
    sandbox.switches.fault = None
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_ip": "1/2m"}
    yield type_code(browser, "wrong")
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_recipient": "1/2m"}
    yield type_code(browser, "wrong")
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 1}
    yield type_code(browser, "wrong")
    settings.PIGGY_VERIFY_RATE_LIMITS = {}
    settings.PIGGY_VERIFY_CREATE_USERS = False
    ask_for_code(browser)
    yield type_code(browser, sandbox.last_code(ADDRESS))
    settings.PIGGY_VERIFY_CREATE_USERS = True
    sandbox.add_contact("bob@example.com")
    log_in(browser, sandbox, "bob@example.com")
    sandbox.switches.fault = Fault.OUTAGE
    yield browser.get("/portal/")
    sandbox.switches.fault = None
    yield from every_connect_page(browser, sandbox)


def _pages_for_numbers(browser):
    """Yield the pages of a provider that texts codes and wants consents."""
    spent = ProviderUnavailable("no profile", spends_code=True)
    with consenting.used(check_error=spent):
        yield browser.get("/login/?by=phone")
        yield consenting.ask(browser, phone="6", consent_terms="")
        consenting.ask(browser)
        yield browser.get("/login/code/")
        yield type_code(browser, "")
        yield type_code(browser, "123456")
    with consenting.used(knows_members=True):
        yield browser.get("/login/?by=phone")
        consenting.ask(browser, phone="+31687654321")
        yield browser.get("/login/code/")
    with consenting.used(send_error=RecipientRefused()):
        consenting.ask(browser, phone="+31687654322")
        yield browser.get(browser.get("/login/code/").url)
    browser.post("/login/cancel/")
