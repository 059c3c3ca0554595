"""Open the source that a user gives for a job, and check whether workers can reach it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from zarrds._engine import ChunkSource
from zarrds._format import ArrayMeta
from zarrds._store import LiveSpec, Store, StoreSpec, fingerprint
from zarrds.convenience import open as open_node
from zarrds.core import Array
from zarrds.creation import open_array
from zarrds.errors import ArgumentTypeError
from zarrds.hierarchy import Group

__all__ = ["is_shareable", "opened", "opened_node", "options_by_place", "state_of_data"]

_MOST_ARRAYS = 1000
"""Most arrays that are looked at, which takes a few system calls for each."""


def opened(source: Any, path: str | None, storage_options: Mapping[str, Any] | None = None) -> Array:
    """Return the array given as an `Array`, or as a store and a path."""
    if not isinstance(source, Array):
        options = None if storage_options is None else dict(storage_options)
        return open_array(source, mode="r", path=path, storage_options=options)
    if path:
        raise ArgumentTypeError("a path is given with a store only, not with an array")
    return source


def opened_node(source: Any, path: str | None, storage_options: Mapping[str, Any] | None = None) -> Array | Group:
    """Return the array or group given as itself, or as a store and a path."""
    if isinstance(source, Group):
        return source[path] if path else source
    if isinstance(source, Array):
        return opened(source, path)
    return open_node(source, mode="r", path=path, storage_options=storage_options)


def options_by_place(options: Mapping[str, Any] | None, *places: Any) -> list[Mapping[str, Any] | None]:
    """Return the options for each of some places that share them: beside a URL, a path of this machine needs none.

    >>> options_by_place({"anon": True}, "s3://bucket/a.zarr", "b.zarr")
    [{'anon': True}, None]
    """
    paths = [os.fspath(place) if isinstance(place, (str, os.PathLike)) else None for place in places]
    are_urls = [path is not None and ("://" in path or "::" in path) for path in paths]
    if not any(are_urls):
        return [options] * len(places)
    return [None if path is not None and not is_url else options for path, is_url in zip(paths, are_urls, strict=True)]


def state_of_data(source: Store, arrays: Iterable[tuple[str, ArrayMeta]], dest: Store) -> str:
    """Return what differs once chunks of some arrays were written, as far as the source can tell without requests.

    It is empty for a source that cannot tell (a service), for very many arrays, and where both are one store, which a
    job that writes to it changes itself.
    """
    some = list(islice(arrays, _MOST_ARRAYS + 1))
    if len(some) > _MOST_ARRAYS or source.place().is_same(dest.place()):
        return ""
    spec = source.spec()
    states = [ChunkSource(spec, path, meta).__dask_tokenize__()[2] for path, meta in some]
    return fingerprint(states)[:12]


def is_shareable(spec: StoreSpec) -> bool:
    """Return whether another process can open the store."""
    if isinstance(spec, LiveSpec):
        return False
    return is_shareable(spec.location) if isinstance(spec.location, StoreSpec) else True
