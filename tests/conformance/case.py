"""The parts of a case: its steps, and its outcome for a vendor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.conformance.adapters import Adapter
from tests.conformance.outcomes import Outcome
from tests.conformance.visit import Visit


@dataclass(frozen=True, kw_only=True)
class Case:
    """A visit, and how it must end."""

    steps: Callable[[Visit], None]
    """The actions of the visitor and of the vendor."""

    outcome: Callable[[Adapter], Outcome | None]
    """How the visit ends with a vendor. None if the vendor has no such case."""

    call: str = ""
    """The call that fails: "send", "check", the second call, or a blank text."""

    is_received: bool = True
    """Whether the vendor can read the request."""

    is_once: bool = False
    """Whether the case is played on the first `pages` of an adapter only.

    It shows how the provider reads an answer. This does not depend on the pages.
    """

    styles: Sequence[str] = ("html", "json")
    """Whether the visitor has a browser or a script, or plays the case in both ways.

    A script sees the same for every way in which a call fails. So HTML is enough there.
    """


def always(outcome):
    return lambda _: outcome


def if_strangers(outcome):
    return lambda adapter: outcome if adapter.stranger else None


def if_codes(outcome):
    return lambda adapter: None if adapter.is_by_link else outcome
