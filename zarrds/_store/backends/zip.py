"""A store in one ZIP file."""

from __future__ import annotations

import os
import warnings
import weakref
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

from zarrds._base.types import Buf, Request, Separator
from zarrds._store.backends.archive import Archive
from zarrds._store.base import Store, StoreProfile, names_below
from zarrds._store.live import LiveData
from zarrds._store.paths import as_path, check_key, level, normalize_path
from zarrds._store.place import Place, place_in_file, place_on_disk
from zarrds._store.request import same_bytes
from zarrds._store.spec import StoreSpec, live_spec, make_spec, not_shareable
from zarrds.errors import (
    ArgumentError,
    NotErasableError,
    PathNotFoundError,
    ReadOnlyError,
    StoreWarning,
)

__all__ = ["ZipStore"]


class ZipStore(Store):
    """One ZIP file; every key is an entry.

    Entries cannot be removed, as in Zarr-Python. They can be replaced: documents (attributes, shapes) without limit,
    chunks with a warning, since the old bytes stay in the file. There is never a second entry with the same name.

    Close the store after writing, or use it as a context manager: only then is the central directory written, without
    which the file cannot be read. Safe to use from several threads. Only the process that opened the store may write: a
    pickled store in another process reads what was written before, and raises StoreNotShareableError for writes.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    compression : int, default zipfile.ZIP_STORED
        Compression of the archive itself, such as ``zipfile.ZIP_DEFLATED``. Chunks are usually compressed already.
    allowZip64 : bool, default True
        Whether archives may grow beyond 2 GiB; if False, this raises `zipfile.LargeZipFile`.
    mode : {"r", "w", "a", "x"}, default "a"
        "r" reads an existing file; "w" writes a new file, "x" only if none exists; "a" appends.
    dimension_separator : {".", "/"}, optional
        Separator of chunk keys in arrays created here.

    Examples
    --------
    >>> from zarrds.storage import ZipStore
    >>> with ZipStore("example.zip", mode="w") as store:
    ...     store["foo/.zarray"] = b"{}"
    >>> with ZipStore("example.zip", mode="r") as store:
    ...     print(store.listdir("foo"), store["foo/.zarray"])
    ['.zarray'] b'{}'
    """

    __module__ = "zarrds.storage"
    dimension_separator: Separator | None
    path: str
    profile: StoreProfile
    can_set_if = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        compression: int = zipfile.ZIP_STORED,
        allowZip64: bool = True,  # noqa: N803  # the manual's name
        mode: str = "a",
        dimension_separator: Separator | None = None,
    ) -> None:
        self._begin(path, compression, allowZip64, mode, dimension_separator)

    @classmethod
    def _at(cls, path: str) -> ZipStore:
        """Return the store of a file that is created, if it does not exist, by the first write."""
        made = cls.__new__(cls)
        made._begin(path, zipfile.ZIP_STORED, True, "a", None, later=True)
        return made

    def _begin(
        self,
        path: str | os.PathLike[str],
        compression: int,
        zip64: bool,
        mode: str,
        dimension_separator: Separator | None,
        *,
        later: bool = False,
    ) -> None:
        if mode not in ("r", "w", "a", "x"):
            raise ArgumentError(f"ZipStore requires mode 'r', 'w', 'x', or 'a', found {mode!r}")
        self.path = os.path.abspath(as_path(path))
        self.compression = compression
        self.allowZip64 = zip64
        self.mode = mode
        self.dimension_separator = dimension_separator
        self.profile = StoreProfile("disk", native_ranges=True, shareable=mode == "r")
        self._is_copy = False
        if mode == "r" and not os.path.exists(self.path):
            raise PathNotFoundError(
                "there is no such file", path=self.path, hint="check the spelling; mode='w' creates it"
            )
        self._use(Archive(self.path, compression, zip64, mode, later=later))
        self._stamp = _stamp(self.path) if mode == "r" else ()
        self._token: str | None = None

    def _use(self, archive: Archive) -> None:
        self._archive = archive
        self.live: LiveData = archive.live
        archive.users += 1
        if self.mode != "r":
            _written[os.path.realpath(self.path)] = archive
        self._finalizer = weakref.finalize(self, _abandon, archive)

    @property
    def zf(self) -> zipfile.ZipFile:
        """The file as a `zipfile.ZipFile`, to read its directory; what was set before is in it."""
        if self._finalizer.alive:
            self._archive.create()
            self.flush()
        return zipfile.ZipFile(self.path, "r")

    # --- values ------------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        return list(ZipStore.iter_many(self, requests))

    def iter_many(self, requests: Sequence[Request]) -> Iterator[Buf | None]:
        read = self._archive.read
        for key, byte_range in requests:
            yield read(key, byte_range)

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        self._require_writeable()
        for key, _ in items:
            self._archive.check_name(check_key(key))
        for key, value in items:
            if self._archive.write(key, value):
                warnings.warn(
                    f"Duplicate name: {key!r}; the value that is replaced still takes up space in {self.path!r}",
                    StoreWarning,
                    stacklevel=3,
                )
            self.live.changed()

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        self._require_writeable()
        with self._archive.lock:
            is_same = same_bytes(self._archive.read(check_key(key), None), expected)
            if is_same:
                self.set_many([(key, value)])
            return is_same

    def version(self, key: str) -> object:
        return self._archive.version(key)

    def delete_many(self, keys: Sequence[str]) -> None:
        """Raise NotErasableError if one of the keys exists; absent keys are no error."""
        self._require_writeable()
        for key in keys:
            if check_key(key) in self._archive:
                raise self._not_erasable(key)

    def __delitem__(self, key: str) -> None:
        if key in self:
            raise self._not_erasable(key)
        raise KeyError(key)  # builtin: the protocol of mappings

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in self._archive

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        return iter(sorted(key for key in self._archive.all_keys() if key.startswith(prefix)))

    def listdir(self, path: str | None = None) -> list[str]:
        prefix = level(normalize_path(path))
        return names_below((key for key in self._archive.all_keys() if key.startswith(prefix)), prefix)

    def getsize(self, path: str | None = None) -> int:
        path = normalize_path(path)
        size = self._archive.size(path)
        if size is not None:
            return size
        prefix = level(path)
        below = [key for key in self._archive.all_keys() if key.startswith(prefix) and "/" not in key[len(prefix) :]]
        return sum(self._archive.size(key) or 0 for key in below)

    def rmdir(self, path: str | None = None) -> None:
        """Clear the archive if `path` is the root; below the root, do the same as `delete_many`."""
        self._require_writeable()
        if normalize_path(path):
            super().rmdir(path)
        else:
            self.clear()

    def rename(self, src_path: str, dst_path: str) -> None:
        """Raise NotErasableError: entries cannot be renamed."""
        self._require_writeable()
        raise self._not_erasable(src_path)

    def clear(self) -> None:
        """Delete everything and start a new archive."""
        self._require_writeable()
        self._archive.clear()
        self.live.changed()

    def is_writeable(self) -> bool:
        return self.mode != "r"

    def is_erasable(self) -> bool:
        return False

    def _require_writeable(self) -> None:
        if self._is_copy:
            raise not_shareable("ZipStore")
        if self.mode == "r":
            raise ReadOnlyError("store is read-only", path=self.path)

    def _not_erasable(self, key: str) -> NotErasableError:
        return NotErasableError(
            "entries of a zip file cannot be removed",
            path=self.path,
            key=key,
            hint="write to a DirectoryStore and zip it when it is complete, or copy what you need to a new ZipStore",
        )

    # --- opening and closing -----------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write all documents and the central directory, so that the file is readable; writing can go on afterwards."""
        if self.mode != "r":
            self._archive.flush()

    def close(self) -> None:
        """Write all documents and the central directory, and close the file; then the store cannot be used any more."""
        if self._finalizer.detach() is not None:
            self._archive.release()

    # --- identity ----------------------------------------------------------------------------------------------------

    def spec(self) -> StoreSpec:
        if self.mode == "r":
            # a rewritten file has another spec, since stores that are kept open know the entries of the old file
            return make_spec(_reopened, self.path, stamp=self._stamp, dimension_separator=self.dimension_separator)
        self._token, spec = live_spec(self, self._token)
        return spec

    def place(self, path: str = "") -> Place:
        return place_in_file(place_on_disk(self.path), normalize_path(path))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ZipStore)
            and self.path == other.path
            and self.compression == other.compression
            and self.allowZip64 == other.allowZip64
        )

    __hash__ = None

    def __repr__(self) -> str:
        return f"<zarrds.storage.ZipStore {self.path!r} mode={self.mode!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        self.flush()
        arguments = (self.path, self.compression, self.allowZip64)
        if self.mode == "r" and not self._is_copy:
            return ZipStore, (*arguments, "r", self.dimension_separator)
        return _copied, (-1 if self._is_copy else os.getpid(), arguments, self.dimension_separator)


_written: weakref.WeakValueDictionary[str, Archive] = weakref.WeakValueDictionary()
"""Archives that this process writes, by the place of the file."""


def _copied(pid: int, arguments: tuple[str, int, bool], dimension_separator: Separator | None) -> ZipStore:
    """Unpickle a writable store.

    In its own process it uses the same open file: with two open files, only the entries of the last one closed would
    survive. In any other process it can only read.
    """
    if pid != os.getpid():
        made = ZipStore(*arguments, "r", dimension_separator)
        made._is_copy = True
        return made
    archive = _written.get(os.path.realpath(arguments[0]))
    if archive is None or archive.is_closed or archive.pid != pid:
        return ZipStore(*arguments, "a", dimension_separator)
    made = ZipStore.__new__(ZipStore)
    made.path, made.compression, made.allowZip64 = arguments
    made.mode, made.dimension_separator = "a", dimension_separator
    made._token, made._is_copy, made._stamp = None, False, ()
    made.profile = StoreProfile("disk", native_ranges=True)
    made._use(archive)
    return made


def _stamp(path: str) -> tuple[int, ...]:
    """Return a value that identifies the state of a file."""
    found = os.stat(path)
    return found.st_ino, found.st_mtime_ns, found.st_size


def _reopened(path: str, *, stamp: tuple[int, ...], dimension_separator: Separator | None = None) -> ZipStore:
    return ZipStore(path, mode="r", dimension_separator=dimension_separator)


def _abandon(archive: Archive) -> None:
    """Write and close the file of a dropped store; a forked child must not write."""
    forgotten = archive.changed and archive.pid == os.getpid()
    archive.release()
    if forgotten and archive.is_closed:
        warnings.warn(f"a ZipStore was not closed: {archive.path!r}", ResourceWarning, stacklevel=2)
