"""Run a server in a process of its own, and wait until it responds."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.example.http_browser import get, new_browser
from tests.waiting import wait_until


@contextmanager
def process(
    command: Sequence[str],
    console: Path,
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """
    Run a process that prints into the file `console`.

    The block has to end the process. After the block, this waits for its end.
    """
    with (
        console.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as started,
    ):
        yield started


def wait_for_server(
    server: subprocess.Popen[bytes], url: str, *, console: Path
) -> None:
    """Wait until a server responds. If it ends, fail with what it has printed."""

    def responds() -> bool:
        assert server.poll() is None, console.read_text()
        with suppress(OSError), new_browser() as browser:
            return get(browser, url).ok
        return False

    wait_until(responds)
