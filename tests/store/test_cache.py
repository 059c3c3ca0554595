"""What is particular to the cache: what it asks its store, and when it forgets."""

from __future__ import annotations

import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import zarrds
from zarrds._base.types import Buf, ByteRange, Request
from zarrds._store.base import Store
from zarrds.errors import ArgumentTypeError
from zarrds.storage import DirectoryStore, KVStore, LRUStoreCache, MemoryStore

from .doubles import CountingStore


@pytest.fixture
def store() -> CountingStore:
    store = CountingStore(MemoryStore())
    store.setitems({"foo": b"xxx", "bar": b"yyyy", "g/0": b"0123456789"})
    store.reset()
    return store


def asked(store: CountingStore) -> list[tuple[str, tuple[object, ...]]]:
    return store.reset().log


def test_values_are_read_once(store: CountingStore) -> None:
    cache = LRUStoreCache(store, max_size=None)
    assert (cache["foo"], cache["foo"], cache.hits, cache.misses) == (b"xxx", b"xxx", 1, 1)
    assert cache.getitems(["foo", "bar"]) == {"foo": b"xxx", "bar": b"yyyy"}
    assert asked(store) == [("get", (("foo", None),)), ("get", (("bar", None),))]
    assert (cache.hits, cache.misses) == (2, 2)
    cache.invalidate_values()
    assert cache["foo"] == b"xxx"
    cache.invalidate()
    assert cache["foo"] == b"xxx"
    assert len(asked(store)) == 2


def test_absent_keys_are_known(store: CountingStore) -> None:
    cache = LRUStoreCache(store, max_size=None)
    for _ in range(2):
        assert cache.get_many([("no", None), ("no", ByteRange(0, 1))]) == [None, None]
        assert "no" not in cache
    assert len(asked(store)) == 1
    assert (cache.hits, cache.misses) == (0, 0)
    cache["no"] = b"now"
    assert ("no" in cache, cache["no"]) == (True, b"now")
    del cache["no"]
    assert "no" not in cache
    with pytest.raises(KeyError):
        cache["no"]
    store["no"] = b"by others"
    assert "no" not in cache
    cache.invalidate_keys()
    assert ("no" in cache, cache["no"]) == (True, b"by others")


def test_parts_are_kept_and_cut_from_whole_values(store: CountingStore) -> None:
    cache = LRUStoreCache(store, max_size=None)
    part = [("g/0", ByteRange(2, 4))]
    assert cache.get_many(part) == cache.get_many(part) == [b"23"]
    assert len(asked(store)) == 1
    assert cache["g/0"] == b"0123456789"
    assert [bytes(found or b"") for found in cache.get_many([("g/0", ByteRange(-1)), ("g/0", ByteRange(0, 2))])] == [
        b"9", b"01",
    ]  # fmt: skip
    assert len(asked(store)) == 1
    cache["g/0"] = b"abcdef"
    assert [bytes(found or b"") for found in cache.get_many(part)] == [b"cd"]
    del cache["g/0"]
    assert cache.get_many(part) == [None]


def test_the_least_recently_used_value_goes(store: CountingStore) -> None:
    cache = LRUStoreCache(store, max_size=8)
    for key in ("foo", "bar", "foo", "g/0"):
        cache[key]
    cache["new"] = b"z"
    assert (cache.hits, cache.misses) == (1, 3)
    cache["foo"], cache["bar"], cache["new"]
    assert (cache.hits, cache.misses) == (4, 3)
    cache["third"] = b"1234"
    cache["new"], cache["third"]
    assert (cache.hits, cache.misses) == (6, 3)
    cache["foo"]
    assert (cache.hits, cache.misses) == (6, 4)
    assert sum(map(len, cache._values.values())) == cache._size <= 8


def test_keys_and_listings_are_kept(store: CountingStore) -> None:
    cache = LRUStoreCache(store, max_size=None)
    for _ in range(2):
        assert sorted(cache) == ["bar", "foo", "g/0"]
        assert (len(cache), "foo" in cache, "no" in cache) == (3, True, False)
        assert (cache.listdir(), cache.listdir("g")) == (["bar", "foo", "g"], ["0"])
        assert list(cache.keys_below("g/")) == ["g/0"]
    assert [verb for verb, _ in asked(store)] == ["keys", "listdir", "listdir"]
    store["h/0"] = b""
    assert cache.listdir() == ["bar", "foo", "g"]
    cache["h/1"] = b""
    assert (cache.listdir(), len(cache)) == (["bar", "foo", "g", "h"], 5)
    cache.rmdir("h")
    assert (cache.listdir(), cache.getsize("g")) == (["bar", "foo", "g"], 10)
    cache.rename("g", "i")
    assert cache["i/0"] == b"0123456789"
    assert "g/0" not in cache
    cache.clear()
    assert list(cache) == []


def test_any_mapping_is_wrapped(tmp_path: Path) -> None:
    assert LRUStoreCache({"a": b"x"}, max_size=3).store == KVStore({"a": b"x"})
    cache = LRUStoreCache(DirectoryStore(tmp_path), max_size=100)
    cache["a"] = b"x"
    copy = pickle.loads(pickle.dumps(cache))
    assert (copy, copy.max_size, copy.hits, copy["a"]) == (cache, 100, 0, b"x")
    assert cache.spec().build() == cache
    assert cache != LRUStoreCache(DirectoryStore(tmp_path), max_size=101)


class SlowStore(CountingStore):
    """Lets something else happen between an answer and its delivery."""

    meanwhile = staticmethod(lambda: None)

    def get_many(self, requests: list[Request]) -> list[Buf | None]:  # type: ignore[override]
        found = super().get_many(requests)
        self.meanwhile()
        return found


@pytest.mark.parametrize("change", ["set", "delete"])
def test_an_old_answer_is_not_kept(change: str) -> None:
    store = SlowStore(MemoryStore())
    store["a"] = b"old"
    cache = LRUStoreCache(store, max_size=None)
    store.meanwhile = lambda: cache.update(a=b"new") if change == "set" else cache.delete_many(["a"])  # type: ignore[method-assign]
    assert cache["a"] == b"old"
    store.meanwhile = lambda: None  # type: ignore[method-assign]
    assert cache.get("a") == (b"new" if change == "set" else None)


def test_threads(store: CountingStore) -> None:
    cache: Store = LRUStoreCache(store.store, max_size=200)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(300):
            key = f"{seed}/{chance.randrange(10)}"
            value = bytes([seed]) * chance.randrange(50)
            cache[key] = value
            assert cache[key] == value
            if chance.random() < 0.2:
                del cache[key]
                assert key not in cache
                assert cache.get(key) is None

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def test_arrays_through_a_cache(store: CountingStore) -> None:
    cache = LRUStoreCache(store, max_size=2**20)
    z = zarrds.zeros((10, 10), chunks=5, store=cache, overwrite=True)
    z[:] = 3
    assert (zarrds.open(cache, mode="r")[:] == 3).all()
    before = cache.misses
    assert (z[:] == 3).all()
    assert cache.misses == before


def test_a_recipe_opens_the_cache_that_lives_here_and_no_other(tmp_path: Path) -> None:
    cache = LRUStoreCache(DirectoryStore(tmp_path), max_size=None)
    cache["a"] = b"old"
    spec = cache.spec()
    travelled = pickle.dumps(spec)
    assert spec.open() is cache
    assert pickle.loads(travelled).open() is cache
    assert pickle.loads(travelled) == spec
    assert LRUStoreCache(DirectoryStore(tmp_path), max_size=None).spec() != spec
    # where the cache is not, nobody could make another one forget
    del cache
    assert pickle.loads(travelled).open() == DirectoryStore(tmp_path)
    assert spec.open() == DirectoryStore(tmp_path)


def test_the_size_is_a_number() -> None:
    assert bytes(LRUStoreCache({"a": b"1"}, max_size=1e9)["a"]) == b"1"  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="max_size"):
        LRUStoreCache({}, max_size="1 GB")  # type: ignore[arg-type]
