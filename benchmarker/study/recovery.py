"""The cells of a study whose plan is damaged, read from its runs: each says in its own files which cell it is of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from benchmarker.errors import StorageError
from benchmarker.files import read_ordinary
from benchmarker.study.layout import FAILED_SUFFIX, PLAN_FILE, RUN_NAME_LENGTH, RUNS_FOLDER
from benchmarker.study.links import CellLink, read_trail
from benchmarker.study.opening import oddity
from benchmarker.study.plan import PlannedCell, PlannedGenerator
from benchmarker.study.runs import Manifest, read_manifest
from benchmarker.study.specs import CellSpec, GeneratorSpec

P = TypeVar("P", PlannedCell, PlannedGenerator)

DAMAGED_SUFFIX = ".damaged"
"""Added to the name of a damaged plan when another one is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRun:
    """A run that says of itself which cell or generator it is of.

    Parameters
    ----------
    name : str
        Name of its folder.
    manifest : Manifest
        Its manifest.
    """

    name: str
    manifest: Manifest

    def __str__(self) -> str:
        kind = f", {self.manifest.kind}" if self.manifest.status == "failed" else ""
        run = self.manifest
        return f"{RUNS_FOLDER}/{self.name}: {run.model}/{run.arm}/{run.seed}, {run.status}{kind}"


def find_runs(study: Path) -> list[FoundRun]:
    """Return the runs of a study that have ended and have a readable manifest, by the names of their folders."""
    found = []
    for folder in sorted((study / RUNS_FOLDER).glob("[0-9a-f]*")):
        if len(folder.name.removesuffix(FAILED_SUFFIX)) != RUN_NAME_LENGTH or not folder.is_dir() or oddity(folder):
            continue
        try:
            found.append(FoundRun(name=folder.name, manifest=read_manifest(folder)))
        except StorageError:
            continue
    return found


def recover_planned(study: Path) -> tuple[list[PlannedCell], list[PlannedGenerator]]:
    """Return the cells and generators of a damaged plan that are still known, by their keys.

    They are its readable entries, and what finished runs say of themselves: their trails hold specifications.
    """
    cells = {cell.key: cell for cell in _entries(study, "cells", PlannedCell)}
    generators = {each.key: each for each in _entries(study, "generators", PlannedGenerator)}
    for run in find_runs(study):
        manifest = run.manifest
        try:
            spec = _spec(study / RUNS_FOLDER / run.name)
        except StorageError:
            continue
        if spec.key != manifest.key:
            continue
        if isinstance(spec, GeneratorSpec):
            generators.setdefault(spec.key, PlannedGenerator.of(spec, label=manifest.model, line=0))
        else:
            cells.setdefault(spec.key, PlannedCell.of(spec, model=manifest.model, arm=manifest.arm, line=0))
    return list(cells.values()), list(generators.values())


def _entries(study: Path, name: str, kind: type[P]) -> Iterator[P]:
    """Yield the entries of a list of a plan that can be read and have the key of their specification."""
    try:
        content = from_json(read_ordinary(study / PLAN_FILE))
    except (OSError, ValueError):
        return
    listed = content.get(name) if isinstance(content, dict) else None
    for each in listed if isinstance(listed, list) else ():
        try:
            entry = kind.model_validate(each)
        except ValidationError:
            continue
        if entry.spec.key == entry.key:
            yield entry


def _spec(run: Path) -> CellSpec | GeneratorSpec:
    links = read_trail(run).links
    try:
        return CellLink.model_validate(links[0].content).spec
    except (IndexError, ValidationError) as error:
        raise StorageError(f"{run}: its trail does not begin with the specification of a cell") from error
