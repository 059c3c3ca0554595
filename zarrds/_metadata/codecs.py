"""Make codec pipelines of Zarr v3 from the codecs that users give.

Users may give codec objects of numcodecs, their configurations (with an ``id``), codecs as ``zarr.json`` has them (with
a ``name``), or objects with a ``to_dict`` method that returns one of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from zarrds._base.config import get_config
from zarrds._base.types import JSON, Chunks, Order
from zarrds._codec import get_codec, mantissa_bits, spec_of
from zarrds._format import (
    SHARDING,
    ChunkSpec,
    CodecSpec,
    Place,
    codec_specs,
    codecs_to_json,
    is_filter,
    is_serializer,
    split_codecs,
    to_json,
)
from zarrds.errors import ArgumentError, ArgumentTypeError, BadCompressorError, UnsupportedFormatError

__all__ = [
    "CodecPipeline",
    "make_pipeline",
    "order_of",
    "pipeline_of",
    "several",
    "sharded",
    "to_numcodecs",
    "v3_codec",
    "with_endian",
]

_DEFAULT = CodecSpec.of("zstd", {"level": 0, "checksum": False})
_SHUFFLES = {0: "noshuffle", 1: "shuffle", 2: "bitshuffle"}
_OBJECT_CODECS = {"vlen-utf8", "vlen-bytes"}


class CodecPipeline(NamedTuple):
    """Codec pipeline of one array, as specs."""

    filters: tuple[CodecSpec, ...]
    serializer: CodecSpec
    compressors: tuple[CodecSpec, ...]


def make_pipeline(
    dtype: np.dtype[Any],
    *,
    object_codec: CodecSpec | None = None,
    codecs: Any = None,
    filters: Any = None,
    serializer: Any = "auto",
    compressors: Any = "auto",
) -> CodecPipeline:
    """Return the codec pipeline for arrays of `dtype` from its parts, or from the whole list (`codecs`)."""
    if codecs is not None:
        return _whole_pipeline(codecs, dtype, filters, serializer, compressors)
    given = [v3_codec(codec, dtype) for codec in several(filters)]
    objects = [spec for spec in given if spec.name in _OBJECT_CODECS]
    inner = [spec for spec in given if is_filter(spec.name)]
    # filters of Zarr v2 may take bytes: those are put before the compressors
    outer = [spec for spec in given if spec not in objects and spec not in inner]
    if isinstance(compressors, int | float):
        compressors = [compressors]  # a bad codec, as in a list of them
    last = [_DEFAULT] if _is_auto(compressors) else [v3_codec(codec, dtype) for codec in several(compressors)]
    if not _is_auto(serializer):
        found = with_endian(v3_codec(serializer, dtype), dtype)
    elif not objects and not outer and last and is_serializer(last[0].name):
        found = last.pop(0)  # a compressor of Zarr v2 that compresses arrays, not bytes
    else:
        found = objects[0] if objects else _default_serializer(dtype, object_codec)
    return _checked(CodecPipeline(tuple(inner), found, (*outer, *last)))


def _whole_pipeline(
    codecs: Any, dtype: np.dtype[Any], filters: Any, serializer: Any, compressors: Any
) -> CodecPipeline:
    if filters is not None or not _is_auto(serializer) or not _is_auto(compressors):
        raise ArgumentError(
            "codecs is the whole pipeline: filters, serializer and compressors cannot be given beside it"
        )
    if isinstance(codecs, Mapping | str) or not isinstance(codecs, Sequence):
        raise ArgumentTypeError(f"codecs must be a list of codecs, found {codecs!r}")
    specs = [v3_codec(codec, dtype) for codec in codecs]
    pipeline = CodecPipeline(*split_codecs(codecs_to_json(specs), _CODECS))
    return pipeline._replace(serializer=with_endian(pipeline.serializer, dtype))


def with_endian(serializer: CodecSpec, dtype: np.dtype[Any]) -> CodecSpec:
    """Return the serializer with its byte order written out, if the user left it open."""
    is_open = serializer.name == "bytes" and not serializer.configuration
    return _default_serializer(dtype, None) if is_open and dtype.kind != "O" else serializer


def _checked(pipeline: CodecPipeline) -> CodecPipeline:
    """Return the codec pipeline; raise if a codec is at a place where its kind is not allowed."""
    return CodecPipeline(
        *split_codecs(codecs_to_json([*pipeline.filters, pipeline.serializer, *pipeline.compressors]), _CODECS)
    )


_CODECS = Place("", ("codecs",))


def several(given: Any) -> Sequence[Any]:
    """Return the codecs of a list, or a single codec as the only item; no items for None, "auto" and "default".

    Raise ArgumentTypeError for a number: a level, or a flag, is no codec.
    """
    if given is None or _is_auto(given):
        return ()
    if isinstance(given, int | float):
        raise ArgumentTypeError(f"codecs must be a codec, its configuration, or a list of these, found {given!r}")
    is_one = isinstance(given, Mapping | str | CodecSpec) or not isinstance(given, Iterable)
    return (given,) if is_one else tuple(given)


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value in ("auto", "default")


def _default_serializer(dtype: np.dtype[Any], object_codec: CodecSpec | None) -> CodecSpec:
    if dtype.kind != "O":
        is_opaque = dtype.kind in "SV" and dtype.names is None and dtype.isbuiltin != 2
        if is_opaque or dtype.itemsize == 1:
            return CodecSpec.of("bytes")
        return CodecSpec.of("bytes", {"endian": "big" if dtype.str[0] == ">" else "little"})
    if object_codec is None:
        raise ArgumentError(
            "Zarr v3 stores objects as text or as bytes: use dtype=str or dtype=bytes, or pass "
            "object_codec=numcodecs.VLenUTF8() or VLenBytes()"
        )
    if object_codec.name not in _OBJECT_CODECS:
        raise UnsupportedFormatError(
            "Zarr v3 has no data type for what this object codec stores",
            codec=object_codec.name,
            expected="vlen-utf8 or vlen-bytes",
        )
    return object_codec


def v3_codec(codec: Any, dtype: np.dtype[Any]) -> CodecSpec:
    """Return the Zarr v3 codec for what a user gives; `dtype` is that of the array."""
    if isinstance(codec, CodecSpec):
        return codec
    if hasattr(codec, "to_dict"):
        codec = codec.to_dict()
    if isinstance(codec, str) or (isinstance(codec, Mapping) and "name" in codec and "id" not in codec):
        value: JSON = codec if isinstance(codec, str) else to_json(codec, str(codec["name"]))
        return _completed(codec_specs([value], _CODECS, counted=True)[0], dtype)
    return _from_numcodecs(spec_of(codec), dtype)


_INDEX_CODECS = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]
_DEFAULTS: dict[str, dict[str, Any]] = {
    "gzip": {"level": 5},
    "zstd": {"level": 0, "checksum": False},
    SHARDING: {"index_codecs": _INDEX_CODECS, "index_location": "end"},
}


def _completed(spec: CodecSpec, dtype: np.dtype[Any]) -> CodecSpec:
    """Return a codec that a user gives with its defaults written out: others refuse documents without them."""
    defaults = _blosc({"shuffle": -1}, dtype).configuration if spec.name == "blosc" else _DEFAULTS.get(spec.name, {})
    found = {**defaults, **spec.configuration}
    for member, inside in (("codecs", dtype), ("index_codecs", np.dtype(np.uint64))):
        if isinstance(found.get(member), list):
            specs = codec_specs(found[member], _CODECS, counted=True)
            found[member] = codecs_to_json([with_endian(_completed(item, inside), inside) for item in specs])
    return CodecSpec.of(spec.name, found)


def _from_numcodecs(spec: CodecSpec, dtype: np.dtype[Any]) -> CodecSpec:
    """Return the Zarr v3 codec that does the same as a codec of numcodecs."""
    translate = _TRANSLATIONS.get(spec.name)
    if translate is not None:
        return translate(spec.configuration, dtype)
    if spec.name in _OBJECT_CODECS:
        return CodecSpec.of(spec.name)
    if spec.name == "bitround" and mantissa_bits(dtype) is not None and not get_config().v3_legacy_names:
        return CodecSpec.of("bitround", {"keepbits": spec.configuration.get("keepbits")})
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
            "typesize": itemsize if 0 < itemsize <= 255 else 1,
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


def sharded(pipeline: CodecPipeline, chunks: Chunks) -> CodecPipeline:
    """Return the codec pipeline of shards whose inner chunks have that shape and are encoded by `pipeline`."""
    configuration = {
        "chunk_shape": list(chunks),
        "codecs": codecs_to_json([*pipeline.filters, pipeline.serializer, *pipeline.compressors]),
        **_DEFAULTS[SHARDING],
    }
    return CodecPipeline((), CodecSpec.of(SHARDING, configuration), ())


# --- from Zarr v3 to numcodecs ----------------------------------------------------------------------------------------


def pipeline_of(chunk: ChunkSpec) -> CodecPipeline:
    """Return the codec pipeline of what users call a chunk (inner chunks, if there are shards).

    The serializer is that of Zarr v3.
    """
    assert chunk.serializer is not None
    pipeline = CodecPipeline(chunk.filters, chunk.serializer, chunk.compressors)
    while pipeline.serializer.name == SHARDING:
        pipeline = CodecPipeline(*split_codecs(pipeline.serializer.configuration.get("codecs", []), _CODECS))
    return pipeline


def order_of(pipeline: CodecPipeline, ndim: int) -> Order:
    """Return "F" if the first codec reverses the order of the dimensions, else "C"."""
    turns = pipeline.filters[0].configuration.get("order") if pipeline.filters and ndim > 1 else None
    return "F" if turns == list(range(ndim))[::-1] and pipeline.filters[0].name == "transpose" else "C"


def to_numcodecs(spec: CodecSpec) -> Any:
    """Return the numcodecs equivalent of a Zarr v3 codec, or its spec if there is none."""
    try:
        return _to_numcodecs(spec)
    except BadCompressorError:
        return spec  # the configuration has more options than the numcodecs codec


def _to_numcodecs(spec: CodecSpec) -> Any:
    configuration = spec.configuration
    if spec.name == "blosc":
        configuration.pop("typesize", None)
        configuration["shuffle"] = _SHUFFLE_NUMBERS.get(str(configuration.get("shuffle")), 1)
    elif spec.name == "bitround":
        return get_codec(spec)
    elif spec.name.startswith("numcodecs."):
        return get_codec(CodecSpec.of(spec.name.removeprefix("numcodecs."), configuration))
    elif spec.name not in ("zstd", "gzip", "crc32c", *_OBJECT_CODECS):
        return spec
    return get_codec(CodecSpec.of(spec.name, configuration))


_SHUFFLE_NUMBERS = {name: number for number, name in _SHUFFLES.items()}
