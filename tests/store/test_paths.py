"""Paths: what is above one."""

from __future__ import annotations

import pytest

from zarrds._store.paths import ancestors


@pytest.mark.parametrize(("path", "above"), [("", []), ("a", [""]), ("a/b/c", ["", "a", "a/b"])])
def test_what_is_above_a_path(path, above):
    assert ancestors(path) == above
