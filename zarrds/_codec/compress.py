"""Compressors: gzip, zstd and blosc of Zarr v3, and numcodecs compressors whose decoded size is checked.

The decoded size that a value states, or its upper bound, is compared with the expected size before memory is allocated.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numcodecs import blosc as blosc_c
from numcodecs import lz4 as lz4_c
from numcodecs import zstd as zstd_c
from numcodecs.abc import Codec

from zarrds._base.types import Buf, NDArrayAny
from zarrds._codec import blosc, zstd
from zarrds._codec.limits import LARGE_BYTES, most_of, too_large
from zarrds._codec.registry import ArraySpec, CodecKind, Compressor, put_decoded, register, size_of, wrong_size
from zarrds.errors import ArgumentError, BadCompressorError, ChunkDecodeError

__all__ = ["BloscCompressor", "Lz4Compressor", "StreamCompressor", "ZstdCompressor", "bounded"]


class _Sized:
    """Base of compressors whose encoded size depends on the data."""

    def decode(self, data: Buf, size: int | None, most: int | None = None) -> Buf:
        raise NotImplementedError  # builtin: an abstract method

    def decode_into(self, data: Buf, out: NDArrayAny) -> None:
        """Decode a value and copy the result into an array."""
        put_decoded(self.decode(data, out.nbytes), out)

    def encoded_size(self, size: int) -> int | None:
        """Return None: the encoded size depends on the data."""
        return None


def _allowed(data: Buf, most: int | None) -> int:
    return most_of(size_of(data)) if most is None else most


class ZstdCompressor(_Sized):
    """Zstandard."""

    def __init__(self, level: int = 0, checksum: bool = False) -> None:
        self._level, self._checksum = level, checksum

    def encode(self, data: Buf) -> Buf:
        """Encode data as one frame that states its decoded size."""
        return zstd.compress(data, self._level, self._checksum)

    def decode(self, data: Buf, size: int | None, most: int | None = None) -> Buf:
        """Decode a frame; raise ChunkDecodeError if it states another size than `size`, or more than `most`."""
        if size is None:
            return _unsized_zstd(data, _allowed(data, most))
        if size >= LARGE_BYTES:
            _check_zstd_size(data, size)
        if type(data) is bytes and data.startswith(_usual_head(size)):
            return _decompressed(data)
        out = np.empty(size, np.uint8)
        self.decode_into(data, out)
        return out

    def decode_into(self, data: Buf, out: NDArrayAny) -> None:
        """Decode directly into an array."""
        usual = _usual_head(out.nbytes)
        if bytes(data[: len(usual)]) != usual:
            _check_zstd_size(data, out.nbytes)
        try:
            zstd_c.decompress(data, out)  # if a frame states no size, the decoder checks that it fills the array
        except RuntimeError as error:
            put_decoded(_frame_by_frame(data, error), out)


def _check_zstd_size(data: Buf, size: int) -> None:
    stated = _stated_by_frame(_head(data))
    if stated is not None and stated != size:
        stated = zstd_size(data)  # there may be several frames
    if stated is not None and stated != size:
        raise wrong_size(size, stated)


def _unsized_zstd(data: Buf, most: int) -> bytes:
    """Decode frames of unknown size: take it from the frame headers or, if they do not state it, from the blocks."""
    stated = zstd_size(data)
    if (zstd_bound(data, most) if stated is None else stated) > most:
        raise too_large(most)
    found = _decompressed(data)
    if len(found) > most:
        raise too_large(most)
    return found


def _decompressed(data: Buf) -> bytes:
    try:
        found: bytes = zstd_c.decompress(data)
    except RuntimeError as error:
        found = _frame_by_frame(data, error)
    return found


def _frame_by_frame(data: Buf, error: RuntimeError) -> bytes:
    """Decode the frames of a value one by one, as numcodecs before 0.16.4 takes one only; else raise the error."""
    frames = _cut(memoryview(data).cast("B")) if size_of(data) else []
    most = most_of(size_of(data))
    if not frames or len(frames[0]) == size_of(data) or zstd_bound(data, most) > most:
        raise error
    # numcodecs decodes no frame that states the size 0
    return b"".join([zstd_c.decompress(frame) for frame in frames if _stated_by_frame(_head(frame)) != 0])


def _cut(flat: memoryview) -> list[memoryview]:
    """Return the frames of a value, without skippable ones; none if anything else is among them."""
    found: list[memoryview] = []
    start = 0
    while start < len(flat):
        head = bytes(flat[start : start + 8])
        end = [start + 8 + int.from_bytes(head[4:], "little")]
        if not _is_skipped(head):
            if len(head) < 8 or head[:4] != _MAGIC:
                return []
            end = [start]
            for _ in _blocks(flat, end):
                pass
            found.append(flat[start : end[0]])
        start = end[0]
    return found if start == len(flat) else []


_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPED_MAGIC = b"\x2a\x4d\x18"  # after a byte from 0x50 to 0x5f
_SIZE_BYTES = (0, 2, 4, 8)
_DICTIONARY_BYTES = (0, 1, 2, 4)


@lru_cache(maxsize=256)
def _usual_head(size: int) -> bytes:
    """Return the first bytes of a frame with this decoded size, written in one call and without a checksum."""
    if size < 256:
        return _MAGIC + bytes((0x20, size))
    if size < 256 + 2**16:
        return _MAGIC + b"\x60" + (size - 256).to_bytes(2, "little")
    return _MAGIC + (b"\xa0" + size.to_bytes(4, "little") if size < 2**32 else b"\xe0" + size.to_bytes(8, "little"))


def zstd_size(data: Buf) -> int | None:
    """Return the sum of the decoded sizes that the frames of a value state; None if one states no size.

    Raises ChunkDecodeError if the value does not begin with a frame. Skippable frames count as empty.
    """
    total: int | None = 0
    for stated, _ in _frames(memoryview(data).cast("B") if size_of(data) else memoryview(b"")):
        total = None if total is None or stated is None else total + stated
    return total


def zstd_bound(data: Buf, most: int) -> int:
    """Return an upper bound of the decoded size of all frames; it may stop early at a number above `most`."""
    bound = 0
    if size_of(data):
        for stated, blocks in _frames(memoryview(data).cast("B")):
            for size in blocks if stated is None else (stated,):
                bound += size
                if bound > most:
                    return bound
    return bound


def _frames(flat: memoryview) -> Iterator[tuple[int | None, Iterator[int]]]:
    """Yield for each frame the size that it states, and an upper bound of the decoded size of each block."""
    start = 0
    while start == 0 or start + 8 <= len(flat):
        head = bytes(flat[start : start + 18])
        if _is_skipped(head):
            start += 8 + int.from_bytes(head[4:8], "little")
            continue
        if start and head[:4] != _MAGIC:
            return  # left to the decoder, which reports it
        stated, end = _stated_by_frame(head), [start]
        blocks = _blocks(flat, end)
        yield stated, blocks
        for _ in blocks:  # the blocks that the caller has not iterated over
            pass
        start = end[0]


def _is_skipped(head: bytes) -> bool:
    return len(head) >= 8 and head[0] & 0xF0 == 0x50 and head[1:4] == _SKIPPED_MAGIC


def _stated_by_frame(head: bytes) -> int | None:
    """Return the decoded size in a frame header, or None; raise ChunkDecodeError if this is no frame header."""
    if _is_skipped(head):
        return None
    if len(head) < 6 or head[:4] != _MAGIC:
        raise ChunkDecodeError("value is no zstd frame", found=head[:4].hex() or "nothing")
    descriptor = head[4]
    single = descriptor >> 5 & 1
    length = _SIZE_BYTES[descriptor >> 6] or single
    if not length:
        return None
    start = 6 - single + _DICTIONARY_BYTES[descriptor & 3]
    size = int.from_bytes(head[start : start + length], "little")
    return size + 256 if length == 2 else size


def _blocks(flat: memoryview, place: list[int]) -> Iterator[int]:
    """Yield the largest decoded size of each block of a frame; a compressed block holds 128 KiB or less.

    `place` is a list of one number: the start of the frame, replaced by its end.
    """
    end, start = len(flat), place[0]
    descriptor = flat[start + 4]
    single = descriptor >> 5 & 1
    start += 6 - single + _DICTIONARY_BYTES[descriptor & 3] + (_SIZE_BYTES[descriptor >> 6] or single)
    last = False
    while not last and start + 3 <= end:
        head = int.from_bytes(flat[start : start + 3], "little")
        last, kind, size = bool(head & 1), head >> 1 & 3, head >> 3
        start += 3 + (1 if kind == _RUN else size)
        yield size if kind in (_STORED, _RUN) else _BLOCK_BYTES
    place[0] = start + 4 * (descriptor >> 2 & 1) if last else end


def _head(data: Buf) -> bytes:
    return bytes(data[:18] if isinstance(data, bytes) else memoryview(data).cast("B")[:18])


_STORED, _RUN = 0, 1  # kinds of blocks
_BLOCK_BYTES = 2**17


class BloscCompressor(_Sized):
    """Blosc, with a check of the header, which numcodecs trusts."""

    def __init__(
        self, cname: str = "lz4", clevel: int = 5, shuffle: int = 1, typesize: int | None = None, blocksize: int = 0
    ) -> None:
        if cname not in blosc_c.list_compressors():
            raise BadCompressorError("unknown compressor inside blosc", found=repr(cname))
        self._settings = (cname.encode(), clevel, shuffle, blocksize)
        self._typesize = typesize

    def encode(self, data: Buf) -> Buf:
        """Encode data as one buffer, with elements of the configured type size."""
        size = size_of(data)
        if size > blosc_c.MAX_BUFFERSIZE:
            raise ArgumentError(f"blosc takes at most {blosc_c.MAX_BUFFERSIZE} bytes, found {size}")
        if self._typesize is not None and size and size % self._typesize == 0:
            data = np.frombuffer(data, f"V{self._typesize}")
        return blosc.in_order(blosc_c.compress(data, *self._settings))

    def decode(self, data: Buf, size: int | None, most: int | None = None) -> Buf:
        """Decode a buffer."""
        stated = blosc.check_header(data, size)
        if size is None and stated > _allowed(data, most):
            raise too_large(_allowed(data, most))
        found: bytes = blosc_c.decompress(data)
        return found

    def decode_into(self, data: Buf, out: NDArrayAny) -> None:
        """Decode directly into an array."""
        blosc.decompress_into(data, out)


class StreamCompressor(_Sized):
    """Compressors of Python's standard library; decoding stops when there is more data than expected.

    `several`: streams may follow each other. `padded`: zeros may follow each stream. `foreign`: errors that the decoder
    raises for bytes that are no stream, if such bytes may follow a stream.
    """

    def __init__(
        self,
        encode: Any,
        decoder: Any,
        *,
        several: bool = True,
        padded: bool = False,
        foreign: tuple[type[Exception], ...] = (),
    ) -> None:
        self._encode, self._decoder = encode, decoder
        self._several, self._padded, self._foreign = several, padded, foreign

    def encode(self, data: Buf) -> Buf:
        """Encode data as one stream."""
        found: bytes = self._encode(memoryview(data).cast("B") if size_of(data) else b"")
        return found

    def decode(self, data: Buf, size: int | None, most: int | None = None) -> Buf:
        """Decode all streams (or gzip members) of a value."""
        limit = _allowed(data, most) if size is None else size
        flat: Any = data if isinstance(data, bytes) else bytes(data)
        pieces: list[bytes] = []
        left, start = min(limit, _ANY_LENGTH) + 1, 0
        while True:
            try:
                piece, start = self._stream(flat, start, left)
            except (
                self._foreign
            ):  # bytes after a complete stream that are no stream are ignored, as Python's modules do
                if not pieces:
                    raise
                break
            pieces.append(piece)
            left -= len(piece)
            if left <= 0:
                raise too_large(limit) if size is None else wrong_size(size, f"more than {size}")
            if self._padded:
                start = _after_zeros(flat, start)
            if start >= len(flat) or not self._several:
                break
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _stream(self, flat: bytes, start: int, most: int) -> tuple[bytes, int]:
        """Decode one stream, up to `most` bytes; return the data and the end of the stream.

        The first stream is passed to the decoder at once, others in pieces: a decoder copies the bytes it does not use.
        """
        decoder, found, length = self._decoder(), [], len(flat) if start == 0 else _PIECE_BYTES
        while not decoder.eof and most > 0:
            given: bytes = getattr(decoder, "unconsumed_tail", b"")
            if not given and getattr(decoder, "needs_input", True):
                given = flat if start == 0 and length == len(flat) else flat[start : start + length]
                start, length = start + len(given), 4 * length
            piece = decoder.decompress(given, most)
            if not given and not piece and not decoder.eof:
                raise ChunkDecodeError("value is truncated")
            found.append(piece)
            most -= len(piece)
        return found[0] if len(found) == 1 else b"".join(found), start - len(decoder.unused_data)


def _after_zeros(flat: bytes, start: int) -> int:
    """Return the end of a run of zeros: some writers pad to whole blocks with zeros."""
    while start < len(flat) and flat[start] == 0:
        block = flat[start : start + _PIECE_BYTES]
        rest = block.lstrip(b"\0")
        start += len(block) - len(rest)
    return start


_PIECE_BYTES = 2**12


class Lz4Compressor(_Sized):
    """LZ4 in the format of numcodecs, which begins with the decoded size."""

    def __init__(self, acceleration: int = 1) -> None:
        self._acceleration = acceleration

    def encode(self, data: Buf) -> Buf:
        """Encode data as its size and one block."""
        found: bytes = lz4_c.compress(data, self._acceleration)
        return found

    def decode(self, data: Buf, size: int | None, most: int | None = None) -> Buf:
        """Decode a block; raise ChunkDecodeError if it states another size than `size`, or more than `most`."""
        stated = int.from_bytes(bytes(memoryview(data).cast("B")[:4]), "little")
        if size_of(data) < 4 or (size is not None and stated != size):
            raise wrong_size(size or 0, stated)
        if size is None and stated > _allowed(data, most):
            raise too_large(_allowed(data, most))
        found: bytes = lz4_c.decompress(data) if stated else b""
        return found


_ANY_LENGTH = 2**62


def _zlib(level: int, wbits: int) -> StreamCompressor:
    return StreamCompressor(
        lambda data: zlib.compress(data, level, wbits),
        lambda: zlib.decompressobj(wbits),
        several=wbits > zlib.MAX_WBITS,
        padded=wbits > zlib.MAX_WBITS,
    )


def gzip_of(level: int = 5) -> StreamCompressor:
    """Return a gzip compressor that writes no time into the header."""
    return _zlib(_level(level, 0, 9), zlib.MAX_WBITS | 16)


def zlib_of(level: int = 1) -> StreamCompressor:
    """Return a zlib compressor."""
    return _zlib(_level(level, -1, 9), zlib.MAX_WBITS)


def bz2_of(level: int = 1) -> StreamCompressor:
    """Return a bzip2 compressor."""
    return StreamCompressor(
        lambda data: bz2.compress(data, _level(level, 1, 9)), bz2.BZ2Decompressor, foreign=(OSError,)
    )


def lzma_of(codec: Codec) -> StreamCompressor:
    """Return an LZMA compressor with the settings of a numcodecs codec."""
    raw = codec.filters if codec.format == lzma.FORMAT_RAW else None
    return StreamCompressor(
        codec.encode,
        lambda: lzma.LZMADecompressor(format=codec.format, filters=raw),
        padded=codec.format in (lzma.FORMAT_XZ, lzma.FORMAT_AUTO),
        foreign=(lzma.LZMAError,),
    )


def bounded(codec: Codec) -> Compressor | None:
    """Return a compressor that bounds the decoded size of a numcodecs codec; None for codecs that add little."""
    return lzma_of(codec) if codec.codec_id == "lzma" else _BOUNDED.get(codec.codec_id)


def _level(level: Any, least: int, most: int) -> int:
    if type(level) is not int or not least <= level <= most:
        raise BadCompressorError("level out of range", expected=f"{least} to {most}", found=repr(level))
    return level


_SHUFFLES = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2, 0: 0, 1: 1, 2: 2}


def _make_blosc(configuration: dict[str, Any], array_spec: ArraySpec) -> BloscCompressor:
    shuffle = configuration.get("shuffle", "noshuffle")
    if isinstance(shuffle, bool) or shuffle not in _SHUFFLES:
        raise BadCompressorError("unknown shuffle", expected="noshuffle, shuffle or bitshuffle", found=repr(shuffle))
    typesize = configuration.get("typesize")
    if typesize is not None and (type(typesize) is not int or not typesize >= 1):
        raise BadCompressorError("typesize out of range", expected="1 or more", found=repr(typesize))
    return BloscCompressor(
        str(configuration.get("cname", "lz4")),
        _level(configuration.get("clevel", 5), 0, 9),
        _SHUFFLES[shuffle],
        array_spec.dtype.itemsize if typesize is None else typesize,
        int(configuration.get("blocksize", 0)),
    )


def _make_zstd(configuration: dict[str, Any], array_spec: ArraySpec) -> ZstdCompressor:
    return ZstdCompressor(
        _level(configuration.get("level", 0), -131072, 22), bool(configuration.get("checksum", False))
    )


def _make_gzip(configuration: dict[str, Any], array_spec: ArraySpec) -> StreamCompressor:
    return gzip_of(configuration.get("level", 5))


_BOUNDED: dict[str, Compressor] = {
    "zlib": zlib_of(),
    "gzip": gzip_of(),
    "bz2": bz2_of(),
    "zstd": ZstdCompressor(),
    "lz4": Lz4Compressor(),
    "blosc": BloscCompressor(),
}
"""For decoding only, so levels do not matter."""

register("blosc", CodecKind.COMPRESSOR, _make_blosc)
register("zstd", CodecKind.COMPRESSOR, _make_zstd)
register("gzip", CodecKind.COMPRESSOR, _make_gzip)
