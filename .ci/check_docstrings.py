#!/usr/bin/env python
"""Check the docstrings of all public names with the rules of numpydoc that ``pyproject.toml`` lists."""

from __future__ import annotations

import importlib
import inspect
import pydoc
import sys
import tomllib
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from numpydoc.validate import validate

from zarrds.storage import Store

ROOT = Path(__file__).parent.parent
EXEMPT = {
    "zarrds.DictStore": "has the parameters of MemoryStore",
    "zarrds.N5FSStore": "has the parameters of FSStore",
    "zarrds.attrs.known_attributes": "passes attributes between packages, is not for users",
    "zarrds.n5.N5ChunkWrapper.block_bytes": "reads the header of a block, is not for users",
    "zarrds.codecs.CodecPipeline": "is returned, not made",
    "zarrds.parallel.Turn": "is made by group_turn",
    "zarrds.storage.init_array": "has the parameters of create",
    "zarrds.sync.Synchronizer": "is a protocol",
    "xarray_backend.ZarrdsBackendEntrypoint.open_groups_as_dict": "has the parameters of open_dataset",
    "xarray_backend.ZarrdsBackendEntrypoint.open_datatree": "has the parameters of open_dataset",
}
"""Names whose parameters are documented elsewhere."""

MODULES = [
    *(
        "zarrds",
        "attrs",
        "codecs",
        "convenience",
        "dask",
        "dask.rechunker",
        "errors",
        "n5",
        "parallel",
        "storage",
        "sync",
    ),
    *("testing", "testing.strategies", "xarray_backend", "xarray_backend.testing"),
]


def public_names() -> Iterator[str]:
    """Yield the names of public objects and of the public members of their classes, once each."""
    seen: set[int] = set()
    for name in MODULES:
        module = importlib.import_module(name if name.startswith(("zarrds", "xarray_backend")) else f"zarrds.{name}")
        for item in module.__all__:
            found = getattr(module, item)
            if not is_ours(found) or id(found) in seen:
                continue
            seen.add(id(found))
            yield f"{module.__name__}.{item}"
            if inspect.isclass(found) and not issubclass(found, Store):
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


def is_said_elsewhere(name: str, code: str, docstring: str) -> bool:
    """Return whether a section may be missing: the first line says it, or the base class of errors and subclasses."""
    if name in EXEMPT and code in ("PR01", "RT01"):
        return True
    if code == "PR01" and name.rpartition(".")[2].startswith("test_"):
        return True  # tests of a contract: pytest calls them
    if code in ("RT01", "YD01"):
        return docstring.strip().startswith(("Return ", "Yield ", "Iterate "))
    found = pydoc.locate(name)
    bases = found.__mro__[1:] if inspect.isclass(found) else ()
    if code == "PR01" and inspect.isclass(found) and issubclass(found, Enum):
        return True  # its members are its values
    if code == "PR01" and inspect.isclass(found) and issubclass(found, BaseException):
        return True  # all errors have the parameters of ZarrdsError
    init = getattr(found, "__init__", None)
    if code == "PR01" and inspect.isclass(found) and "\nAttributes\n" in inspect.cleandoc(docstring):
        return True  # values that functions return
    return code == "PR01" and any(base.__init__ is init and is_ours(base) for base in bases)


def main() -> int:
    """Print what is wrong; return the exit status."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["numpydoc_validation"]
    names = list(public_names())
    wrong = 0
    for name in names:
        report = validate(name)
        for code, message in report["errors"]:
            if code in config["checks"] and not is_said_elsewhere(name, code, report["docstring"]):
                wrong += 1
                print(f"{name}: {code} {message}")
    print(f"docstrings: {len(names)} public names, {wrong} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
