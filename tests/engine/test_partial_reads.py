"""Parts of chunks cost the bytes that hold them: uncompressed chunks and, with `partial_decompress`, those of Blosc."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from numcodecs import Blosc, Zlib

import zarrds
from tests.core.indexing.worlds import NetworkDouble, RangesDouble
from tests.store.doubles import CountingStore
from zarrds.storage import DirectoryStore, FSStore, MemoryStore

SHAPE, CHUNKS = (1500, 500), (1000, 500)
DATA = np.random.default_rng(0).integers(0, 50, SHAPE).astype("i4")
ROW = 500 * 4


@pytest.fixture(params=["ranges", "network", "directory", "fs-file", "fs-memory"])
def store(request, tmp_path):
    made = {
        "ranges": RangesDouble,
        "network": NetworkDouble,
        "directory": lambda: DirectoryStore(str(tmp_path / "a.zarr")),
        "fs-file": lambda: FSStore(f"file://{tmp_path}/a.zarr"),
        "fs-memory": lambda: FSStore(f"memory://partial-{tmp_path.name}"),
    }[request.param]()
    return CountingStore(made)


def made(store, compressor, order="C", **options):
    z = zarrds.create(SHAPE, chunks=CHUNKS, dtype="i4", store=store, compressor=compressor, order=order, **options)
    z[:] = DATA
    opened = zarrds.Array(store, partial_decompress=True)
    store.reset()
    return opened


RAW = [
    ((slice(10, 20), slice(None, None, 2)), 10 * ROW),
    ((5, slice(3, 7)), 4 * 4),
    ((5, 7), 4),
    ((slice(990, 1010),), 20 * ROW),
    ((slice(0, 1000, 400),), 801 * ROW),
    ((slice(1001, 1002),), ROW),
    ((slice(5, 5),), 0),
]


@pytest.mark.parametrize(("selection", "nbytes"), RAW, ids=str)
def test_rows_of_uncompressed_chunks(store, selection, nbytes):
    z = made(store, None)
    assert store.profile.native_ranges
    np.testing.assert_array_equal(z[selection], DATA[selection])
    seen = store.reset()
    assert seen.nbytes["get"] == nbytes
    assert seen.calls["get"] <= (1 if store.profile.kind == "network" else 2)  # chunks met


def test_columns_of_uncompressed_chunks_in_fortran_order(store):
    z = made(store, None, "F")
    assert store.profile.native_ranges
    np.testing.assert_array_equal(z[:, 3], DATA[:, 3])
    assert store.reset().nbytes["get"] == 1500 * 4
    np.testing.assert_array_equal(z[7:9, 3:5], DATA[7:9, 3:5])
    assert store.reset().nbytes["get"] == 2 * 1000 * 4


def blocks_of(value, first, last):
    """Bytes of the header with its starts as they are asked for, and of the blocks that hold a range."""
    nbytes, blocksize, cbytes = struct.unpack_from("<3I", value, 4)
    count = -(-nbytes // blocksize)
    starts = struct.unpack_from(f"<{count}I", value, 16)
    ends = dict(zip(sorted(starts), [*sorted(starts)[1:], cbytes], strict=True))
    held = range(first // blocksize, -(-last // blocksize))
    return 16 + 4 * -(-nbytes // 8192), sum(ends[starts[block]] - starts[block] for block in held)


@pytest.mark.parametrize("compressor", [Blosc("lz4"), Blosc("zstd", 1, Blosc.BITSHUFFLE, 2**16)], ids=repr)
@pytest.mark.parametrize(("first", "last"), [(10, 20), (500, 501), (0, 100), (400, 450)])
def test_blocks_of_blosc(store, compressor, first, last):
    z = made(store, compressor)
    assert store.profile.native_ranges
    head, blocks = blocks_of(bytes(store.store["0.0"]), first * ROW, last * ROW)
    np.testing.assert_array_equal(z[first:last], DATA[first:last])
    seen = store.reset()
    assert seen.nbytes["get"] == head + blocks
    assert seen.nbytes["get"] < len(store.store["0.0"])
    assert seen.calls["get"] == 2


def test_a_window_of_parts_is_two_batches(store):
    """Both chunks are met in part: on a network one batch for the headers and one for the blocks, of both."""
    z = made(store, Blosc("lz4"))
    np.testing.assert_array_equal(z[980:1020], DATA[980:1020])
    seen = store.reset()
    assert seen.calls["get"] == (2 if store.profile.kind == "network" else 4)
    assert seen.keys["get"] >= 4


@pytest.mark.parametrize("compressor", [Zlib(), Blosc("lz4")], ids=repr)
def test_other_chunks_are_read_whole_and_once(store, compressor):
    z = made(store, compressor)
    whole = zarrds.Array(store)  # without partial_decompress
    store.reset()
    np.testing.assert_array_equal(whole[10:20], DATA[10:20])
    seen = store.reset()
    assert (seen.calls["get"], seen.keys["get"]) == (1, 1)
    assert seen.nbytes["get"] == len(store.store["0.0"])
    np.testing.assert_array_equal(z[:], DATA)  # all that is there is no part
    assert (seen := store.reset()).keys["get"] == 2
    assert seen.nbytes["get"] == len(store.store["0.0"]) + len(store.store["1.0"])


def test_memory_has_no_need_of_ranges():
    store = CountingStore(MemoryStore())
    z = made(store, None)
    np.testing.assert_array_equal(z[10:20, ::2], DATA[10:20, ::2])
    assert store.reset().calls["get"] == 1
