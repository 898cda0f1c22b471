"""The same right code is posted again in the same login in progress of an app."""

from unittest import mock

import pytest
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from django_piggy_verify import signals
from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.login import app_logins
from django_piggy_verify.models import Contact, Tally
from tests.apps.steps import CODE, App, error, token_of
from tests.secrecy.evidence import receiving
from tests.steps import ADDRESS, calls
from tests.threads import at_once

OURS = f"{__name__}."


class Choosing(PiggyBackend):
    """A backend that refuses users by a name that the default accepts."""

    def can_log_in(self, request, user):
        return user.first_name != "banned"


class Delegating(BaseBackend):
    """A backend that is none of ours, and calls ours."""

    def authenticate(self, request, **credentials):
        return PiggyBackend().authenticate(request, **credentials)


class Lending(PiggyBackend):
    """A backend that logs in another user than the one of the contact."""

    def authenticate(self, request, **credentials):
        user = super().authenticate(request, **credentials)
        return user and User.objects.get_or_create(username="family")[0]


@pytest.fixture
def typed(app, piggy_sandbox):
    """Ask for a code, and return it."""
    app.ask()
    return piggy_sandbox.last_code(ADDRESS)


def test_whose_code_it_is_is_known_as_soon_as_the_code_was_right(app, typed):
    again = []

    def post_again(**_kwargs):
        again.append(app.post(CODE, login=app.kept["login"], code=typed))

    with receiving(signals.contact_verified, mock.Mock(side_effect=post_again)):
        first = app.type_code(typed)

    assert [each.json()["token"] for each in again] == [first.json()["token"]]


@pytest.mark.django_db(transaction=True)
def test_the_same_code_in_many_threads_logs_in_once(app, typed, piggy_sandbox):
    kept = app.kept["login"]

    responses = at_once(lambda _: App().post(CODE, login=kept, code=typed), range(6))

    bodies = [each.json() for each in responses if each.status_code == 200]
    tokens = [each["token"] for each in bodies]
    assert tokens
    assert all(each == token_of(None, Contact.objects.get().user) for each in tokens)
    assert {each.status_code for each in responses} <= {200, 202}
    assert calls(piggy_sandbox).count("verify") == 1


def test_if_the_contact_of_the_code_cannot_be_stored_nobody_is(
    app, typed, monkeypatch, django_user_model
):
    monkeypatch.setattr(app_logins, "remember", mock.Mock(side_effect=OSError))

    with pytest.raises(OSError):  # noqa: PT011  it has no text
        app.type_code(typed)

    assert not django_user_model.objects.exists()


def test_the_backend_of_the_project_can_refuse_a_second_token(
    app, typed, settings, django_user_model
):
    settings.AUTHENTICATION_BACKENDS = [f"{OURS}Choosing"]
    app.type_code(typed)
    django_user_model.objects.update(first_name="banned")

    assert error(app.type_code(typed)) == (409, "login_expired")


def test_the_backend_of_the_project_can_accept_staff(
    app, typed, settings, django_user_model
):
    settings.AUTHENTICATION_BACKENDS = [f"{OURS}Choosing"]
    app.type_code(typed)
    django_user_model.objects.update(is_staff=True)

    assert app.type_code(typed).status_code == 200


@pytest.mark.parametrize(
    "backends",
    [["django.contrib.auth.backends.ModelBackend", f"{OURS}Choosing"], ["Delegating"]],
    ids=["second", "none of ours"],
)
def test_other_backends_are_not_asked(app, typed, settings, backends):
    settings.AUTHENTICATION_BACKENDS = [
        each if "." in each else f"{OURS}{each}" for each in backends
    ]
    first = app.type_code(typed)

    assert app.type_code(typed).json()["token"] == first.json()["token"]


def test_a_contact_of_another_provider_gets_no_second_token(app, typed, contact):
    now, user = timezone.now(), User.objects.create()
    for provider, uid in [("other", "1"), ("piggy", contact.uid)]:
        Contact.objects.create(user=user, provider=provider, uid=uid, verified_at=now)
    app.type_code(typed)
    Contact.objects.get(provider="piggy").delete()

    assert error(app.type_code(typed)) == (409, "login_expired")


def test_a_user_without_a_contact_gets_one_token_only(app, typed, settings):
    settings.AUTHENTICATION_BACKENDS = [f"{OURS}Lending"]

    assert app.type_code(typed).status_code == 200
    assert error(app.type_code(typed)) == (409, "login_expired")


def test_a_contact_that_is_deleted_at_once_gets_one_token_only(app, typed):
    def delete(**_kwargs):
        Contact.objects.all().delete()

    with receiving(signals.contact_verified, mock.Mock(side_effect=delete)):
        assert app.type_code(typed).status_code == 200

    assert error(app.type_code(typed)) == (409, "login_expired")


@pytest.mark.skipif(connection.vendor == "mysql", reason="new rows would go on there")
@pytest.mark.parametrize(("pk", "again"), [(2**31 - 1, 200), (2**31, 409)])
def test_a_contact_with_a_long_primary_key_can_log_in(app, typed, contact, pk, again):
    """The primary keys have 64 bits, and the counts have 32."""
    Contact.objects.create(
        pk=pk,
        user=User.objects.create(),
        provider="piggy",
        uid=contact.uid,
        verified_at=timezone.now(),
    )

    assert app.type_code(typed).status_code == 200
    assert app.type_code(typed).status_code == again


def test_the_contact_of_a_code_is_no_count_for_staff(app, typed, admin_client):
    app.type_code(typed)

    page = admin_client.get("/admin/piggy_verify/tally/")

    names = {fixed_windows.limit_of(each.key) for each in Tally.objects.all()}
    shown = {
        fixed_windows.limit_of(each.key) for each in page.context["cl"].result_list
    }
    assert names - shown == {"app_contact", "code_login", "code_use"}
