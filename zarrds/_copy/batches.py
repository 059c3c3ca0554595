"""Values moved from store to store as they are: batches bounded in bytes, or the work of the file system."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

from zarrds._store import Store, buffer_size, mover
from zarrds.errors import CopyError

__all__ = ["DOCUMENT_BYTES", "HELD_BYTES", "UNKNOWN_BYTES", "Absent", "Pairs", "RawCopy", "batched"]

HELD_BYTES = 16 * 2**20
"""Bytes of values that are held at once, as far as their sizes can be foreseen."""
HELD_KEYS = 512
UNKNOWN_BYTES = HELD_BYTES // 4
"""What a value is expected to have of which nothing is known."""
DOCUMENT_BYTES = 2**15

Pairs: TypeAlias = Sequence[tuple[str, str]]
Absent: TypeAlias = Literal["raise", "skip", "delete"]


class RawCopy:
    """Copies values between two stores.

    Parameters
    ----------
    source, dest : Store
        From where to where.
    source_path : str
        Path that the keys of the source lie below.
    absent : {"raise", "skip", "delete"}
        What it means when the source does not hold a value: that it vanished, that there need not be one, or that the
        destination must not hold it either.
    """

    def __init__(self, source: Store, dest: Store, source_path: str = "", *, absent: Absent = "raise") -> None:
        self.source, self.dest = source, dest
        self._absent = absent
        self._move = mover(source, dest, source_path) if absent == "raise" else None

    @property
    def by_file_system(self) -> bool:
        """Whether values never come through this process."""
        return self._move is not None

    def copy_all(self, pairs: Iterable[tuple[str, str]], expected: Callable[[str], int]) -> int:
        """Copy values, given as pairs of keys, in batches; `expected` foresees the bytes of one. Returns all bytes."""
        return sum(self._copy(batch) for batch in batched(pairs, expected))

    def _copy(self, pairs: Pairs) -> int:
        if self._move is not None:
            return self._move(pairs)
        values = self.source.get_many([(key, None) for key, _ in pairs])
        if self._absent == "raise" and any(value is None for value in values):
            gone = next(key for (key, _), value in zip(pairs, values, strict=True) if value is None)
            raise CopyError("a value vanished from the source while it was copied", store=repr(self.source), key=gone)
        found = [(new, value) for (_, new), value in zip(pairs, values, strict=True) if value is not None]
        if found:
            self.dest.set_many(found)
        if self._absent == "delete" and len(found) < len(pairs):
            self.dest.delete_many([new for (_, new), value in zip(pairs, values, strict=True) if value is None])
        return sum(buffer_size(value) for _, value in found)


def batched(pairs: Iterable[tuple[str, str]], expected: Callable[[str], int]) -> Iterator[list[tuple[str, str]]]:
    """Cut into lists that are expected to have no more bytes than may be held; one value may exceed that."""
    batch: list[tuple[str, str]] = []
    held = 0
    for pair in pairs:
        size = expected(pair[0])
        if batch and (held + size > HELD_BYTES or len(batch) == HELD_KEYS):
            yield batch
            batch, held = [], 0
        batch.append(pair)
        held += size
    if batch:
        yield batch
