"""Jobs: lazy work with one small result, as dask collections.

A job is a graph whose last task returns a receipt, and a function that makes the user's result from it. It follows
dask's collection protocol, so that ``dask.compute(job)`` works as well as ``job.compute()``, on every scheduler.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

import dask
from dask.base import get_scheduler
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from dask.multiprocessing import get as processes_get
from dask.task_spec import DataNode, Task, TaskRef
from dask.threaded import get as threads_get

from zarrds._store import Store, StoreSpec
from zarrds.core.html import facts_table
from zarrds.dask.places import is_shareable
from zarrds.dask.progress import progress as show_progress
from zarrds.dask.progress import stage_of
from zarrds.dask.tasks import first_of, merge
from zarrds.errors import StoreNotShareableError

__all__ = ["FAN_IN", "GraphBuilder", "Job", "optimized_with_retries", "require_shareable", "unique_name"]

_T = TypeVar("_T", covariant=True)
_HOW_TO_GO_ON = "what is done is kept: prepare and compute the same job again to go on where it was"
FAN_IN = 64
"""Number of receipts that one task merges."""


def unique_name(kind: str) -> str:
    """Return a new name for a layer of tasks that write; a cluster may still store results under earlier names."""
    return f"{kind}-{uuid.uuid4().hex}"


class Job(Generic[_T]):
    """Lazy work, carried out by `compute` or by ``dask.compute``.

    Attributes
    ----------
    target : object
        The `Array` or `Group` that the job fills, if that is known before it runs.
    plan : RechunkPlan, GroupPlan or None
        How a rechunk will be done.
    resumable : bool
        Whether the same job, prepared again after it was stopped, does only what is left.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> z = zarrds.ones((40, 40), chunks=(1, 40), store="maps.zarr", overwrite=True)
    >>> job = zarrds.dask.rechunk("maps.zarr", "series.zarr", chunks=(40, 1), max_mem="1MB")  # nothing has run
    >>> job.compute().chunks
    (40, 1)
    """

    def __init__(
        self,
        graph: Any,
        key: Hashable,
        finish: Callable[[Any], _T],
        *,
        stores: Iterable[StoreSpec] = (),
        optimize: Callable[..., Any] | None = None,
        target: Any = None,
        plan: Any = None,
        resumable: bool = False,
    ) -> None:
        self._graph = graph
        self._key = key
        self._finish = finish
        self._stores = tuple(stores)
        self._optimize = optimize or _as_it_is
        self.target = target
        self.plan = plan
        self.resumable = resumable

    @classmethod
    def of_array(
        cls, result: Any, finish: Callable[[Any], _T], *, stores: Iterable[StoreSpec], retries: int = 0, **known: Any
    ) -> Job[_T]:
        """Make a job whose receipt is a 0-d dask array; its graph is optimised like that of the array.

        Parameters
        ----------
        result : dask array
            Array whose blocks are what the tasks return.
        finish : callable
            Makes the result of the job from the computed array.
        stores : iterable of Store
            Stores that tasks open; they must be shareable.
        retries : int
            How often a failed task is repeated.
        **known
            Attributes of the job.
        """
        (key,) = dask.core.flatten(result.__dask_keys__())
        optimize = partial(optimized_with_retries, result.__dask_optimize__, retries)
        return cls(result.__dask_graph__(), key, finish, stores=stores, optimize=optimize, **known)

    @classmethod
    def together(cls, jobs: Sequence[Job[Any]], finish: Callable[[Any], _T], **known: Any) -> Job[_T]:
        """Combine jobs whose receipts can be added into one; `finish` makes its result from their sum, or from None.

        Parameters
        ----------
        jobs : iterable of Job
            Jobs that are computed at once.
        finish : callable
            Makes the result from those of the jobs.
        **known
            Attributes of the job.
        """
        name = unique_name("zarrds-merge")
        keys = [job._key for job in jobs]
        tasks: dict[Hashable, Any] = {(name, 0): Task((name, 0), merge, *(map(TaskRef, keys) if keys else [None]))}
        merged = HighLevelGraph.merge(*(job._graph for job in jobs))
        layers = {**merged.layers, name: MaterializedLayer(tasks)}
        dependencies = {**merged.dependencies, name: {key[0] for key in keys if isinstance(key, tuple)}}
        stores = dict.fromkeys(store for job in jobs for store in job._stores)
        return cls(HighLevelGraph(layers, dependencies), (name, 0), finish, stores=stores, **known)

    def compute(self, *, progress: bool = False, **options: Any) -> _T:
        """Do the work and return its result.

        Parameters
        ----------
        progress : bool, default False
            Whether to show progress on standard error.
        **options
            Passed to ``dask.compute``, such as ``scheduler``.

        Returns
        -------
        object
            What the job returns: see the function that made it.

        Raises
        ------
        StoreNotShareableError
            The scheduler has other processes, but a store exists in this one only. Nothing has been done.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> z = zarrds.open("data/job-source.zarr", mode="w", shape=(8, 8), chunks=(2, 8), dtype="i4")
        >>> job = zarrds.dask.rechunk(z, {}, chunks=(8, 2))
        >>> job.compute()
        <zarrds.core.Array (8, 8) int32>
        """
        self._start(options.get("scheduler"))
        try:
            with show_progress() if progress else nullcontext():
                found: _T = dask.compute(self, **options)[0]
                return found
        except KeyboardInterrupt as stopped:
            if self.resumable:
                stopped.add_note(_HOW_TO_GO_ON)
            raise

    def _start(self, scheduler: Any) -> None:
        """Raise StoreNotShareableError if workers cannot reach a store."""
        check_shareable(self._stores, get_scheduler(scheduler=scheduler, collections=[self]))

    def visualize(self, filename: str | None = "zarrds-job.png", **options: Any) -> Any:
        """Draw the graph of tasks with ``dask.visualize``, which needs the package graphviz; of small jobs, please.

        Parameters
        ----------
        filename : str, optional
            Where to store the picture.
        **options
            Passed to ``dask.visualize``.

        Returns
        -------
        object
            What `dask.visualize` returns.
        """
        return dask.visualize(self, filename=filename, **options)

    def persist(self, **options: Any) -> Job[_T]:
        """Start the work on a cluster and return a job at once; the `compute` of that job waits for the result.

        Parameters
        ----------
        **options
            Passed to ``dask.persist``.

        Returns
        -------
        Job
            The same job, whose tasks are running.
        """
        self._start(options.get("scheduler"))
        found: Job[_T] = dask.persist(self, **options)[0]
        return found

    def optimized(self) -> tuple[HighLevelGraph, Hashable]:
        """Return the graph as a part of another one, and the key of the receipt."""
        graph = self._optimize(self._graph, [self._key])
        if not isinstance(graph, HighLevelGraph):
            name = self._key[0] if isinstance(self._key, tuple) else str(self._key)
            graph = HighLevelGraph({name: MaterializedLayer(dict(graph))}, {name: set()})
        return graph, self._key

    def __repr__(self) -> str:
        what = "" if self.target is None else f" to {self.target!r}"
        return f"<zarrds.dask.Job{what}: {len(self._graph)} tasks>"

    def _repr_html_(self) -> str:
        stages = ", ".join(f"{count} {name}" for name, count in self._stages().items())
        again = "goes on when it is prepared again" if self.resumable else "begins again"
        target = [] if self.target is None else [("Target", repr(self.target))]
        return facts_table([("Job", "zarrds.dask.Job"), *target, ("Tasks", stages), ("After a stop", again)])

    def _stages(self) -> dict[str, int]:
        """Return the number of tasks of each stage, in the order of the graph, without those that only merge."""
        found: dict[str, int] = {}
        for key in self._graph:
            stage = stage_of(key)
            if stage not in ("zarrds-work", "zarrds-merge"):
                found[stage] = found.get(stage, 0) + 1
        return found

    # --- dask's protocol ---------------------------------------------------------------------------------------------

    def __dask_graph__(self) -> Any:
        return self._graph

    def __dask_keys__(self) -> list[Hashable]:
        return [self._key]

    def __dask_layers__(self) -> tuple[str, ...]:
        return (self._key[0] if isinstance(self._key, tuple) else str(self._key),)

    def __dask_tokenize__(self) -> Hashable:
        return self._key

    def __dask_postcompute__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _finished, (self._finish,)

    def __dask_postpersist__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._rebuilt, ()

    def _rebuilt(self, graph: Any, *, rename: Mapping[str, str] | None = None) -> Job[_T]:
        key = self._key
        if rename and isinstance(key, tuple):
            key = (rename.get(key[0], key[0]), *key[1:])
        known = {"target": self.target, "plan": self.plan, "resumable": self.resumable}
        return Job(graph, key, self._finish, stores=self._stores, **known)

    @property
    def __dask_optimize__(self) -> Callable[..., Any]:
        return self._optimize

    __dask_scheduler__: ClassVar[Callable[..., Any]] = staticmethod(threads_get)


def _as_it_is(graph: Any, keys: Any, **options: Any) -> Any:
    """Return the graph unchanged: every task of a job is needed, and none must be fused."""
    return graph


def optimized_with_retries(optimize: Callable[..., Any], retries: int, graph: Any, keys: Any, **options: Any) -> Any:
    """Return the graph optimised by dask, with its annotations, which dask drops, added again."""
    found = optimize(graph, keys, **options)
    if not retries:
        return found
    name = unique_name("zarrds-store")
    return HighLevelGraph({name: MaterializedLayer(dict(found), annotations={"retries": retries})}, {name: set()})


def _finished(results: Sequence[Any], finish: Callable[[Any], _T]) -> Any:
    return finish(results[0])


# --- schedulers and stores -------------------------------------------------------------------------------------------


def require_shareable(*stores: Store) -> None:
    """Raise StoreNotShareableError if the current scheduler has other processes, which cannot reach a store."""
    check_shareable([store.spec() for store in stores], get_scheduler() or threads_get)


def check_shareable(stores: Iterable[StoreSpec], get: Callable[..., Any]) -> None:
    """Raise StoreNotShareableError if tasks run by `get` cannot reach a store."""
    if not _has_other_processes(get):
        return
    for spec in stores:
        if not is_shareable(spec):
            raise StoreNotShareableError(
                f"{spec!r} belongs to this process, but the workers of the scheduler are other processes",
                hint="use a store that processes can share (a DirectoryStore, or a URL), or scheduler='threads'",
            )


def _has_other_processes(get: Callable[..., Any]) -> bool:
    if get is processes_get:
        return True
    scheduler = getattr(getattr(get, "__self__", None), "scheduler", None)
    return scheduler is not None and not str(scheduler.address).startswith("inproc://")


# --- graphs ----------------------------------------------------------------------------------------------------------


class GraphBuilder:
    """Builder of a graph of batches: stages run one after the other, and a tree merges the receipts of each.

    Parameters
    ----------
    work : object
        Small picklable value that every task gets as an argument; the graph contains it once.
    retries : int
        How often a cluster repeats a task that failed.
    before : Job, optional
        A job that is done first; its graph becomes part of this one.
    """

    def __init__(self, work: Any, *, retries: int, before: Job[Any] | None = None) -> None:
        self._layers: dict[str, Any] = {}
        self._dependencies: dict[str, set[str]] = {}
        self._annotations = {"retries": retries} if retries else None
        self._work_key: Hashable = unique_name("zarrds-work")
        if before is None:
            self._add(str(self._work_key), {self._work_key: DataNode(self._work_key, work)}, set())
            return
        graph, key = before.optimized()
        name = key[0] if isinstance(key, tuple) else str(key)
        self._layers.update(graph.layers)
        self._dependencies.update(graph.dependencies)
        task = Task(self._work_key, first_of, work, TaskRef(key))  # tasks that need the work wait for the job
        self._add(str(self._work_key), {self._work_key: task}, {name})

    def _add(self, name: str, tasks: dict[Hashable, Any], after: set[str]) -> None:
        self._layers[name] = MaterializedLayer(tasks, annotations=self._annotations)
        self._dependencies[name] = after

    def stage(self, kind: str, task: Callable[..., Any], batches: Iterable[Any], after: Hashable = None) -> Hashable:
        """Add ``task(work, batch)`` for each batch, to run after the task `after`; return the key of the receipt.

        Batches are small picklable values; there is at least one.
        """
        name = unique_name(kind)
        work, barrier = TaskRef(self._work_key), () if after is None else (TaskRef(after),)
        tasks: dict[Hashable, Any] = {
            (name, i): Task((name, i), task, work, batch, *barrier) for i, batch in enumerate(batches)
        }
        layers = {str(self._work_key)} | ({after[0]} if isinstance(after, tuple) else set())
        self._add(name, tasks, layers)
        return self._merged({name}, list(tasks))

    def together(self, receipts: Sequence[Hashable]) -> Hashable:
        """Merge the receipts of several stages; return the key of the merged one."""
        return self._merged({key[0] for key in receipts if isinstance(key, tuple)}, list(receipts))

    def _merged(self, layers: set[str], keys: list[Hashable]) -> Hashable:
        """Merge the receipts of layers by a tree; return the key of the last."""
        while len(keys) > 1:
            above = unique_name("zarrds-merge")
            groups = [keys[i : i + FAN_IN] for i in range(0, len(keys), FAN_IN)]
            tasks: dict[Hashable, Any] = {
                (above, i): Task((above, i), merge, *map(TaskRef, group)) for i, group in enumerate(groups)
            }
            self._add(above, tasks, layers)
            layers, keys = {above}, list(tasks)
        return keys[0]

    def job(self, key: Hashable, finish: Callable[[Any], _T], **known: Any) -> Job[_T]:
        """Return the job whose receipt is the value of `key`."""
        return Job(HighLevelGraph(self._layers, self._dependencies), key, finish, **known)
