"""Translate codecs between an xarray encoding and zarrds, in Zarr v2 and v3.

A codec may be an object of numcodecs or its configuration, an object of the zarr library, or a dictionary as in
``zarr.json``. With `explicit` the user passed the codec, and one that cannot be used is an error. Otherwise the
variable inherited it, and None is returned for a codec that is to be left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numcodecs
import numpy as np

from zarrds import Array
from zarrds.codecs import CodecSpec, codec_spec, codecs_of
from zarrds.errors import BadCompressorError
from zarrds.n5 import N5ChunkWrapper

__all__ = ["CodecDocument", "as_tuple", "codec_v2", "codec_v3", "encoding_of_codecs"]

_TEXT_CODECS = frozenset(["vlen-utf8", "vlen-bytes", "vlen-array", "json2", "msgpack2", "pickle", "categorize"])
_SHUFFLES = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}


class CodecDocument(dict[str, Any]):
    """Codec as a dictionary in the form of ``zarr.json``; the zarr library accepts it as a codec, too.

    Examples
    --------
    >>> from xarray_backend.codecs import CodecDocument
    >>> CodecDocument(name="zstd", configuration={"level": 1}).name
    'zstd'
    """

    @property
    def name(self) -> str:
        """Return the name of the codec."""
        return str(self["name"])

    @property
    def configuration(self) -> dict[str, Any]:
        """Return the configuration of the codec."""
        return dict(self.get("configuration", {}))

    def __getattr__(self, name: str) -> Any:
        """Return a member of the configuration, such as ``clevel``, as codec objects of the zarr library have them."""
        configuration = self.get("configuration", {})
        if name not in configuration:
            raise AttributeError(f"the codec has no {name!r}")  # builtin: what attributes raise
        return configuration[name]

    def to_dict(self) -> dict[str, Any]:
        """Return the codec as a plain dictionary."""
        return dict(self)

    __hash__ = None  # as that of dict

    def __eq__(self, other: object) -> bool:
        """Return whether the other is the same codec: as a dictionary, or as an object of the zarr library."""
        if hasattr(type(other), "to_dict") and hasattr(type(other), "is_fixed_size"):
            other = other.to_dict()  # type: ignore[attr-defined]
        return isinstance(other, Mapping) and _written_out(self) == _written_out(other)

    def __ne__(self, other: object) -> bool:
        return not self == other


def _written_out(codec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a codec in the form that always has a configuration."""
    return {"configuration": {}, **codec}


def encoding_of_codecs(array: Array) -> dict[str, Any]:
    """Return the codec entries of the encoding of an array; with shards, the codecs of the inner chunks."""
    if array.zarr_format == 2:
        compressors = tuple(codec for one in array.compressors for codec in _own(one))
        return {"compressors": compressors, "filters": tuple(array.filters or ())}
    pipeline = codecs_of(array)
    return {
        "compressors": tuple(map(_document, pipeline.compressors)),
        "filters": tuple(map(_document, pipeline.filters)),
        "serializer": _document(pipeline.serializer),
    }


def _own(compressor: Any) -> tuple[Any, ...]:
    """Return a compressor as a tuple; of the codec that makes blocks of N5, the compressor inside it, if there is one.

    Blocks of N5 have the shape of its chunks, and no place in Zarr.
    """
    if not isinstance(compressor, N5ChunkWrapper):
        return (compressor,)
    inside = compressor.compressor_config
    return () if inside is None else (numcodecs.get_codec(dict(inside)),)


def _document(spec: CodecSpec) -> CodecDocument:
    configuration = spec.configuration
    return (
        CodecDocument(name=spec.name, configuration=configuration) if configuration else CodecDocument(name=spec.name)
    )


def as_tuple(value: Any) -> tuple[Any, ...]:
    """Return codecs as a tuple; a single codec becomes a tuple of one, None and "auto" an empty one."""
    if value is None or (isinstance(value, str) and value == "auto"):
        return ()
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


# --- Zarr v3 ---------------------------------------------------------------------------------------------------------


def codec_v3(name: str, value: Any, dtype: np.dtype[Any], *, explicit: bool) -> CodecSpec | None:
    """Return the codec for the variable `name`; None also for codecs of text, which the dtype determines."""
    try:
        spec = codec_spec(value, np.dtype(object) if dtype.kind == "T" else dtype)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if not explicit:
            return None
        raise _bad(name, value, 3, "a codec as in zarr.json, of numcodecs or of the zarr library") from error
    return None if spec.name.removeprefix("numcodecs.") in _TEXT_CODECS else spec


# --- Zarr v2 ---------------------------------------------------------------------------------------------------------


def codec_v2(name: str, value: Any, *, explicit: bool) -> Any:
    """Return the numcodecs codec for the variable `name`; None also for codecs of text (the dtype determines them)."""
    try:
        codec = value if isinstance(value, numcodecs.abc.Codec) else numcodecs.get_codec(_configuration(value))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if not explicit:
            return None
        raise _bad(name, value, 2, "a numcodecs codec or its configuration") from error
    return None if codec.codec_id in _TEXT_CODECS else codec


def _bad(name: str, value: Any, number: int, expected: str) -> BadCompressorError:
    return BadCompressorError(
        f"encoding of variable {name!r} has a codec that Zarr v{number} cannot name",
        path=name,
        expected=expected,
        found=repr(value),
    )


def _configuration(value: Any) -> dict[str, Any]:
    """Return a numcodecs configuration made from one, from a Zarr v3 codec, or from an object that gives either."""
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    elif hasattr(value, "get_config"):
        value = value.get_config()
    if not isinstance(value, Mapping):
        raise TypeError(f"not a codec: {value!r}")  # builtin: caught by the caller
    if "id" in value:
        return dict(value)
    codec, given = str(value["name"]).removeprefix("numcodecs."), dict(value.get("configuration") or {})
    if codec == "zstd":
        return {"id": "zstd", "level": given.get("level", 0)}
    if codec == "blosc":
        given.pop("typesize", None)
        given["shuffle"] = _SHUFFLES.get(given.get("shuffle", 1), given.get("shuffle", 1))
    return {**given, "id": codec}
