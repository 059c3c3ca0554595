"""Record in the target what a rechunk is doing, find what an earlier run has done, and remove what it left.

A record is one small document below the target. It is written before the first task runs and deleted when the job is
done. The stored values themselves are the receipts: a value appears in one step, so a packed object or a chunk that is
there is complete. So receipts cost one document and, when a job is continued, one listing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from zarrds._base.edges import Edges, span_at
from zarrds._base.types import NDArrayAny
from zarrds._engine import ChunkSource, stored_chunks
from zarrds._format import UNFINISHED, chunk_count, grid_shape
from zarrds._store import JOB_FOLDER, Store, fingerprint, join_path
from zarrds.dask.places import is_shareable
from zarrds.dask.rechunking.stages import RechunkWork
from zarrds.errors import MetadataError, UnfinishedJobError

__all__ = [
    "FLAG",
    "RECORD_KEY",
    "TEMP_NAME",
    "JobRecord",
    "Remaining",
    "delete_record",
    "described",
    "find_record",
    "remaining_blocks",
]

RECORD_KEY = f"{JOB_FOLDER}/rechunk"
"""Key of the record, below the target."""
TEMP_NAME = ".zarrds-tmp-"
"""Beginning of the names of intermediate objects."""
FLAG = UNFINISHED
"""Attribute of a target whose job is not done."""


@dataclass(frozen=True)
class JobRecord:
    """What a rechunk is doing.

    Attributes
    ----------
    job : str
        Unique number of the job; the names of its intermediate objects end in it.
    what : str
        The job in words, for messages.
    temp_store : str
        Fingerprint of the store of intermediate objects; empty if that is the target's.
    grows : bool
        Whether the target was there before, and grows.
    arrays : dict
        For each array, by its path below the target: fingerprints of the source's metadata, its data and the target's
        metadata, and the plan.
    """

    job: str
    what: str
    temp_store: str = ""
    grows: bool = False
    arrays: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def max_mem(self) -> int | None:
        """Bytes that each task may use; None if there is no array."""
        return next((int(array["max_mem"]) for array in self.arrays.values() if "max_mem" in array), None)

    def write(self, store: Store, path: str) -> None:
        """Store the record below a path."""
        text = json.dumps({"zarrds_job": 1, **asdict(self)}, indent=1)
        store.set_many([(join_path(path, RECORD_KEY), text.encode())])

    def expect_same(self, other: JobRecord, path: str) -> None:
        """Raise UnfinishedJobError if `other`, which is to be done now, is not the job of this record."""
        for reason in self._differences(other):
            raise UnfinishedJobError(
                f"the target has an unfinished job ({self.what}), which cannot be continued: {reason}",
                path=path,
                hint="repeat the call of that job; or remove what it left with zarrds.dask.cleanup(target), or start "
                "again with overwrite=True",
            )

    def _differences(self, other: JobRecord) -> list[str]:
        """Return what distinguishes two jobs, in words."""
        if self.grows != other.grows:
            return ["one of both has append=True"]
        if set(self.arrays) != set(other.arrays):
            return ["the source has other arrays"]
        found = [] if self.temp_store == other.temp_store else ["temp_store is another one"]
        for name, mine in self.arrays.items():
            yours = other.arrays[name]
            for member, words in _MEMBERS.items():
                if mine.get(member) != yours.get(member):
                    found.append(f"{words}{f' of {name!r}' if name else ''} changed since it began")
        return found


_MEMBERS = {
    "source": "the metadata of the source",
    "data": "the data of the source",
    "target": "chunks or options",
    "plan": "the plan, which depends on max_mem,",
    "rows": "the rows to add",
}


def delete_record(store: Store, path: str) -> None:
    """Delete the record below a path, and its directory where the store has directories."""
    store.delete_many([join_path(path, RECORD_KEY)])
    folder = join_path(path, JOB_FOLDER)
    if not store.listdir(folder):
        store.rmdir(folder)


def find_record(store: Store, path: str) -> JobRecord | None:
    """Return the record below a path, if there is one."""
    key = join_path(path, RECORD_KEY)
    (text,) = store.get_many([(key, None)])
    if text is None:
        return None
    try:
        found = json.loads(bytes(text))
        return JobRecord(found["job"], found["what"], found["temp_store"], found["grows"], found["arrays"])
    except (ValueError, KeyError, TypeError) as error:
        hint = "remove it with zarrds.dask.cleanup(target)"
        raise MetadataError("the record of an unfinished job is damaged", key=key, hint=hint) from error


def described(work: RechunkWork, computed: str = "") -> dict[str, Any]:
    """Return what a record says of one array; `computed` is a fingerprint of a source that tasks compute."""
    source: ChunkSource = work.source
    return {
        "source": fingerprint(source.meta),
        "data": computed or _state_of(source),
        "target": fingerprint(work.target.meta, work.write_empty_chunks),
        "plan": [list(grid) for grid in work.plan.grids],
        "rows": list(work.origin),
        "max_mem": work.plan.max_mem,
    }


def _state_of(source: ChunkSource) -> str:
    """Return what differs once chunks of the source were changed, as far as its store can tell without requests.

    A store that others can open has the same state in each process, however its place is spelled.
    """
    token = source.__dask_tokenize__()
    return fingerprint(token[2] if is_shareable(source.store) else token)


# --- what is left to do ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Remaining:
    """Blocks of one stage that an earlier run has not done.

    Attributes
    ----------
    blocks : array of int
        Their numbers.
    begun : set of int
        Those of them that have some of their chunks.
    stored : int
        Number of chunks of the target that an earlier run has stored.
    """

    blocks: NDArrayAny
    begun: frozenset[int] = frozenset()
    stored: int = 0


def remaining_blocks(work: RechunkWork) -> list[Remaining]:
    """Return the blocks of each stage that an earlier run has not done.

    A block of the last stage is done when all its chunks are stored, and another one when its packed object is.
    """
    stages = work.plan.stages
    stored, every = _chunks_stored(work), _chunks_of_blocks(work)
    last = Remaining(
        np.flatnonzero(stored < every),
        frozenset(np.flatnonzero((stored > 0) & (stored < every)).tolist()),
        int(stored.sum()),
    )
    if not len(last.blocks) or len(stages) == 1:
        return [*[Remaining(last.blocks[:0])] * (len(stages) - 1), last]
    assert work.temp is not None
    there = set(work.temp.open().listdir(work.temp_path))
    before = [
        Remaining(np.array([i for i in range(stage.tasks) if f"{number}.{i}" not in there], np.int64))
        for number, stage in enumerate(stages[:-1])
    ]
    return [*before, last]


def _chunks_stored(work: RechunkWork) -> NDArrayAny:
    """Return how many chunks of each block of the last stage are stored; none of those that were there before."""
    plan, meta = work.plan, work.target.meta
    unit = work.chunks_as_blocks or meta.chunk.shape
    blocks = work.chunks_as_blocks or plan.grids[-1]
    first = [span_at(u, start).at for start, u in zip(work.origin or (0,) * len(unit), meta.write_unit, strict=True)]
    found = list(stored_chunks(work.target.open()))
    coords = np.array(found, np.int64).reshape(len(found), len(unit)) - first
    inside = (coords >= 0).all(axis=1) & (coords < grid_shape(plan.shape, unit)).all(axis=1)
    each = [1 if isinstance(b, Edges) or isinstance(u, Edges) else b // u for b, u in zip(blocks, unit, strict=True)]
    counts = np.zeros(grid_shape(plan.shape, blocks), np.int64)
    np.add.at(counts, tuple((coords[inside] // each).T) if unit else (), 1 if unit else len(coords))
    if work.completes is not None:
        counts[(slice(None),) * work.completes + (slice(0, 1),)] = 0
    return counts.reshape(-1)


def _chunks_of_blocks(work: RechunkWork) -> NDArrayAny:
    """Return the number of chunks of each block of the last stage."""
    plan = work.plan
    if work.chunks_as_blocks is not None:
        return np.ones(chunk_count(plan.shape, work.chunks_as_blocks), np.int64)
    found = np.ones((), np.int64)
    for n, u, b in zip(plan.shape, work.target.meta.chunk.shape, plan.grids[-1], strict=True):
        starts = np.arange(0, n, b)
        found = found[..., None] * -(-(np.minimum(starts + b, n) - starts) // u)
    return found.reshape(-1)
