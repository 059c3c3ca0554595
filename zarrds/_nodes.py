"""Nodes of a hierarchy: finding, loading, saving, creating and deleting arrays and groups in a store.

Requests are few and batched: whatever the format, loading a node is one batch, creating one in a fresh place one batch
of reads and one of writes, deleting one a single listing before. Which keys and texts these are is for the table of
formats to say. Where a store has the documents in memory already (consolidated metadata), they are taken as they are,
and each is parsed only when its node is opened.
"""

from __future__ import annotations

import json
import marshal
import sys
import warnings
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from zarrds._deleting import delete_node, keys_below, refuse_consolidated
from zarrds._format.formats import DOCUMENT_NAMES, FORMATS, Format, Node, format_of, formats_of
from zarrds._format.meta import ArrayMeta, GroupMeta, KeyEncoding
from zarrds._format.paths import node_key
from zarrds._listing import member_names, whats_there
from zarrds._store.base import Store
from zarrds._store.consolidated import DocumentStore
from zarrds._store.paths import ancestors
from zarrds._types import Buf, Request
from zarrds.errors import (
    ArrayNotFoundError,
    ContainsArrayError,
    ContainsGroupError,
    GroupNotFoundError,
    HierarchyTooDeepError,
    MetadataError,
    PathNotFoundError,
)

__all__ = [
    "DOCUMENT_NAMES",
    "array_documents",
    "array_key",
    "as_stored",
    "attributes_key",
    "bounded_depth",
    "child_documents",
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


@contextmanager
def bounded_depth(path: str | None) -> Iterator[None]:
    """Turn the end of Python's stack, in going through the groups below a path, into HierarchyTooDeepError."""
    try:
        yield
    except HierarchyTooDeepError:
        raise
    except RecursionError:
        found = f"more than {sys.getrecursionlimit() // 10} levels"
    else:
        return
    raise HierarchyTooDeepError(path=path, found=found, hint="open a group further down by its path")


_SomeNode = TypeVar("_SomeNode", bound=ArrayMeta | GroupMeta)


def attributes_key(path: str, node: Node | int) -> str:
    """Key of the document with the attributes of a node at `path`, or of one of that format."""
    return format_of(node).attributes_key(path)


def array_key(path: str, node: ArrayMeta) -> str:
    """Return the key of the document of the array at `path`."""
    return format_of(node).node_keys(path)[0]


# --- finding ----------------------------------------------------------------------------------------------------------


class _Found(NamedTuple):
    """What documents of one format lie at a path: texts, or JSON values where they are had already."""

    format: Format
    path: str
    documents: list[Any]

    def is_array(self) -> bool | None:
        return self.format.is_array(self.path, self.documents)

    def parsed(self) -> Node | None:
        return self.format.parse_node(self.path, [_text(document) for document in self.documents])


def _look(store: Store, paths: Sequence[str], formats: Sequence[Format]) -> list[list[_Found]]:
    """Documents at each of several paths, in one batch: for each path those of every format, in their order."""
    if isinstance(store, DocumentStore):
        get = store.documents.get
        return [[_Found(known, path, list(map(get, known.node_keys(path)))) for known in formats] for path in paths]
    wanted = [[(known, known.node_keys(path)) for known in formats] for path in paths]
    requests: list[Request] = [(key, None) for at in wanted for _, keys in at for key in keys]
    values: Iterator[Any] = iter(store.get_many(requests) if requests else ())
    return [
        [_Found(known, path, [next(values) for _ in keys]) for known, keys in at]
        for path, at in zip(paths, wanted, strict=True)
    ]


def _text(document: Any) -> Any:
    """Text of a document that was parsed; equal documents, which are the rule, have one that is made once."""
    is_parsed = isinstance(document, dict | list | str | int | float)
    return _text_of(marshal.dumps(document, 2)) if is_parsed else document


@lru_cache(maxsize=4096)
def _text_of(marshalled: bytes) -> bytes:
    return json.dumps(marshal.loads(marshalled)).encode("ascii")


def _first(store: Store, found: list[_Found]) -> Node | None:
    """The node that the documents at a path tell of; a warning when several formats do."""
    for number, at in enumerate(found):
        try:
            node = at.parsed()
        except MetadataError as error:
            error.store = repr(store)
            raise
        if node is not None:
            if any(d is not None for other in found[number + 1 :] for d in other.documents):
                _warn_of_both(store, at)
            return as_stored(store, node)
    return None


def as_stored(store: Store, node: _SomeNode) -> _SomeNode:
    """The node; the separator of chunk keys is the store's where its document, as old ones do, leaves it open."""
    if store.dimension_separator != "/" or not isinstance(node, ArrayMeta) or node.keys.written:
        return node
    return replace(node, keys=KeyEncoding("/", "v2", written=True))


def _warn_of_both(store: Store, taken: _Found) -> None:
    warnings.warn(
        f"documents of several formats are at {'/' + taken.path!r} in {store!r}; format {taken.format.number} is used, "
        "zarr_format= chooses another",
        UserWarning,
        stacklevel=4,
    )


def find_node(store: Store, path: str, zarr_format: int | None = None, *, array_first: bool = False) -> Node | None:
    """Load whatever is at `path`; None when nothing is there, or nothing of the format asked for.

    That is one batch, of the keys of all kinds of nodes. With `array_first` it is those of arrays, and when there is no
    array another batch of the others.
    """
    formats = formats_of(zarr_format)
    if array_first and not isinstance(store, DocumentStore):
        return _first(store, _look_for_array(store, path, formats))
    (found,) = _look(store, [path], formats)
    return _first(store, found)


def _look_for_array(store: Store, path: str, formats: Sequence[Format]) -> list[_Found]:
    """Documents at a path; those that only groups have are left out when there is an array."""
    keys = [known.node_keys(path) for known in formats]
    firsts = store.get_many([(first, None) for first, *_ in keys])
    found = [
        _Found(known, path, [first] + [None] * (len(at) - 1))
        for known, at, first in zip(formats, keys, firsts, strict=True)
    ]
    others = [(key, None) for at in keys for key in at[1:]]
    if not others or any(at.is_array() for at in found):
        return found
    values = iter(store.get_many(others))
    return [at._replace(documents=[at.documents[0], *[next(values) for _ in at.documents[1:]]]) for at in found]


def has_node(store: Store, path: str, zarr_format: int | None = None) -> bool:
    """Whether there is an array or a group at `path`; documents are not parsed further than that takes."""
    return _kind(store, path, zarr_format) is not None


def _kind(store: Store, path: str, zarr_format: int | None = None) -> bool | None:
    """Whether an array is at `path`; None when nothing is."""
    (found,) = _look(store, [path], formats_of(zarr_format))
    return _first_kind(found)


def _first_kind(found: list[_Found]) -> bool | None:
    kinds = (at.is_array() for at in found)
    return next((kind for kind in kinds if kind is not None), None)


def load_array(store: Store, path: str, zarr_format: int | None = None) -> ArrayMeta:
    """Load the array at `path`, in one batch; ArrayNotFoundError when there is none."""
    node = find_node(store, path, zarr_format, array_first=True)
    if not isinstance(node, ArrayMeta):
        raise not_found(store, path, ArrayNotFoundError)
    return node


def load_group(store: Store, path: str, zarr_format: int | None = None) -> GroupMeta:
    """Load the group at `path`, in one batch; ContainsArrayError or GroupNotFoundError when it is none."""
    node = find_node(store, path, zarr_format)
    if isinstance(node, ArrayMeta):
        raise ContainsArrayError(path=path)
    if node is None:
        raise not_found(store, path, GroupNotFoundError)
    return node


def not_found(store: Store, path: str, kind: type[PathNotFoundError] = PathNotFoundError) -> PathNotFoundError:
    """The error for a path with nothing at it, saying where was looked and what is there instead."""
    return kind(store=repr(store), path=path, hint=whats_there(store, path))


def array_documents(store: Store, path: str, meta: ArrayMeta) -> list[Buf | None]:
    """Texts of an array's document and of its attributes, None where absent."""
    return store.get_many([(key, None) for key in format_of(meta).document_keys(path)])


def contains_array(store: Store, path: str) -> bool:
    """Whether an array is at `path`."""
    return _kind(store, path) is True


def contains_group(store: Store, path: str) -> bool:
    """Whether a group is at `path`."""
    (found,) = _look(store, [path], FORMATS)
    return any(at.is_array() is False for at in found)


# --- members ----------------------------------------------------------------------------------------------------------


def child_kinds(store: Store, path: str, zarr_format: int | None = None) -> list[tuple[str, bool]]:
    """Names of the direct members of the group at `path`, and whether each is an array; documents are hardly parsed."""
    names = member_names(store, path)
    found = _look(store, [node_key(path, name) for name in names], formats_of(zarr_format))
    kinds = zip(names, map(_first_kind, found), strict=True)
    return [(name, kind) for name, kind in kinds if kind is not None]


def child_nodes(store: Store, path: str, zarr_format: int | None = None) -> list[tuple[str, Node]]:
    """Direct members of the group at `path`, by name: one listing and one batch."""
    return [(name, node) for name, node, _ in child_documents(store, path, zarr_format)]


def child_documents(store: Store, path: str, zarr_format: int | None = None) -> list[tuple[str, Node, Any]]:
    """The same, each with the document that has its attributes too; None where attributes have one of their own."""
    names = member_names(store, path)
    found = _look(store, [node_key(path, name) for name in names], formats_of(zarr_format))
    nodes = [(name, _first(store, at), at) for name, at in zip(names, found, strict=True)]
    return [(name, node, _with_attributes(node, at)) for name, node, at in nodes if node is not None]


def _with_attributes(node: Node, found: list[_Found]) -> Any:
    """The document of a node, where everything is in one."""
    return next((at.documents[0] for at in found if at.format.one_document and at.format is format_of(node)), None)


def documents_below(
    store: Store, path: str, zarr_format: int | None = None, *, arrays: Container[str] = (), listed: bool = False
) -> dict[str, Buf]:
    """All documents at and below `path`, by key: level by level, one batch each; chunk keys are never listed.

    `arrays` are paths at which chunks may lie without a document: what is named like a chunk is none of a node there.
    With `listed` consolidated metadata do not stand for a listing that the store cannot give.
    """
    formats = formats_of(zarr_format)
    found: dict[str, Buf] = {}
    paths = [path]
    while paths:
        keys = [key for p in paths for known in formats for key in known.document_keys(p)]
        values = store.get_many([(key, None) for key in keys])
        found.update((key, value) for key, value in zip(keys, values, strict=True) if value is not None)
        # directories without a document are looked into as well: nodes may lie below them
        groups = [p for p in paths if not any(_holds_array(known, p, found) for known in formats)]
        names = [(p, name) for p in groups for name in member_names(store, p, listed=listed)]
        paths = [node_key(p, name) for p, name in names if p not in arrays or not _may_be_chunk(name)]
    return found


def _may_be_chunk(name: str) -> bool:
    return name[:1].isdigit() or name.partition(".")[0] == "c"


def _holds_array(known: Format, path: str, documents: dict[str, Buf]) -> bool:
    return known.is_array(path, [documents.get(key) for key in known.node_keys(path)]) is True


# --- creating ---------------------------------------------------------------------------------------------------------


def save_array(store: Store, path: str, meta: ArrayMeta) -> None:
    """Write an array's document; what else its document holds is kept."""
    known = format_of(meta)
    present = store.get_many([(key, None) for key in known.node_keys(path)]) if known.one_document else ()
    store.set_many(known.array_documents(path, meta, present))


def create_array(
    store: Store,
    path: str,
    meta: ArrayMeta,
    *,
    overwrite: bool = False,
    chunk_store: Store | None = None,
    known_group: str | None = None,
    remake: Callable[[int], ArrayMeta] | None = None,
) -> ArrayMeta:
    """Create an array and the groups above it.

    Parameters
    ----------
    store, chunk_store : Store
        Where to, and where chunks go if not there.
    path : str
        Path of the array.
    meta : ArrayMeta
        What it is.
    overwrite : bool
        Delete what is there before.
    known_group : str, optional
        A path at and above which the caller knew every node to be a group of the array's format.
    remake : callable, optional
        Makes `meta` anew for another format, where the caller leaves it open: that of the groups above is taken.

    Returns
    -------
    ArrayMeta
        What was created.

    Raises
    ------
    ContainsArrayError, ContainsGroupError
        Something is there and `overwrite` is False, or something above is no group of that format.
    """
    return _create(store, path, meta, remake, overwrite=overwrite, chunk_store=chunk_store, known_group=known_group)


def create_group(
    store: Store,
    path: str,
    meta: GroupMeta,
    *,
    overwrite: bool = False,
    chunk_store: Store | None = None,
    known_group: str | None = None,
    remake: Callable[[int], GroupMeta] | None = None,
) -> GroupMeta:
    """Create a group and the groups above it; see `create_array`."""
    return _create(store, path, meta, remake, overwrite=overwrite, chunk_store=chunk_store, known_group=known_group)


_AnyNode = TypeVar("_AnyNode", bound=ArrayMeta | GroupMeta)


def _create(
    store: Store,
    path: str,
    meta: _AnyNode,
    remake: Callable[[int], _AnyNode] | None,
    *,
    overwrite: bool,
    chunk_store: Store | None,
    known_group: str | None,
) -> _AnyNode:
    refuse_consolidated(store, path)
    format_of(meta).check_path(path)
    if known_group is not None and not overwrite and _is_free_member(store, path, meta, known_group):
        store.set_many(_new_documents(path, meta))
        return meta
    # a known group is looked at as well: it may have been deleted since, with those above it
    above = [p for p in ancestors(path) if known_group is None or not _is_above(p, known_group)]
    formats = FORMATS if known_group is None else (format_of(meta),)
    here, *found = _look(store, [path, *above], formats)
    arrays_above = [p for p, at in zip(above, found, strict=True) if _first_kind(at)]
    if arrays_above and not overwrite:
        raise ContainsArrayError("an array is where a group is needed", path=arrays_above[0])
    if not overwrite:
        _expect_nothing(here, path)
    number = _format_above(found)
    if remake is not None and number not in (None, meta.zarr_format):
        meta = remake(number)
        format_of(meta).check_path(path)
    missing = [p for p, at in zip(above, found, strict=True) if p in arrays_above or not _is_group(at, meta)]
    if known_group is not None and known_group in missing:
        return _create(store, path, meta, remake, overwrite=overwrite, chunk_store=chunk_store, known_group=None)
    # parents first, so that no reader finds a node whose parents are not there
    documents = [*_new_groups(missing, meta), *_new_documents(path, meta)]
    if overwrite:
        store.check_documents(documents)
        for p in [*arrays_above, path]:
            delete_node(store, p)
            if chunk_store is not None and chunk_store is not store:
                delete_node(chunk_store, p, chunks_only=True)
    store.set_many(documents)
    return meta


def _new_documents(path: str, meta: Node) -> list[tuple[str, bytes]]:
    known = format_of(meta)
    return known.array_documents(path, meta) if isinstance(meta, ArrayMeta) else known.group_documents(path, meta)


def _format_above(found: list[list[_Found]]) -> int | None:
    """Format of the nearest group above."""
    kinds = (at.format.number for path in reversed(found) for at in path if at.is_array() is False)
    return next(kinds, None)


def _is_free_member(store: Store, path: str, meta: Node, group: str) -> bool:
    """Whether a new node has nothing but its document to be made: most are members of a group that is there."""
    if path.rpartition("/")[0] != group or path == group:
        return False
    known = format_of(meta)
    *keys, group_key = *known.node_keys(path), known.node_keys(group)[-1]
    *here, above = store.get_many([(key, None) for key in (*keys, group_key)])
    nothing = [None] * (len(keys) - 1)
    return all(found is None for found in here) and known.is_array(group, [*nothing, above]) is False


def _expect_nothing(found: list[_Found], path: str) -> None:
    kind = _first_kind(found)
    if kind is not None:
        error = ContainsArrayError if kind else ContainsGroupError
        raise error(path=path, hint="pass overwrite=True to replace it")


def _is_group(found: list[_Found], below: Node) -> bool:
    """Whether a group is there that a node of that format may lie in: a hierarchy is of one format."""
    numbers = [at.format.number for at in found if at.is_array() is False]
    if numbers and below.zarr_format not in numbers:
        raise ContainsGroupError(
            "a group of another format is above",
            path=found[0].path or "/",
            expected=f"format {below.zarr_format}",
            found=f"format {numbers[0]}",
            hint=f"pass zarr_format={numbers[0]}, or choose another place",
        )
    return bool(numbers)


def _new_groups(paths: Sequence[str], below: Node) -> list[tuple[str, bytes]]:
    group = GroupMeta(zarr_format=below.zarr_format)
    return [document for p in paths for document in format_of(group).group_documents(p, group)]


def move_node(store: Store, src: str, dst: str, *, chunk_store: Store | None = None) -> None:
    """Move the node at `src` to `dst`, by the store's own rename, and create the groups above it.

    Chunks that lie in another store go first: a reader of the new place never misses them.
    """
    refuse_consolidated(store, src)
    if not src or dst == src or dst.startswith(src + "/"):
        raise ValueError(f"cannot move {'/' + src!r} to {'/' + dst!r}: that is in itself")
    node = find_node(store, src)
    if node is None:
        raise PathNotFoundError("the source does not exist", path=src)
    format_of(node).check_path(dst)
    (here, *found) = _look(store, [dst, *ancestors(dst)], FORMATS)
    expect_free(_first(store, here), dst)
    array = next((at[0].path for at in found if _first_kind(at)), None)
    if array is not None:
        raise ContainsArrayError("an array is where a group is needed", path=array)
    missing = [at[0].path for at in found if not _is_group(at, node)]
    if missing:
        store.set_many(_new_groups(missing, node))
    if chunk_store is not None and chunk_store is not store:
        # an array without chunks has nothing there
        with suppress(PathNotFoundError):
            chunk_store.rename(src, dst)
    store.rename(src, dst)


def _is_above(path: str, group: str) -> bool:
    return path != group and (not path or group.startswith(path + "/"))


def expect_free(node: Node | None, path: str) -> None:
    """Raise when a node is where nothing should be."""
    if isinstance(node, ArrayMeta):
        raise ContainsArrayError(path=path)
    if node is not None:
        raise ContainsGroupError(path=path)
