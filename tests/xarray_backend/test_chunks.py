"""Chunk rules: pure functions of lengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xarray_backend.chunks import (
    Grid,
    aligned_blocks,
    check_blocks,
    choose_chunks,
    choose_grid,
    split_chunk,
    uniform_length,
)
from zarrds.errors import BlockAlignmentError

lengths = st.lists(st.integers(0, 9), min_size=1, max_size=8).map(tuple)


def writers(blocks: tuple[int, ...], chunk: int, start: int) -> list[set[int]]:
    """For each chunk the blocks that write to it, element by element."""
    owner = np.repeat(np.arange(len(blocks)), blocks)
    touched: dict[int, set[int]] = {}
    for position, block in enumerate(owner):
        touched.setdefault((start + position) // chunk, set()).add(int(block))
    return list(touched.values())


@given(lengths, st.integers(1, 10), st.integers(0, 20))
def test_split_chunk_is_what_counting_finds(blocks, chunk, start):
    shared = any(len(found) > 1 for found in writers(blocks, chunk, start))
    assert (split_chunk(blocks, chunk, start) is not None) == shared


@given(lengths, st.integers(1, 10), st.integers(0, 20))
def test_aligned_blocks_cover_the_same_and_share_nothing(blocks, chunk, start):
    found = aligned_blocks(blocks, chunk, start)
    assert sum(found) == sum(blocks)
    assert split_chunk(found, chunk, start) is None


@given(lengths)
def test_uniform_length_fits(blocks):
    found = uniform_length(blocks)
    if found is not None:
        assert split_chunk(blocks, found) is None


@pytest.mark.parametrize(
    ("blocks", "explicit", "inherited", "expected"),
    [
        (None, None, None, True),
        (None, 4, None, (4,)),
        (None, (-1,), None, (12,)),
        (None, None, (5,), (5,)),
        (None, None, (5, 5), True),
        (None, None, "contiguous", True),
        (((4, 4, 4),), None, None, (4,)),
        (((4, 4, 4),), None, (2,), (2,)),
        (((4, 4, 4),), None, (5,), (4,)),
        (((4, 4, 4),), (3,), (2,), (3,)),
        (((4, 8),), None, None, (4,)),
        (((6, 6),), None, (100,), (6,)),
        (((8, 4),), None, None, (8,)),
        (((2, 4, 6),), None, None, (2,)),
        (((5, 7),), None, None, (5,)),
    ],
)
def test_choose_chunks(blocks, explicit, inherited, expected):
    found = choose_chunks("u", ("x",), (12,), blocks=blocks, explicit=explicit, inherited=inherited)
    assert found == expected


@pytest.mark.parametrize(
    ("blocks", "explicit", "inherited", "expected"),
    [
        (None, (None, 6), (None, None), Grid(True, (6,))),
        (None, (3, 6), (2, 4), Grid((3,), 6)),
        (None, (None, -1), (None, None), Grid(True, (12,))),
        (((6, 6),), (None, 12), (None, None), Grid((6,), (12,))),
        (((5, 5, 2),), (None, 12), (None, None), Grid(True, (12,))),
        (None, (None, None), (3, 6), Grid((3,), (6,))),
        (None, (None, None), (4, 6), Grid((4,))),
        (None, (None, None), (None, 6), Grid(True)),
        (None, (2, None), (3, 6), Grid((2,))),
        (((6, 6),), (None, None), (3, 6), Grid((3,), (6,))),
        (((3, 3, 3, 3),), (None, None), (3, 6), Grid((3,), (6,), merges=True)),
        (((2, 4, 6),), (None, None), (3, 6), Grid((3,), (6,), merges=True)),
        (((4, 4, 4),), (None, None), (3, 6), Grid((4,))),
    ],
)
def test_choose_grid(blocks, explicit, inherited, expected):
    found = choose_grid(
        "u",
        ("x",),
        (12,),
        blocks=blocks,
        explicit=explicit[0],
        explicit_shards=explicit[1],
        inherited=inherited[0],
        inherited_shards=inherited[1],
    )
    assert found == expected


@pytest.mark.parametrize(("align", "safe", "merges"), [(False, True, True), (True, True, False), (False, False, False)])
def test_irregular_blocks_are_regrouped(align, safe, merges):
    found = choose_grid("u", ("x",), (12,), blocks=((3, 4, 5),), align=align, safe=safe)
    assert found == Grid((5,), merges=merges)


def test_error_names_variable_blocks_chunks_and_remedies():
    with pytest.raises(BlockAlignmentError) as caught:
        check_blocks("u", ("t", "x"), ((4, 4), (3, 3)), (4, 5))
    text = str(caught.value)
    for part in ("'u'", "'x'", "chunk length 5", "(3, 3)", "0:5", "ds.chunk({'x': 5})", "align_chunks", "safe_chunks"):
        assert part in text
    assert caught.value.path == "u"


def test_borders_of_a_region_are_checked_with_lengths():
    check_blocks("u", ("x",), ((4,),), (4,), starts=(4,), lengths=(20,))
    check_blocks("u", ("x",), ((2,),), (4,), starts=(4,), lengths=(6,))
    for start, n in ((2, 6), (4, 2)):
        with pytest.raises(BlockAlignmentError, match="region of variable 'u'"):
            check_blocks("u", ("x",), ((n,),), (4,), starts=(start,), lengths=(20,))
