"""The command that draws an array: with matplotlib into a file, or with characters on the terminal."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click
import numpy as np

from zarrds._base.types import NDArrayAny
from zarrds._base.unpacking import unpacking_of
from zarrds.cli.coordinates import items_at, sel_option
from zarrds.cli.describe import dimension_names
from zarrds.cli.options import Access, access_options, as_json, path_argument, store_argument
from zarrds.cli.picture import colour_of, sampled, text_image, text_line
from zarrds.cli.printing import Colour, echo_colours, echo_json, echo_text, on_terminal
from zarrds.cli.selecting import Item, isel_option, lengths_of, select_option, selection_of
from zarrds.cli.values import array_at
from zarrds.convenience import open as open_node
from zarrds.core import Array
from zarrds.errors import ArgumentError, MissingPackageError, ZarrdsError
from zarrds.errors.escaping import visible

__all__ = ["Drawing", "drawing_of", "plot", "runs_up", "with_coordinates"]

_MOST_IN_FILE = 2000
_MOST_IN_TEXT = 200
"""Most values drawn along a dimension; of longer ones every n-th is read."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn: one or two dimensions of an array, with their coordinates.

    Attributes
    ----------
    values : ndarray
        Numbers, NaN where they are missing.
    axes : list of (str, ndarray)
        Label and coordinates of each dimension.
    title, label : str
        What the values are, and with the unit.
    step : int
        Distance between the values that are drawn along a dimension: 1 if all are.
    """

    values: NDArrayAny
    axes: list[tuple[str, NDArrayAny]]
    title: str
    label: str
    step: int


@click.command()
@store_argument
@path_argument
@select_option
@isel_option
@sel_option
@click.option("--output", "-o", metavar="FILE", help="Draw into this file (.png, .svg, .pdf); else on the terminal.")
@click.option("--cmap", default="viridis", show_default=True, help="Colour map of matplotlib, for files.")
@click.option("--vmin", type=float, help="Value of the first colour.")
@click.option("--vmax", type=float, help="Value of the last colour.")
@click.option("--raw", is_flag=True, help="Draw the stored numbers, without unpacking.")
@as_json
@access_options
def plot(
    store: str,
    path: str,
    select: list[Item] | None,
    isel: dict[str, Item],
    sel: dict[str, str],
    output: str | None,
    cmap: str,
    vmin: float | None,
    vmax: float | None,
    raw: bool,
    as_json: bool,
    access: Access,
) -> None:
    """Draw a line or a map of one or two dimensions of an array; the other ones are selected.

    Dimensions that are not selected are drawn: the last two at most, of the others the first index. The drawing goes to
    a file (matplotlib: pip install zarrds[plot]), or to the terminal as text.

    \b
    Example:
      zarrds plot data.zarr t2m --sel time=2020-01-31 --isel level=0 -o map.png
    """
    array = array_at(store, path, access)
    if output is not None:
        output = _file_for(output, cmap)
    root = array.store

    def beside(path: str) -> Any:
        return open_node(root, mode="r", path=path)

    items = items_at(array, isel, sel, beside)
    found = drawing_of(array, select, items, _MOST_IN_FILE if output else _MOST_IN_TEXT, raw=raw)
    found = with_coordinates(found, array, beside)
    if output is not None:
        _save(found, output, cmap, vmin, vmax)
    if as_json:
        echo_json("plot", {"path": array.path, "output": output, **_described(found, is_drawn=output is not None)})
    elif output is None:
        _print(found, vmin, vmax)
    else:
        echo_text(visible(f"drew {found.title} to {output}"))


def _file_for(output: str, cmap: str) -> str:
    """Return the name of the file, which ends in .png if it has no other ending.

    BadParameter names a kind of file or a colour map that matplotlib does not know, before any values are read.
    """
    try:
        from matplotlib import colormaps  # imported here, as other commands do not draw
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError("files are drawn by matplotlib", hint="pip install 'zarrds[plot]'") from error
    kind, folder = os.path.splitext(output)[1][1:].lower(), os.path.dirname(output) or "."
    if not kind:
        output = f"{output.rstrip('.')}.png"
    elif kind not in Figure().canvas.get_supported_filetypes():
        raise click.BadParameter(f"matplotlib draws no .{kind} files; use .png, .svg or .pdf", param_hint="--output")
    if not os.path.isdir(folder):
        raise click.BadParameter(f"there is no folder {folder!r}; make it first", param_hint="--output")
    if cmap not in colormaps:
        near = difflib.get_close_matches(cmap, list(colormaps), 3) or ["viridis", "magma", "RdBu_r"]
        raise click.BadParameter(f"matplotlib has no colour map {cmap!r}; try {', '.join(near)}", param_hint="--cmap")
    return output


def _described(found: Drawing, *, is_drawn: bool) -> dict[str, Any]:
    """Return what is drawn as members of JSON; of a drawing in a file without the values."""
    axes = [{"name": name, "values": values.tolist()} for name, values in found.axes]
    values = None if is_drawn else found.values.tolist()
    return {"title": found.title, "label": found.label, "step": found.step, "axes": axes, "values": values}


def drawing_of(
    array: Array, select: Sequence[Item] | None, isel: dict[str, Item], most: int, *, raw: bool = False
) -> Drawing:
    """Read what is drawn, at most `most` values along a dimension.

    Raises
    ------
    ArgumentError
        The array has no numbers, or nothing is selected.
    """
    if array.dtype.kind not in "biufmMc":
        raise ArgumentError("only numbers can be drawn", path=array.path, found=array.dtype)
    selection = _at_most_two(list(selection_of(array, select, isel)))
    lengths = lengths_of(selection)
    if not lengths or 0 in lengths:
        raise ArgumentError("there is nothing to draw: a line or a map is needed", path=array.path, found=lengths)
    step = max(1, -(-max(lengths) // most))
    thinned = tuple(slice(i.start, i.stop, i.step * step) if isinstance(i, slice) else i for i in selection)
    stored = np.asarray(array[thinned])
    values = _numbers(stored if raw else unpacking_of(array).unpacked(stored))
    names = dimension_names(array) or [None] * array.ndim
    axes = [
        (names[axis] or f"dim_{axis}", np.arange(item.start, item.stop, item.step))
        for axis, item in enumerate(thinned)
        if isinstance(item, slice)
    ]
    fixed = [f"{names[axis] or f'dim_{axis}'}={i}" for axis, i in enumerate(thinned) if not isinstance(i, slice)]
    return Drawing(values, axes, " ".join([array.path or "values", *fixed]), _label(array), step)


def _at_most_two(selection: list[Item]) -> list[Item]:
    """Return a selection with two ranges at most: of the first ones only the first index is taken."""
    ranges = [axis for axis, item in enumerate(selection) if isinstance(item, slice)]
    for axis in ranges[:-2]:
        item: Any = selection[axis]
        selection[axis] = item.start
    return selection


def _numbers(values: NDArrayAny) -> NDArrayAny:
    if values.dtype.kind in "mM":
        return np.where(np.isnat(values), np.nan, values.astype("i8").astype("f8"))
    return np.abs(values) if values.dtype.kind == "c" else values.astype("f8")


def _label(array: Array) -> str:
    attributes = array.attrs.asdict()
    name, units = attributes.get("long_name") or array.basename or "", attributes.get("units")
    return f"{name} [{units}]" if units else str(name)


def with_coordinates(found: Drawing, array: Array, beside: Callable[[str], Any]) -> Drawing:
    """Return the drawing with the values of coordinate arrays, where there are any.

    Parameters
    ----------
    found : Drawing
        Its axes have indexes.
    array : Array
        What is drawn.
    beside : callable
        Opens a node by its path in the store; an error means that there is none.
    """
    group, axes = array.path.rpartition("/")[0], []
    for name, index in found.axes:
        try:
            values = _coordinates(beside(f"{group}/{name}".strip("/")), index)
        except (ZarrdsError, OSError):  # no coordinates: indexes are drawn
            values = None
        axes.append((name, index) if values is None else values)
    return replace(found, axes=axes)


def _coordinates(array: Any, index: NDArrayAny) -> tuple[str, NDArrayAny] | None:
    """Return label and values of a coordinate array at some indexes; None if it is not one of finite numbers."""
    if not isinstance(array, Array) or array.ndim != 1 or array.dtype.kind not in "iuf" or len(array) <= index[-1]:
        return None
    step = int(index[1] - index[0]) if len(index) > 1 else 1
    values = unpacking_of(array).unpacked(np.asarray(array[index[0] : index[-1] + 1 : step]))
    return (_label(array), values) if np.isfinite(values).all() else None


# --- the terminal -----------------------------------------------------------------------------------------------------


def _print(found: Drawing, vmin: float | None, vmax: float | None) -> None:
    """Print a title, the picture, and what its sides and its range are."""
    size = shutil.get_terminal_size((80, 24))
    width, height = max(20, min(size.columns - 2, 120)), max(8, min(size.lines - 6, 40))
    low, high = _range(found.values, vmin, vmax)
    echo_text(visible(f"{found.title}: {found.label}"))
    if found.values.ndim == 1:
        echo_text("\n".join(text_line(found.values, low, high, width, height)))
    elif on_terminal() and not os.environ.get("NO_COLOR"):
        echo_colours(_colours(_upright(found), low, high, width, 2 * height))
    else:
        echo_text("\n".join(text_image(_upright(found), low, high, width, height)))
    for line in _axis_lines(found):
        echo_text(visible(line))
    thinned = f"; 1 of {found.step} values along each dimension" if found.step > 1 else ""
    echo_text(f"from {low:.6g} to {high:.6g}{thinned}")


def _colours(values: NDArrayAny, low: float, high: float, width: int, height: int) -> list[list[Colour | None]]:
    """Return the colours of a map, None where a value is missing."""
    some = values[np.ix_(sampled(values.shape[0], height), sampled(values.shape[1], width))]
    span = (high - low) or 1.0
    return [[colour_of((n - low) / span) if np.isfinite(n) else None for n in row] for row in some.tolist()]


def _axis_lines(found: Drawing) -> list[str]:
    sides = ["across"] if found.values.ndim == 1 else ["down", "across"]
    if found.values.ndim == 2 and runs_up(found):
        sides[0] = "up"
    return [f"{side}: {name} {axis[0]:g} to {axis[-1]:g}" for side, (name, axis) in zip(sides, found.axes, strict=True)]


def runs_up(found: Drawing) -> bool:
    """Return whether the first dimension is drawn from below: coordinates that grow, such as latitudes."""
    name, axis = found.axes[0]
    return not name.startswith("dim_") and len(axis) > 1 and bool(axis[1] > axis[0])


def _upright(found: Drawing) -> NDArrayAny:
    return found.values[::-1] if runs_up(found) else found.values


def _range(values: NDArrayAny, vmin: float | None, vmax: float | None) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    low = float(finite.min()) if vmin is None and finite.size else (vmin or 0.0)
    high = float(finite.max()) if vmax is None and finite.size else (low if vmax is None else vmax)
    return low, high


# --- files ------------------------------------------------------------------------------------------------------------


def _save(found: Drawing, output: str, cmap: str, vmin: float | None, vmax: float | None) -> None:
    from matplotlib.figure import Figure  # imported here, as other commands do not draw; no window is opened

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    title, label = visible(found.title), visible(found.label)
    if found.values.ndim == 1:
        ((name, across),) = found.axes
        axes.plot(across, found.values)
        axes.set(xlabel=_safe(name), ylabel=_safe(label))
        axes.set_ylim(vmin, vmax)
    else:
        (vertical, down), (horizontal, across) = found.axes
        mesh = axes.pcolormesh(across, down, found.values, cmap=cmap, vmin=vmin, vmax=vmax, shading="nearest")
        axes.set(xlabel=_safe(horizontal), ylabel=_safe(vertical))
        if not runs_up(found) and vertical.startswith("dim_"):
            axes.invert_yaxis()
        figure.colorbar(mesh, label=_safe(label))
    axes.set_title(_safe(title))
    figure.savefig(output, dpi=120)


def _safe(text: str) -> str:
    """Return a label without control characters, and without the formulas that matplotlib reads between dollars."""
    return visible(text).replace("$", r"\$")
