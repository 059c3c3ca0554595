"""Chunk grids in documents of Zarr v3: `regular`, `rectilinear`, and the other spellings of these two."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from zarrds._base.edges import Edges, Grid
from zarrds._base.types import JSON, Chunks, Shape
from zarrds._format.jsondoc import Place
from zarrds._format.v3.extension import Extension, extension_to_json, parse_extension
from zarrds.errors import ArgumentError, MetadataError, UnsupportedFormatError

__all__ = ["grid_to_json", "parse_grid", "shapes_of", "with_shapes"]

_KNOWN = ("regular", "rectilinear", "rectangular", "zarrs.regular_bounded")


def parse_grid(value: JSON, place: Place, shape: Shape) -> Grid:
    """Return the lengths of the chunks along each dimension from the member `chunk_grid`.

    `rectangular` is the draft before `rectilinear`; in `zarrs.regular_bounded` the last chunk ends with the array.
    """
    found = parse_extension(value, place)
    if found.name not in _KNOWN or not found.must_understand:
        raise UnsupportedFormatError(
            f"{place.name} is of a kind that zarrds does not know",
            key=place.key or None,
            expected=" or ".join(f'"{name}"' for name in _KNOWN),
            found=repr(found.name),
        )
    inside = place.member("configuration")
    if found.name == "rectilinear":
        return _rectilinear(found, inside, shape)
    here = inside.member("chunk_shape")
    lengths = inside.fetch(found.configuration, "chunk_shape")
    if found.name == "rectangular":
        return _grid(lengths, here, shape)
    chunks = here.expect_lengths(lengths)
    if len(chunks) != len(shape) or 0 in chunks:
        raise here.error(f"{len(shape)} lengths of at least 1, as many as in the shape", list(chunks))
    return chunks if found.name == "regular" else tuple(map(_bounded, shape, chunks))


def _rectilinear(found: Extension, inside: Place, shape: Shape) -> Grid:
    kind = inside.fetch(found.configuration, "kind")
    if kind != "inline":
        message = f"{inside.member('kind').name} is not known"
        raise UnsupportedFormatError(message, key=inside.key or None, expected='"inline"', found=repr(kind))
    return _grid(inside.fetch(found.configuration, "chunk_shapes"), inside.member("chunk_shapes"), shape)


def _grid(value: JSON, place: Place, shape: Shape) -> Grid:
    items = place.expect_list(value)
    if len(items) != len(shape):
        raise place.error(f"{len(shape)} dimensions, as many as in the shape", f"{len(items)} dimensions")
    place.expect_lengths([0] * len(items))  # not too many
    return tuple([_edges(item, place.item(axis), shape[axis]) for axis, item in enumerate(items)])


def _edges(value: Any, place: Place, length: int) -> int | Edges:
    if isinstance(value, Edges):
        return _reaching(value, place, length)
    if not isinstance(value, list):
        (one,) = place.expect_lengths([value])
        if not one:
            raise place.error("a length of at least 1", value)
        return one
    try:
        edges = Edges.of(value if value or length else [1])  # no lengths, as nothing is in the array
    except ArgumentError as error:
        raise MetadataError(
            f"{place.name} has no lengths of chunks", key=place.key or None, expected=error.expected, found=error.found
        ) from None
    return _reaching(edges, place, length)


def _reaching(edges: Edges, place: Place, length: int) -> Edges:
    if edges.total < length:
        raise place.error(f"lengths with a sum of at least {length}, the length of the dimension", edges.total)
    return edges


def _bounded(length: int, chunk: int) -> int | Edges:
    """Return the edges of a regular dimension whose last chunk is stored no longer than it is inside the array."""
    count, rest = divmod(length, chunk)
    return Edges.of([pair for pair in ((chunk, count), (rest, 1)) if all(pair)]) if rest else chunk


def grid_to_json(regular: Chunks, irregular: Grid | None) -> dict[str, JSON]:
    """Return the member `chunk_grid`."""
    if irregular is None:
        return extension_to_json("regular", {"chunk_shape": list(regular)})
    shapes: list[JSON] = [edges.to_json() if isinstance(edges, Edges) else edges for edges in irregular]
    return extension_to_json("rectilinear", {"kind": "inline", "chunk_shapes": shapes})


def shapes_of(document: Any) -> list[Any] | None:
    """Return the lists of lengths in the document of an array with a rectilinear grid; None for others."""
    grid = document.get("chunk_grid") if isinstance(document, Mapping) else None
    inside = grid.get("configuration") if isinstance(grid, Mapping) else None
    shapes = inside.get("chunk_shapes") if isinstance(inside, Mapping) else None
    return shapes if isinstance(shapes, list) else None


def with_shapes(document: Any, shapes: list[Any], text_of: Callable[[Any], str]) -> str:
    """Return the text of a document whose lists of lengths are on one line: one line for each would be very many."""
    grid, mark = document["chunk_grid"], "lengths of chunks"
    while True:
        inside = {**grid["configuration"], "chunk_shapes": mark}
        text = text_of({**document, "chunk_grid": {**grid, "configuration": inside}})
        if text.count(f'"{mark}"') == 1:
            return text.replace(f'"{mark}"', json.dumps(shapes))
        mark += "'"  # the document has this text elsewhere
