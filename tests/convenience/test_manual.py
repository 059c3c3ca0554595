"""The manual's examples of the convenience functions, with their output."""

from __future__ import annotations


def opening() -> None:
    """API 3.6, `open`.

    >>> import zarrds
    >>> store = "data/example.zarr"
    >>> zarrds.open(store, mode="w", shape=100, dtype="i4")  # open new array
    <zarrds.core.Array (100,) int32>
    >>> zarrds.open(store, mode="a")  # open existing array for reading and writing
    <zarrds.core.Array (100,) int32>
    >>> zarrds.open(store, mode="r")  # open existing array read-only
    <zarrds.core.Array (100,) int32 read-only>
    >>> zarrds.open(store, mode="w")  # open new group, overwriting previous data
    <zarrds.hierarchy.Group '/'>
    >>> zarrds.open(store, mode="a")  # open existing group for reading and writing
    <zarrds.hierarchy.Group '/'>
    >>> zarrds.open(store, mode="r")  # open existing group read-only
    <zarrds.hierarchy.Group '/' read-only>
    """


def saving() -> None:
    """API 3.6, `save` and its relatives, and `load`.

    >>> import numpy as np, zarrds
    >>> a1 = np.arange(10000)
    >>> a2 = np.arange(10000, 0, -1)
    >>> zarrds.save("data/example.zarr", a1)
    >>> zarrds.load("data/example.zarr")
    array([   0,    1,    2, ..., 9997, 9998, 9999]...)
    >>> zarrds.save("data/example.zarr", a1, a2)
    >>> loader = zarrds.load("data/example.zarr")
    >>> loader
    <LazyLoader: arr_0, arr_1>
    >>> loader["arr_0"]
    array([   0,    1,    2, ..., 9997, 9998, 9999]...)
    >>> loader["arr_1"]
    array([10000,  9999,  9998, ...,     3,     2,     1]...)
    >>> zarrds.save("data/example.zarr", foo=a1, bar=a2)
    >>> loader = zarrds.load("data/example.zarr")
    >>> loader
    <LazyLoader: bar, foo>
    >>> loader["foo"]
    array([   0,    1,    2, ..., 9997, 9998, 9999]...)
    >>> zarrds.save_array("data/example.zarr", a1)
    >>> zarrds.load("data/example.zarr")
    array([   0,    1,    2, ..., 9997, 9998, 9999]...)
    >>> zarrds.save_group("data/example.zarr", a1, a2)
    >>> loader = zarrds.load("data/example.zarr")
    >>> loader
    <LazyLoader: arr_0, arr_1>
    >>> zarrds.save_group("data/example.zarr", foo=a1, bar=a2)
    >>> loader = zarrds.load("data/example.zarr")
    >>> loader
    <LazyLoader: bar, foo>
    >>> loader["bar"]
    array([10000,  9999,  9998, ...,     3,     2,     1]...)
    """


def consolidating() -> None:
    """Tutorial 2.11.4; the manual does not show the group that `consolidate_metadata` returns.

    >>> import zarrds
    >>> store = zarrds.DirectoryStore("data/example.zarr")
    >>> zarrds.group(store, overwrite=True).zeros("a/b", shape=3)
    <zarrds.core.Array '/a/b' (3,) float64>
    >>> zarrds.consolidate_metadata(store)
    <zarrds.hierarchy.Group '/'>
    >>> root = zarrds.open_consolidated(store)
    >>> root["a/b"][0] = 1
    >>> root.create_group("new")
    Traceback (most recent call last):
    ...
    zarrds.errors.ReadOnlyError: consolidated metadata cannot be modified (path 'new')...
    """
