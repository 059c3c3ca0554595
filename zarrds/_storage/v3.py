"""Stores of Zarr v3, under the names of the manual (3.10): the same classes as for Zarr v2."""

from zarrds import storage
from zarrds._storage.store import BaseStore, Store, StoreV3

__all__ = [
    "ABSStoreV3",
    "BaseStore",
    "ConsolidatedMetadataStoreV3",
    "DBMStoreV3",
    "DirectoryStoreV3",
    "FSStoreV3",
    "KVStoreV3",
    "LMDBStoreV3",
    "LRUStoreCacheV3",
    "MemoryStoreV3",
    "MongoDBStoreV3",
    "RedisStoreV3",
    "RmdirV3",
    "SQLiteStoreV3",
    "Store",
    "StoreV3",
    "ZipStoreV3",
]

ABSStoreV3 = storage.ABSStore
ConsolidatedMetadataStoreV3 = storage.ConsolidatedMetadataStore
DBMStoreV3 = storage.DBMStore
DirectoryStoreV3 = storage.DirectoryStore
FSStoreV3 = storage.FSStore
KVStoreV3 = storage.KVStore
LMDBStoreV3 = storage.LMDBStore
LRUStoreCacheV3 = storage.LRUStoreCache
MemoryStoreV3 = storage.MemoryStore
MongoDBStoreV3 = storage.MongoDBStore
RedisStoreV3 = storage.RedisStore
SQLiteStoreV3 = storage.SQLiteStore
ZipStoreV3 = storage.ZipStore


class RmdirV3:
    """A mixin that does nothing: every store has an `rmdir` that serves all formats."""
