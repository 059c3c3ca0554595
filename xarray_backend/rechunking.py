"""Store datasets and trees with other chunks, within a memory bound: `rechunk`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

import zarrds
from xarray_backend.chunks import Length, inherited_chunks, split_chunk
from xarray_backend.encoding import FLAG
from xarray_backend.reader import group_path
from xarray_backend.rechunk_place import Place, as_dict, name_of, place_of_blocks
from xarray_backend.request import datasets_of
from xarray_backend.writer import to_zarrds
from zarrds import Group
from zarrds.errors import ArgumentError, ArgumentTypeError

__all__ = ["DatasetRechunk", "rechunk"]

_LARGE = 2**20
"""Bytes from which on a variable that is read from a store is read by tasks."""


class DatasetRechunk:
    """Lazy work on a dataset: its blocks are computed and stored, then rechunked; `compute` does it.

    If it is stopped, the same call of `rechunk` goes on: blocks that are stored are not computed again, if the dataset
    is the same (dask arrays have names, which are tokens of what they compute).

    Attributes
    ----------
    plan : dict or None
        Plans of the variables by their paths; None if the blocks are written to the target directly.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xarray_backend import rechunk
    >>> ds = xr.Dataset({"u": (("time", "x"), np.ones((4, 3)))}).chunk(time=1)
    >>> job = rechunk(ds, {}, chunks={"time": -1, "x": 1})
    >>> job.compute()["u"].chunks
    (4, 1)
    """

    plan: Any | None

    def __init__(self, first: Callable[..., Any] | None, then: Callable[[], Any] | None, plan: Any, place: Place):
        self._first, self._then, self._place = first, then, place
        self.plan = plan

    @property
    def target(self) -> Group | None:
        """The group that is filled; None until `compute` has created it."""
        try:
            return self._place.open_group()
        except zarrds.errors.PathNotFoundError:
            return None

    def compute(self, *, progress: bool = False, **options: Any) -> Group:
        """Do the work and return the stored group.

        Parameters
        ----------
        progress : bool, default False
            Whether to show progress on standard error.
        **options
            Passed to ``dask.compute``, such as ``scheduler``.

        Returns
        -------
        Group
            The stored group.
        """
        from zarrds.dask import progress as show_progress

        with show_progress() if progress else nullcontext():
            if self._first is not None:
                self._first(chunkmanager_store_kwargs=options)
            if self._then is None:
                return self._place.open_group()
            self._place.note_completion()
            found: Group = self._then().compute(**options)
        self._place.consolidate(found)
        self._place.remove_blocks()
        return found

    def __repr__(self) -> str:
        how = "directly" if self._then is None else "by way of stored blocks"
        return f"<xarray_backend.DatasetRechunk to {self._place}, {how}>"


def rechunk(
    obj: Any,
    store: Any,
    *,
    chunks: Mapping[Any, Any],
    max_mem: int | str | None = None,
    temp_store: Any = None,
    group: str | None = None,
    encoding: Mapping[Any, Any] | None = None,
    target_options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    append: bool = False,
    zarr_format: int | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> DatasetRechunk:
    """Prepare to store a dataset, data array or tree with other chunks, within a memory bound for each task.

    Coordinates, attributes, names of dimensions and encodings come along, and metadata are consolidated. Where the
    blocks of all variables are whole chunks of the target, they are written to it. Otherwise they are stored as they
    are and then rechunked: each block is computed once, and no task needs more memory than `max_mem` besides that of
    its block. A dataset that is stored unchanged in a Zarr store is rechunked with fewer bytes by
    `zarrds.dask.rechunk`, from the store itself.

    Parameters
    ----------
    obj : xarray.Dataset, xarray.DataArray or xarray.DataTree
        What to store; may be lazy.
    store : str, os.PathLike, Store or MutableMapping
        Where to store it.
    chunks : dict
        Lengths by names of dimensions, or chunks by names of variables (in a tree by their paths); -1 for a whole
        dimension.
    max_mem : int or str, optional
        Bytes ("256MB") of memory that a task may use; see `zarrds.dask.rechunk`.
    temp_store : str, os.PathLike, Store or MutableMapping, optional
        Where blocks and intermediate objects are stored; by default beside the target. They are deleted at the end.
    group : str, optional
        Path of the target group.
    encoding : dict, optional
        Encoding as for `to_zarrds`, without chunks.
    target_options : dict, optional
        Options of the stored arrays as for `zarrds.dask.rechunk`.
    overwrite : bool, default False
        Whether an existing group may be replaced.
    append : bool, default False
        Not possible for datasets: give `zarrds.dask.rechunk` the store that has grown.
    zarr_format : {2, 3}, optional
        Format to write.
    storage_options : dict, optional
        Options of the file systems behind URLs.

    Returns
    -------
    DatasetRechunk
        Its `compute` returns the stored group.

    Raises
    ------
    ValueError
        `chunks` names something that does not exist, or there is no place for blocks without a `temp_store`.
    zarrds.errors.ContainsGroupError
        There is a group, and `overwrite` is False. Nothing has been written.
    zarrds.errors.SelfOverwriteError
        `temp_store` is in the target group. Nothing has been written.
    zarrds.errors.NotErasableError
        `temp_store` is a ZIP file or another store that deletes nothing. Nothing has been written.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xarray_backend import open_zarrds, rechunk
    >>> ds = xr.Dataset({"u": (("time", "x"), np.arange(12.0).reshape(4, 3))}).chunk(time=1)
    >>> rechunk(ds, "data/series.zarr", chunks={"time": -1, "x": 1}).compute()["u"].chunks
    (4, 1)
    >>> open_zarrds("data/series.zarr").identical(ds)
    True
    """
    if append:
        raise ArgumentTypeError("rechunk cannot append a dataset: give zarrds.dask.rechunk the store that has grown")
    from zarrds.dask import rechunk as rechunk_stored
    from zarrds.dask.places import options_by_place

    _expect_kinds(obj, chunks, encoding)
    obj = _with_tasks(obj)
    where = group_path(group)
    lengths = _lengths(obj, chunks)
    ours, of_temp = options_by_place(storage_options, store, temp_store)
    if not overwrite and _is_there(store, where, ours):
        raise zarrds.errors.ContainsGroupError(path=where)
    write = partial(to_zarrds, obj, encoding=encoding, zarr_format=zarr_format)
    place = Place(store, where, as_dict(ours))
    if not target_options and _fits(obj, lengths):
        direct = partial(write, store, "w" if overwrite else "w-", group, align="raise", storage_options=ours)
        direct = partial(direct, encoding=_with_chunks(obj, encoding, lengths))
        direct(dry_run=True)  # raise what can be found out before anything is written
        return DatasetRechunk(direct, None, None, place)
    # jobs may share a temp_store
    token = _token([*_datasets(obj).values()], lengths, encoding, name_of(store), where, zarr_format)
    place = replace(place, **place_of_blocks(store, temp_store, token, ours, of_temp))
    if temp_store is not None:
        place.check_store_of_blocks()
    is_new = place.open_blocks() is None
    where_to = {"storage_options": place.blocks_options, "consolidated": False if place.folder else None}
    write_blocks = partial(write, place.blocks, "w", place.blocks_path, **where_to)
    how = {"chunks": chunks, "max_mem": max_mem, "temp_store": temp_store, "target_options": target_options}
    to_target = partial(
        rechunk_stored, target_path=where or None, overwrite=overwrite, storage_options=storage_options, **how
    )
    then = partial(_rechunked, to_target, place)
    try:
        if is_new:
            place.note_group_above()
            write_blocks(compute=False)
        first = None if place.has_all_blocks() else write_blocks
        return DatasetRechunk(first, then, _plan_of(rechunk_stored, place, how), place)
    except BaseException:
        if is_new:
            place.remove_blocks()
        raise


def _rechunked(rechunk_stored: Any, place: Place) -> Any:
    """Return the job that rechunks stored blocks."""
    return rechunk_stored(place.open_blocks(), place.store)


def _plan_of(rechunk_stored: Any, place: Place, how: Mapping[str, Any]) -> Any:
    """Return the plan of a rechunk of blocks, which are not all stored yet, without creating its target."""
    source, path = place.open_blocks(), f"{place.folder}/plan".lstrip("/")
    assert source is not None
    plan = rechunk_stored(source, source.store, target_path=path, overwrite=True, **{**how, "temp_store": None}).plan
    source.store.rmdir(path)
    return plan


def _token(*values: Any) -> str:
    """Return a text that is the same for equal values in each process."""
    from dask.base import tokenize

    return str(tokenize(*values))


def _is_there(store: Any, where: str, storage_options: Mapping[str, Any] | None) -> bool:
    """Return whether a group is at the target, other than the unfinished one of a rechunk."""
    try:
        found = zarrds.open_group(store, mode="r", path=where, storage_options=as_dict(storage_options))
    except zarrds.errors.PathNotFoundError:
        return False
    return FLAG not in found.attrs


# --- variables and their chunks --------------------------------------------------------------------------------------


def _datasets(obj: Any) -> dict[str, xr.Dataset]:
    """Return the datasets of a dataset, data array or tree, by their paths, as `to_zarrds` writes them."""
    datasets, _ = datasets_of(obj, None, inherited=False)
    return {path.strip("/"): ds for path, ds in datasets.items()}


def _expect_kinds(obj: Any, chunks: Any, encoding: Any) -> None:
    """Raise TypeError for arguments of another kind."""
    if not isinstance(obj, xr.Dataset | xr.DataArray | xr.DataTree):
        raise ArgumentTypeError(
            f"rechunk takes a dataset, data array or tree, found {type(obj).__name__}; "
            "zarrds.dask.rechunk takes arrays, groups and stores"
        )
    for name, value in (("chunks", chunks), ("encoding", {} if encoding is None else encoding)):
        if not isinstance(value, Mapping):
            raise ArgumentTypeError(
                f"{name} must be a dict by names of dimensions or variables, found {type(value).__name__}"
            )


def _with_tasks(obj: Any) -> Any:
    """Return the object with large variables that are still in a store made lazy, so that tasks read them."""
    if hasattr(obj, "subtree"):
        return obj.map_over_datasets(_with_tasks)
    if isinstance(obj, xr.DataArray):
        return obj
    stored = [
        name
        for name, var in obj.variables.items()
        if var.chunks is None and var.nbytes > _LARGE and "preferred_chunks" in var.encoding
    ]
    return obj.assign({name: obj[name].chunk({}) for name in stored if name not in obj.indexes})


def _lengths(obj: Any, chunks: Mapping[Any, Any]) -> dict[tuple[str, Any], tuple[Length, ...]]:
    """Return the chunks of each variable that has or gets some, by the path of its dataset and its name."""
    known: set[Any] = set()
    found = {}
    for path, ds in _datasets(obj).items():
        for name, var in ds.variables.items():
            full = f"{path}/{name}".lstrip("/")
            known |= {full, *var.dims}
            own = None if full in var.dims and _is_of_dimension(chunks.get(full), var.ndim) else chunks.get(full)
            _expect_own(full, own, var)
            lengths = [_length(full, dim, axis, own, chunks, var) for axis, dim in enumerate(var.dims)]
            found[path, name] = tuple(lengths)
    unknown = [key for key in chunks if key not in known]
    if unknown:
        raise ArgumentError(f"there is no variable or dimension {unknown[0]!r}; there are {sorted(map(str, known))}")
    return found


def _is_of_dimension(given: Any, ndim: int) -> bool:
    """Return whether chunks given for a name, of a dimension and of a variable, are those of the dimension."""
    return isinstance(given, int) or (isinstance(given, (tuple, list)) and len(given) != ndim)


def _expect_own(name: str, own: Any, var: xr.Variable) -> None:
    """Raise ValueError for chunks given for a variable that are not those of its dimensions."""
    if isinstance(own, Mapping):
        unknown = [dim for dim in own if dim not in var.dims]
        if unknown:
            raise ArgumentError(f"variable {name!r} has no dimension {unknown[0]!r}; it has {var.dims}")
    elif isinstance(own, (tuple, list)) and len(own) != var.ndim:
        raise ArgumentError(f"chunks of variable {name!r} need a length for each of its dimensions {var.dims}: {own!r}")


def _length(name: str, dim: Any, axis: int, own: Any, chunks: Mapping[Any, Any], var: xr.Variable) -> Length:
    size = max(1, var.sizes[dim])
    given = own.get(dim) if isinstance(own, Mapping) else own[axis] if isinstance(own, (tuple, list)) else own
    given = chunks.get(dim) if given is None else given
    if given is None:
        stored = inherited_chunks(str(dim), var.encoding.get("chunks"), var.dims, var.shape)
        blocks = max(var.chunks[axis], default=1) if var.chunks is not None else size
        return blocks if stored is None else stored[axis]
    each = given if isinstance(given, (tuple, list)) else () if _is_length(given) and given == -1 else (given,)
    if not all(_is_length(length) and length > 0 for length in each):
        raise ArgumentError(
            f"chunks along dimension {dim!r} of variable {name!r} are a length, all lengths in a tuple, or -1 for the "
            f"whole dimension; found {given!r}"
        )
    if isinstance(given, (tuple, list)):
        return tuple(map(int, given))
    return size if given == -1 else int(given)


def _is_length(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _fits(obj: Any, lengths: Mapping[tuple[str, Any], tuple[Length, ...]]) -> bool:
    """Return whether the blocks of all variables are whole chunks of the target."""
    for path, ds in _datasets(obj).items():
        for name, var in ds.variables.items():
            for blocks, length in zip(var.chunks or (), lengths[path, name], strict=False):
                if split_chunk(blocks, length) is not None:
                    return False
    return True


def _with_chunks(obj: Any, encoding: Any, lengths: Mapping[tuple[str, Any], tuple[Length, ...]]) -> dict[Any, Any]:
    """Return the encoding with the chunks of each variable."""
    found: dict[Any, Any] = {}
    is_tree, datasets = hasattr(obj, "subtree"), _datasets(obj)
    for (path, name), chunks in lengths.items():
        if not chunks:
            continue
        at = found.setdefault(f"/{path}", {}) if is_tree else found
        given = (encoding or {}).get(f"/{path}", {}) if is_tree else encoding or {}
        at[name] = {**_own_encoding(datasets[path].variables[name]), **given.get(name, {}), "chunks": chunks}
    return found


def _own_encoding(var: xr.Variable) -> dict[str, Any]:
    """Return the encoding of a variable without its chunks and shards."""
    own = var.encoding
    kept = ("dtype", "_FillValue", "scale_factor", "add_offset", "units", "calendar", "compressor", "compressors")
    return {key: own[key] for key in (*kept, "filters", "serializer", "write_empty_chunks") if key in own}
