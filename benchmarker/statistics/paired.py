r"""Mean of paired differences between two networks, with an interval that covers both seeds and test sources.

Both sides of a difference share seed, split and test sources. Two things are random. Another *seed* would give other
weights. Another survey field would give other *test sources*; the same few hundred are used under every seed, so more
seeds do not average their luck away. With :math:`D_s` the difference under seed s of S, the variance of the mean is

.. math:: \mathrm{Var}(\bar{D}) = \frac{s^2}{S} + c

where :math:`s^2` is the variance of :math:`D_s` over seeds, and v and c are the mean variance and covariance of the
:math:`D_s` that come from drawing other test sources, estimated with a jackknife over sources. This is the model of
readers (here seeds) and cases (here sources) in radiology (Obuchowski and Rockette 1995). Each part keeps its own
quantile of Student's t, and the half widths are added in quadrature (Howe 1974; Zou and Donner 2008). For N sources in
K classes,

.. math:: h^2 = \frac{\max\left(t_{S-1}^2 s^2,\; t_{N-K}^2 (v - c)\right)}{S} + t_{N-K}^2 \, c

The maximum is a precaution: :math:`s^2` cannot really be smaller than what drawing test sources causes under a single
seed, and without it a few seeds that agree by luck would look like certainty. Satterthwaite's single number of degrees
of freedom gives intervals that are too short for two or three seeds.

References
----------
Obuchowski and Rockette 1995, Communications in Statistics B 24, 285, doi:10.1080/03610919508813243;
Howe 1974, J. Am. Stat. Assoc. 69, 789, doi:10.1080/01621459.1974.10480206;
Zou and Donner 2008, Stat. Med. 27, 1693, doi:10.1002/sim.3095.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from benchmarker.statistics.intervals import as_vector, mean, standard_deviation

_STEPS = 44
_SMALLEST_LOG_P = -700.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceComponents:
    """Sources of the uncertainty of a mean difference, in the squared unit of the metric.

    Parameters
    ----------
    n : int
        Number of seeds.
    seeds : float
        Sample variance of the difference over seeds (s² in the module's equations).
    floor : float
        Part of `seeds` that drawing other test sources for a single seed would cause (v - c); 0 if unknown.
    sources : float
        Variance of the mean difference that more seeds do not reduce (c); 0 if unknown.
    sources_degrees_of_freedom : float
        Degrees of freedom of `floor` and `sources`.
    overlap : float
        Added to 1 / n in front of `seeds` where every seed has its own split, because these splits overlap.
    pooled_degrees_of_freedom : float or None
        Degrees of freedom of `seeds` where it is pooled over the rows of a table; n - 1 where it is None.

    Examples
    --------
    >>> components = VarianceComponents(n=3, seeds=9.0, floor=7.0, sources=1.0)
    >>> components.standard_error
    2.0
    """

    n: int
    seeds: float
    floor: float = 0.0
    sources: float = 0.0
    sources_degrees_of_freedom: float = math.inf
    overlap: float = 0.0
    pooled_degrees_of_freedom: float | None = None

    @property
    def seeds_degrees_of_freedom(self) -> float:
        """Degrees of freedom of the variance over seeds."""
        return self.n - 1 if self.pooled_degrees_of_freedom is None else self.pooled_degrees_of_freedom

    @property
    def standard_error(self) -> float:
        """Standard error of the mean difference, in the unit of the metric."""
        return math.sqrt(self.seeds * (1 / self.n + self.overlap) + self.sources)

    def half_width(self, p: float) -> float:
        """Return half the width of the interval with confidence level 1 - p."""
        few = -float(special.stdtrit(self.seeds_degrees_of_freedom, p / 2))
        many = -self.sources_quantile(p / 2)
        from_seeds = max(few**2 * self.seeds, many**2 * self.floor) * (1 / self.n + self.overlap)
        return math.sqrt(from_seeds + many**2 * self.sources)

    def sources_quantile(self, probability: float) -> float:
        """Return the quantile of Student's t with the degrees of freedom of the test sources."""
        freedom = self.sources_degrees_of_freedom
        return float(special.ndtri(probability) if math.isinf(freedom) else special.stdtrit(freedom, probability))

    def p(self, distance: float) -> float:
        """Return the two-sided p at which the interval would just reach a distance from its centre."""
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
    """Mean of paired differences with its interval.

    Parameters
    ----------
    value, low, high : float
        Mean and confidence limits, in the unit of the metric.
    level : float
        Confidence level of the interval.
    p : float
        Two-sided p of the null hypothesis that the true difference is zero.
    components : VarianceComponents
        Origin of the uncertainty.
    """

    value: float
    low: float
    high: float
    level: float
    p: float
    components: VarianceComponents

    @classmethod
    def of(cls, value: float, components: VarianceComponents, level: float = 0.95) -> MeanDifference:
        """Return a mean difference with the interval and the p that its variance components imply."""
        half = components.half_width(1 - level)
        p = components.p(abs(value))
        return cls(value=value, low=value - half, high=value + half, level=level, p=p, components=components)


def paired_t(differences: ArrayLike, level: float = 0.95) -> MeanDifference | None:
    r"""Return the mean of paired differences with Student's t over seeds alone.

    Parameters
    ----------
    differences : array_like of shape (n_seeds,)
        First minus second under the same seed, in the unit of the metric.
    level : float
        Confidence level of the interval.

    Returns
    -------
    MeanDifference or None
        None for a single seed.

    Notes
    -----
    .. math:: t = \bar{D} \sqrt{S} / s

    with S - 1 degrees of freedom. The test sources are taken as fixed, so the result says which network is better on
    these images, not on such galaxies. Prefer `seeds_and_sources` wherever predictions are known.

    References
    ----------
    Student 1908, Biometrika 6, 1, doi:10.1093/biomet/6.1.1.

    Examples
    --------
    >>> found = paired_t([2.0, 3.5, 2.5])
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2), round(found.p, 3)
    (2.67, 0.77, 4.56, 0.026)
    """
    array = as_vector(differences)
    deviation = standard_deviation(array)
    if deviation is None:
        return None
    return MeanDifference.of(mean(array), VarianceComponents(n=array.size, seeds=deviation**2), level)


def overlapping_splits_t(
    differences: ArrayLike, *, n_test: int, n_train: int, level: float = 0.95
) -> MeanDifference | None:
    r"""Return the mean of paired differences where every seed has drawn its own split of the same sources.

    Parameters
    ----------
    differences : array_like of shape (n_seeds,)
        First minus second under the same seed and split, in the unit of the metric.
    n_test, n_train : int
        Number of sources in the test part and in the training part.
    level : float
        Confidence level of the interval.

    Returns
    -------
    MeanDifference or None
        None for a single seed.

    Notes
    -----
    Training and test parts overlap between seeds, so the differences are correlated, and their variance is corrected to

    .. math:: \mathrm{Var}(\bar{D}) = s^2 \left(\frac{1}{S} + \frac{n_\mathrm{test}}{n_\mathrm{train}}\right)

    No number of seeds reduces the second term. The correction is a heuristic that works well in simulations; the
    correlation itself cannot be estimated without bias.

    References
    ----------
    Nadeau and Bengio 2003, Mach. Learn. 52, 239, doi:10.1023/A:1024068626366.

    Examples
    --------
    >>> found = overlapping_splits_t([2.0, 3.5, 2.5], n_test=100, n_train=400)
    >>> round(found.low, 2), round(found.high, 2), round(found.p, 3)
    (0.16, 5.18, 0.045)
    """
    array = as_vector(differences)
    deviation = standard_deviation(array)
    if min(n_test, n_train) < 1:
        raise ValueError(f"parts with sources were expected. Received: n_test={n_test}, n_train={n_train}")
    if deviation is None:
        return None
    components = VarianceComponents(n=array.size, seeds=deviation**2, overlap=n_test / n_train)
    return MeanDifference.of(mean(array), components, level)


def seeds_and_sources(
    differences: ArrayLike,
    left_out: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    level: float = 0.95,
    overlap: float = 0.0,
) -> MeanDifference | None:
    """Return the mean of paired differences where all seeds share one test part, and both are random.

    Parameters
    ----------
    differences : array_like of shape (n_seeds,)
        First minus second under the same seed, on the same test sources, in the unit of the metric.
    left_out : array_like of shape (n_seeds, n_sources)
        The same differences, each computed without one source.
    strata : array_like of shape (n_sources,), optional
        Class of each source, where the number of sources in each class is fixed.
    level : float
        Confidence level of the interval.
    overlap : float
        Added to 1 / n_seeds in front of the variance over seeds. Where the differences are those of folds that are left
        out of training in turn, it is the number of images in a fold divided by that in the others, as in
        `overlapping_splits_t`.

    Returns
    -------
    MeanDifference or None
        None for a single seed.

    Notes
    -----
    The equations are at the top of this module. Without an overlap, the training part is taken as given: the interval
    says nothing about other training images.

    References
    ----------
    Obuchowski and Rockette 1995, Communications in Statistics B 24, 285, doi:10.1080/03610919508813243.

    Examples
    --------
    Percentages of correct predictions of two networks on six sources, under three seeds:

    >>> first = np.array([[1, 1, 1, 0, 1, 1], [1, 1, 0, 1, 1, 1], [1, 1, 1, 1, 1, 0]])
    >>> second = np.array([[1, 0, 1, 0, 1, 0], [1, 0, 0, 1, 1, 0], [0, 1, 1, 0, 1, 0]])
    >>> gain = 100.0 * (first - second)
    >>> left_out = (gain.sum(axis=1, keepdims=True) - gain) / 5
    >>> found = seeds_and_sources(gain.mean(axis=1), left_out)
    >>> round(found.value, 1), round(found.low, 1), round(found.high, 1)
    (33.3, 2.0, 64.6)
    """
    array = as_vector(differences)
    components = variance_components(array, np.asarray(left_out, dtype=np.float64), strata)
    return None if components is None else MeanDifference.of(mean(array), replace(components, overlap=overlap), level)


def variance_components(
    differences: ArrayLike, left_out: NDArray[np.float64], strata: ArrayLike | None = None
) -> VarianceComponents | None:
    """Return the variance of a mean over seeds that share their test sources; None for a single seed.

    Parameters
    ----------
    differences, left_out, strata
        As in `seeds_and_sources`.
    """
    deviation = standard_deviation(differences)
    if deviation is None:
        return None
    n = len(left_out)
    covariance, freedom = jackknife_covariance(left_out, strata)
    own = float(np.trace(covariance)) / n
    shared = max(0.0, (float(covariance.sum()) - n * own) / (n * (n - 1)))
    return VarianceComponents(
        n=n,
        seeds=deviation**2,
        floor=max(0.0, own - shared),
        sources=shared,
        sources_degrees_of_freedom=float(freedom),
    )


def jackknife_covariance(left_out: ArrayLike, strata: ArrayLike | None = None) -> tuple[NDArray[np.float64], int]:
    r"""Return the covariance of estimates that comes from drawing other test sources.

    Parameters
    ----------
    left_out : array_like of shape (n_estimates, n_sources)
        Each estimate computed without one source.
    strata : array_like of shape (n_sources,), optional
        Class of each source; sources are drawn within their class.

    Returns
    -------
    covariance : ndarray of shape (n_estimates, n_estimates), float64
        In the squared unit of the estimates.
    degrees_of_freedom : int
        Number of sources minus the number of strata, at least 1.

    Notes
    -----
    With :math:`\theta_{a(i)}` the estimate a without source i of the :math:`N_k` sources in class k,

    .. math:: C_{ab} = \sum_k \frac{N_k - 1}{N_k} \sum_{i \in k}
              (\theta_{a(i)} - \bar{\theta}_{a(\cdot)}) (\theta_{b(i)} - \bar{\theta}_{b(\cdot)})

    The jackknife fits smooth functions of sums over sources, such as accuracies, F1 scores and mean errors, but not
    medians. A class with a single source contributes nothing.

    References
    ----------
    Efron and Stein 1981, Ann. Stat. 9, 586, doi:10.1214/aos/1176345462.

    Examples
    --------
    For a mean, the jackknife is the usual squared standard error:

    >>> values = np.array([3.0, 5.0, 4.0, 8.0])
    >>> left_out = (values.sum() - values) / 3
    >>> covariance, degrees_of_freedom = jackknife_covariance([left_out])
    >>> round(float(covariance[0, 0]), 6), round(float(values.var(ddof=1) / 4), 6), degrees_of_freedom
    (1.166667, 1.166667, 3)
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


def agreement_variance(strata: ArrayLike, scale: float, index: int | None = None) -> float:
    r"""Return the variance from test sources that two networks may have although they agree on all sources tested.

    Parameters
    ----------
    strata : array_like of shape (n_sources,), int
        Class of each test source.
    scale : float
        Value of the metric where every source is classified correctly: 100 for a percentage, 1 for a fraction.
    index : int, optional
        Class whose recall is compared; the mean over classes by default.

    Returns
    -------
    float
        In the squared unit of the metric.

    Notes
    -----
    In the manner of Agresti and Coull (1998), each class gets two imagined sources that the networks disagree on, one
    in favour of each. With K classes of :math:`N_k` sources,

    .. math:: c_0 = \sum_k \left(\frac{\mathrm{scale}}{K}\right)^2 \frac{2}{(N_k + 2) N_k}

    Equivalence adds it to the measured variance: ten sources without a disagreement do not show that there is none
    among a thousand. Verdicts of a difference do not use it.

    References
    ----------
    Agresti and Coull 1998, Am. Stat. 52, 119, doi:10.1080/00031305.1998.10480550.

    Examples
    --------
    >>> round(agreement_variance([0] * 50 + [1] * 50, 100.0), 3)
    3.846
    """
    counts = np.bincount(np.asarray(strata, dtype=np.int64)).astype(np.float64)
    counts = counts[counts > 0] if index is None else counts[index : index + 1]
    if not counts.size or not counts.all():
        return 0.0
    return float(((scale / counts.size) ** 2 * 2 / ((counts + 2) * counts)).sum())
