"""Values of ``az://`` URLs go through obstore, or through adlfs where it cannot be used; users see no difference."""

from __future__ import annotations

import http.server
import logging
import pickle
import subprocess
import sys
import textwrap
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import xarray
from azure.storage.blob import ContainerClient, generate_container_sas

import zarrds
from tests.servers import AZURITE_ACCOUNT, AZURITE_KEY, lacking
from zarrds._base.types import ByteRange
from zarrds._store.backends import direct
from zarrds.errors import ArgumentError, StoreAccessError, StoreError
from zarrds.storage import FSStore

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.usefixtures("waits", "adlfs")]


@pytest.fixture
def adlfs() -> None:
    if find_spec("adlfs") is None:
        lacking("the package adlfs")


@pytest.fixture
def container(azurite_url: str) -> str:
    """Name of a container."""
    name = f"test-{uuid.uuid4().hex}"
    ContainerClient(azurite_url, name, credential=AZURITE_KEY).create_container()
    return name


@pytest.fixture
def options(azurite_url: str) -> dict[str, str]:
    named = f"AccountName={AZURITE_ACCOUNT};AccountKey={AZURITE_KEY};BlobEndpoint={azurite_url};"
    return {"connection_string": f"DefaultEndpointsProtocol=http;{named}"}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What went through obstore."""
    names: list[str] = []
    for name in ("read_each", "write_each"):
        plain = getattr(direct.DirectClient, name)

        def noted(self: Any, items: Any, *args: Any, name: str = name, plain: Any = plain) -> Any:
            names.extend([name] * len(items))
            return plain(self, items, *args)

        monkeypatch.setattr(direct.DirectClient, name, noted)
    return names


@pytest.mark.parametrize("protocol", ["az", "abfs"])
@pytest.mark.parametrize("transport", ["auto", "obstore", "fsspec"])
def test_values_and_errors_are_the_same(
    transport: str, protocol: str, container: str, options: dict[str, str], sent: list[str]
) -> None:
    with zarrds.config_context(transport=transport):
        store = FSStore(f"{protocol}://{container}/root", **options)
        store.set_many([("k", b"0123456789"), ("e", b"")])
        wanted = [("k", None), ("k", ByteRange(2, 4)), ("e", ByteRange(0, 2)), ("no", None), ("k", ByteRange(-3))]
        found = [None if part is None else bytes(part) for part in store.get_many(wanted)]
        with pytest.raises(StoreError, match=r"container does not exist|No such file or directory: 'there-is-none"):
            FSStore(f"{protocol}://there-is-none/root", **options).get_many([("k", None)])
    assert found == [b"0123456789", b"23", b"", None, b"789"]
    assert bool(sent) == (transport != "fsspec")
    assert type(store) is FSStore
    assert len(pickle.dumps(store)) < 1000
    assert bytes(pickle.loads(pickle.dumps(store))["k"]) == b"0123456789"
    assert sorted(store) == ["e", "k"]


@pytest.mark.parametrize("key", ["a b", "ä/ö", "x%20y", "a+b", "a=b&c", "~", "#1", "c/0/0"])
def test_names_are_the_same(key: str, container: str, options: dict[str, str]) -> None:
    one = FSStore(f"az://{container}/root", **options)
    with zarrds.config_context(transport="fsspec"):
        other = FSStore(f"az://{container}/root", **options)
    one[key] = b"1"
    assert bytes(other[key]) == b"1"
    other[key] = b"2"
    assert bytes(one[key]) == b"2"
    assert list(one) == list(other) == [key]


def test_a_shared_access_signature(container: str, options: dict[str, str], sent: list[str], azurite_url: str) -> None:
    FSStore(f"az://{container}/root", **options)["k"] = b"1"
    signature = generate_container_sas(
        AZURITE_ACCOUNT, container, AZURITE_KEY, permission="r", expiry=datetime.now(UTC) + timedelta(hours=1)
    )
    given = f"AccountName={AZURITE_ACCOUNT};SharedAccessSignature={signature};BlobEndpoint={azurite_url}"
    reader = FSStore(f"az://{container}/root", connection_string=given)
    assert bytes(reader["k"]) == b"1"
    with pytest.raises(StoreAccessError) as caught:
        reader["k"] = b"2"
    assert signature.rpartition("sig=")[2][:8] not in str(caught.value)
    assert sent == ["write_each", "read_each", "write_each"]


def test_a_wrong_key_is_refused_and_hidden(container: str, options: dict[str, str], sent: list[str]) -> None:
    wrong = {"connection_string": options["connection_string"].replace(AZURITE_KEY, "c2VjcmV0LWtleQ==")}
    with pytest.raises(StoreAccessError) as caught:
        FSStore(f"az://{container}/root", **wrong)["k"]
    assert "c2VjcmV0" not in str(caught.value)
    assert sent == ["read_each"]


def test_large_values_go_in_parts(container: str, options: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "_IN_PARTS_BYTES", 2**20)
    monkeypatch.setattr(direct, "_PART_BYTES", 2**20)
    store, value = FSStore(f"az://{container}/root", **options), bytes(range(256)) * 2**14
    store["large"] = value
    assert bytes(store["large"]) == value


def test_what_has_no_equal_is_said_once(
    container: str,
    options: dict[str, str],
    sent: list[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(direct, "_said", set())
    with caplog.at_level(logging.DEBUG, "zarrds"):
        for _ in range(2):
            FSStore(f"az://{container}/root", version_aware=True, **options)
    assert sent == []
    assert [r.getMessage() for r in caplog.records if r.name == "zarrds"] == [
        "values of az:// go through adlfs, as obstore cannot be used: option version_aware"
    ]
    with zarrds.config_context(transport="obstore"), pytest.raises(ArgumentError, match="version_aware"):
        FSStore(f"az://{container}/root", version_aware=True, **options)


def test_a_child_of_a_fork_uses_adlfs(container: str, options: dict[str, str]) -> None:
    text = f"""
        import os, zarrds, warnings
        warnings.simplefilter("ignore")
        from zarrds._store.backends import obstore_use
        options, url = {options!r}, "az://{container}/z"
        z = zarrds.open_array(url, mode="w", shape=8, chunks=2, dtype="i4", storage_options=options)
        z[:4] = 1
        assert obstore_use._used_by == os.getpid()
        child = os.fork()
        if not child:
            z[4:] = z[:4] + 1
            again = zarrds.open_array(url, mode="r", storage_options=options)
            os._exit(0 if again[:].tolist() == [1, 1, 1, 1, 2, 2, 2, 2] else 1)
        assert os.waitpid(child, 0)[1] == 0
        print(z[:].tolist())
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(text)], capture_output=True, timeout=240)
    assert ran.stdout.decode().strip() == "[1, 1, 1, 1, 2, 2, 2, 2]", ran.stderr.decode()


def test_datasets(container: str, options: dict[str, str], sent: list[str]) -> None:
    from xarray_backend import to_zarrds

    ds = xarray.Dataset({"v": (("y", "x"), np.arange(6.0).reshape(2, 3))}, {"y": [0, 1], "x": [1.0, 2.0, 3.0]})
    url = f"az://{container}/ds.zarr"
    to_zarrds(ds, url, storage_options=options, zarr_format=3, encoding={"v": {"chunks": (1, 1), "shards": (2, 3)}})
    found = xarray.open_dataset(url, engine="zarrds", storage_options=options)
    xarray.testing.assert_identical(found.load(), ds)
    assert "read_each" in sent


class Busy(http.server.BaseHTTPRequestHandler):
    """A service that is busy at first."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = b"busy" if len(self.asked) < 3 else b"value"
        self.send_response(503 if len(self.asked) < 3 else 200)
        for name, value in (("Content-Length", str(len(body))), ("ETag", "x")):
            self.send_header(name, value)
        self.send_header("Last-Modified", "Tue, 01 Dec 2026 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def busy() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("Handler", (Busy,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/me", asked
        server.shutdown()
        thread.join()


def test_requests_are_repeated_by_us_alone(busy: tuple[str, list[str]], waits: list[float]) -> None:
    address, asked = busy
    store = FSStore("az://con/root", connection_string=f"AccountName=me;AccountKey=a2V5;BlobEndpoint={address}")
    assert bytes(store["k"]) == b"value"
    assert asked == ["/me/con/root/k"] * 3
    assert len(waits) == 2


def test_values_are_set_under_conditions(container: str, options: dict[str, str]) -> None:
    store, url = FSStore(f"az://{container}/root", **options), f"az://{container}/z"
    assert store.can_set_if
    assert [store.set_if("k", b"1", None), store.set_if("k", b"2", None)] == [True, False]
    assert [store.set_if("k", b"3", b"2"), store.set_if("k", b"3", b"1")] == [False, True]
    assert bytes(store["k"]) == b"3"
    with zarrds.config_context(transport="fsspec"):
        assert not FSStore(f"az://{container}/root", **options).can_set_if
    zarrds.open_array(url, mode="w", shape=0, chunks=8, dtype="i8", storage_options=options)

    def append(number: int) -> None:
        z = zarrds.open_array(url, mode="r+", storage_options=options)
        for k in range(3):
            z.append(np.full(3, 100 * number + k))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(append, (1, 2)))
    found = zarrds.open_array(url, mode="r", storage_options=options)[:].reshape(-1, 3)
    assert (found == found[:, :1]).all()
    assert sorted(found[:, 0].tolist()) == [100 * n + k for n in (1, 2) for k in range(3)]
