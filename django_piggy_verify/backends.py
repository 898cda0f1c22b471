"""
The authentication backend, which returns the Django user for a right code.

The six hooks decide which user a contact gets, and who may log in. `verification`
checks the code.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import router
from django.http import HttpRequest

from django_piggy_verify import events, recipients, signals, tokens
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import CodeRejected, LoginRefused
from django_piggy_verify.login import (
    axes,
    codes,
    consents,
    contacts,
    transactions,
    verification,
)
from django_piggy_verify.login.consents import GivenConsent
from django_piggy_verify.models import Contact, Tally
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Identity, Proof
from django_piggy_verify.secret import Secret


class _Admitted(NamedTuple):
    """The user of a right code."""

    user: AbstractBaseUser
    is_new: bool
    announce_token: Callable[[], None]


class PiggyBackend(BaseBackend):
    """
    Finds the user of a contact by the provider's stable id, not by the address.

    To choose users in your own way, override `find_user`, `create_user`,
    `adopt_user`, `update_user`, `can_log_in` and `accepts_hint`. They run after the
    code was checked, in the transaction that stores the contact. If another process
    stores the same contact at the same time, the transaction is undone, and they run
    again.
    The backend has no permissions, so keep `ModelBackend` in the settings too.
    """

    def authenticate(  # type: ignore[override]
        self,
        request: HttpRequest | None,
        *,
        recipient: str,
        secret_code: str,
        username: str | None = None,
    ) -> AbstractBaseUser | None:
        """
        Return the user of the contact that `secret_code` was mailed to.

        Returns None for a wrong code. The argument has the name `secret_code` because
        Django masks only names with "secret" and the like in `user_login_failed`. The
        backend ignores `username`.

        Raises TooManyAttempts, LoginRefused, ConsentMissing, ProviderUnavailable and
        ProviderRefused. None of them counts as a failed login in Django. On the code
        page, it also raises CodeRepeated, CodeNotSent and RecipientRefused.
        """
        secret_code = Secret(secret_code)
        try:
            recipient, code = (
                recipients.normalise(recipient),
                codes.normalise(secret_code),
            )
        except ValueError:
            return None
        try:
            checked = verification.check_code(recipient, code, request=request)
        except CodeRejected:
            return None
        user = self._store(request, checked.proof, checked.settle, checked.consents)
        axes.remember_success(request, user, recipient)
        return user

    def admit(
        self, request: HttpRequest | None, proved: Identity | Proof
    ) -> AbstractBaseUser:
        """
        Return the user of the contact that a right code `proved`.

        This is the second half of `authenticate`. The hooks run, the contact and the
        token of a proof are stored, and the signal `contact_verified` is sent. The
        method checks no code and logs nobody in. Raises LoginRefused.
        """

        def lock(error: BaseException | None) -> None:
            # There are no counts to settle.
            if error is None:
                contacts.lock()

        return self._store(request, Proof.of(proved), lock)

    def get_user(  # type: ignore[override]
        self, user_id: Any
    ) -> AbstractBaseUser | None:
        """Return the user of a session, or None for a user who is inactive or staff."""
        user = get_user_model()._default_manager.filter(pk=user_id).first()
        return user if user and contacts.may_stay_logged_in(user) else None

    def find_user(
        self,
        request: HttpRequest | None,
        identity: Identity,
    ) -> AbstractBaseUser | None:
        """
        Return the user of the contact with this identity, or None.

        The default compares the id, not the address. If the hook returns None,
        ``PIGGY_VERIFY_LINK_BY_EMAIL`` may find a user by the address.
        """
        return contacts.user_of(identity)

    def create_user(
        self,
        request: HttpRequest | None,
        identity: Identity,
    ) -> AbstractBaseUser:
        """
        Create, save and return the user of a new contact.

        The default sets an unusable password and a random username. If the user model
        logs in by e-mail, it sets the address instead.
        """
        user = get_user_model()(**contacts.initial_values(identity))
        user.set_unusable_password()
        user.save(force_insert=True)
        return user

    def adopt_user(
        self,
        request: HttpRequest | None,
        user: AbstractBaseUser,
        identity: Identity,
    ) -> None:
        """
        Remove the other ways to log in as an adopted user.

        Called once, when ``PIGGY_VERIFY_LINK_BY_EMAIL`` has linked the user to the
        contact. A stranger may have registered with the member's address. The default
        makes the password unusable, which also ends the sessions of the user. The
        project has to delete all other credentials, such as linked accounts, API
        tokens and passkeys. If the hook raises LoginRefused, the user and the contact
        are not linked.
        """
        user.set_unusable_password()
        user.save(update_fields=["password"])

    def update_user(
        self,
        request: HttpRequest | None,
        user: AbstractBaseUser,
        identity: Identity,
    ) -> None:
        """
        Copy changes of the contact, such as a new address, to the user.

        Called at every login. The default does nothing. The contact has the new address
        already, and your project may use the user's address to reset passwords.
        """

    def can_log_in(
        self,
        request: HttpRequest | None,
        user: AbstractBaseUser,
    ) -> bool:
        """
        Return whether this user may log in by code.

        Called at every login. The default refuses inactive users. It accepts staff and
        superusers only with ``PIGGY_VERIFY_ALLOW_STAFF``. If a new user is refused, the
        user is not stored.
        """
        return contacts.may_log_in(user)

    def accepts_hint(
        self,
        request: HttpRequest | None,
        user: AbstractBaseUser,
        hint: str,
    ) -> bool:
        """
        Return whether this user may log in although the vendor recommends a check.

        `hint` is the vendor's word for the check, such as "face_liveness". Called only
        if the vendor gave one. The default accepts every hint. If the hook returns
        False, no new user and no token are stored. Otherwise the signal
        `step_up_recommended` is sent after the login.
        """
        return True

    def _store(
        self,
        request: HttpRequest | None,
        proof: Proof,
        settle: Callable[[BaseException | None], None],
        given: Sequence[GivenConsent] = (),
    ) -> AbstractBaseUser:
        """Store the contact of a right code, and settle the counts of the code."""

        def work() -> _Admitted:
            # The first statement has to be a write: see `contacts.lock`.
            settle(None)
            if router.db_for_write(Tally) != router.db_for_write(Contact):
                contacts.lock()
            return self._admit(request, proof, given)

        try:
            admitted: _Admitted = transactions.run(
                work,
                committed=partial(self._announce, request, proof),
                undone=settle,
                request=request,
            )
        except LoginRefused as refusal:
            recipient = proof.identity.recipient
            events.LOGIN_REFUSED.log(recipient=recipient, reason=str(refusal))
            raise
        return admitted.user

    def _admit(
        self,
        request: HttpRequest | None,
        proof: Proof,
        given: Sequence[GivenConsent],
    ) -> _Admitted:
        """Find or create the user. Store the contact, the consents and the token."""
        identity = proof.identity
        columns, is_new = transactions.columns(request), False
        user = self.find_user(request, identity)
        if user is not None:
            self._require_admission(request, user, proof.hint)
            contacts.record(user, identity, columns)
        elif user := self._user_to_adopt(identity):
            self._require_admission(request, user, proof.hint)
            contacts.add(user, identity, columns)
            self.adopt_user(request, user, identity)
        else:
            user, is_new = self.create_user(request, identity), True
            self._require_admission(request, user, proof.hint)
            contacts.add(user, identity, columns)
        self.update_user(request, user, identity)
        if given:
            consents.record(contacts.stored(identity), given)
        return _Admitted(user, is_new, tokens.keep(user, proof))

    def _user_to_adopt(self, identity: Identity) -> AbstractBaseUser | None:
        """
        Return the existing user to link to a new contact, if there is one.

        Raises LoginRefused if there is none, and no user may be created.
        """
        user: AbstractBaseUser | None = None
        if conf.link_by_email:
            user = contacts.only_user_with_email(identity)
        if user is None and not conf.create_users:
            raise LoginRefused("the contact has no user, and no users are created")
        return user

    def _announce(
        self, request: HttpRequest | None, proof: Proof, admitted: _Admitted
    ) -> None:
        """Log and signal a right code, after everything was stored."""
        user, is_new, announce_token = admitted
        identity = proof.identity
        events.CONTACT_VERIFIED.log(
            recipient=identity.recipient, user_id=user.pk, is_new=is_new
        )
        signals.contact_verified.send_robust(
            type(self), user=user, identity=identity, is_new=is_new, request=request
        )
        announce_token()
        if proof.hint:
            events.STEP_UP_RECOMMENDED.log(user_id=user.pk, hint=proof.hint)
            signals.step_up_recommended.send_robust(
                type(self),
                user=user,
                identity=identity,
                hint=proof.hint,
                request=request,
            )

    def _require_admission(
        self, request: HttpRequest | None, user: AbstractBaseUser, hint: str
    ) -> None:
        if not self.can_log_in(request, user):
            raise LoginRefused("the user may not log in by code")
        if hint and not self.accepts_hint(request, user, hint):
            raise LoginRefused(f"the project refuses the hint {hint!r}")


def identity_of(uid: str, email: str) -> Identity:
    """
    Return the identity of the contact `uid` at the configured provider.

    Raises ValueError if `email` is not a valid address.
    """
    email = recipients.normalise(email)
    return Identity(provider=get_provider().name, uid=uid, email=email)
