"""Print safely: no text from a store can control the terminal, in any encoding of the terminal.

On a terminal, tables and trees are drawn by rich, if it is installed; into pipes and files they are plain text without
colours. ``NO_COLOR`` (no colours) and ``FORCE_COLOR`` (as on a terminal) are obeyed.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from zarrds._base.types import JSON
from zarrds.errors.escaping import visible, visible_json

__all__ = [
    "Colour",
    "echo_colours",
    "echo_facts",
    "echo_json",
    "echo_table",
    "echo_text",
    "json_text",
    "on_terminal",
    "size_of",
]

Colour = tuple[int, int, int]
"""Red, green and blue, from 0 to 255."""

SCHEMA = 1
"""Version of all JSON that commands print; it grows when a member is removed or changes its meaning."""


def echo_text(text: str) -> None:
    """Print escaped text; characters that the terminal cannot show become escape sequences."""
    click.echo(_encodable(text))


_LINES = str.maketrans({"\u251c": "|", "\u2514": "`", "\u2502": "|", "\u2500": "-"})
"""The lines of trees, for terminals that have ASCII only."""


def _encodable(text: str) -> str:
    """Return a text with only what the terminal can show: lines become ASCII, all else escape sequences."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_LINES).encode(encoding, "backslashreplace").decode(encoding)
    return text


def echo_json(command: str, value: dict[str, Any]) -> None:
    """Print an object, its schema first, as JSON that every parser reads, and that preserves names exactly."""
    value = {"schema": f"zarrds.{command}/{SCHEMA}", **value}
    text = json_text(value, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(_finite(value), indent=2)
    click.echo(text)


def json_text(value: JSON, indent: int | None = None) -> str:
    """Return a value as JSON; numbers that JSON lacks become the strings NaN, Infinity and -Infinity."""
    return visible_json(json.dumps(_finite(value), indent=indent, ensure_ascii=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    return value


def size_of(nbytes: int | None) -> str:
    """Return a number of bytes with a unit; a dash if it is not known.

    >>> size_of(999), size_of(1536000), size_of(None)
    ('999 B', '1.5 MB', '-')
    """
    if nbytes is None or nbytes < 0:
        return "-"
    size = float(nbytes)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 99.5 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} PB"


# --- tables -----------------------------------------------------------------------------------------------------------


def on_terminal() -> bool:
    """Return whether standard output is a terminal on which rich can draw."""
    if os.environ.get("TERM") == "dumb" and not os.environ.get("FORCE_COLOR"):
        return False
    if not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
        return False
    try:
        import rich.table  # imported here, as most commands write to pipes
    except ImportError:
        return False
    return bool(rich.table)


def echo_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[str] = ()) -> None:
    """Print a table; columns whose header is in `right` are aligned to the right."""
    cells = [[visible(cell) for cell in row] for row in rows]
    if on_terminal():
        _rich_table(header, cells, set(right))
        return
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    for row in (header, *cells):
        padded = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(row, widths, header, strict=True)
        ]
        echo_text("  ".join(padded).rstrip())


def _rich_table(header: Sequence[str], cells: list[list[str]], right: set[str]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for number, name in enumerate(header):
        style = "cyan" if number == 0 else None
        table.add_column(_plain(name), justify="right" if name in right else "left", style=style, overflow="fold")
    for row in cells:
        table.add_row(*map(_plain, row))
    _console().print(table)


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(_encodable(text))  # no markup: names come from strangers


def _console() -> Any:
    from rich.console import Console

    return Console(file=sys.stdout, force_terminal=True, highlight=False)


def echo_facts(facts: Iterable[tuple[str, str]], *, width: int = 19) -> None:
    """Print labels and values; on a terminal the labels have a colour."""
    for label, value in facts:
        text = visible(f"{label:<{width}}: {value}")
        if not on_terminal():
            echo_text(text)
            continue
        line = _plain(text)
        line.stylize("cyan", 0, len(visible(f"{label:<{width}}")))
        _console().print(line, soft_wrap=True)


def echo_colours(rows: Sequence[Sequence[Colour | None]]) -> None:
    """Print a picture on a terminal, two rows of colours in each line of half blocks; None is left empty."""
    from rich.text import Text

    for number in range(0, len(rows), 2):
        upper, line = rows[number], Text()
        lower = rows[number + 1] if number + 1 < len(rows) else [None] * len(upper)
        for above, below in zip(upper, lower, strict=True):
            if above is None:
                line.append(" " if below is None else "\u2584", style="" if below is None else _style(below))
            else:
                line.append("\u2580", style=_style(above) + ("" if below is None else f" on {_style(below)}"))
        _console().print(line, soft_wrap=True)


def _style(colour: Colour) -> str:
    return f"rgb({colour[0]},{colour[1]},{colour[2]})"
