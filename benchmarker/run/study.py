"""Runs the cells of a study that are not finished yet."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarker import backends
from benchmarker.contracts.images import LabelledImages
from benchmarker.contracts.plugins import Dataset
from benchmarker.contracts.settings import Preparation
from benchmarker.data.context import Context
from benchmarker.data.prepared import prepare
from benchmarker.data.splits import Parts, split_sources
from benchmarker.discovery import Plugins
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.evaluation.primary import primary_metric
from benchmarker.registry import LoadedRegistry, Registry, check_registry, validated_options
from benchmarker.run.files import RUNS_FOLDER, make_folder, read_json, write_text
from benchmarker.run.launcher import launch, run_paths
from benchmarker.run.observer import CellOutcome, DataSummary, Observer
from benchmarker.run.plan import Cell, make_cells, merge_cells, read_cells, write_plan
from benchmarker.training.requirements import check_size

CHECKPOINTS = ("best", "final")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOutcome:
    """How the cells of a registry ended.

    Parameters
    ----------
    ok, failed, pending : int
        Add up to the cells of the registry.
    reused : int
        Of those that are ok, how many were found finished.
    """

    ok: int
    failed: int
    pending: int
    reused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A registry whose data are prepared and whose cells are planned."""

    study: Path
    prepared: Path
    cells: Sequence[Cell]


def run_study(
    loaded: LoadedRegistry,
    results: Path,
    *,
    observer: Observer,
    plugins: Plugins,
    force: bool = False,
    offline: bool = False,
    test_only: bool = False,
    models_folder: Path | None = None,
) -> StudyOutcome:
    """Plan a registry's cells, and run those that are not finished.

    Parameters
    ----------
    loaded : LoadedRegistry
        What to run.
    results : Path
        Folder of the study; created if need be.
    observer : Observer
        Told how it goes.
    plugins : Plugins
        Where names are looked up.
    force : bool
        Run finished cells again.
    offline : bool
        Never use the network.
    test_only : bool
        Test saved weights instead of training.
    models_folder : Path, optional
        Where weights are also saved, or read from with ``test_only``.

    Raises
    ------
    ConfigurationError, DataError
        Before anything is trained.
    StorageError
        If the results cannot be written; finished cells stay.
    KeyboardInterrupt
        On Ctrl-C; finished cells stay, the others are pending.
    """
    import filelock

    check_registry(loaded, plugins)
    make_folder(results / RUNS_FOLDER)
    try:
        with filelock.FileLock(results / ".lock", timeout=0):
            ready = _get_ready(loaded, results, observer, plugins, offline=offline)
            return _run_cells(ready, observer, force=force, test_only=test_only, models_folder=models_folder)
    except filelock.Timeout as error:
        raise StorageError(
            f"{results}: another run is working on this study; wait for it, or choose another results folder"
        ) from error


def _get_ready(loaded: LoadedRegistry, results: Path, observer: Observer, plugins: Plugins, *, offline: bool) -> _Ready:
    registry = loaded.registry
    dataset = plugins.dataset(registry.dataset.name)
    context = Context(dataset=dataset.name, path=_own_path(loaded), offline=offline)
    data, prepared = prepare(
        dataset,
        validated_options(dataset, registry.dataset.options),
        merged_preparation(dataset, registry.dataset.preparation),
        context,
        observer.data_progress,
    )
    _check_networks(registry, plugins, data)
    splits = {seed: split_sources(data, registry.dataset.split or dataset.split, seed) for seed in registry.seeds}
    parts = _part_sizes(splits[registry.seeds[0]])
    height, width, channels = data.images.shape[1:]
    observer.data_ready(
        DataSummary(
            name=dataset.name,
            n_images=len(data),
            shape=(height, width, channels),
            skipped=data.skipped,
            parts=parts,
        )
    )
    _warn_of_shared_sources(splits[registry.seeds[0]], observer)
    backend = backends.chosen()
    cells = make_cells(registry, plugins, dataset=dataset, data_digest=data.digest, backend=backend, lines=loaded.lines)
    merged, superseded = merge_cells(cells, read_cells(results))
    if superseded:
        observer.message(
            f"{len(superseded)} cell(s) of an earlier plan have the names of networks now trained differently: "
            f"they leave the plan, their runs stay in {results / RUNS_FOLDER}"
        )
    primary = primary_metric(data.task)
    header: Mapping[str, Any] = {
        "title": registry.title,
        "registry": {"name": loaded.path.name, "sha256": loaded.digest},
        "dataset": {
            "name": dataset.name,
            "digest": data.digest,
            "task": data.task.to_json(),
            "images": len(data),
            "shape": [height, width, channels],
            "parts": parts,
            "skipped": [{"name": image.name, "reason": image.reason} for image in data.skipped],
            "licence": dataset.licence,
            "citation": dataset.citation,
        },
        "backend": backend,
        "primary": {"name": primary.name, "higher_is_better": primary.higher_is_better},
    }
    write_plan(results, header, merged)
    write_text(results / f"registry{loaded.path.suffix}", loaded.text)
    return _Ready(study=results, prepared=prepared, cells=cells)


def _own_path(loaded: LoadedRegistry) -> Path | None:
    given = loaded.registry.dataset.path
    if given is None:
        return None
    path = Path(given).expanduser()
    path = path if path.is_absolute() else loaded.path.absolute().parent / path
    if not path.exists():
        raise ConfigurationError(f"{path}: there is no such file or folder; correct dataset.path (or -d)")
    return path


def merged_preparation(dataset: Dataset, given: Preparation | None) -> Preparation:
    """Return the preparation of a registry, completed by the dataset's."""
    if given is None:
        return dataset.preparation
    chosen = {name: getattr(given, name) for name in given.model_fields_set}
    return dataset.preparation.model_copy(update=chosen)


def _check_networks(registry: Registry, plugins: Plugins, data: LabelledImages) -> None:
    problems = []
    height, width, channels = data.images.shape[1:]
    for entry in registry.models:
        try:
            check_size(plugins.architecture(entry.architecture), (height, width, channels))
        except ConfigurationError as error:
            problems.append(str(error))
    if problems:
        raise ConfigurationError("\n".join(problems))


def _part_sizes(parts: Parts) -> dict[str, int]:
    return {name: len(getattr(parts, name)) for name in ("train", "validation", "test")}


def _warn_of_shared_sources(parts: Parts, observer: Observer) -> None:
    if parts.shared_sources:
        observer.message(
            f"{len(parts.shared_sources)} source(s) are in more than one part of the published split; "
            "they are kept where they are tested and not trained on"
        )


def _run_cells(
    ready: _Ready, observer: Observer, *, force: bool, test_only: bool, models_folder: Path | None
) -> StudyOutcome:
    done = {
        cell.key for cell in ready.cells if run_paths(ready.study, cell).finished.is_dir() and not (force or test_only)
    }
    observer.study_started([cell.view for cell in ready.cells], len(done))
    ok = failed = 0
    for cell in ready.cells:
        if cell.key in done:
            metrics = read_json(run_paths(ready.study, cell).finished / "metrics.json")
            outcome = CellOutcome(status="ok", metrics=metrics, reused=True)
        else:
            weights = _saved_weights(ready.study, cell, models_folder) if test_only else None
            observer.cell_started(cell.view)
            outcome = _run_cell(ready, cell, observer, weights)
        ok += outcome.status == "ok"
        failed += outcome.status == "failed"
        if models_folder is not None and not test_only and outcome.status == "ok":
            _save_weights(ready.study, cell, models_folder)
        observer.cell_finished(cell.view, outcome)
    return StudyOutcome(ok=ok, failed=failed, pending=len(ready.cells) - ok - failed, reused=len(done))


def _run_cell(ready: _Ready, cell: Cell, observer: Observer, weights: Mapping[str, str] | None) -> CellOutcome:
    def listen(event: Mapping[str, Any]) -> None:
        if event["event"] == "step":
            observer.cell_step(cell.view, event["epoch"], event["done"], event["total"])
        elif event["event"] == "epoch":
            observer.cell_epoch(cell.view, event["epoch"], event["epochs"], event["values"])

    return launch(ready.study, cell, prepared=ready.prepared, listen=listen, weights=weights)


def _weights_names(cell: Cell) -> dict[str, str]:
    stem = f"{cell.model}-{cell.arm}-{cell.seed}".replace("/", "_")
    return {checkpoint: f"{stem}-{checkpoint}.weights.h5" for checkpoint in CHECKPOINTS}


def _saved_weights(study: Path, cell: Cell, models_folder: Path | None) -> dict[str, str]:
    if models_folder is not None:
        found = {checkpoint: models_folder / name for checkpoint, name in _weights_names(cell).items()}
    else:
        folder = run_paths(study, cell).finished
        found = {checkpoint: folder / f"weights_{checkpoint}.weights.h5" for checkpoint in CHECKPOINTS}
    missing = [str(path) for path in found.values() if not path.exists()]
    if missing:
        raise ConfigurationError(
            f"there are no saved weights to test: {', '.join(missing)} missing; train first, or give their folder by -m"
        )
    return {checkpoint: str(path.absolute()) for checkpoint, path in found.items()}


def _save_weights(study: Path, cell: Cell, models_folder: Path) -> None:
    make_folder(models_folder)
    for checkpoint, name in _weights_names(cell).items():
        shutil.copyfile(run_paths(study, cell).finished / f"weights_{checkpoint}.weights.h5", models_folder / name)
