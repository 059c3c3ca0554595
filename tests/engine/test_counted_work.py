"""The cost of reads and writes on a disk and of metadata, as counted work: system calls, calls, bytes; never time.

The limits leave room for a quarter more than today: what exceeds them makes everything slower that has many chunks.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tracemalloc
from collections import Counter

import numcodecs
import numpy as np
import pytest

import zarrds
from tests.engine.counting import CountingStore, calls_of
from tests.servers import command

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


def peak_of(work):
    """Return the most bytes that are allocated at a time."""
    work()  # what is made once and kept is not counted
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_write_on_a_disk_keeps_one_encoded_chunk_in_memory(tmp_path):
    chunk = 2**18
    options = {"shape": (32 * chunk,), "chunks": (chunk,), "dtype": "u1", "compressor": numcodecs.Blosc(clevel=0)}
    z = zarrds.open(str(tmp_path / "a.zarr"), mode="w", **options)
    value = np.arange(z.size, dtype="u1")
    with zarrds.config_context(threads=1):
        assert peak_of(lambda: z.__setitem__(slice(None), value)) <= 3 * chunk


def test_a_scalar_in_chunks_of_many_lengths_keeps_one_window_in_memory(tmp_path):
    lengths = list(range(2**16, 2**16 + 64))
    options = {"shape": (sum(lengths),), "chunks": [lengths], "dtype": "u1", "compressor": None, "zarr_format": 3}
    z = zarrds.open(str(tmp_path / "a.zarr"), mode="w", **options)
    with zarrds.config_context(threads=1, window_bytes=2**19):
        assert peak_of(lambda: z.__setitem__(slice(None), 1)) <= 2**20
    assert (z[:] == 1).all()


@pytest.mark.skipif(not hasattr(os, "readv"), reason="this system cannot read a file into memory that it is given")
@pytest.mark.parametrize("version", [2, 3])
def test_an_uncompressed_chunk_is_read_into_the_result(version, tmp_path):
    chunk = 2**20
    options = {"shape": (4, chunk), "chunks": (1, chunk), "dtype": "u1", "compressor": None, "zarr_format": version}
    z = zarrds.open(str(tmp_path / "a.zarr"), mode="w", **options)
    z[:] = 1
    assert peak_of(lambda: z[2]) <= 1.25 * chunk
    assert peak_of(lambda: z[2:3]) <= 1.25 * chunk
    with zarrds.trace() as traced:
        z[2]
    assert (traced.requests, traced.nbytes) == ({"get": 1}, {"get": chunk})


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("order", "CF")
def test_large_uncompressed_chunks_have_their_values(order, version, tmp_path):
    data = np.arange(3 * 200 * 400, dtype="i4").reshape(3, 200, 400)
    chunks = (1, 200, 400) if order == "C" else (2, 200, 200)
    options = {"shape": data.shape, "chunks": chunks, "dtype": "i4", "compressor": None, "zarr_format": version}
    z = zarrds.open(str(tmp_path / "a.zarr"), mode="w", order=order, **options)
    z[:] = data
    for part in (
        1,
        slice(0, 1),
        slice(0, 2),
        slice(2, 3),
        (slice(0, 2), slice(None), slice(200)),
        (0, ..., slice(200)),
    ):
        np.testing.assert_array_equal(z[part], data[part])
    part = (slice(0, chunks[0]), slice(None), slice(chunks[2]))
    for out in (np.zeros(chunks, "i4"), np.zeros(chunks[::-1], "i4").T, np.zeros(chunks, "f8")):
        z.get_basic_selection(part, out=out)
        np.testing.assert_array_equal(out, data[part])
    key = "0.0.0" if version == 2 else "c/0/0/0"
    del z.store[key]
    assert not z[part].any()
    z.store[key] = bytes(7)
    with pytest.raises(zarrds.errors.ChunkDecodeError, match="size"):
        z[part]


class Far(CountingStore):
    """A store on a network: what is read is in memory only while somebody has it."""

    def __init__(self):
        super().__init__("network")
        self.keeps = True

    def get_many(self, requests):
        return [None if value is None else bytes(memoryview(value)) for value in super().get_many(requests)]

    def set_many(self, items):
        if self.keeps:
            super().set_many(items)


WINDOW = 2**20


@pytest.mark.parametrize("where", ["disk", "network"])
@pytest.mark.parametrize("codec", ["blosc", "raw", "shard"])
@pytest.mark.parametrize("chunk", [pytest.param(2**16, marks=pytest.mark.slow), 2**17])
def test_whole_reads_and_writes_keep_two_windows_in_memory(where, codec, chunk, tmp_path):
    store = Far() if where == "network" else str(tmp_path / "a.zarr")
    options = {"compressor": numcodecs.Blosc("lz4") if codec == "blosc" else None, "chunks": chunk}
    if codec == "shard":
        options = {"zarr_format": 3, "chunks": chunk // 4, "shards": chunk}
    value = np.random.default_rng(0).integers(0, 256, 12 * WINDOW, "u1")
    with zarrds.config_context(window_bytes=WINDOW):
        z = zarrds.create(value.size, dtype="u1", store=store, **options)
        z[:] = value
        # shards are decoded by the threads that fetch them, each with an inner chunk of its own
        assert peak_of(lambda: z[:]) <= value.nbytes + (2.5 if codec == "shard" else 2.2) * WINDOW
        z.store.keeps = False
        assert peak_of(lambda: z.__setitem__(slice(None), value)) <= 2.2 * WINDOW
    np.testing.assert_array_equal(z[:], value)


TRACED = """
import os, sys, zarrds
z = zarrds.open(sys.argv[1], mode="r+")
work = {"read": lambda: z[:], "write": lambda: z.__setitem__(slice(None), 1.0)}[sys.argv[2]]
work()
for mark in ("begins", "ends"):
    os.path.exists(f"/the-work-{mark}")
    work() if mark == "begins" else None
"""


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        ("read", {"openat": CHUNKS, "close": CHUNKS, "read": 2 * CHUNKS}),
        ("write", {"openat": CHUNKS, "close": CHUNKS, "write": CHUNKS, "rename": CHUNKS}),
    ],
)
def test_the_system_sees_no_other_calls(work, expected, array):
    strace = command("strace")
    if subprocess.run([strace, "true"], capture_output=True).returncode:
        pytest.skip("this machine does not let strace trace")
    program = [strace, "-f", "-e", "trace=file,desc", sys.executable, "-c", TRACED, array.store.path, work]
    done = subprocess.run(program, capture_output=True, text=True, timeout=900, check=True)
    lines = done.stderr.partition("/the-work-begins")[2].partition("/the-work-ends")[0].splitlines()[1:-1]
    calls = Counter(line.rpartition("] ")[2].partition("(")[0] for line in lines if "resumed>" not in line)
    for name in ("openat", "close", "write", "rename"):
        assert calls[name] == expected.get(name, 0), calls
    assert calls["read"] <= expected.get("read", 0)
    assert calls.total() <= 4.1 * CHUNKS + 4, calls


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
