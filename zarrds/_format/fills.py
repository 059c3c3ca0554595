"""Fill values: what users give and what Zarr v2 documents contain <-> `Fill`.

Responsible for keeping every bit of a fill value: negative zero, parts of complex numbers that are not finite, bytes
with NULs, 64-bit integers. A `Fill` holds bytes in the stored dtype; objects, which have none, are held as JSON text.
"""

from __future__ import annotations

import json
import math
import re
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import numpy as np

from zarrds._base.types import JSON, NDArrayAny
from zarrds._format.jsondoc import Place, canonical
from zarrds._format.meta import NO_FILL, Fill
from zarrds.errors import FillTypeError, MetadataError, UnsupportedFormatError

__all__ = ["fill_from_v2", "fill_of", "fill_scalar", "fill_to_v2"]

DType = np.dtype[Any]

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NAT = -(2**63)


# --- document -> Fill -------------------------------------------------------------------------------------------------


def fill_from_v2(value: JSON, dtype: DType, where: str) -> Fill:
    """Return the fill value of a Zarr v2 document with the key `where`; raise MetadataError if it does not fit `dtype`.

    Accepts what earlier writers have left: ``0.0`` for integers; 0 for raw bytes and structures (all zero); 0 for
    strings, which zarr-python 2.17.2 casts like numpy to the text "0"; numbers and booleans as texts, which Java
    libraries write: ``"0"``, ``"1e20"``, ``"true"``.
    """
    if value is None:
        return NO_FILL
    place = Place(where).member("fill_value")
    if dtype.hasobject:
        return _object_from_json(value, dtype, place)
    if isinstance(value, str) and dtype.kind in "biufcmM":
        value = number_in(value, dtype)
    if _is_zero(value) and dtype.kind in "SUV":
        return Fill(raw=bytes(dtype.itemsize) if dtype.kind == "V" else _text_raw("0", dtype))
    return Fill(raw=_READERS[dtype.kind](value, dtype, place))


def number_in(text: str, dtype: DType) -> JSON:
    """Return the number or boolean that a text holds in JSON's or Java's spelling; else the text itself."""
    if dtype.kind == "b" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if dtype.kind not in "fc" and _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FRACTION.fullmatch(text) else text


_INTEGER = re.compile(r"[+-]?[0-9]{1,25}")
_FRACTION = re.compile(r"[+-]?([0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})([eE][+-]?[0-9]{1,4})?")


def _object_from_json(value: JSON, dtype: DType, place: Place) -> Fill:
    if dtype.kind == "O":
        return Fill(text=canonical(value))
    return Fill(text=place.expect_text(value))  # an encoded record, which only its object codec can decode


def _bool_from_json(value: JSON, dtype: DType, place: Place) -> bytes:
    if not isinstance(value, bool | int | float) or value not in (0, 1):
        raise place.error("true or false", value)
    return _raw(bool(value), dtype)


def _int_from_json(value: JSON, dtype: DType, place: Place) -> bytes:
    number = _whole_number(value)
    if number is None or not _fits(number, dtype):
        raise place.error(f"number that fits {dtype.name}", value)
    return _raw(number, dtype)


def _float_from_json(value: JSON, dtype: DType, place: Place) -> bytes:
    return _raw(_real(value, place), dtype)


def _complex_from_json(value: JSON, dtype: DType, place: Place) -> bytes:
    parts = value if isinstance(value, list) else [value, 0.0]
    if len(parts) != 2:
        raise place.error("[real, imaginary]", value)
    return _raw([_real(part, place.item(index)) for index, part in enumerate(parts)], _part_dtype(dtype))


def _real(value: JSON, place: Place) -> float:
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise place.error('number, "NaN", "Infinity" or "-Infinity"', value)
    try:
        return float(value)
    except OverflowError as error:
        raise place.error("number that fits a double", value) from error


def _bytes_from_json(value: JSON, dtype: DType, place: Place) -> bytes:
    raw = place.expect_base64(value)
    if len(raw) > dtype.itemsize:
        raise place.error(f"base64 of {dtype.itemsize} bytes", value)
    return raw.ljust(dtype.itemsize, b"\0")


def _text_from_json(value: JSON, dtype: DType, place: Place) -> bytes:
    return _text_raw(
        place.expect_text(value), dtype
    )  # zarr-python 2 writes texts that are too long, and cuts them when it reads


def _time_from_json(value: JSON, dtype: DType, place: Place) -> bytes:
    count = _NAT if value == "NaT" else _whole_number(value)
    if count is None or not _fits(count, _count_dtype(dtype)):
        raise place.error("64-bit count of the dtype's unit", value)
    return _raw(count, _count_dtype(dtype))


_READERS: dict[str, Callable[[JSON, DType, Place], bytes]] = {
    "b": _bool_from_json,
    "i": _int_from_json,
    "u": _int_from_json,
    "f": _float_from_json,
    "c": _complex_from_json,
    "S": _bytes_from_json,
    "V": _bytes_from_json,
    "U": _text_from_json,
    "M": _time_from_json,
    "m": _time_from_json,
}


def _is_zero(value: object) -> bool:
    is_number = isinstance(value, int | float | np.integer) and not isinstance(value, bool | np.timedelta64)
    return is_number and value == 0


def _whole_number(value: object) -> int | None:
    """Return the integer that a JSON number represents; None if it is not an integer."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _fits(number: int, dtype: DType) -> bool:
    limits = np.iinfo(dtype)
    return int(limits.min) <= number <= int(limits.max)


def _raw(value: object, dtype: DType) -> bytes:
    """Return the bytes of a value known to fit; floats too large for a narrow type become infinite, as in numpy."""
    with np.errstate(over="ignore", under="ignore"):
        array = np.array(value, dtype=dtype)
    if dtype.kind == "f" and dtype.itemsize == 16:
        _zero_padding(array)
    return array.tobytes()


def _zero_padding(array: NDArrayAny) -> None:
    """Set the bytes of long doubles that numpy leaves undefined to zero, so that equal fill values have equal bytes."""
    if np.finfo(np.longdouble).nmant == 63:  # 80 bits in use, at the low addresses unless the bytes are swapped
        unused = slice(10, 16) if array.dtype.isnative else slice(0, 6)
        array.reshape(-1).view(np.uint8).reshape(-1, 16)[:, unused] = 0


def _text_raw(text: str, dtype: DType) -> bytes:
    return _raw(text, dtype)[: dtype.itemsize]  # numpy makes U1 of U0


def _part_dtype(dtype: DType) -> DType:
    return np.dtype(f"{dtype.byteorder}f{dtype.itemsize // 2}")


def _count_dtype(dtype: DType) -> DType:
    return np.dtype(f"{dtype.byteorder}i8")


# --- Fill -> document -------------------------------------------------------------------------------------------------


def fill_to_v2(fill: Fill, dtype: DType) -> JSON:
    """Return the JSON of a fill value in Zarr v2 documents."""
    if fill.text is not None:
        return _object_to_json(fill.text, dtype)
    return None if fill.raw is None else _WRITERS[dtype.kind](fill.raw, dtype)


def _object_to_json(text: str, dtype: DType) -> JSON:
    if dtype.kind != "O":
        return text
    value: JSON = json.loads(text)
    return value


def _item_to_json(raw: bytes, dtype: DType) -> JSON:
    value: JSON = _item(raw, dtype).item()
    return value


def _float_to_json(raw: bytes, dtype: DType) -> JSON:
    return _finite_or_name(float(_item(raw, dtype)))


def _complex_to_json(raw: bytes, dtype: DType) -> JSON:
    return [_finite_or_name(float(part)) for part in np.frombuffer(raw, _part_dtype(dtype))]


def _finite_or_name(value: float) -> JSON:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _bytes_to_json(raw: bytes, dtype: DType) -> JSON:
    return b64encode(raw.rstrip(b"\0") if dtype.kind == "S" else raw).decode("ascii")


def _time_to_json(raw: bytes, dtype: DType) -> JSON:
    return int(_item(raw, _count_dtype(dtype)))


_WRITERS: dict[str, Callable[[bytes, DType], JSON]] = {
    "b": _item_to_json,
    "i": _item_to_json,
    "u": _item_to_json,
    "f": _float_to_json,
    "c": _complex_to_json,
    "S": _bytes_to_json,
    "V": _bytes_to_json,
    "U": _item_to_json,
    "M": _time_to_json,
    "m": _time_to_json,
}


# --- Fill -> value ----------------------------------------------------------------------------------------------------


def fill_scalar(fill: Fill, dtype: DType) -> Any:
    """Return the value of a fill: a numpy scalar, for object dtype a Python value; None if it is not defined.

    The fill of a structure with object fields needs its object codec: UnsupportedFormatError is raised.
    """
    if fill.text is not None:
        if dtype.kind != "O":
            raise UnsupportedFormatError(
                "the fill value of a structure with object fields is encoded", expected="its object codec", found=dtype
            )
        return json.loads(fill.text)
    if fill.raw is None or dtype.kind == "O":  # object fills stored as bytes are values of type bytes
        return fill.raw
    return _item(fill.raw, dtype)


def _item(raw: bytes, dtype: DType) -> Any:
    return np.ndarray((), dtype, raw)[()]


# --- what users give --------------------------------------------------------------------------------------------------


def fill_of(value: object, dtype: DType) -> Fill:
    """Return the fill value for what a user gives; raise MetadataError (a ValueError) if it does not fit `dtype`.

    None means undefined and 0 the zero of any dtype. Fractions are cut off for integers. A `Fill` is passed on.
    """
    if value is None or isinstance(value, Fill):
        return NO_FILL if value is None else value
    if isinstance(value, np.ndarray) and value.size == 1 and dtype.kind != "O":
        value = value.reshape(())[()]
    if dtype.hasobject:
        return _object_of(value, dtype)
    if (type(value) is int and value == 0) or (dtype.kind in "SUVmM" and (_is_zero(value) or value is False)):
        return Fill(raw=bytes(dtype.itemsize))
    try:
        return Fill(raw=_CONVERTERS[dtype.kind](value, dtype))
    except (TypeError, ValueError, OverflowError) as error:
        raise _unfit(value, dtype, error) from error


def _unfit(value: object, dtype: DType, reason: Exception) -> MetadataError:
    kind = FillTypeError if isinstance(reason, TypeError) else MetadataError
    return kind(f"fill value does not fit the dtype: {reason}", expected=f"value for {dtype}", found=repr(value))


def _object_of(value: object, dtype: DType) -> Fill:
    if dtype.kind != "O":
        raise _unfit(value, dtype, TypeError("its object codec must encode it first"))
    try:
        return Fill(text=canonical(value))
    except TypeError as error:
        raise _unfit(value, dtype, error) from error


def _bool_of(value: object, dtype: DType) -> bytes:
    if not isinstance(value, bool | int | float | np.bool_ | np.number):
        raise TypeError("not a truth value")  # builtin: the caller makes it a FillTypeError or MetadataError
    return _raw(bool(value), dtype)


def _int_of(value: Any, dtype: DType) -> bytes:
    number = int(_not_complex(value))
    if not _fits(number, dtype):
        raise ValueError("out of range")  # builtin: the caller makes it a FillTypeError or MetadataError
    return _raw(number, dtype)


def _not_complex(value: Any) -> Any:
    """Return the value; raise if numpy would lose an imaginary part with only a warning."""
    if isinstance(value, complex | np.complexfloating):
        raise TypeError("not a real number")  # builtin: the caller makes it a FillTypeError or MetadataError
    return value


def _float_of(value: Any, dtype: DType) -> bytes:
    return _raw(_one_nan(float(_not_complex(value))), dtype)


def _complex_of(value: Any, dtype: DType) -> bytes:
    number = complex(value)
    return _raw([_one_nan(number.real), _one_nan(number.imag)], _part_dtype(dtype))


def _one_nan(value: float) -> float:
    """Return the value; a NaN becomes the NaN that a document restores."""
    return math.nan if math.isnan(value) else value


def _fixed_bytes_of(value: object, dtype: DType) -> bytes:
    if dtype.kind == "S" and isinstance(value, bool | int | float | complex | np.number | np.bool_):
        value = str(value)  # as numpy casts a number
    raw = value.encode("ascii") if isinstance(value, str) else value
    raw = raw.tobytes() if isinstance(raw, np.void) else raw
    if not isinstance(raw, bytes | bytearray):
        raise TypeError("not bytes")  # builtin: the caller makes it a FillTypeError or MetadataError
    if len(raw) > dtype.itemsize:
        raise ValueError(  # builtin: the caller makes it a FillTypeError or MetadataError
            f"longer than {dtype.itemsize} bytes"
        )  # builtin: the caller makes it a FillTypeError or MetadataError
    return bytes(raw).ljust(dtype.itemsize, b"\0")


def _void_of(value: object, dtype: DType) -> bytes:
    if dtype.names is None:
        return _fixed_bytes_of(value, dtype)
    if isinstance(value, bytes):
        if len(value) > dtype.itemsize:
            raise ValueError(  # builtin: the caller makes it a FillTypeError or MetadataError
                f"more than the {dtype.itemsize} bytes of a record"
            )
        return value.ljust(dtype.itemsize, b"\0")
    record = np.zeros((), dtype)
    with np.errstate(over="ignore", under="ignore"):
        record[()] = tuple(value) if isinstance(value, list) else value
    return record.tobytes()


def _text_of(value: object, dtype: DType) -> bytes:
    if not isinstance(value, str):
        raise TypeError("not a string")  # builtin: the caller makes it a FillTypeError or MetadataError
    if len(value) > dtype.itemsize // 4:
        raise ValueError(  # builtin: the caller makes it a FillTypeError or MetadataError
            f"longer than {dtype.itemsize // 4} characters"
        )  # builtin: the caller makes it a FillTypeError or MetadataError
    return _text_raw(str(value), dtype)


def _time_of(value: Any, dtype: DType) -> bytes:
    if isinstance(value, bool | float | np.bool_ | np.inexact) or np.ndim(value) != 0:
        raise TypeError("not a date, time or count")  # builtin: the caller makes it a FillTypeError or MetadataError
    if isinstance(value, np.datetime64 | np.timedelta64) and value.dtype.kind != dtype.kind and not np.isnat(value):
        raise TypeError("dates are no durations")  # builtin: the caller makes it a FillTypeError or MetadataError
    return _raw(value, dtype)


_CONVERTERS: dict[str, Callable[[Any, DType], bytes]] = {
    "b": _bool_of,
    "i": _int_of,
    "u": _int_of,
    "f": _float_of,
    "c": _complex_of,
    "S": _fixed_bytes_of,
    "V": _void_of,
    "U": _text_of,
    "M": _time_of,
    "m": _time_of,
}
