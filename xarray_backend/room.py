"""Make room for a new dataset: create its group, in mode "w" in the place of what is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import zarrds
from xarray_backend.plan import DatasetPlan
from xarray_backend.receipt import DelayedReceipt, WriteReceipt
from xarray_backend.request import Request
from xarray_backend.storing import ancestors
from zarrds import Group
from zarrds.errors import ConflictError, ContainsArrayError, ContainsGroupError, MetadataError, PathNotFoundError
from zarrds.parallel import ReplacingTurn, remove_strays, replacing_turn
from zarrds.storage import Store, contains_array, contains_group, document_keys

__all__ = ["DatasetExistsError", "make_room", "noticing_deletion", "room_for", "turn_to_replace"]

_EXISTS_HINT = "mode='w' replaces it, mode='a' adds to it"
_ROUNDS = 10
"""How often a group is deleted and created again where others, who do not wait for their turn, create one."""


class DatasetExistsError(ContainsGroupError, FileExistsError):
    """Error for a node where mode "w-" would write."""


@contextmanager
def turn_to_replace(request: Request, target: Store, zarr_format: int) -> Iterator[ReplacingTurn | None]:
    """In mode "w", hold the turn to replace the group: others in this mode wait, then delete what this one wrote."""
    if request.mode != "w":
        yield None
        return
    _expect_groups_above(target, request.root, zarr_format)
    with replacing_turn(target, request.root, request.synchronizer) as turn:
        yield turn


def make_room(target: Store, path: str, zarr_format: int) -> Group:
    """Create the group where nothing is; raise ContainsArrayError if an array is above it."""
    if any(key in target for key in document_keys(path, 3)):
        raise DatasetExistsError("a node of Zarr v3 is stored here", store=repr(target), path=path, hint=_EXISTS_HINT)
    try:
        return zarrds.open_group(target, mode="w-", path=path, zarr_format=zarr_format)
    except (ContainsGroupError, ContainsArrayError) as error:
        _refuse_array_above(error, path)
        raise DatasetExistsError(
            "something is stored here already", store=repr(target), path=path, hint=_EXISTS_HINT
        ) from error


def _make_room_alone(target: Store, path: str, zarr_format: int, alone: ReplacingTurn) -> Group:
    """Delete what is at a path, and create the group."""
    for _ in range(_ROUNDS):
        alone.clear()
        try:
            return zarrds.open_group(target, mode="w-", path=path, zarr_format=zarr_format)
        except (ContainsGroupError, ContainsArrayError) as error:  # somebody who does not wait for turns was here
            _refuse_array_above(error, path)
    raise ConflictError(
        "others create something here again and again",
        store=repr(target),
        path=path,
        hint="try again, or let one task create it",
    )


def _refuse_array_above(error: ContainsGroupError | ContainsArrayError, path: str) -> None:
    """Raise an error of creating a group if it is about what is above the path."""
    if error.path != path:
        raise error


def _expect_groups_above(target: Store, path: str, zarr_format: int) -> None:
    """Raise an error, before anything is deleted, if an array is above a path, or a group of another format."""
    higher = list(reversed(ancestors(path)[:-1]))
    for above in higher:
        if contains_array(target, above):
            raise ContainsArrayError(
                "an array is above, where a group is needed",
                store=repr(target),
                path=above or "/",
                hint="choose another place, or delete the array",
            )
    nearest = next((one for one in higher if contains_group(target, one)), None)
    if nearest is None:
        return
    try:
        zarrds.open_group(target, mode="r", path=nearest, zarr_format=zarr_format)
    except PathNotFoundError as error:
        raise ContainsGroupError(
            "a group of another format is above",
            store=repr(target),
            path=nearest or "/",
            expected=f"Zarr v{zarr_format}",
            hint="leave zarr_format out, or choose another place",
        ) from error


def room_for(
    receipt: WriteReceipt | DelayedReceipt | None,
    target: Store,
    path: str,
    zarr_format: int,
    alone: ReplacingTurn | None,
) -> Group:
    """Return the group that a write continues, or create it and leave the receipt of the write."""
    if receipt is not None and receipt.is_found:
        return zarrds.open_group(target, mode="r+", path=path)
    if alone is None:
        made = make_room(target, path, zarr_format)
    else:
        made = _make_room_alone(target, path, zarr_format, alone)
    if isinstance(receipt, WriteReceipt):
        receipt.leave(target)
    return made


@contextmanager
def noticing_deletion(plans: Sequence[DatasetPlan], target: Store) -> Iterator[None]:
    """Raise ConflictError from a block in which others delete what is written, as mode "w" does.

    Chunks that were written after that belong to no array; they are deleted.
    """
    try:
        yield
    except (PathNotFoundError, MetadataError, ConflictError) as error:
        gone = [path for plan in plans for path in plan.paths if not contains_array(target, path)]
        whole = all(contains_group(target, plan.path) for plan in plans)
        for path in gone if target.is_erasable() else ():
            remove_strays(target, path)
        if isinstance(error, ConflictError) or (whole and not gone):
            raise
        raise ConflictError(
            "others deleted or replaced the group while this was written",
            store=repr(target),
            path=plans[0].path,
            hint="repeat it if it is still wanted; to replace a dataset while others read or write it, take mode "
            "'replace'",
        ) from error
