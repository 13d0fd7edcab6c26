"""Comparisons of cross-validated networks: folds share training sources, and the variance reckons with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarker import Stream, overlapping_splits_t
from benchmarker.statistics.comparing import compare_pair
from benchmarker.statistics.pairing import pooled_variance
from tests.statistics.crossed import SETTINGS
from tests.statistics.folds import (
    classifiers_on_own_splits,
    false_verdicts,
    networks_on_own_splits,
    on_one_test_part,
    rates,
    study,
)

STUDIES = 1000
TOLERATED = 0.06


def test_folds_are_compared_with_the_corrected_variance() -> None:
    """Five folds x three seeds by hand: s² (1/15 + 40/160) and Student's t with 14 degrees of freedom."""
    first, second = study(2, 3, 5, 50, Stream("corrected variance of folds").generator())
    found = compare_pair(first, second, SETTINGS)
    assert found.method == "seeds, overlapping splits"
    assert found.n == 15
    by_hand = np.array([first.seeds[seed].value - second.seeds[seed].value for seed in found.seeds])
    assert found.standard_error == pytest.approx(np.sqrt(by_hand.var(ddof=1) * (1 / 15 + 40 / 160)))
    assert found.degrees_of_freedom == 14
    expected = overlapping_splits_t(by_hand, n_test=40, n_train=160)
    assert expected is not None
    assert found.p == pytest.approx(expected.p)


def test_folds_with_a_test_part_in_common_vary_with_test_sources_too() -> None:
    """By hand: s² (1/15 + 40/160) + c, with the variance c of the test sources as on any test part in common."""
    first, second = study(2, 3, 5, 50, Stream("corrected variance of folds").generator(), common=50)
    found = compare_pair(first, second, SETTINGS)
    assert (found.method, found.n, found.n_sources) == ("folds and sources", 15, 200)
    alone = compare_pair(replace(first, held_out=0), replace(second, held_out=0), SETTINGS)
    assert alone.method == "seeds and sources"
    assert found.variance is not None
    assert alone.variance is not None
    by_hand = np.array(found.differences).var(ddof=1) * (1 / 15 + 40 / 160) + alone.variance.sources
    assert found.standard_error == pytest.approx(np.sqrt(by_hand))
    rows = study(3, 1, 5, 20, Stream("pooled folds").generator(), common=20)
    pooled = compare_pair(rows[0], rows[1], SETTINGS, pool=pooled_variance(rows, SETTINGS))
    assert pooled.method == "pooled folds and sources"
    assert pooled.variance is not None
    assert pooled.variance.overlap == pytest.approx(1 / 4)


@pytest.mark.statistics
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("networks", "seeds", "size", "common"),
    [(2, 1, 50, 50), (2, 3, 50, 50), (5, 3, 50, 50), (2, 3, 10, 50), (2, 1, 50, 400)],
)
def test_false_verdicts_of_folds_with_a_test_part_in_common(networks: int, seeds: int, size: int, common: int) -> None:
    tables, pairs = false_verdicts(networks, seeds, 5, size, STUDIES, common=common)
    slack = 2 * np.sqrt(TOLERATED * (1 - TOLERATED) / STUDIES)
    assert tables <= TOLERATED + slack
    assert pairs <= TOLERATED + slack  # the same as tables where there are two networks


@pytest.mark.statistics
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("networks", "luck", "spread"), [(2, 0.3, 0.0), (5, 0.1, 0.1)])
def test_false_verdicts_of_networks_equal_on_these_training_sources(networks: int, luck: float, spread: float) -> None:
    generator = Stream("equal networks on one test part", world=[networks, 3, luck, spread]).generator()
    tables, _ = rates(lambda: on_one_test_part(networks, 3, generator, luck=luck, spread=spread), STUDIES)
    assert tables <= TOLERATED


@pytest.mark.statistics
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("networks", "seeds", "folds", "size"), [(2, 1, 5, 50), (2, 3, 5, 50), (5, 3, 5, 50), (5, 3, 10, 50), (2, 3, 5, 10)]
)
def test_false_verdicts_of_folds(networks: int, seeds: int, folds: int, size: int) -> None:
    tables, pairs = false_verdicts(networks, seeds, folds, size, STUDIES)
    slack = 2 * np.sqrt(TOLERATED * (1 - TOLERATED) / STUDIES)  # the error of a simulated rate
    assert tables <= TOLERATED + slack
    assert pairs <= TOLERATED


OWN_SPLITS = {
    "two networks": ((0.1,) * 2, 3, 250, 0.0),
    "two networks, 10 seeds": ((0.1,) * 2, 10, 250, 0.0),
    "five networks": ((0.1,) * 5, 3, 250, 0.0),
    "five networks, 20 test sources": ((0.1,) * 5, 3, 25, 0.0),
    "five networks, 20 test sources, 10 seeds": ((0.1,) * 5, 10, 25, 0.0),
    "luck 0.6": ((0.6,) * 5, 3, 250, 0.0),
    "one of five spreads fourfold": ((0.1,) * 4 + (0.4,), 3, 250, 0.0),
    "luck shared by all networks of a seed": ((0.1,) * 5, 3, 250, 0.3),
}


@pytest.mark.statistics
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", OWN_SPLITS)
def test_false_verdicts_of_networks_where_each_seed_has_its_own_split(name: str) -> None:
    luck, seeds, size, shared = OWN_SPLITS[name]
    generator = Stream("own splits", world=[name]).generator()
    tables, pairs = rates(lambda: networks_on_own_splits(luck, seeds, size, generator, shared=shared), STUDIES)
    slack = 2 * np.sqrt(TOLERATED * (1 - TOLERATED) / STUDIES)  # the error of a simulated rate
    assert tables <= TOLERATED + slack
    assert pairs <= TOLERATED


@pytest.mark.statistics
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("networks", "seeds", "size"), [(2, 3, 50), (2, 10, 50), (5, 3, 50), (5, 5, 250), (5, 10, 50), (2, 3, 10)]
)
def test_false_verdicts_of_classifiers_trained_on_a_split_of_each_seed(networks: int, seeds: int, size: int) -> None:
    generator = Stream("classifiers on own splits", size=[networks, seeds, size]).generator()
    tables, pairs = rates(lambda: classifiers_on_own_splits(networks, seeds, size, generator), STUDIES)
    slack = 2 * np.sqrt(TOLERATED * (1 - TOLERATED) / STUDIES)
    assert tables <= TOLERATED + slack
    assert pairs <= TOLERATED + slack  # the same as tables where there are two networks


def test_each_seed_of_an_own_split_tests_a_fifth_of_each_class() -> None:
    rows = networks_on_own_splits((0.1, 0.1), 2, 10, Stream("a fifth").generator(), shared=0.0)
    tested = [row.sums(seed) for row in rows for seed in row.seeds]
    sources = [sums.sources for sums in tested if sums is not None]
    assert [len(each) for each in sources] == [8] * 4
    assert sources[0] == sources[2] != sources[1]
    assert rows[0].n_train == 24
    assert compare_pair(rows[0], rows[1], SETTINGS).method == "seeds, overlapping splits"
