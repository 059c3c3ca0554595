"""Shards behind `transpose` codecs: parts are transposed and passed to the sharding codec."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zarrds._base.types import Buf, NDArrayAny, Part, Shape
from zarrds._codec.base import MapInner, Put, ReadOptions, ReadSteps, ReadStrategy, in_turn
from zarrds._codec.shard.codec import PackedShard, ShardCodec
from zarrds._codec.shard.inner import transposed_part
from zarrds._codec.transpose import TransposeFilter
from zarrds._format import ChunkSpec

__all__ = ["TransposedShardCodec"]


class TransposedShardCodec:
    """A sharding codec after `transpose` codecs."""

    has_inner_chunks = True

    def __init__(self, spec: ChunkSpec, filters: Sequence[TransposeFilter], shards: ShardCodec) -> None:
        self.spec = spec
        self._shards = shards
        self.index_range = shards.index_range
        order = tuple(range(len(spec.shape)))
        for transpose in filters:
            order = tuple([order[axis] for axis in transpose.order])
        self._order = order
        self._reverse = tuple([order.index(axis) for axis in range(len(order))])

    def read_strategy(self, part: Part, *, native_ranges: bool) -> ReadStrategy:
        """Return how the sharding codec reads the transposed part."""
        return self._shards.read_strategy(part, native_ranges=native_ranges)

    def least_bytes(self, index: Buf) -> int:
        """Return the smallest size of a value with this index; the value does not depend on the transpose."""
        return self._shards.least_bytes(index)

    def read(self, part: Part, options: ReadOptions | None = None) -> ReadSteps:
        """Read the transposed part; transpose the result back."""
        options = options or ReadOptions()
        transposed, axes = transposed_part(part, self._order)
        out = None if options.out is None else options.out.transpose(axes)
        found = yield from self._shards.read(transposed, options._replace(out=out))
        return None if found is None else found.transpose(np.argsort(axes) if axes else ())

    def decode(self, data: Buf, out: NDArrayAny | None = None, map_inner: MapInner = in_turn) -> NDArrayAny:
        """Decode a whole shard, into `out` if given, in any memory layout."""
        if out is None:
            return self._shards.decode(data, None, map_inner).transpose(self._reverse)
        self._shards.decode(data, out.transpose(self._order), map_inner)
        return out

    def encode(self, array: NDArrayAny, map_inner: MapInner = in_turn) -> Buf | None:
        """Encode a whole shard."""
        return self._shards.encode(np.asarray(array).transpose(self._order), map_inner)

    def opened(self, old: Buf | PackedShard | None) -> PackedShard:
        """Split a shard into its encoded inner chunks."""
        return self._shards.opened(old)

    def merge(self, shard: PackedShard, part: Part, piece: NDArrayAny, put: Put, valid: Shape, replace: bool) -> None:
        """Change a part; see `ShardCodec.merge`."""
        transposed, axes = transposed_part(part, self._order)
        piece = piece.transpose(axes) if piece.ndim else piece
        self._shards.merge(shard, transposed, piece, put, tuple([valid[axis] for axis in self._order]), replace)
