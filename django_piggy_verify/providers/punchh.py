"""
The provider for PAR Punchh, with the vendor's paths, fields and words for errors.

Source: Advanced Authentication and Mobile APIs, PAR Punchh.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from time import monotonic
from typing import Any, Final

from django_piggy_verify import exceptions, phones
from django_piggy_verify.conf import conf
from django_piggy_verify.http.client import Answer
from django_piggy_verify.providers import answers, base, calls, hashes, options
from django_piggy_verify.providers.base import Challenge, Proof, TokenSet, Visitor
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import Channel, Traits

_CONSENTS: Final = {"terms": "terms and conditions", "privacy": "privacy policy"}
_ASKS: Final = "agree on given"
_REFUSALS: Final = ("unknown_client", "invalid_signature", "missing_required_param")
_NO_RECIPIENT: Final = {"invalid_email_format", "invalid_phone_format"}
# No word for a wrong code is documented. So each word but ours is one, and counts.
_VERDICTS: Final = frozenset(range(400, 500)) - {429}
_NO_REFRESH: Final = frozenset({400, 401, 403, 422})
_failure = partial(answers.failure_of, refusals=_REFUSALS)
_rejection = partial(answers.rejection_of, refusals=_REFUSALS, verdicts=_VERDICTS)
_HEADERS: Final = ("punchh-app-device-id", "client-type", "x-pch-digest")
_MAX: Final = 10**base.LONGEST_UID
_SETTINGS: Final = ("CLIENT_ID", "CLIENT_SECRET", "BASE_URL")
_OPTIONS: Final = {
    "name": options.name("punchh"),
    "client_type": options.header_value("online_ordering"),
    "user_agent": options.header_value("Punchh/OnlineOrder/1.0/Web/Server/Python"),
    "client_ip_header": options.header_name("x_true_client_ip", taken=_HEADERS),
    "challenge_field": options.text("code_challenge"),
    "method_field": options.text("validation_method"),
    "method": options.text("otp"),
    "send_path": options.path("api2/password_less/token"),
    "verify_path": options.path("api2/password_less/verify"),
    "refresh_path": options.path("api2/password_less/refresh_token"),
    "profile_path": options.path("api2/mobile/users/profile"),
}


class PunchhProvider:
    """
    Calls Advanced Authentication of Punchh, with codes by e-mail and text message.

    The defaults of `challenge_field` and `method_field` are guesses. The header
    `client_ip_header` has the visitor's IP address. With None, it is not sent.
    """

    refusal_hint = "Look at the client id, the client secret and the URL from Punchh."
    send_condition = "Punchh sends codes for this client"

    def __init__(self, /, **given: Any) -> None:
        self._options = options.Options(_OPTIONS, given, settings=_SETTINGS)
        self.name = self._options.name
        self.traits = Traits(
            channels=frozenset({Channel.EMAIL, Channel.SMS}),
            knows_members=False,
            issues_tokens=True,
            consents=tuple(_CONSENTS),
            wants_device=True,
            wants_client_address=self._options["client_ip_header"] is not None,
        )

    def problems(self) -> Iterator[base.Problem]:
        """Return what is wrong with the settings and the options."""
        return self._options.problems()

    def new_state(self, challenge: Challenge) -> Mapping[str, Secret]:
        """Return a new code verifier."""
        return {"verifier": hashes.new_verifier()}

    def send_code(self, challenge: Challenge) -> Challenge:
        """Have a code sent. Source: Send OTP, POST api2/password_less/token."""
        verifier, given = challenge.state["verifier"], self._options.require()
        further = {
            given["method_field"]: given["method"],
            given["challenge_field"]: hashes.challenge_of(verifier),
        }
        answer = self._post("send", {**_person(challenge), **further}, challenge)
        if answers.data_of(answer) is not None:
            return challenge
        if _NO_RECIPIENT & answers.errors_of(answer):
            raise exceptions.RecipientRefused
        if "deactivated_user" in answers.errors_of(answer):
            raise exceptions.ContactUnknown
        raise _missing_consent(answer) or _failure(answer)

    def check_code(self, challenge: Challenge, code: str) -> Proof:
        """
        Exchange a code for tokens, and the access token for the id of the person.

        If only the second call fails, the code is spent.

        Source: Verify Token, POST api2/password_less/verify.
        """
        deadline = monotonic() + conf.timeout
        further = {"token": code, "code_verifier": challenge.state["verifier"]}
        answer = self._post("verify", {**_person(challenge), **further}, challenge)
        tokens = answers.tokens_of(answer)
        if tokens is None:
            raise _missing_consent(answer) or _rejection(answer)
        fetch = partial(self._fetch_uid, challenge, tokens.access)
        try:
            uid = calls.repeated_once(fetch, deadline=deadline, when=calls.is_outage)
        except exceptions.ProviderError as error:
            error.spends_code = True
            raise
        identity = base.Identity.of(challenge.recipient, provider=self.name, uid=uid)
        return Proof(identity=identity, tokens=tokens)

    def refresh_auth_token(self, refresh: Secret) -> TokenSet:
        """Renew a token. Source: Refresh Token, Punchh API."""
        answer = self._post("refresh", {"refresh_token": refresh})
        if tokens := answers.tokens_of(answer):
            return tokens
        is_known = "unknown_client" not in answers.errors_of(answer)
        if answer.status in _NO_REFRESH and is_known and not answers.is_blocked(answer):
            raise exceptions.LoginRequired("the refresh token is refused")
        raise _failure(answer)

    def _fetch_uid(self, challenge: Challenge, bearer: Secret, timeout: float) -> str:
        """Return the id of the person. Source: Fetch User Information, Mobile API."""
        path, body = self._options["profile_path"], {"client": conf.client_id}
        digest = hashes.request_digest(Secret(conf.client_secret), f"/{path}", body)
        headers = self._headers("profile", challenge.visitor)
        headers["x-pch-digest"] = digest
        answer = calls.call_as(
            bearer, "GET", path, timeout=timeout, headers=headers, json=body
        )
        match calls.is_success(answer) and answer.body:
            case {"user": {"user_id": int(uid)}} if 0 < uid < _MAX and uid is not True:
                return str(uid)
        if "deactivated_user" in answers.errors_of(answer):
            raise exceptions.LoginRefused("the vendor has deactivated the person")
        raise _failure(answer)

    def _post(
        self, name: str, body: Mapping[str, object], challenge: Challenge | None = None
    ) -> Answer:
        path = self._options.require()[f"{name}_path"]
        headers = self._headers(name, challenge.visitor if challenge else None)
        body = {"client": conf.client_id, **body}
        return calls.call_as(None, "POST", path, headers=headers, json=body)

    def _headers(self, name: str, visitor: Visitor | None) -> dict[str, str | None]:
        given, visitor = self._options, visitor or Visitor()
        found = {given["client_ip_header"]: visitor.address}
        if name in {"send", "verify"}:
            found["punchh-app-device-id"] = visitor.device
        if name == "verify":
            found["client-type"] = given["client_type"]
        found = {each: value for each, value in found.items() if each and value}
        return {"Accept-Encoding": None, "User-Agent": given["user_agent"], **found}


def _person(challenge: Challenge) -> Mapping[str, object]:
    consents = {
        "terms_and_conditions": "terms" in challenge.consents,
        "privacy_policy": "privacy" in challenge.consents,
    }
    if challenge.channel is Channel.EMAIL:
        return {"email": challenge.recipient, **consents}
    code, number = phones.parts_of(challenge.recipient)
    return {"phone_ext": f"+{code}", "phone_number": number, **consents}


def _missing_consent(answer: Answer) -> exceptions.ConsentMissing | None:
    """Find the kinds in "Please agree on given privacy policy", and the like."""
    texts = answers.errors_of(answer)
    asked = Secret(" ".join(each for each in texts if _ASKS in each.lower()).lower())
    kinds = {kind for kind, name in _CONSENTS.items() if name in asked}
    return exceptions.ConsentMissing(kinds) if asked else None
