"""Convert the chunks of an array: copy the bytes if both formats can describe them, else decode and encode.

A chunk (or shard) of the source becomes whole chunks of the destination; no two of the source share one of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from zarrds._convert.plan import Step
from zarrds._copy import Absent, block_shape, blocks, copy_chunks, possible_chunks
from zarrds._engine import ChunkKeys, OpenSource, read, write
from zarrds._format import ArrayMeta
from zarrds._plan import plan_selection
from zarrds._store import Store

__all__ = ["NOTES", "clear_chunks", "move_chunks", "move_stored", "open_both"]

NOTES = ".zarrds-tmp-convert"
"""Directory below an array that several processes convert; its keys record which parts are done."""


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


def move_stored(source: OpenSource, dest: OpenSource, *, raw: bool) -> None:
    """Convert all chunks that are stored."""
    coords, absent = possible_chunks(source)
    move_chunks(source, dest, coords, raw=raw, absent=absent)


def move_chunks(
    source: OpenSource,
    dest: OpenSource,
    coords: Iterable[tuple[int, ...]],
    *,
    raw: bool,
    absent: Absent,
    threads: int | None = None,
) -> None:
    """Convert the chunks at some coordinates of the source.

    Parameters
    ----------
    source, dest : OpenSource
        Arrays to read and to write.
    coords : iterable of tuple of int
        Coordinates of chunks, or shards, of the source.
    raw : bool
        Whether their bytes are copied without decoding.
    absent : {"raise", "skip", "delete"}
        What to do if a chunk is absent in the source; with "delete" the destination may have chunks already.
    threads : int, optional
        Threads that decode and encode; by default chosen by the engine.
    """
    if raw:
        copy_chunks(source, dest, coords, absent)
    else:
        _reencode(source, dest, coords, absent == "delete", threads)


def _reencode(
    source: OpenSource, dest: OpenSource, coords: Iterable[tuple[int, ...]], is_dirty: bool, threads: int | None
) -> None:
    """Decode and encode chunks in blocks of bounded size; each covers whole chunks of the destination."""
    shape, unit = source.meta.shape, source.meta.write_unit
    lengths = block_shape(unit, dest.meta.write_unit, unit, max(1, source.meta.dtype.itemsize))
    for at in coords:
        origin = [place * length for place, length in zip(at, unit, strict=True)]
        inside = [min(n, length - o) for n, o, length in zip(unit, origin, shape, strict=True)]
        for part in blocks(inside, lengths):
            region = tuple(slice(o + s.start, o + s.stop) for o, s in zip(origin, part, strict=True))
            found = read(source, plan_selection(region, shape, unit, "basic"), threads=threads)
            if not is_dirty and dest.is_empty(found):
                continue  # the destination has no chunks that must be deleted
            to = plan_selection(region, shape, dest.meta.write_unit, "basic")
            write(dest, to, found, threads=threads, write_empty_chunks=False)
