"""The job that a worker is started with, as one line of JSON on its standard input."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from benchmarker.contracts.settings import Split
from benchmarker.study.plan import PlannedCell, PlannedGenerator
from benchmarker.study.record import Record, WrittenOut
from benchmarker.study.runs import Checkpoint
from benchmarker.study.specs import GeneratorSpec


class _Job(Record):
    """What all jobs have in common."""

    prepared: Path
    """Folder of the prepared data."""

    folder: Path
    """Folder that the run is written to."""

    finished: Path
    """Name of the folder once the run has finished."""

    failed: Path
    """Name of the folder once the run has failed."""


class GeneratorRun(Record):
    """The finished run of the generator whose images a cell is trained on."""

    spec: GeneratorSpec
    """Specification of the generator."""

    folder: Path
    """Folder of its run."""

    samples: Path | None = None
    """Where its images are kept instead of the cache; an audit draws its own."""


class CellJob(_Job):
    """Train or test the network of a cell."""

    kind: Literal["cell"]
    """Tells the job of a cell from that of a generator."""

    cell: PlannedCell
    """Cell to run."""

    weights: dict[Checkpoint, Path] | None = None
    """Files of saved weights to test instead of training."""

    generator: GeneratorRun | None = None
    """Generator whose images the cell is trained on, where there is one."""


class GeneratorJob(_Job):
    """Train a generator."""

    kind: Literal["generator"]
    """Tells the job of a generator from that of a cell."""

    generator: PlannedGenerator
    """Generator to train."""

    split: WrittenOut[Split]
    """How the training part is found: a generator's key depends on what is in it, not on how it was drawn."""

    cache: bool
    """Whether a generator that another study trained will do."""


Job = Annotated[CellJob | GeneratorJob, Field(discriminator="kind")]
JOB: TypeAdapter[CellJob | GeneratorJob] = TypeAdapter(Job)
