"""Appending and resizing: data before shape, everything put back when it fails, nobody's rows lost."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from tests.store.doubles import WrappedStore
from zarrds._node import claim as _claim
from zarrds._store.base import Store
from zarrds._store.wrappers.n5 import N5Mapping
from zarrds.errors import ConflictError, StoreError
from zarrds.storage import DirectoryStore, FSStore, LMDBStore, MemoryStore, SQLiteStore

from .interleave import FailingStore

FORMATS: dict[str, dict[str, Any]] = {
    "v2": {"zarr_format": 2, "fill_value": -1},
    "v3": {"zarr_format": 3, "fill_value": -1},
    "shards": {"zarr_format": 3, "fill_value": -1, "shards": (8, 6)},
    "irregular": {"zarr_format": 3, "fill_value": -1, "chunks": [[3, 5, 4], 3]},
    "n5": {"zarr_format": 2, "fill_value": 0},
}
OLD = np.arange(1, 31).reshape(10, 3)


def made(name: str, store: Store, **options: Any) -> tuple[Store, zarrds.Array]:
    """Return a store and an array of ten rows in it, in chunks of four, or irregular ones; the last is not full."""
    seen = N5Mapping(store) if name == "n5" else store
    z = zarrds.open_array(seen, mode="w", shape=(10, 3), dtype="i8", **{"chunks": (4, 3), **FORMATS[name], **options})
    z[:] = OLD
    z.attrs["k"] = "v"
    return seen, z


def rows(count: int, first: int = 100) -> Any:
    return np.arange(first, first + 3 * count).reshape(count, 3)


# --- order -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(FORMATS))
def test_new_chunks_then_the_edge_then_the_document(name: str) -> None:
    store = FailingStore(MemoryStore())
    _, z = made(name, store)
    store.fail_at(None, OSError())
    z.append(rows(20))
    keys = [key for verb, keys in store.log if verb == "set" for key in keys]
    documents = [number for number, key in enumerate(keys) if key.endswith((".zarray", ".json"))]
    chunks = [number for number in range(len(keys)) if number not in documents]
    assert documents[0] == 0  # the claim, which changes nothing
    assert documents[-1] == len(keys) - 1
    assert len(documents) == 2
    edge = {"v2": "2.0", "v3": "c/2/0", "shards": "c/1/0", "irregular": "c/2/0", "n5": "0/2"}[name]
    assert keys[chunks[-1]] == edge
    assert len(chunks) == {"shards": 3, "irregular": 2}.get(name, 6)


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize("change", ["append", "grow", "shrink", "both"])
def test_readers_never_meet_a_shape_without_its_data(change: str, name: str) -> None:
    seen: list[np.ndarray[Any, Any]] = []

    class Watched(WrappedStore):
        watching = False

        def called(self, verb: str, keys: Any) -> None:
            if self.watching:
                self.watching = False
                seen.append(zarrds.open_array(shown, mode="r")[:])
                self.watching = True

    store = Watched(MemoryStore())
    shown, z = made(name, store)
    stale = zarrds.open_array(shown, mode="r")
    store.watching = True
    if change == "append":
        z.append(rows(9))
        expected = {10: OLD, 19: np.concatenate([OLD, rows(9)])}
    elif change == "grow":
        z.resize(15, 3)
        expected = {10: OLD, 15: np.concatenate([OLD, np.full((5, 3), FORMATS[name]["fill_value"])])}
    else:
        z.resize(3, 3)
        expected = {10: OLD, 3: OLD[:3]}
        if change == "both":
            z.append(rows(2))
            expected[5] = np.concatenate([OLD[:3], rows(2)])
    store.watching = False
    assert len(seen) > 1
    for found in seen:
        np.testing.assert_array_equal(found, expected[len(found)])
    if change == "append":
        np.testing.assert_array_equal(stale[:], OLD)


# --- failures --------------------------------------------------------------------------------------------------------

CHANGES: dict[str, tuple[Callable[[zarrds.Array], Any], Callable[[Any], Any]]] = {
    "append": (lambda z: z.append(rows(15)), lambda fill: np.concatenate([OLD, rows(15)])),
    "append little": (lambda z: z.append(rows(1)), lambda fill: np.concatenate([OLD, rows(1)])),
    "append columns": (lambda z: z.append(rows(10), axis=1), lambda fill: np.concatenate([OLD, rows(10)], axis=1)),
    "grow": (lambda z: z.resize(13, 3), lambda fill: np.concatenate([OLD, np.full((3, 3), fill)])),
    "shrink": (lambda z: z.resize(3, 3), lambda fill: OLD[:3]),
    "trim": (lambda z: z.resize(3, 3, trim=True), lambda fill: OLD[:3]),
}
ERRORS: list[BaseException] = [StoreError("cannot write: No space left on device"), KeyboardInterrupt()]


def contents(store: Any) -> dict[str, bytes]:
    return {key: bytes(store[key]) for key in store}


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize("change", list(CHANGES))
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("kind", ["claimed", "locked", "neither"])
def test_whatever_fails_once_is_put_back(kind: str, error: BaseException, change: str, name: str) -> None:
    act, outcome = CHANGES[change]
    locked = kind == "locked"
    if kind == "neither" and change in ("shrink", "trim"):
        pytest.skip("without comparing nobody knows that deleting is to be finished")
    for nth in range(200):
        store = FailingStore(MemoryStore())
        store.can_set_if = kind != "neither"
        synchronizer = zarrds.ThreadSynchronizer() if locked else None
        shown, z = made(name, store, synchronizer=synchronizer)
        before = contents(store.store)
        store.fail_at(nth, error)
        try:
            act(z)
        except type(error):
            store.fail_at(None, error)
        else:
            if store.seen <= nth:
                break
        expected = outcome(FORMATS[name]["fill_value"])
        found = zarrds.open_array(shown, mode="r")[:]
        if found.shape == OLD.shape:
            np.testing.assert_array_equal(found, OLD)
            if "append" in change:
                assert contents(store.store) == before
        else:
            np.testing.assert_array_equal(found, expected)
        if found.shape != expected.shape or "append" not in change:
            act(z)
        np.testing.assert_array_equal(zarrds.open_array(shown, mode="r")[:], expected)
        np.testing.assert_array_equal(z[:], expected)
        assert _claim._own == {}
        assert not any(_claim.has_mark(value) for value in contents(store.store).values())
        expect_clean_growth(shown, expected, FORMATS[name]["fill_value"], trimmed=change == "trim")
    assert nth > 0


def expect_clean_growth(store: Store, expected: Any, fill: Any, *, trimmed: bool) -> None:
    """Rows that were cut off do not come back, except those that an edge chunk still holds."""
    z = zarrds.open_array(store, mode="r+")
    z.resize(60, expected.shape[1])
    unit = z.shards[0] if getattr(z, "shards", None) else z.chunks[0]
    borders = np.cumsum([0, *unit]) if isinstance(unit, tuple) else np.arange(0, 61, unit)
    first = expected.shape[0] if trimmed else borders[borders >= expected.shape[0]].min()
    assert (z[first:] == fill).all()


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize("change", list(CHANGES))
def test_after_a_failure_for_good_a_repeat_is_exact(change: str, name: str) -> None:
    """The writer is gone, and what it could not put back is there: nobody sees it, and the next one removes it."""
    act, outcome = CHANGES[change]
    expected = outcome(FORMATS[name]["fill_value"])
    for nth in range(200):
        store = FailingStore(MemoryStore())
        shown, z = made(name, store)
        store.fail_at(nth, OSError(28, "No space left on device"), forever=True)
        try:
            act(z)
        except OSError:
            store.fail_at(None, OSError())
        else:
            break
        found = zarrds.open_array(shown, mode="r")[:]
        np.testing.assert_array_equal(found, OLD if found.shape == OLD.shape else expected)
        again = zarrds.open_array(shown, mode="r+")
        assert again.attrs.asdict() == {"k": "v"}
        if found.shape == OLD.shape:
            again.resize(10, 3)  # whatever is next: it shows nothing of what failed
            again.resize(50, 3)
            assert (again[10:] == FORMATS[name]["fill_value"]).all()
            again.resize(10, 3)
            act(again)
        np.testing.assert_array_equal(zarrds.open_array(shown, mode="r")[:], expected)
    assert nth > 1


def test_a_failed_cast_changes_nothing() -> None:
    _, z = made("v2", store := MemoryStore())
    before = contents(store)
    with pytest.raises(ValueError, match="invalid literal"):
        z.append(np.full((5, 3), "x", dtype=object))
    assert contents(store) == before
    assert z.shape == (10, 3)


def test_interrupted_shrinking_is_finished_by_the_next_writer() -> None:
    store = FailingStore(MemoryStore())
    _, z = made("v2", store)
    for nth in range(20):
        store.fail_at(nth, OSError("gone"), forever=True)
        with contextlib.suppress(OSError):
            z.resize(2, 3)
        store.fail_at(None, OSError())
        if zarrds.open_array(store, mode="r").shape == (2, 3):
            break
    again = zarrds.open_array(store, mode="r+")
    again.append(rows(1))
    assert set(store.store) == {".zarray", ".zattrs", "0.0"}


# --- several writers -------------------------------------------------------------------------------------------------


class Meanwhile(WrappedStore):
    """Lets another writer act before the `nth` request."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.nth, self.seen = -1, 0
        self.act: Callable[[], Any] | None = None

    def called(self, verb: str, keys: Any) -> None:
        number, self.seen = self.seen, self.seen + 1
        if number == self.nth and self.act is not None:
            act, self.act = self.act, None
            act()


OTHERS: dict[str, Callable[[zarrds.Array], Any]] = {
    "append": lambda z: z.append(rows(6, 500)),
    "append much": lambda z: z.append(rows(40, 500)),
    "append fill": lambda z: z.append(np.full((6, 3), z.fill_value)),
    "attrs": lambda z: z.attrs.update(other=1),
}


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize("other", list(OTHERS))
@pytest.mark.parametrize("count", [1, 6, 15])
def test_another_writer_between_any_two_requests(count: int, other: str, name: str) -> None:
    for nth in range(100):
        store = Meanwhile(MemoryStore())
        shown, z = made(name, store)
        second = zarrds.open_array(shown, mode="r+")
        store.act, store.nth, store.seen = lambda second=second: OTHERS[other](second), nth, 0
        shape = z.append(rows(count))
        if store.act is not None:
            break
        found = zarrds.open_array(shown, mode="r")
        ours = np.flatnonzero(found[:, 0] == 100)
        assert len(ours) == 1
        np.testing.assert_array_equal(found[ours[0] : ours[0] + count], rows(count))
        np.testing.assert_array_equal(found[:10], OLD)
        assert shape[0] == ours[0] + count
        rest = np.delete(found[:], range(ours[0], ours[0] + count), axis=0)[10:]
        if other == "attrs":
            assert found.attrs["other"] == 1
            assert len(rest) == 0
        else:
            fill = FORMATS[name]["fill_value"]
            wanted = {"append": rows(6, 500), "append much": rows(40, 500), "append fill": np.full((6, 3), fill)}
            np.testing.assert_array_equal(rest, wanted[other])
    assert nth > 3


CONFLICTS: dict[str, Callable[[zarrds.Array], Any]] = {
    "resize": lambda z: z.resize(30, 3),
    "fill_value": lambda z: setattr(z, "fill_value", 7),
}


@pytest.mark.parametrize("name", ["v2", "v3", "shards", "irregular"])
@pytest.mark.parametrize("change", list(CONFLICTS))
@pytest.mark.parametrize("other", ["append", "attrs", "resize"])
def test_who_comes_too_late_is_told(other: str, change: str, name: str) -> None:
    acts = {**OTHERS, "resize": lambda z: z.resize(11, 3)}
    refused = 0
    for nth in range(20):
        store = Meanwhile(MemoryStore())
        shown, z = made(name, store)
        second = zarrds.open_array(shown, mode="r+")
        store.act, store.nth, store.seen = lambda second=second: acts[other](second), nth, 0
        try:
            CONFLICTS[change](z)
        except ConflictError as error:
            assert "synchronizer" in str(error)  # noqa: PT017
            refused += 1
            found = zarrds.open_array(shown, mode="r")
            assert found.shape[0] == {"append": 16, "resize": 11}[other]
        if store.act is not None:
            break
        found = zarrds.open_array(shown, mode="r")
        np.testing.assert_array_equal(found[:10], OLD)
        assert found.attrs.asdict() == {"k": "v", **({"other": 1} if other == "attrs" else {})}
    assert (refused > 0) == (other != "attrs")


def test_appends_in_an_append_come_after_it() -> None:
    """A lock that lets another writer of the same thread in: it can't wait for the outer one, nor be in its way."""

    class Letting(zarrds.ThreadSynchronizer):
        def __getitem__(self, key: str) -> Any:
            if others and key[-1].isdigit():
                others.pop()()
            return super().__getitem__(key)

    others: list[Callable[[], Any]] = []
    for name in FORMATS:
        shown, z = made(name, MemoryStore(), synchronizer=Letting())
        second = zarrds.open_array(shown, mode="r+")
        others.append(lambda second=second: second.append(rows(7, 500)))
        assert z.append(rows(3)) == (13, 3)
        found = zarrds.open_array(shown, mode="r")[:]
        np.testing.assert_array_equal(found, np.concatenate([OLD, rows(3), rows(7, 500)]))


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("compares", [False, True])
def test_appends_in_a_value_that_is_being_set_come_after_it(compares: bool, fails: bool, name: str) -> None:
    class Inside(MemoryStore):
        act: Callable[[], Any] | None = None

        def set_many(self, items: Any) -> None:
            if self.act is not None:
                act, self.act = self.act, None
                act()
                if fails:
                    raise OSError("no space")
            super().set_many(items)

    store = Inside()
    store.can_set_if = compares
    shown, z = made(name, store)
    second = zarrds.open_array(shown, mode="r+")
    store.act = lambda: second.append(rows(7, 500))
    if fails:
        with pytest.raises(OSError, match="no space"):
            z.append(rows(3))
    else:
        assert z.append(rows(3)) == (13, 3)
    found = zarrds.open_array(shown, mode="r")[:]
    np.testing.assert_array_equal(found, np.concatenate([OLD, *([] if fails else [rows(3)]), rows(7, 500)]))


STORES: dict[str, Callable[[str], Store]] = {
    "directory": lambda path: DirectoryStore(f"{path}/a"),
    "sqlite": lambda path: SQLiteStore(f"{path}/a.db"),
    "lmdb": lambda path: LMDBStore(f"{path}/a.lmdb"),
    "fsspec": lambda path: FSStore(f"file://{path}/a"),
    "n5": lambda path: zarrds.N5Store(f"{path}/a.n5"),
}


def append_in_process(kind: str, path: str, number: int, count: int) -> None:
    z = zarrds.open_array(STORES[kind](path), mode="r+")
    for k in range(count):
        z.append(np.full((1 + k % 3, 3), 1000 * number + k))


def expect_appends(store: Store, writers: int, count: int) -> None:
    """Check that all appends are there, each in one piece, those of each writer in their order."""
    found = zarrds.open_array(store, mode="r")[:]
    assert (found == found[:, :1]).all()
    values = found[:, 0].tolist()
    runs = [(value, values.count(value)) for value in dict.fromkeys(values)]
    assert sorted(runs) == sorted((1000 * n + k, 1 + k % 3) for n in range(1, writers + 1) for k in range(count))
    for n in range(1, writers + 1):
        own = [value for value, _ in runs if value // 1000 == n]
        assert own == sorted(own)
        assert all(values[values.index(v) :][:c] == [v] * c for v, c in runs)


@pytest.mark.parametrize(
    ("kind", "name", "writers", "count"),
    [
        ("directory", "v3", 2, 10),
        *(
            pytest.param(kind, name, 4, 50, marks=pytest.mark.slow)
            for kind in STORES
            for name in FORMATS
            if (kind == "n5") == (name == "n5")
        ),
    ],
)
def test_processes_append_without_locks(kind: str, name: str, writers: int, count: int, tmp_path: Path) -> None:
    path = str(tmp_path)
    zarrds.open_array(STORES[kind](path), mode="w", shape=(0, 3), dtype="i8", **{"chunks": (4, 3), **FORMATS[name]})
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=append_in_process, args=(kind, path, n, count)) for n in range(1, writers + 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0] * writers
    expect_appends(STORES[kind](path), writers, count)


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize("shared", [True, False])
def test_threads_append_without_locks(shared: bool, name: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    store = N5Mapping(MemoryStore()) if name == "n5" else MemoryStore()
    z = zarrds.open_array(store, mode="w", shape=(0, 3), dtype="i8", **{"chunks": (4, 3), **FORMATS[name]})

    def work(number: int) -> None:
        mine = z if shared else zarrds.open_array(store, mode="r+")
        for k in range(12):
            mine.append(np.full((1 + k % 3, 3), 1000 * number + k))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(1, 4)))
    expect_appends(store, 3, 12)
    assert not shared or z.shape == zarrds.open_array(store).shape
