"""Chunks for some dimensions, by their names or by the numbers of axes: taken, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest

import zarrds
from zarrds.dask import from_zarr, rechunk, to_zarr

LAYOUTS = ["v2", "v3", "shards", "n5"]


def named(tmp_path: Path, layout: str, names: Any = ("t", "x")) -> zarrds.Array:
    ending = "n5" if layout == "n5" else "zarr"
    options: dict[str, Any] = {"v2": {}, "n5": {}, "v3": {"zarr_format": 3}, "shards": {"zarr_format": 3}}[layout]
    if layout in ("v3", "shards"):
        options["dimension_names"] = names
    if layout == "shards":
        options["shards"] = (2, 6)
    array = zarrds.create((4, 6), store=str(tmp_path / f"a.{ending}"), chunks=(1, 6), dtype="i4", **options)
    if layout in ("v2", "n5"):
        array.attrs["_ARRAY_DIMENSIONS"] = names
    array[:] = np.arange(24).reshape(4, 6)
    return array


SAID = [
    ({"t": 4}, (4, 6)),
    ({"t": 4, "x": 1}, (4, 1)),
    ({"x": 3}, (1, 3)),
    ({0: 2, "x": 3}, (2, 3)),
    ({-1: 2}, (1, 2)),
    ({-2: -1}, (4, 6)),
    ({"t": None}, (4, 6)),
    ({"t": -1, "x": 1}, (4, 1)),
    ({np.int64(0): np.int64(2)}, (2, 6)),
    ({}, (1, 6)),
    ((2, 3), (2, 3)),
    ((-1, None), (4, 6)),
    (2, (2, 2)),
]
REFUSED: list[Any] = [
    {"nope": 4},
    {"T": 4},
    {2: 1},
    {-3: 1},
    {"t": 2, 0: 2},
    {0: 2, -2: 2},
    {True: 2},
    {None: 2},
    {0.0: 2},
    (3,),
    (3, 3, 3),
    [3],
    (),
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_dimensions_are_honoured(layout: str, tmp_path: Path) -> None:
    z = named(tmp_path, layout)
    for number, (chunks, expected) in enumerate(SAID):
        assert from_zarr(z, chunks=chunks).chunksize == expected
        job = rechunk(z, str(tmp_path / f"b{number}"), chunks=chunks, max_mem="1MB", target_options=no_shards(layout))
        assert job.target.chunks == expected
        np.testing.assert_array_equal(job.compute(scheduler="sync")[:], z[:])


def no_shards(layout: str) -> dict[str, Any]:
    return {"shards": None} if layout == "shards" else {}


@pytest.mark.parametrize("chunks", REFUSED)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_others_are_refused(layout: str, chunks: Any, tmp_path: Path) -> None:
    z = named(tmp_path, layout)
    with pytest.raises(ValueError, match=r"dimension|given twice"):
        from_zarr(z, chunks=chunks)
    with pytest.raises(ValueError, match=r"dimension|given twice"):
        rechunk(z, str(tmp_path / "b"), chunks=chunks, max_mem="1MB")
    assert not (tmp_path / "b").exists()


def test_the_dimensions_there_are_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no dimension 'nope'.*its dimensions are 't', 'x'"):
        from_zarr(named(tmp_path, "v3"), chunks={"nope": 1})
    with pytest.raises(ValueError, match="its dimensions have no names"):
        from_zarr(zarrds.zeros((2, 2)), chunks={"t": 1})
    with pytest.raises(ValueError, match="several dimensions are called 't'"):
        from_zarr(named(tmp_path / "same", "v2", ("t", "t")), chunks={"t": 1})


@pytest.mark.parametrize("chunks", ["auto", ("auto", 2), {"t": "auto"}, {"t": "auto", "x": 2}])
def test_auto_is_what_dask_allows(chunks: Any, tmp_path: Path) -> None:
    z = named(tmp_path, "v3")
    with dask.config.set({"array.chunk-size": "48B"}):
        x, y = from_zarr(z, chunks=chunks), rechunk(z, {}, chunks=chunks, max_mem="1MB").target
    for shape in (x.chunksize, y.chunks):
        assert np.prod(shape) * 4 <= 48
        assert shape != (1, 1)


@pytest.mark.parametrize("chunks", [("x", 1), (1.5, 2), (True, 2), (-2, 2), (0, 2)])
def test_chunks_that_are_no_lengths_are_refused(chunks: Any, tmp_path: Path) -> None:
    with pytest.raises((ValueError, TypeError)):
        rechunk(named(tmp_path, "v2"), str(tmp_path / "b"), chunks=chunks, max_mem="1MB")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("chunks", [0, -2, True, (0, 2), (-5, 2), {"t": 0}, {"t": -5}, {"x": True}, {0: np.int64(0)}])
def test_blocks_that_have_no_lengths_are_refused(chunks: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lengths of blocks must be at least 1"):
        from_zarr(named(tmp_path, "v3"), chunks=chunks)


def test_chunks_of_a_new_array_by_dimensions() -> None:
    x = da.zeros((8, 6), chunks=(4, 6))
    z = to_zarr(x, {}, chunks={"t": 2}, zarr_format=3, dimension_names=["t", "x"])
    assert z.chunks == (2, 6)
    assert to_zarr(x, {}, chunks={-1: 3}).chunks == (4, 3)
    with pytest.raises(ValueError, match="no dimension 'y'"):
        to_zarr(x, {}, chunks={"y": 2})
    with pytest.raises(ValueError, match="of 1 dimensions"):
        to_zarr(x, {}, chunks=(2,))
