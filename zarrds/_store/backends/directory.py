"""Stores in directories of a local file system: one file per key, written atomically.

Reading is a tight loop over system calls, since the cost per chunk matters most here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from zarrds._base.types import Buf, ByteRange, Request, Separator
from zarrds._store.backends import swap
from zarrds._store.backends.file_kind import how_to_read
from zarrds._store.backends.files import (
    ABSENT,
    PARTIAL_SUFFIX,
    READ,
    copy_atomically,
    empty_directory,
    is_partial,
    names_in,
    read_range,
    read_sized,
    repeated,
    reread,
    unlink_quietly,
    walk,
    write_atomically,
)
from zarrds._store.backends.locked import LockedDocument, is_next_document, next_document, opened
from zarrds._store.backends.open_files import OpenFiles
from zarrds._store.base import Staging, Store, StoreProfile, is_unchanged
from zarrds._store.exclusive import locked_directory
from zarrds._store.paths import as_path, check_key, level, normalize_path
from zarrds._store.place import Place, place_on_disk
from zarrds._store.readers import RangeReader
from zarrds._store.request import same_bytes
from zarrds._store.spec import StoreSpec, make_spec
from zarrds.errors import (
    ArgumentError,
    ConflictError,
    FSPathExistNotDir,
    InvalidKeyError,
    PathNotFoundError,
    StoreAccessError,
    StoreError,
    StoreMemoryError,
    ZarrdsError,
)

__all__ = ["DirectoryStore"]

_FAILURES = (OSError, ValueError, MemoryError, OverflowError)
_SMALL = 2**15
"""Size in bytes up to which values are read without asking for their size first."""


class DirectoryStore(Store):
    """A directory of the local file system; every key is a file.

    Writes are atomic: a value is written to a temporary file in the same directory and renamed when it is complete.
    Safe to use from several threads and processes. Nothing is created before the first write.

    Parameters
    ----------
    path : str or os.PathLike
        Directory that is the root of the store.
    normalize_keys : bool, default False
        Whether keys are converted to lower case.
    dimension_separator : {".", "/"}, optional
        Separator of chunk keys in arrays created here.
    fsync : bool, default False
        Whether each value is synced to the disk before its name, so that a power cut leaves the old or the new value.
        This is not needed if only the program is killed.

    Raises
    ------
    FSPathExistNotDir
        If `path` is a file.

    Examples
    --------
    >>> import tempfile
    >>> from zarrds.storage import DirectoryStore
    >>> store = DirectoryStore(tempfile.mkdtemp())
    >>> store["foo/.zarray"] = b"{}"
    >>> store.listdir("foo"), store["foo/.zarray"], "foo/0.0" in store
    (['.zarray'], b'{}', False)
    """

    __module__ = "zarrds.storage"
    dimension_separator: Separator | None
    path: str
    profile: StoreProfile = StoreProfile("disk", native_ranges=True, shareable=True)
    can_set_if = True
    _compares_in_batches = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        normalize_keys: bool = False,
        dimension_separator: Separator | None = None,
        *,
        fsync: bool = False,
    ) -> None:
        self.path = os.path.abspath(as_path(path))
        if _is_file(self.path):
            raise FSPathExistNotDir(path=self.path, hint=how_to_read(self.path))
        self.normalize_keys = normalize_keys
        self.dimension_separator = dimension_separator
        self.fsync = fsync
        self._root = self.path.rstrip("/") + "/"

    # --- reading -----------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        return list(DirectoryStore.iter_many(self, requests))

    def iter_many(self, requests: Sequence[Request]) -> Iterator[Buf | None]:
        sys_open, read, close, root, lower = os.open, os.read, os.close, self._root, self.normalize_keys
        small = False
        for key, byte_range in requests:
            if lower:
                key = key.lower()
            if byte_range is not None or ".." in key or key[:1] == "/" or not key or key.endswith(PARTIAL_SUFFIX):
                yield self._read_checked(key, byte_range)
                continue
            try:
                fd = sys_open(root + key, READ)
                try:
                    # values of one batch have similar sizes: for small ones, one more read is faster than `fstat`
                    data = read(fd, _SMALL) if small else read_sized(fd)
                    if small and read(fd, 1):
                        data = reread(fd)
                finally:
                    close(fd)
            except ABSENT:
                yield None
                continue
            except _FAILURES as error:
                raise self.failed("cannot read", key, error) from error
            small = len(data) < _SMALL
            yield data
            del data

    def _read_checked(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        """Read what the tight loop does not handle: byte ranges and suspicious keys."""
        if is_partial(check_key(key)):
            return None
        try:
            fd = os.open(self._root + key, READ)
            try:
                return read_range(fd, byte_range)
            finally:
                os.close(fd)
        except ABSENT:
            return None
        except _FAILURES as error:
            raise self.failed("cannot read", key, error) from error

    def failed(self, what: str, key: str, error: Exception) -> ZarrdsError:
        """Return the zarrds error to raise for an OSError."""
        if isinstance(error, ValueError):
            return InvalidKeyError("the file system cannot have a file of this name", path=self.path, key=key)
        if not isinstance(error, OSError):
            return StoreMemoryError(path=self.path, key=key)
        kind = StoreAccessError if isinstance(error, PermissionError) else StoreError
        failed = kind(f"{what}: {error.strerror or error}", path=self.path, key=key)
        failed.errno = error.errno
        return failed

    def version(self, key: str) -> object:
        reader = OpenFiles(self)
        try:
            return reader.lasting_version(key)
        except OSError:
            return None
        finally:
            reader.close()

    def reader(self) -> RangeReader:
        """Return a reader that opens each file once, so it sees one state of a value: a replacement is another file."""
        if type(self).get_many is DirectoryStore.get_many and type(self).iter_many is DirectoryStore.iter_many:
            return OpenFiles(self)
        return super().reader()

    def open_file(self, key: str) -> int | None:
        """Open the file of a key for reading; return its descriptor, or None if there is no file."""
        if self.normalize_keys:
            key = key.lower()
        if is_partial(check_key(key)):
            return None
        try:
            return os.open(self._root + key, READ)
        except ABSENT:
            return None
        except _FAILURES as error:
            raise self.failed("cannot read", key, error) from error

    # --- writing -----------------------------------------------------------------------------------------------------

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        for key, value in items:
            place = self._place(key)
            try:
                write_atomically(place, value, self.fsync)
            except _FAILURES as error:
                raise self.failed("cannot write", key, error) from error

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        directory = os.path.dirname(self._place(key))
        with self.failing("cannot write", key):
            try:
                with locked_directory(directory, create=expected is None):
                    if not same_bytes(self.get_many([(key, None)])[0], expected):
                        return False
                    self.set_many([(key, value)])
            except ABSENT:
                if expected is None:
                    raise
                return False
        return True

    def lock_document(self, key: str) -> LockedDocument | None:
        names = ("get_many", "iter_many", "set_many", "set_if", "delete_many")
        if any(getattr(type(self), name) is not getattr(DirectoryStore, name) for name in names):
            return None
        return opened(self, key)

    def was_left(self, key: str) -> bool:
        return os.path.lexists(next_document(self._place(key)))

    def forget_left(self, key: str) -> None:
        unlink_quietly(next_document(self._place(key)))

    def stored(self, key: str) -> bytes | None:
        """Return the value of a key; None if it is absent."""
        return self._read_checked(key.lower() if self.normalize_keys else key, None)

    @contextmanager
    def failing(self, what: str, key: str) -> Iterator[None]:
        """Raise the zarrds error for an OSError in the block."""
        try:
            yield
        except _FAILURES as error:
            if isinstance(error, ZarrdsError):
                raise
            raise self.failed(what, key, error) from error

    def file_of(self, key: str) -> str:
        """Return the path of the file for the value of `key`, which need not exist."""
        return self._place(key)

    def set_file(self, key: str, file: str) -> int:
        """Set a value to the contents of a file, atomically; the system copies it. Return the size in bytes."""
        try:
            return copy_atomically(file, self._place(key))
        except OSError as error:
            raise self.failed(f"cannot copy {file!r}", key, error) from error

    def abandoned(self, path: str | None = None) -> list[str]:
        """Return temporary files at and below `path`, relative to the root, of active or killed writers."""
        found: list[str] = []
        for directory, _, names in os.walk(self._directory(path)):
            files = [os.path.join(directory, name) for name in names if is_partial(name) and not is_next_document(name)]
            found += [os.path.relpath(file, self._root).replace(os.sep, "/") for file in files]
        return sorted(found)

    def remove_abandoned(self, names: Sequence[str]) -> None:
        """Remove temporary files; writers that still use them fail."""
        for name in names:
            if not is_partial(name):
                raise ArgumentError(f"{name!r} is no temporary file of this store")
            unlink_quietly(self._root + name)

    def delete_many(self, keys: Sequence[str]) -> None:
        for key in keys:
            try:
                os.unlink(self._place(key))
            except ABSENT:
                continue
            except _FAILURES as error:
                raise self.failed("cannot delete", key, error) from error

    def _place(self, key: str) -> str:
        """Return the path of the file of a key that is about to change."""
        if is_partial(check_key(key)):
            raise ArgumentError(f"invalid store key {key!r}: it looks like a temporary file of this store")
        return self._root + (key.lower() if self.normalize_keys else key)

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def _directory(self, path: str | None) -> str:
        return self._root + self._below(path)

    def _below(self, path: str | None) -> str:
        path = normalize_path(path)
        return path.lower() if self.normalize_keys else path

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        try:
            prefix = normalize_path(prefix)
            found = walk(self._root, level(self._below(prefix)))
            yield from (prefix + key[len(prefix) :] for key in found) if self.normalize_keys else found
        except OSError as error:
            raise self.failed("cannot list", prefix, error) from error

    def listdir(self, path: str | None = None) -> list[str]:
        try:
            return [name for name in names_in(self._root, self._below(path)) if not is_partial(name)]
        except (*ABSENT, UnicodeEncodeError):
            return []
        except OSError as error:
            raise self.failed("cannot list", str(path), error) from error

    def rmdir(self, path: str | None = None) -> None:
        place = self._directory(path)
        try:
            if place != self._root and os.path.isdir(place) and self._took_away(place):
                return
            if os.path.islink(place):
                os.unlink(place)
            elif os.path.isdir(place):
                empty_directory(place)
                if place != self._root:
                    os.rmdir(place)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self.failed("cannot remove", str(path), error) from error

    def _took_away(self, place: str) -> bool:
        """Remove a directory in one step; return False where it cannot be renamed."""
        try:
            if not swap.may_swap(place):
                return False
            swap.take_away(place, durable=self.fsync)
        except OSError as error:
            if not swap.cannot_swap(error) or not os.path.lexists(place):
                raise
            return False
        return True

    def replace_below(self, path: str, items: Sequence[tuple[str, Buf]]) -> bool:
        """Replace a directory by a new one, which is written in the same parent directory and swapped by the system.

        If the directory cannot be renamed (a mount point, a parent directory of another user), nothing is changed.
        """
        if not is_unchanged(self, DirectoryStore):
            return False
        # if the root is a link, its target directory is replaced; below the root, the link itself
        place = self._directory(path) if path else os.path.realpath(self.path)
        try:
            if path and not items:
                return self._took_away(place)
            return swap.may_swap(place) and repeated(lambda: self._swapped(place, path, items))
        except OSError as error:
            raise self.failed("cannot replace", path, error) from error

    def staging(self, path: str) -> Staging | None:
        """Return a new directory next to the one that it will replace, hidden like temporary files."""
        if not is_unchanged(self, DirectoryStore) or type(self).get_many is not DirectoryStore.get_many:
            return None
        place = self._directory(path) if path else os.path.realpath(self.path)
        try:
            hidden = repeated(lambda: swap.prepare(place)) if swap.may_swap(place) else None
        except OSError as error:
            if not swap.cannot_swap(error):
                raise self.failed("cannot replace", path, error) from error
            hidden = None
        if hidden is None:
            return None
        made = swap.NewDirectory(hidden)
        put = partial(self._put, path, made, place)
        if path:
            return Staging(self, hidden[len(self._root) :], put, made.discard)
        options = {"normalize_keys": self.normalize_keys, "dimension_separator": self.dimension_separator}
        root = DirectoryStore(hidden, **options, fsync=self.fsync)  # type: ignore[arg-type]
        return Staging(root, "", put, made.discard)

    def _put(self, path: str, made: swap.NewDirectory, place: str) -> None:
        """Move a new directory to its place, if it is still the directory that was created and filled."""
        if not made.is_there():
            raise ConflictError(
                "another task replaced what is above this path", store=repr(self), path=path, hint="try again"
            )
        try:
            self._exchange(made.path, place)
            made.close()
        except OSError as error:
            raise self.failed("cannot replace", path, error) from error

    def _exchange(self, hidden: str, place: str) -> None:
        """Move a hidden directory to its place, which is free, or whose directory is removed."""
        if not swap.put_new(hidden, place, durable=self.fsync):
            with locked_directory(place):  # a `set_if` of another process may be about to write a document in it
                swap.put(hidden, place, durable=self.fsync)

    def _swapped(self, place: str, path: str, items: Sequence[tuple[str, Buf]]) -> bool:
        files = [(self._place(key)[len(self._root + level(path)) :], value) for key, value in items]
        hidden = ""
        try:
            hidden = swap.prepare(place)
            for name, value in files:
                write_atomically(f"{hidden}/{name}", value, self.fsync)
            self._exchange(hidden, place)
        except BaseException as error:
            if hidden and os.path.lexists(hidden):
                swap.discard(hidden)
            if isinstance(error, OSError) and swap.cannot_swap(error):
                return False
            raise
        return True

    def removable(self, path: str, keys: Sequence[str]) -> list[str]:
        path, seen = normalize_path(path), {"": False}

        def is_linked(directory: str) -> bool:
            """Return whether a directory, or one above it up to `path`, is a link."""
            if directory not in seen:
                here = len(directory) >= len(path) and os.path.islink(self._directory(directory))
                seen[directory] = here or is_linked(directory.rpartition("/")[0])
            return seen[directory]

        return [key for key in keys if not is_linked(key.rpartition("/")[0])]

    def rename(self, src_path: str, dst_path: str) -> None:
        src, dst = self._directory(src_path), self._directory(dst_path)
        if self._root in (src, dst):
            raise ArgumentError(f"cannot rename {src_path!r} to {dst_path!r}")
        if not os.path.lexists(src):
            raise PathNotFoundError("nothing to rename", path=src_path)
        try:
            os.makedirs(os.path.dirname(dst), exist_ok=True)
            os.replace(src, dst)
        except OSError as error:
            raise self.failed(f"cannot rename to {dst_path!r}", src_path, error) from error

    def getsize(self, path: str | None = None) -> int:
        place = self._directory(path)
        try:
            with os.scandir(place) as entries:
                return sum(entry.stat().st_size for entry in entries if entry.is_file() and not is_partial(entry.name))
        except NotADirectoryError:
            return os.stat(place).st_size
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise self.failed("cannot measure", str(path), error) from error

    # --- identity ----------------------------------------------------------------------------------------------------

    def spec(self) -> StoreSpec:
        return make_spec(
            type(self),
            self.path,
            normalize_keys=self.normalize_keys or None,
            dimension_separator=self.dimension_separator,
            fsync=self.fsync or None,
        )

    def place(self, path: str = "") -> Place:
        return place_on_disk(self._directory(path))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DirectoryStore) and self.path == other.path

    __hash__ = None

    def __repr__(self) -> str:
        return f"<zarrds.storage.{type(self).__name__} {self.path!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.fsync:
            return StoreSpec.build, (self.spec(),)
        return type(self), (self.path, self.normalize_keys, self.dimension_separator)


def _is_file(path: str) -> bool:
    """Return whether `path` exists and is not a directory.

    Usually it is a directory, which needs one system call. Another process may create the directory after that call, so
    the check is repeated.
    """
    return not os.path.isdir(path) and os.path.exists(path) and not os.path.isdir(path)
