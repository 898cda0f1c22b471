"""
Log a contact in, for tests that are about something else.

No page is opened and no code is checked. The project's own backend decides which user
the contact gets.
"""

from uuid import NAMESPACE_URL, uuid5

from django.conf import settings
from django.contrib.auth import load_backend
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.test import AsyncClient, Client
from django.utils import timezone

from django_piggy_verify import recipients
from django_piggy_verify.auth_tokens import cache
from django_piggy_verify.auth_tokens.cache import IssuedToken
from django_piggy_verify.backends import PiggyBackend, identity_of
from django_piggy_verify.models import Contact
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import Channel


def login_contact(
    client: Client | AsyncClient,
    recipient: str = "ann@example.com",
    *,
    uid: str | None = None,
    auth_token: str | None = None,
    request: HttpRequest | None = None,
) -> AbstractBaseUser:
    """
    Log a contact in as after a right code, and return the user.

    No HTTP call is made, and no limit counts the login. The project's own backend
    chooses the user: its `find_user`, `create_user`, `adopt_user`, `update_user` and
    `can_log_in` run and get `request`, which is None by default. The signal
    `contact_verified` is sent. The browser gets no device cookie, because only the
    pages set it.

    The recipient is an address, or a number of ``PIGGY_VERIFY_SMS_COUNTRIES``. The same
    recipient, in any spelling, is always the same contact. To choose the contact
    yourself, pass its `uid`. With ``uid=piggy_sandbox.add_contact(email).uid``, a token
    can be fetched from the sandbox. An `auth_token` is stored in the cache, where
    `get_auth_token` finds it for ``PIGGY_VERIFY_AUTH_TOKEN_TTL`` seconds.

    The function needs the database. In an async test, call it with `sync_to_async`.

    Raises LoginRefused if the user may not log in by code. Raises ValueError if the
    recipient is neither an address nor a number. Raises ImproperlyConfigured if there
    is no `PiggyBackend`.
    """
    path, backend = _find_backend()
    identity = identity_of(uid or _uid_of(recipient), recipient)
    user = backend.admit(request, identity)
    if auth_token is not None:
        key = {"provider": identity.provider, "uid": identity.uid}
        _store(Contact.objects.get(**key), Secret(auth_token))
    client.force_login(user, backend=path)  # type: ignore[arg-type]
    return user


def _find_backend() -> tuple[str, PiggyBackend]:
    for path in settings.AUTHENTICATION_BACKENDS:
        backend = load_backend(path)
        if isinstance(backend, PiggyBackend):
            return path, backend
    raise ImproperlyConfigured(
        "AUTHENTICATION_BACKENDS has no PiggyBackend, so nobody can log in by code."
    )


def _uid_of(recipient: str) -> str:
    """Return an invented id. All spellings of a recipient have the same id."""
    key = recipients.key(recipients.normalise(recipient))
    scheme = {Channel.EMAIL: "mailto", Channel.SMS: "tel"}[recipients.channel_of(key)]
    return str(uuid5(NAMESPACE_URL, f"{scheme}:{key}"))


def _store(contact: Contact, token: Secret) -> None:
    now = timezone.now()
    issued = IssuedToken(token=token, expires_at=cache.expiry(now))
    cache.store(contact, issued, fetched_at=now)
