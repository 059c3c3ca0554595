"""Where stores say they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import fsspec
import pytest

from zarrds._store.place import Place, server_name
from zarrds.errors import SelfOverwriteError
from zarrds.storage import (
    DirectoryStore,
    FSStore,
    KVStore,
    LRUStoreCache,
    MemoryStore,
    SQLiteStore,
    Store,
    ZipStore,
    refuse_overlap,
)


def test_a_place_contains_itself_and_what_lies_below() -> None:
    store = MemoryStore()
    a, inner, beside = store.place("a"), store.place("a/b"), store.place("ab")
    assert a.contains(a)
    assert a.contains(inner)
    assert not inner.contains(a)
    assert not a.contains(beside)
    assert store.place().contains(beside)
    assert not MemoryStore().place().contains(a)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://localhost", "http://127.0.0.1:80/"),
        ("https://Host.org/", "https://user:secret@host.org:443"),
        ("localhost:27017", "mongodb://u:p@127.0.0.1:27017"),
        ("http://[::1]:9000", "http://localhost:9000"),
    ],
)
def test_names_of_one_server(one: str, other: str) -> None:
    assert server_name(one) == server_name(other)


def s3(url: str, **options: Any) -> Place:
    pytest.importorskip("s3fs")
    return FSStore(url, **options).place("u")


def test_buckets_are_told_by_service_and_name() -> None:
    here = {"endpoint_url": "http://localhost:5000"}
    place = s3("s3://bucket/a", **here)
    assert place.is_same(s3("s3a://bucket/a/", client_kwargs={"endpoint_url": "http://127.0.0.1:5000/"}, anon=True))
    assert not place.is_same(s3("s3://bucket/a", endpoint_url="http://localhost:5001"))
    assert not place.is_same(s3("s3://bucket/a"))
    assert not place.is_same(s3("s3://bucket2/a", **here))
    assert s3("s3://b").is_same(s3("s3://b", endpoint_url="https://s3.eu-central-1.amazonaws.com"))


def test_the_service_of_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("[profile own]\nendpoint_url = http://localhost:5000\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        monkeypatch.delenv(name, raising=False)
    place = s3("s3://b", profile="own")
    assert place.is_same(s3("s3://b", endpoint_url="http://127.0.0.1:5000"))
    assert not place.is_same(s3("s3://b"))


def test_the_service_of_azure_is_that_of_its_host() -> None:
    pytest.importorskip("adlfs")

    def azure(**options: Any) -> Place:
        return FSStore("az://c/a", **options).place("u")

    account = {"account_name": "me", "account_key": "a2V5"}
    place = azure(**account, account_host="me.blob.core.chinacloudapi.cn")
    assert not place.is_same(azure(**account))
    named = "DefaultEndpointsProtocol=https;AccountName=me;AccountKey=a2V5;EndpointSuffix="
    assert place.is_same(azure(connection_string=f"{named}core.chinacloudapi.cn"))
    assert azure(**account).is_same(azure(connection_string=f"{named}core.windows.net"))


def test_obstore_and_fsspec_agree() -> None:
    pytest.importorskip("s3fs")
    obstore = pytest.importorskip("obstore.store")
    from zarrds.storage import ObstoreStore

    given = {"endpoint": "http://localhost:5000", "access_key_id": "a", "secret_access_key": "b", "region": "r"}
    store = ObstoreStore(obstore.S3Store("bucket", prefix="a", client_options={"allow_http": True}, **given))
    assert store.place("u").is_same(s3("s3://bucket/a", endpoint_url="http://127.0.0.1:5000"))
    memory = obstore.MemoryStore()
    assert ObstoreStore(memory).place().is_same(ObstoreStore(memory).place())
    assert not ObstoreStore(memory).place().is_same(ObstoreStore(obstore.MemoryStore()).place())


@pytest.mark.parametrize("protocol", ["simplecache", "filecache", "blockcache"])
def test_caches_and_mappers_are_where_their_files_are(protocol: str, tmp_path: Path) -> None:
    place = DirectoryStore(tmp_path / "a").place("u")
    assert FSStore(f"{protocol}::file://{tmp_path}/a").place("u").is_same(place)
    assert KVStore(fsspec.get_mapper(f"file://{tmp_path}/a")).place("u").is_same(place)
    assert LRUStoreCache(KVStore(DirectoryStore(tmp_path / "a")), None).place("u").is_same(place)
    assert not FSStore(f"{protocol}::file://{tmp_path}/b").place("u").is_same(place)


def test_archives_are_told_by_their_file(tmp_path: Path) -> None:
    with ZipStore(tmp_path / "a.zip", mode="w") as store, ZipStore(tmp_path / "b.zip", mode="w") as other:
        store["u/.zgroup"] = other["u/.zgroup"] = b"{}"
        places = [store.place("u")]
    places += [
        FSStore(url).place("u") for url in (f"zip::file://{tmp_path}/a.zip", f"simplecache::zip::{tmp_path}/a.zip")
    ]
    places.append(FSStore(f"zip://u::file://{tmp_path}/a.zip").place())
    places.append(FSStore(f"zip::simplecache::file://{tmp_path}/a.zip").place("u"))
    assert all(place.is_same(places[0]) for place in places)
    assert not other.place("u").is_same(places[0])
    assert all(DirectoryStore(tmp_path).place().contains(place) for place in places)
    assert not DirectoryStore(tmp_path / "a").place().contains(places[0])


def test_a_database_named_by_a_uri_is_the_file(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "a.db") as store, SQLiteStore(f"file:{tmp_path}/a.db?mode=rw", uri=True) as again:
        assert store.place().is_same(again.place())
    with SQLiteStore(":memory:") as one, SQLiteStore(":memory:") as two:
        assert not one.place().is_same(two.place())


def test_a_directory_moved_over_is_the_same_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.symlink(tmp_path / "a", tmp_path / "link")
    links = DirectoryStore(tmp_path / "link").place("u")
    assert DirectoryStore(tmp_path / "a").place("u").is_same(links)
    assert DirectoryStore(tmp_path).place().contains(links)
    (tmp_path / "other").mkdir()
    os.symlink(tmp_path / "a", tmp_path / "other" / "link")
    assert DirectoryStore(tmp_path / "other").place().contains(DirectoryStore(tmp_path / "other" / "link").place("u"))


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    os.symlink(tmp_path / "b", tmp_path / "a")
    os.symlink(tmp_path / "a", tmp_path / "b")
    assert not FSStore(f"file://{tmp_path}/a").place().is_same(FSStore(f"file://{tmp_path}/c").place())


class OwnStore(MemoryStore):
    """A store that says nothing of where it is."""

    place = Store.place


class OwnWrapper(OwnStore):
    """A wrapper that does not know of places."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store


def test_stores_of_others_are_told_by_their_recipes() -> None:
    one, two = OwnStore(), OwnStore()
    assert one.place("a").is_same(one.place("a"))
    assert not one.place("a").is_same(two.place("a"))
    assert OwnWrapper(one).place("a").is_same(one.place("a"))


def test_what_is_refused_depends_on_what_is_read_and_replaced() -> None:
    store = MemoryStore()
    root, a, b = store.place(), store.place("a"), store.place("b")
    refuse_overlap([a], [b], path="b")
    refuse_overlap([root], [a], path="a", whole=False)
    refuse_overlap([a], [root], path="", replaces=False)
    for sources, targets, options in (
        ([root], [a], {"replaces": False}),
        ([a], [root], {"whole": False}),
        ([b, a], [a], {"whole": False}),
        ([a], [b, a], {"replaces": False}),
    ):
        with pytest.raises(SelfOverwriteError, match="elsewhere"):
            refuse_overlap(sources, targets, path="p", **options)
