"""Text to values and back: metadata documents of every format, with no I/O and no array data."""

from zarrds._format import n5, v2, v3_experimental
from zarrds._format.consolidated import (
    CONSOLIDATED_KEY,
    Consolidated,
    consolidate_documents,
    consolidated_keys,
    find_consolidated,
)
from zarrds._format.dtypes import dtype_from_v2, dtype_to_v2, is_numpy_name, normalize_dtype, numpy_dtype
from zarrds._format.fills import fill_from_v2, fill_of, fill_scalar, fill_to_v2
from zarrds._format.formats import (
    DOCUMENT_NAMES,
    FORMATS,
    Format,
    Node,
    check_version,
    format_of,
    format_of_key,
    formats_of,
    formats_with,
    node_key,
    other_format,
)
from zarrds._format.grid import (
    box_coords,
    chunk_count,
    grid_shape,
    guess_chunks,
    normalize_chunks,
    normalize_grid,
    normalize_shape,
    removed_chunks,
    valid_part,
)
from zarrds._format.jsondoc import Place, canonical, dumps, loads
from zarrds._format.meta import (
    NO_FILL,
    SHARDING,
    UNFINISHED,
    ArrayMeta,
    ChunkSpec,
    CodecSpec,
    Fill,
    GroupMeta,
    KeyEncoding,
)
from zarrds._format.n5 import ATTRIBUTES_KEY
from zarrds._format.pandas_values import as_numpy, is_of_pandas
from zarrds._format.repair import repaired
from zarrds._format.v2 import ARRAY_KEY, ATTRS_KEY, GROUP_KEY
from zarrds._format.v3 import document
from zarrds._format.v3.codec_names import FILTERS, SERIALIZERS, is_built_in, is_filter, is_serializer, set_finder
from zarrds._format.v3.complex_parts import BROUGHT_TYPE, COMPLEX_PARTS, with_codec
from zarrds._format.v3.document import data_type_name, forget_documents, split_codecs
from zarrds._format.v3.dtypes import (
    DataType,
    data_type_codec,
    dtype_to_v3,
    integer_limits,
    normalize_dtype_v3,
    parse_data_type,
    set_type_finder,
)
from zarrds._format.v3.extension import codec_specs, codecs_to_json, parse_extension
from zarrds._format.v3.fills import fill_from_v3, fill_of_v3, fill_to_v3
from zarrds._format.v3.transformers import TRANSFORMERS, parse_transformers
from zarrds._format.v3_experimental import ArrayLayout

__all__ = [
    "ARRAY_KEY",
    "ATTRIBUTES_KEY",
    "ATTRS_KEY",
    "BROUGHT_TYPE",
    "COMPLEX_PARTS",
    "CONSOLIDATED_KEY",
    "DOCUMENT_NAMES",
    "FILTERS",
    "FORMATS",
    "GROUP_KEY",
    "NO_FILL",
    "SERIALIZERS",
    "SHARDING",
    "TRANSFORMERS",
    "UNFINISHED",
    "ArrayLayout",
    "ArrayMeta",
    "ChunkSpec",
    "CodecSpec",
    "Consolidated",
    "DataType",
    "Fill",
    "Format",
    "GroupMeta",
    "KeyEncoding",
    "Node",
    "Place",
    "as_numpy",
    "box_coords",
    "canonical",
    "check_version",
    "chunk_count",
    "codec_specs",
    "codecs_to_json",
    "consolidate_documents",
    "consolidated_keys",
    "data_type_codec",
    "data_type_name",
    "document",
    "dtype_from_v2",
    "dtype_to_v2",
    "dtype_to_v3",
    "dumps",
    "fill_from_v2",
    "fill_from_v3",
    "fill_of",
    "fill_of_v3",
    "fill_scalar",
    "fill_to_v2",
    "fill_to_v3",
    "find_consolidated",
    "forget_documents",
    "format_of",
    "format_of_key",
    "formats_of",
    "formats_with",
    "grid_shape",
    "guess_chunks",
    "integer_limits",
    "is_built_in",
    "is_filter",
    "is_numpy_name",
    "is_of_pandas",
    "is_serializer",
    "loads",
    "n5",
    "node_key",
    "normalize_chunks",
    "normalize_dtype",
    "normalize_dtype_v3",
    "normalize_grid",
    "normalize_shape",
    "numpy_dtype",
    "other_format",
    "parse_data_type",
    "parse_extension",
    "parse_transformers",
    "removed_chunks",
    "repaired",
    "set_finder",
    "set_type_finder",
    "split_codecs",
    "v2",
    "v3_experimental",
    "valid_part",
    "with_codec",
]
