"""
Find out where a redirect leads: off the site, or to a login page that redirects again.

The views use this module. A system check uses it to find redirect loops.
"""

import re
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.urls import Resolver404, ResolverMatch, get_script_prefix, resolve
from django.utils.http import url_has_allowed_host_and_scheme

_APP: Final = ["piggy_verify"]
_PAGES: Final = {"email", "code"}
"""The names of the pages that a redirect can lead to, because they have a GET."""

_OPTION: Final = "redirect_authenticated_user"

_NOWHERE: Final = re.compile(r"\s*[/\\]{2}\s*([?#]|\Z)")
"""A URL with a blank host. Browsers do not follow it, and stay on the page."""


def is_safe(url: str, request: HttpRequest) -> bool:
    """Return whether `url` leads to a page of this site."""
    # Browsers ignore tabs and line breaks in a URL. For a script that follows
    # `redirect_to`, "/\t/evil.example" would be another host.
    return (
        url.isprintable()
        and not _NOWHERE.match(url)
        and url_has_allowed_host_and_scheme(
            url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
        )
    )


def sends_on(url: str) -> bool:
    """
    Return whether `url` is a login page that redirects a visitor who is logged in.

    Only the path is compared. The caller has to compare the host.
    """
    match = _resolve(unquote(urlsplit(url).path).removeprefix(get_script_prefix()))
    if match is None or match.app_names != _APP or match.url_name not in _PAGES:
        return False
    page = getattr(match.func, "view_class", None)
    options = getattr(match.func, "view_initkwargs", {})
    return bool(options.get(_OPTION, getattr(page, _OPTION, False)))


def next_in(url: str) -> str:
    """Return the `next` in the query of `url`, or a blank text."""
    return dict(parse_qsl(urlsplit(url).query)).get("next", "")


def _resolve(path: str) -> ResolverMatch | None:
    """Return the view of `path`, or of the path that ``APPEND_SLASH`` redirects to."""
    for each in [path, f"{path}/"] if settings.APPEND_SLASH else [path]:
        with suppress(Resolver404):
            return resolve(f"/{each}")
    return None
