"""Create the target of a rechunk, or prepare one that grows, so that both say that they are half-made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zarrds import _node
from zarrds._base.log import log
from zarrds._engine import OpenSource, delete_behind
from zarrds._store import Store, join_path
from zarrds.attrs import Attributes
from zarrds.dask.rechunking.finishing import remove_leftovers
from zarrds.dask.rechunking.growing import Growth
from zarrds.dask.rechunking.records import FLAG, JobRecord, find_record
from zarrds.dask.rechunking.request import Request
from zarrds.dask.rechunking.stages import RechunkWork
from zarrds.dask.rechunking.targets import attributes_like, create_target, create_target_groups
from zarrds.errors import ContainsArrayError, ContainsGroupError
from zarrds.hierarchy import Group

__all__ = ["continued", "create", "is_being_created", "prepare_growth"]


def continued(store: Store, where: str, temp: Store | None) -> JobRecord | None:
    """Return the record of an unfinished job whose target is there."""
    found = find_record(store, where)
    if found is None:
        return None
    if all(_node.contains_array(store, join_path(where, name)) for name in found.arrays):
        log.info("continuing the unfinished job at /%s in %r", where, store)
        return found
    remove_leftovers(store, where, temp=temp)
    return None


def create(request: Request, works: Mapping[str, RechunkWork], record: JobRecord, overwrite: bool) -> None:
    """Create the target, then the record; both say that the target is half-made."""
    store, where = request.store, request.where
    if overwrite:
        remove_leftovers(store, where, list(works), request.temp)
    flag = _flag(record) if request.keeps_record else {}
    try:
        _create_nodes(request, works, flag, overwrite)
    except (ContainsArrayError, ContainsGroupError):
        if overwrite or not _is_half_made(store, where):
            raise
        _create_nodes(request, works, flag, True)
    if request.keeps_record:
        record.write(store, where)


def _create_nodes(request: Request, works: Mapping[str, RechunkWork], flag: Mapping[str, Any], overwrite: bool) -> None:
    store, where, node = request.store, request.where, request.node
    if isinstance(node, Group):
        number = next((work.target.meta.zarr_format for work in works.values()), node.zarr_format)
        create_target_groups(node, store, where, number, {**node.attrs.asdict(), **flag}, overwrite)
        overwrite = False
    for name, work in works.items():
        attributes = {**attributes_like(request.arrays[name], work.target.meta), **flag}
        create_target(store, work.target.path, work.target.meta, attributes, overwrite)


def prepare_growth(
    request: Request, works: Mapping[str, RechunkWork], growths: Mapping[str, Growth], record: JobRecord
) -> None:
    """Write the record, and flag the target, whose attributes become those of the source.

    What an earlier append left behind the end is deleted, as stored chunks there will prove that they are done.
    """
    store, where = request.store, request.where
    for name in works:
        delete_behind(OpenSource(store, join_path(where, name), growths[name].before))
    flag = {}
    if request.keeps_record:
        record.write(store, where)
        flag = _flag(record)
    for name, growth in growths.items():
        attributes = attributes_like(request.arrays[name], growth.before)
        _update_attributes(
            store, join_path(where, name), growth.before, {**attributes, **(flag if name in works else {})}
        )
    if isinstance(request.node, Group):
        root = _node.load_group(store, where)
        _update_attributes(store, where, root, {**request.node.attrs.asdict(), **flag})


def _update_attributes(store: Store, path: str, node: Any, wanted: Mapping[str, Any]) -> None:
    """Set attributes that are missing or have other values."""
    attributes = Attributes(store, _node.attributes_key(path, node))
    found = attributes.asdict()
    new = {name: value for name, value in wanted.items() if name not in found or found[name] != value}
    if new:
        attributes.update(new)


def _flag(record: JobRecord) -> dict[str, Any]:
    return {FLAG: f"{record.what}: repeat it to complete this, or call zarrds.dask.cleanup"}


def is_being_created(store: Store, where: str) -> bool:
    """Return whether the target is being created by an unfinished job, so that it does not grow yet."""
    record = find_record(store, where)
    return _is_half_made(store, where) if record is None else not record.grows


def _is_half_made(store: Store, where: str) -> bool:
    """Return whether the node is what a job that was killed while it created its target left."""
    node = _node.find_node(store, where)
    return node is not None and FLAG in Attributes(store, _node.attributes_key(where, node))
