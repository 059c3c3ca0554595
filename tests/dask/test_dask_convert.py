"""Conversions by tasks: what `zarrds.convert` makes, byte for byte, whatever happens on the way."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import numcodecs
import numpy as np
import pytest

import zarrds
from tests.convert.arrays import BYTES, TEXTS, experimental, format_1, hierarchy, snapshot
from tests.convert.mortal import Mortal, StoppedError
from tests.dask.killing_store import KillingStore
from tests.dask.test_copy_jobs import Stopped, StoppingStore, is_chunk
from tests.store.doubles import CountingStore, FaultyStore
from zarrds._store import StoreSpec
from zarrds.dask import convert
from zarrds.errors import (
    ContainsArrayError,
    ContainsGroupError,
    PathNotFoundError,
    ReadOnlyError,
    StoreNotShareableError,
    UnsupportedFormatError,
)

ZSTD = [{"name": "zstd", "configuration": {"level": 1, "checksum": False}}]
TURN = {"name": "transpose", "configuration": {"order": [1, 0]}}
RECORD = np.array([(n, n / 2, str(n).encode()) for n in range(11)], [("a", "<i4"), ("b", "<f8"), ("c", "S3")])


@pytest.fixture(autouse=True)
def _in_this_thread(request: pytest.FixtureRequest) -> Any:
    """Tests that do not say otherwise run without a scheduler's threads."""
    if "cluster_client" in request.fixturenames:
        yield
        return
    with dask.config.set(scheduler="sync"):
        yield


def ramp(*shape: int, dtype: Any = "i4") -> np.ndarray[Any, Any]:
    return (np.arange(np.prod(shape, dtype=int)) % 100).reshape(shape).astype(dtype)


def content(store: Any) -> dict[str, bytes]:
    return {key: bytes(value) for key, value in store.items()}


# --- sources of all formats -------------------------------------------------------------------------------------------


def kinds(number: int) -> zarrds.KVStore:
    """An array of each kind in nested groups, with consolidated metadata."""
    store = zarrds.KVStore({})
    hierarchy(store)
    zarrds.consolidate_metadata(store)
    if number == 3:
        zarrds.convert(store, to=3)
    return store


def shards() -> zarrds.KVStore:
    """Arrays of Zarr v3 that must be encoded again to become Zarr v2."""
    store = zarrds.KVStore({})
    root = zarrds.open_group(store, mode="w", zarr_format=3)
    root.attrs["title"] = "shards"

    def add(name: str, data: Any, chunks: Any, shards: Any, **given: Any) -> zarrds.Array:
        options = {"compressors": ZSTD, "fill_value": 0, **given}
        made = root.create_dataset(
            name, shape=data.shape, dtype=options.pop("dtype", data.dtype), chunks=chunks, shards=shards, **options
        )
        made[...] = data
        return made

    add("g/numbers", ramp(13, 9), (2, 3), (4, 6), dimension_names=("y", "x")).attrs["units"] = "m"
    add("g/h/dates", ramp(20, dtype="M8[s]"), (3,), (6,))
    add("g/h/scalar", np.array(4.5), (), ())
    add("empty", np.zeros((0, 4)), (1, 2), (2, 4))
    add("g/text", TEXTS, (2,), (4,), dtype=str, fill_value="")
    add("g/bytes", BYTES, (2,), (4,), dtype="variable_length_bytes", fill_value=b"")
    add("record", RECORD, (2,), (4,), fill_value=None)
    add("turned", ramp(7, 5, dtype=">f4"), (3, 2), None, filters=[TURN])
    sparse = root.create_dataset("sparse", shape=(40, 40), chunks=(2, 2), shards=(4, 4), dtype="i2", fill_value=7)
    sparse[5, 6] = 1
    zarrds.consolidate_metadata(store)
    return store


def n5(path: Path) -> zarrds.N5Store:
    store = zarrds.N5Store(str(path / "a.n5"))
    root = zarrds.open_group(store, mode="w")
    for name, compressor in [("g/a", None), ("g/b", numcodecs.GZip(1)), ("c", numcodecs.Blosc("zstd"))]:
        root.create_dataset(name, data=ramp(7, 5, dtype="f4"), chunks=(3, 2), compressor=compressor).attrs["x"] = 1
    return store


SOURCES: dict[str, tuple[Callable[[Path], Any], tuple[int, ...]]] = {
    "Zarr v2": (lambda path: kinds(2), (3,)),
    "Zarr v3": (lambda path: kinds(3), (2,)),
    "shards": (lambda path: shards(), (2,)),
    "n5": (n5, (2, 3)),
    "Zarr v1": (lambda path: format_1(), (2, 3)),
    "experimental": (lambda path: experimental(False), (2, 3)),
    "experimental shards": (lambda path: experimental(True), (2, 3)),
}
PAIRS = [(name, to) for name, (_, tos) in SOURCES.items() for to in tos]


# --- equal to what `zarrds.convert` makes -----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "to"), PAIRS)
@pytest.mark.parametrize("batch_keys", [16, 1000])
def test_elsewhere_the_bytes_are_those_of_convert(name: str, to: int, batch_keys: int, tmp_path: Path) -> None:
    source = SOURCES[name][0](tmp_path)
    expected, found, before = zarrds.KVStore({}), zarrds.KVStore({}), content(source)
    zarrds.convert(source, expected, to=to, dest_path="in/here")
    lines: list[str] = []
    job = convert(source, found, to=to, dest_path="in/here", batch_keys=batch_keys, log=lines.append)
    assert not found
    new = job.compute()
    assert content(found) == content(expected)
    assert content(source) == before
    assert new.zarr_format == to
    documents = [json.loads(value) for key, value in found.items() if key.endswith((".zarray", "zarr.json"))]
    assert len(lines) == len([document for document in documents if "shape" in document])


@pytest.mark.parametrize("to", [2, 3])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("batch_keys", [3, 1000])
def test_in_place_the_bytes_are_those_of_convert(to: int, keep: bool, batch_keys: int) -> None:
    source = kinds(5 - to)
    if to == 2:
        root = zarrds.open_group(source)
        root.create_dataset("keys", data=ramp(9, 5), chunks=2, chunk_key_encoding={"name": "default"})
        root.create_dataset("point", data=np.array(3), chunk_key_encoding={"name": "default"})
        zarrds.consolidate_metadata(source)
    expected, found = (zarrds.KVStore(content(source)) for _ in range(2))
    zarrds.convert(expected, to=to, keep=keep)
    job = convert(found, to=to, keep=keep, batch_keys=batch_keys)
    assert content(found) == content(source)
    assert job.compute().zarr_format == to
    assert content(found) == content(expected)
    if not keep:
        job.compute()  # done again, it does nothing
        assert content(found) == content(expected)


@pytest.mark.parametrize("scheduler", ["threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_schedulers_and_directories(scheduler: str, tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in "abc"]
    zarrds.convert(shards(), zarrds.DirectoryStore(paths[0]), to=3)
    zarrds.convert(paths[0], paths[1], to=2)
    job = convert(paths[0], paths[2], to=2, batch_keys=16)
    new = job.compute(scheduler=scheduler, num_workers=2)
    one, other = (content(zarrds.DirectoryStore(path)) for path in paths[1:])
    assert one == other
    assert new["g/text"][:].tolist() == TEXTS.tolist()


@pytest.mark.parametrize("given", ["zip", "to zip", "fsspec", "array"])
def test_sources_and_destinations_of_other_kinds(given: str, tmp_path: Path) -> None:
    source: Any = zarrds.KVStore({})
    root = zarrds.open_group(source, mode="w", zarr_format=3)
    data = root.create_dataset("g/a", data=ramp(30, 4), chunks=(1, 2), shards=(2, 4))
    dest: Any = zarrds.KVStore({})
    options: dict[str, Any] = {"path": "g/a"}
    if given == "zip":
        with zarrds.ZipStore(str(tmp_path / "a.zip"), mode="w") as files:
            zarrds.copy_store(source, files)
        source = str(tmp_path / "a.zip")
    elif given == "to zip":
        dest = zarrds.ZipStore(str(tmp_path / "b.zip"), mode="w")
    elif given == "fsspec":
        dest = f"memory://{tmp_path.name}/a.zarr"
    else:
        source, options = data, {}
    new = convert(source, dest, to=2, batch_keys=16, **options).compute(scheduler="threads")
    np.testing.assert_array_equal(new[...], ramp(30, 4))
    assert isinstance(new, zarrds.Array)
    assert new.zarr_format == 2
    new.store.close()


# --- what it costs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("batch_keys", [16, 1000])
def test_values_are_read_once_and_set_once_and_documents_come_last(sharded: bool, batch_keys: int) -> None:
    store = zarrds.KVStore({})
    root = zarrds.open_group(store, mode="w", zarr_format=3)
    root.create_dataset("a/x", data=1 + ramp(40, 6), chunks=(1, 2), shards=(2, 6) if sharded else None)
    root.create_dataset("y", data=1 + ramp(5), chunks=2)
    source, dest = CountingStore(store), CountingStore(zarrds.KVStore({}))
    job = convert(source, dest, to=2, batch_keys=batch_keys)
    source.reset()
    job.compute()
    asked = Counter(
        request
        for verb, requests in source.counts.log
        if verb == "get"
        for request in requests
        if "json" not in str(request)
    )
    chunks = [key for key in store if not key.endswith("json")]
    assert set(asked.values()) == {1}
    assert {key for key, _ in asked} == set(chunks)
    assert source.counts.nbytes["get"] <= sum(len(store[key]) for key in chunks)
    written = [key for verb, keys in dest.counts.log if verb == "set" for key in keys if "tmp" not in key]
    assert len(written) == len(set(written)) == len(dest)
    for name, count in (("a/x", 120), ("y", 3)):
        own = [n for n, key in enumerate(written) if key.startswith(f"{name}/") and ".z" not in key]
        assert len(own) == count
        assert max(own) < written.index(f"{name}/.zarray")
    assert written[-1] == ".zgroup"
    assert dest.counts.keys["delete"] == 0


def test_absent_chunks_cost_no_request_at_the_destination() -> None:
    array = zarrds.create(
        (40, 40), chunks=(2, 2), shards=(4, 4), store={}, dtype="f4", fill_value=np.nan, zarr_format=3
    )
    array[5, 6] = 1
    dest = CountingStore(zarrds.KVStore({}))
    new = convert(array, dest, to=2).compute()
    assert dest.counts.keys["delete"] <= 3  # the others of the shard that is stored
    assert sorted(dest) == [".zarray", "2/3"]
    np.testing.assert_array_equal(new[:], array[:])


def test_absent_chunks_stay_absent_and_cost_no_task(tmp_path: Path) -> None:
    store = zarrds.KVStore({})
    options = {"chunks": (10, 10), "dtype": "i2", "zarr_format": 3}
    array = zarrds.create((10**7, 10**7), shards=(100, 100), store=store, **options)
    array[123456, 654321] = 5
    dest = zarrds.KVStore({})
    job = convert(store, dest, to=2)
    assert len(job.__dask_graph__()) < 4
    assert job.compute()[123456, 654321] == 5
    assert len(dest) == 2
    array[:1000, :1000] = 1
    assert len(convert(store, {}, to=2, batch_keys=8).__dask_graph__()) > 100
    path = str(tmp_path / "a")
    array = zarrds.create((3000, 3000), store=path, **{**options, "zarr_format": 2})
    array[:5] = array[2000:2010, 2500:2510] = 1
    job = convert(path, str(tmp_path / "b"), batch_keys=100)
    assert len(job.__dask_graph__()) < 70
    assert job.compute().nchunks_initialized == 301


def test_a_million_chunks_make_a_small_graph_and_small_arrays_share_tasks() -> None:
    store = zarrds.MemoryStore()
    zarrds.open_group(store, mode="w", zarr_format=2).create("u", shape=(10**6, 10), chunks=(1, 10), dtype="f4")
    source = zarrds.open_group(store)["u"]
    zarrds.open_group(store)["u"][:2] = 1
    graph = moves_of(source)
    assert len(graph) < 8
    root = zarrds.open_group(zarrds.MemoryStore(), mode="w", zarr_format=2)
    for i in range(100):
        root.zeros(f"u{i}", shape=4, chunks=2)
    assert len(moves_of(root)) < 70


def moves_of(source: Any) -> Any:
    graph = convert(source, zarrds.MemoryStore()).__dask_graph__()
    assert len(pickle.dumps(dict(graph))) < 1_000_000
    return graph


def test_a_task_holds_a_bounded_part_of_a_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zarrds._copy.in_blocks.HELD_BYTES", 2**20)
    store = str(tmp_path / "a")
    options = {"chunks": (128, 128), "dtype": "f4", "zarr_format": 3, "compressors": None}
    array = zarrds.create((4096, 1024), shards=(2048, 1024), store=store, **options)
    array[...] = np.random.default_rng(0).random((4096, 1024), dtype="f4")
    job = convert(store, str(tmp_path / "b"), to=2)
    tracemalloc.start()
    try:
        job.compute()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * 2**20  # a shard has 8
    np.testing.assert_array_equal(zarrds.open(str(tmp_path / "b"), mode="r")[::100], array[::100])


@pytest.mark.parametrize("to", [2, 3])
def test_a_conversion_that_was_stopped_goes_on_where_it_was(to: int) -> None:
    source, target = zarrds.MemoryStore(), zarrds.MemoryStore()
    v3: dict[str, Any] = {"shards": 8} if to == 2 else {}
    root = zarrds.open_group(source, mode="w", zarr_format=5 - to)
    root.array("a/u", np.arange(800.0), chunks=4, **v3)
    for number in range(20):
        root.array(f"small/v{number}", np.arange(8), chunks=4)
    stored = 200 + 40
    with pytest.raises(Stopped):
        convert(source, StoppingStore(target, stored // 2), to=to).compute(scheduler="sync")
    dest = CountingStore(target)
    new = convert(source, dest, to=to).compute(scheduler="sync")
    written = sum(is_chunk(str(key)) for verb, keys in dest.counts.log if verb == "set" for key in keys)
    assert written <= 0.55 * stored
    np.testing.assert_array_equal(new["a/u"][:], root["a/u"][:])
    assert zarrds.verify(target).ok


def test_a_conversion_in_place_that_was_stopped_goes_on_where_it_was() -> None:
    store = zarrds.MemoryStore()
    root = zarrds.open_group(store, mode="w", zarr_format=3)
    u = root.array("a/u", np.arange(800.0), chunks=4)
    expected = u[:]
    with pytest.raises(Stopped):
        convert(StoppingStore(store, 100), to=2).compute()
    assert "unfinished" in {found.kind for found in zarrds.verify(store).problems}
    counting = CountingStore(store)
    convert(counting, to=2).compute()
    written = sum(is_chunk(str(key)) for verb, keys in counting.counts.log if verb == "set" for key in keys)
    assert written <= 0.55 * 200
    np.testing.assert_array_equal(zarrds.open_group(store, mode="r")["a/u"][:], expected)
    assert zarrds.verify(store).ok


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_what_is_refused_is_refused_before_anything_is_written() -> None:
    store, dest = zarrds.KVStore({}), zarrds.KVStore({})
    root = zarrds.group(store, zarr_format=2)
    root.zeros("a", shape=3)
    root.create_dataset("g/bad", shape=3, dtype=[("a", "i4", (2,))], fill_value=None)
    before = content(store)
    for place in (None, dest):
        with pytest.raises(UnsupportedFormatError, match="dtype") as caught:
            convert(store, place)
        assert caught.value.path == "g/bad"
    with pytest.raises(PathNotFoundError):
        convert(store, dest, path="nowhere")
    with pytest.raises(ValueError, match="to must be"):
        convert(store, dest, to=4)
    with pytest.raises(StoreNotShareableError):
        convert(store, dest, path="a").compute(scheduler="processes")
    with pytest.raises(ReadOnlyError):
        convert(store, zarrds.storage.ReadOnlyStore(dest), path="a")
    assert content(store) == before
    assert not dest


def test_what_lies_at_or_above_the_destination_is_not_touched() -> None:
    source, dest = kinds(2), zarrds.KVStore({})
    zarrds.group(dest, zarr_format=3).create_dataset("x/y", data=[1])
    before = content(dest)
    places = [(3, where) for where in ("", "x", "x/y", "x/y/z")] + [(2, where) for where in ("", "new", "x/new/er")]
    for to, where in places:
        for action in (convert, zarrds.convert):
            with pytest.raises((ContainsArrayError, ContainsGroupError)):
                action(source, dest, to=to, dest_path=where)
    assert content(dest) == before


# --- conversions that are stopped -------------------------------------------------------------------------------------


def small(number: int) -> zarrds.KVStore:
    """Arrays of several batches each, when a batch has two chunks, and one that has a batch to itself."""
    store = zarrds.KVStore({})
    root = zarrds.group(store, zarr_format=number)
    for name, length in (("x", 9), ("g/y", 3), ("g/h/z", 6)):
        options = {"shards": (2,)} if number == 3 and name == "x" else {}
        root.create_dataset(name, data=np.arange(1, length + 1), chunks=1, **options).attrs["name"] = name
    zarrds.consolidate_metadata(store)
    return store


@pytest.mark.parametrize("to", [2, 3])
def test_a_conversion_elsewhere_that_was_stopped_at_any_change_is_finished(to: int) -> None:
    source = small(5 - to)
    whole: dict[str, Any] = {}
    zarrds.convert(source, zarrds.KVStore(whole), to=to)
    stopped, lives = True, 0
    while stopped:
        data: dict[str, Any] = {}
        try:
            convert(source, Mortal(data, lives), to=to, batch_keys=2).compute()
            stopped = False
        except StoppedError:
            if lives % 3:
                convert(source, zarrds.KVStore(data), to=to, batch_keys=2).compute()
            else:  # the rest can be done without dask as well
                zarrds.convert(source, zarrds.KVStore(data), to=to)
        assert data == whole, lives
        lives += 1
    assert lives > 25


@pytest.mark.parametrize("to", [2, 3])
@pytest.mark.filterwarnings("ignore:documents of several formats")
def test_a_conversion_in_place_that_was_stopped_at_any_change_is_finished(to: int) -> None:
    def start() -> dict[str, Any]:
        store = small(5 - to)
        if to == 2:  # shards cannot stay
            del zarrds.open_group(store)["x"]
            zarrds.consolidate_metadata(store)
        return dict(store)

    whole = start()
    before = snapshot(zarrds.open_group(zarrds.KVStore(start()), mode="r"))
    zarrds.convert(zarrds.KVStore(whole), to=to)
    stopped, lives = True, 0
    while stopped:
        data = start()
        try:
            convert(Mortal(data, lives), to=to, batch_keys=2).compute()
            stopped = False
        except StoppedError:
            assert snapshot(zarrds.open_group(zarrds.KVStore(data), mode="r")) == before
            convert(zarrds.KVStore(data), to=to, batch_keys=2).compute()
        assert data == whole, lives
        lives += 1
    assert lives > 10


def test_parts_of_an_array_that_are_done_are_not_moved_again() -> None:
    source, files = CountingStore(small(3)), zarrds.KVStore({})
    failing = FaultyStore(files, OSError("disk full"), verb="set", nth=5, forever=True)
    with pytest.raises(OSError, match="disk full"):
        convert(source, failing, to=2, path="x", batch_keys=8).compute()
    notes = [key for key in files if "tmp" in key]
    done = {key for key in files if "tmp" not in key}
    assert 1 < len(notes) < 5
    source.reset()
    dest = CountingStore(files)
    new = convert(source, dest, to=2, path="x", batch_keys=8).compute()
    assert new[:].tolist() == list(range(1, 10))
    again = {key for verb, keys in dest.counts.log if verb == "set" for key in keys} & done
    assert len(again) <= 2  # of the part that was being moved
    assert not [key for key in files if "tmp" in key]
    # what is noted of another conversion is not believed
    files.clear()
    with pytest.raises(OSError, match="disk full"):
        convert(
            source, FaultyStore(files, OSError("disk full"), verb="set", nth=12), to=2, path="x", batch_keys=8
        ).compute()
    other = small(3)
    zarrds.open_group(other)["x"][:] = 7
    assert convert(other, files, to=2, path="x", batch_keys=8).compute()[:].tolist() == [7] * 9


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("on_disk", [False, True])
def test_chunks_left_at_the_destination_are_not_taken_for_data(sharded: bool, on_disk: bool, tmp_path: Path) -> None:
    store = zarrds.DirectoryStore(str(tmp_path / "a")) if on_disk else zarrds.KVStore({})
    options = {"shards": (4,)} if sharded else {"compressors": ZSTD}
    array = zarrds.create(20, chunks=2, dtype="i4", store=store, zarr_format=3, fill_value=9, **options)
    array[4:8] = 1
    dest = zarrds.DirectoryStore(str(tmp_path / "b")) if on_disk else zarrds.KVStore({})
    other = zarrds.create(20, chunks=2, dtype="i4", store=dest, zarr_format=2)
    other[:] = 5
    del dest[".zarray"]
    new = convert(store, dest, to=2, batch_keys=2).compute()
    np.testing.assert_array_equal(new[:], array[:])
    assert new.nchunks_initialized == 2


def test_a_chunk_that_was_deleted_after_a_stop_does_not_come_back() -> None:
    source = zarrds.KVStore({})
    array = zarrds.create(8, chunks=2, dtype="i4", store=source, zarr_format=3, fill_value=0)
    array[:] = 1
    with pytest.raises(StoppedError):
        convert(Mortal(source, 3), to=2).compute()
    array[:2] = 0
    del source["c/0"]
    array[2:4] = 2
    new = convert(source, to=2).compute()
    assert new[:].tolist() == [0, 0, 2, 2, 1, 1, 1, 1]
    assert sorted(source) == [".zarray", "1", "2", "3"]


# --- a cluster --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_on_a_cluster(cluster_client: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(tmp_path / name) for name in "abc"]
    zarrds.convert(shards(), paths[0], to=3)
    zarrds.convert(paths[0], paths[1], to=2)
    new = convert(paths[0], paths[2], to=2, batch_keys=64).compute(progress=True)
    assert content(zarrds.DirectoryStore(paths[2])) == content(zarrds.DirectoryStore(paths[1]))
    assert "done" in capsys.readouterr().err
    assert new.store == zarrds.DirectoryStore(paths[2])
    cached = zarrds.LRUStoreCache(zarrds.DirectoryStore(str(tmp_path / "d")), max_size=None)
    assert convert(paths[0], cached, to=2, path="g").compute()["numbers"][3, 4] == ramp(13, 9)[3, 4]
    for source, dest in (({}, None), (paths[0], {}), (kinds(2), paths[0])):
        with pytest.raises(StoreNotShareableError):
            convert(source, dest)


@pytest.mark.slow
def test_workers_that_are_killed_change_nothing(cluster_client: Any, tmp_path: Path) -> None:
    source = str(tmp_path / "a")
    zarrds.convert(shards(), source, to=3)
    expected = zarrds.KVStore({})
    zarrds.convert(source, expected, to=2)
    (tmp_path / "markers").mkdir()
    victims = ["2", ".zmetadata"]
    dest = KillingStore(str(tmp_path / "b"), ",".join(victims), str(tmp_path / "markers"))
    convert(source, dest, to=2, batch_keys=16).compute()
    assert sorted(path.name for path in (tmp_path / "markers").iterdir()) == sorted(victims)
    assert content(zarrds.DirectoryStore(dest.path)) == content(expected)


@pytest.mark.slow
def test_a_job_that_dies_with_its_worker_is_finished_by_another(cluster_client: Any, tmp_path: Path) -> None:
    source, expected = str(tmp_path / "a"), zarrds.KVStore({})
    z = zarrds.create(80, chunks=2, shards=4, dtype="i4", store=source, zarr_format=3)
    z[...] = 1 + ramp(80)
    zarrds.convert(source, expected, to=2)
    (tmp_path / "markers").mkdir()
    dest = KillingStore(str(tmp_path / "b"), "25", str(tmp_path / "markers"))
    scheduler = cluster_client.cluster.scheduler
    allowed, scheduler.allowed_failures = scheduler.allowed_failures, 0
    try:
        with pytest.raises(Exception, match="died"):
            convert(source, dest, to=2, batch_keys=8).compute()
    finally:
        scheduler.allowed_failures = allowed
    left = list(zarrds.DirectoryStore(dest.path))
    assert ".zarray" not in left
    assert any("tmp" in key for key in left)
    convert(source, dest, to=2, batch_keys=8).compute()
    assert content(zarrds.DirectoryStore(dest.path)) == content(expected)


def test_parts_of_a_source_that_was_written_since_are_done_again(tmp_path: Path) -> None:
    source, data = str(tmp_path / "source"), {}
    z = zarrds.open(source, mode="w", shape=(60,), chunks=(1,), dtype="i4", zarr_format=2)
    z[:] = range(1, 61)
    with pytest.raises(StoppedError):
        convert(source, Mortal(data, 40), batch_keys=4).compute()
    dest = CountingStore(zarrds.KVStore(dict(data)))
    convert(source, dest, batch_keys=4).compute()
    assert 0 < sum(key[0].isdigit() for verb, keys in dest.counts.log if verb == "set" for key in keys) < 60
    z[:] = range(2, 62)
    dest = CountingStore(zarrds.KVStore(data))
    new = convert(source, dest, batch_keys=4).compute()
    assert new[:].tolist() == list(range(2, 62))
    assert not [key for key in dest if "zarrds" in key]


def test_only_arrays_with_parts_of_their_own_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small arrays are done again as a whole, so that nobody needs to know whether they were written since."""
    asked: list[Any] = []
    generation = StoreSpec.generation

    def recorded(self: StoreSpec, directories: Any, **options: Any) -> Any:
        asked.append(list(directories))
        return generation(self, directories, **options)

    monkeypatch.setattr(StoreSpec, "generation", recorded)
    root = zarrds.open_group(str(tmp_path / "source"), mode="w", zarr_format=2)
    for number in range(9):
        root.array(f"small{number}", ramp(4), chunks=4)
    root.array("large", ramp(40), chunks=1)
    asked.clear()
    convert(str(tmp_path / "source"), str(tmp_path / "dest"), batch_keys=4)
    assert asked == [["large/"]]
