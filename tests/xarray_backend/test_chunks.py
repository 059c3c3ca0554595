"""Chunk rules: pure functions of lengths."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import zarrds
from xarray_backend import to_zarrds
from xarray_backend.chunks import (
    Grid,
    aligned_blocks,
    check_blocks,
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
        (None, None, (0,), True),
        (None, None, np.array([5]), (5,)),
        (None, None, "auto", True),
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
    found = choose_grid("u", ("x",), (12,), blocks=blocks, explicit=explicit, inherited=inherited)
    assert found.chunks == expected


@pytest.mark.parametrize(
    ("blocks", "explicit", "inherited", "expected"),
    [
        (None, (None, 6), (None, None), Grid(True, (6,))),
        (None, (3, 6), (2, 4), Grid((3,), 6)),
        (None, (None, -1), (None, None), Grid(True, (12,))),
        (((6, 6),), (None, 12), (None, None), Grid((6,), (12,))),
        (((5, 5, 2),), (None, 12), (None, None), Grid(True, (12,))),
        (None, (None, None), (3, 6), Grid((3,), (6,))),
        (None, (None, "auto"), (3, None), Grid((3,))),
        (None, (None, None), ((3, 3), (6, 6)), Grid(True)),
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


@pytest.mark.parametrize("how", ["asked for", "inherited"])
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    ("encoding", "error"),
    [
        ({"chunks": "bad"}, TypeError),
        ({"chunks": "ab"}, TypeError),
        ({"chunks": 2.0}, TypeError),
        ({"chunks": True}, TypeError),
        ({"chunks": (2, 2.5)}, TypeError),
        ({"chunks": (2, 2.0)}, TypeError),
        ({"chunks": (2, "2")}, TypeError),
        ({"chunks": (2, None)}, TypeError),
        ({"chunks": (-2, 2)}, ValueError),
        ({"chunks": (2, 2), "shards": "bad"}, TypeError),
        ({"chunks": (2, 2), "shards": 4.0}, TypeError),
        ({"chunks": (2, 2), "shards": True}, TypeError),
        ({"chunks": (2, 2), "shards": (4, 4.5)}, TypeError),
        ({"chunks": (2, 2), "shards": (4,)}, ValueError),
        ({"chunks": (2, 2), "shards": (4, 4, 4)}, ValueError),
        ({"chunks": (2, 2), "shards": (3, 4)}, ValueError),
        ({"chunks": (2, 2), "shards": (1, 1)}, ValueError),
        ({"chunks": (2, 2), "shards": 0}, ValueError),
    ],
)
def test_what_are_no_chunks_and_shards_is_refused(encoding, error, lazy, how):
    ds = xr.Dataset({"u": (("t", "x"), np.ones((8, 8)))})
    ds = ds.chunk(t=4, x=4) if lazy else ds
    store: dict[str, bytes] = {}
    if how == "inherited":
        ds.u.encoding = encoding
    with pytest.raises(error, match="'u'"):
        to_zarrds(ds, store, zarr_format=3, encoding={"u": encoding} if how == "asked for" else None)
    assert store == {}


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_keys_of_opened_files_may_be_passed(zarr_format):
    encoding = {"source": "a.nc", "original_shape": (4,), "preferred_chunks": {"x": 2}, "chunks": (2,)}
    store: dict[str, bytes] = {}
    to_zarrds(xr.Dataset({"u": ("x", np.ones(4))}), store, zarr_format=zarr_format, encoding={"u": encoding})
    assert zarrds.open_group(store, mode="r")["u"].chunks == (2,)


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
