"""Long lists of chunk lengths in documents, parsed as one array: a Python number for each takes longer.

The list is cut out of the text and put back as `Edges`. Whatever is not plainly a list of lengths and pairs
stays in the text, where the ordinary parser reads or refuses it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zarrds._base.edges import Edges, Ints
from zarrds._base.types import JSON, Buf
from zarrds._format.jsondoc import loads
from zarrds.errors import ArgumentError

__all__ = ["loads_node"]

_LONG = 1 << 16
"""Bytes from which a document, and a list in it, are worth the search."""
_NAME = b'"chunk_shapes"'
_BLANKS = b" \t\r\n"
_MOST_DIGITS = 18
_MOST_DIGITS_OF_32_BITS = 9
_PLACEHOLDER = -1  # no length: in a document of others it is an error


def loads_node(text: Buf, where: str) -> JSON:
    """Parse the document of a node as `loads` does; long lists of chunk lengths are `Edges` in it."""
    raw = bytes(text)
    if len(raw) < _LONG:
        return loads(raw, where)
    short, found = _cut(raw)
    if not found:
        return loads(raw, where)
    document = loads(short, where)
    return document if _put_back(document, found) else loads(raw, where)


def _cut(text: bytes) -> tuple[bytes, tuple[Edges, ...]]:
    """Return the text without its long lists of lengths, and these lists."""
    begin = text.find(_NAME)
    if begin < 0 or text.find(_NAME, begin + 1) >= 0:
        return text, ()
    at = begin + len(_NAME)
    stop = min([end for mark in (b"}", b'"') if (end := text.find(mark, at)) >= 0], default=len(text))
    if text.find(b"-", at, stop) >= 0:
        return text, ()
    pieces, found, done = list[bytes](), list[Edges](), 0
    for opened, closed in _lists_of_axes(text[at:stop]):
        edges = _edges(text[at + opened + 1 : at + closed]) if closed - opened > _LONG else None
        if edges is not None:
            pieces += [text[done : at + opened + 1], b"[%d, %d]" % (_PLACEHOLDER, len(found))]
            found.append(edges)
            done = at + closed
    return b"".join([*pieces, text[done:]]), tuple(found)


def _lists_of_axes(text: bytes) -> list[tuple[int, int]]:
    """Return where the lists in a list begin and end."""
    data = np.frombuffer(text, np.uint8)
    places = np.flatnonzero((data == ord("[")) | (data == ord("]")))
    steps = np.where(data[places] == ord("["), 1, -1)
    depths = np.cumsum(steps)
    opened, closed = places[(depths == 2) & (steps == 1)], places[(depths == 1) & (steps == -1)]
    return list(zip(opened.tolist(), closed.tolist(), strict=False))


def _edges(raw: bytes) -> Edges | None:
    """Return the lengths and pairs ``[length, count]`` in a list; None if it is not plainly of these."""
    text = raw.translate(None, _BLANKS)
    if text.translate(None, b"0123456789,[]") or not text:
        return None
    data = np.frombuffer(b",%b," % text, np.uint8)
    begins, ends = _places_of_numbers(data)
    if not begins.size or (len(text) != len(raw) and _count_of_numbers(raw) != begins.size):
        return None  # a blank splits a number
    opens, closes = data[begins - 1] == ord("["), data[ends] == ord("]")
    if not _are_pairs(data, begins, ends, opens, closes):
        return None
    values = _decimal(data, begins, ends)
    if values is None:
        return None
    try:
        return Edges.of_lengths(values) if not opens.any() else Edges.of_runs(*_runs(values, opens, closes))
    except ArgumentError:
        return None


def _places_of_numbers(data: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where each run of digits begins, and one past its end."""
    is_digit = data - np.uint8(ord("0")) < 10  # unsigned: what is below "0" becomes large
    borders = np.flatnonzero(is_digit[1:] != is_digit[:-1])
    borders += 1
    return borders[::2], borders[1::2]


def _count_of_numbers(text: bytes) -> int:
    is_digit = np.frombuffer(text, np.uint8) - np.uint8(ord("0")) < 10
    return int(is_digit[0]) + int(np.count_nonzero(is_digit[1:] > is_digit[:-1]))


def _are_pairs(
    data: NDArray[np.uint8],
    begins: NDArray[np.intp],
    ends: NDArray[np.intp],
    opens: NDArray[np.bool_],
    closes: NDArray[np.bool_],
) -> bool:
    """Return whether one comma is between two items, and brackets are around pairs only."""
    if closes[0] or opens[-1] or (opens & closes).any() or not (closes[1:] == opens[:-1]).all():
        return False
    if begins[0] != 1 + opens[0] or ends[-1] != data.size - 1 - closes[-1]:
        return False
    commas = ends[:-1] + closes[:-1]
    return bool((data[commas] == ord(",")).all() and (begins[1:] == commas + 1 + opens[1:]).all())


def _runs(values: Ints, opens: NDArray[np.bool_], closes: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    counts = np.ones(values.size, np.int64)
    counts[opens] = values[closes]
    lengths: Ints = values[~closes]
    return lengths, counts[~closes]


def _decimal(data: NDArray[np.uint8], begins: NDArray[np.intp], ends: NDArray[np.intp]) -> Ints | None:
    """Return the numbers whose digits are between these places; None if one is long, or begins with 0."""
    sizes = ends - begins
    most = int(sizes.max())
    if most > _MOST_DIGITS or (data[begins] == ord("0")).any():
        return None
    kind = np.dtype(np.int32 if most <= _MOST_DIGITS_OF_32_BITS else np.int64)
    lasts, lengths = ends - 1, sizes.astype(np.uint8)
    values = np.subtract(data[lasts], ord("0"), dtype=kind)
    for place in range(1, most):
        is_longer = lengths > place
        if np.count_nonzero(is_longer) * 4 < is_longer.size:
            longer = np.flatnonzero(is_longer)
            values[longer] += np.subtract(data[lasts[longer] - place], ord("0"), dtype=kind) * kind.type(10**place)
        else:
            digits = (data[lasts - place] - np.uint8(ord("0"))) * is_longer  # what is no digit is multiplied by 0
            values += np.multiply(digits, kind.type(10**place), dtype=kind)
    return values.astype(np.int64, copy=False)


def _put_back(document: Any, found: tuple[Edges, ...]) -> bool:
    """Put the lists where they were; return False if they were not chunk lengths of this array."""
    try:
        shapes = document["chunk_grid"]["configuration"]["chunk_shapes"]
        marks = {axis: item[0] for axis, item in enumerate(shapes) if _is_placeholder(item)}
    except (KeyError, TypeError):
        return False
    if [number for _, number in marks.values()] != list(range(len(found))):
        return False
    for axis, (_, number) in marks.items():
        shapes[axis] = found[number]
    return True


def _is_placeholder(item: Any) -> bool:
    return isinstance(item, list) and len(item) == 1 and isinstance(item[0], list) and item[0][:1] == [_PLACEHOLDER]
