"""What a run tells those who watch it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from benchmarker.contracts.images import SkippedImage


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    """A cell, as people know it.

    Parameters
    ----------
    key, model, architecture, arm, seed
        As in the plan.
    generator : bool
        Whether it trains a generator that cells need, and no network.
    """

    key: str
    model: str
    architecture: str
    arm: str
    seed: int
    generator: bool = False

    @property
    def name(self) -> str:
        """Model, arm and seed, as ``benchmarker show`` takes them."""
        return f"{self.model}/{self.arm}/{self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellOutcome:
    """How a cell ended.

    Parameters
    ----------
    status : {"ok", "failed"}
        Whether it has results.
    kind, message : str
        Of the failure; empty otherwise.
    metrics : mapping
        Contents of the run's ``metrics.json``; empty if it failed.
    reused : bool
        Whether a run was found that had ended before, and nothing trained.
    retriable : bool
        Whether the machine failed and not the network: killed, out of memory, out of time.
    """

    status: Literal["ok", "failed"]
    kind: str = ""
    message: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    reused: bool = False
    retriable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSummary:
    """The prepared data of a study.

    Parameters
    ----------
    name : str
        Of the dataset.
    n_images : int
        That can be used.
    shape : tuple of int
        Height, width and channels.
    skipped : tuple of SkippedImage
        Left out, with reasons.
    parts : mapping of str to int
        Images in the training, validation and test part under the first seed.
    """

    name: str
    n_images: int
    shape: tuple[int, int, int]
    skipped: tuple[SkippedImage, ...]
    parts: Mapping[str, int]


class Observer(Protocol):
    """Watches a run, and shows it; told one thing at a time, by any thread. Several cells may be at work at once."""

    def data_progress(self, description: str, done: int, total: int | None) -> None:
        """Images are being prepared."""

    def data_ready(self, summary: DataSummary) -> None:
        """The data are prepared and split."""

    def study_started(self, cells: Sequence[CellView], finished: int) -> None:
        """The plan is written; ``finished`` of its cells and generators are found done."""

    def cell_started(self, cell: CellView) -> None:
        """A cell's process was started."""

    def cell_step(self, cell: CellView, epoch: int, done: int, total: int) -> None:
        """Some gradient steps of an epoch (counted from 1) are done; at most a few times each second."""

    def cell_epoch(self, cell: CellView, epoch: int, epochs: int, values: Mapping[str, float]) -> None:
        """An epoch (counted from 1) is done; ``values`` is its row of the history and ``images_per_second``."""

    def cell_finished(self, cell: CellView, outcome: CellOutcome) -> None:
        """A cell ended, or was found finished."""

    def message(self, text: str) -> None:
        """Something that the user should know."""
