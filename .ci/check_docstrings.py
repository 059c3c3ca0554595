#!/usr/bin/env python
"""Check the docstrings of all public names with the rules of numpydoc that ``pyproject.toml`` lists."""

from __future__ import annotations

import importlib
import inspect
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from numpydoc.validate import validate

ROOT = Path(__file__).parent.parent
MODULES = [
    "zarrds",
    "attrs",
    "codecs",
    "convenience",
    "core",
    "creation",
    "dask",
    "errors",
    "hierarchy",
    "n5",
    "parallel",
    "storage",
    "sync",
    "xarray_backend",
]


def public_names() -> Iterator[str]:
    """Yield the names of public objects and of the public members of their classes, once each."""
    seen: set[int] = set()
    for name in MODULES:
        module = importlib.import_module(name if name in ("zarrds", "xarray_backend") else f"zarrds.{name}")
        for item in module.__all__:
            found = getattr(module, item)
            if not is_ours(found) or id(found) in seen:
                continue
            seen.add(id(found))
            yield f"{module.__name__}.{item}"
            if inspect.isclass(found):
                yield from (f"{module.__name__}.{item}.{member}" for member in members(found, seen))


def is_ours(found: object) -> bool:
    """Return whether an object is a class or function that this project defines."""
    where = getattr(found, "__module__", None) or ""
    return (inspect.isclass(found) or inspect.isroutine(found)) and where.partition(".")[0] in (
        "zarrds",
        "xarray_backend",
    )


def members(cls: type, seen: set[int]) -> Iterator[str]:
    """Yield the names of methods and properties with a docstring of their own, those of private bases included."""
    for base in cls.__mro__:
        if not is_ours(base):
            continue
        for name, found in vars(base).items():
            real = getattr(found, "__func__", found)
            if name.startswith("_") or id(real) in seen or not getattr(real, "__doc__", None):
                continue
            if inspect.isfunction(real) or isinstance(found, property):
                seen.add(id(real))
                yield name


def main() -> int:
    """Print what is wrong; return the exit status."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["numpydoc_validation"]
    names = list(public_names())
    wrong = 0
    for name in names:
        for code, message in validate(name)["errors"]:
            if code in config["checks"]:
                wrong += 1
                print(f"{name}: {code} {message}")
    print(f"docstrings: {len(names)} public names, {wrong} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
