"""Encode a small stored variable again by request, so that values can be appended that its old encoding cannot express.

The values stay the same: first the stored array is replaced by one in the new encoding, then the append is done as any
other. All is tried in memory before, so that nothing changes if the new values do not fit the new encoding either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import xarray as xr

from xarray_backend import _compat
from xarray_backend.chunks import block_borders
from xarray_backend.encoded import PACKING, encode_new, kind_of
from xarray_backend.encoding import ARRAY_KEYS
from xarray_backend.plan import Options, planned_new
from xarray_backend.reader import stored_variable
from xarray_backend.region import Region
from xarray_backend.stored import Stored
from zarrds import Array
from zarrds.creation import NewArray
from zarrds.errors import ArgumentError, ConflictError, NotSupportedError
from zarrds.parallel import replace_at_once, replacing, settle, without_consolidated
from zarrds.storage import MemoryStore, Store

__all__ = ["Recoded", "recoded_variables", "replace_recoded", "with_recoded"]


@dataclass(frozen=True, slots=True)
class Recoded:
    """A stored variable in another encoding.

    Attributes
    ----------
    name : str
        Name of the variable.
    array : NewArray
        The array that takes the place of the stored one.
    values : numpy.ndarray
        Its encoded values.
    old : xarray.Variable
        The stored variable as it was read, not decoded.
    """

    name: str
    array: NewArray
    values: np.ndarray[Any, Any]
    old: xr.Variable

    def create(self, store: Store, path: str) -> Array:
        """Write the array with its values to a place that nobody reads yet."""
        store.set_many(replace(self.array, path=path).documents())
        made = Array(store, path)
        made[...] = self.values
        return made


_CODECS = frozenset(["compressor", "compressors", "filters", "serializer"])


def recoded_variables(
    ds: xr.Dataset,
    path: str,
    stored: Stored,
    encoding: Mapping[Any, Mapping[str, Any]],
    options: Options,
    region: Region,
) -> list[Recoded]:
    """Return the stored variables that an append encodes again; raise ArgumentError for one of several chunks.

    Variables without elements are not among them: they are created again.
    """
    dim = region.append_dim
    return [
        _recoded(name, path, ds.variables[name], given, stored, options, dim)
        for name, given in encoding.items()
        if dim is not None and name in ds.variables and name in stored.variables
        if stored.arrays[name].size and dim in stored.variables[name].dims and dim in ds.variables[name].dims
    ]


def with_recoded(stored: Stored, recoded: Sequence[Recoded]) -> Stored:
    """Return the stored members as they will be when variables are encoded again; these are in memory."""
    arrays = {one.name: one.create(MemoryStore(), one.array.path) for one in recoded}
    variables = {name: stored_variable(name, array) for name, array in arrays.items()}
    return replace(stored, arrays={**stored.arrays, **arrays}, variables={**stored.variables, **variables})


def replace_recoded(target: Store, recoded: Sequence[Recoded], synchronizer: Any) -> None:
    """Put variables in the place of the stored ones: readers find the old one or the new one, with equal values.

    Consolidated metadata would give the old encoding to the new chunk, and are away meanwhile.
    """
    for one in recoded:
        path = one.array.path
        settle([Array(target, path)])
        if not _is_still(one.old, stored_variable(one.name, Array(target, path)).load()):
            raise ConflictError(
                f"another writer changed variable {one.name!r} while it was encoded again",
                store=repr(target),
                path=path,
                hint="nothing has been appended: repeat it",
            )
        with without_consolidated(target, path):
            if not _replaced(target, one, synchronizer):
                raise NotSupportedError(
                    f"the store cannot exchange variable {one.name!r} in one step, so it keeps its encoding",
                    store=repr(target),
                    path=path,
                    hint="leave it out of encoding=, or write the dataset again with mode='replace'",
                )


def _is_still(old: xr.Variable, now: xr.Variable) -> bool:
    return bool(now.identical(old))  # type: ignore[no-untyped-call]


def _replaced(target: Store, one: Recoded, synchronizer: Any) -> bool:
    """Put a variable in the place of the stored one in one step; return False if the store cannot do so."""
    path = one.array.path
    if target.keeps_documents:
        memory = MemoryStore()
        one.create(memory, path)
        return replace_at_once(target, path, list(memory.items()), synchronizer)
    staging = target.staging(path)
    if staging is None:
        return False
    staging.discard()
    with replacing(target, path, synchronizer) as (beside, hidden):
        one.create(beside, hidden)
    return True


def _recoded(
    name: str,
    path: str,
    var: xr.Variable,
    given: Mapping[str, Any],
    stored: Stored,
    options: Options,
    dim: Any,
) -> Recoded:
    array = stored.arrays[name]
    _expect_one_unit(name, array)
    if set(given) <= _CODECS:
        raise ArgumentError(
            f"variable {name!r} is stored already and keeps its codecs: an append encodes a variable again for values "
            "that its units, dtype or packing cannot express; leave it out of encoding=, or use mode='replace'"
        )
    raw = stored.variables[name].copy(deep=False).load()
    old = _compat.decode_values(raw.copy(deep=False), name).load()
    kept = {key: raw.attrs[key] for key in ("coordinates", "grid_mapping") if key in raw.attrs}
    old.attrs = {**old.attrs, **kept}
    encoding = _requested(old, given)
    if not options.has_fills and "compressors" not in given:
        encoding.pop("compressors", None)  # codecs of N5 are made for one shape and dtype of chunks
    sample = _joined(old, var, dim)
    sample.encoding = dict(encoding)
    encoded = encode_new(name, sample)  # units and the like that are not given are chosen for all values
    encoding |= {key: encoded.attrs[key] for key in PACKING if key in encoded.attrs and key not in sample.attrs}
    if encoded.dtype.kind in "iufcb":
        encoding["dtype"] = encoded.dtype
    if encoded.dtype != array.dtype:
        for key in {"filters", "serializer", "fill_value"} - set(given):
            encoding.pop(key, None)
    new, encoded = planned_new(name, path, old, encoding, options)
    return Recoded(name, new, encoded.to_numpy(), raw)


def _expect_one_unit(name: str, array: Array) -> None:
    unit = array.shards or array.chunks
    count = prod(len(block_borders(n, size)) - 1 for n, size in zip(array.shape, unit, strict=True))
    if count > 1:
        raise ArgumentError(
            f"variable {name!r} is stored in {count} {'shards' if array.shards else 'chunks'} and keeps its encoding: "
            "an append can encode only variables of one chunk again; leave it out of encoding=, or use mode='replace'"
        )


def _requested(old: xr.Variable, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the encoding asked for, with chunks and codecs of the stored one where none are given.

    The stored units, scale factor and the like stay only if nothing of their kind is given.
    """
    ignored = {"preferred_chunks", "coordinates", "grid_mapping", "source", "original_shape"}
    if {"compressor", "compressors"} & set(given):
        ignored |= {"compressor", "compressors"}
    if set(given) - ARRAY_KEYS:
        ignored |= set(old.encoding) - ARRAY_KEYS
    return {**{key: value for key, value in old.encoding.items() if key not in ignored}, **given}


def _joined(old: xr.Variable, var: xr.Variable, dim: Any) -> xr.Variable:
    """Return stored and new values in one; only stored ones if the new ones are lazy, encoded or of another kind."""
    alike = set(var.dims) == set(old.dims) and kind_of(var) == kind_of(old)
    if var.chunks is not None or not alike or set(PACKING) & set(var.attrs):
        return old.copy(deep=False)
    plain = xr.Variable(var.dims, var.values).transpose(*old.dims)
    joined: xr.Variable = xr.Variable.concat([xr.Variable(old.dims, old.values), plain], dim)  # type: ignore[no-untyped-call]
    joined.attrs = dict(old.attrs)
    return joined
