"""
Show which code uses the CPU time of a login and of a cached read.

Install the dependency group `benchmarks`, and run ``python benchmarks/profiles.py
[--quick]``. Each share is the time of some functions and of everything that they call.
cProfile slows Python code down more than C code, so the shares are not exact. It sees
one thread, so this thread also does the work after the responses.
"""

import cProfile
import json
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.rows import Row, emit
from benchmarks.upstream import Upstream

ONE_THREAD: Final = {"PIGGY_VERIFY_BACKGROUND": False, "PIGGY_VERIFY_SEND_FLOOR": 0}
LOGIN: Final[Mapping[str, Sequence[str]]] = {
    "the calls to the API": ["http/client.py:call"],
    "counting": ["fixed_windows.py:take", "fixed_windows.py:settle"],
    "pages and fields": ["template/response.py:render"],
    "Django's login and session": [
        "contrib/auth/__init__.py:login",
        "sessions/middleware.py:process_response",
    ],
    "the contact's row and user": ["admission.py:_admit"],
    "the token, without the call": [
        "fetching.py:fetch_under_lease",
        "-fetching.py:_call_provider",
    ],
    "commits, a part of the above": ["method 'commit'"],
}
CACHED_READ: Final[Mapping[str, Sequence[str]]] = {
    "putting the query together": ["query.py:_filter_or_exclude", "compiler.py:as_sql"],
    "asking the database": ["backends/utils.py:execute"],
    "decryption": ["encryption.py:decrypt"],
    "the provider": ["providers/__init__.py:get_provider"],
}


def shares(
    act: Callable[[], object], parts: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Return the percentage of the time of `act` that each part took."""
    profile = cProfile.Profile(time.process_time)
    profile.runcall(act)
    stats = pstats.Stats(profile)
    whole: float = stats.total_tt  # type: ignore[attr-defined]
    return {
        name: 100 * sum(_seconds(stats, each) for each in functions) / whole
        for name, functions in parts.items()
    }


def profile_login(logins: int) -> None:
    """Log members in, and print the share of each part."""
    from benchmarks.contestants.worker import Worker  # noqa: PLC0415  needs Django

    worker = Worker()
    worker.run(logins)
    _emit("login", shares(lambda: worker.run(logins), LOGIN))


def profile_cached_read(reads: int) -> None:
    """Read a stored token, and print the share of each part."""
    from django.contrib.auth.models import User  # noqa: PLC0415  needs Django

    from django_piggy_verify.tokens import get_auth_token  # noqa: PLC0415

    user = User.objects.filter(piggy_contacts__auth_token__isnull=False)[0]

    def read() -> None:
        for _ in range(reads):
            get_auth_token(user)

    _emit("cached token", shares(read, CACHED_READ))


def _emit(whole: str, parts: Mapping[str, float]) -> None:
    for name, percentage in parts.items():
        emit(Row(measure=f"{whole}: {name}", against="", value=percentage, unit="%"))


def _seconds(stats: pstats.Stats, wanted: str) -> float:
    """Return the seconds in the functions with the name ``file:function``."""
    sign, wanted = (-1, wanted[1:]) if wanted.startswith("-") else (1, wanted)
    found = [
        times[3]
        for (file, _line, function), times in stats.stats.items()  # type: ignore[attr-defined]
        if f"{file}:{function}".endswith(wanted) or wanted in function
    ]
    if not found:
        raise LookupError(f"{wanted} was never called")
    return sign * float(sum(found))


def main(*, is_quick: bool) -> None:
    """Create a project with members, and profile both."""
    with tempfile.TemporaryDirectory() as folder, Upstream(Path(folder)) as upstream:
        os.environ |= {
            "CONTESTANT": "ours",
            "DJANGO_SETTINGS_MODULE": "benchmarks.contestants.settings",
            "SETTINGS": json.dumps(ONE_THREAD),
            "UPSTREAM_CERTIFICATE": str(upstream.certificate),
            "UPSTREAM_URL": upstream.base_url,
        }
        import django  # noqa: PLC0415  needs the settings above

        django.setup()
        from benchmarks.contestants.worker import database  # noqa: PLC0415

        with database():
            profile_login(10 if is_quick else 50)
            profile_cached_read(200 if is_quick else 2000)


if __name__ == "__main__":
    main(is_quick="--quick" in sys.argv)
