"""Sort the keys of a hierarchy into nodes, chunks of arrays, and keys that belong to neither."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zarrds._base.types import Buf
from zarrds._engine import ChunkKeys, OpenSource, windows
from zarrds._format import (
    CONSOLIDATED_KEY,
    DOCUMENT_NAMES,
    FORMATS,
    UNFINISHED,
    ArrayMeta,
    Consolidated,
    Format,
    chunk_count,
    dumps,
    find_consolidated,
    format_of_key,
    loads,
)
from zarrds._node import as_stored
from zarrds._store import JOB_FOLDER, SYSTEM_NAME, TEMPORARY, Store, level
from zarrds._verify.repairing import correct_text
from zarrds._verify.report import Finding
from zarrds.errors import MetadataError, RepairedDocumentWarning

__all__ = ["Surveyed", "survey"]

_BATCH = 512
_UNFINISHED = "a job that writes here is not finished; run it again, or remove what it left with zarrds.dask.cleanup"
_FLAG = f'"{UNFINISHED}"'.encode()
_MARK = b'"zarr_consolidated_format"'
_INLINE_MARK = b'"consolidated_metadata"'


@dataclass(slots=True)
class Surveyed:
    """Nodes, chunks and findings below a path.

    Attributes
    ----------
    groups : set of str
        Paths of groups.
    arrays : dict
        Arrays that can be opened, by path.
    chunks : dict
        Keys of their chunks, by path of the array.
    temporary : list of str
        Keys that stopped writers left.
    findings : list of Finding
        Problems of the keys and documents.
    """

    groups: set[str] = field(default_factory=set)
    arrays: dict[str, OpenSource] = field(default_factory=dict)
    chunks: dict[str, list[str]] = field(default_factory=dict)
    temporary: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def survey(store: Store, path: str) -> Surveyed:
    """Classify all keys below a path, by one listing and batches of documents."""
    found = Surveyed()
    documents: dict[str, Buf] = {}
    others: list[str] = []
    unfinished: set[str] = set()
    for key in store.keys_below(level(path)):
        if f"/{JOB_FOLDER}/" in f"/{key}":
            unfinished.add(f"/{key}".partition(f"/{JOB_FOLDER}/")[0].lstrip("/"))
            continue
        name = key.rpartition("/")[2]
        if name in DOCUMENT_NAMES or name.startswith("."):
            documents[key] = b""
        elif not SYSTEM_NAME.fullmatch(name):
            others.append(key)
    for key in [key for key in documents if TEMPORARY.search(key)]:
        del documents[key]
        others.append(key)
    documents.update(_read(store, documents))
    unfinished.update(_flagged(documents))
    broken = _nodes(store, documents, found)
    _places(path, broken, found)
    _other_keys(others, broken, found)
    _hidden_keys(documents, found)
    _absent_chunks(found)
    found.findings += [Finding("unfinished", where or "/", _UNFINISHED) for where in unfinished]
    return found


def _flagged(documents: Mapping[str, Buf]) -> Iterator[str]:
    """Yield the paths of nodes whose attributes say that their data are not all written."""
    for key, text in documents.items():
        path, _, name = key.rpartition("/")
        if name not in DOCUMENT_NAMES or _FLAG not in bytes(text):
            continue
        try:
            attributes = format_of_key(key).parse_attributes(text, key)
        except MetadataError:
            continue  # `_nodes` reports it
        if UNFINISHED in attributes:  # and not only in those of a node below, in consolidated metadata
            yield path


def _read(store: Store, keys: Iterable[str]) -> Iterator[tuple[str, Buf]]:
    for some in windows(list(keys), _BATCH):
        for key, value in zip(some, store.get_many([(key, None) for key in some]), strict=True):
            yield key, b"" if value is None else value


# --- nodes ------------------------------------------------------------------------------------------------------------


def _nodes(store: Store, documents: Mapping[str, Buf], found: Surveyed) -> set[str]:
    """Parse the documents of all nodes; return the paths of broken ones."""
    broken: set[str] = set()
    paths = sorted({key.rpartition("/")[0] for key in documents if key.rpartition("/")[2] in DOCUMENT_NAMES})
    for path in paths:
        for known in FORMATS:
            keys = [key for key in known.node_keys(path) if key in documents]
            if len(keys) > 1:
                found.findings.append(Finding("two-nodes", keys[0], f"there is also {keys[1]}"))
            if keys and not _node(store, path, known, documents, found):
                broken.add(path)
            _attributes(path, known, documents, bool(keys), found)
    return broken


def _node(store: Store, path: str, known: Format, documents: Mapping[str, Buf], found: Surveyed) -> bool:
    keys = known.node_keys(path)
    texts = [documents.get(key) for key in keys]
    for key, text in zip(keys, texts, strict=True):
        changes = () if text is None else correct_text(key, text)[1]
        if changes:
            found.findings.append(Finding("outdated-document", key, f"{'; '.join(changes)}; repair writes that"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RepairedDocumentWarning)
            node = known.parse_node(path, texts)
    except MetadataError as error:
        found.findings.append(Finding("invalid-document", error.key or keys[0], _reason(error)))
        return False
    if not isinstance(node, ArrayMeta):
        found.groups.add(path)
        return True
    try:
        found.arrays[path] = OpenSource(store, path, as_stored(store, node))
        found.chunks[path] = []
    except MetadataError as error:
        found.findings.append(Finding("unknown-codec", keys[0], _reason(error)))
        return False
    return True


def _attributes(path: str, known: Format, documents: Mapping[str, Buf], has_node: bool, found: Surveyed) -> None:
    key = known.attributes_key(path)
    if key not in documents or key in known.node_keys(path):
        return
    if not has_node:
        found.findings.append(Finding("stray", key, "attributes of nothing"))
    try:
        known.parse_attributes(documents[key], key)
    except MetadataError as error:
        found.findings.append(Finding("invalid-document", key, _reason(error)))


def _reason(error: MetadataError) -> str:
    """Return the message of an error without store and key, which a finding has already."""
    error.store = error.key = None
    return str(error)


def _places(root: str, broken: set[str], found: Surveyed) -> None:
    """Find arrays above nodes, and nodes that no groups lead to."""
    faulty: dict[str, tuple[str, ...]] = {root: ()}  # paths above a path that have a problem
    for path in sorted({*found.groups, *found.arrays, *broken}):
        for above in _faulty_above(path, faulty, found, broken):
            if above in found.arrays:
                found.findings.append(Finding("array-above", path, f"{above or '/'} is an array"))
            else:
                found.findings.append(Finding("missing-parent", path, f"there is no group at /{above}"))


def _faulty_above(path: str, faulty: dict[str, tuple[str, ...]], found: Surveyed, broken: set[str]) -> tuple[str, ...]:
    """Return arrays and absent groups above a path, using the cached result for its parent."""
    unknown = [path]
    while unknown[-1] not in faulty:
        unknown.append(unknown[-1].rpartition("/")[0])
    above = unknown.pop()
    while unknown:
        is_sound = above not in found.arrays and (above in found.groups or above in broken)
        faulty[unknown[-1]] = faulty[above] + (() if is_sound else (above,))
        above = unknown.pop()
    return faulty[path]


# --- everything else --------------------------------------------------------------------------------------------------


def _other_keys(keys: Sequence[str], broken: set[str], found: Surveyed) -> None:
    owners = {*found.arrays, *broken}
    chunk_keys = {path: ChunkKeys(source) for path, source in found.arrays.items()}
    for key in keys:
        if TEMPORARY.search(key):
            found.temporary.append(key)
            continue
        owner = _owner(key, owners)
        if owner is None:
            found.findings.append(Finding("stray", key, "no array is at or above this place"))
        elif owner in found.arrays:
            if chunk_keys[owner].coords(key) is None:
                found.findings.append(Finding("stray", key, f"no chunk of the array /{owner}"))
            else:
                found.chunks[owner].append(key)


def _owner(key: str, paths: Collection[str]) -> str | None:
    path = key
    while path:
        path = path.rpartition("/")[0]
        if path in paths:
            return path
    return None


def _hidden_keys(documents: Mapping[str, Buf], found: Surveyed) -> None:
    """Compare consolidated metadata, in keys of their own or in documents of groups, with the documents."""
    for key, value in documents.items():
        name = key.rpartition("/")[2]
        if SYSTEM_NAME.fullmatch(name):
            continue
        if name not in DOCUMENT_NAMES and name != CONSOLIDATED_KEY and _MARK not in bytes(value):
            found.findings.append(Finding("stray", key, "no document that is known"))
        elif name not in DOCUMENT_NAMES or _INLINE_MARK in bytes(value):
            try:
                consolidated = find_consolidated({key: value})
            except MetadataError as error:
                if name not in DOCUMENT_NAMES or key.rpartition("/")[0] in found.groups:
                    found.findings.append(Finding("invalid-document", key, _reason(error)))
                continue
            if consolidated is not None:
                _compare(consolidated, documents, found)


def _compare(consolidated: Consolidated, documents: Mapping[str, Buf], found: Surveyed) -> None:
    prefix = level(consolidated.key.rpartition("/")[0])
    inline = consolidated.key.rpartition("/")[2] in DOCUMENT_NAMES
    start = 0 if inline else len(prefix)  # keys beside documents are relative
    real = {
        key[start:]: value
        for key, value in documents.items()
        if key.startswith(prefix) and key.rpartition("/")[2] in consolidated.names
    }
    differences = [(key, "is missing in it") for key in real if key not in consolidated.documents]
    differences += [(key, "is only in it") for key in consolidated.documents if key not in real]
    differences += [
        (key, "differs")
        for key, document in consolidated.documents.items()
        if key in real and not _same(document, real[key])
    ]
    for key, how in sorted(differences):
        found.findings.append(Finding("stale-consolidated", consolidated.key, f"{key} {how}; consolidate again"))


def _same(document: object, text: Buf) -> bool:
    try:
        real, held = _alone(loads(text, "")), _alone(document)
    except MetadataError:
        return False
    # NaN is not equal to itself, but its text is
    return real == held or dumps(real, "") == dumps(held, "")


def _alone(document: Any) -> Any:
    """Return a document without the documents of other nodes in it."""
    if not isinstance(document, dict):
        return document
    return {name: value for name, value in document.items() if name != "consolidated_metadata"}


def _absent_chunks(found: Surveyed) -> None:
    for path, source in found.arrays.items():
        count = chunk_count(source.meta.shape, source.meta.write_unit)
        absent = count - len(found.chunks[path])
        if absent > 0:
            reads = "they read as the fill value" if source.meta.chunk.fill.defined else "what they hold is not defined"
            text = f"{absent:,} of {count:,} chunks are not stored; {reads}"
            found.findings.append(Finding("absent-chunks", path or "/", text, is_problem=False))
