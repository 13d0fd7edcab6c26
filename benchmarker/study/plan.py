"""The plan of a study: every model x arm x seed and the generators that arms need, written before training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError

from benchmarker.contracts.images import SkippedImage
from benchmarker.contracts.settings import Preparation
from benchmarker.digests import digest_json
from benchmarker.errors import StorageError
from benchmarker.files import write_json
from benchmarker.study.layout import PLAN_FILE, run_name
from benchmarker.study.observer import CellView
from benchmarker.study.record import FORMAT, Record, TaskRecord, WrittenOut, explain
from benchmarker.study.settings import shared_settings
from benchmarker.study.specs import CellSpec, GeneratorSpec

GENERATOR_ARM: Literal["generator"] = "generator"
"""What files hold for a generator where a cell has the name of its arm."""


class _Planned(Record):
    """What cells and generators of a plan have in common."""

    key: str
    """SHA-256 of the specification."""

    configuration: str
    """SHA-256 of the specification without the seed: what may be averaged shares it."""

    @property
    def run_name(self) -> str:
        """Name of the folder of the finished run."""
        return run_name(self.key)


class PlannedCell(_Planned):
    """One model x arm x seed on one dataset."""

    model: str
    """How tables call the network."""

    architecture: str
    """Name of the architecture."""

    arm: str
    """How tables call the arm."""

    seed: int
    """Seed of every stream."""

    line: int
    """Line of the model in the registry; 0 where it is unknown."""

    spec: CellSpec
    """Everything that may change the result."""

    @classmethod
    def of(cls, spec: CellSpec, *, model: str, arm: str, line: int) -> Self:
        """Return the cell of a specification."""
        return cls(
            key=spec.key,
            configuration=spec.configuration,
            model=model,
            architecture=spec.model.architecture,
            arm=arm,
            seed=spec.seed,
            line=line,
            spec=spec,
        )

    @property
    def name(self) -> str:
        """Model, arm and seed, as ``benchmarker show`` takes them."""
        return f"{self.model}/{self.arm}/{self.seed}"

    @property
    def generator(self) -> str | None:
        """Key of the generator whose images the network is trained on, where there is one."""
        return self.spec.arm.generator


class PlannedGenerator(_Planned):
    """One generator under one seed, trained before the cells that need its images."""

    label: str = Field(alias="model")
    """How arms and tables call the generator."""

    plugin: str = Field(alias="architecture")
    """Name of the generator's plugin."""

    arm: Literal["generator"]
    """Tells a generator from a cell in files that hold both."""

    seed: int
    """Seed of every stream."""

    line: int
    """Line of the generator in the registry; 0 where it is unknown."""

    spec: GeneratorSpec
    """Everything that may change the trained generator."""

    @classmethod
    def of(cls, spec: GeneratorSpec, *, label: str, line: int) -> Self:
        """Return the generator of a specification."""
        return cls(
            key=spec.key,
            configuration=spec.configuration,
            label=label,
            plugin=spec.generator.name,
            arm=GENERATOR_ARM,
            seed=spec.seed,
            line=line,
            spec=spec,
        )

    @property
    def name(self) -> str:
        """Label, the word ``generator`` and seed, as ``benchmarker show`` takes them."""
        return f"{self.label}/{self.arm}/{self.seed}"


Planned = PlannedCell | PlannedGenerator
"""Whatever a plan holds that is run in a worker."""


class RegistryRecord(Record):
    """The registry that a study was last run with."""

    name: str
    """Name of the file."""

    sha256: str
    """SHA-256 of its bytes."""


class PartSizes(Record):
    """Number of images in each part."""

    train: int
    """Images that networks are trained on, before anything is generated or expanded."""

    validation: int
    """Images that the best epoch is chosen by."""

    test: int
    """Images that networks are compared on."""


class DatasetRecord(Record):
    """The prepared images of a study."""

    name: str
    """Name of the dataset."""

    digest: str
    """SHA-256 of the prepared images with their targets."""

    task: TaskRecord
    """What the targets mean."""

    images: int
    """Number of images that can be used."""

    shape: tuple[int, int, int]
    """Height, width and channels of an image, in pixels."""

    parts: PartSizes
    """Images in each part under the first seed."""

    skipped: tuple[SkippedImage, ...] = ()
    """Images that were left out, with reasons."""

    licence: str = ""
    """Licence of the dataset."""

    citation: str = ""
    """Bibcode or DOI of the dataset's publication."""


class PrimaryMetricRecord(Record):
    """The metric that leaderboards are sorted by."""

    name: str
    """Name of the metric."""

    higher_is_better: bool
    """Whether a higher value is a better one."""


class SourceRecord(Record):
    """What an audit needs to prepare the same images again."""

    path: str | None
    """The user's own file or folder, relative to the study; null for a download."""

    options: dict[str, Any]
    """Options of the dataset, defaults included."""

    preparation: WrittenOut[Preparation]
    """How images are prepared."""


class MergedStudy(Record):
    """A study that `benchmarker merge` took cells from."""

    title: str
    """Title of its registry."""

    registry: RegistryRecord
    """Registry that it was last run with."""

    cells: int
    """Number of its cells."""


class PlanHeader(Record):
    """What a plan says beside its cells."""

    format: Literal[1]
    """Format of the plan."""

    title: str = ""
    """Title of the registry."""

    registry: RegistryRecord
    """Registry that was last run."""

    dataset: DatasetRecord
    """Prepared images."""

    backend: str
    """Name of the backend of Keras."""

    primary: PrimaryMetricRecord
    """Metric to rank by."""

    source: SourceRecord | None = None
    """Where the images come from; plans of the first versions do not say."""

    merged_from: tuple[MergedStudy, ...] = ()
    """Studies that were merged into this one; left out where there are none."""


class Plan(PlanHeader):
    """``plan.json``: what a study is about, its cells and its generators."""

    cells: tuple[PlannedCell, ...]
    """Every cell, in the order in which they are run."""

    generators: tuple[PlannedGenerator, ...] = ()
    """Generators that are trained before the cells that need them."""


def read_plan(study: Path) -> Plan | None:
    """Return the plan of a study, or None where it has no plan yet.

    Parameters
    ----------
    study : Path
        Folder of the study.

    Raises
    ------
    StorageError
        If the plan cannot be read.
    """
    path = study / PLAN_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and content.get("format", FORMAT) != FORMAT:
            raise StorageError(
                f"{path}: format {FORMAT} was expected. Received: {content['format']!r}. Another version of the "
                "benchmarker wrote it; choose another results folder"
            )
        return Plan.model_validate(content)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = explain(error) if isinstance(error, ValidationError) else error
        raise StorageError(
            f"{path}: is not a plan of this program ({reason}); choose another results folder"
        ) from error


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
