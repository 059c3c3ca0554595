"""What the page asks for: members of groups, one node, which chunks exist, a part of an array; all of bounded size."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import numpy as np

from zarrds._base.edges import shown_lengths
from zarrds._engine import stored_chunks
from zarrds._format import grid_shape
from zarrds._store import Store
from zarrds.cli.describe import codec_names, dimension_names, first_values, plain_values
from zarrds.cli.plotting import drawing_of, runs_up, with_coordinates
from zarrds.cli.printing import size_of
from zarrds.cli.selecting import parsed_items
from zarrds.convenience import open as open_node
from zarrds.core import Array
from zarrds.errors import ArgumentError, MetadataError, NotListableError, PathNotFoundError
from zarrds.hierarchy import Group

__all__ = ["Answers"]

_MOST_MEMBERS = 2000
_MOST_CHUNKS = 200_000
_MOST_CELLS = 64
_MOST_PIXELS = 512
_MOST_VALUES = 100


class Answers:
    """Answers to the page about one store.

    Parameters
    ----------
    store : Store
        What is shown.
    name : str
        How it is called.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self._kinds: dict[str, Callable[[Array | Group, Mapping[str, str]], dict[str, Any]]] = {
            "members": self._members,
            "node": self._node,
            "chunks": _chunks,
            "part": self._part,
        }

    def answer(self, name: str, given: Mapping[str, str]) -> dict[str, Any]:
        """Return the answer to a question with the parameters of its URL, ``path`` among them."""
        if name not in self._kinds:
            raise PathNotFoundError(f"there is nothing called {name!r}")
        node = open_node(self._store, mode="r", path=given.get("path", ""))
        return self._kinds[name](node, given)

    def _members(self, node: Array | Group, given: Mapping[str, str]) -> dict[str, Any]:
        if isinstance(node, Array):
            return {"members": [], "more": 0}
        members, failed = node.open_members()
        every: dict[str, Any] = dict(sorted({**members, **failed}.items()))
        shown = [_line(name, member) for name, member in islice(every.items(), _MOST_MEMBERS)]
        return {"members": shown, "more": len(every) - len(shown)}

    def _node(self, node: Array | Group, given: Mapping[str, str]) -> dict[str, Any]:
        found = {
            "store": self._name,
            "path": node.path,
            "type": "array" if isinstance(node, Array) else "group",
            "attributes": node.attrs.asdict(),
            "facts": _facts(node),
        }
        if not isinstance(node, Array):
            return found
        names = dimension_names(node) or [None] * node.ndim
        return {
            **found,
            "shape": list(node.shape),
            "dimensions": [name or f"dim {axis}" for axis, name in enumerate(names)],
            "drawable": node.dtype.kind in "biufmMc" and node.ndim > 0 and node.size > 0,
        }

    def _part(self, node: Array | Group, given: Mapping[str, str]) -> dict[str, Any]:
        """Return a line or a map of at most 512 x 512 numbers as base64 of float32; of other types the first values."""
        array = _array(node)
        if array.dtype.kind not in "biufmMc" or not array.ndim or not array.size:
            values = plain_values(first_values(array, _MOST_VALUES))
            return {"values": [str(value) for value in values], "more": array.size > len(values)}
        text = given.get("at", "")
        drawing = drawing_of(array, parsed_items(text) if text else None, {}, _MOST_PIXELS)
        drawing = with_coordinates(drawing, array, lambda path: open_node(self._store, mode="r", path=path))
        finite = drawing.values[np.isfinite(drawing.values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (None, None)
        return {
            "title": drawing.title,
            "label": drawing.label,
            "shape": list(drawing.values.shape),
            "axes": [{"name": name, "values": at.tolist()} for name, at in drawing.axes],
            "up": drawing.values.ndim == 2 and runs_up(drawing),
            "step": drawing.step,
            "min": low,
            "max": high,
            "data": base64.b64encode(drawing.values.astype("<f4").tobytes()).decode("ascii"),
        }


def _line(name: str, member: Any) -> dict[str, Any]:
    if isinstance(member, MetadataError):
        return {"name": name, "type": "error", "note": str(member)}
    if isinstance(member, Array):
        return {"name": name, "path": member.path, "type": "array", "note": f"{member.shape} {member.dtype}"}
    return {"name": name, "path": member.path, "type": "group", "note": ""}


def _facts(node: Array | Group) -> list[tuple[str, str]]:
    if not isinstance(node, Array):
        return [("Format", f"Zarr v{node.zarr_format}"), ("Kind", "group")]
    names, meta = dimension_names(node), node.source().meta
    return [
        ("Format", f"Zarr v{node.zarr_format}"),
        ("Data type", str(node.dtype)),
        ("Shape", " x ".join(map(str, node.shape)) or "a single value"),
        *([("Dimensions", ", ".join(name or "-" for name in names))] if names else []),
        ("Chunks", " x ".join(map(shown_lengths, meta.chunks)) or "1"),
        *([("Shards", " x ".join(map(shown_lengths, meta.shards)))] if meta.shards else []),
        ("Codecs", ", ".join(codec_names(node)) or "none"),
        ("Fill value", str(node.fill_value)),
        ("Bytes", size_of(node.nbytes)),
    ]


def _chunks(node: Array | Group, given: Mapping[str, str]) -> dict[str, Any]:
    """Return how many chunks are stored in each cell of a map of the last two dimensions, at most 64 x 64 cells."""
    array = _array(node)
    source = array.source().open()
    grid = grid_shape(source.meta.shape, source.meta.write_unit)
    rows, columns = (1, 1, *grid)[-2:]
    down, across = min(rows, _MOST_CELLS), min(columns, _MOST_CELLS)
    found: dict[str, Any] = {"rows": down, "columns": across, "grid": list(grid), "total": array.nchunks}
    each = array.nchunks / max(1, down * across)
    try:
        stored = list(islice(stored_chunks(source), _MOST_CHUNKS + 1))
    except NotListableError:
        return {**found, "stored": None, "cells": None}
    cells = Counter(
        (y * down // max(1, rows), x * across // max(1, columns)) for *_, y, x in ((0, 0, *at) for at in stored)
    )
    shares = [[min(1.0, round(cells[y, x] / each, 3)) for x in range(across)] for y in range(down)]
    return {**found, "stored": len(stored), "more": len(stored) > _MOST_CHUNKS, "cells": shares}


def _array(node: Array | Group) -> Array:
    if isinstance(node, Array):
        return node
    raise ArgumentError("this is a group, not an array", path=node.path or "/")
