"""Power of a study: how many more seeds each comparison needs, and how long their training takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from benchmarker.statistics.comparison import ComparisonSettings
from benchmarker.statistics.network_results import NetworkResults, read_network_results
from benchmarker.statistics.pairing import paired_difference, pooled_variance
from benchmarker.statistics.pooling import PooledVariance
from benchmarker.statistics.power import SeedPlan, expected, plan_seeds, smallest_detectable
from benchmarker.statistics.published_folds import means_of_folds
from benchmarker.statistics.study_comparison import arm_pairs

if TYPE_CHECKING:
    from benchmarker.results.study_results import StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPower:
    """Power of one comparison.

    Parameters
    ----------
    first, second : str
        Network and arm of each side.
    difference : float
        Mean difference so far, in the unit of the metric.
    smallest_detectable : float
        Smallest difference that the seeds at hand find with the required power.
    plan : SeedPlan
        Seeds that the required difference needs.
    n_sources : int
        Number of test sources; 0 if unknown.
    seconds : float or None
        Training time of the missing seeds of both sides, one run after the other, or one program after the other where
        seeds share one; None where no number of seeds is enough, or where no time was measured.
    """

    first: str
    second: str
    difference: float
    smallest_detectable: float
    plan: SeedPlan
    n_sources: int
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPower:
    """Power of a whole study.

    Parameters
    ----------
    comparisons : tuple of PairPower
        Arms against the reference first, then networks within an arm.
    left_out : int
        Number of comparisons with fewer than two shared seeds, whose variance is unknown.
    seeds : int or None
        Seeds that the most demanding comparison needs; None where one of them needs more test sources instead.
    seconds : float or None
        Training time until every row has as many seeds.
    """

    comparisons: tuple[PairPower, ...]
    left_out: int
    seeds: int | None
    seconds: float | None


def study_power(
    results: StudyResults,
    settings: ComparisonSettings,
    delta: float,
    *,
    target: float,
    checkpoint: str = "best",
    reference: str = "real",
) -> StudyPower:
    """Return how many seeds every comparison of a study needs to find a difference of `delta`.

    Parameters
    ----------
    results : StudyResults
        A study with at least two seeds.
    settings : ComparisonSettings
        Metric, and one minus the error rate of all comparisons of a table together.
    delta : float
        The difference to be found, in the unit of the metric's differences.
    target : float
        Required power.
    checkpoint : {"best", "final"}
        Weights that made the predictions.
    reference : str
        Arm that others are compared with.

    Notes
    -----
    The power is that of Bonferroni's intervals for all comparisons of a table together: verdicts are decided after
    Holm's correction, which needs at most as many seeds. The equations are in `benchmarker.statistics.power`.
    """
    rows = [means_of_folds(row) for row in read_network_results(results, settings.metric, checkpoint)]
    found, left_out = [], 0
    pool = pooled_variance(rows, settings)
    arms, networks = arm_pairs(rows, reference), _network_pairs(rows)
    for first, second, tests in [
        *((*pair, len(arms)) for pair in arms),
        *((*pair, len(networks)) for pair in networks),
    ]:
        corrected = replace(settings, level=1 - (1 - settings.level) / tests)
        one = _pair_power(first, second, corrected, delta, target=target, pool=pool)
        if one is None:
            left_out += 1
        else:
            found.append(one)
    needed = [each.plan.needed for each in found]
    most = None if not found or None in needed else max(n for n in needed if n is not None)
    seconds = None if most is None else _total(row.training_seconds(max(0, most - len(row.seeds))) for row in rows)
    return StudyPower(comparisons=tuple(found), left_out=left_out, seeds=most, seconds=seconds)


def _network_pairs(rows: Sequence[NetworkResults]) -> list[tuple[NetworkResults, NetworkResults]]:
    return [(first, second) for first, second in combinations(rows, 2) if first.arm == second.arm]


def _pair_power(
    first: NetworkResults,
    second: NetworkResults,
    settings: ComparisonSettings,
    delta: float,
    *,
    target: float,
    pool: PooledVariance | None,
) -> PairPower | None:
    paired = paired_difference(first, second, settings, pool=pool)
    if paired.estimate is None:
        return None
    components = expected(paired.estimate.components)
    made = plan_seeds(delta, components, target=target, level=settings.level)
    sums = first.sums(paired.seeds[0])
    return PairPower(
        first=first.label,
        second=second.label,
        difference=paired.estimate.value,
        smallest_detectable=smallest_detectable(components, target=target, level=settings.level) or 0.0,
        plan=made,
        n_sources=0 if sums is None else len(sums.sources),
        seconds=None if made.more is None else _total(row.training_seconds(made.more) for row in (first, second)),
    )


def _total(times: Iterable[float | None]) -> float | None:
    """Return the sum of times, or None if one of them is unknown."""
    known = list(times)
    return sum(time for time in known if time is not None) if None not in known else None
