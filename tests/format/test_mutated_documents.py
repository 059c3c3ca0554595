"""Documents of every format with something wrong in them: they work, or raise an error of ours that says where."""

from __future__ import annotations

import copy
import json
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import xarray as xr

import zarrds
from zarrds.errors import ZarrdsError
from zarrds.storage import KVStore

Files = dict[str, bytes]
LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
GZIP = {"name": "gzip", "configuration": {"level": 1}}
BLOSC = {"name": "blosc", "configuration": {"cname": "lz4", "clevel": 5, "shuffle": "shuffle", "typesize": 4}}
INNER = {"name": "sharding_indexed", "configuration": {
    "chunk_shape": [2, 3], "codecs": [LITTLE, GZIP], "index_codecs": [LITTLE], "index_location": "start"}}  # fmt: skip
OUTER = {"name": "sharding_indexed", "configuration": {
    "chunk_shape": [4, 3], "codecs": [INNER], "index_codecs": [LITTLE, {"name": "crc32c"}]}}  # fmt: skip
TURN = {"name": "transpose", "configuration": {"order": [1, 0]}}
EXPERIMENTAL = "https://purl.org/zarr/spec/protocol/core/3.0"


def zarr(zarr_format: int, consolidated: bool = False, **options: Any) -> Files:
    files: Files = {}
    root = zarrds.open_group(KVStore(files), mode="w", zarr_format=zarr_format)
    root.attrs["title"] = "t"
    names = {"dimension_names": ["y", "x"]} if zarr_format == 3 else {}
    a = root.create_dataset("a", shape=(10, 6), dtype="<i4", fill_value=3, **names, **{"chunks": (4, 3), **options})
    a[:] = np.arange(60).reshape(10, 6)
    a.attrs.update({"n": {"k": [1]}} if names else {"_ARRAY_DIMENSIONS": ["y", "x"]})
    if consolidated:
        zarrds.consolidate_metadata(KVStore(files))
    return {key: bytes(value) for key, value in files.items()}


def texts() -> Files:
    files: Files = {}
    root = zarrds.open_group(KVStore(files), mode="w")
    root.create_dataset("a", shape=3, chunks=2, dtype=str)[:] = ["a", "", "c"]
    return {key: bytes(value) for key, value in files.items()}


def n5() -> Files:
    array = {
        "dimensions": [6, 10],
        "blockSize": [3, 4],
        "dataType": "int32",
        "compression": {"type": "gzip", "level": 1},
    }
    return {"attributes.json": b'{"n5": "2.0.0"}', "a/attributes.json": json.dumps({**array, "q": 1}).encode()}


def old() -> Files:
    array = {"zarr_format": 1, "shape": [10, 6], "chunks": [4, 3], "dtype": "<i4", "compression": "zlib",
             "compression_opts": 1, "fill_value": 3, "order": "C"}  # fmt: skip
    return {"meta": json.dumps(array).encode(), "attrs": b'{"q": 1}'}


def experimental() -> Files:
    root = {
        "extensions": [],
        "metadata_encoding": EXPERIMENTAL,
        "metadata_key_suffix": ".json",
        "zarr_format": EXPERIMENTAL,
    }
    shards = {"extension": "https://purl.org/zarr/spec/storage_transformers/sharding/1.0", "type": "indexed",
              "configuration": {"chunks_per_shard": [1, 2]}}  # fmt: skip
    array = {"attributes": {}, "chunk_grid": {"chunk_shape": [2, 3], "separator": "/", "type": "regular"},
             "chunk_memory_layout": "C", "data_type": "<i4", "extensions": [], "fill_value": 7, "shape": [4, 5],
             "storage_transformers": [shards]}  # fmt: skip
    return {"zarr.json": json.dumps(root).encode(), "meta/root/a.array.json": json.dumps(array).encode()}


CASES: dict[str, tuple[Callable[[], Files], str]] = {
    "group 2": (lambda: zarr(2), ".zgroup"),
    "array 2": (lambda: zarr(2, filters=[zarrds.Delta("<i4")], compressor=zarrds.Blosc()), "a/.zarray"),
    "attributes 2": (lambda: zarr(2), "a/.zattrs"),
    "texts 2": (texts, "a/.zarray"),
    "consolidated 2": (lambda: zarr(2, True), ".zmetadata"),
    "array 3": (lambda: zarr(3, filters=[TURN], compressors=[BLOSC]), "a/zarr.json"),
    "shards 3": (lambda: zarr(3, chunks=(4, 6), codecs=[OUTER]), "a/zarr.json"),
    "consolidated 3": (lambda: zarr(3, True), "zarr.json"),
    "n5": (n5, "a/attributes.json"),
    "Zarr v1": (old, "meta"),
    "experimental": (experimental, "meta/root/a.array.json"),
}


class Raw(str):
    """Text that is put into a document as it is."""


VALUES: list[Any] = [
    None, -1, 0, 3, 2**31, 2**62, 2**63, 2**70, 1.5, Raw("1e400"), Raw("NaN"), True, "", "a", "\ud800", [], {}, [None],
    [1], [[1]], [1] * 100, [2**62, 4], [2**40, 1], [0, 0], [2, 4], {"a": 1}, {"name": "x"}, "|O", "|V0", "<M8",
    "string",    {"name": "x", "must_understand": False}, {"id": "vlen-utf8"}, [{"id": "json2"}], {"id": "n5_wrapper"},
    [LITTLE, LITTLE],    {"id": "astype", "encode_dtype": "O", "decode_dtype": "i4"}, Raw("[" * 10_000 + "]" * 10_000),
    Raw('{"a":' * 900 + "1" + "}" * 900), Raw("[" * 300 + "]" * 300), Raw("1" * 5000), [GZIP, LITTLE], INNER,
]  # fmt: skip


def text_of(document: Any) -> bytes:
    raws: list[str] = []

    def marked(value: Any) -> Any:
        if isinstance(value, Raw):
            raws.append(value)
            return f"@{len(raws) - 1}@"
        if isinstance(value, dict):
            return {name: marked(item) for name, item in value.items()}
        return [marked(item) for item in value] if isinstance(value, list) else value

    text = json.dumps(marked(document))
    for number, raw in enumerate(raws):
        text = text.replace(f'"@{number}@"', raw)
    return text.encode()


def places(value: Any, trail: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield trail
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in steps:
        yield from places(item, (*trail, step))


def changed(document: Any, trail: tuple[Any, ...], change: Callable[[Any, Any], None]) -> bytes:
    document = {"": copy.deepcopy(document)}
    holder = document
    steps = ("", *trail)
    for step in steps[:-1]:
        holder = holder[step]
    change(holder, steps[-1])
    return text_of(document.get(""))


def mutations(text: bytes) -> Iterator[bytes]:
    """Every value replaced, removed, joined by unknown ones and doubled; the text cut, turned and garbled."""
    document = json.loads(text)
    for trail in places(document):
        for value in VALUES:
            yield changed(document, trail, lambda holder, step, value=value: holder.__setitem__(step, value))
        if trail:
            yield changed(document, trail, lambda holder, step: holder.__delitem__(step))
        for more in (1, {"must_understand": False}, {"must_understand": True}):
            yield changed(
                document,
                trail,
                lambda holder, step, more=more: (
                    (holder[step].update(zz=more) if isinstance(holder[step], dict) else holder.update(zz=more))
                    if isinstance(holder, dict)
                    else None
                ),
            )
    yield from (text[:n] for n in range(0, len(text), 7))
    yield from (b"\xef\xbb\xbf" + text, text + b"\0", text + b"}", text[:-2] + b"\xff" + text[-2:], b"\xff\xfe{}")
    rng = np.random.default_rng(0)
    for at, bit in zip(rng.integers(0, len(text), 100), rng.integers(0, 8, 100), strict=True):
        yield text[:at] + bytes([text[at] ^ (1 << bit)]) + text[at + 1 :]


def opened(files: Files, mode: str = "r") -> Any:
    node = zarrds.open(KVStore(files), mode=mode)
    return node["a"] if isinstance(node, zarrds.Group) else node


def read(files: Files) -> None:
    z = opened(files)
    if isinstance(z, zarrds.Array):
        z[tuple(slice(0, 5) for _ in z.shape)] if z.ndim < 9 else z[(0,) * z.ndim]
        _ = str(z.info), repr(z), z.attrs.asdict(), z.nchunks_initialized, z.fill_value
    else:
        _ = str(z.tree()), list(z.items())


def dataset(files: Files) -> None:
    for variable in xr.open_dataset(KVStore(files), engine="zarrds").variables.values():
        _ = variable[tuple(slice(0, 3) for _ in variable.shape)].values


ACTS: dict[str, Callable[[Files], Any]] = {
    "read": read,
    "verify": lambda files: zarrds.verify(KVStore(files), level="decode"),
    "consolidate": lambda files: zarrds.consolidate_metadata(KVStore(files)),
    "dataset": dataset,
}


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise AssertionError("it takes far too long")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(name: str, step: int) -> None:
    make, key = CASES[name]
    files = make()
    tried = refused = 0
    for number, text in enumerate(mutations(files[key])):
        if number % step:
            continue
        for act in ACTS.values():
            tried += 1
            try:
                with limited(20), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    act({**files, key: text})
            except ZarrdsError as error:
                refused += 1
                if {error.key, error.path, error.store} == {None} or len(str(error)) > 4000:
                    raise
            except ValueError as error:
                if "conflicting sizes for dimension" not in str(error):  # xarray's own
                    raise
    assert refused > tried / 8, "most of what is wrong is refused"


@pytest.mark.parametrize("name", CASES)
def test_mutated_documents(name: str) -> None:
    run(name, 17)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_more_mutated_documents(name: str) -> None:
    run(name, 3)
