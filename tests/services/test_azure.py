"""The store in Azure Blob Storage, against an emulator."""

from __future__ import annotations

import pickle
import subprocess
import sys
import uuid
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from azure.storage.blob import ContainerClient

import zarrds
from tests.faults.toxic import ever, some_of, toxic
from tests.servers import AZURITE_ACCOUNT, AZURITE_KEY
from zarrds._base.types import ByteRange
from zarrds.errors import StoreError
from zarrds.storage import ABSStore

pytestmark = pytest.mark.service


@pytest.fixture
def client(azurite_url: str) -> ContainerClient:
    made = ContainerClient(azurite_url, f"test-{uuid.uuid4().hex}", credential=AZURITE_KEY)
    made.create_container()
    return made


def test_blobs_are_keys_below_the_prefix(client: ContainerClient) -> None:
    store = ABSStore(client=client, prefix="/deep/er/")
    zarrds.group(store).create_dataset("a", shape=4, chunks=2)[:] = 1
    assert sorted(client.list_blob_names()) == [f"deep/er/{k}" for k in (".zgroup", "a/.zarray", "a/0", "a/1")]
    assert (store.listdir(), store.listdir("a")) == ([".zgroup", "a"], [".zarray", "0", "1"])
    assert store.getsize("a") == sum(len(store[f"a/{k}"]) for k in (".zarray", "0", "1"))


def test_the_example_of_the_manual(client: ContainerClient) -> None:
    store = zarrds.ABSStore(client=client, prefix="zarr-testing")
    root = zarrds.group(store=store, overwrite=True)
    z = root.zeros("foo/bar", shape=(1000, 1000), chunks=(500, 500), dtype="i4")
    z[:] = 42
    assert (z[:] == 42).all()


def test_ranges(client: ContainerClient) -> None:
    store = ABSStore(client=client)
    store.update({"e": b"", "v": b"abcdef"})
    ranges = [ByteRange(0, 0), ByteRange(2, 4), ByteRange(-2), ByteRange(-99), ByteRange(9, 12), ByteRange(4)]
    for part, expected in zip(ranges, [b"", b"cd", b"ef", b"abcdef", b"", b"ef"], strict=True):
        assert bytes(store.get_many([("v", part)])[0]) == expected
        assert bytes(store.get_many([("e", part)])[0]) == b""
        assert store.get_many([("no", part)]) == [None]


def test_deprecated_arguments(azurite_url: str, client: ContainerClient) -> None:
    with pytest.warns(FutureWarning, match="client"):
        store = ABSStore(
            container=client.container_name,
            account_name=AZURITE_ACCOUNT,
            account_key=AZURITE_KEY,
            blob_service_kwargs={"account_url": azurite_url},
        )
    store["x"] = b"1"
    assert list(ABSStore(client=client)) == ["x"]
    for name, value in [("container", client.container_name), ("account_name", AZURITE_ACCOUNT)]:
        with pytest.warns(FutureWarning, match=name):
            assert getattr(store, name) == value
    with pytest.raises(ValueError, match="container"):
        ABSStore()


def test_another_process_opens_the_recipe(client: ContainerClient) -> None:
    z = zarrds.array([1, 2, 3], store=ABSStore(client=client, prefix="p"))
    code = f"import pickle; z = pickle.loads({pickle.dumps(z)!r}); z[1] = 20"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert z[:].tolist() == [1, 20, 3]
    assert z.store.spec().open() == z.store


def test_failures_are_no_absent_keys(azurite_url: str, client: ContainerClient) -> None:
    nowhere = ABSStore(client=ContainerClient(azurite_url, "no-such-container", credential=AZURITE_KEY))
    denied = ABSStore(client=ContainerClient(azurite_url, client.container_name, credential="Y2FuYXJ5"))
    for store in (nowhere, denied):
        attempts: list[Any] = [lambda s=store: s["x"], lambda s=store: list(s), lambda s=store: s.listdir("")]
        attempts += [lambda s=store: s.update(x=b""), lambda s=store: zarrds.open(s, mode="r")]
        for attempt in attempts:
            with pytest.raises(StoreError) as caught:
                attempt()
            assert "Y2FuYXJ5" not in str(caught.value)
            assert "Y2FuYXJ5" not in repr(store)


def test_many_chunks(client: ContainerClient) -> None:
    data = np.arange(200)
    z = zarrds.array(data, chunks=1, store=ABSStore(client=client))
    np.testing.assert_array_equal(z[:], data)
    z.resize(100)
    assert z.nchunks_initialized == 100


@pytest.mark.usefixtures("waits")
def test_listings_are_repeated_page_by_page(azurite_url: str, client: ContainerClient) -> None:
    names = [f"g/{number:02}" for number in range(40)]
    ABSStore(client=client).set_many([(name, b"x") for name in names])
    account = urlsplit(azurite_url)
    with toxic(azurite_url) as proxy:
        behind = ContainerClient(
            proxy.address + account.path, client.container_name, credential=AZURITE_KEY, retry_total=0
        )
        for method in ("list_blob_names", "walk_blobs"):  # small pages
            setattr(behind, method, partial(getattr(behind, method), results_per_page=2))
        store = ABSStore(client=behind)
        for ask in (lambda: sorted(store.keys_below()), lambda: ["g/" + name for name in store.listdir("g")]):
            proxy.forget()
            proxy.plan = some_of(0.3, ["503"], ignore=client.container_name)
            assert ask() == names
            assert len(proxy.asked) == 20 + len(proxy.done)
            assert 22 < len(proxy.asked) < 40
        proxy.plan = ever("503")
        with zarrds.config_context(attempts=3), pytest.raises(StoreError) as caught:
            list(store.keys_below())
        assert caught.value.attempts == 3
