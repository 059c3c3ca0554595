"""Create and replace nodes.

If two writers create the same node, the first one wins: its document is set only if there is none, where the store can
do so. A node that is replaced disappears in one step where the store can do that, else in the order given in
`zarrds._node.delete`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from zarrds._base.log import log
from zarrds._base.types import Request
from zarrds._format import FORMATS, ArrayMeta, Format, GroupMeta, Node, format_of, node_key
from zarrds._node.delete import (
    Below,
    expect_ours,
    finish_deletion,
    is_separate,
    mark_removal,
    refuse_consolidated,
    remove,
    set_mark,
)
from zarrds._node.documents import group_documents, node_documents
from zarrds._node.lookup import Found, already_there, first_kind
from zarrds._store import JOB_FOLDER, REMOVAL_MARK, Store, ancestors, level, renamed
from zarrds.errors import ConflictError, ContainsArrayError, ContainsGroupError

__all__ = ["create_array", "create_group", "look_around", "missing_groups", "set_if_absent"]

Fill = Callable[..., None]

_ROUNDS = 10
"""Number of attempts to create a node while others create and delete at the same place."""


def create_array(
    store: Store,
    path: str,
    meta: ArrayMeta,
    *,
    overwrite: bool = False,
    chunk_store: Store | None = None,
    known_group: str | None = None,
    remake: Callable[[int], ArrayMeta] | None = None,
    fill: Fill | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> ArrayMeta:
    """Create an array and the groups above it.

    Parameters
    ----------
    store, chunk_store : Store
        Store of the documents, and store of the chunks if it is another.
    path : str
        Path of the array.
    meta : ArrayMeta
        Its metadata.
    overwrite : bool
        Delete an existing node first.
    known_group : str, optional
        A path: the caller knows that it and all paths above it are groups of the array's format.
    remake : callable, optional
        Returns `meta` for another format. Given if the caller leaves the format open: then that of the groups above is
        used.
    fill : callable, optional
        With `overwrite`, writes the data of the node: ``fill(store, path, meta=)``. Store and path may be a hidden
        place, and the node's documents need not exist yet.
    attributes : mapping, optional
        Its attributes.

    Returns
    -------
    ArrayMeta
        Metadata of the created array.

    Raises
    ------
    ContainsArrayError, ContainsGroupError
        A node is at `path` and `overwrite` is False, or a node above is not a group of that format.
    """
    return _create(
        store,
        path,
        meta,
        remake,
        overwrite=overwrite,
        chunk_store=chunk_store,
        known_group=known_group,
        fill=fill,
        attributes=attributes,
    )


def create_group(
    store: Store,
    path: str,
    meta: GroupMeta,
    *,
    overwrite: bool = False,
    chunk_store: Store | None = None,
    known_group: str | None = None,
    remake: Callable[[int], GroupMeta] | None = None,
    fill: Fill | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> GroupMeta:
    """Create a group and the groups above it; see `create_array`."""
    return _create(
        store,
        path,
        meta,
        remake,
        overwrite=overwrite,
        chunk_store=chunk_store,
        known_group=known_group,
        fill=fill,
        attributes=attributes,
    )


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
    fill: Fill | None,
    attributes: Mapping[str, Any] | None,
) -> _AnyNode:
    refuse_consolidated(store, path)
    format_of(meta).check_path(path)
    chunks_in = chunk_store if is_separate(store, chunk_store) else None
    if known_group is not None and not overwrite and _is_free_member(store, path, meta, known_group, chunks_in):
        if _set_new(store, (), path, node_documents(path, meta, attributes), meta):
            return meta
        known_group = None
    for _ in range(_ROUNDS):
        formats = FORMATS if known_group is None else (format_of(meta),)
        # a known group is read as well: it may have been deleted since, together with its parents
        above = [p for p in _above(path) if known_group is None or not _is_above(p, known_group)]
        (here, *found), marked = look_around(store, [path, *above], formats, chunks_in)
        # a new node must show nothing of a deleted one: finish interrupted deletions first
        unfinished = [at[0].path for at in (*found, here) if at[0].path in marked and first_kind(at) is None]
        if unfinished:
            finish_deletion(store, unfinished[0], chunk_store=chunks_in)
            continue
        if not overwrite:
            _expect_nothing(here, path, store)
        made = _fitting(meta, remake, path, found)
        missing = missing_groups(found, made, overwrite=overwrite)
        if known_group is not None and known_group in missing:
            known_group = None
            continue
        groups, documents = group_documents(missing, made.zarr_format), node_documents(path, made, attributes)
        if overwrite:
            arrays = [at[0].path for at in found if first_kind(at)]
            top = arrays[0] if arrays else path
            inside = None if fill is None else partial(fill, meta=made)
            if _replace(store, top, path, [*groups, *documents], chunks_in, inside, isinstance(made, GroupMeta)):
                return made
            continue
        if _set_new(store, missing, path, documents, made):
            return made
    raise ConflictError(
        "others create and delete at this path again and again",
        store=repr(store),
        path=path,
        hint="try again, or let one task create it",
    )


def look_around(
    store: Store, paths: Sequence[str], formats: Sequence[Format], chunk_store: Store | None
) -> tuple[list[list[Found]], list[str]]:
    """Return what is at each of several paths, and at which of them a deletion was not finished: one batch."""
    keys = [[known.node_keys(path) for known in formats] for path in paths]
    requests: list[Request] = [(key, None) for at in keys for some in at for key in some]
    values = iter(store.get_many([*requests, *_marks(paths)]))
    found = [
        [Found(known, path, [next(values) for _ in some]) for known, some in zip(formats, at, strict=True)]
        for path, at in zip(paths, keys, strict=True)
    ]
    marks = [mark is not None for mark in values]
    if chunk_store is not None:
        others = chunk_store.get_many(_marks(paths))
        marks = [is_marked or other is not None for is_marked, other in zip(marks, others, strict=True)]
    return found, [path for path, is_marked in zip(paths, marks, strict=True) if is_marked]


def _fitting(
    meta: _AnyNode, remake: Callable[[int], _AnyNode] | None, path: str, above: Sequence[list[Found]]
) -> _AnyNode:
    """Return the node to create, in the format of the groups above it if the caller leaves the format open."""
    number = _format_above(above)
    if remake is None or number in (None, meta.zarr_format):
        return meta
    assert number is not None
    made = remake(number)
    format_of(made).check_path(path)
    return made


def missing_groups(above: Sequence[list[Found]], meta: Node, *, overwrite: bool) -> list[str]:
    """Return the paths above a new node where a group must be created; an array there is only replaced on request."""
    arrays = [at[0].path for at in above if first_kind(at)]
    if arrays and not overwrite:
        raise ContainsArrayError("an array is where a group is needed", path=arrays[0])
    return [at[0].path for at in above if first_kind(at) or not _is_group(at, meta)]


# --- documents that only the first writer sets -----------------------------------------------------------------------


def set_if_absent(store: Store, documents: Sequence[tuple[str, bytes]]) -> bool:
    """Set the documents of a new node, unless there is one; return whether they were set.

    If two tasks do so at the same moment, one of them wins where the store can compare and set in one step; where it
    cannot, the documents of the last one stay.
    """
    if not store.can_set_if:
        store.set_many(documents)
        return True
    *others, (key, text) = documents
    if not store.set_if(key, text, None):
        return False
    if others:
        store.set_many(others)
    return True


def _set_new(
    store: Store, groups: Sequence[str], path: str, documents: Sequence[tuple[str, bytes]], node: Node
) -> bool:
    """Set the documents of a new node and of missing groups above it, those first; return False if they must not stay.

    No document that is there is replaced. In Zarr v2 arrays and groups have documents of different names, so two tasks
    that create one of each at one path both find that nothing is there. Each looks for the other's document after it
    has set its own, and takes its own back if there is one. So at most one of them stays; if neither does, both try
    again.
    """
    *others, document = documents
    above = zip(groups, group_documents(groups, node.zarr_format), strict=True)
    set_here = [(at, made[0], False) for at, made in above if set_if_absent(store, [made])]
    if not set_if_absent(store, [document]):
        return False
    set_here.append((path, document[0], isinstance(node, ArrayMeta)))
    unwanted = _beside_other_kind(store, set_here, format_of(node))
    if unwanted:
        store.delete_many(list(dict.fromkeys([document[0], *unwanted])))
        return False
    if others:
        store.set_many(others)
    return True


def _beside_other_kind(store: Store, nodes: Sequence[tuple[str, str, bool]], known: Format) -> list[str]:
    """Return the documents, of new nodes, beside which is one of the other kind of node, where that has another name.

    Parameters
    ----------
    nodes : sequence of (str, str, bool)
        Path and document of each, and whether it is an array.
    """
    if known.one_document or not store.can_set_if or not store.keeps_documents:  # in N5 both kinds are in one file
        return []
    pairs = [(key, other) for path, key, _ in nodes for other in known.node_keys(path) if other != key]
    beside = _keys_beside(store, pairs)
    # an array looks again, so that of two who meet in step with each other the group gives way
    arrays = {key for _, key, is_array in nodes if is_array}
    looks = 0
    while arrays.issuperset(beside) and beside and looks < _LOOKS:
        beside, looks = _keys_beside(store, pairs), looks + 1
    return beside


_LOOKS = 3


def _keys_beside(store: Store, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Return the first key of each pair whose second key exists."""
    found = store.get_many([(other, None) for _, other in pairs])
    return [key for (key, _), text in zip(pairs, found, strict=True) if text is not None]


def _marks(paths: Sequence[str]) -> list[tuple[str, None]]:
    return [(node_key(path, REMOVAL_MARK), None) for path in paths]


# --- replacing --------------------------------------------------------------------------------------------------------


def _replace(
    store: Store,
    top: str,
    path: str,
    documents: Sequence[tuple[str, bytes]],
    chunk_store: Store | None,
    fill: Callable[..., None] | None,
    is_group: bool,
) -> bool:
    """Put new nodes in the place of everything at and below `top`, and create missing groups above it.

    Where the store can, that is one step: a reader finds the old node or the new one, with what `fill` writes, and if
    anything fails, the old one is still there. Elsewhere the old node is deleted first, and the documents of the new
    one are set last. If two tasks do so at the same moment, the last one stays. Return False if it must be repeated.
    """
    store.check_documents(documents)
    prefix = level(top)
    inside = [(key, text) for key, text in documents if key.startswith(prefix)]
    below = expect_ours(store, top)
    chunks = None if chunk_store is None else expect_ours(chunk_store, top, chunks_only=True)
    for key, text in documents:
        if not key.startswith(prefix):
            set_if_absent(store, [(key, text)])
    if chunk_store is not None and chunks is not None:
        mark_removal(chunk_store, top, chunks)
        remove(store, top, below)
        remove(chunk_store, top, chunks)
        _set_and_fill(store, path, inside, fill)
    elif fill is not None:
        try:
            _replace_filled(store, top, path, inside, below, fill, is_group)
        except _ReplacedMeanwhile:
            _wait_for_other(store, top)
            return False
    elif not store.replace_below(top, inside):
        remove(store, top, below)
        store.set_many(inside)
    return True


def _set_and_fill(
    store: Store, path: str, documents: Sequence[tuple[str, bytes]], fill: Callable[..., None] | None
) -> None:
    store.set_many(documents)
    if fill is not None:
        fill(store, path)


def _replace_filled(
    store: Store,
    top: str,
    path: str,
    documents: Sequence[tuple[str, bytes]],
    below: Below,
    fill: Callable[..., None],
    is_group: bool,
) -> None:
    """Replace what is at `top` by nodes with data, built in a hidden place or with the array's documents last."""
    staging = store.staging(top)
    if staging is not None:
        try:
            moved = [(renamed(key, top, staging.path), text) for key, text in documents]
            _set_and_fill(staging.store, renamed(path, top, staging.path), moved, fill)
            staging.put()
        except BaseException:
            staging.discard()
            raise
        return
    if is_group or not store.keeps_documents or not store.is_erasable():
        if not store.replace_below(top, documents):
            remove(store, top, below)
            store.set_many(documents)
        fill(store, path)
        return
    remove(store, top, below)
    # until the documents are there, the new chunks look like leftovers of a deletion
    mark = set_mark(store, top)
    fill(store, path)
    if store.get_many([(mark[0], None)]) != [mark[1]]:
        raise _ReplacedMeanwhile
    store.set_many(documents)
    store.delete_many([mark[0]])


class _ReplacedMeanwhile(Exception):
    """Another task began to replace the node while its data were written here: both may be mixed, so begin again."""


_POLLS, _POLL_S = 100, 0.01


def _wait_for_other(store: Store, path: str) -> None:
    """Wait until the task that is replacing the node is done, or seems dead: else each would disturb the other."""
    log.info("%r: waiting for another task that replaces the node at /%s", store, path)
    mark: list[Request] = [(level(path) + REMOVAL_MARK, None)]
    first = store.get_many(mark)
    for _ in range(_POLLS):
        if first == [None] or store.get_many(mark) != first:
            return
        time.sleep(_POLL_S)


# --- what is there ----------------------------------------------------------------------------------------------------


def _format_above(found: Sequence[list[Found]]) -> int | None:
    """Return the format of the nearest group above."""
    kinds = (at.format.number for path in reversed(found) for at in path if at.is_array() is False)
    return next(kinds, None)


def _is_free_member(store: Store, path: str, meta: Node, group: str, chunk_store: Store | None) -> bool:
    """Return whether a new node needs nothing but its own document: most are members of an existing group."""
    if path.rpartition("/")[0] != group or path == group:
        return False
    known = format_of(meta)
    keys = [(key, None) for key in (*known.node_keys(path), known.node_keys(group)[-1])]
    *here, above, mark = store.get_many([*keys, *_marks([path])])
    if mark is not None or (chunk_store is not None and chunk_store.get_many(_marks([path])) != [None]):
        return False
    nothing = [None] * (len(known.node_keys(group)) - 1)
    return all(found is None for found in here) and known.is_array(group, [*nothing, above]) is False


def _expect_nothing(found: list[Found], path: str, store: Store) -> None:
    kind = first_kind(found)
    if kind is not None:
        raise already_there(kind, path, store, "pass overwrite=True to replace it")


def _is_group(found: list[Found], below: Node) -> bool:
    """Return whether a group is there that may hold a node of that format: a hierarchy has one format."""
    numbers = [at.format.number for at in found if at.is_array() is False]
    if numbers and below.zarr_format not in numbers:
        raise ContainsGroupError(
            "a group of another format is above",
            path=found[0].path or "/",
            expected=f"Zarr v{below.zarr_format}",
            found=f"Zarr v{numbers[0]}",
            hint=f"pass zarr_format={numbers[0]}, or choose another place",
        )
    return bool(numbers)


_HIDDEN = re.compile(rf"(?:.*/)?{re.escape(JOB_FOLDER)}/[0-9a-f]{{32}}", re.DOTALL)


def _above(path: str) -> list[str]:
    """Return the paths above a node; none for a hidden place (`replacing`), which is no member of a hierarchy.

    Another writer may be replacing the group above it at this moment.
    """
    return [] if _HIDDEN.fullmatch(path) else ancestors(path)


def _is_above(path: str, group: str) -> bool:
    return path != group and (not path or group.startswith(path + "/"))
