"""Test on a small chunk whether two array descriptions decode the same bytes to the same elements.

Codecs have configurations, defaults and byte orders of their own. Whether encoded chunks can stay is therefore not
concluded from names: what one description encodes, the other must decode to the same elements.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import prod

import numpy as np

from zarrds._base.types import NDArrayAny, Shape
from zarrds._codec import build_codec
from zarrds._format import SHARDING, ChunkSpec
from zarrds.errors import ZarrdsError

__all__ = ["same_bytes", "same_elements"]


_REFUSALS = (ZarrdsError, ValueError, TypeError, OverflowError)


@lru_cache(maxsize=1024)
def same_bytes(old: ChunkSpec, new: ChunkSpec) -> bool:
    """Return whether chunks that were encoded as `old` are valid chunks of `new`."""
    if old.shape != new.shape:
        return False
    if old == new:
        return True
    if any(chunk.serializer is not None and chunk.serializer.name == SHARDING for chunk in (old, new)):
        return False
    shape = _small(old)
    small, *wide = _samples(shape, old)
    old, new = replace(old, shape=shape), replace(new, shape=shape)
    return _reads_the_same(old, new, small) is True and all(_reads_the_same(old, new, s) is not False for s in wide)


def _reads_the_same(old: ChunkSpec, new: ChunkSpec, sample: NDArrayAny) -> bool | None:
    """Return whether `new` decodes what `old` encodes; None if `old` cannot encode the sample."""
    try:
        with np.errstate(all="ignore"):  # for elements that a filter cannot represent
            encoded = build_codec(old).encode(sample)
    except _REFUSALS:
        return None
    if encoded is None:
        return None
    try:
        return _equal(build_codec(old).decode(encoded), build_codec(new).decode(encoded))
    except _REFUSALS:
        return False


@lru_cache(maxsize=1024)
def same_elements(old: ChunkSpec, new: ChunkSpec) -> bool:
    """Whether elements come out of `new` as they come out of `old`; of filters alone there is anything to ask."""
    if not old.filters or old.dtype.kind == "O" or 0 in old.shape:
        return True
    shape = _small(old)
    return all(_comes_out(replace(old, shape=shape), replace(new, shape=shape), s) for s in _samples(shape, old))


def _comes_out(old: ChunkSpec, new: ChunkSpec, sample: NDArrayAny) -> bool:
    try:
        sample = _through(old, sample)
    except _REFUSALS:
        return True  # such elements cannot be stored in it
    try:
        return _equal(sample, _through(new, sample))
    except _REFUSALS:
        return False


def _through(chunk: ChunkSpec, sample: NDArrayAny) -> NDArrayAny:
    codec = build_codec(chunk)
    with np.errstate(all="ignore"):  # for elements that a filter cannot represent
        encoded = codec.encode(sample)
    return sample if encoded is None else codec.decode(encoded)


def _small(chunk: ChunkSpec) -> Shape:
    return tuple(min(length, 3 + place) for place, length in enumerate(chunk.shape))


def _samples(shape: Shape, chunk: ChunkSpec) -> list[NDArrayAny]:
    """Return samples: small numbers, which every codec accepts, and numbers whose sums carry between bytes."""
    small = _sample(shape, chunk)
    if chunk.dtype.kind not in "iuf" or chunk.dtype.itemsize == 1 or chunk.dtype.isbuiltin == 2:
        return [small]
    wide = (np.arange(1, 1 + prod(shape)) * 7919 % 30011).astype(chunk.dtype).reshape(shape)
    return [small, np.asarray(wide, order=chunk.order)]


def _sample(shape: Shape, chunk: ChunkSpec) -> NDArrayAny:
    """Return elements that are all different, if the dtype has enough values."""
    dtype, count = chunk.dtype, prod(shape)
    numbers = np.arange(count) % 100 + 1
    if dtype.kind == "O":
        is_text = bool(chunk.filters) and chunk.filters[0].name == "vlen-utf8"
        is_text = is_text or (chunk.serializer is not None and chunk.serializer.name == "vlen-utf8")
        values = [str(n) if is_text else str(n).encode() for n in numbers]
        found = np.empty(count, dtype=object)
        found[:] = values
    elif dtype.kind in "biufc" and dtype.isbuiltin != 2:
        found = (numbers % 2 if dtype.kind == "b" else numbers).astype(dtype)
    elif dtype.kind in "SU":
        found = np.array([str(n) for n in numbers]).astype(dtype)
    else:
        found = (np.arange(count * dtype.itemsize) % 50 + 1).astype("u1").view(dtype)
    return np.asarray(found.reshape(shape), order=chunk.order)


def _equal(one: NDArrayAny, other: NDArrayAny) -> bool:
    if one.shape != other.shape:
        return False
    if one.dtype.kind == "O":
        return bool(one.tolist() == other.tolist())
    return _plain(one) == _plain(other.astype(one.dtype))


def _plain(array: NDArrayAny) -> bytes:
    return np.ascontiguousarray(array).tobytes()
