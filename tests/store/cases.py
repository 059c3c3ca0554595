"""The table of all stores that the contract suite runs over. A new store is one more row in `CASES`."""

from __future__ import annotations

import dbm.dumb
import hashlib
import os
import warnings
from collections import UserDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from tests.servers import AZURITE_KEY, S3
from zarrds._base.config import config_context
from zarrds._store.base import Store
from zarrds._store.wrappers.consolidated import DocumentStore
from zarrds.n5 import N5FSStore, N5Store
from zarrds.storage import (
    ABSStore,
    DBMStore,
    DirectoryStore,
    FSStore,
    KVStore,
    LMDBStore,
    LRUStoreCache,
    MemoryStore,
    MongoDBStore,
    NestedDirectoryStore,
    ObstoreStore,
    RedisStore,
    SQLiteStore,
    TempStore,
    ZipStore,
    as_store,
)

from .doubles import CountingStore, FaultyStore


@dataclass(frozen=True)
class Case:
    """One store, and what it promises beyond what all stores promise.

    Attributes
    ----------
    make : callable
        ``make(tmp_path)``, or ``make(tmp_path, value)`` with the value of `fixture`; called twice with the same
        arguments, it gives two stores over the same place where the store has a place.
    fixture : str, optional
        Fixture that starts a service, and gives what `make` needs to reach it.
    erasable : bool
        Single keys can be deleted and renamed.
    threads : bool
        Safe to write from several threads.
    processes : bool
        Safe to write from several processes.
    pickles : bool
        A pickled store opens the same place (or carries its data).
    travels : bool
        It does so in another process too.
    reached : bool
        What it is kept in is not of this process alone, as a stand-in for a server is.
    sets_if : bool
        A value can be set only if it is still the expected one.
    forks : bool
        A store that was used can be used on in a forked child; where not, that raises.
    documents : bool
        Keys of metadata can be written, so that arrays and groups can be created.
    tree : bool
        A key cannot be a value and a level at once.
    many : int
        Keys in the test of many keys; fewer where each costs a file and another store over files has the full number.
    largest : int
        Bytes of the largest value in the tests.
    marks : tuple
        Marks of the tests of this store, such as ``pytest.mark.service``.
    """

    make: Callable[..., Store]
    fixture: str | None = None
    erasable: bool = True
    threads: bool = True
    processes: bool = False
    pickles: bool = True
    travels: bool = True
    reached: bool = True
    sets_if: bool = True
    forks: bool = True
    documents: bool = True
    tree: bool = False
    many: int = 30_000
    largest: int = 20 * 2**20
    marks: tuple[pytest.MarkDecorator, ...] = ()


class PlainFileSystem(LocalFileSystem):
    """Stands for a file system with directories that our own directory store cannot serve (sftp, hdfs)."""

    protocol = "plain"


def obstore_module() -> Any:
    return import_module("obstore.store")


def documents_apart(path: Path) -> Store:
    return DocumentStore(MemoryStore(), {})


def read_only_zip(path: Path) -> Store:
    with ZipStore(path / "r.zip", mode="w") as store:
        store["k"] = b"value"
    return ZipStore(path / "r.zip", mode="r")


# --- services: each test has a place of its own there, named after its folder ----------------------------------------


def place(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:20]


def redis_store(path: Path, port: int) -> Store:
    return RedisStore(prefix=place(path), port=port)


def mongodb_store(path: Path, options: dict[str, Any]) -> Store:
    return MongoDBStore(collection=place(path), **options)


def azure_store(path: Path, url: str) -> Store:
    client = import_module("azure.storage.blob").ContainerClient(url, "contract", credential=AZURITE_KEY)
    if not client.exists():
        client.create_container()
    return ABSStore(client=client, prefix=place(path))


def s3_store(path: Path, s3: S3) -> Store:
    return FSStore(f"{s3.bucket('contract-fsspec')}/{place(path)}", **s3.options)


def s3fs_store(path: Path, s3: S3) -> Store:
    with config_context(transport="fsspec"):
        return FSStore(f"{s3.bucket('contract-s3fs')}/{place(path)}", **s3.options)


def obstore_s3_store(path: Path, s3: S3) -> Store:
    return ObstoreStore(s3.obstore(s3.bucket("contract-obstore"), place(path)))


SERVICE = (pytest.mark.service,)
REAL_MONGO = "ZARRDS_TEST_MONGO_URI" in os.environ
SLOW_SERVICE = (pytest.mark.service, pytest.mark.slow)

CASES: dict[str, Case] = {
    "memory": Case(lambda path: MemoryStore(), tree=True),
    "kv": Case(lambda path: KVStore({})),
    "directory": Case(lambda path: DirectoryStore(path / "new" / "store"), processes=True, tree=True),
    "nested": Case(lambda path: NestedDirectoryStore(path / "new"), processes=True, tree=True, many=1_200),
    "temp": Case(lambda path: TempStore(dir=path), processes=True, tree=True, many=1_200),
    "kv-mapping": Case(lambda path: KVStore(UserDict()), sets_if=False),
    "dbm-dumb": Case(lambda path: DBMStore(path / "store.dbm", open=dbm.dumb.open)),
    "lmdb": Case(lambda path: LMDBStore(path / "store.mdb", map_size=2**20), processes=True),
    "sqlite": Case(lambda path: SQLiteStore(path / "store.sqldb"), processes=True),
    "sqlite-memory": Case(lambda path: SQLiteStore(":memory:"), pickles=False),
    "lru": Case(lambda path: LRUStoreCache(DirectoryStore(path / "new"), max_size=None), tree=True, many=1_200),
    "lru-small": Case(lambda path: LRUStoreCache(DirectoryStore(path / "new"), max_size=8), tree=True, many=1_200),
    "zip": Case(lambda path: ZipStore(path / "store.zip"), erasable=False),
    "zip-deflated": Case(lambda path: ZipStore(path / "store.zip", compression=8), erasable=False),
    "fs-local": Case(lambda path: FSStore(f"file://{path}/new/store"), processes=True, tree=True, many=1_200),
    "fs-memory": Case(lambda path: FSStore(f"memory:/{path}/store"), travels=False),
    "fs-given": Case(
        lambda path: FSStore("store", fs=DirFileSystem(str(path), fsspec.filesystem("file"))), tree=True, many=1_200
    ),
    "fs-plain": Case(
        lambda path: FSStore(f"{path}/store", fs=PlainFileSystem()),
        threads=False,
        tree=True,
        sets_if=False,
        many=1_200,
    ),
    "fs-missing": Case(
        lambda path: FSStore(f"file://{path}/new", missing_exceptions=(ZeroDivisionError,)), tree=True, many=1_200
    ),
    "obstore-memory": Case(
        lambda path: ObstoreStore(obstore_module().MemoryStore()), pickles=False, travels=False, many=1_200
    ),
    "obstore-local": Case(
        lambda path: as_store(obstore_module().LocalStore(path)), processes=True, tree=True, many=1_200
    ),
    "n5": Case(lambda path: N5Store(path / "new.n5"), processes=True, tree=True, many=1_200),
    "n5-fs": Case(lambda path: N5FSStore(f"memory:/{path}/a.n5"), travels=False, many=1_200),
    "redis": Case(redis_store, "redis_port", processes=True, marks=SERVICE),
    "mongodb": Case(
        mongodb_store,
        "mongo",
        threads=REAL_MONGO,  # the stand-in for a server is not made for several threads
        reached=REAL_MONGO,
        many=500,
        largest=15 * 2**20,
    ),
    "azure": Case(azure_store, "azurite_url", processes=True, many=300, marks=SLOW_SERVICE),
    "fs-s3": Case(s3_store, "s3", processes=True, many=1_100, marks=SLOW_SERVICE),
    "fs-s3-by-s3fs": Case(s3fs_store, "s3", processes=True, many=300, marks=SLOW_SERVICE),
    "obstore-s3": Case(obstore_s3_store, "s3", processes=True, forks=False, many=1_100, marks=SLOW_SERVICE),
    "documents": Case(documents_apart, pickles=False, documents=False, tree=True),
    "counting": Case(lambda path: CountingStore(MemoryStore()), pickles=False, tree=True),
    "faulty": Case(lambda path: FaultyStore(MemoryStore(), OSError("never"), nth=10**9), pickles=False, tree=True),
}


def named(quick: tuple[str, ...] = tuple(CASES), **promises: bool) -> list[Any]:
    """Names of the stores that promise what is asked, as parameters of a fixture or test; all but `quick` are slow."""
    return [
        pytest.param(name, marks=case.marks if name in quick else (*case.marks, pytest.mark.slow))
        for name, case in CASES.items()
        if all(getattr(case, promise) == wanted for promise, wanted in promises.items())
    ]


def make(name: str, path: Path, request: pytest.FixtureRequest) -> Store:
    """Open the store of a row; the same place each time where it has one."""
    case = CASES[name]
    return case.make(path) if case.fixture is None else case.make(path, request.getfixturevalue(case.fixture))


@contextmanager
def opened(name: str, path: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    """Open the store of a row, and close it; that zip files waste space when values are replaced is no news here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name", UserWarning)
        with make(name, path, request) as store:
            yield store
