"""
The authentication backend: from a right code to a Django user.

Which user that is, is decided here and in the five hooks; the code itself is
judged in `verification`.
"""

from typing import Any, cast

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError
from django.http import HttpRequest

from django_piggy_verify import events, recipients, signals
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import CodeRejected, LoginRefused
from django_piggy_verify.login import axes, codes, contacts, verification
from django_piggy_verify.models import Contact
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Identity
from django_piggy_verify.secret import Secret

_ATTEMPTS = 3


class PiggyBackend(BaseBackend):
    """
    Log contacts in by the provider's stable id, never by their address.

    Override `find_user`, `create_user`, `adopt_user`, `update_user` and
    `can_log_in` to make the mapping your own; they run after the code was proved
    right. It keeps no permissions: leave `ModelBackend` beside it.
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
        ProviderRefused: none of them is a failed login. On the code page it also
        raises CodeRepeated.
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
            with verification.checked_code(
                recipient, code, request=request
            ) as identity:
                user = self.admit(request, identity)
        except CodeRejected:
            return None
        axes.remember_success(request, user, recipient)
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
        return user if user and contacts.may_stay_logged_in(user) else None

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
        Close the doors through which an adopted user could be entered before.

        Called once, when ``PIGGY_VERIFY_LINK_BY_EMAIL`` has linked the user to the
        contact, in the transaction that stores the link. A stranger may have
        registered with the member's address. By default the password becomes
        unusable, which also ends the sessions that the user has. Everything else
        that lets somebody in, such as linked accounts, API tokens and passkeys, is
        for the project to delete. LoginRefused undoes the link.
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
        return contacts.may_log_in(user)

    def _find_or_make(
        self, request: HttpRequest | None, identity: Identity
    ) -> tuple[AbstractBaseUser, bool]:
        """Answer the user and whether it is new, with the contact's row written."""
        for _attempt in range(_ATTEMPTS):
            user = self.find_user(request, identity)
            try:
                if user is not None:
                    self._require_admission(request, user)
                    contacts.record(user, identity)
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
        adopted = (
            contacts.only_user_with_email(identity) if conf.link_by_email else None
        )
        if adopted is None and not conf.create_users:
            raise LoginRefused("no user for this contact, and none may be created")
        with contacts.atomic():
            user = adopted or self.create_user(request, identity)
            self._require_admission(request, user)
            contacts.add(user, identity)
            if adopted is not None:
                self.adopt_user(request, adopted, identity)
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
