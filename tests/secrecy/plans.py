"""The plan of a vendor: what its visitors do, what fails, and where secrets belong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.secrecy.walkthrough import Visit

Steps = Sequence[str]
Crashes = Mapping[str, str]
"""By step, the paths of functions that may fail during the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The secrecy tests of one vendor, without the tests themselves."""

    visit: Callable[..., Visit]
    """Takes the evidence, the sandbox and one of the `ways`."""

    ways: Sequence[str]
    """The ways on which codes are sent. The first one is the default."""

    pages: Steps
    calls: Steps
    commands: Steps = ()

    later: Steps = ()
    """Steps on pages after the contact was proved."""

    fetches: Steps = ()
    """Calls for tokens."""

    belongs: frozenset[tuple[str, str]] = frozenset()
    """Pairs of a sink and a secret that it may hold."""

    troubles: Mapping[str, Mapping[str, Any]]
    """Switches of the sandbox."""

    crashes: Crashes
    lease_crashes: Crashes = field(default_factory=dict)
    stops: Crashes
    reports: Crashes
    """Functions whose failure Django reports on a page or by mail."""

    background: Crashes
    """Functions that fail beside the response, which our own logger reports."""

    signals: Steps
    """The signals that the `noisy` steps send."""

    noisy: Steps

    reported: frozenset[str] = frozenset()
    """Secrets that a report shows because the browser has sent them."""

    dumped: Sequence[str]
    """Texts in a dump of the database that show that the dump is complete."""

    sought: Sequence[str]
    """Secrets that the search of the admin must not find."""

    faulty: Mapping[str, Any]
    """Settings with secrets where none belong."""

    complaints: frozenset[str]
    """The system checks that complain about `faulty`."""

    things: Mapping[str, Callable[[Any], object]]
    """Functions that make an object from a visit."""

    checker: str
    """The beginning of the lines of the module that checks a code."""

    settings: Callable[[Any], Mapping[str, Any]] = lambda _: {}
    """Takes the server of the sandbox, and returns further settings."""

    marks: Callable[[pytest.MonkeyPatch], None] = lambda _: None
    """Lets the package make marked secrets."""
