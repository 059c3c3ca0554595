"""Count the requests and bytes that a block of code costs.

While a trace is open, the methods of all store classes that send requests are replaced by counting ones; they are
restored when the last trace closes. So there is no cost without a trace. Stores that send other requests than they are
asked for (because they merge ranges, or try again) report the requests that they send.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar, Token
from functools import wraps
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from zarrds._base.html import columns_table, folded, framed
from zarrds._base.types import Buf, Request
from zarrds._store.base import Store
from zarrds._store.request import buffer_size
from zarrds.errors import UsageError
from zarrds.errors.escaping import visible

__all__ = ["Entry", "Trace", "carried", "is_open", "record", "trace"]

Function = TypeVar("Function", bound=Callable[..., Any])
VERBS = ("get", "get range", "head", "set", "delete", "list", "rename")


class Entry(NamedTuple):
    """One request.

    Attributes
    ----------
    verb : str
        "get", "get range", "head", "set", "delete", "list" or "rename".
    key : str
        Key, or the path that was listed.
    nbytes : int
        Size in bytes of the value that was read or written; 0 for other verbs and for absent keys.
    """

    verb: str
    key: str
    nbytes: int


_MOST_SHOWN = 500
"""Most requests in the table that a notebook shows."""


class Trace:
    """Counts of requests to stores; created by `trace`.

    Attributes
    ----------
    requests : Counter
        Number of requests by verb.
    nbytes : Counter
        Number of bytes by verb.
    batches : Counter
        Number of calls by verb; the requests of one call are sent together if the store can do so.
    log : list of Entry
        All requests, if `keys` is True.
    """

    def __init__(self, *, keys: bool = False) -> None:
        self.requests: Counter[str] = Counter()
        self.nbytes: Counter[str] = Counter()
        self.batches: Counter[str] = Counter()
        self.log: list[Entry] = []
        self._keys = keys
        self._lock = threading.Lock()
        self._token: Token[tuple[Trace, ...]] | None = None

    @property
    def gets(self) -> int:
        """Number of requests for values and ranges."""
        return self.requests["get"] + self.requests["get range"]

    @property
    def range_gets(self) -> int:
        """Number of requests for ranges."""
        return self.requests["get range"]

    @property
    def heads(self) -> int:
        """Number of requests for the existence or the size of a key."""
        return self.requests["head"]

    @property
    def sets(self) -> int:
        """Number of values written."""
        return self.requests["set"]

    @property
    def deletes(self) -> int:
        """Number of keys deleted; a directory that the store deletes at once counts as one."""
        return self.requests["delete"]

    @property
    def lists(self) -> int:
        """Number of listings."""
        return self.requests["list"]

    @property
    def total(self) -> int:
        """Number of all requests."""
        return sum(self.requests.values())

    @property
    def bytes_read(self) -> int:
        """Number of bytes read."""
        return self.nbytes["get"] + self.nbytes["get range"]

    @property
    def bytes_written(self) -> int:
        """Number of bytes written."""
        return self.nbytes["set"]

    def add(self, entries: Sequence[Entry]) -> None:
        """Count the requests of one call."""
        with self._lock:
            for verb, _, nbytes in entries:
                self.requests[verb] += 1
                self.nbytes[verb] += nbytes
            for verb in {entry.verb for entry in entries}:
                self.batches[verb] += 1
            if self._keys:
                self.log.extend(entries)

    def reset(self) -> None:
        """Set all counts to zero."""
        with self._lock:
            for counter in (self.requests, self.nbytes, self.batches):
                counter.clear()
            self.log.clear()

    def __enter__(self) -> Self:
        if self._token is not None:
            raise UsageError("this trace is open already")
        self._token = _here.set((*_here.get(), self))
        _open(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        _close(self)
        if self._token is not None:
            _here.reset(self._token)
            self._token = None

    def __repr__(self) -> str:
        verbs = [verb for verb in VERBS if self.requests[verb]]
        if not verbs:
            return "<zarrds.trace: no requests>"
        lines = [f"{'verb':<10}{'requests':>10}{'calls':>8}{'bytes':>16}"]
        rows = [(verb, self.requests[verb], self.batches[verb], self.nbytes[verb]) for verb in verbs]
        lines += [f"{verb:<10}{count:>10,}{calls:>8,}{nbytes:>16,}" for verb, count, calls, nbytes in rows]
        lines += [f"  {entry.verb:<10}{entry.nbytes:>12,}  {visible(entry.key)}" for entry in self.log]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        counts = (self.requests, self.batches, self.nbytes)
        rows = [(verb, *(f"{count[verb]:,}" for count in counts)) for verb in VERBS if self.requests[verb]]
        table = columns_table(("verb", "requests", "calls", "bytes"), rows)
        keys = columns_table(("verb", "bytes", "key"), self._shown())
        return framed(table, folded(f"Requests ({len(self.log)})", keys) if self.log else "")

    def _shown(self) -> list[tuple[str, str, str]]:
        """Return the first requests, for a table."""
        rows = [(entry.verb, f"{entry.nbytes:,}", entry.key) for entry in self.log[:_MOST_SHOWN]]
        more = len(self.log) - _MOST_SHOWN
        return [*rows, ("...", "", f"{more} more")] if more > 0 else rows


def trace(*, keys: bool = False) -> Trace:
    """Count the requests to stores inside a ``with`` block.

    Parameters
    ----------
    keys : bool, default False
        Whether to keep a list of every request, ``t.log``.

    Returns
    -------
    Trace
        A context manager with ``gets``, ``range_gets``, ``heads``, ``sets``, ``deletes``, ``lists``, ``bytes_read``,
        ``bytes_written``, and ``requests``, ``nbytes`` and ``batches`` by verb. Readable after the block as well.

    Notes
    -----
    Traces may be nested, and open in several threads or contexts at once: each counts the requests of its own context.
    Requests of threads without a trace (such as those of a scheduler) count for every open trace. Requests of other
    processes are not counted.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros(1000, chunks=100, dtype="i4", compressor=None)
    >>> z[:] = 1
    >>> with zarrds.trace(keys=True) as t:
    ...     total = z[150:250].sum()
    >>> t.gets, t.bytes_read, [entry.key for entry in t.log]
    (2, 800, ['1', '2'])
    """
    return Trace(keys=keys)


# --- open traces -----------------------------------------------------------------------------------------------------

_here: ContextVar[tuple[Trace, ...]] = ContextVar("zarrds_traces", default=())
_everywhere: tuple[Trace, ...] = ()
_lock = threading.RLock()
_replaced: list[tuple[type[Store], str, Any]] = []


class _Thread(threading.local):
    recorded = 0


_thread = _Thread()


def is_open() -> bool:
    """Return whether any trace is open; stores check this before they build a report."""
    return bool(_everywhere)


def record(entries: Sequence[Entry]) -> None:
    """Report the requests of one call to the traces of this context, or to all traces if it has none."""
    if not entries:
        return
    _thread.recorded += 1
    for listener in _here.get() or _everywhere:
        listener.add(entries)


def carried(work: Function) -> Function:
    """Return `work` for another thread, where it counts for the traces of this context."""
    listeners = _here.get()
    if not listeners:
        return work

    @wraps(work)
    def with_traces(*args: Any, **kwargs: Any) -> Any:
        token = _here.set(listeners)
        try:
            return work(*args, **kwargs)
        finally:
            _here.reset(token)

    return with_traces  # type: ignore[return-value]


def _open(listener: Trace) -> None:
    global _everywhere
    with _lock:
        if not _everywhere:
            _replace_methods()
        _everywhere = (*_everywhere, listener)


def _close(listener: Trace) -> None:
    global _everywhere
    with _lock:
        _everywhere = tuple(other for other in _everywhere if other is not listener)
        if not _everywhere:
            while _replaced:
                cls, name, original = _replaced.pop()
                setattr(cls, name, original)


# --- counting methods ------------------------------------------------------------------------------------------------


def _replace_methods() -> None:
    for cls in _subclasses(Store):  # type: ignore[type-abstract]
        for name, entries in _REPORTS.items():
            original = cls.__dict__.get(name)
            is_by_batches = name == "iter_many" and hasattr(original, "follows_overrides")  # `get_many` reports
            if original is not None and not cls.reports_requests and not is_by_batches:
                _replaced.append((cls, name, original))
                setattr(cls, name, _SPECIAL.get(name, _counting)(original, entries))


def _subclasses(cls: type[Store]) -> Iterator[type[Store]]:
    for below in cls.__subclasses__():
        yield below
        yield from _subclasses(below)


def _counting(original: Callable[..., Any], entries: Callable[[Any, Any], list[Entry]]) -> Callable[..., Any]:
    @wraps(original)
    def method(self: Store, *args: Any, **kwargs: Any) -> Any:
        before = _thread.recorded
        answer = original(self, *args, **kwargs)
        if _thread.recorded == before:  # otherwise the method that it calls has reported
            record(entries((*args, *kwargs.values(), "")[0], answer))
        return answer

    return method


def _counting_values(original: Callable[..., Any], entries: Callable[[Any, Any], list[Entry]]) -> Callable[..., Any]:
    @wraps(original)
    def iter_many(self: Store, requests: Sequence[Request]) -> Iterator[Buf | None]:
        before = _thread.recorded
        answers = original(self, requests)
        if _thread.recorded != before:  # it is no generator: all answers are there, and reported
            yield from answers
            return
        for request in requests:
            before = _thread.recorded
            answer = next(answers)
            if _thread.recorded == before:
                record(entries([request], [answer]))
            yield answer

    return iter_many


def _counting_keys(original: Callable[..., Any], entries: Callable[[Any, Any], list[Entry]]) -> Callable[..., Any]:
    @wraps(original)
    def keys_below(self: Store, prefix: str = "") -> Iterator[str]:
        before = _thread.recorded
        keys = iter(original(self, prefix))
        first = next(keys, None)  # generators send their requests only when they are iterated over
        if _thread.recorded == before:
            record(entries(prefix, None))
        if first is not None:
            yield first
            yield from keys

    return keys_below


def gets(requests: Iterable[Request], answers: Iterable[Any]) -> list[Entry]:
    """Return the entries of requests from their answers: a value, None, or an error."""
    sizes = (0 if answer is None or isinstance(answer, BaseException) else buffer_size(answer) for answer in answers)
    return [
        Entry("get" if byte_range is None else "get range", key, size)
        for (key, byte_range), size in zip(requests, sizes, strict=True)
    ]


def _one(verb: str) -> Callable[[Any, Any], list[Entry]]:
    return lambda asked, answer: [Entry(verb, str(asked or ""), 0)]


def _counting_comparisons(original: Callable[..., Any], entries: object) -> Callable[..., Any]:
    @wraps(original)
    def set_if(self: Store, key: str, value: Buf, expected: Buf | None) -> bool:
        before = _thread.recorded
        done: bool = original(self, key, value, expected)
        if _thread.recorded == before:
            size = 0 if expected is None else buffer_size(expected)
            record([Entry("get", key, size), Entry("set", key, buffer_size(value))] if done else [Entry("get", key, 0)])
        return done

    return set_if


def _counting_replacement(original: Callable[..., Any], _: object) -> Callable[..., Any]:
    @wraps(original)
    def replace_below(self: Store, path: str, items: Sequence[tuple[str, Buf]]) -> bool:
        before = _thread.recorded
        done: bool = original(self, path, items)
        if done and _thread.recorded == before:
            record([Entry("delete", path, 0), *_sets(items, None)])
        return done

    return replace_below


def _sets(items: Sequence[tuple[str, Buf]], _: object) -> list[Entry]:
    return [Entry("set", key, buffer_size(value)) for key, value in items]


_SPECIAL = {
    "set_if": _counting_comparisons,
    "iter_many": _counting_values,
    "keys_below": _counting_keys,
    "replace_below": _counting_replacement,
}
_REPORTS: dict[str, Callable[[Any, Any], list[Entry]]] = {
    "get_many": gets,
    "iter_many": gets,
    "__getitem__": lambda key, value: gets([(key, None)], [value]),
    "__contains__": _one("head"),
    "getsize": _one("head"),
    "set_many": _sets,
    "set_if": _one("set"),
    "replace_below": _sets,
    "delete_many": lambda keys, _: [Entry("delete", key, 0) for key in keys],
    "__delitem__": _one("delete"),
    "keys_below": _one("list"),
    "listdir": _one("list"),
    "rmdir": _one("delete"),
    "rename": _one("rename"),
}
"""Methods that send requests; methods that call one of these, such as ``__setitem__``, are not included."""
