"""The table of formats: under which keys the documents of a node are stored, and how they are read and written.

Code that finds or changes documents uses this table, never a version number: a format is one frozen object here. If one
place has documents of several formats, the first in the table is preferred.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from zarrds._base.types import JSON, Buf
from zarrds._format import v2
from zarrds._format.meta import ArrayMeta, GroupMeta
from zarrds._format.v3 import document as v3
from zarrds.errors import ArgumentError, MetadataError

__all__ = [
    "DOCUMENT_NAMES",
    "FORMATS",
    "Format",
    "Node",
    "Texts",
    "check_version",
    "format_of",
    "format_of_key",
    "formats_of",
    "formats_with",
    "node_gone",
    "node_key",
    "other_format",
]

Node: TypeAlias = ArrayMeta | GroupMeta
Texts: TypeAlias = Sequence[Buf | None]
"""Values of the keys returned by `Format.node_keys`, in that order; None where absent."""
Documents: TypeAlias = Sequence[Buf | JSON]
"""The same; values that are already parsed may be JSON values instead."""


class Format(Protocol):
    """How a format stores nodes. A path is normalised, and empty for the root."""

    @property
    def number(self) -> int:
        """Value of ``zarr_format`` of its nodes."""

    @property
    def names(self) -> frozenset[str]:
        """Last names of the keys of its documents."""

    @property
    def one_document(self) -> bool:
        """Whether a node has one document for everything, which shows its kind and is rewritten by every change."""

    @property
    def chunk_keys(self) -> re.Pattern[str]:
        """Pattern of chunk keys below an array."""

    def node_keys(self, path: str) -> tuple[str, ...]:
        """Return the keys of the documents that show what is at a path; the last is that of groups."""

    def document_keys(self, path: str) -> tuple[str, ...]:
        """Return the keys of all documents that the node at a path may have."""

    def attributes_key(self, path: str) -> str:
        """Return the key of the document that holds the attributes of the node at a path."""

    def check_path(self, path: str) -> None:
        """Raise ValueError for a path that no new node may have."""

    def parse_node(self, path: str, texts: Texts) -> Node | None:
        """Return the node at a path, from the values of `node_keys`; None if there is none of this format."""

    def is_array(self, path: str, documents: Documents) -> bool | None:
        """Return whether an array is at a path, None if there is nothing; parses no more than necessary."""

    def array_documents(self, path: str, meta: ArrayMeta, present: Texts = ()) -> list[tuple[str, bytes]]:
        """Return keys and texts that make an array; other contents of `present` (values of `node_keys`) are kept."""

    def group_documents(self, path: str, meta: GroupMeta) -> list[tuple[str, bytes]]:
        """Return keys and texts that make a group."""

    def parse_attributes(self, text: Buf, where: str) -> dict[str, Any]:
        """Return the attributes from the document with the key `where`."""

    def format_attributes(self, attributes: Mapping[str, Any], where: str, present: Buf | None = None) -> bytes:
        """Return the text of the document with the key `where` with these attributes; the rest is as in `present`."""


def node_key(path: str, name: str) -> str:
    """Return the key of the document `name` of the node at `path`, or the path of its member `name`."""
    return f"{path}/{name}" if path else name


# --- Zarr v2 ----------------------------------------------------------------------------------------------------------

_PLAIN_GROUP = GroupMeta()
_PLAIN_GROUP_TEXT = v2.format_group(_PLAIN_GROUP)


@dataclass(frozen=True, slots=True)
class _FormatV2:
    """Zarr v2: ``.zarray`` or ``.zgroup``, and ``.zattrs`` beside it."""

    number: int = 2
    names: frozenset[str] = frozenset({v2.ARRAY_KEY, v2.GROUP_KEY, v2.ATTRS_KEY})
    one_document: bool = False
    chunk_keys: re.Pattern[str] = re.compile(r"(?:0|[1-9][0-9]*)(?:[./](?:0|[1-9][0-9]*))*")

    def node_keys(self, path: str) -> tuple[str, ...]:
        return (node_key(path, v2.ARRAY_KEY), node_key(path, v2.GROUP_KEY))

    def document_keys(self, path: str) -> tuple[str, ...]:
        return (*self.node_keys(path), node_key(path, v2.ATTRS_KEY))

    def attributes_key(self, path: str) -> str:
        return node_key(path, v2.ATTRS_KEY)

    def check_path(self, path: str) -> None:
        """Do nothing: Zarr v2 leaves names to the stores."""

    def parse_node(self, path: str, texts: Texts) -> Node | None:
        array, group = texts
        if array is not None:
            return v2.parse_array(array, node_key(path, v2.ARRAY_KEY))
        if group is None:
            return None
        return _PLAIN_GROUP if group == _PLAIN_GROUP_TEXT else v2.parse_group(group, node_key(path, v2.GROUP_KEY))

    def is_array(self, path: str, documents: Documents) -> bool | None:
        array, group = documents
        return None if array is None and group is None else array is not None

    def array_documents(self, path: str, meta: ArrayMeta, present: Texts = ()) -> list[tuple[str, bytes]]:
        return [(node_key(path, v2.ARRAY_KEY), v2.format_array(meta))]

    def group_documents(self, path: str, meta: GroupMeta) -> list[tuple[str, bytes]]:
        text = _PLAIN_GROUP_TEXT if meta == _PLAIN_GROUP else v2.format_group(meta)
        return [(node_key(path, v2.GROUP_KEY), text)]

    def parse_attributes(self, text: Buf, where: str) -> dict[str, Any]:
        return v2.parse_attributes(text, where)

    def format_attributes(self, attributes: Mapping[str, Any], where: str, present: Buf | None = None) -> bytes:
        return v2.format_attributes(attributes, where)


# --- Zarr v3 ----------------------------------------------------------------------------------------------------------

_PLAIN_GROUP_3 = GroupMeta(zarr_format=3)
_PLAIN_GROUP_3_TEXT = v3.dumps(v3.group_to_document(_PLAIN_GROUP_3))


_OF_XARRAY = frozenset(["__xarray_dataarray_variable__", "__values__"])
"""Names that xarray gives to unnamed variables: reserved by the specification, but found in existing stores."""


@dataclass(frozen=True, slots=True)
class _FormatV3:
    """Zarr v3: ``zarr.json``, with everything in it."""

    number: int = 3
    names: frozenset[str] = frozenset({v3.DOCUMENT_KEY})
    one_document: bool = True
    chunk_keys: re.Pattern[str] = re.compile(r"c|(?:c[./])?(?:0|[1-9][0-9]*)(?:[./](?:0|[1-9][0-9]*))*")

    def node_keys(self, path: str) -> tuple[str, ...]:
        return (node_key(path, v3.DOCUMENT_KEY),)

    def document_keys(self, path: str) -> tuple[str, ...]:
        return self.node_keys(path)

    def attributes_key(self, path: str) -> str:
        return node_key(path, v3.DOCUMENT_KEY)

    def check_path(self, path: str) -> None:
        for name in path.split("/") if path else ():
            if (name.startswith("__") and name not in _OF_XARRAY) or name == v3.DOCUMENT_KEY or not name.strip("."):
                raise ArgumentError(f"{name!r} cannot be the name of a node in Zarr v3")

    def parse_node(self, path: str, texts: Texts) -> Node | None:
        (text,) = texts
        if text is None:
            return None
        return _PLAIN_GROUP_3 if text == _PLAIN_GROUP_3_TEXT else v3.parse_node(text, node_key(path, v3.DOCUMENT_KEY))

    def is_array(self, path: str, documents: Documents) -> bool | None:
        (document,) = documents
        if document is None:
            return None
        key = node_key(path, v3.DOCUMENT_KEY)
        return v3.kind_of_document(document, key) if isinstance(document, dict) else v3.kind_of_text(document, key)  # type: ignore[arg-type]

    def array_documents(self, path: str, meta: ArrayMeta, present: Texts = ()) -> list[tuple[str, bytes]]:
        key = node_key(path, v3.DOCUMENT_KEY)
        known = [text for text in present if text is not None]
        document = v3.changed_array(meta, known[0], key) if known else v3.array_to_document(meta)
        return [(key, v3.dumps(document, key))]

    def group_documents(self, path: str, meta: GroupMeta) -> list[tuple[str, bytes]]:
        text = _PLAIN_GROUP_3_TEXT if meta == _PLAIN_GROUP_3 else v3.dumps(v3.group_to_document(meta))
        return [(node_key(path, v3.DOCUMENT_KEY), text)]

    def parse_attributes(self, text: Buf, where: str) -> dict[str, Any]:
        return v3.parse_attributes(text, where)

    def format_attributes(self, attributes: Mapping[str, Any], where: str, present: Buf | None = None) -> bytes:
        if present is None:
            raise node_gone(where)
        return v3.changed_attributes(attributes, present, where)


# --- the table --------------------------------------------------------------------------------------------------------

FORMATS: tuple[Format, ...] = (_FormatV3(), _FormatV2())
"""All formats, the preferred one first."""

DOCUMENT_NAMES = frozenset[str]().union(*(known.names for known in FORMATS))
_BY_NUMBER = {known.number: known for known in FORMATS}
_BY_NAME = {name: known for known in FORMATS for name in known.names}


def format_of(node: Node | int) -> Format:
    """Return the format of a node, or the format with that number."""
    number = node if isinstance(node, int) else node.zarr_format
    if number not in _BY_NUMBER:
        raise MetadataError("there is no such format", expected=sorted(_BY_NUMBER), found=number)
    return _BY_NUMBER[number]


def other_format(number: int) -> int:
    """Return the number of the other format: conversion goes from one of the two to the other."""
    (other,) = (known.number for known in FORMATS if known.number != number)
    return other


def formats_of(number: int | None) -> tuple[Format, ...]:
    """Return the format with that number as a tuple; all formats if it is None."""
    return FORMATS if number is None else (format_of(number),)


def formats_with(names: Collection[str]) -> tuple[Format, ...]:
    """Return the formats that have documents with any of these last names."""
    return tuple(known for known in FORMATS if not known.names.isdisjoint(names))


def format_of_key(key: str) -> Format:
    """Return the format that has documents with the last name of `key`; Zarr v2 for names that users choose."""
    return _BY_NAME.get(key.rpartition("/")[2], _BY_NUMBER[2])


def node_gone(where: str) -> MetadataError:
    """Return the error for attributes whose node was deleted; `where` is the key of the document that has them."""
    what = "the array or group whose attributes are to change is gone"
    return MetadataError(what, key=where, hint="nothing was changed: open it again")


def _is_number(value: Any) -> bool:
    """Return whether a value can be compared with a number: arrays and datasets compare their elements."""
    return isinstance(value, int | float | np.number)


def check_version(zarr_version: Any, zarr_format: Any = None) -> int | None:
    """Return the format that a caller asks for, or None if it is left open; both keyword names mean the same."""
    name = "zarr_format" if zarr_version is None else "zarr_version"
    if zarr_version is None:
        zarr_version = zarr_format
    elif zarr_format is not None and not (_is_number(zarr_format) and zarr_format == zarr_version):
        raise ArgumentError(f"zarr_version {zarr_version!r} and zarr_format {zarr_format!r} contradict each other")
    if zarr_version is None:
        return None
    if _is_number(zarr_version) and zarr_version in (2, 3):
        return int(zarr_version)
    raise ArgumentError(f"{name} must be 2, 3 or None, found {zarr_version!r}")
