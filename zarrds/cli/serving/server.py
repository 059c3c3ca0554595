"""The server: keys of a store as files with byte ranges, listings as links, and the page with its data.

It only reads. It answers only to its own names, sends no page of a stranger anything, and shows nothing outside of the
store: see `asked`.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Collection, Mapping
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, urlsplit

import click

from zarrds._base.types import Buf, ByteRange
from zarrds._format import CONSOLIDATED_KEY, DOCUMENT_NAMES
from zarrds._store import FSStore, Store, buffer_size, byte_view, local_directory, same_version, sizes_of
from zarrds.cli.printing import json_text
from zarrds.cli.serving.asked import allowed_hosts, is_allowed, key_of, range_of
from zarrds.cli.serving.data import Answers
from zarrds.cli.serving.inside import guarded, is_inside
from zarrds.errors import ArgumentError, NotListableError, PathNotFoundError
from zarrds.errors.escaping import visible

__all__ = ["StoreServer"]

_OWN = ".zarrds/"
"""Keys below which the server has its own files and data; no node has such a name."""
_FILES = {"page.js": "text/javascript", "page.css": "text/css"}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DATA_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
_ATTEMPTS = 3


class StoreServer(ThreadingHTTPServer):
    """Server of one store, for reading.

    Parameters
    ----------
    store : Store
        What is served.
    name : str
        How the store is called on the page.
    host, port : str, int
        Address; port 0 takes any free one.
    names : collection of str
        Further names by which the server may be called.
    origin : str, optional
        Origin whose pages may read what is served, or ``*``.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128  # clients open many connections at once; with few places they wait for seconds

    def __init__(
        self,
        store: Store,
        name: str,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        names: Collection[str] = (),
        origin: str | None = None,
    ) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)
        self.store = store
        self.origin = origin
        self.hosts = allowed_hosts(host, self.server_port, names)
        self.answers = Answers(guarded(store), name)
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.server_port}/"
        self._directory = local_directory(store)

    def is_inside(self, key: str) -> bool:
        """Return whether a key of a local directory lies in it, and not behind a symbolic link that leads elsewhere."""
        return self._directory is None or not key or is_inside(self._directory, key)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be silent about clients that have gone."""


class _Handler(BaseHTTPRequestHandler):
    server: StoreServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes; the second would wait
    server_version = "zarrds"
    sys_version = ""
    timeout = 60
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(code)d %(message)s\n"
    _methods: ClassVar[str] = "GET, HEAD, OPTIONS"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_OPTIONS(self) -> None:
        if self._is_for_us():
            self._send(204, b"", "text/plain", {"Allow": self._methods, "Access-Control-Allow-Headers": "Range"})

    def _refuse_method(self) -> None:
        self.close_connection = True  # there may be a body that nobody reads
        self._send(405, b"read-only\n", "text/plain", {"Allow": self._methods})

    do_POST = _refuse_method  # noqa: N815  # names of the standard library
    do_PUT = _refuse_method  # noqa: N815
    do_DELETE = _refuse_method  # noqa: N815
    do_PATCH = _refuse_method  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Write no lines about requests."""

    # --- what is asked for -------------------------------------------------------------------------------------------

    def _is_for_us(self) -> bool:
        if len(self.headers.get_all("Host") or ()) == 1 and is_allowed(self.headers["Host"], self.server.hosts):
            return True
        self.close_connection = True
        self._send(421, b"this server is called by another name; see --allow-host\n", "text/plain")
        return False

    def _answer(self) -> None:
        if not self._is_for_us():
            return
        try:
            if urlsplit(self.path).path.startswith(f"/{_OWN}"):
                self._answer_own()
            else:
                self._answer_key(key_of(self.path))
        except (ArgumentError, click.BadParameter) as error:
            self._send(400, f"{visible(str(error))}\n".encode(), "text/plain")
        except (PathNotFoundError, NotListableError) as error:
            self._send(404, f"{visible(str(error))}\n".encode(), "text/plain")
        except Exception as error:  # the answer says what is wrong with the store; the server goes on
            self._send(500, f"{visible(f'{type(error).__name__}: {error}')}\n".encode(), "text/plain")

    def _answer_own(self) -> None:
        url = urlsplit(self.path)
        name = url.path[len(_OWN) + 1 :]
        if name in _FILES:
            self._send(200, _file(name), _FILES[name])
            return
        given = {key: values[-1] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
        found = self.server.answers.answer(name, given)
        self._send(200, json_text(found).encode("utf-8", "surrogatepass"), "application/json")

    def _answer_key(self, key: str | None) -> None:
        if key is None or not self.server.is_inside(key):
            self._send(404, b"not found\n", "text/plain")
        elif not key:
            self._send(200, self._page(), "text/html", {"Content-Security-Policy": _PAGE_POLICY})
        elif key.endswith("/"):
            names = self._listed(key[:-1])
            self._send(200 if names else 404, _links(key, names), "text/html")
        else:
            self._answer_value(key)

    # --- values ------------------------------------------------------------------------------------------------------

    def _answer_value(self, key: str) -> None:
        """Send a value, or a range of it, that all belongs to one state of the value."""
        store = self.server.store
        for _ in range(_ATTEMPTS):
            version = store.version(key)
            value, size = self._size_of(key)
            if size is None:
                self._answer_absent(key)
                return
            answer = self._headers_for(key, size, _tag(version))
            if answer is None:
                return
            status, headers, (start, stop) = answer
            if self.command == "HEAD":
                self._send(status, b"", _content_type(key), headers, length=stop - start)
                return
            if value is None:
                value = store.get_many([(key, None if stop - start == size else ByteRange(start, stop))])[0]
            else:
                value = byte_view(value)[start:stop]
            if value is not None and buffer_size(value) == stop - start and same_version(version, store.version(key)):
                self._send(status, value, _content_type(key), headers)
                return
        self._send(503, b"the value is being changed; ask again\n", "text/plain", {"Retry-After": "1"})

    def _answer_absent(self, key: str) -> None:
        """Send clients that list to the address that ends in ``/``; say to all others that there is no value."""
        is_document = key.rpartition("/")[2] in DOCUMENT_NAMES
        if not is_document and self._served(key):
            self._send(301, b"", "text/plain", {"Location": f"{_address(key)}/"})
        else:
            self._send(404, b"not found\n", "text/plain")

    def _size_of(self, key: str) -> tuple[Buf | None, int | None]:
        """Return the size of a value, None if it is absent; and the value, where the size is not known without it."""
        store = self.server.store
        if local_directory(store) is not None or isinstance(store, FSStore):
            return None, sizes_of(store, [key])[0]
        value = store.get_many([(key, None)])[0]
        return value, None if value is None else buffer_size(value)

    def _headers_for(self, key: str, size: int, tag: str | None) -> tuple[int, dict[str, str], tuple[int, int]] | None:
        """Return status, headers and range of an answer; None if it needs no value and is sent already."""
        kind, headers = _content_type(key), {"Accept-Ranges": "bytes", **({"ETag": tag} if tag else {})}
        if tag is not None and self.headers.get("If-None-Match") == tag:
            self._send(304, b"", kind, headers)
            return None
        try:
            span = range_of(self.headers.get("Range"), size)
        except ValueError:
            self._send(416, b"no such bytes\n", "text/plain", {"Content-Range": f"bytes */{size}"})
            return None
        if span is None or self.headers.get("If-Range") not in (None, tag):
            return 200, headers, (0, size)
        return 206, {**headers, "Content-Range": f"bytes {span[0]}-{span[1] - 1}/{size}"}, span

    def _served(self, path: str) -> list[str]:
        """Return the keys and prefixes directly below a path that are served."""
        prefix = f"{path}/" if path else ""
        found = [prefix + name for name in self.server.store.listdir(path)]
        return [key for key in found if key_of(_address(key)) is not None and self.server.is_inside(key)]

    def _listed(self, path: str) -> list[str]:
        """Return the names below a path that are served; directories end in ``/``."""
        keys = self._served(path)
        are_values = _have_values(self.server.store, keys)
        return [
            key.rpartition("/")[2] + ("" if is_value else "/") for key, is_value in zip(keys, are_values, strict=True)
        ]

    # --- answers -----------------------------------------------------------------------------------------------------

    def _page(self) -> bytes:
        """Return the page; without scripts it is a list of links, as programs read it."""
        try:
            links = _items(self._listed(""))
        except NotListableError:
            links = ""
        text = _file("page.html").decode()
        return text.replace("<!-- links -->", links).encode("utf-8", "surrogatepass")

    def _send(
        self, status: int, body: Buf, kind: str, headers: Mapping[str, str] | None = None, length: int | None = None
    ) -> None:
        text = "; charset=utf-8" if kind.startswith("text/") else ""
        origin = self.server.origin
        sent = {
            "Content-Type": kind + text,
            "Content-Length": str(buffer_size(body) if length is None else length),
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Content-Security-Policy": _DATA_POLICY,
            "Cross-Origin-Resource-Policy": "same-origin" if origin is None else "cross-origin",
            **(headers or {}),
        }
        if origin is not None:
            sent |= {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
            sent["Access-Control-Expose-Headers"] = "Content-Range, Content-Length, ETag"
        if status == 304 or status == 204:
            del sent["Content-Length"]
        self.send_response(status)
        for name, value in sent.items():
            self.send_header(name, value)
        try:
            self.end_headers()
            if self.command != "HEAD" and status not in (204, 304):
                self.wfile.write(body)
        except OSError:  # the client has gone, or does not read: nothing may follow a part of an answer
            self.close_connection = True


def _file(name: str) -> bytes:
    return files("zarrds.cli.serving").joinpath(name).read_bytes()


def _address(key: str) -> str:
    return f"/{quote(key, errors='surrogateescape')}"


def _have_values(store: Store, keys: list[str]) -> list[bool]:
    """Return for each key whether it has a value, or is only a prefix of others; a file system is asked once."""
    if isinstance(store, FSStore):
        return [state is not None for state in store.states(keys)]
    return [key in store for key in keys]


def _content_type(key: str) -> str:
    name = key.rpartition("/")[2]
    return "application/json" if name in DOCUMENT_NAMES or name == CONSOLIDATED_KEY else "application/octet-stream"


def _tag(version: object) -> str | None:
    """Return a strong ETag for a version of a value; None if versions cannot be compared outside of this process."""
    if not isinstance(version, tuple | str):
        return None
    return f'"{hashlib.sha256(repr(version).encode()).hexdigest()[:32]}"'


def _items(names: list[str]) -> str:
    links = [
        f'<li><a href="{quote(name, errors="surrogateescape")}">{escape(visible(name))}</a></li>' for name in names
    ]
    return "\n".join(links)


def _links(key: str, names: list[str]) -> bytes:
    """Return a listing as a page of links."""
    title = escape(visible(f"/{key}"))
    page = f'<!doctype html><meta charset="utf-8"><title>{title}</title><h1>{title}</h1><ul>\n{_items(names)}\n</ul>\n'
    return page.encode("utf-8", "surrogatepass")
