"""Random arrays, chunk shapes and selections of every mode."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

Case = tuple[Any, tuple[int, ...], tuple[int, ...]]


@st.composite
def grids(draw: st.DrawFn, min_dims: int = 0, max_dims: int = 4, min_side: int = 0) -> tuple[Any, Any]:
    shape = draw(st.lists(st.integers(min_side, 9), min_size=min_dims, max_size=max_dims))
    chunks = [draw(st.integers(1, n + 3)) for n in shape]
    return tuple(shape), tuple(chunks)


@st.composite
def integers(draw: st.DrawFn, length: int) -> Any:
    index = draw(st.integers(-length, length - 1))
    kind = draw(st.sampled_from([int, np.int8, np.int64, lambda i: np.array(i)]))
    return kind(index)


@st.composite
def slices(draw: st.DrawFn, length: int) -> slice:
    ends = st.none() | st.integers(-length - 2, length + 2)
    return slice(draw(ends), draw(ends), draw(st.none() | st.integers(1, length + 2)))


@st.composite
def integer_arrays(draw: st.DrawFn, length: int) -> Any:
    if length == 0:
        return np.empty(0, dtype=int)
    if draw(st.booleans()):  # covers every chunk whole, but in another order
        found = draw(st.permutations(range(length)))
    else:
        found = draw(st.lists(st.integers(-length, length - 1), max_size=2 * length))
    if draw(st.booleans()):
        return found
    return np.array(found, dtype=draw(st.sampled_from(["i1", "i4", ">i8"])))


@st.composite
def boolean_arrays(draw: st.DrawFn, shape: tuple[int, ...]) -> np.ndarray:
    seed = draw(st.integers(0, 2**32 - 1))
    share = draw(st.sampled_from([0.0, 0.2, 0.7, 1.0]))
    return np.random.default_rng(seed).random(shape) < share


def _with_ellipsis(draw: st.DrawFn, items: list[Any]) -> Any:
    """Perhaps replace a run of full slices, or let the end off, or unwrap a single item."""
    if draw(st.booleans()):
        place = draw(st.integers(0, len(items)))
        end = place
        while end < len(items) and isinstance(items[end], slice) and items[end] == slice(None):
            end += 1
        items = [*items[:place], Ellipsis, *items[end:]]
    elif items and isinstance(items[-1], slice) and items[-1] == slice(None):
        items = items[:-1]
    return items[0] if len(items) == 1 and draw(st.booleans()) else tuple(items)


@st.composite
def basic_cases(draw: st.DrawFn) -> Case:
    shape, chunks = draw(grids())
    items = []
    for length in shape:
        kinds = [st.just(slice(None)), slices(length)] + ([integers(length)] if length else [])
        items.append(draw(st.one_of(kinds)))
    return _with_ellipsis(draw, items), shape, chunks


@st.composite
def orthogonal_cases(draw: st.DrawFn) -> Case:
    shape, chunks = draw(grids(min_dims=1))
    items = []
    for length in shape:
        kinds = [st.just(slice(None)), slices(length), integer_arrays(length), boolean_arrays((length,))]
        items.append(draw(st.one_of(kinds + ([integers(length)] if length else []))))
    return _with_ellipsis(draw, items), shape, chunks


@st.composite
def coordinate_cases(draw: st.DrawFn) -> Case:
    shape, chunks = draw(grids(min_dims=1, max_dims=3, min_side=1))
    base = draw(st.lists(st.integers(0, 6), max_size=3))
    items = []
    for length in shape:
        sides = [side if draw(st.booleans()) else 1 for side in base]
        sides = sides[draw(st.integers(0, len(sides))) :]
        seed = draw(st.integers(0, 2**32 - 1))
        found = np.random.default_rng(seed).integers(-length, length, sides)
        items.append(found.tolist() if found.size and draw(st.booleans()) else found)
    return tuple(items), shape, chunks


@st.composite
def mask_cases(draw: st.DrawFn) -> Case:
    shape, chunks = draw(grids(min_dims=1))
    return draw(boolean_arrays(shape)), shape, chunks


@st.composite
def block_cases(draw: st.DrawFn) -> Case:
    shape, chunks = draw(grids())
    items = []
    for length, chunk in zip(shape, chunks, strict=True):
        count = -(-length // chunk)
        kinds: list[Any] = [st.just(slice(None))]
        if count:
            starts = st.none() | st.integers(-count, count - 1)
            kinds += [integers(count), st.builds(slice, starts, st.none() | st.integers(-count - 2, count + 2))]
        items.append(draw(st.one_of(kinds)))
    return _with_ellipsis(draw, items), shape, chunks


@st.composite
def masked_cases(draw: st.DrawFn) -> Case:
    """Masks of any number of dimensions, beside integers, integer arrays, slices, new axes and an ellipsis."""
    shape, chunks = draw(grids(max_dims=4))
    items: list[Any] = []
    count, axis = draw(st.integers(0, 3)), 0
    while axis < len(shape):
        kind = draw(st.sampled_from(["mask", "mask", "slice", "slice", "integer", "points"]))
        ndim = draw(st.integers(1, len(shape) - axis)) if kind == "mask" else 1
        items.append(_masked_item(draw, kind, shape[axis : axis + ndim], count))
        axis += ndim
    items = _with_ellipsis(draw, items)
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
