"""
The settings, typed, read afresh at each use. No validation: see `checks`.

Every property reads ``settings.PIGGY_VERIFY_<NAME>``; durations are seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest

DEFAULT_RATE_LIMITS: Mapping[str, str | int] = {
    "send_cooldown": "1/60s",
    "send_recipient": "3/15m",
    "send_recipient_day": "10/1d",
    "send_ip": "20/1h",
    "check_login": 5,
    "check_recipient": "10/1h",
    "check_recipient_day": "20/1d",
    "check_ip": "30/1h",
}


def _read(name: str, default: object = None) -> Any:
    return getattr(settings, f"PIGGY_VERIFY_{name}", default)


class Conf:
    """The package's view of ``django.conf.settings``."""

    @property
    def api_key(self) -> str | Callable[[], str] | None:
        """
        The personal access token, or a callable that answers the current one.

        Required, unless there are client credentials. It is sent to the configured
        address only. A callable is asked at each call, so that a key can be changed
        without a restart; what it raises is logged by its type, as a refusal.
        """
        return cast("str | Callable[[], str] | None", _read("API_KEY"))

    @property
    def client_id(self) -> str | None:
        """
        The id for the deprecated client-credentials grant, instead of a key.

        Needs ``PIGGY_VERIFY_CLIENT_SECRET`` and ``PIGGY_VERIFY_TOKEN_URL``.
        """
        return cast("str | None", _read("CLIENT_ID"))

    @property
    def client_secret(self) -> str | None:
        """The secret for the deprecated client-credentials grant."""
        return cast("str | None", _read("CLIENT_SECRET"))

    @property
    def token_url(self) -> str | None:
        """
        Where the client-credentials grant fetches its bearer tokens.

        Such as ``https://api.piggy.eu/oauth/token``.
        """
        return cast("str | None", _read("TOKEN_URL"))

    @property
    def base_url(self) -> str:
        """
        The API's address, up to and without ``/contact-verification``.

        https, and http with ``DEBUG`` only, for a sandbox.
        """
        return cast(
            "str", _read("BASE_URL", "https://api.piggy.eu/api/v3/oauth/clients")
        )

    @property
    def ca_bundle(self) -> str | None:
        """
        The path of a file of CA certificates to trust instead of the usual.

        The environment's ``REQUESTS_CA_BUNDLE`` and its like are not looked at.
        """
        return cast("str | None", _read("CA_BUNDLE"))

    @property
    def proxy(self) -> str | None:
        """
        The URL of an egress proxy, for the calls to the API.

        The environment's ``HTTPS_PROXY`` and its like are not looked at.
        """
        return cast("str | None", _read("PROXY"))

    @property
    def timeout(self) -> float:
        """
        Seconds for one whole call, from connecting to the last byte.

        A worker waits for that long at most for each call; the POST of a right code
        makes two. Resolving the API's name is not within it.
        """
        return cast("float", _read("TIMEOUT", 10.0))

    @property
    def send_floor(self) -> float:
        """
        Seconds that a POST takes at least if it has a code sent.

        The duration is the same for contacts and strangers. So set it above the time
        that the API takes on a bad day. The worker sleeps until the floor is over. A
        POST that a limit refuses, or that the cooldown holds back, does not sleep.
        """
        return cast("float", _read("SEND_FLOOR", 1.0))

    @property
    def login_ttl(self) -> int:
        """
        Seconds that a login in progress stays open; a resend starts them anew.

        A code that was right is refused for as long.
        """
        return cast("int", _read("LOGIN_TTL", 600))

    @property
    def rate_limits(self) -> Mapping[str, str | int]:
        """
        The limits by name, the project's over the defaults.

        A dictionary of those to be changed, ``{"send_recipient": "5/15m"}``.
        """
        return {**DEFAULT_RATE_LIMITS, **_read("RATE_LIMITS", {})}

    @property
    def auth_token_ttl(self) -> int:
        """
        Seconds that a cached auth token is used.

        The provider names no expiry, so how long one serves is decided here.
        """
        return cast("int", _read("AUTH_TOKEN_TTL", 900))

    @property
    def encryption_keys(self) -> Sequence[str]:
        """
        The key ring for stored auth tokens, newest first.

        Url-safe base64 of 32 bytes each, as ``Fernet.generate_key()`` makes. The first
        encrypts, all decrypt. Without any, the keys are derived from ``SECRET_KEY``
        and ``SECRET_KEY_FALLBACKS``.
        """
        return cast("Sequence[str]", _read("ENCRYPTION_KEYS") or ())

    @property
    def create_users(self) -> bool:
        """
        Whether a contact seen for the first time gets a user.

        If not, only those log in whom `find_user` or a link by e-mail finds.
        """
        return cast("bool", _read("CREATE_USERS", True))

    @property
    def link_by_email(self) -> bool:
        """
        Whether a new contact adopts the one user with exactly its address.

        It trusts the addresses of your users. The hook `adopt_user` makes the adopted
        user's password unusable.
        """
        return cast("bool", _read("LINK_BY_EMAIL", False))

    @property
    def allow_staff(self) -> bool:
        """
        Whether staff and superusers may log in by code.

        Off, since whoever reads their mailbox would be in the admin.
        """
        return cast("bool", _read("ALLOW_STAFF", False))

    @property
    def hide_unknown_contacts(self) -> bool:
        """
        Whether a stranger's address is answered like a contact's.

        If not, the e-mail page says so, and anybody can find out who is a member.
        """
        return cast("bool", _read("HIDE_UNKNOWN_CONTACTS", True))

    @property
    def expose_auth_token(self) -> bool:
        """
        Whether the ``auth-token`` page hands the token to the browser.

        And whether ``PortalView``, if it is routed, tells scripts its link. Whatever
        script runs on your pages can then have them.
        """
        return cast("bool", _read("EXPOSE_AUTH_TOKEN", False))

    @property
    def forget_token_on_logout(self) -> bool:
        """Whether logging out drops the contact's cached token."""
        return cast("bool", _read("FORGET_TOKEN_ON_LOGOUT", True))

    @property
    def trusted_proxy_count(self) -> int:
        """
        How many proxies of the project's own append to ``X-Forwarded-For``.

        With 0 the visitor's address is ``REMOTE_ADDR``. Too high a number lets visitors
        choose what they are counted by.
        """
        return cast("int", _read("TRUSTED_PROXY_COUNT", 0))

    @property
    def client_address(self) -> str | Callable[[HttpRequest], str] | None:
        """
        A callable that returns the visitor's address, instead of the proxy count.

        Or the dotted path of the callable. It takes the request. All visitors whose
        address it does not return share the limits of one visitor, and
        ``client_address_unknown`` is logged.
        """
        return cast(
            "str | Callable[[HttpRequest], str] | None", _read("CLIENT_ADDRESS")
        )

    @property
    def provider(self) -> str:
        """
        The dotted path of the provider's class.

        Or of whatever answers a provider when it is called with the options.
        """
        return cast(
            "str",
            _read("PROVIDER", "django_piggy_verify.providers.piggy.PiggyProvider"),
        )

    @property
    def provider_options(self) -> Mapping[str, Any]:
        """
        The keyword arguments of the provider's constructor.

        For Piggy, ``{"name": ...}`` keeps the contacts of several accounts apart; never
        change it for an account in use.
        """
        return cast("Mapping[str, Any]", _read("PROVIDER_OPTIONS", {}))


conf = Conf()
