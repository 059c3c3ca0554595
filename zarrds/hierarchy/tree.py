"""Trees of hierarchies, as text and as HTML, of zarrds groups and h5py groups."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

from zarrds._node import bounded_depth
from zarrds.errors.escaping import visible
from zarrds.hierarchy.tree_html import TreeItem, tree_page

__all__ = ["TreeViewer"]


class TreeViewer:
    """A display of a hierarchy: text when printed, in a notebook lists that fold.

    Each display reads the hierarchy again, each level of a group in one listing and one batch. The lists show the
    beginning of very long groups, and say how much is left out.

    Parameters
    ----------
    group : Group or h5py.Group
        Root of the tree; an array gives a tree of one line.
    expand : bool
        Whether the HTML is unfolded below the first level.
    level : int, optional
        How many levels to descend; all if None.

    Examples
    --------
    >>> import zarrds
    >>> root = zarrds.group()
    >>> _ = root.create_group("foo/bar"), root.zeros("baz", shape=3)
    >>> root.tree()
    /
     ├── baz (3,) float64
     └── foo
         └── bar
    >>> print(bytes(root.tree(level=1)).decode())
    /
     +-- baz (3,) float64
     +-- foo
    """

    def __init__(self, group: Any, expand: bool = False, level: int | None = None) -> None:
        self.group = group
        self.expand = expand
        self.level = level

    def __repr__(self) -> str:
        return _text(self._read(), _UNICODE)

    def __bytes__(self) -> bytes:
        return _text(self._read(), _ASCII).encode()

    def _repr_html_(self) -> str:
        return tree_page(self._read(), self.expand)

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, Any]:
        """Return what notebooks display, text and HTML, from one reading of the hierarchy."""
        root = self._read()
        return {"text/plain": _text(root, _UNICODE), "text/html": tree_page(root, self.expand)}

    def _read(self) -> TreeItem:
        with bounded_depth(getattr(self.group, "path", None)):
            return _item(_root_label(self.group), self.group, self.level)


def _item(name: str, node: Any, levels: int | None) -> TreeItem:
    if hasattr(type(node), "shape"):  # looked up on the class: a group would look for a member of that name
        return TreeItem(visible(f"{name} {node.shape} {node.dtype}"), False, (), node)
    if levels is not None and levels <= 0:
        return TreeItem(visible(name), True, ())
    below = None if levels is None else levels - 1
    members, failed = node.open_members() if hasattr(type(node), "open_members") else (dict(node.items()), {})
    items = {key: _item(key, member, below) for key, member in members.items()}
    items |= {key: TreeItem(visible(f"{key} ({_reason(error)})"), False, ()) for key, error in failed.items()}
    return TreeItem(visible(name), True, tuple([items[key] for key in sorted(items)]))


def _reason(error: Any) -> str:
    """Return, in a few words, why a member cannot be opened."""
    what = error.codec or error.found
    return f"cannot be opened: {error.message}" + (f", {what}" if what else "")


def _root_label(group: Any) -> str:
    name: str = group.name or "/"
    return name.rsplit("/", 1)[-1] or "/"


# --- text -------------------------------------------------------------------------------------------------------------

_UNICODE = ("├── ", "└── ", " │  ")
_ASCII = ("+-- ", "+-- ", " |  ")


def _text(root: TreeItem, branches: tuple[str, str, str]) -> str:
    return "\n".join([root.label, *_lines(root, "", branches)])


def _lines(item: TreeItem, indent: str, branches: tuple[str, str, str]) -> Iterator[str]:
    middle, end, trunk = branches
    for number, member in enumerate(item.members, start=1):
        is_last = number == len(item.members)
        yield f"{indent} {end if is_last else middle}{member.label}"
        yield from _lines(member, indent + ("    " if is_last else trunk), branches)
