"""Marks in the metadata of objects that say who wrote them, by which a lost answer is told from a lost race.

Whoever sets an object under a condition puts a token of its own before those of the writers that came before it. A
writer whose answer was lost finds its token there, also when others have replaced the object since.
"""

from __future__ import annotations

import uuid

__all__ = ["MARK", "has_written", "marked", "new_token"]

MARK = "zarrdswriter"
"""Name of the metadata."""
_KEPT = 16


def new_token() -> str:
    """Return a token for one change."""
    return uuid.uuid4().hex


def marked(token: str, before: str | None) -> str:
    """Return the mark of an object that is written with `token` over one with the mark `before`.

    Examples
    --------
    >>> marked("c", "b-a")
    'c-b-a'
    """
    return "-".join([token, *(before or "").split("-")][:_KEPT]).rstrip("-")


def has_written(token: str, mark: str | None) -> bool:
    """Whether the object with this mark, or one of those that it came after, was written with `token`."""
    return token in (mark or "").split("-")
