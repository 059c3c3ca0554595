"""Consolidated metadata documents."""

import json

import pytest

from zarrds._format.consolidated import CONSOLIDATED_KEY, format_consolidated, parse_consolidated
from zarrds.errors import MetadataError

DOCUMENTS = {
    ".zgroup": {"zarr_format": 2},
    "é/.zattrs": {"b": [1.5, None], "a": "é"},
    "é/.zgroup": {"zarr_format": 2},
}


def test_round_trip():
    text = format_consolidated(DOCUMENTS)
    assert parse_consolidated(text, CONSOLIDATED_KEY) == DOCUMENTS
    assert json.loads(text) == {"metadata": DOCUMENTS, "zarr_consolidated_format": 1}


def test_text_is_canonical():
    expected = b'{\n    "metadata": {\n        ".zgroup": {\n            "zarr_format": 2\n        }\n    },\n'
    expected += b'    "zarr_consolidated_format": 1\n}'
    assert format_consolidated({".zgroup": {"zarr_format": 2}}) == expected


@pytest.mark.parametrize(
    ("document", "member"),
    [
        ([], "the document"),
        ({}, '"zarr_consolidated_format" is missing'),
        ({"metadata": {}}, '"zarr_consolidated_format" is missing'),
        ({"metadata": {}, "zarr_consolidated_format": 2}, '"zarr_consolidated_format" is wrong'),
        ({"metadata": {}, "zarr_consolidated_format": "1"}, '"zarr_consolidated_format" is wrong'),
        ({"metadata": {}, "zarr_consolidated_format": True}, '"zarr_consolidated_format" is wrong'),
        ({"zarr_consolidated_format": 1}, '"metadata" is missing'),
        ({"metadata": [], "zarr_consolidated_format": 1}, '"metadata" is wrong'),
        ({"metadata": None, "zarr_consolidated_format": 1}, '"metadata" is wrong'),
    ],
)
def test_bad_documents(document, member):
    with pytest.raises(MetadataError) as caught:
        parse_consolidated(json.dumps(document).encode(), "a/.zmetadata")
    assert caught.value.key == "a/.zmetadata"
    assert member in caught.value.message
