"""Every guest x open, xarray, dask on two processes, pickle, verify, copy."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr

import zarrds
from tests.guests.guests import GUESTS, VALUES

# of the libraries that make the guests
pytestmark = pytest.mark.filterwarnings(
    "ignore:Failed to open Zarr store with consolidated metadata",
    "ignore:The 'fastparquet' engine is deprecated",
    "ignore:Numcodecs codecs are not in the Zarr version 3 spec",
)
QUICK = ("LocalStore", "WrapperStore", "ZipStore", "UPath", "pipeline", "open file")


def marked(names: Any) -> list[Any]:
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.fixture(params=marked(GUESTS))
def guest(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    made = GUESTS[request.param](tmp_path)
    yield made
    with suppress(AttributeError):
        made.close()


def test_open_xarray_pickle_verify_copy(guest: Any) -> None:
    group = zarrds.open_group(guest, mode="r")
    assert sorted(group) == ["u", "x"]
    np.testing.assert_array_equal(group["u"][1:3, ::2], VALUES[1:3, ::2])
    np.testing.assert_array_equal(zarrds.open_array(guest, mode="r", path="u")[:], VALUES)

    with xr.open_dataset(guest, engine="zarrds", consolidated=False) as found:
        np.testing.assert_array_equal(found.u.values, VALUES)

    with xr.open_dataset(guest, engine="zarrds", consolidated=None) as found:
        np.testing.assert_array_equal(found.u.values, VALUES)
    assert "u (4, 6) float64" in str(zarrds.tree(guest))

    sent = pickle.dumps(group["u"])
    assert len(sent) < 2000 or group.store.carries_data
    np.testing.assert_array_equal(pickle.loads(sent)[:], VALUES)

    report = zarrds.verify(guest, level="decode")
    assert report.ok, str(report)
    assert (report.groups, report.arrays, report.chunks) == (1, 2, 5)

    copied = zarrds.open_group({}, mode="w", zarr_format=group.zarr_format)
    zarrds.copy_all(group, copied)
    np.testing.assert_array_equal(copied["u"][:], VALUES)
    raw: dict[str, Any] = {}
    zarrds.copy_store(group.store, raw)
    np.testing.assert_array_equal(zarrds.open_group(raw, mode="r")["u"][:], VALUES)


def test_directories_in_an_archive_behind_a_wrapper_are_no_values(tmp_path: Path) -> None:
    import zarr

    guest = zarr.storage.WrapperStore(GUESTS["ZipStore"](tmp_path))
    report = zarrds.verify(guest, level="decode")
    assert report.ok, str(report)
    guest.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", GUESTS)
def test_dask_on_two_processes(name: str, tmp_path: Path) -> None:
    guest = GUESTS[name](tmp_path)
    with (
        xr.open_dataset(guest, engine="zarrds", consolidated=False, chunks={}) as found,
        dask.config.set(scheduler="processes", num_workers=2),
    ):
        np.testing.assert_array_equal(found.u.data.compute(), VALUES)
    with suppress(AttributeError):
        guest.close()
