"""Members of codec configurations that others do not know are not written where they say their default."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest

import zarrds

CODECS: dict[str, Any] = {
    "zstd": numcodecs.Zstd(3),
    "blosc": numcodecs.Blosc(),
    "gzip": numcodecs.GZip(),
    "zlib": numcodecs.Zlib(),
    "bz2": numcodecs.BZ2(),
}


def _written(path: Path, codec: Any, **options: Any) -> None:
    zarrds.open_array(str(path), mode="w", shape=8, chunks=4, dtype="<i4", compressor=codec, **options)[:] = range(8)


@pytest.mark.parametrize("name", CODECS)
def test_tensorstore_reads_format_2(name: str, tmp_path: Path) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    _written(tmp_path / "a", CODECS[name], zarr_format=2)
    spec = {"driver": "zarr", "kvstore": {"driver": "file", "path": str(tmp_path / "a")}}
    assert tensorstore.open(spec).result().read().result().tolist() == list(range(8))


@pytest.mark.parametrize("shards", [None, 8])
@pytest.mark.parametrize("name", ["zstd", "blosc", "gzip"])
def test_tensorstore_reads_format_3(name: str, shards: Any, tmp_path: Path) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    for number, codec in enumerate((CODECS[name], "default")):
        path = tmp_path / str(number)
        _written(path, codec, zarr_format=3, shards=shards)
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}
        assert tensorstore.open(spec).result().read().result().tolist() == list(range(8))


@pytest.mark.slow
def test_zarr_python_2_reads_all(tmp_path: Path) -> None:
    python = os.environ.get("ZARRDS_TEST_ZARR2_PYTHON")
    if not python:
        pytest.skip("ZARRDS_TEST_ZARR2_PYTHON names no interpreter with zarr-python 2.17.2")
    for name, codec in CODECS.items():
        _written(tmp_path / name, codec, zarr_format=2)
    code = "import sys, zarr; assert all(zarr.open(p, mode='r')[:].tolist() == list(range(8)) for p in sys.argv[1:])"
    subprocess.run([python, "-c", code, *[str(tmp_path / name) for name in CODECS]], check=True)


def test_members_with_their_defaults_are_left_out() -> None:
    for codec in (numcodecs.Zstd(3), {"id": "zstd", "level": 3, "checksum": False}):
        store: dict[str, Any] = {}
        z = zarrds.create(8, store=store, compressor=codec, filters=[numcodecs.Zstd(1)])
        document = json.loads(store[".zarray"])
        assert document["compressor"] == {"id": "zstd", "level": 3}
        assert document["filters"] == [{"id": "zstd", "level": 1}]
        assert z.compressor == numcodecs.Zstd(3)
    zarrds.create(8, store=store, compressor=numcodecs.Zstd(3, checksum=True), overwrite=True)
    assert json.loads(store[".zarray"])["compressor"] == {"id": "zstd", "level": 3, "checksum": True}


def test_documents_of_others_are_kept_as_they_are() -> None:
    store: dict[str, Any] = {}
    zarrds.create(8, chunks=2, store=store, compressor=numcodecs.Zstd(3))
    document = json.loads(store[".zarray"])
    document["compressor"]["checksum"] = False
    store[".zarray"] = json.dumps(document).encode()
    z = zarrds.open_array(store, mode="r+")
    z[:] = 1
    z.resize(20)
    z.append(np.ones(2))
    assert json.loads(store[".zarray"])["compressor"] == {"id": "zstd", "level": 3, "checksum": False}
    assert z[:3].tolist() == [1, 1, 1]
