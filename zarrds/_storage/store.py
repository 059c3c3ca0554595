"""Base classes, under the names of the manual (3.10)."""

from zarrds._store.base import Store
from zarrds._store.transformer import StorageTransformer, register_storage_transformer

__all__ = ["BaseStore", "StorageTransformer", "Store", "StoreV3", "register_storage_transformer"]

BaseStore = StoreV3 = Store
