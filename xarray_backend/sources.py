"""Which stored arrays a variable reads, so that they are not deleted before it does.

Seen are lazy arrays of this engine and of xarray's own "zarr", and stored arrays in the tasks of dask graphs. Places
are compared as text: the path or URL of the store, and the path of the array in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from zarrds import Array
from zarrds.storage import Store

__all__ = ["Place", "find_sources", "lies_in", "reads"]

MAX_WRAPPERS = 32


class Place(NamedTuple):
    """Where a stored array is.

    Attributes
    ----------
    location : str
        Path or URL of the store; for stores in memory what tells them apart.
    path : str
        Path in the store.
    store : Store or None
        The store itself, where that is known.
    """

    location: str
    path: str
    store: Store | None


def find_sources(data: Any) -> list[Place]:
    """Places of the stored arrays that `data`, what a variable holds, reads when it is computed."""
    graph = getattr(data, "__dask_graph__", None)
    if graph is None:
        found = _place_behind(data)
        return [] if found is None else [found]
    dask_graph = graph()
    layers = getattr(dask_graph, "layers", {"": dask_graph})
    parts = (part for layer in layers.values() for part in _parts_of(layer))
    places = {place[:2]: place for place in map(_place_behind, parts) if place is not None}
    return list(places.values())


def reads(layer: Any, target: Store, path: str) -> bool:
    """Whether a layer of a dask graph reads the array at `path` of the target."""
    places = (_place_behind(part) for part in _parts_of(layer))
    return any(place is not None and lies_in(place, target, path) for place in places)


def lies_in(place: Place, target: Store, path: str) -> bool:
    """Whether deleting everything at and below `path` in the target would delete what is at `place`."""
    if _below(_joined(place.location, place.path), _joined(_location(target.spec()), path)):
        return True
    return place.store is not None and place.store == target and _below(place.path, path)


def _below(inner: str, outer: str) -> bool:
    return not outer or inner == outer or inner.startswith(outer + "/")


def _joined(location: str, path: str) -> str:
    return f"{location.rstrip('/')}/{path}".rstrip("/")


def _location(spec: Any) -> str:
    """Text of a store's recipe, links of directories resolved; a wrapper is where the wrapped store is."""
    while not isinstance(spec.location, str):
        spec = spec.location
    return _resolved(spec.location)


def _resolved(location: str) -> str:
    location = location.removeprefix("file://")
    return os.path.realpath(location) if os.path.isabs(location) else location


def _place_behind(data: Any) -> Place | None:
    """Follow xarray's wrappers down to a stored array."""
    for _ in range(MAX_WRAPPERS):
        if isinstance(data, Array):
            data = data.source()
        if all(hasattr(data, name) for name in ("store", "path", "meta")):
            return Place(_location(data.store), data.path, _opened(data.store))
        if isinstance(data, np.ndarray):
            return None
        if not hasattr(data, "array"):
            return _place_of_other(getattr(data, "_array", None))
        data = data.array
    return None


def _opened(spec: Any) -> Store | None:
    try:
        found: Store = spec.open()
    except OSError:
        return None  # it lives in another process, or is gone: then it is not the target
    return found


def _place_of_other(array: Any) -> Place | None:
    """Place of an array of the zarr library in a directory, which is told by what it shows publicly."""
    root = getattr(getattr(array, "store", None), "root", None)
    path = getattr(array, "path", None)
    if not isinstance(root, (str, os.PathLike)) or not isinstance(path, str):
        return None
    return Place(_resolved(os.path.abspath(root)), path, None)


def _parts_of(layer: Any) -> Iterator[Any]:
    """Values inside the tasks of a layer; a symbolic layer is looked at, not spelled out."""
    indices = getattr(layer, "indices", None)
    if indices is not None and hasattr(layer, "task"):
        yield from (value for value, index in indices if index is None)
        yield from _parts_of_task(layer.task)
        return
    for task in list(layer.values()):
        yield from _parts_of_task(task)


def _parts_of_task(task: Any) -> Iterator[Any]:
    value = getattr(task, "value", None)
    if value is not None:
        yield value
    elif isinstance(task, tuple):
        yield from task
    else:
        yield task
        for part in (*getattr(task, "args", ()), *getattr(task, "kwargs", {}).values()):
            yield getattr(part, "value", part)
