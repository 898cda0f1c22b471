"""The checks of the provider: its key, its URLs and its options."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning as Caution

from django_piggy_verify.checks.accounts import usable_providers
from django_piggy_verify.conf import conf
from django_piggy_verify.providers import each_account, get_provider
from django_piggy_verify.providers.base import Examinable
from django_piggy_verify.traits import Traits, traits_of

_ID = "piggy_verify."
_ANYBODY_LOGS_IN: Final = (
    "So anybody can log in, and can have codes sent. To log in existing users only, "
    "set PIGGY_VERIFY_CREATE_USERS = False. If anybody may log in, add "
    "'piggy_verify.W005' to SILENCED_SYSTEM_CHECKS."
)
_ANYBODY_GETS_CODES: Final = (
    "So users who are logged in can have codes sent to strangers, and the vendor may "
    "bill each. Look at PIGGY_VERIFY_RATE_LIMITS. If the limits are low enough, add "
    "'piggy_verify.W005' to SILENCED_SYSTEM_CHECKS."
)


def check_addresses() -> Iterator[CheckMessage]:
    """
    E003: The package sends its key to plain https URLs only.

    A plain URL has no user, password, query or fragment. With ``DEBUG``, http is
    accepted too, for the sandbox.
    """
    addresses = {
        "PIGGY_VERIFY_BASE_URL": conf.base_url,
        "PIGGY_VERIFY_TOKEN_URL": conf.token_url,
    }
    for name, url in addresses.items():
        if url is not None and not _is_safe_origin(url):
            yield Error(
                f"{name} is not a plain https URL.",
                hint="Remove the user, the password, the query and the fragment. A "
                "URL with http works with DEBUG only.",
                id=f"{_ID}E003",
            )


def check_provider() -> Iterator[CheckMessage]:
    """E007: It must be possible to create the provider with its options."""
    try:
        for _account in each_account():
            get_provider()
    except Exception as error:  # noqa: BLE001  a project's own constructor may raise anything
        yield Error(
            f"PIGGY_VERIFY_PROVIDER cannot be used: {_name_of(error)}.",
            hint="Set PIGGY_VERIFY_PROVIDER to a dotted path. Set "
            "PIGGY_VERIFY_PROVIDER_OPTIONS to the keyword arguments of the provider's "
            "constructor.",
            id=f"{_ID}E007",
        )


def check_credentials() -> Iterator[CheckMessage]:
    """
    E001: Without a key or client credentials, no call to the API can succeed.

    The check calls a callable key, for each account if the provider has several. It
    names an exception by its type only. A key must not be blank. It must not contain
    white space, control characters or characters outside ASCII. The check never shows
    the key. Only a provider that needs a key asks for one.
    """
    return _problems("E001")


def check_options() -> Iterator[CheckMessage]:
    """
    E013: The provider must be able to use its options.

    The provider says which options it needs, and of which type they are.
    """
    return _problems("E013")


def check_openness() -> Iterator[CheckMessage]:
    """
    W005: With some providers, anybody can log in.

    They send codes to everybody, not only to members. If the vendor has no id for a
    person, the address is the identity. With a provider that cannot log in, users can
    have codes sent to strangers.
    """
    for account, provider in usable_providers():
        traits = traits_of(provider)
        if not traits.knows_members:
            yield Caution(
                f"The provider sends codes to anybody{_by_address(traits)}.",
                hint=_ANYBODY_LOGS_IN if traits.can_log_in else _ANYBODY_GETS_CODES,
                obj=account or None,
                id=f"{_ID}W005",
            )


def check_route() -> Iterator[CheckMessage]:
    """E008 and E009: The CA bundle must be a file, and the proxy must be a URL."""
    if conf.ca_bundle is not None and not Path(str(conf.ca_bundle)).is_file():
        yield Error("PIGGY_VERIFY_CA_BUNDLE is not a file.", id=f"{_ID}E008")
    if conf.proxy is not None and not _is_proxy(conf.proxy):
        yield Error("PIGGY_VERIFY_PROXY is not an http or https URL.", id=f"{_ID}E009")


def _problems(number: str) -> Iterator[CheckMessage]:
    for account, provider in usable_providers():
        found = provider.problems() if isinstance(provider, Examinable) else ()
        for each in found:
            if each.id == number:
                yield Error(
                    each.text,
                    hint=each.hint,
                    obj=account or None,
                    id=f"{_ID}{each.id}",
                )


def _name_of(error: Exception) -> str:
    """Return the type of the error that the constructor itself has raised."""
    return type(error.__cause__ or error).__name__


def _by_address(traits: Traits) -> str:
    return "" if traits.knows_people else ", and knows people by their address only"


def _is_safe_origin(url: object) -> bool:
    try:
        parts = urlsplit(str(url))
        is_plain = (
            isinstance(url, str)
            and bool(parts.hostname)
            and not (parts.username or parts.password or parts.query or parts.fragment)
        )
    except ValueError:
        return False
    allowed = {"https", "http"} if settings.DEBUG else {"https"}
    return is_plain and parts.scheme in allowed


def _is_proxy(url: object) -> bool:
    try:
        parts = urlsplit(str(url))
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
