"""What users mean by a source of a job, and whether workers can reach it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zarrds._store.spec import LiveSpec, StoreSpec
from zarrds.core import Array
from zarrds.creation import open_array

__all__ = ["is_shareable", "opened"]


def opened(source: Any, path: str | None, storage_options: Mapping[str, Any] | None = None) -> Array:
    """The array that a user means by an `Array`, or by a store and a path."""
    if not isinstance(source, Array):
        options = None if storage_options is None else dict(storage_options)
        return open_array(source, mode="r", path=path, storage_options=options)
    if path:
        raise TypeError("a path is given with a store only, not with an array")
    return source


def is_shareable(spec: StoreSpec) -> bool:
    """Whether another process can open the store."""
    if isinstance(spec, LiveSpec):
        return False
    return is_shareable(spec.location) if isinstance(spec.location, StoreSpec) else True
