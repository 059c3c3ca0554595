"""Grids of 10^9 chunks and more: nothing enumerates them. Requests and memory are counted, not time."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import zarrds
from tests.store.doubles import CountingStore
from zarrds.storage import DirectoryStore, MemoryStore

GRIDS = [
    ((10**9,), (1,)),
    ((10**5, 10**5), (3, 3)),
    ((2**62,), (1,)),
    ((3, 2**40), (2, 1)),
    ((1000,) * 4, (5,) * 4),
]


@pytest.fixture(params=GRIDS, ids=str)
def z(request, tmp_path):
    shape, chunks = request.param
    store = DirectoryStore(str(tmp_path / "a.zarr")) if len(shape) == 1 else MemoryStore()
    return zarrds.zeros(shape, chunks=chunks, dtype="u1", store=CountingStore(store))


@pytest.fixture(autouse=True)
def _bounded_memory():
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20


def keys(z):
    """How many keys were asked for, set and deleted, and how often there was a listing."""
    seen = z.store.reset()
    return sum(seen.keys[verb] for verb in ("get", "set", "delete")), seen.calls["keys"] + seen.calls["listdir"]


def test_selections(z):
    corner = (slice(0, 2),) * z.ndim
    z[corner] = 1
    z[tuple(n - 1 for n in z.shape)] = 2
    keys(z)
    assert (z[corner] == 1).all()
    assert z[(-1,) * z.ndim] == 2
    ends = ([0, 1, -1],) * z.ndim
    assert z.oindex[ends].shape == (3,) * z.ndim
    assert z.vindex[ends].tolist() == [1, 1, 2]
    assert z.blocks[(0,) * z.ndim].max() == 1
    steps = tuple(slice(None, None, -(-n // 3)) for n in z.shape)
    assert z[steps].shape == tuple(len(range(n)[step]) for n, step in zip(z.shape, steps, strict=True))
    assert z[steps].flat[0] == 1
    asked, listings = keys(z)
    assert asked < 600
    assert listings == 0


def test_reports(z):
    z[(0,) * z.ndim] = 1
    keys(z)
    assert z.nchunks >= 10**9
    assert z.nchunks_initialized == 1
    assert "1/" in str(z.info)
    assert str(z.shape) in repr(z)
    assert "svg" in z._repr_html_()
    assert z.nbytes_stored > 0
    assert len(z.missing_chunks(limit=3)) == 3
    asked, listings = keys(z)
    assert asked < 20
    assert listings < 12


def test_resizing(z):
    shape = z.shape
    z[(0,) * z.ndim] = 1
    z[(-1,) * z.ndim] = 2
    keys(z)
    z.resize(*[n // 2 + 1 for n in shape])
    assert z.nchunks_initialized == 1
    z.resize(*shape)
    assert z[(-1,) * z.ndim] == 0
    z.resize(*[min(n, 2) for n in shape], trim=True)
    assert z[(0,) * z.ndim] == 1
    asked, listings = keys(z)
    assert asked < 2000
    assert listings < 8


def test_appending():
    z = zarrds.zeros(10**9, chunks=1, dtype="u1", store=CountingStore(MemoryStore()))
    z.store.reset()
    assert z.append(np.ones(3, dtype="u1")) == (10**9 + 3,)
    asked, listings = keys(z)
    assert asked == 6  # the document is read, claimed and set; three chunks
    assert listings == 0
    assert z[-4:].tolist() == [0, 1, 1, 1]


def test_checksums_need_only_what_is_stored(z):
    z[(0,) * z.ndim] = 1
    keys(z)
    assert len(z.hexdigest()) == 40
    asked, listings = keys(z)
    assert asked < 20
    assert listings == 1
