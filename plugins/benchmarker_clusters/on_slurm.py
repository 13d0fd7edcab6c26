"""Runs the cells of a study as array jobs of Slurm."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import Field

from benchmarker import BatchJob, ConfigurationError, Options, RunTask, TaskId, TaskState, Work, echo, write_bytes
from benchmarker_clusters import slurm
from benchmarker_clusters.scripts import Resources, job_script

_LARGEST_ARRAY = 1000
"""Tasks of one array job: Slurm refuses more than its MaxArraySize, which is 1001 by default."""

_WAITING = {"PENDING", "REQUEUED", "REQUEUE_HOLD", "SUSPENDED"}


class SlurmOptions(Options):
    """What each task asks Slurm for, and what is done with the job scripts."""

    partition: str | None = Field(default=None, json_schema_extra={"metavar": "NAME"})
    """Partition of the cluster."""

    time: str | None = Field(default=None, json_schema_extra={"metavar": "TIME"})
    """Time limit of a task, such as 4:00:00; it resumes afterwards."""

    mem: str | None = Field(default=None, json_schema_extra={"metavar": "SIZE"})
    """Memory of a task, such as 4G."""

    gres: str | None = Field(default=None, json_schema_extra={"metavar": "LIST"})
    """Generic resources of a task, such as gpu:1."""

    sbatch: tuple[str, ...] = Field(default=(), json_schema_extra={"metavar": "OPTION"})
    """Another option of sbatch, such as --sbatch=--account=radio; repeat for several."""

    setup: Path | None = None
    """Shell script that tasks read first: modules, an environment or a container."""

    dry_run: bool = False
    """Write the job scripts, but submit nothing."""


class SlurmExecutor:
    """Submits tasks as array jobs; those of cells wait for those of generators, also of earlier submissions.

    Parameters
    ----------
    options : SlurmOptions
        What each task asks for.
    """

    stays = False

    def __init__(self, options: SlurmOptions) -> None:
        self._options = options

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Check that Slurm and the setup script are here.

        Raises
        ------
        ConfigurationError
            If one of them is not.
        """
        setup = self._options.setup
        if setup is not None and not setup.is_file():
            raise ConfigurationError(f"--setup: a shell script was expected. Received: {setup}, which is no file")
        if not self._options.dry_run and not slurm.is_available():
            raise ConfigurationError(
                "sbatch: not found; run this on a machine that may submit jobs to Slurm, or write the job scripts with "
                "--dry-run"
            )
        yield

    def submit(self, work: Work, report: Callable[[BatchJob], None]) -> int:
        """Write the job scripts, and submit them unless this is a dry run.

        Raises
        ------
        SlurmError
            If Slurm refuses one; those before it stay submitted.
        """
        written = self._write_scripts(work)
        earlier: list[slurm.Task] = [(int(number), index) for number, index in work.earlier]
        if self._options.dry_run:
            echo(f"job scripts: {', '.join(str(work.folder / f'{name}.sh') for name, _ in written)}")
            if earlier:
                option = slurm.dependency(earlier)[0]
                echo(f"generators of these cells are in the queue; submit cells with {option}")
            return 0
        numbers: dict[str, list[int]] = {"generators": [], "cells": []}
        for name, tasks in written:
            group = name.partition("-")[0]
            same = numbers[group]
            after: list[int | slurm.Task] = [] if group == "generators" else [*numbers["generators"], *earlier]
            if same and work.at_once is not None:  # the limit of an array does not count the tasks of another
                after = [same[-1]]
            number = slurm.submit(work.folder / f"{name}.sh", after=after)
            same.append(number)
            keys = tuple(task.keys for task in tasks)
            report(BatchJob(name=name, number=str(number), tasks=keys, folder=work.folder))
        return 0

    def states(self, jobs: Sequence[BatchJob]) -> Mapping[TaskId, TaskState]:
        """Return the state of each task that has not ended."""
        if self._options.dry_run and not slurm.is_available():
            return {}
        return {
            (str(number), index): "queued" if state in _WAITING else "running"
            for (number, index), state in self._queued(jobs).items()
        }

    def cancel(self, jobs: Sequence[BatchJob]) -> int:
        """Cancel the tasks that have not ended."""
        queue = self._queued(jobs)
        slurm.cancel(number for number, _ in queue)
        return len(queue)

    def _queued(self, jobs: Sequence[BatchJob]) -> dict[slurm.Task, str]:
        return slurm.queued(
            {int(job.number): job.folder / f"{job.name}.sh" for job in jobs if slurm.is_number(job.number)}
        )

    def _write_scripts(self, work: Work) -> list[tuple[str, tuple[RunTask, ...]]]:
        """Write a job script for each array job, and return their names and tasks in the order of submission."""
        options = self._options
        resources = Resources(
            threads=work.threads,
            array_limit=work.at_once,
            partition=options.partition,
            time=options.time,
            memory=options.mem,
            gres=options.gres,
            further=options.sbatch,
            setup=options.setup.absolute() if options.setup else None,
        )
        resources.directives(name="check", n_tasks=1, log=Path("check"))  # before anything is written
        written = []
        for name, tasks in work.groups:
            parts = [tasks[start : start + _LARGEST_ARRAY] for start in range(0, len(tasks), _LARGEST_ARRAY)]
            for number, part in enumerate(parts, start=1):
                stem = name if len(parts) == 1 else f"{name}-{number}"
                script, lines = work.folder / f"{stem}.sh", work.folder / f"{stem}.txt"
                write_bytes(lines, "".join(f"{','.join(task.keys)}\n" for task in part).encode())
                text = job_script(
                    script,
                    registry=work.registry,
                    study=work.study,
                    tasks=lines,
                    n_tasks=len(part),
                    resources=resources,
                    options=work.options,
                    environment=work.environment,
                )
                write_bytes(script, text.encode())
                written.append((stem, part))
        return written
