"""zarrds: chunked, compressed N-dimensional arrays, for numpy, dask and xarray.

The API of the Zarr-Python 2.17.2 manual under this name. ``zarrds.dask`` builds dask graphs over stored arrays and is
imported only when asked for; ``xarray_backend`` holds the xarray engine and its writer.
"""

from numcodecs import *  # the manual has every codec at top level
from numcodecs import blosc, get_codec, register_codec
from numcodecs.registry import codec_registry

from zarrds import attrs, codecs, convenience, core, creation, errors, hierarchy, n5, storage, sync
from zarrds._config import config_context, get_config, set_config
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
from zarrds.errors import CopyError, MetadataError
from zarrds.hierarchy import Group, group, open_group
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
    "config_context",
    "consolidate_metadata",
    "convenience",
    "convert",
    "copy",
    "copy_all",
    "copy_store",
    "core",
    "create",
    "creation",
    "empty",
    "empty_like",
    "errors",
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
    "register_codec",
    "save",
    "save_array",
    "save_group",
    "set_config",
    "storage",
    "sync",
    "trace",
    "tree",
    "v3_api_available",
    "verify",
    "zeros",
    "zeros_like",
]

# ``zarrds.util`` and other modules outside the manual are found in zarrds/compat, and imported only when asked for
__path__.append(f"{__path__[0]}/compat")

__version__ = "0.1.0"
v3_api_available = False
"""Whether the experimental v3 API of the manual's section 3.10 is there: it is not."""
