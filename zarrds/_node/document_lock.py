"""Claim a document by a lock of the store: cheaper than a mark, for short work, where the store has such locks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zarrds._base.types import Buf
from zarrds._node.claim import Claim, has_mark, registered, set_document
from zarrds._store import LockedDocument, Store

__all__ = ["LockedClaim", "locked", "set_unless_left"]


class LockedClaim(Claim):
    """The right to work on what a document describes, by a lock of the store instead of a mark: see `locked`."""

    __slots__ = ("_locked",)

    def __init__(self, store: Store, key: str, locked: LockedDocument) -> None:
        super().__init__(store, key, locked.text, b"", locked.was_left)
        self._locked = locked

    def refresh(self) -> bool:
        """Read the document again; return whether it is still there, without the mark of another writer."""
        there = self._locked.refresh()
        self.text = self._locked.text
        return there and not has_mark(self.text)

    def prepare(self, change: Callable[[bytes], bytes]) -> None:
        """Store the document that is to come, hidden, before anything is written: a kill is seen by it."""
        self._locked.prepare(change(self.text))

    def is_held(self) -> bool:
        """Return whether the document is not replaced yet, by anybody."""
        known = self._locked.text
        return not self._locked.replaced and self.refresh() and known == self.text

    def set_if(self, store: Store, key: str, value: Buf, expected: Buf | None) -> bool:
        """Compare and set a value of the store; its directory may be locked by this claim."""
        return self._locked.set_if(key, value, expected)

    def _set(self, text: bytes) -> bool:
        if not self._locked.replace(text):
            return False
        self.text = text
        return True

    def abandon(self) -> None:
        """Keep the hidden document: the next writer cleans up what this one could not."""
        self._locked.leave()


@contextmanager
def locked(store: Store, key: str, work: object) -> Iterator[LockedClaim | None]:
    """Claim a document by a lock of the store, for short work that runs no code of others.

    Yield None, without a lock, if the store has no such locks, if there is no document, or if a writer without locks
    has claimed it: then use `claimed`. Others that ask for the lock or the claim wait.
    """
    found = store.lock_document(key)
    if found is None:
        yield None
        return
    with found:
        if has_mark(found.text):
            found.close()
            yield None
            return
        claim = LockedClaim(store, key, found)
        with registered(claim, work):
            yield claim


def set_unless_left(store: Store, key: str, text: bytes, expected: Buf) -> bool:
    """Do as `set_document` does, but return False if a killed writer has left something behind (`Store.was_left`)."""
    found = store.lock_document(key)
    if found is None:
        return set_document(store, key, text, expected)
    with found:
        return not found.was_left and found.text == expected and found.replace(text)
