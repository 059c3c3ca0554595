"""What a request of HTTP asks for; pure functions from header lines to values, which trust nobody."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv6Address
from urllib.parse import unquote_to_bytes

from zarrds._format import CONSOLIDATED_KEY, DOCUMENT_NAMES

__all__ = ["allowed_hosts", "is_allowed", "key_of", "range_of"]


def key_of(target: str) -> str | None:
    """Return the key, or the prefix ending in ``/``, that the path of a request names; None for one that is refused.

    Refused are ``.`` and ``..`` in all encodings, empty and hidden names except those of documents, backslashes and
    null characters: no path leads out of the store.

    >>> key_of("/t/0.0"), key_of("/"), key_of("/a%20b/.zarray"), key_of("/t/%2e%2e/x"), key_of("/.git/config")
    ('t/0.0', '', 'a b/.zarray', None, None)
    """
    if not target.startswith("/"):
        return None
    path = unquote_to_bytes(target.partition("?")[0][1:]).decode("utf-8", "surrogateescape")
    names = path.removesuffix("/").split("/") if path else []
    for name in names:
        hidden = name.startswith(".") and name not in DOCUMENT_NAMES and name != CONSOLIDATED_KEY
        if not name or hidden or "\\" in name or "\0" in name:
            return None
    return path


def allowed_hosts(host: str, port: int, more: Collection[str] = ()) -> frozenset[str]:
    """Return the values of the header ``Host`` that are answered.

    A page of a stranger may make its own name point to this machine (DNS rebinding); its requests have its name.
    """
    names = {host, "localhost", "127.0.0.1", "::1", *more}
    bracketed = {f"[{name}]" if ":" in name and not name.startswith("[") else name for name in names}
    return frozenset(f"{name}:{port}".lower() for name in bracketed) | (
        {n.lower() for n in bracketed} if port == 80 else set()
    )


def is_allowed(host: str | None, allowed: Collection[str]) -> bool:
    """Return whether a header ``Host`` names this server."""
    return host is not None and _shortest(host.strip().lower()) in allowed


def _shortest(host: str) -> str:
    """Return a host with an address of IPv6 in its shortest form: ``::`` stands for chains in URLs of fsspec.

    >>> _shortest("[0:0:0:0:0:0:0:1]:8000")
    '[::1]:8000'
    """
    inside, bracket, port = host.partition("]")
    try:
        return f"[{IPv6Address(inside.removeprefix('['))}]{port}" if bracket else host
    except ValueError:
        return host


def range_of(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte, and one past the last, that a header ``Range`` asks for; None for the whole value.

    Raises ValueError if there are no such bytes. Several ranges, other units and nonsense mean the whole value, as the
    standard allows.

    >>> range_of("bytes=0-3", 10), range_of("bytes=8-", 10), range_of("bytes=-4", 10), range_of("lines=1-2", 10)
    ((0, 4), (8, 10), (6, 10), None)
    """
    unit, _, text = (header or "").partition("=")
    first, dash, last = text.strip().partition("-")
    digits = [part for part in (first, last) if part]
    if (
        unit.strip().lower() != "bytes"
        or not dash
        or not digits
        or not all(d.isascii() and d.isdigit() for d in digits)
    ):
        return None
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size or start >= stop:
        raise ValueError("no such bytes")  # builtin: caught by the server, which answers 416
    return start, stop
