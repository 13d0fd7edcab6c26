"""Builds a leaderboard from a study: averages over seeds and ranks what is complete."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from benchmarker.errors import ConfigurationError
from benchmarker.results.grouping import Fingerprints, Group, planned_groups, split_by_environment, split_by_training
from benchmarker.results.labels import higher_is_better
from benchmarker.results.lazy import Computed, all_names
from benchmarker.results.leaderboard import FailedCell, Leaderboard, LeaderboardRow, Summary
from benchmarker.results.notes import board_notes
from benchmarker.results.study import Study
from benchmarker.study.layout import CHECKPOINTS

_PRIMARY = {"classification": "mean_per_class_accuracy", "regression": "mean_absolute_error"}


def build_leaderboard(
    study: Study,
    *,
    sort: str | None = None,
    checkpoints: Sequence[str] = CHECKPOINTS,
    include_incomplete: bool = False,
) -> Leaderboard:
    """Average a study's metrics over seeds.

    Parameters
    ----------
    study : Study
        As `read_study` gives it.
    sort : str, optional
        Metric or cost to sort by; the task's primary metric by default.
    checkpoints : sequence of {"best", "final"}
        Which checkpoints get rows.
    include_incomplete : bool
        Rank rows whose seeds have not all finished, too.

    Raises
    ------
    ConfigurationError
        If no run has the metric to sort by.
    """
    primary, direction = _primary(study)
    planned = planned_groups(study)
    prints = Fingerprints()
    groups = [
        part for group in planned for one in split_by_environment(group, prints) for part in split_by_training(one)
    ]
    metric = _checked(sort, groups, primary)
    higher = direction if metric == primary else higher_is_better(metric)
    rows: list[LeaderboardRow] = []
    for checkpoint in checkpoints:
        unranked = [_row(group, checkpoint, prints) for group in groups]
        rows.extend(_ranked(unranked, metric, higher=higher, include_incomplete=include_incomplete))
    return Leaderboard(
        title=study.title,
        dataset=str(study.dataset.get("name", "")),
        task=study.task,
        images=_integer(study.dataset.get("images")),
        skipped=len(study.skipped),
        primary=primary,
        higher_is_better=higher,
        sort=metric,
        checkpoints=tuple(checkpoints),
        rows=tuple(rows),
        ok=study.count("ok"),
        planned=len(study.cells),
        pending=study.count("pending"),
        failed=_failed(study),
        notes=board_notes(study, planned, prints, checkpoints),
    )


def _primary(study: Study) -> tuple[str, bool]:
    for value in itertools.chain([study.plan.get("primary")], (cell.metrics.get("primary") for cell in study.cells)):
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            return value["name"], bool(value.get("higher_is_better", True))
    name = _PRIMARY.get(str(study.task.get("kind")), "mean_per_class_accuracy")
    return name, higher_is_better(name)


def _failed(study: Study) -> tuple[FailedCell, ...]:
    failed = [cell for cell in study.cells if cell.status in {"failed", "unreadable"}]
    return tuple(
        FailedCell(model=cell.model, arm=cell.arm, seed=cell.seed, kind=cell.kind, message=cell.message)
        for cell in sorted(failed, key=lambda cell: (cell.model, cell.arm, cell.seed, cell.key))
    )


def _checked(sort: str | None, groups: Sequence[Group], primary: str) -> str:
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


def _row(group: Group, checkpoint: str, prints: Fingerprints) -> LeaderboardRow:
    first = group.cells[0]
    # The same for all runs of a group.
    measured = prints.entries(group.finished[0].fingerprint) if group.finished else {}
    planned = len(group.cells)
    return LeaderboardRow(
        rank=None,
        model=first.model,
        architecture=first.architecture,
        arm=first.arm,
        checkpoint=checkpoint,
        variant=group.variant,
        environment=group.environment,
        backend=measured.get("backend.name") or group.settings.get("backend", ""),
        precision=measured.get("precision") or group.settings.get("precision", ""),
        n=len(group.finished),
        planned=planned,
        keys=tuple(cell.key for cell in sorted(group.finished, key=lambda cell: cell.seed)),
        untrained=_untrained(group),
        metrics=_summaries({cell.seed: cell.evaluations.get(checkpoint, {}) for cell in group.finished}, planned),
        costs=_summaries({cell.seed: cell.cost_values for cell in group.finished}, planned),
    )


def _untrained(group: Group) -> int:
    """Return how many runs tested saved weights: all or none, for they have been told apart."""
    return 0 if not group.finished or group.finished[0].trained else len(group.finished)


def _summaries(values: Mapping[int, Mapping[str, float]], planned: int) -> Mapping[str, Summary]:
    def summary(name: str) -> Summary:
        return Summary.of({seed: one[name] for seed, one in values.items() if name in one}, planned=planned)

    return Computed(all_names(values.values()), summary)


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


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0
