"""Values put together from several streams, as parallel compressors and `cat` leave them, are decoded in every path."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from types import SimpleNamespace
from typing import Any

import numcodecs
import numpy as np
import pytest
from numcodecs import BZ2, LZMA, GZip, Zlib, Zstd
from numcodecs import zstd as zstd_c
from packaging.version import Version

import zarrds
from zarrds._codec import compress
from zarrds._codec.compress import zstd_bound, zstd_size
from zarrds._store.wrappers.n5 import N5Mapping
from zarrds.errors import ChunkDecodeError

DATA = np.arange(2000, dtype="<i4")
RAW = DATA.tobytes()
PARTS = [RAW[:1000], b"", RAW[1000:5000], RAW[5000:]]
SKIPPED = b"\x57\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
EMPTY_SKIPPED = b"\x50\x2a\x4d\x18" + bytes(4)


def zstd(data: bytes, **options: Any) -> bytes:
    return bytes(Zstd(1, **options).encode(data))


def unsized(data: bytes) -> bytes:
    """A zstd frame of one stored block that does not state its size."""
    return b"\x28\xb5\x2f\xfd\x00\x38" + (len(data) << 3 | 1).to_bytes(3, "little") + data


def xz(data: bytes) -> bytes:
    return lzma.compress(data, preset=0)


VALUES: dict[str, tuple[Any, bytes]] = {
    "zstd frames": (Zstd(1), b"".join(map(zstd, PARTS))),
    "zstd frames with checksums": (Zstd(1), b"".join(zstd(part, checksum=True) for part in PARTS)),
    "zstd, skipped first": (Zstd(1), SKIPPED + zstd(RAW)),
    "zstd, skipped everywhere": (Zstd(1), SKIPPED + zstd(PARTS[0]) + EMPTY_SKIPPED + zstd(RAW[1000:]) + SKIPPED),
    "zstd without a size": (Zstd(1), unsized(RAW)),
    "zstd frames without sizes": (Zstd(1), b"".join(map(unsized, PARTS))),
    "zstd, some without": (Zstd(1), zstd(PARTS[0]) + unsized(PARTS[2]) + SKIPPED + zstd(PARTS[3])),
    "bz2 streams": (BZ2(1), b"".join(map(bz2.compress, PARTS))),
    "xz streams": (LZMA(preset=0), b"".join(map(xz, PARTS))),
    "xz streams with zeros": (LZMA(preset=0), xz(PARTS[0]) + bytes(4) + xz(RAW[1000:]) + bytes(8)),
    "gzip members": (GZip(1), b"".join(gzip.compress(part) for part in PARTS)),
    "gzip members with zeros": (GZip(1), gzip.compress(PARTS[0]) + bytes(7) + gzip.compress(RAW[1000:]) + bytes(9000)),
}
REFUSED = {"zstd without a size", "zstd frames without sizes", "zstd, some without"}
if Version(numcodecs.__version__) >= Version("0.16.2"):
    REFUSED.clear()  # older versions decode no frame that does not state its size
LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}


def _codec_3(codec: Any) -> dict[str, Any]:
    name = codec.codec_id if codec.codec_id in ("zstd", "gzip") else f"numcodecs.{codec.codec_id}"
    configuration = {key: value for key, value in codec.get_config().items() if key != "id"}
    return {"name": name, "configuration": configuration}


def _in_2(codec: Any, value: bytes) -> Any:
    z = zarrds.create(2000, chunks=2000, dtype="<i4", compressor=codec)
    z.chunk_store["0"] = value
    return z


def _as_filter(codec: Any, value: bytes) -> Any:
    z = zarrds.create(2000, chunks=2000, dtype="<i4", filters=[codec], compressor=Zlib(1))
    z.chunk_store["0"] = zlib.compress(value)
    return z


def _in_3(codec: Any, value: bytes) -> Any:
    z = zarrds.create(2000, chunks=2000, dtype="<i4", zarr_format=3, codecs=[LITTLE, _codec_3(codec)])
    z.chunk_store["c/0"] = value
    return z


def _in_a_shard(codec: Any, value: bytes) -> Any:
    inner = {"chunk_shape": [2000], "codecs": [LITTLE, _codec_3(codec)], "index_codecs": [LITTLE]}
    sharding = {"name": "sharding_indexed", "configuration": inner}
    z = zarrds.create(2000, chunks=2000, dtype="<i4", zarr_format=3, codecs=[sharding])
    z.chunk_store["c/0"] = value + np.array([0, len(value)], "<u8").tobytes()
    return z


def _in_n5(codec: Any, value: bytes) -> Any:
    z = zarrds.create(2000, chunks=2000, dtype="<i4", store=N5Mapping(zarrds.MemoryStore()), compressor=codec)
    swapped = DATA.astype(">i4").tobytes()
    made = codec.encode(swapped[:1000]), codec.encode(swapped[1000:])
    z.chunk_store["0"] = bytes.fromhex("00000001") + (2000).to_bytes(4, "big") + b"".join(map(bytes, made))
    return z


PLACES = {"2": _in_2, "filter": _as_filter, "3": _in_3, "shard": _in_a_shard, "n5": _in_n5}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("place", PLACES)
def test_decoded(place: str, name: str) -> None:
    codec, value = VALUES[name]
    z = PLACES[place](codec, value)
    if name in REFUSED and place != "n5":
        with pytest.raises(ChunkDecodeError):
            z[:]
        return
    np.testing.assert_array_equal(z[:], DATA)
    np.testing.assert_array_equal(z[10:20], DATA[10:20])
    z[3] = -1
    assert z[2:5].tolist() == [2, -1, 4]


@pytest.mark.parametrize("name", VALUES)
def test_texts(name: str) -> None:
    """Where nothing tells the decoded size beforehand."""
    codec, _ = VALUES[name]
    z = zarrds.array(np.array(["a", "bb"] * 500, object), dtype=str, compressor=codec)
    encoded = bytes(numcodecs.VLenUTF8().encode(np.array(["a", "bb"] * 500, object)))
    z.chunk_store["0"] = b"".join(bytes(codec.encode(part)) for part in (encoded[:7], encoded[7:]))
    assert z[:].tolist() == ["a", "bb"] * 500


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("place", ["2", "3", "shard"])
def test_streams_of_another_length_together_are_refused(place: str, name: str) -> None:
    codec, value = VALUES[name]
    for wrong in (value + bytes(codec.encode(b"more")), value[:100]):
        z = PLACES[place](codec, wrong)
        with pytest.raises(ChunkDecodeError):
            z[:]


def _older(data: Any, dest: Any = None) -> Any:
    """Do what numcodecs before 0.16.4 does: decode one frame, which states its size, or nothing."""
    frames = compress._cut(memoryview(data))
    if frames and len(data) != len(frames[0]):
        raise RuntimeError("Zstd decompression error: b'Destination buffer is too small'")
    return zstd_c.decompress(data, dest)


@pytest.mark.parametrize("name", [name for name in VALUES if name.startswith("zstd")])
@pytest.mark.parametrize("place", PLACES)
def test_frames_with_an_older_numcodecs(place: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress, "zstd_c", SimpleNamespace(decompress=_older))
    test_decoded(place, name)
    test_texts(name)
    if place in ("2", "3", "shard"):
        test_streams_of_another_length_together_are_refused(place, name)


@pytest.mark.parametrize("end", [b"abc", b"\x28\xb5\x2f\xfd", SKIPPED[:-1], b"\x50\x2a\x4d"])
def test_what_follows_frames_is_refused_by_older_numcodecs_too(end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress, "zstd_c", SimpleNamespace(decompress=_older))
    for codec in (Zstd(1), Zstd(1, checksum=True)):
        z = _in_2(codec, zstd(PARTS[0]) + zstd(RAW[1000:]) + end)
        with pytest.raises(ChunkDecodeError):
            z[:]


def test_many_empty_streams_take_no_time() -> None:
    """Each looked at once: what follows is not copied for each of them."""
    for codec, empty in ((BZ2(1), bz2.compress(b"")), (GZip(1), gzip.compress(b"")), (LZMA(preset=0), xz(b""))):
        z = _in_2(codec, empty * 20_000 + bytes(codec.encode(RAW)))
        np.testing.assert_array_equal(z[:], DATA)


def test_sizes_of_frames() -> None:
    assert zstd_size(zstd(b"abc") + SKIPPED + zstd(b"de")) == 5
    assert zstd_size(zstd(b"abc") + unsized(b"de")) is None
    assert zstd_size(EMPTY_SKIPPED) == 0
    assert zstd_bound(SKIPPED + unsized(b"abc") + unsized(b"de"), 100) == 5
    for nothing in (b"", b"abc", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"):
        with pytest.raises(ChunkDecodeError):
            zstd_size(nothing)
