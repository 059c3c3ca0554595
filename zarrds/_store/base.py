"""The interface of all stores.

A store maps ``/``-separated string keys to bytes. Concrete stores implement three batch methods and the listing; the
mapping methods of the manual (3.4) are built on them here. A store knows nothing of shapes or formats.

Absent is not failed: `get_many` returns None for a key that certainly does not exist, and raises for everything else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from zarrds._base.html import facts_table
from zarrds._base.types import Buf, ByteRange, Request, Separator
from zarrds._store.overrides import follow_overrides
from zarrds._store.paths import level, normalize_path
from zarrds._store.place import Place
from zarrds._store.readers import RangeReader, VersionReader
from zarrds._store.request import buffer_size, to_bytes
from zarrds._store.subclasses import send_subclass, spec_of_own_store
from zarrds._store.values import is_bytes_like
from zarrds.errors import ArgumentError, NotBytesError, PathNotFoundError, StoreError

if TYPE_CHECKING:
    from zarrds._store.backends.locked import LockedDocument
    from zarrds._store.live import LiveData
    from zarrds._store.spec import StoreSpec

__all__ = ["Staging", "Store", "StoreProfile", "is_unchanged", "names_below", "renamed", "renaming"]


@dataclass(frozen=True, slots=True)
class Staging:
    """A hidden place where a new node is written before it replaces, in one step, what is at its final path.

    Attributes
    ----------
    store : Store
        Store to write the new node to.
    path : str
        Path to write it to.
    put : callable
        Replaces everything at the final path by the new node.
    discard : callable
        Removes the new node.
    """

    store: Store
    path: str
    put: Callable[[], None]
    discard: Callable[[], None]


_COPIED_KEYS = 16
"""Number of values that are in memory at a time when a store copies values to other keys."""


@dataclass(frozen=True, slots=True)
class StoreProfile:
    """Properties of a store that the engine uses to choose how to read and write.

    Attributes
    ----------
    kind : {"memory", "disk", "network"}
        What takes the time: windows are small and use threads on a disk, large and batched on a network.
    native_batch : bool
        Whether one call of `get_many` is faster than one request after the other.
    native_ranges : bool
        Whether reading a byte range is cheaper than reading the whole value.
    shareable : bool
        Whether other processes can open the store from its `spec`.
    """

    kind: Literal["memory", "disk", "network"]
    native_batch: bool = False
    native_ranges: bool = False
    shareable: bool = False


class Store(MutableMapping[str, bytes]):
    """The base class of all stores: a mapping from keys to bytes, read and written in batches.

    Derive from it to write a store of your own. A subclass implements either the five methods of a mapping
    (``__getitem__``, ``__setitem__``, ``__delitem__``, ``__iter__``, ``__len__``) or the four batch methods
    (`get_many`, `set_many`, `delete_many`, `keys_below`); the other ones are built on them. If a subclass of any store
    overrides ``__getitem__``, ``__setitem__``, ``__delitem__``, ``__iter__``, `getitems`, `setitems` or `delitems`, all
    reads and writes of arrays and groups go through these methods.

    Notes
    -----
    The page "Stores of your own" of the documentation is the contract; `zarrds.testing` has tests for it.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.storage import Store
    >>> class Plain(Store):
    ...     def __init__(self):
    ...         self.values_of = {}
    ...     def __getitem__(self, key):
    ...         return self.values_of[key]
    ...     def __setitem__(self, key, value):
    ...         self.values_of[key] = value
    ...     def __delitem__(self, key):
    ...         del self.values_of[key]
    ...     def __iter__(self):
    ...         return iter(self.values_of)
    ...     def __len__(self):
    ...         return len(self.values_of)
    >>> store = Plain()
    >>> zarrds.array([1, 2, 3], store=store, path="a")[:], store.listdir("a")
    (array([1, 2, 3]), ['.zarray', '0'])
    """

    profile: StoreProfile = StoreProfile("memory")
    dimension_separator: Separator | None = None
    """Separator of chunk keys in new arrays of this store, if the caller gives none."""
    reports_requests: ClassVar[bool] = False
    """Whether the store, or the store that it wraps, reports its requests to `zarrds.trace` itself."""
    keeps_documents: bool = True
    """Whether a metadata document is read exactly as it was written; if not, the writer must read it again."""
    of_hierarchies_alone: bool = False
    """Whether the store holds only Zarr hierarchies, like a database: then a key named like a chunk is a chunk."""
    documents_format: int | None = None
    """The only Zarr format whose documents the store can hold; None: any format."""
    preferred_format: int | None = None
    """The Zarr format of nodes that are found or created in the store, if the caller names none; None: any format."""
    can_set_if: bool = False
    """Whether the store supports `set_if`."""

    carries_data: bool = False
    """Whether a pickled store holds a copy of all data, so that it can be read anywhere."""
    live: LiveData | None = None
    """Identity and change counter of data in the memory of this process; None for other stores."""

    _batches_below: ClassVar[bool] = False
    """Whether `getitems` and its like work below what a subclass overrides of ``__getitem__`` and its like."""
    _sends_itself: ClassVar[bool] = True
    """Whether the spec of a subclass that a user writes names this subclass; if not, the spec is inherited as it is."""
    _compares_in_batches: ClassVar[bool] = False
    """Whether `set_if` reads with `get_many` and writes with `set_many`, so that it fits what a subclass overrides."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__.partition(".")[0] != "zarrds":  # our own classes are whole
            base: Any = Store
            follow_overrides(cls, base, StoreProfile("network", native_batch=True))
            send_subclass(cls, base)

    _store_version: int = 2
    """Version of the interface, as subclasses written for Zarr-Python 2 give it; any store holds all formats."""

    @property
    def _dimension_separator(self) -> Separator | None:
        """Separator of chunk keys, under the name that programs for Zarr-Python 2 ask for."""
        return self.dimension_separator

    # --- what every store implements ---------------------------------------------------------------------------------

    @abstractmethod
    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        """Return the answers to requests, in their order; None for an absent key.

        A range that reaches beyond the end of the value is cut, like a slice.
        """

    @abstractmethod
    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        """Set values; each one atomically, but not all of them together. Buffers are not kept."""

    @abstractmethod
    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete keys; absent ones are no error."""

    @abstractmethod
    def keys_below(self, prefix: str = "") -> Iterator[str]:
        """Iterate over the full keys that start with `prefix`: empty, or ending in ``/``."""

    # --- what a store may do better ----------------------------------------------------------------------------------

    def listdir(self, path: str | None = None) -> list[str]:
        """Return the sorted names of keys and prefixes directly below `path`; empty if there are none.

        Examples
        --------
        >>> import zarrds
        >>> store = zarrds.MemoryStore()
        >>> store["a/b"] = store["c"] = b"1"
        >>> store.listdir()
        ['a', 'c']
        """
        prefix = level(normalize_path(path))
        return names_below(self.keys_below(prefix), prefix)

    def spec(self) -> StoreSpec:
        """Return a small, hashable, picklable value from which this store can be opened.

        Stores that do not override it, and whose `profile` says that they are shareable, are pickled for other
        processes. All others can be opened in this process only.
        """
        return spec_of_own_store(self)

    def iter_many(self, requests: Sequence[Request]) -> Iterator[Buf | None]:
        """Yield the answers to requests, in their order.

        For callers that finish with each answer before the next: a store on disk then holds only one value in memory,
        and reusing memory is cheaper than allocating it. Stores that send batches answer from one batch.
        """
        return iter(self._get_each(requests))

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        """Set `key` only if its stored value still equals `expected` (None: absent); return whether it was set.

        Comparing and setting are one atomic step for all writers that use this method on the same place, whichever
        store objects, threads and processes they use: if several expect the same value, only one gets True. It does not
        block `set_many` and `delete_many` of others at the same moment. If it is unknown whether the value was set, as
        after a lost connection, an error is raised. Stores without `can_set_if` raise StoreError.

        Examples
        --------
        >>> import zarrds
        >>> store = zarrds.MemoryStore()
        >>> store.set_if("counter", b"1", None), store.set_if("counter", b"2", b"0")
        (True, False)
        """
        raise StoreError(
            "values of this store cannot be compared and set in one step",
            store=repr(self),
            key=key,
            hint="let one writer change it at a time, or use a synchronizer",
        )

    def lock_document(self, key: str) -> LockedDocument | None:
        """Keep all other writers away from the document under `key`, by a lock that ends with this process.

        Return None if the store has no such locks, or if there is no document. For short work only: `set_if` of others
        in the same directory waits, and must not be called by the owner, who calls the methods of what is returned.
        """
        return None

    def was_left(self, key: str) -> bool:
        """Return whether a change of the document under `lock_document` is going on, or was stopped by a kill."""
        return False

    def forget_left(self, key: str) -> None:
        """Let `was_left` return False: nobody is changing the document, and what was left is known."""

    def reader(self) -> RangeReader:
        """Return a reader that reads several parts of a value, one after the other, all of one state of the value."""
        return VersionReader(self)

    def gap_bytes(self) -> int | None:
        """Return how many bytes between two ranges cost as much as one more request; None if that is not measured."""
        return None

    def check_documents(self, documents: Sequence[tuple[str, Buf]], *, encoded: bool = False) -> None:
        """Raise the error of `set_many` for documents that the store cannot hold, before anything is deleted for them.

        With `encoded`, the caller will set chunks that are already encoded as the documents say.
        """

    def lock_keys(self, key: str) -> tuple[str, ...]:
        """Return the keys whose locks guard the value of `key`: several where several keys share one value."""
        return (key,)

    def rmdir(self, path: str | None = None) -> None:
        """Delete every key below `path` (and the key `path` itself is left alone)."""
        self.delete_many(list(self.keys_below(level(normalize_path(path)))))

    def replace_below(self, path: str, items: Sequence[tuple[str, Buf]]) -> bool:
        """Replace all keys below `path` by `items`, in one step for every reader; return whether that was done.

        Return False, and change nothing, if the store cannot do so. If the step fails, nothing has changed either. If
        another writer replaces them at the same moment, the last one wins.
        """
        return False

    def staging(self, path: str) -> Staging | None:
        """Return a hidden place for data of any size that will replace everything below `path`.

        Return None if the store has none. If several writers do so at the same moment, the last one wins.
        """
        return None

    def removable(self, path: str, keys: Sequence[str]) -> list[str]:
        """Return those of the `keys` below `path` that ``rmdir(path)`` deletes: all, except below symbolic links."""
        return list(keys)

    def rename(self, src_path: str, dst_path: str) -> None:
        """Rename the key `src_path` and every key below it; raise PathNotFoundError if there is none."""
        src, dst = renaming(src_path, dst_path)
        keys = ([src] if src and src in self else []) + list(self.keys_below(level(src)))
        if not keys:
            raise PathNotFoundError("nothing to rename", path=src)
        self.copy_many([(key, renamed(key, src, dst)) for key in keys])
        self.delete_many(keys)

    def renames_in_one_step(self) -> bool:
        """Return whether every reader finds all keys of a `rename` under the old names, or all under the new ones.

        A store with a `rename` of its own is trusted to do so, unless it says otherwise here.
        """
        return type(self).rename is not Store.rename

    def copy_many(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Copy values inside the store, given as (key, new key); absent keys are left out."""
        for start in range(0, len(pairs), _COPIED_KEYS):
            some = pairs[start : start + _COPIED_KEYS]
            values = self.get_many([(key, None) for key, _ in some])
            self.set_many([(new, value) for (_, new), value in zip(some, values, strict=True) if value is not None])

    def getsize(self, path: str | None = None) -> int:
        """Return the size in bytes of the value at `path`, or of the values directly below it; -1 if unknown."""
        path = normalize_path(path)
        value = self.get_many([(path, None)])[0] if path else None
        if value is not None:
            return buffer_size(value)
        names = [(level(path) + name, None) for name in self.listdir(path)]
        return sum(buffer_size(found) for found in self.get_many(names) if found is not None)

    def size_below(self, path: str | None = None) -> int:
        """Return the size in bytes of all values below `path`, at any depth; -1 if unknown."""
        sizes = [self.getsize(key) for key in self.keys_below(level(normalize_path(path)))]
        return -1 if -1 in sizes else sum(sizes)

    def place(self, path: str = "") -> Place:
        """Return where the keys below `path` really are, so that two stores over the same keys can be recognised."""
        inner = getattr(self, "store", None)
        return inner.place(path) if isinstance(inner, Store) else Place(self.spec(), normalize_path(path))

    def close(self) -> None:
        """Release open files and connections of the store."""

    def flush(self) -> None:
        """Make everything that was set durable."""

    def is_stale(self) -> bool:
        """Return whether an open file or database is stale: another one has replaced it at its place."""
        return False

    def live_options(self) -> object:
        """Return the position of the store in its in-process data, and its options; used in names of tasks."""
        return None

    def is_readable(self) -> bool:
        """Return whether values can be read: always True."""
        return True

    def is_listable(self) -> bool:
        """Return whether keys can be listed; if not, `listdir` and `keys_below` raise NotListableError."""
        return True

    def is_writeable(self) -> bool:
        """Return whether the store accepts writes."""
        return True

    def is_erasable(self) -> bool:
        """Return whether single keys can be deleted."""
        return True

    def version(self, key: str) -> object:
        """Return a version of the value of `key`, which differs as soon as the value has changed; needs no request.

        Return None if the store has no versions, or if the key is absent.
        """
        return None

    # --- the mapping -------------------------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> bytes:
        value = self._get_own([(key, None)])[0]
        if value is None:
            raise KeyError(key)  # builtin: the protocol of mappings
        return to_bytes(value)

    def __setitem__(self, key: str, value: Buf) -> None:
        if not is_bytes_like(value):
            raise NotBytesError("value is not bytes-like", key=key, found=type(value).__name__)
        self._set_own([(key, value)])

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)  # builtin: the protocol of mappings
        self._delete_own([key])

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str) or not key:
            return False
        return self._get_own([(key, ByteRange(0, 1))])[0] is not None

    def __iter__(self) -> Iterator[str]:
        return self._keys_own("")

    def __len__(self) -> int:
        return sum(1 for _ in self._keys_own(""))

    def clear(self) -> None:
        """Delete every key."""
        self.rmdir("")

    def getitems(self, keys: Iterable[str], *, contexts: object = None) -> dict[str, bytes]:
        """Return the values of those `keys` that exist; `contexts` is accepted as in the manual, and ignored."""
        keys = list(keys)
        found = zip(keys, self._get_own_batch([(key, None) for key in keys]), strict=True)
        return {key: to_bytes(value) for key, value in found if value is not None}

    def setitems(self, values: dict[str, Buf]) -> None:
        """Set several values in one batch."""
        self._set_own_batch(list(values.items()))

    def delitems(self, keys: Iterable[str]) -> None:
        """Delete several keys in one batch; absent ones are no error."""
        self._delete_own_batch(list(keys))

    # the batch methods for the methods above; in classes that override some of these, `follow_overrides` replaces them

    def _get_own(self, requests: Sequence[Request]) -> list[Buf | None]:
        return self.get_many(requests)

    def _set_own(self, items: Sequence[tuple[str, Buf]]) -> None:
        self.set_many(items)

    def _delete_own(self, keys: Sequence[str]) -> None:
        self.delete_many(keys)

    def _get_own_batch(self, requests: Sequence[Request]) -> list[Buf | None]:
        return self.get_many(requests)

    def _get_each(self, requests: Sequence[Request]) -> list[Buf | None]:
        """Return what `iter_many` yields; for a class that overrides `iter_many`, what `get_many` below it returns."""
        return self.get_many(requests)

    def _set_own_batch(self, items: Sequence[tuple[str, Buf]]) -> None:
        self.set_many(items)

    def _delete_own_batch(self, keys: Sequence[str]) -> None:
        self.delete_many(keys)

    def _keys_own(self, prefix: str) -> Iterator[str]:
        return self.keys_below(prefix)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        spec = self.spec()
        return "zarrds.Store", spec.__dask_tokenize__(), spec.generation([""], deep=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        rows = [("Store", repr(self)), ("Kind", self.profile.kind), ("May be written", str(self.is_writeable()))]
        rows += [("Lists its keys", str(self.is_listable())), ("Deletes keys", str(self.is_erasable()))]
        return facts_table([*rows, ("Opened in other processes", str(self.profile.shareable))])

    def __eq__(self, other: object) -> bool:
        """Return whether two stores have the same spec."""
        return self is other or (isinstance(other, Store) and self.spec() == other.spec())

    __hash__ = None  # type: ignore[assignment]


def is_unchanged(store: Store, cls: type[Store]) -> bool:
    """Return whether a store writes and deletes exactly as `cls` does; a subclass may override these methods."""
    names = ("set_many", "delete_many", "rmdir")
    return all(getattr(type(store), name) is getattr(cls, name) for name in names)


def renaming(src_path: str, dst_path: str) -> tuple[str, str]:
    """Return both paths of a `rename`, normalised; raise ArgumentError for a new path at or below the old one.

    Stores that set the new keys and then delete the old ones would delete what they have just set.
    """
    src, dst = normalize_path(src_path), normalize_path(dst_path)
    if dst == src or (src and dst.startswith(level(src))):
        raise ArgumentError(f"cannot rename {src!r} to {dst!r}")
    return src, dst


def renamed(key: str, src: str, dst: str) -> str:
    """Return the new name of `key`, at or below the path `src`, when `src` is renamed to `dst` (both normalised)."""
    rest = key[len(src) :].lstrip("/")
    return level(dst) + rest if rest else dst


def names_below(keys: Iterable[str], prefix: str) -> list[str]:
    """Return the sorted names of one level, from all keys below `prefix`."""
    start = len(prefix)
    return sorted({key[start:].partition("/")[0] for key in keys})
