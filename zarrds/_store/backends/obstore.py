"""Any object of the obstore package as a store: S3, Google, Azure, HTTP, local folders, memory.

obstore repeats requests with transient failures itself (``retry_config`` of its stores); only truncated answers are
requested again here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from types import ModuleType
from typing import Any

from zarrds._base.config import get_config
from zarrds._base.types import Buf, ByteRange, Request
from zarrds._store.absence import says_no_container
from zarrds._store.backends.conditions import is_of_amazon, obeys_conditions
from zarrds._store.backends.directory import DirectoryStore
from zarrds._store.backends.filesystem import gathered_by
from zarrds._store.backends.obstore_use import is_usable, note_use, waited_for
from zarrds._store.backends.writers import MARK, has_written, marked, new_token
from zarrds._store.base import Store, StoreProfile, renamed, renaming
from zarrds._store.failure import store_failure
from zarrds._store.fsplace import place_in_obstore
from zarrds._store.live import LiveData, live_data
from zarrds._store.optional import optional_module
from zarrds._store.paths import check_key, level, normalize_path
from zarrds._store.place import Place
from zarrds._store.readers import RangeReader, Tagged, TaggedReader
from zarrds._store.request import buffer_size, coalesce, same_bytes, split_answers, to_bytes
from zarrds._store.retry import answered
from zarrds._store.secrets import secret_values
from zarrds._store.spec import StoreSpec, live_spec, make_spec
from zarrds._store.unlisted import unlistable
from zarrds._store.wrappers import trace
from zarrds.errors import PathNotFoundError, StoreError

__all__ = ["ObstoreStore", "from_obstore", "is_obstore"]

_NO_FILE = ("Not a directory (os error 20)", "Is a directory (os error 21)")
_IN_MEMORY, _LOCAL = "MemoryStore", "LocalStore"


def is_obstore(value: object) -> bool:
    """Return whether `value` is an obstore object, without importing obstore."""
    return any(cls.__module__.partition(".")[0] == "obstore" for cls in type(value).__mro__) and hasattr(value, "get")


def from_obstore(store: Any) -> Store:
    """Return the store for an obstore object; a `DirectoryStore` for a folder on disk, as this works after a fork."""
    if type(store).__name__ == _LOCAL and store.prefix:
        return DirectoryStore(str(store.prefix))
    return ObstoreStore(store)


class ObstoreStore(Store):
    """A store object of the package ``obstore``; needs the extra ``obstore``.

    Such objects are accepted wherever a store is, so this class is seldom needed directly.

    Parameters
    ----------
    store : obstore.store.ObjectStore
        S3Store, GCSStore, AzureStore, HTTPStore, LocalStore or MemoryStore; its prefix is the root of this store.

    Notes
    -----
    obstore does not work in a forked process: if it was used before the fork, the child gets a `StoreError`. Start
    processes with "spawn". Folders on disk (LocalStore) become a `DirectoryStore` when they are passed as a store.

    Examples
    --------
    >>> import zarrds
    >>> from obstore.store import MemoryStore
    >>> store = MemoryStore()
    >>> z = zarrds.open_array(store, mode="w", shape=4, dtype="i4")
    >>> zarrds.open_array(store, mode="r")[:].tolist()
    [0, 0, 0, 0]
    """

    __module__ = "zarrds.storage"
    profile: StoreProfile
    reports_requests = True

    def __init__(self, store: Any) -> None:
        self._obs = optional_module("obstore", "obstore")
        self.store = store
        self._token: str | None = None
        self.live: LiveData = live_data(store)
        kind = type(store).__name__
        self._kind = kind
        if kind in (_IN_MEMORY, _LOCAL):
            where = "memory" if kind == _IN_MEMORY else "disk"
            self.profile = StoreProfile(where, native_ranges=True, shareable=kind == _LOCAL)  # type: ignore[arg-type]
        else:
            self.profile = StoreProfile("network", native_batch=True, native_ranges=True, shareable=True)

    # --- requests ----------------------------------------------------------------------------------------------------

    def _client(self) -> ModuleType:
        """Return the obstore package; raise StoreError in a forked child, where it would hang without its threads."""
        if self.profile.kind != "memory" and not is_usable():
            raise StoreError(
                "obstore cannot be used in a forked process",
                store=repr(self),
                hint='start processes with "spawn", or use a URL with fsspec',
            )
        note_use()
        return self._obs

    def _each(self, name: str, arguments: Sequence[tuple[Any, ...]], options: Sequence[dict[str, Any]]) -> list[Any]:
        """Call an obstore function several times; return each answer or error. Calls to a network run in parallel."""
        client = self._client()
        pairs = list(zip(arguments, options, strict=True))
        if self.profile.native_batch and len(pairs) > 1:
            function = getattr(client, f"{name}_async")
            calls: list[Callable[[], Awaitable[Any]]] = [partial(function, self.store, *a, **o) for a, o in pairs]
            return gathered_by(waited_for, calls)
        function = getattr(client, name)
        answers = []
        for a, o in pairs:
            try:
                answers.append(function(self.store, *a, **o))
            except Exception as error:
                answers.append(error)
        return answers

    def _raise_first(self, what: str, keys: Sequence[str], answers: Sequence[Any], attempts: int = 1) -> None:
        for key, answer in zip(keys, answers, strict=True):
            if isinstance(answer, Exception):
                first_line = type(answer)(str(answer).partition("\n")[0])
                secrets = secret_values("", {"config": getattr(self.store, "config", {})})
                raise store_failure(what, first_line, store=repr(self), key=key, attempts=attempts, secrets=secrets)

    # --- reading -----------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        if all(byte_range is None for _, byte_range in requests):
            return self._fetch(requests)
        merged = coalesce(requests, max_gap_bytes=get_config().max_gap_bytes)
        return split_answers(merged, self._fetch(merged.requests))

    def reader(self) -> RangeReader:
        """Return a reader that compares ETags."""
        if type(self).get_many is not ObstoreStore.get_many:  # of a subclass that changes values
            return super().reader()
        if type(self.store).__name__ == _LOCAL:  # where the ETag is only made of time and size
            return self._directory().reader()
        return TaggedReader(self._fetch_tagged)

    def _directory(self) -> DirectoryStore:
        return DirectoryStore(str(self.store.prefix or "/"))

    def _fetch_tagged(self, requests: Sequence[Request]) -> list[Tagged]:
        tags: list[str | None] = []
        merged = coalesce(requests, max_gap_bytes=get_config().max_gap_bytes)
        values = split_answers(merged, self._fetch(merged.requests, tags))
        return [(value, tags[number]) for value, (number, _) in zip(values, merged.places, strict=True)]

    def _fetch(self, requests: Sequence[Request], tags: list[str | None] | None = None) -> list[Buf | None]:
        found, attempts = answered(requests, self._read, _came_in_part, where=self)
        answers: list[Any] = [reply if isinstance(reply, Exception) else reply[0] for reply in found]
        if tags is not None:
            tags += [None if isinstance(reply, Exception) else reply[1] for reply in found]
        self._raise_first("cannot read", [key for key, _ in requests], answers, attempts)
        return answers

    def _read(self, requests: Sequence[Request]) -> list[Tagged | Exception]:
        keys = [(check_key(key),) for key, _ in requests]
        replies = self._each("get", keys, [_options(byte_range) for _, byte_range in requests])
        tags = [None if isinstance(reply, Exception) else reply.meta["e_tag"] for reply in replies]
        if self.profile.native_batch and len(requests) > 1:
            calls = [partial(_body, reply) for reply in replies if not isinstance(reply, Exception)]
            values = iter(gathered_by(waited_for, calls))
            replies = [reply if isinstance(reply, Exception) else next(values) for reply in replies]
        else:
            replies = [_value(reply) for reply in replies]
        answers = [self._judged(request, reply) for request, reply in zip(requests, replies, strict=True)]
        if trace.is_open():
            trace.record(trace.gets(requests, answers))
        return [a if isinstance(a, Exception) else (a, tag) for a, tag in zip(answers, tags, strict=True)]

    def _judged(self, request: Request, reply: Any) -> Any:
        key, byte_range = request
        if isinstance(reply, Exception):
            if _means_absent(reply):
                return None
            return b"" if byte_range is not None and self._starts_beyond(key, byte_range) else reply
        if byte_range is not None and byte_range.stop is not None and byte_range.stop <= byte_range.start:
            return b""
        return reply

    def _starts_beyond(self, key: str, byte_range: ByteRange) -> bool:
        try:
            size: int = self._client().head(self.store, key)["size"]
        except Exception:
            return False
        return size == 0 or byte_range.start >= size

    # --- writing -----------------------------------------------------------------------------------------------------

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        values = [(check_key(key), to_bytes(value)) for key, value in items]
        if trace.is_open():
            trace.record([trace.Entry("set", key, len(value)) for key, value in values])
        answers = self._each("put", values, [{"use_multipart": False}] * len(values))
        self.live.changed()
        self._raise_first("cannot write", [key for key, _ in values], answers)

    @property
    def can_set_if(self) -> bool:  # type: ignore[override]  # it is for reading only here
        """Whether the store supports `set_if`; the first time, a service of S3 is asked."""
        if self._kind != "S3Store":
            return self._kind != "HTTPStore"
        config = self.store.config
        endpoint = config.get("endpoint")
        place = f"obstore {endpoint} {config.get('region')} {config.get('bucket')}"
        return obeys_conditions(
            place, repr(self), self._is_taken, lambda key: self.delete_many([key]), lambda: is_of_amazon(endpoint)
        )

    def _is_taken(self, key: str, tag: str | None) -> bool:
        """Return whether the service sets an empty object that must have a tag, or must be absent."""
        mode = "create" if tag is None else {"e_tag": tag}
        (taken,), attempts = answered(
            [key], lambda keys: [self._attempt_empty(keys[0], mode)], _came_in_part, where=self
        )
        self._raise_first("cannot write", [key], [taken], attempts)
        return bool(taken)

    def _attempt_empty(self, key: str, mode: Any) -> Any:
        errors = optional_module("obstore.exceptions", "obstore")
        try:
            return self._put_if(key, b"", mode, new_token())
        except (errors.PermissionDeniedError, errors.UnauthenticatedError):
            return False  # so services answer too where the object is absent and the user may not list
        except errors.NotSupportedError:
            return True
        except Exception as error:
            return error

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        if not self.can_set_if:
            return super().set_if(key, value, expected)
        if type(self.store).__name__ == _LOCAL:
            return self._directory().set_if(key, value, expected)
        key, token = check_key(key), new_token()
        if trace.is_open():
            trace.record([trace.Entry("get", key, 0), trace.Entry("set", key, buffer_size(value))])
        try:
            found, version, mark = self._current(key)
            if not same_bytes(found, expected):
                return False
            done = self._put_if(key, to_bytes(value), version or "create", marked(token, mark))
            self.live.changed()
            # obstore repeats a request without a reply: the first attempt may have succeeded
            return done or has_written(token, self._current(key)[2])
        except Exception as error:
            self._raise_first("cannot write", [key], [error])
            raise

    def _put_if(self, key: str, value: bytes, mode: Any, mark: str) -> bool:
        errors = optional_module("obstore.exceptions", "obstore")
        attributes = {MARK: mark}
        try:
            self._client().put(self.store, key, value, mode=mode, attributes=attributes, use_multipart=False)
        except (errors.AlreadyExistsError, errors.PreconditionError):
            return False
        except FileNotFoundError as error:
            if mode == "create" or says_no_container(error):
                raise
            return False
        return True

    def _current(self, key: str) -> tuple[Buf | None, dict[str, str] | None, str | None]:
        """Return value, version and mark of an object; three times None if it is absent."""

        def send(keys: Sequence[str]) -> list[Any]:
            try:
                reply = self._client().get(self.store, keys[0])
                return [(memoryview(reply.bytes()), reply.meta, reply.attributes.get(MARK))]
            except Exception as error:
                return [(None, {}, None) if _means_absent(error) else error]

        (found,), _ = answered([key], send, _came_in_part, where=self)
        if isinstance(found, Exception):
            raise found
        value, meta, mark = found
        return value, {name: meta[name] for name in ("e_tag", "version") if meta.get(name)}, mark

    def delete_many(self, keys: Sequence[str]) -> None:
        keys = [check_key(key) for key in keys]
        if not keys:
            return
        if trace.is_open():
            trace.record([trace.Entry("delete", key, 0) for key in keys])
        try:
            self._client().delete(self.store, keys)
            self.live.changed()
        except Exception:  # one of them may be absent: request each one
            answers = self._each("delete", [([key],) for key in keys], [{}] * len(keys))
            self.live.changed()
            answers = [None if isinstance(a, Exception) and _means_absent(a) else a for a in answers]
            self._raise_first("cannot delete", keys, answers)

    def rename(self, src_path: str, dst_path: str) -> None:
        src, dst = renaming(src_path, dst_path)
        keys = ([src] if src and src in self else []) + list(self.keys_below(level(src)))
        if not keys:
            raise PathNotFoundError("nothing to rename", path=src)
        self.copy_many([(key, renamed(key, src, dst)) for key in keys])
        self.delete_many(keys)

    def renames_in_one_step(self) -> bool:
        return False

    def copy_many(self, pairs: Sequence[tuple[str, str]]) -> None:
        keys = [key for key, _ in pairs]
        if trace.is_open():
            trace.record([trace.Entry("rename", key, 0) for key in keys])
        answers = self._each("copy", list(pairs), [{}] * len(pairs))
        self.live.changed()
        self._raise_first("cannot copy", keys, answers)

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        path = normalize_path(prefix)
        if trace.is_open():
            trace.record([trace.Entry("list", path, 0)])
        found: list[str] = []
        while True:
            before = len(found)
            (failed,), attempts = answered([(path, found)], self._list_on, _came_in_part, where=self)
            if failed is None:
                break
            if len(found) == before or not _came_in_part(failed):
                self._raise_unlistable(path, failed)
                self._raise_first("cannot list", [path], [failed], attempts)
        return iter([key for key in found if key.startswith(level(path))])

    def _list_on(self, asked: Sequence[tuple[str, list[str]]]) -> list[Exception | None]:
        """Add the keys below a path to those that are known already, behind which the listing begins."""
        path, found = asked[0]
        try:
            for chunk in self._client().list(
                self.store, path or None, offset=found[-1] if found else None, chunk_size=1000
            ):
                found += [entry["path"] for entry in chunk]
        except Exception as error:
            return [error]
        return [None]

    def _level(self, path: str) -> Any:
        if trace.is_open():
            trace.record([trace.Entry("list", path, 0)])

        def send(paths: Sequence[str]) -> list[Any]:
            try:
                return [self._client().list_with_delimiter(self.store, paths[0] or None)]
            except Exception as error:
                return [{"common_prefixes": [], "objects": []} if _means_absent(error) else error]

        (found,), attempts = answered([path], send, _came_in_part, where=self)
        if isinstance(found, Exception):
            self._raise_unlistable(path, found)
            self._raise_first("cannot list", [path], [found], attempts)
        return found

    def _raise_unlistable(self, path: str, error: Exception) -> None:
        """Raise NotListableError if a web server does not support listings, which use WebDAV."""
        if type(self.store).__name__ == "HTTPStore" and "PROPFIND" in str(error) and "non-2xx" in str(error):
            raise unlistable(self, path) from None

    def listdir(self, path: str | None = None) -> list[str]:
        path = normalize_path(path)
        found, start = self._level(path), len(level(path))
        names = [*found["common_prefixes"], *(entry["path"] for entry in found["objects"])]
        return sorted({name[start:] for name in names if len(name) > start})

    def getsize(self, path: str | None = None) -> int:
        path = normalize_path(path)
        if path:
            try:
                return int(self._client().head(self.store, path)["size"])
            except Exception as error:
                if not _means_absent(error):
                    self._raise_first("cannot read", [path], [error])
        return sum(entry["size"] for entry in self._level(path)["objects"])

    # --- identity ----------------------------------------------------------------------------------------------------

    def spec(self) -> StoreSpec:
        if not self.profile.shareable:
            self._token, spec = live_spec(self, self._token)
            return spec
        return make_spec(obstore_object, repr(self.store), store=self.store)

    def place(self, path: str = "") -> Place:
        return place_in_obstore(self.store, normalize_path(path))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObstoreStore) and (self.store is other.store or bool(self.store == other.store))

    __hash__ = None

    def __repr__(self) -> str:
        return f"<zarrds.storage.ObstoreStore over {self.store!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return ObstoreStore, (self.store,)


def obstore_object(location: str, *, store: Any) -> ObstoreStore:
    """Open a spec: the obstore object is pickled in it; `location` is only for its repr."""
    return ObstoreStore(store)


def _options(byte_range: ByteRange | None) -> dict[str, Any]:
    """Return the options of a get; one byte for an empty range, which cannot be requested."""
    if byte_range is None:
        return {}
    start, stop = byte_range
    if start < 0:
        return {"options": {"range": {"suffix": -start}}}
    if stop is None:
        return {"options": {"range": {"offset": start}}}
    return {"options": {"range": (start, max(stop, start + 1))}}


def _value(reply: Any) -> Any:
    if isinstance(reply, Exception):
        return reply
    try:
        return memoryview(reply.bytes())
    except Exception as error:
        return _lost(error)


async def _body(reply: Any) -> memoryview:
    try:
        return memoryview(await reply.bytes_async())
    except Exception as error:
        raise _lost(error) from error


class _LostBodyError(ConnectionError):
    """The value came in part only."""


def _lost(error: Exception) -> _LostBodyError:
    return _LostBodyError(str(error).partition("\n")[0])


def _came_in_part(error: Exception) -> bool:
    """Whether the connection was lost within an answer, which obstore does not repeat as it does other failures."""
    return isinstance(error, _LostBodyError) or "response body error" in str(error)


def _means_absent(error: Exception) -> bool:
    """Return whether an error means an absent key; folders on disk have own errors if a path is a file or a folder."""
    is_missing = isinstance(error, FileNotFoundError) or any(words in str(error) for words in _NO_FILE)
    return is_missing and not says_no_container(error)
