"""A pytest plugin that runs the zarr tests of the installed xarray with zarrds in place of the zarr library.

    ZARRDS_UPSTREAM=read python -m pytest -p tests.xarray_backend.upstream --pyargs xarray.tests.test_backends -k "zarr"

``ZARRDS_UPSTREAM`` says what is replaced: with "read" the engine "zarr" is ours, so that we read what xarray writes;
with "write" the methods ``to_zarr`` are ours, too, so that we read what we write; with "exchange" they are ours, and
xarray reads what we write. The tests themselves are not changed; but the classes of errors and warnings are compared,
not their words, which are our own.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
from collections.abc import Callable
from typing import Any

import pytest
import xarray as xr
import zarr
from xarray.backends import plugins

import zarrds
from xarray_backend import ZarrdsBackendEntrypoint, to_zarrds

__all__: list[str] = []

MODES = ("read", "write", "exchange")


def pytest_configure(config: pytest.Config) -> None:
    """Put zarrds in place, before any test is imported."""
    mode = os.environ.get("ZARRDS_UPSTREAM", "read")
    if mode not in MODES:
        raise pytest.UsageError(f"ZARRDS_UPSTREAM must be one of {', '.join(MODES)}, found {mode!r}")
    pytest.raises = _without_words(pytest.raises)
    pytest.warns = _without_words(pytest.warns)
    if mode != "exchange":
        _replace_engine()
    if mode != "read":
        for owner in (xr.Dataset, xr.DataArray, xr.DataTree):
            owner.to_zarr = _writer(owner)  # type: ignore[method-assign, assignment]


def _without_words(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make `pytest.raises` or `pytest.warns` compare classes only."""

    @functools.wraps(function)
    def compare(*args: Any, **options: Any) -> Any:
        options.pop("match", None)
        return function(*args, **options)

    return compare


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what xarray's tests mark as not meant for some parameters; xarray's own hook for that is not installed."""
    callspec = getattr(item, "callspec", None)
    for mark in item.iter_markers("skip_if_param"):
        given = dict(mark.kwargs)
        reason, condition = given.pop("reason", ""), given.pop("condition", True)
        if (
            condition
            and callspec is not None
            and all(callspec.params.get(name, _OTHER) == given[name] for name in given)
        ):
            pytest.skip(reason)


_OTHER = object()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the tests that are coroutines, which pytest alone does not."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: value for name, value in pyfuncitem.funcargs.items() if name in wanted}))
    return True


def _replace_engine() -> None:
    """Make the engine "zarr" ours."""
    module, _ = plugins.BACKEND_ENTRYPOINTS["zarr"]
    plugins.BACKEND_ENTRYPOINTS["zarr"] = (module, ZarrdsBackendEntrypoint)


def _writer(owner: Any) -> Callable[..., Any]:
    """Make a method ``to_zarr`` that is `to_zarrds`, in the format that the zarr library takes by default."""
    signature = inspect.signature(owner.to_zarr)

    def to_zarr(*args: Any, **options: Any) -> Any:
        given = signature.bind(*args, **options).arguments
        given.setdefault("safe_chunks", True)  # the default of that method; ours regroups blocks
        obj = given.pop("self")
        options = given.pop("kwargs", {})
        with zarrds.config_context(default_format=zarr.config.get("default_zarr_format")):
            return to_zarrds(obj, **given, **options)

    return to_zarr
