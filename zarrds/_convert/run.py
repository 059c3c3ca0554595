"""`convert`: convert a hierarchy, or one array, to another format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import time
from typing import Any, Literal, NamedTuple, overload

from zarrds import _node
from zarrds._convert.chunks import Moving
from zarrds._convert.existing import check_choices
from zarrds._convert.in_place import convert_in_place
from zarrds._convert.to_dest import convert_to, plan_to
from zarrds._copy import CopyReport, IfExists, OnError, Verify, writing_to
from zarrds._format import ArrayMeta, other_format
from zarrds._store import ConsolidatedMetadataStore, Store, StoreLike, as_store, join_path, normalize_path
from zarrds.core import Array, opened_array
from zarrds.errors import ArgumentError, UnsupportedFormatError
from zarrds.hierarchy import Group, opened_group
from zarrds.sync import Synchronizer

__all__ = ["Places", "convert", "find_places", "opened"]


@overload
def convert(
    source: Array | Group | StoreLike,
    dest: Array | Group | StoreLike | None = ...,
    to: int = ...,
    *,
    path: str | None = ...,
    dest_path: str | None = ...,
    keep: bool = ...,
    if_exists: IfExists = ...,
    verify: Verify | None = ...,
    on_error: OnError = ...,
    dry_run: bool = ...,
    report: Literal[False] = ...,
    log: Any = ...,
    storage_options: Mapping[str, Any] | None = ...,
    dest_storage_options: Mapping[str, Any] | None = ...,
    synchronizer: Synchronizer | None = ...,
) -> Array | Group: ...


@overload
def convert(
    source: Array | Group | StoreLike,
    dest: Array | Group | StoreLike | None = ...,
    to: int = ...,
    *,
    path: str | None = ...,
    dest_path: str | None = ...,
    keep: bool = ...,
    if_exists: IfExists = ...,
    verify: Verify | None = ...,
    on_error: OnError = ...,
    dry_run: bool = ...,
    report: Literal[True],
    log: Any = ...,
    storage_options: Mapping[str, Any] | None = ...,
    dest_storage_options: Mapping[str, Any] | None = ...,
    synchronizer: Synchronizer | None = ...,
) -> CopyReport: ...


def convert(
    source: Array | Group | StoreLike,
    dest: Array | Group | StoreLike | None = None,
    to: int = 3,
    *,
    path: str | None = None,
    dest_path: str | None = None,
    keep: bool = False,
    if_exists: IfExists = "raise",
    verify: Verify | None = None,
    on_error: OnError = "raise",
    dry_run: bool = False,
    report: bool = False,
    log: Any = None,
    storage_options: Mapping[str, Any] | None = None,
    dest_storage_options: Mapping[str, Any] | None = None,
    synchronizer: Synchronizer | None = None,
) -> Array | Group | CopyReport:
    """Convert a hierarchy, or one array, to another format.

    Without `dest` the hierarchy is converted in place: documents of the new format are written beside the old ones,
    read back, and then the old ones are removed. Chunks stay unchanged; from Zarr v3 to v2 they are copied to v2 keys
    if their keys begin with ``c``. With `dest` the source does not change: chunk bytes are copied if both formats can
    describe them, otherwise chunks are decoded and encoded, in blocks of bounded size.

    Everything that the new format cannot express raises an error before anything is written. To finish a conversion
    that was stopped, call it again.

    Names of dimensions are the member ``dimension_names`` in Zarr v3 and xarray's attribute ``_ARRAY_DIMENSIONS`` in
    Zarr v2; each is translated to the other. In Zarr v2 a numeric fill value means "missing" to xarray: if dimensions
    have names, it becomes the attribute ``_FillValue``, which has this meaning in Zarr v3. Consolidated metadata are
    made again if there were some. A fill value that Zarr v2 leaves undefined becomes zero; for text and bytes, 0
    becomes the empty value, and the other way round.

    Parameters
    ----------
    source : MutableMapping, str, Array or Group
        Store, path of a directory or URL; or a node, which is converted with all below it. Zarr v2, v3 and, with a
        `dest`, N5, Zarr v1 and the experimental layout of Zarr v3.
    dest : MutableMapping, str or Group, optional
        Destination; None converts in place. It must be empty, or contain what a stopped conversion has left.
    to : {3, 2}
        The new format.
    path, dest_path : str, optional
        Node in the source, and where it goes in `dest`; the root by default.
    keep : bool, optional
        Keep the old documents, and chunks under old keys, when converting in place.
    if_exists : {"raise", "replace", "skip", "skip_same"}
        What to do with nodes at `dest`: "raise" an error, before anything is written, but take what an earlier run of
        the same conversion wrote for done; "replace" arrays, which are deleted first; "skip" them; or "skip_same":
        where the documents are as they would be, write only chunks that differ, and replace other arrays. Groups that
        exist get the members and attributes of those of the source in addition; other nodes stay. Nodes of the other
        format are an error.
    verify : {"size", "read", "hash"}, optional
        Check each chunk after it was written: its "size"; that it can be "read" and decoded; or that all its bytes are
        those of the source ("hash"). Only "read" finds chunks that are damaged in the source too: with "skip_same" it
        also decodes chunks that are the same already. Of chunks that are decoded and encoded again, "read" reads them
        back, and "hash" also compares their elements bit by bit. In place, chunks that keep their keys are not checked.
    on_error : {"raise", "report"}
        What to do when a chunk cannot be converted, or is not as `verify` expects it: "raise" the error; or convert all
        others, and "report" it. An array with an error gets no documents, groups then get none either, and in place the
        old format stays. Call it again to try these arrays again. With "skip_same", an array that has its documents
        already keeps them, and has the chunk that failed its check. Needs ``report=True``.
    dry_run : bool, default False
        Write nothing, and report what would be converted. Chunks that would be decoded are not read: those that are all
        fill value, which are not stored, count too. Needs ``report=True``.
    report : bool, default False
        Return a `zarrds.dask.CopyReport` of the chunks in place of the node. Of chunks that are decoded, its bytes are
        those of the elements.
    log : callable, file path or file-like object, optional
        Gets a line for each array that is copied or encoded.
    storage_options, dest_storage_options : dict, optional
        Options of the file systems behind URLs.
    synchronizer : object, optional
        Locks that other writers take too, when converting in place: those of all documents of the hierarchy, in both
        formats, are held until the end. A `ProcessSynchronizer` keeps a file open for each, so a large hierarchy may
        need a higher limit of open files. Locks of chunks are not taken.

    Returns
    -------
    Array, Group or CopyReport
        The converted node, opened for reading and writing; with `report`, what was done.

    Raises
    ------
    UnsupportedFormatError
        The new format cannot express something; the error names the node and the member. Nothing was written.
    ContainsArrayError, ContainsGroupError
        Another node is where the new documents should be.
    CopyError
        A chunk is not as `verify` expects it. No document of its array has been written.
    PathNotFoundError
        There is nothing to convert.
    ArgumentError
        There are both a `synchronizer` and a `dest`, `if_exists` is given without a `dest`, or `on_error` or `dry_run`
        without `report`.

    See Also
    --------
    zarrds.dask.convert : the same by tasks, on the threads, processes or workers of dask

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.open("data/old.zarr", mode="w", shape=10, chunks=5, dtype="i4", zarr_format=2)
    >>> z[:] = range(10)
    >>> new = zarrds.convert("data/old.zarr", to=3)
    >>> new.zarr_format, new[:3]
    (3, array([0, 1, 2], dtype=int32))
    """
    if synchronizer is not None and dest is not None:
        raise ArgumentError("a synchronizer guards a conversion in place; with dest, be the only writer to it")
    how = Moving(verify=verify, on_error=on_error, dry_run=dry_run)
    check_choices(if_exists, how, report=report, in_place=dest is None)
    started = time()
    at = find_places(source, dest, to, path, dest_path, storage_options, dest_storage_options)
    if at.source is None:
        with _documents_locked(synchronizer, at.dest, at.dest_path):
            done = convert_in_place(at.dest, at.dest_path, to, keep, how)
    else:
        with writing_to(log) as say:
            plan = plan_to(at.source, at.path, at.dest, at.dest_path, at.number, to, if_exists)
            done = convert_to(at.source, at.dest, plan, how, say)
    return done.since(started) if report else opened(at.dest, at.dest_path, to)


@contextmanager
def _documents_locked(synchronizer: Synchronizer | None, store: Store, path: str) -> Iterator[None]:
    """Hold the locks of all documents at and below a path, in every format, and of the groups above."""
    if synchronizer is None:
        yield
        return
    _node.check_synchronizer(synchronizer, path, store)
    while True:
        paths = _paths_of_nodes(store, path)
        with _node.structure_locked(synchronizer, store, *paths):
            if _paths_of_nodes(store, path) == paths:  # else another task has created nodes before they were locked
                yield
                return


def _paths_of_nodes(store: Store, path: str) -> list[str]:
    return sorted({path, *(key.rpartition("/")[0] for key in _node.documents_below(store, path))})


class Places(NamedTuple):
    """Source and destination: a store that presents the source (None in place), and the format it presents."""

    source: Store | None
    path: str
    number: int
    dest: Store
    dest_path: str


def find_places(
    source: Array | Group | StoreLike,
    dest: Array | Group | StoreLike | None,
    to: Any,
    path: str | None,
    dest_path: str | None,
    storage_options: Mapping[str, Any] | None,
    dest_storage_options: Mapping[str, Any] | None,
) -> Places:
    """Find source and destination of a conversion; raise an error if there is no source or no room for it."""
    if not isinstance(to, int) or to not in (2, 3):
        raise ArgumentError(f"to must be 2 or 3, found {to!r}")
    store, where = _place(source, path, "r+" if dest is None else "r", storage_options)
    shown, node = _node.locate_node(store, where, None if dest is not None else to, "r")
    if dest is not None:
        if node is None:
            raise _node.not_found(store, where)
        target, target_path = _place(dest, dest_path, "a", dest_storage_options)
        _refuse_containers(target)
        return Places(shown, where, node.zarr_format, target, target_path)
    if shown is not store:
        raise UnsupportedFormatError(
            "a hierarchy of this layout cannot be converted in place", store=repr(store), hint="pass dest"
        )
    _refuse_containers(store)
    return Places(None, where, other_format(to), store, where)


def _refuse_containers(store: Store) -> None:
    if store.documents_format is not None:
        raise UnsupportedFormatError(
            "documents of Zarr do not lie in this container", store=repr(store), hint="pass another place as dest"
        )


def _place(given: Any, path: str | None, mode: str, options: Mapping[str, Any] | None) -> tuple[Store, str]:
    """Return the store, and the path in it, that a user gives as a place."""
    if isinstance(given, Array | Group):
        # documents are converted one by one; consolidated metadata are made again from them
        store = given.store.store if type(given.store) is ConsolidatedMetadataStore else given.store
        return store, join_path(given.path or "", normalize_path(path))
    return as_store(given, mode=mode, storage_options=options), normalize_path(path)


def opened(store: Store, path: str, to: int) -> Array | Group:
    """Open the converted node for reading and writing."""
    node = _node.find_node(store, path, to)
    if isinstance(node, ArrayMeta):
        return opened_array(store, path, node)
    return Group(store, path, zarr_version=to) if node is None else opened_group(store, path, node)
