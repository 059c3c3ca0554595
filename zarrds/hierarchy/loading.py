"""The arrays of a group as a mapping that loads them when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from zarrds.core import Array
from zarrds.errors.escaping import visible
from zarrds.hierarchy.groups import Group

__all__ = ["LazyLoader"]


class LazyLoader(Mapping[str, Any]):
    """Arrays of a group by name, each loaded into memory on first access.

    Parameters
    ----------
    grp : Group
        Group whose arrays are loaded when they are asked for.

    Examples
    --------
    >>> import numpy as np, zarrds
    >>> zarrds.save("data/two.zarr", a=np.arange(3), b=np.ones(2))
    >>> loader = zarrds.load("data/two.zarr")
    >>> loader, loader["b"]
    (<LazyLoader: a, b>, array([1., 1.]))
    """

    __module__ = "zarrds.convenience"  # as the manual shows it

    def __init__(self, grp: Group) -> None:
        self.grp = grp
        self.cache: dict[str, Any] = {}

    def __getitem__(self, item: str) -> Any:
        if item not in self.cache:
            member = self.grp[item]
            self.cache[item] = member[...] if isinstance(member, Array) else LazyLoader(member)
        return self.cache[item]

    def __iter__(self) -> Iterator[str]:
        return iter(self.grp)

    def __len__(self) -> int:
        return len(self.grp)

    def __contains__(self, item: object) -> bool:
        return item in self.grp

    def __repr__(self) -> str:
        return f"<LazyLoader: {visible(', '.join(sorted(self.grp.array_keys())))}>"
