"""Describe the target of a rechunk, create it, and complete its documents when the data are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zarrds import _node
from zarrds._format import CONSOLIDATED_KEY, ArrayMeta, CodecSpec, check_version, consolidated_keys, find_consolidated
from zarrds._metadata import array_meta, options_like
from zarrds._store import ConsolidatedMetadataStore, MemoryStore, N5Mapping, Store
from zarrds.attrs import Attributes
from zarrds.core import Array
from zarrds.dask.dimensions import dimension_names
from zarrds.dask.rechunking.wanted import chunk_lengths, nodes_below
from zarrds.errors import ArgumentTypeError
from zarrds.hierarchy import Group, open_group

__all__ = [
    "TARGET_OPTIONS",
    "as_created",
    "attributes_like",
    "create_target",
    "create_target_groups",
    "is_consolidated",
    "target_format",
    "target_meta",
]

TARGET_OPTIONS = frozenset(
    [
        *("compressor", "filters", "order", "fill_value", "dimension_separator", "write_empty_chunks", "object_codec"),
        *("compressors", "codecs", "serializer", "shards", "chunk_key_encoding", "dimension_names"),
        *("dtype", "zarr_format"),
    ]
)
_DIMENSIONS = "_ARRAY_DIMENSIONS"


def target_format(node: Array | Group, options: Mapping[str, Any]) -> int:
    """Return the format of the target: the one asked for, else that of the source."""
    asked = check_version(None, options.get("zarr_format"))
    return node.zarr_format if asked is None else asked


def target_meta(array: Array, chunks: Any, options: dict[str, Any]) -> ArrayMeta:
    """Return the metadata of the result: those of the source with other chunks and the caller's options."""
    unknown = sorted(set(options) - TARGET_OPTIONS)
    if unknown:
        raise ArgumentTypeError(f"unknown target_options {unknown}; there are {sorted(TARGET_OPTIONS)}")
    meta, number = array.source().meta, target_format(array, options)
    like = options_like(meta, {"chunks", *options}, number)
    if not {"compressors", "codecs"}.isdisjoint(options):
        like.pop("compressor", None)
    if number == 3 and meta.zarr_format == 2:
        # the door of new arrays knows the names that numcodecs has in Zarr v3
        like["filters"] = [_config(codec) for codec in like["filters"] or ()]
    given = {
        "dtype": meta.dtype,
        "fill_value": array.fill_value,
        **(_separator(meta) if number == meta.zarr_format else {}),
        **like,
        **(_names_3(array, meta) if number == 3 else {}),
        **options,
        "zarr_format": number,
    }
    made = array_meta(shape=meta.shape, chunks=chunk_lengths(array, meta, chunks), **given)
    if number != meta.zarr_format or not {"fill_value", "dtype"}.isdisjoint(options):
        return made
    return replace(made, chunk=replace(made.chunk, fill=meta.chunk.fill), extra=meta.extra)


def as_created(store: Store, path: str, meta: ArrayMeta) -> ArrayMeta:
    """Return the metadata with which chunks of a new array are written: in N5 each chunk is a block with a header."""
    if store.keeps_documents:
        return meta
    container = N5Mapping(MemoryStore())  # metadata change as they go through the documents of a container
    _node.create_array(container, path, meta)
    return _node.load_array(container, path)


def _config(codec: Any) -> dict[str, Any]:
    """Return the configuration of a filter, as numcodecs has it."""
    return {"id": codec.name, **codec.configuration} if isinstance(codec, CodecSpec) else codec.get_config()


def _separator(meta: ArrayMeta) -> dict[str, Any]:
    """Return the separator of chunk keys, if it is not part of a key encoding."""
    return {"dimension_separator": meta.keys.separator} if meta.keys.style == "v2" and meta.keys.written else {}


def _names_3(array: Array, meta: ArrayMeta) -> dict[str, Any]:
    """Return the names of dimensions as Zarr v3 keeps them."""
    names = meta.dimension_names if meta.zarr_format == 3 else dimension_names(array)
    return {"dimension_names": None if names is None or all(name is None for name in names) else names}


def attributes_like(array: Array, meta: ArrayMeta) -> dict[str, Any]:
    """Return the attributes of the target: those of the source; the names of dimensions where its format has them."""
    attributes = dict(array.attrs.asdict())
    names = dimension_names(array)
    if meta.zarr_format == array.zarr_format or any(name is None for name in names):
        return attributes
    if meta.zarr_format == 2:
        return {**attributes, _DIMENSIONS: list(names)}
    return {name: value for name, value in attributes.items() if name != _DIMENSIONS}


def create_target(store: Store, where: str, meta: ArrayMeta, attributes: Mapping[str, Any], overwrite: bool) -> None:
    """Create the target array and its attributes."""
    _node.create_array(store, where, meta, overwrite=overwrite)
    if attributes:
        Attributes(store, _node.attributes_key(where, meta)).put(attributes)


def create_target_groups(
    group: Group, store: Store, where: str, number: int, attributes: Mapping[str, Any], overwrite: bool
) -> None:
    """Create a copy of a group and the groups below it, without arrays; `attributes` are those of the outermost."""
    target = open_group(store, mode="w" if overwrite else "w-", path=where, zarr_format=number)
    target.attrs.put(attributes)
    for name, node in nodes_below(group).items():
        if isinstance(node, Group):
            target.create_group(name).attrs.put(node.attrs.asdict())


def is_consolidated(group: Group) -> bool:
    """Return whether the hierarchy of a group has consolidated metadata."""
    if isinstance(group.store, ConsolidatedMetadataStore):
        return True
    keys = consolidated_keys(CONSOLIDATED_KEY, group.path)
    texts = group.store.get_many([(key, None) for key in keys])
    return find_consolidated(dict(zip(keys, texts, strict=True))) is not None
