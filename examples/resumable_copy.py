"""Copy a store to S3, stop halfway, and go on: what is there already is not copied again.

Without arguments it makes a small store and a stand-in for S3 on this machine (moto, extra ``test``). To copy your own:

    python examples/resumable_copy.py --source data.zarr --dest s3://bucket/data.zarr

The same from the command line, which Ctrl-C may stop at any time:

    zarrds copy data.zarr s3://bucket/data.zarr --workers 4 --verify size
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from _job import Checks
from dask.callbacks import Callback

import zarrds
import zarrds.dask


class StopHalfway(Callback):
    """Stops a job like Ctrl-C when half of its batches are done."""

    def _start_state(self, dsk: Any, state: dict[str, Any]) -> None:
        batches = [key for key in dsk if str(key).startswith("('zarrds-copy")]
        self.left = len(batches) // 2

    def _posttask(self, key: Any, result: Any, dsk: Any, state: dict[str, Any], worker_id: Any) -> None:
        self.left -= str(key).startswith("('zarrds-copy")
        if not self.left:
            raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="resumable-output.zarr", help="store to copy; made if it is the default")
    parser.add_argument("--dest", help="where to copy it; by default a stand-in for S3 on this machine")
    arguments = parser.parse_args()
    if arguments.source == parser.get_default("source"):
        make_source(arguments.source)
    if arguments.dest is not None:
        return copy(arguments.source, arguments.dest, None)
    with stand_in_for_s3() as options:
        return copy(arguments.source, "s3://demo/copy.zarr", options)


def make_source(path: str) -> None:
    """Store 128 maps in chunks of one map each."""
    print(f"Store 128 maps: {path}")
    root = zarrds.open_group(path, mode="w")
    maps = np.random.default_rng(0).normal(280, 10, (128, 45, 90)).astype("f4")
    t = root.array("t", maps, chunks=(1, 45, 90))
    t.attrs.update(units="K", _ARRAY_DIMENSIONS=["time", "latitude", "longitude"])
    zarrds.consolidate_metadata(path)


@contextmanager
def stand_in_for_s3() -> Iterator[dict[str, Any]]:
    """Start a server that answers like S3, with a bucket; yield the options to reach it."""
    import fsspec
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        options = {"key": "demo", "secret": "demo", "client_kwargs": {"endpoint_url": f"http://{host}:{port}"}}
        fsspec.filesystem("s3", **options).mkdir("demo")
        yield options
    finally:
        server.stop()


def copy(source: str, dest: str, options: dict[str, Any] | None) -> int:
    """Copy a store, stopping once, and check the copy."""
    checks = Checks()

    def prepare(**more: Any) -> zarrds.dask.Job:
        return zarrds.dask.copy_store(source, dest, verify="size", dest_storage_options=options, **more)

    print("\nWhat would be copied?")
    planned = prepare(dry_run=True).compute()
    print(planned)

    print(f"\nCopy to {dest}, and stop halfway", flush=True)
    try:
        with StopHalfway():
            prepare().compute(progress=True)
    except KeyboardInterrupt as stopped:
        print(f"  Ctrl-C: {stopped.__notes__[0]}")
    found = zarrds.verify(dest, storage_options=options)
    checks.claim("verify says that the copy is not finished", "unfinished" in {f.kind for f in found.problems})

    print("\nThe same copy again", flush=True)
    report = prepare().compute(progress=True)
    print(report)
    every = report.resumed + report.copied
    checks.claim(f"{report.resumed} of {every} keys were there already", report.resumed >= 0.4 * every)
    checks.claim("all keys are there now", every == planned.copied)
    checks.claim("no error, no receipt is left", report.ok and zarrds.verify(dest, storage_options=options).ok)

    ours, theirs = (
        zarrds.dask.digest(place, storage_options=how).compute() for place, how in ((source, None), (dest, options))
    )
    checks.claim(f"both have the same checksum, {ours[:16]}...", ours == theirs)
    again = zarrds.dask.copy_store(source, dest, if_exists="skip_same", dest_storage_options=options).compute()
    checks.claim("copied once more with skip_same, nothing is written", again.copied == 0)
    return checks.exit_code()


if __name__ == "__main__":
    sys.exit(main())
