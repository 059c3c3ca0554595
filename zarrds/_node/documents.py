"""New nodes as values, with the documents that make them; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zarrds._base.edges import as_given
from zarrds._engine import ChunkSource
from zarrds._format import ArrayMeta, GroupMeta, Node, format_of
from zarrds._store import Store
from zarrds.errors import ArgumentTypeError

__all__ = ["NewArray", "NewGroup", "group_documents", "node_documents"]


def node_documents(path: str, meta: Node, attributes: Mapping[str, Any] | None = None) -> list[tuple[str, bytes]]:
    """Return the documents of a new node at `path`, by key; the one that makes it a node is last.

    Without `attributes`, the node has none, and no document is made for them.
    """
    known = format_of(meta)
    documents = known.array_documents(path, meta) if isinstance(meta, ArrayMeta) else known.group_documents(path, meta)
    if attributes is None:
        return documents
    if not isinstance(attributes, Mapping):
        raise ArgumentTypeError("attributes are a mapping from names to values", path=path, found=repr(attributes))
    where = known.attributes_key(path)
    text = known.format_attributes(attributes, where, dict(documents).get(where))
    return [(where, text), *[(key, other) for key, other in documents if key != where]]


def group_documents(paths: Sequence[str], zarr_format: int) -> list[tuple[str, bytes]]:
    """Return the documents of new groups without attributes, in the order of `paths`."""
    group = GroupMeta(zarr_format=zarr_format)
    return [document for path in paths for document in node_documents(path, group)]


@dataclass(frozen=True, slots=True)
class NewGroup:
    """A group to be created.

    Attributes
    ----------
    path : str
        Path of the group.
    meta : GroupMeta
        Its metadata.
    attributes : mapping, optional
        Its attributes; None: it has none.
    """

    path: str
    meta: GroupMeta
    attributes: Mapping[str, Any] | None = None

    def documents(self) -> list[tuple[str, bytes]]:
        """Return the keys and texts that make the group; the one that makes it a node is last."""
        return node_documents(self.path, self.meta, self.attributes)


@dataclass(frozen=True, slots=True)
class NewArray:
    """An array to be created.

    Attributes
    ----------
    path : str
        Path of the array.
    meta : ArrayMeta
        Its metadata.
    attributes : mapping, optional
        Its attributes; None: it has none.
    """

    path: str
    meta: ArrayMeta
    attributes: Mapping[str, Any] | None = None

    @property
    def write_unit(self) -> tuple[Any, ...]:
        """Shape of what is stored under one key, a chunk or a shard; all lengths where they differ."""
        return as_given(self.meta.write_unit)

    @property
    def chunks(self) -> tuple[Any, ...]:
        """Shape of a chunk; all lengths where they differ."""
        return as_given(self.meta.chunks)

    @property
    def shards(self) -> tuple[Any, ...] | None:
        """Shape of a shard; None if there are none."""
        return None if self.meta.shards is None else as_given(self.meta.shards)

    def documents(self) -> list[tuple[str, bytes]]:
        """Return the keys and texts that make the array; the one that makes it a node is last."""
        return node_documents(self.path, self.meta, self.attributes)

    def source(self, store: Store) -> ChunkSource:
        """Return the source through which data are written, once the documents are in `store`."""
        return ChunkSource(store.spec(), self.path, self.meta)
