r"""The score of a network with an interval that covers new galaxies, not only the test sources at hand.

The mean over S seeds has the same two sources of uncertainty as a difference (`benchmarker.statistics.paired`): the
seeds, and the test sources that all of them share. On a published test part

.. math:: h^2 = \frac{t^2 s^2}{S} + t_\nu^2 \, c

with the variance s² over seeds, which the rows of a table share, and the covariance c that drawing other test sources
causes. Its degrees of freedom are those of Satterthwaite, because a class of three sources measures its part badly.
Where every seed has its own split, the correction of Nadeau and Bengio (2003) replaces c, and s² is at least that of
the table.

A symmetric interval of a score near 100 % would pass it. The limits are therefore those of Wilson's interval whose half
width would be h for a score in the middle: with the share p of the best possible score and
:math:`\kappa = h^2 / (p (1 - p))`,

.. math:: \frac{p + \kappa/2 \pm \sqrt{\kappa\, p (1 - p) + \kappa^2/4}}{1 + \kappa}

as for proportions in surveys (Franco et al. 2019). A score of 0 or 100 % shows no variance at all; then
:math:`\kappa = t^2 / n` with the number n of sources that would measure a mean over classes as well. Errors, which have
no upper limit, get an interval that is symmetric on a logarithmic scale.

References
----------
Wilson 1927, J. Am. Stat. Assoc. 22, 209, doi:10.1080/01621459.1927.10502953;
Franco, Little, Louis and Slud 2019, J. Surv. Stat. Methodol. 7, 334, PMC6690503;
Nadeau and Bengio 2003, Mach. Learn. 52, 239, doi:10.1023/A:1024068626366.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarker.statistics.comparison import ComparisonSettings
from benchmarker.statistics.intervals import mean
from benchmarker.statistics.network_results import NetworkResults
from benchmarker.statistics.paired import (
    MeanDifference,
    VarianceComponents,
    overlapping_splits_t,
    paired_t,
    variance_components,
)
from benchmarker.statistics.pooling import PooledVariance


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanScore:
    """Mean of a network's metric over seeds.

    Parameters
    ----------
    network, arm : str
        Row of the leaderboard.
    n : int
        Number of seeds.
    value : float
        Mean over seeds, in the unit of the metric.
    low, high : float or None
        Interval; None for a single seed.
    covers_sources : bool
        Whether the interval covers other test sources; without predictions it covers other seeds alone.
    """

    network: str
    arm: str
    n: int
    value: float
    low: float | None = None
    high: float | None = None
    covers_sources: bool = False


def mean_scores(
    rows: Sequence[NetworkResults], settings: ComparisonSettings, pool: PooledVariance | None
) -> tuple[MeanScore, ...]:
    """Return the mean score of every row that has finished a seed.

    Parameters
    ----------
    rows : sequence of NetworkResults
        Rows of a study.
    settings : ComparisonSettings
        Metric, and level of the intervals.
    pool : PooledVariance or None
        Variance over seeds that the rows share, as `pooled_variance` returns it.
    """
    spread = PooledVariance({row.label: row.values for row in rows if row.seeds})
    return tuple(_mean_score(row, settings, pool, spread) for row in rows if row.seeds)


def bounded_interval(value: float, half_width: float, *, best: float | None, least: float = 0.0) -> tuple[float, float]:
    """Return an interval that stays within the limits of a metric.

    Parameters
    ----------
    value : float
        Mean, in the unit of the metric.
    half_width : float
        Half the width of its symmetric interval.
    best : float or None
        Largest possible value; None for an error, which has none.
    least : float
        Smallest possible value of κ, as in the module's equations.

    Examples
    --------
    >>> low, high = bounded_interval(95.0, 6.0, best=100.0)
    >>> round(low, 1), round(high, 1)
    (85.2, 98.4)
    >>> low, high = bounded_interval(0.5, 0.2, best=None)
    >>> round(low, 2), round(high, 2)
    (0.34, 0.75)
    """
    if best is None:
        if value <= 0:
            return value, value + half_width
        return value * math.exp(-half_width / value), value * math.exp(half_width / value)
    p = min(1.0, max(0.0, value / best))
    spread = p * (1 - p)
    kappa = max(least, (half_width / best) ** 2 / spread) if spread else least
    centre = p + kappa / 2
    half = math.sqrt(kappa * spread + kappa**2 / 4)
    # Rounding must not put the limits on the wrong side of the mean.
    low, high = (centre - half) / (1 + kappa), (centre + half) / (1 + kappa)
    return best * max(0.0, min(p, low)), best * min(1.0, max(p, high))


def best_value(metric: str) -> float | None:
    """Return the value of a metric where everything is right, or None for one without an upper limit."""
    if metric in {"mean_per_class_accuracy", "recall"}:
        return 100.0
    return None if metric.endswith("error") else 1.0


def _mean_score(
    row: NetworkResults, settings: ComparisonSettings, pool: PooledVariance | None, spread: PooledVariance
) -> MeanScore:
    values = list(row.values.values())
    score = MeanScore(network=row.network, arm=row.arm, n=len(values), value=mean(values))
    if len(values) < 2:
        return score
    components, sources = _components(row, settings, pool, spread)
    if components is None:
        return score
    half = components.half_width(1 - settings.level)
    least = 0.0
    if sources is not None:
        quantile = components.sources_quantile((1 + settings.level) / 2)
        least = quantile**2 / _effective_sources(sources)
    best = best_value(settings.metric)
    # Only a score at the limit shows no variance; elsewhere the jackknife measures it.
    at_limit = best is not None and not 0 < score.value < best
    low, high = bounded_interval(score.value, half, best=best, least=least if at_limit else 0.0)
    return replace(score, low=low, high=high, covers_sources=sources is not None)


def _components(
    row: NetworkResults, settings: ComparisonSettings, pool: PooledVariance | None, spread: PooledVariance
) -> tuple[VarianceComponents | None, NDArray[np.int64] | None]:
    """Return the variance of a row's mean, and the classes of its test sources where the variance covers others."""
    values = list(row.values.values())
    scores = [row.score(seed, settings.metric) for seed in row.seeds]
    left_out = [score.left_out for score in scores if score is not None]
    tested = {sums.sources for seed in row.seeds if (sums := row.sums(seed)) is not None}
    first = row.sums(next(iter(row.seeds)))
    if len(left_out) < len(values) or first is None:
        alone = paired_t(values, settings.level)
        return None if alone is None else alone.components, None
    if len(tested) > 1:
        n_test = len(row.seeds[next(iter(row.seeds))].image_sources)
        overlapping = overlapping_splits_t(values, n_test=n_test, n_train=row.n_train or 1, level=settings.level)
        return _not_by_luck(overlapping, row, spread), first.strata
    components = variance_components(values, np.array(left_out), first.strata)
    if components is not None:
        freedom = _degrees_of_freedom(np.array(left_out), first.strata)
        components = replace(components, sources_degrees_of_freedom=freedom, overlap=row.overlap)
    if components is not None and pool is not None and row.label in pool.names:
        shared = pool.row(row.label)
        components = replace(components, seeds=shared.value, pooled_degrees_of_freedom=shared.degrees_of_freedom)
    return components, first.strata


def _not_by_luck(
    found: MeanDifference | None, row: NetworkResults, spread: PooledVariance
) -> VarianceComponents | None:
    """Return the components with at least the variance of the table: splits that agree by luck are no certainty."""
    if found is None:
        return None
    components = found.components
    if spread.usable:
        components = replace(components, seeds=max(components.seeds, spread.row(row.label).value))
    return components if components.seeds > 0 else None


def _degrees_of_freedom(left_out: NDArray[np.float64], strata: NDArray[np.int64]) -> float:
    """Return how well the variance from test sources is known, by Satterthwaite: badly if a class has few of them."""
    variances: list[float] = []
    freedoms: list[int] = []
    for name in np.unique(strata):
        values = left_out[:, strata == name]
        count = values.shape[1]
        pull = values - values.mean(axis=1, keepdims=True)
        variances.append(float((pull**2).sum(axis=1).mean()) * (count - 1) / count)
        freedoms.append(max(1, count - 1))
    total = sum(variances)
    if total == 0:
        return float(max(1, len(strata) - len(variances)))
    return float(total**2 / sum(part**2 / freedom for part, freedom in zip(variances, freedoms, strict=True)))


def _effective_sources(strata: NDArray[np.int64]) -> float:
    """Return how many sources of one class would measure a score as well as the mean over classes is measured."""
    counts = np.bincount(strata)
    counts = counts[counts > 0]
    return float(counts.size**2 / (1 / counts).sum())
