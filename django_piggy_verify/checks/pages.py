"""The checks of the URLs of the pages."""

from collections.abc import Iterator, Sequence

from django.core.checks import CheckMessage, Warning as Caution

from django_piggy_verify.checks import routes
from django_piggy_verify.checks.accounts import (
    anybody_can_log_in,
    known_traits,
    usable_providers,
)
from django_piggy_verify.conf import conf
from django_piggy_verify.traits import traits_of

_ID = "piggy_verify."


def check_urls() -> Iterator[CheckMessage]:
    """
    W001: Without the URLs there are no pages.

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


def _needed_pages() -> Iterator[tuple[str, str, str]]:
    """Yield the kind of the pages, the name of the first one, and the pattern."""
    can_log_in = {each.can_log_in for each in known_traits()}
    if True in can_log_in and not routes.only_connects():
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
