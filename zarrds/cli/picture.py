"""Pictures of numbers made of characters; pure functions from arrays to lines."""

from __future__ import annotations

import numpy as np

from zarrds._types import NDArrayAny

__all__ = ["text_image", "text_line"]

_SHADES = " .:-=+*#%@"
_MISSING = "?"


def text_image(values: NDArrayAny, low: float, high: float, width: int, height: int) -> list[str]:
    """Return a map as lines of characters: the larger a number, the darker its character; ``?`` where one is missing.

    Parameters
    ----------
    values : ndarray
        Numbers in two dimensions.
    low, high : float
        Numbers of the first and the last shade.
    width, height : int
        Most characters across and down.

    Examples
    --------
    >>> import numpy as np
    >>> text_image(np.array([[0.0, 4.5], [9.0, np.nan]]), 0, 9, 80, 24)
    [' +', '@?']
    """
    rows = _sampled(values.shape[0], height)
    columns = _sampled(values.shape[1], width)
    found = values[np.ix_(rows, columns)]
    shades = _levels(found, low, high, len(_SHADES))
    return ["".join(_MISSING if shade < 0 else _SHADES[shade] for shade in row) for row in shades.tolist()]


def text_line(values: NDArrayAny, low: float, high: float, width: int, height: int) -> list[str]:
    """Return a line as lines of characters: one ``*`` for each drawn number, from below.

    Parameters
    ----------
    values : ndarray
        Numbers in one dimension.
    low, high : float
        Numbers of the lowest and the highest line.
    width, height : int
        Most characters across, and lines.

    Examples
    --------
    >>> import numpy as np
    >>> text_line(np.array([0.0, 1.0, 2.0]), 0, 2, 80, 3)
    ['  *', ' * ', '*  ']
    """
    found = values[_sampled(len(values), width)]
    levels = _levels(found, low, high, height)
    return ["".join("*" if level == row else " " for level in levels.tolist()) for row in range(height - 1, -1, -1)]


def _sampled(length: int, most: int) -> NDArrayAny:
    """Return at most `most` indexes, evenly from the first to the last."""
    return np.linspace(0, length - 1, min(length, most)).round().astype(int)


def _levels(values: NDArrayAny, low: float, high: float, count: int) -> NDArrayAny:
    """Return for each number its level, from 0 to ``count - 1``; -1 where it is missing."""
    span = high - low
    with np.errstate(invalid="ignore", over="ignore"):
        share = (values - low) / span if span > 0 else np.zeros(values.shape)
        share = np.clip(share, 0, 1)
    levels = np.where(np.isfinite(values), np.nan_to_num(share) * (count - 1), -1)
    return np.floor(levels + 0.5).astype(int)
