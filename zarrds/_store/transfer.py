"""Copy values between two stores on the same file system, without reading them into this process."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from fsspec import AbstractFileSystem
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from zarrds._store.backends.directories import NestedDirectoryStore, TempStore
from zarrds._store.backends.directory import DirectoryStore
from zarrds._store.backends.fs import FSStore
from zarrds._store.backends.s3 import s3_place
from zarrds._store.base import Store
from zarrds._store.paths import level
from zarrds._store.request import buffer_size
from zarrds.errors import StoreError

__all__ = ["Copier", "Mover", "copier", "local_directory", "mover", "same_tags", "sizes_of"]

Mover: TypeAlias = Callable[[Sequence[tuple[str, str]]], int]
"""Function that copies values, given as (source key, destination key), each atomically; returns their size in bytes."""

Copier: TypeAlias = Callable[[Sequence[tuple[str, str]]], list[int | None]]
"""Function that copies those values that exist, each atomically; returns their sizes, None for an absent value."""


def mover(source: Store, dest: Store, source_path: str = "") -> Mover | None:
    """Return a function that copies values below `source_path` in the file system; None if the stores share none."""
    if not dest.is_writeable():
        return None
    source_dir, dest_dir = local_directory(source), local_directory(dest)
    if source_dir is not None and dest_dir is not None:
        return lambda pairs: sum(dest_dir.set_file(new, source_dir.file_of(key)) for key, new in pairs)
    if type(source) is FSStore and type(dest) is FSStore and source.fs is dest.fs and _copies(source.fs):
        return _FileSystemMover(source, dest, source_path)
    return None


def copier(source: Store, dest: Store) -> Copier | None:
    """Return a function that copies values, some of which may be absent, in the file system; None without a common one.

    Unlike `mover`, it lists nothing: it asks for the size of each value first.
    """
    if not dest.is_writeable():
        return None
    source_dir, dest_dir = local_directory(source), local_directory(dest)
    if source_dir is not None and dest_dir is not None:
        return lambda pairs: [_copied_file(source_dir, dest_dir, key, new) for key, new in pairs]
    if type(source) is FSStore and type(dest) is FSStore and source.fs is dest.fs and _copies(source.fs):
        return lambda pairs: _copied_in_service(source, dest, pairs)
    return None


def _copied_file(source: DirectoryStore, dest: DirectoryStore, key: str, new: str) -> int | None:
    if _file_size(source, key) is None:
        return None
    return dest.set_file(new, source.file_of(key))


def _copied_in_service(source: FSStore, dest: FSStore, pairs: Sequence[tuple[str, str]]) -> list[int | None]:
    sizes = [None if state is None else state[0] for state in source.states([key for key, _ in pairs])]
    there = [pair for pair, size in zip(pairs, sizes, strict=True) if size is not None]
    if there:
        dest.copy_from(source, there)
    return sizes


def sizes_of(store: Store, keys: Sequence[str]) -> list[int | None]:
    """Return the sizes of values in bytes; None for an absent key.

    Files and file systems of fsspec are asked; values of other stores are read.
    """
    directory = local_directory(store)
    if directory is not None:
        return [_file_size(directory, key) for key in keys]
    if type(store) is FSStore:
        sizes = [None if state is None else state[0] for state in store.states(keys)]
        if -1 not in sizes:
            return sizes
    values = store.get_many([(key, None) for key in keys]) if keys else []
    return [None if value is None else buffer_size(value) for value in values]


def same_tags(source: Store, dest: Store, pairs: Sequence[tuple[str, str]]) -> list[bool]:
    """Return for each pair of keys whether a service says that both values have the same contents.

    In S3 the ETag of an object that was written as a whole is a hash of its contents. False means that it is unknown.
    """
    if not (_has_hashes(source) and _has_hashes(dest)):
        return [False] * len(pairs)
    assert isinstance(source, FSStore)
    assert isinstance(dest, FSStore)
    old, new = source.states([key for key, _ in pairs]), dest.states([key for _, key in pairs])
    # a dash marks the ETag of an object that was written in parts: it depends on their sizes
    return [a is not None and a == b and a[1] is not None and "-" not in a[1] for a, b in zip(old, new, strict=True)]


def _has_hashes(store: Store) -> bool:
    return type(store) is FSStore and s3_place(store.fs, store.path) is not None


def _file_size(directory: DirectoryStore, key: str) -> int | None:
    """Return the size of the file of a key; None if there is none, or a directory."""
    try:
        found = os.stat(directory.file_of(key))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise directory.failed("cannot ask for the size of", key, error) from error
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def local_directory(store: Store) -> DirectoryStore | None:
    """Return the local directory of a store as a `DirectoryStore`; None for other stores, subclasses included."""
    if type(store) in (DirectoryStore, NestedDirectoryStore, TempStore):
        assert isinstance(store, DirectoryStore)
        return store
    if type(store) is FSStore and type(store.fs) is LocalFileSystem:
        return DirectoryStore(store.path, store.normalize_keys)
    return None


def _copies(fs: AbstractFileSystem) -> bool:
    """Return whether a file system copies files by itself."""
    if isinstance(fs, AsyncFileSystem):
        return type(fs)._cp_file is not AsyncFileSystem._cp_file and not isinstance(fs, DirFileSystem)
    return type(fs).cp_file is not AbstractFileSystem.cp_file


class _FileSystemMover:
    """Copies inside one fsspec file system; on object stores the service copies, several values at a time."""

    def __init__(self, source: FSStore, dest: FSStore, source_path: str) -> None:
        self.source, self.dest, self.path = source, dest, source_path
        self._sizes: Mapping[str, int] | None = None

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> int:
        if self._sizes is None:
            self._sizes = self._listed()
        old = [self._place(self.source, key) for key, _ in pairs]
        new = [self._place(self.dest, key) for _, key in pairs]
        try:
            if self.dest.profile.native_batch:
                self.dest.fs.copy(old, new, on_error="raise")
            else:
                self._one_by_one(old, new)
        except Exception as error:
            raise StoreError(f"cannot copy: {type(error).__name__}: {error}", key=pairs[0][0]) from error
        self.dest.fs.invalidate_cache()
        return sum(self._sizes[path.lstrip("/")] for path in old)

    def _listed(self) -> Mapping[str, int]:
        """Return the sizes of all values, from one listing."""
        found = self.source.fs.find(self._place(self.source, self.path).rstrip("/"), detail=True)
        return {name.lstrip("/"): entry["size"] for name, entry in found.items()}

    def _one_by_one(self, old: Sequence[str], new: Sequence[str]) -> None:
        fs = self.dest.fs
        for path, target in zip(old, new, strict=True):
            with contextlib.suppress(FileNotFoundError):
                fs.cp_file(path, target)
                continue
            fs.makedirs(fs._parent(target), exist_ok=True)
            fs.cp_file(path, target)

    @staticmethod
    def _place(store: FSStore, key: str) -> str:
        return level(store.path) + (key.lower() if store.normalize_keys else key)
