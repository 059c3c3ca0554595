"""Names of Zarr-Python 3 that arrays have besides those of the manual, and groups too: thin over what is there."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Self

from zarrds._format import format_of, loads
from zarrds._store import StoreLike
from zarrds.attrs import Attributes
from zarrds.core.info import InfoReporter
from zarrds.core.opened import HasOpenArray

__all__ = ["ArrayConfig", "Metadata", "NewerNames", "NewerNodeNames"]


class Metadata(Mapping[str, Any]):
    """Members of the documents of a node, as a mapping and as attributes; a copy, so that nothing changes with it.

    Parameters
    ----------
    document : mapping
        The members, with ``attributes`` among them.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((4, 6), chunks=(2, 3), dtype="i2", zarr_format=3, dimension_names=["y", "x"])
    >>> z.metadata.dimension_names, z.metadata.data_type, z.metadata.shape
    (('y', 'x'), 'int16', (4, 6))
    """

    __module__ = "zarrds.core"

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def __getitem__(self, name: str) -> Any:
        return deepcopy(self._document[name])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._document:
            kind = type(self).__name__
            raise AttributeError(f"{kind!r} object has no attribute {name!r}")  # builtin: the protocol of attributes
        value = self[name]
        return tuple(value) if isinstance(value, list) and name in ("shape", "chunks", "dimension_names") else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._document)

    def __len__(self) -> int:
        return len(self._document)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._document})

    def __repr__(self) -> str:
        return f"Metadata({dict(self._document)!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return the members as a dict that may be changed."""
        return {name: self[name] for name in self}


@dataclass(frozen=True, slots=True)
class ArrayConfig:
    """How an open array behaves, which is not in its documents.

    Attributes
    ----------
    order : {"C", "F"}
        Order of the elements of a chunk.
    write_empty_chunks : bool
        Whether chunks that are all fill value are stored.
    """

    order: str
    write_empty_chunks: bool


class NewerNodeNames:
    """The part of an array or group that has names of Zarr-Python 3 which both have."""

    @property
    @abstractmethod
    def attrs(self) -> Attributes:
        """Return the attributes of the node."""

    @property
    @abstractmethod
    def info(self) -> InfoReporter:
        """Return the report of the node."""

    def info_complete(self) -> InfoReporter:
        """Return the report `info`: it counts stored chunks and their bytes in an array, and members in a group.

        Returns
        -------
        InfoReporter
            What is displayed as text, and in a notebook as a table.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros((4, 6), chunks=(2, 3), dtype="i4")
        >>> "Chunks initialized" in str(z.info_complete())
        True
        """
        return self.info

    def update_attributes(self, new_attributes: Mapping[str, Any]) -> Self:
        """Set some attributes and keep the others: ``node.attrs.update(...)``.

        Parameters
        ----------
        new_attributes : mapping
            Names and values.

        Returns
        -------
        Array or Group
            The array or group itself.

        Examples
        --------
        >>> import zarrds
        >>> zarrds.zeros(3).update_attributes({"units": "K"}).attrs.asdict()
        {'units': 'K'}
        """
        self.attrs.update(new_attributes)
        return self


class NewerNames(HasOpenArray, NewerNodeNames):
    """The part of an array that has names of Zarr-Python 3."""

    @classmethod
    def open(cls, store: StoreLike, path: str | None = None) -> Self:
        """Open an array that exists, for reading and writing: ``Array(store, path)``.

        Parameters
        ----------
        store : str, Store or MutableMapping
            Where it is stored.
        path : str, optional
            Its path in the store.

        Returns
        -------
        Array
            The array.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros(3, store={})
        >>> zarrds.Array.open(z.store) == z
        True
        """
        make: Any = cls
        opened: Self = make(store, path)
        return opened

    @property
    def metadata(self) -> Metadata:
        """Members of the array's documents, with its attributes: ``z.metadata.to_dict()`` is a dict.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros((4, 6), chunks=(2, 3), dtype="i4")
        >>> z.metadata["chunks"]
        [2, 3]
        """
        meta = self._open.source().meta
        ((_, text),) = format_of(meta).array_documents(self._open.path, meta)[:1]
        document: Any = loads(text, "metadata")
        return Metadata({**document, "attributes": self.attrs.asdict()})

    @property
    def config(self) -> ArrayConfig:
        """Order of the elements of a chunk, and whether empty chunks are stored.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros((4, 6), chunks=(2, 3), dtype="i4")
        >>> z.config.order
        'C'
        """
        array: Any = self
        return ArrayConfig(array.order, self._open.options.write_empty_chunks)
