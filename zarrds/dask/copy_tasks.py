"""Tasks of a copy of encoded values: a batch of chunks each, and the documents at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import compress
from time import time
from typing import Any

from zarrds import _node
from zarrds._base.types import Buf, ByteRange
from zarrds._copy import (
    HELD_BYTES,
    HELD_KEYS,
    IfExists,
    OnError,
    Verify,
    check_values,
    differing_separator,
    reported,
    same_values,
    spelled_out,
)
from zarrds._engine import OpenSource, windows
from zarrds._format import GroupMeta, format_of, node_key
from zarrds._store import Store, StoreSpec, ancestors, buffer_size, copier, join_path, sizes_of
from zarrds.dask.key_ranges import KeyBatch
from zarrds.dask.progress import tell_bytes
from zarrds.dask.receipts import JobNotes
from zarrds.dask.reports import CopyReport

__all__ = ["CopyWork", "begin", "copy_documents", "copy_keys"]

EXISTS = ByteRange(0, 1)


@dataclass(frozen=True, slots=True)
class CopyWork:
    """Arguments that all tasks of one copy share.

    Attributes
    ----------
    source, dest : StoreSpec
        Stores of source and destination.
    source_path, dest_path : str
        What is copied, and where it goes.
    zarr_format : int
        Format of groups that are made above the destination.
    if_exists, verify, on_error, dry_run
        See `zarrds.dask.copy_store`.
    notes : JobNotes, optional
        Where batches are recorded that are done.
    """

    source: StoreSpec
    dest: StoreSpec
    source_path: str
    dest_path: str
    zarr_format: int
    if_exists: IfExists
    verify: Verify | None = None
    on_error: OnError = "raise"
    dry_run: bool = False
    notes: JobNotes | None = None


def begin(work: CopyWork, batch: None, after: Any = None) -> CopyReport:
    """Record in the destination that the copy is at work."""
    if work.notes is not None:
        work.notes.begin()
    return CopyReport()


def copy_keys(work: CopyWork, batch: KeyBatch, after: Any = None) -> CopyReport:
    """Copy some chunks in rounds of bounded size, and leave a receipt if all of them were copied."""
    started, report = time(), CopyReport(dry_run=work.dry_run)
    for keys in batch.ranges:
        # decoded bytes of the chunks that are copied at once: encoded values are seldom larger
        held = max(1, min(HELD_KEYS, HELD_BYTES // keys.chunk_bytes))
        decoder = None
        if keys.meta is not None:
            decoder = OpenSource(work.dest.open(), join_path(work.dest_path, keys.path), keys.meta)
        for some in windows(keys, held):
            report += reported(partial(_copy_chunks, work, decoder), some, str, work.on_error)
    if work.notes is not None and report.ok:
        work.notes.leave(batch.number, keys=batch.count() - report.missing, if_exists=work.if_exists)
    tell_bytes(report.bytes)
    return report.since(started)


def copy_documents(work: CopyWork, keys: Sequence[str], chunks: CopyReport) -> CopyReport:
    """Copy documents in the given order, after the chunks; return the receipts of both in one.

    No document is copied if a chunk was not, so that no reader takes an absent chunk for fill value.
    """
    if not chunks.ok:
        return chunks
    started, report = time(), chunks
    for some in windows(keys, HELD_KEYS):
        kept, todo = _parted(work, some)
        report += replace(_copy_values(work, None, todo, is_document=True), skipped=len(kept), missing=0)
    if not work.dry_run:
        _groups_above(work)
    work.dest.open().flush()
    if work.notes is not None:
        work.notes.remove()
    return report.since(started)


def _groups_above(work: CopyWork) -> None:
    """Create the groups that are lacking above the destination."""
    dest, group = work.dest.open(), GroupMeta(zarr_format=work.zarr_format)
    missing = [path for path in ancestors(work.dest_path) if not _node.contains_group(dest, path)]
    for path in reversed(missing):
        dest.set_many(format_of(group).group_documents(path, group))


def _copy_chunks(work: CopyWork, decoder: OpenSource | None, keys: Sequence[str]) -> CopyReport:
    """Copy some chunks, without those that stay as they are in the destination."""
    kept, todo = _parted(work, keys)
    # each on its own: a chunk that was copied, and fails its check then, is not one that stayed as it was
    report = reported(partial(_check_kept, work, decoder), kept, str, work.on_error)
    return report + reported(partial(_copy_values, work, decoder), todo, str, work.on_error)


def _parted(work: CopyWork, keys: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the keys whose values in the destination stay as they are, and the others."""
    source, dest, pairs = work.source.open(), work.dest.open(), _pairs(work, keys)
    if work.if_exists == "skip":
        kept = [found is not None for found in dest.get_many([(new, EXISTS) for _, new in pairs])]
    elif work.if_exists == "skip_same":
        kept = same_values(source, dest, pairs)
    else:
        return [], list(keys)
    return list(compress(keys, kept)), [key for key, keep in zip(keys, kept, strict=True) if not keep]


def _pairs(work: CopyWork, keys: Sequence[str]) -> list[tuple[str, str]]:
    """Return each key in the source and in the destination."""
    return [(node_key(work.source_path, key), node_key(work.dest_path, key)) for key in keys]


def _check_kept(work: CopyWork, decoder: OpenSource | None, keys: Sequence[str]) -> CopyReport:
    """Check chunks that stay as they are: those that are the same as in the source may be damaged there too."""
    if work.if_exists == "skip_same" and work.verify == "read" and not work.dry_run:
        check_values(work.source.open(), work.dest.open(), _pairs(work, keys), work.verify, decoder)
    return CopyReport(skipped=len(keys))


def _copy_values(
    work: CopyWork, decoder: OpenSource | None, keys: Sequence[str], *, is_document: bool = False
) -> CopyReport:
    """Copy the values of some keys together."""
    source, dest, pairs = work.source.open(), work.dest.open(), _pairs(work, keys)
    sizes = _sizes(work, source, dest, pairs, decoder, is_document) if pairs else []
    found = [size for size in sizes if size is not None]
    report = CopyReport(len(found), bytes=sum(found), missing=len(pairs) - len(found), dry_run=work.dry_run)
    if work.if_exists in ("replace", "skip_same") and report.missing and not work.dry_run:
        dest.delete_many([new for (_, new), size in zip(pairs, sizes, strict=True) if size is None])
    return report


def _sizes(
    work: CopyWork,
    source: Store,
    dest: Store,
    pairs: Sequence[tuple[str, str]],
    decoder: OpenSource | None,
    is_document: bool,
) -> list[int | None]:
    """Copy values, or only ask for them in a dry run; return their sizes, None for an absent value."""
    if work.dry_run:
        return sizes_of(source, [key for key, _ in pairs])
    copy = None if is_document else copier(source, dest)
    if copy is not None:
        sizes = copy(pairs)
        if work.verify is not None:
            check_values(source, dest, pairs, work.verify, decoder, sizes=sizes)
        return sizes
    values = source.get_many([(key, None) for key, _ in pairs])
    separator = differing_separator(source, dest) if is_document else None
    found: list[tuple[str, Buf]] = []
    for (_, new), value in zip(pairs, values, strict=True):
        if value is not None:
            found.append((new, value if separator is None else spelled_out(new, value, separator)))
    if found:
        dest.set_many(found)
    sizes = [None if value is None else buffer_size(value) for value in values]
    if work.verify is not None and not is_document:
        check_values(source, dest, pairs, work.verify, decoder, sizes=sizes, values=values)
    return sizes
