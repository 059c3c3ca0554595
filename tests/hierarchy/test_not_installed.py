"""One array of a codec, data type or extension that is not installed leaves all others alone."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xarray_backend
import zarrds
from zarrds.cli.describe import describe_tree
from zarrds.errors import BadCompressorError, MetadataError, UnsupportedFormatError

V2: dict[str, tuple[str, Any, type[Exception]]] = {
    "compressor": ("compressor", {"id": "acme", "level": 1}, BadCompressorError),
    "filter": ("filters", [{"id": "acme"}], BadCompressorError),
    "dtype": ("dtype", "bfloat17", UnsupportedFormatError),
}
V3: dict[str, tuple[str, Any, type[Exception]]] = {
    "compressor": (
        "codecs",
        [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "acme"}],
        BadCompressorError,
    ),
    "filter": (
        "codecs",
        [{"name": "acme"}, {"name": "bytes", "configuration": {"endian": "little"}}],
        BadCompressorError,
    ),
    "serializer": ("codecs", [{"name": "acme", "configuration": {"a": 1}}], BadCompressorError),
    "dtype": ("data_type", "acme", UnsupportedFormatError),
    "dtype with options": ("data_type", {"name": "acme", "configuration": {"a": 1}}, UnsupportedFormatError),
    "grid": ("chunk_grid", {"name": "acme", "configuration": {}}, UnsupportedFormatError),
    "keys": ("chunk_key_encoding", {"name": "acme"}, UnsupportedFormatError),
}
CASES = [(2, name, *case) for name, case in V2.items()] + [(3, name, *case) for name, case in V3.items()]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}, {case[1]}")
def damaged(request: Any) -> Any:
    """A store with arrays that can be opened and one, ``sub/odd``, that cannot; and the error."""
    zarr_format, _, member, value, error = request.param
    store: dict[str, Any] = {}
    root = zarrds.open_group(store, mode="w", zarr_format=zarr_format)
    for path in ("a", "sub/b", "sub/odd", "sub/deep/c"):
        array = root.create_dataset(path, data=np.arange(1, 5), chunks=2)
        if zarr_format == 2:
            array.attrs["_ARRAY_DIMENSIONS"] = ["x"]
    for key in [key for key in store if key.endswith(("zarr.json", ".zarray"))]:
        document = json.loads(store[key])
        if zarr_format == 3 and document["node_type"] == "array":
            document["dimension_names"] = ["x"]
        if key.startswith("sub/odd/"):
            document[member] = value
        store[key] = json.dumps(document).encode()
    return store, error


@pytest.fixture(params=["listed", "consolidated"])
def root(request: Any, damaged: Any) -> Any:
    store, _ = damaged
    if request.param == "listed":
        return zarrds.open_group(store, mode="r")
    zarrds.consolidate_metadata(store)
    return zarrds.open_consolidated(store, mode="r")


def test_groups(root: Any) -> None:
    sub = root["sub"]
    assert sorted(sub) == sorted(sub.keys()) == ["b", "deep", "odd"]
    assert [name for name, _ in sub.arrays()] == ["b"]
    assert [name for name, _ in root.arrays(recurse=True)] == ["a", "b", "c"]
    assert sorted(sub.array_keys()) == ["b", "odd"]
    assert [name for name, _ in sub.groups()] == ["deep"]
    assert sorted(dict(sub.items())) == ["b", "deep"]
    assert len(list(sub.values())) == 2
    seen: list[str] = []
    root.visit(seen.append)
    root.visititems(lambda name, _: None)
    root.visitvalues(lambda _: None)
    assert seen == ["a", "sub", "sub/b", "sub/deep", "sub/deep/c"]
    assert "No. arrays" in str(sub.info)
    opened, failed = sub.open_members()
    assert sorted(opened) == ["b", "deep"]
    assert list(failed) == ["odd"]


def test_tree(root: Any) -> None:
    for shown in (repr(root.tree()), bytes(root.tree()).decode(), root.tree()._repr_html_()):
        assert "odd (cannot be opened" in shown
        assert "c (4,) int64" in shown
    assert "acme" in repr(root.tree()) or "bfloat17" in repr(root.tree())


def test_tree_as_json(root: Any) -> None:
    described = describe_tree(root)["members"]["sub"]["members"]  # type: ignore[index, call-overload]
    assert sorted(described) == ["b", "deep", "odd"]
    assert described["b"]["shape"] == [4]
    assert "odd" in described["odd"]["error"]


def test_the_array_itself(root: Any, damaged: Any) -> None:
    store, error = damaged
    sub = root["sub"]
    for act in (
        lambda: sub["odd"],
        lambda: root["sub/odd"],
        lambda: sub.members(["b", "odd"]),
        lambda: zarrds.open_array(store, path="sub/odd", mode="r"),
        lambda: zarrds.open_group(store, mode="r+").require_dataset("sub/odd", shape=4, dtype="i8"),
        lambda: zarrds.open_array(store, path="sub/odd", mode="a", shape=4),
    ):
        before = dict(store)
        with pytest.raises(error):
            act()
        assert dict(store) == before


def test_copies_say_what_they_leave_out(damaged: Any) -> None:
    store, _ = damaged
    root = zarrds.open_group(store, mode="r")
    said: list[str] = []
    dest = zarrds.group({}, zarr_format=root.zarr_format)
    _, skipped, _ = zarrds.copy_all(root, dest, log=said.append)
    assert skipped == 1
    assert any("skip" in line and "/sub/odd" in line for line in said)
    assert sorted(dest["sub"]) == ["b", "deep"]
    assert dest["sub/deep/c"][:].tolist() == [1, 2, 3, 4]
    again: dict[str, Any] = {}
    zarrds.copy_store(store, again)
    assert {key: bytes(value) for key, value in again.items()} == {key: bytes(value) for key, value in store.items()}


def test_reports_go_on(damaged: Any) -> None:
    store, _ = damaged
    for level in ("keys", "decode"):
        report = zarrds.verify(store, level=level)
        assert len(report.findings) == 1
        assert "odd" in str(report)


def test_datasets_warn_once(damaged: Any) -> None:
    store, _ = damaged
    for opened in (
        lambda: xr.open_dataset(store, engine="zarrds", group="sub"),
        lambda: xarray_backend.open_zarrds(store, group="sub"),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = opened()
            assert list(found.variables) == ["b"]
            assert found["b"].values.tolist() == [1, 2, 3, 4]
        told = [str(warning.message) for warning in caught if "left out" in str(warning.message)]
        assert len(told) == 1
        assert "acme" in told[0] or "bfloat17" in told[0]


def test_datasets_are_not_written_beside_what_cannot_be_seen(damaged: Any) -> None:
    store, error = damaged
    before = dict(store)
    with pytest.raises(error):
        xarray_backend.to_zarrds(xr.Dataset({"odd": ("x", np.arange(4))}), store, group="sub", mode="a")
    assert {key: store[key] for key in before if "odd" in key} == {key: before[key] for key in before if "odd" in key}


def test_broken_documents_are_errors_as_before() -> None:
    store: dict[str, Any] = {}
    zarrds.open_group(store, mode="w").create_dataset("a", shape=4)
    store["a/.zarray"] = b"{"
    with pytest.raises(MetadataError):
        list(zarrds.open_group(store, mode="r").arrays())
