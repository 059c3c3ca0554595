"""An older version and this one write to one store in turn; both read, after each step, what both have written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import zarrds
from tests.golden import turns, unpack

WRITERS = sorted((Path(__file__).parent / "writers").glob("*.tar.xz"))
STEPS = ("set", "set", "append", "append", "resize", "attribute", "member", "drop")


class Older:
    """A process that runs an older version, step by step."""

    def __init__(self, code: Path, root: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(code), "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, turns.__file__, str(root)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=code
        )
        self.file = self._answer()

    def perform(self, step: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(step) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the older version failed; its traceback is above"
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(params=WRITERS, ids=lambda path: path.name.removesuffix(".tar.xz"))
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Older]:
    code = tmp_path / "code"
    unpack(request.param, code)
    (tmp_path / "stores").mkdir()
    process = Older(code, tmp_path / "stores")
    yield process
    process.close()


class Model:
    """What the array, its attributes and the members of its group should be."""

    def __init__(self) -> None:
        self.data = np.zeros((5, turns.COLUMNS), "i4")
        self.attributes: dict[str, int] = {}
        self.members = {"a"}

    def follow(self, step: dict[str, Any]) -> None:
        match step["do"]:
            case "set":
                self.data[step["at"] : step["at"] + step["rows"]] = turns.values(step)
            case "append":
                self.data = np.concatenate([self.data, turns.values(step)])
            case "resize":
                self.data = self.data[: step["rows"]]
            case "attribute":
                self.attributes[f"k{step['seed'] % 4}"] = step["seed"]
            case "member":
                self.members.add(f"m{step['seed'] % 3}")
            case "drop":
                self.members = {"a"}


def next_step(random: Random, kind: str, rows: int) -> dict[str, Any]:
    """Return a random step; `resize` only shrinks, to whole chunks, as edges keep what was cut off."""
    step = {"kind": kind, "do": random.choice(STEPS), "seed": random.randrange(10**6)}
    if step["do"] == "append":
        return {**step, "rows": random.randint(1, 9)}
    if step["do"] == "resize":
        return {**step, "rows": max(turns.CHUNKS[0], rows // 8 * 8)}
    if step["do"] == "set":
        at = random.randrange(rows)
        return {**step, "at": at, "rows": random.randint(1, rows - at)}
    return step


def test_there_is_an_older_writer() -> None:
    assert WRITERS


@pytest.mark.parametrize("kind", turns.KINDS)
def test_writers_in_turn(older: Older, kind: str, tmp_path: Path) -> None:
    assert not older.file.startswith(str(Path(zarrds.__file__).parent)), "the older version is this one"
    root, random, model = str(tmp_path / "stores"), Random(kind), Model()
    (older.perform if random.random() < 0.5 else lambda step: turns.perform(root, step))({"kind": kind, "do": "create"})
    for number in range(40):
        step = next_step(random, kind, len(model.data))
        if number % 2:
            older.perform(step)
        else:
            turns.perform(root, step)
        model.follow(step)
        expected = {"data": model.data.tolist(), "attrs": model.attributes, "members": sorted(model.members)}
        read = {"kind": kind, "do": "read"}
        assert turns.perform(root, read) == expected, (number, step)
        assert older.perform(read) == expected, (number, step)
    assert zarrds.verify(turns.place(root, kind), level="decode").ok
