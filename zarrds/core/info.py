"""Reports on arrays and groups: the text and the HTML of ``.info`` (manual 2.8)."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from zarrds.core.html import facts_table
from zarrds.errors.escaping import visible

__all__ = ["InfoReporter", "human_size", "type_name"]

_LINE = 80


class Reportable(Protocol):
    """Anything with ``info_items``."""

    def info_items(self) -> Sequence[tuple[str, object]]:
        """Return the rows of the report: labels and values."""


class InfoReporter:
    """Report that is displayed as text or, in a notebook, as HTML; it is built again at every display.

    `html` makes the HTML if a plain table of the rows is not enough.
    """

    def __init__(self, obj: Reportable, html: Callable[[], str] | None = None) -> None:
        self.obj = obj
        self.html = html

    def __repr__(self) -> str:
        items = self.obj.info_items()
        width = max(len(label) for label, _ in items)
        lines = []
        for label, value in items:
            # long values continue in lines with an empty label
            wrapped = textwrap.wrap(visible(str(value)), width=_LINE - width - 3) or [""]
            lines.append(f"{label:<{width}} : {wrapped[0]}")
            lines.extend(f"{'':<{width}} : {line}" for line in wrapped[1:])
        return "\n".join(lines) + "\n"

    def _repr_html_(self) -> str:
        return facts_table(self.obj.info_items()) if self.html is None else self.html()


def human_size(size: int) -> str:
    """Return a size in binary units, as the manual writes them: 33240 is ``32.5K``.

    >>> human_size(33240), human_size(400000000), human_size(12)
    ('32.5K', '381.5M', '12')
    """
    if size < 2**10:
        return str(size)
    for unit, power in (("K", 20), ("M", 30), ("G", 40), ("T", 50)):
        if size < 2**power:
            return f"{size / 2 ** (power - 10):.1f}{unit}"
    return f"{size / 2**50:.1f}P"


def type_name(obj: Any) -> str:
    """Return the qualified name of an object's class, for reports."""
    cls = type(obj)
    return f"{cls.__module__}.{cls.__name__}"


def bytes_text(size: int) -> str:
    """Return a number of bytes for reports: ``33240 (32.5K)``."""
    return f"{size} ({human_size(size)})" if size >= 2**10 else str(size)
