"""`copy` and `copy_all`: copy groups and arrays between hierarchies of zarrds and files of h5py."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

from zarrds._copy.hdf5 import (
    NotCopyableError,
    fill_attribute,
    h5py_attribute,
    is_h5py,
    json_attribute,
    make_scale,
    options_for_h5py,
    options_for_zarrds,
    write_part,
)
from zarrds._copy.in_blocks import copy_elements, copy_encoded, same_encoding
from zarrds._copy.like import options_between
from zarrds._copy.log import Tally, checked_choice, writing_to
from zarrds._node import bounded_depth
from zarrds._store import Place, normalize_path, place_in_file, place_on_disk, refuse_overlap
from zarrds.core import Array
from zarrds.errors import ArgumentError, ArgumentTypeError, CopyError
from zarrds.hierarchy import Group, create_member, require_copy

__all__ = ["copy", "copy_all"]

_CHOICES = ["raise", "replace", "skip", "skip_initialized"]


def copy(
    source: Any,
    dest: Any,
    name: str | None = None,
    shallow: bool = False,
    without_attrs: bool = False,
    log: Any = None,
    if_exists: str = "raise",
    dry_run: bool = False,
    **create_kws: Any,
) -> tuple[int, int, int]:
    """Copy the `source` array or group into the `dest` group.

    Data are copied part by part, aligned to the chunks of the destination. Between arrays of equal shape, chunks and
    codecs the encoded chunks are copied without being decoded.

    What the other side cannot store (references into an HDF5 file, empty datasets, links that lead nowhere, an
    attribute that is a reference) is skipped, with a line in the log.

    Parameters
    ----------
    source : group or array/dataset
        A zarrds group or array, or an h5py group or dataset.
    dest : group
        A zarrds or h5py group.
    name : str, optional
        Name to copy the object to; that of the source by default.
    shallow : bool, optional
        If True, only copy immediate children of `source`.
    without_attrs : bool, optional
        Do not copy user attributes.
    log : callable, file path or file-like object, optional
        If provided, will be used to log progress information.
    if_exists : {'raise', 'replace', 'skip', 'skip_initialized'}, optional
        How to handle arrays that already exist in the destination group. If 'raise' then a CopyError is raised on the
        first array already present in the destination group. If 'replace' then any array will be replaced in the
        destination. If 'skip' then any existing arrays will not be copied. If 'skip_initialized' then any existing
        arrays with all chunks initialized will not be copied (not available when copying to h5py).
    dry_run : bool, optional
        If True, don't actually copy anything, just log what would have happened.
    **create_kws
        Passed through to the `create_dataset` method when copying an array/dataset.

    Returns
    -------
    n_copied : int
        Number of items copied.
    n_skipped : int
        Number of items skipped.
    n_bytes_copied : int
        Number of bytes of data that were actually copied.

    Raises
    ------
    CopyError
        Something is in the destination that may not be replaced.
    SelfOverwriteError
        The destination lies in the source, or would replace it.

    Examples
    --------
    >>> import sys, zarrds
    >>> source, dest = zarrds.group(), zarrds.group()
    >>> baz = source.create_dataset("foo/bar/baz", data=range(100), chunks=50)
    >>> zarrds.copy(source["foo"], dest, log=sys.stdout)
    copy /foo
    copy /foo/bar
    copy /foo/bar/baz (100,) int64
    all done: 3 copied, 0 skipped, 800 bytes copied
    (3, 0, 800)
    >>> dest.tree()
    /
     └── foo
         └── bar
             └── baz (100,) int64
    """
    checked_choice(if_exists, _CHOICES)
    _require_group(dest, if_exists)
    _require_node(source)
    name = _name_of(source) if name is None else str(name)
    _refuse_overlap(source, dest, name, if_exists)
    with writing_to(log) as say, bounded_depth(getattr(source, "path", None)):
        job = _Copy(say, shallow, without_attrs, if_exists, dry_run, create_kws)
        job.node(source, dest, name, root=True)
        say(job.tally.closing_line(dry_run))
    return job.tally.triple()


def copy_all(
    source: Any,
    dest: Any,
    shallow: bool = False,
    without_attrs: bool = False,
    log: Any = None,
    if_exists: str = "raise",
    dry_run: bool = False,
    **create_kws: Any,
) -> tuple[int, int, int]:
    """Copy all children of the `source` group into the `dest` group, and the attributes of `source`.

    Parameters
    ----------
    source : group
        A zarrds or h5py group.
    dest : group
        A zarrds or h5py group.
    shallow, without_attrs, log, if_exists, dry_run, **create_kws
        As for `copy`.

    Returns
    -------
    n_copied, n_skipped, n_bytes_copied : int
        As for `copy`.

    See Also
    --------
    copy

    Examples
    --------
    >>> import sys, zarrds
    >>> source, dest = zarrds.group(), zarrds.group()
    >>> baz = source.create_dataset("foo/baz", data=range(100), chunks=50)
    >>> spam = source.create_dataset("spam", data=range(100, 200), chunks=30)
    >>> zarrds.copy_all(source, dest, log=sys.stdout)
    copy /foo
    copy /foo/baz (100,) int64
    copy /spam (100,) int64
    all done: 3 copied, 0 skipped, 1,600 bytes copied
    (3, 0, 1600)
    """
    checked_choice(if_exists, _CHOICES)
    _require_group(dest, if_exists)
    if not _is_group(source):
        raise ArgumentTypeError(f"source must be a group, got {source!r}")
    _refuse_overlap(source, dest, "", if_exists)
    with writing_to(log) as say, bounded_depth(getattr(source, "path", None)):
        job = _Copy(say, shallow, without_attrs, if_exists, dry_run, create_kws)
        job.members(source, dest)
        job.attributes(source, dest)
        say(job.tally.closing_line(dry_run))
    return job.tally.triple()


# --- what is what -----------------------------------------------------------------------------------------------------


def _is_group(obj: Any) -> bool:
    return isinstance(obj, Group) or (is_h5py(obj) and hasattr(obj, "create_dataset"))


def _is_array(obj: Any) -> bool:
    return isinstance(obj, Array) or (is_h5py(obj) and hasattr(obj, "shape") and hasattr(obj, "attrs"))


def _require_group(dest: Any, if_exists: str) -> None:
    if not _is_group(dest):
        raise ArgumentError(f"dest must be a group, got {dest!r}")
    if if_exists == "skip_initialized" and is_h5py(dest):
        raise ArgumentError(f"{if_exists!r} can only be used when copying to zarrds")


def _require_node(source: Any) -> None:
    if not _is_group(source) and not _is_array(source):
        raise ArgumentTypeError(
            f"source must be an array or group of zarrds, or a dataset or group of h5py, got {source!r}"
        )


def _name_of(source: Any) -> str:
    name = (source.name or "").rpartition("/")[2]
    if not name:
        raise ArgumentTypeError("source has no name, please provide the `name` parameter to indicate a name to copy to")
    return str(name)


def _refuse_overlap(source: Any, dest: Any, name: str, if_exists: str) -> None:
    """Raise an error if a copy would read what it has written, or overwrite what it must still read.

    Copying upwards in one hierarchy (a member becomes its parent) is allowed if nothing existing changes.
    """
    refuse_overlap(
        _places(source),
        _places(dest, name),
        path=normalize_path(name),
        replaces=if_exists not in ("raise", "skip"),
        linked=True,
        hint="choose a destination elsewhere",
    )


def _places(node: Any, name: str = "") -> list[Place]:
    """Return the places of the documents and chunks of a node, or of a future member of that name."""
    if is_h5py(node):
        inner = normalize_path(name) if name.startswith("/") else normalize_path(f"{node.name or ''}/{name}")
        return [place_in_file(place_on_disk(node.file.filename), inner)]
    path = normalize_path(name) if name.startswith("/") else normalize_path(f"{node.path}/{name}")
    stores = [node.store] if node.chunk_store is node.store else [node.store, node.chunk_store]
    return [store.place(path) for store in stores]


def _described(source: Any) -> str:
    """Return the name of a node in log lines."""
    return f"{source.name} {source.shape} {source.dtype}" if _is_array(source) else f"{source.name}"


# --- the copy ---------------------------------------------------------------------------------------------------------


class _Copy:
    """One copy in progress."""

    def __init__(
        self,
        say: Callable[[str], None],
        shallow: bool,
        without_attrs: bool,
        if_exists: str,
        dry_run: bool,
        create_kws: dict[str, Any],
    ) -> None:
        self.say = say
        self.shallow, self.without_attrs = shallow, without_attrs
        self.if_exists, self.dry_run = if_exists, dry_run
        self.create_kws = create_kws
        self.tally = Tally()
        self._open: list[Any] = []  # groups of HDF5 that are being copied: links between them may form a circle

    def node(self, source: Any, dest: Any, name: str, root: bool = False) -> None:
        """Copy an array, or a group with its members; `dest` is None if a dry run created nothing."""
        if _is_array(source):
            self._array(source, dest, name)
        elif root or not self.shallow:
            self._group(source, dest, name)

    def members(self, source: Any, dest: Any) -> None:
        """Copy all members of a group."""
        self._open.append(source)
        for name, member in self._listed(source):
            self.node(member, dest, name)
        self._open.pop()

    def _listed(self, source: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(source, Group):
            members, failed = source.open_members()
            for name, error in failed.items():
                self._skip(f"{source.name.rstrip('/')}/{name}", str(error))
            yield from members.items()
            return
        for name in source:
            member = source.get(name)
            where = f"{source.name.rstrip('/')}/{name}"
            if member is None:
                self._skip(where, "a link that leads nowhere")
            elif member in self._open:
                self._skip(where, "a link to a group that it is in")
            elif not _is_array(member) and not _is_group(member):
                self._skip(where, "a named data type")
            else:
                yield name, member

    def _skip(self, what: str, reason: str | None = None) -> None:
        self.say(f"skip {what}" + (f": {reason}" if reason else ""))
        self.tally.skipped += 1

    def attributes(self, source: Any, dest: Any) -> None:
        """Copy the attributes of a node."""
        if self.without_attrs or self.dry_run:
            return
        if is_h5py(dest):
            self._attributes_to_h5py(source, dest)
            return
        dest.attrs.update(self._attributes_of(source))  # even if there are none: their document is part of a copy

    def _attributes_of(self, source: Any) -> dict[str, Any]:
        """Return those attributes of a node that a hierarchy of zarrds can store."""
        found = {}
        for name in source.attrs:
            try:
                found[name] = json_attribute(source.attrs[name]) if is_h5py(source) else source.attrs[name]
            except NotCopyableError as reason:
                self.say(f"skip attribute {name!r} of {source.name}: {reason}")
        return found

    def _attributes_to_h5py(self, source: Any, dest: Any) -> None:
        if not is_h5py(source):
            found = dict(source.attrs)
            make_scale(found, dest)
            for name in found:
                value, remark = h5py_attribute(found[name])
                if remark is not None:
                    self.say(f"attribute {name!r} of {source.name}: {remark}")
                dest.attrs[name] = fill_attribute(value, dest) if name == "_FillValue" else value
            return
        for name in source.attrs:
            value = source.attrs[name]
            if source.attrs.get_id(name).dtype.hasobject and not _travels(value):
                self.say(f"skip attribute {name!r} of {source.name}: a reference into the file")
            else:
                dest.attrs.create(name, value, dtype=source.attrs.get_id(name).dtype)

    # --- groups ------------------------------------------------------------------------------------------------------

    def _group(self, source: Any, dest: Any, name: str) -> None:
        there = dest[name] if dest is not None and name in dest else None
        replaced = there is not None and _is_array(there)
        if replaced and self.if_exists == "raise":
            raise CopyError(f"an array {name!r} already exists in destination {dest.name!r}")
        if replaced and self.if_exists == "skip":
            self._skip(_described(source))
            return
        self.say(f"copy {_described(source)}")
        target = None if replaced else there
        if not self.dry_run:
            target = self._required(source, dest, name, replaced)
            self.attributes(source, target)
        self.tally.copied += 1
        self.members(source, target)

    def _required(self, source: Any, dest: Any, name: str, replaced: bool) -> Any:
        if not is_h5py(dest):
            return require_copy(dest, name, source, overwrite=replaced)
        if replaced:
            del dest[name]
        return dest.require_group(name)

    # --- arrays ------------------------------------------------------------------------------------------------------

    def _array(self, source: Any, dest: Any, name: str) -> None:
        exists = dest is not None and name in dest
        if exists and self._keeps(dest, name):
            self._skip(_described(source))
            return
        try:
            reader, options = self._options(source, dest)
        except NotCopyableError as reason:
            self._skip(_described(source), str(reason))
            return
        self.say(f"copy {_described(source)}")
        if not self.dry_run:
            self._copy_array(source, reader, dest, name, options, exists)
        self.tally.copied += 1

    def _keeps(self, dest: Any, name: str) -> bool:
        """Return whether the existing node in the destination stays; raise CopyError if it may not be replaced."""
        if self.if_exists == "skip_initialized":
            there = dest[name]
            if isinstance(there, Array):
                return there.nchunks_initialized == there.nchunks
        elif self.if_exists in ("replace", "skip"):
            return self.if_exists == "skip"
        raise CopyError(f"an object {name!r} already exists in destination {dest.name!r}")

    def _options(self, source: Any, dest: Any) -> tuple[Any, dict[str, Any]]:
        """Return the array to read from, and the keywords for `create_dataset`."""
        given = self.create_kws
        if is_h5py(source):
            reader, options = _same_in_h5py(source) if is_h5py(dest) else options_for_zarrds(source)
            return reader, {**options, **given}
        if is_h5py(dest):
            return options_for_h5py(source, given)
        new_format = source.zarr_format if dest is None else dest.zarr_format
        return source, options_between(source, given.get("zarr_format") or new_format, given)

    def _copy_array(
        self, source: Any, reader: Any, dest: Any, name: str, options: dict[str, Any], exists: bool
    ) -> None:
        """Create an array and copy data and attributes; a replaced one stays, and a new one is not seen, until then."""
        if not is_h5py(dest):
            found = None if self.without_attrs else self._attributes_of(source)

            def fill(target: Array) -> None:
                self._copy_data(source, reader, target)
                # stores that translate documents, or cannot delete, have the document already: it was set first
                comes_last = dest.store.keeps_documents and dest.store.is_erasable()
                if not exists and comes_last and name in dest:
                    raise CopyError(f"another task has created {name!r} in destination {dest.name!r}")

            extra = _ignorable(source, options.get("zarr_format") or dest.zarr_format)
            create_member(dest, name, {**options, "overwrite": True}, fill=fill, attributes=found, extra=extra)
            return
        if exists:
            del dest[name]
        target = dest.create_dataset(name, **options)
        self._copy_data(source, reader, target)
        self.attributes(source, target)

    def _copy_data(self, source: Any, reader: Any, target: Any) -> None:
        if isinstance(source, Array) and isinstance(target, Array) and same_encoding(source, target):
            copy_encoded(source.source().open(), target.source().open())
        else:
            copy_elements(reader, target, write_part if is_h5py(target) else operator.setitem)
        self.tally.nbytes += target.size * target.dtype.itemsize


def _travels(value: Any) -> bool:
    """Return whether an attribute value can be copied to another HDF5 file: whether it has no reference."""
    try:
        json_attribute(value)
    except NotCopyableError:
        return not value.dtype.hasobject if hasattr(value, "dtype") else False
    return True


def _same_in_h5py(source: Any) -> tuple[Any, dict[str, Any]]:
    """Return the keywords to create a dataset of the same kind in another HDF5 file."""
    import h5py

    if source.shape is None or (source.dtype.hasobject and h5py.check_ref_dtype(source.dtype) is not None):
        raise NotCopyableError("references into the file, or nothing at all")
    options = {"shape": source.shape, "dtype": source.dtype, "maxshape": None, "fillvalue": source.fillvalue}
    if source.dtype.kind == "O":
        del options["fillvalue"]
    if source.chunks is None:
        return source, options
    names = ("chunks", "maxshape", "compression", "compression_opts", "shuffle", "fletcher32", "scaleoffset")
    return source, {**options, **{name: getattr(source, name) for name in names}}


def _ignorable(source: Any, new_format: int) -> str:
    """Return, as JSON text, the members that a copy from Zarr v3 to Zarr v3 keeps though readers may ignore them."""
    is_kept = isinstance(source, Array) and source.zarr_format == new_format == 3
    return source.source().meta.extra if is_kept else ""
