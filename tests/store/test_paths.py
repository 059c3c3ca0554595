"""Paths: what is above one."""

from __future__ import annotations

import pytest

import zarrds
from zarrds._store.paths import ancestors, without_short_addresses
from zarrds._store.place import server_name


@pytest.mark.parametrize(("path", "above"), [("", []), ("a", [""]), ("a/b/c", ["", "a", "a/b"])])
def test_what_is_above_a_path(path, above):
    assert ancestors(path) == above


def test_short_addresses_of_ipv6_are_written_out() -> None:
    store = zarrds.storage.FSStore("http://[::1]:1/data.zarr", mode="r")
    assert store.url == "http://[0:0:0:0:0:0:0:1]:1/data.zarr"
    assert server_name("http://[0:0:0:0:0:0:0:1]:1") == server_name("http://localhost:1")
    long = "simplecache::http://u:p@[fe80:0:0:0:0:0:0:1]/a"
    assert without_short_addresses("simplecache::http://u:p@[fe80::1]/a") == long
    for other in ("s3://bucket/a[::2]", "zip::file:///a.zip", "http://[1::2::3]/a"):  # none, after the host, not valid
        assert without_short_addresses(other) == other
