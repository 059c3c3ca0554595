"""Names of tasks: arrays of other data never share one, and equal specs give equal ones, in every process.

dask computes what two arrays call by one name once, so a name that is shared by mistake is a wrong result.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from dask.base import tokenize

import zarrds
import zarrds.dask
from zarrds._store.fingerprints import fingerprint
from zarrds.core import OpenOptions, opened_array
from zarrds.hierarchy import opened_group
from zarrds.storage import (
    DBMStore,
    FSStore,
    KVStore,
    LMDBStore,
    LRUStoreCache,
    SQLiteStore,
    TempStore,
    ZipStore,
    as_store,
)


def references(values: Any, **options: Any) -> FSStore:
    """What kerchunk users open: the URL is the same for all."""
    meta = {"zarr_format": 2, "shape": [3], "chunks": [3], "dtype": "<i8", "fill_value": None, "order": "C"}
    documents = {
        ".zgroup": json.dumps({"zarr_format": 2}),
        "a/.zarray": json.dumps({**meta, "filters": None, "compressor": None}),
        "a/.zattrs": json.dumps({"_ARRAY_DIMENSIONS": ["x"]}),
        "a/0": "base64:" + base64.b64encode(np.array(values, "<i8").tobytes()).decode(),
    }
    return FSStore("reference://", fo=documents, mode="r", **options)


def stores(tmp_path: Path) -> dict[str, Any]:
    """Stores that differ from each other; each call opens the same places."""
    path = str(tmp_path)
    return {
        "directory": zarrds.DirectoryStore(f"{path}/a"),
        "other directory": zarrds.DirectoryStore(f"{path}/b"),
        "nested": zarrds.NestedDirectoryStore(f"{path}/a"),
        "url": FSStore(f"file://{path}/a"),
        "url, options": FSStore(f"file://{path}/a", auto_mkdir=False),
        "sqlite": SQLiteStore(f"{path}/a.sqlite"),
        "lmdb": LMDBStore(f"{path}/a.lmdb"),
        "s3": FSStore("s3://bucket/a", key="k", secret="hidden-1"),
        "s3, other account": FSStore("s3://bucket/a", key="k", secret="hidden-2"),
        "s3, other bucket": FSStore("s3://other/a", key="k", secret="hidden-1"),
        "s3, options": FSStore("s3://bucket/a", key="k", secret="hidden-1", client_kwargs={"region_name": "x"}),
        "references": references([1, 2, 3]),
        "other references": references([4, 5, 6]),
        "n5": zarrds.N5Store(f"{path}/a.n5"),
        "consolidated": zarrds._store.wrappers.consolidated.DocumentStore(
            zarrds.DirectoryStore(f"{path}/a"), {".zgroup": {}}
        ),
    }


def arrays(store: Any) -> dict[str, zarrds.Array]:
    """Arrays of one store that differ in path, metadata or in how they are read, without a request."""

    def opened(path: str = "a", read: Any = None, **options: Any) -> zarrds.Array:
        made = zarrds.create(6, store={}, **{"chunks": 3, "dtype": "i4", **options})
        return opened_array(as_store(store), path, made.source().meta, OpenOptions.of(read or {}))

    return {
        "as it is": opened(),
        "path": opened("b"),
        "chunks": opened(chunks=2),
        "dtype": opened(dtype="u4"),
        "fill value": opened(fill_value=1),
        "compressor": opened(compressor=None),
        "filters": opened(filters=[zarrds.Delta(dtype="i4")]),
        "order": opened(order="F"),
        "separator": opened(dimension_separator="/"),
        "format": opened(zarr_format=3),
        "shards": opened(zarr_format=3, shards=6),
        "missing": opened(read={"read_missing": "raise"}),
        "view": opened().view(dtype="f4"),
        "astype": opened().astype("f8"),
        "chunk store": opened(read={"chunk_store": zarrds.DirectoryStore("elsewhere")}),
    }


def tokens(tmp_path: Path) -> dict[str, str]:
    found = {}
    for name, store in stores(tmp_path).items():
        found[f"store {name}"] = tokenize(store)
        found[f"spec {name}"] = tokenize(store.spec())
        found[f"group {name}"] = tokenize(opened_group(store, "", _GROUP))
        found[f"array {name}"] = tokenize(opened_array(store, "a", _META))
        found[f"source {name}"] = tokenize(opened_array(store, "a", _META).source())
    for name, array in arrays(zarrds.DirectoryStore(str(tmp_path / "c"))).items():
        found[f"options {name}"] = tokenize(array)
        found[f"from_array {name}"] = da.from_array(array).name
        found[f"from_zarr {name}"] = zarrds.dask.from_zarr(array).name
    return found


_META = zarrds.create(6, chunks=3, store={}).source().meta
_GROUP = zarrds._format.meta.GroupMeta()


def test_equal_recipes_have_equal_names_and_others_have_others_in_two_processes(tmp_path: Path) -> None:
    SQLiteStore(tmp_path / "a.sqlite").close()  # making a database changes it
    here = tokens(tmp_path)
    assert here == tokens(tmp_path)
    code = (
        "import sys, json; from pathlib import Path; from tests.dask.test_dask_names import tokens;"
        "print(json.dumps(tokens(Path(sys.argv[1]))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == here
    # how chunks are found absent is the one thing that from_zarr leaves to the tasks' own default
    same = {frozenset({"from_zarr as it is", "from_zarr missing"})}
    for one, other in itertools.combinations(here, 2):
        assert here[one] != here[other] or frozenset({one, other}) in same, (one, other)


def test_secrets_do_not_show(tmp_path: Path) -> None:
    store = FSStore("s3://bucket/a", key="k", secret="hidden-1", token="hidden-2")
    array = opened_array(store, "a", _META)
    for value in (store, store.spec(), array, array.source()):
        assert "hidden" not in str(value.__dask_tokenize__())
    assert "hidden" not in zarrds.dask.from_zarr(array).name + da.from_array(array).name


LIVE = ["dict", "MemoryStore", "KVStore", "LRUStoreCache", "TempStore", "references", "cached references", "memory://"]
LIVE += ["ZipStore", "SQLiteStore", "DBMStore"]


def live_store(kind: str, tmp_path: Path) -> Any:
    number = len(os.listdir(tmp_path))
    (tmp_path / f"taken-{number}").touch()
    return {
        "dict": dict,
        "MemoryStore": zarrds.MemoryStore,
        "KVStore": lambda: KVStore({}),
        "LRUStoreCache": lambda: LRUStoreCache(zarrds.MemoryStore(), None),
        "TempStore": TempStore,
        "memory://": lambda: FSStore(f"memory://{tmp_path}/{number}"),
        "ZipStore": lambda: ZipStore(tmp_path / f"{number}.zip", mode="w"),
        "SQLiteStore": lambda: SQLiteStore(":memory:"),
        "DBMStore": lambda: DBMStore(tmp_path / f"{number}.dbm", open=__import__("dbm.dumb").dumb.open),
    }[kind]()


def live_array(kind: str, values: Any, tmp_path: Path, **options: Any) -> zarrds.Array:
    if "references" in kind:
        store: Any = references(values)
        store = LRUStoreCache(store, None) if "cached" in kind else store
        return zarrds.open_array(store, path="a", mode="r")
    group = zarrds.group(live_store(kind, tmp_path))
    array = group.create_dataset("a", data=np.array(values, "<i8"), chunks=2, **options)
    array.attrs["_ARRAY_DIMENSIONS"] = ["x"]
    return array


@pytest.mark.parametrize("kind", LIVE)
@pytest.mark.parametrize("way", ["from_array", "from_zarr", "open_dataset", "chunk"])
def test_two_arrays_of_this_process_are_not_mixed_up(kind: str, way: str, tmp_path: Path) -> None:
    one, other = (live_array(kind, values, tmp_path) for values in ([1, 2, 3], [4, 5, 6]))
    assert tokenize(one) == tokenize(one)
    assert (read_by(way, one) + read_by(way, other)).compute(scheduler="threads").tolist() == [5, 7, 9]
    for array in (one, other):
        array.store.close()


def read_by(way: str, array: zarrds.Array) -> Any:
    if way == "from_array":
        return da.from_array(array)
    if way == "from_zarr":
        return zarrds.dask.from_zarr(array)
    chunks: Any = {} if way == "open_dataset" else None
    ds = xr.open_dataset(array.store, engine="zarrds", chunks=chunks, consolidated=False)
    return ds.a.data if way == "open_dataset" else ds.chunk().a.data


@pytest.mark.parametrize("way", ["from_array", "from_zarr", "open_dataset", "chunk"])
@pytest.mark.parametrize("kind", [kind for kind in LIVE if "references" not in kind and kind != "ZipStore"])
def test_what_is_read_before_and_after_a_write_is_not_mixed_up(kind: str, way: str, tmp_path: Path) -> None:
    array = live_array(kind, [1, 2, 3], tmp_path)
    before = read_by(way, array).persist(scheduler="threads")
    array[0] = 10
    after = read_by(way, array)
    assert before.name != after.name
    assert dask.compute(before, after, scheduler="threads")[1].tolist() == [10, 2, 3]
    assert before.compute(scheduler="threads").tolist() == [1, 2, 3]
    array.store.close()


LAYOUTS = {
    "v2": {"zarr_format": 2},
    "v2, nested": {"zarr_format": 2, "dimension_separator": "/"},
    "v3": {"zarr_format": 3},
    "shards": {"zarr_format": 3, "shards": (4, 4)},
    "n5": {},
}


@pytest.mark.parametrize("place", ["directory", "url", "sqlite", "lmdb", "consolidated", "cache"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_write_to_what_others_share_gives_another_name(layout: str, place: str, tmp_path: Path) -> None:
    if layout == "n5" and place not in ("directory", "cache"):
        pytest.skip("N5 lies in directories")
    ending = ".n5" if layout == "n5" else ".zarr"
    where: Any = {
        "sqlite": lambda: SQLiteStore(tmp_path / "a.sqlite"),
        "lmdb": lambda: LMDBStore(tmp_path / "a.lmdb"),
        "url": lambda: f"file://{tmp_path}/a.zarr",
        "cache": lambda: LRUStoreCache(zarrds.storage.as_store(str(tmp_path / f"a{ending}"), mode="a"), None),
    }.get(place, lambda: str(tmp_path / f"a{ending}"))()
    group = zarrds.open_group(
        where, mode="w", **({"zarr_format": LAYOUTS[layout]["zarr_format"]} if ending == ".zarr" else {})
    )
    array = group.create_dataset("g/a", shape=(8, 8), chunks=2, dtype="i4", **LAYOUTS[layout])
    array[:] = 1
    if place == "consolidated":
        array = zarrds.consolidate_metadata(where)["g/a"]
    names = {zarrds.dask.from_zarr(array).name}
    for number, at in enumerate([(0, 0), (7, 7), (3, 4), (3, 4)]):
        array[at] = number + 2
        name = zarrds.dask.from_zarr(array).name
        assert name not in names
        assert zarrds.dask.from_zarr(array).name == name
        names.add(name)


def test_stores_over_one_mapping_share_a_name_as_long_as_one_of_them_lives() -> None:
    data: dict[str, bytes] = {}
    array = zarrds.array([1, 2], store=data, path="a")
    again = zarrds.open_array(data, path="a")
    assert tokenize(array) == tokenize(again)
    again[0] = 5
    assert tokenize(array) == tokenize(again)
    other = zarrds.array([1, 2], store=dict(data), path="a", overwrite=True)
    assert tokenize(array) != tokenize(other)


def test_a_cache_that_is_told_to_forget_has_another_name(tmp_path: Path) -> None:
    zarrds.save_array(str(tmp_path), np.arange(3))
    cache = LRUStoreCache(str(tmp_path), None)
    array = zarrds.open_array(cache, mode="r")
    stale = zarrds.dask.from_zarr(array)
    cache.invalidate()
    assert zarrds.dask.from_zarr(array).name != stale.name


def test_values_without_a_name_of_their_own_are_told_apart() -> None:
    class Opaque:
        def __reduce__(self) -> Any:
            raise TypeError("cannot be pickled")

    one, other = Opaque(), Opaque()
    assert fingerprint(one) == fingerprint(one) != fingerprint(other)
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert len({fingerprint(value) for value in (1, 1.0, True, "1", b"1", [1], (1,), {1}, {1: 1}, None)}) == 10
    assert fingerprint(lambda: 1) != fingerprint(lambda: 1)


def test_tasks_that_write_never_share_a_name(tmp_path: Path) -> None:
    """A cluster may hold the receipt of an earlier write; with it, a second one would not be done."""
    from xarray_backend.blocks import BlockTarget, block_writes

    target = BlockTarget(zarrds.zeros(4, chunks=2, store=str(tmp_path)).source(), (2,), (0,), True, (4,))
    x = da.ones(4, chunks=2)
    assert block_writes(x, target).name != block_writes(x, target).name
