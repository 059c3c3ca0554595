"""The display of progress, and jobs as dask collections."""

from __future__ import annotations

import io
import re
import sys
import time
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest

import zarrds
import zarrds.dask
from zarrds.dask import Job, from_zarr, progress, rechunk
from zarrds.dask.jobs import GraphBuilder
from zarrds.dask.progress import _Lines, _State


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


def test_a_bar_on_a_terminal_without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    out = Terminal()
    with progress(out):
        da.ones(10, chunks=1).sum().compute(scheduler="sync")
    assert out.getvalue().startswith("\r\x1b[K[")
    assert "#" * 40 in out.getvalue()
    assert out.getvalue().splitlines()[-1].startswith("done: ")


def test_bars_of_rich_for_each_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    out = Terminal()
    source = zarrds.group({})
    source.array("u", range(100), chunks=10)
    with progress(out):
        zarrds.dask.copy_store(source.store, zarrds.KVStore({})).compute(scheduler="sync")
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    assert re.search(r"zarrds-copy .* 10/10", said)
    assert re.search(r"zarrds-documents .* 1/1", said)
    assert re.fullmatch(r"done: \d+/\d+ tasks in [\d.]+ s, [\d.]+ .?B, [\d.e+]+ .?B/s", said.splitlines()[-1])


def test_a_line_every_thirty_seconds() -> None:
    out, now = io.StringIO(), [0.0]
    display = _Lines(out, clock=lambda: now[0])
    for second in range(100):
        now[0] = second
        display.show({"zarrds-copy": (second, 100), "zarrds-meta": (0, 1)}, f"{second} s")
    display.close({}, "done")
    assert out.getvalue().splitlines() == ["zarrds-copy: 30 s", "zarrds-copy: 60 s", "zarrds-copy: 90 s", "done"]


def test_time_left_and_bytes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    said: list[str] = []

    class Display:
        def show(self, stages: Any, text: str) -> None:
            said.append(text)

        def close(self, stages: Any, text: str) -> None:
            said.append(text)

    state = _State(Display())
    now[0] = 10.0
    state.update({"zarrds-copy": (25, 100)}, 5_000_000)
    state.close()
    assert said == [
        "25/100 tasks in 10.0 s, 5 MB, 500 kB/s, 30 s left",
        "stopped: 25/100 tasks in 10.0 s, 5 MB, 500 kB/s",
    ]


def stop(work: int, batch: int, after: Any = None) -> int:
    raise KeyboardInterrupt


def test_who_stops_a_job_is_told_how_to_go_on() -> None:
    graph = GraphBuilder(1, retries=0)
    job = graph.job(graph.stage("test-stop", stop, [1]), str, resumable=True)
    with pytest.raises(KeyboardInterrupt) as stopped:
        job.compute(scheduler="sync")
    assert "same job again" in stopped.value.__notes__[0]


def test_sums_and_stores_of_dask_tell_no_bytes_twice() -> None:
    source = zarrds.group({})
    source.array("u", np.arange(1000), chunks=10, compressor=None)
    out = io.StringIO()
    with progress(out):
        report = zarrds.dask.copy_store(source.store, zarrds.KVStore({})).compute(scheduler="sync")
    assert report.bytes > 8000
    assert re.search(r", 8 kB, ", out.getvalue())


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
    assert "200 test-first, 2 test-second" in job._repr_html_()


@pytest.mark.slow
def test_on_a_cluster(cluster_client: Any, tmp_path: Path) -> None:
    out = io.StringIO()
    z = zarrds.ones((20, 20), chunks=(1, 20), store=str(tmp_path / "a"))
    with progress(out):
        assert from_zarr(z).sum().compute() == 400
        rechunk(z, str(tmp_path / "b"), chunks=(20, 1)).compute()
    assert out.getvalue().splitlines()[-1].startswith("done: ")


def test_a_job_that_the_scheduler_has_forgotten_is_shown(
    cluster_client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["zarrds.dask.progress"], "POLL_SECONDS", 3600)
    out = io.StringIO()
    z = zarrds.ones((20, 20), chunks=(5, 20), store=str(tmp_path / "a"))
    with progress(out):
        assert from_zarr(z).sum().compute() == 400
        while cluster_client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)):
            pass
    assert out.getvalue().splitlines()[-1].startswith("done: ")
