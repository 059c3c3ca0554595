"""Plain HTTP servers for tests: those that obey ranges, and those that ignore them."""

from __future__ import annotations

import functools
import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, ignores ranges; `asked` holds what came, `fail` may answer in its place."""

    # one packet for head and body: the body would wait some 40 ms for the receipt of the head
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    asked: list[str]
    fail: Callable[[SimpleHTTPRequestHandler], bool]

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.asked.append(f"{self.path} {self.headers.get('Range', '')}".strip())
        if not self.fail():
            self.serve()

    def serve(self) -> None:
        super().do_GET()


class Ranged(Quiet):
    """Obeys ranges as well."""

    suffixes = False

    def tags(self, file: Path, value: bytes) -> None:
        """Say which state of the file it is."""
        self.sent_tags: dict[str, str] = {}

    def end_headers(self) -> None:
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()

    def serve(self) -> None:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        suffix = re.fullmatch(r"bytes=-(\d+)", self.headers.get("Range", "")) if self.suffixes else None
        file = Path(self.translate_path(self.path))
        if not (match or suffix) or not file.is_file():
            super().serve()
            return
        value = file.read_bytes()
        if suffix:
            match = re.fullmatch(r"(\d+)(.*)", str(max(0, len(value) - int(suffix[1]))))
        assert match
        self.tags(file, value)
        first, last = int(match[1]), int(match[2] or len(value) - 1)
        if first >= len(value):
            self.send_error(416)
            return
        part = value[first : last + 1]
        self.send_response(206)
        for name, tag in self.sent_tags.items():
            self.send_header(name, tag)
        self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(value)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)


class WithETag(Ranged):
    suffixes = True

    def tags(self, file: Path, value: bytes) -> None:
        self.sent_tags = {"ETag": f'"{hashlib.sha256(value).hexdigest()}"'}


class WithTime(Ranged):
    suffixes = True

    def tags(self, file: Path, value: bytes) -> None:
        self.sent_tags = {"Last-Modified": self.date_time_string(int(file.stat().st_mtime))}


class Untagged(Ranged):
    suffixes = True


class Server(ThreadingHTTPServer):
    """A server for batches of requests: connections that it has no room for are tried again after a second."""

    daemon_threads = True
    request_queue_size = 128


@contextmanager
def serving(folder: Path, kind: type[Quiet], fail: Callable[[Any], bool]) -> Iterator[tuple[str, list[str]]]:
    handler = type("Handler", (kind,), {"asked": [], "fail": fail, "protocol_version": "HTTP/1.1"})
    server = Server(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.005,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.asked  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
