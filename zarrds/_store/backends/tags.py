"""Read values, or parts of them, with the tags of S3 and HTTP that identify the state of a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.dirfs import DirFileSystem

from zarrds._base.types import ByteRange
from zarrds._store.backends.filesystem import limits, read_each, together
from zarrds._store.backends.s3 import s3_place

__all__ = ["are_sent", "asked_for_ranges", "read_tagged"]

_REFUSES_HEAD = frozenset({400, 403, 405, 501})
"""Statuses of web servers that refuse the method HEAD."""
_SETTLED_S = 2
"""Seconds after which any change shows in Last-Modified, which has whole seconds."""


def are_sent(fs: AbstractFileSystem, path: str) -> bool:
    """Return whether answers of the file system may have tags."""
    return s3_place(fs, path) is not None or _http_place(fs, path) is not None


def _http_place(fs: AbstractFileSystem, path: str) -> tuple[AbstractFileSystem, str] | None:
    while type(fs) is DirFileSystem:
        fs, path = fs.fs, f"{fs.path}/{path}"
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    return (fs, path) if "http" in protocols and hasattr(fs, "set_session") else None


def asked_for_ranges(fs: AbstractFileSystem, paths: Sequence[str]) -> list[Any]:
    """Ask a web server about values; return for each whether it obeys ranges or an error, None for other servers."""
    places = [place for place in (_http_place(fs, path) for path in paths) if place is not None]
    return together(fs, [partial(_accepts_ranges, *place) for place in places]) if places else [None] * len(paths)


async def _accepts_ranges(fs: Any, path: str) -> bool:
    session = await fs.set_session()
    # newer versions of fsspec do not show this header
    async with session.head(fs.encode_url(path), allow_redirects=True, **fs.kwargs) as reply:
        if reply.status not in _REFUSES_HEAD:
            fs._raise_not_found_for_status(reply, path)
            return bool(reply.headers.get("Accept-Ranges", "").lower() == "bytes")
    async with session.get(fs.encode_url(path), **_options(fs, {"Range": "bytes=0-0"})) as reply:
        if reply.status != 416:  # of an empty value, by a server that obeys ranges
            fs._raise_not_found_for_status(reply, path)
        return bool(reply.status in (206, 416))


def _options(fs: Any, header: Mapping[str, str]) -> dict[str, Any]:
    """Return the options of requests of a file system, with one more header."""
    return {**fs.kwargs, "headers": {**dict(fs.kwargs.get("headers") or ()), **header}}


def read_tagged(fs: AbstractFileSystem, paths: Sequence[str], ranges: Sequence[ByteRange | None]) -> list[Any]:
    """Return for each path an error, or the value (or its range) and its tag, which may be None."""
    if not are_sent(fs, paths[0]):
        ends = [limits(byte_range) for byte_range in ranges]
        return [r if isinstance(r, Exception) else (r, None) for r in read_each(fs, paths, ends)]
    calls = []
    for path, byte_range in zip(paths, ranges, strict=True):
        place, read = s3_place(fs, path), _read_s3
        if place is None:
            place, read = _http_place(fs, path), _read_http
        assert place is not None
        calls.append(partial(read, *place, _header(byte_range)))
    return together(fs, calls)


def _header(byte_range: ByteRange | None) -> dict[str, str]:
    """Return the HTTP header of a range; one byte for an empty range, which cannot be requested."""
    if byte_range is None:
        return {}
    start, stop = byte_range
    if start < 0:
        return {"Range": f"bytes={start}"}
    return {"Range": f"bytes={start}-{'' if stop is None else max(stop - 1, start)}"}


async def _read_s3(fs: Any, path: str, header: dict[str, str]) -> tuple[bytes, str | None]:
    bucket, key, version = fs.split_path(path)
    state = {"VersionId": version} if version else {}
    reply = await fs._call_s3("get_object", Bucket=bucket, Key=key, **state, **header)
    async with reply["Body"] as body:
        value: bytes = await body.read()
    return value, reply.get("ETag")


async def _read_http(fs: Any, path: str, header: dict[str, str]) -> tuple[bytes, str | None]:
    session = await fs.set_session()
    async with session.get(fs.encode_url(path), **_options(fs, header)) as reply:
        value: bytes = await reply.read()
        fs._raise_not_found_for_status(reply, path)
        return value, _http_tag(reply.headers)


def _http_tag(headers: Mapping[str, str]) -> str | None:
    """Return the strong ETag, else the time of the last change if it is old enough for the next change to differ."""
    tag = headers.get("ETag")
    if tag is not None and not tag.startswith("W/"):
        return tag
    changed, now = headers.get("Last-Modified"), headers.get("Date")
    if changed is None or now is None:
        return None
    try:
        age = parsedate_to_datetime(now) - parsedate_to_datetime(changed)
    except (TypeError, ValueError):
        return None
    return changed if age.total_seconds() >= _SETTLED_S else None
