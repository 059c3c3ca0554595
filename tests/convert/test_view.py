"""A store shown in another format: what is passed on, and what is decoded and encoded again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import zarrds
from zarrds._base.types import ByteRange
from zarrds._convert import FormatView


class Recording(zarrds.MemoryStore):
    asked: list[list[Any]]

    def get_many(self, requests: Sequence[Any]) -> list[Any]:
        self.asked.append(list(requests))
        return super().get_many(requests)


def test_requests_that_are_passed_on_are_one_batch_of_the_same_ranges() -> None:
    store = Recording()
    store.asked = []
    z = zarrds.open_group(store, mode="w", zarr_format=2).create_dataset("u", data=np.arange(6), chunks=2)
    view = FormatView(store, 3)
    part = ByteRange(2, 5)
    store.asked.clear()
    document, first, absent, last = view.get_many([("u/zarr.json", None), ("u/0", part), ("u/9", None), ("u/2", None)])
    assert store.asked == [[("u/0", part), ("u/2", None)]]
    assert (bytes(first or b""), last, absent) == (z.store["u/0"][2:5], z.store["u/2"], None)
    assert document is not None
    store.asked.clear()
    assert view.get_many([("zarr.json", None)])[0] is not None
    assert store.asked == []


def test_chunks_that_are_encoded_again_are_those_of_now() -> None:
    store = zarrds.MemoryStore()
    z = zarrds.open_group(store, mode="w", zarr_format=3).create_dataset("u", data=np.arange(8), chunks=2, shards=4)
    view = FormatView(store, 2)
    shown = zarrds.open_group(view, mode="r")["u"]
    assert (shown.chunks, shown[:].tolist()) == ((2,), list(range(8)))
    z[1:3] = -1
    assert shown[:].tolist() == [0, -1, -1, 3, 4, 5, 6, 7]
    z[4:] = 0
    assert shown[2:].tolist() == [-1, 3, 0, 0, 0, 0]
    assert sorted(view) == [".zgroup", ".zmetadata", "u/.zarray", "u/0", "u/1"]
