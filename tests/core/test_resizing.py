"""append and resize: shapes, what is kept and what is deleted, mismatches that change nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds


def grid() -> tuple[dict[str, bytes], zarrds.Array]:
    store: dict[str, bytes] = {}
    return store, zarrds.array(np.arange(42).reshape(6, 7), chunks=(2, 3), store=store)


@pytest.mark.parametrize(
    ("args", "shape"),
    [
        ((3, 4), (3, 4)),
        (((3, 4),), (3, 4)),
        (([3, 4],), (3, 4)),
        ((np.array([3, 4]),), (3, 4)),
        ((np.int64(3), np.int32(4)), (3, 4)),
        ((3.0, 4), (3, 4)),
        (((6, None),), (6, 7)),
        ((None, 3), (6, 3)),
        ((None, None), (6, 7)),
        ((12, 14), (12, 14)),
        ((0, 7), (0, 7)),
        ((0, 0), (0, 0)),
        ((1, 100), (1, 100)),
    ],
)
def test_forms_of_a_new_shape(args: Any, shape: tuple[int, ...]) -> None:
    store, z = grid()
    expected = np.zeros(shape, int)
    rows, columns = min(6, shape[0]), min(7, shape[1])
    expected[:rows, :columns] = np.arange(42).reshape(6, 7)[:rows, :columns]
    z.resize(*args)
    assert z.shape == zarrds.Array(store).shape == shape
    assert type(z.shape[0]) is int
    # what boundary chunks hold outside comes back only when the array grows by less than a chunk: not here
    assert np.array_equal(z[:rows, :columns], expected[:rows, :columns])
    inside = {f"{i}.{j}" for i in range(-(-shape[0] // 2)) for j in range(-(-shape[1] // 3))}
    assert {key for key in store if not key.startswith(".")} == inside & {
        f"{i}.{j}" for i in range(3) for j in range(3)
    }


@pytest.mark.parametrize(
    ("args", "kind"),
    [
        ((3,), ValueError),
        (((3,),), ValueError),
        ((3, 4, 5), ValueError),
        ((-1, 7), ValueError),
        (("x", 4), ValueError),
        ((2.5, 4), TypeError),
        (([[3, 4]],), ValueError),
        ((), (ValueError, IndexError)),
    ],
)
def test_shapes_that_cannot_be(args: Any, kind: Any) -> None:
    store, z = grid()
    before = {key: bytes(value) for key, value in store.items()}
    with pytest.raises(kind):
        z.resize(*args)
    assert {key: bytes(value) for key, value in store.items()} == before
    assert z.shape == (6, 7)


def test_old_data_come_back_unless_trimmed() -> None:
    for trim, expected in ((False, [0, 1, 2, 3, 4, 5]), (True, [0, 1, 2, 3, -1, -1])):
        z = zarrds.array(np.arange(10), chunks=6, fill_value=-1)
        z.resize(4, trim=trim)
        z.resize(6)
        assert z[:].tolist() == expected


def test_trimming_with_ragged_edges() -> None:
    z = zarrds.array(np.arange(42).reshape(6, 7), chunks=(4, 4), fill_value=-1)
    z.resize((3, 5), trim=True)
    z.resize(6, 7)
    expected = np.full((6, 7), -1)
    expected[:3, :5] = np.arange(42).reshape(6, 7)[:3, :5]
    assert np.array_equal(z[:], expected)


def test_attributes_and_other_nodes_stay() -> None:
    root = zarrds.group()
    z = root.array("a", np.arange(10), chunks=2)
    root.array("b", np.arange(4), chunks=2)
    z.attrs["x"] = 1
    z.resize(0)
    assert z.attrs.asdict() == {"x": 1}
    assert root["b"][:].tolist() == [0, 1, 2, 3]
    assert sorted(root.store) == [".zgroup", "a/.zarray", "a/.zattrs", "b/.zarray", "b/0", "b/1"]


def test_assigning_a_shape_resizes() -> None:
    store, z = grid()
    z.shape = (3, 3)
    assert zarrds.Array(store).shape == (3, 3)


def test_chunks_in_a_store_of_their_own_are_deleted_there() -> None:
    store: dict[str, bytes] = {}
    chunks: dict[str, bytes] = {}
    z = zarrds.array(np.arange(10), chunks=3, store=store, chunk_store=chunks)
    z.resize(4)
    assert (sorted(store), sorted(chunks)) == ([".zarray"], ["0", "1"])


def test_a_rewritten_document_spells_the_separator_out() -> None:
    for change in (lambda z: z.resize(4), lambda z: z.append([1]), lambda z: setattr(z, "fill_value", 3)):
        store: dict[str, bytes] = {}
        z = zarrds.array(np.arange(10), chunks=3, store=store)
        assert "dimension_separator" not in json.loads(store[".zarray"])
        change(z)
        assert json.loads(store[".zarray"])["dimension_separator"] == "."


@pytest.mark.parametrize(
    ("data", "axis", "shape"),
    [
        (np.arange(7)[None], 0, (7, 7)),
        ([[1] * 7], 0, (7, 7)),
        (np.zeros((0, 7)), 0, (6, 7)),
        (np.ones((2, 7), "f4"), 0, (8, 7)),
        (np.ones((6, 2)), 1, (6, 9)),
        (np.ones((6, 5)), -1, (6, 12)),
        (np.ones((7, 7)).T, 0, (13, 7)),
        (zarrds.ones((3, 7), chunks=2), 0, (9, 7)),
    ],
    ids=str,
)
def test_append(data: Any, axis: int, shape: tuple[int, ...]) -> None:
    _, z = grid()
    expected = np.append(z[:], np.asarray(data).astype(z.dtype), axis=axis)
    assert z.append(data, axis) == shape
    assert z.shape == shape
    assert np.array_equal(z[:], expected)


@pytest.mark.parametrize(
    ("data", "axis"),
    [
        (np.ones((2, 6)), 0),
        (np.ones((2, 7)), 1),
        (np.ones(7), 0),
        (np.ones((1, 1, 7)), 0),
        (5, 0),
        ([], 0),
        (np.ones((1, 7)), 2),
        (np.ones((1, 7)), -3),
    ],
    ids=str,
)
def test_appends_that_do_not_fit_change_nothing(data: Any, axis: int) -> None:
    store, z = grid()
    before = {key: bytes(value) for key, value in store.items()}
    with pytest.raises(ValueError):
        z.append(data, axis=axis)
    assert {key: bytes(value) for key, value in store.items()} == before
    assert z.shape == (6, 7)


def test_append_from_nothing() -> None:
    z = zarrds.zeros((0, 3), chunks=(2, 3), dtype="i2")
    for n in range(5):
        assert z.append([[n, n, n]]) == (n + 1, 3)
    assert z[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_append_texts() -> None:
    z = zarrds.array(["a", "b"], dtype=str, chunks=2)
    assert z.append(["ccc"]) == (3,)
    assert z.append(np.array(["d"], dtype=object)) == (4,)
    assert z[:].tolist() == ["a", "b", "ccc", "d"]


def test_a_0d_array_has_no_axis_to_append_along() -> None:
    z = zarrds.array(5)
    with pytest.raises((ValueError, IndexError), match="axis"):
        z.append(3)
    assert z[()] == 5


class Counting(dict[str, bytes]):
    """A mapping that counts what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def __getitem__(self, key: str) -> bytes:
        self.asked += 1
        return super().__getitem__(key)

    def __delitem__(self, key: str) -> None:
        self.asked += 1
        super().__delitem__(key)


def test_a_grid_of_a_thousand_million_chunks_is_not_enumerated() -> None:
    store = Counting()
    z = zarrds.zeros((10**6, 10**6), chunks=(10, 100), dtype="i1", store=store)
    assert z.nchunks == 10**9
    assert z.nbytes == 10**12
    assert z.cdata_shape == (10**5, 10**4)
    z[123456, 999_999] = 7
    assert z[123450:123460, -3:].sum() == 7
    assert z.nchunks_initialized == 1
    assert "1/1000000000" in repr(z.info)
    z.resize(10**5, 10**6)
    assert z.nchunks_initialized == 0
    z.resize(10**7, 10**7)
    assert z.nchunks == 10**11
    assert z.append(np.zeros((1, 10**7), "i1")[:0]) == (10**7, 10**7)
    assert store.asked < 60


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_arrays_in_zip_files_grow_and_do_not_shrink(tmp_path: Path) -> None:
    with zarrds.ZipStore(tmp_path / "a.zip", mode="w") as store:
        z = zarrds.array(np.arange(10), chunks=4, store=store)
        z.append(np.arange(2))  # the last chunk has room for them, and is written again
        z.resize(30)
        z.resize(12)  # nothing is stored behind that
        with pytest.raises(NotImplementedError, match="shrink"):
            z.resize(3)
        assert (z.shape, zarrds.open_array(store, mode="r").shape) == ((12,), (12,))
        assert z[:].tolist() == [*range(10), 0, 1]
