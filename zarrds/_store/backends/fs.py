"""Stores on fsspec file systems: object stores, archives, caches, anything with a URL.

The requests of a batch are sent together. Only a definite "not found" means absent: all other failures (denied, timed
out, connection lost) raise, since an absent chunk silently reads as fill value.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote, unquote

from fsspec import AbstractFileSystem, FSMap
from fsspec.implementations.memory import MemoryFileSystem

from zarrds._base.types import Buf, Separator
from zarrds._store.backends import filesystem, tags
from zarrds._store.backends.direct import translated
from zarrds._store.backends.directory import DirectoryStore
from zarrds._store.backends.filesystem import NOT_FOUND
from zarrds._store.backends.fs_listing import entries_at
from zarrds._store.backends.fs_reading import FSReading
from zarrds._store.backends.locked import LockedDocument
from zarrds._store.backends.s3 import s3_place, set_object_if
from zarrds._store.backends.s3_client import sending_once
from zarrds._store.base import Staging, Store, StoreProfile, is_unchanged, renamed, renaming
from zarrds._store.elsewhere import StoreElsewhere
from zarrds._store.exclusive import locked_object
from zarrds._store.fsplace import place_in_fs
from zarrds._store.live import LiveData
from zarrds._store.paths import as_path, check_key, level, normalize_path, redact_url, without_short_addresses
from zarrds._store.place import Place
from zarrds._store.request import buffer_size, same_bytes, to_bytes
from zarrds._store.retry import answered, http_status
from zarrds._store.spec import LiveSpec, StoreSpec, live_spec, make_spec
from zarrds._store.unlisted import nearest_node, refuse_unlisted, unlistable
from zarrds._store.wrappers import trace
from zarrds.errors import ArgumentError, NotListableError, PathNotFoundError, ReadOnlyError, StoreAccessError

__all__ = ["FSStore"]

_DEFAULT_EXCEPTIONS = (KeyError, PermissionError, OSError)
_MODES = ("r", "r+", "a", "w", "w-", "x")


class FSStore(FSReading):
    """A store at a URL that fsspec can open.

    Parameters
    ----------
    url : str or os.PathLike
        Protocol and path, such as ``s3://bucket/root``; with `fs`, a path within that file system.
    normalize_keys : bool, default False
        Whether keys are converted to lower case.
    key_separator : {".", "/"}, optional
        Older name of `dimension_separator`.
    mode : str, default "w"
        "r" refuses writes; the other modes of files ("w", "a", "r+", "w-", "x") are all the same here.
    exceptions : tuple of exception classes
        Exceptions that mean an absent key. The default, unlike in Zarr-Python, includes only "not found" errors; other
        tuples are used as they are.
    dimension_separator : {".", "/"}, optional
        Separator of chunk keys in arrays created here.
    fs : fsspec.AbstractFileSystem, optional
        An existing file system to use.
    check : bool, default False
        Whether to test that the root exists and is writable.
    create : bool, default False
        Whether to create the root directory.
    missing_exceptions : tuple of exception classes, optional
        Exceptions that mean an absent key, in addition to "not found" errors.
    **storage_options
        Options of the file system; not allowed with `fs`. For chained URLs by protocol: ``s3={...}``.

    Notes
    -----
    Requests with transient failures (lost connections, time-outs, throttling, short reads) are repeated, with growing
    pauses, as often as ``attempts`` of `zarrds.get_config` says. A final failure raises a `zarrds.errors.StoreError`,
    which is also a `PermissionError`, `ConnectionError` or `TimeoutError` if its cause was one.

    Values are compared and set in one step (`can_set_if`) on S3, local files, ``memory://`` and, where obstore carries
    the values (``transport`` of `zarrds.get_config`), on Google Cloud Storage and Azure. On other file systems let one
    writer at a time append to an array or change attributes, or use a synchronizer.

    Examples
    --------
    >>> from zarrds.storage import FSStore
    >>> store = FSStore("memory://doc/fsstore")
    >>> store.setitems({"foo/.zarray": b"{}", "foo/0.0": b"abc"})
    >>> store.listdir("foo"), store.getitems(["foo/0.0", "foo/0.1"])
    (['.zarray', '0.0'], {'foo/0.0': b'abc'})
    """

    __module__ = "zarrds.storage"
    dimension_separator: Separator | None
    exceptions: tuple[type[Exception], ...]
    live: LiveData | None
    url: str
    reports_requests = True

    def __init__(
        self,
        url: str | os.PathLike[str],
        normalize_keys: bool = False,
        key_separator: Separator | None = None,
        mode: str = "w",
        exceptions: Iterable[type[Exception]] = _DEFAULT_EXCEPTIONS,
        dimension_separator: Separator | None = None,
        fs: AbstractFileSystem | None = None,
        check: bool = False,
        create: bool = False,
        missing_exceptions: Iterable[type[Exception]] | None = None,
        **storage_options: Any,
    ) -> None:
        if mode not in _MODES:
            raise ArgumentError(f"mode of an FSStore is one of {', '.join(_MODES)}, not {mode!r}")
        if fs is not None and storage_options:
            raise ArgumentError("cannot specify both fs and storage_options")
        self._given_fs = fs
        url = as_path(url) if fs is not None else without_short_addresses(as_path(url))
        opened, path = filesystem.opened(url, storage_options) if fs is None else (None, fs._strip_protocol(url))
        self._direct_place = None if opened is None else translated(url, path, opened)
        self._fs: AbstractFileSystem = sending_once(filesystem.blocking(fs) if fs is not None else opened)
        self._pid = os.getpid()
        self.path: str = path.rstrip("/")
        self._root = level(self.path)
        self.url, self.mode = url, mode
        self.normalize_keys = normalize_keys
        self.dimension_separator = key_separator or dimension_separator
        self._options = storage_options
        self.exceptions = tuple(exceptions)
        self._missing = filesystem.missing_set(
            () if exceptions is _DEFAULT_EXCEPTIONS else self.exceptions, missing_exceptions
        )
        self._token: str | None = None
        self._set_up()
        self.live = filesystem.live_data_of(self._fs)
        if create:
            self.fs.makedirs(self.path, exist_ok=True)
        if check:
            self._check_writeable()

    def _set_up(self) -> None:
        fs = self._fs
        filesystem.widen_pool(fs)
        self.profile: StoreProfile = filesystem.profile_of(fs)
        local_path = filesystem.local_path(fs, self.path)
        self._local = None if local_path is None else DirectoryStore(local_path)
        self._has_urls = filesystem.has_urls(fs)
        self._lists_reliably = self._local is not None or filesystem.lists_reliably(fs)
        self._tags_directly = self._direct_place is not None
        self._sends_tags = self._tags_directly or tags.are_sent(fs, self.path)
        # whether the server supports ranges; an HTTP server may ignore them, which the first range shows
        self._serves_ranges = None if filesystem.has_protocol(fs, "http", "https") else True

    @property
    def fs(self) -> AbstractFileSystem:
        """The file system; opened again in a forked process."""
        if self._pid != os.getpid():
            self._fs, self._pid = sending_once(filesystem.reopened(self._fs)), os.getpid()
            self._set_up()
        return self._fs

    @property
    def map(self) -> FSMap:
        """The same place as an fsspec mapping."""
        return FSMap(self.path, self.fs, missing_exceptions=self._missing)

    @property
    def key_separator(self) -> Separator:
        """Separator of chunk keys; never None."""
        return self.dimension_separator or "."

    @property
    def missing_exceptions(self) -> tuple[type[Exception], ...]:
        """Exceptions that mean an absent key."""
        return self._missing

    def dir_path(self, path: str | None = None) -> str:
        """Return the path in the file system of a path in the store."""
        return self._directory(path)[1]

    # --- writing -----------------------------------------------------------------------------------------------------

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        self._require_writeable()
        if self.normalize_keys:
            items = [(key.lower(), value) for key, value in items]
        if self._local is not None:
            self._local.set_many(items)
            return
        values = {check_key(key): to_bytes(value) for key, value in items}
        answers, attempts = answered(list(values.items()), self._write, where=self)
        self._forget_listings(values)
        self._raise_first("cannot write", list(values), answers, attempts)

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        self._require_writeable()
        key = check_key(key.lower() if self.normalize_keys else key)
        if self._local is not None:
            return self._local.set_if(key, value, expected)
        place, direct = s3_place(self.fs, self._root + key), self._comparing()
        is_remote = place is not None or direct is not None
        if not (self.can_set_if and (is_remote or type(self.fs) is MemoryFileSystem)):
            return super().set_if(key, value, expected)
        if not is_remote:
            with locked_object(("memory", self._root)):
                is_same = same_bytes(self.get_many([(key, None)])[0], expected)
                if is_same:
                    self.set_many([(key, value)])
                return is_same
        if trace.is_open():
            trace.record([trace.Entry("get", key, 0), trace.Entry("set", key, buffer_size(value))])
        new, old = to_bytes(value), None if expected is None else to_bytes(expected)
        if place is not None:
            done, attempts = set_object_if(*place, new, old)
        else:
            assert direct is not None
            done, attempts = direct.set_if(self._root + key, new, old)
        self._forget_listings([key])
        self._raise_first("cannot write", [key], [done], attempts)
        return done is True

    def delete_many(self, keys: Sequence[str]) -> None:
        self._require_writeable()
        keys = [check_key(key.lower() if self.normalize_keys else key) for key in keys]
        if self._local is not None:
            self._local.delete_many(keys)
            return
        answers, attempts = answered(keys, self._delete, where=self)
        self._forget_listings(keys)
        self._raise_first("cannot delete", keys, answers, attempts)

    def _delete(self, keys: Sequence[str]) -> list[Any]:
        if trace.is_open():
            trace.record([trace.Entry("delete", key, 0) for key in keys])
        return filesystem.delete_each(self.fs, [self._root + key for key in keys])

    def __delitem__(self, key: str) -> None:
        self._require_writeable()
        super().__delitem__(key)

    def _forget_listings(self, keys: Iterable[str]) -> None:
        for parent in {(self._root + key).rpartition("/")[0] for key in keys}:
            self.fs.invalidate_cache(parent)
        if self.live is not None:
            self.live.changed()

    def _require_writeable(self) -> None:
        if self.mode == "r":
            raise ReadOnlyError(store=repr(self))

    def _check_writeable(self) -> None:
        self._require_writeable()
        if not self.fs.exists(self.path):
            raise ArgumentError(f"{redact_url(self.url)} does not exist; create it with create=True")
        self.set_many([(".zarrds-check", b"")])
        self.delete_many([".zarrds-check"])

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def _directory(self, path: str | None) -> tuple[str, str]:
        """Return the normalised path in the store, and the path in the file system."""
        path = normalize_path(path)
        path = path.lower() if self.normalize_keys else path
        return path, self._root + (quote(path) if self._has_urls else path) if path else self.path

    def _list(self, path: str, place: str, *, deep: bool) -> list[tuple[str, dict[str, Any]]]:
        """List `place` now: return (name relative to it, entry); raise NotListableError if it cannot be listed."""
        found = self._listed(path, place, deep=deep)
        if not self._lists_reliably and not any(name for name, _ in found or ()):
            refuse_unlisted(self, path, is_missing=found is None, names_at=self._names_at)
        return found or []

    def _names_at(self, path: str) -> list[str]:
        path, place = self._directory(path)
        return [name for name, _ in self._listed(path, place, deep=False) or () if name]

    def _listed(self, path: str, place: str, *, deep: bool) -> list[tuple[str, dict[str, Any]]] | None:
        """List `place` like `_list`, but return None if there is no such directory; clear listing caches first."""
        if trace.is_open():
            trace.record([trace.Entry("list", place[len(self._root) :], 0)])
        found, attempts = entries_at(self.fs, place, deep=deep)
        self._raise_unlistable(path, found)
        if isinstance(found, Exception):
            raise self._failed("cannot list", path, found, attempts)
        if found is None:
            return None
        base = place.lstrip("/")  # some file systems name their entries with a leading slash, some without
        names = [(entry["name"].lstrip("/"), entry) for entry in found]
        below = [
            (name[len(base) :].lstrip("/"), entry)
            for name, entry in names
            if name == base or name.startswith(level(base))
        ]
        return [(unquote(name), entry) for name, entry in below] if self._has_urls else below

    def _raise_unlistable(self, path: str, answer: Any) -> None:
        if isinstance(answer, NotImplementedError) or http_status(answer) in (405, 501):
            raise unlistable(self, path) from self._failed("cannot list", path, answer)

    def is_listable(self) -> bool:
        """Return whether keys can be listed; ask the server if the type of file system does not decide it."""
        try:
            if not self._lists_reliably:
                self._list("", self.path, deep=False)
        except (NotListableError, StoreAccessError):
            return False
        return True

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        path, place = self._directory(prefix)
        if self._local is not None:
            return self._local.keys_below(level(path))
        return iter([level(path) + name for name, _ in self._list(path, place, deep=True) if name and name[-1] != "/"])

    def listdir(self, path: str | None = None) -> list[str]:
        path, place = self._directory(path)
        if self._local is not None:
            return self._local.listdir(path)
        return sorted({name.partition("/")[0] for name, _ in self._list(path, place, deep=False) if name})

    def rmdir(self, path: str | None = None) -> None:
        self._require_writeable()
        path, place = self._directory(path)
        if self._local is not None:
            self._local.rmdir(path)
            return
        self.delete_many(list(self.keys_below(level(path))))
        if not self.profile.native_batch:
            self._remove_empty(place)

    def _swapping(self) -> DirectoryStore | None:
        """Return the local directory as a `DirectoryStore`, to swap directories; None if keys or values differ."""
        self._require_writeable()
        plain = type(self).get_many is FSStore.get_many and is_unchanged(self, FSStore)
        return self._local if plain and not self.normalize_keys else None

    def lock_document(self, key: str) -> LockedDocument | None:
        local = self._swapping() if type(self).set_if is FSStore.set_if else None
        return None if local is None else local.lock_document(key)

    def was_left(self, key: str) -> bool:
        return self._local is not None and self._local.was_left(key)

    def forget_left(self, key: str) -> None:
        if self._local is not None:
            self._local.forget_left(key)

    def replace_below(self, path: str, items: Sequence[tuple[str, Buf]]) -> bool:
        local = self._swapping()
        return local is not None and local.replace_below(path, items)

    def staging(self, path: str) -> Staging | None:
        local = self._swapping()
        return None if local is None else local.staging(path)

    def removable(self, path: str, keys: Sequence[str]) -> list[str]:
        return list(keys) if self._local is None else self._local.removable(path, keys)

    def _remove_empty(self, place: str) -> None:
        """Remove directories that are empty after keys were deleted, on file systems that have directories."""
        try:
            self.fs.invalidate_cache()
            left = {*self.fs.find(place, withdirs=True), place} if self.fs.isdir(place) else ()
            for directory in sorted(left, reverse=True):
                if directory != self.path:
                    with contextlib.suppress(FileNotFoundError):
                        self.fs.rmdir(directory)
        except Exception as error:
            raise self._failed("cannot remove directories", place[len(self._root) :], error) from None

    def rename(self, src_path: str, dst_path: str) -> None:
        self._require_writeable()
        src, dst = renaming(self._directory(src_path)[0], self._directory(dst_path)[0])
        if self._local is not None:
            self._local.rename(src, dst)
            return
        keys = ([src] if src and src in self else []) + list(self.keys_below(level(src)))
        if not keys:
            raise PathNotFoundError("nothing to rename", path=src)
        self.copy_many([(key, renamed(key, src, dst)) for key in keys])
        self.delete_many(keys)
        if not self.profile.native_batch:
            self._remove_empty(self._root + src)

    def renames_in_one_step(self) -> bool:
        return self._local is not None

    def copy_many(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._require_writeable()
        answers, attempts = answered(pairs, self._copy, where=self)
        self._forget_listings([new for _, new in pairs])
        self._raise_first("cannot copy", [key for key, _ in pairs], answers, attempts)

    def copy_from(self, source: FSStore, pairs: Sequence[tuple[str, str]]) -> None:
        """Set values to those of a store on the same file system, which copies them: (key there, key here)."""
        self._require_writeable()
        places = [(source._place(key), self._place(target)) for key, target in pairs]
        answers, attempts = answered(places, partial(filesystem.copy_each, self.fs), where=self)
        self._forget_listings([target for _, target in pairs])
        self._raise_first("cannot copy to", [target for _, target in pairs], answers, attempts)

    def _copy(self, pairs: Sequence[tuple[str, str]]) -> list[Any]:
        if trace.is_open():
            trace.record([trace.Entry("rename", key, 0) for key, _ in pairs])
        return filesystem.copy_each(self.fs, [(self._root + key, self._root + target) for key, target in pairs])

    def getsize(self, path: str | None = None) -> int:
        path, place = self._directory(path)
        if self._local is not None:
            return self._local.getsize(path)
        try:
            entries, unknown = self._list(path, place, deep=False), 0
        except (NotListableError, StoreAccessError):
            entries, unknown = [], -1
            if nearest_node(self, path) == path:
                return unknown
        if not entries and path and self._has_urls:  # there, listings of a key are empty
            info = self._info(path)
            return unknown if info is None else -1 if info["size"] is None else info["size"]
        return self._size(entries) or unknown

    def _size(self, entries: Sequence[tuple[str, dict[str, Any]]]) -> int:
        sizes = [filesystem.size_of(self.fs, entry) for _, entry in entries if entry["type"] == "file"]
        return -1 if None in sizes else sum(filter(None, sizes))

    def size_below(self, path: str | None = None) -> int:
        path, place = self._directory(path)
        if self._local is not None:
            return self._local.size_below(path)
        try:
            return self._size(self._list(path, place, deep=True))
        except (NotListableError, StoreAccessError):
            return -1

    # --- identity ----------------------------------------------------------------------------------------------------

    def is_writeable(self) -> bool:
        return self.mode != "r"

    def spec(self) -> StoreSpec:
        if self.profile.shareable:
            return make_spec(FSStore, self.url, **self._arguments())
        self._token, spec = live_spec(self, self._token)
        return spec

    def live_options(self) -> object:
        return self.url, self._arguments()

    def place(self, path: str = "") -> Place:
        return place_in_fs(self.fs, self._directory(path)[1])

    def _arguments(self) -> dict[str, Any]:
        named: dict[str, Any] = {
            "normalize_keys": self.normalize_keys,
            "mode": None if self.mode == "w" else self.mode,
            "dimension_separator": self.dimension_separator,
            "fs": None if self._given_fs is None else self.fs,
            "missing_exceptions": None if self._missing == NOT_FOUND else self._missing,
        }
        return {**self._options, **{name: value for name, value in named.items() if value}}

    def __eq__(self, other: object) -> bool:
        same = ("path", "mode", "normalize_keys")
        return (
            isinstance(other, FSStore)
            and all(getattr(self, name) == getattr(other, name) for name in same)
            and _are_equal(self.fs, other.fs)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<zarrds.storage.FSStore {redact_url(self.url)!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        spec = make_spec(FSStore, self.url, **self._arguments())
        if not self.profile.shareable:
            return _built_here, (os.getpid(), spec, self.spec())
        return StoreSpec.build, (spec,)


def _are_equal(one: Any, other: Any) -> bool:
    """Return whether two file systems are of one kind and have the same options, in whatever order these were given."""
    # fsspec calls them equal only if the options had the same order and, for some kinds, the thread was the same
    arguments = ("storage_args", "storage_options")
    return bool(one == other) or (
        type(one) is type(other)
        and all(hasattr(one, name) and getattr(one, name) == getattr(other, name, None) for name in arguments)
    )


def _built_here(pid: int, spec: StoreSpec, live: LiveSpec) -> Store:
    return spec.build() if pid == os.getpid() else StoreElsewhere(live)
