"""A store in a Redis server: one string for each key, batches in one pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from zarrds._store.base import Store, StoreProfile, names_below, renamed
from zarrds._store.optional import optional_module
from zarrds._store.paths import check_key, level, normalize_path
from zarrds._store.request import to_bytes
from zarrds._store.spec import StoreSpec, freeze
from zarrds._types import Buf, ByteRange, Request, Separator
from zarrds.errors import PathNotFoundError, StoreError

__all__ = ["RedisStore"]

_SCAN_COUNT = 1000
"""Keys that one round of a scan looks at, and that one batch deletes."""


class RedisStore(Store):
    """Storage class using Redis.

    A batch of requests is one pipeline, so one round trip. Keys are found with ``SCAN``, never with ``KEYS``, which
    would block the server; a listing therefore looks at all keys of the database.

    Parameters
    ----------
    prefix : str, default "zarr"
        Keys of this store begin with it and a colon.
    dimension_separator : {".", "/"}, optional
        Separator placed between the dimensions of a chunk.
    **kwargs
        Keyword arguments passed through to ``redis.Redis``: ``host``, ``port``, ``db``, ``password``, ...

    Raises
    ------
    ImportError
        The package ``redis`` is missing; the extra ``redis`` brings it.

    Examples
    --------
    >>> from zarrds.storage import RedisStore
    >>> RedisStore(port=6399, password="secret")
    <zarrds.storage.RedisStore 'zarr' at localhost:6399>
    """

    __module__ = "zarrds.storage"
    profile = StoreProfile("network", native_batch=True, native_ranges=True, shareable=True)

    def __init__(self, prefix: str = "zarr", dimension_separator: Separator | None = None, **kwargs: Any) -> None:
        redis = optional_module("redis", "redis")
        self.client = redis.Redis(**kwargs)
        self._error = redis.RedisError
        self.prefix = prefix
        self.dimension_separator = dimension_separator
        self._kwargs = kwargs

    def _name(self, key: str) -> str:
        return f"{self.prefix}:{check_key(key)}"

    @contextmanager
    def _reporting(self, action: str, key: str | None = None) -> Iterator[None]:
        """Errors of the client as errors of this store; what they quote of the connection is not passed on."""
        try:
            yield
        except self._error as error:
            raise StoreError(
                f"{action} failed: {type(error).__name__}", store=repr(self), key=key, found=str(error)
            ) from error

    # --- values ------------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        pipe = self.client.pipeline(transaction=False)
        for key, byte_range in requests:
            name = self._name(key)
            if byte_range is None:
                pipe.get(name)
            else:
                # an absent key gives an empty range: whether it is there must be asked as well
                pipe.exists(name)
                pipe.getrange(name, *_inclusive(byte_range))
        with self._reporting("reading", requests[0][0] if requests else None):
            answers = iter(pipe.execute() if requests else ())
        found: list[Buf | None] = []
        for _, byte_range in requests:
            if byte_range is None:
                found.append(next(answers))
            else:
                there, value = next(answers), next(answers)
                found.append((b"" if byte_range.stop == byte_range.start else value) if there else None)
        return found

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        pipe = self.client.pipeline(transaction=False)
        for key, value in items:
            pipe.set(self._name(key), to_bytes(value))
        with self._reporting("writing", items[0][0] if items else None):
            pipe.execute()

    def delete_many(self, keys: Sequence[str]) -> None:
        names = [self._name(key) for key in keys]
        with self._reporting("deleting", keys[0] if keys else None):
            for start in range(0, len(names), _SCAN_COUNT):
                self.client.unlink(*names[start : start + _SCAN_COUNT])

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        start = len(self.prefix) + 1
        seen: set[str] = set()  # a scan may give a key twice
        with self._reporting("listing"):
            for name in self.client.scan_iter(match=_literal(f"{self.prefix}:{prefix}") + "*", count=_SCAN_COUNT):
                key = name.decode("utf-8")[start:]
                if key not in seen:
                    seen.add(key)
                    yield key

    def listdir(self, path: str | None = None) -> list[str]:
        prefix = level(normalize_path(path))
        return names_below(self.keys_below(prefix), prefix)

    def rmdir(self, path: str | None = None) -> None:
        keys = self.keys_below(level(normalize_path(path)))
        while batch := list(islice(keys, _SCAN_COUNT)):
            self.delete_many(batch)

    def rename(self, src_path: str, dst_path: str) -> None:
        src, dst = normalize_path(src_path), normalize_path(dst_path)
        keys = ([src] if src and src in self else []) + list(self.keys_below(level(src)))
        if not keys:
            raise PathNotFoundError("nothing to rename", path=src)
        pipe = self.client.pipeline(transaction=True)
        for key in keys:
            pipe.rename(self._name(key), self._name(renamed(key, src, dst)))
        with self._reporting("renaming", src):
            pipe.execute()

    def getsize(self, path: str | None = None) -> int:
        path = normalize_path(path)
        if path and path in self:
            with self._reporting("measuring", path):
                return int(self.client.strlen(self._name(path)))
        prefix = level(path)
        pipe = self.client.pipeline(transaction=False)
        for key in self.keys_below(prefix):
            if "/" not in key[len(prefix) :]:
                pipe.strlen(self._name(key))
        with self._reporting("measuring", path):
            return int(sum(pipe.execute()))

    def close(self) -> None:
        self.client.close()

    # --- identity ----------------------------------------------------------------------------------------------------

    def spec(self) -> StoreSpec:
        options = {**self._kwargs, "dimension_separator": self.dimension_separator}
        return StoreSpec(
            RedisStore, self.prefix, tuple(sorted((name, freeze(value)) for name, value in options.items()))
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RedisStore) and self.spec() == other.spec()

    __hash__ = None

    def __repr__(self) -> str:
        place = self._kwargs.get("unix_socket_path") or (
            f"{self._kwargs.get('host', 'localhost')}:{self._kwargs.get('port', 6379)}"
        )
        return f"<zarrds.storage.RedisStore {self.prefix!r} at {place}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.prefix, self.dimension_separator, self._kwargs)


def _rebuild(prefix: str, dimension_separator: Separator | None, kwargs: dict[str, Any]) -> RedisStore:
    return RedisStore(prefix, dimension_separator, **kwargs)


def _inclusive(byte_range: ByteRange) -> tuple[int, int]:
    """First and last byte, as ``GETRANGE`` wants them; -1 is the end of the value."""
    start, stop = byte_range
    return start, -1 if stop is None else max(stop - 1, 0)


def _literal(text: str) -> str:
    """Text with the characters escaped that a pattern of Redis would expand."""
    return "".join("\\" + character if character in "*?[]\\^-" else character for character in text)
