"""Appends that encode a stored variable of one chunk again, as `encoding` asks: readers see old or new values."""

from __future__ import annotations

import contextlib
import functools

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import zarrds
from tests.faults.failing import FailingStore, StoppedError, operations
from xarray_backend import open_zarrds, recoding, to_zarrds
from xarray_backend.reader import ZarrdsStore
from zarrds.errors import ConflictError, EncodingError, NotSupportedError, SelfOverwriteError
from zarrds.storage import DirectoryStore, MemoryStore, SQLiteStore

pytestmark = [
    pytest.mark.usefixtures("zarr_format"),
    pytest.mark.filterwarnings("ignore:Failed to open Zarr store with consolidated:RuntimeWarning"),
]

IN_DAYS = {"units": "days since 2000-01-01", "dtype": "i8", "chunks": (100,)}
IN_HOURS = {"units": "hours since 2000-01-01"}
RE_ENCODED = {"t": IN_HOURS, "w": {"dtype": "i4"}}


def old():
    """Two days, stored in days; a variable of several chunks, and small integers."""
    time = pd.date_range("2000-01-01", periods=2, freq="D")
    data = {"v": (("t", "x"), np.arange(6.0).reshape(2, 3)), "w": ("t", np.array([1, 2], "i1"), {"long_name": "w"})}
    return xr.Dataset(data, {"t": ("t", time, {"axis": "T"}), "second": ("t", [1.5, 2.5])})


def more():
    """Six-hourly values, and integers that need more bits."""
    time = pd.date_range("2000-01-03", periods=2, freq="6h")
    return old().assign_coords(t=("t", time)).assign(w=("t", [300, 400]))


@functools.cache
def whole():
    """The values before and after the append, in one dataset."""
    return xr.concat([old(), more()], "t", coords="different", compat="equals", combine_attrs="override")


def written(store, **options):
    """Return the store with the old values in it."""
    to_zarrds(old(), store, encoding={"t": IN_DAYS, "v": {"chunks": (1, 3)}}, **options)
    return store


def n5(path):
    """Return an N5 store, or skip: N5 has the documents of Zarr v2 only."""
    if zarrds.get_config().default_format == 3:
        pytest.skip("N5 is written by groups of Zarr v2")
    return zarrds.N5Store(path)


STORES = {"memory": lambda _: MemoryStore(), "directory": DirectoryStore, "sqlite": SQLiteStore, "n5": n5}


@pytest.mark.parametrize(("kind", "lazy"), [(kind, kind in ("memory", "n5")) for kind in STORES])
def test_a_variable_of_one_chunk_is_encoded_again(kind, lazy, tmp_path):
    store = written(STORES[kind](str(tmp_path / "store")))
    part = more().chunk() if lazy else more()
    to_zarrds(part, store, append_dim="t", encoding=RE_ENCODED)
    for consolidated in (None, False):
        found = xr.open_dataset(store, engine="zarrds", consolidated=consolidated)
        assert found.equals(whole())
        assert found.t.encoding["units"] == IN_HOURS["units"]
        assert found.t.encoding["chunks"] == (100,)
        assert found.t.attrs == {"axis": "T"}
        assert found.w.attrs == {"long_name": "w"}
        assert found.w.dtype == "i4"
    assert set(found.coords) == {"t", "second"}


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_with_a_synchronizer(kind, tmp_path):
    locks = zarrds.ThreadSynchronizer() if kind == "thread" else zarrds.ProcessSynchronizer(str(tmp_path / "locks"))
    store = written(DirectoryStore(str(tmp_path / "store")), synchronizer=locks)
    to_zarrds(more(), store, append_dim="t", encoding=RE_ENCODED, synchronizer=locks)
    assert open_zarrds(store).equals(whole())


CASES = [
    (np.array(["a", "bb"]), np.array(["longer"]), {}, {"dtype": "U6"}),
    (np.array([1, 2], "m8[D]"), np.array([90], "m8[m]"), {"units": "days", "dtype": "i8"}, {"units": "minutes"}),
    (
        np.array([5.0, 6.0]),
        np.array([100.0]),
        {"dtype": "i1", "scale_factor": 0.5, "_FillValue": -128},
        {"dtype": "f4"},
    ),
    (np.array([1, 2], "i1"), np.array([2**40]), {}, {"dtype": "i8", "chunks": (7,)}),
]


@pytest.mark.parametrize(("values", "added", "first", "then"), CASES)
@pytest.mark.filterwarnings("ignore:.*will not decode:FutureWarning")
def test_kinds_of_values(values, added, first, then):
    store = MemoryStore()
    to_zarrds(xr.Dataset({"v": ("t", values)}), store, encoding={"v": first})
    part = xr.Dataset({"v": ("t", added)})
    with pytest.raises(EncodingError):
        to_zarrds(part, store, append_dim="t")
    to_zarrds(part, store, append_dim="t", encoding={"v": then})
    np.testing.assert_array_equal(open_zarrds(store).v, np.concatenate([values, added]))


def test_units_that_are_not_given_suit_old_and_new_values():
    store = written(MemoryStore())
    to_zarrds(more(), store, append_dim="t", encoding={"t": {"dtype": "i8"}, "w": {"dtype": "i4"}})
    found = open_zarrds(store)
    assert found.equals(whole())
    assert found.t.encoding["units"].startswith("hours")


def test_new_chunks_alone_keep_units():
    store = written(MemoryStore())
    later = old().assign_coords(t=pd.date_range("2000-01-03", periods=2))
    to_zarrds(later, store, append_dim="t", encoding={"t": {"chunks": (50,)}})
    found = open_zarrds(store).t.encoding
    assert found["units"] == IN_DAYS["units"]
    assert found["chunks"] == (50,)


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "error", "words"),
    [
        (
            {"t": IN_HOURS, "w": {"dtype": "i2"}, "v": {"dtype": "f4"}},
            ValueError,
            "'v' is stored in 2 chunks and keeps",
        ),
        ({"t": IN_HOURS, "w": {"dtype": "i1"}}, EncodingError, "'w'.*int8"),
        ({"t": IN_HOURS}, EncodingError, "'w'.*int8"),
        ({"t": IN_HOURS, "w": {"wrong": 1}}, ValueError, "wrong"),
        ({"t": IN_HOURS, "w": {"compressor": None}}, ValueError, "'w' is stored already and keeps its codecs"),
    ],
)
def test_what_is_refused_changes_nothing(encoding, error, words):
    store = written(MemoryStore())
    before = dict(store.items())
    with pytest.raises(error, match=f"(?s){words}"):
        to_zarrds(more(), store, append_dim="t", encoding=encoding)
    assert dict(store.items()) == before


def test_stores_that_cannot_exchange_a_variable_in_one_step_refuse():
    store: dict[str, bytes] = {}
    written(store)
    before = dict(store)
    with pytest.raises(NotSupportedError, match="'t' in one step"):
        to_zarrds(more(), store, append_dim="t", encoding=RE_ENCODED)
    assert open_zarrds(store).equals(old())
    assert store.keys() == before.keys()
    assert {key for key in store if store[key] != before[key]} <= {".zmetadata", "zarr.json"}


def test_values_that_are_read_lazily_from_the_variable_are_refused():
    store = written(MemoryStore())
    part = more().assign(w=open_zarrds(store, chunks={}).w.variable)
    with pytest.raises(SelfOverwriteError, match="encoded again"):
        to_zarrds(part, store, append_dim="t", encoding={"t": IN_HOURS, "w": {"dtype": "i4"}})


def test_a_dry_run_changes_nothing():
    store = written(MemoryStore())
    before = dict(store.items())
    plan = to_zarrds(more(), store, append_dim="t", encoding=RE_ENCODED, dry_run=True)
    assert {one.path: one.dtype for one in plan.variables}["w"] == "int32"
    assert dict(store.items()) == before


# --- others at the same moment, and failures -------------------------------------------------------------------------


def test_another_writer_of_the_variable_is_noticed(monkeypatch):
    store = written(MemoryStore())
    monkeypatch.setattr(recoding, "settle", lambda arrays: arrays[0].__setitem__(0, 9))
    with pytest.raises(ConflictError, match="'t' while it was encoded again"):
        to_zarrds(more(), store, append_dim="t", encoding={"t": IN_HOURS, "w": {"dtype": "i4"}})
    assert zarrds.open_group(store)["t"][:].tolist() == [9, 1]


class WatchedStore(FailingStore):
    """A store that is read, as others see it, before each operation."""

    def turn(self, what: str) -> None:
        """Check that readers find the old values or the new ones."""
        super().turn(what)
        expect_old_or_new(self.store)


def expect_old_or_new(store):
    """Fail if readers find values that are neither old nor new; with and without consolidated metadata."""
    for consolidated in (None, False):
        found = ZarrdsStore.open_group(store, consolidated=consolidated).load()[0]
        for name, var in found.items():  # the shapes of an append are written one after the other
            values = xr.decode_cf(xr.Dataset({name: var}))[name]
            assert values.variable.equals(whole()[name].variable[: len(values)]), (name, consolidated)


def append(store):
    """Append with another encoding."""
    to_zarrds(more(), store, append_dim="t", encoding=RE_ENCODED)


def test_readers_see_old_or_new_values():
    store = WatchedStore(written(MemoryStore()), at_once=True, reads=False)
    append(store)
    assert store.count > 5


@pytest.mark.slow
@pytest.mark.parametrize("forever", [False, True])
def test_a_failure_leaves_old_or_new_values_and_a_repeat_is_exact(forever):
    options = {"at_once": True, "reads": False}
    before = list(written(MemoryStore()).items())
    for nth in range(operations(lambda: filled(before), append, **options)):
        inner = filled(before)
        with contextlib.suppress(StoppedError):
            append(FailingStore(inner, nth, forever=forever, **options))
        expect_old_or_new(inner)
        if any(array.shape[0] == 2 for _, array in zarrds.open_group(inner).arrays()):
            append(inner)
        assert open_zarrds(inner, consolidated=False).equals(whole()), nth


def filled(items):
    """Return a store with these keys and values."""
    store = MemoryStore()
    store.set_many(items)
    return store
