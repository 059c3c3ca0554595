"""Compare values, and elements, of a copy with those of its source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from zarrds._base.types import Buf, NDArrayAny
from zarrds._engine import OpenSource, sources_by_key
from zarrds._store import Store, buffer_size, same_tags, sizes_of
from zarrds.errors import CopyError, ZarrdsError

__all__ = ["Verify", "check_values", "decode_value", "expect_size", "same_bytes", "same_elements", "same_values"]

Verify = Literal["size", "read", "hash"]


def same_values(source: Store, dest: Store, pairs: Sequence[tuple[str, str]]) -> list[bool]:
    """Return for each pair of keys whether both have a value, and the same one.

    A service that keeps hashes is asked for them; otherwise values of the same size are read.
    """
    same = {n for n, equal in enumerate(same_tags(source, dest, pairs)) if equal}
    left = [n for n in range(len(pairs)) if n not in same]
    old, new = sizes_of(source, [pairs[n][0] for n in left]), sizes_of(dest, [pairs[n][1] for n in left])
    alike = [n for n, a, b in zip(left, old, new, strict=True) if a == b and a is not None]
    values = _values(source, [pairs[n][0] for n in alike]), _values(dest, [pairs[n][1] for n in alike])
    same.update(n for n, a, b in zip(alike, *values, strict=True) if same_bytes(a, b))
    return [n in same for n in range(len(pairs))]


def check_values(
    source: Store, dest: Store, pairs: Sequence[tuple[str, str]], verify: Verify, decoder: OpenSource
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
    decoder : OpenSource
        The array to which the values belong in the destination.
    """
    sizes = sizes_of(source, [old for old, _ in pairs])
    there = [(pair, size) for pair, size in zip(pairs, sizes, strict=True) if size is not None]
    keys = [new for (_, new), _ in there]
    if verify == "size":
        for (_, size), key, found in zip(there, keys, sizes_of(dest, keys), strict=True):
            expect_size(dest, key, size, found)
        return
    copied, of_key = _values(dest, keys), sources_by_key(decoder)
    for (_, size), key, value in zip(there, keys, copied, strict=True):
        expect_size(dest, key, size, None if value is None else buffer_size(value))
        if verify == "read" and value is not None:
            decode_value(of_key(key), dest, key, value)
    if verify == "hash":
        originals = _values(source, [old for (old, _), _ in there])
        for key, value, original in zip(keys, copied, originals, strict=True):
            if not same_bytes(value, original):
                raise CopyError("the copy has other bytes than the source", store=repr(dest), key=key)


def _values(store: Store, keys: Sequence[str]) -> list[Buf | None]:
    return store.get_many([(key, None) for key in keys]) if keys else []


def same_bytes(a: Buf | None, b: Buf | None) -> bool:
    """Return whether two values are there and have the same bytes."""
    return a is not None and b is not None and memoryview(a).cast("B") == memoryview(b).cast("B")


def decode_value(decoder: OpenSource, dest: Store, key: str, value: Buf) -> None:
    """Decode a value of an array; raise an error that names its key if that cannot be done."""
    try:
        decoder.codec.decode(value)
    except ZarrdsError as error:
        error.store, error.key = repr(dest), key
        raise


def expect_size(dest: Store, key: str, size: int | None, found: int | None) -> None:
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
