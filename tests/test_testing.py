"""The contract suite that other packages import, over stores of both ways to write one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from zarrds.storage import DirectoryStore, MemoryStore, Store, ZipStore
from zarrds.testing import StoreContract

from .store.secret import FiveMethods, SecretStore, SecretWrapper


class TestFiveMethods(StoreContract):
    def make(self, path: Path) -> Store:
        return FiveMethods()


class TestSecretStore(StoreContract):
    pickles = True

    def make(self, path: Path) -> Store:
        return SecretStore(str(path), 255)


class TestSecretWrapper(StoreContract):
    pickles = True

    def make(self, path: Path) -> Store:
        return SecretWrapper(DirectoryStore(path), 255)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
class TestZipStore(StoreContract):
    erasable = False

    def make(self, path: Path) -> Store:
        return ZipStore(path / "a.zip")


class FourMethods(Store):
    """Has the batch methods and nothing else."""

    def __init__(self) -> None:
        self.inner = MemoryStore()

    def get_many(self, requests: Sequence[Any]) -> list[Any]:
        return self.inner.get_many(requests)

    def set_many(self, items: Sequence[Any]) -> None:
        self.inner.set_many(items)

    def delete_many(self, keys: Sequence[str]) -> None:
        self.inner.delete_many(keys)

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        return self.inner.keys_below(prefix)


class TestFourMethods(StoreContract):
    def make(self, path: Path) -> Store:
        return FourMethods()


def test_the_contract_is_imported_without_pytest() -> None:
    code = "import sys, zarrds.testing; assert 'pytest' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
