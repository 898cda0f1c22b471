"""Run the example and its sandbox for the tests that use a browser."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.example.demo import Demo, free_port, running_demo
from tests.waiting import PATIENCE

PUNCHH = {"PIGGY_VERIFY_VENDOR": "punchh"}
TRANSMIT = {"PIGGY_VERIFY_VENDOR": "transmit", "TRANSMIT_EMAIL_BY": "link"}
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.browser.shop_settings", "PROXY_COUNT": "1"}


class Shop:
    """A running example with its sandbox."""

    def __init__(self, demo: Demo, session: requests.Session) -> None:
        self.demo = demo
        self.url = demo.url()
        self.session = session

    def add_contact(self, address: str) -> None:
        self._post("add", email=address)

    def set_points(self, address: str, points: int) -> None:
        self._post("points", recipient=address, points=str(points))

    @contextmanager
    def misbehaving(self, **switches: str) -> Iterator[None]:
        still = {"error_status": "400", "errors_as": "absent", "delay": "0"}
        self._post("switches", **still | switches)
        try:
            yield
        finally:
            self._post("switches", **still)
            self.demo.close_circuit()

    def codes(self, address: str) -> list[str]:
        """Return the codes that were mailed to an address, the newest last."""
        printed = self.demo.console.read_text()
        return re.findall(rf"code for {re.escape(address)}: (\S+)", printed)

    def _post(self, page: str, **fields: str) -> None:
        mailbox = f"{self.url}sandbox/"
        if "csrftoken" not in self.session.cookies:
            self.session.get(mailbox, timeout=PATIENCE)
        fields["csrfmiddlewaretoken"] = self.session.cookies["csrftoken"]
        answer = self.session.post(
            f"{mailbox}mailbox/{page}/", fields, timeout=PATIENCE, allow_redirects=False
        )
        # The page shows the errors of the fields.
        assert answer.status_code == 302, answer.text


@contextmanager
def running_shop(folder: Path, **variables: str) -> Iterator[Shop]:
    options = ("--port", free_port())
    with (
        running_demo(folder, *options, **SETTINGS | variables) as demo,
        requests.Session() as session,
    ):
        session.trust_env = False
        yield Shop(demo, session)
