"""Text for people: what a terminal obeys, or what nobody sees, is written as an escape sequence.

Names, attributes and messages come out of stores, and so from strangers. Printed as they are, control characters
colour a terminal, set its title or fake lines; bidirectional ones turn names round; others do not show at all.
Everything that zarrds shows as text goes through `visible`, all JSON that it prints through `visible_json`.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable

__all__ = ["visible", "visible_json"]

_BLANKS = frozenset(
    map(chr, (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810)))
).union(map(chr, range(0xFE00, 0xFE10)), map(chr, range(0xE0100, 0xE01F0)))
"""Characters that count as letters or marks, but leave no trace on the screen."""


def visible(text: str) -> str:
    r"""Return `text` with escapes for control, bidirectional and invisible characters and for lone surrogates.

    Escapes are those of Python's string literals. Letters of all scripts and spaces stay as they are.

    Examples
    --------
    >>> print(visible("\x1b[31mred\u202e Grüße"))
    \x1b[31mred\u202e Grüße
    """
    return _escaped(text, _python_escape)


def visible_json(text: str) -> str:
    r"""Return JSON with escapes for the same characters: it stays JSON, and means the same.

    Examples
    --------
    >>> print(visible_json('{"\x9b31m": "Grüße"}'))
    {"\u009b31m": "Grüße"}
    """
    # inside of strings JSON has no newlines, so the others only arrange the text
    return "\n".join(_escaped(line, _json_escape) for line in text.split("\n"))


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join([char if _shows(char) else escape(char) for char in text])


def _shows(char: str) -> bool:
    if char.isprintable():
        return char not in _BLANKS
    return unicodedata.category(char) == "Zs"


def _python_escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _json_escape(char: str) -> str:
    return json.dumps(char)[1:-1]
