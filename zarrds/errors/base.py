"""The root of the tree of errors, and the base of errors about the node at a path."""

from __future__ import annotations

from typing import Any

from zarrds.errors.escaping import visible

__all__ = ["PathError", "ReadOnlyError", "ZarrdsError"]


class ZarrdsError(Exception):
    """Root of all errors raised by zarrds.

    Parameters
    ----------
    message : str
        What went wrong, in lower case and without a full stop.
    store : str, optional
        Repr of the store, without credentials.
    path : str, optional
        Path of the node in the store, or a path of the file system.
    key : str, optional
        Store key of the document or chunk.
    codec : str, optional
        Name of the codec that failed.
    expected, found : object, optional
        The expected and the actual value.
    hint : str, optional
        How to solve the problem.

    Examples
    --------
    >>> from zarrds.errors import ChunkDecodeError
    >>> raise ChunkDecodeError("chunk has the wrong size", key="u/0.0", expected="400 bytes", found="12 bytes")
    Traceback (most recent call last):
    ...
    zarrds.errors.ChunkDecodeError: chunk has the wrong size (key 'u/0.0', expected 400 bytes, found 12 bytes)
    """

    message: str

    default_message = ""
    path_message: str | None = None
    """Default message if the path is known, with ``{!r}`` for the path: the message of Zarr-Python 2."""

    def __init__(
        self,
        message: str = "",
        *,
        store: str | None = None,
        path: str | None = None,
        key: str | None = None,
        codec: str | None = None,
        expected: object = None,
        found: object = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message or self.default_message)
        self.message = message or self.default_message
        self.store = store
        self.path = path
        self.key = key
        self.codec = codec
        self.expected = expected
        self.found = found
        self.hint = hint

    def __str__(self) -> str:
        parts = []
        message, names_path = self.message, self.path_message is not None and self.path is not None
        if names_path and message == self.default_message:
            message = str(self.path_message).format(self.path)
        else:
            names_path = False
        if self.store is not None:
            parts.append(f"store {self.store}")
        if self.path and not names_path:
            parts.append(f"path {_brief(repr(self.path))}")
        if self.key is not None:
            parts.append(f"key {_brief(repr(self.key))}")
        if self.codec is not None:
            parts.append(f"codec {_brief(self.codec)}")
        if self.expected is not None:
            parts.append(f"expected {_brief(self.expected)}")
        if self.found is not None:
            parts.append(f"found {_brief(self.found)}")
        message = _brief(message, 4 * _MOST)
        text = f"{message} ({', '.join(parts)})" if parts else message
        return visible(f"{text}; {self.hint}" if self.hint else text)

    def __reduce__(self) -> tuple[Any, ...]:
        fields = {
            "store": self.store,
            "path": self.path,
            "key": self.key,
            "codec": self.codec,
            "expected": None if self.expected is None else str(self.expected),
            "found": None if self.found is None else str(self.found),
            "hint": self.hint,
        }
        return _rebuild, (type(self), self.message, fields)


_MOST = 400
"""Most characters of one field in a message: documents may hold values of any length."""


def _brief(value: object, most: int = _MOST) -> str:
    text = str(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _rebuild(cls: type[ZarrdsError], message: str, fields: dict[str, Any]) -> ZarrdsError:
    return cls(message, **fields)


class PathError(ZarrdsError):
    """Base of errors about the node at a path; ``PathError(path)`` works, as in Zarr-Python 2.

    Examples
    --------
    >>> from zarrds.errors import ContainsArrayError
    >>> ContainsArrayError("foo/bar").path
    'foo/bar'
    """

    def __init__(self, message: object = "", **fields: Any) -> None:
        if fields or message == "":
            super().__init__(str(message), **fields)
        else:
            super().__init__(path=message if isinstance(message, str) else str(message))


class ReadOnlyError(ZarrdsError, PermissionError):
    """Something opened read-only cannot be modified.

    Cure: Open it with ``mode="r+"``, or copy it to a place that may be written.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros(4, read_only=True)
    >>> z[0] = 1
    Traceback (most recent call last):
    ...
    zarrds.errors.ReadOnlyError: ...
    """

    default_message = "object is read-only"

    @classmethod
    def of_node(cls, store: object, path: str) -> ReadOnlyError:
        """Return the error for an array or group that was opened to be read.

        Parameters
        ----------
        store : Store
            Where the node is stored.
        path : str
            Its path.
        """
        return cls(store=repr(store), path=path or None, hint="open it with mode='r+' to change it")
