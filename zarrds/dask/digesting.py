"""Compute a checksum of an array or a hierarchy as a job.

Each stored value gives a number of 2048 bits: SHAKE-256 of its key and the hash of its bytes. The checksum is the hash
of the sum of all these numbers. A sum does not depend on the order, so it is the same for every way to cut the work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from zarrds._copy import HELD_BYTES, HELD_KEYS
from zarrds._engine import windows
from zarrds._format import node_key
from zarrds._store import StoreSpec
from zarrds.dask.jobs import GraphBuilder, Job, require_shareable
from zarrds.dask.key_ranges import KeyBatch, ListedChunks, documents_at, key_batches, nodes_at, place_of_node
from zarrds.errors import ArgumentError

__all__ = ["digest"]

_BITS = 2048


@dataclass(frozen=True, slots=True)
class _Work:
    """Arguments that all tasks share."""

    store: StoreSpec
    path: str
    hashname: str


@dataclass(frozen=True, slots=True)
class _Sum:
    """Sum of the numbers of values, modulo 2**2048."""

    total: int = 0

    def __add__(self, other: _Sum) -> _Sum:
        return _Sum((self.total + other.total) % 2**_BITS)


def digest(
    source: Any,
    path: str | None = "",
    *,
    hashname: str = "sha256",
    batch_keys: int = 1000,
    batch_bytes: int = 128 * 2**20,
    retries: int = 3,
    storage_options: Mapping[str, Any] | None = None,
) -> Job[str]:
    """Prepare to compute a checksum of an array, or of a group with all below it.

    Two nodes have the same checksum if their documents and all their stored chunks are the same bytes under the same
    keys below them, wherever they are: a node and its `copy_store`. The document `.zmetadata` is not counted. It is not
    the checksum of `Array.hexdigest`, which can only be computed chunk after chunk.

    Parameters
    ----------
    source : Array, Group, str, Store or MutableMapping
        Node, or where it is stored.
    path : str, optional
        Path of the node.
    hashname : str, default "sha256"
        Name of a hash function of `hashlib`.
    batch_keys, batch_bytes : int
        Largest number of chunks, and of their decoded bytes, that one task reads.
    retries : int, default 3
        How often a cluster repeats a task that failed.
    storage_options : dict, optional
        Options of the file system behind a URL.

    Returns
    -------
    Job
        Its `compute` returns the checksum as hexadecimal text.

    Raises
    ------
    PathNotFoundError
        Nothing is at `path`.
    ValueError
        There is no such hash function.
    StoreNotShareableError
        The workers of the current scheduler cannot reach the store.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> a, b = zarrds.MemoryStore(), zarrds.MemoryStore()
    >>> z = zarrds.group(a).array("u", range(4), chunks=2)
    >>> report = zarrds.dask.copy_store(a, b).compute()
    >>> zarrds.dask.digest(a).compute() == zarrds.dask.digest(b).compute()
    True
    """
    if not hashlib.new(hashname).digest_size:
        raise ArgumentError(f"hashname must be a hash function with a digest of fixed size, found {hashname!r}")
    store, where = place_of_node(source, path, storage_options)
    require_shareable(store)
    documents = documents_at(store, where)
    listed = ListedChunks(((store, where),))
    batches = key_batches(nodes_at(store, documents), listed, batch_keys, batch_bytes)
    work = _Work(store.spec(), where, hashname)
    graph = GraphBuilder(work, retries=retries)
    chunks = graph.stage("zarrds-digest", _sum_chunks, batches)
    return graph.job(chunks, partial(_hexdigest, hashname, _sum(hashname, documents.items())), stores=(work.store,))


def _sum(hashname: str, values: Iterable[tuple[str, Any]]) -> _Sum:
    """Return the sum of the numbers of values; each is given with its key."""
    total = 0
    for key, value in values:
        own = hashlib.new(hashname, memoryview(value)).digest()
        name = key.encode("utf-8", "surrogatepass")
        number = hashlib.shake_256(len(name).to_bytes(8, "little") + name + own).digest(_BITS // 8)
        total += int.from_bytes(number, "little")
    return _Sum(total % 2**_BITS)


def _sum_chunks(work: _Work, batch: KeyBatch, after: Any = None) -> _Sum:
    """Read some chunks, a bounded number at a time; absent ones do not count."""
    store, found = work.store.open(), _Sum()
    for some in batch.ranges:
        for keys in windows(some, max(1, min(HELD_KEYS, HELD_BYTES // some.chunk_bytes))):
            values = store.get_many([(node_key(work.path, key), None) for key in keys])
            found += _sum(work.hashname, [(k, v) for k, v in zip(keys, values, strict=True) if v is not None])
    return found


def _hexdigest(hashname: str, documents: _Sum, chunks: _Sum) -> str:
    total = (documents + chunks).total
    return hashlib.new(hashname, total.to_bytes(_BITS // 8, "little")).hexdigest()
