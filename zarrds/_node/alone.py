"""Let one writer at a time replace a node by several requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from zarrds._node.claim import Claim, ClaimLost, claimed
from zarrds._node.delete import expect_ours, remove
from zarrds._store import WRITER_KEY, Store, level
from zarrds.sync import Synchronizer, locked

__all__ = ["clear", "kept", "release", "writer_claim"]

_TEXT = b'{"zarrds": "a task is replacing what lies below this path; this file is deleted when it is done"}'


@contextmanager
def writer_claim(store: Store, path: str, synchronizer: Synchronizer | None = None) -> Iterator[Claim | None]:
    """Hold the right to replace everything below a path: others that ask for it meanwhile wait.

    The claim is that of a key of its own directly below the path, which is gone at the end. If it is gone before, or
    lost, somebody else has replaced the node. The arguments are those of `zarrds.parallel.replacing_turn`.

    Yields
    ------
    Claim or None
        None if the store cannot compare and swap, or cannot delete keys: then only the lock excludes others.
    """
    key = level(path) + WRITER_KEY
    with locked(synchronizer, [key]):
        if not (store.can_set_if and store.is_erasable()):
            yield None
            return
        with claimed(store, key, create=_TEXT) as claim:
            try:
                yield claim
            except BaseException:
                with suppress(Exception):  # the first error is the one to see; the next writer takes the claim over
                    release(claim)
                raise
            release(claim)


_STEP_S = 0.05


@contextmanager
def kept(claim: Claim | None) -> Iterator[None]:
    """Keep a claim during a block by a thread, also while its owner computes or waits for the store.

    Yields
    ------
    None
        Nothing.
    """
    if claim is None or not claim.mark:
        yield
        return
    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(claim, done), daemon=True)
    claim.is_kept = True
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()
        claim.is_kept = False


def _keep(claim: Claim, done: threading.Event) -> None:
    while not done.wait(_STEP_S):
        try:
            claim.keep()
        except ClaimLost:
            return
        except Exception:  # a request failed: the next one, or the owner's own, will report it
            continue


def release(claim: Claim) -> bool:
    """Delete the key of a `writer_claim` if it is still there; return whether nobody had deleted or taken it.

    Called again it does nothing.
    """
    if claim.is_left:
        return True
    claim.abandon()
    if not claim.refresh():
        return False
    claim.store.delete_many([claim.key])
    return True


def clear(claim: Claim, path: str) -> None:
    """Delete everything below the path of a `writer_claim`, but not the claim.

    Raises
    ------
    ForeignFilesError
        There are files that belong to no hierarchy; nothing was deleted.
    """
    store = claim.store
    below = expect_ours(store, path)
    if set(below.keys) <= {claim.key}:
        return
    with claim.unchanging() as text:
        replaced = store.replace_below(path, [(claim.key, text)])
    if not replaced:
        remove(store, path, below, kept=claim.key)
