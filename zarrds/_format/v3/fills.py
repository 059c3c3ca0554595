"""Fill values of Zarr v3: JSON of documents <-> `Fill`, every bit kept.

A `Fill` for variable-length strings is held as JSON text, one for variable-length bytes as these bytes.
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from zarrds._base.types import JSON
from zarrds._format.fills import fill_of, number_in
from zarrds._format.jsondoc import Place, canonical
from zarrds._format.meta import Fill
from zarrds._format.v3.complex_parts import part_of
from zarrds._format.v3.dtypes import ML_NAMES, DataType, dtype_to_v3, integer_limits, ml_dtype, parse_data_type
from zarrds.errors import MetadataError

__all__ = ["fill_from_v3", "fill_of_v3", "fill_to_v3"]

DType = np.dtype[Any]

_NOT_FINITE = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}
_NAT = -(2**63)


# --- document -> Fill -------------------------------------------------------------------------------------------------


def fill_from_v3(value: JSON, kind: DataType, place: Place) -> Fill:
    """Return the fill value of a document; raise MetadataError if it does not fit the data type."""
    if kind.name == "string":
        return Fill(text=canonical(place.expect_text(value)))
    if kind.name == "variable_length_bytes":
        return Fill(raw=_byte_list(value, place) if isinstance(value, list) else place.expect_base64(value))
    return Fill(raw=_raw(value, kind, place))


def _raw(value: JSON, kind: DataType, place: Place) -> bytes:
    if kind.brought is not None:
        return _of_brought_type(value, kind, place)
    if kind.fields and isinstance(value, dict):
        return _record(value, kind, place)
    if kind.fields:
        return _exactly(place.expect_base64(value), kind.dtype, place, value)
    if kind.name in ML_NAMES:
        return _ml(value, kind, place)
    part = part_of(kind.name)
    if part is not None:
        return _small_complex(value, part, place)
    if isinstance(value, str) and kind.dtype.kind in "biuf":
        value = number_in(value, kind.dtype)  # libraries in Java write numbers as texts
    return _READERS[kind.dtype.kind](value, kind.dtype, place)


def _of_brought_type(value: JSON, kind: DataType, place: Place) -> bytes:
    try:
        return np.asarray(kind.brought.fill_from_json(value)).astype(kind.dtype, casting="same_kind").tobytes()
    except MetadataError:
        raise
    except Exception as error:  # whatever its package raises
        raise place.error(f"a fill value of {kind.name} ({error})", value) from error


def _record(value: dict[str, JSON], kind: DataType, place: Place) -> bytes:
    unknown = sorted(set(value) - {name for name, _ in kind.fields})
    if unknown:
        raise place.error("the fields of the data type only", unknown)
    parts = [_raw(place.fetch(value, name), member, place.member(name)) for name, member in kind.fields]
    return b"".join(parts)


def _exactly(raw: bytes, dtype: DType, place: Place, value: JSON) -> bytes:
    if len(raw) != dtype.itemsize:
        raise place.error(f"base64 of {dtype.itemsize} bytes", value)
    return raw


def _bool(value: JSON, dtype: DType, place: Place) -> bytes:
    if value not in (0, 1):  # some writers put numbers
        raise place.error("true or false", value)
    return np.array(bool(value), dtype).tobytes()


def _whole(value: JSON, place: Place, low: int, high: int, what: str) -> int:
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    if not isinstance(number, int) or isinstance(number, bool) or not low <= number <= high:
        raise place.error(f"integer that fits {what}", value)
    return number


def _integer(value: JSON, dtype: DType, place: Place) -> bytes:
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    return np.array(_whole(value, place, low, high, dtype.name), dtype).tobytes()


def _float(value: JSON, dtype: DType, place: Place) -> bytes:
    """Return the bytes of a float given as a number, as a name such as "NaN", or as a bit pattern."""
    if isinstance(value, str):
        return _named_float(value, dtype, place)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise place.error('number, "NaN", "Infinity", "-Infinity" or "0x" and the bits', value)
    try:
        with np.errstate(over="ignore", under="ignore"):
            return np.array(float(value)).astype(dtype).tobytes()
    except OverflowError as error:
        raise place.error("number that fits a double", value) from error


def _named_float(text: str, dtype: DType, place: Place) -> bytes:
    if text in _NOT_FINITE:
        return np.array(_NOT_FINITE[text]).astype(dtype).tobytes()
    digits = text[2:]
    if text[:2] != "0x" or len(digits) != 2 * dtype.itemsize or not _is_hex(digits):
        raise place.error(f'"NaN", "Infinity", "-Infinity" or "0x" and {2 * dtype.itemsize} hexadecimal digits', text)
    return int(digits, 16).to_bytes(dtype.itemsize, sys.byteorder)


def _is_hex(digits: str) -> bool:
    return all(digit in "0123456789abcdefABCDEF" for digit in digits)


def _complex(value: JSON, dtype: DType, place: Place) -> bytes:
    parts = place.expect_list(value)
    if len(parts) != 2:
        raise place.error("[real, imaginary]", value)
    part = np.dtype(f"f{dtype.itemsize // 2}")
    return b"".join(_float(item, part, place.item(number)) for number, item in enumerate(parts))


def _small_complex(value: JSON, part: str, place: Place) -> bytes:
    """Return the bytes of a complex64 whose parts have a smaller data type."""
    parts = place.expect_list(value)
    if len(parts) != 2:
        raise place.error("[real, imaginary]", value)
    dtype = np.dtype(part) if part not in ML_NAMES else ml_dtype(part)
    raw = b"".join(_float(item, dtype, place.item(number)) for number, item in enumerate(parts))
    return np.frombuffer(raw, dtype).astype(np.float32).tobytes()


def _byte_list(value: list[JSON], place: Place) -> bytes:
    return bytes([_whole(item, place.item(n), 0, 255, "a byte") for n, item in enumerate(value)])


def _bytes(value: JSON, dtype: DType, place: Place) -> bytes:
    if isinstance(value, list):  # raw bits are a list of byte values
        return _exactly(_byte_list(value, place), dtype, place, value)
    return _exactly(place.expect_base64(value), dtype, place, value)


def _padded_bytes(value: JSON, dtype: DType, place: Place) -> bytes:
    raw = place.expect_base64(value)
    if len(raw) > dtype.itemsize:
        raise place.error(f"base64 of at most {dtype.itemsize} bytes", value)
    return raw.ljust(dtype.itemsize, b"\0")


def _text(value: JSON, dtype: DType, place: Place) -> bytes:
    text = place.expect_text(value)
    if len(text) > dtype.itemsize // 4:
        raise place.error(f"at most {dtype.itemsize // 4} characters", value)
    return np.array(text, dtype).tobytes()


def _time(value: JSON, dtype: DType, place: Place) -> bytes:
    count = _NAT if value == "NaT" else _whole(value, place, _NAT, 2**63 - 1, 'a 64-bit count, or "NaT"')
    return np.array(count, np.int64).tobytes()


_READERS: dict[str, Callable[[JSON, DType, Place], bytes]] = {
    "b": _bool,
    "i": _integer,
    "u": _integer,
    "f": _float,
    "c": _complex,
    "V": _bytes,
    "S": _padded_bytes,
    "U": _text,
    "M": _time,
    "m": _time,
}


def _ml(value: JSON, kind: DataType, place: Place) -> bytes:
    limits = integer_limits(kind.dtype)
    if limits is None:
        return _float(value, kind.dtype, place)
    return np.array(_whole(value, place, *limits, kind.name)).astype(kind.dtype).tobytes()


# --- Fill -> document -------------------------------------------------------------------------------------------------


def fill_to_v3(fill: Fill, dtype: DType, data_type: JSON = None) -> JSON:
    """Return the JSON of a defined fill value; `data_type` is that of the document where the dtype does not say it."""
    if data_type is not None:
        kind = parse_data_type(data_type, Place("", ("data_type",)))
        if kind.brought is not None:
            made: JSON = kind.brought.fill_to_json(np.frombuffer(fill.raw or b"", kind.dtype)[0])
            return made
    if fill.text is not None:
        value: JSON = json.loads(fill.text)
        return value
    assert fill.raw is not None
    if dtype.kind == "O":
        return b64encode(fill.raw).decode("ascii")
    value = _raw_to_json(fill.raw, dtype)
    if isinstance(value, dict) and not _reads_as(value, dtype, fill.raw):
        return _bytes_to_json(fill.raw, dtype)  # bits that no JSON value of a field stands for
    return value


def _reads_as(value: JSON, dtype: DType, raw: bytes) -> bool:
    """Return whether the JSON of a structure is read as these bytes."""
    place = Place("", ("fill_value",))
    try:
        again = json.loads(json.dumps(value))  # two surrogates become one character
        return _raw(again, parse_data_type(dtype_to_v3(dtype), place), place) == raw
    except MetadataError:
        return False


def _raw_to_json(raw: bytes, dtype: DType) -> JSON:
    if dtype.names is not None:
        fields: Mapping[str, Any] = dtype.fields or {}
        parts = {name: (fields[name][0], fields[name][1]) for name in dtype.names}
        return {name: _raw_to_json(raw[at : at + kind.itemsize], kind) for name, (kind, at) in parts.items()}
    if dtype.isbuiltin == 2:
        return _ml_to_json(raw, dtype)
    return _WRITERS[dtype.kind](raw, dtype)


def _item_to_json(raw: bytes, dtype: DType) -> JSON:
    value: JSON = np.frombuffer(raw, dtype)[0].item()
    return value


def _float_to_json(raw: bytes, dtype: DType) -> JSON:
    value = float(np.frombuffer(raw, dtype)[0])
    if np.isfinite(value):
        return value
    name = "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if raw == np.array(_NOT_FINITE[name]).astype(dtype).tobytes():
        return name
    return f"0x{int.from_bytes(raw, sys.byteorder):0{2 * dtype.itemsize}x}"


def _complex_to_json(raw: bytes, dtype: DType) -> JSON:
    half = dtype.itemsize // 2
    part = np.dtype(f"f{half}")
    return [_float_to_json(raw[:half], part), _float_to_json(raw[half:], part)]


def _bytes_to_json(raw: bytes, dtype: DType) -> JSON:
    return b64encode(raw.rstrip(b"\0") if dtype.kind == "S" else raw).decode("ascii")


def _time_to_json(raw: bytes, dtype: DType) -> JSON:
    count = int(np.frombuffer(raw, np.int64)[0])
    # without a unit, Zarr-Python reads the text only
    return "NaT" if count == _NAT and np.datetime_data(dtype)[0] == "generic" else count


_WRITERS: dict[str, Callable[[bytes, DType], JSON]] = {
    "b": _item_to_json,
    "i": _item_to_json,
    "u": _item_to_json,
    "f": _float_to_json,
    "c": _complex_to_json,
    "V": _bytes_to_json,
    "S": _bytes_to_json,
    "U": _item_to_json,
    "M": _time_to_json,
    "m": _time_to_json,
}


def _ml_to_json(raw: bytes, dtype: DType) -> JSON:
    if integer_limits(dtype) is not None:
        return int(np.frombuffer(raw, dtype)[0])
    return _float_to_json(raw, dtype)


# --- what users give ------------------------------------------------------------------------------------------------


def fill_of_v3(value: Any, dtype: DType, name: str | None = None) -> Fill:
    """Return the fill value for what a user gives; raise MetadataError if it does not fit. Objects need `name`.

    Zarr v3 has no undefined fill value. None means zero, NaT for dates and durations, and the empty value for objects
    (as does 0). Texts that documents use for numbers are accepted: ``"NaN"``, ``"0x7fc00001"``.
    """
    if value is None or isinstance(value, Fill):
        return value if isinstance(value, Fill) and value.defined else _zero_fill(dtype, name)
    if name is not None:
        return _object_fill(value, dtype, name)
    if isinstance(value, str) and (dtype.kind == "f" or dtype.name in ML_NAMES):
        return fill_from_v3(value, DataType(dtype.name, dtype), Place("", ("fill_value",)))
    if dtype.isbuiltin == 2:
        return _ml_fill(value, dtype)
    if isinstance(value, np.inexact) and value.dtype == dtype:
        return Fill(raw=value.tobytes())  # the bits of a NaN too
    return fill_of(value, dtype)


def _object_fill(value: Any, dtype: DType, name: str) -> Fill:
    if value == 0 and not isinstance(value, bool):
        return _zero_fill(dtype, name)
    if name == "string" and isinstance(value, str):
        return Fill(text=canonical(str(value)))
    if name != "string" and isinstance(value, bytes):
        return Fill(raw=bytes(value))
    raise MetadataError("fill value does not fit the data type", expected=f"value for {name}", found=repr(value))


def _ml_fill(value: Any, dtype: DType) -> Fill:
    try:
        return Fill(raw=_ml(value.item() if hasattr(value, "item") else value, DataType(dtype.name, dtype), _FILL))
    except (TypeError, AttributeError) as error:
        raise MetadataError(
            "fill value does not fit the data type", expected=f"value for {dtype}", found=repr(value)
        ) from error


_FILL = Place("", ("fill_value",))


def _zero_fill(dtype: DType, name: str | None) -> Fill:
    if name == "variable_length_bytes":
        return Fill(raw=b"")
    if dtype.kind == "O":
        return Fill(text='""')
    if dtype.kind in "mM":
        return Fill(raw=np.array(_NAT, np.int64).tobytes())
    return Fill(raw=bytes(dtype.itemsize))
