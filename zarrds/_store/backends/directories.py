"""Special directory stores: with nested chunk directories, and in a temporary directory."""

from __future__ import annotations

import atexit
import os
import tempfile
from typing import Any

from zarrds._base.types import Separator
from zarrds._store.backends.directory import DirectoryStore
from zarrds._store.backends.files import remove_tree
from zarrds._store.spec import StoreSpec
from zarrds.errors import ArgumentError

__all__ = ["NestedDirectoryStore", "TempStore"]


class NestedDirectoryStore(DirectoryStore):
    """A directory store whose arrays nest their chunk files in directories, one level per dimension.

    Parameters
    ----------
    path : str or os.PathLike
        Directory that is the root of the store.
    normalize_keys : bool, default False
        Whether keys are converted to lower case.
    dimension_separator : {"/"}, optional
        Separator of chunk keys; only ``/``.
    fsync : bool, default False
        As for `DirectoryStore`.

    Examples
    --------
    >>> from zarrds.storage import NestedDirectoryStore
    >>> NestedDirectoryStore("example.zarr").dimension_separator
    '/'
    """

    __module__ = "zarrds.storage"

    def __init__(
        self,
        path: str | os.PathLike[str],
        normalize_keys: bool = False,
        dimension_separator: Separator | None = "/",
        *,
        fsync: bool = False,
    ) -> None:
        if dimension_separator not in (None, "/"):
            raise ArgumentError(
                f"NestedDirectoryStore only supports '/' as dimension_separator, found {dimension_separator!r}"
            )
        super().__init__(path, normalize_keys, "/", fsync=fsync)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NestedDirectoryStore) and self.path == other.path

    __hash__ = None


class TempStore(DirectoryStore):
    """A directory store in a temporary directory, which is removed when the process ends.

    Other processes see it as a `DirectoryStore` over the same directory.

    Parameters
    ----------
    suffix, prefix : str
        End and beginning of the directory's name.
    dir : str, optional
        Where to create the directory; the system's place for temporary files if not given.
    normalize_keys : bool, default False
        Whether keys are converted to lower case.
    dimension_separator : {".", "/"}, optional
        Separator of chunk keys in arrays created here.

    Examples
    --------
    >>> from zarrds.storage import TempStore
    >>> TempStore().listdir()
    []
    """

    __module__ = "zarrds.storage"

    def __init__(
        self,
        suffix: str = "",
        prefix: str = "zarr",
        dir: str | os.PathLike[str] | None = None,
        normalize_keys: bool = False,
        dimension_separator: Separator | None = None,
    ) -> None:
        path = tempfile.mkdtemp(suffix, prefix, None if dir is None else os.fspath(dir))
        super().__init__(path, normalize_keys, dimension_separator)
        atexit.register(remove_tree, self.path, os.getpid())

    def _shared(self) -> DirectoryStore:
        return DirectoryStore(self.path, self.normalize_keys, self.dimension_separator)

    def spec(self) -> StoreSpec:
        return self._shared().spec()

    def __reduce__(self) -> tuple[Any, ...]:
        return self._shared().__reduce__()
