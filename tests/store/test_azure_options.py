"""Options of adlfs as those of obstore."""

from __future__ import annotations

import os
from typing import Any

import pytest

from zarrds._store.backends.azure_options import Container, container_of

HOST = "https://me.blob.core.windows.net"
KEY = {"account_name": "me", "account_key": "a2V5"}
SIGNATURE = "sv=2024&sig=abc%3D"
CONNECTION = "DefaultEndpointsProtocol=https;AccountName=me;AccountKey=a2V5=;EndpointSuffix=core.windows.net"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of this machine."""
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (KEY, Container("c", "me", HOST, "a2V5")),
        ({**KEY, "sas_token": SIGNATURE, "anon": True, "blocksize": 5}, Container("c", "me", HOST, "a2V5")),
        ({**KEY, "account_host": "h.org", "location_mode": "primary"}, Container("c", "me", "https://h.org", "a2V5")),
        ({"account_name": "me", "sas_token": f"?{SIGNATURE}"}, Container("c", "me", HOST, None, SIGNATURE)),
        ({**KEY, "credential": SIGNATURE}, Container("c", "me", HOST, None, SIGNATURE)),
        ({"account_name": "me", "anon": True}, Container("c", "me", HOST)),
        ({"connection_string": CONNECTION}, Container("c", "me", HOST, "a2V5=")),
        (
            {"connection_string": f"BlobEndpoint=http://h:9/me/;AccountName=me;SharedAccessSignature={SIGNATURE};"},
            Container("c", "me", "http://h:9/me", None, SIGNATURE),
        ),
    ],
)
def test_options(options: dict[str, Any], expected: Container) -> None:
    assert container_of("c/root", options) == expected


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"account_name": "me"}, "credentials of azure-identity"),
        ({"account_name": "me", "anon": False}, "credentials of azure-identity"),
        ({**KEY, "credential": object()}, "option credential"),
        ({**KEY, "credential": "a2V5"}, "option credential"),
        ({**KEY, "tenant_id": "t"}, "option tenant_id"),
        ({**KEY, "version_aware": True}, "option version_aware"),
        ({**KEY, "location_mode": "secondary"}, "option location_mode"),
        ({"account_key": "a2V5"}, "no name of an account"),
        ({"connection_string": "UseDevelopmentStorage=true"}, "such a connection string"),
        ({"connection_string": f"{CONNECTION};Else=1"}, "such a connection string"),
        ({"connection_string": CONNECTION, "read_timeout": 5}, "option read_timeout"),
    ],
)
def test_what_stays_with_fsspec(options: dict[str, Any], why: str) -> None:
    assert container_of("c/root", options) == why


@pytest.mark.parametrize("path", ["", "c//x", "c/./y", "c/../x", "c/x?versionid=1"])
def test_paths_that_stay_with_fsspec(path: str) -> None:
    assert container_of(path, KEY) == "path with empty parts, dots or a query"


def test_variables_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "me")
    assert container_of("c", {"account_key": "a2V5"}) == Container("c", "me", HOST, "a2V5")
    monkeypatch.setenv("AZURE_STORAGE_ANON", "true")
    assert container_of("c", {}) == Container("c", "me", HOST)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", CONNECTION)
    assert container_of("c", {"sas_token": SIGNATURE}) == Container("c", "me", HOST, "a2V5=")
    monkeypatch.setenv("AZURE_ENCRYPTION_KEY", "k")
    assert container_of("c", KEY) == "variable AZURE_ENCRYPTION_KEY"


def test_credentials_do_not_show() -> None:
    for options in (KEY, {"account_name": "me", "sas_token": SIGNATURE}):
        found = container_of("c", options)
        assert "a2V5" not in repr(found)
        assert "sig" not in repr(found)
