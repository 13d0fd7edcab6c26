"""Metrics of a classification against numbers worked out by hand."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import Classification, Regression, RegressionTarget
from benchmarker.evaluation import classification, metrics
from benchmarker.evaluation.primary import primary_metric

TASK = Classification(classes=("compact", "FRI", "FRII"))
# True classes and predictions of nine images:
#              compact FRI FRII
#   compact      3      1    0
#   FRI          1      1    1
#   FRII         0      0    2
TRUE = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
PREDICTED = np.array([0, 0, 0, 1, 0, 1, 2, 2, 2])
MATRIX = [[3, 1, 0], [1, 1, 1], [0, 0, 2]]


def _probabilities(predicted: Any, confidence: float = 0.8) -> NDArray[np.float64]:
    found = np.full((len(predicted), 3), (1 - confidence) / 2)
    found[np.arange(len(predicted)), predicted] = confidence
    return found


def test_metrics_by_hand() -> None:
    scores = metrics.scores(TASK, TRUE, _probabilities(PREDICTED))
    recalls = [3 / 4, 1 / 3, 1]
    precisions = [3 / 4, 1 / 2, 2 / 3]
    f1 = [2 * p * r / (p + r) for p, r in zip(precisions, recalls, strict=True)]
    assert scores == pytest.approx(
        {
            "mean_per_class_accuracy": 100 * sum(recalls) / 3,
            "accuracy": 6 / 9,
            "macro_recall": sum(recalls) / 3,
            "macro_precision": sum(precisions) / 3,
            "macro_f1": sum(f1) / 3,
            "loss": -(6 * math.log(0.8) + 3 * math.log(0.1)) / 9,
        }
    )
    assert all(type(value) is float for value in scores.values())


def test_mean_per_class_accuracy_is_the_mean_diagonal_of_the_normalised_confusion_matrix() -> None:
    details = metrics.details(TASK, TRUE, _probabilities(PREDICTED))
    assert details["confusion_matrix"] == MATRIX
    normalised = details["confusion_matrix_normalised"]
    np.testing.assert_allclose(normalised, [[0.75, 0.25, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.0, 0.0, 1.0]])
    scores = metrics.scores(TASK, TRUE, _probabilities(PREDICTED))
    assert scores["mean_per_class_accuracy"] == pytest.approx(100 * np.diag(normalised).mean())
    assert scores["mean_per_class_accuracy"] != pytest.approx(100 * scores["accuracy"])


def test_each_class_has_its_own_row() -> None:
    per_class = metrics.details(TASK, TRUE, _probabilities(PREDICTED))["per_class"]
    assert list(per_class) == ["compact", "FRI", "FRII"]
    assert per_class["FRI"] == pytest.approx({"precision": 1 / 2, "recall": 1 / 3, "f1": 0.4, "support": 3})
    assert per_class["FRII"] == pytest.approx({"precision": 2 / 3, "recall": 1, "f1": 0.8, "support": 2})


@pytest.mark.filterwarnings("error")
def test_a_class_that_the_test_part_lacks_is_left_out_of_the_means() -> None:
    true, predicted = TRUE[:7], PREDICTED[:7]  # no FRII, though one is predicted
    scores = metrics.scores(TASK, true, _probabilities(predicted))
    assert scores["mean_per_class_accuracy"] == pytest.approx(100 * (3 / 4 + 1 / 3) / 2)
    assert scores["macro_precision"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    details = metrics.details(TASK, true, _probabilities(predicted))
    assert details["confusion_matrix"] == [[3, 1, 0], [1, 1, 1], [0, 0, 0]]
    assert details["confusion_matrix_normalised"][2] == [0, 0, 0]
    assert details["per_class"]["FRII"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}


@pytest.mark.filterwarnings("error")
def test_a_class_that_is_never_predicted_counts_as_zero() -> None:
    scores = metrics.scores(TASK, np.array([0, 1, 2]), _probabilities([0, 0, 0]))
    assert scores["mean_per_class_accuracy"] == pytest.approx(100 / 3)
    assert scores["macro_precision"] == pytest.approx(1 / 9)
    assert scores["macro_f1"] == pytest.approx(0.5 / 3)


def test_perfect_predictions() -> None:
    scores = metrics.scores(TASK, TRUE, _probabilities(TRUE, 1.0))
    assert scores == {name: {"mean_per_class_accuracy": 100.0, "loss": 0.0}.get(name, 1.0) for name in scores}


def test_the_loss_stays_finite_for_a_probability_of_zero() -> None:
    scores = classification.scores(np.array([0]), np.array([[0.0, 0.4, 0.6]]))
    assert scores["loss"] == pytest.approx(-math.log(1e-7))


def test_the_loss_is_that_of_keras_also_for_sigmoid_outputs() -> None:
    import keras

    from benchmarker.training.batches import decode_outputs, encode_targets

    outputs = np.array([[0.9, 0.6, 0.3], [0.1, 0.1, 0.7], [0.2, 0.5, 0.4]], dtype=np.float32)
    targets = np.array([0, 1, 2])
    expected = float(keras.losses.CategoricalCrossentropy()(encode_targets(TASK, targets), outputs))
    scores = metrics.scores(TASK, targets, decode_outputs(TASK, outputs))
    assert scores["loss"] == pytest.approx(expected, rel=1e-5)
    assert scores["accuracy"] == pytest.approx(1 / 3)


def test_predictions_are_written_so_that_they_read_back_bit_for_bit() -> None:
    probabilities = np.array([[1 / 3, 1 / 7, 11 / 21], [0.8, 0.1, 0.1]])
    columns = metrics.prediction_columns(TASK)
    assert columns == ["true", "predicted", "p_compact", "p_FRI", "p_FRII"]
    rows = metrics.prediction_rows(TASK, np.array([1, 0]), probabilities)
    assert [row[:2] for row in rows] == [["FRI", "FRII"], ["compact", "compact"]]
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    text.seek(0)
    assert [[float(cell) for cell in row[2:]] for row in csv.reader(text)] == probabilities.tolist()


def test_leaderboards_are_sorted_by_the_metric_of_the_task() -> None:
    scores = metrics.scores(TASK, TRUE, _probabilities(PREDICTED))
    primary = primary_metric(TASK)
    assert (primary.name, primary.higher_is_better) == ("mean_per_class_accuracy", True)
    assert primary.name in scores
    orbit = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),))
    assert primary_metric(orbit).name in metrics.scores(orbit, np.array([[50.0]]), np.array([[51.0]]))
    assert not primary_metric(orbit).higher_is_better
