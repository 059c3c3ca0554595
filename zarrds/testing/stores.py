"""What every store promises, as tests that other packages run over their own stores."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import zarrds
from zarrds.errors import NotErasableError, PathNotFoundError
from zarrds.storage import Store

__all__ = ["StoreContract"]

_VALUES = {"z": b"1", "g/a/0": b"22", "g/a/1": b"333", "g/b/0/0": b"4444", "gg/a": b"5"}
_RANGES = [(0, None), (0, 0), (2, 5), (5, 5), (8, 100), (10, 12), (100, 200), (100, None), (-3, None), (-100, None)]


class StoreContract:
    """Tests of what every store promises; derive from it in a module of tests, under a name that begins with ``Test``.

    Attributes
    ----------
    erasable : bool, default True
        Whether single keys can be deleted and renamed.
    pickles : bool, default False
        Whether a pickled store reaches the same values in this process.

    Examples
    --------
    >>> from zarrds.storage import MemoryStore
    >>> class TestMine(StoreContract):
    ...     def make(self, path):
    ...         return MemoryStore()
    """

    erasable: ClassVar[bool] = True
    pickles: ClassVar[bool] = False

    def make(self, path: Path) -> Store:
        """Return the store to test, without any keys.

        Parameters
        ----------
        path : Path
            An empty directory of this test.
        """
        raise NotImplementedError("the class of tests must define make(path)")  # builtin: an abstract method

    def _filled(self, path: Path) -> Store:
        store = self.make(path)
        store.setitems(dict(_VALUES))
        return store

    # --- the mapping -------------------------------------------------------------------------------------------------

    def test_is_a_mapping(self, tmp_path: Path) -> None:
        """Test that keys are set, replaced, listed and found."""
        with self.make(tmp_path) as store:
            assert (len(store), list(store)) == (0, [])
            store["a/b"] = b"one"
            store["x"] = b""
            assert (store["a/b"], store["x"], store.get("a/c")) == (b"one", b"", None)
            assert sorted(store) == sorted(store.keys()) == ["a/b", "x"]
            assert dict(store.items()) == {"a/b": b"one", "x": b""}
            others: list[object] = ["y", "", 1]
            assert [key in store for key in ["x", *others]] == [True, False, False, False]
            if self.erasable:
                store["x"] = b"two"
                assert store["x"] == b"two"

    def test_absent_is_absent(self, tmp_path: Path) -> None:
        """Test that an absent key is None in a batch, and a KeyError otherwise."""
        with self.make(tmp_path) as store:
            store["a/b"] = b"x"
            for key in ("absent", "a/absent", "a/b/below", "a"):
                assert key not in store
                assert store.get_many([(key, None), (key, _range(0, 1))]) == [None, None]
                store.delete_many([key])
                _raises(KeyError, partial(store.__getitem__, key))
                _raises(KeyError, partial(store.__delitem__, key))
            assert store["a/b"] == b"x"

    def test_keys_that_leave_the_root_are_refused(self, tmp_path: Path) -> None:
        """Test that no key points outside of the store."""
        with self.make(tmp_path) as store:
            for key in ("", "/etc", "../up", "a/../../up"):
                _raises(ValueError, partial(store.set_many, [(key, b"x")]))
                _raises(ValueError, partial(store.get_many, [(key, None)]))
            assert list(store) == []

    def test_names_of_keys(self, tmp_path: Path) -> None:
        """Test keys with characters that have a meaning elsewhere."""
        with self.make(tmp_path) as store:
            names = ["a b", "ü/ñ", "50%", "%2F", "#tag/x", "a+b&c=d", "[1]", "x*", "q?", "a..b", ".hidden", "c/0.1/2"]
            names = [name for name in names if self.allows(name)]
            store.setitems({name: name.encode() for name in names})
            assert {name: bytes(store[name]) for name in store} == {name: name.encode() for name in names}

    def allows(self, key: str) -> bool:
        """Return whether the store can hold a key with this name; override it for stores that cannot hold some.

        Parameters
        ----------
        key : str
            Name of a key.
        """
        return True

    # --- values ------------------------------------------------------------------------------------------------------

    def test_buffers(self, tmp_path: Path) -> None:
        """Test that anything bytes-like can be set, and is not kept."""
        with self.make(tmp_path) as store:
            given = bytearray(b"abc")
            array = np.arange(6, dtype="<u2").reshape(2, 3)
            store.set_many([("a", given), ("b", memoryview(b"xabcx")[1:4]), ("c", array), ("d", array[:, ::2])])
            given[:] = b"???"
            assert (store["a"], store["b"]) == (b"abc", b"abc")
            assert (store["c"], store["d"]) == (array.tobytes(), array[:, ::2].tobytes())

    def test_ranges(self, tmp_path: Path) -> None:
        """Test that ranges are cut out of values like slices."""
        with self.make(tmp_path) as store:
            values = {"empty": b"", "k": b"0123456789"}
            store.setitems(dict(values))
            for key, value in values.items():
                for start, stop in _RANGES:
                    found = store.get_many([(key, _range(start, stop))])[0]
                    assert found is not None
                    assert bytes(found) == value[slice(start, stop)], (key, start, stop)

    def test_batches(self, tmp_path: Path) -> None:
        """Test that answers come in the order of the requests."""
        with self.make(tmp_path) as store:
            store.set_many([(f"u/{number}", b"%d" % number) for number in range(20)])
            wanted: list[Any] = [("u/7", None), ("u/3", None), ("u/99", None), ("u/7", None), ("u/12", _range(1, 2))]
            for answers in (store.get_many(wanted), list(store.iter_many(wanted))):
                assert [value if value is None else bytes(value) for value in answers] == [b"7", b"3", None, b"7", b"2"]
            assert store.getitems(["u/3", "u/99"]) == {"u/3": b"3"}
            assert store.get_many([]) == []
            store.set_many([])
            store.delete_many([])

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def test_listing(self, tmp_path: Path) -> None:
        """Test the names of one level, and all keys below a prefix."""
        with self._filled(tmp_path) as store:
            assert store.listdir() == store.listdir("") == ["g", "gg", "z"]
            assert store.listdir("g") == store.listdir("/g/") == ["a", "b"]
            assert store.listdir("z") == store.listdir("nowhere") == []
            assert sorted(store.keys_below("g/")) == ["g/a/0", "g/a/1", "g/b/0/0"]
            assert sorted(store.keys_below()) == sorted(_VALUES)
            assert list(store.keys_below("nowhere/")) == []

    def test_sizes(self, tmp_path: Path) -> None:
        """Test the size of a value, and of the values directly below a path."""
        with self._filled(tmp_path) as store:
            sizes = [store.getsize(path) for path in ("g/a", "g", "", "z", "nowhere")]
            assert sizes == [5, 0, 1, 1, 0]

    def test_deleting_and_renaming(self, tmp_path: Path) -> None:
        """Test that keys are deleted and renamed, or that the store says that it cannot."""
        with self._filled(tmp_path) as store:
            if not self.erasable:
                assert not store.is_erasable()
                _raises(NotErasableError, lambda: store.delete_many(["z"]))
                return
            store.rename("g", "deep/h")
            store.delete_many(["z", "absent"])
            del store["gg/a"]
            assert dict(store) == {"deep/h/a/0": b"22", "deep/h/a/1": b"333", "deep/h/b/0/0": b"4444"}
            _raises(PathNotFoundError, lambda: store.rename("g", "x"))
            store.rmdir("deep/h/a")
            store.rmdir("nowhere")
            assert list(store) == ["deep/h/b/0/0"]
            store.clear()
            assert list(store) == []

    # --- several writers, other processes ----------------------------------------------------------------------------

    def test_comparing_and_setting(self, tmp_path: Path) -> None:
        """Test that `set_if` sets a value only if it is the expected one, where the store has it."""
        with self.make(tmp_path) as store:
            if not store.can_set_if:
                _raises(OSError, lambda: store.set_if("k", b"1", None))
                return
            assert store.set_if("k", b"1", None)
            assert not store.set_if("k", b"2", None)
            assert not store.set_if("k", b"2", b"0")
            assert store.set_if("k", b"2", b"1")
            assert store["k"] == b"2"

    def test_spec(self, tmp_path: Path) -> None:
        """Test that the spec of a store opens it, and is a value."""
        with self.make(tmp_path) as store:
            store["k"] = b"value"
            store.flush()
            spec = store.spec()
            assert (spec, hash(spec)) == (store.spec(), hash(store.spec()))
            assert spec.open()["k"] == b"value"
            assert store.place("a").is_same(store.place("a"))

    def test_pickling(self, tmp_path: Path) -> None:
        """Test that a pickled store reaches the same values."""
        with self.make(tmp_path) as store:
            if self.pickles:
                store["k"] = b"value"
                store.flush()
                assert pickle.loads(pickle.dumps(store))["k"] == b"value"

    # --- arrays and groups -------------------------------------------------------------------------------------------

    def test_arrays_and_groups(self, tmp_path: Path) -> None:
        """Test a hierarchy in both formats, with shards."""
        for zarr_format in (2, 3):
            folder = tmp_path / str(zarr_format)
            folder.mkdir()
            with self.make(folder) as store:
                root = zarrds.group(store, zarr_format=zarr_format)
                z = root.create_dataset("g/a", shape=(6, 8), chunks=(2, 4), dtype="i4")
                z[:] = np.arange(48).reshape(6, 8)
                z.attrs["units"] = "m"
                again = zarrds.open_group(store, mode="r")["g/a"]
                assert again[1:4, ::3].tolist() == np.arange(48).reshape(6, 8)[1:4, ::3].tolist()
                assert again.attrs["units"] == "m"
                assert sorted(root.require_group("g").array_keys()) == ["a"]

    def test_shards(self, tmp_path: Path) -> None:
        """Test that inner chunks of a shard are read and replaced."""
        with self.make(tmp_path) as store:
            z = zarrds.create((8, 8), chunks=(2, 2), shards=(4, 8), dtype="u1", store=store, zarr_format=3)
            z[:] = np.arange(64).reshape(8, 8)
            if self.erasable:
                z[3, 3] = 99
                assert z[3, 3] == 99
            assert z[5, 2:5].tolist() == [42, 43, 44]


def _range(start: int, stop: int | None) -> Any:
    from zarrds._base.types import ByteRange

    return ByteRange(start, stop)


def _raises(error: type[BaseException], call: Callable[[], Any]) -> None:
    """Fail unless a call raises an error of the class."""
    import pytest

    with pytest.raises(error):
        call()
