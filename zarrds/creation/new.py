"""Create one new array: `create`, and what its options mean."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

from numcodecs.registry import codec_registry

from zarrds import _node, storage
from zarrds._format import ArrayMeta, normalize_dtype
from zarrds._metadata import array_meta, check_version, new_format
from zarrds._node import check_synchronizer, structure_locked
from zarrds._store import KVStore, Store, as_store, normalize_path
from zarrds._types import Separator
from zarrds.core import Array
from zarrds.errors import ArrayNotFoundError, BadCompressorError, ConflictError
from zarrds.sync import Synchronizer

__all__ = ["InGroup", "create", "h5py_names"]


class InGroup(NamedTuple):
    """A store and a path in it, at and above which every node is known to be a group: these are not looked up again."""

    store: Store
    known_group: str
    zarr_format: int

    def checked(self, asked: int | None) -> tuple[Store, str, int]:
        """Return the store, the group path and the format of the group; raise if another format was asked for."""
        if asked not in (None, self.zarr_format):
            raise ValueError(
                f"a group in Zarr v{self.zarr_format} has no members in Zarr v{asked}: a hierarchy is of one format"
            )
        return self.store, self.known_group, self.zarr_format


def create(
    shape: Any,
    chunks: Any = True,
    dtype: Any = None,
    compressor: Any = "default",
    fill_value: Any = 0,
    order: Literal["C", "F"] = "C",
    store: Any = None,
    synchronizer: Synchronizer | None = None,
    overwrite: bool = False,
    path: str | None = None,
    chunk_store: Any = None,
    filters: Any = None,
    cache_metadata: bool = True,
    cache_attrs: bool = True,
    read_only: bool = False,
    object_codec: Any = None,
    dimension_separator: Separator | None = None,
    write_empty_chunks: bool = True,
    *,
    zarr_version: Literal[2, 3] | None = None,
    meta_array: Any = None,
    storage_transformers: Any = (),
    zarr_format: int | None = None,
    partial_decompress: bool = False,
    read_missing: Literal["fill", "raise"] = "fill",
    compressors: Any = "auto",
    codecs: Any = None,
    serializer: Any = "auto",
    shards: Any = None,
    chunk_key_encoding: Any = None,
    dimension_names: Any = None,
    _fill: Callable[[Array], None] | None = None,
    _attributes: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> Array:
    """Create an array.

    Parameters
    ----------
    shape : int or tuple of ints
        Array shape.
    chunks : int or tuple of ints, or bool, optional
        Chunk shape. If True (default), guessed from `shape` and `dtype`; if False, one chunk for the whole array; an
        int is used for every dimension; None or -1 in a tuple means the whole dimension.
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
    zarr_version, zarr_format : {None, 2, 3}, optional
        Format of the created array; by default that of the group that creates it, else the setting `default_format`,
        which is 2.
    meta_array : array-like, optional
        Array instance; results have its type.
    read_missing : {"fill", "raise"}
        Whether absent chunks are read as the fill value, or raise MissingChunkError. Not in the manual.
    storage_transformers : sequence, optional
        Zarr v3: transformers between the array and its store, of registered classes; see `zarrds._storage`. In Zarr v2
        only an empty sequence is accepted.
    compressors, serializer : optional
        Zarr v3: bytes-to-bytes codecs, in place of `compressor`, and the array-to-bytes codec. Codecs here and in
        `filters` are numcodecs codecs or objects as ``zarr.json`` has them.
    codecs : list, optional
        Zarr v3: the whole codec pipeline, in place of filters, serializer and compressors.
    shards : int or tuple of ints, optional
        Zarr v3: shape of the stored values, each of which holds several chunks.
    chunk_key_encoding : dict, optional
        Zarr v3: ``{"name": "default" or "v2", "separator": "/" or "."}``.
    dimension_names : sequence of str or None, optional
        Zarr v3: names of the dimensions.
    **kwargs
        h5py's ``compression``, ``compression_opts`` and ``fillvalue`` are understood; others are ignored with a
        warning.

    Returns
    -------
    Array

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
    asked = check_version(zarr_version, zarr_format)
    compressor, fill_value = h5py_names(compressor, fill_value, kwargs)
    store, known, asked = store.checked(asked) if isinstance(store, InGroup) else (store, None, asked)
    real_store = KVStore({}) if store is None else as_store(store, mode="w")
    real_chunk_store = None if chunk_store is None else as_store(chunk_store, mode="w")
    make = partial(
        array_meta,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        compressor=compressor,
        default_compressor=storage.default_compressor,
        fill_value=fill_value,
        order=order,
        filters=filters,
        object_codec=object_codec,
        dimension_separator=dimension_separator,
        store_separator=real_store.dimension_separator,
        compressors=compressors,
        codecs=codecs,
        serializer=serializer,
        shards=shards,
        chunk_key_encoding=chunk_key_encoding,
        dimension_names=dimension_names,
        storage_transformers=storage_transformers,
    )
    meta = make(zarr_format=new_format(asked, real_store))
    _warn_of_missing_codec(meta, dtype, filters, object_codec)
    where = normalize_path(path)
    check_synchronizer(synchronizer, where, real_store, real_chunk_store)
    opened = partial(
        Array,
        read_only=read_only,
        chunk_store=real_chunk_store,
        synchronizer=synchronizer,
        cache_metadata=cache_metadata,
        cache_attrs=cache_attrs,
        partial_decompress=partial_decompress,
        write_empty_chunks=write_empty_chunks,
        meta_array=meta_array,
        read_missing=read_missing,
    )

    def fill(store: Store, path: str, *, meta: ArrayMeta) -> None:
        known = meta if store.keeps_documents else None
        assert _fill is not None
        _fill(opened(store, path=path, read_only=False, cache_metadata=True, _meta=known))

    # without a group, a new array in a place that must be free cannot meet a writer who changes what is there
    guard = synchronizer if overwrite or known is not None else None
    with structure_locked(guard, real_store, where, zarr_format=asked):
        meta = _node.create_array(
            real_store,
            where,
            meta,
            overwrite=overwrite,
            chunk_store=real_chunk_store,
            known_group=known,
            remake=None if asked else lambda number: make(zarr_format=number),
            fill=None if _fill is None else fill,
            attributes=_attributes,
        )
    try:
        return opened(real_store, path=where, _meta=meta if real_store.keeps_documents else None)
    except ArrayNotFoundError as error:
        raise ConflictError(store=repr(real_store), path=where, hint="another task replaces it; try again") from error


def h5py_names(compressor: Any, fill_value: Any, kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """Accept h5py's names for compressor and fill value; warn of every other unknown keyword."""
    rest = dict(kwargs)
    fill_value = rest.pop("fillvalue", fill_value)
    if not _is_default(compressor):
        for name in ("compression", "compression_opts"):
            if name in rest:
                del rest[name]
                _warn(f"{name!r} keyword argument overridden by 'compressor'")
    elif "compression" in rest:
        compressor = _h5py_codec(rest.pop("compression"), rest.pop("compression_opts", None))
    for name in rest:
        _warn(f"ignoring keyword argument {name!r}")
    return compressor, fill_value


def _is_default(compressor: Any) -> bool:
    return isinstance(compressor, str) and compressor == "default"


def _h5py_codec(compression: Any, options: Any) -> Any:
    """Return the codec for h5py's ``compression``, a name, and ``compression_opts``: level, arguments, keywords."""
    if compression in (None, "none"):
        return None
    if _is_default(compression) or not isinstance(compression, str):
        return compression
    if compression not in codec_registry:
        raise BadCompressorError("unknown compression", found=repr(compression), expected="a name that numcodecs knows")
    codec = codec_registry[compression]
    if isinstance(options, dict):
        return codec(**options)
    if isinstance(options, list | tuple):
        return codec(*options)
    return codec() if options is None else codec(options)


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=4)


def _warn_of_missing_codec(meta: ArrayMeta, dtype: Any, filters: Any, object_codec: Any) -> None:
    """Warn that the first filter is used as the object codec, as old programs do it."""
    if (
        meta.zarr_format == 2
        and meta.dtype.hasobject
        and object_codec is None
        and filters
        and normalize_dtype(dtype)[1] is None
    ):
        warnings.warn(
            "missing object_codec for object array: the first filter is taken for it; pass it as object_codec",
            FutureWarning,
            stacklevel=3,
        )
