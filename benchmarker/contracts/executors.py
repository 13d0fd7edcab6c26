"""What executors get, and what they do with it: tasks of a study, each of which runs some of its cells.

An executor starts the tasks wherever it can: as processes, in a batch system, on a cluster. It knows nothing of
networks. Which cells are left, what has finished and what was lost is found in the folder of the study by
``benchmarker submit`` and ``benchmarker status``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

TaskId = tuple[str, int]
"""Number of a job, and index of one of its tasks; the first task has the index 1."""

TaskState = Literal["queued", "running"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTask:
    """A task: some runs of a study, one after the other.

    Parameters
    ----------
    keys : tuple of str
        Keys of its cells, or of its generator.
    command : tuple of str
        Command line that does it, with the Python of this process. It resumes what an earlier attempt has begun, keeps
        its last complete epoch on SIGTERM, and exits with 0 if all its runs have ended well.
    """

    keys: tuple[str, ...]
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What ``benchmarker submit`` hands to an executor.

    Parameters
    ----------
    study, registry : Path
        Absolute paths of the folder of the study, and of a copy of the registry for this submission.
    folder : Path
        New folder of this submission, for scripts and the output of the tasks.
    generators, cells : tuple of RunTask
        The tasks. Cells begin when all generators have ended, however they ended.
    threads : int
        Cores that a task needs.
    at_once : int, optional
        Tasks that may run at the same time.
    earlier : tuple of tuple of str and int
        Tasks of earlier submissions to the same executor that have not ended and train generators of the cells; cells
        begin when these have ended, too. A cell that begins earlier waits within its task, which costs time but does
        no harm.
    options : tuple of str
        Further options of ``benchmarker run`` that are part of each command.
    environment : mapping of str to str
        Variables that each task needs besides those of the machine that it runs on.

    Examples
    --------
    >>> from pathlib import Path
    >>> study = Path("/data/study")
    >>> work = Work(study=study, registry=study / "mine.yaml", folder=study / "cluster" / "1")
    >>> work.log("cells", 7).as_posix()
    '/data/study/cluster/1/cells-7.txt'
    """

    study: Path
    registry: Path
    folder: Path
    generators: tuple[RunTask, ...] = ()
    cells: tuple[RunTask, ...] = ()
    threads: int = 1
    at_once: int | None = None
    earlier: tuple[TaskId, ...] = ()
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def groups(self) -> tuple[tuple[str, tuple[RunTask, ...]], ...]:
        """The tasks by the name of their group, in the order in which groups run; empty groups are left out."""
        named = ("generators", self.generators), ("cells", self.cells)
        return tuple((name, tasks) for name, tasks in named if tasks)

    def log(self, name: str, index: int) -> Path:
        """Return the path of the output of a task, which several attempts append to.

        Parameters
        ----------
        name : str
            Name of the job, as `BatchJob` has it.
        index : int
            Index of the task in the job, counted from 1.
        """
        return self.folder / f"{name}-{index}.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJob:
    """Tasks that an executor has taken, under one number.

    Parameters
    ----------
    name : str
        Name of the job in the folder of the submission: lower-case letters, or these with a number, as in ``cells-2``.
        The output of its tasks is ``{name}-{index}.txt`` there.
    number : str
        What the executor calls the job; empty for an executor that stays.
    tasks : tuple of tuple of str
        Keys of the runs of each task.
    folder : Path
        Folder of the submission.
    """

    name: str
    number: str
    tasks: tuple[tuple[str, ...], ...]
    folder: Path

    def log(self, index: int) -> Path:
        """Return the path of the output of a task, counted from 1."""
        return self.folder / f"{self.name}-{index}.txt"


class TaskExecutor(Protocol):
    """What the class of an `Executor` has to provide; it is made anew for each command."""

    @property
    def stays(self) -> bool:
        """Whether `submit` waits until the tasks have ended; otherwise they are in a queue.

        ``benchmarker status`` and ``benchmarker cancel`` ask about queues. An attribute of the class will do.
        """
        ...

    def connected(self) -> AbstractContextManager[object]:
        """Return a context within which the other methods are called; entered before anything is prepared.

        Raises
        ------
        ConfigurationError
            If this machine cannot use the executor; the message says what to do.
        """
        ...

    def submit(self, work: Work, report: Callable[[BatchJob], None]) -> int:
        """Start tasks or put them into a queue, and return how many of them have ended with an error.

        Parameters
        ----------
        work : Work
            What to run. Each task must be run once, and again where it was lost.
        report : callable
            Called with each job as soon as its number is known, so that nothing is forgotten if a later one fails. An
            executor that only writes scripts reports none; one that stays reports its jobs before they begin.

        Raises
        ------
        ConfigurationError
            If no machine can run a task, for example because it asks for too much memory.
        """
        ...

    def states(self, jobs: Sequence[BatchJob]) -> Mapping[TaskId, TaskState]:
        """Return the state of each task of some jobs that has not ended; jobs without a number are left out.

        Jobs come from the folder of a study, which somebody else may have written: tell yours from others.

        Raises
        ------
        BenchmarkerError
            If the queue does not answer.
        """
        ...

    def cancel(self, jobs: Sequence[BatchJob]) -> int:
        """Cancel what has not ended of some jobs, and return the number of tasks; jobs without a number are left out.

        Raises
        ------
        BenchmarkerError
            If the queue does not answer.
        """
        ...
