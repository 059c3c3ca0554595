"""N5 containers as stores."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorstore

import zarrds
from zarrds.errors import ChunkDecodeError, DTypeNotSupportedError, MetadataError
from zarrds.n5 import N5ChunkWrapper

DTYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"]
COMPRESSORS = {
    "raw": None,
    "gzip": zarrds.GZip(3),
    "zlib": zarrds.Zlib(3),
    "bz2": zarrds.BZ2(2),
    "xz": zarrds.LZMA(preset=1),
    "zstd": zarrds.Zstd(2),
    "blosc": zarrds.Blosc("zstd", 3, zarrds.Blosc.SHUFFLE),
    "blosc-bit": zarrds.Blosc("lz4", 3, zarrds.Blosc.BITSHUFFLE),
}


def attributes(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / "attributes.json").read_text())
    return found


def values(shape: tuple[int, ...], dtype: str = "i4") -> np.ndarray[Any, Any]:
    return np.arange(1, 1 + np.prod(shape)).reshape(shape).astype(dtype)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.n5"


# --- layout ----------------------------------------------------------------------------------------------------------


def test_dimensions_are_reversed_and_nested(path: Path) -> None:
    z = zarrds.open(str(path), mode="w", shape=(5, 7), chunks=(2, 3), dtype=">i2", compressor=zarrds.Zlib(3))
    z[:] = values((5, 7))
    assert attributes(path) == {
        "blockSize": [3, 2],
        "compression": {"level": 3, "type": "gzip", "useZlib": True},
        "dataType": "int16",
        "dimensions": [7, 5],
        "n5": "2.0.0",
    }
    blocks = sorted(str(f.relative_to(path)) for f in path.rglob("*") if f.is_file() and f.name != "attributes.json")
    assert blocks == sorted(f"{i}/{j}" for i in range(3) for j in range(3))
    assert (z.dtype, z.fill_value, z.order) == (np.dtype("<i2"), 0, "C")
    np.testing.assert_array_equal(z[:], values((5, 7)))


def test_keys_are_those_of_format_2(path: Path) -> None:
    store = zarrds.N5Store(path)
    zarrds.group(store).create_dataset("g/b", data=values((5, 7)), chunks=(3, 4)).attrs["k"] = "ü"
    chunks = [f"g/b/{i}.{j}" for i in range(2) for j in range(2)]
    assert sorted(store) == sorted([".zgroup", "g/.zgroup", "g/b/.zarray", "g/b/.zattrs", *chunks])
    assert store.listdir("g") == [".zgroup", "b"]
    assert store.listdir("g/b") == [".zarray", ".zattrs", "0.0", "0.1", "1.0", "1.1"]
    assert "g/b/1.0" in store
    assert (path / "g/b/0/1").exists()
    assert json.loads(store["g/b/.zarray"])["shape"] == [5, 7]
    del store["g/b/1.0"]
    assert not (path / "g/b/0/1").exists()


def test_attributes_of_users_and_of_n5_are_kept_apart(path: Path) -> None:
    root = zarrds.open_group(str(path), mode="w")
    z = root.zeros("a", shape=(4, 4), chunks=2, dtype="i4")
    z.attrs.update(units=["nm", "nm"], größe=1)
    z.resize(6, 4)
    assert attributes(path / "a")["dimensions"] == [4, 6]
    assert dict(zarrds.open(str(path), mode="r")["a"].attrs) == {"units": ["nm", "nm"], "größe": 1}
    with pytest.warns(UserWarning, match="dimensions"):
        z.attrs["dimensions"] = [1]
    assert attributes(path / "a")["dimensions"] == [4, 6]
    z.attrs.put({})
    assert "units" not in attributes(path / "a")
    assert ".zattrs" not in zarrds.N5Store(path).listdir("a")
    root.attrs["x"] = 1
    assert attributes(path) == {"n5": "2.0.0", "x": 1}
    del root.attrs["x"]
    assert attributes(path) == {"n5": "2.0.0"}


def test_groups_without_attributes(path: Path) -> None:
    zarrds.open_group(str(path), mode="w").create_dataset("s0/1/deep", data=values((4, 4)), chunks=2)
    for name in ("", "s0", "s0/1"):
        (path / name / "attributes.json").unlink()
    root = zarrds.open(str(path), mode="r")
    assert list(root) == ["s0"]
    assert list(root["s0"].groups()) == [("1", root["s0/1"])]
    np.testing.assert_array_equal(root["s0/1/deep"][:], values((4, 4)))
    assert list(root["s0/1"].arrays()) == [("deep", root["s0/1/deep"])]
    assert "s0/1/deep/0" not in root  # a directory of blocks is no group
    assert "elsewhere" not in root


@pytest.mark.parametrize("make", ["N5Store", "N5FSStore"])
def test_a_hierarchy(make: str, tmp_path: Path) -> None:
    store = getattr(zarrds, make)(str(tmp_path / "x"))
    root = zarrds.group(store)
    root.create_groups("a", "b/c")
    root["b"].create_dataset("d", data=values((3, 4, 5)), chunks=(2, 2, 2))
    assert sorted(root) == ["a", "b"]
    assert sorted(root["b"]) == ["c", "d"]
    root.move("b/d", "a/e")
    np.testing.assert_array_equal(root["a/e"][:], values((3, 4, 5)))
    assert root["a/e"].nchunks_initialized == 12
    root["a/e"].resize(1, 4, 5)
    assert root["a/e"].nchunks_initialized == 6
    root["a/e"].append(values((1, 4, 5)))
    assert pickle.loads(pickle.dumps(root))["a/e"].shape == (2, 4, 5)
    assert zarrds.group(store).store.spec().open() == store
    del root["a"]
    assert sorted(root) == ["b"]
    root = zarrds.group(store, overwrite=True)
    assert list(root) == []


def test_by_the_end_of_a_name(path: Path) -> None:
    root = zarrds.open(str(path), mode="w")
    assert isinstance(root.store, zarrds.N5Store)
    zarrds.save(str(path.parent / "saved.n5"), values((3,)))
    assert (path.parent / "saved.n5/attributes.json").exists()


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMPRESSORS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_read_by_tensorstore(dtype: str, name: str, path: Path) -> None:
    data = values((3, 5, 7), dtype)
    z = zarrds.open(str(path), mode="w", shape=(3, 5, 7), chunks=(2, 3, 4), dtype=dtype, compressor=COMPRESSORS[name])
    z[:] = data
    np.testing.assert_array_equal(z[:], data)
    other = tensorstore.open({"driver": "n5", "kvstore": {"driver": "file", "path": str(path)}}).result()
    np.testing.assert_array_equal(other.read().result().T, data)


@pytest.mark.parametrize(
    "compression",
    [
        {"type": "raw"},
        {"type": "gzip"},
        {"type": "gzip", "useZlib": True, "level": 1},
        {"type": "bzip2"},
        {"type": "xz"},
        {"type": "blosc", "cname": "zlib", "clevel": 1, "shuffle": 2},
        {"type": "zstd", "level": 1},
    ],
)
def test_written_by_tensorstore(compression: dict[str, Any], path: Path) -> None:
    data = values((7, 5, 3), "u2")
    metadata = {"dimensions": [7, 5, 3], "blockSize": [3, 2, 2], "dataType": "uint16", "compression": compression}
    spec = {"driver": "n5", "kvstore": {"driver": "file", "path": str(path)}, "metadata": metadata, "create": True}
    tensorstore.open(spec).result().write(data).result()
    z = zarrds.open(str(path), mode="r+")
    assert (z.shape, z.chunks) == ((3, 5, 7), (2, 2, 3))
    np.testing.assert_array_equal(z[:], data.T)
    z[1:, ::2] = 0
    expected = data.T.copy()
    expected[1:, ::2] = 0
    spec = {"driver": "n5", "kvstore": {"driver": "file", "path": str(path)}}
    np.testing.assert_array_equal(tensorstore.open(spec).result().read().result().T, expected)


def block(mode: int, sizes: tuple[int, ...], payload: bytes, count: int | None = None) -> bytes:
    head = mode.to_bytes(2, "big") + len(sizes).to_bytes(2, "big") + b"".join(n.to_bytes(4, "big") for n in sizes)
    return head + (b"" if count is None else count.to_bytes(4, "big")) + payload


def test_truncated_edge_blocks_and_their_mode() -> None:
    codec = N5ChunkWrapper("<i2", (2, 3))
    payload = np.array([[1, 2], [3, 4]], ">i2").tobytes()
    expected = [[1, 2, 0], [3, 4, 0]]
    assert codec.decode(block(0, (2, 2), payload)).tolist() == expected
    assert codec.decode(block(1, (2, 2), payload, 4)).tolist() == expected
    out = np.full((2, 3), 9, "<i2")
    assert codec.decode(block(0, (2, 2), payload), out=out) is out
    assert out.tolist() == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0",
        block(0, (3,), bytes(6)),
        block(0, (4, 2), bytes(16)),
        block(0, (2**31, 2**31), b""),
        block(0, (3, 2), bytes(11)),
        block(0, (3, 2), bytes(13)),
        block(1, (3, 2), bytes(12), 7),
        block(1, (3, 2), b""),
        block(2, (3, 2), bytes(12)),
        block(3, (3, 2), bytes(12)),
    ],
)
def test_what_is_no_block_is_no_data(data: bytes, path: Path) -> None:
    z = zarrds.open(str(path), mode="w", shape=(2, 3), chunks=(2, 3), dtype="i2", compressor=None)
    z[:] = 1
    (path / "0/0").write_bytes(data)
    with pytest.raises(ChunkDecodeError) as caught:
        z[:]
    assert caught.value.key == "0.0"


@pytest.mark.parametrize("name", [name for name in COMPRESSORS if name != "raw"])
def test_truncated_values_are_no_data(name: str, path: Path) -> None:
    z = zarrds.open(str(path), mode="w", shape=(40, 30), chunks=(40, 30), dtype="i4", compressor=COMPRESSORS[name])
    z[:] = values((40, 30))
    whole = (path / "0/0").read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 40)):
        (path / "0/0").write_bytes(whole[:length])
        with pytest.raises(ChunkDecodeError):
            z[:]


# --- what N5 cannot say ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"fill_value": 5}, MetadataError),
        ({"order": "F"}, MetadataError),
        ({"filters": [zarrds.Delta("i4")]}, MetadataError),
        ({"dtype": "c8"}, DTypeNotSupportedError),
        ({"dtype": "S3"}, DTypeNotSupportedError),
        ({"dtype": "M8[s]"}, DTypeNotSupportedError),
        ({"dtype": [("a", "i4")]}, DTypeNotSupportedError),
        ({"dtype": str}, DTypeNotSupportedError),
    ],
)
def test_refused(options: dict[str, Any], error: type[Exception], path: Path) -> None:
    root = zarrds.open_group(str(path), mode="w")
    with pytest.raises(error):
        root.create("x", **{"shape": (4, 4), "chunks": 2, "dtype": "i4", **options})
    assert list(root) == []
    assert not (path / "x").exists()


@pytest.mark.parametrize(
    "broken",
    [
        {"dimensions": [4]},
        {"blockSize": [2, 2]},
        {"dataType": "object"},
        {"dataType": 3},
        {"compression": {"type": "lz4", "blockSize": 65536}},
        {"compression": {"level": 3}},
        {"compression": "gzip"},
        {"blockSize": None},
        {"dimensions": [-1, 4]},
    ],
)
def test_broken_attributes(broken: dict[str, Any], path: Path) -> None:
    zarrds.open(str(path), mode="w", shape=(4, 4, 4), chunks=2, dtype="i4", compressor=None)
    (path / "attributes.json").write_text(json.dumps({**attributes(path), **broken}))
    with pytest.raises(MetadataError) as caught:
        zarrds.open(str(path), mode="r")
    assert "attributes.json" in str(caught.value)


def test_old_attributes(path: Path) -> None:
    z = zarrds.open(str(path), mode="w", shape=(4, 4), chunks=2, dtype="i4", compressor=zarrds.GZip())
    z[:] = values((4, 4))
    old = {name: value for name, value in attributes(path).items() if name not in ("compression", "n5")}
    (path / "attributes.json").write_text(json.dumps({**old, "compressionType": "gzip"}))
    np.testing.assert_array_equal(zarrds.open(str(path), mode="r")[:], values((4, 4)))


def test_lzma_that_xz_cannot_say(path: Path) -> None:
    """As zarr-python writes and reads it: named "lzma", with the members of numcodecs but no id."""
    codec = zarrds.LZMA(check=1)
    with pytest.warns(RuntimeWarning, match="lzma"):
        z = zarrds.open(str(path), mode="w", shape=(4, 4), chunks=2, dtype="i4", compressor=codec)
    z[:] = values((4, 4))
    compression = {"check": 1, "filters": None, "format": 1, "preset": 6, "type": "lzma"}
    assert attributes(path)["compression"] == compression
    again = zarrds.open(str(path), mode="r")
    np.testing.assert_array_equal(again[:], values((4, 4)))
    assert again.compressor.get_config()["compressor_config"] == zarrds.LZMA(check=1, preset=6).get_config()


def test_nothing_warns_of_itself(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        z = zarrds.open(str(path), mode="w", shape=(4, 4), chunks=2)
        z[:] = 1
        repr(z), repr(z.info), repr(z.compressor)
