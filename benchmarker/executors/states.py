"""Puts together what run folders and queues say about each run of a study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from benchmarker.contracts.executors import BatchJob, TaskExecutor, TaskId, TaskState
from benchmarker.discovery import Plugins
from benchmarker.errors import BenchmarkerError
from benchmarker.executors.opening import open_executor
from benchmarker.executors.submissions import read_jobs
from benchmarker.results.progress import RunProgress, read_progress
from benchmarker.results.study import Study, read_study

ORDER = ("finished", "running", "queued", "failed", "unreadable", "begun", "lost", "submitted", "not submitted")

_NO_TASK: tuple[str | None, TaskId, Path | None] = (None, ("", 0), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The state of one run.

    Parameters
    ----------
    progress : RunProgress
        What its folder says.
    word : str
        One of `ORDER`. A run is lost if its task has ended and it has not: submitting again resumes it.
    log : Path or None
        Output of the last task that was to run it.
    executor : str or None
        The executor that has this task in its queue; None if no queue has it.
    task : tuple of str and int, or None
        The task in that queue.
    queue : str or None
        Whether that task is queued or running. A failed run may have one that is to repeat it.
    """

    progress: RunProgress
    word: str
    log: Path | None = None
    executor: str | None = None
    task: TaskId | None = None
    queue: TaskState | None = None

    @property
    def is_failed_in_queue(self) -> bool:
        """Whether the run failed, and its task has not ended: it may be there to repeat the run."""
        return self.word == "failed" and self.task is not None

    def line(self) -> str:
        """Return a line for the terminal."""
        progress = self.progress
        parts = [f"{self.word:13} {progress.record.name}"]
        if progress.epochs and self.word != "finished":
            age = "" if progress.seconds is None else f", {progress.seconds:.0f} s ago"
            parts.append(f"epoch {progress.epoch} of {progress.epochs}{age}")
        if self.word == "failed":
            parts.append(progress.record.kind)
        if self.is_failed_in_queue:
            parts.append(f"its task is {self.queue}")
        if self.log is not None and self.word != "finished":
            parts.append(str(self.log))
        return "   ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """What the executors of a study's submissions say about their tasks.

    Parameters
    ----------
    states : mapping of str to mapping
        Tasks that have not ended, by executor, as `TaskExecutor.states` returns them. An executor whose queue is
        unknown, or that has none, is missing.
    problems : mapping of str to str
        Why queues are unknown, by executor.
    """

    states: Mapping[str, Mapping[TaskId, TaskState]] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


def queued_jobs(study: Path) -> dict[str, list[BatchJob]]:
    """Return the jobs of a study that were put into queues, by executor."""
    found: dict[str, list[BatchJob]] = {}
    for executor, job in read_jobs(study):
        if job.number:  # otherwise the executor stayed until its tasks had ended
            found.setdefault(executor, []).append(job)
    return found


def ask_queues(study: Path, plugins: Plugins, connected: Mapping[str, TaskExecutor] = MappingProxyType({})) -> Queues:
    """Ask the executors of a study's submissions which of its tasks have not ended.

    Parameters
    ----------
    study : Path
        Folder of the study.
    plugins : Plugins
        The installed plugins.
    connected : mapping of str to TaskExecutor
        Executors that are connected already, by name; others are opened with their default options.
    """
    states: dict[str, Mapping[TaskId, TaskState]] = {}
    problems: dict[str, str] = {}
    for name, jobs in queued_jobs(study).items():
        try:
            if name in connected:
                states[name] = connected[name].states(jobs)
            else:
                executor = open_executor(plugins.executor(name), {})
                with executor.connected():
                    states[name] = executor.states(jobs)
        except BenchmarkerError as error:
            problems[name] = f"the queue of {name} is unknown: {error}"
    return Queues(states=states, problems=problems)


def look(folder: Path, plugins: Plugins) -> tuple[list[State], Queues]:
    """Return the state of each run of a study, and what its queues say.

    Queues are asked first, so that no run which ends just now seems lost.

    Parameters
    ----------
    folder : Path
        Folder of the study.
    plugins : Plugins
        The installed plugins.

    Raises
    ------
    StorageError
        If there is no readable plan.
    """
    queues = ask_queues(folder, plugins)
    return list(read_states(read_study(folder), queues)), queues


def read_states(study: Study, queues: Queues) -> Iterator[State]:
    """Yield the state of each generator and cell of a study.

    Parameters
    ----------
    study : Study
        Study, as it was read from its folder.
    queues : Queues
        What executors say.
    """
    tasks: dict[str, tuple[str | None, TaskId, Path | None]] = {}
    for executor, job in read_jobs(study.folder):  # the last submission of a run counts
        tasks |= _tasks(executor, job)
    for progress in read_progress(study):
        submitted_to, task, log = tasks.get(progress.record.key, _NO_TASK)
        queue = queues.states.get(submitted_to) if submitted_to is not None and task[0] else None
        word = _word(progress, submitted=submitted_to is not None, queue=queue, task=task)
        if queue is not None and task in queue:
            yield State(progress=progress, word=word, log=log, executor=submitted_to, task=task, queue=queue[task])
        else:
            yield State(progress=progress, word=word, log=log)


def _tasks(executor: str, job: BatchJob) -> dict[str, tuple[str | None, TaskId, Path | None]]:
    return {
        key: (executor, (job.number, index), job.log(index))
        for index, keys in enumerate(job.tasks, start=1)
        for key in keys
    }


def _word(progress: RunProgress, *, submitted: bool, queue: Mapping[TaskId, TaskState] | None, task: TaskId) -> str:
    if progress.state == "ok":
        return "finished"
    if progress.state in {"failed", "unreadable"}:
        return progress.state
    if queue is not None:
        return queue.get(task, "lost")
    if progress.state == "begun":
        return "begun"
    return "submitted" if submitted else "not submitted"


def summary(states: list[State]) -> str:
    """Return the numbers of runs by state, such as ``12 finished, 3 running``."""
    counts = Counter(state.word for state in states)
    return ", ".join(f"{counts[word]} {word}" for word in ORDER if counts[word])
