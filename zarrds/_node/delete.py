"""Delete nodes, and nothing else: decide which keys belong to a hierarchy and which files are foreign."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from zarrds._base.types import Buf
from zarrds._format import DOCUMENT_NAMES, FORMATS
from zarrds._store import JOB_FOLDER, REMOVAL_MARK, SYSTEM_NAME, TEMPORARY, DocumentStore, Store, is_writer_key, level
from zarrds.errors import ForeignFilesError, ReadOnlyError

__all__ = [
    "Below",
    "batches",
    "begin_removal",
    "by_rank",
    "delete_node",
    "expect_ours",
    "finish_deletion",
    "has_removal_mark",
    "is_separate",
    "keys_below",
    "mark_removal",
    "refuse_consolidated",
    "remove",
    "remove_strays",
    "set_mark",
    "with_removal_mark",
]

_MARK_TEXT = b'{"zarrds": "what lies below this path was deleted, and is to be removed; this file last"}'


_CONSOLIDATED = ".zmetadata"
_NODE_NAMES = frozenset(name for known in FORMATS for name in known.node_keys(""))
_ANY_CHUNK = re.compile("|".join(f"(?:{known.chunk_keys.pattern})" for known in FORMATS))
_CHUNK_BELOW = re.compile(f"(?:.+/)?(?:{_ANY_CHUNK.pattern})", re.DOTALL)
_CHUNK_NAME = re.compile(r"c|(?:c\.)?[0-9].*")


def delete_node(store: Store, path: str, *, chunk_store: Store | None = None, force: bool = False) -> None:
    """Delete everything at and below `path`; on disks and networks, raise if there is a file that is not of zarrds.

    Where the store can, the node disappears in one step. Elsewhere a mark is set first, then documents are deleted,
    then chunks, then the mark. An interrupted deletion leaves the node as it was, or something that is no node.
    Deleting again finishes it, and so does creating something there.

    If another writer creates a node there at the same moment, its keys may be deleted too.

    Parameters
    ----------
    store : Store
        Where the node is.
    path : str
        Its path.
    chunk_store : Store, optional
        Store of the chunks of its arrays, if it is another.
    force : bool
        Delete foreign files too.

    Raises
    ------
    ForeignFilesError
        There are files that belong to no hierarchy; nothing was deleted.
    """
    refuse_consolidated(store, path)
    below = expect_ours(store, path, force=force)
    if chunk_store is None or not is_separate(store, chunk_store):
        remove(store, path, below)
        return
    chunks = expect_ours(chunk_store, path, chunks_only=True, force=force)
    mark_removal(chunk_store, path, chunks)
    remove(store, path, below)
    remove(chunk_store, path, chunks)


def finish_deletion(store: Store, path: str, *, chunk_store: Store | None = None) -> bool:
    """Delete what an interrupted deletion left at a path without a node; return whether there was anything.

    The deletion may be another writer's, which is still at work. As soon as its mark is gone, a new node may be there:
    then nothing more is deleted. A node that is created between the last look at the mark and the request that follows
    may still lose keys; no store can do both in one step.
    """
    if chunk_store is not None and is_separate(store, chunk_store):
        if not (has_removal_mark(store, path) or has_removal_mark(chunk_store, path)):
            return False
        delete_node(store, path, chunk_store=chunk_store)
        return True
    found = store.get_many([(level(path) + REMOVAL_MARK, None)])[0]
    if found is None:
        return False
    refuse_consolidated(store, path)
    below = expect_ours(store, path)
    if not store.is_erasable():
        remove(store, path, below)
    elif _took_mark(store, path, found):
        _remove_while_marked(store, path, below)
    return True


def _took_mark(store: Store, path: str, found: Buf) -> bool:
    """Put another mark in the place of the one that was found; return False if that is gone.

    Who wrote the one that was found sees by another one that its new keys may be gone.
    """
    key, text = _new_mark(path)
    if store.can_set_if:
        return store.set_if(key, text, found)
    if store.get_many([(key, None)]) != [found]:
        return False
    store.set_many([(key, text)])
    return True


def _remove_while_marked(store: Store, path: str, below: Below) -> None:
    """Delete everything below a path that has a mark, until another writer deletes the mark."""
    claims = _claims(path, below)  # whoever is to write a new node here, or to add to it, still needs them
    if not claims and store.replace_below(path, ()):
        return
    keys = [key for key in below.keys if key not in (level(path) + REMOVAL_MARK, *claims)]
    if _delete_while(store, path, keys, lambda: has_removal_mark(store, path)):
        if claims:
            _remove_rest(store, path, claims)
        else:
            store.rmdir(path)


def _claims(path: str, below: Below) -> list[str]:
    """Return the keys directly below a path that say that tasks are at work there."""
    return [key for key in below.keys if is_writer_key(key) and key.rpartition("/")[0] == path]


def _delete_while(store: Store, path: str, keys: Sequence[str], is_marked: Callable[[], bool]) -> bool:
    """Delete keys below a path, in deletion order, as long as there is a mark; return whether it is still there."""
    for some in batches(path, store.removable(path, keys)):
        if not is_marked():
            return False
        store.delete_many(some)
    return is_marked()


def remove_strays(store: Store, path: str) -> None:
    """Delete what is below a path at which there is no node, such as chunks written after their array was deleted.

    Nothing is deleted if there are foreign files. If somebody creates a node there meanwhile, its documents stay, but a
    chunk that it writes at the same moment may be lost. On a disk the empty directory is removed last: a document that
    is written between the listing that finds it empty and that step is lost.

    Parameters
    ----------
    store : Store
        Where the chunks are.
    path : str
        The path.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.parallel import remove_strays
    >>> store = zarrds.KVStore({"z/0": b"1"})
    >>> remove_strays(store, "z")
    >>> list(store)
    []
    """
    if next(iter(store.keys_below(level(path))), None) is None:
        return
    mark, text = set_mark(store, path)

    def is_marked() -> bool:
        return store.get_many([(mark, None)]) == [text]

    with suppress(ForeignFilesError):
        keys = expect_ours(store, path).keys  # listed before the look for a node: what is of a node is not among them
        documents = [key for known in FORMATS for key in known.node_keys(path)]
        if not any(found is not None for found in store.get_many([(key, None) for key in documents])):
            _delete_while(store, path, [key for key in keys if key != mark and not is_writer_key(key)], is_marked)
    if not is_marked():
        return
    if store.profile.kind == "disk" and list(store.keys_below(level(path))) == [mark]:
        store.rmdir(path)
    else:
        store.delete_many([mark])


def is_separate(store: Store, chunk_store: Store | None) -> bool:
    """Return whether chunks are in another store than documents."""
    return chunk_store is not None and chunk_store is not store


def expect_ours(store: Store, path: str, *, chunks_only: bool = False, force: bool = False) -> Below:
    """Return what is below a path if nothing of it is foreign; else raise ForeignFilesError.

    With `chunks_only`, the store holds chunks only, and the documents of the arrays are in another store.

    Another task may delete the document of an array after its chunks were listed here, so that they look foreign: what
    seems foreign is listed again, until two listings are equal.
    """
    if store.profile.kind == "memory":
        keys = list(store.keys_below(level(path)))
        documents = [key for key in keys if _turn(key) < 2 or key.rpartition("/")[2] in DOCUMENT_NAMES]
        return Below(documents, None, empty=not keys, keys=keys)
    chunks_only = chunks_only or store.of_hierarchies_alone
    below = keys_below(store, path, chunks_only=chunks_only)
    while below.foreign is not None and not force:
        again = keys_below(store, path, chunks_only=chunks_only)
        if again == below:
            raise ForeignFilesError(
                store=repr(store),
                path=path,
                key=below.foreign,
                hint="nothing was deleted; move the file away, choose another path, or remove everything there with "
                "zarrds.storage.rmdir(store, path)",
            )
        below = again
    return below


def mark_removal(store: Store, path: str, below: Below) -> None:
    """Mark what is below a path as being deleted, if there is anything and the mark can be removed again."""
    if not below.empty and store.is_erasable():
        set_mark(store, path)


def set_mark(store: Store, path: str, note: str = "") -> tuple[str, bytes]:
    """Mark in the store that what is below a path is not a node; return the key and the unique value of this mark.

    A note is one more line in it.
    """
    mark = _new_mark(path, note)
    store.set_many([mark])
    return mark


def _new_mark(path: str, note: str = "") -> tuple[str, bytes]:
    lines = [_MARK_TEXT, uuid.uuid4().hex.encode(), *([note.encode()] if note else [])]
    return level(path) + REMOVAL_MARK, b"".join(line + b"\n" for line in lines)


def remove(store: Store, path: str, below: Below, kept: str | None = None) -> None:
    """Delete everything below a path: in one step, or in an order in which the rest is never taken for a node.

    A key that is to be kept may lie directly below the path; then it is not done in one step.
    """
    if below.empty or (kept is None and store.replace_below(path, ())):
        return
    if not path and not store.is_erasable():
        store.rmdir(path)
        return
    mark_removal(store, path, below)
    # a symbolic link may lead to another hierarchy: remove the link, never its target
    mark = level(path) + REMOVAL_MARK
    own = store.removable(path, [key for key in below.keys if key not in (mark, kept)])
    for keys in batches(path, own):
        store.delete_many(keys)
    if kept is None:
        store.rmdir(path)
    else:
        _remove_rest(store, path, [kept])


def _remove_rest(store: Store, path: str, kept: Sequence[str]) -> None:
    """Delete what is left below a path, the mark last: what others have written since, empty directories, links."""
    mark = level(path) + REMOVAL_MARK
    for name in store.listdir(path) if store.profile.kind == "disk" else ():
        if name != JOB_FOLDER:  # others may be writing what is to replace this
            store.rmdir(level(path) + name)
    store.delete_many([key for key in store.keys_below(level(path)) if key not in (mark, *kept)])
    store.delete_many([mark])


def begin_removal(store: Store, path: str, below: Below) -> None:
    """Delete everything below a path in one step or, where the store cannot, mark that and delete the documents."""
    if below.empty or store.replace_below(path, ()):
        return
    mark_removal(store, path, below)
    own = store.removable(path, [key for key in below.keys if _turn(key) < 2])
    for keys in batches(path, own):
        store.delete_many(keys)


def has_removal_mark(store: Store, path: str) -> bool:
    """Return whether what is below a path is marked as deleted."""
    return bool(with_removal_mark(store, [path]))


def with_removal_mark(store: Store, paths: Sequence[str]) -> list[str]:
    """Return those of some paths below which everything is marked as deleted; all are asked for in one batch."""
    found = store.get_many([(level(path) + REMOVAL_MARK, None) for path in paths]) if paths else []
    return [path for path, mark in zip(paths, found, strict=True) if mark is not None]


def batches(path: str, keys: Sequence[str]) -> list[list[str]]:
    """Return the keys in deletion order; within a batch a store may delete them in any order.

    The order is: consolidated metadata, then the document that makes `path` a node, then documents below it, then the
    rest.
    """
    batches: dict[tuple[int, bool], list[str]] = {}
    for key in keys:
        turn = _turn(key)
        batches.setdefault((turn, turn == 1 and key.rpartition("/")[0] != path), []).append(key)
    return [batches[at] for at in sorted(batches)]


def by_rank(path: str, keys: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Separate keys below a path: what makes `path` a node, other documents, and the rest."""
    top = [key for key in keys if _turn(key) == 1 and key.rpartition("/")[0] == path]
    others = [key for key in keys if _turn(key) < 2 and key not in top]
    return top, others, [key for key in keys if _turn(key) == 2]


def _turn(key: str) -> int:
    """Return the rank of a key in deletion order: consolidated metadata, then node documents, then attributes."""
    name = key.rpartition("/")[2]
    return 0 if name == _CONSOLIDATED else 1 if name in _NODE_NAMES else 2


class Below(NamedTuple):
    """Keys below a path.

    Attributes
    ----------
    documents : list of str
        Keys of documents.
    foreign : str or None
        The first key that belongs to no hierarchy.
    empty : bool
        Whether there is nothing.
    keys : list of str
        All listed keys: up to the first that is surely foreign.
    """

    documents: list[str]
    foreign: str | None
    empty: bool
    keys: list[str]


def keys_below(store: Store, path: str, *, chunks_only: bool = False) -> Below:
    """Separate the keys of a hierarchy from foreign ones, by one listing that stops at the first surely foreign key.

    Known keys are documents, consolidated metadata under any hidden name, chunks of arrays, leftovers of killed
    writers and unfinished jobs, and the files that operating systems create in directories (``.DS_Store``,
    ``Thumbs.db``, ...).
    """
    documents: list[str] = []
    chunks: list[str] = []
    marked: list[str] = []
    unfinished: list[str] = []
    keys: list[str] = []
    for key in store.keys_below(level(path)):
        keys.append(key)
        name = TEMPORARY.sub("", key).rpartition("/")[2]
        if name in DOCUMENT_NAMES or name == _CONSOLIDATED:
            documents.append(key)
        elif f"/{JOB_FOLDER}/" in f"/{key}":
            unfinished.append(f"/{key}".partition(f"/{JOB_FOLDER}/")[0].lstrip("/"))
        elif name == REMOVAL_MARK:
            marked.append(key.rpartition("/")[0])
        elif _CHUNK_NAME.fullmatch(name):
            # listings have no order: whether a key is a chunk is known only when all arrays are known
            chunks.append(key)
        elif not SYSTEM_NAME.fullmatch(name) and not _is_consolidated(store, key):
            return Below(documents, key, empty=False, keys=keys)
    if not chunks:
        return Below(documents, None, not keys, keys)
    patterns = {} if chunks_only else _array_patterns(store, documents)
    # an interrupted deletion leaves chunks without the documents of their arrays
    patterns.update(dict.fromkeys(marked, _ANY_CHUNK))
    # a job writes the documents of its arrays last: until then, there are chunks at any depth without them
    patterns.update({path: patterns.get(path, _CHUNK_BELOW) for path in unfinished})
    strays = (key for key in chunks if not _is_chunk(TEMPORARY.sub("", key), patterns, chunks_only))
    return Below(documents, next(strays, None), empty=False, keys=keys)


def _array_patterns(store: Store, documents: Sequence[str]) -> dict[str, re.Pattern[str]]:
    """Return patterns for the chunk keys of each array, by its path; reads documents where keys are not enough."""
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
    """Return whether `key` could be a chunk of one of the arrays, with any separator."""
    parent, _, name = key.rpartition("/")
    while not (anywhere or parent in patterns):
        if not parent:
            return False
        parent, _, last = parent.rpartition("/")
        name = f"{last}/{name}"
    return (_ANY_CHUNK if anywhere else patterns[parent]).fullmatch(name) is not None


def _is_consolidated(store: Store, key: str) -> bool:
    """Return whether a file is consolidated metadata under a name that the user chose."""
    if key.rpartition("/")[2][:1] != ".":
        return False
    value = store.get_many([(key, None)])[0]
    return value is not None and b'"zarr_consolidated_format"' in bytes(value)


def refuse_consolidated(store: Store, path: str) -> None:
    """Raise if the documents of a hierarchy are consolidated; `path` is the node that was to be changed."""
    if isinstance(store, DocumentStore):
        raise ReadOnlyError(
            "consolidated metadata cannot be modified",
            path=path or None,
            hint="open the hierarchy without it, then consolidate again",
        )
