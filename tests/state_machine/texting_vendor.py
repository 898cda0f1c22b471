"""A vendor in memory: it has state, texts codes, wants consents, and fails at times."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from django_piggy_verify import recipients
from django_piggy_verify.exceptions import (
    CodeRejected,
    ConsentMissing,
    ContactUnknown,
    LoginRefused,
    ProviderUnavailable,
    RecipientRefused,
)
from django_piggy_verify.providers.base import Identity, Proof, TokenSet
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import Channel, Traits
from tests.consenting import SETTINGS

KINDS = ("terms", "privacy")
ANN, ANNS_PHONE, BOB, EVES_PHONE = RECIPIENTS = (
    "ann@example.com",
    "+31612345678",
    "bob@example.com",
    "+31612349999",  # in the range of Ann's number
)
UIDS = {ANN: "uid-1", ANNS_PHONE: "uid-1", BOB: "uid-2", EVES_PHONE: "uid-3"}

SEND_ERRORS: dict[str, Callable[[], Exception]] = {
    "down": lambda: ProviderUnavailable("down", may_depend_on_contact=False),
    "down, but sent": lambda: ProviderUnavailable("down", may_depend_on_contact=False),
    "blocked": lambda: ProviderUnavailable(
        "blocked", may_depend_on_contact=False, may_depend_on_visitor=True
    ),
    "answer lost": lambda: ProviderUnavailable("lost", may_depend_on_contact=True),
    "unknown": ContactUnknown,
    "no recipient": RecipientRefused,
    "no consent": lambda: ConsentMissing(KINDS),
}
CHECK_ERRORS: dict[str, Callable[[], Exception]] = {
    "down": lambda: ProviderUnavailable("down"),
    "answer lost": lambda: ProviderUnavailable("lost"),
    "no consent": lambda: ConsentMissing(KINDS[:1]),
    "no profile": lambda: ProviderUnavailable("no profile", spends_code=True),
    "deactivated": lambda: LoginRefused("deactivated"),
}
AFTER_THE_EFFECT = {"down, but sent", "answer lost", "no profile", "deactivated"}


@dataclass
class Sent:
    """A code that has arrived."""

    number: int
    recipient: str
    state: Mapping[str, Secret]
    """The state that must be stored: of the send, and of its answer."""
    is_used: bool = False

    @property
    def code(self):
        return f"{100_000 + self.number}"


@dataclass
class Vendor:
    """All that the vendor knows. A code is right with the state of its own send."""

    send_trouble: str = ""
    check_trouble: str = ""
    sends: int = 0
    arrived: list[Sent] = field(default_factory=list)
    calls: list[tuple[str, Any]] = field(default_factory=list)

    def codes(self, recipient):
        """Return the codes of `recipient`, newest first."""
        key = recipients.key(recipient)
        mine = [each for each in self.arrived if recipients.key(each.recipient) == key]
        return mine[::-1]

    def send(self, challenge):
        """Return what the answer adds to the state."""
        self.calls.append(("send", challenge))
        self.sends += 1
        trouble = self.send_trouble
        added = {} if trouble else {"id": Secret(f"id {self.sends}")}
        if not trouble or trouble in AFTER_THE_EFFECT:
            state = {**challenge.state, **added}
            self.arrived.append(Sent(self.sends, challenge.recipient, state))
        if trouble:
            error = SEND_ERRORS[trouble]()
            raise error
        return added

    def check(self, challenge, code):
        self.calls.append(("check", challenge))
        trouble = self.check_trouble
        if trouble and trouble not in AFTER_THE_EFFECT:
            error = CHECK_ERRORS[trouble]()
            raise error
        for sent in self.codes(challenge.recipient):
            proves = sent.state == challenge.state and not sent.is_used
            if sent.code == code and proves:
                sent.is_used = True
                if trouble:
                    error = CHECK_ERRORS[trouble]()
                    raise error
                return
        raise CodeRejected


class TextingProvider:
    """Calls the vendor in memory."""

    name = "texting"
    traits = Traits(
        channels=frozenset(Channel),
        knows_members=False,
        issues_tokens=True,
        wants_device=True,
        wants_client_address=True,
        consents=KINDS,
    )
    vendor: ClassVar = Vendor()

    def new_state(self, challenge):
        return {"verifier": Secret(f"verifier {self.vendor.sends}")}

    def send_code(self, challenge):
        added = self.vendor.send(challenge)
        return replace(challenge, state={**challenge.state, **added})

    def check_code(self, challenge, code):
        self.vendor.check(challenge, code)
        kind = "email" if challenge.channel is Channel.EMAIL else "phone"
        uid = UIDS[recipients.key(challenge.recipient)]
        proved = {"provider": self.name, "uid": uid, kind: challenge.recipient}
        tokens = TokenSet(access=Secret("access"), refresh=Secret("refresh"))
        return Proof(identity=Identity(**proved), tokens=tokens)


def use(settings):
    """Configure a new vendor, and return it."""
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    settings.PIGGY_VERIFY_PROVIDER = f"{__name__}.TextingProvider"
    TextingProvider.vendor = Vendor()
    return TextingProvider.vendor
