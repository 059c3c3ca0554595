"""One place by many names: whatever would overwrite what it reads is refused, whichever names are used."""

from __future__ import annotations

import dbm.dumb
import importlib.util
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import fsspec
import numpy as np
import pytest
import xarray as xr

import zarrds
import zarrds.dask
from xarray_backend import open_zarrds, to_zarrds
from zarrds.errors import SelfOverwriteError
from zarrds.storage import (
    DBMStore,
    DirectoryStore,
    FSStore,
    KVStore,
    LMDBStore,
    LRUStoreCache,
    MemoryStore,
    NestedDirectoryStore,
    ReadOnlyStore,
    SQLiteStore,
    ZipStore,
    as_store,
)

from ..servers import S3

DATA = np.arange(48.0).reshape(8, 6)

# --- names of a directory ---------------------------------------------------------------------------------------------


def relative(path: str) -> str:
    return os.path.relpath(path)


def through_parent(path: str) -> str:
    os.makedirs(os.path.join(os.path.dirname(path), "beside"), exist_ok=True)
    return os.path.join(os.path.dirname(path), "beside", "..", os.path.basename(path))


def linked(path: str) -> str:
    """By a symbolic link beside the directory."""
    link = os.path.join(os.path.dirname(os.path.dirname(path)), f"link-{os.path.basename(path)}")
    if not os.path.lexists(link):
        os.symlink(path, link)
    return link


def below_linked(path: str) -> str:
    """Below a symbolic link to the directory above."""
    return os.path.join(linked(os.path.dirname(path)), os.path.basename(path))


DIRECTORIES: dict[str, Callable[[str], Any]] = {
    "absolute": str,
    "Path": Path,
    "slash": lambda path: path + "/",
    "relative": relative,
    "parent": through_parent,
    "linked": linked,
    "below linked": below_linked,
    "file": lambda path: "file://" + path,
    "file linked": lambda path: "file://" + linked(path),
    "local": lambda path: "local://" + path,
    "local slash": lambda path: "local://" + path + "/",
    "mapper": fsspec.get_mapper,
    "mapper linked": lambda path: fsspec.get_mapper(linked(path)),
    "FSStore": FSStore,
    "FSStore fs": lambda path: FSStore(path, fs=fsspec.filesystem("file", auto_mkdir=False)),
    "DirectoryStore": lambda path: DirectoryStore(relative(path)),
    "NestedDirectoryStore": NestedDirectoryStore,
    "LRUStoreCache": lambda path: LRUStoreCache(DirectoryStore(path), max_size=None),
    "LRUStoreCache linked": lambda path: LRUStoreCache(FSStore("file://" + linked(path)), max_size=2**20),
    "dirfs": lambda path: FSStore("", fs=fsspec.filesystem("dir", path=path, fs=fsspec.filesystem("file"))),
}
"""Names for reading and writing."""

READ_ONLY: dict[str, Callable[[str], Any]] = {
    "simplecache": lambda path: f"simplecache::file://{path}",
    "filecache": lambda path: f"filecache::file://{linked(path)}",
    "ReadOnlyStore": lambda path: ReadOnlyStore(DirectoryStore(path)),
    "two wrappers": lambda path: LRUStoreCache(ReadOnlyStore(FSStore("local://" + path)), max_size=None),
    "reference": lambda path: FSStore("reference://", fo=references(path), remote_protocol="file", mode="r"),
}
"""Names for reading."""


def references(path: str) -> dict[str, Any]:
    """References to each chunk of a directory, and the text of its documents."""
    store = DirectoryStore(path)
    return {
        key: store[key].decode() if key.rpartition("/")[2][:1] in ".z" else [os.path.join(path, key)] for key in store
    }


# --- what overwrites --------------------------------------------------------------------------------------------------


def opened(store: Any) -> Any:
    return zarrds.open_group(store, mode="r")["u"]


def dataset(store: Any, chunks: Any = {}) -> xr.Dataset:  # noqa: B006
    return open_zarrds(store, chunks=chunks, consolidated=False)


def reversed_dataset(store: Any) -> xr.Dataset:
    return dataset(store).drop_vars("t").isel(t=slice(None, None, -1))


WHOLE = {"t": slice(0, 8)}

JOBS: dict[str, Callable[[Any, Any], Any]] = {
    "to_zarrds w": lambda source, target: to_zarrds(dataset(source), target, mode="w"),
    "to_zarrds w, not dask": lambda source, target: to_zarrds(dataset(source, None), target, mode="w"),
    "to_zarrds w, one variable": lambda source, target: to_zarrds(dataset(source)[["u"]] + 1, target, mode="w"),
    "array": lambda source, target: zarrds.array(opened(source), store=target, path="u", overwrite=True),
    "array at root": lambda source, target: zarrds.array(opened(source), store=target, overwrite=True),
    "array of dask": lambda source, target: zarrds.array(
        zarrds.dask.from_zarr(opened(source)) + 1, store=target, path="u", overwrite=True
    ),
    "array of xarray": lambda source, target: zarrds.array(
        dataset(source, None).u, store=target, path="u", overwrite=True
    ),
    "create_dataset": lambda source, target: zarrds.open_group(target, mode="a").create_dataset(
        "u", data=opened(source), overwrite=True
    ),
    "set item": lambda source, target: zarrds.open_group(target, mode="a").__setitem__("u", opened(source)),
    "save": lambda source, target: zarrds.save(target, opened(source)),
    "save_group": lambda source, target: zarrds.save(target, a=np.zeros(3), u=opened(source)),
    "save_group of dask": lambda source, target: zarrds.save(target, u=zarrds.dask.from_zarr(opened(source))),
    "copy": lambda source, target: zarrds.copy(
        opened(source), zarrds.open_group(target, mode="a"), name="u", if_exists="replace"
    ),
    "copy_all": lambda source, target: zarrds.copy_all(
        zarrds.open_group(source, mode="r"), zarrds.open_group(target, mode="a"), if_exists="replace"
    ),
    "copy_store": lambda source, target: zarrds.copy_store(source, target, if_exists="replace"),
    "copy_store upwards": lambda source, target: zarrds.copy_store(
        source, target, source_path="u", dest_path="", if_exists="replace"
    ),
    "convert": lambda source, target: zarrds.convert(source, target, to=3),
    "dask.to_zarr": lambda source, target: zarrds.dask.to_zarr(
        zarrds.dask.from_zarr(opened(source)), target, "u", overwrite=True
    ),
    "dask.to_zarr of dask's": lambda source, target: zarrds.dask.to_zarr(
        da.from_array(opened(source), chunks=4, name=False), target, "u", overwrite=True
    ),
    "rechunk": lambda source, target: zarrds.dask.rechunk(
        opened(source), target, target_path="u", chunks=4, overwrite=True
    ).compute(scheduler="sync"),
    "dask.copy_store": lambda source, target: zarrds.dask.copy_store(source, target, if_exists="replace").compute(
        scheduler="sync"
    ),
    "dask.convert": lambda source, target: zarrds.dask.convert(source, target, to=3).compute(scheduler="sync"),
}

IN_PLACE: dict[str, Callable[[Any, Any], Any]] = {
    "to_zarrds region": lambda source, target: to_zarrds(reversed_dataset(source), target, region=WHOLE),
    "to_zarrds a": lambda source, target: to_zarrds(reversed_dataset(source), target, mode="a"),
    "dask.to_zarr array": lambda source, target: zarrds.dask.to_zarr(
        zarrds.dask.from_zarr(opened(source))[::-1], zarrds.open_group(target, mode="r+")["u"]
    ),
}
"""What needs something at the target."""


def filled(store: Any, zarr_format: int = 2) -> None:
    ds = xr.Dataset({"u": (("t", "x"), DATA)}, {"t": np.arange(8)})
    to_zarrds(ds.chunk(t=2), store, mode="w", zarr_format=zarr_format, consolidated=False)


def bytes_of(folder: Path) -> dict[str, bytes]:
    """All files below a folder, and where its symbolic links lead."""
    found = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    links = {str(path): os.readlink(path).encode() for path in folder.rglob("*") if path.is_symlink()}
    return {**found, **links}


def refused(job: Callable[[Any, Any], Any], source: Any, target: Any) -> None:
    with pytest.raises(SelfOverwriteError):
        job(source, target)


def table(names: Iterable[str], jobs: Iterable[str]) -> list[Any]:
    """Every name with every job; each name with some jobs, and some names with each job, in the default suite."""
    quick = {"to_zarrds w", "array", "copy_store", "to_zarrds region"}, {"linked", "local", "memory", "sqlite"}
    return [
        pytest.param(name, job, marks=() if job in quick[0] or name in quick[1] else pytest.mark.slow)
        for name in names
        for job in jobs
    ]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with dask.config.set(scheduler="sync"):
        yield


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The directory of a group, in one of its own, and the directory to work in beside it."""
    (tmp_path / "above" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    filled(str(tmp_path / "above" / "data" / "a"))
    return str(tmp_path / "above" / "data" / "a")


@pytest.mark.parametrize(("name", "job"), table([*DIRECTORIES, *READ_ONLY], [*JOBS, *IN_PLACE]))
def test_a_directory_by_another_name_is_the_same_place(job: str, name: str, folder: str, tmp_path: Path) -> None:
    do, there = {**JOBS, **IN_PLACE}[job], {**DIRECTORIES, **READ_ONLY}[name](folder)
    linked(folder)
    through_parent(folder)
    before = bytes_of(tmp_path)
    refused(do, there, folder)
    if name in DIRECTORIES:
        refused(do, folder, there)
    assert bytes_of(tmp_path) == before


@pytest.mark.parametrize(("name", "job"), table([*DIRECTORIES, *READ_ONLY], JOBS))
def test_another_directory_is_another_place(job: str, name: str, folder: str, tmp_path: Path) -> None:
    source = {**DIRECTORIES, **READ_ONLY}[name](folder)
    targets = [str(tmp_path / "above" / "data" / "aa")]
    if name in DIRECTORIES:
        os.makedirs(tmp_path / "above" / "data" / "ab")
        targets.append(DIRECTORIES[name](str(tmp_path / "above" / "data" / "ab")))
    before = bytes_of(Path(folder))
    for target in targets:
        JOBS[job](source, target)
    assert bytes_of(Path(folder)) == before


# --- other stores -----------------------------------------------------------------------------------------------------


def mapping(where: str) -> dict[str, bytes]:
    return MAPPINGS.setdefault(where, {})


MAPPINGS: dict[str, dict[str, bytes]] = {}
ROOTS: dict[str, Any] = {}

OTHERS: dict[str, list[Callable[[str], Any]]] = {
    "memory": [
        lambda where: "memory://" + where.lstrip("/"),
        lambda where: "memory:///" + where.lstrip("/"),
        lambda where: "memory:////" + where.lstrip("/") + "/",
        lambda where: fsspec.get_mapper("memory://" + where.lstrip("/")),
        lambda where: FSStore(where, fs=fsspec.filesystem("memory", skip_instance_cache=True)),
    ],
    "dict": [mapping, lambda where: KVStore(mapping(where)), lambda where: LRUStoreCache(mapping(where), None)],
    "MemoryStore": [
        lambda where: ROOTS.setdefault(where, MemoryStore()),
        lambda where: MemoryStore(ROOTS.setdefault(where, MemoryStore()).root),
    ],
    "sqlite": [
        lambda where: SQLiteStore(where + ".sqldb"),
        lambda where: SQLiteStore(os.path.relpath(where) + ".sqldb", check_same_thread=False),
        lambda where: LRUStoreCache(SQLiteStore(linked_file(where + ".sqldb")), None),
    ],
    "lmdb": [lambda where: LMDBStore(where + ".lmdb"), lambda where: LMDBStore(os.path.relpath(where) + ".lmdb")],
    "dbm": [
        lambda where: DBMStore(where + ".dbm", open=dbm.dumb.open),
        lambda where: ReadOnlyStore(DBMStore(os.path.relpath(where) + ".dbm", flag="r", open=dbm.dumb.open)),
    ],
    "zip": [
        lambda where: ZipStore(where + ".zip", mode="a"),
        lambda where: ZipStore(where + ".zip", mode="r"),
        lambda where: f"zip::file://{where}.zip",
        lambda where: ZipStore(linked_file(where + ".zip"), mode="r"),
        lambda where: f"simplecache::zip::file://{where}.zip",
    ],
}
"""Names of the same store: the first is for writing."""


def linked_file(path: str) -> str:
    if not os.path.lexists(path + ".link"):
        os.symlink(path, path + ".link")
    return path + ".link"


def closed(store: Any) -> None:
    if isinstance(store, ZipStore | SQLiteStore | LMDBStore | DBMStore):
        store.close()


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)
    yield str(tmp_path / "a")
    MAPPINGS.clear()
    ROOTS.clear()
    fsspec.filesystem("memory").store.clear()


@pytest.mark.parametrize(("kind", "job"), table(OTHERS, [*JOBS, *IN_PLACE]))
def test_a_store_by_another_name_is_the_same_place(job: str, kind: str, where: str) -> None:
    if job in IN_PLACE and kind == "zip":
        return  # entries of an archive are not replaced
    do, (first, *others) = {**JOBS, **IN_PLACE}[job], OTHERS[kind]
    target = first(where)
    filled(target)
    if kind in ("zip", "dbm"):
        as_store(target).flush() if kind == "zip" else target.db.sync()
    for name in (first, *others):
        source = name(where)
        before = dict(as_store(first(where) if kind not in ("zip", "dbm") else target))
        refused(do, source, target)
        assert dict(as_store(target)) == before
        if source is not target:
            closed(source)
    closed(target)


@pytest.mark.parametrize(("kind", "job"), table(OTHERS, JOBS))
def test_another_store_is_another_place(job: str, kind: str, where: str) -> None:
    if kind == "zip" and job in ("set item", "array", "copy_all"):
        return  # opening the target would leave it without a node
    first = OTHERS[kind][0]
    source, target = first(where), first(where + "b")
    filled(source)
    before = dict(as_store(source))
    JOBS[job](source, target)
    assert dict(as_store(source)) == before
    closed(source)
    closed(target)


# --- what is reached, or kept, inside another place -------------------------------------------------------------------


def test_links_inside_a_hierarchy_lead_to_the_same_place(folder: str, tmp_path: Path) -> None:
    os.symlink(os.path.join(folder, "u"), os.path.join(folder, "v"))
    linked_array = zarrds.open_group(folder, mode="r")["v"]
    before = bytes_of(tmp_path)
    with pytest.raises(SelfOverwriteError):
        zarrds.array(linked_array, store=folder, path="u", overwrite=True)
    with pytest.raises(SelfOverwriteError):
        zarrds.array(opened(folder), store=folder, path="v", overwrite=True)
    with pytest.raises(SelfOverwriteError):
        to_zarrds(dataset(folder)[["v"]], folder, mode="w")
    reversed_v = dataset(folder)[["v"]].rename(v="u").isel(t=slice(None, None, -1))
    with pytest.raises(SelfOverwriteError):
        to_zarrds(reversed_v, folder, region=WHOLE)
    assert bytes_of(tmp_path) == before


@pytest.mark.parametrize("job", ["copy_all", "copy_store"])
def test_links_of_one_hierarchy_into_the_other_are_seen(job: str, folder: str, tmp_path: Path) -> None:
    for inside in (folder + "1", folder + "2"):
        filled(inside)
    os.symlink(os.path.join(folder + "2", "u"), os.path.join(folder + "1", "linked"))
    before = bytes_of(tmp_path)
    refused(JOBS[job], folder + "1", folder + "2")
    os.remove(os.path.join(folder + "1", "linked"))
    os.makedirs(os.path.join(folder + "1", "g"))
    os.symlink(folder + "2", os.path.join(folder + "1", "g", "linked"))
    refused(JOBS[job], folder + "2", folder + "1")
    os.remove(os.path.join(folder + "1", "g", "linked"))
    os.rmdir(os.path.join(folder + "1", "g"))
    assert {**before, **bytes_of(tmp_path)} == before


def test_a_link_to_elsewhere_that_is_needed_to_read_is_not_deleted(folder: str, tmp_path: Path) -> None:
    filled(str(tmp_path / "target"))
    os.symlink(folder, tmp_path / "target" / "g")
    lazy = open_zarrds(str(tmp_path / "target"), group="g", chunks={}, consolidated=False)
    with pytest.raises(SelfOverwriteError):
        to_zarrds(lazy, str(tmp_path / "target"), mode="w")
    to_zarrds(dataset(folder), str(tmp_path / "target"), mode="w")  # by its own name it is still there
    np.testing.assert_array_equal(dataset(folder).u, DATA)
    np.testing.assert_array_equal(dataset(str(tmp_path / "target")).u, DATA)


@pytest.mark.parametrize("kind", ["sqlite", "lmdb", "dbm", "zip"])
def test_a_file_in_a_directory_that_is_deleted_is_a_source(kind: str, folder: str, tmp_path: Path) -> None:
    store = OTHERS[kind][0](os.path.join(folder, "inner"))
    filled(store)
    for target in (folder, "file://" + linked(folder)):
        with pytest.raises(SelfOverwriteError):
            to_zarrds(dataset(store), target, mode="w")
    to_zarrds(dataset(store), str(tmp_path / "elsewhere"), mode="w")
    np.testing.assert_array_equal(dataset(str(tmp_path / "elsewhere")).u, DATA)
    closed(store)


def test_hard_links_of_an_archive_are_one_file(where: str) -> None:
    with ZipStore(where + ".zip", mode="w") as store:
        filled(store)
    os.link(where + ".zip", where + ".again.zip")
    before = Path(where + ".zip").read_bytes()
    with pytest.raises(SelfOverwriteError):
        zarrds.save(where + ".again.zip", opened(where + ".zip"))
    assert Path(where + ".zip").read_bytes() == before


def test_references_to_files_of_the_target_are_seen_wherever_they_are_kept(folder: str, tmp_path: Path) -> None:
    (tmp_path / "refs.json").write_text(json.dumps({"version": 1, "refs": references(folder)}))
    url, options = "reference://", {"fo": str(tmp_path / "refs.json"), "remote_protocol": "file"}
    lazy = open_zarrds(url, chunks={}, consolidated=False, storage_options=options)
    for target in (folder, os.path.dirname(folder), str(tmp_path)):
        with pytest.raises(SelfOverwriteError):
            to_zarrds(lazy, target, mode="w")
    to_zarrds(lazy, str(tmp_path / "elsewhere"), mode="w")
    np.testing.assert_array_equal(dataset(str(tmp_path / "elsewhere")).u, DATA)


@pytest.mark.parametrize("kind", ["path", "file", "memory", "zip"])
@pytest.mark.parametrize("chunks", [None, {}])
def test_arrays_of_the_zarr_library_are_sources(kind: str, chunks: Any, where: str) -> None:
    zarr_storage = pytest.importorskip("zarr.storage")
    given = {"path": where, "file": "file://" + where, "memory": "memory://" + where[1:], "zip": where + ".zip"}[kind]
    target: Any = {"file": where, "zip": f"{where}.zip", "memory": "memory:///" + where[1:]}.get(kind, given)
    with as_store(given, mode="w") as store:
        filled(store)
    before = dict(as_store(target))
    lazy = xr.open_zarr(
        zarr_storage.ZipStore(given, mode="r") if kind == "zip" else given, chunks=chunks, consolidated=False
    )
    with pytest.raises(SelfOverwriteError):
        to_zarrds(lazy, target, mode="w")
    with pytest.raises(SelfOverwriteError):
        zarrds.array(lazy.u, store=target, path="u", overwrite=True)
    assert dict(as_store(target)) == before
    to_zarrds(lazy, where + "b", mode="w")
    np.testing.assert_array_equal(dataset(where + "b").u, DATA)


def test_a_memory_map_of_a_chunk_is_a_source(where: str) -> None:
    z = zarrds.open_array(where, mode="w", shape=4, chunks=4, dtype="i8", compressor=None)
    z[:] = range(4)
    mapped = np.memmap(where + "/0", dtype="i8", mode="r")[::-1]
    with pytest.raises(SelfOverwriteError):
        zarrds.array(mapped, store=where, overwrite=True)
    assert z[:].tolist() == [0, 1, 2, 3]


def test_datasets_in_memory_are_no_sources(folder: str) -> None:
    ds = dataset(folder, None).load()
    to_zarrds(ds * 2, folder, mode="w")
    np.testing.assert_array_equal(dataset(folder).u, DATA * 2)
    zarrds.save(folder, u=opened(folder)[:])
    np.testing.assert_array_equal(opened(folder)[:], DATA * 2)


# --- services ---------------------------------------------------------------------------------------------------------


@pytest.mark.service
@pytest.mark.parametrize(
    "job",
    [
        "to_zarrds w",
        "copy_store",  # the others ask the same question of the same store, see `table`
        *(
            pytest.param(job, marks=pytest.mark.slow)
            for job in ("array", "rechunk", "dask.convert", "to_zarrds region")
        ),
    ],
)
def test_a_bucket_by_another_name_is_the_same_place(job: str, s3: S3) -> None:
    pytest.importorskip("s3fs")
    options, bucket = s3.options, s3.bucket("places")
    url = f"{bucket}/{job.replace(' ', '-')}/a"
    do = {**JOBS, **IN_PLACE}[job]
    first = FSStore(url, **options)
    filled(first)
    others = [
        FSStore(url + "/", **options),
        FSStore(url, **options, default_block_size=2**20),
        LRUStoreCache(FSStore(url.replace("s3://", "s3a://"), **options), None),
        fsspec.get_mapper(url, **options),
        FSStore(url, key=options["key"], secret=options["secret"], endpoint_url=s3.address + "/"),
    ]
    if importlib.util.find_spec("obstore"):
        others.append(s3.obstore(bucket, url.removeprefix(bucket + "/")))
    before = dict(first)
    for other in others:
        refused(do, other, first)
        refused(do, first, other)
    assert dict(first) == before
    if job in JOBS:
        JOBS[job](others[0], FSStore(url + "b", **options))
    assert dict(first) == before
