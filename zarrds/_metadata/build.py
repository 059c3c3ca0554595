"""Build the metadata of a new array from the user's keywords: defaults, normalisation, checks; no I/O."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import gcd
from typing import Any

import numpy as np
from numcodecs import Blosc

from zarrds._base.config import get_config
from zarrds._base.edges import Edges, Grid, as_given, is_regular, longest_chunk, shown
from zarrds._base.types import Chunks, Order, Shape
from zarrds._codec import build_codec, encode_fill, spec_of
from zarrds._engine import STRUCTURE_HINT
from zarrds._format import (
    ArrayMeta,
    ChunkSpec,
    CodecSpec,
    KeyEncoding,
    Place,
    codecs_to_json,
    data_type_codec,
    data_type_name,
    fill_of_v3,
    format_of,
    normalize_chunks,
    normalize_dtype,
    normalize_dtype_v3,
    normalize_grid,
    normalize_shape,
    parse_extension,
    parse_transformers,
    with_codec,
)
from zarrds._metadata.codecs import CodecPipeline, make_pipeline, pipeline_of, several, sharded, to_numcodecs
from zarrds._store import ShardingStorageTransformer, StorageTransformer, Store
from zarrds.errors import (
    ArgumentError,
    ArgumentTypeError,
    BadCompressorError,
    IgnoredArgumentWarning,
    UnsupportedFormatError,
)

__all__ = ["array_meta", "fallback_compressor", "new_format", "options_like"]

fallback_compressor = Blosc()
"""What 'default' means unless `zarrds.storage.default_compressor` was reassigned: lz4, level 5, byte shuffle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayRequest:
    """What a user asks for, as it was given: the keywords of the manual first, then those that only Zarr v3 has."""

    shape: Any
    chunks: Any = True
    dtype: Any = None
    compressor: Any = "default"
    default_compressor: Any = field(default_factory=lambda: fallback_compressor)
    fill_value: Any = None
    order: str = "C"
    filters: Any = None
    object_codec: Any = None
    dimension_separator: str | None = None
    store_separator: str | None = None
    compressors: Any = "auto"
    codecs: Any = None
    serializer: Any = "auto"
    shards: Any = None
    chunk_key_encoding: Any = None
    dimension_names: Any = None
    storage_transformers: Any = ()


REQUEST_NAMES = tuple(field.name for field in fields(ArrayRequest))

OPTIONS_OF_ARRAYS = frozenset(REQUEST_NAMES) - {"shape", "chunks", "dtype"}
"""Names of the keywords that users may give for a new array, besides its shape, chunks and dtype."""


def array_meta(*, zarr_format: int = 2, **asked: Any) -> ArrayMeta:
    """Return the metadata of an array to be created; the keywords are the members of `ArrayRequest`."""
    return array_meta_of(ArrayRequest(**asked), zarr_format)


def array_meta_of(request: ArrayRequest, zarr_format: int) -> ArrayMeta:
    """Return the metadata of an array to be created; raise ValueError, TypeError or MetadataError for bad requests."""
    make = {2: _meta_2, 3: _meta_3}[format_of(zarr_format).number]
    meta = make(request)
    build_codec(meta.chunk)  # an unknown codec is refused before anything is written
    return meta


def _shape_and_order(request: ArrayRequest) -> tuple[Shape, Order]:
    if request.order not in ("C", "F", "c", "f"):
        raise ArgumentError(f"order must be 'C' or 'F', found {request.order!r}")
    if request.dimension_separator not in (None, ".", "/"):
        raise ArgumentError(f"dimension_separator must be '.' or '/', found {request.dimension_separator!r}")
    return normalize_shape(request.shape), "F" if request.order in ("F", "f") else "C"


# --- Zarr v2 ----------------------------------------------------------------------------------------------------------


def _meta_2(request: ArrayRequest) -> ArrayMeta:
    _refuse_v3(request)
    dtype, implied_codec = normalize_dtype(request.dtype)
    shape, order = _shape_and_order(request)
    if dtype.subdtype is not None:
        # a sub-array dtype becomes trailing dimensions
        dtype, inner = dtype.subdtype
        shape = (*shape, *inner)
    filters = _filters(dtype, request.filters, request.object_codec, implied_codec)
    chunk = ChunkSpec(
        shape=_regular_chunks(request, shape, dtype.itemsize),
        dtype=dtype,
        fill=encode_fill(request.fill_value, dtype, filters),
        order=order,
        filters=filters,
        compressors=() if not shape else _compressors(_only_compressor(request), request.default_compressor),
    )
    separator = request.dimension_separator or request.store_separator
    return ArrayMeta(
        shape=shape,
        chunk=chunk,
        keys=KeyEncoding("/" if separator == "/" else ".", "v2", written=separator is not None),
    )


def _regular_chunks(request: ArrayRequest, shape: Shape, itemsize: int) -> Chunks:
    grid = normalize_grid(request.chunks, shape, itemsize)
    if not is_regular(grid):
        raise ArgumentError(
            "Zarr v2 has chunks of one shape only",
            expected="an integer for each dimension",
            found=shown(grid),
            hint="pass zarr_format=3 for chunks of different lengths",
        )
    return longest_chunk(grid)


def _refuse_v3(request: ArrayRequest) -> None:
    for name in ("codecs", "shards", "chunk_key_encoding", "dimension_names", "storage_transformers"):
        if getattr(request, name) not in (None, (), []):
            raise ArgumentError(f"{name} may only be set for Zarr v3; pass zarr_format=3")
    if not (isinstance(request.serializer, str) and request.serializer == "auto"):
        raise ArgumentError("serializer may only be set for Zarr v3; pass zarr_format=3")


def _only_compressor(request: ArrayRequest) -> Any:
    """Return the compressor, given by either keyword; raise ValueError for several, as Zarr v2 has one."""
    several = request.compressors
    if isinstance(several, str) and several in ("auto", "default"):
        return request.compressor
    several = several if isinstance(several, list | tuple) else () if several is None else (several,)
    if len(several) > 1:
        raise ArgumentError(f"Zarr v2 has one compressor at most, found {len(several)}")
    return several[0] if several else None


def _compressors(compressor: Any, default: Any) -> tuple[CodecSpec, ...]:
    if isinstance(compressor, str) and compressor:
        if compressor == "none":
            return ()
        if compressor != "default":
            raise BadCompressorError(
                "bad compressor", expected="a numcodecs codec, None or 'default'", found=repr(compressor)
            )
        compressor = default
    return () if _is_nothing(compressor) else (spec_of(compressor),)


def _is_nothing(compressor: Any) -> bool:
    """Return whether a user has asked for no compressor: with None, False, 0, or anything empty."""
    return compressor is None or (isinstance(compressor, bool | int | str | Sequence | Mapping) and not compressor)


def _filters(dtype: Any, filters: Any, object_codec: Any, implied: CodecSpec | None) -> tuple[CodecSpec, ...]:
    specs = tuple(spec_of(f) for f in several(filters))
    if not dtype.hasobject:
        if object_codec is not None:
            warnings.warn("an object_codec is only needed for object arrays", IgnoredArgumentWarning, stacklevel=4)
        return specs
    if object_codec is None and implied is None:
        if specs:
            _refuse_lists_of_structures(dtype, specs[0])
            return specs  # the first filter is the object codec, as when an array is created like another
        raise ArgumentError(
            "missing object_codec for object array: pass object_codec=numcodecs.VLenUTF8() for text, VLenBytes(), "
            "VLenArray(dtype), JSON() or MsgPack(), or use dtype=str, dtype=bytes or dtype='array:<dtype>'"
        )
    codec = spec_of(object_codec) if object_codec is not None else implied
    assert codec is not None
    _refuse_lists_of_structures(dtype, codec)
    return specs if codec in specs else (codec, *specs)


def _refuse_lists_of_structures(dtype: Any, codec: CodecSpec) -> None:
    """Raise if structures with object fields would be stored as lists, which cannot be read back."""
    if dtype.names is not None and codec.name in ("json2", "msgpack2", "vlen-utf8", "vlen-bytes", "vlen-array"):
        raise BadCompressorError(
            "structures with object fields cannot be read back", codec=codec.name, hint=STRUCTURE_HINT
        )


# --- Zarr v3 ----------------------------------------------------------------------------------------------------------


def _meta_3(request: ArrayRequest) -> ArrayMeta:
    dtype, objects = normalize_dtype_v3(request.dtype)
    shape, order = _shape_and_order(request)
    if dtype.subdtype is not None:
        dtype, inner = dtype.subdtype
        shape = (*shape, *inner)
    request = _with_shards(request, shape, dtype.itemsize)
    native = dtype.newbyteorder("=")
    pipeline = _pipeline(request, dtype, objects, order, len(shape))
    unit, chunks = _unit_and_chunks(request, shape, native.itemsize)
    if chunks is not None:
        pipeline = sharded(pipeline, chunks)
    codec = data_type_codec(request.dtype)
    if codec is not None:
        filters, serializer = with_codec(codec, pipeline.filters, pipeline.serializer)
        pipeline = pipeline._replace(filters=filters, serializer=serializer)
    chunk = ChunkSpec(
        shape=longest_chunk(unit),
        dtype=native,
        filters=pipeline.filters,
        serializer=pipeline.serializer,
        compressors=pipeline.compressors,
    )
    fill = fill_of_v3(request.fill_value, native, _OBJECTS.get(pipeline_of(chunk).serializer.name))
    return ArrayMeta(
        shape=shape,
        chunk=replace(chunk, fill=fill),
        keys=_key_encoding(request.chunk_key_encoding, request.dimension_separator),
        zarr_format=3,
        dimension_names=_dimension_names(request.dimension_names, len(shape)),
        transformers=_transformers(request.storage_transformers),
        irregular=None if is_regular(unit) else unit,
    )


def _with_shards(request: ArrayRequest, shape: Shape, itemsize: int) -> ArrayRequest:
    """Return the request, with the shards that a storage transformer of the manual asks for."""
    others = [item for item in request.storage_transformers or () if not isinstance(item, ShardingStorageTransformer)]
    wanted = [item for item in request.storage_transformers or () if isinstance(item, ShardingStorageTransformer)]
    if not wanted:
        return request
    if len(wanted) > 1 or request.shards is not None:
        raise ArgumentError("shards are asked for twice: pass either shards or one ShardingStorageTransformer")
    counts = wanted[0].chunks_per_shard
    counts = counts * len(shape) if len(counts) == 1 else counts
    if len(counts) != len(shape):
        raise ArgumentError(f"chunks_per_shard must be {len(shape)} numbers, one for each dimension; found {counts}")
    chunks = normalize_chunks(request.chunks, shape, itemsize)
    shards = tuple(chunk * count for chunk, count in zip(chunks, counts, strict=True))
    return replace(request, chunks=chunks, shards=shards, storage_transformers=others)


def _transformers(given: Any) -> tuple[CodecSpec, ...]:
    """Return storage transformers, given as objects or as JSON objects of a document."""
    specs = [item.spec_of_document() if isinstance(item, StorageTransformer) else item for item in given or ()]
    items = [codecs_to_json([item])[0] if isinstance(item, CodecSpec) else item for item in specs]
    return parse_transformers(items, Place("", ("storage_transformers",)))


_OBJECTS = {"vlen-utf8": "string", "vlen-bytes": "variable_length_bytes"}
_OBJECT_CODECS = {name: CodecSpec.of(codec) for codec, name in _OBJECTS.items()}


def _pipeline(request: ArrayRequest, dtype: Any, objects: str | None, order: Order, ndim: int) -> CodecPipeline:
    """Return the codec pipeline of the chunks; order "F" becomes a transpose codec."""
    given = request.object_codec
    codec = _OBJECT_CODECS.get(objects, CodecSpec.of(objects)) if objects else None
    pipeline = make_pipeline(
        dtype,
        object_codec=spec_of(given) if given is not None and dtype.kind == "O" else codec,
        codecs=request.codecs,
        filters=request.filters,
        serializer=request.serializer,
        compressors=_compressors_3(request),
    )
    if order == "C" or ndim < 2:
        return pipeline
    if request.codecs is not None:
        raise ArgumentError("order='F' is a codec in Zarr v3: add it to codecs, as \"transpose\"")
    turn = CodecSpec.of("transpose", {"order": list(range(ndim))[::-1]})
    return pipeline._replace(filters=(turn, *pipeline.filters))


def _compressors_3(request: ArrayRequest) -> Any:
    """Return the compressors, whichever of the two keywords they were given under."""
    alone, several = request.compressor, request.compressors
    if isinstance(alone, str) and alone == "default":
        return several
    if not (isinstance(several, str) and several == "auto"):
        raise ArgumentError("compressor and compressors are two names for one thing: pass one of them")
    return None if _is_nothing(alone) or alone == "none" else alone


def _unit_and_chunks(request: ArrayRequest, shape: Shape, itemsize: int) -> tuple[Grid, Chunks | None]:
    """Return the lengths of stored values, and the shape of the chunks in them; None if there are no shards."""
    if request.shards is None:
        return normalize_grid(request.chunks, shape, itemsize), None
    if request.chunks is True or request.chunks is None:
        unit = normalize_grid(request.shards, shape, itemsize)
        guess = normalize_chunks(True, longest_chunk(unit), itemsize)
        return unit, tuple(_divisor(edges, about) for edges, about in zip(unit, guess, strict=True))
    inside = normalize_grid(request.chunks, shape, itemsize)
    if not is_regular(inside):
        raise ArgumentError(
            "the chunks inside shards have one shape",
            expected="an integer for each dimension",
            found=request.chunks,
            hint="pass the irregular lengths as shards, whose chunks have one shape",
        )
    chunks = longest_chunk(inside)
    unit = normalize_grid(request.shards, shape, itemsize)
    if is_regular(unit) and (request.shards is True or request.shards is False or -1 in np.ravel(request.shards)):
        # a shard of whole dimensions: as many chunks as cover them
        unit = tuple(-(-shard // chunk) * chunk for shard, chunk in zip(longest_chunk(unit), chunks, strict=True))
    for edges, chunk in zip(unit, chunks, strict=True):
        if any(length % chunk for length in (edges.distinct() if isinstance(edges, Edges) else [edges])):
            raise ArgumentError(
                f"shards must be whole chunks: each length of {shown(unit)} a multiple of that of {chunks}"
            )
    return unit, chunks


def _divisor(edges: int | Edges, about: int) -> int:
    """Return the largest common divisor of lengths that is not above `about`."""
    length = gcd(*edges.distinct()) if isinstance(edges, Edges) else edges
    return next(n for n in range(min(about, length), 0, -1) if length % n == 0)


def _key_encoding(given: Any, separator: str | None) -> KeyEncoding:
    if given is None:
        return KeyEncoding("." if separator == "." else "/", "default", written=True)
    if not isinstance(given, str | Mapping):
        raise ArgumentTypeError(f"chunk_key_encoding must be a name or a dict, found {given!r}")
    found = parse_extension({"name": given} if isinstance(given, str) else _nested(dict(given)), _KEYS)
    found_separator = found.configuration.get("separator", separator or {"v2": "."}.get(found.name, "/"))
    if found.name not in ("default", "v2") or found_separator not in (".", "/"):
        raise ArgumentError(f"chunk_key_encoding must be 'default' or 'v2' with separator '.' or '/', found {given!r}")
    if separator not in (None, found_separator):
        raise ArgumentError(f"dimension_separator {separator!r} and chunk_key_encoding {given!r} contradict each other")
    return KeyEncoding("." if found_separator == "." else "/", "v2" if found.name == "v2" else "default", written=True)


_KEYS = Place("", ("chunk_key_encoding",))


def _nested(given: dict[str, Any]) -> dict[str, Any]:
    """Return the chunk key encoding as a document has it, with the separator inside if it was given separately."""
    if "separator" in given:
        given["configuration"] = {**given.get("configuration", {}), "separator": given.pop("separator")}
    return given


def _dimension_names(given: Any, ndim: int) -> tuple[str | None, ...] | None:
    if given is None:
        return None
    names = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else None
    if names is None:
        raise ArgumentTypeError(f"dimension_names must be a list of {ndim} names or None, found {given!r}")
    if len(names) != ndim or not all(name is None or isinstance(name, str) for name in names):
        raise ArgumentError(f"dimension_names must be {ndim} names or None, one for each dimension; found {given!r}")
    return names


# --- arrays like others -----------------------------------------------------------------------------------------------

_CHOICES = frozenset(
    ["chunks", "dtype", "compressor", "compressors", "filters", "serializer", "codecs", "shards", "order"]
)


def options_like(meta: ArrayMeta, given: Collection[str], zarr_format: int | None = None) -> dict[str, Any]:
    """Return the keywords that recreate the array in `zarr_format`; keywords in `given` are left to the caller."""
    chunk = meta.chunk
    if chunk.serializer is None:
        found: dict[str, Any] = {
            "compressor": _own_compressor(chunk),
            "order": chunk.order,
            "filters": list(chunk.filters) or None,
        }
        if chunk.dtype.hasobject and chunk.filters and {"dtype", "filters", "object_codec"}.isdisjoint(given):
            found.update(object_codec=chunk.filters[0], filters=list(chunk.filters[1:]) or None)
        return found
    name = data_type_name(chunk)
    dtype: dict[str, Any] = {} if name is None else {"dtype": name}
    if zarr_format not in (None, meta.zarr_format):
        return _options_v2(chunk, name)
    encoding = {"name": meta.keys.style, "separator": meta.keys.separator}
    options: dict[str, Any] = {"zarr_format": meta.zarr_format, "dimension_names": meta.dimension_names, **dtype}
    if meta.transformers and "storage_transformers" not in given:
        options["storage_transformers"] = meta.transformers
    if {"chunk_key_encoding", "dimension_separator"}.isdisjoint(given):
        options["chunk_key_encoding"] = encoding
    if _CHOICES.isdisjoint(given):
        codecs = [*chunk.filters, chunk.serializer, *chunk.compressors]
        return {**options, "codecs": codecs, "chunks": as_given(meta.write_unit)}
    pipeline = pipeline_of(chunk)
    if {"codecs", "compressor", "compressors"}.isdisjoint(given):
        options["compressors"] = list(pipeline.compressors)
    if {"codecs", "dtype", "order", "filters", "serializer"}.isdisjoint(given):
        options.update(filters=list(pipeline.filters), serializer=pipeline.serializer)
    return options


def _own_compressor(chunk: ChunkSpec) -> Any:
    """Return the compressor of a chunk or its configuration; for N5, the one inside the block codec of N5 stores."""
    compressor = chunk.compressors[0] if chunk.compressors else None
    is_block = compressor is not None and compressor.name == "n5_wrapper"
    return compressor.configuration.get("compressor_config") if is_block and compressor is not None else compressor


def _options_v2(chunk: ChunkSpec, name: str | None) -> dict[str, Any]:
    """Return the first compressor of a codec pipeline and its numcodecs filters: what Zarr v2 can express of it."""
    pipeline = pipeline_of(chunk)
    compressors = [codec for codec in map(to_numcodecs, pipeline.compressors) if not isinstance(codec, CodecSpec)]
    filters = [codec for codec in map(to_numcodecs, pipeline.filters) if not isinstance(codec, CodecSpec)]
    dtype = chunk.dtype if name is None else str if name == "string" else bytes
    return {"dtype": dtype, "compressor": compressors[0] if compressors else None, "filters": filters or None}


# --- which format -----------------------------------------------------------------------------------------------------


def new_format(asked: int | None, store: Store) -> int:
    """Return the format of a new node: the one asked for, else what the store prefers, else the configured default.

    A store that can hold documents of one format only decides by itself: asking it for another format is an error.
    """
    only = store.documents_format
    if only is None:
        return asked or store.preferred_format or get_config().default_format
    if asked not in (None, only):
        raise UnsupportedFormatError(
            f"this store can hold arrays and groups of Zarr v{only} only",
            store=repr(store),
            expected=f"Zarr v{only}",
            found=f"Zarr v{asked}",
            hint="leave zarr_format out, or choose another store",
        )
    return only
