"""No fault ever becomes data: what fails in passing is repeated, what fails for good is an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numcodecs
import numpy as np
import pytest

import zarrds
from zarrds._base.types import ByteRange
from zarrds.errors import ShortReadError, StoreError, ZarrdsError
from zarrds.storage import FSStore

from .cloud import LASTING, PASSING, FaultyCloud, some_of, unavailable

pytestmark = pytest.mark.usefixtures("waits")
DATA = np.random.default_rng(0).integers(0, 100, (40, 30))


def stored(fs: FaultyCloud, **kwargs: Any) -> FSStore:
    """A store with an array of 40 chunks that was written without faults."""
    fault, fs.fault = fs.fault, lambda verb, path: None
    store = FSStore("bucket/root", fs=fs)
    zarrds.open_group(store, mode="w").create_dataset("z", data=DATA, chunks=(5, 6), fill_value=7, **kwargs)
    fs.fault = fault
    fs.asked.clear()
    return store


@pytest.mark.parametrize("seed", range(5))
def test_a_job_with_many_503s_ends_exact(seed: int) -> None:
    fs = FaultyCloud(some_of(0.3, {"503": unavailable}, seed))
    store = FSStore("bucket/root", fs=fs)
    g = zarrds.open_group(store, mode="w")
    z = g.create_dataset("z", shape=DATA.shape, chunks=(5, 6), dtype=DATA.dtype)
    z[:] = DATA
    z.append(DATA)
    z.attrs["unit"] = "m"
    assert z.nchunks_initialized == 80
    np.testing.assert_array_equal(zarrds.open_group(store, mode="r")["z"][:], np.concatenate([DATA, DATA]))
    z.resize(DATA.shape)
    zarrds.consolidate_metadata(store)
    np.testing.assert_array_equal(zarrds.open_consolidated(store)["z"][3:33, ::7], DATA[3:33, ::7])
    store.rename("z", "y")
    assert (g["y"].attrs["unit"], "z" in g, sorted(g)) == ("m", False, ["y"])
    store.rmdir("y")
    assert list(g) == []
    assert not any(path.startswith("bucket/root/y/") for path in fs.objects)


@pytest.mark.parametrize("name", list(PASSING))
def test_a_request_is_sent_as_often_as_the_configuration_says(name: str) -> None:
    """Of requests that fail with chance p, p ** attempts fail for good: what others do does not count."""
    attempts = zarrds.get_config().attempts
    for failures in (attempts - 1, attempts):
        sent: Counter[str] = Counter()

        def fault(verb: str, path: str, sent: Counter[str] = sent, failures: int = failures) -> Exception | None:
            sent[path] += 1
            return PASSING[name]() if path.endswith("7") and sent[path] <= failures else None

        store = FSStore("bucket/root", fs=FaultyCloud(fault))
        if failures < attempts:
            store.set_many([(f"k/{number}", b"%d" % number) for number in range(20)])
        else:
            with pytest.raises(StoreError) as caught:
                store.set_many([(f"k/{number}", b"%d" % number) for number in range(20)])
            assert caught.value.attempts == attempts
        assert set(sent.values()) == {1, attempts}
        assert sent["bucket/root/k/7"] == sent["bucket/root/k/17"] == attempts


@pytest.mark.parametrize("name", list(PASSING))
def test_one_failure_of_each_kind_passes(name: str) -> None:
    failed: set[tuple[str, str]] = set()

    def fault(verb: str, path: str) -> Exception | None:
        if (verb, path) in failed or verb == "info":
            return None
        failed.add((verb, path))
        return PASSING[name]()

    fs = FaultyCloud(fault)
    store = FSStore("bucket/root", fs=fs)
    z = zarrds.open_array(store, mode="w", shape=DATA.shape, chunks=(5, 6), dtype=DATA.dtype)
    z[:] = DATA
    np.testing.assert_array_equal(zarrds.open_array(store, mode="r")[:], DATA)
    assert z.nchunks_initialized == 40
    assert len(failed) > 80


@pytest.mark.parametrize("name", [*PASSING, *LASTING])
@pytest.mark.parametrize("verb", ["get", "range", "set", "delete", "list"])
def test_failures_that_last_are_errors(name: str, verb: str) -> None:
    kind = (PASSING | LASTING)[name]
    fs = FaultyCloud(lambda asked, path: kind() if asked == verb else None)
    store = stored(fs)
    acts: dict[str, Callable[[], Any]] = {
        "get": lambda: zarrds.open_group(store, mode="r")["z"][:],
        "range": lambda: store.get_many([("z/.zarray", ByteRange(0, 5))]),
        "set": lambda: store.set_many([("z/0.0", b"")]),
        "delete": lambda: store.delete_many(["z/0.0", "z/0.1"]),
        "list": lambda: list(store.keys_below("z/")),
    }
    before = dict(fs.objects)
    with zarrds.config_context(attempts=3), pytest.raises(StoreError) as caught:
        pytest.fail(f"gave {acts[verb]()}")
    assert caught.value.attempts == (3 if name in PASSING else 1)
    assert caught.value.key is not None
    assert "bucket/root" in str(caught.value)
    assert name not in PASSING or "in 3 attempts" in str(caught.value)
    assert fs.objects == before


def test_whatever_is_read_is_right() -> None:
    """Faults of every kind, for good or in passing: each read gives the data or raises."""
    fs = FaultyCloud(some_of(0.05, PASSING | LASTING, seed=1))
    z_store = stored(fs)
    outcomes = {"right": 0, "error": 0}
    with zarrds.config_context(attempts=2):
        for _ in range(60):
            try:
                found = zarrds.open_group(z_store, mode="r")["z"][:, 3:9]
            except StoreError:
                outcomes["error"] += 1
            else:
                np.testing.assert_array_equal(found, DATA[:, 3:9])
                outcomes["right"] += 1
    assert min(outcomes.values()) > 5


CODECS = [
    None,
    numcodecs.Zlib(),
    numcodecs.Blosc(),
    numcodecs.Zstd(),
    numcodecs.LZ4(),
    numcodecs.BZ2(),
    numcodecs.LZMA(),
]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: type(codec).__name__)
@pytest.mark.parametrize("key", ["z/0.0", "z/.zarray"])
def test_values_cut_short_without_a_word_are_errors(codec: Any, key: str) -> None:
    fs = FaultyCloud(lambda verb, path: "short" if verb == "get" and path.endswith(key) else None)
    store = stored(fs, compressor=codec)
    with pytest.raises((ZarrdsError, RuntimeError)):
        pytest.fail(f"gave {zarrds.open_group(store, mode='r')['z'][:]}")


def test_ranges_cut_short_are_asked_again() -> None:
    left = [2]

    def fault(verb: str, path: str) -> Any:
        left[0] -= verb == "range"
        return "short" if verb == "range" and left[0] >= 0 else None

    fs = FaultyCloud(fault)
    store = stored(fs)
    value = fs.objects["bucket/root/z/.zarray"]
    assert bytes(store.get_many([("z/.zarray", ByteRange(10, 60))])[0] or b"") == value[10:60]
    left[0] = 10**6
    for byte_range in (ByteRange(10, 60), ByteRange(-20), ByteRange(10)):
        with zarrds.config_context(attempts=2), pytest.raises(ShortReadError, match="2 attempts"):
            store.get_many([("z/.zarray", byte_range)])
    left[0] = 0
    assert bytes(store.get_many([("z/.zarray", ByteRange(10, 10**6))])[0] or b"") == value[10:]


def test_a_failed_write_keeps_what_was_there() -> None:
    fs = FaultyCloud()
    z = zarrds.open_group(stored(fs))["z"]
    fs.fault = lambda verb, path: PermissionError("no") if verb == "set" and path.endswith("/3.3") else None
    with pytest.raises(PermissionError):
        z[:] = DATA + 1
    fs.fault = lambda verb, path: None
    found = z[:]
    assert np.isin(found - DATA, (0, 1)).all()
    np.testing.assert_array_equal(found[15:20, 18:24], DATA[15:20, 18:24])


@pytest.mark.parametrize("own_find", [False, True])
def test_listings_are_repeated_directory_by_directory(own_find: bool) -> None:
    """Of a hundred directories, a third of the requests fail: only those are sent again."""

    class Finding(FaultyCloud):
        async def _find(self, path: str, *args: Any, **kwargs: Any) -> Any:
            return await super()._find(path, *args, **{**kwargs, "on_error": "raise"})

    fs = Finding() if own_find else FaultyCloud()
    keys = [f"g{number}/{name}" for number in range(100) for name in ("a/0", "b/0", "c")]
    for key in keys:
        fs.objects[f"bucket/root/{key}"] = b"x"
    store = FSStore("bucket/root", fs=fs)
    assert sorted(store.keys_below()) == sorted(keys)
    clean = len(fs.asked)
    fs.asked.clear()
    failed: list[str] = []
    plan = some_of(0.3, {"unavailable": PASSING["unavailable"]}, seed=5)

    def fault(verb: str, path: str) -> Any:
        found = plan(verb, path)
        failed.extend([path] * (found is not None))
        return found

    fs.fault = fault
    assert sorted(store.keys_below()) == sorted(keys)
    sent_before_it_walked = 10 * own_find
    assert clean + len(failed) <= len(fs.asked) <= clean + len(failed) + sent_before_it_walked
    assert 1.2 * clean < len(fs.asked) < 1.7 * clean
