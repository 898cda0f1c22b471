"""Check the rules of the emulated API of Verifik over real HTTP."""

import json
from datetime import timedelta

import pytest
import time_machine

from django_piggy_verify.sandbox import Sandbox
from django_piggy_verify.sandbox.server import SandboxServer
from django_piggy_verify.sandbox.vendors.verifik import ATTEMPTS, ERRORS
from tests.sandbox.test_api import Client

EMAIL = "ann@example.com"
PATH = "/verifik/v2/email-validations"
FIELDS = {
    "project": "p",
    "projectFlow": "f",
    "validationMethod": "verificationCode",
    "email": EMAIL,
    "type": "login",
}


@pytest.fixture
def sandbox():
    return Sandbox(api_key="key")


@pytest.fixture
def client(sandbox):
    with SandboxServer(sandbox) as server:
        client = Client(server.url)
        yield client
        client.connection.close()


def post(client, path=PATH, **fields):
    body = json.dumps({**FIELDS, **fields}).encode()
    return client.json("POST", path, body)


def check(client, code, **fields):
    return post(client, f"{PATH}/validate", otp=code, **fields)


def wrong(sandbox):
    return "000000" if sandbox.last_code(EMAIL) != "000000" else "111111"


def test_the_server_knows_the_url_of_the_api(sandbox):
    with SandboxServer(sandbox) as server:
        assert f"{server.url}{PATH}" == f"{server.url_of('verifik')}/email-validations"


def test_a_code_is_mailed_to_anybody(client, sandbox):
    answered = post(client)

    [mail] = sandbox.mails
    assert mail.recipient == EMAIL
    assert answered["success"] is True
    assert answered["data"]["otp"] == mail.code
    assert [(each.vendor, each.name) for each in sandbox.calls] == [("verifik", "send")]


def test_a_right_code_logs_in_with_new_ids_each_time(client, sandbox):
    answers = []
    for _ in range(2):
        post(client)
        answers.append(check(client, sandbox.last_code(EMAIL))["data"])

    first, second = answers
    assert first["email"] == second["email"] == EMAIL
    assert first["appLogin"]["status"] == "validated"
    assert first["appLogin"]["_id"] != second["appLogin"]["_id"]
    assert first["token"] != second["token"]


def test_flat_answers_have_no_envelope(client, sandbox):
    sandbox.switches.flat = True
    post(client)

    assert check(client, sandbox.last_code(EMAIL))["type"] == "login"


def test_a_used_code_is_refused(client, sandbox):
    post(client)
    check(client, sandbox.last_code(EMAIL))

    answered = check(client, sandbox.last_code(EMAIL))
    assert (client.status, answered["code"]) == (404, "email_validation_not_found")


def test_a_code_that_was_never_mailed_is_refused(client):
    answered = check(client, "123456")

    assert (client.status, answered["code"]) == (404, "email_validation_not_found")


def test_an_older_code_is_refused_after_a_resend(client, sandbox):
    post(client)
    older = sandbox.last_code(EMAIL)
    while older == sandbox.last_code(EMAIL):
        post(client)

    answered = check(client, older)
    assert (client.status, answered["code"]) == (403, "otp_does_not_match")


def test_an_expired_code_is_refused(client, sandbox):
    post(client)
    code = sandbox.last_code(EMAIL)

    with time_machine.travel(sandbox.mails[0].expires_at + timedelta(seconds=1)):
        answered = check(client, code)
    assert (client.status, answered["code"]) == (412, "emailValidation_has_expired")


def test_after_three_wrong_codes_the_right_one_is_refused(client, sandbox):
    post(client)
    for _ in range(ATTEMPTS):
        assert check(client, wrong(sandbox))["code"] == "otp_does_not_match"

    answered = check(client, sandbox.last_code(EMAIL))
    assert (client.status, answered["code"]) == (410, "MAX_ATTEMPTS_EXCEEDED")


@pytest.mark.parametrize("field", [*FIELDS, "otp"])
@pytest.mark.parametrize("value", ["", None], ids=["blank", "null"])
def test_a_missing_field_is_an_error(client, field, value):
    answered = post(client, f"{PATH}/validate", **{"otp": "123456", field: value})
    assert (client.status, answered["code"]) == (409, "MissingParameter")


def test_a_text_that_is_no_address_is_an_error(client):
    answered = post(client, email="a\nb")

    assert (client.status, answered["code"]) == (400, "INVALID_EMAIL")
    assert answered["success"] is False


def test_a_wrong_bearer_token_is_refused(client):
    client.bearer = "Bearer other"

    post(client)
    assert client.status == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", PATH), ("POST", f"{PATH}/other"), ("POST", "/verifik/v2/")],
)
def test_other_paths_and_methods_are_not_found(client, method, path):
    client.json(method, path)

    assert client.status == 404


def test_a_second_factor_may_be_wanted(client, sandbox):
    sandbox.switches.second_factor = True
    post(client)

    assert list(check(client, sandbox.last_code(EMAIL))["data"]) == ["message"]


@pytest.mark.parametrize("is_on", [True, False])
def test_a_further_check_may_be_recommended(client, sandbox, is_on):
    sandbox.switches.face_liveness = is_on
    post(client)

    answered = check(client, sandbox.last_code(EMAIL))["data"]
    assert answered["showFaceLivenessRecommendation"] is is_on


@pytest.mark.parametrize(("word", "status"), ERRORS.items())
def test_each_error_can_be_switched_on(client, sandbox, word, status):
    sandbox.switches.error_code = word

    answered = post(client)
    assert (client.status, answered["code"]) == (status, word)


def test_an_error_can_be_switched_on_for_one_call(client, sandbox):
    sandbox.switches.error_code = "INVALID_CODE"
    sandbox.switches.fault_on = frozenset({"verify"})

    post(client)
    assert client.status == 200
    check(client, sandbox.last_code(EMAIL))
    assert client.status == 400


def test_an_error_of_piggy_is_not_returned_by_verifik(client, sandbox):
    sandbox.switches.error_code = 7002

    post(client)
    assert client.status == 200


def test_an_error_of_verifik_is_not_returned_by_piggy(client, sandbox):
    sandbox.add_contact(EMAIL)
    sandbox.switches.error_code = "INVALID_CODE"

    client.send(email=EMAIL)
    assert client.status == 200
