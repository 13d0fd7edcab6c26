"""Starts a worker process for a cell, listens to it, and never leaves one behind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarker.backends import worker_environment
from benchmarker.data.cache import storage_error
from benchmarker.results.layout import FAILED_SUFFIX, FORMAT, MANIFEST_FILE, METRICS_FILE, RUNS_FOLDER
from benchmarker.run.files import make_folder, read_json
from benchmarker.run.manifest import WORKING_SUFFIX, finish, now
from benchmarker.run.observer import CellOutcome
from benchmarker.run.plan import Cell

_GRACE_SECONDS = 1.0

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
    study: Path, cell: Cell, *, prepared: Path, listen: Listen, weights: Mapping[str, str] | None = None
) -> CellOutcome:
    """Run a cell in a fresh process and wait for it.

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

    Raises
    ------
    StorageError
        If the run folder cannot be written.
    KeyboardInterrupt
        On Ctrl-C, after the worker was stopped; the cell is pending again.
    """
    paths = run_paths(study, cell)
    shutil.rmtree(paths.working, ignore_errors=True)
    make_folder(paths.working)
    job = {
        "cell": asdict(cell),
        "prepared": str(prepared.absolute()),
        "folder": str(paths.working.absolute()),
        "finished": str(paths.finished.absolute()),
        "failed": str(paths.failed.absolute()),
        "weights": weights,
    }
    killed_before = _kills_for_memory()
    code = _run_worker(job, cell, paths, listen)
    if code == 0 and paths.finished.is_dir():
        shutil.rmtree(paths.failed, ignore_errors=True)
        return CellOutcome(status="ok", metrics=read_json(paths.finished / METRICS_FILE))
    if paths.working.exists():  # it died before it could say why
        _record_death(cell, paths, code, for_memory=_kills_for_memory() > killed_before)
    manifest = read_json(paths.failed / MANIFEST_FILE)
    return CellOutcome(status="failed", kind=manifest["kind"], message=manifest["message"])


def _run_worker(job: Mapping[str, Any], cell: Cell, paths: RunPaths, listen: Listen) -> int:
    environment = worker_environment(cell.spec["backend"], cell.spec["training"]["threads"])
    try:
        log = (paths.working / "log.txt").open("ab")
    except OSError as error:
        raise storage_error(error, paths.working) from error
    with log:
        # A session of its own: Ctrl-C reaches this process alone, which then stops the worker in order. Safe path
        # (-P): a file of the user's called keras.py must not be imported.
        worker = subprocess.Popen(
            [sys.executable, "-P", "-m", "benchmarker.run.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
        try:
            _listen(worker, job, listen)
            return worker.wait()
        except BaseException:
            _stop(worker)
            shutil.rmtree(paths.working, ignore_errors=True)
            raise
        finally:
            # Not before it has ended: a worker whose standard input closes takes it that this process died.
            if worker.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    worker.stdin.close()


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


def _stop(worker: subprocess.Popen[bytes]) -> None:
    """Stop a worker and whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGTERM)
    try:
        worker.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def record_failure(study: Path, cell: Cell, outcome: CellOutcome) -> None:
    """Write down that a cell failed before a worker could be started."""
    paths = run_paths(study, cell)
    make_folder(paths.working)
    _finish_failed(cell, paths, outcome.kind, outcome.message)


def _record_death(cell: Cell, paths: RunPaths, code: int, *, for_memory: bool) -> None:
    if code < 0:
        known = {each.value: each.name for each in signal.Signals}
        kind = "out-of-memory" if -code == signal.SIGKILL and for_memory else "crashed"
        message = f"its process was ended by {known.get(-code, f'signal {-code}')}"
    else:
        kind, message = "crashed", f"its process ended with code {code}"
    _finish_failed(cell, paths, kind, f"{message}; the end of its output is in {paths.failed / 'log.txt'}")


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


def _kills_for_memory() -> int:
    """Return how many processes of this group the kernel has ended for want of memory, ever."""
    events = Path("/sys/fs/cgroup/memory.events")
    try:
        counts = dict(line.split() for line in events.read_text(encoding="ascii").splitlines())
        return int(counts.get("oom_kill", "0"))
    except (OSError, ValueError):
        return 0
