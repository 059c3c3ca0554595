"""Measure reads and writes behind a network, against a service on this machine that is as slow as a distant one.

    python benchmarks/network.py [--milliseconds 30] [--megabytes 100] [--json FILE]

For each size of chunks: the share of the link that a write and a read of the whole array use, requests, bytes, the
most requests at a time, and CPU seconds of the client. Then 2,000 small objects, by number of requests at a time: the
one that adapts, and fixed ones. Each row is a process of its own. Peers run too where they are installed.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

OPTIONS = {"key": "k", "secret": "s"}
SIZES = {"0.8 MB": (200, 800_000), "4 MB": (50, 4_000_000), "16 MB": (16, 16_000_000), "64 MB": (6, 64_000_000)}
WAYS = ("zarrds obstore", "zarrds s3fs", "zarr s3fs")


@contextmanager
def service(milliseconds: float, megabytes: float) -> Iterator[str]:
    """Run the service until the block ends; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(Path(__file__).with_name("far_s3.py")), f"--port={port}"]
    process = subprocess.Popen([*command, f"--milliseconds={milliseconds}", f"--megabytes={megabytes}"])
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def counts(address: str) -> dict[str, int]:
    """Return what the service was asked since the last time."""
    with urllib.request.urlopen(f"{address}/-/counts") as reply:
        found: dict[str, int] = json.load(reply)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--milliseconds", type=float, default=30)
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--sizes", nargs="*", default=list(SIZES))
    parser.add_argument("--ways", nargs="*", default=list(WAYS))
    parser.add_argument("--fixed", nargs="*", type=int, default=[16, 64, 256])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measured(**json.loads(args.one))))
        return
    rows = []
    with service(args.milliseconds, args.megabytes) as address:
        for size in args.sizes:
            for way in args.ways:
                rows.append({"case": size, **row(address, way, *SIZES[size], 0)})
                show(rows[-1], args.megabytes)
        for at_once in (0, *args.fixed):
            rows.append({"case": f"2,000 objects, {at_once or 'adapts'}", **row(address, WAYS[0], 2000, 4000, at_once)})
            show(rows[-1], args.megabytes)
    if args.json:
        args.json.write_text(json.dumps({"settings": vars(args) | {"json": None}, "rows": rows}, indent=1))


def row(address: str, way: str, chunks: int, nbytes: int, at_once: int) -> dict[str, Any]:
    """Measure one row in a process of its own."""
    given = {"address": address, "way": way, "chunks": chunks, "nbytes": nbytes, "at_once": at_once}
    done = subprocess.run([sys.executable, __file__, "--one", json.dumps(given)], capture_output=True, text=True)
    if done.returncode:
        return {"way": way, "error": done.stderr.strip().splitlines()[-1:]}
    return {"way": way, "bytes": chunks * nbytes, **json.loads(done.stdout)}


def show(found: dict[str, Any], megabytes: float) -> None:
    """Print one row."""
    if "error" in found:
        print(f"{found['case']:<24}{found['way']:<16}{found['error']}", flush=True)
        return
    for name in ("write", "read"):
        part = found[name]
        share = found["bytes"] / part["seconds"] / (megabytes * 1e6)
        print(
            f"{found['case']:<24}{found['way']:<16}{name:<6}{part['seconds']:>8.2f} s{100 * share:>6.0f} % of the link"
            f"{part['cpu']:>8.2f} CPU s  {part['asked']}",
            flush=True,
        )


def measured(address: str, way: str, chunks: int, nbytes: int, at_once: int) -> dict[str, Any]:
    """Write and read an array in this process."""
    name, transport = way.split()
    package = import_module(name)
    if name == "zarrds":
        package.set_config(transport="fsspec" if transport == "s3fs" else "obstore", concurrency=at_once)
    data = np.random.default_rng(0).integers(0, 256, (chunks, nbytes), "u1")
    options = {**OPTIONS, "endpoint_url": address}
    url = f"s3://bucket/{name}-{transport}-{chunks}-{nbytes}-{at_once}"
    z = package.open_array(
        url,
        mode="w",
        shape=data.shape,
        chunks=(1, nbytes),
        dtype="u1",
        zarr_format=2,
        storage_options=options,
        compressor=None,
    )
    counts(address)
    written = timed(lambda: z.__setitem__(slice(None), data), address)
    read = timed(lambda: np.testing.assert_array_equal(z[:][::50, ::1000], data[::50, ::1000]), address)
    return {"write": written, "read": read}


def timed(work: Callable[[], Any], address: str) -> dict[str, Any]:
    """Return seconds, CPU seconds and requests of some work."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu, "asked": counts(address)}


if __name__ == "__main__":
    main()
