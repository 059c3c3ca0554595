"""Open many stored groups, with the metadata of all in a few batches of requests."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import xarray as xr

import zarrds
from xarray_backend.reader import (
    ZarrdsStore,
    attributes_of,
    check_format,
    group_path,
    may_be_consolidated,
    open_stored_group,
    stored_variable,
)
from zarrds import Array, Group
from zarrds.errors import ArgumentError, GroupNotFoundError
from zarrds.parallel import get_together
from zarrds.storage import ConsolidatedMetadataStore, KVStore, Store, as_store

__all__ = ["Opened", "open_many"]

OPENED_AT_ONCE = 16
"""Stores without consolidated metadata that are opened at the same moment."""

_CONSOLIDATED = ".zmetadata"
_V3_DOCUMENT = "zarr.json"


@dataclass(frozen=True, slots=True)
class Opened:
    """One of many stores.

    Attributes
    ----------
    name : str
        The store, as messages name it.
    group : zarrds.Group or None
        The group; None if it is not there.
    is_plain : bool
        Whether consolidated metadata were looked for, and not found.
    """

    name: str
    group: Group | None
    is_plain: bool = False

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes of the group."""
        return {} if self.group is None else ZarrdsStore(self.group).get_attrs()

    def variables(
        self, fill_as_mask: bool | None, left_out: set[str], reading: Mapping[str, Any]
    ) -> dict[str, tuple[Array, xr.Variable]]:
        """Return the stored arrays of the group, and what they are as variables, by name."""
        if self.group is None:
            return {}
        members, _ = self.group.open_members()
        arrays = {n: m for n, m in members.items() if isinstance(m, Array) and n not in left_out}
        attrs = attributes_of(arrays)
        return {
            name: (array, stored_variable(name, array, fill_as_mask, attrs[name], **reading))
            for name, array in arrays.items()
        }


def open_many(
    stores: Sequence[Any],
    *,
    group: str | None,
    consolidated: bool | None,
    storage_options: Mapping[str, Any] | None,
    zarr_format: int | None,
) -> list[Opened]:
    """Open one group in each of the stores; those that are not there have no group."""
    check_format(zarr_format)
    options = dict(storage_options) if storage_options else None
    opened = [_as_store(store, options) for store in stores]
    path = group_path(group)
    texts = [{} for _ in opened] if consolidated is False else _consolidated_texts(opened, path, zarr_format)
    found = [_of_consolidated(store, text, path, zarr_format) for store, text in zip(opened, texts, strict=True)]
    if consolidated and (plain := [n for n, one in enumerate(found) if one is None and may_be_consolidated(stores[n])]):
        raise ArgumentError(f"consolidated metadata is not in {_name(stores[plain[0]])}; pass consolidated=False")
    names = [_name(store) for store in stores]
    left = [n for n, one in enumerate(found) if one is None]

    def open_plain(number: int) -> Group | None:
        try:
            return open_stored_group(opened[number], group=group, consolidated=False, zarr_format=zarr_format)
        except GroupNotFoundError:
            return None

    if len(left) > 1 and any(opened[n].profile.kind == "network" for n in left):
        with ThreadPoolExecutor(min(OPENED_AT_ONCE, len(left)), thread_name_prefix="zarrds-open") as pool:
            plain_groups = dict(zip(left, pool.map(open_plain, left), strict=True))
    else:
        plain_groups = {number: open_plain(number) for number in left}
    warns = consolidated is None
    return [
        Opened(name, plain_groups[n], warns and plain_groups[n] is not None and may_be_consolidated(stores[n]))
        if n in plain_groups
        else Opened(name, found[n])
        for n, name in enumerate(names)
    ]


def _as_store(store: Any, options: dict[str, Any] | None) -> Store:
    return as_store(store, mode="r", storage_options=options if isinstance(store, (str, os.PathLike)) else None)


def _name(store: Any) -> str:
    return repr(os.fspath(store)) if isinstance(store, (str, os.PathLike)) else repr(store)


def _consolidated_texts(stores: Sequence[Store], path: str, zarr_format: int | None) -> list[dict[str, Any]]:
    """Return the documents that may contain consolidated metadata, by key, for each store.

    The format of the first store that has them is expected of the others, so that each is usually asked once.
    """
    keys = [_V3_DOCUMENT] + ([f"{path}/{_V3_DOCUMENT}"] if path else [])
    sets = [] if zarr_format == 3 else [[_CONSOLIDATED]]
    sets += [] if zarr_format == 2 else [keys]
    found: list[dict[str, Any]] = [{} for _ in stores]
    if len(sets) > 1 and not get_together([(stores[0], _CONSOLIDATED)])[0]:
        sets.reverse()
    for wanted in sets:
        left = [n for n, texts in enumerate(found) if not texts]
        asked = [(n, key) for n in left for key in wanted]
        for (n, key), text in zip(asked, get_together([(stores[n], key) for n, key in asked]), strict=True):
            if text is not None:
                found[n][key] = bytes(text)
    return found


def _of_consolidated(store: Store, texts: Mapping[str, bytes], path: str, zarr_format: int | None) -> Group | None:
    """Return the group, opened from documents that were read; None if they contain no consolidated metadata."""
    if not texts:
        return None
    try:
        metadata = ConsolidatedMetadataStore(KVStore(dict(texts)), path=path)
    except KeyError:
        return None
    found: Any = zarrds.open(metadata, mode="r", path=path or None, chunk_store=store, zarr_format=zarr_format)
    if isinstance(found, Group):
        return found
    raise GroupNotFoundError("an array is where a group of variables was expected", path=path)
