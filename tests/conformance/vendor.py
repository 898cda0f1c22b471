"""Play the vendor of an adapter over HTTP: mail codes, and accept each code once."""

import json
from urllib.parse import urlsplit

from tests.http.hostile import Hostile, reply
from tests.steps import ADDRESS, STRANGER

BOB = "bob@example.com"
PEOPLE = {ADDRESS, BOB, STRANGER}


class Vendor(Hostile):
    """
    A server that plays the vendor of an adapter.

    `code` is the newest code. The names of the calls are "send" and "check", the keys
    of `Adapter.more`, and "unknown" for every other path.
    """

    base_path = "/api"
    flow = ("send", "check")

    def __init__(self, adapter, **options):
        self.adapter = adapter
        super().__init__(**options)
        self.answers = {
            "send": self._send,
            "check": self._check,
            **{path: reply(content) for path, content in adapter.more.items()},
            "unknown": reply(b"", 404),
        }
        self.codes = []
        self.wrong_code = adapter.make_code(999)
        self.valid = {}  # codes by address
        self.refusals = {}  # answers by code
        self.seen_before = 0

    @property
    def code(self):
        """The code that was mailed last."""
        return self.codes[-1]

    @property
    def calls(self):
        """The calls since `begin` that send or check, or that nobody expects."""
        names = self.names[self.seen_before :]
        return [each for each in names if each not in self.adapter.more]

    @property
    def lacking(self):
        """The headers and members that a call should have, but has not."""
        return {
            f"{each.name}: {name}"
            for each in self.requests
            for name in self._lacking(each)
        }

    def begin(self):
        """Let `calls` show only what is called from now on."""
        self.seen_before = len(self.requests)

    def name_of(self, method, target):
        path = urlsplit(target).path.removeprefix(f"{self.base_path}/")
        names = {self.adapter.send_path: "send", self.adapter.check_path: "check"}
        others = (each for each in self.adapter.more if path.startswith(each))
        return names.get(path) or next(others, "unknown")

    def void(self, refusal, address=ADDRESS):
        """Refuse the code of an address from now on, with this answer."""
        self.refusals[self.valid.pop(address)] = refusal

    def _send(self, peer):
        address = self._member(peer, self.adapter.address_field)
        if self.adapter.stranger and address == STRANGER:
            _answer(peer, self.adapter.stranger)
            return
        self.codes.append(self.adapter.make_code(len(self.codes)))
        self.valid[address] = self.code
        _answer(peer, self.adapter.sent(self.code))

    def _check(self, peer):
        address = self._member(peer, self.adapter.address_field)
        code = self._member(peer, self.adapter.code_field)
        if self.valid.get(address) == code:
            self.void(self.adapter.used, address)
            _answer(peer, self.adapter.proved(address))
        else:
            _answer(peer, self.refusals.get(code, self.adapter.wrong))

    def _lacking(self, request):
        for name, value in self.adapter.headers.items():
            if request.headers.get(name) != value:
                yield name
        if request.name in self.flow:
            body = json.loads(request.body)
            for name, value in self.adapter.required.items():
                if body.get(name) != value:
                    yield name
            if body[self.adapter.address_field] not in PEOPLE:
                yield self.adapter.address_field

    def _member(self, peer, name):
        return json.loads(peer.request.body)[name]


def _answer(peer, answer):
    status, content = answer
    reply(content, status)(peer)
