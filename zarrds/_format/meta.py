"""The values into which every document of every format is parsed.

Code below `_format` works on these values: codecs, engine and dask layer need no format version for them. All are
frozen, hashable and small when pickled.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Literal

import numpy as np

from zarrds._base.edges import Grid, chunk_shape_at
from zarrds._base.types import Chunks, Order, Separator, Shape

__all__ = [
    "NO_FILL",
    "SHARDING",
    "UNFINISHED",
    "ArrayMeta",
    "ChunkSpec",
    "CodecSpec",
    "Fill",
    "GroupMeta",
    "KeyEncoding",
    "inner_chunks",
]

UNFINISHED = "zarrds_unfinished_job"
"""Attribute of a node whose data are not all written."""


@dataclass(frozen=True, slots=True)
class CodecSpec:
    """Name and configuration of one codec, as in a document.

    Attributes
    ----------
    name : str
        The numcodecs ``id`` (v1, v2) or the v3 name.
    configuration_json : str
        The other members, as JSON text with sorted keys, so that the value is hashable.

    Examples
    --------
    >>> from zarrds.codecs import CodecSpec
    >>> CodecSpec.of("gzip", {"level": 5}).name
    'gzip'
    """

    name: str
    configuration_json: str = "{}"

    @classmethod
    def of(cls, name: str, configuration: dict[str, Any] | None = None) -> CodecSpec:
        """Return a spec made from a configuration dictionary (JSON values only, else TypeError).

        Parameters
        ----------
        name : str
            Name of the codec.
        configuration : dict
            The other members of its document.

        Examples
        --------
        >>> from zarrds.codecs import CodecSpec
        >>> CodecSpec.of("gzip", {"level": 3}).configuration
        {'level': 3}
        """
        return cls(name, json.dumps(configuration or {}, sort_keys=True))

    @property
    def configuration(self) -> dict[str, Any]:
        """A new copy of the configuration."""
        found: dict[str, Any] = json.loads(self.configuration_json)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the name and the configuration, as codecs of other Zarr v3 libraries do.

        Examples
        --------
        >>> from zarrds.codecs import CodecSpec
        >>> CodecSpec.of("gzip", {"level": 3}).to_dict()
        {'name': 'gzip', 'configuration': {'level': 3}}
        """
        return {"name": self.name, "configuration": self.configuration}


@dataclass(frozen=True, slots=True)
class Fill:
    """The fill value of an array, hashable whatever its type.

    Attributes
    ----------
    raw : bytes or None
        The value's bytes in the stored dtype and byte order (dtypes without object fields).
    text : str or None
        The value as JSON text (object dtype); for structured dtypes with object fields base64 of the encoded record.
    """

    raw: bytes | None = None
    text: str | None = None

    @property
    def defined(self) -> bool:
        """False if the document says null: the contents of missing chunks are then undefined."""
        return self.raw is not None or self.text is not None


NO_FILL = Fill()


@dataclass(frozen=True, slots=True)
class KeyEncoding:
    """Scheme that turns chunk coordinates into store keys.

    Attributes
    ----------
    separator : {".", "/"}
        Between the indices.
    style : {"v2", "default"}
        ``v2``: ``0.1``, and ``0`` for 0-d arrays; ``default``: ``c/0/1``, and ``c`` for 0-d arrays.
    written : bool
        Whether a v2 document names the separator explicitly.
    """

    separator: Separator = "."
    style: Literal["v2", "default"] = "v2"
    written: bool = False

    def key(self, coords: Iterable[int]) -> str:
        """Return the key of the chunk at `coords`, relative to the array's path."""
        text = self.separator.join(map(str, coords))
        if self.style == "v2":
            return text or "0"
        return f"c{self.separator}{text}" if text else "c"


@dataclass(frozen=True, slots=True)
class ChunkSpec:
    """Shape and dtype of one decoded chunk, and the codecs that decode it.

    Attributes
    ----------
    shape : tuple of int
        Shape of every stored chunk, at the edge too; in irregular grids the longest lengths (`ArrayMeta.irregular`).
    dtype : numpy.dtype
        Data type, in the stored byte order.
    fill : Fill
        Content of absent chunks.
    order : {"C", "F"}
        Memory layout of the elements inside the encoded chunk.
    filters : tuple of CodecSpec
        Array-to-array codecs (in Zarr v2 also array-to-bytes), in the order of encoding.
    serializer : CodecSpec or None
        The v3 array-to-bytes codec; None: the plain bytes of the array.
    compressors : tuple of CodecSpec
        Bytes-to-bytes codecs, in the order of encoding.
    """

    shape: Chunks
    dtype: np.dtype[Any]
    fill: Fill = NO_FILL
    order: Order = "C"
    filters: tuple[CodecSpec, ...] = ()
    serializer: CodecSpec | None = None
    compressors: tuple[CodecSpec, ...] = ()

    @property
    def size(self) -> int:
        """Number of elements in a chunk."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Decoded bytes of a chunk (pointer size for object dtypes)."""
        return prod(self.shape) * self.dtype.itemsize


SHARDING = "sharding_indexed"


def inner_chunks(chunk: ChunkSpec) -> Chunks:
    """Return the shape of the inner chunks of a shard."""
    assert chunk.serializer is not None
    return tuple(chunk.serializer.configuration["chunk_shape"])


@dataclass(frozen=True, slots=True)
class ArrayMeta:
    """Everything in the document of an array except its attributes.

    Attributes
    ----------
    shape : tuple of int
        Shape of the array.
    chunk : ChunkSpec
        Shape, dtype, fill value and codecs of its chunks.
    keys : KeyEncoding
        How chunk coordinates are turned into store keys.
    zarr_format : int
        The format of the document that this was read from: 2 or 3.
    dimension_names : tuple of (str or None), or None
        Names of the dimensions (Zarr v3).
    transformers : tuple of CodecSpec
        Storage transformers between the array and the store of its chunks.
    extra : str
        Unknown members as JSON text, kept when the document is written again.
    irregular : tuple of (int or Edges), or None
        Lengths of stored chunks along each dimension if they differ along one (Zarr v3); None: a regular grid.
    """

    shape: Shape
    chunk: ChunkSpec
    keys: KeyEncoding = field(default_factory=KeyEncoding)
    zarr_format: int = 2
    dimension_names: tuple[str | None, ...] | None = None
    transformers: tuple[CodecSpec, ...] = ()
    extra: str = "{}"
    irregular: Grid | None = None

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def chunks(self) -> Grid:
        """Shape of what users call a chunk, the smallest part that can be read: the inner chunk if there are shards."""
        return inner_chunks(self.chunk) if self._is_sharded else self.write_unit

    @property
    def shards(self) -> Grid | None:
        """Shape of a shard, a stored value with several chunks; None if chunks are stored one by one.

        If there are other codecs around the sharding codec, users see the shard as one chunk, as in zarr-python 3: its
        inner chunks may be transposed, or not readable by themselves.
        """
        return self.write_unit if self._is_sharded else None

    @property
    def _is_sharded(self) -> bool:
        chunk = self.chunk
        is_shard = chunk.serializer is not None and chunk.serializer.name == SHARDING
        return is_shard and not chunk.filters and not chunk.compressors

    @property
    def write_unit(self) -> Grid:
        """Shape of a stored value, which only one writer at a time may change: the shard or the chunk.

        It is the chunk grid: `Edges` stand for the dimensions along which the lengths differ.
        """
        return self.chunk.shape if self.irregular is None else self.irregular

    def chunk_at(self, coords: Sequence[int]) -> ChunkSpec:
        """Return the spec of the stored chunk at these coordinates."""
        if self.irregular is None:
            return self.chunk
        return replace(self.chunk, shape=chunk_shape_at(self.irregular, coords))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type in the stored byte order."""
        return self.chunk.dtype


@dataclass(frozen=True, slots=True)
class GroupMeta:
    """Everything in the document of a group except its attributes."""

    zarr_format: int = 2
    extra: str = "{}"
