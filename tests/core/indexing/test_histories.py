"""Random histories of an array: writes, resizes, appends, views, new fill values, reopening; against a numpy model."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import zarrds
from zarrds.storage import MemoryStore

from .worlds import NetworkDouble

LONGEST = 9  # the model reaches this far along each dimension, beyond what the array ever does


class Model:
    """What is stored or would be read, for every place that the array may come to hold."""

    def __init__(self, shape: tuple[int, ...], chunks: tuple[int, ...], fill: int) -> None:
        self.shape, self.chunks, self.fill = shape, chunks, fill
        self.values = np.full((2 * LONGEST,) * len(shape), fill)
        self.stored: set[tuple[int, ...]] = set()

    def inside(self) -> tuple[slice, ...]:
        return tuple(slice(0, n) for n in self.shape)

    def chunk(self, coords: tuple[int, ...]) -> tuple[slice, ...]:
        return tuple(slice(i * c, (i + 1) * c) for i, c in zip(coords, self.chunks, strict=True))

    def grid(self) -> set[tuple[int, ...]]:
        return set(product(*[range(-(-n // c)) for n, c in zip(self.shape, self.chunks, strict=True)]))

    def write(self, region: tuple[slice, ...], value: Any) -> None:
        touched = np.zeros(self.values.shape, dtype=bool)
        touched[self.inside()][region] = True
        self.values[self.inside()][region] = value
        for coords in self.grid():
            place = self.chunk(coords)
            if touched[place].any():
                self.stored.add(coords)
                self._cover(place, touched)

    def _cover(self, place: tuple[slice, ...], touched: np.ndarray) -> None:
        """A chunk that is covered whole is not read first: the fill value is in what reaches beyond the array."""
        inside = np.zeros(self.values.shape, dtype=bool)
        inside[self.inside()] = True
        if touched[place][inside[place]].all():
            self.values[place][~inside[place]] = self.fill

    def resize(self, shape: tuple[int, ...], *, trim: bool) -> None:
        cut = [new < old for new, old in zip(shape, self.shape, strict=True)]
        self.shape = shape
        for coords in set(self.stored) - self.grid():
            self._forget(coords)
        for coords in self.stored if trim else ():
            for axis, index in enumerate(coords):
                if cut[axis] and index == shape[axis] // self.chunks[axis]:
                    self._trim(coords)

    def _forget(self, coords: tuple[int, ...]) -> None:
        self.stored.discard(coords)
        self.values[self.chunk(coords)] = self.fill

    def _trim(self, coords: tuple[int, ...]) -> None:
        outside = np.ones(self.values.shape, dtype=bool)
        outside[self.inside()] = False
        mask = np.zeros(self.values.shape, dtype=bool)
        mask[self.chunk(coords)] = True
        self.values[outside & mask] = self.fill

    def refill(self, fill: int) -> None:
        self.fill = fill
        everywhere = np.ones(self.values.shape, dtype=bool)
        for coords in self.stored:
            everywhere[self.chunk(coords)] = False
        self.values[everywhere] = fill


LENGTHS = st.integers(0, LONGEST)


class Histories(RuleBasedStateMachine):
    """Whatever happens to an array, it equals the model."""

    @initialize(
        shape=st.lists(LENGTHS, min_size=1, max_size=3),
        chunk=st.integers(1, 5),
        network=st.booleans(),
        compressed=st.booleans(),
        keep_empty=st.booleans(),
        order=st.sampled_from("CF"),
    )
    def create(
        self, shape: list[int], chunk: int, network: bool, compressed: bool, keep_empty: bool, order: str
    ) -> None:
        self.store = NetworkDouble() if network else MemoryStore()
        chunks = tuple(chunk + axis for axis in range(len(shape)))
        self.keep_empty = keep_empty
        self.z = zarrds.create(
            tuple(shape), chunks=chunks, dtype="i4", fill_value=7, store=self.store, order=order,
            compressor="default" if compressed else None, write_empty_chunks=keep_empty,
        )  # fmt: skip
        self.model = Model(tuple(shape), chunks, 7)
        self.clock = 100

    def _numbers(self, shape: tuple[int, ...]) -> np.ndarray:
        self.clock += 1
        return np.arange(self.clock, self.clock + int(np.prod(shape)), dtype="i4").reshape(shape)

    @rule(data=st.data(), kind=st.sampled_from(["numbers", "scalar", "fill"]))
    def write(self, data: st.DataObject, kind: str) -> None:
        region = tuple(
            slice(*sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n)))), data.draw(st.integers(1, 3)))
            for n in self.model.shape
        )
        shape = self.model.values[self.model.inside()][region].shape
        value = {"numbers": self._numbers(shape), "scalar": 55, "fill": self.model.fill}[kind]
        self.z[region] = value
        self.model.write(region, value)

    @rule(data=st.data())
    def write_points(self, data: st.DataObject) -> None:
        if 0 in self.model.shape:
            return
        points = [data.draw(st.integers(0, n - 1)) for n in self.model.shape]
        self.z.vindex[tuple([p] for p in points)] = [77]
        self.model.write(tuple(slice(p, p + 1) for p in points), 77)

    @rule(data=st.data(), trim=st.booleans())
    def resize(self, data: st.DataObject, trim: bool) -> None:
        shape = tuple(data.draw(LENGTHS) for _ in self.model.shape)
        self.z.resize(*shape, trim=trim)
        self.model.resize(shape, trim=trim)

    @rule(axis=st.integers(0, 2), length=st.integers(0, 4))
    def append(self, axis: int, length: int) -> None:
        axis %= len(self.model.shape)
        old = self.model.shape
        new = tuple(n + length if dim == axis else n for dim, n in enumerate(old))
        if new[axis] > LONGEST:
            return
        data = self._numbers(tuple(length if dim == axis else n for dim, n in enumerate(old)))
        assert self.z.append(data, axis) == new
        self.model.resize(new, trim=False)
        self.model.write(
            tuple(slice(o, n) if d == axis else slice(0, n) for d, (o, n) in enumerate(zip(old, new, strict=True))),
            data,
        )

    @rule(fill=st.integers(-3, 3))
    def refill(self, fill: int) -> None:
        if self.keep_empty:  # else the model would have to know which chunks came to be all fill value
            self.z.fill_value = fill
            self.model.refill(fill)

    @rule(keep_empty=st.just(True), partial=st.booleans())
    def reopen(self, keep_empty: bool, partial: bool) -> None:
        self.z = zarrds.Array(self.store, partial_decompress=partial, write_empty_chunks=self.keep_empty)

    @rule()
    def view(self) -> None:
        view = self.z.view(dtype="u4", fill_value=int(self.model.fill) % 2**32)
        self._compare(view[...].view("i4"))

    @rule(data=st.data())
    def read_outer(self, data: st.DataObject) -> None:
        picks = [
            np.array(data.draw(st.lists(st.integers(0, n - 1), max_size=5)) if n else [], int) for n in self.model.shape
        ]
        mesh = np.ix_(*picks)
        np.testing.assert_array_equal(self.z.oindex[tuple(picks)], self.model.values[mesh])

    @invariant()
    def equals_the_model(self) -> None:
        if hasattr(self, "z"):
            assert self.z.shape == self.model.shape
            self._compare(self.z[...])

    def _compare(self, found: np.ndarray) -> None:
        assert found.shape == self.model.shape
        np.testing.assert_array_equal(found, self.model.values[self.model.inside()])

    @invariant()
    def nothing_is_stored_outside(self) -> None:
        if hasattr(self, "z") and self.keep_empty:
            found = {tuple(map(int, key.split("."))) for key in self.store.keys_below("") if not key.startswith(".z")}
            assert found == self.model.stored


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.slow
class TestHistoriesLong(Histories.TestCase):  # type: ignore[misc, name-defined]
    settings = settings(
        max_examples=300, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )
