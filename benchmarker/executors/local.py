"""Runs tasks as processes of this machine, side by side."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO

from benchmarker.contracts.executors import BatchJob, RunTask, TaskId, TaskState, Work
from benchmarker.printing import echo

_POLL_SECONDS = 0.05
_GRACE_SECONDS = 20.0


class LocalExecutor:
    """Runs tasks as processes of this machine, as many at once as it has cores for.

    The tasks are those of a cluster, so that a job can be tried here before it is submitted there. ``benchmarker run``
    is faster for many small cells, because it forks its workers.

    Parameters
    ----------
    options : None
        There are none.
    """

    stays = True

    def __init__(self, options: None = None) -> None:
        del options

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Nothing needs to be connected to."""
        yield

    def submit(self, work: Work, report: Callable[[BatchJob], None]) -> int:
        """Run all tasks, and return how many of them ended with an error."""
        side_by_side = max(1, len(os.sched_getaffinity(0)) // work.threads) if hasattr(os, "sched_getaffinity") else 1
        for name, tasks in work.groups:
            report(BatchJob(name=name, number="", tasks=tuple(task.keys for task in tasks), folder=work.folder))
        return sum(_run(work, name, tasks, work.at_once or side_by_side) for name, tasks in work.groups)

    def states(self, jobs: Sequence[BatchJob]) -> Mapping[TaskId, TaskState]:  # noqa: ARG002 - nothing is queued
        """Return nothing: the command stays until its tasks have ended."""
        return {}

    def cancel(self, jobs: Sequence[BatchJob]) -> int:  # noqa: ARG002 - nothing is queued
        """Cancel nothing: Ctrl-C ends the tasks."""
        return 0


def _run(work: Work, name: str, tasks: Sequence[RunTask], side_by_side: int) -> int:
    """Run the tasks of a group, and return the number of errors; end all if this process is asked to stop."""
    waiting = list(enumerate(tasks, start=1))
    running: dict[int, subprocess.Popen[bytes]] = {}
    ended = errors = 0
    with contextlib.ExitStack() as stack:
        stack.callback(_stop, running)
        while waiting or running:
            while waiting and len(running) < side_by_side:
                index, task = waiting.pop(0)
                with work.log(name, index).open("ab") as log:
                    running[index] = _start(task, log, work.environment)
            for index in [index for index, process in running.items() if process.poll() is not None]:
                code = running.pop(index).returncode
                ended, errors = ended + 1, errors + (code != 0)
                state = "ended" if code == 0 else f"ended with an error: {work.log(name, index)}"
                echo(f"[{ended}/{len(tasks)}] {name} {index} {state}")
            time.sleep(_POLL_SECONDS)
    return errors


def _start(task: RunTask, log: BinaryIO, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        task.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **environment}
    )


def _stop(running: Mapping[int, subprocess.Popen[bytes]]) -> None:
    """Ask processes to stop, as they do after the current epoch, and kill them if they do not."""
    for process in running.values():
        process.terminate()
    until = time.monotonic() + _GRACE_SECONDS
    for process in running.values():
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
