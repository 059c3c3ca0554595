"""Codecs of Zarr v3 that are registered in zarr-extensions: what they store, byte for byte, and what they refuse."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.errors import BadCompressorError, ChunkDecodeError, ChunkEncodeError, MetadataError

LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}


def codec(name: str, **configuration: Any) -> dict[str, Any]:
    return {"name": name, "configuration": configuration}


def written(data: np.ndarray, *codecs: Any, **options: Any) -> tuple[bytes, np.ndarray]:
    """Return the value of the only chunk of an array, and the data that are read back."""
    store = zarrds.MemoryStore()
    options = {"chunks": data.shape or None, **options}
    z = zarrds.create(data.shape, dtype=data.dtype, store=store, zarr_format=3, codecs=list(codecs), **options)
    z[...] = data
    (key,) = [key for key in store if key != "zarr.json"]
    return bytes(store[key]), zarrds.open_array(store, mode="r")[...]


def read(dtype: str, shape: tuple[int, ...], value: bytes, *codecs: Any, fill: Any = 0) -> np.ndarray:
    """Read a chunk that was put together by hand."""
    document = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": dtype,
        "chunk_grid": codec("regular", chunk_shape=list(shape)),
        "chunk_key_encoding": {"name": "default"},
        "fill_value": fill,
        "codecs": list(codecs),
    }
    key = "/".join(["c", *["0"] * len(shape)])
    return zarrds.open_array({"zarr.json": json.dumps(document).encode(), key: value}, mode="r")[...]


# --- bitround ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16"])
def test_bitround_is_that_of_numcodecs_for_floats(dtype: str) -> None:
    data = np.random.default_rng(1).normal(size=50).astype(dtype)
    name = codec("bitround", keepbits=6)
    if data.dtype.kind == "f":
        np.testing.assert_array_equal(
            written(data, name, LITTLE)[1], written(data, codec("numcodecs.bitround", keepbits=6), LITTLE)[1]
        )
    np.testing.assert_allclose(written(data, name, LITTLE)[1], data, rtol=2**-6)


def test_bitround_keeps_what_is_no_number() -> None:
    data = np.array([np.nan, np.inf, -np.inf, -0.0], "f4")
    bits = np.concatenate([data.view("u4"), np.array([0x7F800001], "u4")])
    _, found = written(bits.view("f4"), codec("bitround", keepbits=1), LITTLE)
    np.testing.assert_array_equal(found.view("u4"), bits)


def test_bitround_of_integers_keeps_the_leading_bits() -> None:
    data = np.array([0, 1, 0b1011, 0b1001, 0b1101, -0b1011, 127, -128], "i1")
    _, found = written(data, codec("bitround", keepbits=2), "bytes")
    np.testing.assert_array_equal(found, [0, 1, 0b1100, 0b1000, 0b1100, -0b1100, 96, -128])
    large = np.array([2**64 - 1, 2**63 + 1, 5], "u8")
    np.testing.assert_array_equal(written(large, codec("bitround", keepbits=64), LITTLE)[1], large)
    np.testing.assert_array_equal(written(large, codec("bitround", keepbits=1), LITTLE)[1], [2**63, 2**63, 4])


# --- cast_value and scale_offset --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        ("nearest-even", [-2, -2, 0, 0, 2, 2]),
        ("towards-zero", [-2, -1, 0, 0, 1, 2]),
        ("towards-positive", [-2, -1, 0, 1, 2, 3]),
        ("towards-negative", [-3, -2, -1, 0, 1, 2]),
        ("nearest-away", [-3, -2, -1, 1, 2, 3]),
    ],
)
def test_cast_value_rounds(rounding: str, expected: list[int]) -> None:
    data = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    value, found = written(data, codec("cast_value", data_type="int8", rounding=rounding), "bytes")
    assert np.frombuffer(value, "i1").tolist() == expected
    np.testing.assert_array_equal(found, expected)


def test_cast_value_at_the_ends_of_the_range() -> None:
    for dtype in ("int8", "uint8", "int64", "uint64", "int32"):
        low, high = (int(limit) for limit in (np.iinfo(dtype).min, np.iinfo(dtype).max))
        data = np.array([-np.inf, float(low) * 2 - 1e3, float(low), 7.0, float(high) * 2 + 2, np.inf])
        value, _ = written(data, codec("cast_value", data_type=dtype, out_of_range="clamp"), LITTLE)
        assert np.frombuffer(value, np.dtype(dtype)).tolist() == [low, low, low, 7, high, high]
        for outside in data[[0, 1, 4, 5]]:
            with pytest.raises(ChunkEncodeError, match="value cannot be cast"):
                written(np.array([outside]), codec("cast_value", data_type=dtype), LITTLE)


def test_cast_value_wraps() -> None:
    for source in ("f8", "i8", "i4"):
        data = np.arange(-600, 600, 37).astype(source)
        value, _ = written(data, codec("cast_value", data_type="int8", out_of_range="wrap"), "bytes")
        np.testing.assert_array_equal(np.frombuffer(value, "i1"), data.astype("i8").astype("i1"))
    value, _ = written(
        np.array([-1.0, 2.0**65 + 2.0**13]), codec("cast_value", data_type="uint64", out_of_range="wrap"), LITTLE
    )
    assert np.frombuffer(value, "u8").tolist() == [2**64 - 1, 2**13]


def test_cast_value_between_integers_and_to_floats() -> None:
    data = np.array([0, 5, 2**63, 2**64 - 1], "u8")
    value, _ = written(data[:2], codec("cast_value", data_type="int16"), LITTLE)
    assert np.frombuffer(value, "i2").tolist() == [0, 5]
    with pytest.raises(ChunkEncodeError):
        written(data, codec("cast_value", data_type="int64"), LITTLE)
    value, _ = written(data[:2], codec("cast_value", data_type="float32"), LITTLE)
    assert np.frombuffer(value, "f4").tolist() == [0, 5]
    with pytest.raises(ChunkEncodeError):
        written(np.array([1e6]), codec("cast_value", data_type="float16"), LITTLE)
    value, _ = written(
        np.array([1e6, -1e6, np.inf]), codec("cast_value", data_type="float16", out_of_range="clamp"), LITTLE
    )
    assert np.frombuffer(value, "f2").tolist() == [65504, -65504, np.inf]


def test_cast_value_maps_scalars() -> None:
    scalars = {"encode": [["NaN", 255], [7.0, 0]], "decode": [[255, "NaN"]]}
    data = np.array([np.nan, 1.0, 7.0])
    value, found = written(data, codec("cast_value", data_type="uint8", scalar_map=scalars), "bytes")
    assert list(value) == [255, 1, 0]
    np.testing.assert_array_equal(found, [np.nan, 1, 0])
    with pytest.raises(ChunkEncodeError, match="NaN"):
        written(data, codec("cast_value", data_type="uint8", out_of_range="clamp"), "bytes")


@pytest.mark.parametrize("dtype", ["M8[s]", "m8[ns]"])
def test_cast_value_of_dates_and_durations(dtype: str) -> None:
    data = np.array([1, 7, 2**31], "i8").astype(dtype)
    value, found = written(data, codec("cast_value", data_type="uint32"), LITTLE)
    assert np.frombuffer(value, "u4").tolist() == [1, 7, 2**31]
    np.testing.assert_array_equal(found, data)
    with pytest.raises(ChunkEncodeError, match="cannot be cast"):
        written(data, codec("cast_value", data_type="int32"), LITTLE)
    missing = np.array([5, "NaT"], dtype)
    value, found = written(missing, codec("cast_value", data_type="float64"), LITTLE)
    np.testing.assert_array_equal(np.frombuffer(value), [5, np.nan])
    np.testing.assert_array_equal(found, missing)
    with pytest.raises(ChunkEncodeError, match="NaT"):
        written(missing, codec("cast_value", data_type="int32", out_of_range="clamp"), LITTLE)
    scalars = {"encode": [["NaT", -1]], "decode": [[-1, "NaT"]]}
    value, found = written(missing, codec("cast_value", data_type="int32", scalar_map=scalars), LITTLE)
    assert np.frombuffer(value, "i4").tolist() == [5, -1]
    np.testing.assert_array_equal(found, missing)


def test_cast_value_gives_dates_of_numbers() -> None:
    data = np.array([3, -4, 1], "i4")
    kind = {"name": "numpy.timedelta64", "configuration": {"unit": "s", "scale_factor": 1}}
    value, found = written(data, codec("cast_value", data_type=kind), LITTLE)
    assert np.frombuffer(value, "i8").tolist() == [3, -4, 1]
    np.testing.assert_array_equal(found, data)
    value, _ = written(np.array([1.5, np.nan]), codec("cast_value", data_type=kind), LITTLE)
    assert np.frombuffer(value, "i8").tolist() == [2, -(2**63)]
    with pytest.raises(BadCompressorError, match="to numbers only"):
        written(np.zeros(2, "m8[ms]"), codec("cast_value", data_type=kind), LITTLE)


@pytest.mark.parametrize("kind", ["numpy.datetime64", "numpy.timedelta64"])
@pytest.mark.parametrize("number", [np.float64(2.0**63), np.float64(-(2.0**63)), np.uint64(2**63), np.int64(-(2**63))])
def test_no_number_becomes_nat_in_a_cast(kind: str, number: Any) -> None:
    target = {"name": kind, "configuration": {"unit": "s", "scale_factor": 1}}
    data = np.array([1, number], number.dtype)
    for out_of_range in ("wrap", "error"):
        with pytest.raises(ChunkEncodeError, match="cannot be cast"):
            written(data, codec("cast_value", data_type=target, out_of_range=out_of_range), LITTLE)
    value, _ = written(data, codec("cast_value", data_type=target, out_of_range="clamp"), LITTLE)
    assert np.frombuffer(value, "i8").tolist() == [1, 2**63 - 1 if number > 0 else -(2**63) + 1]


def test_cast_value_wraps_to_counts_of_units() -> None:
    target = {"name": "numpy.timedelta64", "configuration": {"unit": "s", "scale_factor": 1}}
    data = np.array([1, 2**64 - 3], "u8")
    value, found = written(data, codec("cast_value", data_type=target, out_of_range="wrap"), LITTLE)
    assert np.frombuffer(value, "i8").tolist() == [1, -3]
    np.testing.assert_array_equal(found, data)


def test_scale_offset_in_front_of_a_cast() -> None:
    data = np.array([3.0, 3.25, 10.0])
    value, found = written(
        data, codec("scale_offset", offset=3, scale=4), codec("cast_value", data_type="uint8"), "bytes"
    )
    assert list(value) == [0, 1, 28]
    np.testing.assert_array_equal(found, data)
    np.testing.assert_array_equal(
        read(
            "float32",
            (2,),
            b"\x02\x03",
            codec("scale_offset", offset=-1, scale=0.5),
            codec("cast_value", data_type="int8"),
            "bytes",
        ),
        [3, 5],
    )


def test_scale_offset_of_integers_is_exact_or_an_error() -> None:
    data = np.array([2**62, 5], "i8")
    value, found = written(data - 5, codec("scale_offset", offset=-5, scale=1), LITTLE)
    np.testing.assert_array_equal(found, data - 5)
    assert np.frombuffer(value, "i8").tolist() == data.tolist()
    with pytest.raises(ChunkEncodeError, match="do not fit"):
        written(data, codec("scale_offset", offset=0, scale=4), LITTLE)
    with pytest.raises(ChunkDecodeError, match="multiple"):
        read("uint8", (2,), b"\x02\x03", codec("scale_offset", offset=0, scale=2), "bytes")


# --- reshape ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [[[0, 1], [2]], [-1], [24], [[0], -1, 2], [4, [1], [2]], [2, [], 2, 6]])
def test_reshape_keeps_the_order_of_elements(shape: list[Any]) -> None:
    data = np.arange(24, dtype="i2").reshape(4, 3, 2)
    value, found = written(data, codec("reshape", shape=shape), LITTLE)
    np.testing.assert_array_equal(found, data)
    assert value == data.tobytes()
    turned, _ = written(data, codec("transpose", order=[2, 0, 1]), codec("reshape", shape=[-1]), LITTLE)
    assert turned == data.transpose(2, 0, 1).tobytes()


@pytest.mark.parametrize(
    "shape",
    [None, [5], [-1, -1], [7, -1], [[1], [0], 2], [[0, 2], 3], [0, -1], [True, 24], [[3], 2], [2, [1], 4], [[0, 0]]],
)
def test_reshape_refuses(shape: Any) -> None:
    with pytest.raises(BadCompressorError):
        written(np.zeros((4, 3, 2), "i2"), codec("reshape", shape=shape), LITTLE)


# --- packbits ---------------------------------------------------------------------------------------------------------


def test_packbits_of_truth_values() -> None:
    data = np.array([1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1], bool)
    assert written(data, codec("packbits"))[0] == bytes([1, 6])
    assert written(data, codec("packbits", padding_encoding="first_byte"))[0] == bytes([5, 1, 6])
    value, found = written(data, codec("packbits", padding_encoding="last_byte", first_bit=None))
    assert value == bytes([1, 6, 5])
    np.testing.assert_array_equal(found, data)


def test_packbits_of_parts_of_integers() -> None:
    data = np.array([-3, 2, 1, -4, 3], "i2")
    value, found = written(data, codec("packbits", first_bit=0, last_bit=2))
    assert len(value) == 2
    np.testing.assert_array_equal(found, data)
    high = np.array([0x120, 0xFF0, 0], ">u4")
    value, found = written(high, codec("packbits", first_bit=4, last_bit=11))
    assert value == bytes([0x12, 0xFF, 0])
    np.testing.assert_array_equal(found, high)


@pytest.mark.parametrize("dtype", ["int2", "int4", "uint2", "uint4"])
def test_packbits_of_small_integers(dtype: str) -> None:
    pytest.importorskip("ml_dtypes")
    bits = int(dtype[-1])
    low = 0 if dtype[0] == "u" else -(2 ** (bits - 1))
    z = zarrds.create(2**bits, dtype=dtype, zarr_format=3, codecs=[codec("packbits")])
    data = np.arange(low, low + 2**bits).astype(z.dtype)
    z[:] = data
    assert len(bytes(z.store["c/0"])) == 2**bits * bits // 8
    np.testing.assert_array_equal(z[:].astype("i1"), data.astype("i1"))


@pytest.mark.parametrize("value", [b"", b"\1", b"\5\1\6\0", b"\4\1\6"])
def test_packbits_refuses_other_sizes_and_paddings(value: bytes) -> None:
    with pytest.raises(ChunkDecodeError):
        read("bool", (11,), value, codec("packbits", padding_encoding="first_byte"), fill=False)


# --- conditional ------------------------------------------------------------------------------------------------------


def test_conditional_applies_what_makes_a_chunk_smaller() -> None:
    inside = [codec("shuffle", element_size=4), codec("zstd", level=3, checksum=False)]
    smooth = np.zeros(1000, "i4") + 5
    value, found = written(smooth, LITTLE, codec("conditional", codecs=inside))
    assert value[0] == 0b11
    assert len(value) < 100
    np.testing.assert_array_equal(found, smooth)
    noise = np.frombuffer(np.random.default_rng(0).bytes(4000), "i4")
    value, found = written(noise, LITTLE, codec("conditional", codecs=inside, header_bits=16))
    assert value[:2] == b"\1\0"
    assert len(value) == 4002
    np.testing.assert_array_equal(found, noise)
    assert read("uint8", (3,), b"\0abc", "bytes", codec("optional", codecs=["zstd"])).tobytes() == b"abc"


@pytest.mark.parametrize("value", [b"", b"\4abc", b"\0abcd", b"\1abc"])
def test_conditional_refuses_damage(value: bytes) -> None:
    with pytest.raises(ChunkDecodeError):
        read("uint8", (3,), value, "bytes", codec("conditional", codecs=["zstd"]))


# --- n5_default -------------------------------------------------------------------------------------------------------

N5 = codec("n5_default", codecs=[codec("transpose", order=[1, 0]), codec("bytes", endian="big")])


def test_n5_blocks_begin_with_their_shape() -> None:
    data = np.arange(6, dtype="i2").reshape(2, 3)
    value, found = written(data, N5)
    assert value == b"\0\0\0\2\0\0\0\2\0\0\0\3" + data.T.astype(">i2").tobytes()
    np.testing.assert_array_equal(found, data)
    small = b"\0\0\0\2\0\0\0\2\0\0\0\1" + np.array([7, 8], ">i2").tobytes()
    np.testing.assert_array_equal(read("int16", (2, 3), small, N5), [[7, 0, 0], [8, 0, 0]])


def test_n5_blocks_larger_than_the_chunk_are_cut() -> None:
    block = np.arange(12, dtype="i2").reshape(3, 4)
    value = b"\0\0\0\2\0\0\0\3\0\0\0\4" + block.T.astype(">i2").tobytes()
    np.testing.assert_array_equal(read("int16", (2, 3), value, N5), block[:2, :3])
    mixed = b"\0\0\0\2\0\0\0\1\0\0\0\4" + block[:1].T.astype(">i2").tobytes()
    np.testing.assert_array_equal(read("int16", (2, 3), mixed, N5), [block[0, :3], [0, 0, 0]])


def test_n5_blocks_that_claim_to_be_huge_are_refused() -> None:
    huge = b"\0\0\0\2" + b"\xff" * 8
    gzip = codec("n5_default", codecs=[codec("transpose", order=[1, 0]), codec("bytes", endian="big"), "gzip"])
    for codecs in (N5, gzip):
        with pytest.raises(ChunkDecodeError, match="too much"):
            read("int16", (2, 3), huge + bytes(20), codecs)


@pytest.mark.parametrize(
    "value", [b"", b"\0\1\0\2\0\0\0\2\0\0\0\3" + bytes(12), b"\0\0\0\2\0\0\0\3\0\0\0\3" + bytes(17)]
)
def test_n5_blocks_of_other_arrays_are_refused(value: bytes) -> None:
    with pytest.raises(ChunkDecodeError):
        read("int16", (2, 3), value, N5)


# --- zfp --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["i4", "i8", "f4", "f8", "i1", "i2", "u1", "u2", "f2"])
def test_zfp_without_header(dtype: str) -> None:
    pytest.importorskip("zfpy")
    data = np.random.default_rng(3).integers(0, 100, (9, 7)).astype(dtype)
    value, found = written(data, codec("zfp", mode="reversible"))
    assert value[:3] != b"zfp"
    np.testing.assert_array_equal(found, data)
    for cut in (0, len(value) // 2):
        with pytest.raises(ChunkDecodeError):
            read(str(np.dtype(dtype)), (9, 7), value[:cut], codec("zfp", mode="reversible"))


@pytest.mark.parametrize(
    "mode",
    [
        {"mode": "fixed_accuracy", "tolerance": 0.01},
        {"mode": "fixed_rate", "rate": 16.5},
        {"mode": "fixed_precision", "precision": 24},
    ],
)
def test_zfp_with_losses(mode: dict[str, Any]) -> None:
    pytest.importorskip("zfpy")
    data = np.sin(np.arange(300.0)).reshape(10, 30)
    np.testing.assert_allclose(written(data, codec("zfp", **mode))[1], data, atol=0.02)


def test_zfp_of_dates() -> None:
    pytest.importorskip("zfpy")
    data = np.array(["2000-01-01", "1950-05-05", "NaT"], "M8[s]")
    value, found = written(data, codec("zfp", mode="reversible"))
    assert value == written(data.view("i8"), codec("zfp", mode="reversible"))[0]
    np.testing.assert_array_equal(found, data)


@pytest.mark.parametrize("dtype", ["int2", "int4", "uint2", "uint4", "bfloat16", "float8_e4m3fn"])
def test_zfp_of_small_data_types(dtype: str) -> None:
    """The text promotes integers of N bits by shifting them to the left by 31 - N."""
    pytest.importorskip("ml_dtypes")
    pytest.importorskip("zfpy")
    z = zarrds.create(4, dtype=dtype, zarr_format=3, codecs=[codec("zfp", mode="reversible")])
    numbers = np.array([-1, 0, 1, -2] if dtype[0] == "i" else [3, 0, 1, 2])
    z[:] = numbers
    np.testing.assert_array_equal(z[:].astype("f4"), numbers)
    if "float" in dtype:
        expected = numbers.astype("f4")
    else:
        bits = int(dtype[-1])
        expected = (numbers - (2 ** (bits - 1) if dtype[0] == "u" else 0)).astype("i4") << (31 - bits)
    assert bytes(z.store["c/0"]) == written(expected, codec("zfp", mode="reversible"))[0]


@pytest.mark.parametrize("bits", [32, 64])
def test_zfp_of_large_unsigned_integers(bits: int) -> None:
    """The text names them, but does not say how they are stored: as signed ones, where they fit."""
    pytest.importorskip("zfpy")
    reversible = codec("zfp", mode="reversible")
    data = np.array([[0, 1, 2 ** (bits - 1) - 1, 7]], f"u{bits // 8}")
    value, found = written(data, reversible)
    assert value == written(data.view(f"i{bits // 8}"), reversible)[0]
    np.testing.assert_array_equal(found, data)
    large = data + data.dtype.type(2 ** (bits - 1))
    with pytest.raises(ChunkEncodeError, match="does not say"):
        written(large, reversible)
    stored = written(large.view(f"i{bits // 8}"), reversible)[0]
    np.testing.assert_array_equal(read(f"uint{bits}", (1, 4), stored, reversible), large)
    small = np.random.default_rng(5).integers(0, 4, (8, 8)).astype(f"u{bits // 8}")
    _, found = written(small * 1000, codec("zfp", mode="fixed_rate", rate=bits // 4))
    assert int(found.max()) < 5000  # losses never turn numbers close to 0 into huge ones


EXPERT = {
    "rate": ({"mode": "fixed_rate", "rate": 16}, (256, 256, 64, -1074)),
    "precision": ({"mode": "fixed_precision", "precision": 24}, (1, 16658, 24, -1074)),
    "accuracy": ({"mode": "fixed_accuracy", "tolerance": 2**-7}, (0, 16658, 64, -7)),
    "reversible": ({"mode": "reversible"}, (1, 16658, 64, -1075)),
}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", list(EXPERT))
def test_zfp_in_expert_mode(name: str, dtype: str) -> None:
    """Its settings describe the other modes, too: the same bytes, and the same values."""
    pytest.importorskip("zfpy")
    mode, settings = EXPERT[name]
    expert = codec(
        "zfp", mode="expert", **dict(zip(("minbits", "maxbits", "maxprec", "minexp"), settings, strict=True))
    )
    data = np.sin(np.arange(300.0)).reshape(10, 30).astype(dtype)
    value, expected = written(data, codec("zfp", **mode))
    assert written(data, expert)[0] == value
    np.testing.assert_array_equal(read(str(data.dtype), data.shape, value, expert), expected)
    with pytest.raises(ChunkDecodeError):
        read(str(data.dtype), data.shape, value[: len(value) // 2], expert)


def test_zfp_in_an_expert_mode_of_its_own_is_read_and_not_written() -> None:
    pytest.importorskip("zfpy")
    expert = codec("zfp", mode="expert", minbits=1, maxbits=16658, maxprec=24, minexp=-7)
    data = np.sin(np.arange(64.0)).reshape(8, 8)
    value, _ = written(data, codec("zfp", mode="fixed_precision", precision=24))
    # planes below the exponent are not in the value: some are read from what follows, so that only the shape is sure
    with pytest.raises(ChunkEncodeError, match="expert mode"):
        written(data, expert)
    assert read("float64", (8, 8), value + bytes(64), expert).shape == (8, 8)


# --- names and refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["zlib", "bz2", "lz4", "lzma", "fletcher32", "adler32", "crc32", "jenkins_lookup3"])
def test_bare_names_mean_the_codecs_of_numcodecs(name: str) -> None:
    data = np.arange(100, dtype="i4")
    value, found = written(data, LITTLE, name)
    assert value == written(data, LITTLE, codec("numcodecs." + name))[0]
    np.testing.assert_array_equal(found, data)


@pytest.mark.parametrize(
    "codecs",
    [
        [codec("bitround", keepbits=0), LITTLE],
        [codec("bitround", keepbits=3, more=1), LITTLE],
        [codec("cast_value", data_type="uint8", rounding="up"), "bytes"],
        [codec("cast_value", data_type="uint8", out_of_range="ignore"), "bytes"],
        [codec("cast_value", data_type="uint8", scalar_map={"both": []}), "bytes"],
        [codec("cast_value", data_type="uint8", scalar_map={"encode": [[1]]}), "bytes"],
        [codec("cast_value", data_type="bool"), "bytes"],
        [codec("scale_offset", offset=1, scale=0), LITTLE],
        [codec("packbits", first_bit=5, last_bit=4)],
        [codec("packbits", last_bit=64)],
        [codec("packbits", padding_encoding="both")],
        [codec("zfp", mode="expert", minbits=3, maxbits=2, maxprec=3, minexp=4)],
        [codec("zfp", mode="expert", minbits=1, maxbits=2, maxprec=65, minexp=4)],
        [codec("zfp", mode="expert", minbits=1.5, maxbits=2, maxprec=3, minexp=4)],
        [codec("zfp", mode="best")],
        [codec("zfp", mode="fixed_rate")],
        [LITTLE, codec("conditional", codecs=["zstd"], header_bits=4)],
        [codec("n5_default", codecs=[codec("bytes", endian="big")])],
        [codec("n5_default", codecs=[codec("transpose", order=[0]), LITTLE])],
    ],
)
def test_bad_configurations_are_refused_before_anything_is_written(codecs: list[Any]) -> None:
    store = zarrds.MemoryStore()
    with pytest.raises((BadCompressorError, MetadataError)):
        zarrds.create(8, dtype="f8", store=store, zarr_format=3, codecs=codecs)
    assert list(store) == []


def test_inside_shards() -> None:
    inner = [codec("cast_value", data_type="uint8"), "bytes"]
    shards = codec("sharding_indexed", chunk_shape=[4], codecs=inner, index_codecs=[LITTLE, "crc32c"])
    data = np.arange(16.0)
    z = zarrds.create(16, dtype="f8", chunks=16, zarr_format=3, codecs=[shards])
    z[:] = data
    z[3:6] = [40, 41, 42]
    data[3:6] = [40, 41, 42]
    np.testing.assert_array_equal(z[:], data)
    assert len(bytes(z.store["c/0"])) == 16 + 16 * 4 + 4


def test_shards_of_another_shape() -> None:
    """A codec before the sharding codec may change the number of dimensions."""
    index = [LITTLE, "crc32c"]
    shards = codec("sharding_indexed", chunk_shape=[6], codecs=[LITTLE], index_codecs=index)
    data = np.arange(24, dtype="i4").reshape(4, 6)
    value, found = written(data, codec("reshape", shape=[[0, 1]]), shards)
    assert value[: data.nbytes] == data.tobytes()
    np.testing.assert_array_equal(found, data)


UNKNOWN = {"name": "unknown.codec", "must_understand": False}


def test_unknown_codecs_that_may_be_ignored_inside_others() -> None:
    data = np.arange(6, dtype="i2")
    plain = codec("sharding_indexed", chunk_shape=[3], codecs=[LITTLE], index_codecs=[LITTLE])
    shards = codec("sharding_indexed", chunk_shape=[3], codecs=[UNKNOWN, LITTLE], index_codecs=[LITTLE, UNKNOWN])
    value, _ = written(data, plain)
    np.testing.assert_array_equal(read("int16", (6,), value, shards), data)
    transposed = [codec("transpose", order=[0]), UNKNOWN, codec("bytes", endian="big")]
    value, _ = written(data, codec("n5_default", codecs=[transposed[0], transposed[2]]))
    np.testing.assert_array_equal(read("int16", (6,), value, codec("n5_default", codecs=transposed)), data)
    # the bits of a conditional codec count all codecs inside it
    with pytest.raises(BadCompressorError, match="unknown codec"):
        read("int16", (6,), b"\2" + data.tobytes(), LITTLE, codec("conditional", codecs=[UNKNOWN, "crc32c"]))
