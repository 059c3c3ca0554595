"""From metadata to the codec of its chunks."""

from __future__ import annotations

from functools import lru_cache

from zarrds._codec.base import ChunkCodec
from zarrds._codec.plain import PlainCodec
from zarrds._format.meta import ChunkSpec
from zarrds.errors import UnsupportedFormatError

__all__ = ["build_codec"]


@lru_cache(maxsize=1024)
def build_codec(spec: ChunkSpec, *, partial_blosc: bool = False) -> ChunkCodec:
    """Codec for chunks of that kind, built once for equal specs. Raises BadCompressorError.

    With `partial_blosc`, parts of chunks that Blosc compressed are read by its blocks.
    """
    if spec.serializer is not None:
        raise UnsupportedFormatError(
            "serializer not supported yet", codec=spec.serializer.name, hint="format 3 comes later"
        )
    return PlainCodec(spec, partial_blosc=partial_blosc)
