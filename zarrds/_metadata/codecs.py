"""From the codecs that users give to the chains of format 3.

Given may be codec objects of numcodecs, their configurations (with an ``id``), codecs as ``zarr.json`` has them (with a
``name``), or objects that can say themselves so (``to_dict``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from zarrds._codec import get_codec, spec_of
from zarrds._format import SERIALIZERS, SHARDING, ChunkSpec, CodecSpec, Place, codec_specs, codecs_to_json, split_codecs
from zarrds._types import Chunks, Order
from zarrds.errors import BadCompressorError, UnsupportedFormatError

__all__ = ["FILTERS", "Chain", "chain_of", "make_chain", "order_of", "sharded", "shown", "v3_codec", "with_endian"]

FILTERS = frozenset(
    [
        *("transpose", "cast_value", "scale_offset", "numcodecs.delta", "numcodecs.bitround", "numcodecs.quantize"),
        *("numcodecs.fixedscaleoffset", "numcodecs.packbits", "numcodecs.astype"),
    ]
)
"""Codecs from array to array."""

_DEFAULT = CodecSpec.of("zstd", {"level": 0, "checksum": False})
_SHUFFLES = {0: "noshuffle", 1: "shuffle", 2: "bitshuffle"}
_OBJECT_CODECS = {"vlen-utf8", "vlen-bytes"}


class Chain(NamedTuple):
    """Codecs of one array."""

    filters: tuple[CodecSpec, ...]
    serializer: CodecSpec
    compressors: tuple[CodecSpec, ...]


def make_chain(
    dtype: np.dtype[Any],
    *,
    object_codec: CodecSpec | None = None,
    codecs: Any = None,
    filters: Any = None,
    serializer: Any = "auto",
    compressors: Any = "auto",
) -> Chain:
    """Chain for arrays of `dtype` from what a user gives for its parts, or for the whole of it (`codecs`)."""
    if codecs is not None:
        return _whole_chain(codecs, dtype, filters, serializer, compressors)
    given = [v3_codec(codec, dtype) for codec in _several(filters)]
    objects = [spec for spec in given if spec.name in _OBJECT_CODECS]
    inner = [spec for spec in given if spec.name in FILTERS]
    # what takes bytes, as filters of format 2 may, comes before the compressors
    outer = [spec for spec in given if spec not in objects and spec not in inner]
    last = [_DEFAULT] if _is_auto(compressors) else [v3_codec(codec, dtype) for codec in _several(compressors)]
    if not _is_auto(serializer):
        found = with_endian(v3_codec(serializer, dtype), dtype)
    elif not objects and not outer and last and last[0].name in SERIALIZERS:
        found = last.pop(0)  # a compressor of format 2 that compresses arrays, not bytes
    else:
        found = objects[0] if objects else _default_serializer(dtype, object_codec)
    return _checked(Chain(tuple(inner), found, (*outer, *last)))


def _whole_chain(codecs: Any, dtype: np.dtype[Any], filters: Any, serializer: Any, compressors: Any) -> Chain:
    if filters is not None or not _is_auto(serializer) or not _is_auto(compressors):
        raise ValueError("codecs is the whole chain: filters, serializer and compressors cannot be given beside it")
    if isinstance(codecs, Mapping | str) or not isinstance(codecs, Sequence):
        raise TypeError(f"codecs must be a list of codecs, found {codecs!r}")
    specs = [v3_codec(codec, dtype) for codec in codecs]
    chain = Chain(*split_codecs(codecs_to_json(specs), _CODECS))
    return chain._replace(serializer=with_endian(chain.serializer, dtype))


def with_endian(serializer: CodecSpec, dtype: np.dtype[Any]) -> CodecSpec:
    """The serializer; where the byte order is left open, it is said."""
    is_open = serializer.name == "bytes" and not serializer.configuration
    return _default_serializer(dtype, None) if is_open and dtype.kind != "O" else serializer


def _checked(chain: Chain) -> Chain:
    """The chain, when each codec is at a place where its kind may be."""
    return Chain(*split_codecs(codecs_to_json([*chain.filters, chain.serializer, *chain.compressors]), _CODECS))


_CODECS = Place("", ("codecs",))


def _several(given: Any) -> Sequence[Any]:
    """Codecs of a list; one alone, or None."""
    if given is None or _is_auto(given):
        return ()
    return given if isinstance(given, list | tuple) else (given,)


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value in ("auto", "default")


def _default_serializer(dtype: np.dtype[Any], object_codec: CodecSpec | None) -> CodecSpec:
    if dtype.kind != "O":
        is_opaque = dtype.kind in "SV" and dtype.names is None and dtype.isbuiltin != 2
        if is_opaque or dtype.itemsize == 1:
            return CodecSpec.of("bytes")
        return CodecSpec.of("bytes", {"endian": "big" if dtype.str[0] == ">" else "little"})
    if object_codec is None:
        raise ValueError(
            "format 3 stores objects as text or as bytes: use dtype=str or dtype=bytes, or pass "
            "object_codec=numcodecs.VLenUTF8() or VLenBytes()"
        )
    if object_codec.name not in _OBJECT_CODECS:
        raise UnsupportedFormatError(
            "format 3 has no data type for what this object codec stores",
            codec=object_codec.name,
            expected="vlen-utf8 or vlen-bytes",
        )
    return object_codec


def v3_codec(codec: Any, dtype: np.dtype[Any]) -> CodecSpec:
    """A codec of format 3 from what a user gives for one; `dtype` is that of the array."""
    if isinstance(codec, CodecSpec):
        return codec
    if hasattr(codec, "to_dict"):
        codec = codec.to_dict()
    if isinstance(codec, str) or (isinstance(codec, Mapping) and "name" in codec and "id" not in codec):
        value: Any = codec if isinstance(codec, str) else dict(codec)
        return codec_specs([value], _CODECS)[0][0]
    return _from_numcodecs(spec_of(codec), dtype)


def _from_numcodecs(spec: CodecSpec, dtype: np.dtype[Any]) -> CodecSpec:
    """The codec of format 3 that does what one of numcodecs does."""
    translate = _TRANSLATIONS.get(spec.name)
    if translate is not None:
        return translate(spec.configuration, dtype)
    if spec.name in _OBJECT_CODECS:
        return CodecSpec.of(spec.name)
    name = spec.name if spec.name.startswith("numcodecs.") else f"numcodecs.{spec.name}"
    return CodecSpec.of(name, spec.configuration)


def _blosc(configuration: dict[str, Any], dtype: np.dtype[Any]) -> CodecSpec:
    itemsize = dtype.itemsize if dtype.kind != "O" else 1
    shuffle = configuration.get("shuffle", 1)
    if shuffle == -1:
        shuffle = 2 if itemsize == 1 else 1
    if shuffle not in _SHUFFLES:
        raise BadCompressorError("codec configuration refused: no such shuffle", codec="blosc", found=shuffle)
    return CodecSpec.of(
        "blosc",
        {
            "typesize": min(itemsize, 255) if itemsize <= 255 else 1,
            "cname": configuration.get("cname", "lz4"),
            "clevel": configuration.get("clevel", 5),
            "shuffle": _SHUFFLES[shuffle],
            "blocksize": configuration.get("blocksize", 0),
        },
    )


def _zstd(configuration: dict[str, Any], dtype: np.dtype[Any]) -> CodecSpec:
    return CodecSpec.of(
        "zstd", {"level": configuration.get("level", 1), "checksum": configuration.get("checksum", False)}
    )


def _gzip(configuration: dict[str, Any], dtype: np.dtype[Any]) -> CodecSpec:
    level = configuration.get("level", 1)
    return CodecSpec.of("gzip", {"level": 6 if level == -1 else level})  # the default of zlib, which has no number here


_TRANSLATIONS: dict[str, Callable[[dict[str, Any], np.dtype[Any]], CodecSpec]] = {
    "blosc": _blosc,
    "zstd": _zstd,
    "gzip": _gzip,
}


def sharded(chain: Chain, chunks: Chunks) -> Chain:
    """The chain of shards whose inner chunks, of that shape, are encoded by `chain`."""
    configuration = {
        "chunk_shape": list(chunks),
        "codecs": codecs_to_json([*chain.filters, chain.serializer, *chain.compressors]),
        "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        "index_location": "end",
    }
    return Chain((), CodecSpec.of(SHARDING, configuration), ())


# --- what users are shown ---------------------------------------------------------------------------------------------


def chain_of(chunk: ChunkSpec) -> Chain:
    """The chain of what users call a chunk: in shards, of the chunks inside. The serializer is that of format 3."""
    assert chunk.serializer is not None
    chain = Chain(chunk.filters, chunk.serializer, chunk.compressors)
    while chain.serializer.name == SHARDING:
        chain = Chain(*split_codecs(chain.serializer.configuration.get("codecs", []), _CODECS))
    return chain


def order_of(chain: Chain, ndim: int) -> Order:
    """F where the dimensions are turned round before anything else."""
    turns = chain.filters[0].configuration.get("order") if chain.filters and ndim > 1 else None
    return "F" if turns == list(range(ndim))[::-1] and chain.filters[0].name == "transpose" else "C"


def shown(spec: CodecSpec) -> Any:
    """The codec of numcodecs that does what a codec of format 3 does; the spec itself where there is none."""
    try:
        return _shown(spec)
    except BadCompressorError:
        return spec  # it says more than numcodecs knows


def _shown(spec: CodecSpec) -> Any:
    configuration = spec.configuration
    if spec.name == "blosc":
        configuration.pop("typesize", None)
        configuration["shuffle"] = _SHUFFLE_NUMBERS.get(str(configuration.get("shuffle")), 1)
    elif spec.name.startswith("numcodecs."):
        return get_codec(CodecSpec.of(spec.name.removeprefix("numcodecs."), configuration))
    elif spec.name not in ("zstd", "gzip", "crc32c", *_OBJECT_CODECS):
        return spec
    return get_codec(CodecSpec.of(spec.name, configuration))


_SHUFFLE_NUMBERS = {name: number for number, name in _SHUFFLES.items()}
