"""Plans of rechunks, and the layout of packed objects."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from zarrds._format.grid import grid_shape
from zarrds.dask import rechunk_plan
from zarrds.dask.rechunking.packing import Packing, region_of
from zarrds.dask.rechunking.plan import REMOTE
from zarrds.dask.rechunking.stages import boxes
from zarrds.errors import MemoryLimitError


@st.composite
def grids(draw: st.DrawFn, count: int, most: int = 12) -> tuple[tuple[int, ...], ...]:
    """A shape and some block shapes for it."""
    ndim = draw(st.integers(0, 3))
    lengths = st.tuples(*(st.integers(1, most) for _ in range(ndim)))
    return tuple(draw(lengths) for _ in range(count + 1))


def coords_of(shape: tuple[int, ...], block: tuple[int, ...]) -> Any:
    return product(*map(range, grid_shape(shape, block)))


@given(grids(2))
@settings(max_examples=100, deadline=None)
def test_pieces_are_every_element_once_and_contiguous(drawn: Any) -> None:
    shape, block, other = drawn
    values = np.arange(prod(shape)).reshape(shape)
    gathered = np.full(shape, -1)
    for at in coords_of(shape, block):
        packing = Packing(region_of(at, block, shape), other)
        packed = np.empty(prod(packing.lengths) * values.itemsize, np.uint8)
        packing.put(packed, packing.region, values[packing.region])
        flat, ends = packed.view(values.dtype), 0
        for there in packing.coords():
            piece = packing.piece(there)
            lengths = [p.stop - p.start for p in piece]
            assert packing.offset(piece) == ends
            ends += prod(lengths)
            assert (gathered[piece] == -1).all()
            gathered[piece] = flat[packing.offset(piece) : ends].reshape(lengths)
        assert ends == flat.size
    np.testing.assert_array_equal(gathered, values)


@given(grids(3))
@settings(max_examples=100, deadline=None)
def test_parts_in_any_boxes_give_the_same_packed_bytes(drawn: Any) -> None:
    shape, block, other, chunks = drawn
    values = np.arange(prod(shape), dtype="i4").reshape(shape)
    region = region_of((0,) * len(shape), block, shape)
    packing = Packing(region, other)
    whole, parts = (np.zeros(prod(packing.lengths) * 4, np.uint8) for _ in range(2))
    packing.put(whole, region, values[region])
    for box in boxes(region, chunks, 3):
        packing.put(parts, box, np.asfortranarray(values[box]))
    assert whole.tobytes() == parts.tobytes()


@given(grids(2), st.integers(0, 20))
@settings(max_examples=100, deadline=None)
def test_boxes_cut_a_region_at_chunks(drawn: Any, count: int) -> None:
    shape, block, chunks = drawn
    for at in coords_of(shape, block):
        region = region_of(at, block, shape)
        seen = np.zeros(shape, int)
        for box in boxes(region, chunks, count):
            seen[box] += 1
            met = prod(-(-b.stop // c) - b.start // c for b, c in zip(box, chunks, strict=True))
            assert met <= max(1, count)
        assert (seen[region] == 1).all()
        assert seen.sum() == prod(r.stop - r.start for r in region)


@given(grids(2, most=200), st.integers(1, 100_000), st.sampled_from([None, 0, 1, 2, 3]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_plan_fits_its_memory_and_aligns_with_chunks(drawn: Any, max_mem: int, shuffles: Any, remote: bool) -> None:
    shape, source, target = drawn
    model = {"model": REMOTE} if remote else {}
    try:
        plan = rechunk_plan(shape, source, target, 4, max_mem, shuffles=shuffles, **model)
    except MemoryLimitError as error:
        enough = int(str(error.expected).split()[2])
        assert enough > max_mem
        assert rechunk_plan(shape, source, target, 4, enough, shuffles=shuffles, **model).projected_mem <= enough
        return
    assert plan.projected_mem <= max_mem
    assert shuffles is None or len(plan.stages) == shuffles + 1
    assert all(b % t == 0 for b, t in zip(plan.grids[-1], target, strict=True))
    if len(plan.stages) > 1:
        assert all(b % s == 0 for b, s in zip(plan.grids[0], source, strict=True))
    assert plan.temp_bytes == plan.nbytes * (len(plan.stages) - 1)
    assert plan.tasks == sum(prod(grid_shape(shape, block)) for block in plan.grids)
    assert "RechunkPlan" in repr(plan)


@given(grids(2, most=60), st.integers(100, 100_000))
@settings(max_examples=60, deadline=None)
def test_reads_are_counted_exactly(drawn: Any, max_mem: int) -> None:
    shape, source, target = drawn
    plan = None
    try:
        plan = rechunk_plan(shape, source, target, 2, max_mem, shuffles=0)
    except MemoryLimitError:
        assume(False)
    assert plan is not None
    reads = 0
    for at in coords_of(shape, plan.grids[0]):
        region = region_of(at, plan.grids[0], shape)
        reads += prod(-(-r.stop // s) - r.start // s for r, s in zip(region, source, strict=True))
    assert plan.read_bytes == reads * prod(source) * 2
    assert plan.stages[0].requests == reads + prod(grid_shape(shape, target))


@pytest.mark.parametrize("shape", [(0,), (3, 0), ()])
def test_arrays_without_extent(shape: tuple[int, ...]) -> None:
    chunks = (1,) * len(shape)
    assert rechunk_plan(shape, chunks, chunks, 8, 1000).nbytes == (8 if not shape else 0)


MB = 10**6


def test_merging_chunks_reads_each_once_without_a_shuffle() -> None:
    plan = rechunk_plan((4096, 256, 256), (1, 256, 256), (32, 256, 256), 4, 64 * MB)
    assert len(plan.stages) == 1
    assert plan.read_bytes == plan.nbytes


@pytest.mark.parametrize("max_mem", [64 * MB, 256 * MB])
def test_a_transposition_takes_one_shuffle(max_mem: int) -> None:
    plan = rechunk_plan((4096, 256, 256), (1, 256, 256), (4096, 16, 16), 4, max_mem)
    assert len(plan.stages) == 2
    assert plan.read_bytes == plan.write_bytes == 2 * plan.nbytes


def test_an_array_of_a_terabyte_is_planned_in_tens_of_thousands_of_tasks() -> None:
    plan = rechunk_plan((350640, 721, 1440), (1, 721, 1440), (350640, 10, 10), 4, 2000 * MB)
    assert plan.tasks < 20_000
    assert plan.read_bytes < 2.1 * plan.nbytes


def test_little_memory_is_refused_with_the_number_that_would_do() -> None:
    with pytest.raises(MemoryLimitError) as caught:
        rechunk_plan((1000, 1000), (1, 1000), (1000, 1), 8, 1000)
    assert "24000 bytes" in str(caught.value)
