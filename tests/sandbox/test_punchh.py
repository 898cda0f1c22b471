"""Check the rules of the emulated API of Punchh over real HTTP."""

import hashlib
import hmac
import json
from datetime import timedelta
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
import time_machine
from django.utils import timezone

from django_piggy_verify.sandbox import Fault, Sandbox
from django_piggy_verify.sandbox.blocks import DURATION, FAILURES, WINDOW
from django_piggy_verify.sandbox.server import SandboxServer
from django_piggy_verify.sandbox.vendors.punchh import ERRORS
from tests.steps import NUMBER

EMAIL = "ann@example.com"
BY_PHONE = {"email": None, "phone_ext": "+31", "phone_number": "612345678"}

# The example of RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

PROFILE = "api2/mobile/users/profile"
HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "User-Agent": "Punchh/OnlineOrder/1.0/Web/Server/Python",
    "punchh-app-device-id": "0" * 32,
    "client-type": "online_ordering",
}
CONSENTS = {
    "terms_and_conditions": "Please agree on given terms and conditions",
    "privacy_policy": "Please agree on given privacy policy",
}
FIELDS = {
    "client": "shop",
    "email": EMAIL,
    **dict.fromkeys(CONSENTS, True),
}


class Client:
    """A client of the API. None leaves a field or a header out."""

    def __init__(self, server):
        self.server = server
        self.status = 0

    def call(self, method, path, body, headers):
        connection = HTTPConnection(urlsplit(self.server.url).netloc, timeout=5)
        headers = {name: value for name, value in headers.items() if value is not None}
        path = urlsplit(f"{self.server.url_of('punchh')}/{path}").path
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        self.status, content = response.status, response.read()
        connection.close()
        is_json = response.headers["Content-Type"] == "application/json"
        return json.loads(content) if is_json else content.decode()

    def post(self, verb, fields, headers=None):
        fields = {name: value for name, value in fields.items() if value is not None}
        body = json.dumps(fields).encode()
        headers = {**HEADERS, **(headers or {})}
        return self.call("POST", f"api2/password_less/{verb}", body, headers)

    def send(self, headers=None, **changes):
        own = {"validation_method": "otp", "code_challenge": CHALLENGE}
        return self.post("token", {**FIELDS, **own, **changes}, headers)

    def verify(self, code, headers=None, **changes):
        own = {"token": code, "code_verifier": VERIFIER}
        return self.post("verify", {**FIELDS, **own, **changes}, headers)

    def refresh(self, token, **changes):
        return self.post(
            "refresh_token", {"client": "shop", "refresh_token": token, **changes}
        )

    def profile(self, access, body=b'{"client":"shop"}', digest=None):
        if digest is None:
            signed = f"/{PROFILE}".encode() + body
            digest = hmac.new(b"secret", signed, hashlib.sha256).hexdigest()
        own = {"Authorization": f"Bearer {access}", "x-pch-digest": digest}
        return self.call("GET", PROFILE, body, {**HEADERS, **own})


@pytest.fixture
def sandbox():
    return Sandbox(client_id="shop", client_secret="secret")


@pytest.fixture
def client(sandbox):
    with SandboxServer(sandbox) as server:
        yield Client(server)


@pytest.fixture
def login(client, sandbox):
    """Return a function that logs a person in, and returns the tokens."""

    def login(recipient=EMAIL, **fields):
        client.send(**fields)
        return client.verify(sandbox.last_code(recipient), **fields)["data"]

    return login


def word(answered):
    [word] = answered["errors"]
    return word


def wrong(sandbox, recipient=EMAIL):
    return "000000" if sandbox.last_code(recipient) != "000000" else "111111"


def ahead(**duration):
    return time_machine.travel(timezone.now() + timedelta(**duration))


# Codes


def test_a_code_is_mailed_to_anybody(client, sandbox):
    client.send()

    [mail] = sandbox.mails
    assert client.status == 200
    assert (mail.recipient, mail.channel) == (EMAIL, "email")
    assert [(each.vendor, each.name) for each in sandbox.calls] == [("punchh", "send")]


def test_a_code_is_texted_to_a_number(client, sandbox):
    client.send(**BY_PHONE)

    [text] = sandbox.mails
    assert (text.recipient, text.channel) == (NUMBER, "sms")
    assert sandbox.last_code(NUMBER) == text.code


def test_a_right_code_brings_tokens(client, login):
    data = login()

    assert client.status == 200
    assert data["token_type"] == "Bearer"
    assert data["expires_in"] == 1800
    assert data["access_token"] != data["refresh_token"]


@pytest.mark.parametrize(
    ("recipient", "fields"),
    [pytest.param(EMAIL, {}, id="email"), pytest.param(NUMBER, BY_PHONE, id="phone")],
)
def test_the_first_code_of_a_person_makes_the_person(
    client, sandbox, login, recipient, fields
):
    access = login(recipient, **fields)["access_token"]

    [person] = sandbox.contacts
    assert person.recipient == recipient
    assert client.profile(access)["user"]["user_id"] == person.user_id > 0


def test_a_person_keeps_the_id(client, login):
    ids = [client.profile(login()["access_token"])["user"]["user_id"] for _ in "12"]

    assert ids[0] == ids[1]


def test_two_people_have_two_ids(client, sandbox, login):
    login()
    login(NUMBER, **BY_PHONE)

    ann, other = sandbox.contacts
    assert ann.user_id != other.user_id


def test_a_person_with_both_has_one_id(client, sandbox, login):
    ann = sandbox.add_contact(EMAIL, phone=NUMBER)

    tokens = login(), login(NUMBER, **BY_PHONE)

    ids = [client.profile(each["access_token"])["user"]["user_id"] for each in tokens]
    assert ids == [ann.user_id, ann.user_id]


def test_a_sandbox_that_starts_again_gives_a_person_the_same_id(sandbox):
    before = sandbox.add_contact(EMAIL).user_id
    sandbox.reset()
    sandbox.add_contact(phone=NUMBER)

    assert sandbox.add_contact(EMAIL).user_id == before


def test_a_used_code_is_refused(client, sandbox, login):
    login()

    assert word(client.verify(sandbox.last_code(EMAIL))) == "invalid_otp"
    assert client.status == 422


def test_a_used_code_stays_good_if_so_switched(client, sandbox, login):
    sandbox.switches.reuse_codes = True
    login()

    client.verify(sandbox.last_code(EMAIL))
    assert client.status == 200


def test_a_wrong_code_uses_nothing_up(client, sandbox):
    client.send()

    assert word(client.verify(wrong(sandbox))) == "invalid_otp"
    client.verify(sandbox.last_code(EMAIL))
    assert client.status == 200


def test_an_expired_code_is_refused(client, sandbox):
    client.send()

    with ahead(seconds=sandbox.code_lifetime + 1):
        assert word(client.verify(sandbox.last_code(EMAIL))) == "invalid_otp"


def test_a_code_that_was_never_sent_is_refused(client):
    assert word(client.verify("123456")) == "invalid_otp"


# The same person, who can prove to have asked


def test_another_verifier_is_refused(client, sandbox):
    client.send()
    code = sandbox.last_code(EMAIL)

    answered = client.verify(code, code_verifier=VERIFIER[::-1])

    assert word(answered) == "invalid_code_verifier"
    client.verify(code)
    assert client.status == 200


def test_the_verifier_must_be_that_of_the_newest_send(client, sandbox):
    client.send()
    client.send(code_challenge="another")

    answered = client.verify(sandbox.last_code(EMAIL))

    assert word(answered) == "invalid_code_verifier"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"email": "bob@example.com"}, id="email"),
        pytest.param(BY_PHONE, id="number"),
    ],
)
def test_the_code_of_somebody_else_is_refused(client, sandbox, changes):
    client.send()

    answered = client.verify(sandbox.last_code(EMAIL), **changes)

    assert word(answered) == "invalid_otp"


def test_a_number_must_be_split_as_in_the_send(client, sandbox):
    client.send(**BY_PHONE)
    other = {"phone_ext": "+316", "phone_number": "12345678"}

    answered = client.verify(sandbox.last_code(NUMBER), **BY_PHONE | other)

    assert word(answered) == "invalid_otp"


def test_the_case_of_an_address_does_not_matter(client, sandbox):
    client.send(email="ANN@example.com")

    client.verify(sandbox.last_code(EMAIL))
    assert client.status == 200


# What a call must have


@pytest.mark.parametrize("verb", ["send", "verify"])
@pytest.mark.parametrize("value", [None, False, "true", 1])
@pytest.mark.parametrize("name", CONSENTS)
def test_each_consent_must_be_true(client, verb, name, value):
    code = {"code": "123456"} if verb == "verify" else {}

    answered = getattr(client, verb)(**code, **{name: value})

    assert (client.status, answered["errors"]) == (422, {name: [CONSENTS[name]]})


def test_both_consents_may_be_missing(client):
    answered = client.send(terms_and_conditions=False, privacy_policy=False)

    assert len(answered["errors"]) == 2


@pytest.mark.parametrize("verb", ["send", "verify"])
def test_a_call_without_user_agent_is_refused(client, verb):
    code = {"code": "123456"} if verb == "verify" else {}

    answered = getattr(client, verb)(**code, headers={"User-Agent": None})

    assert (client.status, word(answered)) == (403, "missing_user_agent")


@pytest.mark.parametrize(
    ("verb", "header"),
    [
        ("send", "Accept"),
        ("send", "Content-Type"),
        ("send", "punchh-app-device-id"),
        ("verify", "punchh-app-device-id"),
        ("verify", "client-type"),
    ],
)
def test_a_header_must_be_there(client, verb, header):
    code = {"code": "123456"} if verb == "verify" else {}

    answered = getattr(client, verb)(**code, headers={header: None})

    assert (client.status, word(answered)) == (400, "missing_required_param")


def test_a_send_needs_no_client_type(client):
    client.send(headers={"client-type": None})

    assert client.status == 200


def test_another_client_type_is_refused(client):
    answered = client.verify("123456", headers={"client-type": "iframe_sso"})

    assert word(answered) == "missing_required_param"


@pytest.mark.parametrize("value", [None, "", 17])
@pytest.mark.parametrize(
    ("verb", "name"),
    [
        ("send", "client"),
        ("send", "email"),
        ("send", "code_challenge"),
        ("send", "validation_method"),
        ("verify", "client"),
        ("verify", "email"),
        ("verify", "code"),
        ("verify", "code_verifier"),
        ("refresh", "token"),
        ("refresh", "client"),
    ],
)
def test_a_field_must_be_there(client, verb, name, value):
    arguments = {"send": {}, "verify": {"code": "1"}, "refresh": {"token": "1"}}[verb]

    answered = getattr(client, verb)(**{**arguments, name: value})

    assert (client.status, word(answered)) == (400, "missing_required_param")


def test_another_method_than_a_code_is_refused(client):
    assert word(client.send(validation_method="link")) == "missing_required_param"


def test_another_client_is_unknown(client):
    assert word(client.send(client="other")) == "unknown_client"
    assert client.status == 401


@pytest.mark.parametrize("address", ["ann", "a b@c", "31612345678@phone.punchh.com"])
def test_an_address_that_gets_no_mail_is_refused(client, address):
    assert word(client.send(email=address)) == "invalid_email_format"
    assert client.status == 422


@pytest.mark.parametrize(
    ("ext", "number"),
    [("31", "612345678"), ("+31", ""), ("", "612345678"), ("+31", "6 12345678")],
)
def test_a_number_that_is_none_is_refused(client, ext, number):
    answered = client.send(email=None, phone_ext=ext, phone_number=number)

    assert (client.status, word(answered)) == (422, "invalid_phone_format")


# Wrong codes from one client address


def check_wrong(client, sandbox, times, headers=None):
    return [client.verify(wrong(sandbox), headers) for _ in range(times)][-1]


def test_after_ten_wrong_codes_an_address_is_blocked_for_an_hour(client, sandbox):
    client.send()
    headers = {"x_true_client_ip": "192.0.2.1"}
    assert word(check_wrong(client, sandbox, FAILURES, headers)) == "invalid_otp"

    answered = client.verify(sandbox.last_code(EMAIL), headers)
    assert client.status == 403
    assert answered.startswith("<!DOCTYPE html>")
    client.send(headers)
    assert client.status == 403
    with ahead(seconds=DURATION.total_seconds() + 1):
        client.send(headers)
    assert client.status == 200


def test_nine_wrong_codes_block_nobody(client, sandbox):
    client.send()
    check_wrong(client, sandbox, FAILURES - 1)

    client.verify(sandbox.last_code(EMAIL))
    assert client.status == 200


def test_other_addresses_are_not_blocked(client, sandbox):
    client.send()
    other = {"x_true_client_ip": "192.0.2.2"}

    check_wrong(client, sandbox, FAILURES, {"x_true_client_ip": "192.0.2.1"})
    check_wrong(client, sandbox, FAILURES - 1, other)

    client.verify(sandbox.last_code(EMAIL), other)
    assert client.status == 200


def test_requests_without_an_address_are_counted_together(client, sandbox):
    client.send()
    check_wrong(client, sandbox, FAILURES)

    client.send(email="bob@example.com")
    assert client.status == 403


def test_ten_wrong_codes_in_a_longer_time_block_nobody(client, sandbox):
    sandbox.code_lifetime = 3600
    client.send()
    check_wrong(client, sandbox, FAILURES - 1)

    with ahead(seconds=WINDOW.total_seconds() + 1):
        check_wrong(client, sandbox, 1)
        client.verify(sandbox.last_code(EMAIL))
    assert client.status == 200


def test_a_reset_lifts_the_block(client, sandbox):
    client.send()
    check_wrong(client, sandbox, FAILURES)

    sandbox.reset()

    client.send()
    assert client.status == 200


# Tokens


def test_a_refresh_token_brings_two_new_tokens(client, login):
    first = login()

    second = client.refresh(first["refresh_token"])["data"]

    assert second["expires_in"] == 1800
    assert len({*first.values(), *second.values()}) == 6
    assert "user" in client.profile(second["access_token"])


def test_a_used_refresh_token_revokes_all_tokens_of_the_login(client, login):
    first = login()
    second = client.refresh(first["refresh_token"])["data"]

    answered = client.refresh(first["refresh_token"])
    assert (client.status, word(answered)) == (401, "blacklisted_token")
    assert word(client.refresh(second["refresh_token"])) == "blacklisted_token"
    assert word(client.profile(second["access_token"])) == "unauthorized"


def test_another_login_keeps_its_tokens(client, login):
    first, other = login(), login()
    client.refresh(first["refresh_token"])
    client.refresh(first["refresh_token"])

    assert "data" in client.refresh(other["refresh_token"])


@pytest.mark.parametrize("name", ["access_token", "other"])
def test_other_tokens_cannot_be_refreshed(client, login, name):
    token = login().get(name, "made up")

    assert word(client.refresh(token)) == "blacklisted_token"


def test_an_access_token_expires(client, sandbox, login):
    sandbox.token_lifetime = 60.0
    tokens = login()

    assert tokens["expires_in"] == 60
    with ahead(seconds=59):
        assert "user" in client.profile(tokens["access_token"])
    with ahead(seconds=61):
        assert word(client.profile(tokens["access_token"])) == "unauthorized"
    assert client.status == 401


def test_a_refresh_token_opens_no_profile(client, login):
    assert word(client.profile(login()["refresh_token"])) == "unauthorized"


def test_a_removed_person_has_no_profile(client, sandbox, login):
    access = login()["access_token"]
    sandbox.remove_contact(EMAIL)

    assert word(client.profile(access)) == "deactivated_user"


def test_a_reset_forgets_the_tokens(client, sandbox, login):
    tokens = login()

    sandbox.reset()

    assert word(client.refresh(tokens["refresh_token"])) == "blacklisted_token"
    assert word(client.profile(tokens["access_token"])) == "unauthorized"


# The digest of the profile call


def test_the_profile_says_who_it_is(client, sandbox, login):
    sandbox.add_contact(EMAIL, phone=NUMBER)

    user = client.profile(login()["access_token"])["user"]

    assert user["email"] == EMAIL
    assert user["phone"] == NUMBER


@pytest.mark.parametrize("digest", ["", "0" * 64, "not ascii: é"])
def test_another_digest_is_refused(client, login, digest):
    answered = client.profile(login()["access_token"], digest=digest)

    assert (client.status, word(answered)) == (412, "invalid_signature")


def test_the_digest_is_over_a_body_without_white_space(client, login):
    answered = client.profile(login()["access_token"], b'{"client": "shop"}')

    assert word(answered) == "invalid_signature"


def test_the_digest_of_another_body_is_refused(client, login):
    access = login()["access_token"]
    body = b'{"client":"shop","more":1}'
    digest = hmac.new(b"secret", f"/{PROFILE}".encode(), hashlib.sha256).hexdigest()

    assert word(client.profile(access, body, digest)) == "invalid_signature"


def test_a_profile_call_of_another_client_is_refused(client, login):
    access = login()["access_token"]

    assert word(client.profile(access, b'{"client":"other"}')) == "unknown_client"


# Failures


def test_the_next_profile_calls_can_fail(client, sandbox, login):
    access = login()["access_token"]
    sandbox.switches.failing_profiles = 2

    statuses = []
    for _ in range(3):
        client.profile(access)
        statuses.append(client.status)
    assert statuses == [500, 500, 200]


def test_a_firewall_can_take_us_for_a_robot(client, sandbox):
    sandbox.switches.fault = Fault.BLOCKED

    answered = client.send()

    assert client.status == 403
    assert answered.startswith("<!DOCTYPE html>")
    assert not sandbox.mails


@pytest.mark.parametrize("name", ERRORS)
def test_each_error_can_be_switched_on(client, sandbox, name):
    sandbox.switches.error_code = name

    status, text = ERRORS[name]
    assert client.send() == {"errors": {name: [text]}}
    assert client.status == status


def test_an_error_can_be_switched_on_for_one_call(client, sandbox, login):
    sandbox.switches.error_code = "not_available"
    sandbox.switches.fault_on = frozenset({"profile"})

    access = login()["access_token"]

    assert word(client.profile(access)) == "not_available"


@pytest.mark.parametrize("error", [7002, "INVALID_CODE"])
def test_an_error_of_another_vendor_is_not_returned(client, sandbox, error):
    sandbox.switches.error_code = error

    client.send()
    assert client.status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "api2/password_less/token"),
        ("POST", PROFILE),
        ("POST", "api2/password_less/sign_out"),
    ],
)
def test_other_paths_and_methods_are_not_found(client, method, path):
    client.call(method, path, b"{}", HEADERS)

    assert client.status == 404


def test_no_secret_is_in_a_repr(client, sandbox, login):
    tokens = login()
    client.refresh(tokens["refresh_token"])

    shown = repr((sandbox, sandbox.mails, sandbox.calls))

    secrets = {sandbox.mails[0].code, VERIFIER, CHALLENGE, *tokens.values()}
    assert not any(str(each) in shown for each in secrets - {"Bearer", 1800})
