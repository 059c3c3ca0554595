"""The store in Azure Blob Storage, against an emulator."""

from __future__ import annotations

import pickle
import subprocess
import sys
import uuid
from typing import Any

import numpy as np
import pytest
from azure.storage.blob import ContainerClient

import zarrds
from tests.servers import AZURITE_ACCOUNT, AZURITE_KEY
from zarrds._types import ByteRange
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
