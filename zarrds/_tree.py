"""Trees of hierarchies, as text and as HTML, of zarrds groups and h5py groups alike."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

__all__ = ["TreeViewer"]


class TreeViewer:
    """A display of a hierarchy: text when printed, nested lists in a notebook.

    Parameters
    ----------
    group : Group or h5py.Group
        Where to begin.
    expand : bool
        Whether the HTML is unfolded below the first level.
    level : int, optional
        How many levels to descend; all when None.
    """

    def __init__(self, group: Any, expand: bool = False, level: int | None = None) -> None:
        self.group = group
        self.expand = expand
        self.level = level

    def __repr__(self) -> str:
        return "\n".join([_root_label(self.group), *self._lines(self.group, "", 1)])

    def _lines(self, group: Any, indent: str, depth: int) -> Iterable[str]:
        members = self._members(group, depth)
        for i, (name, node) in enumerate(members):
            last = i == len(members) - 1
            yield f"{indent} {'└' if last else '├'}── {_label(name, node)}"
            if _is_group(node):
                yield from self._lines(node, indent + ("    " if last else " │  "), depth + 1)

    def _members(self, group: Any, depth: int) -> list[tuple[str, Any]]:
        if self.level is not None and depth > self.level:
            return []
        return sorted(group.items())

    def _repr_html_(self) -> str:
        body = self._html(self.group, 1)
        return f'<div class="zarrds-tree"><b>{escape(_root_label(self.group))}</b>{body}</div>'

    def _html(self, group: Any, depth: int) -> str:
        rows = []
        for name, node in self._members(group, depth):
            label = escape(_label(name, node))
            if _is_group(node):
                is_open = " open" if self.expand or depth == 1 else ""
                rows.append(
                    f"<li><details{is_open}><summary>{label}</summary>{self._html(node, depth + 1)}</details></li>"
                )
            else:
                rows.append(f"<li>{label}</li>")
        return f'<ul style="list-style: none; margin: 0">{"".join(rows)}</ul>' if rows else ""


def _is_group(node: Any) -> bool:
    return not hasattr(node, "shape")


def _label(name: str, node: Any) -> str:
    return name if _is_group(node) else f"{name} {node.shape} {node.dtype}"


def _root_label(group: Any) -> str:
    name: str = group.name or "/"
    return name.rsplit("/", 1)[-1] or "/"
