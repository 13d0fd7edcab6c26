"""Intervals of ensembles hold for other test sources, as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarker import (
    Classification,
    Combination,
    Ensemble,
    LeaderboardRow,
    Predictions,
    Regression,
    RegressionTarget,
    Stream,
    ensemble_gain,
    ensemble_interval,
)
from benchmarker.results.ensembles import Member

CLASSES = ("FRI", "FRII")
TASK = Classification(classes=CLASSES)
METRIC = "mean_per_class_accuracy"
REPEATS = 200
COVERED = (0.89, 0.99)
"""Four standard errors of the share around 95 % are 0.06."""


def row() -> LeaderboardRow:
    """The row of an ensemble over three seeds."""
    combination = Combination(rule="average", over="seeds", size=3, planned=3, network="mcrgnet")
    return LeaderboardRow(
        rank=None, model="mcrgnet", architecture="mcrgnet", arm="real", checkpoint="best", variant="",
        backend="tensorflow", precision="float32", n=1, planned=1, metrics={}, costs={}, ensemble=combination,
    )  # fmt: skip


def predictions(right: np.ndarray) -> Predictions:
    """Predictions of two classes in turn, right where they are said to be."""
    truth = np.arange(right.size) % 2
    called = np.where(right, truth, 1 - truth)
    return Predictions(
        source_ids=tuple(f"source {k:04}" for k in range(right.size)),
        images=np.arange(right.size),
        classes=CLASSES,
        truth=truth,
        values=np.eye(2)[called],
    )


def ensemble(combined: Predictions, members: tuple[Predictions, ...]) -> Ensemble:
    """An ensemble with the given predictions."""
    made = tuple(Member(row=row(), cell=None, predictions=each) for each in members)  # type: ignore[arg-type]
    return Ensemble(row=row(), combined={1: combined}, members={1: made})


def test_interval_of_an_ensemble_covers_its_accuracy_on_other_sources() -> None:
    draws = Stream("test-ensemble-coverage").generator()
    chance = np.where(np.arange(200) % 2 == 0, 0.9, 0.7)
    covered = 0
    for _ in range(REPEATS):
        found = ensemble_interval(ensemble(predictions(draws.random(200) < chance), ()), TASK, METRIC)
        assert found is not None
        covered += found.low <= 80.0 <= found.high
    assert COVERED[0] <= covered / REPEATS <= COVERED[1]


def test_interval_of_an_ensemble_with_equal_scores_under_all_seeds_covers_other_sources() -> None:
    """Under three seeds other sources are wrong, but as many: no spread over seeds is no certainty."""
    right = [np.roll(np.arange(40) % 10 > 1, 10 * k) for k in range(3)]
    one = ensemble(predictions(right[0]), ())
    several = Ensemble(row=row(), combined={k: predictions(each) for k, each in enumerate(right)}, members={})
    found = ensemble_interval(several, TASK, METRIC)
    assert found is not None
    assert found.value == pytest.approx(80.0)
    assert found.low < 75
    assert found.high > 85
    alone = ensemble_interval(one, TASK, METRIC)
    assert alone is not None
    assert found.high - found.low <= alone.high - alone.low + 1e-9


def test_interval_of_an_ensemble_stays_within_the_limits_of_the_metric() -> None:
    found = ensemble_interval(ensemble(predictions(np.arange(40) != 7), ()), TASK, METRIC)
    assert found is not None
    assert found.low < 97.5 < found.high <= 100
    task = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),))
    truth = np.linspace(45, 90, 20)[:, None]
    table = Predictions(
        source_ids=tuple(f"pgc{k:03}" for k in range(20)), images=np.arange(20), classes=(), truth=truth,
        values=truth + (np.arange(20) == 3)[:, None] * 5.0,
    )  # fmt: skip
    error = ensemble_interval(ensemble(table, ()), task, "mean_absolute_error")
    assert error is not None
    assert 0 <= error.low < error.value < error.high


def test_gain_of_an_ensemble_covers_its_difference_on_other_sources() -> None:
    draws = Stream("test-ensemble-gain").generator()
    covered = 0
    for _ in range(REPEATS):
        hard = draws.random(200) < 0.5  # sources that all find hard, so that ensemble and members err together
        members = tuple(predictions(draws.random(200) < np.where(hard, 0.6, 0.95)) for _ in range(3))
        combined = predictions(draws.random(200) < np.where(hard, 0.7, 0.97))
        found = ensemble_gain(ensemble(combined, members), TASK, METRIC)
        assert found is not None
        covered += found.low <= 100 * (0.5 * 0.1 + 0.5 * 0.02) <= found.high
    assert COVERED[0] <= covered / REPEATS <= COVERED[1]


def test_metrics_without_a_jackknife_have_no_interval() -> None:
    made = ensemble(predictions(np.arange(40) % 5 > 0), ())
    assert ensemble_interval(made, TASK, "loss") is None
    assert ensemble_interval(made, TASK, "median_absolute_error") is None


def test_ensemble_without_errors_has_no_interval() -> None:
    assert ensemble_interval(ensemble(predictions(np.ones(40, dtype=bool)), ()), TASK, METRIC) is None


def test_interval_of_a_regression_is_that_of_a_mean() -> None:
    task = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),))
    errors = Stream("test-ensemble-regression").generator().normal(0, 3, 100)
    truth = np.linspace(45, 90, 100)[:, None]
    table = Predictions(
        source_ids=tuple(f"pgc{k:03}" for k in range(100)), images=np.arange(100), classes=(), truth=truth,
        values=truth + errors[:, None],
    )  # fmt: skip
    found = ensemble_interval(ensemble(table, ()), task, "mean_absolute_error")
    assert found is not None
    assert found.value == pytest.approx(np.abs(errors).mean())
    half = 1.9842 * np.abs(errors).std(ddof=1) / 10
    assert found.high == pytest.approx(found.value * np.exp(half / found.value), rel=1e-4)  # as for networks
