"""Arrays of Zarr v2 that zarrds writes for other implementations to read: what each is made of, and its content."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np

import zarrds

SHAPE, CHUNKS = (7, 5), (3, 4)


@dataclass(frozen=True)
class Written:
    """One array: keywords of `zarrds.create`, and its values; the last row of chunks is left to the fill value."""

    name: str
    values: Any
    options: dict[str, Any] = field(default_factory=dict)
    rows: int = 6

    def write(self, folder: Path) -> Path:
        """Write the array into its own place below `folder`."""
        options = {"chunks": CHUNKS[: self.values.ndim], "dtype": self.values.dtype, **self.options}
        z = zarrds.create(self.values.shape, store=str(folder / self.name), **options)
        z.attrs["title"] = self.name
        if self.values.ndim:
            z[: self.rows] = self.values[: self.rows]
        else:
            z[...] = self.values
        return folder / self.name

    def expected(self) -> np.ndarray:
        """What readers shall find."""
        found = self.values.copy()
        if found.ndim and "fill_value" in self.options and self.options["fill_value"] is not None:
            found[self.rows :] = self.options["fill_value"]
        elif found.ndim:
            found[self.rows :] = np.zeros((), found.dtype)[()] if found.dtype != object else ""
        return found


def _numbers(dtype: str) -> np.ndarray:
    kind = np.dtype(dtype)
    flat = np.arange(35)
    if kind.kind == "b":
        return (flat % 3 == 0).reshape(SHAPE)
    if kind.kind in "SU":
        return np.array([f"{n:x}" * (n % 3) for n in flat], kind).reshape(SHAPE)
    if kind.kind in "mM":
        return (flat * 1001).astype(kind.newbyteorder("=")).astype(kind).reshape(SHAPE)
    if kind.kind == "f":
        return (flat / 8 - 2).astype(kind).reshape(SHAPE)
    if kind.kind == "c":
        return (flat / 8 - 2j * flat).astype(kind).reshape(SHAPE)
    return (flat * 7 - (0 if kind.kind == "u" else 99)).astype(kind).reshape(SHAPE)


PLAIN = [
    "?", "|i1", "|u1", "<i2", ">i2", "<u2", ">u2", "<i4", ">i4", "<u4", ">u4", "<i8", ">i8", "<u8", ">u8",
    "<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<c8", ">c8", "<c16", ">c16",
]  # fmt: skip
TEXT_AND_TIME = ["|S3", "<U3", ">U3", "<M8[s]", ">M8[ns]", "<m8[ms]", "<M8[D]"]
STRUCTURED = {
    "flat": [("a", "<i4"), ("b", ">f8"), ("c", "S2")],
    "nested": [("p", [("x", "u1"), ("y", "<f4")]), ("q", "<i2")],
    "subarray": [("v", "<i2", (3,)), ("w", "?")],
}
CODECS: dict[str, Any] = {
    "none": None,
    "blosc-lz4": numcodecs.Blosc("lz4"),
    "blosc-lz4hc-bitshuffle": numcodecs.Blosc("lz4hc", 9, numcodecs.Blosc.BITSHUFFLE),
    "blosc-zstd": numcodecs.Blosc("zstd", 3, numcodecs.Blosc.NOSHUFFLE),
    "blosc-zlib": numcodecs.Blosc("zlib"),
    "blosc-blosclz": numcodecs.Blosc("blosclz"),
    "zlib": numcodecs.Zlib(3),
    "gzip": numcodecs.GZip(3),
    "bz2": numcodecs.BZ2(3),
    "zstd": numcodecs.Zstd(3),
    "lz4": numcodecs.LZ4(),
    "lzma": numcodecs.LZMA(),
}
FILTERS: dict[str, tuple[str, list[Any]]] = {
    "delta": ("<i4", [numcodecs.Delta("<i4")]),
    "shuffle": ("<i8", [numcodecs.Shuffle(8)]),
    "delta-shuffle": (">i4", [numcodecs.Delta(">i4"), numcodecs.Shuffle(4)]),
    "packbits": ("?", [numcodecs.PackBits()]),
    "astype": ("<f8", [numcodecs.AsType("<f4", "<f8")]),
    "fixedscaleoffset": ("<f8", [numcodecs.FixedScaleOffset(offset=0, scale=8, dtype="<f8", astype="<i4")]),
    "crc32": ("<i4", [numcodecs.CRC32()]),
}
FILLS: dict[str, tuple[str, Any]] = {
    "int": ("<i4", -7),
    "big": (">u8", 2**64 - 1),
    "bool": ("?", True),
    "nan": ("<f8", np.nan),
    "inf": (">f4", -np.inf),
    "complex": ("<c16", 1.5 - 2j),
    "bytes": ("|S3", b"ab"),
    "text": ("<U3", "éa"),
    "time": ("<M8[s]", np.datetime64("2001-02-03T04:05:06")),
    "none": ("<i2", None),
}
OBJECTS: dict[str, tuple[Any, list[Any]]] = {
    "vlen-utf8": (numcodecs.VLenUTF8(), ["", "a", "日本", "x" * 20]),
    "vlen-bytes": (numcodecs.VLenBytes(), [b"", b"a", b"\x00\xff", b"q" * 9]),
    "json": (numcodecs.JSON(), ["", "a", 1, 2.5, None, True]),
    "msgpack": (numcodecs.MsgPack(), ["", "a", 1, 2.5, None, True]),
}


def _structured(dtype: Any) -> np.ndarray:
    rng = np.random.default_rng(3)
    out = np.zeros(SHAPE, np.dtype(dtype))
    for name in out.dtype.names or ():
        if out.dtype[name].names:
            out[name] = _structured(out.dtype[name].descr)
        elif out.dtype[name].kind == "S":
            out[name] = b"xy"
        else:
            out[name] = rng.integers(0, 2, out[name].shape)
    return out


def _objects(pool: list[Any]) -> np.ndarray:
    out = np.empty(SHAPE, dtype=object)
    out[...] = np.array([pool[n % len(pool)] for n in range(35)], dtype=object).reshape(SHAPE)
    return out


def matrix() -> list[Written]:
    """Every dtype in both memory orders and with both separators; every codec, filter, fill value and object codec."""
    found = []
    for order, separator in [("C", "."), ("F", "/")]:
        for dtype in PLAIN + TEXT_AND_TIME:
            name = f"dtype-{np.dtype(dtype).str}-{order}".replace("<", "le-").replace(">", "be-").replace("|", "")
            options = {"order": order, "dimension_separator": separator, "fill_value": None}
            found.append(Written(name, _numbers(dtype), options, rows=7))
        for name, dtype in STRUCTURED.items():
            options = {"order": order, "dimension_separator": separator, "fill_value": None}
            found.append(Written(f"structured-{name}-{order}", _structured(dtype), options, rows=7))
    for name, codec in CODECS.items():
        found.append(Written(f"codec-{name}", _numbers("<i4"), {"compressor": codec, "fill_value": 5}))
    for name, (dtype, filters) in FILTERS.items():
        found.append(Written(f"filter-{name}", _numbers(dtype), {"filters": filters, "fill_value": 0}))
        bare = {"filters": filters, "fill_value": 0, "compressor": None}
        found.append(Written(f"filter-{name}-alone", _numbers(dtype), bare))
    for name, (dtype, fill) in FILLS.items():
        rows = 7 if fill is None else 3
        found.append(Written(f"fill-{name}", _numbers(dtype), {"fill_value": fill}, rows))
    for name, (codec, pool) in OBJECTS.items():
        options = {"object_codec": codec, "fill_value": None if name == "vlen-bytes" else ""}
        found.append(Written(f"object-{name}", _objects(pool), options, rows=7))
    found.append(Written("shape-0d", np.array(3.5), {"fill_value": 0}))
    found.append(Written("shape-empty", np.empty((0, 4), "<i4"), {"fill_value": 0}))
    found.append(Written("shape-3d", np.arange(60).reshape(3, 4, 5), {"fill_value": 0, "chunks": (2, 3, 4)}, rows=3))
    return found


def same(found: Any, expected: np.ndarray) -> bool:
    """Whether dtype (but for its byte order), shape and values are the same; NaN equals itself."""
    found = np.asarray(found)
    if expected.dtype == object:
        return found.shape == expected.shape and [*map(repr, found.flat)] == [*map(repr, expected.flat)]
    if found.shape != expected.shape or found.dtype.newbyteorder("=") != expected.dtype.newbyteorder("="):
        return False
    return found.astype(expected.dtype).tobytes() == expected.tobytes()
