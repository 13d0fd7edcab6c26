"""The tasks of a study: which runs are left, and the command lines that do them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from benchmarker.contracts.executors import RunTask, Work
from benchmarker.executors.states import State
from benchmarker.results.study import CellRecord, GeneratorRecord, Study

T = TypeVar("T")


def left_to_submit(states: Sequence[State], *, retry_failed: bool) -> list[CellRecord | GeneratorRecord]:
    """Return the runs that have not ended and are in no queue.

    Parameters
    ----------
    states : sequence of State
        States of all runs.
    retry_failed : bool
        Whether to submit failed runs again.
    """
    done = {"finished", "running", "queued"} if retry_failed else {"finished", "running", "queued", "failed"}
    return [state.progress.record for state in states if state.word not in done]


def make_work(
    study: Study,
    left: Sequence[CellRecord | GeneratorRecord],
    *,
    folder: Path,
    cells_per_task: int = 1,
    at_once: int | None = None,
    options: Sequence[str] = (),
) -> Work:
    """Return what is left of a study as tasks: one for each generator, and one for each group of cells.

    Parameters
    ----------
    study : Study
        Study, as it was read from its folder.
    left : sequence of CellRecord and GeneratorRecord
        What to run.
    folder : Path
        Folder of the submission.
    cells_per_task : int
        Cells that one task runs, one after the other.
    at_once : int, optional
        Tasks that may run at the same time.
    options : sequence of str
        Further options of ``benchmarker run``.
    """
    registry = study.folder / study.plan.registry.copy_name
    command = (sys.executable, "-P", "-m", "benchmarker", "run", str(registry), "-p", str(study.folder))

    def task(keys: tuple[str, ...]) -> RunTask:
        return RunTask(keys=keys, command=(*command, "--cells", ",".join(keys), "--jobs", "1", *options))

    cells = [record.key for record in left if isinstance(record, CellRecord)]
    return Work(
        study=study.folder,
        registry=registry,
        folder=folder,
        generators=tuple(task((record.key,)) for record in left if isinstance(record, GeneratorRecord)),
        cells=tuple(task(keys) for keys in _groups(cells, cells_per_task)),
        threads=max((cell.spec.threads for cell in study.cells), default=1),
        at_once=at_once,
        options=tuple(options),
    )


def _groups(items: Sequence[T], size: int) -> list[tuple[T, ...]]:
    """Return consecutive groups; `itertools.batched` needs Python 3.12."""
    return [tuple(items[start : start + size]) for start in range(0, len(items), size)]
