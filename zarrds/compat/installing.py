"""Let ``import zarr`` find zarrds."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, DistributionFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import zarrds
from zarrds.compat import newer
from zarrds.errors import ZarrdsError

__all__ = ["ZarrIsThereError", "install"]

VERSION = "2.17.2"
"""What ``zarr.__version__`` says: the version whose manual zarrds follows."""

_PATH = str(Path(__file__).with_name("path"))
"""Directory with a package `zarr` that installs zarrds, for other processes."""


class ZarrIsThereError(ZarrdsError, RuntimeError):
    """The zarr library was imported before `install` was called, so that a program would use both."""

    default_message = "the zarr library was imported already"


def install(*, children: bool = False) -> None:
    """Make ``import zarr`` mean zarrds in this process from now on.

    Programs that ask find version 2.17.2, also with ``importlib.metadata.version("zarr")``. ``zarr.storage`` and the
    other modules are those of zarrds. Calling it again changes nothing.

    Parameters
    ----------
    children : bool, default False
        Whether Python processes that are started later, such as workers of dask, find zarrds as ``zarr`` too: a
        directory is put at the beginning of the environment variable ``PYTHONPATH``.

    Raises
    ------
    ZarrIsThereError
        If the zarr library was imported before; a RuntimeError.

    Examples
    --------
    >>> import zarrds.compat
    >>> zarrds.compat.install()  # doctest: +SKIP
    >>> import zarr  # doctest: +SKIP
    >>> zarr.__version__, zarr.zeros(3)  # doctest: +SKIP
    ('2.17.2', <zarrds.core.Array (3,) float64>)
    """
    there = sys.modules.get("zarr")
    if there is not None and not isinstance(there, _Zarr) and not _is_from_path(there):
        raise ZarrIsThereError(
            found=getattr(there, "__file__", None),
            hint="call zarrds.compat.install() first, or run the program with: python -m zarrds.compat PROGRAM",
        )
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    if not isinstance(there, _Zarr):
        sys.modules["zarr"] = _Zarr()
    if children:
        others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        os.environ["PYTHONPATH"] = os.pathsep.join([_PATH, *(path for path in others if path not in ("", _PATH))])


def _is_from_path(module: ModuleType) -> bool:
    return str(getattr(module, "__file__", "")).startswith(_PATH)


class _Zarr(ModuleType):
    """The module `zarr`: everything that zarrds has, with the version of Zarr-Python 2."""

    def __init__(self) -> None:
        super().__init__("zarr", zarrds.__doc__)
        self.__version__ = VERSION
        self.__path__: list[str] = []  # a package, whose modules `_Finder` finds
        self.__spec__ = ModuleSpec("zarr", _Loader(), is_package=True)
        self.__file__ = zarrds.__file__
        self.open = newer.open_node
        self.open_group = newer.open_group
        self.open_consolidated = newer.open_consolidated
        newer.add_to_classes()

    def __getattr__(self, name: str) -> Any:
        try:
            return getattr(zarrds, name)
        except AttributeError:
            if name in _MODULES:
                return importlib.import_module(f"zarr.{name}")  # Zarr-Python 2 imports its modules itself
            message = f"module 'zarr' (which is zarrds here) has no attribute {name!r}"
            raise AttributeError(message) from None  # builtin: what modules raise

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(zarrds)})


_MODULES = ("context", "indexing", "meta", "types", "util", "version")
"""Modules of Zarr-Python 2 that ``import zarrds`` does not have as attributes."""

_SOURCES = (
    "zarrds",
    "zarrds.storage",
    "zarrds.errors",
    "zarrds.util",
    "zarrds.attrs",
    "zarrds.meta",
    "zarrds.indexing",
)
"""Modules whose names those of Zarr-Python 2 have, too, since they import them."""


def _path_to_prefix(path: str | None) -> str:
    """Return what the keys below a path begin with."""
    return f"{path}/" if path else ""


_PRIVATE: dict[str, Any] = {"_path_to_prefix": _path_to_prefix}
"""Names with an underscore that stores of other packages import from ``zarr.storage``."""


def _with_imported_names(module: ModuleType) -> ModuleType:
    """Let a module find names that it has in Zarr-Python 2 because it imports them, as ``zarr.core.KVStore``."""
    if "__getattr__" in vars(module):
        return module

    def find(name: str) -> Any:
        if not name.startswith("_"):
            for source in _SOURCES:
                found = importlib.import_module(source)
                if name in getattr(found, "__all__", ()):
                    return getattr(found, name)
        if name in _PRIVATE and module.__name__.startswith(("zarrds.storage", "zarrds._storage")):
            return _PRIVATE[name]
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")  # builtin: what modules raise

    vars(module)["__getattr__"] = find
    return module


class _Finder(DistributionFinder):
    """Finds ``zarr``, its modules, and the distribution of this name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "zarr" and not fullname.startswith("zarr."):
            return None
        if fullname != "zarr" and _found(fullname) is None:
            return None
        return ModuleSpec(fullname, _Loader(), is_package=True)

    def find_distributions(self, context: DistributionFinder.Context | None = None) -> Iterable[Distribution]:
        if context is None or context.name in (None, "zarr"):
            yield _Zarr2Distribution()


def _found(fullname: str) -> ModuleSpec | None:
    """Return the spec of the module of zarrds for one of zarr; None if there is none."""
    try:
        return importlib.util.find_spec(fullname.replace("zarr", "zarrds", 1))
    except ModuleNotFoundError:
        return None


class _Loader(Loader):
    """Puts modules of zarrds where those of zarr are looked for."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        # the import system returns what is in `sys.modules` afterwards
        if name == "zarr":
            sys.modules[name] = _Zarr()
        else:
            sys.modules[name] = _with_imported_names(importlib.import_module(name.replace("zarr", "zarrds", 1)))


class _Zarr2Distribution(Distribution):
    """What ``importlib.metadata`` says of zarr."""

    def read_text(self, filename: str) -> str | None:
        return f"Metadata-Version: 2.1\nName: zarr\nVersion: {VERSION}\n" if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        return Path(_PATH) / path
