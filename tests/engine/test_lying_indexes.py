"""Indexes of shards that lie: an error, or what is there; never other data, whichever part is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.errors import ChunkDecodeError
from zarrds.storage import KVStore

LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
ZSTD = {"name": "zstd", "configuration": {"level": 1, "checksum": False}}
DATA = np.arange(120, dtype="<i4").reshape(12, 10) * 7
WHOLE = 2**64


def shards(codecs: list[Any], place: str, inner: list[int]) -> dict[str, Any]:
    inside = {"chunk_shape": inner, "codecs": codecs, "index_codecs": [LITTLE], "index_location": place}
    return {"name": "sharding_indexed", "configuration": inside}


CHAINS: dict[str, Any] = {
    "plain": lambda place: shards([LITTLE], place, [3, 5]),
    "zstd": lambda place: shards([LITTLE, ZSTD], place, [3, 5]),
    "shards in shards": lambda place: shards([shards([LITTLE, ZSTD], place, [3, 5])], place, [6, 5]),
}


def stored(chain: str, place: str) -> tuple[dict[str, bytes], int]:
    """A store with arrays of 2 shards, and the number of inner chunks of each."""
    store: dict[str, bytes] = {}
    z = zarrds.create((12, 10), chunks=(6, 10), dtype="<i4", codecs=[CHAINS[chain](place)], zarr_format=3,
                      fill_value=-1, store=KVStore(store))  # fmt: skip
    z[:] = DATA
    return store, 2 if chain == "shards in shards" else 4


def lies(value: bytes, start: int, count: int) -> Iterator[bytes]:
    """The value with one number of its index changed, or one pair that of another inner chunk."""
    size = len(value)
    numbers = np.frombuffer(value, "<u8", 2 * count, start)
    others = (
        WHOLE - 1,
        WHOLE - 2,
        WHOLE - 8,
        2**63,
        2**63 - 1,
        0,
        1,
        size - 1,
        size,
        size + 1,
        size - 16 * count,
        2**40,
    )
    for at in range(2 * count):
        for number in {*others, int(numbers[at]) + 1, int(numbers[at]) - 1} - {int(numbers[at])}:
            if number >= 0:
                yield replaced(value, start + 8 * at, number.to_bytes(8, "little"))
    for first in range(count):
        for second in range(count):
            if first != second:
                yield replaced(value, start + 16 * first, value[start + 16 * second : start + 16 * second + 16])


def replaced(value: bytes, start: int, piece: bytes) -> bytes:
    return value[:start] + piece + value[start + len(piece) :]


@pytest.mark.parametrize("place", ["start", "end"])
@pytest.mark.parametrize("chain", CHAINS)
def test_an_index_that_lies_gives_no_other_data(chain: str, place: str) -> None:
    sound, count = stored(chain, place)
    value = bytes(sound["c/0/0"])
    refused = 0
    for lie in lies(value, 0 if place == "start" else len(value) - 16 * count, count):
        store = {**sound, "c/0/0": lie}
        z = zarrds.open_array(KVStore(store), mode="r+")
        before = dict(store)
        for part in (np.s_[:], np.s_[1:3, 1:3], np.s_[0, 9], np.s_[5, 0]):
            try:
                found = z[part]
            except ChunkDecodeError as error:
                refused += error.key == "c/0/0"
            else:
                np.testing.assert_array_equal(found, DATA[part])
        with pytest.raises(ChunkDecodeError, match="c/0/0"):
            z[:]
        assert {finding.key for finding in zarrds.verify(KVStore(store), level="decode").findings} == {"c/0/0"}
        try:
            z[0, 0] = 5
        except ChunkDecodeError:
            assert store == before
        else:  # inner chunks that a write does not touch are not decoded, and stay as wrong as they are
            with pytest.raises(ChunkDecodeError, match="c/0/0"):
                z[:]
        np.testing.assert_array_equal(z[6:], DATA[6:])
    assert refused > 100


def test_overlaps_are_refused_whichever_chunk_is_asked_for() -> None:
    sound, count = stored("zstd", "end")
    value = bytes(sound["c/0/0"])
    start = len(value) - 16 * count
    sound["c/0/0"] = replaced(value, start + 48, value[start : start + 16])  # the last inner chunk is the first one
    z = zarrds.open_array(KVStore(sound))
    for part in (np.s_[0, 0], np.s_[0, 9], np.s_[5, 0], np.s_[5, 9]):
        with pytest.raises(ChunkDecodeError, match="overlap"):
            z[part]


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("place", ["start", "end"])
def test_a_chunk_outside_the_shard_is_noticed_whichever_is_asked_for(chain: str, place: str) -> None:
    """Where the shard is read whole: its size is known then."""
    sound, count = stored(chain, place)
    value = sound["c/0/0"]
    start = 0 if place == "start" else len(value) - 16 * count
    for number in range(count):
        lying = replaced(value, start + 16 * number, (10**6).to_bytes(8, "little"))
        z = zarrds.open_array(KVStore({**sound, "c/0/0": lying}), mode="r")
        for asked in ((0, 0), (5, 9), (slice(0, 6), slice(0, 10))):
            with pytest.raises(ChunkDecodeError):
                z[asked]
