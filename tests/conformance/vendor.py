"""Play the vendor of an adapter over HTTP: mail codes, and accept each code once."""

import json
from urllib.parse import urlsplit

from tests.http.hostile import Hostile, reply


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
            **{path: _answering(make) for path, make in adapter.more.items()},
            "unknown": reply(b"", 404),
        }
        self.codes = []
        self.wrong_code = adapter.make_code(999)
        self.valid = {}  # codes by address
        self.refusals = {}  # answers by code
        self.followed = ("", "")  # the address and the link that was followed last
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

    @property
    def hidden(self):
        """The values that the vendor got, but that no log may have, by their names."""
        bodies = [json.loads(each.body) for each in self.requests if each.body]
        names = self.adapter.hidden
        return {(name, body[name]) for body in bodies for name in names if name in body}

    def begin(self):
        """Let `calls` show only what is called from now on."""
        self.seen_before = len(self.requests)

    def name_of(self, method, target):
        path = urlsplit(target).path.removeprefix(f"{self.base_path}/")
        if path == self.adapter.send_path:
            return "send"
        paths = {self.adapter.check_path: "check"}
        paths |= {each: each for each in self.adapter.more}
        found = (name for start, name in paths.items() if path.startswith(start))
        return next(found, "unknown")

    def follow(self, link):
        """Let somebody follow a link. A link that is not valid changes nothing."""
        for recipient, valid in self.valid.items():
            if link == valid:
                self.followed = recipient, link

    def void(self, refusal, recipient=None):
        """Refuse the code of a recipient from now on, with this answer."""
        recipient = recipient or self.adapter.people.ann
        self.refusals[self.valid.pop(recipient)] = refusal

    def _send(self, peer):
        recipient = self.adapter.recipient_of(json.loads(peer.request.body))
        if self.adapter.stranger and recipient == self.adapter.people.stranger:
            _answer(peer, self.adapter.stranger)
            return
        self.codes.append(self.adapter.make_code(len(self.codes)))
        self.valid[recipient] = self.code
        _answer(peer, self.adapter.sent(self.code))

    def _check(self, peer):
        recipient, code = self._proof_in(peer.request)
        if self.valid.get(recipient) != code:
            _answer(peer, self.refusals.get(code, self.adapter.wrong))
            return
        if not self.adapter.is_by_link:
            self.void(self.adapter.used, recipient)
        _answer(peer, self.adapter.proved(recipient))

    def _proof_in(self, request):
        """Return an address or number, and the code or the link that may prove it."""
        if self.adapter.is_by_link:
            return self.followed
        body = json.loads(request.body)
        return self.adapter.recipient_of(body), body[self.adapter.code_field]

    def _lacking(self, request):
        headers = dict(self.adapter.headers)
        if request.name == "check":
            headers |= self.adapter.check_headers
        for name, value in headers.items():
            if request.headers.get(name) != value:
                yield name
        if request.name in self.flow and request.body:
            body = json.loads(request.body)
            further = self.adapter.required_at.get(request.name, {})
            for name, value in {**self.adapter.required, **further}.items():
                if body.get(name) != value:
                    yield name
            if (
                self.adapter.recipient_of(body)
                not in vars(self.adapter.people).values()
            ):
                yield "recipient"


def _answering(make):
    return lambda peer: _answer(peer, make(peer.request))


def _answer(peer, answer):
    status, content = answer
    reply(content, status)(peer)
