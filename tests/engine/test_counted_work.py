"""The cost of reads and writes on a disk and of metadata, as counted work: system calls, calls, bytes; never time.

The limits leave room for a quarter more than today: what exceeds them makes everything slower that has many chunks.
"""

from __future__ import annotations

import tracemalloc

import numcodecs
import numpy as np
import pytest

import zarrds
from tests.engine.counting import calls_of

CHUNKS = 96


@pytest.fixture(params=["2-blosc", "2-raw", "3-zstd"])
def array(request, tmp_path):
    version, codec = request.param.split("-")
    compressor = {"blosc": numcodecs.Blosc("lz4"), "raw": None, "zstd": numcodecs.Zstd(1)}[codec]
    options = {"zarr_format": 2, "compressor": compressor}
    if version == "3":
        options = {"zarr_format": 3, "codecs": ["bytes", {"name": "zstd", "configuration": {"level": 1}}]}
        options["codecs"][0] = {"name": "bytes", "configuration": {"endian": "little"}}
    z = zarrds.open(str(tmp_path / "a.zarr"), mode="w", shape=(16, 16 * CHUNKS), chunks=(16, 16), dtype="f4", **options)
    z[:] = np.arange(z.size).reshape(z.shape)
    return z


def test_a_read_of_small_chunks_needs_four_system_calls_for_each(array):
    system, every = calls_of(lambda: array[:])
    # the values of a window after the first are read without their size, and once more for the end
    assert system["open"] == system["close"] == CHUNKS
    assert system["read"] <= 2 * CHUNKS
    assert system["fstat"] <= CHUNKS // 16
    assert sum(system.values()) <= 4.1 * CHUNKS
    assert every <= 33 * CHUNKS


def test_a_write_of_whole_chunks_needs_four_system_calls_for_each(array):
    value = np.ones(array.shape, "f4")

    def write():
        array[:] = value

    system, every = calls_of(write)
    assert system == {"open": CHUNKS, "write": CHUNKS, "close": CHUNKS, "replace": CHUNKS}
    assert every <= 75 * CHUNKS


def test_a_partial_write_reads_each_chunk_once(array):
    def write():
        array[:8] = 1

    system, _ = calls_of(write)
    assert system["replace"] == system["write"] == CHUNKS
    assert system["open"] == system["close"] == 2 * CHUNKS
    assert system["read"] <= 2 * CHUNKS


def test_a_small_slice_and_an_opening_are_a_few_calls(array):
    system, every = calls_of(lambda: array[3, 100:110])
    assert sum(system.values()) <= 4
    assert every <= 170
    system, every = calls_of(lambda: zarrds.open(array.store.path, mode="r"))
    assert sum(system.values()) <= 9
    assert every <= 200


def test_a_write_on_a_disk_keeps_one_encoded_chunk_in_memory(tmp_path):
    chunk = 2**18
    options = {"shape": (32 * chunk,), "chunks": (chunk,), "dtype": "u1", "compressor": numcodecs.Blosc(clevel=0)}
    z = zarrds.open(str(tmp_path / "a.zarr"), mode="w", **options)
    value = np.arange(z.size, dtype="u1")
    with zarrds.config_context(threads=1):
        z[:] = value
        tracemalloc.start()
        try:
            z[:] = value
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak <= 3 * chunk


@pytest.mark.parametrize(
    "work",
    [
        lambda z: zarrds.open(z.store, mode="r"),
        lambda z: z[z.shape[0] // 2],
        lambda z: z.append([1]),
        lambda z: (z.resize(z.shape[0] - 1), z.resize(z.shape[0] + 1)),
    ],
    ids=["open", "read", "append", "resize"],
)
def test_what_meets_one_chunk_costs_the_same_among_a_million(work):
    few, many = (
        zarrds.zeros((count,), chunks=(1,), dtype="i4", store=zarrds.MemoryStore()) for count in (10**3, 10**6)
    )
    assert abs(calls_of(lambda: work(few))[1] - calls_of(lambda: work(many))[1]) <= 10
