"""Registered data types of Zarr v3: names that are written, names that are read, and values."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.errors import MetadataError, UnsupportedFormatError

LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}


def codec(name: str, **configuration: Any) -> dict[str, Any]:
    return {"name": name, "configuration": configuration}


def stored(dtype: Any, fill: Any, value: bytes, shape: int = 4, codecs: Any = (LITTLE,)) -> dict[str, bytes]:
    """Return a store with an array of one chunk, put together by hand."""
    document = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [shape],
        "data_type": dtype,
        "chunk_grid": codec("regular", chunk_shape=[shape]),
        "chunk_key_encoding": {"name": "default"},
        "fill_value": fill,
        "codecs": list(codecs),
    }
    return {"zarr.json": json.dumps(document).encode(), "c/0": value}


def document_of(store: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes(store["zarr.json"]))
    return found


# --- complex numbers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "dtype"), [("complex_float32", "c8"), ("complex_float64", "c16")])
def test_other_names_of_complex_numbers(name: str, dtype: str) -> None:
    data = np.array([1 + 2j, -1j, 0, 5], dtype)
    store = stored(name, [0.0, "NaN"], data.tobytes())
    z = zarrds.open_array(store, mode="r+")
    assert z.dtype == np.dtype(dtype)
    assert np.isnan(z.fill_value.imag)
    np.testing.assert_array_equal(z[:], data)
    z.attrs["changed"] = 1
    assert document_of(store)["data_type"] == name
    assert zarrds.create(3, dtype=name, zarr_format=3).dtype == np.dtype(dtype)


PARTS = [
    *("float16", "bfloat16", "float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn", "float8_e3m4", "float8_e4m3"),
    *("float8_e4m3b11fnuz", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e4m3fn"),
]


@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("part", PARTS)
def test_complex_numbers_with_small_parts(part: str, endian: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    dtype = np.dtype(getattr(ml_dtypes, part, part))
    parts = np.array([1, -2, 0.5, 0, 3, 1, -1, 1.5], "f4").astype(dtype)
    value = parts.view(f"u{dtype.itemsize}").astype(f"{'<' if endian == 'little' else '>'}u{dtype.itemsize}").tobytes()
    expected = parts.astype("f4").view("c8")
    store = stored(f"complex_{part}", [1.0, -0.5], value, codecs=[codec("bytes", endian=endian)])
    z = zarrds.open_array(store, mode="r+")
    assert (z.dtype, z.fill_value) == (np.dtype("c8"), 1 - 0.5j)
    np.testing.assert_array_equal(z[:], expected)
    np.testing.assert_array_equal(z[1:3], expected[1:3])
    z[2] = 0.5 - 2j
    expected[2] = 0.5 - 2j
    np.testing.assert_array_equal(zarrds.open_array(store, mode="r")[:], expected)
    assert len(store["c/0"]) == len(value)
    z.append(expected)
    document = document_of(store)
    assert (document["data_type"], document["shape"]) == (f"complex_{part}", [8])
    assert document["codecs"] == [codec("bytes", endian=endian)]


def test_complex_numbers_with_small_parts_in_shards() -> None:
    pytest.importorskip("ml_dtypes")
    inner = codec("sharding_indexed", chunk_shape=[2], codecs=[LITTLE], index_codecs=[LITTLE, "crc32c"])
    data = np.arange(8, dtype="f4").view("c8")
    store: dict[str, bytes] = stored("complex_float16", [0.0, 0.0], b"", codecs=[inner])
    del store["c/0"]
    z = zarrds.open_array(store, mode="r+")
    z[:] = data
    assert len(store["c/0"]) == 4 * 4 + 2 * 16 + 4
    np.testing.assert_array_equal(zarrds.open_array(store, mode="r")[1:4], data[1:4])
    z.append(data)
    assert document_of(store)["codecs"][0]["configuration"]["codecs"] == [LITTLE]


def test_complex_numbers_as_packed_bits() -> None:
    pytest.importorskip("ml_dtypes")
    store = stored("complex_float4_e2m1fn", [0, 0], b"", shape=3, codecs=[codec("packbits")])
    del store["c/0"]
    z = zarrds.open_array(store, mode="r+")
    z[:] = [1 + 2j, -0.5j, 6]
    assert len(store["c/0"]) == 3
    np.testing.assert_array_equal(zarrds.open_array(store, mode="r")[:], np.array([1 + 2j, -0.5j, 6], "c8"))


# --- structures -------------------------------------------------------------------------------------------------------

RECORD = np.dtype([("a", "<i2"), ("t", "<M8[s]"), ("p", [("x", "<f4"), ("y", "u1")])])


def test_structures_are_written_under_their_registered_name() -> None:
    store: dict[str, bytes] = {}
    fill = np.array((7, "2020-01-01", (0.5, 3)), RECORD)[()]
    z = zarrds.create(3, dtype=RECORD, store=store, zarr_format=3, fill_value=fill)
    time = codec("numpy.datetime64", unit="s", scale_factor=1)
    point = codec("struct", fields=[{"name": "x", "data_type": "float32"}, {"name": "y", "data_type": "uint8"}])
    fields = [("a", "int16"), ("t", time), ("p", point)]
    document = document_of(store)
    assert document["data_type"] == codec("struct", fields=[{"name": n, "data_type": t} for n, t in fields])
    assert document["fill_value"] == {"a": 7, "t": 1577836800, "p": {"x": 0.5, "y": 3}}
    assert zarrds.open_array(store, mode="r").fill_value == fill
    z[0] = (1, "2021-01-01", (2.5, 4))
    np.testing.assert_array_equal(zarrds.open_array(store, mode="r")[:], z[:])


def test_legacy_names_on_request() -> None:
    store: dict[str, bytes] = {}
    with zarrds.config_context(v3_legacy_names=1):
        zarrds.create(3, dtype=[("a", "i1")], store=store, zarr_format=3)
        texts = zarrds.create(3, dtype=bytes, zarr_format=3)
    assert document_of(store)["data_type"] == codec("structured", fields=[["a", "int8"]])
    assert document_of(store)["fill_value"] == "AA=="
    assert document_of(texts.store)["data_type"] == "variable_length_bytes"
    z = zarrds.open_array(store, mode="r+")
    z.resize(5)  # a document keeps the names that it has
    assert document_of(store)["data_type"] == codec("structured", fields=[["a", "int8"]])


def test_a_fill_value_that_json_cannot_express_field_by_field_is_base64() -> None:
    store: dict[str, bytes] = {}
    raw = b"\2\0"
    dtype = np.dtype([("a", "?"), ("b", "i1")])
    zarrds.create(3, dtype=dtype, store=store, zarr_format=3, fill_value=np.frombuffer(raw, dtype)[0])
    assert document_of(store)["fill_value"] == "AgA="


# --- bytes and raw bits -----------------------------------------------------------------------------------------------


def test_bytes_of_any_length() -> None:
    store: dict[str, bytes] = {}
    zarrds.create(3, dtype=bytes, store=store, zarr_format=3, fill_value=b"\0a")
    assert document_of(store)["data_type"] == "bytes"
    changed = document_of(store)
    for fill in ([0, 97], "AGE="):
        changed["fill_value"] = fill
        store["zarr.json"] = json.dumps(changed).encode()
        assert zarrds.open_array(store, mode="r")[0] == b"\0a"
    for fill in ([256], [1.5], ["a"], 7):
        changed["fill_value"] = fill
        store["zarr.json"] = json.dumps(changed).encode()
        with pytest.raises(MetadataError):
            zarrds.open_array(store, mode="r")


def test_raw_bits_by_name() -> None:
    z = zarrds.create(3, dtype="r24", zarr_format=3)
    assert z.dtype == np.dtype("V3")
    z[1] = np.void(b"abc")
    assert z[:].tobytes() == b"\0\0\0abc\0\0\0"
    with pytest.raises((MetadataError, UnsupportedFormatError)):
        zarrds.create(3, dtype="r12", zarr_format=3)
