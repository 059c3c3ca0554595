"""Translate the documents of Zarr v1 arrays into those of Zarr v2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numcodecs.abc import Codec
from numcodecs.registry import codec_registry, get_codec

from zarrds._base.types import JSON, Buf
from zarrds._format import ATTRS_KEY, ArrayMeta, dtype_from_v2, loads
from zarrds._metadata import array_meta
from zarrds._node import lookup
from zarrds._store import Store
from zarrds.errors import BadCompressorError, ContainsArrayError, MetadataError, NotErasableError, OldArrayNotFoundError

__all__ = ["ATTRS", "META", "is_old", "migrate", "parse"]

META, ATTRS = "meta", "attrs"
_MEMBERS = ("shape", "chunks", "dtype", "compression", "compression_opts", "fill_value", "order")


def migrate(store: Store) -> None:
    """Rewrite the documents at the root of a store; the new ones are written before the old ones are deleted."""
    old, attributes, new = store.get_many([(META, None), (ATTRS, None), (".zarray", None)])
    if old is None:
        raise OldArrayNotFoundError("no array of Zarr v1", store=repr(store), key=META)
    if new is not None:
        raise ContainsArrayError("an array of Zarr v2 is already there", store=repr(store), key=".zarray")
    if not store.is_erasable():
        raise NotErasableError(store=repr(store), key=META, hint="entries are not removed from it: copy it first")
    meta = parse(old)
    if attributes is not None:
        loads(attributes, ATTRS)
        store.set_many([(ATTRS_KEY, attributes)])
    lookup.save_array(store, "", meta)
    store.delete_many([META, ATTRS])


def is_old(text: Buf) -> bool:
    """Return whether a document under the key ``meta`` is one of Zarr v1, and not another file of that name."""
    try:
        document = loads(text, META)
    except MetadataError:
        return False
    return isinstance(document, dict) and document.get("zarr_format") == 1


def parse(text: Buf) -> ArrayMeta:
    """Return the metadata from a document of Zarr v1; raise MetadataError if it is invalid."""
    try:
        return _parsed(text)
    except MetadataError as error:
        error.key = META
        raise
    except (ValueError, TypeError) as error:
        raise MetadataError(f"document is wrong: {error}", key=META) from error


def _parsed(text: Buf) -> ArrayMeta:
    document = loads(text, META)
    if not isinstance(document, dict):
        raise MetadataError("document is not an object", key=META)
    if document.get("zarr_format") != 1:
        raise MetadataError("unsupported zarr format", key=META, expected=1, found=repr(document.get("zarr_format")))
    missing = [name for name in _MEMBERS if name not in document]
    if missing:
        raise MetadataError(f"document has no {missing[0]!r}", key=META)
    dtype, _ = dtype_from_v2(document["dtype"], META)
    return array_meta(
        shape=_lengths(document, "shape"),
        chunks=_lengths(document, "chunks"),
        dtype=dtype,
        compressor=_compressor(document["compression"], document["compression_opts"]),
        fill_value=_fill_value(document["fill_value"], dtype),
        order=str(document["order"]),
    )


def _lengths(document: Mapping[str, JSON], name: str) -> tuple[int, ...]:
    value = document[name]
    if isinstance(value, list) and all(type(item) is int and item >= 0 for item in value):
        return tuple(value)  # type: ignore[arg-type]
    raise MetadataError(f"bad {name!r}", key=META, expected="a list of lengths", found=repr(value))


def _fill_value(value: JSON, dtype: Any) -> Any:
    """Return the fill value as Zarr v2 has it: plain values are unchanged, bytes are decoded from text."""
    return value.encode("latin-1") if dtype.kind == "S" and isinstance(value, str) else value


def _compressor(name: JSON, options: JSON) -> Codec | None:
    """Return the codec for an id and its options, which are one number, or names and values."""
    if name is None or name == "none":
        return None
    try:
        if isinstance(options, int):
            get_codec({"id": name})  # registers the class of the codec
            return codec_registry[name](options)
        return get_codec({"id": name, **(options or {})})  # type: ignore[dict-item]
    except (ValueError, TypeError, KeyError) as error:
        found = f"{name!r} with options {options!r}"
        raise BadCompressorError(f"bad compressor: {error}", key=META, found=found) from error
