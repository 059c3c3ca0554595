"""Whether what is written lazily reads what the same call overwrites, so that results depended on the order of tasks.

Every task that reads a stored array which is also written is followed down to the blocks that are written. A block may
be made of the elements that it replaces, and of any that nobody replaces. Another array may be made of them too, when
what it reads is read once for both: then it is read before it is replaced.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, product
from typing import Any

import numpy as np

from zarrds.core import Array
from zarrds.errors import SelfOverwriteError

__all__ = ["PlannedWrite", "other_place", "refuse_moved_blocks", "values_of", "wrappers_of"]

Box = tuple[tuple[int, int], ...]
"""Where the elements begin and end along each dimension."""


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """What is going to be written to one stored array.

    Attributes
    ----------
    path : str
        Path of the array in the target.
    origin : tuple of int
        Where the values begin in it.
    shape : tuple of int
        Shape of the values.
    data : dask.array.Array or None
        The values; None when they are in memory.
    """

    path: str
    origin: tuple[int, ...]
    shape: tuple[int, ...]
    data: Any

    @property
    def box(self) -> Box:
        """The elements that are replaced."""
        return tuple((o, o + n) for o, n in zip(self.origin, self.shape, strict=True))

    def blocks(self) -> Iterator[tuple[Hashable, Box]]:
        """Key and place of every block."""
        edges = [list(accumulate(n, initial=o)) for n, o in zip(self.data.chunks, self.origin, strict=True)]
        for at in product(*map(range, self.data.numblocks)):
            yield (self.data.name, *at), tuple((e[i], e[i + 1]) for e, i in zip(edges, at, strict=True))


def refuse_moved_blocks(writes: list[PlannedWrite], path_of: Callable[[Any], str | None]) -> None:
    """Raise SelfOverwriteError when tasks would read what others have replaced by then, or not yet.

    `path_of` gives, of a value in a task, the path of the array that it reads; None if it reads none in the target.
    """
    replaced = {write.path: write.box for write in writes}
    read = {write.path: _Reads(write, path_of, replaced) for write in writes if write.data is not None}
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
    """Elements of a stored array, in the order in which a task has them.

    `spans` are the positions along each stored dimension, `axes` the stored dimensions that the view has, None when
    they are not known, so that an index of the view says nothing; `reader` is the key of the task that reads them.
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
        # two arrays pick points for numpy, and a grid for others: inside the same box
        return replace(self, spans=tuple(spans), axes=None if arrays > 1 else axes + self.axes[len(index) :])

    def box_within(self, outer: Box) -> Box | None:
        """Where its elements lie inside `outer`; None if there are none."""
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


def wrappers_of(data: Any) -> list[Any]:
    """What a lazy array is wrapped in, as xarray does; the stored array first."""
    found = [data]
    while not isinstance(found[-1], Array | np.ndarray) and hasattr(found[-1], "array"):
        found.append(found[-1].array)
    return found[::-1]


def other_place(array: Any) -> tuple[str, str] | None:
    """Path or URL of the store and path in it of an array of the zarr library, told by what it shows publicly."""
    store: Any = getattr(array, "store", None)
    path = getattr(array, "path", None)
    if not isinstance(path, str):
        return None
    root = getattr(store, "root", None)
    fs: Any = getattr(store, "fs", None)
    if root is None and hasattr(fs, "unstrip_protocol"):
        root = getattr(fs, "sync_fs", fs).unstrip_protocol(store.path).removeprefix("file://")
    if not isinstance(root, str | os.PathLike):
        return None
    return (str(root) if "://" in str(root) else os.path.realpath(root)), path


def _index_in(wrapper: Any) -> Any:
    """The index that a wrapper applies to what it wraps; an ellipsis, which says nothing, for one that picks points."""
    key = getattr(wrapper, "key", None)
    if key is None:
        return None
    return ... if type(key).__name__ == "VectorizedIndexer" else getattr(key, "tuple", ...)


def _view_of(data: Any, path: str) -> _View:
    """The view that xarray's wrappers of a stored array make, from the inside out."""
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
    """What the tasks of one write read of the elements that are replaced.

    Attributes
    ----------
    write : PlannedWrite
        The write.
    found : set of (key, path)
        The tasks that read them, and the paths of the arrays.
    """

    def __init__(self, write: PlannedWrite, path_of: Callable[[Any], str | None], replaced: Mapping[str, Box]) -> None:
        self.write = write
        self.found: set[tuple[Hashable, str]] = set()
        self._path_of, self._replaced = path_of, replaced
        self._views: dict[Hashable, list[_View]] = {}  # of keys whose value is a part of stored arrays as it is
        self._hulls: dict[Hashable, dict[str, Box]] = {}  # of all other keys: what they are made of, by path
        self._known: dict[int, tuple[Any, _View | None]] = {}
        graph = write.data.__dask_graph__()
        if any(self._seen(value) is not None for value in values_of(graph)):
            self._follow(graph)

    def refuse_moved(self) -> None:
        """Raise SelfOverwriteError when a block is made of elements that another block replaces."""
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
        views += filter(None, map(self._seen, _values_in(task)))
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
        """The view that a value in a task is, when it is of an array that is replaced."""
        known = self._known.get(id(value))
        if known is None:
            path = self._path_of(value)
            view = _view_of(value, path) if path is not None and path in self._replaced else None
            known = self._known[id(value)] = (value, view)  # kept, so that nothing else gets its id
        return known[1]

    def _use(self, key: Hashable, views: list[_View]) -> None:
        """Note that a key is made of views."""
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


def values_of(graph: Any) -> Iterator[Any]:
    """Values inside the tasks of a graph; symbolic layers are looked at, not spelled out."""
    for layer in getattr(graph, "layers", {"": graph}).values():
        indices = getattr(layer, "indices", None)
        if indices is not None and hasattr(layer, "task"):
            yield from (getattr(value, "value", value) for value, index in indices if index is None)
            yield from _values_in(layer.task)
        else:
            for task in list(layer.values()):
                yield from _values_in(task)


def _values_in(task: Any) -> Iterator[Any]:
    """Values inside a task, also of the tasks that were fused in it."""
    waiting = [task]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            waiting += part.values()
        elif isinstance(part, tuple | list) and not hasattr(part, "_fields"):
            waiting += part
        elif hasattr(part, "args") and hasattr(part, "func"):
            named = getattr(part, "kwargs", None) or getattr(part, "keywords", None) or {}
            waiting += (*part.args, *named.values())
        else:
            yield getattr(part, "value", part)


def _in_order(tasks: Mapping[Hashable, Any], wanted: list[Hashable]) -> Iterator[tuple[Hashable, list[Hashable]]]:
    """Keys with those that they need, which come first."""
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
    """Whether a node of a graph calls a function; else it is a value, or another name of one."""
    from dask.core import istask

    return hasattr(task, "func") or istask(task)


def _read_index(task: Any) -> Any:
    """The index of the elements that a task takes of a stored array or a part of one; None: it does something else."""
    function = getattr(task, "func", None)
    arguments: tuple[Any, ...] = tuple(getattr(task, "args", ()))
    name = (getattr(function, "__module__", ""), getattr(function, "__name__", ""))
    if name in _TAKING and len(arguments) > 1:
        return getattr(arguments[1], "value", arguments[1])
    if name == _READING and len(arguments) == 3:
        grid, block_id = (getattr(argument, "value", argument) for argument in arguments[1:])
        return grid.region(block_id)
    return None


_TAKING = {("_operator", "getitem"), *(("dask.array.core", f"getter{kind}") for kind in ("", "_nofancy", "_inline"))}
_READING = ("zarrds.dask.tasks", "read_block")
