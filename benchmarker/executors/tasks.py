"""The tasks of a study: which runs are left, the command lines that do them, and what these need."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarker.contracts.executors import RunTask, TaskId, Work
from benchmarker.errors import StorageError
from benchmarker.executors.states import State
from benchmarker.files import read_ordinary, write_bytes
from benchmarker.printing import counted
from benchmarker.results.study import CellRecord, GeneratorRecord, Study
from benchmarker.run.seats import by_program, in_order_of_programs, most_at_once

T = TypeVar("T")

_OWN = "BENCHMARKER_"
_OF_ONE_MACHINE = ("BENCHMARKER_HOST", "BENCHMARKER_PROCESS")
_CACHE = "BENCHMARKER_CACHE"


def left_to_submit(states: Sequence[State], *, retry_failed: bool) -> list[CellRecord | GeneratorRecord]:
    """Return the runs that have not ended and are in no queue.

    A failed run whose task has not ended is left out, too: that task may be there to repeat it.

    Parameters
    ----------
    states : sequence of State
        States of all runs.
    retry_failed : bool
        Whether to submit failed runs again.
    """
    done = {"finished"} if retry_failed else {"finished", "failed"}
    return [state.progress.record for state in states if state.task is None and state.word not in done]


def queued_generators(states: Sequence[State], left: Sequence[CellRecord | GeneratorRecord]) -> dict[str, list[TaskId]]:
    """Return the tasks in queues that still have to train generators of some cells, by executor.

    Parameters
    ----------
    states : sequence of State
        States of all runs.
    left : sequence of CellRecord and GeneratorRecord
        What to run.
    """
    needed = {record.planned().generator for record in left if isinstance(record, CellRecord)}
    found: dict[str, list[TaskId]] = {}
    for state in states:
        if state.executor is None or state.task is None or state.word == "finished":
            continue
        if state.progress.record.key in needed:
            found.setdefault(state.executor, []).append(state.task)
    return {executor: sorted(tasks) for executor, tasks in found.items()}


def of_registry(
    study: Study, left: Sequence[CellRecord | GeneratorRecord], seeds: Collection[int]
) -> list[CellRecord | GeneratorRecord]:
    """Return the runs that the study's last registry makes; a study may hold those of earlier ones, and of other seeds.

    Parameters
    ----------
    study : Study
        Study, as it was read from its folder.
    left : sequence of CellRecord and GeneratorRecord
        Some of its runs.
    seeds : collection of int
        Seeds of the registry.
    """
    earlier = {configuration for record in study.plan.earlier for configuration in record.configurations}
    made = [cell for cell in study.cells if cell.configuration not in earlier and cell.seed in seeds]
    keys = {cell.key for cell in made}
    if any(isinstance(record, GeneratorRecord) for record in left):
        keys |= {generator for cell in made if (generator := cell.planned().generator) is not None}
    return [record for record in left if record.key in keys]


def keep_registry(study: Study, folder: Path) -> Path:
    """Copy the registry of a study for one submission, so that the next one cannot change what its tasks run.

    Parameters
    ----------
    study : Study
        Study, as it was read from its folder.
    folder : Path
        Folder of the submission.

    Raises
    ------
    StorageError
        If the registry of the study is not that of its plan.
    """
    record = study.plan.registry
    source, copy = study.folder / record.copy_name, folder / record.copy_name
    try:
        content = read_ordinary(source)
    except OSError as error:
        raise StorageError(f"{source}: cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != record.sha256:
        raise StorageError(f"{source}: another command has changed the study just now; submit again")
    write_bytes(copy, content)
    return copy


def task_environment(backend: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that tasks need wherever they run.

    Parameters
    ----------
    backend : str
        Backend of the study.
    environment : mapping of str to str
        Variables of this process.

    Examples
    --------
    >>> task_environment("jax", {"HOME": "/home/me", "BENCHMARKER_CACHE": "/data/cache", "BENCHMARKER_HOST": "node 1"})
    {'BENCHMARKER_CACHE': '/data/cache', 'KERAS_BACKEND': 'jax'}
    """
    found = {
        name: os.path.abspath(value) if name == _CACHE and value else value  # noqa: PTH100 - a path that is no Path yet
        for name, value in environment.items()
        if name == "PYTHONPATH" or (name.startswith(_OWN) and name not in _OF_ONE_MACHINE)
    }
    return found | {"KERAS_BACKEND": backend}


def make_work(
    study: Study,
    left: Sequence[CellRecord | GeneratorRecord],
    *,
    folder: Path,
    cells_per_task: int = 1,
    at_once: int | None = None,
    options: Sequence[str] = (),
    earlier: Sequence[TaskId] = (),
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
    earlier : sequence of tuple of str and int
        Tasks of earlier submissions that train generators of these cells.
    """
    registry = keep_registry(study, folder)
    source = study.plan.source
    if source is not None and source.path is not None:  # paths in a registry start at the folder that it was in
        options = ["-d", str((study.folder / source.path).resolve()), *options]
    command = (sys.executable, "-P", "-m", "benchmarker", "run", str(registry), "-p", str(study.folder))

    def task(keys: tuple[str, ...]) -> RunTask:
        return RunTask(keys=keys, command=(*command, "--cells", ",".join(keys), "--jobs", "1", *options))

    cells = _in_order([record for record in left if isinstance(record, CellRecord)])
    return Work(
        study=study.folder,
        registry=registry,
        folder=folder,
        generators=tuple(task((record.key,)) for record in left if isinstance(record, GeneratorRecord)),
        cells=tuple(task(keys) for keys in _groups(cells, cells_per_task)),
        threads=max((cell.spec.threads for cell in study.cells), default=1),
        at_once=at_once,
        earlier=tuple(earlier),
        options=tuple(options),
        environment=task_environment(study.plan.backend, os.environ),
    )


def advise_on_programs(left: Sequence[CellRecord | GeneratorRecord], cells_per_task: int) -> str:
    """Return how more cells per task would save programs that train several seeds; empty if they would save none.

    Parameters
    ----------
    left : sequence of CellRecord and GeneratorRecord
        What to run.
    cells_per_task : int
        Cells that one task runs.
    """
    cells = [record for record in left if isinstance(record, CellRecord)]
    planned = {cell.key: cell.planned() for cell in cells}
    seeds = most_at_once(list(planned.values()))
    if seeds <= cells_per_task:
        return ""
    tasks = _groups(_in_order(cells), cells_per_task)
    needed = sum(len(by_program([planned[key] for key in keys])) for keys in tasks)
    fewest = len(by_program(list(planned.values())))
    if needed <= fewest:
        return ""
    return (
        f"note: tasks of {counted(cells_per_task, 'cell')} compute {counted(needed, 'program')}, each as long "
        f"as {seeds} seeds, where {fewest} would do: --cells-per-task {seeds} keeps seeds together"
    )


def _in_order(cells: Sequence[CellRecord]) -> list[str]:
    """Return the keys of cells: in the order of the plan, but with those together that may share a program."""
    if all(cell.spec.training.seeds_at_once == 1 for cell in cells):
        return [cell.key for cell in cells]
    return [planned.key for planned in in_order_of_programs([cell.planned() for cell in cells])]


def _groups(items: Sequence[T], size: int) -> list[tuple[T, ...]]:
    """Return consecutive groups; `itertools.batched` needs Python 3.12."""
    return [tuple(items[start : start + size]) for start in range(0, len(items), size)]
