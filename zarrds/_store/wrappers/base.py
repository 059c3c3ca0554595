"""Base class of stores over another store: it forwards everything, so a wrapper implements only what it changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zarrds._base.types import Buf, Request, Separator
from zarrds._store.base import Staging, Store, StoreProfile, is_unchanged
from zarrds._store.place import Place
from zarrds._store.readers import RangeReader, VersionReader
from zarrds._store.spec import StoreSpec

__all__ = ["ViewStore", "WrapperStore"]


class WrapperStore(Store):
    """A store that forwards all methods that a subclass does not override to another store.

    This includes the methods that stores implement. Mapping methods are built on them, so a subclass that changes
    `get_many` changes ``store[key]`` too.

    Parameters
    ----------
    store : Store
        The wrapped store.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.storage import WrapperStore
    >>> class Counted(WrapperStore):
    ...     count = 0
    ...     def get_many(self, requests):
    ...         self.count += len(requests)
    ...         return self.store.get_many(requests)
    >>> store = Counted(zarrds.MemoryStore())
    >>> z = zarrds.ones(10, chunks=5, store=store)
    >>> z[:] = 1
    >>> before = store.count
    >>> z[:].sum(), store.count - before
    (np.float64(10.0), 2)
    """

    carries_data: bool
    dimension_separator: Separator | None
    documents_format: int | None
    keeps_documents: bool
    of_hierarchies_alone: bool
    preferred_format: int | None
    profile: StoreProfile

    reports_requests = True

    def __init__(self, store: Store) -> None:
        self.store = store
        self.profile = store.profile
        self.carries_data = store.carries_data
        self.dimension_separator = store.dimension_separator
        self.keeps_documents = store.keeps_documents
        self.documents_format = store.documents_format
        self.preferred_format = store.preferred_format
        self.of_hierarchies_alone = store.of_hierarchies_alone
        self._can_set_if: bool | None = None

    @property
    def can_set_if(self) -> bool:
        """Whether the store supports `set_if`; it may cost the wrapped store a request to know that."""
        if self._can_set_if is None:
            return self.is_writeable() and _compares(type(self)) and self.store.can_set_if
        return self._can_set_if

    @can_set_if.setter
    def can_set_if(self, value: bool) -> None:
        self._can_set_if = value

    # --- values ------------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        return self.store.get_many(requests)

    def iter_many(self, requests: Sequence[Request]) -> Iterator[Buf | None]:
        if type(self).get_many is WrapperStore.get_many:
            return self.store.iter_many(requests)
        return super().iter_many(requests)  # a subclass that changes answers must do so here too

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        self.store.set_many(items)

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        if not self.can_set_if:
            return super().set_if(key, value, expected)
        return self.store.set_if(key, value, expected)

    def delete_many(self, keys: Sequence[str]) -> None:
        self.store.delete_many(keys)

    def was_left(self, key: str) -> bool:
        return self.store.was_left(key)

    def forget_left(self, key: str) -> None:
        self.store.forget_left(key)

    def reader(self) -> RangeReader:
        if type(self).get_many is WrapperStore.get_many:
            return self.store.reader()
        return VersionReader(self)

    def gap_bytes(self) -> int | None:
        return self.store.gap_bytes()

    def check_documents(self, documents: Sequence[tuple[str, Buf]], *, encoded: bool = False) -> None:
        self.store.check_documents(documents, encoded=encoded)

    def lock_keys(self, key: str) -> tuple[str, ...]:
        return self.store.lock_keys(key)

    def version(self, key: str) -> object:
        return self.store.version(key)

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        return self.store.keys_below(prefix)

    def listdir(self, path: str | None = None) -> list[str]:
        return self.store.listdir(path)

    def rmdir(self, path: str | None = None) -> None:
        self.store.rmdir(path)

    def replace_below(self, path: str, items: Sequence[tuple[str, Buf]]) -> bool:
        # a subclass that changes writes or deletes must do so here too
        return is_unchanged(self, WrapperStore) and self.store.replace_below(path, items)

    def staging(self, path: str) -> Staging | None:
        reads = type(self).get_many is WrapperStore.get_many
        return self.store.staging(path) if reads and is_unchanged(self, WrapperStore) else None

    def removable(self, path: str, keys: Sequence[str]) -> list[str]:
        return self.store.removable(path, keys)

    def rename(self, src_path: str, dst_path: str) -> None:
        self.store.rename(src_path, dst_path)

    def renames_in_one_step(self) -> bool:
        return self.store.renames_in_one_step()

    def copy_many(self, pairs: Sequence[tuple[str, str]]) -> None:
        # a subclass that changes values or keys must do so here too
        if type(self).get_many is WrapperStore.get_many and is_unchanged(self, WrapperStore):
            self.store.copy_many(pairs)
        else:
            Store.copy_many(self, pairs)

    def getsize(self, path: str | None = None) -> int:
        return self.store.getsize(path)

    def size_below(self, path: str | None = None) -> int:
        return self.store.size_below(path)

    # --- the store ---------------------------------------------------------------------------------------------------

    def spec(self) -> StoreSpec:
        """Return the spec of the wrapped store: for wrappers that other processes do not need."""
        return self.store.spec()

    def place(self, path: str = "") -> Place:
        return self.store.place(path)

    def close(self) -> None:
        self.store.close()

    def flush(self) -> None:
        self.store.flush()

    def is_stale(self) -> bool:
        return self.store.is_stale()

    def is_listable(self) -> bool:
        return self.store.is_listable()

    def is_writeable(self) -> bool:
        return self.store.is_writeable()

    def is_erasable(self) -> bool:
        return self.store.is_erasable()

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} over {self.store!r}>"

    __hash__ = None


def _compares(cls: type[Store]) -> bool:
    """Return whether `set_if` fits `get_many` and `set_many` of the class; if not, it would compare other values."""
    first = next(c for c in cls.__mro__ if not c.__dict__.keys().isdisjoint(("get_many", "set_many", "set_if")))
    return "set_if" in first.__dict__


class ViewStore(WrapperStore):
    """A wrapper with its own keys or values: methods over many keys use these, not those of the wrapped store."""

    def rmdir(self, path: str | None = None) -> None:
        Store.rmdir(self, path)

    def rename(self, src_path: str, dst_path: str) -> None:
        Store.rename(self, src_path, dst_path)

    def renames_in_one_step(self) -> bool:
        return False

    def copy_many(self, pairs: Sequence[tuple[str, str]]) -> None:
        Store.copy_many(self, pairs)

    def getsize(self, path: str | None = None) -> int:
        return Store.getsize(self, path)

    def size_below(self, path: str | None = None) -> int:
        return Store.size_below(self, path)

    def was_left(self, key: str) -> bool:
        return Store.was_left(self, key)

    def forget_left(self, key: str) -> None:
        Store.forget_left(self, key)

    def version(self, key: str) -> object:
        """Return None: versions of the wrapped store's keys are not valid for the keys here."""
        return None
