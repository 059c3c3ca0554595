"""Types of the keywords that the overloads of a function share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from zarrds._base.types import CodecLike, CodecsLike, Separator, ZarrFormat
from zarrds._copy import IfExists, OnError, Verify

__all__ = ["ConvertKeywords", "RechunkKeywords", "StoreKeywords", "ToZarrKeywords"]


class ConvertKeywords(TypedDict, total=False):
    """Keywords of `convert`."""

    path: str | None
    dest_path: str | None
    keep: bool
    if_exists: IfExists
    verify: Verify | None
    on_error: OnError
    dry_run: bool
    log: Any
    batch_keys: int
    batch_bytes: int
    resume: bool
    retries: int
    storage_options: Mapping[str, Any] | None
    dest_storage_options: Mapping[str, Any] | None


class RechunkKeywords(TypedDict, total=False):
    """Keywords of `rechunk`."""

    chunks: Any
    max_mem: int | str | None
    temp_store: Any
    path: str | None
    target_path: str | None
    target_options: Mapping[str, Any] | None
    overwrite: bool
    append: bool
    retries: int
    storage_options: Mapping[str, Any] | None


class StoreKeywords(TypedDict, total=False):
    """Keywords of `store`, without `compute`."""

    regions: Any
    align: Literal["error", "rechunk"]
    progress: bool
    write_empty_chunks: bool
    retries: int


class ToZarrKeywords(TypedDict, total=False):
    """Keywords of `to_zarr`, without `compute`; the second part are options of a new array."""

    chunks: Any
    overwrite: bool
    align: Literal["error", "rechunk"]
    region: Any
    progress: bool
    write_empty_chunks: bool
    resume: bool
    retries: int
    storage_options: Mapping[str, Any] | None
    zarr_format: ZarrFormat | None
    zarr_version: ZarrFormat | None
    compressor: CodecLike | None
    fill_value: Any
    order: Literal["C", "F"]
    filters: CodecsLike
    object_codec: CodecLike | None
    dimension_separator: Separator | None
    compressors: CodecsLike
    codecs: CodecsLike
    serializer: CodecLike | None
    shards: Any
    chunk_key_encoding: Any
    dimension_names: Any
