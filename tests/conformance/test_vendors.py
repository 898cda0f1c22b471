"""Every provider is held to the same table of cases, over real HTTP."""

import pytest

from tests.conformance.adapters import ADAPTERS
from tests.conformance.cases import CASES
from tests.conformance.expectations import EXPECTATIONS
from tests.conformance.vendor import Vendor
from tests.conformance.visit import Visit
from tests.http.hostile import serving
from tests.secrecy import evidence as sinks
from tests.steps import is_logged_in, type_code
from tests.threads import at_once

EACH_CASE = [
    pytest.param(adapter, name, style, id=f"{adapter.name}-{name}-{style}")
    for adapter in ADAPTERS
    for name, case in CASES.items()
    if case.outcome(adapter)
    for style in case.styles
]


@pytest.fixture
def evidence(db, capsys):
    with sinks.watching(capsys) as gathered:
        yield gathered


@pytest.fixture
def vendor(adapter, settings):
    settings.SECRET_KEY = sinks.SECRET_KEY
    settings.PIGGY_VERIFY_PROVIDER = adapter.provider
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = adapter.options
    for name, value in adapter.settings.items():
        setattr(settings, name, value)
    with serving(settings, Vendor, adapter=adapter) as server:
        yield server


@pytest.fixture
def visit(evidence, vendor, settings, style):
    visit = Visit(evidence, vendor, settings, is_script=style == "json")
    with sinks.listening(visit.events, "django_piggy_verify"):
        yield visit


@pytest.fixture
def record(record_property, adapter):
    """Return a function that records a cell of the table."""

    def tell(case, outcome):
        record_property("vendor", adapter.name)
        record_property("case", case)
        record_property("outcome", outcome)

    return tell


@pytest.mark.parametrize(("adapter", "name", "style"), EACH_CASE)
def test_a_case_ends_as_promised(visit, adapter, name, style, record):
    case = CASES[name]
    outcome = case.outcome(adapter)
    record(name, outcome)

    case.steps(visit)

    assert visit.seen == EXPECTATIONS[outcome].seen(
        is_script=style == "json", is_received=case.is_received
    )
    assert ("Retry-After" in visit.response) == (visit.response.status_code == 503)
    if case.call:
        visit.call_directly(case.call)
    assert visit.vendor.lacking == set()
    assert visit.evidence.leaks == set()


@pytest.mark.parametrize("style", ["html"])
@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
@pytest.mark.django_db(transaction=True)
def test_a_code_logs_one_of_ten_threads_in(visit, vendor, record):
    record("ten threads with one code", "one logged in")
    browsers = [visit.new_browser() for _ in range(10)]
    for browser in browsers:
        visit.browser = browser
        visit.ask()
    visit.begin()

    def answer(browser):
        type_code(browser, vendor.code)
        return is_logged_in(browser)

    assert sum(at_once(answer, browsers)) == 1
    assert vendor.calls == ["check"]
    assert visit.evidence.leaks == set()
