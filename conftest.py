"""What all tests share: doctests, which write to relative paths, run in a folder of their own."""

from pathlib import Path

import pytest

collect_ignore = ["zarrds/compat/pytest.py", "zarrds/compat/path"]
"""Modules that put zarrds in the place of the zarr library when they are imported."""


@pytest.fixture(autouse=True)
def _doctests_in_their_own_folder(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if isinstance(request.node, pytest.DoctestItem):
        folder: Path = tmp_path_factory.mktemp("doctest")
        monkeypatch.chdir(folder)
