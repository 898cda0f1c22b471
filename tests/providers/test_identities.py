"""A provider of a project may return anything. The id decides who is logged in."""

import pytest

from django_piggy_verify.models import Contact, Tally
from django_piggy_verify.providers.base import Identity
from django_piggy_verify.providers.piggy import PiggyProvider
from tests.steps import is_logged_in, type_code

pytestmark = pytest.mark.django_db


class Careless(PiggyProvider):
    uid: object = ""

    def check_code(self, challenge, code):
        uid: object = Careless.uid
        return Identity(provider=self.name, uid=uid, email=challenge.recipient)  # type: ignore[arg-type]


@pytest.fixture(
    params=["", " ", " 1", "1\n", "\ud800", 65 * "a", 1, None, True, ["1"]], ids=repr
)
def careless(settings, request, monkeypatch):
    settings.PIGGY_VERIFY_PROVIDER = f"{__name__}.Careless"
    monkeypatch.setattr(Careless, "uid", request.param)


def test_an_id_that_is_none_logs_nobody_in(client, code, careless, caplog):
    response = type_code(client, code)

    assert response.status_code == 503
    assert not is_logged_in(client)
    assert not Contact.objects.exists()
    assert "check failed: the answer has no id of a contact" in caplog.text


def test_the_attempt_is_given_back(client, code, careless):
    type_code(client, code)

    assert not Tally.objects.filter(key__endswith=":check_recipient", count__gt=0)
