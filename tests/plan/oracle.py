"""A chunked copy of an array in memory: carries plans out by the book, for comparison with numpy."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np

from zarrds._plan.mixed import MixedPlan
from zarrds._plan.normalize import expand_selection
from zarrds._plan.parts import put, take
from zarrds._plan.plan import Plan

Chunked = dict[tuple[int, ...], np.ndarray]


def grid_counts(shape: tuple[int, ...], chunks: tuple[int, ...]) -> list[int]:
    return [-(-n // c) for n, c in zip(shape, chunks, strict=True)]


def split(array: np.ndarray, chunks: tuple[int, ...], *, padding: int = -99) -> Chunked:
    """Full-sized chunks, as they are stored: what lies beyond the array is `padding`."""
    found = {}
    for coords in product(*map(range, grid_counts(array.shape, chunks))):
        chunk = np.full(chunks, padding, dtype=array.dtype)
        inside = array[tuple(slice(i * c, (i + 1) * c) for i, c in zip(coords, chunks, strict=True))]
        chunk[tuple(slice(0, n) for n in inside.shape)] = inside
        found[coords] = chunk
    return found


def join(chunked: Chunked, shape: tuple[int, ...], chunks: tuple[int, ...]) -> np.ndarray:
    array = np.empty(shape, dtype=np.int64)
    for coords, chunk in chunked.items():
        region = tuple(slice(i * c, (i + 1) * c) for i, c in zip(coords, chunks, strict=True))
        array[region] = chunk[tuple(slice(0, n) for n in array[region].shape)]
    return array


def read(plan: Plan, chunked: Chunked) -> np.ndarray:
    """Assemble the result, and check that every element of it is filled once."""
    out = np.full(plan.work_shape, -1, dtype=np.int64)
    filled = np.zeros(plan.work_shape, dtype=np.int64)
    for projection in plan:
        found = take(chunked[projection.coords], projection.chunk_part, plan.drop_axes)
        assert found.shape == filled[(*projection.out_part, ...)].shape
        out[projection.out_part] = found
        filled[projection.out_part] += 1
    assert (filled == 1).all()
    return out.reshape(plan.result_shape)


def write(plan: Plan, chunked: Chunked, value: np.ndarray) -> None:
    """Scatter a value; chunks that are covered whole start from rubbish."""
    value = np.broadcast_to(value, plan.result_shape).reshape(plan.work_shape)
    for coords, chunk_part, out_part, whole in plan:
        if whole:
            chunked[coords][...] = -7
        put(chunked[coords], chunk_part, value[(*out_part, ...)], plan.drop_axes)


def check_projections(plan: Plan, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
    """The promises of `Plan`: order, count, repeatability, and `whole` against a count of covered elements."""
    projections = list(plan)
    coords = [projection.coords for projection in projections]
    assert (sorted(coords) if isinstance(plan, MixedPlan) else coords) == sorted(set(coords))
    assert len(coords) == len(plan) == len(list(plan))
    assert str(plan.single()) == str(projections[0] if len(projections) == 1 else None)
    if plan.plain:
        assert not any(isinstance(part, np.ndarray) for p in projections for part in (*p.chunk_part, *p.out_part))
    for projection in projections:
        assert projection.whole is is_whole_by_count(projection, shape, chunks)
        assert all(type(index) is int for index in projection.coords)
        assert len(projection.chunk_part) == len(shape)
        assert len(projection.out_part) == len(plan.work_shape)


def is_whole_by_count(projection: Any, shape: tuple[int, ...], chunks: tuple[int, ...]) -> bool:
    counts = np.zeros(chunks, dtype=np.int64)
    np.add.at(counts, projection.chunk_part, 1)
    valid = tuple(slice(0, min(c, n - i * c)) for i, c, n in zip(projection.coords, chunks, shape, strict=True))
    assert counts.sum() == counts[valid].sum(), "a part reaches beyond the array"
    assert counts.any()
    return bool((counts[valid] == 1).all())


def numbered(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(prod(shape), dtype=np.int64).reshape(shape)


def outer_index(selection: Any, shape: tuple[int, ...]) -> tuple[Any, tuple[int, ...]]:
    """The open mesh that numpy needs for outer indexing, and the axes of integers."""
    arrays, dropped = [], []
    for axis, (item, length) in enumerate(zip(expand_selection(selection, len(shape)), shape, strict=True)):
        if not isinstance(item, slice | list) and np.ndim(item) == 0:
            dropped.append(axis)
            item = [item]
        elif isinstance(item, list) and not item:
            item = slice(0)
        arrays.append(np.arange(length)[item])
    return np.ix_(*arrays), tuple(dropped)


def block_index(selection: Any, shape: tuple[int, ...], chunks: tuple[int, ...]) -> Any:
    index = []
    for item, length, chunk in zip(expand_selection(selection, len(shape)), shape, chunks, strict=True):
        count = -(-length // chunk)
        found = range(count)[item]
        found = found if isinstance(found, range) else range(found, found + 1)
        index.append(slice(found.start * chunk, found.stop * chunk) if found else slice(0, 0))
    return tuple(index)
