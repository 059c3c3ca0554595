"""The `crc32c` codec of Zarr v3: a checksum after the bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
from google_crc32c import value as crc32c

from zarrds._base.types import Buf, NDArrayAny
from zarrds._codec.registry import ArraySpec, CodecKind, register, size_of
from zarrds.errors import ChunkDecodeError

__all__ = ["Crc32cCompressor"]

_BYTES = 4


class Crc32cCompressor:
    """Appends the CRC-32C of the bytes, little-endian; decoding checks it."""

    def encode(self, data: Buf) -> Buf:
        """Return the bytes followed by their checksum."""
        flat = _flat(data)
        return b"".join((flat, crc32c(flat).to_bytes(_BYTES, "little")))

    def decode(self, data: Buf, size: int | None, most: int | None = None) -> Buf:
        """Check the checksum; return the bytes without it, not copied."""
        flat = _flat(data)
        body = flat[:-_BYTES] if isinstance(flat, bytes) else flat[: max(flat.size - _BYTES, 0)]
        if len(flat) < _BYTES:
            raise ChunkDecodeError(
                "value is too short for a checksum", expected=">= 4 bytes", found=f"{len(flat)} bytes"
            )
        stated, found = int.from_bytes(bytes(flat[-_BYTES:]), "little"), crc32c(body)
        if stated != found:
            raise ChunkDecodeError("checksum does not match", expected=f"{stated:#010x}", found=f"{found:#010x}")
        return body

    def decode_into(self, data: Buf, out: NDArrayAny) -> None:
        """Check the checksum and copy the bytes into an array."""
        body = self.decode(data, out.nbytes)
        if size_of(body) != out.nbytes:
            raise ChunkDecodeError("chunk has the wrong size", expected=f"{out.nbytes} bytes", found=size_of(body))
        out.reshape(-1).view(np.uint8)[...] = np.frombuffer(body, np.uint8)

    def encoded_size(self, size: int) -> int | None:
        """Return the size with the four bytes of the checksum."""
        return size + _BYTES


def _flat(data: Buf) -> Any:
    """Convert a buffer to bytes or to a flat byte array, as the checksum function requires."""
    if isinstance(data, bytes):
        return data
    if not size_of(data):
        return b""
    return np.frombuffer(data, np.uint8)


def _make(configuration: dict[str, Any], array_spec: ArraySpec) -> Crc32cCompressor:
    return Crc32cCompressor()


register("crc32c", CodecKind.COMPRESSOR, _make)
