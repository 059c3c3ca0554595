"""Overwriting on disk: every system call that changes files fails or is the last one, and readers meet old or new."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.errors import PathNotFoundError

DATA = np.arange(20, dtype="i4") + 5
NAMES = ("mkdir", "rename", "replace", "unlink", "rmdir", "open", "write")
ENDINGS = {"v2": (".zarr", {"zarr_format": 2}), "v3": (".zarr", {"zarr_format": 3}), "n5": (".n5", {"zarr_format": 2})}


class Killed(BaseException):
    """What stands for the end of the process: nobody handles it, but ``finally`` runs."""


class Calls:
    """Counts the calls that change files, and stops at the n-th: nothing that changes files works from then on."""

    def __init__(self, patch: pytest.MonkeyPatch, nth: int | None) -> None:
        self.count, self.nth = 0, nth
        for name in NAMES:
            patch.setattr(os, name, self._counting(getattr(os, name), name))

    def _counting(self, real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if name == "open" and not args[1] & os.O_CREAT:
                return real(*args, **kwargs)
            if self.nth is not None and self.count >= self.nth:
                raise Killed(name)
            self.count += 1
            return real(*args, **kwargs)

        return call


def node(path: str) -> Any:
    try:
        found = zarrds.open(path, mode="r")
    except PathNotFoundError:
        return None
    if isinstance(found, zarrds.Array):
        return found[:].tolist(), found.attrs.asdict()
    return {name: found[name][:].tolist() for name in found}


ACTS: dict[str, Callable[[str, dict[str, Any]], Any]] = {
    "save_array": lambda path, options: zarrds.save_array(path, DATA, chunks=5, **options),
    "save_group": lambda path, options: zarrds.save_group(path, a=DATA, b=DATA, **options),
    "open_array": lambda path, options: zarrds.open_array(path, mode="w", shape=20, chunks=5, dtype="i4", **options),
    "open_group": lambda path, options: zarrds.open_group(path, mode="w", **options),
}


@pytest.mark.parametrize("kind", ENDINGS)
@pytest.mark.parametrize("name", ACTS)
def test_wherever_it_stops_the_old_node_or_the_new_one_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str
) -> None:
    ending, options = ENDINGS[kind]

    def filled(number: int) -> str:
        path = f"{tmp_path}/{number}/x{ending}"
        z = zarrds.open_array(path, mode="w", shape=20, chunks=4, dtype="i4", **options)
        z[:] = 1
        z.attrs["k"] = 1
        return path

    path = filled(0)
    old = node(path)
    with monkeypatch.context() as patch:
        calls = Calls(patch, None)
        ACTS[name](path, options)
    new = node(path)
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
    for nth in range(calls.count):
        path = filled(nth + 1)
        with monkeypatch.context() as patch, suppress(Killed):
            Calls(patch, nth)
            ACTS[name](path, options)
            pytest.fail(f"call {nth} of {calls.count} did not stop it")
        assert node(path) in (old, new)
        ACTS[name](path, options)
        assert node(path) == new


@pytest.mark.parametrize("exchange", [True, False])
def test_readers_meet_the_old_array_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    """At each call that changes files a reader opens the array: with all its data, of one generation."""
    from zarrds._store.backends import swap

    if not exchange:
        monkeypatch.setattr(swap, "_exchanging", lambda: None)
    path = str(tmp_path / "x.zarr")
    zarrds.save_array(path, np.full(20, 1), chunks=5)
    seen = []

    def looking(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            found = node(path)
            seen.append(None if found is None else set(found[0]))
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in ("mkdir", "rename", "replace", "unlink", "rmdir"):
            patch.setattr(os, name, looking(getattr(os, name)))
        zarrds.save_array(path, np.full(20, 2), chunks=10)
    assert {1} in seen
    assert all(found in ({1}, {2}, *([] if exchange else [None])) for found in seen), seen


READER = """
import sys, zarrds
path, seen = sys.argv[1], 0
while True:
    z = zarrds.open_array(path, mode="r")
    first = z.attrs["k"] if "k" in z.attrs else None
    seen += 1
    if seen == 200:
        break
print("whole")
"""


@pytest.mark.slow
def test_a_process_that_opens_what_another_replaces_always_finds_it(tmp_path: Path) -> None:
    path = str(tmp_path / "x.zarr")
    zarrds.save_array(path, DATA, chunks=5)
    reader = subprocess.Popen([sys.executable, "-c", READER, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while reader.poll() is None:
        zarrds.save_array(path, DATA, chunks=5)
    out, errors = reader.communicate()
    assert (out.strip(), errors) == (b"whole", b"")
