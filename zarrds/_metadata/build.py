"""Build the metadata of a new array from the user's keywords: defaults, normalisation, checks; no I/O."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numcodecs import Blosc

from zarrds._codec import build_codec, encode_fill, spec_of
from zarrds._config import get_config
from zarrds._engine import STRUCTURE_HINT
from zarrds._format import (
    ArrayMeta,
    ChunkSpec,
    CodecSpec,
    KeyEncoding,
    Place,
    codecs_to_json,
    data_type_name,
    fill_of_v3,
    format_of,
    normalize_chunks,
    normalize_dtype,
    normalize_dtype_v3,
    normalize_shape,
    parse_extension,
    parse_transformers,
)
from zarrds._metadata.codecs import Chain, chain_of, make_chain, sharded, shown
from zarrds._store import ShardingStorageTransformer, StorageTransformer, Store
from zarrds._types import Chunks, Order, Shape
from zarrds.errors import BadCompressorError, UnsupportedFormatError

__all__ = ["array_meta", "check_version", "fallback_compressor", "new_format", "options_like"]

fallback_compressor = Blosc()
"""What 'default' means unless `zarrds.storage.default_compressor` was reassigned: lz4, level 5, byte shuffle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
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


OPTIONS_OF_ARRAYS = frozenset(field.name for field in fields(Asked)) - {"shape", "chunks", "dtype"}
"""Names of the keywords that users may give for a new array, besides its shape, chunks and dtype."""


def array_meta(*, zarr_format: int = 2, **asked: Any) -> ArrayMeta:
    """Return the metadata of an array to be created; raise ValueError, TypeError or MetadataError for bad keywords.

    The keywords are the members of `Asked`.
    """
    make = {2: _meta_2, 3: _meta_3}[format_of(zarr_format).number]
    meta = make(Asked(**asked))
    build_codec(meta.chunk)  # an unknown codec is refused before anything is written
    return meta


def _shape_and_order(asked: Asked) -> tuple[Shape, Order]:
    if asked.order not in ("C", "F", "c", "f"):
        raise ValueError(f"order must be 'C' or 'F', found {asked.order!r}")
    if asked.dimension_separator not in (None, ".", "/"):
        raise ValueError(f"dimension_separator must be '.' or '/', found {asked.dimension_separator!r}")
    return normalize_shape(asked.shape), "F" if asked.order in ("F", "f") else "C"


# --- Zarr v2
# ------------------------------------------------------------------------------------------------------------


def _meta_2(asked: Asked) -> ArrayMeta:
    _refuse_format_3(asked)
    dtype, implied_codec = normalize_dtype(asked.dtype)
    shape, order = _shape_and_order(asked)
    if dtype.subdtype is not None:
        # a sub-array dtype becomes trailing dimensions
        dtype, inner = dtype.subdtype
        shape = (*shape, *inner)
    filters = _filters(dtype, asked.filters, asked.object_codec, implied_codec)
    chunk = ChunkSpec(
        shape=normalize_chunks(asked.chunks, shape, dtype.itemsize),
        dtype=dtype,
        fill=encode_fill(asked.fill_value, dtype, filters),
        order=order,
        filters=filters,
        compressors=() if not shape else _compressors(_only_compressor(asked), asked.default_compressor),
    )
    separator = asked.dimension_separator or asked.store_separator
    return ArrayMeta(
        shape=shape,
        chunk=chunk,
        keys=KeyEncoding("/" if separator == "/" else ".", "v2", written=separator is not None),
    )


def _refuse_format_3(asked: Asked) -> None:
    for name in ("codecs", "shards", "chunk_key_encoding", "dimension_names", "storage_transformers"):
        if getattr(asked, name) not in (None, (), []):
            raise ValueError(f"{name} may only be set for format 3; pass zarr_format=3")
    if not (isinstance(asked.serializer, str) and asked.serializer == "auto"):
        raise ValueError("serializer may only be set for format 3; pass zarr_format=3")


def _only_compressor(asked: Asked) -> Any:
    """Return the compressor, given by either keyword; raise ValueError for several, as Zarr v2 has one."""
    several = asked.compressors
    if isinstance(several, str) and several in ("auto", "default"):
        return asked.compressor
    several = several if isinstance(several, list | tuple) else () if several is None else (several,)
    if len(several) > 1:
        raise ValueError(f"format 2 has one compressor at most, found {len(several)}")
    return several[0] if several else None


def _compressors(compressor: Any, default: Any) -> tuple[CodecSpec, ...]:
    if isinstance(compressor, str):
        if compressor == "none":
            return ()
        if compressor != "default":
            raise BadCompressorError(
                "bad compressor", expected="a numcodecs codec, None or 'default'", found=repr(compressor)
            )
        compressor = default
    return () if compressor is None or compressor is False else (spec_of(compressor),)


def _filters(
    dtype: Any, filters: Sequence[Any] | None, object_codec: Any, implied: CodecSpec | None
) -> tuple[CodecSpec, ...]:
    specs = tuple(spec_of(f) for f in filters or ())
    if not dtype.hasobject:
        if object_codec is not None:
            warnings.warn("an object_codec is only needed for object arrays", UserWarning, stacklevel=4)
        return specs
    if object_codec is None and implied is None:
        if specs:
            _refuse_lists_of_structures(dtype, specs[0])
            return specs  # the first filter is the object codec, as when an array is created like another
        raise ValueError(
            "missing object_codec for object array: pass object_codec=numcodecs.VLenUTF8() for text, VLenBytes(), "
            "VLenArray(dtype), JSON() or MsgPack(), or use dtype=str, dtype=bytes or dtype='array:<dtype>'"
        )
    codec = spec_of(object_codec) if object_codec is not None else implied
    assert codec is not None
    _refuse_lists_of_structures(dtype, codec)
    return specs if codec in specs else (codec, *specs)


def _refuse_lists_of_structures(dtype: Any, codec: CodecSpec) -> None:
    """Raise if structures with object fields would be stored as JSON lists, which lose the structure."""
    if dtype.names is not None and codec.name in ("json2", "msgpack2", "vlen-utf8", "vlen-bytes", "vlen-array"):
        raise BadCompressorError(
            "structures with object fields cannot be read back", codec=codec.name, hint=STRUCTURE_HINT
        )


# --- Zarr v3
# ------------------------------------------------------------------------------------------------------------


def _meta_3(asked: Asked) -> ArrayMeta:
    dtype, objects = normalize_dtype_v3(asked.dtype)
    shape, order = _shape_and_order(asked)
    if dtype.subdtype is not None:
        dtype, inner = dtype.subdtype
        shape = (*shape, *inner)
    asked = _with_shards(asked, shape, dtype.itemsize)
    native = dtype.newbyteorder("=")
    chain = _chain(asked, dtype, objects, order, len(shape))
    unit, chunks = _unit_and_chunks(asked, shape, native.itemsize)
    if unit != chunks or asked.shards is not None:
        chain = sharded(chain, chunks)
    chunk = ChunkSpec(
        shape=unit,
        dtype=native,
        filters=chain.filters,
        serializer=chain.serializer,
        compressors=chain.compressors,
    )
    fill = fill_of_v3(asked.fill_value, native, _OBJECTS.get(chain_of(chunk).serializer.name))
    return ArrayMeta(
        shape=shape,
        chunk=replace(chunk, fill=fill),
        keys=_key_encoding(asked.chunk_key_encoding, asked.dimension_separator),
        zarr_format=3,
        dimension_names=_dimension_names(asked.dimension_names, len(shape)),
        transformers=_transformers(asked.storage_transformers),
    )


def _with_shards(asked: Asked, shape: Shape, itemsize: int) -> Asked:
    """Return the request, with the shards that a storage transformer of the manual asks for."""
    others = [item for item in asked.storage_transformers or () if not isinstance(item, ShardingStorageTransformer)]
    wanted = [item for item in asked.storage_transformers or () if isinstance(item, ShardingStorageTransformer)]
    if not wanted:
        return asked
    if len(wanted) > 1 or asked.shards is not None:
        raise ValueError("shards are asked for twice: pass either shards or one ShardingStorageTransformer")
    counts = wanted[0].chunks_per_shard
    counts = counts * len(shape) if len(counts) == 1 else counts
    if len(counts) != len(shape):
        raise ValueError(f"chunks_per_shard must be {len(shape)} numbers, one for each dimension; found {counts}")
    chunks = normalize_chunks(asked.chunks, shape, itemsize)
    shards = tuple(chunk * count for chunk, count in zip(chunks, counts, strict=True))
    return replace(asked, chunks=chunks, shards=shards, storage_transformers=others)


def _transformers(given: Any) -> tuple[CodecSpec, ...]:
    """Return storage transformers, given as objects or as JSON objects of a document."""
    specs = [item.spec_of_document() if isinstance(item, StorageTransformer) else item for item in given or ()]
    items = [codecs_to_json([item])[0] if isinstance(item, CodecSpec) else item for item in specs]
    return parse_transformers(items, Place("", ("storage_transformers",)))


_OBJECTS = {"vlen-utf8": "string", "vlen-bytes": "variable_length_bytes"}
_OBJECT_CODECS = {name: CodecSpec.of(codec) for codec, name in _OBJECTS.items()}


def _chain(asked: Asked, dtype: Any, objects: str | None, order: Order, ndim: int) -> Chain:
    """Return the codec pipeline of the chunks; order "F" becomes a transpose codec."""
    given = asked.object_codec
    codec = _OBJECT_CODECS.get(objects, CodecSpec.of(objects)) if objects else None
    chain = make_chain(
        dtype,
        object_codec=spec_of(given) if given is not None and dtype.kind == "O" else codec,
        codecs=asked.codecs,
        filters=asked.filters,
        serializer=asked.serializer,
        compressors=_compressors_3(asked),
    )
    if order == "C" or ndim < 2:
        return chain
    if asked.codecs is not None:
        raise ValueError("order='F' is a codec of its own in format 3: put it into codecs, as \"transpose\"")
    turn = CodecSpec.of("transpose", {"order": list(range(ndim))[::-1]})
    return chain._replace(filters=(turn, *chain.filters))


def _compressors_3(asked: Asked) -> Any:
    """Return the compressors, whichever of the two keywords they were given under."""
    alone, several = asked.compressor, asked.compressors
    if isinstance(alone, str) and alone == "default":
        return several
    if not (isinstance(several, str) and several == "auto"):
        raise ValueError("compressor and compressors are two names for one thing: pass one of them")
    return None if alone is None or alone == "none" else alone


def _unit_and_chunks(asked: Asked, shape: Shape, itemsize: int) -> tuple[Chunks, Chunks]:
    """Return the shape of a stored value and of the chunks in it; they are equal if there are no shards."""
    if asked.shards is None:
        chunks = normalize_chunks(asked.chunks, shape, itemsize)
        return chunks, chunks
    if asked.chunks is True or asked.chunks is None:
        shards = normalize_chunks(asked.shards, shape, itemsize)
        guess = normalize_chunks(True, shards, itemsize)
        return shards, tuple(_divisor(shard, about) for shard, about in zip(shards, guess, strict=True))
    chunks = normalize_chunks(asked.chunks, shape, itemsize)
    shards = normalize_chunks(asked.shards, shape, itemsize)
    if asked.shards is True or asked.shards is False or -1 in np.ravel(asked.shards):
        # a shard of whole dimensions: as many chunks as cover them
        shards = tuple(-(-shard // chunk) * chunk for shard, chunk in zip(shards, chunks, strict=True))
    if any(shard % chunk for shard, chunk in zip(shards, chunks, strict=True)):
        raise ValueError(f"shards must be whole chunks: each length of {shards} a multiple of that of {chunks}")
    return shards, chunks


def _divisor(length: int, about: int) -> int:
    """Return the largest divisor of a length that is not above `about`."""
    return next(n for n in range(about, 0, -1) if length % n == 0)


def _key_encoding(given: Any, separator: str | None) -> KeyEncoding:
    if given is None:
        return KeyEncoding("." if separator == "." else "/", "default", written=True)
    found = parse_extension({"name": given} if isinstance(given, str) else _nested(dict(given)), _KEYS)
    found_separator = found.configuration.get("separator", separator or {"v2": "."}.get(found.name, "/"))
    if found.name not in ("default", "v2") or found_separator not in (".", "/"):
        raise ValueError(f"chunk_key_encoding must be 'default' or 'v2' with separator '.' or '/', found {given!r}")
    if separator not in (None, found_separator):
        raise ValueError(f"dimension_separator {separator!r} and chunk_key_encoding {given!r} contradict each other")
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
    names = (given,) if isinstance(given, str) else tuple(given)
    if len(names) != ndim or not all(name is None or isinstance(name, str) for name in names):
        raise ValueError(f"dimension_names must be {ndim} names or None, one for each dimension; found {given!r}")
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
        return _options_in_format_2(chunk, name)
    encoding = {"name": meta.keys.style, "separator": meta.keys.separator}
    options: dict[str, Any] = {"zarr_format": meta.zarr_format, "dimension_names": meta.dimension_names, **dtype}
    if meta.transformers and "storage_transformers" not in given:
        options["storage_transformers"] = meta.transformers
    if {"chunk_key_encoding", "dimension_separator"}.isdisjoint(given):
        options["chunk_key_encoding"] = encoding
    if _CHOICES.isdisjoint(given):
        codecs = [*chunk.filters, chunk.serializer, *chunk.compressors]
        return {**options, "codecs": codecs, "chunks": meta.write_unit}
    chain = chain_of(chunk)
    if {"codecs", "compressor", "compressors"}.isdisjoint(given):
        options["compressors"] = list(chain.compressors)
    if {"codecs", "dtype", "order", "filters", "serializer"}.isdisjoint(given):
        options.update(filters=list(chain.filters), serializer=chain.serializer)
    return options


def _own_compressor(chunk: ChunkSpec) -> Any:
    """Return the compressor of a chunk or its configuration; for N5, the one inside the block codec of N5 stores."""
    compressor = chunk.compressors[0] if chunk.compressors else None
    is_block = compressor is not None and compressor.name == "n5_wrapper"
    return compressor.configuration.get("compressor_config") if is_block and compressor is not None else compressor


def _options_in_format_2(chunk: ChunkSpec, name: str | None) -> dict[str, Any]:
    """Return the first compressor of a codec pipeline and its numcodecs filters: what Zarr v2 can express of it."""
    chain = chain_of(chunk)
    compressors = [codec for codec in map(shown, chain.compressors) if not isinstance(codec, CodecSpec)]
    filters = [codec for codec in map(shown, chain.filters) if not isinstance(codec, CodecSpec)]
    dtype = chunk.dtype if name is None else str if name == "string" else bytes
    return {"dtype": dtype, "compressor": compressors[0] if compressors else None, "filters": filters or None}


# --- which format -----------------------------------------------------------------------------------------------------


def check_version(zarr_version: Any, zarr_format: Any = None) -> int | None:
    """Return the format that a caller asks for, or None if it is left open; both keyword names mean the same."""
    if zarr_version is None:
        zarr_version = zarr_format
    elif zarr_format not in (None, zarr_version):
        raise ValueError(f"zarr_version {zarr_version!r} and zarr_format {zarr_format!r} contradict each other")
    if zarr_version is None:
        return None
    if zarr_version in (2, 3):
        return int(zarr_version)
    raise ValueError(f"zarr_version must be 2, 3 or None, found {zarr_version!r}")


def new_format(asked: int | None, store: Store) -> int:
    """Return the format of a new node: the one asked for, else the configured default.

    A store that can hold documents of one format only decides by itself: asking it for another format is an error.
    """
    only = store.documents_format
    if only is None:
        return get_config().default_format if asked is None else asked
    if asked not in (None, only):
        raise UnsupportedFormatError(
            f"this store can hold arrays and groups of format {only} alone",
            store=repr(store),
            expected=f"format {only}",
            found=f"format {asked}",
            hint="leave zarr_format out, or choose another store",
        )
    return only
