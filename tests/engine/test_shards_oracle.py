"""Shards of any kind against numpy: what is read is what an array in memory would give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codec.pipelines import BIG, LITTLE, numbers, sharding, source, spec
from tests.engine.counting import CountingStore
from zarrds._engine.reading import read
from zarrds._engine.writing import write
from zarrds._plan.plan import plan_everything, plan_selection

CODECS = [(LITTLE,), (BIG,), (LITTLE, "zstd"), (LITTLE, "gzip", "crc32c"), ("crc32c",)]
INDEXES = [(LITTLE, "crc32c"), (BIG,), (LITTLE,), (BIG, "crc32c", ("numcodecs.crc32", {}))]
DTYPES = ["u1", "i2", "f4", "c8", "S3", "U2", "M8[s]", "O"]


@st.composite
def layouts(draw):
    """An array of shards: its shape, and the spec of its chunks."""
    ndim = draw(st.integers(0, 3))
    lengths = st.lists(st.integers(1, 3), min_size=ndim, max_size=ndim)
    inner, counts = draw(lengths), draw(lengths)
    dtype = draw(st.sampled_from(DTYPES))
    order = draw(st.permutations(range(ndim)))
    filters = draw(st.sampled_from([[], [("transpose", {"order": list(order)})]]))
    codecs = list(draw(st.sampled_from(CODECS)))
    if dtype == "O":
        codecs = ["vlen-utf8", "zstd"]
    elif codecs == ["crc32c"]:
        codecs = [("transpose", {"order": list(draw(st.permutations(range(ndim))))}), LITTLE, "crc32c"]
    if draw(st.booleans()):  # shards in shards: the inner chunks are cut into single rows
        codecs = [sharding([1] * ndim, codecs=codecs)]
    index_codecs = list(draw(st.sampled_from(INDEXES)))
    if draw(st.booleans()):
        index_codecs.insert(0, ("transpose", {"order": list(draw(st.permutations(range(ndim + 1))))}))
    serializer = sharding(
        inner, codecs=codecs, index_codecs=index_codecs, index_location=draw(st.sampled_from(["start", "end"]))
    )
    compressors = draw(st.sampled_from([[], [], [], ["gzip"]]))
    turned = [a * b for a, b in zip(inner, counts, strict=True)]
    shard = list(turned)
    if filters:
        for axis, length in zip(filters[0][1]["order"], turned, strict=True):
            shard[axis] = length
    fill = None if dtype == "O" else numbers(dtype, (1,))[0]
    chunk = spec(dtype, shape=tuple(shard), filters=filters, serializer=serializer, compressors=compressors, fill=fill)
    shape = tuple(draw(st.integers(1, 2 * n + 1)) for n in shard)
    return shape, chunk


@st.composite
def selections(draw, shape):
    """A mode and a selection of an array of that shape."""
    mode = draw(st.sampled_from(["basic", "basic", "orthogonal", "coordinate"]))
    if mode == "coordinate" and not shape:
        mode = "basic"
    if mode == "coordinate":
        count = draw(st.integers(1, 6))
        return mode, tuple(
            np.array(draw(st.lists(st.integers(0, n - 1), min_size=count, max_size=count))) for n in shape
        )
    items = []
    for n in shape:
        kinds = ["slice", "slice", "int"] + (["array"] if mode == "orthogonal" else [])
        kind = draw(st.sampled_from(kinds))
        if kind == "slice":
            start = draw(st.integers(0, n - 1))
            items.append(slice(start, draw(st.integers(start + 1, n)), draw(st.integers(1, 3))))
        elif kind == "int":
            items.append(draw(st.integers(0, n - 1)))
        else:
            items.append(np.array(draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=4, unique=True))))
    return mode, tuple(items)


def index_of(mode, selection, shape):
    """The same selection for numpy."""
    if mode != "orthogonal":
        return selection
    return (
        np.ix_(*[np.atleast_1d(np.arange(n)[item]) for item, n in zip(selection, shape, strict=True)]) if shape else ()
    )


def kept(mode, selection, found):
    """Numpy's answer without the dimensions that integers drop."""
    if mode != "orthogonal":
        return found
    return found.reshape([n for n, item in zip(found.shape, selection, strict=True) if not isinstance(item, int)])


CASES = (st.data(), layouts(), st.sampled_from(["memory", "disk", "network"]), st.booleans())


@settings(max_examples=60, deadline=None)
@given(*CASES)
def test_reads_and_writes(data, layout, kind, ranges):
    check_reads_and_writes(data, layout, kind, ranges)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(*CASES)
def test_reads_and_writes_long(data, layout, kind, ranges):
    check_reads_and_writes(data, layout, kind, ranges)


def check_reads_and_writes(data, layout, kind, ranges):
    shape, chunk = layout
    store = CountingStore(kind, ranges=ranges)
    opened = source(store, shape, chunk)
    model = np.empty(shape, chunk.dtype)
    model[...] = opened.fill
    values = numbers(chunk.dtype, (max(model.size, 4),))
    for step in range(data.draw(st.integers(1, 4))):
        mode, selection = data.draw(selections(shape))
        plan = plan_selection(selection, shape, chunk.shape, mode)
        at = index_of(mode, selection, shape)
        if data.draw(st.booleans()):
            value = values[step] if chunk.dtype != object else np.array(values[step], object)
            model[at] = value
        elif mode == "coordinate" and len(set(zip(*[i.tolist() for i in at], strict=True))) < at[0].size:
            continue  # which of the values for one place is kept is nobody's promise
        else:
            count = int(np.prod(plan.result_shape))
            value = np.resize(values, count).reshape(plan.result_shape)
            if mode == "coordinate":
                model[at] = value
            else:
                model[at] = value.reshape(np.shape(model[at]))
        write(opened, plan, value)
        mode, selection = data.draw(selections(shape))
        found = read(opened, plan_selection(selection, shape, chunk.shape, mode))
        wanted = kept(mode, selection, np.asarray(model[index_of(mode, selection, shape)]))
        assert found.tolist() == wanted.tolist()
        assert found.dtype == model.dtype
    for reader in (opened, source(store, shape, chunk)):
        assert read(reader, plan_everything(shape, chunk.shape)).tolist() == model.tolist()
