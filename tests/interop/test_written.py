"""Others read what zarrds writes: zarr-python 3 and tensorstore here, zarr-python 2 in its own environment.

The interpreter of an environment with ``zarr==2.17.2`` is given by ``ZARRDS_TEST_ZARR2_PYTHON``.
"""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest

import zarrds

from .written import FILTERS, OBJECTS, Written, matrix, same

MATRIX = matrix()
IDS = [case.name for case in MATRIX]

# what the readers do not know; each of these has to fail, so that the lists stay true
NOT_IN_ZARR_3 = {
    *[f"structured-subarray-{order}" for order in "CF"],
    "object-json",
    "object-msgpack",
}
FROM_ZARR_3_2 = {f"structured-nested-{order}" for order in "CF"}
NOT_IN_TENSORSTORE = {
    # tensorstore gives fixed-length bytes one dimension more
    *[f"dtype-{d}-{order}" for d in ("S3", "le-U3", "be-U3") for order in "CF"],
    *[f"dtype-{d}-{order}" for d in ("le-M8[s]", "be-M8[ns]", "le-m8[ms]", "le-M8[D]") for order in "CF"],
    *[f"structured-nested-{order}" for order in "CF"],
    *[f"codec-{name}" for name in ("lz4", "lzma")],
    *[f"filter-{name}{end}" for name in FILTERS for end in ("", "-alone")],
    *[f"fill-{name}" for name in ("bytes", "text", "time")],
    *[f"object-{name}" for name in OBJECTS],
}


@pytest.mark.parametrize("case", MATRIX, ids=IDS)
def test_zarrds(case: Written, tmp_path: Path) -> None:
    z = zarrds.open(str(case.write(tmp_path)), mode="r")
    found = np.asarray(z[...], dtype=z.dtype)
    assert same(found, case.expected())
    assert z.dtype == case.values.dtype


@pytest.mark.parametrize("case", MATRIX, ids=IDS)
def test_zarr_python_3(case: Written, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr", minversion="3")
    place = case.write(tmp_path)

    def read() -> bool:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            z = zarr.open(str(place), mode="r", zarr_format=2)
            assert z.attrs["title"] == case.name
            return same(z[...], case.expected())

    is_old = tuple(map(int, zarr.__version__.split(".")[:2])) < (3, 2)
    if case.name in NOT_IN_ZARR_3 or (is_old and case.name in FROM_ZARR_3_2):
        with pytest.raises(Exception):  # noqa: B017
            assert read()
    else:
        assert read()


@pytest.mark.parametrize("case", MATRIX, ids=IDS)
def test_tensorstore(case: Written, tmp_path: Path) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    place = case.write(tmp_path)
    document = json.loads((place / ".zarray").read_text())
    spec = {"driver": "zarr", "kvstore": {"driver": "file", "path": str(place)}}
    if len(case.values.dtype) > 1:
        spec["field"] = document["dtype"][0][0]

    def read() -> bool:
        found = tensorstore.open(spec, read=True).result().read().result()
        expected = case.expected()
        return same(found, expected[spec["field"]] if "field" in spec else expected)

    if case.name in NOT_IN_TENSORSTORE:
        with pytest.raises(Exception):  # noqa: B017
            assert read()
    else:
        assert read()


@pytest.mark.slow
@pytest.mark.service
def test_zarr_python_2(tmp_path: Path) -> None:
    python = os.environ.get("ZARRDS_TEST_ZARR2_PYTHON")
    if not python:
        reason = "ZARRDS_TEST_ZARR2_PYTHON names no interpreter with zarr-python 2.17.2"
        if os.environ.get("ZARRDS_REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    for case in MATRIX:
        case.write(tmp_path)
    script = Path(__file__).parent / "read_with_zarr2.py"
    lines = subprocess.run([python, script, tmp_path], capture_output=True, text=True, check=True).stdout.splitlines()
    found = {line["name"]: line for line in map(json.loads, lines)}
    assert set(found) == set(IDS)
    wrong = {case.name: found[case.name] for case in MATRIX if not _told_as(found[case.name], case)}
    assert not wrong


def _told_as(line: dict[str, object], case: Written) -> bool:
    expected = case.expected()
    if line.get("title") != case.name or line["shape"] != list(expected.shape):
        return False
    if expected.dtype == object:
        return line["items"] == [repr(item) for item in expected.flat]
    descr = expected.dtype.descr if expected.dtype.names else expected.dtype.str
    return line["dtype"] == repr(descr) and line["hex"] == np.ascontiguousarray(expected).tobytes().hex()
