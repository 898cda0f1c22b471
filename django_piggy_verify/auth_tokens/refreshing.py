"""
Exchange a contact's refresh token for new tokens, and judge a refusal.

`fetching` makes sure that one caller does so at a time, and stores the tokens.
"""

from datetime import datetime

from django_piggy_verify import events
from django_piggy_verify.auth_tokens import cache
from django_piggy_verify.auth_tokens.cache import CachedToken, IssuedToken
from django_piggy_verify.exceptions import LoginRequired, ProviderUnavailable
from django_piggy_verify.models import Contact
from django_piggy_verify.providers.base import TokenRefresher, TokenSet
from django_piggy_verify.providers.call_log import logged_call
from django_piggy_verify.secret import Secret


def token_of(contact: Contact) -> Secret:
    """Return the refresh token of `contact`, or raise LoginRequired."""
    found = cache.refresh_token_of(contact)
    if found is None:
        raise LoginRequired("only another login brings an auth token")
    return found


def refresh(
    provider: TokenRefresher, contact: Contact, asked_at: datetime
) -> IssuedToken:
    """
    Exchange the refresh token that was read together with `contact`.

    One call of this function makes one request, whatever happens. If the answer is
    lost, the vendor may have accepted the refresh token or not. The refresh token stays
    stored, and the next caller tries it again after `leases.MEMORY`. If the vendor has
    not seen the first request, this succeeds. Otherwise the vendor refuses the spent
    refresh token, and the person has to log in, as without a second try.

    Raises LoginRequired if there is no refresh token, or if the vendor refuses it.
    Raises ProviderUnavailable or ProviderRefused without an answer about it.

    Source: refresh token rotation, RFC 9700 section 4.14.2.
    """
    used = token_of(contact)
    with logged_call("refresh"):
        tokens = provider.refresh_auth_token(used)
    return issued(tokens, asked_at, used=used)


def issued(
    tokens: TokenSet, issued_at: datetime, *, used: Secret | None = None
) -> IssuedToken:
    """Return the tokens of an answer as `cache.store` takes them."""
    return IssuedToken(
        token=tokens.access,
        expires_at=cache.expiry(issued_at, tokens.expires_in),
        refresh=tokens.refresh or used,
        used=used,
    )


def after_refusal(contact: Contact, current: Contact) -> CachedToken:
    """
    Return the token that a faster caller has stored since `contact` was read.

    `current` is the same contact, read again with its token. If there is no such token,
    delete the refused refresh token with its row, and raise LoginRequired. Raises
    ProviderUnavailable if the row has changed all the same. Its new refresh token can
    be used by the next caller.
    """
    news = cache.find_with(current)
    if news and news != cache.find_with(contact):
        return news
    events.REFRESH_REFUSED.log(user_id=contact.user_id)
    if cache.drop_spent(current, token_of(contact)):
        raise LoginRequired("the refresh token was refused")
    raise ProviderUnavailable("the refresh token was replaced meanwhile")
