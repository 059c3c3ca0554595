"""Trees of hierarchies, as text and as HTML, of zarrds groups and h5py groups."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from html import escape
from types import ModuleType
from typing import Any

from zarrds._escaping import visible
from zarrds._node import bounded_depth

__all__ = ["TreeViewer"]


class TreeViewer:
    """A display of a hierarchy: text when printed, in a notebook nested lists, or a widget where ipytree is installed.

    Each display reads the hierarchy again, each level of a group in one listing and one batch.

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
        return _page(self._read(), self.expand)

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, Any]:
        """Return what notebooks display: text and HTML, and a widget for those that support widgets."""
        root = self._read()
        bundle = {"text/plain": _text(root, _UNICODE), "text/html": _page(root, self.expand)}
        ipytree = _installed_ipytree()
        if ipytree is not None:
            tree = ipytree.Tree(nodes=[_widget(ipytree, root, opened=True, below=self.expand)])
            bundle = {**tree._repr_mimebundle_(), **bundle}
        return bundle

    def _read(self) -> _Item:
        with bounded_depth(getattr(self.group, "path", None)):
            return _item(_root_label(self.group), self.group, self.level)


@dataclass(frozen=True, slots=True)
class _Item:
    """A line of the tree and its children; `members` is empty if the node is an array or the level is too deep."""

    label: str
    is_group: bool
    members: tuple[_Item, ...]


def _item(name: str, node: Any, levels: int | None) -> _Item:
    if hasattr(type(node), "shape"):  # looked up on the class: a group would look for a member of that name
        return _Item(visible(f"{name} {node.shape} {node.dtype}"), False, ())
    if levels is not None and levels <= 0:
        return _Item(visible(name), True, ())
    below = None if levels is None else levels - 1
    members, failed = node.open_members() if hasattr(type(node), "open_members") else (dict(node.items()), {})
    items = {key: _item(key, member, below) for key, member in members.items()}
    items |= {key: _Item(visible(f"{key} ({_reason(error)})"), False, ()) for key, error in failed.items()}
    return _Item(visible(name), True, tuple([items[key] for key in sorted(items)]))


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


def _text(root: _Item, branches: tuple[str, str, str]) -> str:
    return "\n".join([root.label, *_lines(root, "", branches)])


def _lines(item: _Item, indent: str, branches: tuple[str, str, str]) -> Iterator[str]:
    middle, end, trunk = branches
    for number, member in enumerate(item.members, start=1):
        is_last = number == len(item.members)
        yield f"{indent} {end if is_last else middle}{member.label}"
        yield from _lines(member, indent + ("    " if is_last else trunk), branches)


# --- notebooks --------------------------------------------------------------------------------------------------------


def _page(root: _Item, expand: bool) -> str:
    return f'<div class="zarrds-tree"><b>{escape(root.label)}</b>{_html(root, unfolded=True, below=expand)}</div>'


def _html(item: _Item, *, unfolded: bool, below: bool) -> str:
    """Return nested lists; for a group without members, only its name."""
    rows = []
    for member in item.members:
        label = escape(member.label)
        if member.members:
            inner = _html(member, unfolded=below, below=below)
            label = f"<details{' open' if unfolded else ''}><summary>{label}</summary>{inner}</details>"
        rows.append(f"<li>{label}</li>")
    return f'<ul style="list-style: none; margin: 0; padding-left: 1.5em">{"".join(rows)}</ul>' if rows else ""


def _installed_ipytree() -> ModuleType | None:
    try:
        import ipytree
    except ImportError:
        return None
    module: ModuleType = ipytree
    return module


def _widget(ipytree: ModuleType, item: _Item, *, opened: bool, below: bool) -> Any:
    nodes = [_widget(ipytree, member, opened=below, below=below) for member in item.members]
    icon = "folder" if item.is_group else "table"
    return ipytree.Node(item.label, nodes, opened=opened, disabled=True, icon=icon)
