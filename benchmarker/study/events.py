"""The events that a worker sends to its parent, one JSON object a line; all but steps are kept in ``events.jsonl``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from benchmarker.study.record import Record


class DiskSpace(Record):
    """Disk that a run needs, in bytes."""

    kept: int
    """Bytes of the finished run: weights, predictions, logs."""

    peak: int
    """Largest number of bytes while it works: snapshots hold the network, its optimiser and the best weights so far."""


class Built(Record):
    """The network or generator was built, under its stream."""

    event: Literal["built"] = "built"

    digests: dict[str, str]
    """SHA-256 of data, split and initial weights by name."""

    space: DiskSpace
    """Disk that the run needs."""


class Resumed(Record):
    """The training continues from a snapshot."""

    event: Literal["resumed"] = "resumed"

    epoch: int
    """Epochs that are done."""

    epochs: int
    """Epochs of the whole training."""


class StepDone(Record):
    """Some gradient steps of an epoch are done; sent a few times each second."""

    event: Literal["step"] = "step"

    epoch: int
    """Epoch, counted from 1."""

    done: int
    """Steps that are done."""

    total: int
    """Steps of the epoch."""


class EpochDone(Record):
    """An epoch is done."""

    event: Literal["epoch"] = "epoch"

    epoch: int
    """Epoch, counted from 1."""

    epochs: int
    """Epochs of the whole training."""

    values: dict[str, float]
    """Row of the history, ``seconds`` and ``images_per_second``."""


class Testing(Record):
    """A checkpoint is being tested."""

    event: Literal["testing"] = "testing"

    checkpoint: Literal["best", "final"]
    """Weights that are tested."""


class Note(Record):
    """Something that the user should know."""

    event: Literal["message"] = "message"

    text: str
    """One sentence."""


class Failed(Record):
    """The run failed; its manifest says the same."""

    event: Literal["failed"] = "failed"

    kind: str
    """Kind of the failure."""

    message: str
    """What went wrong."""


class Finished(Record):
    """The run is complete but for its manifest."""

    event: Literal["finished"] = "finished"


Event = Annotated[
    Built | Resumed | StepDone | EpochDone | Testing | Note | Failed | Finished, Field(discriminator="event")
]
EVENT: TypeAdapter[Built | Resumed | StepDone | EpochDone | Testing | Note | Failed | Finished] = TypeAdapter(Event)
