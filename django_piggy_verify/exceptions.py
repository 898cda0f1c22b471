"""
What can go wrong, sorted by who must act. Nothing else lives here.

::

    PiggyVerifyError
    +-- CodeRejected             the person: type it again
    +-- ContactUnknown           nobody: answer as if sent
    +-- TooManyAttempts          the person: wait .retry_after seconds
    +-- LoginRefused             nobody: this user may not log in this way
    +-- ProviderError            .status .api_code; str() is safe to log
        +-- ProviderUnavailable  time: no connection, time-out, 5xx, unreadable
        +-- ProviderRefused      an operator: bad key, inactive account, no portal

A wrong setting that is no answer of the provider raises Django's own
``ImproperlyConfigured``, which stays outside this tree.
"""


class PiggyVerifyError(Exception):
    """Any failure that this package raises on purpose."""


class CodeRejected(PiggyVerifyError):
    """The code is wrong, used or expired; the provider does not say which."""


class ContactUnknown(PiggyVerifyError):
    """The provider knows no contact by this address or id."""


class TooManyAttempts(PiggyVerifyError):
    """
    A limit is reached; nothing was sent, nor checked but for a lock-out.

    `limit` is its name as in ``PIGGY_VERIFY_RATE_LIMITS``, or ``lockout`` where
    django-axes turned the visitor away; `retry_after` is the whole seconds
    until the next attempt is let through.
    """

    def __init__(self, *, limit: str, retry_after: int) -> None:
        super().__init__(f"{limit} is reached for another {retry_after} s")
        self.limit = limit
        self.retry_after = retry_after


class LoginRefused(PiggyVerifyError):
    """The code was right, but no user may be logged in for it."""


class ProviderError(PiggyVerifyError):
    """
    The provider judged nobody. ``str()`` names the cause and holds no secret.

    `status` is the HTTP status and `api_code` the provider's own error
    number, each None where there was none. `may_depend_on_contact` is False
    only for failures that hit every address alike, so that telling the
    visitor tells nobody who is a contact. `voids_token` says that a cached
    auth token of the contact must not be used any longer.
    """

    def __init__(
        self,
        cause: str,
        *,
        status: int | None = None,
        api_code: int | None = None,
        may_depend_on_contact: bool = True,
        voids_token: bool = False,
    ) -> None:
        super().__init__(cause)
        self.status = status
        self.api_code = api_code
        self.may_depend_on_contact = may_depend_on_contact
        self.voids_token = voids_token


class ProviderUnavailable(ProviderError):
    """No connection, a time-out, or an answer that cannot be read: time mends it."""


class ProviderRefused(ProviderError):
    """Our key, account or configuration is refused: an operator mends it."""
