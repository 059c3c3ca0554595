"""The public names of the packages, and the one page in the reference that each of them has."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass, field
from types import ModuleType

FIRST = [
    "zarrds.storage",
    "zarrds.errors",
    "zarrds.codecs",
    "zarrds.sync",
    "zarrds.attrs",
    "zarrds",
    "zarrds.dask",
    "zarrds.dask.rechunker",
    "xarray_backend",
    "zarrds.xarray",
    "zarrds.n5",
    "zarrds.testing",
    "zarrds.testing.strategies",
    "xarray_backend.testing",
    "zarrds.convenience",
    "zarrds.hierarchy",
    "zarrds.creation",
    "zarrds.core",
    "zarrds.parallel",
]
"""Modules with public names; of several that list one object, the first has its page, and the others refer to it."""

WITHOUT_A_PAGE = {"zarrds.cli": "commands, described from click", "zarrds.compat": "for programs of Zarr-Python 2"}
"""Modules that are not listed here, and why."""

GROUPS = {
    "zarrds": {
        "Open and save": "open open_array open_group open_consolidated open_like load save save_array save_group",
        "Create arrays": (
            "create create_array array from_array zeros ones full empty zeros_like ones_like full_like empty_like"
        ),
        "Arrays and groups": "Array Group group create_group tree",
        "Copy, convert, check": (
            "copy copy_all copy_store convert consolidate_metadata verify repair trace show_versions print_debug_info"
        ),
        "Settings": "get_config set_config config_context config",
        "Compressors": "Blosc Zstd LZ4 GZip Zlib BZ2 LZMA PCodec ZFPY",
        "Filters and checksums": (
            "Adler32 AsType Base64 BitRound CRC32 Categorize Delta FixedScaleOffset Fletcher32 JSON JenkinsLookup3 "
            "PackBits Pickle Quantize Shuffle VLenArray VLenBytes VLenUTF8"
        ),
        "Codec registry": "blosc codec_registry get_codec register_codec",
    },
    "zarrds.storage": {
        "Stores": (
            "DirectoryStore NestedDirectoryStore TempStore MemoryStore DictStore KVStore ZipStore SQLiteStore "
            "LMDBStore DBMStore RedisStore MongoDBStore ABSStore FSStore ObstoreStore"
        ),
        "Around another store": (
            "LRUStoreCache ConsolidatedMetadataStore ReadOnlyStore ExperimentalV3Store WrapperStore"
        ),
        "Base classes": "Store BaseStore StoreLike Place",
        "Functions": (
            "as_store as_zarr3_store normalize_store_arg normalize_storage_path listdir rename rmdir getsize "
            "contains_array contains_group init_array init_group migrate_1to2"
        ),
    },
    "zarrds.dask": {
        "Arrays": "from_zarr to_zarr store",
        "Jobs": (
            "rechunk copy copy_all copy_store convert consolidate_metadata verify diff digest statistics "
            "nbytes_stored delete cleanup"
        ),
        "What a job is": (
            "Job progress CopyReport DeleteReport DiffReport Difference ArrayStatistics DistributedSynchronizer"
        ),
        "Plans and costs": "rechunk_plan RechunkPlan GroupPlan CostModel PRICES",
        "For writers of graphs": "PlannedWrite refuse_read_after_write",
    },
    "xarray_backend": {
        "Read and write": "open_zarrds to_zarrds concat_stores rechunk glob",
        "Plans and templates": "Template WritePlan VariablePlan DatasetRechunk",
        "The engine": "ZarrdsBackendEntrypoint ZarrdsStore",
    },
}
"""Headings under which names are listed; what is named nowhere goes under ``More``."""


@dataclass(frozen=True)
class Name:
    """A public name: where it is listed, and the object."""

    module: str
    name: str
    value: object = field(compare=False, hash=False)

    @property
    def full(self) -> str:
        return f"{self.module}.{self.name}"

    @property
    def is_class(self) -> bool:
        return inspect.isclass(self.value)

    @property
    def is_callable(self) -> bool:
        return self.is_class or inspect.isroutine(self.value)

    @property
    def is_ours(self) -> bool:
        where = str(getattr(self.value, "__module__", "") or "").partition(".")[0]
        return where in ("zarrds", "xarray_backend")


def modules() -> list[ModuleType]:
    """Return the modules of FIRST, and further ones with a list of public names."""
    found = [importlib.import_module(name) for name in [*FIRST, *further()]]
    return [module for module in found if getattr(module, "__all__", None)]


def further() -> list[str]:
    """Return public modules of the package that are neither in FIRST nor in WITHOUT_A_PAGE: they come last."""
    package = importlib.import_module("zarrds")
    own = str(package.__path__[0])  # further folders have names of Zarr-Python 2 for programs that ask for them
    names = [f"zarrds.{module.name}" for module in pkgutil.iter_modules([own]) if not module.name.startswith("_")]
    return sorted(set(names) - set(FIRST) - set(WITHOUT_A_PAGE))


def listed(module: ModuleType) -> list[Name]:
    """Return what a module lists, modules among it left out: they have sections of their own."""
    names = [Name(module.__name__, name, getattr(module, name)) for name in getattr(module, "__all__", [])]
    return [name for name in names if not inspect.ismodule(name.value)]


def canonical() -> dict[str, Name]:
    """Return for each full name the name whose page it has."""
    pages: dict[str, Name] = {}
    by_object: dict[int, Name] = {}
    for module in modules():
        # of two names in one module, that of the definition comes first: `Store`, not `BaseStore`
        for name in sorted(listed(module), key=lambda name: name.name != getattr(name.value, "__name__", name.name)):
            # one page for an object with several names, as long as it is a class or a function and not a number
            pages[name.full] = by_object.setdefault(id(name.value), name) if name.is_callable else name
    return pages


def page_of(name: Name, taken: dict[str, str]) -> str:
    """Return the file name of a page; file systems that ignore case hold ``Array`` and ``array`` as well."""
    page = name.full
    while taken.setdefault(page.lower(), name.full) != name.full:
        page += "-function" if not name.is_class else "-class"
    return page


def grouped(module: str, names: list[Name]) -> list[tuple[str, list[Name]]]:
    """Return headings with their names, in the order of GROUPS."""
    left = {name.name: name for name in names}
    found = []
    for heading, text in GROUPS.get(module, {}).items():
        found.append((heading, [left.pop(name) for name in text.split() if name in left]))
    found.append(("More" if found else "Names", list(left.values())))
    return [(heading, inside) for heading, inside in found if inside]
