"""Random arrays, chunk shapes and selections of every mode."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from zarrds.testing.selecting import abbreviated
from zarrds.testing.strategies import (
    basic_selections,
    block_selections,
    boolean_arrays,
    chunk_grids,
    coordinate_selections,
    integers,
    orthogonal_selections,
    slices,
)

Case = tuple[Any, tuple[int, ...], tuple[int, ...]]


@st.composite
def basic_cases(draw: st.DrawFn) -> Case:
    shape, chunks = draw(chunk_grids())
    return draw(basic_selections(shape)), shape, chunks


@st.composite
def orthogonal_cases(draw: st.DrawFn) -> Case:
    shape, chunks = draw(chunk_grids(min_dims=1))
    return draw(orthogonal_selections(shape)), shape, chunks


@st.composite
def coordinate_cases(draw: st.DrawFn) -> Case:
    shape, chunks = draw(chunk_grids(min_dims=1, max_dims=3, min_side=1))
    return draw(coordinate_selections(shape)), shape, chunks


@st.composite
def mask_cases(draw: st.DrawFn) -> Case:
    shape, chunks = draw(chunk_grids(min_dims=1))
    return draw(boolean_arrays(shape)), shape, chunks


@st.composite
def block_cases(draw: st.DrawFn) -> Case:
    shape, chunks = draw(chunk_grids())
    return draw(block_selections(shape, chunks)), shape, chunks


@st.composite
def masked_cases(draw: st.DrawFn) -> Case:
    """Masks of any number of dimensions, beside integers, integer arrays, slices, new axes and an ellipsis."""
    shape, chunks = draw(chunk_grids(max_dims=4))
    items: list[Any] = []
    count, axis = draw(st.integers(0, 3)), 0
    while axis < len(shape):
        kind = draw(st.sampled_from(["mask", "mask", "slice", "slice", "integer", "points"]))
        ndim = draw(st.integers(1, len(shape) - axis)) if kind == "mask" else 1
        items.append(_masked_item(draw, kind, shape[axis : axis + ndim], count))
        axis += ndim
    items = abbreviated(draw, items)
    items = list(items) if isinstance(items, tuple) else [items]
    for _ in range(draw(st.integers(0, 2))):
        more = [None, np.array(draw(st.booleans())), np.bool_(True)]
        items.insert(draw(st.integers(0, len(items))), draw(st.sampled_from(more)))
    if not any(_is_mask(item) for item in items):
        items.insert(0, np.True_)
    return tuple(items) if len(items) > 1 or draw(st.booleans()) else items[0], shape, chunks


def _masked_item(draw: st.DrawFn, kind: str, shape: tuple[int, ...], count: int) -> Any:
    """An item for dimensions of those lengths; masks and points of `count` positions, where so many fit."""
    if kind == "mask":
        found = np.zeros(shape, dtype=bool)
        places = draw(st.lists(st.integers(0, found.size - 1), max_size=count, min_size=count)) if found.size else []
        found.reshape(-1)[places] = True
        return found.tolist() if len(shape) == 1 and found.size and draw(st.booleans()) else found
    if kind == "slice" or not shape[0]:
        return draw(slices(shape[0]))
    if kind == "integer":
        return draw(integers(shape[0]))
    found = (
        draw(st.lists(st.integers(-shape[0], shape[0] - 1), min_size=count, max_size=count, unique=True))
        if count <= shape[0]
        else [0]
    )
    return np.array(found, int).reshape(draw(st.sampled_from([(len(found),), (1, len(found))])))


def _is_mask(item: Any) -> bool:
    return item is not None and item is not Ellipsis and not isinstance(item, slice) and np.asarray(item).dtype == bool
