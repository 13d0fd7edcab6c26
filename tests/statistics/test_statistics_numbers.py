"""Means, intervals, paired differences and corrections against independent implementations."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from benchmarker import Stream
from benchmarker.statistics.caveats import few_seeds, no_spread, smallest_signed_rank_p, too_few_for_correction
from benchmarker.statistics.corrections import holm
from benchmarker.statistics.equivalence import equivalence_p, verdict
from benchmarker.statistics.intervals import bca_interval, hierarchical_bootstrap, t_interval
from benchmarker.statistics.mcnemar import pooled_mcnemar
from benchmarker.statistics.paired import (
    MeanDifference,
    Spread,
    jackknife_covariance,
    judged,
    overlapping_splits_t,
    paired_t,
    seeds_and_sources,
    spread_of,
)
from benchmarker.statistics.pareto import fronts, pareto_front
from benchmarker.statistics.power import plan, power, seeds_needed, smallest_detectable
from benchmarker.statistics.summaries import interquartile_mean, mean, standard_deviation

VALUES = Stream("statistics test").generator().normal(80, 3, 12)
OTHERS = VALUES + Stream("other statistics test").generator().normal(0.8, 1, 12)


def known(difference: MeanDifference | None) -> MeanDifference:
    assert difference is not None
    return difference


@pytest.mark.parametrize("n", [3, 4, 5, 8, 11])
def test_summaries(n: int) -> None:
    values = VALUES[:n]
    assert mean(values) == pytest.approx(np.mean(values), rel=1e-14)
    assert standard_deviation(values) == pytest.approx(np.std(values, ddof=1), rel=1e-12)
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25), rel=1e-14)
    assert standard_deviation([1.0]) is None


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [[1.0, 2.0]]])
def test_what_is_no_vector_of_numbers_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite numbers"):
        mean(values)


def test_t_interval_is_that_of_scipy() -> None:
    interval = t_interval(VALUES, 0.9)
    low, high = stats.t.interval(0.9, len(VALUES) - 1, loc=VALUES.mean(), scale=stats.sem(VALUES))
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-12)
    assert t_interval([1.0]) is None


def test_bca_interval_is_that_of_scipy() -> None:
    skewed = np.exp(VALUES - 80)
    ours = bca_interval(skewed, resamples=20000)
    theirs = stats.bootstrap((skewed,), np.mean, method="BCa", n_resamples=20000, rng=Stream("scipy").generator())
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours is not None
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.04 * width)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.04 * width)
    assert ours == bca_interval(skewed, resamples=20000)
    assert bca_interval([2.0, 2.0, 2.0]) is None


def test_hierarchical_bootstrap_is_that_of_a_loop() -> None:
    table = (Stream("table").generator().random((5, 60)) < 0.7).astype(float)
    draws = Stream("loop").generator()
    means = [table[np.ix_(draws.integers(5, size=5), draws.integers(60, size=60))].mean() for _ in range(8000)]
    ours = hierarchical_bootstrap(table, resamples=8000)
    assert (ours.low, ours.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.012)
    assert ours == hierarchical_bootstrap(table, resamples=8000)
    assert ours.value == pytest.approx(table.mean())


def test_hierarchical_bootstrap_keeps_the_numbers_of_classes() -> None:
    strata = np.repeat([0, 1], [50, 10])
    table = np.tile(strata.astype(float), (3, 1))
    interval = hierarchical_bootstrap(table, strata=strata, resamples=500)
    assert (interval.value, interval.low, interval.high) == pytest.approx((0.5, 0.5, 0.5))


def test_paired_t_is_that_of_scipy() -> None:
    ours = known(paired_t(OTHERS - VALUES))
    theirs = stats.ttest_rel(OTHERS, VALUES)
    interval = theirs.confidence_interval(0.95)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high), rel=1e-10)
    assert paired_t([1.0]) is None


def test_overlapping_splits_widen_the_interval_as_published() -> None:
    differences = OTHERS - VALUES
    ours = known(overlapping_splits_t(differences, n_test=30, n_train=70))
    t = differences.mean() / math.sqrt((1 / 12 + 30 / 70) * differences.var(ddof=1))
    assert ours.p == pytest.approx(2 * stats.t.sf(abs(t), 11), rel=1e-9)
    assert ours.spread.standard_error == pytest.approx(abs(differences.mean() / t))
    with pytest.raises(ValueError, match="n_train=0"):
        overlapping_splits_t(differences, n_test=3, n_train=0)


def crossed(seeds: int = 4, sources: int = 90) -> np.ndarray:
    draws = Stream("crossed", seeds=seeds).generator()
    return draws.normal(0.3, 1, (seeds, sources)) + draws.normal(0, 1, sources) + draws.normal(0, 0.3, (seeds, 1))


def left_out(table: np.ndarray) -> np.ndarray:
    return np.array([np.delete(table, k, axis=1).mean(axis=1) for k in range(table.shape[1])]).T


def test_variance_is_that_of_a_two_way_analysis_of_variance() -> None:
    table = crossed()
    seeds, sources = table.shape
    rows, columns, grand = table.mean(axis=1, keepdims=True), table.mean(axis=0, keepdims=True), table.mean()
    of_seeds = sources * ((rows - grand) ** 2).sum() / (seeds - 1)
    of_sources = seeds * ((columns - grand) ** 2).sum() / (sources - 1)
    rest = ((table - rows - columns + grand) ** 2).sum() / ((seeds - 1) * (sources - 1))
    found = spread_of(float(table.mean(axis=1).var(ddof=1)), seeds, left_out(table))
    assert found.standard_error**2 == pytest.approx((of_seeds + of_sources - rest) / (seeds * sources), rel=1e-10)
    assert found.floor == pytest.approx(rest / sources, rel=1e-10)
    assert found.sources_degrees_of_freedom == sources - 1


def test_jackknife_within_classes_is_the_formula_of_a_stratified_mean() -> None:
    table, strata = crossed(), np.repeat([0, 1, 2], 30)
    by_class = [table[:, strata == k] for k in range(3)]
    without = np.array(
        [
            np.mean([np.delete(part, k - 30 * c, axis=1).mean(axis=1) if k // 30 == c else part.mean(axis=1)
                     for c, part in enumerate(by_class)], axis=0)
            for k in range(90)
        ]
    ).T  # fmt: skip
    covariance, freedom = jackknife_covariance(without, strata)
    assert covariance == pytest.approx(sum(np.cov(part) / 30 / 9 for part in by_class), rel=1e-9)
    assert freedom == 87


def test_p_and_interval_say_the_same() -> None:
    table = crossed()
    found = known(seeds_and_sources(table.mean(axis=1), left_out(table), level=0.95))
    at = known(seeds_and_sources(table.mean(axis=1), left_out(table), level=1 - found.p))
    assert min(abs(at.low), abs(at.high)) == pytest.approx(0, abs=1e-6)
    assert seeds_and_sources([1.0], [[1.0, 2.0]]) is None


def test_seeds_that_agree_by_luck_do_not_make_an_interval_narrow() -> None:
    table = crossed(3)
    table -= table.mean(axis=1, keepdims=True)
    table += 1
    found = known(seeds_and_sources(table.mean(axis=1), left_out(table)))
    assert found.spread.seeds == pytest.approx(0, abs=1e-20)
    assert found.high - found.low > 2 * 1.96 * math.sqrt(found.spread.floor / 3 + found.spread.sources)


def test_mcnemar_is_that_of_statsmodels() -> None:
    draws = Stream("mcnemar").generator()
    first, second = draws.random((3, 50)) < 0.8, draws.random((3, 50)) < 0.6
    table = [[(first & second).sum(), (first & ~second).sum()], [(~first & second).sum(), (~first & ~second).sum()]]
    ours = pooled_mcnemar(first, second)
    assert ours.p == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue, rel=1e-12)
    assert (ours.first_only, ours.second_only) == (table[0][1], table[1][0])
    assert pooled_mcnemar([True], [True]).p == 1
    with pytest.raises(ValueError, match="same images"):
        pooled_mcnemar([True], [True, False])


def test_holm_is_that_of_statsmodels() -> None:
    p = [0.04, 0.001, 0.03, 0.8, 0.0101, 0.01]
    assert holm([*p, None])[:-1] == pytest.approx(multipletests(p, method="holm")[1].tolist())
    assert holm([0.02, None, 0.5]) == [0.04, None, 0.5]
    assert holm([]) == []
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([1.2])


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_equivalence_is_that_of_statsmodels(margin: float) -> None:
    ours = equivalence_p(known(paired_t(OTHERS - VALUES)), margin)
    assert ours == pytest.approx(ttost_paired(OTHERS, VALUES, -margin, margin)[0], rel=1e-8)


@pytest.mark.parametrize(
    ("difference", "p", "same", "higher", "expected"),
    [
        (2.0, 0.01, 0.9, True, "better"),
        (2.0, 0.01, 0.9, False, "worse"),
        (-2.0, 0.01, 0.9, True, "worse"),
        (-2.0, 0.01, None, False, "better"),
        (0.2, 0.01, 0.01, True, "equivalent"),
        (0.2, 0.3, 0.01, True, "equivalent"),
        (2.0, 0.06, 0.9, True, "undecided"),
        (None, None, None, True, "undecided"),
        (2.0, None, None, True, "undecided"),
    ],
)
def test_verdicts(difference: float | None, p: float | None, same: float | None, higher: bool, expected: str) -> None:
    assert verdict(difference, p, same, higher_is_better=higher) == expected


@pytest.mark.parametrize("n", [3, 5, 12, 40])
def test_power_without_source_variance_is_that_of_statsmodels(n: int) -> None:
    ours = power(1.5, Spread(n=n, seeds=4.0))
    theirs = TTestPower().power(0.75, n, 0.05, alternative="two-sided")
    other_side = TTestPower().power(0.75, n, 0.025, alternative="smaller")
    assert ours == pytest.approx(theirs - other_side, abs=2e-3)


def test_seeds_needed_and_smallest_detectable_agree_with_power() -> None:
    spread = Spread(n=3, seeds=4.0, floor=1.0, sources=0.3, sources_degrees_of_freedom=196)
    n = seeds_needed(2.5, spread)
    assert n is not None
    assert power(2.5, Spread(n=n, seeds=4.0, floor=1.0, sources=0.3, sources_degrees_of_freedom=196)) >= 0.8
    assert power(2.5, Spread(n=n - 1, seeds=4.0, floor=1.0, sources=0.3, sources_degrees_of_freedom=196)) < 0.8
    smallest = smallest_detectable(spread)
    assert smallest is not None
    assert power(smallest, spread) == pytest.approx(0.8, abs=1e-6)
    theirs = TTestPower().solve_power(effect_size=0.75, alpha=0.05, power=0.8, alternative="two-sided")
    assert seeds_needed(1.5, Spread(n=3, seeds=4.0)) == math.ceil(theirs)


def test_a_difference_below_what_test_sources_allow_asks_for_sources() -> None:
    made = plan(1.0, Spread(n=3, seeds=4.0, floor=1.0, sources=1.0, sources_degrees_of_freedom=math.inf))
    assert made.needed is None
    assert made.more is None
    assert made.limit < 0.8
    assert made.sources_factor == pytest.approx((1.959964 + 0.841621) ** 2, rel=1e-5)
    enough = plan(5.0, Spread(n=3, seeds=4.0, floor=1.0, sources=1.0, sources_degrees_of_freedom=math.inf))
    assert enough.needed is not None
    assert enough.needed_high is not None
    assert enough.needed <= enough.needed_high
    assert enough.sources_factor == 1
    with pytest.raises(ValueError, match="positive difference"):
        plan(0, Spread(n=3, seeds=1.0))


def test_guards_in_words() -> None:
    assert few_seeds(3) == "3 seeds: a signed-rank test cannot fall below p = 0.25"
    assert few_seeds(6) is None
    assert str(few_seeds(1)).startswith("1 seed")
    differences = np.array([1.0, 2.0, 3.0])
    assert smallest_signed_rank_p(3) == pytest.approx(stats.wilcoxon(differences).pvalue)
    assert str(too_few_for_correction(3, 30)).startswith("3 seeds and 30 comparisons")
    assert too_few_for_correction(10, 5) is None
    assert no_spread([1.0, 1.0])
    assert no_spread([1.0, 1.1]) is None


def test_pareto_front_is_that_of_all_pairs() -> None:
    values = Stream("pareto").generator().integers(0, 6, (40, 3)).astype(float)
    higher = [True, False, True]
    signed = values * np.where(higher, 1, -1)
    expected = [not any((other >= own).all() and (other > own).any() for other in signed) for own in signed]
    assert pareto_front(values, higher_is_better=higher).tolist() == expected
    frame = pd.DataFrame({"accuracy": [90, 80, 85], "parameters": [10, 5, 20], "flops": [1, 2, math.nan]})
    assert fronts(frame, "accuracy", higher_is_better=True).to_dict("list") == {
        "parameters": [True, True, False],
        "flops": [True, False, False],
    }
    with pytest.raises(ValueError, match="one direction per column"):
        pareto_front(values, higher_is_better=[True])


def test_an_interval_contains_what_it_is_about() -> None:
    found = judged(1.0, Spread(n=3, seeds=0.0), 0.95)
    assert (found.low, found.high, found.p) == (1.0, 1.0, 0.0)
    assert judged(0.0, Spread(n=3, seeds=1.0), 0.95).p == 1
