"""
Find, create and store the user of a contact whose code was right.

`admission` decides the order of these steps, and calls the hooks of a project.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models, router
from django.utils import timezone
from django.utils.crypto import get_random_string

from django_piggy_verify.conf import conf
from django_piggy_verify.db import locking, retries
from django_piggy_verify.exceptions import LoginRefused
from django_piggy_verify.models import Contact, Tally
from django_piggy_verify.providers.base import Identity

_USERNAME_LENGTH: Final = 20
_USERNAME_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"


def user_of(identity: Identity) -> AbstractBaseUser | None:
    """Return the user of the contact with this identity, or None."""
    rows = Contact.objects.filter(provider=identity.provider, uid=identity.uid)
    contact = rows.select_related("user").first()
    if contact is None:
        return None
    user: AbstractBaseUser = contact.user
    user._piggy_verify_contact = contact  # type: ignore[attr-defined]
    return user


def read_with(user: AbstractBaseUser, provider: str) -> Contact | None:
    """
    Return the contact at `provider` that `user_of` has read together with `user`.

    Return None if it has not. A project's `find_user` may find users by the contact of
    an earlier provider.
    """
    contact: Contact | None = getattr(user, "_piggy_verify_contact", None)
    return contact if contact and contact.provider == provider else None


def lock() -> None:
    """
    Wait for the write lock of SQLite, in a transaction that would read first.

    After a read, SQLite does not wait for another process that writes.

    Source: "Transactions", section 2.2, documentation of SQLite.
    """
    Contact.objects.filter(uid="").update(uid="")


def settle_and_lock(settle: Callable[[BaseException | None], None]) -> None:
    """
    Settle the counts of a right code, as the first statement of a transaction.

    The first statement has to be a write to the database of the contacts: see `lock`.
    If the counts are in another database, `settle` is no such write.
    """
    settle(None)
    if router.db_for_write(Tally) != router.db_for_write(Contact):
        lock()


def record(
    user: AbstractBaseUser, identity: Identity, columns: Mapping[str, Any]
) -> None:
    """
    Store the contact's user, the address or number that was proved, and `columns`.

    Raises IntegrityError if another login inserts the row at the same time. Raises
    Conflict if the row was read with `user`, and was deleted meanwhile.
    """
    rows = Contact.objects.filter(
        provider=identity.provider, uid=identity.uid, user_id=user.pk
    )
    proved = _proved(identity)
    if rows.update(**proved, verified_at=timezone.now(), **columns):
        return
    if _read_with(user, identity):
        # The user has disconnected the contact, so it must not log in as this user.
        raise retries.Conflict
    add(user, identity, columns)


def add(user: AbstractBaseUser, identity: Identity, columns: Mapping[str, Any]) -> None:
    """
    Insert the row of a new contact, with `columns`.

    Raises IntegrityError if another login inserts the row at the same time.
    """
    now = timezone.now()
    Contact.objects.create(
        user_id=user.pk,
        provider=identity.provider,
        uid=identity.uid,
        **_proved(identity),
        created_at=now,
        verified_at=now,
        **columns,
    )


def _proved(identity: Identity) -> dict[str, str]:
    """Return the columns of what was proved. A code for one leaves the other alone."""
    found = {"email": identity.email, "phone": identity.phone}
    return {name: value for name, value in found.items() if value}


def stored(user: AbstractBaseUser, identity: Identity) -> Contact:
    """Return the row of the contact that was stored for `user`."""
    if contact := _read_with(user, identity):
        return contact
    rows = locking.primary_rows(Contact)
    return rows.get(provider=identity.provider, uid=identity.uid)


def _read_with(user: AbstractBaseUser, identity: Identity) -> Contact | None:
    contact = read_with(user, identity.provider)
    return contact if contact and contact.uid == identity.uid else None


def only_user_with_email(identity: Identity) -> AbstractBaseUser | None:
    """
    Return the user with exactly this address, if only one has it.

    Return None if the user has a contact of the same provider, or a contact with
    another address. A stranger may have connected that contact, to log in with it.
    """
    model = get_user_model()
    name = model.get_email_field_name()
    # A user without an address is not the user of a phone number.
    if not identity.email or not _has_field(model, name):
        return None
    # Some databases ignore case when they compare texts. This comparison is exact.
    matches = [
        user
        for user in model._default_manager.filter(**{name: identity.email}).exclude(
            piggy_contacts__provider=identity.provider
        )
        if getattr(user, name) == identity.email
    ]
    if len(matches) != 1:
        return None
    others = locking.primary_rows(Contact).filter(user_id=matches[0].pk)
    is_own = all(each.email == identity.email for each in others)
    return matches[0] if is_own else None


def initial_values(identity: Identity) -> dict[str, str]:
    """
    Return the fields of a new user: the address, and a random username.

    Raises LoginRefused if only a number was proved, but the user model needs an
    address. It does so if users log in by the address, or if the address is unique.
    """
    model = get_user_model()
    username = model._meta.get_field(model.USERNAME_FIELD)
    addresses = _address_fields()
    values = {each.name: identity.email for each in addresses if identity.email}
    # Otherwise the first user without an address would keep out all others.
    needs_address = any(each.unique and not each.null for each in addresses)
    if not values and (needs_address or username in addresses):
        raise LoginRefused(
            "the user model needs an address, and only a number was proved: "
            "override `create_user`"
        )
    if username in addresses:
        return values
    if isinstance(username, models.CharField) and not username.has_default():
        length = min(_USERNAME_LENGTH, username.max_length or _USERNAME_LENGTH)
        values[username.name] = get_random_string(length, _USERNAME_ALPHABET)
    return values


def may_log_in(user: AbstractBaseUser) -> bool:
    """Return whether the user is active, and not staff unless the settings allow it."""
    return user.is_active and (conf.allow_staff or not _is_staff(user))


def may_stay_logged_in(user: AbstractBaseUser) -> bool:
    """Return whether a session of this user is still good."""
    if may_log_in(user):
        return True
    # Staff without a contact did not log in by code. The `force_login` of a test
    # client uses the first backend for every user.
    return user.is_active and not Contact.objects.filter(user_id=user.pk).exists()


def _address_fields() -> "list[models.Field[Any, Any]]":
    """Return the fields of a user that have the address."""
    model = get_user_model()
    email, username = model.get_email_field_name(), model.USERNAME_FIELD
    return [
        each
        for each in model._meta.fields
        if each.name == email
        or (each.name == username and isinstance(each, models.EmailField))
    ]


def _has_field(model: type[AbstractBaseUser], name: str) -> bool:
    return any(field.name == name for field in model._meta.get_fields())


def _is_staff(user: AbstractBaseUser) -> bool:
    return getattr(user, "is_staff", False) or getattr(user, "is_superuser", False)
