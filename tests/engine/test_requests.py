"""Requests are behaviour: what a read, a write, an open and a consolidation ask of a store."""

from __future__ import annotations

import numpy as np
import pytest

import zarrds
from tests.store.doubles import CountingStore
from zarrds.storage import ConsolidatedMetadataStore, DirectoryStore, MemoryStore


@pytest.fixture(params=["memory", "directory"])
def store(request, tmp_path):
    return CountingStore(MemoryStore() if request.param == "memory" else DirectoryStore(str(tmp_path / "a.zarr")))


def make(store, shape=(25, 35), chunks=(10, 10), **options):
    options.setdefault("dtype", "i4")
    return zarrds.create(shape, chunks=chunks, store=store, **options)


def verbs(store):
    """Calls and keys per verb, of what was asked since the last time."""
    seen = store.reset()
    return {verb: (seen.calls[verb], seen.keys[verb]) for verb in seen.calls}


def sets(store, keys):
    """Calls and keys of a write: one batch, but on a disk each value is set as soon as it is encoded."""
    return {"set": (keys if store.profile.kind == "disk" else 1, keys)}


def test_open_an_array(store):
    make(store)
    store.reset()
    for opener in (zarrds.open, zarrds.open_array):
        opener(store, mode="r")
        assert verbs(store) == {"get": (1, 2)}
    zarrds.Array(store)
    assert verbs(store) == {"get": (1, 2)}
    zarrds.Array(store, zarr_version=2)
    assert verbs(store) == {"get": (1, 1)}


def test_create_in_a_fresh_place(store):
    make(store, path="a/b")
    # each node, the groups above first, unless another makes it; then a look for documents of the other kind of node
    assert verbs(store) == {"get": (2, 15), "set": (3, 3)}


def test_create_in_an_open_group(store):
    root = zarrds.group(store)
    store.reset()
    for name in ("a", "b"):
        root.create_dataset(name, shape=10, chunks=5)
    # nothing is there or being deleted, and the group still is; then a look for a group that another has made there
    assert verbs(store) == {"get": (4, 10), "set": (2, 2)}


def test_read_whole_chunks(store):
    z = make(store)
    z[:] = 1
    store.reset()
    z[:]
    assert verbs(store) == {"get": (1, 12)}
    z[10:20, 20:]
    assert verbs(store) == {"get": (1, 2)}


def test_read_only_what_the_selection_meets(store):
    z = make(store)
    z[:] = 1
    store.reset()
    z[3, 4]
    assert verbs(store) == {"get": (1, 1)}
    z.oindex[[0, 24], :]
    assert verbs(store) == {"get": (1, 8)}
    z.vindex[[0, 24, 1], [0, 34, 1]]
    assert verbs(store) == {"get": (1, 2)}
    z[0:0]
    assert verbs(store).get("get", (0, 0))[1] == 0


def test_write_whole_chunks_reads_nothing(store):
    z = make(store)
    store.reset()
    z[:] = np.arange(25 * 35).reshape(25, 35)
    assert verbs(store) == sets(store, 12)
    # ragged edges too: what is whole counts elements inside the array
    z[20:, 30:] = 5
    assert verbs(store) == sets(store, 1)
    z[10:, :10] = np.ones((15, 10))
    assert verbs(store) == sets(store, 2)


def test_partial_writes_read_what_they_keep(store):
    z = make(store)
    z[:] = 1
    store.reset()
    z[5:15, 0:10] = 2
    assert verbs(store) == {"get": (1, 2), "set": (1, 2)}
    # one whole chunk and one partial one: a get for the partial one alone
    z[0:15, 0:10] = 2
    assert verbs(store) == {"get": (1, 1), "set": (1, 2)}


def test_empty_chunks_are_deleted_not_set(store):
    z = make(store, write_empty_chunks=False)
    z[:] = 0
    assert {v: n for v, n in verbs(store).items() if v in ("set", "delete")} == {"set": (1, 1), "delete": (1, 12)}
    z[:10, :10] = 7
    store.reset()
    z[:10, :10] = 0
    assert verbs(store) == {"delete": (1, 1)}


def test_shrinking_a_huge_grid_lists_nothing_it_need_not(store):
    z = make(store, shape=(10**9,), chunks=(1,))
    store.reset()
    z.resize(10**9 - 5)
    seen = verbs(store)
    assert seen == {"get": (1, 1), "set": (2, 2), "delete": (1, 5)}  # claimed with the new shape, and released


def test_group_members_are_one_listing_and_one_batch(store):
    root = zarrds.group(store)
    for i in range(50):
        root.create_dataset(f"a{i}", shape=10)
    store.reset()
    assert len(dict(zarrds.open_group(store, mode="r").arrays())) == 50
    assert verbs(store) == {"get": (2, 103), "listdir": (1, 1)}


def test_consolidation_never_lists_chunks(store):
    root = zarrds.group(store)
    z = root.create_dataset("a/b", shape=1000, chunks=1)
    z[:] = 1
    root.create_dataset("c", shape=10)
    store.reset()
    zarrds.consolidate_metadata(store)
    seen = store.reset()
    listed = [keys for verb, keys in seen.log if verb in ("listdir", "keys")]
    assert listed == [("",), ("a",)]
    assert seen.calls["set"] == 1


def test_opening_consolidated_is_one_get(store):
    root = zarrds.group(store)
    for i in range(20):
        root.create_dataset(f"g/a{i}", shape=10, chunks=5)[:] = i
    zarrds.consolidate_metadata(store)
    store.reset()
    opened = zarrds.open_consolidated(store, mode="r")
    assert len(dict(opened["g"].arrays())) == 20
    assert verbs(store) == {"get": (1, 2)}
    np.testing.assert_array_equal(opened["g/a7"][:], np.full(10, 7.0))
    assert verbs(store) == {"get": (1, 2)}
    assert isinstance(opened.store, ConsolidatedMetadataStore)


def test_uncompressed_chunks_read_only_their_rows(tmp_path):
    """z[10:20, ::2] of a (1000, 1000) i4 chunk needs 40 kB of its 4 MB."""
    store = CountingStore(DirectoryStore(str(tmp_path / "raw.zarr")))
    data = np.arange(10**6, dtype="i4").reshape(1000, 1000)
    z = make(store, shape=(1000, 1000), chunks=(1000, 1000), compressor=None)
    z[:] = data
    store.reset()
    np.testing.assert_array_equal(z[10:20, ::2], data[10:20, ::2])
    seen = store.reset()
    assert seen.keys["get"] == 1
    assert seen.nbytes["get"] == 40_000
    assert z[7, 9] == data[7, 9]
    assert store.reset().nbytes["get"] == 4


def test_a_travelling_source_reads_no_metadata(tmp_path):
    import pickle

    z = make(DirectoryStore(str(tmp_path / "a.zarr")))
    z[:] = 3
    spec = pickle.dumps(z.source())
    assert len(spec) < 1000
    (tmp_path / "a.zarr" / ".zarray").unlink()
    from zarrds._engine.reading import read
    from zarrds._plan.plan import plan_everything

    np.testing.assert_array_equal(
        read(pickle.loads(spec).open(), plan_everything(z.shape, z.chunks)), np.full((25, 35), 3)
    )
