"""The `reshape` codec of Zarr v3: another shape for the same elements in C order. Registered in zarr-extensions."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from zarrds._base.types import NDArrayAny, Shape
from zarrds._codec.registry import ArraySpec, CodecKind, check_members, register
from zarrds.errors import BadCompressorError

__all__ = ["ReshapeFilter"]


class ReshapeFilter:
    """Filter that changes the shape of an array, and the order of its elements not at all."""

    def __init__(self, array_spec: ArraySpec, shape: Shape) -> None:
        self._shape = array_spec.shape
        self.makes = ArraySpec(shape, array_spec.dtype)

    def encode(self, array: NDArrayAny) -> NDArrayAny:
        """Return the elements in the new shape."""
        return np.ascontiguousarray(array).reshape(self.makes.shape)

    def decode(self, array: NDArrayAny) -> NDArrayAny:
        """Return the elements in the original shape."""
        return np.ascontiguousarray(array).reshape(self._shape)


def _make(configuration: dict[str, Any], array_spec: ArraySpec) -> ReshapeFilter:
    check_members(configuration, ("shape",))
    return ReshapeFilter(array_spec, output_shape(array_spec.shape, configuration.get("shape")))


def output_shape(shape: Shape, items: Any) -> Shape:
    """Return the shape that a configuration asks for: of sizes, lists of input dimensions, and at most one -1."""
    if not isinstance(items, list):
        raise _refused("the shape is missing", "a list", items)
    sizes: list[int] = []
    for item in items:
        if isinstance(item, list):
            sizes.append(prod(shape[dim] for dim in _dims(item, len(shape))))
        elif type(item) is int and (item > 0 or item == -1):
            sizes.append(item)
        else:
            raise _refused("not a size", "a positive integer, -1, or a list of input dimensions", item)
    if sizes.count(-1) > 1:
        raise _refused("more than one size is open", "at most one -1", items)
    if -1 in sizes:
        others = prod(size for size in sizes if size != -1)
        sizes[sizes.index(-1)] = prod(shape) // others if others else 0
    if prod(sizes) != prod(shape):
        raise _refused("the shapes have different numbers of elements", prod(shape), items)
    _check_dims(shape, sizes, items)
    return tuple(sizes)


def _dims(item: list[Any], ndim: int) -> list[int]:
    if any(type(dim) is not int or not 0 <= dim < ndim for dim in item):
        raise _refused("no such input dimension", f"integers from 0 to {ndim - 1}", item)
    return item


def _check_dims(shape: Shape, sizes: list[int], items: list[Any]) -> None:
    """Raise unless the input dimensions of each item are those that the output dimension is made of."""
    named = [dim for item in items if isinstance(item, list) for dim in item]
    if named != sorted(set(named)):
        raise _refused("input dimensions are not in order", "each at most once, in increasing order", items)
    for number, item in enumerate(items):
        if not isinstance(item, list) or not item:
            continue
        before, after = prod(sizes[:number]), prod(sizes[number + 1 :])
        if before != prod(shape[: item[0]]) or after != prod(shape[item[-1] + 1 :]):
            raise _refused("an output dimension is not made of the input dimensions it names", list(shape), items)


def _refused(what: str, expected: object, found: object) -> BadCompressorError:
    return BadCompressorError(what, codec="reshape", expected=expected, found=found)


register("reshape", CodecKind.FILTER, _make)
