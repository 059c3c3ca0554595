"""What `to_zarrds` is asked for, as one value; checked before any store is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

import xarray as xr

from xarray_backend.managers import has_foreign_blocks, with_dask_blocks
from xarray_backend.plan import check_dataset
from xarray_backend.reader import check_format, group_path
from xarray_backend.region import check_region_of_tree
from zarrds.errors import ArgumentError, ArgumentTypeError, NotSupportedError

__all__ = ["Request", "WriteKeywords", "datasets_of"]

_VARIABLE = "__xarray_dataarray_variable__"
_NAME = "__xarray_dataarray_name__"


class WriteKeywords(TypedDict, total=False):
    """Keywords of `to_zarrds` that its overloads share."""

    consolidated: bool | None
    append_dim: Any
    region: Any
    align: str | None
    safe_chunks: bool | None
    align_chunks: bool | None
    storage_options: Mapping[str, Any] | None
    zarr_format: int | None
    write_empty_chunks: bool | None
    chunkmanager_store_kwargs: Mapping[str, Any] | None
    write_inherited_coords: bool
    synchronizer: Any


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be written, where in the store, and how.

    Attributes
    ----------
    datasets, encodings : dict
        Datasets, and their encodings, by path relative to the target group.
    root : str
        Path of the target group.
    mode : {"w", "w-", "a", "a-", "r+", "replace"}
        As for `to_zarrds`.
    align : {"auto", "raise", "rechunk", "never", "keep"}
        The rule for blocks that share chunks, as `Options.align`.
    append_dim, region, compute, consolidated, zarr_format, write_empty_chunks, synchronizer, dry_run
        As for `to_zarrds`.
    dask_options : dict
        Passed to `dask.compute`.
    is_hidden : bool
        Whether `root` is a hidden place, from which the group will be moved.
    """

    datasets: Mapping[str, xr.Dataset]
    encodings: Mapping[str, Mapping[Any, Any]]
    root: str
    mode: str
    align: str
    append_dim: Any = None
    region: Any = None
    compute: bool = True
    consolidated: bool | None = None
    zarr_format: int | None = None
    write_empty_chunks: bool | None = None
    synchronizer: Any = None
    dry_run: bool = False
    dask_options: dict[str, Any] = field(default_factory=dict)
    is_hidden: bool = False

    @property
    def adds(self) -> bool:
        """Whether a group is created or changed, in which others may write too, and not a region of it alone."""
        alone = self.mode in ("w", "replace")
        return not (alone or self.dry_run) and (self.region is None or self.append_dim is not None)

    @property
    def may_create(self) -> bool:
        """Whether arrays may be added to a group without a change of those that are there; not said of trees."""
        return self.adds and self.mode in ("a", "a-") and self.append_dim is None and len(self.datasets) == 1

    @property
    def consolidates(self) -> bool:
        """Whether metadata are consolidated at the end."""
        return self.mode != "r+" and self.consolidated is not False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Request:
        """Return what the keywords of `to_zarrds` ask for; raise for what cannot be done in any store."""
        check_format(given["zarr_format"])
        align = _checked_align(given["align"], given["safe_chunks"], given["align_chunks"])
        mode = _checked_mode(given["mode"], given["append_dim"], given["region"])
        if mode == "replace" and not given["compute"]:
            raise ArgumentError(
                "mode 'replace' puts the dataset in its place when all is written, so compute=False is no use"
            )
        datasets, encodings = datasets_of(given["obj"], given["encoding"], inherited=given["write_inherited_coords"])
        datasets = {path: _with_dask_arrays(ds) for path, ds in datasets.items()}
        if any(map(has_foreign_blocks, datasets.values())):
            if not given["compute"]:
                raise NotSupportedError("compute=False is for dask arrays; other chunked arrays are written now")
            mode = "replace" if mode == "w" else mode  # it may read what "w" would delete
        if len(datasets) > 1:
            check_region_of_tree(datasets.values(), given["region"])
        for ds in datasets.values():
            check_dataset(ds if given["region"] is None else ds.drop_vars(ds.indexes, errors="ignore"))
        root = group_path(given["group"])
        dask_options = dict(given["chunkmanager_store_kwargs"] or {})
        as_given = {name: given[name] for name in _AS_GIVEN}
        return cls(datasets, encodings, root, mode, align, dask_options=dask_options, **as_given)


_AS_GIVEN = (
    "append_dim",
    "region",
    "compute",
    "consolidated",
    "zarr_format",
    "write_empty_chunks",
    "synchronizer",
    "dry_run",
)


def _checked_mode(mode: str | None, append_dim: Any, region: Any) -> str:
    if mode is None:
        mode = "a" if append_dim is not None else "r+" if region is not None else "w-"
    if mode not in ("w", "w-", "a", "a-", "r+", "replace"):
        raise ArgumentError(f"mode must be one of 'w', 'w-', 'a', 'a-', 'r+' and 'replace', found {mode!r}")
    if append_dim is not None and isinstance(region, Mapping) and append_dim in region:
        raise ArgumentError(f"dimension {append_dim!r} cannot be in append_dim and in region: it grows, or it does not")
    if append_dim is not None and mode not in ("a", "a-"):
        raise ArgumentError(f"append_dim needs mode 'a' or 'a-', found {mode!r}")
    if region is not None and mode not in ("a", "a-", "r+"):
        raise ArgumentError(f"region needs mode 'a', 'a-' or 'r+', found {mode!r}")
    return mode


def _checked_align(align: str | None, safe: bool | None, rechunk: bool | None) -> str:
    """Return the rule for blocks that share chunks, as `Options.align`."""
    if align not in (None, "auto", "raise", "keep"):
        raise ArgumentError(f"align must be 'auto', 'raise' or 'keep', found {align!r}")
    if align is not None:
        if safe is not None or rechunk is not None:
            raise ArgumentError("align takes the place of safe_chunks and align_chunks; give one or the other")
        return align
    if rechunk:
        return "rechunk"
    if safe is None and rechunk is None:
        return "auto"
    return "never" if safe is False else "strict" if safe else "raise"


def datasets_of(
    obj: Any, encoding: Mapping[Any, Any] | None, *, inherited: bool
) -> tuple[dict[str, xr.Dataset], dict[str, Mapping[Any, Any]]]:
    """Return datasets and their encodings, by path relative to the target group."""
    if not (encoding is None or isinstance(encoding, Mapping)):
        raise ArgumentTypeError("encoding is a dict by the names of variables", found=repr(encoding))
    if isinstance(obj, xr.DataArray):
        obj = _dataset_of_array(obj)
    if isinstance(obj, xr.Dataset):
        return {"/": obj}, {"/": dict(encoding or {})}
    if not isinstance(obj, xr.DataTree):
        raise ArgumentTypeError(f"a Dataset, DataArray or DataTree can be written, not a {type(obj).__name__}")
    datasets = {}
    for node in obj.subtree:
        path = "/" + node.path[len(obj.path) :].strip("/")
        datasets[path] = node.to_dataset(inherit=inherited or node is obj)
    given = {"/" + str(path).strip("/"): dict(by_name) for path, by_name in (encoding or {}).items()}
    unknown = sorted(set(given) - set(datasets))
    if unknown:
        raise ArgumentError(f"encoding is given for {unknown[0]!r}, which is not a node of the tree")
    return datasets, {path: given.get(path, {}) for path in datasets}


def _with_dask_arrays(ds: xr.Dataset) -> xr.Dataset:
    """Return a dataset with dask arrays in place of those of other libraries with dask graphs."""
    changed = {name: new for name, var in ds.variables.items() if (new := with_dask_blocks(var)) is not var}
    return ds.assign(changed) if changed else ds


def _dataset_of_array(array: xr.DataArray) -> xr.Dataset:
    """Return an array as a dataset; an array without a name gets the name that xarray uses for it."""
    if array.name is None:
        return array.to_dataset(name=_VARIABLE)
    if array.name in array.coords or array.name in array.dims:
        ds = array.to_dataset(name=_VARIABLE)
        ds.attrs[_NAME] = array.name
        return ds
    return array.to_dataset()
