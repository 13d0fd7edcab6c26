"""Predictions as rows of a table, written so that they are read back bit for bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.tasks import Classification, Task


def prediction_columns(task: Task) -> list[str]:
    """Return the names of the columns that follow ``source_id`` and ``image`` in a table of predictions.

    Examples
    --------
    >>> from benchmarker import Classification
    >>> prediction_columns(Classification(classes=("FRI", "FRII")))
    ['true', 'predicted', 'p_FRI', 'p_FRII']
    """
    if isinstance(task, Classification):
        return ["true", "predicted", *(f"p_{name}" for name in task.classes)]
    return [f"{prefix}_{target.name}" for target in task.targets for prefix in ("true", "predicted")]


def prediction_rows(task: Task, targets: NDArray[Any], predictions: NDArray[np.float64]) -> list[list[str]]:
    """Return the cells of these columns, with the shortest decimal numbers that are read back exactly.

    Parameters
    ----------
    task : Task
        Meaning of targets and predictions.
    targets : ndarray of shape (n,), int64, or (n, n_targets), float64
        True class indices, or true values in the units of the task.
    predictions : ndarray of shape (n, n_outputs), float64
        Probabilities, or values in the units of the task.
    """
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
        Meaning of the columns.
    rows : sequence of mapping of str to str
        Cells of each row by the names of their columns.

    Returns
    -------
    targets : ndarray of shape (n,), int64, or (n, n_targets), float64
        True class indices, or true values in the units of the task.
    predictions : ndarray of shape (n, n_outputs), float64
        Probabilities, or values in the units of the task.

    Raises
    ------
    ValueError
        If a column is missing, a class is unknown, a cell is not a number, or the predicted class is not the most
        probable one.
    """
    missing = [name for name in prediction_columns(task) if not rows or rows[0].get(name) is None]
    if missing:
        raise ValueError(f"no column {missing[0]!r}, or no rows")
    if isinstance(task, Classification):
        return _parse_classification(task, rows)
    values = {
        prefix: np.array([[float(row[f"{prefix}_{target.name}"]) for target in task.targets] for row in rows])
        for prefix in ("true", "predicted")
    }
    return values["true"], values["predicted"]


def _parse_classification(
    task: Classification, rows: Sequence[Mapping[str, str]]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    index = {name: k for k, name in enumerate(task.classes)}
    unknown = sorted({row["true"] for row in rows} - set(index))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not a class of the task")
    truth = np.array([index[row["true"]] for row in rows], dtype=np.int64)
    probabilities = np.array([[float(row[f"p_{name}"]) for name in task.classes] for row in rows])
    for row, k in zip(rows, probabilities.argmax(axis=1).tolist(), strict=True):
        if row["predicted"] != task.classes[k]:
            raise ValueError(f"{row['predicted']!r} was predicted although {task.classes[k]!r} is the most probable")
    return truth, probabilities
