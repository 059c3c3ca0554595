"""Encoding with Zstandard, by whichever library is there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import numcodecs
import numpy as np
import pytest

import zarrds
from zarrds._codec import zstd
from zarrds._codec.compress import zstd_size

DATA = [b"", b"a", b"abc" * 100, np.arange(20_000).tobytes(), bytes(10**6)]
SETTINGS = [(0, False), (0, True), (-5, False), (1, False), (9, True), (12, False), (22, False), (30, False)]


@pytest.fixture(params=["numcodecs", "python"])
def compress(request: pytest.FixtureRequest) -> Any:
    if request.param == "numcodecs":
        return zstd._with_numcodecs
    try:
        module = import_module("compression.zstd")
    except ImportError:
        module = pytest.importorskip("backports.zstd")
    return zstd._with_python(module)


@pytest.mark.parametrize(("level", "checksum"), SETTINGS)
def test_frames_are_whole_and_state_their_size(compress: Any, level: int, checksum: bool) -> None:
    for data in [*DATA, *DATA]:  # twice: encoders are kept
        frame = compress(data, level, checksum)
        assert zstd_size(frame) == len(data)
        assert bool(frame[4] & 4) is checksum
        assert not data or numcodecs.Zstd().decode(frame) == data


def test_threads_have_encoders_of_their_own(compress: Any) -> None:
    data = [np.random.default_rng(seed).integers(0, 9, 30_000).tobytes() for seed in range(40)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda item: compress(item, 3, False), data))
    assert [numcodecs.Zstd().decode(frame) for frame in found] == data


def test_without_a_module_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(zstd, "import_module", absent)
    assert zstd._best.__wrapped__() is zstd._with_numcodecs


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">i2", "M8[s]", "S3", "V5"])
def test_format_2_stores_what_numcodecs_reads(order: Any, dtype: str) -> None:
    store: dict[str, bytes] = {}
    z = zarrds.create((4, 6), chunks=(4, 6), dtype=dtype, order=order, compressor=zarrds.Zstd(level=5), store=store)
    data = np.frombuffer(bytes(range(24 * z.dtype.itemsize)), dtype).reshape(4, 6)
    z[...] = data
    assert numcodecs.Zstd().decode(bytes(store["0.0"])) == data.tobytes(order)
