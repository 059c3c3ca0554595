"""Jobs on a service that refuses 30 % of all requests for a while: exact, or an error that says what to do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr

import xarray_backend
import zarrds
import zarrds.dask
from tests.faults.toxic import Plan, Proxy, ever, some_of, toxic
from tests.servers import S3
from zarrds.errors import StoreError
from zarrds.storage import FSStore, ObstoreStore, Store

pytestmark = [
    pytest.mark.service,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("waits"),
]

SHAPE = (16, 12)
VALUES = np.arange(1.0, 193.0).reshape(SHAPE)
TRANSPORTS = pytest.mark.parametrize("transport", ["obstore", "fsspec", "object"])
"""URLs whose values go through obstore, or s3fs alone; and objects of obstore, which repeat requests themselves."""


@pytest.fixture(autouse=True)
def _transport(request: pytest.FixtureRequest) -> Iterator[None]:
    with zarrds.config_context(transport="fsspec" if request.getfixturevalue("transport") == "fsspec" else "obstore"):
        yield


@pytest.fixture
def proxy(s3: S3) -> Iterator[Proxy]:
    with toxic(s3.address) as running:
        yield running


@pytest.fixture
def bucket(s3: S3) -> str:
    return s3.bucket(f"r{uuid.uuid4().hex[:12]}").removeprefix("s3://")


def refusal(bucket: str) -> Plan:
    """Plan that answers 503 to 30 % of requests, and to none that came often enough: then the minute is over."""
    drawn = some_of(0.3, ["503"], seed=2, ignore=bucket)
    return lambda asked: drawn(asked) if asked.before < 4 else None


def rechunked(source: Store, dest: Store) -> Any:
    return zarrds.dask.rechunk(source, dest, path="u", chunks=(16, 1), max_mem=1500)


def copied(source: Store, dest: Store) -> Any:
    return zarrds.dask.copy_store(source, dest, batch_keys=4, verify="hash")


def converted(source: Store, dest: Store) -> Any:
    return zarrds.dask.convert(source, dest, to=3, batch_keys=4, verify="hash")


def stored(source: Store, dest: Store) -> Any:
    return zarrds.dask.to_zarr(zarrds.dask.from_zarr(source, "u") + 0, dest, compute=False)


def dataset(source: Store, dest: Store) -> Any:
    ds = xr.Dataset({"u": (("y", "x"), zarrds.dask.from_zarr(source, "u"))})
    return xarray_backend.to_zarrds(ds, dest, mode="w", compute=False)


def store_at(place: S3, bucket: str, name: str, transport: str) -> Store:
    if transport == "object":
        return ObstoreStore(place.obstore(bucket, name))
    return FSStore(f"s3://{bucket}/{name}", **place.options)


def filled(s3: S3, bucket: str) -> None:
    root = zarrds.open_group(f"s3://{bucket}/source", mode="w", zarr_format=2, storage_options=s3.options)
    root.array("u", VALUES, chunks=(1, 12)).attrs["_ARRAY_DIMENSIONS"] = ["y", "x"]


@TRANSPORTS
@pytest.mark.parametrize("work", [rechunked, copied, converted, stored, dataset])
def test_a_job_is_exact(work: Any, transport: str, s3: S3, bucket: str, proxy: Proxy) -> None:
    filled(s3, bucket)
    behind = S3(proxy.address, s3.asked)
    proxy.plan = refusal(bucket)
    job = work(store_at(behind, bucket, "source", transport), store_at(behind, bucket, "dest", transport))
    dask.compute(job, scheduler="threads", num_workers=4)
    assert len(proxy.done) > len(proxy.asked) / 10
    dest = FSStore(f"s3://{bucket}/dest", **s3.options)
    found: Any = zarrds.open(dest, mode="r")
    np.testing.assert_array_equal((found if hasattr(found, "shape") else found["u"])[:], VALUES)
    assert not [key for key in dest if "zarrds" in key]
    assert zarrds.verify(dest, level="decode").ok


@TRANSPORTS
@pytest.mark.parametrize("work", [rechunked, copied, converted, stored])
def test_the_error_names_key_attempts_and_cure(work: Any, transport: str, s3: S3, bucket: str, proxy: Proxy) -> None:
    filled(s3, bucket)
    behind = S3(proxy.address, s3.asked)
    stores = [store_at(behind, bucket, name, transport) for name in ("source", "dest")]
    job = work(*stores)
    proxy.plan = ever("503", "/u/" if work is copied else "/")
    with zarrds.config_context(attempts=3), pytest.raises(StoreError) as caught:
        dask.compute(job, scheduler="sync")
    assert caught.value.attempts == 3 or "retries" in str(caught.value)
    assert caught.value.key
    assert "fewer requests" in str(caught.value)
    proxy.plan = lambda asked: None
    dask.compute(work(*stores) if work is not stored else job, scheduler="sync")  # the service answers again
    found: Any = zarrds.open(FSStore(f"s3://{bucket}/dest", **s3.options), mode="r")
    np.testing.assert_array_equal((found if hasattr(found, "shape") else found["u"])[:], VALUES)
