"""Batches: many writes, and each chunk or shard is stored once."""

from __future__ import annotations

import numpy as np
import pytest

import zarrds
from tests.codec.pipelines import LITTLE, sharding, source, spec
from tests.engine.counting import CountingStore
from zarrds._engine.batch import PendingStore
from zarrds._engine.reading import read
from zarrds._engine.writing import write
from zarrds._plan.plan import plan_selection
from zarrds.errors import ChunkDecodeError, NotErasableError, ReadOnlyError

SHAPE, SHARD = (40, 40), (20, 20)


def shards(store, *, codecs=(LITTLE, "crc32c")):
    return source(store, SHAPE, spec("i4", shape=SHARD, serializer=sharding((5, 5), codecs=codecs)))


def put(array, selection, value):
    write(array, plan_selection(selection, SHAPE, SHARD, "basic"), value)


def get(array, *selection):
    return read(array, plan_selection(selection, SHAPE, SHARD, "basic"))


def plain(store, **options):
    return zarrds.create(SHAPE, chunks=SHARD, dtype="i4", store=store, overwrite=True, **options)


def test_many_writes_to_shards_are_one_set_each():
    store = CountingStore("disk")
    held = PendingStore(store)
    array = shards(held)
    model = np.zeros(SHAPE, "i4")
    for row in range(40):
        put(array, (row, slice(3, 37)), row)
        model[row, 3:37] = row
        assert get(array, row, 5) == row
    np.testing.assert_array_equal(get(array), model)
    assert not store.sets
    held.flush()
    assert sorted(store.sets) == ["c/0/0", "c/0/1", "c/1/0", "c/1/1"]
    np.testing.assert_array_equal(get(shards(store)), model)


def test_old_shards_are_read_once():
    store = CountingStore("disk")
    put(shards(store), (), 7)
    store.forget()
    held = PendingStore(store)
    array = shards(held)
    for column in range(20):
        put(array, (slice(0, 20), column), column)
    held.flush()
    assert store.gets == [("c/0/0", None)]
    assert store.sets == ["c/0/0"]
    assert get(shards(store), 19).tolist() == [*range(20), *[7] * 20]


def test_shards_that_become_empty_are_deleted():
    store = CountingStore("disk")
    put(shards(store), (), 7)
    held = PendingStore(store)
    array = shards(held)
    for row in range(40):
        put(array, (row,), 0)
    assert not get(array).any()
    held.flush()
    assert not store.data


def test_many_writes_to_chunks_are_one_set_each():
    store = CountingStore("disk")
    z = plain(store)
    store.forget()
    with z.batch() as same:
        assert same is z
        for row in range(40):
            z[row] = row
            assert z[row, 7] == row
        assert z.nchunks_initialized == 4
        assert not store.sets
    assert sorted(store.sets) == ["0.0", "0.1", "1.0", "1.1"]
    assert zarrds.open(store)[:, 3].tolist() == list(range(40))
    z[0, 0] = 5
    assert zarrds.open(store)[0, 0] == 5


def test_whole_chunks_and_scalars_in_a_batch():
    store = CountingStore("disk")
    z = plain(store, write_empty_chunks=False)
    with z.batch():
        z[...] = 3
        z[:20, :20] = np.arange(400).reshape(20, 20)
        z[20:, 20:] = 0
        z[0, 0] = 9
        assert z[0, 0] == 9
    assert sorted(key for key in store.data if key[0] != ".") == ["0.0", "0.1", "1.0"]
    assert z[0, :2].tolist() == [9, 1]
    assert z[39, 39] == 0


def test_an_error_in_the_block_loses_nothing():
    store = CountingStore("disk")
    z = plain(store)

    def fail():
        with z.batch():
            z[3] = 5
            raise KeyError("the caller's own")

    with pytest.raises(KeyError):
        fail()
    assert zarrds.open(store)[3, 3] == 5


def test_an_error_of_storing_is_raised_and_the_array_is_as_before():
    class Failing(CountingStore):
        broken = False

        def set_many(self, items):
            if self.broken:
                raise OSError("disk full")
            super().set_many(items)

    store = Failing("disk")
    z = plain(store)
    store.broken = True
    with pytest.raises(OSError, match="disk full"), z.batch():
        z[3] = 5
    store.broken = False
    assert z[3, 3] == 0
    z[4] = 6
    assert z[4, 4] == 6


def test_a_write_that_fails_changes_nothing():
    store = CountingStore("disk")
    put(shards(store), (), 7)
    value = bytearray(store.data["c/0/0"])
    value[150] ^= 1  # in the second inner chunk
    store.data["c/0/0"] = bytes(value)
    held = PendingStore(store)
    array = shards(held)
    put(array, (19, 19), 1)
    with pytest.raises(ChunkDecodeError):
        put(array, (0, slice(0, 20)), 9)
    held.flush()
    assert get(shards(store), 0, 0) == 7
    assert get(shards(store), 19, 19) == 1


def test_memory_is_bounded():
    store = CountingStore("disk")
    z = plain(store)
    store.forget()
    with z.batch(max_bytes=2 * 20 * 20 * 4):
        for row in range(0, 40, 7):
            z[row] = row
        assert store.sets
        assert z[:, 0].tolist() == [row if row % 7 == 0 else 0 for row in range(40)]
    assert zarrds.open(store)[:, 39].tolist() == [row if row % 7 == 0 else 0 for row in range(40)]


def test_batches_inside_batches_belong_to_the_outer_one():
    store = CountingStore("disk")
    z = plain(store)
    store.forget()
    with z.batch():
        with z.batch():
            z[0] = 1
        assert not store.sets
        z[1] = 2
    assert sorted(store.sets) == ["0.0", "0.1"]


def test_resizing_in_a_batch():
    store = CountingStore("disk")
    z = plain(store)
    with z.batch():
        z[...] = 4
        z.resize(30, 40)
        z.append(np.full((5, 40), 8))
        assert z.shape == (35, 40)
    again = zarrds.open(store)
    assert again[:, 0].tolist() == [4] * 30 + [8] * 5


def test_who_may_not():
    with pytest.raises(ReadOnlyError), zarrds.open(plain(CountingStore()).store, mode="r").batch():
        pass
    with pytest.raises(ValueError, match="synchronizer"), plain({}, synchronizer=zarrds.ThreadSynchronizer()).batch():
        pass


def test_what_cannot_be_deleted_stops_a_batch_from_shrinking(tmp_path):
    with zarrds.ZipStore(str(tmp_path / "a.zip"), mode="w") as store:
        array = zarrds.create(10, chunks=2, dtype="i4", store=store)
        array[:] = 1
        with array.batch(), pytest.raises(NotErasableError):
            array.resize(4)
        assert zarrds.Array(store).shape == (10,)


@pytest.mark.parametrize(
    "options",
    [
        {"compressor": None},
        {"zarr_format": 3, "compressors": []},
        {"zarr_format": 3, "chunks": (5, 5), "shards": SHARD, "compressors": []},
    ],
    ids=["Zarr v2", "Zarr v3", "shards"],
)
def test_buffers_that_a_store_hands_out_are_not_written_to(options):
    """A store may hold values in memory that can be written to: they change when they are set, not before."""
    held = {}
    array = zarrds.create(**{"shape": SHAPE, "chunks": SHARD, "dtype": "i4", "store": held, **options})
    array[:] = 1
    held.update({key: bytearray(value) for key, value in held.items()})
    before = {key: bytes(value) for key, value in held.items()}
    with array.batch():
        array[3:30, 7] = 2
        assert held == before
        assert (array[3:30, 7] == 2).all()
    assert (zarrds.Array(held)[:] == 2).sum() == 27
