"""Options of fsspec's HTTP file system as those of obstore."""

from __future__ import annotations

import os
from typing import Any

import pytest

from zarrds._store.backends.web_options import WebServer, web_server_of

READ = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of this machine."""
    for name in [name for name in os.environ if name.upper() in READ]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("url", "options", "expected"),
    [
        ("http://h.org/a/b.zarr", {}, WebServer("http://h.org")),
        ("https://h.org:8443/", {"block_size": 5, "client_kwargs": None}, WebServer("https://h.org:8443")),
        ("https://h.org", {"headers": {"A": "b"}}, WebServer("https://h.org", {"A": "b"})),
        ("https://h.org", {"headers": None, "client_kwargs": {"headers": None}}, WebServer("https://h.org")),
        (
            "https://h.org/x",
            {"headers": {"A": "b"}, "client_kwargs": {"headers": {"A": "c", "D": "e"}}},
            WebServer("https://h.org", {"A": "b", "D": "e"}),
        ),
    ],
)
def test_options(url: str, options: dict[str, Any], expected: WebServer) -> None:
    assert web_server_of(url, options) == expected


@pytest.mark.parametrize(
    ("url", "options", "why"),
    [
        ("http://me:pw@h.org/a", {}, "URL with a query, credentials or unusual characters"),
        ("http://h.org/a?b=c", {}, "URL with a query, credentials or unusual characters"),
        ("http://h.org/a%20b", {}, "URL with a query, credentials or unusual characters"),
        ("http://h.org/ä", {}, "URL with a query, credentials or unusual characters"),
        ("http:///a", {}, "URL with a query, credentials or unusual characters"),
        ("http://h.org/a//b", {}, "path with empty parts or dots"),
        ("http://h.org/a/../b", {}, "path with empty parts or dots"),
        ("http://h.org/a", {"encoded": True}, "option encoded"),
        ("http://h.org/a", {"client_kwargs": {"auth": object()}}, "client_kwargs auth"),
        ("http://h.org/a", {"headers": {"A": 1}}, "header A"),
        ("http://h.org/a", {"client_kwargs": {"headers": [("A", "b")]}}, "headers that are no dict"),
    ],
)
def test_what_stays_with_fsspec(url: str, options: dict[str, Any], why: str) -> None:
    assert web_server_of(url, options) == why


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_proxies_stay_with_fsspec(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://proxy:3128")
    assert web_server_of("http://h.org/a", {}) == f"variable {name}"


def test_certificates_of_the_environment_stay_with_fsspec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/certificates.pem")
    assert web_server_of("https://h.org/a", {}) == "variable SSL_CERT_FILE"
    assert web_server_of("http://h.org/a", {}) == WebServer("http://h.org")


def test_headers_do_not_show() -> None:
    assert "sesame" not in repr(web_server_of("http://h.org", {"headers": {"Authorization": "sesame"}}))


def test_only_strong_tags_identify_a_value() -> None:
    server = WebServer("http://h.org")
    assert server.tag({"e_tag": '"1"'}) == '"1"'
    assert server.tag({"e_tag": 'W/"1"'}) is None
    assert server.tag({"e_tag": None}) is None
