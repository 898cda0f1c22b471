"""The cases in which a call fails, or its answer cannot be used."""

from tests.conformance.case import Case, always
from tests.conformance.outcomes import Outcome
from tests.http import faults
from tests.http.faults import FAULTS, Fault
from tests.http.hostile import CODE, TOKEN, reply


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
            # The vendor works again when the visitor goes on.
            visit.vendor.at_accept.clear()
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
        is_once=not has_body,
        styles=("html", "json") if has_body else ("html",),
    )


def answer_case(call, answer, outcome, **more):
    status, content = answer
    fault = Fault(answer=reply(content, status), cause="")
    return Case(
        steps=failing(call, always(fault)),
        outcome=always(outcome),
        call=call,
        **more,
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
        is_once=True,
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
