"""Encode with Zstandard: with Python's own module if there is one, else with numcodecs.

``compression.zstd`` is part of Python >= 3.14; the package backports.zstd (extra ``zstd``) has it for older versions.
It reuses the encoder's memory from one chunk to the next and is about a third faster. Both write frames of the same
format that state their decoded size.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from numcodecs import zstd as zstd_c

from zarrds._base.types import Buf

__all__ = ["compress"]

_KEPT_LEVEL = 9
"""Encoders of higher levels take up to hundreds of megabytes, so they are not reused."""

_MAX_LEVEL = 22


def _with_numcodecs(data: Buf, level: int, checksum: bool) -> bytes:
    found: bytes = zstd_c.compress(data, level, checksum)
    return found


def _with_python(module: Any) -> Callable[[Buf, int, bool], bytes]:
    kept = threading.local()
    whole = module.ZstdCompressor.FLUSH_FRAME

    def make(level: int, checksum: bool) -> Any:
        parameters = module.CompressionParameter
        return module.ZstdCompressor(
            options={parameters.compression_level: min(level, _MAX_LEVEL), parameters.checksum_flag: int(checksum)}
        )

    def with_python(data: Buf, level: int, checksum: bool) -> bytes:
        settings = (level, checksum)
        if getattr(kept, "settings", None) == settings:
            encoder = kept.encoder
        else:
            encoder = make(level, checksum)
            if level <= _KEPT_LEVEL:
                kept.settings, kept.encoder = settings, encoder
        found: bytes = encoder.compress(data, whole)
        return found

    return with_python


@cache
def _best() -> Callable[[Buf, int, bool], bytes]:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return _with_python(import_module(name))
        except ImportError:
            continue
    return _with_numcodecs


def compress(data: Buf, level: int, checksum: bool) -> bytes:
    """Compress to one frame that states its decoded size; level 0 means the library's default, 3."""
    return _best()(data, level, checksum)
