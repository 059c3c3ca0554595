"""Only "there is no such key" reads as absent: a client that stumbles, a missing bucket and None are failures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError
from fsspec import AbstractFileSystem

import zarrds
from tests.servers import S3
from zarrds._store.absence import says_no_container
from zarrds.errors import StoreError
from zarrds.storage import FSStore, KVStore, MemoryStore

from .cases import obstore_module


class Odd(AbstractFileSystem):
    """A file system whose client stumbles when it is asked for the keys in `broken`."""

    protocol, cachable = "odd", False

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.objects: dict[str, bytes] = {}
        self.answer = answer
        self.broken = False

    def _turn(self) -> bool:
        if self.broken and isinstance(self.answer, Exception):
            raise self.answer
        return self.broken

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> Any:
        if self._turn():
            return self.answer
        if path not in self.objects:
            raise FileNotFoundError(path)
        return self.objects[path][start:end]

    def pipe_file(self, path: str, value: bytes, **kwargs: Any) -> None:
        self.objects[path] = bytes(value)

    def rm_file(self, path: str) -> None:
        self._turn()
        if self.objects.pop(path, None) is None:
            raise FileNotFoundError(path)

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        if path in self.objects:
            return {"name": path, "size": len(self.objects[path]), "type": "file"}
        raise FileNotFoundError(path)

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        self._turn()
        found = [self.info(name) for name in self.objects if name.startswith(path + "/")]
        if not found:
            raise FileNotFoundError(path)
        return found if detail else [entry["name"] for entry in found]


def no_such_bucket(code: str = "NoSuchBucket") -> Exception:
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 404}}
    return ClientError(answer, "GetObject")  # type: ignore[arg-type]


def translated(cause: Exception, text: str = "no such file") -> Exception:
    """What file systems make of a "not found" of their client."""
    error = FileNotFoundError(text)
    error.__cause__ = cause
    return error


ANSWERS: dict[str, Any] = {
    "KeyError": KeyError("ResponseMetadata"),
    "KeyError-of-the-path": KeyError("b/a/0"),
    "AttributeError": AttributeError("'NoneType' object has no attribute 'read'"),
    "IndexError": IndexError("list index out of range"),
    "NoSuchBucket": no_such_bucket(),
    "NoSuchBucket-translated": translated(no_such_bucket()),
    "NoSuchAccessPoint": no_such_bucket("NoSuchAccessPoint"),
    "NoSuchAccessPoint-translated": translated(no_such_bucket("NoSuchAccessPoint")),
    "bucket-in-words": FileNotFoundError("The specified bucket does not exist."),
}


def odd(answer: Any) -> tuple[Odd, FSStore]:
    fs = Odd(answer)
    return fs, FSStore("b/a", fs=fs)


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("answer", [*ANSWERS.values(), None], ids=[*ANSWERS, "None"])
def test_failures_of_a_file_system_are_no_fill_values(answer: Any, zarr_format: int) -> None:
    fs, store = odd(answer)
    z = zarrds.open_array(store, mode="w", shape=4, chunks=2, dtype="i4", fill_value=-7, zarr_format=zarr_format)
    z[:] = 1
    fs.broken = True
    with pytest.raises(StoreError, match="cannot read"):
        pytest.fail(f"gave {z[:].tolist()}")
    with pytest.raises(StoreError, match="cannot read"):
        z[1] = 5


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=[*ANSWERS])
@pytest.mark.parametrize("mode", ["a", "w", "w-", "x"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_nothing_is_written_over_what_could_not_be_seen(answer: Any, mode: str, zarr_format: int) -> None:
    fs, store = odd(answer)
    z = zarrds.open_array(store, mode="w", shape=4, chunks=2, dtype="i4", zarr_format=zarr_format)
    z[:] = 1
    before = dict(fs.objects)
    fs.broken = True
    for act in (
        lambda: zarrds.open_array(store, mode=mode, shape=9, zarr_format=zarr_format),
        lambda: zarrds.open_group(store, mode=mode, zarr_format=zarr_format),
        lambda: zarrds.open(store, mode=mode, shape=9, zarr_format=zarr_format),
        lambda: zarrds.create(9, store=store, overwrite=mode == "w", zarr_format=zarr_format),
        lambda: zarrds.group(store, overwrite=mode == "w", zarr_format=zarr_format),
    ):
        with pytest.raises(StoreError):
            act()
    assert fs.objects == before


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=[*ANSWERS])
def test_deleting_and_listing_do_not_take_failures_for_absence(answer: Any) -> None:
    fs, store = odd(answer)
    store["k"] = b"1"
    fs.broken = True
    with pytest.raises(StoreError, match="cannot delete"):
        store.delete_many(["k"])
    with pytest.raises(StoreError, match="cannot list"):
        list(store)
    with pytest.raises(StoreError, match="cannot list"):
        store.listdir()


class Stumbling(Odd):
    """It fails where directories are looked at, after keys were deleted, and nowhere else."""

    def _turn(self) -> bool:
        return False

    def isdir(self, path: str) -> bool:
        if self.broken:
            raise KeyError("ResponseMetadata")
        return bool(super().isdir(path))


def test_directories_that_cannot_be_removed_are_failures_of_the_store() -> None:
    fs = Stumbling(None)
    group = zarrds.open_group(FSStore("b/a", fs=fs), mode="w")
    group.create_dataset("x", shape=4)
    fs.broken = True
    with pytest.raises(StoreError, match="cannot remove directories"):
        del group["x"]


class Remote(MutableMapping[str, bytes]):
    """A mapping that calls into a client, under names of its own."""

    def __init__(self, error: Callable[[str], KeyError] = KeyError) -> None:
        self.objects: dict[str, bytes] = {}
        self.error, self.broken = error, False

    def _found(self, key: str) -> str:
        if self.broken:
            raise KeyError("Body")
        if key not in self.objects:
            raise self.error(key)
        return key

    def __getitem__(self, key: str) -> bytes:
        return self.objects[self._found(key)]

    def __delitem__(self, key: str) -> None:
        del self.objects[self._found(key)]

    def __setitem__(self, key: str, value: bytes) -> None:
        self.objects[key] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self.objects)

    def __len__(self) -> int:
        return len(self.objects)


ABSENT: dict[str, Callable[[str], KeyError]] = {
    "key": KeyError,
    "longer": lambda key: KeyError(f"prefix/{key}"),
    "sentence": lambda key: KeyError(f"there is no item named {key!r}"),
    "bytes": lambda key: KeyError(key.encode()),
    "lower": lambda key: KeyError(key.lower()),
    "nothing": lambda key: KeyError(),
    "hash": lambda key: KeyError("a94a8fe5"),
}


@pytest.mark.parametrize("error", ABSENT.values(), ids=[*ABSENT])
def test_however_a_mapping_says_that_a_key_is_absent(error: Callable[[str], KeyError]) -> None:
    store = KVStore(Remote(error))
    z = zarrds.open_array(store, mode="w", shape=4, chunks=2, dtype="i4", fill_value=-7)
    z[:2] = 1
    assert z[:].tolist() == [1, 1, -7, -7]
    store.delete_many(["no"])
    assert ("no" in store, store.get("no")) == (False, None)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_key_error_from_inside_of_a_mapping_is_a_failure(zarr_format: int) -> None:
    mapping = Remote()
    z = zarrds.open_array(mapping, mode="w", shape=4, chunks=2, dtype="i4", fill_value=-7, zarr_format=zarr_format)
    z[:] = 1
    before = dict(mapping.objects)
    mapping.broken = True
    first = next(key for key in before if key[-1].isdigit())
    for act in (
        lambda: z[:],
        lambda: KVStore(mapping)[first],
        lambda: KVStore(mapping).get(first),
        lambda: KVStore(mapping).delete_many([first]),
        lambda: zarrds.open_array(mapping, mode="a", shape=9, zarr_format=zarr_format),
        lambda: zarrds.create(9, store=mapping, overwrite=True, zarr_format=zarr_format),
    ):
        with pytest.raises(StoreError):
            pytest.fail(f"gave {act()}")
    assert mapping.objects == before


@pytest.mark.parametrize("store", [KVStore({"k": None}), MemoryStore({"k": None})], ids=["mapping", "memory"])
def test_none_is_no_value(store: Any) -> None:
    with pytest.raises(StoreError, match="bytes-like"):
        store.get_many([("k", None)])


def test_a_group_does_not_take_the_faults_of_a_client_for_absence() -> None:
    fs, store = odd(ANSWERS["AttributeError"])
    g = zarrds.open_group(store, mode="w")
    g.create_dataset("a", data=np.arange(3))
    fs.broken = True
    with pytest.raises(StoreError):
        pytest.fail(f"gave {hasattr(g, 'a')}")
    with pytest.raises(StoreError):
        pytest.fail(f"gave {g.get('a')}")


@pytest.mark.service
@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("client", ["fsspec", "obstore"])
def test_a_bucket_that_is_missing_is_a_failure(s3: S3, client: str) -> None:
    url = "s3://no-such-bucket-at-all"
    if client == "fsspec":
        store: Any = FSStore(f"{url}/root", **s3.options)
    else:
        obstore_module()
        store = zarrds.storage.as_store(s3.obstore(url, "root"))
    for act in (
        lambda: store.get_many([("k", None)]),
        lambda: store.get_many([("k", None), ("l", None)]),
        lambda: store.listdir(),
        lambda: list(store),
        lambda: store.delete_many(["k"]),
        lambda: zarrds.open(store, mode="a", shape=3),
        lambda: zarrds.open(store, mode="r"),
    ):
        with pytest.raises(StoreError):
            pytest.fail(f"gave {act()}")


@pytest.mark.service
def test_a_container_that_is_missing_is_a_failure(azurite_url: str) -> None:
    storage = pytest.importorskip("azure.storage.blob")
    from tests.servers import AZURITE_KEY

    store = zarrds.storage.ABSStore(client=storage.ContainerClient(azurite_url, "no-such", credential=AZURITE_KEY))
    with pytest.raises(StoreError):
        pytest.fail(f"gave {store.get_many([('k', None)])}")


def test_not_found_of_one_key_is_no_missing_container() -> None:
    assert not says_no_container(FileNotFoundError("b/NoSuch"))
    assert says_no_container(translated(no_such_bucket()))
