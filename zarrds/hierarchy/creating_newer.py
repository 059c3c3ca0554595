"""`create_group`, as Zarr-Python 3 has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zarrds import _node
from zarrds._base.types import ZarrFormat
from zarrds._format import GroupMeta, check_version
from zarrds._metadata import new_format
from zarrds._store import StoreLike, as_store, normalize_path
from zarrds.core import OpenOptions
from zarrds.creation.newer import format_at
from zarrds.hierarchy.groups import Group, opened_group

__all__ = ["create_group"]


def create_group(
    store: StoreLike,
    *,
    path: str | None = None,
    zarr_format: ZarrFormat | None = None,
    overwrite: bool = False,
    attributes: Mapping[str, Any] | None = None,
    storage_options: dict[str, Any] | None = None,
) -> Group:
    """Create a group with the keywords of Zarr-Python 3; unlike `zarrds.group` it opens none that exists.

    Parameters
    ----------
    store : MutableMapping or str
        Store, path of a directory, or URL.
    path : str, optional
        Path of the group in the store; the root by default.
    zarr_format : {2, 3}, optional
        Format; by default that of the groups above, or of a store that has one; else Zarr v3.
    overwrite : bool, default False
        Whether a node that is there is replaced.
    attributes : mapping, optional
        Attributes of the group.
    storage_options : dict, optional
        Options of the file system behind a URL.

    Returns
    -------
    Group
        The new group.

    Raises
    ------
    ContainsArrayError, ContainsGroupError
        A node is there, and `overwrite` is False.

    Examples
    --------
    >>> import zarrds
    >>> root = zarrds.create_group({}, attributes={"title": "winds"})
    >>> root.zarr_format, root.attrs["title"]
    (3, 'winds')
    """
    real_store, where = as_store(store, mode="w", storage_options=storage_options), normalize_path(path)
    number = check_version(None, zarr_format) or format_at(real_store, where)
    meta = GroupMeta(zarr_format=new_format(number, real_store))
    _node.create_group(real_store, where, meta, overwrite=overwrite, attributes=attributes or None)
    return opened_group(real_store, where, meta, OpenOptions())
