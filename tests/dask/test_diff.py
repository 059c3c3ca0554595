"""The differences of two hierarchies as a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
import zarrds.dask
from zarrds.dask import block_batches
from zarrds.errors import ArgumentError

VALUES = np.arange(42.0).reshape(6, 7)


def made(store: Any, zarr_format: Any = 2, **options: Any) -> Any:
    root = zarrds.open_group(store, mode="w", zarr_format=zarr_format)
    root.attrs["title"] = "x"
    root.array("g/u", VALUES, **{"chunks": (2, 3), **options}).attrs["far"] = float("nan")
    root.create_group("empty")
    return root


def report(a: Any, b: Any, **options: Any) -> zarrds.dask.DiffReport:
    found: zarrds.dask.DiffReport = zarrds.dask.diff(a, b, **options).compute()
    return found


def kinds(found: zarrds.dask.DiffReport) -> list[tuple[str, str]]:
    return [(item.path, item.kind) for item in found.differences]


def test_equal_hierarchies_are_compared_by_their_bytes(tmp_path: Path) -> None:
    made(str(tmp_path / "a"))
    made(str(tmp_path / "b"))
    found = report(str(tmp_path / "a"), str(tmp_path / "b"))
    assert found.equal
    assert (found.groups, found.arrays, found.values, found.same_bytes) == (3, 1, 42, 42)
    assert found.differences == ()
    assert "Differences : none" in str(found)


@pytest.mark.parametrize(
    "options",
    [
        {"zarr_format": 3},
        {"chunks": (5, 2)},
        {"compressor": None},
        {"zarr_format": 3, "chunks": (2, 2), "shards": (4, 4)},
        {"fill_value": 7},
    ],
)
def test_other_layouts_are_no_difference_unless_asked_for(options: dict[str, Any]) -> None:
    a, b = made({}), made({}, **options)
    found = report(a, b)
    assert found.equal
    assert found.same_bytes < 42
    assert {item.kind for item in found.differences} == {"storage"}
    assert not report(a, b, storage=True).equal


def test_values_within_a_tolerance() -> None:
    a, b = made({}), made({})
    b["g/u"][3, 4] += 0.5
    b["g/u"][5, 6] = np.nan
    found = report(a, b)
    assert not found.equal
    assert kinds(found) == [("g/u", "values")]
    (only,) = found.differences
    assert (only.count, only.message) == (
        2,
        "2 of 42 values differ, by at most 0.5; the first at (3, 4): 25.0 and 25.5",
    )
    assert report(a, b, atol=1).differences[0].count == 1
    assert report(a, b, rtol=0.1).differences[0].count == 1
    assert report(a, b, values=False).equal
    a["g/u"][5, 6] = np.nan
    assert report(a, b, atol=0.5).equal


def test_a_chunk_that_is_absent_equals_one_of_fill_values() -> None:
    a, b = made({}, fill_value=0), made({}, fill_value=0, write_empty_chunks=True)
    a["g/u"][:2, :3] = 0
    b["g/u"][:2, :3] = 0
    del a.store["g/u/0.0"]
    assert report(a, b).equal
    assert report(b, a).equal


def test_structure_and_attributes() -> None:
    a, b = made({}), made({})
    a.array("more/v", [1])
    b.create_group("g/w")
    b.attrs["title"] = "y"
    b["g"].attrs["new"] = 1
    b["empty"].attrs["a"] = 1
    del b["g/u"].attrs["far"]
    found = report(a, b)
    assert kinds(found) == [
        ("", "attributes"),
        ("empty", "attributes"),
        ("g", "attributes"),
        ("g/u", "attributes"),
        ("g/w", "only-in-second"),
        ("more", "only-in-first"),
    ]
    assert found.differences[0].message == "attribute 'title': 'x' and 'y'"
    assert report(a, b, attributes=False).to_dict()["equal"] is False


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (np.zeros(3), np.zeros(4), "shape"),
        (np.zeros(3, "i2"), np.zeros(3, "i4"), "dtype"),
        (np.array(["a", "b"]), np.array(["a", "c"]), "values"),
        (np.array(["2000", "NaT"], "M8[D]"), np.array(["2001", "NaT"], "M8[D]"), "values"),
        (np.array([(1, 2.0)], "i4,f8"), np.array([(1, 3.0)], "i4,f8"), "values"),
        (np.array([True, False]), np.array([True, True]), "values"),
    ],
)
def test_arrays_of_all_types(first: Any, second: Any, kind: str) -> None:
    assert kinds(report(zarrds.array(first), zarrds.array(second))) == [("", kind)]
    assert report(zarrds.array(first), zarrds.array(first, chunks=1)).equal


def test_byte_order_and_dimension_names_of_both_formats() -> None:
    a = zarrds.array(np.arange(3, dtype=">i4"))
    a.attrs["_ARRAY_DIMENSIONS"] = ["x"]
    b = zarrds.create(3, dtype="<i4", zarr_format=3, store={}, dimension_names=["x"])
    b[:] = np.arange(3)
    assert report(a, b).equal
    a.attrs["_ARRAY_DIMENSIONS"] = ["y"]
    assert kinds(report(a, b))[0] == ("", "dimensions")


def test_an_array_against_a_group_and_wrong_tolerances() -> None:
    assert [item.kind for item in report(zarrds.array([1]), zarrds.group()).differences] == ["kind"]
    with pytest.raises(ArgumentError, match="tolerances"):
        zarrds.dask.diff({}, {}, rtol=-1)


def test_large_shards_are_decoded_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_batches, "BLOCK_BYTES", 96)
    made_of = {"zarr_format": 3, "chunks": (2, 3), "shards": (6, 9)}
    a, b = made({}, **made_of), made({}, **made_of)
    assert report(a, b).same_bytes == 42
    b["g/u"][5, 6] = -1
    assert report(a, b).differences[0].message.endswith("the first at (5, 6): 41.0 and -1.0")


def test_names_that_steer_a_terminal_are_escaped() -> None:
    a, b = zarrds.group(), zarrds.group()
    a.array("\x1b[31m", [1])
    text = str(report(a, b)) + report(a, b)._repr_html_()
    assert "\x1b" not in text
