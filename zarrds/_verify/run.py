"""`verify`: find problems in a hierarchy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zarrds import _node
from zarrds._engine import OpenSource
from zarrds._store import Store, StoreLike, WrapperStore, as_store, local_directory, normalize_path
from zarrds._verify.chunks import decoded, sized
from zarrds._verify.hierarchy import Surveyed, survey
from zarrds._verify.report import Finding, Level, Report
from zarrds.errors import ArgumentError, MetadataError, ReadOnlyError

__all__ = ["check_level", "chunk_findings", "verify"]


def verify(
    store: StoreLike,
    path: str | None = "",
    level: Level = "keys",
    *,
    clean: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> Report:
    """Find problems in a hierarchy; nothing changes unless `clean` is set.

    Zarr v2 and v3 hierarchies, N5 containers, Zarr v1 arrays and the experimental Zarr v3 can be verified.

    Parameters
    ----------
    store : str, Store or Mapping
        Store, path of a directory, or URL.
    path : str, optional
        Array or group to verify, with all below it; the whole store by default.
    level : {"keys", "sizes", "decode"}
        "keys" lists the store once and reads the documents. "sizes" also reads some bytes of each chunk whose size can
        be known without decoding it: uncompressed ones, those of Blosc, blocks of N5, and shards, whose index is
        checked (its checksum, bounds and overlaps). "decode" reads and decodes all chunks.
    clean : bool, default False
        Remove the temporary files that stopped writers left. No writer may be active at the same time.
    storage_options : dict, optional
        Options of the file system behind a URL.

    Returns
    -------
    Report
        Printed as text and, in notebooks, as HTML; ``report.ok`` says whether there is no problem, and
        ``report.findings`` holds what was found. Kinds of findings: ``invalid-document``, ``unknown-codec``,
        ``two-nodes`` (an array and a group at one path), ``array-above`` (a node below an array), ``missing-parent``,
        ``outdated-document`` (of an earlier writer, see `zarrds.repair`),
        ``stray`` (a key that belongs to nothing), ``temporary`` (left by a stopped writer), ``stale-consolidated``,
        ``unfinished`` (a job was stopped),
        ``wrong-size``, ``wrong-index`` (of a shard), ``undecodable``; and, as no problem, ``absent-chunks``.

    Raises
    ------
    PathNotFoundError
        Nothing is at `path`.
    StoreError
        The store failed; a failure is never reported as a finding.

    Examples
    --------
    >>> import zarrds
    >>> store = zarrds.MemoryStore()
    >>> z = zarrds.group(store).array("u", range(4), chunks=2, compressor=None)
    >>> zarrds.verify(store, level="decode").ok
    True
    >>> store["u/1"] = b"torn"
    >>> print(zarrds.verify(store, level="sizes"))
    Store     : <zarrds.storage.MemoryStore ...>
    Path      : /
    Level     : sizes
    Looked at : 1 groups, 1 arrays, 2 chunks
    Problems  : 1 wrong-size
    ! wrong-size: u/1: the value is shorter than the 16 bytes that it must have
    """
    check_level(level)
    real_store = as_store(store, mode="r+" if clean else "r", storage_options=storage_options)
    where = normalize_path(path)
    if clean and not real_store.is_writeable():
        raise ReadOnlyError("temporary files cannot be removed from a store opened read-only", store=repr(real_store))
    found = _surveyed(real_store, where)
    if not (found.groups or found.arrays or found.findings or found.temporary):
        raise _node.not_found(real_store, where)
    removed = _temporary(real_store, where, found, clean)
    found.findings += _chunk_findings(found, level)
    report = Report(
        store=repr(real_store),
        path=where,
        level=level,
        groups=len(found.groups),
        arrays=len(found.arrays),
        chunks=sum(map(len, found.chunks.values())),
        removed=tuple(removed),
    )
    return report.with_findings(found.findings)


def check_level(level: object) -> None:
    """Raise ValueError for a level that does not exist."""
    if level not in ("keys", "sizes", "decode"):
        raise ArgumentError(f"level must be 'keys', 'sizes' or 'decode', found {level!r}")


def _surveyed(store: Store, path: str) -> Surveyed:
    """Survey the nodes below a path; if there are none, those of another layout."""
    try:
        found = survey(store, path)
        if found.groups or found.arrays or any(finding.kind == "invalid-document" for finding in found.findings):
            return found
        other = _node.other_layout(store, "r")
        return found if other is None else survey(other, path)
    except MetadataError as error:
        if error.key is None:
            raise
        key, error.store, error.key = error.key, None, None
        return Surveyed(findings=[Finding("invalid-document", key, str(error))])


def _chunk_findings(found: Surveyed, level: Level) -> list[Finding]:
    if level == "keys":
        return []
    return [
        finding
        for path, source in sorted(found.arrays.items())
        for finding in chunk_findings(source, sorted(found.chunks[path]), level)
    ]


def chunk_findings(source: OpenSource, keys: Sequence[str], level: Level) -> list[Finding]:
    """Check some chunks of an array; absent ones are no problem."""
    findings = list(sized(source, keys))
    if level == "decode":
        reported = {finding.key for finding in findings}
        findings += decoded(source, [key for key in keys if key not in reported])
    return findings


def _temporary(store: Store, path: str, found: Surveyed, clean: bool) -> list[str]:
    """Report temporary files, or remove them and return their keys."""
    while isinstance(store, WrapperStore):  # temporary files do not depend on the layout
        store = store.store
    directory = local_directory(store)
    own = [] if directory is None else directory.abandoned(path)
    if not clean:
        found.findings += [Finding("temporary", key, "left by a stopped writer") for key in [*own, *found.temporary]]
        return []
    if directory is not None:
        directory.remove_abandoned(own)
    store.delete_many(found.temporary)
    return [*own, *found.temporary]
