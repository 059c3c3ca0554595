"""Show progress on any scheduler: a bar on a terminal, a line for every tenth elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from dask.base import get_scheduler
from dask.callbacks import Callback

__all__ = ["progress"]

POLL_SECONDS = 0.5
_WIDTH = 40


@contextmanager
def progress(out: TextIO | None = None) -> Iterator[None]:
    """Show the progress of whatever dask computes inside a ``with`` block.

    Works with local schedulers and with the current client of a cluster, for jobs and for dask arrays alike.

    Parameters
    ----------
    out : file, optional
        Where to write; standard error by default. A bar is redrawn on a terminal; anything else gets a line of plain
        text for every tenth of the work.

    Examples
    --------
    >>> import sys, dask.array as da, zarrds.dask
    >>> with zarrds.dask.progress(sys.stdout):
    ...     total = da.ones(4, chunks=4).sum().compute()  # doctest: +ELLIPSIS
    done: ... tasks in ... s
    """
    display = _Display(out or sys.stderr)
    client = getattr(get_scheduler() or None, "__self__", None)
    watch = None if client is None else _ClusterWatch(client, display)
    try:
        with _LocalWatch(display):
            yield
    finally:
        if watch is not None:
            watch.stop()
        display.close()


class _Display:
    """Display of how many tasks are done."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._redraws = out.isatty()
        self._started = time.monotonic()
        self._tenths = 0
        self._total = self._done = 0
        self._lock = threading.Lock()

    def show(self, done: int, total: int) -> None:
        with self._lock:
            self._done, self._total = done, total
            tenths = 10 * done // total if total else 0
            if self._redraws:
                filled = "#" * (_WIDTH * done // max(total, 1))
                self._out.write(f"\r[{filled:<{_WIDTH}}] {self._text()}")
                self._out.flush()
            elif tenths > self._tenths and done < total:
                self._out.write(f"{10 * tenths:3d} %: {self._text()}\n")
                self._out.flush()
            self._tenths = max(tenths, self._tenths)

    def _text(self) -> str:
        return f"{self._done}/{self._total} tasks in {time.monotonic() - self._started:.1f} s"

    def close(self) -> None:
        if self._total:
            done = "done" if self._done >= self._total else "stopped"
            self._out.write(f"{chr(10) if self._redraws else ''}{done}: {self._text()}\n")
            self._out.flush()


class _LocalWatch(Callback):  # type: ignore[misc]
    """Callback of local schedulers that counts their tasks."""

    def __init__(self, display: _Display) -> None:
        self._display = display
        self._shown = 0.0

    def _start_state(self, dsk: Any, state: dict[str, Any]) -> None:
        self._show(state)

    def _posttask(self, key: Any, result: Any, dsk: Any, state: dict[str, Any], worker_id: Any) -> None:
        if time.monotonic() - self._shown > POLL_SECONDS / 5:
            self._show(state)

    def _finish(self, dsk: Any, state: dict[str, Any], errored: bool) -> None:
        self._show(state)

    def _show(self, state: dict[str, Any]) -> None:
        self._shown = time.monotonic()
        waiting = sum(len(state[name]) for name in ("ready", "waiting", "running"))
        done = len(state["finished"])
        self._display.show(done, done + waiting)


class _ClusterWatch:
    """Thread that regularly asks the scheduler of a cluster how many tasks of each group are done."""

    def __init__(self, client: Any, display: _Display) -> None:
        self._client = client
        self._display = display
        self._before = client.run_on_scheduler(_group_counts)
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
        if self._seen:
            self._display.show(*map(sum, zip(*self._seen.values(), strict=True)))

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        if self._client.status == "running":
            self._poll()


def _group_counts(dask_scheduler: Any = None) -> dict[str, tuple[int, int]]:
    """Return for each group of the scheduler how many tasks are done, and how many there are."""
    done = ("memory", "released", "forgotten")
    return {
        name: (sum(group.states.get(state, 0) for state in done), sum(group.states.values()))
        for name, group in dask_scheduler.task_groups.items()
    }
