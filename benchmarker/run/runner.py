"""Brings the cells of a study to their end, each claimed while it is worked on."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.results.layout import COSTS_FILE, FAILED_SUFFIX, MANIFEST_FILE, METRICS_FILE, RUNS_FOLDER
from benchmarker.run.files import make_folder, read_json
from benchmarker.run.generators import failed_with, job_entries
from benchmarker.run.launcher import launch, read_failure, record_failure, run_paths
from benchmarker.run.locks import Lock, claim
from benchmarker.run.manifest import REPLACED_SUFFIX, WORKING_SUFFIX, bring_back
from benchmarker.run.observer import CellOutcome, Observer
from benchmarker.run.plan import Cell, generator_key, is_generator
from benchmarker.run.policy import Policy, slot_devices
from benchmarker.run.processes import Conditions, StoppedError, Workers
from benchmarker.run.ready import ReadyStudy
from benchmarker.run.space import Forecast
from benchmarker.run.weights import check_names, copy_weights, find_weights

_Mark = tuple[int, int]


class Runner:
    """Finds out what became of cells, and runs those that have not ended; called from several threads.

    Parameters
    ----------
    ready : ReadyStudy
        What there is to do.
    observer : Observer
        Told one thing at a time.
    policy : Policy
        Retries, time limit, devices.
    force, test_only : bool
        As `run_study` takes them.
    models_folder : Path, optional
        As `run_study` takes it.

    Attributes
    ----------
    outcomes : dict of str to CellOutcome
        Of the cells that have ended, by key.
    workers : Workers
        At work now.
    on_failure : callable or None
        Called when a cell fails that was run.
    """

    def __init__(
        self,
        ready: ReadyStudy,
        observer: Observer,
        policy: Policy,
        *,
        force: bool,
        test_only: bool,
        models_folder: Path | None,
    ) -> None:
        self.outcomes: dict[str, CellOutcome] = {}
        self.workers = Workers()
        self.on_failure: Callable[[], None] | None = None
        self._ready = ready
        self._study = ready.folder
        self._observer = observer
        self._policy = policy
        self._devices = slot_devices(policy)
        self._force = force
        self._test_only = test_only
        self._models_folder = models_folder
        self._weights: dict[str, Mapping[str, str] | ConfigurationError] = {}
        self._told_damaged: set[str] = set()
        self._forecast = Forecast(ready.folder, ())
        self._lock = threading.RLock()
        self._elsewhere: set[str] = set()  # what another run had claimed when it was last asked for
        # Runs that were there before and are to be run again; other runs may put newer ones in their place meanwhile.
        self._outdated: set[tuple[str, _Mark]] = set()

    def begin(self) -> list[Cell]:
        """Tell what is found ended, and return the other cells.

        Raises
        ------
        ConfigurationError
            If weights are to be tested and there are none.
        StorageError
            If the disk is too small for what is known to come.
        """
        cells = [*self._generators(), *self._ready.cells]
        if self._models_folder is not None:
            check_names(self._ready.cells)
        if self._test_only:
            self._weights = self._find_weights()
        elif self._models_folder is not None:
            make_folder(self._models_folder)  # before anything is trained
        self._bring_back()
        for cell in cells:
            self._note_outdated(cell)
        found = {cell.key: outcome for cell in cells if (outcome := self._found_at_rest(cell)) is not None}
        finished = sum(outcome.status == "ok" for outcome in found.values())
        self._observer.study_started([cell.view for cell in cells], finished)
        for cell in cells:
            if cell.key in found:
                self._settle(cell, found[cell.key])
        left = [cell for cell in cells if cell.key not in found]
        self._forecast = Forecast(self._study, left, jobs=self._policy.jobs)
        finished_cells = [cell for cell in self._ready.cells if cell.key in found and found[cell.key].status == "ok"]
        self._forecast.learn_from_runs(finished_cells, outputs=self._ready.n_outputs, test_images=self._ready.n_test)
        self._forecast.check()
        return left

    def work(self, cell: Cell, slot: int) -> bool:
        """Bring a cell to its end; return False where another run works on it, or its generator is not trained yet.

        Raises
        ------
        StoppedError
            If the run is being stopped.
        """
        if self._generator_to_await(cell) is not None:
            return False
        lock = claim(self._study, cell.run_name)
        if lock is None:
            self._elsewhere.add(cell.key)
            return False
        self._elsewhere.discard(cell.key)
        with lock:
            outcome = self._found(cell) or self._run(cell, slot, lock)
            self._settle(cell, outcome)
        return True

    def tell_waiting(self, cells: Sequence[Cell]) -> bool:
        """Say that nothing is left to do but to wait for another run; a generator of this one is nothing to tell of."""
        awaited = [cell for cell in cells if {cell.key, self._generator_to_await(cell)} & self._elsewhere]
        if awaited:
            self._tell(f"{len(awaited)} cell(s) are left, which another run is working on: waiting for it")
        return bool(awaited)

    def _generators(self) -> list[Cell]:
        """Return the generators that cells need which are to be run."""
        if self._test_only:
            return []
        wanted = {generator_key(cell) for cell in self._ready.cells}
        return [generator for key, generator in self._ready.generators.items() if key in wanted]

    def _generator_to_await(self, cell: Cell) -> str | None:
        """Return the key of the generator that must be trained before a cell; None where nothing must."""
        key = None if self._test_only or cell.key in self._ready.problems else generator_key(cell)
        return None if key is None or key in self.outcomes else key

    def _find_weights(self) -> dict[str, Mapping[str, str] | ConfigurationError]:
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

    def _bring_back(self) -> None:
        """Bring back finished runs whose replacement was killed between two renames."""
        for replaced in sorted((self._study / RUNS_FOLDER).glob(f".*{REPLACED_SUFFIX}")):
            name = replaced.name[1:].removesuffix(REPLACED_SUFFIX).removesuffix(FAILED_SUFFIX)
            lock = claim(self._study, name)
            if lock is not None:
                with lock:
                    bring_back(replaced)
                    if (replaced.parent / name).is_dir():  # what was to replace it is of no use any more
                        shutil.rmtree(replaced.with_name(f".{name}{WORKING_SUFFIX}"), ignore_errors=True)

    def _note_outdated(self, cell: Cell) -> None:
        paths = run_paths(self._study, cell)
        again = {paths.finished: self._force, paths.failed: self._force or self._policy.retry_failed}
        for folder, wanted in again.items():
            if wanted and (mark := _mark(folder)) is not None:
                self._outdated.add((folder.name, mark))

    def _found(self, cell: Cell) -> CellOutcome | None:
        """Return how a cell ended before, or None where it is to be run."""
        if self._test_only or cell.key in self._ready.problems:
            return None
        paths = run_paths(self._study, cell)
        if self._stands(paths.finished) and self._is_finished(paths.finished, by_training=not is_generator(cell)):
            return CellOutcome(status="ok", metrics=read_json(paths.finished / METRICS_FILE), reused=True)
        if self._stands(paths.failed) and not paths.working.exists():
            try:
                failure = read_failure(paths.failed)
            except StorageError as error:
                self._tell_damaged(error)
                return None
            # A full disk, say: the user was told to run the same command again.
            if failure.kind != "interrupted":
                return CellOutcome(status="failed", kind=failure.kind, message=failure.message, reused=True)
        return None

    def _found_at_rest(self, cell: Cell) -> CellOutcome | None:
        """Return how a cell ended before, but not the failure of one that another run is trying again."""
        outcome = self._found(cell)
        if outcome is None or outcome.status == "ok":
            return outcome
        lock = claim(self._study, cell.run_name)
        if lock is None:
            return None
        with lock:
            return self._found(cell)

    def _stands(self, folder: Path) -> bool:
        mark = _mark(folder)
        return folder.is_dir() and (mark is None or (folder.name, mark) not in self._outdated)

    def _is_finished(self, folder: Path, *, by_training: bool) -> bool:
        try:
            manifest = read_json(folder / MANIFEST_FILE)
            read_json(folder / METRICS_FILE)
            read_json(folder / COSTS_FILE)
        except StorageError as error:
            self._tell_damaged(error)
            return False
        # A test of somebody's saved weights (-o) proves nothing about training under this cell's settings. A generator
        # that another study trained does.
        return bool(manifest.get("trained")) or not by_training

    def _run(self, cell: Cell, slot: int, lock: Lock) -> CellOutcome:
        if (problem := self._ready.problems.get(cell.key)) is not None:
            outcome = CellOutcome(status="failed", kind=problem.kind, message=problem.message)
            record_failure(self._study, cell, outcome)
            return outcome
        if (failure := self._failure_of_generator(cell)) is not None:
            record_failure(self._study, cell, failure)
            return failure
        if isinstance(self._weights.get(cell.key), ConfigurationError):  # of a cell that failed in training, perhaps
            return CellOutcome(status="failed", kind="configuration", message=str(self._weights[cell.key]))
        with self._lock:
            self._observer.cell_started(cell.view)
        retries = self._policy.retries
        conditions = Conditions(
            workers=self.workers,
            timeout=self._policy.timeout,
            device=self._devices[slot],
            claim=lock.descriptor,
            again=retries > 0,
        )
        outcome = self._launch(cell, conditions, fresh=self._force)
        for number in range(1, retries + 1):
            if not outcome.retriable:
                break
            self._tell(f"{_name(cell)}: {outcome.kind}: {outcome.message}; tried again ({number} of {retries})")
            outcome = self._launch(cell, replace(conditions, again=number < retries), fresh=False)
        return outcome

    def _failure_of_generator(self, cell: Cell) -> CellOutcome | None:
        key = None if self._test_only else generator_key(cell)
        outcome = None if key is None else self.outcomes[key]
        if key is None or outcome is None or outcome.status == "ok":
            return None
        return failed_with(self._ready.generators[key], outcome)

    def _settle(self, cell: Cell, outcome: CellOutcome) -> None:
        keeps = outcome.status == "ok" and not self._test_only and not is_generator(cell)
        if keeps and self._models_folder is not None:
            copy_weights(self._study, cell, self._models_folder)
        with self._lock:
            self.outcomes[cell.key] = outcome
            self._forecast.finished(cell)
            self._observer.cell_finished(cell.view, outcome)
        if outcome.status == "failed" and not outcome.reused and self.on_failure is not None:
            self.on_failure()

    def _launch(self, cell: Cell, conditions: Conditions, *, fresh: bool) -> CellOutcome:
        def listen(event: Mapping[str, Any]) -> None:
            with self._lock:
                self._pass_on(cell, event)

        weights = self._weights.get(cell.key)
        if isinstance(weights, ConfigurationError):
            raise weights
        entries = {} if self._test_only else job_entries(self._study, cell, self._ready.generators, self._ready.split)
        return launch(
            self._study,
            cell,
            prepared=self._ready.prepared,
            listen=listen,
            weights=weights,
            fresh=fresh,
            conditions=conditions,
            entries={**entries, "cache": not self._force},
        )

    def _pass_on(self, cell: Cell, event: Mapping[str, Any]) -> None:
        if self.workers.stopping:  # whoever watched may be gone
            raise StoppedError
        if event["event"] == "built":
            self._forecast.built(cell, event["space"])
        elif event["event"] == "step":
            self._observer.cell_step(cell.view, event["epoch"], event["done"], event["total"])
        elif event["event"] == "epoch":
            self._observer.cell_epoch(cell.view, event["epoch"], event["epochs"], event["values"])
        elif event["event"] == "resumed":
            self._observer.message(f"{_name(cell)}: goes on after epoch {event['epoch']} of {event['epochs']}")
        elif event["event"] == "message":
            self._observer.message(event["text"])

    def _tell(self, text: str) -> None:
        with self._lock:
            self._observer.message(text)

    def _tell_damaged(self, error: StorageError) -> None:
        with self._lock:
            if str(error) not in self._told_damaged:
                self._told_damaged.add(str(error))
                self._observer.message(f"{error}; the cell is run again")


def _name(cell: Cell) -> str:
    return f"{cell.model}/{cell.arm}/{cell.seed}"


def _mark(folder: Path) -> _Mark | None:
    """Return what tells a run from another that takes its place; None where there is none."""
    try:
        found = (folder / MANIFEST_FILE).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
