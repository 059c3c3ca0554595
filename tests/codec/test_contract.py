"""Every codec chain: what is encoded decodes to the same; what is damaged raises and is never data."""

from __future__ import annotations

import os
import subprocess
import sys

import numcodecs
import numpy as np
import pytest
from numcodecs import (
    BZ2,
    CRC32,
    JSON,
    LZ4,
    LZMA,
    Adler32,
    BitRound,
    Blosc,
    Delta,
    FixedScaleOffset,
    Fletcher32,
    GZip,
    MsgPack,
    PackBits,
    Shuffle,
    VLenArray,
    VLenBytes,
    VLenUTF8,
    Zlib,
    Zstd,
)

from zarrds._codec.build import build_codec
from zarrds._codec.table import get_codec, spec_of
from zarrds._format.meta import ChunkSpec, CodecSpec
from zarrds.errors import BadCompressorError, ChunkDecodeError, ChunkEncodeError


def chain(dtype, filters=(), compressor=None, order="C", shape=(6, 7)):
    compressors = () if compressor is None else (spec_of(compressor),)
    return build_codec(
        ChunkSpec(shape, np.dtype(dtype), order=order, filters=tuple(map(spec_of, filters)), compressors=compressors)
    )


def numbers(dtype, shape=(6, 7)):
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(0)
    if dtype.kind == "b":
        return rng.random(shape) > 0.5
    if dtype.kind in "SU":
        return rng.integers(0, 99, shape).astype(dtype)
    if dtype.kind in "Mm":
        return rng.integers(0, 1000, shape).astype("i8").view(dtype.newbyteorder("=")).astype(dtype)
    return (rng.random(shape) * 100).astype(dtype)


COMPRESSORS = {
    "none": None,
    "blosc-lz4": Blosc("lz4"),
    "blosc-zstd-bit": Blosc("zstd", shuffle=Blosc.BITSHUFFLE),
    "blosc-level-0": Blosc("lz4", clevel=0),
    "blosc-zlib": Blosc("zlib", shuffle=Blosc.NOSHUFFLE),
    "zlib": Zlib(),
    "gzip": GZip(),
    "bz2": BZ2(),
    "lzma": LZMA(),
    "lz4": LZ4(),
    "zstd": Zstd(),
}
FILTERS = {
    "delta": ("i4", [Delta("i4")]),
    "shuffle": ("i4", [Shuffle(4)]),
    "crc32": ("i4", [CRC32()]),
    "adler32": ("f8", [Adler32()]),
    "fletcher32": ("f4", [Fletcher32()]),
    "packbits": ("b1", [PackBits()]),
    "delta-crc32": ("i8", [Delta("i8"), CRC32()]),
}
CHAINS = {
    **{name: (dtype, (), codec) for name, codec in COMPRESSORS.items() for dtype in ["i4"]},
    **{
        f"{name}+{c}": (dtype, f, COMPRESSORS[c]) for name, (dtype, f) in FILTERS.items() for c in ["none", "blosc-lz4"]
    },
}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", CHAINS)
def test_round_trip(name, order):
    dtype, filters, compressor = CHAINS[name]
    codec, data = chain(dtype, filters, compressor, order), numbers(dtype)
    encoded = codec.encode(data)
    np.testing.assert_array_equal(codec.decode(bytes(encoded)), data)
    # from other arrays than bytes, and from arrays of the other memory order
    np.testing.assert_array_equal(codec.decode(memoryview(bytes(encoded))), data)
    np.testing.assert_array_equal(codec.decode(bytes(codec.encode(np.asfortranarray(data)))), data)


@pytest.mark.parametrize(
    "dtype", ["b1", "i1", ">i2", "<u8", "f2", ">f4", "c8", ">c16", "S3", "<U4", ">U2", "M8[ns]", ">m8[s]"]
)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("compressor", ["none", "blosc-lz4", "zstd"])
def test_dtypes(dtype, order, compressor):
    codec, data = chain(dtype, (), COMPRESSORS[compressor], order), numbers(dtype)
    found = codec.decode(bytes(codec.encode(data)))
    assert found.dtype == np.dtype(dtype)
    assert found.tobytes() == data.tobytes()


def test_structured():
    dtype = np.dtype([("a", "<i2", (2,)), ("b", [("x", "S3"), ("y", "<f8")])])
    data = np.zeros((6, 7), dtype)
    data["a"] = 3
    data["b"]["x"] = b"ab"
    for compressor in (None, Blosc()):
        codec = chain(dtype, (), compressor)
        np.testing.assert_array_equal(codec.decode(bytes(codec.encode(data))), data)


@pytest.mark.parametrize(
    ("codec", "items"),
    [
        (VLenUTF8(), ["", "a", "žluťoučký", "x" * 1000]),
        (VLenBytes(), [b"", b"\0", b"abc", b"\xff" * 300]),
        (JSON(), ["a", 1, None, [1, {"b": 2}]]),
        (MsgPack(), ["a", 1, None, 2.5]),
        (VLenArray("i4"), [np.arange(n, dtype="i4") for n in (0, 1, 5, 2)]),
        (VLenArray(">i2"), [np.arange(n, dtype=">i2") for n in (0, 1, 5, 2)]),
        (VLenArray("<M8[ns]"), [np.arange(n).astype("<M8[ns]") for n in (0, 1, 5, 2)]),
        (VLenArray(">m8[s]"), [np.arange(n).astype(">m8[s]") for n in (0, 1, 5, 2)]),
    ],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_objects(codec, items, order):
    data = np.empty(4, object)
    for i, item in enumerate(items):
        data[i] = item
    data = data.reshape(2, 2)
    found = (made := chain(object, [codec], Zstd(), order, (2, 2))).decode(
        bytes(made.encode(np.array(data, order=order)))
    )
    for got, want in zip(found.ravel(), data.ravel(), strict=True):
        if isinstance(want, np.ndarray):
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)
        else:
            assert got == want


@pytest.mark.parametrize("codec", [JSON(), MsgPack()], ids=repr)
@pytest.mark.parametrize("order", ["C", "F"])
def test_codecs_that_keep_the_shape(codec, order):
    """They store items by their place, whatever the order in memory is."""
    data = np.arange(12, dtype="<i4").reshape(3, 4)
    made = chain("<i4", [codec], Zstd(), order, (3, 4))
    np.testing.assert_array_equal(made.decode(bytes(made.encode(data))), data)


@pytest.mark.parametrize("name", CHAINS)
def test_every_truncation_raises(name):
    dtype, filters, compressor = CHAINS[name]
    codec = chain(dtype, filters, compressor)
    encoded = bytes(codec.encode(numbers(dtype)))
    for length in range(len(encoded)):
        with pytest.raises(ChunkDecodeError):
            codec.decode(encoded[:length])


@pytest.mark.parametrize("codec", [VLenUTF8(), VLenBytes(), JSON(), MsgPack(), VLenArray("i4")], ids=repr)
def test_every_truncation_of_objects_raises(codec):
    data = np.empty(3, object)
    data[:] = [b"abc"] * 3 if isinstance(codec, VLenBytes) else ["abc"] * 3
    if isinstance(codec, VLenArray):
        for i in range(3):
            data[i] = np.arange(3, dtype="i4")
    made = chain(object, [codec], None, shape=(3,))
    encoded = bytes(made.encode(data))
    for length in range(len(encoded)):
        with pytest.raises(ChunkDecodeError):
            made.decode(encoded[:length])


def test_incompressible_blosc_is_checked_before_it_is_decoded():
    """The classic: numcodecs reads beyond a truncated buffer and gives garbage."""
    noise = np.random.default_rng(1).integers(0, 2**62, 5000)
    codec = chain("i8", (), Blosc("lz4"), shape=(5000,))
    encoded = bytes(codec.encode(noise))
    for length in (len(encoded) // 2, int(len(encoded) * 0.99), len(encoded) - 1):
        with pytest.raises(ChunkDecodeError) as caught:
            codec.decode(encoded[:length])
        assert caught.value.codec == "blosc"
        assert str(len(encoded)) in caught.value.expected
        assert str(length) in caught.value.found


@pytest.mark.parametrize("name", CHAINS)
def test_wrong_size_raises(name):
    """A sound value of another chunk shape is no chunk of this array."""
    dtype, filters, compressor = CHAINS[name]
    other = bytes(chain(dtype, filters, compressor, shape=(5, 7)).encode(numbers(dtype, (5, 7))))
    with pytest.raises(ChunkDecodeError) as caught:
        chain(dtype, filters, compressor).decode(other)
    assert caught.value.expected
    assert caught.value.found


@pytest.mark.parametrize("name", [n for n in CHAINS if "none" not in n])
def test_bit_flips_never_crash(name):
    dtype, filters, compressor = CHAINS[name]
    codec = chain(dtype, filters, compressor)
    encoded = bytearray(codec.encode(numbers(dtype)))
    for position in range(min(len(encoded), 64)):
        damaged = bytearray(encoded)
        damaged[position] ^= 0x41
        try:
            found = codec.decode(bytes(damaged))
        except ChunkDecodeError:
            continue
        assert found.shape == (6, 7)
        assert found.dtype == np.dtype(dtype)


def test_decode_into_place():
    data = numbers("f4")
    for order in "CF":
        codec = chain("f4", (), Blosc(), order)
        out = np.empty((6, 7), "f4", order=order)
        assert codec.decode(bytes(codec.encode(data)), out) is out
        np.testing.assert_array_equal(out, data)


def test_unknown_codec_names_it():
    with pytest.raises(BadCompressorError) as caught:
        get_codec(CodecSpec.of("no-such-codec"))
    assert caught.value.codec == "'no-such-codec'"
    with pytest.raises(BadCompressorError):
        get_codec(CodecSpec.of("blosc", {"no_such_option": 1}))
    with pytest.raises(BadCompressorError):
        spec_of(object())


def test_encode_errors_are_ours():
    codec = chain(object, [VLenUTF8()], shape=(2,))
    with pytest.raises(ChunkEncodeError) as caught:
        codec.encode(np.array([1.5, object()], dtype=object))
    assert "VLenUTF8" in caught.value.codec


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", COMPRESSORS)
def test_structured_with_dates(name, order):
    """Of which numpy makes no buffers for codecs to read."""
    dtype = np.dtype([("n", "S3"), ("t", [("u", ">M8[ms]", (2,)), ("v", "<m8[D]")])])
    data = np.frombuffer(np.random.default_rng(0).bytes(42 * dtype.itemsize), dtype).reshape(6, 7)
    for filters in ([], [Shuffle(dtype.itemsize)]):
        codec = chain(dtype, filters, COMPRESSORS[name], order)
        assert codec.decode(bytes(codec.encode(data))).tobytes() == data.tobytes()


@pytest.mark.parametrize("order", ["C", "F"])
def test_bitround_leaves_elements_in_their_places(order):
    data = np.arange(42.0).reshape(6, 7)
    codec = chain("f8", [BitRound(20)], Zlib(), order)
    np.testing.assert_array_equal(codec.decode(bytes(codec.encode(data))), data)


def test_lossy_filter_views_the_stored_dtype():
    codec = chain("f8", [FixedScaleOffset(offset=0, scale=10, dtype="f8", astype="i2")], Zlib())
    found = codec.decode(bytes(codec.encode(np.full((6, 7), 1.25))))
    np.testing.assert_allclose(found, 1.2)


def test_pickle_says_what_to_do():
    """numcodecs refuses to decode pickles unless its switch is set; nothing of ours sets it."""
    script = (
        "import numpy as np, zarrds\n"
        "z = zarrds.create(2, dtype=object, object_codec=zarrds.Pickle(), fill_value=None)\n"
        "z[:] = [1, 'a']\n"
        "try:\n    z[:]\nexcept zarrds.errors.ChunkDecodeError as error:\n    print(error)\n"
    )
    env = {name: value for name, value in os.environ.items() if name != "NUMCODECS_ALLOW_UNSAFE_PICKLE_DECODE"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=True)
    if "NUMCODECS_ALLOW_UNSAFE_PICKLE_DECODE" not in done.stdout:
        assert numcodecs.__version__ < "0.16", done.stdout + done.stderr
