"""Copy values from store to store unchanged, in batches bounded in bytes or by the file system itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

from zarrds._store import Store, buffer_size, mover
from zarrds.errors import CopyError

__all__ = ["DOCUMENT_BYTES", "HELD_BYTES", "HELD_KEYS", "UNKNOWN_BYTES", "Absent", "Pairs", "RawCopy", "batched"]

HELD_BYTES = 16 * 2**20
"""Expected bytes of the values that are in memory at the same time."""
HELD_KEYS = 512
UNKNOWN_BYTES = HELD_BYTES // 4
"""Expected bytes of a value whose size cannot be estimated."""
DOCUMENT_BYTES = 2**15

Pairs: TypeAlias = Sequence[tuple[str, str]]
Absent: TypeAlias = Literal["raise", "skip", "delete"]


class RawCopy:
    """Copy of values between two stores.

    Parameters
    ----------
    source, dest : Store
        Stores to read and to write.
    source_path : str
        Path that the keys of the source lie below.
    absent : {"raise", "skip", "delete"}
        What to do if a value is absent in the source: raise an error as it has vanished, skip the key, or delete it in
        the destination.

    Attributes
    ----------
    copied, missing : int
        How many values were copied, and how many were absent in the source.
    """

    def __init__(self, source: Store, dest: Store, source_path: str = "", *, absent: Absent = "raise") -> None:
        self.source, self.dest = source, dest
        self._absent = absent
        self.copied = self.missing = 0
        self._move = mover(source, dest, source_path) if absent == "raise" else None

    @property
    def by_file_system(self) -> bool:
        """Return whether the file system copies the values, so that they do not pass through this process."""
        return self._move is not None

    def copy_all(self, pairs: Iterable[tuple[str, str]], expected: Callable[[str], int]) -> int:
        """Copy values, given as pairs of keys, in batches; return their bytes. `expected` estimates those of one."""
        return sum(self._copy(batch) for batch in batched(pairs, expected))

    def _copy(self, pairs: Pairs) -> int:
        if self._move is not None:
            nbytes = self._move(pairs)
            self.copied += len(pairs)
            return nbytes
        values = self.source.get_many([(key, None) for key, _ in pairs])
        if self._absent == "raise" and any(value is None for value in values):
            gone = next(key for (key, _), value in zip(pairs, values, strict=True) if value is None)
            raise CopyError("a value vanished from the source while it was copied", store=repr(self.source), key=gone)
        found = [(new, value) for (_, new), value in zip(pairs, values, strict=True) if value is not None]
        self.copied += len(found)
        self.missing += len(pairs) - len(found)
        if found:
            self.dest.set_many(found)
        if self._absent == "delete" and len(found) < len(pairs):
            self.dest.delete_many([new for (_, new), value in zip(pairs, values, strict=True) if value is None])
        return sum(buffer_size(value) for _, value in found)


def batched(pairs: Iterable[tuple[str, str]], expected: Callable[[str], int]) -> Iterator[list[tuple[str, str]]]:
    """Yield lists of keys whose expected bytes stay within the limit of one batch; a single value may exceed it."""
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
