"""Metrics of classifications and regressions against hand calculation."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import Classification, Regression, RegressionTarget
from benchmarker.evaluation import metrics
from benchmarker.evaluation.metrics import classification_scores, collapsed_to, primary_metric
from benchmarker.study.runs import ClassScores

TASK = Classification(classes=("compact", "FRI", "FRII"))
# True classes and predictions of nine images:
#              compact FRI FRII
#   compact      3      1    0
#   FRI          1      1    1
#   FRII         0      0    2
TRUE = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
PREDICTED = np.array([0, 0, 0, 1, 0, 1, 2, 2, 2])
MATRIX = ((3, 1, 0), (1, 1, 1), (0, 0, 2))

ORBIT = Regression(
    targets=(
        RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),
        RegressionTarget(name="redshift", unit="", minimum=0, maximum=1),
    )
)
ORBIT_TRUE = np.array([[50.0, 0.1], [60.0, 0.2], [70.0, 0.3]])
ORBIT_PREDICTED = ORBIT_TRUE + np.array([[1.0, 0.2], [-3.0, 0.2], [8.0, -0.1]])


def _probabilities(predicted: Any, confidence: float = 0.8) -> NDArray[np.float64]:
    found = np.full((len(predicted), 3), (1 - confidence) / 2)
    found[np.arange(len(predicted)), predicted] = confidence
    return found


def test_classification_scores_match_hand_calculation() -> None:
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
    assert details.confusion_matrix == MATRIX
    normalised = details.confusion_matrix_normalised
    assert normalised is not None
    np.testing.assert_allclose(normalised, [[0.75, 0.25, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.0, 0.0, 1.0]])
    scores = metrics.scores(TASK, TRUE, _probabilities(PREDICTED))
    assert scores["mean_per_class_accuracy"] == pytest.approx(100 * np.diag(normalised).mean())
    assert scores["mean_per_class_accuracy"] != pytest.approx(100 * scores["accuracy"])


def test_details_have_an_entry_for_each_class() -> None:
    details = metrics.details(TASK, TRUE, _probabilities(PREDICTED))
    assert details.per_class is not None
    assert list(details.per_class) == ["compact", "FRI", "FRII"]
    found = {name: scores.to_json() for name, scores in details.per_class.items()}
    assert found["FRI"] == pytest.approx({"precision": 1 / 2, "recall": 1 / 3, "f1": 0.4, "support": 3})
    assert found["FRII"] == pytest.approx({"precision": 2 / 3, "recall": 1, "f1": 0.8, "support": 2})
    assert set(details.given()) == {
        "confusion_matrix",
        "confusion_matrix_normalised",
        "per_class",
        "per_class_normalised",
    }


def test_normalised_scores_do_not_depend_on_the_sizes_of_classes() -> None:
    details = metrics.details(TASK, TRUE, _probabilities(PREDICTED))
    assert details.per_class is not None
    assert details.per_class_normalised is not None
    found = {name: scores.to_json() for name, scores in details.per_class_normalised.items()}
    # Columns of the row-normalised matrix sum to 13/12, 7/12 and 4/3.
    assert found["FRI"] == pytest.approx({"precision": 4 / 7, "f1": 2 * (4 / 7) / 3 / (4 / 7 + 1 / 3)})
    assert found["FRII"] == pytest.approx({"precision": 3 / 4, "f1": 6 / 7})
    twice = np.concatenate([TRUE, TRUE[TRUE == 1]]), np.concatenate([PREDICTED, np.array(PREDICTED)[TRUE == 1]])
    doubled = metrics.details(TASK, twice[0], _probabilities(twice[1]))
    assert doubled.per_class_normalised is not None
    assert doubled.per_class_normalised["FRI"].precision == pytest.approx(4 / 7)
    assert doubled.per_class["FRI"].precision != details.per_class["FRI"].precision  # type: ignore[index]


@pytest.mark.filterwarnings("error")
def test_means_leave_out_a_class_without_images() -> None:
    true, predicted = TRUE[:7], PREDICTED[:7]  # no FRII, though one is predicted
    scores = metrics.scores(TASK, true, _probabilities(predicted))
    assert scores["mean_per_class_accuracy"] == pytest.approx(100 * (3 / 4 + 1 / 3) / 2)
    assert scores["macro_precision"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    details = metrics.details(TASK, true, _probabilities(predicted))
    assert details.confusion_matrix == ((3, 1, 0), (1, 1, 1), (0, 0, 0))
    assert details.confusion_matrix_normalised is not None
    assert details.confusion_matrix_normalised[2] == (0.0, 0.0, 0.0)
    assert details.per_class is not None
    assert details.per_class["FRII"] == ClassScores(precision=0.0, recall=0.0, f1=0.0, support=0)


@pytest.mark.filterwarnings("error")
def test_means_count_a_class_that_is_never_predicted_as_zero() -> None:
    scores = metrics.scores(TASK, np.array([0, 1, 2]), _probabilities([0, 0, 0]))
    assert scores["mean_per_class_accuracy"] == pytest.approx(100 / 3)
    assert scores["macro_precision"] == pytest.approx(1 / 9)
    assert scores["macro_f1"] == pytest.approx(0.5 / 3)


def test_network_that_calls_every_image_the_same_has_collapsed() -> None:
    assert collapsed_to(TASK, TRUE, _probabilities([1] * 9)) == "FRI"
    assert collapsed_to(TASK, TRUE[:7], _probabilities([2] * 7)) == "FRII"  # targets of two of the three classes
    assert collapsed_to(TASK, TRUE, _probabilities(PREDICTED)) is None
    assert collapsed_to(TASK, TRUE[:4], _probabilities([1] * 4)) is None  # a part of one class shows nothing
    assert collapsed_to(ORBIT, ORBIT_TRUE, np.ones((3, 2))) is None


def test_perfect_classification_has_perfect_scores() -> None:
    scores = metrics.scores(TASK, TRUE, _probabilities(TRUE, 1.0))
    assert scores == {name: {"mean_per_class_accuracy": 100.0, "loss": 0.0}.get(name, 1.0) for name in scores}


def test_loss_is_finite_for_a_probability_of_zero() -> None:
    scores = classification_scores(np.array([0]), np.array([[0.0, 0.4, 0.6]]))
    assert scores["loss"] == pytest.approx(-math.log(1e-7))


def test_loss_equals_that_of_keras_for_sigmoid_outputs() -> None:
    import keras

    from benchmarker.training.batches import decode_outputs, encode_targets

    outputs = np.array([[0.9, 0.6, 0.3], [0.1, 0.1, 0.7], [0.2, 0.5, 0.4]], dtype=np.float32)
    targets = np.array([0, 1, 2])
    expected = float(keras.losses.CategoricalCrossentropy()(encode_targets(TASK, targets), outputs))
    scores = metrics.scores(TASK, targets, decode_outputs(TASK, outputs))
    assert scores["loss"] == pytest.approx(expected, rel=1e-5)
    assert scores["accuracy"] == pytest.approx(1 / 3)


def test_primary_metric_is_one_of_the_scores() -> None:
    scores = metrics.scores(TASK, TRUE, _probabilities(PREDICTED))
    primary = primary_metric(TASK)
    assert (primary.name, primary.higher_is_better) == ("mean_per_class_accuracy", True)
    assert primary.name in scores
    assert primary_metric(ORBIT).name in metrics.scores(ORBIT, ORBIT_TRUE, ORBIT_PREDICTED)
    assert not primary_metric(ORBIT).higher_is_better


def test_regression_scores_match_hand_calculation() -> None:
    scores = metrics.scores(ORBIT, ORBIT_TRUE, ORBIT_PREDICTED)
    assert scores == pytest.approx(
        {
            # Fractions of the ranges, 45 degrees and 1, since degrees and redshifts have no sum.
            "mean_absolute_error": (12 / 3 / 45 + 0.5 / 3) / 2,
            "root_mean_squared_error": (math.sqrt(74 / 3) / 45 + math.sqrt(0.09 / 3)) / 2,
            "median_absolute_error": (3 / 45 + 0.2) / 2,
            "bias": (6 / 45 + 0.3) / 6,
            "loss": (74 / 45**2 + 0.09) / 6,
        }
    )
    assert all(type(value) is float for value in scores.values())


def test_targets_of_one_unit_keep_it() -> None:
    both = Regression(targets=tuple(replace(ORBIT.targets[0], name=name) for name in ("first", "second")))
    scores = metrics.scores(both, ORBIT_TRUE, ORBIT_PREDICTED)
    assert scores["mean_absolute_error"] == pytest.approx((12 / 3 + 0.5 / 3) / 2)


def test_unit_of_a_target_does_not_change_the_ranking() -> None:
    """One network errs by half the range of the inclination, the other by a tenth of both ranges."""
    metres = RegressionTarget(name="distance", unit="m", minimum=0, maximum=1e20)
    task = Regression(targets=(ORBIT.targets[0], metres))
    true = np.array([[50.0, 5e19], [60.0, 4e19]])
    careless, careful = true + np.array([22.5, 0.0]), true + np.array([4.5, 1e19])
    errors = [metrics.scores(task, true, predicted)["mean_absolute_error"] for predicted in (careless, careful)]
    assert errors == pytest.approx([0.25, 0.1])


def test_details_have_the_errors_and_unit_of_each_target() -> None:
    details = metrics.details(ORBIT, ORBIT_TRUE, ORBIT_PREDICTED)
    assert set(details.given()) == {"per_target"}
    assert details.per_target is not None
    assert list(details.per_target) == ["inclination", "redshift"]
    inclination = details.per_target["inclination"]
    assert inclination.unit == "deg"
    assert inclination.mean_absolute_error == pytest.approx(4)
    assert inclination.bias == pytest.approx(2)
    assert details.per_target["redshift"].root_mean_squared_error == pytest.approx(math.sqrt(0.03))


def test_bias_has_the_sign_of_prediction_minus_truth() -> None:
    one = Regression(targets=ORBIT.targets[:1])
    assert metrics.scores(one, np.array([[50.0]]), np.array([[48.5]]))["bias"] == -1.5


def test_perfect_regression_has_no_errors() -> None:
    assert set(metrics.scores(ORBIT, ORBIT_TRUE, ORBIT_TRUE).values()) == {0.0}
