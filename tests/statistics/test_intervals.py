"""Means and confidence intervals against scipy and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from benchmarker import Stream
from benchmarker.statistics.intervals import (
    bca_interval,
    hierarchical_bootstrap,
    interquartile_mean,
    mean,
    standard_deviation,
    t_interval,
    wilson_interval,
)

VALUES = Stream("statistics test").generator().normal(80, 3, 12)


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


@pytest.mark.parametrize(("share", "n"), [(0.765, 200), (0.0, 5), (1.0, 30)])
def test_wilson_interval_is_that_of_statsmodels(share: float, n: int) -> None:
    interval = wilson_interval(share, n, 0.9)
    expected = proportion_confint(round(share * n), n, alpha=0.1, method="wilson")
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-12)
