"""Read and write selections with Boolean masks between plain brackets."""

from __future__ import annotations

from math import prod
from typing import Any

from zarrds._base.types import NDArrayAny
from zarrds._engine.reading import Fields, field_dtype, read
from zarrds._engine.source import OpenSource
from zarrds._engine.values import broadcast_value
from zarrds._engine.writing import write
from zarrds._plan import Selection, plan_mixed, resolve_masks

__all__ = ["read_masked", "write_masked"]


def read_masked(source: OpenSource, selection: Selection, fields: Fields, **options: Any) -> NDArrayAny:
    """Read a selection with masks, with numpy's meaning; the options are those of `read`."""
    masked = resolve_masks(selection, source.meta.shape)
    plan = plan_mixed(masked.items, source.meta.shape, source.meta.write_unit)
    return masked.arranged(read(source, plan, fields=fields, **options))


def write_masked(source: OpenSource, selection: Selection, value: Any, fields: Fields, **options: Any) -> None:
    """Write a selection with masks, with numpy's meaning; the options are those of `write`."""
    masked = resolve_masks(selection, source.meta.shape)
    plan = plan_mixed(masked.items, source.meta.shape, source.meta.write_unit)
    if masked.shape != plan.result_shape or masked.axis != masked.place:
        dtype = field_dtype(source.meta.dtype, fields) if isinstance(fields, str) else source.meta.dtype
        value = broadcast_value(value, dtype, masked.shape)
        if not prod(masked.shape):
            return
        value = masked.restored(value, plan.work_shape) if value.ndim else value
    write(source, plan, value, fields=fields, **options)
