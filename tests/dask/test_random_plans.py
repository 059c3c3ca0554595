"""Random rechunks: plans carried out on paper, and jobs between formats, shards, codecs, orders and data types."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import zarrds
from tests.dask.test_dask_rechunk import ramp, shuffles_forced
from tests.store.doubles import CountingStore
from zarrds._format.grid import grid_shape
from zarrds.dask import rechunk, rechunk_plan
from zarrds.dask.rechunking.packing import Packing, region_of
from zarrds.dask.rechunking.plan import REMOTE
from zarrds.errors import MemoryLimitError

pytestmark = pytest.mark.slow

Lengths = tuple[int, ...]


@st.composite
def plans(draw: st.DrawFn) -> Any:
    """Shape, chunks of source and target, sizes of an element in both, memory, shuffles (None: the cheapest), cost."""
    ndim = draw(st.integers(1, 4))
    lengths = st.tuples(*(st.integers(1, (40, 12, 6, 4)[ndim - 1]) for _ in range(ndim)))
    shape, source, target = draw(lengths), draw(lengths), draw(lengths)
    sizes = draw(st.sampled_from([(4, None), (8, None), (2, 8), (8, 2), (1, 1)]))
    most = 16 * prod(shape) + 500
    return shape, source, target, *sizes, draw(st.integers(50, most)), draw(st.sampled_from([None, 0, 1, 2, 3]))


def blocks_of(shape: Lengths, block: Lengths) -> Iterator[tuple[slice, ...]]:
    for at in product(*map(range, grid_shape(shape, block))):
        yield region_of(at, block, shape)


def chunks_met(region: tuple[slice, ...], chunks: Lengths) -> int:
    return prod(-(-part.stop // n) - part.start // n for part, n in zip(region, chunks, strict=True))


@given(plans(), st.booleans())
@settings(max_examples=400, deadline=None)
def test_plans_that_are_carried_out_on_paper(drawn: Any, remote: bool) -> None:
    """Numbers stand for the elements; what is read, written, and in memory is what the plan says."""
    shape, source, target, itemsize, target_itemsize, max_mem, shuffles = drawn
    given: dict[str, Any] = {"shuffles": shuffles, **({"model": REMOTE} if remote else {})}
    try:
        plan = rechunk_plan(shape, source, target, itemsize, max_mem, target_itemsize=target_itemsize, **given)
    except MemoryLimitError as error:
        enough = error.enough
        assert enough > max_mem
        rechunk_plan(
            shape, source, target, itemsize, enough, target_itemsize=target_itemsize, **given
        )  # it does suffice
        return
    assert plan.projected_mem <= max_mem
    values, last = ramp(*shape), len(plan.stages) - 1
    packed: list[np.ndarray[Any, Any]] = []
    for number, stage in enumerate(plan.stages):
        made, result, reads, read_bytes = [], np.full(shape, -1), 0, 0
        for region in blocks_of(shape, stage.block):
            size = prod(part.stop - part.start for part in region)
            assert size * itemsize <= max_mem
            block = np.full([part.stop - part.start for part in region], -1)
            if number == 0:
                met = chunks_met(region, source)
                reads, read_bytes = reads + met, read_bytes + met * prod(source) * itemsize
                block[...] = values[region]
            else:
                before = plan.stages[number - 1].block
                for at in Packing(region, before).coords():
                    other = Packing(region_of(at, before, shape), stage.block)
                    piece = other.piece([part.start // n for part, n in zip(region, stage.block, strict=True)])
                    start, lengths = other.offset(piece), [part.stop - part.start for part in piece]
                    found = packed[int(np.ravel_multi_index(at, grid_shape(shape, before)))]
                    inside = tuple(
                        slice(p.start - r.start, p.stop - r.start) for p, r in zip(piece, region, strict=True)
                    )
                    block[inside] = found[start : start + prod(lengths)].reshape(lengths)
                    reads, read_bytes = reads + 1, read_bytes + prod(lengths) * itemsize
            if number == last:
                assert all(part.start % n == 0 for part, n in zip(region, target, strict=True))
                result[region] = block
            else:
                packing = Packing(region, plan.stages[number + 1].block)
                bytes_of = np.empty(size * block.itemsize, np.uint8)
                packing.put(bytes_of, region, block)
                made.append(bytes_of.view(block.dtype))
        writes = prod(grid_shape(shape, target)) if number == last else len(made)
        assert (stage.reads, stage.writes, stage.read_bytes) == (reads, writes, read_bytes)
        packed = made
    np.testing.assert_array_equal(result, values)


SOURCES: dict[str, dict[str, Any]] = {
    "v2": {"zarr_format": 2},
    "v2 in order F": {"zarr_format": 2, "order": "F", "compressor": None},
    "v2 with a filter": {"zarr_format": 2, "filters": [numcodecs.Delta("<i4")]},
    "v3": {"zarr_format": 3},
    "v3 without codecs": {"zarr_format": 3, "compressors": None},
    "shards": {"zarr_format": 3},
    "n5": {"zarr_format": 2, "compressor": numcodecs.GZip(1), "fill_value": 0},
}
TARGETS: dict[str, dict[str, Any]] = {
    "as the source": {},
    "v2": {"zarr_format": 2, "compressor": None},
    "v2 in order F": {"zarr_format": 2, "order": "F"},
    "v3": {"zarr_format": 3},
    "shards": {"zarr_format": 3},
    "f8": {"dtype": "f8"},
    "big-endian i2": {"dtype": ">i2"},
    "without empty chunks": {"write_empty_chunks": False, "fill_value": 0},
    "another fill value": {"fill_value": 7},
    "n5": {"zarr_format": 2, "compressor": None, "fill_value": 0, "order": "C", "filters": None},
}


@st.composite
def jobs(draw: st.DrawFn) -> Any:
    shape = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple))
    lengths = st.tuples(*(st.integers(1, 5) for _ in shape))
    factors = st.tuples(*(st.integers(1, 3) for _ in shape))
    return shape, draw(lengths), draw(lengths), draw(factors), draw(factors)


def stored(kind: str, path: Path, values: Any, chunks: Lengths, factors: Lengths) -> zarrds.Array:
    """Return an array of a kind in a store of its own."""
    store: Any = zarrds.N5Store(str(path / "source.n5")) if kind == "n5" else zarrds.MemoryStore()
    options = dict(SOURCES[kind])
    if kind == "shards":
        options["shards"] = tuple(n * factor for n, factor in zip(chunks, factors, strict=True))
    z = zarrds.create(values.shape, chunks=chunks, dtype="i4", store=store, overwrite=True, **options)
    z[...] = values
    z.attrs["units"] = "K"
    return z


@pytest.mark.parametrize("kind", SOURCES)
@given(jobs(), st.sampled_from(sorted(TARGETS)), st.sampled_from([0, 1, 2, None]), st.integers(100, 20_000))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_jobs_give_the_elements_of_numpy(
    kind: str, tmp_path: Path, drawn: Any, to: str, shuffles: Any, max_mem: int
) -> None:
    shape, chunks, wanted, factors, new_factors = drawn
    values = ramp(*shape) % 11
    z = stored(kind, tmp_path, values, chunks, factors)
    target: Any = zarrds.N5Store(str(tmp_path / "target.n5")) if to == "n5" else CountingStore(zarrds.MemoryStore())
    options = dict(TARGETS[to])
    if to == "shards":
        options["shards"] = tuple(n * factor for n, factor in zip(wanted, new_factors, strict=True))
    elif kind == "shards" and options.get("zarr_format") != 2:
        options["shards"] = None
    if "dtype" in options and "filter" in kind:
        options["filters"] = None
    with shuffles_forced(shuffles):
        try:
            job = rechunk(z, target, chunks=wanted, max_mem=max_mem, target_options=options, overwrite=True)
        except MemoryLimitError as error:
            enough = error.enough
            assert enough > max_mem
            return
    assert job.plan.projected_mem <= max_mem
    assert shuffles is None or len(job.plan.stages) == shuffles + 1
    found = job.compute(scheduler="sync")
    np.testing.assert_array_equal(found[...], values)
    assert (found.chunks, found.shards) == (wanted, options.get("shards"))
    wanted_type = np.dtype(options.get("dtype", "i4"))
    assert found.dtype == (wanted_type if found.zarr_format == 2 else wanted_type.newbyteorder("="))
    assert found.attrs.asdict() == {"units": "K"}
    assert not [key for key in target if "zarrds" in key]
    if to != "n5":
        keys = [key for verb, some in target.counts.log if verb == "set" for key in some]
        data = [key for key in keys if not key.endswith((".zarray", ".zattrs", "zarr.json", "rechunk"))]
        assert len(data) == len(set(data))  # no chunk, shard or packed object twice
