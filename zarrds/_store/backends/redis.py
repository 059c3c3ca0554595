"""A store in a Redis server: one string for each key, batches in one pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from importlib import import_module
from itertools import islice
from typing import Any

from zarrds._base.types import Buf, ByteRange, Request, Separator
from zarrds._store.absence import CLIENT_FAULTS
from zarrds._store.base import Store, StoreProfile, names_below, renamed, renaming
from zarrds._store.failure import store_failure
from zarrds._store.optional import optional_module
from zarrds._store.paths import check_key, level, normalize_path
from zarrds._store.place import Place, server_name
from zarrds._store.readers import RangeReader, WitnessReader
from zarrds._store.request import to_bytes
from zarrds._store.retry import attempts, most_attempts, report_retry
from zarrds._store.secrets import secret_values
from zarrds._store.spec import StoreSpec, freeze
from zarrds._store.wrappers import trace
from zarrds.errors import PathNotFoundError, StoreError

__all__ = ["RedisStore"]

_SCAN_COUNT = 1000
"""Number of keys in one step of a scan, and in one batch of deletions."""


_SET_IF = """
local found = redis.call('GET', KEYS[1])
if (ARGV[1] == '0' and found == false) or (ARGV[1] == '1' and found == ARGV[2]) then
  redis.call('SET', KEYS[1], ARGV[3])
  return 1
end
return 0
"""
"""Script for compare-and-set, which the server runs atomically."""


class RedisStore(Store):
    """Storage class using Redis.

    A batch of requests is one pipeline, so one round trip. Keys are listed with ``SCAN``, never with ``KEYS``, which
    would block the server; so a listing scans all keys of the database.

    Parameters
    ----------
    prefix : str, default "zarr"
        Keys of this store begin with the prefix and a colon.
    dimension_separator : {".", "/"}, optional
        Separator placed between the dimensions of a chunk.
    **kwargs
        Keyword arguments passed through to ``redis.Redis``: ``host``, ``port``, ``db``, ``password``, ...

    Raises
    ------
    ImportError
        If the package ``redis`` is missing; the extra ``redis`` installs it.

    Examples
    --------
    >>> from zarrds.storage import RedisStore
    >>> RedisStore(port=6399, password="secret")
    <zarrds.storage.RedisStore 'zarr' at localhost:6399>
    """

    __module__ = "zarrds.storage"
    client: Any
    dimension_separator: Separator | None
    can_set_if = True
    of_hierarchies_alone = True
    profile: StoreProfile = StoreProfile("network", native_batch=True, native_ranges=True, shareable=True)

    def __init__(self, prefix: str = "zarr", dimension_separator: Separator | None = None, **kwargs: Any) -> None:
        redis = optional_module("redis", "redis")
        self.client = redis.Redis(**kwargs)
        self._errors = redis.exceptions
        self._secrets = secret_values("", kwargs)
        self.prefix = prefix
        self.dimension_separator = dimension_separator
        self._kwargs = kwargs

    def _name(self, key: str) -> str:
        return f"{self.prefix}:{check_key(key)}"

    def _answer(self, what: str, key: str | None, send: Callable[[], Any]) -> Any:
        """Send commands that may be repeated; retry after a lost connection."""
        for attempt in attempts():
            try:
                return send()
            except (self._errors.RedisError, *CLIENT_FAULTS) as error:
                passing = isinstance(error, (self._errors.ConnectionError, self._errors.TimeoutError))
                lasting = isinstance(error, self._errors.AuthenticationError)
                if lasting or not passing or attempt >= most_attempts(error):
                    failed = self._failed(what, key, error, attempt)
                    raise failed from failed.__cause__
                report_retry(self, error, "a command", attempt, most_attempts(error))
        raise AssertionError("there is at least one attempt")  # builtin: never reached

    def _failed(self, what: str, key: str | None, error: Exception, attempts: int) -> StoreError:
        return store_failure(what, error, store=repr(self), key=key, attempts=attempts, secrets=self._secrets)

    # --- values ------------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        return self._get(requests, at_once=False)

    def reader(self) -> RangeReader:
        if type(self).get_many is not RedisStore.get_many:  # of a subclass that changes values
            return super().reader()
        return WitnessReader(self._get_at_once)

    def _get_at_once(self, requests: Sequence[Request]) -> list[Buf | None]:
        """Answer requests in one atomic step of the server (``MULTI``), in one round trip as usual."""
        found = self._get(requests, at_once=True)
        if trace.is_open():
            trace.record(trace.gets(requests, found))
        return found

    def _get(self, requests: Sequence[Request], *, at_once: bool) -> list[Buf | None]:
        pipe = self.client.pipeline(transaction=at_once)
        for key, byte_range in requests:
            name = self._name(key)
            if byte_range is None:
                pipe.get(name)
            else:
                # an absent key gives an empty range, so its existence must be requested as well
                pipe.exists(name)
                pipe.getrange(name, *_inclusive(byte_range))
        answers = iter(self._run("cannot read", requests[0][0], pipe) if requests else ())
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
        if items:
            self._run("cannot write", items[0][0], pipe)

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        given = (b"0", b"") if expected is None else (b"1", to_bytes(expected))
        try:
            return bool(self._impatient.eval(_SET_IF, 1, self._name(key), *given, to_bytes(value)))
        except (self._errors.RedisError, *CLIENT_FAULTS) as error:
            failed = self._failed("cannot write, or it is not known whether it was done", key, error, 1)
            raise failed from failed.__cause__

    @cached_property
    def _impatient(self) -> Any:
        """A client without retries: a repeated script could not tell its own first run from a write of others."""
        redis = optional_module("redis", "redis")
        retry = import_module("redis.retry").Retry(import_module("redis.backoff").NoBackoff(), 0)
        return redis.Redis(**{**self._kwargs, "retry": retry})

    def delete_many(self, keys: Sequence[str]) -> None:
        names = [self._name(key) for key in keys]
        for start in range(0, len(names), _SCAN_COUNT):
            batch = names[start : start + _SCAN_COUNT]
            self._answer("cannot delete", keys[start], partial(self.client.unlink, *batch))

    def _run(self, what: str, key: str, pipe: Any) -> list[Any]:
        """Return the answers to the commands of a pipeline, which forgets its commands when they are sent."""
        commands = list(pipe.command_stack)

        def send() -> Any:
            pipe.command_stack = list(commands)
            return pipe.execute()

        found: list[Any] = self._answer(what, key, send)
        return found

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        start = len(self.prefix) + 1
        pattern = _literal(f"{self.prefix}:{prefix}") + "*"
        seen: set[str] = set()  # a scan may return a key twice
        cursor = 0
        while True:
            scan = partial(self.client.scan, cursor, match=pattern, count=_SCAN_COUNT)
            cursor, names = self._answer("cannot list", prefix, scan)
            for name in names:
                key = name.decode("utf-8")[start:]
                if key not in seen:
                    seen.add(key)
                    yield key
            if cursor == 0:
                return

    def listdir(self, path: str | None = None) -> list[str]:
        prefix = level(normalize_path(path))
        return names_below(self.keys_below(prefix), prefix)

    def rmdir(self, path: str | None = None) -> None:
        keys = self.keys_below(level(normalize_path(path)))
        while batch := list(islice(keys, _SCAN_COUNT)):
            self.delete_many(batch)

    def rename(self, src_path: str, dst_path: str) -> None:
        src, dst = renaming(src_path, dst_path)
        keys = ([src] if src and src in self else []) + list(self.keys_below(level(src)))
        if not keys:
            raise PathNotFoundError("nothing to rename", path=src)
        pipe = self.client.pipeline(transaction=True)
        for key in keys:
            pipe.rename(self._name(key), self._name(renamed(key, src, dst)))
        try:
            pipe.execute()  # no retry: after a success the old keys are gone
        except self._errors.RedisError as error:
            failed = self._failed("cannot rename", src, error, 1)
            raise failed from failed.__cause__

    def getsize(self, path: str | None = None) -> int:
        path = normalize_path(path)
        if path and path in self:
            return int(self._answer("cannot measure", path, partial(self.client.strlen, self._name(path))))
        prefix = level(path)
        pipe = self.client.pipeline(transaction=False)
        for key in self.keys_below(prefix):
            if "/" not in key[len(prefix) :]:
                pipe.strlen(self._name(key))
        return int(sum(self._run("cannot measure", path, pipe)))

    def close(self) -> None:
        self.client.close()
        if "_impatient" in self.__dict__:
            self._impatient.close()

    # --- identity ----------------------------------------------------------------------------------------------------

    def spec(self) -> StoreSpec:
        options = {**self._kwargs, "dimension_separator": self.dimension_separator}
        return StoreSpec(
            RedisStore, self.prefix, tuple(sorted((name, freeze(value)) for name, value in options.items()))
        )

    def place(self, path: str = "") -> Place:
        options = self.client.connection_pool.connection_kwargs
        server = options.get("path") or f"{server_name(options.get('host') or '')}:{options.get('port', 6379)}"
        return Place(("redis", server, options.get("db") or 0, self.prefix), normalize_path(path))

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
    """Return the first and last byte for ``GETRANGE``; -1 is the end of the value."""
    start, stop = byte_range
    return start, -1 if stop is None else max(stop - 1, 0)


def _literal(text: str) -> str:
    """Return text with the special characters of Redis patterns escaped."""
    return "".join("\\" + character if character in "*?[]\\^-" else character for character in text)
