"""The tokens of Punchh are renewed, over its sandbox."""

from datetime import timedelta

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.utils import timezone

from django_piggy_verify.exceptions import LoginRequired
from django_piggy_verify.login import verification
from django_piggy_verify.models import AuthToken
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.tokens import get_auth_token
from tests.steps import ADDRESS, calls

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sandbox(sandbox_for, unlimited):
    return sandbox_for("punchh")


@pytest.fixture
def user(sandbox):
    """A user who has just got tokens by a right code."""
    verification.send_code(ADDRESS, consents=["terms", "privacy"])
    code = sandbox.last_code(ADDRESS)
    assert authenticate(recipient=ADDRESS, secret_code=code)
    return User.objects.get()


def expire():
    AuthToken.objects.update(expires_at=timezone.now())


def test_a_token_is_used_for_as_long_as_the_vendor_says(user, sandbox):
    row = AuthToken.objects.get()

    assert row.expires_at - row.fetched_at == timedelta(seconds=1800)
    assert get_auth_token(user)
    assert calls(sandbox) == ["send", "verify", "profile"]


def test_an_expired_token_is_renewed_again_and_again(user, sandbox):
    tokens = {get_auth_token(user)}
    for _ in range(3):
        expire()
        tokens.add(get_auth_token(user))

    assert len(tokens) == 4
    assert calls(sandbox)[3:] == ["refresh"] * 3


def test_a_refresh_token_that_somebody_else_has_used_needs_a_login(user, sandbox):
    stolen = bytes(AuthToken.objects.get().refresh_ciphertext or b"")
    get_auth_token(user, refresh=True)
    AuthToken.objects.update(refresh_ciphertext=stolen)

    with pytest.raises(LoginRequired):
        get_auth_token(user, refresh=True)

    assert not AuthToken.objects.exists()


def test_an_outage_does_not_cost_the_refresh_token(user, sandbox):
    old = get_auth_token(user)
    sandbox.switches.fault = Fault.OUTAGE
    assert get_auth_token(user, refresh=True) == old

    sandbox.switches.fault = None

    assert get_auth_token(user, refresh=True) != old
