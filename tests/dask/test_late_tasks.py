"""Tasks that run for a second time when their job is done, as on a worker that was thought dead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import numpy as np
import pytest
from dask.task_spec import DataNode

import zarrds
import zarrds.dask

VALUES = np.arange(1.0, 1601.0).reshape(40, 40)


def again_at_the_end(graph: Any, keys: Any, **options: Any) -> Any:
    """Run a graph, then each task of it that writes chunks once more."""
    tasks = dict(graph.__dask_graph__() if hasattr(graph, "__dask_graph__") else graph)
    every = list(tasks)
    values = dict(zip(every, dask.get(tasks, every), strict=True))
    done = {key: DataNode(key, value) for key, value in values.items()}
    late = [key for key in every if str(key).startswith(("('zarrds-copy-", "('zarrds-convert-", "('zarrds-recode-"))]
    assert len(late) > 5
    for key in late:
        dask.get({**done, key: tasks[key]}, [key])
    return [[values[key] for key in some] if isinstance(some, list) else values[some] for some in keys]


def source(number: int = 2) -> zarrds.KVStore:
    store = zarrds.KVStore({})
    root = zarrds.open_group(store, mode="w", zarr_format=number)
    more: dict[str, Any] = {"chunk_key_encoding": {"name": "default"}} if number == 3 else {}
    root.create_dataset("u", data=VALUES, chunks=(1, 40), **more)
    root.create_dataset("v", data=VALUES[0], chunks=2, **more)
    return store


def replaced(dest: Any) -> Any:
    zarrds.convert(source(), dest)
    return zarrds.dask.convert(source(), dest, if_exists="replace", batch_keys=4)


def compared(dest: Any) -> Any:
    zarrds.convert(source(), dest)
    return zarrds.dask.convert(source(), dest, if_exists="skip_same", batch_keys=4)


def in_place(dest: Any) -> Any:
    dest.update(source(3))
    return zarrds.dask.convert(dest, to=2, batch_keys=4)


JOBS: dict[str, Callable[[Any], Any]] = {
    "copy": lambda dest: zarrds.dask.copy_store(source(), dest, batch_keys=4),
    "copy by elements": lambda dest: zarrds.dask.copy_all(
        zarrds.open_group(source(), mode="r"), zarrds.open_group(dest, mode="w"), compressor=None, batch_keys=4
    ),
    "convert": lambda dest: zarrds.dask.convert(source(), dest, batch_keys=4),
    "convert one array": lambda dest: zarrds.dask.convert(source(), dest, path="u", dest_path="u", batch_keys=4),
    "convert and replace": replaced,
    "convert and compare": compared,
    "convert in place": in_place,
}


@pytest.mark.parametrize("name", JOBS)
def test_nothing_is_left_behind(name: str) -> None:
    dest = zarrds.KVStore({})
    dask.compute(JOBS[name](dest), scheduler=again_at_the_end)
    np.testing.assert_array_equal(zarrds.open_group(dest, mode="r")["u"][:], VALUES)
    assert not [key for key in dest if "zarrds" in key]
    assert zarrds.verify(dest).ok
