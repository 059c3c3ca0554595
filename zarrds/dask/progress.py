"""Show progress on any scheduler: stages, bytes for each second and time left.

On a terminal and in a notebook rich draws it, if it is installed (extra ``rich``); without it a terminal gets one bar.
Anything else gets a line of text every 30 seconds.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from dask.base import get_scheduler
from dask.callbacks import Callback

from zarrds.dask.reports import size_text

__all__ = ["progress", "stage_of", "tell_bytes"]

POLL_SECONDS = 0.5
LINE_SECONDS = 30.0
"""Seconds between two lines where there is no terminal."""
TOPIC = "zarrds-bytes"
"""Topic of the scheduler's events by which tasks report how many bytes they have copied."""
_COUNTED = ("zarrds-copy", "zarrds-recode", "zarrds-statistics", "zarrds-diff")
"""Stages whose tasks report the bytes that they have copied or read; reports of later stages are sums."""
_WIDTH = 40

Stages = Mapping[str, tuple[int, int]]
"""For each stage, by the name of its tasks: how many are done, and how many there are."""


@contextmanager
def progress(out: TextIO | None = None) -> Iterator[None]:
    """Show the progress of whatever dask computes inside a ``with`` block.

    Works with local schedulers and with the current client of a cluster, for jobs and for dask arrays alike.

    Parameters
    ----------
    out : file, optional
        Where to write; standard error by default. On a terminal, and in a notebook, bars are drawn for the stages, by
        rich if it is installed. Anything else gets a line of plain text every 30 seconds, and one at the end.

    Examples
    --------
    >>> import sys, dask.array as da, zarrds.dask
    >>> with zarrds.dask.progress(sys.stdout):
    ...     total = da.ones(4, chunks=4).sum().compute()  # doctest: +ELLIPSIS
    done: ... tasks in ... s
    """
    state = _State(_display_on(out))
    client = getattr(get_scheduler() or None, "__self__", None)
    watch = None if client is None else _ClusterWatch(client, state)
    try:
        with _LocalWatch(state):
            yield
    finally:
        if watch is not None:
            watch.stop()
        state.close()


def tell_bytes(nbytes: int) -> None:
    """Tell the client that shows progress, in a task on a cluster, that bytes have been copied."""
    distributed = sys.modules.get("distributed")
    if distributed is None or not nbytes:
        return
    try:
        worker = distributed.get_worker()
    except ValueError:  # a local scheduler runs the task; its callbacks see the report
        return
    worker.log_event(TOPIC, {"nbytes": nbytes})


# --- what is known ----------------------------------------------------------------------------------------------------


class _State:
    """Numbers of tasks and bytes, which are shown as they change."""

    def __init__(self, display: _Display) -> None:
        self._display = display
        self._started = time.monotonic()
        self._stages: dict[str, tuple[int, int]] = {}
        self._nbytes = 0
        self._lock = threading.Lock()

    def update(self, stages: Stages, nbytes: int) -> None:
        """Show new numbers."""
        with self._lock:
            self._stages, self._nbytes = dict(stages), nbytes
            self._display.show(self._stages, self._text())

    def close(self) -> None:
        """Show the last numbers, and whether all is done."""
        with self._lock:
            if self._stages:
                done, total = self._counts()
                self._display.close(self._stages, f"{'done' if done >= total else 'stopped'}: {self._text(ended=True)}")

    def _counts(self) -> tuple[int, int]:
        return sum(done for done, _ in self._stages.values()), sum(total for _, total in self._stages.values())

    def _text(self, *, ended: bool = False) -> str:
        (done, total), seconds = self._counts(), time.monotonic() - self._started
        text = f"{done}/{total} tasks in {seconds:.1f} s"
        if self._nbytes:
            text += f", {size_text(self._nbytes)}, {size_text(self._nbytes / max(seconds, 1e-3))}/s"
        if not ended and 0 < done < total:
            text += f", {_duration(seconds * (total - done) / done)} left"
        return text


def _duration(seconds: float) -> str:
    """Return seconds as a short text.

    Examples
    --------
    >>> _duration(7.4), _duration(200), _duration(8000)
    ('7 s', '3 min 20 s', '2 h 13 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


# --- displays ---------------------------------------------------------------------------------------------------------


class _Display(Protocol):
    def show(self, stages: Stages, text: str) -> None:
        """Show that some tasks are done."""

    def close(self, stages: Stages, text: str) -> None:
        """Show that the work has ended."""


def _display_on(out: TextIO | None) -> _Display:
    """Return a display: of rich where it can draw, else a bar on a terminal, else lines."""
    file = out or sys.stderr
    try:
        from rich.console import Console
    except ImportError:
        return _Bar(file) if file.isatty() else _Lines(file)
    console = Console(file=out) if out is not None else Console(stderr=True)
    if console.is_jupyter or console.is_terminal:
        return _Rich(console)
    return _Lines(file)


class _Lines:
    """Lines of plain text, one every 30 seconds."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out, self._clock = out, clock
        self._last = clock()

    def show(self, stages: Stages, text: str) -> None:
        if self._clock() - self._last >= LINE_SECONDS:
            self._last = self._clock()
            at_work = [name for name, (done, total) in stages.items() if done < total]
            self._write(f"{at_work[0] if at_work else 'dask'}: {text}")

    def close(self, stages: Stages, text: str) -> None:
        self._write(text)

    def _write(self, text: str) -> None:
        self._out.write(f"{text}\n")
        self._out.flush()


class _Bar:
    """One bar on a terminal, drawn again and again."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, stages: Stages, text: str) -> None:
        done, total = sum(n for n, _ in stages.values()), sum(n for _, n in stages.values())
        filled = "#" * (_WIDTH * done // max(total, 1))
        self._out.write(f"\r\x1b[K[{filled:<{_WIDTH}}] {text}")
        self._out.flush()

    def close(self, stages: Stages, text: str) -> None:
        self.show(stages, "")
        self._out.write(f"\n{text}\n")
        self._out.flush()


class _Rich:
    """A bar of rich for each stage, and a line with bytes and the time left."""

    def __init__(self, console: Any) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(_WIDTH), MofNCompleteColumn())
        self._bars = Progress(*columns, TextColumn("{task.fields[note]}"), console=console)
        self._tasks: dict[str, Any] = {}
        self._started = False

    def show(self, stages: Stages, text: str) -> None:
        if not self._started:
            self._bars.start()
            self._started = True
        at_work = next((name for name, (done, total) in stages.items() if done < total), None)
        for name, (done, total) in stages.items():
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, total=total, note="")
            note = text if name == at_work else ""
            self._bars.update(self._tasks[name], completed=done, total=total, note=note)

    def close(self, stages: Stages, text: str) -> None:
        self.show(stages, text)
        self._bars.stop()
        self._console.print(text, highlight=False, markup=False)


# --- watching schedulers ----------------------------------------------------------------------------------------------


def stage_of(key: Any) -> str:
    """Return the name of the stage of a task: its key without the part that makes it unique.

    Examples
    --------
    >>> stage_of(("zarrds-copy-0123456789abcdef0123456789abcdef", 3)), stage_of("sum-aggregate-1234")
    ('zarrds-copy', 'sum-aggregate')
    """
    name = key[0] if isinstance(key, tuple) else key
    return str(name).rpartition("-")[0] or str(name)


class _LocalWatch(Callback):  # type: ignore[misc]
    """Callback of local schedulers that counts their tasks, and the bytes in their reports."""

    def __init__(self, state: _State) -> None:
        self._progress = state
        self._shown = 0.0
        self._nbytes = 0
        self._totals: dict[str, int] = {}
        self._done: dict[str, int] = {}

    def _start_state(self, dsk: Any, state: dict[str, Any]) -> None:
        waiting = [key for name in ("ready", "waiting", "running") for key in state[name]]
        for key in waiting:
            self._totals[stage_of(key)] = self._totals.get(stage_of(key), 0) + 1
        self._show()

    def _posttask(self, key: Any, result: Any, dsk: Any, state: dict[str, Any], worker_id: Any) -> None:
        stage = stage_of(key)
        self._done[stage] = self._done.get(stage, 0) + 1
        if stage in _COUNTED:
            nbytes = getattr(result, "bytes", 0)
            self._nbytes += nbytes if isinstance(nbytes, int) else 0
        if time.monotonic() - self._shown > POLL_SECONDS / 5:
            self._show()

    def _finish(self, dsk: Any, state: dict[str, Any], errored: bool) -> None:
        self._show()

    def _show(self) -> None:
        self._shown = time.monotonic()
        stages = {name: (self._done.get(name, 0), total) for name, total in self._totals.items()}
        if stages:
            self._progress.update(stages, self._nbytes)


class _ClusterWatch:
    """Thread that regularly asks the scheduler of a cluster how many tasks of each group are done."""

    def __init__(self, client: Any, state: _State) -> None:
        self._client = client
        self._progress = state
        self._before = client.run_on_scheduler(_group_counts)
        self._ended = client.run_on_scheduler(_ended_counts)
        self._nbytes = 0
        self._told = 0.0
        self._count_bytes()
        self._nbytes = 0
        self._seen: dict[str, tuple[int, int]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="zarrds-progress", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self._poll()
            except OSError:  # the cluster has gone; the thread that computes will get the error
                return

    def _poll(self) -> None:
        now = self._client.run_on_scheduler(_group_counts)
        for name in self._seen.keys() - now.keys():  # forgotten by the scheduler, so done
            self._seen[name] = (self._seen[name][1],) * 2
        self._seen.update((name, counts) for name, counts in now.items() if self._before.get(name) != counts)
        stages: dict[str, tuple[int, int]] = {}
        for name, (done, total) in self._seen.items():
            before = stages.get(stage_of(name), (0, 0))
            stages[stage_of(name)] = (before[0] + done, before[1] + total)
        if stages:
            self._count_bytes()
            self._progress.update(stages, self._nbytes)

    def _count_bytes(self) -> None:
        """Add the bytes that tasks have reported since the last call; the scheduler keeps only the last events."""
        for told, event in self._client.get_events(TOPIC):
            if told > self._told:
                self._told = told
                self._nbytes += event["nbytes"]

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        if self._client.status == "running":
            self._poll()
            if not self._seen:
                self._poll_forgotten()

    def _poll_forgotten(self) -> None:
        """Count tasks of a job so short that the scheduler has forgotten it before anybody looked."""
        now = self._client.run_on_scheduler(_ended_counts)
        ended = {name: count - self._ended.get(name, 0) for name, count in now.items()}
        stages = {name: (count, count) for name, count in ended.items() if count > 0}
        if stages:
            self._count_bytes()
            self._progress.update(stages, self._nbytes)


def _ended_counts(dask_scheduler: Any = None) -> dict[str, int]:
    """Return by the beginnings of their keys how many tasks have ended since the scheduler began."""
    return {name: prefix.state_counts["memory"] for name, prefix in dask_scheduler.task_prefixes.items()}


def _group_counts(dask_scheduler: Any = None) -> dict[str, tuple[int, int]]:
    """Return for each group of the scheduler how many tasks are done, and how many there are."""
    done = ("memory", "released", "forgotten")
    return {
        name: (sum(group.states.get(state, 0) for state in done), sum(group.states.values()))
        for name, group in dask_scheduler.task_groups.items()
    }
