"""Reads the CSV files of a run: its history by epoch, and its predictions of the test part."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker.contracts.tasks import Classification, Task
from benchmarker.errors import StorageError
from benchmarker.files import read_ordinary_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HISTORY_FILE = "history.csv"
_MOST_EPOCHS = 1 << 53  # larger numbers are no longer whole in float64


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a run recorded after each epoch.

    Parameters
    ----------
    epochs : ndarray of shape (n_epochs,), int64
        Epochs, counted from 1.
    columns : mapping of str to ndarray of shape (n_epochs,), float64
        ``"loss"``, ``"validation_loss"``, ``"accuracy"``, ``"learning_rate"`` ...; NaN where a value is missing.
    """

    epochs: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """A run's predictions of its test part.

    Parameters
    ----------
    source_ids : tuple of str
        Source of each of the n images.
    images : ndarray of shape (n,), int64
        Number of each image in the dataset, as `StudyResults.images` takes it.
    classes : tuple of str
        Classes of a classification; empty for a regression.
    truth : ndarray of shape (n,), int64, or (n, n_targets), float64
        Class as an index into ``classes``, or targets in the units of the task.
    values : ndarray of shape (n, n_classes) or (n, n_targets), float64
        Probabilities, or predicted targets in the units of the task.
    """

    source_ids: tuple[str, ...]
    images: NDArray[np.int64]
    classes: tuple[str, ...]
    truth: NDArray[Any]
    values: NDArray[np.float64]

    @property
    def predicted(self) -> NDArray[Any]:
        """Most probable class, ndarray of shape (n,), int64; for a regression the predicted targets themselves."""
        return self.values.argmax(axis=1) if self.classes else self.values

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the predicted class of each image is its true one, ndarray of shape (n,); for classifications."""
        if not self.classes:
            raise ValueError("correct is defined for classifications. Received: predictions of a regression")
        result: NDArray[np.bool_] = self.predicted == self.truth
        return result


def read_history(path: Path) -> History:
    """Read a CSV file whose rows are epochs, such as ``history.csv``.

    Raises
    ------
    StorageError
        If it cannot be read.
    """
    import numpy as np

    header, rows = _rows(path)
    try:
        values = np.array([[float(cell or "nan") for cell in row] for row in rows], dtype=np.float64)
    except ValueError as error:
        raise StorageError(f"{path}: numbers were expected: {error}") from error
    values = values.reshape(len(rows), len(header))
    columns = {name: values[:, k] for k, name in enumerate(header)}
    epochs = columns.pop("epoch", np.arange(1, len(rows) + 1, dtype=np.float64))
    if not np.all(np.abs(epochs) < _MOST_EPOCHS):  # nor NaN
        raise StorageError(f"{path}: the column epoch must hold numbers of epochs")
    return History(epochs=epochs.astype(np.int64), columns=columns)


def read_predictions(path: Path, task: Task) -> Predictions:
    """Read a run's predictions at one checkpoint, such as ``predictions_best.csv``.

    Parameters
    ----------
    path : Path
        Path of the file.
    task : Task
        What the columns mean.

    Raises
    ------
    StorageError
        If the file cannot be read, or is no such table.
    """
    import numpy as np

    from benchmarker.evaluation.predictions import parse_predictions

    header, rows = _rows(path)
    try:
        named = [dict(zip(header, row, strict=True)) for row in rows]
        truth, values = parse_predictions(task, named)
        return Predictions(
            source_ids=tuple(row["source_id"] for row in named),
            images=np.array([int(row["image"]) for row in named], dtype=np.int64),
            classes=task.classes if isinstance(task, Classification) else (),
            truth=truth,
            values=values,
        )
    except KeyError as error:
        raise StorageError(f"{path}: column {error} is missing") from error
    except ValueError as error:
        raise StorageError(f"{path}: {error}") from error


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        reader = csv.reader(io.StringIO(read_ordinary_text(path), newline=""))
        header = next(reader, [])
        rows = [row for row in reader if row]
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, csv.Error) as error:
        raise StorageError(f"{path}: is not a CSV file: {error}") from error
    if any(len(row) != len(header) for row in rows):
        raise StorageError(f"{path}: a row and the header have different numbers of cells")
    return header, rows
