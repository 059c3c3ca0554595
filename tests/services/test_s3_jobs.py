"""Jobs of `zarrds.dask` on S3, against moto's server."""

from __future__ import annotations

import re
import uuid
from typing import Any

import numpy as np
import pytest

import zarrds
import zarrds.dask
from tests.servers import S3

pytestmark = [pytest.mark.service, pytest.mark.usefixtures("waits")]


@pytest.fixture
def bucket(s3: S3) -> str:
    return s3.bucket(f"j{uuid.uuid4().hex[:12]}")


def series(url: str, options: Any) -> None:
    root = zarrds.open_group(url, mode="w", storage_options=options)
    u = root.zeros("u", shape=40, chunks=2, dtype="i4")
    u[:30] = np.arange(1, 31)


@pytest.mark.parametrize("verify", [None, "size", "hash"])
def test_the_service_copies_within_itself(s3: S3, bucket: str, verify: Any) -> None:
    series(f"{bucket}/a", s3.options)
    s3.asked.clear()
    job = zarrds.dask.copy_store(f"{bucket}/a", f"{bucket}/b", verify=verify, storage_options=s3.options)
    report = job.compute(scheduler="threads")
    assert (report.copied, report.missing) == (15 + 2, 5)
    reads = [line for line in s3.asked if re.search(r"GET /\S+/a/u/\d+ HTTP", line)]
    assert bool(reads) == (verify == "hash")
    copy = zarrds.open_group(f"{bucket}/b", mode="r", storage_options=s3.options)
    np.testing.assert_array_equal(copy["u"][:], [*range(1, 31), *[0] * 10])
    assert not any(".zarrds-job" in key for key in copy.store)


def test_tags_of_the_service_say_what_is_the_same(s3: S3, bucket: str) -> None:
    for name in "ab":
        series(f"{bucket}/{name}", s3.options)
    zarrds.open_group(f"{bucket}/b", mode="r+", storage_options=s3.options)["u"][3] = 99
    s3.asked.clear()
    job = zarrds.dask.copy_store(f"{bucket}/a", f"{bucket}/b", if_exists="skip_same", storage_options=s3.options)
    report = job.compute(scheduler="threads")
    assert (report.copied, report.skipped) == (1, 14 + 2)
    reads = [line for line in s3.asked if re.search(r"GET /\S+/[ab]/u/\d+ HTTP", line)]
    assert len(reads) <= 2  # of the chunk that differs, whose size is the same
    copy = zarrds.open_group(f"{bucket}/b", mode="r", storage_options=s3.options)
    np.testing.assert_array_equal(copy["u"][:], [*range(1, 31), *[0] * 10])
