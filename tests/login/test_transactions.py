"""A login writes all its rows in one transaction, after the call to the API."""

from contextlib import contextmanager

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test import Client

from django_piggy_verify import signals
from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.exceptions import LoginRefused
from django_piggy_verify.forms import CodeForm
from django_piggy_verify.limits.fixed_windows import limit_of
from django_piggy_verify.login import transactions
from django_piggy_verify.models import AuthToken, Contact, FetchState, Tally
from django_piggy_verify.views.login import CodeView
from tests.db.between_statements import DEADLOCK
from tests.steps import (
    ADDRESS,
    ask_for_code,
    calls,
    is_logged_in,
    log_in,
    type_code,
)

committing = pytest.mark.django_db(transaction=True)


@pytest.fixture
def visitor(contact):
    """A browser that shows the page of a server error."""
    return Client(raise_request_exception=False)


@pytest.fixture
def code_of_visitor(visitor, piggy_sandbox):
    ask_for_code(visitor)
    return piggy_sandbox.last_code(ADDRESS)


@pytest.fixture
def receive():
    """Return a function that connects a receiver to a signal."""
    connected = []

    def connect(signal, act):
        def receiver(**kwargs):
            return act(**kwargs)

        signal.connect(receiver, weak=False)
        connected.append((signal, receiver))

    yield connect
    for signal, receiver in connected:
        signal.disconnect(receiver)


def counts():
    """Return the counts of all limits that count something, by limit."""
    rows = Tally.objects.filter(count__gt=0).values_list("key", "count")
    return {limit_of(key): number for key, number in rows}


@committing
def test_hooks_and_receivers_of_a_login_run_in_its_transaction(
    visitor, piggy_sandbox, receive
):
    seen = []
    receive(user_logged_in, lambda **_: seen.append(connection.in_atomic_block))

    log_in(visitor, piggy_sandbox)

    assert seen == [True]


@committing
def test_a_verified_contact_is_announced_after_the_commit(
    visitor, piggy_sandbox, receive
):
    seen = []
    receive(
        signals.contact_verified,
        lambda request, **_: seen.append(
            (connection.in_atomic_block, "_auth_user_id" in request.session)
        ),
    )

    log_in(visitor, piggy_sandbox)

    assert seen == [(False, True)]


def test_a_verified_contact_is_announced_in_a_transaction_of_a_test(
    visitor, piggy_sandbox, receive
):
    seen = []
    receive(signals.contact_verified, lambda user, **_: seen.append(user))

    log_in(visitor, piggy_sandbox)

    assert seen == [User.objects.get()]


class BrokenBackend(PiggyBackend):
    def update_user(self, request, user, identity):
        raise RuntimeError


@pytest.fixture(params=["hook", "receiver"])
def broken(request, settings, receive):
    """Let a login fail after the code was right."""
    if request.param == "hook":
        settings.AUTHENTICATION_BACKENDS = [f"{__name__}.BrokenBackend"]
    else:
        receive(user_logged_in, raising(RuntimeError()))


def raising(error):
    """Return a receiver that raises `error`."""

    def receiver(**_kwargs):
        raise error

    return receiver


@committing
def test_a_login_that_fails_leaves_only_its_counts(
    visitor, broken, piggy_sandbox, receive
):
    seen = []
    receive(signals.contact_verified, lambda **_: seen.append("verified"))

    response = log_in(visitor, piggy_sandbox)

    assert response.status_code == 500
    assert not User.objects.exists()
    assert not Contact.objects.exists()
    assert not Session.objects.exists()
    assert seen == []
    # The code was right, so it counts as no wrong code, and cannot be used again.
    assert {name for name in counts() if "send" not in name} == {"code_use"}


class QuietBackend(PiggyBackend):
    """Catches an error of the database, which ends the transaction nevertheless."""

    def update_user(self, request, user, identity):
        transaction.set_rollback(True)


@committing
def test_a_user_who_is_not_stored_is_not_logged_in(settings, piggy_sandbox, receive):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.QuietBackend"]
    seen = []
    receive(signals.contact_verified, lambda **_: seen.append("verified"))
    piggy_sandbox.add_contact(ADDRESS)
    ask_for_code(Client())

    with pytest.raises(TransactionManagementError):
        authenticate(recipient=ADDRESS, secret_code=piggy_sandbox.last_code(ADDRESS))

    assert not User.objects.exists()
    assert seen == []


@pytest.fixture(params=[PermissionDenied(), LoginRefused()], ids=repr)
def refusal(request, receive):
    """Refuse each login in a receiver, with an error whose page is no server error."""
    receive(user_logged_in, raising(request.param))


@committing
@pytest.mark.parametrize("engine", ["db", "cached_db", "cache", "signed_cookies"])
def test_a_login_that_a_receiver_refuses_leaves_no_session(
    visitor, settings, piggy_sandbox, refusal, engine
):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"

    response = log_in(visitor, piggy_sandbox)

    assert response.status_code == 403
    assert visitor.get("/login/").status_code == 200
    assert "sessionid" not in visitor.cookies


@committing
@pytest.mark.parametrize("engine", ["db", "signed_cookies"])
def test_a_login_that_a_receiver_refuses_leaves_the_session_as_it_was(
    visitor, settings, piggy_sandbox, refusal, engine
):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    session = visitor.session
    session["cart"] = 7
    session.save()
    visitor.cookies["sessionid"] = session.session_key

    log_in(visitor, piggy_sandbox)

    assert dict(visitor.session) == {"cart": 7}


class RefusingBackend(PiggyBackend):
    def update_user(self, request, user, identity):
        raise LoginRefused("of a test")


@committing
def test_a_hook_that_refuses_late_leaves_no_user_behind(
    visitor, settings, piggy_sandbox, caplog
):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.RefusingBackend"]

    response = log_in(visitor, piggy_sandbox)

    assert response.status_code == 403
    assert not User.objects.exists()
    assert "was refused: of a test" in caplog.text


class MailingBackend(PiggyBackend):
    def update_user(self, request, user, identity):
        transaction.on_commit(send_mail)


def send_mail():
    raise RuntimeError("no mail server")


@committing
def test_an_error_after_the_commit_undoes_no_count_twice(
    visitor, settings, code_of_visitor, receive
):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.MailingBackend"]
    verified = []
    receive(signals.contact_verified, lambda user, **_: verified.append(user))
    type_code(visitor, "wrong")

    response = type_code(visitor, code_of_visitor)

    assert response.status_code == 500
    assert counts()["check_login"] == counts()["check_ip"] == 1
    assert verified == [User.objects.get()]


class UnluckyBackend(PiggyBackend):
    errors: list[Exception] = []

    def update_user(self, request, user, identity):
        if self.errors:
            raise self.errors.pop()


@committing
@pytest.mark.parametrize("error", [DEADLOCK, IntegrityError()], ids=["deadlock", "row"])
def test_a_login_that_another_process_has_undone_is_tried_again(
    visitor, settings, piggy_sandbox, error
):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.UnluckyBackend"]
    UnluckyBackend.errors = [error]

    log_in(visitor, piggy_sandbox)

    assert is_logged_in(visitor)
    assert User.objects.count() == 1
    assert calls(piggy_sandbox).count("verify") == 1


def test_the_counts_are_committed_last(settings, monkeypatch):
    """If the contact cannot be committed, the counts are not yet settled."""
    settings.DATABASE_ROUTERS = ["tests.db.routers.SplitsCountsOff"]
    committed: list[object] = []

    @contextmanager
    def atomic(using):
        yield
        committed.append(using)

    monkeypatch.setattr(transaction, "atomic", atomic)
    monkeypatch.setattr(transaction, "on_commit", lambda *_, **__: None)
    monkeypatch.setattr(transactions, "_raise_if_broken", lambda *_: None)
    note = committed.append
    transactions.run(int, committed=note, undone=note, request=None)

    assert committed == ["default", "elsewhere", 0]


class StrictForm(CodeForm):
    def clean(self):
        super().clean()
        raise ValidationError("of a test")


def test_a_form_with_another_error_logs_nobody_in(visitor, piggy_sandbox, monkeypatch):
    monkeypatch.setattr(CodeView, "form_class", StrictForm)

    response = log_in(visitor, piggy_sandbox)

    assert response.status_code == 200
    assert not is_logged_in(visitor)
    assert "check_login" not in counts()


@committing
def test_the_lease_of_the_token_is_taken_with_the_login(
    visitor, piggy_sandbox, receive
):
    leases = []
    receive(
        signals.contact_verified,
        lambda **_: leases.append(Contact.objects.get().fetch_state),
    )

    log_in(visitor, piggy_sandbox)

    assert leases == [FetchState.FETCHING]
    assert AuthToken.objects.exists()
    assert Contact.objects.get().fetch_state == FetchState.IDLE
