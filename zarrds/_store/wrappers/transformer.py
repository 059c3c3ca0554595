"""Storage transformers: stores between a Zarr v3 array and the store of its chunks (manual 3.10).

Users write a transformer class and register it under the name that documents use. A transformer is created from its
configuration whenever an array that has it is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, ClassVar, Self

from zarrds._base.types import Buf, Request
from zarrds._format import TRANSFORMERS, CodecSpec
from zarrds._store.base import Store
from zarrds._store.request import cut, same_bytes
from zarrds._store.wrappers.base import WrapperStore
from zarrds.errors import ArgumentError, ArgumentTypeError

__all__ = ["ShardingStorageTransformer", "StorageTransformer", "register_storage_transformer", "transformed"]


class StorageTransformer(WrapperStore):
    """Base class for storage transformers; methods that a subclass does not override pass data on unchanged.

    A subclass defines `extension_uri`, its name in documents. It overrides `encode` and `decode`, which get whole
    values of chunks, or the methods of a store. `get_config` must return the keywords of ``__init__``, which are passed
    when an array is opened.

    Parameters
    ----------
    _type : str
        One of `valid_types`.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds._storage.store import StorageTransformer, register_storage_transformer
    >>> class Flipped(StorageTransformer):
    ...     extension_uri = "https://example.com/flipped"
    ...     valid_types = ["bits"]
    ...     def encode(self, key, value):
    ...         return bytes(255 - byte for byte in bytes(value))
    ...     decode = encode
    >>> register_storage_transformer(Flipped)
    >>> z = zarrds.create(4, dtype="u1", zarr_format=3, storage_transformers=[Flipped("bits")], compressor=None)
    >>> z[:] = [0, 1, 2, 3]
    >>> z.store["c/0"], z[:]
    (b'\\xff\\xfe\\xfd\\xfc', array([0, 1, 2, 3], dtype=uint8))
    """

    _sends_itself = False  # documents name the transformers, so a task finds them itself
    extension_uri: ClassVar[str] = ""
    valid_types: ClassVar[Sequence[str]] = ()

    def __init__(self, _type: str) -> None:
        if _type not in self.valid_types:
            raise ArgumentError(
                f"storage transformer cannot be of type {_type!r}, must be one of {', '.join(self.valid_types)}"
            )
        self.type = _type

    # --- configuration -----------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the keywords, besides the type, that create an equal transformer; JSON values."""
        return {}

    @classmethod
    def from_config(cls, _type: str, config: dict[str, Any]) -> Self:
        """Create a transformer of a type and configuration."""
        return cls(_type, **config)

    def spec_of_document(self) -> CodecSpec:
        """Return name and configuration, as in documents."""
        return CodecSpec.of(self.extension_uri, {**self.get_config(), "type": self.type})

    # --- the store below ---------------------------------------------------------------------------------------------

    def over(self, store: Store) -> Self:
        """Return a copy of this transformer over a store."""
        found = copy(self)
        WrapperStore.__init__(found, store)
        return found

    @property
    def inner_store(self) -> Store:
        """The store below; raises ValueError if there is none yet."""
        return self.store

    def __getattr__(self, name: str) -> Any:
        if name == "store":
            raise ArgumentError("this storage transformer stands over no store")
        raise AttributeError(  # builtin: the protocol of attributes
            f"{type(self).__name__!r} object has no attribute {name!r}"
        )

    # --- values ------------------------------------------------------------------------------------------------------

    def encode(self, key: str, value: Buf) -> Buf:
        """Return the bytes to store for the value of a chunk."""
        return value

    def decode(self, key: str, value: Buf) -> Buf:
        """Return the value of a chunk from the stored bytes."""
        return value

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        if type(self).decode is StorageTransformer.decode:
            return self.store.get_many(requests)
        stored = self.store.get_many([(key, None) for key, _ in requests])
        return [
            None if value is None else cut(self.decode(key, value), part)
            for (key, part), value in zip(requests, stored, strict=True)
        ]

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        self.store.set_many([(key, self.encode(key, value)) for key, value in items])

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        stored = self.store.get_many([(key, None)])[0]
        if not same_bytes(None if stored is None else self.decode(key, stored), expected):
            return False
        return self.store.set_if(key, self.encode(key, value), stored)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StorageTransformer) and (self.spec_of_document(), self.__dict__.get("store")) == (
            other.spec_of_document(),
            other.__dict__.get("store"),
        )

    __hash__ = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.type!r}>"


class ShardingStorageTransformer(StorageTransformer):
    """Requests shards: `create` uses the Zarr v3 codec ``sharding_indexed`` for it.

    Parameters
    ----------
    _type : {"indexed"}
        Kind of shards.
    chunks_per_shard : int or tuple of int
        Number of chunks in a shard along each dimension; an integer applies to all dimensions.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds._storage.v3_storage_transformers import ShardingStorageTransformer
    >>> sharding = ShardingStorageTransformer("indexed", chunks_per_shard=(2, 2))
    >>> zarrds.create((8, 8), chunks=(2, 1), storage_transformers=[sharding], zarr_version=3).shards
    (4, 2)
    """

    extension_uri = "https://purl.org/zarr/spec/storage_transformers/sharding/1.0"
    valid_types = ("indexed",)

    def __init__(self, _type: str, chunks_per_shard: Any) -> None:
        super().__init__(_type)
        counts = (chunks_per_shard,) if isinstance(chunks_per_shard, int) else tuple(map(int, chunks_per_shard))
        if any(count < 1 for count in counts):
            raise ArgumentError(f"chunks_per_shard must be at least 1, found {chunks_per_shard!r}")
        self.chunks_per_shard = counts

    def get_config(self) -> dict[str, Any]:
        """Return the number of chunks in a shard."""
        return {"chunks_per_shard": self.chunks_per_shard}


def register_storage_transformer(cls: type[StorageTransformer]) -> None:
    """Register a transformer under its `extension_uri`, so that arrays with it can be opened and created.

    Parameters
    ----------
    cls : type
        A subclass of `StorageTransformer`; it replaces an earlier one of the same name.
    """
    if not (isinstance(cls, type) and issubclass(cls, StorageTransformer)) or not cls.extension_uri:
        raise ArgumentTypeError(f"a storage transformer is a subclass of StorageTransformer with a name, found {cls!r}")
    TRANSFORMERS[cls.extension_uri] = cls


def transformed(store: Store, specs: Sequence[CodecSpec]) -> Store:
    """Return a store wrapped in the transformers that a document names, in their order."""
    for spec in specs:
        configuration = spec.configuration
        cls: type[StorageTransformer] = TRANSFORMERS[spec.name]
        store = cls.from_config(configuration.pop("type", ""), configuration).over(store)
    return store
