"""Stores that released versions wrote are read exactly, element by element."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import zarrds
from tests.golden import make, unpack

HERE = Path(__file__).parent
VERSIONS = sorted(path.name.removesuffix(".tar.xz") for path in HERE.glob("*.tar.xz"))


@pytest.fixture(params=VERSIONS)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    unpack(HERE / f"{request.param}.tar.xz", tmp_path)
    return tmp_path, json.loads((HERE / f"{request.param}.json").read_text(encoding="ascii"))


def test_there_are_golden_stores() -> None:
    assert {"0.1.0", "0.1.0-codecs"} <= set(VERSIONS)


def test_they_read_as_they_were_written(golden: tuple[Path, dict[str, Any]]) -> None:
    where, expected = golden
    found = make.described_all(where)
    assert sorted(found) == sorted(expected)
    for name, known in expected.items():
        assert json.loads(json.dumps(found[name])) == known, name


def test_the_expectations_are_what_was_meant(golden: tuple[Path, dict[str, Any]]) -> None:
    _, expected = golden
    tables = {"v2": make.FORMAT_2, "v3": make.FORMAT_3, "n5.n5": make.N5}
    if "codecs2/zlib" in expected:
        tables = {"codecs2": make.CODECS_2, "codecs3": make.CODECS_3, "codecs.n5": make.CODECS_N5}
    for store, arrays in tables.items():
        for name, (data, _) in arrays.items():
            assert expected[f"{store}/{name}"]["elements"] == make.plain(data), name


def test_nothing_in_them_is_amiss(golden: tuple[Path, dict[str, Any]]) -> None:
    where, _ = golden
    for store in sorted(where.iterdir()):
        report = zarrds.verify(str(store), level="decode")
        assert report.ok, str(report)


@pytest.mark.parametrize("to", [2, 3])
def test_they_can_be_converted(golden: tuple[Path, dict[str, Any]], to: int) -> None:
    where, expected = golden
    stores = "codecs" if "codecs2/zlib" in expected else "v"
    source = zarrds.open_group(str(where / f"{stores}{5 - to}"), mode="r")
    cannot = {"json", "msgpack", "categories", "base64"} if to == 3 else {"named"}
    for name, array in source["g"].arrays():
        if name not in cannot:
            new = zarrds.convert(array, zarrds.KVStore({}), to=to)
            assert make.described(new)["elements"] == expected[f"{stores}{5 - to}/{name}"]["elements"], name
