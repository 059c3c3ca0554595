"""Plans of every mode against numpy, reading and writing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from zarrds._plan.plan import plan_everything, plan_selection

from . import oracle, strategies


def check(mode: Any, case: strategies.Case, index: Any, value_shape: tuple[int, ...]) -> None:
    """Read and write through a plan, and compare with ``array[index]``."""
    selection, shape, chunks = case
    array = oracle.numbered(shape)
    plan = plan_selection(selection, shape, chunks, mode)
    assert plan.result_shape == value_shape
    oracle.check_projections(plan, shape, chunks)
    expected = array[index].reshape(value_shape)
    np.testing.assert_array_equal(oracle.read(plan, oracle.split(array, chunks)), expected)

    value = 10_000 + oracle.numbered(value_shape)
    chunked = oracle.split(array, chunks)
    oracle.write(plan, chunked, value)
    array[index] = value.reshape(array[index].shape)
    np.testing.assert_array_equal(oracle.join(chunked, shape, chunks), array)


@given(strategies.basic_cases())
def test_basic_is_numpy(case: strategies.Case) -> None:
    index = case[0] if isinstance(case[0], tuple) else (case[0],)
    check("basic", case, index, np.empty(case[1])[index].shape)


@given(strategies.basic_cases())
def test_orthogonal_without_arrays_is_basic(case: strategies.Case) -> None:
    basic, orthogonal = (plan_selection(*case, mode) for mode in ("basic", "orthogonal"))
    assert list(basic) == list(orthogonal)
    assert orthogonal.drop_axes == ()


@given(strategies.orthogonal_cases())
def test_orthogonal_is_numpy_ix(case: strategies.Case) -> None:
    mesh, dropped = oracle.outer_index(case[0], case[1])
    full = np.broadcast_shapes(*(part.shape for part in mesh))
    check("orthogonal", case, mesh, tuple(n for axis, n in enumerate(full) if axis not in dropped))


@given(strategies.coordinate_cases())
def test_coordinate_is_numpy(case: strategies.Case) -> None:
    index = tuple(np.asarray(item, dtype=int) for item in case[0])
    plan = plan_selection(*case, "coordinate")
    assert plan.work_shape == (np.broadcast(*index).size,)
    check("coordinate", case, index, np.broadcast_shapes(*(part.shape for part in index)) or (1,))


@given(strategies.mask_cases())
def test_mask_is_numpy(case: strategies.Case) -> None:
    check("mask", case, case[0], (np.count_nonzero(case[0]),))


@given(strategies.block_cases())
def test_block_is_numpy_on_chunks(case: strategies.Case) -> None:
    index = oracle.block_index(*case)
    check("block", case, index, np.empty(case[1])[index].shape)


@given(strategies.chunk_grids())
def test_everything(grid: tuple[Any, Any]) -> None:
    shape, chunks = grid
    assert list(plan_everything(shape, chunks)) == list(plan_selection(..., shape, chunks, "basic"))
    assert plan_everything(shape, chunks).work_shape == shape
    assert all(projection.whole for projection in plan_everything(shape, chunks))


def test_scalar_coordinates_give_a_result_of_one_item() -> None:
    plan = plan_selection((1, np.int64(-1)), (3, 4), (2, 2), "coordinate")
    assert (plan.work_shape, plan.result_shape) == ((1,), (1,))


def test_an_empty_mask_and_an_empty_list_meet_no_chunk() -> None:
    mask = plan_selection(np.zeros((3, 4), dtype=bool), (3, 4), (2, 2), "mask")
    assert (mask.work_shape, len(mask), list(mask)) == ((0,), 0, [])
    empty = plan_selection(([], slice(None)), (3, 4), (2, 2), "orthogonal")
    assert (empty.work_shape, len(empty), list(empty)) == ((0, 4), 0, [])


def test_integers_beside_one_array_become_slices_of_length_one() -> None:
    plan = plan_selection((1, slice(None), [3, 0]), (2, 2, 4), (2, 2, 4), "orthogonal")
    (projection,) = plan
    assert plan.drop_axes == (0,)
    assert projection.chunk_part[:2] == (slice(1, 2, 1), slice(0, 2, 1))
    assert isinstance(projection.chunk_part[2], np.ndarray)
    assert projection.out_part == (slice(0, 2), slice(0, 2))


def test_arrays_that_ascend_within_chunks_become_slices() -> None:
    plan = plan_selection((1, np.arange(2, 6), [4, 5, 0, 1]), (2, 6, 6), (2, 4, 2), "orthogonal")
    assert plan.drop_axes == ()
    for projection in plan:
        assert projection.chunk_part[0] == 1
        assert all(isinstance(part, slice) for part in (*projection.chunk_part[1:], *projection.out_part))


def test_parts_of_edge_chunks_end_with_the_array() -> None:
    parts = [projection.chunk_part for projection in plan_everything((5,), (3,))]
    assert parts == [(slice(0, 3, 1),), (slice(0, 2, 1),)]
    (alone,) = plan_everything((2,), (7,))
    assert alone.chunk_part == (slice(0, 2, 1),)
    assert alone.whole


def test_unknown_mode() -> None:
    with pytest.raises(KeyError):
        plan_selection(..., (3,), (2,), "vectorised")  # type: ignore[arg-type]
