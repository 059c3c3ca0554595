"""Open the source that a user gives for a job, and check whether workers can reach it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zarrds._store import LiveSpec, StoreSpec
from zarrds.convenience import open as open_node
from zarrds.core import Array
from zarrds.creation import open_array
from zarrds.errors import ArgumentTypeError
from zarrds.hierarchy import Group

__all__ = ["is_shareable", "opened", "opened_node"]


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


def is_shareable(spec: StoreSpec) -> bool:
    """Return whether another process can open the store."""
    if isinstance(spec, LiveSpec):
        return False
    return is_shareable(spec.location) if isinstance(spec.location, StoreSpec) else True
