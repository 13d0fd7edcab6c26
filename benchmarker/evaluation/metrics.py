"""Metrics of a task; the core asks here and never looks at the kind of task itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def collapsed_to(task: Task, targets: NDArray[Any], predictions: NDArray[np.float64]) -> str | None:
    """Return the class that a network gives to every image, where the images are of several; None otherwise.

    Parameters
    ----------
    task : Task
        What targets and predictions mean; a regression never collapses.
    targets, predictions : ndarray
        As for `scores`.
    """
    if not isinstance(task, Classification) or len(np.unique(targets)) < 2:
        return None
    predicted = np.unique(predictions.argmax(axis=1))
    return task.classes[int(predicted[0])] if len(predicted) == 1 else None


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


def parse_predictions(
    task: Task, rows: Sequence[Mapping[str, str]]
) -> tuple[NDArray[np.int64] | NDArray[np.float64], NDArray[np.float64]]:
    """Return targets and predictions from the rows of a table that `prediction_rows` filled.

    Parameters
    ----------
    task : Task
        What the columns mean.
    rows : sequence of mapping of str to str
        Cells by the name of their column.

    Returns
    -------
    targets : ndarray of shape (n,), int64, or (n, n_targets), float64
        The truth.
    predictions : ndarray of shape (n, n_outputs), float64
        Probabilities, or numbers in the units of the task.

    Raises
    ------
    ValueError
        If a column is missing, a class unknown, a number none, or the predicted class not the most probable one.
    """
    missing = [name for name in prediction_columns(task) if not rows or rows[0].get(name) is None]
    if missing:
        raise ValueError(f"no column {missing[0]!r}, or no rows")
    if isinstance(task, Classification):
        index = {name: k for k, name in enumerate(task.classes)}
        unknown = sorted({row["true"] for row in rows} - set(index))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no class of the task")
        truth = np.array([index[row["true"]] for row in rows], dtype=np.int64)
        probabilities = np.array([[float(row[f"p_{name}"]) for name in task.classes] for row in rows])
        for row, k in zip(rows, probabilities.argmax(axis=1).tolist(), strict=True):
            if row["predicted"] != task.classes[k]:
                raise ValueError(f"{row['predicted']!r} was predicted where {task.classes[k]!r} is the most probable")
        return truth, probabilities
    values = {
        prefix: np.array([[float(row[f"{prefix}_{target.name}"]) for target in task.targets] for row in rows])
        for prefix in ("true", "predicted")
    }
    return values["true"], values["predicted"]
