"""Names that programs for Zarr-Python 2 import although its manual does not have them."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("storage", "BaseStore StoreLike"),
        (
            "util",
            "guess_chunks normalize_chunks normalize_shape normalize_storage_path normalize_dimension_separator "
            "buffer_size TreeViewer",
        ),
        ("meta", "encode_fill_value decode_fill_value encode_dtype decode_dtype"),
        ("indexing", "BasicIndexer OrthogonalIndexer CoordinateIndexer MaskIndexer BlockIndexer ChunkProjection"),
        ("indexing", "IntDimIndexer SliceDimIndexer is_integer_list is_slice replace_ellipsis"),  # cubed
        ("indexing", "ensure_tuple is_coordinate_selection is_mask_selection pop_fields"),
        ("context", "Context"),
    ],
)
def test_they_are_where_programs_look(module: str, names: str) -> None:
    found = importlib.import_module(f"zarrds.{module}")
    assert [name for name in names.split() if not hasattr(found, name)] == []


def test_they_cost_nothing_before_somebody_asks() -> None:
    program = "import sys, zarrds; print([m for m in sys.modules if m.startswith(('zarrds.compat', 'zarrds.util'))])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_arrays_and_stores_answer_to_private_names(tmp_path: Path, separator: str, zarr_format: int) -> None:
    store = zarrds.storage.FSStore(str(tmp_path), mode="w", dimension_separator=separator)
    assert zarrds.group(store=store, zarr_format=zarr_format)._store._dimension_separator == separator
    z = zarrds.open_group(store, mode="r+").zeros("a", shape=(4, 4), chunks=2, dimension_separator=separator)
    z[:] = 1
    assert (z._dimension_separator, z._version) == (separator, zarr_format)
    assert z._chunk_key((1, 0)) in store


@pytest.mark.parametrize("value", [0, -1.5, float("nan"), float("-inf"), None])
def test_fill_values_of_documents(value: float | None) -> None:
    meta = importlib.import_module("zarrds.meta")
    text = meta.encode_fill_value(value, np.dtype("f4"))
    found = meta.decode_fill_value(text, np.dtype("f4"))
    assert found is None if value is None else np.array_equal(found, value, equal_nan=True)


@pytest.mark.parametrize("dtype", ["<i4", "|S3", "<M8[s]", [("a", "<f8"), ("b", "|i1")]])
def test_data_types_of_documents(dtype: object) -> None:
    meta = importlib.import_module("zarrds.meta")
    assert meta.decode_dtype(meta.encode_dtype(np.dtype(dtype))) == np.dtype(dtype)


@pytest.mark.parametrize(
    ("indexer", "selection", "read"),
    [
        ("BasicIndexer", (slice(1, 8, 2), 3), lambda x, s: x[s]),
        ("OrthogonalIndexer", ([1, 6], slice(2, 9)), lambda x, s: x[np.ix_(s[0], range(10))][:, s[1]]),
        ("CoordinateIndexer", ([1, 6, 9], [9, 0, 3]), lambda x, s: x[s]),
        ("MaskIndexer", np.eye(10, dtype=bool), lambda x, s: x[s]),
    ],
)
@pytest.mark.parametrize("chunks", [(3, 4), ([2, 5, 3], 4)])
def test_indexers_say_where_a_selection_is(indexer: str, selection: object, read, chunks: Any) -> None:
    x = np.arange(100).reshape(10, 10)
    z = zarrds.array(x, chunks=chunks, zarr_format=2 if chunks == (3, 4) else 3)
    made = getattr(importlib.import_module("zarrds.indexing"), indexer)(selection, z)
    out = np.zeros(made.shape, x.dtype)
    for coords, chunk_part, out_part in made:
        out[out_part] = z.blocks[coords][chunk_part]
    np.testing.assert_array_equal(out, read(x, selection))


def test_a_wrong_separator_is_refused() -> None:
    util = importlib.import_module("zarrds.util")
    assert util.normalize_dimension_separator(None) is None
    with pytest.raises(ValueError, match="found '-'"):
        util.normalize_dimension_separator("-")


def test_chunks_by_the_names_that_programs_use() -> None:  # fibsem-tools
    util = importlib.import_module("zarrds.util")
    assert util.guess_chunks((1000, 1000), typesize=8) == zarrds.zeros((1000, 1000)).chunks
    assert util.normalize_chunks((10, None), (100, 50), typesize=8) == (10, 50)
    assert (util.buffer_size(b"abc"), util.buffer_size(np.zeros(3))) == (3, 24)
    with pytest.raises(TypeError):
        util.buffer_size("abc")


@pytest.mark.parametrize(
    "given",
    [
        {"shape": (4, 6), "chunks": 2, "dtype": "f4", "fill_value": None},
        {"shape": 3, "dtype": [("a", "i2"), ("b", "S2")], "fill_value": (1, b"x"), "dimension_separator": "/"},
        {"shape": 3, "dtype": str},
        {"shape": (), "dtype": "M8[D]", "order": "F", "compressor": None},
    ],
)
def test_documents_of_arrays_there_and_back(given: Any) -> None:
    meta = importlib.import_module("zarrds.meta")
    z = zarrds.create(**given)
    document = z.store[".zarray"]
    found = meta.decode_array_metadata(document)
    assert (found["shape"], found["chunks"], found["dtype"], found["order"]) == (z.shape, z.chunks, z.dtype, z.order)
    np.testing.assert_equal(found["fill_value"], z.fill_value)
    assert meta.encode_array_metadata(found) == document
    assert meta.decode_array_metadata(meta.parse_metadata(bytes(document).decode())) == found or z.dtype.kind == "M"


def test_documents_of_groups_and_wrong_ones() -> None:
    meta = importlib.import_module("zarrds.meta")
    assert meta.encode_group_metadata() == zarrds.group().store[".zgroup"]
    assert meta.decode_group_metadata({"zarr_format": 2}) == {"zarr_format": 2}
    for decode in (meta.decode_group_metadata, meta.decode_array_metadata):
        with pytest.raises(zarrds.errors.MetadataError, match="found 3"):
            decode(b'{"zarr_format": 3}')
    with pytest.raises(zarrds.errors.MetadataError, match="not valid JSON"):
        meta.parse_metadata("{")
    with pytest.raises(zarrds.errors.MetadataError, match="expected object"):
        meta.decode_array_metadata("[1]")
    with pytest.raises(zarrds.errors.MetadataError, match="dtype"):
        meta.decode_array_metadata({"zarr_format": 2})


@pytest.mark.parametrize("length", [0, 1, 9, 10])
@pytest.mark.parametrize(
    "selection",
    [slice(None), slice(1, 8, 3), slice(-2, None), slice(3, 3), 0, -1, [0], np.array([0, 0]), "odd"],
    ids=str,
)
def test_indexers_of_one_dimension(length: int, selection: Any) -> None:
    indexing = importlib.import_module("zarrds.indexing")
    if isinstance(selection, str):
        selection = np.arange(length) % 2 == 1
    if length == 0 and not isinstance(selection, slice) and len(np.atleast_1d(selection)):
        with pytest.raises(IndexError):
            indexing.OrthogonalIndexer((selection,), np_like(length))
        return
    found = indexing.OrthogonalIndexer((selection,), np_like(length)).dim_indexers[0]
    x = np.arange(length)
    expected = np.atleast_1d(x[selection])
    assert (found.nitems, found.nchunks) == (len(expected), -(-length // 4))
    out = np.zeros(len(expected), int)
    for at, chunk_part, out_part in found:
        part = x[at * 4 : at * 4 + 4][chunk_part]
        out[slice(None) if out_part is None else out_part] = part
    np.testing.assert_array_equal(out, expected)
    if isinstance(selection, slice):
        assert x[found.start : found.stop : found.step].tolist() == expected.tolist()
        assert isinstance(found, indexing.SliceDimIndexer)


def np_like(length: int) -> Any:
    """Return what programs pass to an indexer that have no array at hand."""
    return type("Adapter", (), {"_shape": (length,), "_chunks": (4,)})()


def test_indexers_say_what_they_select_in_each_dimension() -> None:
    indexing = importlib.import_module("zarrds.indexing")
    z = zarrds.zeros((10, 10, 10), chunks=(3, 4, 5))
    kinds = [type(one).__name__ for one in indexing.OrthogonalIndexer((..., [1, 7], 2), z).dim_indexers]
    assert kinds == ["SliceDimIndexer", "IntArrayDimIndexer", "IntDimIndexer"]
    assert [one.dim_chunk_len for one in indexing.BasicIndexer((1,), z).dim_indexers] == [3, 4, 5]
    with pytest.raises(IndexError):
        indexing.IntDimIndexer(10, 10, 3)
    with pytest.raises(IndexError):
        indexing.SliceDimIndexer(slice(None, None, -1), 10, 3)


def test_questions_about_selections() -> None:  # answers that Zarr-Python 2.17.2 gives
    indexing = importlib.import_module("zarrds.indexing")
    z = zarrds.zeros((4, 6))
    asked = [0, True, np.int8(3), 1.0, [0], [], [1.0], np.array([1]), np.array(1), np.array([True]), slice(2), None]
    yes = [True, True, True, *[False] * 9]
    assert [indexing.is_integer(x) for x in asked] == yes
    assert [at for at, x in enumerate(asked) if indexing.is_integer_list(x)] == [4]
    assert [at for at, x in enumerate(asked) if indexing.is_integer_array(x)] == [7, 8]
    assert [at for at, x in enumerate(asked) if indexing.is_bool_array(x)] == [9]
    assert [at for at, x in enumerate(asked) if indexing.is_slice(x)] == [10]
    assert not indexing.is_integer_array(np.uint8(1))
    assert not indexing.is_integer_array(np.arange(3), ndim=2)
    assert indexing.is_coordinate_selection((0, np.array([1])), z)
    assert not indexing.is_coordinate_selection(([0], 1), z)
    assert indexing.is_mask_selection((np.ones((4, 6), bool),), z)
    assert not indexing.is_mask_selection(np.ones((4, 6), bool), z)
    assert indexing.ensure_tuple([1]) == ([1],)
    assert indexing.pop_fields("a") == ("a", ())
    assert indexing.pop_fields(()) == ([], ())
    assert indexing.pop_fields((0, "a")) == ("a", 0)
    assert indexing.pop_fields((0, 1)) == ([], (0, 1))
    assert indexing.pop_fields((slice(None), "a", "b")) == (["a", "b"], slice(None))
    assert indexing.replace_ellipsis((..., 0), (4, 6)) == (slice(None), 0)
    assert indexing.replace_ellipsis((), (4, 6)) == (slice(None), slice(None))
    for wrong in ((..., ...), (0, 0, 0)):
        with pytest.raises(IndexError):
            indexing.replace_ellipsis(wrong, (4, 6))
