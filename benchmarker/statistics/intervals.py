"""Means over a few seeds and their confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from benchmarker.randomness import Stream

RESAMPLES = 9999
_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its confidence limits.

    Parameters
    ----------
    value, low, high : float
        Estimate and limits, in the unit of the data.
    level : float
        Confidence level, between 0 and 1.
    """

    value: float
    low: float
    high: float
    level: float


def as_vector(values: ArrayLike) -> NDArray[np.float64]:
    """Return finite numbers as a vector of shape (n,).

    Raises
    ------
    ValueError
        If `values` is empty, not one-dimensional, or holds a value that is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"a vector of finite numbers was expected. Received: {array!r}")
    return array


def mean(values: ArrayLike) -> float:
    """Return the arithmetic mean of an array of shape (n,); the result does not depend on the order of the values."""
    array = as_vector(values)
    return math.fsum(array.tolist()) / array.size


def standard_deviation(values: ArrayLike) -> float | None:
    r"""Return the sample standard deviation of an array of shape (n,), or None for a single value.

    Notes
    -----
    .. math:: s = \sqrt{\frac{1}{n - 1} \sum_i (x_i - \bar{x})^2}

    References
    ----------
    Student 1908, Biometrika 6, 1, doi:10.1093/biomet/6.1.1.
    """
    array = as_vector(values)
    if array.size < 2:
        return None
    centre = mean(array)
    return math.sqrt(math.fsum(((array - centre) ** 2).tolist()) / (array.size - 1))


def interquartile_mean(values: ArrayLike) -> float:
    """Return the mean of the middle half of the values, which one unlucky seed cannot move far.

    Parameters
    ----------
    values : array_like of shape (n,)
        One value per seed, in any unit.

    Returns
    -------
    float
        In the unit of the values.

    Notes
    -----
    The floor of n / 4 values is dropped at each end, as in ``scipy.stats.trim_mean``. Nothing is dropped from three
    seeds, and one value at each end from five.

    References
    ----------
    Agarwal et al. 2021, Advances in Neural Information Processing Systems 34, arXiv:2108.13264.

    Examples
    --------
    >>> interquartile_mean([81.0, 82.0, 83.0, 41.0, 84.0])
    82.0
    """
    array = np.sort(as_vector(values))
    cut = array.size // 4
    return mean(array[cut : array.size - cut])


def t_interval(values: ArrayLike, level: float = 0.95) -> Interval | None:
    r"""Return Student's confidence interval of a mean.

    Parameters
    ----------
    values : array_like of shape (n,)
        One value per seed, in any unit.
    level : float
        Confidence level.

    Returns
    -------
    Interval or None
        In the unit of the values; None for a single value.

    Notes
    -----
    .. math:: \bar{x} \pm t_{n-1} \, s / \sqrt{n}

    with the sample standard deviation s and the quantile t of Student's distribution with n - 1 degrees of freedom.
    The values are assumed to be independent and normally distributed. The interval covers the luck of the seeds alone:
    other test images would move all seeds together.

    References
    ----------
    Student 1908, Biometrika 6, 1, doi:10.1093/biomet/6.1.1.

    Examples
    --------
    >>> interval = t_interval([80.0, 82.0, 84.0])
    >>> round(interval.low, 2), interval.value, round(interval.high, 2)
    (77.03, 82.0, 86.97)
    """
    array = as_vector(values)
    deviation = standard_deviation(array)
    if deviation is None:
        return None
    half = float(special.stdtrit(array.size - 1, (1 + level) / 2)) * deviation / math.sqrt(array.size)
    centre = mean(array)
    return Interval(value=centre, low=centre - half, high=centre + half, level=level)


def wilson_interval(proportion: float, n: int, level: float = 0.95) -> Interval:
    r"""Return Wilson's confidence interval of a proportion, for example of an accuracy on n test sources.

    Parameters
    ----------
    proportion : float
        Observed share, between 0 and 1.
    n : int
        Number of independent trials: test sources, not images of the same source.
    level : float
        Confidence level.

    Returns
    -------
    Interval
        Shares between 0 and 1.

    Notes
    -----
    With the normal quantile z of the level,

    .. math:: \frac{p + \frac{z^2}{2n} \pm z \sqrt{\frac{p (1 - p)}{n} + \frac{z^2}{4 n^2}}}{1 + \frac{z^2}{n}}

    Unlike the usual approximation, it stays within 0 and 1 and is not empty at a share of 0 or 1. It applies to
    accuracies, not to means over classes such as the macro F1.

    References
    ----------
    Wilson 1927, J. Am. Stat. Assoc. 22, 209, doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> interval = wilson_interval(0.765, 200)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.702, 0.818)
    """
    z = float(special.ndtri((1 + level) / 2))
    square = z**2
    centre = (proportion + square / (2 * n)) / (1 + square / n)
    half = z * math.sqrt(proportion * (1 - proportion) / n + square / (4 * n * n)) / (1 + square / n)
    return Interval(value=proportion, low=centre - half, high=centre + half, level=level)


def bca_interval(
    values: ArrayLike,
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    stream: Stream | None = None,
) -> Interval | None:
    r"""Return the bias-corrected and accelerated (BCa) bootstrap interval of a statistic.

    Parameters
    ----------
    values : array_like of shape (n,)
        Independent values, in any unit.
    statistic : callable, optional
        Maps an array of shape (..., n) to one value per vector along the last axis; the mean by default.
    level : float
        Confidence level.
    resamples : int
        Number of bootstrap samples.
    stream : Stream, optional
        Source of randomness; by default the same draws for the same n.

    Returns
    -------
    Interval or None
        In the unit of the statistic; None for fewer than two values, or where all of them are equal.

    Notes
    -----
    The limits are the quantiles of the bootstrap distribution at

    .. math:: \Phi\left(z_0 + \frac{z_0 + z_\alpha}{1 - a (z_0 + z_\alpha)}\right)

    with the bias :math:`z_0` from the share of replicates below the estimate, and the acceleration a from the skewness
    of the jackknife. The interval is too short for a few values, since three seeds have only ten distinct resamples.
    Use it for ten values or more.

    References
    ----------
    Efron 1987, J. Am. Stat. Assoc. 82, 171, doi:10.1080/01621459.1987.10478410.

    Examples
    --------
    >>> values = [81.0, 79.5, 84.0, 80.2, 82.1, 83.3, 78.9, 81.7, 80.8, 85.0]
    >>> interval = bca_interval(values)
    >>> interval.low < interval.value < interval.high
    True
    >>> bca_interval(values) == interval
    True
    """
    array = as_vector(values)
    of = statistic or (lambda sample: sample.mean(axis=-1))
    n = array.size
    if n < 2 or np.ptp(array) == 0:
        return None
    draws = (stream or Stream("bca bootstrap", n=n)).generator()
    estimate = float(of(array))
    replicates = np.sort(np.concatenate([of(array[draws.integers(n, size=(k, n))]) for k in _chunks(resamples)]))
    below = float(((replicates < estimate).mean() + (replicates <= estimate).mean()) / 2)
    jackknifed = of(np.array([np.delete(array, k) for k in range(n)]))
    pull = jackknifed.mean() - jackknifed
    squares = float((pull**2).sum())
    if not 0 < below < 1 or squares == 0:
        return None
    acceleration = float((pull**3).sum()) / (6 * squares**1.5)
    bias = float(special.ndtri(below))
    limits = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        shifted = bias + float(special.ndtri(tail))
        limits.append(float(special.ndtr(bias + shifted / (1 - acceleration * shifted))))
    low, high = np.quantile(replicates, limits)
    return Interval(value=estimate, low=float(low), high=float(high), level=level)


def hierarchical_bootstrap(
    values: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    stream: Stream | None = None,
) -> Interval:
    r"""Return the bootstrap interval of a mean when both seeds and test sources are resampled.

    Parameters
    ----------
    values : array_like of shape (n_seeds, n_sources)
        One value per seed and test source, for example the difference of two networks' correctness: -1, 0 or 1.
    strata : array_like of shape (n_sources,), optional
        Class of each source. Sources are then drawn within their class, and each class has the same weight, as in the
        mean per-class accuracy.
    level : float
        Confidence level.
    resamples : int
        Number of bootstrap samples.
    stream : Stream, optional
        Source of randomness; by default the same draws for the same shape.

    Returns
    -------
    Interval
        Percentile interval, in the unit of the values.

    Notes
    -----
    Every seed is tested on the same sources, so seeds and sources are resampled independently of each other:

    .. math:: \bar{x}^* = \frac{1}{S N} \sum_{i=1}^S \sum_{j=1}^N x_{s^*(i)\, n^*(j)}

    With few seeds the interval is too short, as every bootstrap is; ``docs/explanation/statistics.md`` shows by how
    much. No verdict is made from it.

    References
    ----------
    Owen 2007, Ann. Appl. Stat. 1, 386, doi:10.1214/07-AOAS122; Saravanan et al. 2020, arXiv:2007.07797.

    Examples
    --------
    >>> gain = [[1, 0, 1, 0, 0, 1, 0, -1], [0, 0, 1, 1, 0, 1, -1, 0], [1, 0, 0, 1, 0, 1, 0, 0]]
    >>> interval = hierarchical_bootstrap(gain, resamples=999)
    >>> round(interval.value, 3), interval.low < interval.value < interval.high
    (0.292, True)
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.size == 0 or not np.isfinite(table).all():
        raise ValueError(f"a finite table of seeds by sources was expected. Received: shape {table.shape}")
    n_seeds, n_sources = table.shape
    groups = [np.arange(n_sources)] if strata is None else _groups(np.asarray(strata))
    draws = (stream or Stream("hierarchical bootstrap", seeds=n_seeds, sources=n_sources)).generator()
    means = []
    for k in _chunks(resamples):
        seeds = draws.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=k) / n_seeds
        total = np.zeros(k)
        for group in groups:
            sources = draws.multinomial(group.size, np.full(group.size, 1 / group.size), size=k) / group.size
            total += ((seeds @ table[:, group]) * sources).sum(axis=1)
        means.append(total / len(groups))
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    value = float(np.mean([table[:, group].mean() for group in groups]))
    return Interval(value=value, low=float(low), high=float(high), level=level)


def _groups(strata: NDArray[np.generic]) -> list[NDArray[np.intp]]:
    return [np.flatnonzero(strata == each) for each in np.unique(strata)]


def _chunks(n: int) -> list[int]:
    """Divide resamples into batches so that memory stays small."""
    return [_CHUNK] * (n // _CHUNK) + ([n % _CHUNK] if n % _CHUNK else [])
