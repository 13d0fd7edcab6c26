"""The JSON files of a run folder: manifest, metrics, costs, and what the training of a generator leaves."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, TypeAdapter

from benchmarker.record import Record, read_as
from benchmarker.study.fingerprint import Fingerprint
from benchmarker.study.layout import MANIFEST_FILE, Checkpoint
from benchmarker.study.plan import PartSizes, PrimaryMetricRecord


def _time(text: str) -> str:
    if (time := datetime.fromisoformat(text)).tzinfo is None or time.year < 1970:
        raise ValueError("a time since 1970 with its offset from UTC was expected")
    return text


def _square(matrix: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    if any(len(row) != len(matrix) for row in matrix):
        raise ValueError("as many columns as rows were expected")
    return matrix


# Damaged files, and files that somebody edited, may hold any number. These fit into arrays and can be averaged.
Count = Annotated[int, Field(ge=0, lt=2**63)]
Time = Annotated[str, AfterValidator(_time)]


class _Manifest(Record):
    """What manifests of finished and of failed runs have in common."""

    format: Literal[1] = 1
    """Format of the manifest."""

    key: str
    """Key of the cell or generator."""

    configuration: str = ""
    """Its configuration; empty in runs of the first versions."""

    model: str
    """How tables call the network, or the generator."""

    architecture: str
    """Name of the architecture, or of the generator's plugin."""

    arm: str
    """How tables call the arm; ``"generator"`` for a generator."""

    seed: int
    """Seed of every stream."""

    started: Time | None = None
    """Start of the last attempt in ISO 8601, UTC; left out where no worker was started."""


class FinishedManifest(_Manifest):
    """``manifest.json`` of a run that finished."""

    status: Literal["ok"] = "ok"
    """Tells a finished run from a failed one."""

    trained: bool
    """Whether the run trained the network. False if it tested saved weights, or copied a generator from the cache."""

    fingerprint: Fingerprint
    """What of the environment may have changed bits."""

    digests: dict[str, str]
    """SHA-256 of data, split, weights and predictions by name."""

    trail: str | None = None
    """Digest of the last link of the trail; left out by runs without one."""

    finished: Time
    """End of the run in ISO 8601, UTC."""


class FailedManifest(_Manifest):
    """``manifest.json`` of a run that failed."""

    status: Literal["failed"] = "failed"
    """Tells a failed run from a finished one."""

    kind: str
    """Kind of the failure, such as ``"diverged"`` or ``"out-of-memory"``."""

    message: str
    """What went wrong."""

    traceback: str = ""
    """Traceback of the exception; empty where there was none."""

    finished: Time
    """End of the run in ISO 8601, UTC."""


Manifest = FinishedManifest | FailedManifest
MANIFEST: TypeAdapter[Manifest] = TypeAdapter(Annotated[Manifest, Field(discriminator="status")])


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a run.

    Raises
    ------
    StorageError
        If it cannot be read.
    """
    return read_as(folder / MANIFEST_FILE, MANIFEST.validate_python)


class ClassScores(Record):
    """Scores of one class."""

    precision: float
    """Fraction of the images called this class that are of it."""

    recall: float
    """Fraction of the images of this class that are called so."""

    f1: float
    """Harmonic mean of precision and recall."""

    support: Count
    """Number of test images of this class."""


class NormalisedClassScores(Record):
    """Scores of one class from the row-normalised confusion matrix, in which every class counts the same."""

    precision: float
    """Diagonal element over the sum of its column."""

    f1: float
    """Harmonic mean of this precision and the recall."""


class TargetScores(Record):
    """Errors of one target of a regression, in its unit; `loss` is in the unit squared."""

    unit: str
    """Unit of the target, in the notation of `astropy.units`."""

    mean_absolute_error: float
    """Mean of the absolute errors."""

    root_mean_squared_error: float
    """Square root of the mean squared error."""

    median_absolute_error: float
    """Median of the absolute errors."""

    bias: float
    """Mean of prediction minus truth."""

    loss: float
    """Mean squared error."""


class CheckpointMetrics(Record):
    """Scores of one checkpoint of a network."""

    train: dict[str, float]
    """Scores on the real images of the training part."""

    validation: dict[str, float]
    """Scores on the validation part."""

    collapsed: str | None = None
    """The class that the network gives every validation image; left out where it tells classes apart."""

    test: dict[str, float]
    """Scores on the test part."""

    confusion_matrix: Annotated[tuple[tuple[Count, ...], ...], AfterValidator(_square)] | None = None
    """Test images by true class (row) and predicted class (column)."""

    confusion_matrix_normalised: tuple[tuple[float, ...], ...] | None = None
    """The same, with rows that sum to 1."""

    per_class: dict[str, ClassScores] | None = None
    """Scores of each class of a classification on the test part."""

    per_class_normalised: dict[str, NormalisedClassScores] | None = None
    """Precision and F1 as Becker et al. 2021 give them; left out by runs of earlier versions."""

    per_target: dict[str, TargetScores] | None = None
    """Errors of each target of a regression on the test part."""

    ratios: dict[str, float]
    """Training score over validation score: far from 1 where a network overfits. Earlier versions wrote the inverse."""

    epoch: Count
    """Epoch after which the weights were saved, counted from 1; 0 where it is unknown."""


class CellMetrics(Record):
    """``metrics.json`` of a cell."""

    primary: PrimaryMetricRecord
    """Metric to rank by."""

    parts: PartSizes
    """Images in each part."""

    best: CheckpointMetrics | None = None
    """Scores of the epoch with the lowest validation loss."""

    final: CheckpointMetrics | None = None
    """Scores of the last epoch."""

    @property
    def checkpoints(self) -> dict[Checkpoint, CheckpointMetrics]:
        """The checkpoints that were tested."""
        found: dict[Checkpoint, CheckpointMetrics | None] = {"best": self.best, "final": self.final}
        return {name: metrics for name, metrics in found.items() if metrics is not None}


class GeneratorMetrics(Record):
    """``metrics.json`` of a generator."""

    primary: None
    """Generators are not ranked."""

    epochs: Count
    """Epochs of the training."""

    final: dict[str, float]
    """Last row of the history."""

    quality: dict[str, Any] | None
    """What the plugin measured on samples and held-out images; null where it measures nothing."""


class NetworkParameters(Record):
    """Numbers of parameters of a network."""

    total: Count
    """All parameters."""

    trainable: Count
    """Parameters that training changes."""

    convolutional: Count
    """Parameters of convolutional layers."""

    dense: Count
    """Parameters of dense layers."""

    flatten_width: Count | None = None
    """Length of the longest vector that a `Flatten` layer makes; left out where none does."""


class CellCosts(Record):
    """``costs.json`` of a cell."""

    parameters: NetworkParameters
    """Numbers of parameters."""

    flops: Count | None
    """Floating-point operations of one image's forward pass; null where they are unknown."""

    peak_memory_bytes: Count
    """Largest resident memory of the process, in bytes."""

    peak_device_memory_bytes: Count | None = None
    """Largest memory of the backend's arrays on its first GPU, in bytes; left out without a GPU."""

    training_seconds: float | None = None
    """Time of all epochs in seconds; left out where saved weights were tested."""

    training_images_per_second: float | None = None
    """Images trained on per second; left out where saved weights were tested."""

    inference_seconds: tuple[float, ...]
    """Time of each repetition of the prediction, in seconds."""

    inference_images: Count
    """Images of one repetition."""

    inference_images_per_second: float
    """Images predicted per second."""


class GeneratorParameters(Record):
    """Numbers of parameters of a generator."""

    total: Count
    """All variables that training changes."""

    sampling: Count
    """Variables that sampling needs."""


class GeneratorTrainingCosts(Record):
    """What the training of a generator cost where it was trained."""

    parameters: GeneratorParameters
    """Numbers of parameters."""

    peak_memory_bytes: Count
    """Largest resident memory of the process, in bytes."""

    peak_device_memory_bytes: Count | None = None
    """Largest memory of the backend's arrays on its first GPU, in bytes; left out without a GPU."""

    training_seconds: float
    """Time of all epochs in seconds."""

    training_images_per_second: float
    """Images trained on per second."""


class GeneratorCosts(GeneratorTrainingCosts):
    """``costs.json`` of a generator."""

    trained: bool
    """Whether this study trained it; false for a copy from the cache."""

    @classmethod
    def of(cls, training: GeneratorTrainingCosts, *, trained: bool) -> Self:
        """Return the costs of a generator, which are those of its training wherever that was."""
        measured = {name: getattr(training, name) for name in training.model_fields_set}
        return cls(**measured, trained=trained)


class GeneratorTrainingRecord(Record):
    """``training.json`` of a generator: what its training leaves beside weights and samples."""

    final: dict[str, float]
    """Last row of the history."""

    costs: GeneratorTrainingCosts
    """What the training cost."""

    pixel_range: tuple[float, float] = (0.0, 1.0)
    """Smallest and largest pixel value of the training part, in the unit of the prepared images."""
