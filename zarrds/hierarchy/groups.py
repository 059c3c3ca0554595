"""Groups (manual 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Literal, Self, cast

import numpy as np

from zarrds import _node
from zarrds._base.types import Mode, ZarrFormat
from zarrds._format import ArrayMeta, GroupMeta, check_version
from zarrds._metadata import new_format
from zarrds._node import check_synchronizer, structure_locked
from zarrds._store import MemoryStore, Store, StoreLike, as_store, check_mode, normalize_path
from zarrds.attrs import Attributes, known_attributes
from zarrds.core import Array, OpenOptions, opened_array
from zarrds.core.html import attributes_table, facts_table
from zarrds.core.info import InfoReporter, type_name
from zarrds.errors import ArgumentTypeError, ContainsArrayError, ContainsGroupError, GroupNotFoundError
from zarrds.hierarchy.newer import NewerGroupNames
from zarrds.sync import Synchronizer

__all__ = ["Group", "create_filled_group", "group", "open_existing", "open_group", "opened_group"]


class Group(NewerGroupNames):
    """Instantiate a group from an initialized store.

    Parameters
    ----------
    store : MutableMapping
        Group store, already initialized. When the group is used in a ``with`` statement, the store is closed on exit.
    path : str, optional
        Group path.
    read_only : bool, optional
        True if group should be protected against modification.
    chunk_store : MutableMapping, optional
        Separate storage for chunks. If not provided, `store` holds both chunks and metadata.
    cache_attrs : bool, optional
        If True (default), user attributes are read once and kept.
    synchronizer : object, optional
        Array synchronizer.
    zarr_version : {2, 3, None}, optional
        Format of the group; detected if None.
    meta_array : array-like, optional
        Array instance; results have its type.

    Raises
    ------
    GroupNotFoundError, ContainsArrayError
        There is no group at `path`.

    Examples
    --------
    >>> import zarrds
    >>> root = zarrds.group()
    >>> foo = root.create_group("foo")
    >>> foo.zeros("bar", shape=(100, 100), chunks=(10, 10), dtype="i4")
    <zarrds.core.Array '/foo/bar' (100, 100) int32>
    >>> root.tree()
    /
     └── foo
         └── bar (100, 100) int32
    """

    __module__ = "zarrds.hierarchy"  # as the manual shows it

    def __init__(
        self,
        store: StoreLike,
        path: str | None = None,
        read_only: bool = False,
        chunk_store: StoreLike | None = None,
        cache_attrs: bool = True,
        synchronizer: Synchronizer | None = None,
        zarr_version: ZarrFormat | None = None,
        *,
        meta_array: Any = None,
    ) -> None:
        options = OpenOptions.of(locals())
        real_store, where = as_store(store, mode="r" if read_only else "r+"), normalize_path(path)
        check_synchronizer(synchronizer, where, real_store, options.chunk_store)
        self._open(real_store, where, _node.load_group(real_store, where, check_version(zarr_version)), options)

    def _open(self, store: Store, path: str, meta: GroupMeta, options: OpenOptions, document: Any = None) -> None:
        """Set all attributes of a new object; `document` holds the attributes too, where they are in it."""
        self._store = store
        self._path = path
        self._format = meta.zarr_format
        self._extra = meta.extra
        self._options = options
        self._attrs = known_attributes(
            store,
            _node.attributes_key(path, meta),
            read_only=options.read_only,
            cache=options.cache_attrs,
            synchronizer=options.synchronizer,
            document=document,
        )

    # --- what the group is -------------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """A MutableMapping providing the underlying storage for the group."""
        return self._store

    @property
    def chunk_store(self) -> Store:
        """A MutableMapping providing the underlying storage for array chunks."""
        return self._store if self._options.chunk_store is None else self._options.chunk_store

    @property
    def path(self) -> str:
        """Storage path."""
        return self._path

    @property
    def name(self) -> str:
        """Group name following h5py convention."""
        return f"/{self._path}"

    @property
    def zarr_format(self) -> int:
        """Format of the group, and of what is created in it."""
        return self._format

    @property
    def basename(self) -> str:
        """Final component of name."""
        return self._path.rsplit("/", 1)[-1]

    @property
    def read_only(self) -> bool:
        """A boolean, True if modification operations are not permitted."""
        return self._options.read_only

    @property
    def synchronizer(self) -> Synchronizer | None:
        """Object used to synchronize write access to groups and arrays."""
        return self._options.synchronizer

    @property
    def attrs(self) -> Attributes:
        """A MutableMapping containing user-defined attributes; values must be JSON serializable.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> root.attrs["title"] = "winds"
        >>> root.attrs.asdict()
        {'title': 'winds'}
        """
        return self._attrs

    @property
    def meta_array(self) -> Any:
        """An array-like instance to use for determining arrays to create and return to users."""
        return np.empty(()) if self._options.meta_array is None else self._options.meta_array

    @property
    def info(self) -> InfoReporter:
        """Return diagnostic information about the group."""
        return InfoReporter(self)

    def info_items(self) -> list[tuple[str, Any]]:
        """Return the rows of `info`: labels and values."""
        kinds = self._kinds()
        arrays = [name for name, is_array in kinds if is_array]
        groups = [name for name, is_array in kinds if not is_array]
        rows: list[tuple[str, Any]] = [
            ("Name", self.name),
            ("Type", type_name(self)),
            ("Read-only", str(self.read_only)),
        ]
        if self.synchronizer is not None:
            rows.append(("Synchronizer type", type_name(self.synchronizer)))
        rows.append(("Store type", type_name(self._store)))
        if self._options.chunk_store is not None:
            rows.append(("Chunk store type", type_name(self._options.chunk_store)))
        rows += [
            ("No. members", len(groups) + len(arrays)),
            ("No. arrays", len(arrays)),
            ("No. groups", len(groups)),
        ]
        if arrays:
            rows.append(("Arrays", ", ".join(arrays)))
        if groups:
            rows.append(("Groups", ", ".join(groups)))
        return rows

    def _repr_html_(self) -> str:
        rows = [("Group", self.name), ("Format", f"Zarr v{self._format}"), ("Store", repr(self._store))]
        facts = facts_table([*rows, ("Read-only", str(self.read_only))], attributes_table(self._attrs.asdict()))
        return facts + self.tree(level=1)._repr_html_()

    # --- members -----------------------------------------------------------------------------------------------------

    def _at(self, path: str, node: ArrayMeta | GroupMeta, document: Any = None) -> Array | Self:
        if isinstance(node, ArrayMeta):
            return opened_array(self._store, path, node, self._options, document=document)
        return cast("Self", opened_group(self._store, path, node, self._options, document=document))

    def __setitem__(self, item: Any, value: Any) -> None:
        self.array(item, value, overwrite=True)

    def __delitem__(self, item: str) -> None:
        self._refuse_read_only()
        path = self._where(item)
        with self._structure_locked(path):
            if _node.has_node(self._store, path, self._format):
                _node.delete_node(self._store, path, chunk_store=self._options.chunk_store)
            elif not _node.finish_deletion(self._store, path, chunk_store=self._options.chunk_store):
                raise self._absent(item)

    # --- changing ----------------------------------------------------------------------------------------------------

    def move(self, source: str, dest: str) -> None:
        """Move contents from one path to another relative to the Group.

        Parameters
        ----------
        source : str
            Name or path of the node to move.
        dest : str
            New name or path.

        Raises
        ------
        PathNotFoundError
            There is no node at `source`.
        ContainsArrayError, ContainsGroupError
            There is a node at `dest`.
        ValueError
            `source` is the root, or `dest` is inside `source`.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> _ = root.zeros("old", shape=3)
        >>> root.move("old", "b/new")
        >>> "old" in root, "b/new" in root
        (False, True)
        """
        self._refuse_read_only()
        src, dst = self._where(source), self._where(dest)
        with self._structure_locked(src, dst):
            _node.move_node(self._store, src, dst, chunk_store=self._options.chunk_store)

    # --- Python's protocols ------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        self._store.close()
        if self._options.chunk_store is not None:
            self._options.chunk_store.close()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Group)
            and self._store == other._store
            and self.read_only == other.read_only
            and self._path == other._path
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        read_only = " read-only" if self.read_only else ""
        return f"<{type(self).__module__}.{type(self).__name__} {self.name!r}{read_only}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self._store, self._path, GroupMeta(self._format, self._extra), self._options.changes())

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        specs = [store.spec() for store in (self._store, self._options.chunk_store) if store is not None]
        parts = [
            (*spec.__dask_tokenize__(), spec.generation([f"{self._path}/".lstrip("/")], deep=True)) for spec in specs
        ]
        return (type(self).__qualname__, parts, self._path, self._format)


def opened_group(
    store: Store, path: str, meta: GroupMeta, options: OpenOptions | None = None, *, document: Any = None
) -> Group:
    """Return the group at `path` whose document was read; no request is made. For the parameters see `opened_array`."""
    group = Group.__new__(Group)
    group._open(store, path, meta, OpenOptions() if options is None else options, document)
    return group


def _unpickled(store: Store, path: str, meta: GroupMeta, options: dict[str, Any]) -> Group:
    return opened_group(store, path, meta, OpenOptions(**options))


def _created(
    store: Store,
    path: str,
    meta: GroupMeta,
    asked: int | None,
    mode: str,
    chunk_store: Store | None,
    fill: Callable[[Group], None] | None = None,
) -> GroupMeta:
    """Create a group; in mode "a", open it if another task has created it meanwhile."""
    remake = None if asked else _group_of_format

    def filled(store: Store, path: str, *, meta: GroupMeta) -> None:
        assert fill is not None
        fill(opened_group(store, path, meta, OpenOptions(chunk_store=chunk_store)))

    try:
        return _node.create_group(
            store,
            path,
            meta,
            overwrite=mode == "w",
            chunk_store=chunk_store,
            remake=remake,
            fill=filled if fill else None,
        )
    except (ContainsArrayError, ContainsGroupError):
        node = _node.find_node(store, path, asked) if mode == "a" else None
        if not isinstance(node, GroupMeta):
            raise
        return node


def _group_of_format(number: int) -> GroupMeta:
    return GroupMeta(zarr_format=number)


def group(
    store: StoreLike | None = None,
    overwrite: bool = False,
    chunk_store: StoreLike | None = None,
    cache_attrs: bool = True,
    synchronizer: Synchronizer | None = None,
    path: str | None = None,
    *,
    zarr_version: Literal[2, 3] | None = None,
    meta_array: Any = None,
    zarr_format: ZarrFormat | None = None,
) -> Group:
    """Create a group, or open an existing one.

    Parameters
    ----------
    store : MutableMapping or str, optional
        Store, path of a directory, or URL; by default a new MemoryStore.
    overwrite : bool, optional
        If True, delete an existing node at `path` in `store` before creating the group.
    chunk_store : MutableMapping, optional
        Separate storage for chunks.
    cache_attrs : bool, optional
        If True (default), user attributes are read once and kept.
    synchronizer : object, optional
        Array synchronizer.
    path : str, optional
        Group path within store.
    zarr_version : {None, 2, 3}, optional
        Format of the group; if None, that of an existing group, or the default for a new one.
    meta_array : array-like, optional
        Array instance; results have its type.
    zarr_format : {None, 2, 3}, optional
        The same as `zarr_version`.

    Returns
    -------
    Group
        The group that was opened or created.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.group()
    <zarrds.hierarchy.Group '/'>
    """
    options = OpenOptions.of(locals(), chunk_store=None if chunk_store is None else as_store(chunk_store, mode="w"))
    asked = check_version(zarr_version, zarr_format)
    real_store = MemoryStore() if store is None else as_store(store, mode="w")
    where = normalize_path(path)
    check_synchronizer(synchronizer, where, real_store, options.chunk_store)
    node = None if overwrite else _node.find_node(real_store, where, asked)
    if isinstance(node, ArrayMeta):
        _node.expect_free(node, where, real_store, "zarrds.open_array opens it, overwrite=True replaces it")
    meta = node if isinstance(node, GroupMeta) else GroupMeta(zarr_format=new_format(asked, real_store))
    if node is None:
        with structure_locked(synchronizer, real_store, where, zarr_format=asked):
            meta = _created(real_store, where, meta, asked, "w" if overwrite else "a", options.chunk_store)
    return opened_group(real_store, where, meta, options)


def create_filled_group(store: Store, path: str, zarr_format: ZarrFormat | None, fill: Callable[[Group], None]) -> None:
    """Replace what is at `path` by a group, with all that `fill` writes to it: in one step where the store can."""
    meta = GroupMeta(zarr_format=new_format(zarr_format, store))
    _created(store, path, meta, zarr_format, "w", None, fill)


def open_existing(store: Store, path: str, meta: GroupMeta, mode: str, given: Mapping[str, Any]) -> Group:
    """Return the Group of an existing group that was found; raise TypeError for keywords that `open_group` lacks."""
    unknown = sorted(set(given) - _KEYWORDS)
    if unknown:
        raise ArgumentTypeError(f"open_group() got an unexpected keyword argument {unknown[0]!r}")
    options = OpenOptions.of(given, mode)
    check_synchronizer(options.synchronizer, path, store, options.chunk_store)
    return opened_group(store, path, meta, options)


_KEYWORDS = frozenset(["cache_attrs", "synchronizer", "chunk_store", "storage_options", "meta_array"])


def open_group(
    store: StoreLike | None = None,
    mode: Mode = "a",
    cache_attrs: bool = True,
    synchronizer: Synchronizer | None = None,
    path: str | None = None,
    chunk_store: StoreLike | None = None,
    storage_options: dict[str, Any] | None = None,
    *,
    zarr_version: Literal[2, 3] | None = None,
    meta_array: Any = None,
    zarr_format: ZarrFormat | None = None,
) -> Group:
    """Open a group using file-mode-like semantics.

    Parameters
    ----------
    store : MutableMapping or str, optional
        Store, path of a directory, or URL.
    mode : {'r', 'r+', 'a', 'w', 'w-'}, optional
        'r' read only (must exist); 'r+' read and write (must exist); 'a' read and write (create if it does not exist);
        'w' create (overwrite if it exists); 'w-' create (fail if it exists).
    cache_attrs
        As for `group`.
    synchronizer
        As for `group`.
    path
        As for `group`.
    chunk_store
        As for `group`.
    storage_options : dict, optional
        Options for the file system of an fsspec URL.
    zarr_version : {None, 2, 3}, optional
        Format; if None, that of an existing group, or the default for a new one.
    meta_array
        As for `group`.
    zarr_format : {None, 2, 3}, optional
        The same as `zarr_version`.

    Returns
    -------
    Group
        The group that was opened or created.

    Raises
    ------
    GroupNotFoundError, ContainsArrayError, ContainsGroupError
        The node at the path does not fit the mode.

    Examples
    --------
    >>> import zarrds
    >>> root = zarrds.open_group("data/group.zarr", mode="w")
    >>> _ = root.create_group("foo")
    >>> root == zarrds.open_group("data/group.zarr", mode="a")
    True
    """
    given = locals()
    asked = check_version(zarr_version, zarr_format)
    check_mode(mode)
    real_store = MemoryStore() if store is None else as_store(store, mode=mode, storage_options=storage_options)
    options = OpenOptions.of(given, mode)
    where = normalize_path(path)
    check_synchronizer(synchronizer, where, real_store, options.chunk_store)
    node = None
    if mode != "w":
        real_store, node = _node.locate_node(real_store, where, asked, mode)
    if mode in ("r", "r+") and node is None:
        raise _node.not_found(real_store, where, GroupNotFoundError)
    if isinstance(node, ArrayMeta) or mode in ("w-", "x"):
        opener = "zarrds.open_array" if isinstance(node, ArrayMeta) else "mode='a'"
        _node.expect_free(node, where, real_store, f"{opener} opens it, mode='w' replaces it")
    meta = node if isinstance(node, GroupMeta) else GroupMeta(zarr_format=new_format(asked, real_store))
    if node is None:
        with structure_locked(synchronizer, real_store, where, zarr_format=asked):
            meta = _created(real_store, where, meta, asked, mode, options.chunk_store)
    return opened_group(real_store, where, meta, options)
