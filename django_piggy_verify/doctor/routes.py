"""The routes: where the pages are, who leads there, and where they lead."""

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

from django_piggy_verify.doctor.findings import (
    Finding,
    good,
    problem,
    warning,
)

_NAMESPACE = "piggy_verify"
_PAGES = ("auth-token", "cancel", "code", "email", "resend")
_INCLUDE = "path('login/', include('django_piggy_verify.urls'))"


def start() -> str | None:
    """Answer where the pages begin, if they are routed."""
    return _address("piggy_verify:email")


def pages() -> Iterator[Finding]:
    """Look where the pages are."""
    if outer := _outer_namespace():
        yield problem(
            f"The pages are routed within the namespace {outer!r}.",
            f"They find each other in no other than their own: move {_INCLUDE} out.",
        )
    elif not start():
        yield problem("The pages are not routed.", f"Add {_INCLUDE}.")
    elif hidden := _hidden_pages():
        yield problem(
            f"Another route answers at {', '.join(hidden)}.",
            f"The first route that fits is taken: move {_INCLUDE} up.",
        )
    else:
        yield good(f"The pages begin at {start()}.")


def ways_in_and_out() -> Iterator[Finding]:
    """Look who leads visitors to the pages, and where members are led."""
    if start() and _address(settings.LOGIN_URL) != start():
        yield warning(
            "LOGIN_URL leads elsewhere: pages for members do not send visitors here.",
            "LOGIN_URL = 'piggy_verify:email'",
        )
    target = _address(settings.LOGIN_REDIRECT_URL)
    if target is None:
        yield problem(
            "LOGIN_REDIRECT_URL is no address: logging in ends with an error.",
            "Set it to the name of a route, or to a path.",
        )
    elif target.startswith("/") and not _match(target):
        yield warning(
            f"After logging in, members are sent to {target}, where there is no page.",
            "Set LOGIN_REDIRECT_URL.",
        )


def _address(target: str) -> str | None:
    """Answer the address of a route's name, or the address given; None if neither."""
    try:
        return resolve_url(target)
    except NoReverseMatch:
        return None


def _hidden_pages() -> list[str]:
    """Answer the addresses of pages at which other routes answer."""
    names = [f"{_NAMESPACE}:{page}" for page in _PAGES]
    found = {name: _match(reverse(name)) for name in names}
    return [
        reverse(name)
        for name, match in found.items()
        if match is None or match.view_name != name
    ]


def _match(path: str) -> ResolverMatch | None:
    """Answer what the site has at this path, which begins with the script's prefix."""
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
