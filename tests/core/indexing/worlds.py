"""Random arrays in random stores, and the numpy array that each should equal."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numcodecs
import numpy as np
from hypothesis import strategies as st

import zarrds
from tests.store.doubles import WrappedStore
from zarrds._store.base import StoreProfile
from zarrds.storage import DirectoryStore, FSStore, MemoryStore

_names = itertools.count()


class NetworkDouble(WrappedStore):
    """A store in memory that says it is on a network: large windows, batches, prefetching."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.profile = StoreProfile("network", native_batch=True, native_ranges=True)


class RangesDouble(WrappedStore):
    """A store in memory that says that ranges are cheap."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.profile = StoreProfile("disk", native_ranges=True)


@contextmanager
def opened_store(kind: str) -> Iterator[Any]:
    """A new, empty store of a kind; files are deleted at the end."""
    if kind == "directory":
        folder = tempfile.mkdtemp()
        try:
            yield DirectoryStore(folder)
        finally:
            shutil.rmtree(folder)
    elif kind == "fs":
        name = f"memory://worlds-{next(_names)}"
        store = FSStore(name)
        try:
            yield store
        finally:
            store.clear()
    else:
        yield {"dict": dict, "memory": MemoryStore, "network": NetworkDouble, "ranges": RangesDouble}[kind]()


STORES = ["dict", "memory", "directory", "fs", "network", "ranges"]

# --- kinds of items ---------------------------------------------------------------------------------------------------

PLAIN = [
    "?", "i1", "u1", "<i2", ">u2", "<i4", ">i4", "<i8", ">u8", "<f2", "<f4", ">f4", "<f8", ">f8", "<c8", ">c16",
    "S3", "<U2", ">U3", "<M8[s]", ">M8[D]", "<m8[ms]", "V5",
]  # fmt: skip
STRUCTURED = [
    [("a", "<i4"), ("b", ">f8"), ("c", "S2")],
    [("p", [("x", "u1"), ("y", "<f4")]), ("q", "<i2")],
    [("v", "<i2", (3,)), ("w", "?")],
]
OBJECTS: dict[str, Any] = {
    "text": (numcodecs.VLenUTF8(), ["", "a", "bc", "déjà", "日本", "xyz" * 3], "z"),
    "bytes": (numcodecs.VLenBytes(), [b"", b"a", b"bc\x00", b"\xff" * 4], None),  # has no fill value in JSON
    "json": (numcodecs.JSON(), ["", "a", 1, 2.5, True, None], "j"),
    "msgpack": (numcodecs.MsgPack(), ["", "a", 1, 2.5, True, None], "m"),
}


@dataclass(frozen=True)
class Items:
    """What an array holds: its dtype, how it is created, and where values for it come from."""

    dtype: Any
    codec: Any = None
    pool: tuple[Any, ...] = ()
    fills: tuple[Any, ...] = ()

    def values(self, shape: tuple[int, ...], seed: int) -> np.ndarray:
        """Random values of that shape; floats hold NaN of several kinds and both zeros."""
        rng = np.random.default_rng(seed)
        if self.codec is not None:
            out = np.empty(shape, dtype=object)
            out[...] = rng.choice(np.array(self.pool, dtype=object), shape)
            return out
        dtype = np.dtype(self.dtype)
        flat = np.frombuffer(rng.bytes(prod(shape) * dtype.itemsize), dtype)
        if rng.integers(2):  # runs of equal items compress, and chunks that are all fill occur
            flat = flat[np.zeros(flat.size, dtype=int)] if flat.size else flat
        return _legal(flat, rng).reshape(shape)


def _legal(flat: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random bytes made items that numpy itself could have made."""
    dtype = flat.dtype
    if dtype.names is not None:
        out = np.zeros(flat.shape, dtype)
        for name in dtype.names:
            out[name] = _legal(np.ascontiguousarray(flat[name]), rng)
        return out
    if dtype.kind == "b":
        return (flat.view("u1") % 2).astype("?")
    if dtype.kind == "U":
        return rng.choice(np.array(["", "a", "bc", "é"], dtype), flat.shape)
    return flat


def _fills(dtype: Any) -> tuple[Any, ...]:
    dtype = np.dtype(dtype)
    if dtype.names is not None:
        return (None, np.ones((), dtype)[()])
    if dtype.kind in "fc":
        return (0, None, -0.0, np.nan, 1.5)
    return (0, None, True) if dtype.kind == "b" else (None, _one(dtype))


def _one(dtype: np.dtype[Any]) -> Any:
    return np.frombuffer(b"\x01" * dtype.itemsize, dtype)[0] if dtype.kind not in "U" else np.array("b", dtype)[()]


@st.composite
def items(draw: st.DrawFn) -> Items:
    group = draw(st.sampled_from(["plain", "plain", "plain", "structured", "objects"]))
    if group == "objects":
        codec, pool, fill = OBJECTS[draw(st.sampled_from(sorted(OBJECTS)))]
        return Items(object, codec, tuple(pool), (fill,))
    dtype = draw(st.sampled_from(PLAIN if group == "plain" else STRUCTURED))
    return Items(np.dtype(dtype), fills=_fills(dtype))


# --- arrays -----------------------------------------------------------------------------------------------------------

COMPRESSORS = [
    None,
    numcodecs.Blosc("lz4"),
    numcodecs.Blosc("zstd", shuffle=numcodecs.Blosc.BITSHUFFLE),
    numcodecs.Blosc("blosclz", shuffle=numcodecs.Blosc.NOSHUFFLE, blocksize=16),
    numcodecs.Zlib(1),
    numcodecs.Zstd(1),
    numcodecs.LZ4(),
]


@dataclass
class World:
    """An array, and the numpy array that it should equal."""

    z: Any
    model: np.ndarray
    items: Items
    options: dict[str, Any] = field(default_factory=dict)


@st.composite
def options(draw: st.DrawFn, kind: Items, chunks: tuple[int, ...]) -> dict[str, Any]:
    """Keywords of `zarrds.create` for arrays of that kind."""
    fill = draw(st.sampled_from(kind.fills))
    filters: Any = None
    if kind.codec is None and kind.dtype.kind in "iu" and draw(st.booleans()):
        filters = [numcodecs.Delta(kind.dtype)]
    elif kind.codec is None and kind.dtype.kind != "V" and draw(st.integers(0, 4)) == 0:
        filters = [numcodecs.Shuffle(kind.dtype.itemsize)]
    found = {
        "chunks": chunks,
        "dtype": kind.dtype,
        "order": draw(st.sampled_from("CF")),
        "compressor": draw(st.sampled_from(COMPRESSORS)),
        "filters": filters,
        "fill_value": fill,
        "dimension_separator": draw(st.sampled_from([None, ".", "/"])),
        "write_empty_chunks": draw(st.booleans()),
    }
    if kind.codec is not None:
        found["object_codec"] = kind.codec
    return found


def filled(kind: Items, shape: tuple[int, ...], fill: Any) -> np.ndarray:
    """An array of the fill value, or of what stands for an undefined one."""
    model = np.empty(shape, dtype=kind.dtype)
    if fill is None and kind.dtype == object:
        model[...] = None
    elif fill is None:
        model[...] = np.zeros((), dtype=kind.dtype)
    else:
        model[...] = fill
    return model


@contextmanager
def opened_world(
    store: str, kind: Items, shape: tuple[int, ...], keywords: dict[str, Any], seed: int
) -> Iterator[World]:
    """A new array, empty, written in full, or in part, as `seed` has it."""
    with opened_store(store) as opened:
        z = zarrds.create(shape, store=opened, **keywords)
        if seed % 2:
            z = zarrds.Array(opened, partial_decompress=True, write_empty_chunks=keywords["write_empty_chunks"])
        world = World(z, filled(kind, shape, keywords["fill_value"]), kind, keywords)
        if seed % 3:
            part = tuple(slice(0, n - (n > 1 and seed % 3 == 2)) for n in shape) or Ellipsis
            value = kind.values(world.model[part].shape, seed)
            z[part] = value
            world.model[part] = value
        yield world


def assert_same(found: Any, expected: np.ndarray) -> None:
    """Same shape and dtype, and the same bytes, or for objects the same items of the same types."""
    if isinstance(found, np.generic) and not isinstance(found, np.void):
        assert found.dtype == expected.dtype.newbyteorder("=") or found.dtype.kind in "SU"
        found = np.asarray(found, expected.dtype)  # scalars have no byte order, and text its own length
    found = np.asarray(found, dtype=object if expected.dtype == object else None)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    if expected.dtype == object:
        assert _typed(found) == _typed(expected)
    else:
        assert found.tobytes() == expected.tobytes()


def _typed(array: np.ndarray) -> list[Any]:
    """Items with their types; None stands for no bytes, which is how it comes back once its chunk is stored."""
    return [(type(item), item) for item in (b"" if item is None else item for item in array.flat)]
