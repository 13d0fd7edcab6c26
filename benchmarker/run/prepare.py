"""Prepares a study: images read, splits tried, plan written; nothing is trained before that."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarker import backends
from benchmarker.claims import Claim, Share
from benchmarker.contracts.images import LabelledImages
from benchmarker.contracts.plugins import Dataset
from benchmarker.contracts.settings import Split
from benchmarker.contracts.tasks import Classification, Task
from benchmarker.data.caveats import data_caveats
from benchmarker.data.loading import Context
from benchmarker.data.prepared import prepare
from benchmarker.data.splits import Parts, split_sources
from benchmarker.discovery import Plugins
from benchmarker.errors import ConfigurationError, DamagedPlanError, DataError
from benchmarker.evaluation.metrics import primary_metric
from benchmarker.files import write_bytes, write_json
from benchmarker.registry import (
    CellProblem,
    LoadedRegistry,
    Registry,
    UntilDecided,
    canonical,
    check_registry,
    effective_registry,
    merged_preparation,
    plain_options,
    validated_options,
    weights_problem,
)
from benchmarker.registry.suitability import check_task
from benchmarker.run.planning import check_generated, make_cells, make_generators, read_choices
from benchmarker.run.split_files import write_splits
from benchmarker.study.claims import planning
from benchmarker.study.images import readable
from benchmarker.study.layout import PLAN_FILE, RUNS_FOLDER
from benchmarker.study.observer import DataSummary, Observer
from benchmarker.study.plan import (
    DatasetRecord,
    EarlierRegistry,
    PartSizes,
    Plan,
    PlanHeader,
    PlannedCell,
    PlannedGenerator,
    RegistryRecord,
    SourceRecord,
    read_plan,
)
from benchmarker.study.plan_growth import earlier_registries, merge_cells, merge_generators, with_rounds
from benchmarker.study.recovery import DAMAGED_SUFFIX, find_runs, recover_planned
from benchmarker.study.rounds import RoundsRecord
from benchmarker.training.build import check_size


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedStudy:
    """A study whose data are prepared and whose plan is written.

    Parameters
    ----------
    folder : Path
        Folder of the study.
    prepared : Path
        Folder of the prepared data.
    cells : sequence of PlannedCell
        Cells of the registry that is run; the plan may hold more.
    whole : Plan or None
        Plan of the registry under all seeds that it may use.
    rounds : RoundsRecord or None
        Rounds of a study that runs until it is decided; its `cells` are those of the rounds so far.
    problems : mapping of str to CellProblem
        Why a cell cannot run, by its key.
    n_outputs, n_test : int
        Outputs of a network, and images in the test part.
    generators : mapping of str to PlannedGenerator
        Generators that arms use, or all generators of the registry, by key.
    split : Split
        How sources are divided.
    plugins : Plugins or None
        Plugins that cells are planned with.
    uses : tuple of Share
        Shares of the study and of the prepared data; confirmed before anything is written into the study.
    """

    folder: Path
    prepared: Path
    cells: Sequence[PlannedCell]
    problems: Mapping[str, CellProblem]
    whole: Plan | None = None
    rounds: RoundsRecord | None = None
    n_outputs: int = 1
    n_test: int = 0
    generators: Mapping[str, PlannedGenerator] = field(default_factory=dict)
    split: Split = field(default_factory=Split)
    plugins: Plugins | None = None
    uses: tuple[Share, ...] = ()

    @property
    def threads(self) -> int:
        """Threads that a cell is pinned to, the same for all."""
        return max((cell.spec.threads for cell in self.cells), default=1)

    @property
    def needed_generators(self) -> list[PlannedGenerator]:
        """Generators whose images cells are trained on, in the order of the plan."""
        wanted = {cell.generator for cell in self.cells}
        return [generator for key, generator in self.generators.items() if key in wanted]


def prepare_study(
    loaded: LoadedRegistry,
    study: Path,
    *,
    observer: Observer,
    plugins: Plugins,
    offline: bool,
    open_folder: Callable[[], Share | None],
    standalone: bool = False,
    joining: bool = False,
) -> PreparedStudy:
    """Check a registry, prepare its data and write the plan.

    Parameters
    ----------
    loaded : LoadedRegistry
        Registry to run.
    study : Path
        Folder of the study.
    observer : Observer
        Receives what there is to know about the data.
    plugins : Plugins
        Plugins to look names up in.
    offline : bool
        Never use the network.
    open_folder : callable
        Creates the folder of the study and returns a share of it; called when nothing is left that could be refused, so
        that a refused registry leaves no folder.
    standalone : bool
        Whether all generators of the registry are trained, without networks, or those that arms use.
    joining : bool
        Whether only some cells are run, as a task of a cluster does: a plan that holds all of the registry is left as
        it is, so that a thousand tasks do not write it one after the other.

    Raises
    ------
    ConfigurationError, DataError, StorageError
        With nothing trained and nothing lost.
    """
    unusable = check_registry(loaded, plugins, unsuited="fail", standalone=standalone)
    loaded = canonical(loaded, plugins)
    registry = loaded.registry
    dataset = plugins.dataset(registry.dataset.name)
    data, prepared = _prepare(loaded, dataset, observer, offline=offline)
    unusable = (*unusable, *_unsuited(registry, plugins, data, unusable))
    _report_unusable(observer, registry, unusable)
    split = registry.dataset.split or dataset.split
    splits = [split_sources(data, split, seed) for seed in registry.all_seeds]
    _report_data(observer, dataset, data, splits)  # the sizes of the first; the others show whether they can be drawn
    for note in check_generated(loaded, plugins, data, splits, unusable, standalone=standalone):
        observer.message(note)
    source = _source_record(study, loaded, dataset)
    kept = effective_registry(loaded, source.path)
    plan, problems = _make_plan(
        loaded,
        plugins,
        dataset=dataset,
        data=data,
        splits=splits,
        unusable=unusable,
        source=source,
        kept=kept,
        study=study,
        standalone=standalone,
    )
    whole = plan
    share = open_folder()
    uses = () if share is None else (share,)
    joined = _joined(study, plan, registry.until_decided) if joining else None
    if joined is None:
        plan, superseded = _write(study, plan, kept, observer, registry.until_decided, uses=uses)
        _report_superseded(observer, study, superseded)
    else:
        plan = joined
    write_splits(study, data, registry.all_seeds, splits)
    return PreparedStudy(
        plugins=plugins,
        folder=study,
        prepared=prepared,
        cells=plan.cells,
        whole=whole,
        rounds=plan.until_decided if registry.until_decided is not None else None,
        problems=problems,
        n_outputs=data.task.n_outputs,
        n_test=len(splits[0].test),
        generators={generator.key: generator for generator in whole.generators},
        split=split or Split(),
        uses=uses,
    )


def _prepare(
    loaded: LoadedRegistry, dataset: Dataset, observer: Observer, *, offline: bool
) -> tuple[LabelledImages, Path]:
    """Return the prepared images of a registry, which must show more than one class, and their folder."""
    entry = loaded.registry.dataset
    data, prepared = prepare(
        dataset,
        validated_options(dataset, entry.options),
        merged_preparation(dataset, entry.preparation),
        Context(dataset=dataset.name, path=readable(loaded.data_path), offline=offline),
        observer.data_progress,
    )
    _refuse_one_class(dataset, data.task)
    if (problem := weights_problem(data.task, loaded.registry)) is not None:
        raise ConfigurationError(f"training.class_weights: {problem}")
    return data, prepared


def _refuse_one_class(dataset: Dataset, task: Task) -> None:
    if isinstance(task, Classification) and len(task.classes) < 2:
        raise DataError(
            f"{dataset.name} holds images of one class only ({', '.join(task.classes)}): a network has nothing to "
            "distinguish; add images of another class"
        )


def _unsuited(
    registry: Registry, plugins: Plugins, data: LabelledImages, unusable: Sequence[CellProblem]
) -> list[CellProblem]:
    """Return the networks that do not suit the prepared images, unless the registry alone said so."""
    known = {problem.index for problem in unusable if problem.part == "model"}
    height, width, channels = data.images.shape[1:]
    found = []
    for index, entry in enumerate(registry.models):
        if index in known:
            continue
        try:
            architecture = plugins.architecture(entry.architecture)
            check_size(architecture, (height, width, channels))
            check_task(architecture, data.task)
        except ConfigurationError as error:
            found.append(CellProblem(part="model", index=index, kind="configuration", message=str(error)))
    return found


def _make_plan(
    loaded: LoadedRegistry,
    plugins: Plugins,
    *,
    dataset: Dataset,
    data: LabelledImages,
    splits: Sequence[Parts],
    unusable: Sequence[CellProblem],
    source: SourceRecord,
    kept: bytes,
    study: Path,
    standalone: bool,
) -> tuple[Plan, dict[str, CellProblem]]:
    """Return the plan of a registry, and why some of its cells cannot run, by their keys."""
    backend = backends.chosen()
    generators = make_generators(
        loaded, plugins, data=data, splits=splits, backend=backend, unusable=unusable, standalone=standalone
    )
    cells = make_cells(
        loaded.registry,
        plugins,
        dataset=dataset,
        data_digest=data.digest,
        backend=backend,
        lines=loaded.lines,
        unusable=unusable,
        generators=generators,
        choices=read_choices(study, loaded, generators, standalone=standalone),
    )
    plan = Plan(
        title=loaded.registry.title,
        registry=RegistryRecord.of(loaded.path.name, kept, overridden=loaded.overridden),
        dataset=_dataset_record(dataset, data, splits),
        backend=backend,
        primary=primary_metric(data.task),
        source=source,
        cells=tuple(cell for cell, _ in cells),
        generators=tuple(generators.values()),
    )
    return plan, {cell.key: problem for cell, problem in cells if problem is not None}


def _dataset_record(dataset: Dataset, data: LabelledImages, splits: Sequence[Parts]) -> DatasetRecord:
    height, width, channels = data.images.shape[1:]
    optional: dict[str, Any] = {"class_counts": _class_counts(data), "caveats": data_caveats(data, splits)}
    return DatasetRecord(
        name=dataset.name,
        digest=data.digest,
        task=data.task,
        images=len(data),
        shape=(height, width, channels),
        parts=PartSizes.of(splits[0]),
        skipped=data.skipped,
        licence=dataset.licence,
        citation=dataset.citation,
        **{name: value for name, value in optional.items() if value},
    )


def _class_counts(data: LabelledImages) -> dict[str, int]:
    """Return the number of images of each class; empty for a regression."""
    if not isinstance(data.task, Classification):
        return {}
    return {name: int((data.targets == index).sum()) for index, name in enumerate(data.task.classes)}


def _source_record(study: Path, loaded: LoadedRegistry, dataset: Dataset) -> SourceRecord:
    path = loaded.data_path
    entry = loaded.registry.dataset
    return SourceRecord(
        # Relative to the study, so that both can be moved together and no name of a home folder is published.
        path=None if path is None else Path(os.path.relpath(path.resolve(), study.resolve())).as_posix(),
        options=plain_options(dataset, entry.options),
        preparation=merged_preparation(dataset, entry.preparation),
    )


def _joined(study: Path, plan: Plan, until_decided: UntilDecided | None) -> Plan | None:
    """Return the plan of a registry if the plan of the study holds all of it already; otherwise None."""
    try:
        existing = read_plan(study)
    except DamagedPlanError:  # mended under the claim of the plan
        return None
    if existing is None:
        return None
    plan = with_rounds(plan, until_decided, existing.until_decided, where=str(study))
    known = {planned.key for planned in (*existing.cells, *existing.generators)}
    whole = all(planned.key in known for planned in (*plan.cells, *plan.generators))
    return plan if whole and plan.until_decided == existing.until_decided else None


def _write(
    study: Path,
    plan: Plan,
    kept: bytes,
    observer: Observer,
    until_decided: UntilDecided | None,
    *,
    uses: Sequence[Share],
) -> tuple[Plan, int]:
    """Write the plan, joined with the one that is there.

    Returns
    -------
    plan : Plan
        The plan of this registry alone: of a study that runs until it is decided, the rounds so far.
    superseded : int
        Number of cells that left the plan of the study.
    """
    with planning(study, uses) as claim:
        existing = _existing(study, observer)
        existing_cells, existing_generators = existing.cells, existing.generators
        _refuse_other_dataset(study, plan.dataset.name, existing_cells)
        before = None if existing.header is None else existing.header.until_decided
        plan = with_rounds(plan, until_decided, before, where=str(study))
        cells, superseded = merge_cells(plan.cells, existing_cells)
        generators = merge_generators(plan.generators, existing_generators, cells, superseded)
        earlier = _keep_registries(study, plan, cells, existing.header, claim)
        merged = plan.model_copy(
            update={"cells": tuple(cells), "generators": tuple(generators), "earlier": tuple(earlier)}
        )
        write_json(study / PLAN_FILE, merged.to_json(), confirm=claim.require)
        write_bytes(study / plan.registry.copy_name, kept, confirm=claim.require)
    return plan, len(superseded)


def _keep_registries(
    study: Path, plan: Plan, cells: Iterable[PlannedCell], existing: PlanHeader | None, claim: Claim
) -> list[EarlierRegistry]:
    """Return the earlier registries that other cells of the plan come from, and keep a copy of the one before."""
    if existing is None:
        return []
    earlier = earlier_registries(existing, cells, {cell.configuration for cell in plan.cells})
    before = study / existing.registry.copy_name
    for record in earlier:
        if record.sha256 == existing.registry.sha256 and before.is_file():
            write_bytes(study / record.copy_name, before.read_bytes(), confirm=claim.require)
    return earlier


@dataclass(frozen=True, slots=True, kw_only=True)
class _Existing:
    """What a study's plan holds before a registry is run.

    Parameters
    ----------
    header : PlanHeader or None
        Its header; None if there is no plan, or a damaged one.
    cells, generators : sequence of PlannedCell and PlannedGenerator
        Its cells and generators; of a damaged plan, those that are still known.
    """

    header: PlanHeader | None = None
    cells: Sequence[PlannedCell] = ()
    generators: Sequence[PlannedGenerator] = ()


def _existing(study: Path, observer: Observer) -> _Existing:
    """Return what the plan holds that is there, and put a damaged one aside."""
    try:
        existing = read_plan(study)
    except DamagedPlanError as error:
        cells, generators = recover_planned(study)
        if not (cells or generators or find_runs(study)):  # nothing of ours, so it may be the file of another program
            raise DamagedPlanError(f"{error}; choose another results folder (-p)") from error
        aside = f"{PLAN_FILE}{DAMAGED_SUFFIX}"
        (study / PLAN_FILE).replace(study / aside)
        observer.message(
            f"{error}; it is kept as {aside}. The new plan has the cells of this registry, and "
            f"{len(cells) + len(generators)} cell(s) and generator(s) of the folder that are still known"
        )
        return _Existing(cells=cells, generators=generators)
    if existing is None:
        return _Existing()
    return _Existing(header=existing, cells=existing.cells, generators=existing.generators)


def _refuse_other_dataset(study: Path, name: str, existing: Iterable[PlannedCell]) -> None:
    """Keep scores on different galaxies off one leaderboard."""
    others = {cell.spec.dataset.name for cell in existing} - {name}
    if others:
        raise ConfigurationError(
            f"{study} holds a study of {', '.join(sorted(others))}, whose scores cannot be compared with those on "
            f"{name}; choose another results folder (-p)"
        )


def _report_unusable(observer: Observer, registry: Registry, unusable: Sequence[CellProblem]) -> None:
    """Report what cannot be used; refuse a registry none of whose networks can be trained."""
    if {problem.index for problem in unusable if problem.part == "model"} == set(range(len(registry.models))):
        reasons = "\n".join(f"  {problem.message}" for problem in unusable)
        raise ConfigurationError(f"no network of the registry can be trained on these images:\n{reasons}")
    for problem in unusable:
        observer.message(problem.message)


def _report_data(observer: Observer, dataset: Dataset, data: LabelledImages, splits: Sequence[Parts]) -> None:
    parts = splits[0]
    height, width, channels = data.images.shape[1:]
    observer.data_ready(
        DataSummary(
            name=dataset.name,
            n_images=len(data),
            shape=(height, width, channels),
            skipped=data.skipped,
            parts=PartSizes.of(parts).model_dump(),
            class_counts=_class_counts(data),
        )
    )
    for caveat in data_caveats(data, splits):
        observer.message(caveat)
    if parts.shared_sources:
        observer.message(
            f"{len(parts.shared_sources)} source(s) are in more than one part of the published split; they stay in "
            "the part where they are tested and are not trained on"
        )


def _report_superseded(observer: Observer, study: Path, n: int) -> None:
    if n:
        observer.message(
            f"{n} cell(s) of the existing plan were trained on other images or another split, or have the names of "
            f"networks that are now trained differently: they leave the plan, and their runs stay in "
            f"{study / RUNS_FOLDER}"
        )
