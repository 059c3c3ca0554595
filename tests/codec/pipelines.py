"""Build codec pipelines of Zarr v3 for tests from a short notation."""

from __future__ import annotations

import numpy as np

from zarrds._codec.build import build_codec
from zarrds._engine.source import OpenSource
from zarrds._format.meta import ArrayMeta, ChunkSpec, CodecSpec, Fill, KeyEncoding
from zarrds._store.adapt import as_store

LITTLE = ("bytes", {"endian": "little"})
BIG = ("bytes", {"endian": "big"})


def link(given):
    """A spec from a name, or a name and its configuration."""
    return CodecSpec.of(given) if isinstance(given, str) else CodecSpec.of(*given)


def spec(dtype, *, shape=(6, 7), filters=(), serializer=LITTLE, compressors=(), fill=None):
    dtype = np.dtype(dtype)
    if dtype.hasobject:
        fill = Fill(text='""')
    elif fill is None:
        fill = Fill(raw=bytes(dtype.itemsize))
    else:
        fill = Fill(raw=np.asarray(fill, dtype).tobytes())
    links = tuple(map(link, filters)), link(serializer), tuple(map(link, compressors))
    return ChunkSpec(shape, dtype, fill, "C", *links)


def chain(dtype, **parts):
    return build_codec(spec(dtype, **parts))


def numbers(dtype, shape=(6, 7)):
    """Values of a dtype, the same each time."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(0)
    if dtype.kind == "b":
        return rng.random(shape) > 0.5
    if dtype.kind == "O":
        found = np.empty(shape, object)
        found.ravel()[:] = ["", "a", "žluťoučký", "x" * 50] * (found.size // 4) + ["end"] * (found.size % 4)
        return found
    if dtype.names or dtype.kind == "V":
        return rng.integers(0, 256, (*shape, dtype.itemsize), dtype="u1").view(dtype)[..., 0]
    if dtype.kind in "SU":
        return rng.integers(0, 99, shape).astype(dtype)
    if dtype.kind in "Mm":
        return rng.integers(0, 1000, shape).astype("i8").view(dtype)
    if dtype.kind == "c":
        return ((rng.random(shape) + 1j * rng.random(shape)) * 100).astype(dtype)
    return (rng.random(shape) * 100).astype(dtype)


def sharding(inner, *, codecs=(LITTLE, "zstd"), index_codecs=(LITTLE, "crc32c"), **members):
    """A sharding codec with inner chunks of that shape."""

    def objects(links):
        pairs = [(given, {}) if isinstance(given, str) else given for given in links]
        return [{"name": name, "configuration": configuration} for name, configuration in pairs]

    configuration = {"chunk_shape": list(inner), "codecs": objects(codecs), "index_codecs": objects(index_codecs)}
    return "sharding_indexed", {**configuration, **members}


def source(store, shape, chunk, *, path=""):
    """Chunks of an array of that shape in a store."""
    keys = KeyEncoding("/", "default")
    return OpenSource(as_store(store), path, ArrayMeta(shape, chunk, keys, zarr_format=3))
