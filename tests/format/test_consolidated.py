"""Consolidated metadata documents."""

import json

import pytest

from zarrds._format import consolidated
from zarrds._format.consolidated import (
    CONSOLIDATED_KEY,
    consolidate_documents,
    find_consolidated,
    format_consolidated,
    parse_consolidated,
)
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


GROUP = {"zarr_format": 3, "node_type": "group"}


@pytest.mark.parametrize("path", ["", "g"])
def test_documents_of_zarr_3_are_inside_of_the_group_as_json_lays_them_out(path):
    strange = {'a\n"b\u00fc': '{"metadata": {}}', "n": [1, {}, float("inf")], "consolidated_metadata": {}}
    own = {"zarr_format": 3, "attributes": strange, "node_type": "group"}
    prefix = f"{path}/" if path else ""
    texts = {f"{prefix}{name}zarr.json": json.dumps(GROUP).encode() for name in ('x/y"\u00fc/', "x/", "w/")}
    texts[f"{prefix}zarr.json"] = json.dumps(own).encode()
    for _ in range(2):  # what is consolidated already gives the same again
        found, ((key, text),) = consolidate_documents(texts, CONSOLIDATED_KEY, path)
        assert text == json.dumps(json.loads(text), indent=2).encode()
        inside = json.loads(text)["consolidated_metadata"]["metadata"]
        assert list(inside) == ["w", "x", 'x/y"\u00fc']
        assert json.loads(text)["attributes"] == strange
        assert found == find_consolidated({key: text})
        texts[key] = text


def test_equal_documents_of_zarr_3_are_formatted_once(monkeypatch):
    formatted = []
    dumps = consolidated.dumps_3
    monkeypatch.setattr(consolidated, "dumps_3", lambda *args: formatted.append(args) or dumps(*args))
    texts = {f"{name}zarr.json": json.dumps(GROUP).encode() for name in ("", *(f"g{n}/" for n in range(50)))}
    consolidate_documents(texts, CONSOLIDATED_KEY)
    assert len(formatted) == 2
