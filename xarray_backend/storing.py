"""Carry out plans in an order in which readers see only complete data.

Order for new datasets: documents of variables in one batch, chunks, attributes of groups, consolidated metadata. Order
for appends: chunks, shapes of the arrays, attributes, consolidated metadata; an append that fails undoes its changes.
An append that creates arrays creates them without the new rows, and enlarges them like the stored ones.
One writer at a time appends to a group (`zarrds.parallel.group_turn`), any number may write to regions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import zarrds
from xarray_backend.blocks import BlockTarget, LazyWrite, block_starts, finish_later, finish_now
from xarray_backend.encoding import FLAG, added_attributes
from xarray_backend.plan import DatasetPlan, Resize, VariableWrite
from xarray_backend.reader import ZarrdsStore
from xarray_backend.receipt import DelayedReceipt, WriteReceipt
from zarrds import Array, Group
from zarrds.creation import NewArray, NewGroup, consolidated
from zarrds.errors import ConsolidatedNotFoundError, PathNotFoundError
from zarrds.parallel import ReplacingTurn, Turn, at_once, larger, settle, take_back
from zarrds.storage import Store

if TYPE_CHECKING:
    from dask.delayed import Delayed

WRITTEN_AT_ONCE = 2**26
"""Bytes of the variables in memory that are written at the same moment."""

_HOW_TO_GO_ON = "what is done is kept: repeat the same call to go on where it was"

__all__ = ["Job", "ancestors", "carry_out", "is_consolidated", "new_documents", "write_values"]


@dataclass(frozen=True, slots=True)
class Job:
    """Options for carrying out plans.

    Attributes
    ----------
    compute : bool
        Whether dask arrays are written now.
    consolidated : bool
        Whether metadata are consolidated at the end.
    dask_options : dict
        Passed to `dask.compute`.
    synchronizer : object, optional
        Gives a lock for a chunk key.
    turns : tuple of Turn
        This writer's turns to enlarge the arrays of the groups.
    append_dim : hashable, optional
        The dimension along which new arrays are created without the new rows; None: they are created whole.
    receipt : WriteReceipt, optional
        Says in the store that this write is at work, and whether it continues one that was stopped.
    delayed : DelayedReceipt, optional
        What says so of dask arrays that are computed later.
    alone : ReplacingTurn, optional
        In mode "w", this writer's turn to replace the group.
    is_hidden : bool
        Whether the group is written in a hidden place, of which no consolidated metadata above it may tell.
    creating : ExitStack
        What ends when the documents of new arrays are set.
    """

    compute: bool
    consolidated: bool
    dask_options: dict[str, Any] = field(default_factory=dict)
    synchronizer: Any = None
    turns: tuple[Turn, ...] = ()
    append_dim: Any = None
    receipt: WriteReceipt | None = None
    delayed: DelayedReceipt | None = None
    alone: ReplacingTurn | None = None
    is_hidden: bool = False
    creating: ExitStack = field(default_factory=ExitStack)


def carry_out(
    plans: list[DatasetPlan],
    documents: list[tuple[str, bytes]],
    target: Store,
    written: Group,
    job: Job,
    *,
    fresh: bool,
) -> ZarrdsStore | Delayed:
    """Carry out the plans; return the stored group, or a Delayed that writes the dask arrays."""
    resizes = [resize for plan in plans for resize in plan.resizes]
    changed = bool(documents) or bool(resizes) or any(plan.attrs is not None for plan in plans)
    if job.alone is not None:
        job.alone.keep()
    if documents:
        target.set_many(documents)
    job.creating.close()
    resizes += [
        (Array(target, write.array.path), write.shape)
        for plan in plans
        for write in plan.writes
        if isinstance(write.array, NewArray) and _as_created(write, job.append_dim) != write.array
    ]
    if not job.turns or not job.compute:
        _grow(resizes, job.turns)
        later = write_values(plans, target, job, appends=False)
    else:
        later = _append(plans, resizes, target, job)
    if job.alone is not None:
        job.alone.expect_kept()
    # a store that translates documents, such as N5, must read them back to consolidate them
    whole = fresh and not written.path and target.keeps_documents
    last = _last_documents(plans, documents, consolidates=whole and job.consolidated)
    is_alone = _set_last(last, _as_left(plans, documents, job) if fresh else None, target)
    if not is_alone and not _joined(plans, documents, target):
        raise PathNotFoundError("arrays that were written are gone", path=written.path)
    root = None
    if not (whole and is_alone) and (changed or job.consolidated) and not job.is_hidden:
        changes = None if fresh else _changed_paths(plans)  # mode "w" may have deleted other nodes
        root = _consolidate_again(target, changes, wanted=job.consolidated)
    if not fresh:
        _expect_there(plans, documents, target, root)
    target.flush()
    if job.compute:
        return ZarrdsStore(written)
    if not later:
        return finish_later([])
    from xarray_backend.later import DelayedWrites

    return DelayedWrites(later, job.delayed)


def _append(plans: list[DatasetPlan], resizes: list[Resize], target: Store, job: Job) -> list[Any]:
    """Write the data behind the ends of stored arrays, then their shapes; undo everything if that fails."""
    texts = settle([array for array, _ in resizes])
    try:
        write_values(plans, target, job, appends=True)
        target.flush()
    except BaseException:
        if not any(turn.is_lost for turn in job.turns):
            take_back(resizes)
        raise
    _grow(resizes, job.turns, texts)
    return []


def _grow(resizes: list[Resize], turns: tuple[Turn, ...], documents: Sequence[Any] = ()) -> None:
    """Write the new shapes of arrays, if it is still this writer's turn in all groups."""
    first, *others = turns or (Turn(None),)
    for turn in others:
        turn.keep()
    first.grow(resizes, documents)


def write_values(plans: list[DatasetPlan], target: Store, job: Job, *, appends: bool) -> list[LazyWrite]:
    """Write values in memory, and dask arrays if `compute` is set; return the dask arrays still to be written."""
    writes = [write for plan in plans for write in plan.writes]
    places = [(write, _block_target(write, target, job, appends=appends)) for write in writes]
    turns = job.turns if appends else () if job.alone is None else (job.alone,)
    for some in _windows([pair for pair in places if not pair[0].is_lazy]):
        at_once(target, partial(_write_now, turns), some)
    lazy = [LazyWrite(write.values.data, write.blocks, place) for write, place in places if write.is_lazy]
    if not job.compute or not lazy:
        return lazy
    continues = job.receipt is not None and job.receipt.is_found
    receipts = [one.unfinished() if continues else one.receipts() for one in lazy]
    try:
        finish_now(receipts, job.dask_options)
    except KeyboardInterrupt as stopped:
        if job.receipt is not None:
            stopped.add_note(_HOW_TO_GO_ON)
        raise
    return []


def _windows(writes: Sequence[tuple[VariableWrite, BlockTarget]]) -> Iterator[list[tuple[VariableWrite, BlockTarget]]]:
    """Yield variables that are written at the same moment on a network: some that are small, or a large one."""
    some: list[tuple[VariableWrite, BlockTarget]] = []
    total = 0
    for write, place in writes:
        nbytes = write.values.nbytes
        if some and total + nbytes > WRITTEN_AT_ONCE:
            yield some
            some, total = [], 0
        some.append((write, place))
        total += nbytes
    if some:
        yield some


def _write_now(turns: Sequence[Turn], pair: tuple[VariableWrite, BlockTarget]) -> None:
    """Write values in memory, or that are loaded now."""
    write, place = pair
    values = write.values.to_numpy()
    for turn in turns:
        turn.keep()  # this process may have been stopped, or its machine may have slept
    if values.size:
        place.write_region(tuple(slice(o, o + n) for o, n in zip(write.origin, values.shape, strict=True)), values)


def _block_target(write: VariableWrite, target: Store, job: Job, *, appends: bool) -> BlockTarget:
    """Return where the values of a variable are written, and whether other writers may write there too."""
    array = write.array
    shared = "no" if isinstance(array, NewArray) else "grown" if appends and write.grows else "yes"
    source = (
        _source_in(target, array)
        if isinstance(array, NewArray)
        else larger(array.source(), write.shape, write.own_blocks)
    )
    chunks = write.blocks or write.values.chunks
    starts = tuple(map(block_starts, chunks)) if chunks is not None else write.values.shape
    return BlockTarget(
        source, starts, write.origin, write.write_empty_chunks, write.values.shape, shared, job.synchronizer
    )


def _source_in(target: Store, array: NewArray) -> Any:
    """Return the source of an array in the target; read its document there if the target has its own layout."""
    if target.keeps_documents:
        return array.source(target)
    return larger(Array(target, array.path).source(), array.meta.shape)


def _as_created(write: VariableWrite, append_dim: Any) -> NewArray:
    """Return the new array of a write as it is created: with `append_dim`, without the rows of this append."""
    array, dims = write.array, write.values.dims
    assert isinstance(array, NewArray)
    if append_dim is None or append_dim not in dims:
        return array
    axis = dims.index(append_dim)
    shape = tuple(write.origin[n] if n == axis else length for n, length in enumerate(write.shape))
    return replace(array, meta=replace(array.meta, shape=shape))


def new_documents(plans: Sequence[DatasetPlan], root: str, append_dim: Any = None) -> list[tuple[str, bytes]]:
    """Return the documents of new arrays and of groups below the root, parents first.

    With `append_dim`, arrays that have it are created without the rows that will be appended.
    """
    groups: list[NewArray | NewGroup] = [
        plan.new_group() for plan in plans if plan.stored is None and plan.path != root
    ]
    writes = [write for plan in plans for write in plan.writes if isinstance(write.array, NewArray)]
    arrays: list[NewArray | NewGroup] = [_as_created(write, append_dim) for write in writes]
    documents = [document for node in groups + arrays for document in node.documents()]
    # of each array, the document that makes it one stays the last: an array never lacks its dimension names
    return sorted(documents, key=lambda document: document[0].count("/"))


def ancestors(path: str) -> list[str]:
    """Return the paths above a path, from the root on, and the path itself."""
    parts = path.split("/") if path else []
    return ["/".join(parts[:n]) for n in range(len(parts) + 1)]


def is_consolidated(target: Store) -> bool:
    """Return whether a store has consolidated metadata at its root."""
    try:
        zarrds.open_consolidated(target, mode="r")
    except (KeyError, ValueError):
        return False
    return True


def _changed_paths(plans: list[DatasetPlan]) -> list[str]:
    """Return the paths of all nodes that are written.

    Arrays whose documents stay are among them: a writer that was stopped may have created them just before.
    """
    return [path for plan in plans for path in (plan.path, *(write.array.path for write in plan.writes))]


def _consolidate_again(target: Store, paths: list[str] | None, *, wanted: bool) -> Any:
    """Bring consolidated metadata up to date where nodes have changed, or all; make them if they are wanted.

    Return the root group by consolidated metadata; None if there are none.
    """
    if paths is not None:
        try:
            return zarrds.consolidate_metadata(target, only=paths)
        except ConsolidatedNotFoundError:
            pass
    if wanted or is_consolidated(target):
        return zarrds.consolidate_metadata(target)
    return None


def _expect_there(plans: list[DatasetPlan], documents: Sequence[tuple[str, bytes]], target: Store, root: Any) -> None:
    """Raise PathNotFoundError if others have deleted arrays that were written; as far as that costs few requests."""
    if root is not None:
        gone = [path for plan in plans for path in plan.paths if path not in root]
    elif documents:
        texts = _texts(target, [key for key, _ in documents])
        gone = [key for (key, _), text in zip(documents, texts, strict=True) if text is None]
    else:
        return
    if gone:
        raise PathNotFoundError("what was written is gone", path=gone[0])


def _last_documents(
    plans: list[DatasetPlan], new: list[tuple[str, bytes]], *, consolidates: bool
) -> list[tuple[str, bytes]]:
    """Return the documents of new groups with their attributes, and the consolidated metadata; update other groups."""
    documents: dict[str, bytes] = {}
    for plan in plans:
        if plan.attrs is None:
            continue
        if plan.stored is not None:
            plan.stored.attrs.change(partial(_with_added, plan.attrs))  # keep what others have changed meanwhile
            continue
        (key, text), *stored = plan.new_group(plan.attrs).documents()
        documents[key] = text
        new = [*new, (key, text), *stored]
    if consolidates:
        ((key, text),) = consolidated(new)
        documents.pop(key, None)
        documents[key] = text  # written last
    return list(documents.items())


def _as_left(plans: list[DatasetPlan], documents: Sequence[tuple[str, bytes]], job: Job) -> dict[str, bytes]:
    """Return the documents of new groups and of two arrays, as this write has created them.

    Who deletes the groups and creates them again deletes the arrays; two of them are enough to notice that.
    """
    found = {key: text for plan in plans for key, text in plan.new_group().documents()}
    found.update([*documents[:1], *documents[-1:]])
    return found if job.receipt is None else {**found, job.receipt.document[0]: job.receipt.document[1]}


def _set_last(documents: list[tuple[str, bytes]], left: dict[str, bytes] | None, target: Store) -> bool:
    """Set the last documents; return False if others have changed the groups of a new dataset meanwhile.

    Parameters
    ----------
    documents : list of (str, bytes)
        The documents; the last one after the others.
    left : dict, optional
        The documents of the groups as this write has left them; None: it may not be the only one.
    target : Store
        Where they are.
    """
    if not documents:
        return True
    if left is None or not (target.can_set_if and target.keeps_documents):
        target.set_many(documents)
        return True
    keys = list(dict.fromkeys([*left, *(key for key, _ in documents)]))
    if any(text != left.get(key) for key, text in zip(keys, map(_bytes, _texts(target, keys)), strict=True)):
        return False

    def is_set(document: tuple[str, bytes]) -> bool:
        key, text = document
        return target.set_if(key, text, left.get(key))

    return all(at_once(target, is_set, documents[:-1])) and is_set(documents[-1])


def _texts(target: Store, keys: Sequence[str]) -> list[Any]:
    return target.get_many([(key, None) for key in keys])


def _bytes(text: Any) -> bytes | None:
    return None if text is None else bytes(text)


def _joined(plans: list[DatasetPlan], documents: list[tuple[str, bytes]], target: Store) -> bool:
    """Add the attributes of a new dataset to those that others have set in its groups meanwhile.

    Return False if others have deleted the groups or arrays, as mode "w" does.
    """
    groups = [key for plan in plans for key, _ in plan.new_group().documents()]
    if any(text is None for text in _texts(target, [*groups, *(key for key, _ in documents)])):
        return False
    for plan in plans:
        attrs = zarrds.open_group(target, mode="r+", path=plan.path).attrs
        if plan.attrs or FLAG in attrs:
            attrs.change(partial(_finished, plan.attrs or {}))
    return True


def _with_added(attrs: Mapping[str, Any], present: dict[str, Any]) -> dict[str, Any]:
    """Return the stored attributes of a group with those of a dataset; names of coordinates of both."""
    return added_attributes(present, attrs, ()) or present


def _finished(attrs: Mapping[str, Any], present: dict[str, Any]) -> dict[str, Any]:
    """Return the same without what says that the dataset is being written."""
    return {name: value for name, value in _with_added(attrs, present).items() if name != FLAG}
