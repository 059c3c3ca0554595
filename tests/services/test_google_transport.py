"""Values of ``gs://`` URLs go through obstore, or through gcsfs where it cannot be used; users see no difference."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import xarray

import zarrds
from tests.gcs import Google, google_server
from tests.servers import lacking
from zarrds._base.types import ByteRange
from zarrds._store.backends import direct, fs_reading
from zarrds.errors import ArgumentError, StoreAccessError, StoreError
from zarrds.storage import FSStore

pytestmark = [pytest.mark.service, pytest.mark.usefixtures("waits", "gcsfs")]


@pytest.fixture
def gcsfs() -> None:
    if find_spec("gcsfs") is None:
        lacking("the package gcsfs")


@pytest.fixture
def google() -> Iterator[Google]:
    with google_server() as service:
        service.bucket("b")
        yield service


@pytest.mark.parametrize("protocol", ["gs", "gcs"])
@pytest.mark.parametrize("transport", ["auto", "obstore", "fsspec"])
def test_values_are_the_same(transport: str, protocol: str, google: Google) -> None:
    with zarrds.config_context(transport=transport):
        store = FSStore(f"{protocol}://b/root", **google.options)
        store.set_many([("k", b"0123456789"), ("e", b"")])
        wanted = [("k", None), ("k", ByteRange(2, 4)), ("e", ByteRange(0, 2)), ("no", None), ("k", ByteRange(-3))]
        found = [None if part is None else bytes(part) for part in store.get_many([*wanted, ("k", ByteRange(20, 22))])]
    assert found == [b"0123456789", b"23", b"", None, b"789", b""]
    assert ("PUT /b/root%2Fk" in google.asked) == (transport != "fsspec")
    assert type(store) is FSStore
    assert len(pickle.dumps(store)) < 1000
    assert bytes(pickle.loads(pickle.dumps(store))["k"]) == b"0123456789"
    assert sorted(store) == ["e", "k"]
    store.delete_many(["k", "no"])
    assert list(store) == ["e"]


def test_a_bucket_that_is_not_there_is_an_error(google: Google) -> None:
    with pytest.raises(StoreError, match="bucket does not exist"):
        FSStore("gs://there-is-none/root", **google.options).get_many([("k", None)])


@pytest.mark.parametrize("key", ["a b", "ä/ö", "x%20y", "a+b", "a=b&c", "~", "c/0/0", ".zgroup"])
def test_names_are_the_same(key: str, google: Google) -> None:
    one = FSStore("gs://b/root", **google.options)
    with zarrds.config_context(transport="fsspec"):
        other = FSStore("gs://b/root", **google.options)
    one[key] = b"1"
    assert bytes(other[key]) == b"1"
    other[key] = b"2"
    assert bytes(one[key]) == b"2"
    assert list(one) == list(other) == [key]


def test_tokens_are_those_of_gcsfs(google: Google) -> None:
    from google.oauth2.credentials import Credentials

    google.accepts = lambda token: token == "Bearer token-1"
    ends = (datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=None)  # google-auth has no time zones
    options = {"endpoint_url": google.address, "token": Credentials("token-1", expiry=ends)}
    FSStore("gs://b/root", **options)["k"] = b"1"
    assert google.tokens == ["Bearer token-1"]
    with pytest.raises(StoreAccessError) as caught:
        FSStore("gs://b/root", endpoint_url=google.address, token=Credentials("token-2", expiry=ends))["k"]
    assert "token-2" not in str(caught.value)
    with pytest.raises(StoreAccessError):
        FSStore("gs://b/root", **google.options)["k"]
    assert google.tokens[-1] is None


def test_what_has_no_equal_is_said_once(
    google: Google, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "_said", set())
    options = {**google.options, "version_aware": True}
    with caplog.at_level(logging.DEBUG, "zarrds"):
        for _ in range(2):
            FSStore("gs://b/root", **options)["k"] = b"1"
    assert not any(line.startswith("PUT") for line in google.asked)
    assert [r.getMessage() for r in caplog.records if r.name == "zarrds"] == [
        "values of gs:// go through gcsfs, as obstore cannot be used: option version_aware"
    ]
    with zarrds.config_context(transport="obstore"), pytest.raises(ArgumentError, match="version_aware"):
        FSStore("gs://b/root", **options)


@pytest.mark.parametrize(("status", "attempts"), [(403, 1), (429, 3), (503, 3)])
def test_requests_are_repeated_by_us_alone(status: int, attempts: int, google: Google) -> None:
    store = FSStore("gs://b/root", **google.options)
    google.fail = lambda handler: handler.answer(status) or True
    with zarrds.config_context(attempts=3), pytest.raises(StoreError) as caught:
        store["k"]
    assert caught.value.attempts == attempts == len(google.asked)


def test_large_values_go_in_parts(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "_IN_PARTS_BYTES", 6 * 2**20)
    monkeypatch.setattr(direct, "_PART_BYTES", 5 * 2**20)
    store, value = FSStore("gs://b/root", **google.options), bytes(range(256)) * 2**15
    store["large"] = value
    assert sum("partNumber" in line for line in google.asked) == 2
    assert bytes(store["large"]) == value


def test_values_are_set_under_conditions(google: Google) -> None:
    store = FSStore("gs://b/root", **google.options)
    assert store.can_set_if
    assert [store.set_if("k", b"1", None), store.set_if("k", b"2", None)] == [True, False]
    assert [store.set_if("k", b"3", b"2"), store.set_if("k", b"3", b"1")] == [False, True]
    assert bytes(store["k"]) == b"3"
    with zarrds.config_context(transport="fsspec"):
        assert not FSStore("gs://b/root", **google.options).can_set_if


def test_another_writer_in_between_is_noticed(google: Google) -> None:
    store = FSStore("gs://b/root", **google.options)
    store["k"] = b"1"

    def other_writes(handler: Any) -> bool:
        if handler.command == "PUT":
            google.fail = lambda handler: False
            google.put("b", "root/k", b"other", {}, None)
        return False

    google.fail = other_writes
    assert not store.set_if("k", b"2", b"1")
    assert bytes(store["k"]) == b"other"


def test_a_write_whose_answer_is_lost_has_happened(google: Google, waits: list[float]) -> None:
    store = FSStore("gs://b/root", **google.options)

    def lose(handler: Any) -> bool:
        if handler.command != "PUT":
            return False
        google.fail = lambda handler: False
        metadata = {"zarrdswriter": handler.headers["x-goog-meta-zarrdswriter"]}
        google.put("b", "root/k", handler.body, metadata, handler.headers["x-goog-if-generation-match"])
        handler.answer(503)
        return True

    google.fail = lose
    assert store.set_if("k", b"1", None)
    assert len(waits) == 1


def test_appends_of_two_writers_keep_both(google: Google) -> None:
    zarrds.open_array("gs://b/z", mode="w", shape=0, chunks=8, dtype="i8", storage_options=google.options)

    def append(number: int) -> None:
        z = zarrds.open_array("gs://b/z", mode="r+", storage_options=google.options)
        for k in range(3):
            z.append(np.full(3, 100 * number + k))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(append, (1, 2)))
    found = zarrds.open_array("gs://b/z", mode="r", storage_options=google.options)[:].reshape(-1, 3)
    assert (found == found[:, :1]).all()
    assert sorted(found[:, 0].tolist()) == [100 * n + k for n in (1, 2) for k in range(3)]


@pytest.mark.parametrize("transport", ["auto", "fsspec"])
def test_a_shard_that_is_replaced_while_it_is_read_is_read_again(transport: str, google: Google) -> None:
    options: dict[str, Any] = {"chunks": 2, "shards": 8, "dtype": "i8", "zarr_format": 3, "compressor": None}
    with zarrds.config_context(transport=transport):
        z = zarrds.open_array("gs://b/z", mode="w", shape=8, storage_options=google.options, **options)
        z[:] = 1
        google.buckets["new"] = dict(google.buckets["b"])
        z[:] = 2
        google.buckets["b"], new = google.buckets["new"], google.buckets["b"]
        reader = zarrds.open_array("gs://b/z", mode="r", storage_options=google.options)
        shard_reads = 0

        def replace(handler: Any) -> bool:
            nonlocal shard_reads
            if "Range" in handler.headers and "c%2F0" in handler.path:
                shard_reads += 1
                if shard_reads == 2:
                    google.buckets["b"] = new
            return False

        google.fail = replace
        found = reader[0:2].tolist()
    assert found in ([1, 1], [2, 2])
    assert found == ([2, 2] if shard_reads > 1 else [1, 1])
    assert (shard_reads > 1) == (transport == "auto")  # through gcsfs there is no tag: the value is read whole, once


def test_a_child_of_a_fork_uses_gcsfs(google: Google) -> None:
    text = f"""
        import os, zarrds, warnings
        warnings.simplefilter("ignore")
        from zarrds._store.backends import obstore_use
        options = {google.options!r}
        z = zarrds.open_array("gs://b/z", mode="w", shape=8, chunks=2, dtype="i4", storage_options=options)
        z[:4] = 1
        assert obstore_use._used_by == os.getpid()
        child = os.fork()
        if not child:
            z[4:] = z[:4] + 1
            again = zarrds.open_array("gs://b/z", mode="r", storage_options=options)
            os._exit(0 if again[:].tolist() == [1, 1, 1, 1, 2, 2, 2, 2] else 1)
        assert os.waitpid(child, 0)[1] == 0
        print(z[:].tolist())
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(text)], capture_output=True, timeout=240)
    assert ran.stdout.decode().strip() == "[1, 1, 1, 1, 2, 2, 2, 2]", ran.stderr.decode()


def test_datasets(google: Google) -> None:
    from xarray_backend import to_zarrds

    ds = xarray.Dataset({"v": (("y", "x"), np.arange(6.0).reshape(2, 3))}, {"y": [0, 1], "x": [1.0, 2.0, 3.0]})
    to_zarrds(
        ds,
        "gs://b/ds.zarr",
        storage_options=google.options,
        zarr_format=3,
        encoding={"v": {"chunks": (1, 1), "shards": (2, 3)}},
    )
    del google.asked[:]
    found = xarray.open_dataset("gs://b/ds.zarr", engine="zarrds", storage_options=google.options)
    xarray.testing.assert_identical(found.load(), ds)
    assert not any("/download/" in line for line in google.asked)


def test_a_key_that_obstore_cannot_use_leaves_conditions_as_they_are(google: Google) -> None:
    store = FSStore("gs://b/root", **google.options)
    store["k"] = b"1"
    store.set_many([("a\x01b", b"2"), ("c", b"3")])
    assert [bytes(FSStore("gs://b/root", **google.options)[key]) for key in ("a\x01b", "c")] == [b"2", b"3"]
    assert store.can_set_if
    assert (store.set_if("k", b"2", b"0"), store.set_if("k", b"3", b"1")) == (False, True)
    assert bytes(store["k"]) == b"3"


@pytest.mark.parametrize("usable", [(True, False), (False, True)])
def test_nothing_is_set_without_a_condition_where_obstore_becomes_unusable_meanwhile(
    usable: tuple[bool, bool], google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FSStore("gs://b/root", **google.options)
    store["k"] = b"1"
    answers = iter(usable)
    with monkeypatch.context() as patched:
        patched.setattr(fs_reading, "is_usable", lambda: next(answers))
        with pytest.raises(StoreError, match="in one step"):
            store.set_if("k", b"2", b"1")
    assert bytes(store["k"]) == b"1"
