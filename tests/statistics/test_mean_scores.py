"""Intervals of a network's mean that cover new galaxies, and ranges of ranks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarker import (
    Comparison,
    RankRange,
    Stream,
    VarianceComponents,
    Verdict,
    adjusted_interval,
    bounded_interval,
    rank_ranges,
)
from benchmarker.statistics.intervals import wilson_interval
from benchmarker.statistics.mean_scores import mean_scores
from benchmarker.statistics.pairing import pooled_variance
from tests.statistics.crossed import SETTINGS, Crossed, as_row, coverage, tables

STUDIES = 1000


def test_interval_of_a_proportion_is_that_of_wilson() -> None:
    """With the variance p (1 - p) / n and the normal quantile, the limits are Wilson's."""
    p, n, z = 0.9, 40, 1.959963984540054
    wilson = wilson_interval(p, n)
    found = bounded_interval(100 * p, 100 * z * np.sqrt(p * (1 - p) / n), best=100.0)
    assert found == pytest.approx((100 * wilson.low, 100 * wilson.high))


@pytest.mark.parametrize("value", [0.0, 0.5, 60.0, 99.5, 100.0])
def test_interval_stays_between_zero_and_the_best_value(value: float) -> None:
    low, high = bounded_interval(value, 30.0, best=100.0, least=0.1)
    assert 0 <= low <= value <= high <= 100
    assert high > low


def test_a_perfect_score_on_few_sources_leaves_room_for_errors() -> None:
    row = as_row(np.ones((3, 40)), (10,) * 4, "network", "real")
    (score,) = mean_scores([row], SETTINGS, None)
    assert score.low is not None
    # Wilson's interval of 40 out of 40 begins at 91.2 %; Student's t with 36 degrees of freedom begins a little lower.
    assert score.low == pytest.approx(100 * wilson_interval(1.0, 40).low, abs=1.0)
    assert score.high == 100


def test_interval_of_an_error_is_positive() -> None:
    low, high = bounded_interval(0.1, 0.3, best=None)
    assert 0 < low < 0.1 < high


def test_mean_covers_sources_only_where_predictions_are_known() -> None:
    rows = Crossed(arms=1).rows(Stream("means").generator())
    found = mean_scores(rows, SETTINGS, pooled_variance(rows, SETTINGS))
    assert [score.covers_sources for score in found] == [True] * 5
    unknown = as_row(np.ones((2, 8)), (2,) * 4, "network", "real")
    unknown._scores.clear()
    (alone,) = mean_scores([unknown], SETTINGS, None)
    assert not alone.covers_sources


def test_splits_that_agree_by_luck_leave_room_for_others() -> None:
    """One row has the same score on each of its three splits; the other two show how far splits scatter."""
    rows = []
    for name, wrong in (("lucky", (2, 2, 2)), ("b", (1, 2, 4)), ("c", (0, 3, 2))):
        right = np.ones((3, 20))
        for seed, count in enumerate(wrong):
            right[seed, :count] = 0
        row = as_row(right, (10, 10), name, "real")
        seeds = {}
        for seed, result in row.seeds.items():
            assert result.sums is not None
            sources = tuple(f"split {seed}, {source}" for source in result.sums.sources)
            sums = replace(result.sums, sources=sources)
            seeds[seed] = replace(result, sums=sums, image_sources=sources)
        rows.append(replace(row, seeds=seeds, n_train=60))
    lucky, other, _ = mean_scores(rows, SETTINGS, pooled_variance(rows, SETTINGS))
    assert lucky.low is not None
    assert other.low is not None
    assert lucky.low < lucky.value - 2
    (alone,) = mean_scores(rows[:1], SETTINGS, None)
    assert (alone.low, alone.high) == (None, None)


def test_corrected_interval_agrees_with_the_verdict() -> None:
    """Over many tables: better and worse exclude zero, undecided includes it."""
    generator = Stream("agreement of intervals").generator()
    seen = set()
    for world in (Crossed(networks=4, arms=1), Crossed(networks=4, arms=2, gain=(0.0, 0.5))):
        for _ in range(10):
            for table in tables(world.rows(generator)) if world.arms > 1 else ():
                for row in table.rows:
                    assert row.low_adjusted is not None
                    assert row.high_adjusted is not None
                    outside = row.low_adjusted >= 0 or row.high_adjusted <= 0
                    assert outside == (row.verdict in {"better", "worse"})
                    seen.add(row.verdict)
    assert {"better", "undecided"} <= seen


def test_corrected_interval_is_cut_where_the_verdict_excludes_values() -> None:
    variance = VarianceComponents(n=3, seeds=3.0, pooled_degrees_of_freedom=10.0)
    low, high = adjusted_interval(-3.0, variance, "worse", tests=10)
    assert [low, high] == pytest.approx([-6.58, 0.0], abs=0.01)
    assert adjusted_interval(0.1, variance, "equivalent", tests=10, margin=1.0) == (-1.0, 1.0)
    alone = adjusted_interval(3.0, variance, "undecided", tests=1)
    assert list(alone) == pytest.approx([3.0 - variance.half_width(0.05), 3.0 + variance.half_width(0.05)])


def test_ranks_are_ranges_where_networks_are_not_told_apart() -> None:
    better = [_verdict("a", "c", "better"), _verdict("d", "b", "worse"), _verdict("a", "b", "undecided")]
    found = rank_ranges(["a", "b", "c", "d"], better)
    assert {name: str(ranks) for name, ranks in found.items()} == {"a": "1-3", "b": "1-3", "c": "2-4", "d": "2-4"}
    assert rank_ranges(["a"], better) == {"a": RankRange(first=1, last=1)}


def _verdict(first: str, second: str, verdict: Verdict) -> Comparison:
    world = Crossed(networks=2, arms=2)
    row = tables(world.rows(Stream("verdict").generator()))[1].rows[0]
    sides = (replace(row.first, network=first), replace(row.second, network=second))
    return replace(row, first=sides[0], second=sides[1], verdict=verdict)


COVERAGE = {
    "3 seeds": Crossed(arms=1),
    "2 seeds": Crossed(arms=1, seeds=2),
    "5 seeds": Crossed(arms=1, seeds=5),
    "10 seeds": Crossed(arms=1, seeds=10),
    "30 seeds": Crossed(arms=1, seeds=30),
    "luck 0.6": Crossed(arms=1, luck=0.6),
    "20 sources": Crossed(arms=1, classes=(5,) * 4),
    "40 sources": Crossed(arms=1, classes=(10,) * 4),
    "classes of 150, 40, 7 and 3": Crossed(arms=1, classes=(150, 40, 7, 3)),
    "one network": Crossed(networks=1, arms=1),
    "99 % correct": Crossed(arms=1, ability=4.0),
}


@pytest.mark.statistics
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", COVERAGE)
def test_intervals_of_means_cover_new_galaxies(name: str) -> None:
    covered, _, _ = coverage(COVERAGE[name], STUDIES)
    assert covered >= 0.95 - 0.01 - 2 * np.sqrt(0.05 * 0.95 / STUDIES)
