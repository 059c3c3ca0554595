"""Codecs of numbers that make arrays of what their values claim to hold: asked for no more than a chunk has."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_bytes

from zarrds._codec import zfp
from zarrds._codec.limits import new_array
from zarrds._codec.links import wrong_size
from zarrds._codec.objects import LISTED, decode_listed
from zarrds._format import ChunkSpec
from zarrds._types import NDArrayAny

__all__ = ["decode_numbers"]


def decode_numbers(codec: Codec, data: Any, chunk: ChunkSpec, most: int, *, alone: bool) -> Any:
    """Decode what one codec of a chain made, which is no more than `most` bytes; `alone` when it made all of a chunk.

    ChunkDecodeError when a value claims, or turns out, to hold more.
    """
    if codec.codec_id == "zfpy":
        return zfp.decode(codec, data, most)
    if codec.codec_id in LISTED:
        return decode_listed(codec, data, most)
    if codec.codec_id == "pcodec" and alone:
        return _pcodec(ensure_bytes(data), chunk.dtype.newbyteorder("="), chunk.size)
    return codec.decode(data)


def _pcodec(data: bytes, dtype: np.dtype[Any], count: int) -> NDArrayAny:
    """Decode into an array: the decoder ends the process where it cannot have as much memory as a value claims."""
    out = new_array((count,), dtype)
    progress = import_module("pcodec.standalone").simple_decompress_into(data, out)
    if progress.n_processed != count or not progress.finished:
        more = "" if progress.finished else "more than "
        raise wrong_size(out.nbytes, f"{more}{progress.n_processed * dtype.itemsize}")
    return out
