"""The table of cases of a vendor."""

from dataclasses import replace

from tests.conformance.connecting import CONNECTING
from tests.conformance.failures import FAILURES, answer_case, second_call_cases
from tests.conformance.flows import FLOWS
from tests.conformance.outcomes import Outcome


def cases_of(adapter, pages):
    """Return the cases of a vendor on these pages by name."""
    cases = FLOWS | FAILURES
    if pages.is_connecting:
        cases |= CONNECTING
    if adapter.second_call:
        cases |= second_call_cases(adapter)
    if answer := adapter.second_factor:
        cases["second factor"] = answer_case("check", answer, Outcome.LOGIN_REFUSED)
    cases |= {
        f"check: {name}": _misshapen(body) for name, body in adapter.misshapen.items()
    }
    cases |= {name: answer_case(*each) for name, each in adapter.extra.items()}
    if pages is not adapter.pages[0]:
        cases = dict(_once_more(cases))
    return {name: case for name, case in cases.items() if case.outcome(adapter)}


def outcome_of(case, adapter, pages):
    """Return how a case ends on these pages."""
    outcome = case.outcome(adapter)
    return pages.outcomes.get(outcome, outcome)


def _misshapen(body):
    return answer_case(
        "check", (200, body), Outcome.CHECK_UNAVAILABLE, is_once=True, styles=("html",)
    )


def _once_more(cases):
    """Yield the cases that are played on other pages too.

    Failed calls are played in HTML. In JSON, the same views choose among the errors
    that the cases of the first pages have shown.
    """
    for name, case in cases.items():
        if not case.is_once:
            yield name, replace(case, styles=("html",)) if case.call else case
