"""Tables of predictions are read back bit for bit, and refused if they contradict themselves."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
import pytest

from benchmarker import Classification, Regression, RegressionTarget
from benchmarker.evaluation.predictions import parse_predictions, prediction_columns, prediction_rows

TASK = Classification(classes=("compact", "FRI", "FRII"))
ORBIT = Regression(
    targets=(
        RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),
        RegressionTarget(name="redshift", unit="", minimum=0, maximum=1),
    )
)
PROBABILITIES = np.array([[1 / 3, 1 / 7, 11 / 21], [0.8, 0.1, 0.1]])


def as_read(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """Write rows as CSV, and read them back."""
    text = io.StringIO()
    csv.writer(text).writerows([columns, *rows])
    text.seek(0)
    return list(csv.DictReader(text))


def test_predictions_of_a_classification_are_read_back_bit_for_bit() -> None:
    columns = prediction_columns(TASK)
    assert columns == ["true", "predicted", "p_compact", "p_FRI", "p_FRII"]
    rows = prediction_rows(TASK, np.array([1, 0]), PROBABILITIES)
    assert [row[:2] for row in rows] == [["FRI", "FRII"], ["compact", "compact"]]
    targets, predictions = parse_predictions(TASK, as_read(columns, rows))
    assert targets.tolist() == [1, 0]
    assert predictions.tolist() == PROBABILITIES.tolist()


def test_predictions_of_a_regression_are_read_back_bit_for_bit() -> None:
    truth = np.array([[50.0, 0.1], [60.0, 0.2]])
    predicted = truth + np.array([[1.0, 0.2], [-3.0, 0.2]])
    columns = prediction_columns(ORBIT)
    assert columns == ["true_inclination", "predicted_inclination", "true_redshift", "predicted_redshift"]
    rows = prediction_rows(ORBIT, truth, predicted)
    assert rows[0] == ["50.0", "51.0", "0.1", repr(0.1 + 0.2)]
    targets, predictions = parse_predictions(ORBIT, as_read(columns, rows))
    assert targets.tolist() == truth.tolist()
    assert predictions.tolist() == predicted.tolist()


@pytest.mark.parametrize(
    ("column", "cell", "problem"),
    [
        ("true", "FRIII", "'FRIII' is not a class"),
        ("predicted", "FRI", "'FRI' was predicted although 'FRII' is the most probable"),
        ("p_FRI", "much", "could not convert"),
    ],
)
def test_contradictory_predictions_are_refused(column: str, cell: str, problem: str) -> None:
    rows = as_read(prediction_columns(TASK), prediction_rows(TASK, np.array([1, 0]), PROBABILITIES))
    rows[0][column] = cell
    with pytest.raises(ValueError, match=problem):
        parse_predictions(TASK, rows)


def test_predictions_without_rows_or_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        parse_predictions(TASK, [])
    with pytest.raises(ValueError, match="'p_compact'"):
        parse_predictions(TASK, [{"true": "FRI", "predicted": "FRI"}])
