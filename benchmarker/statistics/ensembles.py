"""How sure an ensemble's score is, and how much better it is than its members: the chance of the test sources."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from benchmarker.contracts.tasks import Regression, Task
from benchmarker.statistics.comparison import ComparisonSettings
from benchmarker.statistics.intervals import Interval
from benchmarker.statistics.mean_scores import best_value, bounded_interval, mean_scores
from benchmarker.statistics.network_results import (
    NetworkResults,
    SeedResult,
    SourceSums,
    classification_sums,
    regression_sums,
    score,
)
from benchmarker.statistics.paired import jackknife_covariance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarker.results.ensembles import Ensemble
    from benchmarker.results.tables import Predictions


def ensemble_interval(ensemble: Ensemble, task: Task, metric: str, level: float = 0.95) -> Interval | None:
    r"""Return the interval of an ensemble's metric for other test sources of the same kind.

    Parameters
    ----------
    ensemble : Ensemble
        An ensemble over seeds, or of networks under one seed or several.
    task : Task
        Task of its study.
    metric : str
        Flat name of a metric.
    level : float
        Confidence level.

    Returns
    -------
    Interval or None
        In the unit of the metric, and within its limits; None for a metric that is no function of sums over sources,
        such as the loss, for a single source, and for one prediction without an error.

    Notes
    -----
    An ensemble of networks has a value for each seed, and the interval of their mean is that of a network, for new
    seeds and new sources (`benchmarker.statistics.mean_scores`). An ensemble over seeds is one number. With the
    variance :math:`v` of the stratified jackknife over the :math:`N` sources in :math:`K` classes, half the width of
    its interval is

    .. math:: h = t_{N - K} \sqrt{v}

    before it is kept within the limits of the metric. It says nothing about another set of seeds: there is only one
    ensemble, and its members are not independent draws of it.

    References
    ----------
    Efron and Stein 1981, Ann. Stat. 9, 586, doi:10.1214/aos/1176345462.
    """
    if len(ensemble.combined) != 1:
        return _interval_over_seeds(ensemble, task, metric, level)
    sums = _sums(next(iter(ensemble.combined.values())), task)
    found = score(sums, metric)
    alone = None if found is None else _interval(found.value, found.left_out, sums.strata, level)
    if alone is None:
        return None
    low, high = bounded_interval(alone.value, alone.high - alone.value, best=best_value(metric))
    return replace(alone, low=low, high=high)


def ensemble_gain(ensemble: Ensemble, task: Task, metric: str, level: float = 0.95) -> Interval | None:
    """Return an ensemble's metric minus the mean metric of its members, for other test sources of the same kind.

    Parameters
    ----------
    ensemble, task, metric, level
        As for `ensemble_interval`.

    Returns
    -------
    Interval or None
        In the unit of the metric; None where `ensemble_interval` is None. Ensemble and members are compared on the same
        sources, so that the interval is narrower than that of the ensemble alone.
    """
    if len(ensemble.combined) != 1:
        return None
    sums = _sums(next(iter(ensemble.combined.values())), task)
    own = score(sums, metric)
    members = next(iter(ensemble.members.values()))
    others = [found for each in members if (found := score(_sums(each.predictions, task), metric)) is not None]
    if own is None or len(others) < len(members):
        return None
    value = own.value - math.fsum(each.value for each in others) / len(others)
    left_out = own.left_out - np.mean([each.left_out for each in others], axis=0)
    return _interval(value, left_out, sums.strata, level)


def _interval_over_seeds(ensemble: Ensemble, task: Task, metric: str, level: float) -> Interval | None:
    seeds = {}
    for seed, predictions in ensemble.combined.items():
        sums = _sums(predictions, task)
        found = score(sums, metric)
        if found is None:
            return None
        seeds[seed] = SeedResult(value=found.value, sums=sums, image_sources=tuple(predictions.source_ids))
    trained = [member.cell.read_metrics() for each in ensemble.members.values() for member in each[:1]]
    row = NetworkResults(
        network=ensemble.row.label,
        arm=ensemble.row.arm,
        model=ensemble.row.model,
        planned=len(seeds),
        seeds=seeds,
        n_train=next((metrics.parts.train for metrics in trained if metrics is not None), 0),
    )
    settings = ComparisonSettings(metric=metric, unit="", higher_is_better=True, level=level, margin=None)
    (found_mean,) = mean_scores([row], settings, None)
    if found_mean.low is None or found_mean.high is None:
        return None
    return Interval(value=found_mean.value, low=found_mean.low, high=found_mean.high, level=level)


def _interval(value: float, left_out: NDArray[np.float64], strata: NDArray[np.int64], level: float) -> Interval | None:
    covariance, freedom = jackknife_covariance([left_out], strata)
    variance = float(covariance[0, 0])
    if variance == 0:  # a single source, or no error anywhere, shows no chance
        return None
    half = float(special.stdtrit(freedom, (1 + level) / 2)) * math.sqrt(variance)
    return Interval(value=value, low=value - half, high=value + half, level=level)


def _sums(predictions: Predictions, task: Task) -> SourceSums:
    sources, truth = predictions.source_ids, predictions.truth
    if isinstance(task, Regression):
        return regression_sums(sources, truth, predictions.values, task.error_scales)
    return classification_sums(sources, truth, predictions.predicted, task.n_outputs)
