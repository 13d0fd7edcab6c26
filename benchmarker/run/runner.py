"""Brings the cells of a study to their end, each claimed while it is worked on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarker.errors import ConfigurationError
from benchmarker.files import make_folder
from benchmarker.locks import Lock
from benchmarker.run.existing_runs import EarlierRuns
from benchmarker.run.generators import failed_with, job_entries
from benchmarker.run.launcher import launch, record_failure
from benchmarker.run.policy import Policy, slot_devices
from benchmarker.run.prepare import ReadyStudy
from benchmarker.run.processes import Conditions, StoppedError, Workers
from benchmarker.run.weights import check_names, copy_weights, find_weights
from benchmarker.study.locks import claim
from benchmarker.study.observer import CellOutcome, Observer
from benchmarker.study.plan import Cell, generator_key, is_generator
from benchmarker.study.space import Forecast


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
        self._earlier = EarlierRuns(ready.folder, self._tell)
        self._forecast = Forecast(ready.folder, ())
        self._lock = threading.RLock()
        self._elsewhere: set[str] = set()  # what another run had claimed when it was last asked for

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
        self._earlier.bring_back()
        self._earlier.set_aside(cells, finished=self._force, failed=self._force or self._policy.retry_failed)
        reusable = filter(self._is_reusable, cells)
        found = {cell.key: outcome for cell in reusable if (outcome := self._earlier.outcome_at_rest(cell)) is not None}
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
            earlier = self._earlier.outcome(cell) if self._is_reusable(cell) else None
            self._settle(cell, earlier or self._run(cell, slot, lock))
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

    def _is_reusable(self, cell: Cell) -> bool:
        """Whether an earlier run of a cell would do."""
        return not self._test_only and cell.key not in self._ready.problems

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
            self._tell(f"{cell.name}: {outcome.kind}: {outcome.message}; tried again ({number} of {retries})")
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
            self._observer.message(f"{cell.name}: goes on after epoch {event['epoch']} of {event['epochs']}")
        elif event["event"] == "message":
            self._observer.message(event["text"])

    def _tell(self, text: str) -> None:
        with self._lock:
            self._observer.message(text)
