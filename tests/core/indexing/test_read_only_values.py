"""Values that cannot be written to can be stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import zarrds

ITEMS = {
    "bytes": (b"a", {"dtype": bytes}),
    "bytes, Zarr v3": (b"a", {"dtype": bytes, "zarr_format": 3}),
    "text": ("a", {"dtype": str}),
    "text, Zarr v3": ("a", {"dtype": str, "zarr_format": 3}),
    "arrays": (np.arange(3), {"dtype": "array:i8"}),
    "JSON": ([1, "a"], {"dtype": object, "object_codec": zarrds.JSON()}),
}


@pytest.mark.parametrize("chunks", [1, 2, 3])
@pytest.mark.parametrize("kind", ITEMS)
def test_objects(kind: str, chunks: int) -> None:
    item, options = ITEMS[kind]
    one: np.ndarray[Any, Any] = np.empty(1, object)
    one[0] = item
    frozen = one.repeat(3)
    frozen.flags.writeable = False
    for value in (np.broadcast_to(one, (3,)), frozen):
        z = zarrds.create(3, chunks=chunks, **options)
        z[:] = value
        assert all(np.array_equal(found, item) for found in z[:])
        z[1:] = value[1:]
        assert all(np.array_equal(found, item) for found in z[:])


def test_a_read_only_object_without_dimensions() -> None:
    value = np.array(b"a", dtype=object)
    value.flags.writeable = False
    z = zarrds.create((), dtype=bytes)
    z[...] = value
    assert z[()] == b"a"
