"""
Read the settings of this package. The module `checks` validates them.

Each property reads ``settings.PIGGY_VERIFY_<NAME>`` at each use, so that a changed
setting works at once. Durations are in seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest

DEFAULT_RATE_LIMITS: Mapping[str, str | int | None] = {
    "send_cooldown": "1/60s",
    "send_recipient": "3/15m",
    "send_recipient_day": "10/1d",
    "send_ip": "60/1h",
    "check_login": 5,
    "check_recipient": "10/1h",
    "check_recipient_day": "20/1d",
    "check_ip": "60/1h",
    "send_sms_ip": "5/1h",
    "send_sms_range": "10/1h",
    "send_sms_day": "500/1d",
    "send_day": None,
}


def _read(name: str, default: object = None) -> Any:
    return getattr(settings, f"PIGGY_VERIFY_{name}", default)


class Conf:
    """The settings of this package, with their types and defaults."""

    @property
    def api_key(self) -> str | Callable[[], str] | None:
        """
        The key of the API, or a callable that returns it.

        Required, unless you use client credentials, or a provider of your own that
        needs no key. The page of the provider in the documentation says where to find
        the key. The package sends the key only to the configured URL. It calls a
        callable before each call to the API, so you can change the key without a
        restart. If the callable raises an exception, the log names the type of the
        exception.
        """
        return cast("str | Callable[[], str] | None", _read("API_KEY"))

    @property
    def client_id(self) -> str | None:
        """
        The client id of the deprecated client-credentials grant, in place of a key.

        It also needs ``PIGGY_VERIFY_CLIENT_SECRET`` and ``PIGGY_VERIFY_TOKEN_URL``.
        Some providers need a client id and a client secret, but no key and no token
        URL.
        """
        return cast("str | None", _read("CLIENT_ID"))

    @property
    def client_secret(self) -> str | None:
        """The client secret that belongs to ``PIGGY_VERIFY_CLIENT_ID``."""
        return cast("str | None", _read("CLIENT_SECRET"))

    @property
    def token_url(self) -> str | None:
        """
        The URL at which the client-credentials grant gets its tokens.

        The page of the provider in the documentation names it.
        """
        return cast("str | None", _read("TOKEN_URL"))

    @property
    def base_url(self) -> str | None:
        """
        The URL of the API, in place of the provider's own URL.

        It is required if the provider has no URL of its own. The check E013 says so.
        The paths of the API's calls are added to it. It must begin with ``https``. With
        ``DEBUG``, it may begin with ``http``, for the sandbox.
        """
        return cast("str | None", _read("BASE_URL"))

    @property
    def ca_bundle(self) -> str | None:
        """
        The path of a file with CA certificates to trust, in place of the usual ones.

        The package does not read ``REQUESTS_CA_BUNDLE`` and similar variables of the
        environment.
        """
        return cast("str | None", _read("CA_BUNDLE"))

    @property
    def proxy(self) -> str | None:
        """
        The URL of a proxy for the calls to the API.

        The package does not read ``HTTPS_PROXY`` and similar variables of the
        environment.
        """
        return cast("str | None", _read("PROXY"))

    @property
    def timeout(self) -> float:
        """
        Seconds for one whole call, from the connection to the last byte.

        The POST of a code waits at most this long. The time for the DNS lookup is not
        included.
        """
        return cast("float", _read("TIMEOUT", 10.0))

    @property
    def background(self) -> bool:
        """
        Whether threads of the process do the work after a response.

        This work sends codes and fetches auth tokens. If this is off, the worker does
        the work itself, after it has sent the response. Meanwhile the worker is busy,
        and the next request on the same connection waits. So set
        ``PIGGY_VERIFY_SEND_FLOOR`` above the time that the API takes on a bad day.
        Django's test client always works in this way, and so does a database in memory.
        """
        return cast("bool", _read("BACKGROUND", True))

    @property
    def send_floor(self) -> float:
        """
        The minimum number of seconds for a send without a thread of its own.

        Without ``PIGGY_VERIFY_BACKGROUND``, the end of the connection shows how long a
        send takes. This minimum hides whether the address belongs to a contact. In a
        thread, and where nothing is sent, there is no minimum.
        """
        return cast("float", _read("SEND_FLOOR", 1.0))

    @property
    def login_ttl(self) -> int:
        """
        Seconds that a login in progress stays open. A resend starts them again.

        For the same time after a login, the package refuses the code that was used.
        """
        return cast("int", _read("LOGIN_TTL", 600))

    @property
    def rate_limits(self) -> Mapping[str, str | int | None]:
        """
        The rate limits that differ from the defaults, by name.

        An example is ``{"send_recipient": "5/15m"}``.
        """
        return {**DEFAULT_RATE_LIMITS, **_read("RATE_LIMITS", {})}

    @property
    def auth_token_ttl(self) -> int:
        """
        Seconds for which a cached auth token is used.

        If the provider says when a token expires, this setting has no effect.
        """
        return cast("int", _read("AUTH_TOKEN_TTL", 900))

    @property
    def encryption_keys(self) -> Sequence[str]:
        """
        The keys that encrypt stored tokens and the state of sends, newest first.

        Each key is a text: 32 bytes in URL-safe base64. You can make one with
        ``Fernet.generate_key().decode()``. The first key encrypts, and all keys
        decrypt. Without this setting, the package derives keys from ``SECRET_KEY`` and
        ``SECRET_KEY_FALLBACKS``.
        """
        return cast("Sequence[str]", _read("ENCRYPTION_KEYS") or ())

    @property
    def refresh_token_ttl(self) -> int:
        """
        Seconds for which an unused refresh token is kept.

        Some vendors issue a refresh token with each auth token. The command
        ``piggy_verify_purge`` deletes it when it was not used for this time.
        """
        return cast("int", _read("REFRESH_TOKEN_TTL", 2592000))

    @property
    def sms_countries(self) -> Sequence[str]:
        """
        The countries whose mobile numbers get text messages, as ISO 3166 codes.

        With the default, no text is sent, and there is no form for a number. Each code
        has two letters, such as ``"NL"``. The provider must be able to send texts.
        """
        return cast("Sequence[str]", _read("SMS_COUNTRIES") or ())

    @property
    def phone_region(self) -> str | None:
        """
        The country of numbers that are typed without ``+``, as an ISO 3166 code.

        It must be one of ``PIGGY_VERIFY_SMS_COUNTRIES``. Without it, visitors must type
        numbers in the international form.
        """
        return cast("str | None", _read("PHONE_REGION"))

    @property
    def consents(self) -> Mapping[str, Mapping[str, str]]:
        """
        The texts that a visitor must agree to, by the kind of the consent.

        Each has ``url``, the page with the text, and ``version``, which is stored with
        the consent. The provider decides which kinds are needed. An example is
        ``{"terms": {"url": "/terms/", "version": "2026-01"}}``.
        """
        return cast("Mapping[str, Mapping[str, str]]", _read("CONSENTS", {}))

    @property
    def connect(self) -> bool:
        """
        Whether users who are logged in can connect a contact to their account.

        If this is off, the connect pages return 404. A contact that is connected can
        log in as the user. So this adds a way to log in.
        """
        return cast("bool", _read("CONNECT", False))

    @property
    def app_token(self) -> str | Callable[..., Mapping[str, object]] | None:
        """
        A callable, or its dotted path, that makes the token of an app after a login.

        It takes the request and the user. It returns a mapping that JSON can express,
        such as ``{"token": "..."}``. The URLs for apps without cookies return 404 while
        this setting is None. It is called after the login was stored.
        """
        return cast(
            "str | Callable[..., Mapping[str, object]] | None", _read("APP_TOKEN")
        )

    @property
    def brand(self) -> Mapping[str, str]:
        """
        The name, the logo and the URL of the shop, which the pages show.

        Each of the three is optional. ``logo`` is the path of a static file. ``url`` is
        where the name and the logo lead. An example is
        ``{"name": "Molenaar Bakery", "logo": "shop/logo.svg", "url": "/"}``.
        """
        return cast("Mapping[str, str]", _read("BRAND", {}))

    @property
    def code_inputmode(self) -> str:
        """
        The ``inputmode`` of the field for the code, such as ``"numeric"``.

        It chooses the keyboard of a phone. The default shows letters and digits,
        because Piggy does not document the format of its codes.
        """
        return cast("str", _read("CODE_INPUTMODE", "text"))

    @property
    def user_access(self) -> str | Callable[[HttpRequest], object] | None:
        """
        A callable, or its dotted path, that returns the user's access to the vendor.

        It takes the request. It returns a ``UserAccess``, with the vendor's id of the
        user and the access token of the user, or None if the user is not logged in at
        the vendor. Some providers need it for the connect pages. It is called for each
        code that is sent or checked, and the result is not stored. If it raises an
        exception, the log names the type of the exception.
        """
        return cast(
            "str | Callable[[HttpRequest], object] | None", _read("USER_ACCESS")
        )

    @property
    def create_users(self) -> bool:
        """
        Whether a new contact gets a new user.

        If this is off, only contacts who have a user can log in. The hook `find_user`
        or ``PIGGY_VERIFY_LINK_BY_EMAIL`` can find a user for a contact.
        """
        return cast("bool", _read("CREATE_USERS", True))

    @property
    def link_by_email(self) -> bool:
        """
        Whether a new contact gets the existing user with exactly the same address.

        This trusts the addresses of your users. The hook `adopt_user` makes the adopted
        user's password unusable.
        """
        return cast("bool", _read("LINK_BY_EMAIL", False))

    @property
    def allow_staff(self) -> bool:
        """
        Whether staff and superusers may log in by code.

        If this is on, anybody who can read their mail can enter the admin.
        """
        return cast("bool", _read("ALLOW_STAFF", False))

    @property
    def hide_unknown_contacts(self) -> bool:
        """
        Whether the pages treat the address of a stranger like that of a contact.

        If this is off, the first page says that an address is unknown. So anybody can
        find out who is a member. With a provider that sends codes to anybody, the page
        never says so.
        """
        return cast("bool", _read("HIDE_UNKNOWN_CONTACTS", True))

    @property
    def expose_auth_token(self) -> bool:
        """
        Whether scripts in the browser can read the auth token.

        If this is on, the page ``auth-token`` returns the token. ``PortalView``, if you
        use it, returns its link to scripts. Any script on your pages can read both.
        """
        return cast("bool", _read("EXPOSE_AUTH_TOKEN", False))

    @property
    def forget_token_on_logout(self) -> bool:
        """
        Whether a logout deletes the cached auth token of the contact.

        The refresh token is deleted with it, if there is one.
        """
        return cast("bool", _read("FORGET_TOKEN_ON_LOGOUT", True))

    @property
    def trusted_proxy_count(self) -> int:
        """
        The number of your own proxies that append to ``X-Forwarded-For``.

        With 0, the visitor's address is ``REMOTE_ADDR``. If the number is too high,
        visitors can choose the address under which the limits count them.
        """
        return cast("int", _read("TRUSTED_PROXY_COUNT", 0))

    @property
    def client_address(self) -> str | Callable[[HttpRequest], str] | None:
        """
        A callable, or its dotted path, that returns the visitor's address.

        Use it in place of ``PIGGY_VERIFY_TRUSTED_PROXY_COUNT``. The callable takes the
        request. All visitors for whom it returns no address share the limits of one
        visitor. The event ``client_address_unknown`` logs this.
        """
        return cast(
            "str | Callable[[HttpRequest], str] | None", _read("CLIENT_ADDRESS")
        )

    @property
    def provider(self) -> str:
        """
        The dotted path of the provider's class.

        It may also be a function that takes the options and returns a provider.
        """
        return cast(
            "str",
            _read("PROVIDER", "django_piggy_verify.providers.piggy.PiggyProvider"),
        )

    @property
    def provider_options(self) -> Mapping[str, Any]:
        """
        The keyword arguments of the provider's constructor.

        Every provider has the option ``name``, which keeps the contacts of several
        accounts apart. Never change the name of an account that is in use. The page of
        the provider in the documentation names the other options.
        """
        return cast("Mapping[str, Any]", _read("PROVIDER_OPTIONS", {}))


conf = Conf()
