"""Data types of Zarr v3 that numpy does not have, as dtypes that it has; a codec converts their elements.

Such are complex types with small parts, as ``complex_bfloat16``, which are complex64 in memory, and the types that
users bring. In the codec pipeline, a codec of our own before the serializer converts the elements. Documents never show
it: they have the data type instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zarrds._base.types import JSON
from zarrds._format.meta import SHARDING, CodecSpec
from zarrds._format.v3.codec_names import is_serializer
from zarrds._format.v3.extension import extension_to_json

__all__ = ["BROUGHT_TYPE", "COMPLEX_PARTS", "SMALL_PARTS", "part_of", "parts_codec", "with_codec", "without_codec"]

BROUGHT_TYPE = "zarrds.data_type"
"""Name of the codec that converts the elements of a data type that a user brings."""

COMPLEX_PARTS = "zarrds.complex_parts"
"""Name of the codec that converts complex64 to pairs of small floats."""

SMALL_PARTS = frozenset(
    [
        *("float16", "bfloat16", "float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn", "float8_e3m4", "float8_e4m3"),
        *("float8_e4m3b11fnuz", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
        "float8_e4m3fn",
    ]
)
"""Data types of the real and imaginary parts."""

_PREFIX = "complex_"


def part_of(name: str) -> str | None:
    """Return the data type of the parts of a complex data type; None for all others."""
    part = name.removeprefix(_PREFIX)
    return part if name.startswith(_PREFIX) and part in SMALL_PARTS else None


def parts_codec(part: str) -> CodecSpec:
    """Return the codec that converts complex64 to pairs of `part`."""
    return CodecSpec.of(COMPLEX_PARTS, {"data_type": part})


def with_codec(
    codec: CodecSpec, filters: tuple[CodecSpec, ...], serializer: CodecSpec
) -> tuple[tuple[CodecSpec, ...], CodecSpec]:
    """Return filters and serializer with the codec that converts the elements of a data type."""
    configuration = serializer.configuration
    if serializer.name != SHARDING:
        return (*filters, codec), serializer
    configuration["codecs"] = _inserted(configuration.get("codecs"), codec)
    return filters, CodecSpec.of(SHARDING, configuration)


def _inserted(codecs: Any, codec: CodecSpec) -> Any:
    """Return the codecs of inner chunks with the codec of the data type before the serializer."""
    for number, name, configuration in _items(codecs):
        if name == SHARDING:
            inner = {**configuration, "codecs": _inserted(configuration.get("codecs"), codec)}
            return [*codecs[:number], {"name": name, "configuration": inner}, *codecs[number + 1 :]]
        if is_serializer(name):
            return [*codecs[:number], codec.to_dict(), *codecs[number:]]
    return codecs


def without_codec(
    filters: tuple[CodecSpec, ...], serializer: CodecSpec
) -> tuple[JSON, tuple[CodecSpec, ...], CodecSpec]:
    """Return the data type (None: one that numpy has), and filters and serializer as documents have them."""
    if filters and filters[-1].name in (COMPLEX_PARTS, BROUGHT_TYPE):
        return _data_type(filters[-1].name, filters[-1].configuration), filters[:-1], serializer
    if serializer.name != SHARDING:
        return None, filters, serializer
    configuration = serializer.configuration
    found, configuration["codecs"] = _removed(configuration.get("codecs"))
    return (found, filters, CodecSpec.of(SHARDING, configuration)) if found else (None, filters, serializer)


def _data_type(codec: str, configuration: dict[str, Any]) -> JSON:
    if codec == COMPLEX_PARTS:
        return f"{_PREFIX}{configuration.get('data_type')}"
    name, members = configuration["name"], configuration["configuration"]
    return extension_to_json(name, members) if members else str(name)


def _removed(codecs: Any) -> tuple[JSON, Any]:
    """Return the data type, and the codecs of inner chunks without the codec for it."""
    for number, name, configuration in _items(codecs):
        if name in (COMPLEX_PARTS, BROUGHT_TYPE):
            return _data_type(name, configuration), [*codecs[:number], *codecs[number + 1 :]]
        if name == SHARDING:
            found, inner = _removed(configuration.get("codecs"))
            configuration = {**configuration, "codecs": inner}
            return found, [*codecs[:number], {"name": name, "configuration": configuration}, *codecs[number + 1 :]]
    return None, codecs


def _items(codecs: Any) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield number, name and configuration of the codecs of a configuration, which is not checked yet."""
    for number, codec in enumerate(codecs if isinstance(codecs, list) else ()):
        if isinstance(codec, dict):
            yield number, str(codec.get("name")), codec.get("configuration") or {}
        else:
            yield number, str(codec), {}
