"""Group methods that create members: create_group, create_dataset, require_*, zeros, ... (manual 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Self, cast

import numpy as np

from zarrds import _node, creation
from zarrds._base.types import DTypeLike, ShapeLike
from zarrds._format import ArrayMeta, GroupMeta, check_version, numpy_dtype
from zarrds._node import structure_locked
from zarrds.core import Array, OpenOptions
from zarrds.errors import ArgumentError, ArgumentTypeError, ContainsArrayError, ContainsGroupError, ReadOnlyError
from zarrds.hierarchy.members import Members

__all__ = ["Creating", "create_member", "require_copy"]


class Creating(Members):
    """Mixin for the part of a group that creates members."""

    _options: OpenOptions

    def _refuse_read_only(self) -> None:
        if self._options.read_only:
            raise ReadOnlyError.of_node(self._store, self._path)

    def _structure_locked(self, *paths: str) -> AbstractContextManager[None]:
        """Hold the locks that guard the nodes at `paths` and the groups above, to create or delete nodes."""
        return structure_locked(self._options.synchronizer, self._store, *paths, zarr_format=self._format)

    def create_group(self, name: str, overwrite: bool = False) -> Self:
        """Create a sub-group, and missing groups between.

        Parameters
        ----------
        name : str
            Group name, or path.
        overwrite : bool, optional
            If True, replace an existing node.

        Returns
        -------
        Group
            The new group.

        Raises
        ------
        ContainsArrayError, ContainsGroupError
            A node is there, and `overwrite` is False.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> root.create_group("run/1")
        <zarrds.hierarchy.Group '/run/1'>
        """
        return self._new_group(name, overwrite)

    def _new_group(self, name: str, overwrite: bool, extra: str = "{}") -> Self:
        """Create a sub-group whose document has further members, which readers may ignore."""
        self._refuse_read_only()
        path, meta = self._where(name), GroupMeta(self._format, extra)
        with self._structure_locked(path):
            _node.create_group(
                self._store,
                path,
                meta,
                overwrite=overwrite,
                chunk_store=self._options.chunk_store,
                known_group=self._path,
            )
        return cast("Self", self._at(path, meta))

    def require_group(self, name: str, overwrite: bool = False) -> Self:
        """Return a sub-group, creating it if it doesn't exist; `overwrite` replaces an array of that name.

        If another task creates it at the same moment, that one is opened.

        Parameters
        ----------
        name : str
            Name or path of the group.
        overwrite : bool, default False
            Whether an array of this name is replaced.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> root.require_group("run") == root.require_group("run")
        True
        """
        return self._required_group(name, overwrite)

    def _required_group(self, name: str, overwrite: bool, extra: str = "{}") -> Self:
        self._refuse_read_only()
        path = self._where(name)
        node = _node.find_node(self._store, path, self._format)
        if node is None:
            try:
                return self._new_group(name, False, extra)
            except (ContainsArrayError, ContainsGroupError):
                node = _node.find_node(self._store, path, self._format)
                if node is None and not overwrite:  # an array is above it
                    raise
        if isinstance(node, GroupMeta):
            return cast("Self", self._at(path, node))
        if not overwrite:
            _node.expect_free(node, path, self._store)
        return self._new_group(name, True, extra)

    def create_groups(self, *names: str, **kwargs: Any) -> tuple[Self, ...]:
        """Create multiple groups in a single call; keywords as for `create_group`.

        Parameters
        ----------
        *names : str
            Names or paths of the new groups.
        **kwargs
            Options of `create_group`.

        Returns
        -------
        tuple of Group
            The new groups, in the order of their names.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> root.create_groups("a", "b")
        (<zarrds.hierarchy.Group '/a'>, <zarrds.hierarchy.Group '/b'>)
        """
        return tuple(self.create_group(name, **kwargs) for name in names)

    def require_groups(self, *names: str) -> tuple[Self, ...]:
        """Require multiple groups in a single call.

        Parameters
        ----------
        *names : str
            Names or paths of the groups.

        Returns
        -------
        tuple of Group
            The groups, in the order of their names.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> root.require_groups("a", "b")
        (<zarrds.hierarchy.Group '/a'>, <zarrds.hierarchy.Group '/b'>)
        """
        return tuple(self.require_group(name) for name in names)

    def create_dataset(self, name: str, **kwargs: Any) -> Array:
        """Create an array, filled with `data` if that is given.

        Parameters
        ----------
        name : str
            Array name, or path.
        **kwargs
            As for `zarrds.create`, and `data`, which also decides the shape.

        Returns
        -------
        Array
            The new array.

        Examples
        --------
        >>> import zarrds
        >>> zarrds.group().create_dataset("bar/baz", shape=(100, 100, 100), chunks=(100, 10, 10))
        <zarrds.core.Array '/bar/baz' (100, 100, 100) float64>
        """
        data = kwargs.pop("data", None)
        if data is None:
            return create_member(self, name, kwargs)
        kwargs.pop("shape", None)  # the dtype is that of the data
        return self.array(name, data, **kwargs)

    def require_dataset(
        self, name: str, shape: ShapeLike, dtype: DTypeLike = None, exact: bool = False, **kwargs: Any
    ) -> Array:
        """Obtain an array, creating if it doesn't exist.

        If another task creates it at the same moment, that one is opened, and checked like any existing array.

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
        **kwargs
            Options of `create_dataset`, used if the array is created.

        Returns
        -------
        Array
            The array that exists or was created.

        Raises
        ------
        TypeError
            An existing array has another shape or dtype.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> root.require_dataset("t", shape=10, dtype="f8")
        <zarrds.core.Array '/t' (10,) float64>
        >>> root.require_dataset("t", shape=10, dtype="f4")  # is there, and float64 is exact enough
        <zarrds.core.Array '/t' (10,) float64>
        """
        make = partial(self.create_dataset, name, shape=shape, dtype=dtype, **kwargs)
        return self._required(name, shape, dtype, exact, make)

    def _required(self, name: str, shape: Any, dtype: Any, exact: bool, make: Callable[[], Array]) -> Array:
        """Return the array of that name if it is as required, else raise; `make` creates it if there is none."""
        self._refuse_read_only()
        path = self._where(name)
        node = _node.find_node(self._store, path, self._format)
        if node is None:
            try:
                return make()
            except (ContainsArrayError, ContainsGroupError):
                node = _node.find_node(self._store, path, self._format)
                if node is None:
                    raise
        if not isinstance(node, ArrayMeta):
            _node.expect_free(node, path, self._store)
        array = cast("Array", self._at(path, node))
        wanted = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        if tuple(array.shape) != wanted:
            raise ArgumentTypeError(f"shape does not match existing array; expected {array.shape}, got {wanted}")
        real = numpy_dtype(dtype)
        if exact and array.dtype != real:
            raise ArgumentTypeError(f"dtypes do not match exactly; expected {array.dtype}, got {real}")
        if not np.can_cast(real, array.dtype):
            raise ArgumentTypeError(f"dtypes ({real}, {array.dtype}) cannot be safely cast")
        return array

    def create(self, name: str, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.create`.

        Parameters
        ----------
        name : str
            Name or path of the new member.
        **kwargs
            Options of `zarrds.create`.

        Returns
        -------
        Array
            The new array.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> root.create("t", shape=(4, 6), dtype="f4")
        <zarrds.core.Array '/t' (4, 6) float32>
        """
        return create_member(self, name, kwargs)

    def empty(self, name: str, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.empty`.

        Parameters
        ----------
        name : str
            Name or path of the new member.
        **kwargs
            Options of `zarrds.create`.

        Returns
        -------
        Array
            The new array.
        """
        return create_member(self, name, dict(fill_value=None, **kwargs))

    def zeros(self, name: str, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.zeros`.

        Parameters
        ----------
        name : str
            Name or path of the new member.
        **kwargs
            Options of `zarrds.create`.

        Returns
        -------
        Array
            The new array.
        """
        return create_member(self, name, dict(fill_value=0, **kwargs))

    def ones(self, name: str, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.ones`.

        Parameters
        ----------
        name : str
            Name or path of the new member.
        **kwargs
            Options of `zarrds.create`.

        Returns
        -------
        Array
            The new array.
        """
        return create_member(self, name, dict(fill_value=1, **kwargs))

    def full(self, name: str, fill_value: Any, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.full`.

        Parameters
        ----------
        name : str
            Name or path of the new member.
        fill_value : object
            Value of all elements.
        **kwargs
            Options of `zarrds.create`.

        Returns
        -------
        Array
            The new array.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> root.full("t", 7, shape=3, dtype="i4")[:]
        array([7, 7, 7], dtype=int32)
        """
        return create_member(self, name, dict(fill_value=fill_value, **kwargs))

    def array(self, name: str, data: Any, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.array`.

        Parameters
        ----------
        name : str
            Name or path of the new member.
        data : array_like
            Values of the new array.
        **kwargs
            Options of `zarrds.create`.

        Returns
        -------
        Array
            The new array.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> root.array("t", [[1, 2], [3, 4]], chunks=1)
        <zarrds.core.Array '/t' (2, 2) int64>
        """
        self._refuse_read_only()
        data, given = creation.array_keywords(data, kwargs)
        return creation.create_filled(self._destination(name, given), self._inherited(given), data)

    def empty_like(self, name: str, data: Any, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.empty_like`.

        Parameters
        ----------
        name : str
            Name or path of the new member.
        data : array_like
            Array whose shape, dtype, chunks and codecs are taken where they are not given.
        **kwargs
            Options of `zarrds.create`.

        Returns
        -------
        Array
            The new array.
        """
        return self.empty(name, **creation.like_keywords(data, kwargs, self._format))

    def zeros_like(self, name: str, data: Any, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.zeros_like`.

        Parameters
        ----------
        name : str
            Name or path of the new member.
        data : array_like
            Array whose shape, dtype, chunks and codecs are taken where they are not given.
        **kwargs
            Options of `zarrds.create`.

        Returns
        -------
        Array
            The new array.
        """
        return self.zeros(name, **creation.like_keywords(data, kwargs, self._format))

    def ones_like(self, name: str, data: Any, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.ones_like`.

        Parameters
        ----------
        name : str
            Name or path of the new member.
        data : array_like
            Array whose shape, dtype, chunks and codecs are taken where they are not given.
        **kwargs
            Options of `zarrds.create`.

        Returns
        -------
        Array
            The new array.
        """
        return self.ones(name, **creation.like_keywords(data, kwargs, self._format))

    def full_like(self, name: str, data: Any, **kwargs: Any) -> Array:
        """Create an array; keyword arguments as for `zarrds.full_like`.

        Parameters
        ----------
        name : str
            Name or path of the new member.
        data : array_like
            Array whose shape, dtype, chunks and codecs are taken where they are not given.
        **kwargs
            Options of `zarrds.create`.

        Returns
        -------
        Array
            The new array.
        """
        return self.full(name, **creation.filled_keywords(data, kwargs, self._format))

    def _destination(self, name: str, given: Mapping[str, Any]) -> creation.Destination:
        """Return where a member is created; raise for keywords that say another place or format."""
        for keyword in ("store", "path", "chunk_store"):
            if keyword in given:
                raise ArgumentTypeError(f"a group creates arrays in its own store: {keyword!r} cannot be given")
        asked = check_version(given.get("zarr_version"), given.get("zarr_format"))
        if asked not in (None, self._format):
            raise ArgumentError(
                f"a group in Zarr v{self._format} has no members in Zarr v{asked}: a hierarchy is of one format"
            )
        options = self._options
        return creation.Destination(self._store, self._where(name), options.chunk_store, self._format, self._path)

    def _inherited(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keywords for a new member, with the options that it has from its group."""
        return {"synchronizer": self._options.synchronizer, "cache_attrs": self._options.cache_attrs, **given}


def create_member(
    group: Creating,
    name: str,
    given: Mapping[str, Any],
    *,
    fill: Callable[[Array], None] | None = None,
    attributes: Mapping[str, Any] | None = None,
    extra: str = "",
) -> Array:
    """Create an array in a group; for the parameters see `creation.create_array`."""
    group._refuse_read_only()
    to = group._destination(name, given)
    return creation.create_array(to, group._inherited(given), fill=fill, attributes=attributes, extra=extra)


def require_copy(group: Creating, name: str, source: Any, *, overwrite: bool) -> Any:
    """Return a sub-group; a new one gets those members of the source's document that readers may ignore."""
    extra = source._extra if isinstance(source, Creating) and source._format == group._format == 3 else "{}"
    return group._required_group(name, overwrite, extra)
