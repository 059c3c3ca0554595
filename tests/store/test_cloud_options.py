"""Options of s3fs as those of obstore."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import zarrds
from zarrds._store.aws import configured_endpoint
from zarrds._store.backends.cloud_options import Bucket, bucket_of, configured
from zarrds.errors import ArgumentError

KEYS = {"access_key_id": "k", "secret_access_key": "s", "token": None}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of this machine."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name == "REQUESTS_CA_BUNDLE"]:
        monkeypatch.delenv(name)
    for name in ("CONFIG_FILE", "SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(f"AWS_{name}", str(tmp_path / name))


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
    with pytest.raises(ArgumentError, match="fsspec"):
        zarrds.set_config(transport="carrier pigeon")
    assert zarrds.get_config().transport == "auto"


@pytest.mark.parametrize(
    ("variable", "why"),
    [
        ("AWS_CA_BUNDLE", "setting ca_bundle"),
        ("REQUESTS_CA_BUNDLE", "setting ca_bundle"),
        ("AWS_USE_FIPS_ENDPOINT", "setting use_fips_endpoint"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "setting use_dualstack_endpoint"),
        ("AWS_ENDPOINT", "variable AWS_ENDPOINT"),
    ],
)
def test_variables_that_one_of_the_clients_does_not_know(
    variable: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert configured(Bucket("b")) == Bucket("b")
    monkeypatch.setenv(variable, "true")
    assert configured(Bucket("b")) == why


def test_certificates_do_not_matter_without_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/somewhere")
    assert configured(Bucket("b", "http://h:9")) == Bucket("b", "http://h:9")
    assert configured(Bucket("b", "https://h:9")) == "setting ca_bundle"


def test_the_service_that_is_to_be_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://all:9")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert configured(Bucket("b")) == "variable AWS_ENDPOINT_URL"


def test_the_configuration_file(tmp_path: Path) -> None:
    (tmp_path / "CONFIG_FILE").write_text(
        "[default]\nregion = r\n[profile own]\nendpoint_url = http://h:9\ns3 =\n  addressing_style = virtual\n"
        "[profile quick]\ns3 =\n  use_accelerate_endpoint = true\n[profile safe]\nca_bundle = /somewhere\n"
    )
    assert configured(Bucket("b")) == Bucket("b", region="r")
    own = Bucket("b", profile="own")
    assert configured(own) == replace(own, endpoint="http://h:9", virtual_hosted=True)
    assert configured(Bucket("b", profile="quick")) == "setting use_accelerate_endpoint"
    assert configured(Bucket("b", profile="safe")) == "setting ca_bundle"
    assert configured(Bucket("b", profile="none")) == "configuration of AWS (ProfileNotFound)"
    assert configured_endpoint("own") == "http://h:9"
    assert configured_endpoint(None) is configured_endpoint("none") is None


def test_the_name_of_the_host() -> None:
    assert Bucket("b", "http://h:9/x").address == "http://h:9/x"
    assert Bucket("b", "http://h:9", virtual_hosted=True).address == "http://b.h:9"
    assert Bucket("b", virtual_hosted=True).address is None
