"""A document in a local directory that one writer changes while the system's lock keeps all others out.

The lock ends with the process. What a killed writer has begun shows in a hidden file, the next document, which is there
from before the first change until the document is replaced by it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from zarrds._base.types import Buf
from zarrds._store.backends.files import publish_file, unlink_quietly, write_atomically, write_file
from zarrds._store.exclusive import LockedDirectory, NoDirectoryLocks
from zarrds._store.request import buffer_size, same_bytes
from zarrds._store.wrappers import trace

if TYPE_CHECKING:
    from zarrds._store.backends.directory import DirectoryStore

__all__ = ["LockedDocument", "is_next_document", "next_document", "opened"]

_NEXT = ".000000000000-1.partial"
"""End of the name of the next document: named like a temporary file, so no store lists it."""


def next_document(place: str) -> str:
    """Return the name of the hidden file with the next document of the one at `place`."""
    return place + _NEXT


def is_next_document(name: str) -> bool:
    """Return whether a file is a next document, which the next writer needs and then removes."""
    return name.endswith(_NEXT)


def opened(store: DirectoryStore, key: str) -> LockedDocument | None:
    """Lock the document under a key; return None if there is none, or if its directory cannot be locked."""
    place = store.file_of(key)
    try:
        lock = LockedDirectory(os.path.dirname(place))
    except (NoDirectoryLocks, FileNotFoundError, NotADirectoryError):
        return None
    try:
        text = store.stored(key)
        if text is not None:
            return LockedDocument(store, key, lock, text)
    except BaseException:
        lock.close()
        raise
    lock.close()
    return None


class LockedDocument:
    """A document that no other writer changes until `close`, unless that writer does not ask for the lock.

    Attributes
    ----------
    text : bytes
        The document as it was read last.
    was_left : bool
        Whether a writer was killed in the middle of a change, and nobody has cleaned up since.
    replaced : bool
        Whether the document was replaced here.
    """

    replaced: bool
    text: bytes
    was_left: bool

    def __init__(self, store: DirectoryStore, key: str, lock: LockedDirectory, text: bytes) -> None:
        self._store, self._key, self._lock, self.text = store, key, lock, text
        self._place = store.file_of(key)
        self._directory = os.path.dirname(self._place)
        self._next = next_document(self._place)
        self._prepared: bytes | None = None
        self.was_left, self.replaced = os.path.lexists(self._next), False

    def prepare(self, text: bytes) -> None:
        """Store the next document, hidden: if this process is killed, others see that it was changing something."""
        self._prepared = text
        with self._store.failing("cannot write", self._key):
            write_file(self._next, text, self._store.fsync)

    def replace(self, text: bytes) -> bool:
        """Replace the document if it is still as it was read last; return whether it was replaced."""
        if self._read(self._key) != self.text:
            return False
        with self._store.failing("cannot write", self._key):
            if text == self._prepared:
                try:
                    publish_file(self._next, self._place, self._store.fsync)
                except FileNotFoundError:  # another process has removed the whole directory
                    return False
                self._prepared = None
            else:
                write_atomically(self._place, text, self._store.fsync)
        self.replaced = True
        self._report("set", self._key, text)
        self.text = text
        return True

    def refresh(self) -> bool:
        """Read the document again; return whether there is one."""
        text = self._read(self._key)
        if text is not None:
            self.text = text
        return text is not None

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        """Do what `Store.set_if` does, also for keys in the directory that is locked already."""
        place = self._store.file_of(key)
        if os.path.dirname(place) != self._directory:
            return self._store.set_if(key, value, expected)
        if not same_bytes(self._read(key), expected):
            return False
        with self._store.failing("cannot write", key):
            write_atomically(place, value, self._store.fsync)
        self._report("set", key, value)
        return True

    def forget(self) -> None:
        """Remove the hidden document: nothing is left to be cleaned up."""
        unlink_quietly(self._next)
        self._prepared, self.was_left = None, False

    def leave(self) -> None:
        """Keep the hidden document beyond `close`: the next writer must clean up."""
        self._prepared = None

    def close(self) -> None:
        """Release the lock; remove the hidden document that was prepared here, if it did not replace the other one."""
        try:
            if self._prepared is not None:
                self.forget()
        finally:
            self._lock.close()

    def _read(self, key: str) -> bytes | None:
        text = self._store.stored(key)
        self._report("get", key, text or b"")
        return text

    def _report(self, verb: str, key: str, value: Buf) -> None:
        if trace.is_open():
            trace.record([trace.Entry(verb, key, buffer_size(value))])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()
