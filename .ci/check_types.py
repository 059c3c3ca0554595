#!/usr/bin/env python
"""Check that pyright knows the types of at least 98 % of the public names, as a type checker of users sees them.

pyright needs node and npm. Where there are none, this says that nothing was checked, and fails only in CI.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

LEAST = 0.98
ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Check both packages; return the exit status."""
    return max(check(package) for package in ("zarrds", "xarray_backend"))


def check(package: str) -> int:
    """Print the share of known types of a package, and what is unknown; return 1 if it is too little."""
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"]
    environment = {
        **os.environ,
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
        # --verifytypes asks the `python` of PATH where packages are, whatever --pythonpath says
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        # without it, a package that is installed as a link to this directory is not found
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [*command, "--ignoreexternal", "--verifytypes", package], capture_output=True, text=True, env=environment
    )
    try:
        report = json.loads(done.stdout[done.stdout.index("{") :])["typeCompleteness"]
    except (ValueError, KeyError):
        print(f"types of {package} not checked: pyright did not run (it needs node and npm)\n{done.stderr[-2000:]}")
        return 1 if os.environ.get("CI") else 0
    score = report["completenessScore"]
    print(f"types of {package}: {score:.1%} of the public names are known (at least {LEAST:.0%})")
    if score >= LEAST:
        return 0
    for symbol in report["symbols"]:
        for found in symbol["diagnostics"] if symbol["isExported"] else ():
            print(f"  {symbol['name']}: {found['message'].splitlines()[0]}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
