"""Brings the cells and generators of a study to their end, each claimed while it is worked on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from benchmarker.backends import worker_environment
from benchmarker.claims import Claim
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.files import make_folder
from benchmarker.run.launcher import cell_job, generator_job, launch
from benchmarker.run.placement import Placement, place_cells
from benchmarker.run.policy import Policy
from benchmarker.run.prepare import PreparedStudy
from benchmarker.run.processes import Conditions, StoppedError, Workers
from benchmarker.run.run_folders import ExistingRuns, record_failure
from benchmarker.run.saved_weights import check_names, copy_weights, find_weights
from benchmarker.run.seats import Seat, Seats, in_order_of_programs, most_at_once
from benchmarker.run.turns import Turns
from benchmarker.study.claims import CellClaim, claim
from benchmarker.study.layout import Checkpoint
from benchmarker.study.observer import CellOutcome, CellView, Observer
from benchmarker.study.plan import Planned, PlannedCell, PlannedGenerator
from benchmarker.study.protocol import Built, EpochDone, Event, Job, Note, Resumed, StepDone, Waiting
from benchmarker.study.space import Forecast

SavedWeights = Mapping[Checkpoint, Path]


class Runner:
    """Finds out how cells and generators ended, and runs those that have not; called from several threads.

    Parameters
    ----------
    study : PreparedStudy
        Study that is run.
    planned : sequence of PlannedCell or PlannedGenerator
        What of it to run; a generator comes before the cells that need it.
    observer : Observer
        Called by one thread at a time.
    policy : Policy
        Retries, time limit, devices.
    force, test_only : bool
        As `run_study` takes them.
    models_folder : Path, optional
        As `run_study` takes it.
    ended : mapping of str to CellOutcome, optional
        How cells and generators of earlier rounds ended, by key.

    Attributes
    ----------
    outcomes : dict of str to CellOutcome
        How those ended that have, by key.
    workers : Workers
        Workers that are running now.
    on_failure : callable or None
        Called when something fails that was run.
    """

    def __init__(
        self,
        study: PreparedStudy,
        planned: Sequence[Planned],
        observer: Observer,
        policy: Policy,
        *,
        force: bool,
        test_only: bool = False,
        models_folder: Path | None = None,
        ended: Mapping[str, CellOutcome] | None = None,
    ) -> None:
        self.outcomes: dict[str, CellOutcome] = dict(ended or {})
        self.workers = Workers(forking=True)
        self.on_failure: Callable[[], None] | None = None
        self._study = study
        self._folder = study.folder
        self._planned = planned
        self._cells = [each for each in planned if isinstance(each, PlannedCell)]
        self._observer = observer
        self._policy = policy
        self._placement = Placement(devices=(None,))
        self._turns = Turns(lambda: self.workers.stopping)
        self._apart = Turns(lambda: self.workers.stopping)  # of seeds that shared a seat, and one of which is at fault
        self._force = force
        self._test_only = test_only
        self._models_folder = models_folder
        self._weights: dict[str, SavedWeights | ConfigurationError] = {}
        self._existing = ExistingRuns(study.folder, self._report, study.plugins, study.uses)
        self._forecast = Forecast(study.folder, ())
        self._seats = Seats(1)
        self._lock = threading.RLock()
        self._claimed_elsewhere: set[str] = set()  # at the last attempt to claim it

    def begin(self) -> tuple[list[Planned], int]:
        """Report what has existing runs, and return the rest and how many threads are to run it.

        Each thread waits for one cell. There are more than jobs where a job trains several seeds in one program.

        Raises
        ------
        ConfigurationError
            If weights are to be tested and there are none.
        StorageError
            If the disk is too small for what is known to come.
        """
        if self._models_folder is not None:
            check_names(self._cells, self._models_folder)
        if self._test_only:
            self._weights = self._find_weights()
        elif self._models_folder is not None:
            make_folder(self._models_folder)  # before anything is trained
        self._existing.restore_replaced()
        self._existing.disregard(self._planned, finished=self._force, failed=self._force or self._policy.retry_failed)
        found = {
            each.key: outcome
            for each in self._planned
            if self._is_reusable(each) and (outcome := self._existing.outcome_at_rest(each)) is not None
        }
        finished = sum(outcome.status == "ok" for outcome in found.values())
        self._observer.study_started([CellView.of(each) for each in self._planned], finished)
        for each in self._planned:
            if each.key in found:
                self._settle(each, found[each.key])
        left = in_order_of_programs([each for each in self._planned if each.key not in found])
        jobs = self._place(left)
        self._seats = Seats(jobs, together=not self._test_only)
        waiting = jobs if self._test_only else jobs * most_at_once(left)
        self._forecast = Forecast(self._folder, left, jobs=waiting)
        finished_cells = [cell for cell in self._cells if cell.key in found and found[cell.key].status == "ok"]
        self._forecast.learn_from_runs(finished_cells, outputs=self._study.n_outputs, test_images=self._study.n_test)
        self._forecast.check()
        for backend, threads in dict.fromkeys((each.spec.backend, each.spec.threads) for each in left):
            self.workers.warm_up(worker_environment(backend, threads))
        return left, waiting

    def work(self, planned: Planned) -> bool:
        """Bring a cell to its end; return False if it must wait.

        It must where another process works on it, its generator is not trained yet, or other cells have all seats.

        Raises
        ------
        StoppedError
            If the run is being stopped.
        """
        if self._awaited_generator(planned) is not None:
            return False
        seat = self._seats.take(planned)
        if seat is None:
            return False
        with seat:
            return self._work(planned, seat)

    def _work(self, planned: Planned, seat: Seat) -> bool:
        held = claim(self._folder, planned.run_name, self._study.uses)
        if held is None:
            self._claimed_elsewhere.add(planned.key)
            return False
        self._claimed_elsewhere.discard(planned.key)
        with held:
            existing = self._existing.outcome(planned) if self._is_reusable(planned) else None
            try:
                outcome = existing or self._run(planned, seat, held)
            except (StorageError, OSError):  # a successor renames the folder that this run works in
                if held.claim.is_held():
                    raise
                self._report(f"{planned.name}: another run has taken over, because this one gave no sign of life")
                return False
            self._settle(planned, outcome)
        return True

    def report_waiting(self, left: Sequence[Planned]) -> bool:
        """Report that only another process's work is left to wait for; waiting for a generator of this one is not."""
        awaited = [each for each in left if {each.key, self._awaited_generator(each)} & self._claimed_elsewhere]
        if awaited:
            self._report(f"{len(awaited)} cell(s) are left, which another run is working on: waiting for it")
        return bool(awaited)

    def _place(self, left: Sequence[Planned]) -> int:
        """Choose devices for what is left, report why, and return how much of it to run at once."""
        self._placement = place_cells(self._policy, self._study, left, together=not self._test_only)
        for remark in self._placement.remarks:
            self._report(remark)
        return self._placement.jobs

    def _awaited_generator(self, planned: Planned) -> str | None:
        """Return the key of the generator that must be trained first; None where there is none."""
        if self._test_only or planned.key in self._study.problems:
            return None
        key = _generator_of(planned)
        return None if key is None or key in self.outcomes else key

    def _find_weights(self) -> dict[str, SavedWeights | ConfigurationError]:
        """Return the saved weights of each cell that can run, or why there are none."""
        found: dict[str, SavedWeights | ConfigurationError] = {}
        for cell in self._cells:
            if cell.key not in self._study.problems:
                try:
                    found[cell.key] = find_weights(self._folder, cell, self._models_folder)
                except ConfigurationError as error:
                    found[cell.key] = error
        missing = [entry for entry in found.values() if isinstance(entry, ConfigurationError)]
        if missing and len(missing) == len(found):
            raise missing[0]
        return found

    def _is_reusable(self, planned: Planned) -> bool:
        """Whether an existing run would do."""
        return not self._test_only and planned.key not in self._study.problems

    def _run(self, planned: Planned, seat: Seat, held: CellClaim) -> CellOutcome:
        if (failure := self._failure_before_training(planned)) is not None:
            return record_failure(planned, held.paths, failure.kind, failure.message, held.claim.require)
        weights = self._weights.get(planned.key)
        if isinstance(weights, ConfigurationError):  # of a cell that failed in training, perhaps
            return CellOutcome(status="failed", kind="configuration", message=str(weights))
        with self._lock:
            self._observer.cell_started(CellView.of(planned))
        conditions = Conditions(
            workers=self.workers,
            timeout=self._policy.timeout,
            device=self._placement.devices[seat.number],
            claim=held.claim,
            again=self._policy.retries > 0,
            lane=seat.lane,
        )
        job = self._job(planned, weights, held.claim)
        # The seeds of a program wait for each other, so none of them can be alone.
        alone = planned.key in self._placement.alone and seat.lane is None
        return self._run_job(job, conditions, seat, alone=alone)

    def _run_job(self, job: Job, conditions: Conditions, seat: Seat, *, alone: bool) -> CellOutcome:
        """Do a job, again as often as the policy allows where the machine failed, and return how it ended."""
        name, retries, number = job.planned.name, self._policy.retries, 0
        outcome = self._launch(job, conditions, fresh=self._force, alone=alone)
        while outcome.retriable:
            if outcome.bystander:  # no attempt of its own, and so none that counts
                self._report(f"{name}: {outcome.message}; it goes on in another one")
                outcome = self._launch(job, conditions, fresh=False, alone=alone)
                continue
            if (number := number + 1) > retries:
                break
            crowded = self._was_crowded(outcome, conditions, alone=alone)
            alone = alone or crowded
            how = f" alone on its GPU; {self._advice}" if crowded else " without other seeds" * outcome.suspected
            self._report(f"{name}: {outcome.kind}: {outcome.message}; tried again ({number} of {retries}){how}")
            conditions = replace(
                conditions, again=number < retries, lane=None if outcome.suspected else conditions.lane
            )
            apart = seat.lane is not None and conditions.lane is None
            with self._apart.turn(str(seat.number), alone=True) if apart else nullcontext():
                outcome = self._launch(job, conditions, fresh=False, alone=alone)
        if self._was_crowded(outcome, conditions, alone=alone):
            return replace(outcome, message=f"{outcome.message}; it shared its GPU; {self._advice}")
        return outcome

    def _was_crowded(self, outcome: CellOutcome, conditions: Conditions, *, alone: bool) -> bool:
        """Whether an attempt found too little memory on a GPU that it shared."""
        if outcome.kind != "out-of-memory" or alone or conditions.lane is not None:
            return False
        return self._placement.is_shared(conditions.device)

    @property
    def _advice(self) -> str:
        return f"--jobs {self._placement.fewer} lets fewer cells share a GPU"

    def _failure_before_training(self, planned: Planned) -> CellOutcome | None:
        """Return the failure of what cannot be run: it is unusable, or its generator failed."""
        if (problem := self._study.problems.get(planned.key)) is not None:
            return CellOutcome(status="failed", kind=problem.kind, message=problem.message)
        key = None if self._test_only else _generator_of(planned)
        if key is None or (outcome := self.outcomes[key]).status == "ok":
            return None
        message = f"its generator {self._study.generators[key].name} failed: {outcome.message}"
        return CellOutcome(status="failed", kind=outcome.kind, message=message)

    def _settle(self, planned: Planned, outcome: CellOutcome) -> None:
        trained = outcome.status == "ok" and not self._test_only
        if trained and self._models_folder is not None and isinstance(planned, PlannedCell):
            copy_weights(self._folder, planned, self._models_folder)
        with self._lock:
            self.outcomes[planned.key] = outcome
            self._forecast.finished(planned)
            self._observer.cell_finished(CellView.of(planned), outcome)
        if outcome.status == "failed" and not outcome.reused and self.on_failure is not None:
            self.on_failure()

    def _job(self, planned: Planned, weights: SavedWeights | None, claim: Claim) -> Job:
        prepared = self._study.prepared
        if isinstance(planned, PlannedGenerator):
            return generator_job(
                self._folder,
                planned,
                prepared=prepared,
                split=self._study.split,
                cache=not self._force,
                claim=claim,
            )
        generators = self._study.generators
        return cell_job(self._folder, planned, prepared=prepared, generators=generators, weights=weights, claim=claim)

    def _launch(self, job: Job, conditions: Conditions, *, fresh: bool, alone: bool) -> CellOutcome:
        def on_event(event: Event) -> None:
            with self._lock:
                self._show(job.planned, event)

        with self._turns.turn(conditions.device, alone=alone):
            return launch(job, on_event=on_event, fresh=fresh, conditions=conditions)

    def _show(self, planned: Planned, event: Event) -> None:
        if self.workers.stopping:  # the observer may be gone
            raise StoppedError
        view = CellView.of(planned)
        match event:
            case Built():
                self._forecast.built(planned, event.space)
            case StepDone():
                self._observer.cell_step(view, event.epoch, event.done, event.total)
            case EpochDone():
                self._observer.cell_epoch(view, event.epoch, event.epochs, event.values)
            case Resumed():
                self._observer.message(f"{view.name}: resumes after epoch {event.epoch} of {event.epochs}")
            case Waiting(over=False):
                self._observer.message(f"{view.name}: waits for {event.what}")
            case Note():
                self._observer.message(event.text)

    def _report(self, text: str) -> None:
        with self._lock:
            self._observer.message(text)


def _generator_of(planned: Planned) -> str | None:
    return planned.generator if isinstance(planned, PlannedCell) else None
