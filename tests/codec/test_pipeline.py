"""Every codec of Zarr v3: what is encoded decodes to the same; what is damaged raises and is never data."""

from __future__ import annotations

import gzip
import struct

import ml_dtypes
import numcodecs
import numpy as np
import pytest
from packaging.version import Version

from tests.codec.pipelines import BIG, LITTLE, chain, numbers
from zarrds.errors import BadCompressorError, ChunkDecodeError, ChunkEncodeError

COMPRESSORS = {
    "none": [],
    "zstd": ["zstd"],
    "zstd-checksum": [("zstd", {"level": 3, "checksum": True})],
    "gzip": [("gzip", {"level": 6})],
    "blosc-lz4": [("blosc", {"cname": "lz4", "clevel": 5, "shuffle": "shuffle", "typesize": 4, "blocksize": 0})],
    "blosc-zstd": [("blosc", {"cname": "zstd", "clevel": 1, "shuffle": "bitshuffle", "typesize": 4})],
    "blosc-plain": [("blosc", {"cname": "lz4", "clevel": 0, "shuffle": "noshuffle"})],
    "crc32c": ["crc32c"],
    "crc32c-before": ["crc32c", "zstd"],
    "crc32c-between": ["zstd", "crc32c", "gzip"],
    "crc32c-after": ["gzip", "crc32c"],
    "two": ["gzip", "zstd"],
    **{
        f"numcodecs.{name}": [(f"numcodecs.{name}", {})]
        for name in ("blosc", "lz4", "zstd", "zlib", "gzip", "bz2", "lzma", "shuffle")
    },
    **{
        f"numcodecs.{name}": [(f"numcodecs.{name}", {})]
        for name in ("crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3")
    },
    "numcodecs.lzma-raw": [("numcodecs.lzma", {"format": 3, "filters": [{"id": 0x21, "preset": 1}]})],
    "numcodecs.shuffle+zstd": [("numcodecs.shuffle", {"elementsize": 4}), "zstd"],
}
FILTERS = {
    "transpose": [("transpose", {"order": [1, 0]})],
    "transpose-F": [("transpose", {"order": "F"})],
    "transpose-C": [("transpose", {"order": "C"})],
    "twice": [("transpose", {"order": [1, 0]}), ("transpose", {"order": [1, 0]})],
    "delta": [("numcodecs.delta", {"dtype": "<i4"})],
    "delta-bare": [("numcodecs.delta", {})],
    "delta-wide": [("numcodecs.delta", {"dtype": "<i4", "astype": ">i8"})],
    "delta-transposed": [("transpose", {"order": [1, 0]}), ("numcodecs.delta", {"dtype": "<i4", "astype": "<i2"})],
    "astype": [("numcodecs.astype", {"encode_dtype": "<f8", "decode_dtype": "<i4"})],
    "scaled": [("numcodecs.fixedscaleoffset", {"offset": 0, "scale": 1, "dtype": "<i4", "astype": "<i2"})],
}
CHECKED = ("crc32c", "crc32c-after", "numcodecs.crc32c", "numcodecs.adler32", "zstd-checksum", "gzip")


@pytest.mark.parametrize("serializer", [LITTLE, BIG], ids=["little", "big"])
@pytest.mark.parametrize("filters", [None, *FILTERS])
@pytest.mark.parametrize("name", COMPRESSORS)
def test_round_trip(name, filters, serializer):
    made = chain("i4", filters=FILTERS.get(filters, ()), serializer=serializer, compressors=COMPRESSORS[name])
    data = numbers("i4")
    encoded = bytes(made.encode(data))
    for value in (encoded, memoryview(encoded), np.frombuffer(encoded, "u1"), bytearray(encoded)):
        found = made.decode(value, np.empty_like(data))
        np.testing.assert_array_equal(found, data)
        assert found.dtype == data.dtype
    assert bytes(made.encode(np.asfortranarray(data))) == encoded
    if made.encoded_size is not None:
        assert made.encoded_size == len(encoded)


@pytest.mark.parametrize(
    "dtype",
    [
        "b1",
        "i1",
        "i2",
        "u8",
        "f2",
        "f4",
        "c8",
        "c16",
        "S3",
        "U4",
        "M8[25s]",
        "m8[ns]",
        "V5",
        [("a", "i2"), ("b", [("x", "S3"), ("y", "f8")])],
        ml_dtypes.bfloat16,
        ml_dtypes.float8_e4m3fn,
    ],
)
@pytest.mark.parametrize("serializer", [LITTLE, BIG, "bytes"], ids=["little", "big", "absent"])
@pytest.mark.parametrize("compressors", [[], ["zstd"]], ids=["raw", "zstd"])
def test_dtypes(dtype, serializer, compressors):
    dtype = np.dtype(dtype)
    if serializer == "bytes" and dtype.kind in "iufcMmU" and dtype.itemsize > 1:
        with pytest.raises(BadCompressorError) as caught:
            chain(dtype, serializer=serializer)
        assert "endian" in caught.value.expected
        return
    made, data = chain(dtype, serializer=serializer, compressors=compressors), numbers(dtype)
    encoded = bytes(made.encode(data))
    for out in (None, np.empty_like(data)):
        found = made.decode(encoded, out)
        assert found.dtype == dtype
        assert found.shape == data.shape
        assert found.tobytes() == data.tobytes()


def test_bytes_are_what_they_should_be():
    data = np.array([[1, 2], [3, 4]], "u2")
    assert bytes(chain("u2", shape=(2, 2)).encode(data)) == struct.pack("<4H", 1, 2, 3, 4)
    assert bytes(chain("u2", shape=(2, 2), serializer=BIG).encode(data)) == struct.pack(">4H", 1, 2, 3, 4)
    turned = chain("u2", shape=(2, 2), filters=[("transpose", {"order": [1, 0]})])
    assert bytes(turned.encode(data)) == struct.pack("<4H", 1, 3, 2, 4)
    record = np.zeros(1, [("a", "u2"), ("b", "u4")])
    record["a"], record["b"] = 1, 2
    assert bytes(chain(record.dtype, shape=(1,), serializer=BIG).encode(record)) == struct.pack(">HI", 1, 2)
    half = numbers(ml_dtypes.bfloat16, (2,))
    assert bytes(chain(half.dtype, shape=(2,), serializer=BIG).encode(half)) == half.view("u2").astype(">u2").tobytes()
    # the well-known check value of CRC-32C
    assert bytes(chain("u1", shape=(9,), serializer="bytes", compressors=["crc32c"]).encode(
        np.frombuffer(b"123456789", "u1")
    )) == b"123456789" + (0xE3069283).to_bytes(4, "little")  # fmt: skip


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 2, 0], [0, 2, 1], [2, 1, 0]])
def test_transposes_that_are_not_their_own_reverse(order):
    data = np.arange(24, dtype="i4").reshape(2, 3, 4)
    made = chain("i4", shape=(2, 3, 4), filters=[("transpose", {"order": order})])
    encoded = bytes(made.encode(data))
    assert encoded == data.transpose(order).tobytes()
    np.testing.assert_array_equal(made.decode(encoded), data)


def test_no_dimensions_and_no_elements():
    for shape in [(), (0,), (3, 0)]:
        made = chain("f8", shape=shape, filters=[("transpose", {"order": list(range(len(shape)))})])
        data = np.zeros(shape)
        assert made.decode(bytes(made.encode(data))).shape == shape


@pytest.mark.parametrize(("serializer", "kind"), [("vlen-utf8", str), ("vlen-bytes", bytes)])
@pytest.mark.parametrize("filters", [[], [("transpose", {"order": [1, 0]})]], ids=["", "transposed"])
@pytest.mark.parametrize("compressors", [[], ["zstd"], ["gzip", "crc32c"]], ids=str)
def test_items_of_any_length(serializer, kind, filters, compressors):
    data = numbers(object)
    if kind is bytes:
        for at, text in np.ndenumerate(data):
            data[at] = text.encode() + b"\0\xff"
    made = chain(object, filters=filters, serializer=serializer, compressors=compressors)
    encoded = bytes(made.encode(data))
    found = made.decode(encoded)
    assert found.tolist() == data.tolist()
    assert all(type(item) is kind for item in found.flat)
    for length in range(0, len(encoded), 7):
        with pytest.raises(ChunkDecodeError):
            made.decode(encoded[:length])


def test_a_lying_number_of_items_takes_no_memory():
    made = chain(object, serializer="vlen-utf8")
    encoded = bytearray(made.encode(numbers(object)))
    encoded[:4] = b"\xff\xff\xff\xff"
    with pytest.raises(ChunkDecodeError) as caught:
        made.decode(bytes(encoded))
    assert "42 items" in caught.value.expected


@pytest.mark.parametrize("name", COMPRESSORS)
def test_every_truncation_raises(name):
    made = chain("i4", compressors=COMPRESSORS[name])
    encoded = bytes(made.encode(numbers("i4")))
    for length in range(len(encoded)):
        with pytest.raises(ChunkDecodeError) as caught:
            made.decode(encoded[:length])
        assert caught.value.codec


@pytest.mark.parametrize("name", COMPRESSORS)
@pytest.mark.parametrize("rows", [5, 7])
def test_another_size_raises(name, rows):
    """A sound value of another chunk shape is no chunk of this array."""
    other = bytes(chain("i4", shape=(rows, 7), compressors=COMPRESSORS[name]).encode(numbers("i4", (rows, 7))))
    with pytest.raises(ChunkDecodeError):
        chain("i4", compressors=COMPRESSORS[name]).decode(other)


@pytest.mark.parametrize("name", [n for n in COMPRESSORS if n != "none"])
def test_bit_flips(name):
    made = chain("i4", compressors=COMPRESSORS[name])
    encoded = bytes(made.encode(numbers("i4")))
    for position in range(min(len(encoded), 200)):
        damaged = bytearray(encoded)
        damaged[position] ^= 0x41
        try:
            found = made.decode(bytes(damaged))
        except ChunkDecodeError:
            continue
        assert found.shape == (6, 7)
        # the header of gzip says nothing of the data
        if name in CHECKED and not (name == "gzip" and position < 10):
            np.testing.assert_array_equal(found, numbers("i4"), err_msg=f"byte {position}")


@pytest.mark.parametrize("name", ["gzip", "zstd", "numcodecs.zlib", "numcodecs.bz2", "numcodecs.lzma", "numcodecs.lz4"])
def test_bombs_are_not_unpacked(name, monkeypatch):
    bomb = bytes(chain("u1", shape=(1 << 26,), compressors=[name]).encode(np.zeros(1 << 26, "u1")))
    with pytest.raises(ChunkDecodeError) as caught:
        chain("u1", shape=(100,), compressors=[name]).decode(bomb)
    assert caught.value.expected == "100 bytes decoded"


@pytest.mark.skipif(Version(numcodecs.__version__) < Version("0.16.2"), reason="older versions need the size")
def test_frames_without_a_size():
    """As stream writers leave them; the size is checked all the same."""

    def frame(raw):
        return bytes.fromhex("28b52ffd0050") + (len(raw) << 3 | 1).to_bytes(3, "little") + raw

    data = numbers("i4")
    made = chain("i4", compressors=["zstd"])
    np.testing.assert_array_equal(made.decode(frame(data.tobytes())), data)
    for raw in (data.tobytes()[:-1], data.tobytes() + b"\0"):
        with pytest.raises(ChunkDecodeError):
            made.decode(frame(raw))


@pytest.mark.parametrize("size", [1, 255, 256, 257, 65791, 65792, 70000])
def test_frames_of_any_size(size):
    data = np.arange(size).astype("u1")
    for checksum in (False, True):
        made = chain("u1", shape=(size,), compressors=[("zstd", {"level": 1, "checksum": checksum})])
        encoded = bytes(made.encode(data))
        for value in (encoded, memoryview(encoded), np.frombuffer(encoded, "u1")):
            np.testing.assert_array_equal(made.decode(value, np.empty_like(data)), data)
        with pytest.raises(ChunkDecodeError):
            chain("u1", shape=(size + 1,), compressors=["zstd"]).decode(encoded)


def test_gzip_members():
    raw = numbers("i4").tobytes()
    value = gzip.compress(raw[:100]) + gzip.compress(raw[100:]) + b"\0\0"
    made = chain("i4", compressors=["gzip"])
    np.testing.assert_array_equal(made.decode(value), numbers("i4"))
    with pytest.raises(ChunkDecodeError):
        made.decode(value + gzip.compress(b"more"))
    assert made.encode(numbers("i4"))[4:8] == b"\0\0\0\0"  # no time: equal chunks are equal bytes


def test_decode_into_place():
    data = numbers("f4")
    for compressors in (["zstd"], ["blosc"], ["gzip"], ["zstd", "crc32c"], ["numcodecs.lz4"]):
        made = chain("f4", compressors=compressors)
        out = np.empty_like(data)
        assert made.decode(bytes(made.encode(data)), out) is out
        np.testing.assert_array_equal(out, data)


def test_lossy_filters():
    data = numbers("f8")
    for name, configuration, tolerance in [
        ("numcodecs.bitround", {"keepbits": 20}, 1e-3),
        ("numcodecs.quantize", {"digits": 2, "dtype": "<f8"}, 1e-2),
        ("numcodecs.quantize", {"digits": 2, "dtype": "<f8", "astype": "<f4"}, 1e-2),
        ("numcodecs.fixedscaleoffset", {"offset": 1, "scale": 100, "dtype": "<f8", "astype": "<i2"}, 1e-2),
    ]:
        made = chain("f8", filters=[(name, configuration)], compressors=["zstd"])
        found = made.decode(bytes(made.encode(data)))
        assert found.dtype == data.dtype
        np.testing.assert_allclose(found, data, atol=tolerance)


def test_filters_of_another_kind_take_the_bits():
    """As numcodecs has it: zarr-python 3 stores these bytes."""
    data = numbers("f4") - 50
    made = chain("f4", filters=[("numcodecs.bitround", {"keepbits": 23}), ("numcodecs.delta", {"dtype": "<i4"})])
    encoded = bytes(made.encode(data))
    assert encoded == numcodecs.Delta("<i4").encode(data.view("<i4")).tobytes()
    np.testing.assert_array_equal(made.decode(encoded), data)


def test_packed_bits():
    data = numbers("b1", (5, 5))
    made = chain("b1", shape=(5, 5), filters=["numcodecs.packbits"], serializer="bytes")
    encoded = bytes(made.encode(data))
    assert encoded == bytes(numcodecs.PackBits().encode(data))
    np.testing.assert_array_equal(made.decode(encoded), data)
    for wrong in (encoded[:-1], encoded + b"\0", b"\x05" + encoded[1:]):
        with pytest.raises(ChunkDecodeError):
            made.decode(wrong)
    with pytest.raises(BadCompressorError):
        chain("u1", filters=["numcodecs.packbits"])


def test_values_of_numcodecs_are_those_of_format_2():
    data = numbers("i4")
    for name in ("zlib", "bz2", "lz4", "crc32", "fletcher32", "jenkins_lookup3"):
        configuration = {"initval": 3} if name == "jenkins_lookup3" else {}
        own = numcodecs.get_codec({"id": name, **configuration})
        made = chain("i4", compressors=[(f"numcodecs.{name}", configuration)])
        np.testing.assert_array_equal(made.decode(bytes(own.encode(data.view("u1").reshape(-1)))), data)
        assert bytes(made.encode(data)) == bytes(own.encode(data.view("u1").reshape(-1)))


@pytest.mark.parametrize(
    ("parts", "codec"),
    [
        ({"filters": ["zstd"]}, "'zstd'"),
        ({"filters": [LITTLE]}, "'bytes'"),
        ({"serializer": "crc32c"}, "'crc32c'"),
        ({"compressors": [LITTLE]}, "'bytes'"),
        ({"compressors": [("transpose", {"order": [1, 0]})]}, "'transpose'"),
        ({"compressors": ["no-such-codec"]}, "'no-such-codec'"),
        ({"filters": ["numcodecs.nothing"]}, "'numcodecs.nothing'"),
        ({"filters": [("transpose", {"order": [0, 0]})]}, "transpose"),
        ({"filters": [("transpose", {"order": [0]})]}, "transpose"),
        ({"filters": [("transpose", {"order": [1.0, 0]})]}, "transpose"),
        ({"filters": ["transpose"]}, "transpose"),
        ({"serializer": ("bytes", {"endian": "middle"})}, "bytes"),
        ({"serializer": ("bytes", {"endian": "little", "swap": True})}, "'bytes'"),
        ({"serializer": "vlen-utf8"}, "'vlen-utf8'"),
        ({"compressors": [("gzip", {"level": 11})]}, "'gzip'"),
        ({"compressors": [("zstd", {"level": 99})]}, "'zstd'"),
        ({"compressors": [("blosc", {"cname": "nothing"})]}, "'blosc'"),
        ({"compressors": [("blosc", {"shuffle": "twice"})]}, "'blosc'"),
        ({"compressors": [("numcodecs.zlib", {"no_such_member": 1})]}, "'zlib'"),
        ({"filters": [("numcodecs.delta", {"dtype": "<i2"})]}, "'numcodecs.delta'"),
        ({"filters": [("numcodecs.astype", {"encode_dtype": "<i2", "decode_dtype": "<i8"})]}, "'numcodecs.astype'"),
    ],
)
def test_chains_that_cannot_be(parts, codec):
    with pytest.raises(BadCompressorError) as caught:
        chain("i4", **parts)
    assert caught.value.codec == codec


def test_encode_errors_are_ours():
    made = chain(object, shape=(2,), serializer="vlen-utf8")
    with pytest.raises(ChunkEncodeError) as caught:
        made.encode(np.array([1.5, object()], dtype=object))
    assert caught.value.codec == "vlen-utf8"


def test_rows_of_a_chunk_that_is_not_compressed():
    data = numbers("f8")
    for serializer in (LITTLE, "bytes"):
        dtype = "f8" if serializer == LITTLE else "u1"
        data = numbers(dtype)
        made = chain(dtype, serializer=serializer)
        steps = made.read((slice(2, 4, 1), slice(1, 7, 2)))
        (wanted,) = next(steps)
        assert (wanted.start, wanted.stop) == (2 * 7 * data.itemsize, 4 * 7 * data.itemsize)
        with pytest.raises(StopIteration) as done:
            steps.send([data.tobytes()[wanted.start : wanted.stop]])
        np.testing.assert_array_equal(done.value.value, data[2:4, 1:7:2])
