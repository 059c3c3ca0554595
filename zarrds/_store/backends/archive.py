"""The open file behind a `ZipStore`.

Python's `zipfile` reads and writes the central directory. Entries are read and written here, each at its own offset, so
that an entry is listed only when it is complete, and threads can read at the same time.

1. Documents are kept in memory until the archive is flushed or closed, as they change often; chunks are not.
2. Entries are only appended, after the last central directory, which stays in the file: so flushed entries are found
   again after a writer was killed.
3. A replaced entry is omitted from the next central directory; its bytes stay in the file.
4. A failure of one entry does not affect others: names that ZIP cannot hold raise when they are set, an entry that
   could not be written is omitted, and the central directory is written in any case. If there is no space for it, the
   entries written last are dropped, at most back to the last flush.
"""

from __future__ import annotations

import bz2
import io
import lzma
import mmap
import os
import struct
import threading
import time
import zipfile
import zlib
from contextlib import suppress
from typing import Any

from zarrds._base.config import get_config
from zarrds._base.types import Buf, ByteRange
from zarrds._store.live import LiveData
from zarrds._store.paths import check_key
from zarrds._store.request import Flat, byte_view, cut, range_bounds, to_bytes
from zarrds.errors import ArgumentError, InvalidKeyError, StoreAccessError, StoreError, StoreMemoryError

__all__ = ["Archive", "refuse_bomb"]

_DOCUMENTS = (".zarray", ".zgroup", ".zattrs", ".zmetadata", ".json")
"""Suffixes of keys whose values are kept in memory until the archive is flushed."""

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_END_RECORD = struct.Struct("<4s8xLLH")
_FILE, _DIRECTORY = 0o644 << 16, (0o40775 << 16) | 0x10
_LIMIT = 2**31 - 1
"""Largest size or offset in bytes without the ZIP64 extensions."""
_MOST_ENTRIES = 2**16 - 1
"""Most entries of an archive without the ZIP64 extensions."""
_LONGEST_NAME = 2**16 - 1
_LARGE = 2**20
"""Size in bytes from which an entry is compared with the file size before memory is allocated."""
_DIRECTORY_ENTRY, _DIRECTORY_END = 80, 100
"""Most bytes of an entry in the central directory besides its name, and bytes after the entries."""
_USUAL_RATIO = 100
"""A large value may decompress to this many times its size, like encoded chunks."""


class _File(io.FileIO):
    """A file whose writes are complete or raise, even if the system writes only a part at a time."""

    def write(self, data: Any, /) -> int:
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view):
            done += super().write(view[done:])
        return done


class Archive:
    """The open file of a `ZipStore`; it exists until everything is written, also after the store is dropped."""

    def __init__(self, path: str, compression: int, zip64: bool, mode: str, *, later: bool = False) -> None:
        self.path = path
        self.compression = compression
        self.zip64 = zip64
        self.pid = os.getpid()
        self.live = LiveData()
        self.users = 0  # number of stores: those that were pickled and unpickled in this process share the archive
        self.lock = threading.RLock()
        self.documents: dict[str, bytes] = {}
        self.entries: dict[str, zipfile.ZipInfo] = {}
        self.offsets: dict[int, int] = {}
        self.comment = b""
        self.end = 0
        self.changed = False
        self.is_listed = True  # whether the central directory at the end of the file lists the current entries
        self.flushed_end = 0
        self.flushed: dict[str, zipfile.ZipInfo] = {}
        zipfile.ZipFile(io.BytesIO(), "w", compression).close()  # refuses methods that it does not have
        self._opened: _File | None = None
        self._is_over = False
        if not later or os.path.exists(path) or not os.access(os.path.dirname(path), os.W_OK):
            self._open(mode)  # otherwise the first write creates the file

    def _open(self, mode: str) -> None:
        exists = os.path.exists(self.path)
        try:
            self._opened = _File(self.path, {"r": "rb", "a": "rb+" if exists else "xb+", "w": "wb+", "x": "xb+"}[mode])
        except OSError as error:
            if isinstance(error, (FileNotFoundError, FileExistsError, IsADirectoryError)):
                raise
            kind = StoreAccessError if isinstance(error, PermissionError) else StoreError
            hint = "open it with mode='r' to read only" if exists and mode == "a" else None
            raise kind(f"cannot open: {error.strerror}", path=self.path, hint=hint) from error
        self.end = self.file.seek(0, io.SEEK_END)
        self.changed = self.end == 0 and mode != "r"
        if not self.changed:
            try:
                self._read_directory(mode)
            except BaseException:
                self.file.close()
                raise
        self._remember_flushed()

    @property
    def file(self) -> _File:
        """The open file; one that is created later is created now."""
        if self._opened is None:
            self.create()
        assert self._opened is not None
        return self._opened

    def create(self) -> None:
        """Create the file now if the first write was to create it; a forked child must not."""
        with self.lock:
            if self._opened is None:
                self._require_owner()
                changed = self.changed
                self._open("a")  # another store may have created it meanwhile
                self.changed |= changed

    @property
    def is_closed(self) -> bool:
        """Whether the file has been closed."""
        return self._is_over if self._opened is None else self._opened.closed

    def _remember_flushed(self) -> None:
        self.flushed_end = self.end
        self.flushed = dict(self.entries) if self.file.writable() else self.entries

    def _read_directory(self, mode: str) -> None:
        try:
            with zipfile.ZipFile(self.file, "r") as archive:
                self.entries, self.comment = dict(archive.NameToInfo), archive.comment
                return
        except zipfile.BadZipFile as error:
            end = _end_of_flushed(self.file)
            if end is None:
                raise zipfile.BadZipFile(f"{error}: {self.path!r}; it is no zip file, or was never closed") from None
            if mode == "r":
                hint = "its writer was killed; what it had flushed comes back when you open it with mode='a'"
                raise zipfile.BadZipFile(f"{error}: {self.path!r}; {hint}") from None
        self.end = self.file.truncate(end)
        self._read_directory("r")

    # --- reading -----------------------------------------------------------------------------------------------------

    def __contains__(self, key: str) -> bool:
        self._require_open()
        return key in self.documents or (key in self.entries and key[-1:] != "/")

    def all_keys(self) -> list[str]:
        self._require_open()
        with self.lock:
            return list({key: None for key in (*self.entries, *self.documents) if key[-1:] != "/"})

    def version(self, key: str) -> object:
        """Return the entry of a key, which is another object after each write; None if it is absent."""
        return self.documents.get(key) or self.entries.get(key)

    def size(self, key: str) -> int | None:
        document = self.documents.get(key)
        if document is not None:
            return len(document)
        entry = self.entries.get(key)
        return None if entry is None else entry.file_size

    def read(self, key: str, byte_range: ByteRange | None) -> Buf | None:
        document = self.documents.get(key)
        if document is not None:
            return cut(document, byte_range)
        entry = self.entries.get(key)
        if entry is None or self.is_closed:
            self._require_open()
            check_key(key)
            return None
        if entry.compress_type == zipfile.ZIP_STORED and not entry.flag_bits & 1:
            return self._read_stored(entry, byte_range)
        return cut(self._read_compressed(entry), byte_range)

    def _read_stored(self, entry: zipfile.ZipInfo, byte_range: ByteRange | None) -> bytes:
        if entry.file_size != entry.compress_size:
            raise self._broken(entry, "the archive gives two sizes for a value that is not compressed")
        start, stop = (0, entry.file_size) if byte_range is None else range_bounds(byte_range, entry.file_size)
        data = self._pread(entry, self._offset(entry) + start, stop - start)
        if byte_range is None and zlib.crc32(data) != entry.CRC:
            raise self._broken(entry, "the value does not have the checksum of the archive")
        return data

    def _read_compressed(self, entry: zipfile.ZipInfo) -> bytes:
        refuse_bomb(entry, self.path)
        data = self._pread(entry, self._offset(entry), entry.compress_size)
        try:
            data = _decompressed(entry, data)
        except (NotImplementedError, OSError, zlib.error, lzma.LZMAError, EOFError, ValueError, MemoryError) as error:
            raise self._broken(entry, f"cannot decompress: {error}") from error
        if len(data) != entry.file_size or zlib.crc32(data) != entry.CRC:
            raise self._broken(entry, "the value does not have the size and checksum of the archive")
        return data

    def _offset(self, entry: zipfile.ZipInfo) -> int:
        """Return the offset of an entry's data; its local header may be longer than the central directory says."""
        known = self.offsets.get(entry.header_offset)
        if known is not None:
            return known
        header = self._pread(entry, entry.header_offset, _LOCAL_HEADER.size)
        magic, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        if magic != b"PK\3\4":
            raise self._broken(entry, "there is no header where the archive says")
        offset = entry.header_offset + _LOCAL_HEADER.size + int(name_length) + int(extra_length)
        self.offsets[entry.header_offset] = offset
        return offset

    def _pread(self, entry: zipfile.ZipInfo, start: int, size: int) -> bytes:
        try:
            if size > _LARGE and start + size > os.fstat(self.file.fileno()).st_size:
                raise self._broken(entry, "the archive ends within the value")
            data = os.pread(self.file.fileno(), size, start)
            while len(data) < size:
                more = os.pread(self.file.fileno(), size - len(data), start + len(data))
                if not more:
                    raise self._broken(entry, "the archive ends within the value")
                data += more
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            raise self._broken(entry, f"cannot read: {error.strerror}") from error
        except (MemoryError, OverflowError) as error:
            raise StoreMemoryError(path=self.path, key=entry.filename, found=f"{size} bytes") from error
        return data

    def _broken(self, entry: zipfile.ZipInfo, message: str, **fields: Any) -> StoreError:
        return StoreError(message, path=self.path, key=entry.filename, **fields)

    def _require_open(self) -> None:
        if self.is_closed:
            raise ArgumentError(f"the store was closed already: {self.path!r}")

    # --- writing -----------------------------------------------------------------------------------------------------

    def write(self, key: str, value: Buf) -> bool:
        """Set a value under a checked name; return whether old bytes in the file are now unused."""
        with self.lock:
            self._require_owner()
            if not self.zip64:
                self._require_no_zip64(key, len(byte_view(value)))
            if key.endswith(_DOCUMENTS):
                self.documents[key] = to_bytes(value)
                self.changed = True
                return False
            self.changed = True
            known = key in self.entries
            self._append(key, byte_view(value))
            return known

    def check_name(self, key: str) -> None:
        """Raise InvalidKeyError for a key that cannot be the name of an entry."""
        try:
            length = len(key.encode("utf-8"))
        except UnicodeEncodeError as error:
            raise InvalidKeyError("a ZIP file holds names in Unicode only", path=self.path, key=key) from error
        if length > _LONGEST_NAME:
            expected, found = f"at most {_LONGEST_NAME} bytes", f"{length} bytes"
            message = "a ZIP file cannot hold a name of this length"
            raise InvalidKeyError(message, path=self.path, key=key, expected=expected, found=found)

    def _require_no_zip64(self, key: str, size: int) -> None:
        pending = {**{name: len(value) for name, value in self.documents.items()}, key: size}
        end = self.end + sum(length + len(name.encode()) + _LOCAL_HEADER.size for name, length in pending.items())
        if end > _LIMIT or len(self.entries.keys() | pending.keys()) > _MOST_ENTRIES:
            raise zipfile.LargeZipFile("the archive would need ZIP64 extensions")

    def _append(self, key: str, data: Flat) -> None:
        entry = zipfile.ZipInfo(key, _now())
        entry.compress_type = self.compression
        entry.external_attr = _DIRECTORY if key[-1:] == "/" else _FILE
        header, data = _encoded(entry, data)
        file = self.file
        entry.header_offset = self.end
        self.is_listed = False
        try:
            file.seek(self.end)
            file.write(header)
            file.write(data)
        except OSError as error:
            raise StoreError(f"cannot write: {error.strerror}", path=self.path, key=key) from error
        self.end += len(header) + len(data)
        self.entries[key] = entry

    def flush(self) -> None:
        with self.lock:
            self._require_open()
            if not self.changed:
                return
            self._require_owner()
            failed = self._append_documents()
            self._write_directory()
            self.changed = failed is not None
            if failed is not None:
                raise failed

    def _append_documents(self) -> Exception | None:
        """Write the documents from memory; those that fail stay in memory; return the first error."""
        failed: Exception | None = None
        for key, value in list(self.documents.items()):
            try:
                self._append(key, value)
                del self.documents[key]
            except Exception as error:
                failed = failed or error
        return failed

    def _write_directory(self) -> None:
        """Write the central directory of the current entries with `zipfile`, after all data."""
        self.is_listed = False
        self.file.seek(0)
        try:
            with zipfile.ZipFile(self.file, "w", self.compression, self.zip64) as archive:
                archive.comment = self.comment
                archive.filelist.extend(self.entries.values())
                archive.start_dir = self.end
            self.end = self.file.truncate(self.file.seek(0, io.SEEK_CUR))
        except OSError as error:
            raise StoreError(f"cannot write the list of entries: {error.strerror}", path=self.path) from error
        self.is_listed = True
        self._remember_flushed()

    def _close_with_less(self) -> None:
        """Write the central directory after an error, for as many entries as there is space."""
        self._append_documents()
        with suppress(StoreError):
            self._write_directory()
            return
        space = os.fstat(self.file.fileno()).st_size
        needed = _DIRECTORY_END + sum(map(_listed_bytes, self.entries.values()))
        latest = sorted(self.entries.values(), key=lambda entry: entry.header_offset)
        while self.end > self.flushed_end and self.end + needed > space:
            entry = latest.pop() if latest else None
            if entry is None or entry.header_offset < self.flushed_end:
                self.end = self.flushed_end
                break
            self.end = entry.header_offset
            needed -= _listed_bytes(entry)
            self._give_up(entry.filename)
        if self.end > self.flushed_end or not self.flushed_end:
            self._write_directory()
        else:
            self.file.truncate(self.flushed_end)

    def _give_up(self, key: str) -> None:
        del self.entries[key]
        if key in self.flushed:
            self.entries[key] = self.flushed[key]

    def clear(self) -> None:
        with self.lock:
            self._require_owner()
            self.file.truncate(0)
            self.documents.clear()
            self.entries = {}
            self.offsets = {}
            self.comment = b""
            self.end, self.changed, self.is_listed = 0, True, False
            self._remember_flushed()

    def _require_owner(self) -> None:
        self._require_open()
        if self.pid != os.getpid():
            raise StoreError("a zip file can be written only by the process that opened it", path=self.path)

    def release(self) -> None:
        """Close the file if no other store uses it; otherwise flush it, so that it is readable."""
        with self.lock:
            self.users -= 1
            if self.users < 1:
                self.close()
            elif not self.is_closed and self.pid == os.getpid():
                self.flush()

    def close(self) -> None:
        with self.lock:
            if self.is_closed:
                return
            is_mine = self.pid == os.getpid()
            if self._opened is None and not (self.documents and is_mine):
                self._is_over = True
                return
            try:
                if is_mine:
                    self.flush()
            except BaseException:
                if not self.is_listed:
                    self._close_with_less()
                raise
            finally:
                self.file.close()


def refuse_bomb(entry: zipfile.ZipInfo, path: str) -> None:
    """Raise StoreError for an entry that claims to decompress to far more than its size."""
    most = max(get_config().unsized_bytes, _USUAL_RATIO * entry.compress_size)
    if entry.file_size > most and entry.compress_type != zipfile.ZIP_STORED:
        raise StoreError(
            "value decompresses to too much",
            path=path,
            key=entry.filename,
            expected=f"at most {most} bytes decompressed",
            found=f"{entry.file_size} bytes",
            hint="if the data are sound, allow more with zarrds.set_config(unsized_bytes=...)",
        )


def _encoded(entry: zipfile.ZipInfo, data: Flat) -> tuple[bytes, Flat]:
    """Return local header and data of an entry, and set the sizes and checksum of the entry."""
    if entry.compress_type == zipfile.ZIP_STORED or entry.is_dir():
        entry.compress_type = zipfile.ZIP_STORED
        entry.file_size = entry.compress_size = len(data)
        entry.CRC = zlib.crc32(data)
        return entry.FileHeader(), data
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, data)
    header = _LOCAL_HEADER.size + sum(_LOCAL_HEADER.unpack_from(buffer.getvalue())[1:])
    return b"", buffer.getvalue()[: header + entry.compress_size]


def _decompressed(entry: zipfile.ZipInfo, data: bytes) -> bytes:
    if entry.flag_bits & 1:
        raise NotImplementedError("the entry is encrypted")  # builtin: the caller makes it a StoreError
    if entry.compress_type == zipfile.ZIP_STORED:
        return data
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, entry.file_size + 1)
    if entry.compress_type == zipfile.ZIP_BZIP2:
        return bz2.BZ2Decompressor().decompress(data, entry.file_size + 1)
    if entry.compress_type == zipfile.ZIP_LZMA:
        return _lzma_decompressed(data, entry.file_size + 1)
    raise NotImplementedError(f"compression method {entry.compress_type} is unknown")  # builtin: as above


def _lzma_decompressed(data: bytes, most: int) -> bytes:
    """Decompress LZMA data of ZIP: two bytes of version, two of length, properties, a raw stream."""
    length = int.from_bytes(data[2:4], "little")
    properties = lzma._decode_filter_properties(lzma.FILTER_LZMA1, data[4 : 4 + length])  # type: ignore[attr-defined]
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[properties])
    return decompressor.decompress(data[4 + length :], most)


def _now() -> tuple[int, int, int, int, int, int]:
    """Return the current time for an entry, limited to the years that ZIP can store."""
    now = time.localtime()[:6]
    return min(max(now, (1980, 1, 1, 0, 0, 0)), (2107, 12, 31, 23, 59, 59))


def _listed_bytes(entry: zipfile.ZipInfo) -> int:
    """Return the most bytes that an entry takes in the central directory."""
    return _DIRECTORY_ENTRY + len(entry.filename.encode("utf-8", "replace")) + len(entry.extra) + len(entry.comment)


def _end_of_flushed(file: _File) -> int | None:
    """Return the end of the last central directory if only entries follow it, as after a kill; else None."""
    if not os.fstat(file.fileno()).st_size:
        return None
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        place = data.rfind(b"PK\5\6")
        while place >= 0:
            end = place + _END_RECORD.size
            if data[end : end + 4] == b"PK\3\4" and _ends_directory(data, place):
                return end
            place = data.rfind(b"PK\5\6", 0, place)
    return None


def _ends_directory(data: mmap.mmap, place: int) -> bool:
    """Return whether there is a valid end record at `place`: its central directory ends right before it."""
    _, size, offset, comment = _END_RECORD.unpack_from(data, place)
    has_zip64 = data[max(0, place - 20) : place - 16] == b"PK\6\7"
    return comment == 0 and (has_zip64 or offset + size == place)
