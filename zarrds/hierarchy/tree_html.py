"""Trees of hierarchies in notebooks: nested lists that fold, with chunks and sizes beside the names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import chain
from typing import Any

from zarrds._base.html import framed
from zarrds.core.info import human_size

__all__ = ["TreeItem", "tree_page"]

MOST_MEMBERS, MOST_ITEMS = 200, 2000
"""Most members that are shown of one group, and of the whole tree."""


@dataclass(frozen=True, slots=True)
class TreeItem:
    """A line of the tree and its children; `members` is empty if the node is an array or the level is too deep.

    Attributes
    ----------
    label : str
        Name of the node; for an array with shape and dtype.
    is_group : bool
        Whether it is a group.
    members : tuple of TreeItem
        The nodes in it.
    array : object, optional
        The array, of zarrds or h5py.
    """

    label: str
    is_group: bool
    members: tuple[TreeItem, ...]
    array: Any = None


def tree_page(root: TreeItem, expand: bool) -> str:
    """Return nested lists, of which the first level is unfolded, with `expand` all of them."""
    left = iter(range(MOST_ITEMS))
    inner = _lists(root, left, unfolded=True, below=expand)
    return framed(f"<div><b>{escape(root.label)}</b>{_details(root)}{inner}</div>", kind="zarrds-tree")


def _lists(item: TreeItem, left: Iterator[int], *, unfolded: bool, below: bool) -> str:
    """Return the list of the members of a group; nothing for one without members. `left` is how many may be shown."""
    rows = []
    for member in item.members[:MOST_MEMBERS]:
        if next(left, None) is None:
            break
        label = f"{escape(member.label)}{_details(member)}"
        if member.members:
            inner = _lists(member, left, unfolded=below, below=below)
            mark = ' open="open"' if unfolded else ""
            label = f"<details{mark}><summary>{label} <small>{_count(member)}</small></summary>{inner}</details>"
        rows.append(f"<li>{label}</li>")
    more = len(item.members) - len(rows)
    if more:
        rows.append(f"<li><small>... and {more:,} more</small></li>")
    return f"<ul>{''.join(rows)}</ul>" if rows else ""


def _count(item: TreeItem) -> str:
    return f"({len(item.members):,} members)" if len(item.members) != 1 else "(1 member)"


def _details(item: TreeItem) -> str:
    """Return chunks, shards and size of an array: what its document says, without requests."""
    array = item.array
    if array is None:
        return ""
    chunks, shards = getattr(array, "chunks", None), getattr(array, "shards", None)
    parts = [
        [f"chunks {chunks}"] if chunks else [],
        [f"shards {shards}"] if isinstance(shards, tuple) else [],
        [human_size(array.nbytes)] if getattr(array, "nbytes", 0) else [],
        _stored(array),
    ]
    text = ", ".join(chain.from_iterable(parts))
    return f" <small>{escape(text)}</small>" if text else ""


def _stored(array: Any) -> list[str]:
    """Return the stored bytes where counting them costs little."""
    size = array.quick_nbytes_stored() if hasattr(type(array), "quick_nbytes_stored") else None
    return [] if size is None else [f"{human_size(size)} stored"]
