"""Windows, threads and faults: the same result however the work is cut, and no fault ever becomes data."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import zarrds
from tests.store.doubles import CountingStore, FaultyStore, WrappedStore
from zarrds import config_context
from zarrds._engine.pool import prefetched
from zarrds._store.base import StoreProfile
from zarrds.core import opened_array
from zarrds.errors import ChunkDecodeError, MissingChunkError, StoreError
from zarrds.storage import MemoryStore

DATA = np.arange(40 * 50, dtype="f8").reshape(40, 50)


class NetworkStore(CountingStore):
    """Says that it is a network store, and records how many requests come in a batch."""

    def __init__(self):
        super().__init__(MemoryStore())
        self.profile = StoreProfile("network", native_batch=True, native_ranges=True)

    @property
    def batches(self):
        return [len(items) for verb, items in self.counts.log if verb == "get"]


def filled(store, **options):
    z = zarrds.create(DATA.shape, chunks=(4, 5), dtype="f8", store=store, **options)
    z[:] = DATA
    return z


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("window_bytes", [1, 1000, 10**9])
@pytest.mark.parametrize("compressor", ["default", None])
@pytest.mark.parametrize("network", [False, True])
def test_any_cut_gives_the_same(threads, window_bytes, compressor, network):
    settings = {"threads": threads, "window_bytes": window_bytes, "threaded_read_bytes": 1, "threaded_write_bytes": 1}
    with config_context(**settings):
        z = filled(NetworkStore() if network else MemoryStore(), compressor=compressor)
        np.testing.assert_array_equal(z[:], DATA)
        np.testing.assert_array_equal(z[3:37:2, 1], DATA[3:37:2, 1])
        np.testing.assert_array_equal(z.oindex[[39, 0, 3], 7:], DATA[[39, 0, 3], 7:])
        z[1:39, 1:49] = 0
        expected = DATA.copy()
        expected[1:39, 1:49] = 0
        np.testing.assert_array_equal(z[:], expected)


def test_a_network_store_gets_large_batches():
    store = NetworkStore()
    z = filled(store)
    store.reset()
    z[:]
    assert store.batches == [100]
    store.reset()
    with config_context(window_requests=40):
        z[:]
    assert sorted(store.batches) == [20, 40, 40]  # two at once: either may begin first


def test_the_next_window_is_fetched_while_one_decodes():
    """The second batch is asked for before the first one's chunks are decoded."""
    store, order = NetworkStore(), []
    z = filled(store)
    second = threading.Event()
    ask, decode = store.get_many, z._open.latest.codec.decode

    def get_many(requests):
        order.append("get")
        if order.count("get") == 2:
            second.set()
        return ask(requests)

    class Decoder:
        spec = z._open.latest.codec.spec
        read_strategy = z._open.latest.codec.read_strategy

        def decode(self, data, out=None):
            if "decode" not in order:
                assert second.wait(240)
                order.append("decode")
            return decode(data, out)

    store.get_many = get_many
    z._open.latest.codec = Decoder()
    with config_context(window_requests=50):
        np.testing.assert_array_equal(z[:], DATA)
    assert order == ["get", "get", "decode"]


@pytest.mark.parametrize(
    "error", [PermissionError("no"), ConnectionError("gone"), TimeoutError("late"), StoreError("bad")]
)
@pytest.mark.parametrize("threads", [1, 3])
def test_faults_are_raised_and_never_read_as_fill(error, threads):
    z = filled(MemoryStore())
    faulty = zarrds.Array(FaultyStore(z.store, error, nth=2))
    with config_context(threads=threads, threaded_read_bytes=1), pytest.raises(type(error)):
        faulty[:]


def test_a_failed_write_says_so():
    z = filled(MemoryStore())
    faulty = zarrds.Array(FaultyStore(z.store, OSError("disk full"), verb="set"))
    with pytest.raises(OSError, match="disk full"):
        faulty[:] = 0


def test_a_bad_chunk_names_store_path_and_key():
    root = zarrds.group()
    z = root.create_dataset("u", data=DATA, chunks=(4, 5))
    root.store["u/3.4"] = z.store["u/3.4"][:-5]
    for selection in (..., (slice(12, 14), 20)):
        with pytest.raises(ChunkDecodeError) as caught:
            z[selection]
        assert caught.value.key == "u/3.4"
        assert caught.value.path == "u"
        assert "MemoryStore" in caught.value.store
    np.testing.assert_array_equal(z[:12], DATA[:12])
    # a write that covers it whole heals it; one that does not is refused and changes nothing
    with pytest.raises(ChunkDecodeError):
        z[12, 20] = 1
    z[12:16, 20:25] = 1
    assert (z[12:16, 20:25] == 1).all()


def test_a_raw_chunk_of_the_wrong_size(tmp_path):
    z = zarrds.open(str(tmp_path / "a.zarr"), mode="w", shape=(10, 10), chunks=(10, 10), dtype="i4", compressor=None)
    z[:] = 1
    file = tmp_path / "a.zarr" / "0.0"
    file.write_bytes(file.read_bytes()[:-1])
    for selection in (..., (slice(8, 10), slice(None)), (9, 9)):
        with pytest.raises(ChunkDecodeError) as caught:
            z[selection]
        assert caught.value.key == "0.0"
        assert "DirectoryStore" in caught.value.store


def test_missing_chunks_may_be_an_error():
    z = filled(MemoryStore())
    del z.store["2.3"]
    assert (z[8:12, 15:20] == 0).all()
    strict = zarrds.Array(z.store, read_missing="raise")
    np.testing.assert_array_equal(strict[:8], DATA[:8])
    with pytest.raises(MissingChunkError) as caught:
        strict[:]
    assert caught.value.key == "2.3"


def test_threads_of_the_engine_may_read_arrays_themselves():
    """A lazily read value inside a threaded write must not wait for a thread of its own pool."""
    with config_context(threads=2, threaded_read_bytes=1, threaded_write_bytes=1):
        source = filled(MemoryStore())
        target = zarrds.zeros(DATA.shape, chunks=(7, 8))
        target[:] = source
        np.testing.assert_array_equal(target[:], DATA)


def test_out_is_filled_and_returned():
    z = filled(MemoryStore())
    out = np.empty((10, 50), "f4")
    assert z.get_basic_selection(slice(0, 10), out=out) is out
    np.testing.assert_array_equal(out, DATA[:10])
    out = np.empty((2, 2))
    found = z.get_coordinate_selection(([[0, 1], [2, 3]], [[4, 5], [6, 7]]), out=out)
    assert found is out
    np.testing.assert_array_equal(out, DATA[[[0, 1], [2, 3]], [[4, 5], [6, 7]]])
    with pytest.raises(ValueError, match="shape"):
        z.get_basic_selection(slice(0, 10), out=np.empty((9, 50)))


def test_bad_values_change_nothing():
    z = filled(MemoryStore())
    for value in (np.zeros((3, 3)), "abc", np.array(["x"] * 50), [[1, 2], [3]], object()):
        with pytest.raises((ValueError, TypeError)):
            z[:] = value
    np.testing.assert_array_equal(z[:], DATA)


class Asleep(WrappedStore):
    """Deadlocks when two threads do not run at once."""

    def __init__(self, store):
        super().__init__(store)
        self.barrier = threading.Barrier(2, timeout=240)

    def called(self, verb, keys):
        if verb == "get":
            self.barrier.wait()


def test_large_chunks_are_read_by_several_threads():
    z = zarrds.zeros((8, 200_000), chunks=(1, 200_000))
    z[:] = 1
    store = Asleep(z.store)
    parallel = opened_array(store, "", z.source().meta)
    with config_context(threads=2):
        assert (parallel[:] == 1).all()


def test_nothing_is_fetched_any_more_after_an_error():
    started, release, finished = threading.Event(), threading.Event(), []

    def fetch(item):
        if item == 1:
            started.set()
            release.wait(240)
            finished.append(item)
        return item

    def consume():
        for _ in prefetched(fetch, range(3)):
            assert started.wait(240)
            threading.Timer(0.05, release.set).start()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        consume()
    assert finished == [1]


def test_readers_of_a_network_do_not_wait_for_each_other():
    """As threads of dask: what each fetches ahead is fetched at once."""
    barrier = threading.Barrier(2, timeout=240)
    found = []

    def read():
        found.append([value for _, value in prefetched(lambda item: (barrier.wait(), item)[1], range(3))])

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert found == [[0, 1, 2], [0, 1, 2]]
