"""Builds a leaderboard from a study: groups cells, averages over seeds and ranks what is complete."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarker.digests import canonical_json
from benchmarker.errors import ConfigurationError
from benchmarker.results.environments import comparable, describe, differences, environment_labels, flatten
from benchmarker.results.labels import higher_is_better
from benchmarker.results.layout import CHECKPOINTS
from benchmarker.results.lazy import Computed, all_names
from benchmarker.results.leaderboard import FailedCell, Leaderboard, LeaderboardRow, Summary
from benchmarker.results.settings import shared_settings
from benchmarker.results.study import CellRecord, Study

_PRIMARY = {"classification": "mean_per_class_accuracy", "regression": "mean_absolute_error"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Cells that differ in their seed only, and those of their runs that come from one environment."""

    cells: tuple[CellRecord, ...]
    study: Study
    finished: tuple[CellRecord, ...]
    variant: str = ""
    environment: str = ""
    _settings: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Mapping[str, str]:
        """Everything of the plan that its cells share, flat; written out where it is asked for."""
        if not self._settings:
            self._settings.update(_settings(self.cells[0], self.study))
        return self._settings


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
    planned = _groups(study)
    prints = _Prints()
    groups = [part for group in planned for one in _by_environment(group, prints) for part in _by_training(one)]
    metric = _checked(sort, groups, primary)
    higher = direction if metric == primary else higher_is_better(metric)
    rows: list[LeaderboardRow] = []
    for checkpoint in checkpoints:
        unranked = [_row(group, checkpoint, prints) for group in groups]
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
        notes=(
            *study.notes,
            *_environment_notes(planned, prints),
            *_untrained_notes(study),
            *_collapse_notes(study, checkpoints),
        ),
    )


def _untrained_notes(study: Study) -> list[str]:
    """Name the cells that only tested saved weights: nobody knows how those were trained."""
    names = [cell.name for cell in study.cells if cell.status == "ok" and not cell.trained]
    if not names:
        return []
    shown = "; ".join(names[:12]) + (f"; {len(names) - 12} more" if len(names) > 12 else "")
    return [f"not trained here, saved weights were tested (-o), which proves nothing of their settings: {shown}"]


def _collapse_notes(study: Study, checkpoints: Sequence[str]) -> list[str]:
    """Name the cells whose network calls all validation images the same class: their scores say nothing of it."""
    found: dict[str, list[str]] = {}
    for cell in study.cells:
        for checkpoint in checkpoints if cell.collapsed else ():
            if checkpoint in cell.collapsed:
                found.setdefault(f"{cell.name} ({cell.collapsed[checkpoint]})", []).append(checkpoint)
    if not found:
        return []
    names = [
        name if len(those) == len(checkpoints) else f"{name}, {' and '.join(those)} weights only"
        for name, those in found.items()
    ]
    return [f"collapsed to one class, which every validation image is given: {'; '.join(names)}"]


def _primary(study: Study) -> tuple[str, bool]:
    for value in itertools.chain([study.plan.get("primary")], (cell.metrics.get("primary") for cell in study.cells)):
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            return value["name"], bool(value.get("higher_is_better", True))
    name = _PRIMARY.get(str(study.task.get("kind")), "mean_per_class_accuracy")
    return name, higher_is_better(name)


def _checked(sort: str | None, groups: Sequence[_Group], primary: str) -> str:
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


def _groups(study: Study) -> list[_Group]:
    # Cells of one configuration differ in nothing but their seed, so it is looked at once, and only where there are
    # several under one name.
    alike: dict[tuple[str, str], dict[str, list[CellRecord]]] = {}
    for cell in study.cells:
        same = alike.setdefault((cell.model, cell.arm), {})
        same.setdefault(cell.configuration or cell.key, []).append(cell)
    groups = []
    for same in alike.values():
        found = list(same.values()) if len(same) == 1 else _joined(study, same.values())
        groups += [
            _Group(cells=tuple(cells), study=study, finished=tuple(cell for cell in cells if cell.status == "ok"))
            for cells in found
        ]
    return sorted(_named(groups), key=lambda group: (group.cells[0].model, group.cells[0].arm, group.variant))


def _joined(study: Study, parts: Iterable[list[CellRecord]]) -> list[list[CellRecord]]:
    """Join the cells of one model and arm whose settings are the same."""
    found: dict[bytes, list[CellRecord]] = {}
    for cells in parts:
        found.setdefault(canonical_json(_settings(cells[0], study)), []).extend(cells)
    return list(found.values())


def _settings(cell: CellRecord, study: Study) -> dict[str, str]:
    """Return everything of the plan that seeds of one row must share, flat."""
    settings = flatten(shared_settings(cell.spec))
    settings.setdefault("backend", str(study.plan.get("backend") or ""))
    if "training.precision" in settings:
        settings["precision"] = settings["training.precision"]
    return settings


class _Prints:
    """Writes fingerprints out to be compared, each of them once: runs of a large study share theirs."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bool], tuple[Mapping[str, Any], bytes]] = {}
        self._entries: dict[int, tuple[Mapping[str, Any], Mapping[str, str]]] = {}
        self._parts: dict[int, tuple[_Group, list[list[CellRecord]]]] = {}

    def environments(self, group: _Group) -> list[list[CellRecord]]:
        """Return a group's finished cells by environment, in an order that depends on the environments alone."""
        known = self._parts.get(id(group))
        if known is None:
            found: dict[bytes, list[CellRecord]] = {}
            for cell in group.finished:
                found.setdefault(self.key(cell.fingerprint), []).append(cell)
            known = self._parts[id(group)] = (group, [found[key] for key in sorted(found)])
        return known[1]

    def key(self, fingerprint: Mapping[str, Any], *, plugins: bool = True) -> bytes:
        """Return what equal environments have in common; without ``plugins``, those of one machine."""
        known = self._known.get((id(fingerprint), plugins))
        if known is None:
            compared = {name: value for name, value in fingerprint.items() if plugins or name != "plugins"}
            # The fingerprint is kept so that no other one takes its place in memory.
            known = self._known[id(fingerprint), plugins] = (fingerprint, canonical_json(comparable(compared)))
        return known[1]

    def entries(self, fingerprint: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the entries of a fingerprint, flat."""
        if id(fingerprint) not in self._entries:
            self._entries[id(fingerprint)] = (fingerprint, comparable(fingerprint))
        return self._entries[id(fingerprint)][1]


def _by_environment(group: _Group, prints: _Prints) -> list[_Group]:
    """Split a group by the environments of its runs; each part keeps the denominator that was planned."""
    parts = prints.environments(group)
    if len(parts) < 2:
        return [group]
    labels = environment_labels([part[0].fingerprint for part in parts])
    return [replace(group, finished=tuple(part), environment=label) for part, label in zip(parts, labels, strict=True)]


def _by_training(group: _Group) -> list[_Group]:
    """Keep tests of saved weights out of the average of what was trained."""
    trained = tuple(cell for cell in group.finished if cell.trained)
    if len(trained) in {0, len(group.finished)}:
        return [group]
    tested = tuple(cell for cell in group.finished if not cell.trained)
    return [replace(group, finished=trained), replace(group, finished=tested)]


def _named(groups: Sequence[_Group]) -> list[_Group]:
    """Tell groups of one model and arm apart by the settings in which they differ."""
    alike: dict[tuple[str, str], list[_Group]] = {}
    for group in groups:
        alike.setdefault((group.cells[0].model, group.cells[0].arm), []).append(group)
    named = []
    for same in alike.values():
        if len(same) == 1:
            named += same
            continue
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


def _row(group: _Group, checkpoint: str, prints: _Prints) -> LeaderboardRow:
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
        untrained=sum(not cell.trained for cell in group.finished),
        metrics=_summaries({cell.seed: cell.evaluations.get(checkpoint, {}) for cell in group.finished}, planned),
        costs=_summaries({cell.seed: cell.cost_values for cell in group.finished}, planned),
    )


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


def _environment_notes(planned: Sequence[_Group], known: _Prints) -> list[str]:
    """Say which rows were split, and in what their environments differ; alike ones in one note."""
    rows: dict[tuple[int, str], list[str]] = {}
    for group in planned:
        prints = [cells[0].fingerprint for cells in known.environments(group)]
        if len(prints) > 1:
            rows.setdefault((len(prints), _differing(prints)), []).append(
                f"{group.cells[0].model} in arm {group.cells[0].arm}"
            )
    notes = [
        f"runs from {count} environments are never averaged together, each has a row of its own: "
        f"{', '.join(names)}. They differ in: {what}"
        for (count, what), names in rows.items()
    ]
    return notes or _note_between_rows(planned, known)


def _note_between_rows(planned: Iterable[_Group], known: _Prints) -> list[str]:
    """Say that whole rows come from different environments; which plugins a row uses is no difference between them."""
    found: dict[bytes, Mapping[str, Any]] = {}
    for group in planned:
        for part in known.environments(group):
            found.setdefault(known.key(part[0].fingerprint, plugins=False), part[0].fingerprint)
    if len(found) < 2:
        return []
    common = [{name: value for name, value in found[key].items() if name != "plugins"} for key in sorted(found)]
    what = _differing(common)
    return [f"rows come from {len(found)} environments, so their times and rates cannot be compared: {what}"]


def _differing(prints: Sequence[Mapping[str, Any]]) -> str:
    known = [one for one in prints if one]
    unknown = "; of some nothing is known" if len(known) < len(prints) else ""
    return (describe(differences(known)) or "only some note theirs") + unknown


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0
