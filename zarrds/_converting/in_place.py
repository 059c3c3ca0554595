"""Conversion where the hierarchy lies: new documents beside the old ones, then the old ones go.

At every moment a reader finds either format whole. Where documents of both are there, format 3 is what is read: on the
way to it the document of the root comes last, on the way from it that of the root goes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from zarrds import _nodes
from zarrds._converting.documents import expect_written, still_to_do, write_nodes
from zarrds._converting.plan import Found, Step, has_consolidated, nodes_in, plan_steps
from zarrds._copying.blocks import copy_encoded
from zarrds._engine.bulk import chunk_coords, stored_chunks
from zarrds._engine.source import OpenSource
from zarrds._format.consolidated import CONSOLIDATED_KEY
from zarrds._format.formats import format_of
from zarrds._format.meta import ArrayMeta, KeyEncoding
from zarrds._store.base import Store
from zarrds._types import Buf
from zarrds.errors import ContainsGroupError, NotErasableError, ReadOnlyError

__all__ = ["convert_in_place"]

_BATCH = 1000


def convert_in_place(store: Store, path: str, to: int, keep: bool) -> None:
    """Convert the hierarchy at a path; with `keep` the old documents, and chunks under old keys, stay."""
    _check_store(store, path, to, keep)
    documents = _nodes.documents_below(store, path)
    number = 5 - to
    old, present = nodes_in(store, documents, number), nodes_in(store, documents, to)
    if path not in old and path not in present:
        raise _nodes.not_found(store, path)
    steps = plan_steps(store, path, old, to, path, exact=True) if old else []
    todo = still_to_do(store, steps, present)
    # members that were in the new format before belong to it, and into consolidated metadata
    others = [Step(at, at, raw=True) for where, at in present.items() if where not in old]
    everything = sorted([*steps, *others], key=lambda step: step.new.path.count("/") + bool(step.new.path))
    consolidated = any(has_consolidated(store, path, n) for n in (2, 3))
    for step in steps:
        _copy_chunks(store, step)
    if todo or path in old:
        write_nodes(store, todo, everything, consolidated)
    store.flush()
    expect_written(store, everything, to)
    if not keep:
        _remove_documents(store, path, documents, [step.old for step in steps], present, number)
        for step in everything:
            _remove_old_chunks(store, step.new)
        store.flush()


def _check_store(store: Store, path: str, to: int, keep: bool) -> None:
    if not store.is_writeable():
        raise ReadOnlyError(store=repr(store), path=path or None)
    if not keep and not store.is_erasable():
        raise NotErasableError(
            store=repr(store), hint="entries are not removed from it: convert to a dest, or pass keep=True"
        )
    parents = path.split("/")[:-1] if path else []
    for above in ["/".join(parents[:n]) for n in range(len(parents) + 1)] if path else []:
        if _nodes.has_node(store, above, 5 - to) and not _nodes.has_node(store, above, to):
            raise ContainsGroupError(
                "a hierarchy is of one format, and a group above is of the old one",
                store=repr(store),
                path=above or "/",
                hint="convert the whole hierarchy, or convert to a dest",
            )


# --- chunks that get other keys ---------------------------------------------------------------------------------------


def _copy_chunks(store: Store, step: Step) -> None:
    """Put chunks under their new keys as well; those under old keys go when no document speaks of them any more."""
    old, new = step.old.node, step.new.node
    if not isinstance(old, ArrayMeta) or not isinstance(new, ArrayMeta) or old.keys.style == new.keys.style:
        return
    source, dest = OpenSource(store, step.old.path, old), OpenSource(store, step.new.path, new)
    kept = set(stored_chunks(source))
    _delete(store, (dest.key(at) for at in set(stored_chunks(dest)) - kept))
    copy_encoded(source, dest)


def _remove_old_chunks(store: Store, found: Found) -> None:
    """Remove chunks under the keys of format 3 from an array of format 2, which has no others there."""
    meta = found.node
    if not isinstance(meta, ArrayMeta) or meta.zarr_format != 2:
        return
    old = OpenSource(store, found.path, replace(meta, keys=KeyEncoding(meta.keys.separator, "default")))
    prefix = old.prefix + ("c/" if meta.keys.separator == "/" and meta.ndim else "")
    keys = [key for key in store.keys_below(prefix) if chunk_coords(old, key[len(old.prefix) :]) is not None]
    _delete(store, iter(keys))


def _delete(store: Store, keys: Iterator[str]) -> None:
    while batch := list(islice(keys, _BATCH)):
        store.delete_many(batch)


# --- old documents ----------------------------------------------------------------------------------------------------


def _remove_documents(
    store: Store, path: str, documents: dict[str, Buf], old: Sequence[Found], present: dict[str, Found], number: int
) -> None:
    """Remove documents, that of the root first; attributes last, so that a stopped run finds its nodes whole."""
    known = format_of(number)
    if number == 2 and not path:
        store.delete_many([CONSOLIDATED_KEY])
    nodes = [[key for key in known.node_keys(found.path) if key in documents] for found in old]
    for keys in (nodes[:1], nodes[1:]):
        flat = [key for some in keys for key in some]
        if flat:
            store.delete_many(flat)
    gone = {key for keys in nodes for key in keys}
    owned = {known.attributes_key(where) for where in (*present, *(found.path for found in old))}
    rest = [key for key in documents if key in owned and key not in gone]
    if rest:
        store.delete_many(rest)
