"""Plan how a dataset is written: decide and check everything before anything is written.

A plan contains the new arrays, the arrays to be enlarged, and for each variable its values and the region to which they
are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from xarray.indexes import PandasMultiIndex

from xarray_backend import _compat
from xarray_backend.chunks import Blocks, Grid, check_blocks, choose_grid, fitting_blocks, has_lists
from xarray_backend.encoded import encode_like_stored, encode_new
from xarray_backend.encoding import FLAG, added_attributes, array_attributes, array_options, attributes_as_json
from xarray_backend.managers import with_dask_blocks
from xarray_backend.region import Region
from xarray_backend.stored import Stored
from zarrds import Array, Group
from zarrds.creation import NewArray, NewGroup, new_array, new_group
from zarrds.errors import (
    ArgumentError,
    ArgumentTypeError,
    ContainsGroupError,
    MetadataError,
    UnknownVariableError,
    UnsupportedFormatError,
)
from zarrds.parallel import larger, units_after

__all__ = ["DatasetPlan", "Options", "Resize", "VariableWrite", "check_dataset", "plan_dataset", "planned_new"]


@dataclass(frozen=True, slots=True)
class Options:
    """Options for writing datasets.

    Attributes
    ----------
    mode : {"w", "w-", "a", "a-", "r+"}
        As for `to_zarrds`.
    align : {"auto", "raise", "strict", "rechunk", "never", "keep"}
        What is done with blocks of dask arrays that share chunks. "auto" and "rechunk": they are regrouped into blocks
        of whole chunks; "raise" and "strict": an error; "never": nothing. "rechunk" and "strict" also keep inherited
        chunks that the blocks do not fit. "keep": as "auto", but the blocks become the chunks of new arrays, also where
        their lengths differ.
    write_empty_chunks : bool or None
        Whether empty chunks (all fill value) are stored.
    separator : {".", "/"} or None
        Separator of chunk keys that the target store prefers; for Zarr v2.
    zarr_format : {2, 3}
        Format of the group.
    keeps_parts : bool
        Whether writers of different parts of a chunk keep each other's changes, by the store or a synchronizer.
    has_fills : bool
        Whether arrays of the store have fill values; those of N5 have none.
    """

    mode: str
    align: str = "auto"
    write_empty_chunks: bool | None = None
    separator: str | None = None
    zarr_format: int = 2
    keeps_parts: bool = True
    has_fills: bool = True


@dataclass(frozen=True, slots=True)
class VariableWrite:
    """Values of one variable and where they are written.

    Attributes
    ----------
    values : xarray.Variable
        CF-encoded values; still lazy.
    array : Array or NewArray
        The array that they are written to.
    shape : tuple of int
        Shape of that array, after it has grown.
    origin : tuple of int
        Where the values begin in the array.
    write_empty_chunks : bool
        Whether empty chunks (all fill value) are stored.
    blocks : tuple of tuple of int, optional
        Lengths of the blocks into which a dask array is regrouped when it is written; None: its own blocks are written.
        No graph is made for it before that.
    """

    values: xr.Variable
    array: Array | NewArray
    shape: tuple[int, ...]
    origin: tuple[int, ...]
    write_empty_chunks: bool
    blocks: tuple[Blocks, ...] | None = None

    @property
    def grows(self) -> bool:
        """Whether the array is a stored one, and the values are behind its present end."""
        return isinstance(self.array, Array) and self.shape != self.array.shape

    @property
    def is_lazy(self) -> bool:
        """Whether the values are a dask array."""
        return self.values.chunks is not None

    @property
    def own_blocks(self) -> tuple[Blocks, ...]:
        """Blocks of the values before they are regrouped; values in memory are one."""
        return blocks_of(self.values)


Resize = tuple[Array, Any]
"""A stored array, and its new shape or what `zarrds.parallel.larger` says it will be."""


@dataclass(frozen=True, slots=True)
class DatasetPlan:
    """All changes that writing one dataset to one group will make.

    Attributes
    ----------
    path : str
        Path of the group.
    zarr_format : {2, 3}
        Format of the group.
    stored : Group or None
        The group, if it is in the store already.
    attrs : dict or None
        Attributes of the group that are new or other than the stored ones; None: all stay.
    writes : tuple of VariableWrite
        Values to be written; the arrays of some of them are new.
    recoded : tuple of Recoded
        Stored variables that are encoded again before; `writes` and `resizes` name arrays in memory in their place.
    """

    path: str
    zarr_format: int
    stored: Group | None
    attrs: dict[str, Any] | None
    writes: tuple[VariableWrite, ...]
    recoded: tuple[Any, ...] = ()

    @property
    def paths(self) -> list[str]:
        """The paths of the arrays that are written."""
        return [write.array.path for write in self.writes]

    @property
    def new_arrays(self) -> list[NewArray]:
        """The arrays to be created."""
        return [write.array for write in self.writes if isinstance(write.array, NewArray)]

    @property
    def resizes(self) -> list[Resize]:
        """The stored arrays to be enlarged, and what they will be."""
        return [
            (write.array, larger(write.array.source(), write.shape, write.own_blocks))
            for write in self.writes
            if isinstance(write.array, Array) and write.grows
        ]

    def new_nodes(self) -> list[NewArray | NewGroup]:
        """Return the group and its arrays as nodes to be created; in a new hierarchy that is all of it."""
        return [self.new_group(self.attrs), *self.new_arrays]

    def new_group(self, attributes: Mapping[str, Any] | None = None) -> NewGroup:
        """Return the group, as one to be created."""
        return new_group(self.path, zarr_format=self.zarr_format, attributes=attributes)


def plan_dataset(
    ds: xr.Dataset,
    path: str,
    *,
    stored: Stored,
    encoding: Mapping[Any, Mapping[str, Any]],
    options: Options,
    region: Region,
) -> DatasetPlan:
    """Return the plan for writing `ds` to the group at `path`, whose members are given; raise for what is wrong."""
    unknown = [name for name in encoding if name not in ds.variables]
    if unknown:
        raise UnknownVariableError(f"encoding is given for {unknown[0]!r}, which is not a variable of the dataset")
    variables, attrs = _compat.encode_coordinates(ds)
    attrs = attributes_as_json("the dataset", {name: value for name, value in attrs.items() if name != FLAG})
    writes = []
    for name, var in variables.items():
        stored_name = "__values__" if name is None else name
        explicit = encoding.get(name)
        if stored_name in stored.groups:
            where = stored.groups[stored_name].path
            raise ContainsGroupError(f"a group has the name of variable {stored_name!r}", path=where)
        array = stored.arrays.get(stored_name)
        if array is None or (explicit is not None and not array.size and options.mode in ("a", "a-")):
            writes.append(_new_write(path, stored_name, var, explicit, options, region))
        elif not _is_left_alone(var, options, region):
            writes.append(_stored_write(stored_name, var, stored, explicit, options, region))
    new_attrs: dict[str, Any] | None = None if options.mode == "r+" else attrs
    if stored.group is not None and new_attrs is not None:
        names = _unnamed_coordinates(ds, variables, stored)
        present = stored.group.attrs.asdict()
        found = added_attributes(present, new_attrs, names)
        new_attrs = found and {key: text for key, text in found.items() if key not in present or present[key] != text}
    return DatasetPlan(path, options.zarr_format, stored.group, new_attrs, tuple(writes))


def planned_new(
    name: str, path: str, var: xr.Variable, encoding: Mapping[str, Any], options: Options
) -> tuple[NewArray, xr.Variable]:
    """Return a whole variable with this encoding, as a new array of the group at `path` and its encoded values."""
    write = _new_write(path, name, var, encoding, options, Region())
    assert isinstance(write.array, NewArray)
    return write.array, write.values


def _unnamed_coordinates(ds: xr.Dataset, variables: Mapping[Any, xr.Variable], stored: Stored) -> list[str]:
    """Return the coordinates that no variable will name; stored variables keep their attributes."""
    texts = [
        stored.variables[name].attrs.get("coordinates") if name in stored.variables else var.attrs.get("coordinates")
        for name, var in variables.items()
    ]
    named = {word for text in texts if isinstance(text, str) for word in text.split()}
    return [str(name) for name in ds.coords if name not in ds.dims and name not in named and " " not in str(name)]


def check_dataset(ds: xr.Dataset) -> None:
    """Raise TypeError or ValueError for names that a stored variable cannot have, and for MultiIndexes."""
    _check_names(ds)
    for name, index in ds.xindexes.items():
        if isinstance(index, PandasMultiIndex):
            raise UnsupportedFormatError(
                f"variable {name!r} is a MultiIndex, which has no stored form",
                path=str(name),
                hint=f"make its levels plain coordinates with ds.reset_index({index.dim!r})",
            )


def _check_names(ds: xr.Dataset) -> None:
    for name in ds.variables:
        if name is None:
            continue
        if not isinstance(name, str):
            raise ArgumentTypeError(f"names of stored variables are strings: each is a string or None, found {name!r}")
        if not name or "/" in name or name.startswith(".z") or name in (".", ".."):
            hint = "" if name else ": the string must be length 1 or greater"
            raise ArgumentError(f"a variable cannot be stored under the name {name!r}{hint}")


# --- new arrays ------------------------------------------------------------------------------------------------------


def _new_write(
    path: str,
    name: str,
    var: xr.Variable,
    explicit: Mapping[str, Any] | None,
    options: Options,
    region: Region,
) -> VariableWrite:
    """Return the write of a variable to an array that is created for it in the group at `path`."""
    if options.mode == "r+":
        raise ArgumentError(f"variable {name!r} is not in the store, and mode 'r+' writes to stored variables only")
    var = var.copy(deep=False)
    if explicit is not None:
        _check_encoding(name, explicit)
        var.encoding = dict(explicit)
    elif _would_cut_text(var):
        del var.encoding["dtype"]
    encoded = with_dask_blocks(encode_new(name, var))
    shape = region.full_shape(encoded)
    grid = _grid(name, encoded, shape, explicit, options)
    array = _new_array(path, name, encoded, grid, options, shape, explicit=explicit is not None)
    empty = _writes_empty(name, options, encoded.encoding.get("write_empty_chunks"), explicit is not None)
    if grid.merges:
        options = replace(options, align="rechunk")
    return _checked_write(name, encoded, array, shape, options, empty, region)


def _new_array(
    path: str,
    name: str,
    encoded: xr.Variable,
    grid: Grid,
    options: Options,
    shape: tuple[int, ...],
    *,
    explicit: bool,
) -> NewArray:
    number = options.zarr_format
    created = array_options(name, encoded, explicit=explicit, zarr_format=number)
    if grid.shards is not None:
        created["shards"] = grid.shards
    if not options.has_fills:
        created["fill_value"] = None
    try:
        return new_array(
            f"{path}/{name}",
            shape=shape,
            chunks=grid.chunks,
            zarr_format=number,
            store_separator=options.separator,
            attributes=array_attributes(name, encoded, number, has_fills=options.has_fills),
            **created,
        )
    except MetadataError as error:
        error.path = name
        raise


def _grid(
    name: str, encoded: xr.Variable, shape: tuple[int, ...], explicit: Mapping[str, Any] | None, options: Options
) -> Grid:
    given = explicit or {}
    inherited = dict(encoded.encoding)
    if options.zarr_format != 3:
        inherited["shards"] = None
        if has_lists(inherited.get("chunks")):
            inherited["chunks"] = None
    is_whole = encoded.shape == shape  # a variable that is new in an append lacks the rows before it
    return choose_grid(
        name,
        encoded.dims,
        shape,
        blocks=encoded.chunks,
        explicit=given.get("chunks"),
        explicit_shards=given.get("shards"),
        inherited=inherited.get("chunks"),
        inherited_shards=inherited.get("shards"),
        align=options.align in ("rechunk", "strict"),
        safe=options.align != "never",
        keep=options.align == "keep" and is_whole,
    )


def _would_cut_text(var: xr.Variable) -> bool:
    """Return whether an inherited dtype would cut the text of the variable, as after joining datasets."""
    inherited = var.encoding.get("dtype")
    if inherited is None or var.dtype.kind not in "SU":
        return False
    dtype = np.dtype(inherited)
    return bool(dtype.kind == var.dtype.kind and dtype != "S1" and dtype.itemsize < var.dtype.itemsize)


def _writes_empty(name: str, options: Options, encoded: Any, explicit: bool) -> bool:
    wanted = options.write_empty_chunks
    if wanted is not None and explicit and encoded is not None and bool(encoded) != wanted:
        raise ArgumentError(
            f"write_empty_chunks={wanted} contradicts the encoding of variable {name!r}, which says {encoded}"
        )
    return bool(wanted if wanted is not None else encoded)


def blocks_of(values: xr.Variable) -> tuple[Blocks, ...]:
    """Return the lengths of the blocks of a variable; one that is in memory is a single block."""
    found: tuple[Blocks, ...] | None = values.chunks
    return tuple((n,) for n in values.shape) if found is None else found


def _checked_write(
    name: str,
    encoded: xr.Variable,
    array: Array | NewArray,
    shape: tuple[int, ...],
    options: Options,
    write_empty: bool,
    region: Region,
) -> VariableWrite:
    """Return the write after checking dask's blocks, or choosing blocks that fit."""
    unit, dims, origin = units_after(array, shape, blocks_of(encoded)), encoded.dims, region.origin(encoded.dims)
    is_part = bool(region.slices) and region.append_dim is None
    alone = shape if is_part and not options.keeps_parts else None
    if encoded.chunks is None:
        if alone is not None and options.align != "never":
            check_blocks(name, dims, tuple((n,) for n in encoded.shape), unit, starts=origin, lengths=alone)
        return VariableWrite(encoded, array, shape, origin, write_empty)
    blocks = None
    if options.align in ("auto", "rechunk", "keep"):
        blocks = fitting_blocks(encoded.chunks, unit, origin)
        if options.align in ("auto", "keep") and alone is not None:
            check_blocks(name, dims, blocks or encoded.chunks, unit, starts=origin, lengths=alone)
    elif options.align in ("raise", "strict"):
        lengths = shape if options.mode == "r+" else None
        check_blocks(name, dims, encoded.chunks, unit, starts=origin, lengths=lengths)
    return VariableWrite(encoded, array, shape, origin, write_empty, blocks)


# --- stored arrays ---------------------------------------------------------------------------------------------------


def _is_left_alone(var: xr.Variable, options: Options, region: Region) -> bool:
    """Return whether mode "a-" leaves a stored variable alone: it has not the dimension that grows."""
    return options.mode == "a-" and region.append_dim is not None and region.append_dim not in var.dims


def _stored_write(
    name: str,
    var: xr.Variable,
    members: Stored,
    explicit: Mapping[str, Any] | None,
    options: Options,
    region: Region,
) -> VariableWrite:
    """Return the write of a variable to its stored array, with values encoded like the stored ones."""
    if explicit is not None:
        raise ArgumentError(
            f"variable {name!r} is stored already and keeps its encoding (an append along one of its dimensions "
            "encodes it again if it is one chunk); leave it out of encoding=, or use mode='w'"
        )
    array, stored = members.arrays[name], members.variables[name]
    if set(var.dims) != set(stored.dims):
        raise ArgumentError(f"variable {name!r} has dimensions {var.dims}, but is stored with {stored.dims}")
    encoded = with_dask_blocks(encode_like_stored(name, var.transpose(*stored.dims), stored, array))
    shape = region.full_shape(encoded)
    if not _fits(array.shape, shape, stored.dims, region):
        raise ArgumentError(
            f"variable {name!r} has lengths {dict(zip(stored.dims, shape, strict=True))}, but is stored with "
            f"{dict(zip(stored.dims, array.shape, strict=True))}; append_dim= or region= write another part, and "
            "mode='w' replaces the store"
        )
    empty = bool(options.write_empty_chunks)
    return _checked_write(name, encoded, array, shape, options, empty, region)


def _fits(old: tuple[int, ...], new: tuple[int, ...], dims: tuple[Any, ...], region: Region) -> bool:
    """Return whether two shapes differ in the dimension that grows at most."""
    return all(a == b or dim == region.append_dim for a, b, dim in zip(old, new, dims, strict=True))


def _check_encoding(name: Any, explicit: Any) -> None:
    """Raise an error for an encoding of a variable that is no dict, or whose data type does not exist."""
    if not isinstance(explicit, Mapping):
        raise ArgumentError(  # the class and the words of xarray's writer
            f"encoding of variable {name!r} must be castable to a dict, such as {{'chunks': (10, 20)}}",
            found=repr(explicit),
        )
    dtype = explicit.get("dtype")
    if isinstance(dtype, str):
        try:
            np.dtype(dtype)
        except TypeError as error:
            raise ArgumentTypeError(
                f"encoding of variable {name!r} has a data type that does not exist",
                found=repr(dtype),
                hint="write it as numpy does, such as 'f4', 'int16' or 'datetime64[s]'",
            ) from error
