"""`V3Codec`, the base class of codecs of Zarr v3 that others bring, and how the codec pipeline calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np

from zarrds._base.types import Buf, NDArrayAny, Shape
from zarrds._codec.limits import too_large
from zarrds._codec.registry import ArraySpec, CodecKind, Make, put_decoded, size_of, wrong_size
from zarrds.errors import ChunkDecodeError

__all__ = ["V3Codec", "adapted"]

Kind: TypeAlias = Literal["array->array", "array->bytes", "bytes->bytes"]


class V3Codec:
    """Base class of a codec of Zarr v3 that a program or a package brings.

    A subclass sets `kind` and defines `encode` and `decode`. One object is made for each configuration, shape and dtype
    of chunks; it must not change, as several threads use it.

    Parameters
    ----------
    configuration : dict
        The configuration in ``zarr.json``; raise an error for one that is wrong, also for unknown members.
    shape : tuple of int
        Shape of the arrays that are encoded; for "bytes->bytes" that of the arrays that the bytes come from.
    dtype : numpy.dtype
        Their data type.

    Attributes
    ----------
    kind : {"array->array", "array->bytes", "bytes->bytes"}
        What the codec encodes, and to what.
    configuration, shape, dtype
        As above.

    Examples
    --------
    >>> import numpy as np, zarrds
    >>> from zarrds.codecs import V3Codec, register_v3_codec
    >>> class Invert(V3Codec):
    ...     kind = "bytes->bytes"
    ...     def encode(self, value):
    ...         return (255 - np.frombuffer(value, "u1")).tobytes()
    ...     decode = encode
    >>> register_v3_codec("example.invert", Invert)
    >>> store = {}
    >>> z = zarrds.array([1, 2], store=store, zarr_format=3, compressors=[{"name": "example.invert"}])
    >>> zarrds.open(store, mode="r")[:]
    array([1, 2])
    """

    kind: ClassVar[Kind] = "bytes->bytes"

    def __init__(self, configuration: dict[str, Any], shape: Shape, dtype: np.dtype[Any]) -> None:
        self.configuration, self.shape, self.dtype = configuration, shape, dtype

    def encode(self, value: Any) -> Any:
        """Encode a chunk.

        Parameters
        ----------
        value : numpy.ndarray or bytes-like
            An array of the codec's shape and dtype, in C order; for "bytes->bytes" a buffer.

        Returns
        -------
        numpy.ndarray or bytes-like
            An array of `encoded_shape` and `encoded_dtype`, or bytes.
        """
        raise NotImplementedError("the class of the codec must define encode")  # builtin: an abstract method

    def decode(self, value: Any) -> Any:
        """Decode a chunk: the inverse of `encode`.

        Parameters
        ----------
        value : numpy.ndarray or bytes-like
            What `encode` returned.

        Returns
        -------
        numpy.ndarray or bytes-like
            What was encoded. Of damaged bytes, whatever error it raises becomes a ChunkDecodeError.
        """
        raise NotImplementedError("the class of the codec must define decode")  # builtin: an abstract method

    @property
    def encoded_shape(self) -> Shape:
        """Shape of the arrays that an "array->array" codec returns; by default that of the codec."""
        return self.shape

    @property
    def encoded_dtype(self) -> np.dtype[Any]:
        """Data type of the arrays that an "array->array" codec returns; by default that of the codec."""
        return self.dtype

    def encoded_size(self, size: int) -> int | None:
        """Return the encoded size of `size` bytes; None, the default, if it depends on the data.

        Parameters
        ----------
        size : int
            Size in bytes; for "array->bytes" that of the array.
        """
        return None


# --- what the pipeline calls -----------------------------------------------------------------------------------------


def adapted(kind: CodecKind, new: Callable[[dict[str, Any], Shape, np.dtype[Any]], V3Codec]) -> Make:
    """Return the function that makes what the codec pipeline calls, from one that makes a `V3Codec` of this kind."""
    adapter = _ADAPTERS[kind]
    return lambda configuration, spec: adapter(new(configuration, spec.shape, spec.dtype), spec)


class _Filter:
    """A codec from array to array, as the codec pipeline calls it."""

    def __init__(self, codec: V3Codec, spec: ArraySpec) -> None:
        self._codec, self._spec = codec, spec
        self.makes = ArraySpec(tuple(codec.encoded_shape), np.dtype(codec.encoded_dtype))

    def encode(self, array: NDArrayAny) -> NDArrayAny:
        return _fitting(self._codec.encode(np.asarray(array, order="C")), self.makes)

    def decode(self, array: NDArrayAny) -> NDArrayAny:
        return _fitting(self._codec.decode(np.asarray(array, order="C")), self._spec)


class _Serializer:
    """A codec from array to bytes, as the codec pipeline calls it."""

    def __init__(self, codec: V3Codec, spec: ArraySpec) -> None:
        self._codec, self._spec = codec, spec
        self.encoded_size = codec.encoded_size(int(np.prod(spec.shape, dtype=object)) * spec.dtype.itemsize)

    def encode(self, array: NDArrayAny) -> Buf | None:
        found: Buf | None = self._codec.encode(np.asarray(array, order="C"))
        return found

    def decode(self, data: Buf, out: NDArrayAny | None = None) -> NDArrayAny:
        found = _fitting(self._codec.decode(data), self._spec)
        if out is None:
            return found
        out[...] = found
        return out


class _Compressor:
    """A codec from bytes to bytes, as the codec pipeline calls it."""

    def __init__(self, codec: V3Codec, spec: ArraySpec) -> None:
        self._codec = codec

    def encode(self, data: Buf) -> Buf:
        found: Buf = self._codec.encode(data)
        return found

    def decode(self, data: Buf, size: int | None, most: int | None = None) -> Buf:
        found: Buf = self._codec.decode(data)
        if size is not None and size_of(found) != size:
            raise wrong_size(size, size_of(found))
        if size is None and most is not None and size_of(found) > most:
            raise too_large(most)
        return found

    def decode_into(self, data: Buf, out: NDArrayAny) -> None:
        put_decoded(self._codec.decode(data), out)

    def encoded_size(self, size: int) -> int | None:
        return self._codec.encoded_size(size)


_ADAPTERS: dict[CodecKind, Callable[[V3Codec, ArraySpec], Any]] = {
    CodecKind.FILTER: _Filter,
    CodecKind.SERIALIZER: _Serializer,
    CodecKind.COMPRESSOR: _Compressor,
}


def _fitting(found: Any, spec: ArraySpec) -> NDArrayAny:
    """Return an array if it has the shape and dtype that it must have."""
    array = np.asarray(found)
    if array.shape != spec.shape or array.dtype != spec.dtype:
        raise ChunkDecodeError(
            "the codec returned an array that does not fit",
            expected=f"{spec.shape}, {spec.dtype}",
            found=f"{array.shape}, {array.dtype}",
        )
    return array
