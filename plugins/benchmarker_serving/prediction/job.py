"""What a prediction is asked for, and the files that it leaves until it is complete, so that it can be resumed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from benchmarker import StorageError, digest_json, write_bytes

CHUNK = 512
"""Images that are read, prepared and predicted at a time; what is complete is kept in steps of it."""

_JOB_FILE = "job.json"
_CALIBRATION_FILE = "calibration.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
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
        return digest_json({**asdict(self), "chunk": CHUNK})

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the job that `to_json` described."""
        return cls(**{**value, "seeds": tuple(value["seeds"]), "weights": tuple(value["weights"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The results of one chunk of images.

    Parameters
    ----------
    rows : list of list
        Identifier, file, position and results of each image that could be used.
    skipped : list of list of str
        Name and reason of each that could not.
    """

    rows: list[list[Any]]
    skipped: list[list[str]]


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
        wanted = json.dumps({"digest": job.digest}).encode()
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
        write_bytes(self._file(number), json.dumps(asdict(part)).encode())

    def parts(self) -> Iterator[Part]:
        """Yield the parts in their order."""
        for file in sorted(self._files()):
            try:
                yield Part(**json.loads(file.read_bytes()))
            except (OSError, ValueError, TypeError) as error:
                raise StorageError(f"{file}: cannot be read; remove it, and run the same command again") from error

    def keep_calibration(self, calibration: Mapping[str, Any]) -> None:
        """Keep the calibration for later calls."""
        write_bytes(self.folder / _CALIBRATION_FILE, json.dumps(calibration).encode())

    def remove(self) -> None:
        """Remove the folder once the table is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}.json"

    def _files(self) -> Iterator[Path]:
        return self.folder.glob("part-*.json")
