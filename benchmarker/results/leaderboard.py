"""Leaderboards: metrics averaged over seeds, with the denominator that was planned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarker.results.labels import metric_label


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One metric over the seeds of a row.

    Parameters
    ----------
    mean : float
        Over the finished seeds.
    standard_deviation : float or None
        Of the sample (n - 1 in the denominator); None for a single value.
    n, planned : int
        Seeds that gave a value, and seeds in the plan.
    values : mapping of int to float
        Each seed's value, in the order of seeds.
    """

    mean: float
    standard_deviation: float | None
    n: int
    planned: int
    values: Mapping[int, float]

    @classmethod
    def of(cls, values: Mapping[int, float], *, planned: int) -> Summary:
        """Summarise one value for each seed; the order of the seeds changes no bit."""
        ordered = dict(sorted(values.items()))
        n = len(ordered)
        mean = math.fsum(ordered.values()) / n
        squares = math.fsum((value - mean) ** 2 for value in ordered.values())
        deviation = math.sqrt(squares / (n - 1)) if n > 1 else None
        return cls(mean=mean, standard_deviation=deviation, n=n, planned=planned, values=ordered)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardRow:
    """One model in one arm at one checkpoint, averaged over seeds.

    Parameters
    ----------
    rank : int or None
        From 1 among the rows of the same checkpoint; None where the row is not ranked.
    model, architecture, arm, checkpoint : str
        Checkpoints are ``"best"`` (by validation loss) and ``"final"``.
    variant : str
        What tells this row from another of the same model and arm, for example ``"epochs=30"``; usually empty.
    environment : str
        What tells the environment of these runs from that of others of the same plan, for example
        ``"tensorflow 2.21.0"``; usually empty. Results of two environments are never averaged.
    backend, precision : str
        That computed them.
    n, planned : int
        Finished seeds of this environment, and seeds in the plan.
    metrics, costs : mapping of str to Summary
        By flat name: ``"mean_per_class_accuracy"``, ``"train_loss"``, ``"recall_FRI"``; ``"parameters"``, ``"flops"``,
        ``"inference_images_per_second"``.
    keys : tuple of str
        Of the cells whose results were averaged, in the order of their seeds; `StudyResults.cells_of` returns them.
    untrained : int
        So many of them tested saved weights (``benchmarker run -o``): all or none, as their results prove nothing of
        training and are never averaged with others.
    """

    rank: int | None
    model: str
    architecture: str
    arm: str
    checkpoint: str
    variant: str
    backend: str
    precision: str
    n: int
    planned: int
    metrics: Mapping[str, Summary]
    costs: Mapping[str, Summary]
    environment: str = ""
    keys: tuple[str, ...] = ()
    untrained: int = 0

    @property
    def complete(self) -> bool:
        """Whether every planned seed has finished, in this environment."""
        return self.n == self.planned

    @property
    def label(self) -> str:
        """The model, and what tells it from another of the same name."""
        name = f"{self.model} ({self.variant})" if self.variant else self.model
        marks = ", ".join(filter(None, (self.environment, "saved weights" if self.untrained else "")))
        return f"{name} [{marks}]" if marks else name

    def summary(self, name: str) -> Summary | None:
        """Return a metric or cost by its flat name, or None where it was not measured."""
        return self.metrics.get(name) or self.costs.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCell:
    """A cell without a result.

    Parameters
    ----------
    model, arm : str
    seed : int
        Which cell.
    kind, message : str
        Kind of failure and one line.
    """

    model: str
    arm: str
    seed: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """A study's results, averaged over seeds.

    Parameters
    ----------
    title, dataset : str
        Heading, and the dataset's name.
    task : mapping
        The task's ``to_json``: its ``kind`` and classes or targets.
    images, skipped : int
        How many images the dataset holds, and how many more it could not use.
    primary : str
        The metric that the task is judged by.
    higher_is_better : bool
        Of the metric that rows are sorted by.
    sort : str
        The metric that rows are sorted by.
    checkpoints : tuple of str
        Those that have rows.
    rows : tuple of LeaderboardRow
        Checkpoint by checkpoint; ranked rows first, the others after them by name.
    ok, planned, pending : int
        Cells that finished, that were planned, and that have not been run.
    failed : tuple of FailedCell
        The others.
    notes : tuple of str
        What a reader should know.
    """

    title: str
    dataset: str
    task: Mapping[str, Any]
    images: int
    skipped: int
    primary: str
    higher_is_better: bool
    sort: str
    checkpoints: tuple[str, ...]
    rows: tuple[LeaderboardRow, ...]
    ok: int
    planned: int
    pending: int
    failed: tuple[FailedCell, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def task_kind(self) -> str:
        """``"classification"`` or ``"regression"``."""
        return str(self.task.get("kind", ""))

    @property
    def denominator(self) -> str:
        """One line that says how much of the plan is in this table."""
        parts = [f"{self.ok} of {self.planned} cells finished"]
        if self.failed:
            parts.append(f"{len(self.failed)} failed")
        if self.pending:
            parts.append(f"{self.pending} pending")
        return ", ".join(parts)

    @property
    def headline_metrics(self) -> tuple[str, ...]:
        """The metrics that a narrow table shows first: the sorted one, the primary one and its usual companion."""
        companion = "macro_f1" if self.task_kind == "classification" else "root_mean_squared_error"
        return tuple(dict.fromkeys((self.sort, self.primary, companion)))

    def unit(self, metric: str) -> str:
        """Return the unit of a regression's error, or an empty string."""
        units = {str(target.get("unit", "")) for target in self.task.get("targets", ())}
        return units.pop() if metric.endswith("_error") and len(units) == 1 else ""

    def at(self, checkpoint: str) -> tuple[LeaderboardRow, ...]:
        """Return the rows of one checkpoint."""
        return tuple(row for row in self.rows if row.checkpoint == checkpoint)


def write_summary(name: str, summary: Summary | None) -> str:
    """Return a summary as tables show it: mean, and the standard deviation where there is one."""
    if summary is None:
        return "-"
    label = metric_label(name)
    mean = label.write(summary.mean)
    # A count that is the same for every seed says nothing by its deviation.
    if summary.standard_deviation is None or (label.digits < 0 and summary.standard_deviation == 0):
        return mean
    return f"{mean} ± {label.write(summary.standard_deviation)}"
