"""Small values that decode to very much, where the shape of a chunk does not tell how much: they are refused."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgpack
import numcodecs
import numpy as np
import pytest
from numcodecs import BZ2, JSON, LZ4, LZMA, Blosc, Delta, GZip, MsgPack, VLenArray, VLenBytes, VLenUTF8, Zlib, Zstd
from packaging.version import Version

import zarrds
from zarrds._codec.compress import zstd_bound
from zarrds.errors import ChunkDecodeError
from zarrds.storage import KVStore

MUCH = bytes(48 * 2**20)
COMPRESSORS = {c.codec_id: c for c in (Zlib(9), GZip(9), BZ2(1), LZMA(preset=0), Zstd(1), LZ4(), Blosc("zstd", 1))}
BOMBS = {name: bytes(codec.encode(MUCH)) for name, codec in COMPRESSORS.items()}
LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}


def runs_of_zeros(blocks: int, last: bool = True) -> bytes:
    """A zstd frame that does not state its size: blocks that each repeat a zero 128 Ki times."""
    heads = [(2**17 << 3 | 1 << 1 | (last and n == blocks - 1)).to_bytes(3, "little") + b"\0" for n in range(blocks)]
    return b"\x28\xb5\x2f\xfd\x00\x38" + b"".join(heads)


BOMBS["zstd without a size"] = runs_of_zeros(384)
COMPRESSORS["zstd without a size"] = COMPRESSORS["zstd"]


@contextmanager
def little_memory(most: int = 16 * 2**20) -> Iterator[None]:
    """No more than so many bytes may be had inside: the dictionary of lzma takes 8 MiB."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def configured(codec: Any) -> dict[str, Any]:
    """A codec of numcodecs as Zarr v3 has it."""
    configuration = {name: value for name, value in codec.get_config().items() if name != "id"}
    return {"name": f"numcodecs.{codec.codec_id}", "configuration": configuration}


def array_with(value: bytes, **options: Any) -> tuple[dict[str, bytes], Any]:
    """An array whose only chunk has that value."""
    store: dict[str, bytes] = {}
    z = zarrds.create(**{"shape": 4, "chunks": 4, "dtype": "i4", "fill_value": 0, **options}, store=KVStore(store))
    store["c/0" if z.zarr_format == 3 else "0"] = value
    return store, z


def refuses(value: bytes, hinted: bool, **options: Any) -> None:
    """Reading, writing a part and verifying say that the value is too much, and take little memory."""
    store, z = array_with(value, **options)
    before = dict(store)
    with zarrds.config_context(unsized_bytes=2**20), little_memory():
        for act in (lambda: z[:], lambda: z[0], lambda: z.set_basic_selection(0, z.fill_value)):
            with pytest.raises(ChunkDecodeError, match="0'") as caught:
                act()
            if hinted:
                assert "unsized_bytes" in str(caught.value)
                assert "at most" in str(caught.value)
        assert [finding.kind for finding in zarrds.verify(KVStore(store), level="decode").findings] == ["undecodable"]
    assert store == before


@pytest.mark.parametrize("name", BOMBS)
def test_before_texts_in_format_2(name: str) -> None:
    refuses(BOMBS[name], True, dtype=str, compressor=COMPRESSORS[name], fill_value="")


@pytest.mark.parametrize("name", BOMBS)
def test_before_texts_in_format_3(name: str) -> None:
    codecs = [{"name": "vlen-utf8"}, configured(COMPRESSORS[name])]
    refuses(BOMBS[name], True, dtype=str, zarr_format=3, codecs=codecs, fill_value="")


@pytest.mark.parametrize("name", BOMBS)
def test_behind_filters(name: str) -> None:
    refuses(BOMBS[name], False, filters=[Delta("i4")], compressor=COMPRESSORS[name])
    refuses(BOMBS[name], False, filters=[COMPRESSORS[name]], compressor=None)
    refuses(GZip(9).encode(BOMBS[name]), False, filters=[COMPRESSORS[name]], compressor=GZip(9))


@pytest.mark.parametrize("name", BOMBS)
def test_before_other_compressors(name: str) -> None:
    gzip = {"name": "gzip", "configuration": {"level": 1}}
    refuses(BOMBS[name], False, zarr_format=3, codecs=[LITTLE, gzip, configured(COMPRESSORS[name])])


@pytest.mark.parametrize("name", [name for name in BOMBS if name != "lz4"])
def test_blocks_of_n5(name: str) -> None:
    codec = COMPRESSORS[name].codec_id
    kind = {"type": {"bz2": "bzip2", "lzma": "xz", "zlib": "gzip"}.get(codec, codec), "useZlib": codec == "zlib"}
    block = {"dimensions": [4], "blockSize": [4], "dataType": "int32", "compression": kind}
    files = {
        "attributes.json": b'{"n5": "2.0.0"}',
        "a/attributes.json": json.dumps(block).encode(),
        "a/0": bytes.fromhex("00000001 00000004") + BOMBS[name],
    }
    z = zarrds.open(KVStore(files), mode="r")["a"]
    with little_memory(), pytest.raises(ChunkDecodeError, match="a/0"):
        z[:]


def test_large_values_may_decode_to_much_more() -> None:
    """What is not small itself is allowed a hundred times its size."""
    texts = np.array(["", "x" * 2**21], dtype=object)
    z = zarrds.array(texts, dtype=str, chunks=2, compressor=Zlib(1))
    with zarrds.config_context(unsized_bytes=2**10):
        with pytest.raises(ChunkDecodeError, match="unsized_bytes"):
            z[:]
        with zarrds.config_context(unsized_bytes=2**22):
            assert list(z[:]) == list(texts)
    assert list(z[:]) == list(texts)
    noise = np.array([np.random.default_rng(0).bytes(2**16).hex()], dtype=object)
    z = zarrds.array(noise, dtype=str, compressor=Zlib(1))
    with zarrds.config_context(unsized_bytes=0):
        assert list(z[:]) == list(noise)


@pytest.mark.skipif(Version(numcodecs.__version__) < Version("0.16.2"), reason="older versions need the size")
def test_frames_of_zstd_that_do_not_state_their_size() -> None:
    assert zstd_bound(runs_of_zeros(3), 2**20) == 3 * 2**17
    assert zstd_bound(runs_of_zeros(2) + runs_of_zeros(1), 2**20) == 3 * 2**17
    assert zstd_bound(runs_of_zeros(9), 2**18) == 3 * 2**17
    assert zstd_bound(b"", 0) == 0
    value = bytes(VLenBytes().encode(np.array([bytes(2**17 - 8)], dtype=object)))
    assert value == bytes([1, 0, 0, 0, 0xF8, 0xFF, 1, 0]) + bytes(2**17 - 8)
    frame = b"\x28\xb5\x2f\xfd\x00\x38" + (8 << 3).to_bytes(3, "little") + value[:8]
    frame += ((2**17 - 8) << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    _, z = array_with(frame, shape=1, chunks=1, dtype=bytes, compressor=Zstd(), fill_value=None)
    assert z[0] == bytes(2**17 - 8)
    _, z = array_with(runs_of_zeros(100_000), dtype=bytes, compressor=Zstd(), fill_value=None)
    with little_memory(), pytest.raises(ChunkDecodeError, match="too much"):
        z[:]  # 13 GB, by default settings


# --- items ------------------------------------------------------------------------------------------------------------

TEXTS = np.array(["a", "bc", "", "d"], dtype=object)


@pytest.mark.parametrize("codec", [VLenUTF8(), VLenBytes(), VLenArray("i4")], ids=lambda codec: str(codec.codec_id))
@pytest.mark.parametrize("count", [0, 3, 5, 2**24, 2**31, 2**32 - 1])
def test_counts_of_items_that_lie(codec: Any, count: int) -> None:
    _, z = array_with(count.to_bytes(4, "little") + bytes(16), dtype=object, object_codec=codec, compressor=None,
                      fill_value=None)  # fmt: skip
    with little_memory(2**20), pytest.raises(ChunkDecodeError, match="items"):
        z[:]


LISTS = [
    [], ["|O", [0]], ["a", "|O", [4]], ["a", "b", "c", "d", "|O", [2**40]], ["a", "b", "c", "d", "|O", [-4]],
    ["a", "b", "c", "d", "|O", [2, 2]], ["a", "b", "c", "d", "|V1000000000", [4]], ["a", "b", "c", "d", "|O", 4],
    ["a", "b", "c", "d", "|O", None], ["a", "b", "c", "d", "|O", [4.0]], ["a", "b", "c", "d", 7, [4]],
    [["a"], ["b"], "|O", [2, 2]], [["a", "b"], "cd", "|O", [2, 2]], ["a", "b", "c", "d", "e", "|O", [4]],
]  # fmt: skip


@pytest.mark.parametrize("codec", [JSON(), MsgPack()], ids=lambda codec: str(codec.codec_id))
@pytest.mark.parametrize("found", LISTS, ids=str)
def test_shapes_of_items_that_lie(codec: Any, found: list[Any]) -> None:
    value = json.dumps(found).encode() if codec.codec_id == "json2" else msgpack.packb(found)
    _, z = array_with(value, dtype=object, object_codec=codec, compressor=None, fill_value=None)
    with little_memory(2**20), pytest.raises(ChunkDecodeError, match="'0'"):
        z[:]


@pytest.mark.parametrize("codec", [JSON(), MsgPack()], ids=lambda codec: str(codec.codec_id))
def test_lists_as_items(codec: Any) -> None:
    """numcodecs would take equal lists for rows, or spread the only one."""
    for items in ([[1], [2]], [[5]], [[1, 2], [3, 4]], [[], []], [["a"], None]):
        data = np.empty(len(items), dtype=object)
        for number, item in enumerate(items):
            data[number] = item
        z = zarrds.create(len(items), dtype=object, object_codec=codec, chunks=len(items))
        z[:] = data
        assert list(z[:]) == items


# --- codecs of numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pcodec", "zfpy"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_codecs_of_numbers(name: str, zarr_format: int) -> None:
    pytest.importorskip(name)
    data = np.sin(np.arange(600.0)).reshape(20, 30)
    codec = numcodecs.get_codec({"id": name})
    options: dict[str, Any] = (
        {"compressor": codec} if zarr_format == 2 else {"serializer": {"name": f"numcodecs.{name}"}}
    )
    if zarr_format == 3:
        options["compressors"] = []
    sound = bytes(codec.encode(data))
    shape = {"shape": (20, 30), "chunks": (20, 30), "dtype": "f8", "zarr_format": zarr_format, **options}
    store: dict[str, bytes] = {}
    z = zarrds.create(**shape, store=KVStore(store))
    key = "c/0/0" if zarr_format == 3 else "0.0"
    store[key] = sound
    np.testing.assert_array_equal(z[:], data)
    others = [bytes(codec.encode(data[:part])) for part in (5, 19)]
    for value in (*others, bytes(codec.encode(np.tile(data, 3))), *(sound[:n] for n in range(0, len(sound) - 8, 97))):
        store[key] = value
        with pytest.raises(ChunkDecodeError, match=key):
            z[:]
