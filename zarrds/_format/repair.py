"""Correct documents of arrays as some earlier writers left them: readable, but not as the specifications want them.

- Lengths that are floats without a fraction (``4.0``), in shapes and chunks.
- A chunk length of 0 or false where the array has length 0: Zarr-Python wrote it for ``chunks=False``. It means 1.
- In Zarr v3 a regular grid with lists of chunk lengths (``[2, [5, 10, 5]]``), which is a rectilinear one: Zarr-Python
  3.2 wrote it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from zarrds._base.types import JSON
from zarrds._format.jsondoc import canonical
from zarrds.errors import MetadataError, RepairedDocumentWarning

__all__ = ["parsed_or_repaired", "repaired"]

_Meta = TypeVar("_Meta")
_ATTRIBUTES = ".zattrs"
"""Last name of the keys of documents whose members users choose: those may be called "shape" as well."""


def parsed_or_repaired(parse: Callable[[JSON, str], _Meta], document: JSON, where: str) -> _Meta:
    """Parse a document; if it is wrong in a way that can be corrected, warn and parse the correct one."""
    try:
        return parse(document, where)
    except MetadataError:
        correct, changes = repaired(document)
        if not changes:
            raise
    found = parse(correct, where)
    warnings.warn(
        f"{where!r} is not as the specification wants it, and other readers may refuse it: {'; '.join(changes)}. "
        "'zarrds repair' writes the correct document.",
        RepairedDocumentWarning,
        stacklevel=2,
    )
    return found


def repaired(document: JSON) -> tuple[JSON, tuple[str, ...]]:
    """Return the correct document of an array, and what was changed; other documents are unchanged.

    Documents of arrays in consolidated metadata, of Zarr v2 and v3, are corrected too. `document` must not be the
    attributes of Zarr v2 (``.zattrs``), whose members mean what their writer wants.
    """
    if not isinstance(document, dict):
        return document, ()
    changes: list[str] = []
    correct = dict(document)
    if "shape" in document:
        _correct_lengths(correct, "shape", None, changes)
        if "chunks" in document:  # of Zarr v2
            _correct_lengths(correct, "chunks", correct["shape"], changes)
        else:
            _correct_grid(correct, changes)
    _correct_consolidated(correct, changes)
    return correct, tuple(changes)


def _correct_lengths(members: dict[str, JSON], name: str, shape: JSON, changes: list[str]) -> None:
    lengths = members.get(name)
    if not isinstance(lengths, list):
        return
    axes: list[JSON] = shape if isinstance(shape, list) else [None] * len(lengths)
    if len(axes) != len(lengths):
        return
    correct: list[JSON] = [_length(length, axis) for length, axis in zip(lengths, axes, strict=True)]
    if canonical(correct) != canonical(lengths):
        changes.append(f"{name} {canonical(lengths)} is {canonical(correct)}")
        members[name] = correct


def _length(length: JSON, axis: JSON) -> JSON:
    """Return the correct form of a length, of a chunk where the length of the array is `axis`."""
    if isinstance(length, list):
        return [_length(item, None) for item in length]
    if isinstance(length, float) and length.is_integer() and 0 <= length < 2**63:
        length = int(length)
    if axis == 0 and length in (0, False):
        return 1
    return length


def _correct_grid(members: dict[str, JSON], changes: list[str]) -> None:
    grid = members.get("chunk_grid")
    if not isinstance(grid, dict) or not isinstance(grid.get("configuration"), dict):
        return
    inside: dict[str, Any] = dict(grid["configuration"])  # type: ignore[arg-type]
    _correct_lengths(inside, "chunk_shape", members["shape"], changes)
    if grid.get("name") == "regular" and _has_lists(inside.get("chunk_shape")):
        lengths = inside.pop("chunk_shape")
        grid = {**grid, "name": "rectilinear"}
        inside = {"kind": "inline", "chunk_shapes": lengths, **inside}
        changes.append(f"chunk_shape {canonical(lengths)} is of a rectilinear grid")
    members["chunk_grid"] = {**grid, "configuration": inside}
    _correct_shards(members, changes)


def _has_lists(lengths: Any) -> bool:
    return isinstance(lengths, list) and any(isinstance(length, list) for length in lengths)


def _correct_shards(members: dict[str, JSON], changes: list[str]) -> None:
    """Correct the lengths of inner chunks."""
    codecs = members.get("codecs")
    if not isinstance(codecs, list):
        return
    correct = list(codecs)
    for number, codec in enumerate(codecs):
        if isinstance(codec, dict) and isinstance(codec.get("configuration"), dict):
            inside: dict[str, Any] = dict(codec["configuration"])  # type: ignore[arg-type]
            if "chunk_shape" in inside:
                _correct_lengths(inside, "chunk_shape", members["shape"], changes)
                correct[number] = {**codec, "configuration": inside}
    members["codecs"] = correct


def _correct_consolidated(members: dict[str, JSON], changes: list[str]) -> None:
    """Correct the documents of arrays inside consolidated metadata."""
    inline = members.get("consolidated_metadata")
    if isinstance(inline, dict):
        members["consolidated_metadata"] = holder = dict(inline)
        _correct_documents(holder, changes)
    elif "zarr_consolidated_format" in members:
        _correct_documents(members, changes)


def _correct_documents(holder: dict[str, JSON], changes: list[str]) -> None:
    documents = holder.get("metadata")
    if not isinstance(documents, dict):
        return
    correct: dict[str, JSON] = dict(documents)
    for key, document in documents.items():
        if key.rpartition("/")[2] != _ATTRIBUTES:
            correct[key], found = repaired(document)
            changes += [f"{key}: {change}" for change in found]
    holder["metadata"] = correct
