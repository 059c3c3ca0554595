"""Datasets in N5 containers, whose store translates documents: consolidated metadata are those of N5 too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import zarrds
from xarray_backend import to_zarrds

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
