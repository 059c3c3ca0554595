"""Keys of documents from the paths of their nodes."""

from __future__ import annotations

__all__ = ["node_key"]


def node_key(path: str, name: str) -> str:
    """Key of the document `name` of the node at `path`, or path of the member `name` of the group there."""
    return f"{path}/{name}" if path else name
