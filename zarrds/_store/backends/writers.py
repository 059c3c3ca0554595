"""Marks in the metadata of objects that name their writers, to distinguish a lost answer from a lost race.

A writer that sets an object under a condition puts its own token before the tokens of earlier writers. If the answer to
a write is lost, the writer looks for its token in the mark; it is there even if others have replaced the object.
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
    """Return whether the object with this mark, or one that it replaced, was written with `token`."""
    return token in (mark or "").split("-")
