"""Starts a worker process for a job, listens to it, and finds out how it ended."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarker.backends import DEVICES_VARIABLE, worker_environment
from benchmarker.claims import Claim
from benchmarker.contracts.settings import Split
from benchmarker.files import open_to_append
from benchmarker.run.lanes import Lane, LanePlace, LaneProgram
from benchmarker.run.processes import (
    Conditions,
    StoppedError,
    Watch,
    Worker,
    count_memory_kills,
    exit_cause,
    is_fault,
    stop,
)
from benchmarker.run.run_folders import WorkFolder
from benchmarker.study.layout import LOG_FILE, Checkpoint, RunPaths
from benchmarker.study.observer import CellOutcome
from benchmarker.study.plan import Planned, PlannedCell, PlannedGenerator
from benchmarker.study.protocol import (
    EVENT,
    CellJob,
    ClaimTicket,
    Event,
    EventHandler,
    GeneratorJob,
    GeneratorRun,
    Job,
    LanesJob,
    Waiting,
)


def cell_job(
    study: Path,
    cell: PlannedCell,
    *,
    prepared: Path,
    generators: Mapping[str, PlannedGenerator],
    weights: Mapping[Checkpoint, Path] | None = None,
    own_samples: bool = False,
    claim: Claim | None = None,
) -> CellJob:
    """Return the job of training a cell's network, or of testing saved weights of it.

    Parameters
    ----------
    study : Path
        Folder of the study.
    cell : PlannedCell
        Cell to run.
    prepared : Path
        Folder of the prepared data.
    generators : mapping of str to PlannedGenerator
        Generators by key; that of the cell is among them, where it has one and its network is trained.
    weights : mapping of str to Path, optional
        Files of saved weights for each checkpoint: test them instead of training.
    own_samples : bool
        Whether generated images come from the study's own folder instead of the cache, as in an audit.
    claim : Claim, optional
        Claim that the run is worked on under.
    """
    run = None
    if cell.generator is not None and weights is None:
        generator = generators[cell.generator]
        run = GeneratorRun(
            spec=generator.spec,
            folder=_paths(study, generator).finished,
            samples=study.absolute() if own_samples else None,
        )
    return CellJob(
        cell=cell,
        prepared=prepared.absolute(),
        paths=_paths(study, cell, claim),
        **_ticket(claim),
        weights=None if weights is None else dict(weights),
        generator=run,
    )


def generator_job(
    study: Path,
    generator: PlannedGenerator,
    *,
    prepared: Path,
    split: Split,
    cache: bool,
    claim: Claim | None = None,
) -> GeneratorJob:
    """Return the job of training a generator.

    Parameters
    ----------
    study : Path
        Folder of the study.
    generator : PlannedGenerator
        Generator to train.
    prepared : Path
        Folder of the prepared data.
    split : Split
        How the training part is found.
    cache : bool
        Whether a generator that another study trained will do.
    claim : Claim, optional
        Claim that the run is worked on under.
    """
    return GeneratorJob(
        generator=generator,
        prepared=prepared.absolute(),
        paths=_paths(study, generator, claim),
        split=split,
        cache=cache,
        **_ticket(claim),
    )


def _paths(study: Path, planned: Planned, claim: Claim | None = None) -> RunPaths:
    return RunPaths.of(study.absolute(), planned.key, token="" if claim is None else claim.token)


def _ticket(claim: Claim | None) -> dict[str, Any]:
    """Return the part of a job that says what claim it is worked on under, where there is one."""
    return {} if claim is None else {"claim": ClaimTicket.of(claim)}


def launch(
    job: Job,
    *,
    on_event: EventHandler,
    fresh: bool = False,
    conditions: Conditions | None = None,
) -> CellOutcome:
    """Do a job in a fresh process and wait for it; continue from where an interrupted run of it stopped.

    Parameters
    ----------
    job : Job
        What to run.
    on_event : callable
        Called with each event of the worker.
    fresh : bool
        Begin anew even where there are snapshots.
    conditions : Conditions, optional
        Conditions of the process; by default one of no particular run and without a time limit.

    Raises
    ------
    StorageError
        If the run folder cannot be written.
    LostClaimError
        If another process has taken over; nothing that this one wrote counts.
    StoppedError
        If the run that the job belongs to is stopped; the cell is pending.
    KeyboardInterrupt
        On Ctrl-C, after the worker was stopped; the cell is pending again.
    """
    conditions = conditions or Conditions()
    conditions.require_claim()
    folder = WorkFolder(job)
    if (settled := folder.take_up(fresh=fresh)) is not None:
        return settled
    killed_before = count_memory_kills()
    worker, timed_out = _run_worker(job, folder, on_event, conditions)
    conditions.require_claim()
    # The exit code comes second: a worker may be killed, or crash, after all its work is done.
    if (settled := folder.settled() or folder.ended()) is not None:
        return settled
    if conditions.workers.stopping:
        folder.put_down()
        raise StoppedError
    # The worker died before it could report why.
    code = worker.wait()
    if isinstance(worker, Lane) and worker.bystander and not timed_out:
        message = "its process was ended for another seed"
        return CellOutcome(status="failed", kind="interrupted", message=message, retriable=True, bystander=True)
    timeout = conditions.timeout if timed_out else None
    kind, message = exit_cause(code, timeout=timeout, for_memory=count_memory_kills() > killed_before)
    # All lanes wait for the slowest one, so any may be why they took too long.
    suspected = conditions.lane is not None and (timed_out or is_fault(code))
    retriable = timed_out or code < 0 or suspected
    if suspected:
        message = f"{message}; it shared the process with other seeds, any of which may be why"
    if retriable and conditions.again:  # pending until then: this process may be killed before it tries again
        return CellOutcome(status="failed", kind=kind, message=message, retriable=True, suspected=suspected)
    outcome = folder.fail(kind, f"{message}; the end of its output is in {job.paths.failed / LOG_FILE}")
    return CellOutcome(status="failed", kind=outcome.kind, message=outcome.message, retriable=retriable)


def _run_worker(job: Job, folder: WorkFolder, on_event: EventHandler, conditions: Conditions) -> tuple[Worker, bool]:
    """Return the worker, which has ended, and whether it was ended for taking too long."""
    spec = job.planned.spec
    environment = worker_environment(spec.backend, spec.threads)
    device = {} if conditions.device is None else {DEVICES_VARIABLE: conditions.device}
    with open_to_append(folder.path / LOG_FILE) as log, _lane(job, conditions) as lane:
        try:
            worker = conditions.workers.start(environment, log, device, lane=lane)
        except StoppedError:
            folder.put_down()
            raise
        watch = Watch(worker, conditions.timeout)
        watch.start()
        if conditions.claim is not None:
            conditions.claim.on_loss(partial(_end, worker))

        def handle(event: Event) -> None:
            if isinstance(event, Waiting):
                (watch.proceed if event.over else watch.pause)()
            on_event(event)

        try:
            exchange(worker, job, handle)
            worker.wait()
        except BaseException:
            stop([worker])
            folder.put_down()
            raise
        finally:
            conditions.workers.ended(worker)
            # Not before it has ended: a worker takes the end of its standard input as the death of this process.
            if worker.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    worker.stdin.close()
        watch.join()
        return worker, watch.timed_out


@contextlib.contextmanager
def _lane(job: Job, conditions: Conditions) -> Iterator[LanePlace | None]:
    """Yield the place of a job in a program for several seeds, if it needs one: the given one, or one of its own."""
    if not isinstance(job, CellJob) or job.weights is not None or job.cell.spec.training.seeds_at_once == 1:
        yield None
    elif conditions.lane is not None:
        yield conditions.lane
    else:
        spec = job.cell.spec
        program = LaneProgram(LanesJob(backend=spec.backend, of=spec.training.seeds_at_once))
        try:
            yield LanePlace(program, spec.lane)
        finally:
            program.close()


def _end(worker: Worker) -> None:
    """Stop a worker in the background, so that the thread of the heartbeats goes on."""
    threading.Thread(target=stop, args=([worker],), name=f"stop {worker.pid}", daemon=True).start()


def exchange(worker: Worker | subprocess.Popen[bytes], job: Job, on_event: EventHandler) -> None:
    """Send a worker its job, and pass on its events until it closes its output."""
    if worker.stdin is None or worker.stdout is None:
        raise TypeError("a worker is started with pipes")
    with contextlib.suppress(BrokenPipeError):
        worker.stdin.write(json.dumps(job.to_json()).encode() + b"\n")
        worker.stdin.flush()
    with worker.stdout:
        for line in worker.stdout:
            try:
                event = json.loads(line)
            except ValueError:  # half a line of a worker that was killed
                continue
            on_event(EVENT.validate_python(event))
