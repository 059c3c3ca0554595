"""What other processes get of guests: what reaches the same values, or an error."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import zarrds
import zarrds.dask
from tests.guests.guests import VALUES, dataset, manifest_store, needed, repository
from xarray_backend import to_zarrds
from zarrds._store import as_store
from zarrds._store.backends.zarr3 import Zarr3Store
from zarrds.errors import ReadOnlyError, StoreError, StoreNotShareableError, UnsupportedFormatError

pytestmark = pytest.mark.slow


def elsewhere(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Unpickle as another process does."""
    pid = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: pid)
    return pickle.loads(sent)


def test_a_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = as_store(repository(tmp_path).readonly_session("main"))
    assert not store.is_writeable()
    assert store.version("u/c/0/0") is not None
    array = zarrds.open_array(store, path="u", mode="r")
    sent = pickle.dumps(array.source())
    assert len(sent) < 2000
    there = elsewhere(sent, monkeypatch)
    assert there.store.open() is not store
    np.testing.assert_array_equal(there.store.open()["u/zarr.json"], store["u/zarr.json"])


def test_a_session_that_writes(tmp_path: Path) -> None:
    made = repository(tmp_path)
    session = made.writable_session("main")
    array = zarrds.open_array(session, path="u", mode="r+")
    array[0] = 7
    array.attrs["unit"] = "m"
    assert array.store.can_set_if
    assert array.store.set_if("x/zarr.json", array.store["x/zarr.json"], array.store["x/zarr.json"])
    assert not array.store.set_if("x/zarr.json", b"{}", b"other")
    session.commit("changed")
    found = zarrds.open_array(made.readonly_session("main"), path="u", mode="r")
    assert (found[0, 0], found[1, 0], found.attrs["unit"]) == (7, VALUES[1, 0], "m")
    with pytest.raises(ReadOnlyError):
        zarrds.open_array(made.readonly_session("main"), path="u", mode="r+")[:] = 1


def test_dask_writes_into_a_session_with_threads(tmp_path: Path) -> None:
    made = repository(tmp_path)
    session = made.writable_session("main")
    array = zarrds.open_array(session, path="u", mode="r+")
    zarrds.dask.to_zarr(array.to_dask() + 1, session.store, path="v", zarr_format=3)
    session.commit("v")
    found = zarrds.open_array(made.readonly_session("main"), path="v", mode="r")
    np.testing.assert_array_equal(found[:], VALUES + 1)


def test_uncommitted_changes_are_not_lost_in_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = repository(tmp_path).writable_session("main")
    array = zarrds.open_array(session, path="u", mode="r+")
    clean = pickle.dumps(array)
    array[0] = 7
    with pytest.raises(StoreNotShareableError, match="commit"):
        pickle.dumps(array)
    with pytest.raises(StoreNotShareableError, match="commit"):
        array.to_dask().compute(scheduler="processes")
    there = elsewhere(clean, monkeypatch)
    np.testing.assert_array_equal(there[:], VALUES)  # of the snapshot
    with pytest.raises(StoreError):
        there[0] = 1


def test_what_cannot_be_sent(tmp_path: Path) -> None:
    storage = needed("zarr.storage")
    for guest in (storage.WrapperStore(storage.MemoryStore()), storage.ZipStore(tmp_path / "a.zip", mode="w")):
        store = as_store(guest, mode="w")
        store["a"] = b"x"
        assert store["a"] == b"x"
        with pytest.raises(StoreNotShareableError, match="cannot be sent"):
            pickle.dumps(store)
        guest.close()


def test_guests_that_do_not_pickle(tmp_path: Path) -> None:
    class Local(needed("zarr.storage").WrapperStore):  # type: ignore[misc]
        def __reduce__(self) -> Any:
            raise TypeError("not me")

    guest = Local(needed("zarr.storage").LocalStore(tmp_path))
    array = zarrds.create(shape=4, chunks=2, store=guest, zarr_format=3)
    array[:] = 1
    assert array.to_dask().sum().compute() == 4
    with pytest.raises(StoreNotShareableError, match="not me"):
        pickle.dumps(array.store)
    with pytest.raises(StoreNotShareableError):
        array.to_dask().compute(scheduler="processes")


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3 spec")
def test_nodes_that_a_manifest_does_not_have(tmp_path: Path) -> None:
    group = zarrds.open_group(manifest_store(tmp_path), mode="r")
    assert "u" in group
    assert "nothing" not in group
    assert "u/nothing" not in group
    with pytest.raises(KeyError):
        group["nothing"]


# --- what zarrds does in a session of Icechunk -----------------------------------------------------------------------


@pytest.fixture
def session(tmp_path: Path) -> Any:
    return repository(tmp_path).writable_session("main")


def test_arrays_grow_are_replaced_moved_and_deleted_in_a_session(session: Any) -> None:
    group = zarrds.open_group(session, mode="r+")
    group["u"].append(VALUES)
    group["u"].resize(7, 9)
    np.testing.assert_array_equal(group["u"][4:7, :6], VALUES[:3])
    group.create_dataset("x", data=np.arange(3), overwrite=True)
    group.move("x", "z")
    group.create_group("g/h").create_dataset("v", data=VALUES, chunks=2)
    zarrds.copy(group["u"], group["g"], name="w")
    zarrds.consolidate_metadata(session)
    del group["g/h"]
    session.commit("all of it")
    found = zarrds.open_group(session, mode="r")
    assert (sorted(found), sorted(found["g"])) == (["g", "u", "z"], ["w"])
    np.testing.assert_array_equal(found["g/w"][:], found["u"][:])
    assert found["z"][:].tolist() == [0, 1, 2]
    assert all(not key.rpartition("/")[2].startswith(".") for key in found.store)


def test_answers_fit_their_keys_while_another_thread_sets_what_was_put_aside(
    session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = as_store(session, mode="r+")
    store["u/c/9/9"] = b"outside"
    document, ask = store["u/zarr.json"], Zarr3Store.get_many

    def meanwhile(self: Any, requests: Any) -> Any:
        self._aside.clear()
        return ask(self, requests)

    monkeypatch.setattr(Zarr3Store, "get_many", meanwhile)
    assert store.get_many([("u/c/9/9", None), ("u/zarr.json", None)]) == [b"outside", document]


def test_datasets_in_a_session(session: Any) -> None:
    ds = dataset()
    to_zarrds(ds.chunk(), session, mode="w")
    to_zarrds(ds, session, append_dim="y")
    to_zarrds(ds.drop_vars("x").isel(y=slice(2)) + 1, session, region={"y": slice(2, 4)})
    session.commit("data")
    with xr.open_dataset(session, engine="zarrds", consolidated=False) as found:
        expected = np.concatenate([VALUES, VALUES])
        expected[2:4] = VALUES[:2] + 1
        np.testing.assert_array_equal(found.u.values, expected)


def test_zarr_v2_is_refused_in_a_session(session: Any) -> None:
    with pytest.raises(UnsupportedFormatError):
        zarrds.create(4, store=session, path="v", zarr_format=2)
    assert zarrds.create(4, store=session, path="v").zarr_format == 3
