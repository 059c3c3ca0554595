"""Windows of chunks, and the driver that advances codecs which ask for byte ranges in rounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from zarrds._codec.base import ReadSteps
from zarrds._config import get_config
from zarrds._engine.source import OpenSource
from zarrds._plan.plan import Plan, Projection
from zarrds._types import ByteRange, NDArrayAny, Request
from zarrds.errors import ChunkDecodeError

__all__ = ["read_parts", "window_length", "windows"]

Item = TypeVar("Item")


def window_length(source: OpenSource, plan: Plan, threads: int) -> int:
    """Chunks of one window: bounded in bytes; enough windows for the threads; large ones on a network."""
    config = get_config()
    by_bytes = max(1, config.window_bytes // max(1, source.meta.chunk.nbytes) // threads)
    if source.store.profile.kind == "network":
        return min(by_bytes, config.window_requests)
    return max(1, min(by_bytes, 64, -(-len(plan) // (4 * threads)) if threads > 1 else 64))


def windows(items: Iterable[Item], length: int) -> Iterator[list[Item]]:
    """Cut a plan, or keys, into lists of at most `length`."""
    rest = iter(items)
    while window := list(islice(rest, length)):
        yield window


def read_parts(
    source: OpenSource, window: Sequence[Projection], all_steps: Sequence[ReadSteps] | None = None
) -> list[NDArrayAny | None]:
    """Read one part per projection by rounds of byte ranges; each round is one batch. None: the chunk is absent."""
    found: list[NDArrayAny | None] = [None] * len(window)
    waiting: list[tuple[int, ReadSteps, Sequence[ByteRange | None]]] = []
    if all_steps is None:
        all_steps = [source.codec.read(projection.chunk_part) for projection in window]
    for i, steps in enumerate(all_steps):
        waiting.append((i, steps, next(steps)))
    while waiting:
        requests: list[Request] = [
            (source.key(window[i].coords), wanted) for i, _, ranges in waiting for wanted in ranges
        ]
        answers = iter(source.store.get_many(requests))
        still_waiting = []
        for i, steps, ranges in waiting:
            try:
                still_waiting.append((i, steps, steps.send([next(answers) for _ in ranges])))
            except StopIteration as done:
                found[i] = done.value
            except ChunkDecodeError as error:
                source.located(error, window[i].coords)
                raise
        waiting = still_waiting
    return found
