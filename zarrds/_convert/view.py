"""Show a store in another format without writing: documents are translated at once, chunks when they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zarrds import _node
from zarrds._base.types import Buf, ByteRange, Request
from zarrds._convert.chunks import open_both
from zarrds._convert.documents import documents_of
from zarrds._convert.plan import Step, nodes_in, plan_steps
from zarrds._engine import ChunkKeys, OpenSource, read, stored_chunks, write
from zarrds._format import CONSOLIDATED_KEY, ArrayMeta, GroupMeta, box_coords, consolidate_documents, grid_shape
from zarrds._plan import plan_selection
from zarrds._store import MemoryStore, Store, cut, level, names_below, normalize_path, to_bytes
from zarrds.errors import ReadOnlyError

__all__ = ["FormatView"]


class FormatView(Store):
    """A store as it would be after a conversion; reading only.

    Documents, and consolidated metadata, are translated once: nodes that others create or change later are not seen,
    changed chunks are. Chunks that both formats describe are passed on; others are decoded and encoded again.

    Parameters
    ----------
    store : Store
        A hierarchy in any layout.
    to : {2, 3}
        The format that is shown.

    Raises
    ------
    UnsupportedFormatError
        The format cannot express something.
    PathNotFoundError
        There is no hierarchy.
    """

    def __init__(self, store: Store, to: int) -> None:
        source, node = _node.locate_node(store, "", None, "r")
        if node is None:
            raise _node.not_found(store, "")
        self.store = source
        self.profile = source.profile
        found = nodes_in(source, _node.documents_below(source, "", node.zarr_format), node.zarr_format)
        steps = plan_steps(source, "", found, to, "", exact=False)
        self._documents = _documents(steps)
        arrays = [step for step in steps if isinstance(step.new.node, ArrayMeta)]
        self._arrays = {step.new.path: _Array(source, step) for step in arrays}

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        stored = [self._stored_key(key) for key, _ in requests]
        passed_on = [(key, part) for key, (_, part) in zip(stored, requests, strict=True) if key is not None]
        answers = iter(self.store.get_many(passed_on) if passed_on else ())
        return [
            self._translated(*request) if key is None else next(answers)
            for key, request in zip(stored, requests, strict=True)
        ]

    def __contains__(self, key: object) -> bool:
        """Return whether there is a value; chunks that are passed on are not read."""
        if not isinstance(key, str):
            return False
        stored = self._stored_key(key)
        return self._translated(key, None) is not None if stored is None else stored in self.store

    def _stored_key(self, key: str) -> str | None:
        """Return the key in the other store of a value that is passed on as it is; None for other values."""
        found = None if key in self._documents else self._located(key)
        return found[0].source.key(found[1]) if found is not None and found[0].raw else None

    def _translated(self, key: str, part: ByteRange | None) -> Buf | None:
        """Return a document, or a chunk that is decoded and encoded again; None if it is absent."""
        value: Buf | None = self._documents.get(key)
        if value is None and (found := self._located(key)) is not None:
            array, coords = found
            value = array.encoded(coords)
        return None if value is None else cut(value, part)

    def _located(self, key: str) -> tuple[_Array, tuple[int, ...]] | None:
        """Return the array to which a key belongs, and the coordinates of its chunk."""
        path = key
        while True:
            path = path.rpartition("/")[0]
            if path in self._arrays:
                coords = self._arrays[path].keys.coords(key)
                return None if coords is None else (self._arrays[path], coords)
            if not path:
                return None

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        yield from [key for key in self._documents if key.startswith(prefix)]
        for path, array in self._arrays.items():
            below = level(path)
            if below.startswith(prefix) or prefix.startswith(below):
                yield from (key for key in array.stored_keys() if key.startswith(prefix))

    def listdir(self, path: str | None = None) -> list[str]:
        prefix = level(normalize_path(path))
        if any(prefix.startswith(level(array)) for array in self._arrays):
            return super().listdir(path)
        # no chunks are between groups
        return names_below((key for key in self._documents if key.startswith(prefix)), prefix)

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        raise ReadOnlyError("a view of a store is read-only")

    def delete_many(self, keys: Sequence[str]) -> None:
        raise ReadOnlyError("a view of a store is read-only")

    def is_writeable(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.store!r}>"


def _documents(steps: Sequence[Step]) -> dict[str, bytes]:
    """Return all documents of the new format; for a group with consolidated metadata."""
    found = {key: text for step in steps for some in documents_of(step.new) for key, text in some}
    root = steps[0].new
    if isinstance(root.node, GroupMeta):
        found |= dict(consolidate_documents(found, CONSOLIDATED_KEY, root.path)[1])
    return found


class _Array:
    """One array, as it is stored and as it is shown."""

    def __init__(self, source: Store, step: Step) -> None:
        self.raw = step.raw
        self.source, self._shown = open_both(source, MemoryStore(), step)
        self.keys = ChunkKeys(self._shown)

    def encoded(self, coords: tuple[int, ...]) -> bytes | None:
        """Return a chunk decoded and encoded again; None for one of fill values."""
        old, new = self.source.meta, self._shown.meta
        origin = [at * length for at, length in zip(coords, new.chunk.shape, strict=True)]
        ends = [min(o + n, size) for o, n, size in zip(origin, new.chunk.shape, new.shape, strict=True)]
        region = tuple(map(slice, origin, ends))
        values = read(self.source, plan_selection(region, old.shape, old.write_unit, "basic"), threads=1)
        one = OpenSource(MemoryStore(), self._shown.path, new)
        write(one, plan_selection(region, new.shape, new.write_unit, "basic"), values, write_empty_chunks=False)
        found = one.store.get_many([(one.key(coords), None)])[0]
        return None if found is None else to_bytes(found)

    def stored_keys(self) -> Iterator[str]:
        """Yield the keys of the chunks that are shown; where chunks are cut otherwise, of all that may be stored."""
        old, new = self.source.meta, self._shown.meta
        if old.write_unit == new.write_unit:
            yield from map(self._shown.key, stored_chunks(self.source))
            return
        seen: set[tuple[int, ...]] = set()
        grid = grid_shape(new.shape, new.write_unit)
        for coords in stored_chunks(self.source):
            spans = [
                range(at * n // m, min(-(-(at + 1) * n // m), count))
                for at, n, m, count in zip(coords, old.chunk.shape, new.chunk.shape, grid, strict=True)
            ]
            seen.update(box_coords(spans))
        yield from map(self._shown.key, sorted(seen))
