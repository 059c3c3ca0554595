"""Consolidate the metadata of a hierarchy into one value, and open it by that (manual 3.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from zarrds import _node
from zarrds._base.types import Mode, ZarrFormat
from zarrds._format import (
    CONSOLIDATED_KEY,
    Consolidated,
    GroupMeta,
    check_version,
    format_of,
)
from zarrds._store import (
    ConsolidatedMetadataStore,
    ExperimentalV3Store,
    N5Mapping,
    Store,
    StoreLike,
    as_store,
    check_mode,
    normalize_path,
)
from zarrds.convenience.opening import open
from zarrds.core import Array
from zarrds.errors import ConflictError, GroupNotFoundError, MetadataError
from zarrds.hierarchy import Group

__all__ = ["consolidate_metadata", "open_consolidated"]


def consolidate_metadata(
    store: StoreLike,
    metadata_key: str = CONSOLIDATED_KEY,
    *,
    path: str | None = "",
    only: Iterable[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    zarr_version: ZarrFormat | None = None,
    zarr_format: ZarrFormat | None = None,
) -> Array | Group:
    """Consolidate all metadata of a hierarchy into a single document.

    Groups are listed level by level and chunk keys never, so the cost depends only on the number of nodes; documents
    are read in batches. The new document replaces an old one in one atomic write.

    Parameters
    ----------
    store : MutableMapping or str
        Store, path of a directory, or URL.
    metadata_key : str
        Key of the consolidated metadata in Zarr v2; Zarr v3 keeps them in the document of the group.
    path : str, optional
        Group to return; the root by default. Zarr v2 always consolidates the whole store, Zarr v3 that group.
    only : iterable of str, optional
        Paths, in the store, of nodes that have changed: only these are read, and replace what the consolidated
        metadata have. A node that is gone is removed, with all below it. Several such calls may meet.
    storage_options : dict, optional
        Options of the file system behind a URL.
    zarr_version, zarr_format : {2, 3, None}, optional
        Format; detected if None.

    Returns
    -------
    Group or Array
        The node at `path`, opened with the new consolidated metadata.

    Raises
    ------
    GroupNotFoundError
        There is no hierarchy to consolidate.
    ConsolidatedNotFoundError
        With `only`: there are no consolidated metadata yet.
    MetadataError
        A document is broken; the old consolidated metadata stays.
    ConflictError
        Others change the document of the group again and again (Zarr v3).

    Examples
    --------
    >>> import zarrds
    >>> root = zarrds.open_group("data/group.zarr", mode="w")
    >>> _ = root.zeros("foo/bar", shape=10)
    >>> zarrds.consolidate_metadata("data/group.zarr").foo.bar
    <zarrds.core.Array '/foo/bar' (10,) float64>
    """
    asked = check_version(zarr_version, zarr_format)
    real_store = as_store(store, mode="r+", storage_options=storage_options)
    where = normalize_path(path)
    node = _node.find_node(real_store, where, asked) if where else None
    root = where if isinstance(node, GroupMeta) and format_of(node).one_document else ""
    if only is not None:
        refreshed, above = _node.refresh_consolidated(real_store, only, metadata_key, root)
        known = ConsolidatedMetadataStore.just_written(real_store, metadata_key, refreshed, above)
        return open(known, mode="r+", path=where, chunk_store=real_store)
    written = _consolidated(real_store, metadata_key, root, asked)
    real_store.flush()
    metadata = ConsolidatedMetadataStore.just_written(real_store, metadata_key, written, root)
    return open(metadata, mode="r+", path=where, chunk_store=real_store)


_ATTEMPTS = 10


def _consolidated(store: Store, metadata_key: str, root: str, zarr_format: int | None) -> Consolidated:
    """Read all documents, and write and return the consolidated metadata.

    If others change them meanwhile, or in Zarr v3 the group's own document, in which they are, all is done again.
    """
    for _ in range(_ATTEMPTS):
        before = store.get_many([(metadata_key, None)])[0] if store.can_set_if and zarr_format != 3 else None
        documents = _node.documents_below(store, root, zarr_format, listed=True)
        if not documents:
            raise _nothing_to_consolidate(store, root)
        written = _node.write_consolidated(store, documents, metadata_key, root, compare=True, before=before)
        if written is not None:
            return written
    raise ConflictError(
        "others change the document of the consolidated metadata again and again",
        store=repr(store),
        path=root,
        hint="consolidate when they are done",
    )


def _nothing_to_consolidate(store: Store, root: str) -> GroupNotFoundError:
    """Return the error for a store without documents of Zarr v2 or v3; it says how N5 is consolidated."""
    if isinstance(_node.other_layout(store, "r"), N5Mapping):
        hint = "this is N5: give zarrds.N5Store(path), here and to open_consolidated"
        return GroupNotFoundError(store=repr(store), path=root, hint=hint)
    return cast("GroupNotFoundError", _node.not_found(store, root, GroupNotFoundError))


def open_consolidated(
    store: StoreLike, metadata_key: str = CONSOLIDATED_KEY, mode: Mode = "r+", **kwargs: Any
) -> Array | Group:
    """Open a hierarchy with consolidated metadata: one batch of requests reads all metadata.

    Parameters
    ----------
    store : MutableMapping or str
        Store, path of a directory, or URL.
    metadata_key : str
        Key to read the consolidated metadata from.
    mode : {'r', 'r+'}, optional
        'r' read only; 'r+' data may be written, metadata not.
    **kwargs
        Passed to `open_array` or `open_group`, and ``storage_options``.

    Returns
    -------
    Group or Array
        The node at the root of the store, with metadata from the one document.

    Raises
    ------
    KeyError
        There is no consolidated metadata.
    MetadataError
        It is broken.

    See Also
    --------
    consolidate_metadata

    Examples
    --------
    >>> import zarrds
    >>> root = zarrds.group()
    >>> _ = root.zeros("t", shape=4)
    >>> _ = zarrds.consolidate_metadata(root.store)
    >>> zarrds.open_consolidated(root.store)["t"].shape
    (4,)
    """
    check_mode(mode, ("r", "r+"))
    real_store = as_store(store, mode=mode, storage_options=kwargs.pop("storage_options", None))
    path = kwargs.pop("path", None)
    try:
        metadata = ConsolidatedMetadataStore(real_store, metadata_key=metadata_key, path=normalize_path(path))
    except (KeyError, MetadataError):
        experimental = _node.other_layout(real_store, mode)
        if not isinstance(experimental, ExperimentalV3Store):
            raise
        return open(ExperimentalV3Store(real_store, consolidated=True), mode=mode, path=path)
    given = kwargs.pop("chunk_store", None)  # a store without keys is false
    chunk_store = real_store if given is None else given
    found: Array | Group = open(metadata, mode=mode, path=path, chunk_store=chunk_store, **kwargs)
    return found
