"""From an xarray variable's encoding and attributes to what a stored array of format 2 is created with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numcodecs
import numpy as np
import xarray as xr

from xarray_backend._compat import is_vlen_text
from zarrds.errors import BadCompressorError, UnsupportedFormatError

__all__ = ["ARRAY_KEYS", "array_options", "attributes_as_json", "stored_dtype"]

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
"""Keys of an encoding that speak of the stored array; the others are used up by the CF encoding."""

_TEXT_CODECS = frozenset(["vlen-utf8", "vlen-bytes", "vlen-array", "json2", "msgpack2", "pickle", "categorize"])
_SHUFFLES = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}


def array_options(name: str, encoded: xr.Variable, *, explicit: bool) -> dict[str, Any]:
    """Keywords for creating the array of a CF-encoded variable, chunks left out.

    With `explicit` the encoding is what the user passed, and whatever cannot be used is an error; otherwise it came
    with the variable from elsewhere, and is dropped.
    """
    encoding = dict(encoded.encoding)
    if explicit:
        _refuse_unusable(name, encoding)
    options: dict[str, Any] = {"dtype": stored_dtype(encoded.dtype), "fill_value": encoded.attrs.get("_FillValue")}
    compressor = _compressor(name, encoding, explicit=explicit)
    if compressor is not _DEFAULT:
        options["compressor"] = compressor
    filters = [_codec(name, item, explicit=explicit) for item in _as_tuple(encoding.get("filters"))]
    options["filters"] = [f for f in filters if f is not None and f.codec_id not in _TEXT_CODECS] or None
    if explicit and encoding.get("order") is not None:
        options["order"] = encoding["order"]
    separator = _separator(name, encoding.get("chunk_key_encoding"), explicit=explicit)
    if separator is not None:
        options["dimension_separator"] = separator
    return options


def stored_dtype(dtype: np.dtype[Any]) -> Any:
    """The dtype to store: text of any length is asked for as `str`."""
    return str if is_vlen_text(dtype) else dtype


def _refuse_unusable(name: str, encoding: Mapping[str, Any]) -> None:
    left = {key for key, value in encoding.items() if not (key == "dtype" or (key == "_FillValue" and value is None))}
    unknown = sorted(map(str, left - ARRAY_KEYS))
    if unknown:
        raise ValueError(
            f"unexpected encoding for variable {name!r}: {', '.join(map(repr, unknown))}; known are those of CF and "
            f"{', '.join(sorted(ARRAY_KEYS))}"
        )
    if encoding.get("fill_value") is not None:
        raise ValueError(f"encoding of variable {name!r}: in format 2 pass CF's '_FillValue', not 'fill_value'")
    for key in ("shards", "serializer"):
        if encoding.get(key) not in (None, "auto"):
            raise UnsupportedFormatError(
                f"encoding of variable {name!r}: {key!r} needs Zarr format 3, which is not written yet", path=name
            )


# --- codecs ----------------------------------------------------------------------------------------------------------

_DEFAULT = object()


def _compressor(name: str, encoding: Mapping[str, Any], *, explicit: bool) -> Any:
    """The one compressor of format 2; None: none; `_DEFAULT`: what zarrds takes."""
    if "compressor" in encoding:
        given = encoding["compressor"]
    elif "compressors" in encoding:
        given = encoding["compressors"]
    else:
        return _DEFAULT
    if isinstance(given, str) and given in ("auto", "default"):
        return _DEFAULT
    codecs = _as_tuple(given)
    if not codecs:
        return None
    if len(codecs) > 1:
        if explicit:
            raise BadCompressorError(
                f"encoding of variable {name!r} has several compressors",
                path=name,
                expected="one compressor",
                found=given,
            )
        return _DEFAULT
    found = _codec(name, codecs[0], explicit=explicit)
    return _DEFAULT if found is None else found


def _as_tuple(value: Any) -> tuple[Any, ...]:
    if value is None or (isinstance(value, str) and value == "auto"):
        return ()
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _codec(name: str, value: Any, *, explicit: bool) -> Any:
    """A numcodecs codec from whatever names one; None for an inherited one that has no equal in format 2."""
    try:
        return value if isinstance(value, numcodecs.abc.Codec) else numcodecs.get_codec(_configuration(value))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if not explicit:
            return None
        raise BadCompressorError(
            f"encoding of variable {name!r} has a codec that format 2 cannot name",
            path=name,
            expected="a numcodecs codec or its configuration",
            found=repr(value),
        ) from error


def _configuration(value: Any) -> dict[str, Any]:
    """A numcodecs configuration from one, from a format 3 one, or from an object that gives either."""
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    elif hasattr(value, "get_config"):
        value = value.get_config()
    if not isinstance(value, Mapping):
        raise TypeError(f"not a codec: {value!r}")
    if "id" in value:
        return dict(value)
    codec, given = str(value["name"]).removeprefix("numcodecs."), dict(value.get("configuration") or {})
    if codec == "zstd":
        return {"id": "zstd", "level": given.get("level", 0)}
    if codec == "blosc":
        given.pop("typesize", None)
        given["shuffle"] = _SHUFFLES.get(given.get("shuffle", 1), given.get("shuffle", 1))
    return {**given, "id": codec}


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
            f"encoding of variable {name!r}: this chunk_key_encoding needs Zarr format 3", path=name, found=value
        )
    return None


# --- attributes ------------------------------------------------------------------------------------------------------


def attributes_as_json(owner: str, attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes with numpy values made JSON values; TypeError names the one that cannot be stored."""
    found = {}
    for name, value in attrs.items():
        if not isinstance(name, str):
            raise TypeError(f"attribute names are strings, but {owner} has {name!r}")
        try:
            found[name] = _as_json(value)
        except TypeError as error:
            raise TypeError(f"attribute {name!r} of {owner} cannot be stored as JSON: {error}") from None
    return found


def _as_json(value: Any) -> Any:
    if isinstance(value, (str, bool, int, float, type(None))) and not isinstance(value, np.generic):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        return _as_json(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    raise TypeError(f"{type(value).__name__} {value!r}")
