"""Chunks of different lengths with dask: exactly these blocks, written and read, copied, rechunked and compared."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zarrds
import zarrds.dask
from tests.store.doubles import CountingStore, FaultyStore
from zarrds.errors import (
    ArgumentError,
    BlockAlignmentError,
    ChunkDecodeError,
    ConflictError,
    SourceChangedError,
    UnsupportedFormatError,
)

X = np.arange(300).reshape(10, 30)
CHUNKS: Any = ((3, 5, 2), 10)


def stored(store: Any = None, **options: Any) -> zarrds.Array:
    given = options or {"chunks": CHUNKS}
    z = zarrds.create(X.shape, dtype=X.dtype, zarr_format=3, store={} if store is None else store, **given)
    z[:] = X
    return z


@st.composite
def blocks(draw: Any, length: int) -> tuple[int, ...]:
    inner = sorted(draw(st.sets(st.integers(1, length - 1), max_size=4)))
    return tuple(np.diff([0, *inner, length]).tolist())


@settings(max_examples=25)
@given(st.data())
def test_blocks_become_chunks_and_come_back(data: Any) -> None:
    x = np.arange(60).reshape(6, 10)
    y = da.from_array(x, chunks=(data.draw(blocks(6)), data.draw(blocks(10))))
    z = zarrds.dask.to_zarr(y, zarrds.MemoryStore(), zarr_format=3)
    found = zarrds.dask.from_zarr(z)
    assert found.chunks == y.chunks
    np.testing.assert_array_equal(found.compute(scheduler="sync"), x)
    target = tuple(data.draw(blocks(n)) for n in x.shape)
    again = zarrds.dask.rechunk(z, zarrds.MemoryStore(), chunks=target).compute(scheduler="sync")
    assert again.chunks == target
    np.testing.assert_array_equal(again[:], x)
    regular = zarrds.dask.rechunk(again, zarrds.MemoryStore(), chunks=(data.draw(st.integers(1, 6)), 4)).compute(
        scheduler="sync"
    )
    np.testing.assert_array_equal(regular[:], x)


def test_blocks_are_exactly_the_chunks() -> None:
    z = stored()
    assert zarrds.dask.from_zarr(z).chunks == ((3, 5, 2), (10, 10, 10))
    assert z.to_dask(chunks={1: 15}).chunks == ((3, 5, 2), (15, 15))
    assert z.to_dask().chunks == ((10,), (30,))
    assert da.from_array(z, chunks=z.chunks).chunks == ((3, 5, 2), (10, 10, 10))
    past = stored(chunks=[[3, 5, 9], 10])
    assert zarrds.dask.from_zarr(past).chunks == ((3, 5, 2), (10, 10, 10))
    sharded = stored(shards=[[4, 6], 10], chunks=(2, 5))
    assert zarrds.dask.from_zarr(sharded, chunks="shards").chunks == ((4, 6), (10, 10, 10))
    assert zarrds.dask.from_zarr(sharded).chunks == ((2,) * 5, (5,) * 6)
    np.testing.assert_array_equal(zarrds.dask.from_zarr(sharded, chunks="shards").compute(), X)


def test_auto_joins_neighbours() -> None:
    import dask

    with dask.config.set({"array.chunk-size": 5 * 30 * 8}):
        found = stored(chunks=[[1, 1, 1, 5, 1, 1], 30]).to_dask(chunks="auto")
    assert found.chunks == ((3, 5, 2), (30,))
    np.testing.assert_array_equal(found.compute(), X)


def test_zarr_2_refuses_irregular_blocks_and_says_who_keeps_them() -> None:
    y = da.from_array(X, chunks=((3, 5, 2), 10))
    with pytest.raises(BlockAlignmentError, match="zarr_format=3"):
        zarrds.dask.to_zarr(y, zarrds.MemoryStore(), zarr_format=2)
    assert zarrds.dask.to_zarr(y, zarrds.MemoryStore(), zarr_format=3).chunks == ((3, 5, 2), 10)
    assert zarrds.dask.to_zarr(y, zarrds.MemoryStore(), zarr_format=3, align="rechunk").chunks == (5, 10)


def test_writes_into_an_irregular_array_cover_whole_chunks() -> None:
    z = stored(zarrds.MemoryStore())
    y = da.from_array(X + 1, chunks=(4, 10))
    with pytest.raises(BlockAlignmentError, match=r"borders of the chunks \(\(3, 5, 2\),\)"):
        zarrds.dask.to_zarr(y, z)
    zarrds.dask.to_zarr(y, z, align="rechunk")
    np.testing.assert_array_equal(z[:], X + 1)
    zarrds.dask.to_zarr(da.from_array(X[3:8], chunks=(5, 30)), z, region=(slice(3, 8),))
    np.testing.assert_array_equal(z[3:8], X[3:8])
    zarrds.dask.store([da.from_array(X, chunks=((3, 5, 2), 30)), X], [z, stored(zarrds.MemoryStore())])
    np.testing.assert_array_equal(z[:], X)


def test_regions_that_share_an_irregular_chunk() -> None:
    z = stored(zarrds.MemoryStore())
    one, two = da.from_array(X[:4], chunks=(4, 30)), da.from_array(X[4:], chunks=(6, 30))
    with pytest.raises(BlockAlignmentError, match="share a chunk"):
        zarrds.dask.store([one, two], [z, z], regions=[(slice(0, 4),), (slice(4, 10),)])
    one, two = da.from_array(X[:3], chunks=(3, 30)), da.from_array(X[3:], chunks=((5, 2), 30))
    zarrds.dask.store([one, two], [z, z], regions=[(slice(0, 3),), (slice(3, 10),)])


def test_copies_keep_the_edges() -> None:
    z, dest = stored(zarrds.MemoryStore()), zarrds.group(zarrds.MemoryStore(), zarr_format=3)
    zarrds.copy(z, dest, name="same")
    zarrds.copy(z, dest, name="other", chunks=(4, 7))
    zarrds.copy(stored(chunks=(4, 7)), dest, name="back", chunks=CHUNKS)
    zarrds.dask.copy(z, dest, name="raw").compute()
    zarrds.dask.copy(z, dest, name="recoded", compressors=None).compute()
    chunks = {name: dest[name].chunks for name in dest}
    assert chunks == {"same": CHUNKS, "other": (4, 7), "back": CHUNKS, "raw": CHUNKS, "recoded": CHUNKS}
    for name in dest:
        np.testing.assert_array_equal(dest[name][:], X)
    with pytest.raises(ArgumentError, match="one shape only"):
        zarrds.copy(z, zarrds.group({}, zarr_format=2), name="x")


def test_copy_store_digest_verify_and_diff(tmp_path: Any) -> None:
    z = stored(zarrds.DirectoryStore(tmp_path / "a"))
    zarrds.copy_store(z.store, zarrds.DirectoryStore(tmp_path / "b"))
    again = zarrds.open(tmp_path / "b")
    assert zarrds.dask.digest(z).compute() == zarrds.dask.digest(again).compute()
    assert z.hexdigest() == again.hexdigest()
    assert z.nbytes_stored > 0
    for level in ("keys", "sizes", "decode"):
        assert zarrds.verify(tmp_path / "a", level=level).ok
    (tmp_path / "a" / "c" / "1" / "0").write_bytes(b"short")
    assert not zarrds.verify(tmp_path / "a", level="decode").ok


@pytest.mark.parametrize("options", [{"chunks": CHUNKS}, {"shards": [[4, 6], 10], "chunks": (2, 5)}], ids=str)
def test_copies_are_checked_by_decoding_each_chunk_in_its_own_shape(options: Any) -> None:
    z, copy, dest = stored(**options), zarrds.MemoryStore(), zarrds.group(zarr_format=3)
    assert zarrds.dask.copy_store(z.store, copy, dest_path="a/b", verify="read").compute().ok
    assert zarrds.dask.copy(z, dest, name="x", verify="read").compute().ok
    for found in (zarrds.open_array(copy, path="a/b"), dest["x"]):
        np.testing.assert_array_equal(found[:], X)
    first, other = "c/0/0", "c/1/0"
    z.store[other] = bytes(z.store[first])  # a chunk of another shape
    with pytest.raises(ChunkDecodeError, match=f"b/{other}"):
        zarrds.dask.copy_store(z.store, zarrds.MemoryStore(), dest_path="b", verify="read").compute()


def test_sizes_of_uncompressed_chunks_are_their_own() -> None:
    store = zarrds.MemoryStore()
    stored(store, chunks=CHUNKS, compressor=None)
    assert zarrds.verify(store, level="sizes").ok
    store["c/2/0"] = bytes(store["c/1/0"])
    assert [finding.key for finding in zarrds.verify(store, level="sizes").findings] == ["c/2/0"]


def test_convert_to_zarr_2_is_refused_with_the_reason(tmp_path: Any) -> None:
    stored(zarrds.DirectoryStore(tmp_path / "a"))
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    with pytest.raises(UnsupportedFormatError, match="chunk_grid"):
        zarrds.convert(tmp_path / "a", to=2)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_rechunk_keeps_attributes_and_refuses_what_it_cannot() -> None:
    z = stored(zarrds.MemoryStore())
    z.attrs["unit"] = "m"
    target = zarrds.MemoryStore()
    found = zarrds.dask.rechunk(z, target, chunks=[[1, 9], 15]).compute()
    assert (found.chunks, found.attrs["unit"]) == (((1, 9), 15), "m")
    np.testing.assert_array_equal(found[:], X)
    lazy = da.from_array(X, chunks=4)
    direct = zarrds.dask.rechunk(lazy, zarrds.MemoryStore(), chunks=CHUNKS, target_options={"zarr_format": 3})
    assert direct.compute().chunks == CHUNKS
    with pytest.raises(ArgumentError, match="one shape only"):
        zarrds.dask.rechunk(z, zarrds.MemoryStore(), chunks=CHUNKS, target_options={"zarr_format": 2})


def test_groups_are_rechunked_from_and_to_irregular_chunks() -> None:
    source, target = zarrds.group(zarrds.MemoryStore(), zarr_format=3), zarrds.MemoryStore()
    for name, chunks in (("u", CHUNKS), ("v", (4, 30))):
        source.create_array(name, shape=X.shape, chunks=chunks, dtype=X.dtype, dimension_names=["t", "x"])[:] = X
    source.create_array("t", shape=(10,), chunks=((3, 5, 2),), dtype="i4", dimension_names=["t"])[:] = np.arange(10)
    source.attrs["title"] = "irregular"
    job = zarrds.dask.rechunk(source, target, chunks={"t": (1, 6, 3), "x": 15})
    assert {name: plan.tasks for name, plan in job.plan.plans.items()} == {"t": 3, "u": 6, "v": 6}
    found = job.compute()
    assert {name: found[name].chunks for name in found} == {
        "t": ((1, 6, 3),),
        "u": ((1, 6, 3), 15),
        "v": ((1, 6, 3), 15),
    }
    assert dict(found.attrs) == {"title": "irregular"}
    assert not list(found["u"].attrs)
    again = zarrds.dask.rechunk(found, zarrds.MemoryStore(), chunks={"u": {0: -1}, "v": (4, 7)}).compute()
    assert {name: again[name].chunks for name in again} == {"t": ((1, 6, 3),), "u": (10, 15), "v": (4, 7)}
    for group in (found, again):
        np.testing.assert_array_equal(group["u"][:], X)
        np.testing.assert_array_equal(group["v"][:], X)
        np.testing.assert_array_equal(group["t"][:], np.arange(10))


def test_a_rechunk_to_irregular_chunks_counts_what_it_reads_and_stays_in_memory() -> None:
    z, target = stored(zarrds.MemoryStore()), zarrds.MemoryStore()
    job = zarrds.dask.rechunk(z, target, chunks=((4, 6), 10), max_mem="1MB")
    (stage,) = job.plan.stages
    assert (stage.tasks, stage.writes, stage.reads) == (6, 6, 3 * (2 + 2))  # rows 0:4 and 4:10 each touch two chunks
    with pytest.raises(zarrds.errors.MemoryLimitError, match="choose smaller chunks") as caught:
        zarrds.dask.rechunk(z, zarrds.MemoryStore(), chunks=((4, 6), 10), max_mem=100)
    enough = int(str(caught.value.expected).split()[2])
    assert (
        zarrds.dask.rechunk(z, zarrds.MemoryStore(), chunks=((4, 6), 10), max_mem=enough).plan.projected_mem <= enough
    )


def test_a_rechunk_to_irregular_chunks_continues() -> None:
    store = zarrds.MemoryStore()
    z, target = stored(store), zarrds.MemoryStore()
    zarrds.dask.rechunk(z, target, chunks=((4, 6), 10))  # it is created, and not computed
    assert zarrds.open_array(target, mode="r").attrs["zarrds_unfinished_job"]
    half = zarrds.open_array(target, mode="r+")
    half[:4, :10] = X[:4, :10]
    before = bytes(target["c/0/0"])
    again = zarrds.dask.rechunk(z, target, chunks=((4, 6), 10))
    z[:] = -1  # what is read from now on differs
    found = again.compute()
    assert bytes(target["c/0/0"]) == before
    assert (found[4:] == -1).all()
    assert (found[:4, 10:] == -1).all()
    assert "zarrds_unfinished_job" not in found.attrs


@settings(max_examples=25)
@given(st.data())
def test_boxes_of_irregular_chunks_cover_a_region_once(data: Any) -> None:
    from zarrds._base.edges import Edges
    from zarrds.dask.rechunking.stages import boxes

    grid = tuple(data.draw(st.one_of(st.integers(1, 6), blocks(12).map(Edges.of))) for _ in range(2))
    ends = [sorted(data.draw(st.tuples(st.integers(0, 12), st.integers(0, 12)))) for _ in range(2)]
    region = tuple(slice(a, b) for a, b in ends)
    seen = np.zeros((12, 12), int)
    for box in boxes(region, grid, data.draw(st.integers(1, 8))):
        seen[box] += 1
    assert (seen[region] == 1).all()
    assert seen.sum() == seen[region].size


def test_a_job_that_stopped_writes_only_what_is_left() -> None:
    store, y = zarrds.MemoryStore(), da.from_array(X, chunks=((3, 5, 2), 10), name="fixed")
    job = zarrds.dask.to_zarr(y, store, zarr_format=3, compute=False)
    job.compute()
    target = zarrds.open_array(store, mode="r+")
    from zarrds.dask.continuing import unfinished_blocks

    del store["c/1/2"]
    del store["c/2/0"]
    assert unfinished_blocks(y.chunks, target.source()).tolist() == [[1, 2], [2, 0]]
    coarse = ((8, 2), (10, 20))
    assert unfinished_blocks(coarse, target.source()).tolist() == [[0, 1], [1, 0]]


# --- targets that grow -----------------------------------------------------------------------------------------------


def rows(count: int) -> Any:
    return np.arange(count * 6).reshape(-1, 6)


@settings(max_examples=10)
@given(st.data())
def test_an_irregular_target_grows_with_its_source(data: Any) -> None:
    first = data.draw(st.integers(2, 9))
    source = zarrds.array(rows(first), chunks=(data.draw(st.integers(1, 4)), 6), zarr_format=3)
    edges = [*data.draw(blocks(first)), *data.draw(st.lists(st.integers(1, 3), max_size=2))]
    if data.draw(st.booleans()):
        edges[-1] += 2  # it reaches past the end, and is completed
    target = zarrds.MemoryStore()
    zarrds.dask.rechunk(source, target, chunks=[edges, 4]).compute(scheduler="sync")
    for step in data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=3)):
        source.append(rows(len(source) + step)[len(source) :])
        chunks = None
        if step and data.draw(st.booleans()):
            edges = [*zarrds.open_array(target).chunks[0], *data.draw(st.lists(st.integers(1, 3), max_size=2))]
            edges += [len(source) - sum(edges)] if sum(edges) < len(source) else []
            chunks = [edges, 4]
        found = zarrds.dask.rechunk(source, target, chunks=chunks, append=True).compute(scheduler="sync")
        np.testing.assert_array_equal(found[:], rows(len(source)))
        again = zarrds.open_array(target, mode="r")
        np.testing.assert_array_equal(again[:], rows(len(source)))
        assert again.chunks[0][: len(edges)] == tuple(edges)
        edges = list(again.chunks[0])
    assert not zarrds.verify(target).problems


def test_growing_reads_what_is_new_and_the_chunk_that_is_completed() -> None:
    source = zarrds.array(rows(10), chunks=(1, 6), zarr_format=3, store=zarrds.MemoryStore())
    target = CountingStore(zarrds.MemoryStore())
    zarrds.dask.rechunk(source, target, chunks=[[3, 5, 4], 6]).compute(scheduler="sync")
    source.append(rows(20)[10:])
    counting = CountingStore(source.store)
    target.reset()
    again = zarrds.open_array(counting, mode="r")
    found = zarrds.dask.rechunk(again, target, chunks=[[3, 5, 4, 6, 2], 6], append=True).compute(scheduler="sync")
    assert found.chunks == ((3, 5, 4, 6, 2), 6)
    read = {key for verb, items in counting.counts.log if verb == "get" for key, _ in items if key.startswith("c/")}
    assert read == {f"c/{row}/0" for row in range(8, 20)}
    stored = {key for verb, items in target.counts.log if verb == "set" for key in items if key.startswith("c/")}
    assert stored == {"c/2/0", "c/3/0", "c/4/0"}


def test_shards_of_different_lengths_grow() -> None:
    source = zarrds.array(rows(10), chunks=(1, 6), zarr_format=3)
    target = zarrds.MemoryStore()
    options = {"shards": [[4, 6], 6]}
    zarrds.dask.rechunk(source, target, chunks=(2, 3), target_options=options).compute()
    source.append(rows(17)[10:])
    found = zarrds.dask.rechunk(source, target, append=True).compute()
    assert (found.chunks, found.shards) == ((2, 3), ((4, 6, 6, 2), 6))
    np.testing.assert_array_equal(found[:], rows(17))
    source.append(rows(21)[17:])
    options = {"shards": [[4, 6, 6, 2, 4], 6]}
    found = zarrds.dask.rechunk(source, target, chunks=(2, 3), target_options=options, append=True).compute()
    assert found.shards == ((4, 6, 6, 2, 4), 6)
    np.testing.assert_array_equal(found[:], rows(21))


def test_growth_that_would_move_old_chunks_is_refused() -> None:
    source = zarrds.array(rows(10), chunks=(1, 6), zarr_format=3)
    target = zarrds.MemoryStore()
    zarrds.dask.rechunk(source, target, chunks=[[3, 5, 4], 6]).compute()
    source.append(rows(20)[10:])
    before = dict(target)
    for chunks in ([[3, 5, 2, 10], 6], [[8, 4, 8], 6], (4, 6), [[3, 5, 4, 8], 3]):
        with pytest.raises(SourceChangedError, match="were asked for"):
            zarrds.dask.rechunk(source, target, chunks=chunks, append=True)
    assert dict(target) == before


def test_a_growth_that_stopped_is_continued() -> None:
    source = zarrds.array(rows(10), chunks=(1, 6), zarr_format=3, store=zarrds.MemoryStore())
    target = zarrds.MemoryStore()
    zarrds.dask.rechunk(source, target, chunks=[[3, 5, 4], 6]).compute(scheduler="sync")
    source.append(rows(20)[10:])
    grow: Any = {"chunks": [[3, 5, 4, 3, 3, 2], 6], "append": True, "retries": 0}
    faulty = FaultyStore(target, OSError("injected"), verb="set", nth=5, forever=True)
    with pytest.raises(OSError, match="injected"):
        zarrds.dask.rechunk(source, faulty, **grow).compute(scheduler="sync")
    assert zarrds.open_array(target, mode="r").shape == (10, 6)
    before = {key: value for key, value in target.items() if key.startswith("c/")}
    counting = CountingStore(target)
    found = zarrds.dask.rechunk(source, counting, **grow).compute(scheduler="sync")
    stored = {key for verb, items in counting.counts.log if verb == "set" for key in items if key.startswith("c/")}
    assert stored == {"c/2/0", *(f"c/{row}/0" for row in range(2, 6) if f"c/{row}/0" not in before)}
    assert found.chunks == ((3, 5, 4, 3, 3, 2), 6)
    np.testing.assert_array_equal(found[:], rows(20))
    assert not [key for key in target if "zarrds" in key]


def test_a_writer_that_changes_the_chunks_meanwhile_is_noticed() -> None:
    """An append of another writer to the same length, in other chunks, would be lost otherwise."""
    source = zarrds.array(rows(10), chunks=(1, 6), zarr_format=3)
    target = zarrds.MemoryStore()
    zarrds.dask.rechunk(source, target, chunks=[[3, 5, 2], 6]).compute()
    source.append(rows(20)[10:])
    job = zarrds.dask.rechunk(source, target, chunks=[[3, 5, 2, 4, 6], 6], append=True)
    zarrds.open_array(target).append(rows(20)[10:])
    with pytest.raises(ConflictError, match="chunks"):
        job.compute()
    assert zarrds.open_array(target).chunks == ((3, 5, 2, 10), 6)
