"""Play Piggy: errors have a number, and no token comes with a right code."""

from tests.conformance.adapters import Adapter, Reply
from tests.conformance.outcomes import OVERLOADED, REFUSED, Outcome, each
from tests.http.hostile import CODE, TOKEN


def _error(number: int) -> Reply:
    return 400, {"message": f"Oeps {CODE}", "code": number}


_REFUSALS = (1053, 3000, 7002, 7011, 55032)
PIGGY = Adapter(
    name="piggy",
    provider="django_piggy_verify.providers.piggy.PiggyProvider",
    options={"name": "other-piggy"},
    send_path="contact-verification/send",
    check_path="contact-verification/verify",
    code_field="code",
    sent=lambda _: (200, {"data": {"type": "Success", "message": "Sent."}, "meta": []}),
    proved=lambda address: (200, {"data": {"uuid": address.partition("@")[0]}}),
    wrong=_error(13010),
    used=_error(13010),
    expired=_error(13010),
    stranger=_error(55031),
    misshapen={
        "no uuid": {"data": {}},
        **{
            f"uuid {name}": {"data": {"uuid": value}}
            for name, value in {
                "a number": 17,
                "blank": "",
                "too long": "a" * 65,
                "of dots": "..",
                "with a slash": "a/b",
            }.items()
        },
    },
    extra={
        f"{call}: error {number}": (call, _error(number), outcome)
        for call, outcome in REFUSED.items()
        for number in _REFUSALS
    },
    more={
        "contact-verification/auth-token": lambda _: (
            200,
            {"data": {"auth_token": TOKEN}},
        )
    },
    send_errors={**each(Outcome.SEND_REFUSED, 401, 403), **OVERLOADED},
    check_errors=each(Outcome.CHECK_REFUSED, 401, 403),
)
