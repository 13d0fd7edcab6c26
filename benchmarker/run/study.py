"""Runs the cells of a study that are not finished yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarker.discovery import Plugins
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.registry import LoadedRegistry
from benchmarker.results.layout import COSTS_FILE, MANIFEST_FILE, METRICS_FILE, RUNS_FOLDER
from benchmarker.run.files import make_folder, read_json
from benchmarker.run.launcher import launch, record_failure, run_paths
from benchmarker.run.manifest import tidy
from benchmarker.run.observer import CellOutcome, Observer
from benchmarker.run.plan import Cell
from benchmarker.run.ready import ReadyStudy, get_ready
from benchmarker.run.weights import check_names, copy_weights, find_weights


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
        Test saved weights instead of training. A finished run is never replaced by that: its predictions are compared
        with the new ones.
    models_folder : Path, optional
        Where weights are also saved, or read from with ``test_only``.

    Raises
    ------
    ConfigurationError, DataError
        Before anything is trained.
    StorageError
        If the results cannot be written, or another run works on them; finished cells stay.
    KeyboardInterrupt
        On Ctrl-C; finished cells stay, the others are pending.
    """
    import filelock

    make_folder(results / RUNS_FOLDER)
    try:
        with filelock.FileLock(results / ".lock", timeout=0):
            tidy(results / RUNS_FOLDER)
            ready = get_ready(loaded, results, observer=observer, plugins=plugins, offline=offline)
            return _Runner(ready, observer, models_folder).run(force=force, test_only=test_only)
    except filelock.Timeout as error:
        raise StorageError(
            f"{results}: another run is working on this study; wait for it, or choose another results folder"
        ) from error


class _Runner:
    def __init__(self, ready: ReadyStudy, observer: Observer, models_folder: Path | None) -> None:
        self._ready = ready
        self._study = ready.folder
        self._observer = observer
        self._models_folder = models_folder

    def run(self, *, force: bool, test_only: bool) -> StudyOutcome:
        cells = self._ready.cells
        if self._models_folder is not None:
            check_names(cells)
        weights = self._weights() if test_only else {}
        if self._models_folder is not None and not test_only:
            make_folder(self._models_folder)  # before anything is trained
        done = {cell.key for cell in cells if self._is_finished(cell) and not (force or test_only)}
        self._observer.study_started([cell.view for cell in cells], len(done))
        ok = failed = 0
        for cell in cells:
            outcome = self._finish(cell, reuse=cell.key in done, weights=weights.get(cell.key))
            ok += outcome.status == "ok"
            failed += outcome.status == "failed"
            self._observer.cell_finished(cell.view, outcome)
        return StudyOutcome(ok=ok, failed=failed, pending=len(cells) - ok - failed, reused=len(done))

    def _weights(self) -> dict[str, Mapping[str, str] | ConfigurationError]:
        """Return the saved weights of each cell that can run, or why there are none."""
        found: dict[str, Mapping[str, str] | ConfigurationError] = {}
        for cell in self._ready.cells:
            if cell.key not in self._ready.problems:
                try:
                    found[cell.key] = find_weights(self._study, cell, self._models_folder)
                except ConfigurationError as error:
                    found[cell.key] = error
        missing = [entry for entry in found.values() if isinstance(entry, ConfigurationError)]
        if missing and len(missing) == len(found):
            raise missing[0]
        return found

    def _is_finished(self, cell: Cell) -> bool:
        folder = run_paths(self._study, cell).finished
        if not folder.is_dir():
            return False
        try:
            manifest = read_json(folder / MANIFEST_FILE)
            read_json(folder / METRICS_FILE)
            read_json(folder / COSTS_FILE)
        except StorageError as error:
            self._observer.message(f"{error}; the cell is run again")
            return False
        # A test of somebody's saved weights (-o) proves nothing about training under this cell's settings.
        return bool(manifest.get("trained"))

    def _finish(
        self, cell: Cell, *, reuse: bool, weights: Mapping[str, str] | ConfigurationError | None
    ) -> CellOutcome:
        if (problem := self._ready.problems.get(cell.key)) is not None:
            outcome = CellOutcome(status="failed", kind=problem.kind, message=problem.message)
            record_failure(self._study, cell, outcome)
            return outcome
        if isinstance(weights, ConfigurationError):  # a cell that failed in training, for example; that stays on record
            return CellOutcome(status="failed", kind="configuration", message=str(weights))
        if reuse:
            metrics = read_json(run_paths(self._study, cell).finished / METRICS_FILE)
            outcome = CellOutcome(status="ok", metrics=metrics, reused=True)
        else:
            self._observer.cell_started(cell.view)
            outcome = self._launch(cell, weights)
        if outcome.status == "ok" and weights is None and self._models_folder is not None:
            copy_weights(self._study, cell, self._models_folder)
        return outcome

    def _launch(self, cell: Cell, weights: Mapping[str, str] | None) -> CellOutcome:
        def listen(event: Mapping[str, Any]) -> None:
            if event["event"] == "step":
                self._observer.cell_step(cell.view, event["epoch"], event["done"], event["total"])
            elif event["event"] == "epoch":
                self._observer.cell_epoch(cell.view, event["epoch"], event["epochs"], event["values"])
            elif event["event"] == "message":
                self._observer.message(event["text"])

        return launch(self._study, cell, prepared=self._ready.prepared, listen=listen, weights=weights)
