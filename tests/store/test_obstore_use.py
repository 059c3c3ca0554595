"""Processes that use obstore, which has threads of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from zarrds._store.backends import obstore_use

from .web import Quiet, serving


def test_a_program_that_ends_waits_for_the_thread_that_brought_the_last_answer(tmp_path: Path) -> None:
    """Python would end such a thread from outside, and with it abort the process."""
    text = """
        import atexit, sys, threading, time
        from fsspec.asyn import get_loop

        def call_soon_threadsafe(*given, **named):
            handle = call(*given, **named)
            if threading.get_ident() not in {thread.ident for thread in threading.enumerate()}:
                print("late")
                time.sleep(0.1)  # the answer can be used, and the thread of obstore is still in Python
            return handle

        call, get_loop().call_soon_threadsafe = get_loop().call_soon_threadsafe, call_soon_threadsafe

        def read():
            print(store["k"])

        atexit.register(read)  # before zarrds registers what it does then, so that this comes after it
        from zarrds.storage import FSStore

        store = FSStore(sys.argv[1], mode="r")
        read()
    """
    (tmp_path / "k").write_bytes(b"value")
    with serving(tmp_path, Quiet, lambda handler: False) as (url, _):
        ran = subprocess.run([sys.executable, "-c", textwrap.dedent(text), url], capture_output=True, timeout=240)
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout.count(b"late") >= 2 == ran.stdout.count(b"value"), ran.stdout


def test_requests_of_a_caller_that_is_interrupted_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, given_up = threading.Event(), threading.Event()

    async def answer() -> list[Any]:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            given_up.set()
            raise
        return []

    def interrupted(loop: asyncio.AbstractEventLoop, call: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        asyncio.run_coroutine_threadsafe(call(), loop)
        begun.wait(60)
        raise KeyboardInterrupt

    for name in ("_gave_up", "_used_by"):
        monkeypatch.setattr(obstore_use, name, getattr(obstore_use, name))
    monkeypatch.setattr(obstore_use, "sync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        obstore_use.waited_for(answer())
    assert given_up.wait(60)
