"""How a process may use obstore, whose threads survive no fork and must not be in Python when it ends."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
import time
from collections.abc import Coroutine
from types import FrameType
from typing import Any

from fsspec.asyn import get_loop, sync

__all__ = ["is_usable", "note_use", "waited_for"]

_used_by: int | None = None
"""Process that sent the first request."""
_ends = False
"""Whether the process ends: functions of `atexit` run."""
_gave_up = False
"""Whether requests were given up, of which threads of obstore may still be about to take note."""
_GIVING_UP_S = 0.5
"""Seconds that these threads get for it when the process ends."""
_LONGEST_S = 5
"""Seconds that the end of a process waits at most."""


def is_usable() -> bool:
    """Return whether this process may send requests through obstore: it is not the child of one that did."""
    return _used_by is None or _used_by == os.getpid()


def note_use() -> None:
    """Take note that this process sends a request through obstore."""
    global _used_by
    _used_by = os.getpid()


def waited_for(requests: Coroutine[Any, Any, list[Any]]) -> list[Any]:
    """Return the answers to requests through obstore, which run in the event loop of fsspec.

    Where the caller is interrupted (Ctrl-C), they are given up. Otherwise they would go on, and obstore would print an
    error of Rust for each that is under way when the process ends.
    """
    global _gave_up
    note_use()
    loop, ended = get_loop(), threading.Event()
    tasks: list[Any] = []

    async def noted() -> list[Any]:
        tasks.append(asyncio.current_task())
        try:
            return await requests
        finally:
            ended.set()

    try:
        answers: list[Any] = sync(loop, noted)
    except BaseException:
        _gave_up = True
        for task in tasks:
            loop.call_soon_threadsafe(task.cancel)
            ended.wait(_GIVING_UP_S)
        raise
    if _ends:
        _await_threads()
    return answers


@atexit.register
def _end() -> None:
    global _ends
    _ends = True
    if _used_by == os.getpid():
        if _gave_up:
            time.sleep(_GIVING_UP_S)
        _await_threads()


def _await_threads() -> None:
    """Wait until no thread of obstore runs Python code.

    Such a thread gives an answer to the event loop, and may still be about to return when the last line of the program
    has run. Python before 3.14 ends such a thread from outside, which Rust does not allow: the process is aborted.
    """
    end = time.monotonic() + _LONGEST_S
    while _gives_answer() and time.monotonic() < end:
        time.sleep(0.001)


def _gives_answer() -> bool:
    of_python = {thread.ident for thread in threading.enumerate()}
    return any(_is_giving(frame) for thread, frame in sys._current_frames().items() if thread not in of_python)


def _is_giving(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_name != "call_soon_threadsafe":
        frame = frame.f_back
    return frame is not None
