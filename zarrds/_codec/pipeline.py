"""The codec pipeline of a Zarr v3 chunk: filters, one serializer, compressors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from zarrds._base.types import Buf, NDArrayAny, Part
from zarrds._codec.base import ReadSteps, ReadStrategy
from zarrds._codec.bytes import BytesSerializer
from zarrds._codec.limits import LARGE_BYTES, SMALL_BYTES, after_encoding, most_of, new_array
from zarrds._codec.raw import rows_needed
from zarrds._codec.registry import ArraySpec, CodecKind, Compressor, Filter, Serializer, make_codec, size_of
from zarrds._format import ChunkSpec
from zarrds.errors import ChunkDecodeError, ChunkEncodeError, ItemTypeError

__all__ = ["Pipeline"]


class Pipeline:
    """Zarr v3 codec pipeline of whole chunks.

    If the serialized bytes equal those in memory, the innermost compressor decodes directly into the result.
    """

    has_inner_chunks = False

    def __init__(self, spec: ChunkSpec, filters: Sequence[Filter], serializer: Serializer) -> None:
        assert spec.serializer is not None
        array_spec = filters[-1].makes if filters else ArraySpec(spec.shape, spec.dtype)
        self.spec = spec
        self._filters = filters
        self._serializer = serializer
        self._compressors = [make_codec(c, CodecKind.COMPRESSOR, array_spec) for c in spec.compressors]
        self._names = [c.name for c in spec.compressors]
        sizes: list[int | None] = [serializer.encoded_size]
        bounds = [serializer.encoded_size if sizes[0] is not None else _bound(spec)]
        for codec in self._compressors:
            sizes.append(None if sizes[-1] is None else codec.encoded_size(sizes[-1]))
            bounds.append(None if bounds[-1] is None else after_encoding(bounds[-1]))
        self.encoded_size = sizes.pop()
        self._outside = list(zip(self._compressors, sizes, bounds[:-1], self._names, strict=True))[::-1]
        native = isinstance(serializer, BytesSerializer) and serializer.native and not filters
        self._raw = native and not self._compressors
        self._last: Compressor | None = None  # the compressor that decodes directly into an array
        if native and self._compressors and spec.dtype.isbuiltin != 2:
            self._last = self._compressors[0]
            self._outside.pop()

    def read_strategy(self, part: Part, *, native_ranges: bool) -> ReadStrategy:
        """Return how to read `part`; only uncompressed chunks can be read in parts."""
        return ReadStrategy.RANGE if native_ranges and self._raw else ReadStrategy.WHOLE

    def read(self, part: Part) -> ReadSteps:
        """Read the rows that hold `part` from an uncompressed chunk."""
        spec = self.spec
        if not self._raw:
            (data,) = yield (None,)
            return None if data is None else self.decode(data)[part]
        wanted, rows, inner = rows_needed(part, spec.shape, spec.dtype.itemsize, "C")
        (data,) = yield (wanted,)
        return None if data is None else BytesSerializer(ArraySpec(rows, spec.dtype), sys.byteorder).decode(data)[inner]

    def decode(self, data: Buf, out: NDArrayAny | None = None) -> NDArrayAny:
        """Decode a whole value; see `ChunkCodec.decode`."""
        spec = self.spec
        name = ""
        try:
            for codec, size, most, link_name in self._outside:
                name = link_name
                data = codec.decode(data, size, most_of(size_of(data), spec.nbytes) if most is None else most)
            if self._last is not None and (out is not None or SMALL_BYTES <= spec.nbytes < LARGE_BYTES):
                if out is None:
                    out = new_array(spec.shape, spec.dtype)
                name = self._names[0]
                # structured dtypes with dates do not support the buffer protocol
                self._last.decode_into(data, out if spec.dtype.names is None else out.reshape(-1).view(np.uint8))
                return out
            if self._last is not None:  # a large array is allocated only if there are elements for it
                name = self._names[0]
                data = self._last.decode(data, spec.nbytes)
            name = spec.serializer.name if spec.serializer is not None else ""
            array = self._serializer.decode(data, None if self._filters else out)
            for filter_spec, filter_ in zip(reversed(spec.filters), reversed(self._filters), strict=True):
                name = filter_spec.name
                array = filter_.decode(array)
        except ChunkDecodeError as error:
            error.codec = error.codec or name
            raise
        except Exception as error:
            raise ChunkDecodeError(f"value cannot be decoded: {error}", codec=name) from error
        return array

    def encode(self, array: NDArrayAny) -> Buf | None:
        """Encode a whole chunk; see `ChunkCodec.encode`."""
        spec = self.spec
        data: Any = np.asarray(array, dtype=spec.dtype)
        name = ""
        try:
            for filter_spec, filter_ in zip(spec.filters, self._filters, strict=True):
                name = filter_spec.name
                data = filter_.encode(data)
            name = spec.serializer.name if spec.serializer is not None else ""
            data = self._serializer.encode(data)
            if data is None:
                return None
            for compressor, codec in zip(spec.compressors, self._compressors, strict=True):
                name = compressor.name
                data = codec.encode(data)
        except ChunkEncodeError:
            raise
        except Exception as error:
            kind = ItemTypeError if isinstance(error, TypeError) else ChunkEncodeError
            raise kind(f"chunk cannot be encoded: {error}", codec=name) from error
        result: Buf = data
        return result


def _bound(spec: ChunkSpec) -> int | None:
    """Return the largest output of a serializer of unknown output size; None for items of any length.

    Shards with the smallest inner chunks are largest in relation to their content.
    """
    return None if spec.dtype.hasobject else 128 * spec.nbytes + 2**20


def filters_of(spec: ChunkSpec) -> list[Filter]:
    """Build the filters of a codec pipeline, each for the output of the one before."""
    made: list[Filter] = []
    array_spec = ArraySpec(spec.shape, spec.dtype)
    for filter_spec in spec.filters:
        made.append(make_codec(filter_spec, CodecKind.FILTER, array_spec))
        array_spec = made[-1].makes
    return made
