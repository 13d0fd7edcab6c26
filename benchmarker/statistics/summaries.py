"""One number for several seeds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def finite(values: ArrayLike) -> NDArray[np.float64]:
    """Return values as a vector.

    Parameters
    ----------
    values : array_like of shape (n,)
        In any unit.

    Raises
    ------
    ValueError
        If there is none, one is not finite, or they are no vector.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"a vector of finite numbers was expected. Received: {array!r}")
    return array


def mean(values: ArrayLike) -> float:
    """Return the arithmetic mean; the order of values changes no bit."""
    array = finite(values)
    return math.fsum(array.tolist()) / array.size


def standard_deviation(values: ArrayLike) -> float | None:
    """Return the sample standard deviation (n - 1 in the denominator), or None for a single value.

    References
    ----------
    Student 1908, Biometrika 6, 1, doi:10.1093/biomet/6.1.1.
    """
    array = finite(values)
    if array.size < 2:
        return None
    centre = mean(array)
    return math.sqrt(math.fsum(((array - centre) ** 2).tolist()) / (array.size - 1))


def interquartile_mean(values: ArrayLike) -> float:
    """Return the mean of the middle half: a quarter of the values is left out at each end.

    Where a quarter is no whole number, fewer are left out, as in ``scipy.stats.trim_mean``: with 3 seeds none, with 5
    seeds one at each end.

    References
    ----------
    Agarwal et al. 2021, arXiv:2108.13264.
    """
    array = np.sort(finite(values))
    cut = array.size // 4
    return mean(array[cut : array.size - cut])
