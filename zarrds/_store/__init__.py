"""Stores: mappings from keys to bytes, which know nothing of shapes or formats."""

from zarrds._store.adapt import StoreLike, as_store, check_mode
from zarrds._store.backends.azure import ABSStore
from zarrds._store.backends.dbm import DBMStore
from zarrds._store.backends.directories import NestedDirectoryStore, TempStore
from zarrds._store.backends.directory import DirectoryStore
from zarrds._store.backends.fs import FSStore
from zarrds._store.backends.lmdb import LMDBStore
from zarrds._store.backends.locked import LockedDocument
from zarrds._store.backends.mapping import KVStore
from zarrds._store.backends.memory import DictStore, MemoryStore
from zarrds._store.backends.mongodb import MongoDBStore
from zarrds._store.backends.obstore import ObstoreStore
from zarrds._store.backends.redis import RedisStore
from zarrds._store.backends.sqlite import SQLiteStore
from zarrds._store.backends.to_zarr3 import as_zarr3_store
from zarrds._store.backends.zip import ZipStore
from zarrds._store.base import Staging, Store, names_below, renamed
from zarrds._store.fingerprints import fingerprint
from zarrds._store.fsplace import place_in_other_store
from zarrds._store.newer_stores import FsspecStore, LocalStore
from zarrds._store.paths import (
    JOB_FOLDER,
    REMOVAL_MARK,
    SYSTEM_NAME,
    TEMPORARY,
    WRITER_KEY,
    ancestors,
    is_writer_key,
    join_path,
    level,
    normalize_path,
)
from zarrds._store.place import Place, place_in_file, place_on_disk, refuse_overlap
from zarrds._store.readers import CHANGED, PlainReader, RangeReader, VersionReader, same_version
from zarrds._store.request import buffer_size, byte_view, cut, to_bytes
from zarrds._store.retry import checked_before_repeats
from zarrds._store.spec import LiveSpec, StoreSpec, reverses_levels
from zarrds._store.together import at_once, get_together
from zarrds._store.transfer import copier, local_directory, mover, same_tags, sizes_of
from zarrds._store.wrappers.base import ViewStore, WrapperStore
from zarrds._store.wrappers.cache import LRUStoreCache
from zarrds._store.wrappers.consolidated import ConsolidatedMetadataStore, DocumentStore
from zarrds._store.wrappers.n5 import N5FSStore, N5Mapping, N5Store
from zarrds._store.wrappers.readonly import ReadOnlyStore
from zarrds._store.wrappers.trace import carried, trace
from zarrds._store.wrappers.transformer import (
    ShardingStorageTransformer,
    StorageTransformer,
    register_storage_transformer,
    transformed,
)
from zarrds._store.wrappers.v3_experimental import ExperimentalV3Store

__all__ = [
    "CHANGED",
    "JOB_FOLDER",
    "REMOVAL_MARK",
    "SYSTEM_NAME",
    "TEMPORARY",
    "WRITER_KEY",
    "ABSStore",
    "ConsolidatedMetadataStore",
    "DBMStore",
    "DictStore",
    "DirectoryStore",
    "DocumentStore",
    "ExperimentalV3Store",
    "FSStore",
    "FsspecStore",
    "KVStore",
    "LMDBStore",
    "LRUStoreCache",
    "LiveSpec",
    "LocalStore",
    "LockedDocument",
    "MemoryStore",
    "MongoDBStore",
    "N5FSStore",
    "N5Mapping",
    "N5Store",
    "NestedDirectoryStore",
    "ObstoreStore",
    "Place",
    "PlainReader",
    "RangeReader",
    "ReadOnlyStore",
    "RedisStore",
    "SQLiteStore",
    "ShardingStorageTransformer",
    "Staging",
    "StorageTransformer",
    "Store",
    "StoreLike",
    "StoreSpec",
    "TempStore",
    "VersionReader",
    "ViewStore",
    "WrapperStore",
    "ZipStore",
    "ancestors",
    "as_store",
    "as_zarr3_store",
    "at_once",
    "buffer_size",
    "byte_view",
    "carried",
    "check_mode",
    "checked_before_repeats",
    "copier",
    "cut",
    "fingerprint",
    "get_together",
    "is_writer_key",
    "join_path",
    "level",
    "local_directory",
    "mover",
    "names_below",
    "normalize_path",
    "place_in_file",
    "place_in_other_store",
    "place_on_disk",
    "refuse_overlap",
    "register_storage_transformer",
    "renamed",
    "reverses_levels",
    "same_tags",
    "same_version",
    "sizes_of",
    "to_bytes",
    "trace",
    "transformed",
]
