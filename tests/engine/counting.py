"""Count work: a store in memory that notes what is asked of it, and calls of functions and of the system."""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter

from zarrds._store.backends.mapping import KVStore
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


SYSTEM_CALLS = ("open", "read", "pread", "fstat", "stat", "lseek", "write", "close", "replace", "mkdir", "unlink")


def calls_of(work):
    """Return the calls of system functions by name, and the number of all calls of functions."""
    system, every = Counter(), 0

    def note(frame, event, arg):
        nonlocal every
        if event in ("call", "c_call"):
            every += 1
        if event == "c_call" and getattr(arg, "__module__", "") == os.name and arg.__name__ in SYSTEM_CALLS:
            system[arg.__name__] += 1

    work()  # what is made once and kept is not counted
    gc.disable()  # what it finalizes would be counted
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return system, every
