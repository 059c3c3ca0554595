"""N5 blocks: a header, then the compressed big-endian elements.

A block at the edge of an array may be smaller than the others. Its header has its shape; the rest reads as zeros.
"""

from __future__ import annotations

from math import prod
from struct import Struct, pack, unpack_from
from typing import Any

import numpy as np
from numcodecs import get_codec
from numcodecs.abc import Codec
from numcodecs.blosc import Blosc
from numcodecs.compat import ensure_bytes, ensure_contiguous_ndarray

from zarrds._base.types import Buf, NDArrayAny, Shape
from zarrds._codec.compress import bounded
from zarrds._codec.encoding import encode_with
from zarrds._codec.registry import size_of
from zarrds.errors import ArgumentError, ChunkDecodeError

__all__ = ["DEFAULT_MODE", "N5ChunkWrapper", "pack_header", "padded", "read_header"]

_MODE = Struct(">HH")
DEFAULT_MODE, _VARLENGTH = 0, 1


def pack_header(lengths: Shape) -> bytes:
    """Return the header of a block of elements of fixed size; lengths of dimensions are in the order of N5."""
    return _MODE.pack(DEFAULT_MODE, len(lengths)) + pack(f">{len(lengths)}I", *lengths)


def read_header(data: memoryview, limits: Shape, codec: str, *, larger: bool = False) -> tuple[int, Shape, int]:
    """Return the mode of a block, the lengths of its dimensions in the order of N5, and the offset of what follows.

    Raises ChunkDecodeError if it is truncated, or does not fit a chunk with these lengths; `larger`: it need not fit.
    """
    length = _MODE.size + 4 * len(limits)
    if len(data) < length:
        raise _refused(codec, "is truncated", f"at least {length} bytes", f"{len(data)} bytes")
    mode, ndim = _MODE.unpack_from(data)
    if ndim != len(limits):
        raise _refused(codec, "has another number of dimensions", len(limits), ndim)
    lengths: Shape = unpack_from(f">{ndim}I", data, _MODE.size)
    if not larger and any(size > limit for size, limit in zip(lengths, limits, strict=True)):
        raise _refused(codec, "is larger than the chunks of the array", limits, lengths)
    return mode, lengths, length


def padded(block: NDArrayAny, shape: Shape, dtype: np.dtype[Any]) -> NDArrayAny:
    """Return a block as a new array of `shape`, with zeros where the block is smaller, cut where it is larger."""
    if block.shape == shape:
        return block.astype(dtype)
    chunk = np.zeros(shape, dtype)
    block = block[tuple(map(slice, shape))]
    chunk[tuple(map(slice, block.shape))] = block
    return chunk


def _refused(codec: str, what: str, expected: object, found: object) -> ChunkDecodeError:
    return ChunkDecodeError(f"block of N5 {what}", codec=codec, expected=expected, found=found)


class N5ChunkWrapper(Codec):  # type: ignore[misc]
    """Codec of N5 blocks around a compressor.

    Parameters
    ----------
    dtype : dtype
        Data type of the elements; stored big-endian, handed out in the dtype's own order.
    chunk_shape : tuple of int
        Shape of a chunk, in the order of Zarr (slowest dimension first).
    compressor_config : dict, optional
        Configuration of the compressor.
    compressor : numcodecs.abc.Codec, optional
        The compressor itself, instead of its configuration.

    Examples
    --------
    >>> import numpy as np
    >>> from zarrds.n5 import N5ChunkWrapper
    >>> codec = N5ChunkWrapper("<u2", chunk_shape=(1, 2))
    >>> codec.encode(np.array([[1, 2]], "<u2")).hex(" ", 4)
    '00000002 00000002 00000001 00010002'
    """

    dtype: np.dtype[Any]

    codec_id = "n5_wrapper"

    def __init__(
        self,
        dtype: Any,
        chunk_shape: Any,
        compressor_config: dict[str, Any] | None = None,
        compressor: Codec | None = None,
    ) -> None:
        if compressor is not None:
            if compressor_config is not None:
                raise ArgumentError("only one of compressor_config and compressor can be given")
            compressor_config = compressor.get_config()
        self.dtype = np.dtype(dtype)
        self.chunk_shape: Shape = tuple(int(length) for length in chunk_shape)
        self.compressor_config = compressor_config
        self._compressor: Codec | None = None if compressor_config is None else get_codec(dict(compressor_config))

    def get_config(self) -> dict[str, Any]:
        """Return the codec configuration, as in Zarr v2 metadata."""
        return {
            "id": self.codec_id,
            "compressor_config": self.compressor_config,
            "dtype": self.dtype.str,
            "chunk_shape": list(self.chunk_shape),
        }

    def encode(self, buf: Any) -> bytes:
        """Encode a whole chunk.

        Parameters
        ----------
        buf : ndarray
            The chunk, of the shape and dtype of the codec.

        Returns
        -------
        bytes
            Header and compressed elements of the block.
        """
        elements = ensure_contiguous_ndarray(buf).view(self.dtype).reshape(self.chunk_shape)
        payload = elements.astype(self.dtype.newbyteorder(">"), copy=False).tobytes()
        if self._compressor is not None:
            if isinstance(self._compressor, Blosc):  # Blosc uses the size of the elements
                payload = encode_with(self._compressor, np.frombuffer(payload, self.dtype.newbyteorder(">")))
            else:
                payload = encode_with(self._compressor, payload)
        return pack_header(self.chunk_shape[::-1]) + bytes(ensure_bytes(payload))

    def decode(self, buf: Any, out: Any = None) -> NDArrayAny:
        """Decode a block to a whole chunk; raise ChunkDecodeError if it is not a block of this array.

        Parameters
        ----------
        buf : bytes-like
            The block.
        out : ndarray, optional
            Where the elements are written.

        Returns
        -------
        ndarray
            The chunk.
        """
        data = memoryview(ensure_contiguous_ndarray(buf)).cast("B")
        shape, start = self._header(data)
        chunk = padded(self._elements(data[start:], shape), self.chunk_shape, self.dtype)
        if out is None:
            return chunk
        ensure_contiguous_ndarray(out).view(self.dtype)[...] = chunk.reshape(-1)
        return out  # type: ignore[no-any-return]

    @property
    def header_bytes(self) -> int:
        """Return the size in bytes of the longest possible block header."""
        return _MODE.size + 4 * len(self.chunk_shape) + 4

    def block_bytes(self, header: Buf) -> int | None:
        """Return the size of a block from its header; None if unknown; raise ChunkDecodeError if it is invalid."""
        shape, start = self._header(memoryview(header).cast("B") if memoryview(header).nbytes else memoryview(b""))
        return start + prod(shape) * self.dtype.itemsize if self._compressor is None else None

    def _header(self, data: memoryview) -> tuple[Shape, int]:
        """Return the shape of the block, and the offset of its elements."""
        mode, lengths, length = read_header(data, self.chunk_shape[::-1], self.codec_id)
        shape = lengths[::-1]
        if mode not in (DEFAULT_MODE, _VARLENGTH):
            raise self._refused("has an unknown mode", "0 or 1", mode)
        if mode == DEFAULT_MODE:
            return shape, length
        if len(data) < length + 4:
            raise self._refused("is truncated", f"at least {length + 4} bytes", f"{len(data)} bytes")
        (count,) = unpack_from(">I", data, length)
        if count != prod(shape):
            raise self._refused("has a varying number of values in each element", "as many as elements", count)
        return shape, length + 4

    def _elements(self, payload: memoryview, shape: Shape) -> NDArrayAny:
        stored = self.dtype.newbyteorder(">")
        expected = prod(shape) * stored.itemsize
        raw = self._decompressed(payload, expected)
        if size_of(raw) != expected:
            raise self._refused("decodes to the wrong size", f"{expected} bytes", f"{size_of(raw)} bytes")
        return np.frombuffer(raw, stored).reshape(shape)

    def _decompressed(self, payload: memoryview, expected: int) -> Buf:
        if self._compressor is None:
            return payload
        compressor = bounded(self._compressor)
        if compressor is not None:
            return compressor.decode(payload, expected)
        return ensure_bytes(self._compressor.decode(payload))  # type: ignore[no-any-return]

    def _refused(self, what: str, expected: object, found: object) -> ChunkDecodeError:
        return _refused(self.codec_id, what, expected, found)

    def __repr__(self) -> str:
        return (
            f"N5ChunkWrapper(chunk_shape={self.chunk_shape}, compressor_config={self.compressor_config!r}, "
            f"dtype={self.dtype!r})"
        )
