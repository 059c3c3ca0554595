"""A proxy in front of an HTTP service, here: it loses, cuts, delays and repeats what goes through it, by a plan.

What happens to a request is drawn from the seed, from the request and from how often it came, so that the order in
which threads send requests changes nothing.
"""

from __future__ import annotations

import random
import socket
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

__all__ = ["KINDS", "Asked", "Proxy", "ever", "once", "some_of", "toxic"]

KINDS = ("lose request", "lose reply", "cut head", "cut body", "shorten", "delay", "repeat", "503")
"""What a plan may answer, besides None: pass it on as it is.

lose request
    Hang up before the service sees the request.
lose reply
    The service does it, but the client gets no answer.
cut head, cut body
    Hang up in the middle of the head, or of the body, of the answer.
shorten
    Half of the body, with a Content-Length that fits.
delay
    The answer comes late, in two pieces.
repeat
    The service gets the request twice, as from a router that repeats; the client gets the second answer.
503
    "Slow down", without asking the service.
"""

_SLOW_DOWN = (
    b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


@dataclass(frozen=True)
class Asked:
    """A request that came: its method, its target (path and query), and how many of the path had come before."""

    method: str
    target: str
    before: int


Plan = Callable[[Asked], "str | None"]


def some_of(share: float, kinds: Sequence[str] = KINDS, seed: int = 0, *, ignore: str) -> Plan:
    """Plan that does one of several things to a share of all requests.

    `ignore` is the part of the path that differs from run to run, such as the name of a bucket: what happens must be
    the same each time.
    """

    def plan(asked: Asked) -> str | None:
        path = asked.target.partition("?")[0].replace(ignore, "")  # without the query: tokens of pages are random
        drawn = random.Random(f"{seed} {asked.method} {path} {asked.before}")
        return drawn.choice(list(kinds)) if drawn.random() < share else None

    return plan


def once(kind: str, method: str = "") -> Plan:
    """Plan that does something to the first of equal requests, of one method if that is given."""
    return lambda asked: kind if not asked.before and asked.method.startswith(method) else None


def ever(kind: str, words: str = "") -> Plan:
    """Plan that does something to every request with `words` in its target."""
    return lambda asked: kind if words in asked.target else None


@dataclass
class Proxy:
    """A running proxy.

    Attributes
    ----------
    address : str
        Its URL.
    plan : callable
        What to do to a request; may be replaced at any time.
    ignored : tuple of str
        Names of headers, in lower case, that are not passed on: what a service is like that does not know them.
    asked : list of Asked
        The requests that came.
    done : list of str
        What was done to some of them.
    """

    service: tuple[str, int]
    address: str = ""
    plan: Plan = lambda asked: None
    ignored: tuple[str, ...] = ()
    asked: list[Asked] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def forget(self) -> None:
        """Begin to count from 0."""
        with self._lock:
            self.asked.clear()
            self.done.clear()
            self._counts.clear()

    def note(self, head: bytes) -> Asked:
        """Note a request that came."""
        method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        with self._lock:
            same = (method, target.partition("?")[0])
            asked = Asked(method, target, self._counts[same])
            self._counts[same] += 1
            self.asked.append(asked)
        return asked


@contextmanager
def toxic(address: str, plan: Plan = lambda asked: None) -> Iterator[Proxy]:
    """A proxy in front of the service at the URL `address`."""
    url = urlsplit(address)
    proxy = Proxy((url.hostname or "127.0.0.1", url.port or 80), plan=plan)
    handler = type("Handler", (_Connection,), {"proxy": proxy})
    server = _Server(("127.0.0.1", 0), handler)
    proxy.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.005,))
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""


class _Connection(socketserver.StreamRequestHandler):
    """One request, one answer: the connection is closed after it."""

    proxy: Proxy

    def handle(self) -> None:
        head = self._head()
        if not head:
            return
        kind = self.proxy.plan(self.proxy.note(head))
        if kind is not None:
            self.proxy.done.append(kind)
        request = head + self._body(head)
        if kind == "lose request":
            return
        if kind == "503":
            self._send(
                b"HTTP/1.1 503 Slow Down\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(_SLOW_DOWN),
                _SLOW_DOWN,
            )
            return
        if kind == "repeat":
            self._forward(request)
        reply_head, body = self._forward(request)
        if kind != "lose reply":
            self._answer(kind, reply_head, body)

    def _answer(self, kind: str | None, head: bytes, body: bytes) -> None:
        if kind == "cut head":
            self._send(head[: len(head) // 2])
        elif kind == "cut body":
            self._send(head, body[: len(body) // 2])
        elif kind == "shorten" and b"content-length: %d\r\n" % len(body) in head.lower():
            lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
            lines.insert(1, b"Content-Length: %d" % (len(body) // 2))
            self._send(b"\r\n".join(lines), body[: len(body) // 2])
        elif kind == "delay":
            self._send(head, body[: len(body) // 2])
            time.sleep(0.02)  # this is what it is for, nothing waits for it
            self._send(body[len(body) // 2 :])
        else:
            self._send(head, body)

    def _send(self, *parts: bytes) -> None:
        self.wfile.write(b"".join(parts))

    def _head(self) -> bytes:
        """Head of the request, such that the service hangs up after its answer."""
        lines = []
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            name = line.partition(b":")[0].strip().lower()
            if name == b"expect":
                self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
            elif name != b"connection" and name.decode("latin-1") not in self.proxy.ignored:
                lines.append(line)
        return b"".join([*lines, b"Connection: close\r\n\r\n"]) if lines else b""

    def _body(self, head: bytes) -> bytes:
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if lengths:
            return self.rfile.read(int(lengths[0].partition(b":")[2]))
        chunked = b"transfer-encoding: chunked" in head.lower()
        return b"".join(iter(self._piece, b"")) + b"0\r\n\r\n" if chunked else b""

    def _piece(self) -> bytes:
        """The next piece of a chunked body, empty for the last."""
        size = self.rfile.readline()
        rest = self.rfile.read(int(size, 16) + 2)
        return size + rest if int(size, 16) else b""

    def _forward(self, request: bytes) -> tuple[bytes, bytes]:
        """Head and body of what the service answers."""
        with socket.create_connection(self.proxy.service, timeout=240) as service:
            service.sendall(request)
            with service.makefile("rb") as stream:
                reply = stream.read()
        head, _, body = reply.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"connection:", b"keep-alive:"))]
        return b"\r\n".join([*lines, b"Connection: close\r\n\r\n"]), body
