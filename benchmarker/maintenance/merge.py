"""Joins studies from several machines: the union of their plans, each cell once, and no result ever overwritten."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarker.digests import digest_json
from benchmarker.disk import require_free
from benchmarker.errors import ConfigurationError
from benchmarker.files import make_folder, storage_error, write_json, write_text
from benchmarker.maintenance.busy import alone
from benchmarker.maintenance.conflicts import Conflict, compare_runs, damage
from benchmarker.results.environments import flatten
from benchmarker.results.study import CellRecord, Study, read_study
from benchmarker.study.layout import PLAN_FILE, RUNS_FOLDER
from benchmarker.study.settings import shared_settings

_NAME_LENGTH = 16


@dataclass(slots=True, kw_only=True)
class Merged:
    """What became of the cells of several studies.

    Parameters
    ----------
    cells, ok, failed : int
        In the joined plan, and how many of them finished and failed.
    copied : int
        Runs that were copied.
    identical : int
        Runs that were there already, with the same trail.
    conflicts : list of Conflict
        Runs of one cell that differ: the first stays, the other was left where it is.
    damaged : list of str
        Runs that were not taken because they cannot be trusted, and why.
    notes : list of str
        What else a user should know.
    """

    cells: int = 0
    ok: int = 0
    failed: int = 0
    copied: int = 0
    identical: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether every run was taken."""
        return not self.conflicts and not self.damaged

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {
            **{name: getattr(self, name) for name in ("cells", "ok", "failed", "copied", "identical")},
            "pending": self.cells - self.ok - self.failed,
            "conflicts": [conflict.to_json() for conflict in self.conflicts],
            "damaged": self.damaged,
            "notes": self.notes,
        }


def merge_studies(sources: Sequence[Path], into: Path) -> Merged:
    """Join studies.

    Parameters
    ----------
    sources : sequence of Path
        Studies to read; nothing in them is changed.
    into : Path
        A new folder, or a study that the others are added to.

    Raises
    ------
    ConfigurationError
        If the studies have different data, or the same names for different things.
    StorageError
        If a study cannot be read, the joined one cannot be written, or a run works on it. What was copied until then is
        complete, and the same command goes on.
    """
    target_exists = (into / PLAN_FILE).is_file()
    others = [folder for folder in _distinct(sources) if folder.resolve() != into.resolve()]
    if not others:
        raise ConfigurationError(f"nothing to merge: give studies other than {into}")
    if into.is_dir() and not target_exists and any(into.iterdir()):
        raise ConfigurationError(f"{into} is no study and not empty: choose a new folder for --into")
    studies = [read_study(folder) for folder in ([into] if target_exists else []) + others]
    _require_one_experiment(studies)
    merged = Merged()
    plan = _joined_plan(studies, merged)
    make_folder(into / RUNS_FOLDER)
    with alone(into):
        _require_space(studies, into)
        # The plan first: a denominator that is complete before any result is.
        write_json(into / PLAN_FILE, plan)
        _copy_registries(studies, into)
        _copy_runs(studies, into, merged)
    return merged


def _distinct(folders: Iterable[Path]) -> list[Path]:
    return list({folder.resolve(): folder for folder in folders}.values())


def _require_one_experiment(studies: Sequence[Study]) -> None:
    """Refuse studies that cannot be one: of other data, or with the same names for different things."""
    first = studies[0]
    for study in studies[1:]:
        names = [one.dataset.get("name") for one in (first, study)]
        digests = [one.dataset.get("digest") for one in (first, study)]
        if names[0] != names[1] or digests[0] != digests[1]:
            data = " and ".join(f"{n!r} (digest {str(d)[:12]})" for n, d in zip(names, digests, strict=True))
            raise ConfigurationError(
                f"{first.folder} and {study.folder} have different data: {data}. A study has one dataset; "
                "keep them apart, and compare their leaderboards"
            )
    problems = list(dict.fromkeys(_ambiguous_names(studies)))
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigurationError(
            f"a name stands for different things in these studies, whose results must not be mixed:\n{listed}\n"
            "Give one of them another name in its registry, run it again (finished cells stay), and merge then"
        )


def _ambiguous_names(studies: Sequence[Study]) -> Iterator[str]:
    known: dict[tuple[str, str], tuple[Study, CellRecord]] = {}
    for study in studies:
        for cell in (*study.generators, *study.cells):
            other, earlier = known.setdefault((cell.model, cell.arm), (study, cell))
            if other is not study and _configuration(earlier) != _configuration(cell):
                yield (
                    f"{cell.model} in arm {cell.arm}: {_spec_differences(earlier, cell)} "
                    f"({other.folder} / {study.folder})"
                )


def _configuration(cell: CellRecord) -> str:
    return digest_json(shared_settings(cell.spec))


def _spec_differences(one: CellRecord, other: CellRecord) -> str:
    flat = [flatten(shared_settings(cell.spec)) for cell in (one, other)]
    names = sorted({*flat[0], *flat[1]})
    differing = [name for name in names if flat[0].get(name) != flat[1].get(name)]
    return ", ".join(f"{name} {flat[0].get(name, '-')} / {flat[1].get(name, '-')}" for name in differing[:4])


def _joined_plan(studies: Sequence[Study], merged: Merged) -> dict[str, Any]:
    """Return the union of the plans, with the heading of the first."""
    cells: dict[str, Any] = {}
    generators: dict[str, Any] = {}
    for study in studies:
        for entry in study.plan.get("generators", ()):
            generators.setdefault(entry["key"], entry)
        for entry in study.plan["cells"]:
            known = cells.setdefault(entry["key"], entry)
            labels = [f"{one['model']} in arm {one['arm']}" for one in (known, entry)]
            if labels[0] != labels[1]:
                merged.notes.append(f"{labels[1]} of {study.folder} is {labels[0]} under another name, which is kept")
    merged.notes = list(dict.fromkeys(merged.notes))
    merged.cells = len(cells)
    sources = [
        {"title": study.title, "registry": study.plan.get("registry"), "cells": len(study.cells)} for study in studies
    ]
    earlier = studies[0].plan.get("merged_from")
    if earlier:
        sources[:1] = earlier
    joined = {**studies[0].plan, "merged_from": sources, "cells": list(cells.values())}
    return joined | ({"generators": list(generators.values())} if generators else {})


def _copy_registries(studies: Sequence[Study], into: Path) -> None:
    """Keep the registry of each study: the first under its own name, others that differ under their digest."""
    texts: set[str] = set()
    for study in studies:
        for path in sorted(study.folder.glob("registry*")):
            if path.suffix not in {".yaml", ".yml", ".txt"}:
                continue
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, ValueError):  # a copy for people to read; the plan says everything that was in it
                continue
            if text in texts:
                continue
            texts.add(text)
            name = path.name if study is studies[0] else f"registry-{digest_json(text)[:8]}{path.suffix}"
            target = into / (f"registry{path.suffix}" if len(texts) == 1 and study is not studies[0] else name)
            if not target.exists():
                write_text(target, text)


def _require_space(studies: Sequence[Study], into: Path) -> None:
    needed = {}
    for study in studies:
        for cell in (*study.generators, *study.cells):
            if cell.folder is not None and study.folder.resolve() != into.resolve():
                needed[cell.key] = sum(path.stat().st_size for path in cell.folder.rglob("*") if path.is_file())
    require_free(into, sum(needed.values()), "the runs to copy")


def _copy_runs(studies: Sequence[Study], into: Path, merged: Merged) -> None:
    found: dict[str, list[CellRecord]] = {}
    # Generators first: what is trained on their images is no proof without them.
    for part in ("generators", "cells"):
        for study in studies:
            for cell in getattr(study, part):
                found.setdefault(cell.key, []).append(cell)
    for cells in found.values():
        counted = cells[0].spec.get("kind") != "generator"
        trusted = [cell for cell in cells if cell.status == "ok" and not _is_damaged(cell, merged)]
        failed = [cell for cell in cells if cell.status == "failed"]
        merged.damaged += [
            f"{cell.name}: {cell.folder}: {cell.message}" for cell in cells if cell.status == "unreadable"
        ]
        if trusted:
            merged.ok += counted
            _keep_first(trusted, into, merged)
        elif failed:
            merged.failed += counted
            merged.copied += _copy(failed[0], into)


def _is_damaged(cell: CellRecord, merged: Merged) -> bool:
    problem = damage(cell)
    if problem is not None:
        merged.damaged.append(f"{cell.name}: {cell.folder}: {problem}")
    return problem is not None


def _keep_first(cells: Sequence[CellRecord], into: Path, merged: Merged) -> None:
    first = cells[0]
    merged.copied += _copy(first, into)
    for other in cells[1:]:
        conflict = compare_runs(first, other)
        if conflict is None:
            merged.identical += 1
        else:
            merged.conflicts.append(conflict)


def _copy(cell: CellRecord, into: Path) -> int:
    """Copy a run under its final name in one step, and return how many runs that were: none if it is there."""
    if cell.folder is None or cell.folder.resolve().parent == (into / RUNS_FOLDER).resolve():
        return 0
    name = cell.key[:_NAME_LENGTH]
    final = into / RUNS_FOLDER / cell.folder.name
    aside = into / RUNS_FOLDER / f".{name}.merging"
    try:
        shutil.rmtree(aside, ignore_errors=True)  # of a merge that was killed: the study is locked for this one
        shutil.copytree(cell.folder, aside)
        for path in aside.rglob("*"):
            if path.is_file():
                _synchronise(path)
        if cell.status == "ok" and final.exists():  # unreadable, or it would have been the first: kept for its owner
            final.rename(final.with_name(f".{name}.unreadable"))
        aside.rename(final)
        if cell.status == "ok":  # a failure before does not stand beside a result
            shutil.rmtree(final.with_name(f"{name}.failed"), ignore_errors=True)
    except OSError as error:
        raise storage_error(error, final) from error
    return 1


def _synchronise(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
