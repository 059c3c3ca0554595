"""Errors that Zarr-Python 2 has too: their names, bases, and how they may be made."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import zarrds
from zarrds import errors

# name: bases that callers catch, arguments, text that the message has
NAMES: dict[str, tuple[tuple[type, ...], tuple[Any, ...], str]] = {
    "ArrayIndexError": ((IndexError,), ("oops",), "oops"),
    "ArrayNotFoundError": ((ValueError,), ("path",), "array not found at path 'path'"),
    "BadCompressorError": ((ValueError,), ("x",), "bad compressor; expected Codec object, found 'x'"),
    "BoundsCheckError": ((IndexError,), (3,), "index out of bounds for dimension with length 3"),
    "ContainsArrayError": ((ValueError,), ("path",), "path 'path' contains an array"),
    "ContainsGroupError": ((ValueError,), ("path",), "path 'path' contains a group"),
    "CopyError": ((RuntimeError,), ("oops",), "oops"),
    "FSPathExistNotDir": ((errors.GroupNotFoundError, ValueError), ("path",), "not a directory"),
    "GroupNotFoundError": ((ValueError,), ("path",), "group not found at path 'path'"),
    "MetadataError": ((Exception,), ("oops",), "oops"),
    "NegativeStepError": ((IndexError,), (), "only slices with step >= 1 are supported"),
    "PathNotFoundError": ((ValueError,), ("path",), "nothing found at path 'path'"),
    "ReadOnlyError": ((PermissionError,), (), "object is read-only"),
    "VindexInvalidSelectionError": (
        (IndexError,),
        (slice(None),),
        "unsupported selection type for vectorized indexing",
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_made_as_there(name: str) -> None:
    bases, arguments, text = NAMES[name]
    error = getattr(errors, name)(*arguments)
    assert all(isinstance(error, base) for base in bases)
    assert text in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))


@pytest.mark.parametrize("name", NAMES)
def test_made_of_nothing_and_of_fields(name: str) -> None:
    made = getattr(errors, name)
    assert isinstance(str(made()), str)
    error = made("a message", path="p", found="f")
    assert (error.path, error.found) == ("p", "f")
    assert "a message" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    "name", ["ContainsArrayError", "ContainsGroupError", "PathNotFoundError", "ArrayNotFoundError"]
)
def test_a_path_alone(name: str) -> None:
    assert getattr(errors, name)("foo/bar").path == "foo/bar"
    assert getattr(errors, name)(3).path == "3"


def test_a_function() -> None:
    with pytest.raises(IndexError, match="too many indices for array; expected 2, got 3"):
        errors.err_too_many_indices((1, 2, 3), (4, 5))


def test_top_level_names() -> None:
    assert zarrds.CopyError is errors.CopyError
    assert zarrds.MetadataError is errors.MetadataError


@pytest.mark.parametrize("error", [ValueError, TypeError])
@pytest.mark.parametrize("opener", [zarrds.open, zarrds.open_array, zarrds.open_group, zarrds.group, zarrds.load])
def test_what_is_no_store(opener: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="a store is a path"):
        opener(5)


def test_masks_of_another_shape() -> None:
    z = zarrds.zeros((6, 5))
    with pytest.raises(errors.VindexInvalidSelectionError, match="invalid mask selection"):
        z.vindex[[True] * 6]
    with pytest.raises(IndexError, match="invalid mask selection"):
        z.get_mask_selection([True] * 6)


@pytest.mark.parametrize("store", [zarrds.MemoryStore(), zarrds.LRUStoreCache(zarrds.MemoryStore(), max_size=None)])
def test_capabilities_of_stores(store: Any) -> None:
    assert store.is_readable()
    assert store.is_listable()
    assert store.is_writeable()
    assert store.is_erasable()
