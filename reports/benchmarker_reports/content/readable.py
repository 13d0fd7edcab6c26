"""Tables of runs as reports need them: those of a damaged run are left out with a warning, and all others are shown."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from benchmarker import StorageError

if TYPE_CHECKING:
    from benchmarker import CellRecord, GeneratorRecord, History, Predictions, StudyResults

_logger = logging.getLogger(__name__)


def history_of(results: StudyResults, record: CellRecord | GeneratorRecord) -> History | None:
    """Return what a run recorded after each epoch, or None where there is none or it cannot be read.

    Parameters
    ----------
    results : StudyResults
        The study.
    record : CellRecord or GeneratorRecord
        Cell or generator of the study.
    """
    try:
        return results.history(record)
    except StorageError as error:
        _logger.warning("%s: left out of the learning curves: %s", record.name, error)
        return None


def predictions_of(results: StudyResults, cell: CellRecord, checkpoint: str) -> Predictions | None:
    """Return a run's predictions of its test part, or None where there are none or they cannot be read.

    Parameters
    ----------
    results : StudyResults
        The study.
    cell : CellRecord
        Cell of the study.
    checkpoint : {"best", "final"}
        Weights that made the predictions.
    """
    try:
        return results.predictions(cell, checkpoint)
    except StorageError as error:
        _logger.warning("%s: left out of curves and examples: %s", cell.name, error)
        return None
