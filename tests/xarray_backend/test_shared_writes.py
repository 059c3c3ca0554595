"""Several writers of one dataset, and writers that fail: regions that share chunks, appends, readers beside them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from dask.delayed import Delayed

import xarray_backend.blocks
import zarrds
from tests.store.doubles import CountingStore, FaultyStore, WrappedStore
from tests.xarray_backend.samples import is_document
from xarray_backend import open_zarrds, to_zarrds
from zarrds._node import claim as _claim
from zarrds.errors import BlockAlignmentError, ConflictError, StoreError
from zarrds.storage import DirectoryStore, MemoryStore, SQLiteStore

pytestmark = pytest.mark.usefixtures("zarr_format")


class HookedStore(WrappedStore):
    """Calls a function before each request for, or of, a key."""

    hook = None

    def called(self, verb, keys):
        hook, self.hook = self.hook, None  # what the hook does itself calls no hook
        if hook is not None:
            hook(verb, keys)
            self.hook = hook if self.hook is None else self.hook


class BlindStore(WrappedStore):
    """Can be reached by others, and cannot compare and swap."""

    def __init__(self, store):
        super().__init__(store)
        self.can_set_if = False


def rows(start, stop, value):
    return xr.Dataset({"v": (("t", "x"), np.full((stop - start, 3), float(value)))})


def table(n, chunk=4, **options):
    store = options.pop("store", None)
    store = {} if store is None else store
    encoding = {"v": {"chunks": (chunk, 3), **options}, "t": {"chunks": (chunk,)}}
    to_zarrds(rows(0, n, -1).assign(t=("t", np.arange(n))), store, encoding=encoding)
    return store


# --- regions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("verb", ["get", "set"])
@pytest.mark.parametrize("mode", ["r+", "a"])
def test_a_region_keeps_what_another_writer_puts_into_its_chunk(mode, verb, lazy):
    store = HookedStore(MemoryStore())
    table(8, store=store)
    todo = [(2, 3, 30), (3, 4, 40), (1, 2, 20)][: 1 if verb == "get" else 3]
    expected = [10, *(20 if verb == "set" else -1, 30), 40 if verb == "set" else -1]

    def interrupt(called, keys):
        if called == verb and todo and not any(map(is_document, keys)):
            start, stop, value = todo.pop()
            to_zarrds(rows(start, stop, value), store, region={"t": slice(start, stop)})

    store.hook = interrupt
    part = rows(0, 1, 10)
    to_zarrds(part.chunk() if lazy else part, store, mode, region={"t": slice(0, 1)}, safe_chunks=not lazy)
    assert not todo
    assert open_zarrds(store).v[:, 0].values.tolist() == [*expected, -1, -1, -1, -1]


@pytest.mark.parametrize("shards", [None, (8, 3)])
def test_regions_from_threads(tmp_path, shards, zarr_format):
    if shards and zarr_format == 2:
        pytest.skip("Zarr v2 has no shards")
    for store in ({}, DirectoryStore(str(tmp_path / "a")), SQLiteStore(str(tmp_path / "a.db"))):
        table(24, 8, store=store, **({"shards": shards} if shards else {}))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i, s=store: to_zarrds(rows(i, i + 1, i), s, region={"t": slice(i, i + 1)}), range(24)))
        assert open_zarrds(store).v[:, 0].values.tolist() == list(range(24))


def write_row(job):
    path, i, lock = job
    warnings.simplefilter("ignore")
    to_zarrds(
        rows(i, i + 1, i),
        path,
        region={"t": slice(i, i + 1)},
        synchronizer=zarrds.ProcessSynchronizer(lock) if lock else None,
    )


@pytest.mark.slow
@pytest.mark.parametrize("lock", [False, True])
def test_regions_from_processes(tmp_path, lock):
    path = str(tmp_path / "a.zarr")
    table(16, 16, store=path)
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(write_row, [(path, i, lock and str(tmp_path / "locks")) for i in range(16)]))
    assert open_zarrds(path).v[:, 0].values.tolist() == list(range(16))


def test_parts_of_chunks_that_nobody_guards_are_refused(tmp_path):
    store = BlindStore(DirectoryStore(str(tmp_path / "a.zarr")))
    table(8, store=store)
    for mode in ("r+", "a"):
        with pytest.raises(BlockAlignmentError, match="region of variable 'v'"):
            to_zarrds(rows(0, 1, 1), store, mode, region={"t": slice(0, 1)})
    assert (open_zarrds(store).v == -1).all()
    to_zarrds(rows(0, 4, 1), store, region={"t": slice(0, 4)})
    to_zarrds(rows(4, 5, 2), store, region={"t": slice(4, 5)}, safe_chunks=False)
    guarded = {"synchronizer": zarrds.ProcessSynchronizer(str(tmp_path / "locks"))}
    to_zarrds(rows(5, 6, 3), store, region={"t": slice(5, 6)}, **guarded)
    assert open_zarrds(store).v[:, 0].values.tolist() == [1, 1, 1, 1, 2, 3, -1, -1]
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda i: to_zarrds(rows(i, i + 1, i), store, region={"t": slice(i, i + 1)}, safe_chunks=False),
                range(8),
            )
        )
    assert open_zarrds(store).v[:, 0].values.tolist() == list(range(8))


class Recording:
    """A synchronizer that notes for which keys it was asked."""

    def __init__(self):
        self.keys = []
        self.locks = zarrds.ThreadSynchronizer()

    def __getitem__(self, key):
        self.keys.append(key)
        return self.locks[key]


@pytest.mark.parametrize("way", [{"mode": "w"}, {"mode": "a"}, {"region": {"t": slice(0, 2)}}, {"append_dim": "t"}])
@pytest.mark.parametrize("lazy", [False, True])
def test_a_synchronizer_guards_every_chunk(way, lazy, zarr_format):
    store = table(8, 2)
    locks = Recording()
    part = rows(0, 2 if "region" in way else 8, 5)
    if "append_dim" in way:
        part = part.assign(t=("t", np.arange(8)))
    encoding = {"v": {"chunks": (2, 3)}} if way == {"mode": "w"} else None
    with dask.config.set(scheduler="threads"):
        to_zarrds(part.chunk(t=2) if lazy else part, store, synchronizer=locks, encoding=encoding, **way)
    chunks = range(4, 8) if "append_dim" in way else range(1 if "region" in way else 4)
    name = "v/{}.0" if zarr_format == 2 else "v/c/{}/0"
    assert {name.format(i) for i in chunks} <= set(locks.keys)


def test_an_all_fill_part_of_a_shared_chunk_deletes_nothing_of_others():
    store = {}
    to_zarrds(xr.Dataset({"v": ("t", [1.0, np.nan, np.nan, np.nan])}), store)
    for start, values in ((0, [np.nan]), (2, [3.0])):
        to_zarrds(xr.Dataset({"v": ("t", values)}), store, region={"t": slice(start, start + 1)})
    np.testing.assert_array_equal(open_zarrds(store).v, [np.nan, np.nan, 3, np.nan])


# --- appends ---------------------------------------------------------------------------------------------------------


def more(count, value):
    return rows(0, count, value).assign(t=("t", np.full(count, value)))


def consistent(path, **options):
    """Values of both variables, which belong together."""
    found = xr.open_dataset(path, engine="zarrds", **options).load()
    assert found.v.shape[0] == found.t.shape[0]
    assert (found.v.values == found.v.values[:, :1]).all()
    return found.v[:, 0].values.tolist(), found.t.values.tolist()


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_the_order_of_an_append(lazy, count, zarr_format):
    store = CountingStore(MemoryStore())
    table(6, store=store)
    store.reset()
    part = more(count, 5)
    with dask.config.set(scheduler="sync"):
        to_zarrds(part.chunk(t=-1) if lazy else part, store, append_dim="t", safe_chunks=False)
    sets = [key for verb, keys in store.counts.log if verb == "set" for key in keys]
    documents = {2: ".zarray", 3: "zarr.json"}[zarr_format]
    chunks = [n for n, key in enumerate(sets) if not is_document(key)]
    shapes = [n for n, key in enumerate(sets) if key in (f"v/{documents}", f"t/{documents}")]
    last = max(n for n, key in enumerate(sets) if key in (".zmetadata", "zarr.json"))
    assert max(chunks) < min(shapes)
    assert len(shapes) == 2
    assert max(shapes) < last
    np.testing.assert_array_equal(open_zarrds(store).v[6:], 5)


@pytest.mark.parametrize("consolidated", [True, False])
def test_readers_beside_an_append_see_old_or_new(consolidated):
    store = HookedStore(MemoryStore())
    table(6, store=store)
    lengths = set()

    def look(verb, keys):
        group = zarrds.open_group(store.store, mode="r")
        for name in ("v", "t"):
            array = group[name]
            assert array.shape[0] in (6, 11)
            assert (array[6:] == 7).all()
        if consolidated:
            lengths.add(xr.open_dataset(store.store, engine="zarrds").sizes["t"])

    store.hook = look
    to_zarrds(more(5, 7), store, append_dim="t")
    store.hook = None
    assert not consolidated or lengths <= {6, 11}
    assert consistent(store)[0] == [-1] * 6 + [7] * 5


@pytest.mark.parametrize("forever", [False, True])
@pytest.mark.parametrize("verb", ["get", "set", "delete"])
def test_an_append_that_fails_leaves_nothing_and_can_be_repeated(verb, forever):
    for nth in range(1, 60):
        inner = MemoryStore()
        table(6, store=inner)
        store = FaultyStore(inner, StoreError("broken"), verb=verb, nth=nth, forever=forever)
        try:
            to_zarrds(more(5, 7), store, append_dim="t")
        except StoreError:
            found = xr.open_dataset(inner, engine="zarrds")
            assert found.sizes["t"] in (6, 11)
            assert (found.v.values[:6] == -1).all()
            assert (found.v.values[6:] == 7).all()
            if found.sizes["t"] == 6:
                if len({zarrds.open_array(inner, mode="r", path=name).shape[0] for name in ("v", "t")}) == 1:
                    found = consistent(inner, consolidated=False)[0]
                    assert found in ([-1] * 6, [-1] * 6 + [7] * 5)
                else:
                    assert forever  # it broke down between two documents, and nobody could take the first one back
                to_zarrds(more(5, 9), inner, append_dim="t")
                assert consistent(inner)[0] in ([-1] * 6 + [9] * 5, [-1] * 6 + [7] * 5 + [9] * 5)
        else:
            assert consistent(inner)[0] == [-1] * 6 + [7] * 5
            break
    else:
        pytest.fail("it never succeeded")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_append_whose_blocks_fail_leaves_nothing(error):
    store = table(6)
    before = dict(store)

    def fail(block, block_id=None):
        if block_id == (2, 0):
            raise error
        return block

    lazy = da.zeros((12, 3), chunks=(2, 3)).map_blocks(fail, dtype=float, meta=np.empty((0, 0)))
    ds = xr.Dataset({"v": (("t", "x"), lazy), "t": ("t", np.arange(12))})
    with dask.config.set(scheduler="sync"), pytest.raises(error):
        to_zarrds(ds, store, append_dim="t", safe_chunks=False)
    assert set(store) == set(before)
    assert consistent(store)[0] == [-1] * 6
    to_zarrds(more(5, 7), store, append_dim="t")
    assert consistent(store)[0] == [-1] * 6 + [7] * 5


def test_an_append_that_meets_another_kind_of_writer():
    store = HookedStore(MemoryStore())
    table(6, store=store)

    def interrupt(verb, keys):
        if verb == "set" and not any(map(is_document, keys)):
            store.hook = None
            zarrds.open_array(store.store, path="v").resize(9, 3)

    store.hook = interrupt
    with pytest.raises(ConflictError):
        to_zarrds(more(5, 7), store, append_dim="t")


def test_an_append_stops_where_the_machine_slept_and_another_writer_took_over(monkeypatch):
    store = HookedStore(MemoryStore())
    table(6, store=store)
    now, written = [0.0], []
    monkeypatch.setattr(_claim, "_now", lambda: now[0])

    def sleep_long(verb, keys):
        if verb == "set" and keys and not any(map(is_document, keys)):
            written.extend(keys)
            if now[0] == 0:
                now[0] = 3600.0
                key = next(key for key in (".zgroup", "zarr.json") if key in store.store)
                store.store[key] = store.store[key].rstrip()  # the other one is done

    store.hook = sleep_long
    with pytest.raises(ConflictError, match="took over"):
        to_zarrds(more(5, 7), store, append_dim="t")
    assert len({key.partition("/")[0] for key in written}) == 1


@pytest.mark.parametrize("kind", ["memory", "directory", "sqlite", "blind"])
def test_appends_from_threads(tmp_path, kind):
    store = {
        "memory": dict,
        "directory": lambda: str(tmp_path / "a"),
        "sqlite": lambda: SQLiteStore(str(tmp_path / "a.db")),
        "blind": lambda: BlindStore(DirectoryStore(str(tmp_path / "a"))),
    }[kind]()
    table(2, store=store)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: to_zarrds(more(3, i), store, append_dim="t"), range(12)))
    v, t = consistent(store)
    assert v[2:] == t[2:]
    assert sorted(v[2:]) == sorted([*range(12)] * 3)
    assert v[2::3] == v[3::3] == v[4::3]


@pytest.mark.parametrize("lazy", [False, True])
def test_appends_to_n5(tmp_path, lazy):
    store = zarrds.n5.N5Store(str(tmp_path / "a.n5"))
    numbers = {"_FillValue": 0, "dtype": "i8"}
    ds = xr.Dataset({"v": (("t", "x"), np.arange(1, 22).reshape(7, 3)), "w": ("t", np.arange(1, 8))})
    to_zarrds(ds.isel(t=slice(3)), store, consolidated=False, encoding={"v": numbers, "w": numbers}, zarr_format=2)

    def append(start):
        part = ds.isel(t=slice(start, start + 2))
        part = part.chunk() if lazy else part
        to_zarrds(part, store, append_dim="t", consolidated=False, safe_chunks=False)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(append, (3, 5)))
    found = xr.open_dataset(store, engine="zarrds", consolidated=False)
    assert sorted(found.w.values) == [*range(1, 8)]
    np.testing.assert_array_equal(found.v[:, 0], 3 * found.w - 2)


def append_some(job):
    path, writer, lazy = job
    warnings.simplefilter("ignore")
    for n in range(5):
        part = more(3, 100 * writer + n)
        with dask.config.set(scheduler="sync"):
            to_zarrds(part.chunk(t=-1) if lazy else part, path, append_dim="t", safe_chunks=False)


@pytest.mark.slow
@pytest.mark.parametrize("lazy", [False, True])
def test_appends_from_processes(tmp_path, lazy):
    path = str(tmp_path / "a.zarr")
    table(2, store=path)
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(append_some, [(path, k, lazy) for k in range(3)]))
    v, t = consistent(path)
    assert v[2:] == t[2:]
    assert sorted(v[2:]) == sorted(100 * k + n for k in range(3) for n in range(5) for _ in range(3))


def die_while_appending(path):
    lazy = da.zeros((12, 3), chunks=(2, 3)).map_blocks(
        lambda block, block_id=None: os._exit(9) if block_id == (3, 0) else block + 8,
        dtype=float,
        meta=np.empty((0, 0)),
    )
    with dask.config.set(scheduler="sync"):
        to_zarrds(
            xr.Dataset({"v": (("t", "x"), lazy), "t": ("t", np.arange(12))}), path, append_dim="t", safe_chunks=False
        )


@pytest.mark.slow
def test_a_killed_append_is_invisible_and_keeps_nobody_waiting(tmp_path):
    path = str(tmp_path / "a.zarr")
    table(6, store=path)
    process = multiprocessing.get_context("spawn").Process(target=die_while_appending, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert consistent(path)[0] == [-1] * 6
    to_zarrds(more(5, 7), path, append_dim="t")
    to_zarrds(more(5, 9), path, append_dim="t")
    assert consistent(path)[0] == [-1] * 6 + [7] * 5 + [9] * 5


# --- templates -------------------------------------------------------------------------------------------------------


def test_a_template_has_no_graph_until_it_is_computed(monkeypatch):
    made = []
    make = xarray_backend.blocks.block_writes
    monkeypatch.setattr(xarray_backend.blocks, "block_writes", lambda *args: made.append(args) or make(*args))
    store: dict[str, bytes] = {}
    ds = xr.Dataset({"v": (("t", "x"), da.arange(20, chunks=1).reshape(10, 2)), "w": ("t", da.ones(10, chunks=1))})
    later = to_zarrds(ds, store, compute=False)
    assert isinstance(later, Delayed)
    assert repr(later)
    assert hash(later) == hash(later)
    assert not made
    assert "v/0.0" not in store
    with dask.config.set(scheduler="threads"):
        dask.compute(later, later)
    assert len(made) == 2
    np.testing.assert_array_equal(open_zarrds(store).v, np.arange(20).reshape(10, 2))
    assert pickle.loads(pickle.dumps(later)).key == later.key
    dask.delayed(lambda done: done)(later).compute(scheduler="sync")


def test_a_template_of_many_chunks_is_quick_to_make():
    """Nothing is done for each chunk but looking at the lengths of the blocks."""
    calls = 0

    def count(frame, event, arg):
        nonlocal calls
        calls += event == "call"

    ds = xr.Dataset({"v": (("t", "x"), da.zeros((10**4, 10), chunks=(1, 10)))})
    to_zarrds(ds.isel(t=slice(2)), {}, compute=False)
    sys.setprofile(count)
    try:
        to_zarrds(ds, {}, compute=False)
    finally:
        sys.setprofile(None)
    assert calls < 10**5


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("inside", ["", "locks"])
def test_lock_files_inside_the_store_are_refused(inside, zarr_format, tmp_path):
    path = tmp_path / "a.zarr"
    ds = xr.Dataset({"v": ("x", np.arange(4.0))}, coords={"x": np.arange(4)})
    to_zarrds(ds, str(path), mode="w", zarr_format=zarr_format)
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    synchronizer = zarrds.ProcessSynchronizer(str(path / inside))
    for given, way in (
        (ds, {"mode": "w"}),
        (ds, {"mode": "a"}),
        (ds, {"mode": "r+"}),
        (ds, {"append_dim": "x"}),
        (ds[["v"]].isel(x=slice(0, 2)).drop_vars("x"), {"region": {"x": slice(0, 2)}}),
        (ds.chunk(x=2), {"mode": "a", "compute": False}),
        (xr.DataTree(ds), {"mode": "a"}),
    ):
        with pytest.raises(zarrds.errors.SynchronizerPathError, match=r"\.sync"):
            to_zarrds(given, str(path), synchronizer=synchronizer, **way)
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before
