"""What is written in Zarr v3 is read by zarr-python 3 and tensorstore: data types, fill values, codecs, keys."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numcodecs import BZ2, LZ4, Blosc, Delta, GZip, Zstd

import zarrds

zarr = pytest.importorskip("zarr", minversion="3")
tensorstore = pytest.importorskip("tensorstore")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*:zarr.errors.UnstableSpecificationWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have a Zarr V3 specification.*"),
    pytest.mark.filterwarnings("ignore:.*is currently not part.*"),
    pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3 specification.*"),
]

SHAPE, CHUNKS = (5, 7), (2, 3)
NUMBERS = ["bool", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]
TEXTS = ["S3", "U4", "V5", "M8[ns]", "M8[25s]", "m8[D]", "M8[D]"]
STRUCT = np.dtype([("a", "<i2"), ("b", ">f4"), ("t", "M8[s]"), ("s", "S3")])
NESTED = np.dtype([("p", "u2"), ("q", [("r", "f4"), ("s", "i1")])])
TENSORSTORE_DTYPES = frozenset(np.dtype(d).name for d in NUMBERS)


def sample(dtype, shape=SHAPE):
    """Values of a dtype, among them zeros and, where there are any, such as are not finite."""
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    rng = np.random.default_rng(7)
    if dtype.kind == "b":
        flat = rng.integers(0, 2, count).astype(bool)
    elif dtype.kind == "S":
        flat = np.array([b"ab"[: i % 3] for i in range(count)], dtype)
    elif dtype.kind == "U":
        flat = np.array(["é漢😀a"[: i % 5] for i in range(count)], dtype)
    elif dtype.names is not None:
        flat = np.zeros(count, dtype)
        for name in dtype.names:
            flat[name] = sample(dtype[name], (count,))
    else:
        flat = np.frombuffer(rng.bytes(count * dtype.itemsize), dtype).copy()
        if dtype.kind in "mM":
            flat = (flat.view("i8") % 10**6).view(dtype)
        if dtype.kind in "fc":
            flat = rng.normal(size=count).astype(dtype)
            flat[:3] = [0, np.nan, -np.inf]
    return flat.reshape(shape)


def same(found, expected):
    found, expected = np.asarray(found), np.asarray(expected)
    if expected.dtype.kind == "O" or found.dtype.kind == "T":
        return found.shape == expected.shape and found.astype(object).tolist() == expected.astype(object).tolist()
    if found.dtype.newbyteorder("=") != expected.dtype.newbyteorder("="):
        return False
    return (
        found.astype(found.dtype.newbyteorder("=")).tobytes()
        == expected.astype(expected.dtype.newbyteorder("=")).tobytes()
    )


def expected_of(z, data):
    """What an array must read as whose first rows were written: the rest is fill value."""
    full = np.empty(data.shape, data.dtype if data.dtype.kind == "O" else z.dtype)
    full[...] = z.fill_value
    full[:3] = data[:3]
    return full


def write(path, dtype, data=None, **options):
    data = sample(dtype) if data is None else data
    options.setdefault("chunks", CHUNKS)
    z = zarrds.open_array(str(path), mode="w", shape=data.shape, dtype=dtype, zarr_format=3, **options)
    z[:3] = data[:3]
    return z, expected_of(z, data)


def check(path, z, expected, *, by_tensorstore):
    """Both read the same as we do; so do we when it is opened again."""
    again = zarrds.open(str(path), mode="r")
    assert again.dtype == z.dtype
    assert again.zarr_format == 3
    assert same(again[...], expected)
    other = zarr.open_array(str(path), mode="r")
    assert other.shape == expected.shape
    assert same(other[...], expected)
    if expected.dtype.kind not in "O":
        assert same(np.asarray(other.metadata.fill_value, other.dtype), np.asarray(again.fill_value, z.dtype))
    if by_tensorstore:
        third = tensorstore.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}).result()
        assert same(third.read().result(), expected)


@pytest.mark.parametrize("fill", [None, 0, 1])
@pytest.mark.parametrize("dtype", NUMBERS)
def test_numbers(tmp_path, dtype, fill):
    z, expected = write(tmp_path, dtype, fill_value=fill)
    check(tmp_path, z, expected, by_tensorstore=True)


@pytest.mark.parametrize("dtype", [">i2", ">u8", ">f4", ">c16", ">M8[ms]", ">U2"])
def test_big_endian(tmp_path, dtype):
    z, expected = write(tmp_path, dtype)
    document = json.loads((tmp_path / "zarr.json").read_text())
    assert document["codecs"][0] == {"name": "bytes", "configuration": {"endian": "big"}}
    assert z.dtype == np.dtype(dtype).newbyteorder("=")
    check(tmp_path, z, expected, by_tensorstore=z.dtype.name in TENSORSTORE_DTYPES)


@pytest.fixture
def legacy_names():
    """Write data types under the names that Zarr-Python up to 3.1 knows."""
    with zarrds.config_context(v3_legacy_names=1):
        yield


@pytest.mark.usefixtures("legacy_names")
@pytest.mark.parametrize("dtype", [*TEXTS, STRUCT, NESTED], ids=str)
def test_texts_times_structures(tmp_path, dtype):
    z, expected = write(tmp_path, dtype)
    check(tmp_path, z, expected, by_tensorstore=False)


FILLS = [
    *[("f4", np.nan), ("f8", np.inf), ("f8", -np.inf), ("f2", 0.1), ("f4", 0.1), ("f8", -0.0), ("f8", 1e300)],
    *[("c8", complex(1, np.nan)), ("c16", complex(np.inf, -0.0)), ("u8", 2**64 - 1), ("i8", -(2**63)), ("bool", True)],
    *[("f4", "0x7fc00001"), ("f8", "0xfff8000000000000"), ("f4", "Infinity")],
]
OTHER_FILLS = [
    *[
        ("S3", b"ab"),
        ("S3", b"\xff\x00a"),
        ("U4", "é漢"),
        ("V5", b"12345"),
        ("M8[s]", np.datetime64("2020-01-01", "s")),
    ],
    *[("M8[ns]", np.datetime64("NaT", "ns")), ("m8[D]", np.timedelta64(-4, "D")), ("M8[ns]", None), ("M8[ns]", 0)],
    *[("M8", None), ("m8", np.timedelta64("NaT"))],
    *[(STRUCT, np.array((1, 2.5, 7, b"xy"), STRUCT)[()]), (STRUCT, 0)],
]


@pytest.mark.parametrize(("dtype", "fill"), FILLS, ids=str)
def test_fill_values_of_numbers(tmp_path, dtype, fill):
    z, expected = write(tmp_path, dtype, fill_value=fill)
    check(tmp_path, z, expected, by_tensorstore=True)


@pytest.mark.usefixtures("legacy_names")
@pytest.mark.parametrize(("dtype", "fill"), OTHER_FILLS, ids=str)
def test_fill_values_of_others(tmp_path, dtype, fill):
    z, expected = write(tmp_path, dtype, fill_value=fill)
    check(tmp_path, z, expected, by_tensorstore=False)


STRINGS = np.array([["é漢😀"[: (i + j) % 4] for j in range(7)] for i in range(5)], dtype=object)
BYTES = np.array([[b"ab\x00\xff"[: (i + j) % 5] for j in range(7)] for i in range(5)], dtype=object)


@pytest.mark.parametrize("fill", [None, 0, "", "missing"])
@pytest.mark.parametrize("dtype", [str, "string", "str"])
def test_strings(tmp_path, dtype, fill):
    z, expected = write(tmp_path, dtype, STRINGS, fill_value=fill)
    assert z.fill_value == (fill or "")
    check(tmp_path, z, expected, by_tensorstore=False)


@pytest.mark.parametrize("fill", [None, b"", b"a\xff"])
@pytest.mark.parametrize("dtype", [bytes, "variable_length_bytes"])
def test_bytes(tmp_path, dtype, fill):
    z, expected = write(tmp_path, dtype, BYTES, fill_value=fill)
    assert z.fill_value == (fill or b"")
    check(tmp_path, z, expected, by_tensorstore=False)


COMPRESSORS = [None, "default", Blosc("zstd", 3, Blosc.BITSHUFFLE), Blosc("lz4", 5, Blosc.NOSHUFFLE), Blosc(), Zstd(3)]


@pytest.mark.parametrize("dtype", ["i4", "u1", "f8"])
@pytest.mark.parametrize(
    "compressor", [*COMPRESSORS, GZip(1), {"name": "gzip", "configuration": {"level": 0}}], ids=str
)
def test_compressors(tmp_path, compressor, dtype):
    z, expected = write(tmp_path, dtype, compressor=compressor)
    check(tmp_path, z, expected, by_tensorstore=True)


@pytest.mark.parametrize("compressor", [BZ2(), LZ4()], ids=str)
def test_codecs_of_numcodecs(tmp_path, compressor):
    z, expected = write(tmp_path, "i4", compressor=compressor, filters=[Delta("<i4")])
    assert z.compressor == compressor
    assert z.filters == [Delta("<i4")]
    check(tmp_path, z, expected, by_tensorstore=False)


LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
CHAINS = [
    [LITTLE],
    [LITTLE, {"name": "crc32c"}],
    [LITTLE, "crc32c", {"name": "gzip", "configuration": {"level": 1}}, "crc32c"],
    [{"name": "transpose", "configuration": {"order": [1, 0]}}, LITTLE, Zstd(1)],
    [{"name": "bytes", "configuration": {"endian": "big"}}],
    ["bytes", "gzip"],
    ["bytes", "zstd"],
    ["bytes", "blosc"],
    ["bytes", {"name": "blosc", "configuration": {"cname": "zstd", "shuffle": "shuffle"}}],
    [{"name": "sharding_indexed", "configuration": {"chunk_shape": [1, 3], "codecs": ["bytes", "zstd"]}}],
]


@pytest.mark.parametrize("codecs", CHAINS, ids=str)
def test_whole_chains(tmp_path, codecs):
    z, expected = write(tmp_path, "i4", codecs=codecs)
    check(tmp_path, z, expected, by_tensorstore=True)


def test_order_f_is_a_transposition(tmp_path):
    z, expected = write(tmp_path, "i4", order="F")
    document = json.loads((tmp_path / "zarr.json").read_text())
    assert document["codecs"][0] == {"name": "transpose", "configuration": {"order": [1, 0]}}
    assert z.order == "F"
    check(tmp_path, z, expected, by_tensorstore=True)


@pytest.mark.parametrize("dtype", ["u1", "f8", "U3", str])
def test_shards(tmp_path, dtype):
    data = STRINGS if dtype is str else sample(dtype)
    z, expected = write(tmp_path, dtype, data, chunks=(1, 2), shards=(2, 4), order="F", compressor=GZip(1))
    assert (z.chunks, z.shards) == ((1, 2), (2, 4))
    check(tmp_path, z, expected, by_tensorstore=dtype in NUMBERS)
    assert zarr.open_array(str(tmp_path), mode="r").shards == (2, 4)


KEYS = [
    (None, "c/1/2"),
    ({"name": "default", "separator": "."}, "c.1.2"),
    ({"name": "default", "configuration": {"separator": "/"}}, "c/1/2"),
    ({"name": "v2"}, "1.2"),
    ("v2", "1.2"),
    ({"name": "v2", "separator": "/"}, "1/2"),
]


@pytest.mark.parametrize(("encoding", "key"), KEYS, ids=str)
def test_chunk_keys(tmp_path, encoding, key):
    z, expected = write(tmp_path, "i4", chunk_key_encoding=encoding)
    assert (tmp_path / key).is_file()
    check(tmp_path, z, expected, by_tensorstore=True)


@pytest.mark.parametrize("encoding", ["default", "v2"])
def test_no_dimensions(tmp_path, encoding):
    z = zarrds.open_array(str(tmp_path), mode="w", shape=(), dtype="f4", zarr_format=3, chunk_key_encoding=encoding)
    z[...] = 4.5
    assert (tmp_path / {"default": "c", "v2": "0"}[encoding]).is_file()
    check(tmp_path, z, np.array(4.5, "f4"), by_tensorstore=True)


def test_names_and_attributes(tmp_path):
    z, expected = write(tmp_path, "i4", dimension_names=["x", None])
    z.attrs.update(a=1, b=[1, {"ü": None}])
    check(tmp_path, z, expected, by_tensorstore=True)
    other = zarr.open_array(str(tmp_path), mode="r")
    assert other.metadata.dimension_names == ("x", None)
    assert dict(other.attrs) == {"a": 1, "b": [1, {"ü": None}]}


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "int4"])
def test_types_of_ml_dtypes(tmp_path, name):
    pytest.importorskip("ml_dtypes")
    z = zarrds.open_array(str(tmp_path), mode="w", shape=6, chunks=4, dtype=name, zarr_format=3, fill_value=1)
    z[:3] = np.array([-2, 3, 0]).astype(z.dtype)
    third = tensorstore.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": str(tmp_path)}}).result()
    np.testing.assert_array_equal(third.read().result().astype(float), [-2, 3, 0, 1, 1, 1])
    np.testing.assert_array_equal(zarrds.open(str(tmp_path), mode="r")[:].astype(float), [-2, 3, 0, 1, 1, 1])


def test_groups(tmp_path):
    root = zarrds.open_group(str(tmp_path), mode="w", zarr_format=3)
    root.attrs["title"] = "ä"
    root.create_group("a/b")
    root["a"].create_dataset("x", data=np.arange(6), chunks=2)
    other = zarr.open_group(str(tmp_path), mode="r")
    assert dict(other.attrs) == {"title": "ä"}
    assert sorted(path for path, _ in other.members(max_depth=None)) == ["a", "a/b", "a/x"]
    np.testing.assert_array_equal(other["a/x"][:], np.arange(6))


def test_consolidated(tmp_path):
    root = zarrds.open_group(str(tmp_path), mode="w", zarr_format=3)
    root.create_dataset("g/x", data=np.arange(6), chunks=2).attrs["u"] = float("nan")
    zarrds.consolidate_metadata(str(tmp_path))
    written = json.loads((tmp_path / "zarr.json").read_text())
    zarr.consolidate_metadata(str(tmp_path))
    theirs = json.loads((tmp_path / "zarr.json").read_text())
    assert json.dumps(theirs, sort_keys=True) == json.dumps(written, sort_keys=True)
    assert list(theirs["consolidated_metadata"]["metadata"]) == list(written["consolidated_metadata"]["metadata"])
    for key in ("g/zarr.json", "g/x/zarr.json"):
        (tmp_path / key).unlink()
    ours = zarrds.open_consolidated(str(tmp_path), mode="r")
    np.testing.assert_array_equal(ours["g/x"][:], np.arange(6))
    np.testing.assert_array_equal(zarr.open_group(str(tmp_path), mode="r")["g/x"][:], np.arange(6))
