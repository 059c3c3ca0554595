"""Properties of fsspec file systems, and batches of requests in which each request has its own answer.

The batch calls of fsspec fail as a whole, or omit what failed; here every request has its own answer: the value, None,
or the error. Asynchronous file systems get all requests of a batch together, limited by the configuration
``concurrency``; others get one after the other.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import os
import pickle
import re
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.asyn import AsyncFileSystem, sync
from fsspec.core import url_to_fs
from fsspec.implementations.cached import CachingFileSystem, WholeFileCacheFileSystem
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.implementations.zip import ZipFileSystem
from fsspec.registry import known_implementations

from zarrds._base.config import get_config
from zarrds._base.types import Buf, ByteRange
from zarrds._store.absence import says_no_container
from zarrds._store.backends.archive import refuse_bomb
from zarrds._store.backends.references import check_references
from zarrds._store.base import StoreProfile
from zarrds._store.failure import store_failure
from zarrds._store.live import LiveData, live_data
from zarrds._store.pace import FixedGate, gate_of
from zarrds._store.paths import redact_url
from zarrds._store.request import cut
from zarrds._store.retry import is_unreached
from zarrds._store.secrets import redact_text, safe_cause, secret_values
from zarrds.errors import ArgumentError, ArgumentTypeError, MissingPackageError, ZarrdsError

__all__ = [
    "NOT_FOUND",
    "blocking",
    "copy_each",
    "delete_each",
    "gathered_by",
    "has_protocol",
    "has_urls",
    "is_batched",
    "limits",
    "lists_reliably",
    "local_path",
    "may_be_short",
    "missing_set",
    "opened",
    "profile_of",
    "read_each",
    "reopened",
    "size_of",
    "together",
    "trim",
    "widen_pool",
    "write_each",
]

_NO_BUCKET = re.compile(r"(?:s3a?|gc?s|az|abfss?)://(?:/|$)")
NOT_FOUND = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
"""Errors that mean "no such key"; a KeyError comes from inside a client and means nothing."""
_of_parents: list[AbstractFileSystem] = []
"""File systems inherited by a fork: if they were collected, their sockets would leave the parent's event loop too."""
BULK_DELETE = 1000
"""Most keys that S3 deletes with one request."""


# --- properties ------------------------------------------------------------------------------------------------------


def opened(url: str, options: Mapping[str, Any]) -> tuple[AbstractFileSystem, str]:
    """Open the file system of a URL; remove credentials from errors, which often contain the URL.

    Raises
    ------
    StoreConnectionError
        If no connection could be made: archives are read when they are opened.
    """
    if _NO_BUCKET.match(url):
        hint = "write it as s3://bucket/path; gs:// and az:// alike"
        raise ArgumentError("the URL names no bucket", found=redact_url(url), hint=hint)
    try:
        fs, path = url_to_fs(url, **options)
        return fs, path
    except Exception as error:
        secrets = secret_values(url, options)
        failed: BaseException
        if is_unreached(error):
            failed = store_failure("cannot open", error, store=redact_url(url), key=None, attempts=1, secrets=secrets)
        else:
            failed = _not_opened(url, error, secrets) or safe_cause(error, secrets)
        if failed is error:
            raise
    raise failed  # outside the handler, which would set the other error as context


def _not_opened(url: str, error: Exception, secrets: frozenset[str]) -> ZarrdsError | None:
    """Return the error for a URL that no file system is there for: its protocol is unknown, or needs a package."""
    if isinstance(error, ImportError):
        return MissingPackageError(f"URLs like this need a package: {error}", found=redact_url(url))
    if isinstance(error, ValueError) and str(error).startswith("Protocol not known"):
        return ArgumentError(
            f"no file system is known for URLs of {str(error).rpartition(' ')[2]}://",
            found=redact_url(url),
            hint="check the spelling; s3, gs, az, http and https are known, and packages for fsspec bring more",
        )
    if isinstance(error, TypeError):  # an argument of the file system is unknown, or missing
        hint = "check the names of the storage options"
        if url.startswith("reference:"):
            hint = "a list of references is named by the storage option fo: fo=refs.json"
        return ArgumentTypeError(
            f"the file system cannot be opened: {type(error).__name__}: {redact_text(str(error), secrets)}",
            found=redact_url(url),
            hint=hint,
        )
    return None


def blocking(fs: AbstractFileSystem) -> AbstractFileSystem:
    """Return the file system, or an equal one for blocking calls if it was created for use inside an event loop."""
    if not getattr(fs, "asynchronous", False):
        return fs
    return type(fs)(*fs.storage_args, **{**fs.storage_options, "asynchronous": False})


def reopened(fs: AbstractFileSystem) -> AbstractFileSystem:
    """Open the file system again in a forked child, whose connections, files and event loop belong to the parent."""
    if isinstance(fs, LocalFileSystem) or any(isinstance(layer, MemoryFileSystem) for layer in _layers(fs)):
        return fs
    again: AbstractFileSystem = pickle.loads(pickle.dumps(fs))
    _of_parents.append(fs)
    return again


def _layers(fs: AbstractFileSystem) -> list[AbstractFileSystem]:
    """Return the file system and those that it wraps (archives, caches)."""
    layers = [fs]
    # a cache forwards attributes to the file system behind it
    while isinstance(inner := object.__getattribute__(layers[-1], "__dict__").get("fs"), AbstractFileSystem):
        layers.append(inner)
    return layers


def has_protocol(fs: AbstractFileSystem, *names: str) -> bool:
    """Return whether the file system, or one that it wraps, has one of the protocols."""
    spoken = [(layer.protocol,) if isinstance(layer.protocol, str) else layer.protocol for layer in _layers(fs)]
    return any(name in protocols for protocols in spoken for name in names)


def has_urls(fs: AbstractFileSystem) -> bool:
    """Return whether paths are URLs, in which some characters have a special meaning."""
    *above, last = _layers(fs)
    return has_protocol(last, "http", "https") and all(
        isinstance(fs, CachingFileSystem | DirFileSystem) for fs in above
    )


def lists_reliably(fs: AbstractFileSystem) -> bool:
    """Return whether an empty listing means that there is nothing; False for web servers and unknown file systems."""
    return not has_protocol(fs, "http", "https") and has_protocol(fs, *known_implementations)


def size_of(fs: AbstractFileSystem, entry: dict[str, Any]) -> int | None:
    """Return the size of the value of an entry; for base64 values in references, the entry has the size of the text."""
    if entry.get("type") == "file" and has_protocol(fs, "reference"):
        held = getattr(fs, "references", {}).get(entry.get("name"))
        text = held.encode() if isinstance(held, str) else held
        if isinstance(text, bytes) and text.startswith(b"base64:"):
            return len(base64.b64decode(text.removeprefix(b"base64:")))
    size: int | None = entry.get("size")
    return size


def local_path(fs: AbstractFileSystem, path: str) -> str | None:
    """Return the local directory of `path`, where `DirectoryStore` writes atomically; None for other file systems."""
    while type(fs) is DirFileSystem:
        fs, path = fs.fs, f"{fs.path}/{path}"
    return path or "/" if type(fs) is LocalFileSystem else None


def is_batched(fs: AbstractFileSystem) -> bool:
    """Return whether `fs`, and all that it wraps (a DirFileSystem may wrap anything), sends a batch in parallel."""
    return all(isinstance(layer, AsyncFileSystem) and layer.async_impl is True for layer in _layers(fs))


def profile_of(fs: AbstractFileSystem) -> StoreProfile:
    """Return the profile of a store on `fs`."""
    layers = _layers(fs)
    in_memory = any(isinstance(layer, MemoryFileSystem) for layer in layers)
    cached = any(isinstance(layer, CachingFileSystem) for layer in layers)  # on disk after the first read
    if not cached and any(is_batched(layer) for layer in layers):
        return StoreProfile("network", is_batched(fs), native_ranges=True, shareable=not in_memory)
    return StoreProfile("memory" if in_memory and not cached else "disk", native_ranges=True, shareable=not in_memory)


def live_data_of(fs: AbstractFileSystem) -> LiveData | None:
    """Return the shared change counter if `fs` keeps its files in the memory of this process; else None."""
    in_memory = any(isinstance(layer, MemoryFileSystem) for layer in _layers(fs))
    return live_data(MemoryFileSystem.store) if in_memory else None


def missing_set(
    exceptions: Iterable[type[Exception]], missing_exceptions: Iterable[type[Exception]] | None
) -> tuple[type[Exception], ...]:
    """Return the exceptions that mean "no such key", including those that the caller names."""
    given = {*exceptions, *(missing_exceptions or ())} - set(NOT_FOUND)
    return NOT_FOUND + tuple(sorted(given, key=lambda cls: cls.__name__))


def widen_pool(fs: AbstractFileSystem) -> None:
    """Allow S3 clients that are not connected yet as many connections as there are parallel requests.

    Their default is 10, so that most of 64 parallel requests would wait for others.
    """
    for layer in _layers(fs):
        given = getattr(layer, "config_kwargs", None)
        if has_protocol(layer, "s3") and isinstance(given, dict):
            layer.config_kwargs = {"max_pool_connections": get_config().requests_at_once, **given}


# --- ranges ----------------------------------------------------------------------------------------------------------


def limits(byte_range: ByteRange | None) -> tuple[int | None, int | None]:
    """Return the start and end to request; one byte for an empty range, which cannot be requested."""
    if byte_range is None:
        return None, None
    start, stop = byte_range
    return start, stop if stop is None or stop > start else start + 1


def trim(answer: bytes, byte_range: ByteRange) -> Buf:
    """Return the answer, cut if it is longer than requested."""
    start, stop = byte_range
    if start < 0:
        return answer if len(answer) <= -start else cut(answer, byte_range)
    if stop is None or len(answer) <= max(0, stop - start):
        return answer
    return b"" if stop <= start else cut(answer, byte_range)


def may_be_short(size: int, byte_range: ByteRange) -> bool:
    """Return whether an answer is shorter than its range: the value ends there, or the answer is truncated."""
    start, stop = byte_range
    if start < 0:
        return size < -start
    return stop is None or size < stop - start


# --- batches ---------------------------------------------------------------------------------------------------------


def together(fs: AbstractFileSystem, calls: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """Return the answer or error of each call; all batches on equal file systems share the number of requests."""
    gate = gate_of(fs.loop, f"fsspec {hash(fs)}", FixedGate)
    answers: list[Any] = sync(fs.loop, gate.all, calls)
    return answers


def gathered_by(run: Callable[[Any], Any], calls: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """Return the answer or error of each call, some at a time, from a coroutine that `run` waits for."""
    answers: list[Any] = run(_gathered(calls))
    return answers


async def _gathered(calls: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
    gate = asyncio.Semaphore(get_config().requests_at_once)

    async def answer(call: Callable[[], Awaitable[Any]]) -> Any:
        async with gate:
            try:
                return await call()
            except Exception as error:
                return error

    return await asyncio.gather(*map(answer, calls))


def _one_by_one(calls: Iterator[Callable[[], Any]]) -> list[Any]:
    answers = []
    for call in calls:
        try:
            answers.append(call())
        except Exception as error:
            answers.append(error)
    return answers


def read_each(fs: AbstractFileSystem, paths: Sequence[str], ends: Sequence[tuple[int | None, int | None]]) -> list[Any]:
    """Return the value, or its bytes from start to end, at each path; an error for each path that failed.

    Raises
    ------
    ReferenceRefusedError
        If a path is a reference to a file of this machine that may not be read.
    """
    absent = check_references(fs, paths)
    if absent:
        there = [(path, limits) for path, limits in zip(paths, ends, strict=True) if path not in absent]
        found = iter(read_each(fs, [path for path, _ in there], [limits for _, limits in there]) if there else ())
        return [FileNotFoundError(path) if path in absent else next(found) for path in paths]
    if is_batched(fs):
        kind: Any = type(fs)
        extra = _in_one_request(kind) if has_protocol(fs, "s3") else {}
        pairs = zip(paths, ends, strict=True)
        return together(fs, [partial(fs._cat_file, path, start=a, end=b, **extra) for path, (a, b) in pairs])
    if len(paths) > 1 and profile_of(fs).kind == "network":
        try:  # some caches fetch missing files together, but report one absent file for all of them
            firsts, lasts = [start for start, _ in ends], [end for _, end in ends]
            return list(fs.cat_ranges(list(paths), firsts, lasts, on_error="return"))
        except NOT_FOUND:
            pass
    read = _reader(fs)
    return _one_by_one(partial(read, path, a, b) for path, (a, b) in zip(paths, ends, strict=True))


@cache
def _in_one_request(kind: type[Any]) -> dict[str, int]:
    """Return the options with which s3fs fetches a value without a request for its size; older versions have none."""
    return {"max_concurrency": 1} if "max_concurrency" in inspect.signature(kind._cat_file).parameters else {}


def _reader(fs: AbstractFileSystem) -> Callable[[str, int | None, int | None], Any]:
    """Return the function that reads one value, or its bytes from start to end."""
    if isinstance(fs, ZipFileSystem):
        return partial(_read_from_zip, fs)
    if isinstance(fs, WholeFileCacheFileSystem):
        return partial(_read_cached, fs)
    return fs.cat_file  # type: ignore[no-any-return]


def _read_from_zip(fs: ZipFileSystem, path: str, start: int | None, end: int | None) -> Any:
    entry = fs.zip.NameToInfo.get(path)
    if entry is not None:
        refuse_bomb(entry, str(fs))
    try:
        return fs.cat_file(path, start, end)
    except KeyError as error:  # of zipfile, in versions of fsspec before 2026.9
        if entry is None:
            raise FileNotFoundError(path) from error  # builtin: as file systems say that a path is absent
        raise


_fetching = [threading.Lock() for _ in range(64)]
"""Locks by path while a cache may be fetching a file: other threads would mistake the first part for the whole file."""


def _read_cached(fs: WholeFileCacheFileSystem, path: str, start: int | None, end: int | None) -> Any:
    """Read from a cache of whole files.

    Such a cache treats any failure as an absent file, and keeps the part of a file that it read before a failure.
    """
    with _fetching[hash(path) % len(_fetching)]:
        known = fs._check_file(path)
        try:
            if start is None or start >= 0:
                return fs.cat_file(path, start, end)
            with fs.open(path, "rb") as file:  # these files have no size
                file.seek(max(0, file.seek(0, os.SEEK_END) + start))
                return file.read()
        except (FileNotFoundError, KeyError) as error:
            if known:
                raise
            if isinstance(error, KeyError):  # of a ZIP file, which may not have the path
                _forget(fs, path)
            return _reader(fs.fs)(path, start, end)  # raises the actual error
        except Exception:
            if not known:
                _forget(fs, path)
            raise


def _forget(fs: WholeFileCacheFileSystem, path: str) -> None:
    stored = os.path.join(fs.storage[-1], fs._mapper(path))
    with suppress(FileNotFoundError):
        os.remove(stored)


def write_each(fs: AbstractFileSystem, items: Sequence[tuple[str, bytes]]) -> list[Any]:
    """Write values; return for each None, or the error."""
    if is_batched(fs):
        calls = [partial(fs._pipe_file, path, value) for path, value in items]
        return [reply if isinstance(reply, Exception) else None for reply in together(fs, calls)]
    return _one_by_one(partial(_write_one, fs, path, value) for path, value in items)


def _write_one(fs: AbstractFileSystem, path: str, value: bytes) -> None:
    try:
        fs.pipe_file(path, value)
    except FileNotFoundError:
        fs.makedirs(fs._parent(path), exist_ok=True)
        fs.pipe_file(path, value)


def copy_each(fs: AbstractFileSystem, pairs: Sequence[tuple[str, str]]) -> list[Any]:
    """Copy (source, target) pairs, inside the service if it can; return for each None, or the error."""
    if is_batched(fs):
        replies = together(fs, [partial(fs._cp_file, source, target) for source, target in pairs])
    else:
        for parent in {fs._parent(target) for _, target in pairs}:
            fs.makedirs(parent, exist_ok=True)
        replies = _one_by_one(partial(fs.cp_file, source, target) for source, target in pairs)
    return [reply if isinstance(reply, Exception) else None for reply in replies]


def info_of_each(fs: AbstractFileSystem, paths: Sequence[str]) -> list[Any]:
    """Return the file system's information about each path, or the error."""
    if is_batched(fs):
        return together(fs, [partial(fs._info, path) for path in paths])
    return _one_by_one(partial(fs.info, path) for path in paths)


def delete_each(fs: AbstractFileSystem, paths: Sequence[str]) -> list[Any]:
    """Delete paths; return for each None if it no longer exists, else the error."""
    if not is_batched(fs):
        answers = _one_by_one(partial(fs.rm_file, path) for path in paths)
    elif has_protocol(fs, "s3") and hasattr(fs, "_call_s3") and len(paths) > 1:
        answers = _delete_from_s3(fs, paths)
    else:
        answers = together(fs, [partial(fs._rm_file, path) for path in paths])
    return [reply if isinstance(reply, Exception) and not _says_gone(reply) else None for reply in answers]


def _says_gone(error: Exception) -> bool:
    return isinstance(error, NOT_FOUND) and not says_no_container(error)


def _delete_from_s3(fs: AbstractFileSystem, paths: Sequence[str]) -> list[Any]:
    """Delete up to 1000 keys with one request; the bulk delete of s3fs does not report keys that it did not delete."""
    bulks = [paths[first : first + BULK_DELETE] for first in range(0, len(paths), BULK_DELETE)]
    replies = together(fs, [partial(_bulk_delete, fs, bulk) for bulk in bulks])
    return [
        answer
        for bulk, reply in zip(bulks, replies, strict=True)
        for answer in ([reply] * len(bulk) if isinstance(reply, Exception) else reply)
    ]


async def _bulk_delete(fs: AbstractFileSystem, paths: Sequence[str]) -> list[Any]:
    from s3fs.errors import ERROR_CODE_TO_EXCEPTION

    keys = [fs.split_path(path)[1] for path in paths]
    wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
    reply = await fs._call_s3("delete_objects", Bucket=fs.split_path(paths[0])[0], Delete=wanted)
    failed = {error["Key"]: error for error in reply.get("Errors", ())}
    answers: list[Any] = [None] * len(paths)
    for number, key in enumerate(keys):
        if key in failed:
            code, text = failed[key].get("Code", ""), failed[key].get("Message", "")
            answers[number] = ERROR_CODE_TO_EXCEPTION.get(code, OSError)(text or code)
    return answers
