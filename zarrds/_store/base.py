"""The one store interface.

A store maps ``/``-separated string keys to bytes. Concrete stores implement the three batch methods and the listing;
the mapping methods that the manual (3.4) promises are built on them here. A store knows nothing of shapes or formats.

Absent is not failed: `get_many` answers None for a key that is definitely not there, and raises for everything else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from zarrds._store.paths import level, normalize_path
from zarrds._store.place import Place
from zarrds._store.request import buffer_size, to_bytes
from zarrds._store.rounds import RangeReader, VersionReader
from zarrds._types import Buf, ByteRange, Request, Separator
from zarrds.errors import PathNotFoundError, StoreError

if TYPE_CHECKING:
    from zarrds._store.live import LiveData
    from zarrds._store.spec import StoreSpec

__all__ = ["Staging", "Store", "StoreProfile", "is_unchanged", "names_below", "renamed"]


@dataclass(frozen=True, slots=True)
class Staging:
    """A hidden place in which a node is made before it replaces, in one step, what is at its own place.

    Attributes
    ----------
    store : Store
        Where to make it.
    path : str
        Under which path.
    put : callable
        Replaces everything at the node's own place by what was made.
    discard : callable
        Removes what was made.
    """

    store: Store
    path: str
    put: Callable[[], None]
    discard: Callable[[], None]


@dataclass(frozen=True, slots=True)
class StoreProfile:
    """What the engine may expect of a store.

    Attributes
    ----------
    kind : {"memory", "disk", "network"}
        Where the time goes: windows are small and threaded on disk, large and batched on a network.
    native_batch : bool
        Whether `get_many` is faster than one request after the other.
    native_ranges : bool
        Whether a byte range costs less than the whole value.
    shareable : bool
        Whether other processes can reopen the store from its `spec`.
    """

    kind: Literal["memory", "disk", "network"]
    native_batch: bool = False
    native_ranges: bool = False
    shareable: bool = False


class Store(MutableMapping[str, bytes]):
    """A mapping from keys to bytes, read and written in batches.

    Subclasses implement `get_many`, `set_many`, `delete_many`, `keys_below`, `listdir`, `profile` and `spec`.
    """

    profile: StoreProfile
    dimension_separator: Separator | None = None
    """Separator that arrays created in this store use when the caller gives none."""
    reports_requests: ClassVar[bool] = False
    """Whether `zarrds.trace` hears of requests from the store itself, or from the store that it wraps."""
    keeps_documents: bool = True
    """Whether a metadata document reads as it was written; else who writes one must read it again."""
    of_hierarchies_alone: bool = False
    """Whether only hierarchies are kept there, as in a database: what is named like a chunk is one, array or not."""
    documents_format: int | None = None
    """The one format whose documents the store can have; None: any."""
    can_set_if: bool = False
    """Whether `set_if` works here."""

    carries_data: bool = False
    """Whether the store is a copy of all data when it is unpickled, so that it can be read anywhere."""
    live: LiveData | None = None
    """Names the data of a store that live in this process, and counts the changes to them."""

    @property
    def _dimension_separator(self) -> Separator | None:
        """Separator of chunk keys, under the name that programs for Zarr-Python 2 ask for."""
        return self.dimension_separator

    # --- what every store implements ---------------------------------------------------------------------------------

    @abstractmethod
    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        """Answer requests, in their order; None for an absent key.

        A range that reaches beyond the value is cut, as a slice would be.
        """

    @abstractmethod
    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        """Set values; each one atomically, all or nothing is not promised. Buffers are not kept."""

    @abstractmethod
    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete keys; absent ones are no error."""

    @abstractmethod
    def keys_below(self, prefix: str = "") -> Iterator[str]:
        """Iterate over the full keys that start with `prefix`: empty, or ending in ``/``."""

    @abstractmethod
    def listdir(self, path: str | None = None) -> list[str]:
        """Names directly below `path`, sorted: of keys and of "directories"; empty when there is nothing."""

    @abstractmethod
    def spec(self) -> StoreSpec:
        """Recipe to reopen this store, small, hashable and picklable (see `zarrds._store.spec`)."""

    # --- what a store may do better ----------------------------------------------------------------------------------

    def iter_many(self, requests: Sequence[Request]) -> Iterator[Buf | None]:
        """Answer requests one after the other, in their order.

        For callers that finish with each answer before the next: a store on disk then keeps one value in memory, and
        memory that is used again costs less than fresh memory. Stores that send batches answer from one batch.
        """
        return iter(self.get_many(requests))

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        """Set `key` only if its stored value still equals `expected` (None: absent); return whether it was set.

        Comparing and setting are one step for all writers that use this method on the same place, whichever stores,
        threads and processes they use: of several that expect the same value, one gets True. What `set_many` and
        `delete_many` of others do at the same moment is not held up by it. Where it is not known whether the value was
        set, as when a connection broke, that raises. Stores without `can_set_if` raise StoreError.
        """
        raise StoreError(
            "values of this store cannot be compared and set in one step",
            store=repr(self),
            key=key,
            hint="let one writer change it at a time, or use a synchronizer",
        )

    def reader(self) -> RangeReader:
        """Reader for values of which several parts are wanted, one after the other, of one state of the value."""
        return VersionReader(self)

    def check_documents(self, documents: Sequence[tuple[str, Buf]], *, encoded: bool = False) -> None:
        """Raise as `set_many` would for documents that the store cannot have, before what they replace is deleted.

        With `encoded`, chunks of the arrays are to be set as they are, encoded as their documents say.
        """

    def lock_keys(self, key: str) -> tuple[str, ...]:
        """Return the keys whose locks guard the value of `key`: more than itself where several keys share one value."""
        return (key,)

    def rmdir(self, path: str | None = None) -> None:
        """Delete every key below `path` (and the key `path` itself is left alone)."""
        self.delete_many(list(self.keys_below(level(normalize_path(path)))))

    def replace_below(self, path: str, items: Sequence[tuple[str, Buf]]) -> bool:
        """Replace all keys below `path` by `items`, in one step for every reader; return whether that was done.

        False, with nothing changed, where the store cannot do so. When the step fails, nothing has changed either. When
        another writer replaces them at the same moment, the last one stays.
        """
        return False

    def staging(self, path: str) -> Staging | None:
        """Return a hidden place for what will replace everything below `path`, data of any size included.

        None where the store has none. Of several writers that do so at the same moment the last one stays.
        """
        return None

    def removable(self, path: str, keys: Sequence[str]) -> list[str]:
        """Those of the `keys` below `path` that `rmdir` of it deletes: all, but where directories may be links."""
        return list(keys)

    def rename(self, src_path: str, dst_path: str) -> None:
        """Rename the key `src_path` and every key below it; raises PathNotFoundError when there is none."""
        src, dst = normalize_path(src_path), normalize_path(dst_path)
        keys = ([src] if src and src in self else []) + list(self.keys_below(level(src)))
        if not keys:
            raise PathNotFoundError("nothing to rename", path=src)
        for key in keys:
            self[renamed(key, src, dst)] = self[key]
        self.delete_many(keys)

    def getsize(self, path: str | None = None) -> int:
        """Bytes of the value at `path`, or of the values directly below it; -1 where that is unknown."""
        path = normalize_path(path)
        value = self.get_many([(path, None)])[0] if path else None
        if value is not None:
            return buffer_size(value)
        names = [(level(path) + name, None) for name in self.listdir(path)]
        return sum(buffer_size(found) for found in self.get_many(names) if found is not None)

    def size_below(self, path: str | None = None) -> int:
        """Bytes of all values below `path`, at any depth; -1 where that is unknown."""
        sizes = [self.getsize(key) for key in self.keys_below(level(normalize_path(path)))]
        return -1 if -1 in sizes else sum(sizes)

    def place(self, path: str = "") -> Place:
        """Return where the keys below `path` really lie, so that two stores over the same keys are seen to be that."""
        inner = getattr(self, "store", None)
        return inner.place(path) if isinstance(inner, Store) else Place(self.spec(), normalize_path(path))

    def close(self) -> None:
        """Release what the store holds open."""

    def flush(self) -> None:
        """Make everything that was set durable."""

    def outlived(self) -> bool:
        """Whether what the store holds open is no longer what lies at its place, as when a database was made anew."""
        return False

    def live_options(self) -> object:
        """Where in the data that live in this process the store is, and how it reads them; for naming tasks."""
        return None

    def is_readable(self) -> bool:
        """Whether values can be read: always."""
        return True

    def is_listable(self) -> bool:
        """Whether keys can be listed; where they cannot, `listdir` and `keys_below` raise NotListableError."""
        return True

    def is_writeable(self) -> bool:
        """Whether the store accepts writes."""
        return True

    def is_erasable(self) -> bool:
        """Whether single keys can be deleted."""
        return True

    def version(self, key: str) -> object:
        """Something that is another one, or not equal, as soon as the value of `key` has changed; costs no request.

        None where the store cannot tell, and where the key is absent.
        """
        return None

    # --- the mapping -------------------------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> bytes:
        value = self.get_many([(key, None)])[0]
        if value is None:
            raise KeyError(key)
        return to_bytes(value)

    def __setitem__(self, key: str, value: Buf) -> None:
        self.set_many([(key, value)])

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self.delete_many([key])

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str) or not key:
            return False
        return self.get_many([(key, ByteRange(0, 1))])[0] is not None

    def __iter__(self) -> Iterator[str]:
        return self.keys_below("")

    def __len__(self) -> int:
        return sum(1 for _ in self.keys_below(""))

    def clear(self) -> None:
        """Delete every key."""
        self.rmdir("")

    def getitems(self, keys: Iterable[str], *, contexts: object = None) -> dict[str, bytes]:
        """Values of those `keys` that are there; `contexts` is accepted for the manual's sake and ignored."""
        keys = list(keys)
        found = zip(keys, self.get_many([(key, None) for key in keys]), strict=True)
        return {key: to_bytes(value) for key, value in found if value is not None}

    def setitems(self, values: dict[str, Buf]) -> None:
        """Set several values in one batch."""
        self.set_many(list(values.items()))

    def delitems(self, keys: Iterable[str]) -> None:
        """Delete several keys in one batch; absent ones are no error."""
        self.delete_many(list(keys))

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        spec = self.spec()
        return "zarrds.Store", spec.__dask_tokenize__(), spec.generation([""], deep=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def __eq__(self, other: object) -> bool:
        """Two stores are equal when they are recipes for the same place."""
        return self is other or (isinstance(other, Store) and self.spec() == other.spec())

    __hash__ = None  # type: ignore[assignment]


def is_unchanged(store: Store, cls: type[Store]) -> bool:
    """Return whether a store writes and deletes as `cls` does: a subclass may do more at each key."""
    names = ("set_many", "delete_many", "rmdir")
    return all(getattr(type(store), name) is getattr(cls, name) for name in names)


def renamed(key: str, src: str, dst: str) -> str:
    """What `key`, at or below the path `src`, is called when `src` becomes `dst` (both normalised)."""
    rest = key[len(src) :].lstrip("/")
    return level(dst) + rest if rest else dst


def names_below(keys: Iterable[str], prefix: str) -> list[str]:
    """Names of one level, sorted, from all keys below `prefix`."""
    start = len(prefix)
    return sorted({key[start:].partition("/")[0] for key in keys})
