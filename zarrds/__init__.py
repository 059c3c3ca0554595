"""zarrds: chunked, compressed N-dimensional arrays, for numpy, dask and xarray.

The API of the Zarr-Python 2.17.2 manual under this name. ``zarrds.dask`` builds dask graphs over stored arrays and is
imported only when asked for; ``xarray_backend`` holds the xarray engine and its writer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from numcodecs import *  # the manual has every codec at top level
from numcodecs import (  # by name too: type checkers do not follow the line above
    BZ2,
    CRC32,
    JSON,
    LZ4,
    LZMA,
    Adler32,
    AsType,
    Base64,
    BitRound,
    Blosc,
    Categorize,
    Delta,
    FixedScaleOffset,
    Fletcher32,
    GZip,
    JenkinsLookup3,
    PackBits,
    Pickle,
    Quantize,
    Shuffle,
    VLenArray,
    VLenBytes,
    VLenUTF8,
    Zlib,
    Zstd,
    blosc,
    get_codec,
    register_codec,
)
from numcodecs.registry import codec_registry

if TYPE_CHECKING:  # at run time they are imported at first use, see `__getattr__`
    from zarrds import attrs, codecs, convenience, core, creation, errors, hierarchy, n5, storage, sync
    from zarrds._base.config import config_context, get_config, set_config
    from zarrds._base.newer_config import config
    from zarrds._base.versions import __version__, print_debug_info, show_versions
    from zarrds._store import trace
    from zarrds.convenience import (
        consolidate_metadata,
        convert,
        copy,
        copy_all,
        copy_store,
        load,
        open,
        open_consolidated,
        repair,
        save,
        save_array,
        save_group,
        tree,
        verify,
    )
    from zarrds.core import Array
    from zarrds.creation import (
        array,
        create,
        empty,
        empty_like,
        full,
        full_like,
        ones,
        ones_like,
        open_array,
        open_like,
        zeros,
        zeros_like,
    )
    from zarrds.creation.newer import create_array, from_array
    from zarrds.errors import CopyError, MetadataError
    from zarrds.hierarchy import Group, group, open_group
    from zarrds.hierarchy.creating_newer import create_group, create_hierarchy
    from zarrds.n5 import N5FSStore, N5Store
    from zarrds.storage import (
        ABSStore,
        DBMStore,
        DictStore,
        DirectoryStore,
        KVStore,
        LMDBStore,
        LRUStoreCache,
        MemoryStore,
        MongoDBStore,
        NestedDirectoryStore,
        RedisStore,
        SQLiteStore,
        TempStore,
        ZipStore,
    )
    from zarrds.sync import ProcessSynchronizer, ThreadSynchronizer

__all__ = [  # noqa: RUF022  # sorted as `sorted` sorts
    "ABSStore",
    "Adler32",
    "Array",
    "AsType",
    "BZ2",
    "Base64",
    "BitRound",
    "Blosc",
    "CRC32",
    "Categorize",
    "CopyError",
    "DBMStore",
    "Delta",
    "DictStore",
    "DirectoryStore",
    "FixedScaleOffset",
    "Fletcher32",
    "GZip",
    "Group",
    "JSON",
    "JenkinsLookup3",
    "KVStore",
    "LMDBStore",
    "LRUStoreCache",
    "LZ4",
    "LZMA",
    "MemoryStore",
    "MetadataError",
    "MongoDBStore",
    "N5FSStore",
    "N5Store",
    "NestedDirectoryStore",
    "PackBits",
    "Pickle",
    "ProcessSynchronizer",
    "Quantize",
    "RedisStore",
    "SQLiteStore",
    "Shuffle",
    "TempStore",
    "ThreadSynchronizer",
    "VLenArray",
    "VLenBytes",
    "VLenUTF8",
    "ZipStore",
    "Zlib",
    "Zstd",
    "__version__",
    "array",
    "attrs",
    "blosc",
    "codec_registry",
    "codecs",
    "config",
    "config_context",
    "consolidate_metadata",
    "convenience",
    "convert",
    "copy",
    "copy_all",
    "copy_store",
    "core",
    "create",
    "create_array",
    "create_group",
    "create_hierarchy",
    "creation",
    "empty",
    "empty_like",
    "errors",
    "from_array",
    "full",
    "full_like",
    "get_codec",
    "get_config",
    "group",
    "hierarchy",
    "load",
    "n5",
    "ones",
    "ones_like",
    "open",
    "open_array",
    "open_consolidated",
    "open_group",
    "open_like",
    "print_debug_info",
    "register_codec",
    "repair",
    "save",
    "save_array",
    "save_group",
    "set_config",
    "show_versions",
    "storage",
    "sync",
    "trace",
    "tree",
    "v3_api_available",
    "verify",
    "zeros",
    "zeros_like",
]

# ``zarrds.util`` and other modules outside the manual are in zarrds/compat/modules, and imported only when asked for
__path__.append(f"{__path__[0]}/compat/modules")

v3_api_available = False
"""Whether the experimental v3 API of the manual's section 3.10 is there: it is not."""

_MODULES = (
    "_base.config",
    "_base.newer_config",
    "_store",
    "_base.versions",
    "errors",
    "attrs",
    "codecs",
    "sync",
    "storage",
    "n5",
    "core",
    "creation",
    "creation.newer",
    "hierarchy",
    "hierarchy.creating_newer",
    "convenience",
)
"""Modules that have the public names: which they list, and which are listed above, are here too."""


if not TYPE_CHECKING:  # type checkers would take any name for one of this module
    del errors  # those of numcodecs

    def __getattr__(name: str) -> Any:
        """Import all modules when the first name is asked for: then a process that needs only a part starts quickly."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")  # builtin: as any module does
        if name in _MODULES:
            return import_module(f"{__name__}.{name}")
        for module in _MODULES:
            part = import_module(f"{__name__}.{module}")
            globals().update({known: getattr(part, known) for known in part.__all__ if known in __all__})
        return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
