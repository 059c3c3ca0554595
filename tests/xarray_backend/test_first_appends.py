"""The first append to a place where nothing is: writers that meet there, and writers that are killed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr

from tests.faults.interleave import FailingStore
from tests.store.doubles import RemoteStore, WrappedStore
from tests.xarray_backend.samples import assert_same
from xarray_backend import open_zarrds, to_zarrds
from zarrds.errors import ConflictError, GroupNotFoundError, StoreError
from zarrds.storage import DirectoryStore, MemoryStore

pytestmark = pytest.mark.usefixtures("zarr_format")


class AtRequest(WrappedStore):
    """Calls `act` before its `nth` request, once."""

    def __init__(self, store, nth, act):
        super().__init__(store)
        self.left, self.act = nth, act

    def called(self, verb, keys):
        self.left -= 1
        if self.left == -1:
            self.act()


def rows(first, count=3):
    at = np.arange(first, first + count)
    return xr.Dataset({"u": (("t", "x"), at[:, None] + [[0.0, 0.5]]), "t": ("t", at), "x": ("x", [7, 8])})


def found(store):
    ds = open_zarrds(store)
    assert ds.u.values.tolist() == [[t, t + 0.5] for t in ds.t.values.tolist()]
    assert ds.x.values.tolist() == [7, 8]
    return ds.t.values.tolist()


@pytest.mark.parametrize("lazy", [False, True])
def test_another_first_append_comes_before_any_request(lazy):
    """Until the first one has its turn; from then on others wait for it."""
    for nth in range(100):
        inner = MemoryStore()
        store = AtRequest(inner, nth, lambda inner=inner: to_zarrds(rows(100), inner, append_dim="t"))
        try:
            to_zarrds(rows(0).chunk() if lazy else rows(0), store, append_dim="t")
        except ConflictError:  # the other one, in the same thread, took the turn from it instead of waiting for ever
            break
        assert found(inner) == [100, 101, 102, 0, 1, 2]
    assert nth >= 4  # it looks for a group, creates one, looks for its end, and takes the turn


def test_a_turn_keeps_other_first_appends_waiting():
    """The second one begins when the first one writes a chunk."""
    others = []

    class AtChunk(MemoryStore):
        def set_many(self, items):
            if not others and any(key.rpartition("/")[2][0].isdigit() for key, _ in items):
                others.append(pool.submit(to_zarrds, rows(100), self, append_dim="t"))
            super().set_many(items)

    store = AtChunk()
    with ThreadPoolExecutor(1) as pool:
        to_zarrds(rows(0), store, append_dim="t")
        others[0].result(timeout=240)
    assert found(store) == [0, 1, 2, 100, 101, 102]


def test_first_appends_from_threads(tmp_path):
    for number, make in enumerate((lambda: MemoryStore(), lambda: DirectoryStore(str(tmp_path / "a.zarr")))):
        store = make()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda i, s=store: to_zarrds(rows(10 * i), s, append_dim="t"), range(4)))
        times = found(store)
        assert sorted(times) == [10 * i + n for i in range(4) for n in range(3)], number
        assert all(times[n] % 10 == n % 3 for n in range(12))


def seen(store):
    """Return the times that a reader sees during an append; None if opening fails because lengths differ."""
    try:
        ds = open_zarrds(store, consolidated=False)
    except (GroupNotFoundError, ValueError) as error:
        return [] if isinstance(error, GroupNotFoundError) else None if "conflicting sizes" in str(error) else error
    times = ds.t.values.tolist() if "t" in ds.variables else []
    assert "u" not in ds.variables or ds.u.values.tolist() == [[t, t + 0.5] for t in times]
    return times


@pytest.mark.parametrize(
    ("before", "remote"),
    [(0, False), *(pytest.param(*case, marks=pytest.mark.slow) for case in [(1, False), (0, True), (1, True)])],
)
def test_an_append_killed_at_any_request_is_repaired_by_the_next(before, remote):
    """Killed: from some request on, nothing of it reaches the store, nor does it tidy up."""
    for nth in range(300):
        inner = MemoryStore()
        if before:
            to_zarrds(rows(50), inner, append_dim="t")
        store = FailingStore(inner)
        if remote:
            store.profile = RemoteStore(inner).profile
        store.fail_at(nth, KeyboardInterrupt("killed"), forever=True)
        try:
            to_zarrds(rows(0), store, append_dim="t")
        except BaseException:
            done = False
        else:
            done = True
        old, first, second = [50, 51, 52] * before, [0, 1, 2], [100, 101, 102]
        assert seen(inner) in (None, old, [*old, *first])
        to_zarrds(rows(100), inner, append_dim="t")
        assert found(inner) in ([*old, *second], [*old, *first, *second])
        if done:
            break
    else:
        pytest.fail("it needs more requests than that")


def test_a_first_append_that_is_wrong_leaves_nothing():
    store = MemoryStore()
    with pytest.raises(ValueError, match="not a dimension"):
        to_zarrds(rows(0), store, append_dim="y")
    assert list(store) == []


@pytest.mark.parametrize("forever", [False, True])
def test_one_of_the_documents_cannot_be_set(forever, zarr_format):
    """While those of the other arrays are set at the same moment, as on a network."""

    class Refusing(RemoteStore):
        on = False
        refused = 0

        def set_if(self, key, value, expected):
            if self.on and key == ("v3/.zarray" if zarr_format == 2 else "v3/zarr.json"):
                self.refused += 1
            if self.on and self.refused and (forever or (key.startswith("v3/") and self.refused == 1)):
                raise StoreError("refused")
            return super().set_if(key, value, expected)

    def table(value):
        return xr.Dataset({f"v{n}": ("t", np.full(3, value)) for n in range(8)})

    store = Refusing(MemoryStore())
    to_zarrds(table(1), store)
    store.on = True
    with pytest.raises(StoreError, match="refused"):
        to_zarrds(table(2), store, append_dim="t")
    store.on = False
    if not forever:
        assert_same(open_zarrds(store, consolidated=False), table(1))
    to_zarrds(table(3), store, append_dim="t")
    assert_same(open_zarrds(store, consolidated=False), xr.concat([table(1), table(3)], "t"))
    assert_same(open_zarrds(store), xr.concat([table(1), table(3)], "t"))
