"""What it takes to tell a difference between any two rows of a study: seeds, and the time that they will take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from benchmarker.statistics.pairs import ComparisonSettings, mean_difference, paired_values
from benchmarker.statistics.power import Plan, expected, plan, smallest_detectable
from benchmarker.statistics.seed_results import SeedResults, read_seed_results

if TYPE_CHECKING:
    from benchmarker.results.study_results import StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPower:
    """What it takes to tell a difference between two rows.

    Parameters
    ----------
    first, second : str
        Network and arm.
    difference : float
        As it is now, in the unit of the metric.
    smallest_detectable : float
        With the seeds at hand.
    plan : Plan
        Seeds for the difference that was asked for.
    n_sources : int
        Test sources.
    seconds : float or None
        Of training that the missing seeds of both sides will take, one run after the other; None where no number of
        seeds is enough, or no time was measured.
    """

    first: str
    second: str
    difference: float
    smallest_detectable: float
    plan: Plan
    n_sources: int
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPower:
    """What it takes to tell a difference in a whole study.

    Parameters
    ----------
    comparisons : tuple of PairPower
        Arms against the reference first, then networks within an arm.
    left_out : int
        Comparisons with fewer than two shared seeds: their spread is not known.
    seeds : int or None
        That the most demanding comparison needs; None where one of them needs more test sources instead.
    seconds : float or None
        Of training until every row has as many seeds.
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
    """Return what it takes to tell a difference of ``delta`` anywhere in a study.

    Parameters
    ----------
    results : StudyResults
        A study with at least two seeds.
    settings : ComparisonSettings
        What is compared, and at which level.
    delta : float
        The difference, in the unit of the metric's differences.
    target : float
        The chance of finding it.
    checkpoint : {"best", "final"}
        Whose predictions.
    reference : str
        The arm that others are compared with.
    """
    rows = read_seed_results(results, settings.metric, checkpoint)
    found, left_out = [], 0
    for first, second in _pairs(rows, reference):
        one = _planned(first, second, settings, delta, target)
        if one is None:
            left_out += 1
        else:
            found.append(one)
    needed = [each.plan.needed for each in found]
    most = None if not found or None in needed else max(n for n in needed if n is not None)
    times = [row.costs.get("training_seconds") for row in rows]
    seconds = None
    if most is not None and None not in times:
        seconds = sum(max(0, most - len(row.values)) * (cost or 0.0) for row, cost in zip(rows, times, strict=True))
    return StudyPower(comparisons=tuple(found), left_out=left_out, seeds=most, seconds=seconds)


def _pairs(rows: Sequence[SeedResults], reference: str) -> Iterator[tuple[SeedResults, SeedResults]]:
    bases = {row.network: row for row in rows if row.arm == reference}
    for row in rows:
        if row.arm != reference and row.network in bases:
            yield row, bases[row.network]
    yield from ((first, second) for first, second in combinations(rows, 2) if first.arm == second.arm)


def _planned(
    first: SeedResults, second: SeedResults, settings: ComparisonSettings, delta: float, target: float
) -> PairPower | None:
    seeds = sorted(set(first.values) & set(second.values))
    values = paired_values(first, second, seeds, settings.metric, None)
    result, _, _ = mean_difference(
        first, second, seeds=seeds, values=values, metric=settings.metric, index=None, level=settings.level
    )
    if result is None:
        return None
    spread = expected(result.spread)
    made = plan(delta, spread, target=target, level=settings.level)
    times = [row.costs.get("training_seconds") for row in (first, second)]
    known = made.more is not None and None not in times
    return PairPower(
        first=f"{first.network}/{first.arm}",
        second=f"{second.network}/{second.arm}",
        difference=result.value,
        smallest_detectable=smallest_detectable(spread, target=target, level=settings.level) or 0.0,
        plan=made,
        n_sources=len(first.sums[seeds[0]].sources) if seeds[0] in first.sums else 0,
        seconds=(made.more or 0) * sum(time for time in times if time is not None) if known else None,
    )
