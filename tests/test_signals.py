import pytest
from django.test import Client

from django_piggy_verify import signals
from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.exceptions import TooManyAttempts
from django_piggy_verify.models import Contact
from django_piggy_verify.providers.piggy import PiggyProvider
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.tokens import get_auth_token
from tests.steps import ADDRESS, STRANGER, ask_for_code, log_in, type_code

NAMES = [
    "code_sent",
    "code_rejected",
    "contact_verified",
    "limit_reached",
    "auth_token_fetched",
]


@pytest.fixture
def fired():
    """The name and keyword arguments of each signal, in order."""
    heard, receivers = [], {}
    for name in NAMES:

        def note(_name=name, **kwargs):
            kwargs.pop("signal")
            heard.append((_name, kwargs))

        receivers[name] = note
        getattr(signals, name).connect(note)
    yield heard
    for name, receiver in receivers.items():
        getattr(signals, name).disconnect(receiver)


def arguments_of(fired, name):
    return next(kwargs for each, kwargs in fired if each == name)


def test_a_login_fires_three_signals(client, contact, piggy_sandbox, fired):
    log_in(client, piggy_sandbox)

    assert [name for name, _ in fired] == [
        "code_sent",
        "contact_verified",
        "auth_token_fetched",
    ]


def test_code_sent_names_the_recipient(client, contact, fired):
    response = ask_for_code(client)

    assert arguments_of(fired, "code_sent") == {
        "sender": PiggyProvider,
        "recipient": ADDRESS,
        "channel": "email",
        "request": response.wsgi_request,
    }


def test_a_stranger_fires_no_signal(client, contact, fired):
    ask_for_code(client, STRANGER)

    assert fired == []


def test_a_code_that_cannot_be_sent_fires_no_signal(
    client, contact, piggy_sandbox, fired
):
    """Not after the response, not at the probe, and not while no codes are sent."""
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    for _ in range(3):
        ask_for_code(client)

    assert fired == []


def test_contact_verified_names_user_and_identity(
    client, contact, piggy_sandbox, fired, django_user_model
):
    log_in(client, piggy_sandbox)

    kwargs = arguments_of(fired, "contact_verified")
    assert kwargs["sender"] is PiggyBackend
    assert kwargs["user"] == django_user_model.objects.get()
    assert kwargs["identity"].uid == contact.uid
    assert kwargs["is_new"] is True


def test_code_rejected_names_the_recipient(client, code, fired):
    type_code(client, "wrong")

    assert arguments_of(fired, "code_rejected")["recipient"] == ADDRESS


def test_a_used_code_fires_code_rejected(client, code, fired):
    type_code(client, code)
    thief = Client()
    ask_for_code(thief)

    type_code(thief, code)

    assert arguments_of(fired, "code_rejected")["recipient"] == ADDRESS


def test_the_last_wrong_code_of_a_login_fires_both_signals(
    client, code, settings, fired
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 1}

    type_code(client, "wrong")

    assert [name for name, _ in fired] == ["code_rejected", "limit_reached"]
    assert arguments_of(fired, "limit_reached")["limit"] == "check_login"


def test_limit_reached_names_limit_and_wait(client, contact, settings, fired):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/1h"}
    ask_for_code(client)

    ask_for_code(client, STRANGER)

    kwargs = arguments_of(fired, "limit_reached")
    assert kwargs["sender"] is TooManyAttempts
    assert (kwargs["limit"], kwargs["recipient"]) == ("send_ip", STRANGER)
    assert 3590 < kwargs["retry_after"] <= 3600


def test_auth_token_fetched_names_contact_and_expiry(member, fired):
    get_auth_token(member, refresh=True)

    kwargs = arguments_of(fired, "auth_token_fetched")
    assert kwargs["contact"] == Contact.objects.get()
    assert kwargs["expires_at"] == Contact.objects.get().auth_token.expires_at


@pytest.fixture
def failing():
    """A receiver of all signals that raises an error."""

    def fail(**kwargs):
        raise RuntimeError("receiver")

    for name in NAMES:
        getattr(signals, name).connect(fail)
    yield
    for name in NAMES:
        getattr(signals, name).disconnect(fail)


def test_receivers_that_fail_break_nothing(
    client, contact, piggy_sandbox, settings, failing
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/1h"}
    ask_for_code(client)
    answers = [
        type_code(client, "wrong"),
        type_code(client, piggy_sandbox.last_code(ADDRESS)),
        ask_for_code(Client(), STRANGER),
    ]

    assert [each.status_code for each in answers] == [200, 302, 429]
