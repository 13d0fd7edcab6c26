"""The plan of a study: every model x arm x seed and the generators that arms need, written before training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from benchmarker.contracts.images import SkippedImage
from benchmarker.contracts.settings import Preparation
from benchmarker.errors import DamagedPlanError, StorageError
from benchmarker.files import read_ordinary
from benchmarker.record import Json, Record, TaskRecord, WrittenOut, explain
from benchmarker.registry.models import Watch
from benchmarker.study.layout import FORMAT, PLAN_FILE, run_name
from benchmarker.study.rounds import RoundsRecord
from benchmarker.study.specs import CellSpec, GeneratorSpec

if TYPE_CHECKING:
    from benchmarker.data.splits import Parts

P = TypeVar("P")


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

    arm: Literal["generator"] = "generator"
    """Tells a generator from a cell in files that hold both."""

    seed: int
    """Seed of every stream."""

    line: int
    """Line of the generator in the registry; 0 where it is unknown."""

    spec: GeneratorSpec
    """Everything that may change the trained generator."""

    watch: WrittenOut[Watch] | None = None
    """How its training is watched; left out where the registry does not say."""

    @classmethod
    def of(cls, spec: GeneratorSpec, *, label: str, line: int, watch: Watch | None = None) -> Self:
        """Return the generator of a specification."""
        given: Json = {} if watch is None else {"watch": watch}
        return cls(
            key=spec.key,
            configuration=spec.configuration,
            label=label,
            plugin=spec.generator.name,
            seed=spec.seed,
            line=line,
            spec=spec,
            **given,
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
    """SHA-256 of the bytes of the study's copy."""

    overridden: Literal[True] | None = None
    """Settings of the command line are written into the copy; left out where the copy is the file itself."""

    @classmethod
    def of(cls, name: str, content: bytes, *, overridden: bool) -> Self:
        """Return the record of a registry whose copy has some content."""
        settings: Json = {"overridden": True} if overridden else {}
        return cls(name=name, sha256=hashlib.sha256(content).hexdigest(), **settings)

    @property
    def copy_name(self) -> str:
        """Name of the copy in the study."""
        return f"registry{'.yaml' if self.overridden else PurePath(self.name).suffix}"


class EarlierRegistry(RegistryRecord):
    """A registry that a study was run with before, and that makes cells which the last one does not."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the bytes of the study's copy, and part of its name."""

    configurations: tuple[str, ...]
    """Configurations of these cells."""

    @property
    def copy_name(self) -> str:
        """Name of the copy in the study."""
        return f"registry-{self.sha256[:8]}{PurePath(super().copy_name).suffix}"

    @classmethod
    def after(cls, record: RegistryRecord, configurations: Iterable[str]) -> Self:
        """Return the record of a registry that another one has followed."""
        given = record.model_dump(exclude_unset=True) | {"configurations": tuple(configurations)}
        return cls.model_validate(given)


class PartSizes(Record):
    """Number of images in each part."""

    train: int
    """Images that networks are trained on, before anything is generated or expanded."""

    validation: int
    """Images that the best epoch is chosen by."""

    test: int
    """Images that networks are compared on."""

    @classmethod
    def of(cls, parts: Parts) -> Self:
        """Return the sizes of a split."""
        return cls(train=len(parts.train), validation=len(parts.validation), test=len(parts.test))


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

    class_counts: dict[str, int] | None = None
    """Number of images of each class; left out for a regression."""

    caveats: tuple[str, ...] = ()
    """What a reader of results should know about the images, such as copies across parts; left out if there is none."""


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
    """What a plan says beside its cells and generators."""

    format: Literal[1] = 1
    """Format of the plan."""

    title: str = ""
    """Heading of the leaderboard, from the registry."""

    registry: RegistryRecord
    """Registry that was last run."""

    earlier: tuple[EarlierRegistry, ...] = ()
    """Registries that other cells come from, the first one first; left out where there are none."""

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

    until_decided: RoundsRecord | None = None
    """Rounds of seeds, where the study runs until its comparisons are decided; left out otherwise."""


class Plan(PlanHeader):
    """``plan.json``: what a study is about, its cells and its generators."""

    cells: tuple[PlannedCell, ...]
    """Every cell, in the order in which they are run."""

    generators: tuple[PlannedGenerator, ...] = ()
    """Generators that are trained before the cells that need them; left out where there are none."""

    def to_json(self) -> Json:
        """Return the JSON object that ``plan.json`` holds."""
        return {name: value for name, value in super().to_json().items() if name not in _OPTIONAL or value}


_OPTIONAL = ("merged_from", "generators", "earlier", "until_decided")


class PlanEntry(BaseModel):
    """A cell or generator of a plan whose specification has not been validated yet; the names are those of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    configuration: str
    model: str
    architecture: str
    arm: str
    seed: int
    line: int
    spec: Json
    watch: Json | None = None

    @property
    def name(self) -> str:
        """Model, arm and seed, as ``benchmarker show`` takes them."""
        return f"{self.model}/{self.arm}/{self.seed}"

    @property
    def folds(self) -> int | None:
        """Number of folds of the cross-validation that the cell is part of; None without one."""
        folds: int | None = self.spec.get("split", {}).get("folds")
        return folds

    @property
    def published_folds(self) -> int:
        """Number of folds where they are those that the dataset publishes; otherwise 0."""
        return (self.folds or 0) if self.spec.get("split", {}).get("published") else 0

    @property
    def run_name(self) -> str:
        """Name of the folder of the finished run."""
        return run_name(self.key)


class PlanOutline(BaseModel):
    """A plan with unvalidated specifications, which takes half the time to read: tables look into few of them."""

    header: PlanHeader
    cells: list[PlanEntry]
    generators: list[PlanEntry]
    damaged: tuple[str, ...] = ()


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
    return _read(study / PLAN_FILE, Plan.model_validate)


def read_outline(study: Path) -> PlanOutline | None:
    """Return the plan of a study without validating specifications, or None where it has no plan yet.

    Parameters
    ----------
    study : Path
        Folder of the study.

    Raises
    ------
    StorageError
        If the plan cannot be read.
    """

    def outline(content: Any) -> PlanOutline:
        parts = {"cells": None, "generators": [], **content}
        cells, generators = parts.pop("cells"), parts.pop("generators")
        whole = {"header": parts, "cells": cells, "generators": generators}
        try:
            return PlanOutline.model_validate(whole)
        except ValidationError:
            found = PlanOutline.model_validate(whole | _without_damaged(whole))
            if not (found.cells or found.generators):
                raise
            return found

    return _read(study / PLAN_FILE, outline)


def _read(path: Path, validate: Callable[[Any], P]) -> P | None:
    try:
        content = from_json(read_ordinary(path))
        _require_format(path, content)
        return validate(content)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error})") from error
    except (ValueError, TypeError) as error:
        reason = explain(error) if isinstance(error, ValidationError) else error
        raise DamagedPlanError(f"{path}: is not a plan of this program ({reason})") from error


def _without_damaged(whole: Json) -> Json:
    """Return the entries of a plan that can be read, and what is wrong with the others."""
    found: Json = {"damaged": []}
    for name in ("cells", "generators"):
        found[name] = [] if isinstance(whole[name], list) else whole[name]
        for number, content in enumerate(whole[name] if isinstance(whole[name], list) else ()):
            try:
                found[name].append(PlanEntry.model_validate(content))
            except ValidationError as error:
                place = f"{PLAN_FILE}: {name}.{number}"
                found["damaged"].append(f"{place}.{explain(error)}; it is not counted, and its run is kept")
    return found


def _require_format(path: Path, content: Any) -> None:
    match content:
        case {"format": format_} if format_ != FORMAT:
            raise StorageError(
                f"{path}: format {FORMAT} was expected. Received: {format_!r}. Another version of the "
                "benchmarker wrote it; choose another results folder"
            )
