"""Members of the ensemble, and what passes between processes and files while they are trained.

Each is a model of JSON: the process that trains a member takes a `TrainingJob` and sends the `History` after each
iteration, which is also the content of ``..._evalDict.json``, with the names of the original.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One network of the ensemble: a model trained on one training set.

    Parameters
    ----------
    model : {"model4", "model5", "model6"}
        Network.
    number : int
        0 for the whole training part, 1, 2, ... for a sub-sample.
    """

    model: Annotated[str, Field(pattern=r"^model[456]$")]
    number: int

    @property
    def stem(self) -> str:
        """Beginning of the names of all its files."""
        return f"Uset_{self.number:03d}_{self.model}"

    def folder(self, models: Path) -> Path:
        """Return the folder of its weights and metrics."""
        return models / f"{self.stem}_ckpt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How a member is trained.

    Parameters
    ----------
    size : int
        Height and width of the images in pixels.
    n_batches : int
        Number of batch files of the training set.
    rounds : int
        How often each file is used.
    batch_size : int
        Images of a gradient step.
    seed : int
        Seed of initial weights, dropout and order of images.
    threads : int
        Threads that one operation may use.
    """

    size: int
    n_batches: int
    rounds: int
    batch_size: int
    seed: int
    threads: int = 2


class _Message(BaseModel):
    """Base of what passes between processes: unknown names are refused, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that ``model_validate`` reads."""
        return self.model_dump(mode="json", by_alias=True)


class Iteration(_Message):
    """One pass over one batch file; errors are in units of the target, of which 1 is 22.5 degrees."""

    loss: float
    """Loss in the training, which is the mean square error."""

    mse: float
    """Mean square error in the training."""

    mae: float
    """Mean absolute error in the training."""

    validation_loss: Annotated[float, Field(alias="val_loss")]
    """Loss of the held-out images."""

    validation_mse: Annotated[float, Field(alias="val_mse")]
    """Mean square error of the held-out images."""

    validation_mae: Annotated[float, Field(alias="val_mae")]
    """Mean absolute error of the held-out images."""

    batch_number: Annotated[int, Field(alias="batchNo", ge=0)]
    """Number of the batch file, counted from 0."""

    batch_file: Annotated[str, Field(alias="batchFile")]
    """Name of the batch file."""


History = dict[int, Iteration]
"""Iterations by their numbers, counted from 0."""

_HISTORY = TypeAdapter(History)


def read_history(value: Any) -> History:
    """Return the history in a JSON object.

    Raises
    ------
    pydantic.ValidationError
        If it is none.
    """
    return _HISTORY.validate_python(value)


def write_history(history: Mapping[int, Iteration]) -> dict[str, dict[str, Any]]:
    """Return a history as a JSON object, with the names of the original.

    Examples
    --------
    >>> first = Iteration(loss=2, mse=2, mae=1, val_loss=3, val_mse=3, val_mae=1.5, batchNo=0, batchFile="a.npz")
    >>> list(write_history({0: first})["0"])
    ['loss', 'mse', 'mae', 'val_loss', 'val_mse', 'val_mae', 'batchNo', 'batchFile']
    """
    return {str(number): iteration.to_json() for number, iteration in history.items()}


class TrainingJob(_Message):
    """What the process that trains a member is asked for."""

    member: Member
    """Member to train."""

    schedule: Schedule
    """How it is trained."""

    batches: Path
    """Folder of the batch files."""

    samples: Path
    """Folder of the parts."""

    folder: Path
    """Folder of its weights and metrics."""

    order: tuple[int, ...]
    """Batch file of each iteration, counted from 0."""


class PredictionJob(_Message):
    """What the process that predicts with a member is asked for."""

    member: Member
    """Member whose network predicts."""

    schedule: Schedule
    """How it was trained."""

    samples: Path
    """Folder of the parts."""

    weights: Path
    """File of its weights."""
