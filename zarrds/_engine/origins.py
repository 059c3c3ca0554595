"""Find the stored arrays that lazy data read, so that they are not overwritten too early.

Arrays of zarrds, xarray, dask, h5py and the zarr library are recognised by their attributes: none of these libraries is
imported here.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from zarrds._engine.source import ChunkSource
from zarrds._store import Place, Store, place_in_file, place_in_other_store, place_on_disk

__all__ = ["places_of", "stored_place", "values_in", "values_of", "wrappers_of"]

_MAX_WRAPPERS = 32
_PLAIN = (str, bytes, int, float, bool, type(None))


def places_of(data: Any) -> list[Place]:
    """Return the places of the stored arrays that lazy data read when they are computed.

    Parameters
    ----------
    data : array-like, xarray object or dask collection
        For instance data that will be written.

    Returns
    -------
    list of Place
        Empty for data in memory.

    Examples
    --------
    >>> import numpy as np, zarrds
    >>> from zarrds.storage import places_of
    >>> z = zarrds.zeros(4)
    >>> places_of(z) == [z.store.place()], places_of(np.zeros(4))
    (True, [])
    """
    found: dict[Hashable, Place] = {}
    for part in _parts_of(data):
        for place in _places_behind(part):
            found.setdefault((place.system, place.path), place)
    return list(found.values())


def stored_place(data: Any) -> Place | None:
    """Return the place of the stored array that `data` is or wraps; None if there is none."""
    return next(iter(_places_behind(data)), None)


def _parts_of(data: Any) -> Iterator[Any]:
    """Yield objects that may be stored arrays: the data themselves, parts of xarray objects, values in dask graphs."""
    if isinstance(data, _PLAIN):
        return
    if isinstance(data, Mapping) and hasattr(data, "variables"):  # a dataset
        for variable in data.variables.values():
            yield from _parts_of(variable)
        return
    data = getattr(data, "variable", data)
    data = getattr(data, "_data", data) if hasattr(data, "dims") else data  # where xarray keeps them as they are
    graph = getattr(data, "__dask_graph__", None)
    if graph is None:
        yield data
        return
    seen: set[Hashable] = set()
    for value in values_of(graph() or {}):
        if isinstance(value, _PLAIN) or (isinstance(value, ChunkSource) and (value.store, value.path) in seen):
            continue
        if isinstance(value, ChunkSource):
            seen.add((value.store, value.path))
        yield from _parts_of(value) if hasattr(value, "dims") else (value,)


def _places_behind(data: Any) -> list[Place]:
    stored = wrappers_of(data)[0]
    parts = getattr(type(stored), "zarrds_parts", None)  # several stored arrays that are one lazy array
    if parts is not None:
        return [place for part in stored.zarrds_parts() for place in places_of(part)]
    if isinstance(stored, ChunkSource):
        with suppress(OSError):  # the store is in another process or gone: nothing here overwrites it
            return [stored.place()]
        return []
    if isinstance(getattr(stored, "store", None), Store):
        chunks = getattr(stored, "chunk_store", None)
        stores = [chunks, stored.store] if isinstance(chunks, Store) and chunks is not stored.store else [stored.store]
        return [store.place(stored.path) for store in stores]
    found = _place_elsewhere(stored)
    return [] if found is None else [found]


def _place_elsewhere(array: Any) -> Place | None:
    """Return the place of an array of another library; None if it is not known to be stored."""
    if isinstance(array, np.ndarray):
        return _place_of_memmap(array)
    store, path = getattr(array, "store", None), getattr(array, "path", None)
    if store is not None and isinstance(path, str):
        return place_in_other_store(store, path)
    file = getattr(getattr(array, "file", None), "filename", None)
    name = getattr(array, "name", None)
    return place_in_file(place_on_disk(file), name) if isinstance(file, str) and isinstance(name, str) else None


def _place_of_memmap(array: Any) -> Place | None:
    while isinstance(array, np.ndarray):
        name = getattr(array, "filename", None)
        if name is not None:
            return place_on_disk(str(name))
        array = array.base
    return None


def wrappers_of(data: Any) -> list[Any]:
    """Return the chain of objects that lazy wrappers, such as xarray's, contain: the innermost first, `data` last."""
    found = [data]
    while len(found) < _MAX_WRAPPERS and not _ends_search(found[-1]):
        inner = getattr(found[-1], "array", None)
        inner = getattr(found[-1], "_array", None) if inner is None else inner
        if inner is None or callable(inner):
            break
        found.append(inner)
    return found[::-1]


def _ends_search(data: Any) -> bool:
    if isinstance(data, ChunkSource | np.ndarray) or isinstance(getattr(data, "store", None), Store):
        return True
    return type(data).__module__.partition(".")[0] == "pandas"  # in memory; some indexes have no array attribute


# --- graphs of dask --------------------------------------------------------------------------------------------------


def values_of(graph: Any) -> Iterator[Any]:
    """Yield the values inside the tasks of a graph; symbolic layers are inspected without creating their tasks."""
    for layer in getattr(graph, "layers", {"": graph}).values():
        indices = getattr(layer, "indices", None)
        if indices is not None and hasattr(layer, "task"):
            yield from (getattr(value, "value", value) for value, index in indices if index is None)
            yield from values_in(layer.task)
        else:
            for task in list(layer.values()):
                yield from values_in(task)


def values_in(task: Any) -> Iterator[Any]:
    """Yield the values inside a task, including those of the tasks fused into it."""
    waiting = [task]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping) and not isinstance(part, Store):
            waiting += part.values()
        elif isinstance(part, tuple | list) and not hasattr(part, "_fields"):
            waiting += part
        elif hasattr(part, "args") and hasattr(part, "func"):
            named = getattr(part, "kwargs", None) or getattr(part, "keywords", None) or {}
            waiting += (*part.args, *named.values())
        else:
            yield getattr(part, "value", part)
