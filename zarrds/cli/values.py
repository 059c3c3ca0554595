"""The commands that read values: cat and stats."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import click
import numpy as np

from zarrds._base.types import NDArrayAny
from zarrds._base.unpacking import unpacking_of
from zarrds.cli.describe import as_python, dimension_names, plain_values
from zarrds.cli.options import Access, JobOptions, access_options, as_json, job_options, path_argument, store_argument
from zarrds.cli.places import opened, store_or_place
from zarrds.cli.printing import echo_json, echo_table, echo_text, json_text
from zarrds.cli.selecting import Item, isel_option, lengths_of, select_option, selection_of
from zarrds.core import Array
from zarrds.errors import ContainsGroupError
from zarrds.errors.escaping import visible

__all__ = ["array_at", "cat", "stats"]

_BLOCK_BYTES = 64 * 2**20
"""Decoded bytes that `cat` reads at a time."""


def array_at(store: str, path: str, access: Access) -> Array:
    """Open an array for reading; raise an error that lists the arrays where a group is."""
    node = opened(store, path, access.options(store))
    if isinstance(node, Array):
        return node
    names = [f"{path}/{name}".strip("/") for name in itertools.islice(node.array_keys(), 20)]
    hint = f"choose an array: {', '.join(names)}" if names else "zarrds tree shows what is below it"
    raise ContainsGroupError("this is a group, not an array", path=path or "/", hint=hint)


@click.command()
@store_argument
@path_argument
@select_option
@isel_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv"]),
    default="text",
    show_default=True,
    help="Rows of the last dimension; or one value on a line, with its indexes.",
)
@click.option("--decode", is_flag=True, help="Unpack by scale_factor and add_offset; missing values become nan.")
@as_json
@access_options
def cat(
    store: str,
    path: str,
    select: list[Item] | None,
    isel: dict[str, Item],
    form: str,
    decode: bool,
    as_json: bool,
    access: Access,
) -> None:
    """Print the values of an array, or of a part of it, as they are stored.

    \b
    Example:
      zarrds cat data.zarr t2m --isel time=0 --isel lat=10:20 --format csv
    """
    array = array_at(store, path, access)
    selection = selection_of(array, select, isel)
    unpacking = unpacking_of(array)
    blocks = ((at, unpacking.unpacked(block) if decode else block) for at, block in _blocks(array, selection))
    if as_json:
        shape = lengths_of(selection)
        parts = [block.reshape(-1) for _, block in blocks]
        every = np.concatenate(parts or [np.empty(0, array.dtype)]).reshape(shape)
        echo_json("cat", {"path": array.path, "shape": list(shape), "values": plain_values(every)})
    elif form == "csv":
        _print_csv(array, selection, blocks)
    else:
        _print_text(blocks)


def _blocks(array: Array, selection: Sequence[Item]) -> Iterator[tuple[int, NDArrayAny]]:
    """Yield parts of a selection along its first dimension, each with its first position; bounded in bytes."""
    axis = next((i for i, item in enumerate(selection) if isinstance(item, slice)), None)
    if axis is None:
        yield 0, np.asarray(array[tuple(selection)], array.dtype)
        return
    item: Any = selection[axis]
    count, *others = lengths_of(selection)
    row_bytes = max(1, int(np.prod(others, dtype=int)) * array.dtype.itemsize)
    unit = max(1, array.source().meta.chunk.shape[axis] // item.step)
    step = max(1, _BLOCK_BYTES // (row_bytes * unit)) * unit
    for at in range(0, count, step):
        stop = min(count, at + step)
        part = slice(item.start + at * item.step, item.start + (stop - 1) * item.step + 1, item.step)
        yield at, np.asarray(array[(*selection[:axis], part, *selection[axis + 1 :])])


def _print_text(blocks: Iterator[tuple[int, NDArrayAny]]) -> None:
    """Print rows of the last dimension; empty lines divide the planes of three and more dimensions."""
    is_first = True
    for _, block in blocks:
        if block.ndim < 2:
            for value in _items(block):
                echo_text(_text(value))
            continue
        for index in np.ndindex(*block.shape[:-1]):
            if block.ndim > 2 and index[-1] == 0 and not is_first:
                echo_text("")
            is_first = False
            echo_text(" ".join(map(_text, _items(block[index]))))


def _items(values: NDArrayAny) -> list[Any]:
    """Return all values as Python has them."""
    return as_python(values.reshape(-1))


def _text(value: Any) -> str:
    """Return a value so that it is one word of one line: texts are JSON, without control characters."""
    return json_text(_decoded(value)) if isinstance(value, str | bytes) else visible(str(value))


def _decoded(value: Any) -> Any:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def _print_csv(array: Array, selection: Sequence[Item], blocks: Iterator[tuple[int, NDArrayAny]]) -> None:
    names = dimension_names(array) or [None] * array.ndim
    header = [name or f"dim_{axis}" for axis, name in enumerate(names)]
    echo_text(_csv_row([*header, array.basename or "value"]))
    axes = [range(item.start, item.stop, item.step) if isinstance(item, slice) else [item] for item in selection]
    first = next((i for i, item in enumerate(selection) if isinstance(item, slice)), None)
    for at, block in blocks:
        here = list(axes)
        if first is not None:
            here[first] = axes[first][at : at + len(block)]
        for index, value in zip(itertools.product(*here), _items(block), strict=True):
            echo_text(_csv_row([*index, _decoded(value)]))


def _csv_row(cells: list[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(
        [cell if isinstance(cell, int | float) else visible(str(cell)) for cell in cells]
    )
    return buffer.getvalue()


# --- stats ------------------------------------------------------------------------------------------------------------


@click.command()
@store_argument
@path_argument
@click.option("--raw", is_flag=True, help="Do not unpack values; only NaN and NaT are missing.")
@as_json
@job_options
@access_options
def stats(store: str, path: str, raw: bool, as_json: bool, job: JobOptions, access: Access) -> None:
    """Show minimum, maximum, mean, standard deviation and missing values of an array, or of all arrays of a group.

    All values are read, by many tasks, each in blocks of bounded size. Values are unpacked, and missing ones left out,
    as xarray reads them.

    \b
    Example:
      zarrds stats data.zarr t2m --workers 4
    """
    make = partial(_statistics, store_or_place(store), path, decode=not raw, storage_options=access.options(store))
    found = job.run(make).values()
    if as_json:
        echo_json("stats", {"arrays": [one.to_dict() for one in found]})
        return
    rows = [_row(one) for one in found]
    header = ["array", "dtype", "min", "mean", "max", "std", "values", "missing"]
    echo_table(header, rows, right=header[2:])


def _row(one: Any) -> list[str]:
    numbers = map(_number, (one.min, one.mean, one.max, one.std))
    return [one.path or "/", str(one.dtype), *numbers, f"{one.count:,}", f"{one.missing:,}"]


def _statistics(*args: Any, **options: Any) -> Any:
    from zarrds.dask import statistics  # imported here, as other commands do not need dask

    return statistics(*args, **options)


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
