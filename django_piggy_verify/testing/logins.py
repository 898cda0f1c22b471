"""
A contact who is logged in, for tests that are about something else.

No page is walked and no code is checked here; whom that makes a user is decided
by the project's own backend.
"""

from datetime import timedelta
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
from django_piggy_verify.auth_tokens.cache import CachedToken
from django_piggy_verify.backends import PiggyBackend, identity_of
from django_piggy_verify.conf import conf
from django_piggy_verify.models import Contact
from django_piggy_verify.secret import Secret


def login_contact(
    client: Client | AsyncClient,
    email: str = "ann@example.com",
    *,
    uid: str | None = None,
    auth_token: str | None = None,
    request: HttpRequest | None = None,
) -> AbstractBaseUser:
    """
    Log a contact in, and answer the user, as if a right code had been typed.

    There is no HTTP, no limit counts, and no page is asked. The project's own
    backend maps the contact to a user: its `find_user`, `create_user`,
    `adopt_user`, `update_user` and `can_log_in` run and get `request`, by default
    None; `contact_verified` is sent. The browser, though, is not known to be the
    member's afterwards: a device cookie comes from the pages alone.

    The same `email`, in any spelling, is the same contact each time. Pass `uid` to be
    a particular one: with ``uid=piggy_sandbox.add_contact(email).uid``, a token can
    be fetched from the sandbox. With an `auth_token`, that is what it
    answers, from the cache, for ``PIGGY_VERIFY_AUTH_TOKEN_TTL`` seconds.

    Needs the database. In an async test, call it by `sync_to_async`.

    Raises LoginRefused for a user who may not log in by code, ValueError for what
    is no address, and ImproperlyConfigured if there is no `PiggyBackend`.
    """
    path, backend = _find_backend()
    identity = identity_of(uid or _uid_of(email), email)
    user = backend.admit(request, identity)
    if auth_token is not None:
        whose = {"provider": identity.provider, "uid": identity.uid}
        _store(Contact.objects.get(**whose), Secret(auth_token))
    client.force_login(user, backend=path)  # type: ignore[arg-type]
    return user


def _find_backend() -> tuple[str, PiggyBackend]:
    for path in settings.AUTHENTICATION_BACKENDS:
        backend = load_backend(path)
        if isinstance(backend, PiggyBackend):
            return path, backend
    raise ImproperlyConfigured(
        "AUTHENTICATION_BACKENDS has no PiggyBackend: nobody can be logged in by code."
    )


def _uid_of(email: str) -> str:
    """Make up an id, the same for all spellings of an address."""
    recipient = recipients.key(recipients.normalise(email))
    return str(uuid5(NAMESPACE_URL, f"mailto:{recipient}"))


def _store(contact: Contact, token: Secret) -> None:
    now = timezone.now()
    expires_at = now + timedelta(seconds=conf.auth_token_ttl)
    served = CachedToken(token=token, expires_at=expires_at)
    cache.store(contact, served, fetched_at=now)
