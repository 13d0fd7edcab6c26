"""A worker process: does one job, reports to its parent, and finishes with an atomic rename.

`benchmarker.run.launcher` starts it as ``python -m benchmarker.run.worker``, with the job as one line of JSON on
standard input. The end of standard input means that the parent has died. Events go to standard output, one JSON object
a line; everything that libraries print goes to standard error, which the parent keeps as ``log.txt``.

A process that trains several seeds in one program gets a job for each of them, see `benchmarker.run.lane_host`.
"""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import IO, NoReturn, Protocol

from benchmarker import descendants
from benchmarker.containment import describe
from benchmarker.discovery import blamed
from benchmarker.errors import BenchmarkerError, shorten
from benchmarker.files import open_to_append, remove_half_line, storage_error, write_text
from benchmarker.run.lane_host import LanePipe, Turn, serve
from benchmarker.run.run_folders import finish, identity, now
from benchmarker.study.layout import EVENTS_FILE, TRACEBACK_FILE
from benchmarker.study.protocol import (
    FIRST,
    Built,
    CellJob,
    EpochDone,
    Event,
    EventHandler,
    Failed,
    Finished,
    GeneratorJob,
    Job,
    LaneOrder,
    LanesJob,
    Note,
    StepDone,
)
from benchmarker.study.runs import FailedManifest, FinishedManifest, read_manifest

_TRACEBACK_LENGTH = 20_000
"""Characters of a traceback in the manifest and the log; the file of the traceback holds all of it."""


_NO_DEVICE_MEMORY = (
    *("CUDA_ERROR_OUT_OF_MEMORY", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED"),
    "failed. Status: out of memory",  # of TensorFlow, when it first uses a GPU
)
"""How CUDA, cuDNN and cuBLAS say that a GPU has no memory left."""

_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE}
"""Errors of a disk, whoever's code met them. Any other one that came through a plugin is the plugin's: a file that it
cannot find now will not be there at the next attempt either."""


class _Pipe(Protocol):
    """Where events for the parent are written."""

    def write(self, line: str, /) -> int:
        """Write a line."""

    def flush(self) -> None:
        """Send what is written."""


class _Reporter:
    """Writes events for the parent and, but for steps, into the run folder; an epoch only if the claim still holds."""

    def __init__(self, pipe: _Pipe, file: IO[str], job: Job) -> None:
        self._pipe = pipe
        self._file = file
        self._job = job
        self._lock = threading.Lock()  # steps are reported by the thread that fetches batches

    def __call__(self, event: Event) -> None:
        if isinstance(event, EpochDone):
            self._job.require_claim()
        line = json.dumps(event.to_json()) + "\n"
        with self._lock:
            for stream in (self._pipe,) if isinstance(event, StepDone) else (self._pipe, self._file):
                stream.write(line)
                stream.flush()


def failure_kind(error: BaseException) -> str:
    """Return the kind of failure of an exception."""
    if isinstance(error, BenchmarkerError):
        return error.kind
    # TensorFlow has a class for it, and JAX says it in the first word of the message. Where several processes share a
    # GPU, libraries below them may be the first to find no memory.
    exhausted = type(error).__name__ == "ResourceExhaustedError" or str(error).startswith("RESOURCE_EXHAUSTED")
    exhausted = exhausted or any(text in str(error) for text in _NO_DEVICE_MEMORY)
    if isinstance(error, MemoryError) or exhausted:
        return "out-of-memory"
    # Only code that is not ours raises `SystemExit` and its like in a worker, which no Ctrl-C reaches.
    return "crashed" if isinstance(error, Exception) and not blamed(error) else "plugin"


def is_of_machine(error: OSError) -> bool:
    """Whether the disk, and no plugin, is at fault for an error of the operating system."""
    return error.errno in _MACHINE or not blamed(error)


def failure_message(error: BaseException) -> str:
    """Return the message of a failure, of at most 500 characters; ``traceback.txt`` holds all of it."""
    if blamed(error) and failure_kind(error) == "plugin" and not isinstance(error, BenchmarkerError):
        return shorten(f"a plugin of {blamed(error)} failed: {type(error).__name__}: {error}")
    return shorten(str(error) or repr(error)) if isinstance(error, Exception) else describe(error)


def shown_traceback(error: BaseException) -> str:
    """Return the traceback of an exception, without the causes and the rest of its message where they are long."""
    everything = "".join(traceback.format_exception(error))
    if len(everything) <= _TRACEBACK_LENGTH:
        return everything
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{frames[-_TRACEBACK_LENGTH:]}{describe(error)}\n({TRACEBACK_FILE} holds all of it)\n"


def main() -> int:
    """Do the job on standard input, and return the exit code."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what plugins and libraries print must not end up among the events
    job = FIRST.validate_json(sys.stdin.buffer.readline())
    if isinstance(job, LanesJob):
        return 0 if serve(job, pipe, _do_in_lane) == 0 else _end()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return _report_and_do(job, pipe)


def _do_in_lane(order: LaneOrder, pipe: LanePipe, turn: Turn) -> int:
    return _report_and_do(order.job, pipe, turn)


def _report_and_do(job: Job, pipe: _Pipe, turn: Turn | None = None) -> int:
    """Do a job, with its events in its folder and on a pipe, and return the exit code."""
    events = job.folder / EVENTS_FILE
    remove_half_line(events)
    with io.TextIOWrapper(open_to_append(events), encoding="utf-8") as file:
        return _do(job, _Reporter(pipe, file, job), turn)


def _do(job: Job, send: EventHandler, turn: Turn | None = None) -> int:
    """Do a job, finish its folder, and return the exit code."""
    started = now()
    try:
        match job:
            case GeneratorJob():
                manifest = _train_generator(job, started, send)
            case CellJob():
                manifest = _run_cell(job, started, send, turn)
    except BaseException as error:  # noqa: BLE001 - whatever a network or plugin raises ends this cell, not the study
        job.require_claim()
        if isinstance(error, OSError) and is_of_machine(error):
            error = storage_error(error, job.folder)
        failed = FailedManifest(
            **identity(job.planned),
            started=started,
            kind=failure_kind(error),
            message=failure_message(error),
            traceback=shown_traceback(error),
            finished=now(),
        )
        send(Failed(kind=failed.kind, message=failed.message))
        # The log may hold what other seeds print, too.
        sys.stderr.write(f"{job.planned.name} failed:\n{failed.traceback}")
        write_text(job.folder / TRACEBACK_FILE, traceback.format_exc())
        finish(job.folder, job.paths.failed, failed, job.require_claim, token=job.paths.token)
        return 1
    send(Finished())
    if isinstance(job, CellJob) and job.weights is not None and job.paths.finished.exists():
        send(Note(text=_compare(manifest, job.paths.finished)))
        shutil.rmtree(job.folder)
        return 0
    finish(job.folder, job.paths.finished, manifest, job.require_claim, token=job.paths.token)
    return 0


def _end_with_parent() -> None:
    """End this process, and what it started, when the parent dies: nothing would read what it writes."""
    # Not through `sys.stdin`: a thread that waits in there keeps the interpreter from ending.
    while os.read(0, 1):
        pass
    _end()


def _end() -> NoReturn:
    descendants.end_own()
    if os.getpgid(0) == os.getpid():  # as the launcher starts it
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _train_generator(job: GeneratorJob, started: str, send: EventHandler) -> FinishedManifest:
    from benchmarker.generation.job import train_generator

    outcome = train_generator(job, send)
    return FinishedManifest(
        **identity(job.generator),
        started=started,
        trained=outcome.trained,
        fingerprint=outcome.fingerprint,
        digests=outcome.digests,
        trail=outcome.trail,
        finished=now(),
    )


def _run_cell(job: CellJob, started: str, send: EventHandler, turn: Turn | None) -> FinishedManifest:
    from benchmarker.run.cell import test_cell, train_cell
    from benchmarker.run.cell_context import set_up
    from benchmarker.study.space import measure, require_run_space

    context = set_up(job)
    if turn is not None:
        context.together, context.measuring = turn.training, turn.measuring
    space = measure(context.model, test_images=len(context.parts.test), outputs=context.data.task.n_outputs)
    send(Built(digests=context.digests, space=space))
    if job.weights is None:
        require_run_space(job.folder, space)
        train_cell(context, job.folder, send)
    else:
        test_cell(context, job.folder, job.weights, send)
    return FinishedManifest(
        **identity(job.cell),
        started=started,
        trained=job.weights is None,
        fingerprint=context.fingerprint,
        digests=context.digests,
        **({"trail": context.trail.head} if context.trail.links else {}),
        finished=now(),
    )


def _compare(tested: FinishedManifest, finished: Path) -> str:
    """Say whether testing saved weights again gave what the finished run holds."""
    existing = read_manifest(finished)
    recorded = existing.digests if isinstance(existing, FinishedManifest) else {}
    differing = [name for name, digest in tested.digests.items() if recorded.get(name) != digest]
    name = f"{tested.model} / {tested.arm} / seed {tested.seed}"
    if not differing:
        return f"{name}: the saved weights give the same predictions as the finished run, bit for bit"
    return (
        f"{name}: {', '.join(differing)} differ from the finished run, which stays as it is; choose another -p to keep "
        "both"
    )


if __name__ == "__main__":
    sys.exit(main())
