"""Compare zarrds with a bare loop and its peers, and measure how its costs grow: time for the same work, in turns.

    python benchmarks/run.py [--case NAME ...] [--rounds 5] [--json FILE] [--document docs/performance.md]

Each system runs a case in a process of its own and reads and writes the same stores, in a memory file system if there
is one, so that no disk is timed. Systems take turns, so that a busy moment affects all of them, and ratios are taken
within a turn. A system that is not installed is left out; `--python zarr-python=/other/bin/python` runs one elsewhere.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import report
from cases import CASES
from growth import growth
from parts import parts
from systems import SYSTEMS

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", action="append", choices=CASES, metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", action="append", default=[], metavar="SYSTEM=INTERPRETER")
    parser.add_argument("--only-cases", action="store_true", help="measure neither growth nor parts")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--document", type=Path, help="write tables and plots into this document, between its marks")
    args = parser.parse_args()
    pythons = dict.fromkeys(SYSTEMS, sys.executable) | dict(given.split("=", 1) for given in args.python)
    found: dict[str, Any] = {"machine": machine(), "versions": {}, "cases": {}}
    for name in args.case or CASES:
        systems = in_turns(name, pythons, args.rounds, found["versions"])
        if systems:
            found["cases"][name] = systems
            print(report.text_of_case(name, systems), flush=True)
    if not args.only_cases:
        with tempfile.TemporaryDirectory(dir=fast_folder()) as folder:
            found |= {"parts": parts(Path(folder), args.rounds), "growth": growth(args.rounds)}
        print(report.text_of_growth(found["growth"]))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    if args.document:
        report.write_document(args.document, found)


def fast_folder() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def in_turns(case: str, pythons: dict[str, str], rounds: int, versions: dict[str, str]) -> dict[str, Any]:
    """Return for each system the runs of one case: wall and CPU seconds, and peak memory of the process in MiB."""
    runs: dict[str, list[dict[str, float]]] = {}
    workers: dict[str, subprocess.Popen[str]] = {}
    with tempfile.TemporaryDirectory(dir=fast_folder()) as folder:
        try:
            for system in CASES[case].systems:
                worker = started(pythons[system], case, system, f"{folder}/{system}")
                ready = answer(worker)
                if ready is not None:
                    workers[system], runs[system], versions[system] = worker, [], ready["versions"]
            for turn in range(rounds + 1):  # the first turn warms up
                for system, worker in list(workers.items()):
                    taken = asked(worker)
                    if taken is None:
                        print(f"{case}: {system} failed", file=sys.stderr)
                        del workers[system], runs[system]
                    elif turn:
                        runs[system].append(taken)
        finally:
            for worker in workers.values():
                worker.communicate()
    # without zarrds there is nothing to compare with; its failure has been printed
    return {system: summary(taken, runs["zarrds"]) for system, taken in runs.items() if "zarrds" in runs}


def started(python: str, case: str, system: str, folder: str) -> subprocess.Popen[str]:
    command = [python, str(HERE / "worker.py"), case, system, folder]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)


def asked(worker: subprocess.Popen[str]) -> dict[str, Any] | None:
    try:
        worker.stdin.write("run\n")  # type: ignore[union-attr]
        worker.stdin.flush()  # type: ignore[union-attr]
    except BrokenPipeError:
        return None
    return answer(worker)


def answer(worker: subprocess.Popen[str]) -> dict[str, Any] | None:
    line = worker.stdout.readline()  # type: ignore[union-attr]
    return json.loads(line) if line else None


def summary(runs: list[dict[str, float]], ours: list[dict[str, float]]) -> dict[str, float]:
    """Return medians, but the least CPU time, as what disturbs a run only adds to it; and the ratios to zarrds.

    Ratios of wall times are medians of those within a turn. Above 1, zarrds needs less.
    """
    found = {name: statistics.median(run[name] for run in runs) for name in ("wall", "peak MiB")}
    found["cpu"] = min(run["cpu"] for run in runs)
    found["wall ratio"] = statistics.median(run["wall"] / own["wall"] for run, own in zip(runs, ours, strict=True))
    found["cpu ratio"] = found["cpu"] / min(own["cpu"] for own in ours)
    return found


if __name__ == "__main__":
    main()
