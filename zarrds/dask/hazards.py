"""Find read-after-write hazards: tasks that read elements which other tasks of the same job overwrite.

With a hazard, results would depend on the order of tasks. If a task reads a stored array that is also written, all
blocks that are computed from it are found. A block may be computed from the elements that it replaces, and from any
elements that no task replaces. Another array may be computed from them too, if one task reads them for both: then
they are read before they are replaced.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, product
from typing import Any

import numpy as np

from zarrds._engine import stored_place, values_in, values_of, wrappers_of
from zarrds._store import Place
from zarrds.errors import ArgumentTypeError, SelfOverwriteError

__all__ = ["PlannedWrite", "refuse_read_after_write"]

Box = tuple[tuple[int, int], ...]
"""Begin and end of the elements along each dimension."""


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """Values that a job will write to one stored array.

    Attributes
    ----------
    path : str
        Path of the array in the target.
    place : Place
        Place of the stored array, which can be compared.
    origin : tuple of int
        Where the values begin in it.
    shape : tuple of int
        Shape of the values.
    data : dask.array.Array or None
        The values; None when they are in memory.

    Examples
    --------
    >>> import dask.array as da, zarrds
    >>> from zarrds.dask import PlannedWrite
    >>> z = zarrds.zeros((4, 6), chunks=2)
    >>> write = PlannedWrite(z.path, z.source().place(), (0, 0), (2, 6), da.ones((2, 6), chunks=2))
    """

    path: str
    place: Place
    origin: tuple[int, ...]
    shape: tuple[int, ...]
    data: Any

    @property
    def box(self) -> Box:
        """Return the box of the elements that are replaced."""
        return tuple((o, o + n) for o, n in zip(self.origin, self.shape, strict=True))

    def blocks(self) -> Iterator[tuple[Hashable, Box]]:
        """Return the key and the box of every block."""
        edges = [list(accumulate(n, initial=o)) for n, o in zip(self.data.chunks, self.origin, strict=True)]
        for at in product(*map(range, self.data.numblocks)):
            yield (self.data.name, *at), tuple((e[i], e[i + 1]) for e, i in zip(edges, at, strict=True))


def refuse_read_after_write(writes: Sequence[PlannedWrite]) -> None:
    """Raise SelfOverwriteError if tasks would read what other tasks of the same job overwrite.

    Parameters
    ----------
    writes : sequence of PlannedWrite
        All that the job writes.

    Raises
    ------
    SelfOverwriteError
        A block is computed from elements that another block replaces.

    Examples
    --------
    >>> import dask.array as da, zarrds, zarrds.dask
    >>> from zarrds.dask import PlannedWrite, refuse_read_after_write
    >>> z = zarrds.zeros(4, chunks=2)
    >>> doubled = zarrds.dask.from_zarr(z) * 2
    >>> refuse_read_after_write([PlannedWrite("", z.source().place(), (0,), (4,), doubled)])
    """
    for write in writes:
        if not isinstance(write, PlannedWrite):
            raise ArgumentTypeError(f"writes must be a list of PlannedWrite, found {type(write).__name__}")
    read = {write.path: _Reads(write, writes) for write in writes if write.data is not None}
    for own in read.values():
        own.refuse_moved()
    for other in read.values():
        for key, path in other.found:
            if path != other.write.path and (path not in read or (key, path) not in read[path].found):
                raise _refused(other.write.path, path)


def _refused(path: str, source: str) -> SelfOverwriteError:
    what = "other blocks of the array that they would overwrite"
    if path != source:
        what = f"blocks of {source!r} that would be overwritten at the same time"
    return SelfOverwriteError(
        f"blocks of a dask array are made of {what}",
        path=path,
        hint="store it elsewhere, or read it first with persist()",
    )


# --- what tasks read -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _View:
    """Elements of a stored array, in the order in which a task sees them.

    `spans` are the positions along each stored dimension. `axes` are the stored dimensions that the view has; None if
    they are unknown, so that an index of the view cannot be translated. `reader` is the key of the task that reads.
    """

    path: str
    spans: tuple[Any, ...]
    axes: tuple[int, ...] | None
    reader: Hashable = None

    def __getitem__(self, index: Any) -> _View:
        index = index if isinstance(index, tuple) else (index,)
        if self.axes is None or len(index) > len(self.axes) or not all(map(_is_known, index)):
            return replace(self, axes=None)
        spans = list(self.spans)
        for axis, part in zip(self.axes, index, strict=False):
            if isinstance(part, slice):
                spans[axis] = spans[axis][part]
            else:
                spans[axis] = np.atleast_1d(np.asarray(spans[axis], dtype=np.intp)[part])
        axes = tuple(a for a, part in zip(self.axes, index, strict=False) if np.ndim(part) or isinstance(part, slice))
        arrays = sum(np.ndim(part) for part in index if not isinstance(part, slice))
        # numpy takes two arrays for points, other libraries take them for a grid; both are inside the same box
        return replace(self, spans=tuple(spans), axes=None if arrays > 1 else axes + self.axes[len(index) :])

    def box_within(self, outer: Box) -> Box | None:
        """Return where its elements are inside `outer`; None if none are."""
        found = []
        for span, (start, stop) in zip(self.spans, outer, strict=True):
            ends = (span[0], span[-1]) if isinstance(span, range) and span else span
            low, high = max(start, int(min(ends, default=stop))), min(stop, int(max(ends, default=start)) + 1)
            if low >= high:
                return None
            found.append((low, high))
        return tuple(found)


def _is_known(part: Any) -> bool:
    if isinstance(part, slice):
        return True
    return (
        isinstance(part, (int, list, np.integer, np.ndarray))
        and np.ndim(part) < 2
        and np.asarray(part).dtype.kind in "iu"
    )


def _index_in(wrapper: Any) -> Any:
    """Return the index that a wrapper applies to the array inside; an ellipsis (all) if it picks points."""
    key = getattr(wrapper, "key", None)
    if key is None:
        return None
    return ... if type(key).__name__ == "VectorizedIndexer" else getattr(key, "tuple", ...)


def _view_of(data: Any, path: str) -> _View:
    """Return the view that xarray's wrappers make of a stored array, applied from the inside out."""
    stored, *wrappers = wrappers_of(data)
    shape = tuple(getattr(stored, "meta", stored).shape)
    view = _View(path, tuple(map(range, shape)), tuple(range(len(shape))))
    for wrapper in wrappers:
        index, before, shape = _index_in(wrapper), shape, tuple(getattr(wrapper, "shape", shape))
        if index is not None:
            view = view[index]
        elif shape != before:
            view = replace(view, axes=None)
    return view


class _Reads:
    """Record of which tasks of one write read elements that are replaced.

    Attributes
    ----------
    write : PlannedWrite
        The write.
    found : set of (key, path)
        The tasks that read them, and the paths of the arrays.
    """

    def __init__(self, write: PlannedWrite, writes: Sequence[PlannedWrite]) -> None:
        self.write = write
        self.found: set[tuple[Hashable, str]] = set()
        self._writes = writes
        self._replaced = {other.path: other.box for other in writes}
        self._paths = {name: other.path for other in writes for name in other.place.names()}
        self._views: dict[Hashable, list[_View]] = {}  # keys whose value is an unchanged part of a stored array
        self._hulls: dict[
            Hashable, dict[str, Box]
        ] = {}  # all other keys: the views that they are computed from, by path
        self._known: dict[int, tuple[Any, _View | None]] = {}
        graph = write.data.__dask_graph__()
        if any(self._seen(value) is not None for value in values_of(graph)):
            self._follow(graph)

    def refuse_moved(self) -> None:
        """Raise SelfOverwriteError if a block is computed from elements that another block replaces."""
        path = self.write.path
        for key, box in self.write.blocks() if self.found else ():
            hull = self._hulls.get(key, {}).get(path, box)
            if any(a < c or b > d for (a, b), (c, d) in zip(hull, box, strict=True)):
                raise _refused(path, path)

    def _follow(self, graph: Any) -> None:
        wanted = [key for key, _ in self.write.blocks()]
        tasks = dict(graph.cull(set(wanted)) if hasattr(graph, "cull") else graph)
        needed = dict(_in_order(tasks, wanted))
        for key, before in needed.items():
            self._visit(key, tasks[key], before)
        for key in wanted:
            self._use(key, self._views.get(key, []))

    def _visit(self, key: Hashable, task: Any, needed: list[Hashable]) -> None:
        views = [view for other in needed for view in self._views.get(other, ())]
        views += filter(None, map(self._seen, values_in(task)))
        index = _read_index(task)
        if _is_task(task):
            views = [view if view.reader is not None else replace(view, reader=key) for view in views]
        if not _is_task(task) or (index is not None and len(views) == 1):
            self._views[key] = views if index is None else [view[index] for view in views]
            views = []
        self._use(key, views)
        for other in needed:
            if other in self._hulls:
                self._widen(key, self._hulls[other])

    def _seen(self, value: Any) -> _View | None:
        """Return the view that a value in a task is of an array that is written; cached by the value's id."""
        known = self._known.get(id(value))
        if known is None:
            view = self._view_of(value)
            known = self._known[id(value)] = (value, view)  # keep a reference, so that no other object gets the same id
        return known[1]

    def _view_of(self, value: Any) -> _View | None:
        """Return the view that a value in a task is of an array that is written; None if it reads none of them."""
        place = stored_place(value)
        if place is None:
            return None
        path = next((self._paths[name] for name in place.names() if name in self._paths), None)
        if path is not None:
            return _view_of(value, path)
        # a value that uses files of the array in another way, as references do, may read all of it
        path = next((write.path for write in self._writes if write.place.contains(place)), None)
        if path is None:
            return None
        return _View(path, tuple(range(*ends) for ends in self._replaced[path]), None)

    def _use(self, key: Hashable, views: list[_View]) -> None:
        """Record that a key is computed from views."""
        for view in views:
            box = view.box_within(self._replaced[view.path])
            if box is not None:
                self.found.add((view.reader, view.path))
                self._widen(key, {view.path: box})

    def _widen(self, key: Hashable, more: Mapping[str, Box]) -> None:
        hulls = self._hulls.setdefault(key, {})
        for path, box in more.items():
            known = hulls.get(path, box)
            hulls[path] = tuple((min(a, c), max(b, d)) for (a, b), (c, d) in zip(known, box, strict=True))


# --- dask's tasks ----------------------------------------------------------------------------------------------------


def _in_order(tasks: Mapping[Hashable, Any], wanted: list[Hashable]) -> Iterator[tuple[Hashable, list[Hashable]]]:
    """Yield keys with the keys that they depend on, dependencies first."""
    from dask.core import get_dependencies

    opened: dict[Hashable, list[Hashable]] = {}
    done: set[Hashable] = set()
    stack = list(reversed(wanted))
    while stack:
        key = stack[-1]
        if key not in opened:
            opened[key] = list(get_dependencies(tasks, key))
            stack += [other for other in opened[key] if other not in opened]
            continue
        stack.pop()
        if key not in done:
            done.add(key)
            yield key, opened[key]


def _is_task(task: Any) -> bool:
    """Return whether a node of a graph calls a function; otherwise it is a value or an alias."""
    from dask.core import istask

    return hasattr(task, "func") or istask(task)


def _read_index(task: Any) -> Any:
    """Return the index that a task applies to an array or a part of one; None if the task does something else."""
    function = getattr(task, "func", None)
    arguments: tuple[Any, ...] = tuple(getattr(task, "args", ()))
    name = (getattr(function, "__module__", ""), getattr(function, "__name__", ""))
    if name in _TAKING and len(arguments) > 1:
        return getattr(arguments[1], "value", arguments[1])
    if name in _READING and len(arguments) > 2:
        grid, block_id = (getattr(argument, "value", argument) for argument in (arguments[1], arguments[-1]))
        return grid.region(block_id)
    return None


_TAKING = {("_operator", "getitem"), *(("dask.array.core", f"getter{kind}") for kind in ("", "_nofancy", "_inline"))}
_READING = {("zarrds.dask.tasks", "read_block"), ("zarrds.dask.tasks", "read_block_as")}
