"""Several calls of `to_zarrds` that create one dataset at the same moment; docs/consistency.md says what happens."""

from __future__ import annotations

import multiprocessing
import random
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

import zarrds
import zarrds.parallel.turns
from tests.faults.interleave import Turns, TurnStore
from xarray_backend import open_zarrds, to_zarrds
from zarrds._node import claim
from zarrds._store import WRITER_KEY
from zarrds.errors import ConflictError
from zarrds.storage import MemoryStore

SEEDS = [pytest.param(range(2), id="few"), pytest.param(range(2, 10), id="many", marks=pytest.mark.slow)]


def table(value: int, *names: str) -> xr.Dataset:
    variables = {name: (("t", "x"), np.full((4, 3), float(value))) for name in names}
    return xr.Dataset(variables, {"t": np.arange(4), "x": [1, 2, 3]}, {f"by{value}": 1})


def in_turns(store: MemoryStore, seed: int, *jobs: Callable[[Any], Any]) -> list[BaseException | None]:
    """Let each job do some requests, then another one, and so on; return the error of each."""
    drawn = random.Random(seed)
    turns = Turns()
    now, left = 0, 0

    def choose(alive: list[int]) -> int:
        nonlocal now, left
        if left <= 0 or now not in alive:
            now, left = drawn.choice(alive), drawn.randint(1, 12)
        left -= 1
        return now

    with pytest.MonkeyPatch.context() as patch:
        turns.instead_of_time(patch)
        # a lock of the process would not hand the turn over; claims alone must do, as among processes
        patch.setattr(zarrds.parallel.turns, "_thread_lock", lambda name: nullcontext())
        shared = TurnStore(store, turns)
        return turns.run([lambda job=job: job(shared) for job in jobs], choose)  # type: ignore[misc]


def write(ds: xr.Dataset, mode: str) -> Callable[[Any], Any]:
    return lambda store: to_zarrds(ds, store, mode=mode)


def found(store: Any, **options: Any) -> tuple[dict[str, set[float]], set[str]]:
    """Values of each variable, and the attributes."""
    ds = open_zarrds(store, **options).load()
    assert dict(ds.sizes) == {"t": 4, "x": 3}
    return {str(name): set(var.values.ravel().tolist()) for name, var in ds.data_vars.items()}, set(ds.attrs)


def nothing(store: MemoryStore) -> None:
    """Nobody has been here."""


def empty_group(store: MemoryStore) -> None:
    zarrds.open_group(store, mode="w")


def old_dataset(store: MemoryStore) -> None:
    to_zarrds(table(0, "old"), store)


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("before", [nothing, empty_group, old_dataset])
def test_all_that_is_added_is_there(before: Any, seeds: Any, zarr_format: int) -> None:
    """Variables, attributes, and both in the consolidated metadata."""
    for seed in seeds:
        store = MemoryStore()
        before(store)
        errors = in_turns(store, seed, write(table(1, "u"), "a"), write(table(2, "v"), "a"))
        assert errors == [None, None]
        old = {"old": {0.0}} if before is old_dataset else {}
        expected = {**old, "u": {1.0}, "v": {2.0}}, {"by1", "by2", *("by0" for _ in old)}
        assert found(store) == found(store, consolidated=False) == expected, seed


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("before", [nothing, old_dataset])
@pytest.mark.parametrize("mode", ["a", "w"])
def test_equal_data_by_both(mode: str, before: Any, seeds: Any, zarr_format: int, no_patience_ends: None) -> None:
    for seed in seeds:
        store = MemoryStore()
        before(store)
        assert in_turns(store, seed, *[write(table(1, "u", "v"), mode)] * 2) == [None, None]
        values, attrs = found(store)
        assert (values, attrs) == found(store, consolidated=False)
        assert {name: values[name] for name in "uv"} == {"u": {1.0}, "v": {1.0}}, seed
        assert "by1" in attrs


@pytest.mark.parametrize("seeds", SEEDS)
def test_one_variable_by_both(seeds: Any, zarr_format: int) -> None:
    """Each chunk has the values of one of them."""
    for seed in seeds:
        store = MemoryStore()
        assert in_turns(store, seed, write(table(1, "u"), "a"), write(table(2, "u"), "a")) == [None, None]
        values, attrs = found(store)
        assert (values, attrs) == found(store, consolidated=False)
        assert values["u"] in ({1.0}, {2.0})
        assert attrs == {"by1", "by2"}


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("other", ["w-", "a"])
def test_a_new_dataset_is_created_once(other: str, seeds: Any, zarr_format: int) -> None:
    """Who comes too late gets FileExistsError, or adds to it in mode "a"."""
    for seed in seeds:
        store = MemoryStore()
        errors = in_turns(store, seed, write(table(1, "u"), "w-"), write(table(2, "v"), other))
        failed = [type(error).__name__ if error else None for error in errors]
        assert failed.count("DatasetExistsError") + failed.count(None) == 2
        there = [n for n, name in enumerate(failed) if name is None]
        assert len(there) == 1 if other == "w-" else 1 in there
        expected = {"uv"[n]: {n + 1.0} for n in there}, {f"by{n + 1}" for n in there}
        assert found(store) == found(store, consolidated=False) == expected, seed


def small(value: int, *names: str, length: int = 4) -> xr.Dataset:
    """A dataset of which each variable and coordinate says who wrote it."""
    variables = {name: (("t", "x"), np.full((length, 3), float(value))) for name in names}
    return xr.Dataset(variables, {"t": np.full(length, value), "x": [value] * 3}, {f"by{value}": 1})


def whole(store: Any, datasets: list[xr.Dataset]) -> xr.Dataset:
    """The dataset that is there, which must be one of these, by consolidated metadata and without."""
    ds = open_zarrds(store).load()
    assert ds.identical(open_zarrds(store, consolidated=False).load())
    assert any(ds.identical(one) for one in datasets), ds
    return ds


REPLACING: list[tuple[str, str, xr.Dataset]] = [
    ("w", "w", small(2, "v")),
    ("w", "w", small(2, "u")),
    ("w", "w", small(2, "u", length=7)),
    ("w", "w", small(2, "u").chunk(t=2)),
    ("w", "replace", small(2, "u")),
    ("replace", "replace", small(2, "v")),
]


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("before", [nothing, old_dataset])
@pytest.mark.parametrize(("first", "second", "other"), REPLACING)
def test_the_last_of_two_that_replace_is_there_whole(
    first: str, second: str, other: xr.Dataset, before: Any, seeds: Any, zarr_format: int, no_patience_ends: None
) -> None:
    """Where a store cannot rename, too; it is never one that has raised ConflictError, except to say so at the end."""
    mine = small(1, "u")
    for seed in seeds:
        store = MemoryStore()
        before(store)
        with dask.config.set(scheduler="synchronous"):
            errors = in_turns(store, seed, write(mine, first), write(other, second))
        for error in errors:
            assert error is None or (isinstance(error, ConflictError) and second == "replace"), error
        assert errors != [None, None] or whole(store, [mine, other.compute()])
        assert not any("zarrds" in key for key in store), "something is left"
        to_zarrds(mine, store, mode="w")  # it can be written again
        whole(store, [mine])


def append(store: Any) -> None:
    to_zarrds(table(2, "u"), store, append_dim="t")


def add_tree(store: Any) -> None:
    to_zarrds(xr.DataTree.from_dict({"/": table(2, "v"), "/child": table(2, "v")}), store, mode="a")


def add_below(store: Any) -> None:
    to_zarrds(table(2, "v"), store, mode="a", group="below/it")


def replace_below(store: Any) -> None:
    to_zarrds(table(2, "v"), store, mode="w", group="below/it")


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("before", [nothing, old_dataset])
@pytest.mark.parametrize(
    "other",
    [
        pytest.param(write(table(2, "v"), "a"), id="a"),
        pytest.param(write(table(2, "v"), "w-"), id="w-"),
        pytest.param(write(table(2, "old"), "r+"), id="r+"),
        append,
        add_tree,
        add_below,
        replace_below,
    ],
)
@pytest.mark.parametrize("mode", ["w", "replace"])
def test_who_meets_mode_w_or_replace_comes_before_it_or_after_it(
    mode: str, other: Any, before: Any, seeds: Any, zarr_format: int, no_patience_ends: None
) -> None:
    """Whole, in every order of steps: what comes before is deleted, and what comes after meets the new dataset."""
    replacing = write(table(1, "u"), mode)
    for seed in seeds:
        store = MemoryStore()
        before(store)
        error = in_turns(store, seed, replacing, other)
        after, before_it = MemoryStore(), MemoryStore()
        before(before_it)
        replacing(after)
        with suppress(ValueError, KeyError):  # FileExistsError, no such variable, lengths that do not fit
            other(after)
        with suppress(ValueError, KeyError):
            other(before_it)
        replacing(before_it)
        assert error[0] is None, seed
        assert dict(store) in (dict(after), dict(before_it)), seed


@pytest.mark.parametrize("seeds", SEEDS)
def test_a_variable_added_beside_an_append_fits_it(seeds: Any, zarr_format: int, no_patience_ends: None) -> None:
    """One of the two is refused, as it would be after the other: lengths that differ could not be opened."""
    for seed in seeds:
        store = MemoryStore()
        to_zarrds(table(0, "u"), store)
        errors = in_turns(store, seed, append, write(table(1, "v"), "a"))
        assert sorted(type(error).__name__ for error in errors) == ["ArgumentError", "NoneType"], seed
        ds = open_zarrds(store, consolidated=False).load()
        assert ds.identical(open_zarrds(store).load())
        assert (set(ds), ds.sizes["t"]) == (({"u"}, 8) if errors[0] is None else ({"u", "v"}, 4)), seed


@pytest.fixture
def no_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is dead in a test in which writers take turns, though its clock runs."""
    monkeypatch.setattr(claim, "PATIENCE_S", 1e6)
    monkeypatch.setattr(claim, "OWN_PATIENCE_S", 1e6)


@pytest.mark.parametrize("key", [WRITER_KEY, f"{WRITER_KEY}-0123456789abcdef"])
def test_a_killed_writer_keeps_nobody_waiting(key: str, zarr_format: int) -> None:
    store = MemoryStore()
    old_dataset(store)
    store[key] = b"{}" + claim._new_mark()  # of this process, which knows nothing of it
    assert found(store)[0] == {"old": {0.0}}
    assert zarrds.verify(store).ok
    to_zarrds(table(1, "v"), store, mode="a")
    assert set(found(store)[0]) == {"old", "v"}
    to_zarrds(small(1, "u"), store, mode="w")
    whole(store, [small(1, "u")])
    assert not any("zarrds" in key for key in store)


def test_the_next_append_cleans_up_after_a_killed_one_though_mode_a_came_between(zarr_format: int) -> None:
    store = MemoryStore()
    to_zarrds(table(0, "u"), store)
    key = {2: ".zgroup", 3: "zarr.json"}[zarr_format]
    store[key] = bytes(store[key]) + claim._new_mark()  # of this process, which knows nothing of it
    zarrds.open_array(store, path="t").resize(8)  # the killed append enlarged one of two arrays
    to_zarrds(xr.Dataset({"w": ("y", [1.0])}), store, mode="a")
    assert claim.has_mark(store[key])
    append(store)
    assert not claim.has_mark(store[key])
    assert open_zarrds(store).sizes["t"] == 8
    assert open_zarrds(store).t.values.tolist() == [*range(4)] * 2


def test_who_deletes_the_group_meanwhile_is_noticed(zarr_format: int) -> None:
    """By a call that does not wait for its turn."""
    store = MemoryStore()

    def block(values: Any) -> Any:
        zarrds.open_group(store, mode="w")
        return values

    ds = xr.Dataset({"u": ("t", da.zeros(4, chunks=4).map_blocks(block, dtype=float, meta=np.zeros(0)))})
    with dask.config.set(scheduler="synchronous"), pytest.raises(ConflictError, match="replaced this meanwhile"):
        to_zarrds(ds, store, mode="w")
    assert list(zarrds.open_group(store, mode="r")) == []
    assert not any(key.startswith("u") for key in store)


@pytest.mark.parametrize("mode", ["a", "w-"])
def test_attributes_that_others_set_meanwhile_are_kept(mode: str, zarr_format: int) -> None:
    """Those that were there when the call began as well; names of coordinates are those of both."""
    store = MemoryStore()
    if mode == "a":
        to_zarrds(xr.Dataset(attrs={"level": 1, "gone": 1}), store)

    def block(values: Any) -> Any:
        attrs = zarrds.open_group(store, mode="r+").attrs
        attrs.change(lambda found: {**found, "level": 2, "coordinates": "height"})
        if mode == "a":
            del attrs["gone"]
        return values

    values = da.zeros(4, chunks=4).map_blocks(block, dtype=float, meta=np.zeros(0))
    ds = xr.Dataset({"u": ("t", values)}, {"depth": ("z", [1])}, {"by": "me"})
    with dask.config.set(scheduler="synchronous"):
        to_zarrds(ds, store, mode=mode)
    for group in (zarrds.open_group(store, mode="r"), zarrds.open_consolidated(store, mode="r")):
        attrs = dict(group.attrs)
        assert sorted(attrs.pop("coordinates").split()) == ["depth", "height"]
        assert attrs == {"level": 2, "by": "me"}


def write_in_process(job: tuple[str, int, str, str]) -> None:
    path, value, name, mode = job
    warnings.simplefilter("ignore")
    to_zarrds(table(value, name), path, mode=mode)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["a", "replace", "w"])
def test_processes(mode: str, tmp_path: Path, zarr_format: int) -> None:
    """All variables that several add; the whole dataset that several replace by equal ones."""
    adds = mode == "a"
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        for attempt in range(2):
            path = str(tmp_path / f"{attempt}.zarr")
            list(pool.map(write_in_process, [(path, n * adds, f"v{n * adds}", mode) for n in range(6)]))
            names = range(6) if adds else [0]
            expected = {f"v{n}": {float(n)} for n in names}, {f"by{n}" for n in names}
            assert found(path) == found(path, consolidated=False) == expected
