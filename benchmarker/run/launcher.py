"""Starts a worker process for a cell, listens to it, and says how it ended."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarker.backends import worker_environment
from benchmarker.errors import StorageError
from benchmarker.files import make_folder, read_json, storage_error
from benchmarker.run.exit_cause import cause_of_death, kills_for_memory
from benchmarker.run.policy import DEVICES_VARIABLE
from benchmarker.run.processes import Conditions, StoppedError, Watch, stop
from benchmarker.study.layout import (
    FAILED_SUFFIX,
    FORMAT,
    LOG_FILE,
    MANIFEST_FILE,
    METRICS_FILE,
    RUNS_FOLDER,
    TRACEBACK_FILE,
)
from benchmarker.study.manifest import RESUMABLE, TESTED_SUFFIX, WORKING_SUFFIX, finish, has_snapshots, now
from benchmarker.study.observer import CellOutcome
from benchmarker.study.plan import Cell

_MACHINE_FAILED = ("out-of-memory", "timeout")

Listen = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPaths:
    """Where the run of a cell lives while it works, when it is finished, and when it failed."""

    working: Path
    finished: Path
    failed: Path


def run_paths(study: Path, cell: Cell) -> RunPaths:
    """Return the folders of a cell's run."""
    runs = study / RUNS_FOLDER
    name = cell.run_name
    return RunPaths(
        working=runs / f".{name}{WORKING_SUFFIX}", finished=runs / name, failed=runs / f"{name}{FAILED_SUFFIX}"
    )


def launch(
    study: Path,
    cell: Cell,
    *,
    prepared: Path,
    listen: Listen,
    weights: Mapping[str, str] | None = None,
    fresh: bool = False,
    conditions: Conditions | None = None,
    entries: Mapping[str, Any] | None = None,
) -> CellOutcome:
    """Run a cell in a fresh process and wait for it; go on from where an interrupted run of it came to.

    Parameters
    ----------
    study : Path
        Folder of the study.
    cell : Cell
        What to run.
    prepared : Path
        Folder of the prepared data.
    listen : callable
        Called with each event of the worker.
    weights : mapping of str to str, optional
        Files of saved weights for each checkpoint: test them instead of training.
    fresh : bool
        Begin anew even where there are snapshots.
    conditions : Conditions, optional
        A process of no run in particular, without a time limit, by default.
    entries : mapping, optional
        What else the worker must know, as `benchmarker.run.generators.job_entries` gives it.

    Raises
    ------
    StorageError
        If the run folder cannot be written.
    StoppedError
        If the run that this belongs to is stopped; the cell is pending.
    KeyboardInterrupt
        On Ctrl-C, after the worker was stopped; the cell is pending again.
    """
    conditions = conditions or Conditions()
    paths = run_paths(study, cell)
    if weights is not None:
        paths = _beside_training(paths)
    if (settled := _take_up(paths, fresh=fresh or weights is not None)) is not None:
        return settled
    job = _job(cell, paths, prepared, weights, entries or {})
    killed_before = kills_for_memory()
    code, timed_out = _run_worker(job, cell, paths, listen, conditions)
    # Its exit code comes second: a worker may be killed, or crash, after all its work is done.
    if (settled := _settled(paths)) is not None:
        return settled
    if not paths.working.exists():
        return read_failure(paths.failed) if paths.failed.is_dir() else _ok(paths)
    if conditions.workers.stopping:
        _put_down(paths)
        raise StoppedError
    # It died before it could say why.
    timeout = conditions.timeout if timed_out else None
    kind, message = cause_of_death(code, timeout=timeout, for_memory=kills_for_memory() > killed_before)
    retriable = timed_out or code < 0
    if retriable and conditions.again:  # pending until then: this process may be killed before it tries again
        return CellOutcome(status="failed", kind=kind, message=message, retriable=True)
    where = f"the end of its output is in {paths.failed / LOG_FILE}"
    _finish_failed(cell, paths, kind, f"{message}; {where}")
    return replace(read_failure(paths.failed), retriable=retriable)


def _job(
    cell: Cell, paths: RunPaths, prepared: Path, weights: Mapping[str, str] | None, entries: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a worker is told."""
    return {
        "cell": asdict(cell),
        "prepared": str(prepared.absolute()),
        "folder": str(paths.working.absolute()),
        "finished": str(paths.finished.absolute()),
        "failed": str(paths.failed.absolute()),
        "weights": weights,
        **entries,
    }


def _ok(paths: RunPaths) -> CellOutcome:
    return CellOutcome(status="ok", metrics=read_json(paths.finished / METRICS_FILE))


def read_failure(folder: Path) -> CellOutcome:
    """Return what the folder of a failed run says.

    Raises
    ------
    StorageError
        If it cannot be read.
    """
    manifest = read_json(folder / MANIFEST_FILE)
    try:
        kind, message = str(manifest["kind"]), str(manifest["message"])
    except (KeyError, TypeError) as error:
        raise StorageError(f"{folder / MANIFEST_FILE}: cannot be read: it lacks {error}") from error
    return CellOutcome(status="failed", kind=kind, message=message, retriable=kind in _MACHINE_FAILED)


def _take_up(paths: RunPaths, *, fresh: bool) -> CellOutcome | None:
    """Make the working folder ready; return how an earlier run ended that lacked nothing but its last rename."""
    if fresh:
        shutil.rmtree(paths.working, ignore_errors=True)
    elif (settled := _settled(paths)) is not None:
        return settled
    elif not paths.working.exists() and _may_go_on(paths.failed):  # it crashed, or ran out of memory or time
        paths.failed.rename(paths.working)
    for name in (MANIFEST_FILE, TRACEBACK_FILE):  # of an attempt that failed
        (paths.working / name).unlink(missing_ok=True)
    make_folder(paths.working)
    # From now on the cell is at work, or pending if that is stopped.
    shutil.rmtree(paths.failed, ignore_errors=True)
    return None


def _beside_training(paths: RunPaths) -> RunPaths:
    """Return where saved weights are tested: a training that was interrupted, or crashed, can go on afterwards."""
    if not paths.working.exists() and _may_go_on(paths.failed):
        paths.failed.rename(paths.working)
    tested = paths.working.with_name(f"{paths.working.name.removesuffix(WORKING_SUFFIX)}{TESTED_SUFFIX}")
    return replace(paths, working=tested)


def _settled(paths: RunPaths) -> CellOutcome | None:
    """Finish a run that was killed between its manifest and the rename, and return how it ended."""
    if not (paths.working / MANIFEST_FILE).exists():
        return None
    manifest = read_json(paths.working / MANIFEST_FILE)
    if manifest["status"] == "ok":
        finish(paths.working, paths.finished, manifest)
        shutil.rmtree(paths.failed, ignore_errors=True)
        return _ok(paths)
    if manifest["kind"] not in RESUMABLE:
        finish(paths.working, paths.failed, manifest)
        return read_failure(paths.failed)
    return None


def _may_go_on(failed: Path) -> bool:
    """Whether a failed run's snapshots, and its log in any case, belong to the next attempt too."""
    try:
        return read_failure(failed).kind in RESUMABLE
    except StorageError:
        return False


def _put_down(paths: RunPaths) -> None:
    """Leave what can be gone on with, and nothing else."""
    if not has_snapshots(paths.working):
        shutil.rmtree(paths.working, ignore_errors=True)


def _run_worker(
    job: Mapping[str, Any], cell: Cell, paths: RunPaths, listen: Listen, conditions: Conditions
) -> tuple[int, bool]:
    """Return the worker's exit code, and whether it was ended for taking too long."""
    environment = worker_environment(cell.spec["backend"], cell.spec["training"]["threads"])
    if conditions.device is not None:
        environment[DEVICES_VARIABLE] = conditions.device
    try:
        log = (paths.working / LOG_FILE).open("ab")
    except OSError as error:
        raise storage_error(error, paths.working) from error
    with log:
        descriptors = [] if conditions.claim is None else [conditions.claim]
        try:
            worker = conditions.workers.start(environment, log, descriptors)
        except StoppedError:
            _put_down(paths)
            raise
        watch = Watch(worker, conditions.timeout)
        watch.start()
        try:
            _listen(worker, job, listen)
            code = worker.wait()
        except BaseException:
            stop([worker])
            _put_down(paths)
            raise
        finally:
            conditions.workers.ended(worker)
            # Not before it has ended: a worker whose standard input closes takes it that this process died.
            if worker.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    worker.stdin.close()
        watch.join()
        return code, watch.timed_out


def _listen(worker: subprocess.Popen[bytes], job: Mapping[str, Any], listen: Listen) -> None:
    if worker.stdin is None or worker.stdout is None:
        raise TypeError("a worker is started with pipes")
    with contextlib.suppress(BrokenPipeError):
        worker.stdin.write(json.dumps(job).encode() + b"\n")
        worker.stdin.flush()
    with worker.stdout:
        for line in worker.stdout:
            try:
                event = json.loads(line)
            except ValueError:  # half a line of a worker that was killed
                continue
            listen(event)


def record_failure(study: Path, cell: Cell, outcome: CellOutcome) -> None:
    """Write down that a cell failed before a worker could be started."""
    paths = run_paths(study, cell)
    make_folder(paths.working)
    _finish_failed(cell, paths, outcome.kind, outcome.message)


def _finish_failed(cell: Cell, paths: RunPaths, kind: str, message: str) -> None:
    manifest = {
        "format": FORMAT,
        "key": cell.key,
        "configuration": cell.configuration,
        **{name: getattr(cell, name) for name in ("model", "architecture", "arm", "seed")},
        "status": "failed",
        "kind": kind,
        "message": message,
        "traceback": "",
        "finished": now(),
    }
    finish(paths.working, paths.failed, manifest)
