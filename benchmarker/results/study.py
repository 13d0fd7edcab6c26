"""Studies: the plan, and what became of each of its cells, read back from the study's folder.

The run folders are the truth. They may come from anywhere, half copied or edited by hand. A run that cannot be read
makes its cell *unreadable*, with the reason, and never hides the other cells.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from benchmarker.errors import StorageError
from benchmarker.results.index import FEWEST_RUNS, Noted, Numbers, load_index, stamp
from benchmarker.results.metrics import MalformedError, evaluation_rows, flatten_costs
from benchmarker.study.layout import (
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

Status = Literal["ok", "failed", "unreadable", "pending"]
_LONG = 1_000_000  # bytes


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
    configuration : str
        Digest of everything but the seed: cells that may be averaged share it; empty where the plan has none.
    manifest, metrics, costs : mapping
        The run's files as they are; empty unless the status is ``"ok"`` (a failed run has its manifest). Of a large
        study they are read when they are looked into.
    evaluations : mapping of str to mapping of str to float
        For each checkpoint (``"best"``, ``"final"``), each metric and its value.
    cost_values : mapping of str to float
        Costs as a flat table: ``"parameters"``, ``"flops"``, ``"inference_images_per_second"`` ...
    collapsed : mapping of str to str
        For each checkpoint that calls every validation image the same class, that class.
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
    collapsed: Mapping[str, str] = field(default_factory=dict)
    configuration: str = ""

    @property
    def name(self) -> str:
        """Model, arm and seed, as commands take them."""
        return f"{self.model}/{self.arm}/{self.seed}"

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """What of the environment may have changed bits."""
        value = self.manifest.get("fingerprint")
        return value if isinstance(value, Mapping) else {}

    @property
    def trained(self) -> bool:
        """False for a run that tested saved weights (``benchmarker run -o``)."""
        return self.manifest.get("trained", True) is not False


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
    generators : tuple of CellRecord
        Trained before the cells that need their images, in the order of the plan; no cells of the comparison.
    """

    folder: Path
    plan: Mapping[str, Any]
    cells: tuple[CellRecord, ...]
    notes: tuple[str, ...] = ()
    generators: tuple[CellRecord, ...] = ()

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
        Folder that ``benchmarker run`` wrote.

    Raises
    ------
    StorageError
        If there is no readable plan. Damaged runs raise nothing; their cells are ``"unreadable"``.
    """
    # A long plan is a large study.
    with uncollected(stays=_is_long(folder / PLAN_FILE)):
        plan = _read_plan(folder)
        planned = list(_planned(folder, plan.get("cells")))
        trained_before = list(_planned(folder, plan.get("generators", [])))
        reader = _Reader(folder, lean=len(planned) + len(trained_before) >= FEWEST_RUNS)
        cells = tuple(map(reader.read, planned))
        generators = tuple(map(reader.read, trained_before))
        reader.save()
    notes = tuple(_foreign_runs(reader.present, (*cells, *generators)))
    return Study(folder=folder, plan=plan, cells=cells, generators=generators, notes=notes)


class _Reader:
    """Reads runs, or takes what is known of them from the index where their files are the same as then.

    Parameters
    ----------
    folder : Path
        Of the study.
    lean : bool
        Keep what tables need, and read the rest when it is looked into.
    """

    def __init__(self, folder: Path, *, lean: bool) -> None:
        self._runs = f"{folder}/{RUNS_FOLDER}"
        self._folder = folder
        self._lean = lean
        self._index = load_index(folder) if lean else None
        self._shared: dict[str, Any] = {}
        self._names: dict[tuple[str, ...], dict[str, int]] = {}
        self.present = _folders(self._runs)

    def read(self, planned: Mapping[str, Any]) -> CellRecord:
        """Return a planned cell with what became of it."""
        finished = run_name(planned["key"])
        name = finished if finished in self.present else f"{finished}{FAILED_SUFFIX}"
        if name not in self.present:
            return CellRecord(**planned)
        path = f"{self._runs}/{name}"
        before: tuple[int, ...] = ()
        if self._index is not None:
            before = stamp(path)
            noted = self._index.get(name, before)
            if noted is not None and noted.key == planned["key"]:
                return _from_note(planned, path, noted)
        folder = Path(path)
        cell = CellRecord(**planned)
        try:
            full = _finished(cell, folder) if name == finished else _failed(cell, folder)
        except (MalformedError, OSError) as error:
            message = f"{RUNS_FOLDER}/{name}: {error}"
            return replace(cell, status="unreadable", kind="unreadable", message=message, folder=folder)
        if self._index is None:
            return full
        noted = self._note(full)
        self._index.add(name, before, noted)
        return _from_note(planned, path, noted)

    def save(self) -> None:
        """Keep what was read for the next time."""
        if self._index is not None:
            self._index.save(self._folder, sorted(self.present))

    def _note(self, cell: CellRecord) -> Noted:
        return Noted(
            key=cell.key,
            status=cell.status,
            kind=cell.kind,
            message=cell.message,
            known=self._same({"fingerprint": cell.fingerprint, "trained": cell.trained}),
            scored=self._same({"primary": cell.metrics["primary"]} if "primary" in cell.metrics else {}),
            collapsed=self._same(dict(cell.collapsed)),
            evaluations={checkpoint: self._lean_table(table) for checkpoint, table in cell.evaluations.items()},
            costs=self._lean_table(cell.cost_values),
        )

    def _same(self, value: Any) -> Any:
        """Return one object for equal values."""
        return self._shared.setdefault(json.dumps(value), value)

    def _lean_table(self, table: Mapping[str, float]) -> Numbers:
        names = tuple(table)
        if names not in self._names:
            self._names[names] = {name: place for place, name in enumerate(names)}
        at = self._names[names]
        whole = bytes([isinstance(value, int) for value in table.values()])
        return Numbers(at, memoryview(array("d", table.values())), whole, 0)


def _from_note(planned: Mapping[str, Any], path: str, noted: Noted) -> CellRecord:
    finished = noted.status == "ok"
    return CellRecord(
        **planned,
        status="ok" if finished else "failed",
        kind=noted.kind,
        message=noted.message,
        folder=Path(path),
        manifest=JsonFile(f"{path}/{MANIFEST_FILE}", noted.known),
        metrics=JsonFile(f"{path}/{METRICS_FILE}", noted.scored) if finished else {},
        costs=JsonFile(f"{path}/{COSTS_FILE}", {}) if finished else {},
        evaluations=noted.evaluations,
        cost_values=noted.costs,
        collapsed=noted.collapsed,
    )


def _folders(runs: str) -> frozenset[str]:
    try:
        with os.scandir(runs) as entries:
            return frozenset(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return frozenset()


def _is_long(plan: Path) -> bool:
    try:
        return plan.stat().st_size > _LONG
    except OSError:
        return False


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


def _planned(folder: Path, entries: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(entries, list):
        raise StorageError(f"{folder / PLAN_FILE}: a list of cells was expected. Received: {type(entries).__name__}.")
    for number, entry in enumerate(entries):
        try:
            yield {
                "key": str(entry["key"]),
                "model": str(entry["model"]),
                "architecture": str(entry.get("architecture", entry["model"])),
                "arm": str(entry["arm"]),
                "seed": int(entry["seed"]),
                "line": entry.get("line"),
                "spec": entry.get("spec") or {},
                "configuration": str(entry.get("configuration") or ""),
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StorageError(
                f"{folder / PLAN_FILE}: cell {number + 1} is incomplete ({type(error).__name__}: {error}). "
                "Restore the plan from a copy, or run the registry into another folder (-p)."
            ) from error


def _finished(cell: CellRecord, folder: Path) -> CellRecord:
    manifest = _manifest(cell, folder)
    if manifest.get("status") != "ok":
        raise MalformedError(f"manifest.json: status 'ok' was expected. Received: {manifest.get('status')!r}")
    metrics = _read_json(folder / METRICS_FILE)
    costs = _read_json(folder / COSTS_FILE)
    return replace(
        cell,
        status="ok",
        folder=folder,
        manifest=manifest,
        metrics=metrics,
        costs=costs,
        evaluations={} if cell.spec.get("kind") == "generator" else evaluation_rows(metrics),
        cost_values=flatten_costs(costs),
        collapsed=_collapsed(metrics),
    )


def _failed(cell: CellRecord, folder: Path) -> CellRecord:
    manifest = _manifest(cell, folder)
    message = str(manifest.get("message") or "no message")
    return replace(
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


def _collapsed(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return the class that a network calls every validation image, for each checkpoint where it does."""
    return {
        checkpoint: evaluation["collapsed"]
        for checkpoint, evaluation in metrics.items()
        if isinstance(evaluation, dict) and isinstance(evaluation.get("collapsed"), str)
    }


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes().decode())
    except FileNotFoundError as error:
        raise MalformedError(f"{path.name} is missing") from error
    except ValueError as error:  # also bytes that are no UTF-8
        raise MalformedError(f"{path.name} is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise MalformedError(f"{path.name}: an object was expected. Received: {type(value).__name__}")
    return value


def _foreign_runs(present: frozenset[str], cells: tuple[CellRecord, ...]) -> list[str]:
    known = {run_name(cell.key) for cell in cells}
    foreign = sorted(name for name in present if name.removesuffix(FAILED_SUFFIX) not in known and _is_run(name))
    if not foreign:
        return []
    names = ", ".join(foreign[:3]) + (" ..." if len(foreign) > 3 else "")
    return [f"{len(foreign)} run(s) in runs/ belong to no cell of the plan and are not counted: {names}"]


def _is_run(name: str) -> bool:
    """Tell runs from folders that are still being written."""
    stem = name.removesuffix(FAILED_SUFFIX)
    return len(stem) == RUN_NAME_LENGTH and all(character in "0123456789abcdef" for character in stem)


class JsonFile(Mapping[str, Any]):
    """A JSON object in a file; what is already known of it is told without reading.

    Parameters
    ----------
    path : str
        The file, which held such an object when the run was read.
    known : mapping
        Some of its entries.
    """

    __slots__ = ("_content", "_known", "_path")

    def __init__(self, path: str, known: Mapping[str, Any]) -> None:
        self._path = path
        self._known = known
        self._content: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        if name in self._known:
            return self._known[name]
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._path!r})"

    def _read(self) -> dict[str, Any]:
        if self._content is None:
            try:
                value = json.loads(Path(self._path).read_bytes())
            except (OSError, ValueError) as error:
                raise StorageError(f"{self._path}: changed while it was read: {error}") from error
            if not isinstance(value, dict):
                raise StorageError(f"{self._path}: changed while it was read: it is no object any more")
            self._content = value
        return self._content


@contextlib.contextmanager
def uncollected(*, stays: bool = False) -> Iterator[None]:
    """Keep Python from searching a growing heap for garbage again and again, where everything that is read stays.

    Parameters
    ----------
    stays : bool
        What has been read is never searched: it holds no cycles, and goes when nobody needs it.
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
