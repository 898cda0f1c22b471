import hashlib
import json
import re

import pytest
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.test import Client, override_settings
from hypothesis import (
    HealthCheck,
    example,
    given,
    settings as hypothesis_settings,
    strategies as st,
)

from django_piggy_verify.exceptions import (
    CodeRejected,
    LoginRefused,
    PiggyVerifyError,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
)
from django_piggy_verify.login import verification
from django_piggy_verify.models import Contact
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Challenge, Proof, Visitor
from django_piggy_verify.providers.verifik import VerifikProvider
from django_piggy_verify.secret import Secret
from tests.conformance.vendor import Vendor
from tests.conformance.verifik import VERIFIK
from tests.http.hostile import (
    ANYTHING,
    CODE,
    KEY,
    TOKEN,
    answers,
    assert_is_plain_post,
    debug_page,
    reply,
    secrets_in,
    serving,
)
from tests.secrecy import evidence as sinks
from tests.steps import ADDRESS, JSON, STRANGER, ask_for_code, type_code

SEND = "/api/email-validations"
CHECK = f"{SEND}/validate"
# The ids of the sample in the documentation. Those in the sample's answer differ.
PROJECT, FLOW = "6266193db77ccc8111730c90", "65bed28b0990f300134d7b78"
OPTIONS = {"project": PROJECT, "flow": FLOW}
TYPED = Secret(CODE)
APP_LOGIN = {
    "_id": "674ddbf121c72be3cc42b884",
    "client": "613375a1eab2fe08527f81e2",
    "name": "ANN EXAMPLE",
    "status": "validated",
    "project": "6266193db77ccc8112730c90",
    "projectFlow": "65bed28b0990f310134d7b78",
    "type": "email",
    "emailValidation": "674ddbf121c72be3cc42b882",
}
LOGIN = {
    "email": ADDRESS,
    "type": "login",
    "showFaceLivenessRecommendation": False,
    "appLogin": APP_LOGIN,
    "token": TOKEN,
}
UID = hashlib.sha256(f"{PROJECT}\0{ADDRESS}".encode()).hexdigest()
WORDS = {
    "otp_does_not_match": 403,
    "email_validation_not_found": 404,
    "emailValidation_has_expired": 412,
    "INVALID_CODE": 400,
    "CODE_EXPIRED": 409,
    "MAX_ATTEMPTS_EXCEEDED": 410,
    "EMAIL_VALIDATION_NOT_FOUND": 404,
}
"""The words of both families for a code that is no good, with their status."""

thorough = hypothesis_settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def upstream(settings):
    settings.PIGGY_VERIFY_PROVIDER = VERIFIK.provider
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = OPTIONS
    with serving(settings, Vendor, adapter=VERIFIK) as server:
        server.keeps_alive = True
        yield server


def send(recipient=ADDRESS, visitor=None, **options):
    provider = VerifikProvider(**{**OPTIONS, **options})
    return provider.send_code(Challenge(recipient=recipient, visitor=visitor))


def check(code=TYPED, recipient=ADDRESS, **options):
    provider = VerifikProvider(**{**OPTIONS, **options})
    return provider.check_code(Challenge(recipient=recipient), code)


def answer(upstream, content, status=200, call="check"):
    upstream.answers[call] = reply(content, status)


def login(**changes):
    """Return the content of a login with other members, or without those of None."""
    content = {**LOGIN, **changes}
    return {name: value for name, value in content.items() if value is not ABSENT}


ABSENT = object()


def error_of(function, *args, **kwargs):
    with pytest.raises(PiggyVerifyError) as caught:
        function(*args, **kwargs)
    return caught.value


def assert_is_unreadable(error):
    assert type(error) is ProviderUnavailable
    assert str(error).startswith("the answer cannot be read: ")
    assert error.may_depend_on_contact


def test_a_send_has_five_fields(upstream):
    assert send() == Challenge(recipient=ADDRESS)

    [request] = upstream.requests
    members = [("project", PROJECT), ("projectFlow", FLOW), ("email", ADDRESS)]
    members += [("validationMethod", "verificationCode"), ("type", "login")]
    assert_is_plain_post(request, SEND, members)


def test_a_check_has_six_fields(upstream):
    answer(upstream, LOGIN)

    check()

    [request] = upstream.requests
    members = [("project", PROJECT), ("projectFlow", FLOW), ("email", ADDRESS)]
    members += [("validationMethod", "verificationCode"), ("type", "login")]
    assert_is_plain_post(request, CHECK, [*members, ("otp", CODE)])


@pytest.mark.parametrize("code", ["012345", "000000", "884632"])
def test_a_code_of_digits_is_sent_as_a_text(upstream, code):
    answer(upstream, LOGIN)

    check(Secret(code))

    assert dict(upstream.requests[0].members)["otp"] == code


@thorough
@given(recipient=ANYTHING, code=ANYTHING)
@example(recipient='a", "otp": "1', code='1", "email": "b@b.example')
def test_an_address_and_a_code_are_two_texts_in_the_body(upstream, recipient, code):
    answer(upstream, {"data": {"email": recipient}})

    error_of(check, code, recipient)

    sent = dict(upstream.requests[-1].members)
    assert (sent["email"], sent["otp"]) == (recipient, code)
    assert len(upstream.requests[-1].members) == 6


@pytest.mark.parametrize("content", [{"data": LOGIN}, LOGIN], ids=["data", "flat"])
@pytest.mark.parametrize("status", [200, 201])
def test_a_login_is_in_data_or_flat(upstream, content, status):
    answer(upstream, content, status)

    proof = check(token_lifetime=60)

    assert isinstance(proof, Proof)
    assert (proof.identity.provider, proof.identity.uid) == ("verifik", UID)
    assert (proof.identity.email, proof.hint) == (ADDRESS, "")
    assert proof.tokens
    assert (proof.tokens.access, proof.tokens.expires_in) == (TOKEN, 60)


@pytest.mark.parametrize("status", ["validated", "completed"])
def test_both_words_for_a_finished_login_are_known(upstream, status):
    answer(upstream, login(appLogin={"status": status}))

    assert check().identity.uid == UID


NO_CONTENT = {
    "list": [],
    "login in a list": [LOGIN],
    "text": "login",
    "number": 1,
    "true": True,
    "null": None,
}


@pytest.mark.parametrize("data", NO_CONTENT.values(), ids=NO_CONTENT)
@pytest.mark.parametrize("function", [send, check])
def test_data_of_a_wrong_type_cannot_be_read(upstream, function, data):
    # The login beside it does not count.
    answer(upstream, {**LOGIN, "data": data}, call="send")
    answer(upstream, {**LOGIN, "data": data})

    assert_is_unreadable(error_of(function))


NO_LOGIN = {
    "no email": {"email": ABSENT},
    "email null": {"email": None},
    "email list": {"email": [ADDRESS]},
    "somebody else": {"email": STRANGER},
    "longer": {"email": f"{ADDRESS}.evil.example"},
    "space before": {"email": f" {ADDRESS}"},
    "space after": {"email": f"{ADDRESS} "},
    "no type": {"type": ABSENT},
    "registration": {"type": "register"},
    "registration with message": {"type": "register", "message": "Oeps"},
    "capitals": {"type": "LOGIN"},
    "type list": {"type": ["login"]},
    "no login": {"appLogin": ABSENT},
    "login null": {"appLogin": None},
    "login list": {"appLogin": [APP_LOGIN]},
    "login text": {"appLogin": "validated"},
    "no status": {"appLogin": {"_id": "1"}},
    "pending": {"appLogin": {"status": "pending"}},
    "status null": {"appLogin": {"status": None}},
    "status true": {"appLogin": {"status": True}},
    "status list": {"appLogin": {"status": ["validated"]}},
    "status object": {"appLogin": {"status": {"validated": True}}},
    "no token": {"token": ABSENT},
    "token null": {"token": None},
    "token null with message": {"token": None, "message": "Oeps"},
    "token number": {"token": 12345},
    "token list": {"token": [TOKEN]},
    "token empty": {"token": ""},
    "token blank": {"token": " "},
    "token in two lines": {"token": f"{TOKEN}\n{TOKEN}"},
    "token with a nul": {"token": f"{TOKEN}\0"},
    "token with a letter": {"token": "\u00e4"},
    "token with a surrogate": {"token": "\ud800"},
    "token too long": {"token": "x" * 8193},
}


@pytest.mark.parametrize("changes", NO_LOGIN.values(), ids=NO_LOGIN)
def test_an_answer_that_is_no_login_cannot_be_read(upstream, changes):
    answer(upstream, {"data": login(**changes)})

    assert_is_unreadable(error_of(check))


def test_the_address_in_the_answer_may_have_another_case(upstream):
    answer(upstream, login(email=ADDRESS.upper()))

    identity = check().identity

    assert (identity.uid, identity.email) == (UID, ADDRESS)


@pytest.mark.parametrize(
    "content",
    [{"message": "2FA required"}, login(token=ABSENT, message=["2FA"])],
    ids=["message", "login"],
)
@pytest.mark.parametrize("wrap", [dict, lambda each: {"data": each}], ids=["", "data"])
def test_a_second_factor_refuses_the_login(upstream, content, wrap):
    answer(upstream, wrap(content))

    assert type(error_of(check)) is LoginRefused


NO_SECOND_FACTOR = {
    "no success": {"success": False, "message": "Wrong"},
    "no success, data": {"success": False, "data": {"message": "Wrong"}},
    "no success, word": {"success": False, "error": "Wrong"},
    "new word": {"code": "wrong_otp", "message": "403:wrong_otp"},
    "new word, data": {"data": {"code": "wrong_otp", "message": "403:wrong_otp"}},
}


@pytest.mark.parametrize("content", NO_SECOND_FACTOR.values(), ids=NO_SECOND_FACTOR)
def test_an_error_with_a_status_of_success_is_a_wrong_code(upstream, content):
    answer(upstream, content)

    assert type(error_of(check)) is CodeRejected


def test_a_message_beside_a_token_is_a_login(upstream):
    answer(upstream, login(message="Welcome"))

    assert check().identity.uid == UID


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("status", [None, 200, 401, 429, 500, 503])
def test_a_word_for_a_wrong_code_goes_before_the_status(upstream, word, status):
    answer(upstream, {**LOGIN, "code": word}, status or WORDS[word])

    assert type(error_of(check)) is CodeRejected


@pytest.mark.parametrize("status", [200, 400, 401, 409, 500])
def test_a_missing_parameter_is_for_the_operator(upstream, status):
    answer(upstream, {"code": "MissingParameter", "message": "Oeps"}, status)

    error = error_of(check)

    assert type(error) is ProviderRefused
    assert (error.status, error.may_depend_on_contact) == (status, False)


@pytest.mark.parametrize("status", WORDS.values())
def test_an_error_with_another_word_is_a_wrong_code(upstream, status):
    answer(upstream, {"code": "SOMETHING_NEW"}, status)

    assert type(error_of(check)) is CodeRejected


OTHER_CODES = {
    "list": ["otp_does_not_match"],
    "object": {"otp_does_not_match": 1},
    "number": 403,
    "float": 403.5,
    "true": True,
    "null": None,
    "capitals": "OTP_DOES_NOT_MATCH",
}


EACH_OTHER_CODE = pytest.mark.parametrize("code", OTHER_CODES.values(), ids=OTHER_CODES)
EACH_ERROR_STATUS = pytest.mark.parametrize(
    ("status", "error"), [(403, CodeRejected), (500, ProviderUnavailable)]
)


@EACH_OTHER_CODE
@EACH_ERROR_STATUS
def test_a_code_that_is_no_known_word_leaves_the_status_to_decide(
    upstream, code, status, error
):
    answer(upstream, {"code": code}, status)

    assert type(error_of(check)) is error


@EACH_OTHER_CODE
def test_a_code_that_is_no_known_word_does_not_end_a_login(upstream, code):
    answer(upstream, login(code=code))

    assert check().identity.uid == UID


@EACH_ERROR_STATUS
def test_a_login_with_a_status_of_an_error_is_none(upstream, status, error):
    answer(upstream, LOGIN, status)

    assert type(error_of(check)) is error


HINTS = {
    "true": (True, "face_liveness"),
    "false": (False, ""),
    "text": ("true", ""),
    "one": (1, ""),
    "float": (1.0, ""),
    "list": ([True], ""),
    "null": (None, ""),
    "absent": (ABSENT, ""),
}


@pytest.mark.parametrize(("value", "hint"), HINTS.values(), ids=HINTS)
def test_only_true_is_a_hint(upstream, value, hint):
    answer(upstream, {"data": login(showFaceLivenessRecommendation=value)})

    assert check().hint == hint


def test_each_login_has_another_id_but_the_same_uid(upstream):
    uids = set()
    for number in range(3):
        answer(upstream, login(appLogin={**APP_LOGIN, "_id": f"674ddbf{number}"}))
        uids.add(check().identity.uid)

    assert uids == {UID}


@pytest.mark.parametrize("spelling", [ADDRESS, ADDRESS.upper(), "Ann@example.com"])
def test_all_spellings_of_an_address_have_the_same_uid(upstream, spelling):
    answer(upstream, LOGIN)

    identity = check(recipient=spelling).identity

    assert (identity.uid, identity.email) == (UID, spelling)


def test_another_address_has_another_uid(upstream):
    answer(upstream, login(email=STRANGER))

    assert check(recipient=STRANGER).identity.uid != UID


def test_another_project_has_another_uid_but_another_flow_has_not(upstream):
    answer(upstream, LOGIN)

    assert check(project=APP_LOGIN["project"]).identity.uid != UID
    assert check(flow=APP_LOGIN["projectFlow"]).identity.uid == UID


def test_the_uid_does_not_depend_on_the_secret_key(upstream, settings):
    answer(upstream, LOGIN)
    settings.SECRET_KEY = sinks.SECRET_KEY

    assert check().identity.uid == UID


def test_the_uid_fits_into_its_column():
    assert Contact._meta.get_field("uid").max_length == len(UID)


def test_two_logins_in_two_spellings_are_one_contact(upstream, unlimited, db):
    for spelling in (ADDRESS, "ANN@Example.COM"):
        browser = Client()
        ask_for_code(browser, spelling)
        assert type_code(browser, upstream.code).url == "/members/"

    assert User.objects.count() == Contact.objects.count() == 1
    assert Contact.objects.get().uid == UID


@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::7"])
def test_the_client_address_is_a_sixth_field_of_a_send(upstream, address):
    send(visitor=Visitor(address=address))

    sent = upstream.requests[0].members
    assert sent[5:] == [("ipAddress", address)]


CLIENT_ADDRESSES = {
    "203.0.113.9": ["203.0.113.9"],
    "2001:db8::7": ["2001:db8::7"],
    "2001:DB8:0::7": ["2001:db8::7"],
    "fe80::1%evil text": ["fe80::1"],
    "::ffff:203.0.113.9": ["203.0.113.9"],
    "[2001:db8::7]:443": ["2001:db8::7"],
    "unix:": [],
    "": [],
}


@pytest.mark.parametrize("found", CLIENT_ADDRESSES)
@pytest.mark.parametrize("is_on", [False, True], ids=["off", "on"])
@pytest.mark.django_db
def test_the_option_tells_the_client_address(client, upstream, found, is_on):
    options = {**OPTIONS, "send_client_address": is_on}
    with override_settings(PIGGY_VERIFY_PROVIDER_OPTIONS=options):
        client.post("/login/", {"email": ADDRESS}, REMOTE_ADDR=found)
        type_code(client, upstream.code)

    sent, checked = upstream.requests
    told = [value for name, value in sent.members if name == "ipAddress"]
    assert told == (CLIENT_ADDRESSES[found] if is_on else [])
    assert "ipAddress" not in dict(checked.members)


def test_without_a_request_no_client_address_is_told(upstream, settings, db):
    options = {**OPTIONS, "send_client_address": True}
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = options

    verification.send_code(ADDRESS)

    assert len(upstream.requests[0].members) == 5


BAD_KEYS = ["a\r\nX: y", "a\nb", "a\n", " ", "\u00e4"]


@pytest.mark.parametrize("key", BAD_KEYS, ids=ascii)
@pytest.mark.parametrize("function", [send, check])
def test_a_key_that_fits_into_no_header_is_refused(upstream, settings, function, key):
    settings.PIGGY_VERIFY_API_KEY = key

    error = error_of(function)

    assert (type(error), error.may_depend_on_contact) == (ProviderRefused, False)
    assert upstream.connections == 0


MARK = "marked-option"
BAD_OPTIONS = {
    "no project": ({"flow": FLOW}, "project"),
    "no flow": ({"project": PROJECT}, "flow"),
    "nothing": ({}, "project"),
    "project none": ({**OPTIONS, "project": None}, "project"),
    "project blank": ({**OPTIONS, "project": " "}, "project"),
    "project bytes": ({**OPTIONS, "project": MARK.encode()}, "project"),
    "project list": ({**OPTIONS, "project": [MARK]}, "project"),
    "project in two lines": ({**OPTIONS, "project": f"{MARK}\n"}, "project"),
    "project too long": ({**OPTIONS, "project": MARK * 99}, "project"),
    "flow number": ({**OPTIONS, "flow": 4711}, "flow"),
    "misspelt": ({**OPTIONS, "tokenLifetime": MARK}, "tokenLifetime"),
    "called self": ({**OPTIONS, "self": MARK}, "self"),
    "lifetime text": ({**OPTIONS, "token_lifetime": MARK}, "token_lifetime"),
    "lifetime zero": ({**OPTIONS, "token_lifetime": 0}, "token_lifetime"),
    "lifetime true": ({**OPTIONS, "token_lifetime": True}, "token_lifetime"),
    "lifetime float": ({**OPTIONS, "token_lifetime": 4711.5}, "token_lifetime"),
    "lifetime endless": ({**OPTIONS, "token_lifetime": 10**9}, "token_lifetime"),
    "address text": ({**OPTIONS, "send_client_address": MARK}, "send_client_address"),
    "address one": ({**OPTIONS, "send_client_address": 1}, "send_client_address"),
    "name list": ({**OPTIONS, "name": [MARK]}, "name"),
    "name none": ({**OPTIONS, "name": None}, "name"),
    "name too long": ({**OPTIONS, "name": MARK * 5}, "name"),
    "name with a surrogate": ({**OPTIONS, "name": f"{MARK}\ud800"}, "name"),
}
EACH_BAD_OPTION = pytest.mark.parametrize(
    ("options", "name"), BAD_OPTIONS.values(), ids=BAD_OPTIONS
)


@EACH_BAD_OPTION
def test_a_check_names_an_option_but_not_its_value(upstream, settings, options, name):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = options

    found = [each for each in run_checks() if each.id == "piggy_verify.E013"]

    assert found
    assert f"option '{name}'" in found[0].msg
    assert not re.search(f"{MARK}|4711", f"{[vars(each) for each in found]}")


def test_good_options_are_no_problem(upstream, settings):
    more = {"name": "shop", "token_lifetime": 1, "send_client_address": True}
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {**OPTIONS, **more}

    provider = get_provider()

    assert isinstance(provider, VerifikProvider)
    assert (provider.name, [*provider.problems()]) == ("shop", [])


@pytest.fixture
def begun(client, upstream, db):
    """A browser that got a code while the options were good."""
    ask_for_code(client)
    return client


def each_page(begun, late):
    """Visit all pages: with the code in one browser, from the start in the other."""
    return [
        late.get("/login/"),
        ask_for_code(late, STRANGER),
        late.get("/login/code/"),
        type_code(begun, f"{CODE}0"),
        begun.post("/login/code/resend/"),
        begun.get("/login/code/"),
        begun.post("/login/cancel/"),
    ]


@EACH_BAD_OPTION
def test_no_page_fails_because_of_an_option(begun, settings, caplog, options, name):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = options

    statuses = [each.status_code for each in each_page(begun, Client())]

    assert statuses == [200, 302, 503, 503, 503, 200, 302]
    told = {each.levelname for each in caplog.records if name in each.getMessage()}
    assert told == {"ERROR"}
    assert not re.search(f"{MARK}|4711", caplog.text)


def test_no_page_fails_for_scripts_because_of_an_option(begun, upstream, settings):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {}
    late = Client(headers=JSON)
    begun.defaults.update(late.defaults)

    statuses = [each.status_code for each in each_page(begun, late)]

    assert statuses == [200, 202, 503, 503, 503, 200, 204]
    assert upstream.names == ["send"]


def test_the_refusal_of_an_option_does_not_depend_on_the_contact(upstream):
    error = error_of(send, flow=None)

    assert type(error) is ProviderRefused
    assert str(error) == "the options cannot be used: the option 'flow' is missing"
    assert not error.may_depend_on_contact
    assert upstream.connections == 0


# The vendor's samples of the answer to a send contain the code.
CODE_NUMBER = 8846329170
TELLING = {
    "text": {"data": {"otp": CODE, "status": "sent"}},
    "number": {"data": {"otp": CODE_NUMBER, "verificationCode": CODE_NUMBER}},
    "nested": {"data": {"emailData": [{"authLink": f"/?otp={CODE}"}, [CODE_NUMBER]]}},
    "float": {"data": {"otp": float(CODE_NUMBER)}},
    "flat": {"otp": CODE_NUMBER, "verificationCode": CODE},
    "unreadable": {"data": [CODE, CODE_NUMBER]},
    "error": {"message": CODE, "code": CODE_NUMBER},
}
WRITTEN = [*sinks.shapes(CODE), str(CODE_NUMBER), f"{CODE_NUMBER:x}"]


@pytest.fixture
def evidence(db, capsys):
    with sinks.watching(capsys) as gathered:
        yield gathered


@pytest.mark.parametrize("content", TELLING.values(), ids=TELLING)
@pytest.mark.parametrize("status", [200, 409, 500])
def test_a_code_in_the_answer_to_a_send_is_shown_nowhere(
    upstream, evidence, content, status
):
    answer(upstream, content, status, call="send")
    browser = sinks.Browser(evidence)
    ask_for_code(browser)
    browser.get("/login/code/")
    if status != 200:
        evidence.error(error_of(send))

    assert upstream.names[0] == "send"
    assert evidence.leaks == set()
    assert [each for each in WRITTEN if each in told_by(evidence)] == []


def told_by(evidence):
    return "\n".join(map(evidence.of, evidence.sinks))


LAYERS = {
    "error": ({"code": "SOMETHING_NEW", "otp": CODE, "token": TOKEN}, 500),
    "rejection": ({"code": "INVALID_CODE", "error": CODE}, 400),
    "list": ([TOKEN, CODE], 200),
    "no login": (login(type=TOKEN), 200),
    "token in two lines": (login(token=f"{TOKEN}\n"), 200),
    "second factor": (login(token=ABSENT, message=TOKEN), 200),
    "refused": ({"code": "MissingParameter", "message": f"{CODE} {KEY}"}, 409),
}


@pytest.mark.parametrize(("content", "status"), LAYERS.values(), ids=LAYERS)
def test_the_debug_page_of_a_failed_check_shows_no_secret(upstream, content, status):
    answer(upstream, content, status)

    page = debug_page(check)

    assert "in check_code" in page
    assert secrets_in(page) == []


CRASHES = [
    *("calls.call", "calls.token_in", "verifik._content", "verifik._error_in"),
    *("base.Identity", "base.TokenSet", "verifik.Proof", "options.Options.require"),
]


@pytest.mark.parametrize("place", CRASHES)
def test_no_crash_at_a_check_shows_a_secret(upstream, evidence, monkeypatch, place):
    def crash(*args, **kwargs):
        evidence.note("errors", *map(sinks.shown, [*args, *kwargs.values()]))
        raise ArithmeticError("broken on purpose")

    browser = sinks.Browser(evidence)
    ask_for_code(browser)
    shapes = tuple(sinks.shapes(upstream.code))
    monkeypatch.setitem(sinks.SHAPES, "mailed code", shapes)
    monkeypatch.setattr(f"django_piggy_verify.providers.{place}", crash)
    type_code(browser, upstream.code)

    assert "broken on purpose" in evidence.of("errors")
    assert evidence.leaks == set()


NAMES = st.sampled_from(
    ["data", "code", "message", "email", "type", "appLogin", "status", "token", "otp"]
)
LEAVES = st.one_of(
    st.none() | st.booleans() | st.text(max_size=9),
    st.sampled_from([0, 1, 404, 1.5, 10**400, float("nan"), float("inf")]),
    st.sampled_from([ADDRESS, ADDRESS.upper(), STRANGER, "login", "validated"]),
    st.sampled_from([TOKEN, "", " ", "\ud800", "\0", "MissingParameter", *WORDS]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner),
    max_leaves=6,
)
CHANGED = st.dictionaries(NAMES, VALUES).map(lambda changes: {**LOGIN, **changes})
CONTENTS = VALUES | CHANGED | st.fixed_dictionaries({"data": CHANGED | VALUES})


@pytest.mark.parametrize("function", [send, check])
@hypothesis_settings(thorough, max_examples=150)
@given(given_answer=answers(CONTENTS.map(json.dumps)))
@example(given_answer=(json.dumps(LOGIN).encode(), 299, "text/html"))
@example(given_answer=(json.dumps({"data": LOGIN}).encode("utf-16"), 200, ""))
def test_any_response_is_a_success_or_an_error_of_ours(
    upstream, function, given_answer
):
    body, status, media_type = given_answer
    answered = reply(body, status, Content_Type=media_type)
    upstream.answers |= {"send": answered, "check": answered}

    try:
        result = function()
    except PiggyVerifyError as raised:
        assert_has_its_reason(raised, function, body, status)
    else:
        assert 200 <= status < 300
        assert_is_what_was_sent(result, json.loads(body))


def assert_has_its_reason(error, function, body, status):
    if isinstance(error, ProviderError):
        is_missing = "MissingParameter" in body.decode("latin-1").replace("\0", "")
        is_open = status in {401, 429, 502, 503, 504} or is_missing
        assert error.may_depend_on_contact or is_open
    else:
        assert function is check
        assert isinstance(json.loads(body), dict)
        assert isinstance(error, CodeRejected) or 200 <= status < 300


def assert_is_what_was_sent(result, body):
    content = body.get("data", body)
    assert isinstance(content, dict)
    if isinstance(result, Proof):
        assert content["email"].lower() == ADDRESS
        assert content["type"] == "login"
        assert content["appLogin"]["status"] in {"validated", "completed"}
        assert result.tokens
        assert content["token"] == result.tokens.access
        assert re.fullmatch(r"[!-~]{1,8192}", result.tokens.access)
        assert result.identity.uid == UID
    else:
        assert result == Challenge(recipient=ADDRESS)
