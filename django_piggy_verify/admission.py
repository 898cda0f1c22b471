"""
Store the contact of a right code, and find or create its user.

The hooks of the backend decide which user a contact gets, and who may log in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from django_piggy_verify import events, signals, tokens
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import LoginRefused
from django_piggy_verify.login import consents, contacts, hints, transactions
from django_piggy_verify.login.consents import GivenConsent
from django_piggy_verify.providers.base import Identity, Proof


class Hooks(Protocol):
    """The hooks of `PiggyBackend`, which a project overrides."""

    def find_user(
        self, request: HttpRequest | None, identity: Identity
    ) -> AbstractBaseUser | None:
        """Return the user of a contact, or None."""

    def create_user(
        self, request: HttpRequest | None, identity: Identity
    ) -> AbstractBaseUser:
        """Return the new user of a new contact."""

    def adopt_user(
        self, request: HttpRequest | None, user: AbstractBaseUser, identity: Identity
    ) -> None:
        """Remove the other ways to log in as an adopted user."""

    def update_user(
        self, request: HttpRequest | None, user: AbstractBaseUser, identity: Identity
    ) -> None:
        """Copy changes of the contact to the user."""

    def can_log_in(self, request: HttpRequest | None, user: AbstractBaseUser) -> bool:
        """Return whether this user may log in by code."""

    def accepts_hint(
        self, request: HttpRequest | None, user: AbstractBaseUser, hint: str
    ) -> bool:
        """Return whether this user may log in although a check is recommended."""


class _Admitted(NamedTuple):
    """The user of a right code."""

    user: AbstractBaseUser
    is_new: bool
    announce_token: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Admission:
    """The last step of one login, after the code was right."""

    hooks: Hooks
    """The backend, whose class is the sender of the signals."""

    request: HttpRequest | None
    """The request that the hooks get."""

    proof: Proof
    """The contact that the code has proved, with its tokens and the hint."""

    given: Sequence[GivenConsent] = ()
    """The consents to record."""

    def store(self, settle: Callable[[BaseException | None], None]) -> AbstractBaseUser:
        """
        Store the contact and settle the counts of the code, in one transaction.

        Return the user. Raises LoginRefused.
        """

        def work() -> _Admitted:
            contacts.settle_and_lock(settle)
            return self._admit()

        try:
            admitted: _Admitted = transactions.run(
                work, committed=self._announce, undone=settle, request=self.request
            )
        except LoginRefused as refusal:
            recipient = self.proof.identity.recipient
            events.LOGIN_REFUSED.log(recipient=recipient, reason=str(refusal))
            raise
        return admitted.user

    def _admit(self) -> _Admitted:
        """Find or create the user. Store the contact, the consents and the token."""
        identity, hooks, request = self.proof.identity, self.hooks, self.request
        columns, is_new = transactions.columns(request), False
        user = hooks.find_user(request, identity)
        if user is not None:
            self._require_admission(user)
            contacts.record(user, identity, columns)
        elif user := self._user_to_adopt():
            self._require_admission(user)
            contacts.add(user, identity, columns)
            hooks.adopt_user(request, user, identity)
        else:
            user, is_new = hooks.create_user(request, identity), True
            self._require_admission(user)
            contacts.add(user, identity, columns)
        hooks.update_user(request, user, identity)
        if self.given:
            consents.record(contacts.stored(user, identity), self.given)
        return _Admitted(user, is_new, tokens.keep(user, self.proof))

    def _user_to_adopt(self) -> AbstractBaseUser | None:
        """
        Return the existing user to link to a new contact, if there is one.

        Raises LoginRefused if there is none, and no user may be created.
        """
        user: AbstractBaseUser | None = None
        if conf.link_by_email:
            user = contacts.only_user_with_email(self.proof.identity)
        if user is None and not conf.create_users:
            raise LoginRefused("the contact has no user, and no users are created")
        return user

    def _require_admission(self, user: AbstractBaseUser) -> None:
        hint = self.proof.hint
        if not self.hooks.can_log_in(self.request, user):
            raise LoginRefused("the user may not log in by code")
        if hint and not self.hooks.accepts_hint(self.request, user, hint):
            raise LoginRefused(f"the project refuses the hint {hint!r}")

    def _announce(self, admitted: _Admitted) -> None:
        """Log and signal a right code, after everything was stored."""
        user, is_new, announce_token = admitted
        identity = self.proof.identity
        events.CONTACT_VERIFIED.log(
            recipient=identity.recipient, user_id=user.pk, is_new=is_new
        )
        signals.contact_verified.send_robust(
            type(self.hooks),
            user=user,
            identity=identity,
            is_new=is_new,
            request=self.request,
        )
        announce_token()
        hints.announce(self.proof, user, self.request, sender=type(self.hooks))
