"""What a prediction is asked for, and the files that it leaves until it is complete, so that it can be resumed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from benchmarker import SkippedImage, StorageError, digest_json, write_bytes
from benchmarker_serving.messages import Message

CHUNK = 512
"""Images that are read, prepared and predicted at a time; what is complete is kept in steps of it."""

_JOB_FILE = "job.json"


class Job(Message):
    """What a prediction is asked for.

    Parameters
    ----------
    study : str
        Path of the study.
    selector : str
        Network and arm.
    seeds : tuple of int
        Seeds of the networks.
    checkpoint : {"best", "final"}
        Weights of each network.
    weights : tuple of str
        SHA-256 of the weights of each network.
    data : str
        Path of the new images.
    images : str or None
        Folder that the names in a catalogue are relative to.
    signature : str
        Digest of the names, sizes and times of the new images.
    study_data : str or None
        Where the images of the study are now, if they were moved.
    calibrate : bool
        Whether probabilities are calibrated, and sets and flags are given.
    coverage : float
        Fraction of images whose set or interval should hold the truth.
    per_class : bool
        Whether the coverage should hold within each class.
    unlike : float
        Fraction of ordinary images that may be flagged as unlike the training part.
    """

    study: str
    selector: str
    seeds: tuple[int, ...]
    checkpoint: Literal["best", "final"]
    weights: tuple[str, ...]
    data: str
    images: str | None
    signature: str
    study_data: str | None
    calibrate: bool
    coverage: float
    per_class: bool
    unlike: float

    @property
    def digest(self) -> str:
        """SHA-256 of everything that may change the result."""
        return digest_json({**self.to_json(), "chunk": CHUNK})


class Prediction(Message):
    """What the networks say about one image.

    Parameters
    ----------
    identifier : str
        Name in the catalogue, or path of the file without its extension.
    file : str
        Name of the file.
    ra, dec : float or None
        Position in degrees; None where it is unknown.
    values : tuple of float
        Probabilities of the classes, or values in the units of the targets.
    spread : tuple of (float or None)
        Standard deviations over the networks; None for a single one.
    members : tuple of str or None
        Classes of the conformal set; None for a regression, or without calibration.
    unlike : float or None
        Score of unlikeness in units of its threshold; None without calibration.
    """

    identifier: str
    file: str
    ra: float | None
    dec: float | None
    values: tuple[float, ...]
    spread: tuple[float | None, ...]
    members: tuple[str, ...] | None = None
    unlike: float | None = None


class Part(Message):
    """The results of one chunk of images.

    Parameters
    ----------
    rows : tuple of Prediction
        Images that could be used.
    skipped : tuple of SkippedImage
        Images that could not, with the reasons.
    """

    rows: tuple[Prediction, ...]
    skipped: tuple[SkippedImage, ...]


class Calibration(Message):
    """What was measured on the calibration images.

    Parameters
    ----------
    images : int
        Images that no network was trained on and at least one was validated on.
    temperatures : tuple of float
        Temperature of each network; empty for a regression.
    thresholds : tuple of float
        Largest conformal score of each class, or half-width of the interval of each target; may be infinite.
    unlike_level : float
        Fraction of ordinary images that are flagged as unlike.
    """

    images: int
    temperatures: tuple[float, ...]
    thresholds: tuple[float, ...]
    unlike_level: float


class Request(Message):
    """What the process that predicts is asked for.

    Parameters
    ----------
    job : Job
        The prediction.
    output : str
        Path of the table to be written, beside which the parts are kept.
    """

    job: Job
    output: str


class Progress(Message):
    """How far a prediction is.

    Parameters
    ----------
    stage : {"loading", "calibrating", "predicting"}
        What is being done.
    done, total : int
        Images that are finished, and all of them; 0 before any is read.
    """

    stage: Literal["loading", "calibrating", "predicting"]
    done: int = 0
    total: int = 0


class Outcome(Message):
    """The reply of the process that predicts; the predictions themselves are in the parts.

    Parameters
    ----------
    calibration : Calibration or None
        None if no calibration was asked for.
    """

    calibration: Calibration | None = None


class _Mark(Message):
    """Which job the parts beside it belong to."""

    digest: str


class PartialResults:
    """The folder beside the output that holds what is complete already.

    Parameters
    ----------
    output : Path
        Path of the table to be written.
    """

    def __init__(self, output: Path) -> None:
        self.folder = output.with_name(f".{output.name}.partial")

    def begin(self, job: Job) -> int:
        """Keep what an earlier call of the same job left and remove anything else; return how many parts there are."""
        wanted = _Mark(digest=job.digest).to_bytes()
        mark = self.folder / _JOB_FILE
        try:
            if self.folder.is_dir() and (not mark.is_file() or mark.read_bytes() != wanted):
                shutil.rmtree(self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(mark, wanted)
        except OSError as error:
            raise StorageError(f"{self.folder}: cannot be written: {error.strerror or error}") from error
        return sum(1 for _ in self._files())

    def has(self, number: int) -> bool:
        """Whether a part is complete."""
        return self._file(number).is_file()

    def write(self, number: int, part: Part) -> None:
        """Keep a complete part."""
        write_bytes(self._file(number), part.to_bytes())

    def parts(self) -> Iterator[Part]:
        """Yield the parts in their order."""
        for file in sorted(self._files()):
            try:
                yield Part.from_bytes(file.read_bytes())
            except (OSError, StorageError) as error:
                raise StorageError(f"{file}: cannot be read; remove it, and run the same command again") from error

    def remove(self) -> None:
        """Remove the folder once the table is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}.json"

    def _files(self) -> Iterator[Path]:
        return self.folder.glob("part-*.json")
