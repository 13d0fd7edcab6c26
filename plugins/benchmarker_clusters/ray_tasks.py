"""Tasks of a study on Ray: they are started, repeated where a node is lost, counted and cancelled."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarker import TaskState, Work

_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a task asks Ray for.

    Parameters
    ----------
    cores : int
        Cores of a task.
    gpus : float
        GPUs of a task; tasks share one if this is less than 1.
    memory : int
        Memory of a task in bytes; 0 for any amount.
    at_once : int, optional
        Tasks that may run at once.
    """

    cores: int
    gpus: float = 0.0
    memory: int = 0
    at_once: int | None = None

    def resources(self) -> dict[str, float]:
        """Return the resources by the names that Ray has for them."""
        found = {"CPU": float(self.cores), "GPU": self.gpus, "memory": float(self.memory)}
        return {name: amount for name, amount in found.items() if amount}


def run_group(command: Sequence[str], log: str, environment: Mapping[str, str]) -> int:
    """Run some cells on a node, and return the exit code; this is what a task of Ray does.

    Parameters
    ----------
    command : sequence of str
        Command line.
    log : str
        File that its output is appended to.
    environment : mapping of str to str
        Variables that are set for it, besides those of the node.
    """
    tied = [sys.executable, "-P", "-m", "benchmarker_clusters.tied", *command]
    with Path(log).open("ab") as stream:
        process = subprocess.Popen(
            tied, stdin=subprocess.PIPE, stdout=stream, stderr=stream, env={**os.environ, **environment}
        )
        return process.wait()


def first_line(error: Exception) -> str:
    r"""Return the first line of an error of Ray, some of which have no text.

    Examples
    --------
    >>> first_line(ValueError("no such node\nand a long story")), first_line(ValueError())
    ('no such node', 'ValueError')
    """
    return str(error).strip().partition("\n")[0] or type(error).__name__


class RayTasks:
    """The tasks of some work on Ray, cells after the generators.

    A task whose node is lost runs again on another one, where its cells resume from their snapshots. One thread runs
    the tasks; others may ask what is left, or stop it.

    Parameters
    ----------
    ray : module
        Ray, connected.
    work : Work
        What to run.
    needs : Needs
        What each task asks for.
    """

    def __init__(self, ray: Any, work: Work, needs: Needs) -> None:
        self._ray = ray
        self._work = work
        self._at_once = needs.at_once
        self._environment = dict(work.environment)
        resources = needs.resources()
        self._task = ray.remote(run_group).options(
            num_cpus=resources.get("CPU", 0),
            num_gpus=resources.get("GPU", 0),
            memory=int(resources.get("memory", 0)) or None,
            max_retries=-1,
        )
        self._lock = threading.Lock()
        self._left = {(name, index) for name, tasks in work.groups for index in range(1, len(tasks) + 1)}
        self._running: dict[Any, int] = {}
        self._stopped = False

    def run(self, tell: Callable[[str], None]) -> int:
        """Run all tasks, and return how many of them ended with an error.

        Parameters
        ----------
        tell : callable
            Called with a line of text for each task that has ended.
        """
        return sum(self._run_group(name, tell) for name, _ in self._work.groups)

    def left(self) -> dict[tuple[str, int], TaskState]:
        """Return the state of each task that has not ended, by the name of its group and its index from 1."""
        with self._lock:
            left = sorted(self._left)
        return {task: "running" if self._work.log(*task).exists() else "queued" for task in left}

    def stop(self) -> None:
        """Cancel all tasks that have not ended."""
        with self._lock:
            self._stopped = True
            for reference in self._running:
                self._ray.cancel(reference, force=True)

    def _run_group(self, name: str, tell: Callable[[str], None]) -> int:
        tasks = dict(self._work.groups)[name]
        waiting = list(range(1, len(tasks) + 1))
        errors = ended = 0
        while True:
            with self._lock:
                while waiting and not self._stopped and len(self._running) < (self._at_once or len(tasks)):
                    index = waiting.pop(0)
                    log = str(self._work.log(name, index))
                    self._running[self._task.remote(tasks[index - 1].command, log, self._environment)] = index
                if not self._running:
                    return errors
                references = list(self._running)
            done, _ = self._ray.wait(references, timeout=_POLL_SECONDS)
            for reference in done:
                index = self._running[reference]
                ended += 1
                problem = self._problem(reference, self._work.log(name, index))
                errors += problem is not None
                with self._lock:
                    del self._running[reference]
                    self._left.discard((name, index))
                tell(f"[{ended}/{len(tasks)}] {name} {index} ended{f' with an error: {problem}' if problem else ''}")

    def _problem(self, reference: Any, log: Path) -> str | None:
        """Return what is wrong with a task that has ended, or None."""
        try:
            code = int(self._ray.get(reference))
        except self._ray.exceptions.RayError as error:
            return f"Ray: {first_line(error)}"
        return None if code == 0 else str(log)
