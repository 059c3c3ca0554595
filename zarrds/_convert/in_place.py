"""Convert a hierarchy in place: write new documents beside the old ones, then remove the old ones.

At every moment a reader finds one complete format. If documents of both exist, Zarr v3 is read. Therefore the v3
document of the root is written last when converting to v3, and removed first when converting to v2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from zarrds import _node
from zarrds._convert.chunks import Moving, move_stored, open_both
from zarrds._convert.documents import expect_written, still_to_do, write_nodes
from zarrds._convert.plan import Found, Step, has_consolidated, nodes_in, plan_steps
from zarrds._copy import CopyReport
from zarrds._engine import ChunkKeys, OpenSource, stored_chunks, windows
from zarrds._format import CONSOLIDATED_KEY, ArrayMeta, KeyEncoding, format_of, other_format
from zarrds._store import Store, ancestors
from zarrds.errors import ContainsGroupError, NotErasableError, ReadOnlyError

__all__ = [
    "PlanInPlace",
    "convert_in_place",
    "delete_keys",
    "plan_in_place",
    "remove_old",
    "remove_old_chunks",
    "stale_keys",
    "write_new",
]

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class PlanInPlace:
    """Checked plan of a conversion in place.

    Attributes
    ----------
    path : str
        Path of the hierarchy.
    to : int
        The new format.
    keep : bool
        Whether old documents, and chunks under old keys, stay.
    documents : frozenset of str
        Keys of the existing documents of both formats.
    present : tuple of str
        Paths of the nodes that have the new format already.
    steps : tuple of Step
        All nodes of the old format, parents before their members.
    todo : tuple of Step
        Steps whose new documents no earlier run has written.
    everything : tuple of Step
        All nodes of the finished hierarchy.
    consolidated : bool
        Whether there will be consolidated metadata.
    """

    path: str
    to: int
    keep: bool
    documents: frozenset[str]
    present: tuple[str, ...]
    steps: tuple[Step, ...]
    todo: tuple[Step, ...]
    everything: tuple[Step, ...]
    consolidated: bool

    @property
    def renamed(self) -> list[Step]:
        """Return the arrays whose chunks get other keys."""
        return [step for step in self.steps if _is_renamed(step)]

    @property
    def has_old_root(self) -> bool:
        """Return whether the first node exists in the old format."""
        return bool(self.steps) and self.steps[0].old.path == self.path


def _is_renamed(step: Step) -> bool:
    old, new = step.old.node, step.new.node
    return isinstance(old, ArrayMeta) and isinstance(new, ArrayMeta) and old.keys.style != new.keys.style


def convert_in_place(store: Store, path: str, to: int, keep: bool, how: Moving) -> CopyReport:
    """Convert the hierarchy at a path; with `keep` the old documents, and chunks under old keys, stay."""
    plan, report = plan_in_place(store, path, to, keep), CopyReport(dry_run=how.dry_run)
    for step in plan.renamed:
        source, dest = open_both(store, store, step)
        if not how.dry_run:
            delete_keys(store, stale_keys(source, dest))
        report += move_stored(source, dest, how)
    if how.dry_run or not report.ok:
        return report
    write_new(store, plan)
    remove_old(store, plan)
    if not plan.keep:
        for step in plan.everything:
            remove_old_chunks(store, step.new)
        store.flush()
    return report


def plan_in_place(store: Store, path: str, to: int, keep: bool) -> PlanInPlace:
    """Return the plan of the conversion; raise an error for whatever prevents it. Nothing is written."""
    _check_store(store, path, to, keep)
    documents = _node.documents_below(store, path)
    number = other_format(to)
    old, present = nodes_in(store, documents, number), nodes_in(store, documents, to)
    if path not in old and path not in present:
        raise _node.not_found(store, path)
    steps = plan_steps(store, path, old, to, path, exact=True) if old else []
    # members that had the new format before belong to the hierarchy, and to its consolidated metadata
    others = [Step(at, at, raw=True) for where, at in present.items() if where not in old]
    return PlanInPlace(
        path,
        to,
        keep,
        frozenset(documents),
        tuple(present),
        tuple(steps),
        tuple(still_to_do(store, steps, present)),
        tuple(sorted([*steps, *others], key=lambda step: step.new.path.count("/") + bool(step.new.path))),
        consolidated=any(has_consolidated(store, path, n) for n in (2, 3)),
    )


def write_new(store: Store, plan: PlanInPlace) -> None:
    """Write the documents of the new format, after chunks have their new keys, and read all back."""
    if plan.todo or plan.has_old_root:
        write_nodes(store, plan.todo, plan.everything, plan.consolidated)
    store.flush()
    expect_written(store, plan.everything, plan.to)


def _check_store(store: Store, path: str, to: int, keep: bool) -> None:
    if not store.is_writeable():
        raise ReadOnlyError(store=repr(store), path=path or None)
    if not keep and not store.is_erasable():
        raise NotErasableError(
            store=repr(store), hint="entries are not removed from it: convert to a dest, or pass keep=True"
        )
    for above in ancestors(path):
        if _node.has_node(store, above, other_format(to)) and not _node.has_node(store, above, to):
            raise ContainsGroupError(
                "a hierarchy is of one format, and a group above is of the old one",
                store=repr(store),
                path=above or "/",
                hint="convert the whole hierarchy, or convert to a dest",
            )


# --- chunks that get other keys ---------------------------------------------------------------------------------------


def stale_keys(source: OpenSource, dest: OpenSource) -> list[str]:
    """Return new keys of chunks, left by a stopped run, whose chunks no longer exist under the old keys."""
    kept = set(stored_chunks(source))
    return [dest.key(at) for at in set(stored_chunks(dest)) - kept]


def remove_old_chunks(store: Store, found: Found) -> None:
    """Remove chunks under v3 keys from an array converted to Zarr v2, which does not use those keys."""
    meta = found.node
    if not isinstance(meta, ArrayMeta) or meta.zarr_format != 2:
        return
    old = OpenSource(store, found.path, replace(meta, keys=KeyEncoding(meta.keys.separator, "default")))
    prefix = old.prefix + ("c/" if meta.keys.separator == "/" and meta.ndim else "")
    chunk_keys = ChunkKeys(old)
    keys = [key for key in store.keys_below(prefix) if chunk_keys.coords(key) is not None]
    delete_keys(store, keys)


def delete_keys(store: Store, keys: Sequence[str]) -> None:
    """Delete keys in batches."""
    for batch in windows(keys, _BATCH):
        store.delete_many(batch)


# --- old documents ----------------------------------------------------------------------------------------------------


def remove_old(store: Store, plan: PlanInPlace) -> None:
    """Remove the old documents: that of the root first, and attributes last, so that nodes keep theirs."""
    if plan.keep:
        return
    number = other_format(plan.to)
    known = format_of(number)
    if number == 2 and not plan.path:
        store.delete_many([CONSOLIDATED_KEY])
    paths = [step.old.path for step in plan.steps]
    nodes = [[key for key in known.node_keys(path) if key in plan.documents] for path in paths]
    for keys in (nodes[:1], nodes[1:]):
        flat = [key for some in keys for key in some]
        if flat:
            store.delete_many(flat)
    gone = {key for keys in nodes for key in keys}
    owned = {known.attributes_key(where) for where in (*plan.present, *paths)}
    rest = [key for key in sorted(plan.documents) if key in owned and key not in gone]
    if rest:
        store.delete_many(rest)
    store.flush()
