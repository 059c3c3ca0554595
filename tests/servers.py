"""Services for tests: each is a context manager that starts one and ends it.

Where a server is not installed, tests skip and say so; with ZARRDS_REQUIRE_SERVICES=1 they fail instead.
"""

from __future__ import annotations

import io
import logging
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

__all__ = ["S3", "azurite", "lacking", "mongodb", "redis_server", "s3_server"]

AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that the emulator has; its key is public."""


def lacking(what: str) -> None:
    """Skip the test for want of a service, or fail it where services are required."""
    if os.environ.get("ZARRDS_REQUIRE_SERVICES"):
        pytest.fail(f"{what} is required (ZARRDS_REQUIRE_SERVICES is set) but not there")
    pytest.skip(f"{what} is not there")


def command(name: str) -> str:
    """Path of a command: what ``ZARRDS_TEST_<NAME>`` says, else what the search path has."""
    given = os.environ.get(f"ZARRDS_TEST_{name.upper().replace('-', '_')}")
    found = given or shutil.which(name)
    if found is None:
        lacking(f"the command {name}")
    assert found is not None
    return found


@contextmanager
def running(arguments: Callable[[int], Sequence[str]], folder: Path) -> Iterator[int]:
    """Run a server, whose command `arguments` gives for a port, until the block ends; the port where it listens."""
    for _ in range(5):  # another process may take the port before the server does
        port = free_port()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(arguments(port), cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            if _listens(process, port):
                yield port
                return
        finally:
            _end(process)
    pytest.fail(f"{process.args!r} does not listen: {(folder / 'log').read_text(errors='replace')[-2000:]}")


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server listens; False if it ended instead, or needs minutes."""
    end = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)  # nothing says when a server begins to listen
        else:
            return process.poll() is None
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def redis_server(folder: Path) -> Iterator[int]:
    """A Redis server that keeps nothing on disk; its port."""
    program = command("redis-server")
    options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    with running(lambda port: [program, "--port", str(port), *options], folder) as port:
        yield port


@contextmanager
def azurite(folder: Path) -> Iterator[str]:
    """Azurite, an emulator of blob storage; the URL of its account."""
    program = command("azurite-blob")
    options = ["--blobHost", "127.0.0.1", "--inMemoryPersistence"]
    options += ["--silent", "--skipApiVersionCheck", "--disableProductStyleUrl"]
    with running(lambda port: [program, "--blobPort", str(port), *options], folder) as port:
        yield f"http://127.0.0.1:{port}/{AZURITE_ACCOUNT}"


@contextmanager
def mongodb() -> Iterator[dict[str, Any]]:
    """The server that ZARRDS_TEST_MONGO_URI names, else a stand-in in this process; how to reach it."""
    uri = os.environ.get("ZARRDS_TEST_MONGO_URI")
    if uri is not None:
        yield {"host": uri}
        return
    import mongomock
    import pymongo

    documents = mongomock.store.ServerStore()
    builder = mongomock.collection.BulkOperationBuilder
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pymongo, "MongoClient", lambda **options: mongomock.MongoClient(_store=documents, **options))
        for name in ("add_replace", "add_update"):  # which do not know the newest argument of pymongo's operations
            plain = getattr(builder, name)
            patch.setattr(
                builder, name, lambda self, *args, sort=None, plain=plain, **options: plain(self, *args, **options)
            )
        yield {}


@dataclass(frozen=True)
class S3:
    """An S3 service for tests: its address, and what it was asked."""

    address: str
    asked: list[str]

    @property
    def options(self) -> dict[str, Any]:
        """Storage options for s3fs; the credentials are dummies."""
        return {"key": "dummy-key", "secret": "dummy-secret", "client_kwargs": {"endpoint_url": self.address}}

    def bucket(self, name: str) -> str:
        """URL of a bucket, which is created if need be."""
        import fsspec

        files = fsspec.filesystem("s3", **self.options)
        if not files.exists(name):
            files.mkdir(name)
        return f"s3://{name}"

    def obstore(self, bucket: str, prefix: str) -> Any:
        """An obstore object for what is below a prefix of a bucket."""
        from obstore.store import S3Store

        return S3Store(
            bucket.removeprefix("s3://"),
            prefix=prefix,
            endpoint=self.address,
            access_key_id=self.options["key"],
            secret_access_key=self.options["secret"],
            region="us-east-1",
            client_options={"allow_http": True},
        )


def one_change_at_a_time(application: Any) -> Any:
    """A WSGI application that changes nothing while it changes something else, as S3 promises and moto does not.

    moto compares the condition of a request and stores its value in two steps: of two requests with one ``If-Match``
    both may succeed. The value is read before the turn comes, so that a client that stops half-way holds up nobody.
    """
    turn = threading.Lock()

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return application(environ, start_response)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length:
            environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
        with turn:
            return application(environ, start_response)

    return answer


@contextmanager
def s3_server() -> Iterator[S3]:
    """S3 as moto plays it over HTTP, in a thread of this process."""
    try:
        from moto.server import ThreadedMotoServer
    except ImportError:
        lacking("the package moto[server]")
    asked: list[str] = []

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            asked.append(record.getMessage())

    log, notes = logging.getLogger("werkzeug"), Notes()
    log.addHandler(notes)
    log.setLevel(logging.INFO)
    log.propagate = False
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    assert server._server is not None
    server._server.app = one_change_at_a_time(server._server.app)
    try:
        yield S3("http://{}:{}".format(*server.get_host_and_port()), asked)
    finally:
        server.stop()
        log.removeHandler(notes)
