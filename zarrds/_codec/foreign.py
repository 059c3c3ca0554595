"""Codecs that are written for Zarr-Python 3, called through its public interface (`zarr.abc.codec`)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from zarrds._codec.registry import ArraySpec, CodecKind, Make, put_decoded, size_of, wrong_size
from zarrds._types import Buf, NDArrayAny
from zarrds.errors import BadCompressorError, ChunkDecodeError

__all__ = ["from_zarr3", "is_of_zarr3"]

_KINDS = {
    "ArrayArrayCodec": CodecKind.FILTER,
    "ArrayBytesCodec": CodecKind.SERIALIZER,
    "BytesBytesCodec": CodecKind.COMPRESSOR,
}


def _kind(codec: Any) -> CodecKind | None:
    names = [cls.__name__ for cls in getattr(codec, "__mro__", ()) if cls.__module__ == "zarr.abc.codec"]
    return next((_KINDS[name] for name in names if name in _KINDS), None)


def is_of_zarr3(codec: Any) -> bool:
    """Return whether this is a class of codecs of Zarr-Python 3."""
    return _kind(codec) is not None


def from_zarr3(codec: Any, name: str) -> tuple[CodecKind, Make]:
    """Return the kind of a class of codecs of Zarr-Python 3, and the function that makes one for documents' `name`."""
    kind = _kind(codec)
    assert kind is not None

    def make(configuration: dict[str, Any], spec: ArraySpec) -> Any:
        return _ADAPTERS[kind](codec, {"name": name, "configuration": configuration}, spec)

    return kind, make


class _Foreign:
    """A codec of Zarr-Python 3, for chunks of one shape and dtype."""

    def __init__(self, codec: Any, document: dict[str, Any], spec: ArraySpec) -> None:
        buffers, specs = import_module("zarr.core.buffer"), import_module("zarr.core.array_spec")
        self._run = import_module("zarr.core.sync").sync
        self._prototype = buffers.default_buffer_prototype()
        kind = import_module("zarr.dtype").parse_dtype(spec.dtype, zarr_format=3)
        self._spec = spec
        self._theirs = specs.ArraySpec(
            shape=spec.shape,
            dtype=kind,
            fill_value=kind.default_scalar(),
            config=specs.ArrayConfig(order="C", write_empty_chunks=True),
            prototype=self._prototype,
        )
        try:
            made = codec.from_dict(document)
            self._codec = made.evolve_from_array_spec(self._theirs)
        except Exception as error:  # whatever a foreign codec raises for a configuration
            raise BadCompressorError(f"codec configuration refused: {error}", found=document) from error

    def _one(self, call: Any, value: Any) -> Any:
        (found,) = self._run(call([(value, self._theirs)]))
        return found

    def _bytes(self, data: Buf) -> Any:
        return self._prototype.buffer.from_bytes(bytes(data))

    def _array(self, array: NDArrayAny) -> Any:
        return self._prototype.nd_buffer.from_numpy_array(np.asarray(array, order="C"))


class _Filter(_Foreign):
    def __init__(self, codec: Any, document: dict[str, Any], spec: ArraySpec) -> None:
        super().__init__(codec, document, spec)
        made = self._codec.resolve_metadata(self._theirs)
        self.makes = ArraySpec(tuple(made.shape), made.dtype.to_native_dtype())

    def encode(self, array: NDArrayAny) -> NDArrayAny:
        return np.asarray(self._one(self._codec.encode, self._array(array)).as_numpy_array())

    def decode(self, array: NDArrayAny) -> NDArrayAny:
        return _fitting(self._one(self._codec.decode, self._array(array)).as_numpy_array(), self._spec)


class _Serializer(_Foreign):
    encoded_size = None

    def encode(self, array: NDArrayAny) -> Buf | None:
        found = self._one(self._codec.encode, self._array(array))
        return None if found is None else found.to_bytes()

    def decode(self, data: Buf, out: NDArrayAny | None = None) -> NDArrayAny:
        found = _fitting(self._one(self._codec.decode, self._bytes(data)).as_numpy_array(), self._spec)
        if out is None:
            return found
        out[...] = found
        return out


class _Compressor(_Foreign):
    def encode(self, data: Buf) -> Buf:
        return self._one(self._codec.encode, self._bytes(data)).to_bytes()  # type: ignore[no-any-return]

    def decode(self, data: Buf, size: int | None, most: int | None = None) -> Buf:
        found: Buf = self._one(self._codec.decode, self._bytes(data)).to_bytes()
        limit = most if size is None else size
        if limit is not None and (size_of(found) > limit or (size is not None and size_of(found) != size)):
            raise wrong_size(limit, size_of(found))
        return found

    def decode_into(self, data: Buf, out: NDArrayAny) -> None:
        put_decoded(self.decode(data, out.nbytes), out)

    def encoded_size(self, size: int) -> int | None:
        return None


_ADAPTERS: dict[CodecKind, Any] = {
    CodecKind.FILTER: _Filter,
    CodecKind.SERIALIZER: _Serializer,
    CodecKind.COMPRESSOR: _Compressor,
}


def _fitting(array: NDArrayAny, spec: ArraySpec) -> NDArrayAny:
    if array.shape != spec.shape:
        raise ChunkDecodeError("the codec returned another shape", expected=str(spec.shape), found=str(array.shape))
    return array.astype(spec.dtype, copy=False)
