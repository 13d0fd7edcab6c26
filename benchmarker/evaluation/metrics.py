"""Metrics of a task; the core asks here and never looks at the kind of task itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.tasks import Classification, Task
from benchmarker.evaluation import classification, regression


def scores(task: Task, targets: NDArray[Any], predictions: NDArray[np.float64]) -> dict[str, float]:
    """Return the metrics of a part.

    Parameters
    ----------
    task : Task
        What targets and predictions mean.
    targets : ndarray of shape (n,), int64, or (n, n_targets), float64
        The truth.
    predictions : ndarray of shape (n, n_outputs), float64
        Probabilities, or numbers in the units of the task.
    """
    if isinstance(task, Classification):
        return classification.scores(targets, predictions)
    return regression.scores(targets, predictions)


def details(task: Task, targets: NDArray[Any], predictions: NDArray[np.float64]) -> dict[str, Any]:
    """Return what a report draws beside the metrics: per-class tables and confusion matrix, or errors per target."""
    if isinstance(task, Classification):
        return classification.details(task, targets, predictions)
    return regression.details(task, targets, predictions)


def prediction_columns(task: Task) -> list[str]:
    """Return the names of the columns that follow ``source_id`` and ``image`` in a table of predictions."""
    if isinstance(task, Classification):
        return ["true", "predicted", *(f"p_{name}" for name in task.classes)]
    return [f"{prefix}_{target.name}" for target in task.targets for prefix in ("true", "predicted")]


def prediction_rows(task: Task, targets: NDArray[Any], predictions: NDArray[np.float64]) -> list[list[str]]:
    """Return the cells of those columns, numbers in their shortest round-trip form."""
    if isinstance(task, Classification):
        classes = task.classes
        return [
            [classes[true], classes[int(row.argmax())], *(repr(float(value)) for value in row)]
            for true, row in zip(targets.tolist(), predictions, strict=True)
        ]
    return [
        [repr(float(value)) for pair in zip(true, row, strict=True) for value in pair]
        for true, row in zip(targets, predictions, strict=True)
    ]
