"""Let one writer at a time replace a node by several requests, and none while others add to it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from zarrds._node.claim import Claim, claim_around, claimed, has_mark, outwait
from zarrds._node.delete import Below, expect_ours, remove
from zarrds._store import WRITER_KEY, Store, ancestors, is_writer_key, level
from zarrds.sync import Synchronizer, locked

__all__ = ["adding_claim", "below_alone", "clear", "release", "writer_claim"]

_REPLACING = b'{"zarrds": "a task is replacing what lies below this path; this file is deleted when it is done"}'
_ADDING = b'{"zarrds": "a task is adding to what lies below this path; this file is deleted when it is done"}'


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
        if not _can_claim(store):
            yield None
            return
        with _claimed_below(store, key, _REPLACING, ancestors(path), release) as claim:
            yield claim


@contextmanager
def adding_claim(store: Store, path: str) -> Iterator[Claim | None]:
    """Let those who ask for the right to replace a node, or one above it, wait; wait first for one who has it.

    Any number of tasks may add to a node at the same moment. Each has a key of its own, and looks for the key of
    `writer_claim` after it has set its own; who replaces the node looks after having set that key. So one of the two
    sees the other. The arguments are those of `zarrds.parallel.adding_to`.

    Yields
    ------
    Claim or None
        None if the store cannot compare and swap, or cannot delete keys: then nobody waits.
    """
    if not _can_claim(store):
        yield None
        return
    key = f"{level(path)}{WRITER_KEY}-{uuid.uuid4().hex[:16]}"
    with _claimed_below(store, key, _ADDING, [*ancestors(path), path], _delete) as claim:
        yield claim


def _can_claim(store: Store) -> bool:
    return store.can_set_if and store.is_erasable()


@contextmanager
def _claimed_below(
    store: Store, key: str, text: bytes, above: Sequence[str], end: Callable[[Claim], object]
) -> Iterator[Claim]:
    """Hold the claim of a key, created for this, once nobody replaces what is below one of the paths above it."""
    while True:
        with claimed(store, key, create=text) as claim:
            try:
                replaced = _first_replaced(store, above)
                if replaced is None:
                    yield claim
            except BaseException:
                with suppress(Exception):  # the first error is the one to see; the next writer takes the claim over
                    end(claim)
                raise
            end(claim)
        if replaced is None:
            return
        with writer_claim(store, replaced):
            pass  # whoever had it is done


def _first_replaced(store: Store, paths: Sequence[str]) -> str | None:
    """Return the first of some paths below which another task is replacing everything; None if there is none."""
    keys = [level(path) + WRITER_KEY for path in paths]
    texts = store.get_many([(key, None) for key in keys]) if keys else []
    for path, key, text in zip(paths, keys, texts, strict=True):
        if text is not None and has_mark(text) and claim_around(store, key) is None:
            return path
    return None


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


def _delete(claim: Claim) -> None:
    """Delete the key of a claim that nobody else asks for."""
    claim.abandon()
    claim.store.delete_many([claim.key])


def below_alone(claim: Claim, path: str) -> Below:
    """Return what is below the path of a `writer_claim` once nobody adds to it any more.

    Raises
    ------
    ForeignFilesError
        There are files that belong to no hierarchy.
    """
    below, seen = expect_ours(claim.store, path), {claim.key}
    while others := [key for key in below.keys if is_writer_key(key) and key not in seen]:
        seen.update(others)
        outwait(claim.store, others)
        below = expect_ours(claim.store, path)
    return below


def clear(claim: Claim, path: str) -> None:
    """Delete everything below the path of a `writer_claim`, but not the claim, once nobody adds to it any more.

    Raises
    ------
    ForeignFilesError
        There are files that belong to no hierarchy; nothing was deleted.
    """
    store, below = claim.store, below_alone(claim, path)
    if set(below.keys) <= {claim.key}:
        return
    with claim.unchanging() as text:
        replaced = store.replace_below(path, [(claim.key, text)])
    if not replaced:
        remove(store, path, below, kept=claim.key)
