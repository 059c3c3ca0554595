"""Damaged values raise, take no more memory than a chunk, and are never data."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import tracemalloc
import zlib

import numcodecs
import numpy as np
import pytest
from numcodecs import BZ2, LZ4, LZMA, Blosc, Delta, GZip, Zlib, Zstd

import zarrds
from zarrds._codec.build import build_codec
from zarrds._codec.table import spec_of
from zarrds._format.meta import ChunkSpec
from zarrds.errors import ChunkDecodeError

SHAPE = (64, 32)
DATA = np.arange(64 * 32, dtype="i4").reshape(SHAPE)
NOISE = np.random.default_rng(0).integers(0, 2**31, SHAPE).astype("i4")


def codec_of(compressor, filters=(), dtype="i4", shape=SHAPE):
    compressors = () if compressor is None else (spec_of(compressor),)
    return build_codec(ChunkSpec(shape, np.dtype(dtype), filters=tuple(map(spec_of, filters)), compressors=compressors))


# --- headers of blosc -------------------------------------------------------------------------------------------------

BLOSCS = [
    Blosc(cname, 5, shuffle, blocksize)
    for cname in ("lz4", "lz4hc", "blosclz", "zlib", "zstd")
    for shuffle in (Blosc.NOSHUFFLE, Blosc.SHUFFLE, Blosc.BITSHUFFLE)
    for blocksize in (0, 1024)
]
SHUFFLES, COMPRESSOR, TYPESIZE = 0x05, 0xE0, 3  # what a header alone says: nothing in a buffer contradicts them


def flips():
    """Every bit of a header but those which only say how the data are to be understood."""
    for position in range(16):
        for bit in range(8):
            if position != TYPESIZE and not (position == 2 and (1 << bit) & (SHUFFLES | COMPRESSOR | 0x10)):
                yield position, bit


@pytest.mark.parametrize("blosc", BLOSCS, ids=repr)
@pytest.mark.parametrize("data", [DATA, NOISE], ids=["smooth", "noise"])
def test_flipped_bits_of_a_blosc_header(blosc, data):
    codec = codec_of(blosc)
    encoded = bytes(codec.encode(data))
    for position, bit in flips():
        damaged = bytearray(encoded)
        damaged[position] ^= 1 << bit
        try:
            found = codec.decode(bytes(damaged))
        except ChunkDecodeError:
            continue
        # the size of the buffer and of its blocks may be said otherwise without another meaning
        assert position >= 8, (position, bit)
        np.testing.assert_array_equal(found, data, err_msg=f"byte {position}, bit {bit}")


@pytest.mark.parametrize("blosc", BLOSCS, ids=repr)
def test_flipped_bits_of_a_blosc_header_behind_a_filter(blosc):
    codec = codec_of(blosc, [Delta("i4")])
    encoded = bytes(codec.encode(DATA))
    for position, bit in flips():
        damaged = bytearray(encoded)
        damaged[position] ^= 1 << bit
        try:
            found = codec.decode(bytes(damaged))
        except ChunkDecodeError:
            continue
        np.testing.assert_array_equal(found, DATA, err_msg=f"byte {position}, bit {bit}")


@pytest.mark.parametrize(
    ("place", "value"),
    [("version", 1), ("version", 5), ("inner", 0), ("flags", 0xFF), ("flags", 0x08), ("flags", 0x05), ("flags", 0xA0),
     ("typesize", 0), ("blocksize", 0), ("blocksize", 2**31), ("nbytes", 0), ("nbytes", 2**32 - 1), ("cbytes", 0),
     ("cbytes", 2**32 - 1)],
)  # fmt: skip
@pytest.mark.parametrize("filters", [(), (Delta("i4"),)], ids=["alone", "filtered"])
def test_impossible_blosc_headers(place, value, filters):
    codec = codec_of(Blosc("lz4"), filters)
    damaged = bytearray(codec.encode(DATA))
    offset = {"version": 0, "inner": 1, "flags": 2, "typesize": 3, "nbytes": 4, "blocksize": 8, "cbytes": 12}[place]
    struct.pack_into("<B" if offset < 4 else "<I", damaged, offset, value)
    with pytest.raises(ChunkDecodeError):
        codec.decode(bytes(damaged))


@pytest.mark.parametrize("data", [DATA, NOISE], ids=["smooth", "noise"])
def test_every_truncation_of_many_blocks(data):
    codec = codec_of(Blosc("lz4", blocksize=1024))
    encoded = bytes(codec.encode(data))
    for length in range(len(encoded)):
        with pytest.raises(ChunkDecodeError):
            codec.decode(encoded[:length])


# --- what claims, or is, more than a chunk ----------------------------------------------------------------------------

BOMB = bytes(64 * 2**20)
BOMBS = {
    "zlib": (Zlib(), lambda: zlib.compress(BOMB, 1)),
    "gzip": (GZip(), lambda: gzip.compress(BOMB, 1)),
    "bz2": (BZ2(), lambda: bz2.compress(BOMB, 1)),
    "lzma": (LZMA(), lambda: lzma.compress(BOMB, preset=0)),
    "zstd": (Zstd(), lambda: numcodecs.zstd.compress(BOMB)),
    "lz4": (LZ4(), lambda: numcodecs.lz4.compress(BOMB)),
    "blosc": (Blosc("zstd"), lambda: Blosc("zstd").encode(BOMB)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_value_of_far_too_much_takes_no_memory(name):
    compressor, make = BOMBS[name]
    codec, bomb = codec_of(compressor), make()
    tracemalloc.start()
    try:
        with pytest.raises(ChunkDecodeError):
            codec.decode(bomb)
        assert tracemalloc.get_traced_memory()[1] < 12 * 2**20  # lzma has a dictionary of 8 MiB
    finally:
        tracemalloc.stop()


def test_a_blosc_buffer_that_claims_too_much_behind_a_filter():
    codec = codec_of(Blosc("lz4"), [Delta("i4")])
    damaged = bytearray(Blosc("zstd").encode(BOMB))
    tracemalloc.start()
    try:
        with pytest.raises(ChunkDecodeError):
            codec.decode(bytes(damaged))
        assert tracemalloc.get_traced_memory()[1] < 12 * 2**20  # lzma has a dictionary of 8 MiB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("compressor", [None, *(made[0] for made in BOMBS.values())], ids=["none", *BOMBS])
@pytest.mark.parametrize("more", [-4, 4])
def test_one_item_too_few_or_too_many(compressor, more):
    wrong = DATA.reshape(-1)[:more] if more < 0 else np.append(DATA, 1)
    encoded = wrong.tobytes() if compressor is None else bytes(compressor.encode(wrong.astype("i4")))
    with pytest.raises(ChunkDecodeError):
        codec_of(compressor).decode(encoded)


# --- through an array -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compressor", [None, "default", Zlib(), Zstd(), LZ4(), GZip(), BZ2(), LZMA()], ids=repr)
def test_no_read_of_an_array_gives_what_is_not_there(compressor, tmp_path):
    """Whole chunks, parts, single items and writes of parts: all say that the chunk is damaged."""
    store = zarrds.storage.DirectoryStore(str(tmp_path / "a.zarr"))
    z = zarrds.create(SHAPE, chunks=(32, 32), dtype="i4", compressor=compressor, store=store)
    z[:] = NOISE
    for value in (store["0.0"][:-1], b"", store["0.0"][:20]):
        store["0.0"] = value
        for read in (
            lambda: z[:],
            lambda: z[:32],
            lambda: z[31, 31],
            lambda: z.oindex[[31, 30], 31],
            lambda: z.vindex[[31], [31]],
            lambda: z.set_basic_selection((0, 0), 5),
        ):
            with pytest.raises(ChunkDecodeError) as caught:
                read()
            assert "0.0" in str(caught.value)
        np.testing.assert_array_equal(z[32:], NOISE[32:])
        assert store["0.0"] == value


def test_damaged_chunks_read_in_parts(tmp_path):
    store = zarrds.storage.DirectoryStore(str(tmp_path / "a.zarr"))
    z = zarrds.create((512, 512), chunks=(256, 512), dtype="i4", store=store)
    data = np.random.default_rng(1).integers(0, 99, (512, 512)).astype("i4")
    z[:] = data
    part = zarrds.Array(store, partial_decompress=True)
    np.testing.assert_array_equal(part[200:210], data[200:210])
    sound = store["0.0"]
    for length in [0, 3, 15, 16, 17, 40, len(sound) // 2, len(sound) - 1]:
        store["0.0"] = sound[:length]
        with pytest.raises(ChunkDecodeError):
            part[240:256]
    for position in [0, 1, 4, 5, 8, 9, 10, 11, 16, 17, 18, 19]:
        damaged = bytearray(sound)
        damaged[position] ^= 0xFF
        store["0.0"] = bytes(damaged)
        with pytest.raises(ChunkDecodeError):
            part[0:16]
