"""Pictures for notebooks: a table of facts, and a small SVG of a chunk grid that shows which chunks exist.

Pure functions from values to text; no I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from math import prod

from zarrds._escaping import visible
from zarrds._types import Shape

__all__ = ["facts_table", "grid_svg"]

MOST_CELLS = 32
"""Most cells drawn along one dimension; in longer grids a cell stands for several chunks."""

_LONGEST_PX, _SHORTEST_PX = 200.0, 12.0


def facts_table(rows: Iterable[tuple[str, object]], picture: str = "") -> str:
    """Return an HTML table of labels and values, with a picture beside it."""
    left = 'style="text-align: left"'
    body = "".join(
        f"<tr><th {left}>{escape(label)}</th><td {left}>{escape(visible(str(value)))}</td></tr>"
        for label, value in rows
    )
    table = f'<table class="zarr-info"><tbody>{body}</tbody></table>'
    if not picture:
        return table
    return f'<div class="zarr-array" style="display: flex; align-items: center; gap: 2em">{table}{picture}</div>'


def grid_svg(shape: Shape, grid: Shape, stored: Iterable[Sequence[int]]) -> str:
    """Return a picture of a chunk grid: its last two dimensions, each cell darker the more of its chunks are stored.

    Parameters
    ----------
    shape, grid : tuple of int
        Shape of the array, for the proportions, and number of chunks along each dimension.
    stored : iterable of tuples of int
        Coordinates of the chunks that exist.

    Returns
    -------
    str
        An SVG element; empty for a grid without chunks.
    """
    if not prod(grid):
        return ""
    rows, columns = (1, 1, *grid)[-2:]
    down, across = min(rows, MOST_CELLS), min(columns, MOST_CELLS)
    found = Counter(_cell(coords, (rows, columns), (down, across)) for coords in stored)
    height, width = _sides((1, 1, *shape)[-2:])
    cells = []
    for y in range(down):
        for x in range(across):
            chunks = _share(y, rows, down) * _share(x, columns, across) * prod(grid[:-2])
            part = found[y, x] / chunks
            box = (x * width / across, y * height / down, width / across, height / down)
            cells.append(_rect(box, part))
    title = f"{sum(found.values())} of {prod(grid)} chunks"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 2:.0f}" height="{height + 2:.0f}" '
        f'viewBox="-1 -1 {width + 2:.0f} {height + 2:.0f}"><title>{title}</title>{"".join(cells)}</svg>'
    )


def _cell(coords: Sequence[int], chunks: tuple[int, int], cells: tuple[int, int]) -> tuple[int, int]:
    y, x = (0, 0, *coords)[-2:]
    return y * cells[0] // chunks[0], x * cells[1] // chunks[1]


def _share(cell: int, chunks: int, cells: int) -> int:
    """Return the number of chunks along one dimension that belong to a cell."""
    return -(-(cell + 1) * chunks // cells) - -(-cell * chunks // cells)


def _sides(lengths: tuple[int, ...]) -> tuple[float, float]:
    """Return height and width of the picture, in the array's proportions within limits."""
    high, wide = (max(length, 1) for length in lengths)
    longest = max(high, wide)
    return max(_LONGEST_PX * high / longest, _SHORTEST_PX), max(_LONGEST_PX * wide / longest, _SHORTEST_PX)


def _rect(box: tuple[float, float, float, float], part: float) -> str:
    x, y, width, height = box
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="#2a6f97" fill-opacity="{part:.2f}" stroke="currentColor" stroke-width="0.4"/>'
    )
