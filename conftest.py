"""What all tests share: doctests run in a folder of their own, where they write, and as a program of a user."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# neither a busy machine nor examples that are rejected by chance are a reason to fail
_LUCK = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
settings.register_profile("patient", deadline=None, suppress_health_check=_LUCK)
# a gate must answer the same each time; runs at home look for new cases
settings.register_profile("gate", deadline=None, suppress_health_check=_LUCK, derandomize=True)
settings.load_profile("gate" if os.environ.get("CI") else "patient")

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
