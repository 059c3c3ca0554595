"""Makes the golden stores: ``python -m tests.golden.make 0.1.0`` writes ``0.1.0.tar.xz`` and ``0.1.0.json`` here.

With ``0.1.0-codecs`` it writes such a pair of the stores that have every codec.

A release adds a pair of its own and never changes those of others: later ones must go on reading what it wrote.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np

import zarrds

RECORD = [("a", "<i4"), ("b", "S3"), ("c", "<f8")]


def _count(dtype: Any, shape: Any = (3, 5)) -> np.ndarray[Any, Any]:
    return np.arange(np.prod(shape)).astype(dtype).reshape(shape)


def _floats() -> np.ndarray[Any, Any]:
    return np.array([0.1, -0.0, np.inf, -np.inf, np.nan, 1e-40, 3.0], "f4")


def _texts() -> np.ndarray[Any, Any]:
    return np.array(["", "a", "zwölf", "𝄞", "end"], dtype=object)


def _bytes() -> np.ndarray[Any, Any]:
    return np.array([b"", b"\x00\xff", b"end"], dtype=object)


Arrays = dict[str, tuple[Any, dict[str, Any]]]

BOTH: Arrays = {
    "int8": (_count("i1"), {"fill_value": -1}),
    "uint64": (_count("u8") + np.uint64(2**63), {"fill_value": 2**64 - 1}),
    "bool": (_count("i1") % 3 == 0, {}),
    "float16": (_count("f2"), {"fill_value": np.nan}),
    "float32": (_floats(), {"chunks": 4, "fill_value": -np.inf}),
    "complex": (_count("c8") * 1j, {"fill_value": 1 + 2j}),
    "dates": (_count("M8[D]"), {}),
    "unicode": (_count("U3"), {"fill_value": "ü"}),
    "fixed": (_count("S3"), {"fill_value": b"x"}),
    "record": (np.array([(n, str(n), n / 2) for n in range(5)], RECORD), {"chunks": 2}),
    "0-d": (np.array(7, "i4"), {"chunks": ()}),
    "empty": (np.zeros((0, 3), "i4"), {"chunks": (1, 3)}),
    "text": (_texts(), {"chunks": 2, "dtype": str}),
    "bytes": (_bytes(), {"chunks": 2, "dtype": bytes}),
    "zstd": (_count("i4"), {"compressor": numcodecs.Zstd(1)}),
    "gzip": (_count("i4"), {"compressor": numcodecs.GZip(1)}),
    "blosc": (_count("i4"), {"compressor": numcodecs.Blosc("zlib", 1, 2)}),
    "plain": (_count("i4"), {"compressor": None}),
}
FORMAT_2: Arrays = {
    **BOTH,
    "big": (_count(">i4"), {}),
    "F": (_count("i4"), {"order": "F"}),
    "nested": (_count("i4"), {"dimension_separator": "/"}),
    "delta": (_count("i4"), {"filters": [numcodecs.Delta("i4")], "compressor": numcodecs.Zlib(1)}),
    "lzma": (_count("i4"), {"compressor": numcodecs.LZMA(preset=1)}),
    "json": (np.array([[1], {"a": None}, "x"], dtype=object), {"chunks": 2, "object_codec": numcodecs.JSON()}),
    "undefined": (_count("i4"), {"fill_value": None}),
}
FORMAT_3: Arrays = {
    **BOTH,
    "named": (_count("i4"), {"dimension_names": ("y", None)}),
    "turned": (_count("i4", (2, 3, 2)), {"filters": [{"name": "transpose", "configuration": {"order": [1, 2, 0]}}]}),
    "big": (_count("i4"), {"serializer": {"name": "bytes", "configuration": {"endian": "big"}}}),
    "checked": (_count("i4"), {"compressors": [{"name": "crc32c"}]}),
    "keys of 2": (_count("i4"), {"chunk_key_encoding": "v2"}),
    "dots": (_count("i4"), {"chunk_key_encoding": {"name": "default", "separator": "."}}),
    "shards": (_count("i4", (6, 5)), {"shards": (4, 4)}),
    "shards of text": (_texts(), {"chunks": 1, "shards": 4, "dtype": str}),
    "sparse shards": (np.array([0] * 12 + [5] + [0] * 3), {"chunks": 2, "shards": 8}),
    "index first": (
        _count("i4"),
        {
            "chunks": (4, 4),
            "codecs": [
                {
                    "name": "sharding_indexed",
                    "configuration": {
                        "chunk_shape": [2, 4],
                        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
                        "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
                        "index_location": "start",
                    },
                }
            ],
        },
    ),
}
N5: Arrays = {
    "int16": (_count("i2"), {"compressor": numcodecs.GZip(1)}),
    "float64": (_count("f8"), {"compressor": None}),
    "zstd": (_count("u4"), {"compressor": numcodecs.Zstd(1)}),
}


def _named(name: str, **configuration: Any) -> dict[str, Any]:
    return {"name": name, "configuration": configuration}


def _sharding(inner: list[int], codecs: list[Any], index: list[Any], place: str) -> dict[str, Any]:
    return _named("sharding_indexed", chunk_shape=inner, codecs=codecs, index_codecs=index, index_location=place)


_LITTLE, _BIG = _named("bytes", endian="little"), _named("bytes", endian="big")
_BLOSCS = ("blosclz", "lz4", "lz4hc", "zlib", "zstd")
_LISTS = np.array(["a", 1, None, 2.5], dtype=object)

CODECS_2: Arrays = {
    **{
        codec.codec_id: (_count("i4"), {"compressor": codec})
        for codec in (
            *(numcodecs.Zlib(1), numcodecs.BZ2(1), numcodecs.LZ4(), numcodecs.Base64(), numcodecs.CRC32()),
            *(numcodecs.Adler32(), numcodecs.Fletcher32(), numcodecs.JenkinsLookup3()),
        )
    },
    **{f"blosc {name}": (_count("i4"), {"compressor": numcodecs.Blosc(name, 5, 1)}) for name in _BLOSCS},
    "shuffle": (_count("i4"), {"filters": [numcodecs.Shuffle(4)], "compressor": numcodecs.Zlib(1)}),
    "packbits": (_count("i1") % 3 == 0, {"filters": [numcodecs.PackBits()], "compressor": None}),
    "scaled": (_count("f8"), {"filters": [numcodecs.FixedScaleOffset(0, 10, "f8", "i2")], "compressor": None}),
    "quantized": (_count("f4"), {"filters": [numcodecs.Quantize(2, "f4")], "compressor": None}),
    "astype": (_count("i4"), {"filters": [numcodecs.AsType("i8", "i4")], "compressor": None}),
    "rounded": (_count("f4"), {"filters": [numcodecs.BitRound(10)], "compressor": None}),
    "msgpack": (_LISTS, {"chunks": 3, "object_codec": numcodecs.MsgPack(), "compressor": None}),
    "json": (_LISTS, {"chunks": 3, "object_codec": numcodecs.JSON(), "compressor": None}),
    "categories": (
        np.array(["a", "b", "", "a"], dtype=object),
        {"chunks": 3, "object_codec": numcodecs.Categorize(["a", "b"], dtype=object), "fill_value": ""},
    ),
}
CODECS_3: Arrays = {
    **{
        f"blosc {name}": (
            _count("i4"),
            {"compressors": [_named("blosc", cname=name, clevel=5, shuffle="shuffle", typesize=4, blocksize=0)]},
        )
        for name in _BLOSCS
    },
    **{
        name: (_count("i4"), {"compressors": [_named(f"numcodecs.{name}")]})
        for name in ("zlib", "bz2", "lzma", "lz4", "crc32", "adler32", "fletcher32", "jenkins_lookup3")
    },
    "chain": (
        _count("i4"),
        {"compressors": [_named("gzip", level=1), _named("zstd", level=1, checksum=True), {"name": "crc32c"}]},
    ),
    "delta": (_count("i4"), {"filters": [_named("numcodecs.delta", dtype="<i4")]}),
    "packbits": (_count("i1") % 3 == 0, {"filters": [_named("numcodecs.packbits")]}),
    "index at the end": (
        _count("i4"),
        {"chunks": (4, 4), "codecs": [_sharding([2, 4], [_LITTLE, {"name": "crc32c"}], [_LITTLE], "end")]},
    ),
    "index with a checksum at the start": (
        _count("i4"),
        {"chunks": (4, 4), "codecs": [_sharding([2, 2], [_BIG], [_BIG, {"name": "crc32c"}], "start")]},
    ),
    "shards in shards": (
        _count("i4", (6, 5)),
        {
            "chunks": (4, 4),
            "codecs": [_sharding([2, 4], [_sharding([1, 2], [_LITTLE], [_LITTLE], "start")], [_LITTLE], "end")],
        },
    ),
    "turned shards": (
        _count("i4", (6, 5)),
        {
            "chunks": (4, 2),
            "codecs": [_named("transpose", order=[1, 0]), _sharding([1, 2], [_LITTLE], [_LITTLE], "end")],
        },
    ),
    "packed shards": (
        _count("i4"),
        {"chunks": (4, 4), "codecs": [_sharding([2, 2], [_LITTLE], [_LITTLE], "end"), _named("gzip", level=1)]},
    ),
    "shards of bytes": (_bytes(), {"chunks": 1, "shards": 2, "dtype": bytes}),
}
CODECS_N5: Arrays = {
    **{
        str(codec.codec_id): (_count("i4"), {"compressor": codec})
        for codec in (numcodecs.BZ2(1), numcodecs.Zlib(1), numcodecs.LZMA(preset=1), numcodecs.Blosc("lz4"))
    },
    "uint8": (_count("u1"), {"compressor": None}),
}


def _fill(root: Any, arrays: Arrays) -> None:
    root.attrs["title"] = "golden"
    for name, (data, given) in arrays.items():
        options = {"chunks": (2, 2, 2)[: data.ndim], "fill_value": 0, "dtype": data.dtype, **given}
        array = root.create_dataset(f"g/{name}", shape=data.shape, write_empty_chunks=False, **options)
        array[...] = data
        array.attrs["about"] = [name, None, 1.5]


def make(where: Path) -> None:
    """Make all stores below a directory."""
    _fill(zarrds.open_group(str(where / "v2"), mode="w", zarr_format=2), FORMAT_2)
    _fill(zarrds.open_group(str(where / "v3"), mode="w", zarr_format=3), FORMAT_3)
    _fill(zarrds.open_group(zarrds.N5Store(str(where / "n5.n5")), mode="w"), N5)
    few = {name: BOTH[name] for name in ("int8", "text")}
    for number in (2, 3):
        store = str(where / f"consolidated{number}")
        _fill(zarrds.open_group(store, mode="w", zarr_format=number), few)
        zarrds.consolidate_metadata(store)


def make_codecs(where: Path) -> None:
    """Make stores of every codec below a directory."""
    _fill(zarrds.open_group(str(where / "codecs2"), mode="w", zarr_format=2), CODECS_2)
    _fill(zarrds.open_group(str(where / "codecs3"), mode="w", zarr_format=3), CODECS_3)
    _fill(zarrds.open_group(zarrds.N5Store(str(where / "codecs.n5")), mode="w"), CODECS_N5)


def described(array: zarrds.Array) -> dict[str, Any]:
    """What a golden array must be, as JSON; elements are those of its dtype, little-endian."""
    data, fill = array[...], array.fill_value
    return {
        "shape": list(array.shape),
        "chunks": list(array.chunks),
        "shards": None if array.shards is None else list(array.shards),
        "dtype": str(data.dtype) if data.dtype.names else data.dtype.str,
        "elements": plain(data),
        "fill": None if fill is None else plain(np.asarray(fill, data.dtype)),
        "attributes": array.attrs.asdict(),
        "dimension_names": None if array.dimension_names is None else list(array.dimension_names),
    }


def plain(data: np.ndarray[Any, Any]) -> Any:
    """Elements as JSON."""
    if data.dtype == object:
        return [["bytes", item.hex()] if isinstance(item, bytes) else ["json", item] for item in data.ravel().tolist()]
    data = np.ascontiguousarray(data.astype(data.dtype.newbyteorder("<"))).reshape(data.shape)
    return b64encode(data.tobytes()).decode("ascii")


def described_all(where: Path) -> dict[str, dict[str, Any]]:
    """All golden arrays, by store and path."""
    found: dict[str, dict[str, Any]] = {}
    for store in sorted(p.name for p in where.iterdir()):
        open_root = zarrds.open_consolidated if store.startswith("consolidated") else zarrds.open_group
        root = open_root(str(where / store), mode="r")
        assert root.attrs.asdict() == {"title": "golden"}
        found.update({f"{store}/{name}": described(array) for name, array in root["g"].arrays()})
    return found


def pack(where: Path, target: Path) -> None:
    """All files in one archive."""
    with tarfile.open(target, "w:xz") as archive:
        for file in sorted(p for p in where.rglob("*") if p.is_file()):
            entry = tarfile.TarInfo(file.relative_to(where).as_posix())
            entry.size = file.stat().st_size
            with file.open("rb") as content:
                archive.addfile(entry, content)


def main(version: str) -> None:
    """Write the pair of files of a version."""
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as made:
        (make_codecs if version.endswith("-codecs") else make)(Path(made))
        pack(Path(made), here / f"{version}.tar.xz")
        text = json.dumps(described_all(Path(made)), indent=0, sort_keys=True, ensure_ascii=True)
    (here / f"{version}.json").write_text(text + "\n", encoding="ascii")


if __name__ == "__main__":
    main(sys.argv[1])
