"""From metadata to the codec of its chunks."""

from __future__ import annotations

from functools import lru_cache

from zarrds._codec import bytes, compress, crc32c, numcodecs, transpose, vlen  # noqa: F401  (they register their links)
from zarrds._codec.base import ChunkCodec
from zarrds._codec.links import Kind, Layout, link_of
from zarrds._codec.pipeline import Pipeline, filters_of
from zarrds._codec.plain import PlainCodec
from zarrds._format.meta import ChunkSpec

__all__ = ["build_codec"]


def build_codec(spec: ChunkSpec, *, partial_blosc: bool = False) -> ChunkCodec:
    """Codec for chunks of that kind, built once for equal specs. Raises BadCompressorError.

    With `partial_blosc`, parts of chunks that Blosc compressed are read by its blocks.
    """
    # arrays of one kind, which come in numbers, have one and the same spec: no need to hash all of it each time
    known = _latest.get(partial_blosc)
    if known is None or known[0] is not spec:
        known = _latest[partial_blosc] = (spec, _built(spec, partial_blosc))
    return known[1]


_latest: dict[bool, tuple[ChunkSpec, ChunkCodec]] = {}


@lru_cache(maxsize=1024)
def _built(spec: ChunkSpec, partial_blosc: bool) -> ChunkCodec:
    if spec.serializer is None:
        return PlainCodec(spec, partial_blosc=partial_blosc)
    filters = filters_of(spec)
    layout = filters[-1].makes if filters else Layout(spec.shape, spec.dtype)
    return Pipeline(spec, filters, link_of(spec.serializer, Kind.SERIALIZER, layout))
