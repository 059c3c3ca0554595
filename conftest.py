"""What all tests share: doctests run in a folder of their own, where they write, and as a program of a user."""

from pathlib import Path
from typing import Any

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


@pytest.fixture(autouse=True)
def _classes_in_doctests_are_not_ours(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace["__name__"] = "__main__"
