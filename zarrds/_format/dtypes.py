"""Data types: numpy dtype <-> the JSON of Zarr v2 documents, and what users may give for a dtype.

Responsible for everything a dtype can express: byte order, structures with sub-arrays and padding, date and time units.
Object dtypes that users give by a type or a name come with the object codec that makes them storable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from zarrds._base.types import JSON, Shape
from zarrds._format.jsondoc import Place
from zarrds._format.meta import CodecSpec
from zarrds.errors import (
    ArgumentError,
    ArgumentTypeError,
    DTypeNotSupportedError,
    MetadataError,
    UnsupportedFormatError,
)

__all__ = ["dtype_from_v2", "dtype_to_v2", "is_numpy_name", "normalize_dtype", "numpy_dtype", "split_subarray"]

DType: TypeAlias = np.dtype[Any]

_KINDS = frozenset("biufcSUVmMO")
_MICROSECONDS = re.compile("[\u00b5\u03bc]s")  # both characters that people type for micro
_PADDING = re.compile(r"\|V(\d+)")
_ARRAY_OF = "array:"
_NUMPY_REFUSALS = (TypeError, ValueError, OverflowError, SyntaxError)
_UNIT_HINT = 'name a unit, as in "M8[ns]"'


# --- document -> dtype ------------------------------------------------------------------------------------------------


def dtype_from_v2(document: JSON, where: str) -> tuple[DType, Shape]:
    """Return the data type of a Zarr v2 document, and the shape of its elements if they are sub-arrays (else empty).

    `where` is the key of the document, for the MetadataError that is raised if numpy has no such type.
    """
    place = Place(where).member("dtype")
    try:
        return split_subarray(_from_json(document, place))
    except RecursionError as error:
        raise place.error("data type", "a structure that is nested too deep") from error


def split_subarray(dtype: DType) -> tuple[DType, Shape]:
    """Return base dtype and sub-shape; arrays append the sub-shape to their shape and chunks."""
    return dtype.subdtype if dtype.subdtype is not None else (dtype, ())


def _from_json(document: JSON, place: Place) -> DType:
    if isinstance(document, list):
        return _structure(document, place)
    text = place.expect_text(document)
    try:
        dtype = np.dtype(_MICROSECONDS.sub("us", text))
    except _NUMPY_REFUSALS as error:
        wrong = place.error('numpy type string such as "<f8"', text)  # maybe a dtype of another library
        raise UnsupportedFormatError(
            wrong.message, key=wrong.key, expected=wrong.expected, found=wrong.found
        ) from error
    if _is_generic_time(dtype):
        raise place.error("date or time type with a unit", text, hint=_UNIT_HINT)
    if dtype.base.kind not in _KINDS:
        raise place.error("type that Zarr v2 has", text)
    return dtype


def _structure(items: list[JSON], place: Place) -> DType:
    """Return a structured dtype; unnamed bytes are padding, as numpy describes aligned structures."""
    if not items:
        raise place.error("at least one field", items)
    names, formats, offsets, offset = [], [], [], 0
    for index, item in enumerate(items):
        name, dtype, is_padding = _field(item, index, place.item(index))
        if not is_padding:
            names.append(name)
            formats.append(dtype)
            offsets.append(offset)
        offset += dtype.itemsize
    if not names and len(items) == 1:
        return np.dtype(f"V{offset}")  # numpy's description of plain bytes, in the experimental Zarr v3
    try:
        if len(names) == len(items):
            return np.dtype(list(zip(names, formats, strict=True)))
        return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": offset})
    except _NUMPY_REFUSALS as error:
        raise place.error(f"fields that numpy accepts ({error})", items) from error


def _field(item: JSON, index: int, place: Place) -> tuple[str, DType, bool]:
    """Return name and dtype of one field, and whether it is padding."""
    if not isinstance(item, list) or len(item) not in (2, 3):
        raise place.error("[name, dtype] or [name, dtype, shape]", item)
    name = place.item(0).expect_text(item[0])
    dtype = _from_json(item[1], place.item(1))
    if len(item) == 2:
        is_padding = not name and isinstance(item[1], str) and _PADDING.fullmatch(item[1]) is not None
        return name or f"f{index}", dtype, is_padding
    shape = place.item(2).expect_lengths(item[2])
    try:
        return name or f"f{index}", np.dtype((dtype, shape)), False
    except _NUMPY_REFUSALS as error:
        raise place.item(2).error("shape that numpy accepts", item[2]) from error


def _is_generic_time(dtype: DType) -> bool:
    base = dtype.base
    return base.kind in "mM" and np.datetime_data(base)[0] == "generic"


# --- dtype -> document ------------------------------------------------------------------------------------------------


def dtype_to_v2(dtype: DType) -> JSON:
    """Return the JSON of a dtype in Zarr v2 documents; raise TypeError or MetadataError if it has none."""
    if dtype.subdtype is not None:
        raise ArgumentTypeError(f"the shape of the sub-array dtype {dtype} belongs to the shape of the array")
    if dtype.names is not None:
        return _fields_to_json(dtype)
    if dtype.kind not in _KINDS or dtype.isbuiltin == 2:
        raise ArgumentTypeError(f"dtype {dtype} cannot be stored in Zarr v2")
    if _is_generic_time(dtype):
        raise MetadataError("date and time dtypes need a unit", found=dtype.str, hint=_UNIT_HINT)
    return dtype.str


def _fields_to_json(dtype: DType) -> list[JSON]:
    items: list[JSON] = []
    end = 0
    fields: Mapping[str, tuple[Any, ...]] = dtype.fields or {}
    for name in dtype.names or ():
        field, offset, *title = fields[name]
        if not name or title or offset < end:
            raise ArgumentTypeError(f"structured dtype {dtype} has fields that overlap, lack a name or bear a title")
        items += _padding(offset - end)
        base, shape = split_subarray(field)
        items.append([name, dtype_to_v2(base), list(shape)] if shape else [name, dtype_to_v2(base)])
        end = offset + field.itemsize
    if not items:
        raise ArgumentTypeError("a structured dtype needs at least one field")
    return items + _padding(dtype.itemsize - end)


def _padding(nbytes: int) -> list[JSON]:
    return [["", f"|V{nbytes}"]] if nbytes else []


# --- what users give --------------------------------------------------------------------------------------------------


def normalize_dtype(dtype: object) -> tuple[DType, CodecSpec | None]:
    """Return the data type for what a user gives, and the object codec that it implies.

    ``str`` and numpy's variable-width strings become objects with ``vlen-utf8``, ``bytes`` becomes objects with
    ``vlen-bytes``, ``"array:<i4"`` objects with ``vlen-array``. Anything else is passed to `numpy.dtype`; sub-array
    dtypes are left as they are, see `split_subarray`.
    """
    named = _VARIABLE_LENGTH.get(dtype) if isinstance(dtype, type | str) else None
    if named is not None:
        return np.dtype(object), CodecSpec.of(named)
    if isinstance(dtype, str) and dtype.startswith(_ARRAY_OF):
        item = _checked(numpy_dtype(dtype[len(_ARRAY_OF) :]))
        return np.dtype(object), CodecSpec.of("vlen-array", {"dtype": dtype_to_v2(item)})
    given = numpy_dtype(dtype)
    if given.kind == "T":
        return np.dtype(object), CodecSpec.of("vlen-utf8")
    return _checked(given), None


def is_numpy_name(name: str) -> bool:
    """Return whether numpy has a dtype of this name."""
    try:
        np.dtype(name)
    except _NUMPY_REFUSALS:
        return False
    return True


def numpy_dtype(dtype: Any) -> DType:
    """Return the numpy dtype for what a user gives; raise ArgumentTypeError or ArgumentError if there is none."""
    try:
        return np.dtype(_MICROSECONDS.sub("us", dtype) if isinstance(dtype, str) else dtype)
    except TypeError as error:
        raise ArgumentTypeError(f"dtype {dtype!r} is not known: {error}") from error
    except _NUMPY_REFUSALS as error:
        raise ArgumentError(f"dtype {dtype!r} is not valid: {error}") from error


_VARIABLE_LENGTH: dict[type | str, str] = {
    str: "vlen-utf8",
    "str": "vlen-utf8",
    bytes: "vlen-bytes",
    "bytes": "vlen-bytes",
}


@lru_cache(maxsize=256)
def _checked(dtype: DType) -> DType:
    """Return the dtype as a document would restore it: without numpy's metadata and other marks."""
    base, shape = split_subarray(dtype)
    stored, _ = dtype_from_v2(dtype_to_v2(base), "")
    if stored.itemsize == 0:
        hint = "or str for strings of any length" if base.kind == "U" else "or bytes for values of any length"
        raise DTypeNotSupportedError(f"dtype {dtype.str} has no length: give one, as in '{base.kind}10', {hint}")
    return np.dtype((stored, shape)) if shape else stored
