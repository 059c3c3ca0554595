"""Open ZIP archives from file objects, and paths of universal_pathlib."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.zip import ZipFileSystem

from zarrds._store.backends.fs import FSStore
from zarrds._store.backends.zip import ZipStore
from zarrds._store.base import Store
from zarrds._store.elsewhere import StoreElsewhere
from zarrds._store.spec import LiveSpec
from zarrds.errors import NotAStoreError, ReadOnlyError

__all__ = ["in_archive", "is_file", "is_upath", "upath_location"]


# --- files -----------------------------------------------------------------------------------------------------------


def is_file(store: object) -> bool:
    """Return whether an object is an open binary file, or a file of fsspec that is not open yet."""
    if isinstance(getattr(store, "fs", None), AbstractFileSystem) and hasattr(store, "full_name"):
        return True
    return all(hasattr(type(store), name) for name in ("read", "seek", "tell", "seekable"))


def in_archive(file: Any, mode: str) -> Store:
    """Return a store that reads the ZIP archive in a file.

    A file on a disk, or of fsspec, is opened again by its name: other processes can then read it too, and the caller
    may close the file object. Any other file object, such as a `io.BytesIO`, is read itself, in this process.

    Raises
    ------
    ReadOnlyError
        If `mode` is for new data.
    NotAStoreError
        If the file is text, or cannot be read from any position.
    """
    if mode not in ("r", "r+", "a"):
        raise ReadOnlyError("an open file is read only", found=repr(file), hint="pass the path of the file to write it")
    fs, path = getattr(file, "fs", None), getattr(file, "path", None)
    if isinstance(fs, LocalFileSystem) and isinstance(path, str):
        return ZipStore(path, mode="r")
    if isinstance(fs, AbstractFileSystem) and isinstance(path, str):
        protocol = fs.protocol if isinstance(fs.protocol, str) else fs.protocol[0]
        outer = {"target_protocol": protocol, "target_options": dict(fs.storage_options)}
        return FSStore("", fs=ZipFileSystem(fo=path, **outer), mode="r")
    if hasattr(file, "encoding") or not file.seekable():
        raise NotAStoreError(f"an archive is read from a file that is binary and seekable, not from {file!r}")
    name = _path_of(file)
    if name is not None:
        return ZipStore(name, mode="r")
    return _InProcess("", fs=ZipFileSystem(fo=_Borrowed(file), skip_instance_cache=True), mode="r")


def _path_of(file: Any) -> str | None:
    """Return the path of an open file, if it still leads to that file."""
    try:
        name = os.path.abspath(file.name)
        return name if os.path.samestat(os.stat(name), os.fstat(file.fileno())) else None
    except (AttributeError, TypeError, ValueError, OSError):
        return None


class _Borrowed:
    """A file object that only its owner closes."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def close(self) -> None:
        """Do nothing."""

    def __enter__(self) -> _Borrowed:
        return self

    def __exit__(self, *args: object) -> None:
        """Do nothing."""


class _InProcess(FSStore):
    """A store over an archive in a file object, which only this process has."""

    def _set_up(self) -> None:
        super()._set_up()
        self.profile = replace(self.profile, shareable=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return _found, (self.spec(),)


def _found(spec: LiveSpec) -> Store:
    return StoreElsewhere(spec) if spec._store is None else spec.open()


# --- paths -----------------------------------------------------------------------------------------------------------


def is_upath(store: object) -> bool:
    """Return whether an object is a path of universal_pathlib."""
    kind = type(store)
    return all(hasattr(kind, name) for name in ("protocol", "path", "storage_options", "joinpath"))


def upath_location(path: Any, storage_options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the path or URL, and the storage options, of a path of universal_pathlib."""
    given = {**path.storage_options, **storage_options}
    url = str(path)
    if path.protocol in ("", "file", "local"):
        return os.fspath(path.path), {}
    if "::" in url:  # the options repeat what the URL says
        given = {name: value for name, value in given.items() if name not in ("fo", "target_protocol")}
        given = {name: value for name, value in given.items() if value != {}}
    return url, given
