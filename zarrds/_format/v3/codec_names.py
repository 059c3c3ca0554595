"""Names of the codecs of Zarr v3, by what they convert; `zarrds._codec` implements them.

Most codecs of numcodecs have two names: that of numcodecs, and the same behind ``numcodecs.``.
"""

from __future__ import annotations

from zarrds._format.meta import SHARDING

__all__ = ["COMPRESSORS", "FILTERS", "SERIALIZERS"]


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
