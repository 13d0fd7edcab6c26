"""What was submitted for a study: kept in its folder, because run folders and queues know nothing of each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarker import StorageError, read_ordinary, write_bytes

FOLDER = "cluster"
FILE = "submission.json"

_NUMBER = re.compile(r"\d{1,6}")


class ArrayJob(BaseModel):
    """An array job: its number, and the runs of each of its tasks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    """Number that Slurm gave it."""

    script: str = Field(pattern=r"^[a-z]+(-\d+)?\.sh$")
    """File name of the job script."""

    tasks: tuple[tuple[str, ...], ...]
    """Keys of the runs of each task; the first task has the index 1."""

    def log(self, folder: Path, index: int) -> Path:
        """Return the path of a task's output."""
        return folder / f"{Path(self.script).stem}-{index}.txt"


class Submission(BaseModel):
    """What one `benchmarker submit` submitted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    executor: Literal["slurm"] = "slurm"
    """The batch system."""

    jobs: tuple[ArrayJob, ...]
    """Array jobs in the order in which they were submitted."""


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
        while True:
            try:
                (root / str(number)).mkdir()
            except FileExistsError:  # of a command that runs at the same time
                number += 1
            else:
                return root / str(number)
    except OSError as error:
        raise StorageError(f"{root}: a folder for the job scripts cannot be made: {error.strerror}") from error


def save(folder: Path, submission: Submission) -> None:
    """Write down what was submitted."""
    write_bytes(folder / FILE, submission.model_dump_json(indent=1).encode() + b"\n")


def read_all(study: Path) -> Iterator[tuple[Path, Submission]]:
    """Yield the folders of a study's submissions and what was submitted, oldest first.

    Raises
    ------
    StorageError
        If one cannot be read.
    """
    root = study / FOLDER
    folders = [path for path in root.iterdir() if _NUMBER.fullmatch(path.name)] if root.is_dir() else []
    for folder in sorted(folders, key=lambda path: int(path.name)):
        try:
            content = read_ordinary(folder / FILE)
        except FileNotFoundError:  # only the scripts were written
            continue
        except OSError as error:
            raise StorageError(f"{folder / FILE}: cannot be read: {error.strerror}") from error
        try:
            yield folder, Submission.model_validate_json(content)
        except ValidationError as error:
            raise StorageError(f"{folder / FILE}: is no record of a submission: {error.errors()[0]['msg']}") from error
