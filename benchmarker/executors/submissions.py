"""What was submitted for a study: kept in its folder, because run folders and queues know nothing of each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarker.contracts.executors import BatchJob
from benchmarker.errors import PluginError, StorageError
from benchmarker.files import read_ordinary, write_bytes

FOLDER = "cluster"
FILE = "submission.json"

_NUMBER = re.compile(r"\d{1,6}")
_NAME = r"^[a-z]+(-\d{1,6})?$"


class JobRecord(BaseModel):
    """A job: its number, and the runs of each of its tasks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_NAME)
    """Name of the job in the folder of the submission."""

    number: str = Field(max_length=200)
    """Number that the executor gave it."""

    tasks: tuple[tuple[str, ...], ...]
    """Keys of the runs of each task; the first task has the index 1."""


class Submission(BaseModel):
    """What one `benchmarker submit` submitted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    executor: str = Field(min_length=1, max_length=80)
    """Name of the executor."""

    jobs: tuple[JobRecord, ...]
    """Jobs in the order in which they were submitted."""


@dataclass(slots=True, kw_only=True)
class SubmissionLog:
    """Writes down jobs as soon as each is known.

    Parameters
    ----------
    folder : Path
        Folder of the submission.
    executor : str
        Name of the executor.
    """

    folder: Path
    executor: str
    jobs: list[BatchJob] = field(default_factory=list)

    def __call__(self, job: BatchJob) -> None:
        """Add a job.

        Raises
        ------
        PluginError
            If an executor reports a job that could not be read back.
        """
        self.jobs.append(job)
        try:
            records = tuple(JobRecord(name=each.name, number=each.number, tasks=each.tasks) for each in self.jobs)
        except ValidationError as error:
            raise PluginError(f"the executor {self.executor!r} reports a job that is wrong: {error}") from error
        write_bytes(self.folder / FILE, _text(Submission(executor=self.executor, jobs=records)))


def _text(submission: Submission) -> bytes:
    return submission.model_dump_json(indent=1).encode() + b"\n"


def new_folder(study: Path) -> Path:
    """Make the folder of the next submission of a study, and return its path.

    Raises
    ------
    StorageError
        If it cannot be made.
    """
    root = study / FOLDER
    try:
        root.mkdir(exist_ok=True)
        number = max((int(path.name) for path in root.iterdir() if _NUMBER.fullmatch(path.name)), default=0) + 1
        if not _NUMBER.fullmatch(str(number)):  # it would never be read
            raise StorageError(f"{root}: holds a folder {number - 1}; remove it")
        while True:
            try:
                (root / str(number)).mkdir()
            except FileExistsError:  # of a command that runs at the same time
                number += 1
            else:
                return root / str(number)
    except OSError as error:
        raise StorageError(f"{root}: a folder for the tasks cannot be made: {error.strerror}") from error


def read_jobs(study: Path) -> Iterator[tuple[str, BatchJob]]:
    """Yield the jobs of a study's submissions, each with the name of its executor, oldest first.

    Raises
    ------
    StorageError
        If a submission cannot be read.
    """
    root = study / FOLDER
    folders = [path for path in root.iterdir() if _NUMBER.fullmatch(path.name)] if root.is_dir() else []
    for folder in sorted(folders, key=lambda path: int(path.name)):
        try:
            content = read_ordinary(folder / FILE)
        except FileNotFoundError:  # only scripts were written
            continue
        except OSError as error:
            raise StorageError(f"{folder / FILE}: cannot be read: {error.strerror}") from error
        try:
            submission = Submission.model_validate_json(content)
        except ValidationError as error:
            raise StorageError(f"{folder / FILE}: is no record of a submission: {error.errors()[0]['msg']}") from error
        for job in submission.jobs:
            yield submission.executor, BatchJob(name=job.name, number=job.number, tasks=job.tasks, folder=folder)
