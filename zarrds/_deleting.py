"""Deleting nodes, and nothing else: what a hierarchy's keys are, and which files are foreign to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from zarrds._format.formats import DOCUMENT_NAMES, FORMATS
from zarrds._store.base import Store
from zarrds._store.consolidated import DocumentStore
from zarrds._store.paths import SYSTEM_NAME, TEMPORARY, level
from zarrds._types import Buf
from zarrds.errors import ForeignFilesError, ReadOnlyError

__all__ = ["Below", "delete_node", "keys_below", "refuse_consolidated"]

_CONSOLIDATED = ".zmetadata"
_NODE_NAMES = frozenset(name for known in FORMATS for name in known.node_keys(""))
_CHUNK_NAME = re.compile(r"c|(?:c\.)?[0-9].*")


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
    refuse_consolidated(store, path)
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
        if path or store.is_erasable():
            # where a link leads is another hierarchy: of that the link is removed, and nothing else
            store.delete_many(sorted(store.removable(path, below.documents), key=_turn))
        store.rmdir(path)


def _turn(key: str) -> int:
    """When a document is deleted: what vouches for others first, what belongs to a node after the node."""
    name = key.rpartition("/")[2]
    return 0 if name == _CONSOLIDATED else 1 if name in _NODE_NAMES else 2


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
    empty = True
    for key in store.keys_below(level(path)):
        empty = False
        name = TEMPORARY.sub("", key).rpartition("/")[2]
        if name in DOCUMENT_NAMES or name == _CONSOLIDATED:
            documents.append(key)
        elif _CHUNK_NAME.fullmatch(name):
            # whether it is a chunk is known when all arrays are: listings have no order to rely on
            chunks.append(key)
        elif not SYSTEM_NAME.fullmatch(name) and not _is_consolidated(store, key):
            return Below(documents, key, empty=False)
    if not chunks:
        return Below(documents, None, empty)
    patterns = {} if chunks_only else _array_patterns(store, documents)
    strays = (key for key in chunks if not _is_chunk(TEMPORARY.sub("", key), patterns, chunks_only))
    return Below(documents, next(strays, None), empty)


def _array_patterns(store: Store, documents: Sequence[str]) -> dict[str, re.Pattern[str]]:
    """What the chunk keys of each array look like, by its path; documents are read where their keys do not say all."""
    paths = sorted({key.rpartition("/")[0] for key in documents})
    patterns: dict[str, re.Pattern[str]] = {}
    for known in FORMATS:
        keys = {path: known.node_keys(path) for path in paths}
        there = set(documents).intersection(key for some in keys.values() for key in some)
        found: Mapping[str, Buf | None] = _read(store, there) if known.one_document else dict.fromkeys(there, b"")
        for path, some in keys.items():
            if known.is_array(path, [found.get(key) for key in some]):
                patterns[path] = known.chunk_keys
    return patterns


def _read(store: Store, keys: Iterable[str]) -> Mapping[str, Buf | None]:
    wanted = list(keys)
    return dict(zip(wanted, store.get_many([(key, None) for key in wanted]), strict=True)) if wanted else {}


def _is_chunk(key: str, patterns: Mapping[str, re.Pattern[str]], anywhere: bool) -> bool:
    """Whether `key` could be a chunk of one of the arrays, whatever its separator."""
    parent, _, name = key.rpartition("/")
    while not (anywhere or parent in patterns):
        if not parent:
            return False
        parent, _, last = parent.rpartition("/")
        name = f"{last}/{name}"
    return any(p.fullmatch(name) for p in ([known.chunk_keys for known in FORMATS] if anywhere else [patterns[parent]]))


def _is_consolidated(store: Store, key: str) -> bool:
    """Whether a file is consolidated metadata under a name of the user's choice."""
    if key.rpartition("/")[2][:1] != ".":
        return False
    value = store.get_many([(key, None)])[0]
    return value is not None and b'"zarr_consolidated_format"' in bytes(value)


def refuse_consolidated(store: Store, path: str) -> None:
    """Raise when the documents of a hierarchy are consolidated: `path` is what was to change."""
    if isinstance(store, DocumentStore):
        raise ReadOnlyError(
            "consolidated metadata cannot be modified",
            path=path or None,
            hint="open the hierarchy without it, then consolidate again",
        )
