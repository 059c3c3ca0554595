"""Arrays of every kind in stores of every kind, read and written through every selection, equal numpy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plan import oracle, strategies
from zarrds._codec import numcodecs_pipeline

from .worlds import STORES, World, assert_same, items, opened_world, options

SEEDS = st.integers(0, 2**16)

CASES = st.one_of(
    st.tuples(st.just("basic"), strategies.basic_cases()),
    st.tuples(st.just("orthogonal"), strategies.orthogonal_cases()),
    st.tuples(st.just("coordinate"), strategies.coordinate_cases()),
    st.tuples(st.just("mask"), strategies.mask_cases()),
    st.tuples(st.just("block"), strategies.block_cases()),
)


@pytest.fixture(autouse=True, scope="module")
def _small_parts():
    """Small chunks are read in parts, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numcodecs_pipeline, "PARTIAL_BYTES", 0)
        yield


@st.composite
def worlds(draw: st.DrawFn) -> Any:
    mode, (selection, shape, chunks) = draw(CASES)
    kind = draw(items())
    keywords = draw(options(kind, chunks))
    return mode, selection, shape, kind, keywords, draw(st.sampled_from(STORES)), draw(SEEDS)


def numpy_index(mode: str, selection: Any, shape: tuple[int, ...], chunks: tuple[int, ...]) -> tuple[Any, Any]:
    """What selects the same from a numpy array, and the shape of the result."""
    if mode == "basic":
        index = selection if isinstance(selection, tuple) else (selection,)
        return index, np.empty(shape)[index].shape
    if mode == "orthogonal":
        mesh, dropped = oracle.outer_index(selection, shape)
        full = np.broadcast_shapes(*(part.shape for part in mesh))
        return mesh, tuple(n for axis, n in enumerate(full) if axis not in dropped)
    if mode == "coordinate":
        index = tuple(np.asarray(item, dtype=int) for item in selection)
        return index, np.broadcast_shapes(*(part.shape for part in index)) or (1,)
    if mode == "mask":
        return selection, (int(np.count_nonzero(selection)),)
    index = oracle.block_index(selection, shape, chunks)
    return index, np.empty(shape)[index].shape


def picked(model: np.ndarray, index: Any, shape: tuple[int, ...]) -> np.ndarray:
    """``model[index]`` of that shape, always an array."""
    found = model[index]
    if isinstance(found, np.ndarray) and found.dtype == model.dtype:
        return found.reshape(shape)
    holder = np.empty((), model.dtype)
    holder[()] = found
    return holder.reshape(shape)


def _means_points(mode: str, selection: Any) -> bool:
    """0-d arrays between plain brackets mean points, as in zarr-python 2.17."""
    items = selection if isinstance(selection, tuple) else (selection,)
    return mode == "basic" and any(isinstance(item, np.ndarray) for item in items)


def read(z: Any, mode: str, selection: Any, by_method: bool, **keywords: Any) -> Any:
    if by_method or keywords or _means_points(mode, selection):
        return getattr(z, f"get_{mode}_selection")(selection, **keywords)
    shorthand = {"basic": z, "orthogonal": z.oindex, "coordinate": z.vindex, "mask": z.vindex, "block": z.blocks}
    return shorthand[mode][selection]


def write(z: Any, mode: str, selection: Any, value: Any, by_method: bool, **keywords: Any) -> None:
    if by_method or keywords or _means_points(mode, selection):
        getattr(z, f"set_{mode}_selection")(selection, value, **keywords)
        return
    shorthand = {"basic": z, "orthogonal": z.oindex, "coordinate": z.vindex, "mask": z.vindex, "block": z.blocks}
    shorthand[mode][selection] = value


def check_read(case: Any) -> None:
    mode, selection, shape, kind, keywords, store, seed = case
    index, result_shape = numpy_index(mode, selection, shape, keywords["chunks"])
    with opened_world(store, kind, shape, keywords, seed) as world:
        expected = picked(world.model, index, result_shape)
        found = read(world.z, mode, selection, seed % 5 == 0)
        assert_same(found, expected)
        _check_kind(found, mode, selection, world)
        if kind.dtype.names is not None if kind.codec is None else False:
            names = list(kind.dtype.names)
            for fields in (names[0], names[:2], names[-1:]):
                part = expected[fields]
                if not isinstance(fields, str):
                    part = part.astype([(name, kind.dtype[name]) for name in fields])
                assert_same(read(world.z, mode, selection, True, fields=fields), part)
        out = np.empty(result_shape, dtype=kind.dtype, order="F" if seed % 7 == 0 else "C")
        read(world.z, mode, selection, True, out=out)
        assert_same(out, expected)
        wide = np.empty((*result_shape, 2), dtype=kind.dtype)
        read(world.z, mode, selection, True, out=wide[..., 0])
        assert_same(wide[..., 0].copy(), expected)


def _check_kind(found: Any, mode: str, selection: Any, world: World) -> None:
    """Scalars are scalars, arrays have the memory order of the array."""
    shape = np.shape(found) if world.model.dtype != object else getattr(found, "shape", ())
    if shape == () and not (world.model.ndim == 0 and selection in (Ellipsis, (Ellipsis,))):
        assert not isinstance(found, np.ndarray) or mode == "coordinate"
    elif isinstance(found, np.ndarray) and mode in ("basic", "orthogonal", "block"):
        assert found.flags.f_contiguous if world.options["order"] == "F" else found.flags.c_contiguous
        assert found.flags.writeable


def check_write(case: Any, how: str) -> None:
    mode, selection, shape, kind, keywords, store, seed = case
    index, result_shape = numpy_index(mode, selection, shape, keywords["chunks"])
    with opened_world(store, kind, shape, keywords, seed) as world:
        value = _value(kind, result_shape, how, seed + 1)
        write(world.z, mode, selection, value, seed % 5 == 0)
        target_shape = oracle.numbered(shape)[index].shape
        full = np.empty(result_shape, dtype=kind.dtype)
        full[...] = value
        world.model[index] = full.reshape(target_shape)[()]
        assert_same(world.z[...], world.model)
        if kind.codec is None and kind.dtype.names is not None and mode != "block":
            name = kind.dtype.names[0]
            column = kind.values(result_shape, seed + 2)[name]
            write(world.z, mode, selection, column, True, fields=name)
            part = np.zeros(result_shape, kind.dtype)
            part[...] = picked(world.model, index, result_shape)
            part[name] = column
            if _distinct(index, shape):
                world.model[index] = part.reshape(target_shape)
                assert_same(world.z[...], world.model)


def _distinct(index: Any, shape: tuple[int, ...]) -> bool:
    places = oracle.numbered(shape)[index]
    return np.unique(places).size == places.size


def _value(kind: Any, shape: tuple[int, ...], how: str, seed: int) -> Any:
    if how == "scalar":
        found = kind.values((), seed)
        return found[()]
    if how == "broadcast":
        return kind.values(tuple(1 if (seed >> axis) & 1 else n for axis, n in enumerate(shape)), seed)
    value = kind.values(shape, seed)
    if how == "strided":
        wide = np.empty((*shape, 2), dtype=value.dtype)
        wide[..., 1] = value
        return wide[..., 1]
    if how == "list" and value.size and kind.codec is None and value.dtype.kind in "biu":
        return value.tolist()
    return np.asfortranarray(value) if how == "F" and shape else value


HOWS = st.sampled_from(["scalar", "full", "broadcast", "strided", "list", "F"])

QUICK = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(worlds())
def test_reading(case: Any) -> None:
    check_read(case)


@QUICK
@given(worlds(), HOWS)
def test_writing(case: Any, how: str) -> None:
    check_write(case, how)


@pytest.mark.slow
@LONG
@given(worlds())
def test_reading_long(case: Any) -> None:
    check_read(case)


@pytest.mark.slow
@LONG
@given(worlds(), HOWS)
def test_writing_long(case: Any, how: str) -> None:
    check_write(case, how)


@QUICK
@given(worlds(), st.integers(1, 3))
def test_values_of_a_wrong_shape_change_nothing(case: Any, more: int) -> None:
    mode, selection, shape, kind, keywords, store, seed = case
    _, result_shape = numpy_index(mode, selection, shape, keywords["chunks"])
    if kind.codec is not None or 0 in (result_shape or (0,)):
        return
    wrong = (*result_shape[:-1], result_shape[-1] + 1 + more)
    with opened_world(store, kind, shape, keywords, seed) as world:
        with pytest.raises(ValueError):
            write(world.z, mode, selection, kind.values(wrong, seed), False)
        assert_same(world.z[...], world.model)


@QUICK
@given(worlds())
def test_plain_brackets_with_arrays_are_points(case: Any) -> None:
    mode, selection, shape, kind, keywords, store, seed = case
    if mode != "coordinate":
        return
    index, result_shape = numpy_index(mode, selection, shape, keywords["chunks"])
    with opened_world(store, kind, shape, keywords, seed) as world:
        assert_same(world.z[index], picked(world.model, index, result_shape))


# --- arrays of arrays -------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-9, 9), max_size=3), min_size=1, max_size=7), st.integers(1, 8), SEEDS)
def test_ragged_arrays(rows: list[list[int]], chunk: int, seed: int) -> None:
    import zarrds

    model = np.empty(len(rows), dtype=object)
    z = zarrds.empty(len(rows), chunks=chunk, dtype="array:i4", write_empty_chunks=bool(seed % 2))
    for place, row in enumerate(rows):
        z[place] = np.array(row, dtype="i4")
        model[place] = np.array(row, dtype="i4")
    pick = np.random.default_rng(seed).integers(0, len(rows), 5)
    for found, expected in [(z[:], model), (z.oindex[pick], model[pick]), (z.vindex[pick], model[pick])]:
        assert found.dtype == object
        assert [item.tolist() for item in found] == [item.tolist() for item in expected]
    assert z[len(rows) - 1].dtype == np.int32
    z[:] = model[::-1].copy()
    assert [item.tolist() for item in z[:]] == rows[::-1]
