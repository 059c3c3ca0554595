"""Budgets of requests for datasets of 50 variables, in Zarr v2 and v3."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import zarrds
from tests.store.doubles import CountingStore, MeetingStore
from tests.xarray_backend.samples import is_document
from xarray_backend import open_zarrds, to_zarrds
from zarrds._format import dumps as document_text
from zarrds._node import claim
from zarrds._store.wrappers import consolidated
from zarrds.storage import MemoryStore

pytestmark = pytest.mark.filterwarnings("ignore:Failed to open Zarr store with consolidated")

DS = xr.Dataset({f"v{n}": (("t", "x"), np.ones((4, 4))) for n in range(50)}, {"t": np.arange(4)})
"""51 variables of one chunk each, all with attributes in Zarr v2, where these name the dimensions."""

MORE = DS.assign_coords(t=np.arange(4, 8))

ONE = DS[["v3"]].drop_vars("t")

BUDGETS: list[tuple[str, Any, dict[int, tuple[int, int, int]]]] = [
    # operation, how it is done, and by format the most values read, values set, and listings; where a group is
    # changed, one value more of each kind says that a writer is at work; two in mode "a", that it may create arrays
    ("open", lambda store: open_zarrds(store), {2: (3, 0, 0), 3: (3, 0, 0)}),
    ("open plain", lambda store: open_zarrds(store, consolidated=False), {2: (158, 0, 1), 3: (56, 0, 1)}),
    (
        "region",
        lambda store: to_zarrds(ONE.isel(t=[0]), store, region={"t": slice(0, 1)}),
        {2: (6, 1, 0), 3: (5, 1, 0)},
    ),
    ("r+", lambda store: to_zarrds(ONE, store, mode="r+"), {2: (9, 2, 0), 3: (8, 2, 0)}),
    ("a", lambda store: to_zarrds(ONE, store, mode="a"), {2: (18, 5, 0), 3: (15, 5, 0)}),
    ("append", lambda store: to_zarrds(MORE, store, append_dim="t"), {2: (319, 106, 1), 3: (166, 107, 1)}),
    (
        "append, lazy",
        lambda store: to_zarrds(MORE.chunk(t=2), store, append_dim="t"),
        {2: (319, 106, 1), 3: (166, 107, 1)},
    ),
    ("a, new", lambda store: to_zarrds(ONE.rename(v3="n"), store, mode="a"), {2: (20, 8, 0), 3: (15, 7, 0)}),
]


@pytest.fixture(autouse=True)
def _claims_are_not_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine an append may last longer than a claim."""
    monkeypatch.setattr(claim, "_RENEW_S", 1e9)


@pytest.mark.parametrize(("zarr_format", "documents"), [(2, 2 * 51 + 2), (3, 51 + 1)])
def test_documents_of_a_new_store_are_set_in_a_few_batches(zarr_format: int, documents: int) -> None:
    store = CountingStore(MemoryStore())
    to_zarrds(DS, store, zarr_format=zarr_format)
    batches = [[str(key) for key in keys] for verb, keys in store.counts.log if verb == "set"]
    with_documents = [keys for keys in batches if any(map(is_document, keys))]
    assert len(with_documents) <= 5
    assert len({key for keys in with_documents for key in keys}) <= documents + 2
    assert store.counts.keys["get"] <= 17  # two documents of arrays are looked at with those of the group, in one batch


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(("name", "work", "budget"), BUDGETS, ids=[name for name, _, _ in BUDGETS])
def test_budgets(name: str, work: Any, budget: Any, zarr_format: int) -> None:
    store = CountingStore(MemoryStore())
    to_zarrds(DS, store, zarr_format=zarr_format)
    store.reset()
    work(store)
    counts = store.reset()
    found = (counts.keys["get"], counts.keys["set"], counts.calls["listdir"] + counts.calls["keys"])
    assert all(some <= most for some, most in zip(found, budget[zarr_format], strict=True)), found


def meeting(verb: str, keys: Any) -> tuple[str, int] | None:
    """51 sets of chunks, or of documents of arrays, meet, and so do 51 reads of chunks at the edge."""
    if len(keys) != 1 or "/" not in keys[0]:
        return None
    name = keys[0].partition("/")[2]
    name = name if is_document(name) else name.removeprefix("c/")[0]
    return (f"{verb} {name}", 51) if verb == "set" or (verb == "get" and name == "1") else None


# latencies of a service: 51 variables in as many as a few
LATENCIES: list[tuple[str, int, Any, dict[int, int]]] = [
    # operation, length of chunks, how it is done, and by format the most latencies
    ("create", 4, lambda store: to_zarrds(DS, store, encoding=chunks_of(4)), {2: 14, 3: 12}),
    ("append", 4, lambda store: to_zarrds(MORE, store, append_dim="t"), {2: 18, 3: 19}),
    ("append to edges", 3, lambda store: to_zarrds(MORE, store, append_dim="t"), {2: 20, 3: 21}),
    ("a", 4, lambda store: to_zarrds(DS, store, mode="a"), {2: 15, 3: 14}),
    ("open", 4, lambda store: open_zarrds(store), {2: 2, 3: 2}),
    ("open plain", 4, lambda store: open_zarrds(store, consolidated=False), {2: 6, 3: 5}),
]


def chunks_of(length: int) -> dict[str, Any]:
    return {str(name): {"chunks": (length, 4)[: var.ndim]} for name, var in DS.variables.items()}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(("name", "chunk", "work", "most"), LATENCIES, ids=[one[0] for one in LATENCIES])
def test_round_trips_to_a_service(name: str, chunk: int, work: Any, most: dict[int, int], zarr_format: int) -> None:
    store = MeetingStore(MemoryStore(), meeting)
    with zarrds.config_context(default_format=zarr_format):
        if name != "create":
            to_zarrds(DS, store, encoding=chunks_of(chunk))
        store.reset()
        work(store)
        assert store.latencies <= most[zarr_format], store.latencies
        assert open_zarrds(store.store).sizes["t"] == (8 if "append" in name else 4)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_attributes_of_consolidated_metadata_are_parsed_once(zarr_format: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The documents of 51 variables are values already: none becomes text again to be parsed."""
    store = MemoryStore()
    to_zarrds(DS.assign_attrs(title="all"), store, zarr_format=zarr_format)
    made: list[str] = []

    def dumps(value: object, where: str = "") -> bytes:
        made.append(where)
        return document_text(value, where)

    monkeypatch.setattr(consolidated, "dumps", dumps)
    found = xr.open_dataset(store, engine="zarrds")
    assert "title" in found.attrs
    assert [key for key in made if "/" in key] == []
