"""Visit every page that connects a contact, in most of its states."""

from django.contrib.auth import get_user_model
from django.test import Client, override_settings

from django_piggy_verify.exceptions import ProviderUnavailable
from django_piggy_verify.sandbox import Fault
from tests import consenting
from tests.connecting.steps import (
    CODE,
    CONNECT,
    DISCONNECT,
    LINK,
    ask,
    connect,
    type_code,
)
from tests.steps import NUMBER, UNLIMITED, log_in

OWN = "own@example.com"
TAKEN = "taken@example.com"
FREE = "free@example.com"
LINKS = {
    "PIGGY_VERIFY_PROVIDER": "tests.attributes.LinkProver",
    "PIGGY_VERIFY_USER_ACCESS": "tests.attributes.access_of_ann",
}


def every_connect_page(visitor, sandbox):
    """Yield one response after the other, in the language of `visitor`."""
    for address in (OWN, TAKEN, FREE):
        sandbox.add_contact(address)
    browser = Client(**visitor.defaults)
    # Without a password, a contact is the only way in.
    user = get_user_model().objects.create_user("shopper")
    browser.force_login(user, "django.contrib.auth.backends.ModelBackend")
    with override_settings(
        PIGGY_VERIFY_CONNECT=True, PIGGY_VERIFY_RATE_LIMITS=UNLIMITED
    ):
        yield from _pages_for_codes(browser, sandbox)
        yield from _pages_for_links(browser)
        yield from _pages_for_numbers(browser)
        yield from _conflicts(browser, sandbox)
        user.is_staff = True
        user.save()
        yield browser.get(CONNECT)


def _pages_for_codes(browser, sandbox):
    for why in ("1", "lost", "none"):
        yield browser.get(f"{CONNECT}?expired={why}")
    yield ask(browser, "nobody")
    sandbox.switches.fault = Fault.MAINTENANCE
    ask(browser, OWN)
    yield browser.get(CODE)
    sandbox.switches.fault = None
    ask(browser, OWN)
    yield browser.get(CODE)
    sandbox.switches.fault = Fault.OUTAGE
    yield type_code(browser, "123456")
    sandbox.switches.fault = None
    with override_settings(PIGGY_VERIFY_RATE_LIMITS={"check_ip": "1/2m"}):
        type_code(browser, "wrong")
        yield type_code(browser, "wrong")


def _pages_for_links(browser):
    with override_settings(**LINKS):
        yield browser.get(CONNECT)
        ask(browser, OWN)
        yield browser.get(LINK)
        yield browser.post(LINK)
        with override_settings(PIGGY_VERIFY_RATE_LIMITS={"check_ip": "1/2m"}):
            yield browser.post(LINK)
        with override_settings(PIGGY_VERIFY_RATE_LIMITS={"check_login": 1}):
            yield browser.post(LINK)
        with override_settings(PIGGY_VERIFY_RATE_LIMITS={"send_ip": "1/1h"}):
            yield ask(browser, FREE)
        with override_settings(PIGGY_VERIFY_USER_ACCESS="builtins.bool"):
            yield ask(browser, OWN)


def _pages_for_numbers(browser):
    spent = ProviderUnavailable("no profile", spends_code=True)
    with consenting.used(check_error=spent):
        yield browser.get(f"{CONNECT}?by=phone")
        browser.post(CONNECT, {"phone": NUMBER, **consenting.CONSENTS})
        yield browser.get(CODE)
        yield type_code(browser, "123456")
    with consenting.used(knows_members=True):
        yield browser.get(f"{CONNECT}?by=phone")


def _conflicts(browser, sandbox):
    log_in(Client(), sandbox, TAKEN)
    connect(browser, sandbox, OWN)
    page = browser.get(CONNECT)
    yield page
    yield connect(browser, sandbox, TAKEN)
    yield connect(browser, sandbox, FREE)
    [contact] = page.context["contacts"]
    yield browser.post(DISCONNECT, {"contact": contact.pk})
