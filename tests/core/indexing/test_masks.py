"""Masks between plain brackets select as in numpy, whatever stands beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import zarrds
from tests.plan import oracle, strategies
from zarrds._plan.masks import resolve_masks
from zarrds._plan.mixed import plan_mixed
from zarrds._store.wrappers.n5 import N5Mapping

from .test_histories_of_formats import layouts
from .worlds import RangesDouble

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=2500, deadline=None, suppress_health_check=list(HealthCheck))


def picked(array: np.ndarray[Any, Any], selection: Any) -> Any:
    """What numpy selects; None where it refuses."""
    try:
        return array[selection]
    except (IndexError, ValueError):
        return None


def check(case: strategies.Case, layout: str, seed: int) -> None:
    selection, shape, _ = case
    model = oracle.numbered(shape).astype("f4")
    store = N5Mapping(zarrds.MemoryStore()) if layout == "n5" else RangesDouble()
    z = zarrds.create(shape, store=store, dtype="f4", **_layout(layout, len(shape)))
    z[...] = model
    expected = picked(model, selection)
    if expected is None:
        for use in (z.__getitem__, lambda found: z.__setitem__(found, 0)):
            with pytest.raises(IndexError):
                use(selection)
        return
    np.testing.assert_array_equal(z[selection], expected, strict=True)
    value = _value(expected.shape, seed)
    z[selection] = value
    whole = np.empty(expected.shape, "f4")
    whole[...] = value  # more dimensions of length 1 than `model[mask] = value` takes
    model[selection] = whole
    np.testing.assert_array_equal(z[...], model)


def _layout(name: str, ndim: int) -> dict[str, Any]:
    """Keywords for as many dimensions as there are; the layouts have two at most."""
    if ndim <= 2 and (ndim or name in ("2, order F", "3")):
        return layouts(ndim)[name]
    chunks = [2, 3, 1, 2][:ndim]
    if "transposed shards" in name:
        order = [2, 0, 3, 1] if ndim == 4 else [2, 0, 1][:ndim]
        turn = {"name": "transpose", "configuration": {"order": order}}
        inner = {
            "chunk_shape": [1, 2, 1, 1][:ndim],
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        }
        inside = {**inner, "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]}
        whole = [4, 4, 4, 4][:ndim]
        return {
            "zarr_format": 3,
            "chunks": whole,
            "codecs": [turn, {"name": "sharding_indexed", "configuration": inside}],
        }
    if "shards" in name and ndim:
        return {"zarr_format": 3, "chunks": chunks, "shards": [4, 6, 2, 2][:ndim]}
    if name == "n5" and ndim:
        return {"chunks": chunks}
    return {
        "zarr_format": int(name[0]) if name[0] in "23" else 2,
        "chunks": chunks,
        "order": "F" if "F" in name else "C",
    }


def _value(shape: tuple[int, ...], seed: int) -> Any:
    if seed % 4 == 0:
        return -5
    if seed % 4 == 1 and len(shape):
        return -np.arange(1, 1 + shape[-1])
    value = -1.0 - np.arange(np.prod(shape, dtype=int)).reshape(shape)
    return value.astype("f8") if seed % 4 == 2 else value[None]


@QUICK
@given(strategies.masked_cases(), st.sampled_from(sorted(layouts(1))), st.integers(0, 99))
def test_as_numpy(case: strategies.Case, layout: str, seed: int) -> None:
    check(case, layout, seed)


@pytest.mark.slow
@LONG
@given(strategies.masked_cases(), st.sampled_from(sorted(layouts(1))), st.integers(0, 99))
def test_as_numpy_long(case: strategies.Case, layout: str, seed: int) -> None:
    check(case, layout, seed)


@given(strategies.masked_cases())
def test_plans_meet_each_chunk_once(case: strategies.Case) -> None:
    selection, shape, chunks = case
    array = oracle.numbered(shape)
    expected = picked(array, selection)
    if expected is None:
        return
    found = resolve_masks(selection, shape)
    assert found.shape == expected.shape
    plan = plan_mixed(found.items, shape, chunks)
    oracle.check_projections(plan, shape, chunks)
    assert found.arranged(oracle.read(plan, oracle.split(array, chunks))).tolist() == expected.tolist()


A = np.arange(24).reshape(4, 3, 2)


@pytest.mark.parametrize(
    "selection",
    [
        np.array([True, False, True]),
        [True, False],
        (slice(None), np.ones(4, bool)),
        np.ones((4, 2), bool),
        np.ones((4, 3, 2, 1), bool),
        (np.ones(4, bool), 7),
        (np.array([True, True, False, False]), np.ones(3, bool)),
        (np.ones(4, bool), ..., ...),
        (np.ones(4, bool), "name"),
        (np.ones(4, bool), 1.5),
        (np.ones(4, bool), slice(None), slice(None), slice(None)),
        (np.ones(4, bool), slice(None, None, -1)),
    ],
    ids=str,
)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_does_not_fit_changes_nothing(selection: Any, zarr_format: int) -> None:
    z = zarrds.array(A, chunks=2, zarr_format=zarr_format)
    with pytest.raises(IndexError):
        z[selection]
    with pytest.raises(IndexError):
        z[selection] = 1
    with pytest.raises(ValueError):
        z[A > 3] = np.arange(3)
    with pytest.raises(ValueError):
        z[A > 3, None] = np.arange(3)
    np.testing.assert_array_equal(z[:], A)


def test_errors_name_both_lengths() -> None:
    with pytest.raises(IndexError, match=r"expected \(4,\), found \(3,\)"):
        zarrds.array(A)[np.ones(3, bool)]


def test_masks_of_other_libraries() -> None:
    import dask.array as da
    import pandas as pd

    z = zarrds.array(A[:, :, 0], chunks=2)
    rows = [True, False, True, True]
    for mask in (pd.Series(rows), pd.array(rows, dtype="boolean"), zarrds.array(rows), da.from_array(np.array(rows))):
        np.testing.assert_array_equal(z[mask], A[rows, :, 0])
        np.testing.assert_array_equal(z[mask, 1], A[rows, 1, 0])
    with pytest.raises((ValueError, IndexError)):
        z[pd.array([True, None, True, True], dtype="boolean")]


@pytest.mark.parametrize(
    "mask", [np.True_, np.False_, np.array(True), np.array(False), (np.True_, ...), (None, np.True_)]
)
def test_arrays_without_dimensions(mask: Any) -> None:
    z, a = zarrds.array(np.array(7)), np.array(7)
    np.testing.assert_array_equal(z[mask], a[mask], strict=True)
    z[mask] = 8
    a[mask] = 8
    assert z[()] == a[()]


def test_python_booleans_alone_are_integers() -> None:
    """As in zarr-python 2.17."""
    assert zarrds.array([4, 5, 6])[True] == 5


def test_fields_and_objects() -> None:
    records = np.zeros((3, 2), [("a", "i4"), ("b", "f4")])
    mask = np.array([[True, False], [False, True], [True, True]])
    z = zarrds.array(records, chunks=2)
    z["a", mask] = [1, 2, 3, 4]
    z[mask[:, 0], 0, "b"] = 9
    records["a"][mask] = [1, 2, 3, 4]
    records["b"][mask[:, 0], 0] = 9
    np.testing.assert_array_equal(z[:], records)
    np.testing.assert_array_equal(z["a", mask], records["a"][mask])
    np.testing.assert_array_equal(z[["a", "b"], mask], records[["a", "b"]][mask])
    texts = np.array([["a", "b"], ["c", "d"], ["e", "f"]], dtype=object)
    z = zarrds.array(texts, chunks=2, dtype=str)
    z[mask[:, 0], None] = [[["x", "yy"]], [["z", ""]]]
    texts[mask[:, 0], None] = [[["x", "yy"]], [["z", ""]]]
    assert z[:].tolist() == texts.tolist()
    assert z[mask].tolist() == texts[mask].tolist()


def test_only_the_chunks_of_the_mask_are_read_and_written() -> None:
    store = RangesDouble()
    z = zarrds.zeros((4, 10, 10), chunks=(2, 5, 5), store=store)
    mask = np.zeros((10, 10), bool)
    mask[1, 2] = mask[3, 4] = True
    z[:, mask] = 1
    assert z.nchunks_initialized == 2
    for key in [key for key in store if key.endswith("1")]:
        store[key] = b"not read"
    assert z[:, mask].tolist() == [[1, 1]] * 4


def test_batches_and_views() -> None:
    z = zarrds.array(np.arange(10), chunks=4)
    with z.batch():
        z[np.arange(10) > 5] = -1
        assert z[np.arange(10) % 2 == 0].tolist() == [0, 2, 4, -1, -1]
    assert z[:].tolist() == [0, 1, 2, 3, 4, 5, -1, -1, -1, -1]
    read_only = zarrds.Array(z.store, read_only=True)
    with pytest.raises(PermissionError):
        read_only[np.ones(10, bool)] = 1
