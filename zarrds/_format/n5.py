"""Attributes of N5 containers <-> documents of Zarr v2: what N5Mapping shows in place of ``attributes.json``.

N5 lists the fastest dimension first, so shapes are reversed. Its blocks are big-endian and have a header; the codec
"n5_wrapper" handles both, around the compressor that the attributes name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from zarrds._base.types import JSON
from zarrds._format.jsondoc import Place
from zarrds.errors import BadCompressorError, DTypeNotSupportedError, MetadataError

__all__ = [
    "ATTRIBUTES_KEY",
    "RESERVED",
    "VERSION",
    "array_document",
    "array_members",
    "is_array",
    "user_attributes",
    "with_user_attributes",
]

ATTRIBUTES_KEY = "attributes.json"
VERSION = "2.0.0"

_ARRAY_MEMBERS = frozenset({"dimensions", "blockSize", "dataType", "compression", "compressionType"})
_DOCUMENT_MEMBERS = ("shape", "chunks", "dtype", "compressor", "fill_value", "order", "filters")
RESERVED = _ARRAY_MEMBERS | {"n5"}
"""Reserved members, which user attributes cannot use."""

_STANDARD = frozenset(f"{kind}{bits}" for kind in ("uint", "int") for bits in (8, 16, 32, 64)) | {"float32", "float64"}
_OURS = frozenset({"bool", "float16"})
"""Data types that N5 does not have but zarr-python writes."""


def is_array(attributes: Mapping[str, JSON]) -> bool:
    """Return whether the attributes are those of an array."""
    return "dimensions" in attributes


# --- reading ----------------------------------------------------------------------------------------------------------


def array_document(attributes: Mapping[str, JSON], where: str) -> dict[str, JSON]:
    """Return the Zarr v2 document for the attributes of an array; MetadataError names what is wrong with them."""
    place = Place(where)
    shape = place.member("dimensions").expect_lengths(place.fetch(attributes, "dimensions"))
    chunks = place.member("blockSize").expect_lengths(place.fetch(attributes, "blockSize"))
    if len(chunks) != len(shape):
        raise place.member("blockSize").error(f"{len(shape)} lengths, as many as dimensions", list(chunks))
    name = place.fetch(attributes, "dataType")
    if not isinstance(name, str) or name not in _STANDARD | _OURS:
        raise place.member("dataType").error("data type of N5", name)
    dtype = np.dtype(name).newbyteorder("<").str
    wrapper: dict[str, JSON] = {
        "id": "n5_wrapper",
        "compressor_config": _compressor(attributes, place),
        "dtype": dtype,
        "chunk_shape": list(chunks[::-1]),
    }
    return {
        "chunks": list(chunks[::-1]),
        "compressor": wrapper,
        "dimension_separator": ".",
        "dtype": dtype,
        "fill_value": False if name == "bool" else 0,
        "filters": [],
        "order": "C",
        "shape": list(shape[::-1]),
        "zarr_format": 2,
    }


def _compressor(attributes: Mapping[str, JSON], place: Place) -> dict[str, JSON] | None:
    """Return the configuration of the codec; members may be missing, and old attributes contain only a name."""
    found = attributes.get("compression", {"type": attributes.get("compressionType")})
    here = place.member("compression")
    members = here.expect_object(found)
    kind = here.fetch(members, "type")
    if kind == "raw":
        return None
    if kind == "gzip":
        level = members.get("level", -1)
        return {"id": "zlib" if members.get("useZlib") else "gzip", "level": level}
    if kind == "bzip2":
        return {"id": "bz2", "level": members.get("blockSize", 8)}
    if kind == "xz":
        return {"id": "lzma", "format": 1, "check": -1, "preset": members.get("preset", 6), "filters": None}
    if kind == "zstd":
        return {"id": "zstd", "level": members.get("level", 3)}
    if kind == "blosc":
        names: dict[str, JSON] = {"cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}
        return {"id": "blosc", **{name: members.get(name, default) for name, default in names.items()}}
    others = {name: value for name, value in members.items() if name != "type"}
    if "id" in members:  # as zarr-python writes codecs that N5 does not know
        return others
    if kind == "lzma":  # zarr-python writes these options beside "xz", which has no member for them
        return {"id": "lzma", **others}
    raise BadCompressorError(
        "compression of this N5 array is not supported",
        key=here.key,
        codec=repr(kind),
        expected="raw, gzip, bzip2, xz, blosc or zstd",
    )


def user_attributes(attributes: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the attributes that are the user's."""
    return {name: value for name, value in attributes.items() if name not in RESERVED}


# --- writing ----------------------------------------------------------------------------------------------------------


def with_user_attributes(attributes: Mapping[str, JSON], user: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the attributes with the user's attributes replaced; reserved members stay as they are."""
    reserved = {name: value for name, value in attributes.items() if name in RESERVED}
    return {**reserved, **{name: value for name, value in user.items() if name not in RESERVED}}


def array_members(document: Mapping[str, Any], where: str) -> dict[str, JSON]:
    """Return the N5 members for a Zarr v2 array document; errors name what N5 cannot express."""
    place = Place(where)
    for name in _DOCUMENT_MEMBERS:
        place.fetch(document, name)
    dtype = _data_type(document["dtype"], where)
    _check_expressible(document, where)
    codec = document["compressor"]
    if codec is not None and codec.get("id") == "n5_wrapper":
        codec = codec["compressor_config"]
    return {
        "dimensions": list(document["shape"])[::-1],
        "blockSize": list(document["chunks"])[::-1],
        "dataType": dtype,
        "compression": _compression(codec),
    }


def _check_expressible(document: Mapping[str, Any], where: str) -> None:
    if document["fill_value"] not in (0, None):
        raise MetadataError("N5 has no fill values", key=where, expected=0, found=document["fill_value"])
    if document["order"] != "C":
        raise MetadataError("N5 has one order of elements", key=where, expected="C", found=document["order"])
    if document["filters"]:
        raise MetadataError("N5 has no filters", key=where, found=[codec["id"] for codec in document["filters"]])


def _data_type(text: Any, where: str) -> str:
    name = np.dtype(text).name if isinstance(text, str) else "structured"
    if name not in _STANDARD | _OURS:
        raise DTypeNotSupportedError(
            "data type is not supported by N5", key=where, expected=", ".join(sorted(_STANDARD)), found=text
        )
    return name


def _compression(codec: Mapping[str, Any] | None) -> dict[str, JSON]:
    if codec is None:
        return {"type": "raw"}
    kind = codec["id"]
    if kind in ("zlib", "gzip"):
        return {"type": "gzip", "level": codec["level"], "useZlib": kind == "zlib"}
    if kind == "bz2":
        return {"type": "bzip2", "blockSize": codec["level"]}
    if kind == "lzma" and codec.get("format") == 1 and codec.get("check") in (-1, 4) and not codec.get("filters"):
        return {"type": "xz", "preset": 6 if codec.get("preset") is None else codec["preset"]}
    if kind == "lzma":  # options that "xz" has no member for, written as zarr-python does
        preset = 6 if codec.get("preset") is None and not codec.get("filters") else codec.get("preset")
        return {"type": "lzma", **{name: value for name, value in codec.items() if name != "id"}, "preset": preset}
    if kind == "zstd":
        return {"type": "zstd", "level": codec["level"]}
    if kind == "blosc":
        return {"type": "blosc", **{name: codec[name] for name in ("cname", "clevel", "shuffle", "blocksize")}}
    return {"type": kind, **codec}
