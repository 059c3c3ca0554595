"""Write datasets, data arrays and trees: `to_zarrds`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

import xarray as xr

import zarrds
from xarray_backend.blocks import refuse_unshareable
from xarray_backend.hazards import refuse_lazy_parts_of, refuse_read_after_write, refuse_self_overwrite
from xarray_backend.plan import DatasetPlan, Options, plan_dataset
from xarray_backend.preview import WritePlan, planned_writes
from xarray_backend.reader import ZarrdsStore
from xarray_backend.receipt import delayed_receipt_of, receipt_of
from xarray_backend.recoding import recoded_variables, replace_recoded, with_recoded
from xarray_backend.region import (
    Region,
    appended_region,
    parse_region,
    region_names,
    region_of_node,
)
from xarray_backend.request import Request, WriteKeywords
from xarray_backend.room import DatasetExistsError, make_room, noticing_deletion, room_for, turn_to_replace
from xarray_backend.stored import Stored, read_stored, stored_names, undo_unfinished
from xarray_backend.storing import Job, carry_out, is_consolidated, new_documents
from xarray_backend.target import format_to_write, open_existing, stored_group
from zarrds import Group
from zarrds.errors import (
    ArgumentError,
    ConflictError,
    GroupNotFoundError,
    PathNotFoundError,
)
from zarrds.parallel import Turn, adding_to, check_synchronizer, group_turn, replacing
from zarrds.storage import MemoryStore, Store, StoreLike, as_store

if TYPE_CHECKING:
    from dask.delayed import Delayed

__all__ = ["DatasetExistsError", "to_zarrds"]


@overload
def to_zarrds(
    obj: Any,
    store: StoreLike | None = None,
    mode: str | None = None,
    group: str | None = None,
    encoding: Mapping[Any, Any] | None = None,
    *,
    compute: Literal[True] = True,
    dry_run: Literal[False] = False,
    **options: Unpack[WriteKeywords],
) -> ZarrdsStore: ...


@overload
def to_zarrds(
    obj: Any,
    store: StoreLike | None = None,
    mode: str | None = None,
    group: str | None = None,
    encoding: Mapping[Any, Any] | None = None,
    *,
    compute: Literal[False],
    dry_run: Literal[False] = False,
    **options: Unpack[WriteKeywords],
) -> Delayed: ...


@overload
def to_zarrds(
    obj: Any,
    store: StoreLike | None = None,
    mode: str | None = None,
    group: str | None = None,
    encoding: Mapping[Any, Any] | None = None,
    *,
    compute: bool = True,
    dry_run: Literal[True],
    **options: Unpack[WriteKeywords],
) -> WritePlan: ...


@overload
def to_zarrds(
    obj: Any,
    store: StoreLike | None = None,
    mode: str | None = None,
    group: str | None = None,
    encoding: Mapping[Any, Any] | None = None,
    *,
    compute: bool = True,
    dry_run: bool = False,
    **options: Unpack[WriteKeywords],
) -> ZarrdsStore | Delayed | WritePlan: ...


def to_zarrds(
    obj: Any,
    store: StoreLike | None = None,
    mode: str | None = None,
    group: str | None = None,
    encoding: Mapping[Any, Any] | None = None,
    *,
    compute: bool = True,
    consolidated: bool | None = None,
    append_dim: Any = None,
    region: Any = None,
    align: str | None = None,
    safe_chunks: bool | None = None,
    align_chunks: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
    zarr_format: int | None = None,
    write_empty_chunks: bool | None = None,
    chunkmanager_store_kwargs: Mapping[str, Any] | None = None,
    write_inherited_coords: bool = False,
    synchronizer: Any = None,
    dry_run: bool = False,
) -> ZarrdsStore | Delayed | WritePlan:
    """Write a dataset, data array or tree to a store.

    The parameters are those of `xarray.Dataset.to_zarr`. A dask array is written by one task for each of its blocks,
    fused with what computes the block.

    Writers in other threads and processes may write to other regions at the same moment, also where regions of numpy
    arrays share chunks, and may append: appends follow one after the other, with all their variables. Readers see an
    append only when its data are complete, and see nothing of one that failed. A call of mode "w" and calls that add to
    the same group, or to one below it, wait for each other (docs/consistency.md). If the store cannot compare and swap,
    one process at a time appends, or all give a `synchronizer`; regions of parts of chunks are then refused without
    one, unless ``safe_chunks=False``.

    If a write of a new dataset (modes "w" and "w-") with dask arrays is stopped, the same call completes it. Until then
    the group has the attribute ``zarrds_unfinished_job``.

    Parameters
    ----------
    obj : xarray.Dataset, xarray.DataArray or xarray.DataTree
        What to write.
    store : str, os.PathLike or MutableMapping, optional
        Path, URL, zarrds store, or any mapping from keys to bytes; in memory when not given.
    mode : {"w", "w-", "a", "a-", "r+", "replace"}, optional
        "w": delete the group, then write, so that a reader may meet a part of the dataset; "replace": write beside the
        group, then put the new one in its place, so that readers find the old dataset or the new one, and the dataset
        may be made of what it replaces (in one step where the store can rename, see docs/consistency.md); "w-":
        FileExistsError if there is a group; "a": replace values of stored variables and add new ones, and set the
        dataset's attributes beside those that the group has; "a-": with `append_dim`, leave variables without that
        dimension alone; "r+": change values of stored variables only.
        By default "w-"; "a" with `append_dim`; "r+" with `region`.
    group : str, optional
        Path of the group in the store.
    encoding : dict, optional
        By variable (for trees by path, then variable): ``chunks``, ``compressor`` or ``compressors``, ``filters``,
        ``write_empty_chunks``, ``chunk_key_encoding``, in Zarr v3 also ``shards``, ``serializer`` and ``fill_value``
        (of the stored array), and the keys of CF (``dtype``, ``scale_factor``, ``_FillValue``, ``units``, ...). It
        takes the place of the variable's own encoding, whose chunks and shards are kept as long as they fit the blocks
        of a dask array; blocks that together make up shards are joined. Stored variables keep their encoding, except in
        modes "a" and "a-" one that has no elements, and with `append_dim` one that is a single chunk: it is encoded
        again. Its chunks and codecs stay where none are given (in N5 chunks only), filters only if its dtype does, and
        units, scale factors and the like only if none of them is given. The store must be able to exchange a variable
        in one step (docs/consistency.md).
    compute : bool
        If False, only the Delayed that is returned writes dask arrays; everything else is written now. If that is
        stopped, compute it once more, or repeat the same call and compute what that returns: blocks that are stored are
        not computed again. While it is at work, a receipt below the group says so (docs/xarray.md).
    consolidated : bool, optional
        Whether metadata are consolidated at the end. By default True, except in mode "r+", which changes no metadata.
    append_dim : str, optional
        Dimension at whose end the dataset is added; in a tree, all nodes that have it, and the others are written as in
        mode "a".
    region : dict or "auto", optional
        A dict from dimensions to slices of the stored arrays; "auto" finds slices by coordinate values. Index
        coordinates are not written to a region; the others, and all variables, must have one of its dimensions. The
        empty region ``{}`` is the whole of every variable, scalars too. In a tree, each node is
        written to the region of those dimensions that it has, given as slices; nodes that have none are left alone.
    align : {"auto", "raise", "keep"}, optional
        What is done if two blocks of a dask array would write one chunk, or one shard. "auto", the default where
        neither `safe_chunks` nor `align_chunks` is given: each task gathers the blocks, or parts of blocks, that make
        up whole chunks. "raise": BlockAlignmentError. "keep" (Zarr v3): as "auto", but the blocks of a variable become
        the chunks of its new array as they are, also where their lengths differ (an irregular grid); so do lengths in
        ``encoding={"u": {"chunks": ((3, 5, 2), 10)}}``, without this option. In all cases it is an error if a region
        covers a part of a chunk that another writer could be changing without seeing this one; with "raise" also if
        dask blocks do so in mode "r+", wherever they are.
    safe_chunks : bool, optional
        As in `to_zarr`. True means ``align="raise"``, also for chunks and shards that came with a variable; with False
        blocks are written as they are.
    align_chunks : bool, optional
        As in `to_zarr`. True means ``align="auto"``, and that chunks which came with a variable are kept even if its
        blocks do not fit them.
    storage_options : dict, optional
        Options of the file system behind a URL.
    zarr_format : {2, 3, None}, optional
        Format to write. By default that of the group, or the groups above it, where there are any, else the setting
        `default_format`, which is 2. Modes "w" and "w-" make a new group, "replace" keeps the format of the old one.
    write_empty_chunks : bool, optional
        Whether chunks of nothing but the fill value are stored; not, by default.
    chunkmanager_store_kwargs : dict, optional
        Passed to `dask.compute`, e.g. ``scheduler``.
    write_inherited_coords : bool
        For trees: whether coordinates of parents are written in every child.
    synchronizer : object, optional
        Gives a lock for the key of a document or chunk, as `zarrds.ProcessSynchronizer`. It is needed only where the
        store cannot compare and swap (docs/stores.md), or where others use one.
    dry_run : bool
        Whether nothing is written, and a `WritePlan` says what would be: variables, chunks, shards, tasks, bytes,
        bytes that move between blocks, requests and documents. Errors are raised as if it were written.

    Returns
    -------
    ZarrdsStore, dask.delayed.Delayed or WritePlan
        The stored group, with ``compute=False`` a Delayed that writes the dask arrays, or with `dry_run` the plan.

    Raises
    ------
    FileExistsError
        Mode is "w-", and there is a group or an array.
    zarrds.errors.BlockAlignmentError
        Two blocks of a dask array would write one chunk or shard (also a ValueError); nothing has been written.
    zarrds.errors.BlockShapeError
        A block has another shape than its dask array declares, for example because a function given to `map_blocks`
        returned it (also a ValueError); nothing of that block has been written.
    zarrds.errors.NotSupportedError
        A stored variable was to be encoded again, and the store cannot exchange it in one step.
    zarrds.errors.ConflictError
        Another writer changed the arrays during an append, or took this writer for dead; readers see nothing of it.
    zarrds.errors.EncodingError
        The encoding, stored or given, cannot express some values (also a ValueError). Values in memory are checked
        before anything is written, those of dask arrays in the task that writes their block.
    zarrds.errors.SelfOverwriteError
        Mode "w" on the store that the dataset is read from (mode "replace" can do that), or blocks computed from
        elements that other blocks overwrite; nothing has been deleted or written.
    zarrds.errors.StoreNotShareableError
        The workers of the current scheduler cannot reach the store; nothing has been written.
    zarrds.errors.SynchronizerPathError
        The lock files of a ProcessSynchronizer would be inside the store (also a ValueError); nothing has been written.
    zarrds.errors.ForeignFilesError
        Mode "w" on a directory with files that do not belong to a hierarchy; nothing has been deleted.

    Examples
    --------
    >>> import xarray as xr
    >>> from xarray_backend import open_zarrds, to_zarrds
    >>> ds = xr.Dataset({"u": (("t", "x"), [[1.0, 2.0], [3.0, 4.0]])}).chunk({"t": 1})
    >>> to_zarrds(ds, "data/example.zarr", mode="w", encoding={"u": {"dtype": "f4"}})
    <xarray_backend.reader.ZarrdsStore of <zarrds.hierarchy.Group '/'>>
    >>> open_zarrds("data/example.zarr").identical(ds.astype("f4"))
    True
    """
    request = Request.of(locals())
    target = MemoryStore() if store is None else as_store(store, mode="w", storage_options=storage_options)
    check_synchronizer(synchronizer, request.root, target)
    return _write(request, target)


def _write(request: Request, target: Store) -> ZarrdsStore | Delayed | WritePlan:
    """Write what is asked for to a store."""
    with ExitStack() as held:
        return _write_holding(held, request, target)


def _write_holding(held: ExitStack, request: Request, target: Store) -> ZarrdsStore | Delayed | WritePlan:
    """Write what is asked for; claims of the group that end with the write go into `held`."""
    root, mode = request.root, request.mode
    existing = open_existing(target, root) if mode in ("a", "a-", "r+") else None
    if existing is not None and request.adds:
        held.enter_context(adding_to(existing.store, root))
        if request.append_dim is None and not request.may_create:  # else it is opened again below
            existing = open_existing(target, root)  # others may have replaced it before they were done
    if existing is not None:
        target = existing.store  # a store of another layout is another view of the same place
    if existing is None and mode == "r+":
        raise GroupNotFoundError("mode 'r+' changes what is stored, but there is no group", path=root)
    if mode == "w":
        refuse_self_overwrite(target, root, request.datasets)
    if mode == "replace" and not request.dry_run:
        return _replace(request, target)
    if existing is None and mode in ("a", "a-") and not request.dry_run and target.is_erasable():
        existing = _begin(request, target, held)
    creating = held.enter_context(ExitStack())
    if existing is not None and request.may_create:
        creating.enter_context(group_turn(existing, request.synchronizer)).pass_on()
        existing = open_existing(target, root)  # others may have appended before it was our turn
    with _turns(existing, request) as turns:
        if turns:
            existing = open_existing(target, root)  # others may have appended before it was our turn
        plans = _planned(request, existing, target)
        _refuse_hazards(plans, existing, target, request)
        if request.dry_run:
            return planned_writes(plans, store=repr(target), mode=mode, consolidates=request.consolidates)
        grown = request.append_dim if turns and request.compute else None
        documents = new_documents(plans, root, grown)
        target.check_documents(documents)  # raise for what the store cannot express before anything is deleted
        number = plans[0].zarr_format
        with turn_to_replace(request, target, number) as alone:
            if mode == "w-" and not request.is_hidden:
                held.enter_context(adding_to(target, root))
            receipt, delayed = None, None
            if existing is None and request.compute:
                receipt = receipt_of(plans, documents, target)
            elif existing is None:
                delayed = delayed_receipt_of(plans, documents, target)
            written = room_for(receipt or delayed, target, root, number, alone) if existing is None else existing
            if any(plan.recoded for plan in plans):
                plans = _recoded(plans, request, target)
            job = Job(
                request.compute,
                request.consolidates,
                request.dask_options,
                request.synchronizer,
                turns,
                append_dim=grown,
                receipt=receipt,
                delayed=delayed,
                alone=alone,
                is_hidden=request.is_hidden,
                creating=creating,
            )
            with noticing_deletion(plans, target):
                return carry_out(plans, documents, target, written, job, fresh=existing is None)


def _begin(request: Request, target: Store, held: ExitStack) -> Group:
    """Create the group of a first write in mode "a", once nothing is found to be wrong.

    Others may create it at the same moment: then each adds its variables. Of first appends, whoever gets the turn of
    the group first creates its arrays, and the others append to them.
    """
    plans = _plans_of_new(request, target)
    held.enter_context(adding_to(target, request.root))
    try:
        return make_room(target, request.root, plans[0].zarr_format)
    except DatasetExistsError:
        found = open_existing(target, request.root)
        if found is None:
            raise
        return found


def _plans_of_new(request: Request, target: Store) -> list[DatasetPlan]:
    """Return the plans for a new dataset; raise what can be found to be wrong before anything is written."""
    plans = _planned(request, None, target)
    _refuse_hazards(plans, None, target, request)
    target.check_documents(new_documents(plans, request.root))
    return plans


@contextmanager
def _turns(existing: Group | None, request: Request) -> Iterator[tuple[Turn, ...]]:
    """Hold the right to append to each stored group, in the order of their paths; undo what others did not finish."""
    if request.append_dim is None or request.dry_run or existing is None:
        yield ()
        return
    with ExitStack() as stack:
        turns: list[Turn] = []
        for path in sorted(request.datasets):
            group = stored_group(existing, path)
            if group is None:
                continue
            turn = stack.enter_context(group_turn(group, request.synchronizer))
            if turn.inherited or any(above.inherited for above in turns):
                with turn.or_abandoned():
                    undo_unfinished(read_stored(stored_group(existing, path)), request.append_dim)
            turns.append(turn)
        yield tuple(turns)


def _planned(request: Request, existing: Group | None, target: Store) -> list[DatasetPlan]:
    """Return the plans for all datasets, checked against the stored group."""
    datasets, append_dim = request.datasets, request.append_dim
    if append_dim is not None and len(datasets) > 1 and not any(append_dim in ds.dims for ds in datasets.values()):
        raise ArgumentError(f"append_dim {append_dim!r} is not a dimension of any node of the tree")
    number = format_to_write(request, existing, target)
    keeps = request.synchronizer is not None or not target.profile.shareable or target.can_set_if
    separator = target.dimension_separator
    has_fills = target.keeps_documents  # only N5 translates documents, and it has no fill values
    options = Options(request.mode, request.align, request.write_empty_chunks, separator, number, keeps, has_fills)
    plans = []
    for path, ds in datasets.items():
        where = "/".join(part for part in (request.root, path.strip("/")) if part)
        grows = append_dim if len(datasets) == 1 or append_dim in ds.dims else None
        region = request.region
        if region is not None and len(datasets) > 1:
            ds, region = region_of_node(ds, region)
            if region is None:
                continue
        stored, ds, part = _part_of(ds, stored_group(existing, path), grows, region)
        encoding = request.encodings[path]
        recoded = recoded_variables(ds, where, stored, encoding, options, part)
        if recoded:
            refuse_lazy_parts_of(target, [one.array.path for one in recoded], ds)
            stored = with_recoded(stored, recoded)
            encoding = {name: given for name, given in encoding.items() if name not in {one.name for one in recoded}}
        plan = plan_dataset(ds, where, stored=stored, encoding=encoding, options=options, region=part)
        plans.append(replace(plan, recoded=tuple(recoded)))
    return plans


def _recoded(plans: list[DatasetPlan], request: Request, target: Store) -> list[DatasetPlan]:
    """Encode stored variables again; return the plans for what is left to do, which are those of any append."""
    replace_recoded(target, [one for plan in plans for one in plan.recoded], request.synchronizer)
    done = [{one.name for one in plan.recoded} for plan in plans]
    encodings = {
        path: {name: given for name, given in encoding.items() if name not in names}
        for (path, encoding), names in zip(request.encodings.items(), done, strict=True)
    }
    request = replace(request, encodings=encodings)
    existing = open_existing(target, request.root)
    plans = _planned(request, existing, target)
    _refuse_hazards(plans, existing, target, request)
    return plans


def _refuse_hazards(plans: list[DatasetPlan], existing: Group | None, target: Store, request: Request) -> None:
    """Raise if workers cannot reach the store, or if tasks would read what others have overwritten."""
    if any(write.is_lazy for plan in plans for write in plan.writes):
        refuse_unshareable(target, request.dask_options)
    if existing is not None:
        refuse_read_after_write(plans, target)


def _part_of(ds: xr.Dataset, group: Group | None, append_dim: Any, region: Any) -> tuple[Stored, xr.Dataset, Region]:
    """Return the stored members, the dataset to be written, and the region of the members that it covers.

    Without `append_dim`, which concerns all members, only documents of the dataset's own variables are read.
    """
    if append_dim is not None:
        stored = read_stored(group)
        part = appended_region(ds, append_dim, stored)
        if region is None:
            return stored, ds, part
        ds, beside = parse_region(ds, region, stored, append_dim)
        return stored, ds, part.within(beside)
    if region is None:
        return read_stored(group, stored_names(ds.variables)), ds, Region()
    names = region_names(ds, region)
    stored = read_stored(group, names)
    dims = region if isinstance(region, Mapping) else ds.dims
    if not set(dims) <= set(stored.lengths):
        stored = read_stored(group)  # variables that are not written know the lengths of dimensions too
    return stored, *parse_region(ds, region, stored)


def _replace(request: Request, target: Store) -> ZarrdsStore:
    """Write beside the group, and put the new one in its place at the end."""
    path = request.root
    number = format_to_write(request, None, target)
    above = path.rpartition("/")[0]
    if path and open_existing(target, above) is None:
        _plans_of_new(request, target)
        zarrds.open_group(target, mode="a", path=above, zarr_format=number)
    wanted = request.consolidated is not False
    with replacing(target, path, request.synchronizer) as (beside, hidden):
        of_root = not path and not hidden and wanted
        beside_it = replace(
            request, mode="w-", root=hidden, zarr_format=number, consolidated=of_root, is_hidden=bool(hidden)
        )
        _write(replace(beside_it, synchronizer=None), beside)
    try:
        if (path or hidden) and (wanted or is_consolidated(target)):
            zarrds.consolidate_metadata(target)
        return ZarrdsStore(zarrds.open_group(target, mode="r+", path=path))
    except PathNotFoundError as error:
        raise ConflictError(
            "another task has replaced or deleted what this one had just written",
            store=repr(target),
            path=path,
            hint="look whether it is still wanted, then repeat it",
        ) from error
