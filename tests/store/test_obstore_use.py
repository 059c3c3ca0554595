"""Processes that use obstore, which has threads of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

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
