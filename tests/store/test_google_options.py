"""Options of gcsfs as those of obstore."""

from __future__ import annotations

import os
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from zarrds._store.backends.google_options import GoogleBucket, google_bucket_of

HERE = "https://storage.googleapis.com"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of this machine."""
    for name in [name for name in os.environ if "PROXY" in name.upper() or name.startswith(("GOOGLE_", "SSL_CERT"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)


def found(path: str, **options: Any) -> GoogleBucket | str:
    # a file system keeps all options, of which only these matter here
    return google_bucket_of(path, MemoryFileSystem(skip_instance_cache=True, **options))


@pytest.mark.parametrize(
    ("options", "endpoint"),
    [
        ({}, HERE),
        ({"token": "anon", "project": "p", "access": "read_only", "block_size": 5, "consistency": "none"}, HERE),
        ({"requester_pays": False, "version_aware": False, "timeout": None}, HERE),
        ({"endpoint_url": "http://127.0.0.1:4443/"}, "http://127.0.0.1:4443"),
    ],
)
def test_options(options: dict[str, Any], endpoint: str) -> None:
    assert found("b/root", **options) == GoogleBucket("b", endpoint, None)


@pytest.mark.parametrize(
    ("path", "options", "why"),
    [
        ("", {}, "path with empty parts or dots"),
        ("b//x", {}, "path with empty parts or dots"),
        ("b/../x", {}, "path with empty parts or dots"),
        ("b/x", {"requester_pays": True}, "option requester_pays"),
        ("b/x", {"requester_pays": "project", "version_aware": True}, "option requester_pays, option version_aware"),
        ("b/x", {"consistency": "md5"}, "option consistency"),
        ("b/x", {"session_kwargs": {"trust_env": True}}, "option session_kwargs"),
    ],
)
def test_what_stays_with_fsspec(path: str, options: dict[str, Any], why: str) -> None:
    assert found(path, **options) == why


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [("http://here:1", "http://here:1"), ("here:1", "http://here:1"), ("default", HERE), ("", HERE)],
)
def test_an_emulator_of_the_environment(host: str, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", host)
    assert found("b") == GoogleBucket("b", endpoint, None)


@pytest.mark.parametrize("name", ["https_proxy", "SSL_CERT_FILE", "GOOGLE_CLOUD_UNIVERSE_DOMAIN"])
def test_variables_that_stay_with_fsspec(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")
    assert found("b") == f"variable {name}"


def test_credentials_do_not_show_and_make_other_clients() -> None:
    one, other = found("b", token="sesame"), found("b", token="anon")
    assert isinstance(one, GoogleBucket)
    assert isinstance(other, GoogleBucket)
    assert "sesame" not in repr(one) + one.secret
    assert one.secret != other.secret
