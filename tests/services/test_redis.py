"""The Redis store, against a real server."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import redis

import zarrds
from zarrds._base.types import ByteRange
from zarrds.errors import StoreError
from zarrds.storage import RedisStore

pytestmark = pytest.mark.service


@pytest.fixture
def store(redis_port: int) -> Iterator[RedisStore]:
    with RedisStore(port=redis_port) as made:
        made.client.flushdb()
        yield made


def commands(store: RedisStore) -> dict[str, int]:
    """Calls of each command since the last reset."""
    stats = store.client.info("commandstats")
    return {name.removeprefix("cmdstat_"): found["calls"] for name, found in stats.items()}


def test_keys_are_those_of_zarr_python_2(store: RedisStore) -> None:
    zarrds.group(store).create_dataset("a/b", shape=4, chunks=2)[:] = 1
    assert sorted(store.client.keys()) == [
        b"zarr:.zgroup",
        b"zarr:a/.zgroup",
        b"zarr:a/b/.zarray",
        b"zarr:a/b/0",
        b"zarr:a/b/1",
    ]


def test_a_batch_is_one_pipeline(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    z = zarrds.array(np.arange(100), chunks=10, store=store, compressor=None)
    pipelines = []
    execute = redis.client.Pipeline.execute
    monkeypatch.setattr(redis.client.Pipeline, "execute", lambda self: pipelines.append(len(self)) or execute(self))
    np.testing.assert_array_equal(z[:], np.arange(100))
    assert pipelines == [10]
    z[:35] = 0
    assert pipelines == [10, 1, 4]  # one chunk is partly covered


def test_parts_of_chunks_are_read_by_ranges(store: RedisStore) -> None:
    z = zarrds.array(np.arange(100, dtype="i4"), chunks=50, store=store, compressor=None)
    store.client.config_resetstat()
    np.testing.assert_array_equal(z[60:63], [60, 61, 62])
    assert commands(store)["getrange"] == 1
    assert "get" not in commands(store)


def test_listing_never_sends_keys(store: RedisStore) -> None:
    store.update({f"g/{i}": b"" for i in range(3000)})
    store.client.config_resetstat()
    assert len(store.listdir("g")) == len(list(store)) == len(store) == 3000
    store.rmdir("g")
    found = commands(store)
    assert "keys" not in found
    assert found["unlink"] == 3
    assert list(store) == []


def test_prefixes_are_apart_and_no_patterns(redis_port: int) -> None:
    one, other = RedisStore("a*", port=redis_port), RedisStore("ab", port=redis_port)
    one["x"], other["x"] = b"1", b"2"
    assert (list(one), one["x"], list(other)) == (["x"], b"1", ["x"])
    one.clear()
    assert dict(other) == {"x": b"2"}
    other.clear()


def test_empty_values_and_ranges(store: RedisStore) -> None:
    store["e"], store["v"] = b"", b"abcdef"
    ranges = [ByteRange(0, 0), ByteRange(2, 4), ByteRange(-2), ByteRange(-99), ByteRange(9, 12), ByteRange(4)]
    assert store.get_many([("v", part) for part in ranges]) == [b"", b"cd", b"ef", b"abcdef", b"", b"ef"]
    assert store.get_many([("e", part) for part in ranges]) == [b""] * 6
    assert store.get_many([("no", part) for part in ranges]) == [None] * 6


def test_another_process_opens_the_recipe(store: RedisStore) -> None:
    z = zarrds.array([1, 2, 3], store=store)
    code = f"import pickle; z = pickle.loads({pickle.dumps(z)!r}); z[1] = 20"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert z[:].tolist() == [1, 20, 3]
    assert pickle.loads(pickle.dumps(store)) == store
    assert store.spec().open() == store


def test_a_lost_connection_is_no_absent_key(store: RedisStore, waits: list[float]) -> None:
    gone = RedisStore(port=1, socket_connect_timeout=1, password="canary", retry=None)
    for attempt in (lambda: gone["x"], lambda: gone.get("x"), lambda: "x" in gone, lambda: list(gone)):
        with pytest.raises(StoreError, match="Connection") as caught:
            attempt()
        assert "canary" not in str(caught.value)
        assert caught.value.attempts == zarrds.get_config().connect_attempts > 1
    assert "canary" not in repr(gone)
    assert len(waits) == 4 * (zarrds.get_config().connect_attempts - 1)
    with pytest.raises(StoreError):
        zarrds.open(gone, mode="r")


def test_a_denied_command_is_no_absent_key(store: RedisStore, redis_port: int) -> None:
    zarrds.array([1, 2, 3], store=store)
    store.client.acl_setuser("guest", enabled=True, passwords=["+pw"], keys=["other:*"], commands=["+@all"])
    guest = RedisStore(port=redis_port, username="guest", password="pw")
    with pytest.raises(StoreError, match="NoPermission"):
        guest[".zarray"]
    store.client.acl_deluser("guest")
