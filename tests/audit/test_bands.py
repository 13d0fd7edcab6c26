"""Bands of the metrics are wide enough for another rounding, and too narrow for another network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import Classification, Regression, RegressionTarget, Stream
from benchmarker.audit.bands import compare_metrics, standard_errors
from benchmarker.results.tables import Predictions

TASK = Classification(classes=("FRI", "FRII"))


def predictions(right: NDArray[np.bool_], images_of_a_source: int = 1) -> Predictions:
    n = len(right)
    targets = np.arange(n) % 2
    chosen = np.where(right, targets, 1 - targets)
    return Predictions(
        source_ids=tuple(f"s{k // images_of_a_source}" for k in range(n)),
        images=np.arange(n),
        classes=TASK.classes,
        truth=targets,
        values=np.eye(2)[chosen] * 0.8 + 0.1,
    )


def with_accuracy(accuracy: float, n: int = 200, **options: Any) -> Predictions:
    draws = Stream("right", accuracy=accuracy).generator().permutation(n)
    return predictions(draws < accuracy * n, **options)


def compared(one: Predictions, other: Predictions) -> dict[str, bool]:
    return {each.metric: each.within for each in compare_metrics(TASK, "best", one, other)}


def test_the_band_is_two_standard_errors_of_a_proportion() -> None:
    recorded = with_accuracy(0.9)
    (accuracy,) = [each for each in compare_metrics(TASK, "best", recorded, recorded) if each.metric == "accuracy"]
    assert accuracy.band == pytest.approx(2 * np.sqrt(0.9 * 0.1 / 200), rel=0.15)
    assert accuracy.within


def test_close_predictions_reproduce_and_others_do_not() -> None:
    assert all(compared(with_accuracy(0.9), with_accuracy(0.89)).values())
    far = compared(with_accuracy(0.9), with_accuracy(0.8))
    assert not far["accuracy"]
    assert not far["mean_per_class_accuracy"]


def test_one_wrong_answer_is_allowed_where_all_were_right() -> None:
    everything = predictions(np.ones(200, dtype=bool))
    one_wrong = predictions(np.arange(200) != 17)
    assert all(compared(everything, one_wrong).values())
    assert not compared(everything, with_accuracy(0.95))["accuracy"]


def test_images_of_one_source_are_not_independent() -> None:
    right = np.repeat(np.arange(50) % 5 != 0, 4)
    independent = standard_errors(TASK, predictions(right), predictions(right))
    together = standard_errors(TASK, predictions(right, 4), predictions(right, 4))
    assert together["accuracy"] > 1.5 * independent["accuracy"]


def test_bands_are_the_same_every_time() -> None:
    one, other = with_accuracy(0.9), with_accuracy(0.85)
    assert compare_metrics(TASK, "best", one, other) == compare_metrics(TASK, "best", one, other)


def test_a_regression_has_bands() -> None:
    task = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=0, maximum=90),))
    draws = Stream("regression").generator()
    targets = draws.uniform(0, 90, (100, 1))
    one, shifted = (
        Predictions(
            source_ids=tuple(map(str, range(100))),
            images=np.arange(100),
            classes=(),
            truth=targets,
            values=targets + draws.normal(shift, 5, (100, 1)),
        )
        for shift in (0, 8)
    )
    within = {each.metric: each.within for each in compare_metrics(task, "best", one, shifted)}
    assert not within["mean_absolute_error"]
    assert not within["bias"]
    assert all(each.within for each in compare_metrics(task, "best", one, one))


def test_predictions_of_different_images_are_refused() -> None:
    with pytest.raises(ValueError, match="different images"):
        compare_metrics(TASK, "best", with_accuracy(0.9), with_accuracy(0.9, n=100))
