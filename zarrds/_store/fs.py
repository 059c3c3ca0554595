"""Stores behind fsspec: object stores, archives, caches, anything with a URL.

Batches go out in one call. Only a definite "not found" reads as absent: whatever else a service answers (denied,
timed out, connection lost) raises, since a chunk that is taken for absent is silently filled.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.asyn import AsyncFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from zarrds._config import get_config
from zarrds._store.base import Store, StoreProfile, renamed
from zarrds._store.directory import DirectoryStore
from zarrds._store.paths import check_key, level, normalize_path, redact_url
from zarrds._store.request import coalesce, cut, split_answers, to_bytes
from zarrds._store.spec import StoreSpec, live_spec, make_spec
from zarrds._types import Buf, ByteRange, Request, Separator
from zarrds.errors import PathNotFoundError, ReadOnlyError, StoreError

__all__ = ["FSStore"]

_NOT_FOUND = (FileNotFoundError, KeyError, IsADirectoryError, NotADirectoryError)
_DEFAULT_EXCEPTIONS = (KeyError, PermissionError, OSError)
_MAGIC = frozenset("*?[")
"""Characters that several fsspec functions would expand as patterns."""


class FSStore(Store):
    """A place that fsspec reaches by a URL.

    Parameters
    ----------
    url : str
        Protocol and path, such as ``s3://bucket/root``; with `fs`, a path within that file system.
    normalize_keys : bool, default False
        Whether keys are turned to lower case.
    key_separator : {".", "/"}, optional
        Older name of `dimension_separator`.
    mode : {"w", "r"}, default "w"
        "r" refuses writes.
    exceptions : tuple of exception classes
        Exceptions to take for an absent key. The default, unlike in Zarr-Python, means only what says "not found";
        other tuples are obeyed.
    dimension_separator : {".", "/"}, optional
        Separator of chunk keys in arrays created here.
    fs : fsspec.AbstractFileSystem, optional
        An existing file system to use.
    check : bool, default False
        Whether to test that the place can be written to.
    create : bool, default False
        Whether to create the root directory.
    missing_exceptions : tuple of exception classes, optional
        Exceptions to take for an absent key, in addition to "not found".
    **storage_options
        Options of the file system; not together with `fs`.

    Examples
    --------
    >>> from zarrds.storage import FSStore
    >>> store = FSStore("memory://doc/fsstore")
    >>> store.setitems({"foo/.zarray": b"{}", "foo/0.0": b"abc"})
    >>> store.listdir("foo"), store.getitems(["foo/0.0", "foo/0.1"])
    (['.zarray', '0.0'], {'foo/0.0': b'abc'})
    """

    __module__ = "zarrds.storage"

    def __init__(
        self,
        url: str,
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
        if mode not in ("r", "w"):
            raise ValueError(f"mode of an FSStore is 'r' or 'w', not {mode!r}")
        if fs is not None and storage_options:
            raise ValueError("storage options cannot be used together with fs")
        self._given_fs = fs
        self.fs, path = url_to_fs(url, **storage_options) if fs is None else (_blocking(fs), fs._strip_protocol(url))
        self.path: str = path.rstrip("/")
        self._root = level(self.path)
        self.url = url
        self.mode = mode
        self.normalize_keys = normalize_keys
        self.dimension_separator = dimension_separator or key_separator
        self._options = storage_options
        self._missing = _missing_set(exceptions, missing_exceptions)
        self._token: str | None = None
        self.profile = _profile(self.fs)
        local_path = _local_path(self.fs, self.path)
        self._local = None if local_path is None else DirectoryStore(local_path)
        if create:
            self.fs.makedirs(self.path, exist_ok=True)
        if check:
            self._check_writeable()

    @property
    def key_separator(self) -> Separator:
        """Separator of chunk keys; never None."""
        return self.dimension_separator or "."

    # --- reading -----------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        if self.normalize_keys:
            requests = [(key.lower(), byte_range) for key, byte_range in requests]
        if self._local is not None and self._missing == _NOT_FOUND:
            return self._local.get_many(requests)
        if self.profile.kind != "network" or all(byte_range is None for _, byte_range in requests):
            return self._fetch(requests)
        merged = coalesce(requests, max_gap_bytes=get_config().max_gap_bytes)
        return split_answers(merged, self._fetch(merged.requests))

    def _fetch(self, requests: Sequence[Request]) -> list[Buf | None]:
        if not requests:
            return []
        paths = [self._place(key) for key, _ in requests]
        limits = [_limits(byte_range) for _, byte_range in requests]
        starts, ends = [start for start, _ in limits], [end for _, end in limits]
        try:
            answers = self.fs.cat_ranges(paths, starts, ends, on_error="return", **_whole_in_one_request(self.fs))
        except Exception as error:
            answers = self._fetch_singly(paths, limits, error)
        return [self._answer(request, answer) for request, answer in zip(requests, answers, strict=True)]

    def _fetch_singly(
        self, paths: list[str], limits: list[tuple[int | None, int | None]], error: Exception
    ) -> list[bytes | BaseException]:
        """Ask one by one after an error for the whole batch (caches report one absent file so)."""
        if not isinstance(error, self._missing):
            raise self._failed("cannot read", None, error) from error
        answers: list[bytes | BaseException] = []
        for path, (start, end) in zip(paths, limits, strict=True):
            try:
                answers.append(self.fs.cat_file(path, start, end))
            except Exception as single:
                answers.append(single)
        return answers

    def _answer(self, request: Request, answer: bytes | BaseException) -> Buf | None:
        key, byte_range = request
        if isinstance(answer, BaseException):
            if isinstance(answer, self._missing):
                return None
            if byte_range is not None and self._starts_beyond(key, byte_range):
                return b""
            raise self._failed("cannot read", key, answer) from answer
        return answer if byte_range is None else _trim(answer, byte_range)

    def _starts_beyond(self, key: str, byte_range: ByteRange) -> bool:
        """Whether a range lies beyond the end of its value; services refuse to answer those."""
        try:
            size = self.fs.info(self._place(key))["size"]
        except Exception:
            return False
        return size is not None and (size == 0 or byte_range.start >= size)

    def _place(self, key: str) -> str:
        return self._root + check_key(key)

    def _failed(self, what: str, key: str | None, error: BaseException) -> StoreError:
        hint = None
        if isinstance(error, PermissionError):
            hint = "if the service answers so for absent keys, pass missing_exceptions=(PermissionError,)"
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        failed = StoreError(f"{what}: {text}", path=redact_url(self.url), key=key, hint=hint)
        failed.errno = getattr(error, "errno", None)
        return failed

    # --- writing -----------------------------------------------------------------------------------------------------

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        self._require_writeable()
        if self.normalize_keys:
            items = [(key.lower(), value) for key, value in items]
        if self._local is not None:
            self._local.set_many(items)
            return
        values = {self._place(key): to_bytes(value) for key, value in items}
        try:
            if self.profile.native_batch:
                self.fs.pipe(values)
            else:
                for path, value in values.items():
                    self._pipe_one(path, value)
        except Exception as error:
            raise self._failed("cannot write", items[0][0] if len(items) == 1 else None, error) from error
        self._forget_listings(values)

    def _pipe_one(self, path: str, value: bytes) -> None:
        try:
            self.fs.pipe_file(path, value)
        except FileNotFoundError:
            self.fs.makedirs(self.fs._parent(path), exist_ok=True)
            self.fs.pipe_file(path, value)

    def delete_many(self, keys: Sequence[str]) -> None:
        self._require_writeable()
        if self.normalize_keys:
            keys = [key.lower() for key in keys]
        if self._local is not None:
            self._local.delete_many(keys)
            return
        paths = [self._place(key) for key in keys]
        plain = [path for path in paths if self.profile.native_batch and not _MAGIC.intersection(path)]
        try:
            if plain:
                self.fs.rm(plain)
        except FileNotFoundError:
            plain = []
        except Exception as error:
            raise self._failed("cannot delete", None, error) from error
        done = set(plain)
        for path in paths:
            if path not in done:
                self._remove_one(path)
        self._forget_listings(paths)

    def _remove_one(self, path: str) -> None:
        try:
            self.fs.rm_file(path)
        except _NOT_FOUND:
            return
        except Exception as error:
            raise self._failed("cannot delete", path[len(self._root) :], error) from error

    def _forget_listings(self, paths: Iterable[str]) -> None:
        for parent in {path.rpartition("/")[0] for path in paths}:
            self.fs.invalidate_cache(parent)

    def _require_writeable(self) -> None:
        if self.mode == "r":
            raise ReadOnlyError("store was opened read-only", path=redact_url(self.url))

    def _check_writeable(self) -> None:
        self._require_writeable()
        self.set_many([(".zarrds-check", b"")])
        self.delete_many([".zarrds-check"])

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def _directory(self, path: str | None) -> tuple[str, str]:
        """Normalised path in the store, and path in the file system."""
        path = normalize_path(path)
        path = path.lower() if self.normalize_keys else path
        return path, self._root + path if path else self.path

    def _list(self, place: str, *, deep: bool) -> list[tuple[str, dict[str, Any]]]:
        """Name below `place` (empty for itself) and entry of what is there now: listing caches are emptied before."""
        try:
            self.fs.invalidate_cache()
            found = _find(self.fs, place) if deep else self.fs.ls(place, detail=True)
        except _NOT_FOUND:
            return []
        except Exception as error:
            raise self._failed("cannot list", place, error) from error
        base = place.lstrip("/")  # some file systems name their entries with a leading slash, some without
        names = [(entry["name"].lstrip("/"), entry) for entry in found]
        return [
            (name[len(base) :].lstrip("/"), entry)
            for name, entry in names
            if name == base or name.startswith(level(base))
        ]

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        path, place = self._directory(prefix)
        if self._local is not None:
            return self._local.keys_below(level(path))
        return iter([level(path) + name for name, _ in self._list(place, deep=True) if name and name[-1] != "/"])

    def listdir(self, path: str | None = None) -> list[str]:
        path, place = self._directory(path)
        if self._local is not None:
            return self._local.listdir(path)
        return sorted({name.partition("/")[0] for name, _ in self._list(place, deep=False) if name})

    def rmdir(self, path: str | None = None) -> None:
        self._require_writeable()
        path, place = self._directory(path)
        if self._local is not None:
            self._local.rmdir(path)
            return
        self.delete_many(list(self.keys_below(level(path))))
        if not self.profile.native_batch:
            self._remove_empty(place)

    def _remove_empty(self, place: str) -> None:
        """Remove the directories that deleting keys leaves behind on file systems that have directories."""
        self.fs.invalidate_cache()
        left = {*self.fs.find(place, withdirs=True), place} if self.fs.isdir(place) else ()
        for directory in sorted(left, reverse=True):
            if directory != self.path:
                with contextlib.suppress(FileNotFoundError):
                    self.fs.rmdir(directory)

    def rename(self, src_path: str, dst_path: str) -> None:
        self._require_writeable()
        src, dst = self._directory(src_path)[0], self._directory(dst_path)[0]
        if self._local is not None:
            self._local.rename(src, dst)
            return
        keys = ([src] if src and src in self else []) + list(self.keys_below(level(src)))
        if not keys:
            raise PathNotFoundError("nothing to rename", path=src)
        sources = [self._place(key) for key in keys]
        targets = [self._place(renamed(key, src, dst)) for key in keys]
        try:
            if not self.profile.native_batch:
                for parent in {self.fs._parent(target) for target in targets}:
                    self.fs.makedirs(parent, exist_ok=True)
            self.fs.copy(sources, targets, on_error="raise")
        except Exception as error:
            raise self._failed(f"cannot rename to {dst!r}", src, error) from error
        self._forget_listings(targets)
        self.delete_many(keys)
        if not self.profile.native_batch:
            self._remove_empty(self._root + src)

    def getsize(self, path: str | None = None) -> int:
        path, place = self._directory(path)
        if self._local is not None:
            return self._local.getsize(path)
        sizes = [entry["size"] for _, entry in self._list(place, deep=False) if entry["type"] == "file"]
        return -1 if None in sizes else sum(sizes)

    # --- identity ----------------------------------------------------------------------------------------------------

    def is_writeable(self) -> bool:
        return self.mode != "r"

    def spec(self) -> StoreSpec:
        if not self.profile.shareable:
            self._token, spec = live_spec(self, self._token)
            return spec
        return make_spec(FSStore, self.url, **self._arguments())

    def _arguments(self) -> dict[str, Any]:
        named: dict[str, Any] = {
            "normalize_keys": self.normalize_keys,
            "mode": None if self.mode == "w" else self.mode,
            "dimension_separator": self.dimension_separator,
            "fs": self._given_fs,
            "missing_exceptions": None if self._missing == _NOT_FOUND else self._missing,
        }
        return {**self._options, **{name: value for name, value in named.items() if value}}

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, FSStore)
            and (self.fs, self.path, self.mode) == (other.fs, other.path, other.mode)
            and self.normalize_keys == other.normalize_keys
        )

    __hash__ = None

    def __repr__(self) -> str:
        return f"<zarrds.storage.FSStore {redact_url(self.url)!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.url, self._arguments())


def _rebuild(url: str, arguments: dict[str, Any]) -> FSStore:
    return FSStore(url, **arguments)


# --- what file systems are like --------------------------------------------------------------------------------------


def _missing_set(
    exceptions: Iterable[type[Exception]], missing_exceptions: Iterable[type[Exception]] | None
) -> tuple[type[Exception], ...]:
    given = tuple(missing_exceptions or ())
    if tuple(exceptions) != _DEFAULT_EXCEPTIONS:
        given += tuple(exceptions)
    return _NOT_FOUND + tuple(sorted(set(given) - set(_NOT_FOUND), key=lambda cls: cls.__name__))


def _blocking(fs: AbstractFileSystem) -> AbstractFileSystem:
    """The file system itself, or its twin for blocking calls when it was made for use inside an event loop."""
    if not getattr(fs, "asynchronous", False):
        return fs
    return type(fs)(*fs.storage_args, **{**fs.storage_options, "asynchronous": False})


def _layers(fs: AbstractFileSystem) -> list[AbstractFileSystem]:
    """The file system and those that it wraps (archives, caches)."""
    layers = [fs]
    while isinstance(inner := layers[-1].__dict__.get("fs"), AbstractFileSystem):
        layers.append(inner)
    return layers


def _local_path(fs: AbstractFileSystem, path: str) -> str | None:
    """Local directory of `path`, where our own store writes atomically; None elsewhere."""
    while type(fs) is DirFileSystem:
        fs, path = fs.fs, f"{fs.path}/{path}"
    return path or "/" if type(fs) is LocalFileSystem else None


def _find(fs: AbstractFileSystem, place: str) -> list[dict[str, Any]]:
    """Entries of all files below a path; the general `find` of fsspec would take a failed listing for an empty one."""
    general = type(fs).find is AbstractFileSystem.find
    if isinstance(fs, AsyncFileSystem):
        general = type(fs)._find is AsyncFileSystem._find and type(fs) is not DirFileSystem
    return list(fs.find(place, detail=True, **({"on_error": "raise"} if general else {})).values())


def _is_async(fs: AbstractFileSystem) -> bool:
    """Whether `fs` sends a batch at once: it and what it wraps (a DirFileSystem may wrap anything)."""
    return all(isinstance(layer, AsyncFileSystem) and layer.async_impl is True for layer in _layers(fs))


def _profile(fs: AbstractFileSystem) -> StoreProfile:
    layers = _layers(fs)
    in_memory = any(isinstance(layer, MemoryFileSystem) for layer in layers)
    if any(_is_async(layer) for layer in layers):
        return StoreProfile("network", _is_async(fs), native_ranges=True, shareable=not in_memory)
    return StoreProfile("memory" if in_memory else "disk", native_ranges=True, shareable=not in_memory)


def _whole_in_one_request(fs: AbstractFileSystem) -> dict[str, Any]:
    """Keyword for s3fs, which otherwise asks for the size of every value before it fetches it."""
    return {"max_concurrency": 1} if _is_async(fs) and "s3" in fs.protocol else {}


def _limits(byte_range: ByteRange | None) -> tuple[int | None, int | None]:
    """Start and end to ask for; for an empty range one byte, since there is no way to ask for none."""
    if byte_range is None:
        return None, None
    start, stop = byte_range
    return start, stop if stop is None or stop > start else start + 1


def _trim(answer: bytes, byte_range: ByteRange) -> Buf:
    """The answer, cut when a service sent more than was asked for (servers may ignore ranges)."""
    start, stop = byte_range
    if start < 0:
        return answer if len(answer) <= -start else cut(answer, byte_range)
    if stop is None or len(answer) <= max(0, stop - start):
        return answer
    return b"" if stop <= start else cut(answer, byte_range)
