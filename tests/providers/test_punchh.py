import json
import re
from hashlib import sha256
from time import monotonic, sleep
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import authenticate
from django.core.checks import run_checks
from django.test import Client
from hypothesis import (
    HealthCheck,
    example,
    given,
    settings as hypothesis_settings,
    strategies as st,
)

from django_piggy_verify.exceptions import (
    CodeRejected,
    ConsentMissing,
    ContactUnknown,
    LoginRefused,
    LoginRequired,
    PiggyVerifyError,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    RecipientRefused,
)
from django_piggy_verify.http import connections
from django_piggy_verify.login import verification
from django_piggy_verify.models import Contact
from django_piggy_verify.providers import base_url, get_provider, hashes
from django_piggy_verify.providers.base import (
    Challenge,
    Proof,
    Stateful,
    TokenRefresher,
    TokenSet,
    Visitor,
)
from django_piggy_verify.providers.call_log import logged_call
from django_piggy_verify.providers.punchh import PunchhProvider
from django_piggy_verify.sandbox.vendors.punchh import SETTINGS as SANDBOX
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import Channel, traits_of
from tests.http.faults import in_turn
from tests.http.hostile import (
    CLIENT_SECRET,
    CODE,
    KEY,
    SECRETS,
    TOKEN,
    Hostile,
    answers,
    debug_page,
    reply,
    secrets_in,
    serving,
)
from tests.steps import ADDRESS, NUMBER, ask_for_code, type_code

PATH = "django_piggy_verify.providers.punchh.PunchhProvider"
CLIENT = "shop-client"
DEVICE = "0123456789abcdef0123456789abcdef"
VISITOR = Visitor(address="203.0.113.9", device=DEVICE)
AGENT = "Punchh/OnlineOrder/1.0/Web/Server/Python"
HEADERS = {
    "accept": "application/json",
    "content-type": "application/json",
    "user-agent": AGENT,
}
REFRESH = "marked-refresh-token"
VERIFIER = "marked-verifier-dBjftJeZ4CVP-mB92K27uhbUJU1"
UID = 4711
PROFILE = {"user": {"user_id": UID, "email": "else@example.com"}}
# printf '%s' '/api2/mobile/users/profile{"client":"shop-client"}' |
#     openssl dgst -sha256 -hmac marked-client-secret
DIGEST = "2ce6d62c5ead98367ccd6ff8d36c16951f05e26cd6eaabc0a190bf2515cc2cb4"

thorough = hypothesis_settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Server(Hostile):
    """Plays the vendor. An answer that is a list is used up from its beginning."""

    base_path = ""
    flow = ("send", "verify", "profile")

    def __init__(self, **options):
        super().__init__(**options)
        self.answers = {
            "send": reply({"data": {"message": ["OTP sent successfully."]}}),
            "verify": reply(tokens()),
            "profile": reply(PROFILE),
            "refresh": reply(tokens()),
        }

    def name_of(self, method, target):
        last = urlsplit(target).path.rpartition("/")[2]
        return {"token": "send", "refresh_token": "refresh"}.get(last, last)

    def answer(self, call, *contents, status=200):
        """Answer each call with the next content. Repeat the last content."""
        replies = [each if callable(each) else reply(each, status) for each in contents]

        def answer(peer):
            act = replies.pop(0) if replies[1:] else replies[0]
            act(peer)

        self.answers[call] = answer


def tokens(**changes):
    data = {
        "access_token": TOKEN,
        "token_type": "Bearer",
        "refresh_token": REFRESH,
        "expires_in": 1800,
        **changes,
    }
    return {"data": {name: each for name, each in data.items() if each is not ABSENT}}


ABSENT = object()


@pytest.fixture
def upstream(settings):
    settings.PIGGY_VERIFY_PROVIDER = PATH
    settings.PIGGY_VERIFY_CLIENT_ID = CLIENT
    settings.PIGGY_VERIFY_CLIENT_SECRET = CLIENT_SECRET
    with serving(settings, Server) as server:
        server.keeps_alive = True
        yield server


def challenge(recipient=ADDRESS, visitor=VISITOR, consents=("terms", "privacy")):
    return Challenge(
        recipient=recipient,
        visitor=visitor,
        consents=frozenset(consents),
        state={"verifier": Secret(VERIFIER)},
    )


def send(to=None, **options):
    return PunchhProvider(**options).send_code(to or challenge())


def check(to=None, **options):
    return PunchhProvider(**options).check_code(to or challenge(), Secret(CODE))


def refresh(**options):
    return PunchhProvider(**options).refresh_auth_token(Secret(REFRESH))


EACH_VERB = pytest.mark.parametrize("function", [send, check, refresh])


def error_of(function, *args, **kwargs):
    with pytest.raises(PiggyVerifyError) as caught:
        function(*args, **kwargs)
    return caught.value


def error(word, text="Oeps"):
    return {"errors": {word: [text]}}


def headers_of(request):
    """Return the headers, without the two of HTTP itself."""
    headers = dict(request.headers)
    assert headers.pop("host").startswith("127.0.0.1:")
    assert headers.pop("content-length") == str(len(request.body))
    return headers


# What is sent.


def test_a_send_has_these_fields_and_headers_and_no_more(upstream):
    assert send() == challenge()

    [request] = upstream.requests
    assert (request.method, request.target) == ("POST", "/api2/password_less/token")
    assert json.loads(request.body) == {
        "client": CLIENT,
        "email": ADDRESS,
        "terms_and_conditions": True,
        "privacy_policy": True,
        "validation_method": "otp",
        "code_challenge": hashes.challenge_of(Secret(VERIFIER)),
    }
    device = {"punchh-app-device-id": DEVICE, "x_true_client_ip": "203.0.113.9"}
    assert headers_of(request) == HEADERS | device


def test_a_check_has_these_fields_and_headers_and_no_more(upstream):
    check()

    request = upstream.requests[0]
    assert (request.method, request.target) == ("POST", "/api2/password_less/verify")
    assert json.loads(request.body) == {
        "client": CLIENT,
        "email": ADDRESS,
        "terms_and_conditions": True,
        "privacy_policy": True,
        "token": CODE,
        "code_verifier": VERIFIER,
    }
    visitor = {"punchh-app-device-id": DEVICE, "x_true_client_ip": "203.0.113.9"}
    assert headers_of(request) == (
        HEADERS | visitor | {"client-type": "online_ordering"}
    )


def test_the_profile_is_a_get_with_a_body_and_its_digest(upstream):
    check()

    request = upstream.requests[1]
    assert (request.method, request.target) == ("GET", "/api2/mobile/users/profile")
    assert request.body == b'{"client":"shop-client"}'
    assert headers_of(request) == HEADERS | {
        "authorization": f"Bearer {TOKEN}",
        "x-pch-digest": DIGEST,
        "x_true_client_ip": "203.0.113.9",
    }


def test_a_refresh_has_two_fields_and_three_headers(upstream):
    refresh()

    [request] = upstream.requests
    path = "/api2/password_less/refresh_token"
    assert (request.method, request.target) == ("POST", path)
    assert json.loads(request.body) == {"client": CLIENT, "refresh_token": REFRESH}
    assert headers_of(request) == HEADERS


def test_a_connection_is_used_again_after_a_get_with_a_body(upstream):
    for _ in range(2):
        check()

    assert upstream.names == ["verify", "profile"] * 2
    assert upstream.connections == 1


NUMBERS = {
    "+31612345678": ("+31", "612345678"),
    "+12125554626": ("+1", "2125554626"),
    "+390612345678": ("+39", "0612345678"),
    "+447911123456": ("+44", "7911123456"),
}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_is_sent_in_two_parts_both_times(upstream, number):
    send(challenge(number))
    check(challenge(number))

    for request in upstream.requests[:2]:
        body = json.loads(request.body)
        assert (body["phone_ext"], body["phone_number"]) == NUMBERS[number]
        assert "email" not in body


@pytest.mark.parametrize("kinds", [(), ("terms",), ("privacy",), ("terms", "privacy")])
def test_only_given_consents_are_true_both_times(upstream, kinds):
    send(challenge(consents=kinds))
    check(challenge(consents=kinds))

    for request in upstream.requests[:2]:
        body = json.loads(request.body)
        assert body["terms_and_conditions"] is ("terms" in kinds)
        assert body["privacy_policy"] is ("privacy" in kinds)


VISITORS: dict[str, tuple[Visitor | None, set[str]]] = {
    "none": (None, set()),
    "unknown": (Visitor(), set()),
    "no address": (Visitor(device=DEVICE), {"punchh-app-device-id"}),
    "no device": (Visitor(address="2001:db8::7"), {"x_true_client_ip"}),
}


@pytest.mark.parametrize(("visitor", "names"), VISITORS.values(), ids=VISITORS)
def test_there_is_no_header_about_an_unknown_visitor(upstream, visitor, names):
    send(challenge(visitor=visitor))

    assert headers_of(upstream.requests[0]).keys() == HEADERS.keys() | names


def test_without_the_option_no_client_address_is_told(upstream):
    check(client_ip_header=None)

    assert not any("x_true_client_ip" in each.headers for each in upstream.requests)


def test_the_options_replace_the_names_that_are_guesses(upstream):
    fields = {"challenge_field": "challenge", "method_field": "way", "method": "sms"}
    paths = {"send_path": "v3/token", "profile_path": "v3/profile"}
    names = {"client_type": "app", "user_agent": "Shop/1", "client_ip_header": "x-ip"}

    send(**fields, **paths, **names)
    check(**fields, **paths, **names)

    sent, checked, profile = upstream.requests
    body = json.loads(sent.body)
    assert (sent.target, profile.target) == ("/v3/token", "/v3/profile")
    assert body["challenge"] == hashes.challenge_of(Secret(VERIFIER))
    assert (body["way"], "code_challenge" in body) == ("sms", False)
    assert checked.headers["client-type"] == "app"
    for request in upstream.requests:
        assert request.headers["x-ip"] == VISITOR.address
        assert request.headers["user-agent"] == "Shop/1"


def test_the_digest_is_over_the_path_of_the_option(upstream):
    check(profile_path="v3/profile")

    # printf '%s' '/v3/profile{"client":"shop-client"}' |
    #     openssl dgst -sha256 -hmac marked-client-secret
    assert upstream.requests[1].headers["x-pch-digest"] == (
        "bb542cdfb12eb127ba14eea274782b5d904a79e006edc073598e584c7d9017e8"
    )


@EACH_VERB
def test_our_own_key_is_never_sent(upstream, function):
    function()

    for request in upstream.requests:
        assert KEY not in f"{request}"
        assert CLIENT_SECRET not in f"{request}"


def test_a_code_challenge_is_the_one_of_the_rfc():
    # RFC 7636 appendix B.
    verifier = Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")

    found = hashes.challenge_of(verifier)

    assert found == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_each_send_has_a_verifier_of_its_own():
    provider = PunchhProvider()

    made = [provider.new_state(challenge())["verifier"] for _ in range(50)]

    assert len(set(made)) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", each) for each in made)
    assert all(isinstance(each, Secret) for each in made)


# Who the person is.


@pytest.mark.parametrize(
    ("recipient", "email", "phone"), [(ADDRESS, ADDRESS, ""), (NUMBER, "", NUMBER)]
)
def test_a_right_code_proves_the_id_of_the_profile(upstream, recipient, email, phone):
    proof = check(challenge(recipient), name="shop")

    identity = proof.identity
    assert (identity.provider, identity.uid) == ("shop", str(UID))
    assert (identity.email, identity.phone) == (email, phone)
    assert proof.tokens == TokenSet(
        access=Secret(TOKEN), expires_in=1800, refresh=Secret(REFRESH)
    )


NO_IDS = {
    "none": {},
    "list": [PROFILE],
    "user list": {"user": [{"user_id": UID}]},
    "null": {"user": {"user_id": None}},
    "text": {"user": {"user_id": "4711"}},
    "true": {"user": {"user_id": True}},
    "zero": {"user": {"user_id": 0}},
    "negative": {"user": {"user_id": -4711}},
    "float": {"user": {"user_id": 4711.0}},
    "too long": {"user": {"user_id": 10**64}},
    "elsewhere": {"id": UID, "data": PROFILE},
}


@pytest.mark.parametrize("profile", NO_IDS.values(), ids=NO_IDS)
def test_a_profile_without_an_id_proves_nobody(upstream, profile):
    upstream.answer("profile", profile)

    raised = error_of(check)

    assert type(raised) is ProviderUnavailable
    assert raised.spends_code
    assert upstream.names == ["verify", "profile", "profile"]


def test_an_id_may_have_64_digits(upstream):
    upstream.answer("profile", {"user": {"user_id": 10**64 - 1}})

    assert check().identity.uid == "9" * 64


LIFETIMES = [0, -1, "1800", True, 10**30, 1.5, None, [1800]]


@pytest.mark.parametrize("lifetime", LIFETIMES, ids=repr)
@pytest.mark.parametrize("function", [lambda: check().tokens, refresh])
def test_the_lifetime_is_passed_on_as_it_is(upstream, function, lifetime):
    upstream.answer("verify", tokens(expires_in=lifetime))
    upstream.answer("refresh", tokens(expires_in=lifetime))

    found = function().expires_in

    assert found == lifetime
    assert isinstance(found, type(lifetime))


NO_TOKEN_IDS = ["absent", "null", "empty", "blank", "space", "letter", "nul"]
NO_TOKEN_IDS += ["number", "list", "too long"]
NO_TOKENS = [None, "", " ", "a b", "\u00e4", "\0", 12345, [TOKEN], "x" * 8193]


@pytest.mark.parametrize("value", [ABSENT, *NO_TOKENS], ids=NO_TOKEN_IDS)
def test_without_a_refresh_token_there_is_none(upstream, value):
    upstream.answer("verify", tokens(refresh_token=value, expires_in=ABSENT))
    upstream.answer("refresh", tokens(refresh_token=value))

    assert check().tokens == TokenSet(access=Secret(TOKEN))
    assert refresh().refresh is None


@pytest.mark.parametrize("value", [ABSENT, *NO_TOKENS], ids=NO_TOKEN_IDS)
@pytest.mark.parametrize("function", [check, refresh])
def test_without_an_access_token_the_answer_cannot_be_read(upstream, function, value):
    content = tokens(access_token=value, oauth_token=TOKEN)
    upstream.answer("verify", content)
    upstream.answer("refresh", content)

    raised = error_of(function)

    assert type(raised) is ProviderUnavailable
    assert str(raised).startswith("the answer cannot be read: ")
    assert len(upstream.requests) == 1


# Errors of a send and of a check.

OURS = {
    "unknown_client": 401,
    "invalid_signature": 412,
    "missing_required_param": 400,
}


@pytest.mark.parametrize("word", OURS)
@pytest.mark.parametrize("function", [send, check])
@pytest.mark.parametrize("status", [None, 200, 422, 500])
def test_a_word_about_our_client_is_for_the_operator(upstream, word, function, status):
    upstream.answer("send", error(word), status=status or OURS[word])
    upstream.answer("verify", error(word), status=status or OURS[word])

    raised = error_of(function)

    assert type(raised) is ProviderRefused
    assert (raised.api_code, raised.may_depend_on_contact) == (word, False)
    assert not raised.spends_code


@pytest.mark.parametrize("word", ["invalid_email_format", "invalid_phone_format"])
def test_a_send_to_an_address_that_is_not_taken_says_so(upstream, word):
    upstream.answer("send", error(word), status=422)

    assert type(error_of(send)) is RecipientRefused


ASKS = {
    "terms": {"terms"},
    "Terms and Conditions": {"terms"},
    "privacy policy": {"privacy"},
    "terms and conditions, privacy policy": {"terms", "privacy"},
    "something new": set(),
}
SHAPES = {
    "documented": lambda text: {"errors": {"consent": [text]}},
    "text in errors": lambda text: {"errors": {"consent": text}},
    "list": lambda text: [text],
    "text": lambda text: text,
    "list in errors": lambda text: {"errors": [text]},
    "text as errors": lambda text: {"errors": text},
}


@pytest.mark.parametrize("function", [send, check])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("asked", list(ASKS)[1:])
def test_a_consent_that_the_vendor_misses_is_named(upstream, function, shape, asked):
    content = shape(f"Please agree on given {asked}.")
    upstream.answer("send", content, status=422)
    upstream.answer("verify", content, status=422)

    raised = error_of(function)

    assert type(raised) is ConsentMissing
    assert raised.kinds == ASKS[asked]


def test_two_texts_name_two_consents(upstream):
    texts = ["Please agree on given privacy policy"]
    more = ["Please agree on given terms and conditions", "Oeps"]
    upstream.answer("verify", {"errors": {"a": texts, "b": more}}, status=422)

    assert error_of(check).kinds == {"terms", "privacy"}


def test_a_text_about_terms_is_no_missing_consent(upstream):
    content = {"errors": {"token": ["See the terms and conditions"]}}
    upstream.answer("verify", content, status=422)

    assert type(error_of(check)) is CodeRejected


@pytest.mark.parametrize("status", [404, 500])
@pytest.mark.parametrize("function", [send, check, refresh])
def test_what_looks_like_a_success_in_an_error_is_none(upstream, function, status):
    for call in ("send", "verify", "refresh"):
        upstream.answer(call, tokens(), status=status)

    assert isinstance(error_of(function), (CodeRejected, ProviderUnavailable))


VERDICTS = [400, 401, 402, 403, 404, 405, 409, 410, 412, 422, 423]


@pytest.mark.parametrize("status", VERDICTS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_an_error_with_another_word_is_a_wrong_code(upstream, status, shape):
    upstream.answer("verify", shape(f"Wrong {CODE}"), status=status)

    assert type(error_of(check)) is CodeRejected
    assert upstream.names == ["verify"]


@pytest.mark.parametrize("content", [error("invalid_token"), ["Oeps"]], ids=repr)
def test_an_error_with_a_status_of_success_is_a_wrong_code(upstream, content):
    upstream.answer("verify", content)

    assert type(error_of(check)) is CodeRejected


@pytest.mark.parametrize("status", [*VERDICTS, 429, 500, 502, 503, 504])
def test_a_page_in_place_of_json_leaves_a_code_unchecked(upstream, status):
    upstream.answer("verify", b"<h1>Attention required!</h1>", status=status)

    raised = error_of(check)

    assert type(raised) is ProviderUnavailable
    assert not raised.spends_code


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_error_of_the_server_leaves_a_code_unchecked(upstream, status):
    upstream.answer("verify", error("oeps"), status=status)

    assert type(error_of(check)) is ProviderUnavailable


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("content", [error("oeps"), b"<h1>"], ids=["json", "html"])
def test_an_outage_of_a_send_does_not_depend_on_the_contact(upstream, status, content):
    upstream.answer("send", content, status=status)

    raised = error_of(send)

    assert type(raised) is ProviderUnavailable
    assert not raised.may_depend_on_contact
    assert raised.may_depend_on_visitor == (status == 429)


@pytest.mark.parametrize("function", [send, check])
def test_a_page_of_a_firewall_is_an_outage(upstream, function):
    upstream.answer("send", b"<h1>Sorry, you have been blocked</h1>", status=403)
    upstream.answer("verify", b"<h1>Sorry, you have been blocked</h1>", status=403)

    raised = error_of(function)

    assert type(raised) is ProviderUnavailable
    assert (raised.status, raised.may_depend_on_contact) == (403, False)
    assert raised.may_depend_on_visitor


def test_a_send_to_a_person_who_is_deactivated_is_hidden(upstream):
    """It would tell who is a member, and stop the sends to everybody."""
    upstream.answer("send", error("deactivated_user"), status=403)

    assert type(error_of(send)) is ContactUnknown


@pytest.mark.parametrize("content", [error("not_available"), "Oeps"], ids=repr)
def test_a_403_of_the_vendor_itself_at_a_send_is_for_the_operator(upstream, content):
    upstream.answer("send", content, status=403)

    raised = error_of(send)

    assert type(raised) is ProviderRefused
    assert (raised.status, raised.may_depend_on_contact) == (403, False)


LOOKS_SENT = {
    "500": (error("oeps"), 500),
    "404": (error("oeps"), 404),
    "422": (error("token"), 422),
    "html": (b"<h1>Welcome</h1>", 200),
    "no data": ({}, 200),
    "data list": ({"data": []}, 200),
    "data text": ({"data": "OTP sent"}, 200),
    "list": ([{"data": {}}], 200),
}


@pytest.mark.parametrize(("content", "status"), LOOKS_SENT.values(), ids=LOOKS_SENT)
def test_any_other_failure_of_a_send_may_depend_on_the_contact(
    upstream, content, status
):
    upstream.answer("send", content, status=status)

    raised = error_of(send)

    assert type(raised) is ProviderUnavailable
    assert raised.may_depend_on_contact


# Errors of the profile: the code is spent.

OUTAGES = {
    "500": reply(error("oeps"), 500),
    "503": reply(b"", 503),
    "page": reply(b"<h1>Welcome</h1>"),
    "lost": lambda peer: peer.reset(),
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_the_profile_is_fetched_again_once(upstream, outage):
    upstream.answer("profile", outage, PROFILE)

    assert check().identity.uid == str(UID)
    assert upstream.names == ["verify", "profile", "profile"]


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_after_two_failures_of_the_profile_the_code_is_spent(upstream, outage):
    upstream.answer("profile", outage)

    raised = error_of(check)

    assert type(raised) is ProviderUnavailable
    assert raised.spends_code
    assert upstream.names == ["verify", "profile", "profile"]


PROFILE_ERRORS = {
    "signature": (error("invalid_signature"), 412, ProviderRefused),
    "signature, 500": (error("invalid_signature"), 500, ProviderRefused),
    "client": (error("unknown_client"), 401, ProviderRefused),
    "forbidden": (error("oeps"), 403, ProviderRefused),
    "firewall": (b"<h1>", 403, ProviderUnavailable),
    "too many": (error("oeps"), 429, ProviderUnavailable),
    "token": (error("blacklisted_token"), 401, ProviderUnavailable),
    "not found": (error("oeps"), 404, ProviderUnavailable),
    "id in an error": (PROFILE, 404, ProviderUnavailable),
}


@pytest.mark.parametrize(
    ("content", "status", "kind"), PROFILE_ERRORS.values(), ids=PROFILE_ERRORS
)
def test_a_refused_profile_is_not_fetched_again(upstream, content, status, kind):
    upstream.answer("profile", content, status=status)

    raised = error_of(check)

    assert type(raised) is kind
    assert raised.spends_code
    assert upstream.names == ["verify", "profile"]


def test_a_deactivated_person_may_not_log_in(upstream):
    upstream.answer("profile", error("deactivated_user"), status=403)

    assert type(error_of(check)) is LoginRefused


def test_all_calls_of_a_check_share_one_deadline(upstream, settings):
    settings.PIGGY_VERIFY_TIMEOUT = 0.6
    late = in_turn(lambda _: sleep(0.25), reply({}, 500))
    upstream.answer("verify", in_turn(lambda _: sleep(0.25), reply(tokens())))
    upstream.answer("profile", late, lambda peer: peer.keep_silent())
    began = monotonic()

    raised = error_of(check)

    assert monotonic() - began < 0.8
    assert type(raised) is ProviderUnavailable
    assert raised.spends_code
    assert upstream.names == ["verify", "profile", "profile"]


def test_an_access_token_goes_to_the_configured_server_only(upstream):
    with Server() as elsewhere:
        moved = reply({}, 302, Location=f"{elsewhere.url}/profile")
        upstream.answer("profile", moved)

        raised = error_of(check)

        assert type(raised) is ProviderUnavailable
        assert elsewhere.connections == 0


# Refresh tokens.

REFRESHES = {
    "400": (error("invalid_token"), 400, LoginRequired),
    "401": (error("blacklisted_token"), 401, LoginRequired),
    "403": (error("deactivated_user"), 403, LoginRequired),
    "422": (error("oeps"), 422, LoginRequired),
    "401 without json": (b"", 401, LoginRequired),
    "consent": (error("a", "Please agree on given terms"), 422, LoginRequired),
    "client": (error("unknown_client"), 401, ProviderRefused),
    "signature": (error("invalid_signature"), 412, ProviderRefused),
    "firewall": (b"<h1>", 403, ProviderUnavailable),
    "404": (error("oeps"), 404, ProviderUnavailable),
    "429": (error("oeps"), 429, ProviderUnavailable),
    "500": (error("oeps"), 500, ProviderUnavailable),
    "unreadable": ({"data": []}, 200, ProviderUnavailable),
}


@pytest.mark.parametrize(
    ("content", "status", "kind"), REFRESHES.values(), ids=REFRESHES
)
def test_a_refresh_that_fails_is_never_repeated(upstream, content, status, kind):
    upstream.answer("refresh", content, status=status)

    assert type(error_of(refresh)) is kind
    assert upstream.names == ["refresh"]


def test_a_refresh_brings_both_tokens(upstream):
    upstream.answer("refresh", tokens(refresh_token="newer", expires_in=60))

    assert refresh() == TokenSet(
        access=Secret(TOKEN), expires_in=60, refresh=Secret("newer")
    )


# Settings.


def test_the_traits_are_those_of_the_vendor():
    traits = traits_of(PunchhProvider())

    assert traits.channels == {Channel.EMAIL, Channel.SMS}
    assert (traits.knows_members, traits.knows_people) == (False, True)
    assert (traits.issues_tokens, traits.wants_device) == (True, True)
    assert traits.consents == ("terms", "privacy")


@pytest.mark.parametrize(("name", "wants"), [("x-ip", True), (None, False)])
def test_the_client_address_is_wanted_only_for_its_header(name, wants):
    provider = PunchhProvider(client_ip_header=name)

    assert traits_of(provider).wants_client_address is wants


def test_the_provider_keeps_state_and_renews_tokens():
    provider = PunchhProvider()

    assert isinstance(provider, Stateful)
    assert isinstance(provider, TokenRefresher)


def told_by_the_checks(number):
    return [each for each in run_checks() if each.id == f"piggy_verify.{number}"]


def test_good_settings_are_no_problem_and_need_no_key(upstream, settings):
    del settings.PIGGY_VERIFY_API_KEY
    more = {"client_ip_header": None, "verify_path": "v/a.b/c~d", "name": "shop"}
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = more

    assert get_provider().name == "shop"
    assert told_by_the_checks("E001") == told_by_the_checks("E013") == []


SETTINGS = ["CLIENT_ID", "CLIENT_SECRET", "BASE_URL"]
MARK = "marked-option"
BLANKS: dict[str, object] = {
    "none": None,
    "blank": "",
    "spaces": "  ",
    "bytes": MARK.encode(),
    "list": [],
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("value", BLANKS.values(), ids=BLANKS)
def test_a_missing_setting_is_an_error_of_the_checks(
    upstream, settings, setting, value
):
    setattr(settings, f"PIGGY_VERIFY_{setting}", value)

    [found] = told_by_the_checks("E013")

    assert found.msg == f"PIGGY_VERIFY_{setting} is missing, or is no text."
    assert MARK not in f"{vars(found)}"


@EACH_VERB
@pytest.mark.parametrize("setting", SETTINGS)
def test_without_a_setting_nobody_is_called(upstream, settings, setting, function):
    setattr(settings, f"PIGGY_VERIFY_{setting}", None)

    raised = error_of(function)

    assert type(raised) is ProviderRefused
    assert str(raised) == f"PIGGY_VERIFY_{setting} is missing"
    assert not raised.may_depend_on_contact
    assert upstream.connections == 0


def test_there_is_no_default_url(settings):
    settings.PIGGY_VERIFY_PROVIDER = PATH

    assert base_url() == ""


@EACH_VERB
def test_nothing_is_sent_without_tls(upstream, settings, function):
    settings.DEBUG = False

    assert type(error_of(function)) is ProviderRefused
    assert upstream.connections == 0


BAD_OPTIONS = {
    "misspelt": {"clientType": MARK},
    "path with a slash": {"send_path": f"/{MARK}"},
    "path to a slash": {"verify_path": f"{MARK}/"},
    "path with two slashes": {"verify_path": f"a//{MARK}"},
    "path of dots": {"profile_path": f"a/../{MARK}"},
    "path with a query": {"refresh_path": f"{MARK}?a=b"},
    "path in two lines": {"refresh_path": f"{MARK}\n"},
    "path with a letter": {"send_path": f"{MARK}\u00e4"},
    "path none": {"send_path": None},
    "path list": {"send_path": [MARK]},
    "path blank": {"send_path": ""},
    "header with a space": {"client_ip_header": f"{MARK} a"},
    "header in two lines": {"client_ip_header": f"{MARK}\n"},
    "header blank": {"client_ip_header": ""},
    "header number": {"client_ip_header": 4711},
    "header false": {"client_ip_header": False},
    "header of ours": {"client_ip_header": "Authorization"},
    "header of HTTP": {"client_ip_header": "User-Agent"},
    "cookie": {"client_ip_header": "cookie"},
    "header of the vendor": {"client_ip_header": "Client-Type"},
    "agent none": {"user_agent": None},
    "agent with a letter": {"user_agent": f"{MARK}\u00e4"},
    "agent in two lines": {"user_agent": f"{MARK}\r\nX: y"},
    "agent with a space": {"user_agent": f"{MARK} "},
    "agent blank": {"user_agent": " "},
    "type list": {"client_type": [MARK]},
    "field list": {"challenge_field": [MARK]},
    "method none": {"method": None},
}
EACH_BAD_OPTION = pytest.mark.parametrize(
    "given_options", BAD_OPTIONS.values(), ids=BAD_OPTIONS
)


@EACH_BAD_OPTION
def test_a_check_names_an_option_but_not_its_value(upstream, settings, given_options):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = given_options

    [found] = told_by_the_checks("E013")

    [name] = given_options
    assert f"option '{name}'" in found.msg
    assert not re.search(f"{MARK}|4711", f"{vars(found)}")


@EACH_BAD_OPTION
@EACH_VERB
def test_with_a_bad_option_nobody_is_called(upstream, function, given_options):
    raised = error_of(function, **given_options)

    assert type(raised) is ProviderRefused
    assert not raised.may_depend_on_contact
    assert upstream.connections == 0


# Logs and secrets.


@pytest.mark.parametrize(
    "error", [RecipientRefused(), ConsentMissing(), LoginRequired()]
)
def test_an_answer_about_the_person_is_no_failure_in_the_log(caplog, error):
    caplog.set_level("DEBUG", "django_piggy_verify")
    with pytest.raises(type(error)), logged_call("send"):
        raise error

    [record] = caplog.records
    assert (record.event_name, record.levelname) == ("provider_answered", "DEBUG")


CHALLENGE = hashes.challenge_of(Secret(VERIFIER))
HASHED = repr(sha256(VERIFIER.encode()).digest())[2:20]
HIDDEN = [*SECRETS, REFRESH, VERIFIER, CHALLENGE, HASHED, DIGEST]
LEAKY = {
    "send": (send, "send", error("oeps", CODE), 500),
    "rejection": (check, "verify", error("oeps", f"{CODE} {TOKEN}"), 422),
    "consent": (check, "verify", error("a", f"Please agree on given {TOKEN}"), 422),
    "unreadable": (check, "verify", tokens(access_token=[TOKEN]), 200),
    "profile": (check, "profile", error("oeps", TOKEN), 500),
    "no id": (check, "profile", {"user": {"user_id": TOKEN}}, 200),
    "deactivated": (check, "profile", error("deactivated_user", TOKEN), 403),
    "refresh": (refresh, "refresh", error("oeps", REFRESH), 500),
    "refused": (refresh, "refresh", error("oeps", REFRESH), 401),
}


@pytest.mark.parametrize(
    ("function", "call", "content", "status"), LEAKY.values(), ids=LEAKY
)
def test_the_debug_page_of_a_failure_shows_no_secret(
    upstream, function, call, content, status
):
    upstream.answer(call, content, status=status)

    page = debug_page(function)

    assert "providers/punchh.py" in page
    assert [each for each in HIDDEN if each in page] == []


CRASHES = [
    *("calls.call_as", "calls.repeated_once", "calls.find_token", "calls.is_success"),
    *("hashes.challenge_of", "hashes.request_digest", "hashes.hmac.digest"),
    *("hashes.urlsafe_b64encode", "answers.errors_of", "answers.data_of"),
    *(
        "base.Identity.of",
        "punchh.Proof",
        "options.Options.require",
        "options._is_text",
    ),
    *("punchh._failure", "punchh.exceptions.ConsentMissing"),
]


@pytest.mark.parametrize("place", CRASHES)
def test_no_crash_shows_a_secret(upstream, monkeypatch, place):
    def crash(*args, **kwargs):
        raise ArithmeticError("broken on purpose")

    upstream.answer("send", error("a", f"Please agree on given {TOKEN}"), status=422)
    upstream.answer("refresh", error("oeps", TOKEN), status=500)
    monkeypatch.setattr(f"django_piggy_verify.providers.{place}", crash)
    pages = [debug_page(each) for each in (send, check, refresh) if crashes(each)]

    assert pages
    for page in pages:
        assert "broken on purpose" in page
        assert [each for each in HIDDEN if each in page] == []


@EACH_VERB
@pytest.mark.parametrize("name", ["putheader", "send", "getresponse"])
def test_a_worker_that_is_stopped_shows_no_secret(
    upstream, monkeypatch, function, name
):
    def stop(*_args, **_kwargs):
        raise SystemExit

    monkeypatch.setattr(connections._Punctual, name, stop)
    page = debug_page(function)

    assert "SystemExit" in page
    assert [each for each in HIDDEN if each in page] == []


def test_a_crash_at_a_digest_shows_neither_the_key_nor_the_body(monkeypatch):
    monkeypatch.setattr("django_piggy_verify.providers.hashes.hmac.digest", None)
    content = {"code": Secret(CODE)}

    page = debug_page(hashes.request_digest, Secret(KEY), "/", content)

    assert "request_digest" in page
    assert secrets_in(page) == []


def test_a_crash_at_the_client_secret_does_not_show_it(upstream, monkeypatch):
    def crash(value, *_):
        if value == CLIENT_SECRET:
            raise ArithmeticError("broken on purpose")
        return True

    monkeypatch.setattr("django_piggy_verify.providers.options._is_text", crash)
    page = debug_page(send)

    assert "broken on purpose" in page
    assert CLIENT_SECRET not in page


def crashes(function):
    try:
        function()
    except ArithmeticError:
        return True
    except PiggyVerifyError:
        return False
    return False


@pytest.mark.django_db
def test_the_pages_tell_the_browser_and_the_address_behind_our_proxy(
    upstream, settings
):
    settings.PIGGY_VERIFY_CONSENTS = SANDBOX["PIGGY_VERIFY_CONSENTS"]
    settings.PIGGY_VERIFY_TRUSTED_PROXY_COUNT = 1
    browser = Client(headers={"x-forwarded-for": "198.51.100.1, 203.0.113.9"})

    ask_for_code(browser, consent_terms="on", consent_privacy="on")
    type_code(browser, CODE)

    assert upstream.names == ["send", "verify", "profile"]
    addresses = [each.headers["x_true_client_ip"] for each in upstream.requests]
    assert addresses == ["203.0.113.9"] * 3
    sent, checked, _ = (each.headers for each in upstream.requests)
    assert sent["punchh-app-device-id"] == checked["punchh-app-device-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", sent["punchh-app-device-id"])


# A login over the sandbox, which has the rules of the vendor.


@pytest.fixture
def sandbox(sandbox_for, unlimited, db):
    return sandbox_for("punchh")


def ask(sandbox, recipient=ADDRESS):
    verification.send_code(recipient, consents=["terms", "privacy"])
    return sandbox.last_code(recipient)


@pytest.mark.parametrize("recipient", [ADDRESS, NUMBER])
def test_two_logins_in_the_same_way_are_one_person(sandbox, recipient):
    for _ in range(2):
        assert authenticate(recipient=recipient, secret_code=ask(sandbox, recipient))

    contact = Contact.objects.get()
    assert (contact.email or contact.phone) == recipient
    assert contact.uid.isdecimal()


def test_after_a_failed_profile_only_a_new_code_helps(sandbox):
    code, sandbox.switches.failing_profiles = ask(sandbox), 2

    raised = error_of(authenticate, recipient=ADDRESS, secret_code=code)

    assert isinstance(raised, ProviderUnavailable)
    assert raised.spends_code
    assert not authenticate(recipient=ADDRESS, secret_code=code)
    assert authenticate(recipient=ADDRESS, secret_code=ask(sandbox))


# Any answer.

NAMES = st.sampled_from(
    ["data", "errors", "user", "user_id", "access_token", "refresh_token", "expires_in"]
)
LEAVES = st.one_of(
    st.none() | st.booleans() | st.text(max_size=9),
    st.sampled_from([0, 1, 4711, -1, 1.5, 10**400, float("nan"), float("inf")]),
    st.sampled_from([*OURS, "invalid_phone_format", "Please agree on given terms"]),
    st.sampled_from([TOKEN, "", " ", "\ud800", "\0", "deactivated_user"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner),
    max_leaves=6,
)
CONTENTS = VALUES | st.fixed_dictionaries(
    {},
    optional={
        "data": st.fixed_dictionaries({"access_token": st.just(TOKEN) | VALUES}),
        "user": st.fixed_dictionaries({"user_id": st.integers(-2, 2) | VALUES}),
        "errors": VALUES,
    },
)


ALLOWED = {
    send: (RecipientRefused, ConsentMissing, ContactUnknown, ProviderError),
    check: (CodeRejected, ConsentMissing, LoginRefused, ProviderError),
    refresh: (LoginRequired, ProviderError),
}


@EACH_VERB
@thorough
@given(
    first=answers(CONTENTS.map(json.dumps)), second=answers(CONTENTS.map(json.dumps))
)
@example(
    first=(json.dumps(tokens()).encode(), 299, "text/html"),
    second=(json.dumps(PROFILE).encode("utf-16"), 201, ""),
)
@example(
    first=(b'{"errors":' + b"[" * 900 + b"]" * 900 + b"}", 422, ""),
    second=(b"", 200, ""),
)
def test_any_response_is_a_success_or_an_error_of_ours(
    upstream, function, first, second
):
    for call, (body, status, media_type) in {
        **dict.fromkeys(["send", "verify", "refresh"], first),
        "profile": second,
    }.items():
        upstream.answers[call] = reply(body, status, Content_Type=media_type)

    try:
        result = function()
    except ALLOWED[function]:
        return
    assert 200 <= first[1] < 300
    if isinstance(result, Proof):
        assert 200 <= second[1] < 300
        found = json.loads(second[0])["user"]["user_id"]
        assert found > 0
        assert result.identity.uid == str(found)
