"""The Zarr v2 codec pipeline: filters, then the bytes of the array, then compressors."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from math import prod
from typing import Any

import numpy as np
from numcodecs.abc import Codec
from numcodecs.blosc import Blosc

from zarrds._base.types import Buf, ByteRange, NDArrayAny, Part
from zarrds._codec import blosc
from zarrds._codec.base import ReadSteps, ReadStrategy
from zarrds._codec.compress import bounded
from zarrds._codec.encoding import encode_with, flat_in_memory_order, flat_ordered
from zarrds._codec.limits import LARGE_BYTES, SMALL_BYTES, after_encoding, most_of, new_array
from zarrds._codec.numeric import decode_numbers
from zarrds._codec.objects import decode_objects
from zarrds._codec.raw import rows_needed
from zarrds._codec.registry import size_of
from zarrds._codec.table import PICKLE_HINT, get_codec
from zarrds._format import ChunkSpec
from zarrds.errors import BadCompressorError, ChunkDecodeError, ChunkEncodeError, ItemTypeError

__all__ = ["NumcodecsPipeline"]

PARTIAL_BYTES = 64 * 2**10
"""Chunks below this many decoded bytes are read as a whole: a second request would cost more."""


class NumcodecsPipeline:
    """Zarr v2 codec pipeline of whole chunks, built from numcodecs codecs.

    Decoding checks every known size, so a truncated or foreign value raises an error and is never read as data.
    """

    has_inner_chunks = False

    def __init__(self, spec: ChunkSpec, *, partial_blosc: bool = False) -> None:
        self.spec = spec
        self._filters: Sequence[Codec] = [get_codec(c) for c in spec.filters]
        self._compressors: Sequence[Codec] = [get_codec(c) for c in spec.compressors]
        self._nbytes = spec.nbytes
        self._is_object = spec.dtype.hasobject
        if self._is_object and not self._filters:
            raise BadCompressorError("an object dtype needs an object codec as its first filter", found=str(spec.dtype))
        self._buffer = _buffer_of(spec.dtype)
        # Blosc alone is the common case, so it decodes directly into the result
        self._only_blosc = not self._filters and [type(c) for c in self._compressors] == [Blosc]
        self._backwards = [(c, bounded(c)) for c in (*reversed(self._compressors), *reversed(self._filters))]
        alone = len(self._backwards) == 1 and not self._is_object
        self._size = self._nbytes if alone else None  # decoded size of the only codec
        # filters may widen items, at most from i1 to c16; the size of objects is known only from the value
        self._most = None if self._is_object else after_encoding(16 * self._nbytes)
        self._raw = not self._filters and not self._compressors and not self._is_object
        self._partial = partial_blosc and self._only_blosc and self._nbytes >= PARTIAL_BYTES

    def read_strategy(self, part: Part, *, native_ranges: bool) -> ReadStrategy:
        """Return how to read `part`: uncompressed chunks in parts, Blosc chunks too if enabled and worthwhile."""
        if not native_ranges or not (self._raw or self._partial):
            return ReadStrategy.WHOLE
        if self._raw:
            return ReadStrategy.RANGE
        return ReadStrategy.WHOLE if self._small_range(part) is None else ReadStrategy.STEPS

    def _small_range(self, part: Part) -> ByteRange | None:
        """Return the decoded byte range that holds a part; None if it exceeds half of the chunk."""
        wanted = rows_needed(part, self.spec.shape, self.spec.dtype.itemsize, self.spec.order)[0]
        if wanted is None or wanted.stop is None or 2 * (wanted.stop - wanted.start) > self._nbytes:
            return None
        return wanted

    def read(self, part: Part) -> ReadSteps:
        """Read the rows that hold `part`, from an uncompressed chunk or from Blosc blocks."""
        spec = self.spec
        wanted, rows, inner = rows_needed(part, spec.shape, spec.dtype.itemsize, spec.order)
        data: Buf | None
        if self._raw:
            (data,) = yield (wanted,)
        elif self._small_range(part) is None or wanted is None:
            (data,) = yield (None,)
            return None if data is None else self.decode(data)[part]
        else:
            data = yield from self._blocks(wanted)
        if data is None:
            return None
        return _reshape(_as_dtype(data, spec.dtype, wanted_bytes(rows, spec.dtype)), rows, spec.order)[inner]

    def _blocks(self, wanted: ByteRange) -> Generator[Sequence[ByteRange | None], list[Buf | None], Buf | None]:
        try:
            return (yield from blosc.read_decoded(wanted, self._nbytes))
        except RuntimeError as error:
            raise ChunkDecodeError(f"value is corrupt: {error}", codec="blosc") from error

    def decode(self, data: Buf, out: NDArrayAny | None = None) -> NDArrayAny:
        """Decode a whole value; see `ChunkCodec.decode`."""
        spec = self.spec
        if self._raw:
            if type(data) is bytes and len(data) == self._nbytes:
                return np.ndarray(spec.shape, spec.dtype, data, 0, None, spec.order)
            return _reshape(_as_dtype(data, spec.dtype, self._nbytes), spec.shape, spec.order)
        if self._only_blosc:
            try:
                if out is None and 0 < self._nbytes < SMALL_BYTES:
                    return np.ndarray(spec.shape, spec.dtype, blosc.decompress(data, self._nbytes), 0, None, spec.order)
                if out is None:
                    if self._nbytes >= LARGE_BYTES:
                        blosc.check_header(data, self._nbytes)
                    out = new_array(spec.shape, spec.dtype, spec.order)
                blosc.decompress_into(data, flat_ordered(out, spec.order))
            except RuntimeError as error:
                raise ChunkDecodeError(f"value is corrupt: {error}", codec="blosc") from error
            return out
        return self._decode_all(data)

    def _decode_all(self, data: Any) -> NDArrayAny:
        spec = self.spec
        for codec, compressor in self._backwards:
            try:
                if compressor is not None:
                    most = most_of(size_of(data), self._nbytes) if self._most is None else self._most
                    data = compressor.decode(flat_in_memory_order(data), self._size, most)
                elif self._is_object:
                    data = decode_objects(codec, data, spec.size)
                else:
                    data = decode_numbers(codec, data, spec, self._most or 0, alone=self._size is not None)
            except ChunkDecodeError as error:
                error.codec = error.codec or repr(codec)
                raise
            except Exception as error:
                raise ChunkDecodeError(
                    f"value cannot be decoded: {error}", codec=repr(codec), hint=_hint(codec)
                ) from error
        if not self._is_object:
            if isinstance(data, np.ndarray) and data.shape == spec.shape and data.dtype == spec.dtype:
                return data  # codecs like JSON keep the shape, so their items have no memory order
            return _reshape(_as_dtype(data, spec.dtype, self._nbytes), spec.shape, spec.order)
        array = np.asarray(data)
        if array.dtype != spec.dtype or array.size != spec.size:
            raise ChunkDecodeError(
                "chunk decodes to something else",
                expected=f"{spec.size} items of {spec.dtype}",
                found=f"{array.size} items of {array.dtype}",
            )
        return array if array.shape == spec.shape else array.reshape(spec.shape, order=spec.order)

    def encode(self, array: NDArrayAny) -> Buf:
        """Encode a whole chunk; see `ChunkCodec.encode`."""
        spec = self.spec
        array = np.asarray(array, dtype=spec.dtype, order=spec.order)
        if self._raw:
            return flat_ordered(array, spec.order)
        data: Any = as_items(array) if self._is_object else array
        if self._buffer is not None:
            data = array.view(self._buffer)
        for codec in (*self._filters, *self._compressors):
            try:
                data = encode_with(codec, data)
                if spec.order == "F" and isinstance(data, np.ndarray) and data.shape == spec.shape:
                    data = np.asfortranarray(data)  # bitround returns a copy in C order
            except Exception as error:
                kind = ItemTypeError if isinstance(error, TypeError) else ChunkEncodeError
                raise kind(f"chunk cannot be encoded: {error}", codec=repr(codec)) from error
        if isinstance(data, np.ndarray) and data.dtype.hasobject:
            raise ChunkEncodeError("the codecs of the array make no bytes of a chunk", found=f"items of {data.dtype}")
        result: Buf = flat_in_memory_order(data)
        return result


def as_items(array: NDArrayAny) -> NDArrayAny:
    """Return an object array as object codecs require it: at least 1-d, and writeable, though they do not write."""
    items = array if array.flags.writeable else array.copy(order="K")
    return items if items.ndim else items.reshape(1)


def _buffer_of(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """Return the dtype to pass to codecs instead of structured dtypes with dates, which have no buffer; else None."""
    if dtype.names is None or dtype.hasobject:
        return None
    try:
        memoryview(np.empty(0, dtype))
    except ValueError:
        return np.dtype(f"V{dtype.itemsize}")
    return None


def wanted_bytes(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Return the size in bytes of an array of this shape and dtype."""
    return prod(shape) * dtype.itemsize


def _as_dtype(data: Any, dtype: np.dtype[Any], nbytes: int) -> NDArrayAny:
    """View decoded data as a flat array of `dtype`, without a cast; raise ChunkDecodeError if the size is wrong."""
    if isinstance(data, np.ndarray):
        if data.dtype.hasobject:
            raise ChunkDecodeError("chunk decodes to objects", expected=f"elements of {dtype}")
        flat = data.reshape(-1, order="A")
        data = flat if flat.flags.c_contiguous else np.ascontiguousarray(flat)
        found = data.nbytes
    else:
        found = len(data) if isinstance(data, bytes) else memoryview(data).nbytes
    if found != nbytes:
        raise ChunkDecodeError("chunk has the wrong size", expected=f"{nbytes} bytes decoded", found=f"{found} bytes")
    if nbytes == 0:
        return np.empty(0, dtype)
    return np.asarray(data).view(dtype) if isinstance(data, np.ndarray) else np.frombuffer(data, dtype)


def _reshape(flat: NDArrayAny, shape: tuple[int, ...], order: Any) -> NDArrayAny:
    return flat.reshape(shape) if order == "C" else flat.reshape(shape, order=order)


def _hint(codec: Codec) -> str | None:
    return PICKLE_HINT if codec.codec_id == "pickle" else None
