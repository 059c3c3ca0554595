"""Arrays of many kinds in Zarr v2, and what a conversion must keep of them."""

from __future__ import annotations

import json
from typing import Any

import numcodecs
import numpy as np

import zarrds

TEXTS = np.array(["", "a", "zwölf", "x" * 40, "end", "", "b"], dtype=object)
BYTES = np.array([b"", b"a", b"\x00\xff", b"x" * 40, b"end", b"", b"b"], dtype=object)
RECORD = [("a", "<i4"), ("b", "<f8"), ("c", "S3")]


def _numbers(dtype: Any, shape: Any = (7, 5)) -> np.ndarray[Any, Any]:
    return (np.arange(np.prod(shape)) % 90).astype(dtype).reshape(shape)


KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "int32": (_numbers("<i4"), {}),
    "big": (_numbers(">f4"), {"fill_value": -1.5}),
    "big dates": (_numbers("i8").astype(">M8[ns]"), {"compressor": None}),
    "durations": (_numbers("i8").astype("<m8[10s]"), {}),
    "bool": (_numbers("i1") % 2 == 1, {"fill_value": True}),
    "complex": (_numbers("c16") * 1j, {"fill_value": 1 - 2j}),
    "float16": (_numbers("f2"), {"fill_value": np.nan}),
    "infinite": (_numbers("f8"), {"fill_value": -np.inf, "compressor": numcodecs.Zlib(3)}),
    "F": (_numbers("<u2"), {"order": "F", "compressor": numcodecs.GZip(2)}),
    "F nested": (_numbers("<u2", (3, 4, 5)), {"order": "F", "dimension_separator": "/", "chunks": (2, 2, 3)}),
    "F big delta": (_numbers(">i4"), {"order": "F", "filters": [numcodecs.Delta(">i4")]}),
    "delta": (_numbers("<i8"), {"filters": [numcodecs.Delta("<i8", "<i4")], "compressor": numcodecs.LZ4()}),
    "scaled": (_numbers("<f8"), {"filters": [numcodecs.FixedScaleOffset(1, 10, "<f8", "<i2")]}),
    "rounded": (_numbers("<f4"), {"filters": [numcodecs.BitRound(10)]}),
    "shuffled": (_numbers("<f4"), {"filters": [numcodecs.Shuffle(4)], "compressor": numcodecs.Zstd(1)}),
    "checked": (_numbers("<f4"), {"filters": [numcodecs.CRC32()], "compressor": numcodecs.LZMA()}),
    "astype": (_numbers("<f8"), {"filters": [numcodecs.AsType(">f4", "<f8")]}),
    "blosc bits": (_numbers("u1"), {"compressor": numcodecs.Blosc("zstd", 1, -1)}),
    "unicode": (_numbers("i4").astype("<U4"), {"fill_value": "zz"}),
    "big unicode": (_numbers("i4").astype(">U4"), {"fill_value": "ü"}),
    "fixed bytes": (_numbers("i4").astype("S4"), {"fill_value": b"q"}),
    "raw": (_numbers("<i4").view("V4"), {"fill_value": None}),
    "record": (_numbers("i4").reshape(35).astype(RECORD), {"chunks": 9, "fill_value": None}),
    "text": (TEXTS, {"chunks": 3, "dtype": object, "object_codec": numcodecs.VLenUTF8(), "fill_value": "?"}),
    "bytes": (BYTES, {"chunks": 3, "dtype": object, "object_codec": numcodecs.VLenBytes(), "fill_value": None}),
    "0-d": (np.array(3.5), {"chunks": ()}),
    "empty": (np.zeros((0, 3)), {"chunks": (1, 2)}),
    "sparse": (np.where(np.arange(40) < 10, np.arange(40), 7), {"chunks": 4, "fill_value": 7, "sparse": True}),
    "null": (_numbers("<i4"), {"fill_value": None}),
}


def fill_group(group: zarrds.Group) -> None:
    """Make an array of each kind."""
    for name, (data, given) in KINDS.items():
        options = {"chunks": (3, 2), "fill_value": 0, "dtype": data.dtype, **given}
        is_sparse = options.pop("sparse", False)
        array = group.create_dataset(name, shape=data.shape, write_empty_chunks=not is_sparse, **options)
        array[...] = data
        array.attrs.update(kind=name, nested={"a": [1, None, 2.5]})
        if data.ndim:
            array.attrs["_ARRAY_DIMENSIONS"] = [f"dim{n}" for n in range(data.ndim)]


def hierarchy(store: Any, **kwargs: Any) -> Any:
    """A hierarchy with an array of each kind, in two groups."""
    root = zarrds.open_group(store, mode="w", zarr_format=2, **kwargs)
    root.attrs["title"] = "all kinds"
    fill_group(root.create_group("deep/kinds"))
    root["deep"].attrs["x"] = 1
    root.create_dataset("top", data=np.arange(12).reshape(3, 4), chunks=2)
    return root


def snapshot(root: Any) -> dict[str, Any]:
    """Elements, fill values and attributes of all arrays and groups, by path."""
    found: dict[str, Any] = {"/": root.attrs.asdict()}

    def visit(node: Any) -> None:
        found[node.name] = _array(node) if isinstance(node, zarrds.Array) else node.attrs.asdict()

    root.visitvalues(visit)
    return found


def _array(array: zarrds.Array) -> Any:
    data = array[...]
    attributes = array.attrs.asdict()
    names = attributes.pop("_ARRAY_DIMENSIONS", None) or array.dimension_names
    attributes.pop("_FillValue", None)  # for xarray, in Zarr v3 only
    elements = data.tolist() if data.dtype == object else data.astype(data.dtype.newbyteorder("<")).tobytes()
    fill = array.fill_value
    # an undefined fill value is zero afterwards
    zero = np.zeros((), data.dtype)
    filled = None if data.dtype == object else np.asarray(zero if fill is None else fill, data.dtype).tolist()
    return array.shape, array.chunks, elements, repr(filled), attributes, None if names is None else list(names)


def format_1() -> zarrds.KVStore:
    """An array of Zarr v1, of whose three chunks one is stored."""
    store = zarrds.KVStore({})
    store["meta"] = (
        b'{"zarr_format": 1, "shape": [5], "chunks": [2], "dtype": "<i4", "compression": "zlib", '
        b'"compression_opts": 1, "fill_value": 3, "order": "C"}'
    )
    store["attrs"] = b'{"a": 1}'
    store["0"] = numcodecs.Zlib(1).encode(np.array([7, 8], "<i4"))
    return store


def experimental(sharded: bool) -> zarrds.KVStore:
    """A hierarchy of the experimental Zarr v3; its array has its chunks in shards, or not."""
    core = "https://purl.org/zarr/spec/protocol/core/3.0"
    array: dict[str, Any] = {
        "attributes": {"units": "m"},
        "chunk_grid": {"chunk_shape": [2], "separator": "/", "type": "regular"},
        "chunk_memory_layout": "C",
        "data_type": "<i4",
        "extensions": [],
        "fill_value": 7,
        "shape": [5],
    }
    chunk = np.array([1, 2], "<i4").tobytes()
    if sharded:
        name = "https://purl.org/zarr/spec/storage_transformers/sharding/1.0"
        configuration = {"chunks_per_shard": [2]}
        array["storage_transformers"] = [{"extension": name, "type": "indexed", "configuration": configuration}]
        chunk += np.array([0, 8, 2**64 - 1, 2**64 - 1], "<u8").tobytes()
    entry = {"extensions": [], "metadata_encoding": core, "metadata_key_suffix": ".json", "zarr_format": core}
    documents = {
        "zarr.json": entry,
        "meta/root/g/a.array.json": array,
        "meta/root/g.group.json": {"attributes": {"x": 1}},
    }
    return zarrds.KVStore(
        {**{key: json.dumps(value).encode() for key, value in documents.items()}, "data/root/g/a/c0": chunk}
    )
