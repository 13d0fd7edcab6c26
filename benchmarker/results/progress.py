"""How far the runs of a study are that have begun and not ended."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from benchmarker.files import open_ordinary
from benchmarker.results.study import CellRecord, GeneratorRecord, Study
from benchmarker.results.tables import History
from benchmarker.study.claims import find_working
from benchmarker.study.layout import EVENTS_FILE
from benchmarker.study.opening import oddity
from benchmarker.study.protocol import EVENT, EpochDone

_END_BYTES = 65536
_MOST_BYTES = 16 << 20
"""Bytes of events that are read for a learning curve; an epoch takes some 300."""

RunState = Literal["ok", "failed", "unreadable", "begun", "pending"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """How far one run is.

    Parameters
    ----------
    record : CellRecord or GeneratorRecord
        Cell or generator.
    state : str
        ``"begun"`` is a run that has not ended: it is in training, or was interrupted and will resume.
    epoch, epochs : int
        Epochs that are done, and at most will be; 0 where they are unknown.
    seconds : float or None
        Time since the run last wrote an event, for a run that has begun.
    """

    record: CellRecord | GeneratorRecord
    state: RunState
    epoch: int = 0
    epochs: int = 0
    seconds: float | None = None


def read_progress(study: Study) -> Iterator[RunProgress]:
    """Yield how far each generator and cell of a study is, in the order of the plan.

    Parameters
    ----------
    study : Study
        Study as it was read from its folder.
    """
    records: tuple[CellRecord | GeneratorRecord, ...] = (*study.generators, *study.cells)
    for record in records:
        if record.status == "pending":
            yield _begun(record, find_working(study.folder, record.run_name))
        else:
            yield RunProgress(record=record, state=record.status)


def live_history(study: Study, record: CellRecord | GeneratorRecord) -> History | None:
    """Return what a run that has begun and not ended recorded after each of its epochs so far.

    A finished run has its table of epochs instead, which `StudyResults.history` reads.

    Parameters
    ----------
    study : Study
        Study, as it was read from its folder.
    record : CellRecord or GeneratorRecord
        Cell or generator of the study.

    Returns
    -------
    History or None
        None before the first epoch has ended. After a resumption, each epoch has its last values.
    """
    import numpy as np

    rows = {event.epoch: event.values for event in _epochs(find_working(study.folder, record.run_name))}
    if not rows:
        return None
    epochs = sorted(rows)
    names = dict.fromkeys(name for epoch in epochs for name in rows[epoch])
    columns = {name: np.array([rows[epoch].get(name, np.nan) for epoch in epochs], dtype=np.float64) for name in names}
    return History(epochs=np.array(epochs, dtype=np.int64), columns=columns)


def _begun(record: CellRecord | GeneratorRecord, working: Path) -> RunProgress:
    if not working.is_dir():
        return RunProgress(record=record, state="pending")
    try:
        age = max(0.0, time.time() - (working / EVENTS_FILE).lstat().st_mtime)
    except OSError:
        return RunProgress(record=record, state="begun")
    last = next((event for event in reversed(_epochs(working, _END_BYTES))), None)
    if last is None:
        return RunProgress(record=record, state="begun", seconds=age)
    return RunProgress(record=record, state="begun", epoch=last.epoch, epochs=last.epochs, seconds=age)


def _epochs(working: Path, most: int = _MOST_BYTES) -> list[EpochDone]:
    """Return the epochs among the last bytes of a run's events; none where the folder holds what no run writes."""
    if oddity(working) is not None:
        return []
    try:
        with open_ordinary(working / EVENTS_FILE) as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - most))
            lines = stream.read(most).splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            event = EVENT.validate_json(line)
        except ValidationError:  # half a line
            continue
        if isinstance(event, EpochDone):
            found.append(event)
    return found
