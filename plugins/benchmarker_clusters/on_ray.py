"""Runs the cells of a study as tasks of Ray, on a cluster that exists or on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from benchmarker import (
    BatchJob,
    BenchmarkerError,
    ConfigurationError,
    Options,
    TaskId,
    TaskState,
    Work,
    echo,
)

_POLL_SECONDS = 1.0
_GIB = 1 << 30
_PASSED = ("KERAS_BACKEND", "PYTHONPATH")
_OWN = "BENCHMARKER_"
_OF_ONE_MACHINE = ("BENCHMARKER_HOST", "BENCHMARKER_PROCESS")
_OBJECTS_BYTES = 80 << 20  # the least that Ray takes; tasks exchange numbers only
_UNITS = {"": 1 << 20, "K": 1 << 10, "M": 1 << 20, "G": _GIB, "T": 1 << 40}


class RayError(BenchmarkerError):
    """Ray cannot be started, or does not answer."""


class RayOptions(Options):
    """Which cluster to use, and what each task asks it for."""

    address: str | None = Field(default=None, json_schema_extra={"metavar": "ADDRESS"})
    """A running cluster, such as auto or 10.0.0.1:6379; otherwise Ray is started on this machine."""

    mem: str | None = Field(default=None, json_schema_extra={"metavar": "SIZE"})
    """Memory of a task, such as 4G."""

    gpus: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """GPUs of a task; 0.5 lets two share one."""


class RayExecutor:
    """Runs tasks on a cluster; a task whose node is lost runs again on another one.

    Parameters
    ----------
    options : RayOptions
        Which cluster, and what a task asks for.
    """

    def __init__(self, options: RayOptions) -> None:
        self._options = options
        self._memory = size(options.mem)
        self._ray: Any = None

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Connect to the cluster, or start Ray on this machine until the context ends."""
        with connected(self._options.address) as self._ray:
            yield

    def submit(self, work: Work, report: Callable[[BatchJob], None]) -> int:
        """Run all tasks, and return how many of them ended with an error."""
        needs = Needs(cores=work.threads, gpus=self._options.gpus, memory=self._memory, at_once=work.at_once)
        require_possible(self._ray, needs)
        for name, tasks in work.groups:
            report(BatchJob(name=name, number="", tasks=tuple(task.keys for task in tasks), folder=work.folder))
        return run_tasks(self._ray, work, needs)

    def states(self, jobs: Sequence[BatchJob]) -> Mapping[TaskId, TaskState]:  # noqa: ARG002
        """Return nothing: the command stays until its tasks have ended."""
        return {}

    def cancel(self, jobs: Sequence[BatchJob]) -> int:  # noqa: ARG002 - nothing is queued
        """Cancel nothing: Ctrl-C ends the tasks."""
        return 0


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


def size(text: str | None) -> int:
    """Return the bytes that a size such as ``4G`` stands for, as Slurm reads it: without a unit it is in MiB.

    Raises
    ------
    ConfigurationError
        If it is none.

    Examples
    --------
    >>> size("4G"), size("500"), size(None)
    (4294967296, 524288000, 0)
    """
    if text is None:
        return 0
    digits, unit = text.rstrip("KMGTkmgt"), text[len(text.rstrip("KMGTkmgt")) :].upper()
    if not digits.isdecimal() or unit not in _UNITS:
        raise ConfigurationError(f"--mem: a size such as 4G was expected. Received: {text!r}")
    return int(digits) * _UNITS[unit]


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Connect to a cluster, or start Ray on this machine, and yield the module.

    Parameters
    ----------
    address : str, optional
        Address of a cluster, such as ``auto`` or ``10.0.0.1:6379``; without one, Ray is started here and ends with the
        block.

    Raises
    ------
    ConfigurationError
        If Ray is not installed.
    RayError
        If there is no cluster at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise ConfigurationError(
            f"--executor ray: {error}; install it with: pip install 'galaxy-benchmarker[clusters]'"
        ) from error
    here: dict[str, Any] = {"include_dashboard": False, "object_store_memory": _OBJECTS_BYTES}
    try:
        ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **({} if address else here))
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise RayError(f"Ray: {str(error).partition(chr(10))[0]}; --address names a running cluster") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def require_possible(ray: Any, needs: Needs) -> None:
    """Refuse what no node of a cluster has: Ray would wait for such a node for ever.

    Raises
    ------
    ConfigurationError
        If no node has it.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    wanted = needs.resources()
    if any(all(node.get(name, 0.0) >= amount for name, amount in wanted.items()) for node in nodes):
        return
    largest = {name: max((node.get(name, 0.0) for node in nodes), default=0.0) for name in wanted}
    raise ConfigurationError(
        f"no node of the Ray cluster has what a task needs ({_in_words(wanted)}). Received: nodes with up to "
        f"{_in_words(largest)}"
    )


def _in_words(resources: dict[str, float]) -> str:
    return ", ".join(
        f"{amount / _GIB:.1f} GiB of memory" if name == "memory" else f"{amount:g} {name}"
        for name, amount in resources.items()
    )


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that tasks get from where they are submitted, as Slurm's do; nodes have all others.

    Examples
    --------
    >>> passed_on({"KERAS_BACKEND": "jax", "HOME": "/home/me", "BENCHMARKER_CACHE": "/data/cache"})
    {'KERAS_BACKEND': 'jax', 'BENCHMARKER_CACHE': '/data/cache'}
    """
    return {
        name: value
        for name, value in environment.items()
        if name in _PASSED or (name.startswith(_OWN) and name not in _OF_ONE_MACHINE)
    }


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


def run_tasks(ray: Any, work: Work, needs: Needs) -> int:
    """Run tasks, cells after the generators, and return how many of them ended with an error.

    A task whose node is lost runs again on another one, where its cells resume from their snapshots.

    Parameters
    ----------
    ray : module
        Ray, connected.
    work : Work
        What to run.
    needs : Needs
        What each task asks for.
    """
    resources = needs.resources()
    task = ray.remote(run_group).options(
        num_cpus=resources.get("CPU", 0),
        num_gpus=resources.get("GPU", 0),
        memory=int(resources.get("memory", 0)) or None,
        max_retries=-1,
    )
    return sum(_run_group(ray, task, work, name, at_once=needs.at_once) for name, _ in work.groups)


def _run_group(ray: Any, task: Any, work: Work, name: str, *, at_once: int | None) -> int:
    tasks = dict(work.groups)[name]
    waiting = list(enumerate(tasks, start=1))
    running: dict[Any, int] = {}
    ended = errors = 0
    while waiting or running:
        while waiting and (at_once is None or len(running) < at_once):
            number, each = waiting.pop(0)
            running[task.remote(each.command, str(work.log(name, number)), passed_on(os.environ))] = number
        done, _ = ray.wait(list(running), timeout=_POLL_SECONDS)
        for reference in done:
            number = running.pop(reference)
            ended += 1
            code = _result(ray, reference)
            errors += code != 0
            state = "ended" if code == 0 else f"ended with an error: {work.log(name, number)}"
            echo(f"[{ended}/{len(tasks)}] {name} {number} {state}")
    return errors


def _result(ray: Any, reference: Any) -> int:
    try:
        return int(ray.get(reference))
    except ray.exceptions.RayError as error:
        echo(f"Ray: {str(error).strip().splitlines()[0]}", err=True)
        return 1
