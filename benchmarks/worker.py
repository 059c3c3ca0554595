"""Run one case for one system in a process of its own: for each line on standard input, one timed run."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from cases import CASES
from systems import SYSTEMS


def main() -> None:
    case, system, folder = CASES[sys.argv[1]], SYSTEMS[sys.argv[2]](), Path(sys.argv[3])
    folder.mkdir(parents=True)
    case.prepare(system, folder)
    print(json.dumps({"versions": system.versions()}), flush=True)
    for _ in sys.stdin:
        case.begin(system, folder)
        wall, cpu = time.perf_counter(), time.process_time()
        result = case.run(system, folder)
        taken = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        del result
        taken["peak MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    main()
