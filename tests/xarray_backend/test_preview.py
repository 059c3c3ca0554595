"""``to_zarrds(..., dry_run=True)`` says what a write does, and nothing is written."""

from __future__ import annotations

from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr

import xarray_backend.blocks
import zarrds
from tests.store.doubles import CountingStore
from tests.xarray_backend.samples import is_document, waves
from xarray_backend import to_zarrds
from zarrds._store import is_writer_key
from zarrds.errors import BlockAlignmentError
from zarrds.storage import MemoryStore

pytestmark = pytest.mark.usefixtures("zarr_format")


def counted(monkeypatch: pytest.MonkeyPatch, ds: Any, store: CountingStore, **options: Any) -> dict[str, int]:
    """Write, and count tasks and what is set; no chunk is left out."""
    tasks = []
    write = xarray_backend.blocks.BlockTarget.write
    monkeypatch.setattr(xarray_backend.blocks.BlockTarget, "write", lambda *args: tasks.append(0) or write(*args))
    store.reset()
    with dask.config.set(scheduler="sync"):
        to_zarrds(ds, store, **options, write_empty_chunks=True)
    keys = [str(key) for verb, keys in store.reset().log if verb == "set" for key in keys]
    documents = {key for key in keys if is_document(key) and not is_writer_key(key)}
    return {"tasks": len(tasks), "documents": len(documents), "chunks": len(keys) - sum(map(is_document, keys))}


@pytest.mark.parametrize("encoding", [None, {"u": {"chunks": (3, 4)}}])
@pytest.mark.parametrize("chunk", [None, 2, 5])
def test_the_numbers_of_a_new_store(monkeypatch: Any, chunk: Any, encoding: Any) -> None:
    store = CountingStore(MemoryStore())
    ds = waves(chunk=chunk)
    plan = to_zarrds(ds, store, encoding=encoding, dry_run=True)
    assert not list(store)
    assert plan.nbytes == sum(ds.variables[name].nbytes if name != "label" else 24 for name in ds.variables)
    found = counted(monkeypatch, ds, store, encoding=encoding)
    assert found == {
        "tasks": plan.tasks,
        "documents": plan.documents,
        "chunks": sum(variable.writes for variable in plan.variables),
    }
    assert plan.requests == found["documents"] + found["chunks"]
    assert (plan.gathered > 0) == (chunk is not None and encoding is not None)


def test_the_numbers_of_an_append_and_of_a_region(monkeypatch: Any) -> None:
    store = CountingStore(MemoryStore())
    to_zarrds(waves(), store, encoding={"u": {"chunks": (3, 4)}, "v": {"chunks": 3}})
    more = waves()[["u", "v"]].chunk(t=2)
    before = dict(store)
    plan = to_zarrds(more, store, append_dim="t", mode="a-", dry_run=True)
    assert dict(store) == before
    numbers = {v.path: (v.writes, v.reads) for v in plan.variables}
    assert (numbers["u"], numbers["v"]) == ((8, 2), (4, 1))
    found = counted(monkeypatch, more, store, append_dim="t", mode="a-")
    assert (found["tasks"], found["chunks"]) == (plan.tasks, sum(v.writes for v in plan.variables))
    part = more.isel(t=slice(1, 7)).drop_vars(["x", "label"])
    plan = to_zarrds(part, store, region={"t": slice(1, 7)}, dry_run=True)
    assert plan.documents == 0
    assert {v.path: (v.writes, v.reads) for v in plan.variables} == {"u": (6, 4), "v": (3, 2)}
    found = counted(monkeypatch, part, store, region={"t": slice(1, 7)})
    assert found == {"tasks": plan.tasks, "documents": 0, "chunks": 9}


def test_errors_are_those_of_writing(tmp_path: Any) -> None:
    with pytest.raises(BlockAlignmentError):
        to_zarrds(waves(chunk=3), {}, encoding={"u": {"chunks": 2}}, align="raise", dry_run=True)
    to_zarrds(waves(), tmp_path / "a.zarr")
    before = zarrds.open_group(tmp_path / "a.zarr").u[:]
    for mode in ("w", "replace"):
        assert to_zarrds(waves() * 2, tmp_path / "a.zarr", mode=mode, dry_run=True).mode == mode
    np.testing.assert_array_equal(zarrds.open_group(tmp_path / "a.zarr").u[:], before)


def test_how_it_is_shown() -> None:
    ds = xr.Dataset({"<b>\x1b[31m": ("t", np.zeros(12))}).chunk(t=(5, 4, 3))
    plan = to_zarrds(ds, {}, encoding={"<b>\x1b[31m": {"chunks": 4}}, dry_run=True)
    text = repr(plan)
    assert "2 tasks, 96 B, 32 B gathered" in text
    assert "\x1b" not in text
    html = plan._repr_html_()
    assert "<b>" not in html
    assert "gathered" in html
