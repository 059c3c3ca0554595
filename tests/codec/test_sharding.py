"""Shards: their bytes, what is damaged raises and is never data, changes keep what they do not touch."""

from __future__ import annotations

import struct

import google_crc32c
import numpy as np
import pytest

from tests.codec.pipelines import BIG, LITTLE, chain, numbers, sharding, spec
from zarrds._codec.base import ReadOptions
from zarrds._codec.build import build_codec
from zarrds.errors import BadCompressorError, ChunkDecodeError

ABSENT = 2**64 - 1


def shards(inner=(2, 2), shape=(4, 6), dtype="i4", **members):
    return chain(dtype, shape=shape, serializer=sharding(inner, **members))


def index_bytes(*pairs, checksum=True):
    raw = struct.pack(f"<{2 * len(pairs)}Q", *[number for pair in pairs for number in pair])
    return raw + google_crc32c.value(raw).to_bytes(4, "little") if checksum else raw


def pairs_of(value, count):
    flat = struct.unpack(f"<{2 * count}Q", value[-16 * count - 4 : -4])
    return list(zip(flat[::2], flat[1::2], strict=True))


def drive(steps, value, asked=None):
    """Carry out a codec's reading over one value."""
    ranges = next(steps)
    while True:
        if asked is not None:
            asked.append(list(ranges))
        answers = []
        for wanted in ranges:
            if value is None or wanted is None:
                answers.append(value)
            elif wanted.start < 0:
                answers.append(value[wanted.start :])
            else:
                answers.append(value[wanted.start : wanted.stop])
        try:
            ranges = steps.send(answers)
        except StopIteration as done:
            return done.value


def test_the_example_of_the_specification():
    """Four inner chunks of one byte, of which two are written."""
    made = shards((1,), (4,), "u1", codecs=["bytes"])
    value = bytes(made.encode(np.array([0, 7, 9, 0], "u1")))
    assert value.hex() == (
        "0709"
        "ffffffffffffffffffffffffffffffff"
        "00000000000000000100000000000000"
        "01000000000000000100000000000000"
        "ffffffffffffffffffffffffffffffff"
        "f1945cd3"
    )
    assert made.decode(value).tolist() == [0, 7, 9, 0]


def test_an_index_at_the_start_counts_itself():
    made = shards((1,), (2,), "u1", codecs=["bytes"], index_location="start", index_codecs=[LITTLE])
    value = bytes(made.encode(np.array([7, 9], "u1")))
    assert value == index_bytes((32, 1), (33, 1), checksum=False) + b"\x07\x09"
    assert made.decode(value).tolist() == [7, 9]


def test_other_index_codecs():
    data = numbers("i4", (4, 6))
    for index_codecs in (
        [BIG],
        [LITTLE, "crc32c"],
        [("transpose", {"order": [2, 1, 0]}), BIG, ("numcodecs.adler32", {})],
    ):
        for place in ("start", "end"):
            made = shards(index_codecs=index_codecs, index_location=place)
            np.testing.assert_array_equal(made.decode(bytes(made.encode(data))), data)
    assert bytes(shards((1,), (2,), "u1", codecs=["bytes"], index_codecs=[BIG]).encode(np.array([7, 9], "u1")))[2:] == (
        struct.pack(">4Q", 0, 1, 1, 1)
    )
    transposed = shards((1,), (2,), "u1", codecs=["bytes"], index_codecs=[("transpose", {"order": [1, 0]}), LITTLE])
    assert bytes(transposed.encode(np.array([7, 9], "u1")))[2:] == struct.pack("<4Q", 0, 1, 1, 1)


def test_inner_chunks_of_any_order_with_gaps():
    """As other writers may place them."""
    made = shards((1,), (3,), "u1", codecs=["bytes"])
    value = b"??\x09?\x07" + index_bytes((4, 1), (ABSENT, ABSENT), (2, 1))
    assert made.decode(value).tolist() == [7, 0, 9]
    assert drive(made.read((slice(0, 2, 1),)), value).tolist() == [7, 0]


def test_nothing_is_left():
    made = shards()
    assert made.encode(np.zeros((4, 6), "i4")) is None
    signed = chain("f4", shape=(4,), serializer=sharding((2,)))
    assert signed.encode(np.full(4, -0.0, "f4")) is not None
    filled = chain("f4", shape=(4,), serializer=sharding((2,)), fill=np.nan)
    assert filled.encode(np.full(4, np.nan, "f4")) is None


def test_inner_chunks_that_are_fill_are_left_out():
    made = chain("i4", shape=(4,), serializer=sharding((1,), codecs=[LITTLE]), fill=5)
    value = bytes(made.encode(np.array([5, 1, 5, 2], "i4")))
    assert pairs_of(value, 4) == [(ABSENT, ABSENT), (0, 4), (ABSENT, ABSENT), (4, 4)]
    assert made.decode(value).tolist() == [5, 1, 5, 2]


def test_what_is_asked_for():
    data = numbers("i4", (4, 6)) + 1
    made = shards(codecs=[LITTLE])
    value = bytes(made.encode(data))
    part = (slice(0, 1, 1), slice(0, 3, 1))
    asked: list = []
    np.testing.assert_array_equal(drive(made.read(part), value, asked), data[part])
    assert asked == [[(-100, None)], [(0, 32)]]  # the index of 6, then two inner chunks as one range
    asked.clear()
    np.testing.assert_array_equal(drive(made.read((slice(0, 4, 1), slice(0, 6, 1))), value, asked), data)
    assert asked == [[None]]
    asked.clear()
    np.testing.assert_array_equal(drive(made.read(part, ReadOptions(ranges=False)), value, asked), data[part])
    assert asked == [[None]]
    assert drive(made.read(part), None) is None


def test_reading_into_a_view():
    data = numbers("i4", (4, 6))
    for filters in ([], [("transpose", {"order": [1, 0]})]):
        inner = (2, 2)
        made = chain("i4", shape=(4, 6), filters=filters, serializer=sharding(inner))
        value = bytes(made.encode(data))
        result = np.zeros((10, 10), "i4")
        view = result[1:4, 2:6]
        assert drive(made.read((slice(0, 3, 1), slice(2, 6, 1)), ReadOptions(out=view)), value) is not None
        np.testing.assert_array_equal(view, data[:3, 2:])
        assert result.sum() == data[:3, 2:].sum()


def test_a_remembered_index_that_does_not_hold():
    """What a reader with an old index gets of a shard that was rewritten is what the shard holds now."""

    class CachedIndex:
        index = None

        def load(self):
            return self.index

        def save(self, found):
            self.index = found

    made = shards((2,), (8,), "i4")
    cached_index = CachedIndex()
    part = (slice(0, 2, 1),)
    old = bytes(made.encode(np.array([0, 0, 1, 2, 3, 4, 0, 0], "i4")))
    assert drive(made.read((slice(2, 4, 1),), ReadOptions(cached_index=cached_index)), old).tolist() == [1, 2]
    new = bytes(made.encode(np.array([8, 8, 1, 9, 3, 4, 5, 6], "i4")))
    asked: list = []
    # absent in the old index: asked again
    assert drive(made.read(part, ReadOptions(cached_index=cached_index)), new, asked).tolist() == [8, 8]
    assert len(asked) == 2
    asked.clear()
    assert drive(made.read(part, ReadOptions(cached_index=cached_index)), new, asked).tolist() == [8, 8]
    assert len(asked) == 1
    # other places: what is there does not decode, or is cut
    asked.clear()
    short = bytes(made.encode(np.array([0, 0, 0, 0, 0, 0, 5, 6], "i4")))
    assert drive(made.read((slice(6, 8, 1),), ReadOptions(cached_index=cached_index)), short, asked).tolist() == [5, 6]
    assert len(asked) == 3
    assert drive(made.read(part, ReadOptions(cached_index=cached_index)), None) is None


@pytest.mark.parametrize("place", ["start", "end"])
@pytest.mark.parametrize("codecs", [[LITTLE], [LITTLE, "zstd"], [LITTLE, "crc32c"]], ids=str)
def test_every_truncation_raises(codecs, place):
    made = shards(codecs=codecs, index_location=place)
    value = bytes(made.encode(numbers("i4", (4, 6)) + 1))
    for length in range(len(value)):
        with pytest.raises(ChunkDecodeError):
            made.decode(value[:length])
        if place == "end" or length < 100:
            with pytest.raises(ChunkDecodeError):
                drive(made.read((slice(0, 1, 1), slice(0, 1, 1))), value[:length])


def test_a_cut_range_raises():
    made = shards(codecs=[LITTLE, "crc32c"], index_location="start")
    value = bytes(made.encode(numbers("i4", (4, 6)) + 1))
    with pytest.raises(ChunkDecodeError) as caught:
        drive(made.read((slice(3, 4, 1), slice(5, 6, 1))), value[:-1])
    assert "truncated" in str(caught.value)


@pytest.mark.parametrize("place", ["start", "end"])
def test_bit_flips_raise(place):
    """With checksums everywhere nothing that is damaged is read."""
    made = shards(codecs=[LITTLE, "crc32c"], index_location=place)
    value = bytes(made.encode(numbers("i4", (4, 6)) + 1))
    for position in range(len(value)):
        damaged = bytearray(value)
        damaged[position] ^= 0x10
        with pytest.raises(ChunkDecodeError):
            made.decode(bytes(damaged))


LIES = {
    "beyond the end": [(0, 4), (4, 5)],
    "in the index": [(0, 4), (6, 4)],
    "overlapping": [(0, 4), (2, 4)],
    "the same": [(0, 4), (0, 4)],
    "wrong length": [(0, 4), (4, 3)],
    "no length": [(0, 4), (4, 0)],
    "huge offset": [(0, 4), (2**62, 4)],
    "huge length": [(0, 4), (4, 2**62)],
    "sum overflows": [(0, 4), (2**63 - 1, 2**63 - 1)],
    "negative": [(0, 4), (2**64 - 2, 4)],
    "offset absent": [(0, 4), (ABSENT, 4)],
    "length absent": [(0, 4), (4, ABSENT)],
}


@pytest.mark.parametrize("index_codecs", [[LITTLE], [LITTLE, "crc32c"]], ids=["", "crc32c"])
@pytest.mark.parametrize("name", LIES)
def test_lying_indexes_raise(name, index_codecs):
    checksum = len(index_codecs) == 2
    made = shards((1,), (2,), "i4", codecs=[LITTLE], index_codecs=index_codecs)
    value = struct.pack("<2i", 1, 2) + index_bytes(*LIES[name], checksum=checksum)
    with pytest.raises(ChunkDecodeError):
        made.decode(value)
    if name not in ("overlapping", "the same", "in the index"):
        with pytest.raises(ChunkDecodeError):
            drive(made.read((slice(1, 2, 1),)), value)
    # a change of a part would copy what it does not know
    with pytest.raises(ChunkDecodeError):
        made.opened(value)
    # but the shard can be written whole
    assert made.decode(bytes(made.encode(np.array([3, 4], "i4")))).tolist() == [3, 4]


def test_errors_name_the_inner_chunk():
    made = shards((1,), (3,), "i4", codecs=[LITTLE, "crc32c"])
    value = bytearray(made.encode(np.array([1, 2, 3], "i4")))
    value[9] ^= 1
    with pytest.raises(ChunkDecodeError) as caught:
        made.decode(bytes(value))
    assert "inner chunk (1,)" in str(caught.value)
    assert caught.value.codec == "crc32c"


def test_changes_keep_the_bytes_they_do_not_touch():
    """What is not touched is copied, not decoded: even what cannot be decoded at all."""
    made = shards((2,), (6,), "i4", codecs=[LITTLE, "zstd"])
    value = bytes(made.encode(np.arange(1, 7, dtype="i4")))
    (_start, length), *_rest = pairs_of(value, 3)
    broken = b"\0" * length + value[length:]
    shard = made.opened(broken)

    def put(target, part, own):
        target[part] = own

    made.merge(shard, (slice(3, 5, 1),), np.array([8, 9], "i4"), put, (6,), True)
    changed = bytes(shard.join())
    assert changed[:length] == b"\0" * length
    assert drive(made.read((slice(2, 6, 1),)), changed).tolist() == [3, 8, 9, 6]
    # whole inner chunks are not decoded either, at the edge of an array those whose elements inside are covered
    made.merge(shard, (slice(0, 2, 1),), np.array(7, "i4"), put, (6,), True)
    assert made.decode(bytes(shard.join())).tolist() == [7, 7, 3, 8, 9, 6]
    torn = made.opened(bytes(value[:-52]).ljust(len(value) - 52, b"?") + value[-52:])
    torn.pieces[0] = b"??"
    made.merge(torn, (slice(0, 1, 1),), np.array(1, "i4"), put, (1,), True)
    assert made.decode(bytes(torn.join())).tolist()[:2] == [1, 0]


def test_shards_in_shards():
    inner = sharding((2, 2), codecs=[LITTLE, "zstd"], index_location="start")
    made = chain("i4", shape=(8, 12), serializer=sharding((4, 6), codecs=[inner, "crc32c"]))
    nested = chain("i4", shape=(8, 12), serializer=sharding((4, 6), codecs=[inner]))
    data = numbers("i4", (8, 12))
    for codec in (made, nested):
        value = bytes(codec.encode(data))
        np.testing.assert_array_equal(codec.decode(value), data)
        part = (slice(3, 5, 1), slice(5, 7, 1))
        np.testing.assert_array_equal(drive(codec.read(part), value), data[part])
        for length in range(0, len(value), 5):
            with pytest.raises(ChunkDecodeError):
                codec.decode(value[:length])


def test_large_inner_shards_are_read_in_steps():
    """Their own indexes are asked for, and then what is needed of them."""

    made = chain("f8", shape=(4, 256, 4096), serializer=sharding((1, 256, 4096), codecs=[
        sharding((1, 1, 4096), codecs=[LITTLE])
    ]))  # fmt: skip
    data = np.random.default_rng(0).random((4, 256, 4096))
    value = bytes(made.encode(data))
    asked: list = []
    part = (slice(1, 3, 1), slice(7, 8, 1), slice(0, 10, 1))
    np.testing.assert_array_equal(drive(made.read(part), value, asked), data[part])
    assert [len(ranges) for ranges in asked] == [1, 2, 2]
    raw = chain("f8", shape=(2, 256, 4096), serializer=sharding((1, 256, 4096), codecs=[LITTLE]))
    value = bytes(raw.encode(data[:2]))
    asked.clear()
    part = (slice(1, 2, 1), slice(7, 9, 1), slice(0, 10, 1))
    np.testing.assert_array_equal(drive(raw.read(part), value, asked), data[:2][part])
    assert [r.stop - r.start for r in asked[1]] == [2 * 4096 * 8]


@pytest.mark.parametrize(
    "configuration",
    [
        {"chunk_shape": [3, 2]},
        {"chunk_shape": [2]},
        {"chunk_shape": [0, 2]},
        {"chunk_shape": [2.0, 2]},
        {"chunk_shape": None},
        {"codecs": []},
        {"codecs": None},
        {"codecs": ["zstd"]},
        {"codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, "bytes"]},
        {"codecs": [{"configuration": {}}]},
        {"codecs": ["no-such-codec"]},
        {"index_codecs": []},
        {"index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, "zstd"]},
        {"index_codecs": ["bytes"]},
        {"index_location": "middle"},
        {"index_place": "end"},
    ],
)
def test_configurations_that_cannot_be(configuration):
    name, sound = sharding((2, 2))
    with pytest.raises(BadCompressorError):
        chain("i4", shape=(4, 6), serializer=(name, {**sound, **configuration}))


def test_unknown_codecs_that_may_be_left_out():
    name, sound = sharding((2, 2))
    codecs = [*sound["codecs"], {"name": "some.note", "must_understand": False}]
    made = build_codec(spec("i4", shape=(4, 6), serializer=(name, {**sound, "codecs": codecs})))
    np.testing.assert_array_equal(made.decode(bytes(made.encode(numbers("i4", (4, 6))))), numbers("i4", (4, 6)))


def test_transposed_before_it_is_divided():
    """The inner shape is that of chunks of the transposed shard."""
    data = np.arange(1, 25, dtype="i4").reshape(2, 3, 4)
    made = chain(
        "i4",
        shape=(2, 3, 4),
        filters=[("transpose", {"order": [2, 0, 1]})],
        serializer=sharding((1, 2, 3), codecs=[LITTLE]),
    )
    value = bytes(made.encode(data))
    assert value[: 4 * 24] == data.transpose(2, 0, 1).tobytes()
    np.testing.assert_array_equal(made.decode(value), data)
    asked: list = []
    found = drive(made.read((slice(0, 2, 1), 1, slice(1, 2, 1))), value, asked)
    np.testing.assert_array_equal(found, data[:, 1, 1:2])
    assert asked[1] == [(24, 48)]
