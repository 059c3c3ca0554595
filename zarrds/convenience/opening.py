"""Open an array or a group, whichever is there, and show a hierarchy as a tree (manual 3.6)."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any, overload

from zarrds import _node
from zarrds._base.types import Mode, ShapeLike, ZarrFormat
from zarrds._format import (
    ArrayMeta,
    check_version,
)
from zarrds._store import (
    StoreLike,
    as_store,
    check_mode,
    normalize_path,
)
from zarrds.core import Array, open_existing
from zarrds.creation import open_array
from zarrds.errors import IgnoredArgumentWarning
from zarrds.hierarchy import Group, open_group
from zarrds.hierarchy import open_existing as open_existing_group
from zarrds.hierarchy.tree import TreeViewer

__all__ = ["open", "tree"]


@overload
def open(
    store: StoreLike | None = None,
    mode: Mode = "a",
    *,
    shape: ShapeLike,
    zarr_version: ZarrFormat | None = None,
    path: str | None = None,
    zarr_format: ZarrFormat | None = None,
    **kwargs: Any,
) -> Array: ...


@overload
def open(
    store: StoreLike | None = None,
    mode: Mode = "a",
    *,
    zarr_version: ZarrFormat | None = None,
    path: str | None = None,
    zarr_format: ZarrFormat | None = None,
    **kwargs: Any,
) -> Array | Group: ...


def open(
    store: StoreLike | None = None,
    mode: Mode = "a",
    *,
    zarr_version: ZarrFormat | None = None,
    path: str | None = None,
    zarr_format: ZarrFormat | None = None,
    **kwargs: Any,
) -> Array | Group:
    """Open a group or array using file-mode-like semantics.

    Parameters
    ----------
    store : MutableMapping or str, optional
        Store, path of a directory, or URL.
    mode : {'r', 'r+', 'a', 'w', 'w-'}, optional
        'r' read only (must exist); 'r+' read and write (must exist); 'a' read and write (create if it does not exist);
        'w' create (overwrite if it exists); 'w-' create (fail if it exists).
    zarr_version : {2, 3, None}, optional
        Format; if None, that of an existing node, or 2.
    path : str, optional
        The path within the store to open.
    zarr_format : {2, 3, None}, optional
        The same as `zarr_version`.
    **kwargs
        Passed to `open_array` or `open_group`. A new node is an array if `shape` is among them, else a group.

    Returns
    -------
    Array or Group
        Depending on the node at the path.

    Raises
    ------
    PathNotFoundError
        There is no node, and the mode does not create one.
    MetadataError
        The document of the node is broken.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.open("data/example.zarr", mode="w", shape=100, dtype="i4")
    <zarrds.core.Array (100,) int32>
    >>> zarrds.open("data/example.zarr", mode="r")
    <zarrds.core.Array (100,) int32 read-only>
    >>> zarrds.open("data/example.zarr", mode="w")
    <zarrds.hierarchy.Group '/'>
    """
    asked = check_version(zarr_version, zarr_format)
    check_mode(mode)
    where = normalize_path(path)
    options = kwargs.get("storage_options")
    real_store = store if store is None else as_store(store, mode=mode, storage_options=options)
    node = None
    if real_store is not None and mode in ("r", "r+", "a"):
        # on a slow network a second batch costs more than one more key
        near = real_store.profile.kind != "network"
        real_store, node = _node.locate_node(real_store, where, asked, mode, array_first=near)
        if node is None and mode != "a":
            raise _node.not_found(real_store, where)
    if isinstance(node, ArrayMeta):
        assert real_store is not None
        _warn_of_unknown(kwargs)
        return open_existing(real_store, where, node, mode, kwargs)
    if "shape" in kwargs and (node is None or mode == "a"):
        return open_array(real_store, mode=mode, path=where, zarr_format=asked, **kwargs)
    if node is not None:
        assert real_store is not None
        return open_existing_group(real_store, where, node, mode, kwargs)
    return open_group(real_store, mode=mode, path=where, zarr_format=asked, **kwargs)


_ARRAY_OPTIONS = frozenset(inspect.signature(open_array).parameters) | {"compression", "compression_opts", "fillvalue"}


def _warn_of_unknown(options: Mapping[str, Any]) -> None:
    for name in sorted(set(options) - _ARRAY_OPTIONS):
        warnings.warn(f"ignoring keyword argument {name!r}", IgnoredArgumentWarning, stacklevel=3)


def tree(grp: Any, expand: bool = False, level: int | None = None) -> TreeViewer:
    """Provide a print-able display of the hierarchy of a zarrds or h5py group.

    Parameters
    ----------
    grp : Group, h5py.Group, or anything that is accepted as a store
        Where to begin; a path, a URL or a store is opened to be read.
    expand : bool, optional
        Only relevant for HTML representation. If True, tree will be fully expanded.
    level : int, optional
        Maximum depth to descend into hierarchy.

    Returns
    -------
    TreeViewer
        Object that prints as the tree, in notebooks as HTML.

    Examples
    --------
    >>> import zarrds
    >>> root = zarrds.group()
    >>> _ = root.zeros("run/t", shape=4)
    >>> print(zarrds.tree(root))
    /
     └── run
         └── t (4,) float64
    """
    if not (hasattr(grp, "attrs") or hasattr(grp, "shape")):  # a path, a URL, a store: all that is no node
        grp = open(grp, mode="r")
    return TreeViewer(grp, expand=expand, level=level)
