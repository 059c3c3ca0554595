"""Data types of Zarr v3 that users and packages bring."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import zarrds
from zarrds.codecs import V3DataType, register_v3_data_type
from zarrds.errors import (
    ArgumentError,
    ArgumentTypeError,
    BadCompressorError,
    ChunkDecodeError,
    MetadataError,
    UnsupportedFormatError,
)
from zarrds.testing import DataTypeContract

PLACE = [{"name": "bytes", "configuration": {"endian": "little"}}]


class Steps(V3DataType):
    """Numbers stored as a count of steps; the fill value in documents is the count."""

    dtype = np.dtype("f8")
    stored_dtype = np.dtype("<i2")

    def __init__(self, configuration: dict[str, Any]) -> None:
        super().__init__(configuration)
        if set(configuration) != {"step"}:
            raise ValueError("the configuration has a step, and nothing else")
        self.step = configuration["step"]

    def encode(self, values: Any) -> Any:
        return np.round(values / self.step)

    def decode(self, stored: Any) -> Any:
        return stored * self.step

    def fill_to_json(self, value: Any) -> Any:
        return round(float(value) / self.step)

    def fill_from_json(self, value: Any) -> Any:
        if not isinstance(value, int):
            raise TypeError("a count is an integer")
        return value * self.step


class Plain(V3DataType):
    dtype = np.dtype("f4")


register_v3_data_type("tests.steps", Steps)
register_v3_data_type("tests.plain", Plain)


class TestSteps(DataTypeContract):
    name = "tests.steps"
    configurations: ClassVar = ({"step": 0.5}, {"step": 2})
    fills = (0, 6)

    def values(self, shape: tuple[int, ...], configuration: dict[str, Any]) -> Any:
        return super().values(shape, configuration) * configuration["step"]


class TestPlain(DataTypeContract):
    name = "tests.plain"
    fills = (0, -1.5, np.nan)


def made(**options: Any) -> tuple[dict[str, Any], Any]:
    store: dict[str, Any] = {}
    dtype = {"name": "tests.steps", "configuration": {"step": 0.5}}
    z = zarrds.create(4, store=store, zarr_format=3, chunks=4, dtype=dtype, codecs=PLACE, **options)
    return store, z


def test_bytes_and_document() -> None:
    store, z = made(fill_value=1.5)
    z[:3] = [0, 1, -2]
    assert np.frombuffer(store["c/0"], "<i2").tolist() == [0, 2, -4, 3]
    document = json.loads(store["zarr.json"])
    assert document["data_type"] == {"name": "tests.steps", "configuration": {"step": 0.5}}
    assert (document["fill_value"], document["codecs"]) == (3, PLACE)
    again = pickle.loads(pickle.dumps(zarrds.open(store, mode="r").source())).meta
    assert again.dtype == "f8"
    store = {}
    zarrds.create(4, store=store, zarr_format=3, dtype="tests.plain")
    assert json.loads(store["zarr.json"])["data_type"] == "tests.plain"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"data_type": {"name": "tests.steps", "configuration": {}}}, MetadataError),
        ({"data_type": "tests.unknown"}, UnsupportedFormatError),
        ({"fill_value": 0.25}, MetadataError),
        ({"data_type": {"name": "tests.steps", "configuration": {"step": 1}, "must_understand": False}}, MetadataError),
        (
            {"data_type": {"name": "struct", "configuration": {"fields": [{"name": "a", "data_type": "tests.plain"}]}}},
            MetadataError,
        ),
    ],
)
def test_documents_that_are_refused(change: dict[str, Any], error: type[Exception]) -> None:
    store, _ = made()
    store["zarr.json"] = json.dumps({**json.loads(store["zarr.json"]), **change}).encode()
    with pytest.raises(error):
        zarrds.open(store, mode="r")


@pytest.mark.parametrize(
    "name", ["int32", "f8", "bfloat16", "r16", "string", "numpy.datetime64", "complex_bfloat16", "struct"]
)
def test_names_that_are_taken(name: str) -> None:
    with pytest.raises(ArgumentError, match=name):
        register_v3_data_type(name, Plain)


def test_what_is_no_data_type() -> None:
    with pytest.raises(ArgumentTypeError, match="V3DataType"):
        register_v3_data_type("tests.wrong", int)  # type: ignore[arg-type]
    with pytest.raises((TypeError, ValueError)):
        zarrds.create(4, zarr_format=3, dtype="tests.unknown")
    with pytest.raises((TypeError, ValueError)):
        zarrds.create(4, zarr_format=2, dtype="tests.plain")
    cast = {"name": "cast_value", "configuration": {"data_type": "tests.plain"}}
    with pytest.raises(BadCompressorError, match=r"cast.*tests\.plain"):
        zarrds.create(4, zarr_format=3, dtype="f8", codecs=[cast, *PLACE])


def test_registering_again_replaces() -> None:
    class Half(V3DataType):
        dtype = np.dtype("f2")

    register_v3_data_type("tests.again", Plain)
    store: dict[str, Any] = {}
    zarrds.create(4, store=store, zarr_format=3, dtype="tests.again")
    assert zarrds.open(store, mode="r").dtype == "f4"
    register_v3_data_type("tests.again", Half)
    assert zarrds.open(store, mode="r").dtype == "f2"


def test_another_shape_is_an_error() -> None:
    class Short(V3DataType):
        dtype = np.dtype("f4")

        def decode(self, stored: Any) -> Any:
            return stored[1:]

    register_v3_data_type("tests.short", Short)
    z = zarrds.ones(4, zarr_format=3, dtype="tests.short")
    z[:] = 2
    with pytest.raises(ChunkDecodeError, match="keep the shape"):
        z[:]


def test_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "types_by_tests.py").write_text(
        "import numpy\nfrom zarrds.codecs import V3DataType\n"
        "class Mine(V3DataType):\n    dtype = numpy.dtype('i8')\n    stored_dtype = numpy.dtype('u1')\n"
    )
    info = tmp_path / "types_by_tests-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: types-by-tests\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[zarr.data_type]\ntests.mine = types_by_tests:Mine\ntests.broken = types_by_tests:Nothing\n"
    )
    assert "types_by_tests" not in sys.modules
    store: dict[str, Any] = {}
    zarrds.array([1, 2], store=store, zarr_format=3, dtype="tests.mine", codecs=PLACE)
    assert store["c/0"] == b"\1\2"
    assert zarrds.open(store, mode="r").dtype == "i8"
    with pytest.raises(UnsupportedFormatError, match="types-by-tests fails"):
        zarrds.create(4, zarr_format=3, dtype="tests.broken")


def test_data_types_of_zarr_python() -> None:
    class Celsius:
        """What `zarrds` calls of a data type of Zarr-Python 3."""

        @classmethod
        def from_json(cls, data: Any, *, zarr_format: int) -> Any:
            assert (data, zarr_format) == ("tests.celsius", 3)
            return cls()

        def to_native_dtype(self) -> Any:
            return np.dtype("f4")

        def to_json_scalar(self, data: Any, *, zarr_format: int) -> Any:
            return [float(data)]

        def from_json_scalar(self, data: Any, *, zarr_format: int) -> Any:
            return np.float32(data[0])

    register_v3_data_type("tests.celsius", Celsius)  # type: ignore[arg-type]
    store: dict[str, Any] = {}
    zarrds.create(4, store=store, zarr_format=3, dtype="tests.celsius", fill_value=20)[:2] = [1, 2]
    assert json.loads(store["zarr.json"])["fill_value"] == [20]
    assert zarrds.open(store, mode="r")[:].tolist() == [1, 2, 20, 20]
