"""Translate the encoding and attributes of an xarray variable to the options of a new array, in Zarr v2 or v3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xarray_backend._compat import is_vlen_text
from xarray_backend.codecs import as_tuple, codec_v2, codec_v3
from xarray_backend.fills import array_fill, fill_as_number_or_text, fill_to_attribute
from xarray_backend.reader import DIMENSIONS
from zarrds.errors import ArgumentError, ArgumentTypeError, BadCompressorError, UnsupportedFormatError

__all__ = [
    "ARRAY_KEYS",
    "FLAG",
    "added_attributes",
    "array_attributes",
    "array_options",
    "attributes_as_json",
    "stored_dtype",
]

ARRAY_KEYS = frozenset(
    [
        "chunks",
        "shards",
        "compressors",
        "compressor",
        "filters",
        "serializer",
        "fill_value",
        "write_empty_chunks",
        "chunk_key_encoding",
        "cache_metadata",
        "preferred_chunks",
        "order",
    ]
)
"""Keys of an encoding that describe the stored array; the CF encoding uses the others."""

FLAG = "zarrds_unfinished_job"
"""Attribute of a group whose data are not all written; it is never copied with the other attributes."""

_OF_OPENED_FILES = frozenset(["source", "original_shape"])
"""Keys that xarray adds when it opens a file; they say nothing about what is to be written."""


def array_options(name: str, encoded: xr.Variable, *, explicit: bool, zarr_format: int) -> dict[str, Any]:
    """Return the keywords to create the array of a CF-encoded variable, without chunks and shards.

    With `explicit` the user passed the encoding, and an entry that cannot be used is an error. Otherwise the variable
    inherited the encoding, and such an entry is left out.
    """
    encoding = dict(encoded.encoding)
    if explicit:
        _refuse_unusable(name, encoding, zarr_format)
    make = _options_v3 if zarr_format == 3 else _options_v2
    options = {"dtype": stored_dtype(encoded.dtype), **make(name, encoded, encoding, explicit)}
    if explicit and encoding.get("order") is not None:
        options["order"] = encoding["order"]
    return options


def array_attributes(name: str, encoded: xr.Variable, zarr_format: int, *, has_fills: bool = True) -> dict[str, Any]:
    """Return the attributes of the array of a CF-encoded variable, with those for dimensions and fill value."""
    attrs = {key: value for key, value in encoded.attrs.items() if key != "_FillValue"}
    if zarr_format == 3:
        if encoded.attrs.get("_FillValue") is not None:
            attrs["_FillValue"] = _fill_attribute(name, encoded)
    elif DIMENSIONS in attrs:
        raise ArgumentError(f"variable {name!r} has an attribute {DIMENSIONS!r}, which is reserved")
    else:
        attrs[DIMENSIONS] = list(encoded.dims)
        if not has_fills and encoded.attrs.get("_FillValue") is not None:
            attrs["_FillValue"] = fill_as_number_or_text(encoded.attrs["_FillValue"])
    return attributes_as_json(f"variable {name!r}", attrs)


def _fill_attribute(name: str, encoded: xr.Variable) -> Any:
    if is_vlen_text(encoded.dtype):
        # xarray refuses to write it, and could not open a store that has it
        raise UnsupportedFormatError(
            f"variable {name!r} is text of any length, for which Zarr v3 has no '_FillValue'",
            path=name,
            found=encoded.attrs["_FillValue"],
            hint=f"drop it: del ds[{name!r}].encoding['_FillValue']",
        )
    return fill_to_attribute(encoded.attrs["_FillValue"], encoded.dtype)


def stored_dtype(dtype: np.dtype[Any]) -> Any:
    """Return the dtype to store; for text of any length this is `str`."""
    return str if is_vlen_text(dtype) else dtype


def _refuse_unusable(name: str, encoding: Mapping[str, Any], zarr_format: int) -> None:
    left = {
        key
        for key, value in encoding.items()
        if key not in _OF_OPENED_FILES and not (key == "dtype" or (key == "_FillValue" and value is None))
    }
    unknown = sorted(map(str, left - ARRAY_KEYS))
    if unknown:
        raise ArgumentError(
            f"unexpected encoding for variable {name!r}: {', '.join(map(repr, unknown))}; known are those of CF and "
            f"{', '.join(sorted(ARRAY_KEYS))}"
        )
    if zarr_format == 3:
        return
    if encoding.get("fill_value") is not None:
        raise ArgumentError(f"encoding of variable {name!r}: in Zarr v2 pass CF's '_FillValue', not 'fill_value'")
    for key in ("shards", "serializer"):
        if encoding.get(key) not in (None, "auto"):
            raise UnsupportedFormatError(
                f"encoding of variable {name!r}: {key!r} needs Zarr v3", path=name, hint="pass zarr_format=3"
            )


_DEFAULT = ("default",)


def _compressors(encoding: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the compressors given under either key; `_DEFAULT`: the default of zarrds."""
    given = encoding.get("compressor", encoding.get("compressors", "auto"))
    return _DEFAULT if isinstance(given, str) and given in ("auto", "default") else as_tuple(given)


# --- Zarr v3 ----------------------------------------------------------------------------------------------------------


def _options_v3(name: str, encoded: xr.Variable, encoding: Mapping[str, Any], explicit: bool) -> dict[str, Any]:
    dtype = encoded.dtype
    options: dict[str, Any] = {
        "fill_value": array_fill(dtype, encoding.get("fill_value"), explicit=explicit),
        "dimension_names": encoded.dims or None,
    }
    given = _compressors(encoding)
    if given is not _DEFAULT:
        found = [codec_v3(name, item, dtype, explicit=explicit) for item in given]
        if None not in found:
            options["compressors"] = found
    filters = [codec_v3(name, item, dtype, explicit=explicit) for item in as_tuple(encoding.get("filters"))]
    options["filters"] = [codec for codec in filters if codec is not None] or None
    for serializer in as_tuple(encoding.get("serializer"))[:1]:
        codec = codec_v3(name, serializer, dtype, explicit=explicit)
        # the dtype determines the serializer of text, and may have changed since this one was inherited
        if codec is not None and (explicit or not is_vlen_text(dtype)):
            options["serializer"] = codec
    keys = encoding.get("chunk_key_encoding")
    if keys is not None:
        options["chunk_key_encoding"] = keys.to_dict() if hasattr(keys, "to_dict") else keys
    return options


# --- Zarr v2 ----------------------------------------------------------------------------------------------------------


def _options_v2(name: str, encoded: xr.Variable, encoding: Mapping[str, Any], explicit: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"fill_value": encoded.attrs.get("_FillValue")}
    given = _compressors(encoding)
    if given is not _DEFAULT:
        options.update(_compressor(name, given, explicit))
    filters = [codec_v2(name, item, explicit=explicit) for item in as_tuple(encoding.get("filters"))]
    options["filters"] = [codec for codec in filters if codec is not None] or None
    separator = _separator(name, encoding.get("chunk_key_encoding"), explicit=explicit)
    if separator is not None:
        options["dimension_separator"] = separator
    return options


def _compressor(name: str, given: tuple[Any, ...], explicit: bool) -> dict[str, Any]:
    """Return the option for the one compressor of Zarr v2; no option if it cannot be expressed."""
    if not given:
        return {"compressor": None}
    if len(given) > 1 and explicit:
        raise BadCompressorError(
            f"encoding of variable {name!r} has several compressors",
            path=name,
            expected="one compressor",
            found=given,
        )
    found = codec_v2(name, given[0], explicit=explicit) if len(given) == 1 else None
    return {} if found is None else {"compressor": found}


def _separator(name: str, value: Any, *, explicit: bool) -> str | None:
    if value is None:
        return None
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    if isinstance(value, Mapping) and value.get("name") == "v2":
        found = (value.get("configuration") or value).get("separator", ".")
        return str(found)
    if explicit:
        raise UnsupportedFormatError(
            f"encoding of variable {name!r}: this chunk_key_encoding needs Zarr v3",
            path=name,
            found=value,
            hint="pass zarr_format=3",
        )
    return None


# --- attributes ------------------------------------------------------------------------------------------------------


def attributes_as_json(owner: str, attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes with numpy values as JSON values; raise TypeError for one that cannot be stored."""
    found = {}
    for name, value in attrs.items():
        if not isinstance(name, str):
            raise ArgumentTypeError(f"attribute names are strings, but {owner} has {name!r}")
        try:
            found[name] = _as_json(value)
        except TypeError as error:
            raise ArgumentTypeError(f"attribute {name!r} of {owner} cannot be stored as JSON: {error}") from None
    return found


def added_attributes(
    present: Mapping[str, Any], attrs: Mapping[str, Any], coordinates: Sequence[str]
) -> dict[str, Any] | None:
    """Return the attributes of a stored group, extended by those of a dataset and by names of coordinates.

    Other attributes stay, including hidden ones such as NCZarr's. Returns None if nothing changes.
    """
    words = [
        word for text in (present.get("coordinates"), attrs.get("coordinates")) for word in str(text or "").split()
    ]
    found = {**present, **attrs}
    names = list(dict.fromkeys([*words, *coordinates]))
    if names:
        found["coordinates"] = " ".join(names)
    return None if found == present else found


def _as_json(value: Any) -> Any:
    if isinstance(value, (str, bool, int, float, type(None))) and not isinstance(value, np.generic):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        return _as_json(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    raise TypeError(f"{type(value).__name__} {value!r}")  # builtin: caught by the caller
