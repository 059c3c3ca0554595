"""Groups (manual 3.3)."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterable, Iterator, MutableMapping, ValuesView
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import numpy as np

from zarrds import _nodes, creation
from zarrds._array_meta import check_version, new_format
from zarrds._format.meta import ArrayMeta, GroupMeta
from zarrds._info import InfoReporter, type_name
from zarrds._store.adapt import as_store
from zarrds._store.base import Store
from zarrds._store.memory import MemoryStore
from zarrds._store.paths import level, normalize_path
from zarrds._tree import TreeViewer
from zarrds.attrs import Attributes
from zarrds.core import Array
from zarrds.errors import GroupNotFoundError, ReadOnlyError
from zarrds.sync import Synchronizer

__all__ = ["Group", "group", "open_group"]

Member = Any  # Array or Group
_T = TypeVar("_T")


class _Members(ItemsView[str, Any]):
    """Names and members of a group: all of them from one listing and one batch of documents."""

    _mapping: Group

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return self._mapping._pairs()


class _MemberValues(ValuesView[Any]):
    """Members of a group: all of them from one listing and one batch of documents."""

    _mapping: Group

    def __iter__(self) -> Iterator[Any]:
        return (member for _, member in self._mapping._pairs())


class Group(MutableMapping[str, Any]):
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
        Format of the group; found out when None.
    meta_array : array-like, optional
        Array instance whose type results have.

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

    def __init__(
        self,
        store: Any,
        path: str | None = None,
        read_only: bool = False,
        chunk_store: Any = None,
        cache_attrs: bool = True,
        synchronizer: Synchronizer | None = None,
        zarr_version: int | None = None,
        *,
        meta_array: Any = None,
        _meta: GroupMeta | None = None,
    ) -> None:
        asked = check_version(zarr_version)
        self._store: Store = as_store(store, mode="r" if read_only else "r+")
        self._chunk_store: Store | None = None if chunk_store is None else as_store(chunk_store, mode="r+")
        self._path = normalize_path(path)
        self._read_only = bool(read_only)
        self._synchronizer = synchronizer
        self._cache_attrs = cache_attrs
        self._meta_array = np.empty(()) if meta_array is None else np.empty_like(meta_array, shape=())
        meta = _nodes.load_group(self._store, self._path, asked) if _meta is None else _meta
        self._format = meta.zarr_format
        self._count: int | None = None
        self._attrs = Attributes(
            self._store,
            key=_nodes.attributes_key(self._path, meta),
            read_only=self._read_only,
            cache=cache_attrs,
            synchronizer=synchronizer,
        )

    # --- what the group is -------------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """A MutableMapping providing the underlying storage for the group."""
        return self._store

    @property
    def chunk_store(self) -> Store:
        """A MutableMapping providing the underlying storage for array chunks."""
        return self._store if self._chunk_store is None else self._chunk_store

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
        return self._read_only

    @property
    def synchronizer(self) -> Synchronizer | None:
        """Object used to synchronize write access to groups and arrays."""
        return self._synchronizer

    @property
    def attrs(self) -> Attributes:
        """A MutableMapping containing user-defined attributes; values must be JSON serializable."""
        return self._attrs

    @property
    def meta_array(self) -> Any:
        """An array-like instance to use for determining arrays to create and return to users."""
        return self._meta_array

    @property
    def info(self) -> InfoReporter:
        """Return diagnostic information about the group."""
        return InfoReporter(self)

    def info_items(self) -> list[tuple[str, str]]:
        """Rows of `info`: labels and values."""
        kinds = self._kinds()
        arrays = [name for name, is_array in kinds if is_array]
        groups = [name for name, is_array in kinds if not is_array]
        rows = [
            ("Name", self.name),
            ("Type", type_name(self)),
            ("Read-only", str(self._read_only)),
        ]
        if self._synchronizer is not None:
            rows.append(("Synchronizer type", type_name(self._synchronizer)))
        rows.append(("Store type", type_name(self._store)))
        if self._chunk_store is not None:
            rows.append(("Chunk store type", type_name(self._chunk_store)))
        rows += [
            ("No. members", str(len(groups) + len(arrays))),
            ("No. arrays", str(len(arrays))),
            ("No. groups", str(len(groups))),
        ]
        if arrays:
            rows.append(("Arrays", ", ".join(arrays)))
        if groups:
            rows.append(("Groups", ", ".join(groups)))
        return rows

    # --- members -----------------------------------------------------------------------------------------------------

    def _where(self, name: object) -> str:
        """Path in the store of a member; a leading slash begins at the root."""
        text = name.decode() if isinstance(name, bytes) else "" if name is None else str(name)
        path = normalize_path(text)
        if text.startswith("/"):
            return path
        return _nodes.node_key(self._path, path) if path else self._path

    def _options(self) -> dict[str, Any]:
        """What members have from their group."""
        return {
            "read_only": self._read_only,
            "chunk_store": self._chunk_store,
            "cache_attrs": self._cache_attrs,
            "synchronizer": self._synchronizer,
            "meta_array": None if type(self._meta_array) is np.ndarray else self._meta_array,
        }

    def _member(self, path: str, node: ArrayMeta | GroupMeta) -> Member:
        return self._at(path, node, self._options())

    def _at(self, path: str, node: ArrayMeta | GroupMeta, options: dict[str, Any]) -> Member:
        if isinstance(node, ArrayMeta):
            return Array(self._store, path, _meta=node, **options)
        return Group(self._store, path, _meta=node, **options)

    def __getitem__(self, item: str) -> Member:
        path = self._where(item)
        node = _nodes.find_node(self._store, path, self._format)
        if node is None:
            raise KeyError(item)
        return self._member(path, node)

    def __getattr__(self, item: str) -> Member:
        # only members are looked up: no store is asked for names that Python or a notebook probes for
        if item.startswith("_"):
            raise AttributeError(item)
        try:
            return self[item]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute or member {item!r}") from None

    def __setitem__(self, item: str, value: Any) -> None:
        self.array(item, value, overwrite=True)

    def __delitem__(self, item: str) -> None:
        self._refuse_read_only()
        path = self._where(item)
        if not _nodes.has_node(self._store, path, self._format):
            raise KeyError(item)
        _nodes.delete_node(self._store, path)
        if self._chunk_store is not None and self._chunk_store is not self._store:
            _nodes.delete_node(self._chunk_store, path, chunks_only=True)

    def __contains__(self, item: object) -> bool:
        return _nodes.has_node(self._store, self._where(item), self._format)

    def __iter__(self) -> Iterator[str]:
        return self._counted([name for name, _ in self._kinds()])

    def __len__(self) -> int:
        return len(self._kinds()) if self._count is None else self._count

    def _counted(self, found: list[_T]) -> Iterator[_T]:
        """Iterate over what a listing found; until the first item is taken, `len` is answered from it.

        That is when ``list(group)`` asks, which would be a second listing.
        """
        self._count = len(found)
        return self._forgetting(found)

    def _forgetting(self, found: list[_T]) -> Iterator[_T]:
        self._count = None
        yield from found

    def items(self) -> ItemsView[str, Member]:
        """Pairs of name and member: one listing and one batch of documents for all of them."""
        return _Members(self)

    def values(self) -> ValuesView[Member]:
        """All members: one listing and one batch of documents for all of them."""
        return _MemberValues(self)

    def _members(self) -> Iterator[tuple[str, Member]]:
        return self._opened(_nodes.child_nodes(self._store, self._path, self._format))

    def _pairs(self) -> Iterator[tuple[str, Member]]:
        return self._opened(self._counted(_nodes.child_nodes(self._store, self._path, self._format)))

    def _opened(self, nodes: Iterable[tuple[str, ArrayMeta | GroupMeta]]) -> Iterator[tuple[str, Member]]:
        prefix, options = level(self._path), self._options()
        return ((name, self._at(prefix + name, node, options)) for name, node in nodes)

    def _kinds(self) -> list[tuple[str, bool]]:
        return _nodes.child_kinds(self._store, self._path, self._format)

    def group_keys(self) -> Iterator[str]:
        """Return an iterator over member names for groups only."""
        return (name for name, is_array in self._kinds() if not is_array)

    def groups(self) -> Iterator[tuple[str, Group]]:
        """Return an iterator over (name, value) pairs for groups only.

        Examples
        --------
        >>> import zarrds
        >>> g = zarrds.group()
        >>> _ = g.create_group("foo"), g.create_dataset("bar", shape=10)
        >>> list(g.groups())
        [('foo', <zarrds.hierarchy.Group '/foo'>)]
        """
        return ((name, member) for name, member in self._members() if isinstance(member, Group))

    def array_keys(self, recurse: bool = False) -> Iterator[str]:
        """Return an iterator over member names for arrays only; those of groups below as well with `recurse`."""
        if recurse:
            return (name for name, _ in self.arrays(recurse=True))
        return (name for name, is_array in self._kinds() if is_array)

    def arrays(self, recurse: bool = False) -> Iterator[tuple[str, Array]]:
        """Return an iterator over (name, value) pairs for arrays only; those of groups below as well with `recurse`."""
        for name, member in self._members():
            if isinstance(member, Array):
                yield name, member
            elif recurse:
                yield from member.arrays(recurse=True)

    # --- visiting ----------------------------------------------------------------------------------------------------

    def visititems(self, func: Callable[[str, Member], Any]) -> Any:
        """Run `func` on each object's path and the object itself, until it returns anything but None.

        Examples
        --------
        >>> import zarrds
        >>> g = zarrds.group()
        >>> _ = g.create_group("bar/baz")
        >>> g.visititems(lambda path, obj: print(path, obj))
        bar <zarrds.hierarchy.Group '/bar'>
        bar/baz <zarrds.hierarchy.Group '/bar/baz'>
        """
        return self._visit("", func)

    def _visit(self, prefix: str, func: Callable[[str, Member], Any]) -> Any:
        for name, member in self._members():
            found = func(prefix + name, member)
            if found is None and isinstance(member, Group):
                found = member._visit(f"{prefix}{name}/", func)
            if found is not None:
                return found
        return None

    def visit(self, func: Callable[[str], Any]) -> Any:
        """Run `func` on each object's path, until it returns anything but None."""
        return self.visititems(lambda path, _: func(path))

    def visitkeys(self, func: Callable[[str], Any]) -> Any:
        """Run `func` on each object's path: an alias for `visit`."""
        return self.visit(func)

    def visitvalues(self, func: Callable[[Member], Any]) -> Any:
        """Run `func` on each object, until it returns anything but None."""
        return self.visititems(lambda _, member: func(member))

    def tree(self, expand: bool = False, level: int | None = None) -> TreeViewer:
        """Provide a print-able display of the hierarchy.

        Parameters
        ----------
        expand : bool, optional
            Only relevant for HTML representation. If True, tree will be fully expanded.
        level : int, optional
            Maximum depth to descend into hierarchy.
        """
        return TreeViewer(self, expand=expand, level=level)

    # --- creating ----------------------------------------------------------------------------------------------------

    def create_group(self, name: str, overwrite: bool = False) -> Group:
        """Create a sub-group, and the groups between.

        Parameters
        ----------
        name : str
            Group name, or path.
        overwrite : bool, optional
            If True, replace what is there.

        Raises
        ------
        ContainsArrayError, ContainsGroupError
            Something is there, and `overwrite` is False.
        """
        self._refuse_read_only()
        path = self._where(name)
        meta = GroupMeta(zarr_format=self._format)
        _nodes.create_group(
            self._store, path, meta, overwrite=overwrite, chunk_store=self._chunk_store, known_group=self._path
        )
        return self._subgroup(path)

    def require_group(self, name: str, overwrite: bool = False) -> Group:
        """Obtain a sub-group, creating one if it doesn't exist; `overwrite` replaces an array of that name."""
        self._refuse_read_only()
        path = self._where(name)
        node = _nodes.find_node(self._store, path, self._format)
        if node is None or (overwrite and isinstance(node, ArrayMeta)):
            return self.create_group(name, overwrite=overwrite)
        if isinstance(node, ArrayMeta):
            _nodes.expect_free(node, path)
        return self._subgroup(path)

    def create_groups(self, *names: str, **kwargs: Any) -> tuple[Group, ...]:
        """Create multiple groups in a single call; keywords as for `create_group`."""
        return tuple(self.create_group(name, **kwargs) for name in names)

    def require_groups(self, *names: str) -> tuple[Group, ...]:
        """Require multiple groups in a single call."""
        return tuple(self.require_group(name) for name in names)

    def _subgroup(self, path: str) -> Group:
        group = self._member(path, GroupMeta(zarr_format=self._format))
        assert isinstance(group, Group)
        return group

    def create_dataset(self, name: str, **kwargs: Any) -> Array:
        """Create an array, filled with `data` when that is given.

        Parameters
        ----------
        name : str
            Array name, or path.
        **kwargs
            As for `zarrds.create`, and `data`, which also decides the shape.

        Examples
        --------
        >>> import zarrds
        >>> zarrds.group().create_dataset("bar/baz", shape=(100, 100, 100), chunks=(100, 10, 10))
        <zarrds.core.Array '/bar/baz' (100, 100, 100) float64>
        """
        data = kwargs.pop("data", None)
        if data is None:
            return self._make(creation.create, name, **kwargs)
        kwargs.pop("shape", None)  # it is that of the data
        return self.array(name, data, **kwargs)

    def require_dataset(self, name: str, shape: Any, dtype: Any = None, exact: bool = False, **kwargs: Any) -> Array:
        """Obtain an array, creating if it doesn't exist.

        Parameters
        ----------
        name : str
            Array name.
        shape : int or tuple of int
            Array shape; must match that of an existing array.
        dtype : dtype, optional
            NumPy dtype.
        exact : bool, optional
            If True, require the dtype to match exactly; else that it can be cast from the array's dtype.

        Raises
        ------
        TypeError
            An existing array has another shape or dtype.
        """
        self._refuse_read_only()
        path = self._where(name)
        node = _nodes.find_node(self._store, path, self._format)
        if node is None:
            return self.create_dataset(name, shape=shape, dtype=dtype, **kwargs)
        if not isinstance(node, ArrayMeta):
            _nodes.expect_free(node, path)
        array = self._member(path, node)
        wanted = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        if tuple(array.shape) != wanted:
            raise TypeError(f"shape does not match existing array; expected {array.shape}, got {wanted}")
        real = np.dtype(dtype)
        if exact and array.dtype != real:
            raise TypeError(f"dtypes do not match exactly; expected {array.dtype}, got {real}")
        if not np.can_cast(real, array.dtype):
            raise TypeError(f"dtypes ({real}, {array.dtype}) cannot be safely cast")
        assert isinstance(array, Array)
        return array

    def create(self, name: str, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.create`."""
        return self._make(creation.create, name, **kwargs)

    def empty(self, name: str, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.empty`."""
        return self._make(creation.empty, name, **kwargs)

    def zeros(self, name: str, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.zeros`."""
        return self._make(creation.zeros, name, **kwargs)

    def ones(self, name: str, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.ones`."""
        return self._make(creation.ones, name, **kwargs)

    def full(self, name: str, fill_value: Any, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.full`."""
        return self._make(creation.full, name, fill_value=fill_value, **kwargs)

    def array(self, name: str, data: Any, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.array`."""
        return self._make(creation.array, name, data=data, **kwargs)

    def empty_like(self, name: str, data: Any, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.empty_like`."""
        return self._make(creation.empty_like, name, a=data, **kwargs)

    def zeros_like(self, name: str, data: Any, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.zeros_like`."""
        return self._make(creation.zeros_like, name, a=data, **kwargs)

    def ones_like(self, name: str, data: Any, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.ones_like`."""
        return self._make(creation.ones_like, name, a=data, **kwargs)

    def full_like(self, name: str, data: Any, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.full_like`."""
        return self._make(creation.full_like, name, a=data, **kwargs)

    def _make(self, function: Callable[..., Array], name: str, **kwargs: Any) -> Array:
        self._refuse_read_only()
        kwargs.setdefault("synchronizer", self._synchronizer)
        kwargs.setdefault("cache_attrs", self._cache_attrs)
        return function(
            store=creation.InGroup(self._store, self._path, self._format),
            path=self._where(name),
            chunk_store=self._chunk_store,
            **kwargs,
        )

    def move(self, source: str, dest: str) -> None:
        """Move contents from one path to another relative to the Group.

        Parameters
        ----------
        source : str
            Name or path of what to move.
        dest : str
            New name or path.

        Raises
        ------
        PathNotFoundError
            Nothing is at `source`.
        ContainsArrayError, ContainsGroupError
            Something is at `dest`.
        ValueError
            `source` is the root, or `dest` lies in it.
        """
        self._refuse_read_only()
        src, dst = self._where(source), self._where(dest)
        _nodes.move_node(self._store, src, dst, chunk_store=self._chunk_store)

    def _refuse_read_only(self) -> None:
        if self._read_only:
            raise ReadOnlyError(path=self._path or None)

    # --- Python's protocols ------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        self._store.close()
        if self._chunk_store is not None:
            self._chunk_store.close()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Group)
            and self._store == other._store
            and self._read_only == other._read_only
            and self._path == other._path
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        read_only = " read-only" if self._read_only else ""
        return f"<{type(self).__module__}.{type(self).__name__} {self.name!r}{read_only}>"

    def __dir__(self) -> list[str]:
        names = [name for name in self if name.isidentifier()]
        return sorted({*super().__dir__(), *names})

    def _ipython_key_completions_(self) -> list[str]:
        return sorted(self)

    def __reduce__(self) -> tuple[Any, ...]:
        options = {
            "read_only": self._read_only,
            "chunk_store": self._chunk_store,
            "cache_attrs": self._cache_attrs,
            "synchronizer": self._synchronizer,
        }
        return _unpickled, (self._store, self._path, GroupMeta(zarr_format=self._format), options)


def _unpickled(store: Store, path: str, meta: GroupMeta, options: dict[str, Any]) -> Group:
    return Group(store, path, _meta=meta, **options)


def group(
    store: Any = None,
    overwrite: bool = False,
    chunk_store: Any = None,
    cache_attrs: bool = True,
    synchronizer: Synchronizer | None = None,
    path: str | None = None,
    *,
    zarr_version: Literal[2, 3] | None = None,
    meta_array: Any = None,
    zarr_format: int | None = None,
) -> Group:
    """Create a group, or open the one that is there.

    Parameters
    ----------
    store : MutableMapping or str, optional
        Store, path of a directory, or URL; a new MemoryStore when not given.
    overwrite : bool, optional
        If True, delete what is in `store` at `path` before creating the group.
    chunk_store : MutableMapping, optional
        Separate storage for chunks.
    cache_attrs : bool, optional
        If True (default), user attributes are read once and kept.
    synchronizer : object, optional
        Array synchronizer.
    path : str, optional
        Group path within store.
    zarr_version, zarr_format : {None, 2, 3}, optional
        Format of the group; when None found out, or the default for a new one.
    meta_array : array-like, optional
        Array instance whose type results have.

    Returns
    -------
    Group

    Examples
    --------
    >>> import zarrds
    >>> zarrds.group()
    <zarrds.hierarchy.Group '/'>
    """
    asked = check_version(zarr_version, zarr_format)
    real_store = MemoryStore() if store is None else as_store(store, mode="w")
    real_chunk_store = None if chunk_store is None else as_store(chunk_store, mode="w")
    where = normalize_path(path)
    node = None if overwrite else _nodes.find_node(real_store, where, asked)
    if isinstance(node, ArrayMeta):
        _nodes.expect_free(node, where)
    meta = node if isinstance(node, GroupMeta) else GroupMeta(zarr_format=new_format(asked))
    if node is None:
        _nodes.create_group(real_store, where, meta, overwrite=overwrite, chunk_store=real_chunk_store)
    return Group(
        real_store,
        path=where,
        chunk_store=real_chunk_store,
        cache_attrs=cache_attrs,
        synchronizer=synchronizer,
        meta_array=meta_array,
        _meta=meta,
    )


def open_existing(
    store: Store,
    path: str,
    meta: GroupMeta,
    mode: str,
    *,
    cache_attrs: bool = True,
    synchronizer: Synchronizer | None = None,
    chunk_store: Any = None,
    storage_options: dict[str, Any] | None = None,
    meta_array: Any = None,
) -> Group:
    """Make the Group of an existing group that was found; what is not an option of groups is a TypeError."""
    return Group(
        store,
        path=path,
        read_only=mode == "r",
        chunk_store=None if chunk_store is None else as_store(chunk_store, mode=mode, storage_options=storage_options),
        cache_attrs=cache_attrs,
        synchronizer=synchronizer,
        meta_array=meta_array,
        _meta=meta,
    )


def open_group(
    store: Any = None,
    mode: str = "a",
    cache_attrs: bool = True,
    synchronizer: Synchronizer | None = None,
    path: str | None = None,
    chunk_store: Any = None,
    storage_options: dict[str, Any] | None = None,
    *,
    zarr_version: Literal[2, 3] | None = None,
    meta_array: Any = None,
    zarr_format: int | None = None,
) -> Group:
    """Open a group using file-mode-like semantics.

    Parameters
    ----------
    store : MutableMapping or str, optional
        Store, path of a directory, or URL.
    mode : {'r', 'r+', 'a', 'w', 'w-'}, optional
        'r' read only (must exist); 'r+' read and write (must exist); 'a' read and write (create if it does not exist);
        'w' create (overwrite if it exists); 'w-' create (fail if it exists).
    cache_attrs, synchronizer, path, chunk_store, meta_array
        As for `group`.
    storage_options : dict, optional
        Options for the file system of an fsspec URL.
    zarr_version, zarr_format : {None, 2, 3}, optional
        Format; when None found out, or the default for a new group.

    Returns
    -------
    Group

    Raises
    ------
    GroupNotFoundError, ContainsArrayError, ContainsGroupError
        What is at the path does not fit the mode.

    Examples
    --------
    >>> import zarrds
    >>> root = zarrds.open_group("data/group.zarr", mode="w")
    >>> _ = root.create_group("foo")
    >>> root == zarrds.open_group("data/group.zarr", mode="a")
    True
    """
    asked = check_version(zarr_version, zarr_format)
    _nodes.check_mode(mode)
    real_store = MemoryStore() if store is None else as_store(store, mode=mode, storage_options=storage_options)
    real_chunk_store = None
    if chunk_store is not None:
        real_chunk_store = as_store(chunk_store, mode=mode, storage_options=storage_options)
    where = normalize_path(path)
    node = None
    if mode != "w":
        real_store, node = _nodes.find_in_layouts(real_store, where, asked)
    if mode in ("r", "r+") and node is None:
        raise _nodes.not_found(real_store, where, GroupNotFoundError)
    if isinstance(node, ArrayMeta) or mode in ("w-", "x"):
        _nodes.expect_free(node, where)
    meta = node if isinstance(node, GroupMeta) else GroupMeta(zarr_format=new_format(asked))
    if node is None:
        _nodes.create_group(real_store, where, meta, overwrite=mode == "w", chunk_store=real_chunk_store)
    return Group(
        real_store,
        path=where,
        read_only=mode == "r",
        chunk_store=real_chunk_store,
        cache_attrs=cache_attrs,
        synchronizer=synchronizer,
        meta_array=meta_array,
        _meta=meta,
    )
