"""Read what a writer needs to know of a stored group: arrays, their variables, groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from xarray_backend.reader import attributes_of, stored_variable
from zarrds import Array, Group
from zarrds.errors import DimensionNamesError
from zarrds.parallel import tidy

__all__ = ["Stored", "read_stored", "stored_names", "undo_unfinished"]


@dataclass(frozen=True, slots=True)
class Stored:
    """Members of a stored group.

    Attributes
    ----------
    group : Group or None
        The group; None if it does not exist yet.
    arrays : dict
        Arrays by name.
    variables : dict
        The same arrays as variables, not yet decoded. Arrays whose dimensions have no names are left out, unless they
        were asked for by name.
    groups : dict
        Groups by name.
    """

    group: Group | None = None
    arrays: Mapping[str, Array] = field(default_factory=dict)
    variables: Mapping[str, xr.Variable] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)

    @property
    def lengths(self) -> dict[Any, int]:
        """Return the lengths of the dimensions, by name."""
        return {dim: n for var in self.variables.values() for dim, n in zip(var.dims, var.shape, strict=True)}


def read_stored(group: Group | None, names: Iterable[str] | None = None) -> Stored:
    """Read the documents of the members with these names, or of all members if no names are given.

    Named members cost one batch of requests, and in Zarr v2 another one for their attributes. All members cost a
    listing as well.
    """
    if group is None:
        return Stored()
    members, failed = group.open_members() if names is None else (group.members(names), {})
    for error in failed.values():
        raise error  # do not write to a group with members that cannot be read
    arrays = {name: member for name, member in members.items() if isinstance(member, Array)}
    attrs = attributes_of(arrays)
    variables = {}
    for name, array in arrays.items():
        try:
            variables[name] = stored_variable(name, array, None, attrs[name])
        except DimensionNamesError:
            if names is not None:
                raise
    return Stored(group, arrays, variables, {n: m for n, m in members.items() if isinstance(m, Group)})


def undo_unfinished(stored: Stored, dim: Any) -> None:
    """Undo an unfinished append: shorten arrays that grew before others, and delete the data behind them."""
    lengths = {name: var.sizes[dim] for name, var in stored.variables.items() if dim in var.dims}
    for name in lengths:
        array, axis = stored.arrays[name], stored.variables[name].dims.index(dim)
        if lengths[name] > min(lengths.values()):
            array.resize([min(lengths.values()) if n == axis else length for n, length in enumerate(array.shape)])
    tidy([stored.arrays[name] for name in lengths])


def stored_names(names: Iterable[Any]) -> list[str]:
    """Return the names under which variables are stored, each once."""
    return ["__values__" if name is None else str(name) for name in dict.fromkeys(names)]
