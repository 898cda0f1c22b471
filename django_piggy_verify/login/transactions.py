"""
Write all changes of a login in one transaction: counts, contact, user and session.

The transaction begins after the call to the provider. On the code page, it ends after
the user was logged in.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from threading import Event
from types import TracebackType
from typing import Any, Final, TypeVar

from django.db import IntegrityError, connections, router, transaction
from django.http import HttpRequest

from django_piggy_verify.db import retries
from django_piggy_verify.exceptions import LoginRefused
from django_piggy_verify.login import cookies
from django_piggy_verify.models import Contact, Tally

_ATTEMPTS: Final = 3

_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class _Page:
    """A page that logs the user in."""

    stack: ExitStack
    """Ends the transaction."""

    columns: Callable[[], Mapping[str, Any]]
    """Returns further columns of the contact's row to write."""


@contextmanager
def kept_open(
    request: HttpRequest, columns: Callable[[], Mapping[str, Any]]
) -> Iterator[None]:
    """
    Keep the transaction that `run` begins for `request` open until the block ends.

    The transaction also writes the `columns` of the contact's row. If the block raises,
    the session is undone too. An app has no session.
    """
    is_of_app = cookies.is_of_app(request)
    session = nullcontext() if is_of_app else _session_undone_on_error(request)
    with session, ExitStack() as stack:
        request._piggy_verify_page = _Page(stack, columns)  # type: ignore[attr-defined]
        try:
            yield
        finally:
            del request._piggy_verify_page  # type: ignore[attr-defined]


@contextmanager
def _session_undone_on_error(request: HttpRequest) -> Iterator[None]:
    """
    Undo the effects of ``login()`` on `request` if the block raises.

    The transaction undoes only the sessions that are stored in the same database. And
    Django saves the session for an error page with a status below 500.
    """
    session_key, user = request.session.session_key, request.user
    try:
        yield
    except BaseException:
        if request.user is not user:
            request.session = type(request.session)(session_key)
            request.user = user
        raise


def columns(request: HttpRequest | None) -> Mapping[str, Any]:
    """Return the further columns of the contact's row that the page writes."""
    page = _page_of(request)
    return page.columns() if page else {}


def run(
    work: Callable[[], _R],
    *,
    committed: Callable[[_R], None],
    undone: Callable[[BaseException], None],
    request: HttpRequest | None,
) -> _R:
    """
    Run `work` in a transaction, and return its result.

    Afterwards, call `committed` with the result, or `undone` with the error. If another
    process stores the same contact at the same time, everything is tried again.

    Raises LoginRefused if the contact cannot be stored.
    """
    results: list[_R] = []
    is_committed = Event()

    def watched_work() -> _R:
        transaction.on_commit(is_committed.set, using=router.db_for_write(Tally))
        return work()

    def end(
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        # An `on_commit` function of the project may raise after the commit.
        if error is not None and not is_committed.is_set():
            undone(error)
        else:
            committed(results[0])

    with ExitStack() as stack:
        stack.push(end)
        results.append(_in_transaction(watched_work, stack))
        if page := _page_of(request):
            page.stack.push(stack.pop_all())
    return results[0]


def _in_transaction(work: Callable[[], _R], stack: ExitStack) -> _R:
    for _attempt in range(_ATTEMPTS):
        try:
            return _begin(work, stack)
        except IntegrityError as error:
            # Another first login of the contact was faster, or the random username
            # exists already.
            conflict = error
    raise LoginRefused(
        "the user cannot be stored: another user has the name or the address, "
        "or `create_user` does not set a required field"
    ) from conflict


@retries.retry_on_conflict
def _begin(work: Callable[[], _R], stack: ExitStack) -> _R:
    """Run `work` in a transaction that `stack` ends. An error ends it at once."""
    with ExitStack() as begun:
        # The transaction that begins last is committed first. If that commit fails, the
        # counts are undone too. Otherwise `undone` would settle them a second time.
        for alias in dict.fromkeys(map(router.db_for_write, (Tally, Contact))):
            begun.enter_context(transaction.atomic(using=alias))
            begun.push(partial(_raise_if_broken, alias))
        result = work()
        stack.push(begun.pop_all())
    return result


def _raise_if_broken(
    alias: str,
    _kind: type[BaseException] | None,
    error: BaseException | None,
    _traceback: TracebackType | None,
) -> None:
    """
    Raise an error if the transaction would end without one, but store nothing.

    A hook or a receiver may have caught an error of the database.
    """
    if error is None:
        connections[alias].validate_no_broken_transaction()


def _page_of(request: HttpRequest | None) -> _Page | None:
    return getattr(request, "_piggy_verify_page", None)
