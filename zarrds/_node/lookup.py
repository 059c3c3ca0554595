"""Find, load and save arrays and groups in a store.

Requests are few and batched: in every format, loading a node is one batch. Which keys and texts are involved is decided
by the table of formats. If a store already has the documents in memory (consolidated metadata), they are used as they
are, and each is parsed only when its node is opened.
"""

from __future__ import annotations

import json
import marshal
import sys
import warnings
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from zarrds._base.types import Buf, Request
from zarrds._format import (
    DOCUMENT_NAMES,
    FORMATS,
    ArrayMeta,
    Format,
    GroupMeta,
    KeyEncoding,
    Node,
    format_of,
    formats_of,
    node_key,
)
from zarrds._node.delete import delete_node, finish_deletion, keys_below
from zarrds._node.listing import member_names, whats_there
from zarrds._store import DocumentStore, Store
from zarrds.errors import (
    ArrayNotFoundError,
    BadCompressorError,
    ContainsArrayError,
    ContainsGroupError,
    GroupNotFoundError,
    HierarchyTooDeepError,
    MetadataError,
    PathNotFoundError,
    StoreWarning,
    UnsupportedFormatError,
)

__all__ = [
    "DOCUMENT_NAMES",
    "NOT_INSTALLED",
    "Found",
    "already_there",
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
    "delete_node",
    "documents_below",
    "expect_free",
    "find_node",
    "finish_deletion",
    "first_kind",
    "first_node",
    "has_node",
    "keys_below",
    "load_array",
    "load_group",
    "look",
    "node_key",
    "not_found",
    "save_array",
]


@contextmanager
def bounded_depth(path: str | None) -> Iterator[None]:
    """Turn a RecursionError, while groups below a path are visited, into HierarchyTooDeepError."""
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
    """Return the key of the document with the attributes of a node at `path`, or of a node of that format."""
    return format_of(node).attributes_key(path)


def array_key(path: str, node: ArrayMeta) -> str:
    """Return the key of the document of the array at `path`."""
    return format_of(node).node_keys(path)[0]


# --- finding ----------------------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """Documents of one format at a path: texts, or JSON values if they are already parsed."""

    format: Format
    path: str
    documents: list[Any]

    def is_array(self) -> bool | None:
        return self.format.is_array(self.path, self.documents)

    def parsed(self) -> Node | None:
        return self.format.parse_node(self.path, [_text(document) for document in self.documents])


def look(store: Store, paths: Sequence[str], formats: Sequence[Format]) -> list[list[Found]]:
    """Read the documents at several paths in one batch; return those of every format, in order, for each path."""
    if isinstance(store, DocumentStore):
        get = store.documents.get
        return [[Found(known, path, list(map(get, known.node_keys(path)))) for known in formats] for path in paths]
    wanted = [[(known, known.node_keys(path)) for known in formats] for path in paths]
    requests: list[Request] = [(key, None) for at in wanted for _, keys in at for key in keys]
    values: Iterator[Any] = iter(store.get_many(requests) if requests else ())
    return [
        [Found(known, path, [next(values) for _ in keys]) for known, keys in at]
        for path, at in zip(paths, wanted, strict=True)
    ]


def _text(document: Any) -> Any:
    """Serialise a parsed document; cached, since most documents of a hierarchy are equal."""
    is_parsed = isinstance(document, dict | list | str | int | float)
    return _text_of(marshal.dumps(document, 2)) if is_parsed else document


@lru_cache(maxsize=4096)
def _text_of(marshalled: bytes) -> bytes:
    return json.dumps(marshal.loads(marshalled)).encode("ascii")


def first_node(store: Store, found: list[Found]) -> Node | None:
    """Return the node that the documents at a path describe; warn if there are documents of several formats."""
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
    """Fill in the store's chunk-key separator if the document does not record one (before Zarr-Python 2.8)."""
    if store.dimension_separator != "/" or not isinstance(node, ArrayMeta) or node.keys.written:
        return node
    return replace(node, keys=KeyEncoding("/", "v2", written=True))


def _warn_of_both(store: Store, taken: Found) -> None:
    warnings.warn(
        f"documents of several formats are at {'/' + taken.path!r} in {store!r}; Zarr v{taken.format.number} is used, "
        "zarr_format= chooses another",
        StoreWarning,
        stacklevel=4,
    )


def find_node(store: Store, path: str, zarr_format: int | None = None, *, array_first: bool = False) -> Node | None:
    """Load whatever is at `path`; return None if there is nothing, or nothing of the requested format.

    This is one batch with the keys of all kinds of nodes. With `array_first` the first batch has the keys of arrays
    only, and a second one, if there is no array, the others.
    """
    formats = formats_of(zarr_format)
    if array_first and not isinstance(store, DocumentStore):
        return first_node(store, _look_for_array(store, path, formats))
    (found,) = look(store, [path], formats)
    return first_node(store, found)


def _look_for_array(store: Store, path: str, formats: Sequence[Format]) -> list[Found]:
    """Read the documents at a path; documents that only groups have are skipped if there is an array."""
    keys = [known.node_keys(path) for known in formats]
    firsts = store.get_many([(first, None) for first, *_ in keys])
    found = [
        Found(known, path, [first] + [None] * (len(at) - 1))
        for known, at, first in zip(formats, keys, firsts, strict=True)
    ]
    others = [(key, None) for at in keys for key in at[1:]]
    if not others or any(at.is_array() for at in found):
        return found
    values = iter(store.get_many(others))
    return [at._replace(documents=[at.documents[0], *[next(values) for _ in at.documents[1:]]]) for at in found]


def has_node(store: Store, path: str, zarr_format: int | None = None) -> bool:
    """Return whether there is an array or a group at `path`; documents are parsed no further than necessary."""
    return _kind(store, path, zarr_format) is not None


def _kind(store: Store, path: str, zarr_format: int | None = None) -> bool | None:
    """Return whether an array is at `path`; None if there is nothing."""
    (found,) = look(store, [path], formats_of(zarr_format))
    return first_kind(found)


def first_kind(found: list[Found]) -> bool | None:
    kinds = (at.is_array() for at in found)
    return next((kind for kind in kinds if kind is not None), None)


def load_array(store: Store, path: str, zarr_format: int | None = None) -> ArrayMeta:
    """Load the array at `path` in one batch; raise ArrayNotFoundError if there is none."""
    node = find_node(store, path, zarr_format, array_first=True)
    if not isinstance(node, ArrayMeta):
        raise not_found(store, path, ArrayNotFoundError)
    return node


def load_group(store: Store, path: str, zarr_format: int | None = None) -> GroupMeta:
    """Load the group at `path` in one batch; raise ContainsArrayError or GroupNotFoundError if there is none."""
    node = find_node(store, path, zarr_format)
    if isinstance(node, ArrayMeta):
        raise already_there(True, path, store, "zarrds.open_array opens it")
    if node is None:
        raise not_found(store, path, GroupNotFoundError)
    return node


def not_found(store: Store, path: str, kind: type[PathNotFoundError] = PathNotFoundError) -> PathNotFoundError:
    """Return the error for a path without a node; it names the place and what is there instead."""
    return kind(store=repr(store), path=path, hint=whats_there(store, path))


def array_documents(store: Store, path: str, meta: ArrayMeta) -> list[Buf | None]:
    """Return the texts of an array's document and of its attributes; None if absent."""
    return store.get_many([(key, None) for key in format_of(meta).document_keys(path)])


def contains_array(store: Store, path: str) -> bool:
    """Return whether an array is at `path`."""
    return _kind(store, path) is True


def contains_group(store: Store, path: str) -> bool:
    """Return whether a group is at `path`."""
    (found,) = look(store, [path], FORMATS)
    return any(at.is_array() is False for at in found)


NOT_INSTALLED = (BadCompressorError, UnsupportedFormatError)
"""Errors of valid nodes that this process cannot open: a codec, data type or extension is not installed."""


# --- members ----------------------------------------------------------------------------------------------------------


def child_kinds(store: Store, path: str, zarr_format: int | None = None) -> list[tuple[str, bool]]:
    """Return the names of the direct members of the group at `path`, and whether each is an array; parses little."""
    names = member_names(store, path)
    found = look(store, [node_key(path, name) for name in names], formats_of(zarr_format))
    kinds = zip(names, map(first_kind, found), strict=True)
    return [(name, kind) for name, kind in kinds if kind is not None]


def child_nodes(store: Store, path: str, zarr_format: int | None = None) -> list[tuple[str, Node]]:
    """Return the direct members of the group at `path`, by name: one listing and one batch."""
    return [(name, node) for name, node, _ in child_documents(store, path, zarr_format)]


def child_documents(
    store: Store, path: str, zarr_format: int | None = None, failed: dict[str, MetadataError] | None = None
) -> list[tuple[str, Node, Any]]:
    """Return the direct members with the document that also has their attributes; None if attributes are separate.

    Errors about what is not installed are put into `failed`, by name, if that is given.
    """
    names = member_names(store, path)
    found = look(store, [node_key(path, name) for name in names], formats_of(zarr_format))
    nodes = []
    for name, at in zip(names, found, strict=True):
        try:
            node = first_node(store, at)
        except NOT_INSTALLED as error:
            if failed is None:
                raise
            failed[name] = error
        else:
            if node is not None:
                nodes.append((name, node, _with_attributes(node, at)))
    return nodes


def _with_attributes(node: Node, found: list[Found]) -> Any:
    """Return the document of a node if its attributes are in the same document, else None."""
    return next((at.documents[0] for at in found if at.format.one_document and at.format is format_of(node)), None)


def documents_below(
    store: Store, path: str, zarr_format: int | None = None, *, arrays: Container[str] = (), listed: bool = False
) -> dict[str, Buf]:
    """Return all documents at and below `path`, by key: level by level, one batch each; chunks are never listed.

    `arrays` are paths where there may be chunks without a document: entries there that look like chunk keys are not
    nodes. With `listed`, consolidated metadata are not used in place of a listing that the store cannot give.
    """
    formats = formats_of(zarr_format)
    found: dict[str, Buf] = {}
    paths = [path]
    while paths:
        keys = [key for p in paths for known in formats for key in known.document_keys(p)]
        values = store.get_many([(key, None) for key in keys])
        found.update((key, value) for key, value in zip(keys, values, strict=True) if value is not None)
        # directories without a document are searched as well: there may be nodes below them
        groups = [p for p in paths if not any(_holds_array(known, p, found) for known in formats)]
        names = [(p, name) for p in groups for name in member_names(store, p, listed=listed)]
        paths = [node_key(p, name) for p, name in names if p not in arrays or not _may_be_chunk(name)]
    return found


def _may_be_chunk(name: str) -> bool:
    return name[:1].isdigit() or name.partition(".")[0] == "c"


def _holds_array(known: Format, path: str, documents: dict[str, Buf]) -> bool:
    return known.is_array(path, [documents.get(key) for key in known.node_keys(path)]) is True


# --- saving -----------------------------------------------------------------------------------------------------------


def save_array(store: Store, path: str, meta: ArrayMeta) -> None:
    """Write an array's document; its other contents are kept."""
    known = format_of(meta)
    present = store.get_many([(key, None) for key in known.node_keys(path)]) if known.one_document else ()
    store.set_many(known.array_documents(path, meta, present))


def expect_free(node: Node | None, path: str, store: Store, hint: str = "pass overwrite=True to replace it") -> None:
    """Raise if there is already a node at a place that must be free; `hint` says what to do then."""
    if node is not None:
        raise already_there(isinstance(node, ArrayMeta), path, store, hint)


def already_there(is_array: bool, path: str, store: Store, hint: str) -> ContainsArrayError | ContainsGroupError:
    """Return the error for a place that has a node already."""
    return (ContainsArrayError if is_array else ContainsGroupError)(path=path, store=repr(store), hint=hint)
