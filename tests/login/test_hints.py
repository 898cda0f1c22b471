"""A vendor may recommend a further check, and a project may insist on it."""

import pytest
from django.contrib.auth.models import User

from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.models import AuthToken, Contact
from django_piggy_verify.signals import contact_verified, step_up_recommended
from tests.secrecy.evidence import receiving
from tests.steps import ADDRESS, JSON, ask_for_code, is_logged_in, log_in, type_code

pytestmark = pytest.mark.django_db

HINT = "face_liveness"


class Strict(PiggyBackend):
    """Lets nobody in for whom a further check is recommended."""

    def accepts_hint(self, request, user, hint):
        return hint != HINT


@pytest.fixture
def sandbox(sandbox_for):
    sandbox = sandbox_for("verifik")
    sandbox.switches.face_liveness = True
    return sandbox


@pytest.fixture
def strict(settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Strict"]


def test_a_hint_is_signalled_after_the_login(client, sandbox):
    received = []

    def note(signal, **kwargs):
        received.append((signal, kwargs))

    with receiving(contact_verified, note), receiving(step_up_recommended, note):
        log_in(client, sandbox)

    assert [signal for signal, _ in received] == [contact_verified, step_up_recommended]
    given = received[1][1]
    assert (given["hint"], given["user"]) == (HINT, User.objects.get())
    assert given["identity"].email == ADDRESS
    assert given["request"].path == "/login/code/"


def test_a_hint_is_logged(client, sandbox, caplog):
    caplog.set_level("INFO")
    log_in(client, sandbox)

    [record] = [each for each in caplog.records if "step_up" in each.event_name]
    assert (record.hint, record.user_id) == (HINT, User.objects.get().pk)


def test_without_a_hint_nothing_is_signalled(client, sandbox, strict):
    sandbox.switches.face_liveness = False
    received = []

    with receiving(step_up_recommended, lambda **_kwargs: received.append(1)):
        log_in(client, sandbox)

    assert is_logged_in(client)
    assert received == []


def test_a_hint_that_is_refused_leaves_nothing_behind(client, sandbox, strict):
    ask_for_code(client)

    response = type_code(client, sandbox.last_code(ADDRESS))

    assert response.status_code == 403
    assert "piggy_verify/refused.html" in [each.name for each in response.templates]
    assert not is_logged_in(client)
    for model in (User, Contact, AuthToken):
        assert not model.objects.exists()


def test_a_script_is_told_of_a_refused_hint(client, sandbox, strict):
    ask_for_code(client)

    response = type_code(client, sandbox.last_code(ADDRESS), headers=JSON)
    assert response.status_code == 403


def test_a_refused_hint_keeps_a_known_user_and_the_old_token(
    client, sandbox, settings, unlimited
):
    sandbox.switches.face_liveness = False
    log_in(client, sandbox)
    [stored] = AuthToken.objects.values_list("ciphertext")
    client.cookies.clear()
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Strict"]
    sandbox.switches.face_liveness = True

    log_in(client, sandbox)

    assert not is_logged_in(client)
    assert User.objects.count() == 1
    assert [*AuthToken.objects.values_list("ciphertext")] == [stored]


def test_a_second_factor_refuses_the_login(client, sandbox, caplog):
    sandbox.switches.second_factor = True
    ask_for_code(client)

    response = type_code(client, sandbox.last_code(ADDRESS))

    assert response.status_code == 403
    assert not is_logged_in(client)
    assert not User.objects.exists()
    assert "refused: the vendor wants a second factor" in caplog.text


def test_the_code_of_a_refused_login_is_used(client, sandbox):
    sandbox.switches.second_factor = True
    ask_for_code(client)
    code = sandbox.last_code(ADDRESS)
    type_code(client, code)
    client.cookies.clear()

    ask_for_code(client)
    sandbox.switches.reuse_codes, sandbox.switches.second_factor = True, False
    response = type_code(client, code)

    assert response.status_code == 200
    assert not is_logged_in(client)


def test_a_second_factor_counts_like_a_wrong_code(client, sandbox, settings):
    """Otherwise a wrong code with such an answer would clear the counts."""
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_recipient": "2/1h"}
    sandbox.switches.second_factor = True
    ask_for_code(client)
    type_code(client, "wrong")
    type_code(client, sandbox.last_code(ADDRESS))

    ask_for_code(client)
    response = type_code(client, "wrong again")

    assert response.status_code == 429
