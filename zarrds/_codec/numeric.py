"""Decode with codecs of numbers that allocate what a value claims to hold; refuse claims that exceed the chunk."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_bytes

from zarrds._base.types import NDArrayAny
from zarrds._codec import zfp
from zarrds._codec.limits import new_array
from zarrds._codec.objects import LISTED, decode_listed
from zarrds._codec.registry import wrong_size
from zarrds._format import ChunkSpec

__all__ = ["decode_numbers"]


def decode_numbers(codec: Codec, data: Any, chunk: ChunkSpec, most: int, *, alone: bool) -> Any:
    """Decode the output of one codec of a pipeline, at most `most` bytes; `alone`: it is the only codec.

    Raises ChunkDecodeError if a value claims to hold more, or does.
    """
    if codec.codec_id == "zfpy":
        return zfp.decode(codec, data, most)
    if codec.codec_id in LISTED:
        return decode_listed(codec, data, most)
    if codec.codec_id == "pcodec" and alone:
        return _pcodec(ensure_bytes(data), chunk.dtype.newbyteorder("="), chunk.size)
    return codec.decode(data)


def _pcodec(data: bytes, dtype: np.dtype[Any], count: int) -> NDArrayAny:
    """Decode into an array: the decoder aborts the process if it cannot allocate the memory that a value claims."""
    out = new_array((count,), dtype)
    progress = import_module("pcodec.standalone").simple_decompress_into(data, out)
    if progress.n_processed != count or not progress.finished:
        more = "" if progress.finished else "more than "
        raise wrong_size(out.nbytes, f"{more}{progress.n_processed * dtype.itemsize}")
    return out
