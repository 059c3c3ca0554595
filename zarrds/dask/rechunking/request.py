"""What is to be rechunked, and where to: the work on each array, planned before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import dask
from dask.base import get_scheduler
from dask.system import CPU_COUNT
from dask.utils import parse_bytes

from zarrds import _node
from zarrds._engine import ChunkSource
from zarrds._format import ArrayMeta
from zarrds._store import Store, fingerprint, join_path
from zarrds.core import Array
from zarrds.dask.jobs import require_shareable
from zarrds.dask.rechunking.growing import Growth, growth_of
from zarrds.dask.rechunking.plan import LOCAL, REMOTE, RechunkPlan, irregular_plan, rechunk_plan
from zarrds.dask.rechunking.records import TEMP_NAME, JobRecord, described
from zarrds.dask.rechunking.stages import RechunkWork
from zarrds.dask.rechunking.targets import as_created, target_meta
from zarrds.dask.rechunking.wanted import chunks_by_array, options_by_array
from zarrds.errors import ArgumentError, SourceChangedError
from zarrds.hierarchy import Group

__all__ = ["Request", "memory_of_task", "place_of_objects"]


@dataclass(frozen=True)
class Request:
    """What is to be rechunked, and where to.

    Attributes
    ----------
    node : Array or Group
        The source.
    arrays : dict
        Its arrays, by their paths in it.
    store : Store
        Store of the target.
    where : str
        Path of the target.
    temp : Store, optional
        Store of intermediate objects, if it is not that of the target.
    max_mem : int
        Bytes that a task may use.
    is_default : bool
        Whether the user left that to us: then a job is continued with what it began with.
    computed : str
        Fingerprint of the dask array whose stored blocks are the source; empty if the source was stored before.
    reports : bool
        Whether the result of the job is a report, in place of the target.
    """

    node: Array | Group
    arrays: Mapping[str, Array]
    store: Store
    where: str
    temp: Store | None
    max_mem: int
    is_default: bool = False
    computed: str = ""
    reports: bool = False

    @property
    def keeps_record(self) -> bool:
        """Whether the job can be continued: its record must be deleted at the end, which not every store can."""
        return self.store.is_erasable()

    def metas(self, chunks: Any, options: Mapping[str, Any] | None) -> dict[str, tuple[ArrayMeta, bool]]:
        """Return the metadata of each array of the target, and whether its empty chunks are stored."""
        if isinstance(self.node, Array):
            wanted, given = {"": chunks}, {"": dict(options or {})}
        else:
            wanted, given = chunks_by_array(self.arrays, chunks), options_by_array(self.arrays, options)
        found = {}
        for name, array in self.arrays.items():
            keep_empty = bool(given[name].pop("write_empty_chunks", True))
            meta = target_meta(array, wanted[name], given[name])
            found[name] = (as_created(self.store, join_path(self.where, name), meta), keep_empty)
        return found

    def works(self, metas: Mapping[str, tuple[ArrayMeta, bool]], job: str) -> dict[str, RechunkWork]:
        """Return the work on each array; nothing is written."""
        return {name: self._work(name, meta, keep_empty, job) for name, (meta, keep_empty) in metas.items()}

    def _work(self, name: str, meta: ArrayMeta, keep_empty: bool, job: str) -> RechunkWork:
        source = self.arrays[name]
        plan = _plan(source.source().meta, meta, self.max_mem, source.chunk_store, self.store)
        return self._placed(name, meta, plan, keep_empty, job)

    def growths(self, chunks: Any, options: Mapping[str, Any] | None) -> dict[str, Growth]:
        """Return how each array has grown; raise SourceChangedError if the source has changed otherwise."""
        given = options_by_array(self.arrays, options)
        one = isinstance(self.node, Array)
        wanted = {"": chunks} if one else chunks_by_array(self.arrays, chunks) if chunks else {}
        found = {}
        for name, array in self.arrays.items():
            path = join_path(self.where, name)
            if not _node.contains_array(self.store, path):
                raise SourceChangedError(
                    "the target cannot grow with its source: it has no such array",
                    path=path,
                    hint="make the target again with overwrite=True",
                )
            target = Array(self.store, path)
            found[name] = growth_of(array, target, wanted.get(name) if chunks else None, given[name])
        return found

    def grown_works(
        self, growths: Mapping[str, Growth], options: Mapping[str, Any] | None, job: str
    ) -> dict[str, RechunkWork]:
        """Return the work on the new part of each array that has grown."""
        given, works = options_by_array(self.arrays, options), {}
        for name, growth in growths.items():
            if growth.axis is None:
                continue
            array, keep_empty = self.arrays[name], bool(given[name].get("write_empty_chunks", True))
            origin = growth.origin
            plan = _plan(array.source().meta, growth.after, self.max_mem, array.chunk_store, self.store, origin=origin)
            work = self._placed(name, growth.after, plan, keep_empty, job)
            works[name] = replace(work, origin=origin, completes=growth.completes)
        return works

    def _placed(self, name: str, meta: ArrayMeta, plan: RechunkPlan, keep_empty: bool, job: str) -> RechunkWork:
        """Return the work of a plan, with a place for its intermediate objects."""
        source, where = self.arrays[name], join_path(self.where, name)
        target = ChunkSource(self.store.spec(), where, meta)
        if len(plan.stages) == 1:
            require_shareable(source.chunk_store, self.store)
            return RechunkWork(source.source(), target, None, "", plan, keep_empty)
        temp = self.store if self.temp is None else self.temp
        place = place_of_objects(where, name, job, is_elsewhere=self.temp is not None)
        require_shareable(source.chunk_store, self.store, temp)
        return RechunkWork(source.source(), target, temp.spec(), place, plan, keep_empty)

    def record(self, works: Mapping[str, RechunkWork], job: str, grows: bool) -> JobRecord:
        """Return the record of the job."""
        place = None if self.temp is None else self.temp.place()
        temp = "" if place is None else fingerprint(place.system, place.path)
        what = f"rechunk of {self.node!r}"
        return JobRecord(job, what, temp, grows, {name: described(work, self.computed) for name, work in works.items()})


def place_of_objects(where: str, name: str, job: str, *, is_elsewhere: bool) -> str:
    """Return the path of what a job stores for the time of its work: below an array, or in a store of their own."""
    return join_path(f"{TEMP_NAME[1:]}{job}", name) if is_elsewhere else join_path(where, f"{TEMP_NAME}{job}")


def _plan(
    source: ArrayMeta, target: ArrayMeta, max_mem: int, *stores: Store, origin: tuple[int, ...] = ()
) -> RechunkPlan:
    """Return the plan for the arrays, or for what follows `origin` in both."""
    remote = any(store.profile.kind == "network" for store in stores)
    model = REMOTE if remote else replace(LOCAL, temp_copies=stores[-1].profile.kind == "memory")
    sizes = (max(1, source.dtype.itemsize), max_mem)
    how: dict[str, Any] = {"model": model, "target_itemsize": max(1, target.dtype.itemsize)}
    if target.irregular is not None:
        plan = irregular_plan(source.shape, source.write_unit, target.write_unit, *sizes, origin=origin, **how)
        return replace(plan, model=replace(model, workers=_threads_at_hand()))
    plan = rechunk_plan(
        tuple(n - o for n, o in zip(source.shape, origin, strict=True)) if origin else source.shape,
        source.chunk.shape,
        target.chunk.shape,
        *sizes,
        **how,
        # the bytes of objects cannot be packed
        shuffles=0 if source.dtype.hasobject else None,
        offset=tuple(o % s for o, s in zip(origin, source.chunk.shape, strict=False)),
    )
    # the choice of the plan must not depend on the cluster: a job may be continued on another one
    return replace(plan, model=replace(model, workers=_threads_at_hand()))


def memory_of_task(max_mem: int | str | None) -> int:
    """Return the bytes of memory that a task may use."""
    if max_mem is not None:
        try:
            return int(parse_bytes(max_mem))
        except (ValueError, TypeError, AttributeError):  # the last for what is neither a number nor a text
            raise ArgumentError(f"max_mem must be a number of bytes, or text like '500MB', found {max_mem!r}") from None
    workers = _workers()
    shares = [w["memory_limit"] / max(1, w["nthreads"]) for w in workers if w.get("memory_limit")]
    if not shares:
        return 4 * int(parse_bytes(dask.config.get("array.chunk-size")))
    return max(int(min(shares) / 4), int(min(shares) / 2) - 100_000_000)


def _workers() -> list[dict[str, Any]]:
    """Return what the scheduler of the current client says of its workers."""
    client = getattr(get_scheduler() or None, "__self__", None)
    return [] if client is None else list(client.scheduler_info(n_workers=-1)["workers"].values())


def _threads_at_hand() -> int:
    """Return how many tasks run at the same time: on the current cluster, else in this process."""
    return sum(worker["nthreads"] for worker in _workers()) or int(dask.config.get("num_workers", None) or CPU_COUNT)
