"""Nodes of a hierarchy: finding, loading, saving, creating and deleting arrays and groups in a store.

The only module above `_format` that knows under which keys documents lie. Requests are few and batched: loading a node
is one batch, creating one in a fresh place one batch of reads and one of writes, deleting one a single listing before.
Where a store has the documents in memory already (consolidated metadata), they are taken as they are, and each is
parsed only when its node is opened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Literal, NamedTuple

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
from zarrds._store.consolidated import DocumentStore
from zarrds._store.paths import level
from zarrds._types import Buf
from zarrds.errors import (
    ArrayNotFoundError,
    ContainsArrayError,
    ContainsGroupError,
    ForeignFilesError,
    GroupNotFoundError,
    MetadataError,
    PathNotFoundError,
    ReadOnlyError,
    UnsupportedFormatError,
)

__all__ = [
    "DOCUMENT_NAMES",
    "array_documents",
    "child_kinds",
    "child_nodes",
    "contains_array",
    "contains_group",
    "create_array",
    "create_group",
    "delete_node",
    "documents_below",
    "find_node",
    "has_node",
    "keys_below",
    "load_array",
    "load_group",
    "move_node",
    "node_key",
    "save_array",
]

Node = ArrayMeta | GroupMeta

DOCUMENT_NAMES = frozenset({ARRAY_KEY, GROUP_KEY, ATTRS_KEY, ".zmetadata"})
_CHUNK_KEY = re.compile(r"(?:0|[1-9][0-9]*)(?:[./](?:0|[1-9][0-9]*))*")
_SYSTEM_NAME = re.compile(r"\.DS_Store|\._.+|Thumbs\.db|desktop\.ini")
_ABANDONED = re.compile(r"\.[0-9a-f]{32}\.partial$")


def node_key(path: str, name: str) -> str:
    """Key of the document `name` of the node at `path`."""
    return f"{path}/{name}" if path else name


def find_node(store: Store, path: str) -> Node | None:
    """Load whatever is at `path`, in one batch; None when nothing is there."""
    return _nodes_at(store, [path])[0]


def _nodes_at(store: Store, paths: Sequence[str]) -> list[Node | None]:
    """Load what is at each of several paths, in one batch."""
    if isinstance(store, DocumentStore):
        return [_known_node(store, path) for path in paths]
    found = iter(store.get_many(_requests(paths)) if paths else ())
    return [_parsed(store, path, next(found), next(found)) for path in paths]


def _requests(paths: Iterable[str]) -> list[tuple[str, None]]:
    return [(prefix + name, None) for prefix in map(level, paths) for name in (ARRAY_KEY, GROUP_KEY)]


def _known_node(store: DocumentStore, path: str) -> Node | None:
    prefix, documents = level(path), store.documents
    if prefix + ARRAY_KEY in documents:
        return _parsed(store, path, _text(documents[prefix + ARRAY_KEY]), None)
    if prefix + GROUP_KEY in documents:
        return _parsed(store, path, None, _text(documents[prefix + GROUP_KEY]))
    return None


def _text(document: object) -> bytes:
    """Text of a document that was parsed: any text will do, and the shortest is the fastest to make and to look up."""
    return document if isinstance(document, bytes) else json.dumps(document).encode("ascii")


def _parsed(store: Store, path: str, array: Buf | None, group: Buf | None) -> Node | None:
    try:
        if array is not None:
            return parse_array(array, node_key(path, ARRAY_KEY))
        if group is not None:
            return _parsed_group(group, node_key(path, GROUP_KEY))
    except MetadataError as error:
        error.store = repr(store)
        raise
    return None


def _parsed_group(text: Buf, where: str) -> GroupMeta:
    return _PLAIN_GROUP if text == _PLAIN_GROUP_TEXT else parse_group(text, where)


_PLAIN_GROUP = GroupMeta()
_PLAIN_GROUP_TEXT = format_group(_PLAIN_GROUP)


def has_node(store: Store, path: str) -> bool:
    """Whether there is an array or a group at `path`; documents are not parsed."""
    if isinstance(store, DocumentStore):
        return any(key in store.documents for key, _ in _requests([path]))
    return any(found is not None for found in store.get_many(_requests([path])))


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


def child_kinds(store: Store, path: str) -> list[tuple[str, bool]]:
    """Names of the direct members of the group at `path`, and whether each is an array; documents are not parsed."""
    names = _child_names(store, path)
    paths = [node_key(path, name) for name in names]
    found: Iterator[object]
    if isinstance(store, DocumentStore):
        found = iter([store.documents.get(key) for key, _ in _requests(paths)])
    else:
        found = iter(store.get_many(_requests(paths)) if paths else ())
    members = []
    for name in names:
        array, group = next(found), next(found)
        if array is not None or group is not None:
            members.append((name, array is not None))
    return members


def _child_names(store: Store, path: str) -> list[str]:
    return [name for name in store.listdir(path) if not name.startswith(".z")]


def child_nodes(store: Store, path: str) -> list[tuple[str, Node]]:
    """Direct members of the group at `path`, by name: one listing and one batch."""
    names = _child_names(store, path)
    nodes = _nodes_at(store, [node_key(path, name) for name in names])
    return [(name, node) for name, node in zip(names, nodes, strict=True) if node is not None]


def documents_below(store: Store, path: str) -> dict[str, Buf]:
    """All documents at and below `path`, by key: level by level, one batch each; chunk keys are never listed."""
    found: dict[str, Buf] = {}
    paths = [path]
    while paths:
        keys = [node_key(p, name) for p in paths for name in (ARRAY_KEY, GROUP_KEY, ATTRS_KEY)]
        values = store.get_many([(key, None) for key in keys])
        found.update((key, value) for key, value in zip(keys, values, strict=True) if value is not None)
        # directories without a document are looked into as well: nodes may lie below them
        groups = [p for p in paths if node_key(p, ARRAY_KEY) not in found]
        paths = [node_key(p, name) for p in groups for name in _child_names(store, p)]
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
    _refuse_consolidated(store, path)
    above = [p for p in _ancestors(path) if known_group is None or not _at_or_above(p, known_group)]
    array, group, *others = store.get_many(_requests([path, *above]))
    arrays_above = [p for p, found in zip(above, others[::2], strict=True) if found is not None]
    if arrays_above and not overwrite:
        raise ContainsArrayError("an array is where a group is needed", path=arrays_above[0])
    if overwrite:
        for p in [*arrays_above, path]:
            delete_node(store, p)
            if chunk_store is not None and chunk_store is not store:
                delete_node(chunk_store, p, chunks_only=True)
    elif array is not None:
        raise ContainsArrayError(path=path, hint="pass overwrite=True to replace it")
    elif group is not None:
        raise ContainsGroupError(path=path, hint="pass overwrite=True to replace it")
    missing: list[tuple[str, Buf]] = [
        (node_key(p, GROUP_KEY), _PLAIN_GROUP_TEXT)
        for p, found in zip(above, others[1::2], strict=True)
        if found is None or p in arrays_above
    ]
    # parents first, so that no reader finds a node whose parents are not there
    store.set_many([*missing, *documents])


def _refuse_consolidated(store: Store, path: str) -> None:
    if isinstance(store, DocumentStore):
        raise ReadOnlyError(
            "consolidated metadata cannot be modified",
            path=path or None,
            hint="open the hierarchy without it, then consolidate again",
        )


def _ancestors(path: str) -> list[str]:
    parts = path.split("/") if path else []
    return ["/".join(parts[:n]) for n in range(len(parts))]


def move_node(store: Store, src: str, dst: str, *, chunk_store: Store | None = None) -> None:
    """Move the node at `src` to `dst`, by the store's own rename, and create the groups above it.

    Chunks that lie in another store go first: a reader of the new place never misses them.
    """
    _refuse_consolidated(store, src)
    if not src or dst == src or dst.startswith(src + "/"):
        raise ValueError(f"cannot move {'/' + src!r} to {'/' + dst!r}: that is in itself")
    if not has_node(store, src):
        raise PathNotFoundError("the source does not exist", path=src)
    expect_free(find_node(store, dst), dst)
    above = _ancestors(dst)
    found = store.get_many(_requests(above))
    array = next((p for p, document in zip(above, found[::2], strict=True) if document is not None), None)
    if array is not None:
        raise ContainsArrayError("an array is where a group is needed", path=array)
    missing = [node_key(p, GROUP_KEY) for p, document in zip(above, found[1::2], strict=True) if document is None]
    store.set_many([(key, _PLAIN_GROUP_TEXT) for key in missing])
    if chunk_store is not None and chunk_store is not store:
        # an array without chunks has nothing there
        with suppress(PathNotFoundError):
            chunk_store.rename(src, dst)
    store.rename(src, dst)


def _at_or_above(path: str, group: str) -> bool:
    return not path or path == group or group.startswith(path + "/")


# --- deleting ---------------------------------------------------------------------------------------------------------


def delete_node(store: Store, path: str, *, chunks_only: bool = False, force: bool = False) -> None:
    """Delete everything at and below `path`; on disks and networks nothing that zarrds does not know.

    Documents go first, so that no reader takes chunks that are gone for fill values. Nothing is deleted where nothing
    is stored.

    Parameters
    ----------
    store : Store
        Where the node is.
    path : str
        Its path.
    chunks_only : bool
        Whether the store holds chunks alone, with the documents of their arrays in another.
    force : bool
        Delete foreign files too.

    Raises
    ------
    ForeignFilesError
        Before anything is deleted, when there are files that no hierarchy has.
    """
    _refuse_consolidated(store, path)
    if store.profile.kind == "memory":
        store.rmdir(path)
        return
    below = keys_below(store, path, chunks_only=chunks_only)
    if below.foreign is not None and not force:
        raise ForeignFilesError(
            store=repr(store),
            path=path,
            key=below.foreign,
            hint="nothing was deleted; move the file away, choose another path, or remove everything there with "
            "zarrds.storage.rmdir(store, path)",
        )
    if not below.empty:
        store.delete_many(below.documents)
        store.rmdir(path)


class Below(NamedTuple):
    """What lies below a path: the keys of documents, the first key that no hierarchy has, whether there is nothing."""

    documents: list[str]
    foreign: str | None
    empty: bool


def keys_below(store: Store, path: str, *, chunks_only: bool = False) -> Below:
    """Tell the keys of a hierarchy from foreign ones, in one listing, which ends at the first that is surely foreign.

    Known are documents, consolidated metadata under whatever hidden name, chunks of arrays, what killed writers left,
    and the files that operating systems drop into directories (``.DS_Store``, ``Thumbs.db``, ...).
    """
    documents: list[str] = []
    chunks: list[str] = []
    arrays: set[str] = set()
    empty = True
    for key in store.keys_below(level(path)):
        empty = False
        parent, _, name = _ABANDONED.sub("", key).rpartition("/")
        if name in DOCUMENT_NAMES:
            documents.append(key)
            if name == ARRAY_KEY:
                arrays.add(parent)
        elif "0" <= name[:1] <= "9":
            # whether it is a chunk is known when all arrays are: listings have no order to rely on
            chunks.append(key)
        elif not _SYSTEM_NAME.fullmatch(name) and not _is_consolidated(store, key):
            return Below(documents, key, empty=False)
    strays = (key for key in chunks if not _is_chunk(_ABANDONED.sub("", key), arrays, chunks_only))
    return Below(documents, next(strays, None), empty)


def _is_chunk(key: str, arrays: set[str], anywhere: bool) -> bool:
    """Whether `key` could be a chunk of one of the arrays, with either separator."""
    parent, _, name = key.rpartition("/")
    while not (anywhere or parent in arrays):
        if not parent:
            return False
        parent, _, last = parent.rpartition("/")
        name = f"{last}/{name}"
    return _CHUNK_KEY.fullmatch(name) is not None


def _is_consolidated(store: Store, key: str) -> bool:
    """Whether a file is consolidated metadata under a name of the user's choice."""
    if key.rpartition("/")[2][:1] != ".":
        return False
    value = store.get_many([(key, None)])[0]
    return value is not None and b'"zarr_consolidated_format"' in bytes(value)


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
