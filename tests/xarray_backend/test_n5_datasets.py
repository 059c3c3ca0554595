"""Datasets in N5 containers, whose store translates documents: consolidated metadata are those of N5 too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import zarrds
from xarray_backend import concat_stores, open_zarrds, to_zarrds

DS = xr.Dataset({"v": ("x", np.arange(4)), "w": ("x", np.arange(4.0))}, attrs={"title": "blocks"})


def check(path: str, expected: xr.Dataset = DS) -> None:
    xr.testing.assert_identical(xr.open_dataset(path, engine="zarrds").load(), expected)
    np.testing.assert_array_equal(zarrds.open_consolidated(zarrds.N5Store(path))["v"][:], expected["v"])


@pytest.mark.parametrize("encoding", [{}, {"v": {"compressor": zarrds.GZip(1)}}, {"v": {"compressor": None}}], ids=str)
@pytest.mark.parametrize("mode", ["w-", "w", "a", "replace"])
def test_a_new_container_opens_by_its_consolidated_metadata(
    tmp_path: Path, mode: Any, encoding: dict[str, Any]
) -> None:
    path = str(tmp_path / "a.n5")
    to_zarrds(DS, zarrds.N5Store(path), mode=mode, encoding=encoding)
    check(path)


def test_lazy_values_and_trees(tmp_path: Path) -> None:
    path = str(tmp_path / "a.n5")
    encoding = {name: {"chunks": (2,)} for name in DS}
    to_zarrds(DS.chunk(x=2), zarrds.N5Store(path), compute=False, encoding=encoding).compute()
    check(path)
    tree = xr.DataTree.from_dict({"/": DS, "/g": DS})
    to_zarrds(tree, zarrds.N5Store(path), mode="w")
    found = xr.open_datatree(path, engine="zarrds").load()
    xr.testing.assert_identical(found["g"].to_dataset(), DS)
    check(path)


@pytest.mark.parametrize("compressor", [zarrds.GZip(3), None], ids=str)
def test_what_was_opened_is_written_in_any_format_and_chunks(tmp_path: Path, compressor: Any) -> None:
    """Its compressor comes along, and not the codec that makes blocks of N5, which are of the chunks there."""
    grid = xr.Dataset({"u": (("y", "x"), np.arange(12.0).reshape(3, 4))}, {"run": 7})
    encoding = {"u": {"chunks": (3, 2), "compressor": compressor}}
    paths = [str(tmp_path / name) for name in ("a.n5", "b.n5")]
    for path in paths:
        to_zarrds(grid, path, encoding=encoding)
    found = open_zarrds(paths[0])
    for number, ds in enumerate([found, found.isel(x=0), found.chunk(y=2), concat_stores(paths, "run")]):
        targets: list[tuple[str, int | None]] = [("v2.zarr", 2), ("v3.zarr", 3), ("again.n5", None)]
        for name, zarr_format in targets:
            target = str(tmp_path / f"{number}-{name}")
            to_zarrds(ds, target, zarr_format=zarr_format)
            xr.testing.assert_equal(open_zarrds(target).load(), ds.load())
            kept = open_zarrds(target).u.encoding["compressors"]
            assert len(kept) == (compressor is not None)
            assert "N5" not in repr(kept)


@pytest.mark.parametrize("consolidated", [True, False])
@pytest.mark.parametrize("dim", ["x", "run"])
def test_zeros_of_several_containers_are_zeros(tmp_path: Path, dim: str, consolidated: bool) -> None:
    """N5 has no fill values: integers stay integers, and no 0 is missing data."""
    paths = [str(tmp_path / name) for name in ("a.n5", "b.n5")]
    for path in paths:
        to_zarrds(DS, path, consolidated=consolidated)
    found = concat_stores(paths, dim, consolidated=consolidated)
    xr.testing.assert_identical(found.load(), xr.concat([DS, DS], dim))
