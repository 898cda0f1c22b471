"""The checks of the URLs of the pages."""

from collections.abc import Iterator, Sequence

from django.core.checks import CheckMessage, Error, Warning as Caution
from django.core.exceptions import ImproperlyConfigured

from django_piggy_verify.checks import routes
from django_piggy_verify.checks.accounts import (
    anybody_can_log_in,
    known_traits,
    usable_providers,
)
from django_piggy_verify.conf import conf
from django_piggy_verify.login import app_token
from django_piggy_verify.traits import traits_of

_ID = "piggy_verify."


def check_urls() -> Iterator[CheckMessage]:
    """
    W001: Without the URLs there are no pages.

    A project whose members log in with an app only needs the URLs for apps.

    A provider that cannot log in needs the connect pages, and no login pages. A project
    that uses the connect pages only needs no login pages either. If several includes
    have the namespace ``piggy_verify``, Django finds the names of the first one only.
    """
    for kind, name, include in _needed_pages():
        if routes.is_routed(name):
            continue
        if routes.is_listed(name):
            yield _in_second_include(kind)
        else:
            yield _missing(kind, name, include)


def check_connecting() -> Iterator[CheckMessage]:
    """
    W006: A provider that cannot log in serves the connect pages only.

    The login pages return 404 then, so they should not be in the URLconf. Without
    ``PIGGY_VERIFY_CONNECT``, the connect pages return 404, too.

    With any provider, each connect page should have one view. If the URLs of the
    package stay beside your own, the pages without your ``can_connect`` can still be
    visited.
    """
    if conf.connect and (names := routes.ambiguous()):
        yield _ambiguous(names)
    if not anybody_can_log_in() and routes.is_routed("email"):
        yield _cannot_log_in(
            "the URLconf has the login pages",
            hint="They return 404. Include 'django_piggy_verify.urls_connect' in place "
            "of 'django_piggy_verify.urls'.",
        )
    for account, provider in usable_providers():
        if not traits_of(provider).can_log_in and not conf.connect:
            yield _cannot_log_in(
                "PIGGY_VERIFY_CONNECT is off",
                hint="The connect pages return 404. Set PIGGY_VERIFY_CONNECT = True.",
                account=account,
            )


def check_apps() -> Iterator[CheckMessage]:
    """
    W009 and E021: The URLs for apps need a way to make the token of an app.

    Without ``PIGGY_VERIFY_APP_TOKEN``, or with a provider that cannot log in, these
    URLs return 404.
    """
    if conf.app_token is not None:
        yield from _unusable_app_token()
    if not routes.has_app_urls():
        return
    if conf.app_token is None:
        yield _apps_get_404(
            "PIGGY_VERIFY_APP_TOKEN is not set",
            hint="Set it to a callable, or to the dotted path of one, that takes the "
            "request and the user, and returns a mapping.",
        )
    elif not anybody_can_log_in():
        yield _apps_get_404(
            "the provider cannot log anybody in",
            hint="Remove 'django_piggy_verify.urls_app' from the URLconf.",
        )


def _unusable_app_token() -> Iterator[CheckMessage]:
    try:
        app_token.import_callable()
    except ImproperlyConfigured as error:
        yield Error(
            f"{error}.",
            hint="Set it to a callable, or to the dotted path of one, that takes the "
            "request and the user, and returns a mapping.",
            id=f"{_ID}E021",
        )


def _apps_get_404(reason: str, *, hint: str) -> Caution:
    return Caution(
        f"The URLs for apps return 404, because {reason}.", hint=hint, id=f"{_ID}W009"
    )


def _needed_pages() -> Iterator[tuple[str, str, str]]:
    """Yield the kind of the pages, the name of the first one, and the pattern."""
    can_log_in = {each.can_log_in for each in known_traits()}
    if True in can_log_in and not (routes.only_connects() or routes.only_has_apps()):
        include = "path('login/', include('django_piggy_verify.urls'))"
        yield "login", "email", include
    if False in can_log_in:
        include = "path('account/', include('django_piggy_verify.urls_connect'))"
        yield "connect", "connect", include


def _in_second_include(kind: str) -> Caution:
    return Caution(
        f"Django does not find the {kind} pages in the URLconf.",
        hint="Of several includes with the namespace 'piggy_verify', Django looks for "
        "names in the first one only. Put all the pages into one include.",
        id=f"{_ID}W001",
    )


def _missing(kind: str, name: str, include: str) -> Caution:
    hint = f"Add {include}. Do not put it into another namespace."
    if name == "email" and routes.is_routed("connect") and not conf.connect:
        hint += " To use the connect pages only, set PIGGY_VERIFY_CONNECT = True."
    return Caution(f"The URLconf has no {kind} pages.", hint=hint, id=f"{_ID}W001")


def _ambiguous(names: Sequence[str]) -> Caution:
    return Caution(
        f"The URLconf has different views for one page: {', '.join(names)}.",
        hint="A visitor can choose the view without your own rules. Put your views "
        "and the other pages into one include, with your views first.",
        id=f"{_ID}W006",
    )


def _cannot_log_in(reason: str, *, hint: str, account: str = "") -> Caution:
    return Caution(
        f"The provider cannot log anybody in, but {reason}.",
        hint=hint,
        obj=account or None,
        id=f"{_ID}W006",
    )
