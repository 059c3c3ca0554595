"""The compressors pcodec and zfpy, which take arrays and not bytes: in both formats, beside others, and damaged."""

from __future__ import annotations

import json

import numcodecs
import numpy as np
import pytest
from packaging.version import Version

import zarrds
from zarrds._codec.table import get_codec
from zarrds.errors import BadCompressorError, ChunkDecodeError

SMOOTH = np.linspace(-1, 1, 13 * 7).reshape(13, 7)


@pytest.fixture(params=["pcodec", "zfpy"])
def codec(request):
    pytest.importorskip(request.param)
    return {"pcodec": lambda: zarrds.PCodec(level=3), "zfpy": lambda: zarrds.ZFPY()}[request.param]()


def fixed_rate():
    pytest.importorskip("zfpy")
    return zarrds.ZFPY(mode=2, rate=16)


def written(data, **options):
    z = zarrds.create(data.shape, chunks=(5, 4), dtype=data.dtype, store={}, **options)
    z[:] = data
    return z


@pytest.mark.parametrize("dtype", ["i4", "i8", "f4", "f8"])
@pytest.mark.parametrize("layout", [{}, {"filters": [zarrds.Delta("<i8")]}, {"order": "F"}], ids=str)
def test_format_2(codec, layout, dtype):
    if codec.codec_id == "zfpy" and layout.get("order") == "F":
        with pytest.raises(zarrds.errors.ChunkEncodeError, match="F order"):
            written(SMOOTH, compressor=codec, order="F")
        return
    dtype = "i8" if "filters" in layout else dtype
    data = (SMOOTH * 1000).astype(dtype)
    z = written(data, compressor=codec, **layout)
    np.testing.assert_array_equal(z[:], data)
    assert zarrds.open(z.store, mode="r").compressor == codec


@pytest.mark.parametrize(
    "chain",
    [
        lambda codec: {"compressor": codec},
        lambda codec: {"serializer": codec, "compressors": [{"name": "crc32c"}]},
        lambda codec: {"serializer": codec, "order": "F", "compressors": None},
        lambda codec: {"compressor": codec, "shards": (10, 8)},
        lambda codec: {"codecs": [{"name": "transpose", "configuration": {"order": [1, 0]}}, codec]},
    ],
    ids=["compressor", "serializer", "transposed", "shards", "codecs"],
)
def test_format_3(codec, chain):
    z = written(SMOOTH, zarr_format=3, **chain(codec))
    assert f'"numcodecs.{codec.codec_id}"' in bytes(z.store["zarr.json"]).decode()
    np.testing.assert_array_equal(z[:], SMOOTH)
    np.testing.assert_array_equal(z[3:6, 1::2], SMOOTH[3:6, 1::2])
    z[2:4] = 0
    np.testing.assert_array_equal(
        zarrds.open(z.store, mode="r")[1:5], [SMOOTH[1], 0 * SMOOTH[2], 0 * SMOOTH[3], SMOOTH[4]]
    )


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3 specification.*")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_read_by_zarr_python_3(codec, zarr_format, tmp_path):
    zarr = pytest.importorskip("zarr", minversion="3")
    if codec.codec_id == "pcodec" and Version(numcodecs.__version__) < Version("0.16.4"):
        pytest.skip("Zarr-Python 3 does not find pcodec of older numcodecs, or gives it what it cannot decode")
    z = zarrds.open_array(
        str(tmp_path),
        mode="w",
        shape=SMOOTH.shape,
        chunks=(5, 4),
        dtype="f8",
        compressor=codec,
        zarr_format=zarr_format,
    )
    z[:] = SMOOTH
    np.testing.assert_array_equal(zarr.open_array(str(tmp_path), mode="r")[:], SMOOTH)


def test_what_is_lost_is_bounded():
    z = written(SMOOTH, compressor=fixed_rate())
    assert 0 < np.abs(z[:] - SMOOTH).max() < 1e-2


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_truncated_values_are_no_data(codec, zarr_format):
    z = written(SMOOTH[:5, :4], compressor=codec, zarr_format=zarr_format)
    key = "0.0" if zarr_format == 2 else "c/0/0"
    whole = bytes(z.store[key])
    for length in range(len(whole)):
        z.store[key] = whole[:length]
        if length >= len(whole) - 8 and codec.codec_id == "zfpy":  # zeros, which fill up the last word
            np.testing.assert_array_equal(_or_raises(z), SMOOTH[:5, :4])
            continue
        with pytest.raises(ChunkDecodeError):
            z[:]


def _or_raises(z):
    try:
        return z[:]
    except ChunkDecodeError:
        return SMOOTH[:5, :4]


@pytest.mark.parametrize("dtype", ["i4", "i8", "f4", "f8"])
@pytest.mark.parametrize("shape", [(9,), (5, 7), (3, 6, 5), (2, 5, 3, 4)], ids=str)
def test_headers_of_zfp(shape, dtype):
    """One that says another shape is refused, one of a larger array before the decoder believes it."""
    z = zarrds.create(shape, chunks=shape, dtype=dtype, store={}, compressor=fixed_rate())
    z[...] = np.arange(np.prod(shape)).reshape(shape)
    key = ".".join("0" * len(shape))
    whole = bytes(z.store[key])
    kept = z[...]
    for bit in (*range(24), *range(36, 84)):  # what it is, and its lengths
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        z.store[key] = bytes(damaged)
        with pytest.raises(ChunkDecodeError):
            z[...]
    z.store[key] = whole
    np.testing.assert_array_equal(z[...], kept)


@pytest.mark.parametrize("name", ["pcodec", "zfpy"])
def test_a_package_that_is_not_installed_is_named(name, monkeypatch):
    monkeypatch.delitem(numcodecs.registry.codec_registry, name, raising=False)
    get_codec.cache_clear()
    document = {**DOCUMENT, "compressor": {"id": name}}
    with pytest.raises(BadCompressorError, match=rf"pip install 'zarrds\[{name}\]'"):
        zarrds.open({".zarray": json.dumps(document).encode()}, mode="r")


DOCUMENT = {
    "chunks": [2],
    "dtype": "<f8",
    "fill_value": 0,
    "filters": None,
    "order": "C",
    "shape": [2],
    "zarr_format": 2,
}
