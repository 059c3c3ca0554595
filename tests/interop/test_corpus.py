"""Stores written by other implementations read exactly.

The corpus (archives, expected content, a manifest) lies beside the repository in ``../shared/interop``, or where
``ZARRDS_INTEROP`` says; without it these tests are skipped.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

import zarrds

FOLDER = Path(os.environ.get("ZARRDS_INTEROP", Path(__file__).parents[3] / "shared" / "interop"))
OPENABLE = ("dir", "nested", "consolidated")


def load_corpus():
    if not (FOLDER / "corpus.py").exists():
        return None
    spec = importlib.util.spec_from_file_location("interop_corpus", FOLDER / "corpus.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CORPUS = load_corpus()


def cases(formats, opens):
    if CORPUS is None:
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no interoperability corpus at {FOLDER}"))]
    return [
        pytest.param(case, id=f"{case['producer']}-{case['id']}")
        for case in CORPUS.cases()
        if case["format"] in formats and case["open"] in opens
    ]


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory):
    return CORPUS.unpack(str(tmp_path_factory.mktemp("corpus")))


@pytest.mark.parametrize("case", cases(("zarr-v2",), OPENABLE))
def test_format_2(case, unpacked, monkeypatch):
    # the manifest says that the one case with pickles needs this
    monkeypatch.setattr("numcodecs.pickles.ALLOW_UNSAFE_PICKLE_DECODE", True, raising=False)
    assert CORPUS.check(zarrds, case, unpacked) == []


@pytest.mark.parametrize("case", cases(("n5",), ("n5",)))
def test_n5(case, unpacked):
    assert CORPUS.check(zarrds, case, unpacked) == []


@pytest.mark.parametrize("case", cases(("zarr-v3",), OPENABLE))
def test_format_3(case, unpacked):
    assert CORPUS.check(zarrds, case, unpacked) == []


@pytest.mark.parametrize("case", cases(("zarr-v2",), ("zip",)))
def test_zip_by_url(case, unpacked):
    """The zip store is not there yet; fsspec's zip file system reads the same files."""
    path = os.path.join(CORPUS.case_dir(case, unpacked), case["store"])
    root = zarrds.open(f"zip::file://{path}", mode="r")
    for node in case["nodes"]:
        if node["type"] != "array":
            continue
        array = root[node["path"]] if node["path"] else root
        expected = CORPUS.expected(case, node, unpacked)
        assert list(array.shape) == node["shape"]
        assert expected is None or CORPUS.equal(array[...], expected)


@pytest.mark.parametrize("case", cases(("zarr-v3-experimental",), ("v3exp", "v3exp-consolidated")))
def test_the_experimental_layout(case, unpacked):
    assert CORPUS.check(zarrds, case, unpacked) == []


@pytest.mark.parametrize("case", cases(("zarr-v1",), ("v1",)))
def test_format_1(case, unpacked):
    """As they are, for reading; then migrated."""
    path = os.path.join(CORPUS.case_dir(case, unpacked), case["store"])
    before = dict(zarrds.DirectoryStore(path))
    (node,) = case["nodes"]
    z = zarrds.open(path, mode="r")
    assert CORPUS.equal(z[...], CORPUS.expected(case, node, unpacked))
    assert dict(z.attrs) == node["attrs"]
    assert dict(zarrds.DirectoryStore(path)) == before
    assert CORPUS.check(zarrds, case, unpacked) == []
