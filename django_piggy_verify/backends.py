"""
The authentication backend: from a right code to a Django user.

Which user that is, is decided here and in the four hooks; the code itself is
judged in `verification`.
"""

from typing import Any, cast

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, models, router, transaction
from django.db.transaction import Atomic
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import get_random_string

from django_piggy_verify import (
    codes,
    events,
    lockout,
    recipients,
    signals,
    verification,
)
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import CodeRejected, LoginRefused
from django_piggy_verify.models import Contact
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Identity
from django_piggy_verify.secret import Secret

_ATTEMPTS = 3
_USERNAME_LENGTH = 20
_USERNAME_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class PiggyBackend(BaseBackend):
    """
    Log contacts in by the provider's stable id, never by their address.

    Override `find_user`, `create_user`, `update_user` and `can_log_in` to make
    the mapping your own; they run after the code was proved right. It keeps
    no permissions: leave `ModelBackend` beside it.
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
        Answer the user of the contact whom `secret_code` was mailed to.

        `secret_code` is so named because Django masks only such names in
        `user_login_failed`. `username` is ignored. A wrong code answers None.

        Raises TooManyAttempts, LoginRefused, ProviderUnavailable and
        ProviderRefused: none of them is a failed login.
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
            identity = verification.check_code(recipient, code, request=request)
        except CodeRejected:
            return None
        user = self.admit(request, identity)
        lockout.remember(request, user, recipient)
        return user

    def admit(
        self, request: HttpRequest | None, identity: Identity
    ) -> AbstractBaseUser:
        """
        Answer the user of the contact who was proved to be `identity`.

        The second half of `authenticate`: the hooks run, the contact's row is
        written, `contact_verified` is sent. Nothing is proved here, and nobody
        is logged in. Raises LoginRefused.
        """
        try:
            user, is_new = self._find_or_make(request, identity)
        except LoginRefused as refusal:
            events.LOGIN_REFUSED.log(recipient=identity.email, reason=str(refusal))
            raise
        self.update_user(request, user, identity)
        events.CONTACT_VERIFIED.log(
            recipient=identity.email, user_id=user.pk, is_new=is_new
        )
        signals.contact_verified.send_robust(
            type(self), user=user, identity=identity, is_new=is_new, request=request
        )
        return user

    def get_user(  # type: ignore[override]
        self, user_id: Any
    ) -> AbstractBaseUser | None:
        """Answer the user of a session, unless they have become inactive or staff."""
        user = get_user_model()._default_manager.filter(pk=user_id).first()
        return user if user and _may_stay(user) else None

    def find_user(
        self,
        request: HttpRequest | None,
        identity: Identity,
    ) -> AbstractBaseUser | None:
        """
        Answer the user whom this identity belongs to, or None.

        The id decides, never the address: see ``PIGGY_VERIFY_LINK_BY_EMAIL`` for
        the one exception, which is made after this.
        """
        contact = (
            Contact.objects.filter(provider=identity.provider, uid=identity.uid)
            .select_related("user")
            .first()
        )
        return cast("AbstractBaseUser", contact.user) if contact else None

    def create_user(
        self,
        request: HttpRequest | None,
        identity: Identity,
    ) -> AbstractBaseUser:
        """
        Make the user of a contact seen for the first time, and answer it saved.

        It has an unusable password, and a random username unless the user
        model logs in by e-mail. Runs in a transaction with the contact's row.
        """
        user = get_user_model()(**_initial_values(identity))
        user.set_unusable_password()
        user.save(force_insert=True)
        return user

    def update_user(
        self,
        request: HttpRequest | None,
        user: AbstractBaseUser,
        identity: Identity,
    ) -> None:
        """
        Copy to the user what changed upstream; called at every login.

        By default nothing: the new address is in the contact's row already, and
        a user's own e-mail may be what passwords are reset through.
        """

    def can_log_in(
        self,
        request: HttpRequest | None,
        user: AbstractBaseUser,
    ) -> bool:
        """
        Whether this user may log in by code; asked at every login.

        Inactive users never; staff and superusers only with
        ``PIGGY_VERIFY_ALLOW_STAFF``. A refusal rolls a new user back.
        """
        return _is_admissible(user)

    def _find_or_make(
        self, request: HttpRequest | None, identity: Identity
    ) -> tuple[AbstractBaseUser, bool]:
        """Answer the user and whether it is new, with the contact's row written."""
        for _attempt in range(_ATTEMPTS):
            user = self.find_user(request, identity)
            try:
                if user is not None:
                    self._require_admission(request, user)
                    _record(user, identity)
                    return user, False
                return self._adopt_or_create(request, identity)
            except IntegrityError as error:
                # Another first login of the contact came first, or a random
                # username was taken: look again.
                conflict = error
        raise LoginRefused(
            "the user cannot be stored: another row has the name or address, "
            "or a field wants a value, which is for `create_user` to set"
        ) from conflict

    def _adopt_or_create(
        self, request: HttpRequest | None, identity: Identity
    ) -> tuple[AbstractBaseUser, bool]:
        adopted = _only_user_with_email(identity) if conf.link_by_email else None
        if adopted is None and not conf.create_users:
            raise LoginRefused("no user for this contact, and none may be created")
        with _all_or_nothing():
            user = adopted or self.create_user(request, identity)
            self._require_admission(request, user)
            _record(user, identity)
            if adopted is not None:
                _void_password(adopted)
        return user, adopted is None

    def _require_admission(
        self, request: HttpRequest | None, user: AbstractBaseUser
    ) -> None:
        if not self.can_log_in(request, user):
            raise LoginRefused("the user may not log in this way")


def identity_of(uid: str, email: str) -> Identity:
    """
    Answer whom a right code would prove: contact `uid` of the configured provider.

    Raises ValueError if `email` is not an address that a code could be mailed to.
    """
    email = recipients.normalise(email)
    return Identity(provider=get_provider().name, uid=uid, email=email)


def _record(user: AbstractBaseUser, identity: Identity) -> None:
    """Write the contact's row: who it is, and the address just proved."""
    now = timezone.now()
    whose = {"provider": identity.provider, "uid": identity.uid, "user": user}
    proved = {"email": identity.email, "verified_at": now}
    if not Contact.objects.filter(**whose).update(**proved):
        with _all_or_nothing():
            Contact.objects.create(**whose, **proved, created_at=now)


def _all_or_nothing() -> Atomic:
    """Undo what fails, in the database that contacts and users are in."""
    return transaction.atomic(using=router.db_for_write(Contact))


def _void_password(user: AbstractBaseUser) -> None:
    """
    Shut out whoever knows the password, and end the sessions it has opened.

    A stranger may have registered here with the member's address, and waited.
    """
    user.set_unusable_password()
    user.save(update_fields=["password"])


def _only_user_with_email(identity: Identity) -> AbstractBaseUser | None:
    model = get_user_model()
    name = model.get_email_field_name()
    if not _has_field(model, name):
        return None
    # Some databases fold case when they compare; here only the same text counts.
    matches = [
        user
        for user in model._default_manager.filter(**{name: identity.email}).exclude(
            piggy_contacts__provider=identity.provider
        )
        if getattr(user, name) == identity.email
    ]
    return matches[0] if len(matches) == 1 else None


def _initial_values(identity: Identity) -> dict[str, str]:
    model = get_user_model()
    values = {}
    if _has_field(model, model.get_email_field_name()):
        values[model.get_email_field_name()] = identity.email
    username = model._meta.get_field(model.USERNAME_FIELD)
    if isinstance(username, models.EmailField):
        values[username.name] = identity.email
    elif isinstance(username, models.CharField) and not username.has_default():
        length = min(_USERNAME_LENGTH, username.max_length or _USERNAME_LENGTH)
        values[username.name] = get_random_string(length, _USERNAME_ALPHABET)
    return values


def _has_field(model: type[AbstractBaseUser], name: str) -> bool:
    return any(field.name == name for field in model._meta.get_fields())


def _is_admissible(user: AbstractBaseUser) -> bool:
    return user.is_active and (conf.allow_staff or not _is_staff(user))


def _may_stay(user: AbstractBaseUser) -> bool:
    if _is_admissible(user):
        return True
    # Staff who are no contact have not come in by a code: the first backend stands
    # for all users whom a test client's `force_login` lets in.
    return user.is_active and not Contact.objects.filter(user_id=user.pk).exists()


def _is_staff(user: AbstractBaseUser) -> bool:
    return getattr(user, "is_staff", False) or getattr(user, "is_superuser", False)
