"""New nodes as values: what a user asks for becomes metadata and documents; no I/O (manual 3.1, 3.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zarrds import storage
from zarrds._engine import ChunkSource
from zarrds._format import CONSOLIDATED_KEY, ArrayMeta, GroupMeta, consolidate_documents, format_of
from zarrds._metadata import array_meta
from zarrds._node import node_documents
from zarrds._store import Store, normalize_path
from zarrds._types import Shape

__all__ = ["NewArray", "NewGroup", "consolidated", "new_array", "new_group"]


@dataclass(frozen=True, slots=True)
class NewGroup:
    """A group to be created.

    Attributes
    ----------
    path : str
        Path of the group.
    meta : GroupMeta
        Its metadata.
    attributes : mapping, optional
        Its attributes; None: it has none.
    """

    path: str
    meta: GroupMeta
    attributes: Mapping[str, Any] | None = None

    def documents(self) -> list[tuple[str, bytes]]:
        """Return the keys and texts that make the group; the one that makes it a node is last."""
        return node_documents(self.path, self.meta, self.attributes)


@dataclass(frozen=True, slots=True)
class NewArray:
    """An array to be created.

    Attributes
    ----------
    path : str
        Path of the array.
    meta : ArrayMeta
        Its metadata.
    attributes : mapping, optional
        Its attributes; None: it has none.
    """

    path: str
    meta: ArrayMeta
    attributes: Mapping[str, Any] | None = None

    @property
    def write_unit(self) -> Shape:
        """Shape of what is stored under one key: a chunk, or a shard."""
        return self.meta.write_unit

    def documents(self) -> list[tuple[str, bytes]]:
        """Return the keys and texts that make the array; the one that makes it a node is last."""
        return node_documents(self.path, self.meta, self.attributes)

    def source(self, store: Store) -> ChunkSource:
        """Return the source through which data are written, once the documents are in `store`."""
        return ChunkSource(store.spec(), self.path, self.meta)


def new_array(
    path: str,
    *,
    zarr_format: int,
    fill_value: Any = 0,
    attributes: Mapping[str, Any] | None = None,
    store_separator: str | None = None,
    **options: Any,
) -> NewArray:
    """Return an array to be created: what `create` writes, as a value; nothing is read or written.

    Parameters
    ----------
    path : str
        Path of the array.
    zarr_format : {2, 3}
        Format of the array.
    fill_value : object
        Value of uninitialised portions of the array, by default 0; None: undefined.
    attributes : mapping, optional
        Attributes of the array; values must be JSON serializable.
    store_separator : {".", "/"}, optional
        Separator of chunk keys if `dimension_separator` is not among the options: that of the store.
    **options
        ``shape``, and other options for new arrays, as for `create`: ``chunks``, ``dtype``, ``compressor``, ...

    Returns
    -------
    NewArray

    Raises
    ------
    ValueError, TypeError
        An option cannot be used, or the path is not possible in that format.

    Examples
    --------
    >>> new = new_array("a/b", shape=10, dtype="i4", zarr_format=2, attributes={"units": "m"})
    >>> [key for key, text in new.documents()]
    ['a/b/.zattrs', 'a/b/.zarray']
    """
    where = normalize_path(path)
    meta = array_meta(
        zarr_format=zarr_format,
        default_compressor=storage.default_compressor,
        fill_value=fill_value,
        store_separator=store_separator,
        **options,
    )
    format_of(meta).check_path(where)
    return NewArray(where, meta, attributes)


def new_group(path: str, *, zarr_format: int, attributes: Mapping[str, Any] | None = None) -> NewGroup:
    """Return a group to be created, as a value; nothing is read or written.

    Parameters
    ----------
    path : str
        Path of the group.
    zarr_format : {2, 3}
        Format of the group.
    attributes : mapping, optional
        Attributes of the group; values must be JSON serializable.

    Returns
    -------
    NewGroup

    Raises
    ------
    ValueError
        The path is not possible in that format.

    Examples
    --------
    >>> [key for key, text in new_group("a", zarr_format=3).documents()]
    ['a/zarr.json']
    """
    where = normalize_path(path)
    meta = GroupMeta(zarr_format=zarr_format)
    format_of(meta).check_path(where)
    return NewGroup(where, meta, attributes)


def consolidated(nodes: Iterable[NewArray | NewGroup]) -> list[tuple[str, bytes]]:
    """Return the document with the consolidated metadata of a new hierarchy: its key and text.

    Parameters
    ----------
    nodes : iterable of NewArray and NewGroup
        All nodes of the hierarchy; one of them is the root group.

    Returns
    -------
    list of (str, bytes)
        In Zarr v2 the document ``.zmetadata``; in Zarr v3 that of the root group, which contains them.

    Examples
    --------
    >>> root = new_group("", zarr_format=2)
    >>> [key for key, text in consolidated([root, new_array("a", shape=10, zarr_format=2)])]
    ['.zmetadata']
    """
    documents = dict(document for node in nodes for document in node.documents())
    return consolidate_documents(documents, CONSOLIDATED_KEY)[1]
