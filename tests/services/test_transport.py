"""Values of ``s3://`` URLs go through obstore, or through s3fs where it cannot be used; users see no difference."""

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
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import xarray

import zarrds
from tests.servers import S3
from zarrds._base.types import ByteRange
from zarrds._store.backends import direct, obstore_use
from zarrds.errors import ArgumentError, StoreAccessError, StoreConnectionError, StoreError
from zarrds.storage import FSStore

pytestmark = [pytest.mark.service, pytest.mark.usefixtures("waits")]


@pytest.fixture
def bucket(s3: S3) -> str:
    return s3.bucket(f"b{uuid.uuid4().hex[:12]}")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What went through obstore."""
    names: list[str] = []
    for name in ("read_each", "read_tagged", "write_each"):
        plain = getattr(direct.DirectClient, name)

        def noted(self: Any, items: Any, *args: Any, name: str = name, plain: Any = plain) -> Any:
            names.extend([name] * len(items))
            return plain(self, items, *args)

        monkeypatch.setattr(direct.DirectClient, name, noted)
    return names


@pytest.mark.parametrize("transport", ["auto", "obstore", "fsspec"])
def test_values_and_errors_are_the_same(transport: str, s3: S3, bucket: str, sent: list[str]) -> None:
    with zarrds.config_context(transport=transport):
        store = FSStore(f"{bucket}/root", **s3.options)
        store.set_many([("k", b"0123456789"), ("e", b"")])
        wanted = [("k", None), ("k", ByteRange(2, 4)), ("e", ByteRange(-2)), ("no", None), ("k", ByteRange(-3))]
        found = [None if part is None else bytes(part) for part in store.get_many(wanted)]
        lost = FSStore("s3://there-is-none/root", **s3.options)
        with pytest.raises(StoreError, match="bucket does not exist"):
            lost.get_many([("k", None)])
    assert found == [b"0123456789", b"23", b"", None, b"789"]
    assert bool(sent) == (transport != "fsspec")
    assert type(store) is FSStore
    assert len(pickle.dumps(store)) < 1000
    assert bytes(pickle.loads(pickle.dumps(store))["k"]) == b"0123456789"


def test_ranges_are_joined_by_what_was_measured(s3: S3, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = 2**16
    options = {"chunks": (1, chunk), "shards": (16, chunk), "dtype": "u1", "compressor": None, "zarr_format": 3}
    z = zarrds.create((16, chunk), store=FSStore(f"{bucket}/z", **s3.options), **options)
    z[:] = np.arange(1, 17, dtype="u1")[:, None]

    def requests() -> int:
        del s3.asked[:]
        np.testing.assert_array_equal(z[::2], z[:][::2])
        return len(s3.asked) - 1  # the whole shard is one request

    # the index, and one range of twice the bytes, or one for each inner chunk
    for measured, expected in ((None, 2), (2**20, 2), (2**14, 1 + 8)):
        monkeypatch.setattr(direct.DirectClient, "gap_bytes", lambda self, measured=measured: measured)
        assert requests() == expected
    with zarrds.config_context(max_gap_bytes=2**20):  # what is set wins
        assert requests() == 2
    with zarrds.config_context(transport="fsspec"):
        assert FSStore(f"{bucket}/z", **s3.options).gap_bytes() is None


def test_file_systems_that_are_given_stay(s3: S3, bucket: str, sent: list[str]) -> None:
    files = fsspec.filesystem("s3", **s3.options)
    FSStore(f"{bucket}/root", fs=files)["k"] = b"1"
    zarrds.save(files.get_mapper(f"{bucket}/m"), np.arange(3))
    assert sent == []


def test_large_values_go_in_parts(s3: S3, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "_IN_PARTS_BYTES", 6 * 2**20)
    monkeypatch.setattr(direct, "_PART_BYTES", 5 * 2**20)
    store, value = FSStore(f"{bucket}/root", **s3.options), bytes(range(256)) * 2**15
    del s3.asked[:]
    store["large"] = value
    assert sum("partNumber" in line for line in s3.asked) == 2
    assert bytes(store["large"]) == value


def test_what_has_no_equal_is_said_once(
    s3: S3, bucket: str, sent: list[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "_said", set())
    options = {**s3.options, "s3_additional_kwargs": {"ServerSideEncryption": "AES256"}}
    with caplog.at_level(logging.DEBUG, "zarrds"):
        for _ in range(2):
            FSStore(f"{bucket}/root", **options)["k"] = b"1"
    assert sent == []
    assert [r.getMessage() for r in caplog.records if r.name == "zarrds"] == [
        "values of s3:// go through s3fs, as obstore cannot be used: option s3_additional_kwargs"
    ]
    with zarrds.config_context(transport="obstore"), pytest.raises(ArgumentError, match="s3_additional_kwargs"):
        FSStore(f"{bucket}/root", **options)


def test_without_obstore(s3: S3, bucket: str, sent: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "find_spec", lambda name: None)
    FSStore(f"{bucket}/root", **s3.options)["k"] = b"1"
    assert sent == []


@pytest.mark.parametrize("host", ["127.0.0.1:9", "no-such-host.invalid:9"])
def test_a_wrong_endpoint_is_named_with_its_cure(host: str, waits: list[float], sent: list[str]) -> None:
    options = {"key": "dummy-key", "secret": "dummy-secret", "endpoint_url": f"http://{host}"}
    with pytest.raises(StoreConnectionError, match=host) as caught:
        FSStore("s3://b/root", **options)["k"]
    assert caught.value.attempts == zarrds.get_config().connect_attempts
    assert "endpoint_url" in str(caught.value)
    assert "dummy-secret" not in str(caught.value)
    assert sum(waits) < 10
    assert sent


def test_missing_credentials_are_said_by_botocore(sent: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(StoreAccessError, match="credentials"):
        FSStore("s3://b/root", endpoint_url="http://127.0.0.1:9")["k"]
    assert sent == []


def test_credentials_of_the_environment(s3: S3, bucket: str, sent: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "dummy-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "dummy-secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.address)
    store = FSStore(f"{bucket}/env")
    store["k"] = b"1"
    assert bytes(FSStore(f"{bucket}/env", **s3.options)["k"]) == b"1"
    assert sent


def test_defaults_of_fsspec_hold(s3: S3, bucket: str, sent: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fsspec.config.conf, "s3", dict(s3.options))
    FSStore(f"{bucket}/conf")["k"] = b"1"
    assert bytes(FSStore(f"{bucket}/conf", **s3.options)["k"]) == b"1"
    assert sent


def test_a_service_in_the_configuration_file_of_aws(
    s3: S3, bucket: str, sent: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "config"
    file.write_text(
        f"[profile here]\nendpoint_url = {s3.address}\n"
        "[profile parts]\nservices = mine\nendpoint_url = http://other\n"
        f"[services mine]\ns3 =\n  endpoint_url = {s3.address}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    for profile in ("here", "parts"):
        FSStore(f"{bucket}/{profile}", profile=profile, key="dummy-key", secret="dummy-secret")["k"] = b"1"
        assert bytes(FSStore(f"{bucket}/{profile}", **s3.options)["k"]) == b"1"
    assert len(sent) == 4


def test_a_child_of_a_fork_uses_s3fs(s3: S3, bucket: str) -> None:
    text = f"""
        import os, zarrds, warnings
        warnings.simplefilter("ignore")
        from zarrds._store.backends import obstore_use
        options = {s3.options!r}
        z = zarrds.open_array({bucket!r} + "/z", mode="w", shape=8, chunks=2, dtype="i4", storage_options=options)
        z[:4] = 1
        assert obstore_use._used_by == os.getpid()
        child = os.fork()
        if not child:
            assert not obstore_use.is_usable()
            z[4:] = z[:4] + 1
            again = zarrds.open_array({bucket!r} + "/z", mode="r", storage_options=options)
            os._exit(0 if again[:].tolist() == [1, 1, 1, 1, 2, 2, 2, 2] else 1)
        assert os.waitpid(child, 0)[1] == 0
        print(z[:].tolist())
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(text)], capture_output=True, timeout=240)
    assert ran.stdout.decode().strip() == "[1, 1, 1, 1, 2, 2, 2, 2]", ran.stderr.decode()


def test_writers_through_both_transports(s3: S3, bucket: str) -> None:
    url = f"{bucket}/z"
    zarrds.open_array(url, mode="w", shape=0, chunks=8, dtype="i8", storage_options=s3.options)

    jobs = []
    with ThreadPoolExecutor(2) as pool:
        for number, transport in ((1, "obstore"), (2, "fsspec")):
            with zarrds.config_context(transport=transport):
                store = FSStore(url, **s3.options)
            jobs.append(pool.submit(_append, store, number))
        for job in jobs:
            job.result()
    found = zarrds.open_array(url, mode="r", storage_options=s3.options)[:].reshape(-1, 3)
    assert (found == found[:, :1]).all()
    assert sorted(found[:, 0].tolist()) == [100 * n + k for n in (1, 2) for k in range(3)]


def _append(store: FSStore, number: int) -> None:
    z = zarrds.open_array(store, mode="r+")
    for k in range(3):
        z.append(np.full(3, 100 * number + k))


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """A service whose bucket is in another region: it answers like S3 to requests that are signed for the wrong one."""

    asked: list[tuple[str, str]]

    def do_GET(self) -> None:
        here = "/eu-west-9/" in self.headers.get("Authorization", "")
        self.asked.append((self.command, "eu-west-9" if here else "elsewhere"))
        body = b"value" if here else b""
        self.send_response(200 if here else 301)
        self.send_header("x-amz-bucket-region", "eu-west-9")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815  # the name that the server looks for

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    asked: list[tuple[str, str]] = []
    handler = type("Handler", (Elsewhere,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_the_region_of_a_bucket_is_found(elsewhere: tuple[str, list[tuple[str, str]]]) -> None:
    address, asked = elsewhere
    store = FSStore("s3://far/root", key="k", secret="s", endpoint_url=address)
    for _ in range(2):
        assert bytes(store["k"]) == b"value"
    assert asked == [("GET", "elsewhere"), ("HEAD", "elsewhere"), ("GET", "eu-west-9"), ("GET", "eu-west-9")]


def test_a_child_knows_that_it_cannot_use_obstore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obstore_use, "_used_by", -1)
    assert not obstore_use.is_usable()


def test_a_consolidated_dataset_opens_with_few_requests(s3: S3, bucket: str) -> None:
    from xarray_backend import to_zarrds

    ds = xarray.Dataset(
        {f"v{n}": (("t", "y", "x"), np.zeros((4, 3, 2))) for n in range(5)},
        {"t": np.arange(4), "y": np.arange(3.0), "x": [1, 2], "height": ("y", [5.0, 6.0, 7.0])},
    )
    to_zarrds(ds, f"{bucket}/ds.zarr", storage_options=s3.options)
    del s3.asked[:]
    opened = xarray.open_dataset(f"{bucket}/ds.zarr", engine="zarrds", storage_options=s3.options)
    assert sorted(opened.data_vars) == [f"v{n}" for n in range(5)]
    assert opened["y"].to_index().tolist() == [0, 1, 2]
    # the documents of both formats together, then one value for each index
    assert len(s3.asked) == 2 + 3, s3.asked
