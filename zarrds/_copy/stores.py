"""`copy_store`: copy keys and values of one store to another as encoded bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from zarrds import _node
from zarrds._base.types import ByteRange
from zarrds._copy.batches import DOCUMENT_BYTES, UNKNOWN_BYTES, RawCopy
from zarrds._copy.log import Tally, checked_choice, writing_to
from zarrds._copy.separators import differing_separator, spelled_out
from zarrds._engine import ChunkKeys, OpenSource, stored_chunks, windows
from zarrds._format import CONSOLIDATED_KEY, DOCUMENT_NAMES, FORMATS, ArrayMeta
from zarrds._store import Store, StoreLike, as_store, level, normalize_path, refuse_overlap
from zarrds.errors import ArgumentTypeError, CopyError, MetadataError, NotListableError, StoreAccessError

__all__ = ["copy_store", "document_rank", "is_document"]

_EXISTS = ByteRange(0, 1)
_ASKED_KEYS = 1000


def copy_store(
    source: StoreLike,
    dest: StoreLike,
    source_path: str | None = "",
    dest_path: str | None = "",
    excludes: str | Sequence[str] | None = None,
    includes: str | Sequence[str] | None = None,
    flags: int = 0,
    if_exists: str = "raise",
    dry_run: bool = False,
    log: Any = None,
) -> tuple[int, int, int]:
    """Copy data directly from the `source` store to the `dest` store, without decoding them.

    The most efficient way to copy a group or array with its configuration and attributes: encoded chunks are copied as
    they are, in batches bounded in bytes, and by the file system itself where both stores are on the same one.
    Documents are written after all chunks, those of groups after those of their members, so that a reader never finds
    a node before its data.

    Parameters
    ----------
    source : Mapping or str
        Store to copy data from, path of a directory, or URL.
    dest : MutableMapping or str
        Store to copy data into.
    source_path : str, optional
        Only copy data from under this path in the source store.
    dest_path : str, optional
        Copy data into this path in the destination store.
    excludes : sequence of str, optional
        One or more regular expressions which will be matched against keys in the source store, anywhere in them. Any
        matching key will not be copied.
    includes : sequence of str, optional
        One or more regular expressions which will be matched against keys in the source store and will override any
        excludes also matching.
    flags : int, optional
        Regular expression flags used for matching excludes and includes.
    if_exists : {'raise', 'replace', 'skip'}, optional
        How to handle keys that already exist in the destination store. If 'raise' then a CopyError is raised before
        anything is copied. If 'replace' then any data will be replaced in the destination; chunks of replaced arrays
        that the source does not hold are deleted, unless something was excluded. If 'skip' then any existing keys will
        not be copied.
    dry_run, log
        As for `copy`.

    Returns
    -------
    n_copied, n_skipped, n_bytes_copied : int
        As for `copy`; items are keys. All are 0 if no key is below `source_path`, also if the directory of the source
        is not there, which is no error, as in Zarr-Python 2.

    Raises
    ------
    CopyError
        A key is in the destination already, with ``if_exists='raise'``.
    SelfOverwriteError
        The destination is the source, or lies in it. Nothing has been changed.

    Examples
    --------
    >>> import sys, zarrds
    >>> store1, store2 = zarrds.MemoryStore(), zarrds.MemoryStore()
    >>> z = zarrds.group(store1).array("foo/bar", range(100), chunks=50)
    >>> zarrds.copy_store(store1, store2, log=sys.stdout)
    copy .zgroup
    copy foo/.zgroup
    copy foo/bar/.zarray
    copy foo/bar/0
    copy foo/bar/1
    all done: 5 copied, 0 skipped, ... bytes copied
    (5, 0, ...)
    """
    checked_choice(if_exists, ["raise", "replace", "skip"])
    wanted = _matcher(excludes, includes, flags)
    from_store, to_store = _as_store(source, "r"), _as_store(dest, "w")
    job = _StoreCopy(from_store, to_store, normalize_path(source_path), normalize_path(dest_path))
    job.refuse_overlap(replaces=if_exists == "replace")
    with writing_to(log) as say:
        keys = sorted(filter(wanted, _keys_below(from_store, job.source_path)))
        job.check(keys)
        fresh = not to_store.listdir(job.dest_path)
        existing = set() if fresh or if_exists == "replace" else job.existing(keys)
        if existing and if_exists == "raise":
            first = next(key for key in keys if key in existing)
            raise CopyError(f"key {job.target(first)!r} exists in destination")
        tally = job.run(keys, existing, dry_run, say)
        if not (fresh or dry_run) and if_exists == "replace" and excludes is None:
            job.delete_stale_chunks(keys)
        say(tally.closing_line(dry_run))
    if isinstance(dest, str):
        to_store.close()
    return tally.triple()


def _keys_below(store: Store, path: str) -> Iterable[str]:
    """Return the keys at and below a path; if the store cannot list, the keys that its metadata allow."""
    try:
        return list(store.keys_below(level(path)))
    except (NotListableError, StoreAccessError):
        documents = _node.documents_below(store, path)
    keys = list(documents)
    for known in FORMATS:
        nodes = {key.rpartition("/")[0] for key in documents}
        for where in nodes:
            node = known.parse_node(where, [documents.get(key) for key in known.node_keys(where)])
            if isinstance(node, ArrayMeta):
                source = OpenSource(store, where, node)
                keys += map(source.key, stored_chunks(source))
    key = level(path) + CONSOLIDATED_KEY
    return [*keys, key] if key in store else keys


def _as_store(given: Any, mode: str) -> Store:
    if hasattr(given, "store") and hasattr(given, "attrs"):
        raise ArgumentTypeError(f"expected a store, found {given!r}; its store is {type(given).__name__.lower()}.store")
    return as_store(given, mode=mode)


def _matcher(
    excludes: str | Sequence[str] | None, includes: str | Sequence[str] | None, flags: int
) -> Callable[[str], bool]:
    out, back = _patterns(excludes, flags), _patterns(includes, flags)

    def wanted(key: str) -> bool:
        return not any(p.search(key) for p in out) or any(p.search(key) for p in back)

    return wanted


def _patterns(given: str | Sequence[str] | None, flags: int) -> list[re.Pattern[str]]:
    return [re.compile(text, flags) for text in ((given,) if isinstance(given, str) else given or ())]


def is_document(key: str) -> bool:
    """Return whether a key is that of metadata: of a node, or consolidated under any hidden name."""
    name = key.rpartition("/")[2]
    return name in DOCUMENT_NAMES or name.startswith(".")


def document_rank(key: str) -> tuple[bool, int, bool, str]:
    """Return the sort key of the order of writing: attributes first, deep nodes first, consolidated last."""
    name = key.rpartition("/")[2]
    return name == CONSOLIDATED_KEY, -key.count("/"), not name.endswith("attrs"), key


class _StoreCopy:
    """Copy of one path of a store to a path of another."""

    def __init__(self, source: Store, dest: Store, source_path: str, dest_path: str) -> None:
        self.source, self.dest = source, dest
        self.source_path, self.dest_path = source_path, dest_path
        self._start = len(level(source_path))

    def refuse_overlap(self, *, replaces: bool) -> None:
        """Raise SelfOverwriteError if the destination is the source, lies in it, or would replace it."""
        sources, targets = [self.source.place(self.source_path)], [self.dest.place(self.dest_path)]
        refuse_overlap(sources, targets, path=self.dest_path, replaces=replaces, linked=True)

    def target(self, key: str) -> str:
        """Return the key in the destination."""
        return level(self.dest_path) + key[self._start :]

    def check(self, keys: Sequence[str]) -> None:
        """Raise an error if the destination cannot store the documents unchanged."""
        if self.dest.documents_format is None:
            return
        documents = [key for key in keys if is_document(key)]
        values = self.source.get_many([(key, None) for key in documents]) if documents else []
        found = zip(documents, values, strict=True)
        self.dest.check_documents([(self.target(key), text) for key, text in found if text is not None], encoded=True)

    def existing(self, keys: Sequence[str]) -> set[str]:
        """Return those of the keys that exist in the destination."""
        found: set[str] = set()
        for some in windows(keys, _ASKED_KEYS):
            there = self.dest.get_many([(self.target(key), _EXISTS) for key in some])
            found.update(key for key, value in zip(some, there, strict=True) if value is not None)
        return found

    def run(self, keys: Sequence[str], skip: set[str], dry_run: bool, say: Callable[[str], None]) -> Tally:
        """Copy all keys except those to skip, documents last and in their order."""
        tally = Tally(len(keys) - len(skip), len(skip))
        if dry_run:
            for key in keys:
                self._tell(key, key in skip, say)
            return tally
        raw = RawCopy(self.source, self.dest, self.source_path)
        documents = sorted((key for key in keys if is_document(key) and key not in skip), key=document_rank)
        expected = _Expected({} if raw.by_file_system else _chunk_bytes(self.source, self.source_path))
        tally.nbytes += raw.copy_all(self._values(keys, skip, say), expected)
        separator = differing_separator(self.source, self.dest)
        if separator is None:
            tally.nbytes += raw.copy_all(((key, self.target(key)) for key in documents), expected)
        else:
            tally.nbytes += sum(self._copy_spelled_out(key, separator) for key in documents)
        return tally

    def _copy_spelled_out(self, key: str, separator: str) -> int:
        text = self.source[key]
        self.dest[self.target(key)] = spelled_out(key, text, separator)
        return len(text)

    def _values(self, keys: Iterable[str], skip: set[str], say: Callable[[str], None]) -> Iterator[tuple[str, str]]:
        for key in keys:
            self._tell(key, key in skip, say)
            if key not in skip and not is_document(key):
                yield key, self.target(key)

    def _tell(self, key: str, skipped: bool, say: Callable[[str], None]) -> None:
        target = self.target(key)
        say(f"{'skip' if skipped else 'copy'} {key}" + (f" -> {target}" if target != key else ""))

    def delete_stale_chunks(self, keys: Sequence[str]) -> None:
        """Delete chunks of replaced arrays that are absent in the source: they would be read as data."""
        targets = {self.target(key) for key in keys}
        for path in sorted({key.rpartition("/")[0] for key in targets if is_document(key)}):
            source = self._copied_array(path)
            if source is not None:
                chunk_keys = ChunkKeys(source)
                there = [key for key in self.dest.keys_below(source.prefix) if key not in targets]
                stale = [key for key in there if chunk_keys.coords(key) is not None]
                self.dest.delete_many(stale)

    def _copied_array(self, path: str) -> OpenSource | None:
        try:
            node = _node.find_node(self.dest, path)
            return OpenSource(self.dest, path, node) if isinstance(node, ArrayMeta) else None
        except MetadataError:
            return None  # broken documents are copied like others; their chunks are unknown


class _Expected:
    """Estimate of the bytes of values: encoded chunks are seldom larger than decoded ones."""

    def __init__(self, chunk_bytes: Mapping[str, int]) -> None:
        self._chunk_bytes = chunk_bytes

    def __call__(self, key: str) -> int:
        if is_document(key):
            return DOCUMENT_BYTES
        path = key
        while path:
            path = path.rpartition("/")[0]
            if path in self._chunk_bytes:
                return self._chunk_bytes[path]
        return UNKNOWN_BYTES


def _chunk_bytes(store: Store, path: str) -> dict[str, int]:
    """Return the decoded bytes of a chunk of each array at and below a path, by one listing and batch per group."""
    found: dict[str, int] = {}
    with suppress(MetadataError):
        waiting = [(path, _node.find_node(store, path))]
        while waiting:
            where, node = waiting.pop()
            if isinstance(node, ArrayMeta):
                if not node.dtype.hasobject:
                    found[where] = node.chunk.nbytes
            elif node is not None:
                members = _node.child_nodes(store, where)
                waiting += [(level(where) + name, member) for name, member in members]
    return found
