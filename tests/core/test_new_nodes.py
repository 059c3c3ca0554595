"""New nodes as values: their documents are those that `create`, `group` and `consolidate_metadata` write."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.creation import consolidated, new_array, new_group
from zarrds.storage import MemoryStore, document_keys

ATTRIBUTES = {"units": "m", "levels": [1, 2], "at": {"x": None}}


def documents_in(store: MemoryStore) -> dict[str, bytes]:
    """Return the contents of a store that holds only documents."""
    return {key: bytes(store[key]) for key in store}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {"shape": 10},
        {"shape": (4, 6), "chunks": (2, 3), "dtype": "i2", "fill_value": 7, "compressor": None},
        {"shape": (), "dtype": str},
        {"shape": (4, 6), "chunks": (2, 3), "dimension_separator": "/", "filters": [{"id": "delta", "dtype": "f8"}]},
    ],
)
def test_documents_of_a_new_array_are_those_of_create(options: dict[str, Any], zarr_format: int) -> None:
    store = MemoryStore()
    root = zarrds.group(store, zarr_format=zarr_format)
    z = root.create_dataset("a/b", **options)
    z.attrs.put(ATTRIBUTES)
    new = new_array("/a/b/", zarr_format=zarr_format, attributes=ATTRIBUTES, **options)
    expected = {key: text for key, text in documents_in(store).items() if key.startswith("a/b/")}
    assert dict(new.documents()) == expected
    assert new.documents()[-1][0] == document_keys("a/b", zarr_format)[0]
    assert (new.write_unit, new.source(store)) == (z.write_unit, z.source())


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_documents_of_new_groups_are_those_of_group_and_its_attributes(zarr_format: int) -> None:
    store = MemoryStore()
    zarrds.group(store, zarr_format=zarr_format).create_group("g").attrs.put(ATTRIBUTES)
    new = [new_group("", zarr_format=zarr_format), new_group("g", zarr_format=zarr_format, attributes=ATTRIBUTES)]
    assert dict(document for node in new for document in node.documents()) == documents_in(store)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_consolidated_is_what_consolidate_metadata_writes(zarr_format: int) -> None:
    nodes = [
        new_group("", zarr_format=zarr_format, attributes={"title": "t"}),
        new_group("g", zarr_format=zarr_format),
        new_array("g/a", shape=(4, 6), zarr_format=zarr_format, attributes=ATTRIBUTES),
    ]
    store = MemoryStore()
    store.set_many([document for node in nodes for document in node.documents()])
    ((key, text),) = consolidated(document for node in nodes for document in node.documents())
    zarrds.consolidate_metadata(store)
    assert bytes(store[key]) == text


def test_an_array_is_readable_once_its_documents_are_stored() -> None:
    store = MemoryStore()
    new = new_array("a", shape=4, chunks=2, dtype="i4", zarr_format=2)
    store.set_many(new.documents())
    zarrds.Array.from_source(new.source(store), read_only=False)[:] = np.arange(4)
    np.testing.assert_array_equal(zarrds.Array(store, "a")[:], np.arange(4))


@pytest.mark.parametrize("make", [new_group, lambda path, **options: new_array(path, shape=1, **options)])
def test_names_that_a_format_reserves_are_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a node"):
        make("a/__b", zarr_format=3)
