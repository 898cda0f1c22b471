"""Check what every call to the provider needs: a key, an address, a route."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error

from django_piggy_verify.conf import conf
from django_piggy_verify.providers import get_provider

_ID = "piggy_verify."


def check_credentials() -> Iterator[CheckMessage]:
    """E001: without a key or client credentials no call can succeed."""
    key = conf.api_key
    has_key = key.strip() if isinstance(key, str) else key
    if has_key or (conf.client_id and conf.client_secret and conf.token_url):
        return
    yield Error(
        "There is no PIGGY_VERIFY_API_KEY.",
        hint="Make a personal access token in the business dashboard: Apps > "
        "Integrations > Personal Access Tokens.",
        id=f"{_ID}E001",
    )


def check_addresses() -> Iterator[CheckMessage]:
    """E003: the bearer token goes to https addresses without user or query only."""
    addresses = {
        "PIGGY_VERIFY_BASE_URL": conf.base_url,
        "PIGGY_VERIFY_TOKEN_URL": conf.token_url,
    }
    if conf.token_url is None:
        del addresses["PIGGY_VERIFY_TOKEN_URL"]
    for name, url in addresses.items():
        if not _is_safe_origin(url):
            yield Error(
                f"{name} is no plain https address.",
                hint="http serves with DEBUG only; no user, query or fragment.",
                id=f"{_ID}E003",
            )


def check_provider() -> Iterator[CheckMessage]:
    """E007: the provider must be there and take its options."""
    try:
        get_provider()
    except Exception as error:  # noqa: BLE001  a project's own constructor may raise anything
        yield Error(
            f"PIGGY_VERIFY_PROVIDER cannot be used: {type(error).__name__}.",
            hint="It is a dotted path; PIGGY_VERIFY_PROVIDER_OPTIONS are the keyword "
            "arguments of its constructor.",
            id=f"{_ID}E007",
        )


def check_route() -> Iterator[CheckMessage]:
    """E008 and E009: the files and addresses of the way to the provider."""
    if conf.ca_bundle is not None and not Path(str(conf.ca_bundle)).is_file():
        yield Error("PIGGY_VERIFY_CA_BUNDLE is no file.", id=f"{_ID}E008")
    if conf.proxy is not None and not _is_proxy(conf.proxy):
        yield Error("PIGGY_VERIFY_PROXY is no http or https address.", id=f"{_ID}E009")


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
