"""Cut byte ranges out of values, merge nearby ranges into one request, and split the answers again; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from zarrds._base.types import Buf, ByteRange, Request

__all__ = [
    "Flat",
    "Merged",
    "buffer_size",
    "byte_view",
    "coalesce",
    "cut",
    "range_bounds",
    "same_bytes",
    "split_answers",
    "to_bytes",
]

Flat: TypeAlias = bytes | bytearray | memoryview


def byte_view(value: Buf) -> Flat:
    """Return the bytes of `value` as a flat sequence, without a copy if its memory is contiguous."""
    if isinstance(value, (bytes, bytearray)):
        return value
    if isinstance(value, np.ndarray):
        return value.ravel(order="A").view(np.uint8).data if value.size else b""
    view = memoryview(value)
    if view.ndim == 1 and view.format == "B" and view.c_contiguous:
        return view
    return memoryview(view.tobytes("A"))


def to_bytes(value: Buf) -> bytes:
    """Return `value` as bytes; a copy unless it is bytes already."""
    return value if type(value) is bytes else bytes(byte_view(value))


def same_bytes(value: Buf | None, expected: Buf | None) -> bool:
    """Return whether two values have the same bytes; None (absent) equals only None."""
    if value is None or expected is None:
        return value is expected
    return byte_view(value) == byte_view(expected)


def buffer_size(value: Buf) -> int:
    """Return the size of `value` in bytes."""
    return len(value) if isinstance(value, (bytes, bytearray)) else value.nbytes


def range_bounds(byte_range: ByteRange, size: int) -> tuple[int, int]:
    """Return the start and end of `byte_range` in a value of `size` bytes, cut like a slice."""
    start, stop = byte_range
    if start < 0:
        return max(0, size + start), size
    if stop is None or stop > size:
        stop = size
    return (start, stop) if start < stop else (min(start, size), min(start, size))


def cut(value: Buf, byte_range: ByteRange | None) -> Buf:
    """Return the bytes of `value` in `byte_range`, without a copy; `value` itself for None.

    Examples
    --------
    >>> from zarrds._base.types import ByteRange
    >>> bytes(cut(b"abcdef", ByteRange(1, 3))), bytes(cut(b"abcdef", ByteRange(-2))), bytes(cut(b"abc", ByteRange(9)))
    (b'bc', b'ef', b'')
    """
    if byte_range is None:
        return value
    flat = byte_view(value)
    start, stop = range_bounds(byte_range, len(flat))
    return memoryview(flat)[start:stop]


class Merged(NamedTuple):
    """Merged requests, and where they answer the original ones.

    Attributes
    ----------
    requests : list of Request
        Requests to send.
    places : list of (int, ByteRange or None)
        For each original request: the number of the answer that holds it, and its range there (None: all of it).
    """

    requests: list[Request]
    places: list[tuple[int, ByteRange | None]]


def coalesce(requests: Sequence[Request], *, max_gap_bytes: int) -> Merged:
    """Merge ranges of the same key with gaps of at most `max_gap_bytes`.

    1. If a key is requested whole, it is fetched once, and its ranges are cut from it.
    2. Ranges with a start and an end are sorted by start and joined if the gap is small enough.
    3. Suffixes and open ranges are not merged, as their position or end is unknown.
    """
    by_key: dict[str, list[int]] = {}
    for number, (key, _) in enumerate(requests):
        by_key.setdefault(key, []).append(number)
    if len(by_key) == len(requests):
        return Merged(list(requests), [(number, None) for number in range(len(requests))])
    sent: list[Request] = []
    places: list[tuple[int, ByteRange | None]] = [(0, None)] * len(requests)
    for key, numbers in by_key.items():
        _merge_key(key, [(number, requests[number][1]) for number in numbers], max_gap_bytes, sent, places)
    return Merged(sent, places)


def _merge_key(
    key: str,
    wanted: list[tuple[int, ByteRange | None]],
    max_gap_bytes: int,
    sent: list[Request],
    places: list[tuple[int, ByteRange | None]],
) -> None:
    if any(byte_range is None for _, byte_range in wanted):
        for number, byte_range in wanted:
            places[number] = (len(sent), byte_range)
        sent.append((key, None))
        return
    bounded: list[tuple[int, int, int]] = []
    for number, byte_range in wanted:
        if byte_range is None or byte_range.start < 0 or byte_range.stop is None:
            places[number] = (len(sent), None)
            sent.append((key, byte_range))
        else:
            bounded.append((byte_range.start, max(byte_range.start, byte_range.stop), number))
    for start, stop, members in _runs(sorted(bounded), max_gap_bytes):
        for first, last, number in members:
            places[number] = (len(sent), ByteRange(first - start, last - start))
        sent.append((key, ByteRange(start, stop)))


def _runs(ranges: list[tuple[int, int, int]], max_gap_bytes: int) -> list[tuple[int, int, list[tuple[int, int, int]]]]:
    """Group sorted (start, stop, number) with small gaps; return (start, stop, members) of each group."""
    runs: list[tuple[int, int, list[tuple[int, int, int]]]] = []
    for item in ranges:
        if runs and item[0] - runs[-1][1] <= max_gap_bytes:
            start, stop, members = runs[-1]
            members.append(item)
            runs[-1] = (start, max(stop, item[1]), members)
        else:
            runs.append((item[0], item[1], [item]))
    return runs


def split_answers(merged: Merged, answers: Sequence[Buf | None]) -> list[Buf | None]:
    """Return the answers to the original requests, from the answers to the merged ones."""
    found: list[Buf | None] = []
    for number, byte_range in merged.places:
        answer = answers[number]
        found.append(None if answer is None else cut(answer, byte_range))
    return found
