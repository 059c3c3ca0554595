"""Nothing is read before it is needed, and then only what is needed."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys

import dask
import numpy as np
import pytest
import xarray as xr
from dask.base import tokenize
from hypothesis import given, settings
from hypothesis import strategies as st

import zarrds
from tests.store.doubles import CountingStore
from tests.xarray_backend.samples import assert_same, chunk_key, waves
from xarray_backend import glob, open_zarrds, to_zarrds
from xarray_backend.lazy import ZarrdsArrayWrapper
from zarrds.storage import MemoryStore

pytestmark = pytest.mark.usefixtures("zarr_format")


@pytest.fixture
def counted() -> CountingStore:
    store = CountingStore(MemoryStore())
    to_zarrds(waves(chunk=2), store)
    store.reset()
    return store


def requested(store: CountingStore) -> list[str]:
    return [item[0] for verb, items in store.counts.log if verb == "get" for item in items]


@pytest.mark.parametrize("chunks", [None, {}])
def test_opening_reads_metadata_once_and_the_index_coordinates(counted, chunks):
    ds = xr.open_dataset(counted, engine="zarrds", chunks=chunks)
    repr(ds)
    ds._repr_html_()
    assert requested(counted) == ["zarr.json", ".zmetadata", chunk_key("t", 0), chunk_key("x", 0)]
    assert set(counted.counts.calls) == {"get"}


def test_opening_document_by_document_takes_a_few_batches(zarr_format):
    store = CountingStore(MemoryStore())
    to_zarrds(waves(), store, consolidated=False)
    store.reset()
    ds = xr.open_dataset(store, engine="zarrds", consolidated=False)
    assert ds.u.attrs == {"units": "m/s"}
    # the group, its members, (attributes that have documents of their own,) attributes of the group, two coordinates
    assert store.counts.calls == {"get": {2: 6, 3: 5}[zarr_format], "listdir": 1}
    documents = requested(store)
    assert documents.count("u/zarr.json") == {2: 0, 3: 1}[zarr_format]
    assert documents.count("u/.zattrs") == {2: 1, 3: 0}[zarr_format]


def test_a_selection_reads_its_chunks_only(counted):
    ds = xr.open_dataset(counted, engine="zarrds")
    counted.reset()
    ds.u[2:4, 0:2].values
    assert requested(counted) == [chunk_key("u", 1, 0)]


def test_one_task_for_each_chunk(counted):
    ds = xr.open_dataset(counted, engine="zarrds", chunks={})
    assert ds.u.chunks == ((2,) * 4, (2,) * 3)
    assert len(ds.u.data.dask) == 12 + 1
    counted.reset()
    ds.u.variable.compute(scheduler="sync")
    assert sorted(requested(counted)) == sorted(chunk_key("u", i, j) for i in range(4) for j in range(3))


def test_opened_by_entry_point_name_and_guessed():
    from xarray_backend import ZarrdsBackendEntrypoint

    assert isinstance(xr.backends.list_engines()["zarrds"], ZarrdsBackendEntrypoint)
    guess = ZarrdsBackendEntrypoint().guess_can_open
    assert guess("a.zarr")
    assert guess("s3://bucket/a.zarr/")
    assert not guess("a.nc")
    assert not guess({})


indexers = st.one_of(
    st.integers(-7, 6),
    st.slices(7),
    st.lists(st.integers(-7, 6), max_size=5).map(lambda items: np.array(items, dtype=int)),
)


@settings(max_examples=60, deadline=None)
@given(indexers, indexers, st.booleans())
def test_any_selection_is_numpys(rows, columns, together):
    data = np.arange(49).reshape(7, 7)
    array = zarrds.array(data, chunks=(3, 2))
    lazy = xr.Variable(("t", "x"), xr.core.indexing.LazilyIndexedArray(ZarrdsArrayWrapper(array)))
    real = xr.Variable(("t", "x"), data)
    if together and all(isinstance(key, np.ndarray) for key in (rows, columns)) and len(rows) == len(columns):
        rows, columns = xr.Variable("points", rows), xr.Variable("points", columns)
    found, expected = lazy[rows, columns], real[rows, columns]
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(lazy[rows][..., columns].values, real[rows][..., columns].values)


def test_vectorised_with_slices_and_broadcasting():
    data = np.arange(60).reshape(3, 4, 5)
    lazy = xr.Variable(
        tuple("abc"), xr.core.indexing.LazilyIndexedArray(ZarrdsArrayWrapper(zarrds.array(data, chunks=2)))
    )
    real = xr.Variable(tuple("abc"), data)
    rows, columns = xr.Variable(("p", "q"), [[0, 2], [1, 1]]), xr.Variable("q", [3, 0])
    for key in ((rows, columns), (rows, slice(1, None, 2), columns), (rows, 0, slice(None))):
        xr.testing.assert_identical(lazy[key].compute(), real[key])


def test_pickles_are_small_and_need_no_request_but_for_chunks(counted):
    ds = xr.open_dataset(counted, engine="zarrds", chunks={})
    assert len(pickle.dumps(xr.open_dataset(counted, engine="zarrds").u.variable)) < 3000
    data = pickle.dumps(ds)
    assert b"ZarrdsStore" not in data
    counted.reset()
    again = pickle.loads(data)
    assert requested(counted) == []
    assert_same(again, waves())


def test_pickle_opens_in_a_fresh_process(tmp_path):
    to_zarrds(waves(), tmp_path / "a.zarr")
    (tmp_path / "ds.pickle").write_bytes(pickle.dumps(xr.open_dataset(tmp_path / "a.zarr", engine="zarrds")))
    code = "import pickle, sys; print(float(pickle.load(open(sys.argv[1], 'rb')).u.sum()))"
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "ds.pickle")], capture_output=True, text=True, check=True
    )
    assert float(found.stdout) == pytest.approx(float(waves().u.sum()))


def test_tokens_are_deterministic(tmp_path):
    to_zarrds(waves(), tmp_path / "a.zarr")
    with dask.config.set({"tokenize.ensure-deterministic": True}):
        tokens = {tokenize(xr.open_dataset(tmp_path / "a.zarr", engine="zarrds").u.variable) for _ in range(2)}
    assert len(tokens) == 1


def test_several_variables_are_loaded_asynchronously(tmp_path):
    to_zarrds(waves(), tmp_path / "a.zarr")
    ds = xr.open_dataset(tmp_path / "a.zarr", engine="zarrds")
    if not hasattr(ds, "load_async"):
        pytest.skip("this xarray has no load_async")
    assert_same(asyncio.run(ds.load_async()), waves())


def test_many_files_and_patterns(tmp_path):
    for part in range(3):
        to_zarrds(waves().isel(t=slice(part * 2, part * 2 + 2)), tmp_path / f"{part}.zarr")
    paths = glob(f"{tmp_path}/*.zarr")
    assert len(paths) == 3
    with xr.open_mfdataset(paths, engine="zarrds", data_vars="minimal", coords="minimal", compat="override") as ds:
        assert_same(ds, waves().isel(t=slice(0, 6)))


def test_missing_chunks_read_as_the_fill_value(tmp_path):
    to_zarrds(waves(chunk=4), tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / chunk_key("u", 0, 0)).unlink()
    found = open_zarrds(tmp_path / "a.zarr").u
    assert np.isnan(found[:4, :4]).all()
    assert found[4:].equals(waves().u[4:])
