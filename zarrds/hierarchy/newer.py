"""Names of Zarr-Python 3 that a group has besides those of the manual, each thin over what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal, Self

from zarrds import _node
from zarrds._base.types import ChunksLike, CodecLike, CodecsLike, DTypeLike, ShapeLike, ZarrFormat
from zarrds._format import GroupMeta, check_version
from zarrds._metadata import new_format
from zarrds._store import StoreLike, as_store
from zarrds.core import Array
from zarrds.core.newer import Metadata, NewerNodeNames
from zarrds.creation.newer import create_in, format_at
from zarrds.hierarchy.create import Creating

__all__ = ["NewerGroupNames"]


class NewerGroupNames(Creating, NewerNodeNames):
    """The part of a group that has names of Zarr-Python 3."""

    @classmethod
    def open(cls, store: StoreLike, path: str | None = None, *, zarr_format: ZarrFormat | None = None) -> Self:
        """Open a group that exists, for reading and writing: ``Group(store, path)``.

        Parameters
        ----------
        store : str, Store or MutableMapping
            Where it is stored.
        path : str, optional
            Its path in the store.
        zarr_format : {2, 3, None}, optional
            Format; detected if None.

        Returns
        -------
        Group
            The group.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> zarrds.Group.open(root.store) == root
        True
        """
        make: Any = cls
        opened: Self = make(store, path, zarr_version=zarr_format)
        return opened

    @classmethod
    def from_store(
        cls,
        store: StoreLike,
        *,
        attributes: Mapping[str, Any] | None = None,
        zarr_format: ZarrFormat | None = None,
        overwrite: bool = False,
    ) -> Self:
        """Create a group at the root of a store: `zarrds.create_group`.

        Parameters
        ----------
        store : str, Store or MutableMapping
            Where it is to be stored.
        attributes : mapping, optional
            Its attributes.
        zarr_format : {2, 3}, optional
            Format; by default that of the store, if it has one, else Zarr v3.
        overwrite : bool, default False
            Whether a node that is there is replaced.

        Returns
        -------
        Group
            The new group.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.Group.from_store({}, attributes={"title": "winds"})
        >>> root.zarr_format, root.attrs["title"]
        (3, 'winds')
        """
        real_store = as_store(store, mode="w")
        number = check_version(None, zarr_format) or format_at(real_store, "")
        meta = GroupMeta(zarr_format=new_format(number, real_store))
        _node.create_group(real_store, "", meta, overwrite=overwrite, attributes=attributes or None)
        make: Any = cls
        created: Self = make(real_store)
        return created

    def nmembers(self, max_depth: int | None = 0) -> int:
        """Return the number of members, those of groups below included up to a depth.

        Parameters
        ----------
        max_depth : int, optional
            How many levels below the members are counted; None: all.

        Returns
        -------
        int
            Number of arrays and groups.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> _ = root.zeros("a/b/x", shape=3)
        >>> root.nmembers(), root.nmembers(max_depth=None)
        (1, 3)
        """
        return len(self) if max_depth == 0 else len(self.members(max_depth))

    def create_array(
        self,
        name: str,
        *,
        shape: ShapeLike | None = None,
        dtype: DTypeLike = None,
        data: Any = None,
        chunks: ChunksLike | Literal["auto"] = "auto",
        shards: ChunksLike | Literal["auto"] = None,
        filters: CodecsLike | Literal["auto"] = "auto",
        compressors: CodecsLike = "auto",
        serializer: CodecLike | None = "auto",
        fill_value: Any = None,
        order: Literal["C", "F"] | None = None,
        attributes: Mapping[str, Any] | None = None,
        chunk_key_encoding: Any = None,
        dimension_names: Any = None,
        overwrite: bool = False,
        config: Mapping[str, Any] | None = None,
        write_data: bool = True,
    ) -> Array:
        """Create an array with the keywords of Zarr-Python 3; `create_dataset` has those of Zarr-Python 2.

        Parameters
        ----------
        name : str
            Name or path of the array.
        shape, dtype, data, chunks, shards, filters, compressors, serializer
            As for `zarrds.create_array`.
        fill_value, order, attributes, chunk_key_encoding, dimension_names
            As for `zarrds.create_array`.
        overwrite, config, write_data
            As for `zarrds.create_array`.

        Returns
        -------
        Array
            The new array.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.create_group({})
        >>> root.create_array("t", shape=(4, 6), chunks=(2, 3), dtype="f4", dimension_names=["y", "x"])
        <zarrds.core.Array '/t' (4, 6) float32>
        """
        given = locals()
        self._refuse_read_only()
        return create_in(self._destination(name, {}), self._inherited(given))

    def require_array(self, name: str, *, shape: ShapeLike, **kwargs: Any) -> Array:
        """Return an array, and create it if there is none.

        Parameters
        ----------
        name : str
            Name or path of the array.
        shape : int or tuple of int
            Its shape; an array that exists must have it.
        **kwargs
            Options of `create_array`; an array that exists must have a dtype that can be cast to `dtype`, and with
            ``exact=True`` that one.

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
        >>> made = root.require_array("t", shape=(4, 6), dtype="f4")
        >>> root.require_array("t", shape=(4, 6), dtype="f4") == made
        True
        """
        exact, dtype = bool(kwargs.pop("exact", False)), kwargs.pop("dtype", None)
        make = partial(self.create_array, name, shape=shape, dtype=dtype, **kwargs)
        return self._required(name, shape, dtype, exact, make)

    @property
    def metadata(self) -> Metadata:
        """Members of the group's document, with its attributes: ``group.metadata.to_dict()`` is a dict.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> root.metadata.to_dict()
        {'zarr_format': 2, 'attributes': {}}
        """
        kind = {"node_type": "group"} if self._format == 3 else {}
        return Metadata({"zarr_format": self._format, **kind, "attributes": self.attrs.asdict()})

    def array_values(self) -> Iterator[Array]:
        """Return the arrays of this group.

        Returns
        -------
        iterator of Array
            Without those of groups below.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> _ = root.zeros("a/x", shape=3)
        >>> [array.name for array in root["a"].array_values()]
        ['/a/x']
        """
        return (array for _, array in self.arrays())

    def group_values(self) -> Iterator[Self]:
        """Return the groups of this group.

        Returns
        -------
        iterator of Group
            Without those of groups below.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> _ = root.zeros("a/x", shape=3)
        >>> [group.name for group in root.group_values()]
        ['/a']
        """
        return (group for _, group in self.groups())
