"""Check that the id of a user of Transmit is encrypted while a code is on its way."""

import pytest

from django_piggy_verify.models import OpenChallenge
from django_piggy_verify.providers.base import UserAccess
from django_piggy_verify.secret import Secret
from tests.secrecy.evidence import stored

UID = "marked-id-of-a-user"


@pytest.fixture
def vendor():
    return "transmit"


@pytest.fixture
def with_uid(settings, sandbox):
    def access(_request):
        return UserAccess(uid=UID, token=Secret(sandbox.sign_in(UID)))

    settings.PIGGY_VERIFY_USER_ACCESS = access


def test_the_id_is_encrypted_until_the_contact_is_connected(visit, with_uid):
    visit.take("ask")
    before = "".join(stored())
    visit.take("answer")

    assert UID not in before
    assert UID in "".join(stored())


def test_no_page_cookie_session_or_signal_shows_the_id(visit, evidence, with_uid):
    visit.take("ask", "look", "mistype", "ask_for_link", "go_on")

    assert OpenChallenge.objects.exists()
    for sink in ("headers", "messages", "pages", "session", "signals"):
        assert UID not in evidence.of(sink)
