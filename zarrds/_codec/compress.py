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
from numcodecs import zstd as zstd_c
from numcodecs.abc import Codec

from zarrds._codec import blosc, zstd
from zarrds._codec.links import Kind, Layout, register, size_of, wrong_size
from zarrds._types import Buf, NDArrayAny
from zarrds.errors import BadCompressorError, ChunkDecodeError

__all__ = ["BloscCompressor", "StreamCompressor", "ZstdCompressor"]


class _Sized:
    """What compressors share: their sizes depend on the data."""

    def decode(self, data: Buf, size: int | None) -> Buf:
        raise NotImplementedError

    def decode_into(self, data: Buf, out: NDArrayAny) -> None:
        """Decode, and copy into an array."""
        found = self.decode(data, out.nbytes)
        if size_of(found) != out.nbytes:
            raise wrong_size(out.nbytes, size_of(found))
        out.reshape(-1).view(np.uint8)[...] = np.frombuffer(found, np.uint8)

    def encoded_size(self, size: int) -> int | None:
        """Not known."""
        return None


class ZstdCompressor(_Sized):
    """Zstandard."""

    def __init__(self, level: int = 0, checksum: bool = False) -> None:
        self._level, self._checksum = level, checksum

    def encode(self, data: Buf) -> Buf:
        """One frame that states its size."""
        return zstd.compress(data, self._level, self._checksum)

    def decode(self, data: Buf, size: int | None) -> Buf:
        """Decode a frame; one that states another size than is expected is refused."""
        if size is None:
            found: bytes = zstd_c.decompress(data)
            return found
        out = np.empty(size, np.uint8)
        self.decode_into(data, out)
        return out

    def decode_into(self, data: Buf, out: NDArrayAny) -> None:
        """Decode straight into an array."""
        usual = _usual_head(out.nbytes)
        if bytes(data[: len(usual)]) != usual:
            stated = zstd_size(data)
            if stated is not None and stated != out.nbytes:
                raise wrong_size(out.nbytes, stated)
        zstd_c.decompress(data, out)  # of a frame without a size it checks that it fills the array


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
        found: bytes = blosc_c.compress(data, *self._settings)
        return found

    def decode(self, data: Buf, size: int | None) -> Buf:
        """Decode a buffer."""
        blosc.check_header(data, size)
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

    def decode(self, data: Buf, size: int | None) -> Buf:
        """Decode a stream to its end; for gzip, all of its members."""
        pieces: list[bytes] = []
        most = -1 if size is None else size + 1
        rest: Any = data if isinstance(data, bytes) else bytes(data)
        while True:
            decoder = self._decoder()
            pieces.append(self._run(decoder, rest, most))
            if size is not None:
                most -= len(pieces[-1])
                if most <= 0:
                    raise wrong_size(size, f"more than {size}")
            if not decoder.eof:
                raise ChunkDecodeError("value is truncated")
            rest = decoder.unused_data.lstrip(b"\0") if self._members else b""
            if not rest:
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _run(self, decoder: Any, data: bytes, most: int) -> bytes:
        if most < 0:
            found: bytes = decoder.decompress(data)
            return found
        found = decoder.decompress(data, most)
        while len(found) < most and not decoder.eof:
            # the end of a stream may not have been looked at yet, once everything before it is out
            more = decoder.decompress(getattr(decoder, "unconsumed_tail", b""), most - len(found))
            if not more and not decoder.eof:
                break
            found += more
        return found


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


register("blosc", Kind.COMPRESSOR, _make_blosc)
register("zstd", Kind.COMPRESSOR, _make_zstd)
register("gzip", Kind.COMPRESSOR, _make_gzip)
