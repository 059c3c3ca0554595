"""Send stores of classes that users derive from ours to other processes, with their class and attributes.

Our own stores name their class and arguments in `spec` and when they are pickled. A subclass that adds behaviour, such
as encryption, would come back as its base class in a task, which writes plain values. So for a subclass, its class and
the attributes that it has besides go with the spec of its base class. This is decided once for each class.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from zarrds._store.live import live_data
from zarrds._store.overrides import seen_as
from zarrds._store.spec import LiveSpec, StoreSpec, freeze, live_spec, make_spec

if TYPE_CHECKING:
    from zarrds._store.base import Store

__all__ = ["send_subclass", "spec_of_own_store"]

_KEPT = "_opened_below"
"""Attribute of a store that was opened from a spec: the store of the base class, whose files it uses."""


def send_subclass(cls: type[Store], base: type[Store]) -> None:
    """Let a new class inherit `spec` and ``__reduce__`` from a store of ours so that nothing of it is lost.

    Parameters
    ----------
    cls : type
        The new class.
    base : type
        The class `Store`.
    """
    ours = next(found for found in cls.__mro__ if issubclass(found, base) and _is_ours(found))
    if ours is base or not cls._sends_itself:
        return
    if _is_ours(_owner(cls, "spec")):
        setattr(cls, "spec", _spec(ours))  # noqa: B010  # mypy takes an assignment for another signature
    pickled_by = _owner(cls, "__reduce__")
    if pickled_by is not object and _is_ours(pickled_by):
        setattr(cls, "__reduce__", _reduce(ours))  # noqa: B010


def _is_ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == "zarrds"


def _owner(cls: type, name: str) -> type:
    """Return the class that a method comes from; a method that this module has put into a class does not count."""
    return next(found for found in cls.__mro__ if name in vars(found) and not hasattr(vars(found)[name], "sends"))


def _spec(ours: type[Store]) -> Callable[[Store], StoreSpec]:
    """Return `spec` for subclasses of one of our stores."""
    own_spec, only_forwards = ours.spec, _owner(ours, "spec").__name__ == "WrapperStore"

    def spec(self: Store) -> StoreSpec:
        """Return the spec of the base class, with the class of the store and the attributes that it has besides."""
        found = own_spec(self)
        if isinstance(found, LiveSpec):
            return found if found._store is self else _live(self)
        if not only_forwards:
            found = seen_as(self, ours).spec()
        try:
            added = freeze({**vars(self), "store": None} if only_forwards else _added(self, found.build()))
        except Exception:  # whatever an attribute raises that cannot be pickled
            return _live(self)
        opener = _wrapped_as if only_forwards else _opened_as
        return StoreSpec(opener, found, (("attributes", added), ("cls", type(self))))

    spec.sends = True  # type: ignore[attr-defined]
    return spec


def _reduce(ours: type[Store]) -> Callable[[Store], tuple[Any, ...]]:
    """Return ``__reduce__`` for subclasses of one of our stores."""

    def reduce(self: Store) -> tuple[Any, ...]:
        below = seen_as(self, ours)
        make, arguments = cast("tuple[Any, ...]", below.__reduce__())[:2]
        return _opened_as, (below, _added(self, make(*arguments)), type(self))

    reduce.sends = True  # type: ignore[attr-defined]
    return reduce


def _added(store: Store, plain: Store) -> dict[str, Any]:
    """Return the attributes of a store that one of its base class does not have."""
    return {name: value for name, value in vars(store).items() if name not in vars(plain) and name != _KEPT}


def _opened_as(store: Store, attributes: dict[str, Any], cls: type[Store]) -> Store:
    """Return the store as one of a subclass, with the attributes of both."""
    found = object.__new__(cls)
    vars(found).update(vars(store), **attributes)
    vars(found)[_KEPT] = store  # as long as it lives, its files and connections stay open
    return found


def _wrapped_as(store: Store, attributes: dict[str, Any], cls: type[Store]) -> Store:
    """Return a wrapper of a class that a user derived from `WrapperStore`, over a store."""
    found = object.__new__(cls)
    vars(found).update(attributes, store=store)
    return found


# --- stores without a spec of their own ------------------------------------------------------------------------------


def spec_of_own_store(store: Store) -> StoreSpec:
    """Return the spec of a store that has none: pickled if it is shareable, else for this process only."""
    if store.profile.shareable:
        return make_spec(_unpickled, type(store).__name__, pickled=pickle.dumps(store))
    return _live(store)


def _unpickled(name: str, pickled: bytes) -> Store:
    return cast("Store", pickle.loads(pickled))


def _live(store: Store) -> LiveSpec:
    if store.live is None:
        store.live = live_data(store)
    token, spec = live_spec(store, vars(store).get("_token"))
    vars(store)["_token"] = token
    return spec
