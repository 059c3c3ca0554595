"""Show what a rechunk will cost before it runs: as numbers, text and HTML with a picture. Pure arithmetic."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from zarrds._base.types import Chunks, Shape
from zarrds._copy import size_text
from zarrds.core.html import framed
from zarrds.errors import ArgumentError

if TYPE_CHECKING:
    from zarrds.dask.rechunking.plan import RechunkPlan

__all__ = ["PRICES", "GroupPlan", "Preview"]

PRICES: Mapping[str, float] = {
    "get_per_1000": 0.0004,
    "put_per_1000": 0.005,
    "read_per_gb": 0.0,
    "write_per_gb": 0.0,
    "worker_hour": 0.05,
}
"""Prices in US dollars: requests of S3 in the region of the workers, and a worker with two cores for an hour."""


class Preview(ABC):
    """What plans of one array and of several have in common: totals, time, money, and how they are shown."""

    @property
    @abstractmethod
    def plans(self) -> Mapping[str, RechunkPlan]:
        """Plans of single arrays, by their paths."""

    def _sum(self, name: str) -> Any:
        return sum(getattr(stage, name) for plan in self.plans.values() for stage in plan.stages)

    @property
    def read_bytes(self) -> int:
        """Bytes read in all stages, decoded.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> root = zarrds.group()
        >>> _ = root.zeros("t", shape=(8, 8), chunks=(2, 8))
        >>> plan = zarrds.dask.rechunk(root, {}, chunks={"t": (8, 2)}).plan
        >>> plan.read_bytes >= plan.write_bytes
        True
        """
        return int(self._sum("read_bytes"))

    @property
    def write_bytes(self) -> int:
        """Bytes written in all stages, before they are encoded.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> root = zarrds.group()
        >>> _ = root.zeros("t", shape=(8, 8), chunks=(2, 8))
        >>> plan = zarrds.dask.rechunk(root, {}, chunks={"t": (8, 2)}).plan
        >>> plan.write_bytes
        512
        """
        return int(self._sum("write_bytes"))

    @property
    def reads(self) -> int:
        """Number of values and pieces of values that are read.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> root = zarrds.group()
        >>> _ = root.zeros("t", shape=(8, 8), chunks=(2, 8))
        >>> plan = zarrds.dask.rechunk(root, {}, chunks={"t": (8, 2)}).plan
        >>> plan.reads >= 4
        True
        """
        return int(self._sum("reads"))

    @property
    def writes(self) -> int:
        """Number of values that are written.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> root = zarrds.group()
        >>> _ = root.zeros("t", shape=(8, 8), chunks=(2, 8))
        >>> plan = zarrds.dask.rechunk(root, {}, chunks={"t": (8, 2)}).plan
        >>> plan.writes
        4
        """
        return int(self._sum("writes"))

    @property
    def requests(self) -> int:
        """Number of requests for data, in both directions; documents need some more.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> root = zarrds.group()
        >>> _ = root.zeros("t", shape=(8, 8), chunks=(2, 8))
        >>> plan = zarrds.dask.rechunk(root, {}, chunks={"t": (8, 2)}).plan
        >>> plan.requests >= 8
        True
        """
        return self.reads + self.writes

    @property
    def tasks(self) -> int:
        """Number of blocks of all stages; a task of the graph may do several.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> root = zarrds.group()
        >>> _ = root.zeros("t", shape=(8, 8), chunks=(2, 8))
        >>> plan = zarrds.dask.rechunk(root, {}, chunks={"t": (8, 2)}).plan
        >>> plan.tasks > 0
        True
        """
        return int(self._sum("tasks"))

    @property
    def temp_bytes(self) -> int:
        """Bytes of intermediate objects that the temporary store contains at the end.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> root = zarrds.group()
        >>> _ = root.zeros("t", shape=(8, 8), chunks=(2, 8))
        >>> plan = zarrds.dask.rechunk(root, {}, chunks={"t": (8, 2)}).plan
        >>> plan.temp_bytes
        0
        """
        return sum(plan.nbytes * (len(plan.stages) - 1) for plan in self.plans.values())

    @property
    def projected_mem(self) -> int:
        """Largest number of bytes that a task uses, without the interpreter and libraries."""
        return max((stage.memory for plan in self.plans.values() for stage in plan.stages), default=0)

    def seconds(self, workers: int | None = None) -> float:
        """Return the expected seconds.

        Parameters
        ----------
        workers : int, optional
            Tasks that run at the same time; by default as many as the cluster had when this was planned.

        Notes
        -----
        The stages run one after the other. Time of codecs is not known in advance and not included.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> root = zarrds.group()
        >>> _ = root.zeros("t", shape=(8, 8), chunks=(2, 8))
        >>> plan = zarrds.dask.rechunk(root, {}, chunks={"t": (8, 2)}).plan
        >>> plan.seconds(workers=4) > 0
        True
        """
        total = 0.0
        for plan in self.plans.values():
            most = workers or plan.model.workers
            total += sum(stage.work_s(plan.model) / max(1, min(most, stage.tasks)) for stage in plan.stages)
        return total

    def money(self, prices: Mapping[str, float] | None = None, workers: int | None = None) -> dict[str, float]:
        """Return what the rechunk costs, by items, with their sum as ``"total"``.

        Parameters
        ----------
        prices : dict, optional
            ``get_per_1000``, ``put_per_1000`` requests, ``read_per_gb``, ``write_per_gb`` (10^9 bytes),
            ``worker_hour``; items that are left out cost nothing. By default `PRICES`.
        workers : int, optional
            As for `seconds`.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> root = zarrds.group()
        >>> _ = root.zeros("t", shape=(8, 8), chunks=(2, 8))
        >>> plan = zarrds.dask.rechunk(root, {}, chunks={"t": (8, 2)}).plan
        >>> plan.money()["total"] > 0
        True
        """
        prices = PRICES if prices is None else prices
        unknown = sorted(set(prices) - set(PRICES))
        if unknown:
            raise ArgumentError(f"unknown price {unknown[0]!r}; there are {sorted(PRICES)}")
        most = workers or max((plan.model.workers for plan in self.plans.values()), default=1)
        amounts = {
            "get_per_1000": self.reads / 1000,
            "put_per_1000": self.writes / 1000,
            "read_per_gb": self.read_bytes / 1e9,
            "write_per_gb": self.write_bytes / 1e9,
            "worker_hour": self.seconds(workers) * most / 3600,
        }
        found = {name: amounts[name] * price for name, price in prices.items()}
        return {**found, "total": sum(found.values())}

    def as_dict(self) -> dict[str, Any]:
        """Return the totals and the stages as plain values, for JSON.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> root = zarrds.group()
        >>> _ = root.zeros("t", shape=(8, 8), chunks=(2, 8))
        >>> plan = zarrds.dask.rechunk(root, {}, chunks={"t": (8, 2)}).plan
        >>> plan.as_dict()["write_bytes"]
        512
        """
        names = ("tasks", "reads", "writes", "requests", "read_bytes", "write_bytes", "temp_bytes", "projected_mem")
        return {
            **{name: getattr(self, name) for name in names},
            "seconds": self.seconds(),
            "money": self.money()["total"],
            "arrays": {path: _as_dict(plan) for path, plan in self.plans.items()},
        }

    def summary(self) -> str:
        """Return the totals in one line.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> root = zarrds.group()
        >>> _ = root.zeros("t", shape=(8, 8), chunks=(2, 8))
        >>> plan = zarrds.dask.rechunk(root, {}, chunks={"t": (8, 2)}).plan
        >>> "requests" in plan.summary()
        True
        """
        return (
            f"{self.tasks} tasks, {self.requests} requests, {size_text(self.read_bytes)} read, "
            f"{size_text(self.write_bytes)} written, {size_text(self.temp_bytes)} of temporary space, "
            f"{size_text(self.projected_mem)} a task, about {_time(self.seconds())}, ${self.money()['total']:.2g}"
        )

    def _repr_html_(self) -> str:
        parts = [f"<p>{html.escape(self.summary())}</p>"]
        for path, plan in self.plans.items():
            title = f"<h4>{html.escape(path)}</h4>" if path else ""
            text = html.escape(plan.table())
            parts.append(f"{title}{_picture(plan)}<pre>{text}</pre>")
        return framed(*parts)


class GroupPlan(Preview, Mapping[str, "RechunkPlan"]):
    """Plans of the arrays of a group, by their paths; the numbers are those of all together.

    Parameters
    ----------
    plans : dict
        The plans.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> root = zarrds.open_group("maps.zarr", mode="w")
    >>> _ = root.ones("u", shape=(40, 40), chunks=(1, 40))
    >>> plan = zarrds.dask.rechunk("maps.zarr", "series.zarr", chunks={"u": (40, 1)}, max_mem="1MB").plan
    >>> list(plan.plans), plan.requests == plan["u"].requests
    (['u'], True)
    """

    def __init__(self, plans: Mapping[str, RechunkPlan]) -> None:
        self._plans = dict(plans)

    @property
    def plans(self) -> Mapping[str, RechunkPlan]:
        """Plans of the arrays, by their paths.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> root = zarrds.group()
        >>> _ = root.zeros("t", shape=(8, 8), chunks=(2, 8))
        >>> plan = zarrds.dask.rechunk(root, {}, chunks={"t": (8, 2)}).plan
        >>> list(plan)
        ['t']
        """
        return self._plans

    def __getitem__(self, path: str) -> RechunkPlan:
        return self._plans[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._plans)

    def __len__(self) -> int:
        return len(self._plans)

    def __repr__(self) -> str:
        rows = [f"{path}: {plan!r}" for path, plan in self._plans.items()]
        return "\n".join([f"<GroupPlan of {len(self)} arrays: {self.summary()}>", *rows])


def _as_dict(plan: RechunkPlan) -> dict[str, Any]:
    return {
        "shape": list(plan.shape),
        "source_chunks": list(plan.source_chunks),
        "target_chunks": list(plan.target_chunks),
        "max_mem": plan.max_mem,
        "stages": [
            {
                "block": list(stage.block),
                "tasks": stage.tasks,
                "reads": stage.reads,
                "writes": stage.writes,
                "read_bytes": stage.read_bytes,
                "write_bytes": stage.write_bytes,
                "memory": stage.memory,
            }
            for stage in plan.stages
        ],
    }


def _time(seconds: float) -> str:
    for unit, length in (("s", 60), ("min", 60), ("h", 48)):
        if seconds < 2 * length:
            return f"{seconds:.2g} {unit}" if seconds < 10 else f"{seconds:.0f} {unit}"
        seconds /= 60 if unit != "h" else 24
    return f"{seconds:.0f} days"


# --- the picture -----------------------------------------------------------------------------------------------------

_SIDE, _MOST_LINES = 140, 32


def _picture(plan: RechunkPlan) -> str:
    """Return an SVG with the chunks of source and target, along the two axes whose chunks differ most."""
    rows, columns = _axes(plan)
    grids = [("source", plan.source_chunks), *[("block", s.block) for s in plan.stages], ("target", plan.target_chunks)]
    drawn = [_grid(plan.shape, chunks, rows, columns, i, name) for i, (name, chunks) in enumerate(grids)]
    width, height = len(grids) * (_SIDE + 20), _SIDE + 34
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">{"".join(drawn)}</svg>'


def _axes(plan: RechunkPlan) -> tuple[int | None, int | None]:
    """Return the axes that the picture shows downwards and to the right."""

    def difference(axis: int) -> float:
        lengths = plan.source_chunks[axis], plan.target_chunks[axis]
        return max(lengths) / max(1, min(lengths))

    best = sorted(sorted(range(len(plan.shape)), key=difference, reverse=True)[:2])
    return (best[0], best[1]) if len(best) == 2 else (None, best[0] if best else None)


def _grid(shape: Shape, chunks: Chunks, rows: int | None, columns: int | None, place: int, name: str) -> str:
    left = place * (_SIDE + 20) + 4
    high = _SIDE if rows is not None else 24
    lines = [
        f'<rect x="{left}" y="18" width="{_SIDE}" height="{high}" fill="#eef3f8" stroke="#345"/>',
        f'<text x="{left}" y="12" font-size="11">{name} {html.escape(str(chunks))}</text>',
    ]
    if columns is not None:
        for at in _lines(shape[columns], chunks[columns]):
            x = left + at * _SIDE
            lines.append(f'<path d="M{x:.1f} 18V{18 + high}" stroke="#7a9" fill="none"/>')
    if rows is not None:
        for at in _lines(shape[rows], chunks[rows]):
            y = 18 + at * high
            lines.append(f'<path d="M{left} {y:.1f}H{left + _SIDE}" stroke="#7a9" fill="none"/>')
    return "".join(lines)


def _lines(length: int, chunk: int) -> list[float]:
    """Return where chunks end, as shares of the length; at most some lines, if there are many chunks."""
    count = -(-length // max(1, chunk))
    step = max(1, -(-count // _MOST_LINES))
    return [i * chunk / length for i in range(step, count, step)]
