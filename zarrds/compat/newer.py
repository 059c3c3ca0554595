"""Names of Zarr-Python 3 that xarray asks for since it has dropped Zarr-Python 2, for processes that call `install`.

`install` adds them to the module `zarr`, to `Group` and to `Array`. Their `metadata` then has only what xarray reads.
Arrays of Zarr v2 have none if their attributes name the dimensions: xarray then looks there. They never have any for a
release of xarray that supports Zarr-Python 2, too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import zarrds
from zarrds.errors import ConsolidatedNotFoundError, ZarrdsError

__all__ = [
    "NoConsolidatedError",
    "add_to_classes",
    "open_consolidated",
    "open_group",
    "open_node",
]


class NoConsolidatedError(ZarrdsError, KeyError, ValueError):
    """There is no consolidated metadata; also the ValueError that xarray expects."""


def open_node(store: Any = None, mode: Any = "a", *, config: Mapping[str, Any] | None = None, **kwargs: Any) -> Any:
    """Open an array or group, as `zarrds.open`, with the keyword `config` of Zarr-Python 3.

    Examples
    --------
    >>> import zarrds
    >>> open_node(zarrds.zeros(3).store, mode="r", config={"write_empty_chunks": False})
    <zarrds.core.Array (3,) float64 read-only>
    """
    return zarrds.open(store, mode, **kwargs, **_plain_options(config))


def open_group(
    store: Any = None, mode: Any = "a", *, use_consolidated: bool | str | None = False, **kwargs: Any
) -> Any:
    """Open a group, with the keyword `use_consolidated` of Zarr-Python 3.

    Parameters
    ----------
    store : Store, MutableMapping or str
        Store, mapping or location.
    mode : str, default "a"
        As for `zarrds.open_group`.
    use_consolidated : bool or str, optional
        Whether to read consolidated metadata, or their key; None: if there are any, and `mode` only reads.
    **kwargs : object
        As for `zarrds.open_group`.

    Examples
    --------
    >>> import zarrds
    >>> open_group(zarrds.group().store, mode="r", use_consolidated=None)
    <zarrds.hierarchy.Group '/' read-only>
    """
    if use_consolidated or (use_consolidated is None and mode in ("r", "r+")):
        key = {"metadata_key": use_consolidated} if isinstance(use_consolidated, str) else {}
        path = kwargs.get("path") or ""
        try:
            root = open_consolidated(store, mode=mode, **key, **{**kwargs, "path": None})
        except NoConsolidatedError:
            if use_consolidated:
                raise
        else:
            return root[path] if path.strip("/") else root
    return zarrds.open_group(store, mode, **kwargs)


def open_consolidated(store: Any, **kwargs: Any) -> Any:
    """Open a group by its consolidated metadata, as `zarrds.open_consolidated`; other keywords may be None.

    Raises
    ------
    NoConsolidatedError
        If there are none; a KeyError and ValueError.
    """
    asked = kwargs.pop("zarr_format", None)
    options = {name: value for name, value in kwargs.items() if value is not None}
    try:
        found = zarrds.open_consolidated(store, **options)
    except ConsolidatedNotFoundError as error:
        raise NoConsolidatedError(str(error)) from error
    if asked is not None and found.zarr_format != asked:
        raise NoConsolidatedError(f"no consolidated metadata of Zarr v{asked}", found=f"Zarr v{found.zarr_format}")
    return found


def add_to_classes() -> None:
    """Add to groups and arrays what xarray asks them for; a second call changes nothing."""
    group: Any = zarrds.Group
    array: Any = zarrds.Array
    if "metadata" in vars(group):
        return
    group.metadata = property(lambda self: SimpleNamespace(zarr_format=self.zarr_format, consolidated_metadata=None))
    array.metadata = property(_metadata_of_array)
    group.create = _create_with_config(group.create)


def _create_with_config(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_with_config(self: Any, name: str, *, config: Mapping[str, Any] | None = None, **kwargs: Any) -> Any:
        if isinstance(kwargs.get("chunks"), str):  # "auto"
            kwargs["chunks"] = True
        return create(self, name, **kwargs, **_plain_options(config))

    return create_with_config


def _metadata_of_array(array: Any) -> Any:
    if array.zarr_format == 3:
        return SimpleNamespace(zarr_format=3, dimension_names=array.dimension_names)
    if "_ARRAY_DIMENSIONS" in array.attrs or _xarray_knows_zarr2():
        message = "arrays of Zarr v2 have no names of dimensions"
        raise AttributeError(message)  # builtin: xarray then looks at the attributes
    # else xarray would await the store; with no names, or names of NCZarr, it opens the array or says what is missing
    return SimpleNamespace(zarr_format=2, dimension_names=_names_of_nczarr(array))


def _xarray_knows_zarr2() -> bool:
    """Return whether the xarray of this process still supports Zarr-Python 2, where `metadata` means Zarr v3."""
    return hasattr(sys.modules.get("xarray.backends.zarr"), "_zarr_v3")


def _names_of_nczarr(array: Any) -> tuple[str, ...]:
    found = json.loads(array.source().meta.extra).get("_NCZARR_ARRAY")
    names = found.get("dimrefs") if isinstance(found, dict) else None
    return tuple(str(name).rsplit("/", 1)[-1] for name in names) if isinstance(names, list) else ()


def _plain_options(config: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (config or {}).items() if value is not None}
