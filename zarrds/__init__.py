"""zarrds: chunked, compressed N-dimensional arrays, for numpy, dask and xarray.

The API of the Zarr-Python 2.17.2 manual under this name. ``zarrds.dask`` builds dask graphs over stored arrays and is
imported only when asked for; ``xarray_backend`` holds the xarray engine and its writer.
"""

from numcodecs import *  # the manual has every codec at top level
from numcodecs import blosc, get_codec, register_codec
from numcodecs.registry import codec_registry

from zarrds import attrs, codecs, convenience, core, creation, errors, hierarchy, storage, sync
from zarrds._config import config_context, get_config, set_config
from zarrds.convenience import (
    consolidate_metadata,
    load,
    open,
    open_consolidated,
    save,
    save_array,
    save_group,
    tree,
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
from zarrds.storage import (
    DirectoryStore,
    KVStore,
    MemoryStore,
    NestedDirectoryStore,
    TempStore,
)
from zarrds.sync import ProcessSynchronizer, ThreadSynchronizer

__version__ = "0.1.0"
v3_api_available = False
"""Whether the experimental v3 API of the manual's section 3.10 is there: it is not."""
