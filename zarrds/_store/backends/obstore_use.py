"""Which process uses obstore: its threads do not survive a fork, so a child whose parent used it cannot."""

from __future__ import annotations

import os

__all__ = ["is_usable", "note_use"]

_used_by: int | None = None
"""Process that sent the first request."""


def is_usable() -> bool:
    """Return whether this process may send requests through obstore: it is not the child of one that did."""
    return _used_by is None or _used_by == os.getpid()


def note_use() -> None:
    """Take note that this process sends a request through obstore."""
    global _used_by
    _used_by = os.getpid()
