"""How a process may use obstore, whose threads survive no fork and must not be in Python when it ends."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from types import FrameType

__all__ = ["is_usable", "note_answers", "note_use"]

_used_by: int | None = None
"""Process that sent the first request."""
_ends = False
"""Whether the process ends: functions of `atexit` run."""
_LONGEST_S = 5
"""Seconds that the end of a process waits at most."""


def is_usable() -> bool:
    """Return whether this process may send requests through obstore: it is not the child of one that did."""
    return _used_by is None or _used_by == os.getpid()


def note_use() -> None:
    """Take note that this process sends a request through obstore."""
    global _used_by
    _used_by = os.getpid()


def note_answers() -> None:
    """Take note that answers came through obstore; when the process ends, wait for the threads that brought them."""
    if _ends:
        _await_threads()


@atexit.register
def _end() -> None:
    global _ends
    _ends = True
    if _used_by == os.getpid():
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
