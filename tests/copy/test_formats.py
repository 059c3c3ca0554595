"""Copying within Zarr v3 and between formats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import zarrds
import zarrds.dask
from zarrds.storage import MemoryStore


def make(zarr_format: int) -> zarrds.Group:
    root = zarrds.group(MemoryStore(), zarr_format=zarr_format)
    root.attrs["title"] = "root"
    root.create_dataset("x", data=np.arange(10), chunks=3).attrs["units"] = "m"
    root.create_dataset("s/text", data=np.array(["a", "bü"], dtype=object), dtype=str)
    root.create_dataset(
        "s/f", data=np.arange(6.0).reshape(2, 3), order="F", chunks=(1, 2), fill_value=np.nan, compressor=None
    )
    return root


@pytest.mark.parametrize("to", [2, 3])
@pytest.mark.parametrize("of", [2, 3])
def test_hierarchies(of: int, to: int) -> None:
    source, dest = make(of), zarrds.group(zarr_format=to)
    assert zarrds.copy_all(source, dest) == (4, 0, 80 + 16 + 48)
    for name in ("x", "s/text", "s/f"):
        old, new = source[name], dest[name]
        assert (new.zarr_format, new.chunks, new.dtype) == (to, old.chunks, old.dtype)
        np.testing.assert_array_equal(new[...], old[...])
        assert dict(new.attrs) == dict(old.attrs)
    assert dict(dest.attrs) == {"title": "root"}
    assert dest["x"].compressors == source["x"].compressors
    assert np.isnan(dest["s/f"].fill_value)
    assert dest["s/f"].compressors == ()
    assert zarrds.verify(dest.store, level="decode").findings == ()


def test_equal_documents_within_format_3() -> None:
    source, dest = make(3), zarrds.group(zarr_format=3)
    zarrds.copy_all(source, dest)
    assert dict(dest.store) == dict(source.store)


@pytest.mark.parametrize("dest_path", ["", "deep/er"])
def test_stores_of_format_3(dest_path: str) -> None:
    source = make(3).store
    zarrds.consolidate_metadata(source)
    serial, job = MemoryStore(), MemoryStore()
    copied = zarrds.copy_store(source, serial, dest_path=dest_path)
    assert copied == (len(source), 0, sum(map(len, dict(source).values())))
    report = zarrds.dask.copy_store(source, job, dest_path=dest_path).compute()
    assert copied == (report.copied, report.skipped, report.bytes)
    for key in serial:
        assert job[key] == serial[key]
    if dest_path:
        # a job leaves a hierarchy, copy_store the keys that it is told
        assert sorted(set(job) - set(serial)) == ["deep/zarr.json", "zarr.json"]
        assert zarrds.open_group(job, mode="r").zarr_format == 3
    opened: Any = zarrds.open_group(job, mode="r", path=dest_path)
    np.testing.assert_array_equal(opened["x"][:], np.arange(10))


@pytest.mark.parametrize("compressor", [zarrds.Zlib(3), zarrds.GZip(-1), None], ids=repr)
@pytest.mark.parametrize("to", [2, 3, "n5"])
def test_arrays_of_n5_leave_their_blocks_behind(tmp_path: Any, to: Any, compressor: Any) -> None:
    """The codec of blocks is what an N5 store puts around a compressor, and no other store can use."""
    source = zarrds.group(zarrds.N5Store(str(tmp_path / "a.n5")))
    old = source.create_dataset("x", data=np.arange(35).reshape(7, 5), chunks=(3, 2), compressor=compressor)
    dest = zarrds.group(zarrds.N5Store(str(tmp_path / "b.n5"))) if to == "n5" else zarrds.group(zarr_format=to)
    zarrds.copy(source["x"], dest)
    np.testing.assert_array_equal(dest["x"][:], old[:])
    if to == "n5":
        assert dest["x"].compressor == old.compressor
    else:
        assert not any("n5" in repr(codec) for codec in dest["x"].compressors)
        assert len(dest["x"].compressors) == (compressor is not None)
    assert zarrds.zeros_like(old).compressor == compressor


def test_bytes_of_any_length_go_to_format_2() -> None:
    """Their fill value, no bytes, has no words there, and is left undefined as by `convert`."""
    z = zarrds.create(3, chunks=2, dtype=bytes, zarr_format=3, store=zarrds.MemoryStore())
    z[:] = [b"a", b"", b"\xff"]
    copied = zarrds.group(zarrds.MemoryStore())
    zarrds.copy(z, copied, name="z")
    assert list(copied["z"][:]) == [b"a", b"", b"\xff"]
