"""Find the differences between two hierarchies as a job: nodes, attributes, and values within a tolerance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from zarrds._base.edges import chunks_between, longest_chunk
from zarrds._base.types import NDArrayAny
from zarrds._base.unpacking import decoded_fill
from zarrds._engine import ChunkSource
from zarrds._format import ArrayMeta
from zarrds.core import Array
from zarrds.core.html import facts_table
from zarrds.dask.block_batches import BlockRange, SumsByArray, block_batches, parts_of, regions_of
from zarrds.dask.jobs import GraphBuilder, Job, require_shareable
from zarrds.dask.places import opened_node
from zarrds.dask.progress import tell_bytes
from zarrds.dask.tasks import read_block
from zarrds.errors import ArgumentError
from zarrds.errors.escaping import visible
from zarrds.hierarchy import Group

__all__ = ["DiffReport", "Difference", "diff"]

_SHOWN = 50
_DIMENSIONS = "_ARRAY_DIMENSIONS"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between two hierarchies.

    Attributes
    ----------
    kind : str
        What differs: "only-in-first", "only-in-second", "kind", "shape", "dtype", "dimensions", "attributes", "values",
        or "storage": chunks, codecs, fill value and format, which change no value.
    path : str
        Path of the node, relative to what was compared.
    message : str
        Both sides of the difference.
    count : int
        Number of values that differ.
    counts : bool
        Whether the hierarchies are different for it; differences of storage need not matter.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> (found,) = zarrds.dask.diff(zarrds.array([1, 2, 3]), zarrds.array([1, 2, 4])).compute().differences
    >>> found.kind, found.count, found.counts
    ('values', 1, True)
    """

    kind: str
    path: str
    message: str
    count: int = 0
    counts: bool = True


@dataclass(frozen=True, slots=True)
class DiffReport:
    """Result of `diff`.

    Attributes
    ----------
    differences : tuple of Difference
        All differences, by path.
    groups, arrays : int
        Number of nodes that are on both sides.
    values : int
        Number of values that were compared.
    same_bytes : int
        Of these, the number of values in blocks whose encoded chunks are the same, so that nothing was decoded.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> a, b = zarrds.array([1, 2, 3]), zarrds.array([1, 2, 4])
    >>> report = zarrds.dask.diff(a, b).compute()
    >>> report.equal, report.values, [difference.kind for difference in report.differences]
    (False, 3, ['values'])
    """

    differences: tuple[Difference, ...]
    groups: int
    arrays: int
    values: int
    same_bytes: int

    @property
    def equal(self) -> bool:
        """Whether there is no difference that counts.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> report = zarrds.dask.diff(zarrds.ones(4), zarrds.zeros(4)).compute()
        >>> report.equal
        False
        """
        return not any(found.counts for found in self.differences)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain values, for JSON.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> report = zarrds.dask.diff(zarrds.ones(4), zarrds.zeros(4)).compute()
        >>> report.to_dict()["equal"]
        False
        """
        return {"equal": self.equal, **asdict(self), "differences": [asdict(found) for found in self.differences]}

    def _facts(self) -> list[tuple[str, str]]:
        counted = sum(found.counts for found in self.differences)
        return [
            ("Compared", f"{self.groups} groups, {self.arrays} arrays, {self.values:,} values"),
            ("Same bytes", f"{self.same_bytes:,} values in chunks that did not have to be decoded"),
            ("Differences", str(counted) if counted else "none"),
        ]

    def __str__(self) -> str:
        lines = [f"{'!' if d.counts else '-'} {d.path or '/'}: {d.message}" for d in self.differences[:_SHOWN]]
        more = len(self.differences) - _SHOWN
        lines += [f"... and {more} more"] if more > 0 else []
        return "\n".join(visible(line) for line in [*(f"{name:<11} : {text}" for name, text in self._facts()), *lines])

    def _repr_html_(self) -> str:
        rows = [(visible(f"{'!' if d.counts else '-'} {d.path or '/'}"), d.message) for d in self.differences[:_SHOWN]]
        return facts_table([*self._facts(), *rows])


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two arrays whose values are compared."""

    other: ChunkSource
    same_layout: bool
    rtol: float
    atol: float


@dataclass(frozen=True, slots=True)
class _Values:
    """What tasks have found in the values of one array; can be added to others.

    `first` is the position of the first difference, with both values as text.
    """

    compared: int = 0
    same_bytes: int = 0
    differing: int = 0
    furthest: float = 0.0
    first: tuple[tuple[int, ...], str] | None = None

    def __add__(self, other: _Values) -> _Values:
        firsts = [some for some in (self.first, other.first) if some is not None]
        return _Values(
            self.compared + other.compared,
            self.same_bytes + other.same_bytes,
            self.differing + other.differing,
            max(self.furthest, other.furthest),
            min(firsts, default=None),
        )


def diff(
    first: Any,
    second: Any,
    first_path: str | None = "",
    second_path: str | None = "",
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
    values: bool = True,
    attributes: bool = True,
    storage: bool = False,
    retries: int = 3,
    storage_options: Mapping[str, Any] | None = None,
    second_storage_options: Mapping[str, Any] | None = None,
) -> Job[DiffReport]:
    """Prepare to find the differences between two arrays, or two groups with all below them.

    Formats, chunks and codecs may differ. Where two arrays have the same ones, the encoded chunks are compared first,
    and only those that differ are decoded. Each task reads a block of some chunks of both at a time.

    Parameters
    ----------
    first, second : Array, Group, str, Store or MutableMapping
        What is compared, or where it is stored.
    first_path, second_path : str, optional
        Paths of the nodes.
    rtol, atol : float, default 0
        Numbers ``a`` and ``b`` are equal if ``abs(a - b) <= atol + rtol * abs(b)``. NaN equals NaN, NaT equals NaT.
    values : bool, default True
        Whether values are compared.
    attributes : bool, default True
        Whether attributes are compared.
    storage : bool, default False
        Whether differences of chunks, codecs, fill value and format count; else they are listed only.
    retries : int, default 3
        How often a cluster repeats a task that failed.
    storage_options : dict, optional
        Options of the file system behind the first URL.
    second_storage_options : dict, optional
        Options of the file system behind the second URL; by default those of the first.

    Returns
    -------
    Job
        Its `compute` returns a `DiffReport`.

    Raises
    ------
    PathNotFoundError
        Nothing is at a path.
    ValueError
        A tolerance is negative.
    StoreNotShareableError
        The workers of the current scheduler cannot reach a store.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> a, b = zarrds.array([1.0, 2.0, 3.0], chunks=2), zarrds.array([1.0, 2.0, 3.5], chunks=3)
    >>> report = zarrds.dask.diff(a, b).compute()
    >>> report.equal, report.differences[-1].message
    (False, '1 of 3 values differ, by at most 0.5; the first at (2,): 3.0 and 3.5')
    >>> zarrds.dask.diff(a, b, atol=1).compute().equal
    True
    """
    if not (rtol >= 0 and atol >= 0):
        raise ArgumentError(f"tolerances must be 0 or more, found rtol={rtol}, atol={atol}")
    if second_storage_options is None:
        second_storage_options = storage_options
    one = opened_node(first, first_path, storage_options)
    two = opened_node(second, second_path, second_storage_options)
    require_shareable(one.store, two.store)
    ours, theirs = _nodes(one), _nodes(two)
    both = [name for name in ours if name in theirs]
    found = list(_unmatched(ours, theirs))
    for name in both:
        found += _of_nodes(name, ours[name], theirs[name], attributes=attributes, storage=storage)
    pairs = [name for name in both if values and _comparable(ours[name], theirs[name])]
    known = DiffReport(tuple(found), *_counts(ours, both), 0, 0)
    work = tuple(_pair(ours[name], theirs[name], rtol, atol) for name in pairs)
    graph = GraphBuilder(work, retries=retries)
    batches = block_batches([ours[name] for name in pairs], whole=True) or [()]
    done = graph.stage("zarrds-diff", _compare_batch, batches)
    return graph.job(done, partial(_report, known, pairs), stores=(one.store.spec(), two.store.spec()))


# --- documents --------------------------------------------------------------------------------------------------------


def _nodes(root: Array | Group) -> dict[str, Any]:
    """Return a node and all below it, by relative paths; members that cannot be opened as their errors."""
    found: dict[str, Any] = {"": root}
    waiting: list[tuple[str, Any]] = [("", root)]
    while waiting:
        above, node = waiting.pop()
        if isinstance(node, Group):
            members, failed = node.open_members()
            below = {f"{above}/{name}".lstrip("/"): member for name, member in {**members, **failed}.items()}
            found |= below
            waiting += below.items()
    return dict(sorted(found.items()))


def _unmatched(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[Difference]:
    for kind, here, there in (("only-in-first", ours, theirs), ("only-in-second", theirs, ours)):
        for name, node in here.items():
            if name not in there and name.rpartition("/")[0] in there:
                yield Difference(kind, name, f"{_what(node)} is {kind.replace('-', ' ')}")


def _what(node: Any) -> str:
    return "array" if isinstance(node, Array) else "group" if isinstance(node, Group) else "array that cannot be opened"


def _of_nodes(name: str, ours: Any, theirs: Any, *, attributes: bool, storage: bool) -> Iterator[Difference]:
    """Yield the differences between two nodes at one path, except those of values."""
    if _what(ours) != _what(theirs):
        yield Difference("kind", name, f"{_what(ours)} and {_what(theirs)}")
        return
    if isinstance(ours, Exception):
        yield Difference("kind", name, f"cannot be compared: {ours}")
        return
    if isinstance(ours, Array):
        yield from _of_arrays(name, ours, theirs, storage)
    if attributes:
        yield from _of_attributes(name, _attributes(ours, theirs), _attributes(theirs, ours))


def _of_arrays(name: str, ours: Array, theirs: Array, storage: bool) -> Iterator[Difference]:
    for kind, a, b in (
        ("shape", ours.shape, theirs.shape),
        ("dtype", ours.dtype.newbyteorder("="), theirs.dtype.newbyteorder("=")),
        ("dimensions", _dimensions(ours), _dimensions(theirs)),
    ):
        if a != b:
            yield Difference(kind, name, f"{kind} {a} and {b}")
    layout = [f"{what} {a} and {b}" for what, a, b in _storage(ours, theirs) if a != b]
    if layout and ours.shape == theirs.shape:
        yield Difference("storage", name, "; ".join(layout), counts=storage)


def _storage(ours: Array, theirs: Array) -> Iterator[tuple[str, Any, Any]]:
    yield "format", ours.zarr_format, theirs.zarr_format
    yield "chunks", ours.chunks, theirs.chunks
    yield "shards", ours.shards, theirs.shards
    yield "fill value", str(ours.fill_value) or "''", str(theirs.fill_value) or "''"
    yield "filters", _texts(ours.filters), _texts(theirs.filters)
    yield "compressors", _texts(ours.compressors), _texts(theirs.compressors)


def _texts(codecs: Any) -> str:
    return ", ".join(map(str, codecs or ())) or "none"


def _dimensions(array: Array) -> list[Any] | None:
    names = array.dimension_names
    found = array.attrs.get(_DIMENSIONS) if names is None else list(names)
    return found if isinstance(found, list) else None


def _attributes(node: Any, other: Any) -> dict[str, Any]:
    """Return the attributes of a node as both formats of Zarr have them.

    Names of dimensions are compared on their own. xarray keeps ``_FillValue`` as the fill value of the array in Zarr
    v2, and encodes it in Zarr v3.
    """
    found = dict(node.attrs.asdict())
    if not isinstance(node, Array):
        return found
    found.pop(_DIMENSIONS, None)
    if "_FillValue" in found:
        found["_FillValue"] = decoded_fill(found["_FillValue"], node.dtype)
    elif "_FillValue" in other.attrs and node.zarr_format == 2 and node.fill_value is not None:
        found["_FillValue"] = np.asarray(node.fill_value).item()
    return found


def _of_attributes(name: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[Difference]:
    for key in dict.fromkeys([*ours, *theirs]):
        if key not in theirs:
            yield Difference("attributes", name, f"attribute {key!r} is only in first: {ours[key]!r}")
        elif key not in ours:
            yield Difference("attributes", name, f"attribute {key!r} is only in second: {theirs[key]!r}")
        elif repr(ours[key]) != repr(theirs[key]) and ours[key] != theirs[key]:  # NaN equals NaN
            yield Difference("attributes", name, f"attribute {key!r}: {ours[key]!r} and {theirs[key]!r}")


def _counts(nodes: Mapping[str, Any], both: list[str]) -> tuple[int, int]:
    return sum(isinstance(nodes[n], Group) for n in both), sum(isinstance(nodes[n], Array) for n in both)


# --- values -----------------------------------------------------------------------------------------------------------


def _comparable(ours: Any, theirs: Any) -> bool:
    return isinstance(ours, Array) and isinstance(theirs, Array) and ours.shape == theirs.shape


def _pair(ours: Array, theirs: Array, rtol: float, atol: float) -> _Pair:
    return _Pair(theirs.source(), _same_layout(ours.source(), theirs.source()), rtol, atol)


def _same_layout(ours: ChunkSource, theirs: ChunkSource) -> bool:
    """Return whether equal bytes of chunks are equal values."""
    a, b = ours.meta, theirs.meta
    alike = (a.chunk, a.shape, a.irregular, a.transformers) == (b.chunk, b.shape, b.irregular, b.transformers)
    return alike and not a.transformers


def _compare_batch(work: tuple[_Pair, ...], batch: tuple[BlockRange, ...], after: Any = None) -> SumsByArray[_Values]:
    """Compare the blocks of a batch one by one; the bytes are those of the first array."""
    found: dict[int, _Values] = {}
    nbytes = 0
    for some in batch:
        pair = work[some.number]
        for region in some.regions():
            size = int(np.prod([part.stop - part.start for part in region], dtype=int))
            if pair.same_layout and _same_chunks(some.source, pair.other, region):
                values = _Values(size, size)
            else:
                values = _compared_region(some.source, region, pair)
            found[some.number] = found.get(some.number, _Values()) + values
            nbytes += size * some.source.meta.dtype.itemsize
    tell_bytes(nbytes)
    return SumsByArray(found, nbytes)


def _same_chunks(ours: ChunkSource, theirs: ChunkSource, region: tuple[slice, ...]) -> bool:
    """Return whether all stored chunks of a region are the same bytes; absent ones are the same too."""
    one, two = ours.open(), theirs.open()
    coords = list(_chunks_of(ours.meta, region))
    a = one.store.iter_many([(one.key(at), None) for at in coords])
    b = two.store.iter_many([(two.key(at), None) for at in coords])
    return all(_same(mine, other) for mine, other in zip(a, b, strict=True))


def _same(ours: Any, theirs: Any) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return memoryview(ours).cast("B") == memoryview(theirs).cast("B")


def _chunks_of(meta: ArrayMeta, region: tuple[slice, ...]) -> Iterator[tuple[int, ...]]:
    spans = [chunks_between(n, part.start, part.stop) for part, n in zip(region, meta.write_unit, strict=True)]
    return product(*spans)


def _compared_region(ours: ChunkSource, region: tuple[slice, ...], pair: _Pair) -> _Values:
    """Decode a region of both arrays, a bounded part of it at a time, and compare."""
    meta, found = ours.meta, _Values()
    grid = parts_of(region, meta.shape, longest_chunk(meta.chunks), meta.dtype.itemsize)
    for block_id, part in regions_of(grid):
        found += _compared(read_block(ours, grid, block_id), read_block(pair.other, grid, block_id), part, pair)
    return found


def _compared(ours: NDArrayAny, theirs: NDArrayAny, region: tuple[slice, ...], pair: _Pair) -> _Values:
    differs = ~_equal(ours, theirs, pair.rtol, pair.atol)
    count = int(np.count_nonzero(differs))
    if not count:
        return _Values(differs.size)
    at = np.unravel_index(int(np.argmax(differs)), differs.shape)
    first = tuple(int(i) + part.start for i, part in zip(at, region, strict=True))
    return _Values(differs.size, 0, count, _furthest(ours, theirs), (first, f"{ours[at]} and {theirs[at]}"))


def _equal(ours: NDArrayAny, theirs: NDArrayAny, rtol: float, atol: float) -> NDArrayAny:
    """Return where two blocks have equal values."""
    kinds = ours.dtype.kind + theirs.dtype.kind
    if all(kind in "biufc" for kind in kinds) and "b" not in kinds:
        if not (rtol or atol):
            return np.asarray((ours == theirs) | ((ours != ours) & (theirs != theirs)))
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(np.isclose(_wide(ours), _wide(theirs), rtol, atol, equal_nan=True))
    if kinds in ("MM", "mm"):
        return np.asarray((ours == theirs) | (np.isnat(ours) & np.isnat(theirs)))
    try:
        found = np.asarray(ours == theirs)
    except TypeError:  # types that numpy does not compare
        found = np.asarray(False)
    return found if found.shape == ours.shape and found.dtype == bool else np.zeros(ours.shape, bool)


def _wide(values: NDArrayAny) -> NDArrayAny:
    return values if values.dtype.kind == "c" else values.astype("f8", copy=False)


def _furthest(ours: NDArrayAny, theirs: NDArrayAny) -> float:
    if not all(kind in "biufc" for kind in ours.dtype.kind + theirs.dtype.kind):
        return 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(_wide(ours) - _wide(theirs))
    finite = apart[np.isfinite(apart)]
    return float(finite.max()) if finite.size else 0.0


def _report(known: DiffReport, names: list[str], found: SumsByArray[_Values]) -> DiffReport:
    more, compared, same = [], 0, 0
    for number, name in enumerate(names):
        values = found.sums.get(number, _Values())
        compared, same = compared + values.compared, same + values.same_bytes
        if values.first is not None:
            message = f"{values.differing:,} of {values.compared:,} values differ"
            message += f", by at most {values.furthest:.6g}" if values.furthest else ""
            at, both = values.first
            message += f"; the first at {at}: {both}"
            more.append(Difference("values", name, message, values.differing))
    every = sorted((*known.differences, *more), key=lambda item: item.path)
    return DiffReport(tuple(every), known.groups, known.arrays, compared, same)
