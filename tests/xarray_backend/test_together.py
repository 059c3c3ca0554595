"""Small coordinates are read in one batch of requests when a dataset is opened behind a network."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import xarray as xr

import zarrds
from tests.engine.counting import CountingStore
from xarray_backend import open_zarrds, to_zarrds
from xarray_backend import together as batches
from zarrds.errors import ChunkDecodeError, MissingChunkError

INDEXES = ["time", "y", "x", "name"]


def sample() -> xr.Dataset:
    times = np.arange("2026-01-01", "2026-01-07", dtype="M8[D]").astype("M8[ns]")
    return xr.Dataset(
        {"u": (("time", "y"), np.arange(24.0).reshape(6, 4))},
        {
            "time": times,
            "y": np.arange(4.0),
            "x": np.arange(3),
            "name": ["a", "b"],
            "origin": ((), np.datetime64("2026-01-01", "ns")),
            "valid": (("time", "y"), np.broadcast_to(times[:, None], (6, 4))),
            "height": ("y", [5.0, 6.0, 7.0, 8.0]),
        },
    )


def stored(zarr_format: int = 2, **options: object) -> CountingStore:
    store = CountingStore("network")
    to_zarrds(sample(), store, zarr_format=zarr_format, **options)
    store.forget()
    return store


def values_read(store: CountingStore) -> list[str]:
    return [key.partition("/")[0] for key, _ in store.gets if not key.split("/")[-1].startswith((".", "zarr.json"))]


@pytest.mark.parametrize("chunks", [None, {}])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_opening_takes_one_batch_for_documents_and_one_for_coordinates(zarr_format: int, chunks: object) -> None:
    store = stored(zarr_format)
    ds = xr.open_dataset(store, engine="zarrds", chunks=chunks)
    assert store.batches <= 2 + 1
    assert sorted(values_read(store)) == sorted([*INDEXES, "origin", "valid"])
    xr.testing.assert_identical(ds.load(), sample())
    assert sorted(values_read(store)[6:]) == ["height", "u"]


def test_many_coordinates_of_shards_and_many_chunks() -> None:
    store = CountingStore("network")
    coords = {f"x{n}": np.arange(100) for n in range(20)}
    encoding = {name: {"chunks": (10,), "shards": (50,)} for name in coords}
    to_zarrds(xr.Dataset(coords=coords), store, zarr_format=3, encoding=encoding)
    store.forget()
    ds = open_zarrds(store)
    assert store.batches <= 2 + 1
    assert ds.identical(xr.Dataset(coords=coords))


def test_nothing_is_read_before_a_coordinate_is() -> None:
    store = CountingStore("network")
    to_zarrds(xr.Dataset(coords={"x": np.arange(4), "y": np.arange(5)}), store)
    store.forget()
    ds = xr.open_dataset(store, engine="zarrds", create_default_indexes=False)
    assert values_read(store) == []
    assert ds.x.values.tolist() == [0, 1, 2, 3]
    assert sorted(values_read(store)) == ["x", "y"]
    assert ds.y.values.tolist() == [0, 1, 2, 3, 4]
    assert sorted(values_read(store)) == ["x", "y"]


def test_a_tree_is_opened_with_one_batch_for_the_coordinates_of_all_groups() -> None:
    tree = xr.DataTree.from_dict({f"/g{n}": sample() + n for n in range(4)})
    store = CountingStore("network")
    to_zarrds(tree, store)
    store.forget()
    found = xr.open_datatree(store, engine="zarrds")  # type: ignore[arg-type]
    assert store.batches <= 2 + 1
    assert len(values_read(store)) == 4 * 6
    assert found.identical(tree)


def test_batches_are_not_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    store = CountingStore("network")
    coords = {f"x{n}": np.arange(100) for n in range(20)}
    to_zarrds(xr.Dataset(coords=coords), store)
    store.forget()
    monkeypatch.setattr(batches, "MOST_BYTES_TOGETHER", 4 * 800)
    assert open_zarrds(store).identical(xr.Dataset(coords=coords))
    assert store.batches <= 2 + 5


@pytest.mark.parametrize("limit", ["MOST_BYTES", "MOST_CHUNKS"])
def test_large_coordinates_are_read_alone(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stored()
    monkeypatch.setattr(batches, limit, 0)
    open_zarrds(store)
    assert store.batches > 3 + len(INDEXES)


def test_disks_and_memory_are_read_one_by_one() -> None:
    store = CountingStore()
    to_zarrds(sample(), store)
    store.forget()
    open_zarrds(store)
    assert store.batches > 3 + len(INDEXES)


def test_a_damaged_coordinate_fails_alone() -> None:
    store = stored()
    store.data["y/0"] = b"damaged"
    with pytest.raises(ChunkDecodeError, match="y/0"):
        open_zarrds(store)
    store.forget()
    assert open_zarrds(store, drop_variables="y").x.values.tolist() == [0, 1, 2]


def test_a_batch_that_fails_is_not_sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    store, sent = stored(), []

    def refuse(arrays: list[zarrds.Array]) -> None:
        sent.append(len(arrays))
        raise PermissionError("some value may not be read")

    monkeypatch.setattr(batches, "loaded", refuse)
    assert open_zarrds(store).identical(sample())
    assert sent == [6]


def test_absent_chunks_of_coordinates() -> None:
    store = stored()
    del store.data["y/0"]
    assert np.isnan(open_zarrds(store).y.values).all()
    with pytest.raises(MissingChunkError, match="y/0"):
        open_zarrds(store, read_missing="raise")


def test_pickles_hold_no_copies() -> None:
    store = stored()
    ds = xr.open_dataset(store, engine="zarrds", create_default_indexes=False)
    before = len(pickle.dumps(ds.x.variable))
    assert ds.y.values.tolist() == [0, 1, 2, 3]
    assert len(pickle.dumps(ds.x.variable)) == before
