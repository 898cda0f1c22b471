"""A vendor that proves a code with a secret from the send, as PKCE does."""

from dataclasses import replace
from itertools import count
from typing import ClassVar

from django_piggy_verify.exceptions import CodeRejected
from django_piggy_verify.providers.base import Challenge, Identity
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import Channel, Traits

PATH = f"{__name__}.StatefulProvider"
VERIFIER = "verifier-of-send-"
VENDOR_ID = "id-of-the-vendor-"


class StatefulProvider:
    """
    Sends codes in memory. A code is right with the state of its own send only.

    `answer` is called with the recipient at each send, and may raise. `at_check` is
    called with the challenge of each check.
    """

    name = "stateful"
    traits = Traits(channels=frozenset(Channel), knows_members=False)
    sent: ClassVar[list[tuple[Challenge, str]]] = []
    checked: ClassVar[list[Challenge]] = []
    numbers: ClassVar = count(1)

    def new_state(self, challenge):
        return {"verifier": Secret(f"{VERIFIER}{next(self.numbers)}")}

    def send_code(self, challenge):
        code = f"code-{len(self.sent) + 1}"
        self.sent.append((challenge, code))
        self.answer(challenge.recipient)
        return replace(
            challenge, state={**challenge.state, "id": Secret(f"{VENDOR_ID}{code}")}
        )

    def check_code(self, challenge, code):
        self.checked.append(challenge)
        self.at_check(challenge)
        for sent, right in self.sent:
            proves = sent.state["verifier"] == challenge.state["verifier"]
            if right == code and proves and sent.recipient == challenge.recipient:
                uid = f"uid of {sent.recipient}"[:64].strip()
                return Identity.of(sent.recipient, provider=self.name, uid=uid)
        raise CodeRejected

    def answer(self, recipient):
        """Fail here, in a test."""

    def at_check(self, challenge):
        """Fail here, in a test."""


def use(settings):
    """Configure an empty vendor."""
    settings.PIGGY_VERIFY_PROVIDER = PATH
    StatefulProvider.sent.clear()
    StatefulProvider.checked.clear()
    return StatefulProvider
