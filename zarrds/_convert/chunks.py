"""Convert the chunks of an array: copy the bytes if both formats can describe them, else decode and encode.

A chunk (or shard) of the source becomes whole chunks of the destination; no two of the source share one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from math import prod

from zarrds._base.types import NDArrayAny
from zarrds._convert.plan import Step
from zarrds._copy import (
    HELD_BYTES,
    HELD_KEYS,
    Absent,
    CopyReport,
    OnError,
    Verify,
    block_shape,
    blocks,
    check_values,
    copy_chunks,
    expected_bytes,
    possible_chunks,
    reported,
    same_elements,
    same_values,
)
from zarrds._engine import ChunkKeys, OpenSource, read, stored_chunks, windows, write
from zarrds._format import ArrayMeta
from zarrds._plan import Plan, plan_selection
from zarrds._store import Store, sizes_of
from zarrds.errors import ChunkDecodeError, CopyError

__all__ = ["NOTES", "Moving", "clear_chunks", "move_chunks", "move_stored", "open_both", "units_of"]

NOTES = ".zarrds-tmp-convert"
"""Directory below an array that several processes convert; its keys record which parts are done."""


@dataclass(frozen=True, slots=True)
class Moving:
    """How the chunks of an array are converted.

    Attributes
    ----------
    raw : bool
        Whether their bytes are copied without decoding.
    verify : {"size", "read", "hash"}, optional
        What is checked of each chunk after it was written.
    compares : bool
        Whether chunks of the destination that are the same already stay as they are.
    on_error : {"raise", "report"}
        What happens when a chunk cannot be converted, or is not as `verify` expects it.
    dry_run : bool
        Whether chunks are only counted.
    """

    raw: bool = True
    verify: Verify | None = None
    compares: bool = False
    on_error: OnError = "raise"
    dry_run: bool = False


def open_both(source: Store, dest: Store, step: Step) -> tuple[OpenSource, OpenSource]:
    """Open the chunks of an array as they are, and as they will be."""
    old, new = step.old.node, step.new.node
    assert isinstance(old, ArrayMeta)
    assert isinstance(new, ArrayMeta)
    return OpenSource(source, step.old.path, old), OpenSource(dest, step.new.path, new)


def clear_chunks(dest: OpenSource) -> None:
    """Delete chunks that a stopped run, or another program, has left; delete the notes about them first."""
    notes, chunks, chunk_keys = [], [], ChunkKeys(dest)
    for key in dest.store.keys_below(dest.prefix):
        name = key[len(dest.prefix) :]
        if name.startswith(f"{NOTES}/"):
            notes.append(key)
        elif chunk_keys.coords(key) is not None:
            chunks.append(key)
    for keys in (notes, chunks):
        if keys:
            dest.store.delete_many(keys)


def move_stored(source: OpenSource, dest: OpenSource, how: Moving) -> CopyReport:
    """Convert all chunks that are stored; where chunks are compared, delete those that the source does not have."""
    coords, absent = possible_chunks(source)
    if how.compares:
        coords, absent = iter({*coords, *units_of(source, dest)}), "delete"
    return move_chunks(source, dest, coords, how, absent=absent)


def units_of(source: OpenSource, dest: OpenSource) -> set[tuple[int, ...]]:
    """Return the chunks of the source that belong to chunks stored at the destination."""
    lengths = list(zip(dest.meta.chunk.shape, source.meta.chunk.shape, strict=True))
    return {tuple(c * new // old for c, (new, old) in zip(at, lengths, strict=True)) for at in stored_chunks(dest)}


def move_chunks(
    source: OpenSource,
    dest: OpenSource,
    coords: Iterable[tuple[int, ...]],
    how: Moving,
    *,
    absent: Absent,
    threads: int | None = None,
) -> CopyReport:
    """Convert the chunks at some coordinates of the source; return what was done.

    Parameters
    ----------
    source, dest : OpenSource
        Arrays to read and to write.
    coords : iterable of tuple of int
        Coordinates of chunks, or shards, of the source.
    how : Moving
        Whether they are decoded, compared and checked.
    absent : {"raise", "skip", "delete"}
        What to do if a chunk is absent in the source; with "delete" the destination may have chunks already.
    threads : int, optional
        Threads that decode and encode; by default chosen by the engine.
    """
    if how == Moving():
        return copy_chunks(source, dest, coords, absent)
    if not how.raw and how.on_error == "raise":
        return _reencode(source, dest, coords, how, absent == "delete", threads)
    report = CopyReport(dry_run=how.dry_run)
    held = max(1, min(HELD_KEYS, HELD_BYTES // max(1, expected_bytes(source.meta)))) if how.raw else 1

    def move(some: Sequence[tuple[int, ...]]) -> CopyReport:
        if how.raw:
            return _copy_differing(source, dest, some, how, absent)
        return _reencode(source, dest, some, how, absent == "delete", threads)

    for some in windows(coords, held):
        report += reported(move, some, source.key, how.on_error)
    return report


def _copy_differing(
    source: OpenSource, dest: OpenSource, coords: Sequence[tuple[int, ...]], how: Moving, absent: Absent
) -> CopyReport:
    """Copy the bytes of some chunks, without those that are the same already where chunks are compared."""
    same, todo = [], coords
    if how.compares:
        equal = same_values(source.store, dest.store, [(source.key(at), dest.key(at)) for at in coords])
        same = list(compress(coords, equal))
        todo = [at for at, is_same in zip(coords, equal, strict=True) if not is_same]

    # each on its own: a chunk that was copied, and fails its check then, is not one that was the same before
    kept = reported(partial(_check_kept, source, dest, how), same, source.key, how.on_error)
    return kept + reported(partial(_copy_checked, source, dest, how, absent), todo, source.key, how.on_error)


def _check_kept(source: OpenSource, dest: OpenSource, how: Moving, coords: Sequence[tuple[int, ...]]) -> CopyReport:
    """Check chunks that are the same as in the source already: they may be damaged there too."""
    if how.verify == "read" and not how.dry_run:
        _check(source, dest, coords, how.verify)
    return CopyReport(skipped=len(coords))


def _check(source: OpenSource, dest: OpenSource, coords: Sequence[tuple[int, ...]], verify: Verify) -> None:
    pairs = [(source.key(at), dest.key(at)) for at in coords]
    check_values(source.store, dest.store, pairs, verify, dest)


def _copy_checked(
    source: OpenSource, dest: OpenSource, how: Moving, absent: Absent, coords: Sequence[tuple[int, ...]]
) -> CopyReport:
    """Copy the bytes of some chunks, and check them."""
    if how.dry_run:
        sizes = sizes_of(source.store, [source.key(at) for at in coords])
        found = [size for size in sizes if size is not None]
        return CopyReport(len(found), bytes=sum(found), missing=len(sizes) - len(found), dry_run=True)
    report = copy_chunks(source, dest, coords, absent)
    if how.verify is not None:
        _check(source, dest, coords, how.verify)
    return report


def _reencode(
    source: OpenSource,
    dest: OpenSource,
    coords: Iterable[tuple[int, ...]],
    how: Moving,
    is_dirty: bool,
    threads: int | None,
) -> CopyReport:
    """Decode and encode chunks in blocks of bounded size; each covers whole chunks of the destination."""
    shape, unit = source.meta.shape, source.meta.chunk.shape
    lengths = block_shape(unit, dest.meta.chunk.shape, unit, max(1, source.meta.dtype.itemsize))
    report = CopyReport(dry_run=how.dry_run)
    for at in coords:
        if how.dry_run and not how.compares and sizes_of(source.store, [source.key(at)]) == [None]:
            continue  # it is read as fill values, which are not stored
        origin = [place * length for place, length in zip(at, unit, strict=True)]
        inside = [min(n, length - o) for n, o, length in zip(unit, origin, shape, strict=True)]
        for part in blocks(inside, lengths):
            region = tuple(slice(o + s.start, o + s.stop) for o, s in zip(origin, part, strict=True))
            report += _reencode_block(source, dest, region, how, is_dirty, threads)
    return report


def _reencode_block(
    source: OpenSource, dest: OpenSource, region: tuple[slice, ...], how: Moving, is_dirty: bool, threads: int | None
) -> CopyReport:
    to = plan_selection(region, source.meta.shape, dest.meta.write_unit, "basic")
    if how.dry_run and not how.compares:
        nbytes = prod(part.stop - part.start for part in region) * source.meta.dtype.itemsize
        return CopyReport(len(to), bytes=nbytes, dry_run=True)
    found = read(source, plan_selection(region, source.meta.shape, source.meta.write_unit, "basic"), threads=threads)
    if not is_dirty and dest.is_empty(found):
        return CopyReport()  # the destination has no chunks that must be deleted
    if how.compares and _holds(dest, to, found, threads):
        return CopyReport(skipped=len(to), dry_run=how.dry_run)
    if how.dry_run:
        return CopyReport(len(to), bytes=found.nbytes, dry_run=True)
    stored = write(dest, to, found, threads=threads, write_empty_chunks=False)
    if how.verify in ("read", "hash"):
        there = read(dest, to, threads=threads)
        if how.verify == "hash" and not same_elements(found, there):
            raise CopyError("the copy has other elements than the source", store=repr(dest.store), path=dest.path)
    return CopyReport(stored, bytes=found.nbytes)


def _holds(dest: OpenSource, to: Plan, wanted: NDArrayAny, threads: int | None) -> bool:
    """Return whether chunks of the destination decode to some elements already."""
    try:
        return same_elements(wanted, read(dest, to, threads=threads))
    except ChunkDecodeError:
        return False  # a damaged chunk is written again
