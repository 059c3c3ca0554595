"""Replace a node by several requests while others that replace it, or add to it, wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zarrds._node import Claim, adding_claim, check_synchronizer, clear, delete_node, kept, release, writer_claim
from zarrds._store import Store
from zarrds.errors import ConflictError
from zarrds.parallel.turns import Turn
from zarrds.sync import Synchronizer

__all__ = ["ReplacingTurn", "adding_to", "replacing_turn"]


class ReplacingTurn(Turn):
    """The turn of one writer to replace a node; see `replacing_turn`.

    Parameters
    ----------
    claim : object or None
        The claim of the node; None if the store cannot compare and swap.
    store : Store
        Where the node is.
    path : str
        Its path.
    """

    def __init__(self, claim: Claim | None, store: Store, path: str) -> None:
        super().__init__(claim)
        self._store, self._path = store, path

    def clear(self) -> None:
        """Delete everything at and below the path, once those who hold `adding_to` there are done.

        Raises
        ------
        ForeignFilesError
            There are files that belong to no hierarchy; nothing was deleted.
        ConflictError
            Another writer took over because this one seemed dead.
        """
        self.keep()
        if self._claim is None:
            delete_node(self._store, self._path)
        else:
            clear(self._claim, self._path)

    def expect_kept(self) -> None:
        """Raise ConflictError if somebody else has replaced the node, or began to; this costs a request."""
        if self.is_lost:
            raise _replaced(self._store, self._path)


@contextmanager
def replacing_turn(store: Store, path: str, synchronizer: Synchronizer | None = None) -> Iterator[ReplacingTurn]:
    """Hold the turn to replace a node by several requests: others that ask for it, in all processes, wait.

    So do those that ask for `adding_to` of the node or of one below it; `ReplacingTurn.clear` waits for those who have
    it already.

    Parameters
    ----------
    store : Store
        Where the node is.
    path : str
        Its path; nothing need be there.
    synchronizer : object, optional
        Its lock for the key ``.zarrds-writer`` below the path is held too. Without one, nobody is kept out on stores
        that cannot compare and swap (`Store.can_set_if`).

    Yields
    ------
    ReplacingTurn

    Raises
    ------
    ConflictError
        At the end: somebody who does not wait for turns has replaced or deleted the node meanwhile.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.parallel import replacing_turn
    >>> g = zarrds.group()
    >>> z = g.array("z", [1, 2, 3])
    >>> with replacing_turn(g.store, "z") as turn:
    ...     turn.clear()
    ...     z = g.array("z", [4, 5])
    ...     turn.expect_kept()
    >>> g["z"][:]
    array([4, 5])
    """
    check_synchronizer(synchronizer, path, store)
    with writer_claim(store, path, synchronizer) as claim:
        with kept(claim):
            yield ReplacingTurn(claim, store, path)
        if claim is not None and not release(claim):
            raise _replaced(store, path)


@contextmanager
def adding_to(store: Store, path: str) -> Iterator[None]:
    """Add to a node by several requests: whoever holds the `replacing_turn` of it, or of one above it, comes before.

    Any number of tasks may add at the same moment. Whoever wants to replace the node waits until they are done; a task
    that was killed keeps nobody waiting for more than some seconds. What was opened before the block may have been
    replaced until then: open it in the block. Where the store cannot compare and swap (`Store.can_set_if`) nobody
    waits.

    Parameters
    ----------
    store : Store
        Where the node is.
    path : str
        Its path; nothing need be there.

    Yields
    ------
    None
        Nothing; the key ``.zarrds-writer-...`` below the path is there during the block.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.parallel import adding_to
    >>> g = zarrds.group()
    >>> with adding_to(g.store, ""):
    ...     z = g.array("z", [1, 2, 3])
    >>> sorted(g.store)
    ['.zgroup', 'z/.zarray', 'z/0']
    """
    with adding_claim(store, path) as claim, kept(claim):
        yield


def _replaced(store: Store, path: str) -> ConflictError:
    return ConflictError(
        "another task replaced this meanwhile, so that what is there may be of both",
        store=repr(store),
        path=path,
        hint="repeat it: that deletes what is there first",
    )
