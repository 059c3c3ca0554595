"""Continue a write of a dask array that was stopped: chunks that are stored prove that they are done.

A block is done when all its chunks are stored: a chunk appears in one step, and the job that is continued began with an
empty array. So a job keeps one small receipt, which says what is being written, and continuing costs one listing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import dask.array as da
import numpy as np
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from dask.optimization import cull
from dask.task_spec import Task, TaskRef

from zarrds import _node
from zarrds._base.edges import Edges, chunks_between
from zarrds._base.types import NDArrayAny
from zarrds._engine import ChunkSource, stored_chunks
from zarrds._format import ArrayMeta
from zarrds._store import Store, StoreSpec
from zarrds.dask.jobs import FAN_IN, Job, optimized_with_retries, unique_name
from zarrds.dask.receipts import JobNotes, notes_in, notes_of
from zarrds.dask.tasks import merge
from zarrds.errors import ContainsArrayError, ContainsGroupError, CopyError

__all__ = ["create_with_receipt", "job_of_blocks", "notes_of_write", "unfinished_blocks"]

_T = TypeVar("_T")


def notes_of_write(store: Store, path: str, *identity: Any, is_alone: bool) -> tuple[JobNotes | None, bool]:
    """Return the place of the receipt of a write, and whether an earlier run of the same write has left one.

    Parameters
    ----------
    store : Store
        Store of the target.
    path : str
        Path of the target.
    *identity : object
        All that the result depends on: a write with other values is another one.
    is_alone : bool
        Whether the receipts of other jobs are an error; else the caller deletes what they have written.

    Returns
    -------
    JobNotes or None
        None if the store can have no receipt: single keys cannot be deleted from it, or it is a container of N5.
    bool
        Whether there is a receipt of this write.

    Raises
    ------
    CopyError
        With `is_alone`, another job writes to this target, or was stopped.
    """
    what = "write of dask arrays"
    if not store.keeps_documents:  # in N5 every directory is a group: a receipt would make one of a free path
        return None, False
    try:
        notes, receipts = notes_of(store, path, what, *identity, resume=True)
    except CopyError:
        if is_alone:
            raise
        return notes_in(store, path, what, *identity), False
    return notes, receipts is not None


def create_with_receipt(store: Store, path: str, meta: ArrayMeta, notes: JobNotes | None, overwrite: bool) -> None:
    """Create an array; the receipt of the job comes first, so that a stopped job is known by it."""
    if notes is None or overwrite:  # what is overwritten is deleted with all that is below it
        _node.create_array(store, path, meta, overwrite=overwrite)
        if notes is not None:
            notes.begin()
        return
    notes.begin()
    try:
        _node.create_array(store, path, meta)
    except (ContainsArrayError, ContainsGroupError):
        notes.remove()
        raise


def unfinished_blocks(chunks: tuple[tuple[int, ...], ...], target: ChunkSource) -> NDArrayAny:
    """Return the block ids, one in a row, of blocks that lack a stored chunk.

    Parameters
    ----------
    chunks : tuple of tuple of int
        Lengths of the blocks, which cover whole chunks of the target.
    target : ChunkSource
        The array that they are written to, from its beginning.

    Returns
    -------
    ndarray of int
        Of shape (blocks, dimensions).
    """
    unit = target.meta.write_unit
    edges = [np.cumsum((0, *lengths)) for lengths in chunks]
    every: NDArrayAny = np.ones((), np.int64)
    for stops, length in zip(edges, unit, strict=True):
        counts = np.array([len(chunks_between(length, *pair)) for pair in pairwise(stops.tolist())], np.int64)
        every = every[..., None] * counts
    stored = np.zeros(every.shape, np.int64)
    found = list(stored_chunks(target.open()))
    coords = np.array(found, np.int64).reshape(len(found), len(unit))
    at = tuple(
        np.searchsorted(stops[1:-1], _starts(length, coords[:, axis]), side="right")
        for axis, (stops, length) in enumerate(zip(edges, unit, strict=True))
    )
    np.add.at(stored, at, 1 if unit else len(coords))
    return np.argwhere(stored < every)


def _starts(edges: int | Edges, coords: NDArrayAny) -> NDArrayAny:
    """Return the first elements of some chunks along a dimension."""
    return edges.borders_of(coords)[0] if isinstance(edges, Edges) else coords * edges


def job_of_blocks(
    receipts: da.Array,
    blocks: Iterable[tuple[int, ...]],
    finish: Callable[[Any], _T],
    *,
    stores: Iterable[StoreSpec],
    retries: int = 0,
    **known: Any,
) -> Job[_T]:
    """Return a job that computes some blocks of a dask array, and what they need.

    Parameters
    ----------
    receipts : dask.array.Array
        Array whose blocks are numbers that tasks return.
    blocks : iterable of tuple of int
        Block ids.
    finish : callable
        Makes the result of the job from the sum of these blocks.
    stores : iterable of StoreSpec
        Stores that tasks open.
    retries : int, default 0
        How often a cluster repeats a task that failed.
    **known
        Attributes of the job.

    Returns
    -------
    Job
        Its `compute` returns what `finish` makes.
    """
    keys: list[Hashable] = [(receipts.name, *map(int, at)) for at in blocks]
    graph: Any = receipts.__dask_graph__()
    optimize = partial(optimized_with_retries, receipts.__dask_optimize__, retries)
    if not isinstance(graph, HighLevelGraph):  # with query planning it is optimised already
        graph = HighLevelGraph({receipts.name: MaterializedLayer(cull(dict(graph), keys)[0])}, {receipts.name: set()})
        optimize = partial(optimized_with_retries, lambda graph, keys, **options: graph, retries)
    layers, dependencies, above = dict(graph.layers), dict(graph.dependencies), receipts.name
    while len(keys) != 1:
        name = unique_name("zarrds-merge")
        groups = [keys[i : i + FAN_IN] for i in range(0, len(keys), FAN_IN)] or [[]]
        tasks: dict[Hashable, Any] = {
            (name, i): Task((name, i), merge, 0, *map(TaskRef, group)) for i, group in enumerate(groups)
        }
        layers[name], dependencies[name] = MaterializedLayer(tasks), {above} if keys else set()
        keys, above = list(tasks), name
    # optimising takes away what is not needed
    return Job(HighLevelGraph(layers, dependencies), keys[0], finish, stores=stores, optimize=optimize, **known)
