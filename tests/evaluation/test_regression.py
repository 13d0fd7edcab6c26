"""Metrics of a regression against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarker import Regression, RegressionTarget
from benchmarker.evaluation import metrics

ORBIT = Regression(
    targets=(
        RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),
        RegressionTarget(name="redshift", unit="", minimum=0, maximum=1),
    )
)
TRUE = np.array([[50.0, 0.1], [60.0, 0.2], [70.0, 0.3]])
PREDICTED = TRUE + np.array([[1.0, 0.2], [-3.0, 0.2], [8.0, -0.1]])


def test_metrics_by_hand() -> None:
    scores = metrics.scores(ORBIT, TRUE, PREDICTED)
    assert scores == pytest.approx(
        {
            "mean_absolute_error": (12 / 3 + 0.5 / 3) / 2,
            "root_mean_squared_error": (math.sqrt(74 / 3) + math.sqrt(0.09 / 3)) / 2,
            "median_absolute_error": (3 + 0.2) / 2,
            "bias": (6 + 0.3) / 6,
            "loss": (74 + 0.09) / 6,
        }
    )
    assert all(type(value) is float for value in scores.values())


def test_each_target_has_its_own_errors_with_its_unit() -> None:
    per_target = metrics.details(ORBIT, TRUE, PREDICTED)["per_target"]
    assert list(per_target) == ["inclination", "redshift"]
    assert per_target["inclination"]["unit"] == "deg"
    assert per_target["inclination"]["mean_absolute_error"] == pytest.approx(4)
    assert per_target["inclination"]["bias"] == pytest.approx(2)
    assert per_target["redshift"]["root_mean_squared_error"] == pytest.approx(math.sqrt(0.03))


def test_the_bias_has_the_sign_of_prediction_minus_truth() -> None:
    one = Regression(targets=ORBIT.targets[:1])
    assert metrics.scores(one, np.array([[50.0]]), np.array([[48.5]]))["bias"] == -1.5


def test_perfect_predictions() -> None:
    assert set(metrics.scores(ORBIT, TRUE, TRUE).values()) == {0.0}


def test_predictions_are_written_beside_the_truth() -> None:
    columns = metrics.prediction_columns(ORBIT)
    assert columns == ["true_inclination", "predicted_inclination", "true_redshift", "predicted_redshift"]
    rows = metrics.prediction_rows(ORBIT, TRUE, PREDICTED)
    assert rows[0] == ["50.0", "51.0", "0.1", repr(0.1 + 0.2)]
    assert [[float(cell) for cell in row[1::2]] for row in rows] == PREDICTED.tolist()
