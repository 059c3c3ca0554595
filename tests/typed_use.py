"""Calls whose types mypy checks as in a program of a user (`make check`); nothing here runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, assert_type

import numpy as np

import zarrds


def readme() -> None:
    """Open, write and read an array, as the README does."""
    z = zarrds.open("new.zarr", mode="w", shape=(1000, 1000), chunks=(100, 100), dtype="i4", compressor=zarrds.Zstd(5))
    assert_type(z, zarrds.Array)
    z[0, :] = np.arange(1000)
    z.append(np.zeros((1, 1000), "i4"))


def stores(path: Path, mapping: dict[str, bytes]) -> None:
    """Pass all kinds of stores."""
    assert_type(zarrds.open_group(path), zarrds.Group)
    assert_type(zarrds.open_array(str(path), mode="r"), zarrds.Array)
    assert_type(zarrds.open(os.fspath(path)), zarrds.Array | zarrds.Group)
    zarrds.open_array(mapping, shape=4)
    zarrds.open_array(zarrds.storage.MemoryStore(), shape=np.int64(4), chunks=False)
    zarrds.copy_store(mapping, path)


def codecs() -> None:
    """Pass all kinds of codecs."""
    zarrds.create((4, 4), chunks=(2, None), compressor=None, filters=[zarrds.Delta("i4")], dtype=np.int32)
    zarrds.create([4], compressor={"id": "zlib", "level": 1}, dtype=np.dtype("f8"))
    spec: Any = {"name": "gzip", "configuration": {"level": 1}}
    zarrds.create(4, zarr_format=3, compressors=[spec], shards=4, chunks=2, dtype="string")


def wrong() -> None:
    """Make mistakes that mypy finds."""
    zarrds.open_array("a.zarr", mode="q")  # type: ignore[arg-type]
    zarrds.create(4, order="X", compressor=3)  # type: ignore[arg-type]
    zarrds.open_group(3)  # type: ignore[arg-type]
