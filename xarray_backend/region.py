"""Which part of the stored arrays a dataset is written to: all, a region, or new elements at the end of a dimension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from xarray_backend import _compat
from xarray_backend.reader import stored_variable
from zarrds import Array

__all__ = ["Region", "appended_region", "parse_region"]


@dataclass(frozen=True, slots=True)
class Region:
    """Part of the stored arrays, by dimension.

    Attributes
    ----------
    slices : dict
        Where along each dimension; dimensions that are not there are covered whole.
    lengths : dict
        Lengths of those dimensions in the store, after writing.
    append_dim : str, optional
        Dimension that grows.
    """

    slices: Mapping[Any, slice] = field(default_factory=dict)
    lengths: Mapping[Any, int] = field(default_factory=dict)
    append_dim: Any = None

    def origin(self, dims: tuple[Any, ...]) -> tuple[int, ...]:
        """Where an array with these dimensions is written from."""
        return tuple(self.slices[dim].start if dim in self.slices else 0 for dim in dims)

    def full_shape(self, var: xr.Variable) -> tuple[int, ...]:
        """Shape of the stored array that `var` is a part of."""
        return tuple(self.lengths.get(dim, n) for dim, n in zip(var.dims, var.shape, strict=True))


def stored_lengths(members: Mapping[str, Any]) -> dict[Any, int]:
    """Lengths of all dimensions in a stored group."""
    found: dict[Any, int] = {}
    for name, array in members.items():
        if isinstance(array, Array):
            found.update(zip(stored_variable(name, array).dims, array.shape, strict=True))
    return found


def appended_region(ds: xr.Dataset, append_dim: Any, members: Mapping[str, Any]) -> Region:
    """The region behind what is stored along `append_dim`."""
    if append_dim not in ds.dims:
        raise ValueError(f"append_dim {append_dim!r} is not a dimension of the dataset, which has {tuple(ds.dims)}")
    if not members:
        return Region()
    old = stored_lengths(members).get(append_dim)
    if old is None:
        raise ValueError(f"append_dim {append_dim!r} is not a dimension in the store")
    missing = [
        name
        for name, array in members.items()
        if isinstance(array, Array) and name not in ds.variables and append_dim in stored_variable(name, array).dims
    ]
    if missing:
        raise ValueError(
            f"stored variable {missing[0]!r} has the dimension {append_dim!r} but is not in the dataset: the store "
            "could not be opened afterwards, as lengths would differ"
        )
    added = ds.sizes[append_dim]
    return Region({append_dim: slice(old, old + added)}, {append_dim: old + added}, append_dim)


def parse_region(ds: xr.Dataset, region: Any, members: Mapping[str, Any]) -> tuple[xr.Dataset, Region]:
    """The region that a user means, and the dataset without what cannot be written to it."""
    lengths = stored_lengths(members)
    wanted = dict.fromkeys(ds.dims, "auto") if isinstance(region, str) and region == "auto" else region
    if not isinstance(wanted, Mapping):
        raise TypeError(f"region must be 'auto' or a dict from dimensions to slices, found {region!r}")
    slices = {dim: _slice_along(ds, dim, part, members, lengths) for dim, part in wanted.items()}
    if any(isinstance(part, str) for part in wanted.values()):
        ds = ds.drop_vars([name for name in ds.indexes if name in ds.variables])
    for name, var in ds.variables.items():
        if not set(var.dims) & set(slices):
            raise ValueError(
                f"variable {name!r} has no dimension in common with region {slices}; leave it out with "
                f"ds.drop_vars({name!r})"
            )
    return ds, Region(slices, {dim: lengths[dim] for dim in slices})


def _slice_along(ds: xr.Dataset, dim: Any, part: Any, members: Mapping[str, Any], lengths: Mapping[Any, int]) -> slice:
    if dim not in ds.dims or dim not in lengths:
        raise ValueError(f"region has {dim!r}, which is not a dimension of both the dataset and the store")
    if isinstance(part, str) and part == "auto":
        return _matching_slice(ds, dim, members, lengths[dim])
    if not isinstance(part, slice) or part.step not in (None, 1):
        raise ValueError(f"region of dimension {dim!r} must be 'auto' or a slice of step 1, found {part!r}")
    start, stop, _ = part.indices(lengths[dim])
    if stop - start != ds.sizes[dim]:
        raise ValueError(
            f"region {part} along {dim!r} has {max(stop - start, 0)} elements of {lengths[dim]} stored, but the "
            f"dataset has {ds.sizes[dim]}"
        )
    return slice(start, stop)


def _matching_slice(ds: xr.Dataset, dim: Any, members: Mapping[str, Any], length: int) -> slice:
    """Where the dataset's coordinate values are among the stored ones."""
    array = members.get(dim)
    if dim not in ds.variables or not isinstance(array, Array):
        if ds.sizes[dim] != length:
            raise ValueError(f"region 'auto' needs a coordinate along {dim!r} in the dataset and in the store")
        return slice(0, length)
    stored = _compat.decode_values(stored_variable(dim, array), dim).to_index()
    found = stored.get_indexer(ds.variables[dim].to_index())
    if (found < 0).any():
        raise KeyError(f"not all values of coordinate {dim!r} are in the store")
    if (np.diff(found) != 1).any():
        raise ValueError(f"values of coordinate {dim!r} are not side by side in the store")
    return slice(int(found[0]), int(found[-1]) + 1)
