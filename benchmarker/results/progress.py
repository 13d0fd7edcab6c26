"""How far the runs of a study are that have begun and not ended."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from benchmarker.results.study import CellRecord, GeneratorRecord, Study
from benchmarker.study.layout import EVENTS_FILE, RunPaths
from benchmarker.study.protocol import EVENT, EpochDone

_END_BYTES = 65536

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
            yield _begun(record, RunPaths.of(study.folder, record.key).working)
        else:
            yield RunProgress(record=record, state=record.status)


def _begun(record: CellRecord | GeneratorRecord, working: Path) -> RunProgress:
    try:
        with (working / EVENTS_FILE).open("rb") as stream:
            age = time.time() - os.fstat(stream.fileno()).st_mtime
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _END_BYTES))
            lines = stream.read().splitlines()
    except OSError:
        return RunProgress(record=record, state="begun" if working.is_dir() else "pending")
    for line in reversed(lines):
        try:
            event = EVENT.validate_json(line)
        except ValidationError:  # half a line
            continue
        if isinstance(event, EpochDone):
            return RunProgress(
                record=record, state="begun", epoch=event.epoch, epochs=event.epochs, seconds=max(0.0, age)
            )
    return RunProgress(record=record, state="begun", seconds=max(0.0, age))
