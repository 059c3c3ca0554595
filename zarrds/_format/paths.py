"""Keys of documents from the paths of their nodes."""

from __future__ import annotations

__all__ = ["node_key"]


def node_key(path: str, name: str) -> str:
    """Return the key of the document `name` of the node at `path`, or the path of its member `name`."""
    return f"{path}/{name}" if path else name
