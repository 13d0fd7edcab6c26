"""One comparison of two networks or arms, paired by seed and test source.

Numbers are stored as they were computed, in the units of their metric; report formats round, colour and align them. A
difference is *first minus second*: an arm minus `real`, or one network minus another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarker.digests import canonical_json
from benchmarker.statistics import caveats
from benchmarker.statistics.intervals import mean, standard_deviation
from benchmarker.statistics.network_results import NetworkResults, percentage_scale
from benchmarker.statistics.paired import (
    MeanDifference,
    agreement_variance,
    overlapping_splits_t,
    paired_t,
    seeds_and_sources,
)
from benchmarker.statistics.pooling import PooledVariance
from benchmarker.statistics.power import expected, smallest_detectable
from benchmarker.statistics.verdicts import SIGNS, PooledMcNemar, Verdict, equivalence_p, holm, pooled_mcnemar, verdict

OVERALL = "overall"
TableName = Literal["arms", "arms_per_class", "networks"]
Method = Literal[
    "pooled seeds and sources",
    "pooled seeds, overlapping splits",
    "seeds and sources",
    "seeds, overlapping splits",
    "seeds alone",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSettings:
    """Settings that all comparisons of a study share.

    Parameters
    ----------
    metric, unit : str
        Flat name of the overall metric, and unit of its differences.
    higher_is_better : bool
        True for scores, False for errors.
    level : float
        Confidence level of intervals; verdicts accept an error rate of one minus this per table.
    margin : float or None
        Half the width of the region of practical equivalence, in the unit of the metric; None for no such region.
    scopes : tuple of str
        Classes, or the targets of a regression with several.
    scope_metric : str
        Metric that is compared within a class or target.
    """

    metric: str
    unit: str
    higher_is_better: bool
    level: float
    margin: float | None
    scopes: tuple[str, ...] = ()
    scope_metric: str = "recall"

    def scope_margin(self, index: int | None) -> float | None:
        """Return the margin within a class or target; recalls are in percent, whatever the unit of the metric."""
        if index is None or self.scope_metric != "recall" or self.margin is None or self.unit == "pp":
            return self.margin
        return 100 * self.margin


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison.

    Parameters
    ----------
    network : str
        Name on the leaderboard, with variant and environment where there are several.
    arm : str
        Name of the arm.
    mean, standard_deviation : float or None
        Mean and sample deviation over the seeds that both sides finished; None where these are too few.
    finished, planned : int
        Number of seeds of this side.
    """

    network: str
    arm: str
    mean: float | None
    standard_deviation: float | None
    finished: int
    planned: int

    @property
    def label(self) -> str:
        """Network and arm."""
        return f"{self.network}/{self.arm}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Comparison of two sides, paired by seed and test source: one row of a table.

    Parameters
    ----------
    first, second : Side
        The difference is the first's metric minus the second's; the second is the reference.
    scope : str
        ``"overall"``, or the class (or target of a regression) that is compared.
    metric, unit : str
        Flat name of the metric (``"mean_per_class_accuracy"``, ``"recall"``), and unit of a difference: ``"pp"``
        (percentage points), the unit of a regression's target, or empty.
    higher_is_better : bool
        True for scores, False for errors.
    seeds : tuple of int
        Seeds that both sides finished, ascending.
    differences : tuple of float
        Difference under each of these seeds.
    n_sources : int
        Test sources that both sides predicted (mean over seeds); 0 where predictions could not be read.
    difference : float or None
        Mean over seeds; None without a shared seed.
    level : float
        Confidence level of the interval, usually 0.95.
    verdict : {"better", "worse", "equivalent", "undecided"}
        Verdict on the first side, after correction for all rows of the table.
    method : str
        How the interval was computed: ``"pooled seeds and sources"`` with the variance over seeds pooled over the
        table, ``"seeds and sources"`` with that of the two sides alone; ``"... overlapping splits"`` where every seed
        has its own split; ``"seeds alone"`` where predictions are unknown.
    standard_error, degrees_of_freedom, low, high : float or None
        Standard error of the mean difference, and its interval before any correction; None for fewer than two seeds.
    p, p_adjusted : float or None
        Two-sided p of no difference, before and after Holm's correction over all rows of the table.
    margin : float or None
        Half the width of the region of practical equivalence, in the unit of the metric; None where there is none.
    p_equivalence, p_equivalence_adjusted : float or None
        p of equivalence, before and after Holm's correction.
    smallest_detectable : float or None
        Difference that as many seeds would find in 80 of 100 studies, before correction.
    mcnemar : PooledMcNemar or None
        For classifications whose predictions could be read.
    caveats : tuple of str
        Sentences that belong beside this row, for example ``"2 of 3 seeds finished"``.
    """

    first: Side
    second: Side
    scope: str
    metric: str
    unit: str
    higher_is_better: bool
    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    n_sources: int
    difference: float | None
    level: float
    verdict: Verdict
    method: Method
    standard_error: float | None = None
    degrees_of_freedom: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    margin: float | None = None
    p_equivalence: float | None = None
    p_equivalence_adjusted: float | None = None
    smallest_detectable: float | None = None
    mcnemar: PooledMcNemar | None = None
    caveats: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Number of seeds that the difference is a mean of."""
        return len(self.seeds)

    @property
    def sign(self) -> str:
        """The verdict as one character."""
        return SIGNS[self.verdict]

    @property
    def reversed(self) -> Comparison:
        """The same comparison with its sides exchanged."""
        opposite: Mapping[str, Verdict] = {"better": "worse", "worse": "better"}
        return replace(
            self,
            first=self.second,
            second=self.first,
            differences=tuple(-value for value in self.differences),
            difference=None if self.difference is None else -self.difference,
            low=None if self.high is None else -self.high,
            high=None if self.low is None else -self.low,
            verdict=opposite.get(self.verdict, self.verdict),
            mcnemar=None
            if self.mcnemar is None
            else replace(self.mcnemar, first_only=self.mcnemar.second_only, second_only=self.mcnemar.first_only),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonTable:
    """Comparisons that are corrected together.

    Parameters
    ----------
    name : {"arms", "arms_per_class", "networks"}
        Arms against the reference arm, overall or for each class, or all pairs of networks within an arm.
    title, caption : str
        Heading, and one sentence below the table.
    rows : tuple of Comparison
        Comparisons in the order of the plan.
    tests : int
        Number of comparisons that Holm's correction counts.
    """

    name: TableName
    title: str
    caption: str
    rows: tuple[Comparison, ...]
    tests: int


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
        p=estimate.p if estimate else None,
        margin=margin,
        p_equivalence=_equivalence(estimate, margin, paired.agreement) if estimate and margin is not None else None,
        smallest_detectable=smallest_detectable(expected(estimate.components), level=settings.level)
        if estimate
        else None,
        mcnemar=_mcnemar(first, second, seeds) if index is None else None,
        caveats=(*paired.caveats, *_row_caveats(first, second, seeds)),
    )


def corrected_table(
    name: TableName, title: str, caption: str, rows: Iterable[Comparison], level: float
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
    """
    rows = list(rows)
    adjusted = holm([row.p for row in rows])
    equivalence = holm([row.p_equivalence for row in rows])
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
    return ComparisonTable(name=name, title=title, caption=caption, rows=tuple(decided), tests=tests)


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
    if scale is not None and (lonely := _lonely_classes(strata, settings, index)):
        return replace(paired, method="seeds and sources", caveats=(caveats.single_source(lonely),))
    estimate = seeds_and_sources(differences, table, strata=strata, level=level)
    exact = scale is None or _same_cells(first, second, seeds)
    agreement = 0.0 if exact or scale is None else agreement_variance(strata, scale, index)
    found = replace(paired, method="seeds and sources", estimate=estimate, agreement=agreement)
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
    method: Method = "pooled seeds, overlapping splits" if components.overlap else "pooled seeds and sources"
    estimate = MeanDifference.of(paired.estimate.value, components, level)
    notes = tuple(caveats.stands_out(name) for name in found.own)
    return replace(paired, method=method, estimate=estimate, caveats=(*paired.caveats, *notes))


def _lonely_classes(strata: NDArray[np.int64], settings: ComparisonSettings, index: int | None) -> tuple[str, ...]:
    """Return the classes with a single test source, of which no variance can be measured."""
    counts = np.bincount(strata, minlength=len(settings.scopes))
    chosen = range(len(settings.scopes)) if index is None else (index,)
    return tuple(settings.scopes[k] for k in chosen if counts[k] == 1)


def _equivalence(estimate: MeanDifference, margin: float, agreement: float) -> float:
    """Return the p of equivalence; two networks that agree on few sources may not agree on others."""
    components = estimate.components
    cautious = replace(components, sources=components.sources + agreement)
    return equivalence_p(replace(estimate, components=cautious), margin)


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
