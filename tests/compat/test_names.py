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
            "guess_chunks normalize_chunks normalize_shape normalize_storage_path normalize_dimension_separator",
        ),
        ("meta", "encode_fill_value decode_fill_value encode_dtype decode_dtype"),
        ("indexing", "BasicIndexer OrthogonalIndexer CoordinateIndexer MaskIndexer BlockIndexer ChunkProjection"),
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
