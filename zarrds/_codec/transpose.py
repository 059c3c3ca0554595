"""The `transpose` codec of Zarr v3: another order of the dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from zarrds._base.types import NDArrayAny
from zarrds._codec.registry import ArraySpec, CodecKind, check_members, register
from zarrds.errors import BadCompressorError

__all__ = ["TransposeFilter"]


class TransposeFilter:
    """Filter whose output axis i is axis ``order[i]`` of its input."""

    def __init__(self, array_spec: ArraySpec, order: tuple[int, ...]) -> None:
        self.order = order
        self.reverse = tuple(int(i) for i in np.argsort(order)) if order else ()
        self.makes = ArraySpec(tuple(array_spec.shape[i] for i in order), array_spec.dtype)

    def encode(self, array: NDArrayAny) -> NDArrayAny:
        """Return a view with its dimensions transposed."""
        return array.transpose(self.order)

    def decode(self, array: NDArrayAny) -> NDArrayAny:
        """Return a view with its dimensions in their original order."""
        return array.transpose(self.reverse)


def _make(configuration: dict[str, Any], array_spec: ArraySpec) -> TransposeFilter:
    check_members(configuration, ("order",))
    order, axes = configuration.get("order"), range(len(array_spec.shape))
    if order == "C":  # spelling of older writers
        order = list(axes)
    elif order == "F":
        order = list(reversed(axes))
    if not isinstance(order, list) or any(type(i) is not int for i in order) or sorted(order) != list(axes):
        raise BadCompressorError(
            "not an order of the dimensions", codec="transpose", expected=f"permutation of {list(axes)}", found=order
        )
    return TransposeFilter(array_spec, tuple(order))


register("transpose", CodecKind.FILTER, _make)
