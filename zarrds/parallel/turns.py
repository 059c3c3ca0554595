"""Writers that take turns to enlarge the arrays of a group."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from zarrds._base.types import Buf, Shape
from zarrds._engine import ChunkSource, OpenSource, delete_behind, delete_outside, trim_edges
from zarrds._format import ArrayMeta, format_of
from zarrds._node import (
    Claim,
    ClaimLost,
    as_stored,
    changed_meanwhile,
    check_synchronizer,
    claimed,
    document_locked,
    has_mark,
    kept,
    set_document,
    with_mark_of,
)
from zarrds._store import Store, at_once, get_together
from zarrds.core import Array
from zarrds.core.larger import larger
from zarrds.core.resize import changed
from zarrds.errors import ConflictError, PathNotFoundError
from zarrds.hierarchy import Group
from zarrds.parallel.parts import trim_part
from zarrds.sync import Synchronizer

__all__ = ["Turn", "group_turn", "settle", "take_back", "tidy"]


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

    def grow(self, changes: Sequence[tuple[Array, Shape | ChunkSource]], documents: Sequence[Buf | None] = ()) -> None:
        """Write the new shapes of arrays whose data are written; all of them, or none.

        If the process ends or the store fails in between, the next owner of the turn sees `inherited`.

        Parameters
        ----------
        changes : sequence of (Array, tuple of int or ChunkSource)
            Arrays as they were before, and their new shapes, or what `larger` returned.
        documents : sequence of bytes or None
            Their documents if these were read during the turn (`settle`); others are read in one batch.

        Raises
        ------
        ConflictError
            Another writer changed the shape of one of them meanwhile, or took over; then none has grown.
        """
        self.keep()
        if not changes:
            return
        texts = _documents_of([array for array, _ in changes], documents)
        done: list[tuple[Array, ArrayMeta, ArrayMeta]] = []

        def change(number: int) -> None:
            array, new = changes[number]
            before, after = _before_and_after(array, new)
            _set_shape(array, before, after, texts[number])
            done.append((array, before, after))

        try:
            at_once(changes[0][0].store, change, range(len(changes)))
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

    def pass_on(self) -> None:
        """If the writer before did not finish, let the one after this turn see `inherited`, too."""
        if self._claim is not None and self._claim.inherited:
            self._claim.abandon()

    @property
    def inherited(self) -> bool:
        """Whether the writer before did not finish, so that some of the arrays may have grown and others not."""
        return self._claim is not None and self._claim.inherited

    @property
    def is_lost(self) -> bool:
        """Whether another writer took over."""
        if self._claim is not None and not self._lost:
            self._lost = not self._claim.is_held()
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
    >>> from zarrds.parallel import group_turn, larger, write_part
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
        claim = _claim_of(held, group.store, key)
        with kept(claim):
            yield Turn(claim)


def _claim_of(held: ExitStack, store: Store, key: str) -> Claim | None:
    """Claim a document, except in an archive: one process uses it alone, and it keeps every version of a value."""
    if not store.is_erasable():
        return None
    try:
        return held.enter_context(claimed(store, key))
    except PathNotFoundError:
        return None  # a group without a document, as N5 has them


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


def settle(arrays: Sequence[Array]) -> list[Buf | None]:
    """Wait for writers that append to a single one of these arrays; clean up after killed ones.

    Parameters
    ----------
    arrays : sequence of Array
        Arrays to which others may have appended meanwhile.

    Returns
    -------
    list of bytes or None
        Their documents, read in one batch, for `Turn.grow`; None for those that have changed here.
    """
    keys = [_document_key(array) for array in arrays]
    texts = get_together([(array.store, key) for array, key in zip(arrays, keys, strict=True)])
    for number, (array, key, text) in enumerate(zip(arrays, keys, texts, strict=True)):
        if text is not None and (has_mark(text) or array.store.was_left(key)):
            array.resize(array.shape)
            texts[number] = None
    return texts


def take_back(changes: Sequence[tuple[Array, Shape | ChunkSource]]) -> None:
    """Delete what was written behind the ends of arrays that did not grow to these shapes in the end.

    Parameters
    ----------
    changes : sequence of (Array, tuple of int or ChunkSource)
        The arrays as they are, and the shapes that they were to get, as for `Turn.grow`.
    """
    for array, new in changes:
        meta, after = _before_and_after(array, new)
        delete_outside(OpenSource(array.chunk_store, array.path, after), meta.shape)
        longer = [n > old for n, old in zip(after.shape, meta.shape, strict=True)]
        trim_part(array, longer)


def tidy(arrays: Sequence[Array]) -> None:
    """Delete what a writer that did not finish left behind the ends of arrays.

    Parameters
    ----------
    arrays : sequence of Array
        The arrays.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.parallel import tidy
    >>> z = zarrds.array(range(4), chunks=2)
    >>> z.store["2"] = z.store["1"]  # as a writer leaves it that was killed before it changed the shape
    >>> tidy([z])
    >>> "2" in z.store
    False
    """
    for array in arrays:
        source = array.source().open()
        delete_behind(source)
        trim_edges(source, [True] * array.ndim)


def _document_key(array: Array) -> str:
    return format_of(array.zarr_format).node_keys(array.path)[0]


def _documents_of(arrays: Sequence[Array], known: Sequence[Buf | None]) -> list[Buf | None]:
    """Return the documents of arrays, those that are not known read in one batch.

    None for those that must be read just before they change, as nobody compares what is replaced.
    """
    found = list(known) or [None] * len(arrays)
    missing = [n for n, array in enumerate(arrays) if found[n] is None and array.store.can_set_if]
    read = get_together([(arrays[n].store, _document_key(arrays[n])) for n in missing])
    for number, text in zip(missing, read, strict=True):
        found[number] = text
    return [text if array.store.can_set_if else None for array, text in zip(arrays, found, strict=True)]


def _before_and_after(array: Array, new: Shape | ChunkSource) -> tuple[ArrayMeta, ArrayMeta]:
    before = array.source()
    return before.meta, (new if isinstance(new, ChunkSource) else larger(before, new)).meta


def _set_shape(array: Array, old: ArrayMeta, new: ArrayMeta, text: Buf | None = None) -> None:
    """Write the new shape, and irregular edges; raise ConflictError if another writer changed them."""
    store, key = array.store, _document_key(array)
    while True:
        text = store.get_many([(key, None)])[0] if text is None else text
        meta = None if text is None else _parsed(array, text)
        if meta is None or (meta.shape, meta.irregular) != (old.shape, old.irregular):
            raise changed_meanwhile(store, key, "shape")
        grown = changed(meta, shape=new.shape, irregular=new.irregular)
        ((_, document),) = format_of(meta).array_documents(array.path, grown, (text,))
        if set_document(store, key, with_mark_of(document, text), text):
            return
        text = None


def _parsed(array: Array, text: Buf) -> ArrayMeta | None:
    known, key = format_of(array.zarr_format), _document_key(array)
    node = known.parse_node(array.path, [text if at == key else None for at in known.node_keys(array.path)])
    return as_stored(array.store, node) if isinstance(node, ArrayMeta) else None
