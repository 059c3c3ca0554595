"""Concurrent writers: parts of chunks that others write to as well, and arrays of a group that grow together.

This is for programs that divide their writes among tasks themselves, like the xarray writer. `Array.append` and arrays
with a synchronizer do not need it.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from zarrds._edges import end_at, longest_chunk, span_at
from zarrds._engine import (
    ChunkSource,
    OpenSource,
    delete_behind,
    delete_outside,
    stored_chunks,
    times_written,
    trim_edges,
    write,
)
from zarrds._format import ArrayMeta, format_of, grid_shape
from zarrds._node import (
    Claim,
    ClaimLost,
    as_stored,
    changed_meanwhile,
    check_synchronizer,
    claimed,
    document_locked,
    has_mark,
    replace_at_once,
    replacing,
    set_document,
    with_mark_of,
    without_consolidated,
)
from zarrds._plan import plan_selection
from zarrds._store import KVStore, Store, WrapperStore, get_together, same_version
from zarrds._types import Buf, Request, Shape
from zarrds.core import Array
from zarrds.core.larger import larger, units_after
from zarrds.core.resize import changed
from zarrds.errors import ConflictError, PathNotFoundError
from zarrds.hierarchy import Group
from zarrds.sync import Synchronizer

__all__ = [
    "Turn",
    "check_synchronizer",
    "chunk_versions",
    "get_together",
    "group_turn",
    "larger",
    "loaded",
    "replace_at_once",
    "replacing",
    "same_version",
    "settle",
    "stored_units",
    "take_back",
    "tidy",
    "units_after",
    "without_consolidated",
    "write_part",
]


# --- many arrays at once ---------------------------------------------------------------------------------------------


def loaded(arrays: Sequence[Array]) -> list[Array]:
    """Return arrays like the given ones over copies, in memory, of their stored values, which one batch reads.

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


# --- parts of chunks -------------------------------------------------------------------------------------------------


def write_part(
    source: ChunkSource,
    region: tuple[slice, ...],
    values: Any,
    *,
    synchronizer: Synchronizer | None = None,
    write_empty_chunks: bool = True,
    grown: bool = False,
) -> None:
    """Write a region of an array while others write other regions, even if these share chunks with it.

    A chunk that is written in part is replaced only if it is still as it was read; if another writer changed it in
    between, the part is put into the changed chunk. So writers in any threads and processes keep each other's parts, on
    all stores that can compare and swap (`Store.can_set_if`). With a synchronizer, its locks do this instead. On other
    stores only the threads of this process keep each other's parts.

    Parameters
    ----------
    source : ChunkSource
        The array, from `Array.source`.
    region : tuple of slice
        For each dimension a slice with start and stop.
    values : array-like
        Values of the region's shape.
    synchronizer : object, optional
        Returns a lock for a chunk key.
    write_empty_chunks : bool
        Whether empty chunks are stored. One that others also write to may be stored in any case.
    grown : bool
        Whether the array is about to grow to the shape of `source`, so that nobody else writes behind its present end.
        Otherwise others may have enlarged it, and data behind its end are kept.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros(10, chunks=10, dtype="i4")
    >>> write_part(z.source(), (slice(2, 4),), [1, 2])
    >>> z[:5]
    array([0, 0, 1, 2, 0], dtype=int32)
    """
    meta = source.meta
    if not grown:
        whole = tuple(end_at(edges, n) for n, edges in zip(meta.shape, meta.write_unit, strict=True))
        meta = replace(meta, shape=whole)
    plan = plan_selection(region or Ellipsis, meta.shape, meta.write_unit, "basic")
    store = source.store.open()
    lock = None if synchronizer is None else synchronizer.__getitem__
    compares = lock is None and store.can_set_if
    with nullcontext() if compares or lock is not None else _process_lock:
        while True:
            opened = OpenSource(_ComparingStore(store) if compares else store, source.path, meta)
            try:
                write(opened, plan, values, lock=lock, write_empty_chunks=write_empty_chunks)
            except _ChunkChanged:
                continue
            except _WouldDelete:
                write_empty_chunks = True
                continue
            return


_process_lock = threading.RLock()


class _ChunkChanged(Exception):
    """Another writer changed a chunk after it was read here."""


class _WouldDelete(Exception):
    """A chunk that others may have written to meanwhile would be deleted; no store can delete conditionally."""


class _ComparingStore(WrapperStore):
    """A store that replaces values only if they are still as they were read through it."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._read: dict[str, Buf | None] = {}

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        found = self.store.get_many(requests)
        self._read.update((key, value) for (key, part), value in zip(requests, found, strict=True) if part is None)
        return found

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        self.store.set_many([item for item in items if item[0] not in self._read])
        for key, value in items:
            if key in self._read and not self.store.set_if(key, value, self._read.pop(key)):
                raise _ChunkChanged

    def delete_many(self, keys: Sequence[str]) -> None:
        if any(self._read.get(key) is not None for key in keys):
            raise _WouldDelete
        self.store.delete_many([key for key in keys if key not in self._read])


# --- groups whose arrays grow together -------------------------------------------------------------------------------


class Turn:
    """The turn of one writer to enlarge arrays of a group; see `group_turn`."""

    def __init__(self, claim: Claim | None) -> None:
        self._claim = claim
        self._lost = False

    def keep(self) -> None:
        """Report progress; raise ConflictError if another writer took over because this one seemed dead."""
        if self._claim is None:
            return
        try:
            if self._lost:
                raise ClaimLost
            self._claim.keep()
        except ClaimLost:
            self._lost = True
            raise ConflictError(
                "another writer took over while this one was at work",
                store=repr(self._claim.store),
                key=self._claim.key,
                hint="nothing of it can be seen: repeat it, or let writers take turns with a synchronizer",
            ) from None

    def grow(self, changes: Sequence[tuple[Array, Shape | ChunkSource]]) -> None:
        """Write the new shapes of arrays whose data are written; all of them, or none.

        If the process ends or the store fails in between, the next owner of the turn sees `inherited`.

        Parameters
        ----------
        changes : sequence of (Array, tuple of int or ChunkSource)
            Arrays as they were before, and their new shapes, or what `larger` returned.

        Raises
        ------
        ConflictError
            Another writer changed the shape of one of them meanwhile, or took over; then none has grown.
        """
        self.keep()
        done: list[tuple[Array, ArrayMeta, ArrayMeta]] = []
        try:
            texts = _documents_of([array for array, _ in changes])
            for (array, new), text in zip(changes, texts, strict=True):
                before, after = _before_and_after(array, new)
                _set_shape(array, before, after, text)
                done.append((array, before, after))
        except BaseException:
            with self.or_abandoned():
                for array, before, after in reversed(done):
                    _set_shape(array, after, before)
            raise

    @contextmanager
    def or_abandoned(self) -> Iterator[None]:
        """Run a block that cleans up; if it fails, the next writer sees `inherited`.

        Yields
        ------
        None
            Nothing; the block is the work that may fail.
        """
        try:
            yield
        except BaseException:
            if self._claim is not None:
                self._claim.abandon()
            raise

    @property
    def inherited(self) -> bool:
        """Whether the writer before did not finish, so that some of the arrays may have grown and others not."""
        return self._claim is not None and self._claim.inherited

    @property
    def is_lost(self) -> bool:
        """Whether another writer took over."""
        claim = self._claim
        if claim is not None and claim.mark and not self._lost:
            self._lost = not claim.refresh()
        return self._lost


@contextmanager
def group_turn(group: Group, synchronizer: Synchronizer | None = None) -> Iterator[Turn]:
    """Hold the turn to enlarge arrays of a group: other writers, in all threads and processes, wait for it.

    In the block, open the group again, write the data behind the ends of its arrays (`write_part`), and call
    `Turn.grow` to write the documents at the end: readers see nothing before, and all of it then. `Turn.keep` raises
    ConflictError if the process was stopped for so long that another writer took over. A killed writer keeps others
    waiting for some seconds at most.

    On stores that cannot compare and swap (`Store.can_set_if`), this only works among the threads of this process: use
    one process at a time, or a synchronizer that all of them share.

    Parameters
    ----------
    group : Group
        The group.
    synchronizer : object, optional
        The synchronizer's lock for the document of the group is held too.

    Yields
    ------
    Turn

    Examples
    --------
    >>> import zarrds
    >>> g = zarrds.group()
    >>> z = g.array("z", [1, 2], chunks=2)
    >>> with group_turn(g) as turn:
    ...     write_part(larger(z.source(), (4,)), (slice(2, 4),), [3, 4], grown=True)
    ...     turn.grow([(z, (4,))])
    >>> g["z"][:]
    array([1, 2, 3, 4])
    """
    key = format_of(group.zarr_format).node_keys(group.path)[-1]
    check_synchronizer(synchronizer, group.path, group.store)
    with ExitStack() as held:
        held.enter_context(_thread_lock(f"{group.store!r} {key}"))
        held.enter_context(document_locked(synchronizer, group.store, key))
        turn = Turn(_claim_of(held, group.store, key))
        done = threading.Event()
        keeper = threading.Thread(target=_keep, args=(turn, done), daemon=True)
        keeper.start()
        try:
            yield turn
        finally:
            done.set()
            keeper.join()


def _claim_of(held: ExitStack, store: Store, key: str) -> Claim | None:
    """Claim a document, except in an archive: one process uses it alone, and it keeps every version of a value."""
    if not store.is_erasable():
        return None
    try:
        return held.enter_context(claimed(store, key))
    except PathNotFoundError:
        return None  # a group without a document, as N5 has them


_STEP_S = 0.05


def _keep(turn: Turn, done: threading.Event) -> None:
    """Keep the turn while its owner computes."""
    while not done.wait(_STEP_S):
        try:
            turn.keep()
        except ConflictError:
            return
        except Exception:  # a request failed: the next one, or the owner's own, will report it
            continue


class _Lock:
    """A lock of this process that disappears when nobody holds it or waits for it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()


_locks: weakref.WeakValueDictionary[str, _Lock] = weakref.WeakValueDictionary()
_mutex = threading.Lock()


@contextmanager
def _thread_lock(name: str) -> Iterator[None]:
    with _mutex:
        found = _locks.get(name)
        if found is None:
            found = _locks[name] = _Lock()
    with found.lock:
        yield


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


def settle(arrays: Sequence[Array]) -> None:
    """Wait for writers that append to a single one of these arrays; clean up after killed ones.

    Parameters
    ----------
    arrays : iterable of Array
        Arrays to which others may have appended meanwhile.
    """
    keys = [_document_key(array) for array in arrays]
    texts = get_together([(array.store, key) for array, key in zip(arrays, keys, strict=True)])
    for array, key, text in zip(arrays, keys, texts, strict=True):
        if text is not None and (has_mark(text) or array.store.was_left(key)):
            array.resize(array.shape)


def take_back(changes: Sequence[tuple[Array, Shape | ChunkSource]]) -> None:
    """Delete what was written behind the ends of arrays that did not grow to these shapes in the end.

    Parameters
    ----------
    changes : iterable
        What `grow` returned.
    """
    for array, new in changes:
        meta, after = _before_and_after(array, new)
        delete_outside(OpenSource(array.chunk_store, array.path, after), meta.shape)
        longer = [n > old for n, old in zip(after.shape, meta.shape, strict=True)]
        compares = array.chunk_store.can_set_if
        while True:
            store = _ComparingStore(array.chunk_store) if compares else array.chunk_store
            try:
                trim_edges(OpenSource(store, array.path, meta), longer)
            except _ChunkChanged:
                continue
            except _WouldDelete:
                pass  # it is all fill value now, or belongs to another writer
            break


def tidy(arrays: Sequence[Array]) -> None:
    """Delete what a writer that did not finish left behind the ends of arrays.

    Parameters
    ----------
    arrays : iterable of Array
        Arrays to be tidied.
    """
    for array in arrays:
        source = array.source().open()
        delete_behind(source)
        trim_edges(source, [True] * array.ndim)


def _document_key(array: Array) -> str:
    return format_of(array.zarr_format).node_keys(array.path)[0]


def _documents_of(arrays: Sequence[Array]) -> list[Buf | None]:
    """Return the documents of arrays, read in one batch; None for those that must be read just before they change."""
    compared = [array for array in arrays if array.store.can_set_if]
    found = iter(get_together([(array.store, _document_key(array)) for array in compared]))
    return [next(found) if array.store.can_set_if else None for array in arrays]


def _before_and_after(array: Array, new: Shape | ChunkSource) -> tuple[ArrayMeta, ArrayMeta]:
    before = array.source()
    return before.meta, (new if isinstance(new, ChunkSource) else larger(before, new)).meta


def _set_shape(array: Array, old: ArrayMeta, new: ArrayMeta, text: Buf | None = None) -> None:
    """Write the new shape, and irregular edges; raise ConflictError if another writer changed them."""
    changes: dict[str, Any] = {"shape": new.shape}
    store, key = array.store, _document_key(array)
    while True:
        text = store.get_many([(key, None)])[0] if text is None else text
        meta = None if text is None else _parsed(array, text)
        if meta is None or (meta.shape, meta.irregular) != (old.shape, old.irregular):
            raise changed_meanwhile(store, key, "shape")
        if new.irregular is not None:
            changes.update(irregular=new.irregular, chunk=replace(meta.chunk, shape=new.chunk.shape))
        ((_, document),) = format_of(meta).array_documents(array.path, changed(meta, **changes), (text,))
        if set_document(store, key, with_mark_of(document, text), text):
            return
        text = None


def _parsed(array: Array, text: Buf) -> ArrayMeta | None:
    known, key = format_of(array.zarr_format), _document_key(array)
    node = known.parse_node(array.path, [text if at == key else None for at in known.node_keys(array.path)])
    return as_stored(array.store, node) if isinstance(node, ArrayMeta) else None
