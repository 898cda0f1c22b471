"""
Connect a contact to a user who is logged in, and disconnect it again.

Nobody is logged in here. But a contact that is connected can log in as its user later.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

from django.contrib.auth import get_backends, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import router, transaction
from django.db.models import F
from django.http import HttpRequest

from django_piggy_verify import events, signals, tokens
from django_piggy_verify.db import locking, retries
from django_piggy_verify.exceptions import (
    AlreadyConnected,
    ContactTaken,
    ContactUnknown,
    LoginRefused,
    OnlyWayIn,
)
from django_piggy_verify.login import (
    consents,
    contacts,
    hints,
    open_challenges,
    transactions,
)
from django_piggy_verify.login.counted_checks import CheckedCode
from django_piggy_verify.models import Contact
from django_piggy_verify.providers import each_account, get_provider
from django_piggy_verify.traits import traits_of

_LONGEST_ID: Final = 18
"""The maximum number of digits of a primary key that every database can compare."""


class _Connected(NamedTuple):
    """A contact that was connected."""

    is_new: bool
    announce_token: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Connection:
    """The last step of connecting a contact, after the code was right."""

    request: HttpRequest
    user: AbstractBaseUser
    checked: CheckedCode

    def store(self) -> None:
        """Store the contact and settle the counts of the code, in one transaction."""
        recipient = self.checked.proof.identity.recipient
        try:
            transactions.run(
                self._work,
                committed=self._announce,
                undone=self.checked.settle,
                request=None,
            )
        except ContactTaken:
            events.CONTACT_TAKEN.log(recipient=recipient)
            raise
        except AlreadyConnected:
            events.ALREADY_CONNECTED.log(recipient=recipient, user_id=self.user.pk)
            raise
        except LoginRefused as refusal:
            events.LOGIN_REFUSED.log(recipient=recipient, reason=str(refusal))
            raise

    def _work(self) -> _Connected:
        proof = self.checked.proof
        contacts.settle_and_lock(self.checked.settle)
        self._require_admission()
        is_new = self._is_new()
        store = contacts.add if is_new else contacts.record
        store(self.user, proof.identity, {})
        if self.checked.consents:
            stored = contacts.stored(self.user, proof.identity)
            consents.record(stored, self.checked.consents)
        return _Connected(is_new, tokens.keep(self.user, proof))

    def _require_admission(self) -> None:
        """Raise LoginRefused if the user may not connect this contact any more."""
        user, hint = _locked(self.user), self.checked.proof.hint
        if user is None or not contacts.may_log_in(user):
            raise LoginRefused("the user may not connect a contact")
        if user.get_session_auth_hash() != self.user.get_session_auth_hash():
            raise LoginRefused("the password was changed, which ends the session")
        if hint and not self._accepts_hint(user, hint):
            raise LoginRefused(f"the project refuses the hint {hint!r}")

    def _accepts_hint(self, user: AbstractBaseUser, hint: str) -> bool:
        """Ask the hook of each `PiggyBackend` in the settings."""
        hooks = (getattr(each, "accepts_hint", None) for each in get_backends())
        return all(hook(self.request, user, hint) for hook in hooks if hook)

    def _is_new(self) -> bool:
        """
        Return whether the user has no contact of this provider yet.

        Raises ContactTaken if the contact is another user's. Raises AlreadyConnected if
        the user has another contact of the provider.
        """
        identity, rows = self.checked.proof.identity, locking.primary_rows(Contact)
        found = rows.filter(provider=identity.provider)
        owner = found.filter(uid=identity.uid).values_list("user", flat=True).first()
        if owner is not None and owner != self.user.pk:
            raise ContactTaken("another user has this contact")
        if owner is None and found.filter(user_id=self.user.pk).exists():
            raise AlreadyConnected("the user has another contact of this provider")
        return owner is None

    def _announce(self, connected: _Connected) -> None:
        """Log and signal the connection, after everything was stored."""
        identity, (is_new, announce_token) = self.checked.proof.identity, connected
        events.CONTACT_CONNECTED.log(
            recipient=identity.recipient, user_id=self.user.pk, is_new=is_new
        )
        signals.contact_connected.send_robust(
            Contact,
            user=self.user,
            identity=identity,
            is_new=is_new,
            request=self.request,
        )
        announce_token()
        hints.announce(self.checked.proof, self.user, self.request, sender=Contact)


def connect(checked: CheckedCode, *, request: HttpRequest) -> None:
    """
    Connect the contact that a right code or a followed link has proved.

    The contact is connected to the user of the request. A contact that the user has
    already is stored again. Raises ContactTaken, AlreadyConnected and LoginRefused.
    """
    user = cast("AbstractBaseUser", request.user)
    _Connection(request, user, checked).store()


def contacts_of(user: AbstractBaseUser) -> Sequence[Contact]:
    """Return the contacts of a user, the oldest first."""
    return list(Contact.objects.filter(user_id=user.pk).order_by("pk"))


def disconnect(
    contact_id: str,
    *,
    user: AbstractBaseUser,
    request: HttpRequest,
    is_only_way_in: Callable[[AbstractBaseUser, Contact], bool],
) -> None:
    """
    Delete a contact of `user`, with its tokens and the codes that are on their way.

    `contact_id` is the primary key as a text. Raises ContactUnknown if the user has no
    such contact. Raises OnlyWayIn if `is_only_way_in` returns True.
    """
    is_id = contact_id.isdecimal() and len(contact_id) <= _LONGEST_ID
    contact = _delete(int(contact_id) if is_id else 0, user, is_only_way_in)
    provider, uid = contact.provider, contact.uid
    open_challenges.forget_all(provider, (contact.email, contact.phone))
    events.CONTACT_DISCONNECTED.log(user_id=user.pk, provider=provider, uid=uid)
    signals.contact_disconnected.send_robust(
        Contact, user=user, provider=provider, uid=uid, request=request
    )


def is_only_way_in(user: AbstractBaseUser, contact: Contact) -> bool:
    """
    Return whether `user` could not log in without `contact`.

    The other ways in are a password, and a contact of another account of the provider.
    This function knows no other way.
    """
    names = set(_names_that_log_in())
    if contact.provider not in names or _has_password(user):
        return False
    rows = locking.primary_rows(Contact).exclude(pk=contact.pk)
    return not rows.filter(user_id=user.pk, provider__in=names).exists()


def _has_password(user: AbstractBaseUser) -> bool:
    """
    Return whether `user` may log in with a password.

    Django says that a blank password can be used. One backend of another package is
    enough, because it may know passwords.
    """
    can_check = any(not hasattr(each, "accepts_hint") for each in get_backends())
    return can_check and bool(user.password) and user.has_usable_password()


@retries.retry_on_conflict
def _delete(
    contact_id: int,
    user: AbstractBaseUser,
    is_only_way_in: Callable[[AbstractBaseUser, Contact], bool],
) -> Contact:
    rows = locking.primary_rows(Contact).filter(user_id=user.pk)
    with transaction.atomic(using=rows.db):
        # Two requests at once must not delete the last two ways in, and no token may be
        # stored meanwhile. With a lock only, PostgreSQL would read old rows at the
        # level of repeatable reads.
        rows.update(uid=F("uid"))
        locked = _locked(user)
        contact = rows.filter(pk=contact_id).first()
        if locked is None or contact is None:
            raise ContactUnknown("the user has no such contact")
        if is_only_way_in(locked, contact):
            raise OnlyWayIn("the user could not log in any more")
        contact.delete()
    return contact


def _locked(user: AbstractBaseUser) -> AbstractBaseUser | None:
    """Return the row of the user as it is now, and lock it."""
    model = get_user_model()
    rows = model._base_manager.using(router.db_for_write(model))
    return rows.select_for_update().filter(pk=user.pk).first()


def _names_that_log_in() -> Sequence[str]:
    """Return the names of the accounts whose contacts can log in."""
    providers = [get_provider() for _account in each_account()]
    return [each.name for each in providers if traits_of(each).can_log_in]
