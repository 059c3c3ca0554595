"""Translate the experimental v3 layout of zarr-python 2.11 to 2.17 into Zarr v2 documents; reading only.

It shares the version number and the name ``zarr.json`` with Zarr v3, and nothing else: see `is_entry_point`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zarrds._base.types import JSON, Buf, Shape
from zarrds._format.jsondoc import Place, loads
from zarrds.errors import MetadataError, UnsupportedFormatError

__all__ = [
    "CONSOLIDATED_KEY",
    "ENTRY_POINT_KEY",
    "ArrayLayout",
    "array_document",
    "array_layout",
    "is_entry_point",
    "user_attributes",
]

ENTRY_POINT_KEY = "zarr.json"
CONSOLIDATED_KEY = "meta/root/consolidated/.zmetadata"

_SHARDING = "https://purl.org/zarr/spec/storage_transformers/sharding/1.0"


def is_entry_point(text: Buf) -> bool:
    """Return whether a ``zarr.json`` is of the experimental layout; the final format has a number as its version."""
    try:
        document = loads(text, ENTRY_POINT_KEY)
    except MetadataError:
        return False
    return (
        isinstance(document, dict) and "metadata_encoding" in document and isinstance(document.get("zarr_format"), str)
    )


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """Where the chunks of an array are.

    Attributes
    ----------
    ndim : int
        Number of dimensions.
    separator : str
        Text between the indices of a data key.
    shard : tuple of int or None
        Number of chunks in a shard along each dimension; None if each chunk is stored alone.
    """

    ndim: int
    separator: str
    shard: Shape | None


def array_layout(document: Mapping[str, JSON], where: str) -> ArrayLayout:
    """Return where the chunks of the array with that document are."""
    place = Place(where)
    shape = place.member("shape").expect_lengths(place.fetch(document, "shape"))
    grid = place.member("chunk_grid").expect_object(place.fetch(document, "chunk_grid"))
    separator = place.member("chunk_grid").member("separator").expect_choice(grid.get("separator", "/"), (".", "/"))
    return ArrayLayout(len(shape), separator, _shard(document, len(shape), place))


def _shard(document: Mapping[str, JSON], ndim: int, place: Place) -> Shape | None:
    here = place.member("storage_transformers")
    transformers = here.expect_list(document.get("storage_transformers") or [])
    if not transformers:
        return None
    members = here.item(0).expect_object(transformers[0])
    if len(transformers) > 1 or members.get("extension") != _SHARDING or members.get("type") != "indexed":
        raise UnsupportedFormatError(
            "storage transformer is not supported", key=place.key, expected=_SHARDING, found=members.get("extension")
        )
    configuration = here.item(0).member("configuration").expect_object(members.get("configuration"))
    inside = here.item(0).member("chunks_per_shard")
    counts = inside.expect_lengths(configuration.get("chunks_per_shard"))
    if len(counts) > ndim or 0 in counts:
        raise inside.error(f"at most {ndim} lengths of at least 1", list(counts))
    return (*counts, *[1] * (ndim - len(counts)))  # dimensions of sub-arrays do not count


def array_document(document: Mapping[str, JSON], where: str) -> dict[str, JSON]:
    """Return the equivalent Zarr v2 document; its chunk keys are joined by dots, wherever the chunks are."""
    place = Place(where)
    grid = place.member("chunk_grid").expect_object(place.fetch(document, "chunk_grid"))
    attributes = place.member("attributes").expect_object(document.get("attributes", {}))
    return {
        "chunks": place.member("chunk_grid").fetch(grid, "chunk_shape"),
        "compressor": _compressor(document, place),
        "dtype": _dtype(place.fetch(document, "data_type")),
        "fill_value": document.get("fill_value"),
        "filters": attributes.get("filters"),
        "order": document.get("chunk_memory_layout", "C"),
        "shape": place.fetch(document, "shape"),
        "zarr_format": 2,
    }


def _compressor(document: Mapping[str, JSON], place: Place) -> JSON:
    found = document.get("compressor")
    if found is None:
        return None
    here = place.member("compressor")
    members = here.expect_object(found)
    address = here.fetch(members, "codec")
    configuration = here.expect_object(members.get("configuration", {}))
    return {"id": str(address).rstrip("/").rsplit("/", 2)[-2] if "/" in str(address) else address, **configuration}


def _dtype(found: JSON) -> JSON:
    if isinstance(found, dict):
        return found.get("type")
    short = {"bool": "|b1", "i1": "|i1", "u1": "|u1"}
    return short.get(found, found) if isinstance(found, str) else found


def user_attributes(document: Mapping[str, Any], where: str) -> dict[str, JSON]:
    """Return the user's attributes, without the list of filters that this layout keeps among them."""
    found = Place(where).member("attributes").expect_object(document.get("attributes") or {})
    return {name: value for name, value in found.items() if name != "filters"}
