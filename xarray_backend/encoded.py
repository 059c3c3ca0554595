"""CF-encode the values of variables, and raise an error if the stored encoding would lose some.

Values in memory are checked at once, before anything is written. Values of dask arrays are checked in the task of each
block, before that block is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from xarray_backend import _compat
from xarray_backend.exact import Checked, cast_exactly, decoding_attrs, of_real_dtype
from xarray_backend.extension import loaded_objects, with_stored_dtype
from xarray_backend.lazy import dtype_in_memory
from xarray_backend.managers import mapped_blocks
from zarrds import Array
from zarrds.errors import EncodingError

__all__ = ["PACKING", "encode_like_stored", "encode_new", "kind_of"]

PACKING = ("units", "calendar", "scale_factor", "add_offset", "_Unsigned", "_FillValue", "missing_value")
"""Keys of the CF conventions that say how values are stored."""


def encode_new(name: str, var: xr.Variable) -> xr.Variable:
    """CF-encode the values of a new variable by its own encoding; raise EncodingError if that would lose some."""
    if not _holds_cftime(var):  # of these, dask arrays are encoded block by block
        var = with_stored_dtype(name, loaded_objects(var), _fill_of(var))
    var = _as_numbers_asked_for(name, var)
    with np.errstate(invalid="ignore", over="ignore"):  # the comparison reports values that do not fit
        encoded = _compat.encode_variable(var, name)
    # the attributes describe values that are encoded already, as with decode_cf=False
    done = {key: value for key, value in encoded.attrs.items() if key not in var.attrs}
    return _compared(var, encoded, Checked(name, decoding_attrs(done), encoded.dtype, rounding=True))


def _fill_of(var: xr.Variable) -> object:
    """Return the value that stands for missing ones, if the encoding or an attribute names one."""
    named = (var.encoding.get("_FillValue"), var.attrs.get("_FillValue"), var.encoding.get("missing_value"))
    return next((value for value in named if value is not None), None)


def _as_numbers_asked_for(name: str, var: xr.Variable) -> xr.Variable:
    """Convert numbers to the dtype of the encoding, if the encoding changes nothing else."""
    wanted = var.encoding.get("dtype")
    try:
        dtype = np.dtype(wanted)
    except TypeError:
        return var
    if wanted is None or not _is_plain(var, dtype):
        return var
    return _mapped(partial(cast_exactly, dtype=dtype, name=name, rounding=True), var, dtype)


def _is_plain(var: xr.Variable, dtype: np.dtype[Any]) -> bool:
    """Return whether numbers of another dtype are stored unchanged, without scaling or a fill value."""
    keys = {key for key in PACKING if var.encoding.get(key) is not None or var.attrs.get(key) is not None}
    if var.dtype == dtype or var.dtype.kind not in "iuf" or dtype.kind not in "iuf" or keys & {"_Unsigned"}:
        return False
    if keys & {"scale_factor", "add_offset"}:
        return False
    return not (keys & {"_FillValue", "missing_value"} and var.dtype.kind == "f" and dtype.kind in "iu")


def _compared(var: xr.Variable, encoded: xr.Variable, checked: Checked) -> xr.Variable:
    """Return the encoded variable; its values are compared with the original ones if the encoding could lose some."""
    scaled = any(key in ("scale_factor", "add_offset", "_Unsigned") for key, _ in checked.attrs)
    times = var.dtype.kind in "Mm" or _holds_cftime(var)
    if var.shape != encoded.shape or not (
        times or (var.dtype.kind in "iuf" and (scaled or var.dtype != encoded.dtype))
    ):
        return encoded
    if encoded.dtype.kind not in "iuf":
        return encoded
    if encoded.chunks is None:
        return encoded.copy(deep=False, data=checked(var.values, encoded.values))
    encoding = {key: value for key, value in checked.attrs if key in PACKING}
    encode = partial(_encode_block, promised=var.dtype, checked=checked, encoding={**encoding, "dtype": encoded.dtype})
    return encoded.copy(deep=False, data=_mapped(encode, var, encoded.dtype).data)


def _mapped(function: Callable[[Any], Any], var: xr.Variable, dtype: np.dtype[Any]) -> xr.Variable:
    """Apply a function to the values of a variable, block by block for chunked arrays."""
    if var.chunks is None:
        return var.copy(deep=False, data=function(var.values))
    return var.copy(deep=False, data=mapped_blocks(function, var.data, dtype))


# --- stored variables ------------------------------------------------------------------------------------------------


def encode_like_stored(name: str, var: xr.Variable, stored: xr.Variable, array: Array) -> xr.Variable:
    """Encode values like those of a stored variable; raise EncodingError if that would lose some.

    Values whose attributes include the units or scale factor of the stored variable count as encoded already.
    """
    decoded = _compat.decode_values(stored, name)
    encoding = dict(decoded.encoding)
    if not _holds_cftime(var):
        texts = "texts" in (kind_of(stored), kind_of(decoded)) and var.chunks is not None
        var = with_stored_dtype(name, var, encoding.get("_FillValue"), texts=texts)
    is_raw = _is_encoded_already(name, var, encoding)
    var = var.copy(deep=False)
    var.attrs = {key: value for key, value in var.attrs.items() if key not in (*PACKING, "coordinates", "grid_mapping")}
    if is_raw or array.dtype.kind in "Mm":
        var.encoding = {}
        _refuse_other_kinds(name, var, array, decoded if not is_raw else stored)
        return _converted(name, var, array)
    var = _without_objects(name, var, array)
    _refuse_other_kinds(name, var, array, decoded)
    var.encoding = {key: value for key, value in encoding.items() if key not in ("coordinates", "grid_mapping")}
    if array.dtype.kind in "SU":
        var.encoding.pop("dtype", None)  # xarray would silently cut longer text
    if _is_plain(var, array.dtype):
        var = _mapped(partial(cast_exactly, dtype=array.dtype, name=name), var, array.dtype)
    elif array.dtype.kind in "iuf" and (_packed(var) or kind_of(var) in ("times", "durations")):
        checked = Checked(name, decoding_attrs(stored.attrs), array.dtype)
        encode = partial(_encode_block, promised=var.dtype, checked=checked, encoding=var.encoding)
        return _mapped(encode, var, array.dtype)
    return _converted(name, _compat.encode_variable(var, name), array)


def _packed(var: xr.Variable) -> bool:
    """Return whether encoding scales numbers, or uses some for missing values."""
    keys = ("scale_factor", "add_offset", "_Unsigned", "_FillValue", "missing_value")
    return var.dtype.kind in "iuf" and any(var.encoding.get(key) is not None for key in keys)


def _encode_block(values: Any, promised: np.dtype[Any], checked: Checked, encoding: Mapping[str, Any]) -> Any:
    """Encode one block like the stored values; raise EncodingError if that would lose some."""
    values = cast_exactly(values, promised, checked.name)
    if not checked.rounding:
        values = checked.times(values)
    block = xr.Variable(tuple(f"d{n}" for n in range(values.ndim)), values, {}, encoding)
    if not values.size:
        return np.empty(values.shape, checked.dtype)
    with np.errstate(invalid="ignore", over="ignore"):  # the comparison reports values that do not fit
        encoded = _compat.encode_variable(block, checked.name).values
    return checked(values, encoded)


def _without_objects(name: str, var: xr.Variable, array: Array) -> xr.Variable:
    """Convert object arrays to the dtype that numpy finds for them, unless objects are stored."""
    if array.dtype.hasobject or kind_of(var) != "objects" or var.chunks is not None:
        return var
    return var.copy(deep=False, data=of_real_dtype(var.values, array.dtype, name))


def _is_encoded_already(name: str, var: xr.Variable, encoding: Mapping[str, Any]) -> bool:
    """Return whether a variable is encoded already: its attributes are those by which the stored one is decoded."""
    packing = {key: encoding[key] for key in PACKING if encoding.get(key) is not None}
    carried = {key: var.attrs[key] for key in packing if key in var.attrs}
    essential = {"units", "scale_factor", "add_offset"} & set(packing)
    wrong = [key for key in carried if not _equal(carried[key], packing[key])]
    if carried.keys() & essential:
        wrong += sorted(essential - set(carried))
    if wrong:
        key = wrong[0]
        raise EncodingError(
            f"variable {name!r} is encoded in another way than the stored one",
            path=name,
            expected=f"{key} {packing[key]!r}",
            found=f"attribute {key} {var.attrs.get(key)!r}",
            hint="decode it first: xarray.decode_cf(ds), or open it without decode_cf=False",
        )
    return bool(essential) and essential <= set(carried)


def _equal(one: Any, other: Any) -> bool:
    return bool(np.all(np.asarray(one == other) | (np.asarray(one != one) & np.asarray(other != other))))


def _refuse_other_kinds(name: str, var: xr.Variable, array: Array, stored: xr.Variable) -> None:
    """Raise EncodingError for values of another kind than the stored ones: times for numbers, text for times, ...."""
    # older versions of xarray drop the mark of texts when they decode; the array has it
    holds_text = _compat.is_vlen_text(dtype_in_memory(array))
    new, old = kind_of(var), "texts" if holds_text else kind_of(stored)
    if new == old or (new, old) in _TAKEN or (old == "texts" and array.dtype.hasobject and new == "objects"):
        return
    units = stored.encoding.get("units", stored.attrs.get("units"))
    raise EncodingError(
        f"variable {name!r} has {new}, but {old} are stored",
        path=name,
        expected=f"{old}, stored as {array.dtype}" + (f" with units {units!r}" if units else ""),
        found=f"{var.dtype}" + (f" with units {var.attrs['units']!r}" if "units" in var.attrs else ""),
        hint="convert the values, or write the variable to a new place or with mode='w'",
    )


_TAKEN = {("booleans", "numbers"), ("booleans", "complex numbers"), ("numbers", "complex numbers")}


def kind_of(var: xr.Variable) -> str:
    """Return what the values of a variable are, in a word of the error messages: times, numbers, texts, ...."""
    kind = var.dtype.kind
    if kind == "M" or _holds_cftime(var):
        return "times"
    if kind == "O" and not _compat.is_vlen_text(var.dtype):
        return "objects"
    if kind in "OTUS":
        return "texts"
    return {"m": "durations", "b": "booleans", "c": "complex numbers", "V": "structures"}.get(kind, "numbers")


def _holds_cftime(var: xr.Variable) -> bool:
    """Return whether objects are dates of other calendars; only the first one is looked at."""
    if var.dtype != object or not var.size:
        return False
    first = var[(0,) * var.ndim].values.item()
    return type(first).__module__.startswith("cftime")


def _converted(name: str, encoded: xr.Variable, array: Array) -> xr.Variable:
    """Return the encoded values in the stored dtype; raise EncodingError if its kind cannot represent them."""
    new, old = encoded.dtype, array.dtype
    text = _compat.is_vlen_text(new)
    if old.hasobject:
        fits = new.kind == "U" or text or (new.kind == "O" and not _compat.is_vlen_text(old))
    elif old.kind == "U":
        fits = new.kind == "U" or text
    else:
        fits = not text and (new.kind == old.kind or (new.kind not in "SU" and np.can_cast(new, old, "same_kind")))
    if not fits:
        raise EncodingError(
            f"variable {name!r} is encoded as {new}, but is stored as {old}, which cannot hold it",
            path=name,
            expected=f"values of {old}",
            found=f"values of {new}",
            hint="convert it with astype, or replace the store with mode='w'",
        )
    if new == old or old.hasobject or old.kind not in "iufcSUMm":
        return encoded
    return _mapped(partial(cast_exactly, dtype=old, name=name), encoded, old)
