"""The trail of a run as a file, and what its links hold; ``docs/reference/trail.md`` describes what each covers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from benchmarker.contracts.generation import ConditionSpace
from benchmarker.errors import StorageError
from benchmarker.record import Record
from benchmarker.study.specs import Spec
from benchmarker.trail import TRAIL_FILE, Link, Trail


class TrailFile(Record):
    """``trail.json``."""

    format: Literal[1] = 1
    """Format of the file."""

    links: tuple[Link, ...]
    """Links, the first one first."""


def write_trail(folder: Path, trail: Trail) -> None:
    """Write the trail of a run into its folder.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    TrailFile(links=trail.links).write(folder / TRAIL_FILE)


def read_trail(folder: Path) -> Trail:
    """Read the trail of a run; whether it is unbroken is for the caller to check.

    Raises
    ------
    StorageError
        If there is none, or it is not a trail of this version.
    """
    path = folder / TRAIL_FILE
    if not path.exists():
        raise StorageError(f"{path}: there is no trail; only runs that were trained have one")
    return Trail(TrailFile.read(path).links)


class CellLink(Record):
    """Link ``cell``, of cells and of generators."""

    key: str
    """SHA-256 of the specification."""

    spec: Spec
    """Everything that may change the result."""


class DigestLink(Record):
    """Links of one digest: ``data``, ``split``, ``initial weights``, ``metrics``; of generators ``final weights``."""

    digest: str
    """SHA-256 of what the link is named after."""


class TrainingSetLink(Record):
    """Links ``training set`` of a cell or of a generator with expansions, and ``training part`` of a generator."""

    digest: str
    """SHA-256 of all images with their targets; of a training set after generated images and expansions."""

    images: int
    """Number of images."""


class GeneratorLink(Record):
    """Link ``generator`` of a cell that is trained on generated images."""

    key: str
    """Key of the generator."""

    weights: str
    """SHA-256 of the weights that images are drawn with."""

    epoch: int | None = None
    """Epoch of these weights; left out for the last one."""


class EpochLink(Record):
    """Links ``epoch 1``, ``epoch 2`` ... of a cell: digests of what was when the epoch had ended."""

    order: str
    """SHA-256 of the permutation of the training set."""

    draws: str
    """SHA-256 of the numbers that transforms drew."""

    generated: str | None = None
    """SHA-256 of the images that were generated for the epoch; left out where they are drawn once."""

    weights: str
    """SHA-256 of the network's weights."""

    random_state: str
    """SHA-256 of all other variables of the network."""

    optimiser: str
    """SHA-256 of the optimiser's variables."""

    metrics: dict[str, float]
    """Row of the history."""


class GeneratorEpochLink(Record):
    """Links ``epoch 1``, ``epoch 2`` ... of a generator."""

    order: str
    """SHA-256 of the permutation of the training part."""

    draws: str
    """SHA-256 of the random inputs of all steps, and of the numbers that transforms drew."""

    variables: str
    """SHA-256 of everything that training changes."""

    metrics: dict[str, float]
    """Row of the history."""


class WeightsLink(Record):
    """Links ``best weights`` and ``final weights`` of a cell."""

    digest: str
    """SHA-256 of the weights."""

    epoch: int
    """Epoch after which they were saved, counted from 1."""


class PredictionsLink(Record):
    """Link ``predictions``."""

    best: str
    """SHA-256 of the bytes of ``predictions_best.csv``."""

    final: str
    """SHA-256 of the bytes of ``predictions_final.csv``."""


class ConditionsLink(Record):
    """Link ``conditions`` of a generator: what its images are generated for."""

    classes: tuple[str, ...]
    """Names of the classes; empty where the class is no condition."""

    attributes: tuple[str, ...]
    """Names of the continuous conditions."""

    units: tuple[str, ...]
    """Units of the continuous conditions, in the notation of `astropy.units`."""

    means: tuple[float, ...]
    """Means of the continuous conditions in the training part, in their units."""

    deviations: tuple[float, ...]
    """Standard deviations of the continuous conditions in the training part, in their units."""

    @classmethod
    def of(cls, space: ConditionSpace) -> ConditionsLink:
        """Return the link of a condition space."""
        return cls(
            classes=space.classes,
            attributes=space.attributes,
            units=space.units,
            means=space.means,
            deviations=space.deviations,
        )

    @property
    def space(self) -> ConditionSpace:
        """The condition space."""
        return ConditionSpace(
            classes=self.classes,
            attributes=self.attributes,
            units=self.units,
            means=self.means,
            deviations=self.deviations,
        )
