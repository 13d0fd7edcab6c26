"""Intervals of a mean: Student's t, BCa bootstrap, and a bootstrap of seeds and test sources at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from benchmarker.randomness import Stream
from benchmarker.statistics.summaries import finite, mean, standard_deviation

RESAMPLES = 9999
_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its limits, in the unit of what was given.

    Parameters
    ----------
    value, low, high : float
    level : float
        Of confidence, between 0 and 1.
    """

    value: float
    low: float
    high: float
    level: float


def t_interval(values: ArrayLike, level: float = 0.95) -> Interval | None:
    """Return Student's interval of a mean, or None for a single value.

    Parameters
    ----------
    values : array_like of shape (n,)
        One for each seed.
    level : float
        Of confidence.

    References
    ----------
    Student 1908, Biometrika 6, 1, doi:10.1093/biomet/6.1.1.
    """
    array = finite(values)
    deviation = standard_deviation(array)
    if deviation is None:
        return None
    half = float(special.stdtrit(array.size - 1, (1 + level) / 2)) * deviation / math.sqrt(array.size)
    centre = mean(array)
    return Interval(value=centre, low=centre - half, high=centre + half, level=level)


def bca_interval(
    values: ArrayLike,
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    stream: Stream | None = None,
) -> Interval | None:
    """Return the bias-corrected and accelerated bootstrap interval, or None where it is not defined.

    It is too short for few values (three seeds have ten different resamples); it is meant for tens of them.

    Parameters
    ----------
    values : array_like of shape (n,)
        Independent values.
    statistic : callable, optional
        Of an ndarray of shape (..., n) along its last axis; the mean by default.
    level : float
        Of confidence.
    resamples : int
        Bootstrap samples.
    stream : Stream, optional
        Where they come from; the same one for the same values by default.

    References
    ----------
    Efron 1987, J. Am. Stat. Assoc. 82, 171, doi:10.1080/01621459.1987.10478410.
    """
    array = finite(values)
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
    """Return the percentile interval of a mean when seeds and test sources are both drawn anew.

    Every seed is tested on the same sources, so seeds and sources are resampled independently of each other, and a
    source that is drawn is drawn for all seeds. With few seeds it is too short, as every bootstrap is
    (docs/explanation/statistics.md shows by how much), so no verdict is made from it.

    Parameters
    ----------
    values : array_like of shape (n_seeds, n_sources)
        For example the difference of two networks' correctness, -1, 0 or 1.
    strata : array_like of shape (n_sources,), optional
        Class of each source: classes keep their numbers, and each counts the same, as in a mean per-class accuracy.
    level : float
        Of confidence.
    resamples : int
        Bootstrap samples.
    stream : Stream, optional
        Where they come from; the same one for the same shape by default.

    References
    ----------
    Owen 2007, Ann. Appl. Stat. 1, 386, doi:10.1214/07-AOAS122; Saravanan et al. 2020, arXiv:2007.07797.
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
    """Divide resamples so that memory stays small."""
    return [_CHUNK] * (n // _CHUNK) + ([n % _CHUNK] if n % _CHUNK else [])
