"""Gets a study ready: data prepared, splits tried, plan written; nothing is trained before that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarker import backends
from benchmarker.contracts.images import LabelledImages
from benchmarker.contracts.plugins import Dataset
from benchmarker.contracts.settings import Split
from benchmarker.contracts.tasks import Classification, Task
from benchmarker.data.prepared import Context, prepare
from benchmarker.data.splits import Parts, split_sources
from benchmarker.discovery import Plugins
from benchmarker.errors import ConfigurationError, DataError
from benchmarker.files import write_text
from benchmarker.paths import reading_problem
from benchmarker.registry import (
    CellProblem,
    LoadedRegistry,
    Registry,
    canonical,
    check_registry,
    merged_preparation,
    validated_options,
)
from benchmarker.run.generators import check_generated, make_generators, merge_generators
from benchmarker.run.header import part_sizes, plan_header
from benchmarker.run.planning import make_cells
from benchmarker.study.layout import RUNS_FOLDER
from benchmarker.study.locks import planning
from benchmarker.study.observer import DataSummary, Observer
from benchmarker.study.plan import Cell, merge_cells, read_cells, read_generators, write_plan
from benchmarker.training.build import check_size


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyStudy:
    """A study whose data are prepared and whose plan is written.

    Parameters
    ----------
    folder : Path
        Of the study.
    prepared : Path
        Folder of the prepared data.
    cells : sequence of Cell
        Of the registry that is run; the plan may hold more.
    problems : mapping of str to CellProblem
        Why a cell cannot run, by its key.
    n_outputs, n_test : int
        Outputs of a network, and images in the test part.
    generators : mapping of str to Cell
        What arms of the registry need trained before, by its key.
    split : mapping
        How sources are divided.
    """

    folder: Path
    prepared: Path
    cells: Sequence[Cell]
    problems: Mapping[str, CellProblem]
    n_outputs: int = 1
    n_test: int = 0
    generators: Mapping[str, Cell] = field(default_factory=dict)
    split: Mapping[str, Any] = field(default_factory=dict)

    @property
    def threads(self) -> int:
        """Threads that a cell is pinned to, the same for all."""
        return max((int(cell.spec["training"]["threads"]) for cell in self.cells), default=1)


def get_ready(
    loaded: LoadedRegistry, study: Path, *, observer: Observer, plugins: Plugins, offline: bool
) -> ReadyStudy:
    """Check a registry, prepare its data and write the plan.

    Parameters
    ----------
    loaded : LoadedRegistry
        What to run.
    study : Path
        Folder of the study, which exists.
    observer : Observer
        Told about the data.
    plugins : Plugins
        Where names are looked up.
    offline : bool
        Never use the network.

    Raises
    ------
    ConfigurationError, DataError, StorageError
        With nothing trained and nothing lost.
    """
    unusable = check_registry(loaded, plugins, too_small="fail")
    loaded = canonical(loaded, plugins)
    registry = loaded.registry
    backend = backends.chosen()
    dataset = plugins.dataset(registry.dataset.name)
    data, prepared = _prepare(loaded, dataset, observer, offline=offline)
    unusable = (*unusable, *_too_small(registry, plugins, data, unusable))
    _tell_unusable(observer, registry, unusable)
    split = registry.dataset.split or dataset.split
    splits = [split_sources(data, split, seed) for seed in registry.seeds]
    parts = splits[0]  # its sizes stand for all; the others were drawn to find out now whether they can be
    _tell_data(observer, dataset, data, parts)
    for note in check_generated(loaded, data, splits, unusable):
        observer.message(note)
    generators = make_generators(loaded, plugins, data=data, splits=splits, backend=backend, unusable=unusable)
    planned = make_cells(
        registry,
        plugins,
        dataset=dataset,
        data_digest=data.digest,
        backend=backend,
        lines=loaded.lines,
        unusable=unusable,
        generators=generators,
    )
    cells = [cell for cell, _ in planned]
    header = plan_header(study, loaded, dataset, data, parts, backend=backend)
    superseded = _write(study, header, loaded, cells, generators.values())
    _tell_superseded(observer, study, superseded)
    return ReadyStudy(
        folder=study,
        prepared=prepared,
        cells=cells,
        problems={cell.key: problem for cell, problem in planned if problem is not None},
        n_outputs=data.task.n_outputs,
        n_test=len(parts.test),
        generators={generator.key: generator for generator in generators.values()},
        split=(split or Split()).model_dump(mode="json"),
    )


def _prepare(
    loaded: LoadedRegistry, dataset: Dataset, observer: Observer, *, offline: bool
) -> tuple[LabelledImages, Path]:
    """Return the prepared images of a registry, which must show something to tell apart, and their folder."""
    entry = loaded.registry.dataset
    data, prepared = prepare(
        dataset,
        validated_options(dataset, entry.options),
        merged_preparation(dataset, entry.preparation),
        Context(dataset=dataset.name, path=_own_path(loaded), offline=offline),
        observer.data_progress,
    )
    _refuse_one_class(dataset, data.task)
    return data, prepared


def _write(
    study: Path, header: Mapping[str, Any], loaded: LoadedRegistry, cells: Sequence[Cell], generators: Iterable[Cell]
) -> int:
    """Write the plan, joined with the one that is there; return how many cells left it."""
    with planning(study):
        for aside in study.glob(".*.partial"):  # of planners that were killed
            aside.unlink()
        earlier = read_cells(study)
        _refuse_other_dataset(study, header["dataset"]["name"], earlier)
        merged, superseded = merge_cells(cells, earlier)
        write_plan(study, header, merged, merge_generators(generators, read_generators(study), merged))
        write_text(study / f"registry{loaded.path.suffix}", loaded.text)
    return len(superseded)


def _own_path(loaded: LoadedRegistry) -> Path | None:
    path = loaded.data_path
    if path is not None and (problem := reading_problem(path)):
        raise ConfigurationError(f"{problem}; correct dataset.path (or -d)")
    return path


def _too_small(
    registry: Registry, plugins: Plugins, data: LabelledImages, unusable: Sequence[CellProblem]
) -> list[CellProblem]:
    """Return the networks that the prepared images are too small for, where the registry alone did not tell."""
    known = {problem.index for problem in unusable if problem.part == "model"}
    height, width, channels = data.images.shape[1:]
    found = []
    for index, entry in enumerate(registry.models):
        if index in known:
            continue
        try:
            check_size(plugins.architecture(entry.architecture), (height, width, channels))
        except ConfigurationError as error:
            found.append(CellProblem(part="model", index=index, kind="configuration", message=str(error)))
    return found


def _tell_unusable(observer: Observer, registry: Registry, unusable: Sequence[CellProblem]) -> None:
    """Tell of what cannot be used; refuse a registry none of whose networks can be trained."""
    if {problem.index for problem in unusable if problem.part == "model"} == set(range(len(registry.models))):
        reasons = "\n".join(f"  {problem.message}" for problem in unusable)
        raise ConfigurationError(f"no network of the registry can be trained on these images:\n{reasons}")
    for problem in unusable:
        observer.message(problem.message)


def _refuse_one_class(dataset: Dataset, task: Task) -> None:
    if isinstance(task, Classification) and len(task.classes) < 2:
        raise DataError(
            f"{dataset.name} holds images of one class only ({', '.join(task.classes)}): there is nothing to tell "
            "apart; add images of another class"
        )


def _refuse_other_dataset(study: Path, name: str, earlier: Sequence[Cell]) -> None:
    """Keep scores on different galaxies off one leaderboard."""
    others = {str(cell.spec["dataset"]["name"]) for cell in earlier} - {name}
    if others:
        raise ConfigurationError(
            f"{study} holds a study of {', '.join(sorted(others))}, whose scores cannot be compared with those on "
            f"{name}; choose another results folder (-p)"
        )


def _tell_data(observer: Observer, dataset: Dataset, data: LabelledImages, parts: Parts) -> None:
    height, width, channels = data.images.shape[1:]
    observer.data_ready(
        DataSummary(
            name=dataset.name,
            n_images=len(data),
            shape=(height, width, channels),
            skipped=data.skipped,
            parts=part_sizes(parts),
        )
    )
    if parts.shared_sources:
        observer.message(
            f"{len(parts.shared_sources)} source(s) are in more than one part of the published split; "
            "they are kept where they are tested and not trained on"
        )


def _tell_superseded(observer: Observer, study: Path, n: int) -> None:
    if n:
        observer.message(
            f"{n} cell(s) of an earlier plan were trained on other images or another split, or have the "
            f"names of networks now trained differently: they leave the plan, their runs stay in {study / RUNS_FOLDER}"
        )
