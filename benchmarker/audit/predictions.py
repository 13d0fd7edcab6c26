"""Reads back the predictions of a run."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.tasks import Task
from benchmarker.evaluation.predictions import parse_predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """A run's predictions of its test part.

    Parameters
    ----------
    sources, images : tuple of str
        Source and number of each image.
    targets : ndarray of shape (n,), int64, or (n, n_targets), float64
        The truth.
    values : ndarray of shape (n, n_outputs), float64
        Probabilities, or numbers in the units of the task.
    """

    sources: tuple[str, ...]
    images: tuple[str, ...]
    targets: NDArray[Any]
    values: NDArray[np.float64]


def read_predictions(path: Path, task: Task) -> Predictions:
    """Read ``predictions_best.csv`` or ``predictions_final.csv``.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read, or is no such table.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        if None in row or None in row.values():  # cells without a column, or columns without a cell
            raise ValueError("a row has another number of cells than the header")
    targets, values = parse_predictions(task, rows)
    return Predictions(
        sources=tuple(row["source_id"] for row in rows),
        images=tuple(row["image"] for row in rows),
        targets=targets,
        values=values,
    )
