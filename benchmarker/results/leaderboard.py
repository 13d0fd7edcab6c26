"""Leaderboards: metrics averaged over seeds and ranked, with the planned number of seeds as the denominator."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from benchmarker.contracts.tasks import Regression, Task
from benchmarker.errors import ConfigurationError
from benchmarker.results.grouping import (
    Group,
    planned_groups,
    split_by_environment,
    split_by_training,
)
from benchmarker.results.index import PackedTable
from benchmarker.results.metrics import Summary, higher_is_better
from benchmarker.results.notes import notes_of
from benchmarker.results.study import CellRecord, Study
from benchmarker.study.layout import CHECKPOINTS

if TYPE_CHECKING:
    from benchmarker.evaluation.ensembles import Combination


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardRow:
    """One model in one arm at one checkpoint, averaged over seeds.

    Parameters
    ----------
    rank : int or None
        Rank among the rows of the same checkpoint, from 1; None where the row is not ranked.
    model, architecture, arm, checkpoint : str
        The checkpoint is ``"best"`` (lowest validation loss) or ``"final"``.
    variant : str
        Settings that distinguish this row from another of the same model and arm, such as ``"epochs=30"``; usually
        empty.
    environment : str
        Difference between the environment of these runs and the others of the plan, such as ``"tensorflow 2.21.0"``;
        usually empty. Results of two environments are never averaged.
    backend, precision : str
        Backend and arithmetic of the runs.
    n, planned : int
        Number of finished seeds in this environment, and number of seeds in the plan.
    metrics, costs : mapping of str to Summary
        Summaries by flat name: ``"mean_per_class_accuracy"``, ``"train_loss"``, ``"recall_FRI"``; ``"parameters"``,
        ``"flops"``, ``"inference_images_per_second"``.
    keys : tuple of str
        Keys of the averaged cells in the order of their seeds; `StudyResults.cells_of` returns the cells.
    untrained : int
        Number of runs that tested saved weights (``benchmarker run -o``): all of them or none, because such results
        say nothing about training and are never averaged with others.
    ensemble : Combination, optional
        For the row of an ensemble, how its members are combined. Such rows come from `find_ensembles` and are in no
        `Leaderboard`: they have no rank, and no verdict is made about them.
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
    ensemble: Combination | None = None

    @property
    def complete(self) -> bool:
        """Whether every planned seed has finished in this environment."""
        return self.n == self.planned

    @property
    def label(self) -> str:
        """Name of the model, with whatever distinguishes the row from others of the same name."""
        name = f"{self.model} ({self.variant})" if self.variant else self.model
        if self.ensemble is not None:
            name = self.ensemble.label
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
        Names of the model and of the arm.
    seed : int
        Seed of the cell.
    kind, message : str
        Kind of failure, and one line about it.
    """

    model: str
    arm: str
    seed: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """Results of a study, averaged over seeds.

    Parameters
    ----------
    title, dataset : str
        Heading, and name of the dataset.
    task : Task
        What networks predict.
    images, skipped : int
        Number of images in the dataset, and number of images that could not be used.
    primary : str
        Metric that the task is judged by.
    higher_is_better : bool
        Whether larger values of ``sort`` are better.
    sort : str
        Metric or cost that rows are sorted by.
    checkpoints : tuple of str
        Checkpoints that have rows.
    rows : tuple of LeaderboardRow
        Rows of each checkpoint in turn; ranked rows first, the others after them by name.
    ok, planned, pending : int
        Numbers of cells that finished, that were planned, and that have not been run.
    failed : tuple of FailedCell
        Cells without a result.
    notes : tuple of str
        Notes for the reader.
    """

    title: str
    dataset: str
    task: Task
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
        return self.task.kind

    @property
    def denominator(self) -> str:
        """Share of the plan that this table covers, in one line."""
        parts = [f"{self.ok} of {self.planned} cells finished"]
        if self.failed:
            parts.append(f"{len(self.failed)} failed")
        if self.pending:
            parts.append(f"{self.pending} pending")
        return ", ".join(parts)

    @property
    def headline_metrics(self) -> tuple[str, ...]:
        """Metrics that a narrow table shows first: the sorted one, the primary one and its usual companion."""
        companion = "macro_f1" if self.task_kind == "classification" else "root_mean_squared_error"
        return tuple(dict.fromkeys((self.sort, self.primary, companion)))

    def unit(self, metric: str) -> str:
        """Return the unit of a regression's error, or an empty string."""
        units = {target.unit for target in self.task.targets} if isinstance(self.task, Regression) else set()
        return units.pop() if metric.endswith("_error") and len(units) == 1 else ""

    def at(self, checkpoint: str) -> tuple[LeaderboardRow, ...]:
        """Return the rows of one checkpoint."""
        return tuple(row for row in self.rows if row.checkpoint == checkpoint)


def build_leaderboard(
    study: Study,
    *,
    sort: str | None = None,
    checkpoints: Sequence[str] = CHECKPOINTS,
    include_incomplete: bool = False,
) -> Leaderboard:
    """Average a study's metrics over seeds, and rank the rows that are complete.

    Parameters
    ----------
    study : Study
        Study, as `read_study` returns it.
    sort : str, optional
        Metric or cost to sort by; the task's primary metric by default.
    checkpoints : sequence of {"best", "final"}
        Checkpoints that get rows.
    include_incomplete : bool
        Also rank rows whose seeds have not all finished.

    Raises
    ------
    ConfigurationError
        If no run has the metric to sort by.
    """
    primary = study.plan.primary
    planned = planned_groups(study)
    groups = [part for group in planned for one in split_by_environment(group) for part in split_by_training(one)]
    metric = _checked(sort, groups, primary.name)
    higher = primary.higher_is_better if metric == primary.name else higher_is_better(metric)
    rows: list[LeaderboardRow] = []
    runs = [_Runs.of(group) for group in groups]
    for checkpoint in checkpoints:
        unranked = [_row(each, checkpoint) for each in runs]
        rows.extend(_ranked(unranked, metric, higher=higher, include_incomplete=include_incomplete))
    return Leaderboard(
        title=study.title,
        dataset=study.dataset.name,
        task=study.task,
        images=study.dataset.images,
        skipped=len(study.skipped),
        primary=primary.name,
        higher_is_better=higher,
        sort=metric,
        checkpoints=tuple(checkpoints),
        rows=tuple(rows),
        ok=study.count("ok"),
        planned=len(study.cells),
        pending=study.count("pending"),
        failed=_failed(study),
        notes=notes_of(study, planned, checkpoints),
    )


def _failed(study: Study) -> tuple[FailedCell, ...]:
    failed = [cell for cell in study.cells if cell.status in {"failed", "unreadable"}]
    return tuple(
        FailedCell(model=cell.model, arm=cell.arm, seed=cell.seed, kind=cell.kind, message=cell.message)
        for cell in sorted(failed, key=lambda cell: (cell.model, cell.arm, cell.seed, cell.key))
    )


def _checked(sort: str | None, groups: Sequence[Group], primary: str) -> str:
    """Return the metric to sort by, which a run must have."""
    if sort is None or sort == primary:
        return primary
    known = {primary}
    for group in groups:
        for cell in group.finished:
            known.update(*cell.evaluations.values(), cell.cost_values)
    if sort in known:
        return sort
    close = difflib.get_close_matches(sort, sorted(known), n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(sorted(known))}."
    raise ConfigurationError(f"no finished run has a metric called {sort!r}: {hint}")


@dataclass(frozen=True, slots=True)
class _Runs:
    """What the rows of a group's checkpoints share: its finished runs by seed, their keys and their costs."""

    group: Group
    by_seed: Mapping[int, CellRecord]
    keys: tuple[str, ...]
    costs: Mapping[str, Summary]

    @classmethod
    def of(cls, group: Group) -> _Runs:
        by_seed = {cell.seed: cell for cell in group.finished}
        costs = {seed: cell.cost_values for seed, cell in by_seed.items()}
        return cls(
            group, by_seed, tuple(by_seed[seed].key for seed in sorted(by_seed)), _summaries(costs, len(group.cells))
        )


def _row(runs: _Runs, checkpoint: str) -> LeaderboardRow:
    group = runs.group
    first = group.cells[0]
    # All runs of a group share their environment.
    fingerprint = group.finished[0].fingerprint if group.finished else None
    planned = len(group.cells)
    metrics = {seed: cell.evaluations.get(checkpoint, {}) for seed, cell in runs.by_seed.items()}
    return LeaderboardRow(
        rank=None,
        model=first.model,
        architecture=first.architecture,
        arm=first.arm,
        checkpoint=checkpoint,
        variant=group.variant,
        environment=group.environment,
        backend=first.spec.backend if fingerprint is None else fingerprint.backend.name,
        precision=first.spec.training.precision if fingerprint is None else fingerprint.precision,
        n=len(group.finished),
        planned=planned,
        keys=runs.keys,
        untrained=_untrained(group),
        metrics=_summaries(metrics, planned),
        costs=runs.costs,
    )


def _untrained(group: Group) -> int:
    """Return how many runs tested saved weights: all or none, because the two are grouped apart."""
    return 0 if not group.finished or group.finished[0].trained else len(group.finished)


def _ranked(
    rows: Iterable[LeaderboardRow], metric: str, *, higher: bool, include_incomplete: bool
) -> list[LeaderboardRow]:
    ranked: list[tuple[float, str, str, str, LeaderboardRow]] = []
    others: list[LeaderboardRow] = []
    for row in rows:
        summary = row.summary(metric)
        if summary is not None and (include_incomplete or summary.n == summary.planned):
            ranked.append(
                (
                    -summary.mean if higher else summary.mean,
                    row.model,
                    row.arm,
                    f"{row.variant}\0{row.environment}\0{row.untrained}",
                    row,
                )
            )
        else:
            others.append(row)
    ranked.sort(key=lambda entry: entry[:4])
    result = [replace(entry[4], rank=number) for number, entry in enumerate(ranked, start=1)]
    return result + sorted(others, key=lambda row: (row.model, row.arm, row.variant, row.environment, row.untrained))


class _Summaries(Mapping[str, Summary]):
    """Summaries that are computed when they are first looked up: a table shows few of some fifty.

    Parameters
    ----------
    names : mapping of str to anything
        Names of the summaries, in order.
    compute : callable
        Function that returns the summary of a name.
    """

    __slots__ = ("_compute", "_found", "_names")

    def __init__(self, names: Mapping[str, object], compute: Callable[[str], Summary]) -> None:
        self._names = names
        self._compute = compute
        self._found: dict[str, Summary] = {}

    def __getitem__(self, name: str) -> Summary:
        if name not in self._found:
            if name not in self._names:
                raise KeyError(name)
            self._found[name] = self._compute(name)
        return self._found[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return repr(dict(self))


def _summaries(values: Mapping[int, Mapping[str, float]], planned: int) -> Mapping[str, Summary]:
    def summary(name: str) -> Summary:
        found = ((seed, one.get(name)) for seed, one in values.items())
        return Summary.of({seed: value for seed, value in found if value is not None}, planned=planned)

    return _Summaries(_all_names(values.values()), summary)


def _all_names(tables: Iterable[Mapping[str, float]]) -> Mapping[str, object]:
    """Return a mapping with the names of all tables in the order in which they come; its values mean nothing."""
    merged: Mapping[str, object] = {}
    for table in tables:
        names: Mapping[str, object] = table.offsets if isinstance(table, PackedTable) else table
        if not merged:
            merged = names
        elif names is not merged and names.keys() != merged.keys():
            merged = {**merged, **names}
    return merged
