"""Shards in the engine: rounds of byte ranges, threads inside large shards, partial changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from zarrds._base.config import get_config
from zarrds._base.types import NDArrayAny
from zarrds._codec import NOT_CACHED, MapInner, ReadOptions, ReadSteps, ShardingCodec, in_turn
from zarrds._engine.pool import run_all, usable_threads
from zarrds._engine.source import OpenSource
from zarrds._plan import Projection
from zarrds._store import RangeReader

__all__ = ["map_inner_in", "shard_steps", "shards_of"]

_THREADED_SHARD_BYTES = 2**20
_THREADED_INNER_BYTES = 32 * 2**10
"""Decoded bytes of a shard, and of each inner chunk, from which several threads are worth their cost."""


def shards_of(source: OpenSource) -> ShardingCodec:
    """Return the sharding codec of a source whose chunks are shards."""
    assert source.has_inner_chunks
    return cast("ShardingCodec", source.codec)


def map_inner_in(threads: int | None) -> MapInner:
    """Process inner chunks with at most that many threads; None: as many as are useful."""
    if threads == 1:
        return in_turn

    def map_inner(work: Callable[[range], None], count: int, nbytes: int) -> None:
        large = count * nbytes >= _THREADED_SHARD_BYTES and nbytes >= _THREADED_INNER_BYTES
        used = usable_threads(threads, 1 if large else 0, 1, count)
        if used == 1:
            work(range(count))
            return
        step = max(1, -(-count // (4 * used)))
        run_all(work, [range(first, min(first + step, count)) for first in range(0, count, step)], used)

    return map_inner


def shard_steps(
    source: OpenSource,
    projection: Projection,
    view: NDArrayAny | None,
    threads: int | None,
    reader: RangeReader,
    again: bool,
) -> ReadSteps:
    """Return the steps that read what a projection needs of a shard, into a view of the result if that is given.

    With `again` (the shard was replaced since), the shard-index cache is not used.
    """
    indexes = source.indexes if get_config().shard_index_bytes > 0 else None
    cached_index = NOT_CACHED if indexes is None else indexes.of_key(source.key(projection.coords), reader, again)
    ranges = source.store.profile.native_ranges
    objects = source.meta.dtype.hasobject  # decoding objects holds the interpreter lock
    map_inner = in_turn if objects else map_inner_in(threads)
    options = ReadOptions(view, ranges, projection.whole, cached_index, map_inner, source.store.gap_bytes())
    return shards_of(source).read(projection.chunk_part, options)
