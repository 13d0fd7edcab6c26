"""Merges studies from several machines: the union of their plans, each cell once, and no result ever overwritten."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from os.path import realpath
from pathlib import Path
from typing import Any, TypeVar

from benchmarker.claims import Claim
from benchmarker.digests import flatten
from benchmarker.disk import require_free
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.files import (
    copy_file,
    copy_folder,
    discard,
    make_folder,
    move,
    publish,
    read_ordinary,
    storage_error,
    write_bytes,
)
from benchmarker.results.environments import describe, differences
from benchmarker.results.study import CellRecord, GeneratorRecord, Study, read_study
from benchmarker.results.trails import ABSENT, FINGERPRINT, Difference, first_difference
from benchmarker.study.claims import exclusive
from benchmarker.study.layout import FAILED_SUFFIX, PLAN_FILE, RUNS_FOLDER, SPLITS_FOLDER
from benchmarker.study.links import read_trail
from benchmarker.study.plan import EarlierRegistry, MergedStudy, Plan, PlannedCell, PlannedGenerator, read_plan
from benchmarker.study.plan_growth import earlier_registries
from benchmarker.study.runs import FinishedManifest
from benchmarker.trail import TRAIL_FILE

Record = CellRecord | GeneratorRecord
P = TypeVar("P", PlannedCell, PlannedGenerator)

# Digests of manifests in the order in which a run makes them, and the links of a trail that cover the same.
_DIGESTS = (
    ("data", "data"),
    ("split", "split"),
    ("training_set", "training set"),
    ("initial_weights", "initial weights"),
    ("best_weights", "best weights"),
    ("final_weights", "final weights"),
    ("predictions_best", "predictions"),
    ("predictions_final", "predictions"),
)
_SPLIT = re.compile(r"\d+-[0-9a-f]+\.csv")
_REGISTRY_SUFFIXES = (".yaml", ".yml", ".txt")
_MOST_DIFFERENCES = 4
_COPIED_SUFFIX = ".merging"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Two runs of one cell that differ.

    Parameters
    ----------
    cell : str
        Model, arm and seed.
    kept, left : str
        Folder of the run that stays, and of the run that was not copied.
    link : str
        First link of the trails that differs, such as ``"epoch 3"``.
    detail : str
        Values that differ in it.
    """

    cell: str
    kept: str
    left: str
    link: str
    detail: str

    def to_json(self) -> dict[str, str]:
        """Return the conflict as JSON."""
        return asdict(self)


@dataclass(slots=True, kw_only=True)
class Merged:
    """What became of the cells of several studies.

    Parameters
    ----------
    cells, ok, failed : int
        Number of cells in the merged plan, and how many of them finished and failed.
    copied : int
        Number of runs that were copied.
    identical : int
        Number of runs that were there already, with the same trail.
    conflicts : list of Conflict
        Pairs of different runs of one cell: the first is kept, the other was left where it is.
    damaged : list of str
        Runs that were not copied because they cannot be trusted, with reasons.
    notes : list of str
        Notes for the user.
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
        """Whether every run could be used."""
        return not self.conflicts and not self.damaged

    @property
    def pending(self) -> int:
        """Number of cells without a run."""
        return self.cells - self.ok - self.failed

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {
            "cells": self.cells,
            "ok": self.ok,
            "failed": self.failed,
            "copied": self.copied,
            "identical": self.identical,
            "pending": self.pending,
            "conflicts": [conflict.to_json() for conflict in self.conflicts],
            "damaged": self.damaged,
            "notes": self.notes,
        }


def merge_studies(sources: Sequence[Path], into: Path) -> Merged:
    """Merge studies.

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
        If a study cannot be read, the merged one cannot be written, a run is working on it, or another process took
        this one for dead. Whatever was copied before is complete, and the same command continues.
    """
    target_exists = (into / PLAN_FILE).is_file()
    others = [folder for folder in _distinct(sources) if realpath(folder) != realpath(into)]
    if not others:
        raise ConfigurationError(f"nothing to merge: give studies other than {into}")
    if into.is_dir() and not target_exists and any(into.iterdir()):
        raise ConfigurationError(f"{into} is not a study and not empty: choose a new folder for --into")
    with contextlib.ExitStack() as stack:
        # Nobody adds to the study between the moment when it is read and that when its plan is written.
        held = [stack.enter_context(exclusive(into))] if target_exists else []
        studies = [read_study(folder) for folder in ([into] if target_exists else []) + others]
        _require_one_experiment(studies)
        _require_same_rounds(studies)
        merged = Merged()
        plan = _merged_plan(studies, merged)
        claim = held[0] if held else stack.enter_context(_new(into))
        _discard_left(into)
        _require_space(studies, into)
        # The plan comes first, so that the denominator is complete before there is any result.
        plan.write(into / PLAN_FILE, confirm=claim.require)
        _copy_registries(studies, into, claim)
        _copy_splits(studies, into, claim)
        _copy_runs(studies, into, merged, claim)
    return merged


@contextlib.contextmanager
def _new(into: Path) -> Iterator[Claim]:
    """Create the folder of a study, and claim it."""
    make_folder(into / RUNS_FOLDER)
    with exclusive(into) as claim:
        if (into / PLAN_FILE).exists():
            raise StorageError(f"{into}: another command has made a study there meanwhile; run the same command again")
        yield claim


def _discard_left(into: Path) -> None:
    """Remove what a merge left that was killed, or was given up; if that one comes back, it finds nothing."""
    for aside in (into / RUNS_FOLDER).glob(f".*{_COPIED_SUFFIX}"):
        try:
            discard(aside)
        except OSError as error:
            raise storage_error(error, aside) from error


def _require_same_rounds(studies: Sequence[Study]) -> None:
    """Refuse studies that were looked at in different rounds of seeds: their verdicts could not be made again."""
    first = studies[0]
    for study in studies[1:]:
        if study.plan.until_decided != first.plan.until_decided:
            raise ConfigurationError(
                f"{study.folder} and {first.folder} were run until decided in different rounds (`until_decided` in "
                f"their {PLAN_FILE}), so the error rate of a merged study would be unknown; report them separately"
            )


def _distinct(folders: Iterable[Path]) -> list[Path]:
    return list({realpath(folder): folder for folder in folders}.values())  # of a circle of links, too


def _require_one_experiment(studies: Sequence[Study]) -> None:
    """Refuse studies with different data, or with the same names for different things."""
    first = studies[0]
    for study in studies[1:]:
        data = [(one.dataset.name, one.dataset.digest) for one in (first, study)]
        if data[0] != data[1]:
            described = " and ".join(f"{name!r} (digest {digest[:12]})" for name, digest in data)
            raise ConfigurationError(
                f"{first.folder} and {study.folder} have different data: {described}. A study has one dataset; "
                "keep the studies apart, and compare their leaderboards"
            )
    problems = list(dict.fromkeys(_ambiguous_names(studies)))
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigurationError(
            f"the same name has different settings in these studies, whose results must not be mixed:\n{listed}\n"
            "Rename one of them in its registry, run that again (finished cells are kept), and merge afterwards"
        )


def _ambiguous_names(studies: Sequence[Study]) -> Iterator[str]:
    known: dict[str, tuple[Study, Record]] = {}
    for study in studies:
        for record in _records(study):
            other, first = known.setdefault(_label(record), (study, record))
            if other is not study and first.configuration != record.configuration:
                yield f"{_label(record)}: {_spec_differences(first, record)} ({other.folder} / {study.folder})"


def _label(record: Record) -> str:
    return f"{record.model} in arm {record.arm}" if isinstance(record, CellRecord) else f"generator {record.label}"


def _records(study: Study) -> Iterator[Record]:
    """Yield generators first: cells that were trained on their images prove nothing without them."""
    yield from study.generators
    yield from study.cells


def _spec_differences(one: Record, other: Record) -> str:
    first, second = (flatten(record.spec.shared_settings()) for record in (one, other))
    differing = [name for name in sorted({*first, *second}) if first.get(name) != second.get(name)]
    shown = differing[:_MOST_DIFFERENCES]
    return ", ".join(f"{name} {first.get(name, '-')} / {second.get(name, '-')}" for name in shown)


def _merged_plan(studies: Sequence[Study], merged: Merged) -> Plan:
    """Return the union of the plans, with the heading of the first."""
    known: dict[str, CellRecord] = {}
    for study in studies:
        for cell in study.cells:
            first = known.setdefault(cell.key, cell)
            if _label(first) != _label(cell):
                merged.notes.append(
                    f"{_label(cell)} of {study.folder} is {_label(first)} under another name, which is kept"
                )
    merged.notes = list(dict.fromkeys(merged.notes))
    merged.cells = len(known)
    plans = [plan for study in studies if (plan := read_plan(study.folder)) is not None]
    sources = [
        MergedStudy(title=study.title, registry=plan.registry, cells=len(plan.cells))
        for study, plan in zip(studies, plans, strict=True)
    ]
    if plans[0].merged_from:
        sources[:1] = plans[0].merged_from
    changed: dict[str, Any] = {
        "merged_from": tuple(sources),
        "cells": _distinct_keys(cell for plan in plans for cell in plan.cells),
    }
    if earlier := _other_registries(plans):
        changed["earlier"] = tuple(earlier)
    if generators := _distinct_keys(generator for plan in plans for generator in plan.generators):
        changed["generators"] = generators
    return plans[0].model_copy(update=changed)


def _other_registries(plans: Sequence[Plan]) -> list[EarlierRegistry]:
    """Return the registries that make what that of the first plan does not."""
    found = list(plans[0].earlier)
    known = {cell.configuration for cell in plans[0].cells}
    for plan in plans[1:]:
        found += earlier_registries(plan, plan.cells, known)
        known |= {cell.configuration for cell in plan.cells}
    return found


def _distinct_keys(planned: Iterable[P]) -> tuple[P, ...]:
    found: dict[str, P] = {}
    for one in planned:
        found.setdefault(one.key, one)
    return tuple(found.values())


def _copy_splits(studies: Sequence[Study], into: Path, claim: Claim) -> None:
    """Keep the lists of which source is in which part; their names hold seed and digest, so equal names are equal."""
    for study in studies:
        for path in sorted((study.folder / SPLITS_FOLDER).glob("*.csv")):
            target = into / SPLITS_FOLDER / path.name
            if not _SPLIT.fullmatch(path.name) or path.is_symlink() or not path.is_file() or target.exists():
                continue
            make_folder(target.parent)
            copy_file(path, target, confirm=claim.require)


def _copy_registries(studies: Sequence[Study], into: Path, claim: Claim) -> None:
    """Keep the registry of each study: the first under its own name, others that differ under their digest."""
    kept: set[str] = set()
    for study in studies:
        for path in sorted(study.folder.glob("registry*")):
            if path.suffix not in _REGISTRY_SUFFIXES:
                continue
            try:
                content = read_ordinary(path)
            except OSError:  # a copy for people to read; the plan says everything that was in it
                continue
            digest = hashlib.sha256(content).hexdigest()
            if digest in kept:
                continue
            name = path.name if study is studies[0] else f"registry-{digest[:8]}{path.suffix}"
            target = into / (f"registry{path.suffix}" if not kept and study is not studies[0] else name)
            kept.add(digest)
            if not target.exists():
                write_bytes(target, content, confirm=claim.require)


def _require_space(studies: Sequence[Study], into: Path) -> None:
    needed = {}
    for study in studies:
        for record in _records(study):
            if record.folder is not None and study.folder.resolve() != into.resolve():
                needed[record.key] = sum(path.stat().st_size for path in record.folder.rglob("*") if path.is_file())
    require_free(into, sum(needed.values()), "the runs to copy")


def _copy_runs(studies: Sequence[Study], into: Path, merged: Merged, claim: Claim) -> None:
    found: dict[str, list[Record]] = {}
    for study in studies:
        for generator in study.generators:
            found.setdefault(generator.key, []).append(generator)
    for study in studies:
        for cell in study.cells:
            found.setdefault(cell.key, []).append(cell)
    for records in found.values():
        counted = isinstance(records[0], CellRecord)
        trusted = [record for record in records if record.status == "ok" and not _is_damaged(record, merged)]
        failed = [record for record in records if record.status == "failed"]
        merged.damaged += [
            f"{record.name}: {record.folder}: {record.message}" for record in records if record.status == "unreadable"
        ]
        if trusted:
            merged.ok += counted
            _keep_first(trusted, into, merged, claim)
        elif failed:
            merged.failed += counted
            merged.copied += _copy(failed[0], into, claim)


def _is_damaged(record: Record, merged: Merged) -> bool:
    problem = damage(record)
    if problem is not None:
        merged.damaged.append(f"{record.name}: {record.folder}: {problem}")
    return problem is not None


def _keep_first(records: Sequence[Record], into: Path, merged: Merged, claim: Claim) -> None:
    first = records[0]
    merged.copied += _copy(first, into, claim)
    for other in records[1:]:
        conflict = compare_runs(first, other)
        if conflict is None:
            merged.identical += 1
        else:
            merged.conflicts.append(conflict)


def _copy(record: Record, into: Path, claim: Claim) -> int:
    """Copy a run under its final name in one step, and return the number of copied runs: 0 if it is there already."""
    if record.folder is None or record.folder.resolve().parent == (into / RUNS_FOLDER).resolve():
        return 0
    name = record.run_name
    final = into / RUNS_FOLDER / record.folder.name
    aside = into / RUNS_FOLDER / f".{name}.{claim.token}{_COPIED_SUFFIX}"
    try:
        copy_folder(record.folder, aside)
        if record.status == "ok" and final.exists():  # an unreadable run, kept for its owner
            move(final, final.with_name(f".{name}.unreadable"), confirm=claim.require)
        publish(aside, final, confirm=claim.require)
        if record.status == "ok":  # an earlier failure is not kept beside a result
            discard(final.with_name(f"{name}{FAILED_SUFFIX}"), confirm=claim.require)
    except OSError as error:
        claim.require()  # whoever takes over renames the copy first
        raise storage_error(error, final) from error
    return 1


def damage(record: Record) -> str | None:
    """Return why a finished run cannot be trusted, or None."""
    named = record.manifest.trail if isinstance(record.manifest, FinishedManifest) else None
    if record.folder is None or not (record.folder / TRAIL_FILE).exists():
        return "its manifest names a trail, but there is none" if named else None
    try:
        trail = read_trail(record.folder)
        if (link := trail.broken_link()) is not None:
            return f"its trail was changed at {link!r}"
    except (StorageError, AttributeError) as error:
        return f"its trail cannot be read: {error}"
    return None if named in {None, trail.head} else "its trail is not the one that its manifest names"


def compare_runs(first: Record, other: Record) -> Conflict | None:
    """Return the first difference between two finished runs of a cell, or None where they are the same.

    Trails are compared where both runs have one, and the digests in the manifests otherwise.

    Parameters
    ----------
    first, other : CellRecord or GeneratorRecord
        Records of the two runs, neither of them damaged.
    """
    folders = [record.folder for record in (first, other) if record.folder is not None]
    if all((folder / TRAIL_FILE).exists() for folder in folders):
        found = _by_trails(first, other, *folders)
    else:
        found = _by_digests(first, other)
    if found is None:
        return None
    return Conflict(cell=first.name, kept=str(first.folder), left=str(other.folder), link=found[0], detail=found[1])


def _by_trails(first: Record, other: Record, *folders: Path) -> tuple[str, str] | None:
    difference = first_difference(*(read_trail(folder) for folder in folders))
    if difference is None:
        return None
    if difference.link == FINGERPRINT and not difference.ended:
        return difference.link, _environments(first, other) or "Python's bug-fix number"
    return difference.link, _detail(difference)


def _detail(difference: Difference) -> str:
    if difference.ended:
        (entry,) = difference.entries
        goes_on = ABSENT not in {entry.recorded, entry.rerun}
        return f"the other trail goes on with {entry.rerun!r}" if goes_on else "the other trail ends before it"
    shown = difference.entries[:_MOST_DIFFERENCES]
    return ", ".join(f"{each.name} ({_shortened(each.recorded)} / {_shortened(each.rerun)})" for each in shown)


def _by_digests(first: Record, other: Record) -> tuple[str, str] | None:
    here, there = (r.manifest.digests if isinstance(r.manifest, FinishedManifest) else {} for r in (first, other))
    for name, link in _DIGESTS:
        if here.get(name) != there.get(name):
            return link, f"{here.get(name, 'none')[:12]} / {there.get(name, 'none')[:12]}"
    if first.metrics != other.metrics:
        return "metrics", "their numbers differ"
    found = _environments(first, other)
    return (FINGERPRINT, found) if found else None


def _environments(first: Record, other: Record) -> str:
    return describe(differences([r.fingerprint for r in (first, other) if r.fingerprint is not None]))


def _shortened(text: str) -> str:
    return text if len(text) <= 16 else f"{text[:12]}..."
