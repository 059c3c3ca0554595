"""Blosc buffers: their sizes checked before they are decoded.

numcodecs trusts the header: a truncated buffer would be read beyond its end and give garbage.
"""

from __future__ import annotations

from struct import Struct

from numcodecs import blosc

from zarrds._types import Buf, NDArrayAny
from zarrds.errors import ChunkDecodeError

__all__ = ["check_header", "decompress", "decompress_into"]

_SIZES = Struct("<4xI4xI")  # version, versionlz, flags, typesize; then nbytes, blocksize, cbytes
_HEADER_BYTES = 16


def check_header(data: Buf, nbytes: int | None = None) -> int:
    """Decoded size that the header states; ChunkDecodeError unless it fits the buffer and `nbytes`."""
    length = len(data) if isinstance(data, bytes) else memoryview(data).nbytes
    if length < _HEADER_BYTES:
        raise ChunkDecodeError(
            "value is too short for a blosc header", codec="blosc", expected=">= 16 bytes", found=f"{length} bytes"
        )
    decoded, encoded = _SIZES.unpack_from(data)
    if encoded > length or encoded < _HEADER_BYTES:
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
    return int(decoded)


def decompress(data: Buf) -> bytes:
    """Decompress a buffer whose decoded size the caller does not know."""
    check_header(data)
    found: bytes = blosc.decompress(data)
    return found


def decompress_into(data: Buf, out: NDArrayAny) -> None:
    """Decompress into `out`, a contiguous array of exactly the decoded size."""
    check_header(data, out.nbytes)
    blosc.decompress(data, out)
