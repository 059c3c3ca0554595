"""Where a rechunked dataset goes, and where its blocks are until then."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import zarrds
from xarray_backend.storing import is_consolidated
from zarrds import Group
from zarrds.errors import ArgumentError, ContainsArrayError, NotErasableError, PathNotFoundError
from zarrds.storage import DirectoryStore, MemoryStore, Store, WrapperStore, as_store, refuse_overlap

__all__ = ["Place", "as_dict", "name_of", "place_of_blocks"]

_FOLDER = "zarrds-tmp-"
"""Beginning of the names of places for blocks."""
_GROUP_DOCUMENTS = {".zgroup", ".zattrs", ".zmetadata", "zarr.json"}


@dataclass(frozen=True)
class Place:
    """Where a rechunked dataset goes, and where its blocks are stored before."""

    store: Any
    path: str
    storage_options: dict[str, Any] | None
    blocks: Any = None
    blocks_options: Mapping[str, Any] | None = None
    folder: str = ""

    @property
    def blocks_path(self) -> str:
        """Path of the group of the blocks in their store."""
        return f"{self.folder}/blocks".lstrip("/")

    def open_group(self) -> Group:
        """Return the target."""
        return zarrds.open_group(self.store, mode="r+", path=self.path, storage_options=self.storage_options)

    def open_blocks(self) -> Group | None:
        """Return the group of the blocks, if it is there."""
        try:
            return zarrds.open_group(
                self.blocks, mode="r+", path=self.blocks_path, storage_options=as_dict(self.blocks_options)
            )
        except PathNotFoundError:
            return None

    def _open_store(self) -> Store:
        """Return the store of the blocks."""
        return as_store(self.blocks, mode="a", storage_options=as_dict(self.blocks_options))

    @property
    def _complete_key(self) -> str:
        return f"{self.folder}/complete".lstrip("/")

    @property
    def _above_key(self) -> str:
        return f"{self.folder}/above".lstrip("/")

    def check_store_of_blocks(self) -> None:
        """Raise an error if the target would replace the blocks, or is among them, or if they could not be deleted."""
        if not self._open_store().is_erasable():
            raise NotErasableError(
                "blocks are deleted at the end, and this temp_store deletes nothing",
                found=repr(self._open_store()),
                hint="choose a directory, a URL or another store",
            )
        target = as_store(self.store, mode="a", storage_options=self.storage_options)
        refuse_overlap(
            [self._open_store().place(self.folder)],
            [target.place(self.path)],
            path=self.path,
            hint="choose a temp_store outside of the target",
        )

    def note_group_above(self) -> None:
        """Record what is at the root of the store of the blocks: writing them makes a group there.

        Jobs that share the store record what was there before all of them.
        """
        store = self._open_store()
        folders = [name for name in store.listdir() if name.startswith(_FOLDER)]
        earlier = [value for value in store.get_many([(f"{name}/above", None) for name in folders]) if value]
        if self.folder and earlier:
            store.set_many([(self._above_key, bytes(earlier[0]))])
        elif self.folder:
            found = [word for word in ("group", "consolidated") if _has(store, word)]
            store.set_many([(self._above_key, " ".join(found).encode() or b"nothing")])

    def consolidate(self, target: Group) -> None:
        """Consolidate the metadata of the target, if those of the blocks, below a root that others own, are not."""
        if self.folder:
            where = self.path if target.zarr_format == 3 else ""
            zarrds.consolidate_metadata(target.store, path=where, zarr_format=target.zarr_format)

    def _restore_group_above(self, store: Store, before: str) -> None:
        """Make the group at the root what it was before, once no job has blocks in the store.

        A group that others use by now stays. What they create between the last look and the deletion is then without a
        group above it; no store can do both in one step.
        """
        if "consolidated" in before:
            zarrds.consolidate_metadata(store)
        elif "group" not in before and _has_unused_group(store):
            store.delete_many(list(_GROUP_DOCUMENTS))

    def note_completion(self) -> None:
        """Record that all blocks are stored, so that they are not computed again."""
        group = self.open_blocks()
        if group is not None:
            group.store.set_many([(self._complete_key, b"1")])

    def has_all_blocks(self) -> bool:
        """Return whether an earlier run has stored all blocks: documents and receipts alone do not say so."""
        group = self.open_blocks()
        return group is not None and self._complete_key in group.store

    def remove_blocks(self) -> None:
        """Delete the blocks, and what was made for them, which may be less than their group."""
        group = self.open_blocks()
        if group is None and not self.folder:
            return
        store = self._open_store() if group is None else group.store
        (above,) = store.get_many([(self._above_key, None)])
        store.rmdir(self.folder)
        if above is not None:
            self._restore_group_above(store, bytes(above).decode())
        files = _files_of(store)
        if not self.folder and isinstance(files, DirectoryStore):
            with suppress(OSError):
                os.rmdir(files.path)  # it was made for the blocks

    def __str__(self) -> str:
        return f"{self.path or '/'} of {self.store if isinstance(self.store, (str, os.PathLike)) else repr(self.store)}"


def _has(store: Store, what: str) -> bool:
    """Return whether a store has a node at its root, or consolidated metadata."""
    return is_consolidated(store) if what == "consolidated" else any(key in store for key in _GROUP_DOCUMENTS)


def _has_unused_group(store: Store) -> bool:
    """Return whether nobody uses the group at the root: no attributes, no members, no blocks of other jobs."""
    if any(name.startswith(_FOLDER) for name in store.listdir()):
        return False
    try:
        root = zarrds.open_group(store, mode="r")
        return not root.attrs.asdict() and next(iter(root), None) is None
    except (PathNotFoundError, ContainsArrayError):
        return False


def name_of(store: Any) -> Any:
    """Return what tells targets apart: the path or URL as it is given, or the place of a store."""
    if isinstance(store, (str, os.PathLike)):
        return os.fspath(store)
    place = as_store(store, mode="a").place()
    return place.system, place.path


def as_dict(options: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return options as a dict of their own."""
    return None if options is None else dict(options)


def place_of_blocks(
    store: Any, temp_store: Any, token: str, ours: Mapping[str, Any] | None, of_temp: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the store for the blocks of a dataset, and the path in it below which nothing else is.

    The target gets fill values and attributes from the blocks. N5 has no fill values and other attributes, so blocks
    are in N5 if the target is, and only then.
    """
    name = f"{_FOLDER}{token}"
    in_n5 = _is_n5(store)
    name_in_directory = f"{name}.n5" if in_n5 else name
    if temp_store is not None:
        is_other = _is_n5(temp_store) and not in_n5
        blocks = _files_of(temp_store, of_temp) if is_other else temp_store
        if isinstance(temp_store, (str, os.PathLike)) and not _is_n5(temp_store) and _is_directory(temp_store):
            return {"blocks": f"{os.fspath(temp_store).rstrip('/')}/{name_in_directory}", "blocks_options": of_temp}
        return {"blocks": blocks, "blocks_options": of_temp, "folder": name}
    if isinstance(store, (str, os.PathLike)):
        return {"blocks": f"{os.fspath(store).rstrip('/')}.{name_in_directory}", "blocks_options": ours}
    if isinstance(store, MemoryStore) or (isinstance(store, MutableMapping) and not isinstance(store, Store)):
        return {"blocks": MemoryStore()}
    raise ArgumentError("give a temp_store: without a path or URL of the target there is no place beside it for blocks")


def _is_n5(store: Any) -> bool:
    if isinstance(store, (str, os.PathLike)):
        return os.fspath(store).rstrip("/").endswith(".n5")
    return isinstance(store, Store) and not store.keeps_documents


def _is_directory(place: str | os.PathLike[str]) -> bool:
    """Return whether what is at a path or URL may have a directory in it that is a store of its own."""
    text = os.fspath(place)
    return not (text.endswith(".zip") or "|" in text or "::" in text)


def _files_of(store: Any, storage_options: Mapping[str, Any] | None = None) -> Store:
    """Return the store with the files of an N5 container, in which a hidden folder may be of Zarr; any other itself."""
    found = as_store(store, mode="a", storage_options=storage_options)
    while isinstance(found, WrapperStore) and not found.keeps_documents:
        found = found.store
    return found
