import dataclasses
import json
import re
from contextlib import closing
from datetime import timedelta
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
import time_machine
from django.core.checks import run_checks
from django.utils import timezone
from hypothesis import (
    HealthCheck,
    example,
    given,
    settings as hypothesis_settings,
    strategies as st,
)

from django_piggy_verify.exceptions import (
    CodeRejected,
    ContactTaken,
    ContactUnknown,
    LoginRequired,
    PiggyVerifyError,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
)
from django_piggy_verify.http import client, connections
from django_piggy_verify.providers import base_url, get_provider
from django_piggy_verify.providers.base import (
    Challenge,
    Identity,
    LinkProvider,
    Stateful,
    UserAccess,
)
from django_piggy_verify.providers.call_log import logged_call
from django_piggy_verify.providers.transmit import TransmitProvider
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import Channel, traits_of
from tests.http.hostile import (
    CLIENT_SECRET,
    CODE,
    GRANT,
    HEADERS,
    KEY,
    SECRETS,
    Hostile,
    answers,
    debug_page,
    reply,
    serving,
)
from tests.steps import ADDRESS, NUMBER, STRANGER

PATH = "django_piggy_verify.providers.transmit.TransmitProvider"
BASE = "/cis"
USER = "user-4711"
USER_TOKEN = "marked-user-token"
ACCESS = UserAccess(uid=USER, token=Secret(USER_TOKEN))
RETURN_URL = "https://shop.example/login/connect/link/"
MESSAGE = "{otp} is your code for {app}"
OPTIONS = {"message": MESSAGE}
CONTENT = {"subject": "Your code", "primary_color": "#123456", "lines": [1, None]}
AS_USER = HEADERS | {"authorization": f"Bearer {USER_TOKEN}"}

thorough = hypothesis_settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Server(Hostile):
    """Plays the vendor."""

    base_path = BASE
    flow = ("send", "check")

    def __init__(self, **options):
        super().__init__(**options)
        self.answers |= {
            "send": reply({"message": "Email sent successfully"}),
            "check": reply({"result": True}),
            "user": reply({"result": profile()}),
        }

    def name_of(self, method, target):
        path = urlsplit(target).path.removeprefix(f"{self.base_path}/v1/")
        if path.startswith("users"):
            return "user"
        if path.startswith("/oauth"):
            return "oauth"
        return "check" if path.endswith("/validate") else "send"

    def answer(self, call, content, status=200):
        self.answers[call] = reply(content, status)

    @property
    def sent(self):
        """The only request so far."""
        [request] = self.requests
        return request


def email(value=ADDRESS, **changes):
    content = {"value": value, "email_verified": True, "verified_at": 1, **changes}
    return {name: each for name, each in content.items() if each is not ABSENT}


def profile(**changes):
    content = {
        "user_id": USER,
        "email": email(),
        "secondary_emails": [],
        "phone_number": {"value": NUMBER, "phone_number_verified": True},
        **changes,
    }
    return {name: each for name, each in content.items() if each is not ABSENT}


ABSENT = object()


@pytest.fixture
def upstream(settings):
    settings.PIGGY_VERIFY_PROVIDER = PATH
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = OPTIONS
    with serving(settings, Server) as server:
        server.keeps_alive = True
        yield server


def provider(**options):
    return TransmitProvider(**{**OPTIONS, **options})


def challenge(recipient=ADDRESS, **changes):
    made = Challenge(
        recipient=recipient,
        state={"uid": Secret(USER)},
        access=ACCESS,
        return_url=RETURN_URL,
    )
    return dataclasses.replace(made, **changes)


def send(to=None, **options):
    return provider(**options).send_code(to or challenge())


def text(to=None, **options):
    return send(to or challenge(NUMBER), **options)


def send_link(to=None, **options):
    return provider(**{"email_by": "link", **options}).send_link(to or challenge())


def check(to=None, **options):
    return provider(**options).check_code(to or challenge(), Secret(CODE))


def check_text(to=None, **options):
    return check(to or challenge(NUMBER), **options)


def check_link(to=None, **options):
    return provider(**{"email_by": "link", **options}).check_link(to or challenge())


SENDS = [send, text, send_link]
CHECKS = [check, check_text]
EACH_SEND = pytest.mark.parametrize("function", SENDS)
EACH_CHECK = pytest.mark.parametrize("function", CHECKS)
WITH_TOKEN = pytest.mark.parametrize("function", [*SENDS, *CHECKS])
EACH_VERB = pytest.mark.parametrize("function", [*SENDS, *CHECKS, check_link])


def error_of(function, *args, **kwargs):
    with pytest.raises(PiggyVerifyError) as caught:
        function(*args, **kwargs)
    return caught.value


def headers_of(request):
    """Return the headers, without the two of HTTP itself."""
    headers = dict(request.headers)
    assert headers.pop("host").startswith("127.0.0.1:")
    assert headers.pop("content-length", "0") == str(len(request.body))
    return headers


# What is sent.

BODIES = {
    "code by email": (send, {}, "otp/email/send", {"email": ADDRESS}),
    "code by email, all": (
        send,
        {"email_content": CONTENT, "update_primary": True, "sender_id": "Shop"},
        "otp/email/send",
        {"email": ADDRESS, "email_content": CONTENT},
    ),
    "text": (
        text,
        {},
        "otp/sms/send",
        {"phone_number": NUMBER, "custom_message": MESSAGE},
    ),
    "text, all": (
        text,
        {"email_content": CONTENT, "update_primary": True, "sender_id": "Shop"},
        "otp/sms/send",
        {"phone_number": NUMBER, "custom_message": MESSAGE, "sender_id": "Shop"},
    ),
    "link": (
        send_link,
        {},
        "links/email",
        {"email": ADDRESS, "redirect_uri": RETURN_URL, "update_primary": False},
    ),
    "link, all": (
        send_link,
        {
            "email_content": CONTENT,
            "update_primary": True,
            "redirect_uri": "https://app.example/back?a=b",
        },
        "links/email",
        {
            "email": ADDRESS,
            "redirect_uri": "https://app.example/back?a=b",
            "email_content": CONTENT,
            "update_primary": True,
        },
    ),
    "link, empty content": (
        send_link,
        {"email_content": {}},
        "links/email",
        {
            "email": ADDRESS,
            "redirect_uri": RETURN_URL,
            "email_content": {},
            "update_primary": False,
        },
    ),
    "check of an email": (
        check,
        {},
        "otp/email/validate",
        {"email": ADDRESS, "passcode": CODE, "update_primary": False},
    ),
    "check of an email, primary": (
        check,
        {"update_primary": True, "email_content": CONTENT},
        "otp/email/validate",
        {"email": ADDRESS, "passcode": CODE, "update_primary": True},
    ),
    "check of a text": (
        check_text,
        {},
        "otp/sms/validate",
        {"phone_number": NUMBER, "passcode": CODE, "update_primary": False},
    ),
    "check of a text, primary": (
        check_text,
        {"update_primary": True, "sender_id": "Shop"},
        "otp/sms/validate",
        {"phone_number": NUMBER, "passcode": CODE, "update_primary": True},
    ),
}


@pytest.mark.parametrize(
    ("function", "options", "path", "body"), BODIES.values(), ids=BODIES
)
def test_a_post_has_these_fields_and_headers_and_no_more(
    upstream, function, options, path, body
):
    function(**options)

    request = upstream.sent
    assert (request.method, request.target) == (
        "POST",
        f"{BASE}/v1/verification/{path}",
    )
    assert json.loads(request.body) == body
    assert headers_of(request) == AS_USER | {"content-type": "application/json"}


def test_a_question_about_a_link_is_a_get_with_our_own_key(upstream):
    check_link()

    request = upstream.sent
    assert (request.method, request.target) == ("GET", f"{BASE}/v1/users/{USER}")
    assert headers_of(request) == HEADERS
    assert request.body == b""


def test_a_question_about_a_link_may_use_client_credentials(upstream, settings):
    del settings.PIGGY_VERIFY_API_KEY
    settings.PIGGY_VERIFY_CLIENT_ID = "shop"
    settings.PIGGY_VERIFY_CLIENT_SECRET = CLIENT_SECRET
    settings.PIGGY_VERIFY_TOKEN_URL = upstream.token_url

    check_link()

    assert upstream.names == ["oauth", "user"]
    assert upstream.requests[1].headers["authorization"] == f"Bearer {GRANT}"


@WITH_TOKEN
def test_a_call_with_the_token_of_a_user_needs_no_key(upstream, settings, function):
    del settings.PIGGY_VERIFY_API_KEY

    function()

    assert KEY not in f"{upstream.sent}"


@EACH_SEND
def test_a_send_returns_the_challenge(upstream, function):
    to = challenge(NUMBER if function is text else ADDRESS)

    assert function(to) == to


@pytest.mark.parametrize("code", ["012345", "000000"])
def test_a_code_of_digits_is_sent_as_a_text(upstream, code):
    provider().check_code(challenge(), Secret(code))

    assert json.loads(upstream.sent.body)["passcode"] == code


def test_the_vendor_has_a_url_of_its_own(settings):
    settings.PIGGY_VERIFY_PROVIDER = PATH
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = OPTIONS

    assert base_url() == "https://api.transmitsecurity.io/cis"


@EACH_VERB
def test_without_a_url_in_the_settings_the_vendor_is_called(
    settings, monkeypatch, function
):
    settings.PIGGY_VERIFY_API_KEY = KEY
    called = []

    def call(_method, url, **_):
        called.append(url)
        content = {"message": "sent", "result": True}
        if url.endswith(USER):
            content = {"result": profile()}
        return client.Answer(status=200, body=content)

    monkeypatch.setattr(client, "call", call)
    function()

    [url] = called
    assert url.startswith("https://api.transmitsecurity.io/cis/v1/")


@EACH_VERB
def test_nothing_is_sent_without_tls(upstream, settings, function):
    settings.DEBUG = False

    assert type(error_of(function)) is ProviderRefused
    assert upstream.connections == 0


@WITH_TOKEN
def test_the_token_of_a_user_goes_to_the_configured_server_only(upstream, function):
    with Server() as elsewhere:
        moved = reply({}, 307, Location=f"{elsewhere.url}/v1/verification")
        upstream.answers |= {"send": moved, "check": moved}

        assert type(error_of(function)) is ProviderUnavailable
        assert elsewhere.connections == 0


# The access of the user.

BAD_TOKENS = {
    "empty": "",
    "blank": " ",
    "in two lines": f"{USER_TOKEN}\r\nX-Evil: 1",
    "with a space": f"{USER_TOKEN} a",
    "with a letter": f"{USER_TOKEN}\u00e4",
    "too long": "x" * 8193,
}
NO_ACCESS = {
    "none": None,
    **{
        name: UserAccess(uid=USER, token=Secret(each))
        for name, each in BAD_TOKENS.items()
    },
}
EACH_NO_ACCESS = pytest.mark.parametrize("access", NO_ACCESS.values(), ids=NO_ACCESS)


@EACH_VERB
@EACH_NO_ACCESS
def test_without_a_token_of_the_user_nobody_is_called(upstream, function, access):
    to = challenge(NUMBER if function in (text, check_text) else ADDRESS, access=access)

    assert type(error_of(function, to)) is LoginRequired
    assert upstream.connections == 0


@EACH_NO_ACCESS
def test_without_a_token_of_the_user_there_is_no_state(access):
    to = challenge(access=access)

    assert type(error_of(provider().new_state, to)) is LoginRequired


def test_the_state_is_the_id_of_the_user():
    state = provider().new_state(challenge(state={}))

    assert state == {"uid": USER}
    assert isinstance(state["uid"], Secret)
    assert USER not in repr(state)


OTHER_STATES = {
    "another user": {"uid": Secret("user-4712")},
    "another case": {"uid": Secret(USER.upper())},
    "blank": {"uid": Secret("")},
    "none": {},
}


@pytest.mark.parametrize("function", [*CHECKS, check_link])
@pytest.mark.parametrize("state", OTHER_STATES.values(), ids=OTHER_STATES)
def test_the_code_of_another_user_is_not_checked(upstream, function, state):
    recipient = NUMBER if function is check_text else ADDRESS

    raised = error_of(function, challenge(recipient, state=state))

    assert type(raised) is LoginRequired
    assert upstream.connections == 0


@WITH_TOKEN
@pytest.mark.parametrize(
    "content",
    [{"message": "Invalid token", "error_code": 401}, b"<h1>", {"result": True}],
    ids=["documented", "page", "success"],
)
def test_a_user_whose_token_is_refused_has_to_log_in(upstream, function, content):
    upstream.answer("send", content, 401)
    upstream.answer("check", content, 401)

    assert type(error_of(function)) is LoginRequired
    assert len(upstream.requests) == 1


def test_a_refused_token_of_a_user_leaves_our_own_token_alone(upstream, settings):
    del settings.PIGGY_VERIFY_API_KEY
    settings.PIGGY_VERIFY_CLIENT_ID = "shop"
    settings.PIGGY_VERIFY_CLIENT_SECRET = CLIENT_SECRET
    settings.PIGGY_VERIFY_TOKEN_URL = upstream.token_url
    upstream.answer("check", {}, 401)

    check_link()
    error_of(check)
    check_link()

    assert upstream.names == ["oauth", "user", "check", "user"]


# Answers to a send.


@EACH_SEND
@pytest.mark.parametrize("status", [200, 201, 206])
def test_any_status_of_success_with_a_message_is_a_send(upstream, function, status):
    upstream.answer("send", {"message": "SMS sent"}, status)

    assert function()


ERROR = {"message": ["Oeps"], "error_code": 4711}
SEND_ERRORS = {
    404: ContactUnknown,
    409: ContactTaken,
    403: ProviderRefused,
    **dict.fromkeys([400, 402, 405, 410, 422, 429], ProviderUnavailable),
    **dict.fromkeys([301, 304, 500, 501, 502, 503, 504], ProviderUnavailable),
}


@EACH_SEND
@pytest.mark.parametrize("status", SEND_ERRORS)
@pytest.mark.parametrize("content", [ERROR, b"", {"message": "sent"}], ids=repr)
def test_the_status_of_a_send_decides(upstream, function, status, content):
    upstream.answer("send", content, status)

    assert type(error_of(function)) is SEND_ERRORS[status]
    assert len(upstream.requests) == 1


@EACH_SEND
@pytest.mark.parametrize(
    ("status", "is_hidden"),
    [(429, False), (502, False), (503, False), (504, False), (500, True), (400, True)],
)
def test_an_overload_of_a_send_is_said_openly(upstream, function, status, is_hidden):
    upstream.answer("send", ERROR, status)

    raised = error_of(function)

    assert (raised.status, raised.may_depend_on_contact) == (status, is_hidden)
    assert not raised.may_depend_on_visitor


@EACH_SEND
def test_a_send_that_is_refused_to_one_user_does_not_stop_the_others(
    upstream, function
):
    upstream.answer("send", ERROR, 403)

    raised = error_of(function)

    assert raised.status == 403
    assert raised.may_depend_on_visitor
    assert not raised.may_depend_on_contact


NO_SENDS = {
    "no message": {},
    "message null": {"message": None},
    "message list": {"message": ["sent"]},
    "message true": {"message": True},
    "elsewhere": {"data": {"message": "sent"}},
    "list": [{"message": "sent"}],
    "text": "sent",
    "page": b"<h1>sent",
    "nothing": b"",
}


@EACH_SEND
@pytest.mark.parametrize("content", NO_SENDS.values(), ids=NO_SENDS)
def test_a_send_without_a_message_cannot_be_read(upstream, function, content):
    upstream.answer("send", content)

    raised = error_of(function)

    assert type(raised) is ProviderUnavailable
    assert str(raised) == "the answer cannot be read: it is no success"
    assert (raised.status, raised.may_depend_on_contact) == (200, True)


# Answers to a check.


@EACH_CHECK
@pytest.mark.parametrize("status", [200, 201])
def test_a_right_code_proves_the_recipient_of_the_user(upstream, function, status):
    upstream.answer("check", {"result": True, "more": 1}, status)

    found = function(name="shop")

    proved = {"phone": NUMBER} if function is check_text else {"email": ADDRESS}
    assert found == Identity(provider="shop", uid=USER, **proved)


NOT_TRUE = {
    "text": "true",
    "one": 1,
    "float": 1.0,
    "false": False,
    "null": None,
    "url": "https://shop.example/?result=true",
    "list": [True],
    "object": {"result": True},
    "absent": ABSENT,
}


@EACH_CHECK
@pytest.mark.parametrize("result", NOT_TRUE.values(), ids=NOT_TRUE)
def test_only_true_is_a_right_code(upstream, function, result):
    upstream.answer("check", {} if result is ABSENT else {"result": result})

    raised = error_of(function)

    assert type(raised) is ProviderUnavailable
    assert str(raised) == "the answer cannot be read: it is no success"


@pytest.mark.parametrize("content", [[{"result": True}], True, b"<h1>", b""], ids=repr)
def test_a_check_without_an_object_cannot_be_read(upstream, content):
    upstream.answer("check", content)

    assert type(error_of(check)) is ProviderUnavailable


@EACH_CHECK
@pytest.mark.parametrize("status", [400, 403, 404])
@pytest.mark.parametrize(
    "content", [ERROR, b"<h1>", [ERROR], {"result": True}], ids=repr
)
def test_these_statuses_mean_a_wrong_code(upstream, function, status, content):
    upstream.answer("check", content, status)

    assert type(error_of(function)) is CodeRejected


OTHER_REJECTIONS = [402, 405, 406, 410, 412, 418, 422, 423, 451, 499]


@EACH_CHECK
@pytest.mark.parametrize("status", OTHER_REJECTIONS)
@pytest.mark.parametrize("content", [ERROR, {}, {"result": True}], ids=repr)
def test_an_object_with_another_4xx_is_a_wrong_code(
    upstream, function, status, content
):
    upstream.answer("check", content, status)

    assert type(error_of(function)) is CodeRejected


@pytest.mark.parametrize("status", OTHER_REJECTIONS)
@pytest.mark.parametrize("content", [b"<h1>", b"", [], "Oeps"], ids=repr)
def test_another_4xx_without_an_object_leaves_a_code_unchecked(
    upstream, status, content
):
    upstream.answer("check", content, status)

    assert type(error_of(check)) is ProviderUnavailable


@EACH_CHECK
@pytest.mark.parametrize("content", [ERROR, b""], ids=repr)
def test_a_recipient_of_another_user_is_taken(upstream, function, content):
    upstream.answer("check", content, 409)

    assert type(error_of(function)) is ContactTaken


@EACH_CHECK
@pytest.mark.parametrize("status", [301, 304, 429, 500, 501, 502, 503, 504])
@pytest.mark.parametrize("content", [ERROR, b"", {"result": True}], ids=repr)
def test_an_error_of_the_server_leaves_a_code_unchecked(
    upstream, function, status, content
):
    upstream.answer("check", content, status)

    raised = error_of(function)

    assert type(raised) is ProviderUnavailable
    assert raised.status == status


# Whether a link was followed.

FOLLOWED = {
    "primary": {},
    "another case": {"email": email("ANN@Example.COM")},
    "secondary": {"email": email(STRANGER), "secondary_emails": [email()]},
    "last secondary": {
        "email": ABSENT,
        "secondary_emails": [email(STRANGER), None, "x", email(ADDRESS.upper())],
    },
    "secondary null": {"secondary_emails": None},
    "secondary object": {"secondary_emails": email(STRANGER)},
    "no secondary": {"secondary_emails": ABSENT},
    "unverified and verified": {
        "email": email(email_verified=False),
        "secondary_emails": [email()],
    },
}


@pytest.mark.parametrize("changes", FOLLOWED.values(), ids=FOLLOWED)
def test_a_verified_address_of_the_user_is_proved(upstream, changes):
    upstream.answer("user", {"result": profile(**changes)})

    found = check_link(name="shop")

    assert found == Identity(provider="shop", uid=USER, email=ADDRESS)


def test_the_address_of_the_challenge_may_have_another_case(upstream):
    assert check_link(challenge(ADDRESS.upper())).email == ADDRESS.upper()


NOT_FOLLOWED = {
    "nothing": {"email": ABSENT, "secondary_emails": ABSENT},
    "email null": {"email": None},
    "email text": {"email": ADDRESS},
    "email list": {"email": [email()]},
    "another address": {"email": email(STRANGER)},
    "longer": {"email": email(f"{ADDRESS}.evil.example")},
    "shorter": {"email": email(ADDRESS[1:])},
    "space": {"email": email(f" {ADDRESS}")},
    "value list": {"email": email([ADDRESS])},
    "value null": {"email": email(None)},
    "no value": {"email": email(ABSENT)},
    "unverified": {"email": email(email_verified=False)},
    "verified text": {"email": email(email_verified="true")},
    "verified one": {"email": email(email_verified=1)},
    "verified float": {"email": email(email_verified=1.0)},
    "verified list": {"email": email(email_verified=[True])},
    "verified null": {"email": email(email_verified=None)},
    "no verified": {"email": email(email_verified=ABSENT)},
    "verified beside": {"email": email(email_verified=ABSENT), "email_verified": True},
    "other verified": {
        "email": email(email_verified=False),
        "secondary_emails": [email(STRANGER)],
    },
    "secondary object": {"email": ABSENT, "secondary_emails": email()},
    "secondary of objects": {"email": ABSENT, "secondary_emails": {"0": email()}},
    "secondary in a list": {"email": ABSENT, "secondary_emails": [[email()]]},
    "secondary texts": {"email": ABSENT, "secondary_emails": [ADDRESS]},
    "secondary number": {"email": ABSENT, "secondary_emails": 7},
    "secondary unverified": {
        "email": ABSENT,
        "secondary_emails": [email(email_verified=1)],
    },
    "as the number": {
        "email": ABSENT,
        "phone_number": {"value": ADDRESS, "email_verified": True},
    },
}


@pytest.mark.parametrize("changes", NOT_FOLLOWED.values(), ids=NOT_FOLLOWED)
def test_any_other_address_is_not_proved(upstream, changes):
    upstream.answer("user", {"result": profile(**changes)})

    assert type(error_of(check_link)) is CodeRejected


@pytest.mark.parametrize("content", [ERROR, b"", {"result": profile()}], ids=str)
def test_a_user_whom_the_vendor_does_not_know_has_proved_nothing(upstream, content):
    upstream.answer("user", content, 404)

    assert type(error_of(check_link)) is CodeRejected


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("content", [ERROR, b"", {"result": profile()}], ids=str)
def test_a_refusal_of_our_own_key_is_for_the_operator(upstream, status, content):
    upstream.answer("user", content, status)

    raised = error_of(check_link)

    assert type(raised) is ProviderRefused
    assert (raised.status, raised.may_depend_on_contact) == (status, False)
    assert not raised.may_depend_on_visitor


NO_USERS = {
    "flat": (profile(), 200),
    "result list": ({"result": [profile()]}, 200),
    "result null": ({"result": None}, 200),
    "result true": ({"result": True}, 200),
    "list": ([{"result": profile()}], 200),
    "page": (b"<h1>", 200),
    **{f"{each}": ({"result": profile()}, each) for each in [301, 400, 409, 422]},
    **{f"{each}": ({"result": profile()}, each) for each in [429, 500, 502, 503]},
}


@pytest.mark.parametrize(("content", "status"), NO_USERS.values(), ids=NO_USERS)
def test_an_answer_without_a_user_is_an_outage(upstream, content, status):
    upstream.answer("user", content, status)

    raised = error_of(check_link)

    assert type(raised) is ProviderUnavailable
    assert raised.status == status


def owned_by(uid):
    access = UserAccess(uid=uid, token=Secret(USER_TOKEN))
    return challenge(access=access, state={"uid": Secret(uid)})


SEGMENTS = {
    "a/b": "a%2Fb",
    "a/../b": "a%2F..%2Fb",
    "../users": "..%2Fusers",
    "a?b=c": "a%3Fb%3Dc",
    "a#b": "a%23b",
    "a%2Fb": "a%252Fb",
    "%2e%2e": "%252e%252e",
    "a b": "a%20b",
    "a;b": "a%3Bb",
    "a\\b": "a%5Cb",
    "a@b:80": "a%40b%3A80",
    "\u00e4": "%C3%A4",
    "auth0|4711": "auth0%7C4711",
    "..a": "..a",
    "a..": "a..",
    "A-Z_a~9.": "A-Z_a~9.",
}


@pytest.mark.parametrize("uid", SEGMENTS)
def test_the_id_of_a_user_is_one_segment_of_the_path(upstream, uid):
    check_link(owned_by(uid))

    assert upstream.sent.target == f"{BASE}/v1/users/{SEGMENTS[uid]}"


NO_UIDS = [".", "..", "...", "", " ", " user", "\ud800", "\0", "a\nb", "x" * 65]


@pytest.mark.parametrize("uid", NO_UIDS, ids=ascii)
def test_an_id_that_is_no_segment_of_a_path_is_never_asked_about(upstream, uid):
    assert type(error_of(check_link, owned_by(uid))) is CodeRejected
    assert upstream.connections == 0


# Settings.


@pytest.mark.parametrize(
    ("options", "way"),
    [
        ({}, Channel.EMAIL),
        ({"email_by": "code"}, Channel.EMAIL),
        ({"email_by": "link"}, Channel.LINK),
        ({"email_by": ["link"]}, Channel.EMAIL),
        ({"email_by": None}, Channel.EMAIL),
    ],
    ids=str,
)
def test_the_traits_are_those_of_the_vendor(options, way):
    traits = traits_of(TransmitProvider(**options))

    assert traits.channels == {way, Channel.SMS}
    assert (traits.can_log_in, traits.issues_tokens) == (False, False)
    assert (traits.knows_members, traits.knows_people) == (False, True)
    assert traits.wants_user_access
    assert not traits.wants_client_address | traits.wants_device
    assert traits.consents == ()


def test_the_provider_keeps_state_and_mails_links():
    assert isinstance(provider(), Stateful)
    assert isinstance(provider(), LinkProvider)


def told_by_the_checks(number):
    return [each for each in run_checks() if each.id == f"piggy_verify.{number}"]


@pytest.mark.parametrize("by", ["code", "link"])
def test_only_links_need_a_key(upstream, settings, by):
    del settings.PIGGY_VERIFY_API_KEY
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = OPTIONS | {"email_by": by}

    told = [each.msg for each in told_by_the_checks("E001")]

    missing = "PIGGY_VERIFY_API_KEY cannot be used: there is none."
    assert told == ([missing] if by == "link" else [])


def test_client_credentials_stand_in_for_a_key(upstream, settings):
    del settings.PIGGY_VERIFY_API_KEY
    settings.PIGGY_VERIFY_CLIENT_ID = "shop"
    settings.PIGGY_VERIFY_CLIENT_SECRET = CLIENT_SECRET
    settings.PIGGY_VERIFY_TOKEN_URL = upstream.token_url
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = OPTIONS | {"email_by": "link"}

    assert told_by_the_checks("E001") == []


def test_a_bad_key_is_told_even_beside_client_credentials(upstream, settings):
    settings.PIGGY_VERIFY_API_KEY = "two words"
    settings.PIGGY_VERIFY_CLIENT_ID = "shop"
    settings.PIGGY_VERIFY_CLIENT_SECRET = CLIENT_SECRET
    settings.PIGGY_VERIFY_TOKEN_URL = upstream.token_url
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = OPTIONS | {"email_by": "link"}

    assert len(told_by_the_checks("E001")) == 1


LONGEST = f"{'a' * 130}{{otp}}{{app}}"
GOOD_OPTIONS = {
    "message, app first": {"message": "{app}: {otp}"},
    "message, both alone": {"message": "{app}{otp}"},
    "longest message": {"message": LONGEST},
    "message with letters": {"message": "{otp} f\u00fcr {app} \U0001f511"},
    "longest sender": {"sender_id": "Shop-2-Shop"},
    "shortest sender": {"sender_id": "S"},
    "sender, letter last": {"sender_id": "1234567890a"},
    "sender none": {"sender_id": None},
    "content": {"email_content": CONTENT},
    "content empty": {"email_content": {}},
    "content none": {"email_content": None},
    "url": {"redirect_uri": "https://shop.example/connect/link/?a=b&c=%20"},
    "url with port": {"redirect_uri": "https://shop.example:8443"},
    "url with address": {"redirect_uri": "https://[2001:db8::7]:8443/"},
    "url none": {"redirect_uri": None},
    "primary": {"update_primary": True},
    "name": {"name": "shop"},
    "link": {"email_by": "link"},
}


@pytest.mark.parametrize("options", GOOD_OPTIONS.values(), ids=GOOD_OPTIONS)
@pytest.mark.parametrize("debug", [False, True])
def test_good_options_are_no_problem(upstream, settings, options, debug):
    settings.DEBUG = debug
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = OPTIONS | options

    assert get_provider().name == options.get("name", "transmit")
    assert told_by_the_checks("E013") == []


def test_the_longest_message_has_140_characters():
    assert len(LONGEST) == 140


MARK = "marked-option"
CIRCLE: dict[str, object] = {}
CIRCLE["circle"] = CIRCLE
DEEP: list[object] = []
for _ in range(100_000):
    DEEP = [DEEP]
BAD_OPTIONS = {
    "misspelt": {"emailBy": MARK},
    "name blank": {"name": ""},
    "by word": {"email_by": MARK},
    "by capitals": {"email_by": "Link"},
    "by list": {"email_by": ["link"]},
    "by none": {"email_by": None},
    "by empty": {"email_by": ""},
    "message none": {"message": None},
    "message list": {"message": ["{otp}{app}"]},
    "message bytes": {"message": b"{otp}{app}"},
    "message empty": {"message": ""},
    "message without app": {"message": f"{{otp}} {MARK}"},
    "message without code": {"message": f"{{app}} {MARK}"},
    "message with two codes": {"message": f"{{otp}}{{app}}{{otp}} {MARK}"},
    "message with two apps": {"message": f"{{app}}{{otp}}{{app}} {MARK}"},
    "message with another mark": {"message": f"{{otp}}{{app}}{{{MARK}}}"},
    "message with empty braces": {"message": f"{{otp}}{{app}}{{}} {MARK}"},
    "message with a brace": {"message": f"{{otp}}{{app}} }} {MARK}"},
    "message with an open brace": {"message": f"{MARK} {{ {{otp}}{{app}}"},
    "message with double braces": {"message": f"{{{{otp}}}}{{app}} {MARK}"},
    "message with nested braces": {"message": f"{{o{{app}}tp}} {MARK}"},
    "message with capitals": {"message": f"{{OTP}}{{app}} {MARK}"},
    "message with a space": {"message": f"{{ otp }}{{app}} {MARK}"},
    "message too long": {"message": f"{LONGEST}a"},
    "message in two lines": {"message": f"{{otp}}{{app}}\n{MARK}"},
    "message with a line end": {"message": "{otp}{app}\n"},
    "message with a nul": {"message": f"{{otp}}{{app}}\0{MARK}"},
    "sender empty": {"sender_id": ""},
    "sender too long": {"sender_id": "abcdefghijkl"},
    "sender of digits": {"sender_id": "123456"},
    "sender of digits and hyphens": {"sender_id": "12-34"},
    "sender with a space": {"sender_id": "My Shop"},
    "sender with a hyphen first": {"sender_id": "-Shop"},
    "sender with a hyphen last": {"sender_id": "Shop-"},
    "sender with a letter": {"sender_id": "Caf\u00e9"},
    "sender with a full-width letter": {"sender_id": "\uff21bc"},
    "sender with a digit of Arabic": {"sender_id": "a\u0661"},
    "sender with a dot": {"sender_id": "a.b"},
    "sender with an underscore": {"sender_id": "a_b"},
    "sender with a line end": {"sender_id": "Shop\n"},
    "sender number": {"sender_id": 4711},
    "content list": {"email_content": [MARK]},
    "content text": {"email_content": MARK},
    "content with a set": {"email_content": {"a": {MARK}}},
    "content with a tuple": {"email_content": {"a": (MARK,)}},
    "content with a number as key": {"email_content": {1: MARK}},
    "content with nan": {"email_content": {"a": float("nan")}},
    "content with infinity": {"email_content": {"a": [float("inf")]}},
    "content with bytes": {"email_content": {"a": MARK.encode()}},
    "content too deep": {"email_content": {"a": DEEP}},
    "content in a circle": {"email_content": CIRCLE},
    "primary text": {"update_primary": "true"},
    "primary number": {"update_primary": 1},
    "primary none": {"update_primary": None},
    "url http": {"redirect_uri": f"http://{MARK}.example/"},
    "url relative": {"redirect_uri": f"/{MARK}/"},
    "url without scheme": {"redirect_uri": f"//{MARK}.example/"},
    "url without host": {"redirect_uri": f"https:///{MARK}"},
    "url script": {"redirect_uri": f"javascript://{MARK}.example/"},
    "url app": {"redirect_uri": f"myapp://{MARK}.example/"},
    "url with a user": {"redirect_uri": f"https://ann@{MARK}.example/"},
    "url with a fragment": {"redirect_uri": f"https://{MARK}.example/#a"},
    "url with a backslash": {"redirect_uri": f"https://{MARK}.example\\@evil.example"},
    "url with a backslash in its path": {"redirect_uri": f"https://{MARK}.example/\\"},
    "url with a space": {"redirect_uri": f"https://{MARK}.example/a b"},
    "url with a letter": {"redirect_uri": f"https://{MARK}.example/\u00e4"},
    "url with a line end": {"redirect_uri": f"https://{MARK}.example/\n"},
    "url empty": {"redirect_uri": ""},
    "url list": {"redirect_uri": [f"https://{MARK}.example/"]},
}
EACH_BAD_OPTION = pytest.mark.parametrize(
    "options", BAD_OPTIONS.values(), ids=BAD_OPTIONS
)


@EACH_BAD_OPTION
def test_a_check_names_an_option_but_not_its_value(upstream, settings, options):
    settings.DEBUG = False
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = OPTIONS | options

    [found] = told_by_the_checks("E013")

    [name] = options
    assert f"option '{name}'" in found.msg
    assert not re.search(f"{MARK}|4711", f"{vars(found)}")


@EACH_VERB
@EACH_BAD_OPTION
def test_with_a_bad_option_nobody_is_called(upstream, settings, function, options):
    settings.DEBUG = False

    raised = error_of(function, **options)

    assert type(raised) is ProviderRefused
    assert str(raised).startswith("the options cannot be used: ")
    assert not raised.may_depend_on_contact
    assert upstream.connections == 0


def test_a_missing_message_is_told(upstream, settings):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {}

    [found] = told_by_the_checks("E013")

    assert "the option 'message' is missing" in found.msg


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/a", "http://[::1]/"])
def test_with_debug_a_link_may_lead_to_plain_http(upstream, settings, url):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = OPTIONS | {"redirect_uri": url}

    assert told_by_the_checks("E013") == []


# Logs and secrets.

HIDDEN = [*SECRETS, USER_TOKEN]


def test_a_taken_contact_is_no_failure_in_the_log(caplog):
    caplog.set_level("DEBUG", "django_piggy_verify")
    with pytest.raises(ContactTaken), logged_call("send"):
        raise ContactTaken

    [record] = caplog.records
    assert (record.event_name, record.levelname) == ("provider_answered", "DEBUG")


def test_the_token_of_a_user_has_no_repr():
    found = challenge()

    assert USER_TOKEN not in repr(found)
    assert USER_TOKEN not in repr(found.access)
    assert USER_TOKEN not in repr(dataclasses.asdict(found))


LEAKS = {
    "expired": 401,
    "refused": 403,
    "unknown": 404,
    "taken": 409,
    "limit": 429,
    "broken": 500,
    "unreadable": 200,
}


@EACH_VERB
@pytest.mark.parametrize("status", LEAKS.values(), ids=LEAKS)
def test_a_failure_shows_no_secret(upstream, caplog, function, status):
    caplog.set_level("DEBUG")
    said = {"note": f"{CODE} {USER_TOKEN} {KEY}", "message": [CODE], "result": KEY}
    for call in ("send", "check", "user"):
        upstream.answer(call, said, status)

    page = debug_page(function)
    raised = error_of(function)

    assert "providers/transmit.py" in page
    shown = f"{page} {raised} {raised!r} {vars(raised)} {caplog.text}"
    assert [each for each in HIDDEN if each in shown] == []


CRASHES = [
    *("calls.call_as", "calls.call", "user_calls.is_token", "calls.is_success"),
    *("calls.no_success", "base.is_uid", "base.Identity.of", "options.Options.require"),
    *("user_calls.post", "user_calls.uid_of", "transmit._has_proved"),
    *("transmit.quote", "credentials.require_https"),
]


@pytest.mark.parametrize("place", CRASHES)
def test_no_crash_shows_a_secret(upstream, monkeypatch, place):
    def crash(*_args, **_kwargs):
        raise ArithmeticError("broken on purpose")

    upstream.answer("send", {"note": f"{USER_TOKEN} {KEY}"}, 500)
    monkeypatch.setattr(f"django_piggy_verify.providers.{place}", crash)
    pages = [debug_page(each) for each in (send, check, check_link) if crashes(each)]

    assert pages
    for page in pages:
        assert [each for each in HIDDEN if each in page] == []


def crashes(function):
    try:
        function()
    except (ArithmeticError, PiggyVerifyError) as error:
        return isinstance(error, ArithmeticError)
    return False


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


# Over the sandbox, which has the rules of the vendor.


@pytest.fixture
def sandbox(sandbox_for):
    return sandbox_for("transmit")


def signed_in(sandbox, recipient=ADDRESS, uid="user 1/2"):
    token = Secret(sandbox.sign_in(uid))
    made = challenge(recipient, access=UserAccess(uid=uid, token=token))
    return dataclasses.replace(made, state=provider().new_state(made))


def follow(link):
    parts = urlsplit(link)
    with closing(HTTPConnection(parts.netloc, timeout=5)) as connection:
        connection.request("GET", f"{parts.path}?{parts.query}")
        return connection.getresponse().headers["Location"]


@pytest.mark.parametrize("recipient", [ADDRESS, NUMBER])
def test_only_the_code_that_was_sent_proves_the_recipient(sandbox, recipient):
    to = send(signed_in(sandbox, recipient))
    code = Secret(sandbox.last_code(recipient))

    assert type(error_of(provider().check_code, to, Secret("000000"))) is CodeRejected
    assert provider().check_code(to, code).recipient == recipient
    assert type(error_of(provider().check_code, to, code)) is CodeRejected


def test_a_text_is_the_one_of_the_options(sandbox):
    send(signed_in(sandbox, NUMBER), message="{app}? {otp}!")

    [mail] = sandbox.mails
    assert mail.text.endswith(f"? {sandbox.last_code(NUMBER)}!")


@pytest.mark.parametrize("is_primary", [False, True])
def test_only_a_link_that_was_followed_proves_an_address(sandbox, is_primary):
    send_link(signed_in(sandbox, STRANGER))
    follow(sandbox.last_link(STRANGER))
    to = send_link(signed_in(sandbox), update_primary=is_primary)

    assert type(error_of(check_link, to)) is CodeRejected
    assert follow(sandbox.last_link(ADDRESS)) == f"{RETURN_URL}?result=true"
    assert check_link(to) == Identity(
        provider="transmit", uid="user 1/2", email=ADDRESS
    )


def test_a_link_of_another_user_proves_nothing(sandbox):
    send_link(signed_in(sandbox, uid="user-2"))
    follow(sandbox.last_link(ADDRESS))

    assert type(error_of(check_link, signed_in(sandbox))) is CodeRejected
    assert type(error_of(send, signed_in(sandbox))) is ContactTaken


def test_an_expired_token_makes_the_user_log_in(sandbox):
    to = signed_in(sandbox)

    with time_machine.travel(timezone.now() + timedelta(days=1)):
        assert type(error_of(send, to)) is LoginRequired


# Any answer.

NAMES = st.sampled_from(
    ["result", "message", "email", "secondary_emails", "value", "email_verified"]
)
LEAVES = st.one_of(
    st.none() | st.booleans() | st.text(max_size=9),
    st.sampled_from([0, 1, 1.5, 10**400, float("nan"), "true", "\ud800", ADDRESS]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner),
    max_leaves=8,
)
CONTENTS = VALUES | st.fixed_dictionaries(
    {"result": VALUES | st.fixed_dictionaries({"email": VALUES})}
)
ALLOWED = {
    **dict.fromkeys(
        SENDS, (ContactUnknown, ContactTaken, LoginRequired, ProviderError)
    ),
    **dict.fromkeys(CHECKS, (CodeRejected, ContactTaken, LoginRequired, ProviderError)),
    check_link: (CodeRejected, ProviderError),
}


@EACH_VERB
@thorough
@given(answer=answers(CONTENTS.map(json.dumps)))
@example(answer=(b'{"result":' * 900 + b"1" + b"}" * 900, 200, ""))
@example(answer=(b'{"result": true, "result": false}', 200, ""))
@example(answer=(json.dumps({"result": profile()}).encode("utf-16"), 203, "a/b"))
def test_any_response_is_a_success_or_an_error_of_ours(upstream, function, answer):
    body, status, media_type = answer
    for call in ("send", "check", "user"):
        upstream.answers[call] = reply(body, status, Content_Type=media_type)

    try:
        function()
    except ALLOWED[function]:
        return
    found = json.loads(body)
    assert 200 <= status < 300
    if function in SENDS:
        assert isinstance(found["message"], str)
    elif function in CHECKS:
        assert found["result"] is True
    else:
        assert ADDRESS.encode("utf-16-le") in body or ADDRESS.encode() in body
