"""Verify a hierarchy as a job: one task lists the keys and reads the documents, others check the chunks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from zarrds import _node
from zarrds._engine import OpenSource
from zarrds._format import node_key
from zarrds._store import Store, StoreLike, StoreSpec
from zarrds._verify import Finding, Level, Report, check_level, chunk_findings
from zarrds._verify import verify as verify_keys
from zarrds.dask.jobs import GraphBuilder, Job, require_shareable
from zarrds.dask.key_ranges import KeyBatch, ListedChunks, key_batches, place_of_node, readable_nodes

__all__ = ["verify"]

DECODED_BYTES = 128 * 2**20
"""Decoded bytes of the chunks that a task checks."""


@dataclass(frozen=True, slots=True)
class _Work:
    """Arguments that all tasks share."""

    store: StoreSpec
    shown: StoreSpec
    path: str
    level: Level


@dataclass(frozen=True, slots=True)
class _Found:
    """What tasks have found; can be added to others."""

    report: Report | None = None
    findings: tuple[Finding, ...] = ()

    def __add__(self, other: _Found) -> _Found:
        return _Found(self.report or other.report, self.findings + other.findings)


def verify(
    store: StoreLike,
    path: str | None = "",
    level: Level = "sizes",
    *,
    batch_keys: int = 1000,
    retries: int = 3,
    storage_options: Mapping[str, Any] | None = None,
) -> Job[Report]:
    """Prepare to find problems in a hierarchy, with tasks that check the chunks; nothing changes.

    Parameters
    ----------
    store : str, Store, MutableMapping, Array or Group
        Store, path of a directory or URL; or a node, which is verified with all below it.
    path : str, optional
        Array or group to verify, with all below it; the whole store by default.
    level : {"keys", "sizes", "decode"}
        What is checked; see `zarrds.verify`. One task lists the keys and reads the documents, so that a job is of use
        for "sizes" (the default, unlike there) and "decode".
    batch_keys : int
        Largest number of chunks that one task checks; of "decode" also 128 MiB of decoded bytes.
    retries : int, default 3
        How often a cluster repeats a task that failed.
    storage_options : dict, optional
        Options of the file system behind a URL.

    Returns
    -------
    Job
        Its `compute` returns the same report as `zarrds.verify`.

    Raises
    ------
    PathNotFoundError
        Nothing is at `path` (raised by `compute`).
    StoreNotShareableError
        The workers of the current scheduler cannot reach the store.

    See Also
    --------
    zarrds.verify

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> store = zarrds.MemoryStore()
    >>> z = zarrds.group(store).array("u", range(4), chunks=2, compressor=None)
    >>> store["u/1"] = b"torn"
    >>> zarrds.dask.verify(store).compute().problems[0].kind
    'wrong-size'
    """
    check_level(level)
    real_store, where = place_of_node(store, path, storage_options)
    require_shareable(real_store)
    shown, nodes = _nodes(real_store, where) if level != "keys" else (real_store, [])
    listed = ListedChunks(((shown, where),))
    batches = key_batches(nodes, listed, batch_keys, DECODED_BYTES, keep_meta=True) if nodes else []
    work = _Work(real_store.spec(), shown.spec(), where, level)
    graph = GraphBuilder(work, retries=retries)
    stages = [graph.stage("zarrds-list", _list_keys, [None])]
    if batches:
        stages.append(graph.stage("zarrds-verify", _check_chunks, batches))
    return graph.job(graph.together(stages), partial(_report, level), stores=(work.store,))


def _nodes(store: Store, path: str) -> tuple[Store, list[tuple[str, Any]]]:
    """Return the store as it shows the nodes (another layout may need a wrapper), and those that can be opened."""
    found = readable_nodes(store, path)
    if found:
        return store, found
    other = _node.other_layout(store, "r")
    return (store, []) if other is None else (other, readable_nodes(other, path))


def _list_keys(work: _Work, batch: None, after: Any = None) -> _Found:
    """Check the keys and documents."""
    return _Found(verify_keys(work.store.open(), work.path))


def _check_chunks(work: _Work, batch: KeyBatch, after: Any = None) -> _Found:
    """Check some chunks; absent ones are no problem."""
    store, found = work.shown.open(), _Found()
    for some in batch.ranges:
        if some.meta is None:
            continue
        path = node_key(work.path, some.path)
        source = OpenSource(store, path, some.meta)
        keys = [node_key(work.path, key) for key in some]
        found += _Found(findings=tuple(chunk_findings(source, keys, work.level)))
    return found


def _report(level: Level, found: _Found) -> Report:
    assert found.report is not None
    return replace(found.report.with_findings(found.findings), level=level)
