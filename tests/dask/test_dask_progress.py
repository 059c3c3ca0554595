"""The display of progress, and jobs as dask collections."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import pytest

import zarrds
from zarrds.dask import Job, from_zarr, progress, rechunk
from zarrds.dask.jobs import GraphBuilder
from zarrds.dask.progress import _Display


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_plain_text_where_there_is_no_terminal(scheduler: str) -> None:
    out = io.StringIO()
    with progress(out), dask.config.set(scheduler=scheduler):
        from_zarr(zarrds.ones((20, 20), chunks=2)).sum().compute()
    assert "\r" not in out.getvalue()
    assert out.getvalue().splitlines()[-1].startswith("done: ")


def test_a_bar_on_a_terminal() -> None:
    out = Terminal()
    with progress(out):
        da.ones(10, chunks=1).sum().compute(scheduler="sync")
    assert out.getvalue().startswith("\r[")
    assert "#" * 40 in out.getvalue()
    assert out.getvalue().splitlines()[-1].startswith("done: ")


def test_each_tenth_is_told_once() -> None:
    out = io.StringIO()
    display = _Display(out)
    for done in range(101):
        display.show(done, 100)
    display.close()
    assert [line.split("%")[0].strip() for line in out.getvalue().splitlines()[:-1]] == [
        str(10 * i) for i in range(1, 10)
    ]


def test_failures_are_not_called_done() -> None:
    out = io.StringIO()
    with pytest.raises(ZeroDivisionError), progress(out):
        da.ones(4, chunks=1).map_blocks(lambda x: 1 / 0, dtype="f8", meta=da.ones(0).compute()).compute(
            scheduler="sync"
        )
    assert "done" not in out.getvalue()


def test_nothing_computed_nothing_said() -> None:
    out = io.StringIO()
    with progress(out):
        pass
    assert out.getvalue() == ""


def test_a_job_shows_its_progress_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    rechunk(zarrds.ones((20, 20), chunks=2), {}, chunks=5).compute(progress=True)
    said = capsys.readouterr()
    assert said.out == ""
    assert "done: " in said.err


def add_batch(work: int, batch: int, after: Any = None) -> int:
    return work + batch


def test_stages_and_receipts() -> None:
    graph = GraphBuilder(1, retries=2)
    first = graph.stage("test-first", add_batch, range(200))
    second = graph.stage("test-second", add_batch, [10, 20], after=first)
    job = graph.job(second, str)
    assert isinstance(job, Job)
    assert dask.is_dask_collection(job)
    assert len(job.__dask_graph__()) == 1 + 200 + 4 + 1 + 2 + 1
    assert dask.compute(job, job, scheduler="sync") == ("32", "32")
    assert job.persist(scheduler="sync").compute(scheduler="sync") == "32"
    assert "tasks" in repr(job)


def test_on_a_cluster(cluster_client: Any, tmp_path: Path) -> None:
    out = io.StringIO()
    z = zarrds.ones((20, 20), chunks=(1, 20), store=str(tmp_path / "a"))
    with progress(out):
        assert from_zarr(z).sum().compute() == 400
        rechunk(z, str(tmp_path / "b"), chunks=(20, 1)).compute()
    assert out.getvalue().splitlines()[-1].startswith("done: ")
