"""Options of s3fs as those of obstore."""

from __future__ import annotations

from typing import Any

import pytest

import zarrds
from zarrds._store.backends.cloud_options import Bucket, bucket_of
from zarrds.errors import ArgumentTypeError

KEYS = {"access_key_id": "k", "secret_access_key": "s", "token": None}


@pytest.fixture(autouse=True)
def no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENDPOINT_URL", "ENDPOINT_URL_S3", "IGNORE_CONFIGURED_ENDPOINT_URLS"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Bucket("b")),
        ({"anon": True}, Bucket("b", anonymous=True)),
        ({"anon": False, "use_listings_cache": True, "use_ssl": True}, Bucket("b")),
        ({"key": "k", "secret": "s"}, Bucket("b", credentials=KEYS)),
        ({"key": "k", "secret": "s", "token": "t"}, Bucket("b", credentials={**KEYS, "token": "t"})),
        ({"client_kwargs": {"endpoint_url": "http://h:9"}}, Bucket("b", "http://h:9")),
        ({"endpoint_url": "http://h:9", "client_kwargs": {"region_name": "r"}}, Bucket("b", "http://h:9", "r")),
        ({"config_kwargs": {"s3": {"addressing_style": "virtual"}}}, Bucket("b", virtual_hosted=True)),
        ({"requester_pays": True, "profile": "p"}, Bucket("b", profile="p", requester_pays=True)),
    ],
)
def test_options(options: dict[str, Any], expected: Bucket) -> None:
    assert bucket_of("s3://b/root", options) == expected


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"s3_additional_kwargs": {"ACL": "private"}}, "option s3_additional_kwargs"),
        ({"config_kwargs": {"retries": {"max_attempts": 1}}}, "config_kwargs retries"),
        ({"client_kwargs": {"verify": False}}, "client_kwargs verify"),
        ({"version_aware": True}, "option version_aware"),
        ({"use_ssl": False}, "option use_ssl"),
        ({"key": "k"}, "credentials in part"),
        ({"token": "t"}, "credentials in part"),
    ],
)
def test_what_stays_with_fsspec(options: dict[str, Any], why: str) -> None:
    assert bucket_of("s3://b/root", options) == why


@pytest.mark.parametrize("url", ["gs://b/x", "s3://arn:aws:s3:x/y", "s3://", "simplecache::s3://b/x"])
def test_urls_that_stay_with_fsspec(url: str) -> None:
    assert bucket_of(url, {}) == "URL"


@pytest.mark.parametrize("path", ["/x", "x//y", "x/./y", "../x"])
def test_paths_that_obstore_would_change_or_refuse(path: str) -> None:
    assert bucket_of(f"s3://b/{path}", {}) == "path with empty parts or dots"
    assert bucket_of("s3://b/x/y//", {}) == bucket_of("s3://b/", {}) == Bucket("b")


def test_variables_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://all:9")
    assert bucket_of("s3://b", {}) == Bucket("b", "http://all:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://s3:9")
    assert bucket_of("s3://b", {}) == Bucket("b", "http://s3:9")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert bucket_of("s3://b", {}) == Bucket("b")


def test_credentials_do_not_show() -> None:
    found = bucket_of("s3://b", {"key": "the-key", "secret": "the-secret"})
    assert "the-" not in repr(found)


def test_only_known_transports() -> None:
    with pytest.raises(ArgumentTypeError, match="fsspec"):
        zarrds.set_config(transport="carrier pigeon")
    assert zarrds.get_config().transport == "auto"
