"""Submits what is left of a study: generators first, then the cells, in array jobs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarker import CellRecord, ConfigurationError, GeneratorRecord, Study, write_bytes
from benchmarker_clusters import slurm
from benchmarker_clusters.scripts import Resources, job_script
from benchmarker_clusters.states import State
from benchmarker_clusters.submissions import ArrayJob, Submission, new_folder, save

T = TypeVar("T")

_LARGEST_ARRAY = 1000
"""Tasks of one array job: Slurm refuses more than its MaxArraySize, which is 1001 by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An array job that is ready to be submitted.

    Parameters
    ----------
    script : Path
        Path of its job script.
    tasks : tuple of tuple of str
        Keys of the runs of each task.
    """

    script: Path
    tasks: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """Tasks of one kind, each a command.

    Parameters
    ----------
    name : str
        ``"generators"`` or ``"cells"``.
    folder : Path
        Folder of their output.
    commands : tuple of tuple of str
        Command line of each.
    """

    name: str
    folder: Path
    commands: tuple[tuple[str, ...], ...]

    def log(self, number: int) -> Path:
        """Return the path of the output of a task, counted from 1."""
        return self.folder / f"{self.name}-{number}.txt"


def make_tasks(
    study: Study,
    left: Sequence[CellRecord | GeneratorRecord],
    *,
    cells_per_task: int,
    options: Sequence[str] = (),
) -> tuple[Tasks, Tasks]:
    """Return the tasks of generators, and those of cells, which begin when these have ended.

    Parameters
    ----------
    study, left, cells_per_task, options
        As `write_scripts` takes them.
    """
    folder = new_folder(study.folder)
    registry = str(study.folder / study.plan.registry.copy_name)
    command = (sys.executable, "-P", "-m", "benchmarker", "run", registry, "-p", str(study.folder))
    found = [
        Tasks(
            name=name,
            folder=folder,
            commands=tuple((*command, "--cells", ",".join(keys), "--jobs", "1", *options) for keys in groups),
        )
        for name, groups in _grouped(left, cells_per_task)
    ]
    return found[0], found[1]


def _grouped(
    left: Sequence[CellRecord | GeneratorRecord], cells_per_task: int
) -> tuple[tuple[str, list[tuple[str, ...]]], ...]:
    """Return the keys of each task: those of generators, one for each, then those of cells."""
    generators: list[tuple[str, ...]] = [(record.key,) for record in left if isinstance(record, GeneratorRecord)]
    keys = [record.key for record in left if isinstance(record, CellRecord)]
    return ("generators", generators), ("cells", _groups(keys, cells_per_task))


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


def write_scripts(
    study: Study,
    left: Sequence[CellRecord | GeneratorRecord],
    *,
    resources: Resources,
    cells_per_task: int,
    options: Sequence[str] = (),
) -> tuple[Path, list[Written]]:
    """Write the job scripts, and return their folder and the jobs in the order of their submission.

    Parameters
    ----------
    study : Study
        Study, as it was read from its folder.
    left : sequence of CellRecord and GeneratorRecord
        What to submit.
    resources : Resources
        What each task asks for.
    cells_per_task : int
        Cells that one task runs, one after the other.
    options : sequence of str
        Further options of ``benchmarker run``.
    """
    resources.directives(name="check", n_tasks=1, log=Path("check"))  # before a folder is made
    folder = new_folder(study.folder)
    written = []
    for name, tasks in _grouped(left, cells_per_task):
        parts = _groups(tasks, _LARGEST_ARRAY)
        for number, part in enumerate(parts, start=1):
            stem = name if len(parts) == 1 else f"{name}-{number}"
            script, lines = folder / f"{stem}.sh", folder / f"{stem}.txt"
            write_bytes(lines, "".join(f"{','.join(task)}\n" for task in part).encode())
            text = job_script(
                script,
                registry=study.folder / study.plan.registry.copy_name,
                study=study.folder,
                tasks=lines,
                n_tasks=len(part),
                resources=resources,
                options=options,
            )
            write_bytes(script, text.encode())
            written.append(Written(script=script, tasks=tuple(part)))
    return folder, written


def submit(folder: Path, written: Sequence[Written]) -> Submission:
    """Submit jobs, cells after the generators, and write down their numbers as soon as each is known.

    Raises
    ------
    SlurmError
        If Slurm refuses one; those before it stay submitted.
    """
    jobs: list[ArrayJob] = []
    submission = Submission(jobs=())
    for each in written:
        before = [job for job in jobs if job.script.startswith("generators")]
        after = before[-1].number if before and not each.script.name.startswith("generators") else None
        number = slurm.submit(each.script, after=after)
        jobs.append(ArrayJob(number=number, script=each.script.name, tasks=each.tasks))
        submission = Submission(jobs=tuple(jobs))
        save(folder, submission)
    return submission


def _groups(items: Sequence[T], size: int) -> list[tuple[T, ...]]:
    """Return consecutive groups; `itertools.batched` needs Python 3.12."""
    return [tuple(items[start : start + size]) for start in range(0, len(items), size)]


def require_setup(path: Path | None) -> Path | None:
    """Return the absolute path of a setup script.

    Raises
    ------
    ConfigurationError
        If there is no such file.
    """
    if path is None:
        return None
    if not path.is_file():
        raise ConfigurationError(f"--setup: a shell script was expected. Received: {path}, which is no file")
    return path.absolute()
