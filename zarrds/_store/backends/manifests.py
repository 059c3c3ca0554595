"""List the chunks of an array where a store cannot: their keys follow from its document."""

from __future__ import annotations

from itertools import product
from math import prod

from zarrds._format import FORMATS, ArrayMeta, grid_shape
from zarrds._store.base import Store
from zarrds._store.paths import level
from zarrds.errors import NotListableError

__all__ = ["keys_by_document"]

_MOST_CHUNKS = 100_000


def keys_by_document(store: Store, path: str) -> list[str]:
    """Return the keys of the document of an array and of all its chunks, also of those that are absent.

    Raises
    ------
    NotListableError
        If there is no array, or if it has more chunks than can be asked for one by one.
    """
    for known in FORMATS:
        keys = known.node_keys(path)
        documents = store.get_many([(key, None) for key in keys])
        if all(document is None for document in documents):
            continue
        meta = known.parse_node(path, documents)
        if isinstance(meta, ArrayMeta):
            counts = grid_shape(meta.shape, meta.write_unit)
            if prod(counts) > _MOST_CHUNKS:
                break
            chunks = product(*map(range, counts))
            return [*keys, *(level(path) + meta.keys.key(coords) for coords in chunks)]
    raise NotListableError("this store cannot list keys", store=repr(store), key=path)
