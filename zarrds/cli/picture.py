"""Pictures of numbers made of characters; pure functions from arrays to lines."""

from __future__ import annotations

import numpy as np

from zarrds._base.types import NDArrayAny

__all__ = ["colour_of", "sampled", "text_image", "text_line"]

_SHADES = " .:-=+*#%@"
_MISSING = "?"
_COLOURS = np.array([(68, 1, 84), (65, 68, 135), (42, 120, 142), (34, 168, 132), (122, 209, 81), (253, 231, 37)])
"""Red, green and blue from low to high: dark violet, blue, green, yellow."""


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
    rows = sampled(values.shape[0], height)
    columns = sampled(values.shape[1], width)
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
    found = values[sampled(len(values), width)]
    levels = _levels(found, low, high, height)
    return ["".join("*" if level == row else " " for level in levels.tolist()) for row in range(height - 1, -1, -1)]


def sampled(length: int, most: int) -> NDArrayAny:
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


def colour_of(share: float) -> tuple[int, int, int]:
    """Return red, green and blue for a share between 0 (low) and 1 (high).

    >>> colour_of(0), colour_of(0.5), colour_of(1)
    ((68, 1, 84), (38, 144, 137), (253, 231, 37))
    """
    at = min(max(share, 0.0), 1.0) * (len(_COLOURS) - 1)
    low = min(int(at), len(_COLOURS) - 2)
    red, green, blue = (_COLOURS[low] + (_COLOURS[low + 1] - _COLOURS[low]) * (at - low)).round().astype(int).tolist()
    return red, green, blue
