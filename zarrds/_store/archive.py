"""The open file behind a `ZipStore`.

Python's `zipfile` reads and writes the central directory; entries are written and read here, each at its own place, so
that an entry is listed only when it is complete, and threads read at the same time.

1. Documents are kept in memory until the archive is flushed or closed, as they change often; chunks are not.
2. Entries are only ever appended, behind the last central directory, which stays in the file: what was flushed before a
   writer was killed is found again.
3. An entry that was replaced is left out of the next central directory; its bytes stay in the file.
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
from typing import Any, cast

from zarrds._store.paths import check_key
from zarrds._store.request import Flat, byte_view, cut, range_bounds, to_bytes
from zarrds._types import Buf, ByteRange
from zarrds.errors import StoreError

__all__ = ["Archive"]

_DOCUMENTS = (".zarray", ".zgroup", ".zattrs", ".zmetadata", ".json")
"""Ends of the keys whose values are kept until the archive is flushed."""

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_END_RECORD = struct.Struct("<4s8xLLH")
_FILE, _DIRECTORY = 0o644 << 16, (0o40775 << 16) | 0x10
_LIMIT = 2**31 - 1
"""Bytes from which a size or a place needs the ZIP64 extensions."""


class _File(io.FileIO):
    """A file whose writes are complete or raise, also when the system takes a part only."""

    def write(self, data: Any, /) -> int:
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view):
            done += super().write(view[done:])
        return done


class Archive:
    """The open file behind a `ZipStore`, which outlives it until everything is written."""

    def __init__(self, path: str, compression: int, zip64: bool, mode: str) -> None:
        self.path = path
        self.compression = compression
        self.zip64 = zip64
        self.pid = os.getpid()
        self.lock = threading.RLock()
        self.documents: dict[str, bytes] = {}
        self.changed = False
        self._open(mode)

    def _open(self, mode: str) -> None:
        exists = os.path.exists(self.path)
        self.file = _File(self.path, {"r": "rb", "a": "rb+" if exists else "xb+", "w": "wb+", "x": "xb+"}[mode])
        self.entries: dict[str, zipfile.ZipInfo] = {}
        self.offsets: dict[int, int] = {}
        self.end = self.file.seek(0, io.SEEK_END)
        self.changed = self.end == 0 and mode != "r"
        if not self.changed:
            try:
                self._read_directory(mode)
            except BaseException:
                self.file.close()
                raise

    def _read_directory(self, mode: str) -> None:
        try:
            with zipfile.ZipFile(self.file, "r") as archive:
                self.entries = dict(archive.NameToInfo)
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
        if entry is None or self.file.closed:
            self._require_open()
            check_key(key)
            return None
        if entry.compress_type == zipfile.ZIP_STORED and not entry.flag_bits & 1:
            return self._read_stored(entry, byte_range)
        return cut(self._read_compressed(entry), byte_range)

    def _read_stored(self, entry: zipfile.ZipInfo, byte_range: ByteRange | None) -> bytes:
        start, stop = (0, entry.file_size) if byte_range is None else range_bounds(byte_range, entry.file_size)
        data = self._pread(entry, self._offset(entry) + start, stop - start)
        if byte_range is None and zlib.crc32(data) != entry.CRC:
            raise self._broken(entry, "the value does not have the checksum of the archive")
        return data

    def _read_compressed(self, entry: zipfile.ZipInfo) -> bytes:
        data = self._pread(entry, self._offset(entry), entry.compress_size)
        try:
            data = _decompressed(entry, data)
        except (NotImplementedError, OSError, zlib.error, lzma.LZMAError, EOFError, ValueError) as error:
            raise self._broken(entry, f"cannot decompress: {error}") from error
        if len(data) != entry.file_size or zlib.crc32(data) != entry.CRC:
            raise self._broken(entry, "the value does not have the size and checksum of the archive")
        return data

    def _offset(self, entry: zipfile.ZipInfo) -> int:
        """Where the data of an entry begin: behind a header that may be longer than the central directory says."""
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
        return data

    def _broken(self, entry: zipfile.ZipInfo, message: str) -> StoreError:
        return StoreError(message, path=self.path, key=entry.filename)

    def _require_open(self) -> None:
        if self.file.closed:
            raise ValueError(f"the store was closed already: {self.path!r}")

    # --- writing -----------------------------------------------------------------------------------------------------

    def write(self, key: str, value: Buf) -> bool:
        """Set a value; tells whether bytes in the file became useless by it."""
        with self.lock:
            self._require_owner()
            self.changed = True
            if key.endswith(_DOCUMENTS):
                self.documents[key] = to_bytes(value)
                return False
            known = key in self.entries
            self._append(key, byte_view(value))
            return known

    def _append(self, key: str, data: Flat) -> None:
        entry = zipfile.ZipInfo(key, time.localtime()[:6])
        entry.compress_type = self.compression
        entry.external_attr = _DIRECTORY if key[-1:] == "/" else _FILE
        header, data = _encoded(entry, data)
        if not self.zip64 and max(entry.file_size, self.end) > _LIMIT:
            raise zipfile.LargeZipFile("the archive would need ZIP64 extensions")
        entry.header_offset = self.end
        try:
            self.file.seek(self.end)
            self.file.write(header)
            self.file.write(data)
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
            for key, value in self.documents.items():
                self._append(key, value)
            self.documents.clear()
            self._write_directory()
            self.changed = False

    def _write_directory(self) -> None:
        """Have `zipfile` write the central directory of the entries that count, behind all data."""
        self.file.seek(0)
        with zipfile.ZipFile(self.file, "w", self.compression, self.zip64) as archive:
            archive.filelist.extend(self.entries.values())
            archive.start_dir = self.end
        self.end = self.file.truncate(self.file.seek(0, io.SEEK_CUR))

    def clear(self) -> None:
        with self.lock:
            self._require_owner()
            self.file.truncate(0)
            self.documents.clear()
            self.entries = {}
            self.offsets = {}
            self.end, self.changed = 0, True

    def _require_owner(self) -> None:
        self._require_open()
        if self.pid != os.getpid():
            raise StoreError("a zip file can be written only by the process that opened it", path=self.path)

    def close(self) -> None:
        with self.lock:
            if self.file.closed:
                return
            try:
                if self.pid == os.getpid():
                    self.flush()
            finally:
                self.file.close()


def _encoded(entry: zipfile.ZipInfo, data: Flat) -> tuple[bytes, Flat]:
    """Local header and data of an entry, whose sizes and checksum are filled in."""
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
        raise NotImplementedError("the entry is encrypted")
    if entry.compress_type == zipfile.ZIP_STORED:
        return data
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        return zlib.decompress(data, -zlib.MAX_WBITS)
    if entry.compress_type == zipfile.ZIP_BZIP2:
        return bz2.decompress(data)
    if entry.compress_type == zipfile.ZIP_LZMA:
        return cast("bytes", zipfile.LZMADecompressor().decompress(data))  # type: ignore[attr-defined]
    raise NotImplementedError(f"compression method {entry.compress_type} is unknown")


def _end_of_flushed(file: _File) -> int | None:
    """Where the last central directory ends when nothing but entries follow it, as after a writer was killed."""
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
    """Whether the end record at `place` is one: the directory that it tells of lies right before it."""
    _, size, offset, comment = _END_RECORD.unpack_from(data, place)
    has_zip64 = data[max(0, place - 20) : place - 16] == b"PK\6\7"
    return comment == 0 and (has_zip64 or offset + size == place)
