"""Translate the metadata of an array from one format to the other; pure functions, no I/O.

What the other format cannot express raises an `UnsupportedFormatError` that names the member. With `exact` the chunk
bytes stay valid. Otherwise chunks are encoded again, so their layout (shards, transposed dimensions, blocks of N5)
need not be expressed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal, TypeVar

import numpy as np
from numcodecs.abc import Codec

from zarrds._base.config import get_config
from zarrds._base.edges import longest_chunk, shown
from zarrds._base.types import Order
from zarrds._codec import build_codec, decode_fill, spec_of
from zarrds._convert.probe import same_elements
from zarrds._format import (
    FILTERS,
    SHARDING,
    ArrayMeta,
    ChunkSpec,
    CodecSpec,
    Fill,
    KeyEncoding,
    fill_of_v3,
    normalize_dtype_v3,
    v2,
)
from zarrds._format import document as v3
from zarrds._metadata import make_pipeline, pipeline_of, to_numcodecs, v3_codec
from zarrds.errors import UnsupportedFormatError

__all__ = ["cannot_express", "in_other_order", "translated"]

_OBJECTS = {"vlen-utf8": "string", "vlen-bytes": "variable_length_bytes"}
_SERIALIZERS = frozenset({"pcodec", "zfpy"})
"""Compressors of Zarr v2 that are array-to-bytes codecs in Zarr v3."""
_N5 = "n5_wrapper"
_Anything = TypeVar("_Anything")


def cannot_express(number: int, member: str, reason: object, found: object = None) -> UnsupportedFormatError:
    """Make the error for something that a format cannot express."""
    return UnsupportedFormatError(f"Zarr v{number} cannot express {member!r}: {reason}", found=found)


def translated(meta: ArrayMeta, to: int, *, exact: bool) -> ArrayMeta:
    """Return the array in format `to`; with `exact` its encoded chunks stay valid.

    Raises UnsupportedFormatError with the member that the format cannot express.
    """
    return _translated(meta, to, exact, get_config().v3_legacy_names)


@lru_cache(maxsize=1024)
def _translated(meta: ArrayMeta, to: int, exact: bool, legacy_names: int) -> ArrayMeta:
    """Do the work of `translated`; the names of codecs depend on the setting `legacy_names`."""
    if meta.zarr_format == to and not _is_n5(meta.chunk):
        return meta
    if meta.irregular is not None:
        hint = "chunks have different lengths, where it has one; rechunk the array first"
        raise cannot_express(to, "chunk_grid", hint, shown(meta.write_unit))
    if _is_n5(meta.chunk) and exact:
        raise cannot_express(to, "compressor", "blocks of N5 have headers, chunks of Zarr have none")
    new = (_to_3 if to == 3 else _to_2)(meta, exact)
    _attempt(to, "codecs", lambda: build_codec(new.chunk))
    # check that the document reads back equal: a NaN with a payload, for example, does not in Zarr v2
    again = _attempt(to, "document", lambda: _read_back(new))
    if again.chunk.fill != new.chunk.fill:
        raise cannot_express(to, "fill_value", "its bits would change", decode_fill(meta.chunk))
    if again != new:
        raise cannot_express(to, "document", "it does not read as it was written")
    if not exact and not same_elements(plain_chunk(meta), plain_chunk(new)):
        raise cannot_express(to, "filters", "elements would change", [codec.name for codec in new.chunk.filters])
    return new


def plain_chunk(meta: ArrayMeta) -> ChunkSpec:
    """Return the chunk that users see: the inner chunk if there are shards."""
    chunk = meta.chunk
    if chunk.serializer is None:
        return chunk
    return replace(chunk, shape=longest_chunk(meta.chunks), **pipeline_of(chunk)._asdict())


def _read_back(meta: ArrayMeta) -> ArrayMeta:
    if meta.zarr_format == 2:
        return v2.parse_array(v2.format_array(meta), v2.ARRAY_KEY)
    found = v3.parse_node(v3.dumps(v3.array_to_document(meta)), v3.DOCUMENT_KEY)
    assert isinstance(found, ArrayMeta)
    return found


def _attempt(to: int, member: str, action: Callable[[], _Anything]) -> _Anything:
    """Call a function; turn its error into one that names the member that cannot be expressed."""
    try:
        return action()
    except (ValueError, TypeError, NotImplementedError, OverflowError) as error:
        raise cannot_express(to, member, error) from error


def _is_n5(chunk: ChunkSpec) -> bool:
    return any(codec.name == _N5 for codec in chunk.compressors)


def _converted(raw: bytes, old: np.dtype[Any], new: np.dtype[Any]) -> bytes:
    """Return a dtype in another byte order, or without the padding of a structure."""
    if old == new:
        return raw
    return np.frombuffer(raw, old).astype(new).tobytes()


def in_other_order(meta: ArrayMeta) -> ArrayMeta:
    """Return the array with the other byte order; codecs behind filters do not record it."""
    chunk, dtype = meta.chunk, meta.chunk.dtype.newbyteorder("S")
    raw = chunk.fill.raw
    fill = chunk.fill if raw is None or dtype.kind == "O" else Fill(raw=_converted(raw, chunk.dtype, dtype))
    return replace(meta, chunk=replace(chunk, dtype=dtype, fill=fill))


# --- to Zarr v 3 ------------------------------------------------------------------------------------------------------


def _to_3(meta: ArrayMeta, exact: bool) -> ArrayMeta:
    chunk = replace(meta.chunk, compressors=tuple(map(_unwrapped, meta.chunk.compressors)))
    _check_objects(chunk)
    dtype = chunk.dtype
    if dtype.kind != "O":
        dtype = _attempt(3, "dtype", lambda: normalize_dtype_v3(chunk.dtype)[0].newbyteorder("="))
    if exact and dtype.itemsize != chunk.dtype.itemsize:
        raise cannot_express(3, "dtype", "structures have no padding", chunk.dtype)
    filters, serializer, compressors = _pipeline_3(chunk)
    if chunk.order == "F" and len(chunk.shape) > 1:
        turn = CodecSpec.of("transpose", {"order": list(range(len(chunk.shape)))[::-1]})
        filters = (turn, *filters)
    return ArrayMeta(
        shape=meta.shape,
        chunk=ChunkSpec(
            shape=chunk.shape,
            dtype=dtype,
            fill=_attempt(3, "fill_value", lambda: _fill_3(chunk, dtype)),
            filters=filters,
            serializer=serializer,
            compressors=compressors,
        ),
        keys=KeyEncoding(meta.keys.separator, "v2", written=True),
        zarr_format=3,
        # in Zarr v3 unknown members must be marked as ones that may be ignored
        extra=_attempt(3, "member", lambda: v3.checked_extra(meta.extra)),
    )


def _unwrapped(codec: CodecSpec) -> CodecSpec:
    """Return the compressor inside the codec of N5 blocks, or the codec itself if it is another one."""
    if codec.name != _N5:
        return codec
    inside = codec.configuration.get("compressor_config")
    return CodecSpec("") if inside is None else spec_of(inside)


def _check_objects(chunk: ChunkSpec) -> None:
    if chunk.dtype.kind == "O" and (not chunk.filters or chunk.filters[0].name not in _OBJECTS):
        found = chunk.filters[0].name if chunk.filters else None
        raise cannot_express(3, "filters", "objects are stored as text (vlen-utf8) or as bytes (vlen-bytes)", found)


def _pipeline_3(chunk: ChunkSpec) -> tuple[tuple[CodecSpec, ...], CodecSpec, tuple[CodecSpec, ...]]:
    """Return the codec pipeline: array-to-array codecs, the array-to-bytes codec, and bytes-to-bytes codecs."""
    dtype = chunk.dtype
    old = [codec for codec in (*chunk.filters, *chunk.compressors) if codec.name]
    maker = old.pop(0) if dtype.kind == "O" else None
    new = [_codec_3(codec, dtype) for codec in old]
    count = next((n for n, codec in enumerate(new) if codec.name not in FILTERS), len(new))
    filters, rest = new[:count], new[count:]
    if any(codec.name in FILTERS for codec in rest) or (maker is not None and filters):
        raise cannot_express(3, "filters", "codecs of arrays come before those of bytes", [codec.name for codec in old])
    if maker is not None:
        return (), CodecSpec.of(maker.name), tuple(rest)
    if rest and rest[0].name.removeprefix("numcodecs.") in _SERIALIZERS:
        return tuple(filters), rest[0], tuple(rest[1:])
    return tuple(filters), _bytes_codec(old[:count], dtype), tuple(rest)


def _codec_3(codec: CodecSpec, dtype: np.dtype[Any]) -> CodecSpec:
    return _attempt(3, "codec", lambda: v3_codec({"id": codec.name, **codec.configuration}, dtype))


def _bytes_codec(filters: list[CodecSpec], dtype: np.dtype[Any]) -> CodecSpec:
    """Return the codec "bytes" with the byte order of the elements behind the filters."""
    if dtype.names is not None:
        orders = {dtype[name].newbyteorder("=").str != dtype[name].str for name in dtype.names}
        if orders == {True}:
            return CodecSpec.of("bytes", {"endian": "big"})
        return CodecSpec.of("bytes", {"endian": "little"})
    for codec in filters:
        said = codec.configuration
        kept = said.get("encode_dtype") or said.get("astype") or said.get("dtype")
        dtype = np.dtype("u1") if codec.name == "packbits" else dtype if kept is None else np.dtype(kept)
    return make_pipeline(dtype, compressors=None).serializer


def _fill_3(chunk: ChunkSpec, dtype: np.dtype[Any]) -> Fill:
    """Return the fill value; where Zarr v2 leaves it undefined, the value that absent chunks read as."""
    if dtype.kind == "O":
        return fill_of_v3(decode_fill(chunk), dtype, _OBJECTS[chunk.filters[0].name])
    if chunk.fill.raw is None:
        return Fill(raw=bytes(dtype.itemsize))
    return Fill(raw=_converted(chunk.fill.raw, chunk.dtype, dtype))


# --- to Zarr v 2 ------------------------------------------------------------------------------------------------------


def _to_2(meta: ArrayMeta, exact: bool) -> ArrayMeta:
    chunk = meta.chunk
    if chunk.serializer is None:  # an N5 container, presented as Zarr v2
        kept = tuple(codec for codec in map(_unwrapped, chunk.compressors) if codec.name)
        return replace(meta, chunk=replace(chunk, compressors=kept))
    if meta.transformers:
        raise cannot_express(2, "storage_transformers", "it has none", [spec.name for spec in meta.transformers])
    is_sharded = chunk.serializer.name == SHARDING
    if exact and is_sharded:
        raise cannot_express(2, "codecs", "it has no shards", SHARDING)
    pipeline = pipeline_of(chunk)
    # codecs around a sharding codec only change the layout of its bytes
    order, filters_3 = _memory_order(pipeline.filters, len(chunk.shape), exact)
    filters = [_codec_2(codec) for codec in filters_3]
    compressors = [_codec_2(codec) for codec in pipeline.compressors]
    dtype = chunk.dtype
    if pipeline.serializer.name in _OBJECTS:
        filters = [CodecSpec.of(pipeline.serializer.name), *filters]
    elif pipeline.serializer.name == "bytes":
        dtype = dtype.newbyteorder(_byte_order(filters_3, pipeline.serializer))
    else:
        compressors = [_codec_2(pipeline.serializer), *compressors]
    return ArrayMeta(
        shape=meta.shape,
        chunk=ChunkSpec(
            shape=longest_chunk(meta.chunks),
            dtype=dtype,
            fill=_fill_2(chunk, dtype),
            order=order,
            filters=(*filters, *compressors[:-1]),
            compressors=tuple(compressors[-1:]),
        ),
        keys=KeyEncoding(meta.keys.separator, "v2", written=True),
        extra=meta.extra,
    )


def _byte_order(filters: list[CodecSpec], serializer: CodecSpec) -> Literal["<", ">"]:
    """Return the byte order of elements; v2 codecs get them as in memory, so the first filter determines it."""
    said = [codec.configuration.get("dtype") or codec.configuration.get("decode_dtype") for codec in filters]
    if any(said):
        return ">" if np.dtype(next(filter(None, said))).str[0] == ">" else "<"
    is_big = serializer.configuration.get("endian") == "big" and not any(c.name != "transpose" for c in filters)
    return ">" if is_big else "<"


def _memory_order(filters: tuple[CodecSpec, ...], ndim: int, exact: bool) -> tuple[Order, list[CodecSpec]]:
    """Return the order of elements, and the remaining filters."""
    is_whole = bool(filters) and filters[0].name == "transpose" and _turns_round(filters[0], ndim)
    rest = filters[1:] if is_whole else filters
    if exact and any(codec.name == "transpose" for codec in rest):
        raise cannot_express(2, "codecs", "only the order that reverses all dimensions can be expressed", "transpose")
    return ("F" if is_whole and ndim > 1 else "C"), [codec for codec in rest if codec.name != "transpose"]


def _turns_round(codec: CodecSpec, ndim: int) -> bool:
    return codec.configuration.get("order") == list(range(ndim))[::-1]


def _codec_2(codec: CodecSpec) -> CodecSpec:
    found = _attempt(2, "codecs", lambda: to_numcodecs(codec))
    if not isinstance(found, Codec):
        raise cannot_express(2, "codecs", "numcodecs has nothing that does the same", codec.name)
    return spec_of(found)


def _fill_2(chunk: ChunkSpec, dtype: np.dtype[Any]) -> Fill:
    if chunk.fill.raw is None or dtype.kind != "O":
        return chunk.fill if chunk.fill.raw is None else Fill(raw=_converted(chunk.fill.raw, chunk.dtype, dtype))
    if chunk.fill.raw:
        raise cannot_express(2, "fill_value", "there are no bytes in JSON", chunk.fill.raw)
    return Fill(text="0")  # Zarr v2 has always stored 0 for "empty"
