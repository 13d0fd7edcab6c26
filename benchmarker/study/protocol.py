"""What passes between a worker and its parent: a job on standard input, and events on standard output.

Each is one line of JSON. All events but steps are also kept in the run's ``events.jsonl``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter

from benchmarker.claims import Claim, require_current, require_shared
from benchmarker.contracts.settings import Split
from benchmarker.record import Record, WrittenOut
from benchmarker.study.layout import Checkpoint, RunPaths
from benchmarker.study.plan import PlannedCell, PlannedGenerator
from benchmarker.study.space import DiskSpace
from benchmarker.study.specs import GeneratorSpec


class ClaimTicket(Record):
    """The claim that a job is worked on under: a worker must not finish anything once that is lost."""

    path: Path
    """What is claimed."""

    number: int
    """Generation of the claim."""

    token: str
    """Its name."""

    uses: tuple[Path, ...] = ()
    """Files of the shares that the work relies on."""

    @classmethod
    def of(cls, claim: Claim) -> Self:
        """Return the ticket of a claim."""
        uses = tuple(use.file.absolute() for use in claim.uses)
        return cls(path=claim.path.absolute(), number=claim.number, token=claim.token, uses=uses)

    def require(self) -> None:
        """Make sure that no other process has taken over, and that none has taken what the work relies on.

        Raises
        ------
        LostClaimError
            If one has.
        """
        require_current(self.path, self.number, self.token)
        for file in self.uses:
            require_shared(file)


class _Job(Record):
    """What all jobs have in common."""

    prepared: Path
    """Folder of the prepared data."""

    paths: RunPaths
    """Absolute paths of the run."""

    claim: ClaimTicket | None = None
    """Claim that it is worked on under; an audit has none."""

    def require_claim(self) -> None:
        """Make sure that no other process has taken over the job.

        Raises
        ------
        LostClaimError
            If one has.
        """
        if self.claim is not None:
            self.claim.require()


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

    kind: Literal["cell"] = "cell"
    """Tells the job of a cell from that of a generator."""

    cell: PlannedCell
    """Cell to run."""

    weights: dict[Checkpoint, Path] | None = None
    """Files of saved weights to test instead of training."""

    generator: GeneratorRun | None = None
    """Generator whose images the cell is trained on, where there is one."""

    @property
    def planned(self) -> PlannedCell:
        """What is run."""
        return self.cell

    @property
    def folder(self) -> Path:
        """Folder that is written to; a test of saved weights leaves that of an interrupted training alone."""
        return self.paths.working if self.weights is None else self.paths.tested


class GeneratorJob(_Job):
    """Train a generator."""

    kind: Literal["generator"] = "generator"
    """Tells the job of a generator from that of a cell."""

    generator: PlannedGenerator
    """Generator to train."""

    split: WrittenOut[Split]
    """How the training part is found: a generator's key depends on what is in it, not on how it was drawn."""

    cache: bool
    """Whether a generator that another study trained will do."""

    @property
    def planned(self) -> PlannedGenerator:
        """What is run."""
        return self.generator

    @property
    def folder(self) -> Path:
        """Folder that is written to."""
        return self.paths.working


class LanesJob(Record):
    """Train several seeds of a network in one process, which gets its cells one by one as `LaneOrder`."""

    kind: Literal["lanes"] = "lanes"
    """Tells it from a job."""

    backend: str
    """Name of the backend."""

    of: int
    """Number of lanes."""


class LaneOrder(Record):
    """Train a cell in a lane; a line on the standard input of a process of lanes."""

    lane: int
    """Number of the lane, counted from 0."""

    job: CellJob
    """What is trained."""


class LaneWord(Record):
    """What a lane says: a line on the standard output of a process of lanes."""

    lane: int
    """Number of the lane, counted from 0."""

    line: str = ""
    """An event as JSON."""

    ended: int | None = None
    """Exit code of the lane, whose cell has ended."""


Job = CellJob | GeneratorJob
FIRST: TypeAdapter[Job | LanesJob] = TypeAdapter(Annotated[Job | LanesJob, Field(discriminator="kind")])
JOB: TypeAdapter[Job] = TypeAdapter(Annotated[Job, Field(discriminator="kind")])


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


class Scoring(Record):
    """A checkpoint is being tested."""

    event: Literal["testing"] = "testing"

    checkpoint: Checkpoint
    """Weights that are tested."""


class Note(Record):
    """Something that the user should know."""

    event: Literal["message"] = "message"

    text: str
    """One sentence."""


class Waiting(Record):
    """The worker begins to wait for another process's work, or has waited; that time is not its own."""

    event: Literal["waiting"] = "waiting"

    what: str
    """What it waits for, such as ``"the generator, which another study trains"``."""

    over: bool
    """Whether it has waited."""


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


Event = Built | Resumed | StepDone | EpochDone | Scoring | Note | Waiting | Failed | Finished
EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])

EventHandler = Callable[[Event], None]
"""Takes an event: sends it to the parent in a worker, shows it there."""


@contextmanager
def waiting(what: str, send: EventHandler) -> Iterator[None]:
    """Tell the parent that what happens within the block is waiting for another process."""
    send(Waiting(what=what, over=False))
    try:
        yield
    finally:
        send(Waiting(what=what, over=True))
