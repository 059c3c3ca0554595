"""Locks of documents: which keys a synchronizer locks when nodes are changed, created, moved or deleted.

One document has one lock, for all its parts: in Zarr v3 the key of ``zarr.json`` guards both shape and attributes of an
array. In Zarr v2 the keys are those that Zarr-Python 2 locks.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from zarrds._format import ATTRIBUTES_KEY, DOCUMENT_NAMES, formats_of
from zarrds._store import Store, ancestors
from zarrds.errors import SynchronizerPathError
from zarrds.sync import ProcessSynchronizer, Synchronizer, locked, require_synchronizer

__all__ = ["check_synchronizer", "document_locked", "structure_keys", "structure_locked"]


def document_locked(synchronizer: Synchronizer | None, store: Store, key: str) -> AbstractContextManager[None]:
    """Hold the locks that guard the document under a key."""
    return nullcontext() if synchronizer is None else locked(synchronizer, store.lock_keys(key))


def structure_locked(
    synchronizer: Synchronizer | None, store: Store, *paths: str, zarr_format: int | None = None
) -> AbstractContextManager[None]:
    """Hold the locks that guard the nodes at `paths` and the groups above them, to create, move or delete the nodes.

    Without a format, the locks of all formats are taken.
    """
    if synchronizer is None:
        return nullcontext()
    return locked(synchronizer, [key for path in paths for key in structure_keys(store, path, zarr_format)])


def structure_keys(store: Store, path: str, zarr_format: int | None = None) -> list[str]:
    """Return the keys whose locks guard creating, moving or deleting the node at `path`.

    They are the keys of all documents that the node may have, and of the groups above it, which may be created with it.
    Programs for Zarr v2 lock one of them, the ``.zgroup`` of the root, whatever they change in a hierarchy.
    """
    keys: list[str] = []
    for known in formats_of(zarr_format):
        keys += known.document_keys(path)
        keys += [known.node_keys(above)[-1] for above in ancestors(path)]
    return sorted({shared for key in keys for shared in store.lock_keys(key)})


def check_synchronizer(synchronizer: Synchronizer | None, path: str, *stores: Store | None) -> None:
    """Raise SynchronizerPathError if lock files would be among the files of the node at `path` in one of the stores.

    There, values would replace lock files or lock files values, and nothing would be guarded. Links and ``..`` are
    followed. A directory anywhere below a node on this machine is refused too: lock files have names of documents.

    Parameters
    ----------
    synchronizer : object
        What gives a lock for a key, or None.
    path : str
        Path of the node in the stores.
    *stores : Store
        Stores in which its files must not lie.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.parallel import check_synchronizer
    >>> from zarrds.storage import DirectoryStore
    >>> check_synchronizer(zarrds.ProcessSynchronizer("data/a.sync"), "", DirectoryStore("data/a.zarr"))
    """
    require_synchronizer(synchronizer)
    if not isinstance(synchronizer, ProcessSynchronizer):
        return
    locks = os.path.realpath(synchronizer.path)
    used = [locks, os.path.realpath(os.path.join(locks, path))]
    for store in stores:
        place = None if store is None else store.place()
        if place is not None and place.system == "file":
            root = "/" + place.path
            if any(directory == root or directory.startswith(root.rstrip("/") + "/") for directory in used):
                raise _misplaced(synchronizer, store)
    if any(_holds_documents(directory) for directory in (locks, *map(str, Path(locks).parents))):
        raise _misplaced(synchronizer, stores[0])


def _holds_documents(directory: str) -> bool:
    """Return whether a directory is a node of a hierarchy; empty files are lock files, even with names of documents."""
    for name in (*DOCUMENT_NAMES, ATTRIBUTES_KEY):
        try:
            if os.stat(os.path.join(directory, name)).st_size:
                return True
        except OSError:
            continue
    return False


def _misplaced(synchronizer: ProcessSynchronizer, store: Store | None) -> SynchronizerPathError:
    return SynchronizerPathError(
        store=repr(store),
        path=synchronizer.path,
        hint="give ProcessSynchronizer a directory of its own outside the store, such as the path of the store "
        "with '.sync' at its end",
    )
