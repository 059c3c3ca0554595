"""What every store promises to readers, for stores that can only be read."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import zarrds
from zarrds._base.types import ByteRange
from zarrds.errors import ReadOnlyError
from zarrds.storage import MemoryStore, getsize, listdir

from .reading import READING, readable
from .test_contract import ODD_KEYS
from .test_contract_sharing import CHILD

VALUES = {
    "z": b"1",
    "g/a/0": b"22",
    "g/a/1": b"333",
    "g/b/0/0": bytes([0, 255, 7, 200]),
    "gg/a": b"",
    "gg/b": b"base64:",
}
ALL = pytest.mark.parametrize("name", READING)


@ALL
def test_is_a_mapping(name: str, tmp_path: Path) -> None:
    with readable(name, tmp_path, VALUES) as store:
        found = dict(store.items())
        assert {key: found[key] for key in VALUES} == VALUES
        assert set(found) - {"all.zip"} == set(VALUES)
        assert len(store) == len(found) == len(list(store))
        assert sorted(store.values()) == sorted(found.values())
        assert (store.get("g/c"), store.get("z")) == (None, b"1")
        assert store.getitems(["z", "none", "gg/a"]) == {"z": b"1", "gg/a": b""}


@ALL
def test_absent_is_absent(name: str, tmp_path: Path) -> None:
    with readable(name, tmp_path, VALUES) as store:
        # servers answer for directories, with a page
        served = READING[name].server is not None and name != "zip-http"
        for key in ("absent", "g/absent", "z/below", *(() if served else ("g", "g/a"))):
            assert key not in store
            assert store.get_many([(key, None), (key, ByteRange(0, 1))]) == [None, None]
            with pytest.raises(KeyError):
                store[key]


@ALL
def test_keys_that_leave_the_root_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(b"secret")
    with readable(name, tmp_path, VALUES) as store:
        for key in ("", "/etc/passwd", "../up", "g/../../up", "..", "nul\0", "g\\..\\..\\up"):
            with pytest.raises(ValueError):
                store.get_many([(key, None)])
        for other in (1, None, b"z"):
            assert other not in store


@ALL
def test_odd_characters(name: str, tmp_path: Path) -> None:
    values = {"other": b"o", **{key: key.encode() for key in ODD_KEYS}}
    with readable(name, tmp_path, values) as store:
        answers = store.get_many([(key, None) for key in values])
        assert {key: bytes(found or b"") for key, found in zip(values, answers, strict=True)} == values
        assert set(store) - {"all.zip"} == set(values)
        assert (store.listdir("c"), store.listdir("ü")) == (["0.1"], ["ñ"])


@ALL
def test_ranges(name: str, tmp_path: Path) -> None:
    values = {"none": b"", "a": b"0123456789", "b": b"0123456789", "c": b"0123456789"}
    ranges = [(0, None), (0, 0), (2, 5), (5, 5), (8, 100), (10, 12), (100, 200), (100, None), (-3, None), (-100, None)]
    with readable(name, tmp_path, values) as store:
        for byte_range in ranges:
            wanted = [(key, ByteRange(*byte_range)) for key in [*values, "absent"]]
            expected = [*(value[slice(*byte_range)] for value in values.values()), None]
            for found in (store.get_many(wanted), list(store.iter_many(wanted))):
                assert [None if part is None else bytes(part) for part in found] == expected
        mixed = [("c", ByteRange(1, 2)), ("a", None), ("c", ByteRange(0, 1)), ("absent", None), ("a", ByteRange(-2))]
        answers = [None if part is None else bytes(part) for part in store.get_many(mixed)]
        assert answers == [b"1", b"0123456789", b"0", None, b"89"]
        assert store.get_many([]) == []


@ALL
def test_large_values(name: str, tmp_path: Path) -> None:
    value = np.random.default_rng(0).bytes(3 * 2**20)
    with readable(name, tmp_path, {"a": b"a", "b": b"b", "large": value}) as store:
        assert store["large"] == value
        found = store.get_many([("large", ByteRange(-5)), ("large", ByteRange(2**20, 2**20 + 3)), ("large", None)])
        assert [bytes(part or b"") for part in found] == [value[-5:], value[2**20 : 2**20 + 3], value]


@ALL
def test_listing(name: str, tmp_path: Path) -> None:
    with readable(name, tmp_path, VALUES) as store:
        assert [found for found in store.listdir() if found != "all.zip"] == ["g", "gg", "z"]
        assert store.listdir("g") == listdir(store, b"/g//") == ["a", "b"]
        assert store.listdir("g/a") == ["0", "1"]
        assert store.listdir("z") == store.listdir("nowhere") == []
        assert set(store.keys_below("g/")) == {"g/a/0", "g/a/1", "g/b/0/0"}
        assert list(store.keys_below("nowhere/")) == list(store.keys_below("z/")) == []
        unknown = "http" in name and name != "zip-http"  # listings of servers say nothing of sizes
        sizes = [-1, 0, 1, -1, 0] if unknown else [5, 0, 1, 7, 0]
        assert [getsize(store, path) for path in ("g/a", "g", "z", "gg", "nowhere")] == sizes


@ALL
def test_nothing_can_be_written(name: str, tmp_path: Path) -> None:
    with readable(name, tmp_path, VALUES) as store:
        assert not store.is_writeable()
        for write in (
            lambda: store.set_many([("k", b"")]),
            lambda: store.delete_many(["z"]),
            lambda: store.rmdir("g"),
            lambda: store.rename("g", "h"),
            lambda: store.clear(),
            lambda: zarrds.group(store, path="new"),
        ):
            with pytest.raises(ReadOnlyError):
                write()
        assert store["z"] == b"1"


@ALL
def test_stores_are_sent_elsewhere(name: str, tmp_path: Path) -> None:
    with readable(name, tmp_path, {"a/j": b"j", "a/k": b"value"}) as store:
        spec = store.spec()
        assert spec == store.spec()
        assert hash(spec) == hash(store.spec())
        with pickle.loads(pickle.dumps(store)) as copy:
            assert copy == store
            assert (copy["a/k"], copy.profile, copy.is_writeable()) == (b"value", store.profile, False)
        assert store["a/k"] == b"value"
        assert not spec.build().is_writeable()
        assert store.profile.shareable


@pytest.mark.slow
@pytest.mark.parametrize("name", ["http", "zip-http", "reference"])
def test_stores_open_in_another_process(name: str, tmp_path: Path) -> None:
    with readable(name, tmp_path, {"a/j": b"j", "a/k": b"value"}) as store:
        pickled = pickle.dumps([pickle.dumps(item) for item in (store, store.spec())])
        child = subprocess.run([sys.executable, "-c", CHILD], input=pickled, capture_output=True)
        assert child.stdout == b"value;value;", child.stderr.decode()


@ALL
def test_threads_read(name: str, tmp_path: Path) -> None:
    values = {f"t/{number}": b"%d" % number * 100 for number in range(24)}
    with readable(name, tmp_path, values) as store, ThreadPoolExecutor(8) as pool:
        keys = list(values) * 4
        assert list(pool.map(store.__getitem__, keys)) == [values[key] for key in keys]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@ALL
def test_forked_children_read(name: str, tmp_path: Path) -> None:
    with readable(name, tmp_path, {"a/j": b"j", "a/k": b"value"}) as store:
        assert store["a/k"] == b"value"
        child = os.fork()
        if child == 0:
            right = False
            try:
                right = bytes(store["a/k"]) == b"value"
            finally:
                os._exit(0 if right else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert store["a/k"] == b"value"


# arrays of N5 containers, which these values are not, are in the contract of stores
@pytest.mark.parametrize("name", [name for name in READING if name != "n5-fs"])
def test_arrays_and_groups(name: str, tmp_path: Path) -> None:
    data = np.arange(60.0).reshape(6, 10)
    source = MemoryStore()
    root = zarrds.group(source)
    root.attrs["title"] = "ü"
    root.create_dataset("g/z", data=data, chunks=(4, 3)).attrs["units"] = "m"
    root.create_dataset("raw", data=data, chunks=(4, 10), compressor=None)
    zarrds.array(data, store=source, path="g/partial", chunks=(2, 10), write_empty_chunks=False)
    with readable(name, tmp_path, {key: bytes(source[key]) for key in source}) as store:
        opened = zarrds.open(store, mode="r")
        assert (dict(opened.attrs), dict(opened["g/z"].attrs)) == ({"title": "ü"}, {"units": "m"})
        assert (list(opened), list(opened["g"])) == (["g", "raw"], ["partial", "z"])
        for path in ("g/z", "raw", "g/partial"):
            np.testing.assert_array_equal(opened[path][:], data)
            np.testing.assert_array_equal(opened[path][3:5, 2:9], data[3:5, 2:9])
            np.testing.assert_array_equal(opened[path].oindex[[0, 5], [9, 0]], data[[0, 5]][:, [9, 0]])
        with pytest.raises(ReadOnlyError):
            opened["raw"][0] = 1
