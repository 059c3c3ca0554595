"""The fast way to the values behind URLs of S3 and Azure: obstore, where it is installed.

An `FSStore` keeps its file system of fsspec, which lists, deletes, copies and sets under conditions. Values and ranges
go through a `DirectClient` instead, if there is one: it sends a request once, as our client of s3fs does, and gives
each its own answer or an error of the same kinds, so that retries and messages are the same for both.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.util import find_spec
from typing import Any

from fsspec.asyn import get_loop, sync

from zarrds._base.config import get_config
from zarrds._base.log import log
from zarrds._base.types import ByteRange
from zarrds._store.backends.azure_options import PROTOCOLS, Container, container_of
from zarrds._store.backends.cloud_options import Bucket, bucket_of, configured
from zarrds._store.backends.obstore_use import is_usable, note_use
from zarrds._store.optional import optional_module
from zarrds._store.pace import gate_of
from zarrds.errors import ArgumentError

__all__ = ["DirectClient", "direct_client", "translated"]

_IN_PARTS_BYTES = 100 * 2**20
"""Larger values are uploaded in parts, as s3fs does."""
_PART_BYTES = 50 * 2**20
_CREDENTIALS_FOR = timedelta(minutes=5)
"""How long credentials are used that may expire; botocore renews them at least ten minutes earlier."""
_WRONG_REGION = "incorrectly configured region"
_MOVED = 301
_NOT_IN_PART = "non-partial response"
_STATUS = re.compile(r"non-2xx status code: (\d{3})")


# --- errors ----------------------------------------------------------------------------------------------------------


class ObstoreError(OSError):
    """Failure of a request through obstore; has the status of the reply, if there was one."""

    status: int | None = None


class ObstoreAccessError(ObstoreError, PermissionError):
    """Refused for lack of rights or credentials."""


class ObstoreTimeoutError(ObstoreError, TimeoutError):
    """No answer in time."""


class ObstoreConnectionError(ObstoreError, ConnectionError):
    """The connection was lost."""


class ObstoreRefusedError(ObstoreError, ConnectionRefusedError):
    """No connection could be made."""


class ObstoreNotFoundError(ObstoreError, FileNotFoundError):
    """There is no such object, or no such bucket."""


def _converted(error: Exception) -> Exception:
    """Return the error of obstore as one of the kinds that clients of Python raise, with its status."""
    if isinstance(error, ValueError):  # a key that obstore cannot use: another attempt would not help
        return error
    text, _, source = str(error).partition("\n\nDebug source:")
    text = text.strip()
    found = _STATUS.search(text)
    status = int(found[1]) if found else _MOVED if _WRONG_REGION in text else None
    made = _kind(error, status, source)(text)
    made.status = status
    return made


def _kind(error: Exception, status: int | None, source: str) -> type[ObstoreError]:
    name = type(error).__name__
    if isinstance(error, FileNotFoundError):
        return ObstoreNotFoundError
    if status in (401, 403) or name in ("PermissionDeniedError", "UnauthenticatedError"):
        return ObstoreAccessError
    if status is not None:
        return ObstoreError
    if "kind: Timeout" in source:
        return ObstoreTimeoutError
    if "kind: Connect" in source:
        return ObstoreRefusedError
    return ObstoreConnectionError


# --- the client ------------------------------------------------------------------------------------------------------


class DirectClient:
    """Reads and writes values of one bucket or container through obstore.

    Parameters
    ----------
    bucket : Bucket or Container
        Where, and with which rights.
    """

    def __init__(self, bucket: Bucket | Container) -> None:
        self._obs = optional_module("obstore", "cloud")
        self._bucket = bucket
        self._store = _opened(self._bucket)
        self._lock = threading.Lock()

    def read_each(self, paths: Sequence[str], ends: Sequence[tuple[int | None, int | None]]) -> list[Any]:
        """Return the value at each path, or its bytes from start to end; an error for each path that failed."""
        found = self._read(paths, [_range(*pair) for pair in ends])
        return [reply if isinstance(reply, Exception) else reply[0] for reply in found]

    def read_tagged(self, paths: Sequence[str], ranges: Sequence[ByteRange | None]) -> list[Any]:
        """Return for each path an error, or the value (or its range) and its ETag."""
        return self._read(paths, [None if r is None else _range(r.start, _stop(r)) for r in ranges])

    def write_each(self, items: Sequence[tuple[str, bytes]]) -> list[Any]:
        """Write values; return for each None, or the error."""
        sizes = [len(value) for _, value in items]
        return self._sent(lambda: [partial(self._put, self._key(path), value) for path, value in items], sizes)

    def gap_bytes(self) -> int | None:
        """Return how many bytes between two ranges cost as much as one more request; None if that is not known yet."""
        gate = gate_of(get_loop(), self._bucket.service)
        return gate.pace.gap_bytes(gate.limit)

    def _read(self, paths: Sequence[str], ranges: Sequence[Any]) -> list[Any]:
        pairs = [(self._key(path), wanted) for path, wanted in zip(paths, ranges, strict=True)]
        return self._sent(lambda: [partial(self._get, key, wanted) for key, wanted in pairs])

    def _sent(self, calls: Callable[[], list[Any]], sizes: Sequence[int] | None = None) -> list[Any]:
        note_use()
        loop = get_loop()
        gate, sent = gate_of(loop, self._bucket.service), self._store
        answers: list[Any] = sync(loop, gate.all, calls(), sizes)
        moved = any(isinstance(answer, ObstoreError) and answer.status == _MOVED for answer in answers)
        if moved and (self._store is not sent or self._finds_region()):
            answers = sync(loop, gate.all, calls(), sizes)
        return answers

    def _key(self, path: str) -> str:
        return path.partition("/")[2]

    async def _get(self, key: str, wanted: Any) -> tuple[memoryview, str | None]:
        options = {} if wanted is None else {"options": {"range": wanted}}
        try:
            reply = await self._obs.get_async(self._store, key, **options)
            return memoryview(await reply.bytes_async()), reply.meta.get("e_tag")
        except Exception as error:
            if wanted is None or _NOT_IN_PART not in str(error):
                raise _converted(error) from None
        value, tag = await self._get(key, None)  # the service ignores ranges, here or in general
        return value[_as_slice(wanted)], tag

    async def _put(self, key: str, value: bytes) -> None:
        parts = {"use_multipart": True, "chunk_size": _PART_BYTES} if len(value) > _IN_PARTS_BYTES else {}
        try:
            await self._obs.put_async(self._store, key, value, **(parts or {"use_multipart": False}))
        except Exception as error:
            raise _converted(error) from None

    def _finds_region(self) -> bool:
        """Ask in which region the bucket is; return whether it is another one, which is used from now on."""
        with self._lock:
            bucket = self._bucket
            if not isinstance(bucket, Bucket):
                return False
            found = _region_of(bucket)
            if found is None or found == bucket.region:
                return False
            self._bucket = replace(bucket, region=found)
            self._store = _opened(self._bucket)
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


def _opened(bucket: Bucket | Container) -> Any:
    """Return the object of obstore for a bucket or container."""
    module: Any = optional_module("obstore.store", "cloud")
    kind, settings = (
        (module.S3Store, _of_s3(bucket)) if isinstance(bucket, Bucket) else (module.AzureStore, _of_azure(bucket))
    )
    return kind(bucket.name, **settings, client_options=_CLIENT_OPTIONS, retry_config={"max_retries": 0})


def _of_s3(bucket: Bucket) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "region": bucket.region or "us-east-1",
        "virtual_hosted_style_request": bucket.virtual_hosted,
        "skip_signature": bucket.anonymous,
    }
    if bucket.endpoint:
        settings["endpoint"] = bucket.address
    if bucket.requester_pays:
        settings["request_payer"] = True
    if not bucket.anonymous:
        settings["credential_provider"] = _provider(bucket)
    return settings


def _of_azure(container: Container) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "account_name": container.account,
        "endpoint": container.endpoint,
        "use_emulator": False,
        "use_fabric_endpoint": False,
        "skip_signature": not (container.key or container.signature),
    }
    if not settings["skip_signature"]:
        rights = {"access_key": container.key} if container.key else {"sas_token": container.signature}
        # credentials given in this way win over all that obstore finds in the environment
        settings["credential_provider"] = lambda: {**rights, "expires_at": None}
    return settings


def _provider(bucket: Bucket) -> Callable[[], dict[str, Any]]:
    if bucket.credentials is not None:
        given = {**bucket.credentials, "expires_at": None}
        return lambda: given
    found = _botocore_credentials(bucket.profile)

    def current() -> dict[str, Any]:
        now = found.get_frozen_credentials()
        return {
            "access_key_id": now.access_key,
            "secret_access_key": now.secret_key,
            "token": now.token,
            "expires_at": datetime.now(UTC) + _CREDENTIALS_FOR,
        }

    return current


class _NoCredentialsError(Exception):
    """botocore finds no credentials: s3fs says so in its words."""


def _botocore_credentials(profile: str | None) -> Any:
    module: Any = optional_module("botocore.session", "cloud")
    found = module.Session(profile=profile).get_credentials()
    if found is None:
        raise _NoCredentialsError
    return found


# --- which stores have one -------------------------------------------------------------------------------------------

_clients: dict[tuple[int, str], DirectClient] = {}
_said: set[str] = set()


def translated(url: str, path: str, options: Mapping[str, Any]) -> Bucket | Container | None:
    """Return where values are if obstore can serve them here and now with these options; None: fsspec serves them.

    Parameters
    ----------
    url, path : str
        URL of a store, and the path that its file system makes of it.
    options : dict
        Options of the file system.

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
    found: Bucket | Container | str = "obstore is not installed"
    if find_spec("obstore") is not None:
        found = _place_of(url, path, options)
    if not isinstance(found, str):
        return found
    if transport == "obstore":
        raise ArgumentError(
            f"the transport obstore has no equal of: {found}",
            hint='leave it out, or choose transport="auto" in zarrds.set_config, so that fsspec is used',
        )
    said = f"values of {protocol}:// go through {_CLIENTS[protocol]}, as obstore cannot be used: {found}"
    if said not in _said:
        _said.add(said)
        log.debug("%s", said)
    return None


_CLIENTS = {"s3": "s3fs", "s3a": "s3fs", **dict.fromkeys(PROTOCOLS, "adlfs")}
"""Protocols of URLs whose values can go through obstore, and the file system that serves them otherwise."""


def _place_of(url: str, path: str, options: Mapping[str, Any]) -> Bucket | Container | str:
    if url.startswith("s3"):
        given = bucket_of(url, options)
        return given if isinstance(given, str) else configured(given)
    return container_of(path, options)


def direct_client(bucket: Bucket | Container) -> DirectClient | None:
    """Return the client for a bucket, which all stores of this process share; None if there are no credentials."""
    name = (os.getpid(), repr(bucket) + bucket.secret)
    if name not in _clients:
        try:
            _clients[name] = DirectClient(bucket)
        except Exception as error:  # what is wrong shows, in its words, in the requests of the other transport
            log.debug("values go through fsspec, as obstore cannot be used: %s", type(error).__name__)
            return None
    return _clients[name]
