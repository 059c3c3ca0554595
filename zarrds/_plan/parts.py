"""Take a part out of a decoded chunk, or put one in."""

from __future__ import annotations

import numpy as np

from zarrds._base.types import NDArrayAny, Part

__all__ = ["is_everything", "is_plain", "put", "take"]


def is_plain(part: Part) -> bool:
    """Return whether a part has integers and slices only, so that ``chunk[part]`` is a view."""
    for item in part:  # noqa: SIM110 (a loop, as this is asked several times for each chunk)
        if isinstance(item, np.ndarray):
            return False
    return True


def is_everything(part: Part, shape: tuple[int, ...]) -> bool:
    """Return whether a part without gaps covers all of a chunk of this shape, also beyond the edges of the array."""
    for item, length in zip(part, shape, strict=True):
        if isinstance(item, slice):
            if item.start != 0 or item.stop != length:
                return False
        elif isinstance(item, np.ndarray) or length != 1:
            return False
    return True


def take(chunk: NDArrayAny, part: Part, drop_axes: tuple[int, ...] = ()) -> NDArrayAny:
    """Return the region of a decoded chunk, always as an array: a view if numpy can make one."""
    found: NDArrayAny = chunk[(*part, ...)]
    return found.squeeze(drop_axes) if drop_axes else found


def put(target: NDArrayAny, part: Part, value: NDArrayAny, drop_axes: tuple[int, ...] = ()) -> None:
    """Write a value into a region: the counterpart of `take`; a 0-d value fills it."""
    if drop_axes and value.ndim:
        value = np.expand_dims(value, drop_axes)
    target[(*part, ...)] = value
