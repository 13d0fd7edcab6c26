"""Compare pairs of networks or arms, and correct and judge a whole table of comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from benchmarker.digests import canonical_json
from benchmarker.statistics import caveats
from benchmarker.statistics.comparison import (
    OVERALL,
    Comparison,
    ComparisonSettings,
    ComparisonTable,
    Side,
    TableName,
)
from benchmarker.statistics.intervals import mean, standard_deviation
from benchmarker.statistics.multiple_testing import holm
from benchmarker.statistics.network_results import NetworkResults
from benchmarker.statistics.paired import MeanDifference, VarianceComponents
from benchmarker.statistics.pairing import paired_difference
from benchmarker.statistics.pooling import PooledVariance
from benchmarker.statistics.power import expected, smallest_detectable
from benchmarker.statistics.verdicts import PooledMcNemar, Verdict, equivalence_p, pooled_mcnemar, verdict


def compare_pair(
    first: NetworkResults,
    second: NetworkResults,
    settings: ComparisonSettings,
    index: int | None = None,
    *,
    pool: PooledVariance | None = None,
) -> Comparison:
    """Compare two networks or arms before correction; the verdict is left undecided until `corrected_table`.

    Parameters
    ----------
    first, second : NetworkResults
        Sides; the difference is the first's metric minus the second's.
    settings : ComparisonSettings
        Metric, level and margin.
    index : int, optional
        Number of a class or target; the overall metric by default.
    pool : PooledVariance, optional
        Variance over seeds that the rows of the table share, as `pooled_variance` returns it; that of the two sides
        alone by default.
    """
    metric = settings.metric if index is None else settings.scope_metric
    paired = paired_difference(first, second, settings, index, pool=pool)
    seeds, estimate = paired.seeds, paired.estimate
    margin = settings.scope_margin(index)
    return Comparison(
        first=_side(first, seeds, metric, index),
        second=_side(second, seeds, metric, index),
        scope=OVERALL if index is None else settings.scopes[index],
        metric=metric,
        unit="pp" if metric == "recall" else settings.unit,
        higher_is_better=settings.higher_is_better,
        seeds=seeds,
        differences=paired.differences,
        n_sources=_shared_sources(first, second, seeds),
        difference=mean(paired.differences) if seeds else None,
        level=settings.level,
        verdict="undecided",
        method=paired.method,
        standard_error=estimate.components.standard_error if estimate else None,
        degrees_of_freedom=estimate.components.seeds_degrees_of_freedom if estimate else None,
        low=estimate.low if estimate else None,
        high=estimate.high if estimate else None,
        variance=estimate.components if estimate else None,
        p=estimate.p if estimate else None,
        margin=margin,
        p_equivalence=_equivalence(estimate, margin, paired.agreement) if estimate and margin is not None else None,
        mcnemar=_mcnemar(first, second, seeds) if index is None else None,
        caveats=(*paired.caveats, *_row_caveats(first, second, seeds)),
    )


def corrected_table(
    name: TableName, title: str, caption: str, rows: Iterable[Comparison], level: float, *, share: float = 1.0
) -> ComparisonTable:
    """Correct the p-values of comparisons for their number, and decide on each.

    Parameters
    ----------
    name, title, caption : str
        As in `ComparisonTable`.
    rows : iterable of Comparison
        Comparisons before correction, as `compare_pair` returns them.
    level : float
        One minus the error rate that verdicts accept over the whole table.
    share : float
        Share of the error rate that this table may use, where it is one of several looks at the same comparisons.
    """
    rows = list(rows)
    adjusted = [_spending(p, share) for p in holm([row.p for row in rows])]
    equivalence = [_spending(p, share) for p in holm([row.p_equivalence for row in rows])]
    decided = [
        replace(
            row,
            p_adjusted=p,
            p_equivalence_adjusted=same,
            verdict=verdict(row.difference, p, same, higher_is_better=row.higher_is_better, level=level),
        )
        for row, p, same in zip(rows, adjusted, equivalence, strict=True)
    ]
    tests = sum(row.p is not None for row in rows)
    return ComparisonTable(
        name=name,
        title=title,
        caption=caption,
        rows=tuple(_with_corrected_numbers(row, tests, 1 - (1 - level) * share) for row in decided),
        tests=tests,
    )


def adjusted_interval(
    difference: float,
    variance: VarianceComponents,
    verdict: Verdict,
    *,
    tests: int,
    level: float = 0.95,
    margin: float | None = None,
) -> tuple[float, float]:
    r"""Return the interval of one of several comparisons that holds for all of them together, and agrees with verdicts.

    Parameters
    ----------
    difference : float
        Mean difference, in the unit of the metric.
    variance : VarianceComponents
        Variance of the difference.
    verdict : {"better", "worse", "equivalent", "undecided"}
        Verdict after Holm's correction.
    tests : int
        Number of comparisons in the table.
    level : float
        Confidence level of all intervals of the table together.
    margin : float, optional
        Half the width of the region of practical equivalence.

    Returns
    -------
    low, high : float
        In the unit of the metric.

    Notes
    -----
    Bonferroni's interval at the level :math:`1 - \alpha / m` of each of m comparisons covers all true differences with
    a chance of at least :math:`1 - \alpha`. Holm's procedure decides a little more often, so the interval of a decided
    row may still contain zero; it is then cut there, as by Strassburger and Bretz (2008). That of an equivalent row is
    cut at the margin.

    References
    ----------
    Strassburger and Bretz 2008, Stat. Med. 27, 4914, doi:10.1002/sim.3338.

    Examples
    --------
    >>> variance = VarianceComponents(n=3, seeds=3.0, pooled_degrees_of_freedom=10.0)
    >>> low, high = adjusted_interval(3.0, variance, "better", tests=10)
    >>> round(low, 2), round(high, 2)
    (0.0, 6.58)
    """
    half = variance.half_width((1 - level) / max(1, tests))
    low, high = difference - half, difference + half
    if verdict in {"better", "worse"}:
        return (max(low, 0.0), high) if difference > 0 else (low, min(high, 0.0))
    if verdict == "equivalent" and margin is not None:
        return max(low, -margin), min(high, margin)
    return low, high


def _spending(p: float | None, share: float) -> float | None:
    return None if p is None else min(1.0, p / share)


def _with_corrected_numbers(row: Comparison, tests: int, level: float) -> Comparison:
    if row.difference is None or row.variance is None:
        return row
    low, high = adjusted_interval(
        row.difference, row.variance, row.verdict, tests=tests, level=level, margin=row.margin
    )
    detectable = smallest_detectable(expected(row.variance), level=1 - (1 - level) / max(1, tests))
    return replace(row, low_adjusted=low, high_adjusted=high, smallest_detectable=detectable)


def _equivalence(estimate: MeanDifference, margin: float, agreement: float) -> float:
    """Return the p of equivalence; two networks that agree on few sources may not agree on others."""
    components = estimate.components
    cautious = replace(components, sources=components.sources + agreement)
    return equivalence_p(replace(estimate, components=cautious), margin)


def _side(row: NetworkResults, seeds: Sequence[int], metric: str, index: int | None) -> Side:
    found = [value for seed in seeds if (value := row.value(seed, metric, index)) is not None]
    return Side(
        network=row.network,
        arm=row.arm,
        mean=mean(found) if found else None,
        standard_deviation=standard_deviation(found) if found else None,
        finished=len(row.seeds),
        planned=row.planned,
    )


def _shared_sources(first: NetworkResults, second: NetworkResults, seeds: Sequence[int]) -> int:
    pairs = [(first.sums(seed), second.sums(seed)) for seed in seeds]
    counts = [len(one.sources) for one, other in pairs if one is not None and other is not None]
    return round(sum(counts) / len(counts)) if counts else 0


def _mcnemar(first: NetworkResults, second: NetworkResults, seeds: Sequence[int]) -> PooledMcNemar | None:
    pairs = [(first.seeds[seed], second.seeds[seed]) for seed in seeds]
    shared = [
        (one.correct, other.correct)
        for one, other in pairs
        if one.correct is not None and other.correct is not None and one.image_sources == other.image_sources
    ]
    if not shared:
        return None
    return pooled_mcnemar(np.concatenate([one for one, _ in shared]), np.concatenate([other for _, other in shared]))


def _row_caveats(first: NetworkResults, second: NetworkResults, seeds: Sequence[int]) -> list[str]:
    found = []
    if caveat := caveats.unfinished(len(seeds), max(first.planned, second.planned)):
        found.append(caveat)
    found_prints = (row.seeds[seed].fingerprint for row in (first, second) for seed in seeds)
    distinct = {id(one): one for one in found_prints if one is not None}  # runs of large studies share theirs
    environments = {canonical_json(one.environment) for one in distinct.values()}
    if len(environments) > 1:
        found.append(f"fingerprints differ: {len(environments)} environments")
    return found
