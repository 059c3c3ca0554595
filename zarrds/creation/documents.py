"""New nodes as values: what a user asks for becomes metadata and documents; no I/O (manual 3.1, 3.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zarrds import storage
from zarrds._format import CONSOLIDATED_KEY, GroupMeta, consolidate_documents, format_of
from zarrds._metadata import array_meta
from zarrds._node import NewArray, NewGroup
from zarrds._store import normalize_path

__all__ = ["NewArray", "NewGroup", "consolidated", "new_array", "new_group"]


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


def consolidated(documents: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Return the document with the consolidated metadata of a new hierarchy: its key and text.

    Parameters
    ----------
    documents : iterable of (str, bytes)
        Keys and texts of the documents of all its nodes; one of them is the root group. Of several with one key, the
        last one counts.

    Returns
    -------
    list of (str, bytes)
        In Zarr v2 the document ``.zmetadata``; in Zarr v3 that of the root group, which contains them.

    Examples
    --------
    >>> nodes = [new_group("", zarr_format=2), new_array("a", shape=10, zarr_format=2)]
    >>> [key for key, text in consolidated(document for node in nodes for document in node.documents())]
    ['.zmetadata']
    """
    return consolidate_documents(dict(documents), CONSOLIDATED_KEY)[1]
