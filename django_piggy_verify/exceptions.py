"""
The exceptions of this package, sorted by who must act.

::

    PiggyVerifyError
    +-- CodeRejected             the person: type it again
    +-- ContactUnknown           nobody: answer as if sent
    +-- RecipientRefused         the person: give another address or number
    +-- ConsentMissing           the person: agree to what .kinds names
    +-- ContactTaken             nobody: the contact belongs to another user
    +-- AlreadyConnected         the person: disconnect the other contact first
    +-- OnlyWayIn                the person: set up another way to log in first
    +-- TooManyAttempts          the person: wait .retry_after seconds
    +-- LoginRequired            the person: log in again
    +-- LoginRefused             nobody: this user may not log in this way
    +-- CodeRepeated             nobody: redirect as for the first request
    +-- ProviderError            .status .api_code; str() is safe to log
        +-- ProviderUnavailable  time: no connection, time-out, 5xx, unreadable
        |   +-- CodeNotSent      time: ask for another code
        +-- ProviderRefused      an operator: bad key, inactive account, no portal

A wrong setting raises Django's ``ImproperlyConfigured``, which is outside this tree.
"""

from collections.abc import Collection


class PiggyVerifyError(Exception):
    """Any failure that this package raises on purpose."""


class CodeRejected(PiggyVerifyError):
    """The code is wrong, used or expired. The provider does not say which."""


class CodeRepeated(PiggyVerifyError):
    """
    The same login in progress has posted the same code again, as two clicks do.

    The code was not checked or counted again. Do not log anybody in for this request.
    `was_right` is True if the code of the first request was right. It is False if the
    first request is still running. ``authenticate()`` raises this only on the code
    page.
    """

    def __init__(self, *, was_right: bool) -> None:
        super().__init__("the code was posted again for the same login in progress")
        self.was_right = was_right


class ContactUnknown(PiggyVerifyError):
    """The provider knows no contact with this address or id."""


class RecipientRefused(PiggyVerifyError):
    """The provider sends no codes to addresses or numbers like this one."""


class ConsentMissing(PiggyVerifyError):
    """
    The person has not agreed to everything that the provider wants.

    `kinds` names the missing consents, such as "terms". It is empty if the provider did
    not say which ones are missing.
    """

    def __init__(self, kinds: Collection[str] = ()) -> None:
        super().__init__("a consent is missing")
        self.kinds = frozenset(kinds)


class ContactTaken(PiggyVerifyError):
    """The contact belongs to another user, of this site or of the provider."""


class AlreadyConnected(PiggyVerifyError):
    """The user has another contact of the same provider."""


class OnlyWayIn(PiggyVerifyError):
    """The contact is the only way for its user to log in, so it stays connected."""


class TooManyAttempts(PiggyVerifyError):
    """
    A limit is reached. Nothing was sent or checked, with two exceptions.

    The last wrong code of a login in progress was checked and counted. A code may
    also have been checked before django-axes locked the visitor out.

    `limit` is its name as in ``PIGGY_VERIFY_RATE_LIMITS``, or ``lockout`` if
    django-axes locked the visitor out. `retry_after` is the number of whole seconds
    until the next attempt is allowed.
    """

    def __init__(self, *, limit: str, retry_after: int) -> None:
        super().__init__(f"{limit} is reached for another {retry_after} s")
        self.limit = limit
        self.retry_after = retry_after


class LoginRequired(PiggyVerifyError):
    """
    Only another login of the person helps.

    There is no valid auth token, because the provider issues tokens at logins only, or
    because it refused the refresh token. The other case is a person who connects a
    contact. The project has no valid access token of this person at the provider.
    """


class LoginRefused(PiggyVerifyError):
    """
    The code was right, but no user may log in with it.

    The settings or a hook refuse the user, or the vendor wants a second factor.
    """


class ProviderError(PiggyVerifyError):
    """
    The provider gave no verdict. ``str()`` names the cause and holds no secret.

    `status` is the HTTP status and `api_code` the provider's own error number or word;
    each is None if there was none. `may_depend_on_contact` is False only for failures
    that affect every address in the same way. Such a failure can be shown to a
    visitor without telling contacts from strangers. `may_depend_on_visitor` is True if
    the vendor may have refused this visitor only, such as a client address that it has
    blocked. Such a failure does not stop the sends to others. `voids_token` is True if
    a cached auth token of the contact must not be used any more. `spends_code` is True
    if the vendor has accepted the code, but nobody can be logged in. Only another code
    can help then.
    """

    def __init__(  # noqa: PLR0913  keywords only
        self,
        cause: str,
        *,
        status: int | None = None,
        api_code: int | str | None = None,
        may_depend_on_contact: bool = True,
        may_depend_on_visitor: bool = False,
        voids_token: bool = False,
        spends_code: bool = False,
    ) -> None:
        super().__init__(cause)
        self.status = status
        self.api_code = api_code
        self.may_depend_on_contact = may_depend_on_contact
        self.may_depend_on_visitor = may_depend_on_visitor
        self.voids_token = voids_token
        self.spends_code = spends_code


class ProviderUnavailable(ProviderError):
    """No connection, a time-out or an unreadable answer: it ends by itself."""


class CodeNotSent(ProviderUnavailable):
    """
    The last code of the login in progress could not be sent, so none can be checked.

    The failure became known after the response to the request for the code. It affects
    every address in the same way. ``authenticate()`` raises this only on the code page.
    """

    def __init__(self) -> None:
        super().__init__(
            "the last code of this login could not be sent", may_depend_on_contact=False
        )


class ProviderRefused(ProviderError):
    """Our key, account or configuration is refused: an operator has to act."""
