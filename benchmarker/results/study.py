"""Studies: the plan, and what became of each cell and generator, read back from the study's folder.

The run folders are the truth. They may come from anywhere, half copied or edited by hand. A run that cannot be read
makes its cell *unreadable*, with the reason, and never hides the other cells.
"""

from __future__ import annotations

import contextlib
import gc
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from benchmarker.contracts.images import SkippedImage
from benchmarker.contracts.tasks import Task
from benchmarker.errors import DamagedPlanError, StorageError
from benchmarker.record import Json, Record, explain
from benchmarker.results.index import FEWEST_RUNS, RunIndex, RunSummary, Status, load_index, stamp
from benchmarker.results.run_summaries import (
    MalformedError,
    read_validated,
    require_ordinary_run,
    summarise_cell,
    summarise_failure,
    summarise_generator,
)
from benchmarker.study.fingerprint import Fingerprint
from benchmarker.study.layout import (
    COSTS_FILE,
    FAILED_SUFFIX,
    MANIFEST_FILE,
    METRICS_FILE,
    PLAN_FILE,
    RUN_NAME_LENGTH,
    RUNS_FOLDER,
    run_name,
)
from benchmarker.study.opening import require_ordinary
from benchmarker.study.plan import (
    DatasetRecord,
    PlanEntry,
    PlanHeader,
    PlannedCell,
    PlannedGenerator,
    PlanOutline,
    read_outline,
)
from benchmarker.study.recovery import find_runs
from benchmarker.study.runs import (
    MANIFEST,
    CellCosts,
    CellMetrics,
    FailedManifest,
    FinishedManifest,
    GeneratorCosts,
    GeneratorMetrics,
)
from benchmarker.study.specs import CellSpec, GeneratorSpec

S = TypeVar("S", CellSpec, GeneratorSpec)
P = TypeVar("P", PlannedCell, PlannedGenerator)
M = TypeVar("M", bound=Record)
T = TypeVar("T")

_LONG_PLAN_BYTES = 1_000_000
_MOST_RUNS_SHOWN = 20
_PENDING = RunSummary()


@dataclass(frozen=True, kw_only=True)
class _Record:
    """What records of cells and of generators have in common."""

    entry: PlanEntry
    run: RunSummary = _PENDING
    path: str = ""

    @property
    def folder(self) -> Path | None:
        """Folder of the run; None if there is none."""
        return Path(self.path) if self.path else None

    @property
    def key(self) -> str:
        """Digest of everything that may change the result."""
        return self.entry.key

    @property
    def configuration(self) -> str:
        """Digest of everything but the seed: what may be averaged shares it."""
        return self.entry.configuration

    @property
    def model(self) -> str:
        """Name of the network or generator in tables."""
        return self.entry.model

    @property
    def arm(self) -> str:
        """Name of the arm in tables; ``"generator"`` for a generator."""
        return self.entry.arm

    @property
    def seed(self) -> int:
        """Seed of every stream."""
        return self.entry.seed

    @property
    def line(self) -> int:
        """Line of the registry; 0 where it is unknown."""
        return self.entry.line

    @property
    def name(self) -> str:
        """Name that commands take, such as ``"convxpress/real/8901"`` or ``"dcgan/generator/8901"``."""
        return self.entry.name

    @property
    def run_name(self) -> str:
        """Name of the folder of the finished run."""
        return self.entry.run_name

    @property
    def status(self) -> Status:
        """``"ok"``, ``"failed"``, ``"unreadable"`` (the run's files are damaged) or ``"pending"``."""
        return self.run.status

    @property
    def kind(self) -> str:
        """Kind of the failure; empty if there was none."""
        return self.run.kind

    @property
    def message(self) -> str:
        """Message of the failure in one line; empty if there was none."""
        return self.run.message

    @property
    def trained(self) -> bool:
        """False for a run that tested saved weights (``benchmarker run -o``), or copied a generator from the cache."""
        return self.run.trained

    @property
    def fingerprint(self) -> Fingerprint | None:
        """What of the environment may have changed bits; None without a finished run."""
        return self.run.fingerprint

    @property
    def cost_values(self) -> Mapping[str, float]:
        """Costs by their flat names: ``"parameters"``, ``"flops"``, ``"inference_images_per_second"`` ..."""
        return self.run.costs

    @cached_property
    def manifest(self) -> FinishedManifest | FailedManifest | None:
        """Manifest of the run, read when it is first asked for; None if the cell is pending or its run unreadable."""
        return self._read(MANIFEST_FILE, MANIFEST.validate_json) if self.status in {"ok", "failed"} else None

    def _read(self, name: str, validate: Callable[[bytes], T]) -> T:
        try:
            return read_validated(Path(self.path, name), validate)
        except (MalformedError, OSError) as error:
            raise StorageError(f"{self.path}: changed while it was read: {error}") from error

    def _planned(self, model: type[P]) -> P:
        # Only generators are watched; a cell has no such field.
        return self._validated(model, self.entry.model_dump(exclude={"watch"} if self.entry.watch is None else None))

    def _spec(self, model: type[S]) -> S:
        return self._validated(model, self.entry.spec)

    def _validated(self, model: type[M], content: Json) -> M:
        try:
            return model.model_validate(content)
        except ValidationError as error:
            raise StorageError(
                f"{PLAN_FILE}: specification of {self.name}: {explain(error)}. Restore the plan from a copy"
            ) from error


@dataclass(frozen=True, kw_only=True)
class CellRecord(_Record):
    """A cell of a plan, and what became of it.

    Parameters
    ----------
    entry : PlanEntry
        Cell of the plan.
    run : RunSummary
        Summary of its run.
    path : str
        Path of the run; empty if there is none.
    """

    @property
    def architecture(self) -> str:
        """Name of the architecture."""
        return self.entry.architecture

    @cached_property
    def spec(self) -> CellSpec:
        """Everything that the key is made from."""
        return self._spec(CellSpec)

    def planned(self) -> PlannedCell:
        """Return the cell as it can be run again."""
        return self._planned(PlannedCell)

    @property
    def evaluations(self) -> Mapping[str, Mapping[str, float]]:
        """Metrics of each checkpoint (``"best"``, ``"final"``) by their flat names."""
        return self.run.evaluations

    @property
    def collapsed(self) -> Mapping[str, str]:
        """For each checkpoint at which the network assigns every validation image to one class, that class."""
        return self.run.collapsed

    @cached_property
    def metrics(self) -> CellMetrics | None:
        """Metrics of the run, read when they are first asked for; None unless the status is ``"ok"``."""
        return self.read_metrics()

    def read_metrics(self) -> CellMetrics | None:
        """Read the metrics of the run without keeping them: confusion matrices of hundreds of classes are large."""
        return self._read(METRICS_FILE, CellMetrics.model_validate_json) if self.status == "ok" else None

    @cached_property
    def costs(self) -> CellCosts | None:
        """Costs of the run, read when they are first asked for; None unless the status is ``"ok"``."""
        return self._read(COSTS_FILE, CellCosts.model_validate_json) if self.status == "ok" else None


@dataclass(frozen=True, kw_only=True)
class GeneratorRecord(_Record):
    """A generator of a plan under one seed, and what became of its training.

    Parameters
    ----------
    entry : PlanEntry
        Generator of the plan.
    run : RunSummary
        Summary of its training.
    path : str
        Path of the training; empty if there is none.
    """

    def planned(self) -> PlannedGenerator:
        """Return the generator as it can be trained again."""
        return self._planned(PlannedGenerator)

    @property
    def label(self) -> str:
        """Name of the generator in arms and tables."""
        return self.entry.model

    @property
    def plugin(self) -> str:
        """Name of the generator's plugin."""
        return self.entry.architecture

    @cached_property
    def spec(self) -> GeneratorSpec:
        """Everything that the key is made from."""
        return self._spec(GeneratorSpec)

    @cached_property
    def metrics(self) -> GeneratorMetrics | None:
        """Metrics of the training, read when they are first asked for; None unless the status is ``"ok"``."""
        return self._read(METRICS_FILE, GeneratorMetrics.model_validate_json) if self.status == "ok" else None

    @cached_property
    def costs(self) -> GeneratorCosts | None:
        """Costs of the training, read when they are first asked for; None unless the status is ``"ok"``."""
        return self._read(COSTS_FILE, GeneratorCosts.model_validate_json) if self.status == "ok" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study's plan with its cells and generators.

    Parameters
    ----------
    folder : Path
        Path of the study.
    plan : PlanHeader
        What the plan says beside its cells.
    cells : tuple of CellRecord
        Cells in the order of the plan.
    generators : tuple of GeneratorRecord
        Generators in the order of the plan; they are no cells of the comparison.
    notes : tuple of str
        Notes for a reader of the results.
    """

    folder: Path
    plan: PlanHeader
    cells: tuple[CellRecord, ...]
    generators: tuple[GeneratorRecord, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Title of the registry, or the name of the folder."""
        return self.plan.title or self.folder.resolve().name

    @property
    def dataset(self) -> DatasetRecord:
        """The prepared images."""
        return self.plan.dataset

    @property
    def task(self) -> Task:
        """What networks predict."""
        return self.plan.dataset.task

    @property
    def skipped(self) -> tuple[SkippedImage, ...]:
        """Images of the dataset that could not be used, with reasons."""
        return self.plan.dataset.skipped

    def count(self, status: Status) -> int:
        """Return the number of cells with a status."""
        return sum(cell.status == status for cell in self.cells)


def read_study(folder: Path) -> Study:
    """Read a study's plan and runs.

    Parameters
    ----------
    folder : Path
        Folder that ``benchmarker run`` wrote.

    Raises
    ------
    StorageError
        If there is no readable plan, or the folder holds links or other things that no run writes. Damaged runs raise
        nothing; their cells are ``"unreadable"``.
    """
    with uncollected(stays=_is_long(folder / PLAN_FILE)):
        plan = _require_plan(folder)
        large = len(plan.cells) + len(plan.generators) >= FEWEST_RUNS
        reader = _StudyReader(folder, load_index(folder) if large else None)
        study = Study(
            folder=folder,
            plan=plan.header,
            cells=tuple(map(reader.cell, plan.cells)),
            generators=tuple(map(reader.generator, plan.generators)),
            notes=(*plan.damaged, *reader.notes((*plan.cells, *plan.generators))),
        )
        reader.save_index()
    return study


def _require_plan(folder: Path) -> PlanOutline:
    if not folder.is_dir():
        raise StorageError(f"{folder}: there is no such folder. {_studies_nearby(folder)}")
    require_ordinary(folder)
    try:
        plan = read_outline(folder)
    except DamagedPlanError as error:
        raise DamagedPlanError(f"{error}. {_runs_without_plan(folder)}") from error
    if plan is None:
        raise StorageError(f"{folder}: is not a study: it holds no {PLAN_FILE}. {_studies_nearby(folder)}")
    return plan


def _runs_without_plan(folder: Path) -> str:
    """Return which runs a study without a readable plan has, and how to get a plan again.

    No table is made of them: which cells failed or are missing is unknown, so that their means could not be trusted.
    """
    runs = find_runs(folder)
    shown = "".join(f"\n  {run}" for run in runs[:_MOST_RUNS_SHOWN])
    more = f"\n  ... and {len(runs) - _MOST_RUNS_SHOWN} more" if len(runs) > _MOST_RUNS_SHOWN else ""
    registry = next((str(path) for path in sorted(folder.glob("registry*"))), "REGISTRY")
    again = shlex.join(["benchmarker", "run", registry, "-p", str(folder)])
    return (
        f"`{again}` writes another plan and trains no finished cell again. "
        f"{len(runs)} run(s) can be read{':' if runs else '.'}{shown}{more}"
    )


class _StudyReader:
    """Reads runs, or takes their summaries from the index where their files have not changed since.

    Parameters
    ----------
    folder : Path
        Path of the study.
    index : RunIndex or None
        Index of a large study.
    """

    def __init__(self, folder: Path, index: RunIndex | None) -> None:
        self._folder = folder
        self._runs = f"{folder}/{RUNS_FOLDER}"
        self._index = index
        self._present = _folders(self._runs)

    def cell(self, entry: PlanEntry) -> CellRecord:
        run, path = self._find(entry.key, summarise_cell)
        return CellRecord(entry=entry, run=run, path=path)

    def generator(self, entry: PlanEntry) -> GeneratorRecord:
        run, path = self._find(entry.key, summarise_generator)
        return GeneratorRecord(entry=entry, run=run, path=path)

    def save_index(self) -> None:
        if self._index is not None:
            self._index.save(self._folder, sorted(self._present))

    def notes(self, entries: Iterable[PlanEntry]) -> Iterator[str]:
        known = {entry.run_name for entry in entries}
        foreign = sorted(n for n in self._present if n.removesuffix(FAILED_SUFFIX) not in known and _is_run(n))
        if foreign:
            names = ", ".join(foreign[:3]) + (" ..." if len(foreign) > 3 else "")
            yield f"{len(foreign)} run(s) in runs/ belong to no cell of the plan and are not counted: {names}"

    def _find(self, key: str, finished: Callable[[str, Path], RunSummary]) -> tuple[RunSummary, str]:
        name, read = run_name(key), finished
        if name not in self._present:
            name, read = f"{name}{FAILED_SUFFIX}", summarise_failure
        if name not in self._present:
            return _PENDING, ""
        path = f"{self._runs}/{name}"
        before = b""
        if self._index is not None:
            before = stamp(path)
            if (known := self._index.get(name, key, before)) is not None:
                return known, path
        try:
            require_ordinary_run(path)
            run = read(key, Path(path))
        except (MalformedError, OSError) as error:
            message = f"{RUNS_FOLDER}/{name}/{error}"
            return RunSummary(status="unreadable", kind="unreadable", message=message), path
        return (run if self._index is None else self._index.add(name, key, before, run)), path


def _studies_nearby(folder: Path) -> str:
    roots = (folder, folder.parent, Path("results"))
    found = [str(plan.parent) for root in roots if root.is_dir() for plan in sorted(root.glob(f"*/{PLAN_FILE}"))]
    found = list(dict.fromkeys(found))  # the nearest first
    if found:
        return f"Studies nearby: {', '.join(found[:5])}."
    return "Give the folder that `benchmarker run` printed, for example results/quickstart."


def _folders(runs: str) -> frozenset[str]:
    try:
        with os.scandir(runs) as entries:
            return frozenset(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return frozenset()


def _is_long(plan: Path) -> bool:
    try:
        return plan.stat().st_size > _LONG_PLAN_BYTES
    except OSError:
        return False


def _is_run(name: str) -> bool:
    """Whether a folder holds a run that has ended, and not one that is still being written."""
    stem = name.removesuffix(FAILED_SUFFIX)
    return len(stem) == RUN_NAME_LENGTH and all(character in "0123456789abcdef" for character in stem)


@contextlib.contextmanager
def uncollected(*, stays: bool = False) -> Iterator[None]:
    """Suspend the search for garbage while many objects are created, because it would search all of them repeatedly.

    Parameters
    ----------
    stays : bool
        Whether to exclude the new objects from later searches. They hold no cycles, so they are freed without.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if stays:
            gc.freeze()
        if enabled:
            gc.enable()
