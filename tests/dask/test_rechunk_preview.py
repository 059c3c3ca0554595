"""What a plan says is what happens: bytes and requests are exact."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings

import zarrds
from tests.dask.test_dask_rechunk import ramp, rechunks, shuffles_forced
from tests.store.doubles import CountingStore
from zarrds.dask import GroupPlan, rechunk
from zarrds.errors import ArgumentError, MemoryLimitError


def data_counts(store: CountingStore, verb: str) -> tuple[int, int]:
    """Return how many values and pieces were read or written, without documents."""
    keys = [key if isinstance(key, str) else key[0] for v, some in store.counts.log if v == verb for key in some]
    return len(keys), store.counts.nbytes[verb]


@given(rechunks())
@settings(max_examples=60, deadline=None)
def test_bytes_and_requests_are_exact(drawn: Any) -> None:
    shape, chunks, wanted, max_mem, shuffles = drawn
    source = CountingStore(zarrds.MemoryStore())
    zarrds.array(ramp(*shape), chunks=chunks, compressor=None, store=source)
    target, temp = CountingStore(zarrds.MemoryStore()), CountingStore(zarrds.MemoryStore())
    options = {"compressor": None}
    with shuffles_forced(shuffles):
        try:
            job = rechunk(source, target, chunks=wanted, max_mem=max_mem, temp_store=temp, target_options=options)
        except MemoryLimitError:
            return
    job._finish = lambda receipt: receipt  # the documents of the target are not of interest here
    for store in (source, target, temp):
        store.reset()
    job.compute(scheduler="sync")
    read = [data_counts(store, "get") for store in (source, temp)]
    written = [data_counts(store, "set") for store in (target, temp)]
    if np.prod(shape, dtype=int) == 0:
        return
    assert sum(count for count, _ in read) == job.plan.reads
    assert sum(count for count, _ in written) == job.plan.writes
    assert sum(nbytes for _, nbytes in read) == job.plan.read_bytes
    assert sum(nbytes for _, nbytes in written) == job.plan.write_bytes


def plan_of_group() -> GroupPlan:
    root = zarrds.group()
    root.array("<u>", ramp(600, 40), chunks=(1, 40))
    root.array("v", ramp(30), chunks=7)
    with shuffles_forced(1):
        plan = rechunk(root, {}, chunks={"<u>": (600, 1), "v": 30}, max_mem=20_000).plan
    assert isinstance(plan, GroupPlan)
    return plan


def test_totals_of_a_group() -> None:
    plan = plan_of_group()
    for name in ("tasks", "requests", "reads", "writes", "read_bytes", "write_bytes", "temp_bytes"):
        assert getattr(plan, name) == sum(getattr(part, name) for part in plan.values())
    assert plan.projected_mem == max(part.projected_mem for part in plan.values())
    assert plan.seconds(1) == pytest.approx(sum(part.seconds(1) for part in plan.values()))
    assert plan.seconds(4) < plan.seconds(1)
    assert plan["v"].temp_bytes == plan["v"].nbytes
    assert repr(plan).startswith("<GroupPlan of 2 arrays: ")


def test_money() -> None:
    plan = plan_of_group()
    found = plan.money({"get_per_1000": 2.0, "read_per_gb": 5.0, "worker_hour": 0.0})
    assert found["get_per_1000"] == pytest.approx(plan.reads * 0.002)
    assert found["read_per_gb"] == pytest.approx(plan.read_bytes * 5e-9)
    assert found["total"] == pytest.approx(plan.reads * 0.002 + plan.read_bytes * 5e-9)
    assert set(plan.money()) == {"total", *zarrds.dask.PRICES}
    with pytest.raises(ArgumentError, match="beer"):
        plan.money({"beer": 1.0})


def test_dict_and_html() -> None:
    plan = plan_of_group()
    found = json.loads(json.dumps(plan.as_dict()))
    assert found["requests"] == plan.requests
    assert found["arrays"]["<u>"]["target_chunks"] == [600, 1]
    assert len(found["arrays"]["<u>"]["stages"]) == 2
    page = plan._repr_html_()
    root = ElementTree.fromstring(f"<div>{page}</div>")  # well-formed, names are escaped
    pictures = [part for part in root.iter() if part.tag.endswith("svg")]
    assert len(pictures) == 2
    texts = [part.text for part in pictures[0].iter() if part.tag.endswith("text")]
    assert texts[0] == "source (1, 40)"
    assert texts[-1] == "target (600, 1)"
    for shape in ((), (0,), (10**6, 10**6, 10**6)):
        chunks = (1,) * len(shape)
        one = zarrds.dask.rechunk_plan(shape, chunks, chunks, 8, 10**6)
        assert len(one._repr_html_()) < 20_000
