"""Move nodes: in one step where the store can, else by copying keys in an order in which no half of a node is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress

from zarrds._base.types import Buf
from zarrds._format import ATTRS_KEY, FORMATS, Node, format_of
from zarrds._node.create import look_around, missing_groups, set_if_absent
from zarrds._node.delete import (
    Below,
    by_rank,
    finish_deletion,
    has_removal_mark,
    is_separate,
    mark_removal,
    refuse_consolidated,
    remove,
    set_mark,
)
from zarrds._node.documents import group_documents
from zarrds._node.lookup import expect_free, find_node, first_kind, first_node
from zarrds._store import REMOVAL_MARK, Store, ancestors, level, renamed, to_bytes
from zarrds.errors import ArgumentError, ConflictError, PathNotFoundError

__all__ = ["move_node"]

_COMPARED_KEYS = 16


def move_node(store: Store, src: str, dst: str, *, chunk_store: Store | None = None) -> None:
    """Move the node at `src` to `dst`, and create the groups above it.

    Where `Store.rename` is one step, a reader finds the node at one of the two paths. Elsewhere a mark is set at `dst`,
    then chunks are copied, then documents, that of the node last; then the old node is deleted, then the mark. Until
    the document of the node is there, what lies at `dst` counts as deleted. So a reader finds the old node, both, or
    the new one, each of them whole. To move again after an interruption finishes the work; if both are there then, and
    they differ because one has been changed, nothing is deleted and an error is raised.

    Nobody else may write to the node meanwhile. If another task creates a node at `dst` while this one copies, the old
    node stays and ConflictError is raised, where the store can compare and set.

    Chunks in a separate store are moved first. Where both stores rename in one step, a reader may miss them for a
    moment.
    """
    refuse_consolidated(store, src)
    if not src or dst == src or dst.startswith(src + "/"):
        raise ArgumentError(f"cannot move {'/' + src!r} to {'/' + dst!r}: that is in itself")
    chunks_in = chunk_store if is_separate(store, chunk_store) else None
    stores = [store, *([chunks_in] if chunks_in is not None else [])]
    in_one_step = all(found.renames_in_one_step() for found in stores)
    node = find_node(store, src)
    if not in_one_step and _is_finished(store, src, dst, node, chunks_in):
        return
    if node is None:
        raise PathNotFoundError("the source does not exist", path=src)
    for found in stores:
        if not found.is_erasable():
            found.rename(src, dst)  # raises the error of the store, before anything has changed
    _make_room(store, dst, node, chunks_in)
    if in_one_step:
        _rename(store, src, dst, chunks_in)
    else:
        _copy_and_delete(store, src, dst, node, chunks_in)


def _make_room(store: Store, dst: str, node: Node, chunk_store: Store | None) -> None:
    """Raise if a node is at `dst` or an array above; finish interrupted deletions there; create missing groups."""
    format_of(node).check_path(dst)
    while True:
        (here, *found), marked = look_around(store, [dst, *ancestors(dst)], FORMATS, chunk_store)
        expect_free(first_node(store, here), dst, store, "choose another name, or delete what is there first")
        missing = missing_groups(found, node, overwrite=False)
        unfinished = [at[0].path for at in (*found, here) if at[0].path in marked and first_kind(at) is None]
        if not unfinished:
            break
        finish_deletion(store, unfinished[0], chunk_store=chunk_store)
    for document in group_documents(missing, node.zarr_format):
        set_if_absent(store, [document])


def _rename(store: Store, src: str, dst: str, chunk_store: Store | None) -> None:
    """Rename chunks in a separate store, then the node; put the chunks back if the node cannot be renamed."""
    if chunk_store is None:
        store.rename(src, dst)
        return
    # an array without chunks has no keys there
    with suppress(PathNotFoundError):
        chunk_store.rename(src, dst)
    try:
        store.rename(src, dst)
    except BaseException:
        with suppress(PathNotFoundError):
            chunk_store.rename(dst, src)
        raise


# --- copying ----------------------------------------------------------------------------------------------------------


def _copy_and_delete(store: Store, src: str, dst: str, node: Node, chunk_store: Store | None) -> None:
    mark = set_mark(store, dst, _note(src))
    if chunk_store is not None:
        chunk_store.copy_many(_pairs(_keys(chunk_store, src), src, dst))
    keys = _keys(store, src)
    top, others, rest = by_rank(src, keys)
    if not store.keeps_documents:  # the attributes of a node are in its one document
        others += [key for key in rest if key.rpartition("/")[2] == ATTRS_KEY]
        rest = [key for key in rest if key.rpartition("/")[2] != ATTRS_KEY]
        top += [key for key in others if key == level(src) + ATTRS_KEY]
        others = [key for key in others if key not in top]
    store.copy_many(_pairs(rest, src, dst))
    store.set_many(_values(store, _pairs(others, src, dst)))
    documents = _values(store, _pairs(top, src, dst)) or group_documents([dst], node.zarr_format)
    if store.get_many([(mark[0], None)]) != [mark[1]] or not _set_last(store, documents):
        raise ConflictError(
            "another task has created a node where this one was moved to",
            store=repr(store),
            path=dst,
            hint="the source is as it was; move it to another path",
        )
    _delete_old(store, src, dst, chunk_store, keys)


def _set_last(store: Store, documents: Sequence[tuple[str, Buf]]) -> bool:
    """Set the documents that make a path a node; return False, if another task has set them already."""
    if store.keeps_documents and store.can_set_if and len(documents) == 1:
        return store.set_if(*documents[0], None)
    store.set_many(documents)
    return True


def _delete_old(store: Store, src: str, dst: str, chunk_store: Store | None, keys: list[str]) -> None:
    """Delete the keys of the old node, then the mark at the new path."""
    if chunk_store is not None:
        chunks = _below(_keys(chunk_store, src))
        mark_removal(chunk_store, src, chunks)
        _remove(store, src, _below(keys))
        _remove(chunk_store, src, chunks)
    else:
        _remove(store, src, _below(keys))
    store.delete_many([level(dst) + REMOVAL_MARK])


def _remove(store: Store, path: str, below: Below) -> None:
    """Delete keys below a path, and what an interrupted deletion left there."""
    if below.empty and has_removal_mark(store, path):
        below = _below(_keys(store, path))
        if below.empty:
            store.delete_many([level(path) + REMOVAL_MARK])
    remove(store, path, below)


def _below(keys: list[str]) -> Below:
    return Below([], None, empty=not keys, keys=keys)


def _is_finished(store: Store, src: str, dst: str, node: Node | None, chunk_store: Store | None) -> bool:
    """Finish an interrupted move whose new node is complete; return whether there was one."""
    (mark,) = store.get_many([(level(dst) + REMOVAL_MARK, None)])
    if mark is None or _note(src).encode() not in to_bytes(mark).splitlines() or find_node(store, dst) is None:
        return False
    keys = [] if node is None else _keys(store, src)
    for found in (store, chunk_store) if node is not None else ():
        if found is not None and not _are_equal(found, _pairs(_keys(found, src), src, dst)):
            return False  # one of the two was changed since: the error about an existing node is right
    _delete_old(store, src, dst, chunk_store, keys)
    return True


def _note(src: str) -> str:
    return json.dumps({"moved_from": src})


def _keys(store: Store, path: str) -> list[str]:
    """Return the keys below a path, without the mark of a deletion of the path itself."""
    mark = level(path) + REMOVAL_MARK
    return [key for key in store.keys_below(level(path)) if key != mark]


def _pairs(keys: Sequence[str], src: str, dst: str) -> list[tuple[str, str]]:
    return [(key, renamed(key, src, dst)) for key in keys]


def _values(store: Store, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, Buf]]:
    """Return the new keys with the values of the old ones."""
    found = store.get_many([(key, None) for key, _ in pairs]) if pairs else []
    return [(new, value) for (_, new), value in zip(pairs, found, strict=True) if value is not None]


def _are_equal(store: Store, pairs: Sequence[tuple[str, str]]) -> bool:
    """Return whether the values under both keys of each pair are the same."""
    for start in range(0, len(pairs), _COMPARED_KEYS):
        some = pairs[start : start + _COMPARED_KEYS]
        old, new = (store.get_many([(pair[side], None) for pair in some]) for side in (0, 1))
        for a, b in zip(old, new, strict=True):
            if a is not None and (b is None or to_bytes(a) != to_bytes(b)):
                return False
    return True
