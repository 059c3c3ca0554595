"""Check the values of chunks: whether their size is right, and whether they can be decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zarrds._base.config import get_config
from zarrds._base.types import Buf, ByteRange
from zarrds._codec import N5ChunkWrapper, ShardingCodec, blosc
from zarrds._engine import OpenSource, shards_of, sources_by_key, windows
from zarrds._verify.report import Finding
from zarrds.errors import ChunkDecodeError, MetadataError, ZarrdsError

__all__ = ["decoded", "sized"]

_BATCH = 512


def decoded(source: OpenSource, keys: Sequence[str]) -> Iterator[Finding]:
    """Decode all chunks, a batch at a time."""
    nbytes = max(1, source.meta.chunk.nbytes)
    length = max(1, min(_BATCH, get_config().window_bytes // nbytes // 2))
    of_key = sources_by_key(source)
    for batch in windows(keys, length):
        for key, value in zip(batch, source.store.get_many([(key, None) for key in batch]), strict=True):
            if value is not None:
                yield from _decoded(of_key(key), key, value)


def _decoded(source: OpenSource, key: str, value: Buf) -> Iterator[Finding]:
    try:
        source.codec.decode(value)
    except (ChunkDecodeError, MetadataError) as error:
        yield Finding("undecodable", key, _reason(error))


def sized(source: OpenSource, keys: Sequence[str]) -> Iterator[Finding]:
    """Check the sizes that can be known without decoding a chunk.

    These are the sizes of uncompressed chunks, of Blosc buffers, and of N5 blocks that are not compressed. The index of
    a shard gives the least size of the shard. No value may be empty.
    """
    if source.meta.irregular is not None:
        of_key, alike = sources_by_key(source), dict[OpenSource, list[str]]()
        for key in keys:
            alike.setdefault(of_key(key), []).append(key)
        for one, some in alike.items():
            yield from _sized(one, some)
    else:
        yield from _sized(source, keys)


def _sized(source: OpenSource, keys: Sequence[str]) -> Iterator[Finding]:
    """Check the sizes of chunks of one shape."""
    chunk = source.meta.chunk
    plain = not chunk.dtype.hasobject and (chunk.serializer is None or chunk.serializer.name == "bytes")
    plain = plain and all(codec.name == "transpose" for codec in chunk.filters)
    block = _block_codec(source)
    for batch in windows(keys, _BATCH):
        if source.has_inner_chunks:
            yield from _shards(source, shards_of(source), batch)
        elif block is not None:
            yield from _blocks(source, block, batch)
        elif plain and not chunk.compressors:
            yield from _ends(source, dict.fromkeys(batch, chunk.nbytes))
        elif plain and [codec.name for codec in chunk.compressors] == ["blosc"]:
            yield from _blosc(source, batch)
        else:
            starts = source.store.get_many([(key, ByteRange(0, 1)) for key in batch])
            for key, start in zip(batch, starts, strict=True):
                if start is not None and not memoryview(start).nbytes:
                    yield Finding("wrong-size", key, "the value is empty")


def _blosc(source: OpenSource, keys: Sequence[str]) -> Iterator[Finding]:
    """Check Blosc buffers, whose header gives the encoded and the decoded size."""
    sizes: dict[str, int] = {}
    heads = source.store.get_many([(key, ByteRange(0, blosc.HEADER_BYTES)) for key in keys])
    for key, head in zip(keys, heads, strict=True):
        if head is None:
            continue
        stated, wanted = blosc.stated_sizes(head), source.meta.chunk.nbytes
        if stated is None:
            yield Finding("wrong-size", key, "the value is too short for a blosc header, or holds none")
        elif stated[0] != wanted:
            yield Finding("wrong-size", key, f"its header states {stated[0]:,} bytes, the chunk has {wanted:,}")
        else:
            sizes[key] = stated[1]
    yield from _ends(source, sizes)


def _shards(source: OpenSource, codec: ShardingCodec, keys: Sequence[str]) -> Iterator[Finding]:
    """Check shards, whose index locates the inner chunks; only the last byte of a shard is requested."""
    sizes: dict[str, int] = {}
    indexes = source.store.get_many([(key, codec.index_range) for key in keys])
    for key, index in zip(keys, indexes, strict=True):
        if index is None:
            continue
        try:
            sizes[key] = codec.least_bytes(index)
        except ChunkDecodeError as error:
            yield Finding("wrong-index", key, _reason(error))
    yield from _ends(source, sizes, at_least=True)


def _block_codec(source: OpenSource) -> N5ChunkWrapper | None:
    """Return the codec of N5 blocks, if the chunks are such blocks."""
    found = [spec for spec in source.meta.chunk.compressors if spec.name == N5ChunkWrapper.codec_id]
    return N5ChunkWrapper(**found[0].configuration) if len(found) == 1 else None


def _blocks(source: OpenSource, codec: N5ChunkWrapper, keys: Sequence[str]) -> Iterator[Finding]:
    """Check N5 blocks, whose header gives the shape, and so the size of a block that is not compressed."""
    sizes: dict[str, int] = {}
    headers = source.store.get_many([(key, ByteRange(0, codec.header_bytes)) for key in keys])
    for key, header in zip(keys, headers, strict=True):
        if header is None:
            continue
        try:
            size = codec.block_bytes(header)
        except ChunkDecodeError as error:
            yield Finding("wrong-size", key, _reason(error))
        else:
            sizes |= {} if size is None else {key: size}
    yield from _ends(source, sizes)


def _ends(source: OpenSource, sizes: dict[str, int], *, at_least: bool = False) -> Iterator[Finding]:
    """Request the last byte that must exist, and the next one, which must not exist if the size is exact."""
    requests = [(key, ByteRange(max(0, size - 1), size + 1)) for key, size in sizes.items()]
    for (key, size), end in zip(sizes.items(), source.store.get_many(requests) if requests else [], strict=True):
        if end is None:
            continue
        found = memoryview(end).nbytes
        if found < min(1, size) or (found > min(1, size) and not at_least):
            how = "shorter" if found < min(1, size) else "longer"
            yield Finding("wrong-size", key, f"the value is {how} than the {size:,} bytes that it must have")


def _reason(error: ZarrdsError) -> str:
    error.store = error.path = error.key = None
    return str(error)
