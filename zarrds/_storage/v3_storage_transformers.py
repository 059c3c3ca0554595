"""Storage transformers, under the names of the manual (3.10)."""

from zarrds._storage.store import StorageTransformer
from zarrds._store import ShardingStorageTransformer

__all__ = ["ShardingStorageTransformer", "StorageTransformer"]
