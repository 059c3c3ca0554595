"""The calls of the package rechunker, which is no longer maintained, done by `zarrds.dask.rechunk`.

Programs change their import only: ``from zarrds.dask.rechunker import rechunk``.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from zarrds._store import as_store, normalize_path
from zarrds.core import Array
from zarrds.creation import open_array
from zarrds.dask.rechunking.job import rechunk as rechunk_here
from zarrds.dask.rechunking.job import rechunk_job
from zarrds.dask.rechunking.request import Request, memory_of_task
from zarrds.errors import ArgumentError, MemoryLimitError
from zarrds.hierarchy import Group, open_group

__all__ = ["Rechunked", "rechunk"]

_SCHEDULERS = {"dask": None, "python": "sync"}


class Rechunked:
    """A rechunk that has been planned; `execute` does it.

    Attributes
    ----------
    plan : RechunkPlan or dict
        How it is done: stages, tasks, bytes and memory.
    job : Job
        The job of `zarrds.dask` behind it.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.dask.rechunker import rechunk
    >>> planned = rechunk(zarrds.ones((4, 4), chunks=(1, 4)), (4, 1), "1MB", {})
    >>> planned.execute().chunks
    (4, 1)
    """

    job: Any
    plan: Any

    def __init__(self, job: Any, source: Any, temp_store: Any, scheduler: str | None) -> None:
        self.job, self.plan = job, job.plan
        self._source, self._temp_store, self._target = source, temp_store, job.target
        self._scheduler = scheduler

    def execute(self, **kwargs: Any) -> Any:
        """Rechunk and return the target.

        Parameters
        ----------
        **kwargs
            Keywords of ``dask.compute``.

        Returns
        -------
        Array or Group
            The target.
        """
        if self._scheduler is not None:
            kwargs.setdefault("scheduler", self._scheduler)
        return self.job.compute(**kwargs)

    def _parts(self) -> dict[str, str]:
        parts = {"Source": repr(self._source)}
        if self._temp_store is not None:
            parts["Intermediate"] = repr(self._temp_store)
        return {**parts, "Target": repr(self.job if self._target is None else self._target), "Plan": repr(self.plan)}

    def __repr__(self) -> str:
        return "\n".join(["<Rechunked>", *(f"* {name:<12}: {text}" for name, text in self._parts().items())])

    def _repr_html_(self) -> str:
        parts = "".join(
            f"<details><summary><b>{name}</b></summary><pre>{html.escape(text)}</pre></details>"
            for name, text in self._parts().items()
        )
        return f"<h2>Rechunked</h2>{parts}"


def rechunk(
    source: Any,
    target_chunks: Any,
    max_mem: int | str,
    target_store: Any,
    target_options: Mapping[str, Any] | None = None,
    temp_store: Any = None,
    temp_options: Mapping[str, Any] | None = None,
    executor: str = "dask",
    array_name: str | None = None,
) -> Rechunked:
    """Plan a rechunk with the arguments of ``rechunker.rechunk``.

    Parameters
    ----------
    source : Array, Group, dask.array.Array or xarray.Dataset
        What to rechunk. Arrays and groups of Zarr-Python are opened again by zarrds.
    target_chunks : tuple, dict or None
        For an array: its chunks, a dict of them by names of dimensions, or None to keep them. For a group: a dict of
        such by the names of arrays; arrays that are not named are left out. For a dataset: a dict by names of
        dimensions or variables.
    max_mem : int or str
        Bytes of memory that a task may use. As in rechunker, this suffices if no chunk of source or target is larger: a
        task that holds several at a time may then use up to three times that.
    target_store : str, Store or MutableMapping
        Where to store the result.
    target_options : dict, optional
        Options of the new arrays: of the array, or for a group by the names of arrays; ``overwrite`` is one of them.
        For a dataset the encoding of its variables.
    temp_store : str, Store or MutableMapping, optional
        Where intermediate objects are stored, if they are needed; by default below the target.
    temp_options : dict, optional
        Without effect: intermediate objects are no Zarr arrays.
    executor : {"dask", "python"}
        "python" works in the calling thread.
    array_name : str, optional
        Path of the new array in `target_store`.

    Returns
    -------
    Rechunked
        The plan, which its `execute` carries out.

    Raises
    ------
    ValueError
        The memory does not suffice (`MemoryLimitError`), something is at the target, or there is no such executor.
    KeyError
        `target_chunks` names an array that the group does not have.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.dask.rechunker import rechunk
    >>> source = zarrds.ones((4, 4), chunks=(2, 2), store="data/source.zarr", overwrite=True)
    >>> rechunked = rechunk(source, target_chunks=(4, 1), target_store={}, max_mem=256000)
    >>> rechunked.execute().chunks
    (4, 1)
    """
    if executor not in _SCHEDULERS:
        raise ArgumentError(f"executor must be 'dask' or 'python', found {executor!r}")
    source = _opened(source)
    places = target_store, temp_store
    plan = partial(_planned, source, target_chunks, places, options=target_options, array_name=array_name)
    return Rechunked(_within(memory_of_task(max_mem), plan), source, temp_store, _SCHEDULERS[executor])


def _within(max_mem: int, plan: Callable[[int], Any]) -> Any:
    """Return a job whose tasks use `max_mem`, or about three times that if it is only enough for any one chunk."""
    given = max_mem
    while True:
        try:
            return plan(max_mem)
        except MemoryLimitError as error:
            if error.largest_chunk > given or error.enough <= max_mem:
                raise
            max_mem = max(error.enough, 3 * given)


def _planned(
    source: Any,
    target_chunks: Any,
    places: tuple[Any, Any],
    max_mem: int,
    *,
    options: Mapping[str, Any] | None,
    array_name: str | None,
) -> Any:
    """Return the job for an array, a group or a dataset."""
    target_store, temp_store = places
    if type(source).__module__.partition(".")[0] == "xarray":
        more = {"max_mem": max_mem, "temp_store": temp_store, "encoding": options}
        return source.zarrds.rechunk(target_store, chunks=_chunks(source, target_chunks), **more)
    store = as_store(target_store, mode="w")
    temp = None if temp_store is None else as_store(temp_store, mode="w")
    if isinstance(source, Group):
        return _group_job(source, target_chunks, max_mem, store, temp, options)
    given = dict(options or {})
    return rechunk_here(
        source,
        store,
        chunks=_chunks(source, target_chunks),
        max_mem=max_mem,
        temp_store=temp,
        target_path=array_name,
        overwrite=bool(given.pop("overwrite", False)),
        target_options=given,
    )


def _chunks(source: Any, target_chunks: Any) -> Any:
    """Return the chunks as zarrds takes them: None is what the source has."""
    if target_chunks is None:
        return source.chunks if isinstance(source, Array) else source.chunksize
    if isinstance(source, Array) or not isinstance(target_chunks, Mapping):
        return target_chunks
    return {key: chunks for key, chunks in target_chunks.items() if chunks is not None}


def _group_job(
    source: Group, target_chunks: Any, max_mem: int, store: Any, temp: Any, options: Mapping[str, Any] | None
) -> Any:
    """Return the job for the named arrays of a group."""
    if not isinstance(target_chunks, Mapping):
        raise ArgumentError(f"target_chunks of a group are a dict by the names of its arrays, found {target_chunks!r}")
    arrays: dict[str, Array] = {}
    for name in target_chunks:
        node = source[normalize_path(name)]
        if not isinstance(node, Array):
            raise ArgumentError(f"{name!r} is no array of the group")
        arrays[normalize_path(name)] = node
    chunks = {
        normalize_path(name): source[name].chunks if given is None else given for name, given in target_chunks.items()
    }
    # a tuple or a dict counts for the array; a bare number would count for a dimension of the same name
    chunks = {name: (given,) * arrays[name].ndim if isinstance(given, int) else given for name, given in chunks.items()}
    given = {name: dict(one) if isinstance(one, Mapping) else one for name, one in (options or {}).items()}
    some = [given, *(one for one in given.values() if isinstance(one, dict))]
    overwrite = [one.pop("overwrite", False) for one in some]
    return rechunk_job(Request(source, arrays, store, "", temp, max_mem), chunks, given, overwrite=any(overwrite))


def _opened(source: Any) -> Any:
    """Return the array or group of zarrds for one of Zarr-Python; anything else unchanged."""
    if type(source).__module__.partition(".")[0] != "zarr":
        return source
    store = getattr(source.store, "store", source.store) if type(source.store).__name__ == "ReadOnly" else source.store
    root = getattr(store, "root", None)
    place = store if root is None else str(root)
    open_node = open_array if hasattr(source, "shape") else open_group
    return open_node(place, mode="r", path=source.path)
