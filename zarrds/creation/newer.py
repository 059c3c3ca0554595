"""`create_array` and `from_array`, as Zarr-Python 3 has them: thin over `create` and `array`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from zarrds import _node
from zarrds._base.types import ChunksLike, CodecLike, CodecsLike, DTypeLike, ShapeLike, ZarrFormat
from zarrds._format import check_version
from zarrds._store import Store, StoreLike, ancestors, as_store, normalize_path
from zarrds.core import Array
from zarrds.creation.like import filled_keywords
from zarrds.creation.new import Destination
from zarrds.creation.new import create_array as create_at
from zarrds.creation.open import array_keywords, create_filled
from zarrds.errors import ArgumentError, ArgumentTypeError

__all__ = ["create_array", "create_in", "format_at", "from_array"]


def create_array(
    store: StoreLike,
    *,
    name: str | None = None,
    shape: ShapeLike | None = None,
    dtype: DTypeLike = None,
    data: Any = None,
    chunks: ChunksLike | Literal["auto"] = "auto",
    shards: ChunksLike | Literal["auto"] = None,
    filters: CodecsLike | Literal["auto"] = "auto",
    compressors: CodecsLike = "auto",
    serializer: CodecLike | None = "auto",
    fill_value: Any = None,
    order: Literal["C", "F"] | None = None,
    zarr_format: ZarrFormat | None = None,
    attributes: Mapping[str, Any] | None = None,
    chunk_key_encoding: Any = None,
    dimension_names: Any = None,
    storage_options: dict[str, Any] | None = None,
    overwrite: bool = False,
    config: Mapping[str, Any] | None = None,
    write_data: bool = True,
) -> Array:
    """Create an array with the keywords of Zarr-Python 3; `zarrds.create` has those of Zarr-Python 2.

    Parameters
    ----------
    store : MutableMapping or str
        Store, path of a directory, or URL.
    name : str, optional
        Path of the array in the store; the root by default.
    shape : int or tuple of int, optional
        Length of each dimension; that of `data` if these are given.
    dtype : dtype, optional
        Data type; that of `data` if these are given.
    data : array-like, optional
        Values of the array.
    chunks : int or tuple of int, or "auto"
        Chunk shape; guessed by default.
    shards : tuple of int, or "auto", optional
        Shape of a shard, in elements; "auto" guesses one, of whole chunks. Zarr v3 only.
    filters, compressors, serializer
        As for `zarrds.create`; "auto" is the default of the format, None is none.
    fill_value : object, optional
        Value of elements that are not stored; by default zero, False, an empty text.
    order : {"C", "F"}, optional
        Order of the elements of a chunk.
    zarr_format : {2, 3}, optional
        Format; by default that of the groups above, or of a store that has one; else Zarr v3.
    attributes : mapping, optional
        Attributes of the array.
    chunk_key_encoding, dimension_names
        As for `zarrds.create`.
    storage_options : dict, optional
        Options of the file system behind a URL.
    overwrite : bool, default False
        Whether a node that is there is replaced.
    config : mapping, optional
        ``{"order": ..., "write_empty_chunks": ...}``.
    write_data : bool, default True
        Whether `data` are written; False: only their shape and dtype are taken.

    Returns
    -------
    Array
        The new array.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.create_array("data/new.zarr", shape=(8, 8), chunks=(2, 2), shards=(4, 4), dtype="i4", overwrite=True)
    >>> z, z.zarr_format, z.shards
    (<zarrds.core.Array (8, 8) int32>, 3, (4, 4))
    """
    given = locals()
    real_store = as_store(store, mode="w", storage_options=storage_options)
    path = normalize_path(name)
    number = check_version(None, zarr_format) or format_at(real_store, path)
    return create_in(Destination(real_store, path, None, number), given)


def from_array(
    store: StoreLike,
    *,
    data: Any,
    write_data: bool = True,
    name: str | None = None,
    chunks: ChunksLike | Literal["auto", "keep"] = "keep",
    shards: ChunksLike | Literal["keep", "auto"] = "keep",
    filters: CodecsLike | Literal["auto", "keep"] = "keep",
    compressors: CodecsLike | Literal["keep"] = "keep",
    serializer: CodecLike | Literal["keep"] | None = "keep",
    fill_value: Any = None,
    order: Literal["C", "F"] | None = None,
    zarr_format: ZarrFormat | None = None,
    attributes: Mapping[str, Any] | None = None,
    chunk_key_encoding: Any = None,
    dimension_names: Any = None,
    storage_options: dict[str, Any] | None = None,
    overwrite: bool = False,
    config: Mapping[str, Any] | None = None,
) -> Array:
    """Create an array from another one, with its chunks, codecs and attributes where no others are given.

    Parameters
    ----------
    store
        As for `create_array`.
    data : array-like
        A stored array, or anything that numpy converts to an array.
    write_data : bool, default True
        Whether the values are written, or only the document.
    name
        As for `create_array`.
    chunks, shards, filters, compressors, serializer
        As for `create_array`; "keep" takes those of a stored array, and is "auto" for other data.
    fill_value, order, zarr_format, attributes, chunk_key_encoding, dimension_names
        As for `create_array`; by default those of a stored array.
    storage_options, overwrite, config
        As for `create_array`.

    Returns
    -------
    Array
        The new array.

    Examples
    --------
    >>> import zarrds
    >>> old = zarrds.array([[1, 2], [3, 4]], chunks=(1, 2))
    >>> new = zarrds.from_array({}, data=old)
    >>> new.chunks, new[1, 0]
    ((1, 2), np.int64(3))
    """
    given = locals()
    kept = {option for option in _KEPT if isinstance(given[option], str) and given[option] == "keep"}
    asked = {option: value for option, value in given.items() if option not in kept}
    real_store = as_store(store, mode="w", storage_options=storage_options)
    path, number = normalize_path(name), check_version(None, zarr_format)
    if isinstance(data, Array):
        number = number or real_store.documents_format or data.zarr_format
        chosen = {option: asked[option] for option in _KEPT if option in asked}
        chosen |= {option: asked[option] for option in _CHOICES if asked[option] is not None}
        asked |= filled_keywords(data, chosen, number)
        if "shards" in kept and "codecs" not in asked and number == 3:
            asked["shards"] = data.shards
        asked["attributes"] = data.attrs.asdict() if attributes is None else attributes
    else:
        number = number or format_at(real_store, path)
    return create_in(Destination(real_store, path, None, number), asked)


_KEPT = ("chunks", "shards", "filters", "compressors", "serializer")
_CHOICES = ("fill_value", "order", "dimension_names", "zarr_format", "chunk_key_encoding")


def format_at(store: Store, path: str) -> ZarrFormat:
    """Return the format of the nearest node at or above a path; if there is none, that of the store, or Zarr v3."""
    nodes = (_node.find_node(store, place) for place in (path, *reversed(ancestors(path))))
    above = next((node.zarr_format for node in nodes if node is not None), None)
    number = above or store.documents_format or store.preferred_format
    return 2 if number == 2 else 3


def create_in(to: Destination, given: Mapping[str, Any]) -> Array:
    """Create an array at a destination, with the keywords of `create_array`; without `data`, it is empty."""
    data, attributes = given.get("data"), given.get("attributes")
    options = _create_keywords(given)
    if data is None:
        if options.get("shape") is None:
            raise ArgumentTypeError("either shape or data is needed to create an array")
        return create_at(to, options, attributes=attributes)
    shape = options.pop("shape", None)
    if shape is not None and tuple(np.atleast_1d(shape)) != tuple(np.shape(data)):
        raise ArgumentError(f"shape {shape} is not that of the data, {np.shape(data)}: give one of them")
    data, options = array_keywords(data, options)
    if not given.get("write_data", True):
        return create_at(to, options, attributes=attributes)
    return create_filled(to, options, data, attributes)


_PASSED = (
    "shape", "dtype", "shards", "compressors", "serializer", "dimension_names", "overwrite", "object_codec",
    "compressor", "codecs", "storage_transformers", "dimension_separator", "synchronizer", "cache_attrs",
)  # fmt: skip


def _create_keywords(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of `create` for those of `create_array`."""
    options = {name: given[name] for name in _PASSED if name in given}
    if isinstance(shards := given.get("shards"), str):
        if shards != "auto":
            raise ArgumentError(f"shards must be lengths in elements, or 'auto', found {shards!r}")
        options["shards"] = True
    config = {} if given.get("config") is None else given["config"]
    if not isinstance(config, Mapping):
        raise ArgumentTypeError(f"config must be a dict, found {type(config).__name__}")
    options.update({name: value for name, value in config.items() if value is not None})
    chunks, filters = given.get("chunks"), given.get("filters")
    options["chunks"] = True if chunks is None or (isinstance(chunks, str) and chunks == "auto") else chunks
    options["filters"] = None if isinstance(filters, str) and filters == "auto" else filters
    optional = {name: given.get(name) for name in ("order", "fill_value", "chunk_key_encoding")}
    return options | {name: value for name, value in optional.items() if value is not None}
