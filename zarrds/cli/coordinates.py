"""Parts of arrays that are named by values of their coordinates: ``lat=52.5``, ``time=2020-01..2020-03``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
import numpy as np

from zarrds._base.types import NDArrayAny
from zarrds._base.unpacking import unpacking_of
from zarrds.cli.selecting import Item
from zarrds.core import Array
from zarrds.errors import ArgumentError, ZarrdsError

__all__ = ["items_at", "sel_option"]

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_ZONE = re.compile(r"(.+[T ]\d{1,2}(?::\d{1,2}){0,2}(?:\.\d*)?) ?([+-])(\d{1,2}):?(\d\d)?")
"""A time, and how far it is ahead of UTC."""
_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")


def _sel(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in values:
        name, _, value = (part.strip() for part in text.partition("="))
        if not (name and value):
            raise click.BadParameter(f"expected NAME=VALUE or NAME=START..STOP, found {text!r}")
        if name in found:
            raise click.BadParameter(f"dimension {name!r} is selected twice")
        found[name] = value
    return found


sel_option = click.option(
    "--sel",
    callback=_sel,
    multiple=True,
    metavar="NAME=VALUE",
    help="The nearest coordinate, or all in a range: lat=52.5, time=2020-01..2020-03; may be repeated.",
)


def items_at(
    array: Array, isel: Mapping[str, Item], sel: Mapping[str, str], beside: Callable[[str], Any]
) -> dict[str, Item]:
    """Return indexes and ranges by the names of dimensions: those given, and those of coordinates.

    Parameters
    ----------
    array : Array
        Array from which is selected.
    isel, sel : dict
        By the names of dimensions: indexes or ranges; values of coordinates as text.
    beside : callable
        Opens a node by its path in the store.

    Raises
    ------
    ArgumentError
        There is no such coordinate, or it has no such value.
    """
    found, group = dict(isel), array.path.rpartition("/")[0]
    for name, text in sel.items():
        if name in found:
            raise ArgumentError(f"dimension {name!r} is selected by --isel too", path=array.path)
        try:
            coordinate = beside(f"{group}/{name}".strip("/"))
        except (ZarrdsError, OSError) as error:
            raise ArgumentError(f"there is no coordinate {name!r}; use --isel", path=array.path) from error
        if not isinstance(coordinate, Array) or coordinate.ndim != 1:
            raise ArgumentError(f"{name!r} is no coordinate of one dimension; use --isel", path=array.path)
        found[name] = _item_at(name, text, _values_of(coordinate))
    return found


def _values_of(coordinate: Array) -> NDArrayAny:
    """Return the values of a coordinate; times as datetime64."""
    values = np.asarray(unpacking_of(coordinate).unpacked(np.asarray(coordinate[:])))
    units = re.fullmatch(r"(second|minute|hour|day)s? since (.+)", str(coordinate.attrs.get("units", "")).strip())
    if values.dtype.kind != "f" or units is None or coordinate.attrs.get("calendar", "standard") not in _CALENDARS:
        return values
    try:
        since = _time(units[2]).astype("M8[ms]")
    except ValueError:  # another way to write it: numbers are compared then
        return values
    times: NDArrayAny = since + np.round(values * _SECONDS[units[1]] * 1000).astype("m8[ms]")
    return times


def _time(text: str) -> np.datetime64:
    return _span(text)[0]


def _span(text: str) -> tuple[np.datetime64, np.datetime64]:
    """Return when a time, day, month or year begins and when the next one begins, in UTC.

    An offset such as ``+02:00`` is taken off, as numpy knows no time zones.
    """
    text = text.strip().removesuffix("Z").removesuffix("UTC").strip()
    if text.lower() == "nat":
        return (never := np.datetime64("NaT", "s")), never  # numpy 2.5 deprecates times without a unit
    zone = _ZONE.fullmatch(text)
    begin = np.datetime64((zone[1] if zone else text).replace(" ", "T"))
    unit: Any = np.datetime_data(begin.dtype)[0]
    end = begin + np.timedelta64(1, unit)
    if zone is None:
        return begin, end
    ahead = np.timedelta64(int(f"{zone[2]}{60 * int(zone[3]) + int(zone[4] or 0)}"), "m")
    return begin - ahead, end - ahead


def _item_at(name: str, text: str, values: NDArrayAny) -> Item:
    return _range_at(name, text, values) if ".." in text else _index_at(name, text, values)


def _range_at(name: str, text: str, values: NDArrayAny) -> slice:
    """Return where the values from the first to the last one are; the text may leave out one of these."""
    first, _, last = text.partition("..")
    inside = np.ones(len(values), bool)
    if first:
        inside &= values >= _parsed(name, first, values)
    if last:
        inside &= _until(name, last, values)
    (at,) = np.nonzero(inside)
    if not len(at) or at[-1] - at[0] + 1 != len(at):
        what = "no value" if not len(at) else "no range without gaps"
        raise ArgumentError(f"coordinate {name!r} has {what} there", expected=_extent(values), found=text)
    return slice(int(at[0]), int(at[-1]) + 1)


def _index_at(name: str, text: str, values: NDArrayAny) -> int:
    """Return where the nearest number or time is, at most half a step away; other values must be equal."""
    wanted = _parsed(name, text, values)
    if values.dtype.kind not in "fMm":
        at = np.flatnonzero(values == wanted)
        if not len(at):
            raise ArgumentError(f"coordinate {name!r} has no such value", found=text)
        return int(at[0])
    (known,) = np.nonzero(~np.isnan(values))
    if not len(known):
        raise ArgumentError(f"coordinate {name!r} has no values", found=text)
    distances, steps = np.abs(values[known] - wanted), np.abs(np.diff(values[known]))
    nearest = int(known[distances.argmin()])
    most = steps.max() / 2 if len(steps) else distances.min() * 0  # a number, or a duration
    if not distances.min() <= most:  # not ">": a distance from NaN or NaT is neither
        raise ArgumentError(f"coordinate {name!r} has no such value", expected=_extent(values), found=text)
    return nearest


def _until(name: str, last: str, values: NDArrayAny) -> NDArrayAny:
    """Return which values are not after the last one; a month, or a day, is meant as a whole."""
    wanted = _parsed(name, last, values)
    return np.asarray(values < _span(last)[1] if values.dtype.kind == "M" else values <= wanted)


def _parsed(name: str, text: str, values: NDArrayAny) -> Any:
    try:
        if values.dtype.kind == "M":
            return _time(text)
        return float(text) if values.dtype.kind in "f" else text.strip()
    except ValueError:
        kind = "a time such as 2020-01-31T12" if values.dtype.kind == "M" else "a number"
        raise ArgumentError(f"coordinate {name!r} needs {kind}", found=text) from None


def _extent(values: NDArrayAny) -> str:
    known = values[~np.isnan(values)] if values.dtype.kind in "fMm" else values
    return f"from {known.min()} to {known.max()}" if len(known) else "no values"
