"""Build the codec of the chunks that metadata describe."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from zarrds._base.types import Shape
from zarrds._codec import (  # noqa: F401  (they register their codecs)
    bitround,
    brought,
    bytes,
    cast_value,
    complex_parts,
    compress,
    conditional,
    crc32c,
    data_types,
    n5_default,
    numcodecs,
    packbits,
    reshape,
    scale_offset,
    transpose,
    vlen,
    zfp_plain,
)
from zarrds._codec.base import ChunkCodec
from zarrds._codec.numcodecs_pipeline import NumcodecsPipeline
from zarrds._codec.pipeline import Pipeline, filters_of
from zarrds._codec.registry import ArraySpec, CodecKind, caches, check_members, kind_of, make_codec
from zarrds._codec.shard.codec import ShardCodec
from zarrds._codec.shard.index import inner_grid, inner_shape
from zarrds._codec.shard.transposed import TransposedShardCodec
from zarrds._codec.transpose import TransposeFilter
from zarrds._format import NO_FILL, SHARDING, ChunkSpec, CodecSpec, Fill
from zarrds.errors import BadCompressorError

__all__ = ["build_codec"]


def build_codec(spec: ChunkSpec, *, partial_blosc: bool = False) -> ChunkCodec:
    """Return the codec for a chunk spec; equal specs share one codec. Raises BadCompressorError.

    With `partial_blosc`, the codec reads single blocks of chunks that are compressed with Blosc.
    """
    # many arrays share the same spec object: look it up by identity first, as hashing a spec is slow
    known = _latest.get(partial_blosc)
    if known is None or known[0] is not spec:
        known = _latest[partial_blosc] = (spec, _built(spec, partial_blosc))
    return known[1]


_latest: dict[bool, tuple[ChunkSpec, ChunkCodec]] = {}


@lru_cache(maxsize=1024)
def _built(spec: ChunkSpec, partial_blosc: bool) -> ChunkCodec:
    if spec.serializer is None:
        return NumcodecsPipeline(spec, partial_blosc=partial_blosc)
    filters = filters_of(spec)
    array_spec = filters[-1].makes if filters else ArraySpec(spec.shape, spec.dtype)
    if spec.serializer.name != SHARDING:
        return Pipeline(spec, filters, make_codec(spec.serializer, CodecKind.SERIALIZER, array_spec))
    shards = _shards(spec, array_spec, spec.serializer.configuration)
    if spec.compressors or not all(isinstance(codec, TransposeFilter) for codec in filters):
        return Pipeline(spec, filters, shards)
    return TransposedShardCodec(spec, filters, shards) if filters else shards  # type: ignore[arg-type]


def _forget_built() -> None:
    _latest.clear()
    _built.cache_clear()


caches.append(_forget_built)


# --- shards -----------------------------------------------------------------------------------------------------------


_MOST_INDEX_BYTES = 2**62


def _shards(spec: ChunkSpec, array_spec: ArraySpec, configuration: dict[str, Any]) -> ShardCodec:
    """Return the sharding codec for arrays of this shape and dtype."""
    check_members(configuration, ("chunk_shape", "codecs", "index_codecs", "index_location"))
    chunk_shape = inner_shape(array_spec.shape, configuration.get("chunk_shape"))
    place = configuration.get("index_location", "end")
    if place not in ("start", "end"):
        raise BadCompressorError("unknown place of the index", codec=SHARDING, expected="start or end", found=place)
    inner = build_codec(
        _pipeline_spec(chunk_shape, array_spec.dtype, _fill(spec, array_spec), configuration.get("codecs"))
    )
    pairs = (*inner_grid(array_spec.shape, chunk_shape), 2)
    index = build_codec(_pipeline_spec(pairs, np.dtype("u8"), NO_FILL, configuration.get("index_codecs")))
    size = index.encoded_size if isinstance(index, Pipeline) else None
    if size is None:
        raise BadCompressorError("the size of the index must be known", codec=SHARDING, hint="do not compress it")
    if size > _MOST_INDEX_BYTES:
        raise BadCompressorError("shards have more inner chunks than can be counted", codec=SHARDING, found=pairs[:-1])
    return ShardCodec(
        ChunkSpec(array_spec.shape, array_spec.dtype, inner.spec.fill), inner, index, size, at_start=place == "start"
    )


def _fill(spec: ChunkSpec, array_spec: ArraySpec) -> Fill:
    """Return the fill value of inner chunks; filters may have changed the dtype."""
    if spec.fill.raw is None or array_spec.dtype == spec.dtype:
        return spec.fill
    return Fill(raw=np.frombuffer(spec.fill.raw, spec.dtype).astype(array_spec.dtype).tobytes())


def _pipeline_spec(shape: Shape, dtype: np.dtype[Any], fill: Fill, codecs: Any) -> ChunkSpec:
    """Return the chunk spec of a codec pipeline in a configuration: filters, one serializer, then compressors."""
    if not isinstance(codecs, list) or not codecs:
        raise BadCompressorError("the list of codecs is missing", codec=SHARDING, expected="a list", found=codecs)
    specs = [codec for given in codecs if (codec := _codec_spec(given)) is not None]
    at = [
        number
        for number, codec in enumerate(specs)
        if codec.name == SHARDING or kind_of(codec.name) is CodecKind.SERIALIZER
    ]
    if len(at) != 1:
        raise BadCompressorError(
            "a codec pipeline has exactly one codec that encodes an array to bytes",
            codec=SHARDING,
            found=[codec.name for codec in specs],
        )
    return ChunkSpec(shape, dtype, fill, "C", tuple(specs[: at[0]]), specs[at[0]], tuple(specs[at[0] + 1 :]))


def _codec_spec(given: Any) -> CodecSpec | None:
    """Return the spec of one codec, in any accepted spelling; None for an unknown codec that need not be understood."""
    given = {"name": given} if isinstance(given, str) else given
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise BadCompressorError("not a codec", codec=SHARDING, expected="a name and a configuration", found=given)
    name = given["name"]
    if given.get("must_understand") is False and name != SHARDING and kind_of(name) is None:
        return None
    return CodecSpec.of(name, given.get("configuration"))
