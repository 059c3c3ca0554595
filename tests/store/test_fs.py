"""What is particular to fsspec: batches, what counts as absent, fresh listings, credentials."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.asyn import AsyncFileSystem

from zarrds import get_config
from zarrds._base.types import ByteRange
from zarrds.errors import StoreError
from zarrds.storage import FSStore

ERRORS = [PermissionError("denied"), ConnectionError("lost"), TimeoutError(), OSError("broken"), RuntimeError("odd")]


class CloudFileSystem(AsyncFileSystem):
    """An object store in a dict that counts its requests and fails for keys in `errors`."""

    protocol = "cloud"
    cachable = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.objects: dict[str, bytes] = {}
        self.errors: dict[str, Exception] = {}
        self.asked: list[tuple[str, int | None, int | None]] = []
        self.running = self.most_running = 0

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        self.asked.append((path, start, end))
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        await asyncio.sleep(0)
        self.running -= 1
        if path in self.errors:
            raise self.errors[path]
        if path not in self.objects:
            raise FileNotFoundError(path)
        if start is not None and (start >= len(self.objects[path]) or not self.objects[path]):
            raise OSError("416 range not satisfiable")
        return self.objects[path][start:end]

    async def _pipe_file(self, path: str, value: bytes, **kwargs: Any) -> None:
        assert type(value) is bytes
        if path in self.errors:
            raise self.errors[path]
        self.objects[path] = value

    async def _rm_file(self, path: str, **kwargs: Any) -> None:
        if path in self.errors:
            raise self.errors[path]
        if self.objects.pop(path, None) is None:
            raise FileNotFoundError(path)

    async def _cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        self.objects[path2] = self.objects[path1]

    async def _info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        if path in self.objects:
            return {"name": path, "size": len(self.objects[path]), "type": "file"}
        if any(key.startswith(path + "/") for key in self.objects):
            return {"name": path, "size": 0, "type": "directory"}
        raise FileNotFoundError(path)

    async def _ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        if path in self.errors:
            raise self.errors[path]
        if path not in self.dircache:
            below = {
                path + "/" + key[len(path) + 1 :].split("/")[0] for key in self.objects if key.startswith(path + "/")
            }
            names = below or ({path} & set(self.objects))
            if not names:
                raise FileNotFoundError(path)
            self.dircache[path] = [await self._info(name) for name in sorted(names)]
        found = self.dircache[path]
        return found if detail else [entry["name"] for entry in found]

    def invalidate_cache(self, path: str | None = None) -> None:
        self.dircache.clear()


@pytest.fixture
def fs() -> Iterator[CloudFileSystem]:
    return CloudFileSystem(use_listings_cache=True, skip_instance_cache=True)


pytestmark = pytest.mark.usefixtures("waits")


@pytest.fixture
def store(fs: CloudFileSystem) -> FSStore:
    return FSStore("bucket/root", fs=fs)


def test_a_batch_is_sent_at_once(store: FSStore, fs: CloudFileSystem) -> None:
    assert store.profile.native_batch
    assert store.profile.kind == "network"
    store.set_many([(f"u/{n}", b"%d" % n) for n in range(10)])
    assert store.get_many([(f"u/{n}", None) for n in range(12)]) == [*(b"%d" % n for n in range(10)), None, None]
    assert fs.most_running == 12
    assert len(fs.asked) == 12
    store.delete_many([f"u/{n}" for n in range(12)])
    assert fs.objects == {}


def test_near_ranges_are_one_request(store: FSStore, fs: CloudFileSystem) -> None:
    store["k"] = bytes(range(100))
    wanted = [("k", ByteRange(0, 10)), ("k", ByteRange(20, 30)), ("k", ByteRange(-5)), ("k", ByteRange(5, 25))]
    assert [bytes(value or b"") for value in store.get_many(wanted)] == [
        bytes(range(10)), bytes(range(20, 30)), bytes(range(95, 100)), bytes(range(5, 25)),
    ]  # fmt: skip
    assert sorted(fs.asked, key=str) == [("bucket/root/k", -5, None), ("bucket/root/k", 0, 30)]


@pytest.mark.parametrize("value", [b"", b"0123"])
@pytest.mark.parametrize("byte_range", [(0, None), (0, 0), (9, 12), (4, None), (-9, None), (2, 9)])
def test_services_that_refuse_ranges_beyond_the_end(
    store: FSStore, value: bytes, byte_range: tuple[int, int | None]
) -> None:
    store["k"] = value
    assert store.get_many([("k", ByteRange(*byte_range)), ("no", ByteRange(*byte_range))]) == [
        value[slice(*byte_range)], None,
    ]  # fmt: skip


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_failures_are_never_absence(store: FSStore, fs: CloudFileSystem, error: Exception) -> None:
    store["k"] = b"value"
    fs.errors = {"bucket/root/k": error, "bucket/root": error}
    attempts = [
        lambda: store["k"],
        lambda: "k" in store,
        lambda: store.get_many([("other", None), ("k", ByteRange(0, 2))]),
        lambda: store.getitems(["other", "k"]),
        lambda: store.set_many([("k", b"")]),
        lambda: store.delete_many(["k"]),
        lambda: store.listdir(),
        lambda: list(store),
    ]
    for number, attempt in enumerate(attempts):
        with pytest.raises(StoreError) as caught:
            pytest.fail(f"attempt {number} gave {attempt()}")
        assert "bucket/root" in (caught.value.store or "")
        assert isinstance(caught.value.__cause__, type(error))
        assert isinstance(caught.value, type(error)) or type(error) is RuntimeError
        passing = isinstance(error, OSError) and not isinstance(error, PermissionError)
        assert caught.value.attempts == (get_config().attempts if passing else 1)


def test_failed_keys_are_named(store: FSStore, fs: CloudFileSystem) -> None:
    fs.errors = {"bucket/root/b": PermissionError("denied")}
    with pytest.raises(StoreError) as caught:
        store.get_many([("a", None), ("b", None)])
    assert caught.value.key == "b"
    assert "missing_exceptions" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "arguments", [{"missing_exceptions": (PermissionError,)}, {"exceptions": (KeyError, PermissionError)}]
)
def test_callers_may_widen_what_is_absent(fs: CloudFileSystem, arguments: dict[str, Any]) -> None:
    fs.errors = {"bucket/root/k": PermissionError("denied")}
    store = FSStore("bucket/root", fs=fs, **arguments)
    assert store.get_many([("k", None)]) == [None]
    fs.errors = {"bucket/root/k": OSError("broken")}
    with pytest.raises(StoreError):
        store["k"]


def test_listings_are_fresh(store: FSStore, fs: CloudFileSystem) -> None:
    store["a/0"] = b"0"
    assert (store.listdir("a"), list(store)) == (["0"], ["a/0"])
    fs.objects["bucket/root/a/1"] = b"11"
    assert (store.listdir("a"), list(store), store.getsize("a")) == (["0", "1"], ["a/0", "a/1"], 3)
    store.rename("a", "b")
    assert sorted(fs.objects) == ["bucket/root/b/0", "bucket/root/b/1"]
    store.rmdir("b")
    assert store.listdir() == []


def test_credentials_are_not_shown() -> None:
    options = {"headers": {"token": "s3cret"}, "client_kwargs": {"auth": ["s3cret"]}}
    store = FSStore("https://me:s3cret@example.org/x.zarr?sig=s3cret", **options)
    assert "s3cret" not in repr(store)
    assert "s3cret" not in repr(store.spec())
    assert "s3cret" not in str(store._failed("cannot read", "k", OSError("no")))
    assert hash(store.spec()) == hash(pickle.loads(pickle.dumps(store.spec())))
    assert store.spec().build().fs.storage_options == options


def test_arguments_are_checked(fs: CloudFileSystem) -> None:
    with pytest.raises(ValueError, match="both"):
        FSStore("x", fs=fs, anon=True)
    with pytest.raises(ValueError, match="mode"):
        FSStore("memory://x", mode="rw")
    assert FSStore("memory://x", mode="a").is_writeable()
    assert FSStore("memory://x").key_separator == "."
    assert FSStore("memory://x", dimension_separator="/").key_separator == "/"


def test_caches_in_front(tmp_path: Any) -> None:
    plain = FSStore(f"file://{tmp_path}/s")
    plain["a"] = b"1"
    cached = FSStore(f"simplecache::file://{tmp_path}/s", simplecache={"cache_storage": str(tmp_path / "cache")})
    assert cached.get_many([("a", None), ("b", None)]) == [b"1", None]
    assert cached.listdir() == ["a"]


def test_paths_are_taken(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(b"1")
    for store in (FSStore(tmp_path), FSStore(tmp_path, fs=fsspec.filesystem("file"))):
        assert (store.url, bytes(store["k"])) == (str(tmp_path), b"1")
        assert str(tmp_path) in repr(store)


def test_check_and_create(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        FSStore(f"file://{tmp_path}/s", check=True)
    FSStore(f"file://{tmp_path}/s", create=True, check=True)
    assert (tmp_path / "s").is_dir()
    assert list((tmp_path / "s").iterdir()) == []


@pytest.mark.parametrize("reverse", [False, True])
def test_stores_are_equal_in_whatever_order_and_thread_their_options_were_given(reverse: bool, tmp_path: Path) -> None:
    options = {"use_listings_cache": False, "auto_mkdir": True}
    one = FSStore(f"memory:/{tmp_path}", **options)
    given = dict(reversed(options.items())) if reverse else options
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(lambda: FSStore(f"memory:/{tmp_path}", **given)).result()
    assert other == one
    assert pickle.loads(pickle.dumps(one)) == one
    assert FSStore(f"memory:/{tmp_path}", use_listings_cache=True, auto_mkdir=True) != one
