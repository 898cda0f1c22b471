"""
A small SMTP server that accepts every mail and drops it.

It waits once for each mail, after the text. A real server would also take its time for
each of the other commands.

Source: RFC 5321.
"""

import time
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Final

_REPLIES: Final = {
    b"DATA": b"354 Go ahead",
    b"QUIT": b"221 Bye",
}


class MailServer(ThreadingTCPServer):
    """The server. `delay` is the number of seconds that it takes for each mail."""

    daemon_threads = True

    def __init__(self, host: str) -> None:
        super().__init__((host, 0), _Handler)
        self.port: int = self.server_address[1]
        self.delay = 0.0


class _Handler(StreamRequestHandler):
    server: MailServer
    disable_nagle_algorithm = True

    def handle(self) -> None:
        self._say(b"220 Welcome")
        while line := self.rfile.readline():
            command = line.strip().upper()
            self._say(_REPLIES.get(command, b"250 OK"))
            if command == b"DATA":
                self._take_mail()
            elif command == b"QUIT":
                return

    def _take_mail(self) -> None:
        while self.rfile.readline().rstrip(b"\r\n") != b".":
            pass
        time.sleep(self.server.delay)
        self._say(b"250 OK")

    def _say(self, reply: bytes) -> None:
        self.wfile.write(reply + b"\r\n")
