"""Names of the codecs of Zarr v3, by what they convert; `zarrds._codec` implements them.

Most codecs of numcodecs have two names: that of numcodecs, and the same behind ``numcodecs.``.
"""

from __future__ import annotations

from collections.abc import Callable

from zarrds._format.meta import SHARDING

__all__ = [
    "COMPRESSORS",
    "FILTERS",
    "SERIALIZERS",
    "is_built_in",
    "is_filter",
    "is_serializer",
    "kind_of_name",
    "set_finder",
]


def _both(*names: str) -> list[str]:
    """Return names of codecs of numcodecs, bare and with the prefix."""
    return [*names, *(f"numcodecs.{name}" for name in names)]


FILTERS = frozenset(
    [
        *("transpose", "cast_value", "scale_offset", "reshape", "numcodecs.packbits"),
        *_both("bitround", "delta", "quantize", "fixedscaleoffset", "astype"),
    ]
)
"""Array-to-array codecs."""

SERIALIZERS = frozenset(
    [
        *("bytes", SHARDING, "vlen-utf8", "vlen-bytes", "packbits", "zfp", "n5_default"),
        *_both("pcodec", "zfpy"),
    ]
)
"""Array-to-bytes codecs: a codec pipeline has exactly one; filters are before it and compressors after it."""

COMPRESSORS = frozenset(
    [
        *("conditional", "optional"),
        *_both("gzip", "zstd", "blosc", "zlib", "bz2", "lz4", "lzma", "shuffle"),
        *_both("crc32c", "crc32", "adler32", "fletcher32", "jenkins_lookup3"),
    ]
)
"""Bytes-to-bytes codecs."""


# --- codecs that users bring -----------------------------------------------------------------------------------------


def _none(name: str) -> str | None:
    return None


_find: Callable[[str], str | None] = _none


def set_finder(find: Callable[[str], str | None]) -> None:
    """Set the function that returns the kind of a codec that a user or a package brings; None if nobody does."""
    global _find
    _find = find


def kind_of_name(name: str) -> str | None:
    """Return the kind of a codec, such as "bytes->bytes"; None if it is unknown."""
    for kind, names in _KINDS.items():
        if name in names:
            return kind
    return "bytes->bytes" if name.startswith("numcodecs.") else _find(name)


_KINDS = {"array->array": FILTERS, "array->bytes": SERIALIZERS, "bytes->bytes": COMPRESSORS}


def is_built_in(name: str) -> bool:
    """Return whether the codec is one of those above, which nobody can replace."""
    return name.startswith("numcodecs.") or any(name in names for names in _KINDS.values())


def is_filter(name: str) -> bool:
    """Return whether a codec encodes an array to an array."""
    return kind_of_name(name) == "array->array"


def is_serializer(name: str) -> bool:
    """Return whether a codec encodes an array to bytes."""
    return kind_of_name(name) == "array->bytes"
