"""Create one new array: `create`, and `create_array`, which groups and other functions share with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal, NamedTuple

from zarrds import _node, storage
from zarrds._base.types import ChunksLike, CodecLike, CodecsLike, DTypeLike, Separator, ShapeLike, ZarrFormat
from zarrds._format import ArrayMeta, check_version, normalize_dtype
from zarrds._metadata import ArrayRequest, array_meta_of, new_format
from zarrds._node import check_synchronizer, structure_locked
from zarrds._store import KVStore, Store, StoreLike, as_store, normalize_path
from zarrds.core import Array, OpenOptions, opened_array
from zarrds.creation.keywords import array_request
from zarrds.errors import ArrayNotFoundError, ConflictError, OutdatedNameWarning
from zarrds.sync import Synchronizer

__all__ = ["Destination", "create", "create_array", "destination_of"]

Fill = Callable[[Array], None]


def create(
    shape: ShapeLike,
    chunks: ChunksLike = True,
    dtype: DTypeLike = None,
    compressor: CodecLike | None = "default",
    fill_value: Any = 0,
    order: Literal["C", "F"] = "C",
    store: StoreLike | None = None,
    synchronizer: Synchronizer | None = None,
    overwrite: bool = False,
    path: str | None = None,
    chunk_store: StoreLike | None = None,
    filters: CodecsLike = None,
    cache_metadata: bool = True,
    cache_attrs: bool = True,
    read_only: bool = False,
    object_codec: CodecLike | None = None,
    dimension_separator: Separator | None = None,
    write_empty_chunks: bool = True,
    *,
    zarr_version: Literal[2, 3] | None = None,
    meta_array: Any = None,
    storage_transformers: Any = (),
    zarr_format: ZarrFormat | None = None,
    partial_decompress: bool = False,
    read_missing: Literal["fill", "raise"] = "fill",
    compressors: CodecsLike = "auto",
    codecs: CodecsLike = None,
    serializer: CodecLike | None = "auto",
    shards: ChunksLike = None,
    chunk_key_encoding: Any = None,
    dimension_names: Any = None,
    **kwargs: Any,
) -> Array:
    """Create an array.

    Parameters
    ----------
    shape : int or tuple of ints
        Array shape.
    chunks : int or tuple of ints, or bool, optional
        Chunk shape. If True (default), guessed from `shape` and `dtype`; if False, one chunk for the whole array; an
        int is used for every dimension; None or -1 in a tuple means the whole dimension. In Zarr v3 a sequence in place
        of an item has the lengths of all chunks along that dimension, ``[[3, 5, 2], 10]``, or pairs of length and
        count, ``[[[3, 100], 5], 10]``; see docs/formats.md.
    dtype : str or dtype, optional
        NumPy dtype, by default float64; ``str``, ``bytes`` and ``'array:T'`` give object arrays with the codec they
        need.
    compressor : Codec, optional
        Primary compressor; None for none; 'default' for `zarrds.storage.default_compressor`.
    fill_value : object
        Value of uninitialised portions of the array, by default 0; None: undefined.
    order : {'C', 'F'}, optional
        Memory layout to be used within each chunk.
    store : MutableMapping or str, optional
        Store, path of a directory, or URL; by default a new MemoryStore.
    synchronizer : object, optional
        Array synchronizer.
    overwrite : bool, optional
        If True, delete an existing node at `path` in `store` before creating the array. On disk, files that are not
        part of a hierarchy are never deleted: ForeignFilesError.
    path : str, optional
        Path under which the array is stored.
    chunk_store : MutableMapping, optional
        Separate storage for chunks.
    filters : sequence of Codecs, optional
        Filters to encode chunk data with, prior to compression.
    cache_metadata, cache_attrs : bool, optional
        Whether metadata and attributes are read once and kept (default), or read before every access.
    read_only : bool, optional
        True if the array should be protected against modification.
    object_codec : Codec, optional
        A codec to encode object arrays, only needed if dtype=object.
    dimension_separator : {'.', '/'}, optional
        Separator placed between the dimensions of a chunk; by default the store's.
    write_empty_chunks : bool, optional
        If False, chunks that are all fill value, bit by bit, are not stored.
    zarr_version : {None, 2, 3}, optional
        Format of the created array; by default that of the group that creates it, else the setting `default_format`,
        which is 2.
    meta_array : array-like, optional
        Array instance; results have its type.
    storage_transformers : sequence, optional
        Zarr v3: transformers between the array and its store, of registered classes; see `zarrds._storage`. In Zarr v2
        only an empty sequence is accepted.
    zarr_format : {None, 2, 3}, optional
        The same as `zarr_version`.
    partial_decompress : bool, optional
        If True, only the blocks that a selection needs are read from chunks compressed by Blosc.
    read_missing : {"fill", "raise"}
        Whether absent chunks are read as the fill value, or raise MissingChunkError. Not in the manual.
    compressors : optional
        Zarr v3: bytes-to-bytes codecs, in place of `compressor`. Codecs here and in `filters` are numcodecs codecs or
        objects as ``zarr.json`` has them.
    codecs : list, optional
        Zarr v3: the whole codec pipeline, in place of filters, serializer and compressors.
    serializer : optional
        Zarr v3: the array-to-bytes codec.
    shards : int or tuple of ints, optional
        Zarr v3: shape of the stored values, each of which holds several chunks.
    chunk_key_encoding : dict, optional
        Zarr v3: ``{"name": "default" or "v2", "separator": "/" or "."}``.
    dimension_names : sequence of str or None, optional
        Zarr v3: names of the dimensions.
    **kwargs
        Options of h5py: ``compression``, ``compression_opts`` and ``fillvalue`` are understood; others are ignored
        with a warning.

    Returns
    -------
    Array
        The new array.

    Raises
    ------
    ContainsArrayError, ContainsGroupError
        A node is at `path` and `overwrite` is False.
    ValueError, TypeError
        An argument cannot be used; then nothing was written.

    Examples
    --------
    >>> import zarrds
    >>> from numcodecs import Blosc
    >>> compressor = Blosc(cname="zstd", clevel=1, shuffle=Blosc.BITSHUFFLE)
    >>> zarrds.create((10000, 10000), chunks=(1000, 1000), dtype="i1", order="F", compressor=compressor)
    <zarrds.core.Array (10000, 10000) int8>
    """
    given = locals()
    given.update(given.pop("kwargs"))
    return create_array(destination_of(given), given)


# --- what the functions that create arrays share ---------------------------------------------------------------------


class Destination(NamedTuple):
    """Where a new array is created.

    Attributes
    ----------
    store : Store
        Store of the document.
    path : str
        Path of the array.
    chunk_store : Store, optional
        Store of the chunks, if it is another.
    zarr_format : {2, 3, None}
        The format asked for; None: that of the groups above, or the default.
    known_group : str, optional
        A path: it and all paths above it are known to be groups of that format, which are not looked up again.
    """

    store: Store
    path: str
    chunk_store: Store | None = None
    zarr_format: int | None = None
    known_group: str | None = None


def destination_of(given: Mapping[str, Any]) -> Destination:
    """Return the destination that the keywords of `create` say."""
    asked = check_version(given.get("zarr_version"), given.get("zarr_format"))
    store, chunk_store = given.get("store"), given.get("chunk_store")
    return Destination(
        KVStore({}) if store is None else as_store(store, mode="w"),
        normalize_path(given.get("path")),
        None if chunk_store is None else as_store(chunk_store, mode="w"),
        asked,
    )


def create_array(
    to: Destination,
    given: Mapping[str, Any],
    *,
    fill: Fill | None = None,
    attributes: Mapping[str, Any] | None = None,
    extra: str = "",
) -> Array:
    """Create an array.

    Parameters
    ----------
    to : Destination
        Where; keywords for that are ignored.
    given : mapping
        Keywords of `create`, by name; others have its defaults.
    fill : callable, optional
        Writes the data of the array, which a reader sees together with it; only with the keyword ``overwrite``.
    attributes : mapping, optional
        Its attributes.
    extra : str
        Other members of its document, as JSON text, which may be ignored.
    """
    separator = to.store.dimension_separator
    request = array_request(given, default_compressor=storage.default_compressor, store_separator=separator)
    meta = array_meta_of(request, new_format(to.zarr_format, to.store))
    meta = replace(meta, extra=extra) if extra else meta
    _warn_of_missing_codec(meta, request)
    options = OpenOptions.of(given, chunk_store=to.chunk_store)
    check_synchronizer(options.synchronizer, to.path, to.store, to.chunk_store)
    overwrite = bool(given.get("overwrite"))
    # without a group, a new array in a place that must be free cannot meet a writer who changes what is there
    guard = options.synchronizer if overwrite or to.known_group is not None else None
    with structure_locked(guard, to.store, to.path, zarr_format=to.zarr_format):
        meta = _node.create_array(
            to.store,
            to.path,
            meta,
            overwrite=overwrite,
            chunk_store=to.chunk_store,
            known_group=to.known_group,
            remake=None if to.zarr_format else partial(array_meta_of, request),
            fill=None if fill is None else partial(_filled, fill, options),
            attributes=attributes,
        )
    return _opened(to, meta, options)


def _filled(fill: Fill, options: OpenOptions, store: Store, path: str, *, meta: ArrayMeta) -> None:
    """Write the data of a new array, which may still be in a hidden place, and whose document may not be there yet."""
    options = options._replace(read_only=False, cache_metadata=True)
    known = meta if store.keeps_documents else _node.load_array(store, path)
    fill(opened_array(store, path, known, options))


def _opened(to: Destination, meta: ArrayMeta, options: OpenOptions) -> Array:
    """Open the new array; read its document in stores of other layouts, which may change it."""
    if to.store.keeps_documents:
        return opened_array(to.store, to.path, meta, options)
    try:
        return opened_array(to.store, to.path, _node.load_array(to.store, to.path), options)
    except ArrayNotFoundError as error:
        raise ConflictError(store=repr(to.store), path=to.path, hint="another task replaces it; try again") from error


def _warn_of_missing_codec(meta: ArrayMeta, request: ArrayRequest) -> None:
    """Warn that the first filter is used as the object codec, as old programs do it."""
    if (
        meta.zarr_format == 2
        and meta.dtype.hasobject
        and request.object_codec is None
        and request.filters
        and normalize_dtype(request.dtype)[1] is None
    ):
        warnings.warn(
            "missing object_codec for object array: the first filter is taken for it; pass it as object_codec",
            OutdatedNameWarning,
            stacklevel=4,
        )
