"""A study's plan and its cells, as they are read from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

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
        The folder that ``benchmarker run`` wrote.

    Raises
    ------
    StorageError
        If there is no readable plan. Damaged runs raise nothing; their cells are unreadable.
    """
    from benchmarker.results.reading import read

    return read(folder)
