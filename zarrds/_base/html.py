"""The look of what notebooks show: one frame, tables of facts, tables with columns, parts that fold. No I/O.

Colours follow the theme: text is what the page has, lines are mixed from it, and the one accent has a lighter tone on
dark pages, which Jupyter, VS Code and the documentation mark in their own ways. Each output brings its style, because
exported pages keep only what is in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from zarrds.errors.escaping import visible

__all__ = ["attributes_table", "columns_table", "facts_table", "folded", "framed"]

_DARK = (
    'html[theme="dark"] .zarrds-view,html[data-theme="dark"] .zarrds-view,body[data-theme="dark"] .zarrds-view,'
    'body[data-jp-theme-light="false"] .zarrds-view,body.vscode-dark .zarrds-view,'
    "body.vscode-high-contrast .zarrds-view{--zarrds-mark:#6db3dd}"
)
_LIGHT = (
    'html[data-theme="light"] .zarrds-view,body[data-jp-theme-light="true"] .zarrds-view,'
    "body.vscode-light .zarrds-view{--zarrds-mark:#2a6f97}"
)
_STYLE = (
    ".zarrds-view{--zarrds-mark:#2a6f97;--zarrds-line:color-mix(in srgb,currentColor 22%,transparent);display:flex;"
    "flex-wrap:wrap;align-items:flex-start;gap:.6em 2em;font-size:13px;line-height:1.4;max-width:100%}"
    "@media (prefers-color-scheme:dark){.zarrds-view{--zarrds-mark:#6db3dd}}"
    f"{_LIGHT}{_DARK}"
    ".zarrds-view table{border-collapse:collapse;margin:0;color:inherit;background:none;border:0;font-size:inherit}"
    ".zarrds-view tr{background:none;border:0;border-bottom:1px solid var(--zarrds-line)}"
    ".zarrds-view th,.zarrds-view td{text-align:left;vertical-align:top;padding:.15em .8em .15em 0;border:0;"
    "background:none;color:inherit;max-width:42em;overflow-wrap:anywhere;white-space:normal}"
    ".zarrds-view th{font-weight:600;white-space:nowrap}"
    ".zarrds-view summary{cursor:pointer}.zarrds-view details{margin:0}.zarrds-view details.zarrds-part{width:100%}"
    ".zarrds-view svg{flex:none;max-width:100%;height:auto;color:inherit}"
    ".zarrds-view svg rect{fill:var(--zarrds-mark)}.zarrds-view svg text{fill:currentColor;font-size:10px}"
    ".zarrds-view ul{list-style:none;margin:0;padding-left:1.3em}.zarrds-view li{margin:0}"
    ".zarrds-view small{opacity:.7;font-size:.9em}.zarrds-view pre{margin:0;max-width:100%;overflow-x:auto}"
    ".zarrds-view p{margin:0;width:100%}.zarrds-view h4{margin:.4em 0 0;width:100%}"
)


def framed(*parts: str, kind: str = "zarrds-report") -> str:
    """Return parts of HTML in the frame that gives them the look."""
    return f'<div class="zarrds-view {kind}"><style>{_STYLE}</style>{"".join(parts)}</div>'


def facts_table(rows: Iterable[tuple[str, object]], *parts: str) -> str:
    """Return a framed table of labels and values, with other parts, such as a picture, beside it."""
    body = "".join(f"<tr><th>{escape(label)}</th><td>{escape(visible(str(value)))}</td></tr>" for label, value in rows)
    table = f'<table class="zarr-info"><tbody>{body}</tbody></table>'
    return framed(table, *parts, kind="zarr-array" if any(parts) else "zarrds-facts")


def columns_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table with a heading for each column, without a frame."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(visible(str(cell)))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{f'<thead><tr>{top}</tr></thead>' if top else ''}<tbody>{body}</tbody></table>"


def folded(title: str, inner: str, *, unfolded: bool = False) -> str:
    """Return a part of which only the title shows until somebody unfolds it."""
    mark = ' open="open"' if unfolded else ""
    return f'<details class="zarrds-part"{mark}><summary>{escape(visible(title))}</summary>{inner}</details>'


_MOST_ATTRIBUTES, _MOST_LETTERS = 100, 300


def attributes_table(attributes: Mapping[str, Any]) -> str:
    """Return attributes, folded; nothing if there are none. Long values and long lists are cut."""
    if not attributes:
        return ""
    rows = [(name, _short(value)) for name, value in list(attributes.items())[:_MOST_ATTRIBUTES]]
    if len(attributes) > _MOST_ATTRIBUTES:
        rows.append(("...", f"{len(attributes) - _MOST_ATTRIBUTES} more"))
    return folded(f"Attributes ({len(attributes)})", columns_table((), rows))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."
