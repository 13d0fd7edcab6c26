"""An executor as a third party writes it: a queue of threads, with options of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from benchmarker import BatchJob, Executor, Options, TaskId, TaskState, Work


class QueueOptions(Options):
    """Options of the queue."""

    account: str | None = None
    """Account that pays."""

    nice: int = 0
    """Priority of the tasks."""

    feature: tuple[str, ...] = ()
    """Something that a node must have."""

    hold: bool = False
    """Begin nothing."""


class ThreadQueue:
    """Runs one task after the other in a thread; what it has begun is known to all instances."""

    stays = False
    opened: ClassVar[list[QueueOptions]] = []
    running: ClassVar[dict[TaskId, subprocess.Popen[bytes] | None]] = {}
    starting: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, options: QueueOptions) -> None:
        self.options = options
        ThreadQueue.opened.append(options)

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        yield

    def submit(self, work: Work, report: Callable[[BatchJob], None]) -> int:
        waiting = []
        for name, tasks in work.groups:
            number = f"{name}@{time.monotonic_ns()}"
            for index, task in enumerate(tasks, start=1):
                ThreadQueue.running[number, index] = None
                waiting.append(((number, index), task.command, work.log(name, index)))
            report(BatchJob(name=name, number=number, tasks=tuple(task.keys for task in tasks), folder=work.folder))
        if not self.options.hold:
            threading.Thread(target=self._run, args=(waiting, work.environment), daemon=True).start()
        return 0

    def _run(self, waiting: Sequence[tuple[TaskId, tuple[str, ...], Path]], environment: Mapping[str, str]) -> None:
        for task, command, log in waiting:
            with log.open("ab") as stream, ThreadQueue.starting:
                if task not in ThreadQueue.running:  # cancelled
                    continue
                process = subprocess.Popen(command, stdout=stream, stderr=stream, env={**os.environ, **environment})
                ThreadQueue.running[task] = process
            process.wait()
            ThreadQueue.running.pop(task, None)

    def states(self, jobs: Sequence[BatchJob]) -> Mapping[TaskId, TaskState]:
        numbers = {job.number for job in jobs}
        found = dict(ThreadQueue.running)
        return {task: "queued" if each is None else "running" for task, each in found.items() if task[0] in numbers}

    def cancel(self, jobs: Sequence[BatchJob]) -> int:
        with ThreadQueue.starting:
            tasks = list(self.states(jobs))
            for task in tasks:
                process = ThreadQueue.running.pop(task, None)
                if process is not None:
                    process.kill()
            return len(tasks)


class Forgetful(ThreadQueue):
    """Loses the last task of cells."""

    def submit(self, work: Work, report: Callable[[BatchJob], None]) -> int:
        fewer = Work(
            study=work.study,
            registry=work.registry,
            folder=work.folder,
            generators=work.generators,
            cells=work.cells[:-1] or work.cells,
        )
        return super().submit(fewer, report)


QUEUE = Executor(
    name="thread-queue",
    executor="tests.executors.stand_ins:ThreadQueue",
    options="tests.executors.stand_ins:QueueOptions",
)
FORGETFUL = Executor(
    name="forgetful",
    executor="tests.executors.stand_ins:Forgetful",
    options="tests.executors.stand_ins:QueueOptions",
)
