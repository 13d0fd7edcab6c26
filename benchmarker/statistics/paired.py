"""Paired differences: same seed, same split, same test sources; and what their mean is worth.

Two things are random. *Seeds*: another one gives other weights. *Test sources*: another survey field would have given
others, and the same few hundred are used under every seed, so more seeds do not average their luck away. With D_s the
difference under seed s, s2 the variance of D_s over S seeds, and v and c the mean variance and covariance of two of
them that come from drawing other test sources (by a jackknife over sources),

    Var(mean of D) = s2 / S + c

as for readers and cases in radiology (Obuchowski and Rockette 1995). Each part has its own quantile of Student's t, and
the half widths are added in quadrature (Howe 1974; Zou and Donner 2008):

    half^2 = max(t(S - 1)^2 s2, t(N - 1)^2 (v - c)) / S + t(N - 1)^2 c

The maximum keeps seeds that agree by luck from shrinking it below what drawing test sources alone would cause.
Satterthwaite's single number of degrees of freedom is a little shorter, and too short for two or three seeds.

References
----------
Obuchowski and Rockette 1995, Communications in Statistics B 24, 285, doi:10.1080/03610919508813243;
Howe 1974, J. Am. Stat. Assoc. 69, 789, doi:10.1080/01621459.1974.10480206;
Zou and Donner 2008, Stat. Med. 27, 1693, doi:10.1002/sim.3095.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from benchmarker.statistics.summaries import finite, mean, standard_deviation

_STEPS = 44
_SMALLEST_LOG_P = -700.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Where the uncertainty of a mean difference comes from; everything in the squared unit of the metric.

    Parameters
    ----------
    n : int
        Seeds.
    seeds : float
        Variance of the difference over seeds (ddof 1).
    floor : float
        Part of ``seeds`` that drawing other test sources for one seed alone would cause (v - c above); 0 if unknown.
    sources : float
        Variance of the mean difference that no number of seeds takes away (c above); 0 if unknown.
    sources_degrees_of_freedom : float
        Of ``floor`` and ``sources``.
    overlap : float
        Added to 1 / n in front of ``seeds``, where every seed has a split of its own and these overlap.
    """

    n: int
    seeds: float
    floor: float = 0.0
    sources: float = 0.0
    sources_degrees_of_freedom: float = math.inf
    overlap: float = 0.0

    @property
    def standard_error(self) -> float:
        """Of the mean difference, in the unit of the metric."""
        return math.sqrt(self.seeds * (1 / self.n + self.overlap) + self.sources)

    def half_width(self, p: float) -> float:
        """Return half the width of the interval that leaves out a share ``p``, both sides together."""
        few = -float(special.stdtrit(self.n - 1, p / 2))
        many = _many(self.sources_degrees_of_freedom, p)
        from_seeds = max(few**2 * self.seeds, many**2 * self.floor) * (1 / self.n + self.overlap)
        return math.sqrt(from_seeds + many**2 * self.sources)

    def p(self, distance: float) -> float:
        """Return the two-sided p of a distance from the null: the share that an interval ending there leaves out."""
        if distance <= 0:
            return 1.0
        if self.seeds == self.floor == self.sources == 0:
            return 0.0
        low, high = _SMALLEST_LOG_P, 0.0
        for _ in range(_STEPS):
            middle = (low + high) / 2
            if self.half_width(math.exp(middle)) > distance:
                low = middle
            else:
                high = middle
        return math.exp((low + high) / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanDifference:
    """A mean difference with its interval, in the unit of the metric.

    Parameters
    ----------
    value, low, high, level : float
    p : float
        Two-sided, that there is no difference.
    spread : Spread
    """

    value: float
    low: float
    high: float
    level: float
    p: float
    spread: Spread


def judged(value: float, spread: Spread, level: float) -> MeanDifference:
    """Return a difference with the interval and p that its spread implies."""
    half = spread.half_width(1 - level)
    p = spread.p(abs(value))
    return MeanDifference(value=value, low=value - half, high=value + half, level=level, p=p, spread=spread)


def paired_t(differences: ArrayLike, level: float = 0.95) -> MeanDifference | None:
    """Return the mean of paired differences as if test sources were fixed; None for a single seed.

    Parameters
    ----------
    differences : array_like of shape (n_seeds,)
        First minus second, under the same seed.
    level : float
        Of the interval.

    References
    ----------
    Student 1908, Biometrika 6, 1, doi:10.1093/biomet/6.1.1.
    """
    array = finite(differences)
    deviation = standard_deviation(array)
    if deviation is None:
        return None
    return judged(mean(array), Spread(n=array.size, seeds=deviation**2), level)


def overlapping_splits_t(
    differences: ArrayLike, *, n_test: int, n_train: int, level: float = 0.95
) -> MeanDifference | None:
    """Return the mean of paired differences whose splits were drawn anew for each seed and overlap.

    The variance over seeds is multiplied by 1/n + n_test/n_train instead of 1/n.

    Parameters
    ----------
    differences : array_like of shape (n_seeds,)
        First minus second, under the same seed and split.
    n_test, n_train : int
        Sources in these parts.
    level : float
        Of the interval.

    References
    ----------
    Nadeau and Bengio 2003, Mach. Learn. 52, 239, doi:10.1023/A:1024068626366.
    """
    array = finite(differences)
    deviation = standard_deviation(array)
    if min(n_test, n_train) < 1:
        raise ValueError(f"parts with sources were expected. Received: n_test={n_test}, n_train={n_train}")
    if deviation is None:
        return None
    return judged(mean(array), Spread(n=array.size, seeds=deviation**2, overlap=n_test / n_train), level)


def seeds_and_sources(
    differences: ArrayLike, left_out: ArrayLike, *, strata: ArrayLike | None = None, level: float = 0.95
) -> MeanDifference | None:
    """Return the mean of paired differences when seeds and test sources are random; None for a single seed.

    Parameters
    ----------
    differences : array_like of shape (n_seeds,)
        First minus second, under the same seed, on the same test sources for all seeds.
    left_out : array_like of shape (n_seeds, n_sources)
        The same differences without one source each.
    strata : array_like of shape (n_sources,), optional
        Class of each source, where the numbers of sources of each class are fixed.
    level : float
        Of the interval.
    """
    array = finite(differences)
    deviation = standard_deviation(array)
    if deviation is None:
        return None
    return judged(
        mean(array), spread_of(deviation**2, array.size, np.asarray(left_out, dtype=np.float64), strata), level
    )


def spread_of(seeds: float, n: int, left_out: NDArray[np.float64], strata: ArrayLike | None = None) -> Spread:
    """Return the spread of a mean over seeds, from its variance over them and its jackknife over test sources."""
    covariance, freedom = jackknife_covariance(left_out, strata)
    own = float(np.trace(covariance)) / n
    shared = max(0.0, (float(covariance.sum()) - n * own) / (n * (n - 1)))
    return Spread(
        n=n, seeds=seeds, floor=max(0.0, own - shared), sources=shared, sources_degrees_of_freedom=float(freedom)
    )


def jackknife_covariance(left_out: ArrayLike, strata: ArrayLike | None = None) -> tuple[NDArray[np.float64], int]:
    """Return how estimates would vary together if other test sources were drawn.

    Parameters
    ----------
    left_out : array_like of shape (n_estimates, n_sources)
        Each estimate without one source.
    strata : array_like of shape (n_sources,), optional
        Class of each source; sources are drawn within their class.

    Returns
    -------
    covariance : ndarray of shape (n_estimates, n_estimates)
        In the squared unit of the estimates.
    degrees_of_freedom : int
        Sources less the number of strata, at least 1. A stratum of a single source says nothing and adds nothing.

    References
    ----------
    Efron and Stein 1981, Ann. Stat. 9, 586, doi:10.1214/aos/1176345462.
    """
    table = np.asarray(left_out, dtype=np.float64)
    groups = np.zeros(table.shape[1], dtype=np.int64) if strata is None else np.asarray(strata)
    covariance = np.zeros((len(table), len(table)))
    names = np.unique(groups)
    for name in names:
        values = table[:, groups == name]
        pull = values - values.mean(axis=1, keepdims=True)
        covariance += (values.shape[1] - 1) / values.shape[1] * (pull @ pull.T)
    return covariance, max(1, table.shape[1] - len(names))


def _many(degrees_of_freedom: float, p: float) -> float:
    if math.isinf(degrees_of_freedom):
        return -float(special.ndtri(p / 2))
    return -float(special.stdtrit(degrees_of_freedom, p / 2))
