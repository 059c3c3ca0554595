"""Make the options to create an array like another one, in the same format or in another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numcodecs import VLenBytes, VLenUTF8
from numcodecs.abc import Codec

from zarrds._codec import N5ChunkWrapper
from zarrds._metadata import options_like
from zarrds.core import Array

__all__ = ["options_between"]


def options_between(source: Array, new_format: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords for `create_dataset` in a group of a format, without those that are given.

    Equal formats keep every codec. From Zarr v3 to v2, features that v2 lacks (checksums, transposed dimensions,
    shards) are left out; chunks are those that users see.
    """
    options: dict[str, Any] = {
        "shape": source.shape,
        "dtype": source.dtype,
        "chunks": source.chunks,
        "fill_value": source.fill_value,
    }
    if source.zarr_format == new_format:
        options.update(options_like(source.source().meta, given))
    elif new_format == 2:
        options.update(_options_v2(source))
    else:
        compressor = source.compressor
        if isinstance(compressor, N5ChunkWrapper):  # which only makes blocks of N5
            compressor = compressor.compressor_config
        options.update(order=source.order, compressor=compressor, filters=source.filters)
    return {**options, **given}


def _options_v2(source: Array) -> dict[str, Any]:
    compressors = [codec for codec in source.compressors if isinstance(codec, Codec) and codec.codec_id != "crc32c"]
    filters = [codec for codec in source.filters or () if isinstance(codec, Codec)]
    options: dict[str, Any] = {"compressor": compressors[0] if compressors else None, "order": source.order}
    if source.dtype.hasobject:
        serializer = source.serializer
        is_text = serializer is not None and serializer.name == "vlen-utf8"
        if source.fill_value == b"":
            options["fill_value"] = None  # as in `convert`: JSON has no bytes
        return {**options, "object_codec": VLenUTF8() if is_text else VLenBytes(), "filters": filters or None}
    return {**options, "filters": filters or None}
