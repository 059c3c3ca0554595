"""Windows of chunks, and the loop that runs codecs which ask for byte ranges in several rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias, TypeVar

from zarrds._base.config import get_config
from zarrds._base.log import log
from zarrds._base.types import NDArrayAny, Request
from zarrds._codec import ReadSteps
from zarrds._engine.source import OpenSource
from zarrds._plan import Plan, Projection
from zarrds._store import CHANGED, PlainReader, RangeReader, VersionReader
from zarrds.errors import ChunkDecodeError

__all__ = ["StepsOf", "network_windows", "read_parts", "read_ranges", "window_length", "windows"]

Item = TypeVar("Item")


def window_length(source: OpenSource, plan: Plan, threads: int) -> int:
    """Return the number of chunks per window: bounded in bytes, enough windows for all threads, large on a network."""
    config = get_config()
    by_bytes = max(1, config.window_bytes // max(1, source.meta.chunk.nbytes) // threads)
    if source.store.profile.kind == "network":
        return min(by_bytes, config.window_requests)
    return max(1, min(by_bytes, 64, -(-len(plan) // (4 * threads)) if threads > 1 else 64))


def network_windows(source: OpenSource, plan: Plan) -> tuple[int, int]:
    """Return the number of chunks per window on a network, and how many windows may be in memory at a time.

    Little is moved in whole windows, so that it takes few rounds. Much is moved in quarters of a window, of which up to
    eight are in memory: some are on their way while others are decoded or encoded.
    """
    config, nbytes = get_config(), max(1, source.meta.chunk.nbytes)
    length = window_length(source, plan, 1)
    if len(plan) * nbytes <= config.window_bytes // 4:
        return length, 4
    if length * nbytes > config.window_bytes // 4:
        length = max(1, length // 4)
    return length, max(2, min(8, 2 * config.window_bytes // (length * nbytes)))


def windows(items: Iterable[Item], length: int) -> Iterator[list[Item]]:
    """Cut a plan, or keys, into lists of at most `length`."""
    rest = iter(items)
    while window := list(islice(rest, length)):
        yield window


StepsOf: TypeAlias = Callable[[int, RangeReader, bool], ReadSteps]
"""Starts to read a projection of a window: ``steps_of(number, reader, again)``; `again` if it was replaced."""

_ATTEMPTS = 3
"""Attempts to read a part of a value by ranges while others replace the value; after them it is read whole."""


def read_parts(source: OpenSource, window: Sequence[Projection], steps_of: StepsOf) -> list[NDArrayAny | None]:
    """Read one part per projection by rounds of byte ranges; None for an absent chunk.

    All parts of a chunk come from one version of it: if another writer replaces it meanwhile, it is read again. On a
    network each round is one batch for all chunks; elsewhere the chunks are read one by one, so that few files are
    open.
    """
    found: list[NDArrayAny | None] = [None] * len(window)
    if source.store.profile.kind == "network":
        _read_all(source, window, steps_of, list(range(len(window))), found)
    else:
        for i in range(len(window)):
            _read_all(source, window, steps_of, [i], found)
    return found


def read_ranges(source: OpenSource, window: Sequence[Projection], steps_of: StepsOf) -> list[NDArrayAny | None]:
    """Read one part per projection, each by one byte range, all in one batch; None for an absent chunk."""
    found: list[NDArrayAny | None] = [None] * len(window)
    reader = PlainReader(source.store)
    _advance(source, window, [(i, steps_of(i, reader, False)) for i in range(len(window))], reader, found)
    return found


def _read_all(
    source: OpenSource,
    window: Sequence[Projection],
    steps_of: StepsOf,
    numbers: list[int],
    found: list[NDArrayAny | None],
) -> None:
    reader = source.store.reader()
    attempt = 1
    while True:
        try:
            waiting = [(i, steps_of(i, reader, attempt > 1)) for i in numbers]
            numbers = _advance(source, window, waiting, reader, found)
        finally:
            reader.close()
        if not numbers:
            return
        attempt += 1
        whole = attempt > _ATTEMPTS or not reader.tells
        reader = VersionReader(source.store, whole=True) if whole else source.store.reader()


def _advance(
    source: OpenSource,
    window: Sequence[Projection],
    begun: list[tuple[int, ReadSteps]],
    reader: RangeReader,
    found: list[NDArrayAny | None],
) -> list[int]:
    """Run all rounds; return the numbers of the projections whose chunks changed meanwhile."""
    changed: list[int] = []
    waiting = [(i, steps, next(steps)) for i, steps in begun]
    while waiting:
        requests: list[Request] = [
            (source.key(window[i].coords), wanted) for i, _, ranges in waiting for wanted in ranges
        ]
        answers = iter(reader.get_many(requests))
        still_waiting = []
        for i, steps, ranges in waiting:
            given = [next(answers) for _ in ranges]
            if any(answer is CHANGED for answer in given):
                log.debug("%s changed while it was read: reading it again", source.key(window[i].coords))
                changed.append(i)
                continue
            try:
                still_waiting.append((i, steps, steps.send(given)))  # type: ignore[arg-type]
            except StopIteration as done:
                found[i] = done.value
            except ChunkDecodeError as error:
                source.located(error, window[i].coords)
                raise
        waiting = still_waiting
    return changed
