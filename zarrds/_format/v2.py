"""Documents of Zarr v2: ``.zarray``, ``.zgroup``, ``.zattrs`` <-> values.

Responsible for every member of these documents: refuses malformed ones with an error that names the place, and writes
back what was read, unknown members included. Codec configurations are passed on unchecked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from zarrds._base.types import JSON, Buf, Chunks, Order, Separator, Shape
from zarrds._format.dtypes import dtype_from_v2, dtype_to_v2
from zarrds._format.fills import fill_from_v2, fill_to_v2
from zarrds._format.jsondoc import MAX_NDIM, Place, canonical, dumps, loads
from zarrds._format.meta import ArrayMeta, ChunkSpec, CodecSpec, GroupMeta, KeyEncoding
from zarrds._format.repair import parsed_or_repaired
from zarrds.errors import MetadataError, UnsupportedFormatError

__all__ = [
    "ARRAY_KEY",
    "ATTRS_KEY",
    "GROUP_KEY",
    "array_from_document",
    "array_to_document",
    "format_array",
    "format_attributes",
    "format_group",
    "group_from_document",
    "group_to_document",
    "parse_array",
    "parse_attributes",
    "parse_group",
]

ARRAY_KEY = ".zarray"
GROUP_KEY = ".zgroup"
ATTRS_KEY = ".zattrs"

_ARRAY_MEMBERS = frozenset(
    ["chunks", "compressor", "dimension_separator", "dtype", "fill_value", "filters", "order", "shape", "zarr_format"]
)
_FORMAT_HINTS = {
    1: "metadata of Zarr v1 belongs under the key 'meta'",
    3: "metadata of Zarr v3 belongs under the key 'zarr.json'",
}


# --- arrays -----------------------------------------------------------------------------------------------------------


def parse_array(text: Buf, where: str) -> ArrayMeta:
    """Parse a ``.zarray`` document; `where` is its key, for the errors."""
    try:
        return _parsed(bytes(text))
    except MetadataError:
        # parse again, to name the place in the error
        return parsed_or_repaired(array_from_document, loads(text, where), where)


@lru_cache(maxsize=4096)
def _parsed(text: bytes) -> ArrayMeta:
    # equal texts are common: the same array opened again, many arrays of one kind
    return array_from_document(loads(text, ARRAY_KEY), ARRAY_KEY)


@lru_cache(maxsize=4096)
def format_array(meta: ArrayMeta) -> bytes:
    """Return the text of a ``.zarray`` document; cached, since many arrays of a hierarchy have equal metadata."""
    return dumps(array_to_document(meta), ARRAY_KEY)


def array_from_document(document: JSON, where: str) -> ArrayMeta:
    """Return array metadata from a parsed ``.zarray`` document; MetadataError names what is wrong with it."""
    place = Place(where)
    members = place.expect_object(document)
    _check_format(members, place)
    dtype, sub_shape = dtype_from_v2(place.fetch(members, "dtype"), where)
    shape, chunks = _shape_and_chunks(members, place)
    if len(shape + sub_shape) > MAX_NDIM:
        raise place.member("dtype").error(f"at most {MAX_NDIM} dimensions with those of the shape", members["dtype"])
    order = place.member("order").expect_choice(place.fetch(members, "order"), ("C", "F"))
    compressor = _codec(place.fetch(members, "compressor"), place.member("compressor"))
    chunk = ChunkSpec(
        shape=chunks + sub_shape,
        dtype=dtype,
        fill=fill_from_v2(place.fetch(members, "fill_value"), dtype, where),
        order=cast(Order, order),
        filters=_filters(members, place),
        compressors=() if compressor is None else (compressor,),
    )
    return ArrayMeta(shape + sub_shape, chunk, _key_encoding(members, place), extra=_extra(members, _ARRAY_MEMBERS))


def array_to_document(meta: ArrayMeta) -> dict[str, JSON]:
    """Return the ``.zarray`` document of an array; raise UnsupportedFormatError if Zarr v2 cannot express it."""
    _check_expressible(meta)
    chunk = meta.chunk
    document: dict[str, JSON] = dict(json.loads(meta.extra))
    document.update(
        chunks=list(chunk.shape),
        compressor=_codec_to_json(chunk.compressors[0]) if chunk.compressors else None,
        dtype=dtype_to_v2(chunk.dtype),
        fill_value=fill_to_v2(chunk.fill, chunk.dtype),
        filters=[_codec_to_json(codec) for codec in chunk.filters] or None,
        order=chunk.order,
        shape=list(meta.shape),
        zarr_format=2,
    )
    if meta.keys.written:
        document["dimension_separator"] = meta.keys.separator
    return document


def _check_expressible(meta: ArrayMeta) -> None:
    if meta.chunk.serializer is not None:
        raise UnsupportedFormatError("Zarr v2 has no array-to-bytes codecs", codec=meta.chunk.serializer.name)
    if len(meta.chunk.compressors) > 1:
        raise UnsupportedFormatError(
            "Zarr v2 has one compressor at most", found=[codec.name for codec in meta.chunk.compressors]
        )
    if meta.keys.style != "v2" or (meta.keys.separator != "." and not meta.keys.written):
        raise UnsupportedFormatError(
            "Zarr v2 cannot express these chunk keys", expected="keys like 0.1", found=meta.keys
        )


def _check_format(members: Mapping[str, JSON], place: Place) -> None:
    found = place.fetch(members, "zarr_format")
    here = place.member("zarr_format")
    if here.expect_int(found) != 2:
        raise here.error("2", found, hint=_FORMAT_HINTS.get(cast(int, found)))


def _shape_and_chunks(members: Mapping[str, JSON], place: Place) -> tuple[Shape, Chunks]:
    shape = place.member("shape").expect_lengths(place.fetch(members, "shape"))
    chunks = place.member("chunks").expect_lengths(place.fetch(members, "chunks"))
    if len(chunks) != len(shape):
        raise place.member("chunks").error(f"{len(shape)} chunk lengths, as many as in the shape", list(chunks))
    if any(chunk == 0 < length for length, chunk in zip(shape, chunks, strict=True)):
        raise place.member("chunks").error("lengths of at least 1", list(chunks))
    return shape, tuple(chunk or 1 for chunk in chunks)  # a 0 comes from dimensions of length 0, which have no chunks


def _codec(value: JSON, place: Place) -> CodecSpec | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise place.error("null or a codec object", value)
    name = place.member("id").expect_text(place.fetch(value, "id"))
    return CodecSpec.of(name, {key: item for key, item in value.items() if key != "id"})


def _codec_to_json(codec: CodecSpec) -> JSON:
    return {**codec.configuration, "id": codec.name}


def _filters(members: Mapping[str, JSON], place: Place) -> tuple[CodecSpec, ...]:
    value, here = place.fetch(members, "filters"), place.member("filters")
    if value is None:
        return ()
    codecs = [_codec(item, here.item(index)) for index, item in enumerate(here.expect_list(value))]
    if None in codecs:
        raise here.item(codecs.index(None)).error("codec object", None)
    return tuple(codec for codec in codecs if codec is not None)


def _key_encoding(members: Mapping[str, JSON], place: Place) -> KeyEncoding:
    if "dimension_separator" not in members:
        return KeyEncoding()
    here = place.member("dimension_separator")
    separator = here.expect_choice(members["dimension_separator"], (".", "/"))
    return KeyEncoding(cast(Separator, separator), "v2", written=True)


def _extra(members: Mapping[str, JSON], known: frozenset[str]) -> str:
    return canonical({name: value for name, value in members.items() if name not in known})


# --- groups -----------------------------------------------------------------------------------------------------------


def parse_group(text: Buf, where: str) -> GroupMeta:
    """Parse a ``.zgroup`` document; `where` is its key, for the errors."""
    return group_from_document(loads(text, where), where)


def format_group(meta: GroupMeta) -> bytes:
    """Return the text of a ``.zgroup`` document."""
    return dumps(group_to_document(meta), GROUP_KEY)


def group_from_document(document: JSON, where: str) -> GroupMeta:
    """Return group metadata from a parsed ``.zgroup`` document."""
    place = Place(where)
    members = place.expect_object(document)
    _check_format(members, place)
    return GroupMeta(extra=_extra(members, frozenset({"zarr_format"})))


def group_to_document(meta: GroupMeta) -> dict[str, JSON]:
    """Return the ``.zgroup`` document of a group."""
    return {**json.loads(meta.extra), "zarr_format": 2}


# --- attributes -------------------------------------------------------------------------------------------------------


def parse_attributes(text: Buf, where: str) -> dict[str, Any]:
    """Return the attributes from a ``.zattrs`` document; `where` is its key, for the errors."""
    return Place(where).expect_object(loads(text, where))


def format_attributes(attributes: Mapping[str, Any], where: str) -> bytes:
    """Return the text of a ``.zattrs`` document; TypeError names the attribute that has no JSON form."""
    return dumps(attributes, where)
