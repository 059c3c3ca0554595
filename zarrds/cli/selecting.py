"""Parts of arrays that are named on the command line: ``0:10,::2`` in order, or ``time=0`` by dimension."""

from __future__ import annotations

from collections.abc import Sequence

import click

from zarrds.cli.describe import dimension_names
from zarrds.core import Array
from zarrds.errors import ArgumentError

__all__ = ["Item", "isel_option", "lengths_of", "parsed_items", "select_option", "selection_of"]

Item = int | slice


def _item(text: str) -> Item:
    """Parse an integer or a slice."""
    parts = [part.strip() for part in text.split(":")]
    try:
        numbers = [int(part) if part else None for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) == 1 and numbers[0] is not None:
        return numbers[0]
    if len(numbers) in (2, 3) and numbers[2:] != [0]:
        return slice(*numbers)
    raise click.BadParameter(f"expected an index (3) or a range (0:10, ::2), found {text!r}")


def parsed_items(text: str) -> list[Item]:
    """Parse indexes and ranges with commas."""
    return [_item(part) for part in text.split(",")]


def _select(ctx: click.Context, param: click.Parameter, value: str | None) -> list[Item] | None:
    return None if value is None else parsed_items(value)


def _isel(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> dict[str, Item]:
    found: dict[str, Item] = {}
    for text in values:
        for pair in text.split(","):
            name, sign, value = pair.rpartition("=")
            if not (name and sign):
                raise click.BadParameter(f"expected NAME=INDEX or NAME=START:STOP, found {pair!r}")
            if name.strip() in found:
                raise click.BadParameter(f"dimension {name.strip()!r} is selected twice")
            found[name.strip()] = _item(value)
    return found


select_option = click.option(
    "--select",
    "-s",
    callback=_select,
    metavar="ITEMS",
    help="Indexes or ranges of the dimensions in order, with commas: 0,10:20,::2.",
)
isel_option = click.option(
    "--isel",
    callback=_isel,
    multiple=True,
    metavar="NAME=ITEM",
    help="Index or range of the dimension of this name, or number: time=0, lat=10:20, 2=0; may be repeated.",
)


def selection_of(array: Array, select: Sequence[Item] | None, isel: dict[str, Item]) -> tuple[Item, ...]:
    """Return an index or a slice for each dimension of an array.

    Raises
    ------
    ArgumentError
        There are too many items, a dimension of that name does not exist, or one is selected twice.
    """
    found: list[Item] = [slice(None)] * array.ndim
    chosen = list(select or ())
    if len(chosen) > array.ndim:
        raise ArgumentError(f"{len(chosen)} indexes for an array of {array.ndim} dimensions", path=array.path)
    found[: len(chosen)] = chosen
    names, taken = _names(array), set[int]()
    for name, item in isel.items():
        axis = names.get(name)
        if axis is None:
            known = ", ".join(names) or "none, as it is a single value"
            raise ArgumentError(f"there is no dimension {name!r}", path=array.path, expected=known, found=name)
        if axis < len(chosen):
            raise ArgumentError(f"dimension {name!r} is selected by --select too", path=array.path)
        if axis in taken:
            raise ArgumentError(f"dimension {name!r} is selected twice, by its name and by its number", path=array.path)
        taken.add(axis)
        found[axis] = item
    shown = {axis: name for name, axis in reversed(names.items())}
    return tuple(
        _checked(item, length, shown[axis]) for axis, (item, length) in enumerate(zip(found, array.shape, strict=True))
    )


def _names(array: Array) -> dict[str, int]:
    """Return the axis of each dimension, by its name, and by its number unless that is a name."""
    found = {name: axis for axis, name in enumerate(dimension_names(array) or ()) if name is not None}
    for axis in range(array.ndim):
        found.setdefault(str(axis), axis)
    return found


def _checked(item: Item, length: int, name: str) -> Item:
    if isinstance(item, int):
        if not -length <= item < length:
            what = f"index {item} is out of bounds for dimension {name} of length {length}"
            raise ArgumentError(what, hint=f"use {-length} to {length - 1}" if length else "there is nothing to select")
        return item % length
    start, stop, step = item.indices(length)
    if step < 0:
        raise ArgumentError(f"a range must not run backwards, found step {step} in dimension {name}")
    return slice(start, max(start, stop), step)


def lengths_of(selection: Sequence[Item]) -> tuple[int, ...]:
    """Return the shape of what a selection gives."""
    return tuple(len(range(item.start, item.stop, item.step)) for item in selection if isinstance(item, slice))
