"""
Get the auth token of a contact, from the cache or from the provider.

`auth_tokens` does the work. This module decides when a token is fetched.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from threading import local
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router, transaction
from django.http import HttpRequest
from django.utils import timezone

from django_piggy_verify import events
from django_piggy_verify.auth_tokens import cache, fetching, leases, refreshing
from django_piggy_verify.auth_tokens.cache import CachedToken
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    ContactUnknown,
    LoginRequired,
    ProviderError,
)
from django_piggy_verify.login import after_response, contacts
from django_piggy_verify.models import AuthToken, Contact
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import (
    Proof,
    Provider,
    TokenProvider,
    TokenRefresher,
)
from django_piggy_verify.traits import traits_of


def get_auth_token(
    user: AbstractBaseUser | AnonymousUser, *, refresh: bool = False
) -> str:
    """
    Return the auth token of the contact that belongs to `user`.

    A cached token that has not expired costs one query. Otherwise, or with
    `refresh`, the token is fetched and stored. All threads and processes that ask at
    the same time share one request. Shortly before a token expires, one caller
    fetches the next one, and the other callers still get the old one.

    A fetch that failed is not tried again for three seconds, unless `refresh` is
    given. If the fetch fails while the old token is valid, the old one is returned.

    Inside a transaction of the caller, only the threads of one process share a
    request. Tokens that other processes store are not seen there.

    With some providers, the token comes with the code of a login. If a refresh token
    came with it, it is exchanged for the next token in the same way. If the provider
    refuses the refresh token, both tokens are deleted, and LoginRequired is raised.
    Inside a transaction of the caller, ProviderUnavailable is raised then, because
    another process may have used the refresh token at the same time.

    Without a refresh token, only another login brings a new one. Without a valid token,
    or with `refresh`, LoginRequired is raised there.

    Raises ContactUnknown if the user is not a contact, or not any more. Raises
    ProviderRefused or ProviderUnavailable if there is neither a new token nor a
    valid old one. Raises ImproperlyConfigured if the provider has no tokens.
    """
    return str(get_with_expiry(user, refresh=refresh).token)


async def aget_auth_token(
    user: AbstractBaseUser | AnonymousUser, *, refresh: bool = False
) -> str:
    """Return the same as `get_auth_token`, without blocking the event loop."""
    return await sync_to_async(get_auth_token)(user, refresh=refresh)


def get_with_expiry(
    user: AbstractBaseUser | AnonymousUser, *, refresh: bool = False
) -> CachedToken:
    """Return the same as `get_auth_token`, with the time of its expiry."""
    if user.pk is None:
        raise ContactUnknown("an anonymous user is not a contact")
    provider = get_provider()
    if _fetch_now(_waiting.fetches, (provider.name, user.pk)):
        # The fetch of the login is as new as a refresh.
        refresh = False
    cached = None if refresh else cache.find(user.pk, provider.name)
    if cached and not cached.is_due:
        return cached
    if not isinstance(provider, TokenProvider | TokenRefresher):
        if cached:
            return cached
        raise _missing_token(provider, user.pk)
    try:
        if cached:
            return fetching.fetch_unless_busy(provider, user.pk) or cached
        return fetching.fetch(provider, user.pk, is_renewal=refresh)
    except ProviderError:
        # Meanwhile the old token may be gone, and another caller's may be there.
        cached = cache.find(user.pk, provider.name)
        if cached is None:
            raise
    events.AUTH_TOKEN_KEPT.log(until=cached.expires_at)
    return cached


def _missing_token(provider: Provider, user_id: Any) -> Exception:
    """
    Return the exception for a token that cannot be fetched.

    Raises ContactUnknown if the user is no contact.
    """
    if not traits_of(provider).issues_tokens:
        return ImproperlyConfigured(f"{conf.provider} hands out no auth tokens")
    fetching.find_contact(user_id, provider)
    return LoginRequired("only another login brings an auth token")


def keep(user: AbstractBaseUser, proof: Proof) -> Callable[[], None]:
    """
    Store the tokens of a `proof`, after its contact. Return a function.

    Call the function after the commit, to announce the tokens. A token that cannot be
    stored is logged, and the login goes on. But if the database has undone the whole
    transaction of the login, the error is raised.
    """
    if proof.tokens is None:
        return _announce_nothing
    now = timezone.now()
    issued = refreshing.issued(proof.tokens, now)
    alias = router.db_for_write(AuthToken)
    try:
        # The savepoint keeps the transaction of the login usable after most errors.
        with transaction.atomic(using=alias):
            contact = contacts.stored(user, proof.identity)
            cache.store(contact, issued, fetched_at=now)
    except Exception:
        # After a deadlock, MariaDB has undone the savepoint and the user, too.
        if connections[alias].needs_rollback:
            raise
        events.AUTH_TOKEN_FAILED.log(user_id=user.pk, exc_info=True)
        return _announce_nothing
    return partial(fetching.announce, get_provider(), contact, issued)


def _announce_nothing() -> None:
    """Do nothing: no token was stored."""


class _Waiting(local):
    """The fetches of the logins in this thread that have not begun."""

    def __init__(self) -> None:
        self.fetches: dict[Any, Callable[[], None]] = {}
        """By the name of the provider and the key of the user."""


_waiting = _Waiting()


def _fetch_now(fetches: dict[Any, Callable[[], None]], key: Any) -> bool:
    """Make the fetch of a login, unless it has begun. Return whether it was made."""
    fetch = fetches.pop(key, None)
    if fetch:
        fetch()
    return fetch is not None


class LoginFetch:
    """
    Fetches the token of a user who logs in, after the response to the login.

    Create it before the transaction of the login begins. The statement that records the
    login writes `columns`, which take the lease. Other callers then wait for this fetch
    and share its token. Only the thread of the login cannot wait, because the fetch
    waits for the response of this thread. If this thread asks for the token, it makes
    the fetch at once.
    """

    def __init__(self) -> None:
        provider = get_provider()
        self._provider = provider if isinstance(provider, TokenProvider) else None
        self._takes_lease = self._provider and not fetching.is_in_transaction()
        self._lease_until: Any = None

    def columns(self) -> Mapping[str, Any]:
        """Return the columns of the contact's row that take the lease."""
        columns = leases.columns() if self._takes_lease else {}
        self._lease_until = columns.get("fetch_until")
        return columns

    def begin(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        """Fetch after the response to `request`, if the provider has tokens."""
        if self._provider is None:
            return
        name = self._provider.name
        contact = contacts.read_with(user, name) if self._lease_until else None
        # The job runs in another thread, so it gets the dictionary of this one.
        fetches, key = _waiting.fetches, (name, user.pk)
        fetches[key] = partial(self._fetch, self._provider, user.pk, contact)
        if not after_response.run(request, partial(_fetch_now, fetches, key)):
            del fetches[key]
            leases.cancel(user_id=user.pk)

    def _fetch(
        self, provider: TokenProvider, user_id: Any, contact: Contact | None
    ) -> None:
        try:
            # The failure of the provider was logged already.
            with suppress(ProviderError):
                if self._lease_until:
                    contact = contact or fetching.find_contact(user_id, provider)
                    fetching.fetch_under_lease(provider, contact, self._lease_until)
                else:
                    fetching.fetch(provider, user_id, is_renewal=True)
        except ContactUnknown:
            events.CONTACT_GONE.log(user_id=user_id)
        except Exception:  # noqa: BLE001  the record names the user
            events.AUTH_TOKEN_FAILED.log(user_id=user_id, exc_info=True)


def forget_at_logout(user: AbstractBaseUser | None) -> None:
    """Delete the cached tokens of a user who logs out, unless the settings say no."""
    if user is not None and conf.forget_token_on_logout:
        _forget(user_id=user.pk)


def forget(contact: Contact) -> int:
    """Delete the cached token of `contact`; return how many there were, one or none."""
    return _forget(id=contact.pk)


def _forget(**lookups: Any) -> int:
    """Delete the tokens of these contacts. A fetch under way stores nothing then."""
    with transaction.atomic(using=router.db_for_write(Contact)):
        leases.cancel(**lookups)
        return cache.drop(**{f"contact__{name}": lookups[name] for name in lookups})
