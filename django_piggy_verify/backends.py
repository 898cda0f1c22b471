"""
The authentication backend, which returns the Django user for a right code.

The six hooks decide which user a contact gets, and who may log in. `verification`
checks the code. `admission` calls the hooks.
"""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from django_piggy_verify import recipients
from django_piggy_verify.admission import Admission
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import CodeRejected
from django_piggy_verify.login import axes, codes, contacts, pending, verification
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Identity, Proof
from django_piggy_verify.secret import Secret


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
        Return the user of the contact that `secret_code` was sent to.

        Returns None for a wrong code. The argument has the name `secret_code` because
        Django masks only names with "secret" and the like in `user_login_failed`. The
        backend ignores `username`.

        Raises TooManyAttempts, LoginRefused, ConsentMissing, ProviderUnavailable and
        ProviderRefused. None of them counts as a failed login in Django. On the code
        page, it also raises CodeRepeated, CodeNotSent and RecipientRefused. Raises
        ImproperlyConfigured if the provider cannot log anybody in.
        """
        secret_code = Secret(secret_code)
        if not verification.traits().can_log_in:
            raise ImproperlyConfigured(f"{conf.provider} cannot log anybody in")
        try:
            recipient = _spelled(recipient, request)
            code = codes.normalise(secret_code)
        except ValueError:
            return None
        try:
            checked = verification.check_code(recipient, code, request=request)
        except CodeRejected:
            return None
        admission = Admission(self, request, checked.proof, checked.consents)
        user = admission.store(checked.settle)
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

        return Admission(self, request, Proof.of(proved)).store(lock)

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


def _spelled(recipient: str, request: HttpRequest | None) -> str:
    """
    Return the recipient in its one spelling. Raises ValueError if it has none.

    The recipient of a login in progress has it already. Since the send, the country of
    a number may have left the settings.
    """
    login = pending.attached_to(request)
    is_known = login is not None and login.recipient == recipient
    return recipient if is_known else recipients.normalise(recipient)


def identity_of(uid: str, recipient: str) -> Identity:
    """
    Return the identity of the contact `uid` at the configured provider.

    Raises ValueError if `recipient` is no address and no number of a served country.
    """
    recipient = recipients.normalise(recipient)
    return Identity.of(recipient, provider=get_provider().name, uid=uid)
