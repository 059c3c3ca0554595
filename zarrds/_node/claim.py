"""Claims: let one writer at a time do work that takes several steps, without a lock that could outlive the writer.

A claim is a mark of white space at the end of a JSON document; every reader of JSON skips it. The mark is set by
compare-and-swap (`Store.set_if`), identifies the process that works there, and is gone once the final document is
written. The mark is part of the document. So when a writer takes over from another that is dead or seems dead, the
other one can no longer write the document: its comparison fails, and it starts again.

Code that changes a document without a claim keeps the mark (`with_mark_of`), so that the owner can continue.
"""

from __future__ import annotations

import hashlib
import os
import platform
import random
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from zarrds._base.log import log
from zarrds._base.types import Buf
from zarrds._store import Store, to_bytes
from zarrds.errors import ConflictError, PathNotFoundError

__all__ = [
    "Claim",
    "ClaimLost",
    "changed_meanwhile",
    "claim_around",
    "claimed",
    "has_mark",
    "outwait",
    "registered",
    "set_document",
    "unclaimed",
    "with_mark_of",
]

_MARK = re.compile(rb"\n[ \t]{80}\Z")
_HOST_BITS, _PID_BITS, _RANDOM_BITS = 26, 22, 32

PATIENCE_S = 10.0
"""Seconds that a mark of another process may stay unchanged before its writer is assumed dead."""
OWN_PATIENCE_S = 0.25
"""The same for a thread of this process: seconds without a step."""
_RENEW_S = PATIENCE_S / 4
_PAUSE_S, _MAX_PAUSE_S, _MAX_REMOTE_PAUSE_S = 0.0005, 0.02, 0.2


class ClaimLost(Exception):
    """Another writer has taken over: what this writer wrote beyond the end of the data belongs to nobody."""


class Claim:
    """The right to work on what a document describes; see `claimed`.

    Attributes
    ----------
    store : Store
        Where the document is.
    key : str
        Its key.
    inherited : bool
        Whether the owner before did not finish, and may have left something.
    is_kept : bool
        Whether a thread keeps it (`kept`), so that threads of this process wait as long as it may take.
    over : bool
        Whether another thread, or an inner call, of this process has taken over.
    work : object
        The owner's work, for calls from inside it in the same thread.
    """

    __slots__ = (
        "_kept",
        "_mutex",
        "_renewed",
        "inherited",
        "is_kept",
        "key",
        "mark",
        "over",
        "steps",
        "store",
        "text",
        "thread",
        "work",
    )
    inherited: bool
    key: str
    mark: bytes
    store: Store
    text: bytes

    def __init__(self, store: Store, key: str, text: bytes, mark: bytes, inherited: bool) -> None:
        self.store, self.key, self.text, self.mark, self.inherited = store, key, text, mark, inherited
        self.over = self.is_kept = False
        self.work: object = None
        self.thread, self.steps = threading.get_ident(), 0
        self._kept = False
        self._renewed = _now()
        self._mutex = threading.Lock()

    @property
    def document(self) -> bytes:
        """Return the document as it is known to be stored, without the mark."""
        return _MARK.sub(b"", self.text)

    def keep(self) -> None:
        """Report progress, before each step; raise ClaimLost if another writer has taken over.

        After a pause, also one in which the process was stopped or the machine slept, the document is asked.
        """
        self.steps += 1
        if self.over:
            raise ClaimLost
        if _now() - self._renewed > _RENEW_S and self.mark:
            with self._mutex:
                if _now() - self._renewed > _RENEW_S:
                    self._renew()

    def _renew(self) -> None:
        old, new, asked = self.mark, _new_mark(), _now()
        _own[new] = self
        while not self._set(self.document + new):
            if not self.refresh():
                del _own[new]
                raise ClaimLost
        self.mark = new
        self._renewed = asked
        _own.pop(old, None)

    def refresh(self) -> bool:
        """Read the document again; return whether it still has this mark."""
        text = _read(self.store, self.key)
        if text is None or not text.endswith(self.mark):
            return False
        self.text = text
        return True

    def replace(self, change: Callable[[bytes], bytes], *, release: bool) -> bool:
        """Change the document, keeping what others changed in it meanwhile; return False if the claim is lost.

        Parameters
        ----------
        change : callable
            Returns the new document for the stored one; may be called several times.
        release : bool
            Give up the claim in the same step.
        """
        while True:
            if self._set(change(self.document) + (b"" if release else self.mark)):
                self._kept = self._kept or release
                if not (release or self.store.keeps_documents):  # the store returns another text than was written
                    self.refresh()
                return True
            if not self.refresh():
                self._kept = True  # the mark of another writer by now
                return False

    def _set(self, text: bytes) -> bool:
        if not set_document(self.store, self.key, text, self.text):
            return False
        self.text = text
        return True

    def prepare(self, change: Callable[[bytes], bytes]) -> None:
        """Say which document is to come, before anything is written. The mark says enough."""

    def is_held(self) -> bool:
        """Return whether nobody has taken over and the document is not replaced yet."""
        with self._mutex:  # while the mark is renewed, the stored one and the known one may differ
            return not self.mark or self.refresh()

    def set_if(self, store: Store, key: str, value: Buf, expected: Buf | None) -> bool:
        """Compare and set another value that the owner of the claim changes, such as a chunk."""
        return store.set_if(key, value, expected)

    @contextmanager
    def unchanging(self) -> Iterator[bytes]:
        """Give the text of the document, mark included, which no other thread renews during a block.

        Yields
        ------
        bytes
            The text.
        """
        with self._mutex:
            yield self.text

    @property
    def is_left(self) -> bool:
        """Return whether the mark is gone, or stays for the next writer."""
        return self._kept

    def abandon(self) -> None:
        """Leave the mark where it is: the next writer cleans up what this one could not."""
        self._kept = True

    def end(self) -> None:
        """Remove the mark, unless it is already gone or must stay."""
        if self.mark and not self._kept:
            self.replace(bytes, release=True)


@contextmanager
def claimed(
    store: Store,
    key: str,
    attempt: int = 0,
    *,
    text: bytes | None = None,
    change: Callable[[bytes, bool], bytes] | None = None,
    work: object = None,
    create: bytes | None = None,
) -> Iterator[Claim]:
    """Hold the claim of a document, such as that of a group or array to which data are appended.

    Others that ask for it meanwhile wait. If a writer was killed, the next one takes its claim over: at once if the
    death can be seen, else when the mark has not changed for `PATIENCE_S` seconds. So the owner calls `Claim.keep`
    before each step. It must be ready for ClaimLost there, and for False from `Claim.replace`: then another writer has
    taken over, and all work must be done again (``attempt`` + 1, which makes the writer more patient).

    What is written while a claim is held must be invisible until `Claim.replace` writes the document at the end.
    On a store that cannot compare and swap (`Store.can_set_if`) nobody is kept out: one writer at a time.

    Parameters
    ----------
    store : Store
        Where the document is.
    key : str
        Its key; the document must be there.
    attempt : int
        How often the caller has lost the claim before.
    text : bytes, optional
        The document, if the caller has just read it.
    change : callable, optional
        Changes the document in the step that sets the mark: called with the stored document and with the future value
        of `Claim.inherited`; returns the new document.
    work : object, optional
        Value of `Claim.work`.
    create : bytes, optional
        The document to create if there is none; the store must be able to compare and swap.

    Yields
    ------
    Claim

    Raises
    ------
    PathNotFoundError
        There is no document under `key`, and none is to be created.

    Examples
    --------
    >>> import zarrds
    >>> group = zarrds.group()
    >>> with claimed(group.store, ".zgroup") as claim:
    ...     claim.keep()  # and write what belongs together
    """
    claim = (create is not None and _created(store, key, create)) or None
    while claim is None:
        try:
            claim = _taken(store, key, attempt, text, change or _as_it_is, work)
        except PathNotFoundError:
            if create is None:
                raise
            claim = _created(store, key, create)  # whoever had it has deleted it
    try:
        yield claim
    except BaseException:
        with suppress(Exception):  # the first error is the one to see; the next writer finds the mark
            claim.end()
        raise
    else:
        claim.end()
    finally:
        _own.pop(claim.mark, None)


@contextmanager
def unclaimed(store: Store, key: str, work: object) -> Iterator[Claim]:
    """Return a claim that excludes nobody but is found by `claim_around`: for stores that cannot compare and swap."""
    claim = Claim(store, key, b"", b"", False)
    with registered(claim, work):
        yield claim


@contextmanager
def registered(claim: Claim, work: object) -> Iterator[None]:
    """Let `claim_around` find a claim that has no mark."""
    claim.work, name = work, b"%d" % id(claim)
    _own[name] = claim
    try:
        yield
    finally:
        _own.pop(name, None)


def claim_around(store: Store, key: str) -> Claim | None:
    """Return the claim of a document that this thread itself holds or is about to take; None if there is none.

    A lock or a store can run other code, which may come here in the same thread.
    """
    here = threading.get_ident()
    for claim in list(_own.values()) if _own else ():
        if claim.thread != here or claim.key != key:
            continue
        if claim.store is store or claim.store.place().is_same(store.place()):
            return claim
    return None


def has_mark(text: Buf) -> bool:
    """Return whether a document has a mark: of a writer at work, or of one that did not finish."""
    return _MARK.search(to_bytes(text)) is not None


def with_mark_of(document: bytes, present: Buf | None) -> bytes:
    """Return a document with the mark that the stored one has."""
    found = None if present is None else _MARK.search(to_bytes(present))
    return document if found is None else document + found[0]


def set_document(store: Store, key: str, text: bytes, expected: Buf | None) -> bool:
    """Set a document if the stored one is still as expected (if the store can compare); return whether it was set."""
    if store.can_set_if:
        return store.set_if(key, text, expected)
    store.set_many([(key, text)])
    return True


def changed_meanwhile(store: Store, key: str, what: str) -> ConflictError:
    """Return the error for a change that came too late."""
    return ConflictError(
        f"another writer changed the array while its {what} was to be set",
        store=repr(store),
        key=key,
        hint="nothing was changed: look at the array and repeat, or let writers take turns with a synchronizer",
    )


# --- taking a claim ---------------------------------------------------------------------------------------------------

_own: dict[bytes, Claim] = {}
"""Claims of this process, by their marks."""


_SLEEPLESS = getattr(
    time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None) if sys.platform == "darwin" else None
)
"""A clock that goes on while the machine sleeps; `time.monotonic` stops then, except on Windows."""


def _now() -> float:
    """Return the seconds by which the owner of a claim measures: others, elsewhere, wait while its machine sleeps."""
    ask = getattr(time, "clock_gettime", None)
    return time.monotonic() if _SLEEPLESS is None or ask is None else float(ask(_SLEEPLESS))


def _after_fork() -> None:
    _own.clear()
    _host.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _read(store: Store, key: str) -> bytes | None:
    text = store.get_many([(key, None)])[0]
    return None if text is None else to_bytes(text)


def _as_it_is(document: bytes, inherited: bool) -> bytes:
    return document


def _taken(
    store: Store,
    key: str,
    attempt: int,
    text: bytes | None,
    change: Callable[[bytes, bool], bytes],
    work: object,
) -> Claim:
    """Set our own mark, once there is no other mark or its writer is assumed dead."""
    watch, pauses = _Watch(2**attempt), _pauses(store, key)
    while True:
        text = _read(store, key) if text is None else text
        if text is None:
            raise PathNotFoundError("the document of what is to change is gone", store=repr(store), key=key)
        found = _MARK.search(text)
        inherited = found is not None or store.was_left(key)
        if not store.can_set_if:
            claim = Claim(store, key, text, b"", inherited)
            document = change(claim.document, claim.inherited)
            if document != claim.document:
                claim._set(document)
            return claim
        if found is not None and not watch.is_over(found[0]):
            time.sleep(next(pauses))
            text = None
            continue
        claim = Claim(store, key, text, _new_mark(), inherited)
        claim.work = work
        _own[claim.mark] = claim
        try:
            if claim._set(change(claim.document, claim.inherited) + claim.mark):
                if found is not None and (other := _own.get(found[0])) is not None:
                    other.over = True
                if store.was_left(key):  # by a writer that died, as others respect the mark from now on
                    claim.inherited = True
                    store.forget_left(key)
                return claim
        except BaseException:
            del _own[claim.mark]
            raise
        del _own[claim.mark]
        text = None


def outwait(store: Store, keys: Sequence[str]) -> None:
    """Wait until each of some claims is gone, or its writer is assumed dead."""
    watches, pauses = [_Watch(1) for _ in keys], _pauses(store, keys[0])
    while True:
        texts = store.get_many([(key, None) for key in keys])
        marks = [None if text is None else _MARK.search(to_bytes(text)) for text in texts]
        over = [mark is None or watch.is_over(mark[0]) for mark, watch in zip(marks, watches, strict=True)]
        if all(over):
            return
        time.sleep(next(pauses))


def _pauses(store: Store, key: str) -> Iterator[float]:
    """Yield the seconds between looks at a claim that somebody else has."""
    longest = _MAX_REMOTE_PAUSE_S if store.profile.kind == "network" else _MAX_PAUSE_S
    log.info("%r: waiting for another writer of %s", store, key)
    pause = _PAUSE_S
    while True:
        yield pause * random.uniform(0.5, 1)
        pause = min(pause * 1.5, longest)


def _created(store: Store, key: str, document: bytes) -> Claim | None:
    """Create a document with our own mark; return None if it is there already."""
    claim = Claim(store, key, document, _new_mark(), False)
    claim.text += claim.mark
    _own[claim.mark] = claim
    try:
        if store.set_if(key, claim.text, None):
            return claim
    except BaseException:
        del _own[claim.mark]
        raise
    del _own[claim.mark]
    return None


class _Watch:
    """Decides whether the writer of a mark is dead, or must be assumed dead."""

    def __init__(self, factor: int) -> None:
        self.factor = factor
        self.seen: tuple[bytes, int] = (b"", 0)
        self.since = 0.0

    def is_over(self, mark: bytes) -> bool:
        claim = _own.get(mark)
        seen = (mark, 0 if claim is None else claim.steps)
        if seen != self.seen:
            self.seen, self.since = seen, time.monotonic()
        waited = time.monotonic() - self.since
        if claim is not None:  # it cannot go on while its own thread waits
            is_silent = not claim.is_kept and waited > OWN_PATIENCE_S * self.factor
            return is_silent or claim.thread == threading.get_ident()
        return _is_dead(mark) or waited > PATIENCE_S * self.factor


def _is_dead(mark: bytes) -> bool:
    """Return whether the process of a mark is known to be dead; only processes of this machine can be checked."""
    number = int(mark[1:].replace(b" ", b"0").replace(b"\t", b"1"), 2) >> _RANDOM_BITS
    host, pid = number >> _PID_BITS, number & (2**_PID_BITS - 1)
    if host != _this_host() or os.name != "posix":
        return False
    if pid == os.getpid() & (2**_PID_BITS - 1):
        return True  # it is not among the claims of this process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # it is another user's, or the number is too large for this system
        pass
    return False


def _new_mark() -> bytes:
    number = (_this_host() << _PID_BITS) | (os.getpid() & (2**_PID_BITS - 1))
    number = (number << _RANDOM_BITS) | int.from_bytes(os.urandom(_RANDOM_BITS // 8), "big")
    bits = format(number, f"0{_HOST_BITS + _PID_BITS + _RANDOM_BITS}b")
    return b"\n" + bits.replace("0", " ").replace("1", "\t").encode()


_host: list[int] = []


def _this_host() -> int:
    """Return a number that identifies the machine or container, as process numbers are only unique within one."""
    if not _host:
        name = platform.node()
        for file in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
            with suppress(OSError):
                name += os.readlink(file) if os.path.islink(file) else Path(file).read_text()
        _host.append(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> (32 - _HOST_BITS))
    return _host[0]
