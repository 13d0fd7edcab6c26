"""Reads the tables of a run: its history by epoch, and its predictions of the test part."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker.errors import StorageError
from benchmarker.study.layout import predictions_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HISTORY_FILE = "history.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What was noted after each epoch of a training.

    Parameters
    ----------
    epochs : ndarray of shape (n_epochs,), int64
        From 1.
    columns : mapping of str to ndarray of shape (n_epochs,), float64
        ``"loss"``, ``"validation_loss"``, ``"accuracy"``, ``"learning_rate"`` ...; NaN where a cell is empty.
    """

    epochs: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """A run's predictions of its test part.

    Parameters
    ----------
    source_ids : tuple of str
        Source of each image, n of them.
    images : ndarray of shape (n,), int64
        Number of each image in the dataset, as `StudyResults.images` takes it.
    classes : tuple of str
        Of a classification; empty for a regression.
    truth : ndarray of shape (n,), int64, or (n, n_targets), float64
        Class, as an index into ``classes``, or targets in the units of the task.
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
        """The most probable class, ndarray of shape (n,), int64; of a regression the values themselves."""
        return self.values.argmax(axis=1) if self.classes else self.values

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each image got its class, ndarray of shape (n,); for classifications only."""
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
    return History(epochs=epochs.astype(np.int64), columns=columns)


def read_predictions(folder: Path, checkpoint: str, task: Mapping[str, Any]) -> Predictions:
    """Read a run's predictions at one checkpoint.

    Parameters
    ----------
    folder : Path
        Of the run.
    checkpoint : {"best", "final"}
        Which weights.
    task : mapping
        The task's ``to_json``.

    Raises
    ------
    StorageError
        If the file cannot be read, or is no such table.
    """
    import numpy as np

    path = folder / predictions_file(checkpoint)
    header, rows = _rows(path)
    at = {name: k for k, name in enumerate(header)}
    try:
        classes, truth, values = _meaning(task, rows, at)
        return Predictions(
            source_ids=tuple(row[at["source_id"]] for row in rows),
            images=np.array([int(row[at["image"]]) for row in rows], dtype=np.int64),
            classes=classes,
            truth=truth,
            values=values,
        )
    except KeyError as error:
        raise StorageError(f"{path}: no column or class {error}") from error
    except ValueError as error:
        raise StorageError(f"{path}: numbers were expected: {error}") from error


def _meaning(
    task: Mapping[str, Any], rows: Sequence[Sequence[str]], at: Mapping[str, int]
) -> tuple[tuple[str, ...], NDArray[Any], NDArray[np.float64]]:
    import numpy as np

    def numbers(names: Sequence[str]) -> NDArray[np.float64]:
        wanted = [at[name] for name in names]
        values = [[float(row[k]) for k in wanted] for row in rows]
        return np.array(values, dtype=np.float64).reshape(len(rows), len(names))

    if task.get("kind") == "regression":
        targets = [str(target["name"]) for target in task.get("targets", ())]
        return (), numbers([f"true_{name}" for name in targets]), numbers([f"predicted_{name}" for name in targets])
    classes = tuple(str(name) for name in task.get("classes", ()))
    index = {name: k for k, name in enumerate(classes)}
    column = at["true"]
    truth = np.array([index[row[column]] for row in rows], dtype=np.int64)
    return classes, truth, numbers([f"p_{name}" for name in classes])


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream)
            header = next(reader, [])
            rows = [row for row in reader if row]
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, csv.Error) as error:
        raise StorageError(f"{path}: is not a CSV file: {error}") from error
    if any(len(row) != len(header) for row in rows):
        raise StorageError(f"{path}: a row has another number of cells than the header")
    return header, rows
