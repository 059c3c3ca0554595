"""Find out how a source has grown since its target was made, and that it has not changed otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from zarrds._base.edges import Edges, Grid, Span, longest_chunk, shown, span_at
from zarrds._base.types import Shape
from zarrds._engine import ChunkSource, read
from zarrds._format import ArrayMeta
from zarrds._plan import plan_selection
from zarrds.core import Array
from zarrds.core.resize import changed
from zarrds.dask.dimensions import dimension_names
from zarrds.dask.rechunking.packing import Region
from zarrds.dask.rechunking.targets import target_meta
from zarrds.errors import SourceChangedError

__all__ = ["Growth", "growth_of"]

_PROBE_SHARE = 0.005
_MOST_PROBES = 16


@dataclass(frozen=True)
class Growth:
    """How an array has grown.

    Attributes
    ----------
    before, after : ArrayMeta
        Metadata of the target, before and after.
    axis : int or None
        Dimension that has grown; None if nothing has.
    """

    before: ArrayMeta
    after: ArrayMeta
    axis: int | None

    @property
    def origin(self) -> Shape:
        """Where the part to be written begins: at a boundary of the target's chunks."""
        return tuple(self._last.start if axis == self.axis else 0 for axis in range(self.before.ndim))

    @property
    def completes(self) -> int | None:
        """The axis, if the last chunks of the target are partly filled."""
        assert self.axis is not None
        return self.axis if self._last.start < self.before.shape[self.axis] else None

    @property
    def _last(self) -> Span:
        """The chunk of the target with the first new element."""
        assert self.axis is not None
        return span_at(self.after.write_unit[self.axis], self.before.shape[self.axis])


def growth_of(array: Array, target: Array, chunks: Any, options: Mapping[str, Any]) -> Growth:
    """Return how a source has grown; raise SourceChangedError if it has changed in another way.

    Metadata are compared in full, and of the data a few chunks: at most about 0.5 % of the bytes, or one chunk.
    """
    before = target.source().meta
    options = {name: value for name, value in options.items() if name != "write_empty_chunks"}
    wanted = _wanted(array, before, chunks, options)
    differing = list(_differences(wanted, before, bool(options)))
    if dimension_names(array) != dimension_names(target):
        differing.append(f"its dimensions are {dimension_names(array)}, not {dimension_names(target)}")
    longer = [axis for axis, (n, m) in enumerate(zip(wanted.shape, before.shape, strict=False)) if n > m]
    if not differing and len(longer) > 1:
        differing.append(f"it has grown along several dimensions, from {before.shape} to {wanted.shape}")
    if not differing:
        differing += list(_changed_data(array.source(), target.source()))
    if differing:
        raise SourceChangedError(
            f"the target cannot grow with its source: {differing[0]}",
            path=target.path,
            hint="make the target again with overwrite=True",
        )
    axis = longer[0] if longer else None
    edges = {} if wanted.irregular is None else {"irregular": wanted.irregular}
    return Growth(before, changed(before, shape=wanted.shape, **edges), axis)


def _wanted(array: Array, before: ArrayMeta, chunks: Any, options: dict[str, Any]) -> ArrayMeta:
    """Return the metadata that the target would get now; where no chunks are given, irregular edges grow."""
    if before.irregular is None or chunks is not None or "shards" in options:
        return target_meta(array, before.chunks if chunks is None else chunks, options)
    made = target_meta(array, longest_chunk(before.chunks), options)
    if before.shards is not None or made.ndim != before.ndim:
        return made
    grown = changed(before, shape=made.shape)
    return replace(made, irregular=grown.irregular, chunk=replace(made.chunk, shape=grown.chunk.shape))


def _differences(wanted: ArrayMeta, found: ArrayMeta, all_codecs: bool) -> Iterator[str]:
    """Yield in words what distinguishes the metadata of the target from those that it would get now."""
    if wanted.ndim != found.ndim:
        yield f"the source has {wanted.ndim} dimensions, not {found.ndim}"
        return
    if any(n < m for n, m in zip(wanted.shape, found.shape, strict=True)):
        yield f"the source has shrunk from {found.shape} to {wanted.shape}"
    if wanted.dtype != found.dtype:
        yield f"the data type of the source is {wanted.dtype}, not {found.dtype}"
    if wanted.chunk.fill != found.chunk.fill:
        yield "the fill value has changed"
    same = _begins_alike(wanted.chunks, found.chunks, found.shape)
    if not same or (all_codecs and not _begins_alike(wanted.write_unit, found.write_unit, found.shape)):
        yield f"chunks {shown(wanted.chunks)} were asked for, but it has {shown(found.chunks)}"
    if all_codecs and replace(wanted.chunk, shape=found.chunk.shape) != found.chunk:
        yield "the target has other codecs than target_options ask for"


def _begins_alike(wanted: Grid, found: Grid, shape: Shape) -> bool:
    """Return whether the chunks that an array of that shape has are the same in two grids."""
    return all(
        one.count >= other.count_within(length)
        and (not length or one.first_chunks(count := other.count_within(length)) == other.first_chunks(count))
        if isinstance(one, Edges) and isinstance(other, Edges)
        else one == other
        for one, other, length in zip(wanted, found, shape, strict=True)
    )


def _changed_data(source: ChunkSource, target: ChunkSource) -> Iterator[str]:
    """Yield in words where old elements of source and target differ, if a probe finds such."""
    for region in _probes(source.meta, target.meta):
        found = [_part(one, region).astype(target.meta.dtype, copy=False) for one in (source, target)]
        same = found[0].tolist() == found[1].tolist() if found[0].dtype.hasobject else _same_bits(*found)
        if not same:
            where = ", ".join(f"{part.start}:{part.stop}" for part in region)
            yield f"old elements of the source, in [{where}], are no longer those of the target"
            return


def _same_bits(one: Any, other: Any) -> bool:
    return np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()


def _part(source: ChunkSource, region: Region) -> Any:
    return read(source.open(), plan_selection(region, source.meta.shape, source.meta.write_unit, "basic"), threads=1)


def _probes(source: ArrayMeta, target: ArrayMeta) -> list[Region]:
    """Return boxes of old elements, each within one chunk of both arrays: the last one, the first, others between."""
    shape = target.shape
    if not prod(shape):
        return []
    each = prod(source.chunk.shape) * source.dtype.itemsize + prod(target.chunk.shape) * target.dtype.itemsize
    count = min(_MOST_PROBES, max(1, int(_PROBE_SHARE * prod(shape) * source.dtype.itemsize / max(1, each))))
    points = [tuple(n - 1 for n in shape), (0,) * len(shape)]
    points += [tuple(int(n * (i + 0.5) / count) for n in shape) for i in range(max(0, count - 2))]
    return [_box(point, shape, source.write_unit, target.write_unit) for point in dict.fromkeys(points[:count])]


def _box(point: Shape, shape: Shape, one: Grid, other: Grid) -> Region:
    """Return the box around a point that is in one chunk of both grids."""
    both = [(span_at(a, p), span_at(b, p)) for p, a, b in zip(point, one, other, strict=True)]
    return tuple(slice(max(a.start, b.start), min(a.end, b.end, n)) for (a, b), n in zip(both, shape, strict=True))
