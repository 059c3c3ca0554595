"""Base classes, under the names of the manual (3.10)."""

from zarrds._store import StorageTransformer, Store, register_storage_transformer

__all__ = ["BaseStore", "StorageTransformer", "Store", "StoreV3", "register_storage_transformer"]

BaseStore = StoreV3 = Store
