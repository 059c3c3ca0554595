"""Which stored arrays a variable reads, so that they are not deleted before it does.

Seen are lazy arrays of this engine and of xarray's own "zarr", and stored arrays in the tasks of dask graphs. Places
are compared as text: the path or URL of the store, and the path of the array in it.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
import pandas as pd  # type: ignore[import-untyped]

from zarrds import Array
from zarrds.storage import Store

__all__ = [
    "Place",
    "find_sources",
    "lies_in",
    "path_in",
    "place_behind",
]

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
        found = place_behind(data)
        return [] if found is None else [found]
    from zarrds.dask.in_place import values_of

    places = {place[:2]: place for place in map(place_behind, values_of(graph())) if place is not None}
    return list(places.values())


def path_in(place: Place | None, target: Store) -> str | None:
    """Path of a place in the target; None if it is elsewhere."""
    if place is None:
        return None
    outer, inner = _location(target.spec()).rstrip("/"), _joined(place.location, place.path)
    if inner.startswith(outer + "/"):
        return inner[len(outer) + 1 :]
    return place.path if place.store is not None and place.store == target else None


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


def place_behind(data: Any) -> Place | None:
    """Follow xarray's wrappers down to a stored array."""
    for _ in range(MAX_WRAPPERS):
        if isinstance(data, Array):
            data = data.source()
        if all(hasattr(data, name) for name in ("store", "path", "meta")):
            return Place(_location(data.store), data.path, _opened(data.store))
        if isinstance(data, np.ndarray | pd.Index):  # of a MultiIndex `array` cannot be asked
            return None
        if not hasattr(data, "array"):
            return _place_of_other(getattr(data, "_array", data))
        data = data.array
    return None


def _opened(spec: Any) -> Store | None:
    try:
        found: Store = spec.open()
    except OSError:
        return None  # it lives in another process, or is gone: then it is not the target
    return found


def _place_of_other(array: Any) -> Place | None:
    """Place of an array of the zarr library."""
    from zarrds.dask.in_place import other_place

    found = other_place(array)
    return None if found is None else Place(*found, None)
