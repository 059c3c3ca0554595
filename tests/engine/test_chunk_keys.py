"""Keys of chunks read back: which of the keys below an array name a chunk of its grid."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zarrds
from zarrds._engine import bulk
from zarrds._engine.bulk import ChunkKeys, count_stored, stored_chunks
from zarrds._store.wrappers.n5 import N5Mapping

LAYOUTS: dict[str, dict[str, Any]] = {
    "2": {"zarr_format": 2},
    "2, nested": {"zarr_format": 2, "dimension_separator": "/"},
    "3": {"zarr_format": 3},
    "3, points": {"zarr_format": 3, "chunk_key_encoding": {"name": "default", "separator": "."}},
    "3, as in 2": {"zarr_format": 3, "chunk_key_encoding": {"name": "v2", "separator": "."}},
    "shards": {"zarr_format": 3, "shards": 4},
    "n5": {"zarr_format": 2},
}


def _array(layout: str, shape: tuple[int, ...], path: str) -> Any:
    store = N5Mapping(zarrds.MemoryStore()) if layout == "n5" else zarrds.MemoryStore()
    return zarrds.create(shape, chunks=2, dtype="i4", store=store, path=path, **LAYOUTS[layout])


@pytest.mark.parametrize("path", ["", "a", "a.b/c"])
@pytest.mark.parametrize("ndim", [0, 1, 2, 3])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_chunks_are_found(layout: str, ndim: int, path: str) -> None:
    if layout == "n5" and not ndim:
        pytest.skip("N5 has no arrays without dimensions")
    z = _array(layout, (23, 5, 4)[:ndim], path)
    z[...] = 1
    source = z.source().open()
    assert z.nchunks_initialized == len(list(stored_chunks(source))) == count_stored(source)
    assert sorted(stored_chunks(source)) == sorted(ChunkKeys(source).coords(source.key(c)) for c in _grid(z))
    z.attrs["a"] = 1
    for name in () if layout == "n5" else ("inner/0", "inner/0.0.0", "00", "+1", " 1", "x"):
        z.store[source.prefix + name] = b""
    assert z.nchunks_initialized == len(_grid(z))


def _grid(z: Any) -> list[tuple[int, ...]]:
    from itertools import product

    unit = z.shards or z.chunks if z.zarr_format == 3 else z.chunks
    return list(product(*[range(-(-n // c)) for n, c in zip(z.shape, unit, strict=True)]))


TEXTS = st.text(st.sampled_from("0123456789c./a-٣"), max_size=8)


@pytest.mark.parametrize("ndim", [0, 1, 2, 3])
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "n5"])
@given(key=TEXTS)
def test_other_keys_are_none(layout: str, ndim: int, key: str) -> None:
    z = _array(layout, (23, 5, 4)[:ndim], "p.0")
    source = z.source().open()
    keys = ChunkKeys(source)
    own = {source.key(at): at for at in _grid(z)}
    for name in (f"p.0/{key}", f"p.0/{key}", key):
        assert keys.coords(name) == own.get(name)
    assert keys.count([f"p.0/{key}"]) == (f"p.0/{key}" in own)


def test_huge_numbers_and_huge_grids() -> None:
    z = zarrds.create((10**18, 3), chunks=(1, 1), store={})
    z[10**18 - 1, 2] = 1
    z.store["9" * 5000 + ".0"] = b"x"
    z.store["1" + "0" * 18 + ".0"] = b"x"
    assert z.nchunks_initialized == 1
    assert list(stored_chunks(z.source().open())) == [(10**18 - 1, 2)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_grid_is_looked_at_once(layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    z = _array(layout, (23, 5), "a")
    z[...] = 1
    calls = []
    real = bulk.grid_shape
    monkeypatch.setattr(bulk, "grid_shape", lambda *args: calls.append(args) or real(*args))
    assert z.nchunks_initialized == len(_grid(z))
    assert len(calls) == 1
