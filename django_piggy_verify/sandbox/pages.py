"""The URLs of the sandbox's own pages, which stand in its responses and mails."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pages:
    """The places of the pages. The defaults lead nowhere."""

    portal: str = "https://portal.invalid/home"
    """The URL at the start of the portal's links."""

    root: str = "https://sandbox.invalid/"
    """The URL at which the paths of the APIs begin, with a slash at the end."""
