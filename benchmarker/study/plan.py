"""The plan of a study: every model x arm x seed, written before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarker.digests import digest_json
from benchmarker.errors import StorageError
from benchmarker.files import write_json
from benchmarker.study.layout import FORMAT, PLAN_FILE, run_name
from benchmarker.study.observer import CellView
from benchmarker.study.settings import shared_settings

# Raise when the same spec would mean another training: it is part of every key.
SPEC_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One model x arm x seed on one dataset.

    Parameters
    ----------
    key : str
        SHA-256 of ``spec``: everything that may change the result.
    configuration : str
        SHA-256 of ``spec`` without the seed: cells that may be averaged share it.
    model, architecture, arm : str
        Names for tables; they change no result.
    seed : int
        Of all its streams.
    line : int
        Of the model in the registry; 0 where unknown.
    spec : mapping
        What the worker needs to know.
    """

    key: str
    configuration: str
    model: str
    architecture: str
    arm: str
    seed: int
    line: int
    spec: Mapping[str, Any]

    @classmethod
    def of(cls, spec: Mapping[str, Any], *, model: str, architecture: str, arm: str, line: int) -> Cell:
        """Return the cell of a spec, with its names for tables."""
        return cls(
            key=digest_json(spec),
            configuration=digest_json(shared_settings(spec)),
            model=model,
            architecture=architecture,
            arm=arm,
            seed=spec["seed"],
            line=line,
            spec=spec,
        )

    @property
    def run_name(self) -> str:
        """Name of the folder of the cell's run."""
        return run_name(self.key)

    @property
    def name(self) -> str:
        """Model, arm and seed, as messages call it."""
        return self.view.name

    @property
    def view(self) -> CellView:
        """The cell, as people know it."""
        names = {name: getattr(self, name) for name in ("key", "model", "architecture", "arm", "seed")}
        return CellView(**names, generator=is_generator(self))


def is_generator(cell: Cell) -> bool:
    """Whether a cell trains a generator, which others need, and no network."""
    return cell.spec.get("kind") == "generator"


def generator_key(cell: Cell) -> str | None:
    """Return the key of the generator whose images a cell is trained on, if there is one."""
    generated = cell.spec.get("arm", {}).get("generated")
    # Of an arm that cannot be used, no generator was planned.
    return None if generated is None else generated.get("generator")


def merge_cells(planned: Iterable[Cell], earlier: Iterable[Cell]) -> tuple[list[Cell], list[Cell]]:
    """Join a new plan with the one that a study has, so that its denominator never shrinks.

    Parameters
    ----------
    planned, earlier : iterable of Cell
        Of the registry now, and of the study's plan so far.

    Returns
    -------
    merged, superseded : list of Cell
        Earlier cells stay, unless they were trained on other images or another split, or a model of the same name now
        means something else in the same arm on the same backend.
    """
    merged = list(planned)
    grounds = [_ground(cell) for cell in merged[:1]]
    keys = {cell.key for cell in merged}
    configurations = {_place(cell): cell.configuration for cell in merged}
    superseded = []
    for cell in earlier:
        if cell.key in keys:
            continue
        same = configurations.get(_place(cell), cell.configuration) == cell.configuration
        if same and _ground(cell) in grounds:
            merged.append(cell)
        else:
            superseded.append(cell)
    return merged, superseded


def _entries(plan: Mapping[str, Any], part: str) -> Any:
    return plan["cells"] if part == "cells" else plan.get(part, ())


def _read(entry: Mapping[str, Any]) -> Cell:
    cell = Cell(**entry)
    _ = cell.spec["generator"] if is_generator(cell) else _ground(cell)  # raises where it is incomplete
    return cell


def _place(cell: Cell) -> tuple[str, str, str]:
    """Return where a cell stands in tables; backends stand side by side, since their results are never averaged."""
    return cell.model, cell.arm, cell.spec["backend"]


def _ground(cell: Cell) -> tuple[Any, Any]:
    """Return what must be equal for scores to be compared."""
    return cell.spec["dataset"], cell.spec["split"]


def write_plan(study: Path, header: Mapping[str, Any], cells: Iterable[Cell], generators: Iterable[Cell] = ()) -> None:
    """Write ``plan.json`` atomically."""
    plan = {"format": FORMAT, **header, "cells": [asdict(cell) for cell in cells]}
    trained_before = [asdict(cell) for cell in generators]
    write_json(study / PLAN_FILE, plan | ({"generators": trained_before} if trained_before else {}))


def read_cells(study: Path) -> list[Cell]:
    """Return the cells of a study's plan; none where it has no plan yet.

    Raises
    ------
    StorageError
        If the plan cannot be read.
    """
    return _read_plan(study, "cells")


def read_generators(study: Path) -> list[Cell]:
    """Return the generators of a study's plan, as cells of their own.

    Raises
    ------
    StorageError
        If the plan cannot be read.
    """
    return _read_plan(study, "generators")


def _read_plan(study: Path, part: str) -> list[Cell]:
    path = study / PLAN_FILE
    if not path.exists():
        return []
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        cells = [_read(cell) for cell in _entries(plan, part)] if plan["format"] == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path}: is not a plan of this program ({error}); choose another results folder") from error
    if cells is None:
        raise StorageError(
            f"{path}: format {FORMAT} was expected. Received: {plan['format']!r}. It was written by another version of "
            "the benchmarker; choose another results folder"
        )
    return cells
