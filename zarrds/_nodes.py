"""Nodes of a hierarchy: finding, loading, saving, creating and deleting arrays and groups in a store.

The only module above `_format` that knows under which keys documents lie. Requests are few and batched: loading a node
is one batch, creating one in a fresh place one batch of reads and one of writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from zarrds._format.meta import ArrayMeta, GroupMeta
from zarrds._format.v2 import (
    ARRAY_KEY,
    ATTRS_KEY,
    GROUP_KEY,
    format_array,
    format_group,
    parse_array,
    parse_group,
)
from zarrds._store.base import Store
from zarrds._types import Buf
from zarrds.errors import (
    ArrayNotFoundError,
    ContainsArrayError,
    ContainsGroupError,
    ForeignFilesError,
    GroupNotFoundError,
    MetadataError,
    PathNotFoundError,
    UnsupportedFormatError,
)

__all__ = [
    "DOCUMENT_NAMES",
    "array_documents",
    "child_nodes",
    "contains_array",
    "contains_group",
    "create_array",
    "create_group",
    "delete_node",
    "documents_below",
    "find_node",
    "load_array",
    "load_group",
    "node_key",
    "save_array",
]

Node = ArrayMeta | GroupMeta

DOCUMENT_NAMES = frozenset({ARRAY_KEY, GROUP_KEY, ATTRS_KEY, ".zmetadata"})
_CHUNK_NAME = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*")


def node_key(path: str, name: str) -> str:
    """Key of the document `name` of the node at `path`."""
    return f"{path}/{name}" if path else name


def find_node(store: Store, path: str) -> Node | None:
    """Load whatever is at `path`, in one batch; None when nothing is there."""
    array, group = store.get_many([(node_key(path, ARRAY_KEY), None), (node_key(path, GROUP_KEY), None)])
    return _parsed(store, path, array, group)


def _parsed(store: Store, path: str, array: Buf | None, group: Buf | None) -> Node | None:
    try:
        if array is not None:
            return parse_array(array, node_key(path, ARRAY_KEY))
        if group is not None:
            return parse_group(group, node_key(path, GROUP_KEY))
    except MetadataError as error:
        error.store = repr(store)
        raise
    return None


def load_array(store: Store, path: str) -> ArrayMeta:
    """Load the array at `path`, in one request; ArrayNotFoundError when there is none."""
    key = node_key(path, ARRAY_KEY)
    data = store.get_many([(key, None)])[0]
    if data is None:
        raise not_found(store, path, ArrayNotFoundError)
    meta = _parsed(store, path, data, None)
    assert isinstance(meta, ArrayMeta)
    return meta


def load_group(store: Store, path: str) -> GroupMeta:
    """Load the group at `path`, in one batch; ContainsArrayError or GroupNotFoundError when it is none."""
    node = find_node(store, path)
    if isinstance(node, ArrayMeta):
        raise ContainsArrayError(path=path)
    if node is None:
        raise not_found(store, path, GroupNotFoundError)
    return node


def not_found(store: Store, path: str, kind: type[PathNotFoundError] = PathNotFoundError) -> PathNotFoundError:
    """The error for a path with nothing at it, saying where was looked and what is there instead."""
    return kind(store=repr(store), path=path, hint=_whats_there(store, path))


def _whats_there(store: Store, path: str) -> str:
    """What a user may have meant: called only when something failed."""
    names = store.listdir(path)
    if "zarr.json" in names:
        raise UnsupportedFormatError(
            "this is a Zarr format 3 store, which zarrds does not read yet",
            store=repr(store),
            key=node_key(path, "zarr.json"),
        )
    if "attributes.json" in names:
        raise UnsupportedFormatError(
            "this looks like an N5 container, which zarrds does not read yet",
            store=repr(store),
            key=node_key(path, "attributes.json"),
        )
    if "meta" in names and "attrs" in names:
        raise UnsupportedFormatError(
            "this is a Zarr format 1 array, which zarrds does not read yet",
            store=repr(store),
            key=node_key(path, "meta"),
        )
    if not names:
        return "there is nothing below this path; check the spelling"
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"neither {ARRAY_KEY} nor {GROUP_KEY} is among what is there: {shown}"


def array_documents(store: Store, path: str) -> list[Buf | None]:
    """Texts of an array's document and of its attributes, None where absent."""
    return store.get_many([(node_key(path, name), None) for name in (ARRAY_KEY, ATTRS_KEY)])


def contains_array(store: Store, path: str) -> bool:
    """Whether an array's document is at `path`."""
    return node_key(path, ARRAY_KEY) in store


def contains_group(store: Store, path: str) -> bool:
    """Whether a group's document is at `path`."""
    return node_key(path, GROUP_KEY) in store


def child_nodes(store: Store, path: str) -> list[tuple[str, Node]]:
    """Direct members of the group at `path`, by name: one listing and one batch."""
    names = [name for name in store.listdir(path) if not name.startswith(".z")]
    keys = [node_key(node_key(path, name), document) for name in names for document in (ARRAY_KEY, GROUP_KEY)]
    found = iter(store.get_many([(key, None) for key in keys])) if keys else iter(())
    members = []
    for name in names:
        node = _parsed(store, node_key(path, name), next(found), next(found))
        if node is not None:
            members.append((name, node))
    return members


def documents_below(store: Store, path: str) -> dict[str, Buf]:
    """All documents at and below `path`, by key: level by level, one batch each; chunk keys are never listed."""
    found: dict[str, Buf] = {}
    level = [path]
    while level:
        keys = [node_key(p, name) for p in level for name in (ARRAY_KEY, GROUP_KEY, ATTRS_KEY)]
        values = store.get_many([(key, None) for key in keys])
        found.update((key, value) for key, value in zip(keys, values, strict=True) if value is not None)
        groups = [
            p for p in level if node_key(p, ARRAY_KEY) not in found and (p == path or node_key(p, GROUP_KEY) in found)
        ]
        level = [node_key(p, name) for p in groups for name in store.listdir(p) if not name.startswith(".z")]
    return found


def save_array(store: Store, path: str, meta: ArrayMeta) -> None:
    """Write an array's document."""
    store.set_many([(node_key(path, ARRAY_KEY), format_array(meta))])


def create_array(
    store: Store,
    path: str,
    meta: ArrayMeta,
    *,
    overwrite: bool = False,
    chunk_store: Store | None = None,
    known_group: str | None = None,
) -> None:
    """Create an array and the groups above it.

    `known_group` is a path at and above which the caller knows every node to be a group. Raises ContainsArrayError or
    ContainsGroupError unless `overwrite`.
    """
    document = (node_key(path, ARRAY_KEY), format_array(meta))
    _create(store, path, [document], overwrite=overwrite, chunk_store=chunk_store, known_group=known_group)


def create_group(
    store: Store,
    path: str,
    *,
    overwrite: bool = False,
    chunk_store: Store | None = None,
    known_group: str | None = None,
) -> None:
    """Create a group and the groups above it; see `create_array`."""
    document = (node_key(path, GROUP_KEY), format_group(GroupMeta()))
    _create(store, path, [document], overwrite=overwrite, chunk_store=chunk_store, known_group=known_group)


def _create(
    store: Store,
    path: str,
    documents: list[tuple[str, bytes]],
    *,
    overwrite: bool,
    chunk_store: Store | None,
    known_group: str | None,
) -> None:
    above = [p for p in _ancestors(path) if known_group is None or not _at_or_above(p, known_group)]
    here = [node_key(path, ARRAY_KEY), node_key(path, GROUP_KEY)]
    keys = here + [node_key(p, name) for p in above for name in (ARRAY_KEY, GROUP_KEY)]
    found = dict(zip(keys, store.get_many([(key, None) for key in keys]), strict=True))
    for p in above:
        if found[node_key(p, ARRAY_KEY)] is not None:
            raise ContainsArrayError("an array is where a group is needed", path=p)
    if overwrite:
        delete_node(store, path)
        if chunk_store is not None and chunk_store is not store:
            delete_node(chunk_store, path)
    elif found[here[0]] is not None:
        raise ContainsArrayError(path=path, hint="pass overwrite=True to replace it")
    elif found[here[1]] is not None:
        raise ContainsGroupError(path=path, hint="pass overwrite=True to replace it")
    groups = [node_key(p, GROUP_KEY) for p in above]
    missing: list[tuple[str, Buf]] = [(key, format_group(GroupMeta())) for key in groups if found[key] is None]
    # parents first, so that no reader finds a node whose parents are not there
    store.set_many([*missing, *documents])


def _ancestors(path: str) -> list[str]:
    parts = path.split("/") if path else []
    return ["/".join(parts[:n]) for n in range(len(parts))]


def _at_or_above(path: str, group: str) -> bool:
    return not path or path == group or group.startswith(path + "/")


def delete_node(store: Store, path: str) -> None:
    """Delete everything at and below `path`; on disks and networks nothing that zarrds does not know.

    Raises ForeignFilesError, before anything is deleted, when there are files that no hierarchy has.
    """
    if store.profile.kind != "memory":
        foreign = next(_foreign_keys(store, path), None)
        if foreign is not None:
            raise ForeignFilesError(
                store=repr(store),
                path=path,
                key=foreign,
                hint="nothing was deleted; move the file away, delete it yourself, or choose another path",
            )
    store.rmdir(path)


def _foreign_keys(store: Store, path: str) -> Iterator[str]:
    """Keys below `path` that are neither documents nor chunks of arrays."""
    names = store.listdir(path)
    is_array = ARRAY_KEY in names
    for name in names:
        if name in DOCUMENT_NAMES or (is_array and _CHUNK_NAME.fullmatch(name)):
            continue
        key = node_key(path, name)
        if store.listdir(key):
            yield from _foreign_keys(store, key)
        elif key in store:
            yield key


def expect_free(node: Node | None, path: str) -> None:
    """Raise when a node is where nothing should be."""
    if isinstance(node, ArrayMeta):
        raise ContainsArrayError(path=path)
    if node is not None:
        raise ContainsGroupError(path=path)


Mode = Literal["r", "r+", "a", "w", "w-", "x"]


def check_mode(mode: str, allowed: Sequence[str] = ("r", "r+", "a", "w", "w-", "x")) -> None:
    """Raise ValueError for a persistence mode that is not one."""
    if mode not in allowed:
        raise ValueError(f"mode must be one of {', '.join(map(repr, allowed))}, found {mode!r}")
