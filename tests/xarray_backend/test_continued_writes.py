"""Writes of lazy datasets that were stopped: the same call completes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

import zarrds
from tests.store.doubles import CountingStore, FaultyStore
from tests.xarray_backend.samples import is_document
from xarray_backend import open_zarrds, rechunk, to_zarrds
from zarrds.errors import ContainsGroupError

FLAG = "zarrds_unfinished_job"


@pytest.fixture(autouse=True)
def _in_one_thread() -> Any:
    with dask.config.set(scheduler="sync"):
        yield


def lazy(number: int = 1, computed: list[Any] | None = None, **attrs: Any) -> xr.Dataset:
    """Return a dataset of two lazy variables, with names that are the same in each run."""

    def note(block: Any, block_info: Any = None) -> Any:
        if computed is not None and block.size:
            computed.append(block.shape)
        return block + number

    values = da.from_array(np.arange(40 * 30.0).reshape(40, 30), chunks=(5, 15), name="values")
    u = values.map_blocks(note, name=f"u-{number}", dtype=float, meta=np.empty((0, 0)))
    v = values.map_blocks(note, name=f"v-{number}", dtype=float, meta=np.empty((0, 0)))
    return xr.Dataset({"u": (("t", "x"), u), "v": (("t", "x"), v)}, {"t": np.arange(40)}, attrs)


def stopped(store: Any, nth: int, ds: xr.Dataset | None = None, **options: Any) -> None:
    """Write a dataset to a store that fails from the `nth` chunk on."""

    class Full(FaultyStore):
        def called(self, verb: str, keys: Any) -> None:
            if verb == "set" and not any(is_document(key) for key in keys):
                super().called(verb, keys)

    failing = Full(store, OSError("disk full"), verb="set", nth=nth, forever=True)
    with pytest.raises(OSError, match="disk full"):
        to_zarrds(lazy() if ds is None else ds, failing, **options)


def chunks_set(store: CountingStore) -> list[str]:
    return [key for verb, keys in store.counts.log if verb == "set" for key in keys if not is_document(key)]


@pytest.mark.parametrize("attrs", [{}, {"title": "x"}])
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("group", [None, "a/b"])
@pytest.mark.parametrize("mode", ["w", "w-"])
def test_stored_blocks_are_not_computed_again(mode: str, group: str | None, zarr_format: int, attrs: Any) -> None:
    options: dict[str, Any] = {"mode": mode, "group": group, "zarr_format": zarr_format}
    whole, store = CountingStore(zarrds.MemoryStore()), zarrds.MemoryStore()
    to_zarrds(lazy(**attrs), whole, **options)
    units = len(chunks_set(whole))
    stopped(store, units // 2, lazy(**attrs), **options)
    half = xr.open_dataset(store, engine="zarrds", group=group, consolidated=False)
    assert "completes it" in half.attrs[FLAG]
    assert "unfinished" in {problem.kind for problem in zarrds.verify(store).problems}
    computed: list[Any] = []
    again = CountingStore(store)
    to_zarrds(lazy(1, computed, **attrs), again, **options)
    assert len(computed) <= 0.5 * 32 + 2
    assert len(chunks_set(again)) <= 0.6 * units
    assert open_zarrds(store, group=group).identical(lazy(**attrs))
    assert {key: store[key] for key in store} == {key: whole[key] for key in whole}
    assert zarrds.verify(store).ok


def test_another_dataset_does_not_continue() -> None:
    store = zarrds.MemoryStore()
    stopped(store, 10)
    with pytest.raises(ContainsGroupError):
        to_zarrds(lazy(2), store, mode="w-")
    with pytest.raises(ContainsGroupError):
        to_zarrds(lazy().isel(t=slice(0, 20)), store, mode="w-")
    computed: list[Any] = []
    to_zarrds(lazy(2, computed), store, mode="w")
    assert len(computed) == 32
    assert open_zarrds(store).identical(lazy(2))


def test_a_complete_dataset_is_not_continued() -> None:
    store = zarrds.MemoryStore()
    to_zarrds(lazy(), store)
    assert FLAG not in zarrds.open_group(store).attrs
    with pytest.raises(ContainsGroupError):
        to_zarrds(lazy(), store)
    computed: list[Any] = []
    to_zarrds(lazy(1, computed), store, mode="w")
    assert len(computed) == 32


def test_a_template_has_no_receipt() -> None:
    store = zarrds.MemoryStore()
    to_zarrds(lazy(), store, compute=False)
    assert FLAG not in zarrds.open_group(store).attrs


def test_the_receipt_is_not_copied() -> None:
    store = zarrds.MemoryStore()
    stopped(store, 10)
    half = xr.open_dataset(store, engine="zarrds", consolidated=False).load()
    copy = zarrds.MemoryStore()
    to_zarrds(half, copy)
    assert FLAG not in open_zarrds(copy).attrs


def test_trees() -> None:
    store = zarrds.MemoryStore()
    tree = xr.DataTree.from_dict({"/": xr.Dataset(attrs={"title": "x"}), "/a": lazy(), "/b": lazy(2)})
    stopped(store, 30, tree, mode="w-")
    again = CountingStore(store)
    to_zarrds(tree, again, mode="w-")
    assert len(chunks_set(again)) <= 64 + 2 - 29 + 2
    assert xr.open_datatree(store, engine="zarrds").identical(tree)


# --- rechunks ---------------------------------------------------------------------------------------------------------


class Stopping:
    """Function for `map_blocks` that fails at its `nth` block."""

    def __init__(self, nth: int) -> None:
        self.nth, self.seen = nth, 0

    def __call__(self, block: Any) -> Any:
        self.seen += block.size > 0
        if self.seen == self.nth:
            raise OSError("stopped")
        return block


def rechunked(target: str, computed: list[Any], nth: int = 0, chunks: Any = None, temp_store: Any = None) -> Any:
    """Return the job that rechunks the lazy dataset; its `nth` block fails."""
    ds, stopping = lazy(1, computed), Stopping(nth)
    for name in ("u", "v"):
        data = ds[name].data.map_blocks(stopping, name=f"{name}-checked", dtype=float, meta=np.empty((0, 0)))
        ds[name] = ds[name].copy(data=data)
    return rechunk(ds, target, chunks=chunks or {"t": -1, "x": 5}, max_mem="20kB", temp_store=temp_store)


@pytest.mark.parametrize("chunks", [{"t": 5, "x": 15}, {"t": -1, "x": 5}])
@pytest.mark.parametrize("nth", [1, 2, 20])
def test_a_rechunk_that_was_stopped_goes_on(chunks: Any, nth: int, tmp_path: Path) -> None:
    target, computed = str(tmp_path / "target"), []
    with pytest.raises(OSError, match="stopped"):
        rechunked(target, [], nth, chunks).compute()
    rechunked(target, computed, chunks=chunks).compute()
    assert len(computed) == 32 - (nth - 1)
    assert open_zarrds(target).identical(lazy())
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert zarrds.verify(target).ok


@pytest.mark.parametrize(("name", "again"), [("target.n5", 32), ("target", 32 - 8)])
def test_blocks_without_a_receipt_are_computed_again(name: str, again: int, tmp_path: Path) -> None:
    """In N5 a write leaves no receipt, so that nothing says which blocks are stored."""
    target, computed, temp = str(tmp_path / name), [], zarrds.N5Store(tmp_path / "temp.n5")
    with pytest.raises(OSError, match="stopped"):
        rechunked(target, [], 9, temp_store=temp).compute()
    rechunked(target, computed, temp_store=temp).compute()
    assert len(computed) == again
    assert open_zarrds(target).equals(lazy())
    assert not [name for name in temp.listdir("") if "zarrds" in name]


@pytest.mark.parametrize("kind", [str, zarrds.DirectoryStore, lambda path: zarrds.MemoryStore(), lambda path: {}])
def test_two_rechunks_of_one_dataset_share_a_store_but_no_blocks(kind: Any, tmp_path: Path) -> None:
    temp, targets = zarrds.MemoryStore(), [kind(str(tmp_path / name)) for name in "ab"]
    jobs = [rechunked(target, [], temp_store=temp) for target in targets]
    assert len([name for name in temp.listdir("") if name.startswith("zarrds-tmp-")]) == 2
    for job, target in zip(jobs, targets, strict=True):
        job.compute()
        assert open_zarrds(target).equals(lazy())


def test_a_rechunk_whose_blocks_are_stored_computes_none(tmp_path: Path) -> None:
    target, computed = str(tmp_path / "target"), []
    job = rechunked(target, [])
    then = job._then

    def stopped_then() -> Any:
        then()
        raise OSError("stopped")

    job._then = stopped_then
    with pytest.raises(OSError, match="stopped"):
        job.compute()
    assert "unfinished" in {problem.kind for problem in zarrds.verify(target).problems}
    rechunked(target, computed).compute()
    assert not computed
    assert open_zarrds(target).identical(lazy())
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_a_rechunk_that_is_not_possible_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(zarrds.errors.MemoryLimitError):
        rechunk(lazy(), str(tmp_path / "target"), chunks={"t": -1, "x": 5}, max_mem="1kB")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("again", ["the same object", "w-", "w"])
@pytest.mark.parametrize("nth", [2, 7])
def test_delayed_writes_that_are_stopped_go_on(nth: int, again: Any, zarr_format: Any) -> None:
    """While it is computed, the store says that it is half-made; before that it may be a template that others fill."""
    store, computed = zarrds.MemoryStore(), list[Any]()
    how: dict[str, Any] = {"compute": False, "zarr_format": zarr_format}
    failing = FaultyStore(store, OSError("disk full"), verb="set", nth=10**9)
    delayed = to_zarrds(lazy(1, computed), failing, mode="w-", **how)
    assert zarrds.verify(store).ok
    assert not [key for key in store if "zarrds" in key]
    failing.nth = failing.seen + nth
    with pytest.raises(OSError, match="disk full"):
        delayed.compute(scheduler="sync")
    assert "unfinished" in {problem.kind for problem in zarrds.verify(store).problems}
    with pytest.raises(FileExistsError):
        to_zarrds(lazy(2), store, mode="w-", **how)
    before = len(computed)
    computed.clear()
    if again != "the same object":
        delayed = to_zarrds(lazy(1, computed), store, mode=again, **how)
    delayed.compute(scheduler="sync")
    if again != "the same object":
        assert len(computed) <= 32 - before + 1
    assert open_zarrds(store).identical(lazy())
    assert zarrds.verify(store).ok
    assert not [key for key in store if "zarrds" in key]
    to_zarrds(lazy(2), store, mode="w", **how).compute()
    assert open_zarrds(store).identical(lazy(2))


@pytest.mark.parametrize("length", [5, -1])
@pytest.mark.parametrize("work", ["to_zarrds", "rechunk"])
def test_who_stops_a_write_is_told_how_to_go_on(work: str, length: int, tmp_path: Path) -> None:
    """Ctrl-C, which dask raises in the thread of the caller: the same call completes what was stopped."""

    def interrupt(block: Any, block_info: Any = None) -> Any:
        if block.size and pressed:
            raise KeyboardInterrupt
        return block

    def write() -> None:
        ds = lazy()
        ds["u"] = ds["u"].copy(data=ds["u"].data.map_blocks(interrupt, name="u", dtype=float, meta=np.empty((0, 0))))
        if work == "to_zarrds":
            to_zarrds(ds, target)
        else:
            rechunk(ds, target, chunks={"t": length}).compute(scheduler="sync")

    target, pressed = str(tmp_path / "target"), True
    with pytest.raises(KeyboardInterrupt) as stopped:
        write()
    assert "repeat the same call" in stopped.value.__notes__[0]
    pressed = False
    write()
    assert open_zarrds(target).identical(lazy())
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
