"""Examine the URLs of the pages, LOGIN_URL and LOGIN_REDIRECT_URL."""

from collections.abc import Iterator

from django.conf import settings
from django.shortcuts import resolve_url
from django.urls import (
    NoReverseMatch,
    Resolver404,
    ResolverMatch,
    get_resolver,
    get_script_prefix,
    resolve,
    reverse,
)

from django_piggy_verify.checks.pages import check_urls
from django_piggy_verify.checks.routes import (
    only_connects,
    only_has_apps,
    serves_logins,
)
from django_piggy_verify.conf import conf
from django_piggy_verify.doctor.findings import (
    Finding,
    good,
    note,
    problem,
    warning,
)

_NAMESPACE = "piggy_verify"
_LOGIN_PAGES = ("auth-token", "cancel", "code", "email", "resend")
_CONNECT_PAGES = (
    *("connect", "connect-cancel", "connect-code", "connect-link", "connect-resend"),
    "disconnect",
)
_INCLUDE = "path('login/', include('django_piggy_verify.urls'))"
_INCLUDE_CONNECT = "path('account/', include('django_piggy_verify.urls_connect'))"


def start() -> str | None:
    """
    Return the URL of the first page, or None if there is none.

    If the login pages are not in use, it is the connect page.
    """
    page = "email" if serves_logins() else "connect"
    return _address(f"{_NAMESPACE}:{page}")


def pages() -> Iterator[Finding]:
    """Look for the URLs of the pages."""
    if only_has_apps():
        yield note("The URLconf has URLs for apps, and no login pages for browsers.")
        return
    include = _INCLUDE if serves_logins() else _INCLUDE_CONNECT
    if outer := _outer_namespace():
        yield problem(
            f"The URLs of the pages are inside the namespace {outer!r}.",
            f"The pages cannot find each other there. Move {include} out of it.",
        )
    elif not start():
        yield from (problem(each.msg, str(each.hint)) for each in check_urls())
    elif hidden := _hidden_pages():
        yield problem(
            f"The URLconf has another view at {', '.join(hidden)}.",
            f"Django uses the first pattern that matches. Move {include} up.",
        )
    else:
        yield good(f"The first page is at {start()}.")
    if only_connects():
        yield note(
            "The URLconf has connect pages only, so nobody logs in by code here."
        )


def ways_in_and_out() -> Iterator[Finding]:
    """Look at the URLs that lead to the login and away from it. Apps have none."""
    if only_has_apps():
        return
    if not serves_logins():
        yield from _way_to_log_in()
        return
    is_elsewhere = start() and _address(settings.LOGIN_URL) != start()
    if is_elsewhere and conf.connect:
        yield note("Users who are not logged in are sent to another page: LOGIN_URL.")
        yield from _way_to_log_in()
    elif is_elsewhere:
        yield warning(
            "LOGIN_URL is another page, so pages for members do not lead here.",
            "LOGIN_URL = 'piggy_verify:email'",
        )
    target = _address(settings.LOGIN_REDIRECT_URL)
    if target is None:
        yield problem(
            "LOGIN_REDIRECT_URL is not a URL, so each login ends with an error.",
            "Set it to the name of a URL pattern, or to a path.",
        )
    elif target.startswith("/") and not _match(target):
        yield warning(
            f"After the login, members are sent to {target}. There is no such page.",
            "Set LOGIN_REDIRECT_URL.",
        )


def _way_to_log_in() -> Iterator[Finding]:
    """Look at the page to which the connect pages send visitors."""
    target = _address(settings.LOGIN_URL)
    match = _match(target) if target else None
    is_here = target is None or target.startswith("/")
    if is_here and not (match and _can_log_in_at(match)):
        yield warning(
            f"The connect pages send visitors to LOGIN_URL ({target or 'no URL'}). "
            "There is no such page.",
            "Set LOGIN_URL to the page on which your users log in.",
        )


def _can_log_in_at(match: ResolverMatch) -> bool:
    is_first_page = match.url_name == "email" and serves_logins()
    return match.namespace != _NAMESPACE or is_first_page


def _address(target: str) -> str | None:
    """Return the URL of a pattern's name, or a given URL. None if it is neither."""
    try:
        return resolve_url(target)
    except NoReverseMatch:
        return None


def _hidden_pages() -> list[str]:
    """Return the URLs of pages that another pattern hides."""
    names = [f"{_NAMESPACE}:{page}" for page in _expected_pages()]
    found = {name: _match(reverse(name)) for name in names}
    return [
        reverse(name)
        for name, match in found.items()
        if match is None or match.view_name != name
    ]


def _expected_pages() -> list[str]:
    """Return the names of the pages. A project may leave out some connect pages."""
    pages = list(_LOGIN_PAGES) if serves_logins() else []
    if conf.connect:
        pages += [each for each in _CONNECT_PAGES if _address(f"{_NAMESPACE}:{each}")]
    return pages


def _match(path: str) -> ResolverMatch | None:
    """Return the view at this path. The path begins with the script prefix."""
    try:
        return resolve("/" + path.partition("?")[0].removeprefix(get_script_prefix()))
    except Resolver404:
        return None


def _outer_namespace() -> str | None:
    outermost = get_resolver().namespace_dict
    for name, (_prefix, resolver) in outermost.items():
        if _NAMESPACE in resolver.namespace_dict:
            return name
    return None
