"""The reading half of `FSStore`: read values and ranges in batches, and interpret the answers of services."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from fsspec import AbstractFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from zarrds._base.config import DEFAULT_GAP_BYTES, get_config
from zarrds._base.types import Buf, ByteRange, Request
from zarrds._store.absence import says_no_container
from zarrds._store.backends import filesystem, tags
from zarrds._store.backends.conditions import obeys_conditions
from zarrds._store.backends.direct import DirectClient, direct_client, say_fsspec
from zarrds._store.backends.direct_errors import UnservableError
from zarrds._store.backends.direct_places import DirectPlace
from zarrds._store.backends.directory import DirectoryStore
from zarrds._store.backends.filesystem import NOT_FOUND
from zarrds._store.backends.obstore_use import is_usable
from zarrds._store.backends.s3 import is_amazon, s3_place, service_of, takes
from zarrds._store.base import Store
from zarrds._store.failure import store_failure
from zarrds._store.paths import check_key
from zarrds._store.readers import RangeReader, Tagged, TaggedReader, VersionReader
from zarrds._store.request import coalesce, cut, range_bounds, split_answers
from zarrds._store.retry import answered, http_status, may_be_beyond
from zarrds._store.secrets import secret_values
from zarrds._store.wrappers import trace
from zarrds.errors import ShortReadError, StoreError

__all__ = ["FSReading"]

_MOST_ASKED = 16
"""Values of a web server that are asked about until one says whether the server obeys ranges."""


class FSReading(Store):
    """Reading methods of `FSStore`, which provides the file system."""

    _batches_below = True
    url: str
    mode: str
    normalize_keys: bool
    _direct_place: DirectPlace | None
    _values_directly = True  # until there is a key that obstore cannot use, or an answer that it cannot read
    _fs: AbstractFileSystem
    _local: DirectoryStore | None
    _has_urls: bool
    _missing: tuple[type[Exception], ...]
    _options: dict[str, Any]
    _root: str
    _sends_tags: bool
    _tags_directly: bool
    _serves_ranges: bool | None

    @property
    def fs(self) -> AbstractFileSystem:
        """The file system."""
        raise NotImplementedError  # builtin: an abstract method

    def _direct(self) -> DirectClient | None:
        """Return the client of obstore, if there is one; a forked child has none."""
        return direct_client(self._direct_place) if self._direct_place is not None and is_usable() else None

    def _ask_directly(self, ask: Callable[[DirectClient], list[Any]]) -> list[Any] | None:
        """Return what the client of obstore answers; None if there is none, or if it cannot do what is asked."""
        direct = self._direct() if self._values_directly else None
        if direct is None:
            return None
        replies = ask(direct)
        refused = next((reply for reply in replies if isinstance(reply, UnservableError)), None)
        if refused is None or get_config().transport == "obstore":
            return replies
        self._values_directly = False  # so it will be with the next values
        say_fsspec(self.url, str(refused))
        return None

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        if self.normalize_keys:
            requests = [(key.lower(), byte_range) for key, byte_range in requests]
        if self._local is not None and self._missing == NOT_FOUND:
            return self._local.get_many(requests)
        if self.profile.kind != "network" or all(byte_range is None for _, byte_range in requests):
            return self._fetch(requests)
        if not self._obeys_ranges(requests):
            merged = coalesce([(key, None) for key, _ in requests], max_gap_bytes=0)
            whole = split_answers(merged, self._fetch(merged.requests))
            return [
                None if value is None else cut(value, part) for (_, part), value in zip(requests, whole, strict=True)
            ]
        merged = coalesce(requests, max_gap_bytes=self._gap())
        return split_answers(merged, self._fetch(merged.requests))

    def gap_bytes(self) -> int | None:
        """Return what was measured through obstore, if the configuration has its default."""
        direct = self._direct()
        return None if direct is None or get_config().max_gap_bytes != DEFAULT_GAP_BYTES else direct.gap_bytes()

    def _gap(self) -> int:
        measured = self.gap_bytes()
        return get_config().max_gap_bytes if measured is None else measured

    def _obeys_ranges(self, requests: Sequence[Request]) -> bool:
        """Return whether the server answers these requests with what they ask for, and no more."""
        parts = list(dict.fromkeys(key for key, byte_range in requests if byte_range is not None))
        if not parts:
            return True
        for keys in (parts[:1], parts[1:_MOST_ASKED]):  # the first value may be absent
            if self._serves_ranges is None and keys:
                found, _ = answered(keys, self._ask_for_ranges, where=self)
                self._serves_ranges = next((answer for answer in found if isinstance(answer, bool)), None)
        return bool(self._serves_ranges)

    def _ask_for_ranges(self, keys: Sequence[str]) -> list[Any]:
        if trace.is_open():
            trace.record([trace.Entry("head", key, 0) for key in keys])
        return tags.asked_for_ranges(self.fs, [self._place(key) for key in keys])

    def _fetch(self, requests: Sequence[Request]) -> list[Buf | None]:
        if not requests:
            return []
        answers, attempts = answered(requests, self._read, where=self)
        self._raise_first("cannot read", [key for key, _ in requests], answers, attempts)
        return answers

    def _read(self, requests: Sequence[Request]) -> list[Buf | Exception | None]:
        paths = [self._place(key) for key, _ in requests]
        ends = [filesystem.limits(byte_range) for _, byte_range in requests]
        replies = self._ask_directly(lambda direct: direct.read_each(paths, ends))
        if replies is None:
            replies = filesystem.read_each(self.fs, paths, ends)
        if trace.is_open():
            trace.record(trace.gets(requests, replies))
        return [self._judged(request, reply) for request, reply in zip(requests, replies, strict=True)]

    def reader(self) -> RangeReader:
        """Return a reader that compares ETags if the service sends them; for local files, one that keeps them open."""
        if type(self).get_many is not FSReading.get_many:
            return VersionReader(self)
        if self._local is not None and self._missing == NOT_FOUND:
            return self._local.reader()
        if not self._sends_tags:
            return VersionReader(self)
        return TaggedReader(self._fetch_tagged, self._note_untagged)

    def _note_untagged(self) -> None:
        self._sends_tags = False

    def _fetch_tagged(self, requests: Sequence[Request]) -> list[Tagged]:
        """Return answers with the ETags of their values, with as few requests as `get_many` sends."""
        if self.normalize_keys:
            requests = [(key.lower(), byte_range) for key, byte_range in requests]
        whole = not self._obeys_ranges(requests)
        if whole:
            self._sends_tags = False  # whole values need no tag
        asked = [(key, None) for key, _ in requests] if whole else requests
        merged = coalesce(asked, max_gap_bytes=self._gap())
        found, attempts = answered(merged.requests, self._read_tagged, where=self)
        self._raise_first("cannot read", [key for key, _ in merged.requests], found, attempts)
        answers = split_answers(merged, [value for value, _ in found])
        return [
            (value if value is None or not whole else cut(value, part), found[number][1])
            for (_, part), value, (number, _) in zip(requests, answers, merged.places, strict=True)
        ]

    def _read_tagged(self, requests: Sequence[Request]) -> list[Tagged | Exception]:
        paths = [self._place(key) for key, _ in requests]
        parts = [byte_range for _, byte_range in requests]
        replies = self._ask_directly(lambda direct: direct.read_tagged(paths, parts)) if self._tags_directly else None
        if replies is not None and self._has_urls and any(_is_untagged(reply) for reply in replies):
            self._tags_directly, replies = False, None  # fsspec shows all headers, which may have a time instead
        if replies is None:
            replies = tags.read_tagged(self.fs, paths, parts)
        values = [reply if isinstance(reply, Exception) else reply[0] for reply in replies]
        if trace.is_open():
            trace.record(trace.gets(requests, values))
        judged = [self._judged(request, value) for request, value in zip(requests, values, strict=True)]
        tagged = [None if isinstance(reply, Exception) else reply[1] for reply in replies]
        return [
            value if isinstance(value, Exception) else (value, tag) for value, tag in zip(judged, tagged, strict=True)
        ]

    def _judged(self, request: Request, reply: Any) -> Buf | Exception | None:
        """Interpret a reply: return a value, None for an absent key, or an error."""
        key, byte_range = request
        if isinstance(reply, Exception):
            if self._means_absent(reply):
                return None
            is_beyond = byte_range is not None and may_be_beyond(reply) and self._starts_beyond(key, byte_range)
            return b"" if is_beyond else reply
        if reply is None:
            return StoreError("the file system answered with None", expected="bytes, or an error", found="None")
        if byte_range is None:
            return reply  # type: ignore[no-any-return]
        value = filesystem.trim(reply, byte_range)
        if self.profile.kind == "network" and filesystem.may_be_short(len(value), byte_range):
            size = (self._info(key) or {}).get("size")
            first, last = (0, len(value)) if size is None else range_bounds(byte_range, size)
            if len(value) < last - first:
                return ShortReadError("short read", expected=f"{last - first} bytes", found=f"{len(value)} bytes")
        return value

    def _means_absent(self, error: Exception) -> bool:
        if says_no_container(error):
            return False
        if isinstance(error, self._missing):
            return True
        status = http_status(error)
        return status in (404, 410) or (status in (401, 403) and PermissionError in self._missing)

    def _starts_beyond(self, key: str, byte_range: ByteRange) -> bool:
        """Return whether a range starts after the end of its value; services refuse such ranges."""
        info = self._info(key) or {}
        size = info.get("size") if info.get("type") == "file" else None
        return size is not None and (size == 0 or byte_range.start >= size)

    def _info(self, key: str) -> dict[str, Any] | None:
        """Return the current information of the file system about a key; None if it has none."""
        (found,), _ = answered([key], self._heads, where=self)
        return None if isinstance(found, Exception) else found

    def _heads(self, keys: Sequence[str]) -> list[Any]:
        place = self._place(keys[0])
        if trace.is_open():
            trace.record([trace.Entry("head", keys[0], 0)])
        try:
            self.fs.invalidate_cache(place.rpartition("/")[0])
            found: dict[str, Any] = self.fs.info(place)
            return [{**found, "size": filesystem.size_of(self.fs, found)}]
        except Exception as error:
            return [error]

    def states(self, keys: Sequence[str]) -> list[tuple[int, str | None] | None]:
        """Return size and ETag of values, by one request for each; None for an absent key, size -1 if it is unknown."""
        keys = [key.lower() for key in keys] if self.normalize_keys else list(keys)
        answers, attempts = answered(keys, self._ask_states, where=self)
        self._raise_first("cannot ask for the size of", keys, answers, attempts)
        return answers

    def _ask_states(self, keys: Sequence[str]) -> list[Any]:
        if trace.is_open():
            trace.record([trace.Entry("head", key, 0) for key in keys])
        for parent in {self._place(key).rpartition("/")[0] for key in keys}:
            self.fs.invalidate_cache(parent)
        replies = filesystem.info_of_each(self.fs, [self._place(key) for key in keys])
        return [self._state_in(reply) for reply in replies]

    def _state_in(self, reply: Any) -> Any:
        """Return size and ETag from the reply for a value, None if there is no value, else the error."""
        if isinstance(reply, Exception):
            return None if self._means_absent(reply) else reply
        if reply.get("type") == "directory":
            return None
        size = filesystem.size_of(self.fs, reply)
        return -1 if size is None else size, reply.get("ETag")

    def _place(self, key: str) -> str:
        return self._root + (quote(check_key(key)) if self._has_urls else check_key(key))

    def version(self, key: str) -> object:
        """Return the version of a local or in-memory file; None for services, which send it only with answers."""
        if self._local is not None:
            return self._local.version(key)
        fs = self.fs
        return fs.store.get(self._place(key)) if type(fs) is MemoryFileSystem else None

    @property
    def can_set_if(self) -> bool:  # type: ignore[override]  # it is for reading only here
        """Whether the store supports `set_if`; the first time, a service of S3 is asked."""
        place = s3_place(self.fs, self._root)
        if place is None or self.mode == "r":
            in_process = self._local is not None or type(self.fs) is MemoryFileSystem
            return place is not None or in_process or self._comparing() is not None
        fs, root = place
        return obeys_conditions(
            service_of(fs, root),
            repr(self),
            lambda key, tag: self._is_taken(fs, root + key, tag),
            lambda key: self.delete_many([key]),
            lambda: is_amazon(fs),
        )

    def _comparing(self) -> DirectClient | None:
        """Return the client of obstore if it sets values under conditions."""
        return self._direct() if self._direct_place is not None and self._direct_place.compares else None

    def _is_taken(self, fs: AbstractFileSystem, path: str, tag: str | None) -> bool:
        """Return whether a service of S3 sets an empty object that must have a tag, or must be absent."""
        taken, attempts = takes(fs, path, tag)
        self._raise_first("cannot write", [path.rpartition("/")[2]], [taken], attempts)
        return bool(taken)

    def _write(self, items: Sequence[tuple[str, bytes]]) -> list[Any]:
        """Write values; return for each None, or the error."""
        if trace.is_open():
            trace.record([trace.Entry("set", key, len(value)) for key, value in items])
        places = [(self._root + key, value) for key, value in items]
        replies = None if self._has_urls else self._ask_directly(lambda direct: direct.write_each(places))
        return filesystem.write_each(self.fs, places) if replies is None else replies

    # --- failures ----------------------------------------------------------------------------------------------------

    def _raise_first(self, what: str, keys: Sequence[str], answers: Sequence[Any], attempts: int) -> None:
        for key, answer in zip(keys, answers, strict=True):
            if isinstance(answer, Exception):
                raise self._failed(what, key, answer, attempts)

    def _failed(self, what: str, key: str | None, error: Exception, attempts: int = 1) -> StoreError:
        secrets = secret_values(self.url, {**self._options, "fs": self._fs})
        return store_failure(what, error, store=repr(self), key=key, attempts=attempts, secrets=secrets)


def _is_untagged(reply: Any) -> bool:
    """Return whether a reply is a value without a tag."""
    return not isinstance(reply, Exception) and reply[1] is None
