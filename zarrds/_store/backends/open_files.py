"""A reader of local files that reads all parts of a value from one open file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zarrds._base.types import Buf, ByteRange, NDArrayAny, Request
from zarrds._store.backends.files import Stamp, read_range, stamp_of
from zarrds._store.readers import RangeReader
from zarrds._store.wrappers import trace

if TYPE_CHECKING:
    from zarrds._store.backends.directory import DirectoryStore

__all__ = ["OpenFiles"]


class OpenFiles(RangeReader):
    """Reader that keeps files open until it is closed, so that all parts of a value are of one state."""

    def __init__(self, store: DirectoryStore) -> None:
        self._store = store
        self._files: dict[str, int | None] = {}

    def _file(self, key: str) -> int | None:
        try:
            return self._files[key]
        except KeyError:
            found = self._files[key] = self._store.open_file(key)
            return found

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        found = [self._read(key, byte_range) for key, byte_range in requests]
        if trace.is_open():
            trace.record(trace.gets(requests, found))
        return found

    def _read(self, key: str, byte_range: ByteRange | None) -> Buf | None:
        fd = self._file(key)
        try:
            return None if fd is None else read_range(fd, byte_range)
        except IsADirectoryError:
            return None
        except OSError as error:
            raise self._store.failed("cannot read", key, error) from error

    def read_into(self, key: str, out: NDArrayAny) -> bool:
        fd = self._file(key)
        if fd is None or not hasattr(os, "readv"):
            return False
        try:
            if os.fstat(fd).st_size != out.nbytes or os.readv(fd, [out]) != out.nbytes:
                return False
        except IsADirectoryError:
            return False
        except OSError as error:
            raise self._store.failed("cannot read", key, error) from error
        if trace.is_open():
            trace.record(trace.gets([(key, None)], [out]))
        return True

    def version(self, key: str) -> Stamp | None:
        fd = self._file(key)
        return None if fd is None else stamp_of(fd)

    def lasting_version(self, key: str) -> Stamp | None:
        fd = self._file(key)
        return None if fd is None else stamp_of(fd).holding(fd)

    def close(self) -> None:
        for fd in self._files.values():
            if fd is not None:
                os.close(fd)
        self._files.clear()
