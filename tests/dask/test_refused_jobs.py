"""Jobs that cannot be done: a clear error, and nothing has been written or changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest

import zarrds
import zarrds.dask
from zarrds.errors import (
    ArgumentError,
    ContainsArrayError,
    ContainsGroupError,
    CopyError,
    MemoryLimitError,
    PathNotFoundError,
    SelfOverwriteError,
    StoreConnectionError,
    StoreNotShareableError,
    ZarrdsError,
)

NOWHERE = "s3://nowhere/x.zarr"
NOBODY: dict[str, Any] = {"key": "a", "secret": "b", "client_kwargs": {"endpoint_url": "http://127.0.0.1:9"}}
"""Options for a service at a port where nobody listens."""
SHARDS = {"zarr_format": 3, "shards": (16, 64)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A source, and other nodes where a target might go."""
    z = zarrds.open(str(tmp_path / "source"), mode="w", shape=(64, 64), chunks=(1, 64), dtype="f8", zarr_format=2)
    z[:] = np.arange(4096).reshape(64, 64)
    zarrds.open_group(str(tmp_path / "group"), mode="w", zarr_format=2).array("u", np.arange(10), chunks=5)
    zarrds.save_array(str(tmp_path / "array"), np.arange(3))
    with zarrds.ZipStore(str(tmp_path / "full.zip"), mode="w") as store:
        zarrds.group(store).array("x", np.arange(3))
    return tmp_path


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def rechunk(source: str, target: Any, **options: Any) -> Any:
    return zarrds.dask.rechunk(source, target, **{"chunks": (64, 1), **options})


def to_zarr(source: str, target: Any, **options: Any) -> Any:
    return zarrds.dask.to_zarr(zarrds.dask.from_zarr(source), target, compute=False, **options)


REFUSED: dict[str, tuple[Callable[..., Any], str, dict[str, Any], type[ZarrdsError], str]] = {
    "too little memory": (rechunk, "new", {"max_mem": 100}, MemoryLimitError, "max_mem of .* bytes or more"),
    "no memory": (rechunk, "new", {"max_mem": 0}, MemoryLimitError, "raise max_mem"),
    "memory in words": (rechunk, "new", {"max_mem": "lots"}, ArgumentError, "'500MB'"),
    "an array is there": (rechunk, "array", {}, ContainsArrayError, "overwrite=True"),
    "a group is there": (rechunk, "group", {}, ContainsGroupError, "overwrite=True"),
    "chunks that do not divide shards": (
        rechunk,
        "new",
        {"chunks": (7, 64), "target_options": SHARDS},
        ArgumentError,
        "shards must be whole chunks",
    ),
    "shards of Zarr v2": (rechunk, "new", {"target_options": {"shards": (64, 1)}}, ArgumentError, "zarr_format=3"),
    "no length": (rechunk, "new", {"chunks": (0, 64)}, ArgumentError, "at least 1"),
    "too few lengths": (rechunk, "new", {"chunks": (4,)}, ArgumentError, "2"),
    "no such dimension": (rechunk, "new", {"chunks": {"t": 4}}, ArgumentError, "no dimension 't'"),
    "the source itself": (rechunk, "source", {"overwrite": True}, SelfOverwriteError, "elsewhere"),
    "within the source": (rechunk, "source/x", {"overwrite": True}, SelfOverwriteError, "elsewhere"),
    "a copy where something is": (zarrds.dask.copy_store, "array", {"if_exists": "raise"}, CopyError, "if_exists"),
    "a conversion where something is": (zarrds.dask.convert, "group", {}, ContainsGroupError, "empty place"),
    "a write where something is": (to_zarr, "array", {}, ContainsArrayError, "overwrite=True"),
    "a write of shards that blocks cut": (to_zarr, "new", {"chunks": (1, 64), **SHARDS}, ZarrdsError, "chunk"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_is_written(name: str, folder: Path) -> None:
    work, target, options, error, message = REFUSED[name]
    before = snapshot(folder)
    with pytest.raises(error, match=message):
        work(str(folder / "source"), str(folder / target), **options)
    assert snapshot(folder) == before


@pytest.mark.parametrize("work", [rechunk, zarrds.dask.copy_store, zarrds.dask.convert])
def test_a_source_that_is_not_there(work: Any, folder: Path) -> None:
    before = snapshot(folder)
    with pytest.raises(PathNotFoundError, match="spelling"):
        work(str(folder / "nothing"), str(folder / "new"))
    assert snapshot(folder) == before


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("work", [rechunk, zarrds.dask.copy_store, zarrds.dask.convert])
def test_a_service_that_does_not_answer(work: Any, folder: Path) -> None:
    pytest.importorskip("s3fs")
    before, source, target = snapshot(folder), str(folder / "source"), str(folder / "new")
    first: tuple[Any, dict[str, Any]] = (source, {"dest_storage_options": NOBODY})
    then: tuple[Any, dict[str, Any]] = (target, {"storage_options": NOBODY, "dest_storage_options": {}})
    if work is rechunk:  # its options are for all URLs
        first = zarrds.open(source, mode="r"), {"storage_options": NOBODY}
        then = zarrds.DirectoryStore(target), {"storage_options": NOBODY}
    with pytest.raises(StoreConnectionError, match="check host and port"):
        work(first[0], NOWHERE, **first[1])
    with pytest.raises(StoreConnectionError, match="check host and port"):
        work(NOWHERE, then[0], **then[1])
    assert snapshot(folder) == before


JOBS: dict[str, Callable[..., Any]] = {
    "rechunk": rechunk,
    "copy_store": zarrds.dask.copy_store,
    "convert": zarrds.dask.convert,
    "to_zarr": to_zarr,
    "to_zarr now": lambda source, target: zarrds.dask.to_zarr(zarrds.dask.from_zarr(source), target),
}


@pytest.mark.parametrize("name", JOBS)
def test_stores_that_other_processes_cannot_open(name: str, folder: Path) -> None:
    """A ZIP file, and a store in memory; with tasks in other processes (those of a cluster are tested elsewhere)."""
    work, source, before = JOBS[name], str(folder / "source"), snapshot(folder)
    with dask.config.set(scheduler="processes"):
        for target in ({}, zarrds.MemoryStore(), str(folder / "full.zip"), str(folder / "new.zip")):
            with pytest.raises(StoreNotShareableError, match="other processes"):
                work(source, target)
        if name in ("rechunk", "copy_store", "convert"):
            with pytest.raises(StoreNotShareableError, match="other processes"):
                work(zarrds.ones((64, 64), chunks=(1, 64)).store, str(folder / "new"))
    assert snapshot(folder) == before
    assert not os.path.exists(folder / "new")


@pytest.mark.parametrize("name", [name for name, (_, target, *_) in REFUSED.items() if target == "new"])
def test_a_zip_file_is_not_even_created(name: str, folder: Path) -> None:
    work, _, options, error, _ = REFUSED[name]
    before = snapshot(folder)
    with pytest.raises(error):
        work(str(folder / "source"), str(folder / "new.zip"), **options)
    assert snapshot(folder) == before
