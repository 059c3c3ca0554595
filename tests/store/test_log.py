"""The logger `zarrds`: silent by default, says what makes waiting necessary, never shows credentials."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import zarrds
import zarrds.dask
from zarrds._store import retry
from zarrds._store.pace import Pace
from zarrds.errors import StoreError

SECRETS = ("AKIA-NOBODY", "hush-hush-hush", "sig-1234", "pass-5678")


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG, logger="zarrds"), zarrds.config_context(retry_delay_ms=0, connect_attempts=2):
        yield caplog


def nobody_listens() -> int:
    """Return a port of this machine that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def failing_once(error: Exception) -> Any:
    errors = [error]

    def send(items: Sequence[str]) -> list[Any]:
        return [errors.pop() if errors else item for item in items]

    return send


def test_requests_that_are_sent_again(said: pytest.LogCaptureFixture) -> None:
    answers, attempts = retry.answered(["a", "b"], failing_once(TimeoutError("pass-5678")), where="<a store>")
    assert (answers, attempts) == (["a", "b"], 2)
    (record,) = said.records
    assert (record.name, record.levelname) == ("zarrds", "INFO")
    assert record.getMessage() == "<a store>: 1 of 2 requests failed (TimeoutError): waiting before attempt 2 of 10"


def test_nothing_is_said_of_what_succeeds_or_is_final(said: pytest.LogCaptureFixture) -> None:
    retry.answered(["a"], lambda items: items)
    retry.answered(["a"], failing_once(PermissionError("denied")))
    assert said.records == []


@pytest.mark.parametrize("transport", ["fsspec", "obstore"])
def test_a_service_that_cannot_be_reached(said: pytest.LogCaptureFixture, transport: str) -> None:
    if transport == "obstore":
        pytest.importorskip("obstore")
    pytest.importorskip("s3fs")
    port = nobody_listens()
    options = {
        "key": SECRETS[0],
        "secret": SECRETS[1],
        "client_kwargs": {"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1"},
    }
    with zarrds.config_context(transport=transport), pytest.raises(StoreError):
        zarrds.open("s3://bucket/x", mode="r", storage_options=options)
    first = next(record for record in said.records if record.levelname == "WARNING")
    assert "s3://bucket/x" in first.getMessage()
    assert "cannot be reached" in first.getMessage()
    assert "waiting before attempt 2 of 2" in first.getMessage()
    assert not any(secret in said.text for secret in SECRETS)


def test_credentials_in_urls_are_not_said(said: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("aiohttp")
    url = f"http://me:{SECRETS[3]}@127.0.0.1:{nobody_listens()}/x?sig={SECRETS[2]}"
    with pytest.raises(StoreError):
        zarrds.open(url, mode="r")
    assert "cannot be reached" in said.text
    assert not any(secret in said.text for secret in SECRETS)


def test_a_service_that_asks_for_less(said: pytest.LogCaptureFixture) -> None:
    pace = Pace()
    pace.done(0.1, 0, slowed=True)
    assert said.messages == [f"a service asks for less: it gets {pace.limit} requests at a time from now on"]


def test_caches_that_are_emptied(said: pytest.LogCaptureFixture) -> None:
    cache = zarrds.LRUStoreCache({"k": b"12345"}, max_size=100)
    assert cache["k"] == b"12345"
    cache.invalidate()
    assert [message for message in said.messages if "5 bytes" in message]


def test_jobs_that_continue(said: pytest.LogCaptureFixture) -> None:
    z, store = zarrds.array(np.arange(16).reshape(4, 4), chunks=(1, 4)), zarrds.MemoryStore()
    zarrds.dask.rechunk(z, store, chunks=(4, 1), target_path="t", max_mem="1MB")
    assert said.messages == []
    job = zarrds.dask.rechunk(z, store, chunks=(4, 1), target_path="t", max_mem="1MB")
    assert [message for message in said.messages if message.startswith("continuing the unfinished job at /t in ")]
    assert job.compute()[3, 3] == 15


def test_it_is_silent_by_default() -> None:
    code = f"""
import zarrds
zarrds.set_config(retry_delay_ms=0, connect_attempts=2)
try:
    zarrds.open("http://127.0.0.1:{nobody_listens()}/x", mode="r")
except zarrds.errors.StoreError:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("refused\n", "")


def test_debug_of_the_command_line_shows_it() -> None:
    from click.testing import CliRunner

    from zarrds.cli import main

    with zarrds.config_context(retry_delay_ms=0, connect_attempts=2):
        args = ["info", f"http://me:{SECRETS[3]}@127.0.0.1:{nobody_listens()}/x"]
        quiet, debug = CliRunner().invoke(main, args), CliRunner().invoke(main, [*args, "--debug"])
    assert (quiet.exit_code, debug.exit_code) == (1, 1)
    assert "waiting before attempt 2 of 2" not in quiet.stderr
    assert "waiting before attempt 2 of 2" in debug.stderr
    assert SECRETS[3] not in debug.stderr
    assert [type(handler) for handler in logging.getLogger("zarrds").handlers] == [logging.NullHandler]
