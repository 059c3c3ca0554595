"""Tasks of a copy that decodes and encodes: each reads and writes blocks of whole chunks of the destination."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from time import time
from typing import Any

from zarrds import _node
from zarrds._base.edges import Grid, chunk_region
from zarrds._convert import Found, documents_of
from zarrds._copy import failed, same_elements
from zarrds._engine import OpenSource, read, write
from zarrds._format import ArrayMeta, grid_shape
from zarrds._plan import plan_selection
from zarrds.attrs import Attributes
from zarrds.dask.batches import coords_between
from zarrds.dask.copy_tasks import CopyWork
from zarrds.dask.progress import tell_bytes
from zarrds.dask.reports import CopyReport
from zarrds.errors import CopyError

__all__ = ["NewDocuments", "RecodeBatch", "RecodeRange", "begin_nodes", "recode_blocks", "write_documents"]


@dataclass(frozen=True, slots=True)
class RecodeRange:
    """Some blocks of one array that is decoded and encoded.

    Attributes
    ----------
    path, new_path : str
        Path of the array in the source and in the destination.
    old, new : ArrayMeta
        Its metadata there.
    block : tuple of (int or Edges)
        Shape of a block: whole chunks (or shards) of the destination.
    write_empty_chunks : bool
        Whether chunks that are all fill value are stored.
    start, stop : int
        First block, and one past the last, in C order.
    """

    path: str
    new_path: str
    old: ArrayMeta
    new: ArrayMeta
    block: Grid
    write_empty_chunks: bool
    start: int
    stop: int

    def regions(self) -> Iterator[tuple[slice, ...]]:
        """Yield the regions of the blocks."""
        grid = grid_shape(self.new.shape, self.block)
        for at in coords_between(grid, self.start, self.stop):
            yield chunk_region(self.block, at, self.new.shape)


@dataclass(frozen=True, slots=True)
class RecodeBatch:
    """Blocks that one task recodes, and the name of its receipt."""

    name: str
    ranges: tuple[RecodeRange, ...]


@dataclass(frozen=True, slots=True)
class NewDocuments:
    """Nodes whose documents are written when all chunks are there.

    Attributes
    ----------
    arrays, groups : tuple of Found
        New nodes, the deepest first.
    updated : tuple of Found
        Groups that exist, which get more attributes.
    """

    arrays: tuple[Found, ...]
    groups: tuple[Found, ...]
    updated: tuple[Found, ...]


def begin_nodes(work: CopyWork, replaced: tuple[str, ...], after: Any = None) -> CopyReport:
    """Delete the nodes that are replaced, and record that the copy is at work."""
    store = work.dest.open()
    if work.notes is None or not work.notes.is_there():
        for path in replaced:
            _node.delete_node(store, path)
    if work.notes is not None:
        work.notes.begin()
    return CopyReport()


def recode_blocks(work: CopyWork, batch: RecodeBatch, after: Any = None) -> CopyReport:
    """Copy the elements of some blocks, one at a time, and leave a receipt if all of them were copied."""
    started, report = time(), CopyReport(dry_run=work.dry_run)
    for some in batch.ranges:
        source = OpenSource(work.source.open(), some.path, some.old)
        dest = OpenSource(work.dest.open(), some.new_path, some.new)
        for region in some.regions():
            report += _recode_or_report(work, some, source, dest, region)
    if work.notes is not None and report.ok:
        work.notes.leave(batch.name, keys=report.copied)
    tell_bytes(report.bytes)
    return report.since(started)


def _recode_or_report(
    work: CopyWork, some: RecodeRange, source: OpenSource, dest: OpenSource, region: tuple[slice, ...]
) -> CopyReport:
    try:
        return _recode(work, some, source, dest, region)
    except Exception as error:  # of any class: stores raise errors of their own
        if work.on_error == "raise":
            raise
        where = ", ".join(f"{part.start}:{part.stop}" for part in region)
        return failed(f"{some.path}[{where}]", error)


def _recode(
    work: CopyWork, some: RecodeRange, source: OpenSource, dest: OpenSource, region: tuple[slice, ...]
) -> CopyReport:
    """Copy the elements of one block."""
    old = plan_selection(region, some.old.shape, some.old.write_unit, "basic")
    new = plan_selection(region, some.new.shape, some.new.write_unit, "basic")
    nbytes = prod(part.stop - part.start for part in region) * max(1, some.new.dtype.itemsize)
    if work.dry_run:
        return CopyReport(len(new), bytes=nbytes, dry_run=True)
    block = read(source, old, threads=1)
    # chunks of an earlier run, or of a node that was here before, are deleted where they are empty now
    stored = write(dest, new, block, threads=1, write_empty_chunks=some.write_empty_chunks)
    if work.verify in ("read", "hash"):
        found = read(dest, new, threads=1)
        if work.verify == "hash" and not same_elements(block, found):
            raise CopyError("the copy has other elements than the source", store=repr(dest.store), path=some.new_path)
    return CopyReport(stored, bytes=nbytes)


def write_documents(work: CopyWork, documents: NewDocuments, chunks: CopyReport) -> CopyReport:
    """Write the documents of all nodes, after the chunks; return the receipts of both in one.

    No document is written if a chunk was not copied, so that no reader takes an absent chunk for fill value.
    """
    if not chunks.ok:
        return chunks
    started, store, count, nbytes = time(), work.dest.open(), 0, 0
    for found in (*documents.arrays, *documents.groups):
        for texts in documents_of(found):
            if texts and not work.dry_run:
                store.set_many(texts)
            count += len(texts)
            nbytes += sum(len(text) for _, text in texts)
    for found in documents.updated if not work.dry_run else ():
        if found.attributes:
            Attributes(store, _node.attributes_key(found.path, found.node)).update(found.attributes)
    store.flush()
    if work.notes is not None:
        work.notes.remove()
    return (chunks + CopyReport(count, bytes=nbytes, dry_run=work.dry_run)).since(started)
