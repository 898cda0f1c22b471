"""Connect contacts over the emulated Transmit, with the pages and the real provider."""

from datetime import timedelta
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
import time_machine
from django.utils import timezone

from django_piggy_verify.models import Contact
from django_piggy_verify.providers.base import UserAccess
from django_piggy_verify.sandbox import Attribute, SandboxUser
from django_piggy_verify.secret import Secret
from tests.connecting.steps import CODE, CONNECT, LINK, ask, connect, type_code
from tests.steps import ADDRESS, JSON, NUMBER, calls

OTHER = SandboxUser(
    "other",
    (Attribute(ADDRESS, is_verified=True),),
    (Attribute(NUMBER, is_verified=True),),
)


@pytest.fixture
def sandbox(sandbox_for, unlimited, db):
    return sandbox_for("transmit")


@pytest.fixture
def by_link(sandbox, settings):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS["email_by"] = "link"
    return sandbox


@pytest.fixture
def user(client, django_user_model):
    """A user with a password, who has logged in with `client`."""
    found = django_user_model.objects.create_user("ann", password="secret-words")
    client.force_login(found, "django.contrib.auth.backends.ModelBackend")
    return found


def follow(link):
    """Follow a link as a browser does, and return where it is redirected."""
    url = urlsplit(link)
    connection = HTTPConnection(url.netloc, timeout=5)
    connection.request("GET", f"{url.path}?{url.query}")
    location = connection.getresponse().headers["Location"]
    connection.close()
    return location


def profile(sandbox, user):
    return sandbox.users.with_uid(f"user-{user.pk}")


def test_an_address_is_connected_by_code(client, user, sandbox):
    response = connect(client, sandbox)

    contact = Contact.objects.get()
    assert response.url == CONNECT
    assert (contact.user, contact.email) == (user, ADDRESS)
    assert contact.uid == f"user-{user.pk}"
    assert profile(sandbox, user).has_verified(ADDRESS)
    assert calls(sandbox) == ["send", "verify"]


def test_a_number_is_connected_to_the_same_contact(client, user, sandbox):
    connect(client, sandbox)
    client.post(CONNECT, {"phone": "06 12345678"})

    type_code(client, sandbox.last_code(NUMBER))

    contact = Contact.objects.get()
    assert (contact.email, contact.phone) == (ADDRESS, NUMBER)
    assert profile(sandbox, user).has_verified(NUMBER)
    assert sandbox.mails[0].text.endswith("is your code for Sandbox.")


def test_an_address_is_connected_by_link(client, user, by_link):
    assert ask(client).url == LINK

    assert follow(by_link.last_link(ADDRESS)) == f"http://testserver{LINK}?result=true"
    assert not Contact.objects.exists()
    assert client.post(LINK).url == CONNECT
    assert Contact.objects.get().email == ADDRESS
    assert calls(by_link) == ["send", "link", "user"]


def test_a_link_that_nobody_followed_connects_nothing(client, user, by_link):
    ask(client)

    response = client.post(LINK, headers=JSON)

    assert response.json()["error"]["code"] == "link_not_followed"
    assert not Contact.objects.exists()


def test_an_address_of_another_user_there_looks_free(client, user, sandbox):
    sandbox.users.put(OTHER)

    response = ask(client)

    assert response.url == CODE
    assert client.get(CODE).status_code == 200
    assert not sandbox.mails


def test_an_address_that_another_user_there_got_meanwhile(client, user, sandbox):
    ask(client)
    sandbox.users.put(OTHER)

    response = type_code(client, sandbox.last_code(ADDRESS))

    assert response.status_code == 409
    assert not Contact.objects.exists()


def test_the_access_is_refused_once_it_is_expired(
    client, user, sandbox, settings, monkeypatch
):
    monkeypatch.setattr(sandbox, "token_lifetime", 60.0)
    access = UserAccess(uid="1", token=Secret(sandbox.sign_in("1")))
    settings.PIGGY_VERIFY_USER_ACCESS = lambda _: access
    ask(client)

    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        code = sandbox.last_code(ADDRESS)
        response = client.post(CODE, {"code": code}, headers=JSON)

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "login_required"
    assert not Contact.objects.exists()


@pytest.fixture
def grant(sandbox, settings, monkeypatch, piggy_sandbox_server):
    """Client credentials in place of a key, which the sandbox refuses."""
    monkeypatch.setattr(sandbox, "api_key", "another key")
    settings.PIGGY_VERIFY_API_KEY = None
    settings.PIGGY_VERIFY_CLIENT_ID = "sandbox"
    settings.PIGGY_VERIFY_CLIENT_SECRET = "sandbox"
    url = piggy_sandbox_server.url_of("transmit")
    settings.PIGGY_VERIFY_TOKEN_URL = f"{url}/oidc/token"


def test_a_client_with_the_grant_asks_about_the_link(client, user, by_link, grant):
    ask(client)
    follow(by_link.last_link(ADDRESS))

    assert client.post(LINK).url == CONNECT
    assert calls(by_link)[-2:] == ["token", "user"]
