"""Codecs of Zarr v3 that users and packages bring: registered in a program, or by entry points of ``zarr.codecs``.

Entry points are looked up, and their packages imported, only when a document names a codec that is not known here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np

from zarrds._codec import registry
from zarrds._codec.foreign import from_zarr3, is_of_zarr3
from zarrds._codec.registry import ArraySpec, CodecKind, put_decoded, size_of, wrong_size
from zarrds._format import is_built_in, set_finder
from zarrds._types import Buf, NDArrayAny, Shape
from zarrds.errors import ArgumentError, ArgumentTypeError, BadCompressorError, ChunkDecodeError

__all__ = ["V3Codec", "register_v3_codec"]

ENTRY_POINTS = "zarr.codecs"
_MAX_NAMES = 1024

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


_registered: dict[str, tuple[CodecKind, registry.Make]] = {}


def register_v3_codec(name: str, codec: type[V3Codec]) -> None:
    """Make a codec of Zarr v3 known to this process, under the name in ``zarr.json``.

    A package registers it for all processes, also the workers of a cluster, by an entry point of the group
    ``zarr.codecs`` in its ``pyproject.toml``, with the name of the codec.

    Parameters
    ----------
    name : str
        Name of the codec; begin it with a name that is yours: "mypackage.invert".
    codec : type
        A subclass of `V3Codec`, or a class of codecs of Zarr-Python 3.

    Raises
    ------
    ArgumentError
        If zarrds has a codec of that name.
    ArgumentTypeError
        If `codec` is no such class.

    Examples
    --------
    >>> from zarrds.codecs import V3Codec, register_v3_codec
    >>> class Same(V3Codec):
    ...     kind = "bytes->bytes"
    ...     def encode(self, value):
    ...         return value
    ...     decode = encode
    >>> register_v3_codec("example.same", Same)
    """
    if is_built_in(name):
        raise ArgumentError(f"zarrds has a codec named {name!r}", hint="choose a name that begins with yours")
    _registered[name] = _made_of(name, codec)
    registry.forget(name)
    _from_entry_point.cache_clear()


def _made_of(name: str, codec: Any) -> registry.Brought:
    if isinstance(codec, type) and issubclass(codec, V3Codec):
        kinds = {kind.value: kind for kind in CodecKind}
        if codec.kind not in kinds:
            raise ArgumentTypeError(f"the kind of codec {name!r} must be one of {', '.join(kinds)}", found=codec.kind)
        return kinds[codec.kind], _maker(codec)
    if is_of_zarr3(codec):
        return from_zarr3(codec, name)
    raise ArgumentTypeError(
        f"codec {name!r} must be a subclass of zarrds.codecs.V3Codec, or a codec of Zarr-Python 3", found=repr(codec)
    )


def _find(name: str) -> registry.Brought | None:
    return _registered.get(name) or _from_entry_point(name) or _from_zarr3(name)


def _from_zarr3(name: str) -> registry.Brought | None:
    """Return a codec that the program has registered with Zarr-Python 3, if that is imported."""
    theirs = sys.modules.get("zarr.registry")
    if theirs is None:
        return None
    try:
        found = theirs.get_codec_class(name)
    except Exception:  # whatever it raises for a name that it does not know
        return None
    return from_zarr3(found, name) if is_of_zarr3(found) else None


@lru_cache(maxsize=_MAX_NAMES)
def _from_entry_point(name: str) -> registry.Brought | None:
    from importlib.metadata import entry_points  # slow to import

    for entry in entry_points(group=ENTRY_POINTS, name=name):
        try:
            return _made_of(name, entry.load())
        except Exception as error:  # whatever its package raises
            package = entry.dist.name if entry.dist is not None else entry.value
            raise BadCompressorError(f"the package {package} fails to provide it: {error}", codec=repr(name)) from error
    return None


def _kind(name: str) -> str | None:
    found = _find(name)
    return None if found is None else found[0].value


# --- what the pipeline calls -----------------------------------------------------------------------------------------


def _maker(codec: type[V3Codec]) -> Callable[[dict[str, Any], ArraySpec], Any]:
    adapter = {"array->array": _Filter, "array->bytes": _Serializer, "bytes->bytes": _Compressor}[codec.kind]
    return lambda configuration, spec: adapter(codec(configuration, spec.shape, spec.dtype), spec)


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
        if most is not None and size_of(found) > most:
            raise wrong_size(most, size_of(found))
        return found

    def decode_into(self, data: Buf, out: NDArrayAny) -> None:
        put_decoded(self._codec.decode(data), out)

    def encoded_size(self, size: int) -> int | None:
        return self._codec.encoded_size(size)


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


registry.set_finder(_find)
set_finder(_kind)
