"""Stores on plain HTTP servers: those that obey ranges, those that ignore them, and those that fail."""

from __future__ import annotations

import gzip
import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray

import zarrds
from zarrds._base.types import ByteRange
from zarrds._store.backends import direct
from zarrds.errors import ArgumentError, PathNotFoundError, StoreAccessError, StoreConnectionError, StoreError
from zarrds.storage import FSStore

from .web import Quiet, Ranged, WithETag, WithTime, serving

pytestmark = pytest.mark.usefixtures("waits", "transport")


@pytest.fixture(params=["auto", "fsspec"])
def transport(request: pytest.FixtureRequest) -> Iterator[str]:
    """Values go through obstore, or through aiohttp."""
    with zarrds.config_context(transport=request.param):
        yield request.param


DATA = np.arange(400).reshape(20, 20)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    g = zarrds.open_group(str(tmp_path / "g"), mode="w")
    g.create_dataset("z", data=DATA, chunks=(5, 20))
    g.create_dataset("raw", data=DATA, chunks=(20, 20), compressor=None)
    zarrds.consolidate_metadata(str(tmp_path / "g"))
    return tmp_path


@pytest.mark.parametrize("kind", [Quiet, Ranged])
def test_reading(folder: Path, kind: type[Quiet]) -> None:
    with serving(folder, kind, lambda handler: False) as (url, asked):
        g = zarrds.open_group(f"{url}/g", mode="r")
        np.testing.assert_array_equal(g["z"][:], DATA)
        np.testing.assert_array_equal(g["raw"][3:5, 2:9], DATA[3:5, 2:9])
        assert ("z" in g, "no" in g) == (True, False)
        store = g.store
        assert store.getitems(["z/0.0", "z/9.9"]).keys() == {"z/0.0"}
        assert {"z", "raw"} <= set(store.listdir())
        opened = zarrds.open_consolidated(f"{url}/g", mode="r")
        del asked[:]
        assert opened["z"][7, 7] == DATA[7, 7]
        assert asked == ["/g/z/1.0"]
        with pytest.raises(PathNotFoundError):
            zarrds.open(f"{url}/none", mode="r")
        np.testing.assert_array_equal(zarrds.load(f"{url}/g/z"), DATA)


@pytest.mark.parametrize("kind", [Quiet, Ranged])
@pytest.mark.parametrize("value", [b"", b"0123456789"])
@pytest.mark.parametrize(
    "byte_range",
    [(0, None), (0, 0), (2, 5), (7, 12), (8, 18), (10, 12), (99, None), (4, None), (-3, None), (-99, None)],
)
def test_ranges(folder: Path, kind: type[Quiet], value: bytes, byte_range: tuple[int, int | None]) -> None:
    (folder / "k").write_bytes(value)
    with serving(folder, kind, lambda handler: False) as (url, _):
        store = FSStore(url, mode="r")
        found = store.get_many([("no", ByteRange(*byte_range)), ("k", ByteRange(*byte_range)), ("k", None)])
        assert [None if part is None else bytes(part) for part in found] == [None, value[slice(*byte_range)], value]
        (one,) = store.get_many([("k", ByteRange(*byte_range))])
        assert bytes(one or b"") == value[slice(*byte_range)]


def test_parts_of_values_are_all_that_is_sent(folder: Path) -> None:
    (folder / "k").write_bytes(bytes(200_000))
    with serving(folder, Ranged, lambda handler: False) as (url, asked):
        store = FSStore(url, mode="r")
        found = store.get_many([("k", ByteRange(5, 9)), ("k", ByteRange(150_000, 150_009))])
        assert [bytes(part or b"") for part in found] == [bytes(4), bytes(9)]
        assert sorted(asked) == ["/k bytes=150000-150008", "/k bytes=5-8"]


@pytest.mark.parametrize("code", [400, 403, 405, 501])
@pytest.mark.parametrize("kind", [Quiet, Ranged])
def test_a_server_that_refuses_head_is_asked_once_in_another_way(folder: Path, kind: type[Quiet], code: int) -> None:
    (folder / "k").write_bytes(b"0123456789")
    (folder / "e").write_bytes(b"")
    heads: list[str] = []

    class Refusing(kind):  # type: ignore[misc, valid-type]
        def do_HEAD(self) -> None:
            heads.append(self.path)
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(folder, Refusing, lambda handler: False) as (url, asked):
        store = FSStore(url, mode="r")
        found = [bytes(store.get_many([("k", ByteRange(2, 5))])[0] or b"") for _ in range(3)]
        assert (found, heads) == ([b"234"] * 3, ["/k"])
        assert asked == ["/k bytes=0-0", *["/k bytes=2-4" if kind is Ranged else "/k"] * 3]
        assert FSStore(url, mode="r").get_many([("e", ByteRange(0, None)), ("no", ByteRange(0, 1))]) == [b"", None]


def test_absent_values_do_not_hide_that_a_server_obeys_ranges(folder: Path) -> None:
    heads: list[str] = []

    class Noting(Ranged):
        def do_HEAD(self) -> None:
            heads.append(self.path)
            super().do_HEAD()

    (folder / "k").write_bytes(b"0123456789")
    wanted = [(key, ByteRange(2, 5)) for key in ("no", "k", "none")]
    with serving(folder, Noting, lambda handler: False) as (url, asked):
        store = FSStore(url, mode="r")
        for _ in range(2):
            found = store.get_many(wanted)
            assert [None if part is None else bytes(part) for part in found] == [None, b"234", None]
    assert (heads[0], sorted(heads)) == ("/no", ["/k", "/no", "/none"])
    assert asked.count("/k bytes=2-4") == sum(line.startswith("/k") for line in asked) == 2


def test_servers_without_ranges_send_a_value_once(folder: Path) -> None:
    (folder / "k").write_bytes(b"0123456789")
    with serving(folder, Quiet, lambda handler: False) as (url, asked):
        store = FSStore(url, mode="r")
        wanted = [("k", ByteRange(n, n + 1)) for n in range(10)]
        assert [bytes(part or b"") for part in store.get_many(wanted)] == [b"%d" % n for n in range(10)]
        assert asked == ["/k"]


@pytest.mark.parametrize("kind", [Quiet, Ranged])
def test_shards_that_are_read_whole_need_no_ranges(tmp_path: Path, kind: type[Quiet]) -> None:
    """The first thing that is asked of a server may be whole values, before it is known whether it obeys ranges."""
    options: dict[str, Any] = {"chunks": (2, 5), "shards": (4, 10), "zarr_format": 3}
    zarrds.open_array(str(tmp_path / "z"), mode="w", shape=(8, 10), dtype="i8", **options)[:] = DATA[:8, :10]
    with serving(tmp_path, kind, lambda handler: False) as (url, _):
        np.testing.assert_array_equal(zarrds.open_array(f"{url}/z", mode="r")[:], DATA[:8, :10])


def short(handler: Any) -> bool:
    """Promise 100 bytes, send 10, hang up."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"0123456789")
    handler.close_connection = True
    return True


def status(code: int) -> Callable[[Any], bool]:
    def fail(handler: Any) -> bool:
        handler.send_error(code)
        return True

    return fail


def hang_up(handler: Any) -> bool:
    handler.close_connection = True
    return True


@pytest.mark.parametrize(
    ("fail", "expected", "attempts"),
    [
        (status(401), StoreAccessError, 1),
        (status(403), StoreAccessError, 1),
        (status(400), StoreError, 1),
        (status(429), StoreError, 3),
        (status(500), StoreError, 3),
        (status(503), StoreError, 3),
        (short, StoreError, 3),
        (hang_up, StoreConnectionError, 3),
    ],
)
def test_failures_are_errors(
    folder: Path, fail: Callable[[Any], bool], expected: type[StoreError], attempts: int
) -> None:
    with serving(folder, Quiet, fail) as (url, asked), zarrds.config_context(attempts=3):
        store = FSStore(f"{url}/g", mode="r")
        for ask in (lambda: store["k"], lambda: zarrds.open(store, mode="r"), lambda: "k" in store, store.listdir):
            del asked[:]
            with pytest.raises(expected) as caught:
                pytest.fail(f"read {ask()}")
            assert caught.value.attempts == attempts
            assert f"{url}/g" in str(caught.value)


@pytest.mark.parametrize("fault", [status(503), short, hang_up])
def test_passing_failures_pass(folder: Path, fault: Callable[[Any], bool]) -> None:
    count = 0

    def fail(handler: Any) -> bool:
        nonlocal count
        count += 1
        return count % 3 == 1 and fault(handler)

    with serving(folder, Quiet, fail) as (url, _):
        np.testing.assert_array_equal(zarrds.open(f"{url}/g", mode="r")["z"][:], DATA)


def test_buckets_that_deny_what_is_absent(folder: Path) -> None:
    def fail(handler: Any) -> bool:
        return not Path(handler.translate_path(handler.path)).is_file() and status(403)(handler)

    with serving(folder, Quiet, fail) as (url, _):
        with pytest.raises(StoreAccessError, match="missing_exceptions"):
            zarrds.open_group(f"{url}/g", mode="r")["none"]
        g = zarrds.open_group(f"{url}/g", mode="r", storage_options={"missing_exceptions": (PermissionError,)})
        assert "none" not in g
        np.testing.assert_array_equal(g["z"][:], DATA)


def test_nothing_listens() -> None:
    with zarrds.config_context(attempts=2), pytest.raises(StoreConnectionError) as caught:
        FSStore("http://127.0.0.1:9/x", mode="r")["k"]
    assert caught.value.attempts == 2
    with pytest.raises(StoreConnectionError, match="cannot open") as caught:
        FSStore("zip://a::http://me:pw12@127.0.0.1:9/x.zip", mode="r")
    assert "pw12" not in str(caught.value)


def test_xarray(folder: Path) -> None:
    from xarray_backend import to_zarrds

    ds = xarray.Dataset({"t": (("x", "y"), np.arange(12.0).reshape(3, 4))}, coords={"x": [1, 2, 3]})
    to_zarrds(ds, str(folder / "ds"))
    with serving(folder, Quiet, lambda handler: False) as (url, _):
        xarray.testing.assert_identical(xarray.open_dataset(f"{url}/ds", engine="zarrds").load(), ds)


@pytest.mark.parametrize("fault", [status(503), short, hang_up])
def test_caches_do_not_keep_what_came_of_a_value_before_it_failed(
    folder: Path, tmp_path: Path, fault: Callable[[Any], bool]
) -> None:
    count = 0

    def fail(handler: Any) -> bool:
        nonlocal count
        count += 1
        return count % 3 == 1 and fault(handler)

    with serving(folder, Quiet, fail) as (url, asked):
        cached = FSStore(f"simplecache::{url}/g", mode="r", simplecache={"cache_storage": str(tmp_path / "cache")})
        np.testing.assert_array_equal(zarrds.open(cached, mode="r")["z"][:], DATA)
        del asked[:]
        assert cached["z/0.0"] == (folder / "g/z/0.0").read_bytes()
        assert asked == []


def spoken(client: str) -> Callable[[Any], bool]:
    """Refuse to answer other clients."""

    def fail(handler: Any) -> bool:
        return client not in handler.headers.get("User-Agent", "") and status(500)(handler)

    return fail


def test_values_go_through_the_transport_that_is_chosen(folder: Path, transport: str) -> None:
    client = {"auto": "object_store", "fsspec": "aiohttp"}[transport]
    with serving(folder, Quiet, spoken(client)) as (url, _):
        store = FSStore(f"{url}/g", mode="r", headers={"X-Test": "1"})
        assert bytes(store["z/0.0"]) == (folder / "g/z/0.0").read_bytes()


def test_headers_are_sent_and_hidden(folder: Path) -> None:
    def fail(handler: Any) -> bool:
        return handler.headers.get("Authorization") != "Bearer sesame" and status(401)(handler)

    with serving(folder, Quiet, fail) as (url, _):
        store = FSStore(f"{url}/g", mode="r", headers={"Authorization": "Bearer sesame"})
        np.testing.assert_array_equal(zarrds.open(store, mode="r")["z"][:], DATA)
        with pytest.raises(StoreAccessError) as caught:
            FSStore(f"{url}/g", mode="r", headers={"Authorization": "Bearer other-word"})["z/0.0"]
        assert "other-word" not in str(caught.value)


def chunked(handler: Any) -> bool:
    """Send a value without its length."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"5\r\nvalue\r\n0\r\n\r\n")
    return True


def compressed(handler: Any) -> bool:
    body = gzip.compress(b"value")
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
    return True


@pytest.mark.parametrize("answer", [chunked, compressed])
def test_answers_that_obstore_cannot_read_are_read_by_fsspec(
    folder: Path, answer: Callable[[Any], bool], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "_said", set())
    with serving(folder, Quiet, answer) as (url, asked), caplog.at_level(logging.DEBUG, "zarrds"):
        store = FSStore(url, mode="r")
        assert [bytes(store["k"]) for _ in range(3)] == [b"value"] * 3
    if zarrds.get_config().transport == "auto":
        assert len(asked) == 4
        assert sum("values of http:// go through aiohttp" in record.getMessage() for record in caplog.records) == 1


def test_obstore_alone_says_what_it_cannot_read(folder: Path) -> None:
    with serving(folder, Quiet, chunked) as (url, _), zarrds.config_context(transport="obstore", attempts=1):
        with pytest.raises(StoreError, match="Content-Length"):
            FSStore(url, mode="r")["k"]
        with pytest.raises(ArgumentError, match="query"):
            FSStore(f"{url}/a?b=c", mode="r")


@pytest.mark.parametrize("name", ["a b", "ä", "x%20y", "a=b&c", "#1", "~", "a?b", "a+b"])
def test_names_of_keys(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"1")
    with serving(folder, Quiet, lambda handler: False) as (url, _):
        assert bytes(FSStore(url, mode="r")[name]) == b"1"


def test_a_child_of_a_fork_reads(folder: Path) -> None:
    text = """
        import os, sys, warnings, zarrds
        warnings.simplefilter("ignore")
        z = zarrds.open_group(sys.argv[1], mode="r")["z"]
        total = z[:5].sum()
        child = os.fork()
        if not child:
            os._exit(0 if z[:5].sum() == total else 1)
        assert os.waitpid(child, 0)[1] == 0
    """
    with serving(folder, Quiet, lambda handler: False) as (url, _):
        ran = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(text), f"{url}/g"], capture_output=True, timeout=240
        )
    assert ran.returncode == 0, ran.stderr.decode()


@pytest.mark.parametrize("kind", [WithETag, WithTime])
def test_shards_that_are_replaced_while_they_are_read(tmp_path: Path, kind: type[Ranged]) -> None:
    """The first part of a shard is of one state, and the rest of another, which its tag or its time shows."""
    options: dict[str, Any] = {"chunks": 2, "shards": 8, "zarr_format": 3, "compressor": None}
    z = zarrds.open_array(str(tmp_path / "z"), mode="w", shape=8, dtype="i8", **options)
    z[:] = 2
    shard = tmp_path / "z/c/0"
    new = shard.read_bytes()
    z[:] = 1
    os.utime(shard, (1e9, 1e9))
    parts = 0

    def replace(handler: Any) -> bool:
        nonlocal parts
        parts += "Range" in handler.headers and handler.path.endswith("c/0")
        if parts == 2 and shard.read_bytes() != new:
            shard.write_bytes(new)
            os.utime(shard, (1.1e9, 1.1e9))
        return False

    with serving(tmp_path, kind, replace) as (url, asked):
        assert zarrds.open_array(f"{url}/z", mode="r")[0:2].tolist() == [2, 2], asked
    assert parts > 2, asked
