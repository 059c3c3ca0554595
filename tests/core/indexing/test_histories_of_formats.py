"""Random histories of arrays of every format: writes of all kinds, batches, resizes, appends, reopening; against numpy.

What lies beyond an array after it shrank is put to fill value each time (`trim`), so that a plain array is the model.
"""

from __future__ import annotations

import tempfile
from typing import Any

import numcodecs
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import zarrds
from zarrds.storage import MemoryStore

from .worlds import NetworkDouble, RangesDouble

LONGEST = 9
MISSING = np.array(0x7F800001, "u4").view("f4")
"""A NaN with other bits than that of fill values."""

LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
BIG = {"name": "bytes", "configuration": {"endian": "big"}}
ZSTD = {"name": "zstd", "configuration": {"level": 1, "checksum": True}}
CRC = {"name": "crc32c"}


def shards(inner: list[int], codecs: list[Any], place: str = "end") -> dict[str, Any]:
    inside = {"chunk_shape": inner, "codecs": codecs, "index_codecs": [LITTLE, CRC], "index_location": place}
    return {"name": "sharding_indexed", "configuration": inside}


def layouts(ndim: int) -> dict[str, dict[str, Any]]:
    """Keywords of `create` for arrays of so many dimensions."""
    turn = {"name": "transpose", "configuration": {"order": list(range(ndim))[::-1]}}
    chunks, large, small = [2, 3][:ndim], [4, 6][:ndim], [1, 3][:ndim]
    packed = {"zarr_format": 3, "chunks": large}
    return {
        "2, order F": {"zarr_format": 2, "chunks": chunks, "order": "F", "dimension_separator": "/"},
        "2, filters": {"zarr_format": 2, "chunks": chunks, "filters": [numcodecs.Shuffle(4)]},
        "3": {"zarr_format": 3, "chunks": chunks},
        "3, plain": {"zarr_format": 3, "chunks": chunks, "codecs": [BIG]},
        "3, turned": {"zarr_format": 3, "chunks": chunks, "codecs": [turn, LITTLE, ZSTD, CRC]},
        "3, shards": {"zarr_format": 3, "chunks": chunks, "shards": large},
        "3, plain shards": {**packed, "codecs": [shards(chunks, [LITTLE], "start")]},
        "3, transposed shards": {**packed, "codecs": [turn, shards([1] * ndim, [LITTLE, CRC])]},
        "3, shards in shards": {**packed, "codecs": [shards(chunks, [shards(small, [LITTLE, ZSTD])])]},
        "3, packed shards": {**packed, "codecs": [shards(chunks, [LITTLE]), ZSTD]},
        "n5": {"chunks": chunks, "compressor": numcodecs.GZip(1)},
    }


class Histories(RuleBasedStateMachine):
    """Whatever happens to an array, it equals the model, bit by bit."""

    @initialize(
        layout=st.sampled_from(sorted(layouts(1))),
        shape=st.lists(st.integers(0, LONGEST), min_size=1, max_size=2),
        store=st.sampled_from([MemoryStore, NetworkDouble, RangesDouble]),
        fill=st.sampled_from([0.0, -0.0, 7.0, np.nan, -np.inf]),
        keep_empty=st.booleans(),
    )
    def create(self, layout: str, shape: list[int], store: Any, fill: float, keep_empty: bool) -> None:
        self.folder = None
        self.store, self.fill = store(), np.float32(fill)
        if layout == "n5":
            self.folder = tempfile.TemporaryDirectory()
            self.store, self.fill = zarrds.N5Store(self.folder.name), np.float32(0)
        options = {"dtype": "<f4", "fill_value": self.fill, "write_empty_chunks": keep_empty}
        self.z = zarrds.create(tuple(shape), store=self.store, **options, **layouts(len(shape))[layout])
        self.model = np.full(shape, self.fill, "<f4")
        self.options = {"write_empty_chunks": keep_empty}
        self.clock = 100.0

    def teardown(self) -> None:
        if getattr(self, "folder", None) is not None:
            self.folder.cleanup()

    def numbers(self, shape: tuple[int, ...]) -> Any:
        self.clock += 1
        return (self.clock + np.arange(np.prod(shape, dtype=int))).astype("f4").reshape(shape)

    def region(self, data: st.DataObject) -> tuple[slice, ...]:
        bounds = [sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n)))) for n in self.model.shape]
        return tuple(slice(*pair, data.draw(st.integers(1, 3))) for pair in bounds)

    def picks(self, data: st.DataObject, length: int | None = None) -> tuple[Any, ...]:
        """Positions along each dimension, of that many or each of its own; none where there are no elements."""
        least, most = (0, 4) if length is None else (length, length)
        drawn = [data.draw(st.lists(st.integers(0, n - 1), min_size=least, max_size=most)) for n in self.model.shape]
        return tuple(np.array(sorted(set(d)) if length is None else d, int) for d in drawn)

    def put(self, z: Any, data: st.DataObject) -> None:
        """One write of any kind."""
        kind = data.draw(st.sampled_from(["basic", "scalar", "fill", "nan", "outer", "points", "mask", "blocks"]))
        if 0 in self.model.shape:
            return
        if kind in ("basic", "scalar", "fill", "nan"):
            region = self.region(data)
            values = {"basic": self.numbers(self.model[region].shape), "scalar": 55, "fill": self.fill, "nan": MISSING}
            value = values[kind]
            z[region] = value
            self.model[region] = value
        elif kind == "outer":
            picks = self.picks(data)
            value = self.numbers(tuple(map(len, picks)))
            z.oindex[picks] = value
            self.model[np.ix_(*picks)] = value
        elif kind == "points":
            picks = self.picks(data, 3)
            z.vindex[picks] = 77
            self.model[picks] = 77
        elif kind == "mask":
            mask = self.model == self.model.flat[data.draw(st.integers(0, self.model.size - 1))]
            z.vindex[mask] = 88
            self.model[mask] = 88
        else:
            at = tuple(
                data.draw(st.integers(0, -(-n // c) - 1)) for n, c in zip(self.model.shape, z.write_unit, strict=True)
            )
            region = tuple(slice(i * c, (i + 1) * c) for i, c in zip(at, z.write_unit, strict=True))
            z.blocks[at] = 99
            self.model[region] = 99

    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        self.put(self.z, data)

    @rule(data=st.data(), count=st.integers(1, 4))
    def write_in_a_batch(self, data: st.DataObject, count: int) -> None:
        with self.z.batch():
            for _ in range(count):
                self.put(self.z, data)
            self.equals_the_model()

    @rule(data=st.data())
    def resize(self, data: st.DataObject) -> None:
        old = self.model
        shape = tuple(data.draw(st.integers(0, LONGEST)) for _ in old.shape)
        self.z.resize(*shape, trim=True)
        self.model = np.full(shape, self.fill, "<f4")
        both = tuple(slice(0, min(a, b)) for a, b in zip(shape, old.shape, strict=True))
        self.model[both] = old[both]

    @rule(axis=st.integers(0, 1), length=st.integers(0, 4))
    def append(self, axis: int, length: int) -> None:
        axis %= self.model.ndim
        if self.model.shape[axis] + length <= LONGEST:
            more = self.numbers(tuple(length if dim == axis else n for dim, n in enumerate(self.model.shape)))
            self.model = np.concatenate([self.model, more], axis)
            assert self.z.append(more, axis) == self.model.shape

    @rule(partial=st.booleans())
    def reopen(self, partial: bool) -> None:
        self.z = zarrds.Array(self.store, partial_decompress=partial, **self.options)

    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        region = self.region(data)
        self.compare(self.z[region], self.model[region])
        if 0 not in self.model.shape:
            picks, points = self.picks(data), self.picks(data, 3)
            self.compare(self.z.oindex[picks], self.model[np.ix_(*picks)])
            self.compare(self.z.vindex[points], self.model[points])

    @invariant()
    def equals_the_model(self) -> None:
        if hasattr(self, "z"):
            self.compare(self.z[...], self.model)

    def compare(self, found: Any, expected: Any) -> None:
        assert found.shape == expected.shape
        assert found.astype("<f4").tobytes() == expected.tobytes()

    @invariant()
    def nothing_is_amiss(self) -> None:
        if hasattr(self, "z"):
            report = zarrds.verify(self.store, level="decode")
            assert report.ok, str(report)


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=40, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.slow
class TestHistoriesLong(Histories.TestCase):  # type: ignore[misc, name-defined]
    settings = settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
