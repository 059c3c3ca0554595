"""Requests that shards cost, what writing them leaves alone, and indexes that are remembered."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from tests.codec.pipelines import LITTLE, chain, numbers, sharding, source, spec
from tests.engine.counting import CountingStore
from zarrds._base.config import config_context
from zarrds._engine.bulk import delete_outside, trim_edges
from zarrds._engine.reading import read
from zarrds._engine.source import OpenSource
from zarrds._engine.writing import write
from zarrds._plan.plan import plan_selection
from zarrds.errors import ChunkDecodeError
from zarrds.storage import DirectoryStore, KVStore, MemoryStore

SHAPE, SHARD, INNER = (100, 90), (40, 30), (10, 10)


def opened(store, *, shape=SHAPE, dtype="i4", **members):
    members.setdefault("codecs", [LITTLE, "zstd", "crc32c"])
    return source(store, shape, spec(dtype, shape=SHARD, serializer=sharding(INNER, **members)))


def get(array, *selection, mode="basic"):
    return read(array, plan_selection(selection, array.meta.shape, SHARD, mode))


def put(array, selection, value, mode="basic", **options):
    write(array, plan_selection(selection, array.meta.shape, SHARD, mode), value, **options)


def filled(store, **options):
    array = opened(store, **options)
    data = np.arange(1, np.prod(SHAPE) + 1).reshape(SHAPE).astype(options.get("dtype", "i4"))
    put(array, (), data)
    store.forget()
    return array, data


@pytest.mark.parametrize("place", ["start", "end"])
@pytest.mark.parametrize("kind", ["disk", "network"])
def test_a_block_takes_two_requests_and_one_when_the_index_is_known(kind, place):
    store = CountingStore(kind)
    array, data = filled(store, index_location=place)
    np.testing.assert_array_equal(get(array, slice(5, 25), slice(0, 15)), data[5:25, :15])
    assert len(store.gets) == 2
    assert store.bytes_read < len(store.data["c/0/0"]) * 3 / 4
    store.forget()
    np.testing.assert_array_equal(get(array, slice(15, 16), slice(12, 14)), data[15:16, 12:14])
    assert len(store.gets) == 1
    store.forget()
    np.testing.assert_array_equal(get(array, 39, [0, 29], mode="orthogonal"), data[39, [0, 29]])
    assert len(store.gets) == 1


def test_a_whole_shard_takes_one_request():
    store = CountingStore("disk")
    array, data = filled(store)
    np.testing.assert_array_equal(get(array, slice(40, 80), slice(30, 60)), data[40:80, 30:60])
    assert store.gets == [("c/1/1", None)]
    store.forget()
    # ragged: all that there is of it
    np.testing.assert_array_equal(get(array, slice(80, 100), slice(60, 90)), data[80:, 60:])
    assert store.gets == [("c/2/2", None)]


def test_many_shards_are_read_in_two_batches_on_a_network():
    store = CountingStore("network")
    array, data = filled(store)
    np.testing.assert_array_equal(get(array, slice(5, 95), slice(5, 7)), data[5:95, 5:7])
    assert store.batches == 2
    assert len(store.gets) == 6
    store.forget()
    np.testing.assert_array_equal(get(array), data)
    assert store.batches == 1


def test_stores_without_ranges_give_whole_values():
    store = CountingStore("memory", ranges=False)
    array, data = filled(store)
    assert get(array, 7, 7) == data[7, 7]
    assert store.gets == [("c/0/0", None)]


def test_an_absent_shard_takes_one_request():
    store = CountingStore("disk")
    assert get(opened(store), 3, 3) == 0
    assert len(store.gets) == 1


def test_whole_shards_are_written_without_a_read():
    store = CountingStore("disk")
    array = opened(store)
    put(array, (), numbers("i4", SHAPE) + 1)
    assert not store.gets
    assert sorted(store.sets) == sorted(f"c/{i}/{j}" for i in range(3) for j in range(3))
    store.forget()
    # ragged edges too, also by a scalar: what lies outside the array is left out
    put(array, (slice(80, 100), slice(60, 90)), 7)
    assert not store.gets
    assert store.sets == ["c/2/2"]
    index = np.frombuffer(store.data["c/2/2"][-16 * 12 - 4 : -4], "<u8").reshape(4, 3, 2)
    assert (index[2:] == 2**64 - 1).all()
    assert (index[:2] != 2**64 - 1).all()


def test_a_part_is_changed_by_one_get_and_one_set():
    store = CountingStore("disk")
    array, data = filled(store)
    before = store.data["c/0/0"]
    put(array, (slice(5, 15), slice(0, 10)), -1)
    assert store.gets == [("c/0/0", None)]
    assert store.sets == ["c/0/0"]
    data[5:15, :10] = -1
    np.testing.assert_array_equal(get(array), data)
    index = np.frombuffer(before[-16 * 12 - 4 : -4], "<u8").reshape(12, 2).astype(int)
    untouched = [number for number in range(12) if number not in (0, 3)]
    for number in untouched:
        start, length = index[number]
        assert before[start : start + length] in store.data["c/0/0"]


def test_inner_chunks_that_are_not_touched_are_not_decoded():
    store = CountingStore("disk")
    array, _data = filled(store, codecs=[LITTLE, "crc32c"])
    value = bytearray(store.data["c/0/0"])
    value[0] ^= 1  # the first inner chunk is damaged
    store.data["c/0/0"] = bytes(value)
    put(array, (slice(10, 12), slice(0, 3)), 5)
    assert get(array, 11, 2) == 5
    with pytest.raises(ChunkDecodeError) as caught:
        get(array, 0, 0)
    assert caught.value.key == "c/0/0"
    with pytest.raises(ChunkDecodeError) as caught:
        put(array, (0, 0), 1)
    assert caught.value.key == "c/0/0"
    put(array, (slice(0, 10), slice(0, 10)), 3)  # covered whole
    np.testing.assert_array_equal(get(array, slice(0, 10), slice(0, 10)), np.full((10, 10), 3))


def test_a_shard_without_inner_chunks_is_deleted():
    store = CountingStore("disk")
    array = opened(store)
    put(array, (slice(0, 10), slice(0, 10)), 1)
    put(array, (slice(5, 10), slice(0, 10)), 0)
    assert "c/0/0" in store.data
    put(array, (slice(0, 5), slice(0, 10)), 0)
    assert store.deletes == ["c/0/0"]
    put(array, (), 0)
    assert not store.data


def test_a_torn_shard_can_be_overwritten_whole():
    store = CountingStore("disk")
    array, data = filled(store)
    store.data["c/0/0"] = store.data["c/0/0"][:-50]
    for action in (lambda: get(array, 0, 0), lambda: put(array, (0, 0), 1), lambda: get(array)):
        with pytest.raises(ChunkDecodeError):
            action()
    store.forget()
    put(array, (slice(0, 40), slice(0, 30)), data[:40, :30])
    assert not store.gets
    np.testing.assert_array_equal(get(array), data)


def test_fields_of_records():
    dtype = np.dtype([("a", "i4"), ("b", "f4")])
    store = CountingStore("disk")
    array = opened(store, dtype=dtype, codecs=["bytes", "zstd"])
    put(array, (slice(5, 50), slice(0, 90)), 3, fields="a")
    put(array, (slice(0, 10), slice(5, 50)), np.full((10, 45), 2.5, "f4"), fields="b")
    model = np.zeros(SHAPE, dtype)
    model["a"][5:50], model["b"][:10, 5:50] = 3, 2.5
    np.testing.assert_array_equal(get(array), model)
    plan = plan_selection((slice(0, 20), 7), SHAPE, SHARD, "basic")
    np.testing.assert_array_equal(read(array, plan, fields="b"), model["b"][:20, 7])


# --- what is remembered -----------------------------------------------------------------------------------------------


def test_a_write_through_any_array_is_seen_at_once():
    store = CountingStore("disk")
    array, data = filled(store, codecs=[LITTLE])
    other = opened(store, codecs=[LITTLE])
    assert get(other, 0, 0) == 1
    put(array, (slice(0, 10), slice(0, 10)), 0)  # what follows in the shard moves
    put(array, (0, 20), 77)
    assert get(other, 0, 20) == 77
    assert get(other, 0, 0) == 0
    assert get(other, 0, 11) == data[0, 11]


@pytest.mark.parametrize("place", ["dict", "memory", "directory"])
def test_a_shard_replaced_behind_our_back_is_never_read_by_the_old_index(place, tmp_path):
    """Inner chunks of equal sizes, in another order: nothing but the store can tell."""
    store = {"dict": KVStore({}), "memory": MemoryStore(), "directory": DirectoryStore(tmp_path)}[place]
    array = opened(store, codecs=[LITTLE])
    put(array, (), np.arange(1, np.prod(SHAPE) + 1).reshape(SHAPE))
    own = CountingStore("disk")
    other = opened(own, codecs=[LITTLE])
    put(other, (slice(10, 40), slice(0, 30)), 5)  # its first inner chunks are absent: all others lie before their place
    put(other, (slice(0, 10), slice(20, 30)), 6)
    for _ in range(3):
        before = store["c/0/0"]
        get(array, 0, 0), get(array, 39, 0)
        store["c/0/0"] = own.data["c/0/0"]
        assert (get(array, 39, 29), get(array, 5, 25), get(array, 0, 0)) == (5, 6, 0)
        store["c/0/0"] = before
        assert get(array, 0, 0) == 1
    store.delete_many(["c/0/0"])
    assert get(array, 39, 29) == 0


def test_where_the_store_cannot_tell_an_index_is_used_for_as_long_as_was_said(monkeypatch):
    store = CountingStore("network")
    monkeypatch.setattr(store, "version", lambda key: None)
    array, _ = filled(store)

    def gets():
        store.forget()
        get(array, 0, 0)
        return len(store.gets)

    assert [gets(), gets()] == [1, 1]  # the whole value: its index and its inner chunks are of one state of it
    assert [byte_range for _, byte_range in store.gets] == [None]
    with config_context(shard_index_ms=10**9):
        assert [gets(), gets()] == [1, 1]  # by the index that is kept
        now = __import__("time").monotonic()
        monkeypatch.setattr("zarrds._engine.indexes.time.monotonic", lambda: now + 10**7)
        assert gets() == 2


def test_the_memory_of_indexes_is_bounded_and_can_be_switched_off():
    store = CountingStore("disk")
    array, _ = filled(store)
    with config_context(shard_index_bytes=0):
        for _ in range(2):
            store.forget()
            get(array, 0, 0)
            assert len(store.gets) == 2
    with config_context(shard_index_bytes=2 * 12 * 16):
        for at in (0, 40, 80):
            get(array, at, 0)
        for at, requests in ((80, 1), (40, 1), (0, 2)):
            store.forget()
            get(array, at, 0)
            assert len(store.gets) == requests


# --- others -----------------------------------------------------------------------------------------------------------


def test_shrinking_trims_shards():
    store = CountingStore("disk")
    array, data = filled(store)
    smaller = opened(store, shape=(45, 90))
    delete_outside(array, (45, 90))
    trim_edges(smaller, (True, False))
    np.testing.assert_array_equal(get(smaller), data[:45])
    again = opened(store)
    assert not get(again, slice(45, 100)).any()


def test_large_shards_are_decoded_and_encoded_by_several_threads(monkeypatch):
    names = set()
    plain = type(chain("f8", shape=(64, 1024), compressors=["zstd"]))
    decode, encode = plain.decode, plain.encode

    def noting(method):
        def wrapped(self, *args):
            names.add((method.__name__, threading.current_thread().name))
            return method(self, *args)

        return wrapped

    monkeypatch.setattr(plain, "decode", noting(decode))
    monkeypatch.setattr(plain, "encode", noting(encode))
    chunk = spec("f8", shape=(1024, 1024), serializer=sharding((64, 1024)))
    array = source(CountingStore("disk"), (1024, 1024), chunk)
    data = np.random.default_rng(0).integers(0, 9, (1024, 1024)).astype("f8")
    plan = plan_selection((), (1024, 1024), (1024, 1024), "basic")
    with config_context(threads=2):
        write(array, plan, data)
        np.testing.assert_array_equal(read(array, plan), data)
        assert {method for method, name in names if name.startswith("zarrds")} == {"decode", "encode"}
        names.clear()
        np.testing.assert_array_equal(read(array, plan, threads=1), data)
        assert not [name for _, name in names if name.startswith("zarrds")]


def test_on_disk(tmp_path):
    array = opened(DirectoryStore(tmp_path / "a"))
    data = numbers("i4", SHAPE)
    put(array, (), data)
    put(array, (slice(3, 77), slice(10, 12)), 5)
    data[3:77, 10:12] = 5
    again = array.chunk_source().open()
    assert isinstance(again, OpenSource)
    np.testing.assert_array_equal(get(again), data)
    np.testing.assert_array_equal(get(again, slice(30, 50), slice(20, 40)), data[30:50, 20:40])
