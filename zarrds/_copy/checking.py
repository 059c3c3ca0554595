"""Compare values, and elements, of a copy with those of its source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

from zarrds._base.types import Buf, NDArrayAny
from zarrds._engine import OpenSource, sources_by_key
from zarrds._store import Store, buffer_size, same_tags, sizes_of
from zarrds.errors import ArgumentError, CopyError, ZarrdsError

__all__ = ["IfExists", "OnError", "Verify", "check_choices", "check_values", "same_elements", "same_values"]

IfExists = Literal["raise", "replace", "skip", "skip_same"]
OnError = Literal["raise", "report"]
Verify = Literal["size", "read", "hash"]


def check_choices(if_exists: Any, verify: Any, on_error: Any = "raise") -> None:
    """Raise ValueError for a choice that does not exist."""
    if if_exists not in get_args(IfExists):
        raise ArgumentError(f"if_exists must be one of {get_args(IfExists)}, found {if_exists!r}")
    if verify is not None and verify not in get_args(Verify):
        raise ArgumentError(f"verify must be one of {get_args(Verify)} or None, found {verify!r}")
    if on_error not in get_args(OnError):
        raise ArgumentError(f"on_error must be one of {get_args(OnError)}, found {on_error!r}")


def same_values(source: Store, dest: Store, pairs: Sequence[tuple[str, str]]) -> list[bool]:
    """Return for each pair of keys whether both have a value, and the same one.

    A service that keeps hashes is asked for them; otherwise values of the same size are read.
    """
    same = {n for n, equal in enumerate(same_tags(source, dest, pairs)) if equal}
    left = [n for n in range(len(pairs)) if n not in same]
    old, new = sizes_of(source, [pairs[n][0] for n in left]), sizes_of(dest, [pairs[n][1] for n in left])
    alike = [n for n, a, b in zip(left, old, new, strict=True) if a == b and a is not None]
    values = _values(source, [pairs[n][0] for n in alike]), _values(dest, [pairs[n][1] for n in alike])
    same.update(n for n, a, b in zip(alike, *values, strict=True) if _same_bytes(a, b))
    return [n in same for n in range(len(pairs))]


def check_values(
    source: Store,
    dest: Store,
    pairs: Sequence[tuple[str, str]],
    verify: Verify,
    decoder: OpenSource | None,
    *,
    sizes: Sequence[int | None] | None = None,
    values: Sequence[Buf | None] | None = None,
) -> None:
    """Raise an error if a value is not what was copied, as far as `verify` asks for that; absent ones are not checked.

    Parameters
    ----------
    source, dest : Store
        Where the values were copied from and to.
    pairs : sequence of (str, str)
        Key in the source and in the destination of each value.
    verify : {"size", "read", "hash"}
        Whether sizes are compared, copies decoded too, or all bytes compared.
    decoder : OpenSource, optional
        The array to which the values belong in the destination; without it nothing is decoded.
    sizes : sequence of (int or None), optional
        Sizes of the values in the source, None for one that is absent; by default the source is asked.
    values : sequence of (bytes-like or None), optional
        What was copied, if it is in memory; by default it is read again where all bytes are compared.
    """
    sizes = sizes_of(source, [old for old, _ in pairs]) if sizes is None else sizes
    there = [(pair, size) for pair, size in zip(pairs, sizes, strict=True) if size is not None]
    keys = [new for (_, new), _ in there]
    if verify == "size":
        for (_, size), key, found in zip(there, keys, sizes_of(dest, keys), strict=True):
            _expect_size(dest, key, size, found)
        return
    copied = _values(dest, keys)
    of_key = sources_by_key(decoder) if verify == "read" and decoder is not None else None
    for (_, size), key, value in zip(there, keys, copied, strict=True):
        _expect_size(dest, key, size, None if value is None else buffer_size(value))
        if of_key is not None and value is not None:
            _decode_value(of_key(key), dest, key, value)
    if verify == "hash":
        real = _values(source, [old for (old, _), _ in there]) if values is None else values
        originals = [value for value in real if value is not None]
        for key, value, original in zip(keys, copied, originals, strict=True):
            if not _same_bytes(value, original):
                raise CopyError("the copy has other bytes than the source", store=repr(dest), key=key)


def _values(store: Store, keys: Sequence[str]) -> list[Buf | None]:
    return store.get_many([(key, None) for key in keys]) if keys else []


def _same_bytes(a: Buf | None, b: Buf | None) -> bool:
    """Return whether two values are there and have the same bytes."""
    return a is not None and b is not None and memoryview(a).cast("B") == memoryview(b).cast("B")


def _decode_value(decoder: OpenSource, dest: Store, key: str, value: Buf) -> None:
    """Decode a value of an array; raise an error that names its key if that cannot be done."""
    try:
        decoder.codec.decode(value)
    except ZarrdsError as error:
        error.store, error.key = repr(dest), key
        raise


def _expect_size(dest: Store, key: str, size: int | None, found: int | None) -> None:
    """Raise CopyError if the size of a copy is not that of the source."""
    if size != found:
        raise CopyError(
            "the copy has another size than the source",
            store=repr(dest),
            key=key,
            expected=f"{size} bytes",
            found="nothing" if found is None else f"{found} bytes",
        )


def same_elements(wanted: NDArrayAny, found: NDArrayAny) -> bool:
    """Return whether elements are the same, bit by bit, in the data type of `found`."""
    if found.dtype.hasobject:
        return bool(np.array_equal(wanted, found))
    same: Any = np.asarray(wanted, found.dtype)
    return bool(same.shape == found.shape and same.tobytes() == found.tobytes())
