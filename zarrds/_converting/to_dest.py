"""Conversion into another place: chunks first, then the documents of their array, those of groups at the end.

An array whose documents are there is complete; one that a stopped run has left without them is copied again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from zarrds import _nodes
from zarrds._converting.documents import expect_written, still_to_do, write_nodes
from zarrds._converting.plan import Step, has_consolidated, nodes_in, plan_steps
from zarrds._copying.blocks import block_shape, blocks, copy_encoded
from zarrds._copying.stores import refuse_self_copy
from zarrds._engine.bulk import stored_chunks
from zarrds._engine.source import OpenSource
from zarrds._format.grid import box_coords, chunk_count, grid_shape
from zarrds._format.meta import ArrayMeta, GroupMeta
from zarrds._store.base import Store
from zarrds._store.place import place_of
from zarrds.core import Array
from zarrds.errors import ContainsArrayError, ContainsGroupError, ReadOnlyError

__all__ = ["convert_to"]

_ENUMERATED = 10_000
"""Grids with more chunks are listed: most of a huge one may be absent."""


def convert_to(
    source: Store, path: str, dest: Store, dest_path: str, number: int, to: int, say: Callable[[str], None]
) -> None:
    """Convert the hierarchy of format `number` at a path of `source` to one of format `to` at a path of `dest`."""
    if not dest.is_writeable():
        raise ReadOnlyError(store=repr(dest), path=dest_path or None)
    refuse_self_copy(place_of(getattr(source, "files", source), path), place_of(dest, dest_path), "raise")
    documents = _nodes.documents_below(source, path, number)
    steps = plan_steps(source, path, nodes_in(source, documents, number), to, dest_path, exact=False)
    todo = _to_do(dest, dest_path, steps, to)
    _require_groups_above(dest, dest_path, to)
    for step in reversed(todo):
        if isinstance(step.new.node, ArrayMeta):
            say(f"{'copy' if step.raw else 'encode'} /{step.new.path} {step.new.node.shape} {step.new.node.dtype}")
            _move_chunks(source, dest, step)
            if step is not steps[0]:
                write_nodes(dest, [step], [step], consolidated=False)
    missing = [step for step in todo if isinstance(step.new.node, GroupMeta) or step is steps[0]]
    if missing:
        write_nodes(dest, missing, steps, has_consolidated(source, path, number))
    dest.flush()
    expect_written(dest, steps, to)


def _to_do(dest: Store, dest_path: str, steps: Sequence[Step], to: int) -> list[Step]:
    """What an earlier run has not done; anything else at the destination is refused."""
    documents = _nodes.documents_below(dest, dest_path)
    wanted = {step.new.path for step in steps}
    present = nodes_in(dest, documents, to)
    for found in (
        *nodes_in(dest, documents, 5 - to).values(),
        *(at for where, at in present.items() if where not in wanted),
    ):
        error = ContainsArrayError if isinstance(found.node, ArrayMeta) else ContainsGroupError
        raise error(store=repr(dest), path=found.path or "/", hint="convert to an empty place")
    return still_to_do(dest, steps, present)


def _require_groups_above(dest: Store, dest_path: str, to: int) -> None:
    """Make the groups above the destination, of its format."""
    parent = dest_path.rpartition("/")[0]
    if dest_path and not isinstance(_nodes.find_node(dest, parent, to), GroupMeta):
        _nodes.create_group(dest, parent, GroupMeta(zarr_format=to))


# --- chunks -----------------------------------------------------------------------------------------------------------


def _move_chunks(source: Store, dest: Store, step: Step) -> None:
    old, new = step.old.node, step.new.node
    assert isinstance(old, ArrayMeta)
    assert isinstance(new, ArrayMeta)
    reader, writer = OpenSource(source, step.old.path, old), OpenSource(dest, step.new.path, new)
    left = [writer.key(at) for at in stored_chunks(writer)]
    if left:
        dest.delete_many(left)  # of a stopped run, or of who knows whom
    if step.raw:
        copy_encoded(reader, writer)
    else:
        _encode_anew(reader, writer)


def _encode_anew(source: OpenSource, dest: OpenSource) -> None:
    """Read and write the parts that are stored, block by block; each covers whole chunks of the destination."""
    reader = Array(source.store, source.path, read_only=True, _meta=source.meta)
    writer = Array(dest.store, dest.path, write_empty_chunks=False, _meta=dest.meta)
    if not source.meta.ndim:
        if source.key(()) in source.store:
            writer[()] = reader[()]
        return
    unit, itemsize = source.meta.write_unit, max(1, source.meta.dtype.itemsize)
    lengths = block_shape(unit, dest.meta.write_unit, unit, itemsize)
    for coords in _stored(source):
        origin = [at * length for at, length in zip(coords, unit, strict=True)]
        inside = [min(n, length - o) for n, o, length in zip(unit, origin, source.meta.shape, strict=True)]
        for part in blocks(inside, lengths):
            region = tuple(slice(o + s.start, o + s.stop) for o, s in zip(origin, part, strict=True))
            writer[region] = reader[region]


def _stored(source: OpenSource) -> Iterator[tuple[int, ...]]:
    """Coordinates of chunks that are, or may be, stored; reading an absent one costs little."""
    meta = source.meta
    if chunk_count(meta.shape, meta.write_unit) <= _ENUMERATED:
        return box_coords([range(n) for n in grid_shape(meta.shape, meta.write_unit)])
    return stored_chunks(source)
