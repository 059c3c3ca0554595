"""Values of many stores in one batch."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from zarrds._base.types import Buf, Request
from zarrds._store import get_together
from zarrds._store.base import StoreProfile
from zarrds._store.concurrent import REQUESTS_AT_ONCE, map_concurrently
from zarrds.storage import FSStore, MemoryStore

from .test_fs import CloudFileSystem


class Blocking(MemoryStore):
    """A remote store whose client blocks: it sends each request in a thread, once all stores have been asked."""

    profile = StoreProfile("network", native_batch=True)
    all_asked: threading.Barrier

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        self.all_asked.wait(60)
        return map_concurrently(self._one, requests)

    def _one(self, request: Request) -> Buf | None:
        return super().get_many([request])[0]


def test_as_many_stores_that_block_as_there_are_threads_for_requests() -> None:
    Blocking.all_asked = threading.Barrier(REQUESTS_AT_ONCE)
    stores = [Blocking() for _ in range(REQUESTS_AT_ONCE)]
    for number, store in enumerate(stores):
        store["a"] = b"%d" % number
    found = get_together([(store, key) for store in stores for key in ("a", "b")])
    assert found == [value for number in range(len(stores)) for value in (b"%d" % number, None)]


def test_stores_of_one_service_are_one_batch_where_they_agree_on_what_is_absent() -> None:
    fs = CloudFileSystem(skip_instance_cache=True)
    fs.objects["bucket/a/k"], fs.errors["bucket/b/k"] = b"1", PermissionError("denied")
    lenient = [FSStore(f"bucket/{name}", fs=fs, missing_exceptions=(PermissionError,)) for name in "ab"]
    assert get_together([(store, "k") for store in lenient]) == [b"1", None]
    assert fs.most_running == 2
    assert get_together([(FSStore("bucket/a", fs=fs), "k"), (lenient[1], "k")]) == [b"1", None]
