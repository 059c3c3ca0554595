"""What zarr-python 2.17.2 answers to a table of selections: how an outcome is told, and how the table was recorded.

``python tests/core/indexing/recorded.py zarr < cases > selections_2_17.tsv``, run with zarr-python 2.17.2 installed,
turns lines of two columns, array and expression, into lines of three.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
import warnings
from typing import Any

import numcodecs
import numpy as np

FAMILIES = ("IndexError", "ValueError", "TypeError", "KeyError", "OverflowError")


def make(lib: Any, kind: str) -> Any:
    """One of the arrays of the table."""
    return _MAKERS[kind](lib)


def outcome(lib: Any, kind: str, expression: str) -> str:
    """What an expression of `z` gives; one that starts with "!" is a statement, after which the array is read."""
    names = {"z": make(lib, kind), "np": np, "zarr": lib}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if expression.startswith("!"):
                exec(expression[1:], names)
                return "wrote " + _told(names["z"][...])
            return _told(eval(expression, names))
        except Exception as error:
            found = [c.__name__ for c in type(error).__mro__ if c.__name__ in FAMILIES]
            return "raises " + (" ".join(found) or type(error).__name__)


def _told(found: Any) -> str:
    if isinstance(found, np.ndarray):
        flags = ("C" if found.flags.c_contiguous else "") + ("F" if found.flags.f_contiguous else "")
        return f"array {_dtype(found.dtype)} {found.shape} {flags or '-'} {_digest(found.tolist())}"
    if isinstance(found, np.generic):
        return f"scalar {_dtype(found.dtype)} {found.tolist()!r}"
    return f"{type(found).__name__} {found!r}"


def _dtype(dtype: Any) -> str:
    return str(dtype if dtype.names is None else dtype.descr).replace(" ", "")


def _digest(items: Any) -> str:
    return hashlib.sha1(repr(items).encode()).hexdigest()[:10]


def _structured(lib: Any) -> Any:
    dtype = [("foo", "S3"), ("bar", "i4"), ("baz", "f8")]
    records = [(b"aaa", 1, 4.2), (b"bbb", 2, 8.4), (b"ccc", 3, 12.6)]
    return lib.array(np.array(records, dtype=dtype), chunks=2, fill_value=None)


def _nested(lib: Any) -> Any:
    dtype = [("p", [("x", "i4"), ("y", "f8")]), ("v", "u1", (3,))]
    return lib.array(np.array([((1, 2.5), [1, 2, 3]), ((3, 4.5), [4, 5, 6])], dtype=dtype), chunks=1, fill_value=None)


def _structured_2d(lib: Any) -> Any:
    data = np.zeros((5, 4), dtype=[("a", "i4"), ("b", "f4")])
    data["a"] = np.arange(20).reshape(5, 4)
    data["b"] = data["a"] / 2
    return lib.array(data, chunks=(2, 3))


def _filled(lib: Any, codec: Any, data: Any, chunks: Any) -> Any:
    z = lib.empty(data.shape, chunks=chunks, dtype=object, object_codec=codec)
    z[:] = data
    return z


def _objects(items: Any) -> Any:
    return np.array(items, dtype=object)


_MAKERS = {
    "a0": lambda lib: lib.array(np.array(7, dtype="i8")),
    "a1": lambda lib: lib.array(np.arange(20), chunks=6),
    "a2": lambda lib: lib.array(np.arange(60, dtype="f4").reshape(10, 6), chunks=(4, 4)),
    "a2F": lambda lib: lib.array(np.arange(60, dtype="i2").reshape(10, 6), chunks=(4, 4), order="F"),
    "a3": lambda lib: lib.array(np.arange(120).reshape(4, 5, 6), chunks=(2, 2, 4), compressor=None),
    "e1": lambda lib: lib.zeros((0,), chunks=3, dtype="i4"),
    "e2": lambda lib: lib.zeros((3, 0), chunks=(2, 2), dtype="i4"),
    "st": _structured,
    "ns": _nested,
    "st2": _structured_2d,
    "ob": lambda lib: _filled(lib, numcodecs.VLenUTF8(), _objects(["a", "bb", "", "dd", "eee"]), 2),
    "js": lambda lib: _filled(lib, numcodecs.JSON(), _objects([["a", 1], [None, 2.5], ["x", "y"]]), 2),
    "dt": lambda lib: lib.array(np.arange(10).astype("M8[D]"), chunks=4),
    "bo": lambda lib: lib.array(np.arange(9).reshape(3, 3) % 2 == 0, chunks=2),
}


def main(name: str) -> None:
    """Record the outcomes of the lines of standard input."""
    lib = importlib.import_module(name)
    for line in sys.stdin:
        kind, expression, *_ = line.rstrip("\n").split("\t")
        print(kind, expression, outcome(lib, kind, expression), sep="\t")


if __name__ == "__main__":
    main(sys.argv[1])
