"""Run a program with zarrds as its zarr: ``python -m zarrds.compat PROGRAM ...``."""

from __future__ import annotations

import os
import runpy
import shutil
import sys
from collections.abc import Sequence

from zarrds.compat.installing import install

USAGE = """usage: python -m zarrds.compat PROGRAM [ARGUMENT ...]

Run a Python program in which `import zarr` means zarrds. PROGRAM is a file, a command that is a Python script (such as
pytest), `-m MODULE` or `-c CODE`. Python processes that it starts find zarrds as zarr too."""


def main(arguments: Sequence[str]) -> None:
    """Run the program that the arguments name."""
    if not arguments or arguments[0] in ("-h", "--help") or (arguments[0] in ("-m", "-c") and len(arguments) < 2):
        print(USAGE)
        raise SystemExit(0 if arguments[:1] in (["-h"], ["--help"]) else 2)  # builtin: ends the program
    install(children=True)
    if arguments[0] == "-m":
        sys.argv = ["-m", *arguments[2:]]
        sys.path[:0] = [os.getcwd()] if os.getcwd() not in sys.path and "" not in sys.path else []
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        program = _file_of(arguments[0])
        sys.argv = [program, *arguments[1:]]
        sys.path[0] = os.path.dirname(os.path.abspath(program))
        runpy.run_path(program, run_name="__main__")


def _file_of(program: str) -> str:
    """Return the file of a program: the given one, or that of a command."""
    found = program if os.path.exists(program) else shutil.which(program)
    if found is None:
        raise SystemExit(f"python -m zarrds.compat: no program {program!r}")  # builtin: ends the program
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
