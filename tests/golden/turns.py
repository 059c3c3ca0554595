"""Steps that two versions of zarrds carry out in turn on one store.

Imported by the tests, and run as a program with an older zarrds on the path: each line of standard input is one step as
JSON, each line of standard output its answer. Only names that the oldest version had are used.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import numpy as np

import zarrds

CHUNKS = (4, 3)
COLUMNS = 7
KINDS: dict[str, dict[str, Any]] = {
    "v2": {"zarr_format": 2},
    "v2-nested": {"zarr_format": 2, "dimension_separator": "/", "order": "F"},
    "v3": {"zarr_format": 3},
    "v3-shards": {"zarr_format": 3, "shards": (8, 6)},
    "n5": {},
}


def place(root: str, kind: str) -> Any:
    """Return the store of the hierarchy of one kind."""
    path = os.path.join(root, kind)
    return zarrds.N5Store(path + ".n5") if kind == "n5" else path


def values(step: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Return the rows that a step writes: they depend on its seed alone."""
    return np.random.default_rng(step["seed"]).integers(1, 1000, (step["rows"], COLUMNS)).astype("i4")


def perform(root: str, step: dict[str, Any]) -> Any:
    """Carry out one step and return its answer, which JSON can hold."""
    store, name = place(root, step["kind"]), step["do"]
    if name == "create":
        group = zarrds.open_group(store, mode="w", **_format(step["kind"]))
        options = {key: value for key, value in KINDS[step["kind"]].items() if key != "zarr_format"}
        group.create_dataset("a", shape=(5, COLUMNS), chunks=CHUNKS, dtype="i4", fill_value=0, **options)
        return None
    if name == "read":
        group = zarrds.open_group(store, mode="r")
        array = group["a"]
        return {"data": array[:].tolist(), "attrs": dict(array.attrs), "members": sorted(group)}
    group = zarrds.open_group(store, mode="r+")
    array = group["a"]
    if name == "set":
        array[step["at"] : step["at"] + step["rows"]] = values(step)
    elif name == "append":
        array.append(values(step))
    elif name == "resize":
        array.resize(step["rows"], COLUMNS)
    elif name == "attribute":
        array.attrs[f"k{step['seed'] % 4}"] = step["seed"]
    elif name == "member":
        group.require_dataset(f"m{step['seed'] % 3}", shape=(3,), dtype="f8", chunks=(2,))[:] = 1.5
    elif name == "drop":
        for member in sorted(set(group) - {"a"}):
            del group[member]
    else:
        raise ValueError(f"unknown step {name!r}")
    return None


def _format(kind: str) -> dict[str, Any]:
    return {"zarr_format": KINDS[kind]["zarr_format"]} if "zarr_format" in KINDS[kind] else {}


if __name__ == "__main__":
    print(json.dumps(zarrds.__file__), flush=True)
    for line in sys.stdin:
        print(json.dumps(perform(sys.argv[1], json.loads(line))), flush=True)
