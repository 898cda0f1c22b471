"""Every provider is held to the same table of cases, over real HTTP."""

import os
from datetime import timedelta

import pytest
from django.utils.module_loading import import_string

from django_piggy_verify.models import AuthToken, Contact
from django_piggy_verify.providers import get_provider
from django_piggy_verify.signals import step_up_recommended
from django_piggy_verify.tokens import get_auth_token
from tests.conformance.adapters import Adapter
from tests.conformance.cases import cases_of, outcome_of
from tests.conformance.expectations import expectation
from tests.conformance.flows import right
from tests.conformance.piggy import PIGGY
from tests.conformance.punchh import PUNCHH_BY_EMAIL, PUNCHH_BY_PHONE
from tests.conformance.transmit import (
    TRANSMIT_BY_EMAIL,
    TRANSMIT_BY_LINK,
    TRANSMIT_BY_PHONE,
)
from tests.conformance.vendor import Vendor
from tests.conformance.verifik import VERIFIK
from tests.conformance.visit import Visit
from tests.http.hostile import TOKEN, reply, serving
from tests.secrecy import evidence as sinks
from tests.threads import at_once

ADAPTERS: list[Adapter] = [
    *(PIGGY, VERIFIK, PUNCHH_BY_EMAIL, PUNCHH_BY_PHONE),
    *(TRANSMIT_BY_EMAIL, TRANSMIT_BY_PHONE, TRANSMIT_BY_LINK),
]
if _path := os.environ.get("CONFORMANCE_ADAPTER"):
    ADAPTERS.append(import_string(_path))

PAGES = [(adapter, pages) for adapter in ADAPTERS for pages in adapter.pages]
EACH_CASE = [
    pytest.param(
        *(adapter, pages, name, case, style),
        id=f"{adapter.name}-{pages.name}-{name}-{style}",
    )
    for adapter, pages in PAGES
    for name, case in cases_of(adapter, pages).items()
    for style in case.styles
]


def each_adapter(has_case):
    """Run a test in HTML for each adapter that has this case, on all its pages."""
    return pytest.mark.parametrize(
        ("adapter", "pages", "style"),
        [
            pytest.param(each, pages, "html", id=f"{each.name}-{pages.name}-html")
            for each, pages in PAGES
            if has_case(each)
        ],
    )


in_html = each_adapter(lambda _: True)


@pytest.fixture
def evidence(db, capsys, monkeypatch, adapter):
    for name, number in {"first code": 0, "wrong code": 999}.items():
        shapes = tuple(sinks.shapes(adapter.make_code(number)))
        monkeypatch.setitem(sinks.SHAPES, name, shapes)
    with sinks.watching(capsys) as gathered:
        yield gathered


@pytest.fixture
def vendor(adapter, settings):
    settings.SECRET_KEY = sinks.SECRET_KEY
    settings.PIGGY_VERIFY_PROVIDER = adapter.provider
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = adapter.options
    settings.PIGGY_VERIFY_CONNECT = True
    for name, value in adapter.settings.items():
        setattr(settings, name, value)
    with serving(settings, Vendor, adapter=adapter) as server:
        yield server


@pytest.fixture
def visit(evidence, vendor, settings, pages, style):
    visit = Visit(evidence, vendor, settings, pages, is_script=style == "json")
    with sinks.listening(visit.events, "django_piggy_verify"):
        yield visit


@pytest.fixture
def record(record_property, adapter, pages):
    """Return a function that records a cell of the table."""

    def tell(case, outcome):
        record_property("pages", pages.name)
        record_property("vendor", adapter.name)
        record_property("case", case)
        # pytest-xdist sends plain texts only.
        record_property("outcome", str(outcome))

    return tell


@pytest.mark.parametrize(("adapter", "pages", "name", "case", "style"), EACH_CASE)
def test_a_case_ends_as_promised(visit, adapter, pages, name, case, record):  # noqa: PLR0913, PLR0917  the axes of the table
    outcome = outcome_of(case, adapter, pages)
    record(name, outcome)

    case.steps(visit)

    assert visit.seen == expectation(outcome, pages).seen(
        adapter, pages, is_script=visit.is_script, is_received=case.is_received
    )
    assert ("Retry-After" in visit.response) == (visit.response.status_code == 503)
    if case.call:
        visit.call_directly(case.call)
    assert visit.vendor.lacking == set()
    assert visit.leaks == set()


@in_html
def test_a_right_code_stores_the_contact(visit, adapter, record):
    record("contact of a right code", "stored")

    right(visit)

    contact = Contact.objects.get()
    assert contact.provider == adapter.options.get("name", get_provider().name)
    assert 1 <= len(contact.uid) <= 64
    assert contact.email + contact.phone == adapter.people.ann


@in_html
def test_two_people_are_two_users(visit, record):
    record("two people", "two users")

    right(visit)
    visit.browser = visit.new_browser("other")
    right(visit, visit.people.bob)

    users = {each.email + each.phone: each.user_id for each in Contact.objects.all()}
    assert len({users[visit.people.ann], users[visit.people.bob]}) == 2


@in_html
def test_two_logins_of_a_person_are_one_contact(visit, record):
    record("two logins of a person", "one contact")
    visit.settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "2/60s"}

    right(visit)
    visit.browser = visit.new_browser()
    right(visit)

    assert visit.seen.person == "ann"
    assert Contact.objects.count() == 1


@each_adapter(lambda adapter: adapter.token_seconds)
def test_the_token_of_a_right_code_is_stored(visit, adapter, record):
    record("token of a right code", "stored")

    right(visit)

    stored = AuthToken.objects.get()
    lifetime = stored.expires_at - stored.fetched_at
    assert lifetime == timedelta(seconds=adapter.token_seconds)
    assert get_auth_token(stored.contact.user).startswith(TOKEN)


@each_adapter(lambda adapter: adapter.hint)
def test_a_hint_reaches_the_signal(visit, adapter, record):
    record("hint", "signal")
    word, (status, content) = adapter.hint
    visit.vendor.answers["check"] = reply(content, status)
    hints: list[str] = []

    with sinks.receiving(step_up_recommended, lambda hint, **_: hints.append(hint)):
        right(visit)

    assert hints == [word]
    assert visit.seen.person == "ann"


@each_adapter(lambda adapter: not adapter.is_by_link)
@pytest.mark.django_db(transaction=True)
def test_a_code_is_right_in_one_of_ten_threads(visit, vendor, pages, record):
    record("ten threads with one code", "one is right")
    browsers = [visit.new_browser() for _ in range(10)]
    for browser in browsers:
        visit.browser = browser
        visit.ask()
    visit.begin()

    def answer(browser):
        response = browser.post(pages.code, {"code": vendor.code})
        return response.get("Location") == pages.done

    assert sum(at_once(answer, browsers)) == 1
    assert vendor.calls == ["check"]
    assert visit.leaks == set()
