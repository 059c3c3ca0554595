"""Arrays whose chunks have different lengths along a dimension, against numpy."""

from __future__ import annotations

import gc
import json
import pickle
import threading
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zarrds
from zarrds._base.edges import Edges
from zarrds._engine import reading as reading_module
from zarrds._engine import source as source_module
from zarrds.errors import ArgumentError, MetadataError, NotSupportedError, UnsupportedFormatError

from ..engine.counting import CountingStore
from ..store.doubles import WrappedStore

lengths = st.lists(st.integers(1, 5), min_size=1, max_size=6)


def array_of(chunks: Any, shape: tuple[int, ...], store: Any = None, **options: Any) -> zarrds.Array:
    return zarrds.create(
        shape, chunks=chunks, dtype="i4", fill_value=7, zarr_format=3, store={} if store is None else store, **options
    )


def documented(z: zarrds.Array) -> Any:
    return json.loads(bytes(z.store["zarr.json"]))["chunk_grid"]


# --- against numpy ----------------------------------------------------------------------------------------------------


@st.composite
def arrays(draw: Any) -> tuple[zarrds.Array, np.ndarray[Any, Any], list[Any]]:
    """Draw an array of two dimensions, its elements, and the edges along both."""
    sharded = draw(st.booleans())
    edges: list[Any] = [draw(lengths), draw(st.one_of(lengths, st.integers(1, 5)))]
    if sharded:
        edges = [[2 * n for n in axis] if isinstance(axis, list) else 2 * axis for axis in edges]
    most = [sum(axis) if isinstance(axis, list) else 11 for axis in edges]
    shape = tuple(draw(st.integers(1, n)) for n in most)
    options = {"shards": edges, "chunks": (2, 1)} if sharded else {"chunks": edges}
    compressor = draw(st.sampled_from(["default", None]))
    z = array_of(options.pop("chunks"), shape, compressor=compressor, **options)
    return z, np.full(shape, 7, "i4"), edges


def items(length: int) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(
            lambda a, b, step: slice(min(a, b), max(a, b), step),
            st.integers(0, length),
            st.integers(0, length),
            st.integers(1, 4),
        ),
        st.integers(-length, length - 1),
    )


@settings(max_examples=60)
@given(st.data())
def test_reads_and_writes_are_numpys(data: Any) -> None:
    z, x, _ = data.draw(arrays())
    for value in range(3):
        where = tuple(data.draw(items(n)) for n in x.shape)
        z[where] = x[where] = value
        np.testing.assert_array_equal(z[where], x[where])
        points = [data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=4)) for n in x.shape]
        z.oindex[tuple(points)] = 10 + value
        x[np.ix_(*points)] = 10 + value
        count = min(map(len, points))
        pairs = tuple(np.array(some[:count]) for some in points)
        z.vindex[pairs] = x[pairs] = 20 + value
        mask = np.arange(x.size).reshape(x.shape) % data.draw(st.integers(2, 5)) == 0
        z[mask] = x[mask] = 30 + value
        np.testing.assert_array_equal(z.oindex[tuple(points)], x[np.ix_(*points)])
        np.testing.assert_array_equal(z[mask[:, 0]], x[mask[:, 0]])
        np.testing.assert_array_equal(z[:], x)
    np.testing.assert_array_equal(zarrds.open(z.store)[:], x)


@settings(max_examples=25)
@given(st.data())
def test_growing_and_shrinking_are_numpys(data: Any) -> None:
    z, x, _ = data.draw(arrays())
    z[:] = x = np.arange(x.size, dtype="i4").reshape(x.shape)
    for _ in range(3):
        axis, count = data.draw(st.integers(0, 1)), data.draw(st.integers(1, 7))
        more = np.full([count if dim == axis else n for dim, n in enumerate(x.shape)], -count, "i4")
        z.append(more, axis=axis)
        x = np.concatenate([x, more], axis)
        np.testing.assert_array_equal(zarrds.open(z.store)[:], x)
        shape = tuple(data.draw(st.integers(1, 15)) for _ in range(2))
        z.resize(shape)
        kept = tuple(map(slice, np.minimum(shape, x.shape)))
        np.testing.assert_array_equal(z[kept], x[kept])
        assert all(isinstance(axis, int) or sum(axis) >= n for axis, n in zip(z.write_unit, shape, strict=True))
        z[:] = x = np.arange(np.prod(shape), dtype="i4").reshape(shape)
        np.testing.assert_array_equal(z[:], x)


def test_blocks_are_the_chunks() -> None:
    z = array_of([[3, 5, 2], 4], (10, 6))
    z[:] = x = np.arange(60, dtype="i4").reshape(10, 6)
    np.testing.assert_array_equal(z.blocks[1, 1], x[3:8, 4:6])
    np.testing.assert_array_equal(z.blocks[-1], x[8:])
    np.testing.assert_array_equal(z.blocks[:2, 0], x[:8, :4])
    z.blocks[2, 0] = 0
    assert not z[8:, :4].any()
    assert (z.cdata_shape, z.nchunks, z.nchunks_initialized) == ((3, 2), 6, 6)
    assert [int(row[0]) for row in z] == z[:, 0].tolist()


def test_batches_and_empty_chunks() -> None:
    z = array_of([[3, 5, 2], 4], (10, 6), write_empty_chunks=False)
    with z.batch() as batch:
        for row in range(4):
            batch[row, :2] = row
    assert z[:5, 0].tolist() == [0, 1, 2, 3, 7]
    assert z.nchunks_initialized == 2
    z[:] = 7
    assert z.nchunks_initialized == 0
    assert len(z.missing_chunks()) == 6


# --- what is given, shown and stored ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "shape", "chunks", "stored"),
    [
        ([[3, 5, 2], 10], (10, 30), ((3, 5, 2), 10), [[3, 5, 2], 10]),
        (((3, 3, 3, 1),), (10,), ((3, 3, 3, 1),), [[[3, 3], 1]]),
        ([[5, 5]], (10,), ((5, 5),), [[[5, 2]]]),
        ([[[2, 3], 4]], (10,), ((2, 2, 2, 4),), [[[2, 3], 4]]),
        ([np.array([4, 9])], (10,), ((4, 9),), [[4, 9]]),
        ([[3, 5, 2]], (10, 4), ((3, 5, 2), 4), [[3, 5, 2], 4]),
        ([None, [1, 3]], (10, 4), (10, (1, 3)), [10, [1, 3]]),
        ([[3, 5]], (0,), ((3, 5),), [[3, 5]]),
    ],
)
def test_chunks_are_as_given(given: Any, shape: Any, chunks: Any, stored: Any) -> None:
    z = array_of(given, shape)
    assert z.chunks == chunks
    assert documented(z) == {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": stored}}
    assert zarrds.open(z.store).chunks == chunks
    assert zarrds.zeros_like(z).chunks == chunks
    assert pickle.loads(pickle.dumps(z.source())) == z.source()


def test_an_array_like_another_one_with_another_shape_has_chunks_to_its_end() -> None:
    z = array_of([[3, 5, 2], 4], (10, 6))
    assert zarrds.zeros_like(z, shape=(16, 6)).chunks == ((3, 5, 2, 5, 1), 4)
    assert zarrds.zeros_like(z, shape=(7, 6)).chunks == ((3, 5, 2), 4)


def test_every_function_that_creates_takes_them() -> None:
    chunks: Any = [[1, 3], 2]
    group = zarrds.group({}, zarr_format=3)
    made = [
        zarrds.zeros((4, 4), chunks=chunks, zarr_format=3),
        zarrds.array(np.ones((4, 4)), chunks=chunks, zarr_format=3),
        zarrds.open_array({}, mode="w", shape=(4, 4), chunks=chunks, zarr_format=3),
        zarrds.create_array({}, shape=(4, 4), chunks=chunks, dtype="f8"),
        group.create_dataset("a", shape=(4, 4), chunks=chunks),
        group.create_array("b", shape=(4, 4), chunks=chunks, dtype="f8"),
    ]
    assert [z.chunks for z in made] == [((1, 3), 2)] * len(made)


def test_the_report_and_the_picture() -> None:
    z = array_of([[3, 5, 2], 10], (10, 30))
    assert "((3, 5, 2), 10)" in str(z.info)
    picture = z._repr_html_()
    heights = {part.split('"')[0] for part in picture.split('height="')[2:]}
    assert len(heights & {"20.0", "33.3", "13.3"}) == 3
    many = array_of([[1, 2] * 50], (150,))
    assert "(1, 2, 1, 2, 1, ...: 100 chunks of 1 to 2)" in str(many.info)


def test_shards_have_edges_and_inner_chunks_have_not() -> None:
    z = array_of((2, 5), (10, 30), shards=[[4, 6], 10])
    assert (z.chunks, z.shards, z.write_unit) == ((2, 5), ((4, 6), 10), ((4, 6), 10))
    assert array_of(None, (10,), shards=[[4, 6]]).chunks == (2,)
    with pytest.raises(ArgumentError, match="multiple"):
        array_of((3, 5), (10, 30), shards=[[4, 6], 10])
    with pytest.raises(ArgumentError, match="one shape"):
        array_of([[2, 2], 5], (4, 30), shards=(4, 10))


@pytest.mark.parametrize("chunks", [[[3, 5]], [[]], [[0, 10]], [[-1, 11]], [[3.5, 7]], [[[2, 0], 10]], [[True, 9]]])
def test_edges_that_cannot_be(chunks: Any) -> None:
    store: dict[str, bytes] = {}
    with pytest.raises(ArgumentError, match="along dimension 0 ") as caught:
        array_of(chunks, (10,), store)
    assert caught.value.hint
    assert not store


def test_zarr_2_refuses_with_the_reason() -> None:
    with pytest.raises(ArgumentError, match=r"one shape only.*zarr_format=3"):
        zarrds.zeros((10,), chunks=[[3, 7]], zarr_format=2)


# --- documents of others ----------------------------------------------------------------------------------------------


def opened(shape: list[int], grid: dict[str, Any], **changes: Any) -> zarrds.Array:
    store: dict[str, bytes] = {}
    zarrds.create(shape, chunks=1, dtype="i4", zarr_format=3, store=store)
    document = {**json.loads(store["zarr.json"]), "chunk_grid": grid, **changes}
    store["zarr.json"] = json.dumps(document).encode()
    return zarrds.open_array(store, mode="r+")


def rectilinear(*shapes: Any) -> dict[str, Any]:
    return {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": list(shapes)}}


@pytest.mark.parametrize(
    ("grid", "chunks"),
    [
        (rectilinear(4), (4,)),
        (rectilinear([[2, 3], 4]), ((2, 2, 2, 4),)),
        (rectilinear([6, 9]), ((6, 9),)),
        (rectilinear([6, 4, 5, 5]), ((6, 4, 5, 5),)),
        ({"name": "rectangular", "configuration": {"chunk_shape": [[6, 4]]}}, ((6, 4),)),
        ({"name": "zarrs.regular_bounded", "configuration": {"chunk_shape": [4]}}, ((4, 4, 2),)),
        ({"name": "zarrs.regular_bounded", "configuration": {"chunk_shape": [5]}}, (5,)),
    ],
)
def test_spellings(grid: dict[str, Any], chunks: Any) -> None:
    z = opened([10], grid)
    assert z.chunks == chunks
    z[:] = np.arange(10)
    assert z[3:9].tolist() == [3, 4, 5, 6, 7, 8]
    z.attrs["kept"] = True
    assert documented(z) == grid


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (rectilinear([3, 5]), "sum of at least 10"),
        (rectilinear([3, 0, 7]), "at least 1"),
        (rectilinear([[5, 0], 10]), "counts of at least 1"),
        (rectilinear([[5, 2, 1]]), "length, count"),
        (rectilinear(["a"]), "length, count"),
        (rectilinear([]), "at least one"),
        (rectilinear([2**62, 2**62]), "below 2\\*\\*63"),
        (rectilinear([10], [1]), "1 dimensions"),
        ({"name": "rectilinear", "configuration": {"kind": "elsewhere", "chunk_shapes": [[10]]}}, "inline"),
    ],
)
def test_bad_documents_name_what_is_wrong(grid: dict[str, Any], said: str) -> None:
    with pytest.raises((MetadataError, UnsupportedFormatError), match=said) as caught:
        opened([10], grid)
    assert "chunk_grid" in str(caught.value)


def test_a_dimension_of_length_0_needs_no_chunks() -> None:
    z = opened([0, 4], rectilinear([], [3, 1]))
    assert (z.shape, z.cdata_shape, z[:].shape) == ((0, 4), (0, 2), (0, 4))
    z.append(np.ones((5, 4), "i4"))
    np.testing.assert_array_equal(zarrds.open_array(z.store, mode="r")[:], np.ones((5, 4)))


def test_inner_chunks_must_divide_every_shard() -> None:
    z = array_of((2,), (10,), shards=[[4, 6]])
    document = json.loads(bytes(z.store["zarr.json"]))
    document["codecs"][0]["configuration"]["chunk_shape"] = [4]
    z.store["zarr.json"] = json.dumps(document).encode()
    with pytest.raises(MetadataError, match="divisor"):
        zarrds.open(z.store)


def test_what_zarr_python_wrote() -> None:
    # Zarr-Python 3.4.2: create_array(shape=(5,), chunks=[[2, 4]], dtype="i2", compressors=None), then z[:] = range(5)
    document = {
        "shape": [5],
        "data_type": "int16",
        "chunk_grid": rectilinear([2, 4]),
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "attributes": {},
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }
    values = [b"\0\0\1\0", b"\2\0\3\0\4\0\0\0"]
    store = {"zarr.json": json.dumps(document).encode(), "c/0": values[0], "c/1": values[1]}
    assert zarrds.open(store)[:].tolist() == [0, 1, 2, 3, 4]
    z = zarrds.create(5, chunks=[[2, 4]], dtype="i2", zarr_format=3, compressor=None, store={})
    z[:] = range(5)
    assert [bytes(z.store[key]) for key in ("c/0", "c/1")] == values


# --- growing ----------------------------------------------------------------------------------------------------------


def test_an_appended_block_is_a_new_chunk_and_nothing_old_is_read() -> None:
    store = CountingStore()
    z = array_of([[3, 5, 2], 10], (10, 10), store=store)
    z[:] = 1
    store.forget()
    z.append(np.ones((4, 10), "i4"))
    assert z.chunks == ((3, 5, 2, 4), 10)
    assert {key for key, _ in store.gets if key.startswith("c/")} <= {"c/3/0"}  # to see that it is not there
    assert [key for key in store.sets if key.startswith("c/")] == ["c/3/0"]


def test_a_write_to_the_last_chunk_while_another_appends_is_kept() -> None:
    class Meanwhile(WrappedStore):
        """Writes to the last chunk just before an append stores its own."""

        armed = False

        def called(self, verb: str, keys: Any) -> None:
            if self.armed and verb == "set" and any(str(key).startswith("c/") for key in keys):
                self.armed = False
                zarrds.open_array(self.store, mode="r+")[8:10] = 5

    store = Meanwhile(zarrds.MemoryStore())
    z = array_of([[3, 5, 2]], (10,), store)
    z[:] = 0
    store.armed = True
    z.append(np.full(3, 9, "i4"))
    assert not store.armed
    assert zarrds.open_array(store.store, mode="r")[:].tolist() == [0] * 8 + [5, 5, 9, 9, 9]


def test_an_edge_that_reaches_past_the_end_is_filled_first() -> None:
    z = array_of([[3, 5]], (6,))
    z[:] = range(6)
    z.append(np.array([6, 7, 8, 9], "i4"))
    assert z.chunks == ((3, 5, 2),)
    assert z[:].tolist() == list(range(10))


def test_edges_given_beforehand_are_used_as_data_come() -> None:
    z = array_of([[3, 5, 2], 4], (0, 4))
    for count in (3, 5, 2, 6):
        z.append(np.full((count, 4), count, "i4"))
    assert z.chunks == ((3, 5, 2, 6), 4)
    assert z[:, 0].tolist() == [3] * 3 + [5] * 5 + [2] * 2 + [6] * 6


def test_shards_that_are_appended_are_whole_inner_chunks() -> None:
    z = array_of((2,), (10,), shards=[[4, 6]])
    z[:] = range(10)
    z.append(np.array([10, 11, 12], "i4"))
    assert z.shards == ((4, 6, 4),)
    z.append(np.array([13, 14], "i4"))
    assert z.shards == ((4, 6, 4, 2),)
    assert z[:].tolist() == list(range(15))


def test_resizing_adds_chunks_of_the_longest_length_and_keeps_edges() -> None:
    z = array_of([[3, 5, 2]], (10,))
    z[:] = range(10)
    z.resize(22)
    assert z.chunks == ((3, 5, 2, 5, 5, 2),)
    z.resize(7)
    assert (z.chunks, z.cdata_shape, z[:].tolist()) == (((3, 5, 2, 5, 5, 2),), (2,), list(range(7)))
    z.resize(9)
    assert z.chunks == ((3, 5, 2, 5, 5, 2),)
    assert z[8] == 7


def test_trimming_shrinks_chunks_of_their_own_length() -> None:
    z = array_of([[3, 5, 2], 4], (10, 4))
    z[:] = 1
    z.resize((5, 4), trim=True)
    z.resize((10, 4))
    assert (z[:5] == 1).all()
    assert (z[5:] == 7).all()


def test_a_failed_append_changes_nothing() -> None:
    class Bad:
        shape, dtype = (4,), np.dtype("i4")

        def __getitem__(self, part: Any) -> Any:
            raise RuntimeError("no data")

    z = array_of([[3, 5]], (8,))
    z[:] = range(8)
    before = dict(z.store)
    with pytest.raises(RuntimeError, match="no data"):
        z.append(Bad())
    assert z.chunks == ((3, 5),)
    assert zarrds.open(z.store).chunks == ((3, 5),)
    assert {key: bytes(z.store[key]) for key in before} == {key: bytes(value) for key, value in before.items()}


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_two_who_append_at_once_each_get_their_chunk(where: str, tmp_path: Any) -> None:
    store = zarrds.MemoryStore() if where == "memory" else zarrds.DirectoryStore(tmp_path / "z")
    array_of([[3]], (3,), store=store)[:] = 0
    counts = [[4, 1, 6], [2, 5, 3]]

    def work(number: int) -> None:
        own = zarrds.open_array(store, mode="r+")
        for count in counts[number]:
            own.append(np.full(count, 10 * (number + 1) + count, "i4"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    z = zarrds.open_array(store, mode="r")
    (edges,) = z.chunks
    assert edges[0] == 3
    assert sorted(edges[1:]) == [1, 2, 3, 4, 5, 6]
    starts = np.cumsum((0, *edges))
    for first, last in pairwise(starts[1:]):
        block = z[first:last]
        assert len(set(block.tolist())) == 1
        assert block[0] % 10 == last - first
    for number, own in enumerate(counts):
        order = [int(z[first]) % 10 for first in starts[1:-1] if z[first] // 10 == number + 1]
        assert order == own


def test_an_array_opened_earlier_sees_the_new_edges() -> None:
    z = array_of([[3]], (3,))
    other = zarrds.open_array(z.store, mode="r+")
    z.append(np.ones(2, "i4"))
    other.append(np.full(4, 2, "i4"))
    assert other.chunks == ((3, 2, 4),)
    assert zarrds.open(z.store)[:].tolist() == [7, 7, 7, 1, 1, 2, 2, 2, 2]


def test_synchronizers_lock_the_chunks_of_irregular_grids() -> None:
    z = array_of([[3, 5, 2]], (10,), synchronizer=zarrds.ThreadSynchronizer())
    threads = [threading.Thread(target=z.__setitem__, args=(slice(n, None, 4), n)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert z[:].tolist() == [n % 4 for n in range(10)]


# --- large grids ------------------------------------------------------------------------------------------------------


def test_a_million_edges() -> None:
    every = [1 + n % 7 for n in range(10**6)]
    z = array_of([every], (sum(every),))
    z[10**6 : 10**6 + 5] = range(5)
    assert z[10**6 - 1 : 10**6 + 5].tolist() == [7, 0, 1, 2, 3, 4]
    assert z.nchunks == 10**6
    assert z.nchunks_initialized < 5


def test_runs_cost_nothing_per_chunk() -> None:
    edges = Edges.of([[10, 10**15], 3])
    assert len(pickle.dumps(edges)) < 200
    assert (edges.count, edges.total) == (10**15 + 1, 10**16 + 3)
    assert edges.at(10**16 - 1) == (10**15 - 1, 10**16 - 10, 10)
    z = array_of([[[10, 10**15], 3]], (10**16 + 3,))
    z[10**16 - 2 :] = 1
    assert z[10**16 - 3 :].tolist() == [7, 1, 1, 1, 1, 1]
    assert z.nchunks_initialized == 2


def test_a_grid_too_long_for_a_list_is_shown_and_read() -> None:
    z = array_of([[[10, 10**15], 3]], (10**16 + 3,))
    z[10**16] = 1
    assert "1000000000000001 chunks of 3" in str(z.info)
    assert "<svg" in z._repr_html_()
    with pytest.raises(NotSupportedError, match=r"1000000000000001 chunks.*z\.info"):
        _ = z.chunks
    with pytest.raises(NotSupportedError, match="too many"):
        z.to_dask(chunks="store")
    assert z[10**16 - 1 :].tolist() == [7, 1, 7, 7]


def test_lengths_and_counts_are_any_integers() -> None:
    numbers = [(np.int64(3), np.uint8(2)), np.int32(4), [5, np.int64(1)]]
    assert Edges.of(numbers) == Edges.of([(3, 2), 4, (5, 1)])
    z = zarrds.zeros((15,), chunks=[numbers], zarr_format=3)
    assert z.chunks == ((3, 3, 4, 5),)
    for wrong in ([(np.float64(3), 2)], [(True, 2), 4], ["34"], [(3, 2, 1)]):
        with pytest.raises(ArgumentError, match="no lengths of chunks"):
            Edges.of(wrong)


def test_a_read_keeps_few_shapes_of_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A grid may have as many shapes as chunks: a long read must not keep a codec for each."""
    lengths = list(range(1, 17))
    store: dict[str, bytes] = {}
    array_of([lengths], (136,), store)[:] = np.arange(136)
    monkeypatch.setattr(source_module, "MOST_SHAPES", 2)
    monkeypatch.setattr(reading_module, "MOST_SHAPES", 2)
    calls: list[Any] = []
    counts = []
    made = source_module.OpenSource._of_shape

    def noted(self: Any, shape: Any) -> Any:
        calls.append(shape)
        if len(calls) in (8, 16):  # to look at every object takes long
            alive = [found for found in gc.get_objects() if type(found) is source_module.OpenSource]
            counts.append(sum(found.store is self.store for found in alive))
        return made(self, shape)

    monkeypatch.setattr(source_module.OpenSource, "_of_shape", noted)
    again = zarrds.open_array(store, mode="r")
    with zarrds.config_context(threads=1):
        np.testing.assert_array_equal(again[:], np.arange(136))
    assert len(calls) == 16
    assert max(counts) <= 6


@pytest.mark.parametrize(
    "pairs", [[[2, 2**62]], [[1, 10**18]] * 20, [10**18] * 20, [[3, 10**18], [4, 10**18], [3, 10**18]]]
)
def test_sums_that_are_too_large_are_refused(pairs: Any) -> None:
    with pytest.raises(ArgumentError, match="below"):
        Edges.of(pairs)
    text = json.dumps(pairs * 4000)  # as long as those that are parsed as arrays
    store: dict[str, bytes] = {}
    array_of(1, (10,), store)
    document = json.dumps({**json.loads(store["zarr.json"]), "chunk_grid": rectilinear("HERE")})
    store["zarr.json"] = document.replace('"HERE"', text).encode()
    with pytest.raises(MetadataError, match="below"):
        zarrds.open_array(store, mode="r")


def test_documents_with_many_lengths_are_not_all_kept_in_memory() -> None:
    from zarrds._format.v3.document import _parsed_long, _parsed_short

    _parsed_long.cache_clear()
    before = _parsed_short.cache_info().currsize
    z = array_of([[1, 2] * 20_000], (60_000,))
    for _ in range(8):
        z.append(np.ones(2, "i4"))
        zarrds.open_array(z.store, mode="r")
    assert _parsed_long.cache_info().currsize <= 4
    assert _parsed_short.cache_info().currsize - before <= 1
    assert z.cdata_shape == (40_008,)


@given(lengths, st.data())
def test_finding_chunks(edges: list[int], data: Any) -> None:
    found, borders = Edges.of(edges), np.cumsum((0, *edges))
    positions = np.arange(borders[-1])
    expected = np.searchsorted(borders, positions, "right") - 1
    numbers, starts, sizes = found.find(positions)
    assert numbers.tolist() == expected.tolist()
    assert starts.tolist() == borders[expected].tolist()
    assert sizes.tolist() == np.array(edges)[expected].tolist()
    assert [found.at(int(at)) for at in positions] == list(zip(numbers, starts, sizes, strict=True))
    assert found.borders(0, len(edges)).tolist() == borders.tolist()
    assert found.lengths() == tuple(edges)
    assert Edges.of(found.to_json()) == found
    length = data.draw(st.integers(0, int(borders[-1])))
    assert sum(found.within(length)) == length
    assert found.count_within(length) == len([b for b in borders[:-1] if b < length])
