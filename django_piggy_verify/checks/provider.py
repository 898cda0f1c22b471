"""The checks of the provider: its key, its URLs and its options."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error

from django_piggy_verify.conf import conf
from django_piggy_verify.providers import each_account, get_provider

_ID = "piggy_verify."


def check_credentials() -> Iterator[CheckMessage]:
    """
    E001: Without a key or client credentials, no call to the API can succeed.

    The check calls a callable key, for each account if the provider has several. It
    names an exception by its type only. A key must not be blank. It must not contain
    white space, control characters or characters outside ASCII. The check never shows
    the key.
    """
    if not conf.api_key and conf.client_id and conf.client_secret and conf.token_url:
        return
    for account, fault in _key_faults():
        yield Error(
            f"PIGGY_VERIFY_API_KEY cannot be used: {fault}.",
            hint="Use a personal access token of the business dashboard (Apps > "
            "Integrations > Personal Access Tokens). Give the token alone, without "
            "'Bearer', spaces and line breaks.",
            obj=account or None,
            id=f"{_ID}E001",
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
    if conf.token_url is None:
        del addresses["PIGGY_VERIFY_TOKEN_URL"]
    for name, url in addresses.items():
        if not _is_safe_origin(url):
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
            f"PIGGY_VERIFY_PROVIDER cannot be used: {type(error).__name__}.",
            hint="Set PIGGY_VERIFY_PROVIDER to a dotted path. Set "
            "PIGGY_VERIFY_PROVIDER_OPTIONS to the keyword arguments of the provider's "
            "constructor.",
            id=f"{_ID}E007",
        )


def check_route() -> Iterator[CheckMessage]:
    """E008 and E009: The CA bundle must be a file, and the proxy must be a URL."""
    if conf.ca_bundle is not None and not Path(str(conf.ca_bundle)).is_file():
        yield Error("PIGGY_VERIFY_CA_BUNDLE is not a file.", id=f"{_ID}E008")
    if conf.proxy is not None and not _is_proxy(conf.proxy):
        yield Error("PIGGY_VERIFY_PROXY is not an http or https URL.", id=f"{_ID}E009")


def _key_faults() -> Iterator[tuple[str, str]]:
    try:
        faults = {account: _key_fault() for account in each_account()}
    except Exception:  # noqa: BLE001  `check_provider` names it
        faults = {"": _key_fault()}
    return ((account, fault) for account, fault in faults.items() if fault)


def _key_fault() -> str | None:
    """Return what is wrong with the key of the current account, without the key."""
    key, name = conf.api_key, "it"
    if callable(key):
        name = "the key that its callable returned"
        try:
            key = key()
        except Exception as error:  # noqa: BLE001  a project's own may raise anything
            return f"its callable raised {type(error).__name__}"
    if key is None:
        return "there is none" if name == "it" else "its callable returned no key"
    if not isinstance(key, str):
        return f"{name} is of the type {type(key).__name__}"
    return _text_fault(key, name)


def _text_fault(key: str, name: str) -> str | None:
    if not key.strip():
        return f"{name} is blank"
    if any(each.isspace() for each in key):
        return f"{name} contains a space or a line break"
    if not key.isascii() or not key.isprintable():
        return f"{name} contains a character that no HTTP header may contain"
    return None


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
