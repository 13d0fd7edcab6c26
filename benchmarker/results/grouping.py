"""Which runs a row of the leaderboard averages: those that differ in their seed only and come from one environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarker.digests import canonical_json
from benchmarker.results.environments import comparable, environment_labels, flatten
from benchmarker.results.study import CellRecord, Study
from benchmarker.study.fingerprint import OF_PLUGINS
from benchmarker.study.settings import shared_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
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


def planned_groups(study: Study) -> list[Group]:
    """Return the cells of a study by model, arm and settings, in this order; each group has all its finished runs."""
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
            Group(cells=tuple(cells), study=study, finished=tuple(cell for cell in cells if cell.status == "ok"))
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


class Fingerprints:
    """Writes fingerprints out to be compared, each of them once: runs of a large study share theirs."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bool], tuple[Mapping[str, Any], bytes]] = {}
        self._entries: dict[int, tuple[Mapping[str, Any], Mapping[str, str]]] = {}
        self._parts: dict[int, tuple[Group, list[list[CellRecord]]]] = {}

    def environments(self, group: Group) -> list[list[CellRecord]]:
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
            compared = {name: value for name, value in fingerprint.items() if plugins or name not in OF_PLUGINS}
            # The fingerprint is kept so that no other one takes its place in memory.
            known = self._known[id(fingerprint), plugins] = (fingerprint, canonical_json(comparable(compared)))
        return known[1]

    def entries(self, fingerprint: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the entries of a fingerprint, flat."""
        if id(fingerprint) not in self._entries:
            self._entries[id(fingerprint)] = (fingerprint, comparable(fingerprint))
        return self._entries[id(fingerprint)][1]


def split_by_environment(group: Group, prints: Fingerprints) -> list[Group]:
    """Split a group by the environments of its runs; each part keeps the denominator that was planned."""
    parts = prints.environments(group)
    if len(parts) < 2:
        return [group]
    labels = environment_labels([part[0].fingerprint for part in parts])
    return [replace(group, finished=tuple(part), environment=label) for part, label in zip(parts, labels, strict=True)]


def split_by_training(group: Group) -> list[Group]:
    """Keep tests of saved weights out of the average of what was trained."""
    trained = tuple(cell for cell in group.finished if cell.trained)
    if len(trained) in {0, len(group.finished)}:
        return [group]
    tested = tuple(cell for cell in group.finished if not cell.trained)
    return [replace(group, finished=trained), replace(group, finished=tested)]


def _named(groups: Sequence[Group]) -> list[Group]:
    """Tell groups of one model and arm apart by the settings in which they differ."""
    alike: dict[tuple[str, str], list[Group]] = {}
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
