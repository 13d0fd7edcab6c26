"""Reads a study's folder: the plan, and what became of each of its cells.

The run folders are the truth and may come from anywhere, half copied or edited by hand. Whatever is wrong with one of
them makes its cell *unreadable*, says why, and never hides the other cells.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from benchmarker.errors import StorageError
from benchmarker.results.layout import (
    COSTS_FILE,
    FAILED_SUFFIX,
    FORMAT,
    MANIFEST_FILE,
    METRICS_FILE,
    PLAN_FILE,
    RUN_NAME_LENGTH,
    RUNS_FOLDER,
    run_name,
)
from benchmarker.results.rows import MalformedError, evaluation_rows, flatten_costs

Status = Literal["ok", "failed", "unreadable", "pending"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecord:
    """One cell of a plan, and what became of it.

    Parameters
    ----------
    key : str
        Digest of everything that may change the result.
    model, architecture, arm, seed
        What was trained, how, and under which seed.
    line : int or None
        Where the model stands in the registry.
    spec : mapping
        Everything that the key is made from.
    status : {"ok", "failed", "unreadable", "pending"}
        ``"unreadable"`` is a run that cannot be read back.
    kind, message : str
        Of a failure; empty otherwise.
    folder : Path or None
        The run's folder.
    manifest, metrics, costs : mapping
        The run's files as they are; empty unless the status is ``"ok"`` (a failed run has its manifest).
    evaluations : mapping of str to mapping of str to float
        For each checkpoint (``"best"``, ``"final"``), each metric and its value.
    cost_values : mapping of str to float
        Costs as a flat table: ``"parameters"``, ``"flops"``, ``"inference_images_per_second"`` ...
    """

    key: str
    model: str
    architecture: str
    arm: str
    seed: int
    line: int | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)
    status: Status = "pending"
    kind: str = ""
    message: str = ""
    folder: Path | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    costs: Mapping[str, Any] = field(default_factory=dict)
    evaluations: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    cost_values: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Model, arm and seed, as commands take them."""
        return f"{self.model}/{self.arm}/{self.seed}"

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """What of the environment may have changed bits."""
        value = self.manifest.get("fingerprint")
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study's plan and its cells.

    Parameters
    ----------
    folder : Path
        Where it lies.
    plan : mapping
        ``plan.json`` as it is.
    cells : tuple of CellRecord
        In the order of the plan.
    notes : tuple of str
        What a reader of the results should know.
    """

    folder: Path
    plan: Mapping[str, Any]
    cells: tuple[CellRecord, ...]
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The registry's title, or the folder's name."""
        return str(self.plan.get("title") or self.folder.resolve().name)

    @property
    def dataset(self) -> Mapping[str, Any]:
        """What the plan says of the dataset."""
        value = self.plan.get("dataset")
        return value if isinstance(value, dict) else {}

    @property
    def task(self) -> Mapping[str, Any]:
        """The task's ``to_json``."""
        value = self.dataset.get("task")
        return value if isinstance(value, dict) else {"kind": "classification", "classes": []}

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """Name and reason of each image that the dataset could not use."""
        entries = self.dataset.get("skipped")
        if not isinstance(entries, list):
            return ()
        return tuple((str(e.get("name", "?")), str(e.get("reason", "?"))) for e in entries if isinstance(e, dict))

    def count(self, status: Status) -> int:
        """Return how many cells have a status."""
        return sum(cell.status == status for cell in self.cells)


def read_study(folder: Path) -> Study:
    """Read a study's plan and runs.

    Parameters
    ----------
    folder : Path
        The folder that ``benchmarker run`` wrote.

    Raises
    ------
    StorageError
        If there is no readable plan. Damaged runs raise nothing; their cells are unreadable.
    """
    plan = _read_plan(folder)
    cells = tuple(_read_cell(folder, cell) for cell in _planned(folder, plan))
    return Study(folder=folder, plan=plan, cells=cells, notes=tuple(_foreign_runs(folder, cells)))


def _read_plan(folder: Path) -> dict[str, Any]:
    path = folder / PLAN_FILE
    if not folder.is_dir():
        raise StorageError(f"{folder}: there is no such folder. {_studies_nearby(folder)}")
    if not path.is_file():
        raise StorageError(f"{folder}: not a study: it holds no {PLAN_FILE}. {_studies_nearby(folder)}")
    try:
        plan = _read_json(path)
    except (MalformedError, OSError) as error:
        raise StorageError(
            f"{path}: {error}. Restore the plan from a copy, or run the registry into another folder (-p)."
        ) from error
    if plan.get("format") != FORMAT:
        raise StorageError(
            f"{path}: format {FORMAT} was expected. Received: {plan.get('format')!r}. "
            "It was written by another version of the benchmarker; read it with that version."
        )
    return plan


def _studies_nearby(folder: Path) -> str:
    roots = (folder, folder.parent, Path("results"))
    found = [str(plan.parent) for root in roots if root.is_dir() for plan in sorted(root.glob(f"*/{PLAN_FILE}"))]
    found = list(dict.fromkeys(found))  # the nearest first
    if found:
        return f"Studies nearby: {', '.join(found[:5])}."
    return "Give the folder that `benchmarker run` printed, for example results/quickstart."


def _planned(folder: Path, plan: Mapping[str, Any]) -> Iterator[CellRecord]:
    entries = plan.get("cells")
    if not isinstance(entries, list):
        raise StorageError(f"{folder / PLAN_FILE}: a list of cells was expected. Received: {type(entries).__name__}.")
    for number, entry in enumerate(entries):
        try:
            yield CellRecord(
                key=str(entry["key"]),
                model=str(entry["model"]),
                architecture=str(entry.get("architecture", entry["model"])),
                arm=str(entry["arm"]),
                seed=int(entry["seed"]),
                line=entry.get("line"),
                spec=entry.get("spec") or {},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StorageError(
                f"{folder / PLAN_FILE}: cell {number + 1} is incomplete ({type(error).__name__}: {error}). "
                "Restore the plan from a copy, or run the registry into another folder (-p)."
            ) from error


def _read_cell(study: Path, cell: CellRecord) -> CellRecord:
    name = run_name(cell.key)
    finished, failed = study / RUNS_FOLDER / name, study / RUNS_FOLDER / f"{name}{FAILED_SUFFIX}"
    folder = finished if finished.is_dir() else failed
    if not folder.is_dir():
        return cell
    try:
        return _finished(cell, folder) if folder == finished else _failed(cell, folder)
    except (MalformedError, OSError) as error:
        message = f"{RUNS_FOLDER}/{folder.name}: {error}"
        return _with(cell, status="unreadable", kind="unreadable", message=message, folder=folder)


def _finished(cell: CellRecord, folder: Path) -> CellRecord:
    manifest = _manifest(cell, folder)
    if manifest.get("status") != "ok":
        raise MalformedError(f"manifest.json: status 'ok' was expected. Received: {manifest.get('status')!r}")
    metrics = _read_json(folder / METRICS_FILE)
    costs = _read_json(folder / COSTS_FILE)
    return _with(
        cell,
        status="ok",
        folder=folder,
        manifest=manifest,
        metrics=metrics,
        costs=costs,
        evaluations=evaluation_rows(metrics),
        cost_values=flatten_costs(costs),
    )


def _failed(cell: CellRecord, folder: Path) -> CellRecord:
    manifest = _manifest(cell, folder)
    message = str(manifest.get("message") or "no message")
    return _with(
        cell,
        status="failed",
        kind=str(manifest.get("kind") or "crashed"),
        message=" ".join(message.split()),
        folder=folder,
        manifest=manifest,
    )


def _manifest(cell: CellRecord, folder: Path) -> dict[str, Any]:
    manifest = _read_json(folder / MANIFEST_FILE)
    if manifest.get("key", cell.key) != cell.key:
        raise MalformedError("manifest.json belongs to another cell")
    return manifest


def _with(cell: CellRecord, **changes: Any) -> CellRecord:
    return replace(cell, **changes)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MalformedError(f"{path.name} is missing") from error
    except ValueError as error:  # also bytes that are no UTF-8
        raise MalformedError(f"{path.name} is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise MalformedError(f"{path.name}: an object was expected. Received: {type(value).__name__}")
    return value


def _foreign_runs(folder: Path, cells: tuple[CellRecord, ...]) -> list[str]:
    known = {run_name(cell.key) for cell in cells}
    runs = folder / RUNS_FOLDER
    if not runs.is_dir():
        return []
    foreign = sorted(
        run.name
        for run in runs.iterdir()
        if run.is_dir() and run.name.removesuffix(FAILED_SUFFIX) not in known and _is_run(run.name)
    )
    if not foreign:
        return []
    names = ", ".join(foreign[:3]) + (" ..." if len(foreign) > 3 else "")
    return [f"{len(foreign)} run(s) in runs/ belong to no cell of the plan and are not counted: {names}"]


def _is_run(name: str) -> bool:
    """Tell runs from folders that are still being written."""
    stem = name.removesuffix(FAILED_SUFFIX)
    return len(stem) == RUN_NAME_LENGTH and all(character in "0123456789abcdef" for character in stem)
