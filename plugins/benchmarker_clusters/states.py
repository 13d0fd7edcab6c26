"""Puts together what run folders and the queue say about each run of a study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarker import RunProgress, Study, read_progress
from benchmarker_clusters import slurm
from benchmarker_clusters.submissions import read_all

ORDER = ("finished", "running", "queued", "failed", "unreadable", "begun", "lost", "submitted", "not submitted")

_WAITING = {"PENDING", "REQUEUED", "REQUEUE_HOLD", "SUSPENDED"}


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
    """

    progress: RunProgress
    word: str
    log: Path | None = None

    def line(self) -> str:
        """Return a line for the terminal."""
        progress = self.progress
        parts = [f"{self.word:13} {progress.record.name}"]
        if progress.epochs and self.word != "finished":
            age = "" if progress.seconds is None else f", {progress.seconds:.0f} s ago"
            parts.append(f"epoch {progress.epoch} of {progress.epochs}{age}")
        if self.word == "failed":
            parts.append(progress.record.kind)
        if self.log is not None and self.word != "finished":
            parts.append(str(self.log))
        return "   ".join(parts)


def read_states(study: Study, queue: Mapping[slurm.Task, str] | None) -> Iterator[State]:
    """Yield the state of each generator and cell of a study.

    Parameters
    ----------
    study : Study
        Study, as it was read from its folder.
    queue : mapping or None
        Tasks that have not ended, as `benchmarker_clusters.slurm.queued` returns them; None where it is unknown.
    """
    tasks: dict[str, tuple[slurm.Task, Path]] = {}
    for folder, submission in read_all(study.folder):
        for job in submission.jobs:
            for index, keys in enumerate(job.tasks, start=1):
                for key in keys:
                    tasks[key] = ((job.number, index), job.log(folder, index))
    for progress in read_progress(study):
        task, log = tasks.get(progress.record.key, (None, None))
        state = None if task is None or queue is None else queue.get(task)
        yield State(progress=progress, word=_word(progress, task is not None, state, queue is not None), log=log)


def _word(progress: RunProgress, submitted: bool, queued: str | None, known: bool) -> str:
    if progress.state == "ok":
        return "finished"
    if progress.state in {"failed", "unreadable"}:
        return progress.state
    if queued is not None:
        return "queued" if queued in _WAITING else "running"
    if submitted and known:
        return "lost"
    if progress.state == "begun":
        return "begun"
    return "submitted" if submitted else "not submitted"


def summary(states: list[State]) -> str:
    """Return the numbers of runs by state, such as ``12 finished, 3 running``."""
    counts = Counter(state.word for state in states)
    return ", ".join(f"{counts[word]} {word}" for word in ORDER if counts[word])
