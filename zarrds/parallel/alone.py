"""Replace a node by several requests while others that do the same wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zarrds._node import Claim, check_synchronizer, clear, delete_node, kept, release, writer_claim
from zarrds._store import Store
from zarrds.errors import ConflictError
from zarrds.parallel.turns import Turn
from zarrds.sync import Synchronizer

__all__ = ["ReplacingTurn", "replacing_turn"]


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
        """Delete everything at and below the path.

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


def _replaced(store: Store, path: str) -> ConflictError:
    return ConflictError(
        "another task replaced this meanwhile, so that what is there may be of both",
        store=repr(store),
        path=path,
        hint="repeat it: that deletes what is there first",
    )
