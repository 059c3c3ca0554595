"""Pictures of chunk grids for notebooks: proportions, edges, shards and inner chunks, and which chunks exist.

Pure functions from values to text; no I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from math import prod
from typing import Protocol

from zarrds._base.html import attributes_table, columns_table, facts_table, folded, framed
from zarrds._base.types import Shape

__all__ = [
    "attributes_table",
    "cell_bounds",
    "columns_table",
    "facts_table",
    "folded",
    "framed",
    "grid_svg",
]

MOST_CELLS = 32
"""Most cells drawn along one dimension; in longer grids a cell stands for several chunks."""
_MOST_INNER = 64
"""Most lines between inner chunks along one dimension; where there are more, none are drawn."""
_LONGEST_PX, _SHORTEST_PX = 200.0, 12.0
_MARGIN = 14


class Indexed(Protocol):
    """What has an integer for each index."""

    def __getitem__(self, index: int, /) -> int: ...


def grid_svg(
    shape: Shape,
    grid: Shape,
    stored: Iterable[Sequence[int]] | None,
    *,
    edges: Sequence[Indexed] | None = None,
    unit: Shape | None = None,
    inner: Shape | None = None,
    names: Sequence[str | None] | None = None,
    looked_up: int | None = None,
) -> str:
    """Return a picture of a chunk grid: its last two dimensions, each cell darker the more of its chunks are stored.

    Parameters
    ----------
    shape, grid : tuple of int
        Shape of the array, for the proportions, and number of chunks along each dimension.
    stored : iterable of tuples of int, optional
        Coordinates of the chunks that exist; None if that is not known.
    edges : sequence, optional
        For each dimension the ends of its chunks, in elements, by their numbers, if they do not have one length.
    unit : tuple of int, optional
        Lengths of a chunk, or of a shard; by default the dimensions are divided evenly.
    inner : tuple of int, optional
        Lengths of an inner chunk of a shard.
    names : sequence of str or None, optional
        Names of the dimensions.
    looked_up : int, optional
        Number of chunks that were looked up, one for each cell or more, if these are not all.

    Returns
    -------
    str
        An SVG element; empty for a grid without chunks.
    """
    if not prod(grid):
        return ""
    ndim = len(grid)
    sizes = (1, 1, *shape)[-2:]
    height, width = _sides(sizes)
    chunks = (1, 1, *grid)[-2:]
    bounds = [cell_bounds(count) for count in chunks]
    ends = [_ends(dim - 2 + ndim, sizes[dim], bounds[dim], edges, unit) for dim in range(2)]
    down, across = [_cells(ends[dim], sizes[dim], side) for dim, side in ((0, height), (1, width))]
    found = Counter(_cell(coords, chunks, (len(down), len(across))) for coords in stored or ())
    leading = prod(grid[:-2])
    cells = []
    for y, (top, high) in enumerate(down):
        for x, (left, wide) in enumerate(across):
            there = prod(stop - first for first, stop in (bounds[0][y], bounds[1][x])) * leading
            asked = there if looked_up is None else max(1, looked_up // (len(down) * len(across)))
            cells.append(_rect((left, top, wide, high), min(1.0, found[y, x] / asked)))
    lines = _inner_lines(sizes, (1, 1, *(inner or ()))[-2:], (height, width)) if inner else ""
    title = _title(sum(found.values()), prod(grid), looked_up, stored is None)
    high, wide = height + _MARGIN + 4, width + _MARGIN + 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:.0f}" height="{high:.0f}" '
        f'viewBox="-1 -1 {wide:.0f} {high:.0f}"><title>{title}</title>{"".join(cells)}{lines}'
        f"{_labels(sizes, (None, None, *(names or [None] * ndim))[-2:], (height, width), ndim)}</svg>"
    )


def _title(found: int, count: int, looked_up: int | None, unknown: bool) -> str:
    if unknown:
        return f"{count} chunks"
    return f"{found} of {count} chunks" if looked_up is None else f"{found} of {looked_up} chunks that were looked up"


def cell_bounds(chunks: int) -> list[tuple[int, int]]:
    """Return, for each cell along a dimension of so many chunks, the first of its chunks and the one after its last."""
    cells = min(chunks, MOST_CELLS)
    return [(-(-cell * chunks // cells), -(-(cell + 1) * chunks // cells)) for cell in range(cells)]


def _ends(
    dim: int,
    length: int,
    bounds: Sequence[tuple[int, int]],
    edges: Sequence[Indexed] | None,
    unit: Shape | None,
) -> Sequence[float]:
    """Return the ends of the drawn cells along a dimension, in elements; `bounds` are those of their chunks."""
    lasts = [stop for _, stop in bounds]
    if dim < 0:
        return [length]
    if edges is not None:
        return [min(edges[dim][stop - 1], length) for stop in lasts]
    step = length / lasts[-1] if unit is None else unit[dim]
    return [min(stop * step, length) for stop in lasts]


def _cells(ends: Sequence[float], length: int, side: float) -> list[tuple[float, float]]:
    """Return where each cell begins in the picture, and its extent."""
    scale = side / max(length, 1)
    begins = [0.0, *ends[:-1]]
    return [(begin * scale, max(end - begin, 0) * scale) for begin, end in zip(begins, ends, strict=True)]


def _cell(coords: Sequence[int], chunks: tuple[int, ...], cells: tuple[int, int]) -> tuple[int, int]:
    y, x = (0, 0, *coords)[-2:]
    return y * cells[0] // chunks[0], x * cells[1] // chunks[1]


def _sides(lengths: tuple[int, ...]) -> tuple[float, float]:
    """Return height and width of the picture, in the array's proportions within limits."""
    high, wide = (max(length, 1) for length in lengths)
    longest = max(high, wide)
    return max(_LONGEST_PX * high / longest, _SHORTEST_PX), max(_LONGEST_PX * wide / longest, _SHORTEST_PX)


def _rect(box: tuple[float, float, float, float], part: float) -> str:
    x, y, width, height = box
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="#2a6f97" fill-opacity="{part:.2f}" stroke="currentColor" stroke-width="0.5"/>'
    )


def _inner_lines(sizes: tuple[int, ...], inner: tuple[int, ...], sides: tuple[float, float]) -> str:
    """Return thin lines between the inner chunks of shards."""
    height, width = sides
    steps = []
    for dim, (length, step) in enumerate(zip(sizes, inner, strict=True)):
        if not 1 < -(-length // step) <= _MOST_INNER:
            continue
        for at in range(step, length, step):
            place = at * sides[dim] / length
            steps.append(f"M0 {place:.1f}H{width:.1f}" if dim == 0 else f"M{place:.1f} 0V{height:.1f}")
    path = "".join(steps)
    line = 'fill="none" stroke="currentColor" stroke-width="0.5" stroke-opacity="0.45" stroke-dasharray="1.5 1.5"'
    return f'<path d="{path}" {line}/>' if path else ""


def _labels(sizes: tuple[int, ...], names: tuple[str | None, ...], sides: tuple[float, float], ndim: int) -> str:
    """Return the lengths of the two dimensions, with their names, below and to the right."""
    height, width = sides
    rows, columns = [f"{name} {size}" if name else str(size) for name, size in zip(names, sizes, strict=True)]
    texts = []
    if ndim:
        texts.append(f'<text x="{width / 2:.0f}" y="{height + 12:.0f}" text-anchor="middle">{escape(columns)}</text>')
    if ndim > 1:
        x, y = f"{width + 11:.0f}", f"{height / 2:.0f}"
        rotation = f'transform="rotate(-90,{x},{y})"'
        texts.append(f'<text x="{x}" y="{y}" text-anchor="middle" {rotation}>{escape(rows)}</text>')
    return "".join(texts)
