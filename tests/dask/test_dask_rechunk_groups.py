"""Rechunking all arrays of a group by one job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.dask import rechunk
from zarrds.errors import ContainsGroupError, MemoryLimitError, SelfOverwriteError


def values(*shape: int) -> np.ndarray[Any, Any]:
    return np.arange(np.prod(shape, dtype=int)).reshape(shape)


def group_of(path: Path, zarr_format: int = 2) -> zarrds.Group:
    group = zarrds.open_group(str(path), mode="w", zarr_format=zarr_format)
    group.attrs["title"] = "T"
    group.create_group("deep").attrs["level"] = 1
    group.create_group("empty")
    names: dict[str, Any] = {"dimension_names": ("t", "x")} if zarr_format == 3 else {}
    for name in ("v", "w", "deep/u"):
        array = group.create_dataset(name, data=values(40, 24), chunks=(1, 24), **names)
        array.attrs["_ARRAY_DIMENSIONS"] = ["t", "x"]
    return group


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("how", ["group", "path", "path in a store", "path in a group"])
def test_arrays_by_name_and_attributes_of_groups(tmp_path: Path, zarr_format: int, how: str) -> None:
    inside = "in" in how.split()
    place = tmp_path / "a.zarr"
    group = group_of(place / "g" if inside else place, zarr_format)
    if inside:
        zarrds.open_group(str(place), mode="a", zarr_format=zarr_format)
    source: Any = {
        "group": group,
        "path": str(place),
        "path in a store": str(place),
        "path in a group": zarrds.open_group(str(place), mode="r") if inside else None,
    }[how]
    chunks = {"v": {"t": 40, "x": 1}, "deep/u": (40, 2)}
    target = str(tmp_path / "b")
    job = rechunk(source, target, path="g" if inside else None, chunks=chunks, max_mem=6000)
    assert set(job.plan) == {"v", "w", "deep/u"}
    found = job.compute(scheduler="threads")
    assert {name: found[name].chunks for name in job.plan} == {"v": (40, 1), "w": (1, 24), "deep/u": (40, 2)}
    for name in job.plan:
        np.testing.assert_array_equal(found[name][:], values(40, 24))
        assert found[name].attrs["_ARRAY_DIMENSIONS"] == ["t", "x"]
    assert found.zarr_format == zarr_format
    again = zarrds.open_group(target, mode="r")
    assert (again.attrs["title"], again["deep"].attrs["level"], list(again["empty"])) == ("T", 1, [])
    assert not any("tmp" in key for key in again.store)


@pytest.mark.parametrize("wrong", [{"nope": 1}, {"deep": 1}, {"v": {"y": 1}}, {"v": (1,)}, (1, 2), 4, None])
def test_wrong_chunks_write_nothing(tmp_path: Path, wrong: Any) -> None:
    group = group_of(tmp_path / "a")
    with pytest.raises((ValueError, TypeError)):
        rechunk(group, str(tmp_path / "b"), chunks=wrong, max_mem="1MB")
    with pytest.raises(MemoryLimitError):
        rechunk(group, str(tmp_path / "b"), chunks={"v": 40}, max_mem=10)
    assert not (tmp_path / "b").exists()


def test_what_is_there_is_replaced_only_when_asked(tmp_path: Path) -> None:
    group = group_of(tmp_path / "a")
    target = group_of(tmp_path / "b")
    with pytest.raises(ContainsGroupError):
        rechunk(group, str(tmp_path / "b"), chunks={"v": 40}, max_mem="1MB")
    target.create_group("other")
    found = rechunk(group, str(tmp_path / "b"), chunks={"v": 40}, max_mem="1MB", overwrite=True).compute()
    assert "other" not in found
    for inside in ("", "deep"):
        with pytest.raises(SelfOverwriteError):
            rechunk(group, str(tmp_path / "a"), target_path=inside, chunks={}, max_mem="1MB", overwrite=True)
    np.testing.assert_array_equal(group["v"][:], values(40, 24))


def test_a_group_without_arrays(tmp_path: Path) -> None:
    group = zarrds.open_group(str(tmp_path / "a"), mode="w")
    assert list(rechunk(group, str(tmp_path / "b"), chunks={}).compute(scheduler="sync")) == []
