"""`create_group` and `create_hierarchy`, as Zarr-Python 3 has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from zarrds import _node
from zarrds._base.types import ZarrFormat
from zarrds._format import FORMATS, ArrayMeta, GroupMeta, check_version, dumps, format_of
from zarrds._metadata import new_format
from zarrds._store import Store, StoreLike, ancestors, as_store, normalize_path
from zarrds.core import Array, OpenOptions, opened_array
from zarrds.creation.newer import format_at
from zarrds.errors import ArgumentError, ArgumentTypeError
from zarrds.hierarchy.groups import Group, opened_group

__all__ = ["create_group", "create_hierarchy"]


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


def create_hierarchy(
    store: StoreLike, nodes: Mapping[str, Any], *, overwrite: bool = False
) -> Iterator[tuple[str, Array | Group]]:
    """Create arrays and groups from their metadata, and the groups above them that are missing.

    Everything is parsed, and looked for, before anything is written. All nodes exist when this returns. If another
    writer creates one of them meanwhile, that one is an error, and nodes before it in the order of paths stay.

    Parameters
    ----------
    store : MutableMapping or str
        Store, path of a directory, or URL.
    nodes : mapping
        Metadata by paths ("" is the root): documents as in ``zarr.json`` or ``.zarray`` with ``attributes`` among their
        members, or objects whose ``to_dict`` returns one, such as `Array.metadata` and `Group.metadata`.
    overwrite : bool, default False
        Whether nodes that are there are replaced.

    Returns
    -------
    iterator of (str, Array or Group)
        Path and node of all that were asked for, in the order of paths.

    Raises
    ------
    ContainsArrayError, ContainsGroupError
        A node is there, and `overwrite` is False; or what is above is no group of that format.
    MetadataError
        A document is not valid.
    ArgumentError
        The nodes are not of one format, or an array is given where a group is needed.

    Examples
    --------
    >>> import zarrds
    >>> like = zarrds.zeros((4, 6), chunks=(2, 3), dtype="i2", zarr_format=3).metadata
    >>> group = {"zarr_format": 3, "node_type": "group", "attributes": {"title": "winds"}}
    >>> nodes = dict(zarrds.create_hierarchy({}, {"": group, "a/u": like, "a/v": like}))
    >>> nodes["a/u"], nodes[""].attrs["title"]
    (<zarrds.core.Array '/a/u' (4, 6) int16>, 'winds')
    """
    real_store = as_store(store, mode="w")
    asked = {normalize_path(path): _parsed(normalize_path(path), metadata) for path, metadata in nodes.items()}
    if len(asked) < len(nodes):
        raise ArgumentError("two metadata are given for one path", expected=sorted(asked), found=sorted(nodes))
    metas = {path: meta for path, (meta, _) in asked.items()}
    _expect_one_hierarchy(metas)
    _expect_room(real_store, metas, overwrite)
    return iter([(path, _created(real_store, path, *asked[path], overwrite)) for path in sorted(asked)])


def _parsed(path: str, metadata: Any) -> tuple[ArrayMeta | GroupMeta, dict[str, Any]]:
    """Return metadata and attributes of what a user gives for one node."""
    document = metadata.to_dict() if hasattr(metadata, "to_dict") else metadata
    if not isinstance(document, Mapping):
        hint = "give a document such as that in zarr.json, or the metadata of a node"
        raise ArgumentTypeError("this is no metadata", path=path, found=type(metadata).__name__, hint=hint)
    members = {name: value for name, value in document.items() if (name, value) != ("consolidated_metadata", None)}
    number = check_version(None, members.get("zarr_format"))
    known = format_of(3 if number is None else number)
    known.check_path(path)
    attributes = members.get("attributes") or {}
    if not isinstance(attributes, Mapping):
        raise ArgumentTypeError("attributes are a mapping from names to values", path=path, found=repr(attributes))
    if known.one_document:
        node = known.parse_node(path, [dumps({**members, "attributes": {}}, path)])
    else:
        text = dumps({name: value for name, value in members.items() if name not in ("attributes", "node_type")}, path)
        node = known.parse_node(path, [text, None] if "shape" in members else [None, text])
    assert node is not None
    return node, dict(attributes)


def _expect_one_hierarchy(metas: Mapping[str, ArrayMeta | GroupMeta]) -> None:
    """Raise if the nodes cannot be in one hierarchy: all have one format, and arrays have no members."""
    formats = sorted({meta.zarr_format for meta in metas.values()})
    if len(formats) > 1:
        raise ArgumentError("all nodes of a hierarchy have one format", expected="one zarr_format", found=formats)
    for path in metas:
        for above in ancestors(path):
            if isinstance(metas.get(above), ArrayMeta):
                raise ArgumentError("an array is given where a group is needed", path=above, found=path)


def _expect_room(store: Store, metas: Mapping[str, ArrayMeta | GroupMeta], overwrite: bool) -> None:
    """Raise if something is in the way of a node, at its path or above it; all is looked for in one batch."""
    paths = sorted({*metas, *(above for path in metas for above in ancestors(path))})
    found = dict(zip(paths, _node.look(store, paths, FORMATS), strict=True))
    for path, meta in metas.items():
        kind = _node.first_kind(found[path])
        if kind is not None and not overwrite:
            raise _node.already_there(kind, path, store, "overwrite=True replaces it")
        _node.missing_groups([found[above] for above in ancestors(path)], meta, overwrite=overwrite)


def _created(
    store: Store, path: str, meta: ArrayMeta | GroupMeta, attributes: dict[str, Any], overwrite: bool
) -> Array | Group:
    if isinstance(meta, ArrayMeta):
        made = _node.create_array(store, path, meta, overwrite=overwrite, attributes=attributes or None)
        return opened_array(store, path, made, OpenOptions())
    _node.create_group(store, path, meta, overwrite=overwrite, attributes=attributes or None)
    return opened_group(store, path, meta, OpenOptions())
