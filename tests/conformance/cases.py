"""The table of cases: the steps of each case, and its outcome for a vendor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.conformance.adapters import Adapter, Outcome
from tests.conformance.visit import Visit
from tests.http import faults
from tests.http.faults import FAULTS, Fault
from tests.http.hostile import CODE, TOKEN, reply


@dataclass(frozen=True, kw_only=True)
class Case:
    """A visit, and how it must end."""

    steps: Callable[[Visit], None]
    """The actions of the visitor and of the vendor."""

    outcome: Callable[[Adapter], Outcome | None]
    """How the visit ends with a vendor. None if the vendor has no such case."""

    call: str = ""
    """The call that fails: "send", "check", the second call, or a blank text."""

    is_received: bool = True
    """Whether the vendor can read the request."""

    styles: Sequence[str] = ("html", "json")
    """Whether the visitor has a browser or a script, or plays the case in both ways.

    A script sees the same for every way in which a call fails. So HTML is enough there.
    """


def right(visit, recipient=""):
    visit.ask(recipient)
    visit.begin()
    visit.type(visit.vendor.code)


def wrong(visit):
    visit.ask()
    visit.begin()
    visit.type(visit.vendor.wrong_code)


def blank(visit):
    visit.ask()
    visit.begin()
    visit.type(" ")


def used_elsewhere(visit):
    visit.ask()
    visit.vendor.void(visit.vendor.adapter.used)
    visit.begin()
    visit.type(visit.vendor.code)


def expired(visit):
    visit.ask()
    visit.vendor.void(visit.vendor.adapter.expired)
    visit.begin()
    visit.type(visit.vendor.code)


def resend(visit):
    visit.settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "2/60s"}
    visit.ask()
    visit.browser.post("/login/code/resend/")


def older_after_a_resend(visit):
    resend(visit)
    visit.begin()
    visit.type(visit.vendor.codes[0])


def newer_after_a_resend(visit):
    resend(visit)
    visit.begin()
    visit.type(visit.vendor.code)


def right_again(visit):
    """Type the code in another browser after it was right."""
    right(visit)
    visit.browser = visit.new_browser()
    visit.ask()
    visit.begin()
    visit.type(visit.vendor.codes[0])


def double_click(visit):
    """Send the same request twice, with the same cookies."""
    visit.ask()
    cookies = {name: each.value for name, each in visit.browser.cookies.items()}
    visit.type(visit.vendor.code)
    visit.browser = visit.new_browser()
    visit.browser.cookies.load(cookies)
    visit.begin()
    visit.type(visit.vendor.code)


def other_tab(visit):
    """Type the code in a tab, although another tab has begun a newer login."""
    visit.ask()
    tab, code = visit.tab, visit.vendor.code
    visit.ask(visit.people.bob)
    visit.begin()
    visit.type(code, **tab)


def other_browser(visit):
    """Ask in another browser within the cooldown, and type the first code there."""
    visit.ask()
    visit.browser = visit.new_browser()
    visit.ask()
    visit.begin()
    visit.type(visit.vendor.codes[0])


def stranger(visit):
    visit.begin()
    visit.ask(visit.people.stranger)
    visit.look()


def code_of_a_stranger(visit):
    visit.ask(visit.people.stranger)
    visit.begin()
    visit.type(visit.vendor.wrong_code)


def sent(visit):
    visit.begin()
    visit.ask()
    visit.look()


def without_consent(visit):
    visit.begin()
    visit.post_first_page(consents=visit.adapter.consents[1:])


def second_call_fails_once(visit):
    """Break off the first of the calls that say who the person is."""
    name = visit.adapter.second_call
    good = visit.vendor.answers[name]

    def fail_once(peer):
        visit.vendor.answers[name] = good
        peer.reset()

    visit.vendor.answers[name] = fail_once
    right(visit)


def always(outcome):
    return lambda _: outcome


def if_strangers(outcome):
    return lambda adapter: outcome if adapter.stranger else None


FLOWS = {
    "sent": Case(steps=sent, outcome=always(Outcome.SENT)),
    "right code": Case(steps=right, outcome=always(Outcome.LOGGED_IN)),
    "wrong code": Case(steps=wrong, outcome=always(Outcome.REJECTED)),
    "used code": Case(steps=used_elsewhere, outcome=always(Outcome.REJECTED)),
    "expired code": Case(steps=expired, outcome=always(Outcome.REJECTED)),
    "older code after a resend": Case(
        steps=older_after_a_resend, outcome=always(Outcome.REJECTED)
    ),
    "newer code after a resend": Case(
        steps=newer_after_a_resend, outcome=always(Outcome.LOGGED_IN)
    ),
    "blank code": Case(steps=blank, outcome=always(Outcome.BLANK)),
    "right code again": Case(steps=right_again, outcome=always(Outcome.REJECTED_HERE)),
    "double click": Case(steps=double_click, outcome=always(Outcome.REPEATED)),
    "other tab": Case(steps=other_tab, outcome=always(Outcome.LOGGED_IN)),
    "other browser": Case(steps=other_browser, outcome=always(Outcome.LOGGED_IN)),
    "consent not given": Case(
        steps=without_consent,
        outcome=lambda a: Outcome.CONSENT_REQUIRED if a.consents else None,
    ),
    "person: connection reset once": Case(
        steps=second_call_fails_once,
        outcome=lambda a: Outcome.LOGGED_IN if a.second_call else None,
    ),
    "stranger": Case(steps=stranger, outcome=if_strangers(Outcome.STRANGER)),
    "code of a stranger": Case(
        steps=code_of_a_stranger, outcome=if_strangers(Outcome.REJECTED)
    ),
}


def failing(call, make_fault):
    """Return the steps of a visitor while a call fails."""

    def steps(visit):
        if call != "send":
            visit.ask()
        visit.begin()
        fault = make_fault(visit.vendor)
        faults.begin(visit.vendor, visit.settings, call, fault)
        if call == "send":
            visit.ask()
            visit.look()
        else:
            visit.type(visit.vendor.code)

    return steps


STATUSES = (400, 401, 403, 404, 409, 410, 412, 422, 429, 500, 502, 503, 504)


def status_case(call, status, *, has_body):
    def make_fault(vendor):
        body = vendor.adapter.error_body if has_body else b""
        return Fault(answer=reply(body, status), cause="")

    def outcome(adapter):
        if call == "send":
            return adapter.send_outcome(status, has_body=has_body)
        return adapter.check_outcome(status, has_body=has_body)

    return Case(
        steps=failing(call, make_fault),
        outcome=outcome,
        call=call,
        styles=("html", "json") if has_body else ("html",),
    )


def answer_case(call, answer, outcome, styles=("html", "json")):
    status, content = answer
    fault = Fault(answer=reply(content, status), cause="")
    return Case(
        steps=failing(call, always(fault)),
        outcome=always(outcome),
        call=call,
        styles=styles,
    )


BODIES = {"with JSON": True, "without": False}
ERRORS = {
    f"{call}: {status} {name}": status_case(call, status, has_body=has_body)
    for call in ("send", "check")
    for status in STATUSES
    for name, has_body in BODIES.items()
}


def elsewhere(peer):
    """Redirect to another host, which is the same server."""
    target = f"http://localhost:{peer.server.port}/elsewhere"
    reply(b"", 307, Location=target)(peer)


WIRE = {
    "HTML": FAULTS["html"],
    "empty": FAULTS["empty"],
    "null": FAULTS["null"],
    "list": Fault(answer=reply([{"data": {"code": CODE}}, TOKEN]), cause=""),
    "number": FAULTS["number"],
    "truncated": FAULTS["truncated"],
    "50 MB": FAULTS["50-mb"],
    "gzip bomb": FAULTS["gzip-bomb"],
    "byte by byte": FAULTS["slow-body"],
    "redirect to another host": Fault(answer=elsewhere, cause=""),
    "reset before the request": FAULTS["reset-unread"],
    "reset after the request": FAULTS["reset"],
    "no connection": FAULTS["refused"],
}


def wire_case(call, fault):
    if call == "check":
        outcome = Outcome.CHECK_UNAVAILABLE
    else:
        outcome = Outcome.SEND_UNAVAILABLE if fault.is_open else Outcome.LOOKS_SENT
    return Case(
        steps=failing(call, always(fault)),
        outcome=always(outcome),
        call=call,
        is_received=fault.answer is not None,
        styles=("html",),
    )


FAILURES = ERRORS | {
    f"{call}: {name}": wire_case(call, fault)
    for call in ("send", "check")
    for name, fault in WIRE.items()
}


def second_call_cases(adapter):
    """Return the cases in which a code was right, but nobody knows whose."""
    answers = {
        f"{status} {name}": (status, adapter.error_body if has_body else b"")
        for status in (401, 404, 429, 500)
        for name, has_body in BODIES.items()
    }
    answers |= {name: (200, body) for name, body in adapter.nobody.items()}
    return {
        f"person: {name}": answer_case(adapter.second_call, answer, Outcome.CODE_SPENT)
        for name, answer in answers.items()
    }


def cases_of(adapter):
    """Return the cases of a vendor by name."""
    cases = FLOWS | FAILURES
    if adapter.second_call:
        cases |= second_call_cases(adapter)
    if answer := adapter.second_factor:
        cases["second factor"] = answer_case("check", answer, Outcome.LOGIN_REFUSED)
    cases |= {
        f"check: {name}": answer_case(
            "check", (200, body), Outcome.CHECK_UNAVAILABLE, ("html",)
        )
        for name, body in adapter.misshapen.items()
    }
    cases |= {name: answer_case(*each) for name, each in adapter.extra.items()}
    return {name: case for name, case in cases.items() if case.outcome(adapter)}
