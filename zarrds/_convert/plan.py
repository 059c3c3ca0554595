"""Plan a conversion: read, translate and check every node before anything is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from zarrds import _node
from zarrds._base.types import JSON, Buf
from zarrds._convert.mask import MASK, mask_attribute
from zarrds._convert.probe import same_bytes
from zarrds._convert.translate import cannot_express, in_other_order, translated
from zarrds._format import CONSOLIDATED_KEY, ArrayMeta, GroupMeta, Node, canonical, format_of, node_key, v3_experimental
from zarrds._format import document as v3
from zarrds._store import ExperimentalV3Store, Store, join_path
from zarrds.errors import (
    ContainsArrayError,
    ContainsGroupError,
    GroupNotFoundError,
    UnsupportedFormatError,
    ZarrdsError,
)

__all__ = ["Found", "Step", "expect_same", "has_consolidated", "is_same", "nodes_in", "plan_steps"]

_DIMENSIONS = "_ARRAY_DIMENSIONS"
"""Attribute by which xarray names dimensions in Zarr v2."""


@dataclass(frozen=True, slots=True)
class Found:
    """Node as it is stored."""

    path: str
    node: Node
    attributes: dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Step:
    """Node before and after the conversion.

    Attributes
    ----------
    old, new : Found
        The node before and after; the paths may differ.
    raw : bool
        Whether chunks are not decoded and encoded.
    """

    old: Found
    new: Found
    raw: bool


# --- what is there ----------------------------------------------------------------------------------------------------


def nodes_in(store: Store, documents: Mapping[str, Buf], number: int) -> dict[str, Found]:
    """Parse documents; return the nodes of one format by path, parents before their members."""
    known = format_of(number)
    names = frozenset(key.rpartition("/")[2] for key in known.node_keys(""))
    paths = {key.rpartition("/")[0] for key in documents if key.rpartition("/")[2] in names}
    found: dict[str, Found] = {}
    for path in sorted(paths, key=_depth):
        node = known.parse_node(path, [documents.get(key) for key in known.node_keys(path)])
        if node is not None:
            key = known.attributes_key(path)
            node = _node.as_stored(store, node)
            found[path] = Found(path, node, known.parse_attributes(documents[key], key) if key in documents else {})
    return found


def _depth(path: str) -> tuple[int, str]:
    return (path.count("/") + bool(path), path)


def has_consolidated(store: Store, path: str, number: int) -> bool:
    """Return whether the hierarchy at a path has consolidated metadata in that format."""
    if isinstance(store, ExperimentalV3Store):
        return v3_experimental.CONSOLIDATED_KEY in store.store
    if number == 2:
        return CONSOLIDATED_KEY in store
    key = node_key(path, v3.DOCUMENT_KEY)
    (text,) = store.get_many([(key, None)])
    return text is not None and bool(json.loads(bytes(text)).get("consolidated_metadata"))


# --- what it becomes --------------------------------------------------------------------------------------------------


def plan_steps(
    source: Store, path: str, found: Mapping[str, Found], to: int, dest_path: str, *, exact: bool
) -> list[Step]:
    """Return the steps for all nodes; raise an error, with the path, if format `to` cannot express a node."""
    if not found:
        raise _node.not_found(source, path, GroupNotFoundError)
    steps = []
    for old in found.values():
        below = old.path[len(path) :].lstrip("/")
        where = join_path(dest_path, below)
        try:
            _check_path(where, to, old.path)
            steps.append(_step(old, where, to, exact))
        except ZarrdsError as error:
            error.store, error.path = repr(source), old.path or "/"
            raise
    return steps


def _check_path(where: str, to: int, old: str) -> None:
    """Raise UnsupportedFormatError for a path that format `to` does not allow."""
    try:
        format_of(to).check_path(where)
    except ValueError as error:
        raise cannot_express(to, "path", error, old) from error


def _step(old: Found, where: str, to: int, exact: bool) -> Step:
    if isinstance(old.node, GroupMeta):
        return Step(old, Found(where, _group(old.node, to), old.attributes), raw=True)
    meta, raw = (_kept(old.node, to), True) if exact else _kept_or_reencoded(old.node, to)
    meta, attributes = _with_dimensions(old, meta)
    return Step(old, Found(where, meta, attributes), raw=raw)


def _group(old: GroupMeta, to: int) -> GroupMeta:
    # zarr-python 3 writes consolidated metadata to groups of Zarr v2 too, where no reader looks for them
    members = {name: value for name, value in json.loads(old.extra).items() if name != "consolidated_metadata"}
    extra = canonical(members)
    return GroupMeta(to, v3.checked_extra(extra) if old.zarr_format != to == 3 else extra)


def _kept(old: ArrayMeta, to: int) -> ArrayMeta:
    """Return the array translated so that its chunk bytes stay valid; raise an error if that is impossible."""
    meta = translated(old, to, exact=True)
    if same_bytes(old.chunk, meta.chunk):
        return meta
    if to == 2 and same_bytes(old.chunk, in_other_order(meta).chunk):
        return in_other_order(meta)
    raise cannot_express(to, "codec pipeline", "chunks would have to be encoded again; pass a dest", old.chunk)


def _kept_or_reencoded(old: ArrayMeta, to: int) -> tuple[ArrayMeta, bool]:
    try:
        return _kept(old, to), True
    except UnsupportedFormatError:
        return translated(old, to, exact=False), False


def _with_dimensions(old: Found, meta: ArrayMeta) -> tuple[ArrayMeta, dict[str, Any]]:
    """Move the names of dimensions: a member in Zarr v3, an attribute in Zarr v2; never both."""
    attributes = dict(old.attributes)
    assert isinstance(old.node, ArrayMeta)
    if old.node.zarr_format == meta.zarr_format:
        return meta, attributes
    if meta.zarr_format == 3:
        names = attributes.get(_DIMENSIONS)
        if isinstance(names, list) and len(names) == meta.ndim and all(isinstance(name, str) for name in names):
            del attributes[_DIMENSIONS]
            masked = mask_attribute(meta.chunk) if old.node.chunk.fill.defined else None
            if masked is not None:
                attributes.setdefault(MASK, masked)
            return replace(meta, dimension_names=tuple(map(str, names))), attributes
        return meta, attributes
    names_3 = old.node.dimension_names
    if names_3 is None or all(name is None for name in names_3):
        return meta, attributes
    if None in names_3:
        raise cannot_express(2, "dimension_names", "xarray's attribute names all dimensions or none", names_3)
    if attributes.get(_DIMENSIONS, list(names_3)) != list(names_3):
        raise cannot_express(2, "dimension_names", f"the attribute {_DIMENSIONS} has other names", names_3)
    if MASK in attributes and attributes[MASK] == mask_attribute(old.node.chunk):
        del attributes[MASK]
    return meta, {**attributes, _DIMENSIONS: list(names_3)}


def is_same(there: Found, wanted: Found) -> bool:
    """Return whether two nodes have the same documents."""
    return there.node == wanted.node and canonical(there.attributes) == canonical(wanted.attributes)


def expect_same(store: Store, there: Found, wanted: Found) -> None:
    """Raise an error if the node at a path is not one that an earlier run of the same conversion wrote."""
    if is_same(there, wanted):
        return
    error = ContainsArrayError if isinstance(there.node, ArrayMeta) else ContainsGroupError
    raise error(
        f"something else of Zarr v{there.node.zarr_format} is there already",
        store=repr(store),
        path=there.path or "/",
        hint="delete it, or convert to another place",
    )
