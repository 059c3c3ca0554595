"""A store in memory that can read byte ranges, and notes what is asked of it."""

from __future__ import annotations

from zarrds._store.backends.memory import KVStore
from zarrds._store.base import StoreProfile
from zarrds._store.request import buffer_size


class CountingStore(KVStore):
    def __init__(self, kind="memory", *, ranges=True):
        self.data = {}
        super().__init__(self.data)
        self.profile = StoreProfile(kind, native_ranges=ranges, native_batch=kind == "network")
        self.forget()

    def forget(self):
        self.gets, self.sets, self.deletes, self.batches, self.bytes_read = [], [], [], 0, 0

    def get_many(self, requests):
        self.batches += 1
        found = super().get_many(requests)
        self.gets += list(requests)
        self.bytes_read += sum(buffer_size(value) for value in found if value is not None)
        return found

    def set_many(self, items):
        self.sets += [key for key, _ in items]
        super().set_many(items)

    def delete_many(self, keys):
        self.deletes += list(keys)
        super().delete_many(keys)
