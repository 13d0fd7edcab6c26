"""The mean difference of two networks or arms over the seeds that both finished, with the interval that data allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarker.statistics import caveats
from benchmarker.statistics.comparison import ComparisonSettings, Method
from benchmarker.statistics.network_results import NetworkResults, SourceSums, percentage_scale
from benchmarker.statistics.paired import (
    MeanDifference,
    agreement_variance,
    overlapping_splits_t,
    paired_t,
    seeds_and_sources,
)
from benchmarker.statistics.pooling import PooledVariance

_POOLED: Mapping[Method, Method] = {
    "seeds and sources": "pooled seeds and sources",
    "folds and sources": "pooled folds and sources",
    "seeds, overlapping splits": "pooled seeds, overlapping splits",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """Mean difference of two sides over the seeds that both finished.

    Parameters
    ----------
    seeds : tuple of int
        Shared seeds, ascending.
    differences : tuple of float
        Difference under each of them.
    estimate : MeanDifference or None
        Mean with its interval; None where there is no variance to compute it from.
    method : str
        How the interval was computed; as in `Comparison`.
    caveats : tuple of str
        What limits the estimate.
    agreement : float
        Least variance from test sources that equivalence must reckon with, however well the two agree on them.
    """

    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    estimate: MeanDifference | None = None
    method: Method = "seeds alone"
    caveats: tuple[str, ...] = ()
    agreement: float = 0.0


def pooled_variance(
    rows: Sequence[NetworkResults], settings: ComparisonSettings, index: int | None = None
) -> PooledVariance | None:
    """Return the variance over seeds that the rows of a table share, or None where there are too few rows.

    Parameters
    ----------
    rows : sequence of NetworkResults
        Rows of the table.
    settings : ComparisonSettings
        Metric.
    index : int, optional
        Number of a class or target; the overall metric by default.
    """
    metric = settings.metric if index is None else settings.scope_metric
    values = {
        row.label: {seed: value for seed in row.seeds if (value := row.value(seed, metric, index)) is not None}
        for row in rows
    }
    tested = {sums.sources for row in rows for seed in row.seeds if (sums := row.sums(seed)) is not None}
    pool = PooledVariance({name: row for name, row in values.items() if row}, paired=len(tested) > 1)
    return pool if pool.usable else None


def paired_difference(
    first: NetworkResults,
    second: NetworkResults,
    settings: ComparisonSettings,
    index: int | None = None,
    *,
    pool: PooledVariance | None = None,
) -> PairedDifference:
    """Return the mean difference of two sides, with the interval that their splits and predictions allow.

    Parameters
    ----------
    first, second, settings, index, pool
        As in `compare_pair`.
    """
    metric = settings.metric if index is None else settings.scope_metric
    pairs = {
        seed: (first.value(seed, metric, index), second.value(seed, metric, index))
        for seed in sorted(set(first.seeds) & set(second.seeds))
    }
    known = {seed: one - other for seed, (one, other) in pairs.items() if one is not None and other is not None}
    paired = PairedDifference(seeds=tuple(known), differences=tuple(known.values()))
    if len(known) < 2:
        return paired
    return _with_estimate(paired, first, second, settings, index, pool=pool)


def _with_estimate(
    paired: PairedDifference,
    first: NetworkResults,
    second: NetworkResults,
    settings: ComparisonSettings,
    index: int | None,
    *,
    pool: PooledVariance | None,
) -> PairedDifference:
    """Add the interval: over seeds and sources where all seeds share a test part, over seeds alone otherwise."""
    metric = settings.metric if index is None else settings.scope_metric
    seeds, differences, level = paired.seeds, paired.differences, settings.level
    ours, theirs = ([side.sums(seed) for seed in seeds] for side in (first, second))
    scores = [(first.score(seed, metric, index), second.score(seed, metric, index)) for seed in seeds]
    left_out = [one.left_out - other.left_out for one, other in scores if one is not None and other is not None]
    tested = [sums.sources for sums in ours if sums is not None]
    if len(left_out) < len(seeds):
        caveat = "predictions could not be used, so test sources are taken as fixed"
        return _over_seeds(paired, paired_t(differences, level), "seeds alone", caveat)
    if tested != [sums.sources for sums in theirs if sums is not None]:
        caveat = "the two were tested on different sources, so only their seeds are paired"
        return _over_seeds(paired, paired_t(differences, level), "seeds alone", caveat)
    shared = None if pool is None or {first.label, second.label} - set(pool.names) else pool
    if len(set(tested)) > 1:
        n_test = len(first.seeds[seeds[0]].image_sources)  # images, as the training part is counted
        estimate = overlapping_splits_t(differences, n_test=n_test, n_train=first.n_train or 1, level=level)
        return _pooled(_over_seeds(paired, estimate, "seeds, overlapping splits"), first, second, shared, level)
    table, strata = np.array(left_out), ours[0].strata if ours[0] is not None else np.zeros(0, np.int64)
    if not np.any(table) and not _right_on_the_same(first, second, seeds):
        return replace(paired, method="seeds and sources", caveats=(caveats.right_on_the_same(len(seeds)),))
    scale = percentage_scale(metric)
    if scale is not None and (lonely := _lonely_classes(ours[0], settings, index)):
        return replace(paired, method="seeds and sources", caveats=(caveats.single_source(lonely),))
    estimate = seeds_and_sources(differences, table, strata=strata, level=level, overlap=first.overlap)
    exact = scale is None or _same_cells(first, second, seeds)
    agreement = 0.0 if exact or scale is None else agreement_variance(strata, scale, index)
    method: Method = "folds and sources" if first.overlap else "seeds and sources"
    found = replace(paired, method=method, estimate=estimate, agreement=agreement)
    return _pooled(found, first, second, shared, level)


def _pooled(
    paired: PairedDifference,
    first: NetworkResults,
    second: NetworkResults,
    pool: PooledVariance | None,
    level: float,
) -> PairedDifference:
    """Replace the variance over seeds of the two sides by that of the table, where there is one."""
    if pool is None or paired.estimate is None:
        return paired
    found = pool.pair(first.label, second.label)
    components = replace(
        paired.estimate.components, seeds=found.value, pooled_degrees_of_freedom=found.degrees_of_freedom
    )
    estimate = MeanDifference.of(paired.estimate.value, components, level)
    notes = tuple(caveats.stands_out(name) for name in found.own)
    return replace(paired, method=_POOLED[paired.method], estimate=estimate, caveats=(*paired.caveats, *notes))


def _lonely_classes(sums: SourceSums | None, settings: ComparisonSettings, index: int | None) -> tuple[str, ...]:
    """Return the classes that a single test source or cluster shows, of which no variance can be measured."""
    counts = () if sums is None else sums.independent
    return tuple(name for k, name in enumerate(settings.scopes[: len(counts)]) if index in {None, k} and counts[k] == 1)


def _over_seeds(
    paired: PairedDifference, estimate: MeanDifference | None, method: Method, *sentences: str
) -> PairedDifference:
    """Add an interval over seeds alone, unless all differences are equal: an accident of few seeds, not certainty."""
    caveat = caveats.no_spread(paired.differences)
    if caveat is not None and any(paired.differences):
        return replace(paired, method=method, caveats=(caveat, *sentences))
    return replace(paired, method=method, estimate=estimate, caveats=sentences)


def _right_on_the_same(first: NetworkResults, second: NetworkResults, seeds: Sequence[int]) -> bool:
    """Return whether two sides are right on the same test images of all classes, as a study and its copy are."""
    pairs = [(first.seeds[seed].correct, second.seeds[seed].correct) for seed in seeds]
    return all(one is not None and other is not None and np.array_equal(one, other) for one, other in pairs)


def _same_cells(first: NetworkResults, second: NetworkResults, seeds: Sequence[int]) -> bool:
    """Return whether two sides are runs of the same cells, as a study and its copy are: they cannot differ anywhere."""
    pairs = [(first.seeds[seed].spec, second.seeds[seed].spec) for seed in seeds]
    return all(one is not None and one == other for one, other in pairs)
