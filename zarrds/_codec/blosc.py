"""Check the sizes of Blosc buffers before decoding, and read a part of a buffer from a part of its bytes.

numcodecs trusts the header: it would read beyond the end of a truncated buffer and return garbage.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Sequence
from itertools import accumulate
from struct import Struct, pack, unpack_from
from typing import NamedTuple

import numpy as np
from numcodecs import blosc

from zarrds._base.types import Buf, ByteRange, NDArrayAny
from zarrds.errors import ChunkDecodeError

__all__ = ["HEADER_BYTES", "check_header", "decompress", "decompress_into", "in_order", "read_decoded", "stated_sizes"]

_HEADER = Struct("<4B3I")  # version, versionlz, flags, typesize; nbytes, blocksize, cbytes
HEADER_BYTES = _HEADER.size
_VERSIONS = (2, 1)  # of the format, and of every compressor's inside it
_STORED = 0x02  # flag: the bytes follow the header as they are
_FLAGS = frozenset(
    flags
    for flags in range(256)
    if not flags & 0x08 and flags & 0x05 != 0x05 and flags >> 5 <= 4  # one kind of shuffle; a compressor that exists
)


def check_header(data: Buf, nbytes: int | None = None) -> int:
    """Return the decoded size from the header; raise ChunkDecodeError if it contradicts the buffer or `nbytes`."""
    length = len(data) if isinstance(data, bytes) else memoryview(data).nbytes
    if length < HEADER_BYTES:
        raise ChunkDecodeError(
            "value is too short for a blosc header", codec="blosc", expected=">= 16 bytes", found=f"{length} bytes"
        )
    version, inner_version, flags, typesize, decoded, blocksize, encoded = _HEADER.unpack_from(data)
    if encoded > length or encoded < HEADER_BYTES:
        raise ChunkDecodeError(
            "value is truncated or corrupt",
            codec="blosc",
            expected=f"{encoded} bytes as its header says",
            found=f"{length} bytes",
        )
    if nbytes is not None and decoded != nbytes:
        raise ChunkDecodeError(
            "chunk has the wrong size", codec="blosc", expected=f"{nbytes} bytes decoded", found=f"{decoded} bytes"
        )
    if (
        (version, inner_version) != _VERSIONS
        or flags not in _FLAGS
        or not typesize
        or not 0 < blocksize <= max(decoded, 1)
        or (flags & _STORED and encoded < decoded + HEADER_BYTES)
    ):
        raise ChunkDecodeError("header is corrupt", codec="blosc", found=bytes(memoryview(data)[:16]).hex())
    return int(decoded)


def stated_sizes(head: Buf) -> tuple[int, int] | None:
    """Return the decoded size and the buffer size from the first bytes of a buffer; None if they are no header."""
    begin = bytes(memoryview(head))
    if len(begin) < HEADER_BYTES:
        return None
    _, _, _, _, decoded, _, encoded = _HEADER.unpack_from(begin)
    return (decoded, encoded) if encoded >= HEADER_BYTES else None


def decompress(data: Buf, nbytes: int | None = None) -> bytes:
    """Decompress a buffer; raise ChunkDecodeError if it does not decode to `nbytes` (None: to any size)."""
    check_header(data, nbytes)
    found: bytes = blosc.decompress(data)
    return found


def decompress_into(data: Buf, out: NDArrayAny) -> None:
    """Decompress into `out`, a contiguous array of exactly the decoded size."""
    check_header(data, out.nbytes)
    blosc.decompress(data, out)


def in_order(data: bytes) -> bytes:
    """Return the buffer with its blocks sorted: Blosc threads append each block as soon as it is compressed."""
    _, _, flags, _, decoded, blocksize, encoded = _HEADER.unpack_from(data)
    if decoded <= blocksize or flags & _STORED:
        return data
    starts = np.frombuffer(data, "<u4", -(-decoded // blocksize), HEADER_BYTES)
    if (starts[1:] > starts[:-1]).all():
        return data
    order = np.argsort(starts)
    stops = np.empty_like(starts)
    stops[order] = [*starts[order[1:]], encoded]
    lengths = stops - starts
    begins = (HEADER_BYTES + starts.nbytes + np.cumsum(lengths) - lengths).astype("<u4")
    blocks = [data[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
    return b"".join((data[:HEADER_BYTES], begins.tobytes(), *blocks))


# --- a part of a buffer -----------------------------------------------------------------------------------------------

_SHORT_BLOCK = 8192  # blocks are seldom shorter, so one request usually reads the header and all block starts


class _Layout(NamedTuple):
    """Header of a buffer, and the start of each block; blocks may be in any order, as threads wrote them."""

    head: tuple[int, ...]
    starts: tuple[int, ...]

    @property
    def blocksize(self) -> int:
        """Decoded size in bytes of every block except the last."""
        return self.head[5]

    def extents(self, first: int, last: int) -> list[ByteRange]:
        """Return the byte ranges of blocks in the buffer: each ends where the next block starts or the buffer ends."""
        ordered = [*sorted(self.starts), self.head[6]]
        return [ByteRange(s, ordered[bisect_right(ordered, s)]) for s in self.starts[first:last]]


def read_decoded(wanted: ByteRange, nbytes: int) -> Generator[Sequence[ByteRange | None], list[Buf | None], Buf | None]:
    """Read a range of the decoded bytes of a buffer that decodes to `nbytes`.

    1. One request reads the header and as many block starts as there usually are; a second request reads the other
       starts if blocks are unusually short.
    2. Another request reads the blocks that hold the range. A smaller buffer is built from them, with its own header
       and starts. Blosc requires at least one block of full length: if only the last, shorter block is wanted, the
       block before it is read as well.

    In a buffer without compression, the range itself is read; a buffer with a single block is read as a whole.
    """
    assert wanted.stop is not None
    (data,) = yield (ByteRange(0, _HEADER.size + 4 * -(-nbytes // _SHORT_BLOCK)),)
    if data is None:
        return None
    begin = bytes(memoryview(data).cast("B"))
    head = _checked_head(begin, nbytes)
    if head[2] & _STORED:
        (data,) = yield (ByteRange(_HEADER.size + wanted.start, _HEADER.size + wanted.stop),)
        return data
    count = -(-nbytes // head[5])
    if count < 2 or head[6] <= len(begin):
        (data,) = (begin[: head[6]],) if head[6] <= len(begin) else (yield (None,))
        return None if data is None else decompress(data)[wanted.start : wanted.stop]
    if len(begin) < _HEADER.size + 4 * count:
        (data,) = yield (ByteRange(len(begin), _HEADER.size + 4 * count),)
        begin += b"" if data is None else bytes(memoryview(data).cast("B"))
    layout = _layout(begin, head, count)
    first, last = _blocks(wanted, layout.blocksize, nbytes)
    extents = layout.extents(first, last)
    pieces = yield extents
    if any(piece is None for piece in pieces):
        return None
    decoded = decompress(_assembled(layout, first, extents, pieces))
    offset = first * layout.blocksize
    return decoded[wanted.start - offset : wanted.stop - offset]


def _checked_head(begin: bytes, nbytes: int) -> tuple[int, ...]:
    if len(begin) >= _HEADER.size:
        head = _HEADER.unpack_from(begin)
        if head[4] == nbytes and 0 < head[5] <= nbytes and head[6] >= _HEADER.size:
            return head
    raise ChunkDecodeError(
        "value is corrupt, or no blosc buffer of this size", codec="blosc", expected=f"{nbytes} bytes decoded"
    )


def _layout(begin: bytes, head: tuple[int, ...], count: int) -> _Layout:
    if len(begin) < _HEADER.size + 4 * count:
        raise ChunkDecodeError("value is truncated", codec="blosc", expected=f"starts of {count} blocks")
    starts = unpack_from(f"<{count}I", begin, _HEADER.size)
    if any(not _HEADER.size + 4 * count <= start < head[6] for start in starts):
        raise ChunkDecodeError("value is corrupt", codec="blosc", expected="blocks inside the value")
    return _Layout(head, starts)


def _blocks(wanted: ByteRange, blocksize: int, nbytes: int) -> tuple[int, int]:
    """Return the first and last (exclusive) block of a range; never only the short block at the end."""
    assert wanted.stop is not None
    first, last = wanted.start // blocksize, max(-(-wanted.stop // blocksize), wanted.start // blocksize + 1)
    count = -(-nbytes // blocksize)
    return (first - 1 if first == count - 1 and nbytes % blocksize else first), last


def _assembled(layout: _Layout, first: int, extents: Sequence[ByteRange], pieces: Sequence[Buf | None]) -> bytes:
    """Build a buffer that has only these neighbouring blocks."""
    head = list(layout.head)
    parts = [bytes(memoryview(piece).cast("B")) for piece in pieces if piece is not None]
    for extent, part in zip(extents, parts, strict=True):
        if extent.stop is None or len(part) != extent.stop - extent.start:
            raise ChunkDecodeError("value is truncated", codec="blosc", expected=extent, found=f"{len(part)} bytes")
    begin = _HEADER.size + 4 * len(parts)
    starts = [begin, *(begin + end for end in accumulate(map(len, parts)))]
    head[4] = min(layout.blocksize * len(parts), layout.head[4] - first * layout.blocksize)
    head[6] = starts[-1]
    return _HEADER.pack(*head) + pack(f"<{len(parts)}I", *starts[:-1]) + b"".join(parts)
