"""User attributes of arrays and groups (manual 3.8)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from zarrds._base.types import Buf
from zarrds._format import ATTRS_KEY, Format, format_of_key, node_gone
from zarrds._node import document_locked, set_document, with_mark_of
from zarrds._store import DocumentStore, Store, as_store
from zarrds.errors import ArgumentTypeError, ReadOnlyError, ZarrdsDeprecationWarning
from zarrds.sync import Synchronizer

__all__ = ["Attributes", "known_attributes", "read_attributes"]


class Attributes(MutableMapping[str, Any]):
    """Attributes of an array or group: a mapping kept as one JSON document.

    Attributes are not created directly, but by the ``attrs`` property of an array or group.

    Parameters
    ----------
    store : MutableMapping
        Store of the document.
    key : str
        Its key, by default ".zattrs"; in formats with one document per node, the key of that.
    read_only : bool
        If True, changes raise ReadOnlyError.
    cache : bool
        If True (default), the document is read once and kept; `refresh` reads it again.
    synchronizer : Synchronizer, optional
        Guards changes that several threads or processes may make.
    cached_dict : dict, optional
        Attributes that the caller has read already.

    Notes
    -----
    Changes that several writers make at once are all kept if ``store.can_set_if`` is True; of one attribute the last
    value stays. Where it is False, as for GCS and Azure through fsspec, the last document stays, without the changes of
    the others: let one writer at a time make changes, or give all of them one synchronizer.

    Changes of attributes of an array or group that was deleted raise MetadataError, and leave nothing there.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros(10)
    >>> z.attrs["units"] = "m s-1"
    >>> z.attrs.update(long_name="wind", levels=[1000, 850])
    >>> sorted(z.attrs)
    ['levels', 'long_name', 'units']
    >>> z.attrs["levels"]
    [1000, 850]
    """

    store: Store

    def __init__(
        self,
        store: Any,
        key: str = ATTRS_KEY,
        read_only: bool = False,
        cache: bool = True,
        synchronizer: Synchronizer | None = None,
        cached_dict: dict[str, Any] | None = None,
    ) -> None:
        self.store = as_store(store, mode="r" if read_only else "r+")
        self.key = key
        self.read_only = read_only
        self.cache = cache
        self.synchronizer = synchronizer
        self._cached: dict[str, Any] | None = _copied(cached_dict) if cache else None
        self._document: Buf | dict[str, Any] | None = None  # read with the node, not yet parsed
        self._of_node = False

    @property
    def _format(self) -> Format:
        return format_of_key(self.key)

    def asdict(self) -> dict[str, Any]:
        """Return all attributes as a dictionary: a copy, which may be changed without effect on the attributes.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros(3)
        >>> z.attrs["units"] = "K"
        >>> z.attrs.asdict()
        {'units': 'K'}
        """
        return {name: _copied(value) for name, value in self._all().items()}

    def _all(self) -> dict[str, Any]:
        """Return the attributes themselves, not a copy; they must not leave this object."""
        if self._cached is not None:
            return self._cached
        found = self._load() if self._document is None else self._from_document(self._document)
        if self.cache:
            self._cached, self._document = found, None
        return found

    def refresh(self) -> None:
        """Read the attributes from the store again.

        Examples
        --------
        >>> import zarrds
        >>> store = zarrds.MemoryStore()
        >>> mine, other = zarrds.zeros(3, store=store), zarrds.open(store)
        >>> dict(mine.attrs)
        {}
        >>> other.attrs["units"] = "K"
        >>> mine.attrs.refresh()
        >>> dict(mine.attrs)
        {'units': 'K'}
        """
        if self.cache:
            self._cached = self._load()

    def put(self, d: Mapping[str, Any]) -> None:
        """Overwrite all attributes with the key/value pairs of `d`, in one operation.

        Parameters
        ----------
        d : dict
            The new attributes, by name.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros(3)
        >>> z.attrs["old"] = 1
        >>> z.attrs.put({"units": "K"})
        >>> dict(z.attrs)
        {'units': 'K'}
        """
        given = _mapping(d)
        self._change(lambda _: dict(given), by_itself=not self._format.one_document)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Update the values of several attributes, in one operation.

        Parameters
        ----------
        *args : dict or iterable of pairs
            Attributes to set.
        **kwargs
            Attributes to set, by name.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros(3)
        >>> z.attrs.update({"units": "K"}, scale=2)
        >>> sorted(z.attrs)
        ['scale', 'units']
        """
        given = _mapping(*args, **kwargs)
        self._change(lambda attributes: {**attributes, **given})

    def change(self, make: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Replace all attributes by what a function makes of those that are stored, in one operation.

        Parameters
        ----------
        make : callable
            Returns the new attributes, a dict, for a dict of the stored ones. It is called again if another writer
            changes them meanwhile.

        Raises
        ------
        ArgumentTypeError
            `make` returned something else, such as None; then nothing was changed.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros(3)
        >>> z.attrs["steps"] = [1]
        >>> z.attrs.change(lambda stored: {**stored, "steps": [*stored["steps"], 2]})
        >>> z.attrs["steps"]
        [1, 2]
        """
        self._change(lambda stored: _mapping(make(stored)))

    def __getitem__(self, item: str) -> Any:
        return _copied(self._all()[item])

    def __setitem__(self, item: str, value: Any) -> None:
        self._change(lambda attributes: {**attributes, item: value})

    def __delitem__(self, item: str) -> None:
        def without(attributes: dict[str, Any]) -> dict[str, Any]:
            del attributes[item]
            return attributes

        self._change(without)

    def __contains__(self, item: object) -> bool:
        return item in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} {self._all()!r}>"

    def _ipython_key_completions_(self) -> list[str]:
        return sorted(self)

    def _changing(self) -> AbstractContextManager[Any]:
        if self.read_only:
            raise ReadOnlyError(
                "attributes are read-only",
                store=repr(self.store),
                key=self.key,
                hint="open the array or group with mode='r+' to change them",
            )
        return document_locked(self.synchronizer, self.store, self.key)

    def _load(self) -> dict[str, Any]:
        return self._parsed(self._read())

    def _from_document(self, document: Buf | dict[str, Any]) -> dict[str, Any]:
        """Return the attributes from a document that was read with the node, and may already be parsed."""
        return _copied(document.get("attributes", {})) if isinstance(document, dict) else self._parsed(document)

    def _read(self) -> Buf | None:
        return self.store.get_many([(self.key, None)])[0]

    def _parsed(self, text: Buf | None) -> dict[str, Any]:
        return {} if text is None else self._format.parse_attributes(text, self.key)

    def _change(self, make: Callable[[dict[str, Any]], dict[Any, Any]], *, by_itself: bool = False) -> None:
        """Write the attributes that `make` returns; repeat if another writer changed the document meanwhile.

        If the store can compare and swap, no change of others is lost: neither other attributes, nor other contents of
        the document. With `by_itself`, the document holds only attributes and all are replaced: the last writer wins.
        """
        with self._changing():
            while True:
                present = None if by_itself else self._read()
                attributes = _with_text_names(make({} if by_itself else self._parsed(present)))
                data = with_mark_of(self._format.format_attributes(attributes, self.key, present), present)
                if by_itself:
                    self.store.set_many([(self.key, data)])
                elif not set_document(self.store, self.key, data, present):
                    continue
                break
            if present is None and self._of_node:
                self._expect_node()
            if self.cache:
                # keep what a reader of the document would get, not the caller's mutable objects, in the given order
                found = self._parsed(data)
                self._cached = {name: found[name] for name in attributes}

    def _expect_node(self) -> None:
        """Raise if the node is gone, as after a deletion; attributes that were just written there are deleted.

        A node that is created there later would show them. One that is created between the request that looks and the
        one that deletes may lose its own.
        """
        path = self.key.rpartition("/")[0]
        if all(text is None for text in self.store.get_many([(key, None) for key in self._format.node_keys(path)])):
            self.store.delete_many([self.key])
            raise node_gone(self.key)


def known_attributes(
    store: Store,
    key: str,
    *,
    read_only: bool,
    cache: bool,
    synchronizer: Synchronizer | None,
    document: Buf | dict[str, Any] | None,
) -> Attributes:
    """Return the attributes of a node; if its `document` was read and holds them, they are taken from it.

    The document is parsed at the first use, as there may be thousands of nodes.
    """
    attributes = Attributes(store, key, read_only, cache, synchronizer)
    attributes._document = document if cache else None
    attributes._of_node = True
    return attributes


def read_attributes(store: Store, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return the attributes of several nodes from the documents with these keys, which are read in one batch.

    Parameters
    ----------
    store : Store
        Store of the documents.
    keys : sequence of str
        Their keys, as `Attributes` has them. A document that is absent has no attributes.

    Returns
    -------
    list of dict
        Attributes by name: copies, which may be changed.

    Raises
    ------
    MetadataError
        A document is broken.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.attrs import read_attributes
    >>> z = zarrds.zeros(3, store=zarrds.MemoryStore())
    >>> z.attrs["units"] = "K"
    >>> read_attributes(z.store, [z.attrs.key])
    [{'units': 'K'}]
    """
    # documents of consolidated metadata are values already: no text is made of them, and parsed again
    known: Mapping[str, Any] = store.documents if isinstance(store, DocumentStore) else {}
    left = [key for key in keys if not isinstance(known.get(key), dict)]
    texts = dict(zip(left, store.get_many([(key, None) for key in left]), strict=True)) if left else {}
    found: list[dict[str, Any]] = []
    for key in keys:
        form, text = format_of_key(key), texts.get(key)
        if key not in texts:
            found.append(_copied(known[key].get("attributes", {}) if form.one_document else known[key]))
        else:
            found.append({} if text is None else form.parse_attributes(text, key))
    return found


def _with_text_names(attributes: dict[Any, Any]) -> dict[str, Any]:
    if all(isinstance(name, str) for name in attributes):
        return attributes
    warnings.warn(
        "only attribute keys of type 'string' will be allowed in the future; others are converted",
        ZarrdsDeprecationWarning,
        stacklevel=4,
    )
    return {str(name): value for name, value in attributes.items()}


def _copied(value: Any) -> Any:
    """Return a copy of a JSON value, including nested lists and objects."""
    if isinstance(value, dict):
        # most members are texts and numbers: no call for each of them
        return {name: _copied(member) if isinstance(member, (dict, list)) else member for name, member in value.items()}
    if isinstance(value, list):
        return [_copied(member) for member in value]
    return value


def _mapping(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """Return the attributes that a user gives, as `dict` takes them."""
    try:
        return dict(*args, **kwargs)
    except (TypeError, ValueError) as error:
        found = ", ".join(map(repr, args))
        raise ArgumentTypeError("attributes are a mapping from names to values", found=found) from error
