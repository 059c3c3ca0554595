"""Data types of Zarr v3 <-> numpy dtypes in the machine's byte order.

A `DataType` keeps the name beside the dtype, because the name decides how a fill value is written. Types that numpy has
only with `ml_dtypes` are available if that is installed.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from zarrds._base.types import JSON
from zarrds._format.dtypes import is_numpy_name, normalize_dtype, numpy_dtype
from zarrds._format.jsondoc import Place
from zarrds._format.meta import CodecSpec
from zarrds._format.v3.complex_parts import BROUGHT_TYPE, SMALL_PARTS, part_of, parts_codec
from zarrds._format.v3.extension import Extension, extension_to_json, parse_extension
from zarrds.errors import ArgumentTypeError, MetadataError, UnsupportedFormatError

__all__ = [
    "ML_NAMES",
    "DataType",
    "data_type_codec",
    "dtype_to_v3",
    "integer_limits",
    "legacy_data_type",
    "ml_dtype",
    "normalize_dtype_v3",
    "parse_data_type",
    "set_type_finder",
]

DType = np.dtype[Any]

_PLAIN = frozenset(
    [
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
    ]
)
ML_NAMES = frozenset(
    [
        *("bfloat16", "int2", "int4", "uint2", "uint4", "float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn"),
        *("float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz", "float8_e4m3fn", "float8_e4m3fnuz"),
        *("float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
    ]
)
"""Names of data types that have the same name in `ml_dtypes`."""

_RAW_BITS = re.compile(r"r([1-9][0-9]{0,18})")
_UNITS = frozenset(["generic", "Y", "M", "W", "D", "h", "m", "s", "ms", "us", "μs", "ns", "ps", "fs", "as"])
_MAX_ITEMSIZE = 2**26  # larger ones are mistakes, or attacks: memory is needed to hold the fill value
_MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class DataType:
    """A data type of a document.

    Attributes
    ----------
    name : str
        Its name, aliases resolved.
    dtype : numpy.dtype
        Dtype of its elements in memory.
    fields : tuple of (str, DataType)
        Fields of a structure.
    brought : V3DataType or None
        The data type, if a user or a package brings it.
    codec : CodecSpec or None
        The codec that converts elements between memory and storage, if numpy has no such data type.
    """

    name: str
    dtype: DType
    fields: tuple[tuple[str, DataType], ...] = ()
    brought: Any = None
    codec: CodecSpec | None = None


# --- document -> dtype ------------------------------------------------------------------------------------------------


def parse_data_type(value: JSON, place: Place, depth: int = 0) -> DataType:
    """Return the data type for the JSON value at `place`."""
    found = parse_extension(value, place)
    if not found.must_understand:
        raise place.error('no "must_understand", as data types cannot be ignored', value)
    if depth > _MAX_DEPTH:
        raise place.error("data type", "a structure that is nested too deep")
    reader = _READERS.get(found.name)
    if reader is not None:
        return reader(found, place.member("configuration"), depth)
    bits = _RAW_BITS.fullmatch(found.name)
    if bits is not None:
        return _raw_bits(int(bits[1]), found, place)
    make = _find(found.name)
    if make is not None:
        return _brought(make, found, place, depth)
    raise UnsupportedFormatError(
        f"{place.name} is a data type that zarrds does not know", key=place.key or None, found=repr(found.name)
    )


def _no_type(name: str) -> Callable[[dict[str, Any]], Any] | None:
    return None


_find: Callable[[str], Callable[[dict[str, Any]], Any] | None] = _no_type


def set_type_finder(find: Callable[[str], Callable[[dict[str, Any]], Any] | None]) -> None:
    """Set the function that returns what makes a data type, of its configuration; None for a name that nobody knows."""
    global _find
    _find = find


def _brought(make: Callable[[dict[str, Any]], Any], found: Extension, place: Place, depth: int) -> DataType:
    """Return a data type that a user or a package brings."""
    if depth:
        raise place.error("a type that numpy has, as every field of a structure must be", found.name)
    try:
        made = make(dict(found.configuration))
        dtype = np.dtype(made.dtype)
    except Exception as error:  # whatever its package raises
        raise MetadataError(
            f"{place.name} is not a configuration of this data type: {error}",
            key=place.key or None,
            found=repr(found.configuration),
        ) from error
    codec = CodecSpec.of(BROUGHT_TYPE, {"name": found.name, "configuration": dict(found.configuration)})
    return DataType(found.name, dtype, brought=made, codec=codec)


def _no_configuration(found: Extension, place: Place) -> None:
    if found.configuration:
        raise place.error("no configuration", found.configuration)


def _plain(found: Extension, place: Place, depth: int) -> DataType:
    _no_configuration(found, place)
    return DataType(found.name, np.dtype(found.name))


def _ml(found: Extension, place: Place, depth: int) -> DataType:
    _no_configuration(found, place)
    return DataType(found.name, ml_dtype(found.name))


def _complex(found: Extension, place: Place, depth: int) -> DataType:
    """Return the data type of complex numbers with parts of any float type; see `zarrds._format.v3.complex_parts`."""
    _no_configuration(found, place)
    part = part_of(found.name)
    if part is None:  # other names of complex64 and complex128
        plain = _COMPLEX_NAMES[found.name]
        return DataType(plain, np.dtype(plain))
    if depth:
        raise place.error("a type that numpy has, as every field of a structure must be", found.name)
    if part in ML_NAMES:
        ml_dtype(part)  # raises if it is not installed
    return DataType(found.name, np.dtype(np.complex64), codec=parts_codec(part))


_COMPLEX_NAMES = {"complex_float32": "complex64", "complex_float64": "complex128"}
_SMALL_COMPLEX_NAMES = frozenset(f"complex_{part}" for part in SMALL_PARTS)


def ml_dtype(name: str) -> DType:
    """Return a dtype of `ml_dtypes`; raise UnsupportedFormatError if that is not installed, or does not have it."""
    try:
        found: DType = np.dtype(getattr(importlib.import_module("ml_dtypes"), name))
    except (ImportError, AttributeError) as error:
        raise UnsupportedFormatError(
            "numpy does not have this data type by itself",
            found=name,
            hint="install ml_dtypes, in a version that has it",
        ) from error
    return found


def integer_limits(dtype: DType) -> tuple[int, int] | None:
    """Return the smallest and the largest value of an integer dtype, of numpy or `ml_dtypes`; None for other dtypes."""
    if dtype.kind in "iu":
        return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    if dtype.name not in _ML_INTEGERS:
        return None
    bits, signed = int(dtype.name[-1]), dtype.name[0] == "i"
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


_ML_INTEGERS = frozenset({"int2", "int4", "uint2", "uint4"})


def _raw_bits(bits: int, found: Extension, place: Place) -> DataType:
    _no_configuration(found, place)
    if bits % 8:
        raise place.error("a multiple of 8 bits", found.name)
    return DataType("raw_bits", _sized("V", bits // 8, place))


def _sized(kind: str, length: int, place: Place) -> DType:
    if not 0 < length <= _MAX_ITEMSIZE:
        raise place.error(f"a length from 1 to {_MAX_ITEMSIZE}", length)
    return np.dtype(f"{kind}{length}")


def _of_bytes(kind: str) -> Callable[[Extension, Place, int], DataType]:
    def read(found: Extension, place: Place, depth: int) -> DataType:
        length = _length(found, place)
        return DataType(found.name, _sized(kind, length, place.member("length_bytes")))

    return read


def _length(found: Extension, place: Place) -> int:
    _expect_members(found, place, {"length_bytes"})
    return place.member("length_bytes").expect_int(place.fetch(found.configuration, "length_bytes"))


def _expect_members(found: Extension, place: Place, known: set[str]) -> None:
    unknown = sorted(set(found.configuration) - known)
    if unknown:
        raise place.error(f"only the members {sorted(known)}", unknown)


def _utf32(found: Extension, place: Place, depth: int) -> DataType:
    length = _length(found, place)
    if length % 4:
        raise place.member("length_bytes").error("a multiple of 4, as a character has 4 bytes", length)
    return DataType(found.name, _sized("U", length // 4, place.member("length_bytes")))


def _time(kind: str) -> Callable[[Extension, Place, int], DataType]:
    def read(found: Extension, place: Place, depth: int) -> DataType:
        _expect_members(found, place, {"unit", "scale_factor"})
        unit = place.member("unit").expect_choice(place.fetch(found.configuration, "unit"), sorted(_UNITS))
        factor = place.member("scale_factor").expect_int(found.configuration.get("scale_factor", 1))
        if not 1 <= factor < 2**31:
            raise place.member("scale_factor").error("an integer from 1 to 2**31 - 1", factor)
        if unit == "generic":
            return DataType(found.name, np.dtype(kind))
        return DataType(found.name, np.dtype(f"{kind}[{factor}{'us' if unit == 'μs' else unit}]"))

    return read


def _objects(name: str) -> Callable[[Extension, Place, int], DataType]:
    def read(found: Extension, place: Place, depth: int) -> DataType:
        _no_configuration(found, place)
        if depth:
            raise place.error("a type of fixed size, as every field of a structure must be", found.name)
        return DataType(name, np.dtype(object))

    return read


def _structure(found: Extension, place: Place, depth: int) -> DataType:
    _expect_members(found, place, {"fields"})
    here = place.member("fields")
    items = here.expect_list(place.fetch(found.configuration, "fields"))
    fields = tuple(_field(item, here.item(number), depth + 1) for number, item in enumerate(items))
    if not fields:
        raise here.error("at least one field", items)
    try:
        dtype = np.dtype([(name, member.dtype) for name, member in fields])
    except (TypeError, ValueError) as error:
        raise here.error(f"fields that numpy accepts ({error})", items) from error
    return DataType(found.name, dtype, fields)


def _field(item: JSON, place: Place, depth: int) -> tuple[str, DataType]:
    """Return name and type of a field: a pair in the spelling ``structured``, an object in ``struct``."""
    if isinstance(item, list):
        if len(item) != 2:
            raise place.error("[name, data type]", item)
        name, kind, where = item[0], item[1], place.item(1)
    else:
        members = place.expect_object(item)
        name, kind, where = place.fetch(members, "name"), place.fetch(members, "data_type"), place.member("data_type")
    text = place.expect_text(name)
    if not text:
        raise place.error("field with a name", item)
    return text, parse_data_type(kind, where, depth)


_READERS: dict[str, Callable[[Extension, Place, int], DataType]] = {
    **dict.fromkeys(_PLAIN, _plain),
    **dict.fromkeys(ML_NAMES, _ml),
    **dict.fromkeys([*_COMPLEX_NAMES, *_SMALL_COMPLEX_NAMES], _complex),
    "raw_bytes": _of_bytes("V"),
    "null_terminated_bytes": _of_bytes("S"),
    "fixed_length_utf32": _utf32,
    "numpy.datetime64": _time("M8"),
    "numpy.timedelta64": _time("m8"),
    "string": _objects("string"),
    "variable_length_bytes": _objects("variable_length_bytes"),
    "bytes": _objects("variable_length_bytes"),
    "structured": _structure,
    "struct": _structure,
}


# --- what users give -------------------------------------------------------------------------------------------------


def normalize_dtype_v3(dtype: object) -> tuple[DType, str | None]:
    """Return the data type for what a user gives, and the data type name of objects, if it is implied.

    Names and JSON objects of Zarr v3 are also accepted. The byte order is kept, padding is not.
    """
    if isinstance(dtype, dict) or (isinstance(dtype, str) and _is_own_name(dtype)):
        kind = parse_data_type(dtype, Place("", ("data_type",)))
        return kind.dtype, kind.name if kind.dtype == object else None
    if dtype in (str, bytes, "str", "bytes") or (isinstance(dtype, str) and dtype.startswith("array:")):
        implied = normalize_dtype(dtype)[1]
        return np.dtype(object), None if implied is None else _NAMES_OF_OBJECTS.get(implied.name, implied.name)
    given = numpy_dtype(dtype)
    if given.kind == "T":
        return np.dtype(object), "string"
    if given.base.kind != "O":
        dtype_to_v3(given.base)  # raises for a dtype without a name
    return (np.dtype((_packed(given.base), given.shape)) if given.shape else _packed(given)), None


def _is_own_name(name: str) -> bool:
    """Return whether this is a name of Zarr v3 that numpy does not have, or gives another meaning."""
    if name in _OWN_NAMES or _RAW_BITS.fullmatch(name):
        return True
    if name in ("str", "bytes") or name.startswith("array:"):
        return False
    return not is_numpy_name(name) and _find(name) is not None


def data_type_codec(dtype: object) -> CodecSpec | None:
    """Return the codec that converts the elements of what a user gives as dtype; None if numpy has it."""
    if isinstance(dtype, dict) or (isinstance(dtype, str) and _is_own_name(dtype)):
        return parse_data_type(cast(JSON, dtype), Place("", ("data_type",))).codec
    return None


_OWN_NAMES = ML_NAMES | {"string", "variable_length_bytes", *_COMPLEX_NAMES, *_SMALL_COMPLEX_NAMES}
_NAMES_OF_OBJECTS = {"vlen-utf8": "string", "vlen-bytes": "variable_length_bytes"}


def _packed(dtype: DType) -> DType:
    """Return a structure without padding, in the machine's byte order, as in memory; other dtypes unchanged."""
    if dtype.names is None:
        return dtype
    fields: Mapping[str, Any] = dtype.fields or {}
    return np.dtype([(name, _packed(fields[name][0]).newbyteorder("=")) for name in dtype.names])


# --- dtype -> document ------------------------------------------------------------------------------------------------


def dtype_to_v3(dtype: DType) -> JSON:
    """Return the JSON of a dtype; raise TypeError if Zarr v3 has no name for it, as for objects."""
    if dtype.subdtype is not None:
        raise ArgumentTypeError(f"Zarr v3 has no sub-arrays in structures, found {dtype}")
    if dtype.names is not None:
        return extension_to_json("struct", {"fields": _fields_to_json(dtype)})
    if dtype.isbuiltin == 2 and dtype.name in ML_NAMES:
        return str(dtype.name)
    if dtype.isbuiltin != 2 and dtype.name in _PLAIN:
        return str(dtype.name)
    writer = _WRITERS.get(dtype.kind) if dtype.isbuiltin != 2 and dtype.itemsize else None
    if writer is None:
        raise ArgumentTypeError(f"dtype {dtype} cannot be stored in Zarr v3")
    return writer(dtype)


def _fields_to_json(dtype: DType) -> list[JSON]:
    fields: Mapping[str, Any] = dtype.fields or {}
    return [{"name": name, "data_type": dtype_to_v3(fields[name][0])} for name in dtype.names or ()]


def legacy_data_type(value: JSON) -> JSON:
    """Return the JSON of a data type under the names that Zarr-Python up to 3.1 knows."""
    if value == "bytes":
        return "variable_length_bytes"
    if not isinstance(value, dict) or value.get("name") != "struct":
        return value
    fields: Any = cast("dict[str, Any]", value["configuration"])["fields"]
    pairs: list[JSON] = [[field["name"], legacy_data_type(field["data_type"])] for field in fields]
    return extension_to_json("structured", {"fields": pairs})


def _time_to_json(name: str) -> Callable[[DType], JSON]:
    def write(dtype: DType) -> JSON:
        unit, factor = np.datetime_data(dtype)
        return extension_to_json(name, {"unit": unit, "scale_factor": factor})

    return write


def _bytes_to_json(name: str) -> Callable[[DType], JSON]:
    return lambda dtype: extension_to_json(name, {"length_bytes": dtype.itemsize})


_WRITERS: dict[str, Callable[[DType], JSON]] = {
    "V": _bytes_to_json("raw_bytes"),
    "S": _bytes_to_json("null_terminated_bytes"),
    "U": _bytes_to_json("fixed_length_utf32"),
    "M": _time_to_json("numpy.datetime64"),
    "m": _time_to_json("numpy.timedelta64"),
}
