"""Requests of remote stores go out together, bounded: asserted by counting what is in flight, never by timing."""

from __future__ import annotations

from collections import Counter
from math import ceil

import numpy as np
import pytest

import zarrds
from zarrds._base.types import ByteRange
from zarrds.storage import FSStore

from .cloud import FaultyCloud


class Waves(FaultyCloud):
    """Lets requests answer only when no more are coming: each wave is one latency of a far service."""

    def __init__(self) -> None:
        super().__init__()
        self.waves: list[Counter[str]] = []
        self._wave: object = None

    async def _turn(self, verb: str, path: str) -> None:
        import asyncio

        if self._wave is None:
            self._wave = asyncio.get_running_loop().create_task(self._settle())
            self.waves.append(Counter())
        self.waves[-1][verb] += 1
        await self._wave  # type: ignore[misc]

    async def _settle(self) -> None:
        import asyncio

        for _ in range(5):
            await asyncio.sleep(0)
        self._wave = None


@pytest.mark.parametrize("n", [1, 64, 65, 400])
def test_n_objects_take_a_64th_of_the_latencies(n: int) -> None:
    fs = Waves()
    store = FSStore("bucket/root", fs=fs)
    keys = [f"k/{number}" for number in range(n)]
    for verb, act in (
        ("set", lambda: store.set_many([(key, b"0123456789") for key in keys])),
        ("get", lambda: store.get_many([(key, None) for key in keys])),
        ("range", lambda: store.get_many([(key, ByteRange(0, 2)) for key in keys])),
        ("delete", lambda: store.delete_many(keys)),
    ):
        fs.waves.clear()
        act()
        assert [wave[verb] for wave in fs.waves] == [64] * (n // 64) + ([n % 64] if n % 64 else [])


def test_arrays_read_and_write_in_waves() -> None:
    fs = Waves()
    store = FSStore("bucket/root", fs=fs)
    z = zarrds.open_array(store, mode="w", shape=(400, 10), chunks=(1, 10), dtype="i4")
    fs.waves.clear()
    z[:] = 1
    assert len(fs.waves) == ceil(400 / 64)
    fs.waves.clear()
    assert z[:].sum() == 4000
    assert len(fs.waves) == ceil(400 / 64)
    fs.waves.clear()
    assert z[100:164].sum() == 640
    assert len(fs.waves) == 1
    fs.waves.clear()
    z.resize((10, 10))
    assert sum(wave["delete"] for wave in fs.waves) == 390
    assert len(fs.waves) <= ceil(390 / 64) + 2


def test_the_number_in_flight_can_be_set() -> None:
    fs = FaultyCloud()
    store = FSStore("bucket/root", fs=fs)
    with zarrds.config_context(concurrency=5):
        store.set_many([(str(number), b"1") for number in range(20)])
    assert fs.most_running == 5


def test_ranges_of_one_key_are_one_request() -> None:
    fs = FaultyCloud()
    store = FSStore("bucket/root", fs=fs)
    store["k"] = bytes(range(200))
    fs.asked.clear()
    wanted = [("k", ByteRange(n, n + 5)) for n in range(0, 100, 10)]
    found = store.get_many(wanted)
    assert [bytes(part or b"") for part in found] == [bytes(range(n, n + 5)) for n in range(0, 100, 10)]
    assert fs.asked == [("range", "bucket/root/k")]


def test_opening_a_hierarchy_takes_few_waves() -> None:
    fs = Waves()
    store = FSStore("bucket/root", fs=fs)
    g = zarrds.open_group(store, mode="w")
    for number in range(30):
        g.create_dataset(f"z{number}", data=np.arange(4))
    zarrds.consolidate_metadata(store)
    fs.waves.clear()
    opened = zarrds.open_consolidated(store, mode="r")
    assert sum(opened[f"z{number}"].shape[0] for number in range(30)) == 120
    assert len(fs.waves) == 1
