"""Members of a group: the mapping of their names, listings, visits; for the rest of a group see `zarrds.hierarchy`."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from collections.abc import Callable, Generator, ItemsView, Iterable, Iterator, MutableMapping, ValuesView
from inspect import GEN_CREATED, getgeneratorstate
from typing import Any, Self, TypeVar, overload

from zarrds import _node
from zarrds._format import ArrayMeta, GroupMeta, node_key
from zarrds._node import find_named
from zarrds._store import Store, level, normalize_path
from zarrds.core import Array
from zarrds.errors import MemberNotFoundError, MetadataError
from zarrds.hierarchy.tree import TreeViewer

__all__ = ["Members"]

_T = TypeVar("_T")


def _none_listed() -> None:
    """Return None, like a weak reference to an iterator that is gone."""


_Listing = tuple[Callable[[], Generator[Any] | None], int]
_NONE_LISTED: _Listing = (_none_listed, 0)


class _Members(ItemsView[str, Any]):
    """Names and members of a group: all of them from one listing and one batch of documents."""

    _mapping: Members

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return self._mapping._pairs()


class _MemberValues(ValuesView[Any]):
    """Members of a group: all of them from one listing and one batch of documents."""

    _mapping: Members

    def __iter__(self) -> Iterator[Any]:
        return (member for _, member in self._mapping._pairs())


class Members(MutableMapping[str, Any]):
    """Mixin that finds members of a group: each in one batch, all of them in one listing and one batch."""

    _store: Store
    _path: str
    _format: int
    _extra: str
    _listing: _Listing = _NONE_LISTED
    """The latest listing: its iterator, and the number of members found."""

    @abstractmethod
    def _at(self, path: str, node: ArrayMeta | GroupMeta, document: Any = None) -> Array | Self:
        """Return the array or group at a path, with the options of this group; its `document` may hold attributes."""

    def _where(self, name: object) -> str:
        """Return the path of a member in the store; a leading slash starts at the root."""
        text = name.decode() if isinstance(name, bytes) else "" if name is None else str(name)
        path = normalize_path(text)
        if text.startswith("/"):
            return path
        return node_key(self._path, path) if path else self._path

    @overload
    def __getitem__(self, item: str) -> Array | Self: ...

    @overload
    def __getitem__(self, item: Any) -> Any: ...

    def __getitem__(self, item: Any) -> Any:
        # the second overload is for type checkers: they accept root["x"][:10], where root["x"] could be a group
        path = self._where(item)
        node = _node.find_node(self._store, path, self._format)
        if node is None:
            raise self._absent(item)
        return self._at(path, node)

    def _absent(self, item: object) -> MemberNotFoundError:
        """Return the error for a member that is not there; nothing is listed, since callers catch it to ask."""
        return MemberNotFoundError.of_group(self._store, self._path, item)

    def __getattr__(self, item: str) -> Any:
        # only members are looked up: names that Python or a notebook tries cause no request
        if item.startswith("_"):
            raise AttributeError(item)  # builtin: the protocol of attributes
        try:
            return self[item]
        except KeyError:
            raise AttributeError(  # builtin: the protocol of attributes
                f"{type(self).__name__!r} object has no attribute or member {item!r}"
            ) from None  # builtin: the protocol of attributes

    def __contains__(self, item: object) -> bool:
        return _node.has_node(self._store, self._where(item), self._format)

    def __iter__(self) -> Iterator[str]:
        return self._counted([name for name, _ in self._kinds()])

    def __len__(self) -> int:
        (listing, count), self._listing = self._listing, _NONE_LISTED
        iterator = listing()
        # list(group) asks for the length right after the iterator: no second listing for that
        if iterator is not None and getgeneratorstate(iterator) == GEN_CREATED:
            return count
        return len(self._kinds())

    def _counted(self, found: list[_T]) -> Generator[_T]:
        iterator = (item for item in found)
        self._listing = weakref.ref(iterator), len(found)
        return iterator

    def items(self) -> ItemsView[str, Array | Self]:
        """Return pairs of name and member: one listing and one batch of documents for all of them.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> _ = root.zeros("a", shape=3), root.create_group("b")
        >>> list(root.items())
        [('a', <zarrds.core.Array '/a' (3,) float64>), ('b', <zarrds.hierarchy.Group '/b'>)]
        """
        return _Members(self)

    def values(self) -> ValuesView[Array | Self]:
        """Return all members: one listing and one batch of documents for all of them.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> _ = root.zeros("a/x", shape=3)
        >>> [member.name for member in root.values()]
        ['/a']
        """
        return _MemberValues(self)

    @overload
    def members(self, names: Iterable[str]) -> dict[str, Array | Self]: ...

    @overload
    def members(self, names: int | None = 0, *, max_depth: int | None = 0) -> tuple[tuple[str, Array | Self], ...]: ...

    def members(self, names: Iterable[str] | int | None = 0, *, max_depth: int | None = 0) -> Any:
        """Return some members by their names, or all of them, also of groups below.

        With names, it makes no listing, unlike `items`, so that a few members of a large group cost a few requests:
        one batch of documents. Names without a node are left out.

        Parameters
        ----------
        names : iterable of str, optional
            Names of arrays and groups in this group; or, as in Zarr-Python 3, the depth.
        max_depth : int, optional
            Without names: how many levels below the members are visited; None: all.

        Returns
        -------
        dict or tuple
            With names, arrays and groups in the order of `names`; without, pairs of path and array or group.

        Examples
        --------
        >>> import zarrds
        >>> g = zarrds.group()
        >>> _ = g.create_group("foo"), g.zeros("bar", shape=10)
        >>> g.members(["bar", "nothing"])
        {'bar': <zarrds.core.Array '/bar' (10,) float64>}
        >>> g.members()
        (('bar', <zarrds.core.Array '/bar' (10,) float64>), ('foo', <zarrds.hierarchy.Group '/foo'>))
        """
        if names is None or isinstance(names, int):
            with _node.bounded_depth(self._path):
                return tuple(self._down_to(max_depth if names == 0 else names))
        return dict(self._opened(find_named(self._store, self._path, list(names), self._format)))

    def _down_to(self, depth: int | None) -> Iterator[tuple[str, Array | Self]]:
        """Yield the members of this group and, `depth` levels down, of groups below it, by their paths from here."""
        for name, member in self.items():
            yield name, member
            if isinstance(member, Members) and depth != 0:
                below = member._down_to(None if depth is None else depth - 1)
                yield from ((f"{name}/{path}", found) for path, found in below)

    def open_members(self) -> tuple[dict[str, Array | Self], dict[str, MetadataError]]:
        """Return all members that can be opened, by name, and for the others the error that says what is missing.

        An array is among the others if its codec, data type or extension is not installed. `items`, `arrays`, `groups`
        and visitors leave it out; access by its name raises that error. One listing and one batch of documents. Not in
        the manual.

        Returns
        -------
        dict, dict
            Arrays and groups; and errors of the others.

        Examples
        --------
        >>> import zarrds
        >>> g = zarrds.group()
        >>> _ = g.create_group("foo")
        >>> g.open_members()
        ({'foo': <zarrds.hierarchy.Group '/foo'>}, {})
        """
        failed: dict[str, MetadataError] = {}
        return dict(self._members(failed)), failed

    def _members(self, failed: dict[str, MetadataError] | None = None) -> Iterator[tuple[str, Array | Self]]:
        failed = {} if failed is None else failed
        return self._opened(_node.child_documents(self._store, self._path, self._format, failed), failed)

    def _pairs(self) -> Iterator[tuple[str, Array | Self]]:
        failed: dict[str, MetadataError] = {}
        nodes = _node.child_documents(self._store, self._path, self._format, failed)
        return self._opened(self._counted(nodes), failed)

    def _opened(
        self, nodes: Iterable[tuple[str, ArrayMeta | GroupMeta, Any]], failed: dict[str, MetadataError] | None = None
    ) -> Iterator[tuple[str, Array | Self]]:
        """Yield members made from documents that were read; attributes in the same document are not read again.

        If `failed` is given, errors of members that need what is not installed are put into it.
        """
        prefix = level(self._path)
        for name, node, document in nodes:
            try:
                member = self._at(prefix + name, node, document)
            except _node.NOT_INSTALLED as error:
                if failed is None:
                    raise
                failed[name] = error
            else:
                yield name, member

    def _kinds(self) -> list[tuple[str, bool]]:
        return _node.child_kinds(self._store, self._path, self._format)

    def group_keys(self) -> Iterator[str]:
        """Return an iterator over member names for groups only.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> _ = root.zeros("a", shape=3), root.create_group("b")
        >>> list(root.group_keys())
        ['b']
        """
        return (name for name, is_array in self._kinds() if not is_array)

    def groups(self) -> Iterator[tuple[str, Self]]:
        """Return an iterator over (name, value) pairs for groups only.

        Examples
        --------
        >>> import zarrds
        >>> g = zarrds.group()
        >>> _ = g.create_group("foo"), g.create_dataset("bar", shape=10)
        >>> list(g.groups())
        [('foo', <zarrds.hierarchy.Group '/foo'>)]
        """
        return ((name, member) for name, member in self._members() if not isinstance(member, Array))

    def array_keys(self, recurse: bool = False) -> Iterator[str]:
        """Return an iterator over member names for arrays only; with `recurse`, also those of groups below.

        Parameters
        ----------
        recurse : bool, default False
            Whether arrays in groups below are included.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> _ = root.zeros("a", shape=3), root.create_group("b")
        >>> list(root.array_keys())
        ['a']
        """
        if recurse:
            return (name for name, _ in self.arrays(recurse=True))
        return (name for name, is_array in self._kinds() if is_array)

    def arrays(self, recurse: bool = False) -> Iterator[tuple[str, Array]]:
        """Return an iterator over (name, value) pairs for arrays only; with `recurse`, also those of groups below.

        Parameters
        ----------
        recurse : bool, default False
            Whether arrays in groups below are included.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> _ = root.zeros("a", shape=3), root.zeros("b", shape=4)
        >>> [(name, array.shape) for name, array in root.arrays()]
        [('a', (3,)), ('b', (4,))]
        """
        for name, member in self._members():
            if isinstance(member, Array):
                yield name, member
            elif recurse:
                yield from member.arrays(recurse=True)

    # --- visiting ----------------------------------------------------------------------------------------------------

    def visititems(self, func: Callable[[str, Array | Self], Any]) -> Any:
        """Call `func` with each object's path and the object itself, until it returns anything but None.

        Parameters
        ----------
        func : callable
            Called for each node below the group; a result that is not None ends the visit.

        Returns
        -------
        object
            The first result that is not None; None if there is none.

        Examples
        --------
        >>> import zarrds
        >>> g = zarrds.group()
        >>> _ = g.create_group("bar/baz")
        >>> g.visititems(lambda path, obj: print(path, obj))
        bar <zarrds.hierarchy.Group '/bar'>
        bar/baz <zarrds.hierarchy.Group '/bar/baz'>
        """
        with _node.bounded_depth(self._path):
            return self._visit("", func)

    def _visit(self, prefix: str, func: Callable[[str, Array | Self], Any]) -> Any:
        for name, member in self._members():
            found = func(prefix + name, member)
            if found is None and isinstance(member, Members):
                found = member._visit(f"{prefix}{name}/", func)
            if found is not None:
                return found
        return None

    def visit(self, func: Callable[[str], Any]) -> Any:
        """Call `func` with each object's path, until it returns anything but None.

        Parameters
        ----------
        func : callable
            Called for each node below the group; a result that is not None ends the visit.

        Returns
        -------
        object
            The first result that is not None; None if there is none.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> _ = root.zeros("b/t", shape=3)
        >>> root.visit(print)
        b
        b/t
        """
        return self.visititems(lambda path, _: func(path))

    def visitkeys(self, func: Callable[[str], Any]) -> Any:
        """Call `func` with each object's path: an alias for `visit`.

        Parameters
        ----------
        func : callable
            Called for each node below the group; a result that is not None ends the visit.

        Returns
        -------
        object
            The first result that is not None; None if there is none.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> _ = root.zeros("b/t", shape=3)
        >>> root.visitkeys(print)
        b
        b/t
        """
        return self.visit(func)

    def visitvalues(self, func: Callable[[Array | Self], Any]) -> Any:
        """Call `func` with each object, until it returns anything but None.

        Parameters
        ----------
        func : callable
            Called for each node below the group; a result that is not None ends the visit.

        Returns
        -------
        object
            The first result that is not None; None if there is none.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> _ = root.zeros("b/t", shape=3)
        >>> root.visitvalues(print)
        <zarrds.hierarchy.Group '/b'>
        <zarrds.core.Array '/b/t' (3,) float64>
        """
        return self.visititems(lambda _, member: func(member))

    def tree(self, expand: bool = False, level: int | None = None) -> TreeViewer:
        """Provide a print-able display of the hierarchy.

        Parameters
        ----------
        expand : bool, optional
            Only relevant for HTML representation. If True, tree will be fully expanded.
        level : int, optional
            Maximum depth to descend into hierarchy.

        Returns
        -------
        TreeViewer
            Object that prints as the tree, in notebooks as HTML.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> _ = root.zeros("b/t", shape=3)
        >>> print(root.tree())
        /
         └── b
             └── t (3,) float64
        """
        return TreeViewer(self, expand=expand, level=level)

    def __dir__(self) -> list[str]:
        names = [name for name in self if name.isidentifier()]
        return sorted({*super().__dir__(), *names})

    def _ipython_key_completions_(self) -> list[str]:
        return sorted(self)
