"""Find the pages of this package in the URLconf."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final, TypeAlias

from django.urls import NoReverseMatch, URLResolver, get_resolver, reverse

from django_piggy_verify.checks.accounts import anybody_can_log_in, known_traits
from django_piggy_verify.conf import conf

_NAMESPACE: Final = "piggy_verify"
_OF_APPS: Final = "piggy_verify_app"
_Page: TypeAlias = tuple[str, str, object]


def is_routed(name: str) -> bool:
    """Return whether Django finds the page with this name."""
    try:
        reverse(f"{_NAMESPACE}:{name}")
    except NoReverseMatch:
        return False
    return True


def is_listed(name: str) -> bool:
    """
    Return whether the URLconf has the page with this name.

    Of several includes with one namespace, Django finds the names of the first only.
    """
    return any(found == name for _route, found, _view in _pages(get_resolver()))


def app_namespace() -> str | None:
    """Return the namespace of the URLs for apps, with those around it, or None."""
    return next(_app_namespaces(get_resolver()), None)


def has_app_urls() -> bool:
    """Return whether the URLconf has the URLs for apps, in any namespace."""
    return app_namespace() is not None


def only_has_apps() -> bool:
    """Return whether apps log in, and the URLconf has no login pages for browsers."""
    return conf.app_token is not None and has_app_urls() and not is_listed("email")


def _app_namespaces(resolver: URLResolver, outer: str = "") -> Iterator[str]:
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            name = f"{outer}{each.namespace}" if each.namespace else ""
            if each.app_name == _OF_APPS:
                yield name
            yield from _app_namespaces(each, f"{name}:" if name else outer)


def only_connects() -> bool:
    """
    Return whether a project uses the connect pages without the login pages.

    False with a provider that cannot log in, because then there is no choice.
    """
    has_choice = all(each.can_log_in for each in known_traits())
    has_pages = is_routed("connect") and not is_listed("email")
    return conf.connect and has_choice and has_pages


def serves_logins() -> bool:
    """Return whether the login pages are in use."""
    return anybody_can_log_in() and not only_connects()


def ambiguous() -> list[str]:
    """
    Return the names of the connect pages at which visitors reach different views.

    Of several patterns with one route, visitors reach the first only.
    """
    reached: dict[str, tuple[str, object]] = {}
    for route, name, view in _pages(get_resolver()):
        reached.setdefault(route, (name, view))
    views = defaultdict(set)
    for name, view in reached.values():
        views[name].add(view)
    return [name for name in views if "connect" in name and len(views[name]) > 1]


def _pages(
    resolver: URLResolver, prefix: str = "", *, is_ours: bool = False
) -> Iterator[_Page]:
    """Yield the route, the name and the view of each pattern in our namespace."""
    for each in resolver.url_patterns:
        route = f"{prefix}{each.pattern}"
        if not isinstance(each, URLResolver):
            view = getattr(each.callback, "view_class", each.callback)
            if is_ours and each.name:
                yield route, each.name, view
        elif each.namespace is None or each.app_name == _NAMESPACE:
            is_inside = is_ours or each.app_name == _NAMESPACE
            yield from _pages(each, route, is_ours=is_inside)
