"""Complex data types of Zarr v3 that numpy does not have, such as ``complex_bfloat16``, as complex64 in memory.

complex64 holds each of their values exactly. In the codec pipeline, a codec of our own before the serializer converts
between complex64 and pairs of small floats. Documents never show it: they have the data type instead.
"""

from __future__ import annotations

from typing import Any, cast

from zarrds._format.meta import SHARDING, CodecSpec
from zarrds._types import JSON

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
    codec = CodecSpec.of(COMPLEX_PARTS, {"data_type": part})
    if serializer.name != SHARDING:
        return (*filters, codec), serializer
    configuration = serializer.configuration
    codecs = configuration.get("codecs")
    if isinstance(codecs, list):
        configuration["codecs"] = _inserted(codecs, part)
    return filters, CodecSpec.of(SHARDING, configuration)


def _inserted(codecs: list[Any], part: str) -> list[Any]:
    """Return the codecs of inner chunks with the codec of parts before the serializer."""
    for number, codec in enumerate(codecs):
        name = codec.get("name") if isinstance(codec, dict) else codec
        if name == SHARDING:
            inner = with_parts(part, (), CodecSpec.of(name, codec.get("configuration")))[1]
            return [*codecs[:number], {"name": name, "configuration": inner.configuration}, *codecs[number + 1 :]]
        if name in ("bytes", "packbits"):
            return [*codecs[:number], {"name": COMPLEX_PARTS, "configuration": {"data_type": part}}, *codecs[number:]]
    return codecs


def without_parts(
    filters: tuple[CodecSpec, ...], serializer: CodecSpec
) -> tuple[str | None, tuple[CodecSpec, ...], CodecSpec]:
    """Return the data type name (None: another than these), and filters and serializer as documents have them."""
    if filters and filters[-1].name == COMPLEX_PARTS:
        return _PREFIX + str(filters[-1].configuration["data_type"]), filters[:-1], serializer
    if serializer.name != SHARDING:
        return None, filters, serializer
    configuration = serializer.configuration
    name, configuration["codecs"] = _removed(cast("list[Any]", configuration.get("codecs") or []))
    return (name, filters, CodecSpec.of(SHARDING, configuration)) if name else (None, filters, serializer)


def _removed(codecs: list[Any]) -> tuple[str | None, list[JSON]]:
    """Return the data type name, and the codecs of inner chunks without the codec of parts."""
    for number, codec in enumerate(codecs):
        if not isinstance(codec, dict):
            continue
        if codec.get("name") == COMPLEX_PARTS:
            return _PREFIX + codec["configuration"]["data_type"], [*codecs[:number], *codecs[number + 1 :]]
        if codec.get("name") == SHARDING:
            name, _, inner = without_parts((), CodecSpec.of(SHARDING, codec.get("configuration")))
            return name, [
                *codecs[:number],
                {"name": SHARDING, "configuration": inner.configuration},
                *codecs[number + 1 :],
            ]
    return None, codecs
