"""Whether a dask array may be stored in the very array that it reads.

Tasks run in any order, and one that is repeated reads again: a block of the target may be made of the same block of the
source, and of nothing else that comes from it. Then no task reads what another one has overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["moves_blocks"]


def moves_blocks(x: Any, is_source: Callable[[Any], bool]) -> bool:
    """Whether blocks of a dask array depend on other blocks of a source than their own.

    Parameters
    ----------
    x : dask.array.Array
        What is to be stored.
    is_source : callable
        Whether a layer of its graph reads the array that it is to be stored in.
    """
    graph = x.__dask_graph__()
    layers: Mapping[str, Any] = getattr(graph, "layers", {})
    sources = {name for name, layer in layers.items() if is_source(layer)}
    if not sources:
        return False
    reaching = _reaching(sources, graph.dependencies)

    def keeps_blocks(name: str) -> bool:
        """Whether each block of a layer comes from the same block of the sources alone."""
        if name in sources:
            return True
        layer = layers[name]
        own = getattr(layer, "output_indices", None)
        if own is None:  # no blockwise layer
            return False
        named = ((getattr(array, "key", array), index) for array, index in layer.indices)  # a name, or a reference
        inputs = {array: index for array, index in named if isinstance(array, str) and array in reaching}
        if set(inputs) != reaching & set(graph.dependencies[name]):
            return False
        return all(
            # a whole array that is handed to every task: what `from_array` makes reads the block of the task's place
            (array in sources and bool(getattr(layer, "io_deps", None)))
            if index is None
            else tuple(index) == tuple(own) and keeps_blocks(array)
            for array, index in inputs.items()
        )

    (last,) = x.__dask_layers__()
    return not keeps_blocks(last)


def _reaching(sources: set[str], dependencies: Mapping[str, Any]) -> set[str]:
    """Layers that depend on a source, and the sources."""
    found = set(sources)
    while more := {name for name, needed in dependencies.items() if name not in found and found & set(needed)}:
        found |= more
    return found
