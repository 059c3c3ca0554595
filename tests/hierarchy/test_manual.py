"""The manual's examples of groups, diagnostics and attributes, with their output; damaged output as it really is."""

from __future__ import annotations

import re

import numpy as np
import pytest

import zarrds


def groups() -> None:
    """Tutorial 2.7.

    >>> root = zarrds.group()
    >>> root
    <zarrds.hierarchy.Group '/'>
    >>> foo = root.create_group("foo")
    >>> bar = foo.create_group("bar")
    >>> bar.zeros("baz", shape=(10000, 10000), chunks=(1000, 1000), dtype="i4")
    <zarrds.core.Array '/foo/bar/baz' (10000, 10000) int32>
    >>> bar.create_dataset("quux", shape=(10000, 10000), chunks=(1000, 1000), dtype="i4")
    <zarrds.core.Array '/foo/bar/quux' (10000, 10000) int32>
    >>> root["foo"]
    <zarrds.hierarchy.Group '/foo'>
    >>> root["foo/bar"]
    <zarrds.hierarchy.Group '/foo/bar'>
    >>> root["foo/bar/baz"]
    <zarrds.core.Array '/foo/bar/baz' (10000, 10000) int32>
    >>> root.tree()
    /
     └── foo
         └── bar
             ├── baz (10000, 10000) int32
             └── quux (10000, 10000) int32
    >>> root = zarrds.open("data/group.zarr", mode="w")
    >>> root
    <zarrds.hierarchy.Group '/'>
    >>> root.zeros("foo/bar/baz", shape=(10000, 10000), chunks=(1000, 1000), dtype="i4")
    <zarrds.core.Array '/foo/bar/baz' (10000, 10000) int32>
    >>> with zarrds.open("data/group.zarr") as root:
    ...     list(root)
    ['foo']
    """


def attributes() -> None:
    """Tutorial 2.9.

    >>> root = zarrds.group()
    >>> root.attrs["foo"] = "bar"
    >>> z = root.zeros("zzz", shape=(10000, 10000))
    >>> z.attrs["baz"] = 42
    >>> z.attrs["qux"] = [1, 4, 7, 12]
    >>> sorted(root.attrs)
    ['foo']
    >>> "foo" in root.attrs
    True
    >>> root.attrs["foo"]
    'bar'
    >>> sorted(z.attrs)
    ['baz', 'qux']
    >>> z.attrs["baz"]
    42
    >>> z.attrs["qux"]
    [1, 4, 7, 12]
    """


def functions_of_the_module() -> None:
    """API 3.3, `group` and `open_group`.

    >>> zarrds.group()
    <zarrds.hierarchy.Group '/'>
    >>> zarrds.group(store=zarrds.DirectoryStore("data/example.zarr"), overwrite=True)
    <zarrds.hierarchy.Group '/'>
    >>> root = zarrds.open_group("data/example.zarr", mode="w")
    >>> foo = root.create_group("foo")
    >>> bar = root.create_group("bar")
    >>> root
    <zarrds.hierarchy.Group '/'>
    >>> root2 = zarrds.open_group("data/example.zarr", mode="a")
    >>> root2
    <zarrds.hierarchy.Group '/'>
    >>> root == root2
    True
    """


def members() -> None:
    """API 3.3, members of a group.

    >>> g1 = zarrds.group()
    >>> g2 = g1.create_group("foo")
    >>> g3 = g1.create_group("bar")
    >>> d1 = g1.create_dataset("baz", shape=100, chunks=10)
    >>> d2 = g1.create_dataset("quux", shape=200, chunks=20)
    >>> for name in g1:
    ...     print(name)
    bar
    baz
    foo
    quux
    >>> "foo" in g1, "bar" in g1, "nope" in g1, len(g1)
    (True, True, False, 4)
    >>> sorted(g1.group_keys())
    ['bar', 'foo']
    >>> for n, v in g1.groups():
    ...     print(n, type(v))
    bar <class 'zarrds.hierarchy.Group'>
    foo <class 'zarrds.hierarchy.Group'>
    >>> sorted(g1.array_keys())
    ['baz', 'quux']
    >>> for n, v in g1.arrays():
    ...     print(n, type(v))
    baz <class 'zarrds.core.Array'>
    quux <class 'zarrds.core.Array'>
    >>> d1 = g1.create_dataset("deep/bar/baz", shape=100, chunks=10)
    >>> g1["deep"]
    <zarrds.hierarchy.Group '/deep'>
    >>> g1["deep/bar"]
    <zarrds.hierarchy.Group '/deep/bar'>
    >>> g1["deep/bar/baz"]
    <zarrds.core.Array '/deep/bar/baz' (100,) float64>
    """


def visiting() -> None:
    """API 3.3, `visit` and its relatives.

    >>> g1 = zarrds.group()
    >>> g2 = g1.create_group("foo")
    >>> g3 = g1.create_group("bar")
    >>> g4 = g3.create_group("baz")
    >>> g5 = g3.create_group("quux")
    >>> g1.visit(print)
    bar
    bar/baz
    bar/quux
    foo
    >>> g3.visitkeys(print)
    baz
    quux
    >>> g1.visitvalues(print)
    <zarrds.hierarchy.Group '/bar'>
    <zarrds.hierarchy.Group '/bar/baz'>
    <zarrds.hierarchy.Group '/bar/quux'>
    <zarrds.hierarchy.Group '/foo'>
    >>> g3.visitvalues(print)
    <zarrds.hierarchy.Group '/bar/baz'>
    <zarrds.hierarchy.Group '/bar/quux'>
    >>> g1.visititems(lambda name, obj: print((name, obj)))
    ('bar', <zarrds.hierarchy.Group '/bar'>)
    ('bar/baz', <zarrds.hierarchy.Group '/bar/baz'>)
    ('bar/quux', <zarrds.hierarchy.Group '/bar/quux'>)
    ('foo', <zarrds.hierarchy.Group '/foo'>)
    >>> g3.visititems(lambda name, obj: print((name, obj)))
    ('baz', <zarrds.hierarchy.Group '/bar/baz'>)
    ('quux', <zarrds.hierarchy.Group '/bar/quux'>)
    """


def creating() -> None:
    """API 3.3, what creates members.

    >>> g1 = zarrds.group()
    >>> g2 = g1.create_group("foo")
    >>> g3 = g1.create_group("bar")
    >>> g4 = g1.create_group("baz/quux")
    >>> sorted(g1.store)
    ['.zgroup', 'bar/.zgroup', 'baz/.zgroup', 'baz/quux/.zgroup', 'foo/.zgroup']
    >>> g2 = g1.require_group("new")
    >>> g3 = g1.require_group("new")
    >>> g2 == g3
    True
    >>> g1.create_dataset("square", shape=(10000, 10000), chunks=(1000, 1000))
    <zarrds.core.Array '/square' (10000, 10000) float64>
    >>> g1.create_dataset("bar/baz/qux", shape=(100, 100, 100), chunks=(100, 10, 10))
    <zarrds.core.Array '/bar/baz/qux' (100, 100, 100) float64>
    """


def trees() -> None:
    """API 3.3, `tree`; and 3.6, that of an h5py group.

    >>> g1 = zarrds.group()
    >>> g2 = g1.create_group("foo")
    >>> g3 = g1.create_group("bar")
    >>> g4 = g3.create_group("baz")
    >>> g5 = g3.create_group("quux")
    >>> d1 = g5.create_dataset("baz", shape=100, chunks=10)
    >>> g1.tree()
    /
     ├── bar
     │   ├── baz
     │   └── quux
     │       └── baz (100,) float64
     └── foo
    >>> g1.tree(level=2)
    /
     ├── bar
     │   ├── baz
     │   └── quux
     └── foo
    >>> g3.tree()
    bar
     ├── baz
     └── quux
         └── baz (100,) float64
    """


def test_find_with_visit() -> None:
    root = zarrds.group()
    root.create_groups("foo", "bar", "aaa/bbb/ccc/aaa")
    pattern = re.compile("aaa")
    assert root.visit(lambda path: path if pattern.search(path) else None) == "aaa"
    found: list[str] = []
    assert root.visit(lambda path: found.append(path) if pattern.search(path) else None) is None
    assert found == ["aaa", "aaa/bbb", "aaa/bbb/ccc", "aaa/bbb/ccc/aaa"]
    last: list[str] = []
    root.visit(lambda path: last.append(path) if pattern.search(path.rsplit("/", 1)[-1]) else None)
    assert last == ["aaa", "aaa/bbb/ccc/aaa"]


ROOT_INFO = """\
Name        : /
Type        : zarrds.hierarchy.Group
Read-only   : False
Store type  : zarrds.storage.MemoryStore
No. members : 1
No. arrays  : 0
No. groups  : 1
Groups      : foo
"""

FOO_INFO = """\
Name        : /foo
Type        : zarrds.hierarchy.Group
Read-only   : False
Store type  : zarrds.storage.MemoryStore
No. members : 2
No. arrays  : 2
No. groups  : 0
Arrays      : bar, baz
"""

BAR_INFO = """\
Name               : /foo/bar
Type               : zarrds.core.Array
Data type          : int64
Shape              : (1000000,)
Chunk shape        : (100000,)
Order              : C
Read-only          : False
Compressor         : Blosc(cname='lz4', clevel=5, shuffle=SHUFFLE, blocksize=0)
Store type         : zarrds.storage.MemoryStore
No. bytes          : 8000000 (7.6M)
No. bytes stored   : {stored}
Storage ratio      : {ratio}
Chunks initialized : 10/10
"""


@pytest.fixture
def diagnosed() -> zarrds.Group:
    root = zarrds.group()
    foo = root.create_group("foo")
    foo.zeros("bar", shape=1000000, chunks=100000, dtype="i8")[:] = 42
    foo.zeros("baz", shape=(1000, 1000), chunks=(100, 100), dtype="f4")[:] = 4.2
    return root


def test_info(diagnosed: zarrds.Group) -> None:
    """Tutorial 2.8; how many bytes are stored depends on the release of Blosc."""
    foo = diagnosed["foo"]
    assert repr(diagnosed.info) == ROOT_INFO
    assert repr(foo.info) == FOO_INFO
    rows = dict(foo["bar"].info_items())
    assert repr(foo["bar"].info) == BAR_INFO.format(stored=rows["No. bytes stored"], ratio=rows["Storage ratio"])
    assert 30000 < int(rows["No. bytes stored"].split()[0]) < 36000
    assert dict(foo["baz"].info_items())["Chunks initialized"] == "100/100"


def test_tree_of_the_diagnosed(diagnosed: zarrds.Group) -> None:
    lines = ["/", " └── foo", "     ├── bar (1000000,) int64", "     └── baz (1000, 1000) float32"]
    assert repr(diagnosed.tree()).split("\n") == lines
    assert str(diagnosed.tree()).split("\n") == lines


def test_data_come_back(tmp_path: object) -> None:
    root = zarrds.open_group(f"{tmp_path}/group.zarr", mode="w")
    root.zeros("foo/bar/baz", shape=(100, 100), chunks=(10, 10), dtype="i4")[:] = np.arange(10000).reshape(100, 100)
    again = zarrds.open(f"{tmp_path}/group.zarr", mode="r")
    assert np.array_equal(again.foo.bar.baz, np.arange(10000).reshape(100, 100))


def test_rows_of_info(diagnosed: zarrds.Group) -> None:
    rows = dict(diagnosed["foo"].info_items())
    assert (rows["No. members"], rows["No. arrays"], rows["No. groups"]) == (2, 2, 0)
    assert "<td" in diagnosed.info._repr_html_()


def test_attributes_keep_their_order_until_they_are_read_again() -> None:
    root = zarrds.group()
    root.attrs["foo"] = "bar"
    root.attrs["baz"] = 42
    assert list(root.attrs) == ["foo", "baz"]
    root.attrs.put({"b": 1, "a": 2})
    root.attrs.update(d=1, c=2)
    assert list(root.attrs.asdict().items()) == [("a", 2), ("b", 1), ("d", 1), ("c", 2)]
    assert list(zarrds.group(root.store).attrs) == ["a", "b", "c", "d"]
