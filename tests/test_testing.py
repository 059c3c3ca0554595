"""The contract suite that other packages import, over stores of both ways to write one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zarrds
from zarrds.storage import DirectoryStore, MemoryStore, Store, ZipStore
from zarrds.testing import ChunkGridContract, StoreContract
from zarrds.testing.strategies import arrays, groups, selections

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


class TestChunks(ChunkGridContract):
    pass


class TestShards(ChunkGridContract):
    options: ClassVar = {"zarr_format": 3, "chunks": (2, 5), "shards": (4, 10)}


class TestManyDimensions(ChunkGridContract):
    shape = (3, 4, 5)
    options: ClassVar = {"chunks": (2, 3, 9), "order": "F"}


class TestChunksOfDifferentLengths(ChunkGridContract):
    options: ClassVar = {"zarr_format": 3, "chunks": [[3, 1, 4], [4, 6]]}


class TestShardsOfDifferentLengths(ChunkGridContract):
    options: ClassVar = {"zarr_format": 3, "chunks": (1, 2), "shards": [[3, 4], 4]}


class LosesABlock(ChunkGridContract):
    """What the tests must find: one stored block is gone."""

    __test__ = False

    def _filled(self) -> tuple[zarrds.Array, Any]:
        z, data = super()._filled()
        del z.store["1.1"]
        return z, data


@pytest.mark.parametrize("name", ["blocks_cover_the_array", "reads_as_numpy", "documents"])
def test_the_contract_of_grids_finds_a_block_that_is_lost(name: str) -> None:
    with pytest.raises(AssertionError):
        getattr(LosesABlock(), f"test_{name}")()


@given(arrays(), st.data())
def test_arrays_are_drawn_with_values_and_selections(z: zarrds.Array, data: st.DataObject) -> None:
    assert z.ndim <= 3
    values = z[...]
    selection = data.draw(selections(z.shape))
    np.testing.assert_array_equal(zarrds.open_array(z.store, mode="r")[selection], values[selection])


@settings(max_examples=20)
@given(selections((0, 3), "block"))
def test_blocks_are_drawn_of_an_array_without_elements(selection: Any) -> None:
    assert zarrds.zeros((0, 3), chunks=(1, 3)).blocks[selection].size == 0


@settings(max_examples=30)
@given(groups(zarr_formats=[2]))
def test_groups_are_drawn_and_convert(root: zarrds.Group) -> None:
    converted = zarrds.convert(root.store, {}, to=3)
    assert isinstance(converted, zarrds.Group)
    assert [path for path, _ in converted.members(max_depth=None)] == [p for p, _ in root.members(max_depth=None)]
    assert converted.attrs.asdict() == root.attrs.asdict()


def test_the_contract_is_imported_without_pytest() -> None:
    code = "import sys, zarrds.testing; assert not {'pytest', 'hypothesis'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
