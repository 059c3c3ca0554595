"""Which chunks are empty, and need not be stored: bits decide, in every format and however they are written."""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da
import numcodecs
import numpy as np
import pytest

import zarrds
import zarrds.dask
from zarrds._engine import write
from zarrds._plan import plan_selection
from zarrds._store.wrappers.n5 import N5Mapping

BITS = {
    "f2": ("u2", [0x7E01, 0x7D01, 0xFE00, 0x8000]),
    "f4": ("u4", [0x7FC00002, 0x7F800001, 0xFFC00000, 0x80000000]),
    "f8": ("u8", [0x7FF8000000000001, 0x7FF0000000000001, 0xFFF8000000000000, 0x8000000000000000]),
}
"""For each dtype three NaNs that differ from ``np.nan``, one of them signalling, and negative zero."""

LAYOUTS: dict[str, dict[str, Any]] = {
    "2": {"zarr_format": 2},
    "3": {"zarr_format": 3},
    "shards": {"zarr_format": 3, "shards": 4},
    "n5": {"zarr_format": 2},
}


def _values() -> list[np.ndarray[Any, Any]]:
    """Arrays of 8 equal items."""
    found = []
    for order in "<>":
        for name, (unsigned, patterns) in BITS.items():
            for pattern in patterns:
                one = np.array([pattern], order + unsigned).view(order + name)
                found.append(one)
                if name != "f2":
                    halves = np.array([np.nan, 0], order + name)
                    halves[:1] = one
                    found.append(halves.view(f"{order}c{2 * one.itemsize}"))
                record = np.zeros(1, [("a", f"{order}i2"), ("b", one.dtype)])
                record["b"] = one
                found.append(record)
    return [np.repeat(one, 8) for one in found]


def _append(z: zarrds.Array, values: np.ndarray[Any, Any]) -> None:
    z.resize(3)
    z[:] = values[:3]
    z.append(values[3:])


def _batch(z: zarrds.Array, values: np.ndarray[Any, Any]) -> None:
    with z.batch():
        for place, value in enumerate(values):
            z[place] = value


def _trim(z: zarrds.Array, values: np.ndarray[Any, Any]) -> None:
    z[:] = values
    z.resize(5, trim=True)
    z.append(values[5:])


WAYS: dict[str, Any] = {
    "array": lambda z, values: z.__setitem__(slice(None), values),
    "scalar": lambda z, values: z.__setitem__(..., values[0]),
    "points": lambda z, values: z.vindex.__setitem__(np.arange(8)[::-1], values),
    "parts": lambda z, values: [z.__setitem__(slice(n, None, 2), values[n::2]) for n in (0, 1)],
    "append": _append,
    "batch": _batch,
    "trim": _trim,
}


def _fills(dtype: np.dtype[Any], layout: str) -> tuple[Any, ...]:
    if layout == "n5":
        return (0,) if dtype.kind == "f" and dtype.itemsize > 2 else ()
    return ((0, np.nan),) if dtype.names else (0, np.nan)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_bits_come_back(layout: str, way: str) -> None:
    for values in _values():
        for fill in _fills(values.dtype, layout):
            store = N5Mapping(zarrds.MemoryStore()) if layout == "n5" else {}
            options = {"chunks": 2, "dtype": values.dtype, "fill_value": fill, "write_empty_chunks": False}
            z = zarrds.create(8, store=store, **options, **LAYOUTS[layout])
            WAYS[way](z, values)
            assert z[:].astype(values.dtype).tobytes() == values.tobytes(), (values.dtype, fill)


@pytest.mark.parametrize("layout", ["2", "3", "shards"])
def test_what_has_the_bits_of_the_fill_value_is_left_out(layout: str) -> None:
    for dtype in ("<f2", ">f4", "<f8", "c8", ">c16", [("a", "f4"), ("b", "i2")]):
        store: dict[str, Any] = {}
        fill = (np.nan, 3) if isinstance(dtype, list) else np.nan
        options = {"chunks": 2, "dtype": dtype, "fill_value": fill, "write_empty_chunks": False}
        z = zarrds.create(8, store=store, **options, **LAYOUTS[layout])
        z[:] = z[:]
        z[...] = z.fill_value
        assert z.nchunks_initialized == 0


@pytest.mark.parametrize("layout", ["2", "3", "shards"])
def test_dask_copies_and_conversions_keep_bits(layout: str) -> None:
    values = np.array([0x7F800001, 0x7F800001, 0x7FC00000, 0x7FC00000], "u4").view("f4")
    lazy = da.from_array(values, chunks=4)
    options = {"fill_value": np.nan, "chunks": 2, **LAYOUTS[layout]}
    store: dict[str, Any] = {}
    root = zarrds.open_group(store, mode="w", zarr_format=options["zarr_format"])
    with dask.config.set(scheduler="sync"):
        zarrds.dask.to_zarr(lazy, root.store, path="a", write_empty_chunks=False, **options)
    assert root["a"][:].tobytes() == values.tobytes()
    source = root.create_dataset("b", data=values, **options)
    zarrds.copy(source, root, name="c", write_empty_chunks=False)
    assert root["c"][:].tobytes() == values.tobytes()
    dest: dict[str, Any] = {}
    zarrds.convert(store, dest, to=5 - options["zarr_format"])
    for name in "abc":
        assert zarrds.open_group(dest, mode="r")[name][:].tobytes() == values.tobytes()


@pytest.mark.parametrize(
    ("fill", "other"),
    [
        (0.0, -0.0),
        (np.nan, -1.5),
        ([1], [True]),
        ([0.0], [-0.0]),
        ({"a": 1}, {"a": 1.0}),
    ],
)
def test_objects_that_are_equal_only_are_stored(fill: Any, other: Any) -> None:
    z = zarrds.create(2, chunks=1, dtype=object, object_codec=numcodecs.JSON(), fill_value=0, write_empty_chunks=False)
    z.fill_value = fill
    z[0] = other
    z[1] = fill
    assert z.nchunks_initialized == 1
    assert repr(z[0]) == repr(other)


@pytest.mark.parametrize("options", [{"chunks": 2}, {"zarr_format": 3, "chunks": 1, "shards": 2}])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_write_says_how_many_chunks_it_stores(options: dict[str, Any], threads: int) -> None:
    z = zarrds.zeros(20, dtype="i4", **options)
    source, values = z.source().open(), np.zeros(20, "i4")
    values[[1, 2, 3, 19]] = 1
    for region, stored in ((slice(0, 20), 3), (slice(0, 1), 1), (slice(6, 8), 0), (slice(6, 10), 0)):
        plan = plan_selection(region, z.shape, z.source().meta.write_unit, "basic")
        assert write(source, plan, values[region], threads=threads, write_empty_chunks=False) == stored
    assert z.nchunks_initialized == 3
