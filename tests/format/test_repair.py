"""Documents as some earlier writers left them are read with one warning, and corrected on request."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import zarrds
from zarrds.cli import main
from zarrds.errors import MetadataError, ReadOnlyError, RepairedDocumentWarning


def stored(zarr_format: int, shape: Any = 4, **options: Any) -> dict[str, Any]:
    store: dict[str, Any] = {}
    group = zarrds.open_group(store, mode="w", zarr_format=zarr_format)
    group.create_dataset("u", data=np.ones(shape), chunks=2, **options)
    group.create_dataset("v", data=np.ones(3), chunks=2)
    return store


def change(store: dict[str, Any], **members: Any) -> str:
    """Change members of the document of u; return its key."""
    key = next(key for key in store if key in ("u/.zarray", "u/zarr.json"))
    store[key] = json.dumps({**json.loads(store[key]), **members}).encode()
    return key


def grid(lengths: list[Any]) -> dict[str, Any]:
    return {"name": "regular", "configuration": {"chunk_shape": lengths}}


CASES: list[tuple[int, Any, dict[str, Any]]] = [
    (2, 4, {"shape": [4.0]}),
    (2, 4, {"chunks": [2.0]}),
    (2, 0, {"chunks": [False]}),
    (3, 4, {"shape": [4.0]}),
    (3, 4, {"chunk_grid": grid([2.0])}),
    (3, 0, {"chunk_grid": grid([0])}),
    (3, 0, {"chunk_grid": grid([False])}),
    (3, 0, {"shape": [0.0], "chunk_grid": grid([0.0])}),
]


@pytest.mark.parametrize(("zarr_format", "shape", "members"), CASES)
def test_they_are_read_and_corrected(zarr_format: int, shape: int, members: dict[str, Any]) -> None:
    store = stored(zarr_format, shape)
    key = change(store, **members)
    with pytest.warns(RepairedDocumentWarning, match="zarrds repair") as caught:
        z = zarrds.open_array(store, path="u", mode="r")
    assert len(caught) == 1
    np.testing.assert_array_equal(z[:], np.ones(shape))
    assert [found.kind for found in zarrds.verify(store).problems] == ["outdated-document"]

    before = dict(store)
    (found,) = zarrds.repair(store)
    assert (found.key, found.written) == (key, False)
    assert store == before
    (found,) = zarrds.repair(store, write=True)
    assert found.written
    assert zarrds.repair(store) == ()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        z = zarrds.open_array(store, path="u", mode="r+")
        np.testing.assert_array_equal(z[:], np.ones(shape))
        z.append(np.zeros(2))
    assert zarrds.verify(store).ok
    assert {name: value for name, value in store.items() if "v/" in name} == {
        name: value for name, value in before.items() if "v/" in name
    }


def test_shards() -> None:
    store = stored(3, shards=4)
    document = json.loads(store["u/zarr.json"])
    document["codecs"][0]["configuration"]["chunk_shape"] = [2.0]
    change(store, codecs=document["codecs"], chunk_grid=grid([4.0]))
    with pytest.warns(RepairedDocumentWarning):
        assert zarrds.open_array(store, path="u", mode="r")[:].tolist() == [1, 1, 1, 1]
    zarrds.repair(store, write=True)
    assert zarrds.open_array(store, path="u", mode="r").chunks == (2,)


def test_mixed_regular_and_rectilinear() -> None:
    store = stored(3)
    change(store, chunk_grid=grid([[1, 3]]))
    (found,) = zarrds.repair(store, write=True)
    assert "rectilinear" in str(found)
    assert json.loads(store["u/zarr.json"])["chunk_grid"] == {
        "name": "rectilinear",
        "configuration": {"kind": "inline", "chunk_shapes": [[1, 3]]},
    }
    found = zarrds.open_array(store, path="u", mode="r+")
    assert found.chunks == ((1, 3),)
    found[:] = range(4)
    assert zarrds.open_array(store, path="u", mode="r")[:].tolist() == [0, 1, 2, 3]


def test_mixed_regular_and_rectilinear_is_read_with_a_warning() -> None:
    store = stored(3)
    change(store, chunk_grid=grid([[1, 3]]))
    with pytest.warns(RepairedDocumentWarning, match="rectilinear"):
        found = zarrds.open_array(store, path="u", mode="r")
    assert found.chunks == ((1, 3),)


@pytest.mark.parametrize("lengths", [[0], [False], [2.5], [-1.0], [1e300], ["2"], [None]])
def test_what_has_no_meaning_stays_an_error(lengths: list[Any]) -> None:
    store = stored(3)
    change(store, chunk_grid=grid(lengths))
    with pytest.raises(MetadataError):
        zarrds.open_array(store, path="u", mode="r")
    assert zarrds.repair(store) == ()


def test_changes_of_an_array_correct_its_document() -> None:
    store = stored(3)
    change(store, shape=[4.0], chunk_grid=grid([2.0]), attributes={"a": 1}, more={"must_understand": False, "b": 2})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RepairedDocumentWarning)
        zarrds.open_array(store, path="u", mode="r+").append(np.zeros(1))
    document = json.loads(store["u/zarr.json"])
    assert document["chunk_grid"]["configuration"]["chunk_shape"] == [2]
    assert (document["shape"], document["attributes"], document["more"]["b"]) == ([5], {"a": 1}, 2)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_consolidated_metadata(zarr_format: int) -> None:
    store = stored(zarr_format)
    change(store, shape=[4.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RepairedDocumentWarning)
        zarrds.consolidate_metadata(store)
    assert len(zarrds.repair(store, write=True)) == 2
    assert zarrds.repair(store) == ()
    assert zarrds.verify(store).ok
    assert zarrds.open_consolidated(store)["u"][:].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_attributes_stay_as_they_are(zarr_format: int) -> None:
    attributes = {"shape": [4.0], "chunks": [2.0], "chunk_grid": grid([4.0]), "a": 1}
    store = stored(zarr_format)
    zarrds.open_group(store, mode="r+").attrs.update(attributes)
    zarrds.open_array(store, path="u", mode="r+").attrs.update(attributes)
    zarrds.consolidate_metadata(store)
    assert zarrds.repair(store) == ()
    change(store, shape=[4.0])
    zarrds.repair(store, write=True)
    for node in (zarrds.open_group(store, mode="r"), zarrds.open_array(store, path="u", mode="r")):
        assert json.dumps(node.attrs.asdict(), sort_keys=True) == json.dumps(attributes, sort_keys=True)


def test_members_keep_their_order_in_zarr_v3() -> None:
    store = stored(3)
    key = change(store, shape=[4.0], attributes={"b": 1, "a": 2})
    before = json.loads(store[key])
    zarrds.repair(store, write=True)
    after = json.loads(store[key])
    assert (list(after), list(after["attributes"])) == (list(before), ["b", "a"])


def test_another_writer_at_the_same_moment() -> None:
    class Racing(zarrds.MemoryStore):
        turns = 3

        def set_if(self, key: str, value: Any, expected: Any) -> bool:
            if self.turns:  # another writer sets an attribute first
                self.turns -= 1
                document = json.loads(super().__getitem__(key))
                document["attributes"] = {"turn": self.turns}
                self.set_many([(key, json.dumps(document).encode())])
            return super().set_if(key, value, expected)

    store = Racing()
    store.update(stored(3))
    key = change(store, shape=[4.0])  # type: ignore[arg-type]
    assert store.can_set_if
    (found,) = zarrds.repair(store, write=True)
    assert found.written
    assert json.loads(store[key])["attributes"] == {"turn": 0}
    assert json.loads(store[key])["shape"] == [4]


def test_stores_that_are_only_read() -> None:
    store = zarrds.storage.ReadOnlyStore(zarrds.MemoryStore())
    with pytest.raises(ReadOnlyError):
        zarrds.repair(store, write=True)


def test_command(tmp_path: Any) -> None:
    place = zarrds.DirectoryStore(str(tmp_path / "a.zarr"))
    place.update(stored(2))
    change(place, shape=[4.0])  # type: ignore[arg-type]
    run = CliRunner().invoke
    shown = run(main, ["verify", str(tmp_path / "a.zarr"), "--repair"])
    assert shown.exit_code == 0
    assert "to write: u/.zarray: shape [4.0] is [4]" in shown.output
    assert json.loads(place["u/.zarray"])["shape"] == [4.0]
    assert run(main, ["verify", str(tmp_path / "a.zarr")]).exit_code == 1
    assert run(main, ["verify", str(tmp_path / "a.zarr"), "--write"]).exit_code == 2
    written = run(main, ["verify", str(tmp_path / "a.zarr"), "--repair", "--write", "--json"])
    assert json.loads(written.output)["documents"][0]["written"] is True
    assert type(json.loads(place["u/.zarray"])["shape"][0]) is int
    assert run(main, ["verify", str(tmp_path / "a.zarr")]).exit_code == 0
