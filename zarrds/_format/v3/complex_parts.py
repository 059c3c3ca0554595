"""Complex data types of Zarr v3 that numpy does not have, such as ``complex_bfloat16``, as complex64 in memory.

complex64 holds each of their values exactly. In the codec pipeline, a codec of our own before the serializer converts
between complex64 and pairs of small floats. Documents never show it: they have the data type instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zarrds._format.meta import SHARDING, CodecSpec
from zarrds._format.v3.codec_names import is_serializer

__all__ = ["COMPLEX_PARTS", "SMALL_PARTS", "part_of", "with_parts", "without_parts"]

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


def with_parts(
    part: str, filters: tuple[CodecSpec, ...], serializer: CodecSpec
) -> tuple[tuple[CodecSpec, ...], CodecSpec]:
    """Return filters and serializer of arrays of complex64 whose parts are stored as `part`."""
    configuration = serializer.configuration
    if serializer.name != SHARDING:
        return (*filters, CodecSpec.of(COMPLEX_PARTS, {"data_type": part})), serializer
    configuration["codecs"] = _inserted(configuration.get("codecs"), part)
    return filters, CodecSpec.of(SHARDING, configuration)


def _inserted(codecs: Any, part: str) -> Any:
    """Return the codecs of inner chunks with the codec of parts before the serializer."""
    for number, name, configuration in _items(codecs):
        if name == SHARDING:
            inner = {**configuration, "codecs": _inserted(configuration.get("codecs"), part)}
            return [*codecs[:number], {"name": name, "configuration": inner}, *codecs[number + 1 :]]
        if is_serializer(name):
            return [*codecs[:number], {"name": COMPLEX_PARTS, "configuration": {"data_type": part}}, *codecs[number:]]
    return codecs


def without_parts(
    filters: tuple[CodecSpec, ...], serializer: CodecSpec
) -> tuple[str | None, tuple[CodecSpec, ...], CodecSpec]:
    """Return the data type name (None: another than these), and filters and serializer as documents have them."""
    if filters and filters[-1].name == COMPLEX_PARTS:
        return f"{_PREFIX}{filters[-1].configuration.get('data_type')}", filters[:-1], serializer
    if serializer.name != SHARDING:
        return None, filters, serializer
    configuration = serializer.configuration
    name, configuration["codecs"] = _removed(configuration.get("codecs"))
    return (name, filters, CodecSpec.of(SHARDING, configuration)) if name else (None, filters, serializer)


def _removed(codecs: Any) -> tuple[str | None, Any]:
    """Return the data type name, and the codecs of inner chunks without the codec of parts."""
    for number, name, configuration in _items(codecs):
        if name == COMPLEX_PARTS:
            return f"{_PREFIX}{configuration.get('data_type')}", [*codecs[:number], *codecs[number + 1 :]]
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
