"""Keep a subclass of a store whole: where it overrides methods of the mapping, its batch methods go through them.

This is decided once, when a class is created, so that stores without such methods pay nothing. A batch method that is
put into a class calls the overriding methods; what these call of their base class works below them, on the same object
seen as one of the base class. So ``super().__getitem__(key)`` does not end up in the overriding method again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from zarrds._base.types import Buf, Request
from zarrds._store.absence import names_key
from zarrds._store.failure import store_failure
from zarrds._store.paths import check_key
from zarrds._store.request import cut, to_bytes
from zarrds._store.values import as_buffer
from zarrds.errors import NotListableError

if TYPE_CHECKING:
    from zarrds._store.base import Store, StoreProfile

__all__ = ["follow_overrides", "seen_as"]

_READS = ("__getitem__", "getitems")
_WRITES = ("__setitem__", "setitems")
_DELETES = ("__delitem__", "delitems")


def follow_overrides(cls: type[Store], base: type[Store], network: StoreProfile) -> None:
    """Put batch methods into a new class of stores that use the methods of the mapping which it overrides.

    Parameters
    ----------
    cls : type
        The new class.
    base : type
        The class `Store`.
    network : StoreProfile
        Profile of a class that has only the methods of the mapping, among them `getitems`.
    """
    below = _class_below(cls, base)
    is_read = _is_overridden(cls, _READS, ("get_many", "iter_many"))
    if is_read:
        _put_reads(cls, base, below)
    elif _is_overridden(cls, ("iter_many",), ("get_many",)):
        _put_get_many(cls, base)
    elif _is_overridden(cls, ("get_many",), ("iter_many",)) and cls.iter_many is not base.iter_many:
        _put(cls, "iter_many", lambda self, requests: iter(cls.get_many(self, requests)))
    if _is_overridden(cls, _WRITES, ("set_many",)):
        _put(cls, "set_many", _setter(cls))
        _put_own(cls, below, "_set_own", "set_many", _WRITES)
    if _is_overridden(cls, _DELETES, ("delete_many",)):
        _put(cls, "delete_many", _deleter(cls))
        _put_own(cls, below, "_delete_own", "delete_many", _DELETES)
    if _is_overridden(cls, ("__iter__",), ("keys_below",)):
        _put(cls, "keys_below", _keys_below)
        _put_own(cls, below, "_keys_own", "keys_below", ("__iter__",))
    changed = _position(cls, (*_READS, *_WRITES, *_DELETES, "get_many", "set_many", "delete_many", "rmdir"))
    for name in ("replace_below", "staging", "copy_many"):  # these pass by what is overridden
        if changed < _position(cls, (name,)) and getattr(cls, name) is not getattr(base, name):
            _put(cls, name, getattr(base, name))
    if cls.set_if is not base.set_if and not _compares(cls):
        _put(cls, "set_if", base.set_if)
        cls.can_set_if = _Never()  # type: ignore[assignment]
    elif isinstance(_in_classes(cls, "can_set_if"), _Never):
        found = [vars(base)["can_set_if"] for base in cls.__mro__ if "can_set_if" in vars(base)]
        cls.can_set_if = next(value for value in found if not isinstance(value, _Never))
    if is_read and below is None and "getitems" in cls.__dict__ and cls.profile is base.profile:
        cls.profile = network


# --- what a class overrides -------------------------------------------------------------------------------------------


def _position(cls: type, names: Sequence[str]) -> int:
    """Return the number of the first class, in the order of method resolution, that has one of the names itself."""
    for number, found in enumerate(cls.__mro__):
        if any(name in vars(found) and not hasattr(vars(found)[name], "follows_overrides") for name in names):
            return number
    return len(cls.__mro__)


def _in_classes(cls: type, name: str) -> object:
    """Return what the class, or the first one above it that has the name, has under it."""
    return next(vars(found)[name] for found in cls.__mro__ if name in vars(found))


def _is_overridden(cls: type, names: Sequence[str], batch: Sequence[str]) -> bool:
    """Return whether the class, or one above it, overrides one of the names of a class that has the batch methods."""
    return _position(cls, names) < _position(cls, batch)


def _compares(cls: type[Store]) -> bool:
    """Return whether `set_if` of a class compares and sets what its other methods read and write."""
    last = _position(cls, ("set_if",))
    if _position(cls, (*_READS, *_WRITES, "get_many", "iter_many", "set_many")) >= last:
        return True
    return bool(vars(cls.__mro__[last]).get("_compares_in_batches", False))


def _class_below(cls: type[Store], base: type[Store]) -> type[Store] | None:
    """Return the first class of stores above `cls` that overrides nothing of the mapping; None if there is none."""
    for found in cls.__mro__[1:]:
        if found is base:
            return None
        if issubclass(found, base) and not inspect.isabstract(found) and "_get_own" not in vars(found):
            return found
    return None


def seen_as(store: Store, cls: type[Store]) -> Store:
    """Return the same store as an object of a class above its own: both have the same attributes."""
    found = object.__new__(cls)
    found.__dict__ = store.__dict__
    return found


class _Never:
    """The attribute `can_set_if` of a class that cannot; what a base class assigns is ignored."""

    def __get__(self, store: object, cls: type) -> bool:
        return False

    def __set__(self, store: object, value: object) -> None:
        pass


# --- methods for such classes -----------------------------------------------------------------------------------------


def _put(cls: type[Store], name: str, method: Callable[..., Any]) -> None:
    """Put a method into a class, marked so that it is not taken for one that the class overrides."""

    def follower(self: Store, *args: Any, **kwargs: Any) -> Any:
        return method(self, *args, **kwargs)

    follower.follows_overrides = True  # type: ignore[attr-defined]
    follower.__name__ = name
    follower.__doc__ = method.__doc__
    setattr(cls, name, follower)


def _put_own(cls: type[Store], below: type[Store] | None, own: str, name: str, overridden: Sequence[str]) -> None:
    """Let the methods of the base class work below the overriding ones.

    The base class's methods for several keys work on single ones, if these are overridden, except those of `FSStore`.
    """
    whole: Any = vars(cls)[name]
    seen_below: Any = below

    def below_them(self: Store, *args: Any) -> Any:
        return getattr(seen_as(self, seen_below), name)(*args)

    if below is not None:
        setattr(cls, own, below_them)
    if below is None or not below._batches_below:
        singly = {"get_many": _get_singly, "set_many": _set_singly, "delete_many": _delete_singly}.get(name, whole)
        by_single = _position(cls, overridden[:1]) < _position(cls, (name,))
        if by_single or below is not None:
            setattr(cls, f"{own}_batch", singly if by_single else below_them)
    elif _position(cls, overridden[1:]) < _position(cls, (name,)):
        setattr(cls, f"{own}_batch", below_them)  # else it would come back here


def _put_reads(cls: type[Store], base: type[Store], below: type[Store] | None) -> None:
    get_many = _getter(cls)
    _put(cls, "get_many", get_many)
    # not by that of `self`: a subclass may override `iter_many`, and its `get_many` calls that
    _put(cls, "iter_many", lambda self, requests: _iter_by(get_many, self, requests))
    _put_own(cls, below, "_get_own", "get_many", _READS)
    overridden = _position(cls, _READS)
    for name in ("reader", "version"):  # those of the base class would look at values as they are stored
        if _position(cls, (name,)) > overridden:
            _put(cls, name, getattr(base, name))


def _put_get_many(cls: type[Store], base: type[Store]) -> None:
    """Let `get_many` use the overriding `iter_many`; what that calls of its base class works below it."""
    _put(cls, "get_many", lambda self, requests: list(cls.iter_many(self, requests)))
    if cls._get_each is base._get_each:  # otherwise a class between has said so, and what it reads is below both
        below: Any = cls.__mro__[_position(cls, ("get_many",))]
        setattr(cls, "_get_each", lambda self, requests: below.get_many(self, requests))  # noqa: B010


def _iter_by(
    get_many: Callable[..., list[Buf | None]], self: Store, requests: Sequence[Request]
) -> Iterator[Buf | None]:
    if self.profile.native_batch:
        yield from get_many(self, requests)
        return
    for request in requests:
        yield from get_many(self, [request])


def _getter(cls: type[Store]) -> Callable[..., list[Buf | None]]:
    """Return `get_many` of a class that overrides ``__getitem__``, `getitems` or both."""
    single, batch = _position(cls, ("__getitem__",)), _position(cls, ("getitems",))
    if batch > single:
        return _get_singly
    pass_contexts = "contexts" in inspect.signature(cls.getitems).parameters

    def get_many(self: Store, requests: Sequence[Request]) -> list[Buf | None]:
        if len(requests) == 1 and single == batch:
            return _get_singly(self, requests)
        keys = list(dict.fromkeys(check_key(key) for key, _ in requests))
        values = self.getitems(keys, contexts={}) if pass_contexts else self.getitems(keys)
        return [cut(as_buffer(values[key], key), part) if key in values else None for key, part in requests]

    return get_many


def _get_singly(self: Store, requests: Sequence[Request]) -> list[Buf | None]:
    found: list[Buf | None] = []
    last, value = None, None
    for key, part in requests:
        if key != last:  # several ranges of one value are asked for one after the other
            last, value = key, _value_or_none(self, check_key(key))
        found.append(None if value is None else cut(value, part))
    return found


def _value_or_none(store: Store, key: str) -> Buf | None:
    try:
        return as_buffer(store[key], key)
    except KeyError as error:
        _require_absent(store, error, "cannot read", key)
        return None


def _require_absent(store: Store, error: KeyError, what: str, key: str) -> None:
    """Raise StoreError for a KeyError that comes from inside a method, and does not mean an absent key."""
    if not names_key(error, key) and any(found == key for found in store):
        raise store_failure(what, error, store=repr(store), key=key, attempts=1)


def _setter(cls: type[Store]) -> Callable[..., None]:
    """Return `set_many` of a class that overrides ``__setitem__``, `setitems` or both."""
    by_batches = _position(cls, ("setitems",)) <= _position(cls, ("__setitem__",))

    def set_many(self: Store, items: Sequence[tuple[str, Buf]]) -> None:
        values = [(check_key(key), to_bytes(value)) for key, value in items]
        try:
            if by_batches:
                self.setitems(dict(values))
            else:
                _set_singly(self, values)
        finally:
            if self.live is not None:
                self.live.changed()

    return set_many


def _set_singly(self: Store, items: Sequence[tuple[str, Buf]]) -> None:
    for key, value in items:
        self[key] = value


def _deleter(cls: type[Store]) -> Callable[..., None]:
    """Return `delete_many` of a class that overrides ``__delitem__``, `delitems` or both."""
    by_batches = _position(cls, ("delitems",)) <= _position(cls, ("__delitem__",))

    def delete_many(self: Store, keys: Sequence[str]) -> None:
        checked = [check_key(key) for key in keys]
        try:
            if by_batches:
                self.delitems(checked)
            else:
                _delete_singly(self, checked)
        finally:
            if self.live is not None:
                self.live.changed()

    return delete_many


def _delete_singly(self: Store, keys: Sequence[str]) -> None:
    for key in keys:
        try:
            del self[key]
        except KeyError as error:
            _require_absent(self, error, "cannot delete", key)


def _keys_below(self: Store, prefix: str = "") -> Iterator[str]:
    try:
        return iter([key for key in self if key.startswith(prefix)])
    except NotImplementedError as error:
        raise NotListableError(store=repr(self)) from error
