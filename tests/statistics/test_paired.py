"""Paired differences and their variance components against scipy and analysis of variance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from benchmarker import Stream
from benchmarker.statistics.paired import (
    MeanDifference,
    VarianceComponents,
    jackknife_covariance,
    overlapping_splits_t,
    paired_t,
    seeds_and_sources,
    variance_components,
)

VALUES = Stream("statistics test").generator().normal(80, 3, 12)
OTHERS = VALUES + Stream("other statistics test").generator().normal(0.8, 1, 12)


def known(difference: MeanDifference | None) -> MeanDifference:
    assert difference is not None
    return difference


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
    assert ours.components.standard_error == pytest.approx(abs(differences.mean() / t))
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
    found = variance_components(table.mean(axis=1), left_out(table))
    assert found is not None
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
    assert found.components.seeds == pytest.approx(0, abs=1e-20)
    assert found.high - found.low > 2 * 1.96 * math.sqrt(found.components.floor / 3 + found.components.sources)


def test_an_interval_contains_what_it_is_about() -> None:
    found = MeanDifference.of(1.0, VarianceComponents(n=3, seeds=0.0), 0.95)
    assert (found.low, found.high, found.p) == (1.0, 1.0, 0.0)
    assert MeanDifference.of(0.0, VarianceComponents(n=3, seeds=1.0), 0.95).p == 1
