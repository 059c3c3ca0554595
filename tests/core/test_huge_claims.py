"""Documents that claim sizes far beyond any memory: what is there is read, what cannot be is said, little is held."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numcodecs
import numpy as np
import pytest

import zarrds
from zarrds.errors import BadCompressorError, ChunkDecodeError, ChunkMemoryError
from zarrds.storage import KVStore

LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
CRC = {"name": "crc32c"}
FIVE = np.arange(5, dtype="<i4")


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def changed(store: dict[str, bytes], **members: Any) -> Any:
    """The array of a store whose document says something else."""
    key = ".zarray" if ".zarray" in store else "zarr.json"
    document = json.loads(store[key])
    if key == "zarr.json" and "chunks" in members:
        document["chunk_grid"]["configuration"]["chunk_shape"] = members.pop("chunks")
    store[key] = json.dumps({**document, **members}).encode()
    return zarrds.open_array(KVStore(store), mode="r+")


def made(zarr_format: int, **options: Any) -> dict[str, bytes]:
    store: dict[str, bytes] = {}
    z = zarrds.create(5, store=KVStore(store), dtype="<i4", fill_value=7, zarr_format=zarr_format, **options)
    z[:] = FIVE
    return store


CHAINS: dict[str, dict[str, Any]] = {
    "raw": {"compressor": None},
    "blosc": {"compressor": numcodecs.Blosc()},
    "zstd": {"compressor": numcodecs.Zstd()},
    "gzip": {"compressor": numcodecs.GZip()},
}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("chain", CHAINS)
def test_very_many_elements_and_one_tiny_chunk(zarr_format: int, chain: str) -> None:
    z = changed(made(zarr_format, chunks=5, **CHAINS[chain]), shape=[2**50])
    with little_memory():
        np.testing.assert_array_equal(z[0:7], [0, 1, 2, 3, 4, 7, 7])
        assert z[2**50 - 1] == 7
        assert (z.nchunks_initialized, z.nbytes) == (1, 2**52)
        assert str(2**50) in str(z.info)
        assert zarrds.verify(z.store, level="decode").ok
        z[3] = 33
        assert z[3] == 33


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("chunk", [2**40, 2**62])
def test_one_chunk_of_very_many_elements(zarr_format: int, chain: str, chunk: int) -> None:
    """What the value says of itself, or holds, is looked at before there is an array for what the document says."""
    store = made(zarr_format, chunks=5, **CHAINS[chain])
    z = changed(store, shape=[chunk], chunks=[chunk])
    before = dict(store)
    with little_memory():
        for act in (lambda: z[0:5], lambda: z[4], lambda: z.set_basic_selection(0, 1)):
            with pytest.raises(ChunkDecodeError, match=r"0'") as caught:
                act()
            if chain != "raw":
                assert not isinstance(caught.value, MemoryError)
                assert str(4 * chunk) in str(caught.value)
        report = zarrds.verify(KVStore(store), level="decode")
        assert {finding.kind for finding in report.findings} <= {"undecodable", "wrong-size"}
        assert not report.ok
    assert store == before


def test_writing_into_a_chunk_that_no_memory_holds() -> None:
    z = changed(made(2, chunks=5), shape=[2**50], chunks=[2**48])
    with pytest.raises(ChunkMemoryError) as caught:
        z[2**49] = 1
    assert isinstance(caught.value, MemoryError)
    assert caught.value.key == "2"


SHARDS = {
    f"{place}, index {len(index)}": {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": [1], "codecs": [LITTLE], "index_codecs": index, "index_location": place,
        },
    }
    for place in ("start", "end") for index in ([LITTLE], [LITTLE, CRC])
}  # fmt: skip


@pytest.mark.parametrize("shards", SHARDS)
@pytest.mark.parametrize("turned", [False, True])
def test_shards_of_very_many_inner_chunks(shards: str, turned: bool) -> None:
    codecs = [SHARDS[shards]]
    if turned:
        codecs.insert(0, {"name": "transpose", "configuration": {"order": [0]}})
    store = made(3, chunks=5, codecs=codecs)
    z = changed(store, shape=[2**40], chunks=[2**40])
    before = dict(store)
    with little_memory():
        assert repr(z)
        for act in (lambda: z[0:5], lambda: z[4], lambda: z.set_basic_selection(0, 1)):
            with pytest.raises(ChunkDecodeError, match="c/0"):
                act()
        assert not zarrds.verify(KVStore(store), level="decode").ok
    assert store == before


@pytest.mark.parametrize("shape", [[2**62, 2**62], [2**40, 2**40, 2**40], [2**62]])
def test_grids_beyond_64_bits(shape: list[int]) -> None:
    store: dict[str, bytes] = {}
    ones = [1] * len(shape)
    inside = {"chunk_shape": ones, "codecs": [LITTLE], "index_codecs": [LITTLE]}
    shards = {"name": "sharding_indexed", "configuration": inside}
    zarrds.create(ones, chunks=ones, store=KVStore(store), zarr_format=3, codecs=[shards], dtype="i4")[...] = 1
    with little_memory(), pytest.raises(BadCompressorError, match="counted"):
        changed(store, shape=shape, chunks=shape)
    for compressor in (None, numcodecs.Zlib()):
        store = {}
        zarrds.create(ones, chunks=ones, store=KVStore(store), dtype="i4", compressor=compressor)[...] = 1
        z = changed(store, shape=shape, chunks=shape)
        with little_memory(), pytest.raises(ChunkDecodeError):
            z[(0,) * len(shape)]
