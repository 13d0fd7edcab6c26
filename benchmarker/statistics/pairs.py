"""One comparison: two rows of a study, paired by seed and by test source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarker.digests import canonical_json
from benchmarker.statistics import caveats
from benchmarker.statistics.comparison import OVERALL, Comparison, PooledMcNemar
from benchmarker.statistics.equivalence import equivalence_p
from benchmarker.statistics.mcnemar import pooled_mcnemar
from benchmarker.statistics.paired import (
    MeanDifference,
    overlapping_splits_t,
    paired_t,
    seeds_and_sources,
)
from benchmarker.statistics.power import expected, smallest_detectable
from benchmarker.statistics.summaries import mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarker.statistics.seed_results import SeedResults

CROSSED = "seeds and sources"
OVERLAPPING = "seeds, overlapping splits"
SEEDS_ALONE = "seeds alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSettings:
    """What is compared.

    Parameters
    ----------
    metric, unit : str
        Flat name of the overall metric, and the unit of its differences.
    higher_is_better : bool
    level : float
        Of intervals.
    margin : float or None
        Half the width of the region of practical equivalence, in the unit of the metric.
    scopes : tuple of str
        Classes, or targets of a regression with several.
    scope_metric : str
        What is compared for one of them.
    """

    metric: str
    unit: str
    higher_is_better: bool
    level: float
    margin: float | None
    scopes: tuple[str, ...] = ()
    scope_metric: str = "recall"

    def margin_of(self, index: int | None) -> float | None:
        """Return the margin of a scope: recalls are in percent, whatever the overall metric is in."""
        if index is None or self.scope_metric != "recall" or self.margin is None or self.unit == "pp":
            return self.margin
        return 100 * self.margin


def compare_pair(
    first: SeedResults, second: SeedResults, settings: ComparisonSettings, index: int | None = None
) -> Comparison:
    """Compare two rows; p-values are not corrected yet, and the verdict is still open.

    Parameters
    ----------
    first, second : SeedResults
        The difference is the first's metric minus the second's.
    settings : ComparisonSettings
        What is compared.
    index : int, optional
        Of a class or target; the overall metric without.
    """
    metric = settings.metric if index is None else settings.scope_metric
    seeds = tuple(
        seed
        for seed in sorted(set(first.values) & set(second.values))
        if first.value(seed, metric, index) is not None and second.value(seed, metric, index) is not None
    )
    values = paired_values(first, second, seeds, metric, index)
    result, method, sentences = mean_difference(
        first, second, seeds=seeds, values=values, metric=metric, index=index, level=settings.level
    )
    margin = settings.margin_of(index)
    same = equivalence_p(result, margin) if result is not None and margin is not None else None
    return Comparison(
        first=first.side(seeds, metric, index),
        second=second.side(seeds, metric, index),
        scope=OVERALL if index is None else settings.scopes[index],
        metric=metric,
        unit="pp" if metric == "recall" else settings.unit,
        higher_is_better=settings.higher_is_better,
        seeds=seeds,
        differences=tuple(values),
        n_sources=_sources(first, second, seeds),
        difference=mean(values) if values else None,
        level=settings.level,
        verdict="undecided",
        method=method,
        standard_error=result.spread.standard_error if result else None,
        degrees_of_freedom=len(seeds) - 1 if result else None,
        low=result.low if result else None,
        high=result.high if result else None,
        p=result.p if result else None,
        margin=margin,
        p_equivalence=same,
        smallest_detectable=smallest_detectable(expected(result.spread), level=settings.level) if result else None,
        mcnemar=_mcnemar(first, second, seeds) if index is None else None,
        caveats=(*sentences, *_caveats(first, second, seeds)),
    )


def paired_values(
    first: SeedResults, second: SeedResults, seeds: Sequence[int], metric: str, index: int | None
) -> list[float]:
    """Return the difference under each of some seeds that both rows have."""
    pairs = [(first.value(seed, metric, index), second.value(seed, metric, index)) for seed in seeds]
    return [one - other for one, other in pairs if one is not None and other is not None]


def mean_difference(
    first: SeedResults,
    second: SeedResults,
    *,
    seeds: Sequence[int],
    values: Sequence[float],
    metric: str,
    index: int | None,
    level: float,
) -> tuple[MeanDifference | None, str, list[str]]:
    """Return the mean difference with its interval, how it was made, and what to say beside it.

    Parameters
    ----------
    first, second : SeedResults
        Two rows of a study.
    seeds, values : sequence
        Shared seeds, and the difference under each.
    metric, index
        What was compared.
    level : float
        Of the interval.
    """
    if len(seeds) < 2:
        return None, SEEDS_ALONE, []
    scores = [(first.score(seed, metric, index), second.score(seed, metric, index)) for seed in seeds]
    if not all(one is not None and other is not None for one, other in scores):
        result, notes = _without_floor(paired_t(values, level), values)
        return result, SEEDS_ALONE, [*notes, "predictions could not be used: test sources are taken as fixed"]
    tested = [first.sums[seed].sources for seed in seeds]
    if any(first.sums[seed].sources != second.sums[seed].sources for seed in seeds):
        result, notes = _without_floor(paired_t(values, level), values)
        return result, SEEDS_ALONE, [*notes, "the two were tested on different sources: nothing is paired but seeds"]
    if len(set(tested)) > 1:
        n_train = int(first.parts.get("train", 0)) or 1
        spread = overlapping_splits_t(values, n_test=len(tested[0]), n_train=n_train, level=level)
        result, notes = _without_floor(spread, values)
        return result, OVERLAPPING, notes
    left_out = np.array([one.left_out - other.left_out for one, other in scores if one and other])
    strata = first.sums[seeds[0]].strata
    if not np.any(left_out) and not _same_everywhere(first, second, seeds):
        return None, CROSSED, [caveats.agreed(len(seeds))]
    return seeds_and_sources(values, left_out, strata=strata, level=level), CROSSED, []


def _same_everywhere(first: SeedResults, second: SeedResults, seeds: Sequence[int]) -> bool:
    """Tell whether two rows are right and wrong on the same sources, whatever their class: a study and its copy."""
    return all(
        seed in first.right and seed in second.right and np.array_equal(first.right[seed], second.right[seed])
        for seed in seeds
    )


def _without_floor(result: MeanDifference | None, values: Sequence[float]) -> tuple[MeanDifference | None, list[str]]:
    """Refuse an interval of no width: equal differences of a few seeds are an accident, not certainty."""
    sentence = caveats.no_spread(values)
    return (None, [sentence]) if sentence and any(values) else (result, [])


def _sources(first: SeedResults, second: SeedResults, seeds: Sequence[int]) -> int:
    counts = [len(first.sums[seed].sources) for seed in seeds if seed in first.sums and seed in second.sums]
    return round(sum(counts) / len(counts)) if counts else 0


def _mcnemar(first: SeedResults, second: SeedResults, seeds: Sequence[int]) -> PooledMcNemar | None:
    shared = [seed for seed in seeds if seed in first.right and first.images[seed] == second.images.get(seed)]
    if not shared:
        return None

    def pooled(row: SeedResults) -> NDArray[np.bool_]:
        return np.concatenate([row.right[seed] for seed in shared])

    return pooled_mcnemar(pooled(first), pooled(second))


def _caveats(first: SeedResults, second: SeedResults, seeds: Sequence[int]) -> list[str]:
    found = [caveats.unfinished(len(seeds), max(first.planned, second.planned))]
    prints = {
        canonical_json({name: value for name, value in row.fingerprints[seed].items() if name != "plugins"})
        for row in (first, second)
        for seed in seeds
        if seed in row.fingerprints
    }
    if len(prints) > 1:
        found.append(caveats.differing_fingerprints(f"{len(prints)} environments"))
    return [sentence for sentence in found if sentence]
