"""Builds a leaderboard from a study: groups cells, averages over seeds and ranks what is complete."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarker.digests import canonical_json
from benchmarker.errors import ConfigurationError
from benchmarker.results.labels import higher_is_better
from benchmarker.results.layout import CHECKPOINTS
from benchmarker.results.leaderboard import FailedCell, Leaderboard, LeaderboardRow, Summary
from benchmarker.results.study import CellRecord, Study

_PRIMARY = {"classification": "mean_per_class_accuracy", "regression": "mean_absolute_error"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Cells that differ in their seed only."""

    cells: tuple[CellRecord, ...]
    settings: Mapping[str, str]
    variant: str = ""

    @property
    def finished(self) -> tuple[CellRecord, ...]:
        return tuple(cell for cell in self.cells if cell.status == "ok")


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
    groups = _groups(study)
    metric = _checked(sort, groups, primary)
    higher = direction if metric == primary else higher_is_better(metric)
    rows: list[LeaderboardRow] = []
    for checkpoint in checkpoints:
        unranked = [_row(group, checkpoint) for group in groups]
        rows.extend(_ranked(unranked, metric, higher=higher, include_incomplete=include_incomplete))
    failed = [cell for cell in study.cells if cell.status in {"failed", "unreadable"}]
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
        failed=tuple(
            FailedCell(model=cell.model, arm=cell.arm, seed=cell.seed, kind=cell.kind, message=cell.message)
            for cell in sorted(failed, key=lambda cell: (cell.model, cell.arm, cell.seed, cell.key))
        ),
        notes=(*study.notes, *(note for group in groups for note in _fingerprint_notes(group))),
    )


def _primary(study: Study) -> tuple[str, bool]:
    for value in (study.plan.get("primary"), *(cell.metrics.get("primary") for cell in study.cells)):
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            return value["name"], bool(value.get("higher_is_better", True))
    name = _PRIMARY.get(str(study.task.get("kind")), "mean_per_class_accuracy")
    return name, higher_is_better(name)


def _checked(sort: str | None, groups: Sequence[_Group], primary: str) -> str:
    known = {primary}
    for group in groups:
        for cell in group.finished:
            known.update(*cell.evaluations.values(), cell.cost_values)
    if sort is None or sort in known:
        return sort or primary
    close = difflib.get_close_matches(sort, sorted(known), n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(sorted(known))}."
    raise ConfigurationError(f"no finished run has a metric called {sort!r}: {hint}")


def _groups(study: Study) -> list[_Group]:
    found: dict[bytes, list[CellRecord]] = {}
    settings: dict[bytes, dict[str, str]] = {}
    for cell in study.cells:
        own = _settings(cell, study)
        key = canonical_json([cell.model, cell.arm, own])
        found.setdefault(key, []).append(cell)
        settings[key] = own
    groups = [_Group(cells=tuple(cells), settings=settings[key]) for key, cells in found.items()]
    return sorted(_named(groups), key=lambda group: (group.cells[0].model, group.cells[0].arm, group.variant))


def _settings(cell: CellRecord, study: Study) -> dict[str, str]:
    """Return everything that seeds of one row must share, flat."""
    spec = {name: value for name, value in cell.spec.items() if name != "seed"}
    settings = _flat(spec)
    backend = cell.fingerprint.get("backend")
    if isinstance(backend, dict):
        backend = backend.get("name")
    settings["backend"] = str(backend or settings.get("backend") or study.plan.get("backend") or "")
    precision = cell.fingerprint.get("precision")
    if precision:
        settings["precision"] = str(precision)
    elif "training.precision" in settings:
        settings["precision"] = settings["training.precision"]
    return settings


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        found: dict[str, str] = {}
        for name, entry in value.items():
            found.update(_flat(entry, f"{prefix}.{name}" if prefix else str(name)))
        return found
    return {prefix: value if isinstance(value, str) else canonical_json(value).decode()}


def _named(groups: Sequence[_Group]) -> list[_Group]:
    """Tell groups of one model and arm apart by the settings in which they differ."""
    alike: dict[tuple[str, str], list[_Group]] = {}
    for group in groups:
        alike.setdefault((group.cells[0].model, group.cells[0].arm), []).append(group)
    named = []
    for same in alike.values():
        names = sorted({name for group in same for name in group.settings})
        differing = [name for name in names if len({group.settings.get(name) for group in same}) > 1]
        # A setting that repeats another one under a longer name says nothing more.
        short = [name for name in differing if not (name.endswith(".precision") and "precision" in differing)]
        for group in same:
            parts = [f"{name.rpartition('.')[2]}={_short(group.settings.get(name, '-'))}" for name in short]
            named.append(replace(group, variant=", ".join(parts[:3])))
    return named


def _short(text: str) -> str:
    return text if len(text) <= 16 else f"{text[:8]}..."


def _row(group: _Group, checkpoint: str) -> LeaderboardRow:
    first = group.cells[0]
    planned = len(group.cells)
    return LeaderboardRow(
        rank=None,
        model=first.model,
        architecture=first.architecture,
        arm=first.arm,
        checkpoint=checkpoint,
        variant=group.variant,
        backend=group.settings.get("backend", ""),
        precision=group.settings.get("precision", ""),
        n=len(group.finished),
        planned=planned,
        metrics=_summaries({cell.seed: cell.evaluations.get(checkpoint, {}) for cell in group.finished}, planned),
        costs=_summaries({cell.seed: cell.cost_values for cell in group.finished}, planned),
    )


def _summaries(values: Mapping[int, Mapping[str, float]], planned: int) -> dict[str, Summary]:
    names = dict.fromkeys(name for one in values.values() for name in one)
    return {
        name: Summary.of({seed: one[name] for seed, one in values.items() if name in one}, planned=planned)
        for name in names
    }


def _ranked(
    rows: Iterable[LeaderboardRow], metric: str, *, higher: bool, include_incomplete: bool
) -> list[LeaderboardRow]:
    ranked: list[tuple[float, str, str, str, LeaderboardRow]] = []
    others: list[LeaderboardRow] = []
    for row in rows:
        summary = row.summary(metric)
        if summary is not None and (include_incomplete or summary.n == summary.planned):
            ranked.append((-summary.mean if higher else summary.mean, row.model, row.arm, row.variant, row))
        else:
            others.append(row)
    ranked.sort(key=lambda entry: entry[:4])
    result = [replace(entry[4], rank=number) for number, entry in enumerate(ranked, start=1)]
    return result + sorted(others, key=lambda row: (row.model, row.arm, row.variant))


def _fingerprint_notes(group: _Group) -> list[str]:
    """Say in what the environments of averaged runs differ."""
    prints = [_flat(cell.fingerprint) for cell in group.finished]
    names = sorted({name for one in prints for name in one})
    differing = [name for name in names if len({one.get(name) for one in prints}) > 1]
    if not differing:
        return []
    parts = [f"{name} ({' / '.join(sorted({one.get(name, '-') for one in prints}))})" for name in differing]
    first = group.cells[0]
    return [f"{first.model} in arm {first.arm}: averaged runs come from different environments: {', '.join(parts)}"]


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0
