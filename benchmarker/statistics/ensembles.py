"""How sure an ensemble's score is, and how much better it is than its members: the chance of the test sources."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from benchmarker.contracts.tasks import Regression, Task
from benchmarker.statistics.intervals import Interval
from benchmarker.statistics.network_results import SourceSums, classification_sums, regression_sums, score
from benchmarker.statistics.paired import jackknife_covariance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarker.results.ensembles import Ensemble
    from benchmarker.results.tables import Predictions


def ensemble_interval(ensemble: Ensemble, task: Task, metric: str, level: float = 0.95) -> Interval | None:
    r"""Return the interval of an ensemble's metric for other test sources of the same kind and the same members.

    Parameters
    ----------
    ensemble : Ensemble
        An ensemble over seeds, or of networks under a single seed.
    task : Task
        Task of its study.
    metric : str
        Flat name of a metric.
    level : float
        Confidence level.

    Returns
    -------
    Interval or None
        In the unit of the metric; None for several values, which have a spread over seeds instead, for a metric that
        is no function of sums over sources, such as the loss, and for a single source.

    Notes
    -----
    With the variance :math:`v` of the stratified jackknife over the :math:`N` sources in :math:`K` classes, the
    interval is

    .. math:: \theta \pm t_{N - K} \sqrt{v}

    It says nothing about another set of seeds: there is only one ensemble, and its members are not independent draws
    of it.

    References
    ----------
    Efron and Stein 1981, Ann. Stat. 9, 586, doi:10.1214/aos/1176345462.
    """
    if len(ensemble.combined) != 1:
        return None
    sums = _sums(next(iter(ensemble.combined.values())), task)
    found = score(sums, metric)
    return None if found is None else _interval(found.value, found.left_out, sums.strata, level)


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
