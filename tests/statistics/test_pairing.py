"""Mean differences with the interval that predictions and splits allow, against numbers put together by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarker.statistics.network_results import NetworkResults
from benchmarker.statistics.paired import (
    MeanDifference,
    agreement_variance,
    overlapping_splits_t,
    paired_t,
    seeds_and_sources,
)
from benchmarker.statistics.pairing import PairedDifference, paired_difference, pooled_variance
from benchmarker.statistics.pooling import PooledVariance
from tests.statistics.rows import ACCURACY, SOURCES, TRUTH, guesses, network, plain, run, settings, skilled
from tests.study.material import cell_spec


def bounds(found: MeanDifference | None) -> Any:
    assert found is not None
    return pytest.approx((found.value, found.low, found.high, found.p))


def of(paired: PairedDifference) -> tuple[float, float, float, float]:
    assert paired.estimate is not None
    return paired.estimate.value, paired.estimate.low, paired.estimate.high, paired.estimate.p


def by_hand(first: NetworkResults, second: NetworkResults, metric: str = ACCURACY, index: int | None = None) -> Any:
    differences, left_out = [], []
    for seed in sorted(set(first.seeds) & set(second.seeds)):
        one, other = first.score(seed, metric, index), second.score(seed, metric, index)
        assert one is not None
        assert other is not None
        differences.append(one.value - other.value)
        left_out.append(one.left_out - other.left_out)
    return seeds_and_sources(differences, np.array(left_out), strata=TRUTH, level=0.9)


def test_shared_seeds_are_paired_in_ascending_order() -> None:
    found = paired_difference(
        plain("a", {9: 80.0, 1: 70.0, 4: 75.0}), plain("b", {4: 70.0, 9: 73.0, 7: 1.0, 1: 69.0}), settings()
    )
    assert (found.seeds, found.differences) == ((1, 4, 9), (1.0, 5.0, 7.0))
    assert found.method == "seeds alone"
    assert of(found) == bounds(paired_t([1, 5, 7], 0.9))
    assert [text for text in found.caveats if "predictions" in text] == list(found.caveats)


def test_two_seeds_have_an_interval_and_one_has_none() -> None:
    two = paired_difference(plain("a", {1: 3.0, 2: 5.0}), plain("b", {1: 1.0, 2: 0.0}), settings())
    assert of(two) == bounds(paired_t([2, 5], 0.9))
    one = paired_difference(plain("a", {1: 3.0, 2: 5.0}), plain("b", {1: 1.0}), settings())
    assert one == PairedDifference(seeds=(1,), differences=(2.0,))
    none = paired_difference(plain("a", {1: 3.0}), plain("b", {2: 1.0}), settings())
    assert none == PairedDifference(seeds=(), differences=())


def test_equal_differences_are_an_accident_unless_they_are_zero() -> None:
    equal = paired_difference(plain("a", {1: 3.0, 2: 5.0}), plain("b", {1: 2.0, 2: 4.0}), settings())
    assert equal.estimate is None
    assert "all 2 seeds" in equal.caveats[0]
    assert "predictions" in equal.caveats[1]
    zero = paired_difference(plain("a", {1: 3.0, 2: 5.0}), plain("b", {1: 3.0, 2: 5.0}), settings())
    assert zero.estimate is not None
    assert zero.estimate.value == 0


def test_predictions_on_one_test_part_make_seeds_and_sources_random() -> None:
    first, second = skilled("a", 0.9), skilled("b", 0.6)
    found = paired_difference(first, second, settings())
    assert (found.method, found.caveats) == ("seeds and sources", ())
    assert of(found) == bounds(by_hand(first, second))
    assert found.agreement == pytest.approx(agreement_variance(TRUTH, 100.0))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_class_is_compared_by_its_recall(index: int) -> None:
    first, second = skilled("a", 0.9), skilled("b", 0.5)
    found = paired_difference(first, second, settings(), index)
    assert of(found) == bounds(by_hand(first, second, "recall", index))
    assert found.agreement == pytest.approx(agreement_variance(TRUTH, 100.0, index))
    right = [np.mean(guesses("a", seed, 0.9)[index == TRUTH] == index) for seed in (1, 2, 3)]
    wrong = [np.mean(guesses("b", seed, 0.5)[index == TRUTH] == index) for seed in (1, 2, 3)]
    assert found.differences == pytest.approx([100 * (a - b) for a, b in zip(right, wrong, strict=True)])


def test_class_is_compared_by_its_recall_whatever_the_overall_metric() -> None:
    first, second = skilled("a", 0.9), skilled("b", 0.5)
    other = settings(metric="macro_f1")
    assert paired_difference(first, second, other, 1) == paired_difference(first, second, settings(), 1)
    pools = [pooled_variance(ROWS, chosen, 1) for chosen in (other, settings())]
    assert pools[0] is not None
    assert pools[1] is not None
    assert pools[0].pair("a/real", "b/real") == pools[1].pair("a/real", "b/real")


def test_metric_that_is_no_mean_over_classes_has_no_least_variance() -> None:
    found = paired_difference(skilled("a", 0.9), skilled("b", 0.6), settings(metric="accuracy"))
    assert found.method == "seeds and sources"
    assert found.agreement == 0


def test_runs_of_the_same_cells_cannot_differ_anywhere() -> None:
    specs = {seed: cell_spec(seed=seed) for seed in (1, 2, 3)}
    ours = network("a", {seed: run(guesses("a", seed, 0.8), spec=specs[seed]) for seed in specs})
    assert paired_difference(ours, ours, settings()).agreement == 0
    other = network("a", {seed: run(guesses("a", seed, 0.8), spec=cell_spec(seed=seed + 3)) for seed in specs})
    assert paired_difference(ours, other, settings()).agreement > 0
    partly = dict(ours.seeds) | {2: replace(ours.seeds[2], spec=None)}
    assert paired_difference(network("a", partly), ours, settings()).agreement > 0


def test_predictions_of_one_seed_missing_leave_seeds_alone() -> None:
    first, second = skilled("a", 0.9), skilled("b", 0.6)
    seeds = dict(second.seeds) | {2: replace(second.seeds[2], sums=None)}
    for sides in ((first, network("b", seeds)), (network("b", seeds), first)):
        found = paired_difference(*sides, settings())
        assert found.method == "seeds alone"
        assert of(found) == bounds(paired_t(found.differences, 0.9))
        assert "predictions could not be used" in found.caveats[-1]


def test_sides_with_different_test_sources_share_their_seeds_only() -> None:
    others = tuple(f"other {k:02d}" for k in range(30))
    second = network("b", {seed: run(guesses("b", seed, 0.6), others) for seed in (1, 2, 3)})
    found = paired_difference(skilled("a", 0.9), second, settings())
    assert found.method == "seeds alone"
    assert "different sources" in found.caveats[-1]
    assert of(found) == bounds(paired_t(found.differences, 0.9))


def test_splits_drawn_for_each_seed_overlap() -> None:
    def split(name: str, skill: float, **facts: Any) -> NetworkResults:
        parts = {seed: tuple(f"source {k + 5 * seed:02d}" for k in range(30)) for seed in (1, 2, 3)}
        return network(name, {seed: run(guesses(name, seed, skill), parts[seed]) for seed in parts}, **facts)

    for n_train in (60, 0):
        found = paired_difference(split("a", 0.9, n_train=n_train), split("b", 0.6, n_train=7), settings())
        assert found.method == "seeds, overlapping splits"
        expected = overlapping_splits_t(found.differences, n_test=30, n_train=n_train or 1, level=0.9)
        assert of(found) == bounds(expected)


def test_networks_that_are_right_on_the_same_sources_have_no_variance() -> None:
    """The images that they call wrong differ, but no source and no class does."""
    twice = (*SOURCES, *SOURCES)
    truth = np.concatenate([TRUTH, TRUTH])
    early, late = truth.copy(), truth.copy()
    early[0], late[30] = 1, 1  # the same source, another of its two images
    first = network("a", {seed: run(early, twice, truth) for seed in (1, 2, 3)})
    second = network("b", {seed: run(late, twice, truth) for seed in (1, 2, 3)})
    found = paired_difference(first, second, settings())
    assert found.estimate is None
    assert "right on the same sources under all 3 seeds" in found.caveats[0]
    same = paired_difference(first, first, settings())
    assert same.estimate is not None
    assert of(same)[:3] == (0, 0, 0)
    blind = network("b", {seed: replace(one, correct=None) for seed, one in first.seeds.items()})
    assert paired_difference(first, blind, settings()).estimate is None
    assert paired_difference(blind, first, settings()).estimate is None


def test_class_of_a_single_source_has_no_variance() -> None:
    truth = np.array([0] * 14 + [1] * 15 + [2])
    first, second = (
        network(name, {seed: run(guesses(name, seed, skill, truth), truth=truth) for seed in (1, 2, 3)})
        for name, skill in (("a", 0.9), ("b", 0.5))
    )
    found = paired_difference(first, second, settings())
    assert found.estimate is None
    (caveat,) = found.caveats
    assert "shows FRII," in caveat
    assert paired_difference(first, second, settings(), 0).estimate is not None
    assert paired_difference(first, second, settings(metric="accuracy")).estimate is not None


ROWS = [skilled("a", 0.9), skilled("b", 0.6), skilled("c", 0.7), skilled("d", 0.5)]


def test_variance_over_seeds_is_that_of_the_table() -> None:
    pool = pooled_variance(ROWS, settings())
    assert pool is not None
    assert set(pool.names) == {row.label for row in ROWS}
    found = paired_difference(ROWS[0], ROWS[1], settings(), pool=pool)
    alone = paired_difference(ROWS[0], ROWS[1], settings())
    assert found.method == "pooled seeds and sources"
    assert found.estimate is not None
    assert alone.estimate is not None
    shared = pool.pair("a/real", "b/real")
    components = replace(
        alone.estimate.components, seeds=shared.value, pooled_degrees_of_freedom=shared.degrees_of_freedom
    )
    assert of(found) == bounds(MeanDifference.of(alone.estimate.value, components, 0.9))
    assert found.agreement == alone.agreement


def test_row_outside_the_table_is_judged_by_its_own_variance() -> None:
    pool = pooled_variance(ROWS[:3], settings())
    assert pool is not None
    for pair in ((ROWS[3], ROWS[0]), (ROWS[0], ROWS[3])):
        found = paired_difference(*pair, settings(), pool=pool)
        assert found == paired_difference(*pair, settings())


@pytest.mark.parametrize("own_splits", [None, False, True])
def test_rows_are_paired_by_seed_where_every_seed_has_a_split_of_its_own(own_splits: bool | None) -> None:
    """A split that is harder for one is harder for all, which pairs of one test part do not share."""
    rows = []
    for name, skill in (("a", 0.9), ("b", 0.6), ("c", 0.7), ("d", 0.5)):
        if own_splits is None:
            rows.append(plain(name, {seed: row_value(name, seed, skill) for seed in (1, 2, 3)}))
        else:
            parts = {seed: tuple(f"source {k + 5 * seed * own_splits:02d}" for k in range(30)) for seed in (1, 2, 3)}
            rows.append(network(name, {seed: run(guesses(name, seed, skill), parts[seed]) for seed in parts}))
    pool = pooled_variance(rows, settings())
    direct = PooledVariance({row.label: row.values for row in rows}, paired=bool(own_splits))
    assert pool is not None
    assert pool.pair("a/real", "b/real") == direct.pair("a/real", "b/real")
    other = PooledVariance({row.label: row.values for row in rows}, paired=not own_splits)
    assert pool.pair("a/real", "b/real") != other.pair("a/real", "b/real")


def row_value(name: str, seed: int, skill: float) -> float:
    return run(guesses(name, seed, skill)).value


def test_table_of_two_rows_shares_no_variance() -> None:
    assert pooled_variance(ROWS[:2], settings()) is None


@pytest.mark.parametrize("index", [None, 1])
def test_shared_variance_is_that_of_the_values_compared(index: int | None) -> None:
    pool = pooled_variance(ROWS, settings(), index)
    assert pool is not None
    metric = ACCURACY if index is None else "recall"
    rows = [[row.value(seed, metric, index) for seed in row.seeds] for row in ROWS]
    variances = [float(np.var(np.array(row, dtype=float), ddof=1)) for row in rows]
    found = pool.pair("a/real", "b/real")
    assert not found.own
    assert min(variances) < found.value / 2 < max(variances)


def test_row_that_varies_much_more_is_named() -> None:
    wild = network("w", {seed: run(guesses("w", seed, skill)) for seed, skill in ((1, 0.1), (2, 0.99), (3, 0.5))})
    steady = [
        network(name, {seed: run(np.where(np.arange(30) == seed + shift, 0, TRUTH)) for seed in (1, 2, 3)})
        for shift, name in enumerate(("e", "f", "g", "h", "i"))
    ]
    pool = pooled_variance([wild, *steady], settings())
    assert pool is not None
    found = paired_difference(wild, steady[0], settings(), pool=pool)
    assert found.caveats[-1].startswith("w/real varies over seeds more")
