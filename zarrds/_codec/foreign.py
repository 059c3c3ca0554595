"""Codecs that are written for Zarr-Python 3, called through its public interface (`zarr.abc.codec`)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from zarrds._base.types import Shape
from zarrds._codec.registry import ArraySpec, CodecKind, Make
from zarrds._codec.v3_codec import V3Codec, adapted

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
    wrapper = _WRAPPERS[kind]
    return kind, adapted(kind, lambda *given: wrapper(codec, name, *given))


class _Foreign(V3Codec):
    """A codec of Zarr-Python 3, for chunks of one shape and dtype."""

    def __init__(
        self, codec: Any, name: str, configuration: dict[str, Any], shape: Shape, dtype: np.dtype[Any]
    ) -> None:
        super().__init__(configuration, shape, dtype)
        buffers, specs = import_module("zarr.core.buffer"), import_module("zarr.core.array_spec")
        self._run = import_module("zarr.core.sync").sync
        self._prototype = buffers.default_buffer_prototype()
        kind = import_module("zarr.dtype").parse_dtype(dtype, zarr_format=3)
        self._spec = specs.ArraySpec(
            shape=shape,
            dtype=kind,
            fill_value=kind.default_scalar(),
            config=specs.ArrayConfig(order="C", write_empty_chunks=True),
            prototype=self._prototype,
        )
        made = codec.from_dict({"name": name, "configuration": configuration})
        self._codec = made.evolve_from_array_spec(self._spec)

    def _one(self, call: Any, value: Any) -> Any:
        (found,) = self._run(call([(value, self._spec)]))
        return found

    def _bytes(self, data: Any) -> Any:
        return self._prototype.buffer.from_bytes(bytes(data))

    def _array(self, array: Any) -> Any:
        return self._prototype.nd_buffer.from_numpy_array(array)


class _Filter(_Foreign):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        made = self._codec.resolve_metadata(self._spec)
        self._makes = ArraySpec(tuple(made.shape), made.dtype.to_native_dtype())

    @property
    def encoded_shape(self) -> Shape:
        return self._makes.shape

    @property
    def encoded_dtype(self) -> np.dtype[Any]:
        return self._makes.dtype

    def encode(self, value: Any) -> Any:
        return self._one(self._codec.encode, self._array(value)).as_numpy_array().astype(self.encoded_dtype, copy=False)

    def decode(self, value: Any) -> Any:
        return self._one(self._codec.decode, self._array(value)).as_numpy_array().astype(self.dtype, copy=False)


class _Serializer(_Foreign):
    def encode(self, value: Any) -> Any:
        found = self._one(self._codec.encode, self._array(value))
        return None if found is None else found.to_bytes()

    def decode(self, value: Any) -> Any:
        return self._one(self._codec.decode, self._bytes(value)).as_numpy_array().astype(self.dtype, copy=False)


class _Compressor(_Foreign):
    def encode(self, value: Any) -> Any:
        return self._one(self._codec.encode, self._bytes(value)).to_bytes()

    def decode(self, value: Any) -> Any:
        return self._one(self._codec.decode, self._bytes(value)).to_bytes()


_WRAPPERS: dict[CodecKind, type[_Foreign]] = {
    CodecKind.FILTER: _Filter,
    CodecKind.SERIALIZER: _Serializer,
    CodecKind.COMPRESSOR: _Compressor,
}
