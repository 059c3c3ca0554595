"""Many arrays at once: read small ones, and look at their chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from zarrds._base.edges import longest_chunk, span_at
from zarrds._engine import stored_chunks, times_written
from zarrds._format import grid_shape
from zarrds._store import KVStore, get_together
from zarrds.core import Array

__all__ = ["chunk_versions", "loaded", "stored_units"]


def loaded(arrays: Sequence[Array]) -> list[Array]:
    """Return copies in memory of some small arrays, whose stored values are read in one batch.

    Parameters
    ----------
    arrays : sequence of Array
        Small arrays, of any stores.

    Returns
    -------
    list of Array
        Read-only. Reading them makes no request.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.parallel import loaded
    >>> first, second = loaded([zarrds.ones(3), zarrds.array([1, 2])])
    >>> second[:]
    array([1, 2])
    """
    sources = [array.source().open() for array in arrays]
    keys = [[s.key(at) for at in np.ndindex(*grid_shape(s.meta.shape, s.meta.write_unit))] for s in sources]
    answers = iter(get_together([(s.store, key) for s, own in zip(sources, keys, strict=True) for key in own]))
    found = []
    for array, own in zip(arrays, keys, strict=True):
        values = {key: value for key, value in zip(own, answers, strict=False) if value is not None}
        source = array.source()
        meta = replace(source.meta, transformers=())  # they have changed the values already
        found.append(Array.from_source(replace(source, store=KVStore(values).spec(), meta=meta)))
    return found


def chunk_versions(array: Array, chunks: Sequence[tuple[int, ...]]) -> list[object]:
    """Return versions of the stored values of some chunks, to find out later whether they have changed.

    No request is made. On a network, a version counts the writes of this process only.

    Parameters
    ----------
    array : Array
        An array with or without shards.
    chunks : sequence of tuple of int
        Their positions in the grid of chunks.

    Returns
    -------
    list
        Versions, which `same_version` compares; None where the store has none, or the chunk is absent.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.parallel import chunk_versions, same_version
    >>> z = zarrds.array([1, 2, 3], chunks=2)
    >>> before = chunk_versions(z, [(0,), (1,)])
    >>> z[0] = 5
    >>> list(map(same_version, before, chunk_versions(z, [(0,), (1,)])))
    [False, True]
    """
    source = array.source().open()
    meta, store = source.meta, source.store
    if meta.shards is None:
        keys = list(map(source.key, chunks))
    else:
        axes = list(zip(meta.shards, longest_chunk(meta.chunks), strict=True))
        keys = [source.key(tuple(span_at(s, n * c).at for n, (s, c) in zip(at, axes, strict=True))) for at in chunks]
    found = {key: store.version(key) for key in dict.fromkeys(keys)}
    if store.profile.kind == "network":
        found |= {key: ("written", times_written(key)) for key, version in found.items() if version is None}
    return [found[key] for key in keys]


def stored_units(array: Array) -> Iterator[tuple[int, ...]]:
    """Yield the positions, in the grid of chunks or shards, of those that are stored; one listing.

    Raises NotListableError if the store cannot list and the grid is large.

    Parameters
    ----------
    array : Array
        An array with or without shards.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros(10, chunks=5)
    >>> z[7] = 1
    >>> list(stored_units(z))
    [(1,)]
    """
    yield from stored_chunks(array.source().open())
