"""Check the rules of the emulated API of Transmit over real HTTP."""

import json
from datetime import timedelta
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
import time_machine
from django.utils import timezone

from django_piggy_verify.sandbox import Attribute, Fault, Sandbox, SandboxUser
from django_piggy_verify.sandbox.server import SandboxServer
from django_piggy_verify.sandbox.vendors.transmit import ATTEMPTS
from django_piggy_verify.sandbox.vendors.transmit_shapes import ERRORS
from tests.steps import NUMBER

EMAIL = "ann@example.com"
OTHER = "ann@example.org"
UID = "user 1/2"
BACK = "https://shop.example/login/connect/link/"
MESSAGE = "{otp} is your code for {app}."

SENDS: dict[str, tuple[str, dict[str, object]]] = {
    "email": ("v1/verification/otp/email/send", {"email": EMAIL}),
    "text": (
        "v1/verification/otp/sms/send",
        {"phone_number": NUMBER, "custom_message": MESSAGE},
    ),
    "link": (
        "v1/verification/links/email",
        {"email": EMAIL, "redirect_uri": BACK, "update_primary": False},
    ),
}
VALIDATES: dict[str, tuple[str, dict[str, object]]] = {
    "email": ("v1/verification/otp/email/validate", {"email": EMAIL}),
    "text": ("v1/verification/otp/sms/validate", {"phone_number": NUMBER}),
}
BY_CODE = pytest.mark.parametrize("by", VALIDATES)
BY_ANY = pytest.mark.parametrize("by", SENDS)


class Client:
    """A client of the API. None leaves a field out."""

    def __init__(self, server):
        self.server = server
        self.token = server.sandbox.sign_in(UID)
        self.status = 0

    def request(self, method, url, body="", headers=None):
        connection = HTTPConnection(urlsplit(self.server.url).netloc, timeout=5)
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, body, headers or {})
        response = connection.getresponse()
        self.status, content = response.status, response.read()
        connection.close()
        self.location = response.headers["Location"]
        is_json = response.headers["Content-Type"] == "application/json"
        return json.loads(content) if is_json else content.decode()

    def call(self, path, fields, method="POST", token=None):
        fields = {name: value for name, value in fields.items() if value is not None}
        headers = {
            "Authorization": f"Bearer {self.token if token is None else token}",
            "Content-Type": "application/json",
        }
        url = f"{self.server.url_of('transmit')}/{path}"
        return self.request(method, url, json.dumps(fields), headers)

    def send(self, by="email", token=None, **changes):
        path, fields = SENDS[by]
        return self.call(path, {**fields, **changes}, token=token)

    def validate(self, passcode, by="email", token=None, **changes):
        path, fields = VALIDATES[by]
        fields = {**fields, "passcode": passcode, **changes}
        return self.call(path, fields, token=token)

    def profile(self, uid="user%201%2F2", token="key"):
        return self.call(f"v1/users/{uid}", {}, "GET", token)

    def follow(self, link):
        self.request("GET", link)
        return self.location


@pytest.fixture
def sandbox():
    return Sandbox(client_id="shop", client_secret="secret")


@pytest.fixture
def client(sandbox):
    with SandboxServer(sandbox) as server:
        yield Client(server)


@pytest.fixture
def code(client, sandbox):
    """A passcode that the user asked for by e-mail."""
    client.send()
    return sandbox.last_code(EMAIL)


@pytest.fixture
def link(client, sandbox):
    """A link that the user asked for."""
    client.send("link")
    return sandbox.last_link(EMAIL)


def recipient(by):
    return NUMBER if by == "text" else EMAIL


def wrong(code):
    return "000000" if code != "000000" else "111111"


def verified(value):
    return Attribute(value, is_verified=True)


def ahead(**duration):
    return time_machine.travel(timezone.now() + timedelta(**duration))


# Sends


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("email", "Email sent successfully"),
        ("text", "SMS sent"),
        ("link", "Verification email sent"),
    ],
)
def test_a_send_is_confirmed(client, sandbox, by, message):
    answered = client.send(by)

    assert (client.status, answered) == (200, {"message": message})
    [mail] = sandbox.mails
    assert (mail.recipient, mail.owner) == (recipient(by), UID)
    assert [(each.vendor, each.name) for each in sandbox.calls] == [
        ("transmit", "send")
    ]


def test_a_text_has_the_message_of_the_request(client, sandbox):
    client.send("text")

    [text] = sandbox.mails
    assert text.text == f"{text.code} is your code for Sandbox."
    assert sandbox.last_code(NUMBER) == text.code


def test_a_link_is_no_code(client, sandbox, link):
    assert link.startswith(f"{client.server.url}/transmit/verify?token=")
    with pytest.raises(LookupError):
        sandbox.last_code(EMAIL)


def test_a_code_is_no_link(sandbox, code):
    with pytest.raises(LookupError):
        sandbox.last_link(EMAIL)


def test_no_mail_has_no_link(sandbox):
    with pytest.raises(LookupError):
        sandbox.last_link(EMAIL)


# Passcodes


@BY_CODE
def test_a_right_passcode_writes_into_the_profile(client, sandbox, by):
    client.send(by)

    answered = client.validate(sandbox.last_code(recipient(by)), by)

    assert (client.status, answered) == (200, {"result": True})
    user = sandbox.users.with_uid(UID)
    assert user.has_verified(recipient(by))
    assert len(user.emails + user.phones) == 1


def test_a_used_passcode_is_refused(client, code):
    client.validate(code)

    answered = client.validate(code)

    assert client.status == 400
    assert answered["error_code"] == "auth_invalid_credentials"


def test_a_used_passcode_stays_good_if_so_switched(client, sandbox, code):
    sandbox.switches.reuse_codes = True
    client.validate(code)

    assert client.validate(code) == {"result": True}


def test_a_wrong_passcode_uses_nothing_up(client, sandbox, code):
    answered = client.validate(wrong(code))

    assert client.status == 400
    assert answered["error_code"] == "auth_invalid_credentials"
    assert not sandbox.users.with_uid(UID).emails
    assert client.validate(code) == {"result": True}


def test_an_expired_passcode_is_refused(client, sandbox, code):
    sandbox.token_lifetime = 9999
    client.token = sandbox.sign_in(UID)

    with ahead(seconds=sandbox.code_lifetime + 1):
        answered = client.validate(code)

    assert client.status == 400
    assert answered["error_code"] == "auth_otp_passcode_expired"


def test_too_many_wrong_passcodes_lock(client, code):
    for _ in range(ATTEMPTS):
        client.validate(wrong(code))

    answered = client.validate(code)

    assert (client.status, answered["error_code"]) == (403, "auth_locked")


def test_a_passcode_that_was_never_sent_is_refused(client):
    client.validate("123456")

    assert client.status == 400


def test_an_earlier_passcode_is_refused(client, sandbox, code):
    client.send()

    if sandbox.last_code(EMAIL) != code:
        client.validate(code)
        assert client.status == 400


def test_the_passcode_of_another_user_is_refused(client, sandbox, code):
    client.validate(code, token=sandbox.sign_in("2"))

    assert client.status == 400
    assert sandbox.mails[0].wrong == 0


def test_the_passcode_of_another_address_is_refused(client, code):
    client.validate(code, email=OTHER)

    assert client.status == 400


def test_a_passcode_of_an_address_is_none_of_a_number(client, code):
    client.validate(code, "text", email=EMAIL, phone_number=None)

    assert client.status == 400


def test_the_token_of_a_link_is_no_passcode(client, sandbox, link):
    client.validate(sandbox.mails[0].code)

    assert client.status == 400


def test_the_case_of_an_address_does_not_matter(client, sandbox):
    client.send(email="ANN@example.com")

    assert client.validate(sandbox.last_code(EMAIL)) == {"result": True}


# The profile


def profile_after(client, sandbox, attributes, *, by="email", **fields):
    """Return the values in the profile after the address or number was verified."""
    kind = "phones" if by == "text" else "emails"
    sandbox.users.put(SandboxUser(UID, **{kind: attributes}))
    client.send(by)
    client.validate(sandbox.last_code(recipient(by)), by, **fields)
    return [each.value for each in getattr(sandbox.users.with_uid(UID), kind)]


@BY_CODE
@pytest.mark.parametrize(
    ("fields", "is_secondary"),
    [({"update_primary": False}, True), ({}, True), ({"update_primary": True}, False)],
)
def test_a_verified_primary_one_stays_unless_updated(
    client, sandbox, by, fields, is_secondary
):
    old = OTHER if by == "email" else "+31687654321"

    values = profile_after(client, sandbox, (verified(old),), by=by, **fields)

    new = recipient(by)
    assert values == ([old, new] if is_secondary else [new])


def test_an_unverified_primary_one_is_overridden(client, sandbox):
    assert profile_after(client, sandbox, (Attribute(OTHER),)) == [EMAIL]


def test_a_secondary_one_is_verified_in_its_place(client, sandbox):
    known = (verified(OTHER), Attribute("ANN@example.com"), verified("c@example.com"))

    values = profile_after(client, sandbox, known)

    assert values == [OTHER, "c@example.com", EMAIL]


def test_a_secondary_one_can_become_primary(client, sandbox):
    known = (verified(OTHER), Attribute(EMAIL))

    assert profile_after(client, sandbox, known, update_primary=True) == [EMAIL]


def test_the_primary_one_can_be_verified_again(client, sandbox):
    known = (verified(EMAIL), verified(OTHER))

    assert profile_after(client, sandbox, known) == [EMAIL, OTHER]


def test_the_profile_says_what_is_verified(client, sandbox):
    now = timezone.now()
    emails = (Attribute(EMAIL, is_verified=True, verified_at=now), Attribute(OTHER))
    sandbox.users.put(SandboxUser(UID, emails, (Attribute(NUMBER),)))

    answered = client.profile()

    assert (client.status, answered) == (
        200,
        {
            "result": {
                "user_id": UID,
                "email": {
                    "value": EMAIL,
                    "email_verified": True,
                    "verified_at": now.isoformat(),
                },
                "secondary_emails": [
                    {"value": OTHER, "email_verified": False, "verified_at": None}
                ],
                "phone_number": {
                    "value": NUMBER,
                    "phone_number_verified": False,
                    "verified_at": None,
                },
                "secondary_phone_numbers": [],
            }
        },
    )
    [call] = sandbox.calls
    assert (call.name, call.body) == ("user", {"uid": UID})


def test_a_new_user_has_an_empty_profile(client):
    assert client.profile()["result"] == {
        "user_id": UID,
        "secondary_emails": [],
        "secondary_phone_numbers": [],
    }


def test_the_profile_of_an_unknown_user_is_not_found(client):
    client.profile("3")

    assert client.status == 404


@pytest.mark.parametrize("case", ["none", "the user's", "wrong"])
def test_the_profile_needs_the_token_of_a_client(client, sandbox, case):
    sandbox.api_key = "key" if case == "wrong" else None
    token = {"none": "", "the user's": client.token, "wrong": "other"}[case]

    answered = client.profile(token=token)

    assert (client.status, answered["message"]) == (401, "Invalid token")


def test_the_token_endpoint_grants_the_token_of_a_client(client, sandbox):
    sandbox.api_key = "key"
    form = "grant_type=client_credentials&client_id=shop&client_secret=secret"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    url = f"{client.server.url_of('transmit')}/oidc/token"

    granted = client.request("POST", url, form, headers)

    client.profile(token=granted["access_token"])
    assert client.status == 200
    sandbox.revoke_grants()
    client.profile(token=granted["access_token"])
    assert client.status == 401


# Links


@pytest.mark.parametrize(
    ("back", "location"),
    [
        (BACK, f"{BACK}?result=true"),
        (f"{BACK}?a=%26&b=#c", f"{BACK}?a=%26&b=&result=true#c"),
        ("http://localhost:8000", "http://localhost:8000?result=true"),
    ],
)
def test_a_link_that_is_followed_verifies_the_address(client, sandbox, back, location):
    client.send("link", redirect_uri=back)

    led_to = client.follow(sandbox.last_link(EMAIL))

    assert (client.status, led_to) == (302, location)
    assert sandbox.users.with_uid(UID).has_verified(EMAIL)
    assert sandbox.mails[0].used
    assert sandbox.calls[-1].name == "link"


def test_a_link_verifies_nothing_before_it_is_followed(sandbox, link):
    assert not sandbox.users.with_uid(UID).emails


def test_a_link_works_once(client, link):
    client.follow(link)

    assert client.follow(link) == f"{BACK}?result=false"


def test_an_expired_link_does_not_work(client, sandbox, link):
    with ahead(seconds=sandbox.code_lifetime + 1):
        assert client.follow(link) == f"{BACK}?result=false"
    assert not sandbox.users.with_uid(UID).emails


def test_an_earlier_link_does_not_work(client, sandbox, link):
    client.send("link")

    assert client.follow(link) == f"{BACK}?result=false"
    assert client.follow(sandbox.last_link(EMAIL)) == f"{BACK}?result=true"


def test_a_link_verifies_no_address_of_another_user(client, sandbox, link):
    sandbox.users.put(SandboxUser("2", (verified(EMAIL),)))

    assert client.follow(link) == f"{BACK}?result=false"
    assert not sandbox.users.with_uid(UID).emails


def test_a_link_of_a_removed_user_does_not_work(client, sandbox, link):
    sandbox.users.remove(UID)

    assert client.follow(link) == f"{BACK}?result=false"


@pytest.mark.parametrize("is_primary", [True, False])
def test_a_link_may_update_the_primary_address(client, sandbox, is_primary):
    sandbox.users.put(SandboxUser(UID, (verified(OTHER),)))
    client.send("link", update_primary=is_primary)

    client.follow(sandbox.last_link(EMAIL))

    primary, *secondary = sandbox.users.with_uid(UID).emails
    assert primary.value == (EMAIL if is_primary else OTHER)
    assert len(secondary) == (0 if is_primary else 1)


@pytest.mark.parametrize("query", ["", "?token=", "?token=other", "?token=%ED%A0%80"])
def test_an_unknown_link_is_not_found(client, link, query):
    client.request("GET", f"{client.server.url_of('transmit')}/verify{query}")

    assert client.status == 404
    assert client.location is None


def test_the_code_of_a_mail_is_no_link(client, code):
    client.follow(f"{client.server.url_of('transmit')}/verify?token={code}")

    assert client.status == 404


@pytest.mark.parametrize(
    "uri",
    [
        None,
        7,
        "/login/",
        "//shop.example/",
        "javascript:alert(1)",
        "https://",
        "https://[",
        "https://shop.example/a b",
        "https://shop.example/\r\nX:1",
        "https://shöp.example/",
    ],
)
def test_a_redirect_uri_that_is_no_web_page_is_refused(client, sandbox, uri):
    answered = client.send("link", redirect_uri=uri)

    assert (client.status, answered["error_code"]) == (400, 400)
    assert not sandbox.mails


# Users and their tokens


@BY_ANY
@pytest.mark.parametrize("case", ["none", "unknown", "expired", "revoked", "key"])
def test_a_call_needs_a_token_of_a_user(client, sandbox, by, case):
    sandbox.api_key = "key"
    token = {"none": "", "unknown": "eyJ", "key": "key"}.get(case, client.token)
    if case == "revoked":
        sandbox.users.revoke_tokens()
    seconds = sandbox.token_lifetime + 1 if case == "expired" else 0

    with ahead(seconds=seconds):
        answered = client.send(by, token=token)

    assert (client.status, answered) == (
        401,
        {"message": "Invalid token", "error_code": 401},
    )


def test_a_validate_needs_a_token_of_a_user(client, sandbox, code):
    sandbox.users.revoke_tokens()

    client.validate(code)

    assert client.status == 401


def test_a_user_who_signs_in_again_has_another_token(client, sandbox):
    again = sandbox.sign_in(UID)

    assert again != client.token
    assert len(sandbox.users.all) == 1
    assert sandbox.users.uid_of(again) == sandbox.users.uid_of(client.token) == UID


def test_a_removed_user_is_not_found(client, sandbox, code):
    sandbox.users.remove(UID)
    sandbox.users.remove(UID)

    answered = client.validate(code)

    assert (client.status, answered["error_code"]) == (404, 404)


def test_a_user_begins_with_the_address_of_a_contact(sandbox):
    ann = sandbox.add_contact(EMAIL, phone=NUMBER)
    bob = sandbox.add_contact(OTHER)
    for each in (ann, bob):
        sandbox.sign_in(each.transmit_uid)

    assert sandbox.users.all == (
        SandboxUser(ann.transmit_uid, (Attribute(EMAIL),), (Attribute(NUMBER),)),
        SandboxUser(bob.transmit_uid, (Attribute(OTHER),)),
    )


def test_a_reset_removes_users_and_tokens(client, sandbox):
    sandbox.reset()

    assert not sandbox.users.all
    assert sandbox.users.uid_of(client.token) is None


# Whose address it is


@BY_ANY
def test_the_address_of_another_user_gets_nothing(client, sandbox, by):
    sandbox.users.put(SandboxUser("2", (verified(EMAIL),), (verified(NUMBER),)))

    answered = client.send(by)

    assert (client.status, answered["error_code"]) == (409, 409)
    assert "ts_error_code" in answered
    assert not sandbox.mails


@BY_ANY
def test_an_address_that_another_user_did_not_verify_is_free(client, sandbox, by):
    sandbox.users.put(SandboxUser("2", (Attribute(EMAIL),), (Attribute(NUMBER),)))

    client.send(by)

    assert client.status == 200


@BY_ANY
def test_an_address_of_the_user_can_be_verified_again(client, sandbox, by):
    sandbox.users.put(SandboxUser(UID, (verified(EMAIL),), (verified(NUMBER),)))

    client.send(by)

    assert client.status == 200


@BY_CODE
def test_an_address_that_another_user_verified_meanwhile(client, sandbox, by):
    client.send(by)
    code = sandbox.last_code(recipient(by))
    sandbox.users.put(SandboxUser("2", (verified(EMAIL),), (verified(NUMBER),)))

    client.validate(wrong(code), by)
    assert client.status == 400
    client.validate(code, by)
    assert client.status == 409
    assert not sandbox.users.with_uid(UID).has_verified(recipient(by))


# What a call must have


@BY_ANY
@pytest.mark.parametrize(
    "value", [None, "", 7, "ann", "a b@c", "a\0@b", "0612", "+0\n"]
)
def test_an_address_or_number_that_is_none_is_refused(client, sandbox, by, value):
    name = "phone_number" if by == "text" else "email"

    answered = client.send(by, **{name: value})

    assert client.status == 400
    assert isinstance(answered["message"], list)
    assert not sandbox.mails


@pytest.mark.parametrize("value", [None, "", 123456])
def test_a_validate_needs_a_passcode(client, code, value):
    answered = client.validate(value)

    assert (client.status, answered["error_code"]) == (400, 400)


@pytest.mark.parametrize("value", ["true", 1])
def test_a_switch_of_the_api_is_a_boolean(client, code, value):
    client.validate(code, update_primary=value)

    assert client.status == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"custom_message": None},
        {"custom_message": 7},
        {"custom_message": "{otp}"},
        {"custom_message": "{app}"},
        {"custom_message": MESSAGE + "x" * (141 - len(MESSAGE))},
        {"sender_id": 7},
        {"sender_id": ""},
        {"sender_id": "12345"},
        {"sender_id": "-shop"},
        {"sender_id": "shop-"},
        {"sender_id": "my shop"},
        {"sender_id": "x" * 12},
    ],
)
def test_a_text_of_another_form_is_refused(client, sandbox, changes):
    client.send("text", **changes)

    assert client.status == 400
    assert not sandbox.mails


@pytest.mark.parametrize(
    "changes",
    [
        {"custom_message": MESSAGE + "x" * (140 - len(MESSAGE))},
        {"sender_id": "s"},
        {"sender_id": "my-shop-1"},
        {"sender_id": "x" * 11},
    ],
)
def test_a_text_of_the_longest_form_is_sent(client, changes):
    client.send("text", **changes)

    assert client.status == 200


# Faults


@pytest.mark.parametrize("word", ERRORS)
def test_an_error_can_be_switched_on(client, sandbox, word):
    sandbox.switches.error_code = word
    status, text = ERRORS[word]

    for answered in (client.send(), client.validate("123456"), client.profile()):
        assert client.status == status
        assert answered["message"] in (text, [text])


def test_an_error_can_be_switched_on_for_one_call(client, sandbox, code):
    sandbox.switches.error_code = "conflict"
    sandbox.switches.fault_on = frozenset({"verify"})

    client.send()
    assert client.status == 200
    client.validate(code)
    assert client.status == 409


def test_an_error_of_another_vendor_is_none_of_this_one(client, sandbox):
    sandbox.switches.error_code = "unknown_client"

    client.send()
    assert client.status == 200


def test_a_fault_lies_before_the_api(client, sandbox):
    sandbox.switches.fault = Fault.NO_DATA

    assert client.send() == {"meta": []}
    assert not sandbox.mails


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "v1/users/"),
        ("POST", "v1/users/1"),
        ("GET", "v1/verification/otp/email/send"),
        ("POST", "v1/other"),
        ("POST", "verify"),
    ],
)
def test_other_paths_and_methods_are_not_found(client, method, path):
    answered = client.call(path, {}, method)

    assert (client.status, answered["error_code"]) == (404, 404)
