"""Combine the variables of many stores: along one dimension, or one of several that are equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xarray_backend._compat import decode_values, indexing, stored_data
from xarray_backend.joined import DecodedPart, FillPart, JoinedArray, Part, StepArray
from xarray_backend.lazy import ZarrdsArrayWrapper
from xarray_backend.opening import Opened
from zarrds import Array
from zarrds.errors import ArgumentError
from zarrds.parallel import loaded

__all__ = ["combined_variables"]

Stored = tuple[Array, xr.Variable]

ENCODED_BY = (
    "_FillValue", "missing_value", "scale_factor", "add_offset", "units", "calendar", "dtype", "_Unsigned", "_Encoding",
    "flag_values",
)  # fmt: skip
"""Attributes that say how values are encoded."""

DECODED_LATER = ("coordinates", "grid_mapping", "bounds")
"""Attributes that name other variables: xarray decodes them for the whole dataset."""

COMPARED_AT_ONCE = 64
"""Stores whose variables are in memory at the same moment while they are compared."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """One variable in all stores: None where a store does not have it."""

    name: str
    stored: list[Stored | None]
    owners: list[str]

    @property
    def first(self) -> Stored:
        return next(one for one in self.stored if one is not None)

    @property
    def lacking(self) -> list[str]:
        return [owner for owner, one in zip(self.owners, self.stored, strict=True) if one is None]


def combined_variables(
    opened: Sequence[Opened],
    members: Sequence[Mapping[str, Stored]],
    dim: str,
    *,
    missing: str,
    lengths: Sequence[int | None],
    compat: str,
) -> dict[str, xr.Variable]:
    """Return the variables of a dataset that consists of all stores; lazy, as they are stored.

    Parameters
    ----------
    opened : sequence of Opened
        The stores.
    members : sequence of mapping
        For each store its arrays and variables, by name.
    dim : str
        Dimension along which the stores follow each other; if no variable has it, each store is one step along it.
    missing : {"raise", "fill", "skip"}
        What is done with a variable that a store does not have.
    lengths : sequence of (int or None)
        Lengths along `dim` of stores that are not there, if they are known.
    compat : {"equals", "override"}
        Whether variables without `dim` are compared.

    Raises
    ------
    ArgumentError
        The variables of the stores do not fit together.
    """
    note = ""
    if not any(dim in var.dims for own in members for _, var in own.values()):
        members = _as_steps(opened, members, dim)
        note = f"; {dim!r} is not a dimension of any variable, so that each store is one step along it"
        if any(length not in (None, 1) for length in lengths):
            raise ArgumentError(f"lengths must be 1: each store is one step along {dim!r}", found=list(lengths))
    owners = [one.name for one in opened]
    names = dict.fromkeys(name for own in members for name in own)
    parts = [_Parts(name, [own.get(name) for own in members], owners) for name in names]
    along = [one for one in parts if any(stored is not None and dim in stored[1].dims for stored in one.stored)]
    counts = _lengths_along(opened, members, dim, lengths)
    found: dict[str, xr.Variable] = {}
    for one in parts:
        if one not in along:
            found[one.name] = _the_same(one, compat, note)
        elif not one.lacking or missing == "fill":
            _check_alike(one, dim, note)
            found[one.name] = _joined(one, dim, counts)
        elif missing == "raise":
            raise ArgumentError(
                f"variable {one.name!r} is not in all stores: {len(one.lacking)} of {len(owners)} lack it, the first "
                f"is {one.lacking[0]}",
                hint="missing='fill' puts missing data there, missing='skip' leaves the variable out",
            )
    return found


def _lengths_along(
    opened: Sequence[Opened], members: Sequence[Mapping[str, Stored]], dim: str, given: Sequence[int | None]
) -> list[int]:
    """Return the length of each store along the dimension."""
    known: list[int | None] = []
    for own, one in zip(members, opened, strict=True):
        sizes = {var.sizes[dim]: name for name, (_, var) in own.items() if dim in var.dims}
        if len(sizes) > 1:
            raise ArgumentError(f"variables of {one.name} have different lengths along {dim!r}: {sizes}")
        known.append(next(iter(sizes), None))
    present = [n for n in known if n is not None]
    usual = {n for n in known[:-1] if n is not None} or set(present)
    guess = next(iter(usual)) if len(usual) == 1 else None
    found = []
    for length, asked, one in zip(known, given, opened, strict=True):
        count = next((n for n in (length, asked, guess) if n is not None), None)
        if count is None:
            raise ArgumentError(
                f"the length of {one.name} along {dim!r} is not known, and the others have several",
                found=sorted(usual),
                hint="name it with lengths=",
            )
        found.append(int(count))
    return found


def _check_alike(parts: _Parts, dim: str, note: str) -> None:
    """Raise ArgumentError if the dimensions differ, or lengths of others than the one along which they are joined."""
    _, first = parts.first
    expected = {d: n for d, n in first.sizes.items() if d != dim}
    for owner, one in zip(parts.owners, parts.stored, strict=True):
        if one is None:
            continue
        var = one[1]
        if var.dims != first.dims or {d: n for d, n in var.sizes.items() if d != dim} != expected:
            raise ArgumentError(
                f"variable {parts.name!r} of {owner} does not fit those of the other stores",
                expected=dict(first.sizes),
                found=dict(var.sizes),
                hint=f"only lengths along {dim!r} may differ{note}",
            )


# --- a new dimension ------------------------------------------------------------------------------------------------

BELONGING = ("grid_mapping", "bounds", "cell_measures")
"""Attributes of variables that name others, which say where values are: they are the same in all stores."""


def _as_steps(opened: Sequence[Opened], members: Sequence[Mapping[str, Stored]], dim: str) -> list[dict[str, Stored]]:
    """Return the variables of stores of which each is one step along a new dimension.

    Data variables, and coordinates without dimensions, get the new dimension in front of theirs. Coordinates with
    dimensions, and what attributes such as ``grid_mapping`` and ``bounds`` name, stay: they belong to all steps.
    """
    every = [(name, var) for own in members for name, (_, var) in own.items()]
    if any(name == dim and var.ndim for name, var in every):
        raise ArgumentError(
            f"dim {dim!r} is not a dimension, but the name of a variable that has dimensions",
            hint="pass another name for the new dimension",
        )
    coordinates = {name for one in opened for name in _named(one.attrs, "coordinates")}
    belonging: set[str] = {str(d) for _, var in every for d in var.dims}
    for _, var in every:
        if var.ndim:  # what belongs to a scalar, such as the bounds of a time, is a value of its step
            coordinates |= _named(var.attrs, "coordinates")
            belonging |= {name for key in BELONGING for name in _named(var.attrs, key)}
    stay = {name for name, var in every if name in belonging or (name in coordinates and var.ndim)}
    if all(name in stay for name, _ in every):
        raise ArgumentError(f"dim {dim!r} is not a dimension of any variable; there are {sorted(stay)}")
    return [{name: one if name in stay else _as_step(one, dim) for name, one in own.items()} for own in members]


def _named(attrs: Mapping[str, Any], key: str) -> set[str]:
    """Return the names of variables in an attribute such as ``"lon lat"`` or ``"area: cell_area"``."""
    value = attrs.get(key)
    return {name.rstrip(":") for name in value.split()} if isinstance(value, str) else set()


def _as_step(stored: Stored, dim: str) -> Stored:
    """Return a stored variable with a new first dimension of length 1."""
    array, var = stored
    encoding = dict(var.encoding)
    encoding["preferred_chunks"] = {dim: 1, **encoding["preferred_chunks"]}
    for key in ("chunks", "shards"):
        encoding[key] = None if encoding[key] is None else (1, *encoding[key])
    # a transposition names dimensions by their numbers
    encoding["filters"] = tuple(one for one in encoding["filters"] if getattr(one, "name", "") != "transpose")
    data = indexing.LazilyIndexedArray(StepArray(stored_data(var)))
    return array, xr.Variable((dim, *var.dims), data, var.attrs, encoding)


# --- variables with the dimension -----------------------------------------------------------------------------------


def _joined(parts: _Parts, dim: str, counts: Sequence[int]) -> xr.Variable:
    """Return the concatenated variable. It is lazy, unless it is the coordinate along `dim`, which is read now."""
    array, first = parts.first
    axis = first.dims.index(dim)
    stored = [one for one in parts.stored if one is not None]
    decoded = len({_encoded_by(*one) for one in stored}) > 1 or (bool(parts.lacking) and not _has_fill(first))
    if parts.name == dim and first.ndim == 1:
        return _index(parts, counts, decoded=decoded)
    if decoded:
        variables = [None if one is None else decode_values(one[1], parts.name) for one in parts.stored]
        like = next(var for var in variables if var is not None)
        dtype = _common_dtype([var.dtype for var in variables if var is not None], parts.name)
    else:
        variables, like, dtype = [None if one is None else one[1] for one in parts.stored], first, first.dtype
    fill = _fill(like, array, dtype)
    pieces: list[Part] = []
    for one, var, count in zip(parts.stored, variables, counts, strict=True):
        shape = (*first.shape[:axis], count, *first.shape[axis + 1 :])
        if one is None or var is None:
            pieces.append(FillPart(shape, fill, dtype))
            continue
        wrapper = stored_data(one[1])
        pieces.append(DecodedPart(var, wrapper, dtype) if decoded else wrapper)
    encoding = _encoding(first, dim, [_blocks(one, dim, n) for one, n in zip(parts.stored, counts, strict=True)])
    attrs = {**like.attrs, **{key: first.attrs[key] for key in DECODED_LATER if key in first.attrs}}
    return xr.Variable(first.dims, indexing.LazilyIndexedArray(JoinedArray(pieces, axis, dtype)), attrs, encoding)


def _encoded_by(array: Array, var: xr.Variable) -> str:
    return repr([(key, var.attrs[key]) for key in ENCODED_BY if key in var.attrs] + [str(var.dtype)])


def _has_fill(var: xr.Variable) -> bool:
    return "_FillValue" in var.attrs or (var.dtype.kind in "fc" and "scale_factor" not in var.attrs)


def _fill(var: xr.Variable, array: Array, dtype: np.dtype[Any]) -> Any:
    """Return the value for what is missing in a variable."""
    if "_FillValue" in var.attrs:
        return var.attrs["_FillValue"]
    if dtype.kind in "fc":
        return np.nan
    if dtype.kind in "mM":
        return np.array("NaT", dtype=dtype)[()]
    if dtype.kind in "TOUS":
        return b"" if dtype.kind == "S" else ""
    return 0 if array.fill_value is None else array.fill_value


def _common_dtype(dtypes: Sequence[np.dtype[Any]], name: str) -> np.dtype[Any]:
    distinct = list(dict.fromkeys(dtypes))
    try:
        return distinct[0] if len(distinct) == 1 else np.result_type(*distinct)
    except TypeError as error:
        raise ArgumentError(
            f"the data types of variable {name!r} have nothing in common", found=[str(dtype) for dtype in distinct]
        ) from error


def _blocks(stored: Stored | None, dim: str, count: int) -> tuple[int, ...]:
    """Return the lengths of the blocks of one store along the dimension; one block for a store that is not there."""
    preferred = count if stored is None else stored[1].encoding["preferred_chunks"][dim]
    if isinstance(preferred, tuple):
        return tuple(length for length in preferred if length)
    length = min(preferred, max(count, 1))
    full, rest = divmod(count, length) if length else (0, 0)
    return (length,) * full + ((rest,) if rest else ())


def _encoding(first: xr.Variable, dim: str, blocks: Sequence[tuple[int, ...]]) -> dict[str, Any]:
    preferred = {**first.encoding["preferred_chunks"], dim: tuple(n for own in blocks for n in own)}
    return {**first.encoding, "preferred_chunks": preferred}


# --- the index along the dimension ----------------------------------------------------------------------------------


def _index(parts: _Parts, counts: Sequence[int], *, decoded: bool) -> xr.Variable:
    """Return the coordinate along the dimension in memory; all stores are read in one batch."""
    array, first = parts.first
    in_memory = iter(loaded([one[0] for one in parts.stored if one is not None]))
    pieces: list[Any] = []
    for one in parts.stored:
        if one is None:
            pieces.append(None)
            continue
        copy = ZarrdsArrayWrapper(next(in_memory))
        whole = copy[indexing.BasicIndexer((slice(None),) * len(copy.shape))]  # of a scalar, if each store is a step
        var = one[1].copy(data=np.reshape(whole, one[1].shape))
        pieces.append(decode_values(var, parts.name) if decoded else var)
    like = next(piece for piece in pieces if piece is not None)
    dtype = _common_dtype([piece.dtype for piece in pieces if piece is not None], parts.name)
    values = np.empty(sum(counts), dtype=dtype)
    there = np.zeros(values.shape, dtype=bool)
    start = 0
    for piece, count in zip(pieces, counts, strict=True):
        if piece is not None:
            values[start : start + count] = piece.to_numpy()
            there[start : start + count] = True
        start += count
    if not there.all():
        values[~there] = _evenly(values, there, parts.name)
    # chunks of one element each, of stores that are one step each, are not those of all
    left_out = {"preferred_chunks"} if array.ndim else {"preferred_chunks", "chunks", "shards"}
    every = {**first.encoding, **like.encoding} if decoded else first.encoding
    encoding = {key: value for key, value in every.items() if key not in left_out}
    if len({one[1].attrs.get("units") for one in parts.stored if one is not None}) > 1:
        encoding.pop("units", None)  # "days since" the first of all may not express the times of the others
    return xr.Variable(first.dims, values, like.attrs, encoding)


def _evenly(values: np.ndarray[Any, Any], there: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, Any]:
    """Return the coordinates of stores that are not there, if those of the others are evenly spaced."""
    known = np.flatnonzero(there)
    if values.dtype.kind in "iuMmf" and known.size > 1:
        step = (values[known[-1]] - values[known[0]]) / (known[-1] - known[0])
        if values.dtype.kind in "iu":
            step = values.dtype.type(step)
        offsets = np.arange(values.size) - known[0]
        expected = values[known[0]] + offsets * step
        if np.array_equal(expected[there], values[there]):
            return expected[~there].astype(values.dtype)  # type: ignore[no-any-return]
    raise ArgumentError(
        f"the values of coordinate {name!r} for stores that are not there are not known: the others are not evenly "
        "spaced",
        hint=f"drop_variables={name!r} leaves the coordinate out",
    )


# --- variables without the dimension --------------------------------------------------------------------------------


def _the_same(parts: _Parts, compat: str, note: str) -> xr.Variable:
    """Return the variable of the first store that has it, if it is the same in all others that have it."""
    _, first = parts.first
    there = [(owner, one) for owner, one in zip(parts.owners, parts.stored, strict=True) if one is not None]
    if compat == "override" or len(there) == 1:
        return first
    known: tuple[Array, xr.Variable | None] = (loaded([there[0][1][0]])[0], None)
    for start in range(1, len(there), COMPARED_AT_ONCE):
        some = there[start : start + COMPARED_AT_ONCE]
        for (owner, (array, var)), copy in zip(some, loaded([one[0] for _, one in some]), strict=True):
            if _are_the_same_bytes(known[0], copy) and _encoded_by(array, var) == _encoded_by(*parts.first):
                continue
            known = (known[0], known[1] if known[1] is not None else _decoded(parts.name, first, known[0]))
            if known[1] is None or not known[1].equals(_decoded(parts.name, var, copy)):  # type: ignore[no-untyped-call]
                raise ArgumentError(
                    f"variable {parts.name!r} does not have the dimension along which stores are concatenated, "
                    f"and is not the same in {owner} as in {there[0][0]}",
                    hint=f"compat='override' takes that of the first store{note}",
                )
    return first


def _are_the_same_bytes(one: Array, other: Array) -> bool:
    if (one.shape, one.dtype, one.chunks, one.shards, one.zarr_format) != (
        other.shape, other.dtype, other.chunks, other.shards, other.zarr_format
    ):  # fmt: skip
        return False
    if str(one.compressors) != str(other.compressors) or str(one.filters) != str(other.filters):
        return False
    first, second = dict(one.chunk_store), dict(other.chunk_store)
    return repr(one.fill_value) == repr(other.fill_value) and {k: bytes(v) for k, v in first.items()} == {
        k: bytes(v) for k, v in second.items()
    }


def _decoded(name: str, var: xr.Variable, copy: Array) -> xr.Variable:
    key = indexing.BasicIndexer((slice(None),) * var.ndim)
    return decode_values(var.copy(data=ZarrdsArrayWrapper(copy)[key]), name).load()
