"""Codecs that programs and packages bring."""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import zarrds
from zarrds.codecs import V3Codec, register_v3_codec
from zarrds.errors import ArgumentError, ArgumentTypeError, BadCompressorError, ChunkDecodeError
from zarrds.testing import CodecContract

LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}


class Deflate(V3Codec):
    kind = "bytes->bytes"

    def __init__(self, configuration: dict[str, Any], shape: Any, dtype: Any) -> None:
        super().__init__(configuration, shape, dtype)
        if set(configuration) - {"level"}:
            raise ValueError("unknown members")

    def encode(self, value: Any) -> bytes:
        return zlib.compress(value, self.configuration.get("level", 1))

    def decode(self, value: Any) -> bytes:
        return zlib.decompress(value)


class Wider(V3Codec):
    kind = "array->array"

    def __init__(self, configuration: dict[str, Any], shape: Any, dtype: Any) -> None:
        super().__init__(configuration, shape, dtype)
        if configuration:
            raise ValueError("no configuration")

    @property
    def encoded_dtype(self) -> np.dtype[Any]:
        return np.dtype("f8")

    @property
    def encoded_shape(self) -> tuple[int, ...]:
        return (*self.shape, 1)

    def encode(self, value: Any) -> Any:
        return value.astype("f8")[..., None]

    def decode(self, value: Any) -> Any:
        return value[..., 0].astype(self.dtype)


class Text(V3Codec):
    kind = "array->bytes"

    def __init__(self, configuration: dict[str, Any], shape: Any, dtype: Any) -> None:
        super().__init__(configuration, shape, dtype)
        if configuration:
            raise ValueError("no configuration")

    def encode(self, value: Any) -> bytes:
        return json.dumps(value.tolist()).encode()

    def decode(self, value: Any) -> Any:
        return np.array(json.loads(bytes(value)), self.dtype).reshape(self.shape)


for name, codec in (("tests.deflate", Deflate), ("tests.wider", Wider), ("tests.text", Text)):
    register_v3_codec(name, codec)


class TestDeflate(CodecContract):
    name = "tests.deflate"
    configurations = ({}, {"level": 9})


class TestWider(CodecContract):
    name = "tests.wider"
    pipeline = (None, LITTLE)


class TestText(CodecContract):
    name = "tests.text"
    pipeline = (None,)


class TestOwn(CodecContract):
    name = "zlib"
    configurations = ({"level": 1},)


@pytest.mark.parametrize(
    "name",
    [
        "test_what_is_written_is_read",
        "test_parts_are_written_and_read",
        "test_shards",
        "test_unknown_members_are_refused",
    ],
)
def test_the_contract_finds_faults(name: str) -> None:
    class Forgetful(V3Codec):
        kind = "bytes->bytes"

        def encode(self, value: Any) -> bytes:
            return b"\1" * memoryview(value).nbytes

        def decode(self, value: Any) -> bytes:
            return bytes(value)

    class Contract(CodecContract):
        name = "tests.forgetful"

    register_v3_codec("tests.forgetful", Forgetful)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(Contract(), name)()


def test_they_stand_where_they_belong() -> None:
    store: dict[str, Any] = {}
    z = zarrds.create(
        8, store=store, zarr_format=3, dtype="i4", filters=["tests.wider"], compressors=[{"name": "tests.deflate"}]
    )
    z[:] = 3
    assert [codec["name"] for codec in json.loads(store["zarr.json"])["codecs"]] == [
        "tests.wider",
        "bytes",
        "tests.deflate",
    ]
    assert zarrds.open(store, mode="r")[:].tolist() == [3] * 8
    assert zarrds.verify(store, level="decode").ok
    with pytest.raises(BadCompressorError):
        zarrds.create(8, zarr_format=3, dtype="i4", codecs=["tests.deflate", "bytes"])


def test_a_codec_is_registered_again() -> None:
    class Mask(V3Codec):
        mask: ClassVar[int] = 1

        def encode(self, value: Any) -> bytes:
            return (np.frombuffer(value, "u1") ^ self.mask).astype("u1").tobytes()

        decode = encode

    stores: list[dict[str, Any]] = []
    for mask in (1, 2):
        register_v3_codec("tests.mask", type("Again", (Mask,), {"mask": mask}))
        stores.append({})
        zarrds.array(np.zeros(2, "u1"), store=stores[-1], zarr_format=3, fill_value=9, compressors=["tests.mask"])
    assert [bytes(store["c/0"]) for store in stores] == [b"\1\1", b"\2\2"]


def test_what_is_refused() -> None:
    for taken in ("bytes", "zstd", "numcodecs.mine"):
        with pytest.raises(ArgumentError, match="zarrds has"):
            register_v3_codec(taken, Deflate)
    with pytest.raises(ArgumentTypeError, match="V3Codec"):
        register_v3_codec("tests.no", dict)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="kind"):
        register_v3_codec("tests.no", type("No", (V3Codec,), {"kind": "bytes->array"}))


def test_codecs_that_return_nonsense() -> None:
    class Nonsense(V3Codec):
        kind = "array->bytes"

        def encode(self, value: Any) -> bytes:
            return b"x"

        def decode(self, value: Any) -> Any:
            return np.zeros(3)

    register_v3_codec("tests.nonsense", Nonsense)
    z = zarrds.create(4, zarr_format=3, dtype="i4", codecs=["tests.nonsense"])
    z[:] = 1
    with pytest.raises(ChunkDecodeError, match="does not fit"):
        z[:]


# --- entry points ----------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed package with two entry points of zarr.codecs, one of which cannot be imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "brought_by_tests.py").write_text(
        "from zarrds.codecs import V3Codec\n"
        "class Same(V3Codec):\n"
        "    kind = 'bytes->bytes'\n"
        "    def encode(self, value): return b'!' + bytes(value)\n"
        "    def decode(self, value): return bytes(value)[1:]\n"
    )
    info = tmp_path / "brought_by_tests-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brought-by-tests\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[zarr.codecs]\nbrought.same = brought_by_tests:Same\nbrought.broken = brought_by_tests:Nothing\n"
    )
    return "brought.same"


def test_entry_points(package: str) -> None:
    assert "brought_by_tests" not in sys.modules
    store: dict[str, Any] = {}
    zarrds.array(np.arange(4, dtype="u1"), store=store, zarr_format=3, compressors=[package])
    assert bytes(store["c/0"]) == b"!\0\1\2\3"
    assert zarrds.open(store, mode="r")[:].tolist() == [0, 1, 2, 3]
    document = json.loads(store["zarr.json"])
    document["codecs"][-1] = {"name": "brought.broken"}
    store["zarr.json"] = json.dumps(document).encode()
    with pytest.raises(BadCompressorError, match="brought-by-tests fails"):
        zarrds.open(store, mode="r")


@pytest.mark.parametrize(
    ("codec", "package"), [("imagecodecs_jpegxl", "imagecodecs"), ("wavpack", "wavpack-numcodecs")]
)
def test_packages_that_provide_a_codec_are_named(codec: str, package: str) -> None:
    store: dict[str, Any] = {}
    zarrds.create(4, store=store, zarr_format=3, dtype="i4")
    document = {**json.loads(store["zarr.json"]), "codecs": [LITTLE, {"name": f"numcodecs.{codec}"}]}
    store["zarr.json"] = json.dumps(document).encode()
    with pytest.raises(BadCompressorError, match=f"pip install '{package}'"):
        zarrds.open(store, mode="r")


# --- codecs of Zarr-Python 3 -----------------------------------------------------------------------------------------


def test_codecs_of_zarr_python() -> None:
    abc = pytest.importorskip("zarr.abc.codec")
    pytest.importorskip("zarr", minversion="3.1")

    class Theirs:
        key: int

        def __init__(self, key: int = 1) -> None:
            self.key = key

        @classmethod
        def from_dict(cls, data: dict[str, Any]) -> Any:
            assert data["name"] == f"tests.{cls.__name__.lower()}"
            return cls(**data.get("configuration", {}))

        def compute_encoded_size(self, size: int, _: Any) -> int:
            return size

    class Flip(Theirs, abc.BytesBytesCodec):  # type: ignore[misc, name-defined]
        async def _encode_single(self, chunk: Any, spec: Any) -> Any:
            return spec.prototype.buffer.from_bytes(bytes(byte ^ self.key for byte in chunk.to_bytes()))

        _decode_single = _encode_single

    class Negate(Theirs, abc.ArrayArrayCodec):  # type: ignore[misc, name-defined]
        async def _encode_single(self, chunk: Any, spec: Any) -> Any:
            return spec.prototype.nd_buffer.from_numpy_array(-chunk.as_numpy_array())

        _decode_single = _encode_single

    class Raw(Theirs, abc.ArrayBytesCodec):  # type: ignore[misc, name-defined]
        async def _encode_single(self, chunk: Any, spec: Any) -> Any:
            return spec.prototype.buffer.from_bytes(chunk.as_numpy_array().tobytes())

        async def _decode_single(self, chunk: Any, spec: Any) -> Any:
            dtype = spec.dtype.to_native_dtype()
            return spec.prototype.nd_buffer.from_numpy_array(np.frombuffer(chunk.to_bytes(), dtype).reshape(spec.shape))

    for codec in (Flip, Negate, Raw):
        register_v3_codec(f"tests.{codec.__name__.lower()}", codec)
    store: dict[str, Any] = {}
    codecs = ["tests.negate", "tests.raw", {"name": "tests.flip", "configuration": {"key": 255}}]
    z = zarrds.create((4, 6), store=store, zarr_format=3, chunks=(2, 3), dtype="i4", codecs=codecs, fill_value=9)
    z[:] = np.arange(24).reshape(4, 6)
    assert np.frombuffer(bytes(~byte & 255 for byte in store["c/0/1"]), "<i4").tolist() == [-3, -4, -5, -9, -10, -11]
    np.testing.assert_array_equal(zarrds.open_array(store, mode="r")[1:3, 2:5], z[:][1:3, 2:5])
    store["c/0/1"] = store["c/0/1"][:-1]
    with pytest.raises(ChunkDecodeError):
        zarrds.open_array(store, mode="r")[:]
    with pytest.raises(BadCompressorError, match="refused"):
        zarrds.create(4, zarr_format=3, codecs=["tests.raw", {"name": "tests.flip", "configuration": {"more": 1}}])
