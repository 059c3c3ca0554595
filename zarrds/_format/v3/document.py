"""The documents of arrays and groups in Zarr v3, and changes to them.

Responsible for every member: refuses unknown members that must be understood, with an error that names the place; keeps
foreign members, with their spelling, when a document is written again. Codec configurations are passed on unchecked.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, cast

from zarrds._base.config import get_config
from zarrds._base.edges import Edges, Grid, is_regular, longest_chunk
from zarrds._base.types import JSON, Buf, Separator
from zarrds._format.jsondoc import Place, canonical, loads, to_json
from zarrds._format.meta import SHARDING, ArrayMeta, ChunkSpec, CodecSpec, GroupMeta, KeyEncoding
from zarrds._format.repair import parsed_or_repaired, repaired
from zarrds._format.v3.codec_names import SERIALIZERS, is_serializer
from zarrds._format.v3.complex_parts import with_codec, without_codec
from zarrds._format.v3.dtypes import dtype_to_v3, legacy_data_type, parse_data_type
from zarrds._format.v3.extension import (
    codec_specs,
    codecs_to_json,
    extension_to_json,
    is_ignorable,
    parse_extension,
)
from zarrds._format.v3.fills import fill_from_v3, fill_to_v3
from zarrds._format.v3.grids import grid_to_json, parse_grid, shapes_of, with_shapes
from zarrds._format.v3.long_lists import loads_node
from zarrds._format.v3.transformers import parse_transformers
from zarrds.errors import BadCompressorError, MetadataError, UnsupportedFormatError

__all__ = [
    "DOCUMENT_KEY",
    "array_from_document",
    "array_to_document",
    "changed_array",
    "changed_attributes",
    "checked_extra",
    "data_type_name",
    "dumps",
    "forget_documents",
    "group_from_document",
    "group_to_document",
    "kind_of_document",
    "kind_of_text",
    "parse_attributes",
    "parse_node",
    "split_codecs",
]

DOCUMENT_KEY = "zarr.json"

_ARRAY_MEMBERS = frozenset(
    [
        *("zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs"),
        *("attributes", "dimension_names", "storage_transformers"),
    ]
)
_GROUP_MEMBERS = frozenset({"zarr_format", "node_type", "attributes", "consolidated_metadata"})
_LONG = 1 << 16
"""Bytes from which a document is long."""
_SEPARATORS: dict[str, Separator] = {"default": "/", "v2": "."}


def dumps(document: JSON, where: str = DOCUMENT_KEY) -> bytes:
    """Return the text of a document as zarr-python 3 lays it out: indented by 2, members in their order, ASCII only."""
    shapes = shapes_of(document)
    if shapes is None:
        return json.dumps(to_json(document, where), indent=2).encode("ascii")
    return with_shapes(document, shapes, lambda rest: json.dumps(to_json(rest, where), indent=2)).encode("ascii")


# --- any node ---------------------------------------------------------------------------------------------------------


def parse_node(text: Buf, where: str) -> ArrayMeta | GroupMeta:
    """Parse a ``zarr.json`` document; `where` is its key, for the errors."""
    try:
        return _parsed_once(text)
    except MetadataError:
        # parse again, to name the place in the error
        return parsed_or_repaired(_from_document, loads(text, where), where)


def _parsed_once(text: Buf) -> ArrayMeta | GroupMeta:
    return (_parsed_short if len(text) < _LONG else _parsed_long)(bytes(text))


@lru_cache(maxsize=4096)
def _parsed_short(text: bytes) -> ArrayMeta | GroupMeta:
    return _parsed(text)


@lru_cache(maxsize=4)
def _parsed_long(text: bytes) -> ArrayMeta | GroupMeta:
    """Keep few, as text and metadata may have many megabytes, and others come each time an array grows."""
    return _parsed(text)


def _parsed(text: bytes) -> ArrayMeta | GroupMeta:
    return _from_document(loads_node(text, DOCUMENT_KEY), DOCUMENT_KEY)


def forget_documents() -> None:
    """Forget parsed documents, as a data type of another meaning may have been registered under a name in them."""
    _parsed_short.cache_clear()
    _parsed_long.cache_clear()


def _from_document(document: JSON, where: str) -> ArrayMeta | GroupMeta:
    is_array = kind_of_document(document, where)
    return array_from_document(document, where) if is_array else group_from_document(document, where)


def kind_of_document(document: JSON, where: str) -> bool:
    """Return whether a document is of an array, and not of a group."""
    place = Place(where)
    members = place.expect_object(document)
    found = place.fetch(members, "zarr_format")
    here = place.member("zarr_format")
    if isinstance(found, str):
        raise UnsupportedFormatError(
            "this is the experimental Zarr v3, which zarrds does not read yet", key=where, found=repr(found)
        )
    if here.expect_int(found) != 3:
        raise here.error("3", found)
    kind = place.fetch(members, "node_type")
    return place.member("node_type").expect_choice(kind, ("array", "group")) == "array"


def kind_of_text(text: Buf, where: str) -> bool:
    """Return whether a document is of an array, from its text; a long one is parsed once, as `parse_node` follows."""
    if len(text) >= _LONG:
        with suppress(MetadataError, UnsupportedFormatError):
            return isinstance(_parsed_once(text), ArrayMeta)
    return kind_of_document(loads(text, where), where)


def _extra(members: Mapping[str, JSON], known: frozenset[str], place: Place) -> str:
    """Return unknown members as JSON text; raise if one of them must be understood."""
    unknown = {name: value for name, value in members.items() if name not in known}
    for name, value in unknown.items():
        if not is_ignorable(value):
            raise UnsupportedFormatError(
                f"{place.member(name).name} is not understood, and does not say that it may be ignored",
                key=place.key or None,
                hint='an object with "must_understand": false may be',
            )
    return canonical(unknown)


def checked_extra(extra: str) -> str:
    """Return unknown members from elsewhere as JSON text, if a document of this format may have them; else raise."""
    members = json.loads(extra)
    taken = sorted((_ARRAY_MEMBERS | _GROUP_MEMBERS).intersection(members))
    if taken:
        raise UnsupportedFormatError("these names are reserved in Zarr v3", found=taken)
    return _extra(members, frozenset(), Place(""))


# --- arrays -----------------------------------------------------------------------------------------------------------


def array_from_document(document: JSON, where: str) -> ArrayMeta:
    """Return array metadata from a parsed document; MetadataError names what is wrong with it."""
    place = Place(where)
    members = place.expect_object(document)
    shape = place.member("shape").expect_lengths(place.fetch(members, "shape"))
    kind = parse_data_type(place.fetch(members, "data_type"), place.member("data_type"))
    filters, serializer, compressors = split_codecs(place.fetch(members, "codecs"), place.member("codecs"))
    if kind.codec is not None:
        filters, serializer = with_codec(kind.codec, filters, serializer)
    grid = parse_grid(place.fetch(members, "chunk_grid"), place.member("chunk_grid"), shape)
    chunk = ChunkSpec(
        shape=longest_chunk(grid),
        dtype=kind.dtype,
        fill=fill_from_v3(place.fetch(members, "fill_value"), kind, place.member("fill_value")),
        filters=filters,
        serializer=serializer,
        compressors=compressors,
    )
    _check_inner_chunks(chunk, grid, place.member("codecs").item(len(filters)))
    transformers = members.get("storage_transformers", [])
    place.member("attributes").expect_object(members.get("attributes", {}))
    return ArrayMeta(
        shape=shape,
        chunk=chunk,
        keys=_key_encoding(place.fetch(members, "chunk_key_encoding"), place.member("chunk_key_encoding")),
        zarr_format=3,
        dimension_names=_dimension_names(members, place, len(shape)),
        transformers=parse_transformers(transformers, place.member("storage_transformers")),
        extra=_extra(members, _ARRAY_MEMBERS, place),
        irregular=None if is_regular(grid) else grid,
    )


def _key_encoding(value: JSON, place: Place) -> KeyEncoding:
    found = parse_extension(value, place)
    if found.name not in _SEPARATORS or not found.must_understand:
        raise UnsupportedFormatError(
            f"{place.name} is of a kind that zarrds does not know",
            key=place.key or None,
            expected='"default" or "v2"',
            found=repr(found.name),
        )
    here = place.member("configuration").member("separator")
    separator = here.expect_choice(found.configuration.get("separator", _SEPARATORS[found.name]), (".", "/"))
    return KeyEncoding(cast(Separator, separator), "v2" if found.name == "v2" else "default", written=True)


def split_codecs(value: JSON, place: Place) -> tuple[tuple[CodecSpec, ...], CodecSpec, tuple[CodecSpec, ...]]:
    """Return filters, serializer and compressors of a codec pipeline, without unknown codecs that may be ignored."""
    known = codec_specs(value, place)
    places = [number for number, spec in enumerate(known) if is_serializer(spec.name)]
    if len(places) != 1:
        raise BadCompressorError(
            f"{place.name} must have exactly one codec that makes bytes of arrays",
            key=place.key or None,
            expected=f"one of {', '.join(sorted(SERIALIZERS))}",
            found=[spec.name for spec in known],
        )
    at = places[0]
    return known[:at], known[at], known[at + 1 :]


def _check_inner_chunks(chunk: ChunkSpec, grid: Grid, place: Place) -> None:
    """Check what `ArrayMeta.chunks` relies on; the codec itself checks that inner chunks divide a regular shard."""
    if chunk.serializer is None or chunk.serializer.name != SHARDING:
        return
    inside = place.member("configuration")
    lengths = inside.member("chunk_shape").expect_lengths(inside.fetch(chunk.serializer.configuration, "chunk_shape"))
    if chunk.filters:  # they may give the shard another shape
        return
    if len(lengths) != len(chunk.shape):
        raise inside.member("chunk_shape").error(f"{len(chunk.shape)} lengths, as many as in the shape", list(lengths))
    for axis, (edges, length) in enumerate(zip(grid, lengths, strict=True)):
        bad = [edge for edge in edges.distinct() if edge % length] if isinstance(edges, Edges) and length else []
        if bad:
            expected = f"a divisor of all lengths of shards, so of {bad[0]}"
            raise inside.member("chunk_shape").item(axis).error(expected, length)


def _dimension_names(members: Mapping[str, JSON], place: Place, ndim: int) -> tuple[str | None, ...] | None:
    value = members.get("dimension_names")
    if value is None:
        return None
    here = place.member("dimension_names")
    names = here.expect_list(value)
    if len(names) != ndim:
        raise here.error(f"{ndim} names, as many as in the shape", value)
    return tuple(None if name is None else here.item(n).expect_text(name) for n, name in enumerate(names))


def data_type_name(chunk: ChunkSpec) -> str | None:
    """Return the data type name of object chunks, which their dtype does not show; None for others."""
    if chunk.dtype.kind != "O":
        return None
    return "string" if chunk.fill.text is not None else "variable_length_bytes"


_OBJECTS = {"string": "string", "variable_length_bytes": "bytes"}
"""Names of data types of objects in documents."""


def array_to_document(meta: ArrayMeta, attributes: Mapping[str, JSON] | None = None) -> dict[str, JSON]:
    """Return the document of an array; raise UnsupportedFormatError or TypeError if Zarr v3 cannot express it."""
    chunk = meta.chunk
    if chunk.serializer is None or not chunk.fill.defined or chunk.order != "C":
        raise UnsupportedFormatError("Zarr v3 needs an array-to-bytes codec and a fill value", found=chunk)
    separator: JSON = meta.keys.separator
    converted, filters, serializer = without_codec(chunk.filters, chunk.serializer)
    document: dict[str, JSON] = {
        "shape": list(meta.shape),
        "data_type": converted or _OBJECTS.get(data_type_name(chunk) or "") or dtype_to_v3(chunk.dtype),
        "chunk_grid": grid_to_json(chunk.shape, meta.irregular),
        "chunk_key_encoding": extension_to_json(meta.keys.style, {"separator": separator}),
        "fill_value": fill_to_v3(chunk.fill, chunk.dtype, converted),
        "codecs": codecs_to_json([*filters, serializer, *chunk.compressors]),
        "attributes": dict(attributes or {}),
    }
    if get_config().v3_legacy_names:
        document["data_type"] = legacy_data_type(document["data_type"])
        if chunk.dtype.names is not None:
            document["fill_value"] = b64encode(chunk.fill.raw or b"").decode("ascii")
    if meta.dimension_names is not None:
        document["dimension_names"] = list(meta.dimension_names)
    document.update(zarr_format=3, node_type="array", storage_transformers=codecs_to_json(meta.transformers))
    return {**document, **json.loads(meta.extra)}


def changed_array(meta: ArrayMeta, present: Buf, where: str) -> dict[str, JSON]:
    """Return the document `present` with the changes of `meta`; everything else is kept as it is written there."""
    document = Place(where).expect_object(repaired(loads(present, where))[0])
    old, new = array_to_document(array_from_document(document, where)), array_to_document(meta)
    changed = {
        name: value for name, value in new.items() if name not in old or canonical(old[name]) != canonical(value)
    }
    return {**document, **changed}


# --- groups -----------------------------------------------------------------------------------------------------------


def group_from_document(document: JSON, where: str) -> GroupMeta:
    """Return group metadata from a parsed document."""
    place = Place(where)
    members = place.expect_object(document)
    place.member("attributes").expect_object(members.get("attributes", {}))
    return GroupMeta(zarr_format=3, extra=_extra(members, _GROUP_MEMBERS, place))


def group_to_document(meta: GroupMeta, attributes: Mapping[str, JSON] | None = None) -> dict[str, JSON]:
    """Return the document of a group."""
    return {"attributes": dict(attributes or {}), "zarr_format": 3, "node_type": "group", **json.loads(meta.extra)}


# --- attributes -------------------------------------------------------------------------------------------------------


def parse_attributes(text: Buf, where: str) -> dict[str, Any]:
    """Return the attributes from a document; `where` is its key, for the errors."""
    place = Place(where)
    members = place.expect_object(loads(text, where))
    return place.member("attributes").expect_object(members.get("attributes", {}))


def changed_attributes(attributes: Mapping[str, Any], present: Buf, where: str) -> bytes:
    """Return the text of `present` with other attributes; TypeError names an attribute that has no JSON form."""
    document = Place(where).expect_object(loads(present, where))
    return dumps({**document, "attributes": to_json(attributes, where)}, where)
