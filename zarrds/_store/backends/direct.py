"""The fast way to the values behind URLs of S3, Google, Azure and web servers: obstore, where it is installed.

An `FSStore` keeps its file system of fsspec, which lists, deletes and copies. Values and ranges go through a
`DirectClient` instead, if there is one: it sends a request once, as our client of s3fs does, and gives each its own
answer or an error of the same kinds, so that retries and messages are the same for both.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.asyn import get_loop

from zarrds._base.config import get_config
from zarrds._base.log import log
from zarrds._base.types import ByteRange
from zarrds._store.backends import azure_options, google_options, web_options
from zarrds._store.backends.cloud_options import Bucket, bucket_of, configured
from zarrds._store.backends.direct_errors import MOVED, ObstoreError, UnservableError, converted
from zarrds._store.backends.direct_places import DirectPlace
from zarrds._store.backends.direct_setting import set_if
from zarrds._store.backends.obstore_use import is_usable, waited_for
from zarrds._store.backends.writers import new_token
from zarrds._store.optional import optional_module
from zarrds._store.pace import gate_of
from zarrds._store.retry import answered
from zarrds.errors import ArgumentError

__all__ = ["DirectClient", "direct_client", "say_fsspec", "translated"]

_IN_PARTS_BYTES = 100 * 2**20
"""Larger values are uploaded in parts, as s3fs does."""
_PART_BYTES = 50 * 2**20
_NOT_IN_PART = ("non-partial response", "Range request not supported")


# --- the client ------------------------------------------------------------------------------------------------------


class DirectClient:
    """Reads and writes values of one bucket, container or web server through obstore.

    Parameters
    ----------
    place : DirectPlace
        Where, and with which rights.
    """

    def __init__(self, place: DirectPlace) -> None:
        self._obs = optional_module("obstore", "cloud")
        self._place = place
        self._store = place.opened(_CLIENT_OPTIONS)
        self._lock = threading.Lock()

    def read_each(self, paths: Sequence[str], ends: Sequence[tuple[int | None, int | None]]) -> list[Any]:
        """Return the value at each path, or its bytes from start to end; an error for each path that failed."""
        found = self._read(paths, [_range(*pair) for pair in ends])
        return [reply if isinstance(reply, Exception) else reply[0] for reply in found]

    def read_tagged(self, paths: Sequence[str], ranges: Sequence[ByteRange | None]) -> list[Any]:
        """Return for each path an error, or the value (or its range) and its ETag or generation."""
        return self._read(paths, [None if r is None else _range(r.start, _stop(r)) for r in ranges])

    def write_each(self, items: Sequence[tuple[str, bytes]]) -> list[Any]:
        """Write values; return for each None, or the error."""
        sizes = [len(value) for _, value in items]
        return self._sent(lambda: [partial(self._put, self._place.key(path), value) for path, value in items], sizes)

    def set_if(self, path: str, value: bytes, expected: bytes | None) -> tuple[bool | Exception, int]:
        """Set a value that still is `expected` (None: absent); return whether it was set or the error, and attempts."""
        call = partial(set_if, self._obs, self._store, self._place.key(path), value, expected, new_token())
        (done,), attempts = answered([path], lambda _: self._sent(lambda: [call]))
        return done, attempts

    def gap_bytes(self) -> int | None:
        """Return how many bytes between two ranges cost as much as one more request; None if that is not known yet."""
        gate = gate_of(get_loop(), self._place.service)
        return gate.pace.gap_bytes(gate.limit)

    def _read(self, paths: Sequence[str], ranges: Sequence[Any]) -> list[Any]:
        pairs = [(self._place.key(path), wanted) for path, wanted in zip(paths, ranges, strict=True)]
        return self._sent(lambda: [partial(self._get, key, wanted) for key, wanted in pairs])

    def _sent(self, calls: Callable[[], list[Any]], sizes: Sequence[int] | None = None) -> list[Any]:
        gate, sent = gate_of(get_loop(), self._place.service), self._store
        answers = waited_for(gate.all(calls(), sizes))
        moved = any(isinstance(answer, ObstoreError) and answer.status == MOVED for answer in answers)
        if moved and (self._store is not sent or self._finds_region()):
            answers = waited_for(gate.all(calls(), sizes))
        return answers

    async def _get(self, key: str, wanted: Any) -> tuple[memoryview, str | None]:
        options = {} if wanted is None else {"options": {"range": wanted}}
        try:
            reply = await self._obs.get_async(self._store, key, **options)
            packed = reply.attributes.get("Content-Encoding", "identity") if self._place.unpacks else "identity"
            if packed == "identity":
                return memoryview(await reply.bytes_async()), self._place.tag(reply.meta)
        except Exception as error:
            if wanted is None or not any(words in str(error) for words in _NOT_IN_PART):
                raise converted(error) from None
        else:
            raise UnservableError(f"values are sent with Content-Encoding {packed}")
        value, tag = await self._get(key, None)  # the service ignores ranges, here or in general
        return value[_as_slice(wanted)], tag

    async def _put(self, key: str, value: bytes) -> None:
        parts = {"use_multipart": True, "chunk_size": _PART_BYTES} if len(value) > _IN_PARTS_BYTES else {}
        try:
            await self._obs.put_async(self._store, key, value, **(parts or {"use_multipart": False}))
        except Exception as error:
            raise converted(error) from None

    def _finds_region(self) -> bool:
        """Ask in which region the bucket is; return whether it is another one, which is used from now on."""
        with self._lock:
            bucket = self._place
            found = _region_of(bucket) if isinstance(bucket, Bucket) else None
            if found is None or not isinstance(bucket, Bucket) or found == bucket.region:
                return False
            self._place = replace(bucket, region=found)
            self._store = self._place.opened(_CLIENT_OPTIONS)
        return True


def _stop(byte_range: ByteRange) -> int | None:
    start, stop = byte_range
    return stop if stop is None or stop > start else start + 1  # an empty range cannot be requested


def _range(start: int | None, stop: int | None) -> Any:
    if start is None and stop is None:
        return None
    if start is not None and start < 0:
        return {"suffix": -start}
    return {"offset": start or 0} if stop is None else (start or 0, stop)


def _as_slice(wanted: Any) -> slice:
    """Return the slice of a value that a range of obstore means."""
    if isinstance(wanted, tuple):
        return slice(*wanted)
    return slice(-wanted["suffix"], None) if "suffix" in wanted else slice(wanted["offset"], None)


def _region_of(bucket: Bucket) -> str | None:
    """Return the region that the service names in its answer, even if that is a refusal."""
    import http.client  # rarely needed, and slow to import
    from urllib.parse import urlsplit

    base = urlsplit(bucket.endpoint or "https://s3.amazonaws.com")
    kind = http.client.HTTPSConnection if base.scheme == "https" else http.client.HTTPConnection
    connection = kind(base.hostname or "", base.port, timeout=10)
    try:
        connection.request("HEAD", f"{base.path.rstrip('/')}/{bucket.name}")
        return connection.getresponse().headers.get("x-amz-bucket-region")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


_CLIENT_OPTIONS = {
    # the time limits of botocore; the default would limit the whole of a request, with its value, to 30 s
    "allow_http": True,
    "connect_timeout": "60s",
    "read_timeout": "60s",
    "timeout": "86400s",
    "pool_max_idle_per_host": "256",
}


# --- which stores have one -------------------------------------------------------------------------------------------

_clients: dict[tuple[int, str], DirectClient] = {}
_said: set[str] = set()


def translated(url: str, path: str, fs: AbstractFileSystem) -> DirectPlace | None:
    """Return where values are if obstore can serve them here and now with these options; None: fsspec serves them.

    Parameters
    ----------
    url, path : str
        URL of a store, and the path that its file system makes of it.
    fs : fsspec.AbstractFileSystem
        The file system; its options include those of ``fsspec.config``.

    Raises
    ------
    ArgumentError
        The configuration says ``transport="obstore"``, and some option cannot be translated for it.
    """
    transport, protocol = get_config().transport, url.partition("://")[0]
    if transport == "fsspec" or "::" in url or protocol not in _CLIENTS or not is_usable():
        return None
    if transport == "obstore":
        optional_module("obstore", "cloud")
    found: DirectPlace | str = "obstore is not installed"
    if find_spec("obstore") is not None:
        found = _place_of(protocol, url, path, fs)
    if not isinstance(found, str):
        return found
    if transport == "obstore":
        raise ArgumentError(
            f"the transport obstore has no equal of: {found}",
            hint='leave it out, or choose transport="auto" in zarrds.set_config, so that fsspec is used',
        )
    say_fsspec(url, found)
    return None


def say_fsspec(url: str, why: str) -> None:
    """Say once, at level debug, why values of such URLs go through fsspec."""
    protocol = url.partition("://")[0]
    said = f"values of {protocol}:// go through {_CLIENTS[protocol]}, as obstore cannot be used: {why}"
    if said not in _said:
        _said.add(said)
        log.debug("%s", said)


_CLIENTS = {
    "s3": "s3fs",
    "s3a": "s3fs",
    **dict.fromkeys(google_options.PROTOCOLS, "gcsfs"),
    **dict.fromkeys(azure_options.PROTOCOLS, "adlfs"),
    **dict.fromkeys(web_options.PROTOCOLS, "aiohttp"),
}
"""Protocols of URLs whose values can go through obstore, and the package that serves them otherwise."""


def _place_of(protocol: str, url: str, path: str, fs: AbstractFileSystem) -> DirectPlace | str:
    if protocol in google_options.PROTOCOLS:
        return google_options.google_bucket_of(path, fs)
    if protocol in web_options.PROTOCOLS:
        return web_options.web_server_of(url, fs.storage_options)
    if protocol in azure_options.PROTOCOLS:
        return azure_options.container_of(path, fs.storage_options)
    given = bucket_of(url, fs.storage_options)
    return given if isinstance(given, str) else configured(given)


def direct_client(place: DirectPlace) -> DirectClient | None:
    """Return the client for a place, which all stores of this process share; None if there are no credentials."""
    name = (os.getpid(), repr(place) + place.secret)
    if name not in _clients:
        try:
            _clients[name] = DirectClient(place)
        except Exception as error:  # what is wrong shows, in its words, in the requests of the other transport
            log.debug("values go through fsspec, as obstore cannot be used: %s", type(error).__name__)
            return None
    return _clients[name]
