"""Budgets of requests for datasets of 50 variables, in Zarr v2 and v3."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.store.doubles import CountingStore
from tests.xarray_backend.samples import is_document
from xarray_backend import open_zarrds, to_zarrds
from zarrds.storage import MemoryStore

pytestmark = pytest.mark.filterwarnings("ignore:Failed to open Zarr store with consolidated")

DS = xr.Dataset({f"v{n}": (("t", "x"), np.ones((4, 4))) for n in range(50)}, {"t": np.arange(4)})
"""51 variables of one chunk each, all with attributes in Zarr v2, where these name the dimensions."""

ONE = DS[["v3"]].drop_vars("t")

BUDGETS: list[tuple[str, Any, dict[int, tuple[int, int, int]]]] = [
    # operation, how it is done, and by format the most values read, values set, and listings
    ("open", lambda store: open_zarrds(store), {2: (3, 0, 0), 3: (3, 0, 0)}),
    ("open plain", lambda store: open_zarrds(store, consolidated=False), {2: (211, 0, 1), 3: (57, 0, 1)}),
    (
        "region",
        lambda store: to_zarrds(ONE.isel(t=[0]), store, region={"t": slice(0, 1)}),
        {2: (6, 1, 0), 3: (5, 1, 0)},
    ),
    ("r+", lambda store: to_zarrds(ONE, store, mode="r+"), {2: (6, 1, 0), 3: (5, 1, 0)}),
    ("a", lambda store: to_zarrds(ONE, store, mode="a"), {2: (18, 2, 0), 3: (12, 2, 0)}),
    ("a, new", lambda store: to_zarrds(ONE.rename(v3="n"), store, mode="a"), {2: (20, 5, 0), 3: (13, 4, 0)}),
]


@pytest.mark.parametrize(("zarr_format", "documents"), [(2, 2 * 51 + 2), (3, 51 + 1)])
def test_documents_of_a_new_store_are_set_in_a_few_batches(zarr_format: int, documents: int) -> None:
    store = CountingStore(MemoryStore())
    to_zarrds(DS, store, zarr_format=zarr_format)
    batches = [[str(key) for key in keys] for verb, keys in store.counts.log if verb == "set"]
    with_documents = [keys for keys in batches if any(map(is_document, keys))]
    assert len(with_documents) <= 3
    assert len({key for keys in with_documents for key in keys}) <= documents + 1
    assert store.counts.keys["get"] <= 11


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
