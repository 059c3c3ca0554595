"""Cut the chunk keys of a hierarchy into batches, from its documents alone: one batch for each task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from zarrds import _node
from zarrds._base.types import Buf, Shape
from zarrds._engine import OpenSource, stored_chunks
from zarrds._format import FORMATS, ArrayMeta, KeyEncoding, Node, chunk_count, grid_shape, node_key
from zarrds._store import Store, as_store, join_path, normalize_path
from zarrds.core import Array
from zarrds.dask.batches import Batches, Limits, Part, coords_between, flat_ranges
from zarrds.errors import ArgumentError, MetadataError
from zarrds.hierarchy import Group

__all__ = [
    "KeyBatch",
    "KeyRange",
    "ListedChunks",
    "documents_at",
    "key_batches",
    "nodes_at",
    "parsed_nodes",
    "place_of_node",
    "readable_nodes",
]

MOST_UNLISTED = 4_000_000
"""For a grid with more chunks the stored ones are listed: most chunks of a huge grid may be absent."""


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Some chunks of one array, in C order of its grid.

    Attributes
    ----------
    path : str
        Path of the array, relative to the place that the job works on.
    grid : tuple of int
        Number of chunks along each dimension.
    keys : KeyEncoding
        Translates coordinates to keys.
    chunk_bytes : int
        Decoded bytes of a chunk.
    start, stop : int
        First chunk, and one past the last.
    meta : ArrayMeta, optional
        Metadata of the array, where its chunks are to be decoded.
    """

    path: str
    grid: Shape
    keys: KeyEncoding
    chunk_bytes: int
    start: int
    stop: int
    meta: ArrayMeta | None = None

    def __iter__(self) -> Iterator[str]:
        prefix = f"{self.path}/" if self.path else ""
        return (prefix + self.keys.key(at) for at in coords_between(self.grid, self.start, self.stop))


@dataclass(frozen=True, slots=True)
class KeyBatch:
    """Chunks that one task works on, and the number of the batch among all."""

    number: int
    ranges: tuple[KeyRange, ...]

    def count(self) -> int:
        """Return the number of chunks."""
        return sum(some.stop - some.start for some in self.ranges)


# --- what is there ----------------------------------------------------------------------------------------------------


def place_of_node(
    given: Any, path: str | None, storage_options: Mapping[str, Any] | None, mode: str = "r"
) -> tuple[Store, str]:
    """Return the store, and the path in it, of a node that is given as itself, or as a store and a path."""
    if not isinstance(given, Array | Group):
        return as_store(given, mode=mode, storage_options=storage_options), normalize_path(path)
    if given.chunk_store is not given.store:
        raise ArgumentError(
            f"the chunks of {given!r} are in another store than its documents; give one store and a path"
        )
    return given.store, join_path(given.path or "", normalize_path(path))


def documents_at(store: Store, path: str) -> dict[str, Buf]:
    """Return the documents at and below a path, by keys relative to it; raise an error if there are none."""
    found = _node.documents_below(store, path)
    if not found:
        raise _node.not_found(store, path)
    start = len(path) + 1 if path else 0
    return {key[start:]: value for key, value in found.items()}


def nodes_at(store: Store, documents: Mapping[str, Buf]) -> list[tuple[str, Node]]:
    """Return pairs of path and node for all documents."""
    return [(path, _node.as_stored(store, node)) for path, node in parsed_nodes(documents)]


def readable_nodes(store: Store, path: str) -> list[tuple[str, Node]]:
    """Return pairs of path and node at and below a path, for all nodes that this process can open."""
    found = _node.documents_below(store, path, listed=True)
    start = len(path) + 1 if path else 0
    documents: dict[str, dict[str, Buf]] = defaultdict(dict)
    for key, value in found.items():
        documents[key[start:].rpartition("/")[0]][key[start:]] = value
    nodes: list[tuple[str, Node]] = []
    for own in documents.values():
        with suppress(MetadataError):
            nodes += [(p, _opened(store, path, p, _node.as_stored(store, node))) for p, node in parsed_nodes(own)]
    return nodes


def _opened(store: Store, above: str, path: str, node: Node) -> Node:
    """Return the node; raise MetadataError if it is an array that this process cannot open."""
    if isinstance(node, ArrayMeta):
        OpenSource(store, node_key(above, path), node)
    return node


def parsed_nodes(documents: Mapping[str, Buf]) -> Iterator[tuple[str, Node]]:
    """Yield pairs of path and node for all documents; a path has several nodes if it has several formats."""
    for path in dict.fromkeys(key.rpartition("/")[0] for key in documents):
        for known in FORMATS:
            node = known.parse_node(path, [documents.get(key) for key in known.node_keys(path)])
            if node is not None:
                yield path, node


# --- batches ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListedChunks:
    """Places where the stored chunks of arrays with huge grids are listed: stores, each with a path."""

    places: tuple[tuple[Store, str], ...]

    def ranges(self, path: str, meta: ArrayMeta) -> list[tuple[int, int]]:
        """Return the ranges of chunks that may be stored in any of the places."""
        grid, count = grid_shape(meta.shape, meta.write_unit), chunk_count(meta.shape, meta.write_unit)
        if count <= MOST_UNLISTED:
            return [(0, count)] if count else []
        coords: set[tuple[int, ...]] = set()
        for store, above in self.places:
            coords.update(stored_chunks(OpenSource(store, node_key(above, path), meta)))
        return flat_ranges(grid, coords)


def key_batches(
    nodes: Sequence[tuple[str, Node]], listed: ListedChunks, keys: int, nbytes: int, *, keep_meta: bool = False
) -> list[KeyBatch]:
    """Return the chunks of all arrays in batches, one for each task; small arrays share a batch.

    Parameters
    ----------
    nodes : sequence of (str, Node)
        Nodes, by paths relative to the place that the job works on.
    listed : ListedChunks
        How chunks of huge grids are found.
    keys, nbytes : int
        Largest number of chunks in a batch, and of their decoded bytes.
    keep_meta : bool
        Whether ranges have the metadata of their arrays.
    """
    arrays = [(path, node) for path, node in nodes if isinstance(node, ArrayMeta)]
    ranges = [listed.ranges(path, meta) for path, meta in arrays]
    total = sum(stop - start for some in ranges for start, stop in some)
    limits, batches = Limits.of(keys, nbytes, total), Batches()
    for number, (some, (_, meta)) in enumerate(zip(ranges, arrays, strict=True)):
        if some:
            batches.add(number, some, limits.chunks(meta.chunk.nbytes))
    batches.close()
    found = [tuple(_key_range(*arrays[part.number], part, keep_meta) for part in batch) for batch in batches.every()]
    return [KeyBatch(number, some) for number, some in enumerate(found or [()])]


def _key_range(path: str, meta: ArrayMeta, part: Part, keep_meta: bool) -> KeyRange:
    grid, nbytes = grid_shape(meta.shape, meta.write_unit), max(1, meta.chunk.nbytes)
    return KeyRange(path, grid, meta.keys, nbytes, part.start, part.stop, meta if keep_meta else None)
