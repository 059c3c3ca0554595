"""Arithmetic on chunk grids, against enumeration where that is possible."""

import json
from itertools import islice, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zarrds._format.grid import (
    chunk_count,
    grid_shape,
    guess_chunks,
    normalize_chunks,
    normalize_shape,
    removed_chunks,
    valid_part,
)

# [shape, itemsize, chunks that zarr-python 2.17.2 was seen to choose]
GUESSED = json.loads((Path(__file__).parent / "guessed_chunks.json").read_text())


@st.composite
def grids(draw, count=1):
    """Chunk lengths and `count` shapes of the same number of dimensions."""
    ndim = draw(st.integers(0, 3))
    chunks = tuple(draw(st.integers(1, 5)) for _ in range(ndim))
    return chunks, *(tuple(draw(st.integers(0, 12)) for _ in range(ndim)) for _ in range(count))


@pytest.mark.parametrize(
    ("shape", "chunks", "grid"),
    [
        ((), (), ()),
        ((7,), (3,), (3,)),
        ((6,), (3,), (2,)),
        ((0,), (3,), (0,)),
        ((2,), (10,), (1,)),
        ((5, 0), (0, 0), (5, 0)),
        ((10**18, 10**18), (10**9, 1), (10**9, 10**18)),
    ],
)
def test_grid_shape(shape, chunks, grid):
    assert grid_shape(shape, chunks) == grid
    assert chunk_count(shape, chunks) == int(np.prod(grid, dtype=object))


def test_grid_shape_wants_equal_lengths():
    with pytest.raises(ValueError):
        grid_shape((3, 3), (1,))


@given(grids())
def test_valid_parts_cover_the_array_once(case):
    chunks, shape = case
    seen = np.zeros(shape, int)
    for coords in np.ndindex(grid_shape(shape, chunks)):
        part = valid_part(coords, shape, chunks)
        assert all(0 == p.start < p.stop <= chunk for p, chunk in zip(part, chunks, strict=True))
        seen[tuple(slice(i * c, i * c + p.stop) for i, c, p in zip(coords, chunks, part, strict=True))] += 1
    assert (seen == 1).all()


@given(grids(2))
def test_removed_chunks_are_the_difference_of_the_grids(case):
    chunks, old, new = case
    removed = list(removed_chunks(old, new, chunks))
    before, after = ({*product(*map(range, grid_shape(s, chunks)))} for s in (old, new))
    assert len(removed) == len(set(removed))
    assert set(removed) == before - after


def test_removed_chunks_visits_only_them():
    assert list(removed_chunks((10**9, 10**9), (10**9 - 1, 10**9), (1, 10**9))) == [(10**9 - 1, 0)]
    assert list(islice(removed_chunks((10**12, 10**12), (0, 10**12), (1, 1)), 3)) == [(0, 0), (0, 1), (0, 2)]
    assert list(removed_chunks((10**12,), (10**12,), (1,))) == []
    assert list(removed_chunks((10**12, 10**12, 0), (1, 1, 0), (1, 1, 1))) == []


@pytest.mark.parametrize(
    ("given_shape", "shape"),
    [
        (5, (5,)),
        (np.int32(5), (5,)),
        (np.array(5), (5,)),
        ((), ()),
        ([3, 4], (3, 4)),
        ((np.int64(3), np.uint8(4)), (3, 4)),
        (np.array([3, 4]), (3, 4)),
        (iter([3, 4]), (3, 4)),
        (range(2), (0, 1)),
        (2**62, (2**62,)),
    ],
)
def test_normalize_shape(given_shape, shape):
    found = normalize_shape(given_shape)
    assert found == shape
    assert all(type(length) is int for length in found)


@pytest.mark.parametrize("shape", [None, 3.0, (3, 2.5), True, (True,), ((1,),), np.array([1.5])])
def test_normalize_shape_refuses_other_types(shape):
    with pytest.raises(TypeError, match="shape"):
        normalize_shape(shape)


@pytest.mark.parametrize("shape", ["3", b"3", (3, "x")])
def test_normalize_shape_refuses_texts(shape):
    with pytest.raises(ValueError, match="shape"):
        normalize_shape(shape)


@pytest.mark.parametrize("shape", [(3, 2.0), np.array([3.0, 2.0])])
def test_whole_floats_in_a_shape(shape):
    assert repr(normalize_shape(shape)) == "(3, 2)"
    assert repr(normalize_chunks(shape, (10, 10), 4)) == "(3, 2)"


@pytest.mark.parametrize("shape", [-1, (3, -1)])
def test_normalize_shape_refuses_negative_lengths(shape):
    with pytest.raises(ValueError, match="negative"):
        normalize_shape(shape)


@pytest.mark.parametrize(
    ("chunks", "shape", "expected"),
    [
        (None, (10000, 10000), (625, 625)),
        (True, (10000, 10000), (625, 625)),
        (np.True_, (10000, 10000), (625, 625)),
        (False, (10000, 10000), (10000, 10000)),
        (-1, (10000, 10000), (10000, 10000)),
        (7, (100, 200), (7, 7)),
        (np.int16(7), (100, 200), (7, 7)),
        (np.array(7), (100, 200), (7, 7)),
        ((7,), (100, 200), (7, 200)),
        ((7, -1), (100, 200), (7, 200)),
        ((None, 7), (100, 200), (100, 7)),
        ((), (100, 200), (100, 200)),
        ([5, 6], (100, 200), (5, 6)),
        (np.array([5, 6]), (100, 200), (5, 6)),
        ((1000, 1000), (100, 200), (1000, 1000)),
        (False, (0, 5), (1, 5)),
        (True, (0, 5), (1, 5)),
        ((0, 5), (0, 5), (1, 5)),
        ((-1, None), (0, 0), (1, 1)),
        (5, (), ()),
        (True, (), ()),
        (False, (), ()),
        ((), (), ()),
    ],
)
def test_normalize_chunks(chunks, shape, expected):
    found = normalize_chunks(chunks, shape, 4)
    assert found == expected
    assert all(type(length) is int for length in found)


@pytest.mark.parametrize(
    ("chunks", "shape", "error"),
    [
        ((1, 2, 3), (10, 10), ValueError),
        ((1,), (), ValueError),
        (0, (10,), ValueError),
        (-3, (10,), ValueError),
        ((-2, 5), (10, 10), ValueError),
        (1.5, (10,), TypeError),
        ("a", (10,), ValueError),
        ((True, 5), (10, 10), TypeError),
        ((2.5,), (10,), TypeError),
        (((5, 5), (10,)), (10, 10), TypeError),
    ],
)
def test_normalize_chunks_refuses(chunks, shape, error):
    with pytest.raises(error, match="chunk"):
        normalize_chunks(chunks, shape, 4)


@pytest.mark.parametrize(("shape", "itemsize", "chunks"), GUESSED)
def test_guess_is_that_of_zarr_2(shape, itemsize, chunks):
    assert guess_chunks(tuple(shape), itemsize) == tuple(chunks)


@given(st.lists(st.integers(0, 10**12), max_size=5), st.integers(0, 10**9))
def test_guess_fits_any_shape(shape, itemsize):
    chunks = guess_chunks(tuple(shape), itemsize)
    assert all(1 <= chunk <= max(1, length) for chunk, length in zip(chunks, shape, strict=True))
