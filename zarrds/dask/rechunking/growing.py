"""Find out how a source has grown since its target was made, and that it has not changed otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

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
        assert self.axis is not None
        at, length = self.before.shape[self.axis], self.before.chunk.shape[self.axis]
        return tuple(at // length * length if axis == self.axis else 0 for axis in range(self.before.ndim))

    @property
    def completes(self) -> int | None:
        """The axis, if the last chunks of the target are partly filled."""
        assert self.axis is not None
        return self.axis if self.before.shape[self.axis] % self.before.chunk.shape[self.axis] else None


def growth_of(array: Array, target: Array, chunks: Any, options: Mapping[str, Any]) -> Growth:
    """Return how a source has grown; raise SourceChangedError if it has changed in another way.

    Metadata are compared in full, and of the data a few chunks: at most about 0.5 % of the bytes, or one chunk.
    """
    before = target.source().meta
    if before.irregular is not None:
        raise SourceChangedError(
            "a target with irregular chunks cannot grow with its source",
            path=target.path,
            hint="append to it, or make it again with overwrite=True",
        )
    options = {name: value for name, value in options.items() if name != "write_empty_chunks"}
    wanted = target_meta(array, before.chunks if chunks is None else chunks, options)
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
    return Growth(before, changed(before, shape=wanted.shape), axis)


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
    if (wanted.chunks, wanted.write_unit) != (found.chunks, found.write_unit) and (
        all_codecs or wanted.chunks != found.chunks
    ):
        yield f"chunks {wanted.chunks} were asked for, but it has {found.chunks}"
    if all_codecs and wanted.chunk != found.chunk:
        yield "the target has other codecs than target_options ask for"


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
    return [_box(point, shape, source.chunk.shape, target.chunk.shape) for point in dict.fromkeys(points[:count])]


def _box(point: Shape, shape: Shape, one: Shape, other: Shape) -> Region:
    """Return the box around a point that is in one chunk of both grids."""
    return tuple(
        slice(max(p // a * a, p // b * b), min((p // a + 1) * a, (p // b + 1) * b, n))
        for p, n, a, b in zip(point, shape, one, other, strict=True)
    )
