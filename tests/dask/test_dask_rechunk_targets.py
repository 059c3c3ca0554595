"""Rechunks into other formats, shards, codecs and data types, by names of dimensions, and of consolidated groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest

import zarrds
import zarrds.dask
from zarrds.dask import rechunk
from zarrds.errors import ArgumentError


def values(*shape: int) -> np.ndarray[Any, Any]:
    return np.arange(np.prod(shape, dtype=int)).reshape(shape)


def climate(store: Any, zarr_format: int = 2) -> zarrds.Group:
    """Store two variables and their coordinates, with names of dimensions, and consolidate."""
    group = zarrds.open_group(store, mode="w", zarr_format=zarr_format)
    for path, names in {"u": "tx", "v": "t", "t": "t", "x": "x", "deep/w": "tx"}.items():
        shape = tuple({"t": 40, "x": 24}[name] for name in names)
        v3: dict[str, Any] = {"dimension_names": tuple(names)} if zarr_format == 3 else {}
        array = group.create_dataset(path, data=values(*shape), chunks=(4, 24)[: len(shape)], **v3)
        array.attrs["units"] = path
        if zarr_format == 2:
            array.attrs["_ARRAY_DIMENSIONS"] = list(names)
    zarrds.consolidate_metadata(group.store, zarr_format=zarr_format)
    return zarrds.open_group(store, mode="r")


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("to", [2, 3])
def test_dimensions_attributes_and_consolidated_metadata_come_along(zarr_format: int, to: int, tmp_path: Path) -> None:
    source = climate(str(tmp_path / "a"), zarr_format)
    target = str(tmp_path / "b")
    chunks = {"t": -1, "x": 2, "deep/w": (8, 8), "v": 20}
    job = rechunk(source, target, chunks=chunks, target_options={"zarr_format": to}, max_mem="1MB")
    assert set(job.plan) == {"u", "v", "t", "x", "deep/w"}
    found = job.compute(scheduler="threads")
    expected = {"u": (40, 2), "v": (20,), "t": (40,), "x": (2,), "deep/w": (8, 8)}
    assert {path: found[path].chunks for path in expected} == expected
    again = zarrds.open_consolidated(target)
    assert again.zarr_format == to
    for path in expected:
        np.testing.assert_array_equal(again[path][...], source[path][...])
        assert again[path].attrs["units"] == path
        assert list(zarrds.dask.from_zarr(again[path], chunks={"t" if path != "x" else "x": 4}).shape)
        assert ("_ARRAY_DIMENSIONS" in again[path].attrs) == (to == 2)
    assert not [key for key in found.store if "zarrds" in key]


def test_a_coordinate_and_its_dimension_have_one_name(tmp_path: Path) -> None:
    source = climate(str(tmp_path / "a"))
    found = rechunk(source, {}, chunks={"t": 10}).compute(scheduler="sync")
    assert [found[path].chunks for path in ("u", "v", "t", "deep/w")] == [(10, 24), (10,), (10,), (10, 24)]
    found = rechunk(source, {}, chunks={"t": (10,)}).compute(scheduler="sync")
    assert [found[path].chunks for path in ("u", "v", "t")] == [(4, 24), (4,), (10,)]
    with pytest.raises(ValueError, match="no array or dimension 'q'"):
        rechunk(source, {}, chunks={"q": 10})


def test_options_of_single_arrays(tmp_path: Path) -> None:
    source = climate(str(tmp_path / "a"))
    options = {"u": {"compressor": None}, "order": "F"}
    found = rechunk(source, {}, chunks={"t": 10}, target_options=options).compute(scheduler="sync")
    assert (found["u"].compressor, found["u"].order, found["v"].order) == (None, "F", "F")
    assert found["v"].compressor == source["v"].compressor


@pytest.mark.parametrize(
    ("options", "chunks"),
    [
        ({"zarr_format": 3, "shards": (40, 8)}, (40, 2)),
        ({"dtype": "f4"}, (40, 2)),
        ({"dtype": "f8", "compressor": None, "order": "F"}, (7, 5)),
        ({"zarr_format": 3, "compressors": []}, (40, 1)),
        ({"fill_value": 7, "write_empty_chunks": False}, (40, 1)),
    ],
)
@pytest.mark.parametrize("kind", ["v2", "v3", "sharded", "N5", "object"])
def test_any_source_and_options(kind: str, options: dict[str, Any], chunks: Any, tmp_path: Path) -> None:
    place = str(tmp_path / "a")
    how: dict[str, dict[str, Any]] = {
        "v2": {"store": place, "filters": [zarrds.Delta("i2")]},
        "v3": {"store": place, "zarr_format": 3},
        "sharded": {"store": place, "zarr_format": 3, "shards": (8, 24)},
        "N5": {"store": zarrds.N5Store(place)},
        "object": {"store": place, "fill_value": ""},
    }
    data: Any = values(40, 24).astype("i2")
    if kind == "object":
        if "dtype" in options or "fill_value" in options or options.get("zarr_format") == 3:
            pytest.skip("texts stay texts")
        data = data.astype(str).astype(object)
        how[kind]["object_codec"] = zarrds.VLenUTF8()
    z = zarrds.array(data, chunks=(4, 6), **how[kind])
    if kind == "v2" and "dtype" in options:
        options = {**options, "filters": None}
    if kind in ("v3", "sharded") and "order" in options:
        options = {name: value for name, value in options.items() if name != "order"}
    job = rechunk(z, str(tmp_path / "b"), chunks=chunks, target_options=options, max_mem="20kB")
    found = job.compute(scheduler="threads")
    assert found.chunks == chunks
    assert found.dtype == np.dtype(options.get("dtype", z.dtype))
    np.testing.assert_array_equal(found[...], data.astype(found.dtype))
    if "shards" in options:
        assert found.shards == options["shards"]


def test_chunks_that_do_not_divide_shards_write_nothing() -> None:
    store = zarrds.MemoryStore()
    z = zarrds.array(values(40, 24), chunks=(4, 24))
    with pytest.raises(ValueError, match="shard"):
        rechunk(z, store, chunks=(40, 2), target_options={"zarr_format": 3, "shards": (40, 5)})
    with pytest.raises(TypeError, match="chunks are needed"):
        rechunk(z, store)
    with pytest.raises(ValueError, match="one of both"):
        rechunk(z, store, chunks=3, append=True, overwrite=True)
    assert not list(store)


def test_options_of_a_url_are_not_those_of_a_path_beside_it(tmp_path: Path) -> None:
    url, local = f"memory://{tmp_path.name}", str(tmp_path / "a")
    options: dict[str, Any] = {"storage_options": {"use_listings_cache": False}, "max_mem": "1MB"}
    zarrds.array(values(6, 4), chunks=(1, 4), store=local)
    for source, target, more in ((local, f"{url}/b", {}), (f"{url}/b", str(tmp_path / "c"), {"temp_store": url})):
        found = rechunk(source, target, chunks=(6, 1), **options, **more).compute()
        np.testing.assert_array_equal(found[:], values(6, 4))
    beside = {"temp_store": str(tmp_path / "temp"), "storage_options": options["storage_options"]}
    assert zarrds.dask.cleanup(f"{url}/b", **beside) == ()
    with pytest.raises(ArgumentError, match="non-fsspec"):
        rechunk(local, str(tmp_path / "d"), chunks=(6, 1), **options)


@pytest.mark.parametrize("source", ["group.zarr", "group.n5", "dask"])
def test_targets_in_n5_are_blocks_of_n5(source: str, tmp_path: Path) -> None:
    wanted, target = values(64, 64), str(tmp_path / "b.n5")
    given: Any
    if source == "dask":
        given, chunks = da.from_array(wanted, chunks=(1, 64)), (64, 1)
    else:
        given, chunks = zarrds.open_group(str(tmp_path / source), mode="w"), {"u": (64, 1)}
        given.create_dataset("u", data=wanted, chunks=(1, 64), fill_value=0)
    job = rechunk(given, target, chunks=chunks, max_mem=8000)
    assert job.compute(scheduler="sync") is not None
    found: Any = zarrds.open(target, mode="r")
    found = found if source == "dask" else found["u"]
    assert found.chunks == (64, 1)
    np.testing.assert_array_equal(found[:], wanted)
    if source == "group.n5":
        zarrds.open_group(given.store, mode="r+")["u"].append(wanted[:5])
        rechunk(given, target, chunks=chunks, max_mem=8000, append=True).compute(scheduler="sync")
        np.testing.assert_array_equal(zarrds.open_group(target)["u"][:], np.concatenate([wanted, wanted[:5]]))
