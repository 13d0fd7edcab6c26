"""What a running study reports to those who watch it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, Self

from benchmarker.contracts.images import SkippedImage
from benchmarker.study.plan import Planned, PlannedCell
from benchmarker.study.runs import CellMetrics, GeneratorMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    """A cell or a generator, as observers show it.

    Parameters
    ----------
    key, model, architecture, arm, seed
        As in the plan; of a generator its label, its plugin, ``"generator"`` and its seed.
    generator : bool
        Whether this is a generator.
    """

    key: str
    model: str
    architecture: str
    arm: str
    seed: int
    generator: bool = False

    @classmethod
    def of(cls, planned: Planned) -> Self:
        """Return the view of a cell or generator of a plan."""
        if isinstance(planned, PlannedCell):
            return cls(
                key=planned.key,
                model=planned.model,
                architecture=planned.architecture,
                arm=planned.arm,
                seed=planned.seed,
            )
        return cls(
            key=planned.key,
            model=planned.label,
            architecture=planned.plugin,
            arm=planned.arm,
            seed=planned.seed,
            generator=True,
        )

    @property
    def name(self) -> str:
        """Model, arm and seed, as ``benchmarker show`` takes them."""
        return f"{self.model}/{self.arm}/{self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellOutcome:
    """How the run of a cell or generator ended.

    Parameters
    ----------
    status : {"ok", "failed"}
        Whether it has results.
    kind, message : str
        Kind and message of the failure; empty otherwise.
    metrics : CellMetrics, GeneratorMetrics or None
        Contents of the run's ``metrics.json``; None if it failed.
    reused : bool
        Whether an existing run was found, and nothing trained.
    retriable : bool
        Whether the machine failed and not the network: killed, out of memory, out of time; or perhaps another network.
    suspected : bool
        Whether it is not known which of the cells that shared a process ended it.
    bystander : bool
        Whether its process was ended for another cell, so that this was no attempt of its own.
    """

    status: Literal["ok", "failed"]
    kind: str = ""
    message: str = ""
    metrics: CellMetrics | GeneratorMetrics | None = None
    reused: bool = False
    retriable: bool = False
    suspected: bool = False
    bystander: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSummary:
    """The prepared data of a study.

    Parameters
    ----------
    name : str
        Name of the dataset.
    n_images : int
        Number of images that can be used.
    shape : tuple of int
        Height, width and channels of an image, in pixels.
    skipped : tuple of SkippedImage
        Images that were left out, with reasons.
    parts : mapping of str to int
        Images in the training, validation and test part under the first seed.
    class_counts : mapping of str to int
        Images of each class; empty for a regression.
    """

    name: str
    n_images: int
    shape: tuple[int, int, int]
    skipped: tuple[SkippedImage, ...]
    parts: Mapping[str, int]
    class_counts: Mapping[str, int] = field(default_factory=dict)


class Observer(Protocol):
    """Watches a running study; called by any thread, but by one at a time. Several cells may be running at once."""

    def data_progress(self, description: str, done: int, total: int | None) -> None:
        """Images are being prepared."""

    def data_ready(self, summary: DataSummary) -> None:
        """The data are prepared and split."""

    def study_started(self, cells: Sequence[CellView], finished: int) -> None:
        """The plan is written; ``finished`` of its cells and generators have existing runs."""

    def cell_started(self, cell: CellView) -> None:
        """A cell's process was started."""

    def cell_step(self, cell: CellView, epoch: int, done: int, total: int) -> None:
        """Some gradient steps of an epoch (counted from 1) are done; at most a few times each second."""

    def cell_epoch(self, cell: CellView, epoch: int, epochs: int, values: Mapping[str, float]) -> None:
        """An epoch (counted from 1) is done; ``values`` is its row of the history and ``images_per_second``."""

    def cell_finished(self, cell: CellView, outcome: CellOutcome) -> None:
        """A cell ended, or an existing run of it was found."""

    def message(self, text: str) -> None:
        """Something that the user should know."""
