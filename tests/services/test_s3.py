"""Stores on S3, against moto's server: every way in, what it costs, and what failures become."""

from __future__ import annotations

import gc
import io
import json
import pickle
import subprocess
import sys
import textwrap
import uuid
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import s3fs
import xarray

import zarrds
import zarrds.dask
from tests.servers import S3
from zarrds._base.types import ByteRange
from zarrds.errors import PathNotFoundError, StoreAccessError, StoreError
from zarrds.storage import FSStore

pytestmark = [pytest.mark.service, pytest.mark.usefixtures("waits")]


@pytest.fixture
def bucket(s3: S3) -> str:
    return s3.bucket(f"b{uuid.uuid4().hex[:12]}")


@pytest.fixture
def store(s3: S3, bucket: str) -> FSStore:
    return FSStore(f"{bucket}/root", **s3.options)


def ramp(url: str, s3: S3, n: int = 12) -> np.ndarray[Any, Any]:
    data = np.arange(n * 10).reshape(n, 10)
    zarrds.save_group(url, a=data, b=data * 2, storage_options=s3.options)
    return data


# --- the store -------------------------------------------------------------------------------------------------------


def test_mapping(store: FSStore) -> None:
    assert list(store) == []
    store.setitems({"g/a": b"1", "g/b/c": b"22", "z": b""})
    assert store.listdir() == ["g", "z"]
    assert store.listdir("g") == ["a", "b"]
    assert sorted(store) == ["g/a", "g/b/c", "z"]
    assert store.getitems(["g/a", "no", "z"]) == {"g/a": b"1", "z": b""}
    assert ("g/a" in store, "g" in store, "z" in store) == (True, False, True)
    assert (store.getsize("g"), store.getsize()) == (1, 0)
    store.rename("g", "h")
    assert sorted(store) == ["h/a", "h/b/c", "z"]
    store.rmdir("h/b")
    del store["z"]
    with pytest.raises(KeyError):
        del store["z"]
    assert list(store) == ["h/a"]
    store.clear()
    assert store.listdir() == []


ODD_KEYS = ["a b", "ü/ñ", "50%", "%2F", "#tag/x", "a+b&c=d", "[1]", "x*", "q?", "~", "a..b", ".hidden", "tail."]


def test_odd_keys(store: FSStore) -> None:
    store.setitems({key: key.encode() for key in ODD_KEYS})
    assert sorted(store) == sorted(ODD_KEYS)
    assert store.getitems(ODD_KEYS) == {key: key.encode() for key in ODD_KEYS}
    store.delitems(ODD_KEYS)
    assert list(store) == []


@pytest.mark.parametrize("value", [b"", b"0123456789"])
@pytest.mark.parametrize(
    "byte_range", [(0, None), (0, 0), (2, 5), (8, 99), (10, 12), (99, None), (-3, None), (-99, None)]
)
def test_ranges(store: FSStore, value: bytes, byte_range: tuple[int, int | None]) -> None:
    store["k"] = value
    found = store.get_many([("k", ByteRange(*byte_range)), ("no", ByteRange(*byte_range))])
    assert [None if part is None else bytes(part) for part in found] == [value[slice(*byte_range)], None]


def test_large_values(store: FSStore) -> None:
    value = bytes(17 * 2**20)
    store["large"] = value
    assert store["large"] == value


def test_own_writes_are_listed_at_once(s3: S3, bucket: str) -> None:
    one, other = (FSStore(f"{bucket}/r", use_listings_cache=True, **s3.options) for _ in range(2))
    for number in range(3):
        one[f"g/{number}"] = b"x"
        assert one.listdir("g") == other.listdir("g") == [str(n) for n in range(number + 1)]
        assert len(other) == number + 1
    other.delitems(["g/0"])
    assert one.listdir("g") == ["1", "2"]


def test_reopened_elsewhere(store: FSStore) -> None:
    store["k"] = b"1"
    assert pickle.loads(pickle.dumps(store)) == store
    assert pickle.loads(pickle.dumps(store.spec())).build()["k"] == b"1"


# --- what it costs ---------------------------------------------------------------------------------------------------


def test_requests_are_those_of_the_trace(s3: S3, bucket: str) -> None:
    url = f"{bucket}/z"
    z = zarrds.open_array(url, mode="w", shape=(40,), chunks=(4,), dtype="i4", storage_options=s3.options)
    del s3.asked[:]
    with zarrds.trace() as written:
        z[:] = np.arange(40)
    assert (written.sets, written.batches["set"], written.total, len(s3.asked)) == (10, 1, 10, 10)
    del s3.asked[:]
    with zarrds.trace() as read:
        np.testing.assert_array_equal(zarrds.open_array(url, mode="r", storage_options=s3.options)[:], np.arange(40))
    assert read.sets == read.lists == 0
    assert read.gets == len(s3.asked)
    assert 11 <= read.gets <= 16  # ten chunks, and one batch for the documents of every format
    del s3.asked[:]
    z.store.delete_many([str(n) for n in range(10)])
    assert len(s3.asked) == 1  # one bulk request


def test_bulk_deletes_report_what_they_could_not_do(store: FSStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.setitems({"a": b"1", "b": b"2"})

    async def refuse(method: str, **kwargs: Any) -> dict[str, Any]:
        return {"Errors": [{"Key": "root/b", "Code": "AccessDenied", "Message": "no"}]}

    monkeypatch.setattr(store.fs, "_call_s3", refuse)
    with pytest.raises(StoreAccessError) as caught:
        store.delete_many(["a", "b"])
    assert caught.value.key == "b"


# --- every way in ----------------------------------------------------------------------------------------------------


def test_functions_take_urls(s3: S3, bucket: str) -> None:
    options, data = s3.options, np.arange(6)
    zarrds.save(f"{bucket}/s.zarr", data, storage_options=options)
    np.testing.assert_array_equal(zarrds.load(f"{bucket}/s.zarr", storage_options=options), data)
    g = zarrds.open_group(f"{bucket}/g", mode="w", storage_options=options)
    g.create_dataset("x/y", data=data)
    g.attrs["a"] = 1
    z = zarrds.open_array(f"{bucket}/g", path="x/y", mode="r+", storage_options=options)
    z[0] = 9
    assert zarrds.open(f"{bucket}/g", mode="r", storage_options=options)["x/y"][0] == 9
    zarrds.consolidate_metadata(f"{bucket}/g", storage_options=options)
    with zarrds.trace() as t:
        opened = zarrds.open_consolidated(f"{bucket}/g", storage_options=options)
        assert opened["x/y"].shape == (6,)
    assert t.gets <= 2
    with pytest.raises(PathNotFoundError):
        zarrds.open(f"{bucket}/none", mode="r", storage_options=options)


def test_conversion_by_tasks(s3: S3, bucket: str) -> None:
    options = s3.options
    root = zarrds.open_group(f"{bucket}/a", mode="w", zarr_format=3, storage_options=options)
    root.create_dataset("g/x", data=np.arange(1, 13), chunks=1, shards=4)
    zarrds.consolidate_metadata(f"{bucket}/a", storage_options=options)
    job = zarrds.dask.convert(
        f"{bucket}/a", f"{bucket}/b", to=2, batch_keys=16, storage_options=options, dest_storage_options=options
    )
    with zarrds.trace() as t:
        new = job.compute(scheduler="threads")
    np.testing.assert_array_equal(new["g/x"][:], np.arange(1, 13))
    # chunks, a note for each part (at most one for each shard), documents with those that are consolidated
    assert 12 + 1 + 4 <= t.sets <= 12 + 3 + 4
    assert not [key for key in FSStore(f"{bucket}/b", **options) if "tmp" in key]
    back = zarrds.dask.convert(f"{bucket}/b", to=3, storage_options=options).compute(scheduler="threads")
    np.testing.assert_array_equal(back["g/x"][:], np.arange(1, 13))


def test_maps_and_file_systems(s3: S3, bucket: str) -> None:
    fs = s3fs.S3FileSystem(**s3.options)
    name = bucket.removeprefix("s3://")
    g = zarrds.open_group(s3fs.S3Map(f"{name}/m", s3=fs), mode="w")
    assert type(g.store) is FSStore
    g.create_dataset("x", data=np.arange(3))
    for store in (
        fs.get_mapper(f"{name}/m"),
        fsspec.get_mapper(f"{bucket}/m", **s3.options),
        FSStore(f"{name}/m", fs=fs),
    ):
        assert zarrds.open_group(store, mode="r")["x"][:].tolist() == [0, 1, 2]
    inside = s3fs.S3FileSystem(asynchronous=True, **s3.options)
    assert zarrds.open_group(FSStore(f"{name}/m", fs=inside), mode="r")["x"][:].tolist() == [0, 1, 2]


def zipped(data: np.ndarray[Any, Any]) -> bytes:
    kept: dict[str, bytes] = {}
    zarrds.save_group(kept, a=data)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for key, value in kept.items():
            archive.writestr(key, value)
    return buffer.getvalue()


def by_zip(url: str, s3: S3, folder: Path) -> tuple[str, dict[str, Any]]:
    with fsspec.open(f"{url}.zip", "wb", **s3.options) as file:
        file.write(zipped(np.arange(120).reshape(12, 10)))
    return f"zip::{url}.zip", {"s3": s3.options}


def by_cache(kind: str) -> Callable[[str, S3, Path], tuple[str, dict[str, Any]]]:
    def make(url: str, s3: S3, folder: Path) -> tuple[str, dict[str, Any]]:
        ramp(url, s3)
        return f"{kind}::{url}", {"s3": s3.options, kind: {"cache_storage": str(folder / "cache")}}

    return make


def by_reference(url: str, s3: S3, folder: Path) -> tuple[str, dict[str, Any]]:
    ramp(url, s3)
    store = FSStore(url, **s3.options)
    references: dict[str, Any] = {key: [f"{url}/{key}"] for key in store if not key.rpartition("/")[2].startswith(".")}
    references |= {key: store[key].decode() for key in store if key not in references}
    (folder / "refs.json").write_text(json.dumps({"version": 1, "refs": references}))
    options = {"fo": str(folder / "refs.json"), "remote_protocol": "s3", "remote_options": s3.options}
    return "reference://", options


CHAINS = {
    "zip": by_zip,
    "simplecache": by_cache("simplecache"),
    "filecache": by_cache("filecache"),
    "blockcache": by_cache("blockcache"),
    "reference": by_reference,
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # fsspec's blockcache leaves its files open
@pytest.mark.parametrize("name", list(CHAINS))
@pytest.mark.slow
def test_chained_urls(name: str, s3: S3, bucket: str, tmp_path: Path) -> None:
    url, options = CHAINS[name](f"{bucket}/x", s3, tmp_path)
    g = zarrds.open_group(url, mode="r", storage_options=options)
    for _ in range(2):
        np.testing.assert_array_equal(g["a"][3:7, ::3], np.arange(120).reshape(12, 10)[3:7, ::3])
    assert "no" not in g
    assert "a" in g
    assert g.store.get_many([("a/.zarray", ByteRange(0, 1)), ("a/none", None)]) == [b"{", None]
    assert list(g.array_keys())[:1] == ["a"]
    again = pickle.loads(pickle.dumps(g))
    np.testing.assert_array_equal(again["a"][:], np.arange(120).reshape(12, 10))
    del g, again
    fsspec.filesystem("s3", **s3.options).clear_instance_cache()
    gc.collect()


def test_xarray(s3: S3, bucket: str) -> None:
    from xarray_backend import to_zarrds

    ds = xarray.Dataset({"t": (("x", "y"), np.arange(12.0).reshape(3, 4))}, coords={"x": [1, 2, 3]}, attrs={"a": 1})
    to_zarrds(ds, f"{bucket}/ds.zarr", storage_options=s3.options)
    opened = xarray.open_dataset(f"{bucket}/ds.zarr", engine="zarrds", storage_options=s3.options)
    xarray.testing.assert_identical(opened.load(), ds)


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_missing_bucket_is_no_missing_key(s3: S3) -> None:
    store = FSStore("s3://there-is-none/root", **s3.options)
    with pytest.raises(StoreError, match="bucket does not exist"):
        store.get_many([("k", None)])
    with pytest.raises(StoreError):
        store["k"] = b"1"


def test_no_service_is_an_error() -> None:
    options = {"key": "dummy-key", "secret": "dummy-secret", "config_kwargs": {"retries": {"max_attempts": 1}}}
    store = FSStore("s3://b/root", **options, client_kwargs={"endpoint_url": "http://127.0.0.1:9"})
    with zarrds.config_context(attempts=2), pytest.raises(StoreError) as caught:
        store["k"]
    assert caught.value.attempts == 2
    assert isinstance(caught.value, ConnectionError)
    assert "dummy-secret" not in str(caught.value)


def test_writing_after_a_fork(s3: S3, bucket: str) -> None:
    text = f"""
        import os, zarrds, warnings
        warnings.simplefilter("ignore")
        options = {s3.options!r}
        z = zarrds.open_array({bucket!r} + "/z", mode="w", shape=8, chunks=2, dtype="i4", storage_options=options)
        z[:4] = 1
        child = os.fork()
        if not child:
            z[4:] = 2
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print(z[:].tolist())
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(text)], capture_output=True, timeout=240)
    assert ran.stdout.decode().strip() == "[1, 1, 1, 1, 2, 2, 2, 2]", ran.stderr.decode()


# --- obstore ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def obstore(s3: S3, bucket: str) -> Any:
    return s3.obstore(bucket, "root")


def test_obstore_objects_are_stores(obstore: Any, s3: S3, bucket: str) -> None:
    data = np.arange(400).reshape(20, 20)
    with zarrds.trace() as written:
        zarrds.save_group(obstore, a=data, b=data * 2)
    assert written.sets == 5 + 2  # each array is marked as incomplete until its document is stored
    g = zarrds.open_group(obstore, mode="r")
    assert sorted(g) == ["a", "b"]
    np.testing.assert_array_equal(g["a"][3:9, ::2], data[3:9, ::2])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(g))["b"][:], data * 2)
    np.testing.assert_array_equal(g.store.spec().build()["a/0.0"], FSStore(f"{bucket}/root", **s3.options)["a/0.0"])
    zarrds.consolidate_metadata(obstore)
    assert zarrds.open_consolidated(obstore)["a"].shape == (20, 20)
    assert "dummy-secret" not in repr(g.store) + repr(g.store.spec())


def test_obstore_mapping(obstore: Any) -> None:
    store = zarrds.storage.ObstoreStore(obstore)
    store.setitems({"g/a": b"1", "g/b/c": b"0123456789", "z": b""})
    assert (store.listdir(), store.listdir("g"), sorted(store)) == (["g", "z"], ["a", "b"], ["g/a", "g/b/c", "z"])
    wanted = [
        ("g/b/c", ByteRange(0, 2)),
        ("g/b/c", ByteRange(-3)),
        ("no", None),
        ("z", None),
        ("g/b/c", ByteRange(20, 30)),
    ]
    assert [None if v is None else bytes(v) for v in store.get_many(wanted)] == [b"01", b"789", None, b"", b""]
    store.rename("g", "h")
    store.delete_many(["z", "never"])
    assert sorted(store) == ["h/a", "h/b/c"]
    assert (store.getsize("h"), store.getsize("h/b/c")) == (1, 10)


def test_obstore_failures_are_errors(s3: S3) -> None:
    module = import_module("obstore.store")
    nowhere = module.S3Store(
        "b", endpoint="http://127.0.0.1:9", access_key_id="k", secret_access_key="dummy-secret", region="us-east-1",
        client_options={"allow_http": True}, retry_config={"max_retries": 0},
    )  # fmt: skip
    store = zarrds.storage.ObstoreStore(nowhere)
    for act in (lambda: store["k"], lambda: list(store), lambda: store.listdir(), lambda: store.set_many([("k", b"")])):
        with pytest.raises(StoreError) as caught:
            pytest.fail(f"gave {act()}")
        assert "dummy-secret" not in str(caught.value)


@pytest.mark.parametrize("options", [{"zarr_format": 2}, {"zarr_format": 3, "shards": 16}], ids=["v2", "shards"])
def test_writers_append_at_the_same_moment(options: dict[str, Any], store: FSStore) -> None:
    zarrds.open_array(store, mode="w", shape=0, chunks=8, dtype="i8", fill_value=-1, **options)

    def work(number: int) -> None:
        z = zarrds.open_array(store, mode="r+")
        for k in range(4):
            z.append(np.full(3, 100 * number + k))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, (1, 2)))
    found = zarrds.open_array(store, mode="r")[:].reshape(-1, 3)
    assert (found == found[:, :1]).all()
    assert sorted(found[:, 0].tolist()) == [100 * n + k for n in (1, 2) for k in range(4)]
