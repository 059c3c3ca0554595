"""Find the part of the stored arrays that a dataset is written to: all, a region, or the end of a dimension."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from xarray_backend import _compat
from xarray_backend.stored import Stored, stored_names
from zarrds.errors import ArgumentError, ArgumentKeyError, ArgumentTypeError, NotSupportedError

__all__ = ["Region", "appended_region", "check_region_of_tree", "parse_region", "region_names", "region_of_node"]


@dataclass(frozen=True, slots=True)
class Region:
    """Part of the stored arrays, by dimension.

    Attributes
    ----------
    slices : dict
        Slice of each dimension; a dimension that is missing here is covered whole.
    lengths : dict
        Lengths of those dimensions in the store, after writing.
    append_dim : str, optional
        Dimension that grows.
    """

    slices: Mapping[Any, slice] = field(default_factory=dict)
    lengths: Mapping[Any, int] = field(default_factory=dict)
    append_dim: Any = None

    def origin(self, dims: tuple[Any, ...]) -> tuple[int, ...]:
        """Return the index at which writing an array with these dimensions begins."""
        return tuple(self.slices[dim].start if dim in self.slices else 0 for dim in dims)

    def within(self, other: Region) -> Region:
        """Return this region, limited by another one along other dimensions."""
        return replace(self, slices={**other.slices, **self.slices}, lengths={**other.lengths, **self.lengths})

    def full_shape(self, var: xr.Variable) -> tuple[int, ...]:
        """Return the shape of the stored array that `var` is a part of."""
        return tuple(self.lengths.get(dim, n) for dim, n in zip(var.dims, var.shape, strict=True))


def appended_region(ds: xr.Dataset, append_dim: Any, stored: Stored) -> Region:
    """Return the region behind the stored elements along `append_dim`."""
    if not isinstance(append_dim, Hashable) or append_dim not in ds.dims:
        raise ArgumentError(f"append_dim {append_dim!r} is not a dimension of the dataset, which has {tuple(ds.dims)}")
    if not stored.arrays and not stored.groups:
        return Region()
    old = stored.lengths.get(append_dim)
    if old is None:
        raise ArgumentError(f"append_dim {append_dim!r} is not a dimension in the store")
    missing = [n for n, var in stored.variables.items() if n not in ds.variables and append_dim in var.dims]
    if missing:
        raise ArgumentError(
            f"stored variable {missing[0]!r} has the dimension {append_dim!r} but is not in the dataset: the store "
            "could not be opened afterwards, as lengths would differ"
        )
    lengths = {n: var.sizes[append_dim] for n, var in stored.variables.items() if append_dim in var.dims}
    if len(set(lengths.values())) > 1:
        raise ArgumentError(f"stored variables have different lengths along append_dim {append_dim!r}: {lengths}")
    added = ds.sizes[append_dim]
    return Region({append_dim: slice(old, old + added)}, {append_dim: old + added}, append_dim)


def region_names(ds: xr.Dataset, region: Any) -> list[str]:
    """Return the names of the arrays that a region needs: those written, and coordinates to match."""
    matched = [
        dim for dim in ds.dims if region == "auto" or (isinstance(region, Mapping) and region.get(dim) == "auto")
    ]
    written = [name for name in ds.variables if name not in ds.indexes]
    return stored_names([*written, *matched])


def check_region_of_tree(datasets: Iterable[xr.Dataset], region: Any) -> None:
    """Raise for a region that is not possible for a tree: "auto", or a dimension that no node has."""
    if region is None:
        return
    if not isinstance(region, Mapping) or any(isinstance(part, str) for part in region.values()):
        raise NotSupportedError(
            "the nodes of a tree share coordinates, by which region='auto' finds slices of one dataset",
            hint="give slices: region={'time': slice(0, 10)}",
        )
    known = {dim for ds in datasets for dim in ds.dims}
    unknown = [dim for dim in region if dim not in known]
    if unknown:
        raise ArgumentError(f"region has {unknown[0]!r}, which is not a dimension of any node of the tree")


def region_of_node(ds: xr.Dataset, region: Mapping[Any, Any]) -> tuple[xr.Dataset, Mapping[Any, Any] | None]:
    """Return one node of a tree without index coordinates, and the part of a region that concerns it, None if none."""
    own = {dim: part for dim, part in region.items() if dim in ds.dims}
    return ds.drop_vars(ds.indexes, errors="ignore"), own if own or not region else None


def parse_region(ds: xr.Dataset, region: Any, stored: Stored, append_dim: Any = None) -> tuple[xr.Dataset, Region]:
    """Return the dataset without its index coordinates, and the region that the user gave.

    Index coordinates are not written to a region, as they would also label elements outside of it; that of a dimension
    that grows at the same time is written.
    """
    others = [dim for dim in ds.dims if dim != append_dim]
    wanted = dict.fromkeys(others, "auto") if isinstance(region, str) and region == "auto" else region
    if append_dim is not None and not others:
        raise ArgumentError(f"append_dim {append_dim!r} and a region go together only along different dimensions")
    if not isinstance(wanted, Mapping):
        raise ArgumentTypeError(f"region must be 'auto' or a dict from dimensions to slices, found {region!r}")
    lengths = stored.lengths
    slices = {dim: _slice_along(ds, dim, part, stored, lengths) for dim, part in wanted.items()}
    indexes = [name for name in ds.indexes if name in ds.variables and ds.variables[name].dims != (append_dim,)]
    if any(isinstance(part, str) for part in wanted.values()):
        ds = ds.drop_vars(indexes)
    for name, var in ds.variables.items() if slices else ():
        if not set(var.dims) & {*slices, append_dim}:
            raise ArgumentError(
                f"variable {name!r} has no dimension in common with region {slices}; leave it out with "
                f"ds.drop_vars({name!r})"
            )
    return ds.drop_vars(indexes, errors="ignore"), Region(slices, {dim: lengths[dim] for dim in slices})


def _slice_along(ds: xr.Dataset, dim: Any, part: Any, stored: Stored, lengths: Mapping[Any, int]) -> slice:
    if dim not in ds.dims or dim not in lengths:
        raise ArgumentError(f"region has {dim!r}, which is not a dimension of both the dataset and the store")
    if isinstance(part, str) and part == "auto":
        return _matching_slice(ds, dim, stored, lengths[dim])
    if not isinstance(part, slice):
        raise ArgumentTypeError(f"region of dimension {dim!r} must be 'auto' or a slice of step 1, found {part!r}")
    if part.step not in (None, 1):
        raise ArgumentError(f"region of dimension {dim!r} must be a slice of step 1, found {part!r}")
    try:
        start, stop, _ = part.indices(lengths[dim])
    except TypeError:
        what = f"region of dimension {dim!r} must be a slice of integers; for values of coordinates use region='auto'"
        raise ArgumentTypeError(what, found=part) from None
    if stop - start != ds.sizes[dim]:
        raise ArgumentError(
            f"region {part} along {dim!r} has {max(stop - start, 0)} elements of {lengths[dim]} stored, but the "
            f"dataset has {ds.sizes[dim]}"
        )
    return slice(start, stop)


def _matching_slice(ds: xr.Dataset, dim: Any, stored: Stored, length: int) -> slice:
    """Return the slice of the stored coordinate that contains the dataset's coordinate values."""
    if dim not in ds.variables or dim not in stored.variables:
        if ds.sizes[dim] != length:
            raise ArgumentError(f"region 'auto' needs a coordinate along {dim!r} in the dataset and in the store")
        return slice(0, length)
    labels = _compat.decode_values(stored.variables[dim], dim).to_index()
    if not labels.is_unique:
        raise ArgumentError(
            f"region 'auto' along {dim!r} needs unique values, but those of the stored coordinate repeat"
        )
    found = labels.get_indexer(ds.variables[dim].to_index())
    if (found < 0).any():
        raise ArgumentKeyError(f"not all values of coordinate {dim!r} are in the store")
    if (np.diff(found) != 1).any():
        raise ArgumentError(f"values of coordinate {dim!r} are not side by side in the store")
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)
