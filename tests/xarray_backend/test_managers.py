"""Chunked arrays that are not dask's: read and written through xarray's interface for chunk managers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from xarray.namedarray.parallelcompat import ChunkManagerEntrypoint, list_chunkmanagers

from tests.xarray_backend.samples import assert_same, waves
from xarray_backend import open_zarrds, to_zarrds
from zarrds.errors import EncodingError, NotSupportedError


class Tiles:
    """Lazy array in blocks, each made by a function of its number; it has no graph."""

    def __init__(self, chunks: Any, dtype: Any, block: Any) -> None:
        self.chunks, self.dtype, self.block = chunks, np.dtype(dtype), block
        self.shape = tuple(map(sum, chunks))
        self.ndim = len(chunks)
        self.size = int(np.prod(self.shape))

    def blocks(self) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
        starts = [[0, *accumulate(along)] for along in self.chunks]
        for number in product(*(range(len(along)) for along in self.chunks)):
            yield number, tuple(slice(s[n], s[n + 1]) for s, n in zip(starts, number, strict=True))

    def whole(self) -> np.ndarray[Any, Any]:
        found = np.empty(self.shape, self.dtype)
        for number, region in self.blocks():
            found[region] = self.block(number)
        return found

    def __array_function__(self, *args: Any) -> Any:
        return NotImplemented

    def __array_ufunc__(self, *args: Any, **options: Any) -> Any:
        return NotImplemented

    def transpose(self, *order: Any) -> Tiles:
        assert order in [(), tuple(range(self.ndim))]
        return self

    def __getitem__(self, key: Any) -> Any:
        return from_values(self.whole()[key], self.chunks)


def from_values(values: Any, chunks: Any) -> Tiles:
    tiles = Tiles(chunks, values.dtype, None)
    regions = dict(tiles.blocks())
    tiles.block = lambda number: np.asarray(values[regions[number]])
    return tiles


class TilesManager(ChunkManagerEntrypoint[Any]):
    array_cls = Tiles
    available = True

    def __init__(self) -> None:
        self.computed = 0

    def is_chunked_array(self, data: Any) -> bool:
        return isinstance(data, Tiles)

    def chunks(self, data: Any) -> Any:
        return data.chunks

    def normalize_chunks(self, chunks: Any, shape: Any = None, **options: Any) -> Any:
        return tuple(
            tuple(n) if isinstance(n, tuple) else (n,) * (size // n) + ((size % n,) if size % n else ())
            for n, size in zip(chunks, shape, strict=True)
        )

    def from_array(self, data: Any, chunks: Any, **options: Any) -> Any:
        return from_values(data, chunks)

    def rechunk(self, data: Any, chunks: Any, **options: Any) -> Any:
        return from_values(data.whole(), chunks)

    def compute(self, *data: Any, **options: Any) -> Any:
        self.computed += 1
        return tuple(one.whole() if isinstance(one, Tiles) else one for one in data)

    def map_blocks(self, func: Any, *args: Any, dtype: Any = None, chunks: Any = None, **options: Any) -> Any:
        (data,) = args
        with_id = "block_id" in func.__code__.co_varnames if hasattr(func, "__code__") else False

        def block(number: Any) -> Any:
            return func(data.block(number), **({"block_id": number} if with_id else {}), **options)

        return Tiles(chunks or data.chunks, dtype, block)

    def apply_gufunc(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> TilesManager:
    found = TilesManager()
    monkeypatch.setitem(list_chunkmanagers(), "tiles", found)
    return found


def tiled(ds: xr.Dataset, t: int = 3) -> xr.Dataset:
    """The dataset with every variable that has no index in blocks."""
    found = ds.copy()
    for name, var in ds.variables.items():
        if name not in ds.indexes and var.dtype.kind in "if":
            lengths = tuple(t if d == "t" else 6 for d in var.dims)
            chunks = TilesManager().normalize_chunks(lengths, var.shape)
            found[name] = var.copy(deep=False, data=from_values(var.values, chunks))
    return found


@pytest.mark.usefixtures("zarr_format")
def test_reading_through_another_manager(tmp_path: Path, manager: TilesManager) -> None:
    path = str(tmp_path / "a.zarr")
    to_zarrds(waves(), path, encoding={"u": {"chunks": (3, 4)}})
    found = xr.open_dataset(path, engine="zarrds", chunks={}, chunked_array_type="tiles")
    assert isinstance(found.u.data, Tiles)
    assert found.u.chunks == ((3, 3, 2), (4, 2))
    assert_same(found, waves())


@pytest.mark.usefixtures("zarr_format")
def test_its_blocks_are_written_and_regrouped(tmp_path: Path, manager: TilesManager) -> None:
    path = str(tmp_path / "a.zarr")
    to_zarrds(tiled(waves()), path, encoding={"u": {"chunks": (2, 6)}})
    assert manager.computed == 1
    assert_same(open_zarrds(path), waves())
    to_zarrds(tiled(waves()), path, mode="w")
    assert open_zarrds(path).u.chunks == ((3, 3, 2), (6,))
    later = waves().assign_coords(t=waves().t + 100)
    to_zarrds(tiled(later), path, append_dim="t")
    assert_same(open_zarrds(path).isel(t=slice(8, None)), later)
    to_zarrds(tiled(later[["v"]].drop_vars("t"), 8), path, region={"t": slice(0, 8)})
    assert open_zarrds(path).v[:8].values.tolist() == list(range(8))


def test_mode_w_keeps_the_source_until_all_is_written(tmp_path: Path, manager: TilesManager) -> None:
    """What such an array reads is not known: it may be what is overwritten."""
    path = str(tmp_path / "a.zarr")
    to_zarrds(waves(), path)
    to_zarrds(xr.open_dataset(path, engine="zarrds", chunks={}, chunked_array_type="tiles"), path, mode="w")
    assert_same(open_zarrds(path), waves())


def test_values_are_checked_in_its_blocks(tmp_path: Path, manager: TilesManager) -> None:
    path = str(tmp_path / "a.zarr")
    ds = xr.Dataset({"n": ("t", np.array([1, 2, 300]))})
    to_zarrds(ds.isel(t=[0]), path, encoding={"n": {"dtype": "i1"}})
    with pytest.raises(EncodingError, match="300"):
        to_zarrds(tiled(ds), path, append_dim="t")
    assert open_zarrds(path).n.values.tolist() == [1]


def test_it_is_not_written_later(tmp_path: Path, manager: TilesManager) -> None:
    with pytest.raises(NotSupportedError, match="compute=False"):
        to_zarrds(tiled(waves()), str(tmp_path / "a.zarr"), compute=False)
    assert not list(tmp_path.iterdir())


class Expression:
    """Array of another library with dask's protocol."""

    def __init__(self, data: Any) -> None:
        self.inner = data
        self.shape, self.dtype, self.ndim, self.chunks = data.shape, data.dtype, data.ndim, data.chunks
        self.size = data.size

    def __dask_graph__(self) -> Any:
        return self.inner.__dask_graph__()

    def __dask_keys__(self) -> Any:
        return self.inner.__dask_keys__()

    def __array_function__(self, *args: Any) -> Any:
        return NotImplemented

    def __array_ufunc__(self, *args: Any, **options: Any) -> Any:
        return NotImplemented


@pytest.mark.parametrize("later", [False, True])
def test_graphs_of_other_libraries_are_written_by_dask(tmp_path: Path, later: bool) -> None:
    path = str(tmp_path / "a.zarr")
    ds = waves(chunk=3)
    found = ds.assign({name: ds[name].variable.copy(deep=False, data=Expression(ds[name].data)) for name in "uv"})
    assert isinstance(found.u.data, Expression)
    done = to_zarrds(found, path, encoding={"u": {"chunks": (2, 6)}}, compute=not later)
    if later:
        done.compute()
    assert_same(open_zarrds(path), waves())
