"""Compressors: gzip, zstd, blosc of format 3, and those of numcodecs that have a size to be checked.

Compressed values state, or must not exceed, the size that is expected of them: it is compared before memory is taken.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from functools import lru_cache
from typing import Any

import numpy as np
from numcodecs import blosc as blosc_c
from numcodecs import lz4 as lz4_c
from numcodecs import zstd as zstd_c
from numcodecs.abc import Codec

from zarrds._codec import blosc, zstd
from zarrds._codec.limits import LARGE_BYTES, most_of, too_large
from zarrds._codec.links import Compressor, Kind, Layout, put_decoded, register, size_of, wrong_size
from zarrds._types import Buf, NDArrayAny
from zarrds.errors import BadCompressorError, ChunkDecodeError

__all__ = ["BloscCompressor", "Lz4Compressor", "StreamCompressor", "ZstdCompressor", "bounded"]


class _Sized:
    """What compressors share: their sizes depend on the data."""

    def decode(self, data: Buf, size: int | None, most: int | None = None) -> Buf:
        raise NotImplementedError

    def decode_into(self, data: Buf, out: NDArrayAny) -> None:
        """Decode, and copy into an array."""
        put_decoded(self.decode(data, out.nbytes), out)

    def encoded_size(self, size: int) -> int | None:
        """Not known."""
        return None


def _allowed(data: Buf, most: int | None) -> int:
    return most_of(size_of(data)) if most is None else most


class ZstdCompressor(_Sized):
    """Zstandard."""

    def __init__(self, level: int = 0, checksum: bool = False) -> None:
        self._level, self._checksum = level, checksum

    def encode(self, data: Buf) -> Buf:
        """One frame that states its size."""
        return zstd.compress(data, self._level, self._checksum)

    def decode(self, data: Buf, size: int | None, most: int | None = None) -> Buf:
        """Decode a frame; one that states another size than is expected, or more than `most`, is refused."""
        if size is None:
            return _unsized_zstd(data, _allowed(data, most))
        if size >= LARGE_BYTES:
            _check_zstd_size(data, size)
        out = np.empty(size, np.uint8)
        self.decode_into(data, out)
        return out

    def decode_into(self, data: Buf, out: NDArrayAny) -> None:
        """Decode straight into an array."""
        usual = _usual_head(out.nbytes)
        if bytes(data[: len(usual)]) != usual:
            _check_zstd_size(data, out.nbytes)
        zstd_c.decompress(data, out)  # of a frame without a size it checks that it fills the array


def _check_zstd_size(data: Buf, size: int) -> None:
    stated = zstd_size(data)
    if stated is not None and stated != size:
        raise wrong_size(size, stated)


def _unsized_zstd(data: Buf, most: int) -> bytes:
    """Decode a frame whose size only its header can tell, or, where that does not, its blocks."""
    stated = zstd_size(data)
    if (zstd_bound(data, most) if stated is None else stated) > most:
        raise too_large(most)
    found: bytes = zstd_c.decompress(data)
    if len(found) > most:
        raise too_large(most)
    return found


_MAGIC = b"\x28\xb5\x2f\xfd"
_SIZE_BYTES = (0, 2, 4, 8)
_DICTIONARY_BYTES = (0, 1, 2, 4)


@lru_cache(maxsize=256)
def _usual_head(size: int) -> bytes:
    """How frames of that decoded size begin that were written in one go, without a checksum."""
    if size < 256:
        return _MAGIC + bytes((0x20, size))
    if size < 256 + 2**16:
        return _MAGIC + b"\x60" + (size - 256).to_bytes(2, "little")
    return _MAGIC + (b"\xa0" + size.to_bytes(4, "little") if size < 2**32 else b"\xe0" + size.to_bytes(8, "little"))


def zstd_size(data: Buf) -> int | None:
    """Decoded size that the first frame of a value states, or None; ChunkDecodeError when it is no frame."""
    head = bytes(data[:18] if isinstance(data, bytes) else memoryview(data).cast("B")[:18])
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


def zstd_bound(data: Buf, most: int) -> int:
    """What the blocks of a value can decode to at most, or more than `most`: compressed ones hold 128 KiB or less."""
    flat = memoryview(data).cast("B")
    end, start, bound = len(flat), 0, 0
    while start + 6 <= end and bound <= most and flat[start : start + 4] == _MAGIC:
        descriptor = flat[start + 4]
        single = descriptor >> 5 & 1
        start += 6 - single + _DICTIONARY_BYTES[descriptor & 3] + (_SIZE_BYTES[descriptor >> 6] or single)
        last = False
        while not last and start + 3 <= end and bound <= most:
            head = int.from_bytes(flat[start : start + 3], "little")
            last, kind, size = bool(head & 1), head >> 1 & 3, head >> 3
            start += 3 + (1 if kind == _RUN else size)
            bound += size if kind in (_STORED, _RUN) else _BLOCK_BYTES
        start += 4 * (descriptor >> 2 & 1)
    return bound


_STORED, _RUN = 0, 1  # kinds of blocks
_BLOCK_BYTES = 2**17


class BloscCompressor(_Sized):
    """Blosc; its header is checked, as numcodecs trusts it."""

    def __init__(
        self, cname: str = "lz4", clevel: int = 5, shuffle: int = 1, typesize: int | None = None, blocksize: int = 0
    ) -> None:
        if cname not in blosc_c.list_compressors():
            raise BadCompressorError("unknown compressor inside blosc", found=repr(cname))
        self._settings = (cname.encode(), clevel, shuffle, blocksize)
        self._typesize = typesize

    def encode(self, data: Buf) -> Buf:
        """One buffer, whose elements are of the type size."""
        size = size_of(data)
        if size > blosc_c.MAX_BUFFERSIZE:
            raise ValueError(f"blosc takes at most {blosc_c.MAX_BUFFERSIZE} bytes, found {size}")
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
        """Decode straight into an array."""
        blosc.decompress_into(data, out)


class StreamCompressor(_Sized):
    """Formats of Python's own modules: their decoders stop when there is more than expected."""

    def __init__(self, encode: Any, decoder: Any, *, members: bool = False) -> None:
        self._encode, self._decoder, self._members = encode, decoder, members

    def encode(self, data: Buf) -> Buf:
        """One stream."""
        found: bytes = self._encode(memoryview(data).cast("B") if size_of(data) else b"")
        return found

    def decode(self, data: Buf, size: int | None, most: int | None = None) -> Buf:
        """Decode a stream to its end; for gzip, all of its members."""
        pieces: list[bytes] = []
        limit = _allowed(data, most) if size is None else size
        rest: Any = data if isinstance(data, bytes) else bytes(data)
        left = min(limit, _ANY_LENGTH) + 1
        while True:
            decoder = self._decoder()
            pieces.append(self._run(decoder, rest, left))
            left -= len(pieces[-1])
            if left <= 0:
                raise too_large(limit) if size is None else wrong_size(size, f"more than {size}")
            if not decoder.eof:
                raise ChunkDecodeError("value is truncated")
            rest = decoder.unused_data.lstrip(b"\0") if self._members else b""
            if not rest:
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _run(self, decoder: Any, data: bytes, most: int) -> bytes:
        found: bytes = decoder.decompress(data, most)
        while len(found) < most and not decoder.eof:
            # the end of a stream may not have been looked at yet, once everything before it is out
            more = decoder.decompress(getattr(decoder, "unconsumed_tail", b""), most - len(found))
            if not more and not decoder.eof:
                break
            found += more
        return found


class Lz4Compressor(_Sized):
    """LZ4 as numcodecs has it: the decoded size comes first."""

    def __init__(self, acceleration: int = 1) -> None:
        self._acceleration = acceleration

    def encode(self, data: Buf) -> Buf:
        """The size, and one block."""
        found: bytes = lz4_c.compress(data, self._acceleration)
        return found

    def decode(self, data: Buf, size: int | None, most: int | None = None) -> Buf:
        """Decode a block; one that states another size than is expected, or more than `most`, is refused."""
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
        members=wbits > zlib.MAX_WBITS,
    )


def gzip_of(level: int = 5) -> StreamCompressor:
    """The format of gzip, without a time in its header."""
    return _zlib(_level(level, 0, 9), zlib.MAX_WBITS | 16)


def zlib_of(level: int = 1) -> StreamCompressor:
    """The format of zlib."""
    return _zlib(_level(level, -1, 9), zlib.MAX_WBITS)


def bz2_of(level: int = 1) -> StreamCompressor:
    """The format of bzip2."""
    return StreamCompressor(lambda data: bz2.compress(data, _level(level, 1, 9)), bz2.BZ2Decompressor)


def lzma_of(codec: Codec) -> StreamCompressor:
    """The formats of lzma, with the settings of a numcodecs codec."""
    raw = codec.filters if codec.format == lzma.FORMAT_RAW else None
    return StreamCompressor(codec.encode, lambda: lzma.LZMADecompressor(format=codec.format, filters=raw))


def bounded(codec: Codec) -> Compressor | None:
    """A codec of numcodecs as one that decodes to no more than it may; None for those that add little to a value."""
    return lzma_of(codec) if codec.codec_id == "lzma" else _BOUNDED.get(codec.codec_id)


def _level(level: Any, least: int, most: int) -> int:
    if type(level) is not int or not least <= level <= most:
        raise BadCompressorError("level out of range", expected=f"{least} to {most}", found=repr(level))
    return level


_SHUFFLES = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2, 0: 0, 1: 1, 2: 2}


def _make_blosc(configuration: dict[str, Any], layout: Layout) -> BloscCompressor:
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
        layout.dtype.itemsize if typesize is None else typesize,
        int(configuration.get("blocksize", 0)),
    )


def _make_zstd(configuration: dict[str, Any], layout: Layout) -> ZstdCompressor:
    return ZstdCompressor(
        _level(configuration.get("level", 0), -131072, 22), bool(configuration.get("checksum", False))
    )


def _make_gzip(configuration: dict[str, Any], layout: Layout) -> StreamCompressor:
    return gzip_of(configuration.get("level", 5))


_BOUNDED: dict[str, Compressor] = {
    "zlib": zlib_of(),
    "gzip": gzip_of(),
    "bz2": bz2_of(),
    "zstd": ZstdCompressor(),
    "lz4": Lz4Compressor(),
    "blosc": BloscCompressor(),
}
"""For decoding only, which needs no levels."""

register("blosc", Kind.COMPRESSOR, _make_blosc)
register("zstd", Kind.COMPRESSOR, _make_zstd)
register("gzip", Kind.COMPRESSOR, _make_gzip)
