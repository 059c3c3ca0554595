"""Equal data give equal bytes: whenever they are encoded, in whatever thread or process, with every codec."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numcodecs
import numpy as np
import pytest

import zarrds
from zarrds._codec import blosc
from zarrds._store.wrappers.n5 import N5Mapping

COMPRESSORS: dict[str, Any] = {
    "gzip": numcodecs.GZip(5),
    "zlib": numcodecs.Zlib(1),
    "bz2": numcodecs.BZ2(1),
    "lzma": numcodecs.LZMA(preset=1),
    "zstd": numcodecs.Zstd(3),
    "zstd, checksum": numcodecs.Zstd(3, checksum=True),
    "lz4": numcodecs.LZ4(),
    "blosc": numcodecs.Blosc(),
    "blosc zstd": numcodecs.Blosc("zstd", 1, numcodecs.Blosc.BITSHUFFLE),
    "blosc small blocks": numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE, 4096),
}
FILTERS: dict[str, Any] = {
    "delta": numcodecs.Delta("<i4"),
    "scale": numcodecs.FixedScaleOffset(0, 1, "<i4"),
    "shuffle": numcodecs.Shuffle(4),
    "crc32": numcodecs.CRC32(),
    "adler32": numcodecs.Adler32(),
    "gzip": numcodecs.GZip(1),
    "blosc": numcodecs.Blosc(),
}
OBJECTS: dict[str, Any] = {
    "text": numcodecs.VLenUTF8(),
    "json": numcodecs.JSON(),
    "msgpack": numcodecs.MsgPack(),
    "pickle": numcodecs.Pickle(),
}

_NUMBERS = (np.random.default_rng(0).random(600_000) * 1000).astype("<i4")


def _numbers(store: Any = None, **options: Any) -> bytes:
    """What is stored of an array of one chunk of numbers."""
    store = {} if store is None else store
    z = zarrds.create(_NUMBERS.size, chunks=_NUMBERS.size, dtype="<i4", store=store, **options)
    z[:] = _NUMBERS
    return b"\0".join(key.encode() + bytes(store[key]) for key in sorted(store))


def _objects(codec: Any) -> bytes:
    store: dict[str, Any] = {}
    z = zarrds.create(90, chunks=90, dtype=object, object_codec=codec, store=store, compressor=None)
    z[:] = np.array([f"{number:03}" for number in range(90)], object)
    return bytes(store["0"])


CASES: dict[str, Any] = {
    **{f"2, {name}": lambda c=c: _numbers(compressor=c) for name, c in COMPRESSORS.items()},
    **{f"3, {name}": lambda c=c: _numbers(compressor=c, zarr_format=3) for name, c in COMPRESSORS.items()},
    **{
        f"shards, {name}": lambda c=c: _numbers(compressor=c, zarr_format=3, shards=_NUMBERS.size)
        for name, c in COMPRESSORS.items()
        if name in ("gzip", "blosc")
    },
    **{
        f"n5, {name}": lambda c=c: _numbers(N5Mapping(zarrds.MemoryStore()), compressor=c)
        for name, c in COMPRESSORS.items()
        if name in ("gzip", "zlib", "bz2", "lzma", "blosc")
    },
    **{f"filter {name}": lambda f=f: _numbers(filters=[f], compressor=None) for name, f in FILTERS.items()},
    **{f"objects, {name}": lambda c=c: _objects(c) for name, c in OBJECTS.items()},
}


@pytest.mark.parametrize("name", CASES)
def test_again_and_later(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = CASES[name]
    first = encode()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86_400 * 366)
    assert encode() == first
    with ThreadPoolExecutor(1) as pool:  # where Blosc takes one thread
        assert pool.submit(encode).result() == first


def test_in_another_process() -> None:
    """Order of sets and dicts by their hashes, and whatever else a process begins with."""
    code = "from tests.codec.test_same_bytes import digest; print(digest())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert ran.stdout.strip() == digest()


def digest() -> str:
    """Return a digest of the bytes that all codecs except the slowest make of some data."""
    found = hashlib.sha256()
    for name, encode in CASES.items():
        if "lzma" not in name and "bz2" not in name:
            found.update(encode())
    return found.hexdigest()


@pytest.mark.parametrize("codec", [c for name, c in COMPRESSORS.items() if "blosc" in name], ids=repr)
def test_blocks_of_blosc_are_put_in_order(codec: Any) -> None:
    """Whatever order the threads of Blosc finish in."""
    made = {blosc.in_order(bytes(codec.encode(_NUMBERS))) for _ in range(8)}
    assert len(made) == 1
    (value,) = made
    assert codec.decode(value) == _NUMBERS.tobytes()
    assert blosc.in_order(_shuffled(value)) == value
    assert codec.decode(_shuffled(value)) == _NUMBERS.tobytes()


def _shuffled(value: bytes) -> bytes:
    """A buffer of Blosc with its blocks in reverse order."""
    decoded, blocksize, encoded = np.frombuffer(value, "<u4", 3, 4).tolist()
    count = -(-decoded // blocksize)
    starts = np.frombuffer(value, "<u4", count, 16).tolist()
    blocks = [value[start:stop] for start, stop in zip(starts, [*starts[1:], encoded], strict=True)][::-1]
    ends = 16 + 4 * count + np.cumsum([len(block) for block in blocks])
    begins = [int(end) - len(block) for end, block in zip(ends, blocks, strict=True)][::-1]
    return value[:16] + np.array(begins, "<u4").tobytes() + b"".join(blocks)


@pytest.mark.parametrize("size", [0, 1, 100])
def test_small_buffers_of_blosc_stay_as_they_are(size: int) -> None:
    for codec in (numcodecs.Blosc(), numcodecs.Blosc(clevel=0)):
        value = bytes(codec.encode(bytes(range(size))))
        assert blosc.in_order(value) == value
