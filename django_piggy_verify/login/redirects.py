"""
Find out whether a redirect leads to a login page that redirects again.

The views and a system check use this module to find redirect loops.
"""

from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from django.urls import Resolver404, get_script_prefix, resolve

_APP: Final = ["piggy_verify"]
_PAGES: Final = {"email", "code"}
"""The names of the pages that a redirect can lead to, because they have a GET."""

_OPTION: Final = "redirect_authenticated_user"


def sends_on(url: str) -> bool:
    """
    Return whether `url` is a login page that redirects a visitor who is logged in.

    Only the path is compared. The caller has to compare the host.
    """
    path = unquote(urlsplit(url).path).removeprefix(get_script_prefix())
    try:
        match = resolve(f"/{path}")
    except Resolver404:
        return False
    if match.app_names != _APP or match.url_name not in _PAGES:
        return False
    page = getattr(match.func, "view_class", None)
    options = getattr(match.func, "view_initkwargs", {})
    return bool(options.get(_OPTION, getattr(page, _OPTION, False)))


def next_in(url: str) -> str:
    """Return the `next` in the query of `url`, or a blank text."""
    return dict(parse_qsl(urlsplit(url).query)).get("next", "")
